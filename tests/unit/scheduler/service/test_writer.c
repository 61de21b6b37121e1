/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's step on a simulated disk: what is kept, undone and answered,
 * however a commit ends. */
#include "scheduler/service/writer.h"

#include "db/memory/memory.h"
#include "tests/unit/scheduler/service/jobs.h"

static struct store *store;
static struct writer writer;
static enum store_fault fault;
static unsigned pauses, pauses_allowed, publications;
static struct str changed; /* what the hook was told */
static const char *crash_at;

static enum store_fault on_commit(void *context)
{
    (void)context;
    return fault;
}

static void on_publish(void *context, struct snapshot *snapshot)
{
    (void)context;
    ck_assert_ptr_nonnull(snapshot);
    publications++;
}

static void on_changed(void *context, const char *host)
{
    (void)context;
    str_printf(&changed, "%s;", host ? host : "events");
}

static bool on_step(void *context, const char *step)
{
    (void)context;
    return crash_at && strcmp(crash_at, step) == 0;
}

static bool on_pause(void *context, unsigned attempt, const struct error *err)
{
    (void)context;
    ck_assert_uint_eq(attempt, pauses + 1);
    ck_assert_int_eq(err->code, ERROR_NOT_DURABLE);
    pauses++;
    return pauses < pauses_allowed;
}

static void load(void)
{
    static const struct core_config config = {.unreachable_after_ns = SECOND,
                                              .grace_ns = SECOND};
    static const struct writer_hooks hooks = {
        .publish = on_publish,
        .changed = on_changed,
        .step = on_step,
        .pause = on_pause,
    };
    struct error err = {0};
    if (writer_load(&writer, store, &config, 42, &hooks, &err) < 0 ||
        writer_start(&writer, SECOND, &err) < 0)
        ck_abort_msg("%s", err.msg);
}

static void setup(void)
{
    store = store_memory_open();
    store_memory_set_hook(store, on_commit, NULL);
    fault = STORE_FAULT_NONE;
    pauses = publications = 0;
    pauses_allowed = 100;
    crash_at = NULL;
    load();
    str_done(&changed);
}

static void teardown(void)
{
    struct error err = {0};
    if (writer.core && core_check(writer.core, &err))
        ck_abort_msg("%s", err.msg);
    writer_free(&writer);
    store_close(store);
    str_done(&changed);
}

/* What a start after a crash finds. */
static void crash_and_load(void)
{
    crash_at = NULL;
    fault = STORE_FAULT_NONE;
    writer_free(&writer);
    store_memory_reopen(store);
    load();
}

static enum writer_end run(struct test_job *first, struct test_job *second)
{
    struct job *jobs[] = {&first->job, second ? &second->job : NULL};
    return writer_batch(&writer, jobs, second ? 2 : 1, 2 * SECOND);
}

static void expect_done(const struct test_job *test)
{
    ck_assert_int_eq(atomic_load(&test->answers), 1);
    ck_assert_msg(test->error.code == ERROR_NONE, "%s", test->error.msg);
}

static void expect_refused(const struct test_job *test, enum error_code code)
{
    ck_assert_int_eq(atomic_load(&test->answers), 1);
    ck_assert_msg(test->error.code == code, "%s: %s",
                  error_code_name(test->error.code), test->error.msg);
}

static bool known(const char *host)
{
    return snapshot_host(writer.snapshot, host) != NULL;
}

static uint64_t stored_revision(void)
{
    uint64_t epoch = 0, revision = 0;
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, NULL), 0);
    return revision;
}

/* A host that VMs can be placed on. */
static void make_host(const char *name, uint8_t machine)
{
    auto_observed struct observed *observed = make_report(name, machine, 1);
    struct test_job enroll = enroll_job(name);
    struct test_job report = report_job(name, observed);
    struct test_job allow = allow_job(name);
    run(&enroll, &report);
    run(&allow, NULL);
    expect_done(&enroll);
    expect_done(&report);
    expect_done(&allow);
}

START_TEST(a_batch_is_one_commit_and_published_before_its_answers)
{
    uint64_t commits = store_memory_commits(store);
    unsigned before = publications;
    struct test_job a = enroll_job("a"), b = enroll_job("b");
    ck_assert_int_eq(run(&a, &b), WRITER_GOES_ON);
    expect_done(&a);
    expect_done(&b);
    ck_assert(a.published && b.published);
    ck_assert_uint_eq(store_memory_commits(store), commits + 1);
    ck_assert_uint_eq(publications, before + 1);
    crash_and_load();
    ck_assert(known("a") && known("b"));
}
END_TEST

