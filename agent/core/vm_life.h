/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent did for a managed VM, as it holds it. The rule: it acts once for
 * each (revision of the VM, boot of the host), and what it acted for is durable
 * before libvirt is told anything. So a guest that ends by itself stays off, a
 * crash at any instant goes on where it was, and a domain that we may have defined
 * is never forgotten before it is gone.
 *
 * Only for lifecycle managed; domains of external VMs are observed and never
 * started, ended or defined.
 */
#pragma once

#include "common/base/timestamp.h"
#include "common/base/uuid.h"
#include "common/model/vm.h"

/* A guest that was asked to shut down and has not is destroyed after this. */
#define VM_SHUTDOWN_NS (60 * TIMESTAMP_SECOND)
/* libvirt is given so long after the agent's start to tell of external VMs that
 * are to be absent; after that the kernel's word (their VFs are clean) is enough.
 */
#define VM_GRACE_NS (5 * TIMESTAMP_SECOND)

/* The life of a record. '*' = durable before libvirt is told.
 *
 *            power_on, all ports proven,
 *            networks there
 *   (none) ──────────────────────────────► starting* ──► started
 *     ▲ │    (it runs already: started)       │  DEFINE, START
 *     │ │                                     │
 *     │ │                                     └─ refused 3 times ──► failed
 *     │ │    power off
 *     │ └────────────────────────────────► stopping* ──► stopped
 *     │      (it is off already: stopped)        SHUTDOWN, after 60 s DESTROY
 *     │
 *     └── absent: DESTROY, UNDEFINE, then libvirt knows no such domain; only
 *         then are its ports cleaned
 *
 * Another revision, or another boot of the host, begins anew from any of them.
 */
#define VM_RUNS(X)                                                             \
    X(STARTING, "starting")                                                    \
    X(STARTED, "started")                                                      \
    X(STOPPING, "stopping")                                                    \
    X(STOPPED, "stopped")                                                      \
    X(FAILED, "failed")
enum vm_run {
#define X(name, text) VM_RUN_##name,
    VM_RUNS(X)
#undef X
        VM_RUN_MAX
};
const char *vm_run_name(enum vm_run run);
enum vm_run vm_run_parse(const char *name); /* VM_RUN_MAX: unknown */

struct vm_record {
    struct uuid vm;
    struct revision revision;   /* of the desired VM that was acted for */
    struct uuid boot_id;        /* the boot in which it was */
    uint8_t run;                /* enum vm_run */
    struct condition condition; /* failed: why */
};
