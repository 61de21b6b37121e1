/* SPDX-License-Identifier: Apache-2.0 */
/* Events and conditions as JSON: see wire.h. */
#include "api/wire/value.h"

json_t *wire_event(const struct event *event)
{
    json_t *object = json_object();
    wire_set(object, "sequence", wire_number(event->sequence));
    wire_set(object, "at", wire_timestamp(event->at));
    wire_set(object, "type", wire_text(event->type));
    wire_set(object, "host", wire_text(event->host));
    wire_set(object, "vm", wire_uuid(&event->vm));
    wire_set(object, "port", wire_uuid(&event->port));
    wire_set(object, "reason", wire_text(event->reason));
    wire_set(object, "message", wire_text(event->message));
    wire_set(object, "actor", wire_text(event->actor));
    wire_set(object, "request_id", wire_text(event->request_id));
    return object;
}

json_t *wire_event_record(const struct event *event)
{
    json_t *object = wire_event(event);
    wire_set(object, "at", wire_timestamp_exact(event->at));
    return object;
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

json_t *wire_condition(const struct condition *condition)
{
    json_t *object = json_object();
    wire_set(object, "type", wire_text(condition->type));
    wire_set(object, "status",
             wire_text(condition_status_name(
                 (enum condition_status)condition->status)));
    wire_set(object, "reason", wire_text(condition->reason));
    wire_set(object, "field", wire_text(condition->field));
    wire_set(object, "message", wire_text(condition->message));
    wire_set(object, "at", wire_timestamp(condition->at));
    return object;
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
