/* SPDX-License-Identifier: Apache-2.0 */
/* VMs: create (place and claim) and delete. */
#include "scheduler/core/request.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- who has what ------------------------------------------------------------- */

/* The VM that was made with this key: true if the request is answered by it
 * (*vm) or refused (err). */
static bool find_repeated(const struct core *core,
                          const struct vm_request *request, struct vm **vm,
                          int *result, struct error *err)
{
    const char *key = request->idempotency_key;
    struct vm *made = *key ? omap_get(&core->keys, key, strlen(key)) : NULL;
    if (!made)
        return false;
    if (made->request_hash != request->request_hash) {
        error_fill(err, ERROR_IDEMPOTENCY_CONFLICT, 0, "",
                   "key '%s' made VM '%s' from another request", key,
                   made->name);
        error_remedy(err, "use a new Idempotency-Key for each new request");
        *result = -1;
        return true;
    }
    *vm = ref_get(made);
    *result = 0;
    return true;
}

static int check_unique(const struct core *core,
                        const struct vm_request *request, struct error *err)
{
    const struct vm *same_name = state_vm_by_name(&core->state, request->name);
    char id[UUID_TEXT_SIZE];
    if (request->has_id && state_vm(&core->state, &request->id))
        return error_set_field(err, ERROR_CONFLICT, "id",
                               "there is a VM with id %s already",
                               uuid_format(&request->id, id));
    if (same_name && same_name->state != VM_DELETING)
        return error_set_field(err, ERROR_DUPLICATE_NAME, "name",
                               "there is a VM '%s' already: %s", request->name,
                               uuid_format(&same_name->id, id));
    if (*request->host && !state_host(&core->state, request->host))
        return error_set_field(err, ERROR_NOT_FOUND, "host", "no host '%s'",
                               request->host);
    return 0;
}

static int refuse_mac(const struct want *want, size_t index,
                      const struct vm *owner, const char *network,
                      struct error *err)
{
    const struct port_want *port = &want->ports[index];
    char field[MEMBER_PATH_SIZE + 8], text[MAC_TEXT_SIZE];
    char member[MEMBER_PATH_SIZE];
    snprintf(field, sizeof field, "%s.mac",
             request_member(want->request, index, member));
    error_fill(err, ERROR_MAC_IN_USE, 0, field,
               "%s is in use by VM '%s'%s on physical network '%s'",
               mac_format(&port->mac, text), owner->name,
               owner->state == VM_DELETING ? " (being deleted)" : "", network);
    error_remedy(err, owner->state == VM_DELETING
                          ? "wait until that VM is gone"
                          : "leave the MAC out to get a fresh one");
    return -1;
}

/* The first use of a MAC on any physical network; *network is borrowed. */
static const struct vm *find_mac(const struct core *core, const struct mac *mac,
                                 char network[NAME_SIZE])
{
    struct mac_key start = mac_key_of(mac, "");
    const struct vm *vm = omap_get(&core->macs, start.bytes, start.length);
    network[0] = '\0';
    if (vm)
        return vm;
    const void *key = NULL;
    size_t length = 0;
    vm = omap_after(&core->macs, start.bytes, start.length, &key, &length);
    if (!vm || memcmp(key, mac->bytes, sizeof mac->bytes) != 0)
        return NULL;
    memcpy(network, (const char *)key + sizeof mac->bytes,
           length - sizeof mac->bytes);
    network[length - sizeof mac->bytes] = '\0';
    return vm;
}

static bool mac_is_chosen(const struct want *want, size_t count,
                          const struct mac *mac)
{
    for (size_t i = 0; i < count; i++)
        if (mac_compare(&want->ports[i].mac, mac) == 0)
            return true;
    return false;
}

/* Given MACs must be free where they are asked for; the others get a fresh one
 * that nobody has anywhere. */
static int settle_macs(const struct core *core, const struct core_call *call,
                       struct want *want, struct error *err)
{
    char network[NAME_SIZE];
    for (size_t i = 0; i < want->count; i++) {
        struct port_want *port = &want->ports[i];
        const char *asked = port->request->physical_network;
        if (mac_is_zero(&port->mac))
            continue;
        struct mac_key key = mac_key_of(&port->mac, asked);
        const struct vm *owner = omap_get(&core->macs, key.bytes, key.length);
        if (*asked && owner)
            return refuse_mac(want, i, owner, asked, err);
        port->mac_used = !*asked && find_mac(core, &port->mac, network) != NULL;
    }
    for (size_t i = 0; i < want->count; i++) {
        struct port_want *port = &want->ports[i];
        if (!mac_is_zero(&port->mac) || port->request->device)
            continue;
        struct mac mac = mac_make(call->rng);
        while (mac_is_chosen(want, want->count, &mac) ||
               find_mac(core, &mac, network))
            mac = mac_make(call->rng);
        port->mac = port->policy.mac = mac;
    }
    return 0;
}

