/* SPDX-License-Identifier: MIT */
/*
 * listener.c - makes the control socket, accepts clients, counts them, hands them to
 * workers.
 *
 * Called by the server; a client reaches its worker as a message that ends in
 * connection_open(). Thread: main.
 *
 * When descriptors run short, a few kept in reserve still let clients in, so that an
 * administrator can look; then clients are told so and accepting pauses.
 */
#include <config.h>
#include "daemon/control/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/base/jobs.h"
#include "daemon/base/log.h"
#include "daemon/base/loop.h"
#include "daemon/base/mailbox.h"
#include "daemon/base/quota.h"
#include "daemon/base/users.h"
#include "daemon/control/connection.h"
#include "daemon/control/credentials.h"
#include "daemon/control/desk.h"
#include "proto/error.h"
#include "proto/message.h"

enum { RESERVE = 8, ACCEPTS_PER_ROUND = 64 };
#define PAUSE_SECONDS 0.2

/* Owner: the server. Home thread: main. */
struct control_listener {
    struct loop *loop;
    int fd;
    char *path;
    dev_t device; /* of the file we made: another one is not ours to remove */
    ino_t inode;
    struct io io;
    struct timer timer; /* ends a pause */
    int reserve[RESERVE];
    unsigned n_reserve;
};

/* ---- Opening --------------------------------------------------------------------------
 */

static bool complain(char *why, size_t why_size, const char *path, const char *what,
                     int errnum)
{
    (void)snprintf(why, why_size, "control socket %s: %s%s%s", path, what,
                   errnum != 0 ? ": " : "", errnum != 0 ? strerror(errnum) : "");
    return false;
}

/* The directory of the path, locked: two daemons that start at once must not both take
 * the same file for stale. -1: *errnum. */
static int lock_directory(const char *path, int *errnum)
{
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL) {
        path = ".";
        size = 1;
    } else if (size == 0) {
        size = 1; /* the root */
    }
    memcpy(directory, path, size);
    directory[size] = '\0';
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX) < 0) {
        *errnum = errno;
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}

/* Removes a socket file that nobody listens at. False: `why` is set. */
static bool clear_path(const struct sockaddr_un *address, char *why, size_t why_size)
{
    const char *path = address->sun_path;
    struct stat status;

    if (lstat(path, &status) < 0) {
        return errno == ENOENT || complain(why, why_size, path, "cannot look", errno);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return complain(why, why_size, path, "a file that is no socket is in the way", 0);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return complain(why, why_size, path, "cannot make a socket", errno);
    }
    int status_of_connect =
        connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
    close(fd);
    if (status_of_connect == 0 || status_of_connect == EAGAIN) {
        return complain(why, why_size, path, "a daemon is already listening there", 0);
    }
    if (status_of_connect != ECONNREFUSED) {
        return complain(why, why_size, path, "cannot tell whether it is in use",
                        status_of_connect);
    }
    if (unlink(path) < 0 && errno != ENOENT) {
        return complain(why, why_size, path, "cannot remove the stale file", errno);
    }
    return true;
}

/* Nobody can connect before the file has its final rights: it listens only afterwards. */
static bool bind_and_listen(struct control_listener *listener,
                            const struct sockaddr_un *address,
                            const struct control_listener_plan *plan, char *why,
                            size_t why_size)
{
    struct stat status;
    mode_t old_mask = umask(0177);
    int bound = bind(listener->fd, (const struct sockaddr *)address, sizeof *address);
    int bind_errno = errno;

    (void)umask(old_mask);
    if (bound < 0) {
        return complain(why, why_size, plan->path, "cannot bind", bind_errno);
    }
    listener->path = mem_copy_text(plan->path);
    if (lstat(plan->path, &status) < 0) {
        return complain(why, why_size, plan->path, "cannot look", errno);
    }
    listener->device = status.st_dev;
    listener->inode = status.st_ino;
    if ((plan->owner != (uid_t)-1 || plan->group != (gid_t)-1) &&
        chown(plan->path, plan->owner, plan->group) < 0) {
        return complain(why, why_size, plan->path, "cannot set owner and group", errno);
    }
    if (chmod(plan->path, plan->mode) < 0) {
        return complain(why, why_size, plan->path, "cannot set the mode", errno);
    }
    if (listen(listener->fd, SOMAXCONN) < 0) {
        return complain(why, why_size, plan->path, "cannot listen", errno);
    }
    return true;
}

