/* SPDX-License-Identifier: Apache-2.0 */
/* The two documents between scheduler and agent (DESIGN.md section 3.3), level
 * triggered: lost, repeated and late messages are harmless.
 *
 * Desired (down): what the host is to be. Observed (up): what it is.
 * Absence is never an order: removal is want=absent.
 */
#pragma once

#include "common/base/mem.h"
#include "common/model/vm.h"

/* Ports in one document: as many as a host can have VFs. */
#define DOCUMENT_PORTS_MAX (HOST_PFS_MAX * PF_VFS_MAX)
/* PFs in one document: those there are, and settings of some that are gone. */
#define DOCUMENT_PFS_MAX (16 * HOST_PFS_MAX)
#define DOCUMENT_VMS_MAX 4096 /* VMs in one document */

struct desired_port {
    struct uuid id, vm;
    bool absent;  /* the tombstone: clean up and report it absent */
    uint8_t path; /* enum port_path */
    bool has_claim;
    struct claim claim;
    bool device;          /* a VF without network: no policy */
    struct policy policy; /* asked fields, MAC always among them */
    char name[NAME_SIZE]; /* in its VM */
    uint8_t vnic_type, fallback, guest_failover, macvtap_mode; /* model/vm.h */
    /* The switch of the virtio leg, or the device below a macvtap; "" = the port
     * has no virtio leg, or its network is not on this host. */
    char network[NETDEV_NAME_SIZE];
    uint8_t network_kind;     /* enum switch_kind */
    struct revision revision; /* of this object's last change */
};

/* A VM of this host. One that the document lacks is left alone. */
struct desired_vm {
    struct uuid id;
    bool absent; /* the tombstone: managed: destroy and undefine it, which comes
                    before its ports are cleaned; external: wait until its
                    platform has ended it; then report it absent */
    char name[NAME_SIZE];
    uint8_t lifecycle; /* enum vm_lifecycle; 'host' ones are not told */
    uint8_t role;      /* enum vm_role */
    bool power_on;     /* managed: see struct vm */
    uint32_t vcpus;
    uint64_t memory_mib;
    struct text *domain_xml; /* managed: a reference; else NULL */
    struct revision revision;
};

/* What a PF is to be. A PF that the document lacks, and a member that is not
 * set, is left as it is (absence is never an order). */
struct desired_pf {
    struct pf_key key;
    bool allowed; /* may be used: only then it is probed */
    bool has_num_vfs;
    uint16_t num_vfs;
    uint8_t autoprobe;        /* enum autoprobe; NONE = not set */
    uint8_t bridge_mode;      /* enum bridge_mode; NONE = not set */
    struct revision revision; /* the generation that is applied or rejected */
};

/* Whole (full) or only the objects changed since what was asked for. */
struct desired {
    struct ref ref;
    struct uuid cluster_id;
    char host[NAME_SIZE];
    struct revision revision; /* of the document */
    bool full;
    size_t pf_count;
    struct desired_pf *pfs; /* owned */
    size_t vm_count;
    struct desired_vm *vms; /* owned, with their texts */
    size_t port_count;
    struct desired_port ports[];
};
struct desired *desired_new(size_t port_count, size_t pf_count,
                            size_t vm_count);

/* How far the agent is with one port. */
#define PORT_PHASES(X)                                                         \
    X(PENDING, "pending")   /* not begun, or blocked: see the condition */     \
    X(APPLIED, "applied")   /* kernel read back equal */                       \
    X(FAILED, "failed")     /* refused; nothing of it is left on the VF */     \
    X(CLEANING, "cleaning") /* wanted absent, not yet clean */                 \
    X(ABSENT, "absent")     /* wanted absent and proven clean */               \
    X(UNKNOWN, "unknown_to_scheduler") /* held here, not in the document */
enum port_phase {
#define X(name, wire) PORT_##name,
    PORT_PHASES(X)
#undef X
        PORT_PHASE_MAX
};
const char *port_phase_name(enum port_phase phase);
enum port_phase port_phase_parse(const char *name);

/* By what it was seen that the guest uses a VF (reference: DESIGN.md section 5). */
#define EVIDENCES(X)                                                           \
    X(NONE, "none")                                                            \
    X(VF_STATISTICS, "vf_statistics") /* the PF's driver counts VF frames */   \
    X(VF_INTERRUPTS, "vf_interrupts") /* its vfio lines in /proc/interrupts */ \
    X(GUEST_AGENT, "guest_agent")
enum evidence {
#define X(name, wire) EVIDENCE_##name,
    EVIDENCES(X)
#undef X
        EVIDENCE_MAX
};
const char *evidence_name(enum evidence evidence);
enum evidence evidence_parse(const char *name);

