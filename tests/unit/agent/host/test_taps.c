/* SPDX-License-Identifier: Apache-2.0 */
/* VLANs and policing filters of taps, from two answers of Linux 6.12 and from
 * messages built here as the kernel builds them (br_fill_ifinfo() in
 * net/bridge/br_netlink.c, tcf_fill_node() in net/sched/cls_api.c). For real: test_live.c as far as this machine's kernel
 * goes, and tests/contract/host in the lab. */
#include "agent/host/police.h"
#include "agent/host/taps.h"
#include "common/base/mem.h"

#include <check.h>
#include <linux/if_bridge.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#define TAP 7
#define UPLINK 3
#define ACCESS (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED)

/* ---- VLANs -------------------------------------------------------------------------- */

static struct port_vlans *ports;

static void begin(void)
{
    ports = mem_calloc(2, sizeof *ports);
    ports[0].index = TAP;
    ports[1].index = UPLINK;
}

static void end(void)
{
    free(ports);
}

static struct nl_msg *port_message(int type, int family, int index,
                                   struct nlattr **spec)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_MULTI);
    ck_assert_ptr_nonnull(msg);
    struct ifinfomsg link = {.ifi_family = (unsigned char)family,
                             .ifi_index = index};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    nla_put_string(msg, IFLA_IFNAME, "some");
    if (spec)
        *spec = nla_nest_start(msg, IFLA_AF_SPEC);
    return msg;
}

static void put_vlan(struct nl_msg *msg, uint16_t id, uint16_t flags)
{
    struct bridge_vlan_info info = {.vid = id, .flags = flags};
    nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof info, &info);
}

static size_t members(const struct port_vlans *port)
{
    size_t count = 0;
    for (size_t i = 0; i < VLAN_IDS; i++)
        count += port->member[i];
    return count;
}

START_TEST(single_VLANs_and_ranges_are_read)
{
    struct nlattr *spec;
    auto_nl_msg struct nl_msg *msg =
        port_message(RTM_NEWLINK, AF_BRIDGE, TAP, &spec);
    put_vlan(msg, 1, ACCESS);
    put_vlan(msg, 10, BRIDGE_VLAN_INFO_RANGE_BEGIN);
    put_vlan(msg, 12, BRIDGE_VLAN_INFO_RANGE_END);
    put_vlan(msg, 4094, BRIDGE_VLAN_INFO_UNTAGGED);
    nla_nest_end(msg, spec);
    bridge_vlans_take(nlmsg_hdr(msg), ports, 2);
    ck_assert(ports[0].found && !ports[1].found);
    ck_assert_uint_eq(ports[0].pvid, 1);
    ck_assert_uint_eq(members(&ports[0]), 5);
    ck_assert(ports[0].untagged[1] && ports[0].untagged[4094]);
    for (int id = 10; id <= 12; id++)
        ck_assert(ports[0].member[id] && !ports[0].untagged[id]);
    ck_assert_uint_eq(members(&ports[1]), 0);
}
END_TEST

START_TEST(a_port_in_no_VLAN_is_found_all_the_same)
{
    auto_nl_msg struct nl_msg *msg =
        port_message(RTM_NEWLINK, AF_BRIDGE, UPLINK, NULL);
    bridge_vlans_take(nlmsg_hdr(msg), ports, 2);
    ck_assert(ports[1].found);
    ck_assert_uint_eq(ports[1].pvid, 0);
    ck_assert_uint_eq(members(&ports[1]), 0);
}
END_TEST

static void check_ignored(int type, int family, int index, uint16_t flags)
{
    struct nlattr *spec;
    auto_nl_msg struct nl_msg *msg = port_message(type, family, index, &spec);
    if (flags)
        nla_put_u16(msg, IFLA_BRIDGE_FLAGS, flags);
    put_vlan(msg, 1, ACCESS);
    nla_nest_end(msg, spec);
    bridge_vlans_take(nlmsg_hdr(msg), ports, 2);
    ck_assert(!ports[0].found && !ports[1].found);
    ck_assert_uint_eq(members(&ports[0]) + members(&ports[1]), 0);
}

