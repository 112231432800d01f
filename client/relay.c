/* SPDX-License-Identifier: MIT */
/*
 * relay.c - bytes between standard input, standard output and the raw stream of a socket.
 *
 * Thread: the caller's copies what comes from the stream; one more copies the input.
 * Descriptors 0 and 1 are shared with other programs, so they are never made
 * non-blocking; two threads that may block are then the simplest thing that can't
 * deadlock.
 */
#include <config.h>
#include "client/relay.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/memory.h"
#include "client/problem.h"

enum { BUFFER_SIZE = 128 * 1024 };

/* Owner: relay_run(). The sender writes its results before it ends; they are read after
 * the join. */
struct sender {
    const struct relay *relay;
    int fd;
    int stop;          /* eventfd: readable when the sender shall end */
    bool input_ended;  /* result */
    int input_errnum;  /* result: reading failed */
    int output_errnum; /* result: sending failed */
};

/* Waits until the input has something; false: there is no more use in sending. */
static bool wait_for_input(const struct sender *sender)
{
    struct pollfd waited[] = {
        {.fd = sender->relay->in, .events = POLLIN},
        {.fd = sender->stop, .events = POLLIN},
        {.fd = sender->fd}, /* tells of POLLHUP: the daemon is through with this stream */
    };

    while (poll(waited, 3, -1) < 0)
        if (errno != EINTR)
            return false;
    return !waited[1].revents && !waited[2].revents;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return true;
}

static void *run_sender(void *context)
{
    struct sender *sender = context;
    char *buffer = memory_new(BUFFER_SIZE);

    while (wait_for_input(sender)) {
        ssize_t n = read(sender->relay->in, buffer, BUFFER_SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            sender->input_errnum = errno;
        else if (n == 0)
            sender->input_ended = true;
        else if (send_all(sender->fd, buffer, (size_t)n))
            continue;
        else
            sender->output_errnum = errno;
        break;
    }
    /* Also after an error: the peer shall not wait for more. */
    (void)shutdown(sender->fd, sender->relay->until == RELAY_INPUT ? SHUT_RDWR : SHUT_WR);
    free(buffer);
    return NULL;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        }
    }
    return true;
}

/* Copies what comes from the stream, to its end. */
static bool receive(const struct relay *relay, int fd, struct problem *problem)
{
    char *buffer = memory_new(BUFFER_SIZE);
    bool ok = true;

    for (;;) {
        ssize_t n = read(fd, buffer, BUFFER_SIZE);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            ok = problem_system(problem, errno, "the stream broke");
        else if (n > 0 && !write_all(relay->out, buffer, (size_t)n))
            ok = problem_system(problem, errno, "standard output");
        if (n <= 0 || !ok)
            break;
    }
    free(buffer);
    return ok;
}

/* What the sender found matters only where all of the input was to be sent. */
static bool judge(const struct sender *sender, struct problem *problem)
{
    if (sender->input_errnum)
        return problem_system(problem, sender->input_errnum, "standard input");
    if (sender->output_errnum && sender->relay->until != RELAY_PEER)
        return problem_system(problem, sender->output_errnum,
                              "standard input could not be sent to its end");
    return true;
}

bool relay_run(struct relay *relay, int fd, struct problem *problem)
{
    struct sender sender = {.relay = relay, .fd = fd, .stop = -1};
    pthread_t thread;
    bool ok;

    if (!relay->sends) {
        ok = receive(relay, fd, problem);
        (void)close(fd);
        return ok;
    }
    sender.stop = eventfd(0, EFD_CLOEXEC);
    int errnum =
        sender.stop < 0 ? errno : pthread_create(&thread, NULL, run_sender, &sender);

    if (errnum) {
        (void)problem_system(problem, errnum, "no thread for standard input");
        ok = false;
    } else {
        ok = receive(relay, fd, problem);
        if (!ok || relay->until == RELAY_PEER) {
            uint64_t one = 1;

            /* Wakes the sender from its wait, and from a send that nobody takes. */
            if (write(sender.stop, &one, sizeof(one)) < 0 || shutdown(fd, SHUT_RDWR) < 0)
                errno = 0; /* the sender ends by the other of the two */
        }
        (void)pthread_join(thread, NULL);
        relay->input_ended = sender.input_ended;
        ok = ok && judge(&sender, problem);
    }
    if (sender.stop >= 0)
        (void)close(sender.stop);
    (void)close(fd);
    return ok;
}
