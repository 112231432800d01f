/* SPDX-License-Identifier: MIT */
/*
 * unit_tls_context.c - tls_context.c, tls_method.c, tls_ciphers.c, tls_pem.c,
 * tls_trust.c, tls_choice.c: what a context accepts, what it refuses, and how it says so.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/net/certificate.h"
#include "daemon/net/tls_library.h"
#include "daemon/net/tls_parts.h"
#include "daemon/net/tls_trust.h"
#include "tests/tls_ends.h"
#include "tests/unit.h"

static struct tls_config config; /* of a good server, for each test to change */

static void before(void)
{
    ends_start();
    tls_config_init(&config, TLS_SERVER);
    config.certificate = text_of(ends_tree.chain);
    config.key = text_of(ends_tree.leaf->key_pem);
}

static void after(void) { ends_stop(); }

static struct error last;

/* The parameter that is refused; "" when it is another error; "none": it is accepted. */
static const char *refusal(void)
{
    static char parameter[64];
    struct tls_context *context = tls_context_new(&config, &last);

    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    if (context != NULL) {
        tls_context_unref(context);
        return "none";
    }
    (void)snprintf(parameter, sizeof parameter, "%s", last.parameter);
    CU_ASSERT(last.message[0] != 0);
    return parameter;
}

#define REFUSED(PARAMETER) CU_ASSERT_STRING_EQUAL(refusal(), PARAMETER)
#define ACCEPTED() CU_ASSERT_STRING_EQUAL(refusal(), "none")

/* ---- Methods ---- */

static unsigned versions_of(const char *first, const char *second, enum error_id *id)
{
    const char *words[] = {first, second};
    unsigned versions = 0;
    struct error error = {.id = ERROR_NONE};

    if (!tls_versions_read(words, second != NULL ? 2 : 1, &versions, &error)) {
        CU_ASSERT_EQUAL(versions, 0);
    }
    *id = error.id;
    return versions;
}

