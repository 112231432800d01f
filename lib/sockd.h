/* SPDX-License-Identifier: MIT */
/*
 * sockd.h - libsockd: sockets that live in the daemon sockd, used from C.
 *
 * The one header of the library; sockd(3) is its manual, which says for each function
 * more than the lines here. It is longer than a file should be because it is the only one
 * installed.
 *
 * Conventions
 * - Functions that can fail return SOCKD_OK (0) or a number of enum sockd_status, and
 * fill the caller's struct sockd_error, which may be NULL. Outputs are touched only on
 * success, and any output pointer may be NULL unless said otherwise.
 * - `timeout` is in seconds: SOCKD_FOREVER, SOCKD_DEFAULT (what the connection says), or
 * a number from 0. When it runs out the request is cancelled and the status is
 * SOCKD_E_TIMEOUT; at most one second later if the daemon does not answer at all.
 * - Structures for options start with their size; begin with the macro ..._INIT, which
 * leaves everything at its default, and set what you need. A NULL options pointer is the
 * same. Numbers and flags that are not given are SOCKD_UNSET, words 0, texts NULL.
 * - What the library allocates is const for the caller and given back with sockd_free().
 * Such structures may grow at their end in later versions.
 * - Text is UTF-8. Data are bytes and a size.
 * - Threads: a connection may be used by any number of threads at once, each of them
 * blocking in a call; sockd_disconnect() must be the last one. The library starts no
 * thread, installs no signal handler, raises no SIGPIPE, and never prints, logs or exits.
 */
#ifndef SOCKD_H
#define SOCKD_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKD_UNSET INT_MIN
#define SOCKD_FOREVER (-1.0)
#define SOCKD_DEFAULT (-2.0)

enum {
    SOCKD_READ_MAX = 1048576,  /* most bytes that one read can answer */
    SOCKD_HOST_SIZE = 64,      /* room for an address as text, scope and NUL included */
    SOCKD_FILENAME_SIZE = 328, /* room for the file name of a socket as text, and NUL */
    SOCKD_PROTOCOL = 1,        /* number of the protocol that this library speaks */
};

/* One connection to the daemon. */
struct sockd;

/* ---- Errors ----------------------------------------------------------------------- */

/* What a function returns. The numbers never change; new ones are added at the end. */
enum sockd_status {
    SOCKD_OK = 0,
    /* from the library itself */
    SOCKD_E_OTHER = 1,         /* an identifier that this library does not know */
    SOCKD_E_NO_DAEMON = 2,     /* no daemon could be reached, or it has gone */
    SOCKD_E_BAD_REPLY = 3,     /* the daemon answered what the protocol does not allow */
    SOCKD_E_OUT_OF_MEMORY = 4, /* in this program */
    /* protocol */
    SOCKD_E_PARSE = 10,
    SOCKD_E_INVALID_REQUEST = 11,
    SOCKD_E_METHOD_NOT_FOUND = 12,
    SOCKD_E_INVALID_PARAMS = 13, /* error.parameter and error.wanted say which and what */
    SOCKD_E_INTERNAL = 14,
    /* operating system and network */
    SOCKD_E_ADDRESS_IN_USE = 20,
    SOCKD_E_ADDRESS_NOT_AVAILABLE = 21,
    SOCKD_E_NETWORK_DOWN = 22,
    SOCKD_E_NETWORK_RESET = 23,
    SOCKD_E_NETWORK_UNREACHABLE = 24,
    SOCKD_E_CONNECTION_ABORTED = 25,
    SOCKD_E_CONNECTION_RESET = 26,
    SOCKD_E_NO_BUFFER_SPACE = 27,
    SOCKD_E_SHUTDOWN = 28,
    SOCKD_E_CONNECTION_TIMED_OUT = 29,
    SOCKD_E_CONNECTION_REFUSED = 30,
    SOCKD_E_HOST_DOWN = 31,
    SOCKD_E_HOST_UNREACHABLE = 32,
    SOCKD_E_PROTOCOL_NOT_AVAILABLE = 33,
    SOCKD_E_BROKEN_PIPE = 34,
    SOCKD_E_UNKNOWN = 35, /* error.errnum says what */
    /* time-outs */
    SOCKD_E_TIMEOUT = 40,
    SOCKD_E_READ_TIMEOUT = 41,
    SOCKD_E_WRITE_TIMEOUT = 42,
    SOCKD_E_HANDSHAKE_TIMEOUT = 43,
    /* ended from elsewhere */
    SOCKD_E_INTERRUPTED = 50, /* error.reason has the reason given */
    SOCKD_E_CANCELLED = 51,
    SOCKD_E_SOCKET_CLOSED = 52,
    /* the object or its state */
    SOCKD_E_NO_SUCH_SOCKET = 60,
    SOCKD_E_NO_SUCH_CONTEXT = 61,
    SOCKD_E_WRONG_KIND = 62,
    SOCKD_E_NOT_CONNECTED = 63,
    SOCKD_E_NOT_SUPPORTED = 64,
    SOCKD_E_BUSY = 65,
    SOCKD_E_NO_SUCH_TUNNEL = 66,
    /* rights and limits */
    SOCKD_E_PERMISSION_DENIED = 70, /* error.rule */
    SOCKD_E_LIMIT_REACHED = 71,     /* error.limit, error.value */
    SOCKD_E_MESSAGE_TOO_LONG = 72,
    /* TLS */
    SOCKD_E_SSL_ERROR = 80,
    SOCKD_E_CERTIFICATE_VERIFY_FAILED = 81,
    /* names */
    SOCKD_E_HOST_NOT_FOUND = 90,
    SOCKD_E_SERVICE_NOT_FOUND = 91,
    SOCKD_E_DNS_FAILURE = 92,
    /* data */
    SOCKD_E_INVALID_ENCODING = 100,
    SOCKD_E_CHUNKING_ERROR = 101,
};

/* Lives in the caller's memory; its size never changes. Texts are "" and numbers 0 where
 * they do not apply. */
struct sockd_error {
    int status;          /* enum sockd_status */
    int code;            /* JSON-RPC code; 0: the error is from the library */
    int errnum;          /* errno value; 0: none */
    int depth;           /* certificate-verify-failed: place in the chain */
    int64_t socket;      /* handle; 0: none */
    int64_t value;       /* limit-reached: the limit */
    bool retryable;      /* the same request may succeed later */
    char identifier[40]; /* "connection-refused" */
    char action[40];     /* what was attempted: "connect" */
    char parameter[64];  /* the parameter at fault */
    char wanted[128];    /* what that parameter takes */
    char limit[64];      /* name of the limit reached */
    char rule[64];       /* permission-denied: the rule */
    char reason[128];    /* interrupted: the caller's reason; ssl-error: OpenSSL's */
    char library[32];    /* ssl-error: OpenSSL's library */
    char message[256];   /* a sentence for people; not to be parsed */
    char reserved[128];
};

/* "connection-refused" for SOCKD_E_CONNECTION_REFUSED; NULL for a number that is none. */
const char *sockd_status_identifier(int status);
/* What the status means, in words; NULL for a number that is none. */
const char *sockd_status_text(int status);
/* SOCKD_E_OTHER when no status has this identifier. */
int sockd_status_by_identifier(const char *identifier);

/* ---- Connection ------------------------------------------------------------------- */

struct sockd_connect_options {
    size_t struct_size;
    const char *path;       /* socket of the daemon; NULL: sockd_default_path() */
    double default_timeout; /* what SOCKD_DEFAULT means; SOCKD_FOREVER at first */
    size_t reply_limit;     /* longest reply in bytes; 0: 16 MiB */
    double grace;           /* seconds that the daemon gets to settle a deadline; 0.5 */
};
#define SOCKD_CONNECT_OPTIONS_INIT                                                       \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_connect_options),                             \
        .default_timeout = SOCKD_FOREVER, .grace = 0.5                                   \
    }

/* Connects and says hello, within `timeout`. *connection must be given to
 * sockd_disconnect(). */
int sockd_connect(const struct sockd_connect_options *options, double timeout,
                  struct sockd **connection, struct sockd_error *error);

