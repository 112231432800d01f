/* SPDX-License-Identifier: MIT */
/*
 * sock.c - the life of a socket: handle, owner, descriptor, addresses, end.
 *
 * What waits on it is in sock_ops.c. Called by the kinds (stream, listener, datagram,
 * connector) and by the commands; calls base only. Thread: the sock's home.
 *
 * A callback may free the sock that it was called for. Whoever walks a sock therefore
 * holds it: sock_free() then takes everything but the memory, which goes with the last
 * hold.
 */
#include <config.h>
#include "daemon/net/sock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/handle.h"
#include "daemon/base/placement.h"
#include "daemon/base/quota.h"
#include "daemon/net/guest.h"

/* Heads of the lists of a client's sockets; a power of two. */
enum { OWNER_BUCKETS = 1024 };

/* The sockets of this worker by the client that owns them. */
static _Thread_local struct sock *owned[OWNER_BUCKETS];

static _Atomic double close_timeout = 30;

const char *sock_state_name(enum sock_state state)
{
    static const char *const names[] = {
        [SOCK_STATE_CONNECTING] = "connecting", [SOCK_STATE_OPEN] = "open",
        [SOCK_STATE_LISTENING] = "listening",   [SOCK_STATE_ATTACHED] = "attached",
        [SOCK_STATE_CLOSING] = "closing",
    };
    return names[state];
}

const char *sock_end_name(enum sock_end end)
{
    static const char *const names[] = {
        [SOCK_END_NONE] = NULL,
        [SOCK_END_CLEAN] = "clean",
        [SOCK_END_TRUNCATED] = "truncated",
        [SOCK_END_RESET] = "reset",
        [SOCK_END_TIMEOUT] = "timeout",
        [SOCK_END_CLOSED] = "closed",
    };
    return names[end];
}

void sock_set_close_timeout(double seconds) { close_timeout = seconds; }

double sock_close_timeout(void) { return close_timeout; }

/* ---- Birth and death ---- */

static struct sock **bucket_of(int64_t client)
{
    uint64_t number = (uint64_t)client;

    return &owned[(number / HANDLE_MAX_WORKERS ^ number << 5) % OWNER_BUCKETS];
}

static void join_owner(struct sock *sock)
{
    struct sock **bucket = bucket_of(sock->owner.client);

    sock->owner_next = *bucket;
    sock->owner_link = bucket;
    if (*bucket != NULL) {
        (*bucket)->owner_link = &sock->owner_next;
    }
    *bucket = sock;
}

static void leave_owner(struct sock *sock)
{
    *sock->owner_link = sock->owner_next;
    if (sock->owner_next != NULL) {
        sock->owner_next->owner_link = sock->owner_link;
    }
}

static bool take_quota(uid_t uid, struct error *error)
{
    if (!quota_take(QUOTA_SOCKETS, uid)) {
        uint32_t limit;
        const char *name = quota_refusal(QUOTA_SOCKETS, &limit);
        return error_set_limit(error, name, limit);
    }
    return true;
}

struct sock *sock_new(const struct sock_spec *spec, struct error *error)
{
    struct loop *loop = loop_self();

    CHECK(loop != NULL && loop_number(loop) >= 0);
    if (!take_quota(spec->owner.uid, error)) {
        return NULL;
    }
    struct sock *sock = MEM_NEW(struct sock);

    sock->magic = SOCK_MAGIC;
    sock->loop = loop;
    sock->fd = -1;
    sock->type = spec->type;
    sock->family = spec->family;
    sock->connect = spec->connect;
    sock->format = spec->format;
    sock->is_ipv6 = spec->is_ipv6;
    sock->state = SOCK_STATE_CONNECTING;
    sock->is_counted = true;
    sock->owner = spec->owner;
    sock->name = spec->name != NULL ? mem_copy_text(spec->name) : NULL;
    sock->created = (int64_t)time(NULL);
    sock->handle = handle_add(loop_handles(loop), HANDLE_SOCK, sock);
    join_owner(sock);
    placement_add((unsigned)loop_number(loop), 1);
    counters_add(loop_counters(loop), COUNTER_SOCKETS_MADE, 1);
    return sock;
}

