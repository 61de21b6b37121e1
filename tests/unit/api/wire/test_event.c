/* SPDX-License-Identifier: Apache-2.0 */
/* Events and conditions on the wire. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

static struct event *full(void)
{
    struct event *event = event_new();
    event->sequence = 41;
    event->at = TIME_NS;
    str_copy(event->type, "VmClaimed");
    str_copy(event->host, "h17");
    event->vm = sample_uuid(1);
    event->port = sample_uuid(2);
    str_copy(event->reason, "Placed");
    str_copy(event->message, "VM 'web-1' is on 'h17'");
    str_copy(event->actor, "admin");
    str_copy(event->request_id, "r-1");
    return event;
}

static bool same_event(const struct event *a, const struct event *b)
{
    return a->sequence == b->sequence && a->at == b->at &&
           strcmp(a->type, b->type) == 0 && strcmp(a->host, b->host) == 0 &&
           uuid_equal(&a->vm, &b->vm) && uuid_equal(&a->port, &b->port) &&
           strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->message, b->message) == 0 &&
           strcmp(a->actor, b->actor) == 0 &&
           strcmp(a->request_id, b->request_id) == 0;
}

START_TEST(full_and_minimal_events_come_back_equal)
{
    auto_event struct event *event = full();
    auto_json json_t *value =
        over_the_wire(TREE_OF(wire_put_event_record, event));
    auto_event struct event *back = wire_event_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_event(event, back));
    auto_event struct event *small = event_new();
    auto_json json_t *less =
        over_the_wire(TREE_OF(wire_put_event_record, small));
    auto_event struct event *again = wire_event_read(less, &err);
    ck_assert_msg(again, "%s: %s", err.field, err.msg);
    ck_assert(same_event(small, again));
}
END_TEST

START_TEST(clients_get_an_event_with_milliseconds)
{
    auto_event struct event *event = full();
    assert_json(TREE_OF(wire_put_event, event),
                "{\"sequence\":41,\"at\":\"2026-09-21T14:13:20.123Z\","
                "\"type\":\"VmClaimed\",\"host\":\"h17\","
                "\"vm\":\"01890a5d-ac96-774b-bcce-b302099a8001\","
                "\"port\":\"01890a5d-ac96-774b-bcce-b302099a8002\","
                "\"reason\":\"Placed\",\"message\":\"VM 'web-1' is on 'h17'\","
                "\"actor\":\"admin\",\"request_id\":\"r-1\"}");
}
END_TEST

START_TEST(a_condition_has_the_shape_of_kubernetes)
{
    struct condition condition = {"PolicyApplied", CONDITION_FALSE,
                                  "FieldRefused",  "min_tx_rate_mbps",
                                  "EOPNOTSUPP",    TIME_MS};
    assert_json(wire_condition(&condition),
                "{\"type\":\"PolicyApplied\",\"status\":\"False\","
                "\"reason\":\"FieldRefused\",\"field\":\"min_tx_rate_mbps\","
                "\"message\":\"EOPNOTSUPP\","
                "\"at\":\"2026-09-21T14:13:20.123Z\"}");
}
END_TEST

START_TEST(times_that_do_not_fit_are_refused)
{
    static const char *const texts[] = {
        "\"9999-12-31T23:59:59Z\"",
        "\"2262-04-11T23:47:16.854775808Z\"",
        "\"1969-12-31T23:59:59Z\"",
        "\"2026-11-20 11:32:05Z\"",
        "\"2026-11-20T11:32:05\"",
        "\"2026-11-20T11:32:05+01:00\"",
        "\"2026-02-30T00:00:00Z\"",
        "\"2026-13-01T00:00:00Z\"",
        "\" 2026-11-20T11:32:05Z\"",
        "\"2026-11-20T11:32:05.Z\"",
        "\"2026-11-20T11:32:05.0000000001Z\"",
        "\"26-11-20T11:32:05Z\"",
        "\"2026-1-2T1:2:3Z\"",
        "\"\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        auto_event struct event *event = event_new();
        auto_json json_t *value = TREE_OF(wire_put_event, event);
        json_object_set_new(value, "at", parsed(texts[i]));
        err = (struct error){0};
        ck_assert_msg(!wire_event_read(value, &err), "%s", texts[i]);
        ck_assert_str_eq(err.field, "at");
    }
}
END_TEST

CHECK_MAIN("wire event", full_and_minimal_events_come_back_equal,
           clients_get_an_event_with_milliseconds,
           a_condition_has_the_shape_of_kubernetes,
           times_that_do_not_fit_are_refused);
