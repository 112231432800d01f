/* SPDX-License-Identifier: MIT */
/*
 * verb_cert.c - cert: the certificate of a server, what stands behind it, and whether it
 * is good.
 *
 * Run by run.c; connects, shakes hands in a way that accepts any certificate, and asks
 * for chain and verdict. The exit status is that of the error which connect --tls would
 * have ended with.
 */
#include <config.h>
#include "client/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/args.h"
#include "client/columns.h"
#include "client/draft.h"
#include "client/memory.h"
#include "client/output.h"
#include "client/problem.h"
#include "client/run.h"
#include "client/session.h"
#include "client/tls_verbs.h"
#include "proto/error.h"

enum { LABEL_WIDTH = 9, TEXT_WIDTH = 68 /* of lines of 80 */, SECONDS_A_DAY = 86400 };

/* From 1900 to 1970. */
static const json_int_t universal_epoch = 2208988800;

static const struct param_row rows[] = {
    VERB_WORD("host", VALUE_STRING, true, "host to connect to: a name or an address"),
    VERB_WORD("port", VALUE_PORT, false,
              "port to connect to: a number or the name of a service. Absent: 443"),
    VERB_OPTION("pem", VALUE_BOOL, NULL, "false",
                "print the certificates themselves, in PEM form"),
};

/* What was found out. Owner: run_cert(). */
struct finding {
    json_t *description, *peer, *verdict;
};

static void finding_fini(struct finding *finding)
{
    json_decref(finding->description);
    json_decref(finding->peer);
    json_decref(finding->verdict);
}

/* ---- Asking ---- */

static bool connect_to(struct session *session, struct args *args,
                       struct finding *finding, struct problem *problem)
{
    json_t *params = args->borrowed_params[0], *tls = args->borrowed_params[1];
    json_t *port = json_object_get(args->params, "port");
    json_t *made;

    (void)json_object_set(params, "remote-host", json_object_get(args->params, "host"));
    (void)json_object_set_new(params, "remote-port",
                              port ? json_incref(port) : json_integer(443));
    /* A bad certificate is to be shown, so it must not end the handshake. */
    if (!json_object_get(tls, "verify"))
        (void)json_object_set_new(tls, "verify", json_string("request"));
    made = session_call_json(session, args->borrowed[0]->name, params, problem);
    if (made)
        finding->description = tls_verbs_connect(
            session, args, json_integer_value(json_object_get(made, "socket")), problem);
    json_decref(made);
    return finding->description != NULL;
}

static bool ask(struct session *session, struct args *args, struct finding *finding,
                struct problem *problem)
{
    json_t *params;

    if (!connect_to(session, args, finding, problem))
        return false;
    params = memory_need(
        json_pack("{s:O}", "socket", json_object_get(finding->description, "socket")));
    finding->verdict =
        session_call_json(session, "get-ssl-verify-result", params, problem);
    (void)json_object_set_new(params, "chain", json_true());
    if (finding->verdict)
        finding->peer =
            session_call_json(session, "get-ssl-peer-certificate", params, problem);
    json_decref(params);
    return finding->peer != NULL;
}

/* ---- Showing ---- */

/* How much of a text goes on a line: to the last comma that fits, else to the first. */
static size_t part(const char *text)
{
    size_t size = 0;

    if (columns_width(text) <= TEXT_WIDTH)
        return strlen(text);
    for (;;) {
        size_t next = size + strcspn(text + size, ",");

        if (!text[next] || (size > 0 && next >= TEXT_WIDTH))
            return size > 0 ? size : next;
        size = next + 1;
    }
}

/* A label and a text, which goes on below itself when it is long. */
static void line(const char *label, const char *text)
{
    while (*text) {
        size_t size = part(text);

        (void)printf("  %-*s %.*s\n", LABEL_WIDTH, label, (int)size, text);
        text += size;
        text += strspn(text, " ");
        label = "";
    }
}

static void member(const char *label, const json_t *certificate, const char *name)
{
    char *text = columns_cell_text(json_object_get(certificate, name));

    line(label, text);
    free(text);
}

