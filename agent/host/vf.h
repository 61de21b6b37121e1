/* SPDX-License-Identifier: Apache-2.0 */
/* VFs below a PF, as sysfs shows them, and whether something else uses them. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* Read the VFs 0..count-1 of a PCI PF by its 'virtfnN' links into 'out' (room
 * for 'count'). Returns how many there are; those without a link are left out
 * and noted. Policy is not read here. */
size_t vf_read_all(const struct scan *scan, const struct pf_key *pf,
                   uint16_t count, struct vf *out);
