/* SPDX-License-Identifier: Apache-2.0 */
/* Which VLAN a tap is in: see taps.h. A tap that can't be put where it belongs
 * is in no VLAN at all afterwards and carries nothing, rather than in a wrong
 * one. */
#include "agent/host/taps.h"

#include "agent/host/networks.h"
#include "common/base/mem.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* ---- what is so ------------------------------------------------------------------- */

uint16_t tap_native(const struct tap_ports *ports,
                    const struct bridge_vlan_mode *mode)
{
    uint16_t pvid = ports->uplink.pvid;
    if (!ports->uplink.index)
        return mode->default_pvid;
    return pvid && ports->uplink.untagged[pvid] ? pvid : 0;
}

bool tap_access(const struct tap_ports *ports,
                const struct bridge_vlan_mode *mode, uint16_t *vlan)
{
    uint16_t own = ports->tap.pvid;
    const struct port_vlans *uplink = &ports->uplink;
    if (own == 0 || !ports->tap.untagged[own])
        return false;
    for (uint16_t id = 1; id < VLAN_IDS; id++)
        if (ports->tap.member[id] && id != own)
            return false;
    if (own == tap_native(ports, mode)) {
        *vlan = 0;
        return true;
    }
    if (uplink->index && (!uplink->member[own] || uplink->untagged[own]))
        return false;
    *vlan = own;
    return true;
}

int tap_ports_read(struct linux_host *host, const char *bridge, const char *tap,
                   struct tap_ports *out, char uplink[NETDEV_NAME_SIZE],
                   struct error *err)
{
    struct port_vlans ports[2] = {{.index = (int)if_nametoindex(tap)}};
    uplink[0] = '\0';
    networks_uplink(&host->sysfs, bridge, uplink);
    if (uplink[0])
        ports[1].index = (int)if_nametoindex(uplink);
    if (bridge_vlans_read(host->route, ports, ports[1].index ? 2 : 1, err) < 0)
        return -1;
    if (!ports[0].index || !ports[0].found)
        return error_set(err, ERROR_VANISHED, "'%s' is no port of a bridge",
                         tap);
    if (uplink[0] && !ports[1].found)
        return error_set(err, ERROR_VANISHED,
                         "'%s' left the bridge '%s' just now", uplink, bridge);
    out->tap = ports[0];
    out->uplink = ports[1];
    return 0;
}

/* ---- making it so ----------------------------------------------------------------- */

struct change {
    struct linux_host *host;
    const char *bridge, *tap;
    uint16_t vlan; /* as asked */
    uint16_t id;   /* on the bridge; 0 = there is none for it */
    struct bridge_vlan_mode mode;
    struct tap_ports ports;
    char uplink[NETDEV_NAME_SIZE];
};

/* Why the VLAN can't be had, after the tap was taken out of all others. */
static int refuse(const struct change *change, struct error *err)
{
    if (change->vlan == 0) {
        error_fill(err, ERROR_UNSUPPORTED, 0, "vlan",
                   "no VLAN of the bridge '%s' is untagged on its uplink '%s', "
                   "so that a port without VLAN has no way out",
                   change->bridge, change->uplink);
        error_remedy(err,
                     "give the port a VLAN, or: bridge vlan add vid 1 dev %s "
                     "pvid untagged",
                     change->uplink[0] ? change->uplink : "UPLINK");
        return -1;
    }
    error_fill(err, ERROR_UNSUPPORTED, 0, "vlan",
               "VLAN %u leaves the bridge '%s' untagged over '%s'",
               change->vlan, change->bridge, change->uplink);
    error_remedy(err,
                 "ask for a port without VLAN, or tag it: bridge vlan add vid "
                 "%u dev %s",
                 change->vlan, change->uplink);
    return -1;
}

/* The uplink of the host's own traffic is the operator's to change. */
static int join_uplink(struct change *change, const char *what,
                       struct error *err)
{
    struct port_vlans *uplink = &change->ports.uplink;
    if (!uplink->index || uplink->member[change->id])
        return 0;
    if (linux_refuse_management(change->host, change->uplink, err) < 0) {
        error_remedy(err, "do it by hand: bridge vlan add vid %u dev %s",
                     change->id, change->uplink);
        return -1;
    }
    return bridge_vlans_add(change->host->route, uplink->index, change->id,
                            false, what, err);
}

