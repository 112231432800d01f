/* SPDX-License-Identifier: MIT */
/*
 * submit.c - the asynchronous form: requests that nobody waits for, a descriptor to poll,
 * and callbacks that run where the program wants them.
 *
 * Place: beside request.c, on call.c. A reply may be read by any thread that happens to
 * be the reader; the call then is due, and its callback runs in the next sockd_process().
 *
 * Thread: any.
 */
#include <config.h>

#include "lib/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* The earliest deadline becomes an event of poll_fd. */
static void arm_timer(struct sockd *connection)
{
    struct itimerspec time = {0};

    if (connection->timer_fd < 0)
        return;
    if (connection->next_expiry != NEVER)
        timespec_of(connection->next_expiry > 0 ? connection->next_expiry : 1,
                    &time.it_value);
    /* Can't fail with a good descriptor and time. */
    (void)timerfd_settime(connection->timer_fd, TFD_TIMER_ABSTIME, &time, NULL);
}

static void expire_at(struct sockd *connection, int64_t deadline)
{
    if (deadline >= connection->next_expiry)
        return;
    connection->next_expiry = deadline;
    arm_timer(connection);
    /* Whoever waits in sockd_process() has to wait less. */
    if (connection->is_reading)
        wire_wake(connection);
    if (connection->n_processing)
        pthread_cond_signal(&connection->due);
}

int sockd_submit(struct sockd *connection, const char *method, const char *params,
                 double timeout, sockd_reply_fn *done, void *context,
                 uint64_t *request_id, struct sockd_error *error)
{
    struct request request;
    struct call *call;
    int status;

    request_from_text(&request, connection, method, params, timeout, error);
    if (!done)
        request_bad(&request, "done", "a function");
    status = request.status;
    if (status == SOCKD_OK)
        status = connection_enter(connection, error);
    if (status != SOCKD_OK) {
        request_fini(&request);
        return status;
    }
    status = call_start(connection, request.writer.data, request.writer.size,
                        request.takes_fd, &call, error);
    if (status == SOCKD_OK) {
        call->done = done;
        call->context = context;
        call->deadline = request.deadline;
        expire_at(connection, call->deadline);
        if (request_id)
            *request_id = call->id;
    }
    connection_leave(connection);
    request_fini(&request);
    return status;
}

void submit_due(struct sockd *connection, struct call *call)
{
    uint64_t one = 1;

    call->next_due = NULL;
    if (connection->first_due)
        connection->last_due->next_due = call;
    else
        connection->first_due = call;
    connection->last_due = call;
    call->is_due = true;
    if (connection->n_processing)
        pthread_cond_signal(&connection->due);
    if (connection->due_fd >= 0) {
        while (write(connection->due_fd, &one, sizeof(one)) < 0 && errno == EINTR)
            ;
    }
}

/* Cancels what is late, gives up what was cancelled and is not answered. */
static void expire(struct sockd *connection)
{
    int64_t now = now_ns();
    int64_t next_expiry = NEVER;

    if (now < connection->next_expiry || connection->is_dead)
        return;
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        for (struct call *call = connection->buckets[i]; call; call = call->next) {
            if (!call->done || call->is_abandoned)
                continue;
            if (call->deadline <= now && call->answer.is_cancelled) {
                call_abandon(connection, call);
                submit_due(connection, call);
                continue;
            }
            if (call->deadline <= now) {
                call_cancel(connection, call);
                call->deadline = now + connection->grace;
            }
            if (connection->is_dead)
                return; /* the cancel could not be kept: all calls are due now */
            if (call->deadline < next_expiry)
                next_expiry = call->deadline;
        }
    }
    connection->next_expiry = next_expiry;
    arm_timer(connection);
}

/* Runs the callback of one due call; the lock is open meanwhile. */
static void run_due(struct sockd *connection)
{
    struct call *call = connection->first_due;
    sockd_reply_fn *done = call->done;
    void *context = call->context;
    uint64_t id = call->id;
    struct sockd_error error;
    struct answer answer;
    json_t *json = NULL;
    char *text = NULL;

    connection->first_due = call->next_due;
    call->is_due = false;
    call_take(connection, call, &answer);
    pthread_mutex_unlock(&connection->lock);
    if (answer_read(connection, &answer, &json, &text, &error) == SOCKD_OK)
        done(connection, id, text, NULL, context);
    else
        done(connection, id, NULL, &error, context);
    json_decref(json);
    free(text);
    pthread_mutex_lock(&connection->lock);
}