START_TEST(what_is_of_another_port_or_of_the_NICs_own_switch_is_not_taken)
{
    check_ignored(RTM_NEWLINK, AF_BRIDGE, 8, 0);
    check_ignored(RTM_NEWLINK, AF_UNSPEC, TAP, 0);
    check_ignored(RTM_DELLINK, AF_BRIDGE, TAP, 0);
    check_ignored(RTM_NEWLINK, AF_BRIDGE, TAP, BRIDGE_FLAGS_SELF);
}
END_TEST

START_TEST(ranges_without_a_beginning_or_end_and_ids_that_are_none_are_not)
{
    struct nlattr *spec;
    auto_nl_msg struct nl_msg *msg =
        port_message(RTM_NEWLINK, AF_BRIDGE, TAP, &spec);
    put_vlan(msg, 20, BRIDGE_VLAN_INFO_RANGE_END);
    put_vlan(msg, 0, ACCESS);
    put_vlan(msg, 4095, ACCESS);
    put_vlan(msg, 65535, ACCESS);
    nla_put_u16(msg, IFLA_BRIDGE_VLAN_INFO, 5);
    put_vlan(msg, 30, BRIDGE_VLAN_INFO_RANGE_BEGIN);
    nla_nest_end(msg, spec);
    bridge_vlans_take(nlmsg_hdr(msg), ports, 2);
    ck_assert(ports[0].found);
    ck_assert_uint_eq(ports[0].pvid, 0);
    ck_assert_uint_eq(members(&ports[0]), 0);
}
END_TEST

/* ---- access ports --------------------------------------------------------------------- */

static void join(struct port_vlans *port, uint16_t id, bool untagged, bool pvid)
{
    port->member[id] = true;
    port->untagged[id] = untagged;
    if (pvid)
        port->pvid = id;
}

/* The VLAN told, or -1. */
static int access_of(const struct tap_ports *both, uint16_t default_pvid)
{
    const struct bridge_vlan_mode mode = {
        .filtering = true, .is_8021q = true, .default_pvid = default_pvid};
    uint16_t vlan = 9999;
    return tap_access(both, &mode, &vlan) ? vlan : -1;
}

START_TEST(an_access_port_with_a_way_out_is_one)
{
    struct tap_ports both = {.uplink.index = UPLINK};
    join(&both.tap, 100, true, true);
    join(&both.uplink, 100, false, false);
    ck_assert_int_eq(access_of(&both, 0), 100);
    /* the one that is untagged on the uplink */
    join(&both.uplink, 100, true, true);
    ck_assert_int_eq(access_of(&both, 0), 0);
}
END_TEST

START_TEST(a_bridge_without_an_uplink_has_VLANs_inside)
{
    struct tap_ports both = {0};
    join(&both.tap, 100, true, true);
    ck_assert_int_eq(access_of(&both, 0), 100);
    ck_assert_int_eq(access_of(&both, 100), 0);
}
END_TEST

START_TEST(what_is_not_exactly_so_is_none)
{
    struct tap_ports none = {.uplink.index = UPLINK};
    ck_assert_int_eq(access_of(&none, 0), -1);

    struct tap_ports tagged = none;
    join(&tagged.tap, 100, false, true);
    join(&tagged.uplink, 100, false, false);
    ck_assert_int_eq(access_of(&tagged, 0), -1);

    struct tap_ports only_out = none;
    join(&only_out.tap, 100, true, false);
    join(&only_out.uplink, 100, false, false);
    ck_assert_int_eq(access_of(&only_out, 0), -1);

    struct tap_ports two = none;
    join(&two.tap, 100, true, true);
    join(&two.tap, 101, false, false);
    join(&two.uplink, 100, false, false);
    ck_assert_int_eq(access_of(&two, 0), -1);

    struct tap_ports no_way_out = none;
    join(&no_way_out.tap, 100, true, true);
    ck_assert_int_eq(access_of(&no_way_out, 0), -1);

    struct tap_ports out_untagged = none;
    join(&out_untagged.tap, 100, true, true);
    join(&out_untagged.uplink, 100, true, false);
    ck_assert_int_eq(access_of(&out_untagged, 0), -1);
}
END_TEST

/* ---- policing ---------------------------------------------------------------------------- */

