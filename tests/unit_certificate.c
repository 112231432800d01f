/* SPDX-License-Identifier: MIT */
/*
 * unit_certificate.c - certificate.c: the facts of good certificates, and of those that
 * strangers write.
 */
#include <config.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/net/certificate.h"
#include "proto/text.h"
#include "tests/certs.h"
#include "tests/unit.h"

static const char *value_of(const struct certificate_pairs *pairs, const char *name,
                            unsigned nth)
{
    for (unsigned i = 0; i < pairs->n; i++) {
        if (strcmp(pairs->items[i].name, name) == 0 && nth-- == 0) {
            return pairs->items[i].value;
        }
    }
    return "(none)";
}

static void test_facts(void)
{
    struct cert *root = cert_new(&(struct cert_spec){
        .name = "An Authority", .is_authority = true, .key = CERT_RSA_2048});
    struct cert *leaf = cert_new(&(struct cert_spec){
        .name = "Gr\u00fc\u00dfe",
        .issuer = root,
        .serial = "01AB00FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF0A",
        .alt_names = "DNS:a.test, DNS:*.b.test, IP:192.0.2.7, IP:2001:db8::1, "
                     "email:who@a.test, URI:https://a.test/x, RID:1.2.3.4"});
    struct certificate *facts = certificate_new(leaf->x509);

    CU_ASSERT_EQUAL(facts->version, 3);
    CU_ASSERT_STRING_EQUAL(facts->serial_hex, "01AB00FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF0A");
    CU_ASSERT_STRING_EQUAL(facts->serial,
                           "9522505312058507841682398326320352895715770122");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->issuer, "CN", 0), "An Authority");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->issuer, "O", 0), "sockd tests");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->subject, "CN", 0), "Gr\u00fc\u00dfe");
    CU_ASSERT_EQUAL(facts->subject.n, 2);
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "DNS", 0), "a.test");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "DNS", 1), "*.b.test");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "IP Address", 0),
                           "192.0.2.7");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "IP Address", 1),
                           "2001:db8::1");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "email", 0), "who@a.test");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "URI", 0),
                           "https://a.test/x");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->alternative_names, "Registered ID", 0),
                           "1.2.3.4");
    CU_ASSERT_STRING_EQUAL(facts->pem, leaf->pem);
    certificate_free(facts);
    cert_free(leaf);
    cert_free(root);
}

static void test_times(void)
{
    struct cert *cert = cert_new(&(struct cert_spec){.name = "x"});
    struct certificate *facts;

    CU_ASSERT(ASN1_TIME_set_string(X509_getm_notBefore(cert->x509), "991231235959Z") ==
              1);
    CU_ASSERT(ASN1_TIME_set_string(X509_getm_notAfter(cert->x509), "20991231235959Z") ==
              1);
    facts = certificate_new(cert->x509);
    CU_ASSERT_STRING_EQUAL(facts->not_before, "1999-12-31T23:59:59Z");
    CU_ASSERT_STRING_EQUAL(facts->not_after, "2099-12-31T23:59:59Z");
    /* 1999-12-31T23:59:59Z is 946684799 seconds after 1970. */
    CU_ASSERT_EQUAL(facts->not_before_universal, 3155673599);
    CU_ASSERT_EQUAL(facts->not_after_universal, 6311433599);
    certificate_free(facts);
    cert_free(cert);
}

static void test_fingerprint(void)
{
    struct cert *cert = cert_new(&(struct cert_spec){.name = "x"});
    struct certificate *facts = certificate_new(cert->x509);
    unsigned char digest[32];
    unsigned size;

    CU_ASSERT_EQUAL(strlen(facts->fingerprint), CERTIFICATE_FINGERPRINT_SIZE - 1);
    CU_ASSERT(X509_digest(cert->x509, EVP_sha256(), digest, &size) == 1);
    for (unsigned i = 0; i < size; i++) {
        CU_ASSERT_EQUAL(strtoul(facts->fingerprint + 3 * (size_t)i, NULL, 16), digest[i]);
        CU_ASSERT_EQUAL(facts->fingerprint[3 * i + 2], i + 1 < size ? ':' : 0);
    }
    certificate_free(facts);
    cert_free(cert);
}

/* A NUL in a name is the oldest trick: the text before it must not stand for the whole.
 */
