/* SPDX-License-Identifier: Apache-2.0 */
/* VFs below a PF, as sysfs shows them, and whether something else uses them. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* How many VFs a PF has. PCI: its 'virtfnN' links, that is the number of the
 * last one plus one, and not 'sriov_numvfs': reading that waits while VFs are
 * being made or removed (device lock; seconds). ERROR_VANISHED if there is no
 * such PF. */
int vf_count(const struct sysfs *sysfs, const struct pf_key *pf,
             uint16_t *count, struct error *err);
/* Read the VFs 0..count-1 of a PCI PF into 'out' (room for 'count'). Returns
 * how many there are; those without a device are left out and noted. Policy is
 * not read here. */
size_t vf_read_all(const struct scan *scan, const struct pf_key *pf,
                   uint16_t count, struct vf *out);
/* Fill driver, group, network device, state and reason of the VF at
 * vf->address. */
void vf_read_device(const struct scan *scan, struct vf *vf);
