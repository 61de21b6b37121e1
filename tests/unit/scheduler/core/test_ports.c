/* SPDX-License-Identifier: Apache-2.0 */
/* VMs that run: power, what the documents say of them, and ports that change
 * their path. */
#include "fixture.h"

static const struct pf_spec one_pf[] = {{.key = "0000:3b:00.0", IGB, .vfs = 2}};

/* With fallback and failover in the guest. */
static struct vm_request failover_request(const char *name)
{
    struct vm_request request = vm_request(name, 1);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    request.ports[0].guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    return request;
}

static struct text *domain(void)
{
    static const char text[] = "<domain type='kvm'><os/></domain>";
    return text_new(text, sizeof text - 1);
}

static struct vm *place_managed(struct fleet *fleet, const char *name,
                                size_t ports)
{
    struct vm_request request = vm_request(name, ports);
    request.lifecycle = LIFECYCLE_MANAGED;
    request.domain_xml = domain();
    request.power_on = true;
    struct vm *vm = fleet_place(fleet, &request);
    ref_put(request.domain_xml);
    return vm;
}

/* The VM as it is now; borrowed until its next change. */
static const struct vm *vm_now(struct fleet *fleet, const struct vm *vm)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    const struct vm *now = snapshot_vm(snapshot, &vm->id);
    snapshot_put(snapshot);
    return now;
}

static int power(struct fleet *fleet, const struct vm *vm, uint64_t generation,
                 bool on)
{
    struct tx tx = {0};
    fleet_call(fleet);
    int result = core_vm_power(fleet->core, &fleet->call, &vm->id, generation,
                               on, &tx, &fleet->err);
    tx_done(&tx);
    return result;
}

/* 1 changed, 0 it is so, -1 refused */
static int accelerate(struct fleet *fleet, const struct uuid *port,
                      struct placement_reasons *reasons)
{
    struct tx tx = {0};
    bool changed = false;
    fleet_call(fleet);
    int result = core_port_accelerate(fleet->core, &fleet->call, port, 0, &tx,
                                      &changed, reasons, &fleet->err);
    tx_done(&tx);
    return result ? result : changed;
}

static int decelerate(struct fleet *fleet, const struct uuid *port)
{
    struct tx tx = {0};
    bool changed = false;
    fleet_call(fleet);
    int result = core_port_decelerate(fleet->core, &fleet->call, port, 0, &tx,
                                      &changed, &fleet->err);
    tx_done(&tx);
    return result ? result : changed;
}

static struct desired *document(struct fleet *fleet, const char *host,
                                struct revision after)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    struct desired *desired = snapshot_desired(snapshot, host, after);
    snapshot_put(snapshot);
    return desired;
}

static void refused(struct fleet *fleet, enum error_code code, const char *text)
{
    ck_assert_int_eq(fleet->err.code, code);
    ck_assert_msg(strstr(fleet->err.msg, text), "%s", fleet->err.msg);
}

/* ---- documents ------------------------------------------------------------------- */

