/* SPDX-License-Identifier: Apache-2.0 */
/* The inventory of copied trees equals what was put into them. */
#include "tests/unit/agent/host/reading.h"

START_TEST(the_hosts_own_facts_are_read)
{
    read_tree();
    char text[UUID_TEXT_SIZE];
    ck_assert_str_eq(uuid_format(&seen->machine_id, text),
                     "01234567-89ab-cdef-0123-456789abcdef");
    ck_assert_str_eq(seen->kernel, "6.12.107+deb13-amd64");
    ck_assert_uint_eq(seen->vcpus, 7);
    ck_assert_uint_eq(seen->memory_mib, 2048);
    ck_assert_uint_eq(seen->pf_count, 0);
    ck_assert_uint_eq(seen->network_count, 0);
    ck_assert_uint_eq(seen->unreadable_count, 0);
}
END_TEST

START_TEST(an_igb_with_seven_vfs_is_read_whole)
{
    tree_igb(&tree, 7);
    read_tree();
    ck_assert_uint_eq(seen->pf_count, 1);
    const struct pf *pf = pf_named(TREE_IGB_PF);
    char mac[MAC_TEXT_SIZE];
    ck_assert(pf->has_address);
    ck_assert_str_eq(pf->netdev, "eth0");
    ck_assert_str_eq(mac_format(&pf->mac, mac), "52:54:00:bb:01:0a");
    ck_assert_uint_eq(pf->vendor_id, 0x8086);
    ck_assert_uint_eq(pf->device_id, 0x10c9);
    ck_assert_str_eq(pf->vendor_name, "Intel Corporation");
    ck_assert_str_eq(pf->device_name, "82576 Gigabit Network Connection");
    ck_assert_str_eq(pf->driver, "igb");
    ck_assert_int_eq(pf->numa_node, -1);
    ck_assert_int_eq(pf->iommu_group, 3);
    ck_assert(pf->link_up);
    ck_assert_int_eq(pf->link_speed_mbps, 1000);
    ck_assert_uint_eq(pf->mtu, 1500);
    ck_assert_uint_eq(pf->total_vfs, 7);
    ck_assert_uint_eq(pf->num_vfs, 7);
    ck_assert(!pf->management);
    ck_assert_uint_eq(pf->vf_count, 7);
    for (uint16_t i = 0; i < 7; i++) {
        char want[16];
        char got[PCI_TEXT_SIZE];
        char netdev[NETDEV_NAME_SIZE];
        tree_igb_vf_address(i, want);
        snprintf(netdev, sizeof netdev, "eth%d", i + 1);
        ck_assert_uint_eq(pf->vfs[i].index, i);
        ck_assert_str_eq(pci_format(&pf->vfs[i].address, got), want);
        ck_assert_str_eq(pf->vfs[i].driver, "igbvf");
        ck_assert_str_eq(pf->vfs[i].netdev, netdev);
        ck_assert_int_eq(pf->vfs[i].iommu_group, 10 + i);
        ck_assert_int_eq(pf->vfs[i].state, VF_FREE);
        ck_assert_str_eq(pf->vfs[i].reason, "");
    }
}
END_TEST

START_TEST(a_copied_tree_says_what_only_the_live_kernel_tells)
{
    tree_igb(&tree, 1);
    read_tree();
    static const char *const what[] = {"firmware of " TREE_IGB_PF,
                                       "eswitch mode of " TREE_IGB_PF,
                                       "VF policy of " TREE_IGB_PF};
    for (size_t i = 0; i < 3; i++) {
        const char *why = unreadable(what[i]);
        ck_assert_msg(why != NULL, "%s is not named", what[i]);
        ck_assert_str_eq(why, "needs the live kernel");
    }
    ck_assert_str_eq(pf_named(TREE_IGB_PF)->firmware, "");
    ck_assert_uint_eq(pf_named(TREE_IGB_PF)->vfs[0].policy.set, 0);
}
END_TEST

