/* SPDX-License-Identifier: MIT */
/*
 * unit_proxy_header.c - the PROXY protocol: headers of both versions in every split, what
 * is no header, and that what is written can be read.
 */
#include <config.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "daemon/net/endpoint.h"
#include "daemon/net/proxy_header.h"
#include "tests/unit.h"

enum { BOTH = PROXY_V1 | PROXY_V2 };

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

/* Reads it from memory of exactly its size. */
static enum proxy_result read_exactly(struct proxy_header *header, const void *bytes,
                                      size_t size, unsigned versions, size_t *used,
                                      const char **why)
{
    uint8_t *own = malloc(size > 0 ? size : 1);

    CU_ASSERT_PTR_NOT_NULL_FATAL(own);
    memcpy(own, bytes, size);
    enum proxy_result result = proxy_header_read(header, own, size, versions, used, why);
    free(own);
    return result;
}

/* Every part of it is MORE, all of it DONE, and what follows makes no difference. */
static struct proxy_header check_good(const void *bytes, size_t size, unsigned versions)
{
    struct proxy_header header;
    uint8_t longer[PROXY_HEADER_MAX + 8];
    size_t used = 0;
    const char *why;

    for (size_t n = 0; n < size; n++) {
        CU_ASSERT_EQUAL(read_exactly(&header, bytes, n, versions, &used, &why),
                        PROXY_MORE);
    }
    CU_ASSERT_TRUE_FATAL(size + 8 <= sizeof longer);
    memcpy(longer, bytes, size);
    memcpy(longer + size, "GET / \r\n", 8);
    CU_ASSERT_EQUAL(read_exactly(&header, longer, size + 8, versions, &used, &why),
                    PROXY_DONE);
    CU_ASSERT_EQUAL(used, size);
    CU_ASSERT_EQUAL(read_exactly(&header, bytes, size, versions, &used, &why),
                    PROXY_DONE);
    return header;
}

/* Refused, when whole at the latest. */
static void check_bad(const void *bytes, size_t size, unsigned versions)
{
    struct proxy_header header;
    enum proxy_result result = PROXY_MORE;
    size_t used;
    const char *why = NULL;

    for (size_t n = 0; n <= size && result == PROXY_MORE; n++) {
        result = read_exactly(&header, bytes, n, versions, &used, &why);
    }
    CU_ASSERT_EQUAL(result, PROXY_BAD);
    CU_ASSERT_PTR_NOT_NULL(why);
}

static void check_end(const struct sockaddr_storage *address, const char *text)
{
    char found[ENDPOINT_TEXT_SIZE];

    endpoint_text(address, found);
    CU_ASSERT_STRING_EQUAL(found, text);
}

/* ---- Version 1 ---- */

static void test_v1(void)
{
    static const char v4[] = "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n";
    static const char v6[] = "PROXY TCP6 2001:db8::1 ::1 65535 0\r\n";
    static const char longest[] =
        "PROXY UNKNOWN ffff:f...f:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
        "ffff:ffff:ffff:ffff:ffff:f 65535\r\n";
    struct proxy_header header = check_good(v4, sizeof v4 - 1, BOTH);

    CU_ASSERT_EQUAL(header.version, PROXY_V1);
    CU_ASSERT_FALSE(header.is_unknown);
    check_end(&header.source, "192.168.0.1:56324");
    check_end(&header.destination, "192.168.0.11:443");
    header = check_good(v6, sizeof v6 - 1, PROXY_V1);
    check_end(&header.source, "[2001:db8::1]:65535");
    check_end(&header.destination, "[::1]:0");
    CU_ASSERT_TRUE(check_good("PROXY UNKNOWN\r\n", 15, BOTH).is_unknown);
    CU_ASSERT_TRUE(check_good(longest, sizeof longest - 1, BOTH).is_unknown);
}

static void test_v1_bad(void)
{
    static const char *const lines[] = {
        "GET / HTTP/1.1\r\n",
        "PROXY\r\n",
        "PROXY \r\n",
        "PROXX TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.4 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 ::1 1 2\r\n",
        "PROXY TCP6 ::1 ::1%lo 1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 99999999999\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n",
        "PROXY UNKNOWNS\r\n",
    };
    char endless[200];

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        check_bad(lines[i], strlen(lines[i]), BOTH);
    }
    memset(endless, 'x', sizeof endless);
    memcpy(endless, "PROXY UNKNOWN ", 14);
    check_bad(endless, sizeof endless, BOTH);
    check_bad("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n", 33, BOTH);
    check_bad("PROXY UNKNOWN\r\n", 15, PROXY_V2);
    check_bad("x", 1, 0);
}

/* ---- Version 2 ---- */

