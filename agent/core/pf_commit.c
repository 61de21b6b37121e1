/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmed commits of PF settings: when a change begins, what is written next,
 * and how it ends. See pf_setting.h for the diagram and the rules in words. */
#include "agent/core/internal.h"
#include "common/base/plant.h"
#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Asked again so often whether the kernel is done; an event asks sooner. */
#define PF_POLL_NS TIMESTAMP_SECOND
#define PF_UNDO_RETRY_NS (500 * TIMESTAMP_MS)
#define PF_UNDO_RETRY_MAX_NS (5 * TIMESTAMP_SECOND)

static bool scheduler_heard(const struct reconcile *r, int64_t now)
{
    return r->heard_at != 0 && now - r->heard_at <= PF_HEARD_NS;
}

/* ---- begin ---------------------------------------------------------------------- */

static void begin(struct reconcile *r, const struct pf_wish *want,
                  const struct pf *pf, int64_t now)
{
    struct pf_work *work = work_of(r, &want->d.key);
    struct pf_change c = {.key = want->d.key,
                          .target = pf_target_of(&want->d),
                          .revision = want->d.revision,
                          .boot_id = r->config.boot_id,
                          .begun_at = now,
                          .deadline = now + PF_CONFIRM_NS,
                          .phase = PF_APPLYING};
    char text[PF_TARGET_TEXT_SIZE];
    c.before = pf_target_before(&c.target, pf);
    pf_condition(&c.condition, now, CONDITION_UNKNOWN, "Applying", "",
                 "%s is being written; it is undone unless the scheduler is "
                 "heard within %d s",
                 pf_target_text(&c.target, text),
                 (int)(PF_CONFIRM_NS / TIMESTAMP_SECOND));
    if (work)
        work_begin(r, work, &c); /* in place of one that ended */
    else
        work_add(r, &c);
}

/* A refusal that may pass is tried again after a while; any, when the PF is
 * another one since. */
static bool retry_due(struct reconcile *r, const struct pf_work *work,
                      const struct pf *pf, int64_t now)
{
    if (work->c.signature != pf_change_signature(pf))
        return true;
    if (!work->c.may_pass)
        return false;
    if (now >= work->next_at)
        return true;
    if (work->next_at < r->plan_at)
        r->plan_at = work->next_at;
    return false;
}

static void adopt(struct reconcile *r, struct pf_work *work,
                  const struct pf_wish *want, int64_t now)
{
    struct pf_target target = pf_target_of(&want->d);
    bool same = work->c.phase == PF_APPLIED &&
                revision_compare(&work->c.revision, &want->d.revision) == 0 &&
                pf_target_equal(&work->c.target, &target);
    if (same)
        return;
    work->c.revision = want->d.revision;
    work->c.target = target;
    work_move(r, work, now, PF_APPLIED, CONDITION_TRUE, "AsWanted", "",
              "the PF reads what was asked");
}

/* The change that the want is about has ended: does that stand? */
static bool stands(struct reconcile *r, const struct pf_work *work,
                   const struct pf_wish *want, const struct pf *pf, int64_t now)
{
    if (revision_compare(&work->c.revision, &want->d.revision) != 0)
        return false;
    return work->c.phase == PF_REJECTED ||
           (work->c.phase == PF_FAILED && !retry_due(r, work, pf, now));
}

static void plan_wish(struct reconcile *r, struct pf_wish *want, int64_t now)
{
    struct pf_work *work = work_of(r, &want->d.key);
    const struct pf_slot *slot = slot_of(r, &want->d.key);
    struct pf_target target = pf_target_of(&want->d);
    struct condition before = want->condition;
    bool was_blocked = want->blocked;
    want->blocked = want->waits = false;
    if (work && pf_change_runs(&work->c))
        return;
    if (pf_target_is_empty(&target)) {
        if (work && work->c.phase != PF_REJECTED)
            work_remove(r, work);
        return;
    }
    bool rejected = work && work->c.phase == PF_REJECTED &&
                    revision_compare(&work->c.revision, &want->d.revision) == 0;
    if (rejected)
        return;
    if (slot && pf_target_met(&target, slot->pf)) {
        if (work)
            adopt(r, work, want, now);
        return;
    }
    if (slot && work && stands(r, work, want, slot->pf, now))
        return;
    if (pf_rules_allow(r, want, now) && slot) {
        begin(r, want, slot->pf, now);
        return;
    }
    want->blocked = true;
    if (!was_blocked || memcmp(&before, &want->condition, sizeof before) != 0)
        r->changes++;
}

