/* SPDX-License-Identifier: MIT */
/*
 * connection.c - a connection from its making to its end; where the daemon is looked for.
 *
 * Place: the public functions about connections. Thread: any; making one and freeing it
 * are each done by one thread, while nobody else has it.
 */
#include <config.h>

#include "lib/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "lib/fields.h"

enum {
    DEFAULT_REPLY_LIMIT = 16 << 20,
    NS_PER_S = 1000000000,
    NS_PER_US = 1000,
};

static const char system_path[] = "/run/sockd/sockd.sock";
static const char user_file[] = "/sockd.sock"; /* in $XDG_RUNTIME_DIR */

/* Room for every path that a Unix socket can have. */
struct path {
    char text[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

enum { MAX_PATHS = 2 };

static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);

    return value && *value ? value : NULL;
}

static int copy_path(struct path *path, const char *first, const char *second,
                     struct sockd_error *error)
{
    int size = snprintf(path->text, sizeof(path->text), "%s%s", first, second);

    if (size >= 0 && (size_t)size < sizeof(path->text))
        return SOCKD_OK;
    return fail_parameter(error, "path", "the path of a socket, at most 107 bytes");
}

/* The paths to try, in this order. */
static int default_paths(struct path paths[MAX_PATHS], unsigned *n,
                         struct sockd_error *error)
{
    const char *given = environment("SOCKD_SOCKET");
    const char *runtime = environment("XDG_RUNTIME_DIR");
    int status = copy_path(&paths[0], given ? given : system_path, "", error);

    *n = 1;
    if (status != SOCKD_OK || given || !runtime)
        return status;
    /* One that is too long can't be a socket's. */
    if (copy_path(&paths[1], runtime, user_file, NULL) == SOCKD_OK)
        *n = 2;
    return SOCKD_OK;
}

int sockd_default_path(char *path, size_t size, struct sockd_error *error)
{
    struct path paths[MAX_PATHS];
    struct stat file;
    unsigned n, chosen;
    int status = default_paths(paths, &n, error);

    if (status != SOCKD_OK)
        return status;
    for (chosen = 0; chosen < n; chosen++) {
        if (stat(paths[chosen].text, &file) == 0 && S_ISSOCK(file.st_mode))
            break;
    }
    if (chosen == n) /* none is there: say where this user's own would be */
        chosen = geteuid() == 0 ? 0 : n - 1;
    if (!path)
        return SOCKD_OK;
    if (strlen(paths[chosen].text) >= size)
        return fail_parameter(error, "size", "large enough for the path");
    memcpy(path, paths[chosen].text, strlen(paths[chosen].text) + 1);
    return SOCKD_OK;
}

const char *sockd_version(void) { return PACKAGE_VERSION; }

/* A Unix socket connects at once, or waits for room at the listener: for that, and only
 * that, the time to send is its limit. */
static int connect_once(int fd, const struct path *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {0};

    memcpy(address.sun_path, path->text, sizeof(path->text));
    if (deadline != NEVER) {
        int64_t left = deadline - now_ns();

        if (left <= 0)
            return -EAGAIN;
        limit.tv_sec = left / NS_PER_S;
        limit.tv_usec = left % NS_PER_S / NS_PER_US + 1;
        if (limit.tv_usec >= NS_PER_S / NS_PER_US)
            limit.tv_usec = NS_PER_S / NS_PER_US - 1;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
            return -errno;
    }
    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno
                                                                               : 0;
}

static int connect_path(const struct path *path, int64_t deadline, int *fd,
                        struct sockd_error *error)
{
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result;

    if (made < 0)
        return fail_errno(error, SOCKD_E_NO_DAEMON, errno, "make a Unix socket");
    do {
        result = connect_once(made, path, deadline);
    } while (result == -EINTR);
    if (result == 0 && fcntl(made, F_SETFL, O_NONBLOCK) < 0)
        result = -errno;
    if (result == 0) {
        *fd = made;
        return SOCKD_OK;
    }
    (void)close(made);
    if (result == -EAGAIN)
        return fail(error, SOCKD_E_TIMEOUT,
                    "the daemon at %s did not take the connection", path->text);
    (void)fail(error, SOCKD_E_NO_DAEMON, "no daemon at %s: %s", path->text,
               strerrordesc_np(-result));
    if (error)
        error->errnum = -result;
    return SOCKD_E_NO_DAEMON;
}

/* The first of the paths where a daemon answers. */
static int connect_any(const char *path, int64_t deadline, int *fd,
                       struct sockd_error *error)
{
    struct path paths[MAX_PATHS];
    unsigned n = 1;
    int status =
        path ? copy_path(&paths[0], path, "", error) : default_paths(paths, &n, error);

    if (status != SOCKD_OK)
        return status;
    for (unsigned i = 0; i < n; i++) {
        status = connect_path(&paths[i], deadline, fd, error);
        if (status != SOCKD_E_NO_DAEMON)
            return status;
    }
    if (n > 1 && error)
        (void)snprintf(error->message, sizeof(error->message),
                       "no daemon at %.100s, and none at %.107s", paths[0].text,
                       paths[1].text);
    return status;
}

