/* SPDX-License-Identifier: MIT */
/*
 * system_tls_rights.c - who may use which TLS context: those of the configuration, those
 * of other users; their names, their limits, and what a key leaves behind in memory.
 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/tls_peer.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* Two users that own nothing else on any machine; they need no names. */
enum { OWNER_UID = 64001, OTHER_UID = 64002 };

static struct harness *harness;
static char dir[] = "/tmp/sockd-rights-XXXXXX";
static struct wire *admin, *owner, *other;

static const char *const files[] = {"root.pem", "chain.pem", "key.pem"};

static void before(void)
{
    tls_before();
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
    free(cert_write(dir, "root.pem", tls_tree.root->pem));
    free(cert_write(dir, "chain.pem", tls_tree.chain));
    free(cert_write(dir, "key.pem", tls_tree.leaf->key_pem));
}

static void after(void)
{
    char path[64];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    tls_after();
}

/* False: this machine cannot play other users; the test is skipped. */
static bool start(const char *config)
{
    static const char *const args[] = {"--socket-mode", "0666", NULL};
    struct harness_options options = {.args = args, .config = config};

    if (getuid() != 0) {
        unit_skip("only root can be several users");
        return false;
    }
    harness = harness_start(&options);
    admin = wire_open(harness);
    owner = wire_open_as(harness, OWNER_UID, OWNER_UID);
    other = wire_open_as(harness, OTHER_UID, OTHER_UID);
    return true;
}

static size_t n_listed(struct wire *wire)
{
    return json_array_size(
        json_object_get(wire_call(wire, "list-contexts", NULL), "contexts"));
}

static void check_rule(json_t *error, const char *rule)
{
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "rule"), rule);
}

static int64_t make_listener(struct wire *wire, const char *name)
{
    return wire_int(wire_call(wire, "make-socket", "{s:s, s:s, s:s}", "connect",
                              "passive", "local-host", "127.0.0.1", "ssl-context", name),
                    "local-port");
}

/* ---- The configuration ---- */

static void test_configured(void)
{
    char config[2048];

    (void)snprintf(config, sizeof config,
                   "[sockd]\n[context web]\ncertificate = %s/chain.pem\n"
                   "key = %s/key.pem\nalpn = h2,http/1.1\nusers = 64001, root\n"
                   "[context out]\nrole = client\nca-file = %s/root.pem\n",
                   dir, dir, dir);
    if (!start(config)) {
        return;
    }
    CU_ASSERT_EQUAL(n_listed(admin), 2);
    CU_ASSERT_EQUAL(n_listed(owner), 1);
    CU_ASSERT_EQUAL(n_listed(other), 0);
    json_t *web = wire_call(owner, "describe-context", "{s:s}", "context", "web");
    CU_ASSERT_STRING_EQUAL(wire_text(web, "role"), "server");
    CU_ASSERT(json_is_null(json_object_get(json_object_get(web, "owner"), "client")));
    /* It may be used by those it names, and changed by administrators alone. */
    int port = (int)make_listener(owner, "web");
    struct tls_peer_spec spec = tls_client_peer();
    int fd = peer_connect("127.0.0.1", port);
    SSL *peer = tls_peer_new(&spec, fd);
    tls_peer_handshake(peer);
    check_rule(wire_refused(owner, "permission-denied", "close-context", "{s:s}",
                            "context", "web"),
               "context-users");
    check_rule(wire_refused(owner, "permission-denied", "update-context", "{s:s, s:s}",
                            "context", "web", "ca-file", tls_tree.root->pem),
               "context-users");
    check_rule(wire_refused(other, "permission-denied", "make-socket", "{s:s, s:s, s:s}",
                            "connect", "passive", "local-host", "127.0.0.1",
                            "ssl-context", "web"),
               "context-users");
    check_rule(wire_refused(owner, "permission-denied", "describe-context", "{s:s}",
                            "context", "out"),
               "context-users");
    /* A name of one's own comes first. */
    wire_call(owner, "make-ssl-client-context", "{s:s}", "name", "web");
    web = wire_call(owner, "describe-context", "{s:s}", "context", "web");
    CU_ASSERT_STRING_EQUAL(wire_text(web, "role"), "client");
}

static void check_refused(const char *lines, const char *text)
{
    char config[2048];

    (void)snprintf(config, sizeof config,
                   "[context web]\ncertificate = %s/chain.pem\n%s\n", dir, lines);
    struct harness_options options = {.config = config, .expect_errors = true};

    CU_ASSERT_EQUAL(harness_start_refused(&options, text), 2);
}

static void test_bad_configuration(void)
{
    check_refused("", "key");
    check_refused("key = /nowhere/key.pem", "/nowhere/key.pem");
    check_refused("key = key.pem", "absolute path");
    check_refused("name = x", "name");
    check_refused("role = both", "server or client");
    check_refused("users = no-such-user-here", "users");
    check_refused("certificates = x", "certificates");
    check_refused("verify = always", "verify");
    check_refused("method = tlsv1", "method");
}

/* ---- Users ---- */