/* Ends the connection and frees it: its sockets are closed by the daemon. Submitted
 * requests that are not answered end with SOCKD_E_NO_DAEMON first. No other thread may
 * use the connection any more; see sockd_abort(). NULL: no-op. */
void sockd_disconnect(struct sockd *connection);

/* Ends the connection under the hands of other threads: their calls, and all later ones,
 * fail with SOCKD_E_NO_DAEMON. It is freed by sockd_disconnect() only. */
void sockd_abort(struct sockd *connection);

/* Changes what SOCKD_DEFAULT means for calls that begin from now on. */
void sockd_set_default_timeout(struct sockd *connection, double timeout);

/* Where the daemon is looked for: $SOCKD_SOCKET, else /run/sockd/sockd.sock, else
 * $XDG_RUNTIME_DIR/sockd.sock; of the last two the first that exists. */
int sockd_default_path(char *path, size_t size, struct sockd_error *error);

/* Version of the library that runs, "0.1.0". */
const char *sockd_version(void);

/* Gives back what another function allocated: results, lists and texts. NULL: no-op. */
void sockd_free(void *memory);

/* ---- Any method ------------------------------------------------------------------- */

/* Calls a method with the JSON text of its parameters (an object; NULL: none) and answers
 * the JSON text of the result, NUL-terminated, for sockd_free(). */
int sockd_call(struct sockd *connection, const char *method, const char *params,
               double timeout, char **result, struct sockd_error *error);

/* Gets the answer to a submitted request. Runs in the thread that calls sockd_process()
 * or sockd_disconnect(), exactly once, with no lock held; it may call any function of the
 * connection but sockd_disconnect(). `error` NULL: `result` is the JSON text, else
 * `result` is NULL. Both are valid during the call only. */
typedef void sockd_reply_fn(struct sockd *connection, uint64_t request,
                            const char *result, const struct sockd_error *error,
                            void *context);

/* Sends a request and does not wait. *request is its number, for sockd_cancel(). */
int sockd_submit(struct sockd *connection, const char *method, const char *params,
                 double timeout, sockd_reply_fn *done, void *context, uint64_t *request,
                 struct sockd_error *error);

/* A descriptor for poll(2) and its kin: readable when sockd_process() has something to
 * do. It belongs to the connection; do nothing else with it. -1: *error. */
int sockd_fd(struct sockd *connection, struct sockd_error *error);

/* Takes what has come and runs the callbacks; their number is put into *n_done. Waits up
 * to `timeout` until at least one has run; 0: does not wait; no error when none came.
 * SOCKD_E_NO_DAEMON: the connection is over and every callback has run. */
int sockd_process(struct sockd *connection, double timeout, size_t *n_done,
                  struct sockd_error *error);

/* cancel: ends a submitted request that still waits; its callback gets SOCKD_E_CANCELLED.
 */
int sockd_cancel(struct sockd *connection, uint64_t request, double timeout,
                 bool *cancelled, struct sockd_error *error);

/* ---- Words ------------------------------------------------------------------------ */

/* 0 in options: the default. 0 in results: does not apply, or a word of a newer daemon.
 */
enum sockd_type { SOCKD_STREAM = 1, SOCKD_DATAGRAM };
enum sockd_address_family { SOCKD_INTERNET = 1, SOCKD_FILE };
enum sockd_connect_mode { SOCKD_ACTIVE = 1, SOCKD_PASSIVE };
enum sockd_format { SOCKD_TEXT = 1, SOCKD_BINARY, SOCKD_BIVALENT, SOCKD_MULTIVALENT };
enum sockd_direction { SOCKD_INPUT = 1, SOCKD_OUTPUT };
enum sockd_detach { SOCKD_DETACH_CLOSE = 1, SOCKD_DETACH_KEEP };
enum sockd_protocol { SOCKD_TCP = 1, SOCKD_UDP };
enum sockd_log_level {
    SOCKD_LOG_ERROR = 1,
    SOCKD_LOG_WARN,
    SOCKD_LOG_INFO,
    SOCKD_LOG_DEBUG
};

enum sockd_ipv6 {
    SOCKD_IPV6_OFF = 1,   /* IPv4, unless a host is given as an IPv6 address */
    SOCKD_IPV6_PREFERRED, /* IPv6 first */
    SOCKD_IPV6_ONLY,
};

enum sockd_state {
    SOCKD_STATE_CONNECTING = 1,
    SOCKD_STATE_CONNECTED,
    SOCKD_STATE_LISTENING,
    SOCKD_STATE_OPEN,  /* a datagram socket without default destination */
    SOCKD_STATE_ENDED, /* the connection is over; data may be left to read */
    SOCKD_STATE_CLOSING,
};

/* How the input of a stream ended. */
enum sockd_end {
    SOCKD_END_NONE = 0, /* it has not ended */
    SOCKD_END_CLEAN,
    SOCKD_END_TRUNCATED, /* TLS without its end mark: data may be missing */
    SOCKD_END_CHUNK,     /* end of a chunked body; the stream goes on */
    SOCKD_END_RESET,
    SOCKD_END_TIMEOUT,
    SOCKD_END_CLOSED,
};

/* What a read answers. */
enum sockd_encoding {
    SOCKD_BYTES = 0, /* the bytes as they are */
    SOCKD_UTF8,      /* whole characters only; other bytes: SOCKD_E_INVALID_ENCODING */
};

/* ---- Sockets ---------------------------------------------------------------------- */

struct sockd_make_socket_options {
    size_t struct_size;
    enum sockd_type type;                     /* SOCKD_STREAM */
    enum sockd_format format;                 /* SOCKD_BIVALENT */
    enum sockd_connect_mode connect;          /* SOCKD_ACTIVE */
    enum sockd_address_family address_family; /* SOCKD_INTERNET */
    enum sockd_ipv6 ipv6;                     /* the session default */
    int64_t scope_id;                         /* interface of an IPv6 connection */
    const char *local_host;                   /* name or address to bind */
    int local_port;                           /* unset or 0: the system chooses */
    const char *local_service;                /* port by name, instead of local_port */
    const char *remote_host;                  /* name or address to connect to */
    int remote_port;
    const char *remote_service;  /* port by name, instead of remote_port */
    const char *local_filename;  /* file family: to bind */
    const char *remote_filename; /* file family: to connect to */
    int backlog;                 /* connections that may wait; 4096 */
    int reuse_address;           /* flag; set for listeners, else not */
    int reuse_port;              /* flag; not set */
    int broadcast;               /* flag; not set */
    int keepalive;               /* flag; not set */
    int nodelay;                 /* flag; set */
    int oob_inline;              /* flag */
    int receive_buffer_size;     /* bytes */
    int send_buffer_size;        /* bytes */
    int tcp_keepalive_idle_time; /* seconds */
    int tcp_keepalive_probe_interval;
    int tcp_keepalive_max_probes;
    const void *tcp_md5_sig_key; /* bytes, with their number, 1 to 80 */
    size_t tcp_md5_sig_key_size;
    const char *name;       /* for people and lists */
    double connect_timeout; /* seconds for the connection alone */
    /* A listener whose connections speak TLS: by handle, or by name, or several, of which
     * the name that a client asks for chooses. */
    int64_t ssl_context;          /* 0: none */
    const char *ssl_context_name; /* instead of the handle */
    const int64_t *ssl_contexts;  /* instead of one, with their number */
    size_t n_ssl_contexts;
    double handshake_timeout; /* seconds until the handshake is done; 10 */
    int allow_truncation;     /* flag: an end without the farewell of TLS is clean */
};
#define SOCKD_MAKE_SOCKET_OPTIONS_INIT                                                   \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_make_socket_options),                         \
        .scope_id = SOCKD_UNSET, .local_port = SOCKD_UNSET, .remote_port = SOCKD_UNSET,  \
        .backlog = SOCKD_UNSET, .reuse_address = SOCKD_UNSET, .reuse_port = SOCKD_UNSET, \
        .broadcast = SOCKD_UNSET, .keepalive = SOCKD_UNSET, .nodelay = SOCKD_UNSET,      \
        .oob_inline = SOCKD_UNSET, .receive_buffer_size = SOCKD_UNSET,                   \
        .send_buffer_size = SOCKD_UNSET, .tcp_keepalive_idle_time = SOCKD_UNSET,         \
        .tcp_keepalive_probe_interval = SOCKD_UNSET,                                     \
        .tcp_keepalive_max_probes = SOCKD_UNSET, .connect_timeout = SOCKD_UNSET,         \
        .handshake_timeout = SOCKD_UNSET, .allow_truncation = SOCKD_UNSET                \
    }

