/* SPDX-License-Identifier: Apache-2.0 */
/* What sriov-admin prints: values at paths, YAML, columns. */
#include "cli/cli.h"

#include "common/base/mem.h"

#include <check.h>
#include <stdio.h>

static json_t *load(const char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, 0, &error);
    ck_assert_msg(value != NULL, "%s", error.text);
    return value;
}

static void value_is(const char *json, const char *path, const char *expected)
{
    json_t *item = load(json);
    auto_free char *text = cli_value_text(item, path);
    ck_assert_str_eq(text, expected);
    json_decref(item);
}

START_TEST(a_value_is_found_by_its_path)
{
    value_is("{\"link\":{\"speed_mbps\":1000}}", "link.speed_mbps", "1000");
    value_is("{\"name\":\"h1\"}", "name", "h1");
    value_is("{\"on\":true,\"off\":false}", "on", "yes");
    value_is("{\"on\":true,\"off\":false}", "off", "no");
    value_is("{\"labels\":{\"a\":1}}", "labels", "{\"a\":1}");
}
END_TEST

START_TEST(null_absent_and_empty_are_a_dash)
{
    value_is("{\"a\":null}", "a", "-");
    value_is("{}", "a.b.c", "-");
    value_is("{\"a\":\"\"}", "a", "-");
    value_is("{\"a\":5}", "a.b", "-");
}
END_TEST

static void yaml_is(const char *json, const char *expected)
{
    json_t *value = load(json);
    auto_free char *text = cli_yaml(value);
    ck_assert_str_eq(text, expected);
    json_decref(value);
}

START_TEST(yaml_shows_objects_and_lists_as_blocks)
{
    yaml_is("{\"name\":\"h1\",\"pfs\":[{\"key\":\"p0\",\"vfs\":[1,2]}],"
            "\"empty\":[],\"none\":{}}",
            "name: h1\npfs:\n- key: p0\n  vfs:\n  - 1\n  - 2\nempty: []\n"
            "none: {}\n");
    yaml_is("[{\"a\":{\"b\":1}},{\"a\":2}]", "- a:\n    b: 1\n- a: 2\n");
}
END_TEST

START_TEST(yaml_quotes_what_would_read_as_something_else)
{
    yaml_is("{\"trust\":\"on\",\"id\":\"8086\",\"pf\":\"0000:3b:00.0\","
            "\"text\":\"a: b\",\"ok\":\"eth0\",\"n\":null}",
            "trust: \"on\"\nid: \"8086\"\npf: \"0000:3b:00.0\"\n"
            "text: \"a: b\"\nok: eth0\nn: null\n");
}
END_TEST

/* Run 'print' with stdout in a buffer. */
static char *printed(const struct cli *cli, const json_t *items)
{
    static const struct column columns[] = {
        {"NAME", "name", false}, {"SIZE", "size", false}, {"ID", "id", true}};
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    FILE *file = tmpfile();
    dup2(fileno(file), STDOUT_FILENO);
    int status = cli_print_list(cli, items, columns, 3);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char *text = mem_calloc(4096, 1);
    rewind(file);
    size_t length = fread(text, 1, 4095, file);
    text[length] = '\0';
    fclose(file);
    if (status)
        text[0] = '\0';
    return text;
}

START_TEST(a_table_fits_its_columns_and_hides_the_wide_ones)
{
    json_t *items = load("[{\"name\":\"a\",\"size\":100000,\"id\":\"x\"},"
                         "{\"name\":\"longer\",\"size\":1}]");
    struct cli cli = {.output = OUTPUT_TABLE};
    auto_free char *table = printed(&cli, items);
    ck_assert_str_eq(table, "NAME    SIZE\na       100000\nlonger  1\n");
    cli.columns[cli.column_count++] = "id";
    auto_free char *chosen = printed(&cli, items);
    ck_assert_str_eq(chosen, "ID\nx\n-\n");
    cli.output = OUTPUT_VALUE;
    cli.column_count = 0;
    auto_free char *values = printed(&cli, items);
    ck_assert_str_eq(values, "a\t100000\tx\nlonger\t1\t-\n");
    json_decref(items);
}
END_TEST

START_TEST(an_unknown_column_is_an_error)
{
    json_t *items = load("[]");
    struct cli cli = {
        .output = OUTPUT_TABLE, .column_count = 1, .columns = {"COLOUR"}};
    auto_free char *text = printed(&cli, items);
    ck_assert_str_eq(text, "");
    json_decref(items);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/output");
    TCase *tests = tcase_create("output");
    tcase_add_test(tests, a_value_is_found_by_its_path);
    tcase_add_test(tests, null_absent_and_empty_are_a_dash);
    tcase_add_test(tests, yaml_shows_objects_and_lists_as_blocks);
    tcase_add_test(tests, yaml_quotes_what_would_read_as_something_else);
    tcase_add_test(tests, a_table_fits_its_columns_and_hides_the_wide_ones);
    tcase_add_test(tests, an_unknown_column_is_an_error);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
