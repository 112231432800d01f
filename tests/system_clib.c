/* SPDX-License-Identifier: MIT */
/*
 * system_clib.c - look-ups by the C library while its name server hangs: whom they hold
 * up, and what becomes of those that are given up.
 *
 * The C library reads files of the system only, and asks at port 53 only. So the daemon
 * sees files of the test in their places, and a network where the test has that port.
 */
#include <config.h>
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/harness.h"
#include "tests/network.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

enum { THREADS = 2, LOOKUPS = 4, QUESTION_SIZE = 512 };

static const struct file {
    const char *path, *text;
} files[] = {
    {"/etc/resolv.conf", "nameserver 10.9.0.2\noptions timeout:30 attempts:1\n"},
    {"/etc/nsswitch.conf", "hosts: files dns\n"},
};
enum { N_FILES = sizeof files / sizeof files[0] };

static struct harness *harness;
static struct wire *wire;
static int server; /* the name server's socket */

static void uncover(void)
{
    for (int i = 0; i < N_FILES; i++) {
        (void)umount2(files[i].path, MNT_DETACH);
    }
}

/* False: it can't be done here. */
static bool cover(const struct file *file)
{
    char path[] = "/tmp/sockd-file-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0) {
        return false;
    }
    /* Texts that mean nothing, where NULL would do: valgrind wants to see some. */
    bool is_done = fchmod(fd, 0644) == 0 &&
                   write(fd, file->text, strlen(file->text)) > 0 &&
                   mount(path, file->path, "", MS_BIND, "") == 0;

    (void)close(fd);
    (void)unlink(path);
    return is_done;
}

static bool cover_files(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") != 0) {
        return false;
    }
    unit_after_each(uncover);
    for (int i = 0; i < N_FILES; i++) {
        if (!cover(&files[i])) {
            return false;
        }
    }
    return true;
}

static void open_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(53),
                                  .sin_addr.s_addr = htonl(0x0a090002)};

    server = peer_adopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    CU_ASSERT_EQUAL_FATAL(bind(server, (struct sockaddr *)&address, sizeof address), 0);
}

/* A daemon whose C library asks `server`. False: skipped. */
static bool start(void)
{
    static const char *const args[] = {
        "--job-threads", "2", "--lookups-per-user", "4", "--socket-mode", "666", NULL};

    if (!network_start()) {
        return false;
    }
    if (!cover_files()) {
        unit_skip("files of the system can't be covered here");
        return false;
    }
    network_go_far();
    open_server();
    network_go_near();
    harness = harness_start(&(struct harness_options){.args = args});
    wire = wire_open(harness);
    (void)wire_call(wire, "session-defaults", "{s:s}", "dns-mode", "clib");
    return true;
}

static int64_t look_up(const char *name)
{
    return wire_send(wire, "lookup-hostname", "{s:s}", "host", name);
}

/* A look-up that is under way at the name server. */
struct question {
    unsigned char message[QUESTION_SIZE];
    size_t size;
    struct sockaddr_storage from;
    socklen_t from_size;
};

static void take_question(struct question *question)
{
    question->from_size = sizeof question->from;
    peer_await(server, POLLIN, "a question of the C library");
    ssize_t n = recvfrom(server, question->message, QUESTION_SIZE, 0,
                         (struct sockaddr *)&question->from, &question->from_size);

    CU_ASSERT_TRUE_FATAL(n > 12);
    question->size = (size_t)n;
}

/* There is no such name. */
static void deny(struct question *question)
{
    question->message[2] |= 0x80;
    question->message[3] = 3;
    CU_ASSERT_EQUAL(sendto(server, question->message, question->size, 0,
                           (struct sockaddr *)&question->from, question->from_size),
                    (ssize_t)question->size);
}

static void cancel(int64_t id)
{
    (void)wire_call(wire, "cancel", "{s:I}", "request", id);
    (void)wire_error(wire, id, "cancelled");
}

static void expect_limit(void)
{
    json_t *error =
        wire_refused(wire, "limit-reached", "lookup-hostname", "{s:s}", "host", "z.test");

    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "lookups-per-user");
}

static bool is_let_in(void *context)
{
    int64_t *id = context;

    *id = look_up("late.test");
    (void)wire_call(wire, "hello", NULL);
    if (!wire_is_answered(wire, *id)) {
        return true;
    }
    (void)wire_error(wire, *id, "limit-reached");
    return false;
}

/* Those that no thread has begun with end at once. Those that hang count until the C
 * library comes back, since they hold a thread. */
static void test_given_up(void)
{
    struct question questions[THREADS];
    int64_t ids[LOOKUPS], late;

    if (!start()) {
        return;
    }
    ids[0] = look_up("a.test");
    ids[1] = look_up("b.test");
    take_question(&questions[0]);
    take_question(&questions[1]);
    ids[2] = look_up("c.test");
    ids[3] = look_up("d.test");
    expect_limit();
    cancel(ids[2]);
    cancel(ids[3]);
    ids[2] = look_up("e.test");
    ids[3] = look_up("f.test");
    expect_limit();
    cancel(ids[0]);
    cancel(ids[1]);
    expect_limit();
    cancel(ids[2]);
    (void)wire_error(
        wire,
        wire_send(wire, "lookup-hostname", "{s:s, s:i}", "host", "g.test", "timeout", 0),
        "timeout");
    /* A thread comes back: its place is free, and the next in the queue is asked for. */
    deny(&questions[0]);
    take_question(&questions[0]);
    CU_ASSERT_PTR_NOT_NULL(
        memmem(questions[0].message, questions[0].size, "\1f\4test", 7));
    late = look_up("late.test");
    CU_ASSERT_FALSE(wire_is_answered(wire, late));
    deny(&questions[0]);
    (void)wire_error(wire, ids[3], "host-not-found");
    take_question(&questions[0]);
    deny(&questions[0]);
    (void)wire_error(wire, late, "host-not-found");
    deny(&questions[1]);
    harness_await(is_let_in, &late, "room for a look-up");
    take_question(&questions[0]);
    deny(&questions[0]);
    (void)wire_error(wire, late, "host-not-found");
}

/* Neither a client of a user nobody has seen before nor a context waits for a thread. */
static void test_others_go_on(void)
{
    struct question questions[THREADS];
    int64_t ids[LOOKUPS];

    if (!start()) {
        return;
    }
    for (int i = 0; i < LOOKUPS; i++) {
        char name[] = "a.test";
        name[0] = (char)('a' + i);
        ids[i] = look_up(name);
    }
    take_question(&questions[0]);
    take_question(&questions[1]);
    (void)wire_call(wire, "make-ssl-client-context", "{s:b}", "verify", 0);
    (void)wire_call(wire_open_as(harness, 65534, 65534), "hello", NULL);
    CU_ASSERT_STRING_EQUAL(
        wire_text(wire_call(wire, "lookup-hostname", "{s:s}", "host", "localhost"),
                  "value"),
        "127.0.0.1");
    for (int i = 0; i < LOOKUPS; i++) {
        CU_ASSERT_FALSE(wire_is_answered(wire, ids[i]));
    }
    for (int i = 0; i < LOOKUPS; i++) {
        deny(&questions[i % THREADS]);
        if (i < LOOKUPS - THREADS) {
            take_question(&questions[i % THREADS]);
        }
    }
    for (int i = 0; i < LOOKUPS; i++) {
        (void)wire_error(wire, ids[i], "host-not-found");
    }
}

static const struct unit_test tests[] = {
    {"look-ups that are given up make room", test_given_up},
    {"look-ups that hang hold up nobody else", test_others_go_on},
};

UNIT_MAIN(tests)
