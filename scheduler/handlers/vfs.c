/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/vfs: VFs with their owner and the policy as the kernel reads. A
 * page's marker is "HOST/PF/INDEX". */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

struct filter {
    const char *host; /* NULL = any */
    bool has_pf, has_state, has_kind;
    struct pf_key pf;
    enum vf_state state;
    enum device_kind kind;
};

/* Where the last page ended. */
struct position {
    bool set;
    char host[NAME_SIZE];
    struct pf_key pf;
    uint64_t index;
};

struct page {
    const struct snapshot *snapshot;
    struct filter filter;
    struct position after;
    size_t limit;
    json_t *items;
    struct str last; /* marker of the last item */
    bool full;       /* there is one more than the limit */
};

static int read_filter(const struct http_request *request,
                       struct filter *filter, struct error *err)
{
    const char *pf = http_query(request, "pf");
    const char *state = http_query(request, "state");
    filter->host = http_query(request, "host");
    filter->has_pf = pf != NULL;
    filter->has_state = state != NULL;
    if (pf && !pf_key_parse(pf, &filter->pf)) {
        error_fill(err, ERROR_INVALID, 0, "pf", "'%.40s' is no key of a PF",
                   pf);
        error_remedy(err, "use a PCI address such as 0000:3b:00.0, or "
                          "netdevsimN");
        return -1;
    }
    filter->state = state ? vf_state_parse(state) : VF_STATE_MAX;
    if (state && filter->state == VF_STATE_MAX) {
        error_fill(err, ERROR_INVALID, 0, "state",
                   "'%.40s' is no state of a VF", state);
        error_remedy(err, "use free, probing, claimed, attached, cleaning, "
                          "quarantined or external");
        return -1;
    }
    return api_query_kind(request, &filter->has_kind, &filter->kind, err);
}

static int read_marker(const char *marker, struct position *after,
                       struct error *err)
{
    auto_free char *copy = mem_strdup(marker ? marker : "");
    char *pf = strchr(copy, '/');
    char *index = pf ? strchr(pf + 1, '/') : NULL;
    if (!marker)
        return 0;
    if (index) {
        *pf++ = '\0';
        *index++ = '\0';
        if (str_copy(after->host, copy) && pf_key_parse(pf, &after->pf) &&
            str_to_u64(index, 10, UINT16_MAX, &after->index)) {
            after->set = true;
            return 0;
        }
    }
    error_fill(err, ERROR_INVALID, 0, "marker",
               "marker '%.60s' is none of this list", marker);
    error_remedy(err, "send the next_marker of the last page");
    return -1;
}

static void add_vfs(struct page *page, const struct host_view *host,
                    const struct pf *pf)
{
    const struct position *after = &page->after;
    int order = -1;
    if (after->set && strcmp(host->host->name, after->host) == 0)
        order = pf_key_compare(&after->pf, &pf->key);
    if (order > 0)
        return;
    for (size_t i = 0; i < pf->vf_count && !page->full; i++) {
        const struct vf *vf = &pf->vfs[i];
        if (order == 0 && vf->index <= after->index)
            continue;
        if (page->filter.has_state &&
            view_vf_state(page->snapshot, host, pf, vf) != page->filter.state)
            continue;
        if (json_array_size(page->items) == page->limit) {
            page->full = true;
            return;
        }
        json_array_append_new(page->items,
                              view_vf(page->snapshot, host, pf, vf));
        str_done(&page->last);
        str_printf(&page->last, "%s/%s/%u", host->host->name, pf->key.text,
                   vf->index);
    }
}

static void add_host(struct page *page, const struct host_view *host)
{
    const struct inventory *inventory =
        host->report ? host->report->inventory : NULL;
    const struct filter *filter = &page->filter;
    for (size_t i = 0; inventory && i < inventory->pf_count && !page->full;
         i++) {
        const struct pf *pf = inventory->pfs[i];
        if ((!filter->has_pf || pf_key_compare(&pf->key, &filter->pf) == 0) &&
            (!filter->has_kind || pf->kind == filter->kind))
            add_vfs(page, host, pf);
    }
}

static int fill(struct page *page, const struct http_request *request,
                struct error *err)
{
    const char *marker = NULL;
    if (api_page(request, &page->limit, &marker, err) < 0 ||
        read_marker(marker, &page->after, err) < 0 ||
        read_filter(request, &page->filter, err) < 0)
        return -1;
    const struct host_view *host = NULL;
    if (page->filter.host) {
        host = api_host(page->snapshot, page->filter.host, err);
        if (!host)
            return -1;
        add_host(page, host);
        return 0;
    }
    /* The marker's own host may have more; snapshot_host_after is strict. */
    if (page->after.set) {
        host = snapshot_host(page->snapshot, page->after.host);
        if (host && strcmp(host->host->name, page->after.host) == 0)
            add_host(page, host);
    }
    host = snapshot_host_after(page->snapshot,
                               page->after.set ? page->after.host : NULL);
    for (; host && !page->full;
         host = snapshot_host_after(page->snapshot, host->host->name))
        add_host(page, host);
    return 0;
}

HANDLER(handle_vfs_list)
{
    struct api *api = context;
    struct error err = {0};
    struct snapshot *snapshot = service_snapshot(api->service);
    struct page page = {.snapshot = snapshot, .items = json_array()};
    if (fill(&page, request, &err) == 0) {
        api_answer_list(request, page.items,
                        page.full ? str_text(&page.last) : NULL);
    } else {
        json_decref(page.items);
        api_error(request, &err);
    }
    str_done(&page.last);
    snapshot_put(snapshot);
}
