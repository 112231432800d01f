/* SPDX-License-Identifier: MIT */
/*
 * certificate_write.h - certificates in replies. Thread: any.
 */
#ifndef SOCKD_CONTROL_CERTIFICATE_WRITE_H
#define SOCKD_CONTROL_CERTIFICATE_WRITE_H

struct certificate;
struct certificate_pairs;
struct writer;

/* An object. */
void certificate_write(struct writer *writer, const struct certificate *certificate);
/* A list of lists of two. */
void certificate_write_pairs(struct writer *writer,
                             const struct certificate_pairs *pairs);

#endif
