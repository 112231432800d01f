/* SPDX-License-Identifier: MIT */
/*
 * system_protocol.c - JSON-RPC 2.0 by the line: ids, notifications, batches, faults,
 * order.
 */
#include <config.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/base/handle.h"
#include "tests/harness.h"
#include "tests/lines.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

#define IPADDRP "\"method\":\"ipaddrp\",\"params\":{\"object\":1}"
#define ASK(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID "," IPADDRP "}"
#define TRUE_FOR(ID) "{\"jsonrpc\":\"2.0\",\"id\":" ID ",\"result\":{\"value\":true}}"

/* A stream made by `wire` to a peer of the test, whose descriptor is in *peer. */
static int64_t make_stream(struct wire *wire, int *peer)
{
    int port, listener = peer_listen("127.0.0.1", &port);
    json_t *made = wire_call(wire, "make-socket", "{s:s, s:i}", "remote-host",
                             "127.0.0.1", "remote-port", port);

    *peer = peer_accept(listener);
    return wire_int(made, "socket");
}

/* ---- Ids and notifications ------------------------------------------------------------
 */

static void test_ids(void)
{
    static const char *const ids[] = {"1",
                                      "0",
                                      "-17",
                                      "9007199254740993",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "1.5",
                                      "null",
                                      "\"\"",
                                      "\"x\"",
                                      "\"\\\"quoted\\\\ \\u0000 \\u00e9 \\n\"",
                                      "\"gr\303\266\303\237e\""};
    struct lines *lines = lines_open(harness_start(NULL));

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        lines_say(lines, "{\"jsonrpc\":\"2.0\",\"id\":%s," IPADDRP "}", ids[i]);
        json_t *reply = json_loads(lines_hear(lines), JSON_ALLOW_NUL, NULL);
        json_t *id =
            json_loadb(ids[i], strlen(ids[i]), JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
        if (!json_equal(json_object_get(reply, "id"), id)) {
            UNIT_FAIL("the id %s came back as another", ids[i]);
        }
        CU_ASSERT_PTR_NOT_NULL(json_object_get(reply, "result"));
        json_decref(id);
        json_decref(reply);
    }
}

static void test_notifications(void)
{
    struct lines *lines = lines_open(harness_start(NULL));

    lines_say(lines, "{\"jsonrpc\":\"2.0\"," IPADDRP "}");
    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"method\":\"no-such-method\"}");
    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"method\":\"ipaddrp\",\"params\":{\"x\":1}}");
    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"method\":\"ipaddrp\",\"params\":[1]}");
    lines_say(lines,
              "{\"jsonrpc\":\"2.0\",\"method\":\"read\",\"params\":{\"socket\":1}}");
    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"method\":\"statistics\"}");
    lines_settle(lines);
    lines_settle(lines);
}

/* A notification does what it says. */
static void test_notification_acts(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    int peer;
    int64_t socket = make_stream(wire, &peer);

    wire_notify(wire, "write", "{s:I, s:s}", "socket", socket, "data", "quiet");
    peer_expect_text(peer, "quiet");
    wire_notify(wire, "close", "{s:I}", "socket", socket);
    peer_expect_end(peer);
    wire_call(wire, "hello", NULL);
}

/* ---- Faults ---------------------------------------------------------------------------
 */

static void expect_fault(struct lines *lines, const char *text, size_t size,
                         const char *id, int code)
{
    char start[128];

    peer_write(lines_descriptor(lines), text, size);
    peer_write(lines_descriptor(lines), "\n", 1);
    (void)snprintf(start, sizeof start,
                   "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,", id, code);
    const char *line = lines_hear(lines);
    if (line == NULL || strncmp(line, start, strlen(start)) != 0) {
        UNIT_FAIL("%.60s was answered with %s", text, line != NULL ? line : "the end");
    }
}

