/* SPDX-License-Identifier: Apache-2.0 */
/* Trials: a non-default value of each field is written to one free VF and read
 * back; the trial MAC is held on the PF's own filter too. What is told by no
 * driver is not written, since it could not be proven put back. Rates, link
 * state and the PF's filter are shared: they are tried only while no VF of the
 * PF is in use. Supported means accepted, not enforced. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define TRIAL_RATE_MBPS 500 /* where the link's speed is not told */
#define RATE_TRIES 3
#define RATE_RETRY_NS TIMESTAMP_SECOND

enum trial_kind {
    TRIAL_VALUE,
    TRIAL_ABOVE_SPEED, /* a rate above the link's speed */
    TRIAL_HOLD,        /* the MAC on the PF's own filter as well */
};

/* A maximum is tried before a minimum: the kernel refuses a minimum above it. */
static const struct trial {
    uint8_t kind;
    uint8_t field; /* enum policy_field */
} trials[] = {
    {TRIAL_VALUE, POLICY_MAC},
    {TRIAL_VALUE, POLICY_VLAN},
    {TRIAL_VALUE, POLICY_VLAN_QOS},
    {TRIAL_VALUE, POLICY_VLAN_PROTO},
    {TRIAL_VALUE, POLICY_SPOOFCHK},
    {TRIAL_VALUE, POLICY_TRUST},
    {TRIAL_VALUE, POLICY_LINK_STATE},
    {TRIAL_VALUE, POLICY_MAX_TX_RATE_MBPS},
    {TRIAL_ABOVE_SPEED, POLICY_MAX_TX_RATE_MBPS},
    {TRIAL_VALUE, POLICY_MIN_TX_RATE_MBPS},
    {TRIAL_ABOVE_SPEED, POLICY_MIN_TX_RATE_MBPS},
    {TRIAL_HOLD, POLICY_MAC},
};
#define TRIAL_COUNT (sizeof trials / sizeof *trials)

/* Fields whose trial could be felt by other VFs of the PF. */
#define SHARED_FIELDS                                                          \
    (POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |                                     \
     POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) | POLICY_BIT(POLICY_LINK_STATE))

static const char not_exclusive[] = "not tried: VFs of the PF are in use";

static bool is_rate(enum policy_field field)
{
    return field == POLICY_MIN_TX_RATE_MBPS || field == POLICY_MAX_TX_RATE_MBPS;
}

/* The ends of the ranges that may be asked for, so that what is accepted is the
 * whole range. */
struct policy trial_values(struct reconcile *r, const struct pf *pf,
                           const struct vf *vf)
{
    uint32_t speed = probe_speed(pf);
    uint32_t rate = speed ? speed : TRIAL_RATE_MBPS;
    struct policy values = {
        .set = POLICY_ALL,
        .mac = mac_make(&r->rng),
        .vlan = POLICY_VLAN_MAX,
        .vlan_qos = POLICY_QOS_MAX,
        .vlan_proto = VLAN_PROTO_8021AD,
        .max_tx_rate_mbps = rate,
        .min_tx_rate_mbps = rate / 4 ? rate / 4 : 1,
        .spoofchk =
            !(policy_has(&vf->policy, POLICY_SPOOFCHK) && vf->policy.spoofchk),
        .trust = true,
        .link_state = LINK_STATE_ENABLE,
    };
    return values;
}

bool trial_is_vain(const struct pf *pf)
{
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        const struct capability *c = &pf->capabilities.field[i];
        if (c->support != CAPABILITY_UNSUPPORTED ||
            c->source != CAPABILITY_SOURCE_PROBED)
            return false;
    }
    return true;
}

/* ---- verdicts ------------------------------------------------------------------------ */

/* The field or trait that the present trial is about. */
static struct capability *subject(struct probe *probe)
{
    const struct trial *trial = &trials[probe->trial];
    return trial->kind == TRIAL_HOLD
               ? &probe->found.trait[CAPABILITY_TRAIT_DUAL_DELIVERY]
               : &probe->found.field[trial->field];
}

