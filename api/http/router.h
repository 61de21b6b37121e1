/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets and routes: decode, split, match. Pure functions on text;
 * private to api/http. Threads: any, the router is immutable. */
#pragma once

#include "api/http/server.h"
#include "common/base/metrics.h"

#include <stdatomic.h>

#define TARGET_SEGMENTS_MAX 12
#define TARGET_QUERY_MAX 32
#define ROUTE_PARAMS_MAX 4
#define ROUTE_STATUS_MAX 600

/* A request target, decoded. */
struct target {
    char *text; /* owns all texts below */
    size_t segment_count;
    const char *segments[TARGET_SEGMENTS_MAX];
    size_t query_count;
    struct {
        const char *name, *value;
    } query[TARGET_QUERY_MAX];
};
/* Origin form only ("/path?query"). INVALID for bad escapes, zero bytes and
 * other control characters (also encoded ones), text that is no UTF-8, too many
 * segments or parameters. 'target' must be zero; release it in any case. */
int target_parse(struct target *target, const char *raw, struct error *err);
void target_done(struct target *target);
const char *target_query(const struct target *target, const char *name);

struct route {
    const struct http_route *spec;
    char *text; /* owns the segments */
    size_t segment_count;
    const char *segments[TARGET_SEGMENTS_MAX]; /* "{name}" = a parameter */
    /* Series of this route, filled as statuses occur. */
    _Atomic(struct metric *) requests[ROUTE_STATUS_MAX];
    _Atomic(struct metric *) duration;
};
struct router {
    size_t count;
    struct route *routes;
};
/* INVALID: a route that can't be (a mistake of the program). */
int router_init(struct router *router, const struct http_route *routes,
                size_t count, struct error *err);
void router_done(struct router *router);

/* The route of a path and method. NULL: '*allowed' has a bit (1 << method) for
 * each method that the path has, 0 = no such path. */
struct route *router_find(const struct router *router,
                          const struct target *target, enum http_method method,
                          unsigned *allowed);
/* The decoded value of "{name}", or NULL. */
const char *route_param(const struct route *route, const struct target *target,
                        const char *name);
/* Is the word in a list with spaces between? */
bool route_list_has(const char *list, const char *word);

const char *http_method_name(enum http_method method);
/* HTTP_METHOD_MAX for an unknown one; HEAD is GET. */
enum http_method http_method_parse(const char *name);