static struct nl_msg *filter(const char *kind, struct nlattr **options)
{
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWTFILTER, NLM_F_MULTI);
    ck_assert_ptr_nonnull(msg);
    struct tcmsg about = {.tcm_ifindex = TAP};
    nlmsg_append(msg, &about, sizeof about, NLMSG_ALIGNTO);
    nla_put_string(msg, TCA_KIND, kind);
    *options = nla_nest_start(msg, TCA_OPTIONS);
    return msg;
}

static void put_police(struct nl_msg *msg, int where, uint32_t rate,
                       uint64_t rate64)
{
    struct tc_police police = {.rate.rate = rate, .action = TC_POLICE_SHOT};
    struct nlattr *nest = nla_nest_start(msg, where);
    nla_put(msg, TCA_POLICE_TBF, sizeof police, &police);
    if (rate64)
        nla_put_u64(msg, TCA_POLICE_RATE64, rate64);
    nla_nest_end(msg, nest);
}

static void put_action(struct nl_msg *msg, int where, const char *kind,
                       uint32_t rate)
{
    struct nlattr *list = nla_nest_start(msg, where);
    struct nlattr *first = nla_nest_start(msg, 1);
    nla_put_string(msg, TCA_ACT_KIND, kind);
    put_police(msg, TCA_ACT_OPTIONS, rate, 0);
    nla_nest_end(msg, first);
    nla_nest_end(msg, list);
}

/* libvirt's: tc filter add dev X parent ffff: protocol all u32 match u32 0 0
 * police rate 1250kbps ... */
START_TEST(libvirts_filter_tells_its_rate)
{
    struct nlattr *options;
    uint64_t rate = 0;
    auto_nl_msg struct nl_msg *table = filter("u32", &options);
    nla_put_u32(table, TCA_U32_DIVISOR, 1);
    nla_nest_end(table, options);
    police_take(nlmsg_hdr(table), &rate);
    ck_assert_uint_eq(rate, 0);
    auto_nl_msg struct nl_msg *msg = filter("u32", &options);
    put_police(msg, TCA_U32_POLICE, 1250000, 0);
    nla_nest_end(msg, options);
    police_take(nlmsg_hdr(msg), &rate);
    ck_assert_uint_eq(rate, 1250000);
}
END_TEST

START_TEST(rates_above_32_bits_are_whole)
{
    struct nlattr *options;
    uint64_t rate = 0;
    auto_nl_msg struct nl_msg *msg = filter("u32", &options);
    put_police(msg, TCA_U32_POLICE, UINT32_MAX, UINT64_C(12500000000));
    nla_nest_end(msg, options);
    police_take(nlmsg_hdr(msg), &rate);
    ck_assert_uint_eq(rate, UINT64_C(12500000000));
}
END_TEST

START_TEST(the_other_forms_are_read_and_the_lowest_rate_counts)
{
    struct nlattr *options;
    uint64_t rate = 0;
    auto_nl_msg struct nl_msg *basic = filter("basic", &options);
    put_police(basic, TCA_BASIC_POLICE, 3000, 0);
    nla_nest_end(basic, options);
    police_take(nlmsg_hdr(basic), &rate);
    ck_assert_uint_eq(rate, 3000);
    auto_nl_msg struct nl_msg *all = filter("matchall", &options);
    put_action(all, TCA_MATCHALL_ACT, "police", 2000);
    nla_nest_end(all, options);
    police_take(nlmsg_hdr(all), &rate);
    ck_assert_uint_eq(rate, 2000);
    auto_nl_msg struct nl_msg *u32 = filter("u32", &options);
    put_action(u32, TCA_U32_ACT, "police", 5000);
    nla_nest_end(u32, options);
    police_take(nlmsg_hdr(u32), &rate);
    ck_assert_uint_eq(rate, 2000);
}
END_TEST