START_TEST(a_virtio_pf_is_found_through_the_device_in_between)
{
    static const char parent[] = "pci0000:00/0000:00:02.0";
    tree_pci(&tree, &(struct tree_function){.parent = parent,
                                            .address = "0000:01:00.0",
                                            .vendor = "0x1af4",
                                            .device = "0x1041",
                                            .driver = "virtio-pci",
                                            .iommu_group = 4});
    tree_pci(&tree, &(struct tree_function){.parent = parent,
                                            .address = "0000:01:00.1",
                                            .vendor = "0x1af4",
                                            .device = "0x1041",
                                            .driver = "virtio-pci",
                                            .iommu_group = 5});
    tree_text(&tree,
              "sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0/"
              "sriov_totalvfs",
              "4");
    tree_text(&tree,
              "sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0/"
              "sriov_numvfs",
              "1");
    tree_link(&tree,
              "sys/devices/pci0000:00/0000:00:02.0/0000:01:00.0/"
              "virtfn0",
              "../0000:01:00.1");
    tree_netdev(&tree, "pci0000:00/0000:00:02.0/0000:01:00.0/virtio1", "pf0",
                "52:54:00:cc:00:01", true);
    tree_netdev(&tree, "pci0000:00/0000:00:02.0/0000:01:00.1/virtio2", "vf0",
                "52:54:00:cc:00:02", false);
    tree_text(&tree, "sys/class/net/pf0/speed", "-1");
    read_tree();
    const struct pf *pf = pf_named("0000:01:00.0");
    ck_assert_str_eq(pf->netdev, "pf0");
    ck_assert_str_eq(pf->vendor_name, "Red Hat, Inc.");
    ck_assert_str_eq(pf->device_name, "Virtio 1.0 network device");
    ck_assert_int_eq(pf->link_speed_mbps, -1);
    ck_assert_uint_eq(pf->total_vfs, 4);
    ck_assert_uint_eq(pf->vf_count, 1);
    ck_assert_str_eq(pf->vfs[0].netdev, "vf0");
    ck_assert_int_eq(pf->vfs[0].state, VF_FREE);
}
END_TEST

static void make_netdevsim(const char *vfs)
{
    tree_text(&tree, "sys/devices/netdevsim1/sriov_numvfs", vfs);
    tree_link(&tree, "sys/bus/netdevsim/devices/netdevsim1",
              "../../../devices/netdevsim1");
    tree_folder(&tree, "sys/bus/netdevsim/drivers/netdevsim");
    tree_link(&tree, "sys/devices/netdevsim1/driver",
              "../../bus/netdevsim/drivers/netdevsim");
    tree_netdev(&tree, "netdevsim1", "eni1np1", "9a:00:00:00:00:01", true);
    tree_text(&tree, "sys/class/net/eni1np1/phys_port_name", "p1");
    tree_remove(&tree, "sys/class/net/eni1np1/speed");
}

START_TEST(a_netdevsim_with_64_vfs_is_read)
{
    make_netdevsim("64");
    tree_text(&tree, "sys/kernel/debug/netdevsim/netdevsim1/max_vfs", "128");
    read_tree();
    const struct pf *pf = pf_named("netdevsim1");
    ck_assert(!pf->has_address);
    ck_assert_str_eq(pf->netdev, "eni1np1");
    ck_assert_str_eq(pf->driver, "netdevsim");
    ck_assert_uint_eq(pf->total_vfs, 128);
    ck_assert_uint_eq(pf->num_vfs, 64);
    ck_assert_uint_eq(pf->vf_count, 64);
    ck_assert_uint_eq(pf->vendor_id, 0);
    ck_assert_int_eq(pf->link_speed_mbps, -1);
    ck_assert(!pf->vfs[63].has_address);
    ck_assert_uint_eq(pf->vfs[63].index, 63);
}
END_TEST

START_TEST(without_debugfs_netdevsims_limit_is_named_unreadable)
{
    make_netdevsim("2");
    read_tree();
    ck_assert_uint_eq(pf_named("netdevsim1")->total_vfs, 2);
    ck_assert_ptr_nonnull(unreadable("netdevsim1/max_vfs"));
}
END_TEST

START_TEST(the_uplink_is_the_pfs_device_and_not_a_representor)
{
    make_netdevsim("1");
    tree_netdev(&tree, "netdevsim1", "eni1npf0vf0", "9a:00:00:00:00:02", true);
    tree_text(&tree, "sys/class/net/eni1npf0vf0/phys_port_name", "pf0vf0");
    tree_netdev(&tree, "netdevsim1", "aaa", "9a:00:00:00:00:03", true);
    tree_text(&tree, "sys/class/net/aaa/phys_port_name", "c1pf0vf0");
    read_tree();
    ck_assert_str_eq(pf_named("netdevsim1")->netdev, "eni1np1");
}
END_TEST

