/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of trees captured from real kernels (6.12, Debian 13). What is
 * expected was read on those hosts with ip-link(8), ip-route(8) and lspci(8)
 * when they were captured:
 *
 *   both       mgmt0, a virtio NIC without SR-IOV
 *   igb        pf0 in br0 with the default route, 7 VFs: 1 on vfio-pci, 2 up,
 *              3 moved to another network namespace, 4 with an IPv6 address,
 *              the others unused
 *   igb-nvme-bond  pf0 in bond0 (active-backup), 7 VFs; an NVMe with 4 VFs that
 *              are not online, so that nvme did not take them
 *   netdevsim  eni1np1 with 64 VFs, management over a NIC without SR-IOV */
#include "tests/unit/agent/host/reading.h"

static void begin_empty(void)
{
    tree_begin(&tree);
}

static const struct pf *read_captured_of(const char *file, size_t count,
                                         const char *text)
{
    tree_load(&tree, file);
    read_tree();
    ck_assert_uint_eq(seen->pf_count, count);
    return pf_named(text);
}

static const struct pf *read_captured(const char *file, const char *text)
{
    return read_captured_of(file, 2, text);
}

START_TEST(the_igb_host_is_read_as_it_was)
{
    const struct pf *pf =
        read_captured("tests/fixtures/sysfs/igb.tree", "0000:01:00.0");
    char text[MAC_TEXT_SIZE];
    ck_assert_str_eq(seen->kernel, "6.12.107+deb13-amd64");
    ck_assert_uint_eq(seen->vcpus, 1);
    ck_assert_uint_eq(seen->memory_mib, 587);
    ck_assert_uint_eq(seen->network_count, 1);
    ck_assert_str_eq(seen->networks[0].device, "br0");
    ck_assert_str_eq(seen->networks[0].uplink, "pf0");
    ck_assert_str_eq(pf->netdev, "pf0");
    ck_assert_str_eq(mac_format(&pf->mac, text), "52:54:00:bb:00:01");
    ck_assert_uint_eq(pf->vendor_id, 0x8086);
    ck_assert_uint_eq(pf->device_id, 0x10c9);
    ck_assert_str_eq(pf->driver, "igb");
    ck_assert_int_eq(pf->iommu_group, 6);
    ck_assert_int_eq(pf->numa_node, -1);
    ck_assert(pf->link_up);
    ck_assert_int_eq(pf->link_speed_mbps, 1000);
    ck_assert_uint_eq(pf->total_vfs, 7);
    ck_assert_uint_eq(pf->num_vfs, 7);
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason, "default route via br0 over pf0");
    ck_assert_str_eq(pf->used_by, "device br0"); /* without 'uevent' */
}
END_TEST

START_TEST(the_igb_hosts_vfs_are_read_as_they_were)
{
    static const struct {
        const char *address, *driver, *netdev, *reason;
    } want[7] = {
        {"0000:01:10.0", "igbvf", "eth0", ""},
        {"0000:01:10.2", "vfio-pci", "", "bound to the driver 'vfio-pci'"},
        {"0000:01:10.4", "igbvf", "eth2", "its network device 'eth2' is up"},
        {"0000:01:10.6", "igbvf", "",
         "its network device is in another network namespace"},
        {"0000:01:11.0", "igbvf", "eth4",
         "its network device 'eth4' has an address"},
        {"0000:01:11.2", "igbvf", "eth5", ""},
        {"0000:01:11.4", "igbvf", "eth6", ""},
    };
    const struct pf *pf =
        read_captured("tests/fixtures/sysfs/igb.tree", "0000:01:00.0");
    ck_assert_uint_eq(pf->vf_count, 7);
    for (int i = 0; i < 7; i++) {
        const struct vf *vf = &pf->vfs[i];
        char text[PCI_TEXT_SIZE];
        ck_assert_str_eq(pci_format(&vf->address, text), want[i].address);
        ck_assert_str_eq(vf->driver, want[i].driver);
        ck_assert_str_eq(vf->netdev, want[i].netdev);
        ck_assert_str_eq(vf->reason, want[i].reason);
        ck_assert_int_eq(vf->state, want[i].reason[0] ? VF_EXTERNAL : VF_FREE);
        ck_assert_int_eq(vf->iommu_group, 7 + i);
    }
}
END_TEST

START_TEST(the_netdevsim_host_is_read_as_it_was)
{
    const struct pf *pf =
        read_captured("tests/fixtures/sysfs/netdevsim.tree", "netdevsim1");
    ck_assert_str_eq(pf->netdev, "eni1np1");
    ck_assert_str_eq(pf->driver, "netdevsim");
    ck_assert_uint_eq(pf->num_vfs, 64);
    ck_assert_uint_eq(pf->vf_count, 64);
    ck_assert(!pf->has_address);
    ck_assert(!pf->management);
    ck_assert(pf->link_up);
    ck_assert_int_eq(pf->link_speed_mbps, -1);
    /* no bridge: the PF's own device, below macvtaps */
    ck_assert_uint_eq(seen->network_count, 1);
    ck_assert_int_eq(seen->networks[0].kind, SWITCH_MACVTAP);
    ck_assert_str_eq(seen->networks[0].device, "eni1np1");
}
END_TEST

