/* SPDX-License-Identifier: Apache-2.0 */
/* What can be said of a request before its body: target, route, method,
 * identity, role, query parameters, type and size of the body, in this order. */
#include "api/http/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int check_route(struct http_request *request, const char *method,
                       struct error *err)
{
    unsigned allowed = 0;
    request->method = http_method_parse(method);
    request->route = router_find(&request->server->router, &request->target,
                                 request->method, &allowed);
    if (request->route)
        return 0;
    if (!allowed) {
        error_fill(err, ERROR_NOT_FOUND, 0, "", "there is no such path");
        error_remedy(err, "GET /openapi.yaml lists the paths");
        return -1;
    }
    auto_str struct str names = {0};
    for (unsigned i = 0; i < HTTP_METHOD_MAX; i++) {
        if (allowed & (1u << i))
            str_printf(&names, "%s%s%s", names.length ? ", " : "",
                       http_method_name((enum http_method)i),
                       i == HTTP_GET ? ", HEAD" : "");
    }
    snprintf(request->problem_header, sizeof request->problem_header,
             "Allow: %s", str_text(&names));
    error_fill(err, ERROR_METHOD_NOT_ALLOWED, 0, "",
               "this path takes %s, not %s", str_text(&names),
               request->method_text);
    error_remedy(err, "use %s; GET /openapi.yaml tells what each does",
                 str_text(&names));
    return -1;
}

/* ---- identity ----------------------------------------------------------------------- */

static const char *bearer_token(const struct http_request *request)
{
    const char *value = http_header(request, "Authorization");
    if (!value || strncasecmp(value, "Bearer", 6) != 0 || value[6] != ' ')
        return NULL;
    value += 6 + strspn(value + 6, " ");
    return value[0] ? value : NULL;
}

static int unauthenticated(struct http_request *request, const char *reason,
                           const char *message, struct error *err)
{
    snprintf(request->problem_header, sizeof request->problem_header,
             "WWW-Authenticate: Bearer realm=\"sriov\"%s", reason);
    error_fill(err, ERROR_UNAUTHENTICATED, 0, "", "%s", message);
    error_remedy(err, "send 'Authorization: Bearer TOKEN'; sriov-admin takes "
                      "it from --token-file or SRIOV_TOKEN_FILE");
    return -1;
}

static bool may(enum role role, enum role needed)
{
    if (needed == ROLE_NONE || role == needed)
        return true;
    return needed != ROLE_AGENT && role != ROLE_AGENT && role > needed;
}

static int check_identity(struct http_request *request, struct error *err)
{
    const struct http_config *config = &request->server->config;
    enum role needed = request->route->spec->role;
    const char *token = bearer_token(request);
    if (token && config->identify)
        request->role =
            config->identify(config->context, token, request->actor);
    if (needed == ROLE_NONE)
        return 0;
    if (!token)
        return unauthenticated(request, "", "this path needs a bearer token",
                               err);
    if (request->role == ROLE_NONE)
        return unauthenticated(request, ", error=\"invalid_token\"",
                               "the bearer token is not known here", err);
    if (may(request->role, needed))
        return 0;
    error_fill(err, ERROR_FORBIDDEN, 0, "",
               "this needs the role '%s'; '%s' has the role '%s'",
               role_name(needed), request->actor, role_name(request->role));
    error_remedy(err, "use a token of role '%s'%s", role_name(needed),
                 needed == ROLE_AGENT ? ": sriov-admin host enroll makes one"
                                      : " or more");
    return -1;
}

/* ---- parameters and body -------------------------------------------------------------- */