START_TEST(of_two_ports_the_lower_one_is_the_pfs_device)
{
    tree_igb(&tree, 0);
    tree_netdev(&tree, TREE_IGB_FOLDER, "aport1", "52:54:00:bb:01:0b", true);
    tree_text(&tree, "sys/class/net/aport1/dev_port", "1");
    read_tree();
    ck_assert_str_eq(pf_named(TREE_IGB_PF)->netdev, "eth0");
}
END_TEST

START_TEST(a_pf_without_driver_is_told_without_guesses)
{
    tree_igb(&tree, 0);
    tree_remove(&tree, "sys/devices/" TREE_IGB_FOLDER "/driver");
    tree_remove(&tree, "sys/devices/" TREE_IGB_FOLDER "/net");
    tree_remove(&tree, "sys/class/net/eth0");
    tree_remove(&tree, "sys/devices/" TREE_IGB_FOLDER "/iommu_group");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert_str_eq(pf->driver, "");
    ck_assert_str_eq(pf->netdev, "");
    ck_assert_int_eq(pf->iommu_group, -1);
    ck_assert(!pf->link_up);
}
END_TEST

/* ---- networks and the host's own traffic --------------------------------- */

START_TEST(a_default_route_marks_its_pf_as_management)
{
    tree_igb(&tree, 2);
    tree_default_route(&tree, "eth0");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason, "default route via eth0");
}
END_TEST

START_TEST(a_default_route_over_a_bridge_is_followed_down_to_the_pf)
{
    tree_igb(&tree, 2);
    tree_netdev(&tree, "virtual", "br0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/br0/bridge/stp_state", "0");
    tree_netdev(&tree, "virtual", "vnet0", "fe:54:00:00:00:01", true);
    tree_stack(&tree, "br0", "vnet0", true);
    tree_stack(&tree, "br0", "eth0", true);
    tree_default_route(&tree, "br0");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason, "default route via br0 over eth0");
    ck_assert_str_eq(pf->bond, "");
    ck_assert_uint_eq(seen->network_count, 1);
    ck_assert_str_eq(seen->networks[0].device, "br0");
    ck_assert_str_eq(seen->networks[0].uplink, "eth0");
    ck_assert_int_eq(seen->networks[0].kind, SWITCH_LINUX_BRIDGE);
    ck_assert_uint_eq(seen->networks[0].mtu, 1500);
}
END_TEST

static void make_bridge(const char *filtering, const char *pvid,
                        const char *protocol)
{
    tree_igb(&tree, 0);
    tree_netdev(&tree, "virtual", "br0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/br0/bridge/vlan_filtering", filtering);
    tree_text(&tree, "sys/class/net/br0/bridge/default_pvid", pvid);
    tree_text(&tree, "sys/class/net/br0/bridge/vlan_protocol", protocol);
    tree_stack(&tree, "br0", "eth0", true);
    read_tree();
    ck_assert_uint_eq(seen->network_count, 1);
}

START_TEST(a_bridge_that_filters_and_has_no_VLAN_of_its_own_holds_VLANs)
{
    make_bridge("1", "0", "0x8100");
    ck_assert(seen->networks[0].vlans);
}
END_TEST

START_TEST(a_bridge_that_does_not_filter_holds_none)
{
    make_bridge("0", "0", "0x8100");
    ck_assert(!seen->networks[0].vlans);
}
END_TEST

START_TEST(a_bridge_that_puts_new_ports_in_a_VLAN_holds_none)
{
    make_bridge("1", "1", "0x8100");
    ck_assert(!seen->networks[0].vlans);
}
END_TEST

START_TEST(a_bridge_that_filters_outer_tags_holds_none)
{
    make_bridge("1", "0", "0x88a8");
    ck_assert(!seen->networks[0].vlans);
}
END_TEST

START_TEST(macvtaps_can_sit_on_a_PF_that_nothing_else_uses)
{
    tree_igb(&tree, 2);
    tree_netdev(&tree, "virtual", "macvtap0", "52:54:00:bb:01:0b", true);
    tree_stack(&tree, "macvtap0", "eth0", false);
    read_tree();
    ck_assert_uint_eq(seen->network_count, 1);
    ck_assert_int_eq(seen->networks[0].kind, SWITCH_MACVTAP);
    ck_assert_str_eq(seen->networks[0].device, "eth0");
    ck_assert_str_eq(seen->networks[0].uplink, "eth0");
    ck_assert_uint_eq(seen->networks[0].mtu, 1500);
    ck_assert(!seen->networks[0].vlans);
}
END_TEST

