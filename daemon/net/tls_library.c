/* SPDX-License-Identifier: MIT */
/*
 * tls_library.c - what there is once in a process: OpenSSL's start and version, the guard
 * of the memory, the clock of the TLS modules.
 *
 * Called by main and by the other tls_ modules. Thread: any.
 */
#include <config.h>
#include "daemon/net/tls_library.h"

#include <openssl/crypto.h>
#include <openssl/opensslv.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon/base/check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic int64_t clock_jump;

static void start(void)
{
    /* The configuration of the system is read: that is where an administrator sets what
     * all programs of the machine keep to. What is asked for by name overrides it. */
    CHECK(
        OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                         NULL) == 1);
}

void tls_library_start(void) { CHECK(pthread_once(&once, start) == 0); }

bool tls_library_guard(void)
{
    static const struct rlimit none = {0, 0};

    /* The limit alone would not do: a core that is piped to a program ignores it. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

void tls_library_versions(struct tls_library_version *loaded,
                          struct tls_library_version *built)
{
    *loaded = (struct tls_library_version){
        .major = OPENSSL_version_major(),
        .minor = OPENSSL_version_minor(),
        .patch = OPENSSL_version_patch(),
        .text = OpenSSL_version(OPENSSL_VERSION),
    };
    *built = (struct tls_library_version){
        .major = OPENSSL_VERSION_MAJOR,
        .minor = OPENSSL_VERSION_MINOR,
        .patch = OPENSSL_VERSION_PATCH,
        .text = OPENSSL_VERSION_TEXT,
    };
}

void tls_wipe(void *bytes, size_t size)
{
    if (size > 0) {
        OPENSSL_cleanse(bytes, size);
    }
}

void tls_wipe_text(char *text)
{
    if (text != NULL) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

int64_t tls_seconds(void)
{
    struct timespec now;

    CHECK(clock_gettime(CLOCK_BOOTTIME, &now) == 0);
    return (int64_t)now.tv_sec + clock_jump;
}

void tls_seconds_advance(int64_t seconds) { clock_jump += seconds; }
