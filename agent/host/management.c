/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the PFs that carry the host's own traffic: see management.h. */
#include "agent/host/management.h"

#include "agent/host/routes.h"
#include "agent/host/topology.h"

#include <stdio.h>
#include <string.h>

/* Devices whose way down was walked; routes repeat them thousands of times. */
#define SEEN_MAX 256

struct finder {
    const struct sysfs *sysfs;
    struct management *out;
    struct notes *notes;
    const char *what; /* the way at hand: "default route" */
    const char *via;  /* its device */
    size_t seen_count;
    struct {
        char name[NETDEV_NAME_SIZE];
        bool is_default;
    } seen[SEEN_MAX];
};

static bool seen_before(struct finder *finder, const char *netdev,
                        bool is_default)
{
    for (size_t i = 0; i < finder->seen_count; i++)
        if (finder->seen[i].is_default == is_default &&
            strcmp(finder->seen[i].name, netdev) == 0)
            return true;
    if (finder->seen_count < SEEN_MAX) {
        snprintf(finder->seen[finder->seen_count].name, NETDEV_NAME_SIZE, "%s",
                 netdev);
        finder->seen[finder->seen_count++].is_default = is_default;
    }
    return false;
}

static const struct management_pf *find(const struct management *management,
                                        const struct pf_key *pf)
{
    for (size_t i = 0; i < management->count; i++)
        if (pf_key_compare(&management->pfs[i].pf, pf) == 0)
            return &management->pfs[i];
    return NULL;
}

static void on_hardware(void *context, const char *netdev,
                        const struct device *device)
{
    struct finder *finder = context;
    struct management *out = finder->out;
    bool is_vf = false;
    struct pf_key pf = device_pf(finder->sysfs, device, &is_vf);
    if (find(out, &pf))
        return;
    if (out->count == HOST_PFS_MAX) {
        notes_say(finder->notes, "management devices",
                  "more than %d devices carry routes", HOST_PFS_MAX);
        out->unknown = true;
        return;
    }
    struct management_pf *item = &out->pfs[out->count++];
    item->pf = pf;
    int length = snprintf(item->reason, sizeof item->reason, "%s via %s",
                          finder->what, finder->via);
    if (strcmp(netdev, finder->via) != 0)
        length +=
            snprintf(item->reason + length,
                     sizeof item->reason - (size_t)length, " over %s", netdev);
    if (is_vf && (size_t)length < sizeof item->reason)
        snprintf(item->reason + length, sizeof item->reason - (size_t)length,
                 " (its VF)");
}

/* An Open vSwitch bridge ("br-ex") has no links to its ports in sysfs; all
 * ports of the kernel's datapath are below the device 'ovs-system'. Which of
 * them belongs to this bridge is known to Open vSwitch only: take all. Tunnels
 * (tun_flags) and what is not Ethernet (type 1) are no such bridges. */
static void walk_openvswitch(struct finder *finder, const char *netdev)
{
    struct sysfs_path tun = sysfs_path("sys/class/net/%s/tun_flags", netdev);
    struct sysfs_path type = sysfs_path("sys/class/net/%s/type", netdev);
    int64_t number = 0;
    if (sysfs_exists(finder->sysfs, tun.text) ||
        sysfs_read_number(finder->sysfs, type.text, 0, UINT16_MAX, &number,
                          NULL) < 0 ||
        number != 1 || !sysfs_exists(finder->sysfs, "sys/class/net/ovs-system"))
        return;
    topology_walk(finder->sysfs, "ovs-system", on_hardware, finder);
}

static void walk_way(struct finder *finder, const char *what,
                     const char *netdev)
{
    finder->what = what;
    finder->via = netdev;
    if (!topology_walk(finder->sysfs, netdev, on_hardware, finder))
        walk_openvswitch(finder, netdev);
}

static void on_route(void *context, const char *netdev, bool is_default)
{
    struct finder *finder = context;
    if (seen_before(finder, netdev, is_default))
        return;
    walk_way(finder, is_default ? "default route" : "route with a gateway",
             netdev);
}

void management_read(const struct sysfs *sysfs, struct nl_port *port,
                     const char *uplink, struct management *out,
                     struct notes *notes)
{
    *out = (struct management){0};
    struct finder finder = {.sysfs = sysfs, .out = out, .notes = notes};
    if (routes_each(sysfs, port, on_route, &finder, notes) < 0)
        out->unknown = true;
    if (*uplink)
        walk_way(&finder, "way to the scheduler", uplink);
}

const char *management_reason(const struct management *management,
                              const struct pf_key *pf)
{
    const struct management_pf *item = find(management, pf);
    if (item)
        return item->reason;
    return management->unknown ? "the host's routes could not be read" : NULL;
}