START_TEST(macvtaps_can_not_sit_where_the_host_itself_is)
{
    tree_igb(&tree, 0);
    tree_default_route(&tree, "eth0");
    read_tree();
    ck_assert_uint_eq(seen->network_count, 0);
}
END_TEST

START_TEST(macvtaps_can_not_sit_on_a_PF_with_an_address)
{
    tree_igb(&tree, 0);
    tree_text(&tree, "proc/net/if_inet6",
              "20010db8000000000000000000000001 02 40 00 80     eth0");
    read_tree();
    ck_assert_uint_eq(seen->network_count, 0);
}
END_TEST

START_TEST(a_route_over_vlan_over_bond_is_followed_down_to_the_pf)
{
    tree_igb(&tree, 1);
    tree_netdev(&tree, "virtual", "bond0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/bond0/bonding/mode", "802.3ad 4");
    tree_netdev(&tree, "virtual", "bond0.7", "52:54:00:bb:01:0a", true);
    tree_stack(&tree, "bond0", "eth0", true);
    tree_stack(&tree, "bond0.7", "bond0", false);
    tree_text(&tree, "proc/net/route",
              "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
              "bond0.7\t0000000A\t0102A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert_str_eq(pf->bond, "bond0");
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason,
                     "route with a gateway via bond0.7 over eth0");
}
END_TEST

START_TEST(an_ipv6_default_route_counts_and_a_rejected_one_does_not)
{
    tree_igb(&tree, 1);
    tree_text(&tree, "proc/net/ipv6_route",
              "00000000000000000000000000000000 00 "
              "00000000000000000000000000000000 00 "
              "00000000000000000000000000000000 ffffffff 00000001 00000000 "
              "00200201     eth0");
    read_tree();
    ck_assert(!pf_named(TREE_IGB_PF)->management);
    tree_text(&tree, "proc/net/ipv6_route",
              "00000000000000000000000000000000 00 "
              "00000000000000000000000000000000 00 "
              "fe800000000000000000000000000001 00000400 00000001 00000000 "
              "00000003     eth0");
    read_tree();
    ck_assert(pf_named(TREE_IGB_PF)->management);
}
END_TEST

START_TEST(a_route_over_a_vf_protects_the_pf_below)
{
    tree_igb(&tree, 2);
    tree_default_route(&tree, "eth2");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert(pf->management);
    ck_assert_str_eq(pf->management_reason, "default route via eth2 (its VF)");
}
END_TEST

START_TEST(a_route_over_an_openvswitch_bridge_protects_all_its_hardware)
{
    tree_igb(&tree, 1);
    tree_netdev(&tree, "virtual", "ovs-system", "52:54:00:bb:01:0a", false);
    tree_netdev(&tree, "virtual", "br-ex", "52:54:00:bb:01:0a", true);
    tree_stack(&tree, "ovs-system", "eth0", true);
    tree_default_route(&tree, "br-ex");
    read_tree();
    ck_assert(pf_named(TREE_IGB_PF)->management);
    ck_assert_str_eq(pf_named(TREE_IGB_PF)->management_reason,
                     "default route via br-ex over eth0");
    ck_assert_str_eq(unreadable("Open vSwitch"), "needs the live kernel");
}
END_TEST

START_TEST(without_routes_every_pf_is_protected_and_it_says_so)
{
    tree_igb(&tree, 1);
    tree_remove(&tree, "proc/net/route");
    read_tree();
    ck_assert(pf_named(TREE_IGB_PF)->management);
    ck_assert_str_eq(pf_named(TREE_IGB_PF)->management_reason,
                     "the host's routes could not be read");
    ck_assert_ptr_nonnull(unreadable("/proc/net/route"));
}
END_TEST

START_TEST(stacked_devices_in_a_circle_end)
{
    tree_igb(&tree, 1);
    tree_netdev(&tree, "virtual", "bond0", "52:54:00:bb:01:0a", true);
    tree_netdev(&tree, "virtual", "bond1", "52:54:00:bb:01:0a", true);
    tree_stack(&tree, "bond0", "bond1", true);
    tree_stack(&tree, "bond1", "bond0", true);
    tree_stack(&tree, "bond1", "eth0", true);
    tree_default_route(&tree, "bond0");
    read_tree();
    ck_assert(pf_named(TREE_IGB_PF)->management);
}
END_TEST

/* ---- VFs that something else uses ---------------------------------------- */

