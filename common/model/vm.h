/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, their ports and claims, and the host settings of operators: the durable
 * nouns. All are immutable shared objects: a change is a new object. */
#pragma once

#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/model/inventory.h"
#include "common/model/policy.h"

#include <stdbool.h>
#include <stdint.h>

#define VNIC_TYPES(X)                                                          \
    X(DIRECT, "direct")                                                        \
    X(DIRECT_PHYSICAL, "direct-physical")                                      \
    X(MACVTAP, "macvtap")                                                      \
    X(NORMAL, "normal")
enum vnic_type {
#define X(name, wire) VNIC_##name,
    VNIC_TYPES(X)
#undef X
        VNIC_TYPE_MAX
};
const char *vnic_type_name(enum vnic_type type);
enum vnic_type vnic_type_parse(const char *name);

/* vnic_type macvtap: libvirt's <source mode=…>. passthrough: on a VF that is
 * claimed; bridge and vepa: on the device of a network of kind 'macvtap'. */
enum macvtap_mode {
    MACVTAP_NONE, /* another vnic_type */
    MACVTAP_BRIDGE,
    MACVTAP_VEPA,
    MACVTAP_PASSTHROUGH,
    MACVTAP_MODE_MAX
};
const char *macvtap_mode_name(enum macvtap_mode mode); /* NONE: NULL */
enum macvtap_mode macvtap_mode_parse(const char *name);

enum fallback { FALLBACK_REFUSE, FALLBACK_VIRTIO, FALLBACK_MAX };
const char *fallback_name(enum fallback fallback);
enum fallback fallback_parse(const char *name);

enum guest_failover {
    GUEST_FAILOVER_NONE,
    GUEST_FAILOVER_NET_FAILOVER,
    GUEST_FAILOVER_BOND,
    GUEST_FAILOVER_MAX
};
const char *guest_failover_name(enum guest_failover failover);
enum guest_failover guest_failover_parse(const char *name);

enum port_path { PATH_VF, PATH_VIRTIO, PORT_PATH_MAX };
const char *port_path_name(enum port_path path);
enum port_path port_path_parse(const char *name);

enum vm_lifecycle {
    LIFECYCLE_EXTERNAL,
    LIFECYCLE_MANAGED,
    LIFECYCLE_HOST,
    LIFECYCLE_MAX
};
const char *vm_lifecycle_name(enum vm_lifecycle lifecycle);
enum vm_lifecycle vm_lifecycle_parse(const char *name);

/*  claimed ──► deleting ──► (record gone)
 * A VM in 'deleting' is its own tombstone: its ports are wanted absent until
 * the agent reports each VF clean; only then the record goes. */
enum vm_state { VM_CLAIMED, VM_DELETING, VM_STATE_MAX };
const char *vm_state_name(enum vm_state state);
enum vm_state vm_state_parse(const char *name);

/* What the host's document says of a VM (DESIGN.md section 7). */
enum vm_role {
    VM_ROLE_OWN, /* may run here */
    VM_ROLE_MAX
};
const char *vm_role_name(enum vm_role role); /* "own" */
enum vm_role vm_role_parse(const char *name);

/* A domain's state in libvirt's words (virsh domstate), with "absent": libvirt
 * knows no such domain, and "unknown": libvirt can't be asked. */
#define POWER_STATES(X)                                                        \
    X(UNKNOWN, "unknown")                                                      \
    X(ABSENT, "absent")                                                        \
    X(SHUT_OFF, "shut_off")                                                    \
    X(RUNNING, "running")                                                      \
    X(PAUSED, "paused")                                                        \
    X(SHUTTING_DOWN, "in_shutdown")                                            \
    X(CRASHED, "crashed")                                                      \
    X(SUSPENDED, "pmsuspended")
enum power_state {
#define X(name, wire) POWER_##name,
    POWER_STATES(X)
#undef X
        POWER_STATE_MAX
};
const char *power_state_name(enum power_state state);
enum power_state power_state_parse(const char *name);
/* There is a guest, so what it has is in use. */
static inline bool power_state_is_active(enum power_state state)
{
    return state == POWER_RUNNING || state == POWER_PAUSED ||
           state == POWER_SHUTTING_DOWN || state == POWER_SUSPENDED;
}

enum strategy { STRATEGY_SPREAD, STRATEGY_PACK, STRATEGY_MAX };
const char *strategy_name(enum strategy strategy);
enum strategy strategy_parse(const char *name);

/* A host's desired state is ordered by (epoch, revision): the epoch counts
 * scheduler starts, the revision counts changes within one epoch. Text form
 * "EPOCH.REVISION". */
struct revision {
    uint64_t epoch, revision;
};
int revision_compare(const struct revision *a, const struct revision *b);
#define REVISION_TEXT_SIZE 44
const char *revision_format(const struct revision *r,
                            char text[REVISION_TEXT_SIZE]);
bool revision_parse(const char *text, struct revision *out);

/* A VF held for a port, or a PF as a whole (vnic_type direct-physical). */
#define CLAIM_WHOLE_PF                                                         \
    UINT16_MAX /* vf_index of a claim of the PF itself; VFs
                                     are below PF_VFS_MAX. On the wire null */
