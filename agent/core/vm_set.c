/* SPDX-License-Identifier: Apache-2.0 */
/* The set of VMs: what the document says, and what is durable of them. */
#include "agent/core/internal.h"

#include <stdio.h>
#include <string.h>

static size_t vm_index(const struct reconcile *r, const struct uuid *id)
{
    size_t low = 0, high = r->vm_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (uuid_compare(&r->vms[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct vm_slot *vm_at(const struct reconcile *r, const struct uuid *id)
{
    size_t i = vm_index(r, id);
    bool found = i < r->vm_count && uuid_equal(&r->vms[i]->id, id);
    return found ? r->vms[i] : NULL;
}

static struct vm_slot *vm_put(struct reconcile *r, const struct uuid *id)
{
    struct vm_slot *vm = vm_at(r, id);
    if (vm)
        return vm;
    size_t i = vm_index(r, id);
    mem_grow(&r->vms, &r->vm_capacity, r->vm_count, sizeof *r->vms);
    memmove(r->vms + i + 1, r->vms + i, (r->vm_count - i) * sizeof *r->vms);
    r->vm_count++;
    vm = r->vms[i] = mem_new(struct vm_slot);
    vm->id = *id;
    return vm;
}

static void slot_free(struct vm_slot *vm)
{
    ref_put(vm->d.domain_xml);
    free(vm->order.xml);
    free(vm->order.alias);
    free(vm);
}

void vms_done(struct reconcile *r)
{
    for (size_t i = 0; i < r->vm_count; i++)
        slot_free(r->vms[i]);
    free(r->vms);
    ref_put(r->domains);
}

/* ---- the durable part --------------------------------------------------------- */

void vms_load(struct reconcile *r, const struct agent_state *state)
{
    for (size_t i = 0; i < state->vm_count; i++) {
        struct vm_slot *vm = vm_put(r, &state->vms[i].vm);
        vm->has_record = true;
        vm->record = state->vms[i];
        vm->condition = vm->record.condition;
    }
}

void vms_store(const struct reconcile *r, struct agent_state *state)
{
    free(state->vms);
    state->vms = mem_calloc(r->vm_count, sizeof *state->vms);
    state->vm_count = 0;
    for (size_t i = 0; i < r->vm_count; i++) {
        if (r->vms[i]->has_record)
            state->vms[state->vm_count++] = r->vms[i]->record;
    }
}

static void touch(struct reconcile *r, struct vm_slot *vm)
{
    vm->intent = ++r->version;
    r->replan = true;
    r->changes++;
}

void vm_move(struct reconcile *r, struct vm_slot *vm, enum vm_run run)
{
    vm->has_record = true;
    vm->record = (struct vm_record){.vm = vm->id,
                                    .revision = vm->d.revision,
                                    .boot_id = r->config.boot_id,
                                    .run = (uint8_t)run};
    if (run == VM_RUN_FAILED)
        vm->record.condition = vm->condition;
    vm->tries = 0;
    vm->next_at = 0;
    vm->defined = vm->asked = false;
    touch(r, vm);
}

void vm_drop_record(struct reconcile *r, struct vm_slot *vm)
{
    vm->has_record = false;
    memset(&vm->record, 0, sizeof vm->record);
    touch(r, vm);
}

void vm_condition(struct reconcile *r, struct vm_slot *vm, int64_t now,
                  enum condition_status status, const char *reason,
                  const char *format, ...)
{
    struct condition before = vm->condition;
    va_list list;
    va_start(list, format);
    condition_vfill(&vm->condition, RUNNING_TYPE, now, status, reason, "",
                    format, list);
    va_end(list);
    if (memcmp(&before, &vm->condition, sizeof before) != 0)
        r->changes++;
}

/* ---- documents -------------------------------------------------------------------- */

static void unwant(struct reconcile *r, struct vm_slot *vm)
{
    ref_put(vm->d.domain_xml);
    memset(&vm->d, 0, sizeof vm->d);
    vm->wanted = false;
    r->changes++;
}

static void take(struct reconcile *r, const struct desired_vm *d)
{
    struct vm_slot *vm = vm_put(r, &d->id);
    bool same = vm->wanted && vm->d.absent == d->absent &&
                revision_compare(&vm->d.revision, &d->revision) == 0;
    if (same)
        return;
    if (vm->wanted)
        unwant(r, vm);
    vm->d = *d;
    vm->d.domain_xml = d->domain_xml ? ref_get(d->domain_xml) : NULL;
    vm->wanted = true;
    vm->since = r->now;
    vm->tries = 0;
    vm->next_at = 0;
    r->changes++;
}

void vms_take(struct reconcile *r, const struct desired *doc)
{
    for (size_t i = 0; doc->full && i < r->vm_count; i++) {
        bool listed = false;
        for (size_t k = 0; !listed && k < doc->vm_count; k++)
            listed = uuid_equal(&doc->vms[k].id, &r->vms[i]->id);
        if (!listed && r->vms[i]->wanted)
            unwant(r, r->vms[i]);
    }
    for (size_t i = 0; i < doc->vm_count; i++)
        take(r, &doc->vms[i]);
    vms_sweep(r);
}

void vms_sweep(struct reconcile *r)
{
    size_t kept = 0;
    for (size_t i = 0; i < r->vm_count; i++) {
        struct vm_slot *vm = r->vms[i];
        if (vm->wanted || vm->has_record || vm->order.active)
            r->vms[kept++] = vm;
        else
            slot_free(vm);
    }
    r->vm_count = kept;
}

void reconcile_forget_vm(struct reconcile *r, const struct uuid *id)
{
    struct vm_slot *vm = vm_at(r, id);
    if (vm && vm->wanted && vm->d.absent && vm_is_gone(r, vm)) {
        unwant(r, vm);
        vms_sweep(r);
    }
}
