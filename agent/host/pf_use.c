/* SPDX-License-Identifier: Apache-2.0 */
/* What of the host uses a PF itself. Being up is no use: the PF of VFs in use
 * must be up. */
#include "agent/host/pf_parts.h"

#include "agent/host/device.h"
#include "agent/host/topology.h"
#include "agent/host/vf_use.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* "bridge br0", "vlan eth0.7": the kernel names the kind in 'uevent'. */
static void say_above(const struct scan *scan, const char *above,
                      char out[NAME_SIZE])
{
    static const char start[] = "DEVTYPE=";
    char text[512] = "";
    struct sysfs_path path = sysfs_path("sys/class/net/%s/uevent", above);
    if (strcmp(above, "ovs-system") == 0) {
        snprintf(out, NAME_SIZE, "Open vSwitch");
        return;
    }
    sysfs_read(scan->sysfs, path.text, text, sizeof text, NULL);
    char *type = strstr(text, start);
    if (type) {
        type += strlen(start);
        type[strcspn(type, "\n")] = '\0';
    }
    snprintf(out, NAME_SIZE, "%.24s %s",
             type && sysfs_is_name(type) ? type : "device", above);
}

static bool netdev_use(const struct scan *scan, struct pf *pf)
{
    char above[NETDEV_NAME_SIZE];
    struct sysfs_path master =
        sysfs_path("sys/class/net/%s/master", pf->netdev);
    if (sysfs_link_name(scan->sysfs, master.text, above, sizeof above, NULL) ==
            0 ||
        topology_has_upper(scan->sysfs, pf->netdev, above)) {
        say_above(scan, above, pf->used_by);
        return true;
    }
    const char *address =
        addresses_find(&scan->cache->addresses, scan->sysfs, scan->route,
                       scan->notes, pf->netdev, true);
    if (address)
        snprintf(pf->used_by, sizeof pf->used_by, "%s", address);
    return address != NULL;
}

static void read_own_use(const struct scan *scan, const char *folder,
                         struct pf *pf)
{
    char netdev[NETDEV_NAME_SIZE];
    char virtio[NAME_SIZE];
    if (pf->netdev[0]) {
        netdev_use(scan, pf);
        return;
    }
    if (!pf->driver[0])
        return;
    if (vf_use_gives_away(pf->driver)) {
        snprintf(pf->used_by, sizeof pf->used_by, "driver %.48s", pf->driver);
        return;
    }
    if (pf->kind == DEVICE_NETWORK) {
        device_netdev(scan->sysfs, folder, netdev, virtio);
        if (vf_use_netdev_moved(scan, folder, virtio))
            snprintf(pf->used_by, sizeof pf->used_by,
                     "another network namespace");
        return;
    }
    const char *use = blocks_find(&scan->cache->blocks, scan->sysfs,
                                  scan->notes, &pf->address);
    if (use && !str_copy(pf->used_by, use))
        snprintf(pf->used_by, sizeof pf->used_by, "%.60s...", use);
}

/* Devices of one IOMMU group can only be given away together. */
void pf_read_use(const struct scan *scan, const char *folder, struct pf *pf)
{
    char other[PCI_TEXT_SIZE];
    read_own_use(scan, folder, pf);
    if (!pf->used_by[0] && pf->has_address &&
        scan_shares_group(scan, pf->iommu_group, &pf->address, other))
        snprintf(pf->used_by, sizeof pf->used_by, "its IOMMU group, with %s",
                 other);
}