static void name_line(const char *label, const json_t *certificate, const char *name)
{
    char *text = output_pairs(json_object_get(certificate, name));

    line(label, *text ? text : "(empty)");
    free(text);
}

/* "example.org, www.example.org, IP Address ::1" */
static void alternative_names(const json_t *certificate)
{
    struct draft text = {0};
    size_t i;
    const json_t *pair;

    json_array_foreach(json_object_get(certificate, "subject-alt-name"), i, pair)
    {
        char *kind = columns_cell_text(json_array_get(pair, 0));
        char *name = columns_cell_text(json_array_get(pair, 1));
        bool is_plain = strcmp(kind, "DNS") == 0;

        draft_printf(&text, "%s%s%s%s", i > 0 ? ", " : "", is_plain ? "" : kind,
                     is_plain ? "" : " ", name);
        free(kind);
        free(name);
    }
    if (text.size)
        line("names", text.data);
    draft_fini(&text);
}

static const char *days_word(json_int_t days) { return days == 1 ? "day" : "days"; }

/* "2025-01-01 to 2026-01-01, 57 days left" */
static void validity(const json_t *certificate)
{
    json_int_t now = (json_int_t)time(NULL) + universal_epoch;
    const json_t *begin = json_object_get(certificate, "not-before-universal");
    const json_t *end = json_object_get(certificate, "not-after-universal");
    const char *from = json_string_value(json_object_get(certificate, "not-before"));
    const char *to = json_string_value(json_object_get(certificate, "not-after"));
    struct draft text = {0};

    draft_printf(&text, "%.10s to %.10s", from ? from : "?", to ? to : "?");
    if (json_is_integer(begin) && json_integer_value(begin) > now) {
        json_int_t days = (json_integer_value(begin) - now) / SECONDS_A_DAY;

        draft_printf(&text, ", NOT YET VALID: in %lld %s", (long long)days,
                     days_word(days));
    } else if (json_is_integer(end) && json_integer_value(end) < now) {
        json_int_t days = (now - json_integer_value(end)) / SECONDS_A_DAY;

        draft_printf(&text, ", EXPIRED %lld %s ago", (long long)days, days_word(days));
    } else if (json_is_integer(end)) {
        json_int_t days = (json_integer_value(end) - now) / SECONDS_A_DAY;

        draft_printf(&text, ", %lld %s left", (long long)days, days_word(days));
    }
    line("valid", text.data);
    draft_fini(&text);
}

/* In halves of 16 bytes. */
static void fingerprint(const json_t *certificate)
{
    enum { HALF = 16 * 3 };
    char *text = columns_cell_text(json_object_get(certificate, "fingerprint-sha256"));
    size_t size = strlen(text) == 2 * HALF - 1 ? HALF : strlen(text);

    (void)printf("  %-*s %.*s\n", LABEL_WIDTH, "SHA-256", (int)size, text);
    line("", text + size);
    free(text);
}

static void print_certificate(const char *heading, const json_t *certificate)
{
    (void)printf("\n%s\n", heading);
    name_line("subject", certificate, "subject");
    name_line("issuer", certificate, "issuer");
    alternative_names(certificate);
    validity(certificate);
    member("key", certificate, "key");
    member("serial", certificate, "serial-number-hex");
    fingerprint(certificate);
}

static bool is_verified(const struct finding *finding)
{
    return json_is_true(json_object_get(finding->verdict, "verified"));
}

/* With --no-verify nobody has looked, so there is no fault either. */
static bool is_bad(const struct finding *finding)
{
    return json_integer_value(json_object_get(finding->verdict, "code")) != 0 ||
           (json_is_null(json_object_get(finding->peer, "certificate")));
}

