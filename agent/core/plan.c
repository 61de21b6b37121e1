/* SPDX-License-Identifier: Apache-2.0 */
/* The plan: which entry is to begin, change or end, given documents and
 * readings. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static bool wants_vf(const struct want *want, const struct entry *entry)
{
    const struct desired_port *d = &want->d;
    return !d->absent && d->has_claim && d->path == PATH_VF &&
           d->claim.vf_index == entry->m.claim.vf_index &&
           pf_key_compare(&d->claim.pf, &entry->m.claim.pf) == 0;
}

static bool same_policy(const struct policy *a, const struct policy *b)
{
    return a->set == b->set && policy_difference(a, b) == 0;
}

/* The document has another revision of the port that the entry is held for. */
static void follow(struct reconcile *r, struct entry *entry,
                   const struct want *want, int64_t now)
{
    struct managed *m = &entry->m;
    bool same = same_policy(&m->policy, &want->d.policy);
    if (mac_compare(&m->policy.mac, &want->d.policy.mac) != 0) {
        /* The old MAC must go first, and only the entry remembers it. */
        entry_move_durably(r, entry, MANAGED_CLEANING);
        return;
    }
    m->revision = want->d.revision;
    m->vm = want->d.vm;
    m->claim = want->d.claim;
    m->policy = want->d.policy;
    entry_touch(r, entry);
    if (same && m->phase != MANAGED_FAILED)
        return;
    entry->failures = 0;
    entry->drifted = false;
    if (m->phase == MANAGED_APPLYING) {
        entry->intent = r->version;
        entry->step = STEP_READ;
        entry->next_at = 0;
        entry->tries = 0;
        return;
    }
    entry_move_durably(r, entry, MANAGED_APPLYING);
    entry_condition(r, entry, now, CONDITION_UNKNOWN, "Applying", "",
                    "the policy is being written");
}

/* A failed or quarantined entry is tried again when its time has come or when
 * the PF changed in a way that may help. */
static bool retry_due(struct reconcile *r, const struct entry *entry,
                      int64_t now)
{
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    if (!slot)
        return false;
    if (entry->pf_signature && entry->pf_signature != pf_signature(slot->pf))
        return true;
    if (now >= entry->next_at)
        return true;
    if (entry->next_at < r->plan_at)
        r->plan_at = entry->next_at;
    return false;
}

/* The kernel reads otherwise than what was proven before. */
static void repair_drift(struct reconcile *r, struct entry *entry, int64_t now)
{
    uint32_t bits =
        entry->has_readback ? apply_difference(entry, &entry->readback) : 0;
    if (!bits)
        return;
    enum policy_field field = (enum policy_field)__builtin_ctz(bits);
    struct policy target = policy_target(&entry->m.policy);
    char is[POLICY_VALUE_SIZE], was[POLICY_VALUE_SIZE];
    entry_move(r, entry, MANAGED_APPLYING);
    entry->drifted = true;
    entry_condition(
        r, entry, now, CONDITION_FALSE, "Drifted", policy_field_name(field),
        "somebody else changed %s from %s to %s; it is being put "
        "back",
        policy_field_name(field), policy_value_text(&target, field, was),
        policy_value_text(&entry->readback, field, is));
}

/* A VF that went away is proven anew when it is back. */
static void check_applied(struct reconcile *r, struct entry *entry, int64_t now)
{
    if (claim_is_there(r, &entry->m.claim)) {
        if (!entry_is_bare(entry))
            repair_drift(r, entry, now);
    } else
        entry_move(r, entry, MANAGED_APPLYING);
}

/* A guest that has its VF may keep it, and then is asked to use it again: its
 * policy stays true until it is known to have let it go. What is removed is
 * cleaned as soon as the rules let it, and is never applied to again. */
static bool may_have_it(const struct reconcile *r, const struct want *want,
                        const struct entry *entry)
{
    bool known = r->domains || r->no_libvirt;
    return !want->d.absent && (entry->plugged || !known);
}

static void plan_entry(struct reconcile *r, struct entry *entry, int64_t now)
{
    struct managed *m = &entry->m;
    if (entry->gone)
        return;
    if (m->phase == MANAGED_PROBING && !entry->probe) {
        entry_move(r, entry, MANAGED_CLEANING); /* left by a crash */
        return;
    }
    if (m->phase == MANAGED_QUARANTINED && retry_due(r, entry, now)) {
        entry_move(r, entry, MANAGED_CLEANING);
        return;
    }
    bool ending = m->phase == MANAGED_CLEANING ||
                  m->phase == MANAGED_QUARANTINED ||
                  m->phase == MANAGED_PROBING;
    struct want *want = want_of(r, &m->port);
    if (!want || ending) {
        if (!want && !m->unknown && m->phase == MANAGED_APPLIED)
            check_applied(r, entry, now);
        return;
    }
    if (!wants_vf(want, entry)) {
        if (!may_have_it(r, want, entry))
            entry_move_durably(r, entry, MANAGED_CLEANING);
        else if (m->phase == MANAGED_APPLIED)
            check_applied(r, entry, now);
        return;
    }
    if (revision_compare(&m->revision, &want->d.revision) != 0 &&
        m->phase != MANAGED_RESTORING)
        follow(r, entry, want, now);
    if (m->phase == MANAGED_APPLIED)
        check_applied(r, entry, now);
    if (m->phase == MANAGED_FAILED && retry_due(r, entry, now))
        entry_move(r, entry, MANAGED_APPLYING);
}

