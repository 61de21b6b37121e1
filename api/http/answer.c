/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: what handlers give, and problem documents. Every answer carries the
 * request's id; answers of the interface are not for caches unless the handler
 * says so. */
#include "api/http/internal.h"
#include "api/wire/wire.h"

#include <string.h>

#define RETRY_AFTER_S "1"
#define HELD_MAX 64     /* answers that wait for each other */
#define ROOM_FIRST 2048 /* most answers fit without growing */

/* Add one "Name: value" line. */
static void add_line(struct MHD_Response *response, const char *line)
{
    const char *colon = strchr(line, ':');
    if (!colon)
        return;
    auto_free char *name = mem_dup(line, (size_t)(colon - line) + 1);
    name[colon - line] = '\0';
    const char *value = colon + 1;
    value += strspn(value, " ");
    MHD_add_response_header(response, name, value);
}

static struct MHD_Response *from_text(char *text, size_t length)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, text, free);
    if (!response)
        abort(); /* out of memory, as everywhere */
    return response;
}

static char *json_line(const json_t *value, size_t *length)
{
    struct str text = {0};
    str_reserve(&text, ROOM_FIRST);
    json_write(value, &text);
    str_add_bytes(&text, "\n", 1);
    *length = text.length;
    return str_take(&text);
}

/* What every answer carries. */
static void add_common(struct http_request *request,
                       struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", request->id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!MHD_get_response_header(response, "Cache-Control"))
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (request->closes || atomic_load(&request->server->stopping))
        MHD_add_response_header(response, "Connection", "close");
}

/* ---- handing over to the connections' threads -------------------------------- */

/* With the lock. */
static bool held_by_us(const struct http_server *server)
{
    return server->held.active &&
           pthread_equal(server->held.by, pthread_self());
}

static void take_held(struct http_server *server, struct list *to)
{
    while (!list_is_empty(&server->held.answered)) {
        struct list *node = server->held.answered.next;
        list_remove(node);
        list_append(to, node);
    }
    server->held.count = 0;
}

/* With the lock, which it lets go of: resume the connections of the requests in
 * the list. Their own threads send the answers; from then on those may free
 * the requests at any time, but the server not before 'resuming' is 0. Not under
 * the lock: it is a system call, and the threads that it wakes want the lock. */
static void resume_unlock(struct http_server *server, struct list *requests)
{
    atomic_fetch_add(&server->resuming, 1);
    pthread_mutex_unlock(&server->lock);
    while (!list_is_empty(requests)) {
        struct http_request *request =
            LIST_OWNER(requests->next, struct http_request, in_deferred);
        list_remove(&request->in_deferred);
        MHD_resume_connection(request->connection);
    }
    atomic_fetch_sub(&server->resuming, 1);
}

/* Give a response with all its headers to the request. */
static void give(struct http_request *request, int status,
                 struct MHD_Response *response)
{
    struct http_server *server = request->server;
    if (!request->deferred) {
        request->status = status;
        request->response = response;
        return;
    }
    pthread_mutex_lock(&server->lock);
    if (request->abandoned) {
        MHD_destroy_response(response);
        request_put_unlock(request);
        return;
    }
    request->status = status;
    request->response = response;
    request->deferred = false;
    request->refs--;
    list_remove(&request->in_deferred);
    struct list now;
    list_init(&now);
    if (held_by_us(server)) {
        list_append(&server->held.answered, &request->in_deferred);
        if (++server->held.count == HELD_MAX)
            take_held(server, &now);
    } else {
        list_append(&now, &request->in_deferred);
    }
    resume_unlock(server, &now);
}

void http_hold(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->held.active = true;
    server->held.by = pthread_self();
    pthread_mutex_unlock(&server->lock);
}

void http_release(struct http_server *server)
{
    struct list now;
    list_init(&now);
    pthread_mutex_lock(&server->lock);
    server->held.active = false;
    take_held(server, &now);
    resume_unlock(server, &now);
}

void answer_finish(struct http_request *request, int status,
                   struct MHD_Response *response)
{
    add_common(request, response);
    give(request, status, response);
}

void http_answer_json_text(struct http_request *request, int status,
                           struct str *body, const char *const *headers)
{
    str_add_bytes(body, "\n", 1);
    size_t length = body->length;
    struct MHD_Response *response = from_text(str_take(body), length);
    MHD_add_response_header(response, "Content-Type", "application/json");
    for (size_t i = 0; headers && headers[i]; i++)
        add_line(response, headers[i]);
    answer_finish(request, status, response);
}

void http_answer_json(struct http_request *request, int status, json_t *body,
                      const char *const *headers)
{
    struct str text = {0};
    if (body) {
        str_reserve(&text, ROOM_FIRST);
        json_write(body, &text);
        json_decref(body);
        http_answer_json_text(request, status, &text, headers);
        return;
    }
    struct MHD_Response *response = from_text(NULL, 0);
    for (size_t i = 0; headers && headers[i]; i++)
        add_line(response, headers[i]);
    answer_finish(request, status, response);
}

void http_answer_text(struct http_request *request, int status,
                      const char *content_type, char *text, size_t length)
{
    struct MHD_Response *response = from_text(text, length);
    MHD_add_response_header(response, "Content-Type", content_type);
    answer_finish(request, status, response);
}

static struct MHD_Response *make_problem(struct http_request *request,
                                         const struct error *err, json_t *extra,
                                         const char *header)
{
    json_t *problem = wire_problem(err, request->id);
    if (extra)
        json_object_update_missing(problem, extra);
    json_decref(extra);
    size_t length = 0;
    char *text = json_line(problem, &length);
    json_decref(problem);
    struct MHD_Response *response = from_text(text, length);
    MHD_add_response_header(response, "Content-Type",
                            "application/problem+json");
    if (error_code_http(err->code) == 503)
        MHD_add_response_header(response, "Retry-After", RETRY_AFTER_S);
    if (header[0])
        add_line(response, header);
    add_common(request, response);
    return response;
}

struct MHD_Response *answer_make_problem(struct http_request *request,
                                         const struct error *err)
{
    return make_problem(request, err, NULL, "");
}

void http_answer_error(struct http_request *request, const struct error *err,
                       json_t *extra)
{
    give(request, error_code_http(err->code),
         make_problem(request, err, extra, ""));
}

void answer_problem(struct http_request *request)
{
    give(request, error_code_http(request->problem.code),
         make_problem(request, &request->problem, NULL,
                      request->problem_header));
}

void answer_raw(struct http_request *request, struct str *out)
{
    json_t *problem = wire_problem(&request->problem, request->id);
    size_t length = 0;
    auto_free char *text = json_line(problem, &length);
    json_decref(problem);
    request->status = error_code_http(request->problem.code);
    str_printf(out,
               "HTTP/1.1 %d %s\r\nConnection: close\r\n"
               "Content-Type: application/problem+json\r\n"
               "Content-Length: %zu\r\nX-Request-Id: %s\r\n"
               "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
               request->status,
               MHD_get_reason_phrase_for((unsigned)request->status), length,
               request->id);
    if (request->problem_header[0])
        str_printf(out, "%s\r\n", request->problem_header);
    str_add(out, "\r\n");
    str_add_bytes(out, text, length);
}
