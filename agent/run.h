/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's one loop: host events, documents, reports. */
#pragma once

#include "agent/agent.h"

struct run_config {
    const char *server, *token_file;
    struct agent_config agent;
    /* libvirt's hook: its socket (NULL = it is not answered), the file of guarded
     * devices, and whether unclaimed VFs are let through. */
    const char *hook_socket, *hook_guarded;
    bool hook_adopt;
    /* Told when it becomes known, and when it changes, over which of this
     * machine's addresses the scheduler is reached. NULL = nobody asks. */
    void (*own_address)(struct host_backend *host, const char *address);
};
/* Until run_stop(). 0, or -1: it could not begin. */
int run_agent(const struct run_config *config, struct error *err);
/* End the loop; from a signal handler too. */
void run_stop(void);

/* The agent's clock: the time of day that never goes back. It follows a clock
 * that was set forward, so that times in reports are right; one that was set
 * back only slows them down, so that nothing waits for hours. */
struct run_clock {
    int64_t offset; /* time of day less monotonic */
};
int64_t run_clock_now(struct run_clock *clock);
