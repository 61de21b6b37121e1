/* SPDX-License-Identifier: Apache-2.0 */
/* What changed on a host between two of its reports, as events. Says, decides
 * nothing.
 *
 * After a start of ours there is no report to compare with: PFs are then not
 * news, and a port's phase only if the agent came to it since. */
#include "scheduler/core/observe.h"

#include <inttypes.h>
#include <string.h>

struct teller {
    struct core *core;
    const struct core_call *call;
    struct tx *tx;
    const struct host_report *old, *report;
};

/* ---- the agent ---------------------------------------------------------------- */

static void tell_agent(const struct teller *teller)
{
    const struct host_report *old = teller->old, *report = teller->report;
    struct event_about about = {.host = report->host};
    char id[UUID_TEXT_SIZE];
    const struct cluster *cluster = teller->core->state.cluster;
    if (report_is_foreign(report, cluster) && !report_is_foreign(old, cluster))
        core_event(teller->core, teller->call, teller->tx, about,
                   "HostFollowsOtherCluster", "ForeignCluster",
                   "the agent of host '%s' follows cluster %s; its %zu ports "
                   "are unknown here; 'sriov-agent adopt' on the host makes it "
                   "follow this one",
                   report->host, uuid_format(&report->cluster_id, id),
                   report->port_count);
    if (!old)
        return;
    if (!uuid_equal(&old->boot_id, &report->boot_id))
        core_event(teller->core, teller->call, teller->tx, about, "HostBooted",
                   "NewBootId", "host '%s' was booted", report->host);
    if (old->incarnation != report->incarnation)
        core_event(teller->core, teller->call, teller->tx, about,
                   "AgentRestarted", "NewIncarnation",
                   "the agent of host '%s' was started again (version %s)",
                   report->host, report->agent_version);
}

/* ---- PFs ------------------------------------------------------------------------- */

static size_t claims_on(const struct teller *teller, const struct pf_key *key)
{
    const struct host_view *view =
        state_host(&teller->core->state, teller->report->host);
    size_t count = 0;
    for (size_t i = 0; i < view->claim_count; i++)
        count += pf_key_compare(&view->claims[i].pf, key) == 0;
    return count;
}

static void tell_appeared(const struct teller *teller, const struct pf *pf)
{
    core_event(teller->core, teller->call, teller->tx,
               (struct event_about){.host = teller->report->host}, "PfAppeared",
               "Reported", "PF %s (%04x:%04x, driver %s) with %zu VFs",
               pf->key.text, pf->vendor_id, pf->device_id, pf->driver,
               pf->vf_count);
}

static void tell_gone(const struct teller *teller, const struct pf *pf)
{
    core_event(teller->core, teller->call, teller->tx,
               (struct event_about){.host = teller->report->host}, "PfGone",
               "Reported", "PF %s is gone; %zu VFs of it are claimed",
               pf->key.text, claims_on(teller, &pf->key));
}

static void tell_link(const struct teller *teller, const struct pf *old,
                      const struct pf *new)
{
    if (old->link_up == new->link_up &&
        (!new->link_up || old->link_speed_mbps == new->link_speed_mbps))
        return;
    core_event(teller->core, teller->call, teller->tx,
               (struct event_about){.host = teller->report->host},
               new->link_up ? "PfLinkUp" : "PfLinkDown", "LinkChanged",
               "the link of PF %s is %s, %d Mbit/s", new->key.text,
               new->link_up ? "up" : "down", new->link_speed_mbps);
}

static void tell_pfs(const struct teller *teller)
{
    if (!teller->old || teller->old->inventory == teller->report->inventory)
        return;
    const struct inventory *old = teller->old->inventory;
    const struct inventory *new = teller->report->inventory;
    size_t i = 0, j = 0;
    while (i < old->pf_count && j < new->pf_count) {
        int order = pf_key_compare(&old->pfs[i]->key, &new->pfs[j]->key);
        if (order < 0)
            tell_gone(teller, old->pfs[i++]);
        else if (order > 0)
            tell_appeared(teller, new->pfs[j++]);
        else
            tell_link(teller, old->pfs[i++], new->pfs[j++]);
    }
    while (i < old->pf_count)
        tell_gone(teller, old->pfs[i++]);
    while (j < new->pf_count)
        tell_appeared(teller, new->pfs[j++]);
}

