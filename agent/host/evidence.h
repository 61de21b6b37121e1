/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a guest uses a VF; the op's contract is in host_ops.h. */
#pragma once

#include "agent/host/linux.h"

int linux_vf_evidence(struct host_backend *backend, const struct pf_key *pf,
                      uint16_t vf_index, struct vf_evidence *evidence,
                      struct error *err);

/* The interrupts that VFIO has taken for a device, and how often all of them
 * came, over all CPUs. Each vector is one "vfio-msix[N](ADDRESS)",
 * "vfio-msi[N](ADDRESS)" or "vfio-intx(ADDRESS)"
 * (drivers/vfio/pci/vfio_pci_intrs.c, the same in Linux 4.0 to 6.18), there from the
 * moment at which the guest's driver asks for it. */
struct vfio_interrupts {
    size_t lines;
    uint64_t count;
};
int evidence_interrupts(const struct sysfs *sysfs,
                        const struct pci_address *address,
                        struct vfio_interrupts *out, struct error *err);
/* From the text of /proc/interrupts, which is changed. Apart for tests. */
void evidence_take(char *text, const char *address,
                   struct vfio_interrupts *out);
