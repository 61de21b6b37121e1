/* SPDX-License-Identifier: Apache-2.0 */
/* The main() of a Check program: CHECK_MAIN("suite", test_a, test_b …). */
#pragma once

#include <check.h>
#include <stdlib.h>

#define CHECK_MAIN(name, ...)                                                  \
    int main(void)                                                             \
    {                                                                          \
        const TTest *const tests[] = {__VA_ARGS__};                            \
        Suite *suite = suite_create(name);                                     \
        TCase *tc = tcase_create(name);                                        \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)              \
            tcase_add_test(tc, tests[i]);                                      \
        suite_add_tcase(suite, tc);                                            \
        SRunner *runner = srunner_create(suite);                               \
        srunner_run_all(runner, CK_NORMAL);                                    \
        int failed = srunner_ntests_failed(runner);                            \
        srunner_free(runner);                                                  \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                           \
    }                                                                          \
    _Static_assert(1, "takes the semicolon")
