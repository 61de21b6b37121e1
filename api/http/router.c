/* SPDX-License-Identifier: Apache-2.0 */
/* Targets and routes: see router.h. Segments are decoded one by one after
 * splitting, so that an encoded slash stays inside of its segment and "%2e%2e"
 * is a name like any other: no path of ours is ever built from them. */
#include "api/http/router.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <string.h>

static const char *const method_names[HTTP_METHOD_MAX] = {
    [HTTP_GET] = "GET",     [HTTP_PUT] = "PUT",       [HTTP_POST] = "POST",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

const char *http_method_name(enum http_method method)
{
    return method < HTTP_METHOD_MAX ? method_names[method] : "other";
}

enum http_method http_method_parse(const char *name)
{
    if (strcmp(name, "HEAD") == 0)
        return HTTP_GET;
    unsigned method = 0;
    while (method < HTTP_METHOD_MAX && strcmp(name, method_names[method]) != 0)
        method++;
    return (enum http_method)method;
}

/* ---- targets ------------------------------------------------------------------ */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* How many bytes follow the first of a UTF-8 sequence; -1 = none begins so. */
static int utf8_tail(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xc2 && first < 0xe0)
        return 1;
    if (first >= 0xe0 && first < 0xf0)
        return 2;
    return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

static bool is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        unsigned char first = *c++;
        int tail = utf8_tail(first);
        if (tail < 0)
            return false;
        /* Overlong forms, surrogates, beyond U+10FFFF (RFC 3629, section 4). */
        if ((first == 0xe0 && *c < 0xa0) || (first == 0xed && *c > 0x9f) ||
            (first == 0xf0 && *c < 0x90) || (first == 0xf4 && *c > 0x8f))
            return false;
        for (; tail > 0; tail--, c++) {
            if ((*c & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

/* Decode in place. */
static int decode(char *text, bool is_query, struct error *err)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        int c = (unsigned char)*in;
        if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0)
                return error_set(err, ERROR_INVALID,
                                 "a '%%' in the URL is not followed by two "
                                 "hexadecimal digits");
            c = high * 16 + low;
            in += 2;
        } else if (c == '+' && is_query) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f)
            return error_set(err, ERROR_INVALID,
                             "the URL holds a control character (0x%02x)", c);
        *out++ = (char)c;
    }
    *out = '\0';
    if (!is_utf8(text))
        return error_set(err, ERROR_INVALID, "the URL is not UTF-8");
    return 0;
}

static int parse_query(struct target *target, char *rest, struct error *err)
{
    while (rest) {
        char *name = strsep(&rest, "&");
        if (!name[0])
            continue;
        if (target->query_count == TARGET_QUERY_MAX)
            return error_set(err, ERROR_INVALID,
                             "more than %d query parameters", TARGET_QUERY_MAX);
        char *value = strchr(name, '=');
        if (value)
            *value++ = '\0';
        else
            value = name + strlen(name);
        if (decode(name, true, err) || (value[0] && decode(value, true, err)))
            return -1;
        target->query[target->query_count].name = name;
        target->query[target->query_count++].value = value;
    }
    return 0;
}

int target_parse(struct target *target, const char *raw, struct error *err)
{
    if (raw[0] != '/')
        return error_set(err, ERROR_INVALID,
                         "the request target does not begin with '/'");
    target->text = mem_strdup(raw);
    char *query = strchr(target->text, '?');
    if (query)
        *query++ = '\0';
    char *rest = target->text + 1;
    while (rest) {
        if (target->segment_count == TARGET_SEGMENTS_MAX)
            return error_set(err, ERROR_INVALID,
                             "the path has more than %d parts",
                             TARGET_SEGMENTS_MAX);
        char *segment = strsep(&rest, "/");
        if (decode(segment, false, err))
            return -1;
        target->segments[target->segment_count++] = segment;
    }
    return parse_query(target, query, err);
}

void target_done(struct target *target)
{
    free(target->text);
    *target = (struct target){0};
}

const char *target_query(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->query_count; i++) {
        if (strcmp(target->query[i].name, name) == 0)
            return target->query[i].value;
    }
    return NULL;
}

/* ---- routes ----------------------------------------------------------------------- */

static int route_init(struct route *route, const struct http_route *spec,
                      struct error *err)
{
    route->spec = spec;
    if (spec->path[0] != '/' || spec->method >= HTTP_METHOD_MAX)
        return error_set(err, ERROR_INVALID, "not a route: '%s'", spec->path);
    route->text = mem_strdup(spec->path + 1);
    size_t params = 0;
    for (char *rest = route->text; rest;) {
        if (route->segment_count == TARGET_SEGMENTS_MAX)
            return error_set(err, ERROR_INVALID, "the route '%s' is too long",
                             spec->path);
        const char *segment = strsep(&rest, "/");
        params += segment[0] == '{';
        route->segments[route->segment_count++] = segment;
    }
    if (params > ROUTE_PARAMS_MAX)
        return error_set(err, ERROR_INVALID,
                         "the route '%s' has too many parameters", spec->path);
    return 0;
}

int router_init(struct router *router, const struct http_route *routes,
                size_t count, struct error *err)
{
    router->routes = mem_calloc(count, sizeof *router->routes);
    for (; router->count < count; router->count++) {
        struct route *route = &router->routes[router->count];
        if (route_init(route, &routes[router->count], err)) {
            router->count++;
            return -1;
        }
    }
    return 0;
}

void router_done(struct router *router)
{
    for (size_t i = 0; i < router->count; i++)
        free(router->routes[i].text);
    free(router->routes);
    *router = (struct router){0};
}

static bool matches(const struct route *route, const struct target *target)
{
    if (route->segment_count != target->segment_count)
        return false;
    for (size_t i = 0; i < route->segment_count; i++) {
        bool fits = route->segments[i][0] == '{'
                        ? target->segments[i][0] != '\0'
                        : strcmp(route->segments[i], target->segments[i]) == 0;
        if (!fits)
            return false;
    }
    return true;
}

struct route *router_find(const struct router *router,
                          const struct target *target, enum http_method method,
                          unsigned *allowed)
{
    *allowed = 0;
    for (size_t i = 0; i < router->count; i++) {
        struct route *route = &router->routes[i];
        if (!matches(route, target))
            continue;
        if (route->spec->method == method)
            return route;
        *allowed |= 1u << route->spec->method;
    }
    return NULL;
}

const char *route_param(const struct route *route, const struct target *target,
                        const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; route && i < route->segment_count; i++) {
        const char *segment = route->segments[i];
        if (segment[0] == '{' && strncmp(segment + 1, name, length) == 0 &&
            strcmp(segment + 1 + length, "}") == 0)
            return target->segments[i];
    }
    return NULL;
}

bool route_list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; length && (at = strstr(at, word)) != NULL;
         at += length) {
        bool starts = at == list || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}