static void reset(int event_fd)
{
    uint64_t count;

    if (event_fd >= 0)
        (void)!read(event_fd, &count, sizeof(count)); /* empty is fine */
}

/* Waits for something to become due; at most once, and not past `deadline` (0: not at
 * all). */
static void wait_due(struct sockd *connection, int64_t deadline)
{
    int64_t until =
        deadline < connection->next_expiry ? deadline : connection->next_expiry;
    struct timespec time;

    if (!connection->is_reading) {
        wire_read(connection, until);
        return;
    }
    if (deadline == 0)
        return;
    connection->n_processing++;
    if (until == NEVER) {
        pthread_cond_wait(&connection->due, &connection->lock);
    } else {
        timespec_of(until, &time);
        pthread_cond_timedwait(&connection->due, &connection->lock, &time);
    }
    connection->n_processing--;
}

static int check_process(struct sockd *connection, double timeout, int64_t *deadline,
                         struct sockd_error *error)
{
    int status;

    if (!connection)
        return fail_parameter(error, "connection", "one that sockd_connect() has made");
    if (!deadline_after(timeout, connection->default_timeout, deadline))
        return fail_parameter(
            error, "timeout",
            "a number of seconds from 0, SOCKD_FOREVER or SOCKD_DEFAULT");
    status = connection_enter(connection, error);
    if (status == SOCKD_OK)
        return SOCKD_OK;
    if (connection->pid != getpid())
        return status;
    /* After the end there may be callbacks to run still. */
    pthread_mutex_lock(&connection->lock);
    if (connection->first_due)
        return SOCKD_OK;
    pthread_mutex_unlock(&connection->lock);
    return status;
}

int sockd_process(struct sockd *connection, double timeout, size_t *n_done,
                  struct sockd_error *error)
{
    int64_t deadline = 0;
    size_t n = 0;
    int status = check_process(connection, timeout, &deadline, error);
    bool is_last = timeout == 0;

    if (status != SOCKD_OK)
        return status;
    if (is_last)
        deadline = 0;
    reset(connection->timer_fd);
    if (!connection->is_dead)
        wait_due(connection, 0); /* what is there already */
    for (;;) {
        expire(connection);
        for (; connection->first_due; n++)
            run_due(connection);
        if (n || is_last || connection->is_dead)
            break;
        wait_due(connection, deadline);
        is_last = deadline != NEVER && now_ns() >= deadline;
    }
    reset(connection->due_fd); /* nothing is due any more */
    if (!n && connection->is_dead)
        status = fail_copy(error, &connection->fault);
    connection_leave(connection);
    if (n_done && status == SOCKD_OK)
        *n_done = n;
    return status;
}

static bool watch(struct sockd *connection, int fd, unsigned events)
{
    struct epoll_event event = {.events = events};

    return fd >= 0 && epoll_ctl(connection->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* All or nothing: the three descriptors behind the one of sockd_fd(). */
static bool make_poll(struct sockd *connection)
{
    int saved;

    connection->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    connection->due_fd =
        eventfd(connection->first_due != NULL, EFD_CLOEXEC | EFD_NONBLOCK);
    connection->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    connection->poll_writes = false;
    if (connection->poll_fd >= 0 && watch(connection, connection->fd, EPOLLIN) &&
        watch(connection, connection->due_fd, EPOLLIN) &&
        watch(connection, connection->timer_fd, EPOLLIN)) {
        wire_update_poll(connection);
        arm_timer(connection);
        return true;
    }
    saved = errno;
    if (connection->poll_fd >= 0)
        (void)close(connection->poll_fd);
    if (connection->due_fd >= 0)
        (void)close(connection->due_fd);
    if (connection->timer_fd >= 0)
        (void)close(connection->timer_fd);
    connection->poll_fd = connection->due_fd = connection->timer_fd = -1;
    errno = saved;
    return false;
}

int sockd_fd(struct sockd *connection, struct sockd_error *error)
{
    int fd = -1;

    if (connection_enter(connection, error) != SOCKD_OK)
        return -1;
    if (connection->poll_fd >= 0 || make_poll(connection))
        fd = connection->poll_fd;
    else
        (void)fail_errno(error, SOCKD_E_UNKNOWN, errno, "make a descriptor to poll");
    connection_leave(connection);
    return fd;
}

void submit_fini(struct sockd *connection)
{
    pthread_mutex_lock(&connection->lock);
    while (connection->first_due)
        run_due(connection);
    pthread_mutex_unlock(&connection->lock);
}
