/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts and PFs as operators enrol, set and delete them; tokens. */
#include "fixture.h"

static const struct pf_spec igb[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};

START_TEST(enrolling_again_renews_the_token)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    uint8_t old[32], new[32];
    const char *name = NULL;
    bool renewed = false;
    struct tx tx = {0};
    hash_of("a", old);
    hash_of("other", new);
    ck_assert_int_eq(core_host_enroll(fleet.core, &fleet.call, "a", new, &tx,
                                      &renewed, &fleet.err),
                     0);
    tx_done(&tx);
    ck_assert(renewed);
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert_int_eq(snapshot_identify(snapshot, old, &name), ROLE_NONE);
    ck_assert_int_eq(snapshot_identify(snapshot, new, &name), ROLE_AGENT);
    ck_assert_str_eq(name, "a");
    ck_assert_uint_eq(snapshot_host_count(snapshot), 1);
    ck_assert(snapshot_host(snapshot, "a")->host->pf_settings[0].allowed);
    snapshot_put(snapshot);
    /* A token is one host's. */
    ck_assert_int_eq(core_host_enroll(fleet.core, &fleet.call, "b", new, &tx,
                                      &renewed, &fleet.err),
                     -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    ck_assert_int_eq(core_host_enroll(fleet.core, &fleet.call, "a/b", old, &tx,
                                      &renewed, &fleet.err),
                     -1);
    ck_assert_str_eq(fleet.err.field, "name");
    ck_assert_uint_eq(tx.count, 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_patch_changes_what_it_names_and_nothing_else)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    uint64_t generation = fleet_view(&fleet, "a")->host->generation;
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    ck_assert_int_eq(fleet_view(&fleet, "a")->state, HOST_CORDONED);
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostCordoned"), 1);
    static const struct label labels[] = {{"rack", "r1"}, {"row", "2"}};
    patch = (struct host_patch){
        .has_generation = true,
        .generation = generation,
        .has_labels = true,
        .label_count = 2,
        .labels = labels,
    };
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONCURRENT_UPDATE);
    patch.generation = generation + 1;
    ck_assert_int_eq(fleet_patch(&fleet, "a", patch), 0);
    const struct host *host = fleet_view(&fleet, "a")->host;
    ck_assert_uint_eq(host->label_count, 2);
    ck_assert_str_eq(host->labels[1].value, "2");
    ck_assert(host->cordoned);
    ck_assert_uint_eq(host->generation, generation + 2);
    ck_assert_uint_eq(host->pf_setting_count, 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(bad_settings_are_refused_with_their_field)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    static const struct label twice[] = {{"rack", "1"}, {"rack", "2"}};
    static const struct network_mapping paths[] = {{"../x", "physnet0"}};
    struct host_patch bad[] = {
        {.has_vcpu_ratio = true, .vcpu_ratio_percent = 99},
        {.has_memory_ratio = true, .memory_ratio_percent = 10001},
        {.has_labels = true, .label_count = 2, .labels = twice},
        {.has_mappings = true, .mapping_count = 1, .mappings = paths},
    };
    static const char *const fields[] = {
        "vcpu_ratio_percent", "memory_ratio_percent", "labels", "networks"};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(fleet_patch(&fleet, "a", bad[i]), -1);
        ck_assert_int_eq(fleet.err.code, ERROR_INVALID);
        ck_assert_str_eq(fleet.err.field, fields[i]);
    }
    ck_assert_int_eq(fleet_patch(&fleet, "nobody", bad[0]), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_pf_with_claims_keeps_its_network)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    ref_put(fleet_place(&fleet, &request));
    struct pf_patch patch = {.has_physical_network = true,
                             .physical_network = "physnet1"};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:3b:00.0", patch), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_IN_USE);
    str_copy(patch.physical_network, "physnet0");
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:3b:00.0", patch), 0);
    /* No longer allowed: what is claimed stays, nothing new comes. */
    patch = (struct pf_patch){.has_allowed = true, .allowed = false};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:3b:00.0", patch), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->claim_count, 1);
    str_copy(request.name, "web-2");
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "netdevsim1", patch), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    fleet_done(&fleet);
}
END_TEST

