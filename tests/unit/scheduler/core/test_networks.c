/* SPDX-License-Identifier: Apache-2.0 */
/* What virtio legs and macvtaps sit on, and what a host must have for hardware. */
#include "fixture.h"

static const struct pf_spec one_pf[] = {{.key = "0000:3b:00.0", IGB, .vfs = 2}};

static void set_vlan(struct port_request *port, uint16_t vlan)
{
    port->policy.set |= POLICY_BIT(POLICY_VLAN);
    port->policy.vlan = vlan;
}

/* 'host' refuses the VM for this reason alone. */
static void refused(struct fleet *fleet, const struct vm_request *request,
                    const char *reason)
{
    struct placement_reasons reasons = {0};
    ck_assert_ptr_null(fleet_create(fleet, request, &reasons));
    ck_assert_int_eq(fleet->err.code, ERROR_NO_VALID_HOST);
    ck_assert_uint_eq(reasons.count, 1);
    ck_assert_str_eq(reasons.items[0].reason, reason);
    ck_assert_str_ne(reasons.items[0].example_message, "");
}

static void add_network(struct agent *agent, const char *device, uint8_t kind,
                        const char *uplink)
{
    struct network *network = &agent->networks[agent->network_count++];
    memset(network, 0, sizeof *network);
    str_copy(network->device, device);
    str_copy(network->physical_network, "physnet0");
    str_copy(network->uplink, uplink);
    network->kind = kind;
}

