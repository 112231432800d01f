/* SPDX-License-Identifier: MIT */
/*
 * system_tls_reload.c - certificates of the configuration are renewed while streams go
 * on: SIGHUP, and what the service manager is told.
 */
#include <config.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/peer.h"
#include "tests/tls_pair.h"
#include "tests/unit.h"
#include "tests/wire.h"

/* Files of two contexts; what they are renewed with. */
static char dir[] = "/tmp/sockd-reload-XXXXXX";
static struct cert_tree renewed;
static SSL_SESSION *kept; /* of the last that connected */

static const char *const files[] = {"a.pem", "a.key",     "b.pem",
                                    "b.key", "trash.pem", "0123abcd.0"};

static void put(const char *name, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    (void)unlink(path);
    free(cert_write(dir, name, text));
}

static void before(void)
{
    tls_before();
    cert_tree_init(&renewed);
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
    put("a.pem", tls_tree.chain);
    put("a.key", tls_tree.leaf->key_pem);
    put("b.pem", tls_tree.chain);
    put("b.key", tls_tree.leaf->key_pem);
}

static void after(void)
{
    char path[64];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    SSL_SESSION_free(kept);
    kept = NULL;
    cert_tree_fini(&renewed);
    tls_after();
}

static void start(void)
{
    char config[1024];

    (void)snprintf(config, sizeof config,
                   "[context a]\ncertificate = %s/a.pem\nkey = %s/a.key\n"
                   "[context b]\ncertificate = %s/b.pem\nkey = %s/b.key\n",
                   dir, dir, dir, dir);
    pair.harness = harness_start(&(struct harness_options){.config = config});
    pair.wire = wire_open(pair.harness);
}

/* Under ThreadSanitizer a signal is lost now and then, and has to be sent again. */
static void hang_up(void)
{
    do {
        CU_ASSERT_EQUAL_FATAL(kill(harness_pid(pair.harness), SIGHUP), 0);
    } while (!harness_is_told(pair.harness, "RELOADING=1", HARNESS_WAIT_MS / 6));
}

static void reload(const char *outcome)
{
    hang_up();
    harness_await_notice(pair.harness, "READY=1");
    CU_ASSERT(harness_log_has(pair.harness, outcome));
}

/* ---- Listeners, and those who connect ---- */

static json_t *listen_as(const char *context)
{
    return wire_call(pair.wire, "make-socket", "{s:s, s:s, s:s}", "connect", "passive",
                     "local-host", "127.0.0.1", "ssl-context", context);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* Connects, believing this root alone, and offers the session that is kept; tls_peer and
 * pair.sock are the two ends. */
static void visit(const json_t *listener, const struct cert_tree *tree)
{
    struct tls_peer_spec spec = {
        .ca = tree->root->pem, .server_name = "server.test", .session = kept};
    SSL_CTX *context = tls_peer_context(&spec);

    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    pair.peer = peer_connect("127.0.0.1", (int)wire_int(listener, "local-port"));
    tls_peer = tls_peer_open(context, &spec, pair.peer);
    SSL_CTX_free(context);
    tls_peer_handshake(tls_peer);
    pair.sock = wire_int(wire_call(pair.wire, "accept-connection", "{s:I}", "socket",
                                   wire_int(listener, "socket")),
                         "socket");
    tls_talk();
}

static bool was_resumed(void) { return wire_bool(tls_facts(), "resumed"); }

/* ---- Tests ---- */

static void test_renewal(void)
{
    start();
    json_t *listener = json_incref(listen_as("a"));
    visit(listener, &tls_tree);
    visit(listener, &tls_tree);
    CU_ASSERT(was_resumed());
    SSL *old_peer = tls_peer;
    int64_t old_sock = pair.sock;
    put("a.pem", renewed.chain);
    put("a.key", renewed.leaf->key_pem);
    reload("renewed=2 kept=0");
    visit(listener, &renewed);
    CU_ASSERT_FALSE(was_resumed()); /* though the client has offered it */
    visit(listener, &renewed);
    CU_ASSERT(was_resumed());
    tls_peer = old_peer;
    pair.sock = old_sock;
    tls_talk();
    json_decref(listener);
}

/* What is not good stays as it is, and the others are renewed. */
static void test_bad_files(void)
{
    static const char *const broken[] = {NULL, "no PEM", "another's"};

    start();
    json_t *a = json_incref(listen_as("a")), *b = json_incref(listen_as("b"));
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        bool is_even = i % 2 == 0;
        const struct cert_tree *tree = is_even ? &renewed : &tls_tree;
        char path[64];

        put("a.pem", tree->chain);
        put("a.key", tree->leaf->key_pem);
        (void)snprintf(path, sizeof path, "%s/b.key", dir);
        if (broken[i] == NULL) {
            (void)unlink(path);
        } else {
            put("b.key", i == 1 ? broken[i] : renewed.leaf->key_pem);
        }
        reload("renewed=1 kept=1");
        visit(a, tree);
        visit(b, &tls_tree);
    }
    CU_ASSERT(harness_log_has(pair.harness, "A context keeps what it has"));
    CU_ASSERT(harness_log_has(pair.harness, "/b.key: No such file"));
    CU_ASSERT(harness_log_has(pair.harness, "context=b"));
    put("b.pem", renewed.chain);
    reload("renewed=2 kept=0");
    visit(b, &renewed);
    json_decref(a);
    json_decref(b);
}

