/* SPDX-License-Identifier: MIT */
/*
 * fuzz_rig.c - the certificate of the fuzz targets of TLS, and their loop.
 *
 * Called by the targets; calls loop.c. Thread: the one that runs the test.
 */
#include <config.h>
#include "tests/fuzz_rig.h"

#include <string.h>

#include "daemon/base/loop.h"
#include "daemon/net/tls_context.h"

const char fuzz_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBnDCCAUGgAwIBAgIUDptQdL9LtCrA+MuLPBFT/FvNIQgwCgYIKoZIzj0EAwIw\n"
    "FjEUMBIGA1UEAwwLc2VydmVyLnRlc3QwIBcNMjYxMTI4MDMwOTQ1WhgPMjEyNjEx\n"
    "MDQwMzA5NDVaMBYxFDASBgNVBAMMC3NlcnZlci50ZXN0MFkwEwYHKoZIzj0CAQYI\n"
    "KoZIzj0DAQcDQgAEXLqT9cWha7pt52FL9qSZl5wMrr6a24qgp7RPL0RNmGQe1KVJ\n"
    "2Q76mUPBGUxLFl3IiCSkLyVko8/n0FUhtLBhXqNrMGkwHQYDVR0OBBYEFK3uIGv4\n"
    "769Ca3gBtzCAtxgfP7AvMB8GA1UdIwQYMBaAFK3uIGv4769Ca3gBtzCAtxgfP7Av\n"
    "MA8GA1UdEwEB/wQFMAMBAf8wFgYDVR0RBA8wDYILc2VydmVyLnRlc3QwCgYIKoZI\n"
    "zj0EAwIDSQAwRgIhAPEeHcTES39gHsQkMFTm0KXPP4ZxKiORKtbtoQC98ILZAiEA\n"
    "owHlogCMYy7CEAP6OBj9mK8n+nT8xl2KME8j+6VkpCs=\n"
    "-----END CERTIFICATE-----\n";
const char fuzz_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgrW6oJeupE6WkoORE\n"
    "/5BvY8qeh7b/3LEvx/K0yrCPT26hRANCAARcupP1xaFrum3nYUv2pJmXnAyuvprb\n"
    "iqCntE8vRE2YZB7UpUnZDvqZQ8EZTEsWXciIJKQvJWSjz+fQVSG0sGFe\n"
    "-----END PRIVATE KEY-----\n";

static struct tls_text text_of(const char *text)
{
    return (struct tls_text){text, strlen(text)};
}

void fuzz_rig_identify(struct tls_config *config)
{
    config->certificate = text_of(fuzz_certificate);
    config->key = text_of(fuzz_key);
    config->ca = text_of(fuzz_certificate); /* else it is all that the system trusts */
}

struct rounds {
    struct later later;
    struct loop *loop;
    unsigned n_left;
};

static void one_round(void *arg)
{
    struct rounds *rounds = arg;

    if (rounds->n_left-- == 0) {
        loop_stop(rounds->loop);
    } else {
        later_ask(&rounds->later, rounds->loop, one_round, rounds);
    }
}

void fuzz_rig_run(struct loop *loop, unsigned n_rounds)
{
    struct rounds rounds = {.loop = loop, .n_left = n_rounds};

    later_ask(&rounds.later, loop, one_round, &rounds);
    loop_run(loop);
}
