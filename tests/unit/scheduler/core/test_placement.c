/* SPDX-License-Identifier: Apache-2.0 */
/* Where VMs go: hard constraints, strategies, several ports at once, and the
 * fall to virtio. */
#include "fixture.h"

static const struct pf_spec igb[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};
static const struct pf_spec cx6[] = {{.key = "0000:5e:00.0", CX6, .vfs = 8}};

/* Place and return the host's name; "" = refused. */
static const char *place(struct fleet *fleet, struct vm_request request)
{
    static char host[NAME_SIZE];
    struct vm *vm = fleet_create(fleet, &request, NULL);
    str_copy(host, vm ? vm->host : "");
    ref_put(vm);
    return host;
}

static struct vm_request number(int i, size_t ports, enum strategy strategy)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "vm%d", i);
    struct vm_request request = vm_request(name, ports);
    request.strategy = (uint8_t)strategy;
    return request;
}

START_TEST(spread_takes_the_host_with_most_free_vfs_in_turn)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, igb);
    fleet_host(&fleet, "c", 1, cx6);
    static const char *const expected[] = {"c", "a", "b", "c", "a", "b", "c"};
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(place(&fleet, number(i, 1, STRATEGY_SPREAD)),
                         expected[i]);
    fleet_done(&fleet);
}
END_TEST

START_TEST(pack_fills_the_fullest_host_first)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, cx6);
    fleet_host(&fleet, "b", 1, igb);
    fleet_host(&fleet, "c", 1, igb);
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(place(&fleet, number(i, 1, STRATEGY_PACK)), "b");
    for (int i = 7; i < 14; i++)
        ck_assert_str_eq(place(&fleet, number(i, 1, STRATEGY_PACK)), "c");
    ck_assert_str_eq(place(&fleet, number(14, 1, STRATEGY_PACK)), "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(vms_without_vfs_go_by_the_share_of_free_cpus)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, igb);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.ports[0].vnic_type = VNIC_NORMAL;
    request.vcpus = 8;
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm1");
    ck_assert_str_eq(place(&fleet, request), "b");
    str_copy(request.name, "vm2");
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm3");
    request.strategy = STRATEGY_PACK;
    ck_assert_str_eq(place(&fleet, request), "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_pf_with_link_comes_before_one_without)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec down[] = {
        {.key = "0000:5e:00.0", CX6, .vfs = 64, .link_down = true}};
    fleet_host(&fleet, "a", 1, down);
    fleet_host(&fleet, "b", 1, igb);
    for (int i = 0; i < 7; i++)
        ck_assert_str_eq(place(&fleet, number(i, 1, STRATEGY_SPREAD)), "b");
    ck_assert_str_eq(place(&fleet, number(7, 1, STRATEGY_SPREAD)), "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(on_one_host_too_the_pf_with_link_comes_first)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec specs[] = {
        {.key = "0000:3b:00.0", CX6, .vfs = 64, .link_down = true},
        {.key = "0000:5e:00.0", CX6, .vfs = 8}};
    fleet_host(&fleet, "a", 2, specs);
    struct vm_request request = number(0, 2, STRATEGY_SPREAD);
    struct vm *vm = fleet_place(&fleet, &request);
    for (size_t i = 0; i < 2; i++)
        ck_assert_str_eq(vm->ports[i].claim.pf.text, "0000:5e:00.0");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_free_vf_that_names_a_port_is_not_given)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, igb);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    for (size_t i = 0; i < 7; i++)
        if (i != 4)
            observed->inventory->pfs[0]->vfs[i].port =
                uuid_make(fleet.now, &fleet.rng);
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_uint_eq(vm->ports[0].claim.vf_index, 4);
    ref_put(vm);
    ck_assert_str_eq(place(&fleet, number(1, 1, STRATEGY_SPREAD)), "");
    fleet_done(&fleet);
}
END_TEST

START_TEST(capacity_is_a_limit_with_overcommit_and_what_others_use)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, cx6);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.vcpus = 65;
    ck_assert_str_eq(place(&fleet, request), "");
    struct host_patch patch = {.has_vcpu_ratio = true,
                               .vcpu_ratio_percent = 200};
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm1");
    request.vcpus = 63;
    auto_observed struct observed *observed =
        agent_observed(&fleet, fleet_agent(&fleet, "a"));
    observed->inventory->external_vcpus = 1;
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    ck_assert_str_eq(place(&fleet, request), "");
    request.vcpus = 62;
    request.memory_mib = 256 * 1024;
    ck_assert_str_eq(place(&fleet, request), "");
    request.memory_mib -= 4096;
    ck_assert_str_eq(place(&fleet, request), "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(bandwidth_is_never_promised_beyond_the_link)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec slow[] = {
        {.key = "0000:5e:00.0", CX6, .vfs = 8}};
    struct agent *agent = fleet_host(&fleet, "a", 1, slow);
    struct vm_request request = number(0, 2, STRATEGY_SPREAD);
    for (int i = 0; i < 2; i++) {
        request.ports[i].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
        request.ports[i].policy.min_tx_rate_mbps = 10000;
    }
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_uint_eq(vm->ports[1].claim.min_tx_rate_mbps, 10000);
    str_copy(request.name, "vm1");
    request.port_count = 1;
    ck_assert_str_eq(place(&fleet, request), "");
    request.ports[0].policy.min_tx_rate_mbps = 5000;
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm2");
    request.ports[0].policy.min_tx_rate_mbps = 1;
    ck_assert_str_eq(place(&fleet, request), "");
    /* What is clean again is free again. */
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ref_put(vm);
    ck_assert_str_eq(place(&fleet, request), "");
    fleet_report(&fleet, "a");
    ck_assert_str_eq(place(&fleet, request), "a");
    /* An unknown speed promises nothing. */
    agent->pfs[0].speed_mbps = -1;
    fleet_report(&fleet, "a");
    str_copy(request.name, "vm3");
    ck_assert_str_eq(place(&fleet, request), "");
    fleet_done(&fleet);
}
END_TEST

