/* SPDX-License-Identifier: Apache-2.0 */
/* What libvirt is given of a VM: its whole definition, and a port's VF alone; and
 * whether all that the definition names is there. common/domain writes the XML. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static bool has_hardware(const struct desired_port *d)
{
    return (d->device || d->path == PATH_VF) && d->has_claim &&
           d->claim.has_address;
}

/* Beside a VF where the guest fails over; else instead of it. */
static bool has_leg(const struct desired_port *d)
{
    return !d->device && *d->network &&
           (d->path == PATH_VIRTIO || d->vnic_type == VNIC_MACVTAP ||
            (has_hardware(d) && d->guest_failover != GUEST_FAILOVER_NONE));
}

static struct domain_port port_of(const struct reconcile *r,
                                  const struct desired_port *d)
{
    struct domain_port out = {.id = d->id,
                              .device = d->device,
                              .vnic_type = d->vnic_type,
                              .guest_failover = d->guest_failover,
                              .macvtap_mode = d->macvtap_mode,
                              .policy = d->policy,
                              .hardware = has_hardware(d),
                              .address = d->claim.address,
                              .virtio = has_leg(d),
                              .network_kind = d->network_kind};
    str_copy(out.network, d->network);
    if (d->macvtap_mode == MACVTAP_PASSTHROUGH) {
        const struct vf *vf = vf_of(r, &d->claim.pf, d->claim.vf_index);
        str_copy(out.network, vf ? vf->netdev : "");
    }
    return out;
}

char *port_vf_xml(const struct desired_port *d)
{
    struct domain_port port = {.id = d->id,
                               .device = d->device,
                               .vnic_type = d->vnic_type,
                               .guest_failover = d->guest_failover,
                               .macvtap_mode = d->macvtap_mode,
                               .policy = d->policy,
                               .hardware = has_hardware(d),
                               .address = d->claim.address,
                               .virtio = has_leg(d),
                               .network_kind = d->network_kind};
    str_copy(port.network, d->network);
    return domain_vf_xml(&port);
}

char *vm_define(const struct reconcile *r, const struct vm_slot *vm,
                struct error *err)
{
    struct domain_identity identity = {.vm = vm->id,
                                       .name = vm->d.name,
                                       .vcpus = vm->d.vcpus,
                                       .memory_mib = vm->d.memory_mib};
    struct domain_port ports[VM_PORTS_MAX];
    size_t count = 0;
    if (!vm->d.domain_xml) {
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "the VM is managed and has no domain XML");
        return NULL;
    }
    for (size_t i = 0; i < r->want_count && count < VM_PORTS_MAX; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (uuid_equal(&d->vm, &vm->id) && !d->absent)
            ports[count++] = port_of(r, d);
    }
    return domain_define(vm->d.domain_xml->data, vm->d.domain_xml->length,
                         &identity, ports, count, err);
}

/* ---- may it start? ------------------------------------------------------------ */

static bool has_network(const struct reconcile *r, const char *device)
{
    for (size_t i = 0; r->facts && i < r->facts->network_count; i++) {
        if (strcmp(r->facts->networks[i].device, device) == 0)
            return true;
    }
    return false;
}

static bool port_is_ready(const struct reconcile *r, const struct want *want,
                          char *why, size_t size)
{
    const struct desired_port *d = &want->d;
    char id[UUID_TEXT_SIZE];
    if (has_leg(d) && !has_network(r, d->network)) {
        snprintf(why, size,
                 "port '%s': network device '%s' is not on the host; make it, "
                 "then the VM is started",
                 d->name, d->network);
        return false;
    }
    if (!d->has_claim || (!d->device && d->path != PATH_VF))
        return true;
    const struct entry *entry = entry_at(r, &d->claim.pf, d->claim.vf_index);
    bool ours = entry && uuid_equal(&entry->m.port, &d->id);
    bool proven = ours && entry->m.phase == MANAGED_APPLIED &&
                  revision_compare(&entry->m.revision, &d->revision) == 0 &&
                  claim_is_there(r, &d->claim) &&
                  (entry_is_bare(entry) ||
                   (entry->has_readback &&
                    apply_difference(entry, &entry->readback) == 0));
    if (proven)
        return true;
    const char *said = "";
    if (ours)
        said = entry->m.condition.message;
    else if (want->blocked)
        said = want->condition.message;
    snprintf(why, size, "port '%s' (%s): its VF is not yet proven: %.140s",
             d->name, uuid_format(&d->id, id), said);
    return false;
}

bool vm_ports_ready(const struct reconcile *r, const struct vm_slot *vm,
                    char *why, size_t size)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct want *want = &r->wants[i];
        if (uuid_equal(&want->d.vm, &vm->id) && !want->d.absent &&
            !port_is_ready(r, want, why, size))
            return false;
    }
    return true;
}
