/* SPDX-License-Identifier: Apache-2.0 */
/* Probing against every hardware model: what the agent finds by trying is what
 * the model is known to do, and nothing of it stays on a VF. */
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct world world;

static void open_with(const char *model)
{
    const char *const models[] = {model, NULL};
    world_open(&world, models);
    world_start_agent(&world);
}

static void settle_long(void)
{
    for (int i = 0; i < 12; i++) {
        world_settle(&world, SECONDS(5));
        world.now += SECONDS(1);
    }
}

/* The model's whole record, as data sheets and drivers have it. */
static struct capabilities known(void)
{
    struct error err = {0};
    struct host_sim_config config = {.host = world.host, .probed = true};
    struct host_backend *backend = host_sim_open(&config, &err);
    ck_assert_ptr_nonnull(backend);
    auto_inventory struct inventory *inventory =
        backend->ops->inventory(backend, &err);
    ck_assert_ptr_nonnull(inventory);
    struct capabilities found = inventory->pfs[0]->capabilities;
    backend->ops->close(backend);
    return found;
}

static struct capabilities probed(void)
{
    auto_inventory struct inventory *inventory = agent_inventory(world.agent);
    ck_assert_ptr_nonnull(inventory);
    return inventory->pfs[0]->capabilities;
}

START_TEST(what_is_found_by_trying_is_what_the_model_does)
{
    const char *model = sim_model_name(sim_model_at((size_t)_i));
    open_with(model);
    settle_long();
    struct capabilities want = known(), got = probed();
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        bool supported = want.field[f].support == CAPABILITY_SUPPORTED ||
                         want.field[f].support == CAPABILITY_CONDITIONAL;
        const char *name = policy_field_name((enum policy_field)f);
        ck_assert_msg(supported ==
                          (got.field[f].support == CAPABILITY_SUPPORTED),
                      "%s of %s: %s (%s), should be %s", name, model,
                      capability_support_name(
                          (enum capability_support)got.field[f].support),
                      got.field[f].note,
                      capability_support_name(
                          (enum capability_support)want.field[f].support));
        ck_assert_msg(got.field[f].support != CAPABILITY_UNKNOWN,
                      "%s of %s stayed unknown: %s", name, model,
                      got.field[f].note);
    }
    world_close(&world);
}
END_TEST

START_TEST(no_VF_keeps_anything_of_a_probe)
{
    open_with(sim_model_name(sim_model_at((size_t)_i)));
    settle_long();
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        ck_assert(sim_host_vf_clean(world.host, 0, i) ||
                  sim_host_vf_fresh(world.host, 0, i));
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    world_close(&world);
}
END_TEST

START_TEST(two_PFs_of_a_kind_are_probed_once_and_a_restart_knows)
{
    const char *const models[] = {"intel-e810", "intel-e810", NULL};
    world_open(&world, models);
    world_start_agent(&world);
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 1);
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 1); i++)
        ck_assert(sim_host_vf_fresh(world.host, 1, i) ||
                  sim_host_vf_count(world.host, 0) == 0);
    uint64_t versions = 0, after = 0;
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        versions += sim_host_vf_version(world.host, 0, i);
    world_crash_agent(&world);
    world_start_agent(&world);
    settle_long();
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        after += sim_host_vf_version(world.host, 0, i);
    ck_assert_uint_eq(versions, after);
    ck_assert_uint_eq(probed().field[POLICY_TRUST].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(the_management_PF_and_a_PF_in_use_are_not_probed)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    sim_host_pf_set_management(world.host, 0, "default route");
    world_start_agent(&world);
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 0);
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        ck_assert(sim_host_vf_fresh(world.host, 0, i));
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support, CAPABILITY_UNKNOWN);
    world_close(&world);
}
END_TEST

START_TEST(rates_and_link_state_wait_until_no_VF_is_in_use)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    sim_host_vf_set_external(world.host, 0, 0, "open by qemu");
    world_start_agent(&world);
    settle_long();
    struct capabilities found = probed();
    ck_assert_uint_eq(found.field[POLICY_VLAN].support, CAPABILITY_SUPPORTED);
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_UNKNOWN);
    ck_assert_uint_eq(found.field[POLICY_LINK_STATE].support,
                      CAPABILITY_UNKNOWN);
    sim_host_vf_set_external(world.host, 0, 0, NULL);
    world.now += SECONDS(400);
    settle_long();
    found = probed();
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(a_rate_that_needs_the_link_is_conditional_until_it_comes_up)
{
    const char *const models[] = {"intel-82576", NULL};
    world_open(&world, models);
    sim_host_pf_set_link(world.host, 0, false);
    world_start_agent(&world);
    settle_long();
    struct capabilities found = probed();
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_CONDITIONAL);
    ck_assert_ptr_nonnull(
        strstr(found.field[POLICY_MAX_TX_RATE_MBPS].note, "link is down"));
    ck_assert_uint_ne(found.field[POLICY_MIN_TX_RATE_MBPS].support,
                      CAPABILITY_SUPPORTED);
    sim_host_pf_set_link(world.host, 0, true);

    settle_long();
    found = probed();
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_SUPPORTED);
    ck_assert_uint_eq(found.field[POLICY_MIN_TX_RATE_MBPS].support,
                      CAPABILITY_UNSUPPORTED);
    ck_assert_ptr_nonnull(
        strstr(found.field[POLICY_MIN_TX_RATE_MBPS].note, "EINVAL"));
    world_close(&world);
}
END_TEST

START_TEST(a_card_that_refuses_rates_for_a_moment_is_not_taken_for_unable)
{
    const char *const models[] = {"intel-82576", NULL};
    world_open(&world, models);
    world.fault_errno = EINVAL;
    world.fault_step = SIM_STEP_VF_WRITE;
    world.fault_fields = POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
    world.fault_times = 2;
    world_start_agent(&world);
    settle_long();
    ck_assert_uint_eq(world.fault_times, 0);
    ck_assert_uint_eq(probed().field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

int main(void)
{
    int models = 0;
    while (sim_model_at((size_t)models))
        models++;
    Suite *suite = suite_create("agent probes");
    TCase *tc = tcase_create("probes");
    tcase_add_loop_test(tc, what_is_found_by_trying_is_what_the_model_does, 0,
                        models);
    tcase_add_loop_test(tc, no_VF_keeps_anything_of_a_probe, 0, models);
    tcase_add_test(tc, two_PFs_of_a_kind_are_probed_once_and_a_restart_knows);
    tcase_add_test(tc, the_management_PF_and_a_PF_in_use_are_not_probed);
    tcase_add_test(tc, rates_and_link_state_wait_until_no_VF_is_in_use);
    tcase_add_test(tc,
                   a_rate_that_needs_the_link_is_conditional_until_it_comes_up);
    tcase_add_test(
        tc, a_card_that_refuses_rates_for_a_moment_is_not_taken_for_unable);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
