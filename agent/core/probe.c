/* SPDX-License-Identifier: Apache-2.0 */
/* Probing: what a PF really accepts, found by writing a non-default value of
 * each field to one free VF and reading it back. The VF is in the managed set
 * meanwhile, so a crash leaves it to be cleaned. Rates and link state are tried
 * only while no VF of the PF is in use. Supported means accepted, not enforced. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define TRIAL_VLAN 4001
#define TRIAL_QOS 5
#define TRIAL_RATE_MBPS 500 /* where the link speed is not told */
#define RATE_TRIES 3
#define RATE_RETRY_NS TIMESTAMP_SECOND

/* Fields whose trial could be felt by other VFs of the PF. */
#define SHARED_FIELDS                                                          \
    (POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |                                     \
     POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) | POLICY_BIT(POLICY_LINK_STATE))

/* A maximum is tried before a minimum: a minimum needs it. */
static const enum policy_field order[] = {
    POLICY_MAC,
    POLICY_VLAN,
    POLICY_VLAN_QOS,
    POLICY_VLAN_PROTO,
    POLICY_SPOOFCHK,
    POLICY_TRUST,
    POLICY_LINK_STATE,
    POLICY_MAX_TX_RATE_MBPS,
    POLICY_MIN_TX_RATE_MBPS,
};
#define ORDER_COUNT (sizeof order / sizeof *order)

static void probe_key(const struct reconcile *r, const struct pf *pf,
                      char key[PROBED_KEY_SIZE])
{
    const char *mode = eswitch_mode_name((enum eswitch_mode)pf->eswitch_mode);
    snprintf(key, PROBED_KEY_SIZE, "%s|%s|%04x:%04x|%s|%s", pf->driver,
             pf->firmware, pf->vendor_id, pf->device_id, mode ? mode : "-",
             r->facts && r->facts->kernel ? r->facts->kernel : "");
}

static const struct probed *find_probed(const struct reconcile *r,
                                        const struct pf *pf)
{
    char key[PROBED_KEY_SIZE];
    probe_key(r, pf, key);
    for (size_t i = 0; i < r->probed_count; i++) {
        if (strcmp(r->probed[i].key, key) == 0)
            return &r->probed[i];
    }
    return NULL;
}

static bool pf_in_use(const struct reconcile *r, const struct pf *pf)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct managed *m = &r->entries[i]->m;
        if (m->phase != MANAGED_PROBING && !uuid_is_zero(&m->port) &&
            pf_key_compare(&m->claim.pf, &pf->key) == 0)
            return true;
    }
    for (size_t i = 0; i < pf->vf_count; i++) {
        if (pf->vfs[i].state == VF_EXTERNAL)
            return true;
    }
    return false;
}

/* Is a probe of this PF due, given what is known? */
static bool is_due(const struct reconcile *r, const struct pf *pf,
                   const struct probed *known)
{
    if (!known)
        return true;
    if (!known->complete)
        return !pf_in_use(r, pf);
    bool open = false;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        uint8_t support = known->capabilities.field[i].support;
        open |=
            support == CAPABILITY_CONDITIONAL || support == CAPABILITY_UNKNOWN;
    }
    return open && !known->link_up && pf->link_up && !pf_in_use(r, pf);
}

static bool has_pending_want(const struct reconcile *r, const struct pf *pf)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (r->wants[i].blocked && d->has_claim &&
            pf_key_compare(&d->claim.pf, &pf->key) == 0)
            return true;
    }
    return false;
}

/* The VF with the highest index that is free: placement takes the lowest. */
static const struct vf *choose_vf(const struct reconcile *r,
                                  const struct pf *pf, int64_t now)
{
    for (size_t i = pf->vf_count; i-- > 0;) {
        struct condition why;
        memset(&why, 0, sizeof why);
        if (rules_allow(r, PURPOSE_PROBE, &pf->key, pf->vfs[i].index, NULL, now,
                        &why))
            return &pf->vfs[i];
    }
    return NULL;
}

/* All the values that a probe will write, decided before it begins, so that
 * they are durable with the entry. */
static struct policy trial_values(struct reconcile *r, const struct pf *pf,
                                  const struct vf *vf)
{
    uint32_t rate = pf->link_speed_mbps > 1 ? (uint32_t)pf->link_speed_mbps / 2
                                            : TRIAL_RATE_MBPS;
    struct policy trial = {
        .set = POLICY_ALL,
        .mac = mac_make(&r->rng),
        .vlan = TRIAL_VLAN,
        .vlan_qos = TRIAL_QOS,
        .vlan_proto = VLAN_PROTO_8021AD,
        .max_tx_rate_mbps = rate,
        .min_tx_rate_mbps = rate / 2 ? rate / 2 : 1,
        .spoofchk =
            !(policy_has(&vf->policy, POLICY_SPOOFCHK) && vf->policy.spoofchk),
        .trust = true,
        .link_state = LINK_STATE_ENABLE,
    };
    return trial;
}

