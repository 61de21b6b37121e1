/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of records and their store keys. */
#include "fixture.h"

START_TEST(each_kind_is_found_by_its_name)
{
    for (int i = 0; i < RECORD_KIND_MAX; i++) {
        enum record_kind kind = (enum record_kind)i;
        ck_assert_int_eq(record_kind_parse(record_kind_name(kind)), kind);
    }
    ck_assert_int_eq(record_kind_parse("nothing"), RECORD_KIND_MAX);
    ck_assert(record_kind_durable(RECORD_VM));
    ck_assert(!record_kind_durable(RECORD_REPORT));
    ck_assert(!record_kind_durable(RECORD_PRESENCE));
}
END_TEST

START_TEST(keys_of_events_sort_by_sequence)
{
    uint8_t low[RECORD_KEY_SIZE] = {0}, high[RECORD_KEY_SIZE] = {0};
    struct event *event = event_new();
    event->sequence = 255;
    ck_assert_uint_eq(record_key(RECORD_EVENT, event, low), 8);
    event->sequence = 256;
    ck_assert_uint_eq(record_key(RECORD_EVENT, event, high), 8);
    ck_assert_int_lt(memcmp(low, high, 8), 0);
    ref_put(event);
}
END_TEST

START_TEST(the_longest_name_fits_a_key)
{
    uint8_t key[RECORD_KEY_SIZE];
    struct host *host = host_new(0, 0, 0);
    memset(host->name, 'x', sizeof host->name - 1);
    ck_assert_uint_eq(record_key(RECORD_HOST, host, key), NAME_SIZE - 1);
    ck_assert_int_eq(memcmp(key, host->name, NAME_SIZE - 1), 0);
    ref_put(host);
    struct vm *vm = vm_new(0);
    vm->id.bytes[0] = 9;
    ck_assert_uint_eq(record_key(RECORD_VM, vm, key), 16);
    ck_assert_uint_eq(key[0], 9);
    ref_put(vm);
}
END_TEST

START_TEST(records_tell_the_whole_change)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec igb[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 7}};
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    struct tx tx = {0};
    fleet_call(&fleet);
    ck_assert_int_eq(
        core_vm_delete(fleet.core, &fleet.call, &vm->id, 0, &tx, &fleet.err),
        0);
    ck_assert_uint_eq(tx.count, 2);
    ck_assert_int_eq(tx.records[0].kind, RECORD_VM);
    ck_assert_ptr_eq(tx.records[0].before, vm);
    const struct vm *after = tx.records[0].after;
    ck_assert_int_eq(after->state, VM_DELETING);
    ck_assert_int_eq(tx.records[1].kind, RECORD_EVENT);
    ck_assert_ptr_null(tx.records[1].before);
    const struct event *event = tx.records[1].after;
    ck_assert_str_eq(event->type, "VmDeleting");
    ck_assert_str_eq(event->actor, "test");
    tx_done(&tx);
    ck_assert_uint_eq(tx.count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/record", each_kind_is_found_by_its_name,
           keys_of_events_sort_by_sequence, the_longest_name_fits_a_key,
           records_tell_the_whole_change);
