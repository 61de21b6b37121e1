/* SPDX-License-Identifier: Apache-2.0 */
/* PFs that are no network devices, plain NICs, bonds, and what of the host uses
 * a PF, in copied trees. */
#include "tests/unit/agent/host/reading.h"

static void begin_mounted(void)
{
    begin();
    tree_text(&tree, "proc/self/mountinfo",
              "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw");
}

static const struct pf *read_pf(const char *text)
{
    read_tree();
    return pf_named(text);
}

/* ---- other kinds of devices ----------------------------------------------- */

#define PORT "pci0000:00/0000:00:05.0"
#define PF "0000:02:00.0"
#define VF "0000:02:00.1"
#define PF_FOLDER "sys/devices/" PORT "/" PF
#define VF_FOLDER "sys/devices/" PORT "/" VF

/* A PF of any class with two VFs, of which the second has no driver. */
static void make_device(const char *class, const char *pf_driver,
                        const char *vf_driver)
{
    static const char *const vfs[] = {VF, "0000:02:00.2"};
    tree_pci(&tree, &(struct tree_function){.parent = PORT,
                                            .address = PF,
                                            .vendor = "0x1b36",
                                            .device = "0x0010",
                                            .driver = pf_driver,
                                            .iommu_group = 4,
                                            .class = class});
    tree_text(&tree, PF_FOLDER "/sriov_totalvfs", "8");
    tree_text(&tree, PF_FOLDER "/sriov_vf_device", "1a");
    tree_text(&tree, PF_FOLDER "/sriov_drivers_autoprobe", "1");
    for (int i = 0; i < 2; i++) {
        tree_pci(&tree,
                 &(struct tree_function){.parent = PORT,
                                         .address = vfs[i],
                                         .vendor = "0x1b36",
                                         .device = "0x001a",
                                         .driver = i == 0 ? vf_driver : NULL,
                                         .iommu_group = 5 + i,
                                         .class = class});
        auto_free char *virtfn = mem_printf(PF_FOLDER "/virtfn%d", i);
        auto_free char *physfn =
            mem_printf("sys/devices/" PORT "/%s/physfn", vfs[i]);
        auto_free char *to = mem_printf("../%s", vfs[i]);
        tree_link(&tree, virtfn, to);
        tree_link(&tree, physfn, "../" PF);
    }
}

