/* SPDX-License-Identifier: Apache-2.0 */
/* VFs of what is no network device (vm.devices[]), and PFs given as a whole
 * (direct-physical): who gets which, what excludes what, and why not. */
#include "fixture.h"

#define NIC "0000:3b:00.0"
#define DISK "0000:5e:00.0"

static const struct pf_spec both[] = {{.key = NIC, CX6, .vfs = 2},
                                      {.key = DISK, NVME, .vfs = 2}};
static const struct pf_spec plain[] = {
    {.key = NIC, CX6, .total_vfs = 8, .mac = 0x77}};

static struct placement_reasons reasons;

static struct vm_request device_request(const char *name)
{
    struct vm_request request = vm_request(name, 1);
    request.ports[0] = (struct port_request){
        .device = true,
        .device_kind = DEVICE_STORAGE,
    };
    return request;
}

static struct vm_request whole_request(const char *name)
{
    struct vm_request request = vm_request(name, 1);
    request.ports[0].vnic_type = VNIC_DIRECT_PHYSICAL;
    return request;
}

static void not_placed(struct fleet *fleet, const struct vm_request *request,
                       const char *reason)
{
    ck_assert_ptr_null(fleet_create(fleet, request, &reasons));
    ck_assert_int_eq(fleet->err.code, ERROR_NO_VALID_HOST);
    if (!find_reason(&reasons, reason, NULL))
        ck_abort_msg("no reason '%s', but '%s': %s", reason,
                     reasons.items[0].reason, reasons.items[0].example_message);
}

static void is_invalid(struct fleet *fleet, const struct vm_request *request,
                       const char *field)
{
    ck_assert_ptr_null(fleet_create(fleet, request, NULL));
    ck_assert_int_eq(fleet->err.code, ERROR_INVALID);
    ck_assert_str_eq(fleet->err.field, field);
}

/* ---- devices ------------------------------------------------------------------ */

START_TEST(a_vm_gets_its_port_and_its_device_in_one_claim)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 2, both);
    struct vm_request request = vm_request("db", 2);
    request.ports[1] = device_request("").ports[0];
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->ports[0].claim.pf.text, NIC);
    const struct port *device = &vm->ports[1];
    ck_assert(device->device);
    ck_assert_str_eq(device->name, "dev0");
    ck_assert_int_eq(device->device_kind, DEVICE_STORAGE);
    ck_assert_str_eq(device->claim.pf.text, DISK);
    ck_assert_uint_eq(device->claim.vendor_id, 0x1b36);
    ck_assert_uint_eq(device->policy.set, 0);
    ck_assert(mac_is_zero(&device->mac));
    ck_assert_str_eq(device->physical_network, "");
    struct snapshot *snapshot = core_publish(fleet.core);
    auto_desired struct desired *desired =
        snapshot_desired(snapshot, "a", (struct revision){0});
    snapshot_put(snapshot);
    ck_assert_uint_eq(desired->port_count, 2);
    ck_assert(!desired->ports[0].device);
    ck_assert(desired->ports[1].device);
    ck_assert_uint_eq(desired->ports[1].policy.set, 0);
    /* Same life: gone once it is proven clean. */
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_view(&fleet, "a")->claim_count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_port_never_gets_a_disk_nor_a_device_a_nic)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "nic", 1, both);
    fleet_host(&fleet, "disk", 1, both + 1);
    struct vm_request request = vm_request("web", 3);
    not_placed(&fleet, &request, "no_pf");
    ck_assert_str_eq(find_reason(&reasons, "no_pf", NULL)->example_host,
                     "disk");
    for (int i = 0; i < 2; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "db%d", i);
        struct vm_request db = device_request(name);
        struct vm *vm = fleet_place(&fleet, &db);
        ck_assert_str_eq(vm->host, "disk");
        ref_put(vm);
    }
    struct vm_request db = device_request("db2");
    not_placed(&fleet, &db, "no_free_vf");
    db.ports[0].device_kind = DEVICE_DISPLAY;
    not_placed(&fleet, &db, "no_pf");
    ck_assert_uint_eq(find_reason(&reasons, "no_pf", NULL)->hosts, 2);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_device_is_asked_for_by_vendor_and_device)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 2, both);
    struct vm_request request = device_request("db");
    request.ports[0].require_vendor_id = 0x144d;
    not_placed(&fleet, &request, "vendor_mismatch");
    request.ports[0].require_vendor_id = 0x1b36;
    request.ports[0].require_device_id = 0x0011;
    not_placed(&fleet, &request, "device_mismatch");
    request.ports[0].require_device_id = 0x0010;
    ref_put(fleet_place(&fleet, &request));
    /* Not allowed is not used, of whatever kind. */
    struct pf_patch patch = {.has_allowed = true};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", DISK, patch), 0);
    str_copy(request.name, "db-2");
    not_placed(&fleet, &request, "pf_not_allowed");
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_only_ports_have_is_refused_of_a_device)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 2, both);
    static const char *const fields[] = {
        "mac",           "physical_network",
        "policy",        "require.capabilities",
        "vnic_type",     "fallback",
        "guest_failover"};
    for (size_t i = 0; i < 7; i++) {
        struct vm_request request = vm_request("db", 2);
        struct port_request *device = &request.ports[1];
        char field[64];
        *device = device_request("").ports[0];
        device->has_mac = i == 0;
        str_copy(device->physical_network, i == 1 ? "physnet0" : "");
        device->policy.set = i == 2 ? POLICY_BIT(POLICY_VLAN) : 0;
        device->require_capabilities = i == 3;
        device->vnic_type = i == 4 ? VNIC_NORMAL : VNIC_DIRECT;
        device->fallback = i == 5 ? FALLBACK_VIRTIO : FALLBACK_REFUSE;
        device->guest_failover = i == 6;
        snprintf(field, sizeof field, "devices[0].%s", fields[i]);
        is_invalid(&fleet, &request, field);
    }
    struct vm_request request = device_request("db");
    request.ports[0].device_kind = DEVICE_NETWORK;
    is_invalid(&fleet, &request, "devices[0].kind");
    fleet_done(&fleet);
}
END_TEST