static int make(struct change *change, struct error *err)
{
    char what[96];
    struct nl_port *route = change->host->route;
    struct port_vlans *tap = &change->ports.tap;
    uint16_t native = tap_native(&change->ports, &change->mode);
    change->id = change->vlan ? change->vlan : native;
    bool untagged = change->vlan && change->ports.uplink.untagged[change->vlan];
    uint16_t keep =
        untagged || (change->vlan && change->vlan == native) ? 0 : change->id;
    snprintf(what, sizeof what, "VLAN %u of '%s' on the bridge '%s'",
             change->id, change->tap, change->bridge);
    if (bridge_vlans_clear(route, tap, keep, what, err) < 0)
        return -1;
    if (keep == 0)
        return refuse(change, err);
    if (join_uplink(change, what, err) < 0) {
        bridge_vlans_clear(route, tap, 0, what, NULL);
        return -1;
    }
    if (tap->pvid == keep && tap->untagged[keep])
        return 0;
    return bridge_vlans_add(route, tap->index, keep, true, what, err);
}

/* Bridges that hold no VLANs are one segment: all that goes is no VLAN. */
static int without_vlans(const struct change *change, struct error *err)
{
    if (change->vlan == 0)
        return 0;
    error_fill(err, ERROR_UNSUPPORTED, 0, "vlan",
               "the bridge '%s' holds no 802.1Q VLANs", change->bridge);
    error_remedy(err,
                 "ip link set %s type bridge vlan_filtering 1 "
                 "vlan_default_pvid 0, or use another network",
                 change->bridge);
    return -1;
}

static int check_port(const struct linux_host *host, const char *bridge,
                      const char *tap, struct error *err)
{
    char above[NETDEV_NAME_SIZE];
    struct sysfs_path path = sysfs_path("sys/class/net/%s/master", tap);
    if (sysfs_link_name(&host->sysfs, path.text, above, sizeof above, NULL) <
            0 ||
        strcmp(above, bridge) != 0)
        return error_set(err, ERROR_VANISHED,
                         "'%s' is no port of the bridge '%s'", tap, bridge);
    path = sysfs_path("sys/class/net/%s/bridge", bridge);
    if (!sysfs_exists(&host->sysfs, path.text))
        return error_set(err, ERROR_VANISHED, "'%s' is no Linux bridge",
                         bridge);
    return 0;
}

int linux_tap_vlan(struct host_backend *backend, const char *bridge,
                   const char *tap, uint16_t vlan, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    uint16_t now = 0;
    if (!host->route)
        return error_set(err, ERROR_PERMISSION,
                         "the VLAN of a tap " SCAN_NEEDS_KERNEL);
    if (vlan >= VLAN_IDS - 1)
        return error_set(err, ERROR_INVALID, "there is no VLAN %u", vlan);
    if (check_port(host, bridge, tap, err) < 0)
        return -1;
    auto_free struct change *change = mem_new(struct change);
    change->host = host;
    change->bridge = bridge;
    change->tap = tap;
    change->vlan = vlan;
    change->mode = bridge_vlan_mode(&host->sysfs, bridge);
    if (!change->mode.filtering || !change->mode.is_8021q)
        return without_vlans(change, err);
    if (tap_ports_read(host, bridge, tap, &change->ports, change->uplink, err) <
        0)
        return -1;
    if (tap_access(&change->ports, &change->mode, &now) && now == vlan)
        return 0;
    if (make(change, err) < 0 ||
        tap_ports_read(host, bridge, tap, &change->ports, change->uplink, err) <
            0)
        return -1;
    if (!tap_access(&change->ports, &change->mode, &now) || now != vlan)
        return error_set(err, ERROR_IO,
                         "'%s' was put in VLAN %u of the bridge '%s' and does "
                         "not read back so",
                         tap, vlan, bridge);
    return 0;
}
