/* SPDX-License-Identifier: MIT */
/* timestamp.h - points in time as replies write them. Pure. */
#ifndef SOCKD_CONTROL_TIMESTAMP_H
#define SOCKD_CONTROL_TIMESTAMP_H

#include <stdint.h>

enum { TIMESTAMP_SIZE = 32 };

/* RFC 3339 section 5.6 text in UTC of seconds since 1970: "2026-01-31T23:59:59Z". */
void timestamp_format(int64_t seconds, char text[TIMESTAMP_SIZE]);

#endif