/* An NVMe disk of the first VF, with a partition. */
static void make_disk(void)
{
    tree_text(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/dev", "259:0");
    tree_folder(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/holders");
    tree_text(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/nvme1n1p1/partition", "1");
    tree_text(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/nvme1n1p1/dev", "259:1");
    tree_folder(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/nvme1n1p1/holders");
    tree_link(&tree, "sys/block/nvme1n1",
              "../devices/" PORT "/" VF "/nvme/nvme1/nvme1n1");
}

static void check_first_vf(const char *reason)
{
    const struct pf *pf = read_pf(PF);
    ck_assert_str_eq(pf->vfs[0].reason, reason);
    ck_assert_int_eq(pf->vfs[0].state, reason[0] ? VF_EXTERNAL : VF_FREE);
    ck_assert_int_eq(pf->vfs[1].state, VF_FREE);
}

START_TEST(an_nvme_pf_is_listed_with_its_vfs_and_without_policy)
{
    make_device("0x010802", "nvme", "nvme");
    const struct pf *pf = read_pf(PF);
    ck_assert_int_eq(pf->kind, DEVICE_STORAGE);
    ck_assert_uint_eq(pf->pci_class, 0x010802);
    ck_assert_str_eq(pf->netdev, "");
    ck_assert_str_eq(pf->driver, "nvme");
    ck_assert_uint_eq(pf->total_vfs, 8);
    ck_assert_uint_eq(pf->num_vfs, 2);
    ck_assert_uint_eq(pf->vf_device_id, 0x1a);
    ck_assert_int_eq(pf->autoprobe, AUTOPROBE_ON);
    ck_assert_int_eq(pf->bridge_mode, BRIDGE_NONE);
    ck_assert_int_eq(pf->vf_total_msix, -1);
    ck_assert_uint_eq(pf->vf_count, 2);
    ck_assert_str_eq(pf->vfs[0].driver, "nvme");
    ck_assert_str_eq(pf->vfs[1].driver, "");
    ck_assert_int_eq(pf->vfs[1].iommu_group, 6);
    ck_assert_int_eq(pf->vfs[0].state, VF_FREE);
    ck_assert_int_ne(pf->vfs[0].observed_at, 0);
    ck_assert_uint_eq(pf->vfs[0].policy.set, 0);
    for (int f = 0; f < POLICY_FIELD_MAX; f++) {
        const struct capability *field = &pf->capabilities.field[f];
        ck_assert_int_eq(field->support, CAPABILITY_UNSUPPORTED);
        ck_assert_str_eq(field->note, "not a network device");
    }
    /* Nothing that only netlink knows is missed, as there is none of it. */
    ck_assert_uint_eq(seen->unreadable_count, 0);
}
END_TEST

START_TEST(how_vfs_are_reset_is_told_as_a_trait)
{
    static const struct {
        const char *method, *reset; /* NULL = no such file */
        enum capability_support support;
        const char *note;
    } cases[] = {
        {"flr", "", CAPABILITY_SUPPORTED, ""},
        {"af_flr pm bus", "", CAPABILITY_SUPPORTED, ""},
        {"pm bus", "", CAPABILITY_UNSUPPORTED, "its VFs are reset by: pm bus"},
        {"", NULL, CAPABILITY_UNSUPPORTED, "its VFs are reset by: nothing"},
        /* before Linux 5.15 */
        {NULL, "", CAPABILITY_SUPPORTED, "the kernel does not tell how"},
        {NULL, NULL, CAPABILITY_UNSUPPORTED, "its VFs have no reset"},
    };
    make_device("0x010802", "nvme", "nvme");
    if (cases[_i].method)
        tree_text(&tree, VF_FOLDER "/reset_method", cases[_i].method);
    if (cases[_i].reset)
        tree_text(&tree, VF_FOLDER "/reset", cases[_i].reset);
    const struct capability *flr =
        &read_pf(PF)->capabilities.trait[CAPABILITY_TRAIT_FLR];
    ck_assert_int_eq(flr->support, cases[_i].support);
    ck_assert_int_eq(flr->source, CAPABILITY_SOURCE_PROBED);
    ck_assert_str_eq(flr->note, cases[_i].note);
}
END_TEST

START_TEST(an_nvme_vf_with_an_unused_disk_is_free)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    check_first_vf("");
}
END_TEST

START_TEST(an_nvme_vf_with_a_mounted_partition_is_external)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    tree_text(&tree, "proc/self/mountinfo",
              "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
              "36 22 259:1 / /data rw,noatime shared:1 - xfs /dev/nvme1n1p1 "
              "rw");
    check_first_vf("'nvme1n1p1' is mounted at '/data'");
}
END_TEST

START_TEST(an_nvme_vf_below_a_mapped_device_is_external)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    tree_link(&tree, VF_FOLDER "/nvme/nvme1/nvme1n1/holders/dm-0",
              "../../../../../../virtual/block/dm-0");
    check_first_vf("'nvme1n1' is part of 'dm-0'");
}
END_TEST

START_TEST(an_nvme_vf_in_a_btrfs_of_several_devices_is_external)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    tree_text(&tree, "sys/fs/btrfs/5cd1-uuid/devices/nvme1n1p1/size", "1");
    check_first_vf("'nvme1n1p1' is part of a btrfs");
}
END_TEST

START_TEST(an_nvme_vf_with_swap_space_is_external)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    tree_text(&tree, "proc/swaps",
              "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
              "/dev/nvme1n1p1                          partition\t1\t0\t-2");
    check_first_vf("'nvme1n1p1' is swap space");
}
END_TEST

