/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as metrics and as lines of the access log. Labels come from the route
 * table, never from the client. */
#include "api/http/internal.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"

#include <stdio.h>

#define LOG_MODULE "http"

static struct metric *requests_series(const char *method, const char *route,
                                      int status)
{
    char text[12];
    snprintf(text, sizeof text, "%d", status);
    const char *values[] = {method, route, text};
    return metrics_series(
        metrics_counter("sriov_http_requests_total", "method route status",
                        "HTTP requests answered, by route and status."),
        values);
}

static struct metric *duration_series(const char *method, const char *route)
{
    const char *values[] = {method, route};
    return metrics_series(
        metrics_histogram("sriov_http_request_duration_seconds", "method route",
                          "Time from a request's headers to the end of its "
                          "answer, without the time it was parked.",
                          metrics_seconds, metrics_seconds_count),
        values);
}

/* Two threads may both look a series up: they find the same. */
static void count_route(struct route *route, int status, double seconds)
{
    const char *method = http_method_name(route->spec->method);
    struct metric *requests = atomic_load(&route->requests[status]);
    if (!requests) {
        requests = requests_series(method, route->spec->path, status);
        atomic_store(&route->requests[status], requests);
    }
    struct metric *duration = atomic_load(&route->duration);
    if (!duration) {
        duration = duration_series(method, route->spec->path);
        atomic_store(&route->duration, duration);
    }
    metric_add(requests, 1);
    metric_observe(duration, seconds);
}

void count_request(const struct http_request *request)
{
    int64_t now = timestamp_monotonic();
    double seconds =
        (double)(now - request->begun_at - request->parked_ns) / 1e9;
    int status = request->status; /* 0: it went away before an answer */
    if (status < 0 || status >= ROUTE_STATUS_MAX)
        status = 0;
    if (request->route)
        count_route(request->route, status, seconds);
    else
        metric_add(requests_series("other", "unmatched", status), 1);
    log_debug("%s %s: %d in %.3f ms actor='%s' request_id=%s",
              request->method_text,
              request->route ? request->route->spec->path : "(no route)",
              status, seconds * 1e3, request->actor, request->id);
}