START_TEST(other_actions_and_filters_are_no_limit)
{
    struct nlattr *options;
    uint64_t rate = 0;
    auto_nl_msg struct nl_msg *mirred = filter("matchall", &options);
    put_action(mirred, TCA_MATCHALL_ACT, "mirred", 2000);
    nla_nest_end(mirred, options);
    police_take(nlmsg_hdr(mirred), &rate);
    auto_nl_msg struct nl_msg *flower = filter("flower", &options);
    put_police(flower, TCA_U32_POLICE, 2000, 0);
    nla_nest_end(flower, options);
    police_take(nlmsg_hdr(flower), &rate);
    auto_nl_msg struct nl_msg *cut = filter("u32", &options);
    nla_put_u32(cut, TCA_U32_POLICE, 2000);
    nla_nest_end(cut, options);
    police_take(nlmsg_hdr(cut), &rate);
    ck_assert_uint_eq(rate, 0);
}
END_TEST

/* ---- as recorded ------------------------------------------------------------------------- */

/* Seeds of the fuzzer: a letter, then the kernel's datagrams. */
static void *recorded(const char *name, size_t *size)
{
    auto_free char *path =
        mem_printf("tests/fuzz/corpus/fuzz_netlink/%s", name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s", path);
    char *bytes = mem_calloc(1, 4096);
    ck_assert_int_ne(fgetc(file), EOF);
    *size = fread(bytes, 1, 4096, file);
    ck_assert_int_eq(fclose(file), 0);
    return bytes;
}

static void on_port(void *context, const struct nlmsghdr *answer)
{
    bridge_vlans_take(answer, context, 2);
}

static void on_filter(void *context, const struct nlmsghdr *answer)
{
    police_take(answer, context);
}

/* A tap with 'vlan add vid 100 pvid untagged'; pf0 with 1 pvid untagged, 100 and
 * 200-300; the bridge itself. */
START_TEST(recorded_VLANs_are_what_was_set)
{
    size_t size = 0;
    struct error err = {0};
    auto_free void *bytes = recorded("port-vlans", &size);
    ports[0].index = 10;
    ck_assert_int_eq(nl_take(bytes, size, 1, on_port, ports, "VLANs", &err), 0);
    ck_assert(ports[0].found && ports[1].found);
    ck_assert_uint_eq(ports[0].pvid, 100);
    ck_assert_uint_eq(members(&ports[0]), 1);
    ck_assert(ports[0].untagged[100]);
    ck_assert_uint_eq(ports[1].pvid, 1);
    ck_assert_uint_eq(members(&ports[1]), 103);
    ck_assert(ports[1].untagged[1] && !ports[1].untagged[100]);
    ck_assert(ports[1].member[200] && ports[1].member[300]);
    struct tap_ports both = {.tap = ports[0], .uplink = ports[1]};
    ck_assert_int_eq(access_of(&both, 0), 100);
}
END_TEST

/* tc filter add dev X parent ffff: protocol all u32 match u32 0 0 police rate
 * 12500kbps burst 12500kb mtu 64kb drop flowid :1 */
START_TEST(a_recorded_limit_is_what_was_set)
{
    size_t size = 0;
    uint64_t rate = 0;
    struct error err = {0};
    auto_free void *bytes = recorded("police", &size);
    ck_assert_int_eq(nl_take(bytes, size, 1, on_filter, &rate, "tc", &err), 0);
    ck_assert_uint_eq(rate, 12500000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("taps");
    TCase *c = tcase_create("all");
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, single_VLANs_and_ranges_are_read);
    tcase_add_test(c, a_port_in_no_VLAN_is_found_all_the_same);
    tcase_add_test(
        c, what_is_of_another_port_or_of_the_NICs_own_switch_is_not_taken);
    tcase_add_test(
        c, ranges_without_a_beginning_or_end_and_ids_that_are_none_are_not);
    tcase_add_test(c, an_access_port_with_a_way_out_is_one);
    tcase_add_test(c, a_bridge_without_an_uplink_has_VLANs_inside);
    tcase_add_test(c, what_is_not_exactly_so_is_none);
    tcase_add_test(c, libvirts_filter_tells_its_rate);
    tcase_add_test(c, rates_above_32_bits_are_whole);
    tcase_add_test(c, the_other_forms_are_read_and_the_lowest_rate_counts);
    tcase_add_test(c, other_actions_and_filters_are_no_limit);
    tcase_add_test(c, recorded_VLANs_are_what_was_set);
    tcase_add_test(c, a_recorded_limit_is_what_was_set);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