/* Options of the operating system: what to set, and what is set. SOCKD_UNSET: leave
 * alone, and in answers: does not fit the kind of socket. Flags are 0 or 1. */
struct sockd_socket_options {
    size_t struct_size;
    int reuse_address, reuse_port; /* flags */
    int broadcast, keepalive;      /* flags */
    int nodelay, oob_inline;       /* flags */
    int receive_buffer_size,
        send_buffer_size;             /* bytes; answered doubled, as Linux does */
    int tcp_keepalive_idle_time;      /* seconds */
    int tcp_keepalive_probe_interval; /* seconds */
    int tcp_keepalive_max_probes;
    int linger; /* seconds; 0: close resets; -1: off */
    int receive_low_water, send_low_water;
    int tcp_user_timeout;       /* milliseconds */
    int tcp_cork, tcp_quickack; /* flags */
    int tcp_notsent_lowat;
    int priority, tos, ttl;
    int ipv6_only; /* flag */
    int multicast_ttl;
    int multicast_loop;          /* flag */
    int64_t multicast_interface; /* its number, if_nametoindex(3) */
    /* Only where options are set: groups, "239.1.2.3%eth0", the lists ended by NULL. */
    const char *const *multicast_join, *const *multicast_leave;
};
#define SOCKD_SOCKET_OPTIONS_INIT                                                        \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_socket_options),                              \
        .reuse_address = SOCKD_UNSET, .reuse_port = SOCKD_UNSET,                         \
        .broadcast = SOCKD_UNSET, .keepalive = SOCKD_UNSET, .nodelay = SOCKD_UNSET,      \
        .oob_inline = SOCKD_UNSET, .receive_buffer_size = SOCKD_UNSET,                   \
        .send_buffer_size = SOCKD_UNSET, .tcp_keepalive_idle_time = SOCKD_UNSET,         \
        .tcp_keepalive_probe_interval = SOCKD_UNSET,                                     \
        .tcp_keepalive_max_probes = SOCKD_UNSET, .linger = SOCKD_UNSET,                  \
        .receive_low_water = SOCKD_UNSET, .send_low_water = SOCKD_UNSET,                 \
        .tcp_user_timeout = SOCKD_UNSET, .tcp_cork = SOCKD_UNSET,                        \
        .tcp_quickack = SOCKD_UNSET, .tcp_notsent_lowat = SOCKD_UNSET,                   \
        .priority = SOCKD_UNSET, .tos = SOCKD_UNSET, .ttl = SOCKD_UNSET,                 \
        .ipv6_only = SOCKD_UNSET, .multicast_ttl = SOCKD_UNSET,                          \
        .multicast_loop = SOCKD_UNSET, .multicast_interface = SOCKD_UNSET                \
    }

struct sockd_owner {
    int64_t uid, pid;
    const char *user; /* NULL: the number has no name */
    int64_t client;   /* control connection; 0: gone */
};

struct sockd_last_error {
    const char *identifier;
    const char *errno_name; /* NULL: none */
    const char *action;     /* NULL: not known */
};

/* What a socket has done and does. */
struct sockd_runtime {
    int64_t bytes_read, bytes_written;
    size_t n_pending;
    const char *const *pending; /* methods of the requests that wait */
    int64_t input_buffered, output_buffered;
    bool attached, input_shutdown, output_shutdown;
    bool output_chunking, input_chunking;
    size_t n_trailers;
    const char *const *trailers; /* of the last chunked body; NULL: none has ended */
    double read_timeout, write_timeout; /* SOCKD_FOREVER: none */
    enum sockd_end end;
    const struct sockd_last_error *last_error; /* NULL: none */
    int64_t relayed_to;                        /* the socket it is joined to; 0: none */
    int64_t handshakes, handshakes_failed;     /* of a listener with TLS contexts */
};

enum sockd_tls_role { SOCKD_TLS_CLIENT = 1, SOCKD_TLS_SERVER };
enum sockd_tls_state {
    SOCKD_TLS_NEW = 1,   /* nothing was sent or received */
    SOCKD_TLS_HANDSHAKE, /* under way */
    SOCKD_TLS_ESTABLISHED,
    SOCKD_TLS_FAILED,
};

/* The TLS session of a stream. Texts are NULL where they are not known yet. */
struct sockd_tls {
    enum sockd_tls_role role;
    enum sockd_tls_state state;
    const char *version; /* "tlsv1.3" */
    const char *cipher;  /* by its IANA name */
    const char *group;   /* of the key exchange */
    const char *alpn;
    const char *server_name;
    bool verified; /* there is a certificate, it was looked at, and it is good */
    bool resumed;
};

/* A socket, as the daemon describes it. */
struct sockd_description {
    int64_t socket; /* the handle: what all other functions take */
    const char *name;
    enum sockd_type type;
    enum sockd_address_family address_family;
    enum sockd_connect_mode connect; /* 0: datagram */
    enum sockd_format format;
    int ipv6;                /* 1, 0, or SOCKD_UNSET: file family */
    const char *local_host;  /* NULL: none */
    int local_port;          /* SOCKD_UNSET: none */
    const char *remote_host; /* NULL: none */
    int remote_port;         /* SOCKD_UNSET: none */
    const char *local_filename, *remote_filename;
    enum sockd_state state;
    /* by sockd_describe_socket() and sockd_list_sockets() only: */
    const struct sockd_owner *owner;
    int worker; /* SOCKD_UNSET: not told */
    /* by sockd_describe_socket() only: */
    const char *created; /* RFC 3339, UTC */
    const struct sockd_socket_options *options;
    const struct sockd_runtime *runtime;
    const char *printed; /* how Lisps print it */
    /* by all: */
    const struct sockd_tls *tls; /* NULL: a plain socket */
};

/* make-socket. `description` is for sockd_free() and may not be NULL. */
int sockd_make_socket(struct sockd *connection,
                      const struct sockd_make_socket_options *options, double timeout,
                      struct sockd_description **description, struct sockd_error *error);

struct sockd_accept_connection_options {
    size_t struct_size;
    int wait; /* flag; set. Not set: *description is NULL when no connection waits */
};
#define SOCKD_ACCEPT_CONNECTION_OPTIONS_INIT                                             \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_accept_connection_options),                   \
        .wait = SOCKD_UNSET                                                              \
    }

/* accept-connection. `description` may not be NULL. */
int sockd_accept_connection(struct sockd *connection, int64_t socket,
                            const struct sockd_accept_connection_options *options,
                            double timeout, struct sockd_description **description,
                            struct sockd_error *error);

/* shutdown. */
int sockd_shutdown(struct sockd *connection, int64_t socket,
                   enum sockd_direction direction, double timeout,
                   struct sockd_error *error);

struct sockd_close_options {
    size_t struct_size;
    int abort; /* flag; not set. Set: drop output that was not written yet */
};
#define SOCKD_CLOSE_OPTIONS_INIT                                                         \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_close_options), .abort = SOCKD_UNSET          \
    }

/* close. */
int sockd_close(struct sockd *connection, int64_t socket,
                const struct sockd_close_options *options, double timeout,
                struct sockd_error *error);

/* set-socket-options, get-socket-options. `now` must begin as SOCKD_SOCKET_OPTIONS_INIT.
 */
int sockd_set_socket_options(struct sockd *connection, int64_t socket,
                             const struct sockd_socket_options *options, double timeout,
                             struct sockd_socket_options *now, struct sockd_error *error);
