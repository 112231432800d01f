/* SPDX-License-Identifier: MIT */
/*
 * proxy_header.c - the PROXY protocol as its specification has it (HAProxy's
 * proxy-protocol.txt, 2020), sections 2.1 and 2.2.
 *
 * Called by tunnel_link.c. Thread: any.
 */
#include <config.h>
#include "daemon/net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
static const char v1_start[] = "PROXY ";

enum {
    COMMAND_LOCAL = 0x20,
    COMMAND_PROXY = 0x21,
    FAMILY_UNSPEC = 0,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    FAMILY_UNIX = 3,
    UNIX_PATH = 108,
    TLV_START = 3,
    TLV_ALPN = 0x01,
    TLV_AUTHORITY = 0x02,
    TLV_CRC32C = 0x03,
    TLV_SSL = 0x20,
    TLV_SSL_VERSION = 0x21,
    TLV_SSL_CN = 0x22,
    TLV_SSL_CIPHER = 0x23,
    TLV_VALUE_MAX = 255,
    CLIENT_SSL = 1,
    CLIENT_CERT_CONN = 2,
    CLIENT_CERT_SESS = 4,
};

static enum proxy_result bad(const char **why, const char *sentence)
{
    *why = sentence;
    return PROXY_BAD;
}

/* ---- Version 1 ---- */

/* The next word of a line, ended by a blank or, the last one, by the end of the line. */
static bool next_word(const char **at, const char *end, bool is_last, char *word,
                      size_t room)
{
    const char *stop = is_last ? end : memchr(*at, ' ', (size_t)(end - *at));

    if (stop == NULL || stop == *at || (size_t)(stop - *at) >= room ||
        memchr(*at, '\0', (size_t)(stop - *at)) != NULL) {
        return false;
    }
    memcpy(word, *at, (size_t)(stop - *at));
    word[stop - *at] = '\0';
    *at = stop + !is_last;
    return true;
}

/* Digits alone, none too many in front, up to 65535. */
static bool read_port(const char *word, in_port_t *port)
{
    unsigned number = 0;

    if (word[0] == '0' && word[1] != '\0') {
        return false;
    }
    for (; *word != '\0'; word++) {
        if (*word < '0' || *word > '9' || number > 65535) {
            return false;
        }
        number = number * 10 + (unsigned)(*word - '0');
    }
    *port = htons((uint16_t)number);
    return number <= 65535;
}

static bool read_address(const char *word, bool is_ipv6, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (is_ipv6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)address;
        v6->sin6_family = AF_INET6;
        return inet_pton(AF_INET6, word, &v6->sin6_addr) == 1;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)address;

    v4->sin_family = AF_INET;
    return inet_pton(AF_INET, word, &v4->sin_addr) == 1;
}

static in_port_t *port_of(struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? &((struct sockaddr_in6 *)(void *)address)->sin6_port
               : &((struct sockaddr_in *)(void *)address)->sin_port;
}

/* The line between "PROXY " and its end. */
static bool read_line(struct proxy_header *header, const char *at, const char *end)
{
    static const char unknown[] = "UNKNOWN";
    char family[8], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    char source_port[8], destination_port[8];
    size_t size = (size_t)(end - at);

    if (size >= sizeof unknown - 1 && memcmp(at, unknown, sizeof unknown - 1) == 0) {
        header->is_unknown = true; /* whatever follows is to be ignored */
        return size == sizeof unknown - 1 || at[sizeof unknown - 1] == ' ';
    }
    if (!next_word(&at, end, false, family, sizeof family) ||
        (strcmp(family, "TCP4") != 0 && strcmp(family, "TCP6") != 0) ||
        !next_word(&at, end, false, source, sizeof source) ||
        !next_word(&at, end, false, destination, sizeof destination) ||
        !next_word(&at, end, false, source_port, sizeof source_port) ||
        !next_word(&at, end, true, destination_port, sizeof destination_port)) {
        return false;
    }
    bool is_ipv6 = family[3] == '6';

    return read_address(source, is_ipv6, &header->source) &&
           read_address(destination, is_ipv6, &header->destination) &&
           read_port(source_port, port_of(&header->source)) &&
           read_port(destination_port, port_of(&header->destination));
}

