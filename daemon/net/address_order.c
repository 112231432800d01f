/* SPDX-License-Identifier: MIT */
/*
 * address_order.c - sorts destinations by the rules of RFC 6724 that a program can know.
 *
 * Called by resolver.c. Rules 3, 4 and 7 need facts of the routing table that the system
 * does not tell, and rule 9 would undo the order in which name servers deal out equal
 * addresses; the C library leaves out most of it for the same reasons.
 */
#include <config.h>
#include "daemon/net/address_order.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/net/endpoint.h"

enum { N_MAX = 32, SCOPE_LINK = 2, SCOPE_SITE = 5, SCOPE_GLOBAL = 14 };

/* The policy table of section 2.1. */
static const struct policy {
    uint8_t prefix[16];
    unsigned bits, precedence, label;
} policies[] = {
    {{[15] = 1}, 128, 50, 0},                /* ::1 */
    {{[10] = 0xff, [11] = 0xff}, 96, 35, 4}, /* IPv4 */
    {{0x20, 0x02}, 16, 30, 2},               /* 6to4 */
    {{0x20, 0x01, 0, 0}, 32, 5, 5},          /* Teredo */
    {{0xfc}, 7, 3, 13},                      /* unique local */
    {{0}, 96, 1, 3},                         /* IPv4-compatible */
    {{0xfe, 0xc0}, 10, 1, 11},               /* site-local */
    {{0x3f, 0xfe}, 16, 1, 12},               /* 6bone */
    {{0}, 0, 40, 1},                         /* any other */
};

struct facts {
    struct sockaddr_storage address;
    bool has_source, is_scope_equal, is_label_equal;
    unsigned precedence, scope;
};

/* IPv4 in its mapped form. */
static void bytes_of(const struct sockaddr_storage *address, uint8_t bytes[16])
{
    struct value_ip ip = {0};

    (void)endpoint_ip(address, &ip);
    if (ip.is_ipv6) {
        memcpy(bytes, ip.bytes, 16);
        return;
    }
    memset(bytes, 0, 16);
    bytes[10] = bytes[11] = 0xff;
    memcpy(bytes + 12, ip.bytes, 4);
}

static bool has_prefix(const uint8_t *bytes, const struct policy *policy)
{
    unsigned whole = policy->bits / 8, rest = policy->bits % 8;

    return memcmp(bytes, policy->prefix, whole) == 0 &&
           (rest == 0 || ((bytes[whole] ^ policy->prefix[whole]) >> (8 - rest)) == 0);
}

static const struct policy *policy_of(const uint8_t *bytes)
{
    const struct policy *policy = policies;

    while (!has_prefix(bytes, policy)) {
        policy++; /* the last one fits all */
    }
    return policy;
}

static unsigned scope_of(const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t loopback[16] = {[15] = 1};

    if (bytes[0] == 0xff) {
        return bytes[1] & 15u; /* multicast says it itself */
    }
    if (memcmp(bytes, mapped, sizeof mapped) == 0) {
        bool is_local = bytes[12] == 127 || (bytes[12] == 169 && bytes[13] == 254);
        return is_local ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    if (memcmp(bytes, loopback, sizeof loopback) == 0 ||
        (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)) {
        return SCOPE_LINK;
    }
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0xc0 ? SCOPE_SITE : SCOPE_GLOBAL;
}

/* Connecting a datagram socket makes the system choose, and does no more. */
static bool find_source(const struct sockaddr_storage *to,
                        struct sockaddr_storage *source)
{
    struct sockaddr_storage address = *to;
    socklen_t size = sizeof *source;
    int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return false;
    }
    endpoint_set_port(&address, 53); /* any will do */
    bool is_found =
        connect(fd, (struct sockaddr *)&address, endpoint_size(&address)) == 0 &&
        getsockname(fd, (struct sockaddr *)source, &size) == 0;
    (void)close(fd); /* nothing was sent */
    return is_found;
}

static void learn(struct facts *facts, const struct sockaddr_storage *address)
{
    struct sockaddr_storage source;
    uint8_t to[16], from[16];

    facts->address = *address;
    bytes_of(address, to);
    facts->precedence = policy_of(to)->precedence;
    facts->scope = scope_of(to);
    facts->has_source = find_source(address, &source);
    if (facts->has_source) {
        bytes_of(&source, from);
        facts->is_scope_equal = scope_of(from) == facts->scope;
        facts->is_label_equal = policy_of(from)->label == policy_of(to)->label;
    }
}

static bool is_better(const struct facts *a, const struct facts *b)
{
    if (a->has_source != b->has_source) {
        return a->has_source; /* rule 1 */
    }
    if (a->is_scope_equal != b->is_scope_equal) {
        return a->is_scope_equal; /* rule 2 */
    }
    if (a->is_label_equal != b->is_label_equal) {
        return a->is_label_equal; /* rule 5 */
    }
    if (a->precedence != b->precedence) {
        return a->precedence > b->precedence; /* rule 6 */
    }
    return a->scope < b->scope; /* rule 8 */
}

void address_order(struct sockaddr_storage *addresses, unsigned n)
{
    struct facts facts[N_MAX];

    if (n < 2 || n > N_MAX) {
        return;
    }
    /* Few of them: each is put in its place. */
    for (unsigned i = 0; i < n; i++) {
        struct facts next = {0};
        unsigned at = i;
        learn(&next, &addresses[i]);
        for (; at > 0 && is_better(&next, &facts[at - 1]); at--) {
            facts[at] = facts[at - 1];
        }
        facts[at] = next;
    }
    for (unsigned i = 0; i < n; i++) {
        addresses[i] = facts[i].address;
    }
}
