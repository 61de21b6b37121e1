/* SPDX-License-Identifier: Apache-2.0 */
/* Reading VFs from sysfs: see vf.h. */
#include "agent/host/vf.h"

#include "agent/host/device.h"
#include "agent/host/vf_use.h"
#include "common/base/str.h"

void vf_read_device(const struct scan *scan, struct vf *vf)
{
    struct pf_key key = pf_key_of_pci(&vf->address);
    struct sysfs_path folder = device_folder(&key);
    vf->driver = scan_driver(scan, folder.text);
    vf->iommu_group = scan_iommu_group(scan, folder.text);
    vf->reason = vf_use(scan, folder.text, vf);
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
        struct vf vf = {.index = i, .has_address = true, .msix_vectors = -1};
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