/* A tombstone of a port whose entry we lost with our state: its MAC on the VF
 * that it had is proof enough to clean it. */
static bool is_leftover(const struct reconcile *r, const struct desired_port *d)
{
    if (!d->has_claim || (!d->absent && d->path == PATH_VF))
        return false;
    const struct vf *vf = vf_of(r, &d->claim.pf, d->claim.vf_index);
    const struct pf_slot *slot = slot_of(r, &d->claim.pf);
    return vf && !slot->pf->management && policy_has(&vf->policy, POLICY_MAC) &&
           policy_has(&d->policy, POLICY_MAC) &&
           mac_compare(&vf->policy.mac, &d->policy.mac) == 0 &&
           !entry_at(r, &d->claim.pf, d->claim.vf_index) &&
           !entries_hold(r, &d->id);
}

static void take_vf(struct reconcile *r, const struct desired_port *d,
                    enum managed_phase phase, int64_t now)
{
    struct managed m = {.port = d->id,
                        .vm = d->vm,
                        .claim = d->claim,
                        .policy = d->policy,
                        .device = d->device,
                        .revision = d->revision,
                        .phase = (uint8_t)phase};
    const struct vf *vf = vf_of(r, &d->claim.pf, d->claim.vf_index);
    bool bare = d->device || claim_is_whole(&d->claim);
    if (bare)
        str_copy(m.driver, claim_driver(r, &d->claim));
    else if (vf)
        m.baseline = vf->policy;
    struct entry *entry = entry_add(r, &m);
    if (vf && !bare) {
        entry->has_readback = true;
        entry->readback = vf->policy;
        entry->readback_at = vf->observed_at;
    }
    entry_condition(r, entry, now, CONDITION_UNKNOWN,
                    phase == MANAGED_APPLYING ? "Applying" : "Cleaning", "",
                    phase == MANAGED_APPLYING
                        ? "the policy is being written"
                        : "a VF with this port's MAC is being cleaned");
}

static void plan_want(struct reconcile *r, struct want *want, int64_t now)
{
    const struct desired_port *d = &want->d;
    bool was_blocked = want->blocked;
    want->blocked = false;
    if (d->absent) {
        if (is_leftover(r, d))
            take_vf(r, d, MANAGED_CLEANING, now);
        return;
    }
    if (d->path != PATH_VF || !d->has_claim) {
        if (is_leftover(r, d))
            take_vf(r, d, MANAGED_CLEANING, now);
        return;
    }
    const struct entry *holder = entry_at(r, &d->claim.pf, d->claim.vf_index);
    if (holder && uuid_equal(&holder->m.port, &d->id))
        return;
    struct condition before = want->condition;
    const char *field = "";
    bool bare = d->device || claim_is_whole(&d->claim);
    if (bare && !bare_allows(&d->policy, &field))
        condition_fill(&want->condition, now, CONDITION_FALSE, "FieldRefused",
                       field,
                       "%s can't be set: nothing of a policy can on a whole PF "
                       "or a device without network; drop it",
                       field);
    else if (rules_allow(r, PURPOSE_TAKE, &d->claim.pf, d->claim.vf_index,
                         &d->policy.mac, now, &want->condition)) {
        take_vf(r, d, MANAGED_APPLYING, now);
        return;
    }
    want->blocked = true;
    if (!was_blocked || memcmp(&before, &want->condition, sizeof before) != 0)
        r->changes++;
}

void plan(struct reconcile *r, int64_t now)
{
    if (!r->replan && now < r->plan_at)
        return;
    r->replan = false;
    r->plan_at = INT64_MAX;
    if (!r->facts)
        return;
    ties_make(r);
    ways_look(r);
    for (size_t i = 0; i < r->entry_count; i++)
        plan_entry(r, r->entries[i], now);
    for (size_t i = 0; i < r->want_count; i++)
        plan_want(r, &r->wants[i], now);
    ways_plan(r, now);
    vms_plan(r, now);
    pf_plan(r, now);
    if (!r->config.skip_probing)
        probe_plan(r, now, &r->plan_at);
}