/* ---- the window ------------------------------------------------------------------- */

/* Read from the disk: the clock may have been set back since, and the host may
 * have booted, so that nothing of the change is left. */
static void resume(struct reconcile *r, struct pf_work *work, int64_t now)
{
    struct pf_change *c = &work->c;
    if (!work->resumed || work->looked_at || !pf_change_runs(c))
        return;
    work->looked_at = true;
    if (c->deadline > now + PF_CONFIRM_NS)
        c->deadline = now + PF_CONFIRM_NS;
    if (c->phase == PF_CONFIRMING)
        work->written_at = now;
    if (uuid_equal(&c->boot_id, &r->config.boot_id))
        return;
    if (c->phase == PF_REVERTING && c->refused)
        work_move(r, work, now, PF_FAILED, CONDITION_FALSE, c->condition.reason,
                  c->condition.field, "%s", c->condition.message);
    else
        work_move(r, work, now, PF_REJECTED, CONDITION_FALSE, "HostRestarted",
                  "",
                  "the host was started again while the change was on trial; "
                  "it is not tried again: change the setting to try it");
}

static void revert(struct reconcile *r, struct pf_work *work, int64_t now)
{
    char text[PF_TARGET_TEXT_SIZE];
    work->c.refused = false;
    work_move(r, work, now, PF_REVERTING, CONDITION_FALSE, "SchedulerSilent",
              "",
              "the scheduler was not heard within %d s of the change, so it is "
              "undone (%s)",
              (int)(PF_CONFIRM_NS / TIMESTAMP_SECOND),
              pf_target_text(&work->c.before, text));
    if (PLANT(NO_UNDO))
        work_move(r, work, now, PF_REJECTED, CONDITION_FALSE, "SchedulerSilent",
                  "", "it was forgotten to undo this");
}

static void refuse(struct reconcile *r, struct pf_work *work, int64_t now,
                   const char *reason, const char *field, const char *message,
                   const char *remedy)
{
    work->c.refused = true;
    work_move(r, work, now, PF_REVERTING, CONDITION_FALSE, reason, field,
              "%.170s; %.80s", message, remedy);
    work->verdict = work->c.condition;
}

static void plan_work(struct reconcile *r, struct pf_work *work, int64_t now)
{
    struct pf_change *c = &work->c;
    resume(r, work, now);
    if (c->phase != PF_APPLYING && c->phase != PF_CONFIRMING)
        return;
    const struct pf_slot *slot = slot_of(r, &c->key);
    if (c->phase == PF_CONFIRMING && work->seen && slot) {
        const char *field = pf_target_difference(&c->target, slot->pf);
        char text[96];
        snprintf(text, sizeof text,
                 "%s was accepted, but the PF reads otherwise", field);
        if (*field) {
            c->may_pass = false;
            refuse(r, work, now, "ReadBackDiffers", field, text,
                   "see the kernel's log of this host");
            return;
        }
        if (work->heard) {
            work_move(r, work, now, PF_APPLIED, CONDITION_TRUE, "Confirmed", "",
                      "the PF reads what was asked, and the scheduler was "
                      "heard over the changed host");
            struct pf_slot *probed = slot_of(r, &c->key);
            probed->probed_at = 0; /* new VFs: what they can is asked anew */
            return;
        }
    }
    if (now >= c->deadline)
        revert(r, work, now);
    else if (c->deadline < r->plan_at)
        r->plan_at = c->deadline;
}

void pf_plan(struct reconcile *r, int64_t now)
{
    for (size_t i = 0; i < r->work_count; i++)
        plan_work(r, r->works[i], now);
    for (size_t i = 0; i < r->pf_wish_count; i++)
        plan_wish(r, &r->pf_wishes[i], now);
}

