/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/pfs and /v1/hosts/{host}/pfs/{pf}. A page's marker is "HOST/PF". */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "scheduler/handlers/pf_request.h"

#include <stdio.h>
#include <string.h>

/* Which PFs are asked for. */
struct filter {
    const char *host, *driver; /* NULL = any */
    bool has_kind;
    enum device_kind kind;
    uint16_t vendor_id; /* 0 = any */
};

static int read_filter(const struct http_request *request,
                       struct filter *filter, struct error *err)
{
    const char *vendor = http_query(request, "vendor_id");
    uint64_t number = 0;
    filter->host = http_query(request, "host");
    filter->driver = http_query(request, "driver");
    if (api_query_kind(request, &filter->has_kind, &filter->kind, err) < 0)
        return -1;
    bool good = vendor && strlen(vendor) == 4 &&
                strspn(vendor, "0123456789abcdefABCDEF") == 4 &&
                str_to_u64(vendor, 16, UINT16_MAX, &number) && number;
    if (vendor && !good) {
        error_fill(err, ERROR_INVALID, 0, "vendor_id",
                   "'%.40s' is no PCI vendor id", vendor);
        error_remedy(err, "give four hex digits, such as 8086");
        return -1;
    }
    filter->vendor_id = (uint16_t)number;
    return 0;
}

static bool passes(const struct filter *filter, const struct pf *pf)
{
    return (!filter->has_kind || pf->kind == filter->kind) &&
           (!filter->driver || strcmp(pf->driver, filter->driver) == 0) &&
           (!filter->vendor_id || pf->vendor_id == filter->vendor_id);
}

/* Walks the PFs of all hosts, or of one, in the order of host, then key. */
struct walk {
    const struct snapshot *snapshot;
    const struct host_view *host;
    size_t index;
    bool one_host;
};

static const struct inventory *inventory_of(const struct host_view *host)
{
    return host && host->report ? host->report->inventory : NULL;
}

static const struct pf *walk_next(struct walk *walk)
{
    while (walk->host) {
        const struct inventory *inventory = inventory_of(walk->host);
        if (inventory && walk->index < inventory->pf_count)
            return inventory->pfs[walk->index++];
        if (walk->one_host)
            return NULL;
        walk->host =
            snapshot_host_after(walk->snapshot, walk->host->host->name);
        walk->index = 0;
    }
    return NULL;
}

/* Go behind "HOST/PF"; a host or PF that is gone since is no error. */
static int walk_seek(struct walk *walk, const char *marker, struct error *err)
{
    char host[NAME_SIZE] = "";
    struct pf_key key;
    const char *slash = strchr(marker, '/');
    size_t length = slash ? (size_t)(slash - marker) : sizeof host;
    if (length >= sizeof host || !pf_key_parse(slash + 1, &key)) {
        error_fill(err, ERROR_INVALID, 0, "marker",
                   "marker '%.60s' is none of this list", marker);
        error_remedy(err, "send the next_marker of the last page");
        return -1;
    }
    memcpy(host, marker, length);
    if (walk->one_host && strcmp(walk->host->host->name, host) != 0)
        return 0;
    if (!walk->one_host) {
        const struct host_view *found = snapshot_host(walk->snapshot, host);
        bool here = found && strcmp(found->host->name, host) == 0;
        walk->host = here ? found : snapshot_host_after(walk->snapshot, host);
        if (!here)
            return 0;
    }
    const struct inventory *inventory = inventory_of(walk->host);
    while (inventory && walk->index < inventory->pf_count &&
           pf_key_compare(&inventory->pfs[walk->index]->key, &key) <= 0)
        walk->index++;
    return 0;
}

static int walk_begin(struct walk *walk, const struct snapshot *snapshot,
                      const char *host, const char *marker, struct error *err)
{
    *walk = (struct walk){.snapshot = snapshot, .one_host = host != NULL};
    if (host) {
        walk->host = api_host(snapshot, host, err);
        if (!walk->host)
            return -1;
    } else {
        walk->host = snapshot_host_after(snapshot, NULL);
    }
    return marker && walk->host ? walk_seek(walk, marker, err) : 0;
}

static int list_pfs(const struct snapshot *snapshot,
                    const struct http_request *request, json_t *items,
                    char **next, struct error *err)
{
    size_t limit = 0;
    const char *marker = NULL;
    struct filter filter = {0};
    struct walk walk;
    if (api_page(request, &limit, &marker, err) < 0 ||
        read_filter(request, &filter, err) < 0 ||
        walk_begin(&walk, snapshot, filter.host, marker, err) < 0)
        return -1;
    const struct pf *pf = NULL;
    while ((pf = walk_next(&walk))) {
        if (!passes(&filter, pf))
            continue;
        if (json_array_size(items) == limit)
            return 0;
        free(*next);
        *next = mem_printf("%s/%s", walk.host->host->name, pf->key.text);
        json_array_append_new(items, view_pf(snapshot, walk.host, pf, false));
    }
    free(take_ptr(*next));
    return 0;
}

