/* SPDX-License-Identifier: MIT */
/*
 * ssl_memory.h - the memory of OpenSSL, put back to what it was: a fuzz target begins
 * each time with sessions that have shaken hands, the same ones, and pays for it with a
 * few page faults.
 *
 * Whoever keeps pointers to objects of OpenSSL that were made after ssl_memory_keep() has
 * to forget them before ssl_memory_restore(). Thread: there is one.
 */
#ifndef SOCKD_TESTS_SSL_MEMORY_H
#define SOCKD_TESTS_SSL_MEMORY_H

/* Before anything of OpenSSL is called. */
void ssl_memory_use(void);
/* What there is now is what comes back. Once. */
void ssl_memory_keep(void);
void ssl_memory_restore(void);

#endif
