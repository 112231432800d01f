/* SPDX-License-Identifier: MIT */
/*
 * ipaddr.c - text <-> binary Internet addresses.
 *
 * The IPv4 forms are those of inet_aton(): a, a.b, a.b.c, a.b.c.d, where each part may be
 * decimal, octal (0...) or hexadecimal (0x...) and the last one fills the bytes that are
 * left. inet_aton() itself is not used because it stops at white space and takes what
 * follows for part of the text.
 */
#include <config.h>

#include "proto/ipaddr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Value of a digit in any base up to 16; 16 for what is none. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

/* One number of an IPv4 address. False: no number, or above 32 bits. */
static bool parse_part(const char **text, const char *end, uint32_t *part)
{
    const char *p = *text;
    unsigned base = 10;
    uint64_t value = 0;

    if (p < end && *p == '0') {
        base = 8; /* the 0 itself is a digit of it */
        if (end - p > 2 && (p[1] == 'x' || p[1] == 'X') && digit_value(p[2]) < 16) {
            base = 16;
            p += 2;
        }
    }
    if (p == end || digit_value(*p) >= base)
        return false;
    for (; p < end && digit_value(*p) < base; p++) {
        value = value * base + digit_value(*p);
        if (value > UINT32_MAX)
            return false;
    }
    *part = (uint32_t)value;
    *text = p;
    return true;
}

static bool parse_ipv4(struct value_ip *ip, const char *text, size_t size)
{
    const char *end = text + size;
    uint32_t parts[4];
    unsigned n = 0;
    uint32_t address = 0;

    for (;;) {
        if (!parse_part(&text, end, &parts[n]))
            return false;
        n++;
        if (text == end)
            break;
        if (*text++ != '.' || n == 4)
            return false;
    }
    for (unsigned i = 0; i + 1 < n; i++) {
        if (parts[i] > 255)
            return false;
        address |= parts[i] << (24 - 8 * i);
    }
    /* The last number has 8 bits for each byte that is left: 32, 24, 16 or 8. */
    if (n > 1 && parts[n - 1] >> (8 * (5 - n)))
        return false;
    ipaddr_from_integer(ip, address | parts[n - 1]);
    return true;
}

