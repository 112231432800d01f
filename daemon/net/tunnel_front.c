/* SPDX-License-Identifier: MIT */
/*
 * tunnel_front.c - finds out who is at the front of a tunnel's connection.
 *
 * Called by tunnel_link.c; calls the raw functions of stream.c, proxy_header.c and the
 * TLS session. Thread: the home of the sock.
 */
#include <config.h>
#include "daemon/net/tunnel_front.h"

#include <stdio.h>
#include <string.h>

#include "daemon/net/certificate.h"
#include "daemon/net/stream.h"
#include "daemon/net/tls_choice.h"
#include "daemon/net/tls_session.h"
#include "daemon/net/tunnel.h"

/* What is read of a header at once, at most. */
enum { HEADER_PIECE = 512 };

void tunnel_front_fini(struct tunnel_front *front)
{
    buffer_fini(&front->bytes);
    tls_choice_unref(front->choice);
}

bool tunnel_front_asks(const struct tunnel_plan *plan)
{
    return plan->accept_proxy != 0 || plan->server != NULL;
}

/* ---- The header ---- */

/* DONE: the header is whole, what follows it is back in the stream. */
static enum op_result read_header(struct tunnel_front *front, unsigned versions,
                                  struct sock *sock, struct error *error)
{
    const char *why = "it is cut off";
    size_t n, used;

    for (;;) {
        uint8_t *room = buffer_reserve(&front->bytes, HEADER_PIECE);
        enum transport_result result =
            stream_receive(sock, room, HEADER_PIECE, &n, error);
        buffer_added(&front->bytes, result == TRANSPORT_OK ? n : 0);
        if (result == TRANSPORT_AGAIN) {
            return OP_WAIT;
        }
        if (result != TRANSPORT_OK) {
            break;
        }
        enum proxy_result found =
            proxy_header_read(&front->header, buffer_bytes(&front->bytes),
                              front->bytes.size, versions, &used, &why);
        if (found == PROXY_DONE) {
            stream_unread(sock, buffer_bytes(&front->bytes) + used,
                          front->bytes.size - used);
            buffer_fini(&front->bytes);
            front->has_header = true;
            return OP_DONE;
        }
        if (found == PROXY_BAD) {
            break;
        }
    }
    error_set(error, ERROR_CONNECTION_ABORTED, "bad PROXY header: %s", why);
    return OP_FAILED;
}

/* ---- TLS ---- */

static bool open_session(struct tunnel_front *front, const struct tunnel_plan *plan,
                         struct sock *sock, struct error *error)
{
    struct buffer *input = &sock->as.stream->input; /* what came behind the header */
    struct tls_session_spec spec = {
        .context = tls_choice_default(front->choice),
        .choice = front->choice,
        .handshake_seconds = plan->handshake,
        .allows_truncation = plan->allows_truncation,
        .received = buffer_bytes(input),
        .received_size = input->size,
    };

    if (!tls_session_open(sock, &spec, error)) {
        return false;
    }
    buffer_fini(input);
    front->has_session = true;
    return true;
}

static bool is_among(const struct certificate_pair *pair, const struct tunnel_plan *plan)
{
    for (unsigned i = 0; i < plan->n_client_names; i++) {
        /* With its length: a NUL inside of a name must not end it. */
        const char *name = plan->client_names[i];
        if (strlen(name) == pair->size && memcmp(name, pair->value, pair->size) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_name(const struct certificate *certificate,
                     const struct tunnel_plan *plan)
{
    const struct certificate_pairs *subject = &certificate->subject,
                                   *others = &certificate->alternative_names;

    for (unsigned i = 0; i < others->n; i++) {
        if (is_among(&others->items[i], plan)) {
            return true;
        }
    }
    for (unsigned i = 0; i < subject->n; i++) {
        if (strcmp(subject->items[i].name, "CN") == 0 &&
            is_among(&subject->items[i], plan)) {
            return true;
        }
    }
    return false;
}

/* Is it somebody who may pass? */
static bool check_names(const struct tunnel_plan *plan, const struct sock *sock,
                        struct error *error)
{
    struct certificate_list list = {0};
    struct tls_facts facts;

    if (plan->n_client_names == 0) {
        return true;
    }
    tls_session_describe(sock, &facts);
    tls_session_peer(sock, false, &list);
    bool is_good = list.n > 0 && facts.is_verified && has_name(list.items[0], plan);

    certificate_list_fini(&list);
    return is_good || error_set(error, ERROR_PERMISSION_DENIED,
                                "client-names: its certificate has none of them");
}

static enum op_result shake_hands(const struct tunnel_plan *plan, struct sock *sock,
                                  struct error *error)
{
    struct transport_fault fault;
    enum transport_result result = tls_session_handshake(sock, &fault);

    if (result == TRANSPORT_AGAIN) {
        return OP_WAIT;
    }
    if (result != TRANSPORT_OK) {
        tls_session_explain(sock, &fault, "handshake", error);
        return OP_FAILED;
    }
    return check_names(plan, sock, error) ? OP_DONE : OP_FAILED;
}

enum op_result tunnel_front_advance(struct tunnel_front *front,
                                    const struct tunnel_plan *plan, struct sock *sock,
                                    struct error *error)
{
    if (plan->accept_proxy != 0 && !front->has_header) {
        enum op_result result = read_header(front, plan->accept_proxy, sock, error);
        if (result != OP_DONE) {
            return result;
        }
    }
    if (front->choice != NULL) {
        if (!front->has_session && !open_session(front, plan, sock, error)) {
            return OP_FAILED;
        }
        enum op_result result = shake_hands(plan, sock, error);
        if (result != OP_DONE) {
            return result;
        }
    }
    front->is_known = true;
    return OP_DONE;
}

/* ---- The header that is sent ---- */

static size_t add_tls(const struct sock *sock, uint8_t *bytes, size_t size)
{
    struct certificate_list list = {0};
    struct tls_facts facts;
    char version[16] = "";

    tls_session_describe(sock, &facts);
    if (facts.version != NULL) { /* the protocol has it in capitals */
        (void)snprintf(version, sizeof version, "TLSv%s", facts.version + 4);
    }
    struct proxy_tls tls = {
        .version = version,
        .cipher = facts.own_cipher,
        .server_name = facts.server_name,
        .alpn = facts.alpn,
        .alpn_size = facts.alpn_size,
        .has_certificate = facts.has_certificate,
        .is_resumed = facts.is_resumed,
        .is_verified = facts.is_verified,
    };

    if (facts.is_verified) { /* what else it says is a claim */
        tls_session_peer(sock, false, &list);
    }
    for (unsigned i = 0; list.n > 0 && i < list.items[0]->subject.n; i++) {
        const struct certificate_pair *pair = &list.items[0]->subject.items[i];
        if (strcmp(pair->name, "CN") == 0) {
            tls.common_name = pair->value;
            tls.common_name_size = pair->size;
        }
    }
    size = proxy_header_add_tls(bytes, size, &tls);
    certificate_list_fini(&list);
    return size;
}

size_t tunnel_front_header(const struct tunnel_front *front, const struct sock *sock,
                           unsigned version, uint8_t bytes[PROXY_HEADER_MAX])
{
    struct proxy_header header = front->header;

    /* A front that has said itself who is behind it knows better than we. */
    if (!front->has_header || header.is_unknown) {
        header.is_unknown = !sock_remote_address(sock, &header.source) ||
                            !sock_local_address(sock, &header.destination);
    }
    header.version = (enum proxy_version)version;
    size_t size = proxy_header_write(&header, bytes);

    return version == PROXY_V2 && front->has_session ? add_tls(sock, bytes, size) : size;
}
