/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the engine, shared by agent.c and report.c. */
#pragma once

#include "agent/agent.h"
#include "agent/core/reconcile.h"
#include "common/base/rng.h"

/* The PFs as one report told them: a reference on each view, ordered by key. */
struct told {
    uint64_t sequence; /* 0 = nothing told */
    const struct inventory *facts;
    size_t pf_count;
    struct pf **pfs;
    size_t port_count;
    struct observed_port *ports;
    size_t setting_count;
    struct observed_pf *settings;
    size_t vm_count;
    struct observed_vm *vms;
    uint32_t external_vcpus; /* of domains that aren't ours */
    uint64_t external_memory_mib;
    struct revision accepted;
    uint64_t changes; /* reconcile_changes() when it was made */
};

/* A view is made again only when its PF changed. */
struct view {
    uint64_t changes;
    struct pf *pf;
};

struct agent {
    struct agent_config config;
    char name[NAME_SIZE], version[32];
    struct reconcile *core;

    /* What to read again. */
    bool read_all, read_domains;
    size_t dirty_count;
    struct pf_key dirty[HOST_CHANGES_MAX];
    int64_t read_at; /* not before; 0 = unset */
    int64_t audit_at;
    unsigned read_failures;

    /* Reports. */
    uint64_t sequence; /* of the last one made; begins anywhere, so that two
                          agents with one incarnation overtake each other */
    bool need_full;
    int64_t first_due; /* of the first report: a little after the first reading,
                          so that it tells what probes found */

    bool in_flight;
    struct told sent, acknowledged;
    size_t view_count;
    struct view *views;    /* ordered by key */
    uint64_t seen_changes; /* reconcile_changes() at the last look */
    int64_t changed_at;    /* when something to tell appeared; 0 = nothing */
    int64_t reported_at;   /* when the last report was made; 0 = never */

    int64_t now;              /* of the last call that said it */
    unsigned report_failures; /* in a row */
    int64_t report_retry_at;  /* nothing is told before */
    struct rng rng;           /* jitter */

    bool save_failing, read_failing; /* logged already */
    uint64_t logged_changes;         /* reconcile_changes() at the last look */
    size_t logged_count;             /* settings of PFs as they were logged */
    struct observed_pf *logged;
};

/* act.c: do it; fills the result. */
void carry_out(struct agent *agent, const struct action *action,
               struct action_result *result);
void told_done(struct told *told);
/* Notice what changed since the last look; called at the end of each step. */
void report_notice(struct agent *agent, int64_t now_ns);
void report_done(struct agent *agent);
/* One line at each phase change of a PF's setting. */
void log_settings(struct agent *agent);
