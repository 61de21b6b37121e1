/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: see contract.h. */
#include "tests/contract/host/contract.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Held on the PF's own filter by some tests. */
#define HELD "52:54:00:c0:27:ad"
#define ALSO_HELD "52:54:00:c0:27:ae"

static const struct contract_target *target;
static struct host_backend *host;
static uint16_t vf;    /* the one that is written */
static uint16_t other; /* the one that must not change */
static struct policy before;

static struct inventory *read_all(void)
{
    struct error err = {0};
    struct inventory *all = host->ops->inventory(host, &err);
    ck_assert_msg(all != NULL, "inventory: %s", err.msg);
    return all;
}

static void read_vf(uint16_t index, struct policy *policy)
{
    struct error err = {0};
    int result = host->ops->vf_read(host, &target->pf, index, policy, &err);
    ck_assert_msg(result == 0, "read VF %u: %s", index, err.msg);
}

static int write_vf(const struct policy *policy, uint32_t fields,
                    struct error *err)
{
    return host->ops->vf_write(host, &target->pf, vf, policy, fields, err);
}

static bool refuses(enum policy_field field)
{
    return (target->refuses & POLICY_BIT(field)) != 0;
}

static void begin(void)
{
    host = target->open();
    ck_assert_ptr_nonnull(host);
    auto_inventory struct inventory *all = read_all();
    const struct pf *pf = inventory_pf(all, &target->pf);
    ck_assert_msg(pf != NULL, "there is no PF %s", target->pf.text);
    int chosen = -1;
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].state == VF_FREE)
            chosen = pf->vfs[i].index;
    ck_assert_msg(chosen > 0, "PF %s has no free VF besides VF 0",
                  target->pf.text);
    vf = (uint16_t)chosen;
    other = 0;
    read_vf(vf, &before);
}

/* Fields are put back one by one: one that can't be set was not changed. */
static void end(void)
{
    struct mac held;
    mac_parse(HELD, &held);
    host->ops->mac_hold(host, &target->pf, &held, false, NULL);
    mac_parse(ALSO_HELD, &held);
    host->ops->mac_hold(host, &target->pf, &held, false, NULL);
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (policy_has(&before, (enum policy_field)f))
            write_vf(&before, POLICY_BIT(f), NULL);
    target->close(host);
}

/* A value that no driver has by default. */
static struct policy unusual(void)
{
    struct policy policy = {.set = POLICY_ALL,
                            .min_tx_rate_mbps = 20,
                            .max_tx_rate_mbps = 100,
                            .vlan = 123,
                            .vlan_qos = 3,
                            .vlan_proto = VLAN_PROTO_8021AD,
                            .link_state = LINK_STATE_DISABLE};
    policy.spoofchk = !before.spoofchk;
    policy.trust = !before.trust;
    mac_parse("52:54:00:c0:27:ac", &policy.mac);
    return policy;
}

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

START_TEST(the_inventory_is_whole_and_in_order)
{
    auto_inventory struct inventory *all = read_all();
    ck_assert(!uuid_is_zero(&all->machine_id));
    ck_assert_str_ne(all->kernel, "");
    ck_assert_uint_gt(all->vcpus, 0);
    ck_assert_uint_gt(all->memory_mib, 0);
    for (size_t i = 0; i < all->pf_count; i++) {
        const struct pf *pf = all->pfs[i];
        ck_assert(i == 0 ||
                  pf_key_compare(&all->pfs[i - 1]->key, &pf->key) < 0);
        ck_assert_uint_le(pf->num_vfs, pf->total_vfs);
        ck_assert_uint_le(pf->vf_count, pf->num_vfs);
        ck_assert(pf->vendor_name && pf->device_name && pf->driver &&
                  pf->firmware);
        ck_assert(pf->management == (pf->management_reason[0] != '\0'));
        for (size_t v = 0; v < pf->vf_count; v++) {
            const struct vf *one = &pf->vfs[v];
            ck_assert(v == 0 || pf->vfs[v - 1].index < one->index);
            ck_assert(one->driver && one->reason);
            ck_assert(one->state == VF_FREE || one->state == VF_EXTERNAL);
            ck_assert((one->state == VF_EXTERNAL) == (one->reason[0] != '\0'));
            ck_assert(uuid_is_zero(&one->port));
            ck_assert_int_eq(one->has_address, pf->has_address);
        }
    }
}
END_TEST

