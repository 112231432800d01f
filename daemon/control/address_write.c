/* SPDX-License-Identifier: MIT */
/*
 * address_write.c - IP address objects in replies.
 *
 * Called by the address functions and the DNS commands. Thread: any.
 */
#include <config.h>
#include "daemon/control/address_write.h"
#include "proto/ipaddr.h"
#include "proto/writer.h"

void address_write(struct writer *writer, const struct value_ip *ip)
{
    struct value_ip bare = *ip;
    char text[IPADDR_TEXT_SIZE];

    if (!ip->is_ipv6) {
        writer_int(writer, ipaddr_to_integer(ip));
        return;
    }
    bare.scope_id = 0;
    ipaddr_format(&bare, text);
    writer_begin_object(writer);
    writer_key(writer, "ipv6");
    writer_text(writer, text);
    writer_key(writer, "scope-id");
    writer_int(writer, ip->scope_id);
    writer_end_object(writer);
}
