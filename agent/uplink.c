/* SPDX-License-Identifier: Apache-2.0 */
/* The uplink: see uplink.h. Errors are logged once when they begin, with what to
 * do, and once when they end. */
#define LOG_MODULE "uplink"
#include "agent/uplink.h"

#include "api/wire/wire.h"
#include "common/base/log.h"
#include "common/base/rng.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>

/* The scheduler answers a poll within 30 to 60 s at the latest. */
#define POLL_TIMEOUT_MS 120000
#define REPORT_TIMEOUT_MS 30000
#define RETRY_NS TIMESTAMP_SECOND
#define RETRY_MAX_NS (30 * TIMESTAMP_SECOND)
#define STALE_SAY_NS (60 * TIMESTAMP_SECOND)

struct uplink {
    struct uplink_config config;
    char name[NAME_SIZE];
    char *token, *poll_path, *report_path;
    struct rng rng;
    int64_t now; /* of the last step */

    bool polling;
    int64_t poll_started_at, poll_at; /* not before */
    int64_t poll_sent_at;             /* in the agent's clock */
    unsigned poll_failures;           /* in a row */
    bool ask_full;

    bool reporting;
    uint64_t report_sequence, reports;

    unsigned stales; /* reports that were older than one known there */
    int64_t stale_said_at;

    enum error_code trouble; /* logged; ERROR_NONE = all is well */
};

struct uplink *uplink_new(const struct uplink_config *config)
{
    struct uplink *uplink = mem_new(struct uplink);
    uplink->config = *config;
    str_copy(uplink->name, config->name);
    uplink->token = mem_strdup(config->token);
    auto_free char *segment = client_escape(config->name);
    uplink->poll_path = mem_printf("/v1/agents/%s/desired", segment);
    uplink->report_path = mem_printf("/v1/agents/%s/observed", segment);
    uplink->rng.state = config->seed;
    return uplink;
}

void uplink_free(struct uplink *uplink)
{
    if (!uplink)
        return;
    free(uplink->token);
    free(uplink->poll_path);
    free(uplink->report_path);
    free(uplink);
}

uint64_t uplink_reports(const struct uplink *uplink)
{
    return uplink->reports;
}

/* ---- troubles ------------------------------------------------------------------- */

/* Refusals that last until somebody does something. */
static bool needs_people(enum error_code code)
{
    return code == ERROR_UNAUTHENTICATED || code == ERROR_FORBIDDEN ||
           code == ERROR_NOT_FOUND || code == ERROR_WRONG_HOST ||
           code == ERROR_WRONG_CLUSTER || code == ERROR_CONFLICT ||
           code == ERROR_INVALID || code == ERROR_MALFORMED_JSON;
}

/* What an agent's operator does, where the scheduler's own advice is for any
 * client; "" = the scheduler knows better. */
static const char *remedy_of(enum error_code code)
{
    if (code == ERROR_UNAUTHENTICATED)
        return "enrol the host again (sriov-admin host enroll NAME) and put "
               "the token into the agent's token file";
    if (code == ERROR_UNAVAILABLE || code == ERROR_TIMEOUT)
        return "VFs keep their policy; it is tried again by itself";
    return "";
}

static void say_trouble(struct uplink *uplink, const char *what,
                        const struct error *err)
{
    if (uplink->trouble == err->code)
        return;
    uplink->trouble = err->code;
    struct error said = *err;
    if (*remedy_of(err->code))
        error_remedy(&said, "%s", remedy_of(err->code));
    char text[NAME_SIZE + 32];
    snprintf(text, sizeof text, "%s of host '%s'", what, uplink->name);
    log_failure(LOG_MODULE, needs_people(err->code) ? LOG_ERROR : LOG_WARNING,
                text, &said);
}

static void say_well(struct uplink *uplink)
{
    if (uplink->trouble != ERROR_NONE)
        log_info("the scheduler takes reports of host '%s' again",
                 uplink->name);
    uplink->trouble = ERROR_NONE;
}

/* ---- the poll ----------------------------------------------------------------------- */

static void poll_later(struct uplink *uplink, bool slow)
{
    unsigned failures = uplink->poll_failures++;
    int64_t wait = RETRY_NS << (failures < 5 ? failures : 5);
    if (slow || wait > RETRY_MAX_NS)
        wait = RETRY_MAX_NS;
    wait = wait / 2 + (int64_t)rng_below(&uplink->rng, (uint64_t)wait / 2);
    uplink->poll_at = timestamp_monotonic() + wait;
}

static void take_document(struct uplink *uplink, const json_t *body)
{
    struct error err = {0};
    auto_desired struct desired *desired = wire_desired_read(body, &err);
    if (desired && agent_desired(uplink->config.agent, desired, &err) == 0) {
        agent_answered(uplink->config.agent, uplink->poll_sent_at);
        uplink->poll_failures = 0;
        uplink->ask_full = false;
        return;
    }
    uplink->ask_full = err.code == ERROR_NEED_FULL;
    if (uplink->ask_full && uplink->poll_failures == 0) {
        uplink->poll_failures = 1;
        return;
    }
    say_trouble(uplink, "the document", &err);
    poll_later(uplink, needs_people(err.code));
}

