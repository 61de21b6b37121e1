/* SPDX-License-Identifier: Apache-2.0 */
/* The request as handlers see it, and its making and end. */
#include "api/http/internal.h"
#include "common/base/json.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct http_request *request_new(struct http_server *server, const char *raw,
                                 struct MHD_Connection *connection)
{
    struct http_request *request = mem_new(struct http_request);
    atomic_fetch_add(&server->refs, 1);
    request->server = server;
    request->connection = connection;
    request->refs = 1;
    request->method = HTTP_METHOD_MAX;
    target_parse(&request->target, raw, &request->target_error);
    return request;
}

void request_put_unlock(struct http_request *request)
{
    struct http_server *server = request->server;
    bool last = --request->refs == 0;
    pthread_mutex_unlock(&server->lock);
    if (!last)
        return;
    if (request->response)
        MHD_destroy_response(request->response);
    target_done(&request->target);
    str_done(&request->headers);
    str_done(&request->body);
    json_decref(request->json);
    free(request);
    server_put(server);
}

/* ---- headers --------------------------------------------------------------------- */

static enum MHD_Result add_header(void *context, enum MHD_ValueKind kind,
                                  const char *name, const char *value)
{
    (void)kind;
    struct http_request *request = context;
    if (!value)
        value = "";
    str_add_bytes(&request->headers, name, strlen(name) + 1);
    str_add_bytes(&request->headers, value, strlen(value) + 1);
    return MHD_YES;
}

static bool is_request_id(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length < REQUEST_ID_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == length;
}

static void make_id(char id[REQUEST_ID_SIZE])
{
    uint64_t number[2] = {0};
    /* Unique is enough: nothing relies on ids being secret, and if the
     * generator fails the answer matters more than its id. */
    gnutls_rnd(GNUTLS_RND_NONCE, number, sizeof number);
    *str_put_hex(str_put_hex(id, number[0], 16), number[1], 16) = '\0';
}

void request_take_headers(struct http_request *request)
{
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header,
                              request);
    const char *id = http_header(request, "X-Request-Id");
    if (id && is_request_id(id))
        str_copy(request->id, id);
    else
        make_id(request->id);
}

/* ---- what handlers ask ------------------------------------------------------------- */

/* The value of the header after '*at' in the list, which moves on behind it. */
static const char *next_header(const struct http_request *request,
                               const char **at, const char *name)
{
    const char *end = str_text(&request->headers) + request->headers.length;
    while (*at < end) {
        const char *found = *at;
        const char *value = found + strlen(found) + 1;
        *at = value + strlen(value) + 1;
        if (strcasecmp(found, name) == 0)
            return value;
    }
    return NULL;
}

const char *http_header(const struct http_request *request, const char *name)
{
    const char *at = str_text(&request->headers);
    return next_header(request, &at, name);
}

size_t request_count_headers(const struct http_request *request,
                             const char *name)
{
    const char *at = str_text(&request->headers);
    size_t count = 0;
    while (next_header(request, &at, name))
        count++;
    return count;
}

const char *http_param(const struct http_request *request, const char *name)
{
    return route_param(request->route, &request->target, name);
}

const char *http_query(const struct http_request *request, const char *name)
{
    return target_query(&request->target, name);
}

const char *http_body(const struct http_request *request, size_t *length)
{
    if (length)
        *length = request->body.length;
    return str_text(&request->body);
}

const json_t *http_json(struct http_request *request, struct error *err)
{
    if (!request->json_tried) {
        request->json_tried = true;
        if (!request->body.length) {
            error_fill(&request->json_error, ERROR_MALFORMED_JSON, 0, "",
                       "the body is empty: a JSON object is needed");
        } else {
            request->json =
                json_parse(str_text(&request->body), request->body.length,
                           &request->json_error);
            if (request->json && !json_is_object(request->json)) {
                error_fill(&request->json_error, ERROR_INVALID, 0, "",
                           "the body is not a JSON object");
                json_decref(request->json);
                request->json = NULL;
            }
        }
        error_remedy(&request->json_error, "send one JSON object in UTF-8");
    }
    if (!request->json && err)
        *err = request->json_error;
    return request->json;
}

void http_drop_body(struct http_request *request)
{
    str_done(&request->body);
    json_decref(request->json);
    request->json = NULL;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

const char *http_actor(const struct http_request *request)
{
    return request->actor;
}

enum role http_role(const struct http_request *request)
{
    return request->role;
}