static void verdict(struct probe *probe, enum capability_support support,
                    unsigned needs, const char *note)
{
    *subject(probe) = (struct capability){.support = (uint8_t)support,
                                          .source = CAPABILITY_SOURCE_PROBED,
                                          .needs = (uint8_t)needs,
                                          .note = str_intern(note)};
}

static uint8_t support_of(const struct probe *probe, enum policy_field field)
{
    return probe->found.field[field].support;
}

static const char *error_text(const struct error *err)
{
    return err->sys ? error_errno_name(err->sys) : error_code_name(err->code);
}

/* EOPNOTSUPP proves that it can't be done, and so does a refusal of a value that
 * is in range; with the link down it proves only that it needs the link, if
 * anything. */
static void judge_refused_value(struct probe *probe, const struct error *err)
{
    enum policy_field field = (enum policy_field)trials[probe->trial].field;
    bool has_max =
        support_of(probe, POLICY_MAX_TX_RATE_MBPS) == CAPABILITY_SUPPORTED ||
        support_of(probe, POLICY_MAX_TX_RATE_MBPS) == CAPABILITY_CONDITIONAL;
    char note[128];
    if (err->code == ERROR_RANGE && is_rate(field) && !probe->link_up) {
        snprintf(note, sizeof note, "%s while the link is down",
                 error_text(err));
        verdict(probe, CAPABILITY_CONDITIONAL,
                CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP), note);
        return;
    }
    bool proven = err->code == ERROR_UNSUPPORTED || err->code == ERROR_RANGE;
    bool after_max = field == POLICY_MIN_TX_RATE_MBPS && has_max;
    snprintf(note, sizeof note, "%s when set%s", error_text(err),
             after_max && proven ? ", though max_tx_rate_mbps was accepted"
                                 : "");
    probe->open |= !proven;
    verdict(probe, proven ? CAPABILITY_UNSUPPORTED : CAPABILITY_UNKNOWN, 0,
            note);
}

static void judge_above(struct probe *probe, const char *what)
{
    char note[128];
    snprintf(note, sizeof note, "%s above the link's speed", what);
    verdict(probe, CAPABILITY_CONDITIONAL,
            CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED), note);
}

static void judge_refusal(struct probe *probe, const struct error *err)
{
    switch ((enum trial_kind)trials[probe->trial].kind) {
    case TRIAL_VALUE:
        judge_refused_value(probe, err);
        break;
    case TRIAL_ABOVE_SPEED:
        probe->open |=
            err->code != ERROR_RANGE && err->code != ERROR_UNSUPPORTED;
        judge_above(probe, error_text(err));
        break;
    case TRIAL_HOLD:
        probe->open |= err->code != ERROR_UNSUPPORTED;
        verdict(probe,
                err->code == ERROR_UNSUPPORTED ? CAPABILITY_UNSUPPORTED
                                               : CAPABILITY_UNKNOWN,
                0, error_text(err));
        break;
    }
}

/* ---- what to write -------------------------------------------------------------------- */

static uint32_t range_end(enum policy_field field)
{
    return field == POLICY_VLAN       ? POLICY_VLAN_MAX
           : field == POLICY_VLAN_QOS ? POLICY_QOS_MAX
                                      : 0;
}

/* Twice the link's speed, as far as the kernel's number goes. */
static uint32_t above_speed(const struct probe *probe)
{
    return probe->speed_mbps < POLICY_RATE_MAX_MBPS / 2 ? probe->speed_mbps * 2
                                                        : POLICY_RATE_MAX_MBPS;
}

static void prepare_value(struct entry *entry, enum policy_field field)
{
    entry->to_write = entry->probe->base;
    policy_copy_field(&entry->to_write, &entry->m.policy, field);
    entry->fields = POLICY_BIT(field);
    if (field == POLICY_VLAN_QOS || field == POLICY_VLAN_PROTO)
        entry->fields |= POLICY_BIT(POLICY_VLAN);
}