#define BOND_TREE "tests/fixtures/sysfs/igb-nvme-bond.tree"

START_TEST(the_nvme_beside_the_igb_is_read_as_it_was)
{
    const struct pf *pf = read_captured_of(BOND_TREE, 3, "0000:02:00.0");
    ck_assert_int_eq(pf->kind, DEVICE_STORAGE);
    ck_assert_uint_eq(pf->pci_class, 0x010802);
    ck_assert_str_eq(pf->driver, "nvme");
    ck_assert_uint_eq(pf->total_vfs, 4);
    ck_assert_uint_eq(pf->num_vfs, 4);
    ck_assert_uint_eq(pf->vf_device_id, 0x0010);
    ck_assert_int_eq(pf->autoprobe, AUTOPROBE_ON);
    ck_assert_str_eq(pf->used_by, "");
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pf->vfs[i].address.function, i + 1);
        ck_assert_str_eq(pf->vfs[i].driver, "");
        ck_assert_int_eq(pf->vfs[i].iommu_group, 16 + i);
        ck_assert_int_eq(pf->vfs[i].state, VF_FREE);
    }
}
END_TEST

START_TEST(the_bonded_igb_is_read_as_it_was)
{
    const struct pf *pf = read_captured_of(BOND_TREE, 3, "0000:01:00.0");
    ck_assert_str_eq(pf->bond, "bond0");
    ck_assert_str_eq(pf->bond_mode, "active-backup");
    ck_assert_int_eq(pf->bond_speed_mbps, 1000);
    ck_assert(pf->bond_active);
    ck_assert_str_eq(pf->used_by, "bond bond0");
    ck_assert_uint_eq(pf->vf_device_id, 0x10ca);
    ck_assert_int_eq(pf->vf_total_msix, -1); /* igb shares none out */
    ck_assert_uint_eq(pf->vf_count, 7);
}
END_TEST

START_TEST(the_captured_hosts_readiness_is_as_it_was)
{
    static const struct {
        const char *name, *reason;
    } want[] = {
        {"iommu", "on: 1 unit, 20 groups"},
        {"interrupt_remapping", "on"},
        {"vfio_pci", "loaded"},
        {"sriov_devices", "2 PFs can have 11 VFs, 11 are there"},
        {"ari", "port 0000:00:10.0 forwards ARI to PF 0000:01:00.0; PF "
                "0000:02:00.0 needs none"},
        {"mmio_space", "the VFs of PF 0000:01:00.0 have theirs; the VFs of PF "
                       "0000:02:00.0 have theirs"},
        {"iommu_groups", "11 VFs, each alone in its group"},
        {"vf_drivers", "8086:10ca: igbvf is at work; guests need it too; "
                       "1b36:0010: nvme is at work; guests need it too"},
    };
    read_captured_of(BOND_TREE, 3, "0000:01:00.0");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        ck_assert_str_eq(seen->checks[i].name, want[i].name);
        ck_assert_int_eq(seen->checks[i].status, CHECK_OK);
        ck_assert_str_eq(seen->checks[i].reason, want[i].reason);
    }
}
END_TEST

START_TEST(a_nic_without_sriov_is_a_pf_without_vfs)
{
    static const struct {
        const char *file, *used_by;
    } trees[] = {
        {"tests/fixtures/sysfs/igb.tree", "network 10.8.0.0/24"},
        {"tests/fixtures/sysfs/netdevsim.tree", "network 10.40.0.0/24"}};
    const struct pf *pf = read_captured(trees[_i].file, "0000:00:02.0");
    ck_assert_str_eq(pf->netdev, "mgmt0");
    ck_assert_str_eq(pf->driver, "virtio-pci");
    ck_assert_uint_eq(pf->total_vfs, 0);
    ck_assert_uint_eq(pf->vf_count, 0);
    ck_assert_str_eq(pf->used_by, trees[_i].used_by);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host captured trees");
    TCase *c = tcase_create("captured");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin_empty, end);
    tcase_add_test(c, the_igb_host_is_read_as_it_was);
    tcase_add_test(c, the_igb_hosts_vfs_are_read_as_they_were);
    tcase_add_test(c, the_netdevsim_host_is_read_as_it_was);
    tcase_add_test(c, the_nvme_beside_the_igb_is_read_as_it_was);
    tcase_add_test(c, the_bonded_igb_is_read_as_it_was);
    tcase_add_test(c, the_captured_hosts_readiness_is_as_it_was);
    tcase_add_loop_test(c, a_nic_without_sriov_is_a_pf_without_vfs, 0, 2);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
