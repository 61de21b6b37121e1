/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's thread: everybody is answered once, whatever happens. */
#include "scheduler/service/service.h"

#include "common/base/log.h"
#include "common/base/timestamp.h"
#include "db/memory/memory.h"
#include "tests/unit/scheduler/service/jobs.h"

#include <pthread.h>
#include <time.h>

static struct store *store;
static struct service *service;
static atomic_int fault;
static atomic_uint woken_events, woken_hosts, fatals;

static enum store_fault on_commit(void *context)
{
    (void)context;
    return (enum store_fault)atomic_load(&fault);
}

static void on_wake(void *context, const char *key)
{
    (void)context;
    atomic_fetch_add(strcmp(key, "events") == 0 ? &woken_events : &woken_hosts,
                     1);
}

static void on_fatal(void *context, const struct error *err)
{
    (void)context;
    ck_assert_int_eq(err->code, ERROR_UNAVAILABLE);
    atomic_fetch_add(&fatals, 1);
}

static void quiet(void *context, const char *module, enum log_level level,
                  const char *line)
{
    (void)context;
    (void)module;
    (void)level;
    (void)line;
}

static void open_service(size_t capacity)
{
    struct service_config config = {
        .store = store,
        .core = {.unreachable_after_ns = SECOND, .grace_ns = SECOND},
        .queue_capacity = capacity,
        .batch_max = 64,
        .wake = on_wake,
        .fatal = on_fatal,
    };
    struct error err = {0};
    service = service_open(&config, &err);
    ck_assert_msg(service != NULL, "%s", err.msg);
}

static void setup(void)
{
    log_set_sink(quiet, NULL);
    store = store_memory_open();
    store_memory_set_hook(store, on_commit, NULL);
    atomic_store(&fault, STORE_FAULT_NONE);
    open_service(10000);
}

static void teardown(void)
{
    service_stop(service);
    service_free(service);
    store_close(store);
}

static void nap(void)
{
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
}

static void wait_answer(struct test_job *test)
{
    int64_t until = timestamp_monotonic() + 20 * TIMESTAMP_SECOND;
    while (!atomic_load(&test->answers) && timestamp_monotonic() < until)
        nap();
    ck_assert_int_eq(atomic_load(&test->answers), 1);
}

static void go(void)
{
    struct error err = {0};
    ck_assert_msg(service_run(service, &err) == 0, "%s", err.msg);
}

#define PER_THREAD 200
#define THREADS 8

struct producer {
    pthread_t thread;
    unsigned number;
    struct test_job jobs[PER_THREAD];
};

static void *produce(void *argument)
{
    struct producer *producer = argument;
    for (unsigned i = 0; i < PER_THREAD; i++) {
        struct test_job *test = &producer->jobs[i];
        char name[32];
        snprintf(name, sizeof name, "h-%u-%u", producer->number, i);
        *test = enroll_job(name);
        while (!service_submit(service, i % SERVICE_LANE_MAX, &test->job))
            nap();
        struct snapshot *snapshot = service_snapshot(service);
        ck_assert_uint_ge(snapshot_cluster(snapshot)->epoch, 1);
        snapshot_put(snapshot);
    }
    return NULL;
}

START_TEST(many_threads_are_all_answered_with_what_they_see)
{
    struct producer *producers = mem_calloc(THREADS, sizeof *producers);
    go();
    for (unsigned i = 0; i < THREADS; i++) {
        producers[i].number = i;
        pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(producers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned j = 0; j < PER_THREAD; j++) {
            struct test_job *test = &producers[i].jobs[j];
            wait_answer(test);
            ck_assert_int_eq(test->error.code, ERROR_NONE);
            ck_assert(test->published);
        }
    struct snapshot *snapshot = service_snapshot(service);
    ck_assert_uint_eq(snapshot_host_count(snapshot), THREADS * PER_THREAD);
    snapshot_put(snapshot);
    /* What queued up together shared a commit. */
    ck_assert_uint_lt(store_memory_commits(store), THREADS * PER_THREAD);
    ck_assert_uint_gt(atomic_load(&woken_events), 0);
    free(producers);
}
END_TEST

START_TEST(a_full_lane_refuses_and_the_other_does_not)
{
    service_stop(service);
    service_free(service);
    open_service(2);
    struct test_job jobs[4];
    for (unsigned i = 0; i < 4; i++)
        jobs[i] = enroll_job(i == 0 ? "a" : i == 1 ? "b" : i == 2 ? "c" : "d");
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &jobs[0].job));
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &jobs[1].job));
    ck_assert(!service_submit(service, SERVICE_LANE_CLIENT, &jobs[2].job));
    ck_assert(service_submit(service, SERVICE_LANE_AGENT, &jobs[3].job));
    ck_assert_uint_eq(service_queue_length(service, SERVICE_LANE_CLIENT), 2);
    go();
    wait_answer(&jobs[0]);
    wait_answer(&jobs[1]);
    wait_answer(&jobs[3]);
    ck_assert_int_eq(atomic_load(&jobs[2].answers), 0);
}
END_TEST

