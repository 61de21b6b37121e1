/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be remembered between kernel events: which VF belongs to which
 * PF (the link is gone when the kernel tells that a VF was removed), and which
 * PFs are to be read again though no event will say so. */
#pragma once

#include "common/model/inventory.h"

#include <stdbool.h>
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

/* PFs read while their VFs were being made or removed. Each is due after
 * 0.2 s, then 0.4 s ..., AGAIN_TRIES times, until it was read whole or the
 * kernel told something of it. Times are monotonic, ns. */
#define AGAIN_TRIES 6
struct again { /* zero-initialise */
    size_t count;
    struct again_pf {
        struct pf_key pf;
        unsigned tries;
        int64_t at; /* 0 = not waiting */
    } items[HOST_PFS_MAX];
};
void again_put(struct again *again, const struct pf_key *pf, int64_t now);
void again_forget(struct again *again, const struct pf_key *pf);
/* The earliest time that one is due, 0 = none. */
int64_t again_next(const struct again *again);
/* One that is due at 'now' (it waits no more), or false. */
bool again_take(struct again *again, int64_t now, struct pf_key *out);
