/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices of a domain are ours to decide about at the hook, and the list of
 * all that are. */
#include "agent/core/internal.h"

#include <string.h>

/* ---- which devices are ours -------------------------------------------------------- */

static bool slot_has(const struct pf *pf, const struct pci_address *address,
                     uint16_t *vf_index)
{
    if (pf->has_address && pci_compare(&pf->address, address) == 0) {
        *vf_index = CLAIM_WHOLE_PF;
        return true;
    }
    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        if (vf->has_address && pci_compare(&vf->address, address) == 0) {
            *vf_index = vf->index;
            return true;
        }
    }
    return false;
}

static bool claim_has(const struct claim *claim,
                      const struct pci_address *address)
{
    struct pci_address pf;
    if (claim_is_whole(claim))
        return pf_key_pci(&claim->pf, &pf) && pci_compare(&pf, address) == 0;
    return claim->has_address && pci_compare(&claim->address, address) == 0;
}

static const struct claim *claim_at(const struct reconcile *r,
                                    const struct pci_address *address)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (d->has_claim && claim_has(&d->claim, address))
            return &d->claim;
    }
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct managed *m = &r->entries[i]->m;
        if (!uuid_is_zero(&m->port) && claim_has(&m->claim, address))
            return &m->claim;
    }
    return NULL;
}

/* The address of the VF whose network device a macvtap sits on. */
static bool address_below(const struct reconcile *r, const char *netdev,
                          struct pci_address *out)
{
    for (size_t p = 0; *netdev && p < r->pf_count; p++) {
        const struct pf *pf = r->pfs[p].pf;
        for (size_t i = 0; i < pf->vf_count; i++) {
            if (strcmp(pf->vfs[i].netdev, netdev) != 0)
                continue;
            *out = pf->vfs[i].address;
            return pf->vfs[i].has_address;
        }
    }
    return false;
}

static bool is_guarded(const struct hook_request *request,
                       const struct pci_address *address, const struct pf *pf)
{
    return !request->guarded || guarded_find(request->guarded, address) ||
           (pf && pf->has_address &&
            guarded_find(request->guarded, &pf->address));
}

bool hook_find(const struct reconcile *r, const struct hook_request *request,
               const struct domain_device *device, struct hook_target *target)
{
    struct pci_address address = device->address;
    bool has = device->kind == DOMAIN_HOSTDEV
                   ? device->has_address
                   : device->kind == DOMAIN_MACVTAP &&
                         address_below(r, device->source, &address);
    if (!has)
        return false;
    *target = (struct hook_target){.device = device};
    pci_format(&address, target->name);
    const struct claim *claim = claim_at(r, &address);
    if (claim) {
        target->pf = claim->pf;
        target->vf_index = claim->vf_index;
        target->known = true;
        return true;
    }
    for (size_t p = 0; p < r->pf_count; p++) {
        const struct pf *pf = r->pfs[p].pf;
        if (!slot_has(pf, &address, &target->vf_index))
            continue;
        target->pf = pf->key;
        target->known = true;
        return is_guarded(request, &address, pf);
    }
    return is_guarded(request, &address, NULL);
}

/* ---- the list of what is ours ------------------------------------------------------------ */

static void add_claim(struct guarded *out, const struct claim *claim)
{
    struct pci_address pf;
    if (!pf_key_pci(&claim->pf, &pf))
        return;
    if (claim_is_whole(claim))
        guarded_add(out, &pf, &pf);
    else if (claim->has_address)
        guarded_add(out, &claim->address, &pf);
}

bool reconcile_guarded(const struct reconcile *r, struct guarded *out)
{
    if (!r->has_document || !r->facts)
        return false;
    for (size_t i = 0; i < r->pf_wish_count; i++) {
        const struct desired_pf *d = &r->pf_wishes[i].d;
        struct pci_address pf;
        if (!d->allowed || !pf_key_pci(&d->key, &pf))
            continue;
        guarded_add(out, &pf, &pf);
        const struct pf_slot *slot = slot_of(r, &d->key);
        for (size_t k = 0; slot && k < slot->pf->vf_count; k++) {
            if (slot->pf->vfs[k].has_address)
                guarded_add(out, &slot->pf->vfs[k].address, &pf);
        }
    }
    for (size_t i = 0; i < r->want_count; i++) {
        if (r->wants[i].d.has_claim)
            add_claim(out, &r->wants[i].d.claim);
    }
    for (size_t i = 0; i < r->entry_count; i++)
        add_claim(out, &r->entries[i]->m.claim);
    guarded_sort(out);
    return true;
}
