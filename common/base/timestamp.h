/* SPDX-License-Identifier: Apache-2.0 */
/* Time: nanoseconds since 1970 inside, RFC 3339 UTC with milliseconds on the
 * wire ("2026-11-20T11:32:05.123Z"). Only shells read clocks; the cores get
 * the time as an input. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TIMESTAMP_TEXT_SIZE 32
#define TIMESTAMP_SECOND INT64_C(1000000000)
#define TIMESTAMP_MS INT64_C(1000000)

int64_t timestamp_now(void);       /* CLOCK_REALTIME, ns */
int64_t timestamp_monotonic(void); /* CLOCK_MONOTONIC, ns: for timeouts */
const char *timestamp_format(int64_t ns, char text[TIMESTAMP_TEXT_SIZE]);
/* Reads what timestamp_format writes, with 0 to 9 decimals. False otherwise. */
bool timestamp_parse(const char *text, int64_t *out);
