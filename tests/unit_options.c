/* SPDX-License-Identifier: MIT */
/*
 * unit_options.c - the table of socket options: daemon/net/options, against real sockets.
 */
#include <config.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/net/endpoint.h"
#include "daemon/net/options.h"
#include "daemon/net/sock.h"
#include "tests/unit.h"

static const unsigned kinds[] = {OPTION_KIND_TCP,           OPTION_KIND_TCP_LISTENER,
                                 OPTION_KIND_UDP,           OPTION_KIND_FILE,
                                 OPTION_KIND_FILE_LISTENER, OPTION_KIND_FILE_DATAGRAM};

static int socket_of(unsigned kind, bool is_ipv6)
{
    bool is_file = (kind & (OPTION_KIND_FILE | OPTION_KIND_FILE_LISTENER |
                            OPTION_KIND_FILE_DATAGRAM)) != 0;
    bool is_datagram = (kind & (OPTION_KIND_UDP | OPTION_KIND_FILE_DATAGRAM)) != 0;
    int fd = socket(is_file   ? AF_UNIX
                    : is_ipv6 ? AF_INET6
                              : AF_INET,
                    (is_datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    CU_ASSERT_FATAL(fd >= 0);
    return fd;
}

/* Every option that a row says fits can be read from a socket of that kind. */
static void test_all_can_be_read(void)
{
    for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            int fd = socket_of(kinds[k], v6);
            for (unsigned i = 0; i < OPTION_COUNT; i++) {
                enum option_id id = (enum option_id)i;
                int value = -77;
                if (!option_fits(id, kinds[k], v6)) {
                    continue;
                }
                int status = option_get(fd, id, v6, &value);
                if (status != 0 || value == -77) {
                    UNIT_FAIL("%s kind %u: %d", option_name(id), kinds[k], status);
                }
            }
            close(fd);
        }
    }
}

static void test_booleans(void)
{
    static const enum option_id some[] = {OPTION_REUSE_ADDRESS, OPTION_REUSE_PORT,
                                          OPTION_KEEPALIVE,     OPTION_NODELAY,
                                          OPTION_OOB_INLINE,    OPTION_TCP_CORK};
    int fd = socket_of(OPTION_KIND_TCP, false);

    for (unsigned i = 0; i < sizeof some / sizeof some[0]; i++) {
        int value = 7;
        CU_ASSERT_TRUE(option_is_bool(some[i]));
        CU_ASSERT_EQUAL(option_set(fd, some[i], false, 1), 0);
        CU_ASSERT_EQUAL(option_get(fd, some[i], false, &value), 0);
        CU_ASSERT_EQUAL(value, 1);
        CU_ASSERT_EQUAL(option_set(fd, some[i], false, 0), 0);
        CU_ASSERT_EQUAL(option_get(fd, some[i], false, &value), 0);
        CU_ASSERT_EQUAL(value, 0);
    }
    close(fd);
}

static void expect_number(int fd, enum option_id id, bool is_ipv6, int set, int wanted)
{
    int value = -1;

    CU_ASSERT_FALSE(option_is_bool(id));
    CU_ASSERT_EQUAL(option_set(fd, id, is_ipv6, set), 0);
    CU_ASSERT_EQUAL(option_get(fd, id, is_ipv6, &value), 0);
    if (value != wanted) {
        UNIT_FAIL("%s: %d instead of %d", option_name(id), value, wanted);
    }
}

static void test_numbers(void)
{
    int fd = socket_of(OPTION_KIND_TCP, false);

    expect_number(fd, OPTION_RECEIVE_BUFFER_SIZE, false, 20000, 40000);
    expect_number(fd, OPTION_SEND_BUFFER_SIZE, false, 20000, 40000);
    expect_number(fd, OPTION_TCP_KEEPALIVE_IDLE_TIME, false, 33, 33);
    expect_number(fd, OPTION_TCP_KEEPALIVE_PROBE_INTERVAL, false, 5, 5);
    expect_number(fd, OPTION_TCP_KEEPALIVE_MAX_PROBES, false, 4, 4);
    expect_number(fd, OPTION_RECEIVE_LOW_WATER, false, 100, 100);
    expect_number(fd, OPTION_TCP_USER_TIMEOUT, false, 1500, 1500);
    expect_number(fd, OPTION_TCP_NOTSENT_LOWAT, false, 16384, 16384);
    expect_number(fd, OPTION_PRIORITY, false, 3, 3);
    expect_number(fd, OPTION_TOS, false, 0x10, 0x10);
    expect_number(fd, OPTION_TTL, false, 9, 9);
    close(fd);
}