START_TEST(a_disk_behind_nvme_multipath_is_seen_through_its_hidden_path)
{
    make_device("0x010802", "nvme", "nvme");
    tree_text(&tree, VF_FOLDER "/nvme/nvme1/nvme0c1n1/dev", "259:5");
    tree_link(&tree, "sys/block/nvme0c1n1",
              "../devices/" PORT "/" VF "/nvme/nvme1/nvme0c1n1");
    tree_text(&tree,
              "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev",
              "259:4");
    tree_link(&tree, "sys/block/nvme0n1",
              "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
    tree_text(&tree, "proc/self/mountinfo",
              "36 22 259:4 / /data rw - xfs /dev/nvme0n1 rw");
    check_first_vf("'nvme0n1' is mounted at '/data'");
}
END_TEST

START_TEST(without_mounts_to_read_a_disk_counts_as_used)
{
    make_device("0x010802", "nvme", "nvme");
    make_disk();
    tree_remove(&tree, "proc/self/mountinfo");
    check_first_vf("the host's mounts can't be read");
}
END_TEST

START_TEST(an_nvme_vf_on_vfio_is_external)
{
    make_device("0x010802", "nvme", "vfio-pci");
    check_first_vf("bound to the driver 'vfio-pci'");
}
END_TEST

START_TEST(a_gpu_vf_with_a_driver_of_the_host_is_external)
{
    make_device("0x030000", "xe", "xe");
    check_first_vf("bound to the host's driver 'xe', whose users are not told");
    ck_assert_int_eq(seen->pfs[0]->kind, DEVICE_DISPLAY);
}
END_TEST

START_TEST(kinds_follow_the_class)
{
    static const struct {
        const char *class;
        enum device_kind kind;
    } cases[] = {
        {"0x020000", DEVICE_NETWORK},     {"0x028000", DEVICE_NETWORK},
        {"0x010802", DEVICE_STORAGE},     {"0x010000", DEVICE_STORAGE},
        {"0x030200", DEVICE_DISPLAY},     {"0x0b4000", DEVICE_ACCELERATOR},
        {"0x100000", DEVICE_ACCELERATOR}, {"0x120000", DEVICE_ACCELERATOR},
        {"0x088000", DEVICE_OTHER}};
    make_device(cases[_i].class, NULL, NULL);
    ck_assert_int_eq(read_pf(PF)->kind, cases[_i].kind);
    ck_assert_uint_eq(seen->pf_count, 1);
}
END_TEST

START_TEST(vectors_of_vfs_are_read_where_the_driver_shares_them_out)
{
    /* A VF with power management and then MSI-X: 12 vectors. */
    uint8_t config[256] = {0};
    config[0x06] = 0x10;
    config[0x34] = 0x40;
    config[0x40] = 0x01;
    config[0x41] = 0x70;
    config[0x70] = 0x11;
    config[0x72] = 11;
    config[0x73] = 0x80; /* enabled: no part of the number */
    make_device("0x020000", "mlx5_core", NULL);
    tree_text(&tree, PF_FOLDER "/sriov_vf_total_msix", "0");
    tree_bytes(&tree, VF_FOLDER "/config", config, sizeof config);
    const struct pf *pf = read_pf(PF);
    ck_assert_int_eq(pf->vf_total_msix, -1);
    ck_assert_int_eq(pf->vfs[0].msix_vectors, -1);
    end();
    begin_mounted();
    make_device("0x020000", "mlx5_core", NULL);
    tree_text(&tree, PF_FOLDER "/sriov_vf_total_msix", "2000");
    tree_bytes(&tree, VF_FOLDER "/config", config, sizeof config);
    pf = read_pf(PF);
    ck_assert_int_eq(pf->vf_total_msix, 2000);
    ck_assert_int_eq(pf->vfs[0].msix_vectors, 12);
    ck_assert_int_eq(pf->vfs[1].msix_vectors, -1);
}
END_TEST

START_TEST(a_disk_without_vfs_is_no_pf)
{
    make_device("0x010802", "nvme", NULL);
    tree_remove(&tree, PF_FOLDER "/sriov_totalvfs");
    tree_remove(&tree, PF_FOLDER "/virtfn0");
    tree_remove(&tree, PF_FOLDER "/virtfn1");
    tree_igb(&tree, 0);
    read_pf(TREE_IGB_PF);
    ck_assert_uint_eq(seen->pf_count, 1);
}
END_TEST

START_TEST(the_disk_that_the_host_runs_from_uses_its_pf)
{
    make_device("0x010802", "nvme", NULL);
    tree_text(&tree, PF_FOLDER "/nvme/nvme0/nvme0n1/dev", "259:0");
    tree_link(&tree, "sys/block/nvme0n1",
              "../devices/" PORT "/" PF "/nvme/nvme0/nvme0n1");
    tree_text(&tree, "proc/self/mountinfo",
              "22 1 259:0 / / rw - ext4 /dev/nvme0n1 rw");
    ck_assert_str_eq(read_pf(PF)->used_by, "'nvme0n1' is mounted at '/'");
}
END_TEST

/* ---- plain NICs, and who uses a PF ------------------------------------------ */

#define NIC "0000:03:00.0"

static void make_nic(void)
{
    static const char parent[] = "pci0000:00/0000:00:06.0";
    tree_pci(&tree, &(struct tree_function){.parent = parent,
                                            .address = NIC,
                                            .vendor = "0x8086",
                                            .device = "0x10d3",
                                            .driver = "e1000e",
                                            .iommu_group = 9});
    tree_netdev(&tree, "pci0000:00/0000:00:06.0/" NIC, "eth9",
                "52:54:00:dd:00:01", true);
}

START_TEST(a_nic_without_sriov_is_a_pf_without_vfs)
{
    make_nic();
    const struct pf *pf = read_pf(NIC);
    ck_assert_int_eq(pf->kind, DEVICE_NETWORK);
    ck_assert_uint_eq(pf->total_vfs, 0);
    ck_assert_uint_eq(pf->num_vfs, 0);
    ck_assert_uint_eq(pf->vf_count, 0);
    ck_assert_str_eq(pf->netdev, "eth9");
    ck_assert_int_eq(pf->iommu_group, 9);
    ck_assert(!pf->management);
    ck_assert_str_eq(pf->used_by, "");
    ck_assert_int_eq(pf->autoprobe, AUTOPROBE_NONE);
}
END_TEST

START_TEST(the_hosts_own_nic_is_management)
{
    make_nic();
    tree_default_route(&tree, "eth9");
    const struct pf *pf = read_pf(NIC);
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason, "default route via eth9");
    ck_assert_str_eq(pf->used_by, "network 192.168.2.0/24");
}
END_TEST