static int check_query(const struct http_request *request, struct error *err)
{
    const struct target *target = &request->target;
    const char *known = request->route->spec->query;
    for (size_t i = 0; i < target->query_count; i++) {
        const char *name = target->query[i].name;
        if (!known || !route_list_has(known, name) || strchr(name, ' ')) {
            error_fill(err, ERROR_UNKNOWN_PARAMETER, 0, name,
                       "unknown query parameter '%.64s'", name);
            if (known && known[0])
                error_remedy(err, "this path knows: %s", known);
            else
                error_remedy(err, "this path takes no query parameters");
            return -1;
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(target->query[j].name, name) == 0)
                return error_set_field(err, ERROR_INVALID, name,
                                       "query parameter '%s' is given twice",
                                       name);
        }
    }
    return 0;
}

static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    if (!type || strncasecmp(type, json, sizeof json - 1) != 0)
        return false;
    const char *rest = type + sizeof json - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

static int check_body(struct http_request *request, struct error *err)
{
    const struct http_route *spec = request->route->spec;
    if (!request->chunked && !request->body_length)
        return 0;
    if (!spec->body_max) {
        error_fill(err, ERROR_TOO_LARGE, 0, "", "%s %s takes no body",
                   request->method_text, spec->path);
        error_remedy(err, "send it without a body");
        return -1;
    }
    const char *type = http_header(request, "Content-Type");
    if (!is_json_type(type)) {
        error_fill(err, ERROR_UNSUPPORTED_MEDIA_TYPE, 0, "",
                   "the body's Content-Type is %s%.64s%s", type ? "'" : "",
                   type ? type : "missing", type ? "'" : "");
        error_remedy(err, "send 'Content-Type: application/json'");
        return -1;
    }
    if (request->body_length > spec->body_max) {
        error_fill(err, ERROR_TOO_LARGE, 0, "",
                   "the body has %" PRIu64 " bytes; this path takes at most "
                   "%zu",
                   request->body_length, spec->body_max);
        error_remedy(err, "send at most %zu bytes", spec->body_max);
        return -1;
    }
    return 0;
}

static int check_headers(const struct http_request *request, struct error *err)
{
    if (request->headers.length <= request->server->config.header_max)
        return 0;
    error_fill(err, ERROR_TOO_LARGE, 0, "",
               "the headers have more than %u bytes",
               request->server->config.header_max);
    error_remedy(err, "send fewer or shorter headers");
    return -1;
}

/* Whoever stands between us and the client must see the same end of a body as we
 * do (RFC 9112, section 6.3): what could be read in two ways is refused, and the
 * connection ends, because we can't know where its next request begins. */
static int check_framing(struct http_request *request, struct error *err)
{
    size_t lengths = request_count_headers(request, "Content-Length");
    size_t encodings = request_count_headers(request, "Transfer-Encoding");
    if (lengths + encodings <= 1 &&
        (!encodings ||
         strcasecmp(http_header(request, "Transfer-Encoding"), "chunked") == 0))
        return 0;
    request->closes = true;
    error_fill(err, ERROR_INVALID, 0, "", "the size of the body is not clear");
    error_remedy(err, "send one Content-Length, or 'Transfer-Encoding: "
                      "chunked' alone");
    return -1;
}

static int check_all(struct http_request *request, const char *method,
                     struct error *err)
{
    if (check_framing(request, err))
        return -1;
    if (request->target_error.code != ERROR_NONE) {
        *err = request->target_error;
        error_remedy(err, "send an absolute path and query in UTF-8, with what "
                          "is not plain as %%XX");
        return -1;
    }
    if (check_headers(request, err) || check_route(request, method, err) ||
        check_identity(request, err) || check_query(request, err))
        return -1;
    return check_body(request, err);
}

void request_check(struct http_request *request, const char *method)
{
    str_copy(request->method_text, method);
    const char *length = http_header(request, "Content-Length");
    request->chunked = http_header(request, "Transfer-Encoding") != NULL;
    /* libmicrohttpd has refused what is no number; too large a one is cut. */
    if (length && !request->chunked &&
        !str_to_u64(length, 10, UINT64_MAX, &request->body_length))
        request->body_length = UINT64_MAX;
    struct error problem;
    if (check_all(request, method, &problem)) {
        request->refused = true;
        request->problem = problem;
    }
}
