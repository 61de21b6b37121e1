/* SPDX-License-Identifier: Apache-2.0 */
/* Applying: read, write what differs, read back, and only then 'applied'. What
 * is refused, or reads back otherwise, is put back to clean (clean.c) so that
 * nothing half-applied stays. */
#include "agent/core/internal.h"
#include "common/base/plant.h"

#include <stdio.h>
#include <string.h>

/* Compare in the fields that the kernel tells. A field that it does not tell
 * counts only if somebody asked for more than its clean value: then it must be
 * tried, and can't be proven. */
uint32_t apply_difference(const struct entry *entry,
                          const struct policy *readback)
{
    struct policy target = policy_target(&entry->m.policy);
    struct policy clean = policy_clean();
    uint32_t bits = 0;
    if (entry_is_bare(entry))
        return 0;
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field field = (enum policy_field)i;
        uint32_t bit = POLICY_BIT(i);
        if (entry->skip & bit)
            continue;
        if (policy_has(readback, field)) {
            if (!policy_field_equal(&target, readback, field))
                bits |= bit;
        } else if (policy_has(&entry->m.policy, field) &&
                   !policy_field_equal(&target, &clean, field)) {
            bits |= bit;
        }
    }
    return bits;
}

void entry_action(const struct entry *entry, struct action *action)
{
    static const enum action_kind kinds[] = {
        [STEP_READ] = ACTION_READ,     [STEP_WRITE] = ACTION_WRITE,
        [STEP_RESET] = ACTION_RESET,   [STEP_PROVE] = ACTION_READ,
        [STEP_HOLD] = ACTION_HOLD,     [STEP_HELD] = ACTION_HELD,
        [STEP_LET_GO] = ACTION_LET_GO,
    };
    *action = (struct action){.kind = kinds[entry->step],
                              .pf = entry->m.claim.pf,
                              .vf_index = entry->m.claim.vf_index,
                              .fields = entry->fields,
                              .policy = entry->to_write};
    if (entry->step >= STEP_HOLD)
        action->policy = entry->m.policy;
}

static const char *remedy_of(const struct error *err)
{
    if (*err->remedy)
        return err->remedy;
    if (err->code == ERROR_UNSUPPORTED)
        return "the driver can't: use a PF that supports the field, or drop it";
    if (err->code == ERROR_RANGE)
        return "the driver refuses the value: check link and range";
    if (err->code == ERROR_PERMISSION)
        return "run the agent as root (CAP_NET_ADMIN)";
    if (err->code == ERROR_AGAIN)
        return "the device is busy: it is tried again by itself";
    return "see the kernel's log of this host";
}

static void refuse(struct reconcile *r, struct entry *entry, int64_t now,
                   const char *reason, const char *field, const char *message,
                   const char *remedy)
{
    entry->failures++;
    entry_condition(r, entry, now, CONDITION_FALSE, reason, field,
                    "%.180s; %.70s", message, remedy);
    entry_move(r, entry, MANAGED_RESTORING);
}

static void refuse_difference(struct reconcile *r, struct entry *entry,
                              int64_t now, uint32_t bits)
{
    enum policy_field field = (enum policy_field)__builtin_ctz(bits);
    const char *name = policy_field_name(field);
    struct policy target = policy_target(&entry->m.policy);
    char want[POLICY_VALUE_SIZE], got[POLICY_VALUE_SIZE], text[160];
    policy_value_text(&target, field, want);
    if (!policy_has(&entry->readback, field)) {
        snprintf(text, sizeof text,
                 "%s %s was accepted, but the driver does not report it, so it "
                 "can't be proven",
                 name, want);
        refuse(r, entry, now, "FieldNotReported", name, text,
               "use a PF that reports the field");
        return;
    }
    snprintf(text, sizeof text, "%s %s was accepted, but the kernel reads %s",
             name, want, policy_value_text(&entry->readback, field, got));
    refuse(r, entry, now, "ReadBackDiffers", name, text,
           "see the kernel's log of this host");
}

/* A call failed in a way that may pass. Returns true when it was tried often
 * enough. */
static bool tried_enough(struct entry *entry, int64_t now)
{
    entry->tries++;
    entry->next_at = now + (RETRY_NS << entry->tries);
    return entry->tries > TRIES_MAX;
}

static void write_failed(struct reconcile *r, struct entry *entry, int64_t now,
                         const struct error *err)
{
    enum policy_field field = policy_field_parse(err->field);
    bool asked =
        field < POLICY_FIELD_MAX && policy_has(&entry->m.policy, field);
    if (err->code == ERROR_UNSUPPORTED && field < POLICY_FIELD_MAX && !asked) {
        /* Nobody asked for it and nobody can set it: its default stands. */
        entry->skip |= POLICY_BIT(field);
        entry->step = STEP_READ;
        entry->drifted = false;
        return;
    }
    bool may_pass = err->code == ERROR_AGAIN || err->code == ERROR_VANISHED;
    if (may_pass && !tried_enough(entry, now)) {
        entry->step = STEP_READ;
        return;
    }
    char text[220];
    if (err->sys)
        snprintf(text, sizeof text, "%s was refused with %s: %.140s",
                 *err->field ? err->field : "the policy",
                 error_errno_name(err->sys), err->msg);
    else
        snprintf(text, sizeof text, "%s was refused: %.160s",
                 *err->field ? err->field : "the policy", err->msg);
    refuse(r, entry, now, "FieldRefused", err->field, text, remedy_of(err));
}

static void proven(struct reconcile *r, struct entry *entry, int64_t now)
{
    bool repaired = entry->drifted;
    entry->failures = 0;
    entry->drifted = false;
    uint32_t skip = entry->skip;
    entry_move(r, entry, MANAGED_APPLIED);
    entry->skip = skip; /* they would read as drift otherwise */
    entry_condition(r, entry, now, CONDITION_TRUE,
                    repaired ? "DriftRepaired" : "ReadBackEqual", "",
                    repaired ? "somebody else had changed it; the kernel reads "
                               "what was asked again"
                             : "the kernel reads what was asked");
}

static void read_done(struct reconcile *r, struct entry *entry, int64_t now)
{
    uint32_t bits = apply_difference(entry, &entry->readback);
    if (!bits) {
        proven(r, entry, now);
        return;
    }
    if (entry->step == STEP_READ) {
        entry->fields = bits;
        entry->to_write = policy_target(&entry->m.policy);
        entry->step = STEP_WRITE;
        return;
    }
    /* Some drivers take a moment to tell what they took. */
    if (tried_enough(entry, now))
        refuse_difference(r, entry, now, bits);
}

bool apply_done(struct reconcile *r, struct entry *entry, int64_t now,
                const struct action *action, const struct action_result *result)
{
    const struct error *err = &result->err;
    if (action->kind == ACTION_WRITE) {
        if (result->failed)
            write_failed(r, entry, now, err);
        else
            entry->step = STEP_PROVE;
        if (!result->failed && PLANT(NO_READ_BACK)) {
            entry->readback = entry->to_write;
            entry->readback_at = now;
            proven(r, entry, now);
        }
        return result->failed && err->code == ERROR_VANISHED;
    }
    if (!result->failed) {
        read_done(r, entry, now);
        return false;
    }
    if (tried_enough(entry, now)) {
        entry->tries = TRIES_MAX; /* reading is never given up */
        entry->next_at = now + FAILED_RETRY_NS;
    }
    entry_condition(r, entry, now, CONDITION_UNKNOWN, "ReadFailed", "",
                    "the VF can't be read: %.160s; %.60s", err->msg,
                    remedy_of(err));
    return err->code == ERROR_VANISHED;
}
