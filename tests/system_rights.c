/* SPDX-License-Identifier: MIT */
/*
 * system_rights.c - every command of the table, tried by each kind of caller: the owner,
 * another user, an administrator.
 *
 * The table says who may call what; this walks all of it, so that no command is
 * forgotten.
 */
#include <config.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/table.h"
#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* Two users that own nothing else on any machine; they need no names. */
enum { OWNER_UID = 64001, OTHER_UID = 64002, GROUP_GID = 64003 };

struct scene {
    struct harness *harness;
    struct wire *owner, *other, *admin;
    int64_t stream, listener, datagram; /* the owner's */
};

static int64_t make(struct wire *wire, const char *type, const char *connect)
{
    return wire_int(wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "type", type,
                              "connect", connect, "local-host", "127.0.0.1"),
                    "socket");
}

/* False: this machine cannot play other users; the test is skipped. */
static bool scene_open(struct scene *scene)
{
    const char *const args[] = {"--socket-mode", "0666", NULL};
    struct harness_options options = {.args = args};
    int port, listener;

    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return false;
    }
    scene->harness = harness_start(&options);
    scene->owner = wire_open_as(scene->harness, OWNER_UID, OWNER_UID);
    scene->other = wire_open_as(scene->harness, OTHER_UID, OTHER_UID);
    scene->admin = wire_open(scene->harness);
    listener = peer_listen("127.0.0.1", &port);
    scene->stream = wire_int(wire_call(scene->owner, "make-socket", "{s:s, s:i}",
                                       "remote-host", "127.0.0.1", "remote-port", port),
                             "socket");
    (void)peer_accept(listener);
    scene->listener = make(scene->owner, "stream", "passive");
    scene->datagram = wire_int(wire_call(scene->owner, "make-socket", "{s:s, s:s}",
                                         "type", "datagram", "local-host", "127.0.0.1"),
                               "socket");
    return true;
}

/* A parameter that a check of types lets pass. */
static json_t *plausible(const struct param_row *row)
{
    size_t size;
    const char *word;

    switch (row->type) {
    case VALUE_BOOL:
        return json_true();
    case VALUE_INT:
    case VALUE_PORT:
    case VALUE_INTERFACE:
        return json_integer(row->min > 1 ? (json_int_t)row->min : 1);
    case VALUE_SECONDS:
        return json_real(1);
    case VALUE_ENUM:
        word = value_word(row->spec, 0, &size);
        return json_stringn(word, size);
    case VALUE_HOST:
    case VALUE_ADDRESS:
        return json_string("127.0.0.1");
    case VALUE_IPV6:
        return json_false();
    case VALUE_STRING:
    case VALUE_DATA:
    case VALUE_HANDLE:
    case VALUE_HANDLES:
    case VALUE_SWITCH:
    case VALUE_FILE:
    case VALUE_REFERENCE:
    case VALUE_REFERENCES:
    case VALUE_PAIRS:
    case VALUE_STRINGS:
    case VALUE_NAMES:
    case VALUE_ENDPOINTS:
    case VALUE_ID:
    case VALUE_JSON:
    case VALUE_OBJECT:
    case VALUE_OBJECTS:
    case VALUE_INCLUDE:
        break;
    }
    return json_string("x");
}

/* The required parameters of a command, its sockets being `socket`. */
static json_t *params_for(const struct command *command, int64_t socket)
{
    json_t *params = json_object();

    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];
        bool is_socket = row->spec && strcmp(row->spec, "socket") == 0;
        if (is_socket && row->type == VALUE_HANDLE && row->required) {
            json_object_set_new(params, row->name, json_integer(socket));
        } else if (is_socket && row->type == VALUE_HANDLES) {
            json_object_set_new(params, row->name, json_pack("[I]", (json_int_t)socket));
        } else if (row->required) {
            json_object_set_new(params, row->name, plausible(row));
        }
    }
    return params;
}

static bool takes_socket(const struct command *command)
{
    for (unsigned i = 0; i < command->n_params; i++) {
        const struct param_row *row = &command->params[i];
        if (row->spec && strcmp(row->spec, "socket") == 0 &&
            (row->required || row->type == VALUE_HANDLES)) {
            return true;
        }
    }
    return false;
}

/* The reply of `wire` to a command on `socket` is permission-denied, and names a rule. */
static void expect_denied(struct wire *wire, const struct command *command,
                          int64_t socket)
{
    json_t *reply = wire_reply(
        wire, wire_send(wire, command->name, "o", params_for(command, socket)));
    json_t *data = json_object_get(json_object_get(reply, "error"), "data");

    if (!data || strcmp(wire_text(data, "identifier"), "permission-denied") != 0) {
        char *text = json_dumps(reply, 0);
        UNIT_FAIL("%s was not denied: %s", command->name, text);
        free(text);
        return;
    }
    CU_ASSERT(strlen(wire_text(data, "rule")) > 0);
}

static void test_others_are_denied(void)
{
    struct scene scene;

    if (!scene_open(&scene)) {
        return;
    }
    for (int id = 0; id < COMMAND_COUNT; id++) {
        const struct command *command = table_command((enum command_id)id);
        if (takes_socket(command)) {
            CU_ASSERT_EQUAL(command->access, ACCESS_OWN);
            expect_denied(scene.other, command, scene.stream);
            expect_denied(scene.other, command, scene.listener);
            expect_denied(scene.other, command, scene.datagram);
        } else if (command->access == ACCESS_ADMIN) {
            expect_denied(scene.other, command, 0);
            expect_denied(scene.owner, command, 0);
        }
    }
    /* Nothing of all that has touched the owner's sockets. */
    (void)wire_call(scene.owner, "describe-socket", "{s:I}", "socket", scene.stream);
    (void)wire_call(scene.owner, "describe-socket", "{s:I}", "socket", scene.listener);
    (void)wire_call(scene.owner, "describe-socket", "{s:I}", "socket", scene.datagram);
}

