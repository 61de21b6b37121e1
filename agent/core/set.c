/* SPDX-License-Identifier: Apache-2.0 */
/* The sets of agent/core: entries (VFs that we hold), wants (ports of the
 * document), PFs as last read; and the one way in which an entry changes. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The first index whose entry is not below (pf, vf_index). */
static size_t entry_index(const struct reconcile *r, const struct pf_key *pf,
                          uint16_t vf_index)
{
    size_t low = 0, high = r->entry_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct claim *claim = &r->entries[middle]->m.claim;
        int order = pf_key_compare(&claim->pf, pf);
        if (order < 0 || (order == 0 && claim->vf_index < vf_index))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct entry *entry_at(const struct reconcile *r, const struct pf_key *pf,
                       uint16_t vf_index)
{
    size_t i = entry_index(r, pf, vf_index);
    if (i == r->entry_count)
        return NULL;
    struct entry *entry = r->entries[i];
    bool same = entry->m.claim.vf_index == vf_index &&
                pf_key_compare(&entry->m.claim.pf, pf) == 0;
    return same ? entry : NULL;
}

struct entry *entry_add(struct reconcile *r, const struct managed *managed)
{
    size_t i = entry_index(r, &managed->claim.pf, managed->claim.vf_index);
    struct entry *entry = mem_new(struct entry);
    entry->m = *managed;
    mem_grow(&r->entries, &r->entry_capacity, r->entry_count,
             sizeof *r->entries);
    memmove(r->entries + i + 1, r->entries + i,
            (r->entry_count - i) * sizeof *r->entries);
    r->entries[i] = entry;
    r->entry_count++;
    entry_touch(r, entry);
    entry->intent = r->version;
    return entry;
}

void entry_remove(struct reconcile *r, size_t index)
{
    struct entry *entry = r->entries[index];
    pf_changed(r, &entry->m.claim.pf);
    free(entry->probe);
    free(entry);
    r->entry_count--;
    memmove(r->entries + index, r->entries + index + 1,
            (r->entry_count - index) * sizeof *r->entries);
}

/* What was held for a port keeps its revision, also when the port was given
 * up; documents count from epoch 1. */
bool entry_is_probe(const struct entry *entry)
{
    return uuid_is_zero(&entry->m.port) && entry->m.revision.epoch == 0;
}

bool entries_hold(const struct reconcile *r, const struct uuid *port)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        if (uuid_equal(&r->entries[i]->m.port, port))
            return true;
    }
    return false;
}

static size_t want_index(const struct reconcile *r, const struct uuid *port)
{
    size_t low = 0, high = r->want_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_compare(&r->wants[middle].d.id, port) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct want *want_of(const struct reconcile *r, const struct uuid *port)
{
    size_t i = want_index(r, port);
    if (i == r->want_count || !uuid_equal(&r->wants[i].d.id, port))
        return NULL;
    return &r->wants[i];
}

struct want *want_put(struct reconcile *r, const struct desired_port *port)
{
    struct want *want = want_of(r, &port->id);
    if (!want) {
        size_t i = want_index(r, &port->id);
        mem_grow(&r->wants, &r->want_capacity, r->want_count, sizeof *r->wants);
        memmove(r->wants + i + 1, r->wants + i,
                (r->want_count - i) * sizeof *r->wants);
        r->want_count++;
        want = &r->wants[i];
        memset(want, 0, sizeof *want);
    }
    want->d = *port;
    want->since = r->now;
    r->changes++;
    return want;
}

void want_remove(struct reconcile *r, struct want *want)
{
    size_t i = (size_t)(want - r->wants);
    r->want_count--;
    memmove(r->wants + i, r->wants + i + 1,
            (r->want_count - i) * sizeof *r->wants);
    r->changes++;
}

struct pf_slot *slot_of(const struct reconcile *r, const struct pf_key *key)
{
    for (size_t i = 0; i < r->pf_count; i++) {
        if (pf_key_compare(&r->pfs[i].pf->key, key) == 0)
            return &r->pfs[i];
    }
    return NULL;
}

struct vf *vf_of(const struct reconcile *r, const struct pf_key *pf,
                 uint16_t vf_index)
{
    const struct pf_slot *slot = slot_of(r, pf);
    if (!slot)
        return NULL;
    /* The slot's PF is our own copy, so its VFs may be written. */
    for (size_t i = 0; i < slot->pf->vf_count; i++) {
        if (slot->pf->vfs[i].index == vf_index)
            return &slot->pf->vfs[i];
    }
    return NULL;
}

void pf_changed(struct reconcile *r, const struct pf_key *key)
{
    struct pf_slot *slot = slot_of(r, key);
    r->changes++;
    if (slot)
        slot->changes = r->changes;
}

void entry_touch(struct reconcile *r, struct entry *entry)
{
    r->version++;
    r->replan = true;
    pf_changed(r, &entry->m.claim.pf);
}

void entry_move(struct reconcile *r, struct entry *entry,
                enum managed_phase phase)
{
    assert(managed_move_allowed((enum managed_phase)entry->m.phase, phase));
    entry->m.phase = (uint8_t)phase;
    entry->step = STEP_READ;
    entry->tries = 0;
    entry->next_at = 0;
    entry->skip = 0;
    entry->was_reset = false;
    entry->was_let_go = false;
    free(entry->probe);
    entry->probe = NULL;
    entry_touch(r, entry);
}

void entry_move_durably(struct reconcile *r, struct entry *entry,
                        enum managed_phase phase)
{
    entry_move(r, entry, phase);
    entry->intent = r->version;
}

void condition_vfill(struct condition *condition, const char *type, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *field, const char *format, va_list list)
{
    struct condition made = {.status = (uint8_t)status, .at = now};
    str_copy(made.type, type);
    str_copy(made.reason, reason);
    str_copy(made.field, field);
    vsnprintf(made.message, sizeof made.message, format, list);
    bool same = condition->status == made.status &&
                strcmp(condition->reason, made.reason) == 0 &&
                strcmp(condition->field, made.field) == 0 &&
                strcmp(condition->message, made.message) == 0;
    if (!same)
        *condition = made;
}

void condition_fill(struct condition *condition, int64_t now,
                    enum condition_status status, const char *reason,
                    const char *field, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    condition_vfill(condition, CONDITION_TYPE, now, status, reason, field,
                    format, list);
    va_end(list);
}

void pf_condition(struct condition *condition, int64_t now,
                  enum condition_status status, const char *reason,
                  const char *field, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    condition_vfill(condition, PF_CONDITION_TYPE, now, status, reason, field,
                    format, list);
    va_end(list);
}

void other_condition(struct condition *condition, const char *type, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *format, ...)
{
    va_list list;
    va_start(list, format);
    condition_vfill(condition, type, now, status, reason, "", format, list);
    va_end(list);
}

void entry_condition(struct reconcile *r, struct entry *entry, int64_t now,
                     enum condition_status status, const char *reason,
                     const char *field, const char *format, ...)
{
    struct condition before = entry->m.condition;
    va_list list;
    va_start(list, format);
    condition_vfill(&entry->m.condition, CONDITION_TYPE, now, status, reason,
                    field, format, list);
    va_end(list);
    if (memcmp(&before, &entry->m.condition, sizeof before) != 0)
        r->changes++;
}
