/* SPDX-License-Identifier: Apache-2.0 */
/* The engine against the simulated host: what is asked for is what the kernel
 * has, and what the agent tells is what the kernel reads. */
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct world world;

static void open_with(const char *model)
{
    const char *const models[] = {model, NULL};
    world_open(&world, models);
    world_start_agent(&world);
    world_settle(&world, SECONDS(30));
}

static void setup(void)
{
    open_with("nvidia-connectx-5");
}

static void teardown(void)
{
    world_close(&world);
}

static const struct vf *seen_vf(struct inventory **keep, uint16_t vf)
{
    ref_put(*keep);
    *keep = agent_inventory(world.agent);
    return world_vf(&world, *keep, 0, vf);
}

START_TEST(a_fresh_host_is_reported_whole_and_its_VFs_are_free)
{
    ck_assert_ptr_nonnull(world.last);
    ck_assert_uint_gt(world.reports, 0);
    ck_assert_uint_eq(world.last->incarnation, 1);
    auto_inventory struct inventory *inventory = NULL;
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        ck_assert_int_eq(seen_vf(&inventory, i)->state, VF_FREE);
}
END_TEST

START_TEST(a_wanted_port_gets_its_policy_and_it_is_told_as_read_back)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS);
    port->policy.vlan = 100;
    port->policy.vlan_qos = 3;
    world_apply(&world);
    struct policy kernel = world_kernel(&world, 0, 2);
    ck_assert_uint_eq(kernel.vlan, 100);
    ck_assert_uint_eq(kernel.vlan_qos, 3);
    ck_assert_int_eq(mac_compare(&kernel.mac, &port->policy.mac), 0);
    const struct observed_port *told = world_told(&world, 1);
    ck_assert_int_eq(told->phase, PORT_APPLIED);
    ck_assert_str_eq(told->condition.type, "PolicyApplied");
    ck_assert_int_eq(told->condition.status, CONDITION_TRUE);
    ck_assert_uint_eq(told->readback.vlan, 100);
    ck_assert_int_gt(told->observed_at, 0);
    auto_inventory struct inventory *inventory = NULL;
    const struct vf *vf = seen_vf(&inventory, 2);
    ck_assert_int_eq(vf->state, VF_CLAIMED);
    ck_assert(uuid_equal(&vf->port, &port->id));
    ck_assert_uint_eq(world.disk.state.managed_count, 1);
    ck_assert_int_eq(world.disk.state.managed[0].phase, MANAGED_APPLIED);
}
END_TEST

START_TEST(a_released_VF_reads_clean_before_it_is_told_absent_and_free)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_TRUST);
    port->policy.vlan = 100;
    port->policy.trust = true;
    world_apply(&world);
    world_unwant(&world, 1);
    struct error err;
    ck_assert_int_eq(world_send(&world, &err), 0);
    bool told_absent = false;
    for (int i = 0; i < 400 && !told_absent; i++) {
        world.now += 10 * TIMESTAMP_MS;
        agent_step(world.agent, world.now);
        auto_observed struct observed *report =
            agent_report(world.agent, world.now);
        if (!report)
            continue;
        for (size_t k = 0; k < report->port_count; k++)
            told_absent |= report->ports[k].phase == PORT_ABSENT;
        ck_assert(!told_absent || sim_host_vf_clean(world.host, 0, 2));
        ck_assert(!told_absent || world.disk.state.managed_count == 0);
        agent_report_done(world.agent, report->sequence, AGENT_REPORT_ACCEPTED,
                          0);
    }
    ck_assert(told_absent);
    auto_inventory struct inventory *inventory = NULL;
    ck_assert_int_eq(seen_vf(&inventory, 2)->state, VF_FREE);
    world_settle(&world, SECONDS(5));
    ck_assert_ptr_null(world_told(&world, 1)); /* accepted, so forgotten */
}
END_TEST

