/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's engine: one host's desired document in, kernel writes in the
 * middle, observed reports out. No clock, thread, socket or file inside: time is
 * a parameter, the host is a struct host_backend, the disk is a struct
 * agent_state_ops, the uplink (or the simulation) carries the documents.
 *
 * How it is driven, forever:
 *     wake = agent_step(agent, now);              do a bounded amount of work
 *     if no report is in flight:
 *         report = agent_report(agent, now);      NULL = nothing to say
 *         send it; when answered: agent_report_done(...)
 *     if no poll is in flight: ask for documents after agent_following();
 *         give what comes to agent_desired()
 *     when the host's event descriptor is readable: agent_host_events()
 *     sleep until 'wake' or the next of these.
 *
 * Give agent_desired() only answers to questions that this engine (this
 * process, this agent_new) asked, in the order asked: a partial document stands
 * on agent_following() at the time of asking. Repeated, older and foreign
 * documents are refused and harmless.
 *
 * A crash is: agent_free() at any instant between two calls (or between two
 * calls of the ops), then agent_new() with the same disk.
 *
 * Threads: one.
 */
#pragma once

#include "agent/core/reconcile.h"
#include "agent/host/host_ops.h"
#include "common/base/error.h"
#include "common/model/document.h"

#include <stdbool.h>
#include <stdint.h>

struct agent;

/* The disk. Called on the agent's thread; may take as long as an fsync. */
struct agent_state_ops {
    /* Fill '*out' (zeroed by the caller; it owns the arrays afterwards). A disk
     * that never held a state: 0 and '*out' stays zero. CORRUPT: the agent
     * does not start. */
    int (*load)(void *context, struct agent_state *out, struct error *err);
    /* Replace the state atomically and durably. On -1 the old one is still
     * whole (or, after a crash in between, either of them). 'state' borrowed. */
    int (*save)(void *context, const struct agent_state *state,
                struct error *err);
};

struct agent_config {
    const char *name; /* the host's name at the scheduler; copied */
    struct uuid machine_id, boot_id;
    const char *version;       /* copied */
    struct host_backend *host; /* borrowed for the agent's life */
    const struct agent_state_ops *state_ops;
    void *state_context;
    int64_t heartbeat_ns; /* 0 = 10 s */
    int64_t
        coalesce_ns;  /* what is to be told waits so long for more, a fifth of
                            it where no work is going on; 0 = 100 ms */
    int64_t audit_ns; /* all PFs are read again so often, for what no event
                         tells; 0 = 60 s, negative = never */
    /* See struct reconcile_config; 0 = 60 s and 30 s. */
    int64_t plug_deadline_ns, unplug_deadline_ns;
    unsigned actions_per_step; /* kernel or disk calls in one step; 0 = 16. With
                                  1 a simulation can crash between any two. */
    uint64_t seed; /* of the MACs that probes write, jitter and the number of
                      the first report; two agents of one name must differ in
                      it to be noticed */
    bool skip_probing; /* capabilities stay as the backend tells them */
};

/* Loads the state. Nothing is read from the host nor written to the disk before
 * the first agent_step(). NULL: the state can't be read (err says the remedy). */
struct agent *agent_new(const struct agent_config *config, struct error *err);
void agent_free(struct agent *agent); /* policy stays on the VFs */

/* Something changed on the host: read it again in the next steps. */
void agent_host_changed(struct agent *agent,
                        const struct host_changes *changes);
/* The same, asking the backend (host->ops->changes) what. */
void agent_host_events(struct agent *agent);

/* A document from the scheduler. Refused, nothing changed: WRONG_HOST,
 * WRONG_CLUSTER (another cluster's while we hold VFs; remedy: sriov-agent
 * adopt), OLD_EPOCH (older epoch or revision than accepted: I8), NEED_FULL (a
 * partial one before any full one: ask with 0.0). Accepted ones are acted on
 * once cluster and epoch are durable. */
int agent_desired(struct agent *agent, const struct desired *desired,
                  struct error *err);
/* What to ask 'after': 0.0 until a full document came in this life. */
struct revision agent_following(const struct agent *agent);

/* The scheduler answered a poll that was sent at 'sent_at_ns' (clock of
 * agent_step): with a document that was accepted, or that there is nothing new.
 * Accepted reports count by themselves. */
void agent_answered(struct agent *agent, int64_t sent_at_ns);

/* Do up to actions_per_step calls to host and disk. Returns when to be called
 * again (same clock as 'now'; 'now' or less = at once). Never fails: errors
 * become conditions and are tried again. */
int64_t agent_step(struct agent *agent, int64_t now_ns);

/* What is to be told now: a new reference, or NULL: nothing new and no heartbeat
 * due, or a report is in flight, or the incarnation is not yet durable.
 * Partial where the last report was accepted, else full. */
struct observed *agent_report(struct agent *agent, int64_t now_ns);
/* When agent_report() will have something, as far as known now. The time that
 * agent_step() returns covers it. */
int64_t agent_report_due(const struct agent *agent, int64_t now_ns);

enum agent_outcome {
    AGENT_REPORT_ACCEPTED, /* ports told absent are forgotten */
    AGENT_REPORT_LOST, /* no answer or an error: unknown whether it arrived */
    AGENT_REPORT_NEED_FULL,
    AGENT_REPORT_STALE,   /* a newer incarnation or sequence is known there */
    AGENT_REPORT_REFUSED, /* wrong host, bad token …: only people can help */

};
/* How the next one waits: not at all after ACCEPTED and the first NEED_FULL or
 * STALE in a row; else 1 to 30 s, doubling, with jitter; REFUSED: 30 s. */
/* The end of the report in flight ('sequence' of another one is ignored).
 * 'known_incarnation': STALE: the scheduler's, 0 = it did not say. */
void agent_report_done(struct agent *agent, uint64_t sequence,
                       enum agent_outcome outcome, uint64_t known_incarnation);

/* ---- libvirt's hook -------------------------------------------------------- */

/* reconcile_hook(), on a fresh reading of the PFs of the domain's devices: 'first'
 * tells that this question was not asked yet. On WAIT ask again after the next
 * agent_step(). */
enum hook_verdict agent_hook(struct agent *agent, int64_t now_ns,
                             const struct hook_request *request, bool first,
                             char reason[HOOK_REASON_SIZE]);
/* As reconcile_guarded(). */
bool agent_guarded(const struct agent *agent, struct guarded *out);
/* Rises with each change of what the functions here tell. */
uint64_t agent_changes(const struct agent *agent);

/* ---- for tests, the fleet and 'sriov-agent state' ------------------------- */

/* What is held now, durable or about to be; borrowed until the next call. */
const struct agent_state *agent_state_view(struct agent *agent);
/* The host as the agent sees it, VF states overlaid; a new reference; NULL
 * before the first reading. */
struct inventory *agent_inventory(struct agent *agent);
/* Nothing to do until something changes or a back-off ends. */
bool agent_is_idle(const struct agent *agent);