/* ---- PF settings ------------------------------------------------------------------ */

static const struct observed_pf *report_pf(const struct host_report *report,
                                           const struct pf_key *key)
{
    for (size_t i = 0; report && i < report->pf_count; i++)
        if (pf_key_compare(&report->pfs[i].key, key) == 0)
            return &report->pfs[i];
    return NULL;
}

static bool setting_is_news(const struct teller *teller,
                            const struct observed_pf *pf)
{
    const struct observed_pf *old = report_pf(teller->old, &pf->key);
    /* As with ports: after our start what went well is no news. */
    if (!teller->old && pf->phase == PF_APPLIED)
        return pf->condition.at >= teller->core->started_at;
    return !old || old->phase != pf->phase ||
           revision_compare(&old->revision, &pf->revision) != 0;
}

/* Is there anything in the setting for the agent to write? */
static bool configures(const struct teller *teller, const struct pf_key *key)
{
    const struct host_view *view =
        state_host(&teller->core->state, teller->report->host);
    const struct pf_setting *setting = host_pf_setting(view->host, key);
    return setting &&
           (setting->has_num_vfs || setting->autoprobe != AUTOPROBE_NONE ||
            setting->bridge_mode != BRIDGE_NONE);
}

static void tell_setting(const struct teller *teller,
                         const struct observed_pf *pf)
{
    const struct condition *condition = &pf->condition;
    const char *type = pf->phase == PF_APPLIED    ? "PfConfigured"
                       : pf->phase == PF_REJECTED ? "PfRejected"
                       : pf->phase == PF_FAILED   ? "PfFailed"
                                                  : NULL;
    if (!type || !setting_is_news(teller, pf))
        return;
    if (pf->phase == PF_APPLIED && !configures(teller, &pf->key))
        return;
    const char *without = pf->phase == PF_APPLIED ? "its settings read back"
                          : pf->phase == PF_REJECTED
                              ? "its settings were undone"
                              : "its settings were refused";
    core_event(teller->core, teller->call, teller->tx,
               (struct event_about){.host = teller->report->host}, type,
               *condition->reason ? condition->reason : "Reported",
               "PF %s: %s%s%s", pf->key.text, condition->field,
               *condition->field ? ": " : "",
               *condition->message ? condition->message : without);
}

/* ---- ports ------------------------------------------------------------------------ */

static void tell_port(const struct teller *teller,
                      const struct observed_port *port)
{
    struct event_about about = {
        .host = teller->report->host,
        .vm = &port->vm,
        .port = &port->id,
    };
    const struct condition *condition = &port->condition;
    char id[UUID_TEXT_SIZE];
    uuid_format(&port->id, id);
    if (port->phase == PORT_APPLIED)
        core_event(teller->core, teller->call, teller->tx, about, "PortApplied",
                   "ReadBackEqual",
                   "the kernel reads back what port %s asks for", id);
    else if (port->phase == PORT_FAILED)
        core_event(teller->core, teller->call, teller->tx, about, "PortFailed",
                   *condition->reason ? condition->reason : "Refused", "%s%s%s",
                   condition->field, *condition->field ? ": " : "",
                   condition->message);
    else if (port->phase == PORT_UNKNOWN)
        core_event(teller->core, teller->call, teller->tx, about,
                   "PortUnknownToScheduler", "NotInDocument",
                   "host '%s' holds port %s, which is not in its document; it "
                   "is left alone",
                   teller->report->host, id);
}

/* ---- ways --------------------------------------------------------------------------- */

static void say_way(const struct teller *teller,
                    const struct observed_port *port, const char *type,
                    const char *reason, const char *text)
{
    char id[UUID_TEXT_SIZE];
    core_event(teller->core, teller->call, teller->tx,
               (struct event_about){teller->report->host, &port->vm, &port->id},
               type, reason, "port %s: %s", uuid_format(&port->id, id), text);
}

