/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of agent/core: one reconcile object, shared by the files of this
 * folder. Entries are ordered by (PF, VF index), wants by port id. */
#pragma once

#include "agent/core/managed.h"
#include "agent/core/reconcile.h"
#include "agent/core/vm_parts.h"
#include "common/base/rng.h"
#include "common/base/timestamp.h"

#include <stdarg.h>

#define CONDITION_TYPE "PolicyApplied"
#define PF_CONDITION_TYPE "PfConfigured"

/* Tries before a VF counts as refused or not clean. */
#define TRIES_MAX 3
#define RETRY_NS (100 * TIMESTAMP_MS)
#define FAILED_RETRY_NS (5 * TIMESTAMP_SECOND)
#define FAILED_RETRY_MAX_NS (300 * TIMESTAMP_SECOND)
#define QUARANTINE_RETRY_NS (60 * TIMESTAMP_SECOND)
#define QUARANTINE_RETRY_MAX_NS (3600 * TIMESTAMP_SECOND)
/* A released port whose VF is gone for so long is told absent; the VF stays
 * held, to be cleaned when it comes back. */
#define VANISHED_GIVE_UP_NS (60 * TIMESTAMP_SECOND)
#define SAVE_RETRY_NS TIMESTAMP_SECOND
#define SAVE_RETRY_MAX_NS (30 * TIMESTAMP_SECOND)
/* A probe that came to no end is tried again; where the link is another one
 * since, or no VF is in use any more, sooner. */
#define PROBE_RETRY_NS (300 * TIMESTAMP_SECOND)
#define PROBE_RETRY_LINK_NS (5 * TIMESTAMP_SECOND)

/* Where an entry is within its phase: read what is there, write what differs,
 * reset, prove by reading back. Probes also hold the trial MAC on the PF's own
 * filter, look whether it is there, and let go of it. */
enum step {
    STEP_READ,
    STEP_WRITE,
    STEP_RESET,
    STEP_PROVE,
    STEP_HOLD,
    STEP_HELD,
    STEP_LET_GO,
};

/* A probe that runs: see trial.c. It is forgotten with a crash; its entry is
 * not, and is then cleaned. */
struct probe {
    uint8_t trial;  /* which one is being made */
    bool begun;     /* the first reading is there */
    bool exclusive; /* no VF of the PF was in use: shared fields may be tried */
    bool open;      /* a trial came to no verdict: probe again later */
    bool link_up;   /* of the PF when it began */
    uint32_t speed_mbps; /* the same; 0 = not told */
    struct capabilities found;
    struct policy base; /* what is on the VF by now; 'set' = what it tells */
};

struct entry {
    struct managed m;
    uint64_t intent; /* state version that must be durable before a touch */
    bool gone;       /* clean; leaves the set once that is durable */
    uint8_t step;    /* enum step */
    uint8_t tries;
    bool was_reset;
    uint64_t reading;  /* bare: proven by the PF's reading of this number on */
    bool was_let_go;   /* CLEANING of a probe: nothing is held on the PF */
    bool drifted;      /* was applied, then read otherwise */
    unsigned failures; /* in a row, for the back-off */
    int64_t next_at;   /* nothing before this */
    uint32_t skip;     /* fields nobody asked for that the device can't set */
    uint32_t fields;   /* STEP_WRITE: what to write of 'to_write' */
    struct policy to_write;
    bool has_readback;
    struct policy readback;
    int64_t readback_at;
    uint64_t pf_signature; /* when it failed */
    int64_t vanished_at;   /* 0 = the VF is there */
    bool plugged;          /* a running domain of ours has it, as last known */
    struct probe *probe;   /* owned; PROBING only */
};

struct want {
    struct desired_port d;
    bool blocked; /* by 'condition': no entry can be made */
    struct condition condition;
    uint64_t durable_at; /* ABSENT is told once this version is durable */
    int64_t since;       /* when the document brought it */
    struct way way;      /* of its frames, in this life */
};

