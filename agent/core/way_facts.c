/* SPDX-License-Identifier: Apache-2.0 */
/* What the running domain has of a port, and what of the host that is about. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

bool want_has_vf(const struct want *want)
{
    return !want->d.absent && want->d.has_claim &&
           (want->d.device || want->d.path == PATH_VF);
}

bool way_is_plain(const struct reconcile *r, const struct want *want)
{
    const struct desired_port *d = &want->d;
    (void)r;
    return d->device || d->vnic_type == VNIC_MACVTAP ||
           (d->has_claim && claim_is_whole(&d->claim));
}

/* Platforms keep our aliases (those that begin with 'ua-' are the user's); where
 * one does not, the MAC tells it. */
static const struct domain_device *leg_of(const struct domain_state *domain,
                                          const struct desired_port *d)
{
    for (size_t i = 0; i < domain->facts.device_count; i++) {
        const struct domain_device *device = &domain->facts.devices[i];
        bool ours = device->has_port
                        ? uuid_equal(&device->port, &d->id)
                        : policy_has(&d->policy, POLICY_MAC) &&
                              mac_compare(&device->mac, &d->policy.mac) == 0;
        if (device->kind == DOMAIN_INTERFACE && ours)
            return device;
    }
    return NULL;
}

/* The VF that is claimed, else another one that is still there for the port. */
static const struct domain_device *plugged_of(const struct reconcile *r,
                                              const struct domain_state *domain,
                                              const struct desired_port *d,
                                              bool *right)
{
    const struct domain_device *device =
        d->has_claim ? claim_device(r, domain, &d->id, &d->claim) : NULL;
    *right = device != NULL;
    return device ? device : domain_facts_hostdev(&domain->facts, &d->id);
}

static const struct network *network_of(const struct reconcile *r,
                                        const char *device)
{
    for (size_t i = 0; r->facts && i < r->facts->network_count; i++) {
        if (strcmp(r->facts->networks[i].device, device) == 0)
            return &r->facts->networks[i];
    }
    return NULL;
}

/* The PF below a bridge, where it has VFs: without any its own filter shuts
 * nothing out. */
static const struct pf *uplink_pf(const struct reconcile *r, const char *netdev)
{
    for (size_t i = 0; *netdev && i < r->pf_count; i++) {
        struct pf_slot *slot = &r->pfs[i];
        const struct pf *pf = slot->pf;
        if (strcmp(pf->netdev, netdev) != 0)
            continue;
        if (pf->num_vfs == 0 || pf->management)
            return NULL;
        if (slot->dual == WAY_DUAL_UNASKED)
            slot->dual =
                probe_has_dual_delivery(r, pf) ? WAY_DUAL_YES : WAY_DUAL_NO;
        return slot->dual == WAY_DUAL_YES ? pf : NULL;
    }
    return NULL;
}

static void look_at_leg(struct reconcile *r, struct want *want,
                        const struct domain_device *leg)
{
    struct way *way = &want->way;
    const char *bridge = *leg->source ? leg->source : want->d.network;
    const struct network *network = network_of(r, bridge);
    const struct pf_slot *slot =
        want->d.has_claim ? slot_of(r, &want->d.claim.pf) : NULL;
    str_copy(way->bridge, bridge);
    str_copy(way->tap, leg->target);
    str_copy(way->uplink, network ? network->uplink : "");
    way->tap_vlan = network && network->kind == SWITCH_LINUX_BRIDGE;
    const struct pf *pf = uplink_pf(r, way->uplink);
    way->has_hold_pf = pf && policy_has(&want->d.policy, POLICY_MAC);
    if (way->has_hold_pf)
        way->hold_pf = pf->key;
    way->differs = *way->uplink && slot && *slot->pf->netdev &&
                   strcmp(slot->pf->netdev, way->uplink) != 0;
}

/* The domain is gone, or another one is there. */
static void forget(struct way *way)
{
    struct condition condition = way->condition;
    memset(way, 0, sizeof *way);
    way->condition = condition;
}

void way_look(struct reconcile *r, struct want *want)
{
    struct way *way = &want->way;
    const struct vm_slot *vm = vm_at(r, &want->d.vm);
    if (!r->domains)
        return;
    if (!vm || !vm_is_active(vm)) {
        forget(way);
        return;
    }
    if (way->active && !uuid_equal(&way->domain, &vm->domain->uuid))
        forget(way);
    const struct domain_device *leg = leg_of(vm->domain, &want->d);
    const struct domain_device *plugged =
        plugged_of(r, vm->domain, &want->d, &way->right);
    way->active = true;
    way->domain = vm->domain->uuid;
    way->leg = leg != NULL;
    way->plugged = plugged != NULL;
    if (plugged)
        way->plug_until = 0;
    str_copy(way->alias, plugged ? plugged->alias : "");
    if (leg)
        look_at_leg(r, want, leg);
    else
        way->has_hold_pf = false;
    if (!leg)
        way->tap[0] = '\0';
}
