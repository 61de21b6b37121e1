/* SPDX-License-Identifier: Apache-2.0 */
/* Trees that lie, change while being read, or miss parts: nothing outside the
 * root is read, nothing crashes, nothing is guessed. */
#include "agent/host/host_ops.h"
#include "common/base/rng.h"
#include "tests/unit/agent/host/tree.h"

#include <pthread.h>
#include <stdatomic.h>

static struct tree tree;

static void begin(void)
{
    tree_begin(&tree);
    tree_host(&tree);
    tree_igb(&tree, 3);
}

static void end(void)
{
    tree_end(&tree);
}

static struct inventory *read_tree(void)
{
    struct error err = {0};
    struct host_backend *host = host_linux_open(tree.root, &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    struct inventory *all = host->ops->inventory(host, &err);
    host->ops->close(host);
    return all;
}

static const struct pf *igb_of(const struct inventory *all)
{
    struct pf_key key;
    ck_assert(pf_key_parse(TREE_IGB_PF, &key));
    return inventory_pf(all, &key);
}

static bool names_unreadable(const struct inventory *all, const char *what)
{
    for (size_t i = 0; i < all->unreadable_count; i++)
        if (strstr(all->unreadable[i].what, what))
            return true;
    return false;
}

START_TEST(links_that_lead_outside_the_root_read_nothing_outside)
{
    /* A file of this machine that does exist, by an absolute link and by one
     * with too many "..": below the root it does not. */
    char outside[] = "/tmp/sriov-outside-XXXXXX";
    int fd = mkstemp(outside);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "0x1af4\n", 7), 7);
    close(fd);
    auto_free char *climb =
        mem_printf("../../../../../../../../../..%s", outside);
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/vendor", outside);
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/device", climb);
    tree_link(&tree, "etc/machine-id", "/etc/machine-id");
    auto_inventory struct inventory *all = read_tree();
    unlink(outside);
    const struct pf *pf = igb_of(all);
    ck_assert_ptr_nonnull(pf);
    ck_assert_uint_eq(pf->vendor_id, 0);
    ck_assert_uint_eq(pf->device_id, 0);
    ck_assert(names_unreadable(all, "/vendor"));
    ck_assert(names_unreadable(all, "/device"));
    ck_assert(uuid_is_zero(&all->machine_id));
    ck_assert(names_unreadable(all, "machine-id"));
}
END_TEST

START_TEST(an_absolute_link_is_resolved_inside_the_root)
{
    tree_text(&tree, "elsewhere/vendor", "0x15b3");
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/vendor",
              "/elsewhere/vendor");
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(igb_of(all)->vendor_id, 0x15b3);
}
END_TEST

START_TEST(vf_links_that_are_no_pci_addresses_are_named_and_left_out)
{
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/virtfn0",
              "../../../../etc");
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/virtfn1",
              "../0000:01:10.2/../../x");
    auto_inventory struct inventory *all = read_tree();
    const struct pf *pf = igb_of(all);
    ck_assert_uint_eq(pf->num_vfs, 3);
    ck_assert_uint_eq(pf->vf_count, 1);
    ck_assert_uint_eq(pf->vfs[0].index, 2);
    ck_assert_ptr_null(pf_vf(pf, 0));
    ck_assert(names_unreadable(all, "virtfn0"));
    ck_assert(names_unreadable(all, "virtfn1"));
}
END_TEST

START_TEST(a_vf_removed_by_itself_is_named_and_left_out)
{
    tree_remove(&tree, "sys/bus/pci/devices/0000:01:10.2");
    auto_inventory struct inventory *all = read_tree();
    const struct pf *pf = igb_of(all);
    ck_assert_uint_eq(pf->num_vfs, 3);
    ck_assert_uint_eq(pf->vf_count, 2);
    ck_assert_ptr_null(pf_vf(pf, 1));
    ck_assert(names_unreadable(all, "virtfn1"));
}
END_TEST

START_TEST(devices_with_names_that_are_paths_in_disguise_are_ignored)
{
    static const char *const names[] = {"0000:01:00.0%2f..", "..0000:01:00.1",
                                        "0000:01:00.8",      "0000:01:20.0",
                                        "zzzz:01:00.0",      "netdevsim1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        auto_free char *folder = mem_printf("sys/bus/pci/devices/%s", names[i]);
        tree_attribute(&tree, folder, "sriov_totalvfs", "8");
        tree_attribute(&tree, folder, "sriov_numvfs", "0");
        tree_attribute(&tree, folder, "class", "0x020000");
    }
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(all->pf_count, 1);
}
END_TEST

