/* SPDX-License-Identifier: Apache-2.0 */
/* Confirmed commits of PF settings, one sentence each: given documents, readings
 * and answers, what is written next and what is told. The test is the kernel and
 * the scheduler. */
#include "agent/core/reconcile.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <string.h>

#define NOW INT64_C(1790000000000000000)
#define SECONDS(n) ((n)*TIMESTAMP_SECOND)

static struct reconcile *core;
static int64_t now;
static struct agent_state disk;
static struct pf_key key;
static struct pf_target kernel; /* what the PF reads */
static bool management;
static uint8_t vf_state;
static uint64_t revision; /* of the document */

static struct pf *make_pf(void)
{
    struct pf *pf = pf_new(kernel.num_vfs);
    pf->key = key;
    str_copy(pf->netdev, "ens1f0");
    pf->driver = str_intern("ixgbe");
    pf->firmware = pf->vendor_name = pf->device_name = str_intern("");
    pf->link_up = true;
    pf->total_vfs = 8;
    pf->num_vfs = kernel.num_vfs;
    pf->autoprobe = kernel.autoprobe;
    pf->bridge_mode = kernel.bridge_mode;
    pf->management = management;
    for (uint16_t i = 0; i < kernel.num_vfs; i++) {
        pf->vfs[i].index = i;
        pf->vfs[i].state = vf_state;
        pf->vfs[i].driver = pf->vfs[i].reason = str_intern("");
        pf->vfs[i].policy = policy_clean();
        pf->vfs[i].observed_at = now;
    }
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = str_intern("");
    return pf;
}

static void give_host(void)
{
    auto_inventory struct inventory *inventory = inventory_new(1, 0, 0);
    inventory->kernel = str_intern("6.1");
    inventory->pfs[0] = make_pf();
    reconcile_inventory(core, now, inventory);
}

static void start(uint8_t boot)
{
    struct reconcile_config config = {
        .host = "h1", .seed = 1, .skip_probing = true};
    config.boot_id.bytes[0] = boot;
    struct agent_state loaded;
    agent_state_copy(&loaded, &disk);
    core = reconcile_new(&config, &loaded);
    give_host();
}

static void crash(void)
{
    reconcile_free(core);
    core = NULL;
}

static void setup(void)
{
    memset(&disk, 0, sizeof disk);
    now = NOW;
    revision = 0;
    management = false;
    vf_state = VF_FREE;
    kernel = (struct pf_target){.has_num_vfs = true,
                                .num_vfs = 2,
                                .autoprobe = AUTOPROBE_ON,
                                .bridge_mode = BRIDGE_VEB};
    ck_assert(pf_key_parse("0000:3b:00.0", &key));
    start(1);
}

static void teardown(void)
{
    crash();
    agent_state_done(&disk);
}

static void answered(void)
{
    reconcile_answered(core, now, now);
}

/* The whole document: the PF with these settings under this revision, and
 * 'ports' ports on its first VFs. */
static void want_with(const struct pf_target *target, uint64_t of, size_t ports)
{
    struct error err = {0};
    auto_desired struct desired *desired =
        desired_new(ports, target ? 1 : 0, 0);
    desired->cluster_id.bytes[0] = 9;
    str_copy(desired->host, "h1");
    desired->revision = (struct revision){1, ++revision};
    desired->full = true;
    if (target)
        desired->pfs[0] =
            (struct desired_pf){.key = key,
                                .allowed = true,
                                .has_num_vfs = target->has_num_vfs,
                                .num_vfs = target->num_vfs,
                                .autoprobe = target->autoprobe,
                                .bridge_mode = target->bridge_mode,
                                .revision = {1, of}};
    for (size_t i = 0; i < ports; i++) {
        struct desired_port *port = &desired->ports[i];
        port->id.bytes[0] = (uint8_t)(i + 1);
        port->vm.bytes[0] = (uint8_t)(i + 51);
        port->path = PATH_VF;
        port->has_claim = true;
        port->claim.pf = key;
        port->claim.vf_index = (uint16_t)i;
        port->policy.set = POLICY_BIT(POLICY_MAC);
        port->policy.mac = (struct mac){{0x52, 0x54, 0, 0, 1, (uint8_t)i}};
        port->revision = desired->revision;
    }
    ck_assert_msg(reconcile_desired(core, desired, &err) == 0, "%s", err.msg);
}

static void want_vfs(uint16_t count, uint64_t of)
{
    struct pf_target target = {.has_num_vfs = true, .num_vfs = count};
    want_with(&target, of, 0);
}

