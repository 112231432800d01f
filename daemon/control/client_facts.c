/* SPDX-License-Identifier: MIT */
/* client_facts.c - the client object, for hello and list-clients. */
#include <config.h>
#include "daemon/control/client_facts.h"
#include "daemon/base/users.h"
#include "daemon/control/connection.h"
#include "proto/writer.h"

void client_facts_write(struct writer *writer, const struct connection_facts *facts)
{
    writer_result_int(writer, FIELD_CLIENT_ID, facts->client);
    writer_result_int(writer, FIELD_CLIENT_PID, facts->pid);
    writer_result_int(writer, FIELD_CLIENT_UID, facts->uid);
    writer_result_int(writer, FIELD_CLIENT_GID, facts->gid);
    writer_result_text(writer, FIELD_CLIENT_USER, users_name(facts->uid));
    writer_result(writer, FIELD_CLIENT_RIGHTS);
    writer_begin_array(writer);
    writer_text(writer, "query");
    writer_text(writer, "own");
    writer_text(writer, "any");
    if (facts->is_admin) {
        writer_text(writer, "admin");
    }
    writer_end_array(writer);
}
