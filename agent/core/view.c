/* SPDX-License-Identifier: Apache-2.0 */
/* What is told: PFs with our VF states laid over the kernel's facts, and the
 * ports. Nothing is decided here. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static uint8_t state_of(const struct entry *entry)
{
    switch ((enum managed_phase)entry->m.phase) {
    case MANAGED_PROBING:
        return VF_PROBING;
    case MANAGED_CLEANING:
        return VF_CLEANING;
    case MANAGED_QUARANTINED:
        return VF_QUARANTINED;
    case MANAGED_APPLYING:
    case MANAGED_APPLIED:
    case MANAGED_RESTORING:
    case MANAGED_FAILED:
    case MANAGED_PHASE_MAX:
        break;
    }
    return VF_CLAIMED;
}

static const char *unclean(const char *field)
{
    char text[64];
    snprintf(text, sizeof text, "does not become clean%s%s", *field ? ": " : "",
             field);
    return str_intern(text);
}

static void overlay_vf(const struct reconcile *r, const struct pf *pf,
                       struct vf *vf)
{
    const struct entry *entry = entry_at(r, &pf->key, vf->index);
    if (entry) {
        vf->state = state_of(entry);
        if (vf->state == VF_CLAIMED && entry->plugged)
            vf->state = VF_ATTACHED;
        vf->port = entry->m.port;
        vf->reason = vf->state == VF_QUARANTINED
                         ? unclean(entry->m.condition.field)
                         : str_intern("");
        return;
    }
    if (vf->state != VF_FREE)
        return;
    const char *dirt = vf_dirt(vf);
    if (*dirt) {
        char text[96];
        snprintf(text, sizeof text, "does not read clean: %s", dirt);

        vf->state = VF_QUARANTINED;
        vf->reason = str_intern(text);
    }
}

struct pf *reconcile_pf_view(const struct reconcile *r, size_t index)
{
    struct pf *pf = pf_dup(r->pfs[index].pf);
    for (size_t i = 0; i < pf->vf_count; i++)
        overlay_vf(r, pf, &pf->vfs[i]);
    probe_overlay(r, pf);
    return pf;
}

static uint8_t port_phase_of(const struct reconcile *r,
                             const struct entry *entry)
{
    if (entry_is_bare(entry) && entry->m.phase == MANAGED_APPLIED)
        return claim_is_there(r, &entry->m.claim) ? PORT_APPLIED : PORT_PENDING;
    switch ((enum managed_phase)entry->m.phase) {
    case MANAGED_APPLIED:
        /* A reading that no plan has looked at yet may differ. */
        return entry->has_readback &&
                       apply_difference(entry, &entry->readback) == 0
                   ? PORT_APPLIED
                   : PORT_PENDING;
    case MANAGED_FAILED:
        return PORT_FAILED;
    case MANAGED_APPLYING:
    case MANAGED_RESTORING:
    case MANAGED_CLEANING:
    case MANAGED_QUARANTINED:
    case MANAGED_PROBING:
    case MANAGED_PHASE_MAX:
        break;
    }
    return PORT_PENDING;
}

/* Until the intent is durable nothing is touched, and the reason is told. */
static void not_durable(const struct reconcile *r, const struct entry *entry,
                        struct condition *condition)
{
    bool waits = r->saved < r->version && *r->save_error &&
                 (!entry || entry->intent > r->saved);
    if (waits)
        condition_fill(condition, r->save_failed_at, CONDITION_FALSE,
                       "StateNotDurable", "",
                       "the agent's state can't be saved, so no VF is touched: "
                       "%.120s; free space in the state folder",
                       r->save_error);
}

void view_entry(const struct reconcile *r, const struct entry *entry,
                struct observed_port *out)
{
    const struct managed *m = &entry->m;
    *out = (struct observed_port){.id = m->port,
                                  .vm = m->vm,
                                  .phase = port_phase_of(r, entry),
                                  .revision = m->revision,
                                  .has_claim = true,
                                  .claim = m->claim,
                                  .condition = m->condition};
    const struct pf_slot *slot = slot_of(r, &m->claim.pf);
    if (entry_is_bare(entry)) {
        out->observed_at = slot ? slot->pf->observed_at : 0;
    } else if (entry->has_readback) {
        out->readback = entry->readback;
        out->observed_at = entry->readback_at;
    }
    if (!*out->condition.type)
        condition_fill(&out->condition, entry->readback_at, CONDITION_UNKNOWN,
                       "Starting", "", "not yet read since the agent's start");
    not_durable(r, entry, &out->condition);
}

/* What stands in the way of an absent port, if anything is still held for it. */
static const struct entry *held_for(const struct reconcile *r,
                                    const struct uuid *port)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        if (uuid_equal(&r->entries[i]->m.port, port))
            return r->entries[i];
    }
    return NULL;
}

