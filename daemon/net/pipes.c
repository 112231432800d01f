/* SPDX-License-Identifier: MIT */
/*
 * pipes.c - a small stock of pipes for each thread.
 *
 * Called by relay.c. Thread: any, each with its own stock.
 */
#include <config.h>
#include "daemon/net/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/base/check.h"

static _Thread_local struct {
    struct pipe_pair *spare;
    unsigned n_spare, n_taken;
} stock;

static void close_pair(struct pipe_pair *pair)
{
    /* Bytes in it are not wanted any more. */
    (void)close(pair->in);
    (void)close(pair->out);
    free(pair);
}

static struct pipe_pair *make_pair(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        return NULL;
    }
    struct pipe_pair *pair = MEM_NEW(struct pipe_pair);

    pair->out = ends[0];
    pair->in = ends[1];
    return pair;
}

struct pipe_pair *pipes_take(void)
{
    struct pipe_pair *pair = stock.spare;

    if (stock.n_taken == PIPES_MAX) {
        return NULL;
    }
    if (pair != NULL) {
        stock.spare = pair->next;
        stock.n_spare--;
    } else {
        pair = make_pair();
    }
    stock.n_taken += pair != NULL;
    return pair;
}

void pipes_give(struct pipe_pair *pair)
{
    if (pair == NULL) {
        return;
    }
    CHECK(stock.n_taken > 0);
    stock.n_taken--;
    if (pair->size > 0 || stock.n_spare == PIPES_SPARE) {
        close_pair(pair);
        return;
    }
    pair->next = stock.spare;
    stock.spare = pair;
    stock.n_spare++;
}

void pipes_thread_end(void)
{
    while (stock.spare != NULL) {
        struct pipe_pair *pair = stock.spare;
        stock.spare = pair->next;
        close_pair(pair);
    }
    stock.n_spare = 0;
}
