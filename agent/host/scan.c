/* SPDX-License-Identifier: Apache-2.0 */
/* Small readings that PFs and VFs have in common: see scan.h. */
#include "agent/host/scan.h"

#include "common/base/str.h"

#include <errno.h>

#define PCI_CLASS_BRIDGE 0x06

void scan_cache_done(struct scan_cache *cache)
{
    addresses_done(&cache->addresses);
    blocks_done(&cache->blocks);
}

int64_t scan_must_number(const struct scan *scan, const char *folder,
                         const char *file, int64_t min, int64_t max,
                         int64_t otherwise)
{
    struct sysfs_path path = sysfs_path("%s/%s", folder, file);
    struct error err = {0};
    int64_t number = otherwise;
    if (sysfs_read_number(scan->sysfs, path.text, min, max, &number, &err) < 0)
        notes_error(scan->notes, path.text, &err);
    return number;
}

int64_t scan_may_number(const struct scan *scan, const char *folder,
                        const char *file, int64_t min, int64_t max,
                        int64_t otherwise)
{
    struct sysfs_path path = sysfs_path("%s/%s", folder, file);
    int64_t number = otherwise;
    sysfs_read_number(scan->sysfs, path.text, min, max, &number, NULL);
    return number;
}

const char *scan_driver(const struct scan *scan, const char *folder)
{
    struct sysfs_path path = sysfs_path("%s/driver", folder);
    char name[64];
    struct error err = {0};
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, &err) == 0)
        return str_intern(name);
    if (err.sys != ENOENT)
        notes_error(scan->notes, path.text, &err);
    return "";
}

int32_t scan_iommu_group(const struct scan *scan, const char *folder)
{
    struct sysfs_path path = sysfs_path("%s/iommu_group", folder);
    char name[32];
    uint64_t group = 0;
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, NULL) < 0 ||
        !str_to_u64(name, 10, INT32_MAX, &group))
        return -1;
    return (int32_t)group;
}

uint32_t scan_pci_class(const struct scan *scan, const char *folder)
{
    return (uint32_t)scan_may_number(scan, folder, "class", 0, 0xffffff, 0);
}

bool scan_shares_group(const struct scan *scan, int32_t group,
                       const struct pci_address *own, char other[PCI_TEXT_SIZE])
{
    auto_names struct sysfs_names devices = {0};
    struct sysfs_path path =
        sysfs_path("sys/kernel/iommu_groups/%d/devices", group);
    if (group < 0 || sysfs_list(scan->sysfs, path.text, &devices, NULL) < 0)
        return false;
    for (size_t i = 0; i < devices.count; i++) {
        struct pci_address address;
        if (!pci_parse(devices.names[i], &address) ||
            pci_compare(&address, own) == 0)
            continue;
        pci_format(&address, other);
        struct sysfs_path folder = sysfs_path("sys/bus/pci/devices/%s", other);
        if (scan_pci_class(scan, folder.text) >> 16 != PCI_CLASS_BRIDGE)
            return true;
    }
    return false;
}