START_TEST(a_refused_field_leaves_nothing_of_the_policy_on_the_VF)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_TRUST);
    port->policy.vlan = 100;
    port->policy.trust = true;
    world.fault_errno = EINVAL;
    world.fault_step = SIM_STEP_VF_WRITE;
    world.fault_fields = POLICY_BIT(POLICY_TRUST);
    world.fault_times = 1;
    struct error err;
    ck_assert_int_eq(world_send(&world, &err), 0);
    world_settle(&world, SECONDS(2));
    ck_assert(sim_host_vf_clean(world.host, 0, 2));
    const struct observed_port *told = world_told(&world, 1);
    ck_assert_int_eq(told->phase, PORT_FAILED);
    ck_assert_int_eq(told->condition.status, CONDITION_FALSE);
    ck_assert_str_eq(told->condition.reason, "FieldRefused");
    ck_assert_str_eq(told->condition.field, "trust");
    ck_assert_ptr_nonnull(strstr(told->condition.message, "EINVAL"));
    /* The fault is over: the back-off brings it. */
    world_settle(&world, SECONDS(60));
    world.now += SECONDS(20);
    world_settle(&world, SECONDS(10));
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    ck_assert(world_kernel(&world, 0, 2).trust);
}
END_TEST

START_TEST(a_VF_that_something_else_uses_is_never_touched)
{
    sim_host_vf_set_external(world.host, 0, 2, "bound to vfio-pci");
    uint64_t before = sim_host_vf_version(world.host, 0, 2);
    world_settle(&world, SECONDS(2));
    world_want(&world, 1, 0, 2);
    world_apply(&world);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "VfExternal");
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_PENDING);
    ck_assert_uint_eq(sim_host_vf_version(world.host, 0, 2), before);
    ck_assert(sim_host_vf_fresh(world.host, 0, 2));
    sim_host_vf_set_external(world.host, 0, 2, NULL);
    world_settle(&world, SECONDS(5));
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
}
END_TEST

START_TEST(a_VF_of_the_management_PF_is_never_touched)
{
    sim_host_pf_set_management(world.host, 0, "default route");
    world_want(&world, 1, 0, 2);
    world_apply(&world);
    const struct observed_port *told = world_told(&world, 1);
    ck_assert_str_eq(told->condition.reason, "PfIsManagement");
    ck_assert_ptr_nonnull(strstr(told->condition.message, "default route"));
    ck_assert(sim_host_vf_fresh(world.host, 0, 2));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
}
END_TEST

START_TEST(a_VF_held_for_another_port_is_left_to_it)
{
    world_want(&world, 1, 0, 2);
    world_apply(&world);
    world_want(&world, 2, 0, 2);
    world_apply(&world);
    ck_assert_str_eq(world_told(&world, 2)->condition.reason, "VfHeld");
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    world_unwant(&world, 1);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 2)->phase, PORT_APPLIED);
    ck_assert_int_eq(world_kernel(&world, 0, 2).mac.bytes[5], 2);
}
END_TEST

START_TEST(what_a_full_document_lacks_is_left_alone_and_told_as_unknown)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    world_drop(&world, 1);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_UNKNOWN);
    ck_assert_uint_eq(world_kernel(&world, 0, 2).vlan, 100);
    world_crash_agent(&world);
    world_start_agent(&world);
    world_settle(&world, SECONDS(30));
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_UNKNOWN);
    ck_assert_uint_eq(world_kernel(&world, 0, 2).vlan, 100);
}
END_TEST

START_TEST(drift_is_put_back_and_said)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    struct policy other = {.vlan = 7};
    ck_assert_int_eq(sim_host_vf_set_policy(world.host, 0, 2, &other,
                                            POLICY_BIT(POLICY_VLAN)),
                     0);
    world_settle(&world, SECONDS(5));
    ck_assert_uint_eq(world_kernel(&world, 0, 2).vlan, 100);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "DriftRepaired");
}
END_TEST

START_TEST(a_dirty_VF_of_unknown_origin_is_quarantined_and_not_cleaned)
{
    struct policy other = {.vlan = 7};
    ck_assert_int_eq(sim_host_vf_set_policy(world.host, 0, 3, &other,
                                            POLICY_BIT(POLICY_VLAN)),
                     0);
    world_settle(&world, SECONDS(5));
    auto_inventory struct inventory *inventory = NULL;
    const struct vf *vf = seen_vf(&inventory, 3);
    ck_assert_int_eq(vf->state, VF_QUARANTINED);
    ck_assert_ptr_nonnull(strstr(vf->reason, "vlan 7"));
    world_want(&world, 1, 0, 3);
    world_apply(&world);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "VfNotClean");
    ck_assert_uint_eq(world_kernel(&world, 0, 3).vlan, 7);
}
END_TEST

