/* SPDX-License-Identifier: Apache-2.0 */
/* Holds: MACs on the own receive filter of PFs. What is to be held is decided by
 * the ways (way.c); here it becomes durable, is put there, is seen there, and goes
 * again. See way.h. */
#include "agent/core/internal.h"
#include "common/base/plant.h"

#include <string.h>

#define HOLD_RETRY_NS TIMESTAMP_SECOND
#define HOLD_RETRY_MAX_NS (30 * TIMESTAMP_SECOND)

static size_t hold_index(const struct reconcile *r, const struct uuid *port)
{
    size_t low = 0, high = r->hold_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_compare(&r->holds[middle].h.port, port) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_same(const struct hold *a, const struct hold *b)
{
    return uuid_equal(&a->port, &b->port) &&
           pf_key_compare(&a->pf, &b->pf) == 0 &&
           mac_compare(&a->mac, &b->mac) == 0;
}

static struct hold_slot *hold_of(const struct reconcile *r,
                                 const struct hold *h)
{
    for (size_t i = hold_index(r, &h->port); i < r->hold_count; i++) {
        if (is_same(&r->holds[i].h, h))
            return &r->holds[i];
        if (!uuid_equal(&r->holds[i].h.port, &h->port))
            break;
    }
    return NULL;
}

/* Nothing is on the filter before this is durable. */
static struct hold_slot *hold_add(struct reconcile *r, const struct hold *h)
{
    size_t i = hold_index(r, &h->port);
    mem_grow(&r->holds, &r->hold_capacity, r->hold_count, sizeof *r->holds);
    memmove(r->holds + i + 1, r->holds + i,
            (r->hold_count - i) * sizeof *r->holds);
    r->hold_count++;
    r->holds[i] = (struct hold_slot){.h = *h, .intent = ++r->version};
    r->changes++;
    return &r->holds[i];
}

void hold_take_over(struct reconcile *r, const struct pf_key *pf,
                    const struct mac *mac)
{
    struct hold h = {.pf = *pf, .mac = *mac};
    memcpy(h.port.bytes, mac->bytes, sizeof mac->bytes); /* no port has this */
    if (mac_is_zero(mac) || hold_of(r, &h))
        return;
    hold_add(r, &h);
    r->replan = true;
}

/* It was seen to be off. */
static void hold_remove(struct reconcile *r, struct hold_slot *hold)
{
    size_t i = (size_t)(hold - r->holds);
    r->hold_count--;
    memmove(r->holds + i, r->holds + i + 1,
            (r->hold_count - i) * sizeof *r->holds);
    r->version++;
    r->changes++;
    r->replan = true;
}

/* ---- the durable part --------------------------------------------------------- */

void holds_load(struct reconcile *r, const struct agent_state *state)
{
    for (size_t i = 0; i < state->hold_count; i++) {
        struct hold_slot *hold = hold_add(r, &state->holds[i]);
        hold->intent = 0;    /* it comes from the disk */
        hold->wanted = true; /* until it is known */
    }
}

void holds_store(const struct reconcile *r, struct agent_state *state)
{
    free(state->holds);
    state->holds = mem_calloc(r->hold_count, sizeof *state->holds);
    state->hold_count = r->hold_count;
    for (size_t i = 0; i < r->hold_count; i++)
        state->holds[i] = r->holds[i].h;
}

/* ---- what is to be held ------------------------------------------------------------- */

enum need { NEED_NOT, NEED_AS_IS, NEED_HOLD };

static enum need need_of(struct reconcile *r, const struct want *want,
                         int64_t now)
{
    const struct way *way = &want->way;
    const struct vm_slot *vm = vm_at(r, &want->d.vm);
    bool ends = want->d.absent && !(vm && vm->wanted && vm->d.absent);
    if (!way->active || !way->leg || !way->has_hold_pf || ends ||
        PLANT(NO_HOLD))
        return NEED_NOT;
    /* It was plugged before this agent started, perhaps: first look. */
    if (way->phase == WAY_UNPROVEN && !way->looked)
        return NEED_AS_IS;
    if (way->phase != WAY_VF)
        return NEED_HOLD;
    if (now >= way->in_use_at + WAY_RELEASE_NS)
        return NEED_NOT;
    if (way->in_use_at + WAY_RELEASE_NS < r->plan_at)
        r->plan_at = way->in_use_at + WAY_RELEASE_NS;
    return NEED_AS_IS;
}

/* What the document does not name is kept while a domain may use it: absence is
 * no order. */
static bool is_used(const struct reconcile *r, const struct hold *h)
{
    for (size_t i = 0; i < r->domains->count; i++) {
        const struct domain_state *domain = &r->domains->domains[i];
        bool has = domain_facts_leg(&domain->facts, &h->port) ||
                   domain_facts_hostdev(&domain->facts, &h->port);
        if (has && power_state_is_active((enum power_state)domain->power_state))
            return true;
    }
    return false;
}

static void set_wanted(struct reconcile *r, struct hold_slot *hold, bool wanted)
{
    if (wanted != hold->wanted) {
        hold->next_at = 0;
        hold->failures = 0;
        r->changes++;
    }
    hold->wanted = wanted;
    hold->planned = true;
}

static void plan_want(struct reconcile *r, const struct want *want, int64_t now)
{
    struct hold h = {
        .port = want->d.id, .pf = want->way.hold_pf, .mac = want->d.policy.mac};
    enum need need = need_of(r, want, now);
    for (size_t i = hold_index(r, &h.port);
         i < r->hold_count && uuid_equal(&r->holds[i].h.port, &h.port); i++) {
        struct hold_slot *hold = &r->holds[i];
        bool wanted = need != NEED_NOT && is_same(&hold->h, &h) &&
                      (need == NEED_HOLD || hold->wanted);
        set_wanted(r, hold, wanted);
    }
    if (need == NEED_HOLD && !hold_of(r, &h)) {
        struct hold_slot *hold = hold_add(r, &h);
        hold->wanted = hold->planned = true;
    }
}

void holds_plan(struct reconcile *r, int64_t now)
{
    bool known = r->domains || r->no_libvirt;
    if (!r->has_document)
        return;
    for (size_t i = 0; i < r->hold_count; i++) {
        struct hold_slot *hold = &r->holds[i];
        if (!known || want_of(r, &hold->h.port))
            continue;
        set_wanted(r, hold, r->domains && is_used(r, &hold->h));
    }
    /* While libvirt tells nothing, what it told last counts. */
    for (size_t i = 0; i < r->want_count; i++) {
        if (known || r->wants[i].way.active)
            plan_want(r, &r->wants[i], now);
    }
}

/* ---- what is done --------------------------------------------------------------------- */

static bool is_settled(const struct hold_slot *hold)
{
    return hold->wanted ? hold->state == HOLD_ON || hold->state == HOLD_REFUSED
                        : false; /* one that is not wanted goes */
}

bool holds_settled(const struct reconcile *r)
{
    for (size_t i = 0; i < r->hold_count; i++) {
        if (!is_settled(&r->holds[i]) && r->holds[i].next_at <= r->now)
            return false;
    }
    return true;
}

static bool may_touch(const struct reconcile *r, const struct hold_slot *hold)
{
    const struct pf_slot *slot = slot_of(r, &hold->h.pf);
    const struct pf_work *work = work_of(r, &hold->h.pf);
    return hold->planned && hold->intent <= r->saved && slot &&
           !slot->pf->management && !(work && pf_change_runs(&work->c));
}

static enum action_kind kind_of(const struct hold_slot *hold)
{
    if (hold->wanted)
        return hold->state == HOLD_OFF ? ACTION_HOLD : ACTION_HELD;
    bool there = hold->state == HOLD_ON && !hold->let_go;
    return there ? ACTION_LET_GO : ACTION_HELD;
}

bool hold_next(struct reconcile *r, int64_t now, struct action *action,
               int64_t *wake)
{
    for (size_t i = 0; i < r->hold_count; i++) {
        struct hold_slot *hold = &r->holds[i];
        if (!hold->wanted && !slot_of(r, &hold->h.pf) && r->has_document) {
            hold_remove(r, hold); /* it went with the PF's network device */
            i--;
            continue;
        }
        if (!may_touch(r, hold))
            continue;
        if (now < hold->next_at) {
            if (hold->next_at < *wake)
                *wake = hold->next_at;
            continue;
        }
        *action = (struct action){.kind = kind_of(hold),
                                  .pf = hold->h.pf,
                                  .vf_index = CLAIM_WHOLE_PF,
                                  .port = hold->h.port};
        action->policy.set = POLICY_BIT(POLICY_MAC);
        action->policy.mac = hold->h.mac;
        return true;
    }
    return false;
}

static void set_state(struct reconcile *r, struct hold_slot *hold,
                      enum hold_state state)
{
    if (hold->state == (uint8_t)state)
        return;
    hold->state = (uint8_t)state;
    r->changes++;
    r->replan = true;
}

static void failed(struct reconcile *r, struct hold_slot *hold, int64_t now,
                   const struct error *err)
{
    int64_t wait = HOLD_RETRY_NS << (hold->failures < 5 ? hold->failures : 5);
    hold->failures++;
    hold->let_go = false;
    hold->next_at = now + (wait < HOLD_RETRY_MAX_NS ? wait : HOLD_RETRY_MAX_NS);
    if (err->code == ERROR_UNSUPPORTED) {
        /* None can be there. */
        if (!hold->wanted) {
            hold_remove(r, hold);
            return;
        }
        hold->next_at = INT64_MAX;
        set_state(r, hold, HOLD_REFUSED);
        return;
    }
    /* A full filter, say: it goes without, and is tried again. */
    bool often = hold->failures >= TRIES_MAX && hold->wanted;
    set_state(r, hold, often ? HOLD_REFUSED : HOLD_UNKNOWN);
}

static void seen(struct reconcile *r, struct hold_slot *hold, int64_t now,
                 bool held)
{
    hold->failures = 0;
    hold->let_go = false;
    set_state(r, hold, held ? HOLD_ON : HOLD_OFF);
    if (!hold->wanted && !held)
        hold_remove(r, hold);
    else if (hold->wanted && held) /* all together, so that few wakes do */
        hold->next_at = now - now % WAY_AUDIT_NS + 2 * WAY_AUDIT_NS;
}

void hold_done(struct reconcile *r, int64_t now, const struct action *action,
               const struct action_result *result)
{
    struct hold h = {
        .port = action->port, .pf = action->pf, .mac = action->policy.mac};
    struct hold_slot *hold = hold_of(r, &h);
    if (!hold)
        return;
    if (result->failed) {
        failed(r, hold, now, &result->err);
    } else if (action->kind == ACTION_HELD) {
        bool put = hold->state == HOLD_PUT;
        bool kept = hold->let_go && result->held;
        seen(r, hold, now, result->held);
        /* It was written, and the kernel does not list it; or the reverse. */
        if ((put && !result->held) || kept)
            hold->next_at = now + HOLD_RETRY_NS;
    } else if (action->kind == ACTION_HOLD) {
        set_state(r, hold, HOLD_PUT);
    } else {
        hold->let_go = true;
    }
}

bool hold_is_on(const struct reconcile *r, const struct uuid *port)
{
    for (size_t i = hold_index(r, port);
         i < r->hold_count && uuid_equal(&r->holds[i].h.port, port); i++) {
        if (r->holds[i].state == HOLD_ON)
            return true;
    }
    return false;
}

bool hold_is_awaited(const struct reconcile *r, const struct uuid *port)
{
    for (size_t i = hold_index(r, port);
         i < r->hold_count && uuid_equal(&r->holds[i].h.port, port); i++) {
        if (r->holds[i].wanted && !is_settled(&r->holds[i]))
            return true;
    }
    return false;
}

bool hold_is_there(const struct reconcile *r, const struct uuid *port)
{
    size_t i = hold_index(r, port);
    return i < r->hold_count && uuid_equal(&r->holds[i].h.port, port);
}

void holds_doubt(struct reconcile *r, const struct pf_key *pf)
{
    for (size_t i = 0; i < r->hold_count; i++) {
        struct hold_slot *hold = &r->holds[i];
        if (pf_key_compare(&hold->h.pf, pf) != 0 || hold->state == HOLD_UNKNOWN)
            continue;
        /* One that is on stays counted so until it was looked at. */
        if (hold->state == HOLD_REFUSED)
            hold->state = HOLD_UNKNOWN;
        hold->next_at = 0;
    }
}
