/* SPDX-License-Identifier: Apache-2.0 */
/* The core's life: start, restore, time, undo, publishing. */
#include "fixture.h"

static const struct pf_spec igb[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};
static const struct core_config config = {
    .unreachable_after_ns = 60 * SECOND,
    .grace_ns = 60 * SECOND,
};

START_TEST(an_empty_folder_becomes_a_cluster_of_epoch_1)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert_uint_eq(snapshot_cluster(snapshot)->epoch, 1);
    ck_assert(!uuid_is_zero(&snapshot_cluster(snapshot)->id));
    ck_assert_uint_eq(snapshot_last_event(snapshot), 2);
    snapshot_put(snapshot);
    fleet_done(&fleet);
}
END_TEST

/* What the store would hold, as records; restored in a bad order. */
static struct core *restore(const struct snapshot *snapshot)
{
    struct core *core = core_new(&config);
    struct error err = {0};
    const struct vm *vm = NULL;
    const struct uuid *id = NULL;
    while ((vm = snapshot_vm_after(snapshot, id))) {
        id = &vm->id;
        ck_assert_int_eq(core_restore(core, RECORD_VM, vm, &err), 0);
    }
    const struct host_view *view = NULL;
    const char *name = NULL;
    while ((view = snapshot_host_after(snapshot, name))) {
        name = view->host->name;
        ck_assert_int_eq(core_restore(core, RECORD_HOST, view->host, &err), 0);
    }
    const struct event *event = NULL;
    uint64_t sequence = 0;
    while ((event = snapshot_event_after(snapshot, sequence))) {
        sequence = event->sequence;
        ck_assert_int_eq(core_restore(core, RECORD_EVENT, event, &err), 0);
    }
    ck_assert_int_eq(
        core_restore(core, RECORD_CLUSTER, snapshot_cluster(snapshot), &err),
        0);
    return core;
}

START_TEST(a_restart_keeps_claims_and_waits_for_reports)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "a");
    struct snapshot *snapshot = core_publish(fleet.core);
    struct core *core = restore(snapshot);
    snapshot_put(snapshot);
    core_free(fleet.core);
    fleet.core = core;
    struct tx tx = {0};
    fleet_call(&fleet);
    ck_assert_int_eq(core_start(core, &fleet.call, &tx, &fleet.err), 0);
    tx_done(&tx);
    fleet_check(&fleet);
    const struct host_view *view = fleet_view(&fleet, "a");
    ck_assert_uint_eq(view->claim_count, 1);
    ck_assert_ptr_null(view->report);
    uint64_t epoch = view->revision.epoch;
    ck_assert_uint_gt(epoch, 1);
    str_copy(request.name, "web-2");
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_ptr_nonnull(find_reason(&reasons, "no_report", ""));
    fleet_report(&fleet, "a");
    struct vm *next = fleet_place(&fleet, &request);
    ck_assert_uint_ne(next->ports[0].claim.vf_index,
                      vm->ports[0].claim.vf_index);
    ck_assert_uint_eq(next->ports[0].revision.epoch, epoch);
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostReported"), 1);
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfAppeared"), 0);
    ref_put(vm);
    ref_put(next);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_start_rises_above_its_data_and_above_copies_of_it)
{
    static const int64_t clocks[] = {INT64_C(1800000001), 5};
    static const uint64_t expected[] = {1800000001, 8};
    for (int i = 0; i < 2; i++) {
        struct core *core = core_new(&config);
        struct cluster *cluster = cluster_new();
        struct rng rng = {1};
        struct error err = {0};
        struct tx tx = {0};
        struct core_call call = {.now_ns = clocks[i] * SECOND, .rng = &rng};
        cluster->id = uuid_make(1, &rng);
        cluster->epoch = 7;
        ck_assert_int_eq(core_restore(core, RECORD_CLUSTER, cluster, &err), 0);
        ck_assert_int_eq(core_start(core, &call, &tx, &err), 0);
        struct snapshot *snapshot = core_publish(core);
        const struct cluster *now = snapshot_cluster(snapshot);
        ck_assert_uint_eq(now->epoch, expected[i]);
        ck_assert(uuid_equal(&now->id, &cluster->id));
        snapshot_put(snapshot);
        tx_done(&tx);
        ref_put(cluster);
        core_free(core);
    }
}
END_TEST

