/* SPDX-License-Identifier: Apache-2.0 */
/* One suite for every store: what db/store.h promises. */
#include "common/base/mem.h"
#include "common/base/str.h"
#include "db/memory/memory.h"
#include "db/store.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static char folder[64];

struct engine {
    const char *name;
    struct store *(*open)(void);
    struct store *(*reopen)(struct store *store); /* as after a crash */
};

static struct store *open_sqlite(void)
{
    struct error err = {0};
    struct store *store = store_sqlite_open(folder, &err);
    ck_assert_msg(store != NULL, "%s", err.msg);
    return store;
}

static struct store *reopen_sqlite(struct store *store)
{
    store_close(store);
    return open_sqlite();
}

static struct store *reopen_memory(struct store *store)
{
    store_memory_reopen(store);
    return store;
}

static const struct engine engines[] = {
    {"sqlite", open_sqlite, reopen_sqlite},
    {"memory", store_memory_open, reopen_memory},
};
#define ENGINES ((int)(sizeof engines / sizeof *engines))

static struct store *store;

static void setup(void)
{
    strcpy(folder, "/tmp/sriov-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    store_close(take_ptr(store));
    auto_free char *command = mem_printf("rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static struct store_change put(const char *kind, const char *key,
                               const char *value)
{
    return (struct store_change){kind, key, strlen(key), value,
                                 value ? strlen(value) : 0};
}

static enum store_outcome commit1(uint64_t epoch, uint64_t revision,
                                  struct store_change change, struct error *err)
{
    return store->ops->commit(store, epoch, revision, &change, 1, err);
}

static int show(void *context, const char *kind, const void *key,
                size_t key_length, const void *value, size_t value_length,
                struct error *err)
{
    (void)err;
    str_printf(context, "%s/%.*s=%.*s;", kind, (int)key_length,
               (const char *)key, (int)value_length, (const char *)value);
    return 0;
}

/* Everything stored, as text. */
static void expect(const char *wanted)
{
    auto_str struct str all = {0};
    struct error err = {0};
    ck_assert_msg(store->ops->load(store, show, &all, &err) == 0, "%s",
                  err.msg);
    ck_assert_str_eq(str_text(&all), wanted);
}

static void expect_position(uint64_t epoch, uint64_t revision)
{
    uint64_t got_epoch = 99, got_revision = 99;
    struct error err = {0};
    ck_assert_msg(
        store->ops->position(store, &got_epoch, &got_revision, &err) == 0, "%s",
        err.msg);
    ck_assert_uint_eq(got_epoch, epoch);
    ck_assert_uint_eq(got_revision, revision);
}

START_TEST(a_new_store_is_empty_at_epoch_and_revision_zero)
{
    store = engines[_i].open();
    expect("");
    expect_position(0, 0);
}
END_TEST

START_TEST(a_commit_survives_a_crash_whole)
{
    store = engines[_i].open();
    struct store_change batch[] = {
        put("vm", "b", "2"),
        put("vm", "a", "1"),
        put("host", "h1", "first"),
        put("host", "h1", "second"),
    };
    ck_assert_int_eq(store->ops->commit(store, 3, 1, batch, 4, NULL),
                     STORE_DONE);
    store = engines[_i].reopen(store);
    expect("host/h1=second;vm/a=1;vm/b=2;");
    expect_position(3, 1);
}
END_TEST

START_TEST(a_change_without_value_removes_the_entry)
{
    store = engines[_i].open();
    ck_assert_int_eq(commit1(1, 1, put("vm", "a", "1"), NULL), STORE_DONE);
    ck_assert_int_eq(commit1(1, 2, put("vm", "b", "2"), NULL), STORE_DONE);
    ck_assert_int_eq(commit1(1, 3, put("vm", "a", NULL), NULL), STORE_DONE);
    ck_assert_int_eq(commit1(1, 4, put("vm", "never", NULL), NULL), STORE_DONE);
    store = engines[_i].reopen(store);
    expect("vm/b=2;");
}
END_TEST

START_TEST(an_empty_value_and_any_bytes_are_kept)
{
    store = engines[_i].open();
    struct store_change batch[] = {
        put("vm", "empty", ""),
        {"vm", "\0\xff\x01", 3, "a\0b", 3},
    };
    ck_assert_int_eq(store->ops->commit(store, 1, 1, batch, 2, NULL),
                     STORE_DONE);
    store = engines[_i].reopen(store);
    auto_str struct str all = {0};
    ck_assert_int_eq(store->ops->load(store, show, &all, NULL), 0);
    ck_assert_ptr_nonnull(strstr(str_text(&all), "vm/empty=;"));
}
END_TEST

static int count_order(void *context, const char *kind, const void *key,
                       size_t key_length, const void *value,
                       size_t value_length, struct error *err)
{
    (void)kind;
    (void)value;
    (void)value_length;
    (void)err;
    uint32_t *next = context;
    const uint8_t *bytes = key;
    ck_assert_uint_eq(key_length, 2);
    ck_assert_uint_eq((uint32_t)bytes[0] << 8 | bytes[1], *next);
    (*next)++;
    return 0;
}

START_TEST(load_walks_keys_in_the_order_of_their_bytes)
{
    store = engines[_i].open();
    struct store_change batch[600];
    uint8_t keys[600][2];
    for (uint32_t i = 0; i < 600; i++) {
        uint32_t number = (i * 7) % 600;
        keys[i][0] = (uint8_t)(number >> 8);
        keys[i][1] = (uint8_t)number;
        batch[i] = (struct store_change){"event", keys[i], 2, "x", 1};
    }
    ck_assert_int_eq(store->ops->commit(store, 1, 1, batch, 600, NULL),
                     STORE_DONE);
    uint32_t next = 0;
    ck_assert_int_eq(store->ops->load(store, count_order, &next, NULL), 0);
    ck_assert_uint_eq(next, 600);
}
END_TEST

static int stop(void *context, const char *kind, const void *key,
                size_t key_length, const void *value, size_t value_length,
                struct error *err)
{
    (void)kind;
    (void)key;
    (void)key_length;
    (void)value;
    (void)value_length;
    ++*(int *)context;
    return error_set(err, ERROR_CORRUPT, "enough");
}

START_TEST(a_visitor_that_fails_ends_the_walk_with_its_error)
{
    store = engines[_i].open();
    struct store_change batch[] = {put("vm", "a", "1"), put("vm", "b", "2")};
    ck_assert_int_eq(store->ops->commit(store, 1, 1, batch, 2, NULL),
                     STORE_DONE);
    int calls = 0;
    struct error err = {0};
    ck_assert_int_eq(store->ops->load(store, stop, &calls, &err), -1);
    ck_assert_int_eq(calls, 1);
    ck_assert_str_eq(err.msg, "enough");
    expect("vm/a=1;vm/b=2;");
}
END_TEST

START_TEST(an_older_epoch_is_refused_and_nothing_of_it_stored)
{
    store = engines[_i].open();
    struct error err = {0};
    ck_assert_int_eq(commit1(5, 1, put("vm", "a", "1"), NULL), STORE_DONE);
    ck_assert_int_eq(commit1(4, 2, put("vm", "a", "stale"), &err),
                     STORE_FAILED);
    ck_assert_int_eq(err.code, ERROR_OLD_EPOCH);
    expect("vm/a=1;");
    expect_position(5, 1);
    ck_assert_int_eq(commit1(6, 2, put("vm", "a", "2"), NULL), STORE_DONE);
    expect_position(6, 2);
}
END_TEST

START_TEST(a_revision_that_does_not_follow_is_refused)
{
    store = engines[_i].open();
    static const uint64_t wrong[] = {0, 1, 3, 1000};
    ck_assert_int_eq(commit1(1, 1, put("vm", "a", "1"), NULL), STORE_DONE);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {0};
        ck_assert_int_eq(commit1(1, wrong[i], put("vm", "a", "2"), &err),
                         STORE_FAILED);
        ck_assert_int_eq(err.code, ERROR_CONFLICT);
    }
    expect("vm/a=1;");
    expect_position(1, 1);
}
END_TEST

START_TEST(a_batch_with_one_bad_change_stores_nothing)
{
    store = engines[_i].open();
    auto_free char *huge = mem_calloc(STORE_VALUE_MAX + 2, 1);
    memset(huge, 'x', STORE_VALUE_MAX + 1);
    struct store_change bad[] = {
        put("VM", "a", "1"),
        put("", "a", "1"),
        put("a_kind_with_more_than_thirty_one_bytes", "a", "1"),
        put("vm", "", "1"),
        put("vm",
            "0123456789012345678901234567890123456789012345678901234567890123"
            "4",
            "1"),
        put("vm", "a", huge),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct store_change batch[] = {put("vm", "good", "1"), bad[i]};
        struct error err = {0};
        ck_assert_int_eq(store->ops->commit(store, 1, 1, batch, 2, &err),
                         STORE_FAILED);
        ck_assert_int_ne(err.code, ERROR_NONE);
        ck_assert_str_ne(err.field, "");
    }
    expect("");
    expect_position(0, 0);
}
END_TEST

START_TEST(the_greatest_value_is_stored)
{
    store = engines[_i].open();
    auto_free char *huge = mem_calloc(STORE_VALUE_MAX, 1);
    memset(huge, 'x', STORE_VALUE_MAX);
    struct store_change change = {"vm", "k", 1, huge, STORE_VALUE_MAX};
    ck_assert_int_eq(store->ops->commit(store, 1, 1, &change, 1, NULL),
                     STORE_DONE);
    store = engines[_i].reopen(store);
    auto_str struct str all = {0};
    ck_assert_int_eq(store->ops->load(store, show, &all, NULL), 0);
    ck_assert_uint_eq(all.length, strlen("vm/k=;") + STORE_VALUE_MAX);
}
END_TEST

START_TEST(a_commit_without_changes_moves_the_revision)
{
    store = engines[_i].open();
    ck_assert_int_eq(store->ops->commit(store, 2, 1, NULL, 0, NULL),
                     STORE_DONE);
    expect_position(2, 1);
}
END_TEST

static int show_change(void *context, uint64_t revision,
                       const struct store_change *change, struct error *err)
{
    (void)err;
    str_printf(context, "%llu:%s/%.*s=%.*s;", (unsigned long long)revision,
               change->kind, (int)change->key_length, (const char *)change->key,
               change->value ? (int)change->value_length : 4,
               change->value ? (const char *)change->value : "gone");
    return 0;
}

START_TEST(follow_tells_the_changes_after_a_revision_in_order)
{
    store = engines[_i].open();
    struct store_change batch[] = {put("vm", "b", "1"), put("vm", "a", "2")};
    ck_assert_int_eq(commit1(1, 1, put("host", "h", "0"), NULL), STORE_DONE);
    ck_assert_int_eq(store->ops->commit(store, 1, 2, batch, 2, NULL),
                     STORE_DONE);
    ck_assert_int_eq(commit1(1, 3, put("vm", "a", NULL), NULL), STORE_DONE);
    store = engines[_i].reopen(store);
    auto_str struct str all = {0};
    ck_assert_int_eq(store->ops->follow(store, 1, show_change, &all, NULL), 0);
    ck_assert_str_eq(str_text(&all), "2:vm/b=1;2:vm/a=2;3:vm/a=gone;");
    auto_str struct str none = {0};
    ck_assert_int_eq(store->ops->follow(store, 3, show_change, &none, NULL), 0);
    ck_assert_str_eq(str_text(&none), "");
}
END_TEST

START_TEST(follow_says_when_changes_are_not_kept_any_more)
{
    store = engines[_i].open();
    for (uint64_t revision = 1; revision <= 400; revision++)
        ck_assert_int_eq(commit1(1, revision, put("vm", "a", "1"), NULL),
                         STORE_DONE);
    auto_str struct str all = {0};
    struct error err = {0};
    ck_assert_int_eq(store->ops->follow(store, 1, show_change, &all, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
    ck_assert_int_eq(store->ops->follow(store, 401, show_change, &all, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
    ck_assert_str_eq(str_text(&all), "");
    ck_assert_int_eq(store->ops->follow(store, 398, show_change, &all, NULL),
                     0);
    ck_assert_str_eq(str_text(&all), "399:vm/a=1;400:vm/a=1;");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_new_store_is_empty_at_epoch_and_revision_zero,
        a_commit_survives_a_crash_whole,
        a_change_without_value_removes_the_entry,
        an_empty_value_and_any_bytes_are_kept,
        load_walks_keys_in_the_order_of_their_bytes,
        a_visitor_that_fails_ends_the_walk_with_its_error,
        an_older_epoch_is_refused_and_nothing_of_it_stored,
        a_revision_that_does_not_follow_is_refused,
        a_batch_with_one_bad_change_stores_nothing,
        the_greatest_value_is_stored,
        a_commit_without_changes_moves_the_revision,
        follow_tells_the_changes_after_a_revision_in_order,
        follow_says_when_changes_are_not_kept_any_more,
    };
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("every engine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_loop_test(tcase, tests[i], 0, ENGINES);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
