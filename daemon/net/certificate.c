/* SPDX-License-Identifier: MIT */
/*
 * certificate.c - reads the facts out of OpenSSL's X509.
 *
 * Called by tls_peer.c for the certificates of a session, and by the commands that
 * describe a context. Thread: any.
 */
#include <config.h>
#include "daemon/net/certificate.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/base/check.h"
#include "daemon/net/tls_pem.h"
#include "proto/text.h"

/* From 1900 to 1970. */
static const int64_t UNIVERSAL_EPOCH = 2208988800;

/* ---- Text ---- */

/* "#" and the bytes in hexadecimal, as RFC 4514 writes what has no text. */
static char *copy_as_hex(const uint8_t *bytes, size_t size, size_t *text_size)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = mem_resize(NULL, 2 * size + 2);
    char *end = text;

    *end++ = '#';
    for (size_t i = 0; i < size; i++) {
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 15];
    }
    *end = 0;
    *text_size = (size_t)(end - text);
    return text;
}

static char *copy_text(const uint8_t *bytes, size_t size, size_t *text_size)
{
    if (!text_is_utf8(bytes, size)) {
        return copy_as_hex(bytes, size, text_size);
    }
    char *text = mem_resize(NULL, size + 1);

    memcpy(text, bytes, size);
    text[size] = 0;
    *text_size = size;
    return text;
}

/* The pair for the caller to fill in the value of. */
static struct certificate_pair *add_pair(struct certificate_pairs *pairs,
                                         const char *name)
{
    pairs->items = mem_resize(pairs->items, (pairs->n + 1) * sizeof *pairs->items);
    struct certificate_pair *pair = &pairs->items[pairs->n++];

    pair->name = mem_copy_text(name);
    pair->value = NULL;
    pair->size = 0;
    return pair;
}

static void free_pairs(struct certificate_pairs *pairs)
{
    for (unsigned i = 0; i < pairs->n; i++) {
        free(pairs->items[i].name);
        free(pairs->items[i].value);
    }
    free(pairs->items);
}

/* ---- Names ---- */

static void object_name(char *text, size_t room, const ASN1_OBJECT *object)
{
    int nid = OBJ_obj2nid(object);
    const char *name = nid != NID_undef ? OBJ_nid2sn(nid) : NULL;

    if (name != NULL) {
        (void)snprintf(text, room, "%s", name);
    } else if (OBJ_obj2txt(text, (int)room, object, 1) <= 0) {
        (void)snprintf(text, room, "unknown");
    }
}

static void read_name(struct certificate_pairs *pairs, const X509_NAME *name)
{
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        const ASN1_STRING *data = X509_NAME_ENTRY_get_data(entry);
        char label[128];
        unsigned char *utf8 = NULL;

        object_name(label, sizeof label, X509_NAME_ENTRY_get_object(entry));
        struct certificate_pair *pair = add_pair(pairs, label);
        int size = ASN1_STRING_to_UTF8(&utf8, data);

        if (size >= 0) {
            pair->value = copy_text(utf8, (size_t)size, &pair->size);
        } else {
            pair->value = copy_as_hex(ASN1_STRING_get0_data(data),
                                      (size_t)ASN1_STRING_length(data), &pair->size);
        }
        OPENSSL_free(utf8);
    }
}

static void add_string(struct certificate_pairs *pairs, const char *name,
                       const ASN1_STRING *string)
{
    struct certificate_pair *pair = add_pair(pairs, name);

    pair->value = copy_text(ASN1_STRING_get0_data(string),
                            (size_t)ASN1_STRING_length(string), &pair->size);
}

static void add_ip_address(struct certificate_pairs *pairs, const ASN1_STRING *string)
{
    const uint8_t *bytes = ASN1_STRING_get0_data(string);
    size_t size = (size_t)ASN1_STRING_length(string);
    struct certificate_pair *pair = add_pair(pairs, "IP Address");
    char text[INET6_ADDRSTRLEN];
    int family = size == 4 ? AF_INET : AF_INET6;

    if ((size == 4 || size == 16) &&
        inet_ntop(family, bytes, text, sizeof text) != NULL) {
        pair->value = mem_copy_text(text);
        pair->size = strlen(text);
    } else {
        pair->value = copy_as_hex(bytes, size, &pair->size);
    }
}

/* Kinds that have no plain text of their own: as OpenSSL prints them. */
static void add_other(struct certificate_pairs *pairs, GENERAL_NAME *name)
{
    static const char *const labels[] = {
        [GEN_OTHERNAME] = "othername", [GEN_X400] = "X400Name",
        [GEN_DIRNAME] = "DirName",     [GEN_EDIPARTY] = "EdiPartyName",
        [GEN_RID] = "Registered ID",
    };
    const char *label = labels[name->type];
    struct certificate_pair *pair = add_pair(pairs, label);
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes;

    CHECK(out != NULL);
    if (name->type == GEN_DIRNAME) {
        (void)X509_NAME_print_ex(out, name->d.directoryName, 0, XN_FLAG_RFC2253);
    } else if (name->type == GEN_RID) {
        (void)i2a_ASN1_OBJECT(out, name->d.registeredID);
    }
    long size = BIO_get_mem_data(out, &bytes);
    pair->value =
        copy_text((const uint8_t *)bytes, size > 0 ? (size_t)size : 0, &pair->size);
    BIO_free(out);
}