static void test_invalid_requests(void)
{
    static const struct {
        const char *text, *id;
        int code;
    } rows[] = {
        {"{}", "null", -32600},
        {"1", "null", -32600},
        {"\"hello\"", "null", -32600},
        {"null", "null", -32600},
        {"{\"id\":7,\"method\":\"hello\"}", "7", -32600},
        {"{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"hello\"}", "7", -32600},
        {"{\"jsonrpc\":2.0,\"id\":7,\"method\":\"hello\"}", "7", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":7}", "7", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":7}", "7", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":[7],\"method\":\"hello\"}", "null", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"hello\"}", "null", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"hello\"}", "null", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\",\"params\":1}", "7", -32600},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\",\"params\":[]}", "7",
         -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"Hello\"}", "7", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\"}", "7", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\\u0000\"}", "7", -32601},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\",\"params\":{\"x\":1}}", "7",
         -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"close\",\"params\":{}}", "7",
         -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"close\",\"params\":{\"socket\":"
         "\"a\"}}",
         "7", -32602},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"close\",\"params\":{\"socket\":1}}",
         "7", -32003},
        {"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"close\","
         "\"params\":{\"socket\":9007199254740991}}",
         "7", -32003},
    };
    struct lines *lines = lines_open(harness_start(NULL));

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_fault(lines, rows[i].text, strlen(rows[i].text), rows[i].id, rows[i].code);
    }
    lines_settle(lines);
}

static void test_parse_errors(void)
{
    static const struct {
        const char *text;
        size_t size;
    } rows[] = {
        {"{", 1},
        {"{]", 2},
        {"nonsense", 8},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\"", 41},
        {"{} {}", 5},
        {"{\"a\":\"\\ud800\"}", 14},
        {"{\"a\":\"\xff\"}", 9},
        {"{\"a\":\"\xc0\x80\"}", 10},
        {"{\"a\":\"\xed\xa0\x80\"}", 11},
        {"{\"a\":\"\t\"}", 9},
        {"{\"a\":01}", 8},
        {"{\"a\":NaN}", 9},
        {"{\"a\":1,}", 8},
        {"1\0", 2},
        {"\"a\0b\"", 5},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}\0", 25},
    };
    struct lines *lines = lines_open(harness_start(NULL));

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_fault(lines, rows[i].text, rows[i].size, "null", -32700);
        lines_settle(lines);
    }
}

static void test_bombs(void)
{
    struct lines *lines = lines_open(harness_start(NULL));
    char deep[1000], many[2000];
    size_t size = 0;

    memset(deep, '[', sizeof deep);
    expect_fault(lines, deep, sizeof deep, "null", -32005);
    expect_fault(lines, "{\"a\":1,\"a\":2}", 13, "null", -32005);
    expect_fault(lines, "[{\"id\":1,\"id\":2}]", 17, "null", -32005);
    memset(many, '9', sizeof many);
    expect_fault(lines, many, sizeof many, "null", -32005);
    /* As deep as is allowed: a request whose parameter is a nest of its own. */
    size = (size_t)snprintf(
        deep, sizeof deep,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ipaddrp\",\"params\":{\"object\":");
    for (int i = 0; i < 30; i++) {
        deep[size++] = '[';
    }
    for (int i = 0; i < 30; i++) {
        deep[size++] = ']';
    }
    (void)snprintf(deep + size, sizeof deep - size, "}}");
    lines_say(lines, "%s", deep);
    lines_expect(lines, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"value\":false}}");
    lines_settle(lines);
}

/* ---- Lines ----------------------------------------------------------------------------
 */

static void test_lines_in_pieces(void)
{
    static const char text[] = " \r\n\n" ASK("1") "\r\n\t" ASK("\"gr\303\274n\"") "\n";
    struct lines *lines = lines_open(harness_start(NULL));

    for (size_t i = 0; i < sizeof text - 1; i++) {
        peer_write(lines_descriptor(lines), text + i, 1);
    }
    lines_expect(lines, TRUE_FOR("1"));
    lines_expect(lines, TRUE_FOR("\"gr\303\274n\""));
    lines_settle(lines);
}

