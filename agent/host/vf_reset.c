/* SPDX-License-Identifier: Apache-2.0 */
/* Function-level reset of a VF through sysfs, with its driver bound anew: a
 * bound driver such as igbvf does not notice the reset and takes a changed
 * administrative MAC only when it starts. Each write returns when the kernel
 * is done; binding a driver takes some 100 ms on slow machines. */
#include "agent/host/device.h"
#include "agent/host/linux.h"
#include "agent/host/vf.h"

static int find_vf(const struct scan *scan, const struct pf_key *pf,
                   uint16_t vf_index, struct vf *out, struct error *err)
{
    struct sysfs_path folder = device_folder(pf);
    struct sysfs_path link =
        sysfs_path("%s/virtfn%u", folder.text, (unsigned)vf_index);
    char name[PCI_TEXT_SIZE];
    *out = (struct vf){.index = vf_index};
    if (sysfs_link_name(scan->sysfs, link.text, name, sizeof name, err) < 0)
        return -1;
    if (!pci_parse(name, &out->address))
        return error_set(err, ERROR_CORRUPT, "'/%s' leads to no PCI device",
                         link.text);
    vf_read_device(scan, out);
    return 0;
}

/* A reset would hit whoever uses the VF; and unbinding it from a VFIO driver
 * waits without limit until user space closes the device. */
static int check_free(const struct vf *vf, const char *name, struct error *err)
{
    if (vf->state == VF_FREE)
        return 0;
    error_fill(err, ERROR_IN_USE, 0, "", "VF %s is in use: %s", name,
               vf->reason);
    error_remedy(err, "end what uses the VF, then try again");
    return -1;
}

/* Also after a crash between unbinding and binding, unless the operator wants
 * VFs of this PF without driver (sriov_drivers_autoprobe 0). */
static int bind_again(const struct sysfs *sysfs, const struct pf_key *pf,
                      const struct pf_key *vf, const char *driver,
                      struct error *err)
{
    struct sysfs_path path = sysfs_path("sys/bus/pci/drivers/%s/bind", driver);
    if (driver[0])
        return sysfs_write(sysfs, path.text, vf->text, err);
    struct sysfs_path folder = device_folder(pf);
    path = sysfs_path("%s/sriov_drivers_autoprobe", folder.text);
    int64_t wanted = 0;
    if (sysfs_read_number(sysfs, path.text, 0, 1, &wanted, NULL) == 0 && wanted)
        /* EINVAL: no driver knows the device; that is how it was. */
        sysfs_write(sysfs, "sys/bus/pci/drivers_probe", vf->text, NULL);
    return 0;
}

int linux_vf_reset(struct host_backend *backend, const struct pf_key *pf,
                   uint16_t vf_index, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    const struct sysfs *sysfs = &host->sysfs;
    auto_scan_cache struct scan_cache cache = {0};
    struct scan scan = {.sysfs = sysfs, .route = host->route, .cache = &cache};
    struct pci_address address;
    struct vf vf;
    if (!pf_key_pci(pf, &address))
        return error_set(err, ERROR_UNSUPPORTED,
                         "VFs of %s have no PCI function to reset", pf->text);
    if (find_vf(&scan, pf, vf_index, &vf, err) < 0)
        return -1;
    struct pf_key key = pf_key_of_pci(&vf.address);
    struct sysfs_path folder = device_folder(&key);
    struct sysfs_path reset = sysfs_path("%s/reset", folder.text);
    if (!sysfs_exists(sysfs, reset.text))
        return error_set(err, ERROR_UNSUPPORTED,
                         "VF %s has no reset of its own", key.text);
    if (check_free(&vf, key.text, err) < 0)
        return -1;
    /* The driver must go first: igbvf with its network device down never comes
     * back from a reset (napi_disable waits for ever; seen with 6.12). */
    struct sysfs_path unbind = sysfs_path("%s/driver/unbind", folder.text);
    if (vf.driver[0] && sysfs_write(sysfs, unbind.text, key.text, err) < 0)
        return -1;
    struct error failed = {0};
    int result = sysfs_write(sysfs, reset.text, "1", &failed);
    /* The driver comes back whether the reset worked or not. */
    struct error unbound = {0};
    if (bind_again(sysfs, pf, &key, vf.driver, &unbound) < 0 && result == 0) {
        failed = unbound;
        result = -1;
    }
    if (result < 0 && err)
        *err = failed;
    return result;
}
