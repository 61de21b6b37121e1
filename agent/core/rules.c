/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of what may be touched, as one table; and the plan: which entry is
 * to begin, change or end, given documents and readings. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- the rule table ------------------------------------------------------------- */

struct facts {
    const struct pf *pf;        /* NULL = not on the host now */
    const struct vf *vf;        /* NULL = the PF has no such VF now */
    const struct entry *holder; /* who holds the VF */
    const struct mac *mac;      /* of the port that wants it */
    bool changing;              /* the PF itself is being changed */
    bool waits;                 /* a change of it waits for a probe's end */
};

static bool pf_is_gone(const struct facts *f)
{
    return !f->pf;
}

static bool pf_is_management(const struct facts *f)
{
    return f->pf->management;
}

static bool vf_is_gone(const struct facts *f)
{
    return !f->vf;
}

static bool vf_is_held(const struct facts *f)
{
    return f->holder != NULL;
}

static bool vf_is_used(const struct facts *f)
{
    return f->vf->state == VF_EXTERNAL;
}

/* A dirty VF is taken only by the port whose MAC is on it: then it was set for
 * this port before our state was lost. */
static bool vf_is_dirty(const struct facts *f)
{
    if (*vf_dirt(f->vf) == '\0')
        return false;
    return !f->mac || !policy_has(&f->vf->policy, POLICY_MAC) ||
           mac_compare(f->mac, &f->vf->policy.mac) != 0;
}

static bool pf_is_changing(const struct facts *f)
{
    return f->changing;
}

static bool pf_change_waits(const struct facts *f)
{
    return f->waits;
}

static void say_changing(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the PF's VF count or mode is being changed; it goes on when that "
             "is confirmed or undone");
}

static void say_gone(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the device is not on the host now; it goes on when "
             "the device is back");
}

static void say_management(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF carries the host's own traffic (%s) and is never touched; "
             "place the VM on another PF",
             *f->pf->management_reason ? f->pf->management_reason : "see host");
}

static void say_no_vf(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF has %u VFs now and this one is not among them; it goes on "
             "when it is back (sriov_numvfs)",
             f->pf->num_vfs);
}

static void say_held(const struct facts *f, char *text, size_t size)
{
    char id[UUID_TEXT_SIZE];
    if (uuid_is_zero(&f->holder->m.port))
        snprintf(text, size,
                 "the VF is still being probed or cleaned (%s); it goes on "
                 "when that is over",
                 managed_phase_name((enum managed_phase)f->holder->m.phase));
    else
        snprintf(
            text, size,
            "the VF is held for port %s (%s); delete that port, or wait "
            "until it is clean",
            uuid_format(&f->holder->m.port, id),
            f->holder->m.unknown
                ? "unknown_to_scheduler"
                : managed_phase_name((enum managed_phase)f->holder->m.phase));
}

static void say_used(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "something else uses the VF (%s); detach it, or use another VF",
             *f->vf->reason ? f->vf->reason : "external");
}

static void say_in_use(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the VF is released but still in use (%s); it is cleaned when the "
             "VM has stopped or let it go",
             *f->vf->reason ? f->vf->reason : "external");
}

static void say_dirty(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the VF does not read clean (%s) and nobody knows who set it; put "
             "it back by ip-link, then it is taken",
             vf_dirt(f->vf));
}

/* In this order; the first that holds forbids. */
static const struct rule {
    bool (*holds)(const struct facts *facts);
    unsigned purposes; /* enum purpose, or-ed */
    const char *reason;
    void (*say)(const struct facts *facts, char *text, size_t size);
} rules[] = {
    {pf_is_gone, PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "VfVanished", say_gone},
    {pf_is_management,
     PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "PfIsManagement", say_management},
    {pf_is_changing,
     PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE, "PfChanging",
     say_changing},
    {pf_change_waits, PURPOSE_PROBE, "PfChanging", say_changing},
    {vf_is_gone, PURPOSE_TAKE | PURPOSE_APPLY | PURPOSE_CLEAN | PURPOSE_PROBE,
     "VfVanished", say_no_vf},
    {vf_is_held, PURPOSE_TAKE | PURPOSE_PROBE, "VfHeld", say_held},
    {vf_is_used, PURPOSE_TAKE | PURPOSE_PROBE, "VfExternal", say_used},
    {vf_is_used, PURPOSE_CLEAN, "VfInUse", say_in_use},
    {vf_is_dirty, PURPOSE_TAKE | PURPOSE_PROBE, "VfNotClean", say_dirty},
};

