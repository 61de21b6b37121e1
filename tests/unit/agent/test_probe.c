/* SPDX-License-Identifier: Apache-2.0 */
/* Probing against every hardware model: what the agent finds by trying is what
 * the model is known to do, and nothing of it stays on a VF or its PF. */
#include "tests/unit/agent/world.c"

#define SECONDS(n) ((n)*TIMESTAMP_SECOND)
#define NEEDS_UP CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP)
#define NEEDS_SPEED CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED)

static struct world world;

static void send(void)
{
    struct error err = {0};
    ck_assert_msg(world_send(&world, &err) == 0, "%s", err.msg);
}

/* An agent with a document that allows all PFs. */
static void start(void)
{
    world_start_agent(&world);
    send();
}

static void open_with(const char *model)
{
    const char *const models[] = {model, NULL};
    world_open(&world, models);
    start();
}

static void settle_long(void)
{
    for (int i = 0; i < 12; i++) {
        world_settle(&world, SECONDS(5));
        world.now += SECONDS(1);
    }
}

/* The link goes down and comes back, and is probed in each state. */
static void see_both_links(void)
{
    settle_long();
    sim_host_pf_set_link(world.host, 0, false);
    settle_long();
    sim_host_pf_set_link(world.host, 0, true);
    settle_long();
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

static void same(const struct capability *want, const struct capability *got,
                 const char *name)
{
    ck_assert_msg(
        want->support == got->support && want->source == got->source &&
            want->needs == got->needs && want->max == got->max,
        "%s of %s: %s by %s, needs %u, max %u (%s), should be %s by %s, needs "
        "%u, max %u (%s)",
        name, sim_model_name(sim_host_pf_model(world.host, 0)),
        capability_support_name((enum capability_support)got->support),
        capability_source_name((enum capability_source)got->source), got->needs,
        got->max, got->note,
        capability_support_name((enum capability_support)want->support),
        capability_source_name((enum capability_source)want->source),
        want->needs, want->max, want->note);
}

START_TEST(what_is_found_by_trying_is_what_the_model_does)
{
    open_with(sim_model_name(sim_model_at((size_t)_i)));
    see_both_links();
    /* Packets prove that the driver counts them. */
    sim_host_vf_set_external(world.host, 0, 0, "open by qemu");
    settle_long();
    struct capabilities want = known(), got = probed();
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        const char *name = policy_field_name((enum policy_field)f);
        same(&want.field[f], &got.field[f], name);
        ck_assert_msg(got.field[f].support != CAPABILITY_UNKNOWN,
                      "%s stayed unknown: %s", name, got.field[f].note);
    }
    for (unsigned t = 0; t < CAPABILITY_TRAIT_MAX; t++)
        same(&want.trait[t], &got.trait[t],
             capability_trait_name((enum capability_trait)t));
    world_close(&world);
}
END_TEST

/* Measured on a real kernel (tests/lab/FACTS.md), by hand. */
START_TEST(an_82576_is_found_as_it_was_measured)
{
    static const struct capability want[POLICY_FIELD_MAX] = {
        [POLICY_MAC] = {.support = CAPABILITY_SUPPORTED},
        [POLICY_VLAN] = {.support = CAPABILITY_SUPPORTED, .max = 4094},
        [POLICY_VLAN_QOS] = {.support = CAPABILITY_SUPPORTED, .max = 7},
        [POLICY_VLAN_PROTO] = {.support = CAPABILITY_UNSUPPORTED},
        [POLICY_MIN_TX_RATE_MBPS] = {.support = CAPABILITY_UNSUPPORTED},
        [POLICY_MAX_TX_RATE_MBPS] = {.support = CAPABILITY_CONDITIONAL,
                                     .needs = NEEDS_UP | NEEDS_SPEED,
                                     .max = 1000},
        [POLICY_SPOOFCHK] = {.support = CAPABILITY_SUPPORTED},
        [POLICY_TRUST] = {.support = CAPABILITY_SUPPORTED},
        [POLICY_LINK_STATE] = {.support = CAPABILITY_UNSUPPORTED},
    };
    open_with("intel-82576");
    see_both_links();
    struct capabilities got = probed();
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        struct capability expected = want[f];
        expected.source = CAPABILITY_SOURCE_PROBED;
        expected.note = "";
        same(&expected, &got.field[f], policy_field_name((enum policy_field)f));
    }
    ck_assert_str_eq(
        got.field[POLICY_MAX_TX_RATE_MBPS].note,
        "EINVAL above the link's speed; EINVAL while the link is down");
    world_close(&world);
}
END_TEST

