/* SPDX-License-Identifier: Apache-2.0 */
/* Readiness in copied trees: each check in each of its states. The trees are
 * laid out as the kernel does (Documentation/ABI/testing/sysfs-bus-pci,
 * -class-iommu); registers by the PCI Express specification. */
#include "agent/host/readiness.h"
#include "tests/unit/agent/host/reading.h"

#define KERNEL "6.12.107+deb13-amd64"
#define PF_FOLDER "sys/devices/" TREE_IGB_FOLDER

static const struct readiness_check *check_named(const char *name)
{
    struct error err = {0};
    if (!host)
        host = host_linux_open(tree.root, &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    ref_put(seen);
    seen = host->ops->inventory(host, &err);
    ck_assert_msg(seen != NULL, "%s", err.msg);
    for (size_t i = 0; i < seen->check_count; i++)
        if (strcmp(seen->checks[i].name, name) == 0)
            return &seen->checks[i];
    ck_abort_msg("no check '%s'", name);
    return NULL;
}

/* What is told of it: the status, and words of reason and remedy. */
static void expect(const char *name, enum check_status status,
                   const char *reason, const char *remedy)
{
    const struct readiness_check *check = check_named(name);
    ck_assert_msg(check->status == status, "%s is %s: %s", name,
                  check_status_name((enum check_status)check->status),
                  check->reason);
    ck_assert_msg(strstr(check->reason, reason) != NULL, "%s: '%s' lacks '%s'",
                  name, check->reason, reason);
    if (remedy)
        ck_assert_msg(strstr(check->remedy, remedy) != NULL,
                      "%s: '%s' lacks '%s'", name, check->remedy, remedy);
    else
        ck_assert_str_eq(check->remedy, "");
}

START_TEST(the_checks_are_these_in_this_order)
{
    static const char *const names[] = {"iommu",        "interrupt_remapping",
                                        "vfio_pci",     "sriov_devices",
                                        "ari",          "mmio_space",
                                        "iommu_groups", "vf_drivers",
                                        "libvirt",      "qemu",
                                        "networks"};
    check_named("iommu");
    ck_assert_uint_eq(seen->check_count, sizeof names / sizeof *names);
    for (size_t i = 0; i < seen->check_count; i++)
        ck_assert_str_eq(seen->checks[i].name, names[i]);
}
END_TEST

START_TEST(a_host_without_sriov_devices_says_so)
{
    static const char *const names[] = {"ari", "mmio_space", "iommu_groups",
                                        "vf_drivers"};
    expect("sriov_devices", CHECK_WARNING, "no device here", "SR-IOV");
    for (size_t i = 0; i < 4; i++)
        expect(names[i], CHECK_OK, "no SR-IOV device", NULL);
}
END_TEST

START_TEST(what_its_devices_can_is_told)
{
    tree_igb(&tree, 2);
    expect("sriov_devices", CHECK_OK, "1 PF can have 7 VFs, 2 are there", NULL);
}
END_TEST

/* ---- networks ------------------------------------------------------------ */

static void make_bridge(const char *filtering, const char *pvid,
                        const char *protocol)
{
    tree_igb(&tree, 0);
    tree_netdev(&tree, "virtual", "br0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/br0/bridge/vlan_filtering", filtering);
    tree_text(&tree, "sys/class/net/br0/bridge/default_pvid", pvid);
    tree_text(&tree, "sys/class/net/br0/bridge/vlan_protocol", protocol);
    tree_stack(&tree, "br0", "eth0", true);
}

START_TEST(a_bridge_that_holds_VLANs_is_ok)
{
    make_bridge("1", "0", "0x8100");
    expect("networks", CHECK_OK, "'br0' holds VLANs", NULL);
}
END_TEST

START_TEST(a_bridge_that_holds_none_is_told_with_what_to_do)
{
    make_bridge("0", "1", "0x8100");
    expect("networks", CHECK_WARNING,
           "'br0' takes no ports with a VLAN: its "
           "vlan_filtering is 0",
           "ip link set br0 type bridge vlan_filtering 1 vlan_protocol 802.1Q "
           "vlan_default_pvid 0; for ports without VLAN: bridge vlan add vid 1 "
           "dev eth0 pvid untagged");
}
END_TEST

START_TEST(a_bridge_that_puts_new_ports_in_a_VLAN_is_told)
{
    make_bridge("1", "7", "0x8100");
    expect("networks", CHECK_WARNING, "vlan_default_pvid is 7",
           "vlan_default_pvid 0");
}
END_TEST

START_TEST(a_bridge_that_filters_outer_tags_is_told)
{
    make_bridge("1", "0", "0x88a8");
    expect("networks", CHECK_WARNING, "vlan_protocol is not 802.1Q",
           "vlan_protocol 802.1Q");
}
END_TEST

START_TEST(the_bridge_of_the_hosts_own_traffic_is_not_judged)
{
    make_bridge("0", "1", "0x8100");
    tree_default_route(&tree, "br0");
    expect("networks", CHECK_OK, "'br0' carries the host's own traffic", NULL);
}
END_TEST

START_TEST(a_bridge_that_leads_nowhere_is_not_judged)
{
    tree_netdev(&tree, "virtual", "virbr0", "52:54:00:bb:01:0a", true);
    tree_text(&tree, "sys/class/net/virbr0/bridge/vlan_filtering", "0");
    expect("networks", CHECK_OK, "no Linux bridge leads to a NIC", NULL);
}
END_TEST

/* ---- iommu --------------------------------------------------------------- */

static void make_iommu(const char *ecap)
{
    tree_folder(&tree, "sys/kernel/iommu_groups/3/devices/" TREE_IGB_PF);
    tree_text(&tree, "sys/class/iommu/dmar0/intel-iommu/ecap", ecap);
}

START_TEST(an_iommu_that_is_on_is_ok)
{
    make_iommu("f00f4e");
    tree_igb(&tree, 0);
    expect("iommu", CHECK_OK, "1 unit, 1 groups", NULL);
}
END_TEST

START_TEST(a_pf_without_iommu_is_named)
{
    make_iommu("f00f4e");
    tree_igb(&tree, 0);
    tree_remove(&tree, PF_FOLDER "/iommu_group");
    expect("iommu", CHECK_FAILED, TREE_IGB_PF " is behind no IOMMU", "slot");
}
END_TEST

START_TEST(without_iommu_the_remedy_is_that_of_the_machine)
{
    static const struct {
        const char *vendor, *table, *arguments, *reason, *remedy;
    } cases[] = {
        {"GenuineIntel", "DMAR", "quiet", "does not use it", "intel_iommu=on"},
        {"GenuineIntel", NULL, "quiet", "no DMAR", "VT-d"},
        {"AuthenticAMD", "IVRS", "quiet", "does not use it", "AMD-Vi"},
        {"AuthenticAMD", NULL, "quiet", "no IVRS", "AMD-Vi"},
        {"ARM", NULL, "quiet", "has no IOMMU", "SMMU"},
        {"GenuineIntel", "DMAR", "quiet intel_iommu=off x", "intel_iommu=off",
         "take 'intel_iommu=off' out"},
        {"AuthenticAMD", "IVRS", "iommu=off", "iommu=off",
         "take 'iommu=off' out"},
    };
    auto_free char *cpu =
        mem_printf("processor\t: 0\nvendor_id\t: %s", cases[_i].vendor);
    tree_text(&tree, "proc/cpuinfo", cpu);
    tree_text(&tree, "proc/cmdline", cases[_i].arguments);
    if (cases[_i].table) {
        auto_free char *table =
            mem_printf("sys/firmware/acpi/tables/%s", cases[_i].table);
        tree_text(&tree, table, "DMAR");
    }
    expect("iommu", CHECK_FAILED, cases[_i].reason, cases[_i].remedy);
}
END_TEST

/* ---- interrupt_remapping ---------------------------------------------------- */

static void make_interrupts(const char *chip)
{
    tree_text(&tree, "sys/kernel/irq/0/chip_name", "");
    tree_text(&tree, "sys/kernel/irq/9/chip_name", chip);
}

START_TEST(interrupts_that_are_remapped_are_ok)
{
    static const char *const chips[] = {
        "IR-IO-APIC", "IR-PCI-MSIX-0000:01:00.0", "vIR-PCI-MSI"};
    make_iommu("f00f4e");
    make_interrupts(chips[_i]);
    expect("interrupt_remapping", CHECK_OK, "on", NULL);
}
END_TEST

START_TEST(interrupts_that_are_not_remapped_fail)
{
    make_iommu("f00f4e");
    make_interrupts("IO-APIC");
    expect("interrupt_remapping", CHECK_FAILED, "though the IOMMU is on",
           "firmware");
    tree_text(&tree, "proc/cmdline", "quiet intremap=off");
    expect("interrupt_remapping", CHECK_FAILED, "kernel argument",
           "intremap=off");
    tree_text(&tree, "proc/cmdline", "quiet");
    /* Bit 3 of ecap is clear. */
    tree_text(&tree, "sys/class/iommu/dmar0/intel-iommu/ecap", "f00f46");
    expect("interrupt_remapping", CHECK_FAILED, "can't do it",
           "allow_unsafe_interrupts");
    tree_text(&tree,
              "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
              "Y");
    expect("interrupt_remapping", CHECK_WARNING, "told to do without",
           "allow_unsafe_interrupts off");
}
END_TEST

START_TEST(without_iommu_interrupts_are_not_remapped_either)
{
    make_interrupts("IO-APIC");
    expect("interrupt_remapping", CHECK_FAILED, "as the IOMMU is", "iommu");
}
END_TEST

START_TEST(where_the_kernel_does_not_tell_it_is_unknown)
{
    make_iommu("f00f4e");
    make_interrupts("GICv3");
    expect("interrupt_remapping", CHECK_UNKNOWN, "does not show", "log");
}
END_TEST

/* ---- iommu_groups ------------------------------------------------------------ */

START_TEST(vfs_alone_in_their_groups_are_ok)
{
    tree_igb(&tree, 2);
    expect("iommu_groups", CHECK_OK, "2 VFs", NULL);
}
END_TEST

START_TEST(vfs_that_share_a_group_are_named)
{
    tree_igb(&tree, 2);
    tree_folder(&tree, "sys/kernel/iommu_groups/11/devices/0000:01:10.2");
    tree_folder(&tree, "sys/kernel/iommu_groups/11/devices/0000:00:01.0");
    expect("iommu_groups", CHECK_FAILED, "0000:01:10.2 is with 0000:00:01.0",
           "ACS");
}
END_TEST

START_TEST(without_vfs_their_groups_are_unknown)
{
    tree_igb(&tree, 0);
    expect("iommu_groups", CHECK_UNKNOWN, "no VFs", NULL);
}
END_TEST

/* ---- vfio_pci and vf_drivers --------------------------------------------------- */

#define MODULES "lib/modules/" KERNEL "/"

static void make_modules(void)
{
    tree_text(&tree, MODULES "modules.builtin",
              "kernel/drivers/pci/hotplug/acpiphp.ko");
    tree_text(&tree, MODULES "modules.dep",
              "kernel/drivers/vfio/pci/vfio-pci-core.ko.xz: kernel/x.ko.xz\n"
              "kernel/drivers/vfio/pci/vfio-pci.ko.xz: "
              "kernel/drivers/vfio/pci/vfio-pci-core.ko.xz");
    tree_text(&tree, MODULES "modules.alias",
              "# Aliases extracted from modules themselves.\n"
              "alias fs-nfs nfs\n"
              "alias pci:v00008086d000010C9sv*sd*bc*sc*i* igb\n"
              "alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf");
}

START_TEST(vfio_pci_is_found_wherever_it_is)
{
    expect("vfio_pci", CHECK_UNKNOWN, "no modules.dep", "modules");
    make_modules();
    expect("vfio_pci", CHECK_OK, "libvirt loads it", NULL);
    tree_text(&tree, "etc/modprobe.d/mine.conf", "# mine\nblacklist vfio_pci");
    expect("vfio_pci", CHECK_WARNING, "barred", "modprobe.d");
    tree_text(&tree, MODULES "modules.builtin",
              "kernel/drivers/vfio/pci/vfio-pci.ko");
    expect("vfio_pci", CHECK_OK, "part of the kernel", NULL);
    tree_folder(&tree, "sys/bus/pci/drivers/vfio-pci");
    expect("vfio_pci", CHECK_OK, "loaded", NULL);
}
END_TEST

START_TEST(a_kernel_without_vfio_pci_fails)
{
    make_modules();
    /* Not taken for it. */
    tree_text(&tree, MODULES "modules.dep",
              "kernel/drivers/vfio/pci/vfio-pci-core.ko.xz: ");
    expect("vfio_pci", CHECK_FAILED, KERNEL " has no vfio-pci", "VFIO_PCI");
}
END_TEST

START_TEST(a_driver_that_is_bound_is_the_vfs_driver)
{
    tree_igb(&tree, 1);
    expect("vf_drivers", CHECK_OK, "igbvf is at work", NULL);
}
END_TEST

START_TEST(vfs_with_the_id_of_their_pf_have_its_driver)
{
    tree_igb(&tree, 0);
    tree_text(&tree, PF_FOLDER "/sriov_vf_device", "10c9");
    expect("vf_drivers", CHECK_OK, "8086:10c9: igb is at work", NULL);
}
END_TEST

START_TEST(the_vfs_driver_is_found_by_their_id)
{
    tree_igb(&tree, 0);
    tree_text(&tree, PF_FOLDER "/sriov_vf_device", "10ca");
    expect("vf_drivers", CHECK_UNKNOWN, "no modules.alias", "guests");
    make_modules();
    expect("vf_drivers", CHECK_OK, "8086:10ca: igbvf", NULL);
    tree_text(&tree, "proc/cmdline", "quiet modprobe.blacklist=nfs,igbvf");
    expect("vf_drivers", CHECK_OK, "igbvf, barred on this host", NULL);
}
END_TEST

START_TEST(a_part_of_the_kernel_can_be_the_vfs_driver)
{
    static const char modinfo[] =
        "ext4.license=GPL\0virtio.alias=virtio:d*\0"
        "igbvf.alias=pci:v00008086d000010CAsv*sd*bc*sc*i*";
    tree_igb(&tree, 0);
    tree_text(&tree, PF_FOLDER "/sriov_vf_device", "10ca");
    make_modules();
    tree_text(&tree, MODULES "modules.alias", "alias fs-nfs nfs");
    expect("vf_drivers", CHECK_WARNING,
           "knows the VFs of PF " TREE_IGB_PF " (8086:10ca)",
           "guests need a driver");
    tree_bytes(&tree, MODULES "modules.builtin.modinfo", modinfo,
               sizeof modinfo);
    /* Another time of writing: what was found out is forgotten. */
    tree_text(&tree, MODULES "modules.alias", "alias fs-nfs nfs");
    expect("vf_drivers", CHECK_OK, "8086:10ca: igbvf", NULL);
}
END_TEST

/* ---- ari ------------------------------------------------------------------------ */

#define SRIOV_AT 0x160

static void put(uint8_t *config, unsigned at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        config[at + (unsigned)i] = (uint8_t)(value >> (8 * i));
}

/* A function with an AER and then an SR-IOV capability. */
static void make_sriov_config(uint16_t total, uint16_t offset, uint16_t stride)
{
    uint8_t config[4096] = {0};
    put(config, 0x100, 0x16010001, 4);
    put(config, SRIOV_AT, 0x00010010, 4);
    put(config, SRIOV_AT + 0x0e, total, 2);
    put(config, SRIOV_AT + 0x14, offset, 2);
    put(config, SRIOV_AT + 0x16, stride, 2);
    tree_bytes(&tree, PF_FOLDER "/config", config, sizeof config);
}

/* The port above: power management, then PCI Express. */
static void make_port(bool can, bool does)
{
    uint8_t config[256] = {0};
    put(config, 0x06, 0x0010, 2);
    put(config, 0x34, 0x50, 1);
    put(config, 0x50, 0x6001, 2);
    put(config, 0x60, 0x0010, 2);
    put(config, 0x60 + 0x24, can ? 1u << 5 : 0, 4);
    put(config, 0x60 + 0x28, does ? 1u << 5 : 0, 2);
    tree_pci(&tree, &(struct tree_function){.parent = "pci0000:00",
                                            .address = "0000:00:01.0",
                                            .vendor = "0x8086",
                                            .device = "0x3420",
                                            .iommu_group = 1,
                                            .class = "0x060400"});
    tree_bytes(&tree, "sys/devices/pci0000:00/0000:00:01.0/config", config,
               sizeof config);
}

START_TEST(ari_that_is_needed_must_be_forwarded)
{
    static const struct {
        bool can, does;
        enum check_status status;
        const char *reason, *remedy;
    } cases[] = {
        {true, true, CHECK_OK, "forwards ARI", NULL},
        {true, false, CHECK_FAILED, "could forward ARI and does not: 7 VFs",
         "noari"},
        {false, false, CHECK_FAILED, "0000:00:01.0 has no ARI: 7 VFs", "slot"},
    };
    tree_igb(&tree, 0);
    make_sriov_config(7, 128, 2);
    make_port(cases[_i].can, cases[_i].does);
    expect("ari", cases[_i].status, cases[_i].reason, cases[_i].remedy);
}
END_TEST

START_TEST(few_vfs_or_those_of_another_bus_need_no_ari)
{
    tree_igb(&tree, 0);
    make_port(false, false);
    make_sriov_config(7, 1, 1); /* 01:00.1 to 01:00.7 */
    expect("ari", CHECK_OK, "needs none", NULL);
    make_sriov_config(7, 256, 1); /* 02:00.0 and on */
    expect("ari", CHECK_OK, "needs none", NULL);
    make_sriov_config(8, 1, 1); /* 01:01.0 is one too many */
    expect("ari", CHECK_FAILED, "1 VFs", "slot");
}
END_TEST

START_TEST(what_only_root_may_read_is_unknown)
{
    static const uint8_t head[64];
    tree_igb(&tree, 0);
    expect("ari", CHECK_UNKNOWN, "can't be read", "root");
    tree_bytes(&tree, PF_FOLDER "/config", head, sizeof head);
    expect("ari", CHECK_UNKNOWN, "can't be read", "root");
    make_sriov_config(7, 128, 2);
    expect("ari", CHECK_UNKNOWN, "port 0000:00:01.0", "root");
}
END_TEST

/* ---- mmio_space -------------------------------------------------------------------- */

#define NONE "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"

static void make_resource(const char *vf_bar0)
{
    auto_free char *text = mem_printf(
        "0x00000000fe800000 0x00000000fe81ffff 0x0000000000040200\n" NONE NONE
            NONE NONE NONE NONE "%s" NONE NONE NONE NONE NONE,
        vf_bar0);
    tree_text(&tree, PF_FOLDER "/resource", text);
}

START_TEST(memory_space_of_vfs_is_given_or_lacks)
{
    tree_igb(&tree, 0);
    expect("mmio_space", CHECK_UNKNOWN, "can't be read", NULL);
    make_resource("0x00000000fe840000 0x00000000fe85bfff 0x0000000000140204\n");
    expect("mmio_space", CHECK_OK, TREE_IGB_PF " have theirs", NULL);
    /* A size without a place. */
    make_resource("0x0000000000000000 0x000000000001bfff 0x0000000020140204\n");
    expect("mmio_space", CHECK_FAILED, TREE_IGB_PF, "Above 4G");
    make_resource("0x0000000000000000 0x000000000001bfff 0x0000000000140204\n");
    expect("mmio_space", CHECK_FAILED, TREE_IGB_PF, "pci=realloc");
    make_resource(NONE);
    expect("mmio_space", CHECK_FAILED, TREE_IGB_PF, "pci=realloc");
    /* A kernel without SR-IOV has seven lines. */
    tree_text(&tree, PF_FOLDER "/resource", NONE NONE NONE NONE NONE NONE);
    expect("mmio_space", CHECK_UNKNOWN, "can't be read", NULL);
}
END_TEST

/* ---- libvirt and qemu ------------------------------------------------------------- */

static void judge_libvirt(const struct libvirt_status *status,
                          struct readiness_check out[HOST_CHECKS_MAX],
                          const struct readiness_check **libvirt,
                          const struct readiness_check **qemu)
{
    struct sysfs sysfs = {.root = -1};
    struct scan_cache cache = {0};
    struct modules modules = {0};
    struct error err = {0};
    ck_assert_int_eq(sysfs_open(&sysfs, tree.root, &err), 0);
    struct scan scan = {.sysfs = &sysfs, .cache = &cache};
    struct readiness_input input = {.scan = &scan,
                                    .kernel = KERNEL,
                                    .modules = &modules,
                                    .libvirt = status};
    size_t count = readiness_read(&input, out);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(out[i].name, "libvirt") == 0)
            *libvirt = &out[i];
        if (strcmp(out[i].name, "qemu") == 0)
            *qemu = &out[i];
    }
    sysfs_close(&sysfs);
}

