/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of VMs. Nothing is decided here. */
#include "agent/core/internal.h"

static uint8_t power_of(const struct reconcile *r, const struct vm_slot *vm)
{
    if (!r->domains)
        return POWER_UNKNOWN;
    return vm->domain ? vm->domain->power_state : POWER_ABSENT;
}

static uint8_t phase_of_record(const struct vm_record *record)
{
    switch ((enum vm_run)record->run) {
    case VM_RUN_STARTED:
    case VM_RUN_STOPPED:
        return VM_PHASE_APPLIED;
    case VM_RUN_FAILED:
        return VM_PHASE_FAILED;
    case VM_RUN_STARTING:
    case VM_RUN_STOPPING:
    case VM_RUN_MAX:
        break;
    }
    return VM_PHASE_PENDING;
}

static uint8_t phase_of(const struct reconcile *r, const struct vm_slot *vm)
{
    if (!vm->wanted)
        return r->has_document ? VM_PHASE_UNKNOWN
                               : phase_of_record(&vm->record);
    if (vm->d.absent)
        return vm_is_gone(r, vm) ? VM_PHASE_ABSENT : VM_PHASE_PENDING;
    if (vm->d.lifecycle != LIFECYCLE_MANAGED)
        return VM_PHASE_APPLIED;
    bool acted = vm->has_record &&
                 uuid_equal(&vm->record.boot_id, &r->config.boot_id) &&
                 revision_compare(&vm->record.revision, &vm->d.revision) == 0;
    return acted ? phase_of_record(&vm->record) : VM_PHASE_PENDING;
}

static void tell(const struct reconcile *r, const struct vm_slot *vm,
                 struct observed_vm *out)
{
    *out = (struct observed_vm){.id = vm->id,
                                .phase = phase_of(r, vm),
                                .power_state = power_of(r, vm),
                                .revision = vm->wanted ? vm->d.revision
                                                       : vm->record.revision,
                                .condition = vm->condition};
    if (vm->domain)
        out->domain = vm->domain->uuid;
    if (!*out->condition.type)
        other_condition(&out->condition, RUNNING_TYPE, vm->since,
                        CONDITION_UNKNOWN, "Starting",
                        "not yet looked at since the agent's start");
}

size_t reconcile_vms(const struct reconcile *r, struct observed_vm *out,
                     size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < r->vm_count; i++) {
        if (!r->vms[i]->wanted && !r->vms[i]->has_record)
            continue;
        if (count < max)
            tell(r, r->vms[i], &out[count]);
        count++;
    }
    return count;
}
