/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: what changed since the last one that the scheduler took, or all. The
 * views of PFs are kept, so a heartbeat of an unchanged host costs little. */
#define LOG_MODULE "agent"
#include "agent/agent.h"

#include "agent/internal.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <string.h>

#define RETRY_NS TIMESTAMP_SECOND
#define RETRY_MAX_NS (30 * TIMESTAMP_SECOND)

void told_done(struct told *told)
{
    for (size_t i = 0; i < told->pf_count; i++)
        ref_put(told->pfs[i]);
    ref_put(told->facts);
    free(told->pfs);
    free(told->ports);
    free(told->settings);
    free(told->vms);
    memset(told, 0, sizeof *told);
}

void report_done(struct agent *agent)
{
    told_done(&agent->sent);
    told_done(&agent->acknowledged);
    for (size_t i = 0; i < agent->view_count; i++)
        ref_put(agent->views[i].pf);
    free(agent->views);
    free(agent->logged);
}

static struct view *find_view(struct view *views, size_t count,
                              const struct pf_key *key)
{
    for (size_t i = 0; i < count; i++) {
        if (pf_key_compare(&views[i].pf->key, key) == 0)
            return &views[i];
    }
    return NULL;
}

/* Make the views anew where their PF changed. */
static void refresh_views(struct agent *agent)
{
    const struct reconcile *core = agent->core;
    size_t count = reconcile_pf_count(core);
    struct view *views = count ? mem_calloc(count, sizeof *views) : NULL;
    for (size_t i = 0; i < count; i++) {
        const struct pf *pf = reconcile_pf_at(core, i);
        struct view *old = find_view(agent->views, agent->view_count, &pf->key);
        views[i].changes = reconcile_pf_changes(core, i);
        if (old && old->changes == views[i].changes) {
            views[i].pf = ref_get(old->pf);
            continue;
        }
        views[i].pf = reconcile_pf_view(core, i);
        if (old && pf_same(old->pf, views[i].pf)) {
            ref_put(views[i].pf);
            views[i].pf = ref_get(old->pf);
        }
    }
    for (size_t i = 0; i < agent->view_count; i++)
        ref_put(agent->views[i].pf);
    free(agent->views);
    agent->views = views;
    agent->view_count = count;
}

static struct observed_pf *settings_now(const struct agent *agent,
                                        size_t *count)
{
    *count = reconcile_pfs(agent->core, NULL, 0);
    if (*count == 0)
        return NULL;
    struct observed_pf *settings = mem_calloc(*count, sizeof *settings);
    reconcile_pfs(agent->core, settings, *count);
    return settings;
}

/* All as it is now. */
static void tell_now(struct agent *agent, struct told *told)
{
    refresh_views(agent);
    *told = (struct told){.facts = ref_get(reconcile_facts(agent->core)),
                          .pf_count = agent->view_count,
                          .accepted =
                              reconcile_state_scalars(agent->core)->accepted,
                          .changes = reconcile_changes(agent->core)};
    if (told->pf_count)
        told->pfs = mem_calloc(told->pf_count, sizeof(struct pf *));
    for (size_t i = 0; i < told->pf_count; i++)
        told->pfs[i] = ref_get(agent->views[i].pf);
    told->port_count = reconcile_ports(agent->core, NULL, 0);
    if (told->port_count) {
        told->ports = mem_calloc(told->port_count, sizeof *told->ports);
        reconcile_ports(agent->core, told->ports, told->port_count);
    }
    told->settings = settings_now(agent, &told->setting_count);
    told->vm_count = reconcile_vms(agent->core, NULL, 0);
    if (told->vm_count) {
        told->vms = mem_calloc(told->vm_count, sizeof *told->vms);
        reconcile_vms(agent->core, told->vms, told->vm_count);
    }
    reconcile_external(agent->core, &told->external_vcpus,
                       &told->external_memory_mib);
}

static struct pf *told_pf(const struct told *told, const struct pf_key *key)
{
    for (size_t i = 0; i < told->pf_count; i++) {
        if (pf_key_compare(&told->pfs[i]->key, key) == 0)
            return told->pfs[i];
    }
    return NULL;
}

