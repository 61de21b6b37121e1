/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of PFs as data and as a set: the table of allowed moves, the wants of
 * the document, and the one way in which a change moves. See pf_setting.h for
 * the diagram, pf_commit.c for what is done when. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool pf_move_allowed(enum pf_phase from, enum pf_phase to)
{
#define TO(name) (1u << PF_##name)
    static const unsigned moves[PF_PHASE_MAX] = {
        [PF_APPLYING] = TO(CONFIRMING) | TO(REVERTING) | TO(REJECTED),
        [PF_CONFIRMING] = TO(APPLIED) | TO(REVERTING) | TO(REJECTED),
        [PF_APPLIED] = TO(APPLYING) | TO(APPLIED),
        [PF_REVERTING] = TO(REJECTED) | TO(FAILED),
        [PF_REJECTED] = TO(APPLYING) | TO(APPLIED),
        [PF_FAILED] = TO(APPLYING) | TO(APPLIED),
    };
#undef TO
    return from < PF_PHASE_MAX && to < PF_PHASE_MAX &&
           (moves[from] & (1u << to)) != 0;
}

bool pf_change_runs(const struct pf_change *change)
{
    return change->phase == PF_APPLYING || change->phase == PF_CONFIRMING ||
           change->phase == PF_REVERTING;
}

uint64_t pf_change_signature(const struct pf *pf)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s|%s|%s|%u|%04x:%04x|%u",
                          pf->driver, pf->firmware, pf->netdev, pf->total_vfs,
                          pf->vendor_id, pf->device_id, pf->eswitch_mode);
    return str_hash(text, (size_t)length);
}

/* ---- the sets ------------------------------------------------------------------ */

struct pf_work *work_of(const struct reconcile *r, const struct pf_key *key)
{
    for (size_t i = 0; i < r->work_count; i++) {
        if (pf_key_compare(&r->works[i]->c.key, key) == 0)
            return r->works[i];
    }
    return NULL;
}

static void touch(struct reconcile *r, const struct pf_work *work)
{
    r->version++;
    r->replan = true;
    pf_changed(r, &work->c.key);
}

struct pf_work *work_add(struct reconcile *r, const struct pf_change *change)
{
    struct pf_work *work = mem_new(struct pf_work);
    work->c = *change;
    mem_grow(&r->works, &r->work_capacity, r->work_count, sizeof *r->works);
    size_t i = r->work_count++;
    for (; i > 0 && pf_key_compare(&r->works[i - 1]->c.key, &change->key) > 0;
         i--)
        r->works[i] = r->works[i - 1];
    r->works[i] = work;
    touch(r, work);
    work->intent = r->version;
    return work;
}

void work_begin(struct reconcile *r, struct pf_work *work,
                const struct pf_change *change)
{
    assert(pf_move_allowed((enum pf_phase)work->c.phase, PF_APPLYING));
    *work = (struct pf_work){.c = *change, .failures = work->failures};
    touch(r, work);
    work->intent = r->version;
}

void work_remove(struct reconcile *r, struct pf_work *work)
{
    size_t i = 0;
    while (r->works[i] != work)
        i++;
    r->work_count--;
    memmove(r->works + i, r->works + i + 1,
            (r->work_count - i) * sizeof *r->works);
    touch(r, work);
    free(work);
}

void works_done(struct reconcile *r)
{
    for (size_t i = 0; i < r->work_count; i++)
        free(r->works[i]);
    free(r->works);
    free(r->pf_wishes);
}

void work_move(struct reconcile *r, struct pf_work *work, int64_t now,
               enum pf_phase phase, enum condition_status status,
               const char *reason, const char *field, const char *format, ...)
{
    assert(pf_move_allowed((enum pf_phase)work->c.phase, phase));
    va_list list;
    va_start(list, format);
    condition_vfill(&work->c.condition, PF_CONDITION_TYPE, now, status, reason,
                    field, format, list);
    va_end(list);
    work->c.phase = (uint8_t)phase;
    work->next_at = 0;
    work->tries = 0;
    touch(r, work);
    work->intent = r->version;
}

struct pf_wish *pf_wish_of(const struct reconcile *r, const struct pf_key *key)
{
    for (size_t i = 0; i < r->pf_wish_count; i++) {
        if (pf_key_compare(&r->pf_wishes[i].d.key, key) == 0)
            return &r->pf_wishes[i];
    }
    return NULL;
}