/* The guest began to use its VF, or the path that is wanted does not work. */
static void tell_way(const struct teller *teller,
                     const struct observed_port *port)
{
    const struct observed_port *old =
        teller->old ? report_port(teller->old, &port->id) : NULL;
    const struct observed_way *way = &port->way;
    const struct condition *condition = &way->condition;
    bool fails = condition->status == CONDITION_FALSE && *condition->type;
    bool failed = old && old->way.condition.status == CONDITION_FALSE &&
                  strcmp(old->way.condition.reason, condition->reason) == 0;
    /* After our start what went well is no news. */
    bool began = teller->old ? !old || !old->way.vf_in_use
                             : way->in_use_at >= teller->core->started_at;
    if (port->phase == PORT_UNKNOWN)
        return;
    if (way->vf_in_use && began)
        say_way(teller, port, "PortAccelerated",
                way->evidence == EVIDENCE_VF_STATISTICS ? "VfStatistics"
                : way->evidence == EVIDENCE_GUEST_AGENT ? "GuestAgent"
                                                        : "VfInterrupts",
                "the guest uses its VF");
    if (fails && !failed)
        say_way(teller, port, "PortDegraded",
                *condition->reason ? condition->reason : "PathNotReady",
                *condition->message ? condition->message
                                    : "its path does not work");
}

/* ---- VMs --------------------------------------------------------------------------- */

static void say_vm(const struct teller *teller, const struct observed_vm *vm,
                   const char *type, const char *otherwise)
{
    const struct vm *record = state_vm(&teller->core->state, &vm->id);
    const char *name = record ? record->name : "";
    core_event(
        teller->core, teller->call, teller->tx,
        (struct event_about){.host = teller->report->host, .vm = &vm->id}, type,
        *vm->condition.reason ? vm->condition.reason : otherwise,
        "the domain of VM '%s' is %s%s%s", name,
        power_state_name((enum power_state)vm->power_state),
        *vm->condition.message ? ": " : "", vm->condition.message);
}

/* From what is not known no start and no stop is told: libvirt was away, and
 * what happened meanwhile nobody saw. */
static void tell_vm(const struct teller *teller, const struct observed_vm *vm)
{
    const struct observed_vm *old =
        teller->old ? report_vm(teller->old, &vm->id) : NULL;
    if (vm->phase == VM_PHASE_UNKNOWN)
        return;
    if (vm->phase == VM_PHASE_FAILED &&
        (!old || old->phase != VM_PHASE_FAILED ||
         revision_compare(&old->revision, &vm->revision) != 0))
        say_vm(teller, vm, "VmFailed", "Failed");
    bool runs = power_state_is_active((enum power_state)vm->power_state);
    bool ran = old && power_state_is_active((enum power_state)old->power_state);
    if (!teller->old) {
        if (runs && vm->condition.at >= teller->core->started_at)
            say_vm(teller, vm, "VmStarted", "Running");
        return;
    }
    if (old && old->power_state == POWER_UNKNOWN)
        return;
    if (runs && !ran)
        say_vm(teller, vm, "VmStarted", "Running");
    else if (ran && !runs && vm->power_state != POWER_UNKNOWN)
        say_vm(teller, vm, "VmStopped", "NotRunning");
}

static bool port_is_news(const struct teller *teller,
                         const struct observed_port *port)
{
    const struct observed_port *old =
        teller->old ? report_port(teller->old, &port->id) : NULL;
    /* After our start: what still is wrong is said, what went well is not. */
    if (!teller->old && port->phase == PORT_APPLIED)
        return port->condition.at >= teller->core->started_at;
    if (!old || old->phase != port->phase)
        return true;
    if (port->phase == PORT_UNKNOWN)
        return false;
    return revision_compare(&old->revision, &port->revision) != 0 ||
           strcmp(old->condition.reason, port->condition.reason) != 0 ||
           strcmp(old->condition.field, port->condition.field) != 0;
}

void observe_events(struct core *core, const struct core_call *call,
                    struct tx *tx, const struct host_report *old,
                    const struct host_report *report)
{
    struct teller teller = {
        .core = core,
        .call = call,
        .tx = tx,
        .old = old,
        .report = report,
    };
    tell_agent(&teller);
    tell_pfs(&teller);
    for (size_t i = 0; i < report->pf_count; i++)
        tell_setting(&teller, &report->pfs[i]);
    for (size_t i = 0; i < report->port_count; i++)
        if (port_is_news(&teller, &report->ports[i]))
            tell_port(&teller, &report->ports[i]);
    for (size_t i = 0; i < report->port_count; i++)
        tell_way(&teller, &report->ports[i]);
    for (size_t i = 0; i < report->vm_count; i++)
        tell_vm(&teller, &report->vms[i]);
}