START_TEST(nothing_of_a_probe_stays)
{
    static struct policy before[PF_VFS_MAX];
    open_with(sim_model_name(sim_model_at((size_t)_i)));
    uint16_t count = sim_host_vf_count(world.host, 0);
    for (uint16_t i = 0; i < count; i++)
        before[i] = world_kernel(&world, 0, i);
    see_both_links();
    for (uint16_t i = 0; i < count; i++) {
        struct policy now = world_kernel(&world, 0, i);
        ck_assert_uint_eq(now.set, before[i].set);
        ck_assert_uint_eq(
            policy_difference(&before[i], &now) & ~POLICY_BIT(POLICY_MAC), 0);
        ck_assert(mac_is_zero(&now.mac) ||
                  sim_host_vf_own_mac(world.host, 0, i));
    }
    ck_assert_uint_eq(sim_host_held_count(world.host, 0), 0);
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    world_close(&world);
}
END_TEST

static uint64_t versions(size_t pf)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, pf); i++)
        sum += sim_host_vf_version(world.host, pf, i);
    return sum;
}

START_TEST(two_PFs_of_a_kind_are_probed_once_and_a_restart_knows)
{
    const char *const models[] = {"intel-e810", "intel-e810", NULL};
    world_open(&world, models);
    start();
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 1);
    bool fresh[2] = {true, true};
    for (size_t pf = 0; pf < 2; pf++)
        for (uint16_t i = 0; i < sim_host_vf_count(world.host, pf); i++)
            fresh[pf] &= sim_host_vf_fresh(world.host, pf, i);
    ck_assert(fresh[0] != fresh[1]);
    uint64_t before = versions(0) + versions(1);
    world_crash_agent(&world);
    start();
    settle_long();
    ck_assert_uint_eq(before, versions(0) + versions(1));
    ck_assert_uint_eq(probed().field[POLICY_TRUST].support,
                      CAPABILITY_SUPPORTED);
    /* What the other one's link does is another question. */
    sim_host_pf_set_link(world.host, 1, false);
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 2);
    world_close(&world);
}
END_TEST

static void expect_untouched(void)
{
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 0);
    for (uint16_t i = 0; i < sim_host_vf_count(world.host, 0); i++)
        ck_assert(sim_host_vf_fresh(world.host, 0, i));
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support, CAPABILITY_UNKNOWN);
}

START_TEST(the_management_PF_is_not_probed)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    sim_host_pf_set_management(world.host, 0, "default route");
    start();
    expect_untouched();
    world_close(&world);
}
END_TEST