static const struct vf *first_vf(void)
{
    const struct pf *pf = pf_named(TREE_IGB_PF);
    ck_assert_uint_ge(pf->vf_count, 1);
    return &pf->vfs[0];
}

static void check_external(const char *reason)
{
    read_tree();
    ck_assert_int_eq(first_vf()->state, VF_EXTERNAL);
    ck_assert_str_eq(first_vf()->reason, reason);
}

#define VF0 "sys/devices/pci0000:00/0000:00:01.0/0000:01:10.0"

START_TEST(a_vf_on_vfio_is_external)
{
    tree_igb(&tree, 2);
    tree_link(&tree, VF0 "/driver", "../../../../bus/pci/drivers/vfio-pci");
    tree_folder(&tree, "sys/bus/pci/drivers/vfio-pci");
    tree_remove(&tree, VF0 "/net");
    tree_remove(&tree, "sys/class/net/eth1");
    check_external("bound to the driver 'vfio-pci'");
    ck_assert_int_eq(pf_named(TREE_IGB_PF)->vfs[1].state, VF_FREE);
}
END_TEST

START_TEST(a_vf_whose_netdev_is_up_is_external)
{
    tree_igb(&tree, 2);
    tree_text(&tree, VF0 "/net/eth1/flags", "0x1003");
    check_external("its network device 'eth1' is up");
}
END_TEST

START_TEST(a_vf_that_is_enslaved_is_external)
{
    tree_igb(&tree, 2);
    tree_netdev(&tree, "virtual", "br0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/br0/bridge/stp_state", "0");
    tree_stack(&tree, "br0", "eth1", true);
    check_external("'br0' uses its network device 'eth1'");
}
END_TEST

START_TEST(a_vf_with_a_macvtap_above_is_external)
{
    tree_igb(&tree, 2);
    tree_netdev(&tree, "virtual", "macvtap0", "52:54:00:bb:01:0a", true);
    tree_stack(&tree, "macvtap0", "eth1", false);
    check_external("'macvtap0' uses its network device 'eth1'");
}
END_TEST

START_TEST(a_vf_with_an_address_is_external)
{
    tree_igb(&tree, 2);
    tree_text(&tree, "proc/net/if_inet6",
              "fe80000000000000505400fffebb010a 02 40 20 80     eth1");
    check_external("its network device 'eth1' has an address");
}
END_TEST

START_TEST(a_vf_whose_netdev_moved_to_another_namespace_is_external)
{
    tree_igb(&tree, 2);
    tree_remove(&tree, VF0 "/net");
    tree_folder(&tree, VF0 "/net");
    tree_remove(&tree, "sys/class/net/eth1");
    check_external("its network device is in another network namespace");
}
END_TEST

START_TEST(a_vf_with_vdpa_is_external)
{
    tree_igb(&tree, 2);
    tree_folder(&tree, VF0 "/vdpa0");
    check_external("used by vDPA");
}
END_TEST

START_TEST(a_vf_without_driver_is_free)
{
    tree_igb(&tree, 1);
    tree_remove(&tree, VF0 "/driver");
    tree_remove(&tree, VF0 "/net");
    tree_remove(&tree, "sys/class/net/eth1");
    read_tree();
    ck_assert_int_eq(first_vf()->state, VF_FREE);
    ck_assert_str_eq(first_vf()->driver, "");
}
END_TEST

/* ---- reading one PF, and what a copy refuses ------------------------------ */

