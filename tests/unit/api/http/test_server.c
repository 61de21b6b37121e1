/* SPDX-License-Identifier: Apache-2.0 */
/* What the server refuses before a handler runs, in which order, and what every
 * answer carries. */
#include "tests/unit/api/http/site.h"

#define JSON_TYPE "Content-Type: application/json\r\n"

START_TEST(an_open_path_needs_no_token)
{
    site_start();
    struct reply reply = site_ask("GET /v1/open" TAIL "\r\n");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body,
                     "{\"actor\":\"\",\"role\":\"none\",\"query\":\"-\"}\n");
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(bad_escapes_and_control_bytes_in_the_target_are_refused)
{
    site_start();
    refused("GET /v1/op%zzen" TAIL "\r\n", 400, "invalid");
    refused("GET /v1/open%2" TAIL "\r\n", 400, "invalid");
    refused("GET /v1/open%00" TAIL "\r\n", 400, "invalid");
    refused("GET /v1/things?marker=%0a" TAIL "\r\n", 400, "invalid");
    refused("GET /v1/things?marker=%" TAIL "\r\n", 400, "invalid");
    refused("GET /v1/%ff" TAIL "\r\n", 400, "invalid");
    refused("GET v1/open" TAIL "\r\n", 400, "invalid");
    site_stop();
}
END_TEST

START_TEST(an_encoded_slash_stays_inside_of_its_part)
{
    site_start();
    struct reply reply =
        site_ask("GET /v1/things/a%2Fb/parts/%2e%2e+c" TAIL "\r\n");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body, "{\"thing\":\"a/b\",\"part\":\"..+c\"}\n");
    reply_done(&reply);
    refused("GET /v1/things//parts/x" TAIL "\r\n", 404, "not_found");
    site_stop();
}
END_TEST

START_TEST(an_unknown_path_is_not_found_whoever_asks)
{
    site_start();
    refused("GET /v2/open" TAIL "\r\n", 404, "not_found");
    refused("BREW /v1/nothing" TAIL "\r\n", 404, "not_found");
    refused("GET /v1/open/" TAIL AS("admin") "\r\n", 404, "not_found");
    site_stop();
}
END_TEST

START_TEST(a_wrong_method_is_told_the_right_ones)
{
    site_start();
    struct reply reply = site_ask("PATCH /v1/things" TAIL "\r\n");
    char value[64];
    json_decref(check_problem(&reply, 405, "method_not_allowed"));
    ck_assert_str_eq(reply_header(&reply, "Allow", value, sizeof value),
                     "GET, HEAD, POST");
    reply_done(&reply);
    refused("BREW /v1/things" TAIL "\r\n", 405, "method_not_allowed");
    site_stop();
}
END_TEST

START_TEST(a_missing_or_unknown_token_is_asked_for)
{
    site_start();
    char value[128];
    struct reply reply = site_ask("GET /v1/things" TAIL "\r\n");
    json_decref(check_problem(&reply, 401, "unauthenticated"));
    ck_assert_str_eq(
        reply_header(&reply, "WWW-Authenticate", value, sizeof value),
        "Bearer realm=\"sriov\"");
    reply_done(&reply);
    reply =
        site_ask("GET /v1/things" TAIL "Authorization: Bearer stolen\r\n\r\n");
    json_decref(check_problem(&reply, 401, "unauthenticated"));
    ck_assert_str_eq(
        reply_header(&reply, "WWW-Authenticate", value, sizeof value),
        "Bearer realm=\"sriov\", error=\"invalid_token\"");
    ck_assert_ptr_null(strstr(reply.body, "stolen"));
    reply_done(&reply);
    refused("GET /v1/things" TAIL "Authorization: Basic eDp5\r\n\r\n", 401,
            "unauthenticated");
    site_stop();
}
END_TEST

