/* SPDX-License-Identifier: Apache-2.0 */
/* The domain XML by which a platform attaches a port: common/domain writes it,
 * here it is told what the port is and what its host has. */
#include "scheduler/handlers/api.h"

#include "common/base/str.h"
#include "common/domain/domain.h"

#include <string.h>

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
    if (host)
        host_view_port_network(host, port, out.network, &out.network_kind);
    /* Beside a VF, where the guest fails over; else instead of it. */
    out.virtio =
        *out.network &&
        (port->path == PATH_VIRTIO || port->vnic_type == VNIC_MACVTAP ||
         (out.hardware && port->guest_failover != GUEST_FAILOVER_NONE));
    if (port->macvtap_mode == MACVTAP_PASSTHROUGH)
        str_copy(out.network, vf_netdev(host, &port->claim));
    return domain_port_xml(&out);
}
