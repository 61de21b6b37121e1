/* SPDX-License-Identifier: Apache-2.0 */
/* Reading PFs: see pf.h. */
#include "agent/host/pf.h"

#include "agent/host/device.h"
#include "agent/host/pci_config.h"
#include "agent/host/pf_parts.h"
#include "agent/host/pf_policy.h"
#include "agent/host/vf.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* netdevsim keeps its limit in debugfs only. */
static uint16_t read_total_vfs(const struct scan *scan, const char *folder,
                               const struct pf *pf)
{
    if (pf->has_address) /* absent: it has none, and never will */
        return (uint16_t)scan_may_number(scan, folder, "sriov_totalvfs", 0,
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
        (uint16_t)scan_must_number(scan, folder, "vendor", 0, UINT16_MAX, 0);
    pf->device_id =
        (uint16_t)scan_must_number(scan, folder, "device", 0, UINT16_MAX, 0);
    if (pf->vendor_id && !pci_ids_find(scan->ids, pf->vendor_id, pf->device_id,
                                       &pf->vendor_name, &pf->device_name))
        notes_say(scan->notes, "pci.ids", "no such file on this system");
    pf->numa_node =
        (int32_t)scan_may_number(scan, folder, "numa_node", -1, INT32_MAX, -1);
    pf->pci_class = scan_pci_class(scan, folder);
    pf->kind = (uint8_t)device_kind_of_class(pf->pci_class);
    pf->iommu_group = scan_iommu_group(scan, folder);
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
                             .msix_vectors = -1,
                             .state = VF_FREE,
                             .driver = str_intern(""),
                             .reason = str_intern("")};
    return count;
}

/* The kernel takes the device's lock for it, as long as VFs are being made: it
 * is asked once a driver. 0 = the driver has none to give (drivers/pci/iov.c). */
static void read_total_msix(const struct scan *scan, const char *folder,
                            const struct pf *known, struct pf *pf)
{
    if (!known && scan->last)
        known = inventory_pf(scan->last, &pf->key);
    if (known && strcmp(known->driver, pf->driver) == 0) {
        pf->vf_total_msix = known->vf_total_msix;
        return;
    }
    int64_t total =
        scan_may_number(scan, folder, "sriov_vf_total_msix", 1, INT32_MAX, -1);
    pf->vf_total_msix = (int32_t)total;
}

/* 'sriov_vf_msix_count' of a VF can only be written; how many it has is in its
 * MSI-X capability. */
static void read_vf_msix(const struct scan *scan, struct pf *pf)
{
    for (size_t i = 0; i < pf->vf_count; i++) {
        auto_pci_config struct pci_config config =
            pci_config_open(scan->sysfs, &pf->vfs[i].address);
        unsigned at = pci_config_capability(&config, PCI_CAP_ID_MSIX);
        if (at)
            pf->vfs[i].msix_vectors =
                1 + (pci_config_word(&config, at + PCI_MSIX_FLAGS) &
                     PCI_MSIX_FLAGS_QSIZE);
    }
}

/* Attributes that netdevsim lacks, and of which NICs differ. */
static void read_sriov(const struct scan *scan, const char *folder,
                       const struct pf *known, struct pf *pf)
{
    /* In hex, without 0x (sriov_vf_device_show in drivers/pci/iov.c). */
    struct sysfs_path path = sysfs_path("%s/sriov_vf_device", folder);
    char text[8];
    uint64_t id = 0;
    if (sysfs_read(scan->sysfs, path.text, text, sizeof text, NULL) == 0 &&
        str_to_u64(text, 16, UINT16_MAX, &id))
        pf->vf_device_id = (uint16_t)id;
    int64_t probe =
        scan_may_number(scan, folder, "sriov_drivers_autoprobe", 0, 1, -1);
    pf->autoprobe = probe == 1   ? AUTOPROBE_ON
                    : probe == 0 ? AUTOPROBE_OFF
                                 : AUTOPROBE_NONE;
    if (!pf->has_address)
        return;
    read_total_msix(scan, folder, known, pf);
    if (pf->vf_total_msix > 0)
        read_vf_msix(scan, pf);
}

static void read_network(const struct scan *scan, const char *folder,
                         const struct pf *known, struct pf *pf)
{
    device_netdev(scan->sysfs, folder, pf->netdev, NULL);
    if (pf->netdev[0])
        pf_read_netdev(scan, pf);
    read_firmware(scan, known, pf);
    read_management(scan, pf);
    /* A plain NIC has neither a switch nor VFs with a policy. */
    if (pf->total_vfs == 0 && pf->vf_count == 0)
        return;
    read_eswitch(scan, pf);
    if (scan->route && pf->netdev[0])
        pf->bridge_mode = (uint8_t)bridge_modes_find(
            &scan->cache->bridge_modes, scan->route, scan->notes, pf->netdev);
    pf_policy_read(scan, known, pf);
}

/* VFs of other devices have no policy, and there is nothing to ask netlink. */
static void set_no_network(struct pf *pf)
{
    int64_t now = timestamp_now();
    pf_policy_none(pf, "not a network device");
    for (size_t i = 0; i < pf->vf_count; i++)
        pf->vfs[i].observed_at = now;
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
    pf->driver = scan_driver(scan, folder.text);
    pf->kind = DEVICE_NETWORK;
    if (pci)
        read_ids(scan, folder.text, pf);
    if (pf->total_vfs)
        read_sriov(scan, folder.text, known, pf);
    if (pf->kind == DEVICE_NETWORK)
        read_network(scan, folder.text, known, pf);
    else
        set_no_network(pf);
    pf_policy_read_reset(scan, pf);
    struct capabilities words =
        plugins_tell(scan->plugins, pf, scan->kernel ? scan->kernel : "");
    pf->capabilities = capabilities_merge(&pf->capabilities, &words);
    pf_read_use(scan, folder.text, pf);
    pf->observed_at = timestamp_now();
    return take_ptr(pf);
}
