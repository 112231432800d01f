/* SPDX-License-Identifier: MIT */
/*
 * tls_pair.c - a TLS socket of the daemon and its peer, for system tests.
 *
 * Calls stream_pair.c, tls_peer.c and certs.c. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/tls_pair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "tests/unit.h"
#include "tests/wire.h"

struct cert_tree tls_tree;
SSL *tls_peer;

void tls_before(void)
{
    cert_tree_init(&tls_tree);
    tls_peer = NULL;
}

void tls_after(void) { cert_tree_fini(&tls_tree); }

/* ---- Parameters ---- */

/* Adds what json_pack() makes of the rest; takes `params`. */
static json_t *with(json_t *params, const char *format, va_list args)
{
    if (format != NULL) {
        json_t *more = json_vpack_ex(NULL, 0, format, args);
        if (more == NULL || json_object_update(params, more) != 0) {
            unit_bail_out("parameters: %s", format);
        }
        json_decref(more);
    }
    return params;
}

json_t *tls_client_params(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_t *params = with(json_pack("{s:s, s:s}", "ca-file", tls_tree.root->pem,
                                    "server-name", "server.test"),
                          format, args);
    va_end(args);
    return params;
}

json_t *tls_server_params(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    json_t *params = with(json_pack("{s:s, s:s}", "certificate", tls_tree.chain, "key",
                                    tls_tree.leaf->key_pem),
                          format, args);
    va_end(args);
    return params;
}

struct tls_peer_spec tls_server_peer(void)
{
    return (struct tls_peer_spec){
        .is_server = true, .certificate = tls_tree.chain, .key = tls_tree.leaf->key_pem};
}

struct tls_peer_spec tls_client_peer(void)
{
    return (struct tls_peer_spec){.ca = tls_tree.root->pem, .server_name = "server.test"};
}

/* ---- Steps ---- */

json_t *tls_wrap(const char *role, json_t *params)
{
    char method[64];

    snprintf(method, sizeof method, "make-ssl-%s-stream", role);
    json_object_set_new(params, "socket", json_integer(pair.sock));
    return wire_call(pair.wire, method, "o", params);
}

json_t *tls_greet(const struct tls_peer_spec *peer)
{
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);

    tls_peer = tls_peer_new(peer, pair.peer);
    tls_peer_handshake(tls_peer);
    return wire_result(pair.wire, id);
}

json_t *tls_refuse(const struct tls_peer_spec *peer, const char *identifier)
{
    int64_t id = wire_send(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock);

    tls_peer = tls_peer_new(peer, pair.peer);
    (void)tls_peer_try(tls_peer); /* the client of TLS 1.3 is done before it is refused */
    return wire_error(pair.wire, id, identifier);
}

static json_t *secure(const char *role, json_t *params, const struct tls_peer_spec *peer)
{
    bool is_client = strcmp(role, "client") == 0;
    struct tls_peer_spec usual = is_client ? tls_server_peer() : tls_client_peer();

    if (params == NULL) {
        params = is_client ? tls_client_params(NULL) : tls_server_params(NULL);
    }
    tls_wrap(role, params);
    return json_object_get(tls_greet(peer != NULL ? peer : &usual), "tls");
}

json_t *tls_start(const char *role, json_t *params, const struct tls_peer_spec *peer)
{
    pair_start(NULL);
    return secure(role, params, peer);
}

json_t *tls_again(const char *role, json_t *params, const struct tls_peer_spec *peer)
{
    pair_open(NULL);
    return secure(role, params, peer);
}

/* ---- For programs ---- */

static int64_t listener;

int tls_listen(json_t *more)
{
    json_t *params = json_pack("{s:s, s:s, s:i}", "connect", "passive", "local-host",
                               "127.0.0.1", "local-port", 0);

    if (more != NULL) {
        json_object_update(params, more);
        json_decref(more);
    }
    json_t *made = wire_call(pair.wire, "make-socket", "o", params);
    listener = wire_int(made, "socket");
    return (int)wire_int(made, "local-port");
}

void tls_accept_plain(void)
{
    pair.sock = wire_int(
        wire_call(pair.wire, "accept-connection", "{s:I}", "socket", listener), "socket");
    pair.peer = -1;
}

void tls_connect_plain(int port)
{
    pair.sock = wire_int(wire_call(pair.wire, "make-socket", "{s:s, s:i}", "remote-host",
                                   "127.0.0.1", "remote-port", port),
                         "socket");
    pair.peer = -1;
}

json_t *tls_shake(void)
{
    return json_object_get(
        wire_call(pair.wire, "ssl-do-handshake", "{s:I}", "socket", pair.sock), "tls");
}

json_t *tls_accept(json_t *params)
{
    tls_accept_plain();
    tls_wrap("server", params);
    return tls_shake();
}

json_t *tls_connect(int port, json_t *params)
{
    tls_connect_plain(port);
    tls_wrap("client", params);
    return tls_shake();
}

const char *tls_write_files(void)
{
    const char *directory = harness_directory(pair.harness);

    free(cert_write(directory, "root.pem", tls_tree.root->pem));
    free(cert_write(directory, "leaf.pem", tls_tree.leaf->pem));
    free(cert_write(directory, "chain.pem", tls_tree.chain));
    free(cert_write(directory, "key.pem", tls_tree.leaf->key_pem));
    return directory;
}

/* ---- Looking ---- */

json_t *tls_facts(void)
{
    return json_object_get(
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock), "tls");
}

void tls_talk(void)
{
    pair_write("ping");
    tls_peer_expect_text(tls_peer, "ping");
    tls_peer_print(tls_peer, "pong");
    pair_check_data(pair_read_exactly(4), "pong", "utf-8");
}

int64_t tls_context(const char *role, json_t *params)
{
    char method[64];

    snprintf(method, sizeof method, "make-ssl-%s-context", role);
    return wire_int(wire_call(pair.wire, method, "o", params), "context");
}