static enum proxy_result read_v1(struct proxy_header *header, const char *text,
                                 size_t size, size_t *used, const char **why)
{
    size_t limit = size < PROXY_V1_MAX ? size : PROXY_V1_MAX;
    const char *end = memchr(text, '\n', limit);

    if (end == NULL) {
        return limit < PROXY_V1_MAX ? PROXY_MORE : bad(why, "its line has no end");
    }
    if (end == text || end[-1] != '\r' ||
        !read_line(header, text + sizeof v1_start - 1, end - 1)) {
        return bad(why, "its line is not as it should be");
    }
    header->version = PROXY_V1;
    *used = (size_t)(end + 1 - text);
    return PROXY_DONE;
}

/* ---- Version 2 ---- */

static void read_paths(struct proxy_header *header, const uint8_t *bytes)
{
    struct sockaddr_storage *ends[2] = {&header->source, &header->destination};

    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_un *address = (struct sockaddr_un *)(void *)ends[i];
        memset(ends[i], 0, sizeof *ends[i]);
        address->sun_family = AF_UNIX;
        memcpy(address->sun_path, bytes + i * UNIX_PATH, UNIX_PATH);
    }
}

static void read_addresses(struct proxy_header *header, const uint8_t *bytes,
                           bool is_ipv6)
{
    struct sockaddr_storage *ends[2] = {&header->source, &header->destination};
    size_t size = is_ipv6 ? 16 : 4;

    for (unsigned i = 0; i < 2; i++) {
        memset(ends[i], 0, sizeof *ends[i]);
        ends[i]->ss_family = is_ipv6 ? AF_INET6 : AF_INET;
        void *address = is_ipv6 ? (void *)&((struct sockaddr_in6 *)ends[i])->sin6_addr
                                : (void *)&((struct sockaddr_in *)ends[i])->sin_addr;
        memcpy(address, bytes + i * size, size);
        memcpy(port_of(ends[i]), bytes + 2 * size + 2 * i, 2);
    }
}

/* Castagnoli's polynomial, bit by bit: headers are short and this TLV is rare. */
static uint32_t crc32c(const uint8_t *bytes, size_t size, const uint8_t *hole)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < size; i++) {
        /* The place of the checksum counts as zeros. */
        bool is_hole = bytes + i >= hole && bytes + i < hole + 4;
        crc ^= is_hole ? 0 : bytes[i];
        for (unsigned k = 0; k < 8; k++) {
            crc = crc >> 1 ^ (UINT32_C(0x82f63b78) & (0 - (crc & 1)));
        }
    }
    return ~crc;
}

/* What follows the addresses: it must at least be well formed. */
static bool check_tlvs(const uint8_t *bytes, size_t start, size_t size)
{
    for (size_t at = start; at < size;) {
        if (size - at < TLV_START) {
            return false;
        }
        size_t value_size = (size_t)bytes[at + 1] << 8 | bytes[at + 2];
        const uint8_t *value = bytes + at + TLV_START;
        if (size - at - TLV_START < value_size) {
            return false;
        }
        if (bytes[at] == TLV_CRC32C) {
            uint32_t sum;
            if (value_size != sizeof sum) {
                return false;
            }
            memcpy(&sum, value, sizeof sum);
            if (ntohl(sum) != crc32c(bytes, size, value)) {
                return false;
            }
        }
        at += TLV_START + value_size;
    }
    return true;
}

