/* SPDX-License-Identifier: MIT */
/*
 * nameserver.c - the name server of the tests: one thread, poll(), rules under a lock.
 *
 * Place: system_dns.c and others. It writes messages by itself and uses nothing of the
 * daemon, so that both cannot share a mistake.
 */
#include <config.h>
#include "tests/nameserver.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/nameserver_wire.h"
#include "tests/unit.h"

enum { MAX_RULES = 512, MAX_CONNECTIONS = 32, MAX_HELD = 1024, MAX_PORTS = 4096 };

struct nameserver_rule {
    struct nameserver *server;
    char name[256];
    int type;
    unsigned tricks;
    struct ns_content content;
    unsigned n_asked, n_tcp;
};

/* Where an answer goes. */
struct route {
    int fd;
    bool is_tcp;
    struct sockaddr_storage to;
    socklen_t to_size;
};

struct held {
    struct route route;
    struct ns_question question;
};

struct nameserver {
    struct nameserver *next;
    char text[64];
    int port;
    int udp, listener, other, wake; /* `other`: a socket to forge sources with */
    int connections[MAX_CONNECTIONS];
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    bool is_stopping, is_released, wants_release;
    struct nameserver_rule *rules[MAX_RULES];
    unsigned n_rules, n_asked, n_tcp, n_held, n_ports;
    uint16_t ports[MAX_PORTS];
    struct held held[MAX_HELD];
};

static struct nameserver *all;

/* ---- Rules ---- */

static struct nameserver_rule *find_rule(struct nameserver *server, const char *name,
                                         int type)
{
    for (unsigned i = 0; i < server->n_rules; i++) {
        struct nameserver_rule *rule = server->rules[i];
        if (strcasecmp(rule->name, name) == 0 &&
            (rule->type == 0 || rule->type == type)) {
            return rule;
        }
    }
    return NULL;
}

struct nameserver_rule *nameserver_add(struct nameserver *server, const char *name,
                                       int type)
{
    struct nameserver_rule *rule = calloc(1, sizeof(*rule));

    if (!rule || server->n_rules == MAX_RULES) {
        unit_bail_out("no room for a rule");
    }
    rule->server = server;
    rule->type = type;
    snprintf(rule->name, sizeof(rule->name), "%s", name);
    pthread_mutex_lock(&server->lock);
    /* The youngest is found first, so that a rule can be replaced. */
    memmove(server->rules + 1, server->rules, server->n_rules * sizeof(rule));
    server->rules[0] = rule;
    server->n_rules++;
    pthread_mutex_unlock(&server->lock);
    return rule;
}

void nameserver_trick(struct nameserver_rule *rule, unsigned tricks)
{
    pthread_mutex_lock(&rule->server->lock);
    rule->tricks = tricks;
    pthread_mutex_unlock(&rule->server->lock);
}

void nameserver_rcode(struct nameserver_rule *rule, int rcode)
{
    pthread_mutex_lock(&rule->server->lock);
    rule->content.rcode = rcode;
    pthread_mutex_unlock(&rule->server->lock);
}

void nameserver_record(struct nameserver_rule *rule, char section, const char *owner,
                       int type, unsigned ttl, const char *data)
{
    pthread_mutex_lock(&rule->server->lock);
    if (!ns_add_record(&rule->content, section, owner, type, ttl, data)) {
        unit_bail_out("the name server cannot make this record: %s", data);
    }
    pthread_mutex_unlock(&rule->server->lock);
}

void nameserver_says(struct nameserver *server, const char *name, int type, unsigned ttl,
                     const char *data)
{
    nameserver_record(nameserver_add(server, name, type), 'a', name, type, ttl, data);
}

/* ---- Answers: in the thread, with the lock held ---- */

static void send_message(const struct route *route, const uint8_t *message, size_t size)
{
    uint8_t framed[2 + NS_MESSAGE_MAX];

    if (!route->is_tcp) {
        (void)sendto(route->fd, message, size, 0, (const struct sockaddr *)&route->to,
                     route->to_size);
        return;
    }
    framed[0] = (uint8_t)(size >> 8);
    framed[1] = (uint8_t)size;
    memcpy(framed + 2, message, size);
    (void)send(route->fd, framed, size + 2, MSG_NOSIGNAL);
}

