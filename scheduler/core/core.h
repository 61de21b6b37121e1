/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler's decisions, pure: no I/O, clock, thread or random source.
 * Time, ids' randomness and the actor come in with each call; change records
 * come out. The service (scheduler/service) makes the records durable and
 * publishes a snapshot; the simulation does the same on a simulated disk.
 *
 * How a call works: it checks, decides, appends records to 'tx' and applies
 * them at once, so that the next call of the same batch sees them. A call that
 * fails leaves core and tx as they were. After a failed commit the writer calls
 * core_undo() for the whole batch.
 *
 * Threads: core_* only on the writer's thread. Snapshots are immutable: any
 * thread, until snapshot_put().
 */
#pragma once

#include "common/base/error.h"
#include "common/base/rng.h"
#include "common/model/document.h"
#include "common/model/vm.h"

struct core;
struct snapshot;

/* ---- change records ----------------------------------------------------- */

/* X(NAME, store kind, durable) */
#define RECORD_KINDS(X)                                                        \
    X(CLUSTER, "cluster", true)                                                \
    X(TOKEN, "token", true)                                                    \
    X(HOST, "host", true)                                                      \
    X(VM, "vm", true)                                                          \
    X(EVENT, "event", true)                                                    \
    X(REPORT, "report", false)     /* a cache: reported again after a start */ \
    X(PRESENCE, "presence", false) /* seen or not: known again after a start */
enum record_kind {
#define X(name, kind, durable) RECORD_##name,
    RECORD_KINDS(X)
#undef X
        RECORD_KIND_MAX
};
const char *record_kind_name(enum record_kind kind);
enum record_kind record_kind_parse(const char *name);
bool record_kind_durable(enum record_kind kind);

/* {kind, before, after}: a reference on each object (struct cluster, token,
 * host, vm, event, host_report, host_presence by kind); NULL = not there. */
struct record {
    enum record_kind kind;
    void *before, *after;
};
struct tx {
    size_t count, capacity;
    struct record *records;
};
void tx_done(struct tx *tx); /* drops its references; leaves it empty */

/* The store key of a record's object: cluster "cluster", token and host by
 * name, vm by its 16 id bytes, event by its sequence (8 bytes, big-endian). */
#define RECORD_KEY_SIZE 64
size_t record_key(enum record_kind kind, const void *object,
                  uint8_t key[RECORD_KEY_SIZE]);

/* ---- the core ------------------------------------------------------------ */

struct core_config {
    int64_t unreachable_after_ns; /* 60 s: DESIGN.md section 5 */
    int64_t grace_ns; /* after a start nobody is called unreachable */
};
struct core *core_new(const struct core_config *config);
void core_free(struct core *core);

/* Give each loaded object once, any order, before anything else. */
int core_restore(struct core *core, enum record_kind kind, const void *object,
                 struct error *err);

/* Who asks, when, and the generator for ids. */
struct core_call {
    int64_t now_ns;
    struct rng *rng;
    const char *actor;      /* "admin", "agent h1", "scheduler" */
    const char *request_id; /* "" = none */
};

/* After core_restore: the new epoch (made with a new cluster if there is
 * none). Commit it before serving. */
int core_start(struct core *core, const struct core_call *call, struct tx *tx,
               struct error *err);

/* Take a batch back, newest record first. */
void core_undo(struct core *core, const struct tx *tx);

/* The state after all calls so far; put it by snapshot_put(). */
struct snapshot *core_publish(struct core *core);

/* ---- commands ------------------------------------------------------------ */

/* New host name with its token's hash; an existing name gets the new token
 * (re-enrolment; *renewed tells) and its last report is forgotten, so that an
 * agent whose state folder was lost can begin anew; the binding to the machine
 * stays. Errors: INVALID (name), CONFLICT (the hash is somebody else's). */
int core_host_enroll(struct core *core, const struct core_call *call,
                     const char *name, const uint8_t token_hash[32],
                     struct tx *tx, bool *renewed, struct error *err);