START_TEST(each_start_has_a_higher_epoch)
{
    uint64_t epoch = snapshot_cluster(writer.snapshot)->epoch;
    struct uuid id = snapshot_cluster(writer.snapshot)->id;
    crash_and_load();
    ck_assert_uint_eq(snapshot_cluster(writer.snapshot)->epoch, epoch + 1);
    ck_assert(uuid_equal(&snapshot_cluster(writer.snapshot)->id, &id));
    ck_assert_uint_eq(writer.epoch, epoch + 1);
}
END_TEST

START_TEST(a_job_that_fails_takes_nobody_down)
{
    struct test_job bad = enroll_job("not a name"), good = enroll_job("good");
    ck_assert_int_eq(run(&bad, &good), WRITER_GOES_ON);
    expect_refused(&bad, ERROR_INVALID);
    expect_done(&good);
    crash_and_load();
    ck_assert(known("good"));
}
END_TEST

START_TEST(a_job_that_fails_late_leaves_nothing)
{
    struct test_job late = enroll_job("late"), good = enroll_job("good");
    late.fails_after = true;
    ck_assert_int_eq(run(&late, &good), WRITER_GOES_ON);
    expect_refused(&late, ERROR_CONFLICT);
    expect_done(&good);
    ck_assert(!known("late"));
    crash_and_load();
    ck_assert(!known("late") && known("good"));
}
END_TEST

START_TEST(a_dry_run_decides_and_keeps_nothing)
{
    make_host("h1", 1);
    uint64_t revision = stored_revision();
    struct test_job dry = vm_job("web");
    dry.job.dry_run = true;
    ck_assert_int_eq(run(&dry, NULL), WRITER_GOES_ON);
    expect_done(&dry);
    ck_assert_str_eq(dry.vm->host, "h1");
    ck_assert_ptr_null(snapshot_vm_by_name(writer.snapshot, "web"));
    ck_assert_uint_eq(stored_revision(), revision);
    ref_put(dry.vm);
    struct test_job real = vm_job("web");
    run(&real, NULL);
    expect_done(&real);
    ref_put(real.vm);
}
END_TEST

START_TEST(a_failed_commit_undoes_and_refuses_the_whole_batch)
{
    uint64_t revision = stored_revision();
    struct test_job a = enroll_job("a"), bad = enroll_job("not a name");
    fault = STORE_FAULT_BEFORE;
    ck_assert_int_eq(run(&a, &bad), WRITER_GOES_ON);
    expect_refused(&a, ERROR_NOT_DURABLE);
    expect_refused(&bad, ERROR_NOT_DURABLE);
    ck_assert_str_ne(a.error.remedy, "");
    ck_assert(!known("a"));
    ck_assert_uint_eq(stored_revision(), revision);

    fault = STORE_FAULT_NONE;
    struct test_job again = enroll_job("a");
    run(&again, NULL);
    expect_done(&again);
    crash_and_load();
    ck_assert(known("a"));
}
END_TEST

START_TEST(an_unknown_outcome_that_was_stored_is_kept)
{
    struct test_job a = enroll_job("a");
    fault = STORE_FAULT_AFTER;
    ck_assert_int_eq(run(&a, NULL), WRITER_GOES_ON);
    expect_done(&a);
    ck_assert(known("a"));
    crash_and_load();
    ck_assert(known("a"));
}
END_TEST

START_TEST(an_unknown_outcome_that_was_lost_is_undone)
{
    struct test_job a = enroll_job("a"), again = enroll_job("a");
    fault = STORE_FAULT_LOST;
    ck_assert_int_eq(run(&a, NULL), WRITER_GOES_ON);
    expect_refused(&a, ERROR_NOT_DURABLE);
    ck_assert(!known("a"));
    fault = STORE_FAULT_NONE;
    run(&again, NULL);
    expect_done(&again);
}
END_TEST

START_TEST(nothing_is_decided_until_the_outcome_is_known)
{
    struct test_job a = enroll_job("a");
    fault = STORE_FAULT_AFTER;
    store_memory_fail_position(store, 5);
    ck_assert_int_eq(run(&a, NULL), WRITER_GOES_ON);
    ck_assert_uint_eq(pauses, 5);
    expect_done(&a);
}
END_TEST

START_TEST(who_gives_up_says_that_it_does_not_know)
{
    struct test_job a = enroll_job("a");
    fault = STORE_FAULT_AFTER;
    pauses_allowed = 3;
    store_memory_fail_position(store, 50);
    ck_assert_int_eq(run(&a, NULL), WRITER_GAVE_UP);
    expect_refused(&a, ERROR_NOT_DURABLE);
    ck_assert_ptr_nonnull(strstr(a.error.msg, "could not be found out"));
    crash_and_load();
    ck_assert(known("a"));
}
END_TEST