/* An answer to something else, or from somewhere else, with a bad address in it. */
static void forge(const struct nameserver *server, const struct route *route,
                  const struct ns_question *question, unsigned trick)
{
    struct ns_question other = *question;
    struct ns_content content = {0};
    uint8_t message[NS_MESSAGE_MAX];
    struct route from = *route;
    size_t size;

    if (trick == TRICK_WRONG_ID) {
        other.id ^= 1;
    } else if (trick == TRICK_WRONG_NAME) {
        snprintf(other.name, sizeof(other.name), "other.%.200s", question->name);
    } else if (trick == TRICK_WRONG_TYPE) {
        other.type ^= 1;
    } else if (trick == TRICK_WRONG_SOURCE) {
        from.fd = server->other;
    }
    ns_add_record(&content, 'a', other.name, 1, 600, "203.0.113.66");
    size = ns_write(message, &other, &content);
    if (trick == TRICK_EMPTY) {
        size = 0;
    } else if (trick == TRICK_SHORT) {
        size = 7;
    }
    send_message(&from, message, size);
}

static void forge_all(const struct nameserver *server, const struct route *route,
                      const struct ns_question *question, unsigned tricks)
{
    static const unsigned forgeries[] = {TRICK_WRONG_ID,   TRICK_WRONG_NAME,
                                         TRICK_WRONG_TYPE, TRICK_WRONG_SOURCE,
                                         TRICK_EMPTY,      TRICK_SHORT};

    if (route->is_tcp) {
        return;
    }
    for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
        if (tricks & forgeries[i]) {
            forge(server, route, question, forgeries[i]);
        }
    }
}

static size_t spoil(uint8_t *message, size_t size, unsigned tricks)
{
    if (tricks & TRICK_BAD_COUNT) {
        message[7] = 200;
    }
    if (tricks & TRICK_BAD_POINTER) {
        size = ns_append_bad_pointer(message, size);
    }
    if (tricks & TRICK_BAD_LENGTH) {
        size = ns_append_bad_length(message, size);
    }
    return size;
}

static void answer(struct nameserver *server, const struct route *route,
                   const struct ns_question *question, struct nameserver_rule *rule)
{
    static const struct ns_content nothing = {.rcode = 0};
    struct ns_content content = rule ? rule->content : nothing;
    unsigned tricks = rule ? rule->tricks : 0;
    uint8_t message[NS_MESSAGE_MAX];
    size_t size;

    if (!rule) {
        content.rcode = 3;
        ns_add_record(&content, 'u', "test", 6, 60, "ns.test admin.test 60");
    }
    forge_all(server, route, question, tricks);
    if ((tricks & TRICK_NO_EDNS) && question->has_edns) {
        content = nothing;
        content.rcode = 1;
    }
    if (!route->is_tcp && (tricks & (TRICK_TRUNCATE | TRICK_OVERSIZED))) {
        content.is_truncated = (tricks & TRICK_TRUNCATE) != 0;
        content.n_records = 0;
    }
    content.has_edns = question->has_edns && !(tricks & TRICK_NO_EDNS);
    size = spoil(message, ns_write(message, question, &content), tricks);
    if (!route->is_tcp && (tricks & TRICK_OVERSIZED)) {
        memset(message + size, 0xee, 6000 - size);
        size = 6000;
    }
    send_message(route, message, size);
}

static void note_port(struct nameserver *server, const struct route *route)
{
    const struct sockaddr_in *address = (const struct sockaddr_in *)&route->to;
    unsigned i;

    /* The port stands at the same place in both families. */
    for (i = 0; i < server->n_ports && server->ports[i] != address->sin_port; i++) {
    }
    if (i == server->n_ports && i < MAX_PORTS) {
        server->ports[server->n_ports++] = address->sin_port;
    }
}

static void take_question(struct nameserver *server, const struct route *route,
                          const uint8_t *message, size_t size)
{
    struct ns_question question;
    struct nameserver_rule *rule;
    bool is_first;

    if (!ns_read(&question, message, size)) {
        return;
    }
    rule = find_rule(server, question.name, question.type);
    is_first = rule && rule->n_asked == 0;
    server->n_asked++;
    server->n_tcp += route->is_tcp;
    if (!route->is_tcp) {
        note_port(server, route);
    }
    if (rule) {
        rule->n_asked++;
        rule->n_tcp += route->is_tcp;
        if ((rule->tricks & TRICK_SILENT) ||
            ((rule->tricks & TRICK_SILENT_ONCE) && is_first)) {
            return;
        }
        if ((rule->tricks & TRICK_HOLD) && !server->is_released) {
            if (server->n_held < MAX_HELD) {
                server->held[server->n_held++] = (struct held){*route, question};
            }
            return;
        }
    }
    answer(server, route, &question, rule);
}

