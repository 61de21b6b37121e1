/* SPDX-License-Identifier: Apache-2.0 */
/* When a PF may be changed, as one table: never the one that carries the host's
 * own traffic, never under a claim or an external user. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>

struct facts {
    const struct reconcile *r;
    const struct pf_key *key;
    const struct pf *pf;            /* NULL = not on the host now */
    const struct pf_target *target; /* NULL: begun already */
    int64_t now;
};

static bool is_on(const struct claim *claim, const struct facts *f)
{
    return pf_key_compare(&claim->pf, f->key) == 0;
}

/* A VF beyond the count can't be taken away; after a host boot the setting is
 * what brings it back. One that is only off the bus can. */
static bool is_there(const struct claim *claim, const struct facts *f)
{
    return claim->vf_index == CLAIM_WHOLE_PF ||
           claim->vf_index < f->pf->num_vfs;
}

/* A claim that stands in the way: what we hold, or what the document wants. */
struct holder {
    const struct claim *claim; /* NULL = none */
    const struct uuid *port;
};

static struct holder holder_of(const struct facts *f)
{
    for (size_t i = 0; i < f->r->entry_count; i++) {
        const struct managed *m = &f->r->entries[i]->m;
        if (!uuid_is_zero(&m->port) && is_on(&m->claim, f) &&
            is_there(&m->claim, f))
            return (struct holder){&m->claim, &m->port};
    }
    for (size_t i = 0; i < f->r->want_count; i++) {
        const struct desired_port *d = &f->r->wants[i].d;
        if (!d->absent && d->has_claim && d->path == PATH_VF &&
            is_on(&d->claim, f) && is_there(&d->claim, f))
            return (struct holder){&d->claim, &d->id};
    }
    return (struct holder){NULL, NULL};
}

static const struct vf *external(const struct facts *f)
{
    for (size_t i = 0; i < f->pf->vf_count; i++) {
        if (f->pf->vfs[i].state == VF_EXTERNAL)
            return &f->pf->vfs[i];
    }
    return NULL;
}

/* A probe, or the cleaning after it: over in seconds. */
static const struct entry *worked_on(const struct facts *f)
{
    for (size_t i = 0; i < f->r->entry_count; i++) {
        const struct entry *entry = f->r->entries[i];
        if (uuid_is_zero(&entry->m.port) && !entry->gone &&
            entry->m.phase != MANAGED_QUARANTINED &&
            is_on(&entry->m.claim, f) &&
            (claim_is_whole(&entry->m.claim) ||
             pf_vf(f->pf, entry->m.claim.vf_index)))
            return entry;
    }
    return NULL;
}

static bool pf_is_gone(const struct facts *f)
{
    return !f->pf;
}

static bool pf_is_management(const struct facts *f)
{
    return f->pf->management;
}

static bool is_above_limit(const struct facts *f)
{
    return f->target && f->target->has_num_vfs &&
           f->target->num_vfs > f->pf->total_vfs;
}

static bool is_claimed(const struct facts *f)
{
    return holder_of(f).claim != NULL;
}

static bool is_used(const struct facts *f)
{
    return external(f) != NULL;
}

static bool is_worked_on(const struct facts *f)
{
    return worked_on(f) != NULL;
}

static bool is_silent(const struct facts *f)
{
    return f->target &&
           (f->r->heard_at == 0 || f->now - f->r->heard_at > PF_HEARD_NS);
}

static void say_gone(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the PF is not on the host now; it goes on when it is back");
}

static void say_management(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "the PF carries the host's own traffic (%s) and is never touched",
             *f->pf->management_reason ? f->pf->management_reason : "see host");
}

static void say_limit(const struct facts *f, char *text, size_t size)
{
    snprintf(text, size,
             "%u VFs are asked for, but the PF's firmware allows at most %u; "
             "ask for fewer, or raise its limit with the vendor's tool",
             f->target->num_vfs, f->pf->total_vfs);
}

