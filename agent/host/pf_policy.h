/* SPDX-License-Identifier: Apache-2.0 */
/* The policy of a PF's VFs as the kernel tells it, and what that says of the
 * PF's capabilities. */
#pragma once

#include "agent/host/scan.h"
#include "common/model/inventory.h"

/* Fill policy and observed_at of all VFs in 'pf', and its capabilities. */
void pf_policy_read(const struct scan *scan, struct pf *pf);