static bool is_renewed(void *context)
{
    json_t *described = wire_call(pair.wire, "describe-context", "{s:s}", "context", "a");
    json_t *leaf = json_array_get(json_object_get(described, "certificates"), 0);

    (void)context;
    return strcmp(wire_text(leaf, "pem"), renewed.leaf->pem) == 0;
}

/* Signals while a reload is under way: what was written before the last one is seen. Few
 * of them, as nobody reads what the service manager is told. */
static void test_signals_at_once(void)
{
    start();
    CU_ASSERT_FALSE(is_renewed(NULL));
    CU_ASSERT_EQUAL(kill(harness_pid(pair.harness), SIGHUP), 0);
    put("a.key", renewed.leaf->key_pem);
    CU_ASSERT_EQUAL(kill(harness_pid(pair.harness), SIGHUP), 0);
    put("a.pem", renewed.chain);
    hang_up();
    harness_await(is_renewed, NULL, "the new certificate");
}

/* Nothing to read again; and a signal on the way down. */
static void test_without_contexts(void)
{
    pair.harness = harness_start(NULL);
    reload("renewed=0 kept=0");
    CU_ASSERT_EQUAL(kill(harness_pid(pair.harness), SIGHUP), 0);
    harness_stop(pair.harness);
}

/* Text around the certificates in any encoding, and a directory in which the certificates
 * stand under the names of their hashes beside others that nobody wants: the daemon takes
 * from files what the library takes. */
static void test_files_of_people(void)
{
    char config[1024];
    char *text = cert_join("Zertifikat f\xfcr M\xfcller\r\n", tls_tree.chain, NULL);

    put("a.pem", text);
    put("trash.pem", "no PEM");
    put("0123abcd.0", tls_tree.root->pem);
    (void)snprintf(config, sizeof config,
                   "[context a]\ncertificate = %s/a.pem\nkey = %s/a.key\n"
                   "ca-directory = %s\nverify = optional\n",
                   dir, dir, dir);
    pair.harness = harness_start(&(struct harness_options){.config = config});
    pair.wire = wire_open(pair.harness);
    json_t *listener = json_incref(listen_as("a"));

    visit(listener, &tls_tree);
    json_decref(listener);
    reload("renewed=1 kept=0");
    free(text);
}

static const struct unit_test tests[] = {
    {"renewed under streams", test_renewal},
    {"files that are not good", test_bad_files},
    {"signals at once", test_signals_at_once},
    {"files as people have them", test_files_of_people},
    {"no contexts", test_without_contexts},
};

UNIT_MAIN_AROUND(tests, before, after)
