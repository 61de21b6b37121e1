/* SPDX-License-Identifier: Apache-2.0 */
/* A member of the fleet: a simulated host, its agent, and the calls by which an
 * administrator would make it ready. */
#include "agent/fleet/member.h"

#include "api/wire/wire.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>

#define NETWORKS 2
#define CALLS_MAX 64 /* administrator's calls in flight, of the whole fleet */
#define CALL_TIMEOUT_MS 30000
#define CALL_RETRY_NS TIMESTAMP_SECOND

/* ---- the host and its agent --------------------------------------------------- */

static int disk_load(void *context, struct agent_state *out, struct error *err)
{
    (void)err;
    const struct member *member = context;
    agent_state_copy(out, &member->disk);
    return 0;
}

/* In memory: simulated hosts come and go with this process. */
static int disk_save(void *context, const struct agent_state *state,
                     struct error *err)
{
    (void)err;
    struct member *member = context;
    agent_state_done(&member->disk);
    agent_state_copy(&member->disk, state);
    return 0;
}

static const struct agent_state_ops disk_ops = {.load = disk_load,
                                                .save = disk_save};

int member_init(struct member *member, struct fleet *fleet, size_t number,
                struct error *err)
{
    member->fleet = fleet;
    snprintf(member->name, sizeof member->name, "sim-%04zu", number + 1);
    struct sim_host_config config = {.networks = NETWORKS};
    sim_profile_host(fleet->config.profile, fleet->config.seed, number,
                     &config);
    member->host = sim_host_new(&config, err);
    if (!member->host)
        return -1;
    struct host_sim_config sim = {.host = member->host};
    member->backend = host_sim_open(&sim, err);
    fleet->stages[MEMBER_ENROLLING]++;
    return member->backend ? 0 : -1;
}

void member_done(struct member *member)
{
    uplink_free(member->uplink);
    agent_free(member->agent);
    if (member->backend)
        member->backend->ops->close(member->backend);
    sim_host_free(member->host);
    agent_state_done(&member->disk);
    free(member->token);
}

static void move(struct member *member, enum member_stage stage)
{
    member->fleet->stages[member->stage]--;
    member->stage = stage;
    member->fleet->stages[stage]++;
    member->failures = 0;
}

static void answered(void *context)
{
    ((struct member *)context)->wake = 0;
}

static void start_agent(struct member *member)
{
    struct fleet *fleet = member->fleet;
    uint64_t seed = str_hash(member->name, strlen(member->name));
    struct agent_config config = {
        .name = member->name,
        .machine_id = sim_host_machine_id(member->host),
        .boot_id = sim_host_boot_id(member->host),
        .version = SRIOV_VERSION,
        .host = member->backend,
        .state_ops = &disk_ops,
        .state_context = member,
        .seed = fleet->config.seed ^ seed,
    };
    member->agent = agent_new(&config, &fleet->err);
    if (!member->agent) {
        fleet->failed = true;
        return;
    }
    struct uplink_config uplink = {
        .agent = member->agent,
        .multi = fleet->multi,
        .name = member->name,
        .token = member->token,
        .seed = config.seed,
        .answered = answered,
        .context = member,
    };
    member->uplink = uplink_new(&uplink);
    move(member, MEMBER_REPORTING);
}

/* ---- the administrator's calls ------------------------------------------------------ */

static bool is_hopeless(const struct error *err)
{
    return err->code == ERROR_UNAUTHENTICATED || err->code == ERROR_FORBIDDEN ||
           err->code == ERROR_INVALID || err->code == ERROR_UNKNOWN_FIELD;
}

static void call_failed(struct member *member, const struct error *err)
{
    struct fleet *fleet = member->fleet;
    unsigned shift = member->failures < 5 ? member->failures : 5;
    member->failures++;
    member->call_at = timestamp_monotonic() + (CALL_RETRY_NS << shift);
    if (is_hopeless(err) && !fleet->failed) {
        fleet->failed = true;
        fleet->err = *err;
        error_prefix(&fleet->err, "make host '%s' ready", member->name);
    }
}

static void call_done(void *context, const struct client_answer *answer,
                      const struct error *err)
{
    struct member *member = context;
    member->calling = false;
    member->fleet->calls--;
    if (err) {
        call_failed(member, err);
        return;
    }
    if (member->stage == MEMBER_SETTING) {
        member->set++;
        member->failures = 0;
        return;
    }
    struct json_reader reader;
    struct error why;
    const char *token = NULL;
    json_reader_begin(&reader, answer->body, "", &why);
    if (!json_take_text(&reader, "token", true, &token)) {
        call_failed(member, &why);
        return;
    }
    member->token = mem_strdup(token);
    start_agent(member);
}

/* Takes both. */
static void call(struct member *member, const char *method, char *path,
                 json_t *body)
{
    member->calling = true;
    member->fleet->calls++;
    client_multi_start(member->fleet->multi, method, path, NULL,
                       json_text(body), CALL_TIMEOUT_MS, call_done, member);
    json_decref(body);
    free(path);
}

static void call_networks(struct member *member)
{
    json_t *networks = json_array();
    for (int i = 0; i < NETWORKS; i++)
        json_array_append_new(
            networks,
            json_pack("{s:o, s:o}", "device", json_sprintf("br-phys%d", i),
                      "physical_network", json_sprintf("physnet%d", i)));
    call(member, "PATCH", mem_printf("/v1/hosts/%s", member->name),
         json_pack("{s:o}", "networks", networks));
}

static void call_pf(struct member *member, size_t pf)
{
    auto_free char *key =
        client_escape(sim_host_pf_key(member->host, pf)->text);
    call(member, "PATCH", mem_printf("/v1/hosts/%s/pfs/%s", member->name, key),
         json_pack("{s:b, s:o}", "allowed", 1, "physical_network",
                   json_sprintf("physnet%zu", pf % NETWORKS)));
}

/* Ready is who has nothing more to tell: probes are over, so that what the PFs
 * support is known to the scheduler. */
static void settle(struct member *member)
{
    int64_t now = timestamp_now();
    if (agent_is_idle(member->agent) &&
        agent_report_due(member->agent, now) != INT64_MAX &&
        agent_report_due(member->agent, now) > now + TIMESTAMP_SECOND)
        move(member, MEMBER_READY);
}

static void next_call(struct member *member)
{
    if (member->stage == MEMBER_ENROLLING)
        call(member, "POST", mem_printf("/v1/hosts"),
             json_pack("{s:s}", "name", member->name));
    else if (member->set == 0)
        call_networks(member);
    else if (member->set <= sim_host_pf_count(member->host))
        call_pf(member, member->set - 1);
    else
        settle(member);
}

void member_step(struct member *member, int64_t now)
{
    if (member->stage == MEMBER_REPORTING && uplink_reports(member->uplink) > 0)
        move(member, MEMBER_SETTING);
    bool asks =
        member->stage == MEMBER_ENROLLING || member->stage == MEMBER_SETTING;
    if (asks && !member->calling && member->fleet->calls < CALLS_MAX &&
        timestamp_monotonic() >= member->call_at)
        next_call(member);
    if (!member->agent || now < member->wake)
        return;
    if (host_sim_has_changes(member->backend))
        agent_host_events(member->agent);
    int64_t wake = agent_step(member->agent, now);
    int64_t line = uplink_step(member->uplink, now);
    /* What the agent itself wrote comes back as events. */
    if (host_sim_has_changes(member->backend))
        wake = now;
    int64_t world = host_sim_wakes_at(member->backend);
    if (world < wake)
        wake = world;
    member->wake = line < wake ? line : wake;
}
