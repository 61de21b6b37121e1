/* SPDX-License-Identifier: Apache-2.0 */
/* The reconcile object: the next action out, its result back. What comes in is in
 * document.c and readings.c, the rules are in rules.c and plan.c, the steps within the
 * phases in apply.c, clean.c and probe.c, what is told in view.c. */
#include "agent/core/internal.h"
#include "common/base/plant.h"
#include "common/base/str.h"

#include <string.h>

struct reconcile *reconcile_new(const struct reconcile_config *config,
                                struct agent_state *state)
{
    struct reconcile *r = mem_new(struct reconcile);
    r->config = *config;
    r->rng.state = config->seed;
    r->state = *state;
    r->state.managed = NULL;
    r->state.probed = NULL;
    r->state.changes = NULL;
    r->state.vms = NULL;
    r->state.holds = NULL;
    if (r->config.plug_deadline_ns == 0)
        r->config.plug_deadline_ns = WAY_PLUG_DEADLINE_NS;
    if (r->config.unplug_deadline_ns == 0)
        r->config.unplug_deadline_ns = WAY_UNPLUG_DEADLINE_NS;
    str_copy(r->domains_why, "it has not been asked yet");
    r->plan_at = INT64_MAX;
    for (size_t i = 0; i < state->managed_count; i++) {
        struct entry *entry = entry_add(r, &state->managed[i]);
        entry->intent = 0; /* it comes from the disk */
    }
    r->probed = state->probed;
    r->probed_count = r->probed_capacity = state->probed_count;
    state->probed = NULL;
    for (size_t i = 0; i < state->change_count; i++) {
        struct pf_work *work = work_add(r, &state->changes[i]);
        work->intent = 0;
        work->resumed = true;
    }
    vms_load(r, state);
    holds_load(r, state);
    agent_state_done(state);
    r->state.incarnation++;
    r->incarnation_version = ++r->version;

    return r;
}

void reconcile_free(struct reconcile *r)
{
    if (!r)
        return;
    while (r->entry_count)
        entry_remove(r, r->entry_count - 1);
    for (size_t i = 0; i < r->pf_count; i++)
        ref_put(r->pfs[i].pf);
    ref_put(r->facts);
    free(r->entries);
    free(r->pfs);
    free(r->wants);
    free(r->probed);
    works_done(r);
    vms_done(r);
    free(r->holds);
    free(r->uplinks);
    agent_state_done(&r->state);
    free(r);
}

void reconcile_raise_incarnation(struct reconcile *r, uint64_t above)
{
    /* Where the scheduler does not say which it knows, a number from the clock is
     * above all that were counted, and above those from an earlier clock. */
    uint64_t seconds = (uint64_t)(r->now / TIMESTAMP_SECOND);
    uint64_t next = r->state.incarnation * 2 + 1;
    if (r->state.incarnation <= above)
        next = above + 1;
    else if (next < seconds)
        next = seconds;
    r->state.incarnation = next;

    r->incarnation_version = ++r->version;
}

/* ---- the next action ------------------------------------------------------------------ */

/* A released VF that is gone for long: the port is told absent, the VF stays
 * ours, to be cleaned should it come back. */
static void give_up_port(struct reconcile *r, struct entry *entry)
{
    struct want *want = want_of(r, &entry->m.port);
    memset(&entry->m.port, 0, sizeof entry->m.port);
    memset(&entry->m.vm, 0, sizeof entry->m.vm);
    entry_touch(r, entry);
    if (want)
        want->durable_at = r->version;
}

/* Is there something to do for this entry in its phase? */
static bool works(const struct entry *entry)
{
    const struct managed *m = &entry->m;
    bool active = m->phase == MANAGED_APPLYING ||
                  m->phase == MANAGED_RESTORING ||
                  m->phase == MANAGED_CLEANING ||
                  (m->phase == MANAGED_PROBING && entry->probe);
    return active && !entry->gone && !m->unknown;
}

static enum purpose purpose_of(const struct entry *entry)
{
    return entry->m.phase == MANAGED_CLEANING ? PURPOSE_CLEAN : PURPOSE_APPLY;
}

