/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel events become PF keys, also when the device is gone already. */
#include "agent/host/events.h"
#include "agent/host/owners.h"
#include "common/base/rng.h"
#include "common/base/str.h"
#include "tests/unit/agent/host/tree.h"

static struct tree tree;
static struct sysfs sysfs;
static struct events *events;
static struct host_changes changes;

static void begin(void)
{
    struct error err = {0};
    tree_begin(&tree);
    tree_host(&tree);
    tree_igb(&tree, 3);
    ck_assert_int_eq(sysfs_open(&sysfs, tree.root, &err), 0);
    events = events_open(&sysfs, &err);
    ck_assert_msg(events != NULL, "%s", err.msg);
    changes = (struct host_changes){0};
}

static void end(void)
{
    events_close(events);
    sysfs_close(&sysfs);
    tree_end(&tree);
}

#define DEVICES "/devices/pci0000:00/0000:00:01.0/"

/* 'text' with '|' in place of the zeros. */
static void tell(const char *text)
{
    auto_free char *copy = mem_strdup(text);
    size_t length = strlen(copy);
    for (char *c = copy; *c; c++)
        if (*c == '|')
            *c = '\0';
    events_take_uevent(events, copy, length, &changes);
}

static void check_only(const char *key)
{
    ck_assert_uint_eq(changes.pf_count, 1);
    ck_assert_str_eq(changes.pfs[0].text, key);
    ck_assert(!changes.everything);
}

START_TEST(an_event_of_the_pf_names_it)
{
    tell("change@" DEVICES "0000:01:00.0|ACTION=change|SUBSYSTEM=pci");
    check_only(TREE_IGB_PF);
    ck_assert(!changes.host_facts);
}
END_TEST

START_TEST(an_event_of_a_vf_names_its_pf)
{
    tell("add@" DEVICES "0000:01:10.2|ACTION=add|SUBSYSTEM=pci");
    tell("bind@" DEVICES "0000:01:10.4|ACTION=bind|SUBSYSTEM=pci");
    check_only(TREE_IGB_PF);
}
END_TEST

START_TEST(a_vf_that_was_seen_before_is_known_when_it_is_gone)
{
    tell("add@" DEVICES "0000:01:10.2|ACTION=add|SUBSYSTEM=pci");
    changes = (struct host_changes){0};
    tree_remove(&tree, "sys/bus/pci/devices/0000:01:10.2");
    tell("remove@" DEVICES "0000:01:10.2|ACTION=remove|SUBSYSTEM=pci");
    check_only(TREE_IGB_PF);
}
END_TEST

START_TEST(a_vf_that_was_only_read_is_known_when_it_is_gone)
{
    auto_pf struct pf *pf = pf_new(1);
    ck_assert(pf_key_parse(TREE_IGB_PF, &pf->key));
    pf->num_vfs = 1;
    pf->vfs[0].has_address = true;
    ck_assert(pci_parse("0000:01:10.4", &pf->vfs[0].address));
    events_remember(events, pf);
    tree_remove(&tree, "sys/bus/pci/devices/0000:01:10.4");
    tell("remove@" DEVICES "0000:01:10.4|ACTION=remove|SUBSYSTEM=pci");
    check_only(TREE_IGB_PF);
}
END_TEST

START_TEST(a_network_device_below_a_vf_names_the_pf_and_the_host)
{
    tell("add@" DEVICES "0000:01:10.2/net/eth2|ACTION=add|SUBSYSTEM=net|"
         "INTERFACE=eth2");
    check_only(TREE_IGB_PF);
    ck_assert(changes.host_facts);
}
END_TEST

START_TEST(a_virtio_device_in_between_is_passed)
{
    tell("bind@" DEVICES "0000:01:10.2/virtio3|ACTION=bind|SUBSYSTEM=virtio");
    check_only(TREE_IGB_PF);
}
END_TEST

START_TEST(a_removed_pf_is_named)
{
    tree_remove(&tree, "sys/bus/pci/devices/" TREE_IGB_PF);
    tell("remove@" DEVICES TREE_IGB_PF "|ACTION=remove|SUBSYSTEM=pci");
    check_only(TREE_IGB_PF);
}
END_TEST

START_TEST(netdevsim_is_named_by_its_own_key)
{
    tree_text(&tree, "sys/bus/netdevsim/devices/netdevsim7/sriov_numvfs", "0");
    tell("add@/devices/netdevsim7|ACTION=add|SUBSYSTEM=netdevsim");
    check_only("netdevsim7");
}
END_TEST

START_TEST(devices_that_are_no_pfs_say_nothing)
{
    tell("change@/devices/pci0000:00/0000:00:01.0|ACTION=change|SUBSYSTEM=pci");
    tell("add@/devices/pci0000:00/0000:00:05.0/usb1|ACTION=add|SUBSYSTEM=usb");
    tell("add@/devices/virtual/net/vnet3|ACTION=add|SUBSYSTEM=net|"
         "INTERFACE=vnet3");
    ck_assert_uint_eq(changes.pf_count, 0);
    ck_assert(!changes.host_facts);
    tell("add@/devices/virtual/net/br7|ACTION=add|SUBSYSTEM=net|INTERFACE=br7");
    ck_assert_uint_eq(changes.pf_count, 0);
    ck_assert(changes.host_facts);
}
END_TEST

