/* SPDX-License-Identifier: Apache-2.0 */
/* The single checks of readiness.c, and how they judge. */
#pragma once

#include "agent/host/readiness.h"

/* A check that is being judged: begins as ok without words. */
struct verdict {
    enum check_status status;
    char reason[512];
    char remedy[256];
};

/* Add a finding: the worst status stays, with its first remedy and, joined by
 * "; ", the reasons of that status. Unknown ranks above ok and below warning.
 * 'remedy' may be NULL: none. */
void verdict_add(struct verdict *verdict, enum check_status status,
                 const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Has the PF VFs, and is it on PCI? Only such are looked at. */
static inline bool readiness_is_sriov(const struct pf *pf)
{
    return pf->has_address && pf->total_vfs > 0;
}
bool readiness_has_sriov(const struct readiness_input *input);

typedef void readiness_fn(const struct readiness_input *input,
                          struct verdict *out);
readiness_fn check_iommu, check_interrupt_remapping, check_iommu_groups;
readiness_fn check_vfio_pci, check_vf_drivers;
readiness_fn check_sriov_devices, check_ari, check_mmio_space;
readiness_fn check_libvirt, check_qemu, check_networks;
