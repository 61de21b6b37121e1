/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: who may report, in which order, how they merge, and what follows. */
#include "fixture.h"

static const struct pf_spec two[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7},
                                     {.key = "0000:5e:00.0", CX6, .vfs = 8}};

/* A partial report on top of the last one with nothing in it. */
static struct observed *partial(struct fleet *fleet, struct agent *agent)
{
    struct observed *observed = agent_observed(fleet, agent);
    observed->full = false;
    observed->base = observed->sequence - 1;
    for (size_t i = 0; i < observed->inventory->pf_count; i++)
        ref_put(observed->inventory->pfs[i]);
    observed->inventory->pf_count = 0;
    return observed;
}

START_TEST(the_first_report_binds_the_host_to_its_machine)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_enroll(&fleet, "a");
    const struct host_view *view = fleet_view(&fleet, "a");
    ck_assert_int_eq(view->state, HOST_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(view->state_reason, "never reported"));
    fleet_report(&fleet, "a");
    view = fleet_view(&fleet, "a");
    ck_assert_int_eq(view->state, HOST_READY);
    ck_assert_str_eq(view->state_reason, "");
    ck_assert(uuid_equal(&view->host->machine_id, &agent->machine));
    ck_assert_int_eq(view->last_seen_at, fleet.now);
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostReported"), 1);
    char id[UUID_TEXT_SIZE];
    ck_assert_ptr_eq(fleet_view(&fleet, uuid_format(&agent->machine, id)),
                     view);
    fleet_done(&fleet);
}
END_TEST

START_TEST(reports_of_others_are_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *a = fleet_host(&fleet, "a", 2, two);
    struct agent *b = fleet_host(&fleet, "b", 2, two);
    auto_observed struct observed *other = agent_observed(&fleet, b);
    ck_assert_int_eq(fleet_observe(&fleet, "a", other), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_WRONG_HOST);
    ck_assert_str_eq(fleet.err.field, "host");
    /* A second machine with the first one's token. */
    struct uuid machine = a->machine;
    a->machine = uuid_make(fleet.now, &fleet.rng);
    auto_observed struct observed *twin = agent_observed(&fleet, a);
    ck_assert_int_eq(fleet_observe(&fleet, "a", twin), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_WRONG_HOST);
    ck_assert_str_eq(fleet.err.field, "machine_id");
    ck_assert_str_ne(fleet.err.remedy, "");
    /* One machine under a second name. */
    struct agent *c = fleet_enroll(&fleet, "c");
    c->machine = machine;
    auto_observed struct observed *clone = agent_observed(&fleet, c);
    ck_assert_int_eq(fleet_observe(&fleet, "c", clone), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_WRONG_HOST);
    ck_assert_ptr_nonnull(strstr(fleet.err.msg, "'a'"));
    ck_assert_int_eq(fleet_observe(&fleet, "nobody", clone), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NOT_FOUND);
    fleet_done(&fleet);
}
END_TEST

