/* SPDX-License-Identifier: Apache-2.0 */
/* Agents' reports: who may report, in which order, merged onto what was
 * reported before; what follows from it (bindings, an epoch to raise, VMs whose
 * removal is done); the events are events.c's. */
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

/* ---- merge ----------------------------------------------------------------------- */

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
    copy->over =
        copy_array(report->over, report->over_count, sizeof *copy->over);
    return copy;
}

static int by_id(const void *a, const void *b)
{
    return uuid_compare(&((const struct observed_port *)a)->id,
                        &((const struct observed_port *)b)->id);
}

static bool port_is_gone(const struct host_report *report,
                         const struct port *port)
{
    const struct observed_port *seen = report_port(report, &port->id);
    return seen && seen->phase == PORT_ABSENT &&
           revision_compare(&seen->revision, &port->revision) >= 0;
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
            return port_is_gone(old, &vm->ports[i]);
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

static struct host_report *make_report(const struct core *core,
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
    report->received_at = call->now_ns;
    return report;
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
        if (!port_is_gone(report, &vm->ports[i]))
            return PLANT(FIRST_ABSENT_FREES);
    return true;
}

/* Whatever the agent proved clean of a VM being deleted: when it is all, the
 * record goes, and with it the claims. */
static void finish_deletions(struct core *core, const struct core_call *call,
                             struct tx *tx, const struct host_report *report)
{
    if (!core->state.cluster ||
        !uuid_equal(&report->cluster_id, &core->state.cluster->id))
        return;
    for (size_t i = 0; i < report->port_count; i++) {
        if (report->ports[i].phase != PORT_ABSENT)
            continue;
        struct vm *vm = state_vm(&core->state, &report->ports[i].vm);
        if (vm && vm->state == VM_DELETING &&
            strcmp(vm->host, report->host) == 0 && vm_is_gone(report, vm))
            core_vm_remove(core, call, tx, vm, "ProvenClean");
    }
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
    struct host_report *report = make_report(core, call, old, observed);
    if (uuid_is_zero(&view->host->machine_id))
        bind_machine(core, call, tx, view->host, observed);
    set_heard(core, call, tx, host);
    raise_epoch(core, call, tx, state_host(&core->state, host), report);
    core_change(core, tx, RECORD_REPORT, old, report);
    observe_events(core, call, tx, old, report);
    finish_deletions(core, call, tx, report);
    core_tell_promises(core, call, tx, host);
    ref_put(old);
    return 0;
}