/* The way of a port's frames as it is now. All zero without a domain. */
struct observed_way {
    bool vf_plugged, virtio_plugged; /* are in the running domain */
    bool vf_in_use;                  /* proven by 'evidence' */
    uint8_t evidence;                /* enum evidence */
    int64_t in_use_at; /* since when it is in use; 0 = it is not */
    bool held;         /* its MAC is held on the uplink PF's own filter */
    char tap[NETDEV_NAME_SIZE]; /* of the virtio leg; "" = none */
    struct policy virtio;       /* the policy as read on the virtio leg */
    /* PathReady: the wanted path carries the port. False with GuestKeepsDevice,
     * VfNotInUse, PlugFailed … */
    struct condition condition;
};

struct observed_port {
    struct uuid id, vm;
    uint8_t phase;            /* enum port_phase */
    struct revision revision; /* of the desired port this is about */
    bool has_claim;
    struct claim claim;     /* the VF held or wanted */
    struct policy readback; /* as the kernel reads */
    int64_t observed_at;
    struct condition condition; /* PolicyApplied */
    struct observed_way way;
};

/* How far the agent is with one VM. */
#define VM_PHASES(X)                                                           \
    X(PENDING, "pending") /* not begun, or under way: see the condition */     \
    X(APPLIED, "applied") /* what the revision asked for was done */           \
    X(FAILED, "failed")   /* and not tried again before another revision */    \
    X(ABSENT, "absent")   /* wanted absent, and no such domain is there */     \
    X(UNKNOWN, "unknown_to_scheduler") /* known here, not in the document */
enum vm_phase {
#define X(name, wire) VM_PHASE_##name,
    VM_PHASES(X)
#undef X
        VM_PHASE_MAX
};
const char *vm_phase_name(enum vm_phase phase);
enum vm_phase vm_phase_parse(const char *name);

struct observed_vm {
    struct uuid id;
    struct uuid domain;         /* libvirt's uuid of it; zero = no domain */
    uint8_t phase;              /* enum vm_phase */
    uint8_t power_state;        /* enum power_state */
    struct revision revision;   /* of the desired VM this is about */
    struct condition condition; /* Running */
};

/* How far the agent is with a PF's settings (a confirmed commit: DESIGN.md
 * section 5, host safety). */
#define PF_PHASES(X)                                                           \
    X(PENDING, "pending")   /* not begun: see the condition */                 \
    X(APPLYING, "applying") /* the intent is durable; being written */         \
    X(CONFIRMING,                                                              \
      "confirming")           /* written; waits for the scheduler's answer   \
                                   over the changed host */ \
    X(APPLIED, "applied")     /* read back, and the scheduler was reached */   \
    X(REVERTING, "reverting") /* being undone */                               \
    X(REJECTED, "rejected")   /* undone; not tried again at this revision */   \
    X(FAILED, "failed")       /* refused by the kernel; see the condition */
enum pf_phase {
#define X(name, wire) PF_##name,
    PF_PHASES(X)
#undef X
        PF_PHASE_MAX
};
const char *pf_phase_name(enum pf_phase phase);
enum pf_phase pf_phase_parse(const char *name);

struct observed_pf {
    struct pf_key key;
    uint8_t phase;              /* enum pf_phase */
    struct revision revision;   /* of the desired PF that this is about */
    struct condition condition; /* PfConfigured */
};

/* 'full': everything. Otherwise: the host facts and the PFs and ports that
 * changed since sequence 'base'; PFs gone are named in 'gone_pfs'. Ports are
 * always told whole (there are few). */
struct observed {
    struct ref ref;
    struct uuid
        cluster_id; /* whose documents this agent follows; zero = none */
    char host[NAME_SIZE];
    struct uuid machine_id;
    struct uuid boot_id;
    char agent_version[32];
    uint64_t incarnation; /* durable, rises at each agent start */
    uint64_t sequence;    /* rises with each report of an incarnation, which
                             begins anywhere up to 2^48 */
    uint64_t base;        /* sequence that a partial report builds on */
    bool full;
    struct revision accepted;    /* highest document revision it accepted */
    struct inventory *inventory; /* full: all; else changed PFs only */
    size_t gone_count;
    struct pf_key *gone_pfs;
    size_t pf_count; /* always told whole, like ports */
    struct observed_pf *pfs;
    size_t port_count;
    struct observed_port *ports;
    size_t vm_count; /* always told whole too */
    struct observed_vm *vms;
};
struct observed *observed_new(size_t port_count, size_t gone_count,
                              size_t pf_count, size_t vm_count);
static inline void desired_put_p(struct desired **d)
{
    ref_put(*d);
}
static inline void observed_put_p(struct observed **o)
{
    ref_put(*o);
}
#define auto_desired __attribute__((cleanup(desired_put_p)))
#define auto_observed __attribute__((cleanup(observed_put_p)))
