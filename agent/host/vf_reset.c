/* SPDX-License-Identifier: Apache-2.0 */
/* Function-level reset of a VF through sysfs, with its driver bound anew: a
 * bound driver such as igbvf does not notice the reset and takes a changed
 * administrative MAC only when it starts. Each write returns when the kernel
 * is done; binding a driver takes some 100 ms on slow machines. */
#include "agent/host/device.h"
#include "agent/host/linux.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int find_vf(const struct sysfs *sysfs, const struct pf_key *pf,
                   uint16_t vf_index, struct pf_key *out, struct error *err)
{
    struct sysfs_path folder = device_folder(pf);
    struct sysfs_path link =
        sysfs_path("%s/virtfn%u", folder.text, (unsigned)vf_index);
    char name[PCI_TEXT_SIZE];
    struct pci_address address;
    if (sysfs_link_name(sysfs, link.text, name, sizeof name, err) < 0)
        return -1;
    if (!pci_parse(name, &address))
        return error_set(err, ERROR_CORRUPT, "'/%s' leads to no PCI device",
                         link.text);
    *out = pf_key_of_pci(&address);
    return 0;
}

/* Unbinding from a VFIO driver waits until user space closes the device, with
 * no limit, and a reset would hit a running guest. */
static int check_driver(const char *driver, const struct pf_key *vf,
                        struct error *err)
{
    if (!strstr(driver, "vfio"))
        return 0;
    error_fill(err, ERROR_IN_USE, 0, "", "VF %s is bound to the driver '%s'",
               vf->text, driver);
    error_remedy(err, "stop what uses the VF and bind its network driver");
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
    const struct sysfs *sysfs = &((struct linux_host *)backend)->sysfs;
    struct pci_address address;
    if (!pf_key_pci(pf, &address))
        return error_set(err, ERROR_UNSUPPORTED,
                         "VFs of %s have no PCI function to reset", pf->text);
    struct pf_key vf;
    if (find_vf(sysfs, pf, vf_index, &vf, err) < 0)
        return -1;
    struct sysfs_path folder = device_folder(&vf);
    struct sysfs_path reset = sysfs_path("%s/reset", folder.text);
    if (!sysfs_exists(sysfs, reset.text))
        return error_set(err, ERROR_UNSUPPORTED,
                         "VF %s has no reset of its own", vf.text);
    struct sysfs_path path = sysfs_path("%s/driver", folder.text);
    char driver[64] = "";
    struct error none = {0};
    if (sysfs_link_name(sysfs, path.text, driver, sizeof driver, &none) < 0 &&
        none.sys != ENOENT)
        return error_set(err, none.code, "%s", none.msg);
    if (check_driver(driver, &vf, err) < 0)
        return -1;
    path = sysfs_path("%s/driver/unbind", folder.text);
    if (driver[0] && sysfs_write(sysfs, path.text, vf.text, err) < 0)
        return -1;
    struct error failed = {0};
    int result = sysfs_write(sysfs, reset.text, "1", &failed);
    /* The driver comes back whether the reset worked or not. */
    if (bind_again(sysfs, pf, &vf, driver, result < 0 ? NULL : err) < 0)
        result = result < 0 ? result : -2;
    if (result == -1 && err)
        *err = failed;
    return result < 0 ? -1 : 0;
}