/* What PATCH /v1/hosts/{host} changes; members not 'has_' stay. */
struct host_patch {
    bool has_generation, has_cordoned, has_vcpu_ratio, has_memory_ratio,
        has_labels, has_mappings;
    uint64_t
        generation; /* must equal the current one, else CONCURRENT_UPDATE */
    bool cordoned;
    uint32_t vcpu_ratio_percent, memory_ratio_percent; /* 100 to 10000 */
    size_t label_count, mapping_count;
    const struct label *labels;             /* the whole new set */
    const struct network_mapping *mappings; /* the whole new set */
};
int core_host_patch(struct core *core, const struct core_call *call,
                    const char *host, const struct host_patch *patch,
                    struct tx *tx, struct error *err);
/* Errors: NOT_FOUND, IN_USE (VMs on it). */
int core_host_delete(struct core *core, const struct core_call *call,
                     const char *host, struct tx *tx, struct error *err);

/* What PATCH …/pfs/{pf} changes; members not 'has_' stay. What the agent carries
 * out (allowed, num_vfs, autoprobe, bridge_mode) takes the next revision of the
 * host's document when it changes. After the agent rejected it or failed, also
 * when num_vfs, autoprobe or bridge_mode is said again: so an operator has it
 * tried once more. */
struct pf_patch {
    bool has_generation, has_allowed, has_physical_network, has_link_speed;
    bool has_num_vfs, has_autoprobe, has_bridge_mode, has_tx_ratio, has_words;
    uint64_t generation; /* of the host */
    bool allowed;
    char physical_network[NAME_SIZE]; /* "" = none */
    uint32_t link_speed_mbps; /* 0 to LINK_SPEED_MAX_MBPS: struct pf_setting */
    bool num_vfs_observed;    /* with has_num_vfs: null, the count is only
                                 observed from now on; 'num_vfs' is not read */
    uint16_t num_vfs;
    uint8_t autoprobe;         /* enum autoprobe; NONE = leave it as it is */
    uint8_t bridge_mode;       /* enum bridge_mode; NONE = leave it as it is */
    uint32_t tx_ratio_percent; /* 1 to TX_RATIO_MAX_PERCENT */
    /* The whole new set of the operator's words: support, needs, max and note
     * are taken where support is not UNKNOWN; the source becomes OPERATOR. */
    struct capabilities words;
};
/* Errors, with the field:
 * NOT_FOUND: the host, or a PF that the host never reported.
 * CONCURRENT_UPDATE: another generation.
 * INVALID: physical_network is no name; link_speed_mbps, tx_ratio_percent out of
 *   range; num_vfs above what the PF's firmware allows (the limit is told).
 * CONFLICT: allowed, num_vfs, vf_drivers_autoprobe or bridge_mode of the
 *   management PF; num_vfs or vf_drivers_autoprobe of a PF without SR-IOV;
 *   num_vfs while the PF is not in the last report (nobody knows its limit);
 *   bridge_mode of a PF that is no network device; capabilities: a word that a
 *   probe disproved (its note is told).
 * IN_USE: physical_network changes under claims; num_vfs would change while VFs
 *   of the PF, or the PF itself, are claimed, held by the agent for a port, or
 *   used by something else on the host; tx_ratio_percent lowered below what is
 *   promised (the figures are told). */
int core_pf_patch(struct core *core, const struct core_call *call,
                  const char *host, const struct pf_key *pf,
                  const struct pf_patch *patch, struct tx *tx,
                  struct error *err);

/* A port, or with 'device' an entry of vm.devices[]: a VF of something that is
 * no network device. Of a device only name, device_kind and require_vendor_id,
 * require_device_id are given; the rest must be zero.
 * A vnic_type direct-physical asks for a whole PF. It has no VF policy, so only a
 * MAC may be given, which is then what the guest is to use; without one the port
 * gets the PF's own. No fallback, no guest_failover, no required capability. */