START_TEST(a_vm_of_a_host_that_is_not_stored_stops_the_start)
{
    struct core *core = core_new(&config);
    struct vm *vm = vm_new(0);
    struct rng rng = {1};
    struct error err = {0};
    struct tx tx = {0};
    struct core_call call = {.now_ns = SECOND, .rng = &rng, .actor = "test"};
    str_copy(vm->name, "web");
    str_copy(vm->host, "nowhere");
    vm->id = uuid_make(1, &rng);
    ck_assert_int_eq(core_restore(core, RECORD_VM, vm, &err), 0);
    ck_assert_int_eq(core_start(core, &call, &tx, &err), -1);
    ck_assert_int_eq(err.code, ERROR_CORRUPT);
    ck_assert_int_eq(core_restore(core, RECORD_REPORT, vm, &err), -1);
    ref_put(vm);
    core_free(core);
}
END_TEST

START_TEST(a_silent_host_is_lost_after_60_s_and_found_again)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_enroll(&fleet, "never");
    fleet.now += 60 * SECOND;
    core_heard(fleet.core, "a", fleet.now);
    fleet.now += 60 * SECOND;
    fleet_tick(&fleet);
    ck_assert_int_eq(fleet_view(&fleet, "a")->state, HOST_READY);
    fleet.now += SECOND;
    fleet_tick(&fleet);
    fleet_tick(&fleet);
    const struct host_view *view = fleet_view(&fleet, "a");
    ck_assert_int_eq(view->state, HOST_UNREACHABLE);
    ck_assert_int_eq(view->last_seen_at, fleet.now - 61 * SECOND);
    ck_assert_str_ne(view->state_reason, "");
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostUnreachable"), 1);
    core_heard(fleet.core, "a", fleet.now);
    fleet_tick(&fleet);
    ck_assert_int_eq(fleet_view(&fleet, "a")->state, HOST_READY);
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostReachable"), 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(after_a_start_nobody_is_lost_for_the_grace)
{
    struct fleet fleet;
    static const struct core_config patient = {
        .unreachable_after_ns = 60 * SECOND,
        .grace_ns = 200 * SECOND,
    };
    fleet_init(&fleet);
    core_free(fleet.core);
    fleet.core = core_new(&patient);
    struct tx tx = {0};
    ck_assert_int_eq(core_start(fleet.core, &fleet.call, &tx, &fleet.err), 0);
    tx_done(&tx);
    fleet_host(&fleet, "a", 1, igb);
    fleet.now += 199 * SECOND;
    fleet_tick(&fleet);
    ck_assert_int_eq(fleet_view(&fleet, "a")->state, HOST_READY);
    fleet.now += SECOND;
    fleet_tick(&fleet);
    ck_assert_int_eq(fleet_view(&fleet, "a")->state, HOST_UNREACHABLE);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_snapshot_stays_as_it_was)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    ref_put(fleet_place(&fleet, &request));
    struct snapshot *before = core_publish(fleet.core);
    struct snapshot *same = snapshot_get(before);
    uint64_t last = snapshot_last_event(before);
    str_copy(request.name, "web-2");
    ref_put(fleet_place(&fleet, &request));
    ck_assert_uint_eq(snapshot_vm_count(before), 1);
    ck_assert_ptr_null(snapshot_vm_by_name(before, "web-2"));
    ck_assert_uint_eq(snapshot_host(before, "a")->claim_count, 1);
    ck_assert_uint_eq(snapshot_last_event(before), last);
    ck_assert_ptr_null(snapshot_event_after(before, last));
    snapshot_put(before);
    core_free(fleet.core);
    ck_assert_uint_eq(snapshot_vm_count(same), 1); /* outlives the core */
    snapshot_put(same);
}
END_TEST

