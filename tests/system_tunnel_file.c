/* SPDX-License-Identifier: MIT */
/*
 * system_tunnel_file.c - the socket file that a tunnel listens at: its mode, its owner
 * and its group, who may ask for them, and that nobody connects before they are set.
 */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tunnel_rig.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* Users and groups that own nothing else on any machine; they need no names. */
enum { OWNER_UID = 64001, OTHER_UID = 64002, ADMIN_UID = 64003, GROUP_GID = 64004 };

static char path[108]; /* of the socket file */

/* A daemon under the umask, which all users may use. */
static void start(mode_t mask)
{
    const char *const args[] = {"--socket-mode", "0666", "--admin-group", "64004", NULL};
    const struct harness_options options = {.args = args};
    mode_t before = umask(mask);

    tunnel_rig_start_with(&options);
    (void)umask(before);
    (void)snprintf(path, sizeof path, "%s/file", harness_directory(tunnel_rig.harness));
}

/* False: the test is skipped. */
static bool plays_users(void)
{
    if (getuid() != 0) {
        unit_skip("only root can be several users");
    }
    return getuid() == 0;
}

/* The parameters of a tunnel from the file, and `more`, a reference of which is taken. */
static json_t *from_file(json_t *more)
{
    json_t *params =
        json_pack("{s:{s:s, s:s}, s:{s:s, s:s}}", "listen", "address-family", "file",
                  "local-filename", path, "connect", "address-family", "file",
                  "remote-filename", "/nonexistent");

    CU_ASSERT_EQUAL(json_object_update(params, more), 0);
    json_decref(more);
    return params;
}

static int64_t open_tunnel(struct wire *by, json_t *more)
{
    return wire_int(wire_call(by, "make-tunnel", "o", from_file(more)), "tunnel");
}

static void close_tunnel(struct wire *by, int64_t tunnel)
{
    wire_call(by, "close-tunnel", "{s:I}", "tunnel", tunnel);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
}

/* The error names the parameter, and no file is left. */
static json_t *expect_refused(struct wire *by, const char *identifier,
                              const char *parameter, json_t *more)
{
    json_t *error = wire_refused(by, identifier, "make-tunnel", "o", from_file(more));
    json_t *data = json_object_get(error, "data");

    CU_ASSERT_STRING_EQUAL(wire_text(data, "parameter"), parameter);
    CU_ASSERT_EQUAL(access(path, F_OK), -1);
    return data;
}

static struct stat file_now(void)
{
    struct stat info = {0};

    CU_ASSERT_EQUAL(lstat(path, &info), 0);
    CU_ASSERT_TRUE(S_ISSOCK(info.st_mode));
    return info;
}

static unsigned mode_now(void) { return file_now().st_mode & 07777; }

/* ---- The mode ---- */

static void test_mode(void)
{
    static const struct {
        const char *text;
        unsigned mode;
    } cases[] = {{"0660", 0660}, {"777", 0777}, {"606", 0606}, {"0", 0}, {"2", 2}};
    static const char *const bad[] = {"8", "rw", "1000", "4755", "-1", " 660", "0x1"};

    start(077);
    int64_t tunnel = open_tunnel(tunnel_rig.wire, json_object());
    CU_ASSERT_EQUAL(mode_now(), 0700);
    close_tunnel(tunnel_rig.wire, tunnel);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tunnel = open_tunnel(tunnel_rig.wire,
                             json_pack("{s:s}", "listen-mode", cases[i].text));
        CU_ASSERT_EQUAL(mode_now(), cases[i].mode);
        close_tunnel(tunnel_rig.wire, tunnel);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        expect_refused(tunnel_rig.wire, "invalid-params", "listen-mode",
                       json_pack("{s:s}", "listen-mode", bad[i]));
    }
    wire_refused(tunnel_rig.wire, "invalid-params", "make-tunnel",
                 "{s:{s:s}, s:{s:s, s:s}, s:s}", "listen", "local-host", "127.0.0.1",
                 "connect", "address-family", "file", "remote-filename", path,
                 "listen-mode", "0600");
}

/* What was left by a daemon that was killed is replaced, also where its rights were
 * others. */
static void test_stale_file(void)
{
    start(022);
    (void)open_tunnel(tunnel_rig.wire, json_pack("{s:s}", "listen-mode", "0602"));
    char left[sizeof path];
    memcpy(left, path, sizeof left);
    harness_kill(tunnel_rig.harness);
    start(022);
    memcpy(path, left, sizeof path);
    CU_ASSERT_EQUAL(mode_now(), 0602);
    int64_t tunnel =
        open_tunnel(tunnel_rig.wire, json_pack("{s:s}", "listen-mode", "0640"));
    CU_ASSERT_EQUAL(mode_now(), 0640);
    /* One that is alive is left alone. */
    wire_refused(tunnel_rig.wire, "address-in-use", "make-tunnel", "o",
                 from_file(json_pack("{s:s}", "listen-mode", "0666")));
    CU_ASSERT_EQUAL(mode_now(), 0640);
    close_tunnel(tunnel_rig.wire, tunnel);
}

/* ---- Owner and group ---- */