START_TEST(where_the_driver_tells_no_speed_the_operator_may)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, cx6);
    agent->pfs[0].speed_mbps = -1;
    fleet_report(&fleet, "a");
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.ports[0].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
    request.ports[0].policy.min_tx_rate_mbps = 600;
    struct pf_patch patch = {.has_link_speed = true, .link_speed_mbps = 1000};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", patch), 0);
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm1");
    ck_assert_str_eq(place(&fleet, request), "");
    /* The driver's word goes first. */
    agent->pfs[0].speed_mbps = 25000;
    fleet_report(&fleet, "a");
    ck_assert_str_eq(place(&fleet, request), "a");
    patch.link_speed_mbps = LINK_SPEED_MAX_MBPS + 1;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", patch), -1);
    ck_assert_str_eq(fleet.err.field, "link_speed_mbps");
    fleet_done(&fleet);
}
END_TEST

START_TEST(ports_that_fit_one_way_only_are_matched_that_way)
{
    struct fleet fleet;
    fleet_init(&fleet);
    /* Port 0 could use both PFs, port 1 only the first: greed would fail. */
    static const struct pf_spec both[] = {
        {.key = "0000:3b:00.0", CX6, .vfs = 1},
        {.key = "0000:5e:00.0", IGB, .vfs = 1}};
    fleet_host(&fleet, "a", 2, both);
    struct vm_request request = number(0, 2, STRATEGY_SPREAD);
    request.ports[1].require_vendor_id = 0x15b3;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->ports[0].claim.pf.text, "0000:5e:00.0");
    ck_assert_str_eq(vm->ports[1].claim.pf.text, "0000:3b:00.0");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(rates_are_packed_so_that_all_ports_fit)
{
    struct fleet fleet;
    fleet_init(&fleet);
    /* Only 500+250+250 and 400+300+300 fit; largest first onto the emptier PF
     * runs into 500+300. */
    static const struct pf_spec two[] = {
        {.key = "0000:3b:00.0", .vendor_id = 1, .speed_mbps = 1000, .vfs = 3},
        {.key = "0000:5e:00.0", .vendor_id = 1, .speed_mbps = 1000, .vfs = 3}};
    static const uint32_t rates[] = {250, 300, 500, 300, 400, 250};
    fleet_host(&fleet, "a", 2, two);
    struct vm_request request = number(0, 6, STRATEGY_SPREAD);
    for (int i = 0; i < 6; i++) {
        request.ports[i].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
        request.ports[i].policy.min_tx_rate_mbps = rates[i];
    }
    struct vm *vm = fleet_place(&fleet, &request);
    const char *with_500 = vm->ports[2].claim.pf.text;
    ck_assert_str_eq(vm->ports[0].claim.pf.text, with_500);
    ck_assert_str_eq(vm->ports[5].claim.pf.text, with_500);
    ck_assert_str_ne(vm->ports[4].claim.pf.text, with_500);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_port_falls_back_to_virtio_only_where_no_host_gives_a_vf)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec single[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1}};
    fleet_host(&fleet, "a", 1, single);
    fleet_host(&fleet, "b", 0, NULL);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->host, "a");
    ck_assert(!vm->ports[0].degraded);
    ref_put(vm);
    str_copy(request.name, "vm1");
    vm = fleet_place(&fleet, &request);
    ck_assert(vm->ports[0].degraded && !vm->ports[0].has_claim);
    ck_assert_int_eq(vm->ports[0].path, PATH_VIRTIO);
    ck_assert_str_ne(vm->ports[0].degraded_reason, "");
    ck_assert_str_eq(vm->ports[0].physical_network, "physnet0");
    ck_assert_str_eq(fleet_event(&fleet, "VmClaimed")->reason, "Degraded");
    ref_put(vm);
    /* What virtio can't do can't fall back. */
    str_copy(request.name, "vm2");
    request.ports[0].policy.set = POLICY_BIT(POLICY_TRUST);
    request.ports[0].policy.trust = true;
    ck_assert_str_eq(place(&fleet, request), "");
    fleet_done(&fleet);
}
END_TEST

