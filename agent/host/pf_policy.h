/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a PF's VFs as the kernel tells it, and what that says of the
 * PF's capabilities. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* Fill policy and observed_at of all VFs in 'pf', and what that proves of its
 * capabilities. 'known' as in host_ops.h: without it the VFs' counters are read
 * too, where there are few VFs. */
void pf_policy_read(const struct scan *scan, const struct pf *known,
                    struct pf *pf);
/* Nothing can be set on its VFs, for the reason in 'note'. */
void pf_policy_none(struct pf *pf, const char *note);
/* The trait flr, from sysfs: of the first VF, since all are alike. */
void pf_policy_read_reset(const struct scan *scan, struct pf *pf);