START_TEST(one_pf_read_alone_is_the_same_as_in_the_inventory)
{
    auto_inventory struct inventory *all = read_all();
    const struct pf *whole = inventory_pf(all, &target->pf);
    struct error err = {0};
    auto_pf struct pf *known =
        host->ops->read_pf(host, &target->pf, whole, &err);
    ck_assert_msg(known != NULL, "%s", err.msg);
    ck_assert(pf_same(whole, known));
    auto_pf struct pf *fresh =
        host->ops->read_pf(host, &target->pf, NULL, &err);
    ck_assert_msg(fresh != NULL, "%s", err.msg);
    ck_assert(pf_same(whole, fresh));
    ck_assert_int_ge(fresh->observed_at, whole->observed_at);
}
END_TEST

START_TEST(the_inventorys_policy_is_what_the_vf_reads)
{
    auto_inventory struct inventory *all = read_all();
    const struct pf *pf = inventory_pf(all, &target->pf);
    for (size_t i = 0; i < pf->vf_count; i++) {
        struct policy policy;
        read_vf(pf->vfs[i].index, &policy);
        ck_assert_uint_eq(policy.set, pf->vfs[i].policy.set);
        ck_assert_uint_eq(policy_difference(&policy, &pf->vfs[i].policy), 0);
        ck_assert_int_gt(pf->vfs[i].observed_at, 0);
    }
}
END_TEST

START_TEST(a_pf_that_is_not_there_has_vanished)
{
    struct pf_key none;
    struct error err = {0};
    struct policy policy = policy_clean();
    ck_assert(pf_key_parse("0fff:fe:1e.7", &none));
    ck_assert_ptr_null(host->ops->read_pf(host, &none, NULL, &err));
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(host->ops->vf_read(host, &none, 0, &policy, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(host->ops->vf_write(host, &none, 0, &policy,
                                         POLICY_BIT(POLICY_VLAN), &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

START_TEST(a_vf_that_is_not_there_has_vanished)
{
    struct error err = {0};
    struct policy policy = policy_clean();
    auto_inventory struct inventory *all = read_all();
    uint16_t beyond = inventory_pf(all, &target->pf)->num_vfs;
    ck_assert_int_eq(
        host->ops->vf_read(host, &target->pf, beyond, &policy, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    err = (struct error){0};
    ck_assert_int_eq(host->ops->vf_write(host, &target->pf, beyond, &policy,
                                         POLICY_BIT(POLICY_VLAN), &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

/* For each field: an unusual value reads back, and what was not asked stays;
 * or it is refused with its name and errno, and nothing at all changed. */
START_TEST(a_field_is_set_exactly_or_refused_by_name)
{
    enum policy_field field = (enum policy_field)_i;
    struct policy want = unusual();
    uint32_t fields = with_company(field);
    if (field == POLICY_VLAN)
        want.vlan_proto = VLAN_PROTO_8021Q;
    struct policy now;
    struct error err = {0};
    int result = write_vf(&want, fields, &err);
    read_vf(vf, &now);
    if (refuses(field)) {
        ck_assert_msg(result == -1, "%s was accepted",
                      policy_field_name(field));
        ck_assert_str_eq(err.field, policy_field_name(field));
        ck_assert_int_ne(err.sys, 0);
        ck_assert_int_eq(err.code, error_code_of_errno(err.sys));
        ck_assert_uint_eq(policy_difference(&before, &now), 0);
        return;
    }
    ck_assert_msg(result == 0, "%s: %s", policy_field_name(field), err.msg);
    for (int f = 0; f < POLICY_FIELD_MAX; f++) {
        enum policy_field any = (enum policy_field)f;
        const struct policy *expected =
            fields & ~target->forgets & POLICY_BIT(f) ? &want : &before;
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
    struct policy want = unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    struct policy now;
    ck_assert_int_eq(
        write_vf(&want, POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS),
                 NULL),
        0);
    want.vlan = 77;
    want.vlan_qos = 6; /* must not be written */
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL), 0);
    read_vf(vf, &now);
    ck_assert_uint_eq(now.vlan, 77);
    ck_assert_uint_eq(now.vlan_qos, 3);
    want.vlan = 78; /* must not be written */
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_VLAN_QOS), NULL), 0);
    read_vf(vf, &now);
    ck_assert_uint_eq(now.vlan, 77);
    ck_assert_uint_eq(now.vlan_qos, 6);
}
END_TEST

START_TEST(both_rates_are_written_together)
{
    if (refuses(POLICY_MIN_TX_RATE_MBPS))
        return;
    struct policy want = unusual();
    struct policy now;
    ck_assert_int_eq(write_vf(&want,
                              POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                                  POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                              NULL),
                     0);
    want.max_tx_rate_mbps = 200;
    want.min_tx_rate_mbps = 1; /* must not be written */
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_MAX_TX_RATE_MBPS), NULL),
                     0);
    read_vf(vf, &now);
    ck_assert_uint_eq(now.max_tx_rate_mbps, 200);
    ck_assert_uint_eq(now.min_tx_rate_mbps, 20);
}
END_TEST

START_TEST(everything_it_can_do_is_written_at_once)
{
    struct policy want = unusual();
    if (refuses(POLICY_VLAN_PROTO))
        want.vlan_proto = VLAN_PROTO_8021Q;
    uint32_t fields = POLICY_ALL & ~target->refuses;
    struct policy now;
    struct error err = {0};
    int result = write_vf(&want, fields, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    read_vf(vf, &now);
    want.set = fields & ~target->forgets;
    ck_assert_uint_eq(policy_difference(&want, &now), 0);
}
END_TEST

START_TEST(writing_stops_at_the_first_refusal)
{
    struct policy want = unusual();
    struct policy now;
    struct error err = {0};
    /* Multicast: no driver takes it. The VLAN comes after it. */
    mac_parse("01:00:5e:00:00:01", &want.mac);
    want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(
        write_vf(&want, POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN), &err),
        -1);
    ck_assert_str_eq(err.field, "mac");
    ck_assert_int_eq(err.sys, EINVAL);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    read_vf(vf, &now);
    ck_assert_uint_eq(policy_difference(&before, &now), 0);
}
END_TEST

START_TEST(a_refusal_leaves_what_was_written_before_it)
{
    int last = -1;
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (refuses((enum policy_field)f) &&
            group_of((enum policy_field)f) != group_of(POLICY_MAC))
            last = f;
    if (last < 0)
        return;
    struct policy want = unusual();
    struct policy now;
    struct error err = {0};
    uint32_t refused = with_company((enum policy_field)last);
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_MAC) | refused, &err),
                     -1);
    ck_assert_str_eq(err.field, policy_field_name((enum policy_field)last));
    read_vf(vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
}
END_TEST

