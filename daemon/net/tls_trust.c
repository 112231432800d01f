/* SPDX-License-Identifier: MIT */
/*
 * tls_trust.c - stores of trusted certificates and revocation lists.
 *
 * The certificates of the system are read once, all of them, from the places OpenSSL
 * looks into (SSL_CERT_FILE and SSL_CERT_DIR included), and one store of them is shared
 * by all contexts that give none of their own. OpenSSL would look single ones up in the
 * directory when they are needed, in the middle of a handshake, on a worker that must not
 * wait for files. Called by tls_context.c. Thread: jobs.
 */
#include <config.h>
#include "daemon/net/tls_trust.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/tls_error.h"
#include "daemon/net/tls_pem.h"

/* Where distributions keep the bundle when OpenSSL's own file is missing. */
static const char *const bundles[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

/* The lock "system trust" of the order in loop.h; held while the files are read, so that
 * they are read once. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static X509_STORE *system_store;
static struct timespec system_changed; /* of the file or directory it came from */
static char system_source[PATH_MAX];

/* ---- Certificates of the system ---- */

static const char *place(const char *variable, const char *otherwise)
{
    const char *value = secure_getenv(variable);

    return value != NULL && value[0] != 0 ? value : otherwise;
}

/* The file or directory to read; "" when the system has none. */
static void find_source(char *path)
{
    const char *file =
        place(X509_get_default_cert_file_env(), X509_get_default_cert_file());
    const char *directory =
        place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
    bool is_chosen = secure_getenv(X509_get_default_cert_dir_env()) != NULL;
    struct stat status;

    path[0] = 0;
    if (stat(file, &status) == 0) {
        (void)snprintf(path, PATH_MAX, "%s", file);
        return;
    }
    for (size_t i = 0; !is_chosen && i < sizeof bundles / sizeof bundles[0]; i++) {
        if (stat(bundles[i], &status) == 0) {
            (void)snprintf(path, PATH_MAX, "%s", bundles[i]);
            return;
        }
    }
    if (stat(directory, &status) == 0) {
        (void)snprintf(path, PATH_MAX, "%s", directory);
    }
}

/* What cannot be read is left out: one bad file of the system must not take the others
 * away. */
static void add_file(X509_STORE *store, const char *path)
{
    BIO *bio = BIO_new_file(path, "re");
    X509 *x509;

    while (bio != NULL && (x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        tls_pem_settle(x509);
        (void)X509_STORE_add_cert(store, x509);
        X509_free(x509);
    }
    BIO_free(bio);
    ERR_clear_error();
}

/* The hashed names alone, which are those OpenSSL would look at: "1a2b3c4d.0". */
static void add_directory(X509_STORE *store, const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[PATH_MAX];

        if (strspn(entry->d_name, "0123456789abcdef") != 8 || entry->d_name[8] != '.') {
            continue;
        }
        int size = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (size > 0 && (size_t)size < sizeof name) {
            add_file(store, name);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory); /* it was only read */
    }
}

static X509_STORE *new_store(void)
{
    X509_STORE *store = X509_STORE_new();

    CHECK(store != NULL);
    return store;
}

/* The mutex is held. */
static void read_system(void)
{
    char path[PATH_MAX];
    struct stat status = {0};

    find_source(path);
    if (path[0] != 0 && stat(path, &status) != 0) {
        path[0] = 0;
    }
    if (system_store != NULL && strcmp(path, system_source) == 0 &&
        status.st_mtim.tv_sec == system_changed.tv_sec &&
        status.st_mtim.tv_nsec == system_changed.tv_nsec) {
        return;
    }
    X509_STORE_free(system_store);
    system_store = new_store();
    (void)snprintf(system_source, sizeof system_source, "%s", path);
    system_changed = status.st_mtim;
    if (S_ISDIR(status.st_mode)) {
        add_directory(system_store, path);
    } else if (path[0] != 0) {
        add_file(system_store, path);
    }
}

static X509_STORE *take_system(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    read_system();
    X509_STORE *store = system_store;

    CHECK(X509_STORE_up_ref(store) == 1);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return store;
}

void tls_trust_reset(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    X509_STORE_free(system_store);
    system_store = NULL;
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

/* ---- Stores of contexts ---- */

static bool add_pem(X509_STORE *store, STACK_OF(X509_NAME) * names,
                    const struct tls_text *text, const char *parameter,
                    struct error *error)
{
    STACK_OF(X509) *list =
        tls_pem_certificates(text->bytes, text->size, parameter, error);

    if (list == NULL) {
        return false;
    }
    for (int i = 0; i < sk_X509_num(list); i++) {
        X509 *x509 = sk_X509_value(list, i);
        X509_NAME *name = X509_NAME_dup(X509_get_subject_name(x509));

        /* The same one twice is no failure. */
        CHECK(X509_STORE_add_cert(store, x509) == 1);
        CHECK(name != NULL && sk_X509_NAME_push(names, name) > 0);
    }
    sk_X509_pop_free(list, X509_free);
    return true;
}

/* A store with the same certificates, to which others may be added. */
static X509_STORE *copy_store(X509_STORE *from)
{
    X509_STORE *store = new_store();
    STACK_OF(X509) *list = X509_STORE_get1_all_certs(from);

    for (int i = 0; i < sk_X509_num(list); i++) {
        (void)X509_STORE_add_cert(store, sk_X509_value(list, i));
    }
    sk_X509_pop_free(list, X509_free);
    return store;
}

static bool add_crls(X509_STORE *store, const struct tls_text *text, struct error *error)
{
    STACK_OF(X509_CRL) *list = tls_pem_crls(text->bytes, text->size, "crl-file", error);

    if (list == NULL) {
        return false;
    }
    for (int i = 0; i < sk_X509_CRL_num(list); i++) {
        CHECK(X509_STORE_add_crl(store, sk_X509_CRL_value(list, i)) == 1);
    }
    sk_X509_CRL_pop_free(list, X509_CRL_free);
    return true;
}

X509_STORE *tls_trust_new(const struct tls_config *config, STACK_OF(X509_NAME) * *names,
                          struct error *error)
{
    bool has_own = config->ca.bytes != NULL || config->ca_directory.bytes != NULL;
    STACK_OF(X509_NAME) *subjects = sk_X509_NAME_new_null();
    X509_STORE *store;
    bool is_done = true;

    CHECK(subjects != NULL);
    if (has_own || config->role == TLS_SERVER) {
        store = new_store();
    } else if (config->crl.bytes == NULL) {
        store = take_system();
    } else {
        X509_STORE *shared = take_system();
        store = copy_store(shared);
        X509_STORE_free(shared);
    }
    if (config->ca.bytes != NULL) {
        is_done = add_pem(store, subjects, &config->ca, "ca-file", error);
    }
    if (is_done && config->ca_directory.bytes != NULL) {
        is_done = add_pem(store, subjects, &config->ca_directory, "ca-directory", error);
    }
    if (is_done && config->crl.bytes != NULL) {
        is_done = add_crls(store, &config->crl, error);
    }
    ERR_clear_error();
    if (!is_done) {
        X509_STORE_free(store);
        sk_X509_NAME_pop_free(subjects, X509_NAME_free);
        return NULL;
    }
    *names = subjects;
    return store;
}