static void read_alternative_names(struct certificate_pairs *pairs, const X509 *x509)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        switch (name->type) {
        case GEN_DNS:
            add_string(pairs, "DNS", name->d.dNSName);
            break;
        case GEN_EMAIL:
            add_string(pairs, "email", name->d.rfc822Name);
            break;
        case GEN_URI:
            add_string(pairs, "URI", name->d.uniformResourceIdentifier);
            break;
        case GEN_IPADD:
            add_ip_address(pairs, name->d.iPAddress);
            break;
        default:
            add_other(pairs, name);
            break;
        }
    }
    GENERAL_NAMES_free(names);
}

/* ---- Numbers ---- */

static void read_serial(struct certificate *certificate, const X509 *x509)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
    char *decimal = number != NULL ? BN_bn2dec(number) : NULL;
    char *hex = number != NULL ? BN_bn2hex(number) : NULL;

    certificate->serial = mem_copy_text(decimal != NULL ? decimal : "");
    certificate->serial_hex = mem_copy_text(hex != NULL ? hex : "");
    OPENSSL_free(decimal);
    OPENSSL_free(hex);
    BN_free(number);
}

static void read_time(char *text, int64_t *universal, const ASN1_TIME *moment)
{
    struct tm tm;

    text[0] = 0;
    *universal = 0;
    if (ASN1_TIME_to_tm(moment, &tm) != 1) {
        return;
    }
    /* ASN.1 has years of four digits, so the text always has room. */
    (void)strftime(text, CERTIFICATE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
    *universal = (int64_t)timegm(&tm) + UNIVERSAL_EPOCH;
}

static void read_fingerprint(char *text, const X509 *x509)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    text[0] = 0;
    if (X509_digest(x509, EVP_sha256(), digest, &size) != 1) {
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        (void)snprintf(text + (size_t)3 * i, 4, "%02X%s", digest[i],
                       i + 1 < size ? ":" : "");
    }
}

/* By the group where that is what tells keys of a kind apart, else by the bits. */
static char *describe_key(const X509 *x509)
{
    EVP_PKEY *key = X509_get0_pubkey(x509);
    const char *kind = key != NULL ? EVP_PKEY_get0_type_name(key) : NULL;
    char group[64], text[128] = "";
    size_t size;

    if (kind != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_EC &&
        EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1) {
        (void)snprintf(text, sizeof text, "%s %s", kind, group);
    } else if (kind != NULL && EVP_PKEY_get_security_bits(key) > 0 &&
               strncmp(kind, "ED", 2) != 0) {
        (void)snprintf(text, sizeof text, "%s %d", kind, EVP_PKEY_get_bits(key));
    } else if (kind != NULL) {
        (void)snprintf(text, sizeof text, "%s", kind);
    }
    return mem_copy_text(text);
}

static char *write_pem(const X509 *x509)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *bytes;
    size_t size;

    CHECK(out != NULL);
    (void)PEM_write_bio_X509(out, x509);
    long n = BIO_get_mem_data(out, &bytes);
    char *pem = copy_text((const uint8_t *)bytes, n > 0 ? (size_t)n : 0, &size);

    BIO_free(out);
    return pem;
}

/* ---- One certificate, many ---- */

struct certificate *certificate_new(const struct x509_st *x509)
{
    struct certificate *certificate = MEM_NEW(struct certificate);

    certificate->version = (int)X509_get_version(x509) + 1;
    read_serial(certificate, x509);
    read_name(&certificate->issuer, X509_get_issuer_name(x509));
    read_name(&certificate->subject, X509_get_subject_name(x509));
    read_alternative_names(&certificate->alternative_names, x509);
    read_time(certificate->not_before, &certificate->not_before_universal,
              X509_get0_notBefore(x509));
    read_time(certificate->not_after, &certificate->not_after_universal,
              X509_get0_notAfter(x509));
    read_fingerprint(certificate->fingerprint, x509);
    certificate->key = describe_key(x509);
    certificate->pem = write_pem(x509);
    ERR_clear_error(); /* what could not be read is shown as such above */
    return certificate;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate == NULL) {
        return;
    }
    free(certificate->serial);
    free(certificate->serial_hex);
    free_pairs(&certificate->issuer);
    free_pairs(&certificate->subject);
    free_pairs(&certificate->alternative_names);
    free(certificate->key);
    free(certificate->pem);
    free(certificate);
}

void certificate_list_add(struct certificate_list *list, struct certificate *certificate)
{
    list->items = mem_resize(list->items, (list->n + 1) * sizeof *list->items);
    list->items[list->n++] = certificate;
}

void certificate_list_fini(struct certificate_list *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        certificate_free(list->items[i]);
    }
    free(list->items);
    *list = (struct certificate_list){0};
}

bool certificate_list_read(struct certificate_list *list, const char *text, size_t size,
                           const char *parameter, struct error *error)
{
    STACK_OF(X509) *certificates = tls_pem_certificates(text, size, parameter, error);

    if (certificates == NULL) {
        return false;
    }
    for (int i = 0; i < sk_X509_num(certificates); i++) {
        certificate_list_add(list, certificate_new(sk_X509_value(certificates, i)));
    }
    sk_X509_pop_free(certificates, X509_free);
    return true;
}
