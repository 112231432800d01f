/* SPDX-License-Identifier: MIT */
/* timestamp.c - RFC 3339 text for the commands that show times. */
#include <config.h>
#include "daemon/control/timestamp.h"
#include <string.h>
#include <time.h>

void timestamp_format(int64_t seconds, char text[TIMESTAMP_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm parts;

    if (!gmtime_r(&when, &parts) ||
        strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        memcpy(text, "", 1);
    }
}
