/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of PFs by the engine on simulated hosts: what is asked is what the
 * kernel has in the end, a change that cuts the agent off undoes itself, and an
 * agent killed after any single step leaves nothing half-done behind. */
#include "common/base/log.h"
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct world world;
static uint16_t before; /* VFs at the start */

static void open_with(const char *model)
{
    const char *const models[] = {model, NULL};
    world_open(&world, models);
    before = sim_host_vf_count(world.host, 0);
    world_start_agent(&world);
    world_settle(&world, SECONDS(60));
}

static uint16_t count(void)
{
    return sim_host_vf_count(world.host, 0);
}

static void apply_and_settle(void)
{
    struct error err = {0};
    ck_assert_msg(world_send(&world, &err) == 0, "%s", err.msg);
    world_settle(&world, SECONDS(60));
}

#define CK_TOLD(expected_phase)                                                \
    do {                                                                       \
        const struct observed_pf *t = world_told_pf(&world, 0);                \
        ck_assert_ptr_nonnull(t);                                              \
        ck_assert_msg(t->phase == (expected_phase), "%s: %s",                  \
                      pf_phase_name((enum pf_phase)t->phase),                  \
                      t->condition.message);                                   \
    } while (0)

/* igb, ixgbe, mlx5, and one that has no VF functions at all. */
static const char *const models[] = {"intel-82576", "intel-82599",
                                     "nvidia-connectx-5", "virtio-net"};

START_TEST(the_kernel_gets_what_is_asked_and_the_scheduler_hears_of_it)
{
    open_with(models[_i]);
    world_want_vfs(&world, 0, 2);
    apply_and_settle();
    ck_assert_uint_eq(count(), 2);
    CK_TOLD(PF_APPLIED);
    ck_assert_str_eq(world_told_pf(&world, 0)->condition.reason, "Confirmed");
    ck_assert_uint_eq(world.disk.state.change_count, 1);
    ck_assert_int_eq(world.disk.state.changes[0].phase, PF_APPLIED);
    /* What was probed before is no ghost, the new VFs are free. */
    world_settle(&world, SECONDS(60));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    auto_inventory struct inventory *inventory = agent_inventory(world.agent);
    for (uint16_t i = 0; i < 2; i++)
        ck_assert_int_eq(world_vf(&world, inventory, 0, i)->state, VF_FREE);
    world_want_vfs(&world, 0, 0);
    apply_and_settle();
    ck_assert_uint_eq(count(), 0);
    CK_TOLD(PF_APPLIED);
    world_close(&world);
}
END_TEST

START_TEST(autoprobe_and_bridge_mode_are_set_too)
{
    open_with("intel-82599");
    struct desired_pf *want = world_want_vfs(&world, 0, 3);
    want->autoprobe = AUTOPROBE_OFF;
    want->bridge_mode = BRIDGE_VEPA;
    apply_and_settle();
    CK_TOLD(PF_APPLIED);
    ck_assert_uint_eq(count(), 3);
    ck_assert_int_eq(sim_host_pf_autoprobe(world.host, 0), AUTOPROBE_OFF);
    ck_assert_int_eq(sim_host_pf_bridge_mode(world.host, 0), BRIDGE_VEPA);
    world_close(&world);
}
END_TEST

START_TEST(a_mode_that_the_driver_has_not_fails_and_the_count_is_put_back)
{
    open_with("intel-82576");
    struct desired_pf *want = world_want_vfs(&world, 0, 3);
    want->bridge_mode = BRIDGE_VEPA;
    apply_and_settle();
    CK_TOLD(PF_FAILED);
    ck_assert_str_eq(world_told_pf(&world, 0)->condition.field, "bridge_mode");
    ck_assert_uint_eq(count(), before);
    world_close(&world);
}
END_TEST

