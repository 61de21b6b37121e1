/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends: the PF's own settings. */
#include "tests/contract/host/suite.h"

#include "common/base/timestamp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Ask until it has ended, as the agent does: when the descriptor says so. */
static int set_pf(const struct pf_target *to, struct error *err)
{
    int64_t deadline = timestamp_monotonic() + 50 * TIMESTAMP_SECOND;
    int result = 1;
    *err = (struct error){0};
    while (result == 1 && timestamp_monotonic() < deadline) {
        result = contract.host->ops->pf_set(contract.host, &contract.target->pf,
                                            to, err);
        struct pollfd fd = {.fd = contract.host->ops->event_fd(contract.host),
                            .events = POLLIN};
        struct host_changes changes;
        if (result == 1 && poll(&fd, fd.fd >= 0, 1000) > 0)
            ck_assert_int_eq(
                contract.host->ops->changes(contract.host, &changes, NULL), 0);
    }
    ck_assert_msg(result != 1, "the change of PF %s does not end",
                  contract.target->pf.text);
    return result;
}

static struct pf *read_target(void)
{
    struct error err = {0};
    struct pf *pf = contract.host->ops->read_pf(
        contract.host, &contract.target->pf, NULL, &err);
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
    struct policy now, want = contract_unusual();
    want.vlan_proto = VLAN_PROTO_8021Q;
    auto_pf struct pf *was = read_target();
    ck_assert_int_eq(contract_write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL),
                     0);
    struct pf_target to = {.has_num_vfs = true};
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
    auto_pf struct pf *none = read_target();
    ck_assert_uint_eq(none->vf_count, 0);
    to.num_vfs = was->num_vfs;
    ck_assert_msg(set_pf(&to, &err) == 0, "%s", err.msg);
    contract_read_vf(contract.vf, &now);
    ck_assert_uint_eq(now.vlan, was->has_address ? 0 : want.vlan);
    want.vlan = 0;
    ck_assert_int_eq(contract_write_vf(&want, POLICY_BIT(POLICY_VLAN), NULL),
                     0);
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
    if (!contract.target->bridges) {
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
    auto_inventory struct inventory *all = contract_read_all();
    const struct pf *management = NULL;
    for (size_t i = 0; i < all->pf_count; i++)
        if (all->pfs[i]->management)
            management = all->pfs[i];
    if (!management)
        return; /* this host has none with VFs */
    ck_assert_int_eq(
        contract.host->ops->pf_set(contract.host, &management->key, &to, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    auto_pf struct pf *now = contract.host->ops->read_pf(
        contract.host, &management->key, NULL, &err);
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
    ck_assert_int_eq(
        contract.host->ops->pf_set(contract.host, &none, &to, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

void contract_add_pf_set(TCase *c)
{
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
}