static bool next(struct action *action)
{
    int64_t wake = 0;
    return reconcile_next(core, now, action, &wake);
}

static void done(const struct action *action, int number, const char *field)
{
    struct action_result result = {.failed = number != 0};
    if (number) {
        error_fill_sys(&result.err, number, "set %s", field);
        str_copy(result.err.field, field);
    }
    reconcile_done(core, now, action, &result);
}

static void save(const struct action *action)
{
    ck_assert_int_eq(action->kind, ACTION_SAVE);
    agent_state_done(&disk);
    agent_state_copy(&disk, reconcile_state(core));
    done(action, 0, "");
}

/* Saves as many as come; what is next then. False: nothing. */
static bool next_write(struct action *action)
{
    while (next(action)) {
        if (action->kind != ACTION_SAVE)
            return true;
        save(action);
    }
    return false;
}

static void obey(const struct action *action)
{
    ck_assert_int_eq(action->kind, ACTION_PF_SET);
    if (action->target.has_num_vfs)
        kernel.num_vfs = action->target.num_vfs;
    if (action->target.autoprobe != AUTOPROBE_NONE)
        kernel.autoprobe = action->target.autoprobe;
    if (action->target.bridge_mode != BRIDGE_NONE)
        kernel.bridge_mode = action->target.bridge_mode;
    done(action, 0, "");
    give_host();
}

static bool quiet(void)
{
    struct action action;
    return !next_write(&action);
}

static struct observed_pf told(void)
{
    struct observed_pf pfs[2];
    ck_assert_uint_eq(reconcile_pfs(core, pfs, 2), 1);
    return pfs[0];
}

#define CK_TOLD(expected_phase, expected_reason)                               \
    do {                                                                       \
        struct observed_pf t = told();                                         \
        ck_assert_msg(t.phase == (expected_phase), "%s, %s: %s",               \
                      pf_phase_name((enum pf_phase)t.phase),                   \
                      t.condition.reason, t.condition.message);                \
        ck_assert_str_eq(t.condition.reason, expected_reason);                 \
        ck_assert_str_eq(t.condition.type, "PfConfigured");                    \
    } while (0)

/* Up to the point at which the scheduler is to confirm. */
static void write_vfs(uint16_t count, uint64_t of)
{
    struct action action;
    want_vfs(count, of);
    answered();
    ck_assert(next_write(&action));
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
}

START_TEST(the_way_back_is_durable_before_anything_is_written)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next(&action));
    while (action.kind == ACTION_SAVE && disk.change_count == 0) {
        save(&action);
        ck_assert(next(&action));
    }
    ck_assert_uint_eq(disk.change_count, 1);
    ck_assert_int_eq(disk.changes[0].phase, PF_APPLYING);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 2);
    ck_assert_int_eq(disk.changes[0].before.autoprobe, AUTOPROBE_NONE);
    ck_assert_uint_eq(disk.changes[0].target.num_vfs, 4);
    ck_assert_int_eq(disk.changes[0].deadline, NOW + SECONDS(30));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    ck_assert_uint_eq(action.target.num_vfs, 4);
    CK_TOLD(PF_APPLYING, "Applying");
    teardown();
}
END_TEST

