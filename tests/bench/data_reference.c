/* SPDX-License-Identifier: MIT */
/* data_reference.c - see data_reference.h. No limits, no time-outs, no checks. */
#include <config.h>
#include "tests/bench/data_reference.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/bench/target.h"

enum {
    RECORD = 16384, /* what one record of TLS holds */
    TURN = 16,      /* pieces before others have their turn */
    PIPE_SIZE = 1 << 20,
    N_EVENTS = 64,
};

struct visitor {
    struct data_end end;
    bool is_shaken; /* the handshake is done */
    char *waiting;  /* of an echo, not taken yet; NULL: nothing */
    size_t n_waiting;
};

/* A relay of plain bytes; `in` and `out` are watched, and lead here. */
struct splicer {
    int in, out, pipe[2];
    size_t n_piped;
};

struct watched {
    enum { WATCHED_READY, WATCHED_NEAR, WATCHED_VISITOR, WATCHED_SPLICER } kind;
    void *what;
};

static char bytes[RECORD];

static void watch(int epoll, int fd, struct watched watched, uint32_t events)
{
    struct watched *kept = malloc(sizeof *kept);
    struct epoll_event event = {.events = events, .data.ptr = kept};

    if (!kept) {
        die("out of memory");
    }
    *kept = watched;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("reference, epoll_ctl: %s", strerror(errno));
    }
}

/* ---- What is done with a connection; false: it is over ---- */

static bool send_on(const struct visitor *visitor)
{
    ssize_t n = 1;

    for (int i = 0; i < TURN && n > 0; i++) {
        n = data_send(&visitor->end, bytes, sizeof bytes);
    }
    return n != 0;
}

static bool take_in(const struct visitor *visitor)
{
    ssize_t n = 1;

    for (int i = 0; i < TURN && n > 0; i++) {
        n = data_receive(&visitor->end, bytes, sizeof bytes);
    }
    return n != 0;
}

/* Sends, and keeps what is not taken. */
static bool answer(struct visitor *visitor, const char *data, size_t size)
{
    ssize_t n = data_send(&visitor->end, data, size);

    if (n == 0) {
        return false;
    }
    n = n < 0 ? 0 : n;
    size -= (size_t)n;
    if (size > 0) {
        if (!visitor->waiting && !(visitor->waiting = malloc(size))) {
            die("out of memory");
        }
        memmove(visitor->waiting, data + n, size);
    } else {
        free(visitor->waiting);
        visitor->waiting = NULL;
    }
    visitor->n_waiting = size;
    return true;
}

/* Until nothing comes: what OpenSSL holds back tells no event. */
static bool echo(struct visitor *visitor)
{
    ssize_t n = 1;

    if (visitor->waiting && !answer(visitor, visitor->waiting, visitor->n_waiting)) {
        return false;
    }
    while (n > 0 && !visitor->waiting) {
        n = data_receive(&visitor->end, bytes, sizeof bytes);
        if (n > 0 && !answer(visitor, bytes, (size_t)n)) {
            return false;
        }
    }
    return n != 0;
}

