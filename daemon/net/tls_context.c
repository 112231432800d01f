/* SPDX-License-Identifier: MIT */
/*
 * tls_context.c - builds a context: every text is read, every combination tried, before
 * anybody gets to see it.
 *
 * Called by the commands that make contexts and by the configuration, in a job thread;
 * calls tls_pem, tls_trust, tls_ciphers. Sessions are in tls_session.c.
 */
#include <config.h>
#include "daemon/net/tls_context.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/check.h"
#include "daemon/net/certificate.h"
#include "daemon/net/tls_ciphers.h"
#include "daemon/net/tls_error.h"
#include "daemon/net/tls_library.h"
#include "daemon/net/tls_parts.h"
#include "daemon/net/tls_pem.h"
#include "daemon/net/tls_trust.h"

enum {
    DEFAULT_DEPTH = 10,
    DEFAULT_TICKETS = 1,
    /* Records of 16 KiB under one AES-GCM key: RFC 8446 section 5.5 draws the line at
     * 2^24.5; half of the next lower power is far from it. */
    DEFAULT_RECORDS = 1 << 23,
    MAX_ALPN_SIZE = 65535,
    IDS_KEPT = 1024, /* sessions of TLS 1.2 clients without tickets */
};

static _Atomic uint64_t last_number;

void tls_config_init(struct tls_config *config, enum tls_role role)
{
    *config = (struct tls_config){
        .role = role,
        .versions = TLS_VERSIONS_DEFAULT,
        .verify = role == TLS_CLIENT ? TLS_VERIFY_REQUIRED : TLS_VERIFY_NONE,
        .max_depth = DEFAULT_DEPTH,
        .prefers_server_order = true,
        .has_sessions = true,
        .n_tickets = DEFAULT_TICKETS,
    };
}

/* ---- Protocols ---- */

bool tls_alpn_read(struct tls_alpn *alpn, const char *const *names, unsigned n_names,
                   struct error *error)
{
    size_t size = 0;

    *alpn = (struct tls_alpn){0};
    if (n_names == 0) {
        return true;
    }
    for (unsigned i = 0; i < n_names; i++) {
        size_t length = strlen(names[i]);
        if (length == 0 || length > UINT8_MAX) {
            return error_set_parameter(error, "alpn",
                                       "a list of names of 1 to 255 bytes");
        }
        size += 1 + length;
    }
    if (size > MAX_ALPN_SIZE) {
        return error_set_parameter(error, "alpn", "names of 65535 bytes together");
    }
    uint8_t *end = mem_resize(NULL, size);

    *alpn = (struct tls_alpn){end, (unsigned)size};
    for (unsigned i = 0; i < n_names; i++) {
        size_t length = strlen(names[i]);
        *end++ = (uint8_t)length;
        memcpy(end, names[i], length);
        end += length;
    }
    return true;
}

/* ---- Certificate and key ---- */

/* A name to serve, in small letters. Not one with a NUL, nor one that is no host name. */
static void add_name(struct tls_context *context, const char *bytes, size_t size)
{
    struct tls_name checked;
    struct error ignored;
    char text[TLS_NAME_SIZE];
    size_t skip = size > 2 && memcmp(bytes, "*.", 2) == 0 ? 2 : 0;

    if (size == 0 || size >= sizeof text || memchr(bytes, 0, size) != NULL) {
        return;
    }
    memcpy(text, bytes, size);
    text[size] = 0;
    if (!tls_name_read(&checked, text + skip, &ignored) || checked.is_address) {
        return;
    }
    memmove(text + skip, checked.text, strlen(checked.text) + 1);
    context->names =
        mem_resize(context->names, (context->n_names + 1) * sizeof *context->names);
    context->names[context->n_names++] = mem_copy_text(text);
}

static void learn_names(struct tls_context *context, const X509 *leaf)
{
    if (context->server_name != NULL) {
        add_name(context, context->server_name, strlen(context->server_name));
        return;
    }
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS) {
            add_name(context, (const char *)ASN1_STRING_get0_data(name->d.dNSName),
                     (size_t)ASN1_STRING_length(name->d.dNSName));
        }
    }
    GENERAL_NAMES_free(names);
}