START_TEST(a_full_disk_stops_the_agent_from_touching_VFs_and_is_said)
{
    world.disk.full = true;
    world_want(&world, 1, 0, 2);
    world_apply(&world);
    ck_assert(sim_host_vf_fresh(world.host, 0, 2));
    const struct observed_port *told = world_told(&world, 1);
    ck_assert_str_eq(told->condition.reason, "StateNotDurable");
    world.disk.full = false;
    world_settle(&world, SECONDS(60));
    world_settle(&world, SECONDS(10));
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
}
END_TEST

START_TEST(a_PF_that_vanishes_and_comes_back_has_its_policy_again)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    sim_host_pf_set_present(world.host, 0, false);
    world_settle(&world, SECONDS(1));
    ck_assert_uint_eq(world.last->gone_count, 1);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_PENDING);
    ck_assert_str_eq(world_told(&world, 1)->condition.reason, "VfVanished");
    sim_host_pf_set_present(world.host, 0, true);
    world_settle(&world, SECONDS(5));
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_APPLIED);
    ck_assert_uint_eq(world_kernel(&world, 0, 2).vlan, 100);
}
END_TEST

START_TEST(a_released_VF_that_stays_away_is_given_up_but_cleaned_on_return)
{
    struct desired_port *port = world_want(&world, 1, 0, 2);
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = 100;
    world_apply(&world);
    sim_host_vf_set_present(world.host, 0, 2, false);
    world_unwant(&world, 1);
    world_apply(&world);
    ck_assert_int_eq(world_told(&world, 1)->phase, PORT_CLEANING);
    for (int i = 0; i < 14; i++) {
        world.now += SECONDS(5);
        world_settle(&world, SECONDS(1));
    }
    ck_assert_ptr_null(world_told(&world, 1));
    ck_assert_uint_eq(world.disk.state.managed_count, 1);
    sim_host_vf_set_present(world.host, 0, 2, true);
    world_settle(&world, SECONDS(10));
    ck_assert(sim_host_vf_clean(world.host, 0, 2));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
}
END_TEST

START_TEST(documents_of_an_older_epoch_or_another_cluster_are_refused)
{
    world_want(&world, 1, 0, 2);
    world.revision.epoch = 5;
    world_apply(&world);
    world.revision.epoch = 4;
    struct error err = {0};
    ck_assert_int_eq(world_send(&world, &err), -1);
    ck_assert_int_eq(err.code, ERROR_OLD_EPOCH);
    world.revision.epoch = 6;
    world.cluster = test_uuid(201);
    ck_assert_int_eq(world_send(&world, &err), -1);
    ck_assert_int_eq(err.code, ERROR_WRONG_CLUSTER);
    ck_assert_ptr_nonnull(strstr(err.remedy, "adopt"));
    ck_assert_uint_eq(world.disk.state.accepted.epoch, 5);
    /* 'sriov-agent adopt' */
    world_crash_agent(&world);
    world.disk.state.adopt = test_uuid(201);
    world_start_agent(&world);
    ck_assert_int_eq(world_send(&world, &err), 0);
}
END_TEST

START_TEST(each_start_has_a_higher_incarnation_and_reports_in_full)
{
    world_crash_agent(&world);
    world_start_agent(&world);
    world_settle(&world, SECONDS(5));
    ck_assert_uint_eq(world.last->incarnation, 2);
    ck_assert_uint_eq(world.disk.state.incarnation, 2);
}
END_TEST

/* The first report that another agent of this host makes. */
static uint64_t first_sequence(uint64_t seed)
{
    world_crash_agent(&world);
    world.seed = seed;
    world_start_agent(&world);
    uint64_t before = world.reports;
    while (world.reports == before)
        world_settle(&world, SECONDS(1));
    return world.last->sequence - (world.reports - before - 1);
}

START_TEST(the_first_sequence_of_a_start_is_the_seed_s)
{
    uint64_t first = first_sequence(11);
    ck_assert_uint_ge(first, 1);
    ck_assert_uint_le(first, UINT64_C(1) << 48);
    ck_assert_uint_eq(first_sequence(11), first);
    ck_assert_uint_ne(first_sequence(12), first);
}
END_TEST

START_TEST(a_stale_incarnation_is_raised_above_the_one_the_scheduler_knows)
{
    world.now += SECONDS(11);
    agent_step(world.agent, world.now);
    auto_observed struct observed *report =
        agent_report(world.agent, world.now);
    ck_assert_ptr_nonnull(report);
    agent_report_done(world.agent, report->sequence, AGENT_REPORT_STALE, 41);
    world_settle(&world, SECONDS(5));
    ck_assert_uint_eq(world.last->incarnation, 42);
    ck_assert_uint_eq(world.disk.state.incarnation, 42);
}
END_TEST

