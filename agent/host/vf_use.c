/* SPDX-License-Identifier: Apache-2.0 */
/* What of the host uses a VF: see vf_use.h. */
#include "agent/host/vf_use.h"

#include "agent/host/device.h"
#include "agent/host/topology.h"
#include "common/base/str.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>

/* Why the VF's network device is in use on the host, or NULL. */
static const char *netdev_use(const struct scan *scan, const char *netdev)
{
    char above[NETDEV_NAME_SIZE];
    char reason[128];
    if (topology_has_upper(scan->sysfs, netdev, above)) {
        snprintf(reason, sizeof reason, "'%s' uses its network device '%s'",
                 above, netdev);
        return str_intern(reason);
    }
    struct sysfs_path path = sysfs_path("sys/class/net/%s/flags", netdev);
    int64_t flags = 0;
    struct error err = {0};
    if (sysfs_read_number(scan->sysfs, path.text, 0, UINT32_MAX, &flags, &err) <
            0 &&
        err.sys != ENOENT) {
        notes_error(scan->notes, path.text, &err);
        return "the state of its network device can't be read";
    }
    const char *what = flags & IFF_UP ? "is up"
                       : addresses_find(&scan->cache->addresses, scan->sysfs,
                                        scan->route, scan->notes, netdev, false)
                           ? "has an address"
                           : NULL;
    if (!what)
        return NULL;
    snprintf(reason, sizeof reason, "its network device '%s' %s", netdev, what);
    return str_intern(reason);
}

/* Drivers that hand a device to somebody else: user space or another machine.
 * The VFIO variants are "vfio-pci", "mlx5_vfio_pci", "ice-vfio-pci" ... */
bool vf_use_gives_away(const char *driver)
{
    static const char *const others[] = {"uio_pci_generic", "igb_uio",
                                         "pci-stub", "pciback", "xen-pciback"};
    if (strstr(driver, "vfio"))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(driver, others[i]) == 0)
            return true;
    return false;
}

static bool has_vdpa(const struct scan *scan, const char *folder)
{
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(scan->sysfs, folder, &names, NULL) < 0)
        return false;
    for (size_t i = 0; i < names.count; i++)
        if (str_starts(names.names[i], "vdpa"))
            return true;
    return false;
}

/* A network driver is bound but shows no network device: it was moved into
 * another network namespace. Not so for virtio: its PCI driver makes only the
 * virtioN device, whose own driver may be missing. */
bool vf_use_netdev_moved(const struct scan *scan, const char *folder,
                         const char *virtio)
{
    if (!virtio[0]) {
        struct sysfs_path net = sysfs_path("%s/net", folder);
        return sysfs_exists(scan->sysfs, net.text);
    }
    struct sysfs_path driver = sysfs_path("%s/%s/driver", folder, virtio);
    return sysfs_exists(scan->sysfs, driver.text);
}

static const char *network_use(const struct scan *scan, const char *folder,
                               struct vf *vf)
{
    char virtio[NAME_SIZE];
    device_netdev(scan->sysfs, folder, vf->netdev, virtio);
    if (vf->driver[0] && vf->netdev[0])
        return netdev_use(scan, vf->netdev);
    return vf->driver[0] && vf_use_netdev_moved(scan, folder, virtio)
               ? "its network device is in another network namespace"
               : NULL;
}

/* Whether a program has a GPU or an accelerator open is not told by the kernel:
 * a VF with a driver of the host counts as used by it. */
static const char *device_use(const struct scan *scan, const struct vf *vf,
                              enum device_kind kind)
{
    char reason[128];
    if (!vf->driver[0])
        return NULL;
    if (kind == DEVICE_STORAGE) {
        const char *use = blocks_find(&scan->cache->blocks, scan->sysfs,
                                      scan->notes, &vf->address);
        return use ? str_intern(use) : NULL;
    }
    snprintf(reason, sizeof reason,
             "bound to the host's driver '%s', whose users are not told",
             vf->driver);
    return str_intern(reason);
}

const char *vf_use(const struct scan *scan, const char *folder, struct vf *vf)
{
    char reason[96];
    enum device_kind kind = device_kind_of_class(scan_pci_class(scan, folder));
    const char *use = kind == DEVICE_NETWORK ? network_use(scan, folder, vf)
                                             : device_use(scan, vf, kind);
    if (vf->driver[0] && vf_use_gives_away(vf->driver)) {
        snprintf(reason, sizeof reason, "bound to the driver '%s'", vf->driver);
        return str_intern(reason);
    }
    if (vf->driver[0] && has_vdpa(scan, folder))
        return "used by vDPA";
    return use ? use : "";
}
