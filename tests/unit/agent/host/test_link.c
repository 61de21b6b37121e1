/* SPDX-License-Identifier: Apache-2.0 */
/* The VF list of rtnetlink, from messages built here as the kernel builds them
 * (rtnl_fill_vfinfo): sentinels, many VFs, cut and damaged messages. */
#include "agent/host/link.h"

#include "common/base/mem.h"
#include "common/base/rng.h"

#include <arpa/inet.h>
#include <check.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

/* A message with room for 1024 VFs; its length fields are written by hand
 * where the kernel's wrap. */
#define ROOM (400u << 10)

/* struct nlattr, and the 4-byte steps of attributes (netlink(7)). */
#define HEADER sizeof(struct nlattr)
#define ALIGNED(length) (((length) + 3u) & ~(size_t)3u)

struct draft {
    unsigned char *bytes;
    size_t length;
};

static size_t put(struct draft *d, uint16_t type, const void *data, size_t size)
{
    size_t at = d->length;
    struct nlattr attr = {.nla_len = (uint16_t)(HEADER + size),
                          .nla_type = type};
    memcpy(d->bytes + at, &attr, sizeof attr);
    if (size)
        memcpy(d->bytes + at + HEADER, data, size);
    d->length = at + ALIGNED(HEADER + size);
    return at;
}

/* Close a nest: its 16-bit length, wrapped as the kernel wraps it. */
static void close_nest(struct draft *d, size_t at)
{
    struct nlattr attr;
    memcpy(&attr, d->bytes + at, sizeof attr);
    attr.nla_len = (uint16_t)(d->length - at);
    memcpy(d->bytes + at, &attr, sizeof attr);
}

static void begin_message(struct draft *d, uint32_t num_vf)
{
    d->bytes = mem_calloc(ROOM, 1);
    d->length = NLMSG_LENGTH(sizeof(struct ifinfomsg));
    put(d, IFLA_IFNAME, "eth0", 5);
    put(d, IFLA_NUM_VF, &num_vf, sizeof num_vf);
}

static struct nlmsghdr *end_message(struct draft *d)
{
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)d->length,
                              .nlmsg_type = RTM_NEWLINK};
    memcpy(d->bytes, &header, sizeof header);
    return (struct nlmsghdr *)(void *)d->bytes;
}

/* What a driver tells of one VF. */
struct told {
    uint32_t vf, vlan, qos, proto, min, max, spoofchk, trust, state;
    uint8_t mac_last;
};

static void put_vf(struct draft *d, const struct told *t)
{
    size_t info = put(d, IFLA_VF_INFO, NULL, 0);
    struct ifla_vf_mac mac = {.vf = t->vf,
                              .mac = {0x52, 0x54, 0, 0, 0, t->mac_last}};
    unsigned char broadcast[32] = {0xff};
    struct ifla_vf_vlan vlan = {t->vf, t->vlan, t->qos};
    struct ifla_vf_vlan_info more = {t->vf, t->vlan, t->qos,
                                     htons((uint16_t)t->proto)};
    struct ifla_vf_rate rate = {t->vf, t->min, t->max};
    struct ifla_vf_tx_rate old_rate = {t->vf, t->max};
    struct ifla_vf_spoofchk spoofchk = {t->vf, t->spoofchk};
    struct ifla_vf_link_state state = {t->vf, t->state};
    struct ifla_vf_rss_query_en query = {t->vf, 0};
    struct ifla_vf_trust trust = {t->vf, t->trust};
    put(d, IFLA_VF_MAC, &mac, sizeof mac);
    put(d, IFLA_VF_BROADCAST, broadcast, sizeof broadcast);
    put(d, IFLA_VF_VLAN, &vlan, sizeof vlan);
    put(d, IFLA_VF_RATE, &rate, sizeof rate);
    put(d, IFLA_VF_TX_RATE, &old_rate, sizeof old_rate);
    put(d, IFLA_VF_SPOOFCHK, &spoofchk, sizeof spoofchk);
    put(d, IFLA_VF_LINK_STATE, &state, sizeof state);
    put(d, IFLA_VF_RSS_QUERY_EN, &query, sizeof query);
    put(d, IFLA_VF_TRUST, &trust, sizeof trust);
    size_t list = put(d, IFLA_VF_VLAN_LIST, NULL, 0);
    put(d, IFLA_VF_VLAN_INFO, &more, sizeof more);
    close_nest(d, list);
    close_nest(d, info);
}