/* Requests that do not wait are answered in their order, however many come at once. */
static void test_pipelining(void)
{
    enum { N = 5000 };
    struct lines *lines = lines_open(harness_start(NULL));
    char text[256], *all = NULL;
    size_t size = 0, sent = 0;
    FILE *stream = open_memstream(&all, &size);

    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (int i = 0; i < N; i++) {
        (void)fprintf(stream, "{\"jsonrpc\":\"2.0\",\"id\":%d," IPADDRP "}\n", i);
    }
    CU_ASSERT_EQUAL_FATAL(fclose(stream), 0);
    sent = lines_push(lines, all, size);
    for (int i = 0; i < N; i++) {
        (void)snprintf(text, sizeof text,
                       "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"value\":true}}", i);
        lines_expect(lines, text);
        sent += lines_push(lines, all + sent, size - sent);
    }
    free(all);
    lines_settle(lines);
}

/* Two clients of two workers, one of them working on the other's socket: replies keep the
 * order that operations on one direction of a socket have. */
static void test_pipelining_across_workers(void)
{
    enum { N = 500 };
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *home = wire_open(harness), *far = wire_open(harness);
    char digits[N * 4 + 1];
    int peer;
    int64_t socket, ids[N];

    socket = make_stream(home, &peer);
    for (int i = 0; i < N; i++) {
        (void)snprintf(digits + i * 4, 5, "%04d", i);
        ids[i] = wire_send(far, "write", "{s:I, s:s}", "socket", socket, "data",
                           digits + i * 4);
    }
    for (int i = 0; i < N; i++) {
        CU_ASSERT_EQUAL(wire_int(wire_receive(far), "id"), ids[i]);
    }
    peer_expect(peer, digits, N * 4);
}

/* ---- Batches --------------------------------------------------------------------------
 */

static void test_batch(void)
{
    struct lines *lines = lines_open(harness_start(NULL));

    lines_say(lines, "[" ASK("1") ", " ASK("\"b\"") "]");
    lines_expect(lines, "[" TRUE_FOR("1") "," TRUE_FOR("\"b\"") "]");
    lines_say(lines, "[{\"jsonrpc\":\"2.0\"," IPADDRP "}, " ASK("null") "]");
    lines_expect(lines, "[" TRUE_FOR("null") "]");
    /* Only notifications: nothing. */
    lines_say(lines, "[{\"jsonrpc\":\"2.0\"," IPADDRP "},"
                     "{\"jsonrpc\":\"2.0\",\"method\":\"no-such-method\"}]");
    lines_settle(lines);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        n++;
    }
    return n;
}

static void test_batch_faults(void)
{
    struct lines *lines = lines_open(harness_start(NULL));

    expect_fault(lines, "[]", 2, "null", -32600);
    lines_say(lines, "[1, 2, [], " ASK("4") "]");
    const char *line = lines_hear(lines);
    CU_ASSERT_EQUAL(line[0], '[');
    CU_ASSERT_EQUAL(count(line, "\"code\":-32600"), 3);
    CU_ASSERT_EQUAL(count(line, TRUE_FOR("4")), 1);
    lines_say(lines, "[{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"nix\"}, " ASK("6") "]");
    line = lines_hear(lines);
    CU_ASSERT_EQUAL(count(line, "\"code\":-32601"), 1);
    CU_ASSERT_EQUAL(count(line, TRUE_FOR("6")), 1);
    expect_fault(lines, "[{},", 4, "null", -32700);
    lines_settle(lines);
}

static void test_batch_limit(void)
{
    static const char *const args[] = {"--batch-size", "4", NULL};
    struct harness_options options = {.args = args};
    struct lines *lines = lines_open(harness_start(&options));

    lines_say(lines, "[" ASK("1") "," ASK("2") "," ASK("3") "," ASK("4") "]");
    CU_ASSERT_EQUAL(count(lines_hear(lines), "true"), 4);
    lines_say(lines, "[1,2,3,4,5]");
    const char *line = lines_hear(lines);
    CU_ASSERT_EQUAL(count(line, "\"limit\":\"batch-size\",\"value\":4"), 1);
    CU_ASSERT_EQUAL(count(line, "\"retryable\":false"), 1);
    lines_settle(lines);
}