/* ---- no host --------------------------------------------------------------------- */

/* If only a MAC in use stands in the way, that is the answer. */
static int refuse_used_mac(struct core *core, struct want *want,
                           struct error *err)
{
    struct plan plan;
    struct want without = *want;
    size_t used = want->count;
    for (size_t i = want->count; i > 0; i--) {
        if (want->ports[i - 1].mac_used)
            used = i - 1;
        without.ports[i - 1].mac_used = false;
    }
    if (used == want->count || !placement_find(core, &without, &plan))
        return 0;
    char network[NAME_SIZE];
    const struct vm *owner = find_mac(core, &want->ports[used].mac, network);
    return owner ? refuse_mac(want, used, owner, network, err) : 0;
}

static int refuse_placement(struct core *core, struct want *want,
                            struct placement_reasons *reasons,
                            struct error *err)
{
    struct placement_reasons own = {0};
    if (!reasons)
        reasons = &own;
    if (refuse_used_mac(core, want, err))
        return -1;
    explain_hosts(core, want, reasons);
    auto_str struct str text = {0};
    for (size_t i = 0; i < reasons->count && i < 3; i++) {
        const struct placement_reason *reason = &reasons->items[i];
        str_printf(&text, "%s%s%s%s%s on %" PRIu64 " host%s", i ? ", " : ": ",
                   reason->reason, *reason->field ? " (" : "", reason->field,
                   *reason->field ? ")" : "", reason->hosts,
                   reason->hosts == 1 ? "" : "s");
    }
    if (!reasons->count)
        return error_set(err, ERROR_NO_VALID_HOST, "no host is enrolled");
    return error_set(err, ERROR_NO_VALID_HOST, "no host fits VM '%s'%s",
                     want->request->name, str_text(&text));
}

/* ---- create ------------------------------------------------------------------------ */

/* The MAC that the guest will have: a whole PF's is its own, unless one was
 * given, or another port of the VM has it (two PFs with one MAC). */
static struct mac final_mac(const struct want *want, const struct plan *plan,
                            size_t index, const struct port *made)
{
    const struct port_want *wanted = &want->ports[index];
    if (!wanted->own_mac || mac_is_zero(&plan->ports[index].pf->pf->mac))
        return wanted->mac;
    struct mac own = plan->ports[index].pf->pf->mac;
    bool taken = false;
    for (size_t i = 0; i < want->count; i++) {
        const struct mac *other =
            i < index ? &made[i].mac : &want->ports[i].mac;
        taken |= i != index && mac_compare(other, &own) == 0;
    }
    return taken ? wanted->mac : own;
}

/* 'made' is the VM's ports, those before 'index' are filled. */
static void fill_port(struct want *want, const struct plan *plan, size_t index,
                      struct port *made)
{
    struct port *port = &made[index];
    const struct port_want *wanted = &want->ports[index];
    const struct port_request *asked = wanted->request;
    const struct port_plan *planned = &plan->ports[index];
    request_port_name(want->request, index, port->name);
    port->device = asked->device;
    port->device_kind = asked->device_kind;
    if (!port->device) {
        port->mac = final_mac(want, plan, index, made);
        str_copy(port->physical_network, planned->network);
    }
    port->vnic_type = asked->vnic_type;
    port->fallback = asked->fallback;
    port->guest_failover = asked->guest_failover;
    port->macvtap_mode = asked->macvtap_mode;
    if (planned->device) {
        str_copy(port->network, planned->device->device);
        port->network_kind = planned->device->kind;
    }
    port->policy = wanted->policy;
    port->policy.mac = port->mac;
    port->require_vendor_id = asked->require_vendor_id;
    port->require_device_id = asked->require_device_id;
    port->require_capabilities = asked->require_capabilities;
    port->claim.numa_node = -1;
    if (planned->pf) {
        port->path = PATH_VF;
        port->has_claim = true;
        port->claim = placement_claim(wanted, planned);
        return;
    }
    port->path = PATH_VIRTIO;
    port->degraded = wanted->wants_vf;
    if (port->degraded)
        explain_port(want, index, plan->slot, port->degraded_reason,
                     sizeof port->degraded_reason);
}

