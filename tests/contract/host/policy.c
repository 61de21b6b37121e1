/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: a VF's policy is written, read back and reset. */
#include "tests/contract/host/suite.h"

#include "common/base/timestamp.h"

#include <errno.h>
#include <poll.h>

/* What 'field' needs to be asked with: a protocol and a priority come with a
 * VLAN. */
static uint32_t with_company(enum policy_field field)
{
    uint32_t fields = POLICY_BIT(field);
    if (field == POLICY_VLAN_QOS || field == POLICY_VLAN_PROTO)
        fields |= POLICY_BIT(POLICY_VLAN);
    return fields;
}

static uint32_t group_of(enum policy_field field)
{
    uint32_t vlan = POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS) |
                    POLICY_BIT(POLICY_VLAN_PROTO);
    uint32_t rate = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                    POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
    uint32_t bit = POLICY_BIT(field);
    return bit & vlan ? vlan : bit & rate ? rate : bit;
}

/* For each field: an unusual value reads back, and what was not asked stays;
 * or it is refused with its name and errno, and nothing at all changed. */
START_TEST(a_field_is_set_exactly_or_refused_by_name)
{
    enum policy_field field = (enum policy_field)_i;
    struct policy want = contract_unusual();
    uint32_t fields = with_company(field);
    if (field == POLICY_VLAN)
        want.vlan_proto = VLAN_PROTO_8021Q;
    struct policy now;
    struct error err = {0};
    int result = contract_write_vf(&want, fields, &err);
    contract_read_vf(contract.vf, &now);
    if (contract_refuses(field)) {
        ck_assert_msg(result == -1, "%s was accepted",
                      policy_field_name(field));
        ck_assert_str_eq(err.field, policy_field_name(field));
        ck_assert_int_ne(err.sys, 0);
        ck_assert_int_eq(err.code, error_code_of_errno(err.sys));
        ck_assert_uint_eq(policy_difference(&contract.before, &now), 0);
        return;
    }
    ck_assert_msg(result == 0, "%s: %s", policy_field_name(field), err.msg);
    for (int f = 0; f < POLICY_FIELD_MAX; f++) {
        enum policy_field any = (enum policy_field)f;
        const struct policy *expected =
            fields & ~contract.target->forgets & POLICY_BIT(f)
                ? &want
                : &contract.before;
        char got[POLICY_VALUE_SIZE];
        char wanted[POLICY_VALUE_SIZE];
        ck_assert_msg(!policy_has(expected, any) || !policy_has(&now, any) ||
                          policy_field_equal(expected, &now, any),
                      "%s set: %s reads '%s', not '%s'",
                      policy_field_name(field), policy_field_name(any),
                      policy_value_text(&now, any, got),
                      policy_value_text(expected, any, wanted));
    }
    ck_assert_msg(policy_has(&now, field), "%s does not read back",
                  policy_field_name(field));
}
END_TEST

START_TEST(a_part_of_a_group_leaves_the_rest_of_it)
{
    struct policy want = contract_unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    struct policy now;
    ck_assert_int_eq(
        contract_write_vf(
            &want, POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS), NULL),
        0);
    want.vlan = 77;
    want.vlan_qos = 6; /* must not be written */
    ck_assert_int_eq(contract_write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL),
                     0);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(now.vlan, 77);
    ck_assert_uint_eq(now.vlan_qos, 3);
    want.vlan = 78; /* must not be written */
    ck_assert_int_eq(
        contract_write_vf(&want, POLICY_BIT(POLICY_VLAN_QOS), NULL), 0);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(now.vlan, 77);
    ck_assert_uint_eq(now.vlan_qos, 6);
}
END_TEST

START_TEST(both_rates_are_written_together)
{
    if (contract_refuses(POLICY_MIN_TX_RATE_MBPS))
        return;
    struct policy want = contract_unusual();
    struct policy now;
    ck_assert_int_eq(contract_write_vf(&want,
                                       POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                                           POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                                       NULL),
                     0);
    want.max_tx_rate_mbps = 200;
    want.min_tx_rate_mbps = 1; /* must not be written */
    ck_assert_int_eq(
        contract_write_vf(&want, POLICY_BIT(POLICY_MAX_TX_RATE_MBPS), NULL), 0);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(now.max_tx_rate_mbps, 200);
    ck_assert_uint_eq(now.min_tx_rate_mbps, 20);
}
END_TEST

START_TEST(everything_it_can_do_is_written_at_once)
{
    struct policy want = contract_unusual();
    if (contract_refuses(POLICY_VLAN_PROTO))
        want.vlan_proto = VLAN_PROTO_8021Q;
    uint32_t fields = POLICY_ALL & ~contract.target->refuses;
    struct policy now;
    struct error err = {0};
    int result = contract_write_vf(&want, fields, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    want.set = fields & ~contract.target->forgets;
    ck_assert_uint_eq(policy_difference(&want, &now), 0);
}
END_TEST

START_TEST(writing_stops_at_the_first_refusal)
{
    struct policy want = contract_unusual();
    struct policy now;
    struct error err = {0};
    /* Multicast: no driver takes it. The VLAN comes after it. */
    mac_parse("01:00:5e:00:00:01", &want.mac);
    want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(
        contract_write_vf(
            &want, POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN), &err),
        -1);
    ck_assert_str_eq(err.field, "mac");
    ck_assert_int_eq(err.sys, EINVAL);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(policy_difference(&contract.before, &now), 0);
}
END_TEST

