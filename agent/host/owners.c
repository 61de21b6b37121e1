/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of events: see owners.h. Pure: no I/O. */
#include "agent/host/owners.h"

#include "common/base/mem.h"

#include <stdbool.h>
#include <string.h>

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

static struct seen_link *find_link(struct seen_links *links, int index)
{
    for (size_t i = 0; i < links->count; i++)
        if (links->items[i].index == index)
            return &links->items[i];
    return NULL;
}

bool seen_links_changed(struct seen_links *links, const struct seen_link *now)
{
    struct seen_link *before = find_link(links, now->index);
    if (before) {
        int64_t vlans = now->vlans < 0 ? before->vlans : now->vlans;
        bool same = before->master == now->master && before->mtu == now->mtu &&
                    before->up == now->up && before->vlans == vlans &&
                    strcmp(before->name, now->name) == 0;
        *before = *now;
        before->vlans = vlans;
        return !same;
    }
    if (links->count < SEEN_LINKS_MAX) {
        mem_grow(&links->items, &links->capacity, links->count,
                 sizeof *links->items);
        links->items[links->count++] = *now;
    }
    return true;
}

void seen_links_forget(struct seen_links *links, int index)
{
    struct seen_link *link = find_link(links, index);
    if (link)
        *link = links->items[--links->count];
}

void seen_links_done(struct seen_links *links)
{
    free(links->items);
    *links = (struct seen_links){0};
}