struct claim {
    struct pf_key pf;
    uint16_t vf_index;
    bool has_address;
    struct pci_address address;
    uint16_t vendor_id, device_id;
    int32_t numa_node;
    uint32_t min_tx_rate_mbps; /* the share of the link that is held */
};

/* A virtual NIC; or, with 'device', a VF of something else (vm.devices[]: NVMe,
 * GPU …), which has no MAC, network, policy or fallback, and goes through the
 * same life of claims. */
struct port {
    struct uuid id;
    char name[NAME_SIZE];
    bool device;
    uint8_t device_kind; /* enum device_kind; of a device: never NETWORK */
    struct mac mac;
    char physical_network[NAME_SIZE];                          /* "" = any */
    uint8_t vnic_type, fallback, guest_failover, macvtap_mode; /* enums above */
    /* enum port_path: the path that is wanted. With VIRTIO and a claim the VF
     * is being given up: the claim goes once the agent proved it clean. */
    uint8_t path;
    bool decelerated; /* the operator's word: on virtio until accelerated */
    bool degraded;
    char degraded_reason[NAME_SIZE * 2];
    struct policy policy; /* as asked; MAC always set (equal to 'mac') */
    uint16_t require_vendor_id, require_device_id; /* 0 = any */
    uint32_t require_capabilities; /* POLICY_BITs the PF must support */
    bool has_claim;
    struct claim claim;
    /* The switch of the virtio leg (enum switch_kind), or the device below a
     * macvtap that has no VF, as placement chose it; "" = none. */
    char network[NETDEV_NAME_SIZE];
    uint8_t network_kind;
    struct revision revision; /* when it last changed in its host's document */
};

/* A text that never changes, shared. */
struct text {
    struct ref ref;
    size_t length;
    char data[]; /* ends with NUL */
};
struct text *text_new(const char *data, size_t length);
#define DOMAIN_XML_MAX 49152 /* bytes; below the limit of a client's body */

#define VM_PORTS_MAX 16 /* ports and devices together */
#define IDEMPOTENCY_KEY_SIZE 72

struct vm {
    struct ref ref;
    struct uuid id;
    char name[NAME_SIZE];
    uint32_t vcpus;
    uint64_t memory_mib;
    uint8_t lifecycle, state, strategy; /* the enums above */
    uint64_t generation;  /* 1 at creation, +1 each change: the ETag */
    int64_t created_at;   /* ns */
    char host[NAME_SIZE]; /* the host's name */
    char idempotency_key[IDEMPOTENCY_KEY_SIZE]; /* "" = none */
    uint64_t request_hash; /* of the creating body, for the key */
    /* lifecycle managed: */
    struct text *domain_xml; /* as the client gave it; a reference. Else NULL */
    bool power_on;           /* the agent starts it, once for each revision and
                                host boot; false: shuts it down, once */
    struct revision revision; /* of the VM itself in its host's document */
    size_t port_count;
    struct port ports[];
};
struct vm *vm_new(size_t port_count);
struct vm *vm_dup(const struct vm *vm);
/* The agent defines, starts and stops its domain. One of lifecycle managed from
 * before there was domain_xml has none, so a platform runs it. */
static inline bool vm_is_managed(const struct vm *vm)
{
    return vm->lifecycle == LIFECYCLE_MANAGED && vm->domain_xml;
}
/* It can have a virtio leg beside or instead of its VF. */
static inline bool port_can_fall_back(const struct port *port)
{
    return !port->device && port->vnic_type == VNIC_DIRECT &&
           port->fallback == FALLBACK_VIRTIO;
}
static inline void vm_put_p(struct vm **vm)
{
    ref_put(*vm);
}
#define auto_vm __attribute__((cleanup(vm_put_p)))

/* One line of 'conditions[]', as Kubernetes shapes them. */
#define CONDITION_STATUSES(X)                                                  \
    X(UNKNOWN, "Unknown") X(TRUE, "True") X(FALSE, "False")
enum condition_status {
#define X(name, wire) CONDITION_##name,
    CONDITION_STATUSES(X)
#undef X
        CONDITION_STATUS_MAX
};
const char *condition_status_name(enum condition_status status);
enum condition_status condition_status_parse(const char *name);
struct condition {
    char type[32]; /* "PolicyApplied" */
    uint8_t status;
    char reason[48];   /* CamelCase, for programs: "FieldRefused" */
    char field[24];    /* policy field or "" */
    char message[256]; /* for people, with errno and what to do */
    int64_t at;
};

/* What an operator decided for a PF; the record lives as long as the host. What
 * the agent carries out of it (num_vfs, autoprobe, bridge_mode) has a revision
 * of the host's document. */
