/* SPDX-License-Identifier: Apache-2.0 */
/* Agents' reports: who may report, in which order; what follows from it
 * (bindings, an epoch to raise, VMs whose removal is done). Merging them is
 * report.c's, the events are events.c's. */
#include "scheduler/core/observe.h"

#include "common/base/plant.h"
#include "common/base/str.h"

#include <inttypes.h>
#include <string.h>

/* ---- is it acceptable -------------------------------------------------------- */

static int check_inventory(const struct observed *observed, struct error *err)
{
    const struct inventory *inventory = observed->inventory;
    if (!inventory)
        return observed->full
                   ? error_set_field(err, ERROR_INVALID, "inventory",
                                     "a full report has an inventory")
                   : 0;
    if (inventory->pf_count > HOST_PFS_MAX)
        return error_set_field(err, ERROR_INVALID, "inventory.pfs",
                               "%zu PFs are more than %d", inventory->pf_count,
                               HOST_PFS_MAX);
    for (size_t i = 0; i < inventory->pf_count; i++) {
        const struct pf *pf = inventory->pfs[i];
        if (i && pf_key_compare(&inventory->pfs[i - 1]->key, &pf->key) >= 0)
            return error_set_field(err, ERROR_INVALID, "inventory.pfs",
                                   "PF %s is not in order or given twice",
                                   pf->key.text);
        for (size_t j = 1; j < pf->vf_count; j++)
            if (pf->vfs[j - 1].index >= pf->vfs[j].index)
                return error_set_field(err, ERROR_INVALID, "inventory.pfs",
                                       "VF %u of PF %s is not in order or "
                                       "given twice",
                                       pf->vfs[j].index, pf->key.text);
        if (pf->vf_count > PF_VFS_MAX)
            return error_set_field(err, ERROR_INVALID, "inventory.pfs",
                                   "PF %s has more than %d VFs", pf->key.text,
                                   PF_VFS_MAX);
    }
    return 0;
}

static int check_identity(const struct core *core, const struct host *host,
                          const struct observed *observed, struct error *err)
{
    const struct uuid *machine = &observed->machine_id;
    const struct host *bound =
        omap_get(&core->state.machines, machine->bytes, sizeof machine->bytes);
    char mine[UUID_TEXT_SIZE], theirs[UUID_TEXT_SIZE];
    if (strcmp(observed->host, host->name) != 0)
        return error_set_field(err, ERROR_WRONG_HOST, "host",
                               "the token is host '%s''s, the report is about "
                               "'%s'",
                               host->name, observed->host);
    if (uuid_is_zero(machine))
        return error_set_field(err, ERROR_INVALID, "machine_id", "is zero");
    uuid_format(machine, theirs);
    if (bound && strcmp(bound->name, host->name) != 0) {
        error_fill(err, ERROR_WRONG_HOST, 0, "machine_id",
                   "machine %s is enrolled as host '%s'", theirs, bound->name);
        error_remedy(err, "delete the host that is not wanted; a cloned "
                          "machine needs a new /etc/machine-id");
        return -1;
    }
    if (!uuid_is_zero(&host->machine_id) &&
        !uuid_equal(&host->machine_id, machine)) {
        error_fill(err, ERROR_WRONG_HOST, 0, "machine_id",
                   "host '%s' is machine %s, the report comes from %s",
                   host->name, uuid_format(&host->machine_id, mine), theirs);
        error_remedy(err, "two agents use one host's token: enrol the other "
                          "machine under its own name; a reinstalled machine "
                          "is deleted and enrolled again");
        return -1;
    }
    return 0;
}

/* No agent may use up the epochs: they count starts or seconds. */
#define EPOCH_LEAP_MAX (UINT64_C(1) << 40)

static int check_accepted(const struct core *core,
                          const struct observed *observed, struct error *err)
{
    const struct cluster *cluster = core->state.cluster;
    if (!cluster || !uuid_equal(&observed->cluster_id, &cluster->id) ||
        observed->accepted.epoch <= cluster->epoch ||
        observed->accepted.epoch - cluster->epoch <= EPOCH_LEAP_MAX)
        return 0;
    return error_set_field(err, ERROR_INVALID, "accepted",
                           "epoch %" PRIu64 " is absurd: ours is %" PRIu64,
                           observed->accepted.epoch, cluster->epoch);
}

/* 1: news; 0: exactly what we have; -1: refused. */
static int check_order(const struct host_report *report,
                       const struct observed *observed, struct error *err)
{
    bool follows = report && report->incarnation == observed->incarnation;
    if (report && (observed->incarnation < report->incarnation ||
                   (follows && observed->sequence < report->sequence))) {
        error_fill(err, ERROR_STALE_REPORT, 0, "sequence",
                   "report %" PRIu64 ".%" PRIu64 " is older than %" PRIu64
                   ".%" PRIu64,
                   observed->incarnation, observed->sequence,
                   report->incarnation, report->sequence);
        error_remedy(err, "if the agent's state folder was lost, enrol the "
                          "host again");
        return -1;
    }
    if (follows && observed->sequence == report->sequence)
        return 0;
    if (!observed->full && (!follows || observed->base != report->sequence))
        return error_set(err, ERROR_NEED_FULL,
                         "the report builds on %" PRIu64 ".%" PRIu64
                         ", which is not the last one here",
                         observed->incarnation, observed->base);
    return 1;
}