START_TEST(as_few_ports_as_possible_fall_back)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec one[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1}};
    static const struct pf_spec two[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 2}};
    fleet_host(&fleet, "a", 1, one);
    fleet_host(&fleet, "b", 1, two);
    struct vm_request request = number(0, 3, STRATEGY_PACK);
    for (int i = 0; i < 3; i++)
        request.ports[i].fallback = FALLBACK_VIRTIO;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->host, "b");
    ck_assert_int_eq(vm->ports[0].has_claim + vm->ports[1].has_claim +
                         vm->ports[2].has_claim,
                     2);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_port_with_a_virtio_leg_needs_its_network_on_the_host)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, igb);
    agent->network_count = 0;
    fleet_report(&fleet, "a");
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    ck_assert_str_eq(place(&fleet, request), "");
    agent->network_count = 1;
    str_copy(agent->networks[0].physical_network, "");
    fleet_report(&fleet, "a");
    ck_assert_str_eq(place(&fleet, request), "");
    struct network_mapping mapping = {.device = "br0",
                                      .physical_network = "physnet0"};
    struct host_patch patch = {
        .has_mappings = true, .mapping_count = 1, .mappings = &mapping};
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    ck_assert_str_eq(place(&fleet, request), "a");
    /* A port that never runs on virtio needs none. */
    mapping.physical_network[0] = '\0';
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    str_copy(request.name, "vm1");
    request.ports[0].fallback = FALLBACK_REFUSE;
    ck_assert_str_eq(place(&fleet, request), "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(both_legs_of_a_port_reach_the_same_network)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_allow(&fleet, "a", "0000:3b:00.0", "physnet1");
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    request.ports[0].physical_network[0] = '\0'; /* any */
    request.ports[0].fallback = FALLBACK_VIRTIO;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert(vm->ports[0].degraded); /* br0 is on physnet0 */
    ck_assert_str_eq(vm->ports[0].physical_network, "physnet0");
    ref_put(vm);
    str_copy(request.name, "vm1");
    request.ports[0].fallback = FALLBACK_REFUSE;
    vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->ports[0].physical_network, "physnet1");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_named_host_is_the_only_one)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec single[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1}};
    fleet_host(&fleet, "a", 1, single);
    fleet_host(&fleet, "b", 1, cx6);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    str_copy(request.host, "a");
    ck_assert_str_eq(place(&fleet, request), "a");
    str_copy(request.name, "vm1");
    ck_assert_str_eq(place(&fleet, request), "");
    ck_assert_int_eq(fleet.err.code, ERROR_NO_VALID_HOST);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_is_not_free_or_not_allowed_is_never_given)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec specs[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 3, .external = 5},
        {.key = "0000:5e:00.0", CX6, .vfs = 8, .management = true}};
    fleet_host(&fleet, "a", 2, specs);
    struct vm_request request = number(0, 1, STRATEGY_SPREAD);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_uint_eq(vm->ports[0].claim.vf_index, 1);
    ref_put(vm);
    str_copy(request.name, "vm1");
    ck_assert_str_eq(place(&fleet, request), "");
    struct pf_patch patch = {.has_allowed = true, .allowed = true};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", patch), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    fleet_done(&fleet);
}
END_TEST

START_TEST(no_vf_is_given_that_a_stranger_holds)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec single[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1}};
    struct agent *agent = fleet_host(&fleet, "a", 1, single);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    free(observed->ports);
    observed->ports = mem_calloc(1, sizeof *observed->ports);
    observed->port_count = 1;
    observed->ports[0].id = uuid_make(fleet.now, &fleet.rng);
    observed->ports[0].phase = PORT_UNKNOWN;
    observed->ports[0].has_claim = true;
    observed->ports[0].claim.pf = key_of("0000:3b:00.0");
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    ck_assert_str_eq(place(&fleet, number(0, 1, STRATEGY_SPREAD)), "");
    fleet_report(&fleet, "a");
    ck_assert_str_eq(place(&fleet, number(0, 1, STRATEGY_SPREAD)), "a");
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/placement",
           spread_takes_the_host_with_most_free_vfs_in_turn,
           pack_fills_the_fullest_host_first,
           vms_without_vfs_go_by_the_share_of_free_cpus,
           a_pf_with_link_comes_before_one_without,
           on_one_host_too_the_pf_with_link_comes_first,
           a_free_vf_that_names_a_port_is_not_given,
           capacity_is_a_limit_with_overcommit_and_what_others_use,
           bandwidth_is_never_promised_beyond_the_link,
           where_the_driver_tells_no_speed_the_operator_may,
           ports_that_fit_one_way_only_are_matched_that_way,
           rates_are_packed_so_that_all_ports_fit,
           a_port_falls_back_to_virtio_only_where_no_host_gives_a_vf,
           as_few_ports_as_possible_fall_back,
           a_port_with_a_virtio_leg_needs_its_network_on_the_host,
           both_legs_of_a_port_reach_the_same_network,
           the_named_host_is_the_only_one,
           what_is_not_free_or_not_allowed_is_never_given,
           no_vf_is_given_that_a_stranger_holds);