static void test_rights_are_told(void)
{
    struct scene scene;
    json_t *rights;

    if (!scene_open(&scene)) {
        return;
    }
    rights = json_object_get(
        json_object_get(wire_call(scene.owner, "hello", NULL), "client"), "rights");
    CU_ASSERT_EQUAL(json_array_size(rights), 3);
    rights = json_object_get(
        json_object_get(wire_call(scene.admin, "hello", NULL), "client"), "rights");
    CU_ASSERT_EQUAL(json_array_size(rights), 4);
}

static void test_admin_may(void)
{
    struct scene scene;
    json_t *result;

    if (!scene_open(&scene)) {
        return;
    }
    result = wire_call(scene.admin, "describe-socket", "{s:I}", "socket", scene.stream);
    CU_ASSERT_EQUAL(wire_int(json_object_get(result, "owner"), "uid"), OWNER_UID);
    result = wire_call(scene.admin, "interrupt", "{s:I, s:s}", "socket", scene.stream,
                       "direction", "input");
    CU_ASSERT_EQUAL(wire_int(result, "interrupted"), 0);
    (void)wire_call(scene.admin, "close", "{s:I}", "socket", scene.stream);
    (void)wire_refused(scene.owner, "no-such-socket", "close", "{s:I}", "socket",
                       scene.stream);
    (void)wire_call(scene.admin, "set-log-level", "{s:s, s:s}", "level", "debug",
                    "module", "net");
    (void)wire_refused(scene.admin, "invalid-params", "set-log-level", "{s:s, s:s}",
                       "level", "debug", "module", "kitchen");
    (void)wire_call(scene.admin, "set-log-level", "{s:s}", "level", "info");
}

static void test_lists_show_own(void)
{
    struct scene scene;
    json_t *list;

    if (!scene_open(&scene)) {
        return;
    }
    list = json_object_get(wire_call(scene.owner, "list-sockets", NULL), "sockets");
    CU_ASSERT_EQUAL(json_array_size(list), 3);
    list = json_object_get(wire_call(scene.other, "list-sockets", NULL), "sockets");
    CU_ASSERT_EQUAL(json_array_size(list), 0);
    list = json_object_get(wire_call(scene.admin, "list-sockets", NULL), "sockets");
    CU_ASSERT_EQUAL(json_array_size(list), 3);
    list = json_object_get(wire_call(scene.other, "list-clients", NULL), "clients");
    CU_ASSERT_EQUAL(json_array_size(list), 1);
    list = json_object_get(wire_call(scene.admin, "list-clients", NULL), "clients");
    CU_ASSERT_EQUAL(json_array_size(list), 3);
}

static void test_same_user_shares(void)
{
    struct scene scene;
    struct wire *second;

    if (!scene_open(&scene)) {
        return;
    }
    second = wire_open_as(scene.harness, OWNER_UID, OWNER_UID);
    (void)wire_call(second, "write", "{s:I, s:s}", "socket", scene.stream, "data",
                    "hello");
    /* The socket goes with the connection that made it, not with this one. */
    wire_close(second);
    (void)wire_call(scene.owner, "describe-socket", "{s:I}", "socket", scene.stream);
}

/* Socket files are reached with the rights of the user alone, not with those of the
 * groups that the daemon was started in. */
static void test_groups_of_the_daemon(void)
{
    const gid_t group = GROUP_GID;
    char directory[] = "/tmp/sockd-rights-XXXXXX", path[sizeof directory + 8];
    struct scene scene;

    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return;
    }
    CU_ASSERT_EQUAL_FATAL(setgroups(1, &group), 0);
    bool is_open = scene_open(&scene);
    CU_ASSERT_EQUAL_FATAL(setgroups(0, NULL), 0);
    CU_ASSERT_TRUE_FATAL(is_open);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    CU_ASSERT_EQUAL(chmod(directory, 0755), 0);
    (void)snprintf(path, sizeof path, "%s/socket", directory);
    (void)peer_listen_file(path);
    CU_ASSERT_EQUAL(chown(path, 0, group), 0);
    CU_ASSERT_EQUAL(chmod(path, 0660), 0);
    int64_t id = wire_send(scene.owner, "make-socket", "{s:s, s:s}", "address-family",
                           "file", "remote-filename", path);
    json_t *error = json_object_get(wire_reply(scene.owner, id), "error");
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "errno"), "EACCES");
    (void)wire_call(scene.admin, "make-socket", "{s:s, s:s}", "address-family", "file",
                    "remote-filename", path);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static const struct unit_test tests[] = {
    {"other users are denied every command on a socket", test_others_are_denied},
    {"hello tells the rights", test_rights_are_told},
    {"an administrator may touch every socket", test_admin_may},
    {"lists show what the caller may see", test_lists_show_own},
    {"connections of one user share its sockets", test_same_user_shares},
    {"the groups of the daemon give no rights", test_groups_of_the_daemon},
};

UNIT_MAIN(tests)