static struct told plain(uint32_t vf)
{
    return (struct told){
        .vf = vf, .proto = ETH_P_8021Q, .spoofchk = 1, .mac_last = (uint8_t)vf};
}

static void many(struct draft *d, uint32_t count)
{
    begin_message(d, count);
    size_t list = put(d, IFLA_VFINFO_LIST, NULL, 0);
    for (uint32_t i = 0; i < count; i++) {
        struct told t = plain(i);
        t.vlan = i % 4095;
        put_vf(d, &t);
    }
    close_nest(d, list);
    /* The kernel goes on after the list. */
    uint32_t group = 0;
    put(d, IFLA_GROUP, &group, sizeof group);
}

START_TEST(every_field_of_a_vf_is_taken)
{
    struct draft d;
    begin_message(&d, 1);
    size_t list = put(&d, IFLA_VFINFO_LIST, NULL, 0);
    put_vf(&d, &(struct told){.vf = 0,
                              .vlan = 100,
                              .qos = 3,
                              .proto = ETH_P_8021AD,
                              .min = 10,
                              .max = 1000,
                              .spoofchk = 0,
                              .trust = 1,
                              .state = IFLA_VF_LINK_STATE_DISABLE,
                              .mac_last = 9});
    close_nest(&d, list);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_uint_eq(vfs.count, 1);
    ck_assert(vfs.reported);
    const struct policy *p = &vfs.policies[0];
    ck_assert_uint_eq(p->set, POLICY_ALL);
    ck_assert_uint_eq(p->mac.bytes[5], 9);
    ck_assert_uint_eq(p->vlan, 100);
    ck_assert_uint_eq(p->vlan_qos, 3);
    ck_assert_int_eq(p->vlan_proto, VLAN_PROTO_8021AD);
    ck_assert_uint_eq(p->min_tx_rate_mbps, 10);
    ck_assert_uint_eq(p->max_tx_rate_mbps, 1000);
    ck_assert(!p->spoofchk && p->trust);
    ck_assert_int_eq(p->link_state, LINK_STATE_DISABLE);
}
END_TEST

START_TEST(what_the_driver_does_not_report_is_not_set)
{
    struct draft d;
    begin_message(&d, 1);
    size_t list = put(&d, IFLA_VFINFO_LIST, NULL, 0);
    struct told t = plain(0);
    t.spoofchk = t.trust = UINT32_MAX;
    put_vf(&d, &t);
    close_nest(&d, list);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_uint_eq(
        vfs.policies[0].set,
        POLICY_ALL & ~(POLICY_BIT(POLICY_SPOOFCHK) | POLICY_BIT(POLICY_TRUST)));
    /* Rates of 0 and VLAN 0 are told, not absent. */
    ck_assert(policy_has(&vfs.policies[0], POLICY_MAX_TX_RATE_MBPS));
    ck_assert(policy_has(&vfs.policies[0], POLICY_VLAN));
}
END_TEST

START_TEST(netdevsims_protocol_zero_is_8021q)
{
    struct draft d;
    begin_message(&d, 1);
    size_t list = put(&d, IFLA_VFINFO_LIST, NULL, 0);
    struct told t = plain(0);
    t.proto = 0;
    put_vf(&d, &t);
    close_nest(&d, list);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_int_eq(vfs.policies[0].vlan_proto, VLAN_PROTO_8021Q);
}
END_TEST

/* One VF with its eight counters, as rtnl_fill_vfinfo() puts them. */
static bool is_counted(uint64_t tx_packets)
{
    struct draft d;
    const uint64_t zero = 0;
    begin_message(&d, 1);
    size_t list = put(&d, IFLA_VFINFO_LIST, NULL, 0);
    size_t info = put(&d, IFLA_VF_INFO, NULL, 0);
    struct ifla_vf_mac mac = {.vf = 0};
    put(&d, IFLA_VF_MAC, &mac, sizeof mac);
    size_t statistics = put(&d, IFLA_VF_STATS, NULL, 0);
    put(&d, IFLA_VF_STATS_PAD, NULL, 0);
    for (uint16_t i = IFLA_VF_STATS_RX_PACKETS; i <= IFLA_VF_STATS_TX_DROPPED;
         i++)
        if (i != IFLA_VF_STATS_PAD)
            put(&d, i, i == IFLA_VF_STATS_TX_PACKETS ? &tx_packets : &zero,
                sizeof zero);
    close_nest(&d, statistics);
    close_nest(&d, info);
    close_nest(&d, list);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert(vfs.reported);
    return vfs.counted;
}