int sockd_get_socket_options(struct sockd *connection, int64_t socket, double timeout,
                             struct sockd_socket_options *now, struct sockd_error *error);

/* set-tcp-md5-sig: the key for connections from `address` (text) to a listener. */
int sockd_set_tcp_md5_sig(struct sockd *connection, int64_t socket, const char *address,
                          const void *key, size_t key_size, double timeout,
                          struct sockd_error *error);

/* Chunking and time-outs of a stream: what to set, and what is set. */
struct sockd_socket_control {
    size_t struct_size;
    int output_chunking;     /* flag */
    int output_chunking_eof; /* flag: write the last chunk and turn chunking off */
    int input_chunking;      /* flag */
    double read_timeout;     /* seconds; SOCKD_FOREVER: no limit */
    double write_timeout;
};
#define SOCKD_SOCKET_CONTROL_INIT                                                        \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_socket_control),                              \
        .output_chunking = SOCKD_UNSET, .output_chunking_eof = SOCKD_UNSET,              \
        .input_chunking = SOCKD_UNSET, .read_timeout = SOCKD_UNSET,                      \
        .write_timeout = SOCKD_UNSET                                                     \
    }

/* socket-control. `now` must begin as SOCKD_SOCKET_CONTROL_INIT. */
int sockd_socket_control(struct sockd *connection, int64_t socket,
                         const struct sockd_socket_control *control, double timeout,
                         struct sockd_socket_control *now, struct sockd_error *error);

/* socket-os-fd: a duplicate of the descriptor, close-on-exec, for the caller to close. */
int sockd_socket_os_fd(struct sockd *connection, int64_t socket, double timeout, int *fd,
                       struct sockd_error *error);

/* ---- One fact of a socket each ---------------------------------------------------- */

int sockd_socket_type(struct sockd *connection, int64_t socket, double timeout,
                      enum sockd_type *value, struct sockd_error *error);
int sockd_socket_address_family(struct sockd *connection, int64_t socket, double timeout,
                                enum sockd_address_family *value,
                                struct sockd_error *error);
int sockd_socket_connect(struct sockd *connection, int64_t socket, double timeout,
                         enum sockd_connect_mode *value, struct sockd_error *error);
int sockd_socket_format(struct sockd *connection, int64_t socket, double timeout,
                        enum sockd_format *value, struct sockd_error *error);
/* Texts: "" where there is none; SOCKD_HOST_SIZE and SOCKD_FILENAME_SIZE are always
 * enough. */
int sockd_local_host(struct sockd *connection, int64_t socket, double timeout, char *host,
                     size_t size, struct sockd_error *error);
int sockd_remote_host(struct sockd *connection, int64_t socket, double timeout,
                      char *host, size_t size, struct sockd_error *error);
int sockd_local_filename(struct sockd *connection, int64_t socket, double timeout,
                         char *filename, size_t size, struct sockd_error *error);
int sockd_remote_filename(struct sockd *connection, int64_t socket, double timeout,
                          char *filename, size_t size, struct sockd_error *error);
/* Ports and ipv6: SOCKD_UNSET where there is none. */
int sockd_local_port(struct sockd *connection, int64_t socket, double timeout, int *port,
                     struct sockd_error *error);
int sockd_remote_port(struct sockd *connection, int64_t socket, double timeout, int *port,
                      struct sockd_error *error);
int sockd_ipv6(struct sockd *connection, int64_t socket, double timeout, int *value,
               struct sockd_error *error);
/* `set`: the counter goes on from there; SOCKD_UNSET: leaves it. */
int sockd_socket_bytes_read(struct sockd *connection, int64_t socket, int64_t set,
                            double timeout, int64_t *value, struct sockd_error *error);
int sockd_socket_bytes_written(struct sockd *connection, int64_t socket, int64_t set,
                               double timeout, int64_t *value, struct sockd_error *error);

/* ---- Datagrams and waiting -------------------------------------------------------- */

struct sockd_send_to_options {
    size_t struct_size;
    const char *remote_host; /* NULL: the default destination of the socket */
    int remote_port;
    const char *remote_service; /* port by name, instead of remote_port */
    const char *remote_filename;
    enum sockd_ipv6 ipv6;
    int64_t scope_id;
};
#define SOCKD_SEND_TO_OPTIONS_INIT                                                       \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_send_to_options), .remote_port = SOCKD_UNSET, \
        .scope_id = SOCKD_UNSET                                                          \
    }

/* send-to: one datagram of `size` bytes. */
int sockd_send_to(struct sockd *connection, int64_t socket, const void *data, size_t size,
                  const struct sockd_send_to_options *options, double timeout,
                  size_t *sent, struct sockd_error *error);

struct sockd_receive_from_options {
    size_t struct_size;
    int extract; /* flag; set. Not set: the buffer is filled up with NUL */
};
#define SOCKD_RECEIVE_FROM_OPTIONS_INIT                                                  \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_receive_from_options), .extract = SOCKD_UNSET \
    }

/* About a datagram that came. */
struct sockd_datagram {
    size_t struct_size;
    size_t size;    /* bytes received, padding not counted */
    bool truncated; /* it was longer than the buffer */
    char remote_host[SOCKD_HOST_SIZE];
    int remote_port; /* SOCKD_UNSET: file family */
    char remote_filename[SOCKD_FILENAME_SIZE];
};
#define SOCKD_DATAGRAM_INIT                                                              \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_datagram), .remote_port = SOCKD_UNSET         \
    }

/* receive-from: one datagram. `datagram` must begin as SOCKD_DATAGRAM_INIT. */
int sockd_receive_from(struct sockd *connection, int64_t socket, void *buffer,
                       size_t size, const struct sockd_receive_from_options *options,
                       double timeout, struct sockd_datagram *datagram,
                       struct sockd_error *error);

/* wait-for-input-available: `ready` has room for `n_sockets` handles. None are ready when
 * the time-out ran out: that is no error. */
int sockd_wait_for_input_available(struct sockd *connection, const int64_t *sockets,
                                   size_t n_sockets, double timeout, int64_t *ready,
                                   size_t *n_ready, struct sockd_error *error);

enum sockd_io_status { SOCKD_IN = 1, SOCKD_IN_ERROR, SOCKD_OUT, SOCKD_OUT_ERROR };
struct sockd_io {
    int64_t socket;
    enum sockd_io_status status;
};

/* wait-for-io-available: `ready` has room for n_input + n_output entries. */
int sockd_wait_for_io_available(struct sockd *connection, const int64_t *input,
                                size_t n_input, const int64_t *output, size_t n_output,
                                double timeout, struct sockd_io *ready, size_t *n_ready,
                                struct sockd_error *error);

/* ---- Streams ---------------------------------------------------------------------- */

struct sockd_read_options {
    size_t struct_size;
    int exactly;       /* flag: wait for `size` bytes, or the end */
    const void *until; /* wait for this delimiter, 1 to 64 bytes, or for `size` bytes */
    size_t until_size;
    enum sockd_encoding encoding;
};
#define SOCKD_READ_OPTIONS_INIT                                                          \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_read_options), .exactly = SOCKD_UNSET         \
    }

/* read, peek: at most `size` bytes, at least one unless the stream has ended: then
 * *n_read is 0 (with `exactly` or `until` the rest) and *end says how. */
int sockd_read(struct sockd *connection, int64_t socket, void *buffer, size_t size,
               const struct sockd_read_options *options, double timeout, size_t *n_read,
               enum sockd_end *end, struct sockd_error *error);
int sockd_peek(struct sockd *connection, int64_t socket, void *buffer, size_t size,
               const struct sockd_read_options *options, double timeout, size_t *n_read,
               enum sockd_end *end, struct sockd_error *error);

struct sockd_read_line_options {
    size_t struct_size;
    enum sockd_encoding encoding;
};
#define SOCKD_READ_LINE_OPTIONS_INIT                                                     \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_read_line_options)                            \
    }

/* About a line that was read. */
struct sockd_line {
    size_t struct_size;
    size_t size;          /* bytes of the line, its NUL not counted */
    bool missing_newline; /* it ended without line feed */
    enum sockd_end end;
};
#define SOCKD_LINE_INIT                                                                  \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_line)                                         \
    }

