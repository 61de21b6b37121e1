/* SPDX-License-Identifier: Apache-2.0 */
/* The list of guarded devices in its file: kept by the agent, read by the hook
 * while the agent is down. */
#pragma once

#include "agent/agent.h"

struct hook_guard {
    char *path;
    bool known;    /* 'list' is what is guarded */
    bool saved;    /* and the file says the same */
    bool failing;  /* logged already */
    uint64_t seen; /* agent_changes() at the last look + 1; 0 = never */
    int64_t retry_at;
    struct guarded list;
};
/* Reads what the last life left; a damaged file is logged and 'known' false. */
void hook_guard_open(struct hook_guard *guard, const char *path);
void hook_guard_done(struct hook_guard *guard);
/* Follow the agent; writes the file if the list changed. Returns when to be
 * called again. */
int64_t hook_guard_step(struct hook_guard *guard, const struct agent *agent,
                        int64_t now_ns);
/* NULL = not known. */
const struct guarded *hook_guard_list(const struct hook_guard *guard);