/* ---- whole PFs ------------------------------------------------------------------ */

START_TEST(a_whole_pf_is_claimed_with_its_own_mac)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, plain);
    struct vm_request request = whole_request("fw");
    struct vm *vm = fleet_place(&fleet, &request);
    const struct port *port = &vm->ports[0];
    char mac[MAC_TEXT_SIZE];
    ck_assert_uint_eq(port->claim.vf_index, CLAIM_WHOLE_PF);
    ck_assert(port->claim.has_address);
    struct pf_key key = pf_key_of_pci(&port->claim.address);
    ck_assert_str_eq(key.text, NIC);
    ck_assert_str_eq(mac_format(&port->mac, mac), "52:54:00:01:02:77");
    ck_assert_str_eq(port->physical_network, "physnet0");
    struct snapshot *snapshot = core_publish(fleet.core);
    const struct port *found = NULL;
    ck_assert_ptr_eq(snapshot_vf_owner(snapshot, snapshot_host(snapshot, "a"),
                                       &key, CLAIM_WHOLE_PF, &found),
                     vm);
    snapshot_put(snapshot);
    str_copy(request.name, "fw-2");
    not_placed(&fleet, &request, "no_free_pf");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_given_away_pf_gets_no_vfs_and_nothing_else)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, plain);
    struct vm_request request = whole_request("fw");
    struct vm *vm = fleet_place(&fleet, &request);
    struct pf_patch patch = {.has_num_vfs = true, .num_vfs = 2};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", NIC, patch), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_IN_USE);
    ck_assert_str_eq(fleet.err.field, "num_vfs");
    /* Should VFs appear on it all the same, nobody gets them. */
    agent->pfs[0].vfs = 2;
    fleet_report(&fleet, "a");
    struct vm_request web = vm_request("web", 1);
    not_placed(&fleet, &web, "no_free_vf");
    ck_assert_ptr_nonnull(
        strstr(reasons.items[0].example_message, "as a whole"));
    agent->pfs[0].vfs = 0;
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    fleet_report(&fleet, "a");
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", NIC, patch), 0);
    not_placed(&fleet, &web, "pf_changing");
    fleet_report(&fleet, "a");
    ref_put(fleet_place(&fleet, &web));
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(only_an_unused_pf_without_vfs_is_given)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, plain);
    struct vm_request request = whole_request("fw");
    agent->pfs[0].used_by = "bond bond0";
    fleet_report(&fleet, "a");
    not_placed(&fleet, &request, "pf_in_use");
    ck_assert_ptr_nonnull(
        strstr(reasons.items[0].example_message, "bond bond0"));
    agent->pfs[0].used_by = NULL;
    agent->pfs[0].vfs = 2;
    fleet_report(&fleet, "a");
    not_placed(&fleet, &request, "pf_has_vfs");
    agent->pfs[0].vfs = 0;
    agent->pfs[0].management = true;
    fleet_report(&fleet, "a");
    not_placed(&fleet, &request, "pf_management");
    agent->pfs[0].management = false;
    fleet_report(&fleet, "a");
    request.ports[0].require_vendor_id = 0x8086;
    not_placed(&fleet, &request, "vendor_mismatch");
    request.ports[0].require_vendor_id = 0;
    str_copy(request.ports[0].physical_network, "physnet1");
    not_placed(&fleet, &request, "physical_network_mismatch");
    str_copy(request.ports[0].physical_network, "physnet0");
    /* VFs are wanted there, though the agent could not make them. */
    struct pf_patch patch = {.has_num_vfs = true, .num_vfs = 4};
    agent->pf_phase = PF_FAILED;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", NIC, patch), 0);
    fleet_report(&fleet, "a");
    not_placed(&fleet, &request, "pf_has_vfs");
    patch.num_vfs_observed = true;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", NIC, patch), 0);
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_port_that_only_the_agent_knows_keeps_its_pf)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, plain);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->ports = mem_realloc(observed->ports, 1, sizeof *observed->ports);
    observed->port_count = 1;
    observed->ports[0] = (struct observed_port){
        .id = uuid_make(fleet.now, &fleet.rng),
        .vm = uuid_make(fleet.now, &fleet.rng),
        .phase = PORT_UNKNOWN,
        .has_claim = true,
        .claim = {.pf = key_of(NIC), .vf_index = CLAIM_WHOLE_PF},
    };
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    struct vm_request request = whole_request("fw");
    not_placed(&fleet, &request, "no_free_pf");
    fleet_report(&fleet, "a");
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_whole_pf_has_no_vf_policy)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, plain);
    struct vm_request request = whole_request("fw");
    request.ports[0].policy.set = POLICY_BIT(POLICY_VLAN);
    request.ports[0].policy.vlan = 100;
    is_invalid(&fleet, &request, "ports[0].policy.vlan");
    request = whole_request("fw");
    request.ports[0].fallback = FALLBACK_VIRTIO;
    is_invalid(&fleet, &request, "ports[0].fallback");
    request = whole_request("fw");
    request.ports[0].guest_failover = GUEST_FAILOVER_BOND;
    is_invalid(&fleet, &request, "ports[0].guest_failover");
    request = whole_request("fw");
    request.ports[0].require_capabilities = POLICY_BIT(POLICY_TRUST);
    is_invalid(&fleet, &request, "ports[0].require.capabilities");
    request = whole_request("fw");
    request.ports[0].has_mac = true;
    ck_assert(mac_parse("52:54:00:aa:bb:cc", &request.ports[0].mac));
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(mac_compare(&vm->ports[0].mac, &request.ports[0].mac), 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_own_mac_of_a_pf_is_one_owner_s_too)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, plain);
    fleet_host(&fleet, "b", 1, both);
    struct vm_request web = vm_request("web", 1);
    web.ports[0].has_mac = true;
    ck_assert(mac_parse("52:54:00:01:02:77", &web.ports[0].mac));
    struct vm *vm = fleet_place(&fleet, &web);
    ck_assert_str_eq(vm->host, "b");
    struct vm_request request = whole_request("fw");
    not_placed(&fleet, &request, "mac_in_use");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

