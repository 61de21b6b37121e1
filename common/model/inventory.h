/* SPDX-License-Identifier: Apache-2.0 */
/* What an agent reports of its host: an immutable, shared object, made whole
 * from one reading. A change of one PF gives a new inventory that shares the
 * other PFs.
 *
 * Text that repeats on many hosts (drivers, vendors, models) is interned
 * (str_intern), so 128 VFs cost a few kilobytes.
 */
#pragma once

#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/model/capabilities.h"

#include <stdbool.h>
#include <stdint.h>

#define NETDEV_NAME_SIZE 16 /* IFNAMSIZ */
#define NAME_SIZE 64

/* The life of a VF. Who moves it: the agent alone.
 *
 *   free ──► probing ──► free            (capability probe)
 *   free ──► claimed ──► attached        (policy proven; in use by a guest)
 *   claimed, attached ──► cleaning ──► free   (reads back clean)
 *   cleaning, probing ──► quarantined    (does not read back clean)
 *   any ──► external                     (something else uses it)
 */
#define VF_STATES(X)                                                           \
    X(FREE, "free")                                                            \
    X(PROBING, "probing")                                                      \
    X(CLAIMED, "claimed")                                                      \
    X(ATTACHED, "attached")                                                    \
    X(CLEANING, "cleaning")                                                    \
    X(QUARANTINED, "quarantined")                                              \
    X(EXTERNAL, "external")
enum vf_state {
#define X(name, wire) VF_##name,
    VF_STATES(X)
#undef X
        VF_STATE_MAX
};
const char *vf_state_name(enum vf_state state);
enum vf_state vf_state_parse(const char *name);

struct vf {
    uint16_t index;   /* vf N of ip-link, from 0 */
    uint8_t state;    /* enum vf_state */
    bool has_address; /* netdevsim VFs have none */
    struct pci_address address;
    int32_t iommu_group;  /* -1 = none */
    int32_t msix_vectors; /* sriov_vf_msix_count: about its queues; -1 = not
                             told by the driver */
    char netdev[NETDEV_NAME_SIZE]; /* "" = none on the host */
    struct policy policy; /* as the kernel reads; 'set' = what it tells */
    const char *driver;   /* interned; "" = none bound */
    const char *reason;   /* interned; why external or quarantined, else "" */
    struct uuid port;    /* the port that the agent holds it for; zero = none */
    int64_t observed_at; /* when the kernel was read, ns */
};
/* A scheduler holds a million of them: order the members so that none is
 * padded. */
_Static_assert(sizeof(struct vf) <= 104, "struct vf has grown");

enum eswitch_mode {
    ESWITCH_NONE, /* no devlink eswitch */
    ESWITCH_LEGACY,
    ESWITCH_SWITCHDEV,
    ESWITCH_MODE_MAX
};
const char *eswitch_mode_name(enum eswitch_mode mode); /* NONE: NULL */
enum eswitch_mode eswitch_mode_parse(const char *name);

/* What a device is, by the base class of its PCI class code. Only network
 * devices have policies; VFs of the others are claimed by vm.devices[]. */
#define DEVICE_KINDS(X)                                                        \
    X(NETWORK, "network")         /* 02 */                                     \
    X(STORAGE, "storage")         /* 01: NVMe is 010802 */                     \
    X(DISPLAY, "display")         /* 03: GPUs */                               \
    X(ACCELERATOR, "accelerator") /* 0b, 10, 12: co-processors, crypto, AI */  \
    X(OTHER, "other")
enum device_kind {
#define X(name, wire) DEVICE_##name,
    DEVICE_KINDS(X)
#undef X
        DEVICE_KIND_MAX
};
const char *device_kind_name(enum device_kind kind);
enum device_kind device_kind_parse(const char *name);
/* From the 24 bits of sysfs 'class', e.g. 0x010802. */
enum device_kind device_kind_of_class(uint32_t pci_class);

/* The embedded switch between a PF's VFs (if_link.h BRIDGE_MODE_*): VEB
 * switches locally, VEPA sends all to the adjacent switch. */
