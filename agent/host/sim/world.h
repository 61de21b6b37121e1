/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a simulated host; private to agent/host/sim. */
#pragma once

#include "agent/host/sim/domains.h"
#include "agent/host/sim/model.h"
#include "agent/host/sim/sim.h"

#define SIM_HELD_MAX 16

struct sim_vf {
    bool present;
    bool own_mac;         /* policy.mac was chosen by the VF's driver */
    bool fresh;           /* nobody has written the policy since it was made */
    bool counted;         /* it has sent and received */
    const char *external; /* interned reason, NULL = nobody else uses it */
    struct policy policy; /* all fields, also those the driver never tells */
    uint64_t version;
};

struct sim_pf {
    const struct sim_model *model;
    struct pf_key key;
    struct pci_address address;
    char netdev[NETDEV_NAME_SIZE];
    struct mac mac;
    int32_t numa_node, iommu_group;
    bool present, link_up;
    int32_t speed_mbps;               /* of the link, -1 = not told */
    char management[NAME_SIZE];       /* "" = not a management PF */
    struct capabilities capabilities; /* as probed at this link */
    uint64_t changed;                 /* event number of the last change */
    uint8_t autoprobe, bridge_mode;   /* the enums */
    uint16_t total_vfs;               /* what the firmware allows */
    uint16_t boot_vfs;                /* made by the host as it boots */
    uint16_t vf_count;
    uint16_t vf_capacity; /* of 'vfs'; those from vf_count on are not there */
    struct sim_vf *vfs;
    /* The PF's own filter, besides its MAC: room for few, as in real cards (the
     * 82576 has 24 receive addresses for the PF and all its VFs). */
    size_t held_count;
    struct mac held[SIM_HELD_MAX];
};

struct sim_host {
    struct rng rng;
    struct uuid machine_id, boot_id;
    uint32_t vcpus;
    uint64_t memory_mib;
    size_t networks;
    bool bridges_on_pfs;
    bool learning_off[8]; /* of the uplinks' bridge ports */
    uint64_t announces;
    bool libvirt_down;
    enum sim_guest guest;
    unsigned taps;
    size_t domain_count;
    struct sim_domain *domains[SIM_DOMAINS_MAX];
    uint64_t domains_changed; /* event number of the last change */
    uint64_t events;          /* number of the newest event */
    uint64_t lost;            /* events up to this one can't be told any more */
    int event_fd;             /* of the open backend that has one, else -1 */
    uint64_t versions; /* source of vf.version, so that none comes twice */
    size_t pf_count;
    struct sim_pf pfs[SIM_HOST_PFS_MAX];
};

/* A kernel message about the PF; wakes the event descriptor. */
void sim_host_notify(struct sim_host *host, struct sim_pf *pf);
/* The same of libvirt. */
void sim_host_notify_domains(struct sim_host *host);
/* Where the VF is on the bus. */
struct pci_address sim_vf_address(const struct sim_pf *pf, uint16_t index);
/* The uplink of a bridge. */
const char *sim_uplink(const struct sim_host *host, size_t network,
                       char text[NETDEV_NAME_SIZE]);

/* The kernel makes so many VFs anew, or ends all (0). The caller sees to
 * limits and to 0 in between. */
void sim_pf_make_vfs(struct sim_host *host, struct sim_pf *pf, uint16_t count);
/* The link as its driver tells it now. */
void sim_pf_set_link(struct sim_host *host, struct sim_pf *pf, bool up);

/* A change of a PF under way, in steps. */
struct sim_change {
    bool running;
    struct pf_target target;
    uint8_t step;
    bool link_lost; /* by us: it comes back */
};
/* Do the next step. 1 = there are more; else as host_ops pf_set. */
typedef int sim_fault_fn(void *context, enum sim_step step,
                         const struct pf_key *pf, uint16_t number,
                         uint32_t part);
int sim_pf_step(struct sim_host *host, struct sim_pf *pf,
                struct sim_change *change, sim_fault_fn *fault, void *context,
                struct error *err);

/* One group of fields as a driver's function takes it: 0 or the errno, then
 * nothing changed and *at fault is the field to name. */
enum sim_group {
    SIM_GROUP_MAC,
    SIM_GROUP_VLAN,
    SIM_GROUP_RATE,
    SIM_GROUP_SPOOFCHK,
    SIM_GROUP_TRUST,
    SIM_GROUP_LINK_STATE,
    SIM_GROUP_MAX
};
uint32_t sim_group_fields(enum sim_group group);
int sim_kernel_write(struct sim_pf *pf, uint16_t vf, enum sim_group group,
                     const struct policy *policy, uint32_t fields,
                     enum policy_field *at_fault);
/* What ndo_get_vf_config gives: the fields that the driver reports. */
void sim_kernel_read(const struct sim_pf *pf, uint16_t vf,
                     struct policy *policy);
/* As ndo_fdb_add and ndo_fdb_del: 0 or the errno. */
int sim_kernel_hold(struct sim_pf *pf, const struct mac *mac, bool on);
/* The VF's device begins anew (reset): its driver binds and takes a MAC if it
 * has none. */
void sim_kernel_bind(struct sim_host *host, struct sim_pf *pf, uint16_t vf);
/* What ndo_get_vf_config tells of a VF that was just made. */
struct policy sim_kernel_default(const struct sim_model *model);
/* The PF driver makes the VF: everything at its default. */
void sim_kernel_create(struct sim_host *host, struct sim_pf *pf, uint16_t vf);