START_TEST(only_what_the_scheduler_allows_is_probed)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    world_start_agent(&world);
    expect_untouched(); /* no document yet */
    world.forbidden = true;
    send();
    expect_untouched();
    world.forbidden = false;
    send();
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 1);
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(what_is_shared_waits_until_no_VF_is_in_use)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    sim_host_vf_set_external(world.host, 0, 0, "open by qemu");
    uint64_t neighbour = sim_host_vf_version(world.host, 0, 0);
    /* Nothing may be held on the PF while its VFs carry traffic. */
    world.fault_errno = EIO;
    world.fault_step = SIM_STEP_MAC_HOLD;
    world.fault_times = UINT_MAX;
    start();
    settle_long();
    struct capabilities found = probed();
    ck_assert_uint_eq(found.field[POLICY_VLAN].support, CAPABILITY_SUPPORTED);
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_UNKNOWN);
    ck_assert_uint_eq(found.field[POLICY_LINK_STATE].support,
                      CAPABILITY_UNKNOWN);
    const struct capability *dual =
        &found.trait[CAPABILITY_TRAIT_DUAL_DELIVERY];
    ck_assert_uint_eq(dual->support, CAPABILITY_UNKNOWN);
    ck_assert_str_eq(dual->note, "not tried: VFs of the PF are in use");
    ck_assert_uint_eq(sim_host_vf_version(world.host, 0, 0), neighbour);
    /* It is not tried again and again meanwhile, but as soon as it may be. */
    uint64_t before = versions(0);
    world.now += SECONDS(4000);
    settle_long();
    ck_assert_uint_eq(versions(0), before);
    world.fault_times = 0;
    sim_host_vf_set_external(world.host, 0, 0, NULL);
    settle_long();
    found = probed();
    ck_assert_uint_eq(found.field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_SUPPORTED);
    ck_assert_uint_eq(found.trait[CAPABILITY_TRAIT_DUAL_DELIVERY].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(a_link_seen_in_one_state_says_only_what_it_knows)
{
    const char *const models[] = {"intel-82576", NULL};
    world_open(&world, models);
    sim_host_pf_set_link(world.host, 0, false);
    start();
    settle_long();
    struct capabilities found = probed();
    const struct capability *max = &found.field[POLICY_MAX_TX_RATE_MBPS];
    const struct capability *min = &found.field[POLICY_MIN_TX_RATE_MBPS];
    ck_assert_uint_eq(max->support, CAPABILITY_UNKNOWN);
    ck_assert_uint_eq(max->needs, 0);
    ck_assert_str_eq(max->note, "EINVAL while the link is down");
    ck_assert_uint_eq(min->support, CAPABILITY_UNKNOWN);
    sim_host_pf_set_link(world.host, 0, true);
    settle_long();
    found = probed();
    ck_assert_uint_eq(max->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(max->needs, NEEDS_UP | NEEDS_SPEED);
    ck_assert_uint_eq(max->max, 1000);
    ck_assert_uint_eq(min->support, CAPABILITY_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(min->note, "EINVAL"));
    ck_assert_uint_eq(world.disk.state.probed_count, 2);
    world_close(&world);

    open_with("intel-82576");
    settle_long();
    found = probed();
    ck_assert_uint_eq(max->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(max->needs, NEEDS_SPEED);
    world_close(&world);
}
END_TEST

START_TEST(a_speed_is_told_as_it_is_now_and_probed_anew)
{
    open_with("intel-82599");
    settle_long();
    struct capabilities found = probed();
    const struct capability *max = &found.field[POLICY_MAX_TX_RATE_MBPS];
    ck_assert_uint_eq(max->max, 10000);
    /* In use: nothing is tried, but no more than the new speed is told. */
    sim_host_vf_set_external(world.host, 0, 0, "open by qemu");
    sim_host_pf_set_speed(world.host, 0, 1000);
    settle_long();
    found = probed();
    ck_assert_uint_eq(max->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(max->max, 1000);
    /* At 1 Gbit/s ixgbe takes no rates at all. */
    sim_host_vf_set_external(world.host, 0, 0, NULL);
    settle_long();
    found = probed();
    ck_assert_uint_eq(max->support, CAPABILITY_UNSUPPORTED);
    sim_host_pf_set_speed(world.host, 0, 10000);
    uint64_t before = versions(0);
    settle_long();
    found = probed();
    ck_assert_uint_eq(max->support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(versions(0), before); /* it was known */
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
    start();
    settle_long();
    ck_assert_uint_eq(world.fault_times, 0);
    ck_assert_uint_eq(probed().field[POLICY_MAX_TX_RATE_MBPS].support,
                      CAPABILITY_CONDITIONAL);
    world_close(&world);
}
END_TEST

START_TEST(an_odd_error_proves_nothing_and_is_tried_again)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    world.fault_errno = EIO;
    world.fault_step = SIM_STEP_VF_WRITE;
    world.fault_fields = POLICY_BIT(POLICY_TRUST);
    world.fault_times = 1;
    start();
    settle_long();
    struct capabilities found = probed();
    ck_assert_uint_eq(found.field[POLICY_TRUST].support, CAPABILITY_UNKNOWN);
    ck_assert_str_eq(found.field[POLICY_TRUST].note, "EIO when set");
    ck_assert_uint_eq(found.field[POLICY_VLAN].support, CAPABILITY_SUPPORTED);
    world.now += SECONDS(300);
    settle_long();
    ck_assert_uint_eq(probed().field[POLICY_TRUST].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(what_was_found_for_another_kernel_does_not_count)
{
    open_with("nvidia-connectx-5");
    settle_long();
    char *kernel = strstr(world.disk.state.probed[0].key, "6.1.0-sim");
    ck_assert_ptr_nonnull(kernel);
    kernel[2] = '0';
    world_crash_agent(&world);
    world.forbidden = true;
    start();
    settle_long();
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support, CAPABILITY_UNKNOWN);
    world.forbidden = false;
    send();
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, 2);
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

START_TEST(the_oldest_results_make_room)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    struct agent_state *state = &world.disk.state;
    state->probed = mem_calloc(PROBED_MAX, sizeof *state->probed);
    state->probed_count = PROBED_MAX;
    for (size_t i = 0; i < PROBED_MAX; i++) {
        state->probed[i].capabilities = capabilities_unknown();
        state->probed[i].at = (int64_t)(i == 5 ? 1 : 100 + i);
        snprintf(state->probed[i].key, PROBED_KEY_SIZE, "kind %zu", i);
    }
    world.disk.written = true;
    start();
    settle_long();
    ck_assert_uint_eq(world.disk.state.probed_count, PROBED_MAX);
    ck_assert_str_ne(world.disk.state.probed[5].key, "kind 5");
    ck_assert_str_eq(world.disk.state.probed[6].key, "kind 6");
    ck_assert_uint_eq(probed().field[POLICY_VLAN].support,
                      CAPABILITY_SUPPORTED);
    world_close(&world);
}
END_TEST

/* Step by step until a VF is being probed with something written on it; its
 * index. */
static uint16_t run_into_probe(void)
{
    for (int i = 0; i < 1000; i++) {
        if (host_sim_has_changes(world.backend))
            agent_host_events(world.agent);
        int64_t wake = agent_step(world.agent, world.now);
        if (wake > world.now)
            world.now = wake;
        for (uint16_t vf = 0; vf < sim_host_vf_count(world.host, 0); vf++)
            if (world_kernel(&world, 0, vf).vlan)
                return vf;
    }
    ck_abort_msg("no probe came");
    return 0;
}

START_TEST(a_link_that_changes_ends_the_probe_without_a_word)
{
    const char *const models[] = {"intel-82576", NULL};
    world_open(&world, models);
    world.actions_per_step = 1;
    start();
    uint16_t vf = run_into_probe();
    sim_host_pf_set_link(world.host, 0, false);
    settle_long();
    ck_assert(sim_host_vf_clean(world.host, 0, vf));
    /* only of the link that it had throughout */
    ck_assert_uint_eq(world.disk.state.probed_count, 1);
    ck_assert(!world.disk.state.probed[0].link_up);
    world_close(&world);
}
END_TEST

START_TEST(a_VF_that_somebody_takes_is_left_to_him)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    world.actions_per_step = 1;
    start();
    uint16_t vf = run_into_probe();
    sim_host_vf_set_external(world.host, 0, vf, "open by qemu");
    world_settle(&world, SECONDS(1));
    uint64_t version = sim_host_vf_version(world.host, 0, vf);
    settle_long();
    ck_assert_uint_eq(sim_host_vf_version(world.host, 0, vf), version);
    sim_host_vf_set_external(world.host, 0, vf, NULL);
    settle_long();
    struct policy now = world_kernel(&world, 0, vf);
    struct policy made = sim_host_vf_made(world.host, 0);
    ck_assert_uint_eq(policy_difference(&made, &now), 0);
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    world_close(&world);
}
END_TEST

START_TEST(a_filter_that_keeps_the_MAC_keeps_the_VF_from_being_free)
{
    const char *const models[] = {"nvidia-connectx-5", NULL};
    world_open(&world, models);
    world.actions_per_step = 1;
    start();
    for (int i = 0; i < 1000 && !sim_host_held_count(world.host, 0); i++) {
        if (host_sim_has_changes(world.backend))
            agent_host_events(world.agent);
        int64_t wake = agent_step(world.agent, world.now);
        world.now = wake > world.now ? wake : world.now;
    }
    ck_assert_uint_eq(sim_host_held_count(world.host, 0), 1);
    world.fault_errno = EIO;
    world.fault_step = SIM_STEP_MAC_HOLD;
    world.fault_times = UINT_MAX;
    settle_long();
    ck_assert_uint_eq(world.disk.state.managed_count, 1);
    ck_assert_int_eq(world.disk.state.managed[0].phase, MANAGED_QUARANTINED);
    world.fault_times = 0;
    world.now += SECONDS(3600);
    settle_long();
    ck_assert_uint_eq(world.disk.state.managed_count, 0);
    ck_assert_uint_eq(sim_host_held_count(world.host, 0), 0);
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
    tcase_add_test(tc, an_82576_is_found_as_it_was_measured);
    tcase_add_loop_test(tc, nothing_of_a_probe_stays, 0, models);
    tcase_add_test(tc, two_PFs_of_a_kind_are_probed_once_and_a_restart_knows);
    tcase_add_test(tc, the_management_PF_is_not_probed);
    tcase_add_test(tc, only_what_the_scheduler_allows_is_probed);
    tcase_add_test(tc, what_is_shared_waits_until_no_VF_is_in_use);
    tcase_add_test(tc, a_link_seen_in_one_state_says_only_what_it_knows);
    tcase_add_test(tc, a_speed_is_told_as_it_is_now_and_probed_anew);
    tcase_add_test(
        tc, a_card_that_refuses_rates_for_a_moment_is_not_taken_for_unable);
    tcase_add_test(tc, an_odd_error_proves_nothing_and_is_tried_again);
    tcase_add_test(tc, what_was_found_for_another_kernel_does_not_count);
    tcase_add_test(tc, the_oldest_results_make_room);
    tcase_add_test(tc, a_link_that_changes_ends_the_probe_without_a_word);
    tcase_add_test(tc, a_VF_that_somebody_takes_is_left_to_him);
    tcase_add_test(tc,
                   a_filter_that_keeps_the_MAC_keeps_the_VF_from_being_free);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
