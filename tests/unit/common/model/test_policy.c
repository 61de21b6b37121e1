/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: what is refused, what differs, what clean means. */
#include "common/model/policy.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct error err;

static struct policy full(void)
{
    return (struct policy){
        .set = POLICY_ALL,
        .mac = {{0x52, 0x54, 0, 1, 2, 3}},
        .vlan = 100,
        .vlan_qos = 5,
        .vlan_proto = VLAN_PROTO_8021AD,
        .min_tx_rate_mbps = 100,
        .max_tx_rate_mbps = 1000,
        .spoofchk = false,
        .trust = true,
        .link_state = LINK_STATE_DISABLE,
    };
}

/* Refused with this field, and with a remedy. */
static void refused(struct policy policy, const char *field)
{
    err = (struct error){0};
    ck_assert_int_eq(policy_check(&policy, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_str_eq(err.field, field);
    ck_assert_str_ne(err.remedy, "");
}

static void accepted(struct policy policy)
{
    err = (struct error){0};
    ck_assert_msg(policy_check(&policy, &err) == 0, "%s: %s", err.field,
                  err.msg);
}

START_TEST(full_and_empty_policies_pass)
{
    accepted(full());
    accepted((struct policy){0});
}
END_TEST

START_TEST(vlans_go_from_0_to_4094)
{
    struct policy p = {.set = POLICY_BIT(POLICY_VLAN)};
    accepted(p);
    p.vlan = 4094;
    accepted(p);
    p.vlan = 4095;
    refused(p, "vlan");
    ck_assert_ptr_nonnull(strstr(err.msg, "reserved by 802.1Q"));
    p.vlan = 4096;
    refused(p, "vlan");
    p.vlan = 65535;
    refused(p, "vlan");
}
END_TEST

START_TEST(qos_goes_from_0_to_7_and_needs_a_vlan)
{
    struct policy p = {.set = POLICY_BIT(POLICY_VLAN_QOS)};
    accepted(p);
    p.vlan_qos = 1;
    refused(p, "vlan_qos");
    p.vlan = 100; /* not set: does not count */
    refused(p, "vlan_qos");
    p.set |= POLICY_BIT(POLICY_VLAN);
    accepted(p);
    p.vlan_qos = 7;
    accepted(p);
    p.vlan_qos = 8;
    refused(p, "vlan_qos");
    p.vlan_qos = 1;
    p.vlan = 0;
    refused(p, "vlan_qos");
}
END_TEST

START_TEST(a_service_tag_needs_a_vlan)
{
    struct policy p = {.set = POLICY_BIT(POLICY_VLAN_PROTO)};
    accepted(p);
    p.vlan_proto = VLAN_PROTO_8021AD;
    refused(p, "vlan_proto");
    p.set |= POLICY_BIT(POLICY_VLAN);
    p.vlan = 1;
    accepted(p);
    p.vlan_proto = VLAN_PROTO_MAX;
    refused(p, "vlan_proto");
}
END_TEST

START_TEST(a_minimum_may_not_be_above_a_maximum)
{
    struct policy p = {.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                              POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                       .min_tx_rate_mbps = 100};
    accepted(p); /* maximum 0 = unlimited */
    p.max_tx_rate_mbps = 100;
    accepted(p);
    p.max_tx_rate_mbps = 99;
    refused(p, "min_tx_rate_mbps");
    p.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
    accepted(p);
}
END_TEST

START_TEST(rates_are_bounded)
{
    struct policy p = {.set = POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                       .max_tx_rate_mbps = POLICY_RATE_MAX_MBPS};
    accepted(p);
    p.max_tx_rate_mbps++;
    refused(p, "max_tx_rate_mbps");
    p = (struct policy){.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS),
                        .min_tx_rate_mbps = UINT32_MAX};
    refused(p, "min_tx_rate_mbps");
}
END_TEST

START_TEST(macs_and_link_states_are_checked_where_set)
{
    struct policy p = {0};
    p.link_state = LINK_STATE_MAX;
    accepted(p);
    p.set = POLICY_BIT(POLICY_LINK_STATE);
    refused(p, "link_state");
    p = (struct policy){.set = POLICY_BIT(POLICY_MAC)};
    refused(p, "mac");
    p.mac.bytes[0] = 0x02;
    accepted(p);
}
END_TEST

START_TEST(names_go_both_ways_for_every_field)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        ck_assert_int_eq(
            policy_field_parse(policy_field_name((enum policy_field)i)), i);
    ck_assert_int_eq(policy_field_parse("vlans"), POLICY_FIELD_MAX);
    ck_assert_int_eq(policy_field_parse(""), POLICY_FIELD_MAX);
    ck_assert_str_eq(policy_field_name(POLICY_FIELD_MAX), "?");
    ck_assert_int_eq(vlan_proto_parse("802.1ad"), VLAN_PROTO_8021AD);
    ck_assert_int_eq(link_state_parse("disable"), LINK_STATE_DISABLE);
    ck_assert_int_eq(link_state_parse("down"), LINK_STATE_MAX);
}
END_TEST

