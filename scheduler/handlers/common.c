/* SPDX-License-Identifier: Apache-2.0 */
/* What all handlers share: jobs, paging, generations, answers. See api.h. */
#include "scheduler/handlers/api.h"

#include "api/http/token.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "scheduler/handlers/reader.h"

#include <stdio.h>
#include <string.h>

void handlers_init(void)
{
    count_init();
}

enum role handlers_identify(void *context, const char *token,
                            char name[NAME_SIZE])
{
    struct api *api = context;
    uint8_t hash[32];
    const char *who = NULL;
    http_token_hash(token, hash);
    struct snapshot *snapshot = service_snapshot(api->service);
    enum role role = snapshot_identify(snapshot, hash, &who);
    if (role != ROLE_NONE)
        str_copy_bounded(name, NAME_SIZE, who);
    snapshot_put(snapshot);
    return role;
}

/* ---- jobs -------------------------------------------------------------------- */

int handlers_start(struct api *api, size_t queue, struct error *err)
{
    api->reader = reader_start(queue, api_read_report, err);
    return api->reader ? 0 : -1;
}

void handlers_stop(struct api *api)
{
    reader_stop(api->reader);
}

void handlers_done(struct api *api)
{
    reader_free(api->reader);
    api->reader = NULL;
}

void api_submit(struct api *api, struct http_request *request,
                enum service_lane lane, struct api_job *job)
{
    http_defer(request);
    api_submit_deferred(api, request, lane, job);
}

void api_submit_deferred(struct api *api, struct http_request *request,
                         enum service_lane lane, struct api_job *job)
{
    struct error err = {0};
    job->api = api;
    job->request = request;
    if (!job->job.actor)
        job->job.actor = http_actor(request);
    job->job.request_id = http_request_id(request);
    if (service_submit(api->service, lane, &job->job))
        return;
    if (service_ready(api->service, &err) == 0 || err.code != ERROR_UNAVAILABLE)
        error_fill(&err, ERROR_BUSY, 0, "", "too many changes are queued");
    error_remedy(&err, "try again in a moment");
    job->job.answer(&job->job, NULL, &err);
}

/* ---- reading requests ----------------------------------------------------------- */

/* What to do where the error does not say it more exactly. */
static const char *usual_remedy(enum error_code code)
{
    static const struct {
        enum error_code code;
        const char *remedy;
    } usual[] = {
        {ERROR_INVALID, "correct the named field; GET /openapi.yaml tells "
                        "what it takes"},
        {ERROR_UNKNOWN_FIELD, "leave the field out; GET /openapi.yaml lists "
                              "what there is"},
        {ERROR_MALFORMED_JSON, "send one JSON object in UTF-8"},
        {ERROR_NOT_FOUND, "look at the list of what there is"},
        {ERROR_CONFLICT, "look at what is there, then ask again"},
        {ERROR_CONCURRENT_UPDATE, "read it again, then send the change with "
                                  "the new ETag or generation"},
        {ERROR_DUPLICATE_NAME, "choose another name"},
        {ERROR_MAC_IN_USE, "leave the MAC out to get a fresh one"},
        {ERROR_IN_USE, "end its use first"},
        {ERROR_NO_VALID_HOST, "see the reasons: ask for less, or make a host "
                              "fit"},
        {ERROR_WRONG_HOST, "enrol each machine under its own name"},
        {ERROR_STALE_REPORT, "send a report with a higher sequence"},
        {ERROR_NEED_FULL, "send the whole report (full: true)"},
        {ERROR_FORBIDDEN, "use a token of the needed role"},
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i].code == code)
            return usual[i].remedy;
    return "";
}

void api_problem(struct http_request *request, const struct error *err,
                 json_t *extra)
{
    struct error full = *err;
    if (!*full.remedy)
        error_remedy(&full, "%s", usual_remedy(full.code));
    http_answer_error(request, &full, extra);
}

void api_error(struct http_request *request, const struct error *err)
{
    api_problem(request, err, NULL);
}

const json_t *api_body(struct http_request *request)
{
    struct error err = {0};
    const json_t *body = http_json(request, &err);
    if (!body)
        api_error(request, &err);
    return body;
}

int api_query_u64(const struct http_request *request, const char *name,
                  uint64_t max, uint64_t *out, struct error *err)
{
    const char *text = http_query(request, name);
    if (!text || str_to_u64(text, 10, max, out))
        return 0;
    error_fill(err, ERROR_INVALID, 0, name,
               "'%.40s' is no whole number up to %llu", text,
               (unsigned long long)max);
    error_remedy(err, "give %s as a whole number, or leave it out", name);
    return -1;
}

int api_query_bool(const struct http_request *request, const char *name,
                   bool *out, struct error *err)
{
    const char *text = http_query(request, name);
    if (!text)
        return 0;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *out = *text == 't';
        return 0;
    }
    error_fill(err, ERROR_INVALID, 0, name, "'%.40s' is neither true nor false",
               text);
    error_remedy(err, "give %s=true or %s=false", name, name);
    return -1;
}

int api_query_kind(const struct http_request *request, bool *given,
                   enum device_kind *kind, struct error *err)
{
    const char *text = http_query(request, "kind");
    *given = text != NULL;
    *kind = text ? device_kind_parse(text) : DEVICE_KIND_MAX;
    if (!text || *kind != DEVICE_KIND_MAX)
        return 0;
    error_fill(err, ERROR_INVALID, 0, "kind", "'%.40s' is no kind of device",
               text);
    error_remedy(err, "use network, storage, display, accelerator or other");
    return -1;
}

