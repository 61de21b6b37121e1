/* SPDX-License-Identifier: Apache-2.0 */
/* Reading PFs: see pf.h. */
#include "agent/host/pf.h"

#include "agent/host/device.h"
#include "agent/host/pf_policy.h"
#include "agent/host/vf.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCI_CLASS_NETWORK 0x02

bool pf_is_one(const struct sysfs *sysfs, const struct pf_key *key)
{
    struct sysfs_path folder = device_folder(key);
    struct sysfs_path path;
    int64_t number = 0;
    struct pci_address address;
    if (!pf_key_pci(key, &address)) {
        path = sysfs_path("%s/sriov_numvfs", folder.text);
        return sysfs_exists(sysfs, path.text);
    }
    path = sysfs_path("%s/sriov_totalvfs", folder.text);
    if (sysfs_read_number(sysfs, path.text, 1, UINT16_MAX, &number, NULL) < 0)
        return false;
    path = sysfs_path("%s/class", folder.text);
    return sysfs_read_number(sysfs, path.text, 0, 0xffffff, &number, NULL) ==
               0 &&
           number >> 16 == PCI_CLASS_NETWORK;
}

static int add_from(const struct scan *scan, const char *folder, bool pci,
                    struct pf_key *out, size_t *count, struct error *err)
{
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(scan->sysfs, folder, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        struct pf_key key;
        struct pci_address address;
        if (!pf_key_parse(names.names[i], &key) ||
            pf_key_pci(&key, &address) != pci || !pf_is_one(scan->sysfs, &key))
            continue;
        if (*count == HOST_PFS_MAX) {
            notes_say(scan->notes, folder, "only the first %d PFs are told",
                      HOST_PFS_MAX);
            break;
        }
        out[(*count)++] = key;
    }
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return pf_key_compare(a, b);
}

int pf_find_all(const struct scan *scan, struct pf_key *out, size_t *count,
                struct error *err)
{
    *count = 0;
    struct error pci_error = {0};
    int pci =
        add_from(scan, "sys/bus/pci/devices", true, out, count, &pci_error);
    int simulated =
        add_from(scan, "sys/bus/netdevsim/devices", false, out, count, NULL);
    if (*count)
        qsort(out, *count, sizeof *out, compare_keys);
    if (pci < 0) {
        notes_error(scan->notes, "/sys/bus/pci/devices", &pci_error);
        if (simulated < 0 && err)
            *err = pci_error;
    }
    return pci < 0 && simulated < 0 ? -1 : 0;
}

/* A number that every such device has: noted if it can't be read. */
static int64_t must_number(const struct scan *scan, const char *folder,
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

/* One that may be absent, as on kernels without NUMA. */
static int64_t may_number(const struct scan *scan, const char *folder,
                          const char *file, int64_t min, int64_t max,
                          int64_t otherwise)
{
    struct sysfs_path path = sysfs_path("%s/%s", folder, file);
    int64_t number = otherwise;
    sysfs_read_number(scan->sysfs, path.text, min, max, &number, NULL);
    return number;
}

static int32_t read_iommu_group(const struct scan *scan, const char *folder)
{
    struct sysfs_path path = sysfs_path("%s/iommu_group", folder);
    char name[32];
    uint64_t group = 0;
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, NULL) < 0 ||
        !str_to_u64(name, 10, INT32_MAX, &group))
        return -1;
    return (int32_t)group;
}

static void read_driver(const struct scan *scan, const char *folder,
                        struct pf *pf)
{
    struct sysfs_path path = sysfs_path("%s/driver", folder);
    char name[64];
    struct error err = {0};
    if (sysfs_link_name(scan->sysfs, path.text, name, sizeof name, &err) == 0)
        pf->driver = str_intern(name);
    else if (err.sys != ENOENT)
        notes_error(scan->notes, path.text, &err);
}

static void read_bond(const struct scan *scan, struct pf *pf)
{
    struct sysfs_path path = sysfs_path("sys/class/net/%s/master", pf->netdev);
    char master[NETDEV_NAME_SIZE];
    if (sysfs_link_name(scan->sysfs, path.text, master, sizeof master, NULL) <
        0)
        return;
    path = sysfs_path("sys/class/net/%s/bonding", master);
    if (sysfs_exists(scan->sysfs, path.text))
        memcpy(pf->bond, master, sizeof pf->bond);
}

static void read_netdev(const struct scan *scan, struct pf *pf)
{
    struct sysfs_path folder = sysfs_path("sys/class/net/%s", pf->netdev);
    struct sysfs_path path = sysfs_path("%s/address", folder.text);
    char text[64];
    struct error err = {0};
    if (sysfs_read(scan->sysfs, path.text, text, sizeof text, &err) < 0)
        notes_error(scan->notes, path.text, &err);
    else if (!mac_parse(text, &pf->mac))
        notes_say(scan->notes, path.text, "it is no Ethernet address");
    pf->mtu = (uint16_t)must_number(scan, folder.text, "mtu", 0, UINT16_MAX, 0);
    /* Both answer EINVAL while the device is down: no carrier, no speed. */
    pf->link_up = may_number(scan, folder.text, "carrier", 0, 1, 0) == 1;
    int64_t speed = may_number(scan, folder.text, "speed", -1, INT32_MAX, -1);
    pf->link_speed_mbps = speed > 0 ? (int32_t)speed : -1;
    read_bond(scan, pf);
}

