/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics in Prometheus' text format 0.0.4: counters, gauges and histograms
 * with labels, in one registry of the process.
 *
 * Register families at start, get a series once per set of label values and
 * keep the pointer (series live as long as the process); counting on it is one
 * atomic operation. Values that are better read from a snapshot at the time of
 * the scrape (one line per host) are written by metrics_head() and
 * metrics_sample() after metrics_render().
 *
 * Names follow what 'promtool check metrics' asks for: sriov_ first, base units
 * (seconds, bytes) in the name, counters end in _total, nothing else does. A
 * name, label or type that breaks this, or a family registered again with other
 * properties, is a mistake of the programmer: the process aborts.
 *
 * Threads: any.
 */
#pragma once

#include "common/base/str.h"

#include <stddef.h>
#include <stdint.h>

#define METRICS_LABELS_MAX 4
#define METRICS_BUCKETS_MAX 24

/* The Content-Type of the rendered text. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type {
    METRICS_COUNTER,
    METRICS_GAUGE,
    METRICS_HISTOGRAM,
    METRICS_TYPE_MAX
};

struct metrics_family;
struct metric; /* one series of a family */

/* Register a family, or find it if it is there. 'name' and 'help' are copied;
 * 'labels' are names with spaces between, "" = none. */
struct metrics_family *metrics_counter(const char *name, const char *labels,
                                       const char *help);
struct metrics_family *metrics_gauge(const char *name, const char *labels,
                                     const char *help);
/* 'bounds': upper bounds of the buckets, rising, at most METRICS_BUCKETS_MAX,
 * without the +Inf one, in the unit of the name. */
struct metrics_family *metrics_histogram(const char *name, const char *labels,
                                         const char *help, const double *bounds,
                                         size_t bound_count);
/* Bounds from 100 us to 10 s, for durations of requests and commits. */
extern const double metrics_seconds[];
extern const size_t metrics_seconds_count;

/* The series with these label values (as many as the family has labels; NULL if
 * it has none), made if it is not there. Takes a lock and searches: keep the
 * result. Label values must come from a small set, never from clients. */
struct metric *metrics_series(struct metrics_family *family,
                              const char *const *values);

void metric_add(struct metric *metric, uint64_t amount);  /* counter */
void metric_set(struct metric *metric, double value);     /* gauge */
void metric_observe(struct metric *metric, double value); /* histogram */

/* Append all families that have a series. */
void metrics_render(struct str *out);
/* Append this process' own: process_cpu_seconds_total, process_open_fds,
 * process_resident_memory_bytes, process_start_time_seconds (from /proc/self;
 * what can't be read is left out). */
void metrics_render_process(struct str *out);

/* Append the HELP and TYPE lines of a family that is not in the registry. */
void metrics_head(struct str *out, const char *name, enum metrics_type type,
                  const char *help);
/* Append one sample. 'labels' are name, value, name, value, …, NULL; or NULL. */
void metrics_sample(struct str *out, const char *name,
                    const char *const *labels, double value);