START_TEST(a_role_may_what_lesser_roles_may_and_no_more)
{
    site_start();
    const char *const roles[] = {"viewer", "operator", "admin", "agent"};
    /* What each gets for a GET, a DELETE for admins, a PUT for agents. */
    const int wanted[][3] = {
        {200, 403, 403}, {200, 403, 403}, {200, 200, 403}, {403, 403, 200}};
    for (size_t i = 0; i < 4; i++) {
        const char *const starts[] = {"GET /v1/things", "DELETE /v1/things/1",
                                      "PUT /v1/report"};
        for (size_t j = 0; j < 3; j++) {
            auto_free char *text =
                mem_printf("%s" TAIL "Authorization: bearer %s-bob\r\n\r\n",
                           starts[j], roles[i]);
            struct reply reply = site_ask(text);
            ck_assert_msg(reply.status == wanted[i][j], "%s by %s: %d",
                          starts[j], roles[i], reply.status);
            reply_done(&reply);
        }
    }
    site_stop();
}
END_TEST

START_TEST(a_handler_knows_who_asks)
{
    site_start();
    struct reply reply =
        site_ask("GET /v1/things?marker=a%20b+c" TAIL AS("operator") "\r\n");
    ck_assert_str_eq(reply.body, "{\"actor\":\"anna\",\"role\":\"operator\","
                                 "\"query\":\"a b c\"}\n");
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(an_unknown_query_parameter_is_named_with_the_known_ones)
{
    site_start();
    struct reply reply =
        site_ask("GET /v1/things?limit=1&lim=2" TAIL AS("viewer") "\r\n");
    json_t *problem = check_problem(&reply, 400, "unknown_parameter");
    ck_assert_str_eq(json_string_value(json_object_get(problem, "field")),
                     "lim");
    ck_assert_ptr_nonnull(strstr(
        json_string_value(json_object_get(problem, "remedy")), "limit marker"));
    json_decref(problem);
    reply_done(&reply);
    refused("GET /v1/open?x" TAIL "\r\n", 400, "unknown_parameter");
    refused("GET /v1/things?limit%20marker=1" TAIL AS("viewer") "\r\n", 400,
            "unknown_parameter");
    refused("GET /v1/things?limit=1&limit=1" TAIL AS("viewer") "\r\n", 400,
            "invalid");
    site_stop();
}
END_TEST

START_TEST(a_body_must_be_json_by_its_type)
{
    site_start();
    refused("POST /v1/things" TAIL AS("operator") "Content-Length: 2\r\n\r\n{}",
            415, "unsupported_media_type");
    refused("POST /v1/things" TAIL AS("operator") "Content-Type: text/plain\r\n"
                                                  "Content-Length: 2\r\n\r\n{}",
            415, "unsupported_media_type");
    refused("POST /v1/things" TAIL AS(
                "operator") "Content-Type: "
                            "application/jsonx\r\nContent-Length: 2\r\n\r\n{}",
            415, "unsupported_media_type");
    struct reply reply = site_ask("POST /v1/things" TAIL AS(
        "operator") "Content-Type: Application/JSON; charset=utf-8\r\n"
                    "Content-Length: 7\r\n\r\n{\"a\":1}");
    char value[64];
    ck_assert_int_eq(reply.status, 201);
    ck_assert_str_eq(reply.body, "{\"a\":1}\n");
    ck_assert_str_eq(reply_header(&reply, "Location", value, sizeof value),
                     "/v1/things/1");
    ck_assert_str_eq(reply_header(&reply, "ETag", value, sizeof value),
                     "\"7\"");
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(a_malformed_body_is_told_line_and_column)
{
    site_start();
    struct reply reply = site_ask("POST /v1/things" TAIL AS(
        "operator") JSON_TYPE "Content-Length: 8\r\n\r\n{\n \"a\": ");
    json_t *problem = check_problem(&reply, 400, "malformed_json");
    ck_assert_ptr_nonnull(strstr(
        json_string_value(json_object_get(problem, "detail")), "line 2"));
    json_decref(problem);
    reply_done(&reply);
    refused("POST /v1/things" TAIL AS("operator") "Content-Length: 0\r\n\r\n",
            400, "malformed_json");
    refused("POST /v1/things" TAIL AS("operator") JSON_TYPE
            "Content-Length: 2\r\n\r\n[]",
            400, "invalid");
    site_stop();
}
END_TEST

START_TEST(the_first_thing_wrong_is_the_one_that_is_told)
{
    site_start();
    /* Everything is wrong here; each line puts one thing right. */
    refused("BREW /v9/%?x=1" TAIL "\r\n", 400, "invalid");
    refused("BREW /v9/x?x=1" TAIL "\r\n", 404, "not_found");
    refused("BREW /v1/things?x=1" TAIL "\r\n", 405, "method_not_allowed");
    refused("POST /v1/things?x=1" TAIL "Content-Length: 2\r\n\r\n{}", 401,
            "unauthenticated");
    site_stop();
}
END_TEST

START_TEST(the_order_goes_on_with_role_parameter_type_and_size)
{
    site_start();
    char body[2001];
    memset(body, ' ', 2000);
    body[2000] = '\0';
    const struct {
        const char *query, *headers, *code;
        int status;
    } cases[] = {
        {"?x=1", AS("viewer"), "forbidden", 403},
        {"?x=1", AS("operator"), "unknown_parameter", 400},
        {"", AS("operator"), "unsupported_media_type", 415},
        {"", AS("operator") JSON_TYPE, "too_large", 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_free char *text = mem_printf(
            "POST /v1/things%s" TAIL "%sContent-Length: 2000\r\n\r\n%s",
            cases[i].query, cases[i].headers, body);
        refused(text, cases[i].status, cases[i].code);
    }
    site_stop();
}
END_TEST

START_TEST(head_is_get_without_the_body)
{
    site_start();
    int fd = site_connect();
    peer_send(fd, "HEAD /v1/open" TAIL "\r\n");
    struct reply reply = peer_read(fd, true);
    char value[64];
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(
        reply_header(&reply, "Content-Length", value, sizeof value), "39");
    reply_done(&reply);
    /* Had a body come, the next answer would not be where it is. */
    peer_send(fd, "GET /v1/open" TAIL "\r\n");
    reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_uint_eq(reply.length, 39);
    reply_done(&reply);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_good_request_id_comes_back_and_a_bad_one_is_replaced)
{
    site_start();
    const struct {
        const char *id;
        bool good;
    } cases[] = {{"a", true},
                 {"0123456789_abcdefghij-ABCDEFGHIJ.xyz", true},
                 {"0123456789_abcdefghij-ABCDEFGHIJ.xyz1", false},
                 {"a b", false},
                 {"", false},
                 {"<script>", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_free char *text = mem_printf(
            "GET /v1/open" TAIL "X-Request-Id: %s\r\n\r\n", cases[i].id);
        struct reply reply = site_ask(text);
        char value[64];
        ck_assert_int_eq(reply.status, 200);
        ck_assert_ptr_nonnull(
            reply_header(&reply, "X-Request-Id", value, sizeof value));
        ck_assert_int_eq(strcmp(value, cases[i].id) == 0, cases[i].good);
        ck_assert_uint_gt(strlen(value), 0);
        reply_done(&reply);
    }
    site_stop();
}
END_TEST

START_TEST(made_request_ids_differ)
{
    site_start();
    char first[64];
    char second[64];
    struct reply a = site_ask("GET /v1/open" TAIL "\r\n");
    struct reply b = site_ask("GET /v1/open" TAIL "\r\n");
    ck_assert_str_ne(reply_header(&a, "X-Request-Id", first, sizeof first),
                     reply_header(&b, "X-Request-Id", second, sizeof second));
    reply_done(&a);
    reply_done(&b);
    site_stop();
}
END_TEST

START_TEST(a_problem_carries_what_the_handler_adds)
{
    site_start();
    struct reply reply = site_ask("GET /v1/reasons" TAIL "\r\n");
    json_t *problem = check_problem(&reply, 409, "no_valid_host");
    ck_assert_str_eq(json_string_value(json_array_get(
                         json_object_get(problem, "reasons"), 0)),
                     "policy_unsupported");
    ck_assert_str_eq(json_string_value(json_object_get(problem, "field")),
                     "ports[0]");
    json_decref(problem);
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(who_is_turned_away_is_told_when_to_come_back)
{
    site_start();
    char value[64];
    struct reply reply = site_ask("GET /v1/busy" TAIL "\r\n");
    json_decref(check_problem(&reply, 503, "busy"));
    ck_assert_str_eq(reply_header(&reply, "Retry-After", value, sizeof value),
                     "1");
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(a_handler_that_forgets_to_answer_is_an_internal_error)
{
    site_start();
    refused("GET /v1/never" TAIL "\r\n", 500, "internal");
    site_stop();
}
END_TEST

START_TEST(plain_http_off_loopback_needs_the_option)
{
    struct http_config config = {.listen = "0.0.0.0:0",
                                 .threads = 1,
                                 .connections_max = 8,
                                 .idle_timeout_s = 5,
                                 .header_max = 4096};
    struct error err;
    ck_assert_ptr_null(http_start(&config, &err));
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.remedy, "--insecure-listen"));
    config.listen = "[::]:0";
    ck_assert_ptr_null(http_start(&config, &err));
    config.listen = "127.8.8.8:0";
    struct http_server *server = http_start(&config, &err);
    ck_assert_ptr_nonnull(server);
    ck_assert(str_starts(http_address(server), "127.8.8.8:"));
    http_stop(server, 100);
}
END_TEST

START_TEST(what_is_no_address_is_refused_with_an_example)
{
    const char *const bad[] = {"",
                               "8470",
                               "127.0.0.1",
                               "127.0.0.1:x",
                               "127.0.0.1:65536",
                               "127.0.0.1:-1",
                               "[::1]",
                               "[::1:1",
                               "::1:80",
                               "localhost:80",
                               ":80",
                               "1.2.3.4.5:1",
                               "[127.0.0.1]:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct http_config config = {.listen = bad[i],
                                           .threads = 1,
                                           .connections_max = 8,
                                           .idle_timeout_s = 5,
                                           .header_max = 4096};
        struct error err;
        ck_assert_msg(http_start(&config, &err) == NULL, "'%s'", bad[i]);
        ck_assert_str_eq(err.field, "listen");
        ck_assert_ptr_nonnull(strstr(err.remedy, "127.0.0.1:8470"));
    }
}
END_TEST

START_TEST(a_taken_port_is_said_to_be_taken)
{
    site_start();
    struct http_config config = {.listen = http_address(site.server),
                                 .threads = 1,
                                 .connections_max = 8,
                                 .idle_timeout_s = 5,
                                 .header_max = 4096};
    struct error err;
    ck_assert_ptr_null(http_start(&config, &err));
    ck_assert_ptr_nonnull(strstr(err.msg, config.listen));
    ck_assert_ptr_nonnull(strstr(err.remedy, "another program"));
    site_stop();
}
END_TEST

CHECK_MAIN("http server", an_open_path_needs_no_token,
           bad_escapes_and_control_bytes_in_the_target_are_refused,
           an_encoded_slash_stays_inside_of_its_part,
           an_unknown_path_is_not_found_whoever_asks,
           a_wrong_method_is_told_the_right_ones,
           a_missing_or_unknown_token_is_asked_for,
           a_role_may_what_lesser_roles_may_and_no_more,
           a_handler_knows_who_asks,
           an_unknown_query_parameter_is_named_with_the_known_ones,
           a_body_must_be_json_by_its_type,
           a_malformed_body_is_told_line_and_column,
           the_first_thing_wrong_is_the_one_that_is_told,
           the_order_goes_on_with_role_parameter_type_and_size,
           head_is_get_without_the_body,
           a_good_request_id_comes_back_and_a_bad_one_is_replaced,
           made_request_ids_differ, a_problem_carries_what_the_handler_adds,
           who_is_turned_away_is_told_when_to_come_back,
           a_handler_that_forgets_to_answer_is_an_internal_error,
           plain_http_off_loopback_needs_the_option,
           what_is_no_address_is_refused_with_an_example,
           a_taken_port_is_said_to_be_taken);
