/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's decisions, pure: what is wanted (documents) and what is there
 * (readings of the host) go in, the next single action comes out. No I/O, clock,
 * thread or random source (the seed of probes' MACs is an input).
 *
 *     while (reconcile_next(r, now, &action, &wake)) {
 *         carry it out;
 *         reconcile_done(r, now, &action, &result);
 *     }
 *     sleep until 'wake' or an input comes
 *
 * Threads: one.
 */
#pragma once

#include "agent/core/managed.h"
#include "common/base/error.h"
#include "common/domain/guarded.h"
#include "common/domain/list.h"
#include "common/model/document.h"

struct reconcile;

struct reconcile_config {
    char host[NAME_SIZE];
    struct uuid boot_id; /* of the host, now */
    uint64_t seed;
    bool skip_probing;
    /* After which a plugged VF that the guest does not use is told degraded, and
     * after which a VF that the guest keeps is told kept; 0 = as in way.h. */
    int64_t plug_deadline_ns, unplug_deadline_ns;
};
/* Takes what 'state' holds (and leaves it empty). */
struct reconcile *reconcile_new(const struct reconcile_config *config,
                                struct agent_state *state);
void reconcile_free(struct reconcile *r);

/* ---- inputs ---------------------------------------------------------------- */

/* See agent_desired() for the refusals. */
int reconcile_desired(struct reconcile *r, const struct desired *desired,
                      struct error *err);
/* A reading of the whole host; keeps a reference. */
void reconcile_inventory(struct reconcile *r, int64_t now,
                         const struct inventory *inventory);
/* A later reading of one PF; NULL = it is gone. */
void reconcile_pf(struct reconcile *r, int64_t now, const struct pf_key *key,
                  const struct pf *pf);
/* What libvirt tells; keeps a reference. NULL: nothing is known, 'why' says why;
 * without 'why': libvirt is not asked on this host at all. To be called whenever
 * orders may have ended, too. */
void reconcile_domains(struct reconcile *r, int64_t now,
                       const struct domain_list *domains, const char *why);
/* The scheduler durably knows that this port is absent: forget it, unless it is
 * wanted again since. */
void reconcile_forget(struct reconcile *r, const struct uuid *port);
/* The same of a VM. */
void reconcile_forget_vm(struct reconcile *r, const struct uuid *vm);
/* The incarnation must be above this; see STALE_REPORT. */
void reconcile_raise_incarnation(struct reconcile *r, uint64_t above);

/* The scheduler answered: a report that it accepted, or a poll. 'sent_at': when
 * the request was sent (see pf_setting.h). */
void reconcile_answered(struct reconcile *r, int64_t sent_at, int64_t now);
/* A change waits for the answer to a request sent since then; INT64_MIN = none
 * does. */
int64_t reconcile_asks_since(const struct reconcile *r);

/* ---- the hook ------------------------------------------------------------------ */

/* libvirt's hook asks (https://libvirt.org/hooks.html); answered from what is
 * known, never by asking libvirt: it waits for the answer. */
enum hook_operation {
    HOOK_PREPARE, /* before anything of the guest is there; and 'start', when
                     VFs of <forward mode='hostdev'> networks are chosen */
    HOOK_RELEASE, /* all of the guest is gone */
    HOOK_MIGRATE, /* incoming */
    HOOK_OTHER, /* started, stopped, reconnect, restore, attach …: nothing to
                     decide */
};
enum hook_verdict {
    HOOK_ALLOW,
    HOOK_REFUSE, /* with the reason and what to do */
    HOOK_WAIT,   /* something is under way: ask again after the next step, and
                    refuse with the reason when the deadline comes */
};
struct hook_request {
    enum hook_operation operation;
    const struct domain_facts *facts; /* of the XML that libvirt gave */
    /* What is ours beside claims; NULL = not known, so each device may be. */
    const struct guarded *guarded;
    bool adopt; /* VFs that nobody claimed are let through */
};
#define HOOK_REASON_SIZE 512
/* prepare: every VF (or PF) of ours that the domain has must be claimed for a
 * port of one VM that may run here, with the policy applied and proven, used by
 * no other domain.
 * migrate: refused with any VF of ours. 'reason' is filled but for ALLOW. */
enum hook_verdict reconcile_hook(struct reconcile *r, int64_t now,
                                 const struct hook_request *request,
                                 char reason[HOOK_REASON_SIZE]);
/* Every device that is ours: PFs that may be used with their VFs as last read,
 * and what is claimed. False, '*out' untouched: not known before a whole document
 * and a reading came. '*out' is zeroed by the caller. */
bool reconcile_guarded(const struct reconcile *r, struct guarded *out);

/* ---- actions ------------------------------------------------------------------ */

enum action_kind {
    ACTION_SAVE,         /* make reconcile_state() durable */
    ACTION_READ,         /* vf_read */
    ACTION_WRITE,        /* vf_write of 'fields' of 'policy' */
    ACTION_RESET,        /* vf_reset */
    ACTION_HOLD,         /* mac_hold of 'policy.mac', on */
    ACTION_LET_GO,       /* the same, off */
    ACTION_HELD,         /* mac_held of 'policy.mac' */
    ACTION_PF_SET,       /* pf_set to 'target' */
    ACTION_ORDER,        /* domain_order of 'order' */
    ACTION_EVIDENCE,     /* vf_evidence */
    ACTION_ANNOUNCE,     /* of 'policy.mac' and its VLAN out of 'netdev' */
    ACTION_LEARNING,     /* learning_read of 'netdev' */
    ACTION_LEARNING_OFF, /* learning_set off of 'netdev' */
    ACTION_TAP_VLAN,     /* of 'netdev' on 'bridge' to 'policy.vlan' */
    ACTION_TAP_READ,     /* of 'netdev', which 'order.domain' has */
};
struct action {
    enum action_kind kind;
    struct pf_key pf;
    uint16_t vf_index;
    uint32_t fields;
    struct policy policy;
    struct pf_target target; /* PF_SET */
    uint64_t version;        /* SAVE: of the state */
    struct uuid vm, port;    /* on whose behalf; zero: of the VF's entry */
    char netdev[NETDEV_NAME_SIZE], bridge[NETDEV_NAME_SIZE];
    struct domain_order order; /* ORDER; its texts last until the next input */
};
struct action_result {
    bool failed;
    struct error err;     /* failed */
    bool pending;         /* PF_SET, ORDER: it is under way */
    struct policy policy; /* READ, TAP_READ */
    bool held;            /* HELD */
    bool learns;          /* LEARNING */
    struct vf_evidence evidence;
};
/* False: nothing to do before *wake (INT64_MAX = until an input comes). */
bool reconcile_next(struct reconcile *r, int64_t now, struct action *action,
                    int64_t *wake);
/* Returns true if the PF of the action should be read again (the kernel said
 * that it is gone). */
bool reconcile_done(struct reconcile *r, int64_t now,
                    const struct action *action,
                    const struct action_result *result);

/* ---- outputs -------------------------------------------------------------------- */

/* What is to be durable, as of now; borrowed until the next call. */
const struct agent_state *reconcile_state(struct reconcile *r);
/* The same without the arrays: cluster, accepted revision, incarnation. */
const struct agent_state *reconcile_state_scalars(const struct reconcile *r);
/* Everything above is durable. */
bool reconcile_is_durable(const struct reconcile *r);
/* No entry has work to do before something changes or a back-off ends. */
bool reconcile_is_settled(const struct reconcile *r);
/* The incarnation, once it is durable, else 0. */
uint64_t reconcile_incarnation(const struct reconcile *r);
struct revision reconcile_following(const struct reconcile *r);
/* Rises with each change of what the functions below tell. */
uint64_t reconcile_changes(const struct reconcile *r);

/* The last whole reading (its PFs may be old: use the views); NULL = none. */
const struct inventory *reconcile_facts(const struct reconcile *r);
size_t reconcile_pf_count(const struct reconcile *r);
/* The PF as last read; borrowed until the next input or action. */
const struct pf *reconcile_pf_at(const struct reconcile *r, size_t index);
/* The change counter (see reconcile_changes) of the PF's last change. */
uint64_t reconcile_pf_changes(const struct reconcile *r, size_t index);
/* A new PF: the last reading with our VF states, owners and capabilities. */
struct pf *reconcile_pf_view(const struct reconcile *r, size_t index);
/* All ports that are wanted or held: fills up to 'max', returns how many there
 * are. */
size_t reconcile_ports(const struct reconcile *r, struct observed_port *out,
                       size_t max);
/* The same of all PFs that something is set for, or whose change is remembered. */
size_t reconcile_pfs(const struct reconcile *r, struct observed_pf *out,
                     size_t max);
/* The same of all VMs that are wanted, or remembered. */
size_t reconcile_vms(const struct reconcile *r, struct observed_vm *out,
                     size_t max);
/* What active domains that aren't ours use, as last known. */
void reconcile_external(const struct reconcile *r, uint32_t *vcpus,
                        uint64_t *memory_mib);