static struct vm *make_vm(const struct core *core, const struct core_call *call,
                          struct want *want, const struct plan *plan)
{
    const struct vm_request *request = want->request;
    const struct host_view *view = plan->slot->view;
    struct vm *vm = vm_new(want->count);
    vm->id = request->has_id ? request->id : uuid_make(call->now_ns, call->rng);
    str_copy(vm->name, request->name);
    vm->vcpus = request->vcpus;
    vm->memory_mib = request->memory_mib;
    vm->lifecycle = request->lifecycle;
    vm->strategy = request->strategy;
    vm->state = VM_CLAIMED;
    vm->generation = 1;
    vm->created_at = call->now_ns;
    str_copy(vm->host, view->host->name);
    str_copy(vm->idempotency_key, request->idempotency_key);
    vm->request_hash = request->request_hash;
    vm->domain_xml = ref_get(request->domain_xml);
    vm->power_on = request->power_on;
    vm->revision = core_next_revision(core, view);
    for (size_t i = 0; i < want->count; i++) {
        vm->ports[i].id = uuid_make(call->now_ns, call->rng);
        fill_port(want, plan, i, vm->ports);
        vm->ports[i].revision = core_next_revision(core, view);
    }
    return vm;
}

static void event_claimed(struct core *core, const struct core_call *call,
                          struct tx *tx, const struct vm *vm)
{
    size_t vfs = 0, degraded = 0;
    for (size_t i = 0; i < vm->port_count; i++) {
        vfs += vm->ports[i].has_claim;
        degraded += vm->ports[i].degraded;
    }
    core_event(core, call, tx,
               (struct event_about){.host = vm->host, .vm = &vm->id},
               "VmClaimed", degraded ? "Degraded" : "Placed",
               "VM '%s' is on host '%s': %zu ports and devices, %zu of them "
               "hardware, %zu degraded",
               vm->name, vm->host, vm->port_count, vfs, degraded);
}

int core_vm_create(struct core *core, const struct core_call *call,
                   const struct vm_request *request, struct tx *tx,
                   struct vm **vm, bool *repeated,
                   struct placement_reasons *reasons, struct error *err)
{
    int result = 0;
    if (find_repeated(core, request, vm, &result, err)) {
        if (result == 0)
            *repeated = true;
        return result;
    }
    struct want want;
    struct plan plan;
    if (vm_request_check(request, err) || check_unique(core, request, err))
        return -1;
    request_want(request, &want);
    want.macs = &core->macs;
    if (settle_macs(core, call, &want, err))
        return -1;
    if (!placement_find(core, &want, &plan))
        return refuse_placement(core, &want, reasons, err);
    want.number = ++core->decisions; /* for explain_port */
    struct vm *made = make_vm(core, call, &want, &plan);
    *vm = ref_get(made);
    *repeated = false;
    core_change(core, tx, RECORD_VM, NULL, made);
    event_claimed(core, call, tx, made);
    return 0;
}

/* ---- delete ------------------------------------------------------------------------- */

void core_vm_remove(struct core *core, const struct core_call *call,
                    struct tx *tx, struct vm *vm, const char *why)
{
    ref_get(vm);
    core_change(core, tx, RECORD_VM, vm, NULL);
    core_event(
        core, call, tx, (struct event_about){.host = vm->host, .vm = &vm->id},
        "VmDeleted", why, "VM '%s' is gone from host '%s'", vm->name, vm->host);
    ref_put(vm);
}

int core_check_vm_generation(const struct vm *vm, uint64_t generation,
                             struct error *err)
{
    if (!generation || generation == vm->generation)
        return 0;
    error_fill(err, ERROR_CONCURRENT_UPDATE, 0, "",
               "VM '%s' has generation %" PRIu64 ", not %" PRIu64, vm->name,
               vm->generation, generation);
    error_remedy(err, "read the VM again and repeat the change");
    return -1;
}

int core_vm_delete(struct core *core, const struct core_call *call,
                   const struct uuid *id, uint64_t generation, struct tx *tx,
                   struct error *err)
{
    struct vm *old = state_vm(&core->state, id);
    char text[UUID_TEXT_SIZE];
    if (!old)
        return error_set(err, ERROR_NOT_FOUND, "no VM %s",
                         uuid_format(id, text));
    if (core_check_vm_generation(old, generation, err))
        return -1;
    if (old->state == VM_DELETING)
        return 0;
    const struct host_view *view = state_host(&core->state, old->host);
    bool known = view->report && report_vm(view->report, &old->id);
    struct vm *vm = vm_dup(old);
    vm->state = VM_DELETING;
    vm->generation++;
    vm->revision = core_next_revision(core, view);
    for (size_t i = 0; i < vm->port_count; i++)
        vm->ports[i].revision = core_next_revision(core, view);
    core_change(core, tx, RECORD_VM, old, vm);
    core_event(core, call, tx,
               (struct event_about){.host = vm->host, .vm = &vm->id},
               "VmDeleting", "Requested",
               "VM '%s' goes from host '%s' once its %zu ports are clean",
               vm->name, vm->host, vm->port_count);
    if (!vm->port_count && !known && !vm_is_managed(vm))
        core_vm_remove(core, call, tx, vm, "NothingToClean");
    return 0;
}