/* A change of a PF: what is durable of it, and how far it is in this life. */
struct pf_work {
    struct pf_change c;
    uint64_t intent;    /* state version that makes its last move durable */
    bool resumed;       /* read from the disk: it may have been begun before */
    bool looked_at;     /* resumed: by the first plan */
    bool started;       /* pf_set was called in this life */
    bool seen;          /* confirming: the PF was read since the write */
    bool heard;         /* confirming: the scheduler answered since */
    int64_t written_at; /* confirming: when the write had ended */
    int64_t next_at;    /* nothing before this */
    unsigned tries, failures;
    struct condition verdict; /* reverting after a refusal: what it says then */
};

/* A PF of the document, whether something is set for it or not. */
struct pf_wish {
    struct desired_pf d;
    int64_t since; /* when the document brought this revision */
    bool blocked;  /* by 'condition': nothing can begin; told as 'phase' */
    bool waits;    /* for a probe's end: no other one begins */
    uint8_t phase;
    struct condition condition;
};

struct pf_slot {
    struct pf *pf;     /* our own copy: readings are put into it */
    uint64_t readings; /* how many there were */
    uint8_t dual;      /* enum way_dual: as of this plan */
    uint64_t changes;
    /* The last probe that began here, and what the link was then. */
    int64_t probed_at; /* 0 = none in this life */
    bool probed_up;
    bool probed_exclusive; /* no VF of the PF was in use when it began */
    uint32_t probed_speed;
};

struct reconcile {
    struct reconcile_config config;
    struct rng rng;

    struct agent_state state; /* the scalars; arrays only as reconcile_state()
                                 last made them */
    uint64_t version, saved;  /* of the state */
    uint64_t incarnation_version; /* makes the incarnation durable */

    int64_t now;            /* of the last call that said it */
    int64_t save_at;        /* back-off after a failed save */
    int64_t save_failed_at; /* since when */

    unsigned save_failures;
    char save_error[160]; /* "" = the last save worked */

    bool has_document; /* a full one came in this life */
    bool replan;       /* inputs changed since the last plan */
    int64_t plan_at;   /* or: the time a rule waits for */
    uint64_t changes;

    const struct inventory *facts;
    size_t pf_count, pf_capacity;
    struct pf_slot *pfs; /* ordered by key */

    size_t entry_count, entry_capacity;
    struct entry **entries;
    size_t cursor; /* where reconcile_next() goes on */

    size_t want_count, want_capacity;
    struct want *wants;

    size_t probed_count, probed_capacity;
    struct probed *probed;

    int64_t heard_at; /* the scheduler's last answer; 0 = none in this life */
    size_t work_count, work_capacity;
    struct pf_work **works; /* ordered by key */
    size_t pf_wish_count, pf_wish_capacity;
    struct pf_wish *pf_wishes;

    /* What libvirt told last: see reconcile_domains(). */
    const struct domain_list
        *domains;            /* a reference; NULL = nothing is known */
    bool no_libvirt;         /* it is not asked at all */
    char domains_why[160];   /* NULL: why */
    int64_t begun_at;        /* the first call of reconcile_next() */
    uint32_t external_vcpus; /* of domains that aren't ours */
    uint64_t external_memory_mib;
    size_t vm_count, vm_capacity;
    struct vm_slot **vms; /* ordered by id */
    size_t hold_count, hold_capacity;
    struct hold_slot *holds; /* ordered by port */
    size_t uplink_count, uplink_capacity;
    struct uplink_slot *uplinks;
    size_t way_cursor; /* where way_next() goes on */
};

/* ---- set.c: the set of entries and wants -------------------------------------- */
struct entry *entry_at(const struct reconcile *r, const struct pf_key *pf,
                       uint16_t vf_index);
struct entry *entry_add(struct reconcile *r, const struct managed *managed);
void entry_remove(struct reconcile *r, size_t index);
/* Is the entry of a probe, also when the VF is being cleaned after it? Such a VF
 * was free before. */
