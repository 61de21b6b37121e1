/* SPDX-License-Identifier: Apache-2.0 */
/* A small site behind a real server on a free port of loopback, for the tests of
 * api/http: one route of each kind. */
#pragma once

#include "api/http/server.h"
#include "common/base/queue.h"
#include "common/base/timestamp.h"
#include "tests/unit/api/http/peer.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define BODY_MAX 1000
#define REPORT_MAX 4000000
#define STOP_MS 60000 /* as long as Check lets a test run */

/* Sanitizers make tests slower than Check's 4 s. */
static __attribute__((constructor)) void allow_time(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
}

static struct {
    struct http_server *server;
    atomic_int version; /* what long-polls and streams wait for */
    struct queue *later;
    pthread_t worker;
    atomic_bool holds;   /* the worker sits on its requests */
    atomic_bool bundles; /* the worker answers between hold and release */
    atomic_bool keeps;   /* and sits before the release */
    atomic_int answered; /* by the worker */
    atomic_int sneaks;   /* events that come while a stream looks for some */
    atomic_int deferred; /* requests handed to the worker */
} site;

static void answer_ok(void *context, struct http_request *request)
{
    (void)context;
    http_answer_json(request, 200,
                     json_pack("{s:s, s:s, s:s}", "actor", http_actor(request),
                               "role", role_name(http_role(request)), "query",
                               http_query(request, "marker")
                                   ? http_query(request, "marker")
                                   : "-"),
                     NULL);
}

static void answer_echo(void *context, struct http_request *request)
{
    (void)context;
    struct error err;
    const json_t *body = http_json(request, &err);
    if (!body) {
        http_answer_error(request, &err, NULL);
        return;
    }
    const char *headers[] = {"Location: /v1/things/1", "ETag: \"7\"", NULL};
    http_answer_json(request, 201, json_deep_copy(body), headers);
}

static void answer_size(void *context, struct http_request *request)
{
    (void)context;
    size_t length = 0;
    http_body(request, &length);
    http_answer_json(request, 200,
                     json_pack("{s:I}", "size", (json_int_t)length), NULL);
}

static void answer_params(void *context, struct http_request *request)
{
    (void)context;
    http_answer_json(request, 200,
                     json_pack("{s:s, s:s}", "thing",
                               http_param(request, "thing"), "part",
                               http_param(request, "part")),
                     NULL);
}

static void answer_problem_with_reasons(void *context,
                                        struct http_request *request)
{
    (void)context;
    struct error err;
    error_fill(&err, ERROR_NO_VALID_HOST, 0, "ports[0]", "no host fits");
    http_answer_error(request, &err,
                      json_pack("{s:[s]}", "reasons", "policy_unsupported"));
}

static void answer_busy(void *context, struct http_request *request)
{
    (void)context;
    struct error err;
    error_fill(&err, ERROR_BUSY, 0, "", "the queue is full");
    http_answer_error(request, &err, NULL);
}

static void answer_never(void *context, struct http_request *request)
{
    (void)context;
    (void)request;
}

static void answer_later(void *context, struct http_request *request)
{
    (void)context;
    http_defer(request);
    ck_assert(queue_put(site.later, 0, request));
    atomic_fetch_add(&site.deferred, 1);
}

static bool is_old(void *context, struct http_request *request)
{
    (void)context;
    return atoi(http_query(request, "after")) >= atomic_load(&site.version);
}

static void answer_version(void *context, struct http_request *request,
                           bool timed_out)
{
    (void)context;
    http_answer_json(
        request, timed_out ? 204 : 200,
        timed_out ? NULL
                  : json_pack("{s:i}", "version", atomic_load(&site.version)),
        NULL);
}

static void answer_wait(void *context, struct http_request *request)
{
    (void)context;
    http_park(request, http_param(request, "key"),
              atoi(http_query(request, "ms")), is_old, answer_version);
}

struct cursor {
    int seen;
};

static bool next_event(void *context, void *state, struct str *out)
{
    (void)context;
    struct cursor *cursor = state;
    int version = atomic_load(&site.version);
    while (cursor->seen < version)
        str_printf(out, "id: %d\ndata: {}\n\n", ++cursor->seen);
    if (!out->length && atomic_load(&site.sneaks) > 0) {
        atomic_fetch_sub(&site.sneaks, 1);
        atomic_fetch_add(&site.version, 1);
        http_wake(site.server, "events");
    }
    if (cursor->seen < 1000)
        return true;
    return false;
}

static void answer_events(void *context, struct http_request *request)
{
    (void)context;
    http_answer_stream(request, "events", next_event, mem_new(struct cursor));
}

