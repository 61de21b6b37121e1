/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics: what is rendered, what is a mistake. Each test is a process. */
#include "common/base/metrics.h"
#include "tests/unit/check_main.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static void assert_rendered(const char *expected)
{
    auto_str struct str text = {0};
    metrics_render(&text);
    ck_assert_str_eq(str_text(&text), expected);
}

START_TEST(a_counter_is_rendered_with_help_and_type)
{
    struct metric *ok = metrics_series(
        metrics_counter("sriov_requests_total", "route code", "Requests."),
        (const char *const[]){"/v1/vms", "201"});
    metric_add(ok, 2);
    metric_add(ok, 3);
    assert_rendered("# HELP sriov_requests_total Requests.\n"
                    "# TYPE sriov_requests_total counter\n"
                    "sriov_requests_total{route=\"/v1/vms\",code=\"201\"} 5\n");
}
END_TEST

START_TEST(a_gauge_takes_any_number)
{
    struct metric *gauge =
        metrics_series(metrics_gauge("sriov_hosts", "", "Hosts."), NULL);
    metric_set(gauge, 0.1);
    assert_rendered("# HELP sriov_hosts Hosts.\n# TYPE sriov_hosts gauge\n"
                    "sriov_hosts 0.1\n");
    metric_set(gauge, -INFINITY);
    assert_rendered("# HELP sriov_hosts Hosts.\n# TYPE sriov_hosts gauge\n"
                    "sriov_hosts -Inf\n");
}
END_TEST

START_TEST(buckets_are_cumulative_and_include_their_bound)
{
    static const double bounds[] = {0.5, 1};
    struct metric *histogram =
        metrics_series(metrics_histogram("sriov_commit_seconds", "store",
                                         "Commits.", bounds, 2),
                       (const char *const[]){"sqlite"});
    metric_observe(histogram, 0.25);
    metric_observe(histogram, 1);
    metric_observe(histogram, 7);
    assert_rendered(
        "# HELP sriov_commit_seconds Commits.\n"
        "# TYPE sriov_commit_seconds histogram\n"
        "sriov_commit_seconds_bucket{store=\"sqlite\",le=\"0.5\"} 1\n"
        "sriov_commit_seconds_bucket{store=\"sqlite\",le=\"1\"} 2\n"
        "sriov_commit_seconds_bucket{store=\"sqlite\",le=\"+Inf\"} 3\n"
        "sriov_commit_seconds_sum{store=\"sqlite\"} 8.25\n"
        "sriov_commit_seconds_count{store=\"sqlite\"} 3\n");
}
END_TEST

START_TEST(a_series_is_found_again_and_label_values_are_escaped)
{
    struct metrics_family *family =
        metrics_gauge("sriov_x", "name", "With \\ and\nnewline.");
    struct metric *one =
        metrics_series(family, (const char *const[]){"a\"b\\c\nd"});
    ck_assert_ptr_eq(
        one, metrics_series(family, (const char *const[]){"a\"b\\c\nd"}));
    ck_assert_ptr_ne(one,
                     metrics_series(family, (const char *const[]){"other"}));
    auto_str struct str text = {0};
    metrics_render(&text);
    ck_assert_ptr_nonnull(
        strstr(str_text(&text), "sriov_x{name=\"a\\\"b\\\\c\\nd\"} 0\n"));
    ck_assert_ptr_nonnull(
        strstr(str_text(&text), "# HELP sriov_x With \\\\ and\\nnewline.\n"));
}
END_TEST

START_TEST(a_family_is_found_again)
{
    struct metrics_family *family = metrics_counter("sriov_a_total", "x", "A.");
    ck_assert_ptr_eq(metrics_counter("sriov_a_total", "x", "A."), family);
}
END_TEST

START_TEST(a_family_without_series_is_not_rendered)
{
    metrics_counter("sriov_a_total", "x", "A.");
    assert_rendered("");
}
END_TEST