/* The same view was told, or one that differs only in its time. */
static bool is_told(const struct told *told, const struct pf *pf)
{
    const struct pf *before = told_pf(told, &pf->key);
    return before && (before == pf || pf_same(before, pf));
}

static bool nothing_new(const struct told *now, const struct told *before)
{
    bool same = now->pf_count == before->pf_count &&
                now->port_count == before->port_count &&
                now->setting_count == before->setting_count &&
                now->vm_count == before->vm_count &&
                now->external_vcpus == before->external_vcpus &&
                now->external_memory_mib == before->external_memory_mib &&
                revision_compare(&now->accepted, &before->accepted) == 0 &&
                before->facts &&
                (now->facts == before->facts ||
                 inventory_same_host_facts(now->facts, before->facts));
    for (size_t i = 0; same && i < now->pf_count; i++)
        same = is_told(before, now->pfs[i]);
    if (same && now->port_count)
        same = memcmp(now->ports, before->ports,
                      now->port_count * sizeof *now->ports) == 0;
    if (same && now->setting_count)
        same = memcmp(now->settings, before->settings,
                      now->setting_count * sizeof *now->settings) == 0;
    if (same && now->vm_count)
        same = memcmp(now->vms, before->vms,
                      now->vm_count * sizeof *now->vms) == 0;
    return same;
}

/* The inventory of a report: host facts, and all PFs or the changed ones. */
static struct inventory *inventory_of(const struct told *told,
                                      const struct told *base)
{
    const struct inventory *facts = told->facts;
    size_t count = 0;
    for (size_t i = 0; i < told->pf_count; i++)
        count += !base || !is_told(base, told->pfs[i]);
    struct inventory *made = inventory_like(facts, count);
    made->external_vcpus = told->external_vcpus;
    made->external_memory_mib = told->external_memory_mib;
    for (size_t i = 0, k = 0; i < told->pf_count; i++) {
        if (!base || !is_told(base, told->pfs[i]))
            made->pfs[k++] = ref_get(told->pfs[i]);
    }
    return made;
}

static struct observed *make_report(struct agent *agent,
                                    const struct told *told,
                                    const struct told *base)
{
    size_t gone = 0;
    for (size_t i = 0; base && i < base->pf_count; i++)
        gone += !told_pf(told, &base->pfs[i]->key);
    struct observed *report = observed_new(told->port_count, gone,
                                           told->setting_count, told->vm_count);
    const struct agent_state *state = reconcile_state_scalars(agent->core);
    report->cluster_id = state->cluster_id;
    str_copy(report->host, agent->name);
    report->machine_id = agent->config.machine_id;
    if (uuid_is_zero(&report->machine_id))
        report->machine_id = told->facts->machine_id;
    report->boot_id = agent->config.boot_id;
    str_copy(report->agent_version, agent->version);
    report->incarnation = state->incarnation;
    report->sequence = told->sequence;
    report->base = base ? base->sequence : 0;
    report->full = !base;
    report->accepted = told->accepted;
    report->inventory = inventory_of(told, base);
    for (size_t i = 0, k = 0; base && i < base->pf_count; i++) {
        if (!told_pf(told, &base->pfs[i]->key))
            report->gone_pfs[k++] = base->pfs[i]->key;
    }
    if (told->port_count)
        memcpy(report->ports, told->ports,
               told->port_count * sizeof *told->ports);
    if (told->setting_count)
        memcpy(report->pfs, told->settings,
               told->setting_count * sizeof *told->settings);
    if (told->vm_count)
        memcpy(report->vms, told->vms, told->vm_count * sizeof *told->vms);
    return report;
}

static const struct observed_port *told_port(const struct told *told,
                                             const struct uuid *id)
{
    for (size_t i = 0; i < told->port_count; i++) {
        if (uuid_equal(&told->ports[i].id, id))
            return &told->ports[i];
    }
    return NULL;
}

