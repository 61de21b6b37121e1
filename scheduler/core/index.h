/* SPDX-License-Identifier: Apache-2.0 */
/* The placement index: what of the state a decision needs, laid out so that
 * its cost grows with the number of PF classes and not with hosts.
 *
 * One slot per host with one pf_slot per reported PF; PFs alike in everything
 * a request can ask for form a class, ordered by free VFs. Hosts are also
 * listed by free CPUs under each of their networks, for VMs that need no VF.
 *
 * It holds nothing that could not be rebuilt from the state: apply.c keeps it
 * in step, check.c compares it with a naive scan.
 *
 * A PF either gives VFs or can be given as a whole, never both at once: its
 * class says which, and a whole PF counts as one free thing or none.
 *
 * Invariants:
 *   1. A pf_slot is in its class's tree exactly if its host is ready, the PF
 *      is allowed and not the host's own, its settings are not on their way,
 *      and something of it is free; its score is how many.
 *   2. A VF counts as free exactly if the newest report says so, no port that
 *      the agent tells of holds it or its PF, and no claim is on it or on its
 *      PF (I7). A whole PF counts as free exactly if no port that the agent
 *      tells of holds it or a VF of it, and no claim is on either.
 *   3. A slot's ranks are in their lists exactly if the host is ready.
 *
 * Threads: the writer's only. */
#pragma once

#include "scheduler/core/state.h"
#include "scheduler/core/tree.h"

/* What a host's readiness checks say that it lacks for VMs with hardware. A PF
 * that is no PCI device needs none of it. */
#define UNREADY_VFIO 1u    /* to give PCI devices to guests */
#define UNREADY_LIBVIRT 2u /* to run guests */
/* The first failed check that stands for one of the bits; NULL = none. */
const struct readiness_check *view_failed_check(const struct host_view *view,
                                                uint8_t bits);

/* PFs that no request can tell apart but by what is left on them. */
struct pf_class {
    uint8_t kind; /* enum device_kind */
    bool whole;   /* to be given as a whole: pf_is_whole() */
    uint16_t vendor_id, device_id;
    const char *driver; /* interned */
    int32_t numa_node, link_speed_mbps;
    uint64_t promisable_mbps; /* as min rates, by link speed and ratio */
    bool link_up;
    uint8_t unready; /* UNREADY_ bits of its host */
    char physical_network[NAME_SIZE];
    struct capabilities capabilities;
    uint64_t hash;
    size_t members;   /* pf_slots that refer to it */
    struct tree tree; /* of pf_slot.node */
    /* scratch of one decision */
    uint32_t port_fits;    /* ports it could serve */
    uint64_t explained;    /* for which explain_class's answer holds */
    size_t explained_port; /* "" */
    int distance;          /* "" */
};

static inline struct link_facts class_link(const struct pf_class *class)
{
    uint32_t speed =
        class->link_speed_mbps > 0 ? (uint32_t) class->link_speed_mbps : 0;
    return (struct link_facts){.up = class->link_up, .speed_mbps = speed};
}

struct slot;
struct pf_slot {
    struct tree_node node; /* first */
    struct slot *slot;
    struct pf *pf; /* a reference */
    struct pf_class *class;
    bool allowed, changing;
    bool given;               /* claimed as a whole */
    bool held, held_as_whole; /* by a port that the agent tells of: something
                                 of it, itself */
    uint16_t free;            /* VFs, or the PF itself */
    size_t claims;            /* on it and its VFs */
    uint64_t committed_mbps;  /* the sum of its claims' shares */
    uint64_t bearable_mbps;   /* the most that could be promised so far, or what
                                was found promised when the PF came: for
                                check.c (I2) */
    size_t words;             /* of each bit set; bit N = pf->vfs[N] */
    uint64_t *reported_free, *claimed;
};

/* The ready hosts with one network: "" = with any, "*" = all. */
struct host_list {
    char network[NAME_SIZE];
    struct tree tree; /* of host_rank.node, by slot_rank_score */
};
struct host_rank {
    struct tree_node node; /* first */
    struct slot *slot;
    struct host_list *list;
};

struct slot {
    struct ref ref;
    struct host_view *view; /* a reference to the current one */
    bool ready;
    uint64_t holds;  /* a hash over who holds which VF by the report, and how
                       far the agent is with PF settings */
    uint8_t unready; /* UNREADY_ bits */
    uint64_t free_vcpus, free_memory_mib;
    size_t network_count;
    char (*networks)[NAME_SIZE]; /* names, each once; "" = an unmapped one */
    size_t rank_count;
    struct host_rank *ranks;
    size_t pf_count;
    struct pf_slot **pfs; /* ordered by key */
    uint64_t tried;       /* the decision that last looked at this host */
};

struct index {
    struct omap slots; /* host name -> slot */
    size_t class_count, class_capacity;
    struct pf_class **classes;
    size_t list_count, list_capacity;
    struct host_list **lists;
};

void index_done(struct index *index);
/* The host is new, or its settings, report or reachability changed. */
void index_host_set(struct index *index, const struct state *state,
                    struct host_view *view);
void index_host_remove(struct index *index, const char *name);
/* A VM on this host changed; 'view' is the one after the change. */
void index_vm_set(struct index *index, struct host_view *view,
                  const struct vm *before, const struct vm *after);

struct slot *index_slot(const struct index *index, const char *host);
struct pf_slot *slot_pf(const struct slot *slot, const struct pf_key *key);
/* NULL = no host has such a network. */
const struct host_list *index_list(const struct index *index,
                                   const char *network);
/* The position in pf->vfs of the 'skip'th free VF, lowest first; -1 = none. */
int pf_slot_free_vf(const struct pf_slot *pf_slot, size_t skip);
/* How many of its free VFs have a network device on the host. */
uint32_t pf_slot_free_netdevs(const struct pf_slot *pf_slot);

/* Can it be given as a whole, if nothing is claimed of it? A network device
 * that nothing of the host uses, without VFs, and none are wanted. */
bool pf_is_whole(const struct pf *pf, const struct pf_setting *setting);
/* What the state says of a PF, by scanning; shared by index and check. */
void pf_reported_free(const struct host_report *report, const struct pf *pf,
                      uint64_t *bits);
uint64_t view_committed_mbps(const struct state *state,
                             const struct host_view *view,
                             const struct pf_key *pf);
uint64_t view_free_vcpus(const struct host_view *view);
/* The free CPUs in 64ths of the host, rounded up: coarse, so that most VMs
 * leave a large host at its rank. */
uint64_t slot_rank_score(const struct slot *slot);
uint64_t view_free_memory_mib(const struct host_view *view);
/* The physical network of a reported software switch, as mapped. */
const char *view_network_name(const struct host_view *view,
                              const struct network *network);

/* ---- between index.c and index_pf.c ----------------------------------------- */

static inline uint64_t hash_mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u;
}
struct pf_slot *pf_slot_new(const struct state *state, struct slot *slot,
                            const struct pf *pf);
void pf_slot_free(struct index *index, struct pf_slot *pf_slot);
/* Take over a new reading of the PF; pf_slot_relink afterwards. */
void pf_slot_sync(struct index *index, struct pf_slot *pf_slot,
                  const struct pf *pf);
/* Count the free VFs and put the PF where invariant 1 wants it. */
void pf_slot_relink(struct pf_slot *pf_slot);
/* Put a claim on, or take it off. */
void pf_slot_claim(struct pf_slot *pf_slot, const struct claim *claim, bool on);
