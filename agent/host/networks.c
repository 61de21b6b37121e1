/* SPDX-License-Identifier: Apache-2.0 */
/* Reading bridges: see networks.h. Physical networks are the operator's words
 * and stay empty here. */
#include "agent/host/networks.h"

#include "agent/host/bridge_vlans.h"
#include "agent/host/link.h"
#include "agent/host/topology.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

void networks_uplink(const struct sysfs *sysfs, const char *device,
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

static uint16_t read_mtu(const struct scan *scan, const char *device)
{
    struct sysfs_path path = sysfs_path("sys/class/net/%s/mtu", device);
    int64_t mtu = 0;
    struct error err;
    if (sysfs_read_number(scan->sysfs, path.text, 0, UINT16_MAX, &mtu, &err) <
        0)
        notes_error(scan->notes, path.text, &err);
    return (uint16_t)mtu;
}

static void fill(const struct scan *scan, enum switch_kind kind,
                 const char *device, const char *above_ports,
                 struct network *out)
{
    *out = (struct network){.kind = (uint8_t)kind};
    snprintf(out->device, sizeof out->device, "%s", device);
    networks_uplink(scan->sysfs, above_ports, out->uplink);
    out->mtu = read_mtu(scan, device);
    const struct bridge_vlan_mode mode = bridge_vlan_mode(scan->sysfs, device);
    out->vlans = kind == SWITCH_OPENVSWITCH ||
                 (mode.filtering && mode.is_8021q && mode.default_pvid == 0);
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

/* May macvtaps sit on this PF's network device? Not where it belongs to a
 * bridge or bond, nor where the host itself talks over it. */
static bool is_free_device(const struct scan *scan, const struct pf *pf)
{
    char above[NETDEV_NAME_SIZE];
    struct sysfs_path master =
        sysfs_path("sys/class/net/%s/master", pf->netdev);
    return pf->netdev[0] && !pf->management &&
           sysfs_link_name(scan->sysfs, master.text, above, sizeof above,
                           NULL) < 0 &&
           !addresses_find(&scan->cache->addresses, scan->sysfs, scan->route,
                           scan->notes, pf->netdev, true);
}

static void say_full(const struct scan *scan)
{
    notes_say(scan->notes, "networks", "only the first %d are told",
              HOST_NETWORKS_MAX);
}

static size_t add_devices(const struct scan *scan, struct pf *const *pfs,
                          size_t pf_count, struct network *out, size_t count)
{
    for (size_t i = 0; i < pf_count; i++) {
        const struct pf *pf = pfs[i];
        if (!is_free_device(scan, pf))
            continue;
        if (count == HOST_NETWORKS_MAX) {
            say_full(scan);
            break;
        }
        struct network *network = &out[count++];
        *network = (struct network){.kind = SWITCH_MACVTAP,
                                    .mtu = read_mtu(scan, pf->netdev)};
        str_copy(network->device, pf->netdev);
        str_copy(network->uplink, pf->netdev);
    }
    return count;
}

static size_t add_switches(const struct scan *scan, struct network *out)
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
            say_full(scan);
            break;
        }
        fill(scan, linux_bridge ? SWITCH_LINUX_BRIDGE : SWITCH_OPENVSWITCH,
             name, linux_bridge ? name : "ovs-system", &out[count++]);
    }
    return count;
}

size_t networks_read(const struct scan *scan, struct pf *const *pfs,
                     size_t pf_count, struct network *out)
{
    return add_devices(scan, pfs, pf_count, out, add_switches(scan, out));
}
