/* SPDX-License-Identifier: MIT */
/*
 * shapes.h - the words of the wire in the order of the enums of sockd.h, and the shapes
 * that several operations answer.
 */
#ifndef SOCKD_LIB_SHAPES_H
#define SOCKD_LIB_SHAPES_H

#include "lib/fields.h"

#define TYPE_WORDS "stream|datagram"
#define FAMILY_WORDS "internet|file"
#define CONNECT_WORDS "active|passive"
#define FORMAT_WORDS "text|binary|bivalent|multivalent"
#define STATE_WORDS "connecting|connected|listening|open|ended|closing"
#define END_WORDS "clean|truncated|chunk|reset|timeout|closed"
#define DIRECTION_WORDS "input|output"
#define DETACH_WORDS "close|keep"
#define PROTOCOL_WORDS "tcp|udp"
#define DNS_TYPE_WORDS "a|aaaa|ptr|mx|srv|txt|cname|ns|soa|caa|any"
#define LOG_LEVEL_WORDS "error|warn|info|debug"
#define IO_WORDS "in|in-error|out|out-error"
#define TLS_ROLE_WORDS "client|server"
#define TLS_STATE_WORDS "new|handshake|established|failed"
#define VERIFY_WORDS "false|request|optional|required"
#define CRL_CHECK_WORDS "false|leaf|chain"

extern const struct shape socket_options_shape, set_socket_options_shape;
extern const struct shape description_shape;
extern const struct shape client_shape;
extern const struct shape owner_shape;
extern const struct shape make_socket_shape; /* in sockets.c */

#endif
