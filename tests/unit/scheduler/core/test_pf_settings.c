/* SPDX-License-Identifier: Apache-2.0 */
/* What operators set for a PF: VF counts, modes, ratio and words; what of it the
 * agent is told; what follows from the agent's answer. */
#include "fixture.h"

#define PF "0000:3b:00.0"
static const struct pf_spec igb[] = {
    {.key = PF, IGB, .vfs = 2, .total_vfs = 7}};
static const struct pf_spec cx6[] = {
    {.key = PF, CX6, .vfs = 4, .total_vfs = 8}};

static struct pf_patch num_vfs(uint16_t count)
{
    return (struct pf_patch){.has_num_vfs = true, .num_vfs = count};
}

static void refused(struct fleet *fleet, struct pf_patch patch,
                    enum error_code code, const char *field, const char *text)
{
    ck_assert_int_eq(fleet_patch_pf(fleet, "a", PF, patch), -1);
    ck_assert_int_eq(fleet->err.code, code);
    ck_assert_str_eq(fleet->err.field, field);
    if (!strstr(fleet->err.msg, text))
        ck_abort_msg("'%s' does not tell of '%s'", fleet->err.msg, text);
}

static struct desired *document(struct fleet *fleet, struct revision after)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    struct desired *desired = snapshot_desired(snapshot, "a", after);
    snapshot_put(snapshot);
    return desired;
}