static void tell_answered(const struct uplink *uplink)
{
    if (uplink->config.answered)
        uplink->config.answered(uplink->config.context);
}

static void take_poll(struct uplink *uplink, const struct client_answer *answer,
                      const struct error *err)
{
    uplink->polling = false;
    if (err) {
        /* A poll that just found nothing may end as a timeout. */
        bool quiet = err->code == ERROR_TIMEOUT && uplink->poll_failures == 0;
        if (!quiet)
            say_trouble(uplink, "the poll", err);
        poll_later(uplink, needs_people(err->code));
        return;
    }
    if (answer->body) {
        take_document(uplink, answer->body);
        return;
    }
    agent_answered(uplink->config.agent, uplink->poll_sent_at);
    /* Nothing new. Should that come at once, don't ask in a circle. */
    uplink->poll_failures = 0;
    uplink->poll_at = uplink->poll_started_at + RETRY_NS;
}

static void poll_done(void *context, const struct client_answer *answer,
                      const struct error *err)
{
    struct uplink *uplink = context;
    take_poll(uplink, answer, err);
    tell_answered(uplink);
}

static void start_poll(struct uplink *uplink, int64_t now_ns)
{
    uplink->poll_sent_at = now_ns;
    struct revision after = agent_following(uplink->config.agent);
    if (uplink->ask_full)
        after = (struct revision){0, 0};
    char text[REVISION_TEXT_SIZE];
    auto_free char *path = mem_printf("%s?after=%s", uplink->poll_path,
                                      revision_format(&after, text));
    uplink->polling = true;
    uplink->poll_started_at = timestamp_monotonic();
    client_multi_start(uplink->config.multi, "GET", path, uplink->token, NULL,
                       POLL_TIMEOUT_MS, poll_done, uplink);
}

/* ---- the report ------------------------------------------------------------------------ */

/* Once is what a lost state folder costs. More means that two agents overtake
 * each other, which each of them takes for a lost state. */
static void say_stale(struct uplink *uplink)
{
    int64_t now = timestamp_monotonic();
    bool said =
        uplink->stale_said_at && now < uplink->stale_said_at + STALE_SAY_NS;
    if (++uplink->stales < 2 || said)
        return;
    uplink->stale_said_at = now;
    log_error("another agent reports as host '%s' too; stop one of them, or "
              "give it a name and a token of its own",
              uplink->name);
}

static void report_answered(void *context, const struct client_answer *answer,
                            const struct error *err)
{
    struct uplink *uplink = context;
    (void)answer;
    uplink->reporting = false;
    enum agent_outcome outcome = AGENT_REPORT_ACCEPTED;
    if (!err)
        say_well(uplink);
    else if (err->code == ERROR_NEED_FULL)
        outcome = AGENT_REPORT_NEED_FULL;
    else if (err->code == ERROR_STALE_REPORT)
        outcome = AGENT_REPORT_STALE;
    else if (needs_people(err->code))
        outcome = AGENT_REPORT_REFUSED;
    else
        outcome = AGENT_REPORT_LOST;
    if (outcome == AGENT_REPORT_STALE)
        say_stale(uplink);
    uplink->reports += outcome == AGENT_REPORT_ACCEPTED;
    if (outcome == AGENT_REPORT_REFUSED || outcome == AGENT_REPORT_LOST)
        say_trouble(uplink, "the report", err);
    else if (err)
        log_debug("the report of host '%s': %s", uplink->name, err->msg);
    agent_report_done(uplink->config.agent, uplink->report_sequence, outcome,
                      0);
    tell_answered(uplink);
}

static void start_report(struct uplink *uplink, const struct observed *observed)
{
    auto_json json_t *value = wire_observed(observed);
    uplink->reporting = true;
    uplink->report_sequence = observed->sequence;
    client_multi_start(uplink->config.multi, "PUT", uplink->report_path,
                       uplink->token, json_text(value), REPORT_TIMEOUT_MS,
                       report_answered, uplink);
}

int64_t uplink_step(struct uplink *uplink, int64_t now_ns)
{
    struct agent *agent = uplink->config.agent;
    if (!uplink->reporting) {
        auto_observed struct observed *observed = agent_report(agent, now_ns);
        if (observed)
            start_report(uplink, observed);
    }
    int64_t wake = INT64_MAX;
    if (!uplink->polling) {
        int64_t mono = timestamp_monotonic();
        if (mono >= uplink->poll_at)
            start_poll(uplink, now_ns);
        else
            wake = now_ns + (uplink->poll_at - mono);
    }
    int64_t due = agent_report_due(agent, now_ns);
    return due < wake ? due : wake;
}
