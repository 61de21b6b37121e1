/* SPDX-License-Identifier: Apache-2.0 */
/* What readers get of a snapshot: pages, owners of VFs, agents' documents. */
#include "fixture.h"

static const struct pf_spec igb[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};

static struct desired *desired(struct fleet *fleet, uint64_t epoch,
                               uint64_t revision)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    struct desired *document =
        snapshot_desired(snapshot, "a", (struct revision){epoch, revision});
    snapshot_put(snapshot);
    return document;
}

START_TEST(a_document_is_whole_unless_the_agent_has_one_of_this_epoch)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 2);
    ref_put(fleet_place(&fleet, &request));
    static const struct revision others[] = {{0, 0}, {2, 1}, {1, 9}};
    for (int i = 0; i < 3; i++) {
        auto_desired struct desired *whole =
            desired(&fleet, others[i].epoch, others[i].revision);
        ck_assert(whole->full);
        ck_assert_uint_eq(whole->port_count, 2);
        ck_assert_uint_eq(whole->revision.epoch, 1);
        ck_assert_uint_eq(whole->revision.revision, 2); /* allowed, placed */
        ck_assert_uint_eq(whole->pf_count, 1);
        ck_assert_str_eq(whole->host, "a");
    }
    auto_desired struct desired *same = desired(&fleet, 1, 2);
    ck_assert(!same->full);
    ck_assert_uint_eq(same->port_count, 0);
    ck_assert_uint_eq(same->pf_count, 0);
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert_ptr_null(
        snapshot_desired(snapshot, "nobody", (struct revision){0}));
    snapshot_put(snapshot);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_partial_document_has_what_is_newer)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web-1", 1);
    struct vm *first = fleet_place(&fleet, &request);
    str_copy(request.name, "web-2");
    struct vm *second = fleet_place(&fleet, &request);
    auto_desired struct desired *newer = desired(&fleet, 1, 2);
    ck_assert(!newer->full);
    ck_assert_uint_eq(newer->port_count, 1);
    ck_assert_uint_eq(newer->pf_count, 0);
    ck_assert(uuid_equal(&newer->ports[0].id, &second->ports[0].id));
    ck_assert(!newer->ports[0].absent);
    ck_assert_uint_eq(newer->ports[0].claim.vf_index, 1);
    ck_assert(policy_has(&newer->ports[0].policy, POLICY_MAC));
    /* A removal is a tombstone with a revision of its own. */
    ck_assert_int_eq(fleet_delete(&fleet, &first->id), 0);
    auto_desired struct desired *gone = desired(&fleet, 1, 3);
    ck_assert_uint_eq(gone->port_count, 1);
    ck_assert(uuid_equal(&gone->ports[0].id, &first->ports[0].id));
    ck_assert(gone->ports[0].absent);
    ck_assert(gone->ports[0].has_claim);
    ck_assert_uint_eq(gone->revision.revision, 4);
    /* Once proven, it is in no document; the revision stays. */
    fleet_report(&fleet, "a");
    auto_desired struct desired *after = desired(&fleet, 0, 0);
    ck_assert_uint_eq(after->port_count, 1);
    ck_assert_uint_eq(after->revision.revision, 4);
    ref_put(first);
    ref_put(second);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_document_moves_only_with_its_own_host)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, igb);
    struct vm_request request = vm_request("web", 1);
    str_copy(request.host, "b");
    ref_put(fleet_place(&fleet, &request));
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision, 1);
    ck_assert_uint_eq(fleet_view(&fleet, "b")->revision.revision, 2);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vf_s_owner_is_found)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 2);
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "a");
    struct snapshot *snapshot = core_publish(fleet.core);
    const struct host_view *view = snapshot_host(snapshot, "a");
    struct pf_key key = key_of("0000:3b:00.0");
    for (size_t i = 0; i < 2; i++) {
        const struct port *port = NULL;
        ck_assert_ptr_eq(snapshot_vf_owner(snapshot, view, &key,
                                           vm->ports[i].claim.vf_index, &port),
                         vm);
        ck_assert(uuid_equal(&port->id, &vm->ports[i].id));
        ck_assert_int_eq(host_view_port(view, &port->id)->phase, PORT_APPLIED);
    }
    const struct port *port = NULL;
    ck_assert_ptr_null(snapshot_vf_owner(snapshot, view, &key, 6, &port));
    ck_assert_ptr_null(host_view_port(view, &vm->id));
    snapshot_put(snapshot);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(pages_go_on_after_their_marker)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const char *const names[] = {"a", "b10", "b2", "c"};
    for (int i = 3; i >= 0; i--)
        fleet_host(&fleet, names[i], 1, igb);
    for (int i = 0; i < 5; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "vm%d", i);
        struct vm_request request = vm_request(name, 1);
        fleet.now += 1000000;
        ref_put(fleet_place(&fleet, &request));
    }
    struct snapshot *snapshot = core_publish(fleet.core);
    const char *marker = "";
    for (int i = 0; i < 4; i++) {
        marker = snapshot_host_after(snapshot, marker)->host->name;
        ck_assert_str_eq(marker, names[i]);
    }
    ck_assert_ptr_null(snapshot_host_after(snapshot, marker));
    ck_assert_str_eq(snapshot_host_after(snapshot, "b")->host->name, "b10");
    const struct uuid *id = NULL;
    for (int i = 0; i < 5; i++) { /* ids are in order of creation */
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "vm%d", i);
        const struct vm *vm = snapshot_vm_after(snapshot, id);
        ck_assert_str_eq(vm->name, name);
        id = &vm->id;
    }
    ck_assert_ptr_null(snapshot_vm_after(snapshot, id));
    snapshot_put(snapshot);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/snapshot",
           a_document_is_whole_unless_the_agent_has_one_of_this_epoch,
           a_partial_document_has_what_is_newer,
           a_document_moves_only_with_its_own_host, a_vf_s_owner_is_found,
           pages_go_on_after_their_marker);
