/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/agents/{host}: the two documents (DESIGN.md section 3.3). An agent's token
 * is good for its own host only. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "scheduler/handlers/reader.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS 25000

static int check_own(const struct http_request *request, struct error *err)
{
    const char *host = http_param(request, "host");
    const char *own = http_actor(request);
    if (strcmp(host, own) == 0)
        return 0;
    error_fill(err, ERROR_FORBIDDEN, 0, "host",
               "the token belongs to host '%s', not to '%.64s'", own, host);
    error_remedy(err, "start the agent with the name and token of one host; "
                      "sriov-admin host enroll makes a token");
    return -1;
}

/* ---- desired, down ------------------------------------------------------------- */

struct heard {
    struct job job;
    char host[NAME_SIZE];
};

static int run_heard(struct job *job, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    struct heard *heard = (struct heard *)job;
    (void)tx;
    (void)err;
    core_heard(core, heard->host, call->now_ns);
    return 0;
}

static void answer_heard(struct job *job, struct snapshot *snapshot,
                         const struct error *err)
{
    (void)snapshot;
    (void)err;
    free(job);
}

/* Asking for the document is a sign of life. A full queue may drop it: reports
 * and the next question are signs too. */
static void note_heard(struct api *api, const char *host)
{
    struct heard *heard = mem_new(struct heard);
    heard->job.run = run_heard;
    heard->job.answer = answer_heard;
    str_copy(heard->host, host);
    if (!service_submit(api->service, SERVICE_LANE_AGENT, &heard->job))
        free(heard);
}

/* 'after' of the query; 0.0 = the whole document. */
static int read_after(const struct http_request *request,
                      struct revision *after, struct error *err)
{
    const char *text = http_query(request, "after");
    *after = (struct revision){0, 0};
    if (!text || revision_parse(text, after))
        return 0;
    error_fill(err, ERROR_INVALID, 0, "after", "'%.40s' is no revision", text);
    error_remedy(err, "send EPOCH.REVISION of the last document, such as 3.17, "
                      "or leave it out");
    return -1;
}

/* Is there nothing newer than what the agent has? */
static bool up_to_date(const struct snapshot *snapshot, const char *host,
                       const struct revision *after)
{
    const struct host_view *view = snapshot_host(snapshot, host);
    return view && view->revision.epoch == after->epoch &&
           view->revision.revision <= after->revision;
}

static bool still_wait(void *context, struct http_request *request)
{
    struct api *api = context;
    struct revision after;
    struct snapshot *snapshot = service_snapshot(api->service);
    bool wait = read_after(request, &after, NULL) == 0 &&
                up_to_date(snapshot, http_actor(request), &after);
    snapshot_put(snapshot);
    return wait;
}

static void answer_desired(struct api *api, struct http_request *request,
                           const struct revision *after)
{
    struct error err = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    auto_desired struct desired *desired =
        snapshot_desired(snapshot, http_actor(request), *after);
    snapshot_put(snapshot);
    if (desired) {
        http_answer_json(request, 200, wire_desired(desired), NULL);
        return;
    }
    error_fill(&err, ERROR_NOT_FOUND, 0, "host", "no host '%s'",
               http_actor(request));
    error_remedy(&err, "enrol it: sriov-admin host enroll");
    api_error(request, &err);
}

static void resume_desired(void *context, struct http_request *request,
                           bool timed_out)
{
    struct api *api = context;
    struct revision after;
    /* It was read before parking. */
    read_after(request, &after, NULL);
    if (timed_out && still_wait(context, request))
        http_answer_json(request, 204, NULL, NULL);
    else
        answer_desired(api, request, &after);
}

HANDLER(handle_agent_desired)
{
    struct api *api = context;
    struct error err = {0};
    struct revision after;
    if (check_own(request, &err) < 0 || read_after(request, &after, &err) < 0) {
        api_error(request, &err);
        return;
    }
    note_heard(api, http_actor(request));
    if (!still_wait(context, request)) {
        answer_desired(api, request, &after);
        return;
    }
    char key[NAME_SIZE + 16];
    snprintf(key, sizeof key, "desired/%s", http_actor(request));
    http_park(request, key, POLL_MS, still_wait, resume_desired);
}

/* ---- observed, up --------------------------------------------------------------- */

