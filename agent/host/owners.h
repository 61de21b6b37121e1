/* SPDX-License-Identifier: Apache-2.0 */
/* Which VF belongs to which PF, remembered between kernel events: the link from
 * the one to the other is gone when the kernel tells that a VF was removed. */
#pragma once

#include "common/model/inventory.h"

#include <stddef.h>

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