START_TEST(a_heartbeat_is_small_and_a_lost_report_is_told_again)
{
    world.now += SECONDS(11);
    agent_step(world.agent, world.now);
    auto_observed struct observed *beat = agent_report(world.agent, world.now);
    ck_assert_ptr_nonnull(beat);
    ck_assert(!beat->full);
    ck_assert_uint_eq(beat->inventory->pf_count, 0);
    agent_report_done(world.agent, beat->sequence, AGENT_REPORT_ACCEPTED, 0);
    sim_host_pf_set_link(world.host, 0, false);
    agent_host_events(world.agent);
    world.now += SECONDS(1);
    agent_step(world.agent, world.now);
    world.now += SECONDS(1);
    agent_step(world.agent, world.now);
    world.now += SECONDS(1);
    auto_observed struct observed *lost = agent_report(world.agent, world.now);
    ck_assert_ptr_nonnull(lost);
    ck_assert_uint_eq(lost->inventory->pf_count, 1);
    ck_assert_uint_eq(lost->base, beat->sequence);
    agent_report_done(world.agent, lost->sequence, AGENT_REPORT_LOST, 0);
    world.now += SECONDS(3);
    auto_observed struct observed *again = agent_report(world.agent, world.now);
    ck_assert_ptr_nonnull(again);
    ck_assert_uint_eq(again->inventory->pf_count, 1);
    ck_assert_uint_eq(again->base, beat->sequence);
}
END_TEST

START_TEST(many_VFs_of_one_PF_cost_few_writes_to_the_disk)
{
    unsigned before = world.disk.saves;
    uint16_t count = sim_host_vf_count(world.host, 0);
    count = count > 8 ? 8 : count;
    for (uint16_t i = 0; i < count; i++)
        world_want(&world, (uint8_t)(i + 1), 0, i);
    world_apply(&world);
    for (uint16_t i = 0; i < count; i++)
        ck_assert_int_eq(world_told(&world, (uint8_t)(i + 1))->phase,
                         PORT_APPLIED);
    ck_assert_uint_le(world.disk.saves - before, 3);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("agent");
    TCase *tcase = tcase_create("engine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_fresh_host_is_reported_whole_and_its_VFs_are_free);
    tcase_add_test(tcase,
                   a_wanted_port_gets_its_policy_and_it_is_told_as_read_back);
    tcase_add_test(tcase,
                   a_released_VF_reads_clean_before_it_is_told_absent_and_free);
    tcase_add_test(tcase,
                   a_refused_field_leaves_nothing_of_the_policy_on_the_VF);
    tcase_add_test(tcase, a_VF_that_something_else_uses_is_never_touched);
    tcase_add_test(tcase, a_VF_of_the_management_PF_is_never_touched);
    tcase_add_test(tcase, a_VF_held_for_another_port_is_left_to_it);
    tcase_add_test(
        tcase, what_a_full_document_lacks_is_left_alone_and_told_as_unknown);
    tcase_add_test(tcase, drift_is_put_back_and_said);
    tcase_add_test(tcase,
                   a_dirty_VF_of_unknown_origin_is_quarantined_and_not_cleaned);
    tcase_add_test(tcase,
                   a_full_disk_stops_the_agent_from_touching_VFs_and_is_said);
    tcase_add_test(tcase,
                   a_PF_that_vanishes_and_comes_back_has_its_policy_again);
    tcase_add_test(
        tcase, a_released_VF_that_stays_away_is_given_up_but_cleaned_on_return);
    tcase_add_test(tcase,
                   documents_of_an_older_epoch_or_another_cluster_are_refused);
    tcase_add_test(tcase,
                   each_start_has_a_higher_incarnation_and_reports_in_full);
    tcase_add_test(tcase, the_first_sequence_of_a_start_is_the_seed_s);
    tcase_add_test(
        tcase, a_stale_incarnation_is_raised_above_the_one_the_scheduler_knows);
    tcase_add_test(tcase, a_heartbeat_is_small_and_a_lost_report_is_told_again);
    tcase_add_test(tcase, many_VFs_of_one_PF_cost_few_writes_to_the_disk);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return run_suite(suite());
}
