/* SPDX-License-Identifier: Apache-2.0 */
/* What every host backend must do (agent/host/host_ops.h), as one suite: the
 * simulated host and, in the lab, real kernels with igb and netdevsim are held
 * against it.
 *
 * It writes to the PF's last free VF, makes the VFs anew, puts back what was
 * there, and needs a PF with at least two VFs, one of them free, that nobody
 * else uses meanwhile. */
#pragma once

#include "agent/host/host_ops.h"

#include <check.h>

struct contract_target {
    const char *name; /* of the suite */
    struct pf_key pf;
    /* Called before and after each test, in the test's own process. */
    struct host_backend *(*open)(void);
    void (*close)(struct host_backend *host);
    /* What this PF is known to refuse (POLICY_BITs), from its data sheet or
     * driver and never from our own answers; everything else must work. */
    uint32_t refuses;
    /* Accepted but not read back: the driver does not report them. */
    uint32_t forgets;
    bool bridges; /* it has an embedded switch whose mode can be set */
};
/* 'target' must stay. */
Suite *contract_suite(const struct contract_target *target);
/* Run it; the number of failures. */
int contract_run(const struct contract_target *target);
