/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of the host, as they come from the engine: the PFs as last read, and
 * what they say of the VFs that we hold. */
#include "agent/core/internal.h"

#include <string.h>

static void forget_readbacks(struct reconcile *r, const struct pf_key *key)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        if (pf_key_compare(&r->entries[i]->m.claim.pf, key) == 0)
            r->entries[i]->has_readback = false;
    }
}

/* What a later reading says of the VFs that we hold. */
static void take_readbacks(struct reconcile *r, const struct pf *pf)
{
    forget_readbacks(r, &pf->key);

    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        struct entry *entry = entry_at(r, &pf->key, vf->index);
        if (!entry || vf->observed_at == 0)
            continue;
        entry->has_readback = true;
        entry->readback = vf->policy;
        entry->readback_at = vf->observed_at;
    }
}

static void put_pf(struct reconcile *r, const struct pf *pf)
{
    struct pf_slot *slot = slot_of(r, &pf->key);
    if (!slot) {
        mem_grow(&r->pfs, &r->pf_capacity, r->pf_count, sizeof *r->pfs);
        size_t i = r->pf_count++;
        for (; i > 0 && pf_key_compare(&r->pfs[i - 1].pf->key, &pf->key) > 0;
             i--)
            r->pfs[i] = r->pfs[i - 1];
        slot = &r->pfs[i];
        memset(slot, 0, sizeof *slot);
    }
    bool same = slot->pf && pf_same(slot->pf, pf);
    ref_put(slot->pf);
    slot->pf = pf_dup(pf);
    slot->readings++;
    take_readbacks(r, slot->pf);
    if (!same) {
        pf_changed(r, &pf->key);
        holds_doubt(r, &pf->key);
    }
    pf_seen(r, &pf->key);
}

static void remove_pf(struct reconcile *r, const struct pf_key *key)
{
    struct pf_slot *slot = slot_of(r, key);
    if (!slot)
        return;
    forget_readbacks(r, key);
    ref_put(slot->pf);
    size_t i = (size_t)(slot - r->pfs);
    r->pf_count--;
    memmove(r->pfs + i, r->pfs + i + 1, (r->pf_count - i) * sizeof *r->pfs);
    r->changes++;
}

void reconcile_inventory(struct reconcile *r, int64_t now,
                         const struct inventory *inventory)
{
    r->now = now;
    for (size_t i = r->pf_count; i-- > 0;) {
        struct pf_key key = r->pfs[i].pf->key;
        if (!inventory_pf(inventory, &key))
            remove_pf(r, &key);
    }
    for (size_t i = 0; i < inventory->pf_count; i++)
        put_pf(r, inventory->pfs[i]);
    if (!r->facts || !inventory_same_host_facts(r->facts, inventory))
        r->changes++;
    const struct inventory *old = r->facts;
    r->facts = ref_get(inventory);
    ref_put(old);
    ways_recheck(r);
    r->replan = true;
}

void reconcile_pf(struct reconcile *r, int64_t now, const struct pf_key *key,
                  const struct pf *pf)
{
    r->now = now;
    if (pf)
        put_pf(r, pf);
    else
        remove_pf(r, key);
    r->replan = true;
}