/* Its fixed part is well formed: takes addresses and checks the rest. */
static enum proxy_result read_v2_body(struct proxy_header *header, const uint8_t *bytes,
                                      size_t size, const char **why)
{
    static const size_t sizes[] = {[FAMILY_UNSPEC] = 0,
                                   [FAMILY_INET] = 12,
                                   [FAMILY_INET6] = 36,
                                   [FAMILY_UNIX] = 216};
    unsigned family = bytes[13] >> 4, transport = bytes[13] & 15;
    size_t start = PROXY_V2_START;

    /* With LOCAL the address block is to be skipped, whatever it says. */
    header->is_unknown =
        bytes[12] == COMMAND_LOCAL || family == FAMILY_UNSPEC || transport == 0;
    if (family > FAMILY_UNIX || transport > 2) {
        return bad(why, "it has an unknown kind of address");
    }
    if (bytes[12] == COMMAND_PROXY && family != FAMILY_UNSPEC) {
        if (transport != 1) {
            return bad(why, "it is not about a stream");
        }
        if (size - start < sizes[family]) {
            return bad(why, "its addresses are cut off");
        }
        if (family == FAMILY_UNIX) {
            read_paths(header, bytes + start);
        } else {
            read_addresses(header, bytes + start, family == FAMILY_INET6);
        }
        start += sizes[family];
    }
    if (!header->is_unknown && !check_tlvs(bytes, start, size)) {
        return bad(why, "what follows its addresses is damaged");
    }
    return PROXY_DONE;
}

static enum proxy_result read_v2(struct proxy_header *header, const uint8_t *bytes,
                                 size_t size, size_t *used, const char **why)
{
    if (size < PROXY_V2_START) {
        return PROXY_MORE;
    }
    size_t all = PROXY_V2_START + ((size_t)bytes[14] << 8 | bytes[15]);

    if (bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY) {
        return bad(why, "it has an unknown version or command");
    }
    if (all > PROXY_HEADER_MAX) {
        return bad(why, "it is too long");
    }
    if (size < all) {
        return PROXY_MORE;
    }
    header->version = PROXY_V2;
    *used = all;
    return read_v2_body(header, bytes, all, why);
}

/* ---- Both ---- */

enum proxy_result proxy_header_read(struct proxy_header *header, const void *bytes,
                                    size_t size, unsigned versions, size_t *used,
                                    const char **why)
{
    static const struct {
        const void *start;
        size_t size;
        enum proxy_version version;
    } kinds[] = {
        {v1_start, sizeof v1_start - 1, PROXY_V1},
        {signature, sizeof signature, PROXY_V2},
    };

    memset(header, 0, sizeof *header);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t same = size < kinds[i].size ? size : kinds[i].size;
        if (memcmp(bytes, kinds[i].start, same) != 0 ||
            (versions & kinds[i].version) == 0) {
            continue;
        }
        if (same < kinds[i].size) {
            return PROXY_MORE;
        }
        return kinds[i].version == PROXY_V1 ? read_v1(header, bytes, size, used, why)
                                            : read_v2(header, bytes, size, used, why);
    }
    return bad(why, "there is none");
}

/* ---- Writing ---- */

static bool is_known(const struct proxy_header *header)
{
    sa_family_t family = header->source.ss_family;

    return !header->is_unknown && family == header->destination.ss_family &&
           (family == AF_INET || family == AF_INET6 ||
            (family == AF_UNIX && header->version == PROXY_V2));
}

static const void *address_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6
               ? (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr
               : (const void *)&((const struct sockaddr_in *)address)->sin_addr;
}

static size_t write_v1(const struct proxy_header *header, uint8_t *bytes)
{
    struct sockaddr_storage ends[2] = {header->source, header->destination};
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    bool is_ipv6 = ends[0].ss_family == AF_INET6;

    if (!is_known(header)) {
        return (size_t)snprintf((char *)bytes, PROXY_V1_MAX + 1, "PROXY UNKNOWN\r\n");
    }
    (void)inet_ntop(ends[0].ss_family, address_of(&ends[0]), source, sizeof source);
    (void)inet_ntop(ends[1].ss_family, address_of(&ends[1]), destination,
                    sizeof destination);
    return (size_t)snprintf((char *)bytes, PROXY_V1_MAX + 1,
                            "PROXY TCP%c %s %s %u %u\r\n", is_ipv6 ? '6' : '4', source,
                            destination, (unsigned)ntohs(*port_of(&ends[0])),
                            (unsigned)ntohs(*port_of(&ends[1])));
}

