/* SPDX-License-Identifier: MIT */
/*
 * dns_line.c - channels of c-ares on the loop of the resolver thread.
 *
 * Called by dns_flight.c; calls c-ares and base/loop. Thread: the resolver thread.
 *
 * Against forged answers stand the number and the port of the question, both chosen at
 * random, the question itself, and the address of the server, to which the socket is
 * connected; 1.18 has neither mixed-case names nor cookies.
 *
 * c-ares calls back from within its functions, and a channel must not be destroyed
 * meanwhile; so lines are freed by a deferred call only. All sockets are made, read and
 * written by functions of ours: they count, they know about scopes of addresses, and an
 * empty datagram, which c-ares takes for the end of a connection, ends nothing.
 */
#include <config.h>
#include "daemon/net/dns_line.h"
#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/net/dns_answer.h"
#include "daemon/net/endpoint.h"

enum {
    SOCKETS = 4,         /* of one line: UDP, TCP, and those about to be closed */
    LINES_MAX = 32,      /* of one server, before questions share them */
    IDLE_MAX = 8,        /* lines that are kept for the next questions */
    QUESTIONS_MAX = 128, /* over one line, before its port is given up */
    USUAL_MS = 5000      /* most questions wait as long as this (resolv.conf(5)) */
};

struct line_socket {
    struct dns_line *line;
    int fd; /* -1: free */
    bool is_tcp;
    unsigned what; /* that is watched */
    struct io io;
};

/* Owner: its server. */
struct dns_line {
    struct dns_line *next, **link;
    struct dns_server *server; /* held */
    ares_channel channel;
    unsigned timeout_ms;
    unsigned n_pending;   /* questions under way */
    unsigned n_questions; /* asked since it was idle */
    bool is_doomed;       /* takes no more; freed when idle */
    struct timer timer;
    struct later later;
    struct line_socket sockets[SOCKETS];
};

/* A question as long as the channel knows it. Owner: the channel. */
struct line_query {
    struct dns_line *line;
    struct dns_try *attempt; /* NULL: it has ended meanwhile */
};

static struct dns_server *all_servers;

void dns_lines_start(void) { CHECK(ares_library_init(ARES_LIB_INIT_ALL) == 0); }

/* ---- Servers ---- */

struct dns_server *dns_server_new(const struct sockaddr_storage *address)
{
    struct dns_server *server = MEM_NEW(struct dns_server);

    server->n_holds = 1;
    server->address = *address;
    server->next = all_servers;
    server->link = &all_servers;
    if (all_servers != NULL) {
        all_servers->link = &server->next;
    }
    all_servers = server;
    return server;
}

struct dns_server *dns_server_hold(struct dns_server *server)
{
    server->n_holds++;
    return server;
}

void dns_server_release(struct dns_server *server)
{
    if (server != NULL && --server->n_holds == 0) {
        CHECK(server->lines == NULL);
        *server->link = server->next;
        if (server->next != NULL) {
            server->next->link = server->link;
        }
        free(server);
    }
}

/* ---- Sockets ---- */

static struct line_socket *find_socket(struct dns_line *line, int fd)
{
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (line->sockets[i].fd == fd) {
            return &line->sockets[i];
        }
    }
    return NULL;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
    struct line_socket *place = find_socket(arg, -1);

    if (place == NULL) {
        errno = EMFILE;
        return ARES_SOCKET_BAD;
    }
    place->fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    place->is_tcp = type == SOCK_STREAM;
    return place->fd;
}

static int close_socket(ares_socket_t fd, void *arg)
{
    struct line_socket *place = find_socket(arg, fd);

    CHECK(place != NULL);
    io_stop(&place->io);
    place->what = 0;
    place->fd = -1;
    return close(fd);
}

/* c-ares knows the address, but nothing of its scope. */
static int connect_socket(ares_socket_t fd, const struct sockaddr *address,
                          ares_socklen_t size, void *arg)
{
    const struct dns_line *line = arg;

    (void)address, (void)size;
    return connect(fd, (const struct sockaddr *)&line->server->address,
                   endpoint_size(&line->server->address));
}

static ares_ssize_t receive(ares_socket_t fd, void *bytes, size_t room, int flags,
                            struct sockaddr *from, ares_socklen_t *from_size, void *arg)
{
    struct dns_line *line = arg;
    const struct line_socket *place = find_socket(line, fd);
    ssize_t n = recvfrom(fd, bytes, room, flags, from, from_size);

    CHECK(place != NULL);
    if (place->is_tcp) {
        /* A message over TCP begins with its size in two bytes, read by themselves. */
        line->server->n_received += n == 2 && room == 2;
        return n;
    }
    line->server->n_received += n >= 0;
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    return n;
}

