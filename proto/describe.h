/* SPDX-License-Identifier: MIT */
/*
 * describe.h - the table as an OpenRPC document: the answer of rpc.discover.
 */
#ifndef SOCKD_PROTO_DESCRIBE_H
#define SOCKD_PROTO_DESCRIBE_H

#include <stddef.h>

struct param_row;
struct writer;

/* The whole document as one line of JSON text. It is made at the first call and lasts as
 * long as the process. NULL: out of memory. Thread: any, after table_setup(). */
const char *describe_document(size_t *size);

/* The JSON schema of one parameter. */
void describe_param_schema(struct writer *writer, const struct param_row *row);

#endif
