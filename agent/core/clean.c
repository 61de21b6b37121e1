/* SPDX-License-Identifier: Apache-2.0 */
/* Cleaning: write clean values, reset, and prove by reading back. A VF that is
 * not clean after some tries is quarantined and tried again later. Restoring
 * after a refusal is the same without the reset. */
#include "agent/core/internal.h"
#include "common/base/plant.h"

#include <stdio.h>
#include <string.h>

/* Zero, or a MAC that is not ours: what the VF had before we took it, or a
 * local one such as VF drivers make when they bind. */
static bool mac_is_clean(const struct entry *entry, const struct mac *mac)
{
    if (mac_is_zero(mac))
        return true;
    if (policy_has(&entry->m.policy, POLICY_MAC) &&
        mac_compare(mac, &entry->m.policy.mac) == 0)
        return false;
    if (mac_is_local(mac))
        return true;
    return policy_has(&entry->m.baseline, POLICY_MAC) &&
           mac_compare(mac, &entry->m.baseline.mac) == 0;
}

/* What the VF must read. A VF that was only probed is put back as it was: some
 * drivers make their VFs with spoofchk off, and whoever uses them counts on
 * it. */
static struct policy target_of(const struct entry *entry)
{
    struct policy target = policy_clean();
    const struct policy *before = &entry->m.baseline;
    if (entry_is_probe(entry) && policy_has(before, POLICY_SPOOFCHK))
        target.spoofchk = before->spoofchk;
    return target;
}

/* A field that the device refuses to set may stay as it was before we took the
 * VF, never as we left it. */
static uint32_t excused(const struct entry *entry,
                        const struct policy *readback)
{
    const struct policy *before = &entry->m.baseline;
    return entry->skip & before->set & ~policy_difference(before, readback);
}

uint32_t clean_difference(const struct entry *entry,
                          const struct policy *readback)
{
    struct policy clean = target_of(entry);
    uint32_t bits = policy_difference(&clean, readback) & readback->set &
                    ~excused(entry, readback) & ~POLICY_BIT(POLICY_MAC);
    if (policy_has(readback, POLICY_MAC) &&
        !mac_is_clean(entry, &readback->mac))
        bits |= POLICY_BIT(POLICY_MAC);
    return bits;
}

/* Fields that we may have written though the driver doesn't tell them: they are
 * written back too, once, as well as it goes. */
static uint32_t untold(const struct entry *entry, const struct policy *readback)
{
    struct policy clean = policy_clean();
    return policy_difference(&entry->m.policy, &clean) & entry->m.policy.set &
           ~readback->set & ~entry->skip;
}

static void quarantine(struct reconcile *r, struct entry *entry, int64_t now,
                       const char *field, const char *why)
{
    const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
    unsigned failures = entry->failures++;
    entry_condition(r, entry, now, CONDITION_FALSE, "VfNotClean", field,
                    "the VF does not become clean: %.150s; it is tried again "
                    "by itself, see the kernel's log",
                    why);
    entry_move(r, entry, MANAGED_QUARANTINED);
    entry->pf_signature = slot ? pf_signature(slot->pf) : 0;
    int64_t wait = QUARANTINE_RETRY_NS << (failures < 6 ? failures : 6);
    entry->next_at =
        now + (wait < QUARANTINE_RETRY_MAX_NS ? wait : QUARANTINE_RETRY_MAX_NS);
}

/* One more round, or quarantine. */
void clean_fails(struct reconcile *r, struct entry *entry, int64_t now,
                 const char *field, const char *why)
{
    entry->tries++;
    entry->step = STEP_READ;
    entry->next_at = now + (RETRY_NS << entry->tries);
    if (entry->tries >= TRIES_MAX)
        quarantine(r, entry, now, field, why);
}

void clean_finish(struct reconcile *r, struct entry *entry, int64_t now)
{
    if (entry->m.phase == MANAGED_RESTORING) {
        const struct pf_slot *slot = slot_of(r, &entry->m.claim.pf);
        unsigned failures = entry->failures ? entry->failures - 1 : 0;
        entry_move(r, entry, MANAGED_FAILED); /* the condition stays */
        entry->pf_signature = slot ? pf_signature(slot->pf) : 0;
        int64_t wait = FAILED_RETRY_NS << (failures < 7 ? failures : 7);
        entry->next_at =
            now + (wait < FAILED_RETRY_MAX_NS ? wait : FAILED_RETRY_MAX_NS);
        return;
    }
    entry->gone = true;
    struct want *want = want_of(r, &entry->m.port);
    entry_touch(r, entry);
    entry->intent = r->version;
    if (want)
        want->durable_at = r->version;
}