/* Short requests with long replies do not fill the memory of the daemon. */
static void test_batch_reply_limit(void)
{
    static const char *const args[] = {"--reply-queue-size", "4096", NULL};
    struct harness_options options = {.args = args};
    struct lines *lines = lines_open(harness_start(&options));

    lines_say(lines, "[" ASK("1") ",{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
                                  "\"rpc.discover\"}," ASK("3") "," ASK("4") "]");
    const char *line = lines_hear(lines);
    CU_ASSERT_EQUAL(count(line, TRUE_FOR("1")), 1);
    CU_ASSERT_EQUAL(count(line, "\"id\":2,\"result\":{\"openrpc\":"), 1);
    CU_ASSERT_EQUAL(count(line, "\"limit\":\"reply-queue-size\",\"value\":4096"), 2);
    lines_settle(lines);
}

struct read_bytes {
    struct wire *wire;
    int64_t socket;
};

static bool has_read_one(void *context)
{
    const struct read_bytes *read = context;
    json_t *value =
        wire_call(read->wire, "socket-bytes-read", "{s:I}", "socket", read->socket);

    return wire_int(value, "value") == 1;
}

/* The last line has no line feed, and was held because it might have belonged to a raw
 * stream. */
static void test_end_behind_a_refused_attach(void)
{
    const struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);

    /* Connections go to the workers in turn: each meets each. */
    for (int i = 0; i < 4; i++) {
        struct lines *lines = lines_open(harness);
        char text[300];
        /* A handle of which the number says that it lives at that worker. */
        int n = snprintf(text, sizeof text,
                         "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\",\"params\":"
                         "{\"socket\":%d}}\n" ASK("2"),
                         HANDLE_MAX_WORKERS * 1000 + i / 2);
        CU_ASSERT_EQUAL(lines_push(lines, text, (size_t)n), (size_t)n);
        CU_ASSERT_EQUAL(shutdown(lines_descriptor(lines), SHUT_WR), 0);
        lines_expect_part(lines, "no-such-socket");
        lines_expect(lines, TRUE_FOR("2"));
        lines_expect_end(lines);
    }
}

/* The reply to a batch comes when its last request has ended; others overtake it. */
static void test_batch_waits(void)
{
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *other = wire_open(harness);
    struct lines *lines = lines_open(harness);
    int peer;
    int64_t socket = make_stream(other, &peer);

    lines_say(
        lines,
        "[{\"jsonrpc\":\"2.0\",\"id\":\"wait\",\"method\":\"read\","
        "\"params\":{\"socket\":%lld}}, " ASK(
            "\"now\"") ","
                       "{\"jsonrpc\":\"2.0\",\"id\":\"all\",\"method\":\"list-clients\"},"
                       "{\"jsonrpc\":\"2.0\",\"method\":\"read\",\"params\":{\"socket\":%"
                       "lld}}]",
        (long long)socket, (long long)socket);
    lines_settle(lines);
    lines_settle(lines);
    peer_print(peer, "a");
    harness_await(has_read_one, &(struct read_bytes){other, socket}, "the first read");
    /* The second read, a notification, belongs to the batch as well. */
    lines_settle(lines);
    peer_print(peer, "b");
    const char *line = lines_hear(lines);
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    CU_ASSERT_EQUAL(line[0], '[');
    CU_ASSERT_EQUAL(count(line, TRUE_FOR("\"now\"")), 1);
    CU_ASSERT_EQUAL(count(line, "\"id\":\"all\",\"result\""), 1);
    CU_ASSERT_EQUAL(count(line, "\"id\":\"wait\",\"result\":{\"data\":\"a\""), 1);
    CU_ASSERT_EQUAL(count(line, "\"jsonrpc\""), 3);
}

/* ---- Streams and descriptors among requests -------------------------------------------
 */

