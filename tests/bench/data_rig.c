/* SPDX-License-Identifier: MIT */
/* data_rig.c - see data_rig.h. */
#include <config.h>
#include "tests/bench/data_rig.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "tests/bench/target.h"
#include "tests/certs.h"

enum { BACKLOG = 4096 };

/* ---- Certificates ---- */

static SSL_CTX *server_context(const struct cert *cert)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context || SSL_CTX_use_certificate(context, cert->x509) != 1 ||
        SSL_CTX_use_PrivateKey(context, cert->key) != 1) {
        die("no server context");
    }
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"bench", 5);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

static void make_identity(const struct data_rig *rig, struct data_identity *identity,
                          enum cert_key key, const char *name)
{
    struct cert *cert = cert_new(&(struct cert_spec){
        .name = "server.test", .alt_names = "DNS:server.test, IP:127.0.0.1", .key = key});
    FILE *file;

    identity->certificate = strdup(cert->pem);
    identity->key = strdup(cert->key_pem);
    identity->server = server_context(cert);
    (void)snprintf(identity->file, sizeof identity->file, "%s/%s", rig->directory, name);
    file = fopen(identity->file, "we");
    if (!file || fprintf(file, "%s%s", cert->pem, cert->key_pem) < 0 ||
        fclose(file) != 0) {
        die("%s: %s", identity->file, strerror(errno));
    }
    cert_free(cert);
}

void data_rig_init(struct data_rig *rig)
{
    snprintf(rig->directory, sizeof rig->directory, "/tmp/sockd-bench-XXXXXX");
    if (!mkdtemp(rig->directory)) {
        die("mkdtemp: %s", strerror(errno));
    }
    make_identity(rig, &rig->identities[DATA_ECDSA], CERT_P256, "ecdsa");
    make_identity(rig, &rig->identities[DATA_RSA], CERT_RSA_2048, "rsa");
    rig->client = SSL_CTX_new(TLS_client_method());
    if (!rig->client) {
        die("no client context");
    }
    SSL_CTX_set_mode(rig->client, SSL_MODE_RELEASE_BUFFERS |
                                      SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(rig->client, SSL_SESS_CACHE_CLIENT);
    (void)snprintf(rig->file_place.path, sizeof rig->file_place.path, "%s/far",
                   rig->directory);
    rig->far_file = data_listen_file(rig->file_place.path);
    rig->far_tcp = data_listen_port(&rig->tcp_place.port);
}

void data_rig_fini(struct data_rig *rig)
{
    for (int i = 0; i < DATA_N_KEYS; i++) {
        unlink(rig->identities[i].file);
        free(rig->identities[i].certificate);
        free(rig->identities[i].key);
        SSL_CTX_free(rig->identities[i].server);
    }
    SSL_CTX_free(rig->client);
    close(rig->far_file);
    close(rig->far_tcp);
    unlink(rig->file_place.path);
    rmdir(rig->directory);
}

/* ---- Connections ---- */

int data_listen_port(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        die("listen: %s", strerror(errno));
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int data_listen_file(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    (void)unlink(path); /* of an earlier one, which may not be there */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, BACKLOG) != 0) {
        die("listen %s: %s", path, strerror(errno));
    }
    return fd;
}

static int connect_to(const struct data_place *place)
{
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    struct sockaddr_in tcp = {.sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(place->port)};
    bool is_file = place->path[0] != '\0';
    int fd = socket(is_file ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    (void)snprintf(file.sun_path, sizeof file.sun_path, "%s", place->path);
    if (fd < 0 || (is_file ? connect(fd, (struct sockaddr *)&file, sizeof file)
                           : connect(fd, (struct sockaddr *)&tcp, sizeof tcp)) != 0) {
        die("connect to %s port %u: %s", place->path, place->port, strerror(errno));
    }
    /* A Unix socket has no such option. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static SSL *session_on(int fd, SSL_CTX *context, SSL_SESSION *resumed, bool is_server)
{
    SSL *ssl = SSL_new(context);

    if (!ssl || SSL_set_fd(ssl, fd) != 1 ||
        (resumed != NULL && SSL_set_session(ssl, resumed) != 1)) {
        die("no TLS session");
    }
    ERR_clear_error();
    if ((is_server ? SSL_accept(ssl) : SSL_connect(ssl)) != 1) {
        ERR_print_errors_fp(stderr);
        die("the TLS handshake failed");
    }
    return ssl;
}

struct data_end data_connect(const struct data_place *place, SSL_CTX *context,
                             SSL_SESSION *session)
{
    struct data_end end = {.fd = connect_to(place)};

    if (context) {
        end.ssl = session_on(end.fd, context, session, false);
    }
    return end;
}

struct data_end data_accept(int listener, SSL_CTX *context)
{
    struct data_end end = {.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
    int one = 1;

    if (end.fd < 0) {
        die("accept: %s", strerror(errno));
    }
    /* A Unix socket has no such option. */
    (void)setsockopt(end.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (context) {
        end.ssl = session_on(end.fd, context, NULL, true);
    }
    return end;
}

void data_end_unblock(const struct data_end *end)
{
    if (fcntl(end->fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) {
        die("fcntl: %s", strerror(errno));
    }
}

void data_end_close(struct data_end *end)
{
    if (end->ssl) {
        ERR_clear_error();
        (void)SSL_shutdown(end->ssl); /* whoever is gone cannot be told */
        SSL_free(end->ssl);
    }
    if (end->fd >= 0) {
        close(end->fd);
    }
    *end = (struct data_end){.fd = -1};
}

/* ---- Bytes ---- */

static ssize_t result_of(const struct data_end *end, int result)
{
    int why = result > 0 ? SSL_ERROR_NONE : SSL_get_error(end->ssl, result);

    if (result > 0) {
        return result;
    }
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static ssize_t result_of_call(ssize_t result)
{
    if (result < 0) {
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    }
    return result;
}

ssize_t data_receive(const struct data_end *end, void *bytes, size_t size)
{
    if (end->ssl) {
        ERR_clear_error();
        return result_of(end, SSL_read(end->ssl, bytes, (int)size));
    }
    return result_of_call(recv(end->fd, bytes, size, 0));
}

ssize_t data_send(const struct data_end *end, const void *bytes, size_t size)
{
    if (end->ssl) {
        ERR_clear_error();
        return result_of(end, SSL_write(end->ssl, bytes, (int)size));
    }
    return result_of_call(send(end->fd, bytes, size, MSG_NOSIGNAL));
}

static void wait_for(const struct data_end *end, short what)
{
    struct pollfd entry = {.fd = end->fd, .events = what};

    if (poll(&entry, 1, 10000) <= 0) {
        die("nothing moves on a path");
    }
}

void data_send_all(const struct data_end *end, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t n = data_send(end, at, size);
        if (n == 0) {
            die("a path has ended while it was written to");
        }
        if (n < 0) {
            wait_for(end, POLLOUT);
            continue;
        }
        at += n;
        size -= (size_t)n;
    }
}

void data_receive_all(const struct data_end *end, void *bytes, size_t size)
{
    char *at = bytes;

    while (size > 0) {
        ssize_t n = data_receive(end, at, size);
        if (n == 0) {
            die("a path has ended while it was read from");
        }
        if (n < 0) {
            wait_for(end, POLLIN);
            continue;
        }
        at += n;
        size -= (size_t)n;
    }
}
