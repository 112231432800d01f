/* SPDX-License-Identifier: MIT */
/*
 * data_json.c - what TLS adds to the cost of a write and a read by JSON (see
 * data_load.h).
 */
#include <config.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/bench/data_load.h"
#include "tests/bench/load.h"

enum { PIECE = 64, LINE = 512 };

struct exchange {
    int control;
    struct data_end far;
    char write[LINE], read[LINE]; /* the requests */
};

static void send_line(int fd, const char *line)
{
    if (write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        die("the control connection has broken");
    }
}

/* The socket, and at its far end the one that answers. The handshake comes with the first
 * write, whose reply is waited for when the far end has done its part. */
static void start_exchange(struct exchange *exchange, const struct contender *contender,
                           int64_t context)
{
    const struct data_rig *rig = contender->rig;
    char line[LINE], reply[4096], data[PIECE + 1];

    memset(data, 'x', PIECE);
    data[PIECE] = '\0';
    exchange->control = target_connect(&contender->target);
    (void)snprintf(line, sizeof line,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-socket\",\"params\":"
                   "{\"remote-host\":\"127.0.0.1\",\"remote-port\":%u}}\n",
                   rig->tcp_place.port);
    (void)ask(exchange->control, line, reply, sizeof reply);
    long long socket = (long long)number_in(reply, "socket");
    if (context != 0) {
        (void)snprintf(
            line, sizeof line,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"make-ssl-client-stream\","
            "\"params\":{\"socket\":%lld,\"context\":%lld}}\n",
            socket, (long long)context);
        (void)ask(exchange->control, line, reply, sizeof reply);
    }
    (void)snprintf(exchange->write, LINE,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"write\",\"params\":"
                   "{\"socket\":%lld,\"data\":\"%s\"}}\n",
                   socket, data);
    (void)snprintf(exchange->read, LINE,
                   "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"read\",\"params\":"
                   "{\"socket\":%lld,\"exactly\":%d}}\n",
                   socket, PIECE);
    send_line(exchange->control, exchange->write);
    exchange->far = data_accept(rig->far_tcp,
                                context != 0 ? rig->identities[DATA_ECDSA].server : NULL);
    data_receive_all(&exchange->far, data, PIECE);
    data_send_all(&exchange->far, data, PIECE);
    (void)ask(exchange->control, exchange->read, reply, sizeof reply);
    (void)number_in(reply, "size");
}

/* One write and one read, there and back. */
static void exchange_once(const struct exchange *exchange)
{
    char reply[4096], data[PIECE];

    (void)ask(exchange->control, exchange->write, reply, sizeof reply);
    data_receive_all(&exchange->far, data, PIECE);
    data_send_all(&exchange->far, data, PIECE);
    (void)ask(exchange->control, exchange->read, reply, sizeof reply);
    if (!strstr(reply, "\"result\":")) {
        die("read: %s", reply);
    }
}

double data_json(const struct contender *contender, bool is_tls, double seconds)
{
    struct exchange exchange;
    uint64_t n_done = 0;

    start_exchange(&exchange, contender,
                   is_tls ? contender_client_context(contender) : 0);
    uint64_t begin = now_ns(), cpu = target_cpu_ns(&contender->target);

    while ((double)(now_ns() - begin) / 1e9 < seconds) {
        exchange_once(&exchange);
        n_done++;
    }
    cpu = target_cpu_ns(&contender->target) - cpu;
    data_end_close(&exchange.far);
    close(exchange.control);
    return (double)cpu / 1e9 / (double)n_done;
}