START_TEST(an_address_uses_the_nic_but_a_link_local_one_does_not)
{
    make_nic();
    tree_text(&tree, "proc/net/if_inet6",
              "fe80000000000000505400fffedd0001 02 40 20 80     eth9");
    ck_assert_str_eq(read_pf(NIC)->used_by, "");
    end();
    begin_mounted();
    make_nic();
    tree_text(&tree, "proc/net/if_inet6",
              "fe80000000000000505400fffedd0001 02 40 20 80     eth9\n"
              "20010db8000000000000000000000001 02 40 00 80     eth9");
    ck_assert_str_eq(read_pf(NIC)->used_by, "address 2001:db8::1/64");
}
END_TEST

/* Both functions of a card without ACS are in one group. */
START_TEST(a_nic_is_given_away_only_alone_in_its_iommu_group)
{
    make_nic();
    tree_text(&tree, "sys/kernel/iommu_groups/9/devices/" NIC "/x", "");
    tree_text(&tree, "sys/kernel/iommu_groups/9/devices/0000:00:06.0/x", "");
    tree_text(&tree, "sys/bus/pci/devices/0000:00:06.0/class", "0x060400");
    ck_assert_str_eq(read_pf(NIC)->used_by, "");
    end();
    begin_mounted();
    make_nic();
    tree_text(&tree, "sys/kernel/iommu_groups/9/devices/" NIC "/x", "");
    tree_text(&tree, "sys/kernel/iommu_groups/9/devices/0000:09:00.1/x", "");
    tree_text(&tree, "sys/bus/pci/devices/0000:09:00.1/class", "0x020000");
    ck_assert_str_eq(read_pf(NIC)->used_by,
                     "its IOMMU group, with 0000:09:00.1");
}
END_TEST

START_TEST(what_is_stacked_on_a_nic_uses_it)
{
    static const struct {
        const char *above, *uevent, *used_by;
        bool master;
    } cases[] = {
        {"br0", "DEVTYPE=bridge\nINTERFACE=br0\nIFINDEX=7", "bridge br0", true},
        {"bond0", "DEVTYPE=bond\nINTERFACE=bond0", "bond bond0", true},
        {"eth9.7", "DEVTYPE=vlan\nINTERFACE=eth9.7", "vlan eth9.7", false},
        {"macvtap0", "DEVTYPE=macvtap\nINTERFACE=macvtap0", "macvtap macvtap0",
         false},
        {"team0", "INTERFACE=team0", "device team0", true},
        {"ovs-system", "INTERFACE=ovs-system", "Open vSwitch", true}};
    make_nic();
    tree_netdev(&tree, "virtual", cases[_i].above, "52:54:00:dd:00:01", true);
    auto_free char *uevent =
        mem_printf("sys/class/net/%s/uevent", cases[_i].above);
    tree_text(&tree, uevent, cases[_i].uevent);
    tree_stack(&tree, cases[_i].above, "eth9", cases[_i].master);
    ck_assert_str_eq(read_pf(NIC)->used_by, cases[_i].used_by);
}
END_TEST