/* read-line: one line without its line feed, of at most `size` - 1 bytes, and a NUL.
 * *present tells a line (an empty one, too) from the end of the stream. `line` must begin
 * as SOCKD_LINE_INIT. */
int sockd_read_line(struct sockd *connection, int64_t socket, char *buffer, size_t size,
                    const struct sockd_read_line_options *options, double timeout,
                    bool *present, struct sockd_line *line, struct sockd_error *error);

/* listen: whether a read would answer at once. */
int sockd_listen(struct sockd *connection, int64_t socket, double timeout,
                 bool *available, bool *eof, struct sockd_error *error);

struct sockd_write_options {
    size_t struct_size;
    int flush; /* flag; set. Not set: hold the bytes back */
};
#define SOCKD_WRITE_OPTIONS_INIT                                                         \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_write_options), .flush = SOCKD_UNSET          \
    }

/* write: all bytes, or an error. What is too long for one message of the protocol goes
 * out in several; *n_written, set on failure too, says how many bytes were accepted. */
int sockd_write(struct sockd *connection, int64_t socket, const void *data, size_t size,
                const struct sockd_write_options *options, double timeout,
                size_t *n_written, struct sockd_error *error);

/* force-output, finish-output. */
int sockd_force_output(struct sockd *connection, int64_t socket, double timeout,
                       struct sockd_error *error);
int sockd_finish_output(struct sockd *connection, int64_t socket, double timeout,
                        struct sockd_error *error);

/* read-byte, read-char: -1 at the end. A character is its Unicode number. */
int sockd_read_byte(struct sockd *connection, int64_t socket, double timeout, int *value,
                    enum sockd_end *end, struct sockd_error *error);
int sockd_read_char(struct sockd *connection, int64_t socket, double timeout,
                    int32_t *value, enum sockd_end *end, struct sockd_error *error);
/* write-byte, write-char. */
int sockd_write_byte(struct sockd *connection, int64_t socket, unsigned char value,
                     double timeout, struct sockd_error *error);
int sockd_write_char(struct sockd *connection, int64_t socket, int32_t value,
                     double timeout, struct sockd_error *error);

/* ---- Interrupt, raw streams ------------------------------------------------------- */

struct sockd_interrupt_options {
    size_t struct_size;
    enum sockd_direction direction; /* 0: both */
    int close;                      /* flag; not set. Set: close the socket, too */
    const char *reason;             /* for those whose requests end */
};
#define SOCKD_INTERRUPT_OPTIONS_INIT                                                     \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_interrupt_options), .close = SOCKD_UNSET      \
    }

/* interrupt: ends the requests that wait on a socket, whoever asked them. */
int sockd_interrupt(struct sockd *connection, int64_t socket,
                    const struct sockd_interrupt_options *options, double timeout,
                    int64_t *interrupted, struct sockd_error *error);

/*
 * attach: the connection becomes the raw stream of the socket, and *fd (may not be NULL)
 * its descriptor: blocking, close-on-exec, for the caller to close. Not one byte of the
 * stream has been read. On success the connection is used up: every later call fails with
 * SOCKD_E_NOT_CONNECTED, and only sockd_disconnect() is left to do; the stream goes on.
 * SOCKD_E_BUSY: another call or submitted request of the connection is not finished.
 * SOCKD_E_TIMEOUT ends the connection, because an attach can't be taken back.
 */
int sockd_attach(struct sockd *connection, int64_t socket, enum sockd_detach detach,
                 double timeout, int *fd, struct sockd_error *error);
/* accept-connection with attach: waits for a connection and becomes its raw stream. A
 * timeout of the wait leaves the connection as it was. */
int sockd_accept_attached(struct sockd *connection, int64_t socket, double timeout,
                          struct sockd_description **description, int *fd,
                          struct sockd_error *error);

/* ---- Addresses: no daemon needed -------------------------------------------------- */

/* An Internet address. Its size never changes. */
struct sockd_ipaddr {
    int family;        /* 4 or 6; else it is no address */
    uint8_t bytes[16]; /* network order; IPv4 uses the first four */
    uint32_t scope_id; /* IPv6: interface; 0: none */
};

bool sockd_ipaddrp(const struct sockd_ipaddr *address);
bool sockd_ipv6_address_p(const struct sockd_ipaddr *address);
bool sockd_dotted_address_p(const char *text);
/* Every form of inet_aton(3), and IPv6 with %scope. */
int sockd_dotted_to_ipaddr(const char *dotted, struct sockd_ipaddr *address,
                           struct sockd_error *error);
/* `text` has room for SOCKD_HOST_SIZE bytes. "" when `address` is none. */
void sockd_ipaddr_to_dotted(const struct sockd_ipaddr *address, char *text);
/* An IPv4-mapped IPv6 address equals its IPv4 form. */
bool sockd_ipaddr_equalp(const struct sockd_ipaddr *first,
                         const struct sockd_ipaddr *second, bool compare_scope_id);
/* IPv4 as a number, the first part most significant. The second: 0 when it is not IPv4.
 */
void sockd_ipaddr_from_integer(uint32_t number, struct sockd_ipaddr *address);
uint32_t sockd_ipaddr_to_integer(const struct sockd_ipaddr *address);

/* ---- Names, asked by the daemon --------------------------------------------------- */

struct sockd_lookup_options {
    size_t struct_size;
    enum sockd_ipv6 ipv6; /* sockd_lookup_hostname() only */
    int ignore_cache;     /* flag; not set */
};
#define SOCKD_LOOKUP_OPTIONS_INIT                                                        \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_lookup_options), .ignore_cache = SOCKD_UNSET  \
    }

/* lookup-hostname: one address as text. */
int sockd_lookup_hostname(struct sockd *connection, const char *host,
                          const struct sockd_lookup_options *options, double timeout,
                          char *address, size_t size, struct sockd_error *error);

struct sockd_address_list {
    size_t n_addresses;
    const char *const *addresses;
};
/* lookup-hostname with all. */
int sockd_lookup_hostname_all(struct sockd *connection, const char *host,
                              const struct sockd_lookup_options *options, double timeout,
                              struct sockd_address_list **list,
                              struct sockd_error *error);

/* lookup-port. A text of digits is a number and answered as it is. */
int sockd_lookup_port(struct sockd *connection, const char *port,
                      enum sockd_protocol protocol, double timeout, int *value,
                      struct sockd_error *error);

/* ipaddr-to-hostname: "" when the address has no name; 256 bytes are always enough. */
int sockd_ipaddr_to_hostname(struct sockd *connection, const char *address,
                             const struct sockd_lookup_options *options, double timeout,
                             char *name, size_t size, struct sockd_error *error);

struct sockd_interface {
    int id;
    const char *name;
    size_t n_addresses;
    const char *const *addresses;
    bool up, running, loopback, broadcast, multicast, point_to_point;
};
struct sockd_interface_list {
    size_t n_interfaces;
    const struct sockd_interface *const *interfaces;
};
/* get-ip-interfaces. */
int sockd_get_ip_interfaces(struct sockd *connection, double timeout,
                            struct sockd_interface_list **list,
                            struct sockd_error *error);

/* ---- Name servers, asked by the daemon -------------------------------------------- */

/* In the order of the words of dns-query; 0 is SOCKD_DNS_A. */
enum sockd_dns_type {
    SOCKD_DNS_A = 1,
    SOCKD_DNS_AAAA,
    SOCKD_DNS_PTR,
    SOCKD_DNS_MX,
    SOCKD_DNS_SRV,
    SOCKD_DNS_TXT,
    SOCKD_DNS_CNAME,
    SOCKD_DNS_NS,
    SOCKD_DNS_SOA,
    SOCKD_DNS_CAA,
    SOCKD_DNS_ANY,
};

/* Bytes, with a NUL behind them that `size` does not count. */
struct sockd_dns_text {
    size_t size;
    const char *bytes;
};