/* A minimum above the speed needs a maximum that is not below it: none. */
static void prepare_above(struct entry *entry, enum policy_field field)
{
    uint32_t rate = above_speed(entry->probe);
    entry->to_write = entry->probe->base;
    entry->fields = POLICY_BIT(field);
    if (field == POLICY_MAX_TX_RATE_MBPS) {
        entry->to_write.max_tx_rate_mbps = rate;
        return;
    }
    entry->to_write.min_tx_rate_mbps = rate;
    entry->to_write.max_tx_rate_mbps = 0;
    entry->fields |= POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
}

/* A field: why it is not tried, NULL = go on. */
static const char *field_blocked(const struct probe *probe,
                                 enum policy_field field, uint8_t *support)
{
    *support = CAPABILITY_UNSUPPORTED;
    if (!policy_has(&probe->base, field))
        return probe->base.set ? "the driver does not report it"
                               : "the driver reports no VF policy";
    if ((field == POLICY_VLAN_QOS || field == POLICY_VLAN_PROTO) &&
        support_of(probe, POLICY_VLAN) != CAPABILITY_SUPPORTED) {
        *support = support_of(probe, POLICY_VLAN);
        return "needs vlan";
    }
    if ((SHARED_FIELDS & POLICY_BIT(field)) && !probe->exclusive) {
        *support = CAPABILITY_UNKNOWN;
        return not_exclusive;
    }
    return NULL;
}

/* Make the present trial ready, or give its verdict without trying: false. */
static bool begin_trial(struct entry *entry)
{
    struct probe *probe = entry->probe;
    enum policy_field field = (enum policy_field)trials[probe->trial].field;
    uint8_t support = CAPABILITY_UNSUPPORTED;
    const char *blocked = NULL;
    entry->tries = 0;
    switch ((enum trial_kind)trials[probe->trial].kind) {
    case TRIAL_VALUE:
        blocked = field_blocked(probe, field, &support);
        if (blocked)
            break;
        prepare_value(entry, field);
        entry->step = STEP_WRITE;
        return true;
    case TRIAL_ABOVE_SPEED:
        if (support_of(probe, field) != CAPABILITY_SUPPORTED ||
            !probe->speed_mbps)
            return false;
        if (!probe->exclusive) {
            judge_above(probe, "not tried, as VFs are in use,");
            return false;
        }
        prepare_above(entry, field);
        entry->step = STEP_WRITE;
        return true;
    case TRIAL_HOLD:
        if (support_of(probe, POLICY_MAC) != CAPABILITY_SUPPORTED) {
            support = support_of(probe, POLICY_MAC);
            blocked = "needs mac";
        } else if (!probe->exclusive) {
            support = CAPABILITY_UNKNOWN;
            blocked = not_exclusive;
        }
        if (blocked)
            break;
        entry->step = STEP_HOLD;
        return true;
    }
    verdict(probe, (enum capability_support)support, 0, blocked);
    return false;
}

/* A VF that somebody took and another state of the link end the probe: what was
 * found is of neither. */
static bool is_over(const struct reconcile *r, const struct entry *entry)
{
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    const struct vf *vf =
        slot ? pf_vf(slot->pf, entry->m.claim.vf_index) : NULL;
    return !vf || vf->state != VF_FREE ||
           slot->pf->link_up != entry->probe->link_up ||
           probe_speed(slot->pf) != entry->probe->speed_mbps;
}

/* Go to the next trial that can be made; the end of the table ends the probe. */
static void next_trial(struct reconcile *r, struct entry *entry, int64_t now)
{
    struct probe *probe = entry->probe;
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    for (; probe->trial < TRIAL_COUNT; probe->trial++) {
        probe->exclusive &= slot && !probe_pf_in_use(r, slot->pf);
        if (begin_trial(entry))
            return;
    }
    probe_finish(r, entry, now);
}

/* ---- results ----------------------------------------------------------------------------- */