START_TEST(documents_tell_vms_with_their_domain_and_ports_with_their_wiring)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vm = place_managed(&fleet, "web-1", 1);
    struct vm_request request = failover_request("web-2");
    struct vm *other = fleet_place(&fleet, &request);
    auto_desired struct desired *whole =
        document(&fleet, "h1", (struct revision){0});
    ck_assert_uint_eq(whole->vm_count, 2);
    /* Ids of one millisecond are in any order. */
    size_t first = !uuid_equal(&whole->vms[0].id, &vm->id);
    const struct desired_vm *told = &whole->vms[first];
    const struct desired_vm *external = &whole->vms[!first];
    const struct desired_port *plain = &whole->ports[first];
    const struct desired_port *pair = &whole->ports[!first];
    ck_assert(uuid_equal(&told->id, &vm->id));
    ck_assert(!told->absent && told->power_on);
    ck_assert_int_eq(told->lifecycle, LIFECYCLE_MANAGED);
    ck_assert_int_eq(told->role, VM_ROLE_OWN);
    ck_assert(told->domain_xml == vm->domain_xml);
    ck_assert_str_eq(told->name, "web-1");
    ck_assert_uint_eq(told->vcpus, 2);
    ck_assert_uint_eq(told->memory_mib, 4096);
    ck_assert(!external->domain_xml && !external->power_on);
    ck_assert_int_eq(external->lifecycle, LIFECYCLE_EXTERNAL);
    ck_assert_str_eq(plain->network, ""); /* has no leg */
    ck_assert_str_eq(pair->network, "br0");
    ck_assert_str_eq(pair->name, "eth0");
    ck_assert_int_eq(pair->fallback, FALLBACK_VIRTIO);
    ck_assert_int_eq(pair->guest_failover, GUEST_FAILOVER_NET_FAILOVER);

    ck_assert_int_eq(power(&fleet, vm, 0, false), 0);
    auto_desired struct desired *part = document(&fleet, "h1", whole->revision);
    ck_assert(!part->full);
    ck_assert_uint_eq(part->vm_count, 1);
    ck_assert_uint_eq(part->port_count, 0);
    ck_assert(!part->vms[0].power_on);
    ref_put(vm);
    ref_put(other);
    fleet_done(&fleet);
}
END_TEST

START_TEST(vms_of_lifecycle_host_are_not_told)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    request.lifecycle = LIFECYCLE_HOST;
    struct vm *vm = fleet_place(&fleet, &request);
    auto_desired struct desired *whole =
        document(&fleet, "h1", (struct revision){0});
    ck_assert_uint_eq(whole->vm_count, 0);
    ck_assert_uint_eq(whole->port_count, 1);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    fleet_report(&fleet, "h1");
    ck_assert_ptr_null(vm_now(&fleet, vm));
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_undone_power_leaves_no_trace_and_no_revision)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vm = place_managed(&fleet, "web-1", 1);
    struct revision before = fleet_view(&fleet, "h1")->revision;
    struct tx tx = {0};
    fleet_call(&fleet);
    ck_assert_int_eq(core_vm_power(fleet.core, &fleet.call, &vm->id, 0, false,
                                   &tx, &fleet.err),
                     0);
    core_undo(fleet.core, &tx);
    tx_done(&tx);
    ck_assert_int_eq(
        revision_compare(&before, &fleet_view(&fleet, "h1")->revision), 0);
    ck_assert(vm_now(&fleet, vm)->power_on);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

/* ---- deletion ---------------------------------------------------------------------- */

START_TEST(a_managed_vm_stays_until_its_domain_is_gone)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vm = place_managed(&fleet, "web-1", 1);
    struct vm *bare = place_managed(&fleet, "web-2", 0);
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_int_eq(fleet_delete(&fleet, &bare->id), 0);
    ck_assert_ptr_nonnull(vm_now(&fleet, bare));
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    for (size_t i = 0; i < observed->vm_count; i++)
        observed->vms[i].phase = VM_PHASE_PENDING;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
    ck_assert_ptr_nonnull(vm_now(&fleet, vm));
    ck_assert_ptr_nonnull(vm_now(&fleet, bare));
    fleet_report(&fleet, "h1");
    ck_assert_ptr_null(vm_now(&fleet, vm));
    ck_assert_ptr_null(vm_now(&fleet, bare));
    ref_put(vm);
    ref_put(bare);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_domain_may_be_gone_in_an_earlier_report_than_the_ports)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vm = place_managed(&fleet, "web-1", 1);
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    auto_observed struct observed *first = agent_observed(&fleet, agent);
    first->ports[0].phase = PORT_CLEANING;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", first), 0);
    ck_assert_ptr_nonnull(vm_now(&fleet, vm));
    /* The agent has forgotten the VM by now. */
    auto_observed struct observed *second = agent_observed(&fleet, agent);
    second->vm_count = 0;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", second), 0);
    ck_assert_ptr_null(vm_now(&fleet, vm));
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_external_vm_stays_while_its_agent_tells_of_its_domain)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->vms[0].phase = VM_PHASE_PENDING;
    observed->vms[0].power_state = POWER_RUNNING;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", observed), 0);
    ck_assert_ptr_nonnull(vm_now(&fleet, vm));
    fleet_report(&fleet, "h1");
    ck_assert_ptr_null(vm_now(&fleet, vm));
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

