/* SPDX-License-Identifier: MIT */
/*
 * wire.h - a control connection for tests: raw JSON lines, replies by id, deadlines
 * everywhere.
 *
 * Nothing of libsockd or of the daemon's own code stands between a test and the bytes.
 * Every message that comes is held against the table (contract.h). JSON that is answered
 * belongs to the wire and lives until wire_close(); open wires are closed after the test.
 *
 *     struct wire *wire = wire_open(harness);
 *     json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
 * "127.0.0.1", "remote-port", port); int64_t id = wire_send(wire, "read", "{s:I}",
 * "socket", wire_int(made, "socket")); wire_refused(other, "no-such-socket", "close",
 * "{s:i}", "socket", 1); json_t *read = wire_result(wire, id);
 *
 * A test fails for good when a wire cannot do what it is asked. Thread: the one that runs
 * the test.
 */
#ifndef SOCKD_TESTS_WIRE_H
#define SOCKD_TESTS_WIRE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct harness;
/* Owner: wire.c; ends with the test. */
struct wire;

struct wire *wire_open(const struct harness *harness);
/* As another user: the daemon sees these credentials. The test must be root. */
struct wire *wire_open_as(const struct harness *harness, uid_t uid, gid_t gid);
/* By path, and over a connected descriptor (taken over). */
struct wire *wire_open_path(const char *path);
struct wire *wire_open_descriptor(int fd);
void wire_close(struct wire *wire);
int wire_descriptor(const struct wire *wire);

/* ---- Sending ---- */

/* Sends a request with the next id, which is returned. `format` and what follows are
 * those of json_pack() and make the params; NULL: none. */
int64_t wire_send(struct wire *wire, const char *method, const char *format, ...);
int64_t wire_send_v(struct wire *wire, const char *method, const char *format,
                    va_list args);
/* The same without an id. */
void wire_notify(struct wire *wire, const char *method, const char *format, ...);
/* Sends the text and a line feed. Requests in it are noted, if it is JSON, so that their
 * replies can be checked. */
void wire_send_line(struct wire *wire, const char *text);
/* Sends bytes as they are. */
void wire_send_bytes(struct wire *wire, const void *data, size_t size);
/* Ends the sending direction. */
void wire_shut_output(struct wire *wire);

/* ---- Receiving ---- */

/* The next message, whatever it is; kept ones first. NULL: the connection has ended. */
json_t *wire_receive(struct wire *wire);
/* The next message without an id. */
json_t *wire_receive_event(struct wire *wire);
/* The whole reply to a request; other messages are kept. */
json_t *wire_reply(struct wire *wire, int64_t id);
/* The result of a request; an error fails the test. */
json_t *wire_result(struct wire *wire, int64_t id);
/* The error object of a request; a result, or another identifier, fails the test. */
json_t *wire_error(struct wire *wire, int64_t id, const char *identifier);
/* Whether the reply to a request is there, without waiting. After a later request on the
 * same socket was answered, false means that the first one is pending. */
bool wire_is_answered(struct wire *wire, int64_t id);
/* The daemon has nothing more to say and closes. */
void wire_expect_end(struct wire *wire);

/* ---- Both ---- */

json_t *wire_call(struct wire *wire, const char *method, const char *format, ...);
json_t *wire_refused(struct wire *wire, const char *identifier, const char *method,
                     const char *format, ...);

/* ---- Members of results; a missing one, or one of another type, fails the test ---- */

int64_t wire_int(const json_t *object, const char *member);
const char *wire_text(const json_t *object, const char *member);
bool wire_bool(const json_t *object, const char *member);

/* ---- After attach, and ancillary data ---- */

/* Bytes that follow the last line that was received: at least one, at most `room`; 0: the
 * end. */
size_t wire_read_raw(struct wire *wire, void *data, size_t room);
/* Reads exactly these bytes, or fails the test. */
void wire_expect_raw(struct wire *wire, const void *data, size_t size);
/* The descriptor that came with what was received last. Closed after the test. */
int wire_take_descriptor(struct wire *wire);

#endif