static bool is_allowed(struct reconcile *r, struct entry *entry, int64_t now,
                       int64_t *wake)
{
    struct managed *m = &entry->m;
    bool cleaning = m->phase == MANAGED_CLEANING;
    struct condition before = m->condition;
    bool allowed =
        rules_allow(r, purpose_of(entry), &m->claim.pf, m->claim.vf_index,
                    &m->policy.mac, now, &m->condition);
    if (allowed) {
        entry->vanished_at = 0;
        return true;
    }
    if (memcmp(&before, &m->condition, sizeof before) != 0)
        r->changes++;
    bool given =
        cleaning && !uuid_is_zero(&m->port) && !claim_is_there(r, &m->claim);
    if (!given)
        return false;
    if (!entry->vanished_at)
        entry->vanished_at = now;
    int64_t end = entry->vanished_at + VANISHED_GIVE_UP_NS;
    if (now >= end)
        give_up_port(r, entry);
    else if (end < *wake)
        *wake = end;
    return false;
}

/* May this entry act now? If not, *wake learns when to look again. */
static bool is_ready(struct reconcile *r, struct entry *entry, int64_t now,
                     int64_t *wake)
{
    bool durable = entry->intent <= r->saved || PLANT(ACT_BEFORE_DURABLE);
    if (!works(entry) || !durable)
        return false;
    if (now < entry->next_at) {
        if (entry->next_at < *wake)
            *wake = entry->next_at;
        return false;
    }
    return is_allowed(r, entry, now, wake);
}

static bool next_save(const struct reconcile *r, int64_t now,
                      struct action *action, int64_t *wake)
{
    if (r->saved == r->version)
        return false;
    if (now < r->save_at) {
        if (r->save_at < *wake)
            *wake = r->save_at;
        return false;
    }
    *action = (struct action){.kind = ACTION_SAVE, .version = r->version};
    return true;
}

bool reconcile_next(struct reconcile *r, int64_t now, struct action *action,
                    int64_t *wake)
{
    int64_t later = INT64_MAX;
    r->now = now;
    if (r->begun_at == 0)
        r->begun_at = now;
    /* Nothing is told before the incarnation is durable: save that at once. */
    if (r->saved == 0 && next_save(r, now, action, &later))
        return true;
    plan(r, now);
    if (r->facts &&
        (pf_next(r, now, action, &later) || way_next(r, now, action, &later)))
        return true;
    for (size_t n = 0; r->facts && n < r->entry_count; n++) {
        size_t i = (r->cursor + n) % r->entry_count;
        if (!is_ready(r, r->entries[i], now, &later))
            continue;
        if (entry_is_bare(r->entries[i]) && !bare_acts(r, r->entries[i], now))
            continue;
        r->cursor = i;
        entry_action(r->entries[i], action);
        return true;
    }
    /* Last, so that one write to the disk carries many changes. */
    if (next_save(r, now, action, &later))
        return true;
    if (r->plan_at < later)
        later = r->plan_at;
    *wake = r->replan ? now : later;
    return false;
}

/* ---- results ----------------------------------------------------------------------------- */

static void saved(struct reconcile *r, uint64_t version)
{
    r->saved = version;
    r->save_failures = 0;
    r->save_at = 0;
    if (*r->save_error)
        r->changes++;
    *r->save_error = '\0';
    r->changes++; /* an absent port may be told now */
    for (size_t i = r->entry_count; i-- > 0;) {
        if (r->entries[i]->gone && r->entries[i]->intent <= version)
            entry_remove(r, i);
    }
    r->replan = true;
}

static void save_failed(struct reconcile *r, int64_t now,
                        const struct error *err)
{
    unsigned failures = r->save_failures < 5 ? r->save_failures : 5;
    int64_t wait = SAVE_RETRY_NS << failures;
    r->save_at = now + (wait < SAVE_RETRY_MAX_NS ? wait : SAVE_RETRY_MAX_NS);
    if (r->save_failures++ == 0) {
        r->save_failed_at = now;
        r->changes++;
    }
    str_copy(r->save_error, err->msg);
}

/* What was just read is the newest that is known of the VF. */
static void take_reading(struct reconcile *r, struct entry *entry, int64_t now,
                         const struct policy *policy)
{
    entry->has_readback = true;
    entry->readback = *policy;
    entry->readback_at = now;
    struct vf *vf = vf_of(r, &entry->m.claim.pf, entry->m.claim.vf_index);
    if (!vf)
        return;
    bool same = vf->policy.set == policy->set &&
                policy_difference(policy, &vf->policy) == 0;
    vf->policy = *policy;
    vf->observed_at = now;
    if (!same)
        pf_changed(r, &entry->m.claim.pf);
}

