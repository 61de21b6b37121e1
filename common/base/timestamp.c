/* SPDX-License-Identifier: Apache-2.0 */
/* Time: see timestamp.h. */
#include "common/base/timestamp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * TIMESTAMP_SECOND + now.tv_nsec;
}

int64_t timestamp_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t timestamp_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

const char *timestamp_format(int64_t ns, char text[TIMESTAMP_TEXT_SIZE])
{
    time_t seconds = (time_t)(ns / TIMESTAMP_SECOND);
    int ms = (int)(ns % TIMESTAMP_SECOND / TIMESTAMP_MS);
    struct tm tm = {0};
    gmtime_r(&seconds, &tm);
    size_t length = strftime(text, TIMESTAMP_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + length, TIMESTAMP_TEXT_SIZE - length, ".%03dZ", ms);
    return text;
}

bool timestamp_parse(const char *text, int64_t *out)
{
    struct tm tm = {0};
    const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!at)
        return false;
    int64_t fraction = 0;
    if (*at == '.') {
        int64_t unit = TIMESTAMP_SECOND / 10;
        for (at++; isdigit((unsigned char)*at) && unit; at++, unit /= 10)
            fraction += (*at - '0') * unit;
    }
    if (strcmp(at, "Z") != 0)
        return false;
    *out = (int64_t)timegm(&tm) * TIMESTAMP_SECOND + fraction;
    return true;
}