START_TEST(late_and_repeated_reports_change_nothing)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    auto_observed struct observed *first = agent_observed(&fleet, agent);
    auto_observed struct observed *second = agent_observed(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", second), 0);
    struct tx tx = {0};
    ck_assert_int_eq(
        core_observe(fleet.core, &fleet.call, "a", second, &tx, &fleet.err), 0);
    ck_assert_uint_eq(tx.count, 0);
    ck_assert_int_eq(
        core_observe(fleet.core, &fleet.call, "a", first, &tx, &fleet.err), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_STALE_REPORT);
    ck_assert_uint_eq(tx.count, 0);
    /* An older life of the agent. */
    agent->incarnation = 0;
    auto_observed struct observed *ghost = agent_observed(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", ghost), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_STALE_REPORT);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_partial_report_changes_what_it_names)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    const struct inventory *before = fleet_view(&fleet, "a")->report->inventory;
    /* Nothing: the inventory is shared. */
    auto_observed struct observed *empty = partial(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", empty), 0);
    ck_assert_ptr_eq(fleet_view(&fleet, "a")->report->inventory, before);
    /* One PF: the other is shared. */
    const struct pf *kept = before->pfs[1];
    auto_observed struct observed *one = partial(&fleet, agent);
    one->inventory->pf_count = 1;
    one->inventory->pfs[0] = make_pf(&(struct pf_spec){
        .key = "0000:3b:00.0", IGB, .vfs = 7, .link_down = true});
    ck_assert_int_eq(fleet_observe(&fleet, "a", one), 0);
    const struct inventory *now = fleet_view(&fleet, "a")->report->inventory;
    ck_assert_uint_eq(now->pf_count, 2);
    ck_assert(!now->pfs[0]->link_up);
    ck_assert_ptr_eq(now->pfs[1], kept);
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfLinkDown"), 1);
    /* One gone, one new. */
    auto_observed struct observed *swap = partial(&fleet, agent);
    free(swap->gone_pfs);
    swap->gone_pfs = mem_calloc(1, sizeof *swap->gone_pfs);
    swap->gone_count = 1;
    swap->gone_pfs[0] = key_of("0000:3b:00.0");
    swap->inventory->pf_count = 1;
    swap->inventory->pfs[0] =
        make_pf(&(struct pf_spec){.key = "netdevsim1", .vfs = 4});
    ck_assert_int_eq(fleet_observe(&fleet, "a", swap), 0);
    now = fleet_view(&fleet, "a")->report->inventory;
    ck_assert_uint_eq(now->pf_count, 2);
    ck_assert_str_eq(now->pfs[0]->key.text, "0000:5e:00.0");
    ck_assert_str_eq(now->pfs[1]->key.text, "netdevsim1");
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfGone"), 1);
    ck_assert_uint_eq(fleet_count_events(&fleet, "PfAppeared"), 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_partial_report_on_an_unknown_base_asks_for_the_whole)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_enroll(&fleet, "a");
    auto_observed struct observed *first = partial(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", first), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NEED_FULL);
    fleet_report(&fleet, "a");
    agent->sequence++; /* one was lost */
    auto_observed struct observed *gap = partial(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", gap), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NEED_FULL);
    agent->incarnation++;
    auto_observed struct observed *life = partial(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", life), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_NEED_FULL);
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_count_events(&fleet, "AgentRestarted"), 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_incarnation_may_begin_at_any_sequence)
{
    static const uint64_t firsts[] = {(UINT64_C(1) << 48) - 1, 0, 7,
                                      UINT64_C(1) << 48, 1};
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        agent->incarnation++;
        agent->sequence = firsts[i];
        fleet_report(&fleet, "a");
        ck_assert_uint_eq(fleet_view(&fleet, "a")->report->sequence,
                          firsts[i] + 1);
        auto_observed struct observed *next = partial(&fleet, agent);
        ck_assert_int_eq(fleet_observe(&fleet, "a", next), 0);
    }
    fleet_done(&fleet);
}
END_TEST

/* Both have fresh state folders: one incarnation, sequences of their own. */
START_TEST(of_two_agents_with_one_incarnation_the_lower_is_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    agent->incarnation = 2;
    agent->sequence = 1000;
    fleet_report(&fleet, "a");
    agent->sequence = 500000;
    fleet_report(&fleet, "a");
    agent->sequence = 1001;
    auto_observed struct observed *beat = partial(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", beat), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_STALE_REPORT);
    auto_observed struct observed *whole = agent_observed(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", whole), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_STALE_REPORT);
    fleet_done(&fleet);
}
END_TEST

START_TEST(inventories_out_of_order_are_refused)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    struct pf *first = observed->inventory->pfs[0];
    observed->inventory->pfs[0] = observed->inventory->pfs[1];
    observed->inventory->pfs[1] = first;
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), -1);
    ck_assert_int_eq(fleet.err.code, ERROR_INVALID);
    ck_assert_str_eq(fleet.err.field, "inventory.pfs");
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_agent_of_another_cluster_is_seen_but_not_used)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_int_eq(fleet_delete(&fleet, &vm->id), 0);
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    observed->cluster_id = uuid_make(fleet.now, &fleet.rng);
    observed->accepted = (struct revision){99, 99};
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    const struct host_view *view = fleet_view(&fleet, "a");
    ck_assert_int_ne(view->state, HOST_READY);
    ck_assert_ptr_nonnull(strstr(view->state_reason, "sriov-agent adopt"));
    ck_assert_uint_eq(view->report->inventory->pf_count, 2);
    /* Its word that our port is absent is not about our port. */
    ck_assert_uint_eq(view->vm_count, 1);
    ck_assert_int_eq(view->report->ports[0].phase, PORT_UNKNOWN);
    ck_assert_uint_eq(view->revision.epoch, 1);
    ck_assert_uint_eq(fleet_count_events(&fleet, "HostFollowsOtherCluster"), 1);
    str_copy(request.name, "web-2");
    ck_assert_ptr_null(fleet_create(&fleet, &request, NULL));
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_view(&fleet, "a")->vm_count, 0);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(an_agent_ahead_of_us_raises_the_epoch)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *a = fleet_host(&fleet, "a", 2, two);
    fleet_host(&fleet, "b", 2, two);
    auto_observed struct observed *observed = agent_observed(&fleet, a);
    observed->accepted = (struct revision){7, 3};
    struct tx tx = {0};
    ck_assert_int_eq(
        core_observe(fleet.core, &fleet.call, "a", observed, &tx, &fleet.err),
        0);
    bool durable = false;
    for (size_t i = 0; i < tx.count; i++)
        durable |= tx.records[i].kind == RECORD_CLUSTER;
    ck_assert(durable);
    tx_done(&tx);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.epoch, 8);
    ck_assert_uint_eq(fleet_view(&fleet, "b")->revision.epoch, 8);
    ck_assert_str_eq(fleet_event(&fleet, "EpochRaised")->reason,
                     "RestoredData");
    /* Our own newest document raises nothing. */
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.epoch, 8);
    /* The same epoch, but a revision that we never gave: another line. */
    auto_observed struct observed *fork = agent_observed(&fleet, a);
    fork->accepted.revision += 5;
    ck_assert_int_eq(fleet_observe(&fleet, "a", fork), 0);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->revision.epoch, 9);
    /* No agent uses up the epochs. */
    auto_observed struct observed *absurd = agent_observed(&fleet, a);
    absurd->accepted.epoch = UINT64_MAX;
    ck_assert_int_eq(fleet_observe(&fleet, "a", absurd), -1);
    ck_assert_str_eq(fleet.err.field, "accepted");
    fleet_done(&fleet);
}
END_TEST

