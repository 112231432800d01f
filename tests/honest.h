/* SPDX-License-Identifier: MIT */
/*
 * honest.h - a peer of a TLS session that knows what it has said: OpenSSL over memory,
 * the records it seals in a queue that the test may delay, cut and spoil, and an account
 * of what the other side must and may make of what was sent.
 *
 * The bytes of either direction follow a pattern, so that a byte tells its place. Thread:
 * the one that runs the test.
 */
#ifndef SOCKD_TESTS_HONEST_H
#define SOCKD_TESTS_HONEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct honest_session;

enum {
    HONEST_MAX_BYTES = 256 * 1024, /* that go in one direction */
    HONEST_MAX_RECORD = 16 * 1024,
};

/* The bytes of the peer, and of the other side; aborts unless these are those behind the
 * first `at` of it. */
const uint8_t *honest_pattern(bool is_ours);
void honest_check(bool is_ours, size_t at, const void *bytes, size_t size);
/* Aborts, and says why. */
void honest_must(bool condition, const char *what);

struct honest_spec {
    bool is_server, is_tls13;
    bool is_raw; /* TLS 1.3: what follows the handshake is sealed by the test */
    const char *certificate, *key;
};

/* What was sent, whole records only. Nothing that comes later undoes a break or an end.
 */
struct honest_account {
    size_t sealed;    /* bytes in the records, sent or not */
    size_t certain;   /* that the other side has to deliver */
    size_t possible;  /* that it may deliver */
    bool is_closed;   /* close_notify */
    bool is_broken;   /* something that cannot be opened: the session fails */
    bool is_fatal;    /* an alert: the session fails */
    bool is_doubtful; /* it may be taken or refused */
    bool is_cut;      /* the end of file */
    bool is_gone;     /* the peer's descriptor is closed */
    bool is_inside;   /* ... of a record, the last of which was sent */
    bool is_in_message;
};
extern struct honest_account honest;

/* What the peer has heard. */
struct honest_heard {
    size_t n_bytes;
    bool has_farewell; /* close_notify */
    bool has_end;      /* the end of file */
    bool has_failed;   /* its own session is over */
    bool is_resumed;
};
extern struct honest_heard honest_heard;

/* Over a descriptor, which is the peer's from now on. */
void honest_start(const struct honest_spec *spec, int fd);
void honest_stop(void);
/* Instead of the latter: what is behind the handshake, for any number of beginnings; the
 * memory of OpenSSL has been restored then (ssl_memory.h). The descriptor is closed. */
struct honest_session *honest_keep(void);
void honest_start_again(const struct honest_spec *spec,
                        const struct honest_session *session, int fd);
/* Gets on with the handshake. True: it is done on this side. */
bool honest_shake(void);

/* ---- What it says: queued ---- */

/* Bytes of the pattern, as far as there are any; in records of so many. */
void honest_say(size_t size, size_t record);
void honest_close_notify(void);
void honest_key_update(bool is_requested);
/* TLS 1.2: asks for another handshake; TLS 1.3, server: a ticket. */
void honest_start_anew(void);
/* Of a raw peer: bytes of the pattern in one record, with zeros behind them; a record of
 * any type but that of data, which may be empty. */
void honest_say_padded(size_t size, size_t padding);
void honest_seal(uint8_t type, const void *content, size_t size, size_t padding);
/* It hears bytes that nobody sent, and complains. */
void honest_hear_nonsense(void);

/* ---- What becomes of it: the record with this number in the queue, if there is one ----
 */

size_t honest_n_queued(void);
void honest_flip(size_t record, size_t at, uint8_t bits);
void honest_shorten(size_t record, size_t size);
void honest_drop(size_t record);
void honest_repeat(size_t record);
/* Raw bytes before it. */
void honest_insert(size_t record, const uint8_t *bytes, size_t size);

/* Sends up to `size` bytes of the queue. False: nothing can be sent now. */
bool honest_send(size_t size);
/* The end of file; everything that is queued is lost. */
void honest_cut(void);
/* The same for both directions. */
void honest_go(void);
/* Reads what has come. */
void honest_hear(void);

/* ---- Judgements ---- */

/* The session may report that it has failed. */
bool honest_may_fail(void);
/* It may report an end with, or without a farewell, after so many bytes. */
bool honest_may_end(size_t delivered, bool allows_truncation);
bool honest_may_be_cut(size_t delivered);
/* All that was sent has been understood, and nothing is in the way of an answer. */
bool honest_is_well(void);

#endif