START_TEST(a_scheduler_that_was_overtaken_stops)
{
    /* Another one wrote under a higher epoch. */
    ck_assert_int_eq(store->ops->commit(store, writer.epoch + 1,
                                        writer.revision + 1, NULL, 0, NULL),
                     STORE_DONE);
    struct test_job a = enroll_job("a");
    ck_assert_int_eq(run(&a, NULL), WRITER_FENCED);
    expect_refused(&a, ERROR_UNAVAILABLE);
    ck_assert(!known("a"));
}
END_TEST

/* While our commit is under way, another scheduler's takes its place. */
static enum store_fault overtake(void *context)
{
    (void)context;
    store_memory_set_hook(store, NULL, NULL);
    ck_assert_int_eq(store->ops->commit(store, writer.epoch + 7,
                                        writer.revision + 1, NULL, 0, NULL),
                     STORE_DONE);
    return STORE_FAULT_LOST;
}

START_TEST(an_unknown_outcome_in_whose_place_another_wrote_stops_it_too)
{
    struct test_job a = enroll_job("a");
    store_memory_set_hook(store, overtake, NULL);
    ck_assert_int_eq(run(&a, NULL), WRITER_FENCED);
    expect_refused(&a, ERROR_UNAVAILABLE);
    ck_assert(!known("a"));
}
END_TEST

START_TEST(what_is_not_durable_needs_no_commit)
{
    make_host("h1", 1);
    uint64_t commits = store_memory_commits(store);
    auto_observed struct observed *observed = make_report("h1", 1, 2);
    struct test_job report = report_job("h1", observed);
    fault = STORE_FAULT_BEFORE;
    ck_assert_int_eq(run(&report, NULL), WRITER_GOES_ON);
    expect_done(&report);
    ck_assert_uint_eq(store_memory_commits(store), commits);
}
END_TEST

START_TEST(the_hosts_whose_documents_changed_are_told)
{
    make_host("h1", 1);
    make_host("h2", 2);
    str_done(&changed);
    struct test_job vm = vm_job("web");
    str_copy(vm.request.host, "h2");
    run(&vm, NULL);
    expect_done(&vm);
    ck_assert_str_eq(str_text(&changed), "h2;events;");
    ref_put(vm.vm);
}
END_TEST

START_TEST(a_crash_at_any_step_answers_nobody_and_keeps_all_or_nothing)
{
    static const struct {
        const char *step;
        bool kept;
    } cases[] = {{"commit:before", false},
                 {"commit:after", true},
                 {"answer:before", true}};
    static const char *const all[] = {
#define X(step) step,
        WRITER_STEPS(X)
#undef X
    };
    ck_assert_uint_eq(sizeof all / sizeof *all, sizeof cases / sizeof *cases);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char first[8], second[8];
        snprintf(first, sizeof first, "a%zu", i);
        snprintf(second, sizeof second, "b%zu", i);
        struct test_job a = enroll_job(first), b = enroll_job(second);
        crash_at = cases[i].step;
        ck_assert_str_eq(crash_at, all[i]);
        ck_assert_int_eq(run(&a, &b), WRITER_CRASHED);
        ck_assert_int_eq(atomic_load(&a.answers), 0);
        ck_assert_int_eq(atomic_load(&b.answers), 0);
        crash_and_load();
        ck_assert_int_eq(known(first), cases[i].kept);
        ck_assert_int_eq(known(second), cases[i].kept);
    }
}
END_TEST

START_TEST(everything_comes_back_after_a_crash_as_it_was)
{
    make_host("h1", 1);
    struct test_job vm = vm_job("web");
    vm.request.ports[0].policy.set = POLICY_BIT(POLICY_VLAN);
    vm.request.ports[0].policy.vlan = 100;
    str_copy(vm.request.idempotency_key, "key-1");
    vm.request.request_hash = UINT64_C(0xfedcba9876543210);
    run(&vm, NULL);
    expect_done(&vm);
    const struct vm *before = vm.vm;
    crash_and_load();
    const struct vm *after = snapshot_vm(writer.snapshot, &before->id);
    ck_assert_ptr_nonnull(after);
    ck_assert_str_eq(after->host, "h1");
    ck_assert_str_eq(after->idempotency_key, "key-1");
    ck_assert_uint_eq(after->request_hash, before->request_hash);
    ck_assert_int_eq(after->created_at, before->created_at);
    ck_assert_mem_eq(&after->ports[0], &before->ports[0],
                     sizeof after->ports[0]);
    const struct token *token = snapshot_token_after(writer.snapshot, NULL);
    ck_assert_ptr_null(token);
    uint8_t hash[32];
    const char *name = NULL;
    hash_of("h1", hash);
    ck_assert_int_eq(snapshot_identify(writer.snapshot, hash, &name),
                     ROLE_AGENT);
    ck_assert_str_eq(name, "h1");
    /* The same key gives the same VM. */
    struct test_job again = vm_job("web");
    again.request = vm.request;
    run(&again, NULL);
    expect_done(&again);
    ck_assert(again.repeated);
    ck_assert(uuid_equal(&again.vm->id, &before->id));
    ref_put(again.vm);
    ref_put(vm.vm);
}
END_TEST