struct port_request {
    char name[NAME_SIZE]; /* "" = "ethN"; a device "devN" */
    bool device;
    uint8_t device_kind; /* enum device_kind; of a device: not NETWORK */
    bool has_mac;
    struct mac mac;
    /* "" = any: the VM's port then names the one it landed on */
    char physical_network[NAME_SIZE];
    /* macvtap_mode: of a vnic_type macvtap, MACVTAP_NONE of the others.
     * passthrough sits on a VF, bridge and vepa on a network of kind macvtap. */
    uint8_t vnic_type, fallback, guest_failover, macvtap_mode;
    struct policy policy;
    uint16_t require_vendor_id, require_device_id;
    uint32_t require_capabilities;
};
struct vm_request {
    bool has_id;
    struct uuid id;
    char name[NAME_SIZE];
    uint32_t vcpus;      /* 1 to 4096 */
    uint64_t memory_mib; /* 1 to 64 Ti */
    uint8_t lifecycle, strategy;
    /* Of a managed VM, else NULL and false. The text was checked by
     * domain_check(); borrowed: the VM takes a reference. */
    struct text *domain_xml;
    bool power_on;
    char host[NAME_SIZE]; /* "" = any: place it there or nowhere */
    char idempotency_key[IDEMPOTENCY_KEY_SIZE];
    uint64_t request_hash;
    size_t port_count;
    struct port_request ports[VM_PORTS_MAX];
};

/* Why hosts do not fit, counted: the 409 no_valid_host document. */
#define REASONS_MAX 32
struct placement_reason {
    char reason[32]; /* "policy_unsupported", "no_free_vf", "host_cordoned" … */
    char field[24]; /* policy field or "" */
    uint64_t hosts;
    char example_host[NAME_SIZE];
    char example_pf[PF_KEY_SIZE]; /* "" = the host as a whole */
    char example_message[192];
};
struct placement_reasons {
    size_t count;
    struct placement_reason items[REASONS_MAX]; /* most hosts first */
};

/* Place and claim. On success *vm is the new VM (a reference). A repeated
 * idempotency key with the same hash gives the VM made then and *repeated =
 * true, no records. Errors: INVALID (field), DUPLICATE_NAME, MAC_IN_USE,
 * IDEMPOTENCY_CONFLICT, CONFLICT (id exists), NOT_FOUND (named host),
 * NO_VALID_HOST (then 'reasons', unless NULL, is filled). A field of a device is
 * named "devices[N].…", N counting the devices only. For a dry run the caller
 * undoes. */
int core_vm_create(struct core *core, const struct core_call *call,
                   const struct vm_request *request, struct tx *tx,
                   struct vm **vm, bool *repeated,
                   struct placement_reasons *reasons, struct error *err);
/* Begin the removal (state deleting): name free, MACs, capacity and VFs held
 * until the agent's report proves the domain gone and every port absent; then
 * the record goes. One without ports, of whose domain no agent tells, goes at
 * once. Deleting again is fine. 'generation' 0 = not
 * checked. Errors: NOT_FOUND, CONCURRENT_UPDATE. */
int core_vm_delete(struct core *core, const struct core_call *call,
                   const struct uuid *id, uint64_t generation, struct tx *tx,
                   struct error *err);

/* Start a managed VM, or shut it down. Said again it is tried again: a guest that
 * ended by itself is started so. 'generation' 0 = not checked. Errors: NOT_FOUND,
 * CONCURRENT_UPDATE, CONFLICT (not managed, being deleted). */
int core_vm_power(struct core *core, const struct core_call *call,
                  const struct uuid *id, uint64_t generation, bool on,
                  struct tx *tx, struct error *err);

/* Bring a port onto a VF of its host, or onto virtio. Accelerating claims a VF
 * unless the port still has one (then it is not given up); decelerating keeps
 * the claim until the agent proved the VF clean. *changed false: it is so, or on
 * its way; what failed is tried again. 'generation' 0 = not checked.
 * Errors: NOT_FOUND, CONCURRENT_UPDATE, NO_VALID_HOST (no VF of the host fits;
 * then 'reasons', unless NULL, is filled), CONFLICT: the port has one path only
 * (device, whole PF, macvtap, normal, no fallback), the VM is being deleted, the
 * guest_failover is none and the domain runs or may run, or the virtio path can't
 * do what the port asks for. */
int core_port_accelerate(struct core *core, const struct core_call *call,
                         const struct uuid *port, uint64_t generation,
                         struct tx *tx, bool *changed,
                         struct placement_reasons *reasons, struct error *err);
int core_port_decelerate(struct core *core, const struct core_call *call,
                         const struct uuid *port, uint64_t generation,
                         struct tx *tx, bool *changed, struct error *err);