int api_page(const struct http_request *request, size_t *limit,
             const char **marker, struct error *err)
{
    uint64_t number = API_LIMIT_DEFAULT;
    if (api_query_u64(request, "limit", API_LIMIT_MAX, &number, err) < 0 ||
        number == 0) {
        error_fill(err, ERROR_INVALID, 0, "limit",
                   "limit '%.40s' is not within 1 and %d",
                   http_query(request, "limit"), API_LIMIT_MAX);
        error_remedy(err, "give a limit from 1 to %d", API_LIMIT_MAX);
        return -1;
    }
    *limit = (size_t)number;
    *marker = http_query(request, "marker");
    return 0;
}

int api_if_match(const struct http_request *request, bool *given,
                 uint64_t *generation, struct error *err)
{
    const char *text = http_header(request, "If-Match");
    char digits[24];
    *given = false;
    if (!text || strcmp(text, "*") == 0)
        return 0;
    size_t length = strlen(text);
    if (length > 2 && length < sizeof digits && text[0] == '"' &&
        text[length - 1] == '"') {
        memcpy(digits, text + 1, length - 2);
        digits[length - 2] = '\0';
        if (str_to_u64(digits, 10, INT64_MAX, generation)) {
            *given = true;
            return 0;
        }
    }
    error_fill(err, ERROR_INVALID, 0, "If-Match",
               "If-Match '%.40s' is no ETag of this interface", text);
    error_remedy(err, "send the ETag of the last answer, such as \"3\" with "
                      "its quotes, or *");
    return -1;
}

int api_generation(const struct http_request *request, bool in_body,
                   uint64_t body_generation, bool *given, uint64_t *generation,
                   struct error *err)
{
    uint64_t matched = 0;
    bool in_header = false;
    if (api_if_match(request, &in_header, &matched, err) < 0)
        return -1;
    if (in_header && in_body && matched != body_generation) {
        error_fill(err, ERROR_INVALID, 0, "generation",
                   "If-Match asks for generation %llu, the body for %llu",
                   (unsigned long long)matched,
                   (unsigned long long)body_generation);
        error_remedy(err, "send one of them, or the same in both");
        return -1;
    }
    *given = in_header || in_body;
    *generation = in_header ? matched : body_generation;
    return 0;
}

const struct host_view *api_host(const struct snapshot *snapshot,
                                 const char *name, struct error *err)
{
    const struct host_view *host = snapshot_host(snapshot, name);
    if (!host) {
        error_fill(err, ERROR_NOT_FOUND, 0, "host", "no host '%.64s'", name);
        error_remedy(err, "see GET /v1/hosts for the names");
    }
    return host;
}

int api_host_name(struct api *api, const struct http_request *request,
                  char name[NAME_SIZE], struct error *err)
{
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct host_view *host =
        api_host(snapshot, http_param(request, "host"), err);
    if (host)
        str_copy_bounded(name, NAME_SIZE, host->host->name);
    snapshot_put(snapshot);
    return host ? 0 : -1;
}

/* ---- answering -------------------------------------------------------------------- */

void api_answer_text(struct http_request *request, int status, struct str *body,
                     uint64_t generation, const char *location)
{
    char etag[48];
    auto_free char *where =
        location ? mem_printf("Location: %s", location) : NULL;
    snprintf(etag, sizeof etag, "ETag: \"%llu\"",
             (unsigned long long)generation);
    const char *headers[] = {etag, where, NULL};
    http_answer_json_text(request, status, body, headers);
}

void api_answer(struct http_request *request, int status, json_t *body,
                uint64_t generation, const char *location)
{
    struct str text = {0};
    json_write(body, &text);
    json_decref(body);
    api_answer_text(request, status, &text, generation, location);
}

void api_list_begin(struct api_list *list)
{
    *list = (struct api_list){0};
    list->out = json_out_as_text(&list->text);
    json_out_object(&list->out, NULL);
    json_out_array(&list->out, "items");
}

void api_list_answer(struct http_request *request, struct api_list *list,
                     const char *marker)
{
    json_out_end(&list->out);
    json_out_text_or_null(&list->out, "next_marker", marker);
    json_out_end(&list->out);
    http_answer_json_text(request, 200, &list->text, NULL);
}

void api_answer_list(struct http_request *request, json_t *items,
                     const char *marker)
{
    json_t *body = json_object();
    wire_set(body, "items", items);
    wire_set(body, "next_marker", marker ? wire_text(marker) : json_null());
    http_answer_json(request, 200, body, NULL);
}

static json_t *reasons_list(const struct placement_reasons *reasons)
{
    json_t *list = json_array();
    for (size_t i = 0; i < reasons->count; i++) {
        const struct placement_reason *reason = &reasons->items[i];
        json_t *item = json_object(), *example = json_object();
        wire_set(item, "reason", wire_text(reason->reason));
        wire_set(item, "field",
                 *reason->field ? wire_text(reason->field) : json_null());
        wire_set(item, "hosts", wire_number(reason->hosts));
        wire_set(example, "host", wire_text(reason->example_host));
        wire_set(example, "pf",
                 *reason->example_pf ? wire_text(reason->example_pf)
                                     : json_null());
        wire_set(example, "message", wire_text(reason->example_message));
        wire_set(item, "example", example);
        json_array_append_new(list, item);
    }
    return list;
}

void api_unplaced(struct http_request *request, const struct error *err,
                  const struct placement_reasons *reasons)
{
    json_t *extra = NULL;
    if (err->code == ERROR_NO_VALID_HOST && reasons) {
        extra = json_object();
        wire_set(extra, "reasons", reasons_list(reasons));
    }
    api_problem(request, err, extra);
}