START_TEST(a_probe_is_an_empty_commit)
{
    uint64_t revision = stored_revision();
    struct error err = {0};
    fault = STORE_FAULT_BEFORE;
    ck_assert_int_eq(writer_probe(&writer, &err), WRITER_GOES_ON);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    ck_assert_uint_eq(stored_revision(), revision);
    fault = STORE_FAULT_NONE;
    ck_assert_int_eq(writer_probe(&writer, &err), WRITER_GOES_ON);
    ck_assert_uint_eq(stored_revision(), revision + 1);
}
END_TEST

/* Loads a store that holds one bad entry; returns what is said. */
static struct error load_bad(const char *kind, const char *key,
                             const char *value)
{
    static const struct core_config config = {0};
    static const struct writer_hooks hooks = {0};
    struct store_change change = {kind, key, strlen(key), value, strlen(value)};
    struct writer other;
    struct error err = {0};
    ck_assert_int_eq(store->ops->commit(store, writer.epoch,
                                        stored_revision() + 1, &change, 1,
                                        NULL),
                     STORE_DONE);
    ck_assert_int_eq(writer_load(&other, store, &config, 1, &hooks, &err), -1);
    return err;
}

START_TEST(a_record_that_cannot_be_read_is_named)
{
    static const struct {
        const char *kind, *key, *value;
    } cases[] = {
        {"host", "h9", "{"},        {"host", "h9", "{\"name\": 5}"},
        {"host", "h9", "[]"},       {"token", "t9", ""},
        {"unheard_of", "x9", "{}"}, {"report", "h9", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err =
            load_bad(cases[i].kind, cases[i].key, cases[i].value);
        ck_assert_int_eq(err.code, ERROR_CORRUPT);
        ck_assert_msg(strstr(err.msg, cases[i].kind) != NULL, "%s", err.msg);
        ck_assert_msg(strstr(err.msg, cases[i].key) != NULL, "%s", err.msg);
        ck_assert_str_ne(err.remedy, "");
        struct store_change undo = {cases[i].kind, cases[i].key,
                                    strlen(cases[i].key), NULL, 0};
        store->ops->commit(store, writer.epoch, stored_revision() + 1, &undo, 1,
                           NULL);
    }
}
END_TEST

static int find_host(void *context, const char *kind, const void *key,
                     size_t key_length, const void *value, size_t value_length,
                     struct error *err)
{
    (void)key;
    (void)key_length;
    (void)err;
    if (strcmp(kind, "host") == 0)
        str_add_bytes(context, value, value_length);
    return 0;
}

START_TEST(a_record_under_another_key_is_named)
{
    struct test_job a = enroll_job("a");
    auto_str struct str host = {0};
    run(&a, NULL);
    ck_assert_int_eq(store->ops->load(store, find_host, &host, NULL), 0);
    struct error err = load_bad("host", "other", str_text(&host));
    ck_assert_int_eq(err.code, ERROR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, "'other'"));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_batch_is_one_commit_and_published_before_its_answers,
        each_start_has_a_higher_epoch,
        a_job_that_fails_takes_nobody_down,
        a_job_that_fails_late_leaves_nothing,
        a_dry_run_decides_and_keeps_nothing,
        a_failed_commit_undoes_and_refuses_the_whole_batch,
        an_unknown_outcome_that_was_stored_is_kept,
        an_unknown_outcome_that_was_lost_is_undone,
        nothing_is_decided_until_the_outcome_is_known,
        who_gives_up_says_that_it_does_not_know,
        a_scheduler_that_was_overtaken_stops,
        an_unknown_outcome_in_whose_place_another_wrote_stops_it_too,
        what_is_not_durable_needs_no_commit,
        the_hosts_whose_documents_changed_are_told,
        a_crash_at_any_step_answers_nobody_and_keeps_all_or_nothing,
        everything_comes_back_after_a_crash_as_it_was,
        a_probe_is_an_empty_commit,
        a_record_that_cannot_be_read_is_named,
        a_record_under_another_key_is_named,
    };
    Suite *suite = suite_create("writer");
    TCase *tcase = tcase_create("on a simulated disk");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
