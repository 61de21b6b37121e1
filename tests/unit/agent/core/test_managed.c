/* SPDX-License-Identifier: Apache-2.0 */
/* The names and the table of moves of the managed set. */
#include "agent/core/managed.h"
#include "common/base/mem.h"
#include "tests/unit/check_main.h"

START_TEST(each_phase_has_a_name_that_reads_back)
{
    for (unsigned i = 0; i < MANAGED_PHASE_MAX; i++) {
        const char *name = managed_phase_name((enum managed_phase)i);
        ck_assert_uint_eq(managed_phase_parse(name), i);
    }
    ck_assert_uint_eq(managed_phase_parse("claimed"), MANAGED_PHASE_MAX);
    ck_assert_uint_eq(managed_phase_parse(""), MANAGED_PHASE_MAX);
}
END_TEST

START_TEST(each_phase_can_end_in_cleaning)
{
    for (unsigned i = 0; i < MANAGED_PHASE_MAX; i++) {
        bool allowed =
            managed_move_allowed((enum managed_phase)i, MANAGED_CLEANING);
        ck_assert_int_eq(allowed, i != MANAGED_CLEANING);
    }
}
END_TEST

START_TEST(a_VF_that_is_being_cleaned_is_never_applied_to_again)
{
    ck_assert(!managed_move_allowed(MANAGED_CLEANING, MANAGED_APPLYING));
    ck_assert(!managed_move_allowed(MANAGED_QUARANTINED, MANAGED_APPLYING));
    ck_assert(!managed_move_allowed(MANAGED_QUARANTINED, MANAGED_APPLIED));
    ck_assert(!managed_move_allowed(MANAGED_PROBING, MANAGED_APPLYING));
}
END_TEST

START_TEST(nothing_is_applied_that_was_not_being_applied)
{
    for (unsigned i = 0; i < MANAGED_PHASE_MAX; i++) {
        bool allowed =
            managed_move_allowed((enum managed_phase)i, MANAGED_APPLIED);
        ck_assert_int_eq(allowed, i == MANAGED_APPLYING);
    }
    ck_assert(!managed_move_allowed(MANAGED_APPLYING, MANAGED_FAILED));
    ck_assert(!managed_move_allowed(MANAGED_PHASE_MAX, MANAGED_CLEANING));
    ck_assert(!managed_move_allowed(MANAGED_FAILED, MANAGED_PHASE_MAX));
}
END_TEST

START_TEST(a_copy_of_the_state_shares_nothing_with_it)
{
    struct agent_state state = {.incarnation = 3, .managed_count = 2};
    state.managed = mem_calloc(2, sizeof *state.managed);
    state.managed[1].claim.vf_index = 9;
    struct agent_state copy;
    agent_state_copy(&copy, &state);
    state.managed[1].claim.vf_index = 1;
    agent_state_done(&state);
    ck_assert_uint_eq(copy.managed_count, 2);
    ck_assert_uint_eq(copy.managed[1].claim.vf_index, 9);
    ck_assert_uint_eq(copy.incarnation, 3);
    ck_assert_ptr_null(copy.probed);
    agent_state_done(&copy);
}
END_TEST

CHECK_MAIN("managed", each_phase_has_a_name_that_reads_back,
           each_phase_can_end_in_cleaning,
           a_VF_that_is_being_cleaned_is_never_applied_to_again,
           nothing_is_applied_that_was_not_being_applied,
           a_copy_of_the_state_shares_nothing_with_it);
