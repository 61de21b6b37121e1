/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/vms: list, show, create, change, delete. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "scheduler/handlers/vm_request.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const struct vm *api_vm(const struct snapshot *snapshot, const char *text,
                        struct error *err)
{
    struct uuid id;
    const struct vm *vm =
        uuid_parse(text, &id) ? snapshot_vm(snapshot, &id) : NULL;
    if (!vm)
        vm = snapshot_vm_by_name(snapshot, text);
    if (!vm) {
        error_fill(err, ERROR_NOT_FOUND, 0, "vm", "no VM '%.64s'", text);
        error_remedy(err, "see GET /v1/vms for ids and names");
    }
    return vm;
}

void api_answer_vm(struct http_request *request, int status,
                   const struct snapshot *snapshot, const struct vm *vm)
{
    struct str body = view_vm_text(snapshot, vm, false);
    api_answer_text(request, status, &body, vm->generation, NULL);
}

HANDLER(handle_vm_show)
{
    struct api *api = context;
    struct error err = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct vm *vm = api_vm(snapshot, http_param(request, "vm"), &err);
    if (vm)
        api_answer_vm(request, 200, snapshot, vm);
    else
        api_error(request, &err);
    snapshot_put(snapshot);
}

/* All VMs in the order of their ids, or those of one host. */
struct walk {
    const struct snapshot *snapshot;
    const struct host_view *host; /* NULL = all */
    size_t index;                 /* in host->vms */
};

/* The VM after 'last'; NULL: the first after 'marker'. */
static const struct vm *walk_next(struct walk *walk, const struct vm *last,
                                  const struct uuid *marker)
{
    if (!walk->host)
        return snapshot_vm_after(walk->snapshot, last ? &last->id : marker);
    if (walk->index == walk->host->vm_count)
        return NULL;
    return snapshot_vm(walk->snapshot, &walk->host->vms[walk->index++]);
}

static int list_vms(const struct snapshot *snapshot,
                    const struct http_request *request, struct api_list *list,
                    char next[UUID_TEXT_SIZE], struct error *err)
{
    size_t limit = 0;
    const char *marker = NULL, *host = http_query(request, "host");
    struct uuid after = {{0}};
    if (api_page(request, &limit, &marker, err) < 0)
        return -1;
    if (marker && !uuid_parse(marker, &after)) {
        error_fill(err, ERROR_INVALID, 0, "marker",
                   "marker '%.60s' is none of this list", marker);
        error_remedy(err, "send the next_marker of the last page");
        return -1;
    }
    const struct host_view *view = host ? api_host(snapshot, host, err) : NULL;
    if (host && !view)
        return -1;
    *next = '\0';
    struct walk walk = {snapshot, view, 0};
    const struct vm *vm = NULL;
    if (view && marker)
        while (walk.index < view->vm_count &&
               uuid_compare(&view->vms[walk.index], &after) <= 0)
            walk.index++;
    while ((vm = walk_next(&walk, vm, marker ? &after : NULL))) {
        if (list->count == limit)
            return 0;
        uuid_format(&vm->id, next);
        view_vm(&list->out, snapshot, vm, false);
        list->count++;
    }
    *next = '\0';
    return 0;
}

HANDLER(handle_vms_list)
{
    struct api *api = context;
    struct error err = {0};
    char next[UUID_TEXT_SIZE] = "";
    struct snapshot *snapshot = service_snapshot(api->service);
    struct api_list list;
    api_list_begin(&list);
    if (list_vms(snapshot, request, &list, next, &err) == 0) {
        api_list_answer(request, &list, *next ? next : NULL);
    } else {
        str_done(&list.text);
        api_error(request, &err);
    }
    snapshot_put(snapshot);
}

/* ---- creating ------------------------------------------------------------------ */

struct creation {
    struct api_job api;
    struct vm_request request;
    struct vm *vm; /* a reference, after run */
    bool repeated;
    struct placement_reasons *reasons; /* owned; NULL = it was not refused */
};

static int run_creation(struct job *job, struct core *core,
                        const struct core_call *call, struct tx *tx,
                        struct error *err)
{
    struct creation *creation = (struct creation *)job;
    int64_t began = timestamp_monotonic();
    struct placement_reasons reasons;
    int result =
        core_vm_create(core, call, &creation->request, tx, &creation->vm,
                       &creation->repeated, &reasons, err);
    bool placed = result == 0 && !creation->repeated;
    bool unplaced = result < 0 && err->code == ERROR_NO_VALID_HOST;
    if (placed || unplaced)
        count_placement((double)(timestamp_monotonic() - began) /
                            (double)TIMESTAMP_SECOND,
                        unplaced ? &reasons : NULL);
    if (unplaced)
        creation->reasons = mem_dup(&reasons, sizeof reasons);
    return result;
}

static void answer_creation(struct job *job, struct snapshot *snapshot,
                            const struct error *err)
{
    struct creation *creation = (struct creation *)job;
    struct http_request *request = creation->api.request;
    if (err) {
        api_unplaced(request, err, creation->reasons);
    } else {
        bool dry = job->dry_run;
        /* A repeated request gets the VM as it is now. */
        const struct vm *now = snapshot_vm(snapshot, &creation->vm->id);
        const struct vm *vm = now ? now : creation->vm;
        char id[UUID_TEXT_SIZE];
        auto_free char *location =
            mem_printf("/v1/vms/%s", uuid_format(&vm->id, id));
        struct str body = view_vm_text(snapshot, vm, dry);
        api_answer_text(request, dry ? 200 : 201, &body, vm->generation,
                        dry ? NULL : location);
    }
    ref_put(creation->vm);
    free(creation->reasons);
    vm_request_done(&creation->request);
    free(creation);
}