/* ---- what is written next ------------------------------------------------------------ */

static void tell_waits(struct reconcile *r, struct pf_work *work,
                       const struct condition *why)
{
    if (strcmp(work->c.condition.message, why->message) == 0)
        return;
    work->c.condition = *why;
    r->changes++;
}

/* The rules once more, right before the write. Where nothing was written yet the
 * change is withdrawn; else it waits, for the window's end at the latest. */
static bool may_write(struct reconcile *r, struct pf_work *work, int64_t now)
{
    struct condition why;
    memset(&why, 0, sizeof why);
    bool first = !work->started && !work->resumed;
    if (first && !scheduler_heard(r, now)) {
        work_remove(r, work);
        return false;
    }
    if (pf_rules_still_allow(r, &work->c.key, !first, now, &why))
        return true;
    if (first)
        work_remove(r, work);
    else
        tell_waits(r, work, &why);
    return false;
}

bool pf_next(struct reconcile *r, int64_t now, struct action *action,
             int64_t *wake)
{
    for (size_t i = 0; i < r->work_count; i++) {
        struct pf_work *work = r->works[i];
        bool applies = work->c.phase == PF_APPLYING;
        if (!applies && work->c.phase != PF_REVERTING)
            continue;
        bool durable = work->intent <= r->saved || PLANT(PF_BEFORE_DURABLE);
        /* What undoes need not wait for a disk that is full: the disk knows
         * the change, and its deadline is over. */
        if (applies && !durable)
            continue;
        if (now < work->next_at) {
            if (work->next_at < *wake)
                *wake = work->next_at;
            continue;
        }
        if (!may_write(r, work, now)) {
            if (r->replan)
                *wake = now;
            continue;
        }
        *action = (struct action){.kind = ACTION_PF_SET,
                                  .pf = work->c.key,
                                  .target = applies ? work->c.target
                                                    : work->c.before};
        return true;
    }
    return false;
}

/* ---- results ------------------------------------------------------------------------- */

/* All VFs of the PF went and came, or are gone: what we held of those that no
 * port has is made anew with them. The PF's own filter is not. */
static void drop_ghosts(struct reconcile *r, const struct pf_change *c)
{
    if (!c->target.has_num_vfs || c->target.num_vfs == c->before.num_vfs)
        return;
    for (size_t i = 0; i < r->entry_count; i++) {
        struct entry *entry = r->entries[i];
        if (pf_key_compare(&entry->m.claim.pf, &c->key) != 0 ||
            !uuid_is_zero(&entry->m.port) || entry->gone)
            continue;
        if (entry_is_probe(entry))
            hold_take_over(r, &c->key, &entry->m.policy.mac);
        entry->gone = true;
        entry_touch(r, entry);
        entry->intent = r->version;
    }
}

static void applying_failed(struct reconcile *r, struct pf_work *work,
                            int64_t now, const struct error *err)
{
    char text[200];
    const char *remedy =
        *err->remedy ? err->remedy : "see the kernel's log of this host";
    if (err->sys)
        snprintf(text, sizeof text, "%s was refused with %s: %.140s",
                 *err->field ? err->field : "the setting",
                 error_errno_name(err->sys), err->msg);
    else
        snprintf(text, sizeof text, "%s was refused: %.160s",
                 *err->field ? err->field : "the setting", err->msg);
    work->c.may_pass = err->code == ERROR_AGAIN || err->code == ERROR_VANISHED;
    refuse(r, work, now, "SettingRefused", err->field, text, remedy);
}

