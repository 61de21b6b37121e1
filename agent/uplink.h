/* SPDX-License-Identifier: Apache-2.0 */
/* An agent's line to its scheduler: one long poll for the desired document and
 * one report at a time, over a client_multi that many agents may share (the
 * fleet) or one has alone. Back-off with jitter while the scheduler is away.
 *
 * Threads: that of the client_multi.
 */
#pragma once

#include "agent/agent.h"
#include "api/client/client.h"

struct uplink;
struct uplink_config {
    struct agent *agent;        /* borrowed */
    struct client_multi *multi; /* borrowed; free it before the uplink */
    const char *name;           /* the host's; copied */
    const char *token;          /* bearer; NULL = the multi's; copied */
    uint64_t seed;              /* of the jitter */
    /* Called after each answer: the agent may have work. NULL = not needed. */
    void (*answered)(void *context);
    void *context;
};
struct uplink *uplink_new(const struct uplink_config *config);
void uplink_free(struct uplink *uplink);

/* Begin what is due. Returns when to be called again, as far as known (answers
 * come in client_multi_run()). Clock: that of agent_step(). */
int64_t uplink_step(struct uplink *uplink, int64_t now_ns);

/* Reports accepted so far. */
uint64_t uplink_reports(const struct uplink *uplink);
