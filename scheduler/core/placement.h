/* SPDX-License-Identifier: Apache-2.0 */
/* Where a VM fits: searches the index, changes nothing.
 *
 * Hard constraints: the host is ready and has the CPUs and memory; a port with
 * a virtio leg has its physical network there; a port's VF is of an allowed PF
 * with what the port asks for and with the asked bandwidth left, whose settings
 * are not on their way; a whole PF is one without VFs that nobody uses. A network
 * port never gets a VF of another kind of device, nor the other way round. All
 * ports on one host or none. A host where every port gets its VF wins over one where a
 * port falls back to virtio.
 *
 * Then by strategy: 'spread' takes the host whose PF for the VM's first VF has
 * the most free VFs, 'pack' the fewest; without VFs the same by the share of free CPUs.
 * PFs with link come before those without; ties go by name.
 *
 * The answer is no only if a scan of every host and every assignment of ports
 * to PFs says no; the one exception is MATCH_STEPS_MAX (match.c). */
#pragma once

#include "scheduler/core/internal.h"

/* A port as placement sees it; all but the MAC checks come from the request. */
struct port_want {
    const struct port_request *request;
    struct mac mac;
    struct policy policy; /* as asked, with the MAC; of a device empty */
    uint8_t kind;         /* enum device_kind of the PF */
    bool whole;           /* vnic_type direct-physical: the PF itself */
    bool own_mac;         /* of a whole PF: its own, as none is given */
    bool wants_vf;        /* or a whole PF: has no path without */
    bool may_fall_back;   /* to virtio: asked for, and the path can do it */
    bool needs_network;   /* has or may get a virtio leg, or is a macvtap on a
                             network's device */
    bool beside;          /* a virtio leg is always beside its VF */
    bool needs_vlan;      /* and the leg has a VLAN */
    bool macvtap;         /* no leg: a macvtap on a network's device */
    bool needs_netdev;    /* a macvtap on its VF: the host must drive that */
    bool same_network;    /* exactly the request's, also "" */
    uint8_t readiness;    /* UNREADY_ bits that its host must not have */
    bool mac_used; /* on some physical network: look before choosing one */
};
struct want {
    const struct vm_request *request;
    const struct omap *macs;
    size_t count;
    struct port_want ports[VM_PORTS_MAX];
    bool impossible;     /* a port asks what the virtio path can't do */
    uint32_t vf_ports;   /* bits: want a VF */
    uint32_t must_ports; /* bits: of these, may not fall back */
    uint64_t number;     /* of this decision, to mark hosts as tried */
    uint64_t steps;      /* of the search for an assignment, so far */
};

struct port_plan {
    struct pf_slot *pf;           /* NULL: virtio */
    const struct network *device; /* of its virtio leg, or below its macvtap;
                                     NULL = it has none (of the host's report) */
    int position;                 /* in pf->pf->vfs; -1: the PF itself */
    char network[NAME_SIZE];      /* the physical network it ends up on */
};
struct plan {
    struct slot *slot;
    struct port_plan ports[VM_PORTS_MAX];
};

/* The placement; false = none. */
bool placement_find(struct core *core, struct want *want, struct plan *plan);

/* Does this host take the VM as a whole (CPUs, networks, …)? */
bool placement_host_fits(const struct want *want, const struct slot *slot);
/* Could this class serve the port, looking at what its PFs have in common? */
bool placement_class_fits(const struct want *want, size_t port,
                          const struct pf_class *class);
/* Is the MAC that the port would have on this PF somebody's on its network? */
bool placement_mac_used(const struct want *want, size_t port,
                        const struct pf_slot *pf_slot);
/* The same as for a class for one PF of a ready host, with free VF, bandwidth,
 * networks. */
bool placement_pf_fits(const struct want *want, size_t port,
                       const struct pf_slot *pf_slot);

/* What a port with this plan claims. */
struct claim placement_claim(const struct port_want *want,
                             const struct port_plan *plan);

/* ---- networks.c: what virtio legs and macvtaps sit on ------------------------ */

/* The network of the host that the port's leg can sit on: of this name ("" =
 * any), first the one whose uplink is 'pf' (may be NULL). NULL = none. */
const struct network *placement_network(const struct port_want *port,
                                        const struct slot *slot,
                                        const char *name, const struct pf *pf);
/* There is one of the name, but without VLANs, which the port needs. */
bool placement_lacks_vlan(const struct port_want *port, const struct slot *slot,
                          const char *name);
/* The same for a port that has no VF: the asked network; for "any" the first
 * that has a name and not yet this MAC. NULL = none. */
const struct network *placement_leg(const struct want *want, size_t port,
                                    const struct slot *slot);
/* Is the MAC that the port would have somebody's on this physical network? */
bool placement_mac_taken(const struct want *want, const struct port_want *port,
                         const char *network);

/* ---- match.c: ports to PFs of one host -------------------------------------- */

/* Give each port of the set 'ports' a PF of the slot: chosen[port] is an index
 * in slot->pfs. False = there is no such assignment. */
bool match_ports(struct want *want, const struct slot *slot, uint32_t ports,
                 int chosen[VM_PORTS_MAX]);

/* ---- explain.c: why not ------------------------------------------------------ */

/* Why no host fits, by a scan of all of them. */
void explain_hosts(struct core *core, struct want *want,
                   struct placement_reasons *reasons);
/* Why this host has none for the only port of 'want', as the one reason. 'slot'
 * may be NULL. */
void explain_on_host(struct want *want, const struct slot *slot,
                     struct placement_reasons *reasons);
/* Why this port has no VF on this host, in a few words; bounded text. */
void explain_port(struct want *want, size_t port, const struct slot *slot,
                  char *text, size_t size);