static void test_others(void)
{
    if (!start(NULL)) {
        return;
    }
    int64_t context = wire_int(
        wire_call(owner, "make-ssl-client-context", "{s:s}", "name", "mine"), "context");

    wire_refused(other, "no-such-context", "describe-context", "{s:s}", "context",
                 "mine");
    check_rule(wire_refused(other, "permission-denied", "describe-context", "{s:I}",
                            "context", context),
               "own-user");
    check_rule(wire_refused(other, "permission-denied", "close-context", "{s:I}",
                            "context", context),
               "own-user");
    CU_ASSERT_EQUAL(n_listed(other), 0);
    CU_ASSERT_EQUAL(n_listed(admin), 1);
    /* Two users, one name; one user, one name. */
    wire_call(other, "make-ssl-client-context", "{s:s}", "name", "mine");
    wire_refused(owner, "invalid-params", "make-ssl-client-context", "{s:s}", "name",
                 "mine");
    wire_refused(owner, "invalid-params", "make-ssl-client-context", "{s:s}", "name",
                 "17");
    /* Another connection of the user may use it, as long as that one lives. */
    struct wire *second = wire_open_as(harness, OWNER_UID, OWNER_UID);
    wire_call(second, "describe-context", "{s:s}", "context", "mine");
    wire_close(owner);
    while (n_listed(second) > 0) {
    }
    wire_refused(second, "no-such-context", "describe-context", "{s:I}", "context",
                 context);
    wire_call(second, "make-ssl-client-context", "{s:s}", "name", "mine");
}

static void test_limits(void)
{
    if (!start("[sockd]\ncontexts-per-user = 2\ncontexts = 3\n")) {
        return;
    }
    json_t *limits = json_object_get(wire_call(owner, "hello", NULL), "limits");
    CU_ASSERT_EQUAL(wire_int(limits, "contexts-per-user"), 2);
    int64_t first =
        wire_int(wire_call(owner, "make-ssl-client-context", NULL), "context");
    wire_call(owner, "make-ssl-client-context", NULL);
    json_t *error = wire_refused(owner, "limit-reached", "make-ssl-client-context", NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "contexts-per-user");
    wire_call(other, "make-ssl-client-context", NULL);
    error = wire_refused(other, "limit-reached", "make-ssl-client-context", NULL);
    CU_ASSERT_STRING_EQUAL(wire_text(json_object_get(error, "data"), "limit"),
                           "contexts");
    wire_call(owner, "close-context", "{s:I}", "context", first);
    wire_call(owner, "make-ssl-client-context", NULL);
}

/* ---- What a key leaves behind ---- */

/* How often a text stands in the memory of the daemon. */
static unsigned n_copies(const char *text)
{
    char path[64], line[512];
    unsigned long begin, end;
    unsigned n = 0;
    char mode[8];

    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)harness_pid(harness));
    FILE *maps = fopen(path, "re");
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)harness_pid(harness));
    int memory = open(path, O_RDONLY | O_CLOEXEC);

    CU_ASSERT_FATAL(maps != NULL && memory >= 0);
    while (fgets(line, sizeof line, maps) != NULL) {
        if (sscanf(line, "%lx-%lx %7s", &begin, &end, mode) != 3 || mode[1] != 'w' ||
            end - begin > 1UL << 28) {
            continue;
        }
        char *bytes = malloc(end - begin);
        ssize_t got = pread(memory, bytes, end - begin, (off_t)begin);
        char *at = bytes;
        while (got > 0 && (at = memmem(at, (size_t)(bytes + got - at), text,
                                       strlen(text))) != NULL) {
            n++;
            at++;
        }
        free(bytes);
    }
    (void)fclose(maps);
    (void)close(memory);
    return n;
}

static void test_key_leaves_nothing(void)
{
    char needle[49] = "";

    if (!start(NULL)) {
        return;
    }
    /* From the middle of the key. */
    memcpy(needle, strchr(tls_tree.leaf->key_pem, '\n') + 9, sizeof needle - 1);
    int64_t context =
        wire_int(wire_call(admin, "make-ssl-server-context", "{s:s, s:s}", "certificate",
                           tls_tree.chain, "key", tls_tree.leaf->key_pem),
                 "context");
    /* The one that an update would begin with. */
    CU_ASSERT_EQUAL(n_copies(needle), 1);
    wire_call(admin, "close-context", "{s:I}", "context", context);
    CU_ASSERT_EQUAL(n_copies(needle), 0);
    /* In a batch, in pieces, and where it is refused. */
    wire_refused(admin, "invalid-params", "make-ssl-client-context", "{s:s, s:s}",
                 "certificate", tls_tree.root->pem, "key", tls_tree.leaf->key_pem);
    wire_refused(admin, "invalid-params", "make-ssl-client-context", "{s:s, s:s}", "key",
                 tls_tree.leaf->key_pem, "no-such-parameter", "x");
    wire_call(admin, "hello", NULL);
    CU_ASSERT_EQUAL(n_copies(needle), 0);
}

static const struct unit_test tests[] = {
    {"contexts of the configuration", test_configured},
    {"a configuration that is wrong", test_bad_configuration},
    {"contexts of other users", test_others},
    {"limits", test_limits},
    {"a key leaves nothing behind", test_key_leaves_nothing},
};

UNIT_MAIN_AROUND(tests, before, after)