START_TEST(an_undone_create_leaves_no_trace_and_no_revision)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct revision before = fleet_view(&fleet, "a")->revision;
    struct snapshot *snapshot = core_publish(fleet.core);
    uint64_t last = snapshot_last_event(snapshot);
    snapshot_put(snapshot);
    struct vm_request request = vm_request("web", 1);
    str_copy(request.idempotency_key, "k");
    request.ports[0].has_mac = true;
    mac_parse("52:54:00:00:00:01", &request.ports[0].mac);
    for (int i = 0; i < 3; i++) { /* nothing of the last try is in the way */
        struct tx tx = {0};
        struct vm *vm = NULL;
        bool repeated = true;
        fleet_call(&fleet);
        ck_assert_int_eq(core_vm_create(fleet.core, &fleet.call, &request, &tx,
                                        &vm, &repeated, NULL, &fleet.err),
                         0);
        ck_assert(!repeated);
        ck_assert_uint_eq(vm->ports[0].claim.vf_index, 0);
        core_undo(fleet.core, &tx);
        tx_done(&tx);
        ref_put(vm);
        fleet_check(&fleet);
        struct revision now = fleet_view(&fleet, "a")->revision;
        ck_assert_int_eq(revision_compare(&now, &before), 0);
    }
    snapshot = core_publish(fleet.core);
    ck_assert_uint_eq(snapshot_last_event(snapshot), last);
    ck_assert_uint_eq(snapshot_vm_count(snapshot), 0);
    snapshot_put(snapshot);
    fleet_done(&fleet);
}
END_TEST

START_TEST(only_the_newest_events_are_kept)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    for (int i = 0; i < EVENTS_KEPT + 50; i++) {
        struct host_patch patch = {.has_cordoned = true,
                                   .cordoned = i % 2 == 0};
        ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    }
    struct snapshot *snapshot = core_publish(fleet.core);
    uint64_t last = snapshot_last_event(snapshot);
    ck_assert_uint_eq(snapshot_event_after(snapshot, 0)->sequence,
                      last - EVENTS_KEPT + 1);
    snapshot_put(snapshot);
    /* Taking back the newest gives the oldest back. */
    struct tx tx = {0};
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    fleet_call(&fleet);
    ck_assert_int_eq(
        core_host_patch(fleet.core, &fleet.call, "a", &patch, &tx, &fleet.err),
        0);
    core_undo(fleet.core, &tx);
    tx_done(&tx);
    snapshot = core_publish(fleet.core);
    ck_assert_uint_eq(snapshot_last_event(snapshot), last);
    ck_assert_uint_eq(snapshot_event_after(snapshot, 0)->sequence,
                      last - EVENTS_KEPT + 1);
    snapshot_put(snapshot);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_check_of_one_host_sees_that_host)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    ref_put(fleet_place(&fleet, &request));
    ck_assert_int_eq(core_check_host(fleet.core, "a", &fleet.err), 0);
    ck_assert_int_eq(core_check_host(fleet.core, "unknown", &fleet.err), 0);
    /* Two owners of one VF, as only damaged data could say: found. */
    struct snapshot *snapshot = core_publish(fleet.core);
    const struct vm *vm = snapshot_vm_by_name(snapshot, "web");
    struct vm *twin = vm_dup(vm);
    twin->id = uuid_make(fleet.now, &fleet.rng);
    str_copy(twin->name, "twin");
    twin->ports[0].mac.bytes[5] ^= 1;
    twin->ports[0].id = uuid_make(fleet.now, &fleet.rng);
    struct core *core = restore(snapshot);
    snapshot_put(snapshot);
    struct tx tx = {0};
    ck_assert_int_eq(core_restore(core, RECORD_VM, twin, &fleet.err), 0);
    ck_assert_int_eq(core_start(core, &fleet.call, &tx, &fleet.err), 0);
    tx_done(&tx);
    ck_assert_int_eq(core_check_host(core, "a", &fleet.err), -1);
    ck_assert_ptr_nonnull(strstr(fleet.err.msg, "I1"));
    ck_assert_int_eq(core_check(core, &fleet.err), -1);
    ref_put(twin);
    core_free(core);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/core", an_empty_folder_becomes_a_cluster_of_epoch_1,
           a_restart_keeps_claims_and_waits_for_reports,
           a_start_rises_above_its_data_and_above_copies_of_it,
           a_vm_of_a_host_that_is_not_stored_stops_the_start,
           a_silent_host_is_lost_after_60_s_and_found_again,
           after_a_start_nobody_is_lost_for_the_grace,
           a_snapshot_stays_as_it_was,
           an_undone_create_leaves_no_trace_and_no_revision,
           only_the_newest_events_are_kept, a_check_of_one_host_sees_that_host);
