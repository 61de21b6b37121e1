/* SPDX-License-Identifier: Apache-2.0 */
/* json_parse and json_text: what is let in and what is said of the rest. */
#include "common/base/json.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct error err;

static json_t *parse(const char *text)
{
    err = (struct error){0};
    return json_parse(text, strlen(text), &err);
}

/* The text is refused, the message holds 'where' and the remedy 'remedy'. */
static void refused(const char *text, const char *where, const char *remedy)
{
    ck_assert_ptr_null(parse(text));
    ck_assert_int_eq(err.code, ERROR_MALFORMED_JSON);
    ck_assert_msg(strstr(err.msg, where), "'%s' not in '%s'", where, err.msg);
    ck_assert_msg(strstr(err.remedy, remedy), "'%s' not in '%s'", remedy,
                  err.remedy);
}

START_TEST(a_text_comes_back_compact_in_its_own_order)
{
    auto_json json_t *value =
        parse(" { \"b\" : [1, 2.5,null] ,\n\"a\":\"é\"} ");
    ck_assert_ptr_nonnull(value);
    char *text = json_text(value);
    ck_assert_str_eq(text, "{\"b\":[1,2.5,null],\"a\":\"é\"}");
    free(text);
}
END_TEST

START_TEST(any_value_may_stand_at_the_top)
{
    static const char *const texts[] = {"1", "\"x\"", "null", "true", "[]"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        auto_json json_t *value = parse(texts[i]);
        ck_assert_ptr_nonnull(value);
        char *text = json_text(value);
        ck_assert_str_eq(text, texts[i]);
        free(text);
    }
}
END_TEST

START_TEST(an_empty_text_is_refused_with_what_to_send)
{
    refused("", "empty", "{}");
    refused(" \n\t ", "empty", "{}");
}
END_TEST

START_TEST(errors_say_line_and_column)
{
    refused("{\"a\": 1,\n \"b\": x}", "line 2, column 7", "jq");
    refused("{\"a\": [1, 2", "line 1", "send all of it");
}
END_TEST

START_TEST(a_key_may_stand_once_only)
{
    refused("{\"a\":1,\"a\":1}", "duplicate", "once");
    refused("[{\"x\":{\"a\":1,\"a\":2}}]", "duplicate", "once");
}
END_TEST

START_TEST(nothing_may_follow_the_value)
{
    refused("{} {}", "line 1", "nothing after");
    refused("1,", "line 1", "nothing after");
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_refused)
{
    refused("{\"a\":\"\xff\"}", "line 1", "UTF-8");
    refused("{\"a\":\"\xc0\xaf\"}", "line 1", "UTF-8");     /* overlong '/' */
    refused("{\"a\":\"\xed\xa0\x80\"}", "line 1", "UTF-8"); /* surrogate */
}
END_TEST

START_TEST(nul_is_refused_escaped_and_raw)
{
    refused("{\"a\":\"x\\u0000y\"}", "NUL", "NUL");
    refused("{\"a\\u0000\":1}", "line 1", "NUL");
    err = (struct error){0};
    ck_assert_ptr_null(json_parse("{}\0{}", 5, &err));
    ck_assert_int_eq(err.code, ERROR_MALFORMED_JSON);
    ck_assert_ptr_null(json_parse("{\"a\0\":1}", 8, &err));
}
END_TEST

static char *nested(size_t depth, char open, char close)
{
    char *text = calloc(2 * depth + 1, 1);
    memset(text, open, depth);
    memset(text + depth, close, depth);
    return text;
}

START_TEST(depth_is_bounded_exactly)
{
    char *fits = nested(JSON_DEPTH_MAX, '[', ']');
    auto_json json_t *value = parse(fits);
    ck_assert_ptr_nonnull(value);
    free(fits);
    char *deep = nested(JSON_DEPTH_MAX + 1, '[', ']');
    refused(deep, "line 1, column 33: nested deeper than 32", "32");
    free(deep);
    char *bomb = nested(1000000, '[', ']');
    refused(bomb, "nested deeper", "32");
    free(bomb);
}
END_TEST

START_TEST(siblings_and_brackets_in_strings_do_not_count_as_depth)
{
    static const char head[] = "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"";
    char text[2048];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", head);
    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, ",[{}]");
    snprintf(text + at, sizeof text - at, "]");
    auto_json json_t *value = parse(text);
    ck_assert_msg(value, "%s", err.msg);
    ck_assert_uint_eq(json_array_size(value), 101);
}
END_TEST

START_TEST(a_whole_number_that_fits_no_int64_is_kept_as_a_real)
{
    auto_json json_t *value =
        parse("[9223372036854775807,9223372036854775808,-9223372036854775809,"
              "123456789012345678901234567890,-9223372036854775808]");
    ck_assert_msg(value, "%s", err.msg);
    ck_assert(json_is_integer(json_array_get(value, 0)));
    ck_assert(json_is_real(json_array_get(value, 1)));
    ck_assert(json_is_real(json_array_get(value, 2)));
    ck_assert(json_is_real(json_array_get(value, 3)));
    ck_assert(json_is_integer(json_array_get(value, 4)));
}
END_TEST

START_TEST(long_fractions_and_digits_in_strings_stay_as_they_are)
{
    auto_json json_t *value = parse("[0.12345678901234567890123456789,"
                                    "1234567890123456789012345678e1,"
                                    "\"99999999999999999999999999\"]");
    ck_assert_msg(value, "%s", err.msg);
    ck_assert(json_is_real(json_array_get(value, 0)));
    ck_assert(json_real_value(json_array_get(value, 0)) < 0.13);
    ck_assert(json_real_value(json_array_get(value, 1)) > 1e28);
    ck_assert_str_eq(json_string_value(json_array_get(value, 2)),
                     "99999999999999999999999999");
}
END_TEST

START_TEST(what_is_not_a_number_does_not_become_one)
{
    refused("[000000000000000000000000000001]", "line 1", "jq");
    refused("[1-99999999999999999999999999]", "line 1", "");
    refused("[1e999]", "line 1", "smaller");
    refused("[-]", "line 1", "jq");
    refused("[.99999999999999999999999999]", "line 1", "jq");
}
END_TEST

START_TEST(messages_are_one_printable_line)
{
    ck_assert_ptr_null(parse("{\"a\": \x01\x1b[31m}"));
    for (const char *at = err.msg; *at; at++)
        ck_assert(*at >= 32 && *at < 127);
}
END_TEST

CHECK_MAIN("json", a_text_comes_back_compact_in_its_own_order,
           any_value_may_stand_at_the_top,
           an_empty_text_is_refused_with_what_to_send,
           errors_say_line_and_column, a_key_may_stand_once_only,
           nothing_may_follow_the_value, bytes_that_are_not_utf8_are_refused,
           nul_is_refused_escaped_and_raw, depth_is_bounded_exactly,
           siblings_and_brackets_in_strings_do_not_count_as_depth,
           a_whole_number_that_fits_no_int64_is_kept_as_a_real,
           long_fractions_and_digits_in_strings_stay_as_they_are,
           what_is_not_a_number_does_not_become_one,
           messages_are_one_printable_line);