/* As data_receive(). */
static int shake_hands(const struct visitor *visitor)
{
    int result, why;

    ERR_clear_error();
    result = SSL_accept(visitor->end.ssl);
    why = result == 1 ? SSL_ERROR_NONE : SSL_get_error(visitor->end.ssl, result);
    if (result == 1) {
        return 1;
    }
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static bool serve_visitor(const struct data_reference *reference, struct visitor *visitor)
{
    if (!visitor->is_shaken) {
        int result = shake_hands(visitor);
        if (result <= 0) {
            return result < 0;
        }
        visitor->is_shaken = true;
    }
    switch (reference->role) {
    case DATA_SOURCE:
        return send_on(visitor);
    case DATA_SINK:
        return take_in(visitor);
    case DATA_ECHO:
        return echo(visitor);
    case DATA_SPLICE:
    default:
        die("a relay has no visitors");
    }
}

/* What is in the pipe goes first; then as much as comes. */
static bool serve_splicer(struct splicer *splicer)
{
    static const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;

    for (;;) { /* the edge does not come again */
        ssize_t n;
        if (splicer->n_piped == 0) {
            n = splice(splicer->in, NULL, splicer->pipe[1], NULL, PIPE_SIZE, flags);
            if (n <= 0) {
                return n < 0 && errno == EAGAIN;
            }
            splicer->n_piped = (size_t)n;
        }
        n = splice(splicer->pipe[0], NULL, splicer->out, NULL, splicer->n_piped, flags);
        if (n <= 0) {
            return n < 0 && errno == EAGAIN;
        }
        splicer->n_piped -= (size_t)n;
    }
}

/* ---- Connections ---- */

static void start_source(const struct data_reference *reference, int epoll, int fd)
{
    struct visitor *visitor = calloc(1, sizeof *visitor);
    char go;

    if (!visitor || read(fd, &go, 1) != 1) {
        die("the source was not told to begin");
    }
    visitor->end = data_connect(reference->far, reference->client, NULL);
    visitor->is_shaken = true;
    data_end_unblock(&visitor->end);
    close(fd);
    watch(epoll, visitor->end.fd, (struct watched){WATCHED_VISITOR, visitor}, EPOLLOUT);
}

static void start_splicer(const struct data_reference *reference, int epoll, int fd)
{
    struct splicer *splicer = calloc(1, sizeof *splicer);
    struct data_end in = {.fd = fd}, out = data_connect(reference->far, NULL, NULL);

    if (!splicer || pipe2(splicer->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
        die("pipe: %s", strerror(errno));
    }
    (void)fcntl(splicer->pipe[0], F_SETPIPE_SZ, PIPE_SIZE); /* else it has 64 KiB */
    splicer->in = in.fd;
    splicer->out = out.fd;
    data_end_unblock(&in);
    data_end_unblock(&out);
    /* On edges: whichever of the two was full or empty tells when it goes on. */
    watch(epoll, splicer->in, (struct watched){WATCHED_SPLICER, splicer},
          EPOLLIN | EPOLLET);
    watch(epoll, splicer->out, (struct watched){WATCHED_SPLICER, splicer},
          EPOLLOUT | EPOLLET);
}

static void start_visitor(const struct data_reference *reference, int epoll, int fd)
{
    struct visitor *visitor = calloc(1, sizeof *visitor);
    struct data_end end = {.fd = fd, .ssl = SSL_new(reference->server)};

    if (!visitor || !end.ssl || SSL_set_fd(end.ssl, fd) != 1) {
        die("no TLS session");
    }
    data_end_unblock(&end);
    visitor->end = end;
    watch(epoll, fd, (struct watched){WATCHED_VISITOR, visitor}, EPOLLIN);
}

static void accept_one(const struct data_reference *reference, int epoll)
{
    struct data_end end = data_accept(reference->near, NULL);

    switch (reference->role) {
    case DATA_SOURCE:
        start_source(reference, epoll, end.fd);
        break;
    case DATA_SPLICE:
        start_splicer(reference, epoll, end.fd);
        break;
    case DATA_SINK:
    case DATA_ECHO:
    default:
        start_visitor(reference, epoll, end.fd);
        break;
    }
}

static void serve(const struct data_reference *reference, int epoll,
                  struct watched *watched)
{
    struct visitor *visitor = watched->what;
    struct splicer *splicer = watched->what;

    switch (watched->kind) {
    case WATCHED_READY:
        close(accept(reference->ready, NULL, NULL));
        break;
    case WATCHED_NEAR:
        accept_one(reference, epoll);
        break;
    case WATCHED_VISITOR:
        if (!serve_visitor(reference, visitor)) {
            data_end_close(&visitor->end);
            free(visitor->waiting);
            free(visitor);
            free(watched);
        }
        break;
    case WATCHED_SPLICER:
    default:
        if (!serve_splicer(splicer) && splicer->in >= 0) {
            /* Two events lead here, so what hangs on them stays. */
            close(splicer->in);
            close(splicer->out);
            close(splicer->pipe[0]);
            close(splicer->pipe[1]);
            splicer->in = splicer->out = splicer->pipe[0] = splicer->pipe[1] = -1;
        }
        break;
    }
}

void data_reference_serve(const struct data_reference *reference)
{
    struct epoll_event events[N_EVENTS];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    watch(epoll, reference->ready, (struct watched){.kind = WATCHED_READY}, EPOLLIN);
    watch(epoll, reference->near, (struct watched){.kind = WATCHED_NEAR}, EPOLLIN);
    for (;;) {
        int n = epoll_wait(epoll, events, N_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            serve(reference, epoll, events[i].data.ptr);
        }
    }
}
