/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk: each fault does what it says. */
#include "db/memory/memory.h"

#include <check.h>
#include <string.h>

static struct store *store;
static enum store_fault next_fault;

static enum store_fault fault(void *context)
{
    (void)context;
    return next_fault;
}

static void setup(void)
{
    store = store_memory_open();
    store_memory_set_hook(store, fault, NULL);
    next_fault = STORE_FAULT_NONE;
}

static void teardown(void)
{
    store_close(store);
}

static enum store_outcome write_one(uint64_t revision, enum store_fault how)
{
    struct store_change change = {"vm", "a", 1, "1", 1};
    struct error err = {0};
    next_fault = how;
    enum store_outcome outcome =
        store->ops->commit(store, 1, revision, &change, 1, &err);
    ck_assert_int_eq(err.code == ERROR_NONE, outcome == STORE_DONE);
    return outcome;
}

static uint64_t revision_now(void)
{
    uint64_t epoch = 0, revision = 0;
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, NULL), 0);
    return revision;
}

START_TEST(before_stores_nothing_and_says_so)
{
    ck_assert_int_eq(write_one(1, STORE_FAULT_BEFORE), STORE_FAILED);
    ck_assert_uint_eq(revision_now(), 0);
}
END_TEST

START_TEST(after_stores_and_cannot_say_so)
{
    ck_assert_int_eq(write_one(1, STORE_FAULT_AFTER), STORE_UNKNOWN);
    ck_assert_uint_eq(revision_now(), 1);
    store_memory_reopen(store);
    ck_assert_uint_eq(revision_now(), 1);
}
END_TEST

START_TEST(lost_stores_nothing_and_cannot_say_so)
{
    ck_assert_int_eq(write_one(1, STORE_FAULT_LOST), STORE_UNKNOWN);
    ck_assert_uint_eq(revision_now(), 0);
}
END_TEST

START_TEST(a_lie_is_gone_after_a_crash)
{
    ck_assert_int_eq(write_one(1, STORE_FAULT_LIE), STORE_DONE);
    ck_assert_uint_eq(revision_now(), 1);
    store_memory_reopen(store);
    ck_assert_uint_eq(revision_now(), 0);
}
END_TEST

START_TEST(an_honest_commit_makes_an_earlier_lie_true)
{
    ck_assert_int_eq(write_one(1, STORE_FAULT_LIE), STORE_DONE);
    ck_assert_int_eq(write_one(2, STORE_FAULT_NONE), STORE_DONE);
    store_memory_reopen(store);
    ck_assert_uint_eq(revision_now(), 2);
    ck_assert_uint_eq(store_memory_commits(store), 2);
}
END_TEST

START_TEST(position_fails_as_often_as_told)
{
    struct error err = {0};
    uint64_t epoch = 0, revision = 0;
    store_memory_fail_position(store, 2);
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, &err), -1);
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, &err), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db/memory");
    TCase *tcase = tcase_create("faults");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, before_stores_nothing_and_says_so);
    tcase_add_test(tcase, after_stores_and_cannot_say_so);
    tcase_add_test(tcase, lost_stores_nothing_and_cannot_say_so);
    tcase_add_test(tcase, a_lie_is_gone_after_a_crash);
    tcase_add_test(tcase, an_honest_commit_makes_an_earlier_lie_true);
    tcase_add_test(tcase, position_fails_as_often_as_told);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
