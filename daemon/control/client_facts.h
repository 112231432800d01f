/* SPDX-License-Identifier: MIT */
/* client_facts.h - a control connection as the client object of replies. Pure. */
#ifndef SOCKD_CONTROL_CLIENT_FACTS_H
#define SOCKD_CONTROL_CLIENT_FACTS_H

struct connection_facts;
struct writer;

/* The members of the object `client` (proto/objects.def), into an open object. */
void client_facts_write(struct writer *writer, const struct connection_facts *facts);

#endif
