/* SPDX-License-Identifier: Apache-2.0 */
/* Small reads, durable replacement, folders; in a folder of their own. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "tests/unit/check_main.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct error err;

/* A new empty folder; each test removes what it made. */
static const char *folder(void)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/sriov-test-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
    return path;
}

static char *in(const char *dir, const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static int open_files(void)
{
    int count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

START_TEST(a_file_is_read_whole)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "a");
    size_t length = 0;
    ck_assert_int_eq(file_replace(path, "a\0b\n", 4, 0600, &err), 0);
    auto_free char *text = file_read(AT_FDCWD, path, 100, &length, &err);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(length, 4);
    ck_assert_mem_eq(text, "a\0b\n", 5);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(a_file_is_read_up_to_the_limit_and_refused_beyond)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "a");
    ck_assert_int_eq(file_replace(path, "12345", 5, 0600, &err), 0);
    auto_free char *text = file_read(AT_FDCWD, path, 5, NULL, &err);
    ck_assert_str_eq(text, "12345");
    ck_assert_ptr_null(file_read(AT_FDCWD, path, 4, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(files_of_the_kernel_are_read_though_they_tell_no_size)
{
    auto_free char *text =
        file_read(AT_FDCWD, "/proc/self/status", 1 << 20, NULL, &err);
    ck_assert_ptr_nonnull(text);
    ck_assert_ptr_nonnull(strstr(text, "Threads:"));
}
END_TEST

START_TEST(reads_are_below_the_given_folder)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "a");
    ck_assert_int_eq(file_replace(path, "x", 1, 0600, &err), 0);
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_free char *text = file_read(fd, "a", 9, NULL, &err);
    ck_assert_str_eq(text, "x");
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(what_is_not_there_is_vanished)
{
    ck_assert_ptr_null(file_read(AT_FDCWD, "/nonexistent/file", 9, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(err.sys, ENOENT);
    ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/file"));
}
END_TEST

START_TEST(a_replaced_file_has_the_mode_and_no_leftover_beside_it)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "token");
    auto_free char *beside = in(dir, "token.new");
    ck_assert_int_eq(file_replace(path, "old, longer", 11, 0644, &err), 0);
    ck_assert_int_eq(file_replace(path, "new", 3, 0600, &err), 0);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 07777, 0600);
    ck_assert_int_eq(info.st_size, 3);
    ck_assert_int_eq(stat(beside, &info), -1);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(a_failed_replacement_leaves_the_old_and_nothing_else)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "taken");
    auto_free char *beside = in(dir, "taken.new");
    struct stat info;
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(file_replace(path, "x", 1, 0600, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "rename"));
    ck_assert_int_eq(stat(beside, &info), -1);
    rmdir(path);
    auto_free char *nowhere = in(dir, "missing/file");
    ck_assert_int_eq(file_replace(nowhere, "x", 1, 0600, &err), -1);
    ck_assert_int_eq(err.sys, ENOENT);
    rmdir(dir);
}
END_TEST

START_TEST(a_write_that_fails_midway_is_told_and_leaves_the_old)
{
    /* As a full disk does: the first bytes fit, the next do not. */
    static const struct rlimit two_bytes = {2, 2};
    const char *dir = folder();
    auto_free char *path = in(dir, "state");
    auto_free char *beside = in(dir, "state.new");
    struct stat info;
    ck_assert_int_eq(file_replace(path, "ol", 2, 0600, &err), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &two_bytes), 0);
    ck_assert_int_eq(file_replace(path, "new", 3, 0600, &err), -1);
    ck_assert_int_eq(err.sys, EFBIG);
    auto_free char *text = file_read(AT_FDCWD, path, 9, NULL, &err);
    ck_assert_str_eq(text, "ol");
    ck_assert_int_eq(stat(beside, &info), -1);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(folders_are_made_with_their_parents)
{
    const char *dir = folder();
    auto_free char *deep = in(dir, "a/b/c");
    ck_assert_int_eq(file_make_dirs(deep, 0700, &err), 0);
    ck_assert_int_eq(file_make_dirs(deep, 0700, &err), 0);
    struct stat info;
    ck_assert_int_eq(stat(deep, &info), 0);
    ck_assert(S_ISDIR(info.st_mode));
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(rmdir(deep), 0);
        *strrchr(deep, '/') = '\0';
    }
    ck_assert_int_eq(file_make_dirs("", 0700, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_int_eq(file_make_dirs("/dev/null/x", 0700, &err), -1);
}
END_TEST

START_TEST(no_descriptor_stays_open)
{
    const char *dir = folder();
    auto_free char *path = in(dir, "a");
    int before = open_files();
    ck_assert_int_eq(file_replace(path, "12345", 5, 0600, &err), 0);
    free(file_read(AT_FDCWD, path, 9, NULL, &err));
    ck_assert_ptr_null(file_read(AT_FDCWD, path, 1, NULL, &err));
    ck_assert_int_eq(file_replace("/nonexistent/x", "1", 1, 0600, &err), -1);
    ck_assert_int_eq(open_files(), before);
    unlink(path);
    rmdir(dir);
}
END_TEST

CHECK_MAIN("file", a_file_is_read_whole,
           a_file_is_read_up_to_the_limit_and_refused_beyond,
           files_of_the_kernel_are_read_though_they_tell_no_size,
           reads_are_below_the_given_folder, what_is_not_there_is_vanished,
           a_replaced_file_has_the_mode_and_no_leftover_beside_it,
           a_failed_replacement_leaves_the_old_and_nothing_else,
           a_write_that_fails_midway_is_told_and_leaves_the_old,
           folders_are_made_with_their_parents, no_descriptor_stays_open);