START_TEST(a_vf_count_above_the_firmware_s_is_refused_with_the_limit)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    refused(&fleet, num_vfs(8), ERROR_INVALID, "num_vfs", "7 VFs");
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(7)), 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vf_count_never_changes_under_a_claim)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    refused(&fleet, num_vfs(4), ERROR_IN_USE, "num_vfs", "1 VFs claimed");
    refused(&fleet, num_vfs(0), ERROR_IN_USE, "num_vfs", "1 VFs claimed");
    /* To write down the count that there is changes nothing on the host. */
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(2)), 0);
    /* Held until the VF is proven clean, and then no longer. */
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    refused(&fleet, num_vfs(4), ERROR_IN_USE, "num_vfs", "1 VFs claimed");
    fleet_report(&fleet, "a");
    fleet_report(&fleet, "a");
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(4)), 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_vf_count_never_changes_under_somebody_else)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct pf_spec spec = igb[0];
    spec.external = 2;
    struct agent *agent = fleet_host(&fleet, "a", 1, &spec);
    refused(&fleet, num_vfs(4), ERROR_IN_USE, "num_vfs",
            "1 used by something else");
    agent->pfs[0].external = 0;
    /* A port that only the agent knows of. */
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->ports = mem_realloc(observed->ports, 1, sizeof *observed->ports);
    observed->port_count = 1;
    observed->ports[0] = (struct observed_port){
        .id = uuid_make(fleet.now, &fleet.rng),
        .vm = uuid_make(fleet.now, &fleet.rng),
        .phase = PORT_UNKNOWN,
        .has_claim = true,
        .claim = {.pf = key_of(PF), .vf_index = 1},
    };
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    refused(&fleet, num_vfs(4), ERROR_IN_USE, "num_vfs", "1 held by the agent");
    fleet_report(&fleet, "a");
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(4)), 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_management_pf_is_never_changed)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct pf_spec spec = igb[0];
    spec.management = true;
    fleet_host(&fleet, "a", 1, &spec);
    refused(&fleet, num_vfs(4), ERROR_CONFLICT, "num_vfs", "default route");
    refused(&fleet, num_vfs(2), ERROR_CONFLICT, "num_vfs", "default route");
    refused(
        &fleet,
        (struct pf_patch){.has_autoprobe = true, .autoprobe = AUTOPROBE_OFF},
        ERROR_CONFLICT, "vf_drivers_autoprobe", "default route");
    refused(
        &fleet,
        (struct pf_patch){.has_bridge_mode = true, .bridge_mode = BRIDGE_VEPA},
        ERROR_CONFLICT, "bridge_mode", "default route");
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision, 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_a_device_has_not_is_not_set)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec specs[] = {
        {.key = PF, .vendor_id = 0x8086, .device_id = 0x10d3},
        {.key = "0000:5e:00.0", NVME, .vfs = 2}};
    struct agent *agent = fleet_host(&fleet, "a", 2, specs);
    refused(&fleet, num_vfs(0), ERROR_CONFLICT, "num_vfs", "no SR-IOV");
    refused(&fleet,
            (struct pf_patch){.has_autoprobe = true, .autoprobe = AUTOPROBE_ON},
            ERROR_CONFLICT, "vf_drivers_autoprobe", "no SR-IOV");
    struct pf_patch veb = {.has_bridge_mode = true, .bridge_mode = BRIDGE_VEB};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, veb), 0);
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", veb), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    ck_assert_str_eq(fleet.err.field, "bridge_mode");
    /* Nobody knows the limit of a PF that is not there now. */
    agent->pf_count = 1;
    fleet_report(&fleet, "a");
    struct pf_patch two = num_vfs(2);
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", two), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_CONFLICT);
    two.num_vfs_observed = true;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:5e:00.0", two), 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_agent_is_told_what_it_carries_out)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    auto_desired struct desired *whole = document(&fleet, (struct revision){0});
    ck_assert_uint_eq(whole->pf_count, 1); /* allowed: so it is probed */
    ck_assert(whole->pfs[0].allowed);
    ck_assert(!whole->pfs[0].has_num_vfs);
    ck_assert_uint_eq(whole->pfs[0].revision.revision, 1);
    struct pf_patch patch = num_vfs(5);
    patch.has_autoprobe = patch.has_bridge_mode = true;
    patch.autoprobe = AUTOPROBE_OFF;
    patch.bridge_mode = BRIDGE_VEPA;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    auto_desired struct desired *news = document(&fleet, whole->revision);
    ck_assert(!news->full);
    ck_assert_uint_eq(news->pf_count, 1);
    ck_assert(news->pfs[0].has_num_vfs);
    ck_assert_uint_eq(news->pfs[0].num_vfs, 5);
    ck_assert_int_eq(news->pfs[0].autoprobe, AUTOPROBE_OFF);
    ck_assert_int_eq(news->pfs[0].bridge_mode, BRIDGE_VEPA);
    ck_assert_uint_eq(news->pfs[0].revision.revision, 2);
    ck_assert_uint_eq(news->revision.revision, 2);
    /* The same again, and what is no business of the agent, move nothing. */
    patch.has_tx_ratio = patch.has_link_speed = patch.has_words = true;
    patch.tx_ratio_percent = 90;
    patch.link_speed_mbps = 100;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    auto_desired struct desired *same = document(&fleet, news->revision);
    ck_assert_uint_eq(same->pf_count, 0);
    ck_assert_uint_eq(same->revision.revision, 2);
    /* Null: the count is only observed from now on. */
    patch = num_vfs(0);
    patch.num_vfs_observed = true;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    auto_desired struct desired *last = document(&fleet, same->revision);
    ck_assert(!last->pfs[0].has_num_vfs);
    ck_assert_int_eq(last->pfs[0].autoprobe, AUTOPROBE_OFF);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_restart_goes_on_from_the_settings_revisions)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(5)), 0);
    struct snapshot *snapshot = core_publish(fleet.core);
    struct core_config config = {60 * SECOND, 60 * SECOND};
    struct core *core = core_new(&config);
    /* In whatever order. */
    ck_assert_int_eq(core_restore(core, RECORD_HOST,
                                  snapshot_host(snapshot, "a")->host,
                                  &fleet.err),
                     0);
    ck_assert_int_eq(core_restore(core, RECORD_CLUSTER,
                                  snapshot_cluster(snapshot), &fleet.err),
                     0);
    struct revision before = snapshot_host(snapshot, "a")->revision;
    snapshot_put(snapshot);
    core_free(fleet.core);
    fleet.core = core;
    struct tx tx = {0};
    ck_assert_int_eq(core_start(core, &fleet.call, &tx, &fleet.err), 0);
    tx_done(&tx);
    struct revision after = fleet_view(&fleet, "a")->revision;
    ck_assert_uint_gt(after.epoch, before.epoch);
    ck_assert_uint_eq(after.revision, before.revision);
    auto_desired struct desired *whole = document(&fleet, before);
    ck_assert(whole->full);
    ck_assert_uint_eq(whole->pfs[0].num_vfs, 5);
    ck_assert_int_eq(revision_compare(&whole->pfs[0].revision, &before), 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_failed_commit_takes_the_revision_back)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct revision before = fleet_view(&fleet, "a")->revision;
    struct tx tx = {0};
    struct pf_key pf = key_of(PF);
    struct pf_patch patch = num_vfs(5);
    fleet_call(&fleet);
    ck_assert_int_eq(core_pf_patch(fleet.core, &fleet.call, "a", &pf, &patch,
                                   &tx, &fleet.err),
                     0);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision,
                      before.revision + 1);
    core_undo(fleet.core, &tx);
    tx_done(&tx);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision,
                      before.revision);
    ck_assert(!fleet_view(&fleet, "a")->host->pf_settings[0].has_num_vfs);
    fleet_done(&fleet);
}
END_TEST

