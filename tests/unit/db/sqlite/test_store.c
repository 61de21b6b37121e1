/* SPDX-License-Identifier: Apache-2.0 */
/* What only the SQLite store has: its folder, lock, file checks, a full disk. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "db/store.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static struct store *store;

/* SQLite's own calls come here first: the program's symbols precede those of
 * libraries. What the kernel was given before stays given, as with a real
 * error of fsync. */
static bool sync_fails;
int fdatasync(int fd)
{
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
int fsync(int fd)
{
    if (sync_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void setup(void)
{
    strcpy(folder, "/tmp/sriov-sqlite-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    store = NULL;
}

static void teardown(void)
{
    store_close(take_ptr(store));
    auto_free char *command = mem_printf("rm -rf '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void open_store(void)
{
    struct error err = {0};
    store = store_sqlite_open(folder, &err);
    ck_assert_msg(store != NULL, "%s", err.msg);
}

static enum store_outcome write_value(uint64_t revision, const char *key,
                                      const void *value, size_t length,
                                      struct error *err)
{
    struct store_change change = {"vm", key, strlen(key), value, length};
    return store->ops->commit(store, 1, revision, &change, 1, err);
}

static char *file_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

START_TEST(files_are_for_the_owner_only)
{
    auto_free char *below = file_of("deep/data");
    struct error err = {0};
    store = store_sqlite_open(below, &err);
    ck_assert_msg(store != NULL, "%s", err.msg);
    ck_assert_int_eq(write_value(1, "a", "1", 1, NULL), STORE_DONE);
    static const char *const names[] = {"store.db", "store.db-wal", "lock"};
    struct stat facts;
    ck_assert_int_eq(stat(below, &facts), 0);
    ck_assert_uint_eq(facts.st_mode & 0777, 0700);
    for (size_t i = 0; i < 3; i++) {
        auto_free char *path = mem_printf("%s/%s", below, names[i]);
        ck_assert_msg(stat(path, &facts) == 0, "%s", path);
        ck_assert_uint_eq(facts.st_mode & 0777, 0600);
    }
}
END_TEST

START_TEST(a_second_opener_is_told_the_pid_of_the_first)
{
    open_store();
    struct error err = {0};
    ck_assert_ptr_null(store_sqlite_open(folder, &err));
    ck_assert_int_eq(err.code, ERROR_IN_USE);
    auto_free char *pid = mem_printf("process %d", (int)getpid());
    ck_assert_ptr_nonnull(strstr(err.msg, pid));
    ck_assert_str_ne(err.remedy, "");
}
END_TEST

START_TEST(the_lock_ends_with_its_process)
{
    pid_t child = fork();
    if (child == 0) {
        struct store *theirs = store_sqlite_open(folder, NULL);
        raise(theirs ? SIGKILL : SIGTERM);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    open_store();
}
END_TEST

static void expect_refused(enum error_code code, const char *remedy)
{
    struct error err = {0};
    store = store_sqlite_open(folder, &err);
    ck_assert_ptr_null(store);
    ck_assert_msg(err.code == code, "%s: %s", error_code_name(err.code),
                  err.msg);
    ck_assert_msg(strstr(err.msg, "store.db") != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.remedy, remedy) != NULL, "%s", err.remedy);
}

START_TEST(a_file_of_something_else_is_damaged)
{
    auto_free char *path = file_of("store.db");
    char text[8192];
    memset(text, 'x', sizeof text);
    ck_assert_int_eq(file_replace(path, text, sizeof text, 0600, NULL), 0);
    expect_refused(ERROR_CORRUPT, "snapshot");
}
END_TEST

static void overwrite(const char *path, off_t at, size_t length)
{
    auto_free char *noise = mem_calloc(length, 1);
    memset(noise, 0x5a, length);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)pwrite(fd, noise, length, at), (int)length);
}

START_TEST(overwritten_pages_are_found_at_open)
{
    open_store();
    auto_free char *value = mem_calloc(30000, 1);
    memset(value, 'v', 30000);
    for (uint64_t i = 1; i <= 10; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%u", (unsigned)i);
        ck_assert_int_eq(write_value(i, key, value, 30000, NULL), STORE_DONE);
    }
    store_close(take_ptr(store));
    auto_free char *path = file_of("store.db");
    overwrite(path, 4096, 3 * 4096);
    expect_refused(ERROR_CORRUPT, "snapshot");
}
END_TEST

START_TEST(a_truncated_file_is_found_at_open)
{
    open_store();
    auto_free char *value = mem_calloc(30000, 1);
    ck_assert_int_eq(write_value(1, "a", value, 30000, NULL), STORE_DONE);
    store_close(take_ptr(store));
    auto_free char *path = file_of("store.db");
    ck_assert_int_eq(truncate(path, 8192), 0);
    expect_refused(ERROR_CORRUPT, "snapshot");
}
END_TEST

START_TEST(a_newer_schema_is_refused_and_left_as_it_is)
{
    open_store();
    store_close(take_ptr(store));
    auto_free char *path = file_of("store.db");
    /* The user version lies at byte 60 (sqlite.org/fileformat2.html). */
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq((int)pwrite(fd, "\0\0\0\x63", 4, 60), 4);
    size_t before_length = 0, after_length = 0;
    auto_free char *before =
        file_read(AT_FDCWD, path, 1 << 20, &before_length, NULL);
    expect_refused(ERROR_UNSUPPORTED, "newer");
    auto_free char *after =
        file_read(AT_FDCWD, path, 1 << 20, &after_length, NULL);
    ck_assert_uint_eq(before_length, after_length);
    ck_assert_mem_eq(before, after, before_length);
}
END_TEST

START_TEST(an_empty_file_of_a_crashed_first_start_is_fine)
{
    auto_free char *path = file_of("store.db");
    ck_assert_int_eq(file_replace(path, "", 0, 0600, NULL), 0);
    open_store();
    ck_assert_int_eq(write_value(1, "a", "1", 1, NULL), STORE_DONE);
}
END_TEST

START_TEST(a_snapshot_is_a_store_of_its_own)
{
    open_store();
    ck_assert_int_eq(write_value(1, "a", "1", 1, NULL), STORE_DONE);
    auto_free char *copy = file_of("copy");
    ck_assert_int_eq(mkdir(copy, 0700), 0);
    auto_free char *path = mem_printf("%s/store.db", copy);
    struct error err = {0};
    ck_assert_msg(store->ops->snapshot(store, path, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(store->ops->snapshot(store, path, &err), -1);
    ck_assert_int_eq(write_value(2, "a", "2", 1, NULL), STORE_DONE);
    store_close(take_ptr(store));

    store = store_sqlite_open(copy, &err);
    ck_assert_msg(store != NULL, "%s", err.msg);
    uint64_t epoch = 0, revision = 0;
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, NULL), 0);
    ck_assert_uint_eq(epoch, 1);
    ck_assert_uint_eq(revision, 1);
    ck_assert_int_eq(write_value(2, "b", "2", 1, NULL), STORE_DONE);
}
END_TEST

/* A limit on file sizes stands for a full disk: SQLite gets EFBIG where a full
 * disk gives ENOSPC. Whatever is said, position() then tells the truth, and the
 * store goes on when there is room again. */
START_TEST(a_full_disk_stores_nothing_of_the_batch_and_ends)
{
    open_store();
    ck_assert_int_eq(write_value(1, "a", "1", 1, NULL), STORE_DONE);
    struct rlimit old;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = {100000, old.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    auto_free char *value = mem_calloc(500000, 1);
    struct error err = {0};
    enum store_outcome outcome = write_value(2, "b", value, 500000, &err);
    ck_assert_int_ne(outcome, STORE_DONE);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    ck_assert_str_ne(err.remedy, "");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
    uint64_t epoch = 0, revision = 0;
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, NULL), 0);
    ck_assert_uint_eq(revision, 1);
    ck_assert_int_eq(write_value(2, "b", value, 500000, &err), STORE_DONE);
}
END_TEST

static void expect_revision(uint64_t wanted)
{
    uint64_t epoch = 0, revision = 0;
    struct error err = {0};
    ck_assert_msg(store->ops->position(store, &epoch, &revision, &err) == 0,
                  "%s", err.msg);
    ck_assert_uint_eq(revision, wanted);
}

START_TEST(after_a_failed_sync_the_outcome_is_unknown_until_it_was_settled)
{
    open_store();
    ck_assert_int_eq(write_value(1, "a", "1", 1, NULL), STORE_DONE);
    struct error err = {0};
    uint64_t epoch = 0, revision = 0;
    sync_fails = true;
    ck_assert_int_eq(write_value(2, "b", "2", 1, &err), STORE_UNKNOWN);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    ck_assert_str_ne(err.remedy, "");
    ck_assert_int_eq(store->ops->position(store, &epoch, &revision, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_DURABLE);
    sync_fails = false;
    expect_revision(1);
    ck_assert_int_eq(write_value(2, "c", "3", 1, NULL), STORE_DONE);
    store_close(take_ptr(store));
    open_store();
    expect_revision(2);
}
END_TEST

/* In a child that dies: the frames of the batch lie in the log, whole. */
static void die_after_unknown(bool settle)
{
    store = store_sqlite_open(folder, NULL);
    write_value(1, "a", "1", 1, NULL);
    sync_fails = true;
    enum store_outcome outcome = write_value(2, "b", "2", 1, NULL);
    sync_fails = false;
    uint64_t epoch = 0, revision = 0;
    if (settle && store->ops->position(store, &epoch, &revision, NULL) == 0 &&
        revision != 1)
        _exit(1);
    raise(outcome == STORE_UNKNOWN ? SIGKILL : SIGTERM);
}

START_TEST(what_position_said_is_still_true_after_a_crash)
{
    pid_t child = fork();
    if (child == 0)
        die_after_unknown(true);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    open_store();
    expect_revision(1);
}
END_TEST

/* Why the test above is needed: without asking, the batch comes back. */
START_TEST(an_unknown_batch_that_nobody_asked_for_may_come_back)
{
    pid_t child = fork();
    if (child == 0)
        die_after_unknown(false);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    open_store();
    expect_revision(2);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_named)
{
    auto_free char *file = file_of("plain");
    ck_assert_int_eq(file_replace(file, "", 0, 0600, NULL), 0);
    auto_free char *below = file_of("plain/data");
    struct error err = {0};
    ck_assert_ptr_null(store_sqlite_open(below, &err));
    ck_assert_ptr_nonnull(strstr(err.msg, "plain"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db/sqlite");
    TCase *tcase = tcase_create("folder");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, files_are_for_the_owner_only);
    tcase_add_test(tcase, a_second_opener_is_told_the_pid_of_the_first);
    tcase_add_test(tcase, the_lock_ends_with_its_process);
    tcase_add_test(tcase, a_file_of_something_else_is_damaged);
    tcase_add_test(tcase, overwritten_pages_are_found_at_open);
    tcase_add_test(tcase, a_truncated_file_is_found_at_open);
    tcase_add_test(tcase, a_newer_schema_is_refused_and_left_as_it_is);
    tcase_add_test(tcase, an_empty_file_of_a_crashed_first_start_is_fine);
    tcase_add_test(tcase, a_snapshot_is_a_store_of_its_own);
    tcase_add_test(tcase, a_full_disk_stores_nothing_of_the_batch_and_ends);
    tcase_add_test(
        tcase, after_a_failed_sync_the_outcome_is_unknown_until_it_was_settled);
    tcase_add_test(tcase, what_position_said_is_still_true_after_a_crash);
    tcase_add_test(tcase, an_unknown_batch_that_nobody_asked_for_may_come_back);
    tcase_add_test(tcase, a_folder_that_cannot_be_made_is_named);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
