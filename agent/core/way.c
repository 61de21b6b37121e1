/* SPDX-License-Identifier: Apache-2.0 */
/* The ways of ports: along the diagram in way.h, by what the domains tell and what
 * is wanted. Level triggered: each plan looks at all of it anew. */
#include "agent/core/internal.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <string.h>

#define ORDER_RETRY_NS (2 * TIMESTAMP_SECOND)
#define ORDER_RETRY_MAX_NS (300 * TIMESTAMP_SECOND)
/* Done, and domains() does not tell of it: given again. */
#define ORDER_AGAIN_NS (10 * TIMESTAMP_SECOND)

static void plan_again(struct reconcile *r, int64_t at)
{
    if (at < r->plan_at)
        r->plan_at = at;
}

static void enter(struct reconcile *r, struct want *want, int64_t now,
                  enum way_phase phase)
{
    struct way *way = &want->way;
    if (way->phase == (uint8_t)phase)
        return;
    way->phase = (uint8_t)phase;
    way->ordered = way->begun = false;
    way->next_at = 0;
    way->failures = 0;
    way->failure[0] = '\0';
    way->poll_at = now;
    way->asked = want->d.revision;
    r->changes++;
}

static void not_in_use(struct way *way)
{
    way->looked = way->in_use = way->readable = false;
    way->evidence = EVIDENCE_NONE;
    way->in_use_at = 0;
}

/* ---- the turns ----------------------------------------------------------------------- */

static void is_plugged_and_wanted(struct reconcile *r, struct want *want,
                                  int64_t now)
{
    struct way *way = &want->way;
    bool on = way->phase == WAY_UNPROVEN || way->phase == WAY_LATE ||
              way->phase == WAY_VF;
    if (!on) {
        if (way->phase != WAY_UNPLUGGING && way->phase != WAY_KEPT)
            not_in_use(way);
        enter(r, want, now, WAY_UNPROVEN);
        way->deadline = now + r->config.plug_deadline_ns;
    }
    if (way->phase == WAY_VF && way->looked && !way->in_use)
        enter(r, want, now, WAY_LATE);
    if (way->phase == WAY_UNPROVEN || way->phase == WAY_LATE) {
        if (way->in_use)
            enter(r, want, now, WAY_VF);
        else if (way->phase == WAY_UNPROVEN && now >= way->deadline)
            enter(r, want, now, WAY_LATE);
        else if (way->phase == WAY_UNPROVEN)
            plan_again(r, way->deadline);
    }
}

static void is_plugged_unwanted(struct reconcile *r, struct want *want,
                                int64_t now)
{
    struct way *way = &want->way;
    bool same = revision_compare(&way->asked, &want->d.revision) == 0;
    if (!way->leg && !want->d.absent) {
        enter(r, want, now, WAY_PLAIN); /* it would be left with nothing */
        return;
    }
    if (way->phase == WAY_KEPT && same)
        return;
    enter(r, want, now, WAY_UNPLUGGING);
    if (!same) { /* asked for anew */
        way->begun = way->ordered = false;
        way->next_at = 0;
        way->asked = want->d.revision;
    }
    if (way->begun && now >= way->deadline) {
        char failure[sizeof way->failure];
        str_copy(failure, way->failure);
        enter(r, want, now, WAY_KEPT);
        str_copy(way->failure, failure);
    } else if (way->begun) {
        plan_again(r, way->deadline);
    }
}

static void is_not_plugged(struct reconcile *r, struct want *want, int64_t now,
                           bool ends)
{
    struct way *way = &want->way;
    bool left = way->phase == WAY_UNPLUGGING || way->phase == WAY_KEPT ||
                way->phase == WAY_VF || way->phase == WAY_UNPROVEN ||
                way->phase == WAY_LATE;
    if (left && way->announce_vf)
        way->announce_until = 0;
    if (left && way->announce_until == 0)
        way_announce(want, now, false);
    not_in_use(way);
    bool plugs = want_has_vf(want) && way->leg && !ends &&
                 want->d.claim.has_address &&
                 want->d.guest_failover != GUEST_FAILOVER_NONE;
    enter(r, want, now, plugs ? WAY_PLUGGING : WAY_VIRTIO);
    if (revision_compare(&way->asked, &want->d.revision) != 0) {
        way->asked = want->d.revision;
        way->failures = 0;
        way->next_at = 0;
    }
}

static void turn(struct reconcile *r, struct want *want, int64_t now)
{
    struct way *way = &want->way;
    const struct vm_slot *vm = vm_at(r, &want->d.vm);
    bool ends = vm && vm->wanted && vm->d.absent;
    if (!way->active)
        enter(r, want, now, WAY_OFF);
    else if (way_is_plain(r, want))
        enter(r, want, now, WAY_PLAIN);
    else if (!way->plugged)
        is_not_plugged(r, want, now, ends);
    else if (ends || (want_has_vf(want) && way->right))
        is_plugged_and_wanted(r, want, now);
    else
        is_plugged_unwanted(r, want, now);
}