/* ---- power ---------------------------------------------------------------------------- */

START_TEST(power_said_again_is_a_new_try)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vm = place_managed(&fleet, "web-1", 1);
    ck_assert_int_eq(power(&fleet, vm, 1, true), 0);
    const struct vm *now = vm_now(&fleet, vm);
    ck_assert_uint_eq(now->generation, 2);
    ck_assert_int_gt(revision_compare(&now->revision, &vm->revision), 0);
    ck_assert_int_eq(
        revision_compare(&now->ports[0].revision, &vm->ports[0].revision), 0);
    ck_assert_int_eq(power(&fleet, vm, 1, false), -1);
    refused(&fleet, ERROR_CONCURRENT_UPDATE, "generation 2");
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_int_eq(power(&fleet, vm, 0, true), -1);
    refused(&fleet, ERROR_CONFLICT, "deleted");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(only_managed_vms_have_power_and_a_domain)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(power(&fleet, vm, 0, true), -1);
    refused(&fleet, ERROR_CONFLICT, "external");
    struct vm unknown = {.id = {{1}}};
    ck_assert_int_eq(power(&fleet, &unknown, 0, true), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    struct vm_request bad = vm_request("web-2", 1);
    bad.lifecycle = LIFECYCLE_MANAGED;
    ck_assert_ptr_null(fleet_create(&fleet, &bad, NULL));
    ck_assert_str_eq(fleet.err.field, "domain_xml");
    bad.lifecycle = LIFECYCLE_EXTERNAL;
    bad.power_on = true;
    ck_assert_ptr_null(fleet_create(&fleet, &bad, NULL));
    ck_assert_str_eq(fleet.err.field, "power");
    bad.domain_xml = domain();
    ck_assert_ptr_null(fleet_create(&fleet, &bad, NULL));
    ck_assert_str_eq(fleet.err.field, "domain_xml");
    ref_put(bad.domain_xml);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

/* ---- paths ------------------------------------------------------------------------------ */

START_TEST(a_decelerated_port_holds_its_vf_until_it_is_proven_clean)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    struct vm *vm = fleet_place(&fleet, &request);
    const struct uuid *port = &vm->ports[0].id;
    agent->power_state = POWER_RUNNING;
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(decelerate(&fleet, port), 1);
    ck_assert_int_eq(decelerate(&fleet, port), 0); /* it is on its way */
    const struct port *now = &vm_now(&fleet, vm)->ports[0];
    ck_assert_int_eq(now->path, PATH_VIRTIO);
    ck_assert(now->has_claim && now->decelerated && now->degraded);
    ck_assert_str_eq(now->degraded_reason, "decelerated");
    /* A report from before, and one that still has it, free nothing. */
    auto_observed struct observed *busy = agent_observed(&fleet, agent);
    busy->ports[0].has_claim = true;
    busy->ports[0].phase = PORT_CLEANING;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", busy), 0);
    auto_observed struct observed *old = agent_observed(&fleet, agent);
    old->ports[0].has_claim = false;
    old->ports[0].revision.revision--;
    ck_assert_int_eq(fleet_observe(&fleet, "h1", old), 0);
    ck_assert(vm_now(&fleet, vm)->ports[0].has_claim);
    struct revision told = fleet_view(&fleet, "h1")->revision;
    fleet_report(&fleet, "h1");
    ck_assert(!vm_now(&fleet, vm)->ports[0].has_claim);
    ck_assert_uint_eq(fleet_view(&fleet, "h1")->claim_count, 0);
    ck_assert_str_eq(fleet_event(&fleet, "PortDecelerated")->reason,
                     "ProvenClean");
    /* The agent is told, so that another port may have the VF. */
    auto_desired struct desired *part = document(&fleet, "h1", told);
    ck_assert_uint_eq(part->port_count, 1);
    ck_assert(!part->ports[0].has_claim);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_accelerated_port_claims_a_vf_of_its_host)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    fleet_host(&fleet, "h2", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    struct vm *vm = fleet_place(&fleet, &request);
    const struct uuid *port = &vm->ports[0].id;
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(accelerate(&fleet, port, NULL), 0); /* it is on one */
    ck_assert_int_eq(decelerate(&fleet, port), 1);
    fleet_report(&fleet, vm->host);
    fleet_report(&fleet, vm->host);
    ck_assert_int_eq(accelerate(&fleet, port, NULL), 1);
    const struct port *now = &vm_now(&fleet, vm)->ports[0];
    ck_assert(now->has_claim && !now->decelerated && !now->degraded);
    ck_assert_int_eq(now->path, PATH_VF);
    ck_assert_str_eq(now->degraded_reason, "");
    ck_assert_int_eq(mac_compare(&now->mac, &vm->ports[0].mac), 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vf_that_is_being_given_up_is_kept_when_the_port_is_accelerated)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    struct vm *vm = fleet_place(&fleet, &request);
    const struct uuid *port = &vm->ports[0].id;
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(decelerate(&fleet, port), 1);
    auto_observed struct observed *clean = agent_observed(&fleet, agent);
    ck_assert_int_eq(accelerate(&fleet, port, NULL), 1);
    ck_assert_int_eq(fleet_observe(&fleet, "h1", clean), 0); /* too late */
    const struct port *now = &vm_now(&fleet, vm)->ports[0];
    ck_assert(now->has_claim && now->path == PATH_VF);
    ck_assert_uint_eq(now->claim.vf_index, vm->ports[0].claim.vf_index);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(without_a_fitting_vf_of_the_host_the_reasons_are_told)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm *vms[3];
    for (int i = 0; i < 3; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "web-%d", i);
        struct vm_request request = failover_request(name);
        vms[i] = fleet_place(&fleet, &request);
    }
    fleet_host(&fleet, "h2", 1, one_pf);
    fleet_report(&fleet, "h1");
    ck_assert(vms[2]->ports[0].degraded && !vms[2]->ports[0].has_claim);
    struct placement_reasons reasons = {0};
    ck_assert_int_eq(accelerate(&fleet, &vms[2]->ports[0].id, &reasons), -1);
    refused(&fleet, ERROR_NO_VALID_HOST, "no_free_vf");
    ck_assert_uint_eq(reasons.count, 1);
    ck_assert_str_eq(reasons.items[0].reason, "no_free_vf");
    ck_assert_str_eq(reasons.items[0].example_host, "h1");
    ck_assert_str_eq(reasons.items[0].example_pf, "0000:3b:00.0");
    /* It stays without: only said to be so by the operator. */
    ck_assert_int_eq(decelerate(&fleet, &vms[2]->ports[0].id), 1);
    ck_assert(vm_now(&fleet, vms[2])->ports[0].decelerated);
    for (int i = 0; i < 3; i++)
        ref_put(vms[i]);
    fleet_done(&fleet);
}
END_TEST