/* Returns whether it is news. */
static bool put_wish(struct reconcile *r, const struct desired_pf *d)
{
    struct pf_wish *want = pf_wish_of(r, &d->key);
    bool news = !want || revision_compare(&want->d.revision, &d->revision) != 0;
    if (!want && r->pf_wish_count == DOCUMENT_PFS_MAX)
        return false;
    if (!want) {
        mem_grow(&r->pf_wishes, &r->pf_wish_capacity, r->pf_wish_count,
                 sizeof *r->pf_wishes);
        want = &r->pf_wishes[r->pf_wish_count++];
        *want = (struct pf_wish){.since = r->now};
    } else if (news) {
        want->since = r->now;
    }
    want->d = *d;
    return news;
}

void pf_wishes_take(struct reconcile *r, const struct desired *doc)
{
    bool news = false;
    for (size_t i = r->pf_wish_count; doc->full && i-- > 0;) {
        bool named = false;
        for (size_t k = 0; k < doc->pf_count && !named; k++)
            named =
                pf_key_compare(&doc->pfs[k].key, &r->pf_wishes[i].d.key) == 0;
        news |= !named;
        if (!named)
            r->pf_wishes[i] = r->pf_wishes[--r->pf_wish_count];
    }
    for (size_t i = 0; i < doc->pf_count; i++)
        news |= put_wish(r, &doc->pfs[i]);
    r->changes += news;
}

/* ---- what is told ---------------------------------------------------------------- */

/* The end of a change is told when it is durable: before that a crash would
 * begin its last phase once more. */
static uint8_t told_phase(const struct reconcile *r, const struct pf_work *work)
{
    if (work->intent <= r->saved)
        return work->c.phase;
    if (work->c.phase == PF_APPLIED)
        return PF_CONFIRMING;
    if (work->c.phase == PF_REJECTED || work->c.phase == PF_FAILED)
        return PF_REVERTING;
    return work->c.phase;
}

static void tell_work(const struct reconcile *r, const struct pf_work *work,
                      struct observed_pf *out)
{
    *out = (struct observed_pf){.key = work->c.key,
                                .phase = told_phase(r, work),
                                .revision = work->c.revision,
                                .condition = work->c.condition};
    bool waits = work->intent > r->saved && *r->save_error;
    if (waits)
        pf_condition(&out->condition, r->save_failed_at, CONDITION_FALSE,
                     "StateNotDurable", "",
                     "the agent's state can't be saved, so the PF is not "
                     "touched: %.120s; free space in the state folder",
                     r->save_error);
}

static void tell_wish(const struct reconcile *r, const struct pf_wish *want,
                      struct observed_pf *out)
{
    const struct pf_work *work = work_of(r, &want->d.key);
    const struct pf_slot *slot = slot_of(r, &want->d.key);
    struct pf_target target = pf_target_of(&want->d);
    bool met = slot && pf_target_met(&target, slot->pf);
    bool same =
        work && revision_compare(&work->c.revision, &want->d.revision) == 0;
    bool stands = same && (met || work->c.phase != PF_APPLIED);
    if (work && (pf_change_runs(&work->c) || (stands && !want->blocked))) {
        tell_work(r, work, out);
        return;
    }
    *out = (struct observed_pf){
        .key = want->d.key, .phase = PF_PENDING, .revision = want->d.revision};
    if (want->blocked) {
        out->phase = want->phase;
        out->condition = want->condition;
    } else if (met) {
        out->phase = PF_APPLIED;
        pf_condition(&out->condition, want->since, CONDITION_TRUE, "AsWanted",
                     "", "the PF reads what was asked");
    } else {
        pf_condition(&out->condition, want->since, CONDITION_UNKNOWN,
                     "Starting", "", "not yet begun");
    }
}

size_t reconcile_pfs(const struct reconcile *r, struct observed_pf *out,
                     size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < r->pf_wish_count; i++) {
        struct pf_target target = pf_target_of(&r->pf_wishes[i].d);
        if (pf_target_is_empty(&target))
            continue;
        if (count < max)
            tell_wish(r, &r->pf_wishes[i], &out[count]);
        count++;
    }
    for (size_t i = 0; i < r->work_count; i++) {
        const struct pf_wish *want = pf_wish_of(r, &r->works[i]->c.key);
        struct pf_target target =
            want ? pf_target_of(&want->d) : (struct pf_target){0};
        if (!pf_target_is_empty(&target))
            continue;
        if (count < max)
            tell_work(r, r->works[i], &out[count]);
        count++;
    }
    return count;
}