enum bridge_mode {
    BRIDGE_NONE, /* the driver tells none; as a setting: not set */
    BRIDGE_VEB,
    BRIDGE_VEPA,
    BRIDGE_MODE_MAX
};
const char *bridge_mode_name(enum bridge_mode mode); /* NONE: NULL */
enum bridge_mode bridge_mode_parse(const char *name);

/* Whether the kernel binds a driver to VFs as it makes them
 * (sriov_drivers_autoprobe). */
enum autoprobe {
    AUTOPROBE_NONE, /* not told (netdevsim); as a setting: not set */
    AUTOPROBE_OFF,
    AUTOPROBE_ON,
    AUTOPROBE_MAX
};
const char *autoprobe_name(enum autoprobe autoprobe); /* "on"; NONE: NULL */
enum autoprobe autoprobe_parse(const char *name);

/* A physical function: with VFs, or a plain one (total_vfs 0) that can be given
 * to a VM as a whole (vnic_type direct-physical). */
struct pf {
    struct ref ref;
    struct pf_key key;
    uint8_t kind;       /* enum device_kind */
    uint32_t pci_class; /* 24 bits; 0 for netdevsim */
    bool has_address;
    struct pci_address address;
    char netdev[NETDEV_NAME_SIZE]; /* "" = none */
    struct mac mac;
    uint16_t vendor_id, device_id;         /* 0 for netdevsim */
    const char *vendor_name, *device_name; /* interned, from pci.ids; "" */
    const char *driver, *firmware;         /* interned; "" = not told */
    int32_t numa_node;                     /* -1 = none */
    int32_t iommu_group;                   /* -1 = none */
    bool link_up;
    int32_t link_speed_mbps; /* -1 = not told */
    uint16_t mtu;
    char bond[NETDEV_NAME_SIZE]; /* the bond above it, "" = none */
    const char *bond_mode;       /* interned, as the kernel names it:
                                    "active-backup", "802.3ad"; "" = no bond */
    int32_t bond_speed_mbps;     /* of the bond as a whole; -1 = not told */
    bool bond_active;            /* this PF carries traffic of the bond now */
    char used_by[NAME_SIZE];     /* what of the host uses the PF itself: "bridge
                                br0", "address 10.0.0.1/24", "its IOMMU
                                group, with 0000:03:00.1"; "" = nothing: it
                                may be given away whole */
    uint16_t total_vfs, num_vfs; /* total: what the firmware allows */
    uint16_t vf_device_id;       /* of its VFs; 0 = not told */
    uint8_t autoprobe;           /* enum autoprobe */
    uint8_t bridge_mode;         /* enum bridge_mode */
    int32_t vf_total_msix;       /* MSI-X vectors for all VFs to share
                              (sriov_vf_total_msix); -1 = not told */
    uint8_t eswitch_mode;        /* enum eswitch_mode */
    bool management; /* carries the host's own traffic: never touched */
    char management_reason[NAME_SIZE];
    struct capabilities capabilities;
    int64_t observed_at;
    size_t vf_count;
    struct vf vfs[]; /* by index */
};

enum switch_kind {
    SWITCH_LINUX_BRIDGE,
    SWITCH_OPENVSWITCH,
    SWITCH_MACVTAP, /* no switch: a network device that macvtaps can sit on */
    SWITCH_KIND_MAX
};
const char *switch_kind_name(enum switch_kind kind);
enum switch_kind switch_kind_parse(const char *name);

/* A software switch that virtio paths can use. 'physical_network' is what the
 * operator mapped it to; the agent reports it empty unless configured. */
struct network {
    char physical_network[NAME_SIZE];
    uint8_t kind; /* enum switch_kind */
    char device[NETDEV_NAME_SIZE];
    char uplink[NETDEV_NAME_SIZE]; /* "" = none */
    uint16_t mtu;
    /* A port's VLAN can be held there: Open vSwitch; a bridge with
     * vlan_filtering 1 and vlan_default_pvid 0 (else a port would be in the
     * bridge's own VLAN before it is in its own). */
    bool vlans;
};

