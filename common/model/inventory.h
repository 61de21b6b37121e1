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
#include "common/model/policy.h"

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
    int32_t iommu_group;           /* -1 = none */
    char netdev[NETDEV_NAME_SIZE]; /* "" = none on the host */
    const char *driver;            /* interned; "" = none bound */
    const char *reason; /* interned; why external or quarantined, else "" */
    struct uuid port;   /* the port that the agent holds it for; zero = none */
    struct policy policy; /* as the kernel reads; 'set' = what it tells */
    int64_t observed_at;  /* when the kernel was read, ns */
};

enum eswitch_mode {
    ESWITCH_NONE, /* no devlink eswitch */
    ESWITCH_LEGACY,
    ESWITCH_SWITCHDEV,
    ESWITCH_MODE_MAX
};
const char *eswitch_mode_name(enum eswitch_mode mode); /* NONE: NULL */
enum eswitch_mode eswitch_mode_parse(const char *name);

struct pf {
    struct ref ref;
    struct pf_key key;
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
    uint16_t total_vfs, num_vfs;
    uint8_t eswitch_mode; /* enum eswitch_mode */
    bool management;      /* carries the host's own traffic: never touched */
    char management_reason[NAME_SIZE];
    struct capabilities capabilities;
    int64_t observed_at;
    size_t vf_count;
    struct vf vfs[]; /* by index */
};

enum switch_kind { SWITCH_LINUX_BRIDGE, SWITCH_OPENVSWITCH, SWITCH_KIND_MAX };
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
};

/* Something the agent could not read: named, not guessed. */
struct unreadable {
    char what[NAME_SIZE * 2]; /* path or source */
    char why[NAME_SIZE * 2];
};

#define HOST_PFS_MAX 64
#define PF_VFS_MAX 1024
#define HOST_NETWORKS_MAX 64
#define HOST_UNREADABLE_MAX 64

struct inventory {
    struct ref ref;
    struct uuid machine_id;
    const char *kernel; /* interned release, e.g. "6.12.107+deb13-amd64" */
    uint32_t vcpus;     /* CPUs the host has */
    uint64_t memory_mib;
    uint32_t external_vcpus; /* used by domains that aren't ours */
    uint64_t external_memory_mib;
    size_t network_count;
    struct network *networks;
    size_t unreadable_count;
    struct unreadable *unreadable;
    size_t pf_count;
    struct pf **pfs; /* a reference each, ordered by key */
};

/* New objects; counts fixed at making; fill them before sharing. */
struct pf *pf_new(size_t vf_count);
struct pf *pf_dup(const struct pf *pf); /* a copy of its own, count 1 */
struct inventory *inventory_new(size_t pf_count, size_t network_count,
                                size_t unreadable_count);
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
bool inventory_same_host_facts(const struct inventory *a,
                               const struct inventory *b); /* all but PFs */
