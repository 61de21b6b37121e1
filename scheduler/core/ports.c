/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of VMs that run: power, and the path of each port. Claims of
 * VFs that are given up go here, once the agent proved them clean. */
#include "scheduler/core/observe.h"
#include "scheduler/core/request.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <string.h>

/* ---- power --------------------------------------------------------------------- */

int core_vm_power(struct core *core, const struct core_call *call,
                  const struct uuid *id, uint64_t generation, bool on,
                  struct tx *tx, struct error *err)
{
    struct vm *old = state_vm(&core->state, id);
    char text[UUID_TEXT_SIZE];
    if (!old)
        return error_set(err, ERROR_NOT_FOUND, "no VM %s",
                         uuid_format(id, text));
    if (core_check_vm_generation(old, generation, err))
        return -1;
    if (old->state == VM_DELETING)
        return error_set_field(err, ERROR_CONFLICT, "power",
                               "VM '%s' is being deleted", old->name);
    if (!vm_is_managed(old)) {
        error_fill(err, ERROR_CONFLICT, 0, "power",
                   "VM '%s' is not started and stopped by us: %s", old->name,
                   old->lifecycle == LIFECYCLE_MANAGED
                       ? "it has no domain_xml"
                       : vm_lifecycle_name((enum vm_lifecycle)old->lifecycle));
        error_remedy(err, "start and stop it where it was started, or create "
                          "it with lifecycle managed and a domain_xml");
        return -1;
    }
    struct vm *vm = vm_dup(old);
    vm->power_on = on;
    vm->generation++;
    vm->revision =
        core_next_revision(core, state_host(&core->state, old->host));
    core_change(core, tx, RECORD_VM, old, vm);
    core_event(core, call, tx,
               (struct event_about){.host = vm->host, .vm = &vm->id},
               on ? "VmStarting" : "VmStopping", "Requested",
               on ? "VM '%s' is to be started on host '%s'"
                  : "VM '%s' is to be shut down on host '%s'",
               vm->name, vm->host);
    return 0;
}

/* ---- which ports have two paths -------------------------------------------------- */

static int refuse(struct error *err, const struct vm *vm,
                  const struct port *port, const char *why, const char *remedy)
{
    error_fill(err, ERROR_CONFLICT, 0, "", "port '%s' of VM '%s' %s",
               port->name, vm->name, why);
    error_remedy(err, "%s", remedy);
    return -1;
}

static const char *only_path(const struct port *port)
{
    if (port->device)
        return "is a device: it has no path but its VF";
    if (port->vnic_type == VNIC_DIRECT_PHYSICAL)
        return "is a whole PF: it has no other path";
    if (port->vnic_type == VNIC_MACVTAP)
        return "is a macvtap: it has no other path";
    if (port->vnic_type == VNIC_NORMAL)
        return "is of vnic_type normal: it never has a VF";
    if (port->fallback != FALLBACK_VIRTIO)
        return "has no virtio path: its fallback is refuse";
    return NULL;
}

/* Without failover in the guest only one device can be there at a time, and a
 * running guest would lose the one it has. Where nobody knows whether it runs,
 * it may. */
static int check_failover(const struct host_view *view, const struct vm *vm,
                          const struct port *port, struct error *err)
{
    const struct observed_vm *seen = host_view_vm(view, &vm->id);
    if (port->guest_failover != GUEST_FAILOVER_NONE ||
        vm->lifecycle == LIFECYCLE_HOST)
        return 0;
    if (!seen || seen->power_state == POWER_UNKNOWN)
        return refuse(err, vm, port,
                      "has guest_failover none, and it is not known whether "
                      "the VM runs",
                      "try again when the host's agent and libvirt answer");
    if (power_state_is_active((enum power_state)seen->power_state))
        return refuse(err, vm, port,
                      "has guest_failover none: its path changes only while "
                      "the VM is off",
                      "shut the VM down first, or create its port with "
                      "guest_failover net_failover or bond");
    return 0;
}

/* NULL = refused. */
static struct vm *find_switchable(struct core *core, const struct uuid *id,
                                  uint64_t generation, size_t *index,
                                  struct error *err)
{
    char text[UUID_TEXT_SIZE];
    struct vm *vm = state_port(&core->state, id, index);
    if (!vm) {
        error_fill(err, ERROR_NOT_FOUND, 0, "port", "no port %s",
                   uuid_format(id, text));
        error_remedy(err, "see GET /v1/ports for the ids");
        return NULL;
    }
    const struct port *port = &vm->ports[*index];
    const char *why = only_path(port);
    if (core_check_vm_generation(vm, generation, err))
        return NULL;
    if (vm->state == VM_DELETING) {
        refuse(err, vm, port, "goes: the VM is being deleted",
               "create the VM again when it is gone");
        return NULL;
    }
    if (why) {
        refuse(err, vm, port, why,
               "only ports of vnic_type direct with fallback virtio can "
               "change their path");
        return NULL;
    }
    return vm;
}

