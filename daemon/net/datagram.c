/* SPDX-License-Identifier: MIT */
/*
 * datagram.c - UDP and Unix datagram sockets.
 *
 * Called by make-socket, send-to and receive-from; calls options, filename and endpoint.
 * Thread: the sock's home.
 */
#include <config.h>
#include "daemon/net/datagram.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include "daemon/base/check.h"
#include "daemon/base/counters.h"
#include "daemon/net/endpoint.h"
#include "daemon/net/multicast.h"

/* Seconds until a send to a full Unix socket is tried again: no event of the sender tells
 * when the receiver has taken one. */
#define RETRY 0.005

/* Owner: the sock (sock->as.datagram). */
struct datagram {
    struct filename file;
    struct timer retry;
    bool has_destination;
    uint32_t multicast_interface; /* as it was set: the system does not tell it of IPv4 */
};

static void datagram_fini(struct sock *sock)
{
    struct datagram *datagram = sock->as.datagram;

    timer_stop(&datagram->retry);
    filename_remove(&datagram->file);
    free(datagram);
    sock->as.datagram = NULL;
}

const struct sock_kind datagram_kind = {
    .name = "datagram socket",
    .fini = datagram_fini,
};

/* ---- Errors that come back ---- */

/* Without this the system keeps to itself what might pass, such as a host that can't be
 * reached. Where there is no such option the others are told all the same. */
static void want_errors(int fd, sa_family_t family)
{
    int on = 1;

    if (family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    }
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    }
}

/* The system keeps each of them together with what was sent; the error is told, and the
 * rest is of no use. */
static void drop_errors(const struct sock *sock)
{
    struct msghdr message = {0};

    if (sock->family == SOCK_FAMILY_INTERNET && sock->as.datagram->has_destination) {
        while (recvmsg(sock->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
        }
    }
}

/* ---- Opening ---- */

/* Negative errno with *action, or 0. */
static int bind_and_connect(int fd, const struct datagram_plan *plan,
                            struct filename *file, const char **action)
{
    enum option_id failed;

    *action = "set-socket-options";
    int status =
        plan->is_ipv6 ? option_set(fd, OPTION_IPV6_ONLY, true, plan->is_v6_only) : 0;
    if (status == 0) {
        status =
            options_set(fd, plan->is_ipv6, plan->settings, plan->n_settings, &failed);
    }
    if (status < 0) {
        return status;
    }
    *action = "bind";
    if (plan->path != NULL) {
        status = filename_bind(file, fd, plan->path, &plan->who);
    } else if (plan->local.ss_family != 0 &&
               bind(fd, (const struct sockaddr *)&plan->local,
                    endpoint_size(&plan->local)) != 0) {
        status = -errno;
    }
    if (status < 0 || plan->remote.ss_family == 0) {
        return status;
    }
    *action = "connect";
    want_errors(fd, plan->remote.ss_family);
    return filename_connect(fd, &plan->remote, &plan->who);
}

bool datagram_open(struct sock *sock, const struct datagram_plan *plan,
                   struct error *error)
{
    const char *action = "socket";
    struct filename file = {0};
    int family = sock->family == SOCK_FAMILY_FILE ? AF_UNIX
                 : plan->is_ipv6                  ? AF_INET6
                                                  : AF_INET;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return error_set_errno(error, errno, action);
    }
    int status = bind_and_connect(fd, plan, &file, &action);
    if (status < 0) {
        (void)close(fd); /* it never carried data */
    } else {
        status = sock_set_fd(sock, fd);
    }
    if (status < 0) {
        filename_remove(&file);
        return error_set_errno(error, -status, action);
    }
    struct datagram *datagram = MEM_NEW(struct datagram);

    datagram->file = file;
    datagram->has_destination = plan->remote.ss_family != 0;
    sock->as.datagram = datagram;
    sock->is_ipv6 = family == AF_INET6;
    sock->local_filename = plan->path != NULL ? mem_copy_text(plan->path) : NULL;
    if (family != AF_UNIX && datagram->has_destination) {
        memcpy(&sock->remote, &plan->remote, sizeof sock->remote);
    }
    sock_become(sock, &datagram_kind, SOCK_STATE_OPEN);
    return true;
}

