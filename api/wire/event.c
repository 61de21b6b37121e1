/* SPDX-License-Identifier: Apache-2.0 */
/* Events and conditions as JSON: see wire.h. */
#include "api/wire/value.h"

static void put_event(struct json_out *out, const struct event *event,
                      bool exact)
{
    json_out_object(out, NULL);
    json_out_number(out, "sequence", event->sequence);
    if (exact)
        wire_put_timestamp_exact(out, "at", event->at);
    else
        wire_put_timestamp(out, "at", event->at);
    json_out_text(out, "type", event->type);
    json_out_text(out, "host", event->host);
    wire_put_uuid(out, "vm", &event->vm);
    wire_put_uuid(out, "port", &event->port);
    json_out_text(out, "reason", event->reason);
    json_out_text(out, "message", event->message);
    json_out_text(out, "actor", event->actor);
    json_out_text(out, "request_id", event->request_id);
    json_out_end(out);
}

void wire_put_event(struct json_out *out, const struct event *event)
{
    put_event(out, event, false);
}

void wire_put_event_record(struct json_out *out, const struct event *event)
{
    put_event(out, event, true);
}

struct event *wire_event_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    auto_event struct event *event = event_new();
    json_reader_begin(&reader, value, "", err);
    wire_take_uint(&reader, "sequence", true, INT64_MAX, event->sequence);
    wire_take_time(&reader, "at", &event->at);
    wire_take_copy(&reader, "type", true, event->type);
    wire_take_copy(&reader, "host", false, event->host);
    wire_take_uuid(&reader, "vm", false, &event->vm);
    wire_take_uuid(&reader, "port", false, &event->port);
    wire_take_copy(&reader, "reason", false, event->reason);
    wire_take_copy(&reader, "message", false, event->message);
    wire_take_copy(&reader, "actor", false, event->actor);
    wire_take_copy(&reader, "request_id", false, event->request_id);
    return json_reader_end(&reader, false, NULL) ? NULL : take_ptr(event);
}

void wire_put_condition(struct json_out *out, const char *name,
                        const struct condition *condition)
{
    json_out_object(out, name);
    json_out_text(out, "type", condition->type);
    json_out_text(
        out, "status",
        condition_status_name((enum condition_status)condition->status));
    json_out_text(out, "reason", condition->reason);
    json_out_text(out, "field", condition->field);
    json_out_text(out, "message", condition->message);
    wire_put_timestamp(out, "at", condition->at);
    json_out_end(out);
}

json_t *wire_condition(const struct condition *condition)
{
    struct json_out out = {0};
    wire_put_condition(&out, NULL, condition);
    return out.tree;
}

int wire_read_condition(const json_t *value, const char *path, size_t *unknown,
                        struct condition *out, struct error *err)
{
    struct json_reader reader;
    struct condition condition = {0};
    json_reader_begin(&reader, value, path, err);
    wire_take_copy(&reader, "type", false, condition.type);
    wire_take_enum(&reader, "status", false, condition_status,
                   CONDITION_STATUS_MAX, &condition.status);
    wire_take_copy(&reader, "reason", false, condition.reason);
    wire_take_copy(&reader, "field", false, condition.field);
    wire_take_copy(&reader, "message", false, condition.message);
    wire_take_time(&reader, "at", &condition.at);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    *out = condition;
    return 0;
}
