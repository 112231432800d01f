/* SPDX-License-Identifier: MIT */
/*
 * certificate.h - an X.509 certificate as facts: names, validity, serial number,
 * fingerprint, kind of key, PEM.
 *
 * What stands in a certificate comes from strangers: every text here is valid UTF-8, and
 * what cannot be shown as text is shown as "#" and its bytes in hexadecimal. Pure
 * functions; any thread.
 */
#ifndef SOCKD_NET_CERTIFICATE_H
#define SOCKD_NET_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/error.h"

struct x509_st;

struct certificate_pair {
    char *name;  /* "CN", "ST", an object identifier in dots; "DNS", "IP Address" */
    char *value; /* ends with a NUL, and may have others before it */
    size_t size; /* of value, without the NUL at its end */
};

struct certificate_pairs {
    struct certificate_pair *items;
    unsigned n;
};

enum {
    CERTIFICATE_TIME_SIZE = sizeof "9999-12-31T23:59:59Z",
    CERTIFICATE_FINGERPRINT_SIZE = 32 * 3,
};

/* Owner: whoever asked for it. */
struct certificate {
    int version;                      /* 1 to 3 */
    char *serial, *serial_hex;        /* decimal; hexadecimal, capital letters */
    struct certificate_pairs issuer;  /* in the order of the certificate */
    struct certificate_pairs subject; /* the same */
    struct certificate_pairs alternative_names; /* "DNS", "IP Address", "email", "URI",
                                                   ... */
    char not_before[CERTIFICATE_TIME_SIZE];     /* RFC 3339, UTC; "": none can be read */
    char not_after[CERTIFICATE_TIME_SIZE];
    int64_t not_before_universal, not_after_universal; /* seconds since 1900 */
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE];    /* SHA-256, "AB:CD:..." */
    char *key; /* its kind, and its bits or its group: "RSA 2048"; "": not known */
    char *pem;
};

struct certificate_list {
    struct certificate **items;
    unsigned n;
};

/* The facts of one certificate. */
struct certificate *certificate_new(const struct x509_st *x509);
void certificate_free(struct certificate *certificate);

/* All certificates of a PEM text, in its order. False: *error names `parameter`; there is
 * none in it, or one that cannot be read. */
bool certificate_list_read(struct certificate_list *list, const char *text, size_t size,
                           const char *parameter, struct error *error);
/* Adds at the end; takes ownership. */
void certificate_list_add(struct certificate_list *list, struct certificate *certificate);
/* Frees what is in it; the list is empty and may be used again. */
void certificate_list_fini(struct certificate_list *list);

#endif
