/* SPDX-License-Identifier: MIT */
/*
 * tunnel.h - a listener whose connections are each relayed to a connection of their own.
 *
 * The listener lives in one worker, the tunnel's home; what it accepts is spread over all
 * of them. There a connection is made to the first target that takes it, and the two are
 * joined (bridge.h). At the limit of connections, and at a shortage of descriptors, no
 * more are accepted for a while: they wait in the kernel.
 *
 * A tunnel is constant but for its counters, and shared by all workers. It ends with its
 * listener. Its connections end with it - or go on to their own ends, if that is wanted.
 *
 * Thread: the home of the listener, unless said otherwise.
 */
#ifndef SOCKD_NET_TUNNEL_H
#define SOCKD_NET_TUNNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/net/bridge.h"
#include "daemon/net/dial.h"
#include "daemon/net/filename.h"
#include "daemon/net/listener.h"
#include "daemon/net/proxy_header.h"
#include "daemon/net/sock.h"

struct ipaddr_network;
struct tls_choice;
struct tls_offer;
struct tls_published;

/* Where it listens. */
struct tunnel_listen {
    const char *path; /* file family; NULL: internet */
    bool has_rights;  /* its file; else it has those of the umask */
    struct filename_rights rights;
    const char *owner, *group; /* names for `rights`, before they were looked up */
    struct end local;
    bool is_ipv6, is_v6_only; /* without a host: of the wildcard address */
    int backlog;
    struct option_setting settings[OPTION_COUNT];
    unsigned n_settings;
};

/* What a tunnel is to be. Texts and targets are the plan's own. */
struct tunnel_plan {
    const char *name; /* NULL: none */
    char **texts;     /* that it keeps */
    unsigned n_texts;
    struct sock_owner owner;
    struct identity who;
    struct tunnel_listen listen;
    struct dial_plan *targets; /* in the order of trying */
    unsigned n_targets;
    bool takes_turns;         /* each connection begins with the next target */
    bool logs_connections;    /* a line when one is over */
    unsigned max_connections; /* 0: no limit */
    struct bridge_rules rules;
    double handshake; /* seconds until a connection has said who it is, and a target */
    unsigned accept_proxy;    /* versions of the header that must come; 0: none comes */
    unsigned send_proxy;      /* version of the header that is sent; 0: none */
    struct tls_offer *server; /* TLS with those who come, used at home only; NULL:
                                 plain */
    struct tls_published *client;           /* TLS with the targets; NULL: plain */
    bool allows_truncation;                 /* on both sides */
    const char **client_names;              /* of which their certificate must have one */
    unsigned n_client_names;                /* 0: any */
    struct ipaddr_network *client_networks; /* that they must come from */
    unsigned n_client_networks;             /* 0: any */
};
/* A copy of the text, or of bytes, that lives as long as the plan; NULL for NULL. */
const char *tunnel_plan_keep(struct tunnel_plan *plan, const char *text, size_t size);
/* Frees what it points to. */
void tunnel_plan_fini(struct tunnel_plan *plan);

struct tunnel_counts {
    _Atomic uint64_t n_active; /* connections now */
    _Atomic uint64_t n_accepted;
    _Atomic uint64_t n_refused;   /* by a limit, or for what they said */
    _Atomic uint64_t n_failed;    /* no target took them */
    _Atomic uint64_t n_cut;       /* of those that were joined: did not end well */
    _Atomic uint64_t n_in, n_out; /* bytes of connections that are over */
};

enum tunnel_rest { TUNNEL_REST_CLOSE, TUNNEL_REST_CUT, TUNNEL_REST_KEEP };

/* Owner: counted; the listener holds it, and each connection. */
struct tunnel {
    _Atomic unsigned n_refs;
    struct tunnel_plan plan;
    int64_t handle;
    unsigned worker;             /* home */
    int64_t created;             /* seconds since 1970 */
    struct tunnel_counts counts; /* any thread */
    _Atomic unsigned n_short;    /* connections that wait for a descriptor */
    _Atomic bool is_full;        /* the listener waits for a connection to end */
    _Atomic unsigned n_turns;    /* connections that looked for a target */

    /* Of use at home only. */
    struct sock *listener; /* NULL: it has gone */
    struct op accepting;
    enum tunnel_rest rest; /* what becomes of connections when the listener ends */
};

/* `error` NULL: the tunnel is open, and is left so by the call. */
typedef void tunnel_opened(void *arg, struct tunnel *tunnel, const struct error *error);

/* Opens a tunnel in the running worker; takes what *plan points to. `opened` may run
 * before this returns; it does run, unless the thread ends. `listener` (may be NULL) is
 * set before that to a handle: closing that gives the opening up. */
void tunnel_open(struct tunnel_plan *plan, int64_t *listener, tunnel_opened *opened,
                 void *arg);
/* NULL: there is none here. */
struct tunnel *tunnel_find(struct loop *loop, int64_t handle);
/* Is it the listener of a tunnel? Then nobody else may accept there. */
bool tunnel_owns(const struct sock *sock);
/* Accepts no more, and cuts its connections (is_abort) or leaves them alone. The tunnel
 * may be gone afterwards. */
void tunnel_close(struct tunnel *tunnel, bool is_abort);

/* ---- For its connections (tunnel_link.c); any thread ---- */

struct tunnel *tunnel_ref(struct tunnel *tunnel);
void tunnel_unref(struct tunnel *tunnel);
/* A connection is over, or waits for no descriptor any more. */
void tunnel_has_room(struct tunnel *tunnel);

#endif
