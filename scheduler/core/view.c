/* SPDX-License-Identifier: Apache-2.0 */
/* Host views: a host with its report, VMs and claims as one immutable object.
 * Made by apply.c alone, one per change of what hangs on a host. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>

static void view_release(void *object)
{
    struct host_view *view = object;
    ref_put(view->host);
    ref_put(view->report);
    ref_put(view->presence);
    free(view->vms);
    free(view->claims);
    free(view);
}

static struct host_view *view_alloc(const struct host_view *from,
                                    size_t vm_count, size_t claim_count)
{
    struct host_view *view = mem_new(struct host_view);
    ref_init(&view->ref, view_release);
    view->vms = mem_calloc(vm_count, sizeof *view->vms);
    view->claims = mem_calloc(claim_count, sizeof *view->claims);
    if (!from)
        return view;
    view->host = ref_get(from->host);
    view->report = ref_get(from->report);
    view->presence = ref_get(from->presence);
    view->state = from->state;
    str_copy(view->state_reason, from->state_reason);
    atomic_init(
        &view->last_seen_at,
        atomic_load_explicit(&from->last_seen_at, memory_order_relaxed));
    view->used_vcpus = from->used_vcpus;
    view->used_memory_mib = from->used_memory_mib;
    view->revision = from->revision;
    return view;
}

struct host_view *view_new(struct host *host)
{
    struct host_view *view = view_alloc(NULL, 0, 0);
    view->host = ref_get(host);
    return view;
}

struct host_view *view_dup(const struct host_view *view)
{
    struct host_view *copy =
        view_alloc(view, view->vm_count, view->claim_count);
    copy->vm_count = view->vm_count;
    copy->claim_count = view->claim_count;
    if (view->vm_count)
        memcpy(copy->vms, view->vms, view->vm_count * sizeof *view->vms);
    if (view->claim_count)
        memcpy(copy->claims, view->claims,
               view->claim_count * sizeof *view->claims);
    return copy;
}

static int claim_compare(const struct claim_entry *a,
                         const struct claim_entry *b)
{
    int order = pf_key_compare(&a->pf, &b->pf);
    return order ? order : (int)a->vf_index - (int)b->vf_index;
}

/* The position of the first claim that is not before this VF. */
static size_t claim_position(const struct host_view *view,
                             const struct pf_key *pf, uint16_t vf_index)
{
    struct claim_entry wanted = {.pf = *pf, .vf_index = vf_index};
    size_t low = 0, high = view->claim_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (claim_compare(&wanted, &view->claims[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t view_first_claim(const struct host_view *view, const struct pf_key *pf)
{
    return claim_position(view, pf, 0);
}

int view_find_claim(const struct host_view *view, const struct pf_key *pf,
                    uint16_t vf_index)
{
    size_t at = claim_position(view, pf, vf_index);
    if (at == view->claim_count || view->claims[at].vf_index != vf_index ||
        pf_key_compare(&view->claims[at].pf, pf) != 0)
        return -1;
    return (int)at;
}

static void view_add(struct host_view *view, const struct vm *vm)
{
    size_t at = view->vm_count++;
    for (; at > 0 && uuid_compare(&view->vms[at - 1], &vm->id) > 0; at--)
        view->vms[at] = view->vms[at - 1];
    view->vms[at] = vm->id;
    for (size_t i = 0; i < vm->port_count; i++) {
        if (!vm->ports[i].has_claim)
            continue;
        struct claim_entry entry = {
            .pf = vm->ports[i].claim.pf,
            .vf_index = vm->ports[i].claim.vf_index,
            .port_index = (uint16_t)i,
            .min_tx_rate_mbps = vm->ports[i].claim.min_tx_rate_mbps,
            .vm = vm->id,
        };
        at = view->claim_count++;
        for (; at > 0 && claim_compare(&view->claims[at - 1], &entry) > 0; at--)
            view->claims[at] = view->claims[at - 1];
        view->claims[at] = entry;
    }
    view->used_vcpus += vm->vcpus;
    view->used_memory_mib += vm->memory_mib;
}

static size_t vm_claims(const struct vm *vm)
{
    size_t count = 0;
    for (size_t i = 0; vm && i < vm->port_count; i++)
        count += vm->ports[i].has_claim;
    return count;
}

struct host_view *view_with_vm(const struct host_view *view,
                               const struct vm *before, const struct vm *after)
{
    struct host_view *copy = view_alloc(view, view->vm_count + 1,
                                        view->claim_count + vm_claims(after));
    for (size_t i = 0; i < view->vm_count; i++)
        if (!before || !uuid_equal(&view->vms[i], &before->id))
            copy->vms[copy->vm_count++] = view->vms[i];
    for (size_t i = 0; i < view->claim_count; i++)
        if (!before || !uuid_equal(&view->claims[i].vm, &before->id))
            copy->claims[copy->claim_count++] = view->claims[i];
    if (before) {
        copy->used_vcpus -= before->vcpus;
        copy->used_memory_mib -= before->memory_mib;
    }
    if (after)
        view_add(copy, after);
    return copy;
}

bool report_is_foreign(const struct host_report *report,
                       const struct cluster *cluster)
{
    return report && cluster && !uuid_is_zero(&report->cluster_id) &&
           !uuid_equal(&report->cluster_id, &cluster->id);
}

/* Not reachable for orders comes before cordoned: it is the greater news. */
void view_set_state(struct host_view *view, const struct cluster *cluster)
{
    view->state = HOST_UNREACHABLE;
    if (view->presence && view->presence->presence == PRESENCE_LOST) {
        char at[TIMESTAMP_TEXT_SIZE];
        timestamp_format(view->presence->at, at);
        snprintf(view->state_reason, sizeof view->state_reason,
                 "its agent was lost at %s: check that sriov-agent runs on the "
                 "host and reaches the scheduler",
                 at);
    } else if (!view->report && uuid_is_zero(&view->host->machine_id)) {
        str_copy(view->state_reason,
                 "its agent has never reported: start sriov-agent on the host "
                 "with the token of its enrolment");
    } else if (!view->report) {
        str_copy(view->state_reason,
                 "its agent has not reported since the scheduler started");
    } else if (report_is_foreign(view->report, cluster)) {
        char id[UUID_TEXT_SIZE];
        uuid_format(&view->report->cluster_id, id);
        snprintf(view->state_reason, sizeof view->state_reason,
                 "its agent follows another cluster, %s; if that one is gone "
                 "for good, run 'sriov-agent adopt' on the host",
                 id);
    } else if (view->host->cordoned) {
        view->state = HOST_CORDONED;
        str_copy(view->state_reason, "cordoned by an operator");
    } else {
        view->state = HOST_READY;
        view->state_reason[0] = '\0';
    }
}
