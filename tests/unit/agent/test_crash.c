/* SPDX-License-Identifier: Apache-2.0 */
/* The agent is killed after each single step of a whole life (probe, apply,
 * refuse, change, release), and started again from its disk: at no instant is
 * there a VF that is dirty but not in the durable state, and the end is always
 * the same. */
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct world world;

static void send(void)
{
    struct error err = {0};
    ck_assert_msg(world_send(&world, &err) == 0, "%s", err.msg);
}

/* As its driver made it: a probe puts back what it found. */
static bool as_made(size_t pf, uint16_t vf)
{
    struct policy made = sim_host_vf_made(world.host, pf), now;
    return sim_host_vf_policy(world.host, pf, vf, &now) &&
           ((policy_difference(&made, &now) & now.set) == 0 ||
            (sim_host_vf_own_mac(world.host, pf, vf) &&
             (policy_difference(&made, &now) & now.set &
              ~POLICY_BIT(POLICY_MAC)) == 0));
}

/* Every MAC that a PF's own filter holds is in the state. */
static void check_holds(size_t pf, const char *when)
{
    const struct agent_state *state = &world.disk.state;
    size_t known = 0;
    for (size_t k = 0; k < state->managed_count; k++)
        known += sim_host_holds(world.host, pf, &state->managed[k].policy.mac);
    ck_assert_msg(sim_host_held_count(world.host, pf) == known,
                  "PF %zu holds a MAC that is not in the state %s", pf, when);
}

/* What is not as its driver made it, nor clean, is in the state. */
static void check_disk_covers(const char *when)
{
    for (size_t pf = 0; pf < sim_host_pf_count(world.host); pf++) {
        check_holds(pf, when);
        for (uint16_t i = 0; i < sim_host_vf_count(world.host, pf); i++) {
            if (as_made(pf, i) || sim_host_vf_clean(world.host, pf, i))
                continue;
            bool held = false;
            const struct agent_state *state = &world.disk.state;
            for (size_t k = 0; k < state->managed_count; k++)
                held |= state->managed[k].claim.vf_index == i &&
                        pf_key_compare(&state->managed[k].claim.pf,
                                       sim_host_pf_key(world.host, pf)) == 0;
            ck_assert_msg(held, "VF %u is dirty and not in the state %s", i,
                          when);
        }
    }
}

/* One step of everything, on the clock; a crash and a restart if 'step' is the
 * one. Told absent means clean at that instant. */
static void one_step(size_t step, size_t crash_at)
{
    if (step == crash_at) {
        world_crash_agent(&world);
        check_disk_covers("after the crash");
        world_start_agent(&world);
    }
    if (host_sim_has_changes(world.backend))
        agent_host_events(world.agent);
    int64_t wake = agent_step(world.agent, world.now);
    check_disk_covers("after a step");
    auto_observed struct observed *report =
        agent_report(world.agent, world.now);
    if (report) {
        for (size_t i = 0; i < report->port_count; i++) {
            const struct observed_port *port = &report->ports[i];
            if (port->phase == PORT_ABSENT)
                ck_assert(
                    sim_host_vf_clean(world.host, 0, port->claim.vf_index));
        }
        agent_report_done(world.agent, report->sequence, AGENT_REPORT_ACCEPTED,
                          0);
    }
    /* The uplink asks again after a crash. */
    if (agent_following(world.agent).epoch == 0 && world.revision.revision) {
        auto_desired struct desired *desired = world_document(&world, true);
        ck_assert_int_eq(agent_desired(world.agent, desired, NULL), 0);
    }
    if (wake > world.now) {
        int64_t next = world.now + 50 * TIMESTAMP_MS;
        world.now = wake < next ? wake : next;
    }
}

/* What happens at which step of the life. */
static void act(size_t step)
{
    struct desired_port *port = NULL;
    switch (step) {
    case 60:
        port = world_want(&world, 1, 0, 0);
        port->policy.set |= POLICY_BIT(POLICY_VLAN);
        port->policy.vlan = 100;
        port = world_want(&world, 2, 0, 1);
        port->policy.set |= POLICY_BIT(POLICY_TRUST);
        port->policy.trust = true;
        world.fault_errno = EIO;
        world.fault_step = SIM_STEP_VF_WRITTEN;
        world.fault_fields = POLICY_BIT(POLICY_TRUST);
        world.fault_times = 1;
        send();
        break;
    case 90:
        port = world_port(&world, 1);
        port->policy.vlan = 200;
        port->revision.revision = world.revision.revision + 1;
        send();
        break;
    case 110:
        port = world_port(&world, 1); /* another VF */
        port->claim.vf_index = 2;
        port->revision.revision = world.revision.revision + 1;
        send();
        break;
    case 140:
        world_unwant(&world, 1);
        world_unwant(&world, 2);
        send();
        break;
    default:
        break;
    }
}

