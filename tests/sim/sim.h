/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-sim: the whole system in one process under one seed. The scheduler's
 * core behind its writer on a simulated disk, the agents' engine on simulated
 * hosts and disks, a network that loses, repeats, reorders and delays, a clock
 * that is a number. All of the product's code is the product's; this program
 * drives it, breaks what is around it, and checks after every event.
 *
 *   run.c        one seed: which event comes next, the quiet end
 *   node.c       a host with its agent: steps, reports, polls, crashes
 *   scheduler.c  the writer: jobs, batches, crashes, backups, zombies
 *   client.c     who creates and deletes VMs, and the operator
 *   truth.c      what is known to be true, and the invariants
 *   guests.c     managed VMs: who switches and moves them, what their guests do,
 *                the invariants of domains and held MACs
 *   converge.c   what must hold when the faults have ended
 *   coverage.c   state x event x fault
 */
#pragma once

#include "agent/agent.h"
#include "agent/host/sim/sim.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "db/memory/memory.h"
#include "scheduler/service/writer.h"

#include <stdio.h>

#define SIM_HOSTS_MAX 32
#define SIM_VFS_MAX 4
#define SIM_START_NS INT64_C(1800000000000000000)

/* X(NAME, text): what can happen. */
#define SIM_EVENTS(X)                                                          \
    X(AGENT_STEP, "agent-step")                                                \
    X(AGENT_EVENTS, "agent-kernel-events")                                     \
    X(AGENT_REPORT, "agent-report")                                            \
    X(AGENT_POLL, "agent-poll")                                                \
    X(AGENT_TIMEOUT, "agent-timeout")                                          \
    X(AGENT_DOCUMENT, "agent-document")                                        \
    X(AGENT_OLD_DOCUMENT, "agent-old-document")                                \
    X(AGENT_ANSWER, "agent-report-answer")                                     \
    X(AGENT_CRASH, "agent-crash")                                              \
    X(AGENT_START, "agent-start")                                              \
    X(HOST_REBOOT, "host-reboot")                                              \
    X(DISK_LOST, "agent-disk-lost")                                            \
    X(PF_GONE, "pf-gone")                                                      \
    X(PF_BACK, "pf-back")                                                      \
    X(VF_GONE, "vf-gone")                                                      \
    X(VF_BACK, "vf-back")                                                      \
    X(VF_EXTERNAL, "vf-external")                                              \
    X(VF_RELEASED, "vf-released")                                              \
    X(VF_DRIFT, "vf-drift")                                                    \
    X(LINK, "link")                                                            \
    X(SPEED, "link-speed")                                                     \
    X(EVENTS_LOST, "kernel-events-lost")                                       \
    X(PARTITION, "partition")                                                  \
    X(SCHED_REPORT, "scheduler-report")                                        \
    X(SCHED_POLL, "scheduler-poll")                                            \
    X(SCHED_BATCH, "scheduler-batch")                                          \
    X(SCHED_TICK, "scheduler-tick")                                            \
    X(SCHED_CRASH, "scheduler-crash")                                          \
    X(SCHED_START, "scheduler-start")                                          \
    X(SCHED_ZOMBIE, "scheduler-zombie")                                        \
    X(SCHED_BACKUP, "backup")                                                  \
    X(SCHED_RESTORE, "restore")                                                \
    X(SCHED_EMPTIED, "data-emptied")                                           \
    X(CLIENT_CREATE, "client-create")                                          \
    X(CLIENT_DELETE, "client-delete")                                          \
    X(CLIENT_RETRY, "client-retry")                                            \
    X(OPERATOR, "operator")                                                    \
    X(PF_SETTING, "operator-sets-pf")                                          \
    X(CLIENT_POWER, "client-power")                                            \
    X(CLIENT_PATH, "client-path")                                              \
    X(GUEST_KILLED, "guest-killed")                                            \
    X(GUEST_KIND, "guest-kind")                                                \
    X(LIBVIRT, "libvirt")
enum sim_event {
#define X(name, text) EVENT_##name,
    SIM_EVENTS(X)
#undef X
        EVENT_MAX
};
const char *sim_event_name(enum sim_event event);

/* X(NAME, text): what can go wrong within an event. */
#define SIM_FAULTS(X)                                                          \
    X(NONE, "none")                                                            \
    X(NETLINK, "netlink-error")                                                \
    X(SWALLOWED, "write-swallowed")                                            \
    X(SAVE, "state-disk-error")                                                \
    X(DIED, "process-dies-inside")                                             \
    X(LOST, "message-lost")                                                    \
    X(REPEATED, "message-repeated")                                            \
    X(COMMIT_FAILED, "commit-failed")                                          \
    X(COMMIT_UNKNOWN, "commit-unknown")