/* Takes `fd` over, also when it fails: NULL. */
static struct sockd *connection_new(int fd, size_t reply_limit)
{
    struct sockd *connection = calloc(1, sizeof(*connection));
    pthread_condattr_t attributes;

    if (!connection) {
        (void)close(fd);
        return NULL;
    }
    connection->pid = getpid();
    connection->fd = fd;
    connection->poll_fd = connection->due_fd = connection->timer_fd = -1;
    connection->next_expiry = NEVER;
    connection->frame.limit = reply_limit ? reply_limit : DEFAULT_REPLY_LIMIT;
    pthread_mutex_init(&connection->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connection->due, &attributes);
    pthread_condattr_destroy(&attributes);
    connection->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (connection->wake_fd < 0) {
        sockd_disconnect(connection);
        return NULL;
    }
    return connection;
}

static void close_all(struct sockd *connection)
{
    const int fds[] = {connection->fd, connection->wake_fd, connection->poll_fd,
                       connection->due_fd, connection->timer_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    while (connection->n_descriptors)
        (void)close(connection->descriptors[--connection->n_descriptors]);
}

void sockd_disconnect(struct sockd *connection)
{
    if (!connection)
        return;
    if (connection->pid == getpid()) {
        pthread_mutex_lock(&connection->lock);
        wire_die(connection, SOCKD_E_NO_DAEMON, 0,
                 "the program has ended the connection");
        pthread_mutex_unlock(&connection->lock);
        submit_fini(connection);
        pthread_cond_destroy(&connection->due);
        pthread_mutex_destroy(&connection->lock);
    }
    /* A child of fork() only closes its copies: another thread may have held the lock,
     * and the calls in the table are the parent's. */
    close_all(connection);
    frame_fini(&connection->frame);
    free(connection->output.data);
    free(connection);
}

void sockd_abort(struct sockd *connection)
{
    if (!connection || connection->pid != getpid())
        return;
    pthread_mutex_lock(&connection->lock);
    wire_die(connection, SOCKD_E_NO_DAEMON, 0, "sockd_abort() has ended the connection");
    pthread_mutex_unlock(&connection->lock);
}

void sockd_set_default_timeout(struct sockd *connection, double timeout)
{
    if (connection && (timeout >= 0 || timeout == SOCKD_FOREVER))
        connection->default_timeout = timeout;
}

/* Asks who answers, and how long a request may be. */
static int say_hello(struct sockd *connection, int64_t deadline,
                     struct sockd_error *error)
{
    struct request request;
    json_t *json;
    int64_t protocol;
    int status;

    request_begin(&request, connection, "hello", SOCKD_FOREVER, error);
    request.deadline = deadline;
    status = request_result(&request, &json);
    if (status != SOCKD_OK)
        return status;
    protocol = json_integer_value(json_object_get(json, "protocol"));
    connection->message_limit = (size_t)json_integer_value(
        json_object_get(json_object_get(json, "limits"), "message-size"));
    json_decref(json);
    if (protocol != SOCKD_PROTOCOL)
        return fail(error, SOCKD_E_NOT_SUPPORTED,
                    "the daemon speaks protocol %lld, this library %d",
                    (long long)protocol, SOCKD_PROTOCOL);
    return SOCKD_OK;
}

static const struct sockd_connect_options connect_preset = SOCKD_CONNECT_OPTIONS_INIT;
static const struct shape connect_shape = {.size = sizeof(struct sockd_connect_options),
                                           .preset = &connect_preset};

int sockd_connect(const struct sockd_connect_options *options, double timeout,
                  struct sockd **connection, struct sockd_error *error)
{
    struct sockd_connect_options own;
    struct request request = {.error = error};
    struct sockd *made;
    int64_t deadline = NEVER, grace_end;
    int fd = -1, status;

    if (!connection)
        request_bad(&request, "connection", "the place for a connection, not NULL");
    (void)options_copy(&own, &connect_shape, options, &request, "options");
    if (!(own.default_timeout >= 0 || own.default_timeout == SOCKD_FOREVER))
        request_bad(&request, "default_timeout", "seconds from 0, or SOCKD_FOREVER");
    if (!deadline_after(own.grace, 0, &grace_end) || grace_end == NEVER)
        request_bad(&request, "grace", "seconds from 0");
    if (!deadline_after(timeout, own.default_timeout, &deadline))
        request_bad(&request, "timeout",
                    "seconds from 0, SOCKD_FOREVER or SOCKD_DEFAULT");
    if (request.status != SOCKD_OK)
        return request.status;
    status = connect_any(own.path, deadline, &fd, error);
    if (status != SOCKD_OK)
        return status;
    made = connection_new(fd, own.reply_limit);
    if (!made)
        return fail_memory(error);
    made->default_timeout = own.default_timeout;
    made->grace = (int64_t)(own.grace * NS_PER_S);
    status = say_hello(made, deadline, error);
    if (status == SOCKD_OK)
        *connection = made;
    else
        sockd_disconnect(made);
    return status;
}