START_TEST(settings_of_pfs_stay_in_order_whatever_comes_first)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec specs[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 1},
        {.key = "0000:3b:00.1", IGB, .vfs = 1},
        {.key = "0000:5e:00.0", IGB, .vfs = 1},
        {.key = "netdevsim3", .vfs = 1}};
    struct agent *agent = fleet_enroll(&fleet, "a");
    for (int i = 0; i < 4; i++)
        agent_add_pf(agent, specs[i]);
    fleet_report(&fleet, "a");
    static const int order[] = {3, 0, 2, 1};
    for (int i = 0; i < 4; i++)
        fleet_allow(&fleet, "a", specs[order[i]].key, "physnet0");
    const struct host *host = fleet_view(&fleet, "a")->host;
    ck_assert_uint_eq(host->pf_setting_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(host->pf_settings[i].key.text, specs[i].key);
        ck_assert(host->pf_settings[i].allowed);
    }
    fleet_done(&fleet);
}
END_TEST

START_TEST(only_an_empty_host_is_deleted)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    struct tx tx = {0};
    ck_assert_int_eq(
        core_host_delete(fleet.core, &fleet.call, "a", &tx, &fleet.err), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_IN_USE);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    fleet_report(&fleet, "a");
    fleet_call(&fleet);
    ck_assert_int_eq(
        core_host_delete(fleet.core, &fleet.call, "a", &tx, &fleet.err), 0);
    ck_assert_ptr_null(fleet_view(&fleet, "a"));
    fleet_check(&fleet);
    core_undo(fleet.core, &tx); /* all of it comes back */
    tx_done(&tx);
    fleet_check(&fleet);
    const struct host_view *view = fleet_view(&fleet, "a");
    ck_assert_int_eq(view->state, HOST_READY);
    ck_assert_ptr_nonnull(view->report);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_deleted_host_s_machine_can_be_enrolled_anew)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *old = fleet_host(&fleet, "a", 1, igb);
    struct tx tx = {0};
    ck_assert_int_eq(
        core_host_delete(fleet.core, &fleet.call, "a", &tx, &fleet.err), 0);
    tx_done(&tx);
    struct uuid machine = old->machine;
    struct agent *new = fleet_enroll(&fleet, "b");
    new->machine = machine;
    fleet_report(&fleet, "b");
    ck_assert_int_eq(fleet_view(&fleet, "b")->state, HOST_READY);
    fleet_done(&fleet);
}
END_TEST

START_TEST(tokens_are_known_by_their_hash)
{
    struct fleet fleet;
    fleet_init(&fleet);
    uint8_t hash[32], other[32];
    struct tx tx = {0};
    const char *name = NULL;
    hash_of("secret", hash);
    hash_of("other", other);
    ck_assert_int_eq(core_token_create(fleet.core, &fleet.call, "boss",
                                       ROLE_ADMIN, hash, &tx, &fleet.err),
                     0);
    ck_assert_int_eq(core_token_create(fleet.core, &fleet.call, "boss",
                                       ROLE_VIEWER, other, &tx, &fleet.err),
                     -1);
    ck_assert_int_eq(fleet.err.code, ERROR_DUPLICATE_NAME);
    ck_assert_int_eq(core_token_create(fleet.core, &fleet.call, "two",
                                       ROLE_VIEWER, hash, &tx, &fleet.err),
                     -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    ck_assert_int_eq(core_token_create(fleet.core, &fleet.call, "two",
                                       ROLE_AGENT, other, &tx, &fleet.err),
                     -1);
    ck_assert_str_eq(fleet.err.field, "role");
    struct snapshot *snapshot = core_publish(fleet.core);
    ck_assert_int_eq(snapshot_identify(snapshot, hash, &name), ROLE_ADMIN);
    ck_assert_str_eq(name, "boss");
    ck_assert_str_eq(snapshot_token_after(snapshot, NULL)->name, "boss");
    ck_assert_ptr_null(snapshot_token_after(snapshot, "boss"));
    snapshot_put(snapshot);
    /* Nobody locks the door from outside. */
    ck_assert_int_eq(
        core_token_delete(fleet.core, &fleet.call, "boss", &tx, &fleet.err),
        -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    ck_assert_int_eq(core_token_create(fleet.core, &fleet.call, "two",
                                       ROLE_ADMIN, other, &tx, &fleet.err),
                     0);
    ck_assert_int_eq(
        core_token_delete(fleet.core, &fleet.call, "boss", &tx, &fleet.err), 0);
    ck_assert_int_eq(
        core_token_delete(fleet.core, &fleet.call, "boss", &tx, &fleet.err),
        -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    tx_done(&tx);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/hosts", enrolling_again_renews_the_token,
           a_patch_changes_what_it_names_and_nothing_else,
           bad_settings_are_refused_with_their_field,
           a_pf_with_claims_keeps_its_network,
           settings_of_pfs_stay_in_order_whatever_comes_first,
           only_an_empty_host_is_deleted,
           a_deleted_host_s_machine_can_be_enrolled_anew,
           tokens_are_known_by_their_hash);