static void begin(struct reconcile *r, const struct pf *pf, const struct vf *vf)
{
    struct managed m = {.phase = MANAGED_PROBING,
                        .policy = trial_values(r, pf, vf),
                        .baseline = vf->policy};
    m.claim.pf = pf->key;
    m.claim.vf_index = vf->index;
    m.claim.has_address = vf->has_address;
    m.claim.address = vf->address;
    struct entry *entry = entry_add(r, &m);
    entry->probe = mem_new(struct probe);
    entry->probe->found = capabilities_unknown();
    entry->probe->complete = !pf_in_use(r, pf);
    entry->probe->trial = vf->policy;
    entry->step = STEP_READ;
}

void probe_plan(struct reconcile *r, int64_t now, int64_t *wake)
{
    for (size_t i = 0; i < r->pf_count; i++) {
        struct pf_slot *slot = &r->pfs[i];
        const struct pf *pf = slot->pf;
        const struct probed *known = find_probed(r, pf);
        if (pf->management || pf->vf_count == 0 || !is_due(r, pf, known) ||
            has_pending_want(r, pf))
            continue;
        /* A probe that came to no end waits; a link that came up does not. */
        bool waits = !known || !known->complete;
        if (waits && now < slot->probe_at) {
            if (slot->probe_at < *wake)
                *wake = slot->probe_at;
            continue;
        }
        /* One probe at a time: the next PF may be of the same kind. */
        bool probing = false;
        for (size_t k = 0; k < r->entry_count; k++)
            probing |= r->entries[k]->m.phase == MANAGED_PROBING;
        const struct vf *vf = probing ? NULL : choose_vf(r, pf, now);
        if (!vf)
            continue;
        slot->probe_at = now + PROBE_RETRY_NS;
        begin(r, pf, vf);
    }
}

/* ---- the trial of one field ------------------------------------------------------ */

static void verdict(struct entry *entry, enum capability_support support,
                    const char *note)
{
    struct capability *found =
        &entry->probe->found.field[order[entry->probe->field]];
    found->support = (uint8_t)support;
    found->source = CAPABILITY_SOURCE_PROBED;
    found->note = str_intern(note);
}

static uint8_t support_of(const struct entry *entry, enum policy_field field)
{
    return entry->probe->found.field[field].support;
}

/* What must work before the field can be tried; NULL = go on. */
static const char *needs(const struct entry *entry, enum policy_field field,
                         uint8_t *support)
{
    if ((field == POLICY_VLAN_QOS || field == POLICY_VLAN_PROTO) &&
        support_of(entry, POLICY_VLAN) != CAPABILITY_SUPPORTED) {
        *support = support_of(entry, POLICY_VLAN);
        return "needs vlan";
    }
    if (field == POLICY_MIN_TX_RATE_MBPS &&
        support_of(entry, POLICY_MAX_TX_RATE_MBPS) != CAPABILITY_SUPPORTED) {
        *support =
            support_of(entry, POLICY_MAX_TX_RATE_MBPS) == CAPABILITY_UNSUPPORTED
                ? CAPABILITY_UNSUPPORTED
                : CAPABILITY_UNKNOWN;
        return "needs max_tx_rate_mbps";
    }
    if ((SHARED_FIELDS & POLICY_BIT(field)) && !entry->probe->complete) {
        *support = CAPABILITY_UNKNOWN;
        return "not tried: VFs of the PF are in use";
    }
    return NULL;
}

static void finish(struct reconcile *r, struct entry *entry, int64_t now)
{
    struct probed made = {.complete = entry->probe->complete,
                          .capabilities = entry->probe->found,
                          .at = now};
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    if (slot) {
        made.link_up = slot->pf->link_up;
        probe_key(r, slot->pf, made.key);
        size_t place = 0;
        for (size_t i = 0; i < r->probed_count; i++) {
            if (strcmp(r->probed[i].key, made.key) == 0) {
                place = i;
                break;
            }
            if (r->probed[i].at < r->probed[place].at)
                place = i;
        }
        bool known =
            r->probed_count && strcmp(r->probed[place].key, made.key) == 0;
        if (!known && r->probed_count < PROBED_MAX)
            place = r->probed_count++;
        r->probed[place] = made;
        for (size_t i = 0; i < r->pf_count; i++)
            pf_changed(r, &r->pfs[i].pf->key);
    }
    entry_move(r, entry, MANAGED_CLEANING);
}

