/* SPDX-License-Identifier: MIT */
/*
 * stream_pair.c - a connected socket of the daemon and its peer, for system tests.
 *
 * Calls harness.c, wire.c and peer.c, which clean up. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/stream_pair.h"

#include <string.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

struct stream_pair pair;

void pair_open(const char *format)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    json_t *made =
        wire_call(pair.wire, "make-socket", "{s:s, s:i, s:s}", "remote-host", "127.0.0.1",
                  "remote-port", port, "format", format != NULL ? format : "bivalent");

    pair.sock = wire_int(made, "socket");
    pair.peer = peer_accept(listener);
    peer_close(listener);
}

void pair_start_with(const struct harness_options *options)
{
    pair.harness = harness_start(options);
    pair.wire = wire_open(pair.harness);
    pair_open(NULL);
}

void pair_start(const char *format)
{
    pair.harness = harness_start(NULL);
    pair.wire = wire_open(pair.harness);
    pair_open(format);
}

bool pair_is_detached(void *context)
{
    (void)context;
    return !wire_bool(pair_runtime(), "attached");
}

bool pair_is_closed(void *context)
{
    int64_t id = wire_send(pair.wire, "socket-type", "{s:I}", "socket", pair.sock);

    (void)context;
    return json_object_get(wire_reply(pair.wire, id), "error") != NULL;
}

void pair_say(const char *text)
{
    int n = (int)strlen(text);

    peer_print(pair.peer, text);
    /* Peeked, so nothing changes. */
    json_t *peeked = wire_call(pair.wire, "peek", "{s:I, s:i, s:s}", "socket", pair.sock,
                               "exactly", n, "encoding", "base64");
    CU_ASSERT_EQUAL(wire_int(peeked, "size"), n);
}

json_t *pair_read(void)
{
    return wire_call(pair.wire, "read", "{s:I}", "socket", pair.sock);
}

json_t *pair_read_as(const char *encoding)
{
    return wire_call(pair.wire, "read", "{s:I, s:s}", "socket", pair.sock, "encoding",
                     encoding);
}

json_t *pair_read_exactly(int n)
{
    return wire_call(pair.wire, "read", "{s:I, s:i}", "socket", pair.sock, "exactly", n);
}

json_t *pair_write(const char *text)
{
    return wire_call(pair.wire, "write", "{s:I, s:s}", "socket", pair.sock, "data", text);
}

json_t *pair_runtime(void)
{
    json_t *described =
        wire_call(pair.wire, "describe-socket", "{s:I}", "socket", pair.sock);

    return json_object_get(described, "runtime");
}

void pair_check_data(const json_t *result, const char *data, const char *encoding)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "data"), data);
    CU_ASSERT_STRING_EQUAL(wire_text(result, "encoding"), encoding);
    CU_ASSERT_FALSE(wire_bool(result, "eof"));
}

void pair_check_end(const json_t *result, const char *data, const char *end)
{
    CU_ASSERT_STRING_EQUAL(wire_text(result, "data"), data);
    CU_ASSERT_TRUE(wire_bool(result, "eof"));
    CU_ASSERT_STRING_EQUAL(wire_text(result, "end"), end);
}