START_TEST(writing_no_field_does_nothing)
{
    struct policy want = unusual();
    struct policy now;
    ck_assert_int_eq(write_vf(&want, 0, NULL), 0);
    read_vf(vf, &now);
    ck_assert_uint_eq(policy_difference(&before, &now), 0);
}
END_TEST

START_TEST(another_vf_is_not_touched)
{
    struct policy first;
    struct policy now;
    struct policy want = unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    read_vf(other, &first);
    ck_assert_int_eq(
        write_vf(&want, POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN), NULL),
        0);
    read_vf(other, &now);
    ck_assert_uint_eq(first.set, now.set);
    ck_assert_uint_eq(policy_difference(&first, &now), 0);
}
END_TEST

START_TEST(a_vf_can_be_made_clean)
{
    struct policy want = unusual();
    struct policy clean = policy_clean();
    struct policy now;
    struct error err = {0};
    uint32_t fields = POLICY_ALL & ~target->refuses;
    if (refuses(POLICY_VLAN_PROTO))
        want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(write_vf(&want, fields, NULL), 0);
    int result = write_vf(&clean, fields, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    read_vf(vf, &now);
    clean.set = now.set;
    ck_assert_uint_eq(policy_difference(&clean, &now), 0);
}
END_TEST

START_TEST(a_reset_keeps_the_policy_and_brings_the_driver_back)
{
    struct policy want = unusual();
    struct policy now;
    struct error err = {0};
    want.vlan_proto = VLAN_PROTO_8021Q;
    want.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
               POLICY_BIT(POLICY_VLAN_QOS);
    auto_pf struct pf *first =
        host->ops->read_pf(host, &target->pf, NULL, &err);
    ck_assert_msg(first != NULL, "%s", err.msg);
    ck_assert_int_eq(write_vf(&want, want.set, NULL), 0);
    int result = host->ops->vf_reset(host, &target->pf, vf, &err);
    if (!first->has_address) {
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
        return;
    }
    ck_assert_msg(result == 0, "%s", err.msg);
    read_vf(vf, &now);
    ck_assert_uint_eq(policy_difference(&want, &now), 0);
    auto_pf struct pf *after =
        host->ops->read_pf(host, &target->pf, NULL, &err);
    ck_assert_msg(after != NULL, "%s", err.msg);
    ck_assert_str_eq(pf_vf(after, vf)->driver, pf_vf(first, vf)->driver);
    ck_assert_int_eq(pf_vf(after, vf)->state, VF_FREE);
}
END_TEST

static bool is_held(const char *text)
{
    struct mac mac;
    struct error err = {0};
    bool held = false;
    ck_assert(mac_parse(text, &mac));
    int result = host->ops->mac_held(host, &target->pf, &mac, &held, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return held;
}

static int hold(const char *text, bool on, struct error *err)
{
    struct mac mac;
    ck_assert(mac_parse(text, &mac));
    return host->ops->mac_hold(host, &target->pf, &mac, on, err);
}

START_TEST(a_mac_is_held_on_the_pf_until_it_is_let_go)
{
    struct error err = {0};
    ck_assert(!is_held(HELD));
    ck_assert_int_eq(hold(HELD, false, &err), 0); /* it is not there: fine */
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg);
    ck_assert(is_held(HELD));
    ck_assert(!is_held(ALSO_HELD));
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg); /* already */
    ck_assert_msg(hold(ALSO_HELD, true, &err) == 0, "%s", err.msg);
    /* Whoever opens the host anew finds it so. */
    target->close(host);
    host = target->open();
    ck_assert(is_held(HELD));
    ck_assert_msg(hold(HELD, false, &err) == 0, "%s", err.msg);
    ck_assert(!is_held(HELD));
    ck_assert(is_held(ALSO_HELD));
    ck_assert_msg(hold(ALSO_HELD, false, &err) == 0, "%s", err.msg);
    ck_assert(!is_held(ALSO_HELD));
}
END_TEST