START_TEST(values_read_as_ip_link_writes_them)
{
    static const char *const texts[] = {"52:54:00:01:02:03",
                                        "100",
                                        "5",
                                        "802.1ad",
                                        "100",
                                        "1000",
                                        "off",
                                        "on",
                                        "disable"};
    struct policy p = full();
    char text[POLICY_VALUE_SIZE];
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        ck_assert_str_eq(policy_value_text(&p, (enum policy_field)i, text),
                         texts[i]);
}
END_TEST

START_TEST(each_field_is_copied_and_compared_alone)
{
    struct policy from = full(), clean = policy_clean();
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field field = (enum policy_field)i;
        struct policy to = {0};
        policy_copy_field(&to, &from, field);
        ck_assert_uint_eq(to.set, POLICY_BIT(field));
        ck_assert(policy_field_equal(&to, &from, field));
        ck_assert(!policy_field_equal(&to, &clean, field));
        to = clean;
        policy_copy_field(&to, &from, field);
        ck_assert_uint_eq(policy_difference(&to, &clean), POLICY_BIT(field));
    }
}
END_TEST

START_TEST(what_is_wanted_but_not_told_differs)
{
    struct policy want = {.set = POLICY_BIT(POLICY_VLAN)}, got = {0};
    ck_assert_uint_eq(policy_difference(&want, &got), POLICY_BIT(POLICY_VLAN));
    ck_assert_uint_eq(policy_difference(&got, &want), 0);
}
END_TEST

START_TEST(clean_is_what_a_reset_driver_reads)
{
    struct policy p = policy_clean();
    ck_assert_uint_eq(p.set, POLICY_ALL);
    ck_assert(mac_is_zero(&p.mac) && p.vlan == 0 && p.vlan_qos == 0 &&
              p.vlan_proto == VLAN_PROTO_8021Q && p.min_tx_rate_mbps == 0 &&
              p.max_tx_rate_mbps == 0 && p.spoofchk && !p.trust &&
              p.link_state == LINK_STATE_AUTO);
}
END_TEST

START_TEST(a_target_is_clean_but_for_what_is_asked)
{
    struct policy asked = {.set = POLICY_BIT(POLICY_TRUST),
                           .trust = true,
                           .vlan = 7 /* not set */};
    struct policy target = policy_target(&asked), clean = policy_clean();
    ck_assert_uint_eq(target.set, POLICY_ALL);
    ck_assert_uint_eq(policy_difference(&target, &clean),
                      POLICY_BIT(POLICY_TRUST));
}
END_TEST

CHECK_MAIN("policy", full_and_empty_policies_pass, vlans_go_from_0_to_4094,
           qos_goes_from_0_to_7_and_needs_a_vlan, a_service_tag_needs_a_vlan,
           a_minimum_may_not_be_above_a_maximum, rates_are_bounded,
           macs_and_link_states_are_checked_where_set,
           names_go_both_ways_for_every_field,
           values_read_as_ip_link_writes_them,
           each_field_is_copied_and_compared_alone,
           what_is_wanted_but_not_told_differs,
           clean_is_what_a_reset_driver_reads,
           a_target_is_clean_but_for_what_is_asked);