/* Take an agent's report. 'host' is whom the token belongs to. Errors:
 * WRONG_HOST (reports for another name, or another machine-id than the one the
 * host is bound to, or a machine-id bound to another name), STALE_REPORT (older
 * incarnation or sequence), NEED_FULL (a partial report on an unknown base),
 * INVALID (an inventory out of order, an absurd epoch). The very same report
 * again is fine and changes nothing. An accepted revision above what we ever
 * gave this host raises our epoch durably (restored data). */
int core_observe(struct core *core, const struct core_call *call,
                 const char *host, const struct observed *observed,
                 struct tx *tx, struct error *err);

/* An agent was heard (report or poll): not a decision, no record. */
void core_heard(struct core *core, const char *host, int64_t now_ns);
/* Time passes: hosts become unreachable or reachable, with events. */
int core_tick(struct core *core, const struct core_call *call, struct tx *tx,
              struct error *err);

/* Errors: INVALID, DUPLICATE_NAME, CONFLICT (the hash is somebody else's). */
int core_token_create(struct core *core, const struct core_call *call,
                      const char *name, enum role role, const uint8_t hash[32],
                      struct tx *tx, struct error *err);
/* Errors: NOT_FOUND, CONFLICT (the last admin token). */
int core_token_delete(struct core *core, const struct core_call *call,
                      const char *name, struct tx *tx, struct error *err);

/* ---- snapshots: what readers see ----------------------------------------- */

/* The bandwidth that a PF's claims hold, against what its link can bear now. */
struct pf_promise {
    struct pf_key pf;
    uint64_t promised_mbps;   /* Σ min_tx_rate_mbps of its claims */
    uint64_t promisable_mbps; /* link speed x ratio; 0 = nobody tells a speed */
    size_t ports;             /* claims that hold some of it */
    bool over; /* promised > promisable > 0: the link came up slower */
};

/* What the last reports of a host said, merged. Immutable. */
struct host_report {
    struct ref ref;
    char host[NAME_SIZE];
    struct uuid boot_id;
    struct uuid cluster_id;
    char agent_version[32];
    uint64_t incarnation, sequence;
    struct revision accepted;
    struct inventory *inventory;
    size_t port_count;
    struct observed_port *ports; /* ordered by id */
    size_t vm_count;
    struct observed_vm *vms; /* ordered by id */
    size_t pf_count;         /* how far the agent is with PF settings; none */
    struct observed_pf *pfs; /* of an agent that follows another cluster */
    /* PFs of which BandwidthOverPromised was said and not yet
     * BandwidthRestored, as it was said */
    size_t over_count;
    struct pf_promise *over;
    int64_t received_at; /* of the last report with content */
};

/* Whether a host's agent is heard. */
enum presence {
    PRESENCE_WAITING, /* not yet heard since our start */
    PRESENCE_HEARD,
    PRESENCE_LOST, /* not heard for unreachable_after_ns */
    PRESENCE_MAX
};
struct host_presence {
    struct ref ref;
    char host[NAME_SIZE];
    uint8_t presence; /* enum presence */
    int64_t at;
};

/* One VF, or whole PF (vf_index CLAIM_WHOLE_PF), that is claimed on a host. */
struct claim_entry {
    struct pf_key pf;
    uint16_t vf_index;
    uint16_t port_index; /* in vm->ports */
    uint32_t min_tx_rate_mbps;
    struct uuid vm;
};

/* A host with all that hangs on it. Immutable but for last_seen_at, which the
 * writer moves forward without a new view. */
struct host_view {
    struct ref ref;
    struct host *host;
    struct host_report *report;       /* NULL: not reported since our start */
    struct host_presence *presence;   /* NULL: WAITING */
    uint8_t state;                    /* enum host_state */
    char state_reason[NAME_SIZE * 4]; /* "" when ready; with the remedy */
    _Atomic int64_t last_seen_at;     /* 0 = never; only in memory */
    uint32_t used_vcpus;              /* by our VMs here, without external */
    uint64_t used_memory_mib;
    struct revision revision; /* of its desired document */
    size_t vm_count;
    struct uuid *vms; /* ids of the VMs here, ordered */
    size_t claim_count;
    struct claim_entry *claims; /* ordered by pf, vf_index */
};

void snapshot_put(struct snapshot *snapshot);
struct snapshot *snapshot_get(struct snapshot *snapshot); /* one more ref */
const struct cluster *snapshot_cluster(const struct snapshot *snapshot);
/* By name, or by machine-id text. NULL = none. All borrowed. */
const struct host_view *snapshot_host(const struct snapshot *snapshot,
                                      const char *name_or_id);
