/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent can see and do on its host, behind one table of functions:
 * the real host (sysfs, netlink, devlink, kernel events) and the simulated one
 * implement the same contract, and tests/contract holds both against it.
 *
 * The backend tells facts of the kernel; it keeps no state of ours. Whose VF is
 * whose, and the states probing/claimed/cleaning/quarantined, are the agent's
 * (agent/core); a backend sets vf.state only to VF_FREE or VF_EXTERNAL.
 *
 * Threads: all calls from the agent's loop thread. Calls may take milliseconds
 * (netlink round trips), never wait for devices longer than 1 s.
 */
#pragma once

#include "common/base/error.h"
#include "common/domain/list.h"
#include "common/model/document.h"
#include "common/model/inventory.h"
#include "common/model/pf_target.h"

#include <stdbool.h>

struct host_backend;

/* What changed since the last call. */
#define HOST_CHANGES_MAX 64
struct host_changes {
    bool everything; /* or: messages were lost, read all again */
    bool domains; /* domains() may tell other things, or an order has ended */
    bool host_facts; /* networks, routes, bridges, bonds */
    size_t pf_count;
    struct pf_key pfs[HOST_CHANGES_MAX]; /* appeared, changed or gone */
};

struct host_ops {
    /* Read everything. What can't be read is named in 'unreadable'; only if
     * nothing at all can be read: NULL. A new object. */
    struct inventory *(*inventory)(struct host_backend *host,
                                   struct error *err);
    /* Read one PF with its VFs afresh (cheap; no pci.ids, no routes). NULL:
     * ERROR_VANISHED if it is gone. 'known' is the PF as last read, for the
     * facts that don't change while a driver is bound; may be NULL. */
    struct pf *(*read_pf)(struct host_backend *host, const struct pf_key *key,
                          const struct pf *known, struct error *err);

    /* What the kernel tells of one VF's policy now. Fields that the driver
     * does not report (sentinel -1) are not in policy.set. */
    int (*vf_read)(struct host_backend *host, const struct pf_key *pf,
                   uint16_t vf_index, struct policy *policy, struct error *err);
    /* Write exactly the 'fields' of 'policy' (bits; vlan, qos and proto go
     * together, min and max rate go together, as the kernel takes them). Other
     * fields stay. Tries the groups in the order of POLICY_FIELDS and stops at
     * the first refusal: err->field names the field, err->sys the errno, code
     * by error_code_of_errno. EAGAIN/EBUSY are tried again for at most 1 s.
     * The caller puts back what was already written. */
    int (*vf_write)(struct host_backend *host, const struct pf_key *pf,
                    uint16_t vf_index, const struct policy *policy,
                    uint32_t fields, struct error *err);
    /* Function-level reset through sysfs 'reset' and the driver bound again if
     * one was. UNSUPPORTED where the device has none (netdevsim): the caller
     * goes on. IN_USE or AGAIN, nothing done, where something uses the VF. */
    int (*vf_reset)(struct host_backend *host, const struct pf_key *pf,
                    uint16_t vf_index, struct error *err);

    /* Hold a unicast MAC on the PF's own receive filter, beside what sits on
     * its VFs, or let go of it: 'bridge fdb add|del MAC dev PF self'. What is
     * so already: 0. It stays over a link flap and an agent's death, and goes
     * with the PF's network device. A MAC that something else of the host put
     * there (a macvlan above the PF) must not be asked for: the kernel can't
     * tell whose it is. UNSUPPORTED where the driver takes none; VANISHED where
     * the PF or its network device is gone. */
    int (*mac_hold)(struct host_backend *host, const struct pf_key *pf,
                    const struct mac *mac, bool on, struct error *err);
    /* Is it there, as the kernel lists it? Accepted by the driver, which does
     * not prove that the card delivers it. */
    int (*mac_held)(struct host_backend *host, const struct pf_key *pf,
                    const struct mac *mac, bool *held, struct error *err);

    /* Bring a PF to 'target': level-triggered, so call it again until it says
     * how it ended.
     *  1  under way; event_fd becomes readable and 'changes' names the PF when
     *     it has ended. Meanwhile the PF may be told as it was when it began.
     *  0  done, and all that 'target' sets reads back equal.
     * -1  refused, with field (PF_TARGET_*), errno and what to do; what was
     *     already written stays, the caller puts it back. RANGE with the limit
     *     above what the firmware allows, UNSUPPORTED where the driver has no
     *     such thing, AGAIN where it may pass, VANISHED without the PF,
     *     FORBIDDEN for the PF that carries the host's own traffic, which is
     *     looked up once more before anything is written.
     * Order: autoprobe, then 0 before another count (the kernel refuses to go
     * from one to another, drivers/pci/iov.c sriov_numvfs_store), the count,
     * bridge mode. Only what differs is written. Another target than that of a
     * running change is begun when the running one has ended: a write that the
     * kernel never ends holds up its PF only, never the caller. */
    int (*pf_set)(struct host_backend *host, const struct pf_key *pf,
                  const struct pf_target *target, struct error *err);

    /* ---- virtio legs: bridges and taps ----------------------------------- */