static void test_linger(void)
{
    int fd = socket_of(OPTION_KIND_TCP, false);
    struct linger linger;
    socklen_t size = sizeof linger;

    expect_number(fd, OPTION_LINGER, false, 12, 12);
    expect_number(fd, OPTION_LINGER, false, 0, 0);
    CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
    CU_ASSERT_NOT_EQUAL(linger.l_onoff, 0);
    expect_number(fd, OPTION_LINGER, false, -1, -1);
    CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size), 0);
    CU_ASSERT_EQUAL(linger.l_onoff, 0);
    close(fd);
}

static void test_ipv6_has_its_own(void)
{
    int fd = socket_of(OPTION_KIND_UDP, true);
    int value = 0;
    socklen_t size = sizeof value;

    expect_number(fd, OPTION_TOS, true, 0x20, 0x20);
    expect_number(fd, OPTION_TTL, true, 7, 7);
    CU_ASSERT_EQUAL(getsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &value, &size), 0);
    CU_ASSERT_EQUAL(value, 7);
    CU_ASSERT_TRUE(option_fits(OPTION_IPV6_ONLY, OPTION_KIND_UDP, true));
    CU_ASSERT_FALSE(option_fits(OPTION_IPV6_ONLY, OPTION_KIND_UDP, false));
    CU_ASSERT_EQUAL(option_set(fd, OPTION_IPV6_ONLY, true, 1), 0);
    CU_ASSERT_EQUAL(option_get(fd, OPTION_IPV6_ONLY, true, &value), 0);
    CU_ASSERT_EQUAL(value, 1);
    close(fd);
}

static void test_refusals(void)
{
    int fd = socket_of(OPTION_KIND_TCP, false), value = 5;
    const struct option_setting settings[] = {
        {OPTION_KEEPALIVE, 1}, {OPTION_SEND_LOW_WATER, 10}, {OPTION_NODELAY, 1}};
    enum option_id failed = OPTION_COUNT;

    /* Linux shows it and does not let it be changed. */
    CU_ASSERT_EQUAL(option_set(fd, OPTION_SEND_LOW_WATER, false, 10), -ENOPROTOOPT);
    CU_ASSERT_EQUAL(options_set(fd, false, settings, 3, &failed), -ENOPROTOOPT);
    CU_ASSERT_EQUAL(failed, OPTION_SEND_LOW_WATER);
    CU_ASSERT_EQUAL(option_get(fd, OPTION_KEEPALIVE, false, &value), 0);
    CU_ASSERT_EQUAL(value, 1);
    CU_ASSERT_EQUAL(option_get(fd, OPTION_NODELAY, false, &value), 0);
    CU_ASSERT_EQUAL(value, 0);
    close(fd);
    value = 5;
    CU_ASSERT_EQUAL(option_get(fd, OPTION_NODELAY, false, &value), -EBADF);
    CU_ASSERT_EQUAL(value, 5);
}

static void test_kinds(void)
{
    struct sock sock = {.type = SOCK_TYPE_STREAM, .family = SOCK_FAMILY_INTERNET};

    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_TCP);
    sock.connect = SOCK_CONNECT_PASSIVE;
    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_TCP_LISTENER);
    sock.family = SOCK_FAMILY_FILE;
    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_FILE_LISTENER);
    sock.connect = SOCK_CONNECT_ACTIVE;
    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_FILE);
    sock.type = SOCK_TYPE_DATAGRAM;
    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_FILE_DATAGRAM);
    sock.family = SOCK_FAMILY_INTERNET;
    CU_ASSERT_EQUAL(option_kind_of(&sock), OPTION_KIND_UDP);
    CU_ASSERT_TRUE(option_fits(OPTION_BROADCAST, OPTION_KIND_UDP, false));
    CU_ASSERT_FALSE(option_fits(OPTION_BROADCAST, OPTION_KIND_TCP, false));
    CU_ASSERT_FALSE(option_fits(OPTION_NODELAY, OPTION_KIND_FILE, false));
}

static void test_md5(void)
{
    int fd = socket_of(OPTION_KIND_TCP, false);
    struct sockaddr_storage address;
    const struct value_ip ip = {.bytes = {127, 0, 0, 1}};
    char key[81] = "secret";

    (void)endpoint_from_ip(&address, &ip, 0);
    CU_ASSERT_EQUAL(option_set_md5(fd, &address, key, 81), -EINVAL);
    int status = option_set_md5(fd, &address, key, 6);
    if (status == -ENOPROTOOPT) {
        unit_skip("this kernel has no TCP MD5 signatures");
    } else {
        CU_ASSERT_EQUAL(status, 0);
    }
    close(fd);
}

static const struct unit_test tests[] = {
    {"what fits can be read", test_all_can_be_read},
    {"booleans are set and read", test_booleans},
    {"numbers are set and read", test_numbers},
    {"linger in seconds, -1 is off", test_linger},
    {"IPv6 sockets have their own tos and ttl", test_ipv6_has_its_own},
    {"the first refusal ends the setting", test_refusals},
    {"kinds of sockets", test_kinds},
    {"TCP MD5 keys", test_md5},
};
UNIT_MAIN(tests)
