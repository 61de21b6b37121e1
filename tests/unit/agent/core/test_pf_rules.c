/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps a PF's setting from being changed, one sentence each, and what is told
 * meanwhile. */
#include "tests/unit/agent/core/pf_change.h"

START_TEST(it_begins_only_while_the_scheduler_is_heard)
{
    setup();
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    now += SECONDS(10) + 1;
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

START_TEST(the_PF_with_the_hosts_own_traffic_is_never_touched)
{
    setup();
    management = true;
    give_host();
    want_vfs(4, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "PfIsManagement");
    /* Also when it becomes that between the intent and the write. */
    management = false;
    give_host();
    struct action action;
    ck_assert(next(&action));
    save(&action);
    management = true;
    give_host();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "PfIsManagement");
    ck_assert_uint_eq(disk.change_count, 0);
    teardown();
}
END_TEST

START_TEST(a_PF_that_came_to_carry_the_hosts_traffic_is_not_even_put_back)
{
    setup();
    write_vfs(4, 7);
    management = true;
    give_host();
    now += SECONDS(31);
    ck_assert(quiet());
    CK_TOLD(PF_REVERTING, "PfIsManagement");
    management = false;
    give_host();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(more_than_the_firmware_allows_fails_with_the_limit_and_no_write)
{
    setup();
    want_vfs(9, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "AboveLimit");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "at most 8"));
    ck_assert_str_eq(told().condition.field, "num_vfs");
    teardown();
}
END_TEST

START_TEST(no_change_under_a_claim)
{
    setup();
    struct pf_target target = {.has_num_vfs = true, .num_vfs = 4};
    want_with(&target, 7, 1);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_READ);
    CK_TOLD(PF_PENDING, "PfClaimed");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "VF 0"));
    teardown();
}
END_TEST

START_TEST(claims_of_VFs_that_a_boot_took_away_let_the_count_be_restored)
{
    setup();
    kernel.num_vfs = 0;
    give_host();
    struct pf_target target = {.has_num_vfs = true, .num_vfs = 4};
    want_with(&target, 7, 1);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    obey(&action);
    /* The VF is there, but not to be touched before it is sure to stay. */
    ck_assert(quiet());
    struct observed_port ports[2];
    ck_assert_uint_eq(reconcile_ports(core, ports, 2), 1);
    ck_assert_str_eq(ports[0].condition.reason, "PfChanging");
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_READ);
    teardown();
}
END_TEST

START_TEST(no_change_while_something_else_uses_a_VF)
{
    setup();
    vf_state = VF_EXTERNAL;
    give_host();
    want_vfs(4, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "VfExternal");
    vf_state = VF_FREE;
    give_host();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

CHECK_MAIN("pf_rules", it_begins_only_while_the_scheduler_is_heard,
           the_PF_with_the_hosts_own_traffic_is_never_touched,
           a_PF_that_came_to_carry_the_hosts_traffic_is_not_even_put_back,
           more_than_the_firmware_allows_fails_with_the_limit_and_no_write,
           no_change_under_a_claim,
           claims_of_VFs_that_a_boot_took_away_let_the_count_be_restored,
           no_change_while_something_else_uses_a_VF);