START_TEST(ports_with_one_path_are_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = vm_request("web-1", 2);
    request.ports[1].vnic_type = VNIC_NORMAL;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(decelerate(&fleet, &vm->ports[0].id), -1);
    refused(&fleet, ERROR_CONFLICT, "fallback is refuse");
    ck_assert_int_eq(accelerate(&fleet, &vm->ports[0].id, NULL), -1);
    ck_assert_int_eq(accelerate(&fleet, &vm->ports[1].id, NULL), -1);
    refused(&fleet, ERROR_CONFLICT, "normal");
    struct uuid unknown = {{1}};
    ck_assert_int_eq(accelerate(&fleet, &unknown, NULL), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    ck_assert_int_eq(decelerate(&fleet, &vm->ports[0].id), -1);
    refused(&fleet, ERROR_CONFLICT, "deleted");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(without_failover_the_path_changes_only_while_the_vm_is_off)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    request.ports[0].guest_failover = GUEST_FAILOVER_NONE;
    struct vm *vm = fleet_place(&fleet, &request);
    const struct uuid *port = &vm->ports[0].id;
    ck_assert_int_eq(decelerate(&fleet, port), -1);
    refused(&fleet, ERROR_CONFLICT, "not known");
    static const uint8_t running[] = {POWER_RUNNING, POWER_PAUSED};
    for (size_t i = 0; i < sizeof running; i++) {
        agent->power_state = running[i];
        fleet_report(&fleet, "h1");
        ck_assert_int_eq(decelerate(&fleet, port), -1);
        refused(&fleet, ERROR_CONFLICT, "while the VM is off");
    }
    agent->power_state = POWER_UNKNOWN;
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(decelerate(&fleet, port), -1);
    refused(&fleet, ERROR_CONFLICT, "not known");
    agent->power_state = POWER_SHUT_OFF;
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(decelerate(&fleet, port), 1);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_virtio_cannot_do_stays_on_its_vf)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    request.ports[0].guest_failover = GUEST_FAILOVER_NONE;
    request.ports[0].policy.set = POLICY_BIT(POLICY_TRUST);
    request.ports[0].policy.trust = true;
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "h1");
    ck_assert_int_eq(decelerate(&fleet, &vm->ports[0].id), -1);
    refused(&fleet, ERROR_CONFLICT, "trusted mode");
    ck_assert_str_eq(fleet.err.field, "policy.trust");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_failed_is_tried_again_when_it_is_said_again)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "h1", 1, one_pf);
    struct vm_request request = failover_request("web-1");
    struct vm *vm = fleet_place(&fleet, &request);
    auto_observed struct observed *stuck = agent_observed(&fleet, agent);
    stuck->ports[0].way.condition.status = CONDITION_FALSE;
    str_copy(stuck->ports[0].way.condition.reason, "VfNotInUse");
    ck_assert_int_eq(fleet_observe(&fleet, "h1", stuck), 0);
    ck_assert_int_eq(accelerate(&fleet, &vm->ports[0].id, NULL), 1);
    const struct port *now = &vm_now(&fleet, vm)->ports[0];
    ck_assert_int_gt(revision_compare(&now->revision, &vm->ports[0].revision),
                     0);
    ck_assert_uint_eq(now->claim.vf_index, vm->ports[0].claim.vf_index);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/ports",
           documents_tell_vms_with_their_domain_and_ports_with_their_wiring,
           vms_of_lifecycle_host_are_not_told,
           an_undone_power_leaves_no_trace_and_no_revision,
           a_managed_vm_stays_until_its_domain_is_gone,
           a_domain_may_be_gone_in_an_earlier_report_than_the_ports,
           an_external_vm_stays_while_its_agent_tells_of_its_domain,
           power_said_again_is_a_new_try,
           only_managed_vms_have_power_and_a_domain,
           a_decelerated_port_holds_its_vf_until_it_is_proven_clean,
           an_accelerated_port_claims_a_vf_of_its_host,
           a_vf_that_is_being_given_up_is_kept_when_the_port_is_accelerated,
           without_a_fitting_vf_of_the_host_the_reasons_are_told,
           ports_with_one_path_are_refused,
           without_failover_the_path_changes_only_while_the_vm_is_off,
           what_virtio_cannot_do_stays_on_its_vf,
           what_failed_is_tried_again_when_it_is_said_again);