START_TEST(a_netdev_name_with_odd_bytes_is_named_and_not_used)
{
    tree_folder(&tree, "sys/class/net/e\xff\x01th/bridge");
    auto_inventory struct inventory *all = read_tree();
    /* only the PF's own device */
    ck_assert_uint_eq(all->network_count, 1);
    ck_assert_int_eq(all->networks[0].kind, SWITCH_MACVTAP);
    ck_assert(names_unreadable(all, "a network device"));
    for (size_t i = 0; i < all->unreadable_count; i++)
        for (const char *c = all->unreadable[i].why; *c; c++)
            ck_assert(*c >= 0x20 && *c < 0x7f);
}
END_TEST

static void write_long(const char *path, size_t length, int byte)
{
    auto_free char *text = mem_calloc(length + 1, 1);
    memset(text, byte, length);
    tree_text(&tree, path, text);
}

START_TEST(huge_and_binary_files_are_named_unreadable)
{
    write_long("sys/devices/" TREE_IGB_FOLDER "/vendor", 1 << 20, '1');
    write_long("proc/meminfo", 1 << 20, 'x');
    write_long("sys/devices/system/cpu/online", 900, '9');
    write_long("sys/class/net/eth0/address", 70, 'a');
    write_long("usr/share/misc/pci.ids", 17 << 20, '#');
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(all->vcpus, 0);
    ck_assert_uint_eq(all->memory_mib, 0);
    ck_assert(names_unreadable(all, "cpu/online"));
    ck_assert(names_unreadable(all, "meminfo"));
    ck_assert(names_unreadable(all, "/vendor"));
    ck_assert(names_unreadable(all, "eth0/address"));
    ck_assert(mac_is_zero(&igb_of(all)->mac));
}
END_TEST

START_TEST(a_file_is_read_up_to_its_limit_and_not_beyond)
{
    /* 64 KiB of meminfo, with the new line at its end. */
    static const char total[] = "MemTotal: 2097152 kB ";
    for (size_t beyond = 0; beyond < 2; beyond++) {
        auto_free char *text = mem_calloc((64u << 10) + 2, 1);
        memset(text, 'x', (64u << 10) - 1 + beyond);
        memcpy(text, total, sizeof total - 1);
        tree_text(&tree, "proc/meminfo", text);
        auto_inventory struct inventory *all = read_tree();
        ck_assert_uint_eq(all->memory_mib, beyond ? 0 : 2048);
        ck_assert(names_unreadable(all, "meminfo") == (beyond != 0));
    }
}
END_TEST

/* The scheduler would refuse the whole report of such a host. */
START_TEST(more_memory_than_there_can_be_is_not_told)
{
    tree_text(&tree, "proc/meminfo", "MemTotal: 18446744073709551615 kB");
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(all->memory_mib, 0);
    ck_assert(names_unreadable(all, "meminfo"));
    tree_text(&tree, "proc/meminfo", "MemTotal: 1125899906842624 kB");
    auto_inventory struct inventory *most = read_tree();
    ck_assert_uint_eq(most->memory_mib, HOST_MEMORY_MIB_MAX);
}
END_TEST

START_TEST(numbers_out_of_range_are_not_taken)
{
    tree_text(&tree, "sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs",
              "70000");
    tree_text(&tree, "sys/class/net/eth0/mtu", "99999999999999999999");
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/virtfn70000",
              "../0000:01:10.0");
    tree_link(&tree, "sys/devices/" TREE_IGB_FOLDER "/virtfn-1",
              "../0000:01:10.0");
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(all->pf_count, 1);
    ck_assert(names_unreadable(all, "netdevsim1"));
    ck_assert_uint_eq(igb_of(all)->num_vfs, 3);
    ck_assert_uint_eq(igb_of(all)->mtu, 0);
    ck_assert(names_unreadable(all, "eth0/mtu"));
}
END_TEST

START_TEST(a_fifo_or_folder_in_place_of_a_file_does_not_stop_us)
{
    auto_free char *fifo =
        tree_place(&tree, "sys/devices/" TREE_IGB_FOLDER "/vendor");
    unlink(fifo);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    tree_remove(&tree, "sys/devices/" TREE_IGB_FOLDER "/device");
    tree_folder(&tree, "sys/devices/" TREE_IGB_FOLDER "/device");
    auto_inventory struct inventory *all = read_tree();
    ck_assert(names_unreadable(all, "/vendor"));
    ck_assert(names_unreadable(all, "/device"));
}
END_TEST

