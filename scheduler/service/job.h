/* SPDX-License-Identifier: Apache-2.0 */
/* One piece of work for the writer: a decision of the core and what to do with
 * its outcome. Embedded in the struct of whoever asks. */
#pragma once

#include "scheduler/core/core.h"

#include <stdbool.h>

struct job {
    /* Decide: calls core_* and nothing that waits. Returns 0, or -1 + err: then
     * nothing of this job is kept, its neighbours in the batch go on. */
    int (*run)(struct job *job, struct core *core, const struct core_call *call,
               struct tx *tx, struct error *err);
    /* Called exactly once, after the batch is durable and published ('err'
     * NULL), or when this job did not happen ('err' says why). 'snapshot' is
     * the published one, borrowed. The job is the callee's to free. */
    void (*answer)(struct job *job, struct snapshot *snapshot,
                   const struct error *err);
    const char *actor;      /* borrowed until 'answer' */
    const char *request_id; /* "" = none */
    bool dry_run;           /* decide, then take it back */
    bool republish;         /* publish even if there are no records */

    /* The writer's own. */
    bool refused;
    struct error error;
};