START_TEST(libvirt_and_qemu_are_judged_by_what_libvirt_says)
{
    static const struct {
        struct libvirt_status status;
        enum check_status libvirt, qemu;
        const char *libvirt_words, *qemu_words;
    } cases[] = {
        {{.state = LIBVIRT_CONNECTED,
          .driver = "QEMU",
          .version = 9000000,
          .hypervisor_version = 7002000},
         CHECK_OK,
         CHECK_OK,
         "libvirt 9.0.0 answers",
         "QEMU 7.2.0"},
        {{.state = LIBVIRT_CONNECTED,
          .driver = "QEMU",
          .version = 8010000,
          .hypervisor_version = 7001999},
         CHECK_FAILED,
         CHECK_FAILED,
         "8.10.0 is too old",
         "7.1.999 is too old"},
        {{.state = LIBVIRT_CONNECTED, .driver = "QEMU", .version = 11003000},
         CHECK_OK,
         CHECK_FAILED,
         "11.3.0",
         "finds no QEMU"},
        {{.state = LIBVIRT_CONNECTED,
          .driver = "QEMU",
          .version = 11003000,
          .hypervisor_version = 7002000,
          .domains_error = "domain 'x' can't be understood"},
         CHECK_FAILED,
         CHECK_OK,
         "domain 'x' can't be understood",
         "QEMU 7.2.0"},
        {{.state = LIBVIRT_CONNECTED, .driver = "Xen", .version = 11003000},
         CHECK_OK,
         CHECK_FAILED,
         "11.3.0",
         "drives 'Xen'"},
        {{.state = LIBVIRT_CONNECTING},
         CHECK_UNKNOWN,
         CHECK_UNKNOWN,
         "not answered yet",
         "not answered yet"},
        {{.state = LIBVIRT_DISCONNECTED, .error = "no socket"},
         CHECK_FAILED,
         CHECK_UNKNOWN,
         "no socket",
         "not connected"},
    };
    struct readiness_check checks[HOST_CHECKS_MAX];
    const struct readiness_check *libvirt = NULL;
    const struct readiness_check *qemu = NULL;
    judge_libvirt(&cases[_i].status, checks, &libvirt, &qemu);
    if (!libvirt || !qemu)
        ck_abort_msg("a check is missing");
    ck_assert_int_eq(libvirt->status, cases[_i].libvirt);
    ck_assert_int_eq(qemu->status, cases[_i].qemu);
    ck_assert_ptr_nonnull(strstr(libvirt->reason, cases[_i].libvirt_words));
    ck_assert_ptr_nonnull(strstr(qemu->reason, cases[_i].qemu_words));
    ck_assert((libvirt->status == CHECK_FAILED) == (*libvirt->remedy != '\0'));
}
END_TEST