struct report {
    struct api_job api;
    char host[NAME_SIZE]; /* whose token it came with */
    char actor[NAME_SIZE + 8];
    struct observed *observed;
    size_t unknown; /* members that we don't know: a newer agent */
    unsigned failures[POLICY_FIELD_MAX + 1]; /* new ones; the last: no field */
};

/* Which fields failed, of the ports whose failure this report made known. */
static void note_failures(struct report *report, const struct tx *tx)
{
    const struct observed *observed = report->observed;
    for (size_t i = 0; i < tx->count; i++) {
        const struct event *event =
            tx->records[i].kind == RECORD_EVENT ? tx->records[i].after : NULL;
        if (!event || strcmp(event->type, "PortFailed") != 0)
            continue;
        for (size_t j = 0; j < observed->port_count; j++)
            if (uuid_equal(&observed->ports[j].id, &event->port))
                report->failures[policy_field_parse(
                    observed->ports[j].condition.field)]++;
    }
}

static int run_report(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct report *report = (struct report *)job;
    /* Also when the report is refused or can't be stored: it lives. */
    core_heard(core, report->host, call->now_ns);
    int result =
        core_observe(core, call, report->host, report->observed, tx, err);
    if (result == 0)
        note_failures(report, tx);
    return result;
}

static void answer_report(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct report *report = (struct report *)job;
    struct http_request *request = report->api.request;
    const struct host_view *view =
        snapshot ? snapshot_host(snapshot, report->host) : NULL;
    if (err) {
        json_t *extra = NULL;
        if (err->code == ERROR_STALE_REPORT && view && view->report) {
            extra = json_object();
            wire_set(extra, "known_incarnation",
                     wire_number(view->report->incarnation));
        }
        api_problem(request, err, extra);
    } else {
        count_policy_failures(report->failures);
        json_t *body = json_object();
        wire_set(body, "sequence", wire_number(report->observed->sequence));
        wire_set(body, "revision",
                 view ? wire_revision(&view->revision) : json_null());
        wire_set(body, "unknown_members", wire_number(report->unknown));
        http_answer_json(request, 200, body, NULL);
    }
    ref_put(report->observed);
    free(report);
}

/* What the report repeats of the last one here need not be taken over by the
 * writer, nor freed by it. */
static void share_known(const struct report *report)
{
    struct inventory *inventory = report->observed->inventory;
    struct snapshot *snapshot = service_snapshot(report->api.api->service);
    const struct host_view *view = snapshot_host(snapshot, report->host);
    if (inventory && view && view->report)
        inventory_share(inventory, view->report->inventory);
    snapshot_put(snapshot);
}

/* Parse and check; then it is the writer's. The request is deferred. */
static void read_report(struct report *report)
{
    struct error err = {0};
    struct http_request *request = report->api.request;
    const json_t *body = http_json(request, &err);
    if (body)
        report->observed = wire_observed_read(body, &report->unknown, &err);
    http_drop_body(request);
    if (!report->observed) {
        api_error(request, &err);
        free(report);
        return;
    }
    share_known(report);
    api_submit_deferred(report->api.api, request, SERVICE_LANE_AGENT,
                        &report->api);
}

void api_read_report(void *item)
{
    read_report(item);
}

/* A report that has changed little is read at once. */
#define SHORT_REPORT 4096

HANDLER(handle_agent_observed)
{
    struct api *api = context;
    struct error err = {0};
    size_t length = 0;
    if (check_own(request, &err) < 0) {
        api_error(request, &err);
        return;
    }
    struct report *report = mem_new(struct report);
    str_copy(report->host, http_actor(request));
    snprintf(report->actor, sizeof report->actor, "agent %s", report->host);
    report->api.api = api;
    report->api.request = request;
    report->api.job.actor = report->actor;
    report->api.job.run = run_report;
    report->api.job.answer = answer_report;
    http_body(request, &length);
    http_defer(request);
    if (length <= SHORT_REPORT || !api->reader) {
        read_report(report);
        return;
    }
    if (reader_submit(api->reader, report))
        return;
    error_fill(&err, ERROR_BUSY, 0, "", "too many reports are queued");
    error_remedy(&err, "try again in a moment");
    api_error(request, &err);
    free(report);
}