static bool use_pair(struct tls_context *context, STACK_OF(X509) * chain, EVP_PKEY *key,
                     struct error *error)
{
    X509 *leaf = sk_X509_shift(chain);

    ERR_clear_error();
    bool is_done = X509_check_private_key(leaf, key) == 1;

    if (!is_done) {
        (void)tls_error_parameter(error, "key",
                                  "the private key that the certificate is for");
    } else if (SSL_CTX_use_cert_and_key(context->ssl_ctx, leaf, key, chain, 1) != 1) {
        is_done = tls_error_parameter(error, "certificate",
                                      "a certificate and a chain that may be used");
    } else if (context->role == TLS_SERVER) {
        learn_names(context, leaf);
    }
    X509_free(leaf);
    return is_done;
}

static bool load_certificate(struct tls_context *context, const struct tls_config *config,
                             struct error *error)
{
    const struct tls_text *certificate = &config->certificate;
    const struct tls_text *key_text =
        config->key.bytes != NULL ? &config->key : certificate;

    if (certificate->bytes == NULL) {
        if (config->role == TLS_SERVER) {
            return error_set_parameter(error, "certificate",
                                       "the certificate of the server in PEM");
        }
        return config->key.bytes == NULL ||
               error_set_parameter(error, "certificate",
                                   "the certificate that the key is for, in PEM");
    }
    STACK_OF(X509) *chain =
        tls_pem_certificates(certificate->bytes, certificate->size, "certificate", error);
    if (chain == NULL) {
        return false;
    }
    EVP_PKEY *key = tls_pem_key(key_text->bytes, key_text->size, config->password.bytes,
                                config->password.size, "key", error);
    bool is_done = key != NULL && use_pair(context, chain, key, error);

    EVP_PKEY_free(key);
    sk_X509_pop_free(chain, X509_free);
    return is_done;
}

/* ---- Trust ---- */

static bool load_trust(struct tls_context *context, const struct tls_config *config,
                       struct error *error)
{
    STACK_OF(X509_NAME) * names;
    bool must_verify =
        config->verify == TLS_VERIFY_OPTIONAL || config->verify == TLS_VERIFY_REQUIRED;

    context->has_own_trust =
        config->ca.bytes != NULL || config->ca_directory.bytes != NULL;
    /* Whoever holds a certificate of any public authority is nobody's client by that. */
    if (config->role == TLS_SERVER && must_verify && !context->has_own_trust) {
        return error_set_parameter(error, "ca-file",
                                   "the certificates to verify clients with, in PEM");
    }
    X509_STORE *store = tls_trust_new(config, &names, error);

    if (store == NULL) {
        return false;
    }
    SSL_CTX_set_cert_store(context->ssl_ctx, store); /* takes the reference */
    if (config->role == TLS_SERVER) {
        SSL_CTX_set_client_CA_list(context->ssl_ctx, names); /* takes it */
    } else {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
    }
    return true;
}

/* ---- Sessions ---- */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_session *owner = tls_session_of_ssl(ssl);

    if (owner->context->cache == NULL || owner->peer == NULL) {
        return 0;
    }
    tls_cache_add(owner->context->cache, owner->peer, session);
    return 1;
}

static void prepare_sessions(struct tls_context *context, const struct tls_config *config)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;

    /* Whether a certificate is revoked is looked at in full handshakes only, so a context
     * that wants to know has no others. */
    context->has_sessions = config->has_sessions && config->crl_check == TLS_CRL_NONE;
    context->n_tickets = config->n_tickets;
    (void)SSL_CTX_set_timeout(ssl_ctx, TLS_SESSION_SECONDS);
    if (!context->has_sessions) {
        (void)SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
        CHECK(SSL_CTX_set_num_tickets(ssl_ctx, 0) == 1);
    } else if (context->role == TLS_SERVER) {
        context->tickets = tls_tickets_new();
        (void)SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_SERVER);
        (void)SSL_CTX_sess_set_cache_size(ssl_ctx, IDS_KEPT);
        CHECK(SSL_CTX_set_num_tickets(ssl_ctx, config->n_tickets) == 1);
    } else {
        context->cache = tls_cache_new();
        (void)SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_CLIENT |
                                                          SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(ssl_ctx, keep_session);
    }
    tls_policy_isolate(ssl_ctx, NULL, context, context->verify, context->max_depth);
}