bool entry_is_probe(const struct entry *entry);
/* Any entry that is held for the port? */
bool entries_hold(const struct reconcile *r, const struct uuid *port);
struct want *want_of(const struct reconcile *r, const struct uuid *port);
struct want *want_put(struct reconcile *r, const struct desired_port *port);
void want_remove(struct reconcile *r, struct want *want);
struct pf_slot *slot_of(const struct reconcile *r, const struct pf_key *key);
/* The VF of an entry or claim in the last reading, NULL if not there. */
struct vf *vf_of(const struct reconcile *r, const struct pf_key *pf,
                 uint16_t vf_index);
/* The durable part of an entry changed. */
void entry_touch(struct reconcile *r, struct entry *entry);
/* Move along the diagram; starts at STEP_READ. */
void entry_move(struct reconcile *r, struct entry *entry,
                enum managed_phase phase);
/* The same for a new order: nothing is touched before it is durable. */
void entry_move_durably(struct reconcile *r, struct entry *entry,
                        enum managed_phase phase);
void entry_condition(struct reconcile *r, struct entry *entry, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *field, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
void condition_fill(struct condition *condition, int64_t now,
                    enum condition_status status, const char *reason,
                    const char *field, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* 'condition' stays if it says the same already. */
void condition_vfill(struct condition *condition, const char *type, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *field, const char *format, va_list list)
    __attribute__((format(printf, 7, 0)));
/* Something that the views tell of this PF changed. */
void pf_changed(struct reconcile *r, const struct pf_key *key);

/* ---- rules.c ---------------------------------------------------------------------- */
enum purpose {
    PURPOSE_TAKE = 1,  /* a VF that we don't hold yet, for a port */
    PURPOSE_APPLY = 2, /* go on with one that we hold */
    PURPOSE_CLEAN = 4,
    PURPOSE_PROBE = 8,
};
/* Fills 'condition' and returns false if the rules forbid it now. */
bool rules_allow(const struct reconcile *r, enum purpose purpose,
                 const struct pf_key *pf, uint16_t vf_index,
                 const struct mac *mac, int64_t now,
                 struct condition *condition);
/* Why a VF that nobody holds is not free ("vlan 100"), or "" if it reads like
 * one that a driver just made. Interned. */
const char *vf_dirt(const struct vf *vf);
/* Facts on which it depends whether a PF takes a policy. */
uint64_t pf_signature(const struct pf *pf);
/* plan.c: bring entries and wants in line with the inputs. */
void plan(struct reconcile *r, int64_t now);

/* ---- view.c ------------------------------------------------------------------------ */
/* What is told of a wanted port, but for what its virtio leg adds; of what is
 * held for one. */
void view_want(const struct reconcile *r, const struct want *want,
               struct observed_port *out);
void view_entry(const struct reconcile *r, const struct entry *entry,
                struct observed_port *out);

/* ---- hook_device.c: devices that libvirt's hook asks about --------------------------- */
/* A device of the domain that is ours to decide about. */
struct hook_target {
    const struct domain_device *device;
    char name[PCI_TEXT_SIZE]; /* its address on the host */
    struct pf_key pf;
    uint16_t vf_index; /* or CLAIM_WHOLE_PF */
    bool known;        /* false: it is guarded, but not on the host now */
};

/* False: the device is not ours to decide about. */
bool hook_find(const struct reconcile *r, const struct hook_request *request,
               const struct domain_device *device, struct hook_target *target);

/* ---- bare.c: claims without network policy -------------------------------------------- */
bool claim_is_whole(const struct claim *claim);
bool entry_is_bare(const struct entry *entry);
/* Is the VF, or the PF as a whole, in the last reading? */
bool claim_is_there(const struct reconcile *r, const struct claim *claim);
/* The driver bound to it now; "" = none. */
const char *claim_driver(const struct reconcile *r, const struct claim *claim);
/* Nothing is asked of it but a MAC, which its guest's driver sees to; else the
 * first such field. */
bool bare_allows(const struct policy *policy, const char **field);
/* Go on with the entry; true = its step's action is to be done. */
bool bare_acts(struct reconcile *r, struct entry *entry, int64_t now);
/* Its VF was reset: the next reading proves it. */
void bare_was_reset(const struct reconcile *r, struct entry *entry);

/* ---- pf_setting.c, pf_rules.c, pf_commit.c: changes of PFs ------------------------- */
struct pf_work *work_of(const struct reconcile *r, const struct pf_key *key);
struct pf_work *work_add(struct reconcile *r, const struct pf_change *change);
/* A new change in place of one that ended. */
void work_begin(struct reconcile *r, struct pf_work *work,
                const struct pf_change *change);
void work_remove(struct reconcile *r, struct pf_work *work);
/* Along the diagram in pf_setting.h. */
void work_move(struct reconcile *r, struct pf_work *work, int64_t now,
               enum pf_phase phase, enum condition_status status,
               const char *reason, const char *field, const char *format, ...)
    __attribute__((format(printf, 8, 9)));
void works_done(struct reconcile *r);
void pf_condition(struct condition *condition, int64_t now,
                  enum condition_status status, const char *reason,
                  const char *field, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* What the document says of the PF; NULL = nothing. */
struct pf_wish *pf_wish_of(const struct reconcile *r, const struct pf_key *key);
void pf_wishes_take(struct reconcile *r, const struct desired *doc);
/* May this change begin? Else fills condition, phase and 'waits' of the wish. */
bool pf_rules_allow(const struct reconcile *r, struct pf_wish *want,
                    int64_t now);
/* The same of one that was begun, right before a write; 'written': it was
 * written to already, so only what forbids every touch counts. */
bool pf_rules_still_allow(const struct reconcile *r, const struct pf_key *key,
                          bool written, int64_t now,
                          struct condition *condition);
void pf_plan(struct reconcile *r, int64_t now);
bool pf_next(struct reconcile *r, int64_t now, struct action *action,
             int64_t *wake);
/* As reconcile_done(). */
bool pf_done(struct reconcile *r, int64_t now, const struct action *action,
             const struct action_result *result);
/* The PF was read. */
void pf_seen(struct reconcile *r, const struct pf_key *key);

/* ---- apply.c, clean.c, probe.c: the steps within the phases -------------------------- */
/* Fill the action of the current step. */
void entry_action(const struct entry *entry, struct action *action);
bool apply_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action,
                const struct action_result *result);
bool clean_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action,
                const struct action_result *result);
bool probe_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action,
                const struct action_result *result);