/* What the verdict is, in words. For the caller to free(). */
static char *verdict_text(const struct finding *finding)
{
    struct draft text = {0};
    char *why = columns_cell_text(json_object_get(finding->verdict, "text"));

    if (json_is_null(json_object_get(finding->peer, "certificate")))
        draft_add_string(&text, "NOT GOOD: the server has sent no certificate");
    else if (is_bad(finding))
        draft_printf(
            &text, "NOT GOOD: %s (code %lld)", why,
            (long long)json_integer_value(json_object_get(finding->verdict, "code")));
    else if (is_verified(finding))
        draft_add_string(&text, "good: it is for this server, valid, and trusted");
    else
        draft_add_string(&text, "none: nobody looked at it");
    free(why);
    return draft_take(&text);
}

/* "example.org (192.0.2.1) port 443" */
static void print_peer(const struct finding *finding, const json_t *words)
{
    char *name = columns_cell_text(json_object_get(words, "host"));
    char *host = columns_cell_text(json_object_get(finding->description, "remote-host"));
    char *port = columns_cell_text(json_object_get(finding->description, "remote-port"));

    (void)printf("%s", name);
    if (*host && strcmp(name, host) != 0)
        (void)printf(" (%s)", host);
    (void)printf(" port %s: ", port);
    free(name);
    free(host);
    free(port);
}

static void print_finding(const struct finding *finding, const json_t *words)
{
    char *facts = tls_verbs_facts(json_object_get(finding->description, "tls"));
    char *verdict = verdict_text(finding);
    const json_t *certificate = json_object_get(finding->peer, "certificate");
    size_t i;
    const json_t *other;

    print_peer(finding, words);
    (void)printf("%s\nverdict: %s\n", facts, verdict);
    if (json_is_object(certificate))
        print_certificate("certificate", certificate);
    json_array_foreach(json_object_get(finding->peer, "chain"), i, other)
    {
        print_certificate("issued by", other);
    }
    free(facts);
    free(verdict);
}

static void print_pem(const json_t *certificate)
{
    const char *pem = json_string_value(json_object_get(certificate, "pem"));

    if (pem)
        (void)fputs(pem, stdout); /* run_flush() sees a failure */
}

static void print_pems(const json_t *peer)
{
    size_t i;
    const json_t *other;

    print_pem(json_object_get(peer, "certificate"));
    json_array_foreach(json_object_get(peer, "chain"), i, other) { print_pem(other); }
}

static void print_json(const struct finding *finding)
{
    json_t *whole = memory_need(json_pack(
        "{s:O?,s:O?,s:O?,s:O}", "tls", json_object_get(finding->description, "tls"),
        "certificate", json_object_get(finding->peer, "certificate"), "chain",
        json_object_get(finding->peer, "chain"), "verify-result", finding->verdict));
    char *text = memory_need(json_dumps(whole, JSON_COMPACT));

    (void)puts(text);
    free(text);
    json_decref(whole);
}

static int run_cert(struct context *context, struct args *args, struct problem *problem)
{
    struct session *session = run_new_session(context, problem);
    struct finding finding = {0};
    int status = STATUS_OK;

    (void)json_object_set_new(args->params, "tls", json_true());
    (void)tls_verbs_take_options(args, true, problem); /* content with that */
    if (session && ask(session, args, &finding, problem)) {
        if (context->settings.is_json)
            print_json(&finding);
        else if (json_is_true(json_object_get(args->params, "pem")))
            print_pems(finding.peer);
        else
            print_finding(&finding, args->params);
        if (is_bad(&finding))
            status = problem_status(error_row(ERROR_CERTIFICATE_VERIFY_FAILED)->code);
    }
    finding_fini(&finding);
    session_close(session);
    return problem->status ? problem->status : status;
}

const struct verb verb_cert = {
    .command = {.name = "cert",
                .summary = "show the certificate of a server and whether it is good",
                .text =
                    "Connects with TLS to HOST PORT and prints the certificate of the "
                    "server, those behind it, and the verdict. The exit status is 0 "
                    "when it is good, and 16, that of certificate-verify-failed, when "
                    "it is not. Nothing is sent to a server but the handshake.",
                VERB_ROWS(rows)},
    .borrows = {"make-socket", "make-ssl-client-stream"},
    .run = run_cert,
};