static void test_v2(void)
{
    static const char v4[] =
        SIGNATURE "\x21\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb";
    static const char v6[] = SIGNATURE "\x21\x21\0\x24"
                                       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                                       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\7\0\x50";
    static const char local[] = SIGNATURE "\x20\0\0\3abc";
    static const char unspec[] = SIGNATURE "\x21\0\0\0";
    static const char tlvs[] =
        SIGNATURE "\x21\x11\0\x14\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb\x04\0\0\x01\0\2h2";
    struct proxy_header header = check_good(v4, sizeof v4 - 1, BOTH);

    CU_ASSERT_EQUAL(header.version, PROXY_V2);
    CU_ASSERT_FALSE(header.is_unknown);
    check_end(&header.source, "10.0.0.1:4660");
    check_end(&header.destination, "10.0.0.2:443");
    header = check_good(v6, sizeof v6 - 1, PROXY_V2);
    check_end(&header.source, "[2001:db8::1]:7");
    check_end(&header.destination, "[::1]:80");
    CU_ASSERT_TRUE(check_good(local, sizeof local - 1, BOTH).is_unknown);
    CU_ASSERT_TRUE(check_good(unspec, sizeof unspec - 1, BOTH).is_unknown);
    CU_ASSERT_FALSE(check_good(tlvs, sizeof tlvs - 1, BOTH).is_unknown);
}

static void test_v2_unix(void)
{
    uint8_t bytes[PROXY_V2_START + 216] = SIGNATURE "\x21\x31\0\xd8/run/source";

    memcpy(bytes + PROXY_V2_START + 108, "/run/destination", 16);
    struct proxy_header header = check_good(bytes, sizeof bytes, BOTH);

    CU_ASSERT_EQUAL(header.source.ss_family, AF_UNIX);
    CU_ASSERT_STRING_EQUAL(((struct sockaddr_un *)(void *)&header.source)->sun_path,
                           "/run/source");
    CU_ASSERT_STRING_EQUAL(((struct sockaddr_un *)(void *)&header.destination)->sun_path,
                           "/run/destination");
}

/* A checksum over all of it, with its own place taken for zeros. */
static void test_v2_checksum(void)
{
    /* 123456789 has the CRC-32C e3069283: so a header that ends with it would, too; here
     * the sum of a real one, made with the polynomial the other way round. */
    uint8_t bytes[] = SIGNATURE "\x21\x11\0\x13\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"
                                "\x03\0\4\0\0\0\0";
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        for (unsigned k = 0; k < 8; k++) {
            uint32_t bit = (crc ^ bytes[i] >> k) & 1;
            crc = crc >> 1 ^ (bit ? UINT32_C(0x82f63b78) : 0);
        }
    }
    crc = htonl(~crc);
    memcpy(bytes + sizeof bytes - 5, &crc, sizeof crc);
    (void)check_good(bytes, sizeof bytes - 1, BOTH);
    for (size_t i = PROXY_V2_START; i < sizeof bytes - 1; i++) {
        if (i == PROXY_V2_START + 12) {
            continue; /* its type: as another one it would be ignored */
        }
        bytes[i] ^= 0x10;
        check_bad(bytes, sizeof bytes - 1, BOTH);
        bytes[i] ^= 0x10;
    }
}