static void test_methods(void)
{
    static const struct {
        const char *first, *second;
        unsigned versions;
        enum error_id id;
    } cases[] = {
        {"tls", NULL, TLS_VERSION_1_2 | TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.3", NULL, TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.2", NULL, TLS_VERSION_1_2, ERROR_NONE},
        {"tlsv1.1", NULL, TLS_VERSION_1_1, ERROR_NONE},
        {"tlsv1", NULL, TLS_VERSION_1_0, ERROR_NONE},
        {"tlsv1.3+", NULL, TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.2+", NULL, TLS_VERSION_1_2 | TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.1+", NULL, 14, ERROR_NONE},
        {"tlsv1+", NULL, 15, ERROR_NONE},
        {"tlsv1.2", "tlsv1.3", TLS_VERSION_1_2 | TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.3", "tlsv1", TLS_VERSION_1_0 | TLS_VERSION_1_3, ERROR_NONE},
        {"tlsv1.2+", "tlsv1.3", 0, ERROR_INVALID_PARAMS},
        {"tls", "tlsv1.3", 0, ERROR_INVALID_PARAMS},
        {"sslv2", NULL, 0, ERROR_NOT_SUPPORTED},
        {"sslv3", NULL, 0, ERROR_NOT_SUPPORTED},
        {"sslv23", NULL, 0, ERROR_NOT_SUPPORTED},
        {"sslv3+", NULL, 0, ERROR_NOT_SUPPORTED},
        {"tlsv1.2", "sslv3", 0, ERROR_NOT_SUPPORTED},
        {"TLSv1.2", NULL, 0, ERROR_INVALID_PARAMS},
        {"", NULL, 0, ERROR_INVALID_PARAMS},
        {"dtls", NULL, 0, ERROR_INVALID_PARAMS},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum error_id id;
        CU_ASSERT_EQUAL(versions_of(cases[i].first, cases[i].second, &id),
                        cases[i].versions);
        CU_ASSERT_EQUAL(id, cases[i].id);
    }
    CU_ASSERT_STRING_EQUAL(tls_version_name(TLS_VERSION_1_1), "tlsv1.1");
}

static void test_weak_methods(void)
{
    config.versions = TLS_VERSION_1_0 | TLS_VERSION_1_2;
    REFUSED("");
    CU_ASSERT_EQUAL(last.id, ERROR_PERMISSION_DENIED);
    CU_ASSERT_STRING_EQUAL(last.subject, "allow-weak-tls");
    config.allows_weak = true;
    ACCEPTED();
}

/* ---- Ciphers ---- */

static void test_ciphers(void)
{
    static const struct {
        const char *ciphers, *refused;
    } cases[] = {
        {"HIGH:!aNULL", "none"},
        {"ECDHE-ECDSA-AES128-GCM-SHA256", "none"},
        {"ECDHE-ECDSA-AES128-GCM-SHA256:NO-SUCH-CIPHER", "none"},
        {"NO-SUCH-CIPHER", "ciphers"},
        {"", "ciphers"},
        {"NULL-SHA256:@SECLEVEL=0", "ciphers"},
        {"DEFAULT:@SECLEVEL=0", "ciphers"},
        {"DEFAULT:@SECLEVEL=3", "none"},
        {"ALL:aNULL:@SECLEVEL=0", "ciphers"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config.ciphers = cases[i].ciphers;
        REFUSED(cases[i].refused);
    }
    /* The level of the list counts before the certificate: one for which P-256 is too
     * small. */
    config.ciphers = "DEFAULT:@SECLEVEL=5";
    CU_ASSERT_STRING_NOT_EQUAL(refusal(), "none");
    config.ciphers = "DEFAULT:@SECLEVEL=0";
    config.allows_weak = true;
    ACCEPTED();
}

static void test_ciphersuites(void)
{
    config.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
    ACCEPTED();
    config.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_NO_SUCH_SUITE";
    REFUSED("ciphersuites");
    config.ciphersuites = "";
    REFUSED("ciphersuites");
    config.ciphersuites = NULL;
    config.groups = "X25519:P-256";
    ACCEPTED();
    config.groups = "X25519:P-1";
    REFUSED("groups");
}

/* A list with nothing for the only version there is. */
static void test_nothing_left(void)
{
    config.versions = TLS_VERSION_1_2;
    config.ciphersuites = "TLS_AES_128_GCM_SHA256";
    ACCEPTED();
    config.ciphers = "TLS_AES_128_GCM_SHA256";
    REFUSED("ciphers");
}

/* ---- Certificates and keys ---- */

static void test_certificate(void)
{
    config.certificate = (struct tls_text){0};
    REFUSED("certificate");
    config.certificate = text_of("-----BEGIN CERTIFICATE-----\nAAAA\n");
    REFUSED("certificate");
    config.certificate = text_of("not PEM at all");
    REFUSED("certificate");
    config.certificate = text_of("");
    REFUSED("certificate");
    config.certificate = text_of(ends_tree.middle->pem);
    REFUSED("key"); /* it does not fit */
    CU_ASSERT_STRING_EQUAL(last.reason, "key values mismatch");
}

static void test_key(void)
{
    char *both = cert_join(ends_tree.chain, ends_tree.leaf->key_pem, NULL);
    char *reverse = cert_join(ends_tree.leaf->key_pem, ends_tree.chain, NULL);

    config.key = text_of(ends_tree.root->key_pem);
    REFUSED("key");
    config.key = text_of(ends_tree.chain);
    REFUSED("key");
    config.key =
        text_of("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    REFUSED("key");
    config.key = (struct tls_text){0};
    REFUSED("key"); /* and there is none with the certificate */
    config.certificate = text_of(both);
    ACCEPTED();
    config.certificate = text_of(reverse);
    ACCEPTED();
    tls_config_init(&config, TLS_CLIENT);
    config.key = text_of(ends_tree.leaf->key_pem);
    REFUSED("certificate");
    free(both);
    free(reverse);
}

static void test_key_forms(void)
{
    static const enum cert_key kinds[] = {CERT_P256, CERT_P384, CERT_ED25519,
                                          CERT_RSA_2048};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct cert *cert = cert_new(&(struct cert_spec){.name = "x", .key = kinds[i]});
        config.certificate = text_of(cert->pem);
        for (unsigned form = CERT_KEY_PKCS8; form <= CERT_KEY_ENCRYPTED; form++) {
            if (kinds[i] == CERT_ED25519 && form == CERT_KEY_TRADITIONAL) {
                continue; /* there is no such form */
            }
            char *key = cert_key_text(cert, (enum cert_key_form)form, "open sesame");
            config.key = text_of(key);
            config.password = form == CERT_KEY_ENCRYPTED ? text_of("open sesame")
                                                         : (struct tls_text){0};
            ACCEPTED();
            free(key);
        }
        cert_free(cert);
    }
}

static void test_password(void)
{
    char *key = cert_key_text(ends_tree.leaf, CERT_KEY_ENCRYPTED, "right");
    char *line;

    config.key = text_of(key);
    REFUSED("certificate-password");
    CU_ASSERT(strstr(last.wanted, "encrypted") != NULL);
    config.password = text_of("wrong");
    REFUSED("certificate-password");
    config.password = text_of("");
    REFUSED("certificate-password");
    config.password = text_of("right");
    ACCEPTED();
    /* Longer than OpenSSL has room for. */
    CU_ASSERT_FATAL(asprintf(&line, "%02000d", 1) > 0);
    config.password = text_of(line);
    REFUSED("certificate-password");
    /* One that nobody needs. */
    config.key = text_of(ends_tree.leaf->key_pem);
    ACCEPTED();
    free(line);
    free(key);
}

static void test_weak_key(void)
{
    struct cert *cert = cert_new(&(struct cert_spec){.name = "x", .key = CERT_RSA_1024});

    config.certificate = text_of(cert->pem);
    config.key = text_of(cert->key_pem);
    REFUSED("certificate");
    CU_ASSERT_STRING_EQUAL(last.reason, "ee key too small");
    cert_free(cert);
}

/* ---- Trust ---- */

static void test_trust(void)
{
    config.verify = TLS_VERIFY_REQUIRED;
    REFUSED("ca-file"); /* not every public authority vouches for our clients */
    config.ca = text_of("nonsense");
    REFUSED("ca-file");
    config.ca = text_of(ends_tree.root->pem);
    ACCEPTED();
    config.ca_directory = text_of("nonsense");
    REFUSED("ca-directory");
    config.ca_directory = text_of(ends_tree.root->pem); /* the same one twice */
    ACCEPTED();
    config.crl = text_of(ends_tree.root->pem);
    REFUSED("crl-file");
    config.verify = TLS_VERIFY_REQUEST;
    config.ca = config.ca_directory = config.crl = (struct tls_text){0};
    ACCEPTED();
}

/* The system's certificates: a bundle, a hashed directory, both read anew when they
 * change. */
static void test_system_trust(void)
{
    char directory[] = "sockd-trust-XXXXXX";
    struct tls_config client;
    STACK_OF(X509_NAME) * names;
    struct error error;

    tls_config_init(&client, TLS_CLIENT);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    char *hashed = cert_write(directory, "0a1b2c3d.0", ends_tree.root->pem);
    char *other = cert_write(directory, "README", ends_tree.middle->pem);
    char *bundle = cert_write(directory, "bundle.pem", ends_tree.chain);

    (void)setenv("SSL_CERT_FILE", bundle, 1);
    for (unsigned i = 0; i < 2; i++) {
        X509_STORE *store = tls_trust_new(&client, &names, &error);
        STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);
        X509_STORE *again;
        STACK_OF(X509_NAME) * more;

        CU_ASSERT_EQUAL(sk_X509_num(all), i == 0 ? 2 : 1);
        again = tls_trust_new(&client, &more, &error);
        CU_ASSERT_PTR_EQUAL(again, store); /* one for all */
        X509_STORE_free(again);
        X509_STORE_free(store);
        sk_X509_pop_free(all, X509_free);
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        sk_X509_NAME_pop_free(more, X509_NAME_free);
        (void)setenv("SSL_CERT_FILE", "sockd-no-such-file", 1);
        (void)setenv("SSL_CERT_DIR", directory, 1);
    }
    (void)unsetenv("SSL_CERT_FILE");
    (void)unsetenv("SSL_CERT_DIR");
    tls_trust_reset();
    CU_ASSERT(unlink(hashed) == 0 && unlink(other) == 0 && unlink(bundle) == 0);
    CU_ASSERT(rmdir(directory) == 0);
    free(hashed);
    free(other);
    free(bundle);
}

/* ---- Names, numbers, protocols ---- */

static void test_server_name(void)
{
    static const struct {
        const char *name, *refused;
    } cases[] = {
        {"a.test", "none"},
        {"*.a.test", "none"},
        {"A.TEST.", "none"},
        {"under_score.x", "none"},
        {"", "server-name"},
        {"a..test", "server-name"},
        {".a.test", "server-name"},
        {"a b", "server-name"},
        {"caf\u00e9.test", "server-name"},
        {"a/b", "server-name"},
        {"*.*.test", "server-name"},
        {"0123456789012345678901234567890123456789012345678901234567890123.x",
         "server-name"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config.server_name = cases[i].name;
        REFUSED(cases[i].refused);
    }
}

static void test_numbers(void)
{
    config.max_depth = -1;
    REFUSED("max-depth");
    config.max_depth = 101;
    REFUSED("max-depth");
    config.max_depth = 100;
    config.n_tickets = 17;
    REFUSED("tickets");
    config.n_tickets = 0;
    ACCEPTED();
}

static void test_alpn(void)
{
    static const char *const good[] = {"h2", "http/1.1"};
    static const char *const empty[] = {"h2", ""};
    char *line;

    config.alpn = good;
    config.n_alpn = 2;
    ACCEPTED();
    config.alpn = empty;
    REFUSED("alpn");
    CU_ASSERT_FATAL(asprintf(&line, "%0256d", 1) > 0);
    config.alpn = (const char *const[]){line};
    config.n_alpn = 1;
    REFUSED("alpn");
    free(line);
}

/* ---- The whole ---- */

static void test_describe(void)
{
    struct tls_context *context = ends_context(&config);
    struct tls_context_facts facts;
    struct certificate_list list = {0};

    tls_context_describe(context, &facts);
    CU_ASSERT_EQUAL(facts.role, TLS_SERVER);
    CU_ASSERT_EQUAL(facts.versions, TLS_VERSIONS_DEFAULT);
    CU_ASSERT_EQUAL(facts.verify, TLS_VERIFY_NONE);
    CU_ASSERT_EQUAL(facts.max_depth, 10);
    CU_ASSERT(facts.has_certificate && facts.has_sessions);
    CU_ASSERT_PTR_NULL(facts.server_name);
    tls_context_certificates(context, &list);
    CU_ASSERT_EQUAL_FATAL(list.n, 2);
    CU_ASSERT_STRING_EQUAL(list.items[0]->pem, ends_tree.leaf->pem);
    CU_ASSERT_STRING_EQUAL(list.items[1]->pem, ends_tree.middle->pem);
    certificate_list_fini(&list);
    tls_context_unref(context);
    tls_config_init(&config, TLS_CLIENT);
    context = ends_context(&config);
    tls_context_describe(context, &facts);
    CU_ASSERT_EQUAL(facts.verify, TLS_VERIFY_REQUIRED);
    CU_ASSERT_FALSE(facts.has_certificate);
    tls_context_certificates(context, &list);
    CU_ASSERT_EQUAL(list.n, 0);
    tls_context_unref(context);
}

static struct tls_context *named(const char *alt_names, const char *server_name)
{
    struct cert *cert =
        cert_new(&(struct cert_spec){.name = "x", .alt_names = alt_names});
    struct tls_config named_config;

    tls_config_init(&named_config, TLS_SERVER);
    named_config.certificate = text_of(cert->pem);
    named_config.key = text_of(cert->key_pem);
    named_config.server_name = server_name;
    struct tls_context *context = ends_context(&named_config);

    cert_free(cert);
    return context;
}

static void test_choice(void)
{
    struct tls_context *contexts[] = {
        named("DNS:default.test", NULL),
        named("DNS:a.test, DNS:*.a.test, IP:127.0.0.1", NULL),
        named("DNS:www.a.test, DNS:A.test", NULL),
        named("DNS:ignored.test", "given.test"),
        named("DNS:ignored.test", "*.given.test"),
    };
    static const struct {
        const char *name;
        unsigned context;
    } cases[] = {
        {"default.test", 0},
        {"a.test", 1},
        {"www.a.test", 2},
        {"WWW.A.TEST", 2},
        {"www.a.test.", 2},
        {"mail.a.test", 1},
        {"x.www.a.test", 0},
        {"given.test", 3},
        {"x.given.test", 4},
        {"ignored.test", 0},
        {"unknown.test", 0},
        {"127.0.0.1", 0},
        {"*.a.test", 0},
        {".a.test", 0},
        {"", 0},
        {".", 0},
        {"test", 0},
    };
    struct error error;
    struct tls_choice *choice = tls_choice_new(contexts, 5, &error);

    CU_ASSERT_PTR_NOT_NULL_FATAL(choice);
    CU_ASSERT_PTR_EQUAL(tls_choice_default(choice), contexts[0]);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_PTR_EQUAL(tls_choice_find(choice, cases[i].name, strlen(cases[i].name)),
                            contexts[cases[i].context]);
    }
    CU_ASSERT_PTR_EQUAL(tls_choice_find(choice, "a.test\0x", 8), contexts[0]);
    tls_choice_unref(choice);
    tls_context_unref(contexts[4]);
    contexts[4] = ends_client_context(NULL);
    CU_ASSERT_PTR_NULL(tls_choice_new(contexts, 5, &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "ssl-context");
    for (size_t i = 0; i < 5; i++) {
        tls_context_unref(contexts[i]);
    }
}

/* Threads that build, use and let go of contexts. */
static void *use_context(void *arg)
{
    struct tls_context *shared = tls_context_ref(arg);
    struct error error;

    for (unsigned i = 0; i < 20; i++) {
        struct tls_context *own = tls_context_new(&config, &error);
        struct tls_choice *choice =
            tls_choice_new((struct tls_context *[]){shared, own}, 2, &error);
        tls_context_unref(own);
        (void)tls_choice_find(choice, "server.test", 11);
        tls_context_maintain(shared);
        tls_choice_unref(choice);
    }
    tls_context_unref(shared);
    return NULL;
}

static void test_threads(void)
{
    struct tls_context *shared = ends_context(&config);
    pthread_t threads[4];

    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, use_context, shared) == 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT(pthread_join(threads[i], NULL) == 0);
    }
    tls_context_unref(shared);
}