static size_t write_v2(const struct proxy_header *header, uint8_t *bytes)
{
    struct sockaddr_storage ends[2] = {header->source, header->destination};
    uint8_t *at = bytes + PROXY_V2_START;
    bool is_unix = ends[0].ss_family == AF_UNIX, is_ipv6 = ends[0].ss_family == AF_INET6;
    size_t size = is_unix ? UNIX_PATH : is_ipv6 ? 16 : 4;
    unsigned family = is_unix ? FAMILY_UNIX : is_ipv6 ? FAMILY_INET6 : FAMILY_INET;

    memcpy(bytes, signature, sizeof signature);
    bytes[12] = COMMAND_PROXY;
    bytes[13] = 0;
    for (unsigned i = 0; is_known(header) && i < 2; i++, at += size) {
        bytes[13] = (uint8_t)(family << 4 | 1);
        memcpy(
            at,
            is_unix
                ? (const void *)((const struct sockaddr_un *)(void *)&ends[i])->sun_path
                : address_of(&ends[i]),
            size);
    }
    for (unsigned i = 0; is_known(header) && !is_unix && i < 2; i++, at += 2) {
        memcpy(at, port_of(&ends[i]), 2);
    }
    size_t body = (size_t)(at - bytes) - PROXY_V2_START;

    bytes[14] = (uint8_t)(body >> 8);
    bytes[15] = (uint8_t)body;
    return PROXY_V2_START + body;
}

size_t proxy_header_write(const struct proxy_header *header,
                          uint8_t bytes[PROXY_HEADER_MAX])
{
    return header->version == PROXY_V1 ? write_v1(header, bytes)
                                       : write_v2(header, bytes);
}

/* ---- What is added to version 2 ---- */

static void write_size(uint8_t *at, size_t size)
{
    at[0] = (uint8_t)(size >> 8);
    at[1] = (uint8_t)size;
}

/* Behind the `size` bytes that are there; how many they are then. */
static size_t add_tlv(uint8_t *bytes, size_t size, uint8_t type, const void *value,
                      size_t value_size)
{
    if (value == NULL || value_size > TLV_VALUE_MAX) {
        return size;
    }
    bytes[size] = type;
    write_size(bytes + size + 1, value_size);
    memcpy(bytes + size + TLV_START, value, value_size);
    return size + TLV_START + value_size;
}

static size_t add_text(uint8_t *bytes, size_t size, uint8_t type, const char *text)
{
    return add_tlv(bytes, size, type, text, text != NULL ? strlen(text) : 0);
}

/* One TLV around others, with two members of its own. */
static size_t add_ssl(uint8_t *bytes, size_t size, const struct proxy_tls *tls)
{
    size_t begin = size;
    uint8_t *own = bytes + begin + TLV_START;

    own[0] = CLIENT_SSL;
    if (tls->has_certificate) {
        own[0] |= CLIENT_CERT_SESS | (tls->is_resumed ? 0 : CLIENT_CERT_CONN);
    }
    memset(own + 1, 0, 4); /* 0: a certificate was shown, and it is good */
    own[4] = !(tls->has_certificate && tls->is_verified);
    size += TLV_START + 5;
    size = add_text(bytes, size, TLV_SSL_VERSION, tls->version);
    size = add_text(bytes, size, TLV_SSL_CIPHER, tls->cipher);
    size = add_tlv(bytes, size, TLV_SSL_CN, tls->common_name, tls->common_name_size);
    bytes[begin] = TLV_SSL;
    write_size(bytes + begin + 1, size - begin - TLV_START);
    return size;
}

size_t proxy_header_add_tls(uint8_t bytes[PROXY_HEADER_MAX], size_t size,
                            const struct proxy_tls *tls)
{
    size = add_tlv(bytes, size, TLV_ALPN, tls->alpn, tls->alpn_size);
    size = add_text(bytes, size, TLV_AUTHORITY, tls->server_name);
    size = add_ssl(bytes, size, tls);
    write_size(bytes + 14, size - PROXY_V2_START);
    return size;
}
