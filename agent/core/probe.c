/* SPDX-License-Identifier: Apache-2.0 */
/* Probing: when it is due, what is kept of it and what is told. What a PF really
 * accepts is found by writing to one free VF (trial.c). The VF is in the managed
 * set meanwhile, so a crash leaves it to be cleaned. Only PFs that the scheduler
 * allows are probed, each kind of PF once for each state of the link. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* Of what is tried and how it is judged: what an older agent found otherwise is
 * found again. */
#define PROBE_VERSION 2

uint32_t probe_speed(const struct pf *pf)
{
    return pf->link_up && pf->link_speed_mbps > 0
               ? (uint32_t)pf->link_speed_mbps
               : 0;
}

static void probe_key(const struct reconcile *r, const struct pf *pf,
                      char key[PROBED_KEY_SIZE])
{
    const char *mode = eswitch_mode_name((enum eswitch_mode)pf->eswitch_mode);
    snprintf(key, PROBED_KEY_SIZE, "%d|%s|%s|%04x:%04x|%s|%s", PROBE_VERSION,
             pf->driver, pf->firmware, pf->vendor_id, pf->device_id,
             mode ? mode : "-",
             r->facts && r->facts->kernel ? r->facts->kernel : "");
}

/* The result for the link as it is now; else, with 'any_speed', the latest one
 * with the link up. NULL = none. */
static const struct probed *find_result(const struct reconcile *r,
                                        const char *key, bool up,
                                        uint32_t speed, bool any_speed)
{
    const struct probed *found = NULL;
    for (size_t i = 0; i < r->probed_count; i++) {
        const struct probed *each = &r->probed[i];
        if (each->link_up != up || strcmp(each->key, key) != 0)
            continue;
        if (each->speed_mbps == speed)
            return each;
        if (any_speed && (!found || each->at > found->at))
            found = each;
    }
    return found;
}

bool probe_pf_in_use(const struct reconcile *r, const struct pf *pf)
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

/* Is a probe of this PF due, given what is known? While VFs are in use only a
 * kind of PF of which nothing is known is probed, without what is shared. */
static bool is_due(const struct reconcile *r, const struct pf *pf)
{
    char key[PROBED_KEY_SIZE];
    probe_key(r, pf, key);
    const struct probed *now =
        find_result(r, key, pf->link_up, probe_speed(pf), false);
    if (now && now->complete)
        return false;
    bool known = find_result(r, key, true, 0, true) ||
                 find_result(r, key, false, 0, true);
    return !known || !probe_pf_in_use(r, pf);
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

static bool may_probe(const struct reconcile *r, const struct pf *pf)
{
    const struct pf_wish *wish = pf_wish_of(r, &pf->key);
    return wish && wish->d.allowed && !pf->management &&
           pf->kind == DEVICE_NETWORK && pf->vf_count > 0 &&
           !trial_is_vain(pf) && !has_pending_want(r, pf);
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
    entry->probe->exclusive = !probe_pf_in_use(r, pf);
    entry->probe->link_up = pf->link_up;
    entry->probe->speed_mbps = probe_speed(pf);
    entry->step = STEP_READ;
}

/* Not before this: a probe that came to no end waits. Where another state of the
 * link or the end of a VF's use lets it find more it waits less, but it waits, or
 * a link that flaps would be probed all the time. */
static int64_t next_try(const struct reconcile *r, const struct pf_slot *slot)
{
    bool same = slot->probed_up == slot->pf->link_up &&
                slot->probed_speed == probe_speed(slot->pf) &&
                (slot->probed_exclusive || probe_pf_in_use(r, slot->pf));
    return slot->probed_at == 0
               ? INT64_MIN
               : slot->probed_at +
                     (same ? PROBE_RETRY_NS : PROBE_RETRY_LINK_NS);
}

static bool is_probing(const struct reconcile *r)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        if (r->entries[i]->m.phase == MANAGED_PROBING)
            return true;
    }
    return false;
}

void probe_plan(struct reconcile *r, int64_t now, int64_t *wake)
{
    for (size_t i = 0; i < r->pf_count; i++) {
        struct pf_slot *slot = &r->pfs[i];
        if (!may_probe(r, slot->pf) || !is_due(r, slot->pf))
            continue;
        if (now < next_try(r, slot)) {
            if (next_try(r, slot) < *wake)
                *wake = next_try(r, slot);
            continue;
        }
        /* One probe at a time: the next PF may be of the same kind. */
        const struct vf *vf =
            is_probing(r) ? NULL : choose_vf(r, slot->pf, now);
        if (!vf)
            continue;
        slot->probed_at = now;
        slot->probed_up = slot->pf->link_up;
        slot->probed_speed = probe_speed(slot->pf);
        slot->probed_exclusive = !probe_pf_in_use(r, slot->pf);
        begin(r, slot->pf, vf);
    }
}