bool datagram_has_destination(const struct sock *sock)
{
    return sock->as.datagram->has_destination;
}

/* ---- Groups ---- */

uint32_t datagram_multicast_interface(const struct sock *sock)
{
    return sock->as.datagram->multicast_interface;
}

int datagram_set_multicast_interface(struct sock *sock, uint32_t interface)
{
    int status = multicast_set_interface(sock->fd, sock->is_ipv6, interface);

    if (status == 0) {
        sock->as.datagram->multicast_interface = interface;
    }
    return status;
}

int datagram_multicast(struct sock *sock, const struct multicast_group *group,
                       bool is_join)
{
    struct multicast_group own = *group;

    if (own.address.ss_family == AF_INET6 && !sock->is_ipv6) {
        return -EAFNOSUPPORT;
    }
    if (own.interface == 0) {
        own.interface = sock->as.datagram->multicast_interface;
    }
    return is_join ? multicast_join(sock->fd, &own) : multicast_leave(sock->fd, &own);
}

/* ---- Send ---- */

static void retry_is_due(void *arg)
{
    struct sock *sock = arg;

    sock->can_write = true;
    sock_run(sock);
}

static enum op_result no_room(struct sock *sock)
{
    struct datagram *datagram = sock->as.datagram;

    sock->can_write = false;
    /* Not restarted: what arrives meanwhile runs the socket, too, and would put it off.
     */
    if (sock->family == SOCK_FAMILY_FILE && !datagram->retry.is_on) {
        timer_start(&datagram->retry, sock->loop, RETRY, retry_is_due, sock);
    }
    return OP_WAIT;
}

static ssize_t send_one(const struct sock *sock, const void *bytes, size_t size,
                        const struct sockaddr_storage *to, const struct identity *who)
{
    if (to != NULL && to->ss_family == AF_UNIX) {
        return filename_send(sock->fd, bytes, size, to, who);
    }
    ssize_t n = sendto(sock->fd, bytes, size, MSG_NOSIGNAL, (const struct sockaddr *)to,
                       to != NULL ? endpoint_size(to) : 0);
    return n < 0 ? -errno : n;
}

enum op_result datagram_send(struct sock *sock, const void *bytes, size_t size,
                             const struct sockaddr_storage *to,
                             const struct identity *who, struct error *error)
{
    struct counters *counters = loop_counters(sock->loop);
    ssize_t n = -EAGAIN;

    if (sock->can_write) {
        n = send_one(sock, bytes, size, to, who);
    }
    if (n == -EAGAIN) {
        return no_room(sock);
    }
    if (n < 0) {
        drop_errors(sock);
        error_set_errno(error, (int)-n, "send");
        return OP_FAILED;
    }
    sock->bytes_written += (uint64_t)n;
    counters_add(counters, COUNTER_DATAGRAMS_WRITTEN, 1);
    counters_add(counters, COUNTER_BYTES_WRITTEN, (uint64_t)n);
    return OP_DONE;
}

/* ---- Receive ---- */

enum op_result datagram_receive(struct sock *sock, void *bytes, size_t size, bool is_peek,
                                struct datagram_received *received, struct error *error)
{
    struct counters *counters = loop_counters(sock->loop);
    struct iovec place = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {
        .msg_name = &received->from,
        .msg_namelen = sizeof received->from,
        .msg_iov = &place,
        .msg_iovlen = 1,
    };

    if (!sock->can_read) {
        return OP_WAIT;
    }
    memset(&received->from, 0, sizeof received->from);
    ssize_t n = recvmsg(sock->fd, &message, is_peek ? MSG_PEEK : 0);

    if (n < 0 && errno == EAGAIN) {
        sock->can_read = false;
        return OP_WAIT;
    }
    if (n < 0) {
        error_set_errno(error, errno, "receive");
        drop_errors(sock);
        return OP_FAILED;
    }
    received->size = (size_t)n;
    received->is_truncated = (message.msg_flags & MSG_TRUNC) != 0;
    received->from_size = message.msg_namelen;
    if (!is_peek) {
        sock->bytes_read += (uint64_t)n;
        counters_add(counters, COUNTER_DATAGRAMS_READ, 1);
        counters_add(counters, COUNTER_BYTES_READ, (uint64_t)n);
    }
    return OP_DONE;
}