START_TEST(more_pfs_than_fit_become_everything)
{
    for (int i = 0; i <= HOST_CHANGES_MAX; i++) {
        auto_free char *text = mem_printf(
            "remove@/devices/netdevsim%d|ACTION=remove|SUBSYSTEM=netdevsim", i);
        tell(text);
    }
    ck_assert_uint_eq(changes.pf_count, HOST_CHANGES_MAX);
    ck_assert(changes.everything);
}
END_TEST

START_TEST(odd_texts_are_survived)
{
    tell("");
    tell("@");
    tell("add@");
    tell("libudev");
    tell("add@//////|SUBSYSTEM=pci");
    tell("remove@/devices/../../0000:01:00.0/../x|SUBSYSTEM=pci||||");
    struct rng rng = {.state = 3};
    for (int i = 0; i < 20000; i++) {
        char text[] = "remove@" DEVICES "0000:01:10.2|ACTION=remove|"
                      "SUBSYSTEM=pci|INTERFACE=eth0";
        for (int flips = 0; flips < 3; flips++)
            text[rng_below(&rng, sizeof text - 1)] =
                (char)(1 + rng_below(&rng, 126));
        tell(text);
    }
    ck_assert_uint_le(changes.pf_count, HOST_CHANGES_MAX);
}
END_TEST

START_TEST(owners_are_found_and_change_and_are_bounded)
{
    struct owners owners = {0};
    struct pf_key a;
    struct pf_key b;
    ck_assert(pf_key_parse("0000:01:00.0", &a));
    ck_assert(pf_key_parse("0000:02:00.0", &b));
    for (uint32_t i = 0; i < OWNERS_MAX + 100; i++) {
        /* In a scattered order. */
        uint32_t n = i * 7919u % 65521u;
        struct pci_address vf = {.domain = 0,
                                 .bus = (uint8_t)(n >> 8),
                                 .device = (uint8_t)(n >> 3 & 31),
                                 .function = (uint8_t)(n & 7)};
        owners_put(&owners, &vf, &a);
    }
    ck_assert_uint_eq(owners.count, OWNERS_MAX);
    for (size_t i = 0; i < owners.count; i++) {
        ck_assert(i == 0 || pci_compare(&owners.items[i - 1].vf,
                                        &owners.items[i].vf) < 0);
        ck_assert_ptr_nonnull(owners_find(&owners, &owners.items[i].vf));
    }
    struct pci_address vf = owners.items[77].vf;
    owners_put(&owners, &vf, &b);
    ck_assert_int_eq(pf_key_compare(owners_find(&owners, &vf), &b), 0);
    struct pci_address none = {.domain = 0x12345};
    ck_assert_ptr_null(owners_find(&owners, &none));
    owners_done(&owners);
}
END_TEST

START_TEST(only_what_matters_of_a_link_counts_as_changed)
{
    struct seen_links links = {0};
    struct seen_link link = {
        .index = 2, .mtu = 1500, .up = true, .name = "eth0"};
    ck_assert(seen_links_changed(&links, &link));
    ck_assert(!seen_links_changed(&links, &link));
    link.master = 7;
    ck_assert(seen_links_changed(&links, &link));
    link.mtu = 9000;
    ck_assert(seen_links_changed(&links, &link));
    link.up = false;
    ck_assert(seen_links_changed(&links, &link));
    str_copy(link.name, "pf0");
    ck_assert(seen_links_changed(&links, &link));
    ck_assert(!seen_links_changed(&links, &link));
    seen_links_forget(&links, 2);
    ck_assert(seen_links_changed(&links, &link));
    for (int i = 3; i < SEEN_LINKS_MAX + 10; i++) {
        link.index = i;
        ck_assert(seen_links_changed(&links, &link));
    }
    ck_assert(seen_links_changed(&links, &link)); /* no place: always new */
    link.index = 100;
    ck_assert(!seen_links_changed(&links, &link));
    seen_links_done(&links);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host events");
    TCase *c = tcase_create("events");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, an_event_of_the_pf_names_it);
    tcase_add_test(c, an_event_of_a_vf_names_its_pf);
    tcase_add_test(c, a_vf_that_was_seen_before_is_known_when_it_is_gone);
    tcase_add_test(c, a_vf_that_was_only_read_is_known_when_it_is_gone);
    tcase_add_test(c, a_network_device_below_a_vf_names_the_pf_and_the_host);
    tcase_add_test(c, a_virtio_device_in_between_is_passed);
    tcase_add_test(c, a_removed_pf_is_named);
    tcase_add_test(c, netdevsim_is_named_by_its_own_key);
    tcase_add_test(c, devices_that_are_no_pfs_say_nothing);
    tcase_add_test(c, more_pfs_than_fit_become_everything);
    tcase_add_test(c, odd_texts_are_survived);
    tcase_add_test(c, owners_are_found_and_change_and_are_bounded);
    tcase_add_test(c, only_what_matters_of_a_link_counts_as_changed);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