/* In a process of its own, since there is no way back. */
static void test_guard(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit limit;
        bool is_guarded = tls_library_guard() &&
                          prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 &&
                          getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0;
        _exit(is_guarded ? 0 : 1);
    }
    CU_ASSERT_FATAL(child > 0);
    CU_ASSERT(waitpid(child, &status, 0) == child);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_library(void)
{
    struct tls_library_version loaded, built;
    char secret[] = "secret";

    tls_library_versions(&loaded, &built);
    CU_ASSERT(loaded.major >= 3);
    CU_ASSERT_EQUAL(built.major, 3);
    CU_ASSERT(strncmp(loaded.text, "OpenSSL 3.", 10) == 0);
    tls_wipe(secret, sizeof secret);
    CU_ASSERT(memcmp(secret, "\0\0\0\0\0\0", 6) == 0);
    tls_wipe(NULL, 0);
    tls_wipe_text(NULL);
    tls_wipe_text(strdup("x"));
}

static const struct unit_test tests[] = {
    {"every word of a method, and lists", test_methods},
    {"weak methods need leave", test_weak_methods},
    {"cipher lists", test_ciphers},
    {"suites of TLS 1.3 and groups", test_ciphersuites},
    {"a list that leaves nothing", test_nothing_left},
    {"certificates that cannot be read", test_certificate},
    {"keys that are missing or do not fit", test_key},
    {"keys of every kind and form", test_key_forms},
    {"passwords", test_password},
    {"a key that is too weak", test_weak_key},
    {"trusted certificates and revocation lists", test_trust},
    {"the certificates of the system", test_system_trust},
    {"names of servers", test_server_name},
    {"numbers out of range", test_numbers},
    {"protocols", test_alpn},
    {"what can be seen of a context", test_describe},
    {"the choice by name", test_choice},
    {"contexts in several threads", test_threads},
    {"no core, no debugger", test_guard},
    {"OpenSSL itself", test_library},
};

UNIT_MAIN_AROUND(tests, before, after)