HANDLER(handle_pfs_list)
{
    struct api *api = context;
    struct error err = {0};
    auto_free char *next = NULL;
    struct snapshot *snapshot = service_snapshot(api->service);
    json_t *items = json_array();
    if (list_pfs(snapshot, request, items, &next, &err) == 0) {
        api_answer_list(request, items, next);
    } else {
        json_decref(items);
        api_error(request, &err);
    }
    snapshot_put(snapshot);
}

/* The key of the path; it never holds '/', '..' or anything else that a path
 * could be built of. */
static int read_key(const struct http_request *request, struct pf_key *key,
                    struct error *err)
{
    const char *text = http_param(request, "pf");
    if (pf_key_parse(text, key))
        return 0;
    error_fill(err, ERROR_INVALID, 0, "pf", "'%.40s' is no key of a PF", text);
    error_remedy(err, "use a PCI address such as 0000:3b:00.0, or netdevsimN; "
                      "see GET /v1/pfs");
    return -1;
}

/* Host and PF as last reported. */
static const struct pf *find_pf(const struct snapshot *snapshot,
                                const char *host_name, const struct pf_key *key,
                                const struct host_view **host,
                                struct error *err)
{
    *host = api_host(snapshot, host_name, err);
    if (!*host)
        return NULL;
    const struct inventory *inventory = inventory_of(*host);
    const struct pf *pf = inventory ? inventory_pf(inventory, key) : NULL;
    if (!pf) {
        error_fill(
            err, ERROR_NOT_FOUND, 0, "pf", "host '%s' %s PF '%s'", host_name,
            inventory ? "reports no" : "has not yet reported; no", key->text);
        error_remedy(err, "see GET /v1/pfs?host=%s", (*host)->host->name);
    }
    return pf;
}

HANDLER(handle_pf_show)
{
    struct api *api = context;
    struct error err = {0};
    struct pf_key key;
    const struct host_view *host = NULL;
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct pf *pf =
        read_key(request, &key, &err) == 0
            ? find_pf(snapshot, http_param(request, "host"), &key, &host, &err)
            : NULL;
    if (pf)
        api_answer(request, 200, view_pf(snapshot, host, pf, true),
                   host->host->generation, NULL);
    else
        api_error(request, &err);
    snapshot_put(snapshot);
}

/* ---- changing --------------------------------------------------------------------- */

struct change {
    struct api_job api;
    char host[NAME_SIZE];
    struct pf_key key;
    struct pf_request request;
};

/* Words are said one by one, so they are laid over those of this moment, which
 * other requests of the same batch may just have changed. */
static void merge_words(struct core *core, struct change *change)
{
    struct snapshot *now = core_publish(core);
    const struct host_view *host = snapshot_host(now, change->host);
    pf_request_merge_words(&change->request,
                           host ? host_pf_setting(host->host, &change->key)
                                : NULL);
    snapshot_put(now);
}

static int run_change(struct job *job, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct change *change = (struct change *)job;
    merge_words(core, change);
    return core_pf_patch(core, call, change->host, &change->key,
                         &change->request.patch, tx, err);
}

static void answer_change(struct job *job, struct snapshot *snapshot,
                          const struct error *err)
{
    struct change *change = (struct change *)job;
    struct http_request *request = change->api.request;
    struct error missing = {0};
    const struct host_view *host = NULL;
    const struct pf *pf =
        err ? NULL
            : find_pf(snapshot, change->host, &change->key, &host, &missing);
    if (pf)
        api_answer(request, 200, view_pf(snapshot, host, pf, true),
                   host->host->generation, NULL);
    else
        api_error(request, err ? err : &missing);
    free(change);
}

static int read_change(const struct http_request *request, const json_t *body,
                       struct change *change, struct error *err)
{
    struct pf_request *asked = &change->request;
    if (read_key(request, &change->key, err) < 0 ||
        pf_request_read(body, asked, err) < 0)
        return -1;
    return api_generation(request, asked->in_body, asked->generation,
                          &asked->patch.has_generation,
                          &asked->patch.generation, err);
}

HANDLER(handle_pf_patch)
{
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct change *change = mem_new(struct change);
    if (read_change(request, body, change, &err) < 0 ||
        api_host_name(context, request, change->host, &err) < 0) {
        api_error(request, &err);
        free(change);
        return;
    }
    change->api.job.run = run_change;
    change->api.job.answer = answer_change;
    api_submit(context, request, SERVICE_LANE_CLIENT, &change->api);
}