/* Where the result with this key and link goes: in place of an older one, else
 * of the oldest of all. */
static struct probed *place_of(struct reconcile *r, const struct probed *made)
{
    struct probed *oldest = NULL;
    for (size_t i = 0; i < r->probed_count; i++) {
        struct probed *each = &r->probed[i];
        if (each->link_up == made->link_up &&
            each->speed_mbps == made->speed_mbps &&
            strcmp(each->key, made->key) == 0)
            return each;
        if (!oldest || each->at < oldest->at)
            oldest = each;
    }
    if (oldest && r->probed_count >= PROBED_MAX)
        return oldest;
    mem_grow(&r->probed, &r->probed_capacity, r->probed_count,
             sizeof *r->probed);
    return &r->probed[r->probed_count++];
}

void probe_finish(struct reconcile *r, struct entry *entry, int64_t now)
{
    const struct probe *probe = entry->probe;
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    struct probed made = {.link_up = probe->link_up,
                          .speed_mbps = probe->speed_mbps,
                          .complete = probe->exclusive && !probe->open,
                          .capabilities = probe->found,
                          .at = now};
    if (slot) {
        probe_key(r, slot->pf, made.key);
        *place_of(r, &made) = made;
        for (size_t i = 0; i < r->pf_count; i++)
            pf_changed(r, &r->pfs[i].pf->key);
    }
    entry_move(r, entry, MANAGED_CLEANING);
}

/* ---- what is told ------------------------------------------------------------------- */

static const char *both_notes(const char *a, const char *b)
{
    char text[256];
    if (!*a || !*b || strcmp(a, b) == 0)
        return *a ? a : b;
    snprintf(text, sizeof text, "%s; %s", a, b);
    return str_intern(text);
}

struct capability probe_combine(const struct capability *up,
                                const struct capability *down)
{
    uint8_t link_up = CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP);
    bool refused_down =
        down->support == CAPABILITY_CONDITIONAL && (down->needs & link_up) != 0;
    struct capability made = *up;
    if (up->support == CAPABILITY_UNKNOWN) {
        made = down->support == CAPABILITY_UNKNOWN ? *up : *down;
        if (refused_down) {
            made.support = CAPABILITY_UNKNOWN;
            made.needs = 0;
        }
        return made;
    }
    if (up->support == CAPABILITY_UNSUPPORTED ||
        down->support == CAPABILITY_UNKNOWN ||
        down->support == CAPABILITY_SUPPORTED)
        return made;
    made.support = CAPABILITY_CONDITIONAL;
    made.needs |=
        down->support == CAPABILITY_UNSUPPORTED ? link_up : down->needs;
    made.note = both_notes(up->note, down->note);
    return made;
}

/* What is bounded by the link's speed is told with the speed that it has now. */
static void tell_speed(struct capability *c, uint32_t speed)
{
    bool bounded = c->support == CAPABILITY_CONDITIONAL &&
                   (c->needs & CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED));
    if (bounded && speed && (!c->max || c->max > speed))
        c->max = speed;
}

void probe_overlay(const struct reconcile *r, struct pf *pf)
{
    char key[PROBED_KEY_SIZE];
    probe_key(r, pf, key);
    uint32_t speed = probe_speed(pf);
    const struct probed *up = find_result(r, key, true, speed, true);
    const struct probed *down = find_result(r, key, false, 0, true);
    struct capabilities found = capabilities_unknown();
    struct capabilities with_up = up ? up->capabilities : found;
    struct capabilities with_down = down ? down->capabilities : found;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        found.field[i] = probe_combine(&with_up.field[i], &with_down.field[i]);
    for (unsigned i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        found.trait[i] = probe_combine(&with_up.trait[i], &with_down.trait[i]);
    pf->capabilities = capabilities_merge(&pf->capabilities, &found);
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        tell_speed(&pf->capabilities.field[i], speed);
}

bool probe_has_dual_delivery(const struct reconcile *r, const struct pf *pf)
{
    const unsigned trait = CAPABILITY_TRAIT_DUAL_DELIVERY;
    char key[PROBED_KEY_SIZE];
    probe_key(r, pf, key);
    const struct probed *up = find_result(r, key, true, probe_speed(pf), true);
    const struct probed *down = find_result(r, key, false, 0, true);
    struct capabilities none = capabilities_unknown();
    struct capability found = probe_combine(
        up ? &up->capabilities.trait[trait] : &none.trait[trait],
        down ? &down->capabilities.trait[trait] : &none.trait[trait]);
    found = capability_merge(&pf->capabilities.trait[trait], &found);
    return found.support != CAPABILITY_UNSUPPORTED;
}
