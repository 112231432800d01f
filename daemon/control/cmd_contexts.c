/* SPDX-License-Identifier: MIT */
/*
 * cmd_contexts.c - TLS contexts: make, show, list, update, close.
 *
 * Called by dispatch.c; calls contexts.c, and job threads through context_build.c.
 * Thread: the worker of the connection.
 */
#include <config.h>

#include <string.h>

#include "daemon/base/check.h"
#include "daemon/base/loop.h"
#include "daemon/control/certificate_write.h"
#include "daemon/control/context_build.h"
#include "daemon/control/contexts.h"
#include "daemon/control/description.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "daemon/control/timestamp.h"
#include "daemon/control/tls_plan.h"
#include "daemon/net/certificate.h"
#include "proto/arena.h"
#include "proto/table.h"
#include "proto/value.h"

/* ---- Waiting for a job ---- */

/* Owner: the request, in whose arena it lies. */
struct making {
    struct request *request;
    struct context_build *build;
    int64_t handle;   /* update-context */
    unsigned version; /* the same */
};

static void making_cancel(struct request *request, const struct error *why)
{
    struct making *making = request_state(request);

    context_build_forget(making->build);
    request_fail(request, why);
}

static void start(struct request *request, struct making *making,
                  struct tls_config *config, context_built *done)
{
    making->request = request;
    request_wait(request, making_cancel, making);
    making->build = context_build_start(config, done, making);
}

/* ---- make-ssl-client-context, make-ssl-server-context ---- */

static const char *name_of(const struct params *params)
{
    const struct value *name = tls_plan_value(params, "name");

    return name != NULL ? name->text.text : NULL;
}

static void made(void *arg, struct tls_context *context, struct tls_config *config,
                 const struct error *error)
{
    struct request *request = ((struct making *)arg)->request;
    const struct caller *caller = request_caller(request);
    const struct context_spec spec = {
        .name = name_of(request_params(request)),
        .owner = {.uid = caller->uid, .pid = caller->pid, .client = caller->client},
    };
    struct error why;
    int64_t handle = 0;

    if (error == NULL) {
        handle = contexts_add(request_loop(request), &spec, context, config, &why);
        error = handle == 0 ? &why : NULL;
    }
    if (error != NULL) {
        if (context != NULL) {
            tls_context_unref(context);
        }
        request_fail(request, error);
        return;
    }
    /* Both commands have this result. */
    writer_result_int(request_reply(request), RESULT_MAKE_SSL_CLIENT_CONTEXT_CONTEXT,
                      handle);
    request_finish(request);
}

static void make(struct request *request, enum tls_role role)
{
    const struct params *params = request_params(request);
    const char *name = name_of(params);
    struct tls_config given, config;
    struct error error;

    if ((name != NULL &&
         !contexts_check_name(name, request_caller(request)->uid, false, &error)) ||
        !tls_plan_config(&given, params, role, request_arena(request), &error)) {
        request_fail(request, &error);
        return;
    }
    tls_config_copy(&config, &given);
    start(request, request_alloc(request, sizeof(struct making)), &config, made);
}

void handle_make_ssl_client_context(struct request *request)
{
    make(request, TLS_CLIENT);
}

void handle_make_ssl_server_context(struct request *request)
{
    make(request, TLS_SERVER);
}

/* ---- Showing ---- */

static void write_word(struct writer *writer, enum result_id id, unsigned index)
{
    size_t size;
    const char *word = value_word(table_result(id)->spec, index, &size);

    writer_result(writer, id);
    /* A switch: false is the boolean. */
    if (size == 5 && memcmp(word, "false", size) == 0) {
        writer_bool(writer, false);
    } else {
        writer_string(writer, word, size);
    }
}

static void write_versions(struct writer *writer, unsigned versions)
{
    writer_result(writer, FIELD_CONTEXT_VERSIONS);
    writer_begin_array(writer);
    for (unsigned version = TLS_VERSION_1_0; version <= TLS_VERSION_1_3; version *= 2) {
        if ((versions & version) != 0) {
            writer_text(writer, tls_version_name((enum tls_version)version));
        }
    }
    writer_end_array(writer);
}

static void write_certificate_facts(struct writer *writer,
                                    const struct certificate_list *list)
{
    const struct certificate *leaf = list->n > 0 ? list->items[0] : NULL;

    writer_result(writer, FIELD_CONTEXT_SUBJECT);
    if (leaf != NULL) {
        certificate_write_pairs(writer, &leaf->subject);
    } else {
        writer_null(writer);
    }
    writer_result_text(writer, FIELD_CONTEXT_NOT_AFTER,
                       leaf != NULL && leaf->not_after[0] != '\0' ? leaf->not_after
                                                                  : NULL);
}

static void write_time(struct writer *writer, enum result_id id, int64_t time)
{
    char text[TIMESTAMP_SIZE];

    if (time == 0) {
        writer_result_null(writer, id);
        return;
    }
    timestamp_format(time, text);
    writer_result_text(writer, id, text);
}

