/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a host's networks a port can sit on: the switch of its virtio leg, or
 * the device below its macvtap. Asked by placement for each host it looks at. */
#include "scheduler/core/placement.h"

#include <string.h>

bool placement_mac_taken(const struct want *want, const struct port_want *port,
                         const char *network)
{
    if (!port->mac_used)
        return false;
    struct mac_key key = mac_key_of(&port->mac, network);
    return omap_get(want->macs, key.bytes, key.length) != NULL;
}

static bool is_of_kind(const struct port_want *port,
                       const struct network *network)
{
    return port->macvtap == (network->kind == SWITCH_MACVTAP);
}

static bool holds_vlan(const struct port_want *port,
                       const struct network *network)
{
    return !port->needs_vlan || network->vlans;
}

static bool has_name(const struct slot *slot, const struct network *network,
                     const char *name)
{
    return !*name || strcmp(view_network_name(slot->view, network), name) == 0;
}

static const struct inventory *inventory_of(const struct slot *slot)
{
    return slot->view->report ? slot->view->report->inventory : NULL;
}

static bool is_uplink(const struct network *network, const struct pf *pf)
{
    return pf && *network->uplink &&
           (strcmp(network->uplink, pf->netdev) == 0 ||
            strcmp(network->uplink, pf->bond) == 0);
}

const struct network *placement_network(const struct port_want *port,
                                        const struct slot *slot,
                                        const char *name, const struct pf *pf)
{
    const struct inventory *inventory = inventory_of(slot);
    const struct network *first = NULL;
    for (size_t i = 0; inventory && i < inventory->network_count; i++) {
        const struct network *network = &inventory->networks[i];
        if (!is_of_kind(port, network) || !holds_vlan(port, network) ||
            !has_name(slot, network, name))
            continue;
        if (!pf || is_uplink(network, pf))
            return network;
        if (!first)
            first = network;
    }
    return first;
}

bool placement_lacks_vlan(const struct port_want *port, const struct slot *slot,
                          const char *name)
{
    const struct inventory *inventory = inventory_of(slot);
    bool there = false;
    for (size_t i = 0; inventory && i < inventory->network_count; i++)
        there |= is_of_kind(port, &inventory->networks[i]) &&
                 has_name(slot, &inventory->networks[i], name);
    return there && !placement_network(port, slot, name, NULL);
}

const struct network *placement_leg(const struct want *want, size_t port,
                                    const struct slot *slot)
{
    const struct port_want *wanted = &want->ports[port];
    const struct inventory *inventory = inventory_of(slot);
    const struct network *unnamed = NULL;
    if (*wanted->request->physical_network)
        return placement_network(wanted, slot,
                                 wanted->request->physical_network, NULL);
    for (size_t i = 0; inventory && i < inventory->network_count; i++) {
        const struct network *network = &inventory->networks[i];
        const char *name = view_network_name(slot->view, network);
        if (!is_of_kind(wanted, network) || !holds_vlan(wanted, network) ||
            placement_mac_taken(want, wanted, name))
            continue;
        if (*name)
            return network;
        unnamed = unnamed ? unnamed : network;
    }
    return unnamed;
}
