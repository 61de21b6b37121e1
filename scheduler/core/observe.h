/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that take in a report. */
#pragma once

#include "scheduler/core/internal.h"

/* Say what changed from one report of a host to the next; 'old' NULL: the
 * first since our start. (events.c) */
void observe_events(struct core *core, const struct core_call *call,
                    struct tx *tx, const struct host_report *old,
                    const struct host_report *report);