/* ---- a race ------------------------------------------------------------------------ */

/* 64 requests in one batch for 5 VFs and 3 disks' VFs: as many succeed as there
 * are, the others are told why, and the batch can be taken back as a whole. */
START_TEST(as_many_win_as_there_are_vfs)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec specs[] = {{.key = NIC, CX6, .vfs = 5},
                                           {.key = DISK, NVME, .vfs = 3}};
    fleet_host(&fleet, "a", 2, specs);
    fleet_host(&fleet, "b", 0, NULL);
    struct tx tx = {0};
    size_t ports = 0, devices = 0;
    fleet_call(&fleet);
    for (int i = 0; i < 64; i++) {
        char name[NAME_SIZE];
        struct vm *vm = NULL;
        bool repeated = false;
        snprintf(name, sizeof name, "vm%d", i);
        struct vm_request request =
            i % 2 ? device_request(name) : vm_request(name, 1);
        request.vcpus = 1;
        request.memory_mib = 16;
        size_t records = tx.count;
        core_vm_create(fleet.core, &fleet.call, &request, &tx, &vm, &repeated,
                       &reasons, &fleet.err);
        if (vm) {
            ports += i % 2 == 0;
            devices += i % 2 == 1;
            ref_put(vm);
            continue;
        }
        ck_assert_int_eq(fleet.err.code, ERROR_NO_VALID_HOST);
        ck_assert_uint_eq(tx.count, records);
        ck_assert_uint_eq(reasons.count, 2);
        ck_assert_uint_eq(find_reason(&reasons, "no_free_vf", "")->hosts, 1);
        ck_assert_uint_eq(find_reason(&reasons, "no_pf", "")->hosts, 1);
    }
    ck_assert_uint_eq(ports, 5);
    ck_assert_uint_eq(devices, 3);
    fleet_check(&fleet);
    core_undo(fleet.core, &tx);
    tx_done(&tx);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->claim_count, 0);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/devices",
           a_vm_gets_its_port_and_its_device_in_one_claim,
           a_port_never_gets_a_disk_nor_a_device_a_nic,
           a_device_is_asked_for_by_vendor_and_device,
           what_only_ports_have_is_refused_of_a_device,
           a_whole_pf_is_claimed_with_its_own_mac,
           a_given_away_pf_gets_no_vfs_and_nothing_else,
           only_an_unused_pf_without_vfs_is_given,
           a_port_that_only_the_agent_knows_keeps_its_pf,
           a_whole_pf_has_no_vf_policy, the_own_mac_of_a_pf_is_one_owner_s_too,
           as_many_win_as_there_are_vfs);