START_TEST(a_nic_given_to_vfio_or_to_a_namespace_is_used)
{
    make_nic();
    tree_remove(&tree, "sys/class/net/eth9");
    tree_remove(&tree, "sys/devices/pci0000:00/0000:00:06.0/" NIC "/net/eth9");
    ck_assert_str_eq(read_pf(NIC)->used_by, "another network namespace");
    end();
    begin_mounted();
    tree_pci(&tree, &(struct tree_function){.parent = "pci0000:00",
                                            .address = NIC,
                                            .vendor = "0x8086",
                                            .device = "0x10d3",
                                            .driver = "vfio-pci",
                                            .iommu_group = 9});
    ck_assert_str_eq(read_pf(NIC)->used_by, "driver vfio-pci");
}
END_TEST

/* ---- bonds ------------------------------------------------------------------- */

static void make_bond(const char *mode, const char *state, const char *mii)
{
    tree_igb(&tree, 1);
    tree_netdev(&tree, "virtual", "bond0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/bond0/speed", "2000");
    tree_text(&tree, "sys/class/net/bond0/bonding/mode", mode);
    tree_text(&tree, "sys/class/net/eth0/bonding_slave/state", state);
    tree_text(&tree, "sys/class/net/eth0/bonding_slave/mii_status", mii);
    tree_stack(&tree, "bond0", "eth0", true);
}

START_TEST(a_bond_is_told_with_mode_speed_and_part)
{
    static const struct {
        const char *mode, *state, *mii, *want;
        bool active;
    } cases[] = {
        {"802.3ad 4", "active", "up", "802.3ad", true},
        {"active-backup 1", "active", "up", "active-backup", true},
        {"active-backup 1", "backup", "up", "active-backup", false},
        {"balance-xor 2", "active", "down", "balance-xor", false},
    };
    make_bond(cases[_i].mode, cases[_i].state, cases[_i].mii);
    const struct pf *pf = read_pf(TREE_IGB_PF);
    ck_assert_str_eq(pf->bond, "bond0");
    ck_assert_str_eq(pf->bond_mode, cases[_i].want);
    ck_assert_int_eq(pf->bond_speed_mbps, 2000);
    ck_assert_int_eq(pf->link_speed_mbps, 1000);
    ck_assert(pf->bond_active == cases[_i].active);
}
END_TEST

START_TEST(a_bond_without_speed_tells_none)
{
    make_bond("802.3ad 4", "active", "up");
    tree_text(&tree, "sys/class/net/bond0/speed", "-1");
    ck_assert_int_eq(read_pf(TREE_IGB_PF)->bond_speed_mbps, -1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("agent/host devices");
    TCase *c = tcase_create("trees");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin_mounted, end);
    tcase_add_test(c, an_nvme_pf_is_listed_with_its_vfs_and_without_policy);
    tcase_add_loop_test(c, how_vfs_are_reset_is_told_as_a_trait, 0, 6);
    tcase_add_test(c, an_nvme_vf_with_an_unused_disk_is_free);
    tcase_add_test(c, an_nvme_vf_with_a_mounted_partition_is_external);
    tcase_add_test(c, an_nvme_vf_below_a_mapped_device_is_external);
    tcase_add_test(c, an_nvme_vf_in_a_btrfs_of_several_devices_is_external);
    tcase_add_test(c, an_nvme_vf_with_swap_space_is_external);
    tcase_add_test(
        c, a_disk_behind_nvme_multipath_is_seen_through_its_hidden_path);
    tcase_add_test(c, without_mounts_to_read_a_disk_counts_as_used);
    tcase_add_test(c, an_nvme_vf_on_vfio_is_external);
    tcase_add_test(c, a_gpu_vf_with_a_driver_of_the_host_is_external);
    tcase_add_loop_test(c, kinds_follow_the_class, 0, 9);
    tcase_add_test(c, vectors_of_vfs_are_read_where_the_driver_shares_them_out);
    tcase_add_test(c, a_disk_without_vfs_is_no_pf);
    tcase_add_test(c, the_disk_that_the_host_runs_from_uses_its_pf);
    tcase_add_test(c, a_nic_without_sriov_is_a_pf_without_vfs);
    tcase_add_test(c, the_hosts_own_nic_is_management);
    tcase_add_test(c, an_address_uses_the_nic_but_a_link_local_one_does_not);
    tcase_add_test(c, a_nic_is_given_away_only_alone_in_its_iommu_group);
    tcase_add_loop_test(c, what_is_stacked_on_a_nic_uses_it, 0, 6);
    tcase_add_test(c, a_nic_given_to_vfio_or_to_a_namespace_is_used);
    tcase_add_loop_test(c, a_bond_is_told_with_mode_speed_and_part, 0, 4);
    tcase_add_test(c, a_bond_without_speed_tells_none);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