static void test_hostile_names(void)
{
    static const unsigned char with_nul[] = "good.test\0.evil.test";
    static const unsigned char not_utf8[] = {'a', 0xff, 'b'};
    struct cert *cert = cert_new(&(struct cert_spec){.name = "x"});
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    const struct {
        const unsigned char *bytes;
        int size;
        int type;
    } hostile[] = {
        {with_nul, sizeof with_nul - 1, GEN_DNS},
        {not_utf8, sizeof not_utf8, GEN_DNS},
        {not_utf8, sizeof not_utf8, GEN_IPADD},
        {(const unsigned char *)"", 0, GEN_URI},
    };

    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_STRING *string = ASN1_STRING_type_new(
            hostile[i].type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
        CU_ASSERT(ASN1_STRING_set(string, hostile[i].bytes, hostile[i].size) == 1);
        GENERAL_NAME_set0_value(name, hostile[i].type, string);
        CU_ASSERT(sk_GENERAL_NAME_push(names, name) > 0);
    }
    CU_ASSERT(X509_add1_ext_i2d(cert->x509, NID_subject_alt_name, names, 0, 0) == 1);
    struct certificate *facts = certificate_new(cert->x509);
    const struct certificate_pairs *found = &facts->alternative_names;

    CU_ASSERT_EQUAL_FATAL(found->n, 4);
    CU_ASSERT_EQUAL(found->items[0].size, sizeof with_nul - 1);
    CU_ASSERT(memcmp(found->items[0].value, with_nul, sizeof with_nul) == 0);
    CU_ASSERT_STRING_EQUAL(found->items[1].value, "#61FF62");
    CU_ASSERT_STRING_EQUAL(found->items[2].value, "#61FF62");
    CU_ASSERT_STRING_EQUAL(found->items[3].value, "");
    for (unsigned i = 0; i < found->n; i++) {
        CU_ASSERT(text_is_utf8(found->items[i].value, found->items[i].size));
    }
    certificate_free(facts);
    GENERAL_NAMES_free(names);
    cert_free(cert);
}

static void test_odd_subject(void)
{
    struct cert *cert = cert_new(&(struct cert_spec){.name = "x"});
    X509_NAME *name = X509_get_subject_name(cert->x509);
    ASN1_OBJECT *strange = OBJ_txt2obj("1.3.6.1.4.1.99999.1", 1);
    static const unsigned char half[] = {0xd8, 0x00}; /* half a pair of UTF-16 */

    CU_ASSERT(X509_NAME_add_entry_by_OBJ(name, strange, V_ASN1_UTF8STRING,
                                         (const unsigned char *)"v", 1, -1, 0) == 1);
    CU_ASSERT(X509_NAME_add_entry_by_txt(name, "L", V_ASN1_BMPSTRING, half, 2, -1, 0) ==
              1);
    CU_ASSERT(X509_NAME_add_entry_by_txt(name, "ST", V_ASN1_T61STRING,
                                         (const unsigned char *)"\xe9", 1, -1, 0) == 1);
    struct certificate *facts = certificate_new(cert->x509);

    CU_ASSERT_STRING_EQUAL(value_of(&facts->subject, "1.3.6.1.4.1.99999.1", 0), "v");
    CU_ASSERT_STRING_EQUAL(value_of(&facts->subject, "ST", 0), "\u00e9");
    for (unsigned i = 0; i < facts->subject.n; i++) {
        CU_ASSERT(
            text_is_utf8(facts->subject.items[i].value, facts->subject.items[i].size));
    }
    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    certificate_free(facts);
    ASN1_OBJECT_free(strange);
    cert_free(cert);
}

static void test_lists(void)
{
    struct cert *one = cert_new(&(struct cert_spec){.name = "one"});
    struct cert *two = cert_new(&(struct cert_spec){.name = "two", .key = CERT_ED25519});
    char *text = cert_join("some words\n", one->pem, one->key_pem, "\n", two->pem, NULL);
    struct certificate_list list = {0};
    struct error error;

    CU_ASSERT(certificate_list_read(&list, text, strlen(text), "ca-file", &error));
    CU_ASSERT_EQUAL_FATAL(list.n, 2);
    CU_ASSERT_STRING_EQUAL(value_of(&list.items[1]->subject, "CN", 0), "two");
    certificate_list_fini(&list);
    /* Cut inside the second. */
    CU_ASSERT_FALSE(
        certificate_list_read(&list, text, strlen(text) - 40, "ca-file", &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "ca-file");
    CU_ASSERT_EQUAL(list.n, 0);
    CU_ASSERT_FALSE(certificate_list_read(&list, NULL, 0, "ca-file", &error));
    CU_ASSERT_EQUAL(error.id, ERROR_INVALID_PARAMS);
    CU_ASSERT_FALSE(certificate_list_read(&list, one->key_pem, strlen(one->key_pem),
                                          "certificate", &error));
    CU_ASSERT_STRING_EQUAL(error.parameter, "certificate");
    CU_ASSERT_EQUAL(ERR_peek_error(), 0);
    free(text);
    cert_free(one);
    cert_free(two);
}

static const struct unit_test tests[] = {
    {"every fact of a certificate", test_facts},
    {"times as text and as universal time", test_times},
    {"the fingerprint is that of the whole", test_fingerprint},
    {"alternative names with NUL and bytes that are no text", test_hostile_names},
    {"subjects with odd attributes and strings", test_odd_subject},
    {"several certificates in one text", test_lists},
};

UNIT_MAIN(tests)