/* ---- what follows ------------------------------------------------------------------ */

static void bind_machine(struct core *core, const struct core_call *call,
                         struct tx *tx, const struct host *old,
                         const struct observed *observed)
{
    struct host *host = host_dup(old);
    char id[UUID_TEXT_SIZE];
    host->machine_id = observed->machine_id;
    host->generation++;
    core_change(core, tx, RECORD_HOST, old, host);
    core_event(core, call, tx, (struct event_about){.host = host->name},
               "HostReported", "FirstReport",
               "host '%s' reported for the first time: machine %s, %zu PFs",
               host->name, uuid_format(&host->machine_id, id),
               observed->inventory->pf_count);
}

/* An agent that accepted documents which we never wrote shows that this data
 * is older than what the agents follow: begin above. */
static void raise_epoch(struct core *core, const struct core_call *call,
                        struct tx *tx, const struct host_view *view,
                        const struct host_report *report)
{
    struct cluster *old = core->state.cluster;
    if (!old || !uuid_equal(&report->cluster_id, &old->id) ||
        revision_compare(&report->accepted, &view->revision) <= 0)
        return;
    struct cluster *cluster = cluster_new();
    cluster->id = old->id;
    cluster->epoch = report->accepted.epoch + 1;
    char text[REVISION_TEXT_SIZE];
    core_change(core, tx, RECORD_CLUSTER, old, cluster);
    core_event(core, call, tx, (struct event_about){.host = report->host},
               "EpochRaised", "RestoredData",
               "host '%s' follows revision %s, which is not in this data "
               "(restored from a copy?): epoch %" PRIu64 " begins",
               report->host, revision_format(&report->accepted, text),
               cluster->epoch);
}

static bool vm_is_gone(const struct host_report *report, const struct vm *vm)
{
    for (size_t i = 0; i < vm->port_count; i++)
        if (!report_port_is_gone(report, &vm->ports[i]))
            return PLANT(FIRST_ABSENT_FREES);
    return report_vm_is_gone(report, vm);
}

static void finish_deletion(struct core *core, const struct core_call *call,
                            struct tx *tx, const struct host_report *report,
                            const struct uuid *id)
{
    struct vm *vm = state_vm(&core->state, id);
    if (vm && vm->state == VM_DELETING && strcmp(vm->host, report->host) == 0 &&
        vm_is_gone(report, vm))
        core_vm_remove(core, call, tx, vm, "ProvenClean");
}

/* Whatever the agent proved clean of a VM being deleted, and that its domain is
 * gone: when it is all, the record goes, and with it the claims. */
static void finish_deletions(struct core *core, const struct core_call *call,
                             struct tx *tx, const struct host_report *report)
{
    if (!core->state.cluster ||
        !uuid_equal(&report->cluster_id, &core->state.cluster->id))
        return;
    for (size_t i = 0; i < report->port_count; i++)
        if (report->ports[i].phase == PORT_ABSENT)
            finish_deletion(core, call, tx, report, &report->ports[i].vm);
    for (size_t i = 0; i < report->vm_count; i++)
        if (report->vms[i].phase == VM_PHASE_ABSENT)
            finish_deletion(core, call, tx, report, &report->vms[i].id);
}

static void set_heard(struct core *core, const struct core_call *call,
                      struct tx *tx, const char *host)
{
    core_heard(core, host, call->now_ns);
    const struct host_view *view = state_host(&core->state, host);
    enum presence presence = view->presence
                                 ? (enum presence)view->presence->presence
                                 : PRESENCE_WAITING;
    if (presence == PRESENCE_HEARD)
        return;
    core_set_presence(core, call, tx, view, PRESENCE_HEARD);
    if (presence == PRESENCE_LOST)
        core_event(core, call, tx, (struct event_about){.host = host},
                   "HostReachable", "AgentReported",
                   "the agent of host '%s' reports again", host);
}

int core_observe(struct core *core, const struct core_call *call,
                 const char *name, const struct observed *observed,
                 struct tx *tx, struct error *err)
{
    const struct host_view *view = core_find_host(core, name, err);
    if (!view || check_identity(core, view->host, observed, err) ||
        check_inventory(observed, err) || check_accepted(core, observed, err))
        return -1;
    int order = check_order(view->report, observed, err);
    if (order < 0)
        return -1;
    char host[NAME_SIZE];
    str_copy(host, view->host->name);
    if (order == 0) {
        set_heard(core, call, tx, host);
        return 0;
    }
    struct host_report *old = ref_get(view->report);
    struct host_report *report = report_make(core, call, old, observed);
    if (uuid_is_zero(&view->host->machine_id))
        bind_machine(core, call, tx, view->host, observed);
    set_heard(core, call, tx, host);
    raise_epoch(core, call, tx, state_host(&core->state, host), report);
    core_change(core, tx, RECORD_REPORT, old, report);
    observe_events(core, call, tx, old, report);
    finish_deletions(core, call, tx, report);
    ports_release_claims(core, call, tx, report);
    core_tell_promises(core, call, tx, host);
    ref_put(old);
    return 0;
}
