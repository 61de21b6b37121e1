/* SPDX-License-Identifier: Apache-2.0 */
/* Creating and deleting VMs: what they get, what is refused, when they are
 * gone. */
#include "fixture.h"

static const struct pf_spec one_pf[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};

START_TEST(a_created_vm_holds_a_vf_with_its_policy)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    request.ports[0].policy.set = POLICY_BIT(POLICY_VLAN);
    request.ports[0].policy.vlan = 100;
    struct vm *vm = fleet_place(&fleet, &request);
    const struct port *port = &vm->ports[0];
    ck_assert_str_eq(vm->host, "h1");
    ck_assert_int_eq(vm->state, VM_CLAIMED);
    ck_assert_uint_eq(vm->generation, 1);
    ck_assert_str_eq(port->name, "eth0");
    ck_assert(port->has_claim && !port->degraded);
    ck_assert_int_eq(port->path, PATH_VF);
    ck_assert_str_eq(port->claim.pf.text, "0000:3b:00.0");
    ck_assert_uint_eq(port->claim.vf_index, 0);
    ck_assert_uint_eq(port->claim.vendor_id, 0x8086);
    ck_assert_uint_eq(port->policy.set,
                      POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_MAC));
    ck_assert(mac_is_local(&port->mac));
    ck_assert_int_eq(mac_compare(&port->mac, &port->policy.mac), 0);
    ck_assert_ptr_nonnull(fleet_event(&fleet, "VmClaimed"));
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(each_vf_is_given_once_until_none_is_left)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    uint32_t seen = 0;
    for (int i = 0; i < 7; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "vm%d", i);
        struct vm_request request = vm_request(name, 1);
        struct vm *vm = fleet_place(&fleet, &request);
        uint32_t bit = 1u << vm->ports[0].claim.vf_index;
        ck_assert(!(seen & bit));
        seen |= bit;
        ref_put(vm);
    }
    ck_assert_uint_eq(seen, 0x7f);
    struct vm_request request = vm_request("vm7", 1);
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_int_eq(fleet.err.code, ERROR_NO_VALID_HOST);
    ck_assert_ptr_nonnull(find_reason(&reasons, "no_free_vf", ""));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_deleted_vm_is_gone_when_the_agent_proved_its_ports_clean)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 2);
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    struct snapshot *snapshot = core_publish(fleet.core);
    const struct vm *now = snapshot_vm(snapshot, &vm->id);
    ck_assert_int_eq(now->state, VM_DELETING);
    ck_assert_uint_eq(now->generation, 2);
    ck_assert_uint_eq(snapshot_host(snapshot, "h1")->claim_count, 2);
    snapshot_put(snapshot);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0); /* again is fine */

    fleet_report(&fleet, "h1");
    snapshot = core_publish(fleet.core);
    ck_assert_ptr_null(snapshot_vm(snapshot, &vm->id));
    ck_assert_uint_eq(snapshot_host(snapshot, "h1")->claim_count, 0);
    ck_assert_uint_eq(snapshot_host(snapshot, "h1")->used_vcpus, 0);
    snapshot_put(snapshot);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_report_older_than_the_tombstone_does_not_end_a_vm)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    auto_observed struct observed *early = agent_observed(&fleet, agent);
    early->ports[0].phase = PORT_ABSENT;
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_int_eq(fleet_observe(&fleet, "h1", early), 0);
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert_ptr_nonnull(snapshot_vm(snapshot, &vm->id));
    snapshot_put(snapshot);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vm_stays_until_every_port_of_it_is_absent)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 2);
    request.ports[1].vnic_type = VNIC_NORMAL;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    for (int one = 0; one < 2; one++) {
        auto_observed struct observed *observed = agent_observed(&fleet, agent);
        observed->ports[one].phase = PORT_CLEANING;
        ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
        ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 1);
    }
    fleet_report(&fleet, "h1");
    ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(ports_may_be_proven_absent_in_different_reports)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 2);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    for (size_t gone = 0; gone < 2; gone++) {
        /* The agent forgets what it once reported absent. */
        auto_observed struct observed *observed = agent_observed(&fleet, agent);
        ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 1);
        observed->ports[0] = observed->ports[gone];
        observed->port_count = 1;
        ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
        fleet_check(&fleet);
    }
    ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vf_is_free_again_only_when_the_report_says_so)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec single[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1}};
    struct agent *agent = fleet_host(&fleet, "h1", 1, single);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ref_put(vm);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->inventory->pfs[0]->vfs[0].state = VF_CLEANING;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 0);
    request = vm_request("web-2", 1);
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    fleet_report(&fleet, "h1");
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vm_without_ports_is_gone_at_once)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("batch", 0);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "h1")->vm_count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_stale_generation_is_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    struct tx tx = {0};
    ck_assert_int_eq(
        core_vm_delete(fleet.core, &fleet.call, &vm->id, 7, &tx, &fleet.err),
        -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONCURRENT_UPDATE);
    ck_assert_uint_eq(tx.count, 0);
    ck_assert_int_eq(
        core_vm_delete(fleet.core, &fleet.call, &vm->id, 1, &tx, &fleet.err),
        0);
    tx_done(&tx);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_name_is_free_while_its_old_owner_is_being_deleted)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *first = fleet_place(&fleet, &request);
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_DUPLICATE_NAME);
    ck_assert_str_eq(fleet.err.field, "name");
    ck_assert_int_eq(fleet_delete(&fleet, &first->id), 0);
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert(
        uuid_equal(&snapshot_vm_by_name(snapshot, "web-1")->id, &first->id));
    snapshot_put(snapshot);
    struct vm *second = fleet_place(&fleet, &request);
    snapshot = core_publish(fleet.core);
    ck_assert(
        uuid_equal(&snapshot_vm_by_name(snapshot, "web-1")->id, &second->id));
    snapshot_put(snapshot);
    ref_put(first);
    ref_put(second);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_mac_is_taken_once_per_physical_network)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec two[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 7},
        {.key = "0000:3b:00.1", IGB, .vfs = 7}};
    fleet_host(&fleet, "h1", 2, two);
    fleet_allow(&fleet, "h1", "0000:3b:00.1", "physnet1");
    struct vm_request request = vm_request("web-1", 1);
    request.ports[0].has_mac = true;
    mac_parse("52:54:00:00:00:01", &request.ports[0].mac);
    struct vm *vm = fleet_place(&fleet, &request);
    str_copy(request.name, "web-2");
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_MAC_IN_USE);
    ck_assert_str_eq(fleet.err.field, "ports[0].mac");
    ck_assert_ptr_nonnull(strstr(fleet.err.msg, "web-1"));
    /* Being deleted it still holds its MAC. */
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_MAC_IN_USE);
    /* "Any" physical network finds the other one. */
    request.ports[0].physical_network[0] = '\0';
    struct vm *other = fleet_place(&fleet, &request);
    ck_assert_str_eq(other->ports[0].physical_network, "physnet1");
    /* And then there is none left. */
    str_copy(request.name, "web-3");
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_MAC_IN_USE);
    ref_put(vm);
    ref_put(other);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_mac_twice_in_one_request_is_refused_with_its_field)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 2);
    for (int i = 0; i < 2; i++) {
        request.ports[i].has_mac = true;
        mac_parse("52:54:00:00:00:01", &request.ports[i].mac);
    }
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_INVALID);
    ck_assert_str_eq(fleet.err.field, "ports[1].mac");
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_repeated_key_gives_the_same_vm_and_no_records)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    str_copy(request.idempotency_key, "k-1");
    request.request_hash = 17;
    struct vm *first = fleet_place(&fleet, &request);
    struct tx tx = {0};
    struct vm *again = NULL;
    bool repeated = false;
    ck_assert_int_eq(core_vm_create(fleet.core, &fleet.call, &request, &tx,
                                    &again, &repeated, NULL, &fleet.err),
                     0);
    ck_assert(repeated && again == first);
    ck_assert_uint_eq(tx.count, 0);
    request.request_hash = 18;
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_IDEMPOTENCY_CONFLICT);
    ref_put(first);
    ref_put(again);
    fleet_done(&fleet);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused_with_the_field)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request good = vm_request("web-1", 1);
    struct vm_request bad[9];
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    str_copy(bad[0].name, "../x");
    bad[1].vcpus = 0;
    bad[2].memory_mib = 0;
    bad[3].ports[0].has_mac = true; /* zero */
    bad[4].ports[0].policy.set = POLICY_BIT(POLICY_VLAN);
    bad[4].ports[0].policy.vlan = 4095;
    bad[5].ports[0].vnic_type = VNIC_MACVTAP; /* of no mode */
    bad[6].port_count = VM_PORTS_MAX + 1;
    str_copy(bad[7].ports[0].physical_network, "a b");
    bad[8].strategy = STRATEGY_MAX;
    static const char *const fields[] = {"name",
                                         "vcpus",
                                         "memory_mib",
                                         "ports[0].mac",
                                         "ports[0].policy.vlan",
                                         "ports[0].macvtap_mode",
                                         "ports",
                                         "ports[0].physical_network",
                                         "placement.strategy"};
    for (int i = 0; i < 9; i++) {
        ck_assert_ptr_null(fleet_create(&fleet, &bad[i], NULL));
        ck_assert_int_eq(fleet.err.code, ERROR_INVALID);
        ck_assert_str_eq(fleet.err.field, fields[i]);
    }
    str_copy(good.host, "nowhere");
    ck_assert_ptr_null(fleet_create(&fleet, &good, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/vms", a_created_vm_holds_a_vf_with_its_policy,
           each_vf_is_given_once_until_none_is_left,
           a_deleted_vm_is_gone_when_the_agent_proved_its_ports_clean,
           a_report_older_than_the_tombstone_does_not_end_a_vm,
           a_vm_stays_until_every_port_of_it_is_absent,
           ports_may_be_proven_absent_in_different_reports,
           a_vf_is_free_again_only_when_the_report_says_so,
           a_vm_without_ports_is_gone_at_once, a_stale_generation_is_refused,
           a_name_is_free_while_its_old_owner_is_being_deleted,
           a_mac_is_taken_once_per_physical_network,
           a_mac_twice_in_one_request_is_refused_with_its_field,
           a_repeated_key_gives_the_same_vm_and_no_records,
           requests_that_make_no_sense_are_refused_with_the_field);