/* The next host after 'marker' (a name; "" or NULL = the first). */
const struct host_view *snapshot_host_after(const struct snapshot *snapshot,
                                            const char *marker);
size_t snapshot_host_count(const struct snapshot *snapshot);
const struct vm *snapshot_vm(const struct snapshot *snapshot,
                             const struct uuid *id);
/* The VM that owns the name, else one being deleted that had it. */
const struct vm *snapshot_vm_by_name(const struct snapshot *snapshot,
                                     const char *name);
/* In order of id = order of creation; 'marker' NULL = the first. */
const struct vm *snapshot_vm_after(const struct snapshot *snapshot,
                                   const struct uuid *marker);
/* The VM that has this port or device (borrowed) and *port, or NULL. */
const struct vm *snapshot_port(const struct snapshot *snapshot,
                               const struct uuid *id, const struct port **port);
/* The same for the next one in the order of ids; 'marker' NULL = the first. */
const struct vm *snapshot_port_after(const struct snapshot *snapshot,
                                     const struct uuid *marker,
                                     const struct port **port);
size_t snapshot_vm_count(const struct snapshot *snapshot);
/* Events after 'sequence', oldest first. */
const struct event *snapshot_event_after(const struct snapshot *snapshot,
                                         uint64_t sequence);
uint64_t snapshot_last_event(const struct snapshot *snapshot);
const struct token *snapshot_token_after(const struct snapshot *snapshot,
                                         const char *marker);
/* Who has this token: sets *name (borrowed) and returns the role: a client's,
 * or ROLE_AGENT with the host's name; ROLE_NONE for an unknown one. */
enum role snapshot_identify(const struct snapshot *snapshot,
                            const uint8_t hash[32], const char **name);
/* The owner of a VF, or with CLAIM_WHOLE_PF of the PF itself: the VM (borrowed)
 * and *port, or NULL. */
const struct vm *snapshot_vf_owner(const struct snapshot *snapshot,
                                   const struct host_view *host,
                                   const struct pf_key *pf, uint16_t vf_index,
                                   const struct port **port);
/* What the host's agent said of a port; NULL = nothing yet. */
const struct observed_port *host_view_port(const struct host_view *host,
                                           const struct uuid *port);
/* What the host's agent said of a VM; NULL = nothing yet. */
const struct observed_vm *host_view_vm(const struct host_view *host,
                                       const struct uuid *vm);
/* The switch of a port's virtio leg, or the device below its macvtap: as placed,
 * else (data from before that was kept) as mapped now. "" = none; *kind is an
 * enum switch_kind. */
void host_view_port_network(const struct host_view *host,
                            const struct port *port,
                            char network[NETDEV_NAME_SIZE], uint8_t *kind);
/* What the host's agent said of a PF's settings; NULL = nothing yet. */
const struct observed_pf *host_view_pf(const struct host_view *host,
                                       const struct pf_key *pf);
/* The PF's settings are on their way, so its VFs may go: it takes no new claims
 * ("pf_changing"). So it is while the agent has begun and not ended (pending,
 * applying, confirming, reverting), and while it has not yet said anything of
 * this revision and the VF count read is not the one that is set. What was
 * rejected or failed is over: the PF is usable as it is. */
bool host_view_pf_changing(const struct host_view *host, const struct pf *pf);
/* What is promised on a PF (of the host's report) now. */
struct pf_promise host_view_promise(const struct host_view *host,
                                    const struct pf *pf);

/* The host's document: what changed after 'after', or the whole if 'after' is
 * of another epoch or zero. A new object. NULL = unknown host. */
struct desired *snapshot_desired(const struct snapshot *snapshot,
                                 const char *host, struct revision after);

/* ---- invariants ----------------------------------------------------------- */

/* I1, I2, I4 over the core's whole state, and that the indexes equal what a
 * naive scan of the records gives. For tests. -1 + which is broken. */
int core_check(const struct core *core, struct error *err);
/* The same for one host and what hangs on it, at the cost of that host alone;
 * an unknown host is fine. */
int core_check_host(const struct core *core, const char *host,
                    struct error *err);