/* Two requests are the same if their JSON is, whatever order and white space. */
static uint64_t hash_of(const json_t *body)
{
    auto_free char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    return str_hash(text, strlen(text));
}

static int read_idempotency_key(const struct http_request *request,
                                struct vm_request *out, struct error *err)
{
    const char *key = http_header(request, "Idempotency-Key");
    if (!key)
        return 0;
    bool good = *key && str_copy(out->idempotency_key, key);
    for (const char *at = key; good && *at; at++)
        good = isgraph((unsigned char)*at) != 0;
    if (good)
        return 0;
    error_fill(err, ERROR_INVALID, 0, "Idempotency-Key",
               "the Idempotency-Key is not 1 to %d visible ASCII characters",
               IDEMPOTENCY_KEY_SIZE - 1);
    error_remedy(err, "use a UUID");
    return -1;
}

HANDLER(handle_vm_create)
{
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct creation *creation = mem_new(struct creation);
    if (api_query_bool(request, "dry_run", &creation->api.job.dry_run, &err) <
            0 ||
        read_idempotency_key(request, &creation->request, &err) < 0 ||
        vm_request_read(body, &creation->request, &err) < 0) {
        api_error(request, &err);
        free(creation);
        return;
    }
    /* Only a repeated key is ever compared. */
    if (*creation->request.idempotency_key)
        creation->request.request_hash = hash_of(body);
    creation->api.job.run = run_creation;
    creation->api.job.answer = answer_creation;
    api_submit(context, request, SERVICE_LANE_CLIENT, &creation->api);
}

/* ---- deleting --------------------------------------------------------------------- */

struct removal {
    struct api_job api;
    struct uuid id;
    uint64_t generation; /* 0 = any */
};

static int run_removal(struct job *job, struct core *core,
                       const struct core_call *call, struct tx *tx,
                       struct error *err)
{
    struct removal *removal = (struct removal *)job;
    return core_vm_delete(core, call, &removal->id, removal->generation, tx,
                          err);
}

static void answer_removal(struct job *job, struct snapshot *snapshot,
                           const struct error *err)
{
    struct removal *removal = (struct removal *)job;
    struct http_request *request = removal->api.request;
    const struct vm *vm = err ? NULL : snapshot_vm(snapshot, &removal->id);
    if (err)
        api_error(request, err);
    else if (vm)
        api_answer_vm(request, 202, snapshot, vm);
    else /* nothing had to be cleaned */
        http_answer_json(request, 204, NULL, NULL);
    free(removal);
}

HANDLER(handle_vm_delete)
{
    struct api *api = context;
    struct error err = {0};
    bool given = false;
    struct removal *removal = mem_new(struct removal);
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct vm *vm = api_vm(snapshot, http_param(request, "vm"), &err);
    int result =
        vm ? api_if_match(request, &given, &removal->generation, &err) : -1;
    if (vm)
        removal->id = vm->id;
    snapshot_put(snapshot);
    if (result < 0) {
        api_error(request, &err);
        free(removal);
        return;
    }
    removal->api.job.run = run_removal;
    removal->api.job.answer = answer_removal;
    api_submit(api, request, SERVICE_LANE_CLIENT, &removal->api);
}

/* ---- changing ---------------------------------------------------------------------- */

struct change {
    struct api_job api;
    struct uuid id;
    uint64_t generation; /* 0 = any */
    bool on;
};

static int run_change(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct change *change = (struct change *)job;
    return core_vm_power(core, call, &change->id, change->generation,
                         change->on, tx, err);
}

static void answer_change(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct change *change = (struct change *)job;
    struct http_request *request = change->api.request;
    const struct vm *vm = err ? NULL : snapshot_vm(snapshot, &change->id);
    if (err)
        api_error(request, err);
    else if (vm)
        api_answer_vm(request, 202, snapshot, vm);
    free(change);
}

static int read_change(struct http_request *request, const json_t *body,
                       struct change *change, struct error *err)
{
    struct json_reader reader;
    static const char *const powers[] = {"off", "on"};
    uint64_t generation = 0;
    uint8_t power = 0;
    bool given = false;
    json_reader_begin(&reader, body, "", err);
    bool in_body =
        json_take_u64(&reader, "generation", false, 0, INT64_MAX, &generation);
    wire_take_choice(&reader, "power", true, powers, 2, &power);
    change->on = power == 1;
    return json_reader_end(&reader, true, NULL) < 0
               ? -1
               : api_generation(request, in_body, generation, &given,
                                &change->generation, err);
}

HANDLER(handle_vm_patch)
{
    struct api *api = context;
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct change *change = mem_new(struct change);
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct vm *vm = api_vm(snapshot, http_param(request, "vm"), &err);
    int result = vm ? read_change(request, body, change, &err) : -1;
    if (vm)
        change->id = vm->id;
    snapshot_put(snapshot);
    if (result < 0) {
        api_error(request, &err);
        free(change);
        return;
    }
    change->api.job.run = run_change;
    change->api.job.answer = answer_change;
    api_submit(api, request, SERVICE_LANE_CLIENT, &change->api);
}
