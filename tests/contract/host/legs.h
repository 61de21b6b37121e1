/* SPDX-License-Identifier: Apache-2.0 */
/* What the real host must do on bridges (agent/host/host_ops.h): for kernels that
 * filter VLANs, as those of the lab do. It makes a bridge and a tap of its own
 * and takes, as the uplink, the PF's network device, or a free VF's where that
 * is a port already (igbvf of Linux 6.1 refuses VLANs in the lab). Needs root, and the commands bridge and tc, by which it looks at
 * what was done. */
#pragma once

#include "tests/contract/host/contract.h"

/* Run it; the number of failures. 'target' must stay. */
int legs_run(const struct contract_target *target);