START_TEST(a_stop_answers_what_is_queued)
{
    struct test_job jobs[100];
    for (unsigned i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%u", i);
        jobs[i] = enroll_job(name);
        ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &jobs[i].job));
    }
    go();
    service_stop(service);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(atomic_load(&jobs[i].answers), 1);
        ck_assert_int_eq(jobs[i].error.code, ERROR_NONE);
    }
    struct test_job late = enroll_job("late");
    struct error err = {0};
    ck_assert(!service_submit(service, SERVICE_LANE_CLIENT, &late.job));
    ck_assert_int_eq(service_ready(service, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
}
END_TEST

START_TEST(readiness_goes_with_the_disk_and_comes_back_by_itself)
{
    struct error err = {0};
    go();
    ck_assert_int_eq(service_ready(service, &err), 0);
    atomic_store(&fault, STORE_FAULT_BEFORE);
    struct test_job refused = enroll_job("refused");
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &refused.job));
    wait_answer(&refused);
    ck_assert_int_eq(refused.error.code, ERROR_NOT_DURABLE);
    ck_assert_int_eq(service_ready(service, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    atomic_store(&fault, STORE_FAULT_NONE);
    int64_t until = timestamp_monotonic() + 10 * TIMESTAMP_SECOND;
    while (service_ready(service, NULL) < 0 && timestamp_monotonic() < until)
        nap();
    ck_assert_int_eq(service_ready(service, NULL), 0);
}
END_TEST

START_TEST(a_stop_ends_the_wait_for_an_unknown_outcome)
{
    go();
    atomic_store(&fault, STORE_FAULT_AFTER);
    store_memory_fail_position(store, 1000000);
    struct test_job a = enroll_job("a"), b = enroll_job("b");
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &a.job));
    while (service_ready(service, NULL) == 0)
        nap();
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &b.job));
    ck_assert_int_eq(atomic_load(&a.answers), 0);
    service_stop(service);
    wait_answer(&a);
    wait_answer(&b);
    ck_assert_int_eq(a.error.code, ERROR_NOT_DURABLE);
    ck_assert_int_ne(b.error.code, ERROR_NONE);
    ck_assert_uint_eq(atomic_load(&fatals), 0);
}
END_TEST

START_TEST(a_scheduler_that_was_overtaken_says_so_once_and_ends)
{
    uint64_t epoch = 0, revision = 0;
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, NULL), 0);
    ck_assert_int_eq(
        store->ops->commit(store, epoch + 1, revision + 1, NULL, 0, NULL),
        STORE_DONE);
    struct test_job a = enroll_job("a");
    ck_assert(service_submit(service, SERVICE_LANE_CLIENT, &a.job));
    go();
    wait_answer(&a);
    ck_assert_int_eq(a.error.code, ERROR_UNAVAILABLE);
    while (!atomic_load(&fatals))
        nap();
    ck_assert_uint_eq(atomic_load(&fatals), 1);
}
END_TEST

START_TEST(a_job_can_be_run_before_the_thread)
{
    struct test_job a = enroll_job("a");
    service_run_now(service, &a.job);
    ck_assert_int_eq(atomic_load(&a.answers), 1);
    struct snapshot *snapshot = service_snapshot(service);
    ck_assert_ptr_nonnull(snapshot_host(snapshot, "a"));
    snapshot_put(snapshot);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        many_threads_are_all_answered_with_what_they_see,
        a_full_lane_refuses_and_the_other_does_not,
        a_stop_answers_what_is_queued,
        readiness_goes_with_the_disk_and_comes_back_by_itself,
        a_stop_ends_the_wait_for_an_unknown_outcome,
        a_scheduler_that_was_overtaken_says_so_once_and_ends,
        a_job_can_be_run_before_the_thread,
    };
    Suite *suite = suite_create("service");
    TCase *tcase = tcase_create("thread");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