static void tell_absent(const struct reconcile *r, const struct want *want,
                        struct observed_port *out)
{
    const struct entry *entry = held_for(r, &want->d.id);
    const struct claim *claim = &want->d.claim;
    const struct vf *vf =
        want->d.has_claim ? vf_of(r, &claim->pf, claim->vf_index) : NULL;
    /* Not held, but our memory may have been lost: the VF must have been read
     * and the plan made, else is_leftover() could not see the port's MAC on
     * it. */
    bool unread = (vf && vf->observed_at == 0) || r->replan;
    bool proven = !entry && !unread && r->facts &&
                  want->durable_at <= r->saved &&
                  !hold_is_there(r, &want->d.id);
    if (entry)
        view_entry(r, entry, out);
    out->phase = proven ? PORT_ABSENT : PORT_CLEANING;
    out->revision = want->d.revision;
    if (proven)
        condition_fill(&out->condition, want->since, CONDITION_TRUE, "Clean",
                       "", "nothing is held for this port");
    else if (!entry)
        condition_fill(&out->condition, want->since, CONDITION_UNKNOWN,
                       "Cleaning", "", "not yet known to be clean");
    if (!proven)
        not_durable(r, entry, &out->condition);
}

/* On its virtio path. A VF that is claimed still is being given up: it counts as
 * held until it was proven clean. */
static void tell_virtio(const struct reconcile *r, const struct want *want,
                        struct observed_port *out)
{
    const struct desired_port *d = &want->d;
    const struct entry *entry = held_for(r, &d->id);
    const struct vf *vf =
        d->has_claim ? vf_of(r, &d->claim.pf, d->claim.vf_index) : NULL;
    bool unread = !r->facts || r->replan || (vf && vf->observed_at == 0);
    if (entry) {
        view_entry(r, entry, out);
        out->revision = d->revision;
        out->phase = PORT_PENDING;
        return;
    }
    out->has_claim = d->has_claim && (unread || want->durable_at > r->saved);
    if (!out->has_claim)
        memset(&out->claim, 0, sizeof out->claim);
    if (*want->way.tap_condition.type)
        out->condition = want->way.tap_condition;
    else
        condition_fill(&out->condition, want->since, CONDITION_UNKNOWN, "NoVf",
                       "",
                       "the port is on its virtio path, and its VM does not "
                       "run: there is nothing whose policy could be read");
    if (out->condition.status == CONDITION_TRUE)
        out->phase = PORT_APPLIED;
}

/* The policy is applied when it is on both: the VF and the virtio leg. */
static void tell_both(const struct want *want, struct observed_port *out)
{
    if (out->phase != PORT_APPLIED || way_tap_proven(want))
        return;
    out->phase = PORT_PENDING;
    out->condition = want->way.tap_condition;
}

void view_want(const struct reconcile *r, const struct want *want,
               struct observed_port *out)
{
    const struct desired_port *d = &want->d;
    *out = (struct observed_port){.id = d->id,
                                  .vm = d->vm,
                                  .phase = PORT_PENDING,
                                  .revision = d->revision,
                                  .has_claim = d->has_claim,
                                  .claim = d->claim};
    if (d->absent) {
        tell_absent(r, want, out);
        return;
    }
    if (d->path != PATH_VF || !d->has_claim) {
        tell_virtio(r, want, out);
        return;
    }
    const struct entry *entry = entry_at(r, &d->claim.pf, d->claim.vf_index);
    if (entry && uuid_equal(&entry->m.port, &d->id)) {
        view_entry(r, entry, out);
        if (revision_compare(&entry->m.revision, &d->revision) != 0)
            out->phase = PORT_PENDING;
        return;
    }
    if (want->blocked)
        out->condition = want->condition;
    else
        condition_fill(&out->condition, want->since, CONDITION_UNKNOWN,
                       "Starting", "", "not yet begun");
    not_durable(r, NULL, &out->condition);
}

size_t reconcile_ports(const struct reconcile *r, struct observed_port *out,
                       size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < r->want_count; i++, count++) {
        if (count < max) {
            view_want(r, &r->wants[i], &out[count]);
            tell_both(&r->wants[i], &out[count]);
            way_tell(r, &r->wants[i], &out[count].way);
        }
    }
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct entry *entry = r->entries[i];
        if (entry->gone || uuid_is_zero(&entry->m.port) ||
            want_of(r, &entry->m.port))
            continue;
        if (count < max) {
            view_entry(r, entry, &out[count]);
            if (entry->m.unknown)
                out[count].phase = PORT_UNKNOWN;
            else if (entry->m.phase == MANAGED_CLEANING ||
                     entry->m.phase == MANAGED_QUARANTINED)
                out[count].phase = PORT_CLEANING;
        }
        count++;
    }
    return count;
}
