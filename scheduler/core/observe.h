/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that take in a report. */
#pragma once

#include "scheduler/core/internal.h"

/* Say what changed from one report of a host to the next; 'old' NULL: the
 * first since our start. (events.c) */
void observe_events(struct core *core, const struct core_call *call,
                    struct tx *tx, const struct host_report *old,
                    const struct host_report *report);

/* ---- report.c: what the reports say, merged ---------------------------------- */

/* The report after this one was laid over 'old' (NULL: the first). A new
 * object. */
struct host_report *report_make(const struct core *core,
                                const struct core_call *call,
                                const struct host_report *old,
                                const struct observed *observed);
/* Proven clean, at the port's present revision. */
bool report_port_is_gone(const struct host_report *report,
                         const struct port *port);
/* No domain of the VM is on the host, at the VM's present revision; true also of
 * one whose domain is not the agent's business. */
bool report_vm_is_gone(const struct host_report *report, const struct vm *vm);

/* ---- ports.c ------------------------------------------------------------------- */

/* Take the claims off ports that are to be on virtio and whose VFs the agent
 * proved clean. */
void ports_release_claims(struct core *core, const struct core_call *call,
                          struct tx *tx, const struct host_report *report);