START_TEST(ports_are_told_when_their_phase_changes)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    struct vm_request request = vm_request("web", 1);
    struct vm *vm = fleet_place(&fleet, &request);
    fleet_report(&fleet, "a");
    fleet_report(&fleet, "a");
    ck_assert_uint_eq(fleet_count_events(&fleet, "PortApplied"), 1);
    auto_observed struct observed *failed = agent_observed(&fleet, agent);
    failed->ports[0].phase = PORT_FAILED;
    str_copy(failed->ports[0].condition.reason, "FieldRefused");
    str_copy(failed->ports[0].condition.field, "vlan");
    str_copy(failed->ports[0].condition.message, "EBUSY: try later");
    ck_assert_int_eq(fleet_observe(&fleet, "a", failed), 0);
    const struct event *event = fleet_event(&fleet, "PortFailed");
    ck_assert_str_eq(event->reason, "FieldRefused");
    ck_assert_str_eq(event->message, "vlan: EBUSY: try later");
    ck_assert(uuid_equal(&event->port, &vm->ports[0].id));
    ck_assert(uuid_equal(&event->vm, &vm->id));
    for (int i = 0; i < 2; i++) {
        auto_observed struct observed *unknown = agent_observed(&fleet, agent);
        unknown->ports[0].phase = PORT_UNKNOWN;
        unknown->ports[0].revision.revision += (uint64_t)i;
        ck_assert_int_eq(fleet_observe(&fleet, "a", unknown), 0);
    }
    ck_assert_uint_eq(fleet_count_events(&fleet, "PortUnknownToScheduler"), 1);
    ck_assert_uint_eq(fleet_view(&fleet, "a")->vm_count, 1);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_new_token_lets_an_agent_begin_anew)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    agent->incarnation = 5;
    fleet_report(&fleet, "a");
    agent->incarnation = 1; /* its state folder was lost */
    agent->sequence = 0;
    auto_observed struct observed *observed = agent_observed(&fleet, agent);
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), -1);
    ck_assert_ptr_nonnull(strstr(fleet.err.remedy, "enrol"));
    uint8_t hash[32];
    bool renewed = false;
    struct tx tx = {0};
    hash_of("new", hash);
    ck_assert_int_eq(core_host_enroll(fleet.core, &fleet.call, "a", hash, &tx,
                                      &renewed, &fleet.err),
                     0);
    tx_done(&tx);
    ck_assert(renewed);
    ck_assert_int_eq(fleet_observe(&fleet, "a", observed), 0);
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_cut_message_stays_valid_utf8)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 2, two);
    struct vm_request request = vm_request("web", 1);
    ref_put(fleet_place(&fleet, &request));
    auto_observed struct observed *failed = agent_observed(&fleet, agent);
    failed->ports[0].phase = PORT_FAILED;
    str_copy(failed->ports[0].condition.field, "vlan");
    char *message = failed->ports[0].condition.message;
    for (size_t i = 0; i + 3 < sizeof failed->ports[0].condition.message;
         i += 3)
        memcpy(message + i, "\xe2\x82\xac", 4); /* euro signs */
    ck_assert_int_eq(fleet_observe(&fleet, "a", failed), 0);
    const char *cut = fleet_event(&fleet, "PortFailed")->message;
    size_t length = strlen(cut);
    ck_assert_uint_gt(length, 240);
    ck_assert_uint_eq((length - strlen("vlan: ")) % 3, 0);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/observe",
           the_first_report_binds_the_host_to_its_machine,
           reports_of_others_are_refused,
           late_and_repeated_reports_change_nothing,
           a_partial_report_changes_what_it_names,
           a_partial_report_on_an_unknown_base_asks_for_the_whole,
           an_incarnation_may_begin_at_any_sequence,
           of_two_agents_with_one_incarnation_the_lower_is_refused,
           inventories_out_of_order_are_refused,
           an_agent_of_another_cluster_is_seen_but_not_used,
           an_agent_ahead_of_us_raises_the_epoch,
           ports_are_told_when_their_phase_changes,
           a_new_token_lets_an_agent_begin_anew,
           a_cut_message_stays_valid_utf8);