/* One thing that a host must have for VFs to work (DESIGN.md section 5,
 * readiness): what is so, and what an operator does about it. */
enum check_status {
    CHECK_OK,
    CHECK_WARNING, /* works, but not all of it or not safely */
    CHECK_FAILED,  /* VFs can't be given to VMs here */
    CHECK_UNKNOWN, /* could not be found out */
    CHECK_STATUS_MAX
};
const char *check_status_name(enum check_status status);
enum check_status check_status_parse(const char *name);
struct readiness_check {
    char name[32];      /* snake_case, stable: "iommu", "interrupt_remapping" */
    uint8_t status;     /* enum check_status */
    const char *reason; /* interned: what was found, in words */
    const char *remedy; /* interned: what to do; "" where status is ok */
};
#define HOST_CHECKS_MAX 32

/* Something the agent could not read: named, not guessed. */
struct unreadable {
    char what[NAME_SIZE * 2]; /* path or source */
    char why[NAME_SIZE * 2];
};

#define HOST_PFS_MAX 64
#define PF_VFS_MAX 1024
#define HOST_NETWORKS_MAX 64
#define HOST_UNREADABLE_MAX 64
/* 1 EiB: more than any processor can address (52 bits, x86-64). */
#define HOST_MEMORY_MIB_MAX (UINT64_C(1) << 40)

struct inventory {
    struct ref ref;
    struct uuid machine_id;
    const char *kernel; /* interned release, e.g. "6.12.107+deb13-amd64" */
    const char *libvirt_version, *qemu_version; /* interned; "" = not told */
    uint32_t vcpus;                             /* CPUs the host has */
    uint64_t memory_mib;
    uint32_t external_vcpus; /* used by domains that aren't ours */
    uint64_t external_memory_mib;
    size_t network_count;
    struct network *networks;
    size_t unreadable_count;
    struct unreadable *unreadable;
    size_t check_count; /* readiness; 0 = the agent tells none */
    struct readiness_check *checks;
    size_t pf_count;
    struct pf **pfs; /* a reference each, ordered by key */
};

/* New objects; counts fixed at making; fill them before sharing. */
struct pf *pf_new(size_t vf_count);
struct pf *pf_dup(const struct pf *pf); /* a copy of its own, count 1 */
struct inventory *inventory_new(size_t pf_count, size_t network_count,
                                size_t unreadable_count);
/* A new inventory with the host facts of 'facts' (all but PFs) and room for
 * 'pf_count' PFs. */
struct inventory *inventory_like(const struct inventory *facts,
                                 size_t pf_count);
/* Put a copy of the checks in, before sharing; once. */
void inventory_set_checks(struct inventory *inventory,
                          const struct readiness_check *checks, size_t count);
static inline void pf_put_p(struct pf **pf)
{
    ref_put(*pf);
}
#define auto_pf __attribute__((cleanup(pf_put_p)))
static inline void inventory_put_p(struct inventory **inventory)
{
    ref_put(*inventory);
}
#define auto_inventory __attribute__((cleanup(inventory_put_p)))

/* The PF with this key or NULL (borrowed). */
const struct pf *inventory_pf(const struct inventory *inventory,
                              const struct pf_key *key);
/* The VF with this index or NULL (borrowed). */
const struct vf *pf_vf(const struct pf *pf, uint16_t vf_index);
/* Equal in everything but observed_at: nothing to report. */
bool pf_same(const struct pf *a, const struct pf *b);
/* Take the PFs of 'old' in place of those that say the same, observed_at too, so
 * that who compares the two by pointers sees what changed. Before sharing
 * 'inventory'; it says afterwards what it said before, whatever 'old' is. Both
 * are ordered by key, else fewer are found. */
void inventory_share(struct inventory *inventory, const struct inventory *old);
bool inventory_same_host_facts(const struct inventory *a,
                               const struct inventory *b); /* all but PFs */