static void write_rules(struct writer *writer, const struct tls_context_facts *facts)
{
    write_word(writer, FIELD_CONTEXT_ROLE, facts->role);
    write_versions(writer, facts->versions);
    write_word(writer, FIELD_CONTEXT_VERIFY, facts->verify);
    writer_result_int(writer, FIELD_CONTEXT_MAX_DEPTH, facts->max_depth);
    write_word(writer, FIELD_CONTEXT_CRL_CHECK, facts->crl_check);
    writer_result_text(writer, FIELD_CONTEXT_SERVER_NAME, facts->server_name);
}

/* The members of the object `context`. */
static void write_context(struct writer *writer, const struct context_view *view,
                          const struct certificate_list *list)
{
    struct tls_context_facts facts;

    tls_context_describe(view->context, &facts);
    writer_result_int(writer, FIELD_CONTEXT_CONTEXT, view->handle);
    if (view->name[0] != '\0') {
        writer_result_text(writer, FIELD_CONTEXT_NAME, view->name);
    }
    write_rules(writer, &facts);
    write_certificate_facts(writer, list);
    writer_result_bool(writer, FIELD_CONTEXT_SESSIONS, facts.has_sessions);
    if (facts.role == TLS_CLIENT) {
        writer_result_int(writer, FIELD_CONTEXT_STORED_SESSIONS, facts.n_sessions);
    } else {
        writer_result_int(writer, FIELD_CONTEXT_TICKET_KEYS, facts.n_ticket_keys);
    }
    description_write_owner(writer, &view->owner);
    write_time(writer, FIELD_CONTEXT_CREATED, view->created);
    write_time(writer, FIELD_CONTEXT_UPDATED, view->updated);
}

static struct value_reference reference_of(const struct request *request)
{
    const struct value *value = tls_plan_value(request_params(request), "context");

    CHECK(value != NULL); /* it is required */
    return value->reference;
}

void handle_describe_context(struct request *request)
{
    struct value_reference reference = reference_of(request);
    struct certificate_list list = {0};
    struct context_view view;
    struct error error;

    if (!contexts_view(&reference, request_caller(request), &view, &error)) {
        request_fail(request, &error);
        return;
    }
    struct writer *writer = request_reply(request);

    tls_context_certificates(view.context, &list);
    write_context(writer, &view, &list);
    writer_result(writer, RESULT_DESCRIBE_CONTEXT_CERTIFICATES);
    writer_begin_array(writer);
    for (unsigned i = 0; i < list.n; i++) {
        certificate_write(writer, list.items[i]);
    }
    writer_end_array(writer);
    certificate_list_fini(&list);
    context_view_fini(&view);
    request_finish(request);
}

void handle_list_contexts(struct request *request)
{
    struct writer *writer = request_reply(request);
    struct context_view view;
    int64_t handle = 0;

    writer_result(writer, RESULT_LIST_CONTEXTS_CONTEXTS);
    writer_begin_array(writer);
    while (contexts_next(handle, request_caller(request), &view)) {
        struct certificate_list list = {0};
        handle = view.handle;
        tls_context_certificates(view.context, &list);
        writer_begin_object(writer);
        write_context(writer, &view, &list);
        writer_end_object(writer);
        certificate_list_fini(&list);
        context_view_fini(&view);
    }
    writer_end_array(writer);
    request_finish(request);
}

/* ---- update-context, close-context ---- */

static void answer_update(struct request *request, int64_t handle)
{
    const struct value_reference reference = {.handle = handle};
    struct certificate_list list = {0};
    struct context_view view;
    struct error error;

    if (!contexts_view(&reference, request_caller(request), &view, &error)) {
        request_fail(request, &error);
        return;
    }
    tls_context_certificates(view.context, &list);
    write_context(request_reply(request), &view, &list);
    certificate_list_fini(&list);
    context_view_fini(&view);
    request_finish(request);
}

static void updated(void *arg, struct tls_context *context, struct tls_config *config,
                    const struct error *error)
{
    struct making *making = arg;
    struct request *request = making->request;
    struct error why;

    if (error == NULL &&
        !contexts_replace(making->handle, making->version, context, config, &why)) {
        tls_context_unref(context);
        error = &why;
    }
    if (error != NULL) {
        request_fail(request, error);
    } else {
        answer_update(request, making->handle);
    }
}

void handle_update_context(struct request *request)
{
    struct value_reference reference = reference_of(request);
    struct making *making = request_alloc(request, sizeof *making);
    struct tls_config config;
    struct error error;

    if (!contexts_edit(&reference, request_caller(request), &making->handle,
                       &making->version, &config, &error)) {
        request_fail(request, &error);
        return;
    }
    tls_plan_update(&config, request_params(request));
    start(request, making, &config, updated);
}

void handle_close_context(struct request *request)
{
    struct value_reference reference = reference_of(request);
    struct error error;

    if (!contexts_close(&reference, request_caller(request), &error)) {
        request_fail(request, &error);
        return;
    }
    request_ok(request);
}