enum sim_fault {
#define X(name, text) FAULT_##name,
    SIM_FAULTS(X)
#undef X
        FAULT_MAX
};

/* The states of the table: of each thing that an agent holds, and what else a
 * host or the scheduler can be. */
enum {
    STATE_PF = MANAGED_PHASE_MAX, /* a change of a PF in each enum pf_phase */
    STATE_IDLE = STATE_PF + PF_PHASE_MAX, /* agent up, holds nothing */
    STATE_DOWN,                           /* agent down */
    STATE_SCHED_IDLE,
    STATE_SCHED_QUEUED, /* jobs wait for a batch */
    STATE_SCHED_ZOMBIE, /* up, and one of before still runs too */
    STATE_SCHED_DOWN,
    STATE_MAX
};

struct coverage {
    uint64_t count[STATE_MAX][EVENT_MAX][FAULT_MAX];
};
void coverage_print(const struct coverage *coverage);

/* ---- what is true ------------------------------------------------------------ */

/* A port that the scheduler ever made, also if its commit failed. */
struct port_truth {
    struct uuid id, vm;
    struct mac mac;
    struct policy policy; /* as asked */
    struct claim claim;
    bool has_claim, deleted; /* deleted: some client asked for it */
    size_t node;
    bool tombstoned; /* a document that wants it absent reached its agent */
    struct revision absent; /* highest that its agent truly told absent */
    int64_t checked_at;     /* observed_at of the last checked 'applied' */
    int vfs;                /* how many VFs carry its MAC now */
    bool managed;           /* the agent makes its VM's domain */
    bool on_virtio;         /* the last document wants it there */
    bool given_up;          /* some document did */
    struct revision no_vf;  /* highest that its agent told without a VF */
    uint8_t guest_failover;
    char network[NETDEV_NAME_SIZE];
};

/* A state that a VF's policy was in, from 'from' on. */
struct vf_was {
    int64_t from;
    struct policy policy;
    bool readable, clean;
};
#define VF_HISTORY 48
struct vf_truth {
    uint64_t version;
    size_t count; /* states ever; was[(count - 1) % VF_HISTORY] is the newest */
    struct vf_was was[VF_HISTORY];
    uint32_t owner; /* port number + 1 whose MAC is on it; 0 = none */
};

/* ---- parts ---------------------------------------------------------------------- */

struct sim;

struct node {
    struct sim *sim;
    size_t number;
    char name[NAME_SIZE];
    struct sim_host *world;
    struct host_backend *backend;
    struct agent *agent; /* NULL = down */
    uint64_t life;       /* of the agent process */
    struct agent_state disk;
    int64_t wake;     /* the agent wants to be called then */
    int64_t start_at; /* a dead agent is started again then */
    bool dying;       /* nothing it does has effects any more */
    int die_in;       /* hooks until it dies in the middle; 0 = never */
    bool polling;
    int64_t poll_at; /* when the poll in flight was sent */
    uint64_t poll_id;
    bool reporting;
    int64_t report_at;
    uint64_t report_sequence;
    struct desired *last; /* the document given last, for repeating it */
    int64_t partitioned_until;
    int64_t frail_until; /* its disk was lost: no more trouble until then */
    /* At the scheduler: */
    bool parked; /* a poll waits there */
    int64_t parked_at;
    uint64_t parked_id, parked_life;
    struct revision parked_after;
    bool enrolled, changed; /* changed: its document moved since parked */
    size_t management; /* the PF that carries the host's traffic, else none */
    /* A change of this PF took the network with it: no message goes while it
     * has another VF count than before. SIZE_MAX = none did. */
    size_t cut_pf;
    uint16_t cut_before;
    struct revision rejected[2]; /* of each PF's settings: never again */
    bool libvirt_away;
    /* A MAC that came onto a VF in this step without being held (guests.c);
     * port number + 1, 0 = none, and the PF that should hold it. */
    uint32_t unheld;
    size_t unheld_pf;
    struct vf_truth vfs[2][SIM_VFS_MAX];
};