static void undone(struct reconcile *r, struct pf_work *work, int64_t now)
{
    struct pf_slot *slot = slot_of(r, &work->c.key);
    const struct condition *last =
        *work->verdict.reason ? &work->verdict : &work->c.condition;
    struct condition verdict = *last;
    drop_ghosts(r, &work->c);
    if (slot)
        slot->probed_at = 0;
    if (!work->c.refused) {
        work_move(r, work, now, PF_REJECTED, CONDITION_FALSE, "SchedulerSilent",
                  "",
                  "undone: the scheduler was not heard within %d s of the "
                  "change; it is not tried again: change the setting to try it",
                  (int)(PF_CONFIRM_NS / TIMESTAMP_SECOND));
        return;
    }
    work_move(r, work, now, PF_FAILED, CONDITION_FALSE, verdict.reason,
              verdict.field, "%s", verdict.message);
    work->c.signature = slot ? pf_change_signature(slot->pf) : 0;
    unsigned failures = work->failures++;
    int64_t wait = FAILED_RETRY_NS << (failures < 7 ? failures : 7);
    work->next_at =
        now + (wait < FAILED_RETRY_MAX_NS ? wait : FAILED_RETRY_MAX_NS);
}

static void undo_failed(struct reconcile *r, struct pf_work *work, int64_t now,
                        const struct error *err)
{
    struct condition why;
    memset(&why, 0, sizeof why);
    int64_t wait = PF_UNDO_RETRY_NS << (work->tries < 4 ? work->tries : 4);
    work->tries++;
    work->next_at =
        now + (wait < PF_UNDO_RETRY_MAX_NS ? wait : PF_UNDO_RETRY_MAX_NS);
    pf_condition(&why, now, CONDITION_FALSE, "UndoFails", err->field,
                 "the PF can't be put back: %.150s; it is tried again by "
                 "itself",
                 err->msg);
    tell_waits(r, work, &why);
}

bool pf_done(struct reconcile *r, int64_t now, const struct action *action,
             const struct action_result *result)
{
    struct pf_work *work = work_of(r, &action->pf);
    if (!work)
        return false;
    work->started = true;
    if (result->pending) {
        work->next_at = now + PF_POLL_NS;
        return false;
    }
    if (work->c.phase == PF_APPLYING && result->failed) {
        applying_failed(r, work, now, &result->err);
        return true;
    }
    if (work->c.phase == PF_APPLYING) {
        drop_ghosts(r, &work->c);
        work->written_at = now;
        work->seen = work->heard = false;
        work_move(r, work, now, PF_CONFIRMING, CONDITION_UNKNOWN, "Confirming",
                  "",
                  "written; it is undone unless the scheduler is heard over "
                  "the changed host in time");
        return true;
    }
    if (work->c.phase != PF_REVERTING)
        return false;
    /* A driver that is being reset may say ENODEV too: gone is what is not
     * read any more. */
    bool gone = result->failed && result->err.code == ERROR_VANISHED &&
                !slot_of(r, &work->c.key);
    if (result->failed && !gone) {
        undo_failed(r, work, now, &result->err);
        return result->err.code == ERROR_VANISHED;
    }
    undone(r, work, now);
    return true;
}

/* ---- inputs -------------------------------------------------------------------------- */

void reconcile_answered(struct reconcile *r, int64_t sent_at, int64_t now)
{
    if (now > r->heard_at)
        r->heard_at = now;
    for (size_t i = 0; i < r->work_count; i++) {
        struct pf_work *work = r->works[i];
        if (work->c.phase == PF_CONFIRMING && sent_at >= work->written_at &&
            work->written_at)
            work->heard = true;
        r->replan = true;
    }
    r->replan |= r->pf_wish_count > 0;
}

int64_t reconcile_asks_since(const struct reconcile *r)
{
    int64_t since = INT64_MIN;
    for (size_t i = 0; i < r->work_count; i++) {
        const struct pf_work *work = r->works[i];
        bool asks = work->c.phase == PF_CONFIRMING && !work->heard;
        if (asks && work->written_at > since)
            since = work->written_at;
    }
    return since;
}

void pf_seen(struct reconcile *r, const struct pf_key *key)
{
    struct pf_work *work = work_of(r, key);
    if (!work)
        return;
    work->seen |= work->c.phase == PF_CONFIRMING;
    /* Something happened to the PF: the kernel may be done. */
    bool asks = work->c.phase == PF_APPLYING ||
                (work->c.phase == PF_REVERTING && work->tries == 0);
    if (asks)
        work->next_at = 0;
}