    /* Whether the bridge port of 'netdev' learns MACs (bridge link set dev D
     * learning on|off; if_link.h IFLA_BRPORT_LEARNING). Set reads back. VANISHED
     * where 'netdev' is no port of a bridge. FORBIDDEN for management. */
    int (*learning_read)(struct host_backend *host, const char *netdev,
                         bool *learns, struct error *err);
    int (*learning_set)(struct host_backend *host, const char *netdev,
                        bool learns, struct error *err);
    /* Make 'tap', a port of the Linux bridge 'bridge', an access port of 'vlan'
     * (0: of the VLAN that is untagged on the uplink), the uplink a tagged
     * member of it, the tap a member of no other (bridge vlan; if_bridge.h
     * IFLA_BRIDGE_VLAN_INFO). On a bridge without vlan_filtering: 0 for vlan 0,
     * else UNSUPPORTED. Reads back. The uplink's membership stays when a tap
     * goes: other ports may need it, and it carries nothing by itself. Refused
     * with field "vlan", and the tap then in no VLAN at all: UNSUPPORTED where
     * the uplink has none untagged (vlan 0), or has this one untagged; FORBIDDEN
     * where the uplink is management and no member yet. VANISHED where 'tap' is
     * no port of 'bridge'. */
    int (*tap_vlan)(struct host_backend *host, const char *bridge,
                    const char *tap, uint16_t vlan, struct error *err);
    /* The policy as it is on a virtio leg now: MAC of 'tap' as libvirt gave it to
     * the guest, VLAN of the bridge port (or the Open vSwitch tag, as libvirt's
     * live XML tells it), max rate, spoofchk, link state. VLAN is not in
     * policy->set, and thus as nobody wants it, while the tap is in no VLAN, in
     * several, or in one that does not get out tagged by the uplink; tap_vlan
     * is the cure. A link that is not down counts as 'auto': a tap knows no
     * other. */
    int (*tap_read)(struct host_backend *host, const struct uuid *domain,
                    const char *tap, struct policy *policy, struct error *err);
    /* Tell the fabric where a MAC is now: one broadcast RARP frame with source
     * 'mac' out of 'netdev' (as QEMU announces itself after a migration), in the
     * VLAN of the port, since switches learn for each VLAN apart: with an 802.1Q
     * tag, or without one for 'vlan' 0. */
    int (*announce)(struct host_backend *host, const char *netdev,
                    const struct mac *mac, uint16_t vlan, struct error *err);
    /* Does a guest use the VF? Reads the interrupts that VFIO took for it (none
     * where no driver is bound), or, of a VF with another driver, the counters
     * where the PF's driver has such; else 'readable' is false. Cheap enough for
     * ten times a second. VANISHED where the VF is gone. */
    int (*vf_evidence)(struct host_backend *host, const struct pf_key *pf,
                       uint16_t vf_index, struct vf_evidence *evidence,
                       struct error *err);

    /* ---- domains ------------------------------------------------------------ */

    /* A reference to what libvirt told last; never waits. NULL: nothing is known
     * (no libvirt, or not yet, or it was restarted and has not answered since):
     * err says why in words. */
    struct domain_list *(*domains)(struct host_backend *host,
                                   struct error *err);
    /* Level-triggered as pf_set: 1 under way (event_fd becomes readable when it
     * has ended), 0 done, -1 refused, with libvirt's own words. AGAIN: libvirt
     * can't be reached, or does not answer within its deadline; the order may
     * yet have its effect, so look at domains() before it is given again.
     * One order runs for a domain at a time; another for the same domain is
     * AGAIN meanwhile. An end that is not asked for within 10 s is forgotten,
     * and the order begun again. NOT_FOUND: START or PLUG of a domain that is
     * not there. UNSUPPORTED: libvirt is not asked at all. Never waits. */
    int (*domain_order)(struct host_backend *host,
                        const struct domain_order *order, struct error *err);

    /* Poll this descriptor for reading (-1: no events, as with --root); then
     * call 'changes', which drains it. */
    int (*event_fd)(struct host_backend *host);
    int (*changes)(struct host_backend *host, struct host_changes *out,
                   struct error *err);

    void (*close)(struct host_backend *host); /* NULL is fine */
};
struct host_backend {
    const struct host_ops *ops;
};

/* The real host. 'root' "" = this machine; else sysfs and proc are read below
 * it, nothing can be written and there are no events. NULL on failure. */
struct host_backend *host_linux_open(const char *root, struct error *err);
/* Ask libvirt at 'uri' too: its version and QEMU's, and what readiness says of
 * them. A thread of its own does so and tries again by itself; the host's events
 * tell what it found out. Waits at most 'wait_ms' for the first answer. Once. */
int host_linux_use_libvirt(struct host_backend *host, const char *uri,
                           int wait_ms, struct error *err);
/* Over which of the machine's addresses the scheduler is reached: the PF below
 * counts as one that carries the host's own traffic, from the next reading. */
void host_linux_own_address(struct host_backend *host, const char *address);
/* From now on no PF counts as one that carries the host's own traffic, so that
 * a test can cut a host off from its scheduler. Tests only: on a host that
 * matters the next change of a PF may be the last that it hears of. */
void host_linux_ignore_management(struct host_backend *host);
/* Ask these plug-ins what they know of PFs from now on; borrowed until close,
 * NULL = none. Only of a real host. */
struct plugins;
void host_linux_use(struct host_backend *host, struct plugins *plugins);
