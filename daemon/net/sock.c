/* SPDX-License-Identifier: MIT */
/*
 * sock.c - the life of a socket: handle, descriptor, waiting operations, watches, end.
 *
 * Called by the kinds (stream, listener, datagram, connector) and by the commands; calls
 * base only. Thread: the sock's home.
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

enum {
    RUN_BUDGET =
        32, /* operations that one socket may end before others have their turn */
    OWNER_BUCKETS = 1024, /* heads of the lists of a client's sockets; a power of two */
};

/* The sockets of this worker by the client that owns them. */
static _Thread_local struct sock *owned[OWNER_BUCKETS];

static _Atomic double close_timeout = 30;

static void sock_ready(void *arg, unsigned what);

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

struct sock *sock_new(const struct sock_spec *spec, struct error *error)
{
    struct loop *loop = loop_self();

    CHECK(loop != NULL && loop_number(loop) >= 0);
    if (!quota_take(QUOTA_SOCKETS, spec->owner.uid)) {
        uint32_t limit;
        const char *name = quota_refusal(QUOTA_SOCKETS, &limit);
        error_set_limit(error, name, limit);
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

int sock_set_fd(struct sock *sock, int fd)
{
    CHECK_HOME(sock);
    CHECK(sock->fd < 0 && fd >= 0);
    int status =
        io_start(&sock->io, sock->loop, fd, IO_READ | IO_WRITE, sock_ready, sock);

    if (status < 0) {
        (void)close(fd); /* it never carried data */
        return status;
    }
    sock->fd = fd;
    sock->can_read = sock->can_write = true;
    return 0;
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

void sock_close_fd(struct sock *sock)
{
    int fd = sock_take_fd(sock);

    if (fd >= 0) {
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
    if (sock->close_timer != NULL) {
        timer_stop(sock->close_timer);
        free(sock->close_timer);
    }
    leave_owner(sock);
    handle_remove(loop_handles(sock->loop), sock->handle);
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
        error_set(error, ERROR_NO_SUCH_SOCKET, "no socket has the handle %lld",
                  (long long)handle);
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

/* ---- Operations ---- */

static void unlink_op(struct op *op)
{
    struct op_queue *queue = &op->sock->ops[op->direction];

    *(op->previous != NULL ? &op->previous->next : &queue->first) = op->next;
    *(op->next != NULL ? &op->next->previous : &queue->last) = op->previous;
    queue->n--;
    op->next = op->previous = NULL;
}

static void finish_op(struct op *op, const struct error *error)
{
    struct sock *sock = op->sock;
    struct error told;

    unlink_op(op);
    timer_stop(&op->timer);
    op->sock = NULL;
    if (error != NULL) {
        told = *error;
        told.socket = told.socket != 0 ? told.socket : sock->handle;
    }
    op->done(op, error != NULL ? &told : NULL);
}

void op_end(struct op *op, const struct error *error)
{
    struct sock *sock = op->sock;

    if (sock == NULL) {
        return;
    }
    CHECK_HOME(sock);
    /* The next in line may be able to do what this one could not. */
    bool has_next = op->next != NULL && op->previous == NULL;

    sock_hold(sock);
    finish_op(op, error);
    if (sock_release(sock) && has_next) {
        sock_run_later(sock);
    }
}

static void fail_with_timeout(struct op *op)
{
    struct error error;
    enum error_id id =
        op->timeout_error != ERROR_NONE ? op->timeout_error : ERROR_TIMEOUT;

    error_set(&error, id, "the time-out ran out");
    op_end(op, &error);
}

static void op_timed_out(void *arg)
{
    struct op *op = arg;

    counters_add(loop_counters(op->sock->loop), COUNTER_TIMEOUTS, 1);
    fail_with_timeout(op);
}

/* Lets the first of a queue try. False: it waits. */
static bool advance(struct op *op)
{
    struct error error;
    enum op_result result = op->advance(op, &error);

    if (result == OP_WAIT) {
        return false;
    }
    if (result == OP_FAILED) {
        (void)sock_note(op->sock, &error);
    }
    finish_op(op, result == OP_FAILED ? &error : NULL);
    return true;
}

void sock_start(struct sock *sock, struct op *op, enum op_direction direction,
                double timeout)
{
    struct op_queue *queue = &sock->ops[direction];

    CHECK_HOME(sock);
    CHECK(op->sock == NULL && !sock->is_dead);
    op->sock = sock;
    op->direction = direction;
    op->next = NULL;
    op->previous = queue->last;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = op;
    queue->last = op;
    queue->n++;
    if (queue->first == op && advance(op)) {
        return;
    }
    if (timeout == 0) {
        fail_with_timeout(op);
    } else if (timeout > 0) {
        timer_start(&op->timer, sock->loop, timeout, op_timed_out, op);
    }
}

static void run_queue(struct sock *sock, enum op_direction direction)
{
    unsigned budget = RUN_BUDGET;

    while (!sock->is_dead && sock->ops[direction].first != NULL) {
        if (budget-- == 0) {
            sock_run_later(sock);
            return;
        }
        if (!advance(sock->ops[direction].first)) {
            return;
        }
    }
}

/* ---- Watches ---- */

void sock_watch(struct sock *sock, struct sock_watch *watch, enum op_direction direction)
{
    CHECK_HOME(sock);
    CHECK(watch->sock == NULL && !sock->is_dead);
    watch->sock = sock;
    watch->direction = direction;
    watch->previous = NULL;
    watch->next = sock->watches;
    if (watch->next != NULL) {
        watch->next->previous = watch;
    }
    sock->watches = watch;
}

void sock_unwatch(struct sock_watch *watch)
{
    struct sock *sock = watch->sock;

    if (sock == NULL) {
        return;
    }
    CHECK_HOME(sock);
    if (sock->next_watch == watch) {
        sock->next_watch = watch->next;
    }
    *(watch->previous != NULL ? &watch->previous->next : &sock->watches) = watch->next;
    if (watch->next != NULL) {
        watch->next->previous = watch->previous;
    }
    watch->next = watch->previous = NULL;
    watch->sock = NULL;
}

/* The sock is held by the caller: a check may end it. */
static void tell_watches(struct sock *sock)
{
    if (sock->watches == NULL || sock->is_telling) {
        return;
    }
    sock->is_telling = true;
    for (struct sock_watch *watch = sock->watches; watch != NULL;
         watch = sock->next_watch) {
        sock->next_watch = watch->next;
        watch->check(watch);
        if (sock->is_dead) {
            return;
        }
    }
    sock->is_telling = false;
}

/* ---- Running ---- */

void sock_run(struct sock *sock)
{
    CHECK_HOME(sock);
    sock_hold(sock);
    run_queue(sock, OP_INPUT);
    if (!sock->is_dead) {
        run_queue(sock, OP_OUTPUT);
    }
    if (!sock->is_dead) {
        tell_watches(sock);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
}

static void run_again(void *arg)
{
    struct sock *sock = arg;

    CHECK_MAGIC(sock, SOCK_MAGIC);
    sock_run(sock);
}

void sock_run_later(struct sock *sock)
{
    later_ask(&sock->later, sock->loop, run_again, sock);
}

static void sock_ready(void *arg, unsigned what)
{
    struct sock *sock = arg;

    CHECK_MAGIC(sock, SOCK_MAGIC);
    CHECK_HOME(sock);
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

/* ---- Ending from outside ---- */

static unsigned interrupt_queue(struct sock *sock, enum op_direction direction,
                                const struct error *error)
{
    struct op_queue *queue = &sock->ops[direction];
    unsigned n_ended = 0;

    /* What a callback starts anew joins at the end and is not counted. */
    for (unsigned n = queue->n; n > 0 && queue->first != NULL; n--) {
        n_ended++;
        finish_op(queue->first, error);
    }
    return n_ended;
}

static unsigned interrupt_watches(struct sock *sock, unsigned mask,
                                  const struct error *error)
{
    struct error told = *error;
    unsigned n_ended = 0;

    told.socket = told.socket != 0 ? told.socket : sock->handle;
    for (struct sock_watch *watch = sock->watches; watch != NULL;) {
        if ((mask & 1U << watch->direction) == 0) {
            watch = watch->next;
            continue;
        }
        sock_unwatch(watch);
        n_ended++;
        watch->ended(watch, &told);
        watch = sock->watches; /* others may have gone with it */
    }
    return n_ended;
}

unsigned sock_interrupt(struct sock *sock, unsigned mask, const struct error *error)
{
    unsigned n_ended = 0;

    CHECK_HOME(sock);
    sock_hold(sock);
    for (unsigned direction = OP_INPUT; direction <= OP_OUTPUT; direction++) {
        if ((mask & 1U << direction) != 0) {
            n_ended += interrupt_queue(sock, (enum op_direction)direction, error);
        }
    }
    n_ended += interrupt_watches(sock, mask, error);
    if (error->id == ERROR_INTERRUPTED) {
        counters_add(loop_counters(sock->loop), COUNTER_INTERRUPTED, n_ended);
    }
    (void)sock_release(sock); /* nothing more is done with it here */
    return n_ended;
}

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
    sock->close_timer = MEM_NEW(struct timer);
    timer_start(sock->close_timer, sock->loop, close_timeout, close_ran_out, sock);
}

void sock_disown(struct sock *sock)
{
    CHECK_HOME(sock);
    leave_owner(sock);
    sock->owner.client = 0;
    join_owner(sock);
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
