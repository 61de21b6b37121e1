/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/ports: list, show, and the path of one: onto its VF, onto virtio. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <string.h>

/* ---- reading --------------------------------------------------------------------- */

static int port_id(const struct http_request *request, struct uuid *id,
                   struct error *err)
{
    const char *text = http_param(request, "port");
    if (uuid_parse(text, id))
        return 0;
    error_fill(err, ERROR_NOT_FOUND, 0, "port", "no port '%.64s'", text);
    error_remedy(err, "ports are named by their ids: see GET /v1/ports");
    return -1;
}

static void answer_port(struct http_request *request, int status,
                        const struct snapshot *snapshot, const struct vm *vm,
                        const struct port *port)
{
    struct str body = {0};
    struct json_out out = json_out_as_text(&body);
    view_port(&out, snapshot, vm, port);
    api_answer_text(request, status, &body, vm->generation, NULL);
}

static void answer_unknown(struct http_request *request, const struct uuid *id)
{
    struct error err = {0};
    char text[UUID_TEXT_SIZE];
    error_fill(&err, ERROR_NOT_FOUND, 0, "port", "no port %s",
               uuid_format(id, text));
    error_remedy(&err, "see GET /v1/ports for the ids");
    api_error(request, &err);
}

HANDLER(handle_port_show)
{
    struct api *api = context;
    struct error err = {0};
    struct uuid id;
    if (port_id(request, &id, &err) < 0) {
        api_error(request, &err);
        return;
    }
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct port *port = NULL;
    const struct vm *vm = snapshot_port(snapshot, &id, &port);
    if (vm)
        answer_port(request, 200, snapshot, vm, port);
    else
        answer_unknown(request, &id);
    snapshot_put(snapshot);
}

/* Whose ports are listed; both NULL = all. */
struct filter {
    const struct host_view *host;
    const struct vm *vm;
};

static int read_filter(const struct snapshot *snapshot,
                       const struct http_request *request,
                       struct filter *filter, struct error *err)
{
    const char *host = http_query(request, "host");
    const char *vm = http_query(request, "vm");
    *filter = (struct filter){0};
    if (host && !(filter->host = api_host(snapshot, host, err)))
        return -1;
    if (vm && !(filter->vm = api_vm(snapshot, vm, err)))
        return -1;
    return 0;
}

static bool passes(const struct filter *filter, const struct vm *vm)
{
    return (!filter->host || strcmp(filter->host->host->name, vm->host) == 0) &&
           (!filter->vm || filter->vm == vm);
}

static int list_ports(const struct snapshot *snapshot,
                      const struct http_request *request, struct api_list *list,
                      char next[UUID_TEXT_SIZE], struct error *err)
{
    size_t limit = 0;
    const char *marker = NULL;
    struct uuid after = {{0}};
    struct filter filter;
    if (api_page(request, &limit, &marker, err) < 0)
        return -1;
    if (marker && !uuid_parse(marker, &after)) {
        error_fill(err, ERROR_INVALID, 0, "marker",
                   "marker '%.60s' is none of this list", marker);
        error_remedy(err, "send the next_marker of the last page");
        return -1;
    }
    if (read_filter(snapshot, request, &filter, err) < 0)
        return -1;
    const struct port *port = NULL;
    const struct vm *vm = NULL;
    bool first = !marker;
    *next = '\0';
    while ((vm = snapshot_port_after(snapshot, first ? NULL : &after, &port))) {
        first = false;
        after = port->id;
        if (!passes(&filter, vm))
            continue;
        if (list->count == limit)
            return 0;
        uuid_format(&port->id, next);
        view_port(&list->out, snapshot, vm, port);
        list->count++;
    }
    *next = '\0';
    return 0;
}

HANDLER(handle_ports_list)
{
    struct api *api = context;
    struct error err = {0};
    char next[UUID_TEXT_SIZE] = "";
    struct snapshot *snapshot = service_snapshot(api->service);
    struct api_list list;
    api_list_begin(&list);
    if (list_ports(snapshot, request, &list, next, &err) == 0) {
        api_list_answer(request, &list, *next ? next : NULL);
    } else {
        str_done(&list.text);
        api_error(request, &err);
    }
    snapshot_put(snapshot);
}

/* ---- switching --------------------------------------------------------------------- */

struct change {
    struct api_job api;
    struct uuid id;
    uint64_t generation; /* of the VM; 0 = any */
    bool accelerate;
    bool changed;
    struct placement_reasons *reasons; /* owned; NULL = there are none */
};

static int run_change(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct change *change = (struct change *)job;
    struct placement_reasons reasons = {0};
    if (!change->accelerate)
        return core_port_decelerate(core, call, &change->id, change->generation,
                                    tx, &change->changed, err);
    int result =
        core_port_accelerate(core, call, &change->id, change->generation, tx,
                             &change->changed, &reasons, err);
    if (result < 0 && err->code == ERROR_NO_VALID_HOST)
        change->reasons = mem_dup(&reasons, sizeof reasons);
    return result;
}

static void answer_change(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct change *change = (struct change *)job;
    struct http_request *request = change->api.request;
    const struct port *port = NULL;
    const struct vm *vm =
        err ? NULL : snapshot_port(snapshot, &change->id, &port);
    if (err)
        api_unplaced(request, err, change->reasons);
    else if (vm)
        api_answer_vm(request, change->changed ? 202 : 200, snapshot, vm);
    else
        answer_unknown(request, &change->id);
    free(change->reasons);
    free(change);
}

static void submit_change(struct api *api, struct http_request *request,
                          bool accelerate)
{
    struct error err = {0};
    bool given = false;
    struct change *change = mem_new(struct change);
    if (port_id(request, &change->id, &err) < 0 ||
        api_if_match(request, &given, &change->generation, &err) < 0) {
        api_error(request, &err);
        free(change);
        return;
    }
    change->accelerate = accelerate;
    change->api.job.run = run_change;
    change->api.job.answer = answer_change;
    api_submit(api, request, SERVICE_LANE_CLIENT, &change->api);
}

HANDLER(handle_port_accelerate)
{
    submit_change(context, request, true);
}

HANDLER(handle_port_decelerate)
{
    submit_change(context, request, false);
}