bool ipaddr_parse_scope(const char *text, size_t size, uint32_t *scope_id)
{
    char name[IF_NAMESIZE];
    uint64_t number = 0;
    size_t i;

    for (i = 0; i < size && text[i] >= '0' && text[i] <= '9'; i++) {
        number = number * 10 + (unsigned)(text[i] - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (size && i == size) {
        *scope_id = (uint32_t)number;
        return true;
    }
    if (size == 0 || size >= sizeof(name) || memchr(text, 0, size))
        return false;
    memcpy(name, text, size);
    name[size] = 0;
    *scope_id = if_nametoindex(name);
    return *scope_id != 0;
}

static bool parse_ipv6(struct value_ip *ip, const char *text, size_t size)
{
    const char *percent = memchr(text, '%', size);
    size_t length = percent ? (size_t)(percent - text) : size;
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    uint32_t scope_id = 0;

    if (length >= sizeof(copy) || memchr(text, 0, length))
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (inet_pton(AF_INET6, copy, &address) != 1)
        return false;
    if (percent && !ipaddr_parse_scope(percent + 1, size - length - 1, &scope_id))
        return false;
    ip->is_ipv6 = true;
    memcpy(ip->bytes, &address, sizeof(ip->bytes));
    ip->scope_id = scope_id;
    return true;
}

bool ipaddr_parse(struct value_ip *ip, const char *text, size_t size)
{
    if (size == 0)
        return false;
    return memchr(text, ':', size) ? parse_ipv6(ip, text, size)
                                   : parse_ipv4(ip, text, size);
}

/* Digits and nothing else, up to `most`. */
static bool parse_decimal(unsigned *number, const char *text, size_t size, unsigned most)
{
    *number = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (unsigned)(text[i] - '0');
        if (*number > most)
            return false;
    }
    return size > 0;
}

/* ":53", 1 to 65535. */
static bool parse_port(int *port, const char *text, size_t size)
{
    unsigned number;

    if (size < 2 || size > 6 || text[0] != ':' ||
        !parse_decimal(&number, text + 1, size - 1, UINT16_MAX))
        return false;
    *port = (int)number;
    return number > 0;
}

bool ipaddr_parse_endpoint(struct value_ip *ip, int *port, const char *text, size_t size)
{
    const char *end;
    size_t length;

    *port = -1;
    if (size == 0)
        return false;
    if (text[0] == '[') {
        end = memchr(text, ']', size);
        length = end ? (size_t)(end - text) + 1 : 0;
        return end && memchr(text, ':', length) &&
               ipaddr_parse(ip, text + 1, length - 2) &&
               (length == size || parse_port(port, text + length, size - length));
    }
    end = memchr(text, ':', size);
    length = end ? (size_t)(end - text) : size;
    /* More than one colon: an IPv6 address by itself. */
    if (!end || memchr(end + 1, ':', size - length - 1))
        return ipaddr_parse(ip, text, size);
    return ipaddr_parse(ip, text, length) && parse_port(port, end, size - length);
}

bool ipaddr_is_dotted(const char *text, size_t size)
{
    struct value_ip ip;

    return ipaddr_parse(&ip, text, size);
}

void ipaddr_from_integer(struct value_ip *ip, uint32_t number)
{
    uint32_t order = htonl(number);

    memset(ip, 0, sizeof(*ip));
    memcpy(ip->bytes, &order, sizeof(order));
}

uint32_t ipaddr_to_integer(const struct value_ip *ip)
{
    uint32_t order;

    memcpy(&order, ip->bytes, sizeof(order));
    return ntohl(order);
}

/* "192.0.2.1"; most replies have one, and printf() is slow. */
static void format_ipv4(const uint8_t bytes[4], char *text)
{
    for (int i = 0; i < 4; i++) {
        unsigned byte = bytes[i];

        if (byte >= 100)
            *text++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *text++ = (char)('0' + byte / 10 % 10);
        *text++ = (char)('0' + byte % 10);
        *text++ = i < 3 ? '.' : 0;
    }
}

void ipaddr_format(const struct value_ip *ip, char text[IPADDR_TEXT_SIZE])
{
    char name[IF_NAMESIZE];
    size_t size;

    if (!ip->is_ipv6) {
        format_ipv4(ip->bytes, text);
        return;
    }
    /* Can't fail: the family is known and the room is large enough. */
    (void)inet_ntop(AF_INET6, ip->bytes, text, INET6_ADDRSTRLEN);
    if (ip->scope_id == 0)
        return;
    size = strlen(text);
    if (if_indextoname(ip->scope_id, name))
        snprintf(text + size, IPADDR_TEXT_SIZE - size, "%%%s", name);
    else
        snprintf(text + size, IPADDR_TEXT_SIZE - size, "%%%u", (unsigned)ip->scope_id);
}

bool ipaddr_is_mapped(const struct value_ip *ip)
{
    static const uint8_t prefix[12] = {[10] = 0xFF, [11] = 0xFF};

    return ip->is_ipv6 && memcmp(ip->bytes, prefix, sizeof(prefix)) == 0;
}

/* The four bytes of an IPv4 address in either form; NULL for a true IPv6 address. */
static const uint8_t *ipv4_bytes(const struct value_ip *ip)
{
    if (!ip->is_ipv6)
        return ip->bytes;
    return ipaddr_is_mapped(ip) ? ip->bytes + 12 : NULL;
}

bool ipaddr_equal(const struct value_ip *a, const struct value_ip *b, bool compare_scope)
{
    const uint8_t *a4 = ipv4_bytes(a), *b4 = ipv4_bytes(b);
    uint32_t scope_a = a->is_ipv6 ? a->scope_id : 0,
             scope_b = b->is_ipv6 ? b->scope_id : 0;

    if (compare_scope && scope_a != scope_b)
        return false;
    if (!a4 != !b4)
        return false;
    if (a4)
        return memcmp(a4, b4, 4) == 0;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- Networks ---- */

/* Are the bits behind the first `n_bits` of these bytes 0? */
static bool ends_in_zeros(const uint8_t *bytes, size_t size, unsigned n_bits)
{
    for (size_t i = n_bits / 8; i < size; i++) {
        uint8_t rest = i == n_bits / 8 ? 0xff >> n_bits % 8 : 0xff;
        if (bytes[i] & rest)
            return false;
    }
    return true;
}

bool ipaddr_parse_network(struct ipaddr_network *network, const char *text, size_t size)
{
    const char *slash = memchr(text, '/', size);
    size_t length = slash ? (size_t)(slash - text) : size;
    struct value_ip ip;

    if (!ipaddr_parse(&ip, text, length) || (ip.is_ipv6 && ip.scope_id != 0))
        return false;
    unsigned all = ip.is_ipv6 ? 128 : 32, n_bits = all;

    if (slash &&
        (size - length > 4 || !parse_decimal(&n_bits, slash + 1, size - length - 1, all)))
        return false;
    if (!ends_in_zeros(ip.bytes, all / 8, n_bits))
        return false;
    if (ipaddr_is_mapped(&ip) && n_bits >= 96) {
        memmove(ip.bytes, ip.bytes + 12, 4);
        ip.is_ipv6 = false;
        n_bits -= 96;
    }
    *network = (struct ipaddr_network){ip, n_bits};
    return true;
}

bool ipaddr_is_in(const struct value_ip *ip, const struct ipaddr_network *network)
{
    const uint8_t *own = ipv4_bytes(ip), *first = network->ip.bytes;
    unsigned n = network->n_bits / 8, rest = network->n_bits % 8;

    if (!own == !network->ip.is_ipv6)
        return false;
    own = own ? own : ip->bytes;
    return memcmp(own, first, n) == 0 &&
           (rest == 0 || (own[n] ^ first[n]) >> (8 - rest) == 0);
}
