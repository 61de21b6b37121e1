/* SPDX-License-Identifier: Apache-2.0 */
/* Targets taken apart, and routes found for them. */
#include "api/http/router.h"
#include "common/base/mem.h"
#include "tests/unit/check_main.h"

#include <string.h>

static void handle(void *context, struct http_request *request)
{
    (void)context;
    (void)request;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/v1/hosts", ROLE_VIEWER, "", 0, handle},
    {HTTP_GET, "/v1/hosts/{host}", ROLE_VIEWER, "", 0, handle},
    {HTTP_PATCH, "/v1/hosts/{host}", ROLE_OPERATOR, "", 100, handle},
    {HTTP_GET, "/v1/hosts/{host}/pfs/{pf}", ROLE_VIEWER, "", 0, handle},
    {HTTP_GET, "/", ROLE_NONE, "", 0, handle},
    {HTTP_GET, "/ui/", ROLE_NONE, "", 0, handle},
};

static bool parses(const char *raw, struct target *target)
{
    struct error err;
    *target = (struct target){0};
    return target_parse(target, raw, &err) == 0;
}

/* The path of the route that serves a target; "" = none. */
static const char *found(enum http_method method, const char *raw)
{
    struct router router = {0};
    struct target target;
    struct error err;
    unsigned allowed = 0;
    ck_assert_int_eq(
        router_init(&router, routes, sizeof routes / sizeof *routes, &err), 0);
    ck_assert(parses(raw, &target));
    const struct route *route = router_find(&router, &target, method, &allowed);
    const char *path = route ? route->spec->path : "";
    target_done(&target);
    router_done(&router);
    return path;
}

START_TEST(a_target_comes_apart_decoded)
{
    struct target target;
    ck_assert(parses("/a%20b/%C3%A9/?x=1&y=a%26b&&z&x+y=%2B+", &target));
    ck_assert_uint_eq(target.segment_count, 3);
    ck_assert_str_eq(target.segments[0], "a b");
    ck_assert_str_eq(target.segments[1], "\xc3\xa9");
    ck_assert_str_eq(target.segments[2], "");
    ck_assert_str_eq(target_query(&target, "x"), "1");
    ck_assert_str_eq(target_query(&target, "y"), "a&b");
    ck_assert_str_eq(target_query(&target, "z"), "");
    ck_assert_str_eq(target_query(&target, "x y"), "+ ");
    ck_assert_ptr_null(target_query(&target, "w"));
    target_done(&target);
}
END_TEST

START_TEST(what_can_not_be_decoded_is_refused)
{
    const char *const bad[] = {"",
                               "*",
                               "x",
                               "http://h/p",
                               "/%",
                               "/%1",
                               "/%g0",
                               "/%0g",
                               "/%00",
                               "/%1f",
                               "/%7F",
                               "/\x01",
                               "/\xff",
                               "/%c3",
                               "/%c3%28",
                               "/%c0%80",
                               "/%e0%80%80",
                               "/%ed%a0%80",
                               "/%f5%80%80%80",
                               "/%f4%90%80%80",
                               "/%f0%80%80%80",
                               "/?%",
                               "/?a=%",
                               "/?%00=1",
                               "/1/2/3/4/5/6/7/8/9/10/11/12/13"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct target target;
        ck_assert_msg(!parses(bad[i], &target), "'%s'", bad[i]);
        target_done(&target);
    }
}
END_TEST

START_TEST(all_valid_utf8_is_taken)
{
    const char *const good[] = {
        "/%7e",       "/%c2%80",       "/%e0%a0%80",    "/%ed%9f%bf",
        "/%ee%80%80", "/%f0%90%80%80", "/%f4%8f%bf%bf", "/\xe2\x82\xac"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct target target;
        ck_assert_msg(parses(good[i], &target), "'%s'", good[i]);
        target_done(&target);
    }
}
END_TEST

START_TEST(more_parameters_than_any_path_has_are_refused)
{
    struct target target;
    auto_str struct str text = {0};
    str_add(&text, "/?a");
    for (int i = 1; i < TARGET_QUERY_MAX; i++)
        str_add(&text, "&a");
    ck_assert(parses(text.text, &target));
    target_done(&target);
    str_add(&text, "&a");
    ck_assert(!parses(text.text, &target));
    target_done(&target);
}
END_TEST