static void fill_reserve(struct control_listener *listener)
{
    while (listener->n_reserve < RESERVE) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return;
        }
        listener->reserve[listener->n_reserve++] = fd;
    }
}

static struct control_listener *listener_new(struct loop *loop, int fd)
{
    struct control_listener *listener = MEM_NEW(struct control_listener);

    listener->loop = loop;
    listener->fd = fd;
    return listener;
}

struct control_listener *control_listener_open(struct loop *loop,
                                               const struct control_listener_plan *plan,
                                               char *why, size_t why_size)
{
    struct control_listener *listener;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int errnum;

    if (plan->fd >= 0) {
        listener = listener_new(loop, plan->fd);
        fill_reserve(listener);
        return listener;
    }
    if (plan->path[0] == '\0' || strlen(plan->path) >= sizeof address.sun_path) {
        (void)complain(why, why_size, plan->path, "the path must have 1 to 107 bytes", 0);
        return NULL;
    }
    memcpy(address.sun_path, plan->path, strlen(plan->path) + 1);
    int directory = lock_directory(plan->path, &errnum);
    if (directory < 0) {
        (void)complain(why, why_size, plan->path, "cannot open its directory", errnum);
        return NULL;
    }
    listener = listener_new(
        loop, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    bool is_open = listener->fd >= 0 ||
                   complain(why, why_size, plan->path, "cannot make a socket", errno);
    is_open = is_open && clear_path(&address, why, why_size) &&
              bind_and_listen(listener, &address, plan, why, why_size);
    close(directory);
    if (!is_open) {
        control_listener_close(listener);
        return NULL;
    }
    fill_reserve(listener);
    return listener;
}

/* ---- Handing to a worker --------------------------------------------------------------
 */

/* An accepted client on its way: first, for a new user, through a job thread that learns
 * the user's name, then to its worker. Counted in the user's quota. */
struct arrival {
    struct job job; /* its message goes to the worker afterwards */
    int fd;
    int worker; /* -1: not chosen, not counted in its load */
    struct caller caller;
};

static void free_arrival(struct arrival *arrival)
{
    if (arrival->fd >= 0) {
        close(arrival->fd);
        quota_give(QUOTA_CONNECTIONS, arrival->caller.uid);
        if (arrival->worker >= 0) {
            desk_load_add((unsigned)arrival->worker, -1);
        }
    }
    free(arrival);
}

static void drop_message(struct message *message)
{
    free_arrival((struct arrival *)message);
}

static void drop_job(struct job *job) { free_arrival((struct arrival *)job); }

static void arrived(struct message *message, struct loop *loop)
{
    struct arrival *arrival = (struct arrival *)message;

    connection_open(loop, arrival->fd, &arrival->caller);
    arrival->fd = -1;
    free_arrival(arrival);
}

static unsigned least_loaded(unsigned first)
{
    unsigned n = loop_n_workers(), best = first % n;

    for (unsigned i = 1; i < n; i++) {
        unsigned worker = (first + i) % n;
        if (desk_load(worker) < desk_load(best)) {
            best = worker;
        }
    }
    return best;
}

static void hand_to_worker(struct arrival *arrival)
{
    static unsigned turn; /* main thread only: ties are broken in turn */
    unsigned worker = least_loaded(turn);

    turn = worker + 1;
    arrival->worker = (int)worker;
    desk_load_add(worker, 1);
    memset(&arrival->job, 0, sizeof arrival->job);
    arrival->job.message.deliver = arrived;
    arrival->job.message.drop = drop_message;
    mailbox_post(loop_of_worker(worker), &arrival->job.message);
}

static void learn(struct job *job) { users_learn(((struct arrival *)job)->caller.uid); }

static void learnt(struct job *job) { hand_to_worker((struct arrival *)job); }

/* ---- Accepting ------------------------------------------------------------------------
 */

/* Tells a client why it is not served. The line fits into the empty socket buffer. */
static void refuse(int fd, const char *limit, int64_t value)
{
    struct writer writer = {0};
    struct error error;

    (void)error_set_limit(&error, limit, value);
    message_error(&writer, NULL, 0, &error);
    writer_raw(&writer, "\n", 1, false);
    if (!writer.failed) {
        /* If it has gone already there is nobody to tell. */
        (void)send(fd, writer.data, writer.size, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    writer_fini(&writer);
    (void)shutdown(fd, SHUT_WR); /* as above */
    close(fd);
}

static void admit(struct control_listener *listener, int fd)
{
    struct caller caller;
    uint32_t limit;
    int status = credentials_read(fd, &caller);

    if (status < 0) {
        LOG_RATED(LOG_CONTROL, LOG_LEVEL_WARN,
                  "A client was closed because the kernel does not say who it is. "
                  "reason=\"%s\"",
                  strerror(-status));
        close(fd);
        return;
    }
    if (!quota_take(QUOTA_CONNECTIONS, caller.uid)) {
        const char *name = quota_refusal(QUOTA_CONNECTIONS, &limit);
        counters_add(loop_counters(listener->loop), COUNTER_CLIENTS_REFUSED, 1);
        LOG_RATED(LOG_CONTROL, LOG_LEVEL_WARN,
                  "A client was refused. limit=%s value=%u uid=%lu pid=%ld", name,
                  (unsigned)limit, (unsigned long)caller.uid, (long)caller.pid);
        refuse(fd, name, limit);
        return;
    }
    struct arrival *arrival = MEM_NEW(struct arrival);

    arrival->fd = fd;
    arrival->worker = -1;
    arrival->caller = caller;
    if (users_known(caller.uid)) {
        hand_to_worker(arrival);
        return;
    }
    arrival->job.work = learn;
    arrival->job.done = learnt;
    arrival->job.drop = drop_job;
    jobs_submit(&arrival->job, listener->loop);
}

static void on_client(void *arg, unsigned what);

static void resume(void *arg)
{
    struct control_listener *listener = arg;

    fill_reserve(listener);
    if (!listener->io.is_on && control_listener_start(listener) < 0) {
        timer_start(&listener->timer, listener->loop, PAUSE_SECONDS, resume, listener);
    }
}

static void pause_accepting(struct control_listener *listener)
{
    io_stop(&listener->io);
    counters_add(loop_counters(listener->loop), COUNTER_ACCEPT_PAUSES, 1);
    timer_start(&listener->timer, listener->loop, PAUSE_SECONDS, resume, listener);
}

/* Descriptors are used up: one of the reserve serves the client, the last one only tells
 * it that it cannot be served. False: pause. */
static bool accept_from_reserve(struct control_listener *listener)
{
    if (listener->n_reserve == 0) {
        return false;
    }
    listener->n_reserve--;
    close(listener->reserve[listener->n_reserve]);
    timer_start(&listener->timer, listener->loop, PAUSE_SECONDS, resume, listener);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    if (listener->n_reserve > 0) {
        admit(listener, fd);
        return true;
    }
    counters_add(loop_counters(listener->loop), COUNTER_CLIENTS_REFUSED, 1);
    LOG_RATED(LOG_CONTROL, LOG_LEVEL_ERROR,
              "A client was refused because descriptors have run out. limit=%ld",
              sysconf(_SC_OPEN_MAX));
    refuse(fd, "descriptors", sysconf(_SC_OPEN_MAX));
    fill_reserve(listener); /* at least with the one that has just become free */
    return true;
}

static void on_client(void *arg, unsigned what)
{
    struct control_listener *listener = arg;

    (void)what;
    for (int i = 0; i < ACCEPTS_PER_ROUND; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            admit(listener, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!accept_from_reserve(listener)) {
                pause_accepting(listener);
                return;
            }
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN: no more of them */
        }
    }
}

int control_listener_start(struct control_listener *listener)
{
    return io_start(&listener->io, listener->loop, listener->fd, IO_READ | IO_LEVEL,
                    on_client, listener);
}

/* Another daemon may have replaced the file by force: that one stays. */
static void remove_file(const struct control_listener *listener)
{
    struct stat status;

    if (lstat(listener->path, &status) == 0 && status.st_dev == listener->device &&
        status.st_ino == listener->inode && unlink(listener->path) < 0) {
        log_line(LOG_CONTROL, LOG_LEVEL_WARN,
                 "The control socket could not be removed. path=\"%s\" reason=\"%s\"",
                 listener->path, strerror(errno));
    }
}

void control_listener_close(struct control_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    io_stop(&listener->io);
    timer_stop(&listener->timer);
    if (listener->path != NULL) {
        remove_file(listener);
    }
    if (listener->fd >= 0) {
        close(listener->fd);
    }
    while (listener->n_reserve > 0) {
        close(listener->reserve[--listener->n_reserve]);
    }
    free(listener->path);
    free(listener);
}