/* A port's trouble is logged once, when it is first told, and its end too. */
static void log_conditions(const struct agent *agent, const struct told *told)
{
    const struct told *before =
        agent->sent.sequence ? &agent->sent : &agent->acknowledged;
    for (size_t i = 0; i < told->port_count; i++) {
        const struct observed_port *port = &told->ports[i];
        const struct condition *is = &port->condition;
        const struct observed_port *old = told_port(before, &port->id);
        const struct condition *was = old ? &old->condition : NULL;
        char id[UUID_TEXT_SIZE];
        uuid_format(&port->id, id);
        bool bad = is->status == CONDITION_FALSE;
        bool was_bad = was && was->status == CONDITION_FALSE;
        if (bad && (!was_bad || strcmp(was->message, is->message) != 0))
            log_warning("%s: %s host=%s port=%s", is->reason, is->message,
                        agent->name, id);
        else if (!bad && was_bad && is->status == CONDITION_TRUE)
            log_info("%s: %s host=%s port=%s", is->reason, is->message,
                     agent->name, id);
    }
}

static const struct observed_pf *find_setting(const struct observed_pf *list,
                                              size_t count,
                                              const struct pf_key *key)
{
    for (size_t i = 0; i < count; i++) {
        if (pf_key_compare(&list[i].key, key) == 0)
            return &list[i];
    }
    return NULL;
}

void log_settings(struct agent *agent)
{
    uint64_t changes = reconcile_changes(agent->core);
    if (changes == agent->logged_changes)
        return;
    agent->logged_changes = changes;
    size_t count = 0;
    struct observed_pf *now = settings_now(agent, &count);
    for (size_t i = 0; i < count; i++) {
        const struct observed_pf *is = &now[i];
        const struct observed_pf *was =
            find_setting(agent->logged, agent->logged_count, &is->key);
        bool said = was && was->phase == is->phase &&
                    strcmp(was->condition.reason, is->condition.reason) == 0;
        if (said)
            continue;
        const char *phase = pf_phase_name((enum pf_phase)is->phase);
        if (is->condition.status == CONDITION_FALSE)
            log_warning("PF %s is %s: %s: %s host=%s", is->key.text, phase,
                        is->condition.reason, is->condition.message,
                        agent->name);
        else
            log_info("PF %s is %s: %s host=%s", is->key.text, phase,
                     is->condition.message, agent->name);
    }
    free(agent->logged);
    agent->logged = now;
    agent->logged_count = count;
}

/* A change of a PF waits to be confirmed, and nothing was sent since it was
 * written. */
static bool is_urgent(const struct agent *agent)
{
    int64_t since = reconcile_asks_since(agent->core);
    return since != INT64_MIN && agent->reported_at < since;
}

void report_notice(struct agent *agent, int64_t now_ns)
{
    uint64_t changes = reconcile_changes(agent->core);
    if (changes == agent->seen_changes)
        return;
    agent->seen_changes = changes;
    if (agent->changed_at == 0)
        agent->changed_at = now_ns;
}

int64_t agent_report_due(const struct agent *agent, int64_t now_ns)
{
    bool ready = !agent->in_flight && reconcile_facts(agent->core) &&
                 reconcile_incarnation(agent->core) != 0;
    if (!ready)
        return INT64_MAX;
    int64_t due = agent->reported_at + agent->config.heartbeat_ns;
    if (agent->reported_at == 0)
        due = agent_is_idle(agent) ? now_ns : agent->first_due;
    else if (agent->need_full)
        due = agent->reported_at;
    bool unseen = agent->seen_changes != reconcile_changes(agent->core);
    if (agent->changed_at || unseen) {
        int64_t since = agent->changed_at ? agent->changed_at : now_ns;
        /* With work going on there will soon be more to tell. */
        int64_t wait = agent->config.coalesce_ns;
        int64_t settled = since + (agent_is_idle(agent) ? wait / 5 : wait);
        due = settled < due ? settled : due;
    }
    if (is_urgent(agent))
        due = now_ns;
    return due > agent->report_retry_at ? due : agent->report_retry_at;
}