enum message_kind {
    MESSAGE_REPORT,
    MESSAGE_ANSWER,
    MESSAGE_POLL,
    MESSAGE_DOCUMENT
};
struct message {
    enum message_kind kind;
    size_t node;
    int64_t at;            /* not before */
    uint64_t life, number; /* poll id, report sequence */
    struct observed *observed;
    struct desired *desired;
    struct revision after;
    enum agent_outcome outcome;
    uint64_t known_incarnation;
};

enum client_state {
    CLIENT_UNUSED,
    CLIENT_CREATING,
    CLIENT_ACKED,
    CLIENT_DELETING, /* asked, not yet acknowledged */
    CLIENT_DELETED,  /* acknowledged */
};
struct client_vm {
    enum client_state state;
    struct vm_request *request; /* while creating */
    struct vm *vm;              /* as acknowledged */
    bool in_flight;
    int64_t retry_at;
    bool in_backup; /* acknowledged before the backup that is kept */
};

/* What the simulated network gave to the scheduler and the writer takes. */
struct sim_job {
    struct job job;
    struct sim *sim;
    bool zombie;
    size_t node;
    struct observed *observed;
    uint64_t life;
    size_t client;             /* of creates and deletes */
    bool create, delete, move; /* move: another path for port 'port_id' */
    bool on;                   /* power or VF */
    struct uuid vm_id, port_id;
    struct vm_request *request;
    struct vm *vm;
    struct pf_key pf;
    char physical_network[NAME_SIZE];
    struct pf_patch *patch;
};

struct sched {
    struct writer writer;
    bool up;
    struct store *store;
    uint64_t started_epoch;
    size_t queued, queue_capacity;
    struct job **queue;
    int64_t start_at, tick_at;
    bool die_at_step; /* dies at the next named step that the seed chooses */
    bool has_zombie;
    struct writer zombie;
    enum sim_fault commit_fault; /* what the disk did in this batch */
    struct store *backup;        /* a copy of the data folder */
    uint64_t backup_epoch, backup_revision;
};

struct sim {
    uint64_t seed;
    struct rng rng;
    int64_t now;
    bool trace, faults, failed, restored, emptied;
    bool rare_restore, rare_empty, rare_disk; /* what this seed may see */
    unsigned steps;
    uint64_t events;
    enum sim_event event; /* the current one */
    enum sim_fault fault;
    bool covered;     /* the current event is in the table already */
    int sched_before; /* state of the scheduler before it */
    size_t node_count;
    struct node nodes[SIM_HOSTS_MAX];
    struct sched sched;
    size_t message_count, message_capacity;
    struct message *messages;
    size_t client_count, client_capacity;
    struct client_vm *clients;
    size_t live_clients;
    uint64_t turn; /* number of the newest create, for its key */
    bool operator_busy;
    struct text *domain_xml; /* of all managed VMs */
    size_t port_count, port_capacity;
    struct port_truth *ports;
    uint32_t *port_by_mac, *port_by_id; /* hash tables of port number + 1 */
    size_t hash_size;
    struct coverage *coverage;
    uint64_t history_missed;
    unsigned hosts;
};

/* One seed from the beginning to the quiet end. 0, or -1: an invariant broke
 * and has been printed. */
struct sim_options {
    uint64_t seed;
    unsigned steps, hosts;
    bool trace;
    struct coverage *coverage;
};
int sim_run(const struct sim_options *options, uint64_t *events);

/* Count the event that just was; 'about' the host it was about, or NULL. */
void cover(struct sim *sim, struct node *about);
int cover_sched_state(const struct sched *sched);

/* ---- small helpers ----------------------------------------------------------------- */