static const struct http_route site_routes[] = {
    {HTTP_GET, "/v1/open", ROLE_NONE, "", 0, answer_ok},
    {HTTP_GET, "/v1/things", ROLE_VIEWER, "limit marker", 0, answer_ok},
    {HTTP_POST, "/v1/things", ROLE_OPERATOR, "", BODY_MAX, answer_echo},
    {HTTP_GET, "/v1/things/{thing}/parts/{part}", ROLE_NONE, "", 0,
     answer_params},
    {HTTP_DELETE, "/v1/things/{thing}", ROLE_ADMIN, "", 0, answer_ok},
    {HTTP_PUT, "/v1/report", ROLE_AGENT, "", REPORT_MAX, answer_size},
    {HTTP_GET, "/v1/reasons", ROLE_NONE, "", 0, answer_problem_with_reasons},
    {HTTP_GET, "/v1/busy", ROLE_NONE, "", 0, answer_busy},
    {HTTP_GET, "/v1/never", ROLE_NONE, "", 0, answer_never},
    {HTTP_GET, "/v1/later", ROLE_NONE, "", 0, answer_later},
    {HTTP_GET, "/v1/wait/{key}", ROLE_NONE, "after ms", 0, answer_wait},
    {HTTP_GET, "/v1/events", ROLE_NONE, "", 0, answer_events},
};

/* "operator-x" is a token of the operator "x". */
static enum role identify(void *context, const char *token,
                          char name[NAME_SIZE])
{
    (void)context;
    for (enum role role = ROLE_VIEWER; role < ROLE_MAX; role++) {
        const char *start = role_name(role);
        if (!str_starts(token, start) || token[strlen(start)] != '-')
            continue;
        str_copy_bounded(name, NAME_SIZE, token + strlen(start) + 1);
        return role;
    }
    return ROLE_NONE;
}

static void *work(void *context)
{
    (void)context;
    void *items[128];
    struct error err;
    error_fill(&err, ERROR_CONFLICT, 0, "later", "decided by the worker");
    while (!queue_is_closed(site.later) || queue_length(site.later, 0)) {
        size_t count = queue_take(site.later, items, 128, 100);
        while (atomic_load(&site.holds))
            usleep(1000);
        bool bundles = count && atomic_load(&site.bundles);
        if (bundles)
            http_hold(site.server);
        for (size_t i = 0; i < count; i++)
            http_answer_error(items[i], &err, NULL);
        atomic_fetch_add(&site.answered, (int)count);
        while (bundles && atomic_load(&site.keeps))
            usleep(1000);
        if (bundles)
            http_release(site.server);
    }
    return NULL;
}

static inline void site_start_with(unsigned threads, unsigned connections,
                                   unsigned idle_s)
{
    const struct http_config config = {
        .listen = "127.0.0.1:0",
        .threads = threads,
        .connections_max = connections,
        .idle_timeout_s = idle_s,
        .header_max = 16384,
        .routes = site_routes,
        .route_count = sizeof site_routes / sizeof *site_routes,
        .identify = identify,
    };
    struct error err;
    site.later = queue_new(1, 1000);
    atomic_store(&site.version, 0);
    atomic_store(&site.deferred, 0);
    atomic_store(&site.answered, 0);
    atomic_store(&site.holds, false);
    atomic_store(&site.bundles, false);
    atomic_store(&site.keeps, false);
    site.server = http_start(&config, &err);
    ck_assert_msg(site.server != NULL, "%s", err.msg);
    ck_assert_int_eq(pthread_create(&site.worker, NULL, work, NULL), 0);
}

static inline void site_start(void)
{
    site_start_with(2, 256, 10);
}

static inline void site_end_worker(void)
{
    atomic_store(&site.holds, false);
    queue_close(site.later);
    pthread_join(site.worker, NULL);
    queue_free(site.later);
}

static inline void site_stop(void)
{
    http_stop(site.server, STOP_MS);
    site_end_worker();
}

static inline int site_connect(void)
{
    return peer_connect(http_address(site.server));
}

/* One exchange on a connection of its own. */
static inline struct reply site_ask(const char *text)
{
    int fd = site_connect();
    ck_assert(peer_send(fd, text));
    struct reply reply = peer_read(fd, false);
    close(fd);
    return reply;
}

#define TAIL " HTTP/1.1\r\nHost: x\r\n"
#define AS(role) "Authorization: Bearer " role "-anna\r\n"

/* The answer is a problem document with this status and code, all members of
 * every problem document, and the request's id. */
static inline json_t *check_problem(const struct reply *reply, int status,
                                    const char *code)
{
    char value[128];
    ck_assert_msg(reply->status == status, "status %d, not %d: %s",
                  reply->status, status, reply->body);
    ck_assert_str_eq(reply_header(reply, "Content-Type", value, sizeof value),
                     "application/problem+json");
    json_t *problem = json_loads(reply->body, 0, NULL);
    ck_assert_ptr_nonnull(problem);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "code")), code);
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "status")),
                     status);
    ck_assert_ptr_nonnull(json_object_get(problem, "type"));
    ck_assert_ptr_nonnull(json_object_get(problem, "title"));
    ck_assert_ptr_nonnull(json_object_get(problem, "detail"));
    if (status < 500)
        ck_assert_msg(json_object_get(problem, "field") ||
                          json_object_get(problem, "remedy"),
                      "neither field nor remedy: %s", reply->body);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "request_id")),
                     reply_header(reply, "X-Request-Id", value, sizeof value));
    ck_assert_int_eq(reply->body[reply->length - 1], '\n');
    return problem;
}

/* Ask, and expect this problem. */
static inline void refused(const char *text, int status, const char *code)
{
    struct reply reply = site_ask(text);
    json_decref(check_problem(&reply, status, code));
    reply_done(&reply);
}