START_TEST(routes_are_found_by_shape_and_method)
{
    ck_assert_str_eq(found(HTTP_GET, "/v1/hosts"), "/v1/hosts");
    ck_assert_str_eq(found(HTTP_GET, "/v1/hosts/h1"), "/v1/hosts/{host}");
    ck_assert_str_eq(found(HTTP_GET, "/v1/hosts/h1/pfs/0000:3b:00.0?x=1"),
                     "/v1/hosts/{host}/pfs/{pf}");
    ck_assert_str_eq(found(HTTP_GET, "/"), "/");
    ck_assert_str_eq(found(HTTP_GET, "/ui/"), "/ui/");
    ck_assert_str_eq(found(HTTP_GET, "/ui"), "");
    ck_assert_str_eq(found(HTTP_GET, "/v1/hosts/"), "");
    ck_assert_str_eq(found(HTTP_GET, "/v1/hosts/h1/"), "");
    ck_assert_str_eq(found(HTTP_GET, "/v1//h1"), "");
    ck_assert_str_eq(found(HTTP_POST, "/v1/hosts"), "");
}
END_TEST

START_TEST(a_path_says_which_methods_it_has)
{
    struct router router = {0};
    struct target target;
    struct error err;
    unsigned allowed = 0;
    router_init(&router, routes, sizeof routes / sizeof *routes, &err);
    ck_assert(parses("/v1/hosts/h1", &target));
    ck_assert_ptr_null(router_find(&router, &target, HTTP_DELETE, &allowed));
    ck_assert_uint_eq(allowed, 1u << HTTP_GET | 1u << HTTP_PATCH);
    target_done(&target);
    ck_assert(parses("/v1/vms", &target));
    ck_assert_ptr_null(router_find(&router, &target, HTTP_DELETE, &allowed));
    ck_assert_uint_eq(allowed, 0);
    target_done(&target);
    router_done(&router);
}
END_TEST

START_TEST(parameters_are_read_by_their_whole_name)
{
    struct router router = {0};
    struct target target;
    struct error err;
    unsigned allowed = 0;
    router_init(&router, routes, sizeof routes / sizeof *routes, &err);
    ck_assert(parses("/v1/hosts/h%2f1/pfs/p", &target));
    const struct route *route =
        router_find(&router, &target, HTTP_GET, &allowed);
    ck_assert_str_eq(route_param(route, &target, "host"), "h/1");
    ck_assert_str_eq(route_param(route, &target, "pf"), "p");
    ck_assert_ptr_null(route_param(route, &target, "p"));
    ck_assert_ptr_null(route_param(route, &target, "pfs"));
    ck_assert_ptr_null(route_param(route, &target, ""));
    target_done(&target);
    router_done(&router);
}
END_TEST

START_TEST(words_of_a_list_are_whole_words)
{
    ck_assert(route_list_has("limit marker", "limit"));
    ck_assert(route_list_has("limit marker", "marker"));
    ck_assert(route_list_has("xlimit limit", "limit"));
    ck_assert(!route_list_has("limit marker", "lim"));
    ck_assert(!route_list_has("limit marker", "it"));
    ck_assert(!route_list_has("limit marker", ""));
    ck_assert(!route_list_has("", "limit"));
}
END_TEST

START_TEST(a_route_that_can_not_be_is_refused_at_start)
{
    const char *const bad[] = {"v1", "/{a}/{b}/{c}/{d}/{e}",
                               "/1/2/3/4/5/6/7/8/9/10/11/12/13"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_route route = {.path = bad[i], .handle = handle};
        struct router router = {0};
        struct error err;
        ck_assert_int_eq(router_init(&router, &route, 1, &err), -1);
        router_done(&router);
    }
}
END_TEST

CHECK_MAIN("http router", a_target_comes_apart_decoded,
           what_can_not_be_decoded_is_refused, all_valid_utf8_is_taken,
           more_parameters_than_any_path_has_are_refused,
           routes_are_found_by_shape_and_method,
           a_path_says_which_methods_it_has,
           parameters_are_read_by_their_whole_name,
           words_of_a_list_are_whole_words,
           a_route_that_can_not_be_is_refused_at_start);
