/* SPDX-License-Identifier: MIT */
/*
 * print_form.c - the printed form of a socket.
 *
 * Called by describe-socket; calls net/sock and net/resolver. Thread: the sock's home.
 */
#include <config.h>
#include "daemon/control/print_form.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "daemon/control/description.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/resolver.h"
#include "daemon/net/sock.h"

/* One end: "host/port", or a file name. */
enum { END_SIZE = 400 };

static bool is_wildcard(const struct value_ip *ip)
{
    static const uint8_t zero[16];

    return memcmp(ip->bytes, zero, ip->is_ipv6 ? 16 : 4) == 0;
}

static void print_end(char text[END_SIZE], const struct sockaddr_storage *address,
                      bool wants_names)
{
    char host[DNS_TEXT_SIZE];
    struct value_ip ip;

    if (!endpoint_ip(address, &ip)) {
        (void)snprintf(text, END_SIZE, "*");
        return;
    }
    if (is_wildcard(&ip)) {
        memcpy(host, "*", 2);
    } else if (!wants_names || !resolve_known_name(&ip, host) || host[0] == '\0') {
        ipaddr_format(&ip, host);
    }
    (void)snprintf(text, END_SIZE, "%.300s/%u", host, (unsigned)endpoint_port(address));
}

static void print_ends(const struct sock *sock, bool wants_names, char local[END_SIZE],
                       char remote[END_SIZE])
{
    struct sockaddr_storage address;

    local[0] = remote[0] = '\0';
    if (sock->family == SOCK_FAMILY_FILE) {
        (void)snprintf(local, END_SIZE, "%s",
                       sock->local_filename != NULL ? sock->local_filename : "");
        (void)snprintf(remote, END_SIZE, "%s",
                       sock->remote_filename != NULL ? sock->remote_filename : "");
        return;
    }
    if (sock_local_address(sock, &address)) {
        print_end(local, &address, wants_names);
    }
    if (sock_remote_address(sock, &address)) {
        print_end(remote, &address, wants_names);
    }
}

static const char *format_word(const struct sock *sock)
{
    switch (sock->format) {
    case SOCK_FORMAT_TEXT:
        return "text";
    case SOCK_FORMAT_BINARY:
        return "binary";
    case SOCK_FORMAT_BIVALENT:
    case SOCK_FORMAT_MULTIVALENT:
        break;
    }
    return "multivalent"; /* one by two names */
}

void print_form(const struct sock *sock, bool wants_names, char text[PRINT_FORM_SIZE])
{
    const char *type = sock->type == SOCK_TYPE_STREAM ? "stream" : "datagram";
    char local[END_SIZE], remote[END_SIZE], where[2 * END_SIZE + 32] = "";

    print_ends(sock, wants_names, local, remote);
    switch (description_state(sock)) {
    case DESCRIPTION_LISTENING:
    case DESCRIPTION_OPEN:
        (void)snprintf(where, sizeof where, " waiting for connection at %s", local);
        break;
    case DESCRIPTION_CONNECTING:
        (void)snprintf(where, sizeof where, " connecting");
        break;
    case DESCRIPTION_CONNECTED:
    case DESCRIPTION_ENDED:
    case DESCRIPTION_CLOSING:
        (void)snprintf(where, sizeof where, " connected from %s to %s", local, remote);
        break;
    }
    (void)snprintf(text, PRINT_FORM_SIZE, "#<%s %s socket%s @ #x%" PRIx64 ">",
                   format_word(sock), type, where, (uint64_t)sock->handle);
}
