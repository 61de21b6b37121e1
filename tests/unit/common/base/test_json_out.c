/* SPDX-License-Identifier: Apache-2.0 */
/* JSON member by member, and texts of trees: held against jansson's writer. */
#include "common/base/json_out.h"

#include "common/base/mem.h"
#include "tests/unit/check_main.h"

#include <string.h>

/* One of everything, in each position. */
static void put_all(struct json_out *out)
{
    json_out_object(out, NULL);
    json_out_array(out, "empty");
    json_out_end(out);
    json_out_object(out, "nothing");
    json_out_end(out);
    json_out_text(out, "text", "web-1");
    json_out_text(out, "none", NULL);
    json_out_text_or_null(out, "null", "");
    json_out_text_or_null(out, "some", "x");
    json_out_number(out, "most", UINT64_MAX);
    json_out_integer(out, "least", INT64_MIN);
    json_out_bool(out, "yes", true);
    json_out_bool(out, "no", false);
    json_out_null(out, "nil");
    json_out_json(out, "tree", json_pack("{s:[i,f]}", "a", 1, 0.1));
    json_out_array(out, "list");
    json_out_text(out, NULL, "a");
    json_out_object(out, NULL);
    json_out_number(out, "n", 0);
    json_out_end(out);
    json_out_array(out, NULL);
    json_out_null(out, NULL);
    json_out_end(out);
    json_out_number(out, NULL, 18);
    json_out_end(out);
    json_out_text(out, "last", "1");
    json_out_end(out);
}

static const char all[] =
    "{\"empty\":[],\"nothing\":{},\"text\":\"web-1\",\"none\":\"\","
    "\"null\":null,\"some\":\"x\",\"most\":9223372036854775807,"
    "\"least\":-9223372036854775808,\"yes\":true,\"no\":false,\"nil\":null,"
    "\"tree\":{\"a\":[1,0.10000000000000001]},"
    "\"list\":[\"a\",{\"n\":0},[null],18],\"last\":\"1\"}";

START_TEST(text_and_tree_say_the_same)
{
    auto_str struct str text = {0};
    struct json_out out = json_out_as_text(&text), tree = {0};
    put_all(&out);
    put_all(&tree);
    auto_json json_t *value = tree.tree;
    auto_free char *of_tree = json_text(value);
    ck_assert_str_eq(str_text(&text), all);
    ck_assert_str_eq(of_tree, all);
}
END_TEST

START_TEST(a_text_is_appended_to)
{
    auto_str struct str text = {0};
    str_add(&text, "data: ");
    struct json_out out = json_out_as_text(&text);
    json_out_text(&out, NULL, "x");
    ck_assert_str_eq(str_text(&text), "data: \"x\"");
}
END_TEST

START_TEST(strings_are_escaped_as_jansson_does)
{
    static const char *const texts[] = {
        "",        "plain",      "\"quoted\"",     "\\",
        "a\\b\"c", "\b\f\n\r\t", "\x01\x1f",       "end\x7f",
        "/slash/", "\xc3\xa4",   "\xe2\x82\xac\n", "\xf0\x9f\x98\x80",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        auto_json json_t *value = json_string(texts[i]);
        char *expected = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        auto_free char *of_tree = json_text(value);
        auto_str struct str text = {0};
        struct json_out out = json_out_as_text(&text);
        json_out_text(&out, NULL, texts[i]);
        ck_assert_str_eq(of_tree, expected);
        ck_assert_str_eq(str_text(&text), expected);
        free(expected);
    }
}
END_TEST

START_TEST(names_of_members_are_escaped_in_trees)
{
    auto_json json_t *value = json_pack("{s:b}", "a\"\n", 1);
    auto_free char *text = json_text(value);
    ck_assert_str_eq(text, "{\"a\\\"\\n\":true}");
}
END_TEST

START_TEST(bytes_that_are_no_utf8_become_question_marks)
{
    auto_str struct str text = {0};
    struct json_out out = json_out_as_text(&text), tree = {0};
    json_out_text(&out, NULL, "eth\xff\"0");
    json_out_text(&tree, NULL, "eth\xff\"0");
    auto_json json_t *value = tree.tree;
    ck_assert_str_eq(str_text(&text), "\"eth?\\\"0\"");
    ck_assert_str_eq(json_string_value(value), "eth?\"0");
}
END_TEST

START_TEST(nothing_is_null)
{
    auto_free char *text = json_text(NULL);
    ck_assert_str_eq(text, "null");
}
END_TEST

CHECK_MAIN("json out", text_and_tree_say_the_same, a_text_is_appended_to,
           strings_are_escaped_as_jansson_does,
           names_of_members_are_escaped_in_trees,
           bytes_that_are_no_utf8_become_question_marks, nothing_is_null);
