/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of events: see owners.h. Pure: no clock, no I/O. */
#include "agent/host/owners.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <string.h>

#define AGAIN_FIRST (200 * TIMESTAMP_MS)

/* Where the VF stands, or belongs. */
static size_t place_of(const struct owners *owners,
                       const struct pci_address *vf)
{
    size_t low = 0;
    size_t high = owners->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pci_compare(&owners->items[middle].vf, vf) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct owners *owners, size_t place,
                      const struct pci_address *vf)
{
    return place < owners->count &&
           pci_compare(&owners->items[place].vf, vf) == 0;
}

void owners_put(struct owners *owners, const struct pci_address *vf,
                const struct pf_key *pf)
{
    size_t place = place_of(owners, vf);
    if (stands_at(owners, place, vf)) {
        owners->items[place].pf = *pf;
        return;
    }
    if (owners->count == OWNERS_MAX)
        return;
    mem_grow(&owners->items, &owners->capacity, owners->count,
             sizeof *owners->items);
    memmove(&owners->items[place + 1], &owners->items[place],
            (owners->count - place) * sizeof *owners->items);
    owners->items[place] = (struct owner){.vf = *vf, .pf = *pf};
    owners->count++;
}

const struct pf_key *owners_find(const struct owners *owners,
                                 const struct pci_address *vf)
{
    size_t place = place_of(owners, vf);
    return stands_at(owners, place, vf) ? &owners->items[place].pf : NULL;
}

void owners_done(struct owners *owners)
{
    free(owners->items);
    *owners = (struct owners){0};
}

static struct again_pf *find(struct again *again, const struct pf_key *pf)
{
    for (size_t i = 0; i < again->count; i++)
        if (pf_key_compare(&again->items[i].pf, pf) == 0)
            return &again->items[i];
    return NULL;
}

void again_put(struct again *again, const struct pf_key *pf, int64_t now)
{
    struct again_pf *item = find(again, pf);
    if (!item) {
        if (again->count == HOST_PFS_MAX)
            return;
        item = &again->items[again->count++];
        *item = (struct again_pf){.pf = *pf};
    }
    if (item->at || item->tries == AGAIN_TRIES)
        return;
    item->at = now + (AGAIN_FIRST << item->tries);
    item->tries++;
}

void again_forget(struct again *again, const struct pf_key *pf)
{
    struct again_pf *item = find(again, pf);
    if (item)
        *item = again->items[--again->count];
}

int64_t again_next(const struct again *again)
{
    int64_t first = 0;
    for (size_t i = 0; i < again->count; i++) {
        int64_t at = again->items[i].at;
        if (at && (!first || at < first))
            first = at;
    }
    return first;
}

bool again_take(struct again *again, int64_t now, struct pf_key *out)
{
    for (size_t i = 0; i < again->count; i++) {
        struct again_pf *item = &again->items[i];
        if (!item->at || item->at > now)
            continue;
        item->at = 0;
        *out = item->pf;
        return true;
    }
    return false;
}
