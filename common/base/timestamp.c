/* SPDX-License-Identifier: Apache-2.0 */
/* Time: see timestamp.h. */
#include "common/base/timestamp.h"

#include "common/base/str.h"

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
    /* By hand: every answer and record has some of these. */
    char *at = str_put_digits(text, (uint64_t)tm.tm_year + 1900, 4);
    *at++ = '-';
    at = str_put_digits(at, (uint64_t)tm.tm_mon + 1, 2);
    *at++ = '-';
    at = str_put_digits(at, (uint64_t)tm.tm_mday, 2);
    *at++ = 'T';
    at = str_put_digits(at, (uint64_t)tm.tm_hour, 2);
    *at++ = ':';
    at = str_put_digits(at, (uint64_t)tm.tm_min, 2);
    *at++ = ':';
    at = str_put_digits(at, (uint64_t)tm.tm_sec, 2);
    *at++ = '.';
    at = str_put_digits(at, (uint64_t)ms, 3);
    *at++ = 'Z';
    *at = '\0';
    return text;
}

/* "dddd…" of exactly 'count' digits, then the character 'end'; moves *at. */
static bool take_digits(const char **at, int count, char end, int *out)
{
    int value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    if (end && *(*at)++ != end)
        return false;
    return true;
}

/* ".d" to ".ddddddddd", or nothing, in nanoseconds. */
static bool take_fraction(const char **at, int64_t *out)
{
    *out = 0;
    if (**at != '.')
        return true;
    (*at)++;
    int64_t unit = TIMESTAMP_SECOND / 10;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++, unit /= 10) {
        if (!unit)
            return false;
        *out += (**at - '0') * unit;
    }
    return true;
}

bool timestamp_parse(const char *text, int64_t *out)
{
    /* By hand: strptime() takes blanks, short numbers and any year. */
    struct tm tm = {0};
    int64_t fraction;
    if (!take_digits(&text, 4, '-', &tm.tm_year) ||
        !take_digits(&text, 2, '-', &tm.tm_mon) ||
        !take_digits(&text, 2, 'T', &tm.tm_mday) ||
        !take_digits(&text, 2, ':', &tm.tm_hour) ||
        !take_digits(&text, 2, ':', &tm.tm_min) ||
        !take_digits(&text, 2, '\0', &tm.tm_sec) ||
        !take_fraction(&text, &fraction) || strcmp(text, "Z") != 0)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    struct tm same = tm;
    int64_t seconds = timegm(&same);
    /* timegm() makes 2 March of 30 February. */
    if (same.tm_mon != tm.tm_mon || same.tm_mday != tm.tm_mday ||
        same.tm_hour != tm.tm_hour || same.tm_min != tm.tm_min ||
        same.tm_sec != tm.tm_sec)
        return false;
    int64_t ns;
    if (__builtin_mul_overflow(seconds, TIMESTAMP_SECOND, &ns) ||
        __builtin_add_overflow(ns, fraction, &ns))
        return false;
    *out = ns;
    return true;
}
