/* SPDX-License-Identifier: MIT */
/*
 * cmd_daemon.c - hello, cancel, rpc.discover, stop, set-log-level: the daemon itself.
 *
 * Thread: the worker of the connection; stop and set-log-level run on the main thread.
 */
#include <config.h>
#include <string.h>
#include "daemon/base/check.h"
#include "daemon/base/log.h"
#include "daemon/control/connection.h"
#include "daemon/control/handlers.h"
#include "daemon/control/instance.h"
#include "daemon/control/limits.h"
#include "daemon/control/request.h"
#include "daemon/control/client_facts.h"
#include "proto/describe.h"

/* What a client can count on beyond the commands that rpc.discover lists. */
static const char *const features[] = {"attach", "batch", "cancel", "descriptor-passing",
                                       "tls",    "sni"};

static void write_limits(struct writer *writer)
{
    const struct control_limits *limits = control_limits();

    writer_result(writer, RESULT_HELLO_LIMITS);
    writer_begin_object(writer);
    writer_result_int(writer, FIELD_LIMITS_MESSAGE_SIZE, (int64_t)limits->message_size);
    writer_result_int(writer, FIELD_LIMITS_NESTING, limits->nesting);
    writer_result_int(writer, FIELD_LIMITS_BATCH_SIZE, limits->batch_size);
    writer_result_int(writer, FIELD_LIMITS_REQUESTS_IN_FLIGHT,
                      limits->requests_in_flight);
    writer_result_int(writer, FIELD_LIMITS_REQUEST_QUEUE_SIZE,
                      (int64_t)limits->request_queue_size);
    writer_result_int(writer, FIELD_LIMITS_CONNECTIONS, limits->connections);
    writer_result_int(writer, FIELD_LIMITS_CONNECTIONS_PER_USER,
                      limits->connections_per_user);
    writer_result_int(writer, FIELD_LIMITS_SOCKETS, limits->sockets);
    writer_result_int(writer, FIELD_LIMITS_SOCKETS_PER_USER, limits->sockets_per_user);
    writer_result_int(writer, FIELD_LIMITS_LOOKUPS, limits->lookups);
    writer_result_int(writer, FIELD_LIMITS_LOOKUPS_PER_USER, limits->lookups_per_user);
    writer_result_int(writer, FIELD_LIMITS_CONTEXTS, limits->contexts);
    writer_result_int(writer, FIELD_LIMITS_CONTEXTS_PER_USER, limits->contexts_per_user);
    writer_result_int(writer, FIELD_LIMITS_HANDSHAKES, limits->handshakes);
    writer_result_int(writer, FIELD_LIMITS_REPLY_QUEUE_SIZE,
                      (int64_t)limits->reply_queue_size);
    writer_result_double(writer, FIELD_LIMITS_REPLY_TIMEOUT, limits->reply_timeout);
    writer_result_int(writer, FIELD_LIMITS_INPUT_BUFFER_SIZE,
                      (int64_t)limits->input_buffer_size);
    writer_result_int(writer, FIELD_LIMITS_OUTPUT_BUFFER_SIZE,
                      (int64_t)limits->output_buffer_size);
    writer_result_double(writer, FIELD_LIMITS_CLOSE_TIMEOUT, limits->close_timeout);
    writer_end_object(writer);
}

void handle_hello(struct request *request)
{
    struct connection_facts facts;
    struct writer *writer;

    connection_facts(request_connection(request), &facts);
    writer = request_reply(request);
    writer_result_text(writer, RESULT_HELLO_PRODUCT, "sockd");
    writer_result_text(writer, RESULT_HELLO_VERSION, PACKAGE_VERSION);
    writer_result_int(writer, RESULT_HELLO_PROTOCOL, 1);
    write_limits(writer);
    writer_result(writer, RESULT_HELLO_FEATURES);
    writer_begin_array(writer);
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        writer_text(writer, features[i]);
    }
    writer_end_array(writer);
    writer_result(writer, RESULT_HELLO_CLIENT);
    writer_begin_object(writer);
    client_facts_write(writer, &facts);
    writer_end_object(writer);
    request_finish(request);
}

void handle_cancel(struct request *request)
{
    const struct value *id = params_value(request_params(request), PARAM_CANCEL_REQUEST);

    connection_cancel(request, id->json);
}

void handle_rpc_discover(struct request *request)
{
    size_t size;
    const char *text = describe_document(&size);
    struct writer *writer = request_reply(request);

    /* The document is a whole object; its members go into the one that is open already.
     */
    CHECK(text && size > 2 && text[0] == '{' && text[size - 1] == '}');
    writer_raw(writer, text + 1, size - 2, true);
    request_finish(request);
}

void handle_stop(struct request *request)
{
    request_ok(request);
    instance_stop();
}

static bool find_module(const char *name, enum log_module *module)
{
    for (unsigned i = 0; i < LOG_MODULE_COUNT; i++) {
        if (strcmp(log_module_name((enum log_module)i), name) == 0) {
            *module = (enum log_module)i;
            return true;
        }
    }
    return false;
}

void handle_set_log_level(struct request *request)
{
    const struct params *params = request_params(request);
    /* The words of the parameter stand in the order of enum log_level. */
    enum log_level level = (enum log_level)params_word(params, PARAM_SET_LOG_LEVEL_LEVEL);
    enum log_module module;
    struct error error;

    if (!params_has(params, PARAM_SET_LOG_LEVEL_MODULE)) {
        log_set_all(level);
    } else if (find_module(params_text(params, PARAM_SET_LOG_LEVEL_MODULE).text,
                           &module)) {
        log_set_level(module, level);
    } else {
        (void)error_set_parameter(&error, "module",
                                  "one of daemon, control, net, tls, dns");
        request_fail(request, &error);
        return;
    }
    request_ok(request);
}
