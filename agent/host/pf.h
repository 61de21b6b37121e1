/* SPDX-License-Identifier: Apache-2.0 */
/* PFs: finding them, reading one with its VFs. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* The keys of all SR-IOV network PFs, PCI and netdevsim, in order; at most
 * HOST_PFS_MAX. Returns -1 if neither bus can be read (err). */
int pf_find_all(const struct scan *scan, struct pf_key *out, size_t *count,
                struct error *err);
/* True if this device is a PF that we handle: it can have VFs and is a network
 * controller (PCI class 02; other classes are not handled), or netdevsim. */
bool pf_is_one(const struct sysfs *sysfs, const struct pf_key *key);
/* Read one PF. 'known' as in host_ops.h. NULL: ERROR_VANISHED if it is gone. */
struct pf *pf_read(const struct scan *scan, const struct pf_key *key,
                   const struct pf *known, struct error *err);
