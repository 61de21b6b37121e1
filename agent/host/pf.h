/* SPDX-License-Identifier: Apache-2.0 */
/* PFs: finding them, reading one with its VFs. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* The keys of all PFs, in order: PCI functions that can have VFs, whatever
 * they are; netdevsim; and network functions without SR-IOV, which can be given
 * away whole. At most HOST_PFS_MAX, those with VFs first. Returns -1 if neither
 * bus can be read (err). */
int pf_find_all(const struct scan *scan, struct pf_key *out, size_t *count,
                struct error *err);
/* Is this device one of them? */
bool pf_is_one(const struct sysfs *sysfs, const struct pf_key *key);
/* Read one PF. 'known' as in host_ops.h. NULL: ERROR_VANISHED if it is gone. */
struct pf *pf_read(const struct scan *scan, const struct pf_key *key,
                   const struct pf *known, struct error *err);