static void test_attach_needs_the_connection_alone(void)
{
    struct harness *harness = harness_start(NULL);
    struct wire *wire = wire_open(harness);
    struct lines *lines = lines_open(harness);
    int peer;
    int64_t socket = make_stream(wire, &peer);
    int64_t read = wire_send(wire, "read", "{s:I}", "socket", socket);

    wire_refused(wire, "busy", "attach", "{s:I}", "socket", socket);
    peer_print(peer, "x");
    wire_result(wire, read);
    lines_say(lines,
              "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\","
              "\"params\":{\"socket\":%lld}}]",
              (long long)socket);
    lines_expect_part(lines, "\"identifier\":\"busy\"");
    /* Without an id it would have no reply to begin behind. */
    lines_say(lines,
              "{\"jsonrpc\":\"2.0\",\"method\":\"attach\",\"params\":{\"socket\":%lld}}",
              (long long)socket);
    lines_settle(lines);
    wire_call(wire, "describe-socket", "{s:I}", "socket", socket);
}

/* What follows an attach is the stream's if it succeeds, and requests if it fails. */
static void test_bytes_behind_attach(void)
{
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *wire = wire_open(harness);
    struct lines *lines = lines_open(harness);
    int peer;
    int64_t socket = make_stream(wire, &peer);
    char *line;

    lines_say(lines, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"attach\","
                     "\"params\":{\"socket\":1}}\n" ASK("2") "\n" ASK("3"));
    lines_expect_part(lines, "\"id\":1,\"error\"");
    lines_expect(lines, TRUE_FOR("2"));
    lines_expect(lines, TRUE_FOR("3"));
    CU_ASSERT_TRUE_FATAL(asprintf(&line,
                                  "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"attach\","
                                  "\"params\":{\"socket\":%lld}}",
                                  (long long)socket) > 0);
    lines_say(lines, "%s\nraw\n{}", line);
    free(line);
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(lines_hear(lines), "\"id\":4,\"result\""));
    peer_expect_text(peer, "raw\n{}\n");
    peer_print(peer, "and back\n");
    lines_expect(lines, "and back");
    peer_close(peer);
    lines_expect_end(lines);
}

/* Each descriptor comes with the bytes of its own reply, also in the midst of others. */
static void test_descriptors_in_order(void)
{
    struct harness_options options = {.workers = 2};
    struct harness *harness = harness_start(&options);
    struct wire *home = wire_open(harness), *far = wire_open(harness);
    int peers[2], fds[2];
    int64_t sockets[2], ids[4];

    sockets[0] = make_stream(home, &peers[0]);
    sockets[1] = make_stream(far, &peers[1]);
    ids[0] = wire_send(far, "hello", NULL);
    ids[1] = wire_send(far, "socket-os-fd", "{s:I}", "socket", sockets[0]);
    wire_result(far, ids[0]);
    wire_result(far, ids[1]);
    fds[0] = wire_take_descriptor(far);
    ids[2] = wire_send(far, "socket-os-fd", "{s:I}", "socket", sockets[1]);
    ids[3] = wire_send(far, "hello", NULL);
    wire_result(far, ids[2]);
    wire_result(far, ids[3]);
    fds[1] = wire_take_descriptor(far);
    for (int i = 0; i < 2; i++) {
        peer_print(fds[i], i == 0 ? "first" : "second");
        peer_expect_text(peers[i], i == 0 ? "first" : "second");
    }
}

static const struct unit_test tests[] = {
    {"ids of every kind come back", test_ids},
    {"notifications are never answered", test_notifications},
    {"notifications act", test_notification_acts},
    {"what is no request is refused by its code", test_invalid_requests},
    {"what is no JSON is refused and the connection goes on", test_parse_errors},
    {"depth, duplicates and huge numbers are limits", test_bombs},
    {"lines may come in pieces", test_lines_in_pieces},
    {"pipelined requests are answered in order", test_pipelining},
    {"pipelined requests to another worker keep their order",
     test_pipelining_across_workers},
    {"the replies of a batch are bounded", test_batch_reply_limit},
    {"the end behind a refused attach", test_end_behind_a_refused_attach},
    {"a batch is answered by one line", test_batch},
    {"faults in a batch are told one by one", test_batch_faults},
    {"the size of a batch has a limit", test_batch_limit},
    {"a batch waits for its last request", test_batch_waits},
    {"attach needs the connection alone", test_attach_needs_the_connection_alone},
    {"bytes behind attach belong to the stream", test_bytes_behind_attach},
    {"descriptors come with their replies", test_descriptors_in_order},
};

UNIT_MAIN(tests)