bool rules_allow(const struct reconcile *r, enum purpose purpose,
                 const struct pf_key *pf, uint16_t vf_index,
                 const struct mac *mac, int64_t now,
                 struct condition *condition)
{
    const struct pf_slot *slot = slot_of(r, pf);
    const struct pf_work *work = work_of(r, pf);
    const struct pf_wish *want = pf_wish_of(r, pf);
    struct facts facts = {.changing = work && pf_change_runs(&work->c),
                          .waits = want && want->waits,
                          .pf = slot ? slot->pf : NULL,
                          .vf = slot ? pf_vf(slot->pf, vf_index) : NULL,
                          .holder = entry_at(r, pf, vf_index),
                          .mac = mac};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!(rules[i].purposes & purpose) || !rules[i].holds(&facts))
            continue;
        char text[200];
        rules[i].say(&facts, text, sizeof text);
        condition_fill(condition, now, CONDITION_FALSE, rules[i].reason, "",
                       "%s VF %u: %s", pf->text, vf_index, text);
        return false;
    }
    return true;
}

/* 52:54:00 is what KVM's tools and we give to ports; VF drivers' random MACs
 * don't begin so. */
static bool is_ports_mac(const struct policy *policy)
{
    const uint8_t *bytes = policy->mac.bytes;
    return policy_has(policy, POLICY_MAC) && bytes[0] == 0x52 &&
           bytes[1] == 0x54 && bytes[2] == 0;
}

/* What a driver's own defaults may be (spoofchk is off on some, a MAC is made
 * by VF drivers when they bind) says nothing about an owner. */
const char *vf_dirt(const struct vf *vf)
{
    struct policy clean = policy_clean();
    if (vf->observed_at == 0)
        return "its policy could not be read";
    clean.set &= ~(POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_SPOOFCHK));
    uint32_t bits =
        policy_difference(&clean, &vf->policy) & vf->policy.set & clean.set;
    if (is_ports_mac(&vf->policy))
        bits |= POLICY_BIT(POLICY_MAC);
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        if (!(bits & POLICY_BIT(f)))
            continue;
        char value[POLICY_VALUE_SIZE], text[64];
        snprintf(text, sizeof text, "%s %s",
                 policy_field_name((enum policy_field)f),
                 policy_value_text(&vf->policy, (enum policy_field)f, value));
        return str_intern(text);
    }
    return "";
}

uint64_t pf_signature(const struct pf *pf)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s|%s|%s|%d|%d|%u|%u", pf->driver,
                          pf->firmware, pf->netdev, pf->link_up,
                          pf->link_speed_mbps, pf->eswitch_mode, pf->num_vfs);
    return str_hash(text, (size_t)length);
}

/* ---- the plan ---------------------------------------------------------------------- */

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
    if (vf_of(r, &entry->m.claim.pf, entry->m.claim.vf_index))
        repair_drift(r, entry, now);
    else
        entry_move(r, entry, MANAGED_APPLYING);
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
        entry_move_durably(r, entry, MANAGED_CLEANING);
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
    if (!d->absent || !d->has_claim)
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
                        .revision = d->revision,
                        .phase = (uint8_t)phase};
    const struct vf *vf = vf_of(r, &d->claim.pf, d->claim.vf_index);
    m.baseline = vf->policy;
    struct entry *entry = entry_add(r, &m);
    entry->has_readback = true;
    entry->readback = vf->policy;
    entry->readback_at = vf->observed_at;
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
    if (d->path != PATH_VF || !d->has_claim)
        return;
    const struct entry *holder = entry_at(r, &d->claim.pf, d->claim.vf_index);
    if (holder && uuid_equal(&holder->m.port, &d->id))
        return;
    struct condition before = want->condition;
    if (rules_allow(r, PURPOSE_TAKE, &d->claim.pf, d->claim.vf_index,
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
    for (size_t i = 0; i < r->entry_count; i++)
        plan_entry(r, r->entries[i], now);
    for (size_t i = 0; i < r->want_count; i++)
        plan_want(r, &r->wants[i], now);
    pf_plan(r, now);
    if (!r->config.skip_probing)
        probe_plan(r, now, &r->plan_at);
}