START_TEST(nothing_is_written_while_the_state_cannot_be_saved)
{
    setup();
    ck_assert(quiet());
    want_vfs(4, 7);
    answered();
    struct action action;
    for (int i = 0; i < 3; i++) {
        ck_assert(next(&action));
        ck_assert_int_eq(action.kind, ACTION_SAVE);
        done(&action, ENOSPC, "");
        CK_TOLD(PF_APPLYING, "StateNotDurable");
        ck_assert(!next(&action));
        now += SECONDS(1) << i;
    }
    /* By now the scheduler's word is old: it is asked for anew. */
    now += SECONDS(10);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    ck_assert_uint_eq(disk.change_count, 0);
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

START_TEST(it_is_applied_when_a_request_sent_after_the_write_is_answered)
{
    setup();
    write_vfs(4, 7);
    int64_t written = now;
    ck_assert_int_eq(reconcile_asks_since(core), written);
    now += SECONDS(1);
    reconcile_answered(core, written - 1, now);
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    answered();
    struct action action;
    ck_assert(next(&action));
    CK_TOLD(PF_CONFIRMING, "Confirmed"); /* not yet durable */
    save(&action);
    CK_TOLD(PF_APPLIED, "Confirmed");
    ck_assert_int_eq(told().condition.status, CONDITION_TRUE);
    ck_assert_uint_eq(told().revision.revision, 7);
    ck_assert_int_eq(reconcile_asks_since(core), INT64_MIN);
    now += SECONDS(3600);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(without_an_answer_it_is_undone_and_that_revision_never_tried_again)
{
    setup();
    write_vfs(4, 7);
    now = NOW + SECONDS(30) - 1;
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    now = NOW + SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    CK_TOLD(PF_REVERTING, "SchedulerSilent");
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    CK_TOLD(PF_REVERTING, "SchedulerSilent"); /* not yet durable */
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    ck_assert_int_eq(disk.changes[0].phase, PF_REJECTED);
    now += SECONDS(300);
    answered();
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    crash();
    start(2);
    answered();
    want_vfs(4, 7);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 2);
    want_vfs(4, 8);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(it_begins_only_while_the_scheduler_is_heard)
{
    setup();
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    now += SECONDS(10) + 1;
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

START_TEST(the_PF_with_the_hosts_own_traffic_is_never_touched)
{
    setup();
    management = true;
    give_host();
    want_vfs(4, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "PfIsManagement");
    /* Also when it becomes that between the intent and the write. */
    management = false;
    give_host();
    struct action action;
    ck_assert(next(&action));
    save(&action);
    management = true;
    give_host();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "PfIsManagement");
    ck_assert_uint_eq(disk.change_count, 0);
    teardown();
}
END_TEST

START_TEST(a_PF_that_came_to_carry_the_hosts_traffic_is_not_even_put_back)
{
    setup();
    write_vfs(4, 7);
    management = true;
    give_host();
    now += SECONDS(31);
    ck_assert(quiet());
    CK_TOLD(PF_REVERTING, "PfIsManagement");
    management = false;
    give_host();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(more_than_the_firmware_allows_fails_with_the_limit_and_no_write)
{
    setup();
    want_vfs(9, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "AboveLimit");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "at most 8"));
    ck_assert_str_eq(told().condition.field, "num_vfs");
    teardown();
}
END_TEST

START_TEST(no_change_under_a_claim)
{
    setup();
    struct pf_target target = {.has_num_vfs = true, .num_vfs = 4};
    want_with(&target, 7, 1);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_READ);
    CK_TOLD(PF_PENDING, "PfClaimed");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "VF 0"));
    teardown();
}
END_TEST

START_TEST(claims_of_VFs_that_a_boot_took_away_let_the_count_be_restored)
{
    setup();
    kernel.num_vfs = 0;
    give_host();
    struct pf_target target = {.has_num_vfs = true, .num_vfs = 4};
    want_with(&target, 7, 1);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    obey(&action);
    /* The VF is there, but not to be touched before it is sure to stay. */
    ck_assert(quiet());
    struct observed_port ports[2];
    ck_assert_uint_eq(reconcile_ports(core, ports, 2), 1);
    ck_assert_str_eq(ports[0].condition.reason, "PfChanging");
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_READ);
    teardown();
}
END_TEST

START_TEST(no_change_while_something_else_uses_a_VF)
{
    setup();
    vf_state = VF_EXTERNAL;
    give_host();
    want_vfs(4, 7);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "VfExternal");
    vf_state = VF_FREE;
    give_host();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    teardown();
}
END_TEST

START_TEST(absence_is_no_order)
{
    setup();
    want_with(NULL, 0, 0);
    answered();
    ck_assert(quiet());
    ck_assert_uint_eq(reconcile_pfs(core, NULL, 0), 0);
    struct pf_target nothing = {0};
    want_with(&nothing, 7, 0);
    ck_assert(quiet());
    ck_assert_uint_eq(reconcile_pfs(core, NULL, 0), 0);
    write_vfs(4, 8);
    answered();
    ck_assert(quiet());
    want_with(NULL, 0, 0);
    ck_assert(quiet());
    ck_assert_uint_eq(kernel.num_vfs, 4);
    kernel.num_vfs = 1; /* somebody else: not ours to put back any more */
    give_host();
    ck_assert(quiet());
    teardown();
}
END_TEST

START_TEST(what_reads_as_wanted_is_applied_without_a_write)
{
    setup();
    want_vfs(2, 7);
    ck_assert(quiet());
    CK_TOLD(PF_APPLIED, "AsWanted");
    ck_assert_uint_eq(disk.change_count, 0);
    teardown();
}
END_TEST

START_TEST(what_is_lost_with_a_boot_is_restored_in_the_same_way)
{
    setup();
    write_vfs(4, 7);
    answered();
    ck_assert(quiet());
    crash();
    kernel.num_vfs = 0;
    now += SECONDS(100);
    start(2);
    ck_assert(quiet());
    want_vfs(4, 7);
    ck_assert(quiet());
    CK_TOLD(PF_PENDING, "SchedulerSilent");
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 0);
    obey(&action);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_APPLIED, "Confirmed");
    teardown();
}
END_TEST

