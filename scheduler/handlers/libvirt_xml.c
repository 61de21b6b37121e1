/* SPDX-License-Identifier: Apache-2.0 */
/* The domain XML by which a platform attaches a port: common/domain writes it,
 * here it is told what the port is and what its host has. */
#include "scheduler/handlers/api.h"

#include "common/base/str.h"
#include "common/domain/domain.h"

#include <string.h>

/* The switch of the host that is mapped to the port's physical network; for a
 * macvtap a device that one can sit on. */
static const struct network *find_network(const struct host_view *host,
                                          const struct port *port)
{
    const struct inventory *inventory =
        host && host->report ? host->report->inventory : NULL;
    bool macvtap = port->vnic_type == VNIC_MACVTAP;
    for (size_t i = 0; host && i < host->host->mapping_count; i++) {
        const struct network_mapping *mapping = &host->host->mappings[i];
        if (*port->physical_network &&
            strcmp(mapping->physical_network, port->physical_network) != 0)
            continue;
        for (size_t j = 0; inventory && j < inventory->network_count; j++) {
            const struct network *network = &inventory->networks[j];
            if (strcmp(network->device, mapping->device) == 0 &&
                (network->kind == SWITCH_MACVTAP) == macvtap)
                return network;
        }
    }
    return NULL;
}

/* The netdev of a claimed VF, where the host's driver made one; "" = none. */
static const char *vf_netdev(const struct host_view *host,
                             const struct claim *claim)
{
    const struct inventory *inventory =
        host && host->report ? host->report->inventory : NULL;
    const struct pf *pf =
        inventory ? inventory_pf(inventory, &claim->pf) : NULL;
    const struct vf *vf = pf ? pf_vf(pf, claim->vf_index) : NULL;
    return vf ? vf->netdev : "";
}

char *libvirt_xml(const struct host_view *host, const struct port *port)
{
    bool on_vf = port->device || port->path == PATH_VF;
    struct domain_port out = {
        .id = port->id,
        .device = port->device,
        .vnic_type = port->vnic_type,
        .guest_failover = port->guest_failover,
        .macvtap_mode = port->macvtap_mode,
        .policy = port->policy,
        .hardware = on_vf && port->has_claim && port->claim.has_address,
        .address = port->claim.address,
    };
    const struct network *network =
        port->device ? NULL : find_network(host, port);
    /* Beside a VF, where the guest fails over; else instead of it. */
    out.virtio =
        network &&
        (port->path == PATH_VIRTIO || port->vnic_type == VNIC_MACVTAP ||
         (out.hardware && port->guest_failover != GUEST_FAILOVER_NONE));
    if (out.virtio) {
        str_copy(out.network, network->device);
        out.network_kind = network->kind;
    }
    if (port->macvtap_mode == MACVTAP_PASSTHROUGH)
        str_copy(out.network, vf_netdev(host, &port->claim));
    return domain_port_xml(&out);
}
