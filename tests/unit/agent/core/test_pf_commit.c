/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmed commits of PF settings, one sentence each: from the write to its end,
 * through refusals, silence of the scheduler, and ends of agent and host. */
#include "tests/unit/agent/core/pf_change.h"

START_TEST(it_is_applied_when_a_request_sent_after_the_write_is_answered)
{
    setup();
    write_vfs(4, 7);
    int64_t written = now;
    ck_assert_int_eq(reconcile_asks_since(core), written);
    now += SECONDS(1);
    reconcile_answered(core, written - 1, now);
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    answered();
    struct action action;
    ck_assert(next(&action));
    CK_TOLD(PF_CONFIRMING, "Confirmed"); /* not yet durable */
    save(&action);
    CK_TOLD(PF_APPLIED, "Confirmed");
    ck_assert_int_eq(told().condition.status, CONDITION_TRUE);
    ck_assert_uint_eq(told().revision.revision, 7);
    ck_assert_int_eq(reconcile_asks_since(core), INT64_MIN);
    now += SECONDS(3600);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(without_an_answer_it_is_undone_and_that_revision_never_tried_again)
{
    setup();
    write_vfs(4, 7);
    now = NOW + SECONDS(30) - 1;
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    now = NOW + SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    CK_TOLD(PF_REVERTING, "SchedulerSilent");
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    CK_TOLD(PF_REVERTING, "SchedulerSilent"); /* not yet durable */
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    ck_assert_int_eq(disk.changes[0].phase, PF_REJECTED);
    now += SECONDS(300);
    answered();
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    crash();
    start(2);
    answered();
    want_vfs(4, 7);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 2);
    want_vfs(4, 8);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(a_refusal_puts_everything_back_and_says_why)
{
    setup();
    struct pf_target target = {
        .has_num_vfs = true, .num_vfs = 4, .bridge_mode = BRIDGE_VEPA};
    want_with(&target, 7, 0);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    kernel.num_vfs = 4; /* so far it went */
    done(&action, EOPNOTSUPP, "bridge_mode");
    give_host();
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    ck_assert_int_eq(action.target.bridge_mode, BRIDGE_VEB);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    ck_assert_str_eq(told().condition.field, "bridge_mode");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "EOPNOTSUPP"));
    /* The same would be refused again. */
    now += SECONDS(3600);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    teardown();
}
END_TEST