START_TEST(the_same_name_with_other_labels_aborts)
{
    metrics_gauge("sriov_a", "x", "A.");
    metrics_gauge("sriov_a", "y", "A.");
}
END_TEST

START_TEST(a_counter_not_called_total_aborts)
{
    metrics_counter("sriov_a", "", "A.");
}
END_TEST

START_TEST(a_name_that_is_no_word_aborts)
{
    metrics_gauge("sriov-a", "", "A.");
}
END_TEST

START_TEST(bounds_that_do_not_rise_abort)
{
    static const double bounds[] = {1, 1};
    metrics_histogram("sriov_a", "", "A.", bounds, 2);
}
END_TEST

static void *count_up(void *metric)
{
    for (int i = 0; i < 10000; i++)
        metric_observe(metric, 1);
    return NULL;
}

START_TEST(counting_on_threads_loses_nothing)
{
    struct metric *histogram = metrics_series(
        metrics_histogram("sriov_a_seconds", "", "A.", metrics_seconds,
                          metrics_seconds_count),
        NULL);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, histogram),
                         0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    auto_str struct str text = {0};
    metrics_render(&text);
    ck_assert_ptr_nonnull(
        strstr(str_text(&text), "\nsriov_a_seconds_sum 40000\n"));
    ck_assert_ptr_nonnull(
        strstr(str_text(&text), "\nsriov_a_seconds_count 40000\n"));
}
END_TEST

START_TEST(samples_from_elsewhere_have_the_same_form)
{
    auto_str struct str text = {0};
    metrics_head(&text, "sriov_vfs", METRICS_GAUGE, "VFs.");
    metrics_sample(&text, "sriov_vfs",
                   (const char *const[]){"host", "h1", "state", "free", NULL},
                   7);
    metrics_sample(&text, "sriov_vfs", NULL, NAN);
    ck_assert_str_eq(str_text(&text),
                     "# HELP sriov_vfs VFs.\n# TYPE sriov_vfs gauge\n"
                     "sriov_vfs{host=\"h1\",state=\"free\"} 7\n"
                     "sriov_vfs NaN\n");
}
END_TEST

START_TEST(the_process_tells_of_itself)
{
    static const char *const names[] = {
        "\nprocess_cpu_seconds_total ", "\nprocess_open_fds ",
        "\nprocess_resident_memory_bytes ", "\nprocess_start_time_seconds "};
    auto_str struct str text = {0};
    metrics_render_process(&text);
    for (size_t i = 0; i < 4; i++) {
        const char *at = strstr(str_text(&text), names[i]);
        ck_assert_msg(at, "%s", names[i]);
        ck_assert(strtod(at + strlen(names[i]), NULL) >= 0);
    }
    const char *memory = strstr(str_text(&text), names[2]);
    ck_assert(strtod(memory + strlen(names[2]), NULL) > 4096);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("metrics");
    tcase_add_test(tc, a_counter_is_rendered_with_help_and_type);
    tcase_add_test(tc, a_gauge_takes_any_number);
    tcase_add_test(tc, buckets_are_cumulative_and_include_their_bound);
    tcase_add_test(tc, a_series_is_found_again_and_label_values_are_escaped);
    tcase_add_test(tc, a_family_is_found_again);
    tcase_add_test(tc, a_family_without_series_is_not_rendered);
    tcase_add_test_raise_signal(tc, the_same_name_with_other_labels_aborts,
                                SIGABRT);
    tcase_add_test_raise_signal(tc, a_counter_not_called_total_aborts, SIGABRT);
    tcase_add_test_raise_signal(tc, a_name_that_is_no_word_aborts, SIGABRT);
    tcase_add_test_raise_signal(tc, bounds_that_do_not_rise_abort, SIGABRT);
    tcase_add_test(tc, counting_on_threads_loses_nothing);
    tcase_add_test(tc, samples_from_elsewhere_have_the_same_form);
    tcase_add_test(tc, the_process_tells_of_itself);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
