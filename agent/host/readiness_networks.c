/* SPDX-License-Identifier: Apache-2.0 */
/* Check of bridges: can ports with a VLAN, or the virtio legs of such, be there?
 * Only bridges that lead to a NIC are looked at, and none over which the host's
 * own traffic runs: what would be advised might cut the host off. */
#include "agent/host/readiness_parts.h"

#include "agent/host/bridge_vlans.h"
#include "agent/host/topology.h"

#include <stdio.h>

struct over {
    const struct scan *scan;
    bool management;
};

static void on_device(void *context, const char *netdev,
                      const struct device *device)
{
    (void)netdev;
    struct over *over = context;
    struct pf_key pf = device_pf(over->scan->sysfs, device, NULL);
    if (management_reason(over->scan->management, &pf))
        over->management = true;
}

static bool is_management(const struct scan *scan, const char *bridge)
{
    struct over over = {.scan = scan};
    topology_walk(scan->sysfs, bridge, on_device, &over);
    return over.management;
}

static void judge(const struct scan *scan, const struct network *network,
                  struct verdict *out)
{
    char remedy[256];
    const char *name = network->device;
    const struct bridge_vlan_mode mode = bridge_vlan_mode(scan->sysfs, name);
    snprintf(remedy, sizeof remedy,
             "without VMs on it: ip link set %s type bridge vlan_filtering 1 "
             "vlan_protocol 802.1Q vlan_default_pvid 0; for ports without "
             "VLAN: bridge vlan add vid 1 dev %s pvid untagged",
             name, network->uplink);
    if (!mode.filtering)
        verdict_add(out, CHECK_WARNING, remedy,
                    "the bridge '%s' takes no ports with a VLAN: its "
                    "vlan_filtering is 0",
                    name);
    else if (!mode.is_8021q)
        verdict_add(out, CHECK_WARNING, remedy,
                    "the bridge '%s' takes no ports with a VLAN: its "
                    "vlan_protocol is not 802.1Q",
                    name);
    else
        verdict_add(out, CHECK_WARNING, remedy,
                    "the bridge '%s' takes no ports with a VLAN: its "
                    "vlan_default_pvid is %u, so that a new port would be in "
                    "that VLAN before it is in its own",
                    name, mode.default_pvid);
}

void check_networks(const struct readiness_input *input, struct verdict *out)
{
    size_t bridges = 0;
    for (size_t i = 0; i < input->network_count; i++) {
        const struct network *network = &input->networks[i];
        if (network->kind != SWITCH_LINUX_BRIDGE || !network->uplink[0])
            continue;
        bridges++;
        if (is_management(input->scan, network->device))
            verdict_add(out, CHECK_OK, NULL,
                        "'%s' carries the host's own traffic and is not judged",
                        network->device);
        else if (network->vlans)
            verdict_add(out, CHECK_OK, NULL, "'%s' holds VLANs",
                        network->device);
        else
            judge(input->scan, network, out);
    }
    if (!bridges)
        verdict_add(out, CHECK_OK, NULL,
                    "nothing to check: no Linux bridge leads to a NIC");
}