/* ---- The thread ---- */

static void receive_datagram(struct nameserver *server)
{
    uint8_t message[NS_MESSAGE_MAX];
    struct route route = {.fd = server->udp, .to_size = sizeof(route.to)};
    ssize_t n = recvfrom(server->udp, message, sizeof(message), MSG_DONTWAIT,
                         (struct sockaddr *)&route.to, &route.to_size);

    if (n > 0) {
        take_question(server, &route, message, (size_t)n);
    }
}

static void accept_connection(struct nameserver *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    for (unsigned i = 0; fd >= 0 && i < MAX_CONNECTIONS; i++) {
        if (server->connections[i] < 0) {
            server->connections[i] = fd;
            return;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool refuses_tcp(const struct nameserver *server)
{
    for (unsigned i = 0; i < server->n_rules; i++) {
        if (server->rules[i]->tricks & TRICK_CLOSE_TCP) {
            return true;
        }
    }
    return false;
}

/* A whole question comes at once: it is small, and the connection is new. */
static void receive_stream(struct nameserver *server, int *connection)
{
    uint8_t bytes[2 + NS_MESSAGE_MAX];
    struct route route = {.fd = *connection, .is_tcp = true};
    ssize_t n = recv(*connection, bytes, 2, MSG_WAITALL);

    if (n == 2) {
        n = recv(*connection, bytes + 2, (size_t)(bytes[0] << 8 | bytes[1]), MSG_WAITALL);
    }
    if (n <= 0 || refuses_tcp(server)) {
        close(*connection);
        *connection = -1;
        return;
    }
    take_question(server, &route, bytes + 2, (size_t)n);
}

static void release_held(struct nameserver *server)
{
    server->is_released = true;
    for (unsigned i = 0; i < server->n_held; i++) {
        struct held *held = &server->held[i];
        answer(server, &held->route, &held->question,
               find_rule(server, held->question.name, held->question.type));
    }
    server->n_held = 0;
}

static void *serve(void *arg)
{
    struct nameserver *server = arg;
    bool is_stopping = false;

    while (!is_stopping) {
        struct pollfd polled[3 + MAX_CONNECTIONS] = {
            {.fd = server->udp, .events = POLLIN},
            {.fd = server->listener, .events = POLLIN},
            {.fd = server->wake, .events = POLLIN}};
        uint64_t ignored;
        for (unsigned i = 0; i < MAX_CONNECTIONS; i++) {
            polled[3 + i] =
                (struct pollfd){.fd = server->connections[i], .events = POLLIN};
        }
        if (poll(polled, 3 + MAX_CONNECTIONS, -1) < 0) {
            continue;
        }
        pthread_mutex_lock(&server->lock);
        if (polled[2].revents && read(server->wake, &ignored, sizeof(ignored)) > 0 &&
            server->wants_release) {
            release_held(server);
        }
        if (polled[0].revents) {
            receive_datagram(server);
        }
        if (polled[1].revents) {
            accept_connection(server);
        }
        for (unsigned i = 0; i < MAX_CONNECTIONS; i++) {
            if (polled[3 + i].revents && polled[3 + i].fd == server->connections[i]) {
                receive_stream(server, &server->connections[i]);
            }
        }
        is_stopping = server->is_stopping;
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

/* ---- Start and stop ---- */

static void wake(struct nameserver *server)
{
    uint64_t one = 1;

    if (write(server->wake, &one, sizeof(one)) < 0) {
        unit_bail_out("eventfd: %s", strerror(errno));
    }
}

static void stop(struct nameserver *server)
{
    pthread_mutex_lock(&server->lock);
    server->is_stopping = true;
    pthread_mutex_unlock(&server->lock);
    wake(server);
    pthread_join(server->thread, NULL);
    for (unsigned i = 0; i < MAX_CONNECTIONS; i++) {
        if (server->connections[i] >= 0) {
            close(server->connections[i]);
        }
    }
    close(server->udp);
    close(server->listener);
    close(server->other);
    close(server->wake);
    for (unsigned i = 0; i < server->n_rules; i++) {
        free(server->rules[i]);
    }
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static void stop_all(void)
{
    while (all) {
        struct nameserver *server = all;
        all = server->next;
        stop(server);
    }
}

static int bound_socket(const struct sockaddr_storage *address, socklen_t size, int type)
{
    int fd = socket(address->ss_family, type | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        unit_bail_out("socket: %s", strerror(errno));
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)address, size) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static socklen_t make_address(struct sockaddr_storage *address, const char *host)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1) {
        unit_bail_out("no address: %s", host);
    }
    v6->sin6_family = AF_INET6;
    return sizeof(*v6);
}

/* One port for both: that of UDP may be taken for TCP, then another is tried. */
static void open_sockets(struct nameserver *server, const char *host)
{
    struct sockaddr_storage address, bound;

    for (int i = 0; i < 100; i++) {
        socklen_t size = make_address(&address, host);
        server->udp = bound_socket(&address, size, SOCK_DGRAM);
        if (server->udp < 0 ||
            getsockname(server->udp, (struct sockaddr *)&bound, &size) < 0) {
            unit_bail_out("bind: %s", strerror(errno));
        }
        server->listener = bound_socket(&bound, size, SOCK_STREAM);
        if (server->listener >= 0 && listen(server->listener, 64) == 0) {
            server->other = bound_socket(&address, size, SOCK_DGRAM);
            server->port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
            snprintf(server->text, sizeof(server->text),
                     address.ss_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host,
                     server->port);
            return;
        }
        close(server->udp);
    }
    unit_bail_out("no port is free for both UDP and TCP");
}

struct nameserver *nameserver_start(const char *host)
{
    struct nameserver *server = calloc(1, sizeof(*server));

    if (!server) {
        unit_bail_out("out of memory");
    }
    unit_after_each(stop_all);
    open_sockets(server, host);
    server->wake = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < MAX_CONNECTIONS; i++) {
        server->connections[i] = -1;
    }
    pthread_mutex_init(&server->lock, NULL);
    if (server->wake < 0 || pthread_create(&server->thread, NULL, serve, server) != 0) {
        unit_bail_out("the name server cannot start");
    }
    server->next = all;
    all = server;
    return server;
}

int nameserver_port(const struct nameserver *server) { return server->port; }

const char *nameserver_text(const struct nameserver *server) { return server->text; }

/* ---- What it has seen ---- */

static unsigned count(struct nameserver *server, const char *name, bool is_tcp)
{
    unsigned n = 0;

    pthread_mutex_lock(&server->lock);
    if (!name) {
        n = is_tcp ? server->n_tcp : server->n_asked;
    }
    for (unsigned i = 0; name && i < server->n_rules; i++) {
        if (strcasecmp(server->rules[i]->name, name) == 0) {
            n += is_tcp ? server->rules[i]->n_tcp : server->rules[i]->n_asked;
        }
    }
    pthread_mutex_unlock(&server->lock);
    return n;
}

unsigned nameserver_n_asked(struct nameserver *server, const char *name)
{
    return count(server, name, false);
}

unsigned nameserver_n_tcp(struct nameserver *server, const char *name)
{
    return count(server, name, true);
}

unsigned nameserver_n_ports(struct nameserver *server)
{
    pthread_mutex_lock(&server->lock);
    unsigned n = server->n_ports;
    pthread_mutex_unlock(&server->lock);
    return n;
}

struct awaited {
    struct nameserver *server;
    const char *name;
    unsigned n;
};

static bool was_asked(void *context)
{
    const struct awaited *awaited = context;

    return nameserver_n_asked(awaited->server, awaited->name) >= awaited->n;
}

void nameserver_await(struct nameserver *server, const char *name, unsigned n)
{
    struct awaited awaited = {server, name, n};

    harness_await(was_asked, &awaited, "questions at the name server");
}

void nameserver_release(struct nameserver *server)
{
    pthread_mutex_lock(&server->lock);
    server->wants_release = true;
    pthread_mutex_unlock(&server->lock);
    wake(server);
}