static void test_owner_and_group(void)
{
    if (!plays_users()) {
        return;
    }
    start(022);
    int64_t tunnel =
        open_tunnel(tunnel_rig.wire, json_pack("{s:s, s:s}", "listen-owner", "64001",
                                               "listen-group", "64004"));
    struct stat info = file_now();
    CU_ASSERT_EQUAL(info.st_uid, OWNER_UID);
    CU_ASSERT_EQUAL(info.st_gid, GROUP_GID);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0660);
    close_tunnel(tunnel_rig.wire, tunnel);

    tunnel = open_tunnel(tunnel_rig.wire, json_pack("{s:s, s:s}", "listen-group", "64004",
                                                    "listen-mode", "0620"));
    info = file_now();
    CU_ASSERT_EQUAL(info.st_uid, 0);
    CU_ASSERT_EQUAL(info.st_gid, GROUP_GID);
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0620);
    close_tunnel(tunnel_rig.wire, tunnel);
}

/* The user and group that the test runs as, which every daemon may name. */
static void test_names(void)
{
    const struct group *group = getgrgid(getgid()); /* allowed: one thread */
    char user[32];

    if (group == NULL) {
        unit_skip("the group has no name");
        return;
    }
    start(022);
    (void)snprintf(user, sizeof user, "%lu", (unsigned long)getuid());
    int64_t tunnel =
        open_tunnel(tunnel_rig.wire, json_pack("{s:s, s:s}", "listen-owner", user,
                                               "listen-group", group->gr_name));
    CU_ASSERT_EQUAL(file_now().st_gid, getgid());
    close_tunnel(tunnel_rig.wire, tunnel);
    expect_refused(tunnel_rig.wire, "invalid-params", "listen-owner",
                   json_pack("{s:s}", "listen-owner", "no such user"));
    expect_refused(
        tunnel_rig.wire, "invalid-params", "listen-group",
        json_pack("{s:s, s:s}", "listen-owner", user, "listen-group", "no such group"));
    /* Whoever asked goes away while the names are looked up, or before or after. */
    for (unsigned i = 0; i < 20; i++) {
        struct wire *leaver = wire_open(tunnel_rig.harness);
        wire_send(leaver, "make-tunnel", "o",
                  from_file(json_pack("{s:s}", "listen-group", group->gr_name)));
        wire_close(leaver);
    }
    rig_await_sockets(0);
}

/* ---- Who may ask for it ---- */

static void test_other_users(void)
{
    static const char *const parameters[] = {"listen-owner", "listen-group"};

    if (!plays_users()) {
        return;
    }
    start(022);
    CU_ASSERT_EQUAL(chmod(harness_directory(tunnel_rig.harness), 0777), 0);
    struct wire *user = wire_open_as(tunnel_rig.harness, OWNER_UID, OWNER_UID);
    for (unsigned i = 0; i < 2; i++) {
        const json_t *data = expect_refused(user, "permission-denied", parameters[i],
                                            json_pack("{s:s}", parameters[i], "0"));
        CU_ASSERT_STRING_EQUAL(wire_text(data, "rule"), "admin");
    }
    expect_refused(user, "permission-denied", "log-connections",
                   json_pack("{s:b}", "log-connections", 1));
    int64_t tunnel = open_tunnel(user, json_pack("{s:s}", "listen-mode", "0646"));
    struct stat info = file_now();
    CU_ASSERT_EQUAL(info.st_mode & 07777, 0646);
    CU_ASSERT_EQUAL(info.st_uid, OWNER_UID);
    close_tunnel(user, tunnel);

    /* An administrator has no more rights on files than the system gives him. */
    struct wire *admin = wire_open_as(tunnel_rig.harness, ADMIN_UID, GROUP_GID);
    expect_refused(admin, "permission-denied", "listen-owner",
                   json_pack("{s:s}", "listen-owner", "0"));
    expect_refused(admin, "permission-denied", "listen-group",
                   json_pack("{s:s}", "listen-group", "0"));
    tunnel = open_tunnel(admin, json_pack("{s:s}", "listen-group", "64004"));
    CU_ASSERT_EQUAL(file_now().st_gid, GROUP_GID);
    close_tunnel(admin, tunnel);
}

/* Another user, who tries to connect until `stop` ends. Status 0: was never let in. */
static int knock(int stop)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char byte;

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (setgroups(0, NULL) != 0 || setgid(OTHER_UID) != 0 || setuid(OTHER_UID) != 0) {
        return 2;
    }
    while (recv(stop, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            return 1;
        }
        close(fd);
    }
    return 0;
}

/* Who may not connect in the end may not connect at the beginning, whatever the umask. */
static void test_no_gap(void)
{
    int stop[2], status = -1;

    if (!plays_users()) {
        return;
    }
    start(0);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop), 0);
    pid_t child = fork();
    CU_ASSERT_TRUE_FATAL(child >= 0);
    if (child == 0) {
        close(stop[1]);
        _exit(knock(stop[0]));
    }
    close(stop[0]);
    for (unsigned i = 0; i < 300; i++) {
        int64_t tunnel =
            open_tunnel(tunnel_rig.wire, json_pack("{s:s, s:s}", "listen-group", "64004",
                                                   "listen-mode", "0660"));
        close_tunnel(tunnel_rig.wire, tunnel);
    }
    close(stop[1]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);

    /* He can be let in: the same program finds that out. */
    (void)open_tunnel(tunnel_rig.wire, json_pack("{s:s}", "listen-mode", "0602"));
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stop), 0);
    child = fork();
    CU_ASSERT_TRUE_FATAL(child >= 0);
    if (child == 0) {
        close(stop[1]);
        _exit(knock(stop[0]));
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(stop[0]);
    close(stop[1]);
}

static const struct unit_test tests[] = {
    {"its mode", test_mode},
    {"a stale file with other rights", test_stale_file},
    {"its owner and group", test_owner_and_group},
    {"their names", test_names},
    {"who may ask for what", test_other_users},
    {"nobody connects before the rights are set", test_no_gap},
};

UNIT_MAIN(tests)