static void say_claimed(const struct facts *f, char *text, size_t size)
{
    const struct holder holder = holder_of(f);
    char id[UUID_TEXT_SIZE];
    if (!holder.claim)
        return;
    uuid_format(holder.port, id);
    if (holder.claim->vf_index == CLAIM_WHOLE_PF)
        snprintf(text, size,
                 "the PF is held as a whole for port %s; delete that port "
                 "first",
                 id);
    else
        snprintf(text, size,
                 "VF %u is held for port %s; delete or move the ports of this "
                 "PF first",
                 holder.claim->vf_index, id);
}

static void say_used(const struct facts *f, char *text, size_t size)
{
    const struct vf *vf = external(f);
    if (!vf)
        return;
    snprintf(text, size,
             "something else uses VF %u (%.80s); it goes on when that lets it "
             "go",
             vf->index, *vf->reason ? vf->reason : "external");
}

static void say_worked_on(const struct facts *f, char *text, size_t size)
{
    const struct entry *entry = worked_on(f);
    if (!entry)
        return;
    snprintf(text, size, "VF %u is %s; it goes on when that is over",
             entry->m.claim.vf_index,
             managed_phase_name((enum managed_phase)entry->m.phase));
}

static void say_silent(const struct facts *f, char *text, size_t size)
{
    (void)f;
    snprintf(text, size,
             "the scheduler was not heard within the last %d s; a change "
             "begins only while it is",
             (int)(PF_HEARD_NS / TIMESTAMP_SECOND));
}

/* In this order; the first that holds forbids. */
static const struct rule {
    bool (*holds)(const struct facts *facts);
    uint8_t phase; /* enum pf_phase that is told */
    bool always;   /* also while a change goes on */
    bool passes;   /* by itself, in seconds: no probe begins meanwhile */
    const char *reason;
    void (*say)(const struct facts *facts, char *text, size_t size);
} rules[] = {
    {pf_is_gone, PF_PENDING, false, false, "PfVanished", say_gone},
    {pf_is_management, PF_PENDING, true, false, "PfIsManagement",
     say_management},
    {is_above_limit, PF_FAILED, false, false, "AboveLimit", say_limit},
    {is_claimed, PF_PENDING, false, false, "PfClaimed", say_claimed},
    {is_used, PF_PENDING, true, false, "VfExternal", say_used},
    {is_worked_on, PF_PENDING, false, true, "VfBusy", say_worked_on},
    {is_silent, PF_PENDING, false, false, "SchedulerSilent", say_silent},
};

static const struct rule *forbids(const struct facts *f, bool always_only,
                                  struct condition *condition)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *rule = &rules[i];
        if ((always_only && !rule->always) || (rule->always && !f->pf) ||
            !rule->holds(f))
            continue;
        char text[220] = "";
        rule->say(f, text, sizeof text);
        pf_condition(condition, f->now, CONDITION_FALSE, rule->reason,
                     rule->phase == PF_FAILED ? PF_TARGET_NUM_VFS : "", "%s",
                     text);
        return rule;
    }
    return NULL;
}

bool pf_rules_allow(const struct reconcile *r, struct pf_wish *want,
                    int64_t now)
{
    const struct pf_slot *slot = slot_of(r, &want->d.key);
    struct pf_target target = pf_target_of(&want->d);
    const struct facts f = {.r = r,
                            .key = &want->d.key,
                            .pf = slot ? slot->pf : NULL,
                            .target = &target,
                            .now = now};
    const struct rule *rule = forbids(&f, false, &want->condition);
    if (!rule)
        return true;
    want->phase = rule->phase;
    want->waits = rule->passes;
    return false;
}

bool pf_rules_still_allow(const struct reconcile *r, const struct pf_key *key,
                          bool begun, int64_t now, struct condition *condition)
{
    const struct pf_slot *slot = slot_of(r, key);
    const struct facts f = {
        .r = r, .key = key, .pf = slot ? slot->pf : NULL, .now = now};
    return !forbids(&f, begun, condition);
}
