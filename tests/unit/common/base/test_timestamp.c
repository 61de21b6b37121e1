/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3339 there and back. */
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

START_TEST(times_are_written_with_milliseconds)
{
    char text[TIMESTAMP_TEXT_SIZE];
    ck_assert_str_eq(timestamp_format(0, text), "1970-01-01T00:00:00.000Z");
    /* date -u -d 2026-11-20T11:32:05 +%s */
    ck_assert_str_eq(timestamp_format(INT64_C(1795174325123999999), text),
                     "2026-11-20T11:32:05.123Z");
    ck_assert_str_eq(timestamp_format(INT64_MAX, text),
                     "2262-04-11T23:47:16.854Z");
}
END_TEST

START_TEST(none_to_nine_decimals_are_read)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2026-11-20T11:32:05Z", INT64_C(1795174325000000000)},
        {"2026-11-20T11:32:05.1Z", INT64_C(1795174325100000000)},
        {"2026-11-20T11:32:05.123Z", INT64_C(1795174325123000000)},
        {"2026-11-20T11:32:05.123456789Z", INT64_C(1795174325123456789)},
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000000)},
        {"1969-12-31T23:59:59Z", -TIMESTAMP_SECOND},
        {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ns = 42;
        ck_assert_msg(timestamp_parse(cases[i].text, &ns), "%s", cases[i].text);
        ck_assert_int_eq(ns, cases[i].ns);
    }
}
END_TEST

START_TEST(what_is_no_time_or_does_not_fit_is_refused)
{
    static const char *const texts[] = {
        "",
        "2026-11-20",
        "2026-11-20T11:32:05",
        "2026-11-20T11:32:05z",
        "2026-11-20 11:32:05Z",
        " 2026-11-20T11:32:05Z",
        "2026-11-20T11:32:05Z ",
        "2026-11-20T11:32:05+01:00",
        "2026-11-20T11:32:05.Z",
        "2026-11-20T11:32:05.1234567890Z",
        "2026-11-20T11:32:60Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T11:60:00Z",
        "2026-02-29T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-1-1T1:1:1Z",
        "-026-01-01T00:00:00Z",
        "12026-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2262-04-11T23:47:16.854775808Z",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t ns = 42;
        ck_assert_msg(!timestamp_parse(texts[i], &ns), "%s", texts[i]);
        ck_assert_int_eq(ns, 42);
    }
}
END_TEST

START_TEST(clocks_go_forward)
{
    int64_t first = timestamp_monotonic();
    ck_assert_int_ge(timestamp_monotonic(), first);
    /* A machine with a set clock: after 2023 and before 2200. */
    ck_assert_int_gt(timestamp_now(), INT64_C(1704067200) * TIMESTAMP_SECOND);
    ck_assert_int_lt(timestamp_now(), INT64_C(7258000000) * TIMESTAMP_SECOND);
}
END_TEST

CHECK_MAIN("timestamp", times_are_written_with_milliseconds,
           none_to_nine_decimals_are_read,
           what_is_no_time_or_does_not_fit_is_refused, clocks_go_forward);