/* ---- orders -------------------------------------------------------------------------- */

/* The policy of this revision is on the VF, and was read there. */
static bool is_proven(const struct reconcile *r, const struct want *want)
{
    const struct claim *claim = &want->d.claim;
    const struct entry *entry = entry_at(r, &claim->pf, claim->vf_index);
    return entry && uuid_equal(&entry->m.port, &want->d.id) &&
           entry->m.phase == MANAGED_APPLIED && entry->has_readback &&
           apply_difference(entry, &entry->readback) == 0 &&
           revision_compare(&entry->m.revision, &want->d.revision) == 0;
}

static bool may_order(struct reconcile *r, const struct want *want,
                      const struct vm_slot *vm, int64_t now)
{
    if (!r->domains || !vm || !vm->domain || vm->order.active ||
        hold_is_awaited(r, &want->d.id))
        return false;
    if (now >= want->way.next_at)
        return true;
    plan_again(r, want->way.next_at);
    return false;
}

static void order(struct reconcile *r, struct want *want, int64_t now)
{
    struct way *way = &want->way;
    struct vm_slot *vm = vm_at(r, &want->d.vm);
    if (!may_order(r, want, vm, now))
        return;
    if (way->phase == WAY_PLUGGING && is_proven(r, want) &&
        vm->domain->power_state != POWER_SHUTTING_DOWN) {
        order_begin(r, vm, DOMAIN_PLUG, &want->d.id, port_vf_xml(&want->d),
                    NULL);
        way->plug_until = INT64_MAX;
    } else if (way->phase == WAY_UNPLUGGING && !way->ordered) {
        order_begin(r, vm, DOMAIN_UNPLUG, &want->d.id, NULL,
                    mem_strdup(way->alias));
        if (!way->begun)
            way->deadline = now + r->config.unplug_deadline_ns;
        way->begun = true;
        plan_again(r, way->deadline);
    }
}

void way_ordered(struct reconcile *r, struct want *want, int64_t now,
                 enum domain_order_kind kind,
                 const struct action_result *result)
{
    struct way *way = &want->way;
    bool due = kind == DOMAIN_PLUG ? way->phase == WAY_PLUGGING
                                   : way->phase == WAY_UNPLUGGING;
    bool passes = result->failed && result->err.code == ERROR_AGAIN;
    (void)r;
    /* It may yet have its effect. */
    if (kind == DOMAIN_PLUG)
        way->plug_until = !result->failed || passes ? now + ORDER_AGAIN_NS : 0;
    if (!due)
        return; /* something else is wanted since */
    way->ordered = !result->failed;
    if (!result->failed) {
        way->failure[0] = '\0';
        way->next_at = now + ORDER_AGAIN_NS;
        return;
    }
    str_copy(way->failure, result->err.msg);
    bool waits = passes || kind == DOMAIN_UNPLUG;
    int64_t wait = ORDER_RETRY_NS
                   << (waits || way->failures > 7 ? 0 : way->failures);
    if (!passes)
        way->failures++;
    way->next_at =
        now + (wait < ORDER_RETRY_MAX_NS ? wait : ORDER_RETRY_MAX_NS);
}

/* ---- all of them ----------------------------------------------------------------------- */

static void look_at_entry(const struct reconcile *r, struct entry *entry)
{
    const struct managed *m = &entry->m;
    const struct vm_slot *vm = vm_at(r, &m->vm);
    if (!r->domains)
        return; /* what was plugged counts so */
    entry->plugged = vm && vm_is_active(vm) &&
                     claim_device(r, vm->domain, &m->port, &m->claim);
}

void ways_look(struct reconcile *r)
{
    for (size_t i = 0; i < r->pf_count; i++)
        r->pfs[i].dual = WAY_DUAL_UNASKED;
    for (size_t i = 0; i < r->entry_count; i++)
        look_at_entry(r, r->entries[i]);
    for (size_t i = 0; i < r->want_count; i++)
        way_look(r, &r->wants[i]);
}

void ways_plan(struct reconcile *r, int64_t now)
{
    for (size_t i = 0; i < r->want_count; i++)
        turn(r, &r->wants[i], now);
    holds_plan(r, now);
    for (size_t i = 0; i < r->want_count; i++) {
        if (now < r->wants[i].way.plug_until)
            plan_again(r, r->wants[i].way.plug_until);
        order(r, &r->wants[i], now);
        way_tap_plan(r, &r->wants[i], now);
        way_say(r, &r->wants[i], now);
    }
    learning_plan(r);
}
