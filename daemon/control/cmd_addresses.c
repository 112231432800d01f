/* SPDX-License-Identifier: MIT */
/*
 * cmd_addresses.c - the documented address functions (OPERATIONS section 5), which need
 * nothing but their parameters.
 *
 * Thread: the worker of the connection. The arithmetic is in proto/ipaddr.c, which the
 * library uses too.
 */
#include <config.h>
#include <string.h>
#include "daemon/control/address_write.h"
#include "daemon/control/handlers.h"
#include "daemon/control/request.h"
#include "proto/ipaddr.h"

static void reply_bool(struct request *request, enum result_id id, bool value)
{
    writer_result_bool(request_reply(request), id, value);
    request_finish(request);
}

/* An IP address object, as ipaddr-to-dotted takes it, but not the text form of one. */
static bool is_address_object(struct request *request, json_t *json, struct value *value)
{
    struct error ignored;

    return !json_is_string(json) &&
           value_check(value, table_param(PARAM_IPADDR_TO_DOTTED_ADDRESS), json,
                       request_arena(request), &ignored);
}

void handle_ipaddrp(struct request *request)
{
    json_t *object = params_value(request_params(request), PARAM_IPADDRP_OBJECT)->json;
    struct value value;

    reply_bool(request, RESULT_IPADDRP_VALUE, is_address_object(request, object, &value));
}

void handle_ipv6_address_p(struct request *request)
{
    json_t *object =
        params_value(request_params(request), PARAM_IPV6_ADDRESS_P_OBJECT)->json;
    struct value value;

    reply_bool(request, RESULT_IPV6_ADDRESS_P_VALUE,
               is_address_object(request, object, &value) && value.ip.is_ipv6);
}

void handle_dotted_address_p(struct request *request)
{
    json_t *object =
        params_value(request_params(request), PARAM_DOTTED_ADDRESS_P_OBJECT)->json;

    reply_bool(request, RESULT_DOTTED_ADDRESS_P_VALUE,
               json_is_string(object) && ipaddr_is_dotted(json_string_value(object),
                                                          json_string_length(object)));
}

void handle_dotted_to_ipaddr(struct request *request)
{
    const struct params *params = request_params(request);
    struct value_text dotted = params_text(params, PARAM_DOTTED_TO_IPADDR_DOTTED);
    struct value_ip ip;
    bool is_valid = ipaddr_parse(&ip, dotted.text, dotted.size);
    struct writer *writer;

    if (!is_valid && params_bool(params, PARAM_DOTTED_TO_IPADDR_ERRORP)) {
        struct error error;
        (void)error_set_parameter(&error, "dotted", "an IPv4 or IPv6 address as text");
        request_fail(request, &error);
        return;
    }
    writer = request_reply(request);
    writer_result(writer, RESULT_DOTTED_TO_IPADDR_VALUE);
    if (is_valid) {
        address_write(writer, &ip);
    } else {
        writer_null(writer);
    }
    request_finish(request);
}

void handle_ipaddr_to_dotted(struct request *request)
{
    const struct params *params = request_params(request);
    const struct value_ip *ip = &params_value(params, PARAM_IPADDR_TO_DOTTED_ADDRESS)->ip;
    struct writer *writer = request_reply(request);
    char text[IPADDR_TEXT_SIZE];

    writer_result(writer, RESULT_IPADDR_TO_DOTTED_VALUE);
    if (params_bool(params, PARAM_IPADDR_TO_DOTTED_VALUES) && !ip->is_ipv6) {
        writer_begin_array(writer);
        for (int i = 0; i < 4; i++) {
            writer_int(writer, ip->bytes[i]);
        }
        writer_end_array(writer);
    } else {
        ipaddr_format(ip, text);
        writer_text(writer, text);
    }
    request_finish(request);
}

void handle_ipaddr_equalp(struct request *request)
{
    const struct params *params = request_params(request);

    reply_bool(request, RESULT_IPADDR_EQUALP_VALUE,
               ipaddr_equal(&params_value(params, PARAM_IPADDR_EQUALP_FIRST)->ip,
                            &params_value(params, PARAM_IPADDR_EQUALP_SECOND)->ip,
                            params_bool(params, PARAM_IPADDR_EQUALP_COMPARE_SCOPE_ID)));
}