/* ---- The whole ---- */

static bool check_config(const struct tls_config *config, struct error *error)
{
    struct tls_name name;

    if (config->max_depth < 0 || config->max_depth > TLS_MAX_DEPTH) {
        return error_set_parameter(error, "max-depth", "0 to 100");
    }
    if (config->n_tickets > TLS_MAX_TICKETS) {
        return error_set_parameter(error, "tickets", "0 to 16");
    }
    if (config->server_name != NULL) {
        const char *text = config->server_name;
        bool is_wildcard = config->role == TLS_SERVER && strncmp(text, "*.", 2) == 0;
        if (!tls_name_read(&name, text + (is_wildcard ? 2 : 0), error)) {
            return false;
        }
    }
    return tls_policy_allows(config->versions, config->allows_weak, error);
}

/* What no parameter changes, and what needs nothing but a copy. */
static void prepare(struct tls_context *context, const struct tls_config *config)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;

    context->versions = config->versions;
    context->allows_weak = config->allows_weak;
    context->verify = config->verify;
    context->crl_check = config->crl_check;
    context->max_depth = config->max_depth;
    context->prefers_server_order = config->prefers_server_order;
    context->n_records = config->n_records > 0 && config->n_records < DEFAULT_RECORDS
                             ? (uint32_t)config->n_records
                             : DEFAULT_RECORDS;
    context->groups = config->groups != NULL ? mem_copy_text(config->groups) : NULL;
    context->server_name =
        config->server_name != NULL ? mem_copy_text(config->server_name) : NULL;
    /* Buffers live only while a record is in them. The output buffer may move between two
     * tries, since it is the caller's. */
    (void)SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_clear_options(ssl_ctx, SSL_OP_IGNORE_UNEXPECTED_EOF |
                                             SSL_OP_LEGACY_SERVER_CONNECT |
                                             SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                             SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (config->prefers_server_order) {
        (void)SSL_CTX_set_options(ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    }
    CHECK(SSL_CTX_set_max_early_data(ssl_ctx, 0) == 1);
    CHECK(SSL_CTX_set_recv_max_early_data(ssl_ctx, 0) == 1);
    (void)SSL_CTX_set_dh_auto(ssl_ctx, 1);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, tls_verify_chain, NULL);
    SSL_CTX_set_msg_callback(ssl_ctx, tls_session_count_message);
    if (config->role == TLS_SERVER) {
        tls_hello_prepare(ssl_ctx);
    }
}

static bool set_algorithms(struct tls_context *context, const struct tls_config *config,
                           struct error *error)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;

    context->level = SSL_CTX_get_security_level(ssl_ctx);
    if (!tls_versions_apply(config->versions, ssl_ctx, NULL, error) ||
        !tls_ciphers_apply(config->ciphers, config->ciphersuites, ssl_ctx, NULL, error)) {
        return false;
    }
    if ((config->versions & TLS_VERSIONS_WEAK) != 0) {
        SSL_CTX_set_security_level(ssl_ctx, 0); /* OpenSSL 3 has them at no other */
    }
    if (context->groups != NULL &&
        SSL_CTX_set1_groups_list(ssl_ctx, context->groups) != 1) {
        return tls_error_parameter(error, "groups",
                                   "groups that OpenSSL knows, with colons between them");
    }
    return true;
}

/* With all that decides about them, the certificate as well. */
static bool check_algorithms(const struct tls_context *context,
                             const struct tls_config *config, struct error *error)
{
    SSL *trial = SSL_new(context->ssl_ctx);

    CHECK(trial != NULL);
    bool is_fine = tls_ciphers_check(trial, config->versions, context->level,
                                     config->allows_weak, error);

    SSL_free(trial);
    return is_fine;
}

