/* SPDX-License-Identifier: Apache-2.0 */
/* Reading members: types, ranges, places, unknown members. */
#include "common/base/json.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct error err;
static json_t *object;
static struct json_reader reader;

static void begin(const char *text, const char *path)
{
    json_decref(object);
    err = (struct error){0};
    object = json_parse(text, strlen(text), &err);
    ck_assert_msg(object, "%s", err.msg);
    json_reader_begin(&reader, object, path, &err);
}

static void says(const char *field, const char *msg)
{
    ck_assert_int_eq(json_reader_end(&reader, false, NULL), -1);
    ck_assert_str_eq(err.field, field);
    ck_assert_str_eq(err.msg, msg);
}

START_TEST(every_type_is_taken)
{
    begin("{\"t\":\"x\",\"c\":\"ab\",\"u\":7,\"i\":-7,\"b\":true,\"a\":[1],"
          "\"o\":{}}",
          "");
    const char *text = NULL;
    char copy[3];
    uint64_t u = 0;
    int64_t i = 0;
    bool b = false;
    const json_t *a = NULL, *o = NULL;
    ck_assert(json_take_text(&reader, "t", true, &text));
    ck_assert(json_take_copy(&reader, "c", true, copy, sizeof copy));
    ck_assert(json_take_u64(&reader, "u", true, 7, 7, &u));
    ck_assert(json_take_i64(&reader, "i", true, -7, 0, &i));
    ck_assert(json_take_bool(&reader, "b", true, &b));
    ck_assert(json_take_array(&reader, "a", true, 1, &a));
    ck_assert(json_take_object(&reader, "o", true, &o));
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), 0);
    ck_assert_str_eq(text, "x");
    ck_assert_str_eq(copy, "ab");
    ck_assert_uint_eq(u, 7);
    ck_assert_int_eq(i, -7);
    ck_assert(b && json_array_size(a) == 1 && json_is_object(o));
}
END_TEST

START_TEST(absent_and_null_leave_the_output_alone)
{
    begin("{\"u\":null}", "");
    uint64_t u = 42;
    ck_assert(!json_take_u64(&reader, "u", false, 0, 9, &u));
    ck_assert(!json_take_u64(&reader, "v", false, 0, 9, &u));
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), 0);
    ck_assert_uint_eq(u, 42);
}
END_TEST

START_TEST(a_required_member_that_is_absent_or_null_is_named)
{
    uint64_t u = 42;
    begin("{}", "ports[2]");
    ck_assert(!json_take_u64(&reader, "vlan", true, 0, 9, &u));
    says("ports[2].vlan", "'vlan' is missing");
    begin("{\"vlan\":null}", "");
    ck_assert(!json_take_u64(&reader, "vlan", true, 0, 9, &u));
    says("vlan", "'vlan' is missing");
    ck_assert_str_eq(err.remedy, "give 'vlan'");
    ck_assert_uint_eq(u, 42);
}
END_TEST

START_TEST(wrong_types_say_what_was_expected_and_what_was_there)
{
    uint64_t u = 42;
    bool b;
    const char *text;
    begin("{\"vlan\":\"5\"}", "ports[0].policy");
    json_take_u64(&reader, "vlan", false, 0, 4094, &u);
    says("ports[0].policy.vlan",
         "expected a whole number 0-4094, got a string");
    begin("{\"b\":\"true\"}", "");
    json_take_bool(&reader, "b", false, &b);
    says("b", "expected true or false, got a string");
    begin("{\"b\":1}", "");
    json_take_bool(&reader, "b", false, &b);
    says("b", "expected true or false, got 1");
    begin("{\"t\":[1]}", "");
    json_take_text(&reader, "t", false, &text);
    says("t", "expected a string, got an array");
    ck_assert_uint_eq(u, 42);
}
END_TEST

START_TEST(negative_fractional_and_huge_numbers_are_told_with_the_range)
{
    static const struct {
        const char *text, *got;
    } cases[] = {
        {"{\"n\":-1}", "-1"},
        {"{\"n\":1.5}", "1.5"},
        {"{\"n\":5.0}", "5"},
        {"{\"n\":11}", "11"},
        {"{\"n\":99999999999999999999}", "1e+20"},
        {"{\"n\":-9223372036854775808}", "-9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t u = 42;
        char msg[128];
        begin(cases[i].text, "");
        ck_assert(!json_take_u64(&reader, "n", false, 0, 10, &u));
        snprintf(msg, sizeof msg, "expected a whole number 0-10, got %s",
                 cases[i].got);
        says("n", msg);
        ck_assert_uint_eq(u, 42);
    }
}
END_TEST

START_TEST(ranges_include_their_ends)
{
    uint64_t u = 0;
    int64_t i = 0;
    begin("{\"a\":1,\"b\":10,\"c\":-3,\"d\":9223372036854775807}", "");
    ck_assert(json_take_u64(&reader, "a", true, 1, 10, &u));
    ck_assert(json_take_u64(&reader, "b", true, 1, 10, &u));
    ck_assert(json_take_i64(&reader, "c", true, -3, 3, &i));
    ck_assert(json_take_u64(&reader, "d", true, 0, UINT64_MAX, &u));
    ck_assert_uint_eq(u, INT64_MAX);
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), 0);
    begin("{\"c\":-4}", "");
    ck_assert(!json_take_i64(&reader, "c", true, -3, 3, &i));
    says("c", "expected a whole number from -3 to 3, got -4");
}
END_TEST