START_TEST(a_refusal_that_may_pass_is_tried_again_later)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    done(&action, EBUSY, "num_vfs");
    ck_assert(next_write(&action));
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    now += SECONDS(6);
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    ck_assert_uint_eq(action.target.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(undoing_is_tried_until_it_works)
{
    setup();
    write_vfs(4, 7);
    now += SECONDS(30);
    struct action action;
    for (int i = 0; i < 4; i++) {
        ck_assert(next_write(&action));
        ck_assert_uint_eq(action.target.num_vfs, 2);
        done(&action, EBUSY, "num_vfs");
        CK_TOLD(PF_REVERTING, "UndoFails");
        ck_assert(quiet());
        now += SECONDS(5);
    }
    ck_assert(next_write(&action));
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

START_TEST(undoing_does_not_wait_for_a_full_disk)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    obey(&action);
    ck_assert(next(&action));
    done(&action, ENOSPC, "");
    /* Not told as the end before it is one. */
    ck_assert_int_eq(told().phase, PF_REVERTING);
    ck_assert_uint_eq(kernel.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(a_kernel_that_takes_its_time_is_asked_again)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    struct action_result pending = {.pending = true};
    for (int i = 0; i < 3; i++) {
        ck_assert(next_write(&action));
        ck_assert_int_eq(action.kind, ACTION_PF_SET);
        reconcile_done(core, now, &action, &pending);
        ck_assert(quiet());
        now += SECONDS(1);
    }
    /* An event of the PF is a reason to ask at once. */
    ck_assert(next_write(&action));
    reconcile_done(core, now, &action, &pending);
    ck_assert(quiet());
    give_host();
    ck_assert(next_write(&action));
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
    teardown();
}
END_TEST

START_TEST(what_reads_otherwise_after_the_write_is_put_back)
{
    setup();
    write_vfs(4, 7);
    kernel.num_vfs = 3; /* somebody else meddles */
    give_host();
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "ReadBackDiffers");
    teardown();
}
END_TEST

START_TEST(an_agent_killed_while_writing_goes_on_with_the_same_deadline)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    kernel.num_vfs = 4; /* written, and dead before it is known */
    crash();
    now += SECONDS(20);
    start(1);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
    now = NOW + SECONDS(30);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(an_agent_killed_in_the_window_undoes_or_confirms_after_its_start)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    crash();
    now += SECONDS(10);
    start(1);
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    ck_assert_int_eq(reconcile_asks_since(core), now);
    crash();
    now += SECONDS(300);
    start(1);
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

START_TEST(a_deadline_is_never_further_away_than_the_window_is_long)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    crash();
    now -= SECONDS(86400); /* the clock was set back */
    start(1);
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(a_host_that_booted_in_the_window_has_nothing_to_undo)
{
    for (int phase = 0; phase < 2; phase++) {
        setup();
        struct action action;
        if (phase == 0) {
            want_vfs(4, 7);
            answered();
            ck_assert(next_write(&action));
        } else {
            write_vfs(4, 7);
            ck_assert(quiet());
        }
        crash();
        kernel.num_vfs = 0;
        start(2);
        ck_assert(quiet());
        CK_TOLD(PF_REJECTED, "HostRestarted");
        want_vfs(4, 7);
        answered();
        ck_assert(quiet());
        ck_assert_uint_eq(kernel.num_vfs, 0);
        teardown();
    }
}
END_TEST

START_TEST(a_PF_that_goes_away_in_the_window_ends_it)
{
    setup();
    write_vfs(4, 7);
    reconcile_pf(core, now, &key, NULL);
    answered();
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    done(&action, ENODEV, "");
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

/* The VF vanished under the probe, and the new count makes it forgotten. */
START_TEST(what_a_probe_of_a_lost_VF_held_on_the_PF_is_let_go)
{
    setup();
    crash();
    disk.managed = mem_calloc(1, sizeof *disk.managed);
    disk.managed_count = 1;
    disk.managed[0].claim.pf = key;
    disk.managed[0].claim.vf_index = 5;
    disk.managed[0].phase = MANAGED_CLEANING;
    disk.managed[0].policy.set = POLICY_BIT(POLICY_MAC);
    disk.managed[0].policy.mac = (struct mac){{0x52, 0x54, 0, 0, 2, 5}};
    start(1);
    struct domain_list *none = domain_list_new(0);
    reconcile_domains(core, now, none, "");
    ref_put(none);
    write_vfs(4, 7);
    answered();
    static const enum action_kind kinds[] = {ACTION_HELD, ACTION_LET_GO,
                                             ACTION_HELD};
    struct action action;
    for (size_t i = 0; i < 3; i++) {
        struct action_result result = {.held = i == 0};
        while (next(&action) && action.kind == ACTION_SAVE)
            save(&action);
        ck_assert_int_eq(action.kind, kinds[i]);
        ck_assert_uint_eq(action.policy.mac.bytes[5], 5);
        ck_assert_uint_eq(disk.managed_count, 0);
        ck_assert_uint_eq(disk.hold_count, 1);
        reconcile_done(core, now, &action, &result);
    }
    ck_assert(quiet());
    ck_assert_uint_eq(disk.hold_count, 0);
    teardown();
}
END_TEST

CHECK_MAIN("pf_commit",
           it_is_applied_when_a_request_sent_after_the_write_is_answered,
           without_an_answer_it_is_undone_and_that_revision_never_tried_again,
           a_refusal_puts_everything_back_and_says_why,
           a_refusal_that_may_pass_is_tried_again_later,
           undoing_is_tried_until_it_works,
           undoing_does_not_wait_for_a_full_disk,
           a_kernel_that_takes_its_time_is_asked_again,
           what_reads_otherwise_after_the_write_is_put_back,
           an_agent_killed_while_writing_goes_on_with_the_same_deadline,
           an_agent_killed_in_the_window_undoes_or_confirms_after_its_start,
           a_deadline_is_never_further_away_than_the_window_is_long,
           a_host_that_booted_in_the_window_has_nothing_to_undo,
           a_PF_that_goes_away_in_the_window_ends_it,
           what_a_probe_of_a_lost_VF_held_on_the_PF_is_let_go);