START_TEST(more_unreadable_places_than_fit_are_counted)
{
    for (int i = 0; i < 100; i++) {
        auto_free char *address = mem_printf("0000:%02x:00.0", i + 16);
        tree_pci(&tree, &(struct tree_function){.parent = "pci0000:00",
                                                .address = address,
                                                .vendor = "?",
                                                .device = "?",
                                                .iommu_group = -1});
        auto_free char *folder =
            mem_printf("sys/devices/pci0000:00/%s", address);
        tree_attribute(&tree, folder, "sriov_totalvfs", "8");
        tree_attribute(&tree, folder, "sriov_numvfs", "0");
    }
    auto_inventory struct inventory *all = read_tree();
    ck_assert_uint_eq(all->pf_count, HOST_PFS_MAX);
    ck_assert_uint_eq(all->unreadable_count, HOST_UNREADABLE_MAX);
    const struct unreadable *last = &all->unreadable[HOST_UNREADABLE_MAX - 1];
    ck_assert_str_eq(last->what, "and more");
    ck_assert_ptr_nonnull(strstr(last->why, "further places"));
}
END_TEST

/* ---- files that go away ----------------------------------------------------- */

static char *paths[512];
static size_t path_count;

static int collect(const char *path, const struct stat *st, int type,
                   struct FTW *ftw)
{
    (void)st;
    (void)type;
    if (ftw->level > 0 && path_count < sizeof paths / sizeof *paths)
        paths[path_count++] = mem_strdup(path);
    return 0;
}

static void forget_paths(void)
{
    while (path_count)
        free(paths[--path_count]);
}

/* Whatever is missing: an answer or a clean refusal; what is there is right. */
static void check_sane(const struct inventory *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->pf_count; i++) {
        const struct pf *pf = all->pfs[i];
        ck_assert_uint_le(pf->vf_count, pf->num_vfs);
        ck_assert(pf->vendor_id == 0 || pf->vendor_id == 0x8086);
        for (size_t v = 0; v < pf->vf_count; v++)
            ck_assert(pf->vfs[v].driver[0] == '\0' ||
                      strcmp(pf->vfs[v].driver, "igbvf") == 0);
    }
}

START_TEST(any_part_of_the_tree_may_be_missing)
{
    struct rng rng = {.state = (uint64_t)_i + 1};
    tree_default_route(&tree, "eth0");
    for (int round = 0; round < 12; round++) {
        nftw(tree.root, collect, 16, FTW_PHYS);
        for (int i = 0; i < 6 && path_count; i++)
            nftw(paths[rng_below(&rng, path_count)], tree_unlink, 16,
                 FTW_DEPTH | FTW_PHYS);
        forget_paths();
        auto_inventory struct inventory *all = read_tree();
        check_sane(all);
    }
}
END_TEST

static atomic_bool stop;

static void *shake(void *context)
{
    (void)context;
    struct rng rng = {.state = 99};
    while (!atomic_load(&stop)) {
        const char *from = paths[rng_below(&rng, path_count)];
        char away[256];
        snprintf(away, sizeof away, "%s.away", from);
        if (rename(from, away) == 0)
            rename(away, from);
    }
    return NULL;
}

START_TEST(files_that_vanish_while_being_read_are_survived)
{
    pthread_t thread;
    nftw(tree.root, collect, 16, FTW_PHYS);
    ck_assert_uint_gt(path_count, 50);
    ck_assert_int_eq(pthread_create(&thread, NULL, shake, NULL), 0);
    for (int i = 0; i < 300; i++) {
        auto_inventory struct inventory *all = read_tree();
        check_sane(all);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    forget_paths();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host hostile trees");
    TCase *c = tcase_create("hostile");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, links_that_lead_outside_the_root_read_nothing_outside);
    tcase_add_test(c, an_absolute_link_is_resolved_inside_the_root);
    tcase_add_test(c,
                   vf_links_that_are_no_pci_addresses_are_named_and_left_out);
    tcase_add_test(c, a_vf_removed_by_itself_is_named_and_left_out);
    tcase_add_test(c,
                   devices_with_names_that_are_paths_in_disguise_are_ignored);
    tcase_add_test(c, a_netdev_name_with_odd_bytes_is_named_and_not_used);
    tcase_add_test(c, huge_and_binary_files_are_named_unreadable);
    tcase_add_test(c, a_file_is_read_up_to_its_limit_and_not_beyond);
    tcase_add_test(c, more_memory_than_there_can_be_is_not_told);
    tcase_add_test(c, numbers_out_of_range_are_not_taken);
    tcase_add_test(c, a_fifo_or_folder_in_place_of_a_file_does_not_stop_us);
    tcase_add_test(c, more_unreadable_places_than_fit_are_counted);
    tcase_add_loop_test(c, any_part_of_the_tree_may_be_missing, 0, 20);
    tcase_add_test(c, files_that_vanish_while_being_read_are_survived);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