START_TEST(a_refusal_puts_everything_back_and_says_why)
{
    setup();
    struct pf_target target = {
        .has_num_vfs = true, .num_vfs = 4, .bridge_mode = BRIDGE_VEPA};
    want_with(&target, 7, 0);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    kernel.num_vfs = 4; /* so far it went */
    done(&action, EOPNOTSUPP, "bridge_mode");
    give_host();
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    ck_assert_int_eq(action.target.bridge_mode, BRIDGE_VEB);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    ck_assert_str_eq(told().condition.field, "bridge_mode");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "EOPNOTSUPP"));
    /* The same would be refused again. */
    now += SECONDS(3600);
    answered();
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    teardown();
}
END_TEST

START_TEST(a_refusal_that_may_pass_is_tried_again_later)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    done(&action, EBUSY, "num_vfs");
    ck_assert(next_write(&action));
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "SettingRefused");
    now += SECONDS(6);
    answered();
    ck_assert(next_write(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    ck_assert_uint_eq(action.target.num_vfs, 4);
    teardown();
}
END_TEST

START_TEST(undoing_is_tried_until_it_works)
{
    setup();
    write_vfs(4, 7);
    now += SECONDS(30);
    struct action action;
    for (int i = 0; i < 4; i++) {
        ck_assert(next_write(&action));
        ck_assert_uint_eq(action.target.num_vfs, 2);
        done(&action, EBUSY, "num_vfs");
        CK_TOLD(PF_REVERTING, "UndoFails");
        ck_assert(quiet());
        now += SECONDS(5);
    }
    ck_assert(next_write(&action));
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

START_TEST(undoing_does_not_wait_for_a_full_disk)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next(&action));
    ck_assert_int_eq(action.kind, ACTION_PF_SET);
    obey(&action);
    ck_assert(next(&action));
    done(&action, ENOSPC, "");
    /* Not told as the end before it is one. */
    ck_assert_int_eq(told().phase, PF_REVERTING);
    ck_assert_uint_eq(kernel.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(a_kernel_that_takes_its_time_is_asked_again)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    struct action_result pending = {.pending = true};
    for (int i = 0; i < 3; i++) {
        ck_assert(next_write(&action));
        ck_assert_int_eq(action.kind, ACTION_PF_SET);
        reconcile_done(core, now, &action, &pending);
        ck_assert(quiet());
        now += SECONDS(1);
    }
    /* An event of the PF is a reason to ask at once. */
    ck_assert(next_write(&action));
    reconcile_done(core, now, &action, &pending);
    ck_assert(quiet());
    give_host();
    ck_assert(next_write(&action));
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
    teardown();
}
END_TEST

START_TEST(what_reads_otherwise_after_the_write_is_put_back)
{
    setup();
    write_vfs(4, 7);
    kernel.num_vfs = 3; /* somebody else meddles */
    give_host();
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_FAILED, "ReadBackDiffers");
    teardown();
}
END_TEST

START_TEST(an_agent_killed_while_writing_goes_on_with_the_same_deadline)
{
    setup();
    want_vfs(4, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    kernel.num_vfs = 4; /* written, and dead before it is known */
    crash();
    now += SECONDS(20);
    start(1);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 4);
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
    now = NOW + SECONDS(30);
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(an_agent_killed_in_the_window_undoes_or_confirms_after_its_start)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    crash();
    now += SECONDS(10);
    start(1);
    ck_assert(quiet());
    CK_TOLD(PF_CONFIRMING, "Confirming");
    ck_assert_int_eq(reconcile_asks_since(core), now);
    crash();
    now += SECONDS(300);
    start(1);
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    obey(&action);
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

START_TEST(a_deadline_is_never_further_away_than_the_window_is_long)
{
    setup();
    write_vfs(4, 7);
    ck_assert(quiet());
    crash();
    now -= SECONDS(86400); /* the clock was set back */
    start(1);
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 2);
    teardown();
}
END_TEST

START_TEST(a_host_that_booted_in_the_window_has_nothing_to_undo)
{
    for (int phase = 0; phase < 2; phase++) {
        setup();
        struct action action;
        if (phase == 0) {
            want_vfs(4, 7);
            answered();
            ck_assert(next_write(&action));
        } else {
            write_vfs(4, 7);
            ck_assert(quiet());
        }
        crash();
        kernel.num_vfs = 0;
        start(2);
        ck_assert(quiet());
        CK_TOLD(PF_REJECTED, "HostRestarted");
        want_vfs(4, 7);
        answered();
        ck_assert(quiet());
        ck_assert_uint_eq(kernel.num_vfs, 0);
        teardown();
    }
}
END_TEST

