/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: carries out what agent/core decides on the host and the disk, and
 * reads the host again where it changed. Reports are made in report.c. */
#define LOG_MODULE "agent"
#include "agent/agent.h"

#include "agent/internal.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <string.h>

#define HEARTBEAT_NS (10 * TIMESTAMP_SECOND)
#define COALESCE_NS (100 * TIMESTAMP_MS)
#define AUDIT_NS (60 * TIMESTAMP_SECOND)
#define READ_RETRY_NS TIMESTAMP_SECOND
#define ACTIONS_PER_STEP 16
#define FIRST_REPORT_NS TIMESTAMP_SECOND
/* First sequences are at most this. A report takes at least a round trip to the
 * scheduler, so no agent lives to reach 2^53, the largest whole number that
 * every reader of JSON knows exactly. */
#define FIRST_SEQUENCE_MAX (UINT64_C(1) << 48)

struct agent *agent_new(const struct agent_config *config, struct error *err)
{
    struct agent_state state = {0};
    if (config->state_ops->load(config->state_context, &state, err) < 0)
        return NULL;
    struct agent *agent = mem_new(struct agent);
    agent->config = *config;
    str_copy(agent->name, config->name);
    str_copy(agent->version, config->version ? config->version : "");
    agent->config.name = agent->name;
    agent->config.version = agent->version;
    if (config->heartbeat_ns == 0)
        agent->config.heartbeat_ns = HEARTBEAT_NS;
    if (config->coalesce_ns == 0)
        agent->config.coalesce_ns = COALESCE_NS;
    if (config->audit_ns == 0)
        agent->config.audit_ns = AUDIT_NS;
    if (config->actions_per_step == 0)
        agent->config.actions_per_step = ACTIONS_PER_STEP;
    struct reconcile_config core = {
        .seed = config->seed,
        .skip_probing = config->skip_probing,
        .plug_deadline_ns = config->plug_deadline_ns,
        .unplug_deadline_ns = config->unplug_deadline_ns};
    str_copy(core.host, config->name);
    core.boot_id = config->boot_id;
    agent->core = reconcile_new(&core, &state);
    agent->read_all = true;
    agent->read_domains = true;
    agent->need_full = true;
    agent->rng.state = config->seed ^ UINT64_C(0x6a696e);
    agent->sequence = rng_below(&agent->rng, FIRST_SEQUENCE_MAX);
    return agent;
}

void agent_free(struct agent *agent)
{
    if (!agent)
        return;
    report_done(agent);
    reconcile_free(agent->core);
    free(agent);
}

/* ---- readings ------------------------------------------------------------------- */

static void mark_dirty(struct agent *agent, const struct pf_key *key)
{
    for (size_t i = 0; i < agent->dirty_count; i++) {
        if (pf_key_compare(&agent->dirty[i], key) == 0)
            return;
    }
    if (agent->dirty_count == HOST_CHANGES_MAX)
        agent->read_all = true;
    else
        agent->dirty[agent->dirty_count++] = *key;
}

void agent_host_changed(struct agent *agent, const struct host_changes *changes)
{
    if (changes->everything || changes->host_facts)
        agent->read_all = true;
    if (changes->everything || changes->domains)
        agent->read_domains = true;
    for (size_t i = 0; i < changes->pf_count; i++)
        mark_dirty(agent, &changes->pfs[i]);
}

void agent_host_events(struct agent *agent)
{
    struct host_backend *host = agent->config.host;
    struct host_changes changes = {0};
    struct error err;
    if (host->ops->changes(host, &changes, &err) < 0) {
        log_failure(LOG_MODULE, LOG_WARNING, "read the host's events", &err);
        memset(&changes, 0, sizeof changes);
        changes.everything = true;
    }
    agent_host_changed(agent, &changes);
}

static void read_failed(struct agent *agent, int64_t now, const char *what,
                        const struct error *err)
{
    if (!agent->read_failing)
        log_failure(LOG_MODULE, LOG_WARNING, what, err);
    agent->read_failing = true;
    unsigned shift = agent->read_failures < 5 ? agent->read_failures : 5;
    agent->read_failures++;
    agent->read_at = now + (READ_RETRY_NS << shift);
}

/* The PF was listed, but its VFs' policies could not be read. */
static bool is_unread(const struct pf *pf)
{
    for (size_t i = 0; i < pf->vf_count; i++) {
        if (pf->vfs[i].observed_at == 0)
            return true;
    }
    return false;
}

static void read_inventory(struct agent *agent, int64_t now)
{
    struct host_backend *host = agent->config.host;
    struct error err;
    auto_inventory struct inventory *inventory =
        host->ops->inventory(host, &err);
    if (!inventory) {
        read_failed(agent, now, "read the host's inventory", &err);
        return;
    }
    agent->read_all = false;
    agent->dirty_count = 0;
    agent->read_failures = 0;
    agent->read_failing = false;
    for (size_t i = 0; i < inventory->pf_count; i++) {
        if (!is_unread(inventory->pfs[i]))
            continue;
        mark_dirty(agent, &inventory->pfs[i]->key);
        agent->read_at = now + READ_RETRY_NS;
    }
    if (agent->first_due == 0)
        agent->first_due = now + FIRST_REPORT_NS;
    reconcile_inventory(agent->core, now, inventory);
}

