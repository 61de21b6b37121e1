/* SPDX-License-Identifier: Apache-2.0 */
/* What a host's reports say, merged: a report laid over the one before it, and
 * what of that still counts. Called by observe.c for a report that was
 * accepted; decides nothing. */
#include "scheduler/core/observe.h"

#include "common/base/str.h"

#include <string.h>

static bool is_gone(const struct observed *observed, const struct pf_key *key)
{
    for (size_t i = 0; i < observed->gone_count; i++)
        if (pf_key_compare(&observed->gone_pfs[i], key) == 0)
            return true;
    return false;
}

/* The PFs after a partial report, ordered; returns how many. 'pfs' has room
 * for both, the pointers are borrowed. */
static size_t merge_pfs(const struct inventory *old,
                        const struct observed *observed, struct pf **pfs)
{
    const struct inventory *new = observed->inventory;
    size_t count = 0, i = 0, j = 0;
    while (i < old->pf_count || j < new->pf_count) {
        int order = i == old->pf_count ? 1
                    : j == new->pf_count
                        ? -1
                        : pf_key_compare(&old->pfs[i]->key, &new->pfs[j]->key);
        if (order >= 0) {
            pfs[count++] = new->pfs[j++];
            i += order == 0;
        } else if (is_gone(observed, &old->pfs[i]->key)) {
            i++;
        } else {
            pfs[count++] = old->pfs[i++];
        }
    }
    return count;
}

/* A reference to the inventory as it is after the report; a partial one has
 * an 'old' to build on (check_order). */
static struct inventory *merge_inventory(const struct inventory *old,
                                         const struct observed *observed)
{
    struct inventory *facts = observed->inventory;
    if (observed->full)
        return ref_get(facts);
    if (!facts || !old)
        return ref_get(old);
    if (!facts->pf_count && !observed->gone_count &&
        inventory_same_host_facts(old, facts))
        return ref_get(old);
    auto_free struct pf **pfs =
        mem_calloc(old->pf_count + facts->pf_count, sizeof *pfs);
    size_t count = merge_pfs(old, observed, pfs);
    struct inventory *merged = inventory_like(facts, count);
    for (size_t i = 0; i < count; i++)
        merged->pfs[i] = ref_get(pfs[i]);
    return merged;
}

static void report_release(void *object)
{
    struct host_report *report = object;
    ref_put(report->inventory);
    free(report->ports);
    free(report->pfs);
    free(report->vms);
    free(report->over);
    free(report);
}

static void *copy_array(const void *items, size_t count, size_t size)
{
    void *copy = mem_calloc(count, size);
    if (count)
        memcpy(copy, items, count * size);
    return copy;
}

struct host_report *report_dup(const struct host_report *report)
{
    struct host_report *copy = mem_dup(report, sizeof *report);
    ref_init(&copy->ref, report_release);
    ref_get(copy->inventory);
    copy->ports =
        copy_array(report->ports, report->port_count, sizeof *copy->ports);
    copy->pfs = copy_array(report->pfs, report->pf_count, sizeof *copy->pfs);
    copy->vms = copy_array(report->vms, report->vm_count, sizeof *copy->vms);
    copy->over =
        copy_array(report->over, report->over_count, sizeof *copy->over);
    return copy;
}

static int by_id(const void *a, const void *b)
{
    return uuid_compare(&((const struct observed_port *)a)->id,
                        &((const struct observed_port *)b)->id);
}

bool report_port_is_gone(const struct host_report *report,
                         const struct port *port)
{
    const struct observed_port *seen = report_port(report, &port->id);
    return seen && seen->phase == PORT_ABSENT &&
           revision_compare(&seen->revision, &port->revision) >= 0;
}

bool report_vm_is_gone(const struct host_report *report, const struct vm *vm)
{
    const struct observed_vm *seen = report_vm(report, &vm->id);
    if (vm->lifecycle == LIFECYCLE_HOST)
        return true;
    if (!seen) /* of an external one an older agent tells nothing */
        return !vm_is_managed(vm);
    return seen->phase == VM_PHASE_ABSENT &&
           revision_compare(&seen->revision, &vm->revision) >= 0;
}

/* An agent forgets an absent port once its report was taken, but the record
 * needs it until the VM's other ports are absent too. */