/* The agent tried what is wanted now, and says that it does not go. */
static bool has_failed(const struct host_view *view, const struct port *port)
{
    const struct observed_port *seen = host_view_port(view, &port->id);
    return seen && revision_compare(&seen->revision, &port->revision) >= 0 &&
           (seen->phase == PORT_FAILED ||
            seen->way.condition.status == CONDITION_FALSE);
}

/* The VM with a changed port, as a new object. */
static struct port *change_port(struct core *core, const struct vm *old,
                                size_t index, struct vm **vm)
{
    *vm = vm_dup(old);
    struct port *port = &(*vm)->ports[index];
    (*vm)->generation++;
    port->revision =
        core_next_revision(core, state_host(&core->state, old->host));
    return port;
}

static void commit_port(struct core *core, const struct core_call *call,
                        struct tx *tx, const struct vm *old, struct vm *vm,
                        const struct port *port, const char *type,
                        const char *reason, const char *what)
{
    char text[PCI_TEXT_SIZE] = "";
    if (port->has_claim && port->claim.has_address)
        pci_format(&port->claim.address, text);
    core_change(core, tx, RECORD_VM, old, vm);
    core_event(core, call, tx,
               (struct event_about){vm->host, &vm->id, &port->id}, type, reason,
               "port '%s' of VM '%s' %s%s%s", port->name, vm->name, what,
               *text ? " " : "", text);
}

/* ---- onto a VF --------------------------------------------------------------------- */

/* What placement would look for, if this port alone were asked for on its host,
 * and on its network. */
static void want_again(const struct core *core, const struct vm *vm,
                       const struct port *port, struct vm_request *request,
                       struct want *want)
{
    *request = (struct vm_request){
        .lifecycle = vm->lifecycle,
        .strategy = vm->strategy,
        .port_count = 1,
    };
    str_copy(request->name, vm->name);
    str_copy(request->host, vm->host);
    struct port_request *asked = &request->ports[0];
    *asked = (struct port_request){
        .has_mac = true,
        .mac = port->mac,
        .vnic_type = port->vnic_type,
        .fallback = port->fallback,
        .guest_failover = port->guest_failover,
        .policy = port->policy,
        .require_vendor_id = port->require_vendor_id,
        .require_device_id = port->require_device_id,
        .require_capabilities = port->require_capabilities,
    };
    str_copy(asked->name, port->name);
    str_copy(asked->physical_network, port->physical_network);
    request_want(request, want);
    want->macs = &core->macs;
    want->ports[0].same_network = true;
    want->ports[0].needs_network = false; /* it has its leg */
}

static bool is_better(const struct vm *vm, const struct pf_slot *pf,
                      const struct pf_slot *best)
{
    if (pf->class->link_up != best->class->link_up)
        return pf->class->link_up;
    return vm->strategy == STRATEGY_PACK ? pf->free < best->free
                                         : pf->free > best->free;
}

static int claim_vf(struct core *core, const struct vm *vm,
                    const struct port *port, struct claim *claim,
                    struct placement_reasons *reasons, struct error *err)
{
    struct vm_request request;
    struct want want;
    struct port_plan plan = {0};
    struct placement_reasons own = {0};
    want_again(core, vm, port, &request, &want);
    want.number = ++core->decisions;
    struct slot *slot = index_slot(&core->index, vm->host);
    for (size_t i = 0; slot && i < slot->pf_count; i++)
        if (placement_pf_fits(&want, 0, slot->pfs[i]) &&
            (!plan.pf || is_better(vm, slot->pfs[i], plan.pf)))
            plan.pf = slot->pfs[i];
    if (plan.pf) {
        plan.position = pf_slot_free_vf(plan.pf, 0);
        *claim = placement_claim(&want.ports[0], &plan);
        return 0;
    }
    if (!reasons)
        reasons = &own;
    explain_on_host(&want, slot, reasons);
    return error_set(err, ERROR_NO_VALID_HOST,
                     "no VF of host '%s' fits port '%s' of VM '%s'%s%s",
                     vm->host, port->name, vm->name, reasons->count ? ": " : "",
                     reasons->count ? reasons->items[0].reason : "");
}

