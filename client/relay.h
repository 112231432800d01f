/* SPDX-License-Identifier: MIT */
/*
 * relay.h - bytes between standard input, standard output and the raw stream of a socket.
 */
#ifndef SOCKD_CLIENT_RELAY_H
#define SOCKD_CLIENT_RELAY_H

#include <stdbool.h>

struct problem;

/* What ends the relay. */
enum relay_until {
    RELAY_BOTH,  /* both directions have ended */
    RELAY_PEER,  /* the peer has ended; what is left of the input is not sent */
    RELAY_INPUT, /* the input has ended and is sent; what the peer still says is not
                    awaited */
};

struct relay {
    int in, out; /* usually standard input and output */
    bool sends;  /* false: nothing is read, and nothing ended, from this side */
    enum relay_until until;
    bool input_ended; /* set: the end of `in` was seen */
};

/*
 * Copies both ways until the end. The end of the input shuts down the writing side of
 * `fd`, and the end of what comes from there is no reason to stop sending, as `until`
 * says. Closes fd. False: *problem says which direction broke. Starts one thread for the
 * time it takes.
 */
bool relay_run(struct relay *relay, int fd, struct problem *problem);

#endif