struct observed *agent_report(struct agent *agent, int64_t now_ns)
{
    agent->now = now_ns;
    report_notice(agent, now_ns);
    if (agent_report_due(agent, now_ns) > now_ns)
        return NULL;
    struct told told;
    tell_now(agent, &told);
    const struct told *base =
        agent->need_full || agent->acknowledged.sequence == 0
            ? NULL
            : &agent->acknowledged;
    bool heartbeat = now_ns >= agent->reported_at + agent->config.heartbeat_ns;
    agent->changed_at = 0;
    bool urgent = heartbeat || is_urgent(agent);
    if (base && !urgent && nothing_new(&told, base)) {
        told_done(&told);
        return NULL;
    }
    log_conditions(agent, &told);
    told.sequence = ++agent->sequence;
    struct observed *report = make_report(agent, &told, base);
    told_done(&agent->sent);
    agent->sent = told;
    agent->in_flight = true;
    agent->reported_at = now_ns;
    return report;
}

/* The scheduler knows that these are absent. It knows it in memory only: the
 * answer of one that has started again since (a document of its epoch came
 * first) is worth nothing, its tombstones are told once more. */
static void forget_absent(struct agent *agent, const struct told *told)
{
    if (told->accepted.epoch != reconcile_state(agent->core)->accepted.epoch)
        return;
    for (size_t i = 0; i < told->port_count; i++) {
        if (told->ports[i].phase == PORT_ABSENT)
            reconcile_forget(agent->core, &told->ports[i].id);
    }
    for (size_t i = 0; i < told->vm_count; i++) {
        if (told->vms[i].phase == VM_PHASE_ABSENT)
            reconcile_forget_vm(agent->core, &told->vms[i].id);
    }
}

static void back_off(struct agent *agent, enum agent_outcome outcome)
{
    unsigned failures = agent->report_failures++;
    bool at_once = failures == 0 && (outcome == AGENT_REPORT_NEED_FULL ||
                                     outcome == AGENT_REPORT_STALE);
    if (at_once)
        return;
    int64_t wait = RETRY_NS << (failures < 5 ? failures : 5);
    if (wait > RETRY_MAX_NS || outcome == AGENT_REPORT_REFUSED)
        wait = RETRY_MAX_NS;
    /* Many agents that lost the same scheduler don't come back together. */
    wait = wait / 2 + (int64_t)rng_below(&agent->rng, (uint64_t)wait / 2);
    agent->report_retry_at = agent->now + wait;
}

void agent_report_done(struct agent *agent, uint64_t sequence,
                       enum agent_outcome outcome, uint64_t known_incarnation)
{
    if (!agent->in_flight || sequence != agent->sent.sequence)
        return;
    agent->in_flight = false;
    if (outcome != AGENT_REPORT_ACCEPTED)
        back_off(agent, outcome);
    switch (outcome) {
    case AGENT_REPORT_ACCEPTED:
        told_done(&agent->acknowledged);
        agent->acknowledged = agent->sent;
        memset(&agent->sent, 0, sizeof agent->sent);
        agent->need_full = false;
        agent->report_failures = 0;
        agent->report_retry_at = 0;
        forget_absent(agent, &agent->acknowledged);
        reconcile_answered(agent->core, agent->reported_at, agent->now);
        return;
    case AGENT_REPORT_REFUSED:
    case AGENT_REPORT_LOST:
        /* What it told is to be told again. */
        if (agent->changed_at == 0)
            agent->changed_at = agent->reported_at;
        return;
    case AGENT_REPORT_STALE:
        reconcile_raise_incarnation(agent->core, known_incarnation);
        agent->need_full = true;
        return;
    case AGENT_REPORT_NEED_FULL:
        agent->need_full = true;
        return;
    }
}

struct inventory *agent_inventory(struct agent *agent)
{
    if (!reconcile_facts(agent->core))
        return NULL;
    struct told told;
    tell_now(agent, &told);
    struct inventory *made = inventory_of(&told, NULL);
    told_done(&told);
    return made;
}