START_TEST(a_crash_after_any_step_leaves_nothing_behind)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    /* 200 steps of a life; one life for each crash. */
    for (size_t crash_at = 1; crash_at < 200; crash_at++) {
        world_open(&world, models);
        world.actions_per_step = 1;
        world_start_agent(&world);
        send();
        for (size_t step = 0; step < 200; step++) {
            act(step);
            one_step(step, crash_at);
        }
        for (size_t i = 0; i < 4000 && world.disk.state.managed_count; i++)
            one_step(0, 1);
        ck_assert_uint_eq(world.disk.state.managed_count, 0);
        for (uint16_t i = 0; i < 3; i++)
            ck_assert_msg(sim_host_vf_clean(world.host, 0, i) || as_made(0, i),
                          "VF %u after a crash at step %zu", i, crash_at);
        world_close(&world);
    }
}
END_TEST

/* After any step of a probe; what is there afterwards is what was there before,
 * and the next probe comes to its end. */
START_TEST(a_crash_in_a_probe_leaves_nothing_changed)
{
    static const char *const kinds[] = {"intel-82599", "nvidia-connectx-5",
                                        "intel-82576"};
    const char *const models[] = {kinds[_i], NULL};
    size_t held = 0, probing = 0;
    for (size_t crash_at = 1; crash_at < 90; crash_at++) {
        world_open(&world, models);
        world.actions_per_step = 1;
        world_start_agent(&world);
        send();
        for (size_t step = 0; step < crash_at; step++)
            one_step(step, crash_at);
        held += sim_host_held_count(world.host, 0);
        probing += world.disk.state.managed_count;
        world_crash_agent(&world);
        check_disk_covers("after the crash");
        /* First only put back: nothing new may begin. */
        world.actions_per_step = 0;
        world_start_agent(&world);
        for (int i = 0; i < 5; i++) {
            world_settle(&world, SECONDS(30));
            world.now += SECONDS(1);
        }
        ck_assert_uint_eq(world.disk.state.managed_count, 0);
        ck_assert_uint_eq(sim_host_held_count(world.host, 0), 0);
        for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
            ck_assert_msg(as_made(0, i), "VF %u after a crash at step %zu", i,
                          crash_at);
        send();
        for (int i = 0; i < 5; i++) {
            world_settle(&world, SECONDS(30));
            world.now += SECONDS(1);
        }
        ck_assert_uint_eq(world.disk.state.managed_count, 0);
        ck_assert_uint_eq(world.disk.state.probed_count, 1);
        world_close(&world);
    }
    /* The crashes came in the middle of it, also while the MAC was held. */
    ck_assert_uint_gt(probing, 20);
    ck_assert_uint_gt(held, 1);
}
END_TEST

START_TEST(a_lost_state_does_not_hand_a_used_VF_to_anybody_else)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    world_start_agent(&world);
    world_settle(&world, SECONDS(30));
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    world_crash_agent(&world);
    disk_done(&world.disk);
    world.disk.written = false;
    world_start_agent(&world);
    world_settle(&world, SECONDS(5));
    auto_inventory struct inventory *inventory = agent_inventory(world.agent);
    ck_assert_int_eq(world_vf(&world, inventory, 0, 2)->state, VF_QUARANTINED);
    /* Its own tombstone, with the MAC that is on the VF, cleans it. */
    world_unwant(&world, 1);
    world_apply(&world);
    ck_assert(sim_host_vf_clean(world.host, 0, 2));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    world_close(&world);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("agent crashes");
    TCase *tcase = tcase_create("crashes");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_crash_after_any_step_leaves_nothing_behind);
    tcase_add_loop_test(tcase, a_crash_in_a_probe_leaves_nothing_changed, 0, 3);
    tcase_add_test(tcase, a_lost_state_does_not_hand_a_used_VF_to_anybody_else);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
