/* SPDX-License-Identifier: Apache-2.0 */
/* Logging: to stderr with "<N>" priorities (journald reads them), level per
 * module, the sink replaceable in tests. Library folders do not log above
 * debug; programs do, once, where the error is handled. Values in single
 * quotes, ids as a key=value tail.
 *
 * Each .c that logs says first: #define LOG_MODULE "uplink"
 * Threads: any.
 */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>

/* The syslog numbers, as journald reads them from stderr. */
enum log_level { LOG_ERROR = 3, LOG_WARNING = 4, LOG_INFO = 6, LOG_DEBUG = 7 };

#define log_error(...) log_write(LOG_MODULE, LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_MODULE, LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_MODULE, LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_MODULE, LOG_DEBUG, __VA_ARGS__)

void log_write(const char *module, enum log_level level, const char *format,
               ...) __attribute__((format(printf, 3, 4)));
/* One line for a handled error: "what: message (field 'f'; remedy)". */
void log_failure(const char *module, enum log_level level, const char *what,
                 const struct error *err);

/* "info", "debug", or per module: "warning,uplink=debug". Returns -1 and
 * changes nothing if a level is unknown. */
int log_configure(const char *levels, struct error *err);
/* 'sink' NULL = stderr. It gets the line without newline; called under a lock. */
void log_set_sink(void (*sink)(void *context, const char *module,
                               enum log_level level, const char *line),
                  void *context);
