/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the core share: the core itself, and the one way in which
 * it changes. */
#pragma once

#include "scheduler/core/index.h"

struct core {
    struct core_config config;
    struct state state;
    struct omap keys; /* idempotency key -> vm */
    struct omap macs; /* struct mac_key -> vm */
    struct index index;
    bool started; /* before: VMs are not yet linked to their hosts */
    int64_t started_at;
    uint64_t decisions;          /* placements so far, to mark hosts as tried */
    uint64_t changes;            /* of what placement looks at, so far */
    struct explained *explained; /* the last answer of explain_hosts() */
};

/* Append {kind, before, after} to 'tx' and apply it. The caller's reference on
 * 'after' goes in; 'before' is borrowed (a reference of its own is taken). */
void core_change(struct core *core, struct tx *tx, enum record_kind kind,
                 const void *before, void *after);
/* Let the state go from 'before' to 'after'; 'undo' when this takes back a
 * change that went from 'after' to 'before'. (apply.c) */
void core_apply(struct core *core, enum record_kind kind, void *before,
                void *after, bool undo);
/* The end of the restore: documents go on from the settings' revisions, and all
 * VMs are linked to their hosts. (apply.c) */
int core_link(struct core *core, struct error *err);

struct snapshot {
    struct ref ref;
    struct state state;
};

/* What an event is about; NULL = nothing. */
struct event_about {
    const char *host;
    const struct uuid *vm, *port;
};
/* Record an event, and the end of the oldest one beyond EVENTS_KEPT. */
void core_event(struct core *core, const struct core_call *call, struct tx *tx,
                struct event_about about, const char *type, const char *reason,
                const char *format, ...) __attribute__((format(printf, 7, 8)));

/* The next revision of a host's document. */
struct revision core_next_revision(const struct core *core,
                                   const struct host_view *view);

/* NULL + NOT_FOUND */
struct host_view *core_find_host(const struct core *core, const char *name,
                                 struct error *err);
/* CONCURRENT_UPDATE if a generation is given and the host has another.
 * (hosts.c) */
int core_check_generation(const struct host *host, bool given,
                          uint64_t generation, struct error *err);
/* The same for a VM; 0 = not given. (vms.c) */
int core_check_vm_generation(const struct vm *vm, uint64_t generation,
                             struct error *err);
/* Say of which PFs of a host more is promised than their links bear now, and
 * of which no longer, since it was last said. (promises.c) */
void core_tell_promises(struct core *core, const struct core_call *call,
                        struct tx *tx, const char *host);
/* A snapshot of the state. (snapshot.c) */
struct snapshot *snapshot_make(struct state *state);
/* The end of a VM: its record goes. (vms.c) */
void core_vm_remove(struct core *core, const struct core_call *call,
                    struct tx *tx, struct vm *vm, const char *why);
/* New presence of a host. */
void core_set_presence(struct core *core, const struct core_call *call,
                       struct tx *tx, const struct host_view *view,
                       enum presence presence);

/* ---- views (view.c) -------------------------------------------------------- */

/* A copy for another state of the same host; the arrays are copied. */
struct host_view *view_dup(const struct host_view *view);
struct host_view *view_new(struct host *host);
/* The same with 'before' taken off and 'after' put on (either may be NULL). */
struct host_view *view_with_vm(const struct host_view *view,
                               const struct vm *before, const struct vm *after);
/* Derive state and reason from what the view holds. */
void view_set_state(struct host_view *view, const struct cluster *cluster);
/* Where the claims on a PF begin in view->claims, if it has any. */
size_t view_first_claim(const struct host_view *view, const struct pf_key *pf);
/* The position of a VF's claim in view->claims, or -1. */
int view_find_claim(const struct host_view *view, const struct pf_key *pf,
                    uint16_t vf_index);
/* A copy of a report for another state of the same; the inventory is shared.
 * (observe.c) */
struct host_report *report_dup(const struct host_report *report);
/* The report is of an agent that follows another cluster than this one. */
bool report_is_foreign(const struct host_report *report,
                       const struct cluster *cluster);
