/* SPDX-License-Identifier: MIT */
/* data_contender.c - see data_contender.h. */
#include <config.h>
#include "tests/bench/data_contender.h"
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/bench/load.h"

const char *contender_name(enum data_who who)
{
    static const char *const names[] = {
        [DATA_SOCKD] = "sockd",
        [DATA_REFERENCE] = "inproc",
        [DATA_HAPROXY] = "haproxy",
        [DATA_NGINX] = "nginx",
    };
    return names[who];
}

const char *contender_program(enum data_who who)
{
    static const char *const places[DATA_N_WHO][2] = {
        [DATA_HAPROXY] = {"/usr/sbin/haproxy", NULL},
        /* Its streams are a module. */
        [DATA_NGINX] = {"/usr/sbin/nginx", "/usr/lib/nginx/modules/ngx_stream_module.so"},
    };
    const char *program = places[who][0], *needed = places[who][1];

    if (who == DATA_REFERENCE || who == DATA_SOCKD) {
        return "";
    }
    return access(program, X_OK) == 0 && (!needed || access(needed, R_OK) == 0) ? program
                                                                                : NULL;
}

bool contender_has_far(const struct contender *contender)
{
    return contender->who != DATA_REFERENCE ||
           contender->shape.reference == DATA_SOURCE ||
           contender->shape.reference == DATA_SPLICE;
}

static const struct data_place *far_place(const struct contender *contender)
{
    return contender->shape.far_is_file ? &contender->rig->file_place
                                        : &contender->rig->tcp_place;
}

/* ---- sockd ---- */

static char reply[65536];

/* A request; the result's member of this name is returned. */
static int64_t call(int control, const char *member, const char *method,
                    const char *format, ...)
{
    va_list args;
    json_t *request;
    char *text, *line;

    va_start(args, format);
    request = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
                        method, "params", json_vpack_ex(NULL, 0, format, args));
    va_end(args);
    text = json_dumps(request, JSON_COMPACT);
    if (!text || asprintf(&line, "%s\n", text) < 0) {
        die("%s: a request that is none", method);
    }
    (void)ask(control, line, reply, sizeof reply);
    if (strstr(reply, "\"error\":")) {
        die("%s: %s", method, reply);
    }
    free(text);
    free(line);
    json_decref(request);
    return number_in(reply, member);
}

static json_t *listen_end(const struct contender *contender)
{
    return contender->shape.near_is_file
               ? json_pack("{s:s, s:s}", "address-family", "file", "local-filename",
                           contender->near.path)
               : json_pack("{s:s}", "local-host", "127.0.0.1");
}

static json_t *connect_end(const struct contender *contender)
{
    const struct data_place *far = far_place(contender);

    return contender->shape.far_is_file
               ? json_pack("{s:s, s:s}", "address-family", "file", "remote-filename",
                           far->path)
               : json_pack("{s:s, s:i}", "remote-host", "127.0.0.1", "remote-port",
                           far->port);
}

int64_t contender_client_context(const struct contender *contender)
{
    return call(contender->control, "context", "make-ssl-client-context", "{s:b}",
                "verify", 0);
}

static void start_sockd(struct contender *contender, const char *program, int workers)
{
    const struct data_shape *shape = &contender->shape;
    const struct data_identity *identity = &contender->rig->identities[shape->key];
    json_t *params;
    int control;

    target_start_sockd(&contender->target, program, workers,
                       shape->is_awake ? "0.0001" : "0");
    control = contender->control = target_connect(&contender->target);
    params = json_pack("{s:o, s:o}", "listen", listen_end(contender), "connect",
                       connect_end(contender));
    if (shape->near_is_tls) {
        json_object_set_new(
            params, "server-context",
            json_integer(call(control, "context", "make-ssl-server-context", "{s:s, s:s}",
                              "certificate", identity->certificate, "key",
                              identity->key)));
    }
    if (shape->far_is_tls) {
        json_object_set_new(params, "client-context",
                            json_integer(contender_client_context(contender)));
    }
    (void)call(control, "tunnel", "make-tunnel", "o", params);
    if (!shape->near_is_file) {
        contender->near.port = (uint16_t)number_in(reply, "local-port");
    }
}

/* ---- The others ---- */

static void run_reference(const struct target *target, void *arg)
{
    const struct contender *contender = arg;
    const struct data_rig *rig = contender->rig;
    struct data_reference reference = {
        .role = contender->shape.reference,
        .ready = data_listen_file(target->path),
        .near = contender->listener,
        .far = far_place(contender),
        .server = rig->identities[contender->shape.key].server,
        .client = rig->client,
    };

    data_reference_serve(&reference);
}

static void write_place(FILE *file, const struct data_place *place, const char *prefix)
{
    if (place->path[0] != '\0') {
        fprintf(file, "%s%s", prefix, place->path);
    } else {
        fprintf(file, "127.0.0.1:%u", place->port);
    }
}

static void write_haproxy(FILE *file, const struct contender *contender)
{
    const struct data_shape *shape = &contender->shape;

    fprintf(file,
            "global\n maxconn 4000\n nbthread 1\n ssl-server-verify none\n%s"
            "defaults\n mode tcp\n timeout connect 10s\n timeout client 600s\n"
            " timeout server 600s\n option splice-request\n"
            " option splice-response\n"
            "frontend ready\n bind unix@%s\n tcp-request connection reject\n"
            "frontend near\n bind ",
            shape->is_awake ? " busy-polling\n" : "", contender->target.path);
    write_place(file, &contender->near, "unix@");
    if (shape->near_is_tls) {
        fprintf(file, " ssl crt %s", contender->rig->identities[shape->key].file);
    }
    fprintf(file, "\n default_backend far\nbackend far\n server far ");
    write_place(file, far_place(contender), "unix@");
    fprintf(file, "%s\n", shape->far_is_tls ? " ssl verify none" : "");
}

