/* SPDX-License-Identifier: Apache-2.0 */
/* Levels and the sink. Each test runs in a process of its own. */
#define LOG_MODULE "one"
#include "common/base/log.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

static char last[1200];
static int count;

static void sink(void *context, const char *module, enum log_level level,
                 const char *line)
{
    (void)context;
    snprintf(last, sizeof last, "%s %d %s", module, (int)level, line);
    count++;
}

START_TEST(info_is_said_and_debug_is_not_by_default)
{
    log_set_sink(sink, NULL);
    log_debug("no");
    ck_assert_int_eq(count, 0);
    log_info("host '%s' is back", "h1");
    ck_assert_str_eq(last, "one 6 host 'h1' is back");
    log_error("x");
    ck_assert_str_eq(last, "one 3 x");
}
END_TEST

START_TEST(a_module_has_its_own_level)
{
    struct error err = {0};
    log_set_sink(sink, NULL);
    ck_assert_int_eq(log_configure("error,one=debug", &err), 0);
    log_debug("yes");
    ck_assert_int_eq(count, 1);
    log_write("two", LOG_WARNING, "no");
    ck_assert_int_eq(count, 1);
    log_write("two", LOG_ERROR, "yes");
    ck_assert_int_eq(count, 2);
}
END_TEST

START_TEST(a_later_setting_of_a_module_wins)
{
    struct error err = {0};
    log_set_sink(sink, NULL);
    ck_assert_int_eq(log_configure("one=debug", &err), 0);
    ck_assert_int_eq(log_configure("one=error", &err), 0);
    log_info("no");
    ck_assert_int_eq(count, 0);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(log_configure("one=info", &err), 0);
    log_info("yes");
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(an_unknown_level_changes_nothing)
{
    struct error err = {0};
    log_set_sink(sink, NULL);
    ck_assert_int_eq(log_configure("error,one=debug,two=loud", &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "two=loud"));
    log_debug("no");
    ck_assert_int_eq(count, 0);
    log_write("three", LOG_INFO, "yes");
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(a_failure_is_one_line_with_field_and_remedy)
{
    struct error err = {0};
    log_set_sink(sink, NULL);
    error_fill(&err, ERROR_INVALID, 0, "vlan", "VLAN 4095");
    error_remedy(&err, "use 1 to 4094");
    log_failure("one", LOG_WARNING, "apply", &err);
    ck_assert_str_eq(last,
                     "one 4 apply: VLAN 4095 field='vlan'; use 1 to 4094");
    error_fill(&err, ERROR_IO, 0, "", "broken");
    log_failure("one", LOG_WARNING, "apply", &err);
    ck_assert_str_eq(last, "one 4 apply: broken");
}
END_TEST

CHECK_MAIN("log", info_is_said_and_debug_is_not_by_default,
           a_module_has_its_own_level, a_later_setting_of_a_module_wins,
           an_unknown_level_changes_nothing,
           a_failure_is_one_line_with_field_and_remedy);