static void sock_ready(void *arg, unsigned what)
{
    struct sock *sock = arg;

    CHECK_MAGIC(sock, SOCK_MAGIC);
    CHECK_HOME(sock);
    if ((what & IO_WRITE) != 0 && sock->can_write) {
        io_watch_room(&sock->io, false); /* nobody waits for it */
    }
    sock->can_read = sock->can_read || (what & IO_READ) != 0;
    sock->can_write = sock->can_write || (what & IO_WRITE) != 0;
    sock_hold(sock);
    if (sock->kind != NULL && sock->kind->ready != NULL) {
        sock->kind->ready(sock, what);
    }
    if (!sock->is_dead) {
        sock_run(sock);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
}

/* A stream is watched for room only while it has none. */
static int watch(struct sock *sock, int fd)
{
    bool is_stream = sock->type == SOCK_TYPE_STREAM;

    return io_start(&sock->io, sock->loop, fd, is_stream ? IO_READ : IO_READ | IO_WRITE,
                    sock_ready, sock);
}

int sock_set_fd(struct sock *sock, int fd)
{
    CHECK_HOME(sock);
    CHECK(sock->fd < 0 && fd >= 0);
    int status = watch(sock, fd);

    if (status < 0) {
        (void)close(fd); /* it never carried data */
        return status;
    }
    sock->fd = fd;
    sock->can_read = sock->can_write = true;
    return 0;
}

void sock_no_room(struct sock *sock)
{
    sock->can_write = false;
    io_watch_room(&sock->io, true);
}

int sock_take_fd(struct sock *sock)
{
    struct sockaddr_storage address;
    int fd = sock->fd;

    if (fd < 0) {
        return -1;
    }
    if (sock->family == SOCK_FAMILY_INTERNET && sock_local_address(sock, &address)) {
        memcpy(&sock->local, &address, sizeof sock->local);
    }
    io_stop(&sock->io);
    sock->fd = -1;
    sock->can_read = sock->can_write = false;
    return fd;
}

/* With SO_LINGER close() waits for the peer, whatever O_NONBLOCK says. Without it the
 * system sends the rest all the same. 0 seconds, the reset, is done at once and stays. */
static void stop_linger(int fd)
{
    struct linger linger = {0};
    socklen_t size = sizeof linger;

    if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 &&
        linger.l_onoff != 0 && linger.l_linger != 0) {
        linger.l_onoff = 0;
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
}

void sock_close_fd(struct sock *sock)
{
    int fd = sock_take_fd(sock);

    if (fd >= 0) {
        stop_linger(fd);
        (void)close(fd); /* an error here tells nothing that can still be acted on */
    }
}

void sock_become(struct sock *sock, const struct sock_kind *kind, enum sock_state state)
{
    CHECK_HOME(sock);
    CHECK(sock->state != SOCK_STATE_CLOSING);
    sock->kind = kind;
    sock->state = state;
}

static void end_everything(struct sock *sock)
{
    struct error error;

    error_set(&error, ERROR_SOCKET_CLOSED, "the socket was closed");
    while (sock->ops[OP_INPUT].n + sock->ops[OP_OUTPUT].n > 0 || sock->watches != NULL) {
        (void)sock_interrupt(sock, 1U << OP_INPUT | 1U << OP_OUTPUT, &error);
    }
}

static void free_memory(struct sock *sock)
{
    sock->magic = 0;
    free(sock->name);
    free(sock->remote_name);
    free(sock->local_filename);
    free(sock->remote_filename);
    free(sock);
}

void sock_free(struct sock *sock)
{
    if (sock == NULL || sock->is_dead) {
        return;
    }
    CHECK_MAGIC(sock, SOCK_MAGIC);
    CHECK_HOME(sock);
    sock_hold(sock);
    sock->is_dead = true;
    sock->state = SOCK_STATE_CLOSING;
    end_everything(sock);
    if (sock->kind != NULL && sock->kind->fini != NULL) {
        sock->kind->fini(sock);
    }
    sock_close_fd(sock);
    later_drop(&sock->later);
    timer_end(&sock->close_timer);
    leave_owner(sock);
    handle_remove(loop_handles(sock->loop), sock->handle);
    guest_ended(sock);
    if (sock->is_counted) {
        quota_give(QUOTA_SOCKETS, sock->owner.uid);
    }
    placement_add((unsigned)loop_number(sock->loop), -1);
    counters_add(loop_counters(sock->loop), COUNTER_SOCKETS_CLOSED, 1);
    (void)sock_release(sock); /* false, of course */
}

void sock_hold(struct sock *sock) { sock->n_holds++; }

bool sock_release(struct sock *sock)
{
    CHECK(sock->n_holds > 0);
    sock->n_holds--;
    if (!sock->is_dead) {
        return true;
    }
    if (sock->n_holds == 0) {
        free_memory(sock);
    }
    return false;
}

/* ---- Between workers ---- */

void sock_leave_loop(struct sock *sock, void *away)
{
    CHECK_HOME(sock);
    CHECK(sock->ops[OP_INPUT].n + sock->ops[OP_OUTPUT].n == 0 && sock->watches == NULL &&
          sock->n_holds == 0 && sock->close_timer == NULL && sock->fd >= 0);
    io_stop(&sock->io);
    later_drop(&sock->later);
    leave_owner(sock);
    if (away != NULL) {
        handle_put(loop_handles(sock->loop), sock->handle, HANDLE_AWAY, away);
    } else {
        handle_remove(loop_handles(sock->loop), sock->handle);
    }
    placement_add((unsigned)loop_number(sock->loop), -1);
    sock->loop = NULL;
}

int sock_enter_loop(struct sock *sock)
{
    CHECK_MAGIC(sock, SOCK_MAGIC);
    CHECK(sock->loop == NULL);
    sock->loop = loop_self();
    handle_put(loop_handles(sock->loop), sock->handle, HANDLE_SOCK, sock);
    join_owner(sock);
    placement_add((unsigned)loop_number(sock->loop), 1);
    sock->can_read = sock->can_write = true;
    int status = watch(sock, sock->fd);

    /* What was known of its readiness has stayed behind. */
    if (status == 0 && sock->kind->ready != NULL) {
        sock->kind->ready(sock, IO_READ | IO_WRITE);
    }
    return status;
}

void sock_discard(struct sock *sock)
{
    CHECK(sock->loop == NULL);
    sock->is_dead = true;
    if (sock->kind->fini != NULL) {
        sock->kind->fini(sock);
    }
    (void)close(sock->fd); /* its bytes are lost with it */
    if (sock->is_counted) {
        quota_give(QUOTA_SOCKETS, sock->owner.uid);
    }
    free_memory(sock);
}

/* ---- Finding ---- */

struct sock *sock_find(struct loop *loop, int64_t handle)
{
    struct sock *sock = handle_find(loop_handles(loop), handle, HANDLE_SOCK);

    if (sock == NULL) {
        return NULL;
    }
    CHECK_MAGIC(sock, SOCK_MAGIC);
    return sock->state == SOCK_STATE_CLOSING ? NULL : sock;
}

struct sock *sock_get(struct loop *loop, int64_t handle, struct error *error)
{
    struct sock *sock = sock_find(loop, handle);

    if (sock == NULL) {
        if (guest_worker(loop, handle) >= 0) {
            error_set(error, ERROR_BUSY, "the socket is at work in another thread");
        } else {
            error_set(error, ERROR_NO_SUCH_SOCKET, "no socket has the handle %lld",
                      (long long)handle);
        }
        error->socket = handle;
    }
    return sock;
}

bool sock_wrong_kind(const struct sock *sock, const char *wanted, struct error *error)
{
    error_set(error, ERROR_WRONG_KIND, "the socket is not %s", wanted);
    error->socket = sock->handle;
    return false;
}

const struct error *sock_note(struct sock *sock, const struct error *error)
{
    sock->last_error = error->id;
    sock->last_errno = error->errnum;
    return error;
}

/* ---- The end that is asked for ---- */

static void close_ran_out(void *arg)
{
    struct sock *sock = arg;

    CHECK_MAGIC(sock, SOCK_MAGIC);
    sock_free(sock);
}

void sock_close(struct sock *sock, bool is_abort)
{
    CHECK_HOME(sock);
    if (sock->is_dead || (sock->state == SOCK_STATE_CLOSING && !is_abort)) {
        return;
    }
    sock->state = SOCK_STATE_CLOSING;
    sock_hold(sock);
    end_everything(sock);
    bool is_over = sock->is_dead || sock->kind == NULL || sock->kind->close == NULL ||
                   sock->kind->close(sock, is_abort) || is_abort;

    if (!sock_release(sock)) {
        return;
    }
    if (is_over) {
        sock_free(sock);
        return;
    }
    timer_begin(&sock->close_timer, sock->loop, close_timeout, close_ran_out, sock);
}

void sock_disown(struct sock *sock)
{
    CHECK_HOME(sock);
    leave_owner(sock);
    sock->owner.client = 0;
    join_owner(sock);
}

bool sock_give(struct sock *sock, const struct sock_owner *owner, struct error *error)
{
    CHECK_HOME(sock);
    if (owner->uid != sock->owner.uid) {
        if (!take_quota(owner->uid, error)) {
            return false;
        }
        quota_give(QUOTA_SOCKETS, sock->owner.uid);
    }
    leave_owner(sock);
    sock->owner = *owner;
    join_owner(sock);
    return true;
}

void sock_close_client(struct loop *loop, int64_t client)
{
    struct sock *sock = *bucket_of(client);

    CHECK(loop == loop_self());
    while (sock != NULL) {
        struct sock *next = sock->owner_next;
        if (sock->owner.client != client || sock->state == SOCK_STATE_CLOSING) {
            sock = next;
            continue;
        }
        if (next != NULL) {
            sock_hold(next);
        }
        sock_close(sock, false);
        bool is_there = next == NULL || sock_release(next);
        /* When the next went with this one, the list is walked again from its head. */
        sock = is_there ? next : *bucket_of(client);
    }
    guest_close_client(loop, client);
}

void sock_close_all(struct loop *loop, bool is_abort)
{
    int64_t handle = 0;
    struct sock *sock;

    while ((sock = handle_next(loop_handles(loop), handle, HANDLE_SOCK, &handle)) !=
           NULL) {
        sock_close(sock, is_abort);
    }
}

bool sock_none_left(struct loop *loop)
{
    return handle_count(loop_handles(loop), HANDLE_SOCK) == 0;
}

/* ---- Addresses ---- */

static bool copy_address(const union sock_address *known,
                         struct sockaddr_storage *address)
{
    if (known->family == AF_UNSPEC) {
        return false;
    }
    memset(address, 0, sizeof *address);
    memcpy(address, known, sizeof *known);
    return true;
}

bool sock_local_address(const struct sock *sock, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;

    if (sock->family != SOCK_FAMILY_INTERNET) {
        return false;
    }
    if (sock->fd < 0) {
        return copy_address(&sock->local, address);
    }
    memset(address, 0, sizeof *address);
    return getsockname(sock->fd, (struct sockaddr *)address, &size) == 0;
}

bool sock_remote_address(const struct sock *sock, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;

    if (sock->family != SOCK_FAMILY_INTERNET) {
        return false;
    }
    if (copy_address(&sock->remote, address)) {
        return true;
    }
    memset(address, 0, sizeof *address);
    return sock->fd >= 0 && getpeername(sock->fd, (struct sockaddr *)address, &size) == 0;
}