START_TEST(only_counters_that_are_not_zero_prove_that_vfs_are_counted)
{
    ck_assert(!is_counted(0));
    ck_assert(is_counted(1));
    ck_assert(is_counted(UINT64_C(1) << 63));
}
END_TEST

START_TEST(a_driver_that_tells_nothing_of_its_vfs_is_seen_as_such)
{
    struct draft d;
    begin_message(&d, 4); /* no IFLA_VFINFO_LIST: virtio */
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_uint_eq(vfs.count, 4);
    ck_assert(!vfs.reported);
    ck_assert_uint_eq(vfs.policies[3].set, 0);
}
END_TEST

/* 64 and 256 fit the list's 16-bit length, 400 and 1024 make it wrap. */
START_TEST(many_vfs_are_all_read_also_where_the_length_wraps)
{
    static const uint32_t counts[] = {64, 256, 334, 400, 1024};
    uint32_t count = counts[_i];
    struct draft d;
    many(&d, count);
    ck_assert_uint_lt(d.length, ROOM);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_uint_eq(vfs.count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(vfs.policies[i].set, POLICY_ALL);
        ck_assert_uint_eq(vfs.policies[i].vlan, i % 4095);
        ck_assert_uint_eq(vfs.policies[i].mac.bytes[5], (uint8_t)i);
    }
}
END_TEST

START_TEST(more_vfs_than_we_handle_are_bounded)
{
    struct draft d;
    begin_message(&d, UINT32_MAX);
    size_t list = put(&d, IFLA_VFINFO_LIST, NULL, 0);
    struct told t = plain(UINT32_MAX);
    put_vf(&d, &t);
    close_nest(&d, list);
    auto_link_vfs struct link_vfs vfs = {0};
    link_parse_vfs(end_message(&d), &vfs);
    free(d.bytes);
    ck_assert_uint_eq(vfs.count, PF_VFS_MAX);
    ck_assert(!vfs.reported);
}
END_TEST

/* Each prefix of a message, and messages with flipped bytes, in memory of
 * exactly their size: the sanitizers see every byte too far. */
START_TEST(cut_and_damaged_messages_are_survived)
{
    struct draft d;
    many(&d, 5);
    end_message(&d);
    for (size_t length = 0; length <= d.length; length++) {
        struct nlmsghdr *cut = mem_dup(d.bytes, length < 16 ? 16 : length);
        cut->nlmsg_len = (uint32_t)(length < 16 ? 16 : length);
        struct link_vfs vfs = {0};
        link_parse_vfs(cut, &vfs);
        ck_assert_uint_le(vfs.count, PF_VFS_MAX);
        link_vfs_done(&vfs);
        free(cut);
    }
    struct rng rng = {.state = 7};
    for (int round = 0; round < 20000; round++) {
        unsigned char *damaged = mem_dup(d.bytes, d.length);
        for (int flips = 0; flips < 4; flips++) {
            size_t at = 16 + rng_below(&rng, d.length - 16);
            damaged[at] = (unsigned char)rng_next(&rng);
        }
        struct link_vfs vfs = {0};
        link_parse_vfs((struct nlmsghdr *)(void *)damaged, &vfs);
        ck_assert_uint_le(vfs.size, PF_VFS_MAX);
        link_vfs_done(&vfs);
        free(damaged);
    }
    free(d.bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host link");
    TCase *c = tcase_create("VF list");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, every_field_of_a_vf_is_taken);
    tcase_add_test(c, what_the_driver_does_not_report_is_not_set);
    tcase_add_test(c, netdevsims_protocol_zero_is_8021q);
    tcase_add_test(c,
                   only_counters_that_are_not_zero_prove_that_vfs_are_counted);
    tcase_add_test(c, a_driver_that_tells_nothing_of_its_vfs_is_seen_as_such);
    tcase_add_loop_test(c, many_vfs_are_all_read_also_where_the_length_wraps, 0,
                        5);
    tcase_add_test(c, more_vfs_than_we_handle_are_bounded);
    tcase_add_test(c, cut_and_damaged_messages_are_survived);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