static bool is_still_needed(const struct core *core,
                            const struct host_report *old,
                            const struct observed *observed,
                            const struct observed_port *was)
{
    const struct vm *vm = state_vm(&core->state, &was->vm);
    if (was->phase != PORT_ABSENT || !vm || vm->state != VM_DELETING ||
        strcmp(vm->host, observed->host) != 0)
        return false;
    for (size_t i = 0; i < observed->port_count; i++)
        if (uuid_equal(&observed->ports[i].id, &was->id))
            return false;
    for (size_t i = 0; i < vm->port_count; i++)
        if (uuid_equal(&vm->ports[i].id, &was->id))
            return report_port_is_gone(old, &vm->ports[i]);
    return false;
}

static void take_ports(const struct core *core, const struct host_report *old,
                       const struct observed *observed,
                       struct host_report *report)
{
    size_t kept = old ? old->port_count : 0;
    size_t count = observed->port_count;
    report->ports = mem_calloc(count + kept, sizeof *report->ports);
    if (count)
        memcpy(report->ports, observed->ports, count * sizeof *report->ports);
    for (size_t i = 0; i < kept; i++)
        if (is_still_needed(core, old, observed, &old->ports[i]))
            report->ports[count++] = old->ports[i];
    report->port_count = count;
    qsort(report->ports, count, sizeof *report->ports, by_id);
}

static int vm_by_id(const void *a, const void *b)
{
    return uuid_compare(&((const struct observed_vm *)a)->id,
                        &((const struct observed_vm *)b)->id);
}

static bool tells_vm(const struct observed *observed, const struct uuid *id)
{
    for (size_t i = 0; i < observed->vm_count; i++)
        if (uuid_equal(&observed->vms[i].id, id))
            return true;
    return false;
}

/* The same for a VM that is gone while its ports are still being cleaned. */
static bool vm_is_still_needed(const struct core *core,
                               const struct host_report *old,
                               const struct observed *observed,
                               const struct observed_vm *was)
{
    const struct vm *vm = state_vm(&core->state, &was->id);
    return was->phase == VM_PHASE_ABSENT && vm && vm->state == VM_DELETING &&
           strcmp(vm->host, observed->host) == 0 &&
           report_vm_is_gone(old, vm) && !tells_vm(observed, &was->id);
}

static void take_vms(const struct core *core, const struct host_report *old,
                     const struct observed *observed,
                     struct host_report *report)
{
    size_t kept = old ? old->vm_count : 0;
    size_t count = observed->vm_count;
    report->vms = mem_calloc(count + kept, sizeof *report->vms);
    if (count)
        memcpy(report->vms, observed->vms, count * sizeof *report->vms);
    for (size_t i = 0; i < kept; i++)
        if (vm_is_still_needed(core, old, observed, &old->vms[i]))
            report->vms[count++] = old->vms[i];
    report->vm_count = count;
    qsort(report->vms, count, sizeof *report->vms, vm_by_id);
}

struct host_report *report_make(const struct core *core,
                                const struct core_call *call,
                                const struct host_report *old,
                                const struct observed *observed)
{
    struct host_report *report = mem_new(struct host_report);
    ref_init(&report->ref, report_release);
    str_copy(report->host, observed->host);
    report->boot_id = observed->boot_id;
    report->cluster_id = observed->cluster_id;
    str_copy(report->agent_version, observed->agent_version);
    report->incarnation = observed->incarnation;
    report->sequence = observed->sequence;
    report->accepted = observed->accepted;
    report->inventory = merge_inventory(old ? old->inventory : NULL, observed);
    take_ports(core, old, observed, report);
    take_vms(core, old, observed, report);
    /* What another cluster told its agent is not ours to judge. */
    bool foreign = report_is_foreign(report, core->state.cluster);
    report->pf_count = foreign ? 0 : observed->pf_count;
    report->pfs =
        copy_array(observed->pfs, report->pf_count, sizeof *report->pfs);
    report->over_count = old ? old->over_count : 0;
    report->over = copy_array(old ? old->over : NULL, report->over_count,
                              sizeof *report->over);
    for (size_t i = 0; foreign && i < report->port_count; i++)
        report->ports[i].phase = PORT_UNKNOWN;
    for (size_t i = 0; foreign && i < report->vm_count; i++)
        report->vms[i].phase = VM_PHASE_UNKNOWN;
    report->received_at = call->now_ns;
    return report;
}