START_TEST(what_the_agent_made_of_it_is_told)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, igb);
    struct pf_key key = key_of(PF);
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfConfigured"), 0);
    agent->pf_phase = PF_CONFIRMING;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(5)), 0);
    fleet_report(&fleet, "a");
    ck_assert_int_eq(host_view_pf(fleet_view(&fleet, "a"), &key)->phase,
                     PF_CONFIRMING);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->pfs[0].phase = PF_REJECTED;
    observed->pfs[0].condition = (struct condition){
        .type = "PfConfigured",
        .status = CONDITION_FALSE,
        .reason = "SchedulerSilent",
        .message = "the scheduler stayed silent for 30 s",
    };
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    const struct event *event = fleet_event(&fleet, "PfRejected");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event->reason, "SchedulerSilent");
    ck_assert_ptr_nonnull(strstr(event->message, "silent for 30 s"));
    /* Not tried again by itself; the operator's word is a new generation. */
    struct revision rejected = fleet_view(&fleet, "a")->revision;
    struct pf_patch allow = {.has_allowed = true, .allowed = true};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, allow), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision,
                      rejected.revision);
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(5)), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.revision,
                      rejected.revision + 1);
    agent->pf_phase = PF_APPLIED;
    fleet_report(&fleet, "a");
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfConfigured"), 1);
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfRejected"), 1);
    ck_assert_uint_eq(
        fleet_view(&fleet, "a")->report->inventory->pfs[0]->vf_count, 5);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_pf_on_its_way_takes_no_claims_until_the_agent_is_done)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, igb);
    static struct placement_reasons reasons;
    struct vm_request request = vm_request("web", 1);
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, num_vfs(2)), 0);
    /* By partial reports that tell of nothing else. */
    static const enum pf_phase phases[] = {
        PF_PENDING,  PF_APPLYING, PF_CONFIRMING, PF_REVERTING,
        PF_REJECTED, PF_FAILED,   PF_APPLIED};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        auto_observed struct observed *news = agent_observed(&fleet, agent);
        news->full = false;
        news->base = news->sequence - 1;
        ref_put(news->inventory);
        news->inventory = NULL;
        news->pfs[0].phase = (uint8_t)phases[i];
        ck_assert_int_eq(fleet_observe(&fleet, "a", news), 0);
        fleet_check(&fleet);
        struct vm *vm = fleet_create(&fleet, &request, &reasons);
        ck_assert_int_eq(vm != NULL, i >= 4);
        if (!vm) {
            ck_assert_ptr_nonnull(find_reason(&reasons, "pf_changing", ""));
            continue;
        }
        ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
        fleet_report(&fleet, "a");
        ref_put(vm);
    }
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_word_counts_but_for_what_a_probe_disproved)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct pf_patch patch = {.has_words = true};
    patch.words.field[POLICY_LINK_STATE].support = CAPABILITY_SUPPORTED;
    refused(&fleet, patch, ERROR_CONFLICT, "capabilities.link_state",
            "EINVAL when set");
    patch.words = (struct capabilities){0};
    patch.words.field[POLICY_TRUST].support = CAPABILITY_UNSUPPORTED;
    patch.words.trait[CAPABILITY_TRAIT_FLR].support = CAPABILITY_SUPPORTED;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    const struct pf_setting *setting =
        &fleet_view(&fleet, "a")->host->pf_settings[0];
    ck_assert_int_eq(setting->words.field[POLICY_TRUST].source,
                     CAPABILITY_SOURCE_OPERATOR);
    ck_assert_str_eq(setting->words.field[POLICY_TRUST].note, "");
    ck_assert_int_eq(setting->words.field[POLICY_MAC].source,
                     CAPABILITY_SOURCE_NONE);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].policy.set = POLICY_BIT(POLICY_TRUST);
    request.ports[0].policy.trust = true;
    static struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_ptr_nonnull(find_reason(&reasons, "policy_unsupported", "trust"));
    patch.words = (struct capabilities){0}; /* the whole new set */
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    ref_put(fleet_place(&fleet, &request));
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_ratio_is_not_lowered_below_what_is_promised)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, cx6);
    struct vm_request request = vm_request("web", 2);
    for (int i = 0; i < 2; i++) {
        request.ports[i].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
        request.ports[i].policy.min_tx_rate_mbps = 6000;
    }
    ref_put(fleet_place(&fleet, &request));
    struct pf_patch patch = {.has_tx_ratio = true, .tx_ratio_percent = 0};
    refused(&fleet, patch, ERROR_INVALID, "tx_ratio_percent", "between 1");
    patch.tx_ratio_percent = TX_RATIO_MAX_PERCENT + 1;
    refused(&fleet, patch, ERROR_INVALID, "tx_ratio_percent", "10000");
    patch.tx_ratio_percent = 47; /* of 25000: 11750 */
    refused(&fleet, patch, ERROR_IN_USE, "tx_ratio_percent",
            "2 ports hold 12000 Mbit/s");
    patch.tx_ratio_percent = 48;
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", PF, patch), 0);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/pf_settings",
           a_vf_count_above_the_firmware_s_is_refused_with_the_limit,
           a_vf_count_never_changes_under_a_claim,
           a_vf_count_never_changes_under_somebody_else,
           the_management_pf_is_never_changed, what_a_device_has_not_is_not_set,
           the_agent_is_told_what_it_carries_out,
           a_restart_goes_on_from_the_settings_revisions,
           a_failed_commit_takes_the_revision_back,
           what_the_agent_made_of_it_is_told,
           a_pf_on_its_way_takes_no_claims_until_the_agent_is_done,
           a_word_counts_but_for_what_a_probe_disproved,
           a_ratio_is_not_lowered_below_what_is_promised);