/* The VF is clean; it is not: one more round, or quarantine. */
void clean_finish(struct reconcile *r, struct entry *entry, int64_t now);
void clean_fails(struct reconcile *r, struct entry *entry, int64_t now,
                 const char *field, const char *why);
/* Does the VF of the entry differ from what is wanted? Bits to write. */
uint32_t apply_difference(const struct entry *entry,
                          const struct policy *readback);
uint32_t clean_difference(const struct entry *entry,
                          const struct policy *readback);
/* ---- probe.c, trial.c: capabilities by probing ---------------------------------------- */
/* Start a probe where one is due; sets *wake to a later time that matters. */
void probe_plan(struct reconcile *r, int64_t now, int64_t *wake);
/* Is a VF of the PF in use, by a port or by somebody else? */
bool probe_pf_in_use(const struct reconcile *r, const struct pf *pf);
/* The link's speed as probes know it: 0 = not told. */
uint32_t probe_speed(const struct pf *pf);
/* Keep what a probe found; its VF goes to cleaning. */
void probe_finish(struct reconcile *r, struct entry *entry, int64_t now);
/* Put what probes found into a view. */
void probe_overlay(const struct reconcile *r, struct pf *pf);
/* A MAC may sit on the PF's own filter beside a VF's, as far as is known. */
bool probe_has_dual_delivery(const struct reconcile *r, const struct pf *pf);
/* What is told of a field or trait that was tried with the link up and down;
 * unknown = not tried so. */
struct capability probe_combine(const struct capability *up,
                                const struct capability *down);
/* All the values that a probe of the VF will write, decided before it begins,
 * so that they are durable with the entry. */
struct policy trial_values(struct reconcile *r, const struct pf *pf,
                           const struct vf *vf);
/* Does reading alone prove that nothing can be set? Then nothing is tried. */
bool trial_is_vain(const struct pf *pf);