/* A record. What does not belong to its type is NULL, 0 or SOCKD_UNSET. */
struct sockd_dns_record {
    const char *name;    /* that it is about; NULL: the name that was asked for */
    const char *type;    /* "a", "mx", ..., or the number of another type */
    int64_t ttl;         /* seconds; SOCKD_UNSET: see the result */
    const char *text;    /* a, aaaa: the address; ptr, cname, ns: the name; mx: the
                            exchanger;    srv: the target; soa: the first name server */
    const char *address; /* mx: of the exchanger, as text, if it came with the answer */
    int preference;      /* mx */
    int priority, weight, port; /* srv */
    size_t n_texts;             /* txt: the strings of the record; caa: the value alone */
    const struct sockd_dns_text *texts;
    const char *rname; /* soa: mailbox of whoever is in charge */
    int64_t serial, refresh, retry, expire, minimum; /* soa */
    int critical;                                    /* caa: flag */
    const char *tag;                                 /* caa */
    struct sockd_dns_text data;                      /* other types */
};

struct sockd_dns_result {
    int64_t ttl; /* seconds that the answer stays valid; SOCKD_UNSET: nobody says so */
    size_t n_flags;
    const char *const *flags; /* how it went, in words: see sockd-protocol(7) */
    size_t n_answer;          /* 0: none; the flags say why */
    const struct sockd_dns_record *answer; /* the first is the primary answer */
    /* without decode only: */
    int id, flags_value; /* SOCKD_UNSET: there was no response */
    size_t n_authority;
    const struct sockd_dns_record *authority;
    size_t n_additional;
    const struct sockd_dns_record *additional;
};

struct sockd_dns_query_options {
    size_t struct_size;
    const char *const *nameserver; /* "address", "address:port" or "[ipv6]:port", ended by
                                      NULL; NULL: those configured */
    int repeat;                    /* tries at each server; 5 */
    double try_timeout;            /* seconds of each try; 5. SOCKD_UNSET: that */
    int queue;                     /* flag; set. Not set: past the cache */
    int decode;                    /* flag; set. Not set: the whole response */
    int search;       /* flag: names without a dot are tried in the search list */
    int ignore_cache; /* flag; not set */
};
#define SOCKD_DNS_QUERY_OPTIONS_INIT                                                     \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_dns_query_options), .repeat = SOCKD_UNSET,    \
        .try_timeout = SOCKD_UNSET, .queue = SOCKD_UNSET, .decode = SOCKD_UNSET,         \
        .search = SOCKD_UNSET, .ignore_cache = SOCKD_UNSET                               \
    }

/* dns-query. `result` is for sockd_free(). `timeout` is that of the whole call. */
int sockd_dns_query(struct sockd *connection, const char *name, enum sockd_dns_type type,
                    const struct sockd_dns_query_options *options, double timeout,
                    struct sockd_dns_result **result, struct sockd_error *error);
/* dns-lookup-hostname. */
int sockd_dns_lookup_hostname(struct sockd *connection, const char *name,
                              const struct sockd_dns_query_options *options,
                              double timeout, struct sockd_dns_result **result,
                              struct sockd_error *error);
/* dns-ipaddr-to-hostname. */
int sockd_dns_ipaddr_to_hostname(struct sockd *connection, const char *address,
                                 const struct sockd_dns_query_options *options,
                                 double timeout, struct sockd_dns_result **result,
                                 struct sockd_error *error);

struct sockd_configure_dns_options {
    size_t struct_size;
    const char *const *nameserver; /* ended by NULL; NULL: leave */
    const char *const *search;     /* ended by NULL; NULL: leave */
    const char *domain;            /* "": none; NULL: leave */
    int automatic;                 /* flag, "auto": set: as the system is configured */
};
#define SOCKD_CONFIGURE_DNS_OPTIONS_INIT                                                 \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_configure_dns_options),                       \
        .automatic = SOCKD_UNSET                                                         \
    }
struct sockd_dns_configuration {
    bool automatic;
    size_t n_nameservers;
    const char *const *nameservers; /* with ports */
    size_t n_search;
    const char *const *search;
    const char *domain; /* NULL: none */
};
/* configure-dns. `now` is for sockd_free(). To set something is for administrators. */
int sockd_configure_dns(struct sockd *connection,
                        const struct sockd_configure_dns_options *options, double timeout,
                        struct sockd_dns_configuration **now, struct sockd_error *error);

struct sockd_dns_nameserver {
    const char *name;   /* NULL: not known */
    const char *ipaddr; /* as text */
    int port;
    int64_t sent, received;
};
struct sockd_dns_nameserver_list {
    size_t n_nameservers;
    const struct sockd_dns_nameserver *nameservers;
};
/* dns-nameservers. */
int sockd_dns_nameservers(struct sockd *connection, double timeout,
                          struct sockd_dns_nameserver_list **list,
                          struct sockd_error *error);

/* ---- Defaults of the connection --------------------------------------------------- */

struct sockd_session_defaults_options {
    size_t struct_size;
    enum sockd_ipv6 ipv6;
    int print_hostname_in_stream; /* flag */
    const char *const *dns_mode;  /* "acldns", "clib", ended by NULL; NULL: leave */
    const char *dns_domain;       /* "": none; NULL: leave */
    const char *const *domain_search_list; /* ended by NULL; NULL: leave */
};
#define SOCKD_SESSION_DEFAULTS_OPTIONS_INIT                                              \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_session_defaults_options),                    \
        .print_hostname_in_stream = SOCKD_UNSET                                          \
    }
struct sockd_session_defaults {
    enum sockd_ipv6 ipv6;
    int print_hostname_in_stream;
    size_t n_dns_mode;
    const char *const *dns_mode;
    const char *dns_domain; /* NULL: none */
    size_t n_domain_search_list;
    const char *const *domain_search_list;
};
/* session-defaults: of this connection. */
int sockd_session_defaults(struct sockd *connection,
                           const struct sockd_session_defaults_options *options,
                           double timeout, struct sockd_session_defaults **now,
                           struct sockd_error *error);

/* ---- The daemon ------------------------------------------------------------------- */

struct sockd_limits { /* 0: none */
    int64_t message_size, nesting, batch_size, requests_in_flight, request_queue_size;
    int64_t connections, connections_per_user, sockets, sockets_per_user;
    int64_t lookups, lookups_per_user;
    int64_t reply_queue_size;
    double reply_timeout;
    int64_t input_buffer_size, output_buffer_size;
    double close_timeout;
    int64_t contexts, contexts_per_user, handshakes;
};
/* A control connection. */
struct sockd_client {
    int64_t id, pid, uid, gid;
    const char *user; /* NULL: the number has no name */
    size_t n_rights;
    const char *const *rights; /* "query", "own", "any", "admin" */
    /* by sockd_list_clients() only: */
    int worker;            /* SOCKD_UNSET: not told */
    const char *connected; /* RFC 3339, UTC */
    int64_t requests, pending, queued;
};
struct sockd_hello {
    const char *product, *version;
    int protocol;
    size_t n_features;
    const char *const *features;
    const struct sockd_limits *limits;
    const struct sockd_client *client; /* this connection, as the daemon sees it */
};
/* hello. */
int sockd_hello(struct sockd *connection, double timeout, struct sockd_hello **hello,
                struct sockd_error *error);

/* describe-socket: with owner, worker, created, options and runtime. */
int sockd_describe_socket(struct sockd *connection, int64_t socket, double timeout,
                          struct sockd_description **description,
                          struct sockd_error *error);

struct sockd_list_sockets_options {
    size_t struct_size;
    const char *name;
    enum sockd_type type;
    enum sockd_state state;
    int64_t client; /* only those of this control connection */
    int64_t uid;    /* only those of this user */
    int limit;      /* 1 to 1000; 100 */
    int64_t after;  /* handles greater than this one: list->next of the page before */
};
#define SOCKD_LIST_SOCKETS_OPTIONS_INIT                                                  \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_list_sockets_options), .client = SOCKD_UNSET, \
        .uid = SOCKD_UNSET, .limit = SOCKD_UNSET, .after = SOCKD_UNSET                   \
    }
