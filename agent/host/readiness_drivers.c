/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of drivers: vfio-pci, which gives devices to VMs, and those of the
 * VFs. */
#include "agent/host/readiness_parts.h"

#include "agent/host/device.h"
#include "agent/host/vf_use.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

void check_vfio_pci(const struct readiness_input *input, struct verdict *out)
{
    const struct sysfs *sysfs = input->scan->sysfs;
    switch (modules_place(sysfs, input->kernel, "vfio-pci")) {
    case MODULE_LOADED:
        verdict_add(out, CHECK_OK, NULL, "loaded");
        break;
    case MODULE_BUILTIN:
        verdict_add(out, CHECK_OK, NULL, "a part of the kernel");
        break;
    case MODULE_LOADABLE:
        if (modules_is_barred(sysfs, "vfio-pci"))
            verdict_add(out, CHECK_WARNING,
                        "take vfio-pci out of the files in /etc/modprobe.d, or "
                        "load it at boot by a file in /etc/modules-load.d",
                        "not loaded, and barred by modprobe's settings");
        else
            verdict_add(out, CHECK_OK, NULL,
                        "not loaded; libvirt loads it with the first VF");
        break;
    case MODULE_MISSING:
        verdict_add(out, CHECK_FAILED,
                    "boot a kernel with CONFIG_VFIO_PCI; some systems keep the "
                    "module in a package of its own (linux-modules-extra)",
                    "the kernel %s has no vfio-pci", input->kernel);
        break;
    case MODULE_UNKNOWN:
        verdict_add(out, CHECK_UNKNOWN,
                    "install the modules of the running kernel, or boot the "
                    "kernel whose modules are installed",
                    "there is no modules.dep of the kernel %s", input->kernel);
        break;
    }
}

/* ---- vf_drivers ------------------------------------------------------------------- */

static uint16_t read_id(const struct scan *scan, const char *folder,
                        const char *file)
{
    return (uint16_t)scan_may_number(scan, folder, file, 0, UINT16_MAX, 0);
}

/* What depmod's patterns are matched against: that of a VF if there is one,
 * else put together from the PF, whose class and maker VFs share. */
static void modalias_of(const struct scan *scan, const struct pf *pf,
                        char out[96])
{
    if (pf->vf_count && pf->vfs[0].has_address) {
        struct pf_key key = pf_key_of_pci(&pf->vfs[0].address);
        struct sysfs_path path =
            sysfs_path("%s/modalias", device_folder(&key).text);
        if (sysfs_read(scan->sysfs, path.text, out, 96, NULL) == 0)
            return;
    }
    struct sysfs_path folder = device_folder(&pf->key);
    snprintf(
        out, 96, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X", pf->vendor_id,
        pf->vf_device_id, read_id(scan, folder.text, "subsystem_vendor"),
        read_id(scan, folder.text, "subsystem_device"), pf->pci_class >> 16,
        pf->pci_class >> 8 & 0xff, pf->pci_class & 0xff);
}

/* The driver that a VF has on the host now, or that the PF has where VFs have its
 * id (NVMe, virtio); NULL = none but VFIO's. Also the only way to know a driver
 * that is a part of the kernel: those do not always tell their ids. */
static const char *bound_driver(const struct pf *pf)
{
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].driver[0] && !vf_use_gives_away(pf->vfs[i].driver))
            return pf->vfs[i].driver;
    if (pf->vf_device_id == pf->device_id && pf->driver[0] &&
        !vf_use_gives_away(pf->driver))
        return pf->driver;
    return NULL;
}

static void judge_vf_driver(const struct readiness_input *input,
                            const struct pf *pf, struct verdict *out)
{
    static const char in_guests[] =
        "VFs can be given to VMs all the same; their guests need a driver of "
        "the maker's";
    char modalias[96];
    char id[16];
    snprintf(id, sizeof id, "%04x:%04x", pf->vendor_id, pf->vf_device_id);
    const char *drivers = bound_driver(pf);
    if (drivers) {
        verdict_add(out, CHECK_OK, NULL,
                    "%s: %s is at work; guests need it too", id, drivers);
        return;
    }
    if (!pf->vf_device_id) {
        verdict_add(out, CHECK_UNKNOWN, NULL,
                    "PF %s does not tell what its VFs are", pf->key.text);
        return;
    }
    modalias_of(input->scan, pf, modalias);
    drivers = modules_drivers(input->modules, input->scan->sysfs, input->kernel,
                              modalias);
    if (!drivers)
        verdict_add(out, CHECK_UNKNOWN, in_guests,
                    "there is no modules.alias of the kernel %s",
                    input->kernel);
    else if (!*drivers)
        verdict_add(out, CHECK_WARNING, in_guests,
                    "no module of the kernel %s knows the VFs of PF %s (%s)",
                    input->kernel, pf->key.text, id);
    else if (modules_is_barred(input->scan->sysfs, drivers))
        verdict_add(out, CHECK_OK, NULL,
                    "%s: %s, barred on this host; guests need it", id, drivers);
    else
        verdict_add(out, CHECK_OK, NULL, "%s: %s; guests need it too", id,
                    drivers);
}

void check_vf_drivers(const struct readiness_input *input, struct verdict *out)
{
    for (size_t i = 0; i < input->pf_count; i++) {
        const struct pf *pf = input->pfs[i];
        bool told = !readiness_is_sriov(pf);
        for (size_t k = 0; !told && k < i; k++)
            told = readiness_is_sriov(input->pfs[k]) &&
                   input->pfs[k]->vendor_id == pf->vendor_id &&
                   input->pfs[k]->vf_device_id == pf->vf_device_id;
        if (!told)
            judge_vf_driver(input, pf, out);
    }
}
