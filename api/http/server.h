/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: a route table in, handlers out; limits, identities, roles,
 * problem documents, request ids, parking of long-polls. The only folder that
 * knows libmicrohttpd.
 *
 * A handler gets a whole request (body complete, limits checked, identity
 * known, role allowed, query parameters known) on one of the server's threads.
 * It must not block: it answers at once from a snapshot, or gives the request
 * to another thread and returns (http_defer), which answers later.
 *
 * Threads: http_answer* from any thread, once per request; after it the request
 * must not be touched.
 */
#pragma once

#include "common/base/error.h"
#include "common/model/vm.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct http_server;
struct http_request;
struct str;

enum http_method {
    HTTP_GET,
    HTTP_PUT,
    HTTP_POST,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_METHOD_MAX
};

struct http_route {
    enum http_method method;
    const char *path;  /* "/v1/hosts/{host}/pfs/{pf}": at most 4 parameters */
    enum role role;    /* the least role; ROLE_NONE = anybody, no token needed;
                       ROLE_AGENT = agents (and nobody else) */
    const char *query; /* allowed parameters, "limit marker", "" = none */
    size_t body_max;   /* 0 = no body is taken */
    void (*handle)(void *context, struct http_request *request);
};

struct http_config {
    const char *listen;       /* "127.0.0.1:8470", "[::1]:0" */
    bool insecure_listen;     /* allow plain HTTP off loopback */
    unsigned threads;         /* 1 to 64 */
    unsigned connections_max; /* in all; shared out among the threads */
    unsigned idle_timeout_s;  /* connections with no progress are closed */
    unsigned header_max; /* bytes per connection for request line + headers */
    const struct http_route *routes;
    size_t route_count;
    void *context; /* for handle and identify */
    /* Whose token is this? Called for each request with a bearer token; 'name'
     * gets the actor. */
    enum role (*identify)(void *context, const char *token,
                          char name[NAME_SIZE]);
};
/* INVALID or RANGE: what is wrong with the configuration; IO: the address is
 * taken or not ours. Raises the process' limit of open files for
 * 'connections_max', and takes fewer connections where it may not. When places
 * run short, connections that have been idle or incomplete for longest go first;
 * the head of a request has 'idle_timeout_s' in all, and a body must come with
 * 1 KiB/s after that. */
struct http_server *http_start(const struct http_config *config,
                               struct error *err);
/* "127.0.0.1:43817": what it really listens on (port 0 = any free one). */
const char *http_address(const struct http_server *server);
/* Refuse new connections, wake the parked (as if timed out), let requests in
 * flight end. Who has no answer after 'deadline_ms' gets a 503; a thread that
 * still answers such a request later does no harm. Then free. */
void http_stop(struct http_server *server, int deadline_ms);

/* ---- the request ----------------------------------------------------------- */
const char *http_param(const struct http_request *request, const char *name);
const char *http_query(const struct http_request *request,
                       const char *name); /* NULL = not given */
const char *http_header(const struct http_request *request, const char *name);
const char *http_body(const struct http_request *request, size_t *length);
/* The body as a JSON object, parsed once; NULL + err (MALFORMED_JSON). */
const json_t *http_json(struct http_request *request, struct error *err);
/* The body is not needed any more: it and its JSON go now, and not on the
 * connection's thread. */
void http_drop_body(struct http_request *request);
const char *http_request_id(const struct http_request *request);
const char *http_actor(const struct http_request *request);
enum role http_role(const struct http_request *request);

/* ---- the answer ------------------------------------------------------------ */
/* Extra headers are "Name: value" lines; NULL-terminated list or NULL. */
/* 'body' is taken and left empty: JSON as text. */
void http_answer_json_text(struct http_request *request, int status,
                           struct str *body, const char *const *headers);
void http_answer_json(struct http_request *request, int status,
                      json_t *body /* taken */, const char *const *headers);
void http_answer_text(struct http_request *request, int status,
                      const char *content_type, char *text /* taken */,
                      size_t length);
/* application/problem+json from an error; 'extra' (taken, may be NULL) is an
 * object merged in ("reasons"). 503 gets Retry-After. */
void http_answer_error(struct http_request *request, const struct error *err,
                       json_t *extra);
/* The handler will answer later from another thread: call before handing the
 * request over. */
void http_defer(struct http_request *request);

/* Between these two the calling thread's answers to deferred requests are kept
 * and then sent together: whoever answers many in a row is not interrupted by
 * each. One thread at a time. */
void http_hold(struct http_server *server);
void http_release(struct http_server *server);

/* ---- parking: long-polls and event streams ---------------------------------- */
/* Park the request under 'key' until http_wake(key) or 'timeout_ms'; then
 * 'resume' is called on a server thread and must answer or park again. Parking
 * checks 'still_wait' under the lock that http_wake takes, so no wake is lost:
 * if it returns false, 'resume' is called at once. */
void http_park(struct http_request *request, const char *key, int timeout_ms,
               bool (*still_wait)(void *context, struct http_request *request),
               void (*resume)(void *context, struct http_request *request,
                              bool timed_out));
void http_wake(struct http_server *server, const char *key);
size_t http_parked(struct http_server *server); /* for metrics */

/* A stream (text/event-stream): begins the answer; 'next' is called on a server
 * thread whenever there may be more; it appends to 'out' (as much as it likes)
 * or nothing, to be called again after http_wake(key) or 15 s; returns false to
 * end the stream. 'state' is freed by free() at the end. */
void http_answer_stream(struct http_request *request, const char *key,
                        bool (*next)(void *context, void *state,
                                     struct str *out),
                        void *state);
