/* SPDX-License-Identifier: MIT */
/*
 * place.c - "localhost:80" to {"remote-host": "localhost", "remote-port": 80}.
 *
 * Called by tunnel_config.c of the daemon and by sockctl. Thread: any.
 */
#include <config.h>
#include "proto/place.h"

#include <string.h>

#include "proto/error.h"

/* Text that is not NUL-terminated. */
struct piece {
    const char *text;
    size_t size;
};

static json_t *bad(struct error *error, struct piece place, const char *why)
{
    (void)error_set(error, ERROR_INVALID_PARAMS,
                    "\"%.*s\" is no place: %s; it is HOST:PORT, [IPV6]:PORT, PORT or "
                    "/PATH",
                    (int)(place.size < 80 ? place.size : 80), place.text, why);
    return NULL;
}

static json_t *no_memory(json_t *object, struct error *error)
{
    json_decref(object);
    (void)error_set(error, ERROR_INTERNAL, "out of memory");
    return NULL;
}

static json_t *read_path(struct piece path, bool is_listener, struct error *error)
{
    json_t *object = json_pack("{s:s, s:s%}", "address-family", "file",
                               is_listener ? "local-filename" : "remote-filename",
                               path.text, path.size);

    return object != NULL ? object : no_memory(NULL, error);
}

/* A number when it is one. False: neither that nor the name of a service. */
static bool read_port(struct piece port, json_t **json)
{
    json_int_t number = 0;

    if (port.size == 0 || port.size > 32) {
        return false;
    }
    for (size_t i = 0; i < port.size; i++) {
        if (port.text[i] < '0' || port.text[i] > '9') {
            *json = json_stringn(port.text, port.size);
            return port.text[0] < '0' || port.text[0] > '9';
        }
        number = number < 100000 ? number * 10 + (port.text[i] - '0') : number;
    }
    *json = json_integer(number);
    return number <= 65535;
}

/* Splits at the colon before the port. False: a colon is where none may be. */
static bool split(struct piece place, struct piece *host, struct piece *port)
{
    const char *end = place.text + place.size, *colon;

    *host = (struct piece){place.text, 0};
    if (place.size > 0 && place.text[0] == '[') {
        const char *bracket = memchr(place.text, ']', place.size);
        if (bracket == NULL || bracket + 1 == end || bracket[1] != ':') {
            return false;
        }
        *host = (struct piece){place.text + 1, (size_t)(bracket - place.text - 1)};
        colon = bracket + 1;
    } else {
        colon = memchr(place.text, ':', place.size);
        if (colon == NULL) {
            *port = place;
            return true;
        }
        host->size = (size_t)(colon - place.text);
    }
    *port = (struct piece){colon + 1, (size_t)(end - colon - 1)};
    return memchr(port->text, ':', port->size) == NULL;
}

static bool is_any(struct piece host)
{
    return host.size == 0 || (host.size == 1 && host.text[0] == '*');
}

json_t *place_read(const char *text, size_t size, bool is_listener, struct error *error)
{
    static const char unix_prefix[] = "unix:";
    struct piece place = {text, size}, host, port;
    json_t *port_json = NULL;

    if (size > 0 && text[0] == '/') {
        return read_path(place, is_listener, error);
    }
    if (size >= sizeof unix_prefix - 1 &&
        memcmp(text, unix_prefix, sizeof unix_prefix - 1) == 0) {
        struct piece path = {text + sizeof unix_prefix - 1,
                             size - sizeof unix_prefix + 1};
        return path.size > 0 && path.text[0] == '/'
                   ? read_path(path, is_listener, error)
                   : bad(error, place, "a path begins with /");
    }
    if (!split(place, &host, &port)) {
        return bad(error, place, "an IPv6 address stands in brackets before :PORT");
    }
    if (!is_listener && is_any(host) && host.text + host.size != port.text &&
        port.text != place.text) {
        return bad(error, place, "a host is missing");
    }
    if (!read_port(port, &port_json)) {
        json_decref(port_json);
        return bad(error, place,
                   "a port is a number from 0 to 65535 or the name of a service");
    }
    json_t *object = json_object();

    if (json_object_set_new(object, is_listener ? "local-port" : "remote-port",
                            port_json) != 0) {
        return no_memory(object, error);
    }
    const char *name = is_listener ? "local-host" : "remote-host";
    int status = 0;

    if (!is_any(host)) {
        status = json_object_set_new(object, name, json_stringn(host.text, host.size));
    } else if (!is_listener) {
        status = json_object_set_new(object, name, json_string("localhost"));
    }
    return status == 0 ? object : no_memory(object, error);
}
