/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered between kernel events.
 *
 * Owners: which VF belongs to which PF, since the link from the one to the
 * other is gone when the kernel tells that a VF was removed. Links: what of a
 * network device matters to the host as a whole, since each write of a VF's
 * policy is told as a change of its PF's device in which nothing of it
 * changed. */
#pragma once

#include "common/model/inventory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner {
    struct pci_address vf;
    struct pf_key pf;
};
#define OWNERS_MAX 8192
struct owners { /* zero-initialise */
    size_t count, capacity;
    struct owner *items; /* ordered by VF */
};
void owners_put(struct owners *owners, const struct pci_address *vf,
                const struct pf_key *pf);
/* The PF or NULL. */
const struct pf_key *owners_find(const struct owners *owners,
                                 const struct pci_address *vf);
void owners_done(struct owners *owners);

struct seen_link {
    int index;  /* ifindex */
    int master; /* of the bridge or bond above, 0 = none */
    uint32_t mtu;
    bool up;
    /* How a bridge deals with VLANs: filtering, protocol and the VLAN of new
     * ports; 0 = no bridge; -1 = this notice does not tell. */
    int64_t vlans;
    char name[NETDEV_NAME_SIZE];
};
#define SEEN_LINKS_MAX 4096
struct seen_links { /* zero-initialise */
    size_t count, capacity;
    struct seen_link *items; /* in no order */
};
/* True if it is new or differs from the last time. Beyond SEEN_LINKS_MAX every
 * one counts as new. */
bool seen_links_changed(struct seen_links *links, const struct seen_link *now);
void seen_links_forget(struct seen_links *links, int index);
void seen_links_done(struct seen_links *links);
