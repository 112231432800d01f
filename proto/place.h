/* SPDX-License-Identifier: MIT */
/*
 * place.h - where to listen or connect, as people write it, and as parameters of
 * make-socket.
 *
 *     host:port  [ipv6-address]:port  :port  *:port  port  /path  unix:/path
 *
 * Used by the configuration of the daemon and by the command line. Thread: any.
 */
#ifndef SOCKD_PROTO_PLACE_H
#define SOCKD_PROTO_PLACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct error;

/* The parameters, a new reference; NULL: *error says what a place is, or there was no
 * memory. A port alone is one of all addresses for a listener, else one of localhost. */
json_t *place_read(const char *text, size_t size, bool is_listener, struct error *error);

#endif