struct pf_setting {
    struct pf_key key;
    bool allowed; /* may be used for claims; off until said */
    char physical_network[NAME_SIZE]; /* "" = none */
    uint32_t link_speed_mbps; /* the operator's word, used only where the driver
                                 tells no speed (virtual devices); 0 = not said,
                                 then no min rate can be promised there */
    bool has_num_vfs;         /* false = the VF count is only observed */
    uint16_t num_vfs;
    uint8_t autoprobe;   /* enum autoprobe; NONE = left as it is */
    uint8_t bridge_mode; /* enum bridge_mode; NONE = left as it is */
    /* Σ min_tx_rate_mbps may be this much of the link's speed; 0 = not said:
     * 100 */
    uint32_t tx_ratio_percent;
    struct capabilities
        words;                /* the operator's, where support is not UNKNOWN */
    struct revision revision; /* of the agent's part; zero = never set */
};
#define TX_RATIO_MAX_PERCENT 10000u
/* Settings that say nothing yet of this PF. */
struct pf_setting pf_setting_new(const struct pf_key *key);
#define LINK_SPEED_MAX_MBPS 10000000u /* 10 Tbit/s: far above what exists */
/* The speed that min rates are promised against: the kernel's word, else the
 * operator's; 0 = nobody says. 'setting' may be NULL. */
uint32_t pf_link_speed_mbps(const struct pf *pf,
                            const struct pf_setting *setting);
/* The Mbit/s that may be promised as min rates: link speed x ratio; 0 = nobody
 * says the speed. */
uint64_t pf_promisable_mbps(const struct pf *pf,
                            const struct pf_setting *setting);
/* The PF's capability record with the operator's word laid over it, by the order
 * of belief in capabilities.h. */
struct capabilities pf_capabilities(const struct pf *pf,
                                    const struct pf_setting *setting);
struct network_mapping {
    char device[NETDEV_NAME_SIZE]; /* bridge on the host */
    char physical_network[NAME_SIZE];
};
struct label {
    char key[NAME_SIZE];
    char value[NAME_SIZE];
};
#define HOST_LABELS_MAX 32

/* A host as the operator sees and sets it. */
struct host {
    struct ref ref;
    char name[NAME_SIZE];
    struct uuid machine_id; /* zero until its agent first reported */
    uint8_t token_hash[32]; /* SHA-256 of the agent's token */
    bool cordoned;
    uint32_t vcpu_ratio_percent; /* 100 = no overcommit */
    uint32_t memory_ratio_percent;
    uint64_t generation;
    int64_t enrolled_at;
    size_t label_count, pf_setting_count, mapping_count;
    struct label *labels;           /* owned arrays */
    struct pf_setting *pf_settings; /* ordered by key */
    struct network_mapping *mappings;
};
struct host *host_new(size_t label_count, size_t pf_setting_count,
                      size_t mapping_count);
struct host *host_dup(const struct host *host);
static inline void host_put_p(struct host **host)
{
    ref_put(*host);
}
#define auto_host __attribute__((cleanup(host_put_p)))
const struct pf_setting *host_pf_setting(const struct host *host,
                                         const struct pf_key *key);

#define HOST_STATES(X)                                                         \
    X(READY, "ready")                                                          \
    X(UNREACHABLE, "unreachable")                                              \
    X(CORDONED, "cordoned")                                                    \
    X(DRAINING, "draining")                                                    \
    X(FENCED, "fenced")
enum host_state {
#define X(name, wire) HOST_##name,
    HOST_STATES(X)
#undef X
        HOST_STATE_MAX
};
const char *host_state_name(enum host_state state);
enum host_state host_state_parse(const char *name);

enum role {
    ROLE_NONE,
    ROLE_VIEWER,
    ROLE_OPERATOR,
    ROLE_ADMIN,
    ROLE_AGENT,
    ROLE_MAX
};
const char *role_name(enum role role); /* "viewer" ... "agent" */
enum role role_parse(const char *name);

/* A client's token: only its hash is kept. */
struct token {
    struct ref ref;
    char name[NAME_SIZE];
    uint8_t role;     /* enum role: viewer, operator, admin */
    uint8_t hash[32]; /* SHA-256 */
    int64_t created_at;
};
struct token *token_new(void);
static inline void token_put_p(struct token **token)
{
    ref_put(*token);
}
#define auto_token __attribute__((cleanup(token_put_p)))

/* The singleton of a data folder. */
struct cluster {
    struct ref ref;
    struct uuid id;
    uint64_t epoch; /* rises durably at each scheduler start, to the second of
                       the start where the clock is right */
};
struct cluster *cluster_new(void);
static inline void cluster_put_p(struct cluster **cluster)
{
    ref_put(*cluster);
}
#define auto_cluster __attribute__((cleanup(cluster_put_p)))

/* What happened. Kept in order of 'sequence', the newest EVENTS_KEPT. */
#define EVENTS_KEPT 10000
struct event {
    struct ref ref;
    uint64_t sequence;
    int64_t at;
    char type[48];        /* CamelCase: "VmClaimed" */
    char host[NAME_SIZE]; /* "" = none */
    struct uuid vm, port; /* zero = none */
    char reason[48];
    char message[256];
    char actor[NAME_SIZE]; /* token name, "agent HOST" or "scheduler" */
    char request_id[40];
};
struct event *event_new(void);
static inline void event_put_p(struct event **event)
{
    ref_put(*event);
}
#define auto_event __attribute__((cleanup(event_put_p)))