struct sockd_socket_list {
    size_t n_sockets;
    const struct sockd_description *const *sockets;
    int64_t next; /* 0: this was the last page */
};
/* list-sockets: one page. */
int sockd_list_sockets(struct sockd *connection,
                       const struct sockd_list_sockets_options *options, double timeout,
                       struct sockd_socket_list **list, struct sockd_error *error);

struct sockd_client_list {
    size_t n_clients;
    const struct sockd_client *const *clients;
};
/* list-clients. */
int sockd_list_clients(struct sockd *connection, double timeout,
                       struct sockd_client_list **list, struct sockd_error *error);

/* ---- Streams joined inside of the daemon ------------------------------------------- */

enum sockd_relay_end {
    SOCKD_RELAY_CLEAN = 1,
    SOCKD_RELAY_CUT, /* a stream was reset or truncated, or took no more */
    SOCKD_RELAY_INTERRUPTED,
    SOCKD_RELAY_CLOSED, /* one of the sockets was closed */
};

/* How a relay went. */
struct sockd_relay_report {
    size_t struct_size;
    enum sockd_relay_end end;
    int64_t forward, back; /* bytes from the first socket to the second, and back */
};
#define SOCKD_RELAY_REPORT_INIT                                                          \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_relay_report)                                 \
    }

/* relay: what the one stream receives the other sends. `report` NULL: returns when they
 * are joined; else when that is over, and the time-out is an interrupt. */
int sockd_relay(struct sockd *connection, int64_t first, int64_t second, double timeout,
                struct sockd_relay_report *report, struct sockd_error *error);

enum sockd_proxy {
    SOCKD_PROXY_NONE = 1,
    SOCKD_PROXY_V1,
    SOCKD_PROXY_V2,
    SOCKD_PROXY_ANY
};

enum sockd_connect_order { SOCKD_CONNECT_LISTED = 1, SOCKD_CONNECT_ROUND_ROBIN };

struct sockd_make_tunnel_options {
    size_t struct_size;
    /* Places: "host:port", "[ipv6]:port", "port", "/path". */
    const char *listen;         /* required */
    const char *const *connect; /* required: targets in order, ended by NULL */
    /* What else make-socket takes for the two; NULL: nothing. */
    const struct sockd_make_socket_options *listen_more, *connect_more;
    const char *name;
    int max_connections;        /* 10000; 0: no limit */
    double connect_timeout;     /* seconds for each target; 10 */
    double handshake_timeout;   /* seconds until its header has come; 10 */
    double idle_timeout;        /* seconds without a byte; no limit */
    double half_closed_timeout; /* the same when one direction has ended; 60 */
    enum sockd_proxy accept_proxy, send_proxy; /* none */
    /* TLS with those who connect: as ssl_context of make-socket. */
    int64_t server_context;
    const char *server_context_name;
    const int64_t *server_contexts;
    size_t n_server_contexts;
    /* TLS with the targets. */
    int64_t client_context;
    const char *client_context_name;
    int allow_truncation; /* flag: an end without the farewell of TLS is clean */
    const char *const *client_names; /* of their certificates; ended by NULL */
    /* Of the socket file: an octal number, and names or numbers of a user and a group. */
    const char *listen_mode, *listen_owner, *listen_group;
    enum sockd_connect_order connect_order; /* where trying begins; listed */
    int log_connections;                 /* flag: a line of the daemon's log for each */
    const char *const *client_addresses; /* and networks; ended by NULL */
};
#define SOCKD_MAKE_TUNNEL_OPTIONS_INIT                                                   \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_make_tunnel_options),                         \
        .max_connections = SOCKD_UNSET, .connect_timeout = SOCKD_UNSET,                  \
        .handshake_timeout = SOCKD_UNSET, .idle_timeout = SOCKD_UNSET,                   \
        .half_closed_timeout = SOCKD_UNSET, .allow_truncation = SOCKD_UNSET,             \
        .log_connections = SOCKD_UNSET                                                   \
    }

struct sockd_made_tunnel {
    int64_t tunnel; /* the handle */
    const struct sockd_description *listener;
};
/* make-tunnel. It ends with the connection, as sockets do. */
int sockd_make_tunnel(struct sockd *connection,
                      const struct sockd_make_tunnel_options *options, double timeout,
                      struct sockd_made_tunnel **tunnel, struct sockd_error *error);

struct sockd_tunnel {
    int64_t tunnel;
    const char *name; /* NULL: none */
    const char *listen;
    size_t n_connect;
    const char *const *connect;
    int64_t connections, max_connections;
    int64_t accepted, refused, failed, cut; /* connections so far */
    int64_t bytes_in, bytes_out;            /* of connections that are over */
    int64_t listener;
    const struct sockd_owner *owner;
    int worker;
    const char *created; /* RFC 3339, UTC */
};
struct sockd_tunnel_list {
    size_t n_tunnels;
    const struct sockd_tunnel *const *tunnels;
};
/* list-tunnels. */
int sockd_list_tunnels(struct sockd *connection, double timeout,
                       struct sockd_tunnel_list **list, struct sockd_error *error);

struct sockd_close_tunnel_options {
    size_t struct_size;
    int abort; /* flag; its connections are cut, too */
};
#define SOCKD_CLOSE_TUNNEL_OPTIONS_INIT                                                  \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_close_tunnel_options), .abort = SOCKD_UNSET   \
    }

/* close-tunnel. */
int sockd_close_tunnel(struct sockd *connection, int64_t tunnel,
                       const struct sockd_close_tunnel_options *options, double timeout,
                       struct sockd_error *error);

/* ---- TLS --------------------------------------------------------------------------- */

/* What is done about the certificate of the peer. */
enum sockd_ssl_verify {
    SOCKD_VERIFY_NONE = 1, /* not looked at; a server asks for none */
    SOCKD_VERIFY_REQUEST,  /* asked for and looked at, any is accepted */
    SOCKD_VERIFY_OPTIONAL, /* if there is one it must verify */
    SOCKD_VERIFY_REQUIRED, /* there must be one, and it must verify */
};
enum sockd_crl_check { SOCKD_CRL_NONE = 1, SOCKD_CRL_LEAF, SOCKD_CRL_CHAIN };

/* For contexts and for streams. A member that the function has no use for is an error.
 * Files are read by the library, as the user that the program runs as; instead of its
 * name the PEM text itself may be given, beginning with "-----BEGIN". */
struct sockd_ssl_options {
    size_t struct_size;
    /* Streams only: a context by handle, by name, or several of a server. */
    int64_t context; /* 0: none */
    const char *context_name;
    const int64_t *contexts;
    size_t n_contexts;
    /* Errors with a context. */
    const char *certificate;          /* file: the own certificate and its chain */
    const char *key;                  /* file; NULL: it is in `certificate` */
    const char *certificate_password; /* the password of the key itself */
    const char *ca_file;              /* file of certificates that are trusted */
    const char *ca_directory;         /* directory of these */
    const char *crl_file;             /* file of lists of what is revoked */
    enum sockd_crl_check crl_check;   /* none */
    const char *groups;               /* OpenSSL's list; NULL: its choice */
    /* With a context: instead of what it says. */
    const char *const *method; /* "tls", or exact versions, ended by NULL; NULL: "tls" */
    const char *ciphers;       /* of TLS 1.2; NULL: OpenSSL's choice */
    const char *ciphersuites;  /* of TLS 1.3; NULL: OpenSSL's choice */
    const char *const *alpn;   /* preferred first, ended by NULL */
    enum sockd_ssl_verify verify;   /* clients: required; servers: none */
    int max_depth;                  /* 10 */
    int prefer_server_cipher_order; /* flag; set. Servers only */
    const char *server_name; /* asked for and verified; of a server: that it serves */
    /* Contexts only. */
    int sessions;     /* flag; set: sessions may be resumed */
    int tickets;      /* that a server sends; 2 */
    const char *name; /* that stands for the handle */
    /* Streams only. */
    double handshake_timeout; /* seconds from its beginning to its end; 30 */
    int allow_truncation;     /* flag: an end without the farewell of TLS is clean */
    int allow_buffered;       /* flag: what was received and not read belongs to TLS */
};
#define SOCKD_SSL_OPTIONS_INIT                                                           \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_ssl_options), .max_depth = SOCKD_UNSET,       \
        .prefer_server_cipher_order = SOCKD_UNSET, .sessions = SOCKD_UNSET,              \
        .tickets = SOCKD_UNSET, .handshake_timeout = SOCKD_UNSET,                        \
        .allow_truncation = SOCKD_UNSET, .allow_buffered = SOCKD_UNSET                   \
    }

