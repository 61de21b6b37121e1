/* SPDX-License-Identifier: Apache-2.0 */
/* PF settings, one sentence each: what of a document is begun, saved, restored and
 * left, and the moves that there are. */
#include "tests/unit/agent/core/pf_change.h"

START_TEST(the_way_back_is_durable_before_anything_is_written)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next(&action));
    while (action.kind == ACTION_SAVE && disk.change_count == 0) {
        save(&action);
        ck_assert(next(&action));
    }
    ck_assert_uint_eq(disk.change_count, 1);
    ck_assert_int_eq(disk.changes[0].phase, PF_APPLYING);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 2);
    ck_assert_int_eq(disk.changes[0].before.autoprobe, AUTOPROBE_NONE);
    ck_assert_uint_eq(disk.changes[0].target.num_vfs, 4);
    ck_assert_int_eq(disk.changes[0].deadline, NOW + SECONDS(30));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    ck_assert_uint_eq(action.target.num_vfs, 4);
    CK_TOLD(PF_APPLYING, "Applying");
    teardown();
}
END_TEST

START_TEST(nothing_is_written_while_the_state_cannot_be_saved)
{
    setup();
    ck_assert(quiet());
    want_vfs(4, 7);
    answered();
    struct action action;
    for (int i = 0; i < 3; i++) {
        ck_assert(next(&action));
        ck_assert_int_eq(action.kind, ACTION_SAVE);
        done(&action, ENOSPC, "");
        CK_TOLD(PF_APPLYING, "StateNotDurable");
        ck_assert(!next(&action));
        now += SECONDS(1) << i;
    }
    /* By now the scheduler's word is old: it is asked for anew. */
    now += SECONDS(10);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    ck_assert_uint_eq(disk.change_count, 0);
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

START_TEST(absence_is_no_order)
{
    setup();
    want_with(NULL, 0, 0);
    answered();
    ck_assert(quiet());
    ck_assert_uint_eq(reconcile_pfs(core, NULL, 0), 0);
    struct pf_target nothing = {0};
    want_with(&nothing, 7, 0);
    ck_assert(quiet());
    ck_assert_uint_eq(reconcile_pfs(core, NULL, 0), 0);
    write_vfs(4, 8);
    answered();
    ck_assert(quiet());
    want_with(NULL, 0, 0);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 4);
    kernel.num_vfs = 1; /* somebody else: not ours to put back any more */
    give_host();
    ck_assert(quiet());
    teardown();
}
END_TEST

START_TEST(what_reads_as_wanted_is_applied_without_a_write)
{
    setup();
    want_vfs(2, 7);
    ck_assert(quiet());
    CK_TOLD(PF_APPLIED, "AsWanted");
    ck_assert_uint_eq(disk.change_count, 0);
    teardown();
}
END_TEST

START_TEST(what_is_lost_with_a_boot_is_restored_in_the_same_way)
{
    setup();
    write_vfs(4, 7);
    answered();
    ck_assert(quiet());
    crash();
    kernel.num_vfs = 0;
    now += SECONDS(100);
    start(2);
    ck_assert(quiet());
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 0);
    obey(&action);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_APPLIED, "Confirmed");
    teardown();
}
END_TEST

START_TEST(a_newer_revision_waits_for_the_end_of_the_change_that_runs)
{
    setup();
    write_vfs(4, 7);
    want_vfs(6, 8);
    ck_assert(quiet());
    ck_assert_uint_eq(told().revision.revision, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 6);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 4);
    ck_assert_uint_eq(told().revision.revision, 8);
    teardown();
}
END_TEST

START_TEST(every_move_is_in_the_diagram)
{
    static const struct {
        enum pf_phase from, to;
    } allowed[] = {
        {PF_APPLYING, PF_CONFIRMING},  {PF_APPLYING, PF_REVERTING},
        {PF_APPLYING, PF_REJECTED},    {PF_CONFIRMING, PF_APPLIED},
        {PF_CONFIRMING, PF_REVERTING}, {PF_CONFIRMING, PF_REJECTED},
        {PF_APPLIED, PF_APPLYING},     {PF_APPLIED, PF_APPLIED},
        {PF_REVERTING, PF_REJECTED},   {PF_REVERTING, PF_FAILED},
        {PF_REJECTED, PF_APPLYING},    {PF_REJECTED, PF_APPLIED},
        {PF_FAILED, PF_APPLYING},      {PF_FAILED, PF_APPLIED},
    };
    size_t count = 0;
    for (unsigned from = 0; from < PF_PHASE_MAX; from++)
        for (unsigned to = 0; to < PF_PHASE_MAX; to++)
            count += pf_move_allowed((enum pf_phase)from, (enum pf_phase)to);
    ck_assert_uint_eq(count, sizeof allowed / sizeof *allowed);
    for (size_t i = 0; i < count; i++)
        ck_assert(pf_move_allowed(allowed[i].from, allowed[i].to));
    ck_assert(!pf_move_allowed(PF_PHASE_MAX, PF_APPLYING));
}
END_TEST

CHECK_MAIN("pf_setting", the_way_back_is_durable_before_anything_is_written,
           nothing_is_written_while_the_state_cannot_be_saved,
           absence_is_no_order, what_reads_as_wanted_is_applied_without_a_write,
           what_is_lost_with_a_boot_is_restored_in_the_same_way,
           a_newer_revision_waits_for_the_end_of_the_change_that_runs,
           every_move_is_in_the_diagram);
