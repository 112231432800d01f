/* SPDX-License-Identifier: MIT */
/*
 * proxy_header.h - the PROXY protocol, versions 1 and 2: who is at the other end of a
 * connection that somebody else has taken and passes on.
 *
 * The header stands before the first byte of a stream. Reading is strict and bounded:
 * what is not exactly a header is refused, and nothing behind it is touched. Pure
 * functions. Thread: any.
 */
#ifndef SOCKD_NET_PROXY_HEADER_H
#define SOCKD_NET_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    PROXY_V1_MAX = 107,  /* bytes of the longest line, line end included */
    PROXY_V2_START = 16, /* bytes before the addresses */
    /* Longest header that is read: room for what certificates put in. */
    PROXY_HEADER_MAX = PROXY_V2_START + 4096,
};

/* A set. */
enum proxy_version { PROXY_V1 = 1, PROXY_V2 = 2 };

struct proxy_header {
    enum proxy_version version;
    /* The connection is the sender's own, or it tells nothing: the real addresses count.
     */
    bool is_unknown;
    struct sockaddr_storage source, destination; /* both IPv4, both IPv6, or both paths */
};

enum proxy_result {
    PROXY_MORE, /* a header so far, but not all of it */
    PROXY_DONE,
    PROXY_BAD, /* no header, or not of a version that is allowed */
};

/* Reads a header at the start of `bytes`. DONE: *used bytes of them are the header. BAD:
 * *why is a static text. `versions`: of enum proxy_version. */
enum proxy_result proxy_header_read(struct proxy_header *header, const void *bytes,
                                    size_t size, unsigned versions, size_t *used,
                                    const char **why);

/* Writes one; its size. Addresses of two families, or of none, make it is_unknown. */
size_t proxy_header_write(const struct proxy_header *header,
                          uint8_t bytes[PROXY_HEADER_MAX]);

/* What version 2 tells of the TLS of a connection. Texts that are NULL are not told, nor
 * those of more than 255 bytes. */
struct proxy_tls {
    const char *version;     /* "TLSv1.3" */
    const char *cipher;      /* the name that OpenSSL gives it */
    const char *server_name; /* that was asked for */
    const uint8_t *alpn;     /* NULL: none was agreed on */
    size_t alpn_size;
    bool has_certificate; /* the client of the session */
    bool is_resumed;      /* it was shown in a connection before this one */
    bool is_verified;     /* and it is good */
    const char *common_name;
    size_t common_name_size;
};
/* Adds that to a header of version 2 and `size` bytes; the new size. */
size_t proxy_header_add_tls(uint8_t bytes[PROXY_HEADER_MAX], size_t size,
                            const struct proxy_tls *tls);

#endif