static void write_nginx(FILE *file, const struct contender *contender)
{
    const struct data_shape *shape = &contender->shape;
    const char *identity = contender->rig->identities[shape->key].file;

    fprintf(file,
            "load_module %s;\ndaemon off;\nmaster_process off;\npid %s/nginx.pid;\n"
            "error_log stderr emerg;\nevents { worker_connections 8000; }\n"
            "stream {\n access_log off;\n proxy_buffer_size 64k;\n"
            " server { listen unix:%s; return \"\"; }\n server {\n  listen ",
            "/usr/lib/nginx/modules/ngx_stream_module.so", contender->rig->directory,
            contender->target.path);
    write_place(file, &contender->near, "unix:");
    if (shape->near_is_tls) {
        /* Its default is TLS 1.2, which costs something else. */
        fprintf(file,
                " ssl;\n  ssl_protocols TLSv1.3;\n  ssl_certificate %s;\n"
                "  ssl_certificate_key %s",
                identity, identity);
    }
    fprintf(file, ";\n  proxy_pass ");
    write_place(file, far_place(contender), "unix:");
    fprintf(file, ";\n%s }\n}\n",
            shape->far_is_tls ? "  proxy_ssl on;\n  proxy_ssl_protocols TLSv1.3;\n" : "");
}

static void run_peer(const struct target *target, void *arg)
{
    struct contender *contender = arg;
    const char *program = contender_program(contender->who);
    char path[128];
    FILE *file;

    contender->target = *target;
    (void)snprintf(path, sizeof path, "%s/%s", contender->rig->directory,
                   contender_name(contender->who));
    file = fopen(path, "we");
    if (!file) {
        die("%s: %s", path, strerror(errno));
    }
    if (contender->who == DATA_HAPROXY) {
        write_haproxy(file, contender);
    } else {
        write_nginx(file, contender);
    }
    if (fclose(file) != 0) {
        die("%s: %s", path, strerror(errno));
    }
    if (contender->who == DATA_HAPROXY) {
        execl(program, program, "-q", "-db", "-f", path, (char *)NULL);
    } else {
        execl(program, program, "-c", path, "-e", "stderr", (char *)NULL);
    }
    die("cannot run %s: %s", program, strerror(errno));
}

static void start_other(struct contender *contender)
{
    int listener = contender->shape.near_is_file
                       ? data_listen_file(contender->near.path)
                       : data_listen_port(&contender->near.port);

    if (contender->who == DATA_REFERENCE) {
        contender->listener = listener;
        target_start_child(&contender->target, run_reference, contender);
        close(listener);
        return;
    }
    /* Nobody else asks for this port meanwhile. */
    close(listener);
    if (contender->shape.near_is_file) {
        unlink(contender->near.path);
    }
    target_start_child(&contender->target, run_peer, contender);
}

/* ---- All ---- */

void contender_start(struct contender *contender, enum data_who who,
                     const char *sockd_program, int workers, const struct data_rig *rig,
                     const struct data_shape *shape)
{
    *contender =
        (struct contender){.who = who, .rig = rig, .shape = *shape, .control = -1};
    if (shape->near_is_file) {
        (void)snprintf(contender->near.path, sizeof contender->near.path, "%s/near-%d",
                       rig->directory, (int)who);
    }
    if (who == DATA_SOCKD) {
        start_sockd(contender, sockd_program, workers);
    } else {
        start_other(contender);
    }
}

void contender_stop(struct contender *contender)
{
    char path[128];

    if (contender->control >= 0) {
        close(contender->control);
    }
    target_stop(&contender->target);
    /* Not all of them are there. */
    unlink(contender->near.path);
    (void)snprintf(path, sizeof path, "%s/%s", contender->rig->directory,
                   contender_name(contender->who));
    unlink(path);
}

static int far_listener(const struct contender *contender)
{
    return contender->shape.far_is_file ? contender->rig->far_file
                                        : contender->rig->far_tcp;
}

static SSL_CTX *far_context(const struct contender *contender)
{
    return contender->rig->identities[DATA_ECDSA].server;
}

void contender_connect(const struct contender *contender, SSL_SESSION *session,
                       struct data_end *near, struct data_end *far)
{
    const struct data_shape *shape = &contender->shape;

    *far = (struct data_end){.fd = -1};
    *near = data_connect(&contender->near,
                         shape->near_is_tls ? contender->rig->client : NULL, session);
    if (contender->who == DATA_REFERENCE && shape->reference == DATA_SOURCE) {
        data_send_all(near, "", 1);
    }
    if (contender_has_far(contender)) {
        *far = data_accept(far_listener(contender),
                           shape->far_is_tls ? far_context(contender) : NULL);
    }
}

void contender_attach(const struct contender *contender, int64_t context,
                      struct data_end *near, struct data_end *far)
{
    int64_t socket;

    *near = (struct data_end){.fd = target_connect(&contender->target)};
    socket = call(near->fd, "socket", "make-socket", "o", connect_end(contender));
    if (context != 0) {
        (void)call(near->fd, "socket", "make-ssl-client-stream", "{s:I, s:I}", "socket",
                   socket, "context", context);
    }
    (void)call(near->fd, "socket", "attach", "{s:I}", "socket", socket);
    /* It begins the handshake, if there is one. */
    *far = data_accept(far_listener(contender),
                       context != 0 ? far_context(contender) : NULL);
}