static bool build(struct tls_context *context, const struct tls_config *config,
                  struct error *error)
{
    if (!check_config(config, error) ||
        !tls_alpn_read(&context->alpn, config->alpn, config->n_alpn, error)) {
        return false;
    }
    prepare(context, config);
    if (!set_algorithms(context, config, error) ||
        !load_certificate(context, config, error) ||
        !check_algorithms(context, config, error) ||
        !load_trust(context, config, error)) {
        return false;
    }
    if (config->role == TLS_CLIENT && context->alpn.bytes != NULL) {
        CHECK(SSL_CTX_set_alpn_protos(context->ssl_ctx, context->alpn.bytes,
                                      context->alpn.size) == 0);
    }
    tls_verify_apply(context->ssl_ctx, NULL, context, context->verify,
                     context->max_depth);
    prepare_sessions(context, config);
    return true;
}

struct tls_context *tls_context_new(const struct tls_config *config, struct error *error)
{
    tls_library_start();
    struct tls_context *context = MEM_NEW(struct tls_context);

    context->n_refs = 1;
    context->number = ++last_number;
    context->role = config->role;
    context->ssl_ctx = SSL_CTX_new(config->role == TLS_CLIENT ? TLS_client_method()
                                                              : TLS_server_method());
    CHECK(context->ssl_ctx != NULL);
    bool is_built = build(context, config, error);

    ERR_clear_error();
    if (!is_built) {
        tls_context_unref(context);
        return NULL;
    }
    return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    context->n_refs++;
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL || --context->n_refs > 0) {
        return;
    }
    SSL_CTX_free(context->ssl_ctx);
    tls_tickets_free(context->tickets);
    tls_cache_free(context->cache);
    for (unsigned i = 0; i < context->n_names; i++) {
        free(context->names[i]);
    }
    free(context->names);
    free(context->alpn.bytes);
    free(context->groups);
    free(context->server_name);
    free(context);
}

void tls_context_retire(struct tls_context *context)
{
    if (context->tickets != NULL) {
        tls_tickets_retire(context->tickets);
        SSL_CTX_flush_sessions(context->ssl_ctx, 0); /* 0: all of them */
        ERR_clear_error();
    }
    if (context->cache != NULL) {
        tls_cache_retire(context->cache);
    }
}

/* ---- For others to see ---- */

enum tls_role tls_context_role(const struct tls_context *context)
{
    return context->role;
}

bool tls_context_needs_name(const struct tls_context *context)
{
    return context->role == TLS_CLIENT && context->server_name == NULL &&
           (context->verify == TLS_VERIFY_OPTIONAL ||
            context->verify == TLS_VERIFY_REQUIRED);
}

void tls_context_describe(struct tls_context *context, struct tls_context_facts *facts)
{
    *facts = (struct tls_context_facts){
        .role = context->role,
        .versions = context->versions,
        .verify = context->verify,
        .max_depth = context->max_depth,
        .crl_check = context->crl_check,
        .has_sessions = context->has_sessions,
        .has_certificate = SSL_CTX_get0_certificate(context->ssl_ctx) != NULL,
        .server_name = context->server_name,
        .n_ticket_keys =
            context->tickets != NULL ? tls_tickets_count(context->tickets) : 0,
        .n_sessions = context->cache != NULL ? tls_cache_count(context->cache) : 0,
    };
}

void tls_context_certificates(struct tls_context *context, struct certificate_list *list)
{
    const X509 *leaf = SSL_CTX_get0_certificate(context->ssl_ctx);
    STACK_OF(X509) *chain = NULL;

    if (leaf == NULL) {
        return;
    }
    certificate_list_add(list, certificate_new(leaf));
    (void)SSL_CTX_get0_chain_certs(context->ssl_ctx, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        certificate_list_add(list, certificate_new(sk_X509_value(chain, i)));
    }
}

void tls_context_maintain(struct tls_context *context)
{
    if (context->tickets != NULL) {
        tls_tickets_maintain(context->tickets);
    }
    if (context->cache != NULL) {
        tls_cache_maintain(context->cache);
    }
}