static ares_ssize_t transmit(ares_socket_t fd, const struct iovec *parts, int n_parts,
                             void *arg)
{
    struct dns_line *line = arg;
    ssize_t n = writev(fd, parts, n_parts);

    line->server->n_sent += n > 0;
    return n;
}

static const struct ares_socket_functions socket_functions = {
    .asocket = open_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = transmit,
};

/* ---- The channel on the loop ---- */

/* What is due next in the channel, by its own clock. */
static void start_timer(struct dns_line *line);

static void time_is_due(void *arg)
{
    struct dns_line *line = arg;

    ares_process_fd(line->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    start_timer(line);
}

static void start_timer(struct dns_line *line)
{
    struct timeval wait, *next = ares_timeout(line->channel, NULL, &wait);

    if (next == NULL) {
        timer_stop(&line->timer);
        return;
    }
    /* A hair longer, so that it is over by any clock. */
    timer_start(&line->timer, loop_self(),
                (double)next->tv_sec + (double)next->tv_usec / 1e6 + 0.001, time_is_due,
                line);
}

static void socket_ready(void *arg, unsigned what)
{
    struct line_socket *place = arg;
    struct dns_line *line = place->line;

    ares_process_fd(line->channel, what & IO_READ ? place->fd : ARES_SOCKET_BAD,
                    what & IO_WRITE ? place->fd : ARES_SOCKET_BAD);
    start_timer(line);
}

static void watch_socket(void *arg, ares_socket_t fd, int wants_read, int wants_write)
{
    struct dns_line *line = arg;
    struct line_socket *place = find_socket(line, fd);
    unsigned what =
        (wants_read ? (unsigned)IO_READ : 0u) | (wants_write ? (unsigned)IO_WRITE : 0u);

    CHECK(place != NULL);
    if (what == place->what) {
        return;
    }
    io_stop(&place->io);
    place->what = what;
    if (what == 0) {
        return;
    }
    int status =
        io_start(&place->io, loop_self(), fd, what | IO_LEVEL, socket_ready, place);
    if (status < 0) {
        /* Its questions run out of time, which is what an unwatched socket comes to. */
        LOG_RATED(LOG_DNS, LOG_LEVEL_WARN,
                  "A socket for questions can't be watched. reason=\"%s\"",
                  strerror(-status));
    }
}

/* ---- Lines ---- */

static bool set_address(ares_channel channel, const struct sockaddr_storage *address)
{
    struct ares_addr_port_node node = {.family = address->ss_family};

    node.udp_port = node.tcp_port = endpoint_port(address);
    if (address->ss_family == AF_INET6) {
        memcpy(&node.addr.addr6, &((const struct sockaddr_in6 *)address)->sin6_addr,
               sizeof node.addr.addr6);
    } else {
        node.addr.addr4 = ((const struct sockaddr_in *)address)->sin_addr;
    }
    return ares_set_servers_ports(channel, &node) == ARES_SUCCESS;
}

/* Everything is said here, so that c-ares reads neither files nor the environment. */
static bool open_channel(struct dns_line *line)
{
    char lookups[] = "b";
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
                 ARES_FLAG_EDNS,
        .timeout = (int)line->timeout_ms,
        .tries = 1,
        .ndots = 1,
        .lookups = lookups,
        .sock_state_cb = watch_socket,
        .sock_state_cb_data = line,
        .ednspsz = DNS_UDP_SIZE,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
               ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
               ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ |
               ARES_OPT_NOROTATE;

    if (ares_init_options(&line->channel, &options, mask) != ARES_SUCCESS) {
        return false;
    }
    if (!set_address(line->channel, &line->server->address)) {
        ares_destroy(line->channel);
        return false;
    }
    ares_set_socket_functions(line->channel, &socket_functions, line);
    return true;
}

/* NULL: no memory for a channel. */
static struct dns_line *line_new(struct dns_server *server, unsigned timeout_ms)
{
    struct dns_line *line = MEM_NEW(struct dns_line);

    line->server = server;
    line->timeout_ms = timeout_ms;
    for (unsigned i = 0; i < SOCKETS; i++) {
        line->sockets[i].line = line;
        line->sockets[i].fd = -1;
    }
    if (!open_channel(line)) {
        free(line);
        return NULL;
    }
    (void)dns_server_hold(server);
    line->next = server->lines;
    line->link = &server->lines;
    if (server->lines != NULL) {
        server->lines->link = &line->next;
    }
    server->lines = line;
    server->n_lines++;
    server->n_idle++;
    return line;
}

static void line_free(struct dns_line *line)
{
    struct dns_server *server = line->server;

    ares_destroy(line->channel); /* ends what is asked, closes what is open */
    CHECK(line->n_pending == 0);
    later_drop(&line->later); /* the end of a question has asked for it */
    timer_stop(&line->timer);
    *line->link = line->next;
    if (line->next != NULL) {
        line->next->link = line->link;
    }
    server->n_lines--;
    server->n_idle--;
    free(line);
    dns_server_release(server);
}

/* Nothing is asked over it any more; unless that has changed meanwhile. */
static void line_rests(void *arg)
{
    struct dns_line *line = arg;

    if (line->n_pending > 0) {
        return;
    }
    line->n_questions = 0;
    if (line->is_doomed || line->server->is_closing || line->server->n_idle > IDLE_MAX) {
        line_free(line);
    }
}

/* What lines wait for: the usual time, doubled or halved as often as need be. */
static unsigned line_timeout(unsigned timeout_ms)
{
    unsigned ms = USUAL_MS;

    while (ms / 2 >= timeout_ms && ms > 1) {
        ms /= 2;
    }
    while (ms < timeout_ms) {
        ms *= 2;
    }
    return ms;
}

/* An idle line has no port yet. When there are many lines the one with the least to do is
 * shared, but not for ever: a port that is long in use can be found out. */
static struct dns_line *choose_line(struct dns_server *server, unsigned timeout_ms)
{
    struct dns_line *best = NULL;

    for (struct dns_line *line = server->lines; line != NULL; line = line->next) {
        if (line->is_doomed || line->timeout_ms != timeout_ms) {
            continue;
        }
        if (line->n_pending == 0) {
            return line;
        }
        if (best == NULL || line->n_pending < best->n_pending) {
            best = line;
        }
    }
    if (best == NULL || server->n_lines < LINES_MAX) {
        struct dns_line *line = line_new(server, timeout_ms);
        return line != NULL ? line : best;
    }
    best->is_doomed = best->n_questions + 1 >= QUESTIONS_MAX;
    return best;
}

void dns_server_close(struct dns_server *server)
{
    server->is_closing = true;
    for (struct dns_line *line = server->lines; line != NULL; line = line->next) {
        later_ask(&line->later, loop_self(), line_rests, line);
    }
}

void dns_lines_stop(void)
{
    /* The last line of a server takes the server with it. */
    while (all_servers != NULL) {
        CHECK(all_servers->lines != NULL);
        line_free(all_servers->lines);
    }
    ares_library_cleanup();
}

/* ---- Questions ---- */

static void end_try(struct dns_try *attempt, enum dns_try_result result,
                    const uint8_t *message, size_t size)
{
    timer_stop(&attempt->timer);
    attempt->query = NULL;
    attempt->done(attempt, result, message, size);
}

/* Before the channel has given it up, which it cannot be told to do. */
static void ran_out(void *arg)
{
    struct dns_try *attempt = arg;

    attempt->query->attempt = NULL;
    end_try(attempt, DNS_TRY_LATE, NULL, 0);
}

static void answered(void *arg, int status, int n_timeouts, unsigned char *message,
                     int size)
{
    struct line_query *query = arg;
    struct dns_line *line = query->line;
    struct dns_try *attempt = query->attempt;

    (void)n_timeouts;
    free(query);
    line->n_pending--;
    if (line->n_pending == 0) {
        line->server->n_idle++;
        later_ask(&line->later, loop_self(), line_rests, line);
    }
    if (attempt == NULL) {
        return;
    }
    if (status == ARES_SUCCESS) {
        end_try(attempt, DNS_TRY_ANSWERED, message, (size_t)size);
    } else {
        end_try(attempt, status == ARES_ETIMEOUT ? DNS_TRY_LATE : DNS_TRY_FAILED, NULL,
                0);
    }
}

void dns_try_start(struct dns_try *attempt, struct dns_server *server,
                   const struct dns_name *name, uint16_t type, unsigned timeout_ms)
{
    struct dns_line *line = choose_line(server, line_timeout(timeout_ms));
    uint8_t message[DNS_QUERY_SIZE];
    uint16_t id;

    attempt->server = server;
    attempt->has_edns = !server->has_no_edns;
    if (line == NULL) {
        attempt->done(attempt, DNS_TRY_FAILED, NULL, 0);
        return;
    }
    CHECK(getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id);
    size_t size = dns_question_write(message, id, name, type, attempt->has_edns);
    struct line_query *query = MEM_NEW(struct line_query);

    query->line = line;
    query->attempt = attempt;
    attempt->query = query;
    if (line->timeout_ms > timeout_ms) {
        timer_start(&attempt->timer, loop_self(), timeout_ms / 1000.0, ran_out, attempt);
    }
    if (line->n_pending++ == 0) {
        server->n_idle--;
    }
    line->n_questions++;
    ares_send(line->channel, message, (int)size, answered, query);
    start_timer(line);
}
