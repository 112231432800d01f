/* SPDX-License-Identifier: MIT */
/*
 * certs.c - makes certificates, keys and revocation lists with OpenSSL.
 *
 * Called by unit and system tests of TLS. Thread: the test's.
 */
#include <config.h>
#include "tests/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit.h"

enum { HOUR = 3600, MONTH = 30 * 24 * HOUR };

static void need(bool is_fine, const char *what)
{
    if (!is_fine) {
        unit_bail_out("certs: %s: %s", what,
                      ERR_reason_error_string(ERR_peek_last_error()));
    }
}

/* ---- Keys ---- */

static EVP_PKEY *rsa_key(unsigned bits)
{
    static EVP_PKEY *made[2];
    EVP_PKEY **key = &made[bits > 1024];

    if (*key == NULL) {
        *key = EVP_RSA_gen(bits);
        need(*key != NULL, "RSA key");
    }
    need(EVP_PKEY_up_ref(*key) == 1, "reference");
    return *key;
}

static EVP_PKEY *make_key(enum cert_key kind)
{
    EVP_PKEY *key = NULL;

    switch (kind) {
    case CERT_P256:
        key = EVP_EC_gen("P-256");
        break;
    case CERT_P384:
        key = EVP_EC_gen("P-384");
        break;
    case CERT_ED25519:
        key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        break;
    case CERT_RSA_2048:
        return rsa_key(2048);
    case CERT_RSA_1024:
        return rsa_key(1024);
    }
    need(key != NULL, "key");
    return key;
}

/* ---- Texts ---- */

static char *take_text(BIO *bio)
{
    char *bytes, *text;
    long size = BIO_get_mem_data(bio, &bytes);

    text = strndup(bytes, (size_t)size);
    need(text != NULL, "memory");
    BIO_free(bio);
    return text;
}

char *cert_key_text(const struct cert *cert, enum cert_key_form form,
                    const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int done = 0;

    switch (form) {
    case CERT_KEY_PKCS8:
        done = PEM_write_bio_PKCS8PrivateKey(bio, cert->key, NULL, NULL, 0, NULL, NULL);
        break;
    case CERT_KEY_TRADITIONAL:
        done = PEM_write_bio_PrivateKey_traditional(bio, cert->key, NULL, NULL, 0, NULL,
                                                    NULL);
        break;
    case CERT_KEY_ENCRYPTED:
        done = PEM_write_bio_PKCS8PrivateKey(bio, cert->key, EVP_aes_256_cbc(), password,
                                             (int)strlen(password), NULL, NULL);
        break;
    }
    need(done == 1, "key as PEM");
    return take_text(bio);
}

char *cert_join(const char *first, ...)
{
    BIO *bio = BIO_new(BIO_s_mem());
    va_list arguments;

    va_start(arguments, first);
    for (const char *text = first; text != NULL; text = va_arg(arguments, const char *)) {
        need(BIO_puts(bio, text) >= 0, "text");
    }
    va_end(arguments);
    return take_text(bio);
}

char *cert_write(const char *directory, const char *name, const char *text)
{
    char *path;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        unit_bail_out("memory");
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = strlen(text);

    if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd) != 0) {
        unit_bail_out("%s: %s", path, strerror(errno));
    }
    return path;
}