START_TEST(a_leg_with_a_vlan_needs_a_network_that_holds_it)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    agent->networks[0].vlans = false;
    fleet_report(&fleet, "h1");
    struct vm_request request = vm_request("web", 1);
    set_vlan(&request.ports[0], 7);
    request.ports[0].vnic_type = VNIC_NORMAL;
    refused(&fleet, &request, "network_no_vlan");
    request.ports[0].vnic_type = VNIC_DIRECT;
    request.ports[0].fallback = FALLBACK_VIRTIO;
    refused(&fleet, &request, "network_no_vlan");
    request.ports[0].physical_network[0] = '\0';
    refused(&fleet, &request, "network_no_vlan");
    request.ports[0].fallback = FALLBACK_REFUSE; /* no leg */
    ref_put(fleet_place(&fleet, &request));
    add_network(agent, "br1", SWITCH_LINUX_BRIDGE, "");
    agent->networks[1].vlans = true;
    fleet_report(&fleet, "h1");
    str_copy(request.name, "web-2");
    request.ports[0].vnic_type = VNIC_NORMAL;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->ports[0].network, "br1");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_leg_beside_a_vf_is_on_the_bridge_above_its_pf)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    add_network(agent, "br1", SWITCH_OPENVSWITCH, "ens1f0");
    struct vm_request request = vm_request("web", 1);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    request.ports[0].guest_failover = GUEST_FAILOVER_BOND;
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    str_copy(observed->inventory->pfs[0]->netdev, "ens1f0");
    ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert(vm->ports[0].has_claim);
    ck_assert_str_eq(vm->ports[0].network, "br1");
    ck_assert_int_eq(vm->ports[0].network_kind, SWITCH_OPENVSWITCH);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_leg_beside_a_vf_must_be_able_to_do_what_the_vf_does)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    request.ports[0].guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    request.ports[0].policy.set = POLICY_BIT(POLICY_TRUST);
    request.ports[0].policy.trust = true;
    refused(&fleet, &request, "policy_unsupported");
    request.ports[0].guest_failover = GUEST_FAILOVER_NONE; /* on its VF only */
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_macvtap_on_a_network_has_no_vf)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].vnic_type = VNIC_MACVTAP;
    request.ports[0].macvtap_mode = MACVTAP_BRIDGE;
    refused(&fleet, &request, "no_network"); /* a bridge is none */
    add_network(agent, "ens9", SWITCH_MACVTAP, "");
    fleet_report(&fleet, "h1");
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert(!vm->ports[0].has_claim && !vm->ports[0].degraded);
    ck_assert_str_eq(vm->ports[0].network, "ens9");
    ck_assert_int_eq(vm->ports[0].network_kind, SWITCH_MACVTAP);
    ck_assert_str_eq(vm->ports[0].physical_network, "physnet0");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_a_macvtap_on_a_network_cannot_do_is_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web", 1);
    struct port_request *port = &request.ports[0];
    port->vnic_type = VNIC_MACVTAP;
    port->macvtap_mode = MACVTAP_VEPA;
    set_vlan(port, 5);
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet.err.code, ERROR_UNSUPPORTED);
    ck_assert_str_eq(fleet.err.field, "ports[0].policy.vlan");
    port->policy.set = POLICY_BIT(POLICY_SPOOFCHK);
    port->policy.spoofchk = true;
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_str_eq(fleet.err.field, "ports[0].policy.spoofchk");
    port->policy.set = 0;
    port->require_vendor_id = 0x8086;
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_str_eq(fleet.err.field, "ports[0].require");
    port->require_vendor_id = 0;
    port->fallback = FALLBACK_VIRTIO;
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_str_eq(fleet.err.field, "ports[0].fallback");
    port->vnic_type = VNIC_DIRECT;
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_str_eq(fleet.err.field, "ports[0].macvtap_mode");
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_macvtap_on_a_vf_gets_one_that_the_host_drives)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web", 2);
    request.ports[1].vnic_type = VNIC_MACVTAP;
    request.ports[1].macvtap_mode = MACVTAP_PASSTHROUGH;
    refused(&fleet, &request, "no_vf_netdev");
    /* Only VF 0 has one: the other port must leave it. */
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    str_copy(observed->inventory->pfs[0]->vfs[0].netdev, "ens1f0v0");
    ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_uint_eq(vm->ports[0].claim.vf_index, 1);
    ck_assert_uint_eq(vm->ports[1].claim.vf_index, 0);
    ck_assert_int_eq(vm->ports[1].path, PATH_VF);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_host_with_a_failed_check_gives_no_hardware_to_vms)
{
    static const struct pf_spec pfs[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 2},
        {.key = "netdevsim1", IGB, .vfs = 2},
    };
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, pfs);
    agent->netdevs = true;
    agent->check_count = 1;
    agent->checks[0] =
        (struct readiness_check){"iommu", CHECK_FAILED, str_intern("no IOMMU"),
                                 str_intern("boot with intel_iommu=on")};
    fleet_report(&fleet, "h1");
    struct vm_request request = vm_request("web", 1);
    struct placement_reasons reasons = {0};
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    const struct placement_reason *reason =
        find_reason(&reasons, "host_not_ready", "");
    ck_assert_ptr_nonnull(reason);
    ck_assert_ptr_nonnull(
        strstr(reason->example_message, "boot with intel_iommu=on"));
    /* Not in the way: the host's own use, a macvtap, virtio. */
    struct vm_request own = request;
    own.lifecycle = LIFECYCLE_HOST;
    str_copy(own.name, "own");
    ref_put(fleet_place(&fleet, &own));
    struct vm_request tap = request;
    tap.ports[0].vnic_type = VNIC_MACVTAP;
    tap.ports[0].macvtap_mode = MACVTAP_PASSTHROUGH;
    str_copy(tap.name, "tap");
    ref_put(fleet_place(&fleet, &tap));
    request.ports[0].fallback = FALLBACK_VIRTIO;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_ptr_nonnull(
        strstr(vm->ports[0].degraded_reason, "host_not_ready"));
    fleet_check(&fleet);
    /* What is no PCI device needs none of it; what is mended is placed. */
    agent_add_pf(agent, pfs[1]);
    fleet_report(&fleet, "h1");
    fleet_allow(&fleet, "h1", "netdevsim1", "physnet0");
    str_copy(request.name, "nsim");
    struct vm *other = fleet_place(&fleet, &request);
    ck_assert_str_eq(other->ports[0].claim.pf.text, "netdevsim1");
    ref_put(vm);
    ref_put(other);
    fleet_done(&fleet);
}
END_TEST

START_TEST(libvirt_is_needed_by_every_vm_with_hardware)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    agent->netdevs = true;
    agent->check_count = 1;
    agent->checks[0] = (struct readiness_check){"libvirt", CHECK_FAILED,
                                                str_intern("does not answer"),
                                                str_intern("start libvirtd")};
    fleet_report(&fleet, "h1");
    struct vm_request request = vm_request("web", 1);
    request.ports[0].vnic_type = VNIC_MACVTAP;
    request.ports[0].macvtap_mode = MACVTAP_PASSTHROUGH;
    refused(&fleet, &request, "host_not_ready");
    agent->checks[0].status = CHECK_WARNING;
    fleet_report(&fleet, "h1");
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/networks",
           a_leg_with_a_vlan_needs_a_network_that_holds_it,
           the_leg_beside_a_vf_is_on_the_bridge_above_its_pf,
           a_leg_beside_a_vf_must_be_able_to_do_what_the_vf_does,
           a_macvtap_on_a_network_has_no_vf,
           what_a_macvtap_on_a_network_cannot_do_is_refused,
           a_macvtap_on_a_vf_gets_one_that_the_host_drives,
           a_host_with_a_failed_check_gives_no_hardware_to_vms,
           libvirt_is_needed_by_every_vm_with_hardware);
