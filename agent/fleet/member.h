/* SPDX-License-Identifier: Apache-2.0 */
/* One host of the fleet and how far it is. */
#pragma once

#include "agent/agent.h"
#include "agent/fleet/fleet.h"
#include "agent/uplink.h"

/* enrolling ──► reporting ──► setting ──► ready; each step is repeated until it
 * worked. */
enum member_stage {
    MEMBER_ENROLLING,
    MEMBER_REPORTING,
    MEMBER_SETTING,
    MEMBER_READY,
    MEMBER_STAGE_MAX
};

struct fleet {
    struct fleet_config config;
    struct client_multi *multi;
    size_t calls;                    /* administrator's calls in flight */
    size_t stages[MEMBER_STAGE_MAX]; /* members in each */
    struct member *members;
    bool failed; /* with 'err': no sense in going on */
    struct error err;
};

struct member {
    struct fleet *fleet;
    char name[NAME_SIZE];
    enum member_stage stage;
    bool calling; /* an administrator's call is in flight */
    size_t set;   /* settings made: 0 = none, 1 = networks, then the PFs */
    unsigned failures;
    int64_t call_at; /* no administrator's call before */
    int64_t wake;    /* of the agent */

    struct sim_host *host;
    struct host_backend *backend;
    struct agent_state disk;
    char *token;
    struct agent *agent;
    struct uplink *uplink;
};

/* Its hardware; -1 if the profile can't be built. */
int member_init(struct member *member, struct fleet *fleet, size_t number,
                struct error *err);
/* After the multi is freed. */
void member_done(struct member *member);
/* Do what is due. */
void member_step(struct member *member, int64_t now);