/* ---- Certificates ---- */

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    need(extension != NULL && X509_add_ext(x509, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static void add_extensions(X509 *x509, X509 *issuer, const struct cert_spec *spec)
{
    char text[64];

    if (spec->is_authority && spec->has_path_length) {
        (void)snprintf(text, sizeof text, "critical,CA:TRUE,pathlen:%d",
                       spec->path_length);
        add_extension(x509, issuer, NID_basic_constraints, text);
    } else {
        add_extension(x509, issuer, NID_basic_constraints,
                      spec->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    }
    add_extension(x509, issuer, NID_key_usage,
                  spec->is_authority ? "critical,keyCertSign,cRLSign"
                                     : "critical,digitalSignature");
    add_extension(x509, issuer, NID_subject_key_identifier, "hash");
    if (x509 != issuer) {
        add_extension(x509, issuer, NID_authority_key_identifier, "keyid");
    }
    if (spec->alt_names != NULL) {
        add_extension(x509, issuer, NID_subject_alt_name, spec->alt_names);
    }
    if (spec->usage != NULL) {
        add_extension(x509, issuer, NID_ext_key_usage, spec->usage);
    }
    if (spec->constraints != NULL) {
        add_extension(x509, issuer, NID_name_constraints, spec->constraints);
    }
}

static void set_serial(X509 *x509, const char *hex)
{
    static long last;
    BIGNUM *number = NULL;

    if (hex == NULL) {
        need(ASN1_INTEGER_set(X509_get_serialNumber(x509), ++last) == 1, "serial");
        return;
    }
    need(BN_hex2bn(&number, hex) > 0 &&
             BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL,
         "serial");
    BN_free(number);
}

static void set_name(X509 *x509, const char *text)
{
    X509_NAME *name = X509_get_subject_name(x509);

    need(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                    (const unsigned char *)"sockd tests", -1, -1,
                                    0) == 1 &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                        (const unsigned char *)text, -1, -1, 0) == 1,
         "name");
}

/* Ed25519 has its own digest. */
static const EVP_MD *digest_for(EVP_PKEY *key)
{
    return EVP_PKEY_is_a(key, "ED25519") == 1 ? NULL : EVP_sha256();
}

/* Signs what an outsider would: the same bytes with another key. */
static void sign(X509 *x509, EVP_PKEY *key, bool is_forged)
{
    EVP_PKEY *other = is_forged ? EVP_EC_gen("P-256") : NULL;

    need(X509_sign(x509, other != NULL ? other : key,
                   digest_for(other != NULL ? other : key)) > 0,
         "signature");
    EVP_PKEY_free(other);
}

struct cert *cert_new(const struct cert_spec *spec)
{
    struct cert *cert = calloc(1, sizeof *cert);
    X509 *x509 = X509_new();
    bool is_usual = spec->from == 0 && spec->until == 0;

    need(cert != NULL && x509 != NULL, "memory");
    cert->x509 = x509;
    cert->key = make_key(spec->key);
    X509 *issuer = spec->issuer != NULL ? spec->issuer->x509 : x509;

    need(X509_set_version(x509, 2) == 1, "version");
    set_serial(x509, spec->serial);
    set_name(x509, spec->name);
    need(X509_set_issuer_name(x509, X509_get_subject_name(issuer)) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(x509), is_usual ? -HOUR : spec->from) !=
                 NULL &&
             X509_gmtime_adj(X509_getm_notAfter(x509), is_usual ? MONTH : spec->until) !=
                 NULL &&
             X509_set_pubkey(x509, cert->key) == 1,
         "certificate");
    add_extensions(x509, issuer, spec);
    sign(x509, spec->issuer != NULL ? spec->issuer->key : cert->key, spec->is_forged);
    BIO *bio = BIO_new(BIO_s_mem());

    need(PEM_write_bio_X509(bio, x509) == 1, "certificate as PEM");
    cert->pem = take_text(bio);
    cert->key_pem = cert_key_text(cert, CERT_KEY_PKCS8, NULL);
    return cert;
}

void cert_free(struct cert *cert)
{
    if (cert != NULL) {
        X509_free(cert->x509);
        EVP_PKEY_free(cert->key);
        free(cert->pem);
        free(cert->key_pem);
        free(cert);
    }
}

/* ---- Revocation ---- */

char *cert_crl(const struct cert *issuer, const struct cert *const *revoked, long until)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *before = X509_gmtime_adj(NULL, -2 * HOUR);
    ASN1_TIME *after = X509_gmtime_adj(NULL, until);

    need(X509_CRL_set_version(crl, 1) == 1 &&
             X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509)) == 1 &&
             X509_CRL_set1_lastUpdate(crl, before) == 1 &&
             X509_CRL_set1_nextUpdate(crl, after) == 1,
         "revocation list");
    for (; *revoked != NULL; revoked++) {
        X509_REVOKED *entry = X509_REVOKED_new();
        need(X509_REVOKED_set_serialNumber(
                 entry, X509_get_serialNumber((*revoked)->x509)) == 1 &&
                 X509_REVOKED_set_revocationDate(entry, before) == 1 &&
                 X509_CRL_add0_revoked(crl, entry) == 1,
             "revocation");
    }
    need(X509_CRL_sort(crl) == 1 &&
             X509_CRL_sign(crl, issuer->key, digest_for(issuer->key)) > 0,
         "signature of a revocation list");
    BIO *bio = BIO_new(BIO_s_mem());

    need(PEM_write_bio_X509_CRL(bio, crl) == 1, "revocation list as PEM");
    ASN1_TIME_free(before);
    ASN1_TIME_free(after);
    X509_CRL_free(crl);
    return take_text(bio);
}

/* ---- The usual ---- */

void cert_tree_init(struct cert_tree *tree)
{
    tree->root = cert_new(&(struct cert_spec){.name = "root", .is_authority = true});
    tree->middle = cert_new(&(struct cert_spec){
        .name = "intermediate", .is_authority = true, .issuer = tree->root});
    tree->leaf = cert_new(&(struct cert_spec){
        .name = "leaf",
        .issuer = tree->middle,
        .alt_names = "DNS:server.test, DNS:*.wild.test, IP:127.0.0.1, IP:::1",
        .usage = "serverAuth, clientAuth"});
    tree->chain = cert_join(tree->leaf->pem, tree->middle->pem, NULL);
}

void cert_tree_fini(struct cert_tree *tree)
{
    cert_free(tree->root);
    cert_free(tree->middle);
    cert_free(tree->leaf);
    free(tree->chain);
    *tree = (struct cert_tree){0};
}
