/* SPDX-License-Identifier: Apache-2.0 */
/* Reading VFs from sysfs: see vf.h. */
#include "agent/host/vf.h"

#include "agent/host/device.h"
#include "agent/host/topology.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>

/* True if the device has an IP address, or if that can't be found out. Of a
 * copied tree only IPv6 ones can be seen; an address needs an "up" device to be
 * of use, and that is seen. */
static bool has_address(const struct scan *scan, const char *netdev)
{
    bool found = false;
    if (scan->route) {
        struct ifaddrs *all = NULL;
        if (getifaddrs(&all) < 0)
            return true;
        for (struct ifaddrs *a = all; a && !found; a = a->ifa_next)
            found = a->ifa_addr && strcmp(a->ifa_name, netdev) == 0 &&
                    (a->ifa_addr->sa_family == AF_INET ||
                     a->ifa_addr->sa_family == AF_INET6);
        freeifaddrs(all);
        return found;
    }
    auto_free char *text =
        sysfs_read_all(scan->sysfs, "proc/net/if_inet6", 1u << 20, NULL);
    char *rest = text;
    char *line;
    while (!found && (line = strsep(&rest, "\n"))) {
        char name[NETDEV_NAME_SIZE];
        found = sscanf(line, "%*s %*s %*s %*s %*s %15s", name) == 1 &&
                strcmp(name, netdev) == 0;
    }
    return found;
}

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
    const char *what = flags & IFF_UP              ? "is up"
                       : has_address(scan, netdev) ? "has an address"
                                                   : NULL;
    if (!what)
        return NULL;
    snprintf(reason, sizeof reason, "its network device '%s' %s", netdev, what);
    return str_intern(reason);
}

/* Drivers that hand a device to somebody else: user space or another machine.
 * The VFIO variants are "vfio-pci", "mlx5_vfio_pci", "ice-vfio-pci" ... */
static bool gives_away(const char *driver)
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
static bool netdev_moved_away(const struct scan *scan, const char *folder,
                              const char *virtio)
{
    if (!virtio[0]) {
        struct sysfs_path net = sysfs_path("%s/net", folder);
        return sysfs_exists(scan->sysfs, net.text);
    }
    struct sysfs_path driver = sysfs_path("%s/%s/driver", folder, virtio);
    return sysfs_exists(scan->sysfs, driver.text);
}

/* Why the VF is somebody else's, interned; "" if it is free. */
static const char *find_use(const struct scan *scan, const char *folder,
                            const struct vf *vf, const char *virtio)
{
    char reason[96];
    if (!vf->driver[0])
        return "";
    if (gives_away(vf->driver)) {
        snprintf(reason, sizeof reason, "bound to the driver '%s'", vf->driver);
        return str_intern(reason);
    }
    if (has_vdpa(scan, folder))
        return "used by vDPA";
    if (vf->netdev[0]) {
        const char *use = netdev_use(scan, vf->netdev);
        return use ? use : "";
    }
    return netdev_moved_away(scan, folder, virtio)
               ? "its network device is in another network namespace"
               : "";
}

void vf_read_device(const struct scan *scan, struct vf *vf)
{
    struct pf_key key = pf_key_of_pci(&vf->address);
    struct sysfs_path folder = device_folder(&key);
    struct sysfs_path path = sysfs_path("%s/driver", folder.text);
    char name[64];
    struct error err = {0};
    vf->driver = str_intern("");
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, &err) == 0)
        vf->driver = str_intern(name);
    else if (err.sys != ENOENT)
        notes_error(scan->notes, path.text, &err);
    uint64_t group = 0;
    path = sysfs_path("%s/iommu_group", folder.text);
    vf->iommu_group = -1;
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, NULL) == 0 &&
        str_to_u64(name, 10, INT32_MAX, &group))
        vf->iommu_group = (int32_t)group;
    char virtio[NAME_SIZE];
    device_netdev(scan->sysfs, folder.text, vf->netdev, virtio);
    vf->reason = find_use(scan, folder.text, vf, virtio);
    vf->state = vf->reason[0] ? VF_EXTERNAL : VF_FREE;
}

int vf_count(const struct sysfs *sysfs, const struct pf_key *pf,
             uint16_t *count, struct error *err)
{
    struct sysfs_path folder = device_folder(pf);
    struct pci_address address;
    if (!pf_key_pci(pf, &address)) {
        struct sysfs_path path = sysfs_path("%s/sriov_numvfs", folder.text);
        int64_t number = 0;
        if (sysfs_read_number(sysfs, path.text, 0, PF_VFS_MAX, &number, err) <
            0)
            return -1;
        *count = (uint16_t)number;
        return 0;
    }
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(sysfs, folder.text, &names, err) < 0)
        return -1;
    uint64_t found = 0;
    for (size_t i = 0; i < names.count; i++) {
        uint64_t number = 0;
        if (str_starts(names.names[i], "virtfn") &&
            str_to_u64(names.names[i] + 6, 10, PF_VFS_MAX - 1, &number) &&
            number >= found)
            found = number + 1;
    }
    *count = (uint16_t)found;
    return 0;
}

size_t vf_read_all(const struct scan *scan, const struct pf_key *pf,
                   uint16_t count, struct vf *out)
{
    struct sysfs_path folder = device_folder(pf);
    size_t found = 0;
    for (uint16_t i = 0; i < count; i++) {
        struct sysfs_path path =
            sysfs_path("%s/virtfn%u", folder.text, (unsigned)i);
        char name[PCI_TEXT_SIZE];
        struct vf vf = {.index = i, .has_address = true};
        struct error err = {0};
        if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, &err) <
            0) {
            notes_error(scan->notes, path.text, &err);
            continue;
        }
        if (!pci_parse(name, &vf.address)) {
            notes_say(scan->notes, path.text, "it leads to no PCI device");
            continue;
        }
        struct pf_key key = pf_key_of_pci(&vf.address);
        if (!sysfs_exists(scan->sysfs, device_folder(&key).text)) {
            notes_say(scan->notes, path.text, "the VF was removed by itself");
            continue;
        }
        vf_read_device(scan, &vf);
        out[found++] = vf;
    }
    return found;
}