START_TEST(a_change_that_cuts_the_agent_off_is_undone_within_45_seconds)
{
    open_with("intel-82576");
    struct error err = {0};
    world_want_vfs(&world, 0, 2);
    ck_assert_int_eq(world_send(&world, &err), 0);
    int64_t begun = world.now;
    while (count() == before)
        world_settle(&world, 20 * TIMESTAMP_MS);
    world.mute = true;
    world_settle(&world, SECONDS(25));
    ck_assert_uint_eq(count(), 2);
    while (count() != before && world.now < begun + SECONDS(100))
        world_settle(&world, SECONDS(1));
    ck_assert_int_le(world.now, begun + SECONDS(45));
    ck_assert_uint_eq(count(), before);
    /* Not tried again, also when the scheduler is back. */
    world_settle(&world, SECONDS(5));
    world.mute = false;
    for (int i = 0; i < 300; i++) {
        world_settle(&world, SECONDS(1));
        world.now += SECONDS(1);
        ck_assert_uint_eq(count(), before);
    }
    CK_TOLD(PF_REJECTED);
    world_close(&world);
}
END_TEST

START_TEST(a_change_is_not_made_under_a_claim_and_is_after_it)
{
    open_with("nvidia-connectx-5");
    world_want(&world, 1, 0, 1);
    world_want_vfs(&world, 0, 2);
    apply_and_settle();
    ck_assert_uint_eq(count(), before);
    CK_TOLD(PF_PENDING);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    world_unwant(&world, 1);
    apply_and_settle();
    ck_assert_uint_eq(count(), 2);
    CK_TOLD(PF_APPLIED);
    world_close(&world);
}
END_TEST

/* Each refusal of the kernel at each part of a change. */
static const int refusals[] = {EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP, EBUSY, EIO};

START_TEST(what_the_kernel_refuses_is_put_back_and_told)
{
    open_with("intel-82599");
    struct desired_pf *want = world_want_vfs(&world, 0, 3);
    want->autoprobe = AUTOPROBE_OFF;
    want->bridge_mode = BRIDGE_VEPA;
    bool written = _i % 2;
    uint32_t part = 1u << (_i / 2 % 3);
    world.fault_errno = refusals[_i / 6];
    world.fault_step = written ? SIM_STEP_PF_WRITTEN : SIM_STEP_PF_SET;
    world.fault_fields = part;
    world.fault_times = world.fault_errno == EBUSY ? SIM_TRIES : 1;
    struct error err = {0};
    ck_assert_int_eq(world_send(&world, &err), 0);
    world_settle(&world, SECONDS(3));
    CK_TOLD(PF_FAILED);
    ck_assert_str_ne(world_told_pf(&world, 0)->condition.message, "");
    ck_assert_uint_eq(count(), before);
    ck_assert_int_eq(sim_host_pf_autoprobe(world.host, 0), AUTOPROBE_ON);
    ck_assert_int_eq(sim_host_pf_bridge_mode(world.host, 0), BRIDGE_VEB);
    world_close(&world);
}
END_TEST

/* ---- killed at any step ------------------------------------------------------- */

/* Not as it was means: the disk knows how it was. */
static void check_disk_knows(const char *when)
{
    if (count() == before)
        return;
    const struct agent_state *state = &world.disk.state;
    ck_assert_msg(state->change_count == 1, "nothing of the change on disk %s",
                  when);
    ck_assert_msg(state->changes[0].phase == PF_APPLIED ||
                      state->changes[0].before.num_vfs == before,
                  "%u VFs %s: the way back (%u) is lost", count(), when,
                  state->changes[0].before.num_vfs);
}