START_TEST(of_a_copied_tree_libvirt_is_not_asked)
{
    expect("libvirt", CHECK_UNKNOWN, "not asked", NULL);
    expect("qemu", CHECK_UNKNOWN, "not asked", NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("agent/host readiness");
    TCase *c = tcase_create("trees");
    tcase_set_timeout(c, 30);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, the_checks_are_these_in_this_order);
    tcase_add_test(c, a_host_without_sriov_devices_says_so);
    tcase_add_test(c, a_bridge_that_holds_VLANs_is_ok);
    tcase_add_test(c, a_bridge_that_holds_none_is_told_with_what_to_do);
    tcase_add_test(c, a_bridge_that_puts_new_ports_in_a_VLAN_is_told);
    tcase_add_test(c, a_bridge_that_filters_outer_tags_is_told);
    tcase_add_test(c, the_bridge_of_the_hosts_own_traffic_is_not_judged);
    tcase_add_test(c, a_bridge_that_leads_nowhere_is_not_judged);
    tcase_add_test(c, what_its_devices_can_is_told);
    tcase_add_test(c, an_iommu_that_is_on_is_ok);
    tcase_add_test(c, a_pf_without_iommu_is_named);
    tcase_add_loop_test(c, without_iommu_the_remedy_is_that_of_the_machine, 0,
                        7);
    tcase_add_loop_test(c, interrupts_that_are_remapped_are_ok, 0, 3);
    tcase_add_test(c, interrupts_that_are_not_remapped_fail);
    tcase_add_test(c, without_iommu_interrupts_are_not_remapped_either);
    tcase_add_test(c, where_the_kernel_does_not_tell_it_is_unknown);
    tcase_add_test(c, vfs_alone_in_their_groups_are_ok);
    tcase_add_test(c, vfs_that_share_a_group_are_named);
    tcase_add_test(c, without_vfs_their_groups_are_unknown);
    tcase_add_test(c, vfio_pci_is_found_wherever_it_is);
    tcase_add_test(c, a_kernel_without_vfio_pci_fails);
    tcase_add_test(c, a_driver_that_is_bound_is_the_vfs_driver);
    tcase_add_test(c, vfs_with_the_id_of_their_pf_have_its_driver);
    tcase_add_test(c, the_vfs_driver_is_found_by_their_id);
    tcase_add_test(c, a_part_of_the_kernel_can_be_the_vfs_driver);
    tcase_add_loop_test(c, ari_that_is_needed_must_be_forwarded, 0, 3);
    tcase_add_test(c, few_vfs_or_those_of_another_bus_need_no_ari);
    tcase_add_test(c, what_only_root_may_read_is_unknown);
    tcase_add_test(c, memory_space_of_vfs_is_given_or_lacks);
    tcase_add_loop_test(c, libvirt_and_qemu_are_judged_by_what_libvirt_says, 0,
                        7);
    tcase_add_test(c, of_a_copied_tree_libvirt_is_not_asked);
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