START_TEST(one_pf_read_alone_equals_the_one_in_the_inventory)
{
    tree_igb(&tree, 3);
    tree_default_route(&tree, "eth0");
    read_tree();
    const struct pf *whole = pf_named(TREE_IGB_PF);
    struct error err = {0};
    auto_pf struct pf *again =
        host->ops->read_pf(host, &whole->key, whole, &err);
    auto_pf struct pf *first =
        host->ops->read_pf(host, &whole->key, NULL, &err);
    ck_assert(pf_same(whole, again));
    ck_assert(pf_same(whole, first));
    tree_remove(&tree, "sys/bus/pci/devices/" TREE_IGB_PF);
    ck_assert_ptr_null(host->ops->read_pf(host, &whole->key, whole, &err));
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

START_TEST(a_copied_tree_is_never_written_and_has_no_events)
{
    tree_igb(&tree, 1);
    tree_text(&tree, VF0 "/reset", "");
    read_tree();
    const struct pf *pf = pf_named(TREE_IGB_PF);
    struct policy policy = policy_clean();
    struct error err = {0};
    ck_assert_int_eq(
        host->ops->vf_write(host, &pf->key, 0, &policy, POLICY_ALL, &err), -1);
    ck_assert_int_eq(err.code, ERROR_PERMISSION);
    ck_assert_int_eq(host->ops->vf_read(host, &pf->key, 0, &policy, &err), -1);
    ck_assert_int_eq(host->ops->vf_reset(host, &pf->key, 0, &err), -1);
    ck_assert_int_eq(err.code, ERROR_PERMISSION);
    ck_assert_int_eq(host->ops->event_fd(host), -1);
    struct host_changes changes;
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(!changes.everything && !changes.host_facts);
    ck_assert_uint_eq(changes.pf_count, 0);
}
END_TEST

START_TEST(a_folder_without_sys_and_proc_is_refused)
{
    tree_remove(&tree, "sys");
    tree_remove(&tree, "proc");
    struct error err = {0};
    host = host_linux_open(tree.root, &err);
    ck_assert_ptr_nonnull(host);
    ck_assert_ptr_null(host->ops->inventory(host, &err));
    ck_assert_str_ne(err.remedy, "");
    struct host_backend *none = host_linux_open("/nonexistent/place", &err);
    ck_assert_ptr_null(none);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("agent/host inventory");
    TCase *c = tcase_create("trees");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, the_hosts_own_facts_are_read);
    tcase_add_test(c, an_igb_with_seven_vfs_is_read_whole);
    tcase_add_test(c, a_copied_tree_says_what_only_the_live_kernel_tells);
    tcase_add_test(c, a_virtio_pf_is_found_through_the_device_in_between);
    tcase_add_test(c, a_netdevsim_with_64_vfs_is_read);
    tcase_add_test(c, without_debugfs_netdevsims_limit_is_named_unreadable);
    tcase_add_test(c, the_uplink_is_the_pfs_device_and_not_a_representor);
    tcase_add_test(c, of_two_ports_the_lower_one_is_the_pfs_device);
    tcase_add_test(c, a_pf_without_driver_is_told_without_guesses);
    tcase_add_test(c, a_default_route_marks_its_pf_as_management);
    tcase_add_test(c, a_default_route_over_a_bridge_is_followed_down_to_the_pf);
    tcase_add_test(
        c, a_bridge_that_filters_and_has_no_VLAN_of_its_own_holds_VLANs);
    tcase_add_test(c, a_bridge_that_does_not_filter_holds_none);
    tcase_add_test(c, a_bridge_that_puts_new_ports_in_a_VLAN_holds_none);
    tcase_add_test(c, a_bridge_that_filters_outer_tags_holds_none);
    tcase_add_test(c, macvtaps_can_sit_on_a_PF_that_nothing_else_uses);
    tcase_add_test(c, macvtaps_can_not_sit_where_the_host_itself_is);
    tcase_add_test(c, macvtaps_can_not_sit_on_a_PF_with_an_address);
    tcase_add_test(c, a_route_over_vlan_over_bond_is_followed_down_to_the_pf);
    tcase_add_test(c, an_ipv6_default_route_counts_and_a_rejected_one_does_not);
    tcase_add_test(c, a_route_over_a_vf_protects_the_pf_below);
    tcase_add_test(
        c, a_route_over_an_openvswitch_bridge_protects_all_its_hardware);
    tcase_add_test(c, without_routes_every_pf_is_protected_and_it_says_so);
    tcase_add_test(c, stacked_devices_in_a_circle_end);
    tcase_add_test(c, a_vf_on_vfio_is_external);
    tcase_add_test(c, a_vf_whose_netdev_is_up_is_external);
    tcase_add_test(c, a_vf_that_is_enslaved_is_external);
    tcase_add_test(c, a_vf_with_a_macvtap_above_is_external);
    tcase_add_test(c, a_vf_with_an_address_is_external);
    tcase_add_test(c, a_vf_whose_netdev_moved_to_another_namespace_is_external);
    tcase_add_test(c, a_vf_with_vdpa_is_external);
    tcase_add_test(c, a_vf_without_driver_is_free);
    tcase_add_test(c, one_pf_read_alone_equals_the_one_in_the_inventory);
    tcase_add_test(c, a_copied_tree_is_never_written_and_has_no_events);
    tcase_add_test(c, a_folder_without_sys_and_proc_is_refused);
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
