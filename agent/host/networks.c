/* SPDX-License-Identifier: Apache-2.0 */
/* Reading bridges: see networks.h. Physical networks are the operator's words
 * and stay empty here. */
#include "agent/host/networks.h"

#include "agent/host/link.h"
#include "agent/host/topology.h"

#include <stdio.h>
#include <string.h>

/* The port of a switch that leads to hardware: a NIC, or a bond or VLAN device
 * above one. The first by name where there are several. */
static void find_uplink(const struct sysfs *sysfs, const char *device,
                        char uplink[NETDEV_NAME_SIZE])
{
    auto_names struct sysfs_names ports = {0};
    if (topology_lowers(sysfs, device, &ports, NULL) < 0)
        return;
    for (size_t i = 0; i < ports.count; i++)
        if (topology_walk(sysfs, ports.names[i], NULL, NULL)) {
            snprintf(uplink, NETDEV_NAME_SIZE, "%s", ports.names[i]);
            return;
        }
}

static void fill(const struct scan *scan, enum switch_kind kind,
                 const char *device, const char *above_ports,
                 struct network *out)
{
    *out = (struct network){.kind = (uint8_t)kind};
    snprintf(out->device, sizeof out->device, "%s", device);
    find_uplink(scan->sysfs, above_ports, out->uplink);
    struct sysfs_path path = sysfs_path("sys/class/net/%s/mtu", device);
    int64_t mtu = 0;
    struct error err;
    if (sysfs_read_number(scan->sysfs, path.text, 0, UINT16_MAX, &mtu, &err) <
        0)
        notes_error(scan->notes, path.text, &err);
    out->mtu = (uint16_t)mtu;
}

/* Open vSwitch's bridges are "internal ports" of kind 'openvswitch' beside the
 * datapath device 'ovs-system'. */
static bool is_openvswitch(const struct scan *scan, const char *device)
{
    if (strcmp(device, "ovs-system") == 0)
        return false;
    char kind[32];
    return link_read_kind(scan->route, device, kind, sizeof kind, NULL) == 0 &&
           strcmp(kind, "openvswitch") == 0;
}

size_t networks_read(const struct scan *scan, struct network *out)
{
    auto_names struct sysfs_names names = {0};
    struct error err;
    if (sysfs_list(scan->sysfs, "sys/class/net", &names, &err) < 0) {
        notes_error(scan->notes, "/sys/class/net", &err);
        return 0;
    }
    bool ovs = sysfs_exists(scan->sysfs, "sys/class/net/ovs-system");
    if (ovs && !scan->route)
        notes_say(scan->notes, "Open vSwitch bridges", SCAN_NEEDS_KERNEL);
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.names[i];
        if (!sysfs_is_netdev_name(name)) {
            notes_say(scan->notes, "a network device",
                      "its name is not printable ASCII: '%s'", name);
            continue;
        }
        struct sysfs_path bridge = sysfs_path("sys/class/net/%s/bridge", name);
        bool linux_bridge = sysfs_exists(scan->sysfs, bridge.text);
        if (!linux_bridge &&
            !(ovs && scan->route && is_openvswitch(scan, name)))
            continue;
        if (count == HOST_NETWORKS_MAX) {
            notes_say(scan->notes, "networks", "only the first %d are told",
                      HOST_NETWORKS_MAX);
            break;
        }
        fill(scan, linux_bridge ? SWITCH_LINUX_BRIDGE : SWITCH_OPENVSWITCH,
             name, linux_bridge ? name : "ovs-system", &out[count++]);
    }
    return count;
}