static const struct pf *known_pf(const struct agent *agent,
                                 const struct pf_key *key)
{
    for (size_t i = 0; i < reconcile_pf_count(agent->core); i++) {
        const struct pf *pf = reconcile_pf_at(agent->core, i);
        if (pf_key_compare(&pf->key, key) == 0)
            return pf;
    }
    return NULL;
}

static void read_dirty(struct agent *agent, int64_t now)
{
    struct host_backend *host = agent->config.host;
    struct pf_key key = agent->dirty[agent->dirty_count - 1];
    const struct pf *known = known_pf(agent, &key);
    if (!known) {
        /* A new PF: whether it carries the host's traffic is told only by a
         * whole reading. */
        agent->read_all = true;
        return;
    }
    struct error err;
    auto_pf struct pf *pf = host->ops->read_pf(host, &key, known, &err);
    if (!pf && err.code != ERROR_VANISHED) {
        read_failed(agent, now, key.text, &err);
        return;
    }
    if (pf && is_unread(pf)) {
        error_fill(&err, ERROR_IO, 0, "", "its VFs' policies can't be read");
        read_failed(agent, now, key.text, &err);
        reconcile_pf(agent->core, now, &key, pf);
        return;
    }
    agent->dirty_count--;
    agent->read_failures = 0;
    agent->read_failing = false;
    if (!pf)
        log_info("PF %s is gone", key.text);
    reconcile_pf(agent->core, now, &key, pf);
}

static bool has_reading(const struct agent *agent)
{
    return agent->read_all || agent->dirty_count > 0;
}

/* What libvirt told; from memory. */
static void take_domains(struct agent *agent, int64_t now)
{
    struct host_backend *host = agent->config.host;
    struct error err = {0};
    agent->read_domains = false;
    auto_domain_list struct domain_list *domains =
        host->ops->domains(host, &err);
    bool asked = domains || err.code != ERROR_UNSUPPORTED;
    reconcile_domains(agent->core, now, domains, asked ? err.msg : NULL);
}

/* One reading if one is due. The first change waits a little for others: one
 * 'ip link set' makes several events. The slow audit is for what no event tells:
 * netdevsim makes VFs without a word (Linux 6.12). */
static bool do_reading(struct agent *agent, int64_t now)
{
    if (agent->config.audit_ns > 0 && now >= agent->audit_at) {
        agent->audit_at = now + agent->config.audit_ns;
        agent->read_domains = true;
        for (size_t i = 0; i < reconcile_pf_count(agent->core); i++)
            mark_dirty(agent, &reconcile_pf_at(agent->core, i)->key);
    }
    if (agent->read_domains)
        take_domains(agent, now);
    if (!has_reading(agent)) {
        agent->read_at = 0;
        return false;
    }
    if (agent->read_at == 0)
        agent->read_at = reconcile_facts(agent->core)
                             ? now + agent->config.coalesce_ns / 2
                             : now;
    if (now < agent->read_at)
        return false;
    if (agent->read_all)
        read_inventory(agent, now);
    else
        read_dirty(agent, now);
    return true;
}

/* ---- steps ------------------------------------------------------------------------ */

static bool do_action(struct agent *agent, int64_t now, int64_t *wake)
{
    struct action action;
    if (!reconcile_next(agent->core, now, &action, wake))
        return false;
    struct action_result result = {0};
    carry_out(agent, &action, &result);
    if (reconcile_done(agent->core, now, &action, &result))
        mark_dirty(agent, &action.pf);
    return true;
}

/* Routes, bridges or bonds changed: a PF may carry the host's traffic since, so
 * nothing is done before that is read. */
static bool is_blind(const struct agent *agent)
{
    return agent->read_all && reconcile_facts(agent->core);
}

int64_t agent_step(struct agent *agent, int64_t now_ns)
{
    int64_t wake = now_ns;
    bool more = true;
    agent->now = now_ns;
    for (unsigned i = 0; more && i < agent->config.actions_per_step; i++)
        more = do_reading(agent, now_ns) ||
               (!is_blind(agent) && do_action(agent, now_ns, &wake));
    if (is_blind(agent))
        wake = INT64_MAX; /* until the reading */
    report_notice(agent, now_ns);
    log_settings(agent);
    if (more)
        return now_ns;
    if (has_reading(agent) && agent->read_at < wake)
        wake = agent->read_at;
    if (agent->config.audit_ns > 0 && agent->audit_at < wake)
        wake = agent->audit_at;
    int64_t due = agent_report_due(agent, now_ns);
    return due < wake ? due : wake;
}

/* ---- documents, views ---------------------------------------------------------------- */

int agent_desired(struct agent *agent, const struct desired *desired,
                  struct error *err)
{
    return reconcile_desired(agent->core, desired, err);
}

void agent_answered(struct agent *agent, int64_t sent_at_ns)
{
    reconcile_answered(agent->core, sent_at_ns, agent->now);
}

struct revision agent_following(const struct agent *agent)
{
    return reconcile_following(agent->core);
}

const struct agent_state *agent_state_view(struct agent *agent)
{
    return reconcile_state(agent->core);
}

bool agent_is_idle(const struct agent *agent)
{
    return !has_reading(agent) && reconcile_is_durable(agent->core) &&
           reconcile_is_settled(agent->core);
}