static void test_v2_bad(void)
{
#define BAD(TEXT) check_bad(SIGNATURE TEXT, sizeof(SIGNATURE TEXT) - 1, BOTH)
    BAD("\x11\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* version */
    BAD("\x22\x11\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* command */
    BAD("\x21\x12\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* datagrams */
    BAD("\x21\x10\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* no transport */
    BAD("\x21\x41\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* family */
    BAD("\x21\x13\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb"); /* transport */
    BAD("\x21\x11\0\x0b\x0a\0\0\1\x0a\0\0\2\x12\x34\x01");     /* too short */
    BAD("\x21\x21\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb");
    BAD("\x21\x31\0\x0c\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb");
    BAD("\x21\x11\xff\xff");                                          /* too long */
    BAD("\x21\x11\0\x0d\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb\4");      /* half a TLV */
    BAD("\x21\x11\0\x10\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb\4\0\2x"); /* a cut one */
    BAD("\x21\x11\0\x0f\x0a\0\0\1\x0a\0\0\2\x12\x34\x01\xbb\3\0\0");  /* no checksum */
#undef BAD
    check_bad("\r\n\r\n\0\r\nQUIX\n", 12, BOTH);
    check_bad(SIGNATURE "\x21\0\0\0", 16, PROXY_V1);
}

/* ---- Writing ---- */

static void check_written(enum proxy_version version, const char *source,
                          const char *destination)
{
    struct proxy_header header = {.version = version}, again;
    struct sockaddr_storage *ends[2] = {&header.source, &header.destination};
    const char *texts[2] = {source, destination};
    uint8_t bytes[PROXY_HEADER_MAX];
    char text[ENDPOINT_TEXT_SIZE];

    for (unsigned i = 0; i < 2; i++) {
        struct value_ip ip;
        if (texts[i][0] == '/') {
            CU_ASSERT_TRUE(endpoint_from_path(ends[i], texts[i]));
        } else if (texts[i][0] != '\0') {
            CU_ASSERT_TRUE(ipaddr_parse(&ip, texts[i], strlen(texts[i])));
            (void)endpoint_from_ip(ends[i], &ip, (uint16_t)(1000 + i));
        }
    }
    size_t size = proxy_header_write(&header, bytes);

    CU_ASSERT_TRUE_FATAL(size > 0 && size <= PROXY_HEADER_MAX);
    again = check_good(bytes, size, version);
    CU_ASSERT_EQUAL(again.version, version);
    bool is_known = header.source.ss_family == header.destination.ss_family &&
                    header.source.ss_family != 0 &&
                    (source[0] != '/' || version == PROXY_V2);
    CU_ASSERT_EQUAL(again.is_unknown, !is_known);
    for (unsigned i = 0; is_known && i < 2; i++) {
        endpoint_text(ends[i], text);
        check_end(i == 0 ? &again.source : &again.destination, text);
    }
}

static void test_written(void)
{
    static const enum proxy_version versions[] = {PROXY_V1, PROXY_V2};

    for (unsigned i = 0; i < 2; i++) {
        check_written(versions[i], "127.0.0.1", "10.255.0.1");
        check_written(versions[i], "2001:db8::ff:1", "::1");
        check_written(versions[i], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
        check_written(versions[i], "127.0.0.1", "::1");
        check_written(versions[i], "/run/a", "/run/b");
        check_written(versions[i], "", "");
    }
}

/* Behind the addresses, and nothing of it changes them. */
static void test_tls_added(void)
{
    static const char expected[] = "\x01\0\x02h2"
                                   "\x02\0\x03"
                                   "a.b"
                                   "\x20\0\x1c\x07\0\0\0\0"
                                   "\x21\0\x07TLSv1.3"
                                   "\x23\0\x01"
                                   "C"
                                   "\x22\0\x06g\0uest";
    struct proxy_header header = {.version = PROXY_V2};
    uint8_t bytes[PROXY_HEADER_MAX], plain[PROXY_HEADER_MAX];
    struct value_ip ip;
    char long_name[300];
    struct proxy_tls tls = {
        .version = "TLSv1.3",
        .cipher = "C",
        .server_name = "a.b",
        .alpn = (const uint8_t *)"h2",
        .alpn_size = 2,
        .has_certificate = true,
        .is_verified = true,
        .common_name = "g\0uest",
        .common_name_size = 6,
    };

    ipaddr_from_integer(&ip, 0x7f000001);
    (void)endpoint_from_ip(&header.source, &ip, 1);
    (void)endpoint_from_ip(&header.destination, &ip, 2);
    size_t n = proxy_header_write(&header, plain);
    size_t size = proxy_header_add_tls(bytes, proxy_header_write(&header, bytes), &tls);
    CU_ASSERT_EQUAL_FATAL(size, n + sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(bytes, plain, 14), 0);
    CU_ASSERT_EQUAL((size_t)(bytes[14] << 8 | bytes[15]), size - PROXY_V2_START);
    CU_ASSERT_EQUAL(memcmp(bytes + 16, plain + 16, n - 16), 0);
    CU_ASSERT_EQUAL(memcmp(bytes + n, expected, sizeof expected - 1), 0);
    CU_ASSERT_FALSE(check_good(bytes, size, PROXY_V2).is_unknown);

    /* What is not there, or too long, is left out; a certificate may be none, or old. */
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    tls = (struct proxy_tls){.server_name = long_name};
    size = proxy_header_add_tls(bytes, proxy_header_write(&header, bytes), &tls);
    CU_ASSERT_EQUAL(size, n + 8);
    CU_ASSERT_EQUAL(memcmp(bytes + n, "\x20\0\5\1\0\0\0\1", 8), 0);
    tls.has_certificate = tls.is_resumed = true;
    (void)proxy_header_add_tls(bytes, proxy_header_write(&header, bytes), &tls);
    CU_ASSERT_EQUAL(memcmp(bytes + n, "\x20\0\5\5\0\0\0\1", 8), 0);
}

static const struct unit_test tests[] = {
    {"version 1", test_v1},
    {"version 1: what is none", test_v1_bad},
    {"version 2", test_v2},
    {"version 2: paths", test_v2_unix},
    {"version 2: the checksum", test_v2_checksum},
    {"version 2: what is none", test_v2_bad},
    {"what is written can be read", test_written},
    {"version 2: what is told of TLS", test_tls_added},
};

UNIT_MAIN(tests)