START_TEST(a_PF_that_goes_away_in_the_window_ends_it)
{
    setup();
    write_vfs(4, 7);
    reconcile_pf(core, now, &key, NULL);
    answered();
    ck_assert(quiet());
    now += SECONDS(30);
    struct action action;
    ck_assert(next_write(&action));
    done(&action, ENODEV, "");
    ck_assert(quiet());
    CK_TOLD(PF_REJECTED, "SchedulerSilent");
    teardown();
}
END_TEST

START_TEST(a_newer_revision_waits_for_the_end_of_the_change_that_runs)
{
    setup();
    write_vfs(4, 7);
    want_vfs(6, 8);
    ck_assert(quiet());
    ck_assert_uint_eq(told().revision.revision, 7);
    answered();
    struct action action;
    ck_assert(next_write(&action));
    ck_assert_uint_eq(action.target.num_vfs, 6);
    ck_assert_uint_eq(disk.changes[0].before.num_vfs, 4);
    ck_assert_uint_eq(told().revision.revision, 8);
    teardown();
}
END_TEST

START_TEST(every_move_is_in_the_diagram)
{
    static const struct {
        enum pf_phase from, to;
    } allowed[] = {
        {PF_APPLYING, PF_CONFIRMING},  {PF_APPLYING, PF_REVERTING},
        {PF_APPLYING, PF_REJECTED},    {PF_CONFIRMING, PF_APPLIED},
        {PF_CONFIRMING, PF_REVERTING}, {PF_CONFIRMING, PF_REJECTED},
        {PF_APPLIED, PF_APPLYING},     {PF_APPLIED, PF_APPLIED},
        {PF_REVERTING, PF_REJECTED},   {PF_REVERTING, PF_FAILED},
        {PF_REJECTED, PF_APPLYING},    {PF_REJECTED, PF_APPLIED},
        {PF_FAILED, PF_APPLYING},      {PF_FAILED, PF_APPLIED},
    };
    size_t count = 0;
    for (unsigned from = 0; from < PF_PHASE_MAX; from++)
        for (unsigned to = 0; to < PF_PHASE_MAX; to++)
            count += pf_move_allowed((enum pf_phase)from, (enum pf_phase)to);
    ck_assert_uint_eq(count, sizeof allowed / sizeof *allowed);
    for (size_t i = 0; i < count; i++)
        ck_assert(pf_move_allowed(allowed[i].from, allowed[i].to));
    ck_assert(!pf_move_allowed(PF_PHASE_MAX, PF_APPLYING));
}
END_TEST

CHECK_MAIN("pf_setting", the_way_back_is_durable_before_anything_is_written,
           nothing_is_written_while_the_state_cannot_be_saved,
           it_is_applied_when_a_request_sent_after_the_write_is_answered,
           without_an_answer_it_is_undone_and_that_revision_never_tried_again,
           it_begins_only_while_the_scheduler_is_heard,
           the_PF_with_the_hosts_own_traffic_is_never_touched,
           a_PF_that_came_to_carry_the_hosts_traffic_is_not_even_put_back,
           more_than_the_firmware_allows_fails_with_the_limit_and_no_write,
           no_change_under_a_claim,
           claims_of_VFs_that_a_boot_took_away_let_the_count_be_restored,
           no_change_while_something_else_uses_a_VF, absence_is_no_order,
           what_reads_as_wanted_is_applied_without_a_write,
           what_is_lost_with_a_boot_is_restored_in_the_same_way,
           a_refusal_puts_everything_back_and_says_why,
           a_refusal_that_may_pass_is_tried_again_later,
           undoing_is_tried_until_it_works,
           undoing_does_not_wait_for_a_full_disk,
           a_kernel_that_takes_its_time_is_asked_again,
           what_reads_otherwise_after_the_write_is_put_back,
           an_agent_killed_while_writing_goes_on_with_the_same_deadline,
           an_agent_killed_in_the_window_undoes_or_confirms_after_its_start,
           a_deadline_is_never_further_away_than_the_window_is_long,
           a_host_that_booted_in_the_window_has_nothing_to_undo,
           a_PF_that_goes_away_in_the_window_ends_it,
           a_newer_revision_waits_for_the_end_of_the_change_that_runs,
           every_move_is_in_the_diagram);
