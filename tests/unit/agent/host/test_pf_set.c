/* SPDX-License-Identifier: Apache-2.0 */
/* Bringing a PF to a target, in a tree that takes what is written as a plain
 * file does; a lease on a file makes its writer wait, as a kernel that hangs.
 * Order and refusals of real kernels: tests/contract/host, in the lab. */
#include "agent/host/pf_set.h"
#include "common/base/str.h"
#include "tests/unit/agent/host/tree.h"
#include "tests/unit/check_main.h"

#include <poll.h>
#include <signal.h>

#define FOLDER "sys/devices/" TREE_IGB_FOLDER

static struct tree tree;
static struct sysfs sysfs;
static struct pf_key key;
static struct error err;

static void begin(void)
{
    tree_begin(&tree);
    tree_igb(&tree, 4);
    tree_text(&tree, FOLDER "/sriov_drivers_autoprobe", "1");
    ck_assert_int_eq(sysfs_open(&sysfs, tree.root, &err), 0);
    sysfs.live = true;
    ck_assert(pf_key_parse(TREE_IGB_PF, &key));
}

static void end(void)
{
    sysfs_close(&sysfs);
    tree_end(&tree);
}

static int64_t file_number(const char *name)
{
    struct sysfs_path path =
        sysfs_path("sys/bus/pci/devices/%s/%s", key.text, name);
    int64_t number = -1;
    sysfs_read_number(&sysfs, path.text, 0, UINT16_MAX, &number, NULL);
    return number;
}

static struct pf *make_pf(void)
{
    struct pf *pf = pf_new(0);
    pf->key = key;
    pf->num_vfs = 4;
    return pf;
}

/* Wait for its end as the loop does. */
static void wait_for(struct pf_sets *sets)
{
    struct pollfd fd = {.fd = pf_sets_fd(sets), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, 30000), 1);
}

