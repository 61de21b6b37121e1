/* SPDX-License-Identifier: Apache-2.0 */
/* Bandwidth that is promised against what a link bears: link speed x ratio at
 * placement, and what is said when the link comes up slower. */
#include "fixture.h"

#define PF "0000:3b:00.0"
static const struct pf_spec nic[] = {
    {.key = PF, .vendor_id = 0x15b3, .speed_mbps = 1000, .vfs = 8}};

static struct placement_reasons reasons;

static struct vm_request rated(const char *name, uint32_t mbps)
{
    struct vm_request request = vm_request(name, 1);
    request.ports[0].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
    request.ports[0].policy.min_tx_rate_mbps = mbps;
    return request;
}

static void place(struct fleet *fleet, const char *name, uint32_t mbps)
{
    struct vm_request request = rated(name, mbps);
    ref_put(fleet_place(fleet, &request));
}

static void link_is(struct fleet *fleet, int32_t mbps)
{
    struct agent *agent = fleet_agent(fleet, "a");
    ck_assert_ptr_nonnull(agent);
    agent->pfs[0].speed_mbps = mbps;
    agent->pfs[0].link_down = mbps <= 0;
    fleet_report(fleet, "a");
}

static struct pf_promise promise(struct fleet *fleet)
{
    const struct host_view *view = fleet_view(fleet, "a");
    return host_view_promise(view, view->report->inventory->pfs[0]);
}

static void ratio_is(struct fleet *fleet, uint32_t percent)
{
    struct pf_patch patch = {.has_tx_ratio = true, .tx_ratio_percent = percent};
    ck_assert_int_eq(fleet_patch_pf(fleet, "a", PF, patch), 0);
}

START_TEST(the_ratio_bounds_what_is_promised)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, nic);
    ratio_is(&fleet, 80);
    struct vm_request request = rated("a1", 801);
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_str_eq(reasons.items[0].reason, "bandwidth_exhausted");
    ck_assert_ptr_nonnull(
        strstr(reasons.items[0].example_message, "0 of 800 Mbit/s"));
    place(&fleet, "a2", 500);
    request = rated("a3", 301);
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_ptr_nonnull(
        strstr(reasons.items[0].example_message, "500 of 800 Mbit/s"));
    place(&fleet, "a4", 300);
    /* Above the link's speed, where an operator says so. */
    ratio_is(&fleet, 150);
    place(&fleet, "a5", 700);
    struct pf_promise now = promise(&fleet);
    ck_assert_uint_eq(now.promised_mbps, 1500);
    ck_assert_uint_eq(now.promisable_mbps, 1500);
    ck_assert_uint_eq(now.ports, 3);
    ck_assert(!now.over);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_slower_link_is_said_once_and_once_that_it_fits_again)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, nic);
    place(&fleet, "a1", 400);
    place(&fleet, "a2", 300);
    ref_put(fleet_place(
        &fleet, &(struct vm_request){.name = "plain",
                                     .vcpus = 1,
                                     .memory_mib = 1,
                                     .port_count = 1,
                                     .ports = {{.vnic_type = VNIC_DIRECT}}}));
    link_is(&fleet, 1000);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"), 0);
    link_is(&fleet, -1); /* down: nothing to say of speeds */
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"), 0);
    link_is(&fleet, 100);
    link_is(&fleet, 100);
    link_is(&fleet, -1);
    link_is(&fleet, 100);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"), 1);
    const struct event *event = fleet_event(&fleet, "BandwidthOverPromised");
    ck_assert_str_eq(event->host, "a");
    ck_assert_ptr_nonnull(strstr(event->message, PF));
    ck_assert_ptr_nonnull(strstr(event->message, "2 ports"));
    ck_assert_ptr_nonnull(strstr(event->message, "700 Mbit/s"));
    ck_assert_ptr_nonnull(strstr(event->message, "100 Mbit/s"));
    ck_assert(promise(&fleet).over);
    /* What is claimed stays; no more is admitted, but for what asks nothing. */
    ck_assert_uint_eq(fleet_view(&fleet, "a")->claim_count, 3);
    struct vm_request request = rated("a3", 1);
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_str_eq(reasons.items[0].reason, "bandwidth_exhausted");
    request = vm_request("a4", 1);
    ref_put(fleet_place(&fleet, &request));
    link_is(&fleet, 10); /* worse still */
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"), 2);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthRestored"), 0);
    link_is(&fleet, -1);
    link_is(&fleet, 1000);
    link_is(&fleet, 1000);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthRestored"), 1);
    ck_assert(!promise(&fleet).over);
    fleet_done(&fleet);
}
END_TEST

START_TEST(it_also_fits_again_by_ratio_or_without_the_claims)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, nic);
    struct vm_request request = rated("a1", 800);
    struct vm *vm = fleet_place(&fleet, &request);
    link_is(&fleet, 100);
    ratio_is(&fleet, 800);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthRestored"), 1);
    struct pf_patch patch = {.has_tx_ratio = true, .tx_ratio_percent = 799};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), -1);
    link_is(&fleet, 10);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"), 2);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthRestored"), 1);
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthRestored"), 2);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_failed_commit_unsays_it)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, nic);
    place(&fleet, "a1", 800);
    fleet_report(&fleet, "a");
    agent->pfs[0].speed_mbps = 100;
    for (int i = 0; i < 2; i++) {
        struct tx tx = {0};
        auto_observed struct observed *observed = agent_observed(&fleet, agent);
        fleet_call(&fleet);
        ck_assert_int_eq(core_observe(fleet.core, &fleet.call, "a", observed,
                                      &tx, &fleet.err),
                         0);
        fleet_check(&fleet);
        ck_assert_uint_eq(fleet_count_events(&fleet, "BandwidthOverPromised"),
                          1);
        if (i == 0)
            core_undo(fleet.core, &tx);
        tx_done(&tx);
    }
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/promises", the_ratio_bounds_what_is_promised,
           a_slower_link_is_said_once_and_once_that_it_fits_again,
           it_also_fits_again_by_ratio_or_without_the_claims,
           a_failed_commit_unsays_it);
