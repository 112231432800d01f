/* SPDX-License-Identifier: MIT */
/*
 * certs.h - certificates made at test time: authorities, leaves, and all the ways in
 * which they can be bad.
 *
 * Whatever cannot be made ends the test program (status 99).
 */
#ifndef SOCKD_TESTS_CERTS_H
#define SOCKD_TESTS_CERTS_H

#include <stdbool.h>

struct x509_st;
struct evp_pkey_st;

enum cert_key {
    CERT_P256,
    CERT_P384,
    CERT_ED25519,
    CERT_RSA_2048, /* made once in a program */
    CERT_RSA_1024, /* too weak for today; made once, too */
};

struct cert {
    struct x509_st *x509;
    struct evp_pkey_st *key;
    char *pem;
    char *key_pem; /* PKCS#8 */
};

/* What is left out: a leaf of P-256, signed by itself, good from an hour ago to 30 days
 * from now. */
struct cert_spec {
    const char *name;          /* common name */
    const char *alt_names;     /* "DNS:a.test, IP:127.0.0.1"; NULL: none */
    const struct cert *issuer; /* NULL: itself */
    bool is_authority;
    bool has_path_length;
    int path_length;
    const char *usage;       /* of the extended key usage: "serverAuth" */
    const char *constraints; /* of names: "permitted;DNS:.inside.test" */
    enum cert_key key;
    long from, until;   /* seconds from now; both 0: the default */
    const char *serial; /* hexadecimal; NULL: a number of its own */
    bool is_forged;     /* the signature is wrong */
};

struct cert *cert_new(const struct cert_spec *spec);
void cert_free(struct cert *cert); /* NULL is fine */

/* PEM texts one after the other; the list ends with NULL. The caller frees it. */
char *cert_join(const char *first, ...) __attribute__((sentinel));

enum cert_key_form {
    CERT_KEY_PKCS8,
    CERT_KEY_TRADITIONAL, /* PKCS#1, SEC 1 */
    CERT_KEY_ENCRYPTED,   /* PKCS#8 with a password */
};
/* The caller frees it. */
char *cert_key_text(const struct cert *cert, enum cert_key_form form,
                    const char *password);

/* A list that revokes `revoked` (ends with NULL; may be empty), good until `until`
 * seconds from now. The caller frees it. */
char *cert_crl(const struct cert *issuer, const struct cert *const *revoked, long until);

/* The usual: an authority, an intermediate, and a leaf of its for a server at
 * "server.test", "*.wild.test", 127.0.0.1 and ::1. `chain` is the leaf and the
 * intermediate. */
struct cert_tree {
    struct cert *root, *middle, *leaf;
    char *chain;
};
void cert_tree_init(struct cert_tree *tree);
void cert_tree_fini(struct cert_tree *tree);

/* Writes a text into a new file of a directory, for programs that want files. The path is
 * the caller's to free. */
char *cert_write(const char *directory, const char *name, const char *text);

#endif