static void read_done(struct reconcile *r, struct entry *entry, int64_t now)
{
    const struct policy *readback = &entry->readback;
    uint32_t bits = clean_difference(entry, readback);
    bool first =
        entry->step == STEP_READ && entry->tries == 0 && !entry->was_reset;
    if (first)
        bits |= untold(entry, readback);
    bool resets = entry->m.phase == MANAGED_CLEANING && !entry->was_reset;
    if (!bits) {
        if (entry_is_probe(entry) && !entry->was_let_go)
            entry->step = STEP_HELD;
        else if (resets)
            entry->step = STEP_RESET;
        else
            clean_finish(r, entry, now);
        return;
    }
    if (entry->step == STEP_READ) {
        entry->fields = bits;
        entry->to_write = target_of(entry);
        entry->step = STEP_WRITE;
        return;
    }
    enum policy_field field = (enum policy_field)__builtin_ctz(bits);
    char value[POLICY_VALUE_SIZE], text[96];
    snprintf(text, sizeof text, "it reads %s %s", policy_field_name(field),
             policy_value_text(readback, field, value));
    clean_fails(r, entry, now, policy_field_name(field), text);
}

static void write_failed(struct reconcile *r, struct entry *entry, int64_t now,
                         const struct error *err)
{
    enum policy_field field = policy_field_parse(err->field);
    bool untold_only = (entry->fields & entry->readback.set) == 0;
    if (untold_only && err->code != ERROR_AGAIN) {
        entry->skip |= entry->fields; /* as well as it went */
        entry->step = STEP_READ;
        return;
    }
    if (err->code == ERROR_UNSUPPORTED && field < POLICY_FIELD_MAX &&
        !(entry->skip & POLICY_BIT(field))) {
        entry->skip |= POLICY_BIT(field);
        entry->step = STEP_READ;
        return;
    }
    bool zero_refused = field == POLICY_MAC && err->code != ERROR_AGAIN &&
                        err->code != ERROR_VANISHED &&
                        mac_is_zero(&entry->to_write.mac);
    if (zero_refused) {
        /* Where zero is refused, a fresh local MAC takes ours away. */
        entry->to_write.mac = mac_make(&r->rng);
        entry->to_write.mac.bytes[0] = 0x02; /* no port's: see vf_dirt() */
        return;
    }
    char text[200];
    snprintf(text, sizeof text, "%s: %s%s%.140s", err->field,
             err->sys ? error_errno_name(err->sys) : "", err->sys ? ": " : "",
             err->msg);
    clean_fails(r, entry, now, err->field, text);
}

/* The MAC of a probe may still be on the PF's own filter, also from before a
 * crash. Looked for first, so that nothing of the PF is written in vain. */
static void probe_hold_done(struct reconcile *r, struct entry *entry,
                            int64_t now, const struct action *action,
                            const struct action_result *result)
{
    const struct error *err = &result->err;
    if (result->failed && err->code != ERROR_UNSUPPORTED) {
        clean_fails(r, entry, now, "", err->msg);
        return;
    }
    bool there = action->kind == ACTION_HELD && !result->failed && result->held;
    if (action->kind == ACTION_LET_GO && !result->failed) {
        entry->was_let_go = true; /* to be seen */
        entry->step = STEP_HELD;
    } else if (there && entry->was_let_go) {
        entry->was_let_go = false;
        clean_fails(r, entry, now, "", "the PF's filter keeps the probe's MAC");
    } else {
        entry->was_let_go = !there;
        entry->step = there ? STEP_LET_GO : STEP_PROVE;
    }
}

/* Gone devices are waited for (the rules block the entry); they are no proof
 * that the VF can't be cleaned. */
static bool waits(struct entry *entry, int64_t now, const struct error *err)
{
    if (err->code != ERROR_VANISHED)
        return false;
    entry->step = STEP_READ;
    entry->next_at = now + FAILED_RETRY_NS;
    return true;
}

bool clean_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action, const struct action_result *result)
{
    const struct error *err = &result->err;
    if (result->failed && waits(entry, now, err))
        return true;
    switch (action->kind) {
    case ACTION_WRITE:
        if (result->failed)
            write_failed(r, entry, now, err);
        else
            entry->step = entry->was_reset ? STEP_PROVE : STEP_RESET;
        if (!result->failed && entry->m.phase == MANAGED_RESTORING)
            entry->step = STEP_PROVE;
        if (PLANT(FREE_BEFORE_CLEAN) && !entry_is_probe(entry))
            clean_finish(r, entry, now);
        break;
    case ACTION_RESET:
        if (result->failed && err->code != ERROR_UNSUPPORTED) {
            clean_fails(r, entry, now, "", err->msg);
            break;
        }
        entry->was_reset = true;
        entry->step = STEP_PROVE;
        if (!entry_is_bare(entry))
            break;
        bare_was_reset(r, entry);
        return true; /* proven by the next reading */
    case ACTION_HELD:
    case ACTION_LET_GO:
    case ACTION_HOLD:
        probe_hold_done(r, entry, now, action, result);
        break;
    case ACTION_READ:
    case ACTION_SAVE:
    case ACTION_PF_SET:
    case ACTION_ORDER:
    case ACTION_EVIDENCE:
    case ACTION_ANNOUNCE:
    case ACTION_LEARNING:
    case ACTION_LEARNING_OFF:
    case ACTION_TAP_VLAN:
    case ACTION_TAP_READ:
        if (result->failed)
            clean_fails(r, entry, now, "", err->msg);
        else
            read_done(r, entry, now);
        break;
    }
    return false;
}