static void judge_readback(struct entry *entry)
{
    struct probe *probe = entry->probe;
    const struct trial *trial = &trials[probe->trial];
    enum policy_field field = (enum policy_field)trial->field;
    const struct policy *got = &entry->readback;
    bool equal = policy_has(got, field) &&
                 policy_field_equal(&entry->to_write, got, field);
    if (trial->kind == TRIAL_HOLD) {
        equal = policy_field_equal(&entry->m.policy, got, POLICY_MAC);
        verdict(probe, equal ? CAPABILITY_SUPPORTED : CAPABILITY_UNSUPPORTED, 0,
                equal ? "" : "held on the PF, the VF lost it");
        return;
    }
    if (!equal && trial->kind == TRIAL_ABOVE_SPEED) {
        judge_above(probe, "accepted, but not read back,");
    } else if (!equal) {
        verdict(probe, CAPABILITY_UNSUPPORTED, 0,
                "accepted, but it did not read back");
    } else if (trial->kind == TRIAL_VALUE) {
        verdict(probe, CAPABILITY_SUPPORTED, 0, "");
        subject(probe)->max = range_end(field);
    }
    /* Groups are written around what is there by now. */
    uint32_t told = probe->base.set;
    probe->base = *got;
    probe->base.set = told;
}

/* igb refuses rates for a second or so after its VFs were made or its link came
 * up, though it says that the link is up (seen on Linux 6.12). */
static bool may_settle(struct entry *entry, const struct error *err)
{
    const struct trial *trial = &trials[entry->probe->trial];
    return trial->kind == TRIAL_VALUE &&
           trial->field == POLICY_MAX_TX_RATE_MBPS &&
           err->code == ERROR_RANGE && entry->probe->link_up &&
           entry->tries++ < RATE_TRIES;
}

/* What the driver has by itself: groups are written around it. */
static void take_first_reading(struct entry *entry)
{
    struct probe *probe = entry->probe;
    probe->begun = true;
    probe->base = policy_clean();
    probe->base.set = entry->readback.set;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        if (policy_has(&entry->readback, (enum policy_field)i))
            policy_copy_field(&probe->base, &entry->readback,
                              (enum policy_field)i);
    }
}

static void step_worked(struct reconcile *r, struct entry *entry, int64_t now,
                        const struct action *action,
                        const struct action_result *result)
{
    bool prove = action->kind == ACTION_WRITE ||
                 (action->kind == ACTION_HELD && result->held);
    if (!entry->probe->begun) {
        take_first_reading(entry);
        next_trial(r, entry, now);
    } else if (prove) {
        entry->step = STEP_PROVE;
    } else if (action->kind == ACTION_HOLD) {
        entry->step = STEP_HELD;
    } else if (action->kind == ACTION_HELD) {
        verdict(entry->probe, CAPABILITY_UNSUPPORTED, 0,
                "accepted, but the PF's filter does not list it");
        entry->probe->trial++;
        next_trial(r, entry, now);
    } else {
        judge_readback(entry);
        entry->probe->trial++;
        next_trial(r, entry, now);
    }
    entry->tries = 0;
}

bool probe_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action, const struct action_result *result)
{
    const struct error *err = &result->err;
    if (is_over(r, entry)) {
        entry_move(r, entry, MANAGED_CLEANING);
        return result->failed && err->code == ERROR_VANISHED;
    }
    if (!result->failed) {
        step_worked(r, entry, now, action, result);
        return false;
    }
    if (err->code == ERROR_VANISHED) {
        entry_move(r, entry, MANAGED_CLEANING);
        return true;
    }
    bool reads = action->kind == ACTION_READ || action->kind == ACTION_HELD;
    bool may_pass = err->code == ERROR_AGAIN || reads;
    if (may_pass && entry->tries++ < TRIES_MAX) {
        entry->next_at = now + (RETRY_NS << entry->tries);
        return false;
    }
    if (!entry->probe->begun) {
        entry_move(r, entry, MANAGED_CLEANING);
        return false;
    }
    if (may_settle(entry, err)) {
        entry->next_at = now + RATE_RETRY_NS;
        return false;
    }
    judge_refusal(entry->probe, err);
    entry->probe->trial++;
    next_trial(r, entry, now);
    return false;
}