static void one_step(void)
{
    if (host_sim_has_changes(world.backend))
        agent_host_events(world.agent);
    int64_t wake = agent_step(world.agent, world.now);
    check_disk_knows("after a step");
    struct observed *report = agent_report(world.agent, world.now);
    if (report) {
        ref_put(world.last);
        world.last = report;
        agent_report_done(
            world.agent, report->sequence,
            world.mute ? AGENT_REPORT_LOST : AGENT_REPORT_ACCEPTED, 0);
    }
    if (!world.mute && agent_following(world.agent).epoch == 0 &&
        world.revision.revision) {
        auto_desired struct desired *desired = world_document(&world, true);
        ck_assert_int_eq(agent_desired(world.agent, desired, NULL), 0);
    }
    if (wake > world.now) {
        int64_t next = world.now + 100 * TIMESTAMP_MS;
        world.now = wake < next ? wake : next;
    }
}

static void live(size_t steps, size_t crash_at)
{
    for (size_t step = 0; step < steps; step++) {
        if (step == crash_at) {
            world_crash_agent(&world);
            check_disk_knows("after the crash");
            world_start_agent(&world);
        }
        one_step();
    }
}

static void open_for_steps(void)
{
    const char *const list[] = {"intel-82576", NULL};
    world_open(&world, list);
    before = sim_host_vf_count(world.host, 0);
    world.actions_per_step = 1;
    world.skip_probing = true;
    world_start_agent(&world);
    live(40, SIZE_MAX);
    world_want_vfs(&world, 0, 2);
    struct error err = {0};
    ck_assert_msg(world_send(&world, &err) == 0, "%s", err.msg);
}

START_TEST(killed_at_any_step_it_is_applied_in_the_end)
{
    for (size_t crash_at = 1; crash_at < 60; crash_at++) {
        open_for_steps();
        live(60, crash_at);
        world_settle(&world, SECONDS(60));
        CK_TOLD(PF_APPLIED);
        ck_assert_uint_eq(count(), 2);
        world_close(&world);
    }
}
END_TEST

START_TEST(killed_at_any_step_of_a_silent_window_it_is_undone_in_time)
{
    for (size_t crash_at = 1; crash_at < 450;
         crash_at += crash_at < 30 ? 1 : 21) {
        open_for_steps();
        int64_t begun = world.now;
        bool changed = false;
        for (size_t step = 0; step < 600; step++) {
            live(1, step == crash_at ? 0 : SIZE_MAX);
            changed |= count() != before;
            world.mute |= changed;
        }
        ck_assert(changed);
        ck_assert_int_lt(world.now - begun, SECONDS(100));
        ck_assert_msg(count() == before, "%u VFs after a crash at step %zu",
                      count(), crash_at);
        ck_assert_int_eq(world.disk.state.changes[0].phase, PF_REJECTED);
        ck_assert_uint_eq(world.disk.state.changes[0].before.num_vfs, before);
        world_close(&world);
    }
}
END_TEST

static void log_nowhere(void *context, const char *module, enum log_level level,
                        const char *line)
{
    (void)context;
    (void)module;
    (void)level;
    (void)line;
}

int main(void)
{
    log_set_sink(log_nowhere, NULL);
    Suite *suite = suite_create("agent PF changes");
    TCase *tcase = tcase_create("changes");
    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(
        tcase, the_kernel_gets_what_is_asked_and_the_scheduler_hears_of_it, 0,
        (int)(sizeof models / sizeof *models));
    tcase_add_test(tcase, autoprobe_and_bridge_mode_are_set_too);
    tcase_add_test(
        tcase, a_mode_that_the_driver_has_not_fails_and_the_count_is_put_back);
    tcase_add_test(
        tcase, a_change_that_cuts_the_agent_off_is_undone_within_45_seconds);
    tcase_add_test(tcase, a_change_is_not_made_under_a_claim_and_is_after_it);
    tcase_add_loop_test(tcase, what_the_kernel_refuses_is_put_back_and_told, 0,
                        6 * (int)(sizeof refusals / sizeof *refusals));
    tcase_add_test(tcase, killed_at_any_step_it_is_applied_in_the_end);
    tcase_add_test(tcase,
                   killed_at_any_step_of_a_silent_window_it_is_undone_in_time);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