/* netdevsim keeps its limit in debugfs only. */
static uint16_t read_total_vfs(const struct scan *scan, const char *folder,
                               const struct pf *pf)
{
    if (pf->has_address)
        return (uint16_t)must_number(scan, folder, "sriov_totalvfs", 0,
                                     UINT16_MAX, 0);
    struct sysfs_path path =
        sysfs_path("sys/kernel/debug/netdevsim/%s/max_vfs", pf->key.text);
    int64_t number = pf->num_vfs;
    struct error err = {0};
    if (sysfs_read_number(scan->sysfs, path.text, 0, UINT16_MAX, &number,
                          &err) < 0)
        notes_error(scan->notes, path.text, &err);
    return (uint16_t)number;
}

static void read_ids(const struct scan *scan, const char *folder, struct pf *pf)
{
    pf->vendor_id =
        (uint16_t)must_number(scan, folder, "vendor", 0, UINT16_MAX, 0);
    pf->device_id =
        (uint16_t)must_number(scan, folder, "device", 0, UINT16_MAX, 0);
    if (pf->vendor_id && !pci_ids_find(scan->ids, pf->vendor_id, pf->device_id,
                                       &pf->vendor_name, &pf->device_name))
        notes_say(scan->notes, "pci.ids", "no such file on this system");
    pf->numa_node =
        (int32_t)may_number(scan, folder, "numa_node", -1, INT32_MAX, -1);
    pf->iommu_group = read_iommu_group(scan, folder);
}

/* Asking the firmware takes some drivers milliseconds, and it changes only
 * with a driver that is bound anew: then the network device is a new one. */
static void read_firmware(const struct scan *scan, const struct pf *known,
                          struct pf *pf)
{
    struct error err = {0};
    char firmware[64];
    char what[64];
    if (!pf->netdev[0])
        return;
    if (known && known->firmware[0] && strcmp(known->driver, pf->driver) == 0 &&
        strcmp(known->netdev, pf->netdev) == 0) {
        pf->firmware = known->firmware;
        return;
    }
    snprintf(what, sizeof what, "firmware of %s", pf->key.text);
    if (!scan->route)
        notes_say(scan->notes, what, SCAN_NEEDS_KERNEL);
    else if (ethtool_firmware(pf->netdev, firmware, sizeof firmware, &err) < 0)
        notes_error(scan->notes, what, &err);
    else
        pf->firmware = str_intern(firmware);
}

static void read_eswitch(const struct scan *scan, struct pf *pf)
{
    char what[64];
    snprintf(what, sizeof what, "eswitch mode of %s", pf->key.text);
    struct error err = {0};
    enum eswitch_mode mode = ESWITCH_NONE;
    if (!scan->devlink)
        notes_say(scan->notes, what, SCAN_NEEDS_KERNEL);
    else if (devlink_eswitch_mode(scan->devlink, &pf->key, &mode, &err) < 0)
        notes_error(scan->notes, what, &err);
    pf->eswitch_mode = (uint8_t)mode;
}

static void read_management(const struct scan *scan, struct pf *pf)
{
    const char *reason = management_reason(scan->management, &pf->key);
    if (!reason)
        return;
    pf->management = true;
    str_copy(pf->management_reason, reason);
}

/* netdevsim's VFs exist in the PF's netlink attributes only. */
static size_t make_simulated_vfs(uint16_t count, struct vf *out)
{
    for (uint16_t i = 0; i < count; i++)
        out[i] = (struct vf){.index = i,
                             .iommu_group = -1,
                             .state = VF_FREE,
                             .driver = str_intern(""),
                             .reason = str_intern("")};
    return count;
}

struct pf *pf_read(const struct scan *scan, const struct pf_key *key,
                   const struct pf *known, struct error *err)
{
    struct sysfs_path folder = device_folder(key);
    struct pci_address address = {0};
    bool pci = pf_key_pci(key, &address);
    uint16_t count = 0;
    if (vf_count(scan->sysfs, key, &count, err) < 0) {
        error_prefix(err, "PF %s", key->text);
        return NULL;
    }
    auto_free struct vf *vfs = mem_calloc(count, sizeof *vfs);
    size_t found = pci ? vf_read_all(scan, key, count, vfs)
                       : make_simulated_vfs(count, vfs);
    auto_pf struct pf *pf = pf_new(found);
    pf->key = *key;
    pf->has_address = pci;
    pf->address = address;
    pf->num_vfs = count;
    if (found)
        memcpy(pf->vfs, vfs, found * sizeof *vfs);
    pf->total_vfs = read_total_vfs(scan, folder.text, pf);
    device_netdev(scan->sysfs, folder.text, pf->netdev, NULL);
    read_driver(scan, folder.text, pf);
    if (pci)
        read_ids(scan, folder.text, pf);
    if (pf->netdev[0])
        read_netdev(scan, pf);
    read_firmware(scan, known, pf);
    read_eswitch(scan, pf);
    read_management(scan, pf);
    pf_policy_read(scan, pf);
    pf->observed_at = timestamp_now();
    return take_ptr(pf);
}