START_TEST(a_text_that_does_not_fit_is_not_cut)
{
    char copy[4] = "old";
    begin("{\"c\":\"abcd\"}", "");
    ck_assert(!json_take_copy(&reader, "c", false, copy, sizeof copy));
    says("c", "the text is too long: 4 bytes, at most 3");
    ck_assert_str_eq(copy, "old");
}
END_TEST

START_TEST(an_array_with_too_many_elements_is_refused)
{
    const json_t *array = NULL;
    begin("{\"a\":[1,2,3]}", "");
    ck_assert(!json_take_array(&reader, "a", false, 2, &array));
    says("a", "3 elements, at most 2 are allowed");
    ck_assert_ptr_null(array);
}
END_TEST

START_TEST(an_unknown_member_is_refused_with_the_allowed_ones_if_strict)
{
    uint64_t u;
    begin("{\"a\":1,\"typo\":2}", "ports[0]");
    json_take_u64(&reader, "a", false, 0, 9, &u);
    json_take_u64(&reader, "b", false, 0, 9, &u);
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), -1);
    ck_assert_int_eq(err.code, ERROR_UNKNOWN_FIELD);
    ck_assert_str_eq(err.field, "ports[0].typo");
    ck_assert_str_eq(err.msg, "unknown field 'typo'");
    ck_assert_str_eq(err.remedy, "allowed: a, b");
}
END_TEST

START_TEST(unknown_members_are_counted_if_not_strict)
{
    uint64_t u;
    size_t unknown = 5;
    begin("{\"x\":1,\"a\":1,\"y\":null,\"z\":{}}", "");
    json_take_u64(&reader, "a", false, 0, 9, &u);
    ck_assert_int_eq(json_reader_end(&reader, false, &unknown), 0);
    ck_assert_uint_eq(unknown, 8);
    ck_assert_int_eq(json_reader_end(&reader, false, NULL), 0);
}
END_TEST

START_TEST(asking_twice_does_not_hide_an_unknown_member)
{
    uint64_t u;
    begin("{\"a\":1,\"x\":2}", "");
    json_take_u64(&reader, "a", false, 0, 9, &u);
    json_take_u64(&reader, "a", false, 0, 9, &u);
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), -1);
    ck_assert_str_eq(err.field, "x");
}
END_TEST

START_TEST(the_first_failure_stays)
{
    uint64_t u = 42;
    bool b = true;
    begin("{\"a\":\"x\",\"b\":1,\"c\":3}", "");
    ck_assert(!json_take_u64(&reader, "a", false, 0, 9, &u));
    ck_assert(!json_take_bool(&reader, "b", false, &b));
    ck_assert(!json_take_u64(&reader, "c", false, 0, 9, &u));
    ck_assert(!json_take_u64(&reader, "gone", true, 0, 9, &u));
    json_reader_fail(&reader, "c", "later");
    says("a", "expected a whole number 0-9, got a string");
    ck_assert_uint_eq(u, 42);
}
END_TEST

START_TEST(what_is_no_object_fails_at_the_begin)
{
    uint64_t u = 42;
    begin("[1]", "ports[1]");
    ck_assert(!json_take_u64(&reader, "a", true, 0, 9, &u));
    says("ports[1]", "expected an object, got an array");
    json_reader_begin(&reader, NULL, "policy", &err);
    says("policy", "expected an object, got nothing");
}
END_TEST

START_TEST(the_error_may_be_left_out)
{
    uint64_t u = 42;
    begin("{\"a\":\"x\",\"b\":1}", "");
    json_reader_begin(&reader, object, "", NULL);
    ck_assert(!json_take_u64(&reader, "a", false, 0, 9, &u));
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), -1);
    json_reader_begin(&reader, object, "", NULL);
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), -1);
}
END_TEST

START_TEST(a_reader_asked_for_too_many_members_says_so)
{
    static char names[60][8];
    begin("{}", "");
    for (int i = 0; i < 60; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        json_take_any(&reader, names[i]);
    }
    ck_assert_int_eq(json_reader_end(&reader, true, NULL), -1);
    ck_assert_int_eq(err.code, ERROR_INTERNAL);
}
END_TEST

CHECK_MAIN("json_reader", every_type_is_taken,
           absent_and_null_leave_the_output_alone,
           a_required_member_that_is_absent_or_null_is_named,
           wrong_types_say_what_was_expected_and_what_was_there,
           negative_fractional_and_huge_numbers_are_told_with_the_range,
           ranges_include_their_ends, a_text_that_does_not_fit_is_not_cut,
           an_array_with_too_many_elements_is_refused,
           an_unknown_member_is_refused_with_the_allowed_ones_if_strict,
           unknown_members_are_counted_if_not_strict,
           asking_twice_does_not_hide_an_unknown_member,
           the_first_failure_stays, what_is_no_object_fails_at_the_begin,
           the_error_may_be_left_out,
           a_reader_asked_for_too_many_members_says_so);
