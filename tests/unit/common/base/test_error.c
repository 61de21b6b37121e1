/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values. */
#include "common/base/error.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <string.h>

START_TEST(a_set_error_is_whole_and_returns_minus_1)
{
    struct error err = {.code = ERROR_IO,
                        .sys = 5,
                        .field = "old",
                        .msg = "old",
                        .remedy = "old"};
    ck_assert_int_eq(error_set(&err, ERROR_NOT_FOUND, "no VM '%s'", "x"), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
    ck_assert_int_eq(err.sys, 0);
    ck_assert_str_eq(err.msg, "no VM 'x'");
    ck_assert_str_eq(err.field, "");
    ck_assert_str_eq(err.remedy, "");
    ck_assert_int_eq(error_set_field(&err, ERROR_INVALID, "vlan", "bad"), -1);
    ck_assert_str_eq(err.field, "vlan");
}
END_TEST

START_TEST(an_errno_gives_code_name_and_text)
{
    struct error err = {0};
    ck_assert_int_eq(error_set_sys(&err, EBUSY, "set vlan of %s", "vf 3"), -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_int_eq(err.sys, EBUSY);
    ck_assert_str_eq(err.msg,
                     "set vlan of vf 3: Device or resource busy (EBUSY)");
    ck_assert_str_eq(error_errno_name(EOPNOTSUPP), "EOPNOTSUPP");
    ck_assert_str_eq(error_errno_name(4567), "errno 4567");
}
END_TEST

START_TEST(errnos_are_sorted_into_codes)
{
    static const struct {
        int number;
        enum error_code code;
    } cases[] = {
        {EOPNOTSUPP, ERROR_UNSUPPORTED},
        {EPROTONOSUPPORT, ERROR_UNSUPPORTED},
        {EBUSY, ERROR_AGAIN},
        {EAGAIN, ERROR_AGAIN},
        {ERANGE, ERROR_RANGE},
        {EINVAL, ERROR_RANGE},
        {ENODEV, ERROR_VANISHED},
        {ENXIO, ERROR_VANISHED},
        {ENOENT, ERROR_VANISHED},
        {EACCES, ERROR_PERMISSION},
        {EPERM, ERROR_PERMISSION},
        {EIO, ERROR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_int_eq(error_code_of_errno(cases[i].number), cases[i].code);
}
END_TEST

START_TEST(context_is_put_in_front)
{
    struct error err = {0};
    error_fill(&err, ERROR_IO, EIO, "mac", "inner");
    error_prefix(&err, "count VFs of %s", "pf0");
    ck_assert_str_eq(err.msg, "count VFs of pf0: inner");
    error_prefix_field(&err, "policy");
    error_prefix_field(&err, "ports[0]");
    ck_assert_str_eq(err.field, "ports[0].policy.mac");
    error_prefix_field(&err, "");
    ck_assert_str_eq(err.field, "ports[0].policy.mac");
    error_fill(&err, ERROR_IO, 0, "[3]", "inner");
    error_prefix_field(&err, "ports");
    ck_assert_str_eq(err.field, "ports[3]");
    error_fill(&err, ERROR_IO, 0, "", "inner");
    error_prefix_field(&err, "ports");
    ck_assert_str_eq(err.field, "ports");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    struct error err = {0};
    char big[1000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    error_fill(&err, ERROR_IO, 0, big, "%s", big);
    error_remedy(&err, "%s", big);
    error_prefix(&err, "%s", big);
    error_prefix_field(&err, big);
    ck_assert_uint_eq(strlen(err.msg), sizeof err.msg - 1);
    ck_assert_uint_eq(strlen(err.field), sizeof err.field - 1);
    ck_assert_uint_eq(strlen(err.remedy), sizeof err.remedy - 1);
}
END_TEST

START_TEST(nobody_has_to_take_the_error)
{
    ck_assert_int_eq(error_set(NULL, ERROR_IO, "x"), -1);
    ck_assert_int_eq(error_set_sys(NULL, EIO, "x"), -1);
    error_prefix(NULL, "x");
    error_prefix_field(NULL, "x");
    error_remedy(NULL, "x");
}
END_TEST

START_TEST(codes_have_names_that_come_back_and_statuses_of_http)
{
    for (int i = 0; i < ERROR_MAX; i++) {
        enum error_code code = (enum error_code)i;
        ck_assert_int_eq(error_code_parse(error_code_name(code)), code);
        ck_assert_str_ne(error_code_title(code), "");
        ck_assert_int_ge(error_code_http(code), code ? 400 : 200);
        ck_assert_int_lt(error_code_http(code), 600);
        ck_assert_int_ge(error_code_exit(code), code ? 1 : 0);
        ck_assert_int_le(error_code_exit(code), 3);
    }
    ck_assert_int_eq(error_code_parse("nonsense"), ERROR_INTERNAL);
    ck_assert_int_eq(error_code_exit(ERROR_NO_VALID_HOST), 2);
    ck_assert_int_eq(error_code_exit(ERROR_CONCURRENT_UPDATE), 3);
    ck_assert_int_eq(error_code_http(ERROR_TOO_LARGE), 413);
}
END_TEST

CHECK_MAIN("error", a_set_error_is_whole_and_returns_minus_1,
           an_errno_gives_code_name_and_text, errnos_are_sorted_into_codes,
           context_is_put_in_front, long_texts_are_cut,
           nobody_has_to_take_the_error,
           codes_have_names_that_come_back_and_statuses_of_http);