START_TEST(only_what_is_set_is_written_and_it_reads_back)
{
    begin();
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 7};
    ck_assert_msg(pf_set_now(&sysfs, &key, &to, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(file_number("sriov_numvfs"), 7);
    ck_assert_int_eq(file_number("sriov_drivers_autoprobe"), 1);
    to = (struct pf_target){.autoprobe = AUTOPROBE_OFF};
    ck_assert_msg(pf_set_now(&sysfs, &key, &to, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(file_number("sriov_numvfs"), 7);
    ck_assert_int_eq(file_number("sriov_drivers_autoprobe"), 0);
    end();
}
END_TEST

START_TEST(more_than_the_firmware_allows_is_refused_before_anything_is_written)
{
    begin();
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 8};
    ck_assert_int_eq(pf_set_now(&sysfs, &key, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    ck_assert_str_eq(err.field, "num_vfs");
    ck_assert_ptr_nonnull(strstr(err.msg, "at most 7"));
    ck_assert_int_eq(file_number("sriov_numvfs"), 4);
    end();
}
END_TEST

START_TEST(what_the_driver_does_not_have_is_refused_by_name)
{
    begin();
    tree_remove(&tree, FOLDER "/sriov_drivers_autoprobe");
    struct pf_target to = {.autoprobe = AUTOPROBE_OFF};
    ck_assert_int_eq(pf_set_now(&sysfs, &key, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
    ck_assert_str_eq(err.field, "vf_drivers_autoprobe");
    ck_assert_str_ne(err.remedy, "");
    /* "eth0" of the tree is no network device of this kernel's. */
    tree_remove(&tree, FOLDER "/net");
    to = (struct pf_target){.bridge_mode = BRIDGE_VEPA};
    ck_assert_int_eq(pf_set_now(&sysfs, &key, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
    ck_assert_str_eq(err.field, "bridge_mode");
    end();
}
END_TEST

START_TEST(a_PF_that_is_gone_has_vanished)
{
    begin();
    struct pf_target to = {.has_num_vfs = true};
    ck_assert(pf_key_parse("0000:7f:00.0", &key));
    ck_assert_int_eq(pf_set_now(&sysfs, &key, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    end();
}
END_TEST

START_TEST(a_change_runs_by_itself_and_its_end_is_told_once)
{
    begin();
    struct host_changes changes = {0};
    auto_pf struct pf *pf = make_pf();
    struct pf_sets *sets = pf_sets_new(&sysfs, &err);
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 2};
    ck_assert(pf_sets_begins(sets, &key, &to));
    ck_assert_int_eq(pf_sets_set(sets, &key, &to, pf, &err), 1);
    wait_for(sets);
    pf_sets_drain(sets, &changes);
    ck_assert_uint_eq(changes.pf_count, 1);
    ck_assert_int_eq(pf_key_compare(&changes.pfs[0], &key), 0);
    changes.pf_count = 0;
    pf_sets_drain(sets, &changes);
    ck_assert_uint_eq(changes.pf_count, 0);
    ck_assert_ptr_null(pf_sets_running(sets, &key));
    ck_assert(!pf_sets_begins(sets, &key, &to));
    ck_assert_int_eq(pf_sets_set(sets, &key, &to, NULL, &err), 0);
    ck_assert_int_eq(file_number("sriov_numvfs"), 2);
    ck_assert(pf_sets_begins(sets, &key, &to));
    pf_sets_free(sets);
    end();
}
END_TEST

START_TEST(a_refusal_comes_back_with_its_words)
{
    begin();
    auto_pf struct pf *pf = make_pf();
    struct pf_sets *sets = pf_sets_new(&sysfs, &err);
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 9};
    ck_assert_int_eq(pf_sets_set(sets, &key, &to, pf, &err), 1);
    wait_for(sets);
    ck_assert_int_eq(pf_sets_set(sets, &key, &to, NULL, &err), -1);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    ck_assert_str_eq(err.field, "num_vfs");
    pf_sets_free(sets);
    end();
}
END_TEST

START_TEST(a_write_that_hangs_holds_up_nobody)
{
    begin();
    auto_pf struct pf *pf = make_pf();
    /* Whoever opens a leased file for writing waits (fcntl(2), F_SETLEASE). */
    auto_free char *path = tree_place(&tree, FOLDER "/sriov_numvfs");
    auto_close int lease = open(path, O_RDONLY | O_CLOEXEC);
    signal(SIGIO, SIG_IGN);
    ck_assert_int_eq(fcntl(lease, F_SETLEASE, F_RDLCK), 0);
    struct pf_sets *sets = pf_sets_new(&sysfs, &err);
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 2};
    struct pf_target other = {.has_num_vfs = true, .num_vfs = 4};
    ck_assert_int_eq(pf_sets_set(sets, &key, &to, pf, &err), 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pf_sets_set(sets, &key, &to, NULL, &err), 1);
        ck_assert_int_eq(pf_sets_set(sets, &key, &other, pf, &err), 1);
    }
    const struct pf *running = pf_sets_running(sets, &key);
    ck_assert_ptr_nonnull(running);
    ck_assert_uint_eq(running->num_vfs, 4);
    struct pollfd ended = {.fd = dup(pf_sets_fd(sets)), .events = POLLIN};
    pf_sets_free(sets);
    ck_assert_int_eq(file_number("sriov_numvfs"), 4);
    /* Its thread goes on when the kernel does, with nobody listening. */
    ck_assert_int_eq(fcntl(lease, F_SETLEASE, F_UNLCK), 0);
    ck_assert_int_eq(poll(&ended, 1, 30000), 1);
    ck_assert_int_eq(file_number("sriov_numvfs"), 2);
    close(ended.fd);
    end();
}
END_TEST

CHECK_MAIN("pf_set", only_what_is_set_is_written_and_it_reads_back,
           more_than_the_firmware_allows_is_refused_before_anything_is_written,
           what_the_driver_does_not_have_is_refused_by_name,
           a_PF_that_is_gone_has_vanished,
           a_change_runs_by_itself_and_its_end_is_told_once,
           a_refusal_comes_back_with_its_words,
           a_write_that_hangs_holds_up_nobody);