/* make-ssl-client-context, make-ssl-server-context. `context` is the handle. */
int sockd_make_ssl_client_context(struct sockd *connection,
                                  const struct sockd_ssl_options *options, double timeout,
                                  int64_t *context, struct sockd_error *error);
int sockd_make_ssl_server_context(struct sockd *connection,
                                  const struct sockd_ssl_options *options, double timeout,
                                  int64_t *context, struct sockd_error *error);

/* make-ssl-client-stream, make-ssl-server-stream: the socket speaks TLS from now on. */
int sockd_make_ssl_client_stream(struct sockd *connection, int64_t socket,
                                 const struct sockd_ssl_options *options, double timeout,
                                 struct sockd_description **description,
                                 struct sockd_error *error);
int sockd_make_ssl_server_stream(struct sockd *connection, int64_t socket,
                                 const struct sockd_ssl_options *options, double timeout,
                                 struct sockd_description **description,
                                 struct sockd_error *error);

/* ssl-do-handshake: now, not with the first read or write. */
int sockd_ssl_do_handshake(struct sockd *connection, int64_t socket, double timeout,
                           struct sockd_description **description,
                           struct sockd_error *error);

struct sockd_pair {
    const char *name, *value; /* "CN", "example.org" */
};
struct sockd_certificate {
    int version; /* 1 to 3 */
    const char *serial_number, *serial_number_hex;
    size_t n_issuer;
    const struct sockd_pair *issuer; /* attributes, in the order of the certificate */
    size_t n_subject;
    const struct sockd_pair *subject;
    const char *not_before, *not_after; /* RFC 3339, UTC; NULL: none can be read */
    int64_t not_before_universal, not_after_universal; /* seconds since 1900 */
    size_t n_subject_alt_name;
    const struct sockd_pair *subject_alt_name; /* "DNS", "IP Address", ... */
    const char *fingerprint_sha256;            /* "AB:CD:..." */
    const char *key;                           /* "RSA 2048"; NULL: not known */
    const char *pem;
};

struct sockd_get_ssl_peer_certificate_options {
    size_t struct_size;
    int chain; /* flag; those behind it, too */
};
#define SOCKD_GET_SSL_PEER_CERTIFICATE_OPTIONS_INIT                                      \
    {                                                                                    \
        .struct_size = sizeof(struct sockd_get_ssl_peer_certificate_options),            \
        .chain = SOCKD_UNSET                                                             \
    }
struct sockd_peer_certificate {
    const struct sockd_certificate *certificate; /* NULL: the peer has sent none */
    size_t n_chain;
    const struct sockd_certificate *const *chain; /* those behind it, if asked for */
};
/* get-ssl-peer-certificate. It does the handshake first when that was not done. */
int sockd_get_ssl_peer_certificate(
    struct sockd *connection, int64_t socket,
    const struct sockd_get_ssl_peer_certificate_options *options, double timeout,
    struct sockd_peer_certificate **certificate, struct sockd_error *error);

struct sockd_verify_result {
    int code; /* of OpenSSL; 0: no fault, which does not mean that it was verified */
    const char *text;
    bool verified; /* there is a certificate, it was looked at, and it is good */
};
/* get-ssl-verify-result. */
int sockd_get_ssl_verify_result(struct sockd *connection, int64_t socket, double timeout,
                                struct sockd_verify_result **result,
                                struct sockd_error *error);

struct sockd_context {
    int64_t context;  /* the handle */
    const char *name; /* NULL: none */
    enum sockd_tls_role role;
    size_t n_versions;
    const char *const *versions; /* "tlsv1.2", "tlsv1.3" */
    enum sockd_ssl_verify verify;
    int max_depth;
    enum sockd_crl_check crl_check;
    const char *server_name; /* NULL: none was given */
    size_t n_subject;
    const struct sockd_pair *subject; /* of its certificate; NULL: it has none */
    const char *not_after;            /* of its certificate: RFC 3339, UTC */
    bool sessions;
    int64_t stored_sessions; /* clients */
    int64_t ticket_keys;     /* servers */
    const struct sockd_owner *owner;
    const char *created, *updated; /* RFC 3339, UTC; NULL: never updated */
    /* by sockd_describe_context() only: */
    size_t n_certificates;
    const struct sockd_certificate *const *certificates;
};
/* describe-context. */
int sockd_describe_context(struct sockd *connection, int64_t context, double timeout,
                           struct sockd_context **description, struct sockd_error *error);

struct sockd_context_list {
    size_t n_contexts;
    const struct sockd_context *const *contexts;
};
/* list-contexts. */
int sockd_list_contexts(struct sockd *connection, double timeout,
                        struct sockd_context_list **list, struct sockd_error *error);

/* update-context: certificate, key, certificate_password, ca_file, ca_directory and
 * crl_file of the options; what is NULL stays as it is. */
int sockd_update_context(struct sockd *connection, int64_t context,
                         const struct sockd_ssl_options *options, double timeout,
                         struct sockd_context **description, struct sockd_error *error);

/* close-context. */
int sockd_close_context(struct sockd *connection, int64_t context, double timeout,
                        struct sockd_error *error);

struct sockd_openssl_numbers {
    const char *text;
    int major, minor, patch;
};
struct sockd_openssl_version {
    const struct sockd_openssl_numbers *loaded, *built;
};
/* openssl-version: of the daemon. */
int sockd_openssl_version(struct sockd *connection, double timeout,
                          struct sockd_openssl_version **version,
                          struct sockd_error *error);

/* What a file holds, for programs that send it with sockd_call(). */
enum sockd_file_kind {
    SOCKD_PEM_FILE = 1,  /* its PEM texts, without what stands around them */
    SOCKD_PEM_DIRECTORY, /* the certificates that a directory of OpenSSL holds */
    SOCKD_SECRET_FILE,   /* its first line */
};
/* Reads it as the user that the program runs as. `text` is for sockd_wipe(). */
int sockd_read_file(const char *path, enum sockd_file_kind kind, char **text,
                    struct sockd_error *error);
/* Overwrites a text of sockd_read_file() and frees it. NULL: no-op. */
void sockd_wipe(char *text);

/* ---- Counters, and the daemon itself ------------------------------------------------
 */

struct sockd_counter {
    const char *name;
    int64_t value;
};
struct sockd_worker {
    int worker;
    int64_t clients, sockets;
    size_t n_counters;
    const struct sockd_counter *counters;
};
struct sockd_statistics {
    const char *version;
    int64_t pid;
    const char *started; /* RFC 3339, UTC */
    double uptime;       /* seconds */
    int64_t clients, sockets;
    size_t n_counters;
    const struct sockd_counter *counters; /* summed over the workers */
    size_t n_workers;
    const struct sockd_worker *const *workers;
};
/* statistics. */
int sockd_statistics(struct sockd *connection, double timeout,
                     struct sockd_statistics **statistics, struct sockd_error *error);

/* rpc.discover: the OpenRPC document as JSON text, for sockd_free(). */
int sockd_rpc_discover(struct sockd *connection, double timeout, char **document,
                       struct sockd_error *error);

/* stop: asks the daemon to end. */
int sockd_stop(struct sockd *connection, double timeout, struct sockd_error *error);

/* set-log-level: of one module of the daemon; NULL: of all. */
int sockd_set_log_level(struct sockd *connection, enum sockd_log_level level,
                        const char *module, double timeout, struct sockd_error *error);

#ifdef __cplusplus
}
#endif

#endif