/* Holds, evidence and the like are also of a port, not of a VF that is held. */
static bool is_of_a_way(const struct action *action)
{
    return !uuid_is_zero(&action->port) || action->kind > ACTION_PF_SET;
}

bool reconcile_done(struct reconcile *r, int64_t now,
                    const struct action *action,
                    const struct action_result *result)
{
    r->now = now;
    if (action->kind == ACTION_SAVE) {
        if (result->failed)
            save_failed(r, now, &result->err);
        else
            saved(r, action->version);
        return false;
    }
    if (action->kind == ACTION_PF_SET)
        return pf_done(r, now, action, result);
    if (is_of_a_way(action)) {
        way_done(r, now, action, result);
        return false;
    }
    struct entry *entry = entry_at(r, &action->pf, action->vf_index);
    if (!entry)
        return false;
    if (action->kind == ACTION_READ && !result->failed)
        take_reading(r, entry, now, &result->policy);
    switch ((enum managed_phase)entry->m.phase) {
    case MANAGED_APPLYING:
        return apply_done(r, entry, now, action, result);
    case MANAGED_RESTORING:
    case MANAGED_CLEANING:
        return clean_done(r, entry, now, action, result);
    case MANAGED_PROBING:
        return probe_done(r, entry, now, action, result);
    case MANAGED_APPLIED:
    case MANAGED_FAILED:
    case MANAGED_QUARANTINED:
    case MANAGED_PHASE_MAX:
        break;
    }
    return false;
}

/* ---- outputs --------------------------------------------------------------------------------- */

const struct agent_state *reconcile_state(struct reconcile *r)
{
    struct agent_state *state = &r->state;
    free(state->managed);
    free(state->probed);
    free(state->changes);
    state->change_count = r->work_count;
    state->changes = mem_calloc(r->work_count, sizeof *state->changes);
    for (size_t i = 0; i < r->work_count; i++)
        state->changes[i] = r->works[i]->c;
    state->managed = mem_calloc(r->entry_count, sizeof *state->managed);
    state->managed_count = 0;
    for (size_t i = 0; i < r->entry_count; i++) {
        if (!r->entries[i]->gone)
            state->managed[state->managed_count++] = r->entries[i]->m;
    }
    state->probed_count = r->probed_count;
    state->probed =
        r->probed_count
            ? mem_dup(r->probed, r->probed_count * sizeof *r->probed)
            : NULL;
    vms_store(r, state);
    holds_store(r, state);
    return state;
}

const struct agent_state *reconcile_state_scalars(const struct reconcile *r)
{
    return &r->state;
}

/* An entry that the rules block, or that waits for its back-off, is settled. */
bool reconcile_is_settled(const struct reconcile *r)
{
    bool settled = !r->replan;
    for (size_t i = 0; settled && i < r->entry_count; i++) {
        const struct entry *entry = r->entries[i];
        struct condition why;
        memset(&why, 0, sizeof why);
        settled = !works(entry) || entry->next_at > r->now ||
                  !rules_allow(r, purpose_of(entry), &entry->m.claim.pf,
                               entry->m.claim.vf_index, &entry->m.policy.mac,
                               r->now, &why);
    }
    for (size_t i = 0; settled && i < r->work_count; i++)
        settled = !pf_change_runs(&r->works[i]->c);
    for (size_t i = 0; settled && i < r->vm_count; i++)
        settled = !r->vms[i]->order.active;
    return settled && holds_settled(r);
}

bool reconcile_is_durable(const struct reconcile *r)
{
    return r->saved == r->version;
}

uint64_t reconcile_incarnation(const struct reconcile *r)
{
    return r->saved >= r->incarnation_version ? r->state.incarnation : 0;
}

struct revision reconcile_following(const struct reconcile *r)
{
    return r->has_document ? r->state.accepted : (struct revision){0, 0};
}

uint64_t reconcile_changes(const struct reconcile *r)
{
    return r->changes;
}

const struct inventory *reconcile_facts(const struct reconcile *r)
{
    return r->facts;
}

size_t reconcile_pf_count(const struct reconcile *r)
{
    return r->pf_count;
}

const struct pf *reconcile_pf_at(const struct reconcile *r, size_t index)
{
    return r->pfs[index].pf;
}

uint64_t reconcile_pf_changes(const struct reconcile *r, size_t index)
{
    return r->pfs[index].changes;
}
