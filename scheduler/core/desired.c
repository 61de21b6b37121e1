/* SPDX-License-Identifier: Apache-2.0 */
/* The document of a host: what of the state its agent is told, whole or what
 * changed. Read on any thread from a snapshot. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"

#include <string.h>

/* Whether a port of this kind has, or can have, a virtio leg or a macvtap on a
 * device of the host. */
static bool has_leg(const struct port *port)
{
    if (port->device || port->vnic_type == VNIC_DIRECT_PHYSICAL ||
        port->macvtap_mode == MACVTAP_PASSTHROUGH)
        return false;
    return port->vnic_type != VNIC_DIRECT || port->path == PATH_VIRTIO ||
           port->fallback == FALLBACK_VIRTIO ||
           port->guest_failover != GUEST_FAILOVER_NONE;
}

/* Without a report only the operator's word is there, which is about bridges. */
static bool can_be_on(const struct inventory *inventory,
                      const struct port *port, const char *device,
                      uint8_t *kind)
{
    bool macvtap = port->vnic_type == VNIC_MACVTAP;
    for (size_t i = 0; inventory && i < inventory->network_count; i++) {
        const struct network *network = &inventory->networks[i];
        *kind = network->kind;
        if (strcmp(network->device, device) == 0)
            return macvtap == (network->kind == SWITCH_MACVTAP);
    }
    *kind = SWITCH_LINUX_BRIDGE;
    return !inventory && !macvtap;
}

void host_view_port_network(const struct host_view *host,
                            const struct port *port,
                            char network[NETDEV_NAME_SIZE], uint8_t *kind)
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    str_copy_bounded(network, NETDEV_NAME_SIZE, port->network);
    *kind = port->network_kind;
    if (*network || !has_leg(port))
        return;
    for (size_t i = 0; i < host->host->mapping_count; i++) {
        const struct network_mapping *mapping = &host->host->mappings[i];
        if (*port->physical_network &&
            strcmp(mapping->physical_network, port->physical_network) != 0)
            continue;
        if (can_be_on(inventory, port, mapping->device, kind)) {
            str_copy_bounded(network, NETDEV_NAME_SIZE, mapping->device);
            return;
        }
    }
    *kind = SWITCH_LINUX_BRIDGE;
}

static void add_port(struct desired *desired, const struct host_view *view,
                     const struct vm *vm, const struct port *port)
{
    struct desired_port *wanted = &desired->ports[desired->port_count++];
    *wanted = (struct desired_port){
        .id = port->id,
        .vm = vm->id,
        .absent = vm->state == VM_DELETING,
        .path = port->path,
        .has_claim = port->has_claim,
        .claim = port->claim,
        .device = port->device,
        .policy = port->policy,
        .vnic_type = port->vnic_type,
        .fallback = port->fallback,
        .guest_failover = port->guest_failover,
        .macvtap_mode = port->macvtap_mode,
        .revision = port->revision,
    };
    str_copy(wanted->name, port->name);
    host_view_port_network(view, port, wanted->network, &wanted->network_kind);
}

static void add_vm(struct desired *desired, const struct vm *vm)
{
    struct desired_vm *wanted = &desired->vms[desired->vm_count++];
    bool managed = vm_is_managed(vm);
    *wanted = (struct desired_vm){
        .id = vm->id,
        .absent = vm->state == VM_DELETING,
        .lifecycle = managed ? LIFECYCLE_MANAGED : LIFECYCLE_EXTERNAL,
        .role = VM_ROLE_OWN,
        .power_on = managed && vm->power_on,
        .vcpus = vm->vcpus,
        .memory_mib = vm->memory_mib,
        .domain_xml = managed ? ref_get(vm->domain_xml) : NULL,
        .revision = vm->revision,
    };
    str_copy(wanted->name, vm->name);
}

/* Visit the VMs newer than 'after'. A zero revision (of data from before VMs
 * had one) is in whole documents only. */
static size_t each_vm(const struct snapshot *snapshot,
                      const struct host_view *view,
                      const struct revision *after, bool full,
                      struct desired *desired)
{
    size_t count = 0;
    for (size_t i = 0; i < view->vm_count; i++) {
        const struct vm *vm = state_vm(&snapshot->state, &view->vms[i]);
        if (!vm || vm->lifecycle == LIFECYCLE_HOST ||
            (!full && revision_compare(&vm->revision, after) <= 0))
            continue;
        count++;
        if (desired)
            add_vm(desired, vm);
    }
    return count;
}

/* Visit the ports newer than 'after' (zero: all); count them, and add them to
 * 'desired' if it is there. */
static size_t each_port(const struct snapshot *snapshot,
                        const struct host_view *view,
                        const struct revision *after, struct desired *desired)
{
    size_t count = 0;
    for (size_t i = 0; i < view->vm_count; i++) {
        const struct vm *vm = state_vm(&snapshot->state, &view->vms[i]);
        for (size_t j = 0; vm && j < vm->port_count; j++) {
            if (revision_compare(&vm->ports[j].revision, after) <= 0)
                continue;
            count++;
            if (desired)
                add_port(desired, view, vm, &vm->ports[j]);
        }
    }
    return count;
}

/* The same for PF settings. A zero revision (of data that is older than settings
 * with revisions) is in whole documents only. */
static size_t each_setting(const struct host *host,
                           const struct revision *after, bool full,
                           struct desired *desired)
{
    size_t count = 0;
    for (size_t i = 0; i < host->pf_setting_count; i++) {
        const struct pf_setting *setting = &host->pf_settings[i];
        if (!full && revision_compare(&setting->revision, after) <= 0)
            continue;
        if (desired)
            desired->pfs[count] = (struct desired_pf){
                .key = setting->key,
                .allowed = setting->allowed,
                .has_num_vfs = setting->has_num_vfs,
                .num_vfs = setting->num_vfs,
                .autoprobe = setting->autoprobe,
                .bridge_mode = setting->bridge_mode,
                .revision = setting->revision,
            };
        count++;
    }
    return count;
}

struct desired *snapshot_desired(const struct snapshot *snapshot,
                                 const char *host, struct revision after)
{
    const struct host_view *view = state_host(&snapshot->state, host);
    if (!view)
        return NULL;
    bool full = after.epoch != view->revision.epoch ||
                revision_compare(&after, &view->revision) > 0;
    if (full)
        after = (struct revision){0};
    bool nothing = !full && revision_compare(&after, &view->revision) == 0;
    size_t count = nothing ? 0 : each_port(snapshot, view, &after, NULL);
    size_t settings =
        nothing ? 0 : each_setting(view->host, &after, full, NULL);
    size_t vms = nothing ? 0 : each_vm(snapshot, view, &after, full, NULL);
    struct desired *desired = desired_new(count, settings, vms);
    desired->port_count = 0;
    desired->vm_count = 0;
    if (snapshot->state.cluster)
        desired->cluster_id = snapshot->state.cluster->id;
    memcpy(desired->host, view->host->name, sizeof desired->host);
    desired->revision = view->revision;
    desired->full = full;
    if (count)
        each_port(snapshot, view, &after, desired);
    if (settings)
        each_setting(view->host, &after, full, desired);
    if (vms)
        each_vm(snapshot, view, &after, full, desired);
    return desired;
}