static inline bool chance(struct sim *sim, unsigned one_in)
{
    return rng_below(&sim->rng, one_in) == 0;
}
static inline uint64_t below(struct sim *sim, uint64_t bound)
{
    return rng_below(&sim->rng, bound);
}
void sim_trace(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An invariant is broken: says it once, ends the run. */
void sim_broken(struct sim *sim, const char *invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- node.c ---------------------------------------------------------------------------- */
void node_init(struct sim *sim, size_t number);
void node_done(struct node *node);
/* Start its agent; false if its disk holds it back. */
bool node_start(struct node *node);
void node_crash(struct node *node);
/* One thing that the node can do now; false = nothing. */
bool node_progress(struct node *node);
/* The earliest time at which it has something to do. */
int64_t node_wake(const struct node *node);
void node_deliver(struct node *node, struct message *message);
/* Some hardware event; false = none can be now. */
bool node_hardware(struct node *node);
/* A change of a PF has taken its network with it. */
bool node_is_cut(const struct node *node);
/* All devices are there and nobody else uses them. */
bool node_is_whole(const struct node *node);

/* ---- the network (run.c) ---------------------------------------------------------------- */
/* Takes the references in 'message'. May lose, repeat or delay it. */
void net_send(struct sim *sim, struct message message);
void message_done(struct message *message);

/* ---- scheduler.c -------------------------------------------------------------------------- */
void sched_init(struct sim *sim);
void sched_done(struct sim *sim);
void sched_start(struct sim *sim);
void sched_crash(struct sim *sim);
void sched_receive(struct sim *sim, struct message *message);
bool sched_progress(struct sim *sim); /* batch, tick or poll; false = nothing */
int64_t sched_wake(const struct sim *sim);
void sched_backup(struct sim *sim);
void sched_restore(struct sim *sim, bool emptied);
/* False: there is none that could do something. */
bool sched_zombie(struct sim *sim);
void sched_submit(struct sim *sim, struct sim_job *job);
struct sim_job *sim_job_new(struct sim *sim,
                            int (*run)(struct job *, struct core *,
                                       const struct core_call *, struct tx *,
                                       struct error *));
void sim_job_free(struct sim_job *job);

/* ---- client.c ------------------------------------------------------------------------------ */
void client_create(struct sim *sim);
bool client_delete(struct sim *sim);
bool client_retry(struct sim *sim); /* false = nothing is due */
int64_t client_wake(const struct sim *sim);
void client_done(struct sim *sim);
void operator_act(struct sim *sim);
/* Sets VF count, autoprobe or bridge mode of some PF. */
void operator_set_pf(struct sim *sim);
/* Enrols hosts, allows PFs, maps networks, until all is as wanted. */
bool operator_set_up(struct sim *sim);

/* ---- truth.c -------------------------------------------------------------------------------- */
void truth_done(struct sim *sim);
struct port_truth *truth_port(struct sim *sim, const struct uuid *id);
/* Port number + 1; 0 = none. Of ports with the same MAC (a create that was not
 * durable, asked again) the last. */
uint32_t truth_port_of_mac(const struct sim *sim, const struct mac *mac);
void truth_add_vm(struct sim *sim, const struct vm *vm);
/* After anything that may have touched the node's kernel. 'by_agent': its
 * agent did it. */
void truth_kernel(struct node *node, bool by_agent);
void truth_vf(struct node *node, size_t pf, uint16_t vf, bool by_agent);
/* Judge all VFs of the node anew, as things are. */
void truth_again(struct node *node);
/* The agent is about to write to the VF or to reset it: it may to what its disk
 * knows it holds, never to the host's own. */
void truth_touch(struct node *node, size_t pf, uint16_t vf);
/* The agent is about to change the PF: I12. */
void truth_touch_pf(struct node *node, size_t pf);
void truth_report(struct node *node, const struct observed *observed);
void truth_document(struct node *node, const struct desired *desired);
/* The records of one job that did not fail. */
void truth_records(struct sim *sim, const struct sim_job *job,
                   const struct tx *tx);
void truth_saved(struct node *node, const struct agent_state *before,
                 const struct agent_state *after);
/* Every acknowledged claim is in the snapshot. */
void truth_claims(struct sim *sim, const struct snapshot *snapshot);
/* I1 between scheduler, agents and kernels; core_check. */
void truth_full(struct sim *sim);

/* ---- guests.c --------------------------------------------------------------------------------- */
/* Makes it one of a managed VM. */
void guests_request(struct sim *sim, struct vm_request *request);
/* A client switches its VM or moves a port. False: none has one. */
bool guests_act(struct sim *sim);
/* QEMU dies, a guest becomes another kind, libvirtd goes or comes. */
bool guests_disturb(struct node *node);
/* The agent has put the port's MAC on this VF: I3. */
void guests_mac_written(struct node *node, size_t pf, uint16_t vf,
                        uint32_t owner);
/* After the step in which that was. */
void guests_step_done(struct node *node);
/* I9. */
void guests_check(struct sim *sim);
/* The VM's domain as it must be in the end; all held MACs and domains of the
 * node. Else NULL, or what is not so (static storage). */
const char *guests_vm_wrong(struct node *node, const struct vm *vm,
                            const struct host_view *view);
const char *guests_node_wrong(struct node *node);

/* ---- converge.c -------------------------------------------------------------------------------- */
/* Is all as it must be in the end? Else 'why' says what is not. */
bool converged(struct sim *sim, char *why, size_t size);