START_TEST(a_held_mac_may_sit_on_a_vf_too)
{
    struct policy want = unusual(), now;
    struct error err = {0};
    mac_parse(HELD, &want.mac);
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_MAC), NULL), 0);
    ck_assert_msg(hold(HELD, true, &err) == 0, "%s", err.msg);
    read_vf(vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
    ck_assert_msg(hold(HELD, false, &err) == 0, "%s", err.msg);
    read_vf(vf, &now);
    ck_assert(policy_field_equal(&want, &now, POLICY_MAC));
}
END_TEST

START_TEST(nothing_is_held_on_a_pf_that_is_not_there)
{
    struct mac mac;
    struct pf_key nowhere;
    struct error err = {0};
    bool held = false;
    mac_parse(HELD, &mac);
    ck_assert(pf_key_parse("0000:ff:1f.7", &nowhere));
    ck_assert_int_eq(host->ops->mac_hold(host, &nowhere, &mac, true, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(host->ops->mac_held(host, &nowhere, &mac, &held, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

/* Wait for 'changes' to name the PF. */
static bool told_of_pf(void)
{
    int64_t deadline = timestamp_monotonic() + 2 * TIMESTAMP_SECOND;
    while (timestamp_monotonic() < deadline) {
        struct pollfd fd = {.fd = host->ops->event_fd(host), .events = POLLIN};
        if (poll(&fd, 1, 100) == 0)
            continue;
        struct host_changes changes;
        struct error err = {0};
        int result = host->ops->changes(host, &changes, &err);
        ck_assert_msg(result == 0, "%s", err.msg);
        if (changes.everything)
            return true;
        for (size_t i = 0; i < changes.pf_count; i++)
            if (pf_key_compare(&changes.pfs[i], &target->pf) == 0)
                return true;
    }
    return false;
}

START_TEST(a_written_policy_is_told_as_a_change)
{
    struct policy want = unusual();
    struct host_changes changes;
    if (host->ops->event_fd(host) < 0)
        return; /* a backend without events says so by -1 */
    want.vlan_proto = VLAN_PROTO_8021Q;
    ck_assert_int_eq(host->ops->changes(host, &changes, NULL), 0);
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL), 0);
    ck_assert(told_of_pf());
}
END_TEST

/* ---- pf_set ----------------------------------------------------------------- */

/* Ask until it has ended, as the agent does: when the descriptor says so. */
static int set_pf(const struct pf_target *to, struct error *err)
{
    int64_t deadline = timestamp_monotonic() + 50 * TIMESTAMP_SECOND;
    int result = 1;
    *err = (struct error){0};
    while (result == 1 && timestamp_monotonic() < deadline) {
        result = host->ops->pf_set(host, &target->pf, to, err);
        struct pollfd fd = {.fd = host->ops->event_fd(host), .events = POLLIN};
        struct host_changes changes;
        if (result == 1 && poll(&fd, fd.fd >= 0, 1000) > 0)
            ck_assert_int_eq(host->ops->changes(host, &changes, NULL), 0);
    }
    ck_assert_msg(result != 1, "the change of PF %s does not end",
                  target->pf.text);
    return result;
}

static struct pf *read_target(void)
{
    struct error err = {0};
    struct pf *pf = host->ops->read_pf(host, &target->pf, NULL, &err);
    ck_assert_msg(pf != NULL, "%s", err.msg);
    return pf;
}

START_TEST(a_PF_is_brought_to_another_VF_count_and_back)
{
    struct error err;
    auto_pf struct pf *was = read_target();
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 1};
    ck_assert_uint_gt(was->num_vfs, 1);
    int result = set_pf(&to, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    auto_pf struct pf *one = read_target();
    ck_assert_uint_eq(one->num_vfs, 1);
    ck_assert_uint_eq(one->vf_count, 1);
    to.num_vfs = was->num_vfs;
    result = set_pf(&to, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    auto_pf struct pf *back = read_target();
    ck_assert_uint_eq(back->num_vfs, was->num_vfs);
    ck_assert_uint_eq(back->vf_count, was->vf_count);
    /* What is so already is so at once. */
    result = set_pf(&to, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
}
END_TEST

/* Cards forget; netdevsim does not (tests/lab/FACTS.md), and then it must be
 * read, so that nobody takes such a VF for clean. */
START_TEST(VFs_that_are_made_anew_have_nothing_of_the_old_ones_or_tell_it)
{
    struct error err;
    struct policy now, want = unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    auto_pf struct pf *was = read_target();
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL), 0);
    struct pf_target to = {.has_num_vfs = true};
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
    auto_pf struct pf *none = read_target();
    ck_assert_uint_eq(none->vf_count, 0);
    to.num_vfs = was->num_vfs;
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
    read_vf(vf, &now);
    ck_assert_uint_eq(now.vlan, was->has_address ? 0 : want.vlan);
    want.vlan = 0;
    ck_assert_int_eq(write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL), 0);
}
END_TEST

START_TEST(more_VFs_than_the_firmware_allows_are_refused_with_the_limit)
{
    struct error err;
    auto_pf struct pf *was = read_target();
    char limit[16];
    snprintf(limit, sizeof limit, "%u", was->total_vfs);
    struct pf_target to = {.has_num_vfs = true,
                           .num_vfs = (uint16_t)(was->total_vfs + 1)};
    ck_assert_int_eq(set_pf(&to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_RANGE);
    ck_assert_str_eq(err.field, "num_vfs");
    ck_assert_int_eq(err.sys, ERANGE);
    ck_assert_ptr_nonnull(strstr(err.msg, limit));
    ck_assert_str_ne(err.remedy, "");
    auto_pf struct pf *now = read_target();
    ck_assert(pf_same(was, now));
}
END_TEST

START_TEST(drivers_for_new_VFs_are_chosen_or_that_is_refused_by_name)
{
    struct error err;
    auto_pf struct pf *was = read_target();
    struct pf_target to = {.autoprobe = AUTOPROBE_OFF};
    int result = set_pf(&to, &err);
    auto_pf struct pf *now = read_target();
    if (!was->has_address) { /* netdevsim binds none */
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
        ck_assert_str_eq(err.field, "vf_drivers_autoprobe");
        return;
    }
    ck_assert_msg(result == 0, "%s", err.msg);
    if (was->autoprobe != AUTOPROBE_NONE)
        ck_assert_int_eq(now->autoprobe, AUTOPROBE_OFF);
    to.autoprobe = AUTOPROBE_ON;
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
}
END_TEST

START_TEST(the_bridge_mode_is_set_or_refused_by_name)
{
    struct error err;
    auto_pf struct pf *was = read_target();
    struct pf_target to = {.bridge_mode = BRIDGE_VEPA};
    int result = set_pf(&to, &err);
    if (!target->bridges) {
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
        ck_assert_str_eq(err.field, "bridge_mode");
        ck_assert_int_eq(err.sys, EOPNOTSUPP);
        return;
    }
    ck_assert_msg(result == 0, "%s", err.msg);
    auto_pf struct pf *now = read_target();
    ck_assert_int_eq(now->bridge_mode, BRIDGE_VEPA);
    to.bridge_mode = was->bridge_mode;
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
}
END_TEST

START_TEST(the_PF_that_carries_the_hosts_traffic_is_not_changed)
{
    struct error err = {0};
    struct pf_target to = {.has_num_vfs = true, .num_vfs = 1};
    auto_inventory struct inventory *all = read_all();
    const struct pf *management = NULL;
    for (size_t i = 0; i < all->pf_count; i++)
        if (all->pfs[i]->management)
            management = all->pfs[i];
    if (!management)
        return; /* this host has none with VFs */
    ck_assert_int_eq(host->ops->pf_set(host, &management->key, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    auto_pf struct pf *now =
        host->ops->read_pf(host, &management->key, NULL, &err);
    ck_assert_ptr_nonnull(now);
    ck_assert_uint_eq(now->num_vfs, management->num_vfs);
}
END_TEST

START_TEST(a_PF_that_is_not_there_can_not_be_changed)
{
    struct pf_key none;
    struct error err = {0};
    struct pf_target to = {.has_num_vfs = true};
    ck_assert(pf_key_parse("0fff:fe:1e.7", &none));
    ck_assert_int_eq(host->ops->pf_set(host, &none, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

START_TEST(opening_and_closing_leaves_no_descriptor)
{
    int first = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(first, 0);
    close(first);
    for (int i = 0; i < 3; i++) {
        target->close(host);
        host = target->open();
        ck_assert_ptr_nonnull(host);
        auto_inventory struct inventory *all = read_all();
        ck_assert_ptr_nonnull(all);
    }
    int last = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(last);
    ck_assert_int_eq(last, first);
}
END_TEST

Suite *contract_suite(const struct contract_target *t)
{
    target = t;
    Suite *s = suite_create(t->name);
    TCase *c = tcase_create("contract");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, the_inventory_is_whole_and_in_order);
    tcase_add_test(c, one_pf_read_alone_is_the_same_as_in_the_inventory);
    tcase_add_test(c, the_inventorys_policy_is_what_the_vf_reads);
    tcase_add_test(c, a_pf_that_is_not_there_has_vanished);
    tcase_add_test(c, a_vf_that_is_not_there_has_vanished);
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
    tcase_add_test(c, a_mac_is_held_on_the_pf_until_it_is_let_go);
    tcase_add_test(c, a_held_mac_may_sit_on_a_vf_too);
    tcase_add_test(c, nothing_is_held_on_a_pf_that_is_not_there);
    tcase_add_test(c, a_written_policy_is_told_as_a_change);
    tcase_add_test(c, a_PF_is_brought_to_another_VF_count_and_back);
    tcase_add_test(
        c, VFs_that_are_made_anew_have_nothing_of_the_old_ones_or_tell_it);
    tcase_add_test(
        c, more_VFs_than_the_firmware_allows_are_refused_with_the_limit);
    tcase_add_test(c,
                   drivers_for_new_VFs_are_chosen_or_that_is_refused_by_name);
    tcase_add_test(c, the_bridge_mode_is_set_or_refused_by_name);
    tcase_add_test(c, the_PF_that_carries_the_hosts_traffic_is_not_changed);
    tcase_add_test(c, a_PF_that_is_not_there_can_not_be_changed);
    tcase_add_test(c, opening_and_closing_leaves_no_descriptor);
    suite_add_tcase(s, c);
    return s;
}

int contract_run(const struct contract_target *t)
{
    SRunner *runner = srunner_create(contract_suite(t));
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures;
}
