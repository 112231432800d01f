/* SPDX-License-Identifier: MIT */
/*
 * tls_plan.c - from the keywords of TLS to what a context is made of.
 *
 * Called by the commands on contexts and on streams, and by the reader of the
 * configuration. Thread: any.
 */
#include <config.h>
#include "daemon/control/tls_plan.h"

#include <string.h>

#include "daemon/base/check.h"
#include "daemon/control/limits.h"
#include "proto/arena.h"
#include "proto/params.h"
#include "proto/table.h"

/* The words of crl-check. */
enum { CRL_FALSE, CRL_TRUE, CRL_LEAF, CRL_CHAIN };

const struct value *tls_plan_value(const struct params *params, const char *name)
{
    const struct param_row *row =
        table_command_param(params->command, name, strlen(name));

    return row != NULL && params_has(params, row->id) ? params_value(params, row->id)
                                                      : NULL;
}

/* As tls_plan_value(), or the default of the row, if there is one. */
static const struct value *value_or_default(const struct params *params, const char *name)
{
    const struct param_row *row =
        table_command_param(params->command, name, strlen(name));

    return row != NULL && (params_has(params, row->id) || row->preset != NULL)
               ? params_value(params, row->id)
               : NULL;
}

static void read_text(struct tls_text *text, const struct params *params,
                      const char *name)
{
    const struct value *value = tls_plan_value(params, name);

    if (value != NULL) {
        *text = (struct tls_text){value->text.text, value->text.size};
    }
}

static const char *read_words(const struct params *params, const char *name)
{
    const struct value *value = tls_plan_value(params, name);

    return value != NULL ? value->text.text : NULL;
}

static const char *const *read_list(const struct value *value, struct arena *arena)
{
    const char **items =
        arena_alloc(arena, (value->strings.n + 1) * sizeof(const char *));

    CHECK(items != NULL);
    for (size_t i = 0; i < value->strings.n; i++) {
        items[i] = value->strings.items[i].text;
    }
    return items;
}

static bool read_method(unsigned *versions, const struct params *params,
                        struct error *error)
{
    const struct value *value = tls_plan_value(params, "method");
    const char *words[16];

    if (value == NULL) {
        return true;
    }
    CHECK(value->strings.n <= sizeof words / sizeof words[0]);
    for (size_t i = 0; i < value->strings.n; i++) {
        words[i] = value->strings.items[i].text;
    }
    return tls_versions_read(words, (unsigned)value->strings.n, versions, error);
}

const char *const *tls_plan_alpn(const struct params *params, struct arena *arena,
                                 unsigned *n)
{
    const struct value *value = tls_plan_value(params, "alpn");

    *n = value != NULL ? (unsigned)value->strings.n : 0;
    return value != NULL ? read_list(value, arena) : NULL;
}

static void read_texts(struct tls_config *config, const struct params *params)
{
    read_text(&config->certificate, params, "certificate");
    read_text(&config->key, params, "key");
    read_text(&config->password, params, "certificate-password");
    read_text(&config->ca, params, "ca-file");
    read_text(&config->ca_directory, params, "ca-directory");
    read_text(&config->crl, params, "crl-file");
}

static void read_checks(struct tls_config *config, const struct params *params)
{
    static const enum tls_crl_check crl_checks[] = {
        [CRL_FALSE] = TLS_CRL_NONE,
        [CRL_TRUE] = TLS_CRL_LEAF,
        [CRL_LEAF] = TLS_CRL_LEAF,
        [CRL_CHAIN] = TLS_CRL_CHAIN,
    };
    const struct value *verify = value_or_default(params, "verify");
    const struct value *max_depth = value_or_default(params, "max-depth");
    const struct value *crl_check = value_or_default(params, "crl-check");

    if (verify != NULL) {
        config->verify = (enum tls_verify)verify->word; /* its words are in that order */
    }
    if (max_depth != NULL) {
        config->max_depth = (int)max_depth->integer;
    }
    if (crl_check != NULL) {
        config->crl_check = crl_checks[crl_check->word];
    }
}

bool tls_plan_config(struct tls_config *config, const struct params *params,
                     enum tls_role role, struct arena *arena, struct error *error)
{
    const struct value *order = value_or_default(params, "prefer-server-cipher-order");
    const struct value *sessions = value_or_default(params, "sessions");
    const struct value *tickets = value_or_default(params, "tickets");

    tls_config_init(config, role);
    if (!read_method(&config->versions, params, error)) {
        return false;
    }
    config->allows_weak = control_limits()->allows_weak_tls;
    read_texts(config, params);
    read_checks(config, params);
    config->ciphers = read_words(params, "ciphers");
    config->ciphersuites = read_words(params, "ciphersuites");
    config->groups = read_words(params, "groups");
    config->server_name = read_words(params, "server-name");
    config->alpn = tls_plan_alpn(params, arena, &config->n_alpn);
    if (order != NULL) {
        config->prefers_server_order = order->boolean;
    }
    if (sessions != NULL) {
        config->has_sessions = sessions->boolean;
    }
    if (tickets != NULL) {
        config->n_tickets = (unsigned)tickets->integer;
    }
    return true;
}

/* ---- Updates ---- */

static bool is_given(const struct params *params, const char *name)
{
    return tls_plan_value(params, name) != NULL;
}

void tls_plan_update(struct tls_config *config, const struct params *params)
{
    struct tls_config old = *config, given = *config;

    /* A new certificate does not go with the old key, nor the other way round. */
    if (is_given(params, "certificate") || is_given(params, "key")) {
        given.certificate = given.key = given.password = (struct tls_text){0};
    }
    /* Both are what is trusted; one of them alone would be a part of it. */
    if (is_given(params, "ca-file") || is_given(params, "ca-directory")) {
        given.ca = given.ca_directory = (struct tls_text){0};
    }
    read_texts(&given, params);
    tls_config_copy(config, &given);
    tls_config_fini(&old);
}

/* ---- Overrides ---- */

static bool refuse_identity(const struct params *params, struct error *error)
{
    static const char *const names[] = {
        "certificate", "key",          "certificate-password",
        "ca-file",     "ca-directory", "crl-file",
        "crl-check",   "groups",
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_given(params, names[i])) {
            return error_set_parameter(error, names[i],
                                       "nothing beside context, which has its own");
        }
    }
    return true;
}

bool tls_plan_overrides(struct tls_overrides *overrides, const struct params *params,
                        struct error *error)
{
    const struct value *verify = tls_plan_value(params, "verify");
    const struct value *max_depth = tls_plan_value(params, "max-depth");
    const struct value *order = tls_plan_value(params, "prefer-server-cipher-order");

    *overrides = (struct tls_overrides)TLS_OVERRIDES_NONE;
    if (!refuse_identity(params, error) ||
        !read_method(&overrides->versions, params, error)) {
        return false;
    }
    overrides->ciphers = read_words(params, "ciphers");
    overrides->ciphersuites = read_words(params, "ciphersuites");
    overrides->verify = verify != NULL ? (int)verify->word : -1;
    overrides->max_depth = max_depth != NULL ? (int)max_depth->integer : -1;
    overrides->prefers_server_order = order != NULL ? order->boolean : -1;
    return true;
}

bool tls_plan_has_overrides(const struct tls_overrides *overrides)
{
    return overrides->versions != 0 || overrides->ciphers != NULL ||
           overrides->ciphersuites != NULL || overrides->verify >= 0 ||
           overrides->max_depth >= 0 || overrides->prefers_server_order >= 0;
}