int core_port_accelerate(struct core *core, const struct core_call *call,
                         const struct uuid *id, uint64_t generation,
                         struct tx *tx, bool *changed,
                         struct placement_reasons *reasons, struct error *err)
{
    size_t index = 0;
    struct vm *old = find_switchable(core, id, generation, &index, err);
    if (!old)
        return -1;
    const struct host_view *view = state_host(&core->state, old->host);
    const struct port *was = &old->ports[index];
    bool again = was->path == PATH_VF && was->has_claim;
    *changed = !again || has_failed(view, was);
    if (!*changed)
        return 0;
    if (!again && check_failover(view, old, was, err))
        return -1;
    struct claim claim = was->claim;
    if (!was->has_claim && claim_vf(core, old, was, &claim, reasons, err))
        return -1;
    struct vm *vm = NULL;
    struct port *port = change_port(core, old, index, &vm);
    port->path = PATH_VF;
    port->decelerated = port->degraded = false;
    port->degraded_reason[0] = '\0';
    port->has_claim = true;
    port->claim = claim;
    commit_port(core, call, tx, old, vm, port, "PortAccelerating",
                again ? "TriedAgain" : "Requested", "goes onto VF");
    return 0;
}

/* ---- onto virtio --------------------------------------------------------------------- */

/* The leg that is beside the VF is there; the one instead of it must be able to
 * do what is asked for. */
static int check_virtio(const struct host_view *view, const struct vm *vm,
                        const struct port *port, struct error *err)
{
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    char network[NETDEV_NAME_SIZE];
    uint8_t kind = 0;
    if (!virtio_path_allows(&port->policy, &field, &why)) {
        error_fill(err, ERROR_CONFLICT, 0, policy_field_name(field),
                   "port '%s' of VM '%s' can't go onto virtio: %s", port->name,
                   vm->name, why);
        error_prefix_field(err, "policy");
        error_remedy(err, "only a VF can do this: leave the port on it");
        return -1;
    }
    host_view_port_network(view, port, network, &kind);
    if (!*network)
        return refuse(err, vm, port,
                      "can't go onto virtio: its network is not on the host",
                      "map a bridge of the host to its physical_network");
    return 0;
}

int core_port_decelerate(struct core *core, const struct core_call *call,
                         const struct uuid *id, uint64_t generation,
                         struct tx *tx, bool *changed, struct error *err)
{
    size_t index = 0;
    struct vm *old = find_switchable(core, id, generation, &index, err);
    if (!old)
        return -1;
    const struct host_view *view = state_host(&core->state, old->host);
    const struct port *was = &old->ports[index];
    bool again = was->path == PATH_VIRTIO && was->decelerated;
    *changed = !again || has_failed(view, was);
    if (!*changed)
        return 0;
    /* One that never got its VF only learns that it is to stay without. */
    if (was->path == PATH_VF && (check_failover(view, old, was, err) ||
                                 check_virtio(view, old, was, err)))
        return -1;
    struct vm *vm = NULL;
    struct port *port = change_port(core, old, index, &vm);
    port->path = PATH_VIRTIO;
    port->decelerated = port->degraded = true;
    str_copy(port->degraded_reason, "decelerated");
    host_view_port_network(view, was, port->network, &port->network_kind);
    commit_port(core, call, tx, old, vm, port, "PortDecelerating",
                again ? "TriedAgain" : "Requested",
                port->has_claim ? "goes onto virtio and gives up VF"
                                : "stays on virtio");
    return 0;
}

/* ---- VFs that are given up ------------------------------------------------------------- */

static bool is_given_up(const struct core *core,
                        const struct host_report *report,
                        const struct observed_port *seen, struct vm **vm,
                        size_t *index)
{
    if (seen->has_claim || seen->phase == PORT_UNKNOWN)
        return false;
    *vm = state_port(&core->state, &seen->id, index);
    if (!*vm || (*vm)->state == VM_DELETING ||
        strcmp((*vm)->host, report->host) != 0)
        return false;
    const struct port *port = &(*vm)->ports[*index];
    return port_can_fall_back(port) && port->path == PATH_VIRTIO &&
           port->has_claim &&
           revision_compare(&seen->revision, &port->revision) >= 0;
}

void ports_release_claims(struct core *core, const struct core_call *call,
                          struct tx *tx, const struct host_report *report)
{
    if (!core->state.cluster ||
        !uuid_equal(&report->cluster_id, &core->state.cluster->id))
        return;
    for (size_t i = 0; i < report->port_count; i++) {
        struct vm *old = NULL, *vm = NULL;
        size_t index = 0;
        if (!is_given_up(core, report, &report->ports[i], &old, &index))
            continue;
        struct port *port = change_port(core, old, index, &vm);
        port->has_claim = false;
        port->claim = (struct claim){.numa_node = -1};
        commit_port(core, call, tx, old, vm, port, "PortDecelerated",
                    "ProvenClean", "is on virtio, its VF is free");
    }
}