START_TEST(a_refusal_leaves_what_was_written_before_it)
{
    int last = -1;
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (contract_refuses((enum policy_field)f) &&
            group_of((enum policy_field)f) != group_of(POLICY_MAC))
            last = f;
    if (last < 0)
        return;
    struct policy want = contract_unusual();
    struct policy now;
    struct error err = {0};
    uint32_t refused = with_company((enum policy_field)last);
    ck_assert_int_eq(
        contract_write_vf(&want, POLICY_BIT(POLICY_MAC) | refused, &err), -1);
    ck_assert_str_eq(err.field, policy_field_name((enum policy_field)last));
    contract_read_vf(contract.vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
}
END_TEST

START_TEST(writing_no_field_does_nothing)
{
    struct policy want = contract_unusual();
    struct policy now;
    ck_assert_int_eq(contract_write_vf(&want, 0, NULL), 0);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(policy_difference(&contract.before, &now), 0);
}
END_TEST

START_TEST(another_vf_is_not_touched)
{
    struct policy first;
    struct policy now;
    struct policy want = contract_unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    contract_read_vf(contract.other, &first);
    ck_assert_int_eq(
        contract_write_vf(
            &want, POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN), NULL),
        0);
    contract_read_vf(contract.other, &now);
    ck_assert_uint_eq(first.set, now.set);
    ck_assert_uint_eq(policy_difference(&first, &now), 0);
}
END_TEST

START_TEST(a_vf_can_be_made_clean)
{
    struct policy want = contract_unusual();
    struct policy clean = policy_clean();
    struct policy now;
    struct error err = {0};
    uint32_t fields = POLICY_ALL & ~contract.target->refuses;
    if (contract_refuses(POLICY_VLAN_PROTO))
        want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(contract_write_vf(&want, fields, NULL), 0);
    int result = contract_write_vf(&clean, fields, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    clean.set = now.set;
    ck_assert_uint_eq(policy_difference(&clean, &now), 0);
}
END_TEST

START_TEST(a_reset_keeps_the_policy_and_brings_the_driver_back)
{
    struct policy want = contract_unusual();
    struct policy now;
    struct error err = {0};
    want.vlan_proto = VLAN_PROTO_8021Q;
    want.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
               POLICY_BIT(POLICY_VLAN_QOS);
    auto_pf struct pf *first = contract.host->ops->read_pf(
        contract.host, &contract.target->pf, NULL, &err);
    ck_assert_msg(first != NULL, "%s", err.msg);
    ck_assert_int_eq(contract_write_vf(&want, want.set, NULL), 0);
    int result = contract.host->ops->vf_reset(
        contract.host, &contract.target->pf, contract.vf, &err);
    if (!first->has_address) {
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
        return;
    }
    ck_assert_msg(result == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(policy_difference(&want, &now), 0);
    auto_pf struct pf *after = contract.host->ops->read_pf(
        contract.host, &contract.target->pf, NULL, &err);
    ck_assert_msg(after != NULL, "%s", err.msg);
    ck_assert_str_eq(pf_vf(after, contract.vf)->driver,
                     pf_vf(first, contract.vf)->driver);
    ck_assert_int_eq(pf_vf(after, contract.vf)->state, VF_FREE);
}
END_TEST

/* Wait for 'changes' to name the PF. */
static bool told_of_pf(void)
{
    int64_t deadline = timestamp_monotonic() + 2 * TIMESTAMP_SECOND;
    while (timestamp_monotonic() < deadline) {
        struct pollfd fd = {.fd = contract.host->ops->event_fd(contract.host),
                            .events = POLLIN};
        if (poll(&fd, 1, 100) == 0)
            continue;
        struct host_changes changes;
        struct error err = {0};
        int result = contract.host->ops->changes(contract.host, &changes, &err);
        ck_assert_msg(result == 0, "%s", err.msg);
        if (changes.everything)
            return true;
        for (size_t i = 0; i < changes.pf_count; i++)
            if (pf_key_compare(&changes.pfs[i], &contract.target->pf) == 0)
                return true;
    }
    return false;
}

START_TEST(a_written_policy_is_told_as_a_change)
{
    struct policy want = contract_unusual();
    struct host_changes changes;
    if (contract.host->ops->event_fd(contract.host) < 0)
        return; /* a backend without events says so by -1 */
    want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(contract.host->ops->changes(contract.host, &changes, NULL),
                     0);
    ck_assert_int_eq(contract_write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL),
                     0);
    ck_assert(told_of_pf());
}
END_TEST

void contract_add_policy(TCase *c)
{
    tcase_add_loop_test(c, a_field_is_set_exactly_or_refused_by_name, 0,
                        POLICY_FIELD_MAX);
    tcase_add_test(c, a_part_of_a_group_leaves_the_rest_of_it);
    tcase_add_test(c, both_rates_are_written_together);
    tcase_add_test(c, everything_it_can_do_is_written_at_once);
    tcase_add_test(c, writing_stops_at_the_first_refusal);
    tcase_add_test(c, a_refusal_leaves_what_was_written_before_it);
    tcase_add_test(c, writing_no_field_does_nothing);
    tcase_add_test(c, another_vf_is_not_touched);
    tcase_add_test(c, a_vf_can_be_made_clean);
    tcase_add_test(c, a_reset_keeps_the_policy_and_brings_the_driver_back);
    tcase_add_test(c, a_written_policy_is_told_as_a_change);
}
