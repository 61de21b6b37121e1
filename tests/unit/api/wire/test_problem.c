/* SPDX-License-Identifier: Apache-2.0 */
/* Problem documents there and back. */
#include "tests/unit/api/wire/samples.h"

START_TEST(a_problem_has_the_members_of_rfc_9457_and_ours)
{
    struct error err = {0};
    error_fill(&err, ERROR_INVALID, 0, "ports[0].policy.vlan", "VLAN 4095");
    error_remedy(&err, "use 1 to 4094");
    assert_json(wire_problem(&err, "r-1"),
                "{\"type\":\"urn:sriov:problem:invalid\","
                "\"title\":\"The request is not valid\",\"status\":400,"
                "\"code\":\"invalid\",\"detail\":\"VLAN 4095\","
                "\"field\":\"ports[0].policy.vlan\","
                "\"remedy\":\"use 1 to 4094\",\"request_id\":\"r-1\"}");
}
END_TEST

START_TEST(what_there_is_not_is_left_out)
{
    struct error err = {0};
    error_fill(&err, ERROR_NOT_FOUND, 0, "", "no VM 'x'");
    assert_json(wire_problem(&err, ""),
                "{\"type\":\"urn:sriov:problem:not_found\","
                "\"title\":\"Not found\",\"status\":404,\"code\":\"not_found\","
                "\"detail\":\"no VM 'x'\",\"request_id\":\"\"}");
}
END_TEST

START_TEST(every_code_comes_back_with_its_words)
{
    for (int i = ERROR_INVALID; i < ERROR_MAX; i++) {
        struct error err = {0}, back = {0};
        error_fill(&err, (enum error_code)i, 0, "mac", "what %d", i);
        error_remedy(&err, "do %d", i);
        auto_json json_t *value = over_the_wire(wire_problem(&err, "r"));
        wire_problem_read(value, error_code_http(err.code), &back);
        ck_assert_int_eq(back.code, i);
        ck_assert_str_eq(back.field, "mac");
        ck_assert_str_eq(back.msg, err.msg);
        ck_assert_str_eq(back.remedy, err.remedy);
    }
}
END_TEST

START_TEST(an_answer_that_is_no_problem_document_is_an_error_all_the_same)
{
    static const struct {
        const char *text;
        int status;
        enum error_code code;
    } cases[] = {
        {"{}", 404, ERROR_NOT_FOUND},
        {"[]", 503, ERROR_UNAVAILABLE},
        {"\"Bad Gateway\"", 502, ERROR_UNAVAILABLE},
        {"{\"code\":5,\"detail\":\"x\"}", 401, ERROR_UNAUTHENTICATED},
        {"{\"code\":\"invalid\"}", 413, ERROR_TOO_LARGE},
        {"{\"detail\":\"x\"}", 418, ERROR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {0};
        auto_json json_t *value = parsed(cases[i].text);
        wire_problem_read(value, cases[i].status, &err);
        ck_assert_int_eq(err.code, cases[i].code);
        ck_assert_str_ne(err.msg, "");
        ck_assert_str_ne(err.remedy, "");
    }
    struct error err = {0};
    wire_problem_read(NULL, 504, &err);
    ck_assert_int_eq(err.code, ERROR_TIMEOUT);
}
END_TEST

START_TEST(a_code_of_a_newer_server_is_judged_by_its_status)
{
    struct error err = {0};
    auto_json json_t *value =
        parsed("{\"code\":\"quota_exceeded\",\"detail\":\"too many VMs\"}");
    wire_problem_read(value, 403, &err);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    ck_assert_str_eq(err.msg, "too many VMs");
}
END_TEST

CHECK_MAIN("wire problem", a_problem_has_the_members_of_rfc_9457_and_ours,
           what_there_is_not_is_left_out, every_code_comes_back_with_its_words,
           an_answer_that_is_no_problem_document_is_an_error_all_the_same,
           a_code_of_a_newer_server_is_judged_by_its_status);
