/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/events: a page, or a stream (text/event-stream, HTML standard section
 * 9.2) that a client resumes by Last-Event-ID. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define STREAM_BLOCK 200 /* events at once */

struct stream {
    uint64_t after;
};

static bool stream_next(void *context, void *state, struct str *out)
{
    struct api *api = context;
    struct stream *stream = state;
    struct snapshot *snapshot = service_snapshot(api->service);
    const struct event *event = NULL;
    for (int i = 0; i < STREAM_BLOCK &&
                    (event = snapshot_event_after(snapshot, stream->after));
         i++) {
        struct json_out data = json_out_as_text(out);
        str_printf(out, "id: %llu\nevent: %s\ndata: ",
                   (unsigned long long)event->sequence, event->type);
        wire_put_event(&data, event);
        str_add(out, "\n\n");
        stream->after = event->sequence;
    }
    snapshot_put(snapshot);
    return true;
}

static bool wants_stream(const struct http_request *request)
{
    const char *accept = http_header(request, "Accept");
    return accept && strstr(accept, "text/event-stream");
}

static int read_after(const struct http_request *request, bool stream,
                      uint64_t *after, struct error *err)
{
    /* A reconnecting browser sends where it was; that beats the URL. */
    const char *last = stream ? http_header(request, "Last-Event-ID") : NULL;
    if (!last)
        return api_query_u64(request, "after", INT64_MAX, after, err);
    if (str_to_u64(last, 10, INT64_MAX, after))
        return 0;
    error_fill(err, ERROR_INVALID, 0, "Last-Event-ID",
               "Last-Event-ID '%.40s' is no sequence number", last);
    error_remedy(err, "send the id of the last event seen");
    return -1;
}

static void answer_page(struct http_request *request,
                        const struct snapshot *snapshot, uint64_t after,
                        size_t limit)
{
    struct api_list list;
    char next[24] = "";
    const struct event *event = NULL;
    api_list_begin(&list);
    while ((event = snapshot_event_after(snapshot, after))) {
        if (list.count == limit) {
            snprintf(next, sizeof next, "%llu", (unsigned long long)after);
            break;
        }
        wire_put_event(&list.out, event);
        list.count++;
        after = event->sequence;
    }
    api_list_answer(request, &list, *next ? next : NULL);
}

HANDLER(handle_events)
{
    struct api *api = context;
    struct error err = {0};
    uint64_t after = 0;
    size_t limit = 0;
    const char *marker = NULL;
    bool stream = wants_stream(request);
    if (api_page(request, &limit, &marker, &err) < 0 ||
        read_after(request, stream, &after, &err) < 0) {
        api_error(request, &err);
        return;
    }
    if (stream) {
        struct stream *state = mem_new(struct stream);
        state->after = after;
        http_answer_stream(request, "events", stream_next, state);
        return;
    }
    struct snapshot *snapshot = service_snapshot(api->service);
    answer_page(request, snapshot, after, limit);
    snapshot_put(snapshot);
}