/* Go to the next field that can be tried; the end of the table ends the probe. */
static void next_field(struct reconcile *r, struct entry *entry, int64_t now)
{
    struct probe *probe = entry->probe;
    entry->tries = 0;
    for (; probe->field < ORDER_COUNT; probe->field++) {
        enum policy_field field = order[probe->field];
        uint8_t support = CAPABILITY_UNKNOWN;
        const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
        probe->complete &= slot && !pf_in_use(r, slot->pf);
        const char *missing = needs(entry, field, &support);
        if (missing) {
            verdict(entry, (enum capability_support)support, missing);
            continue;
        }
        struct policy values = probe->trial;
        policy_copy_field(&values, &entry->m.policy, field);
        entry->to_write = values;
        entry->fields = POLICY_BIT(field);
        if (field == POLICY_VLAN_QOS || field == POLICY_VLAN_PROTO)
            entry->fields |= POLICY_BIT(POLICY_VLAN);
        entry->step = STEP_WRITE;
        return;
    }
    finish(r, entry, now);
}

static void judge_refusal(const struct reconcile *r, struct entry *entry,
                          const struct error *err)
{
    enum policy_field field = order[entry->probe->field];
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    bool link_up = slot && slot->pf->link_up;
    bool rate =
        field == POLICY_MAX_TX_RATE_MBPS || field == POLICY_MIN_TX_RATE_MBPS;
    char note[128];
    const char *name =
        err->sys ? error_errno_name(err->sys) : error_code_name(err->code);
    bool after_max =
        err->code == ERROR_RANGE && field == POLICY_MIN_TX_RATE_MBPS;
    snprintf(note, sizeof note, "%s when set%s", name,
             after_max ? ", though max_tx_rate_mbps was accepted" : "");
    if (err->code == ERROR_RANGE && rate && !link_up) {
        snprintf(note, sizeof note, "%s while the link is down", name);
        verdict(entry, CAPABILITY_CONDITIONAL, note);
        entry->probe->found.field[field].needs =
            CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP);
        return;
    }
    bool refused = err->code == ERROR_UNSUPPORTED || err->code == ERROR_RANGE;
    verdict(entry, refused ? CAPABILITY_UNSUPPORTED : CAPABILITY_UNKNOWN, note);
}

/* igb refuses rates for a second or so after its VFs were made or its link came
 * up, though it says that the link is up (seen on Linux 6.12). */
static bool may_settle(const struct reconcile *r, struct entry *entry,
                       const struct error *err)
{
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    return order[entry->probe->field] == POLICY_MAX_TX_RATE_MBPS &&
           err->code == ERROR_RANGE && slot && slot->pf->link_up &&
           entry->tries++ < RATE_TRIES;
}

static void judge_readback(struct entry *entry)
{
    enum policy_field field = order[entry->probe->field];
    const struct policy *got = &entry->readback;
    if (!policy_has(got, field)) {
        verdict(entry, CAPABILITY_UNSUPPORTED,
                "accepted, but the driver does not report it");
        return;
    }
    if (!policy_field_equal(&entry->m.policy, got, field)) {
        verdict(entry, CAPABILITY_UNSUPPORTED,
                "accepted, but it did not read back");
        return;
    }
    verdict(entry, CAPABILITY_SUPPORTED, "");
    policy_copy_field(&entry->probe->trial, got, field);
}

bool probe_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action, const struct action_result *result)
{
    struct probe *probe = entry->probe;
    const struct error *err = &result->err;
    if (result->failed && err->code == ERROR_VANISHED) {
        entry_move(r, entry, MANAGED_CLEANING);
        return true;
    }
    bool may_pass = result->failed &&
                    (err->code == ERROR_AGAIN || action->kind == ACTION_READ);
    if (may_pass && entry->tries++ < TRIES_MAX) {
        entry->next_at = now + (RETRY_NS << entry->tries);
        return false;
    }
    if (entry->step == STEP_READ) {
        if (result->failed) {
            entry_move(r, entry, MANAGED_CLEANING);
            return false;
        }
        /* What the driver has by itself: groups are written around it. */
        probe->trial = policy_clean();
        for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
            if (policy_has(&entry->readback, (enum policy_field)i))
                policy_copy_field(&probe->trial, &entry->readback,
                                  (enum policy_field)i);
        }
        next_field(r, entry, now);
        return false;
    }
    if (action->kind == ACTION_WRITE && !result->failed) {
        entry->step = STEP_PROVE;
        return false;
    }
    if (result->failed && may_settle(r, entry, err)) {
        entry->next_at = now + RATE_RETRY_NS;
        return false;
    }
    if (result->failed)
        judge_refusal(r, entry, err);
    else
        judge_readback(entry);
    probe->field++;
    next_field(r, entry, now);
    return false;
}

void probe_overlay(const struct reconcile *r, struct pf *pf)
{
    const struct probed *known = find_probed(r, pf);
    if (!known)
        return;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        struct capability *have = &pf->capabilities.field[i];
        if (have->support == CAPABILITY_UNKNOWN)
            *have = known->capabilities.field[i];
    }
}
