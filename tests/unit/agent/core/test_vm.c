/* SPDX-License-Identifier: Apache-2.0 */
/* The life of managed VMs: defined, started and ended once for each revision and
 * boot, whatever dies meanwhile; external ones are only looked at. */
#include "tests/unit/agent/core/script.c"
#include "tests/unit/check_main.h"

static struct script script;
static struct script *const s = &script;

static void open_managed(void)
{
    script_open(s);
    script_port(s, 1, PATH_VF);
    script_vm(s, 1, LIFECYCLE_MANAGED);
    script_send(s);
}

static void open_running(void)
{
    open_managed();
    script_run(s, 10 * SECOND);
}

static void expect_vm(enum vm_phase phase, enum power_state power,
                      enum condition_status status, const char *reason)
{
    struct observed_vm told = script_told_vm(s, 1);
    ck_assert_str_eq(told.condition.reason, reason);
    ck_assert_str_eq(told.condition.type, "Running");
    ck_assert_int_eq(told.condition.status, status);
    ck_assert_str_eq(vm_phase_name((enum vm_phase)told.phase),
                     vm_phase_name(phase));
    ck_assert_int_eq(told.power_state, power);
    ck_assert_uint_eq(told.revision.revision, s->vms[1].revision.revision);
}

static void expect_running(void)
{
    expect_vm(VM_PHASE_APPLIED, POWER_RUNNING, CONDITION_TRUE, "Running");
    ck_assert(script_told(s, 1).way.vf_in_use);
    ck_assert(!script_held(s, 0, 1));
    ck_assert_uint_eq(s->guests[1].starts, 1);
}

static void expect_off(void)
{
    expect_vm(VM_PHASE_APPLIED, POWER_SHUT_OFF, CONDITION_FALSE, "PoweredOff");
    ck_assert(!script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 0);
}

static void expect_gone(void)
{
    expect_vm(VM_PHASE_ABSENT, POWER_ABSENT, CONDITION_FALSE, "Gone");
    ck_assert(!s->guests[1].defined && !s->guests[1].active);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_ABSENT);
    ck_assert(mac_is_zero(&s->kernel[0][0].mac));
    ck_assert_uint_eq(s->disk.vm_count, 0);
    ck_assert_uint_eq(s->disk.hold_count, 0);
    ck_assert_uint_eq(s->disk.managed_count, 0);
    ck_assert(!script_held(s, 0, 1));
}

static void power(bool on)
{
    script_vm(s, 1, LIFECYCLE_MANAGED);
    s->vms[1].power_on = on;
    script_send(s);
}

static void remove_all(void)
{
    script_vm(s, 1, LIFECYCLE_MANAGED);
    s->vms[1].absent = true;
    s->ports[1].absent = true;
    s->ports[1].revision.revision = s->revision + 1;
    script_send(s);
}

/* ---- start ----------------------------------------------------------------------------- */

START_TEST(a_managed_VM_starts_when_its_VF_is_proven)
{
    open_running();
    expect_running();
    ck_assert(s->guests[1].leg && s->guests[1].vf);
    ck_assert_uint_eq(s->disk.vm_count, 1);
    ck_assert_int_eq(s->disk.vms[0].run, VM_RUN_STARTED);
    script_close(s);
}
END_TEST

START_TEST(it_is_not_started_before_its_VF_is_proven)
{
    script_open(s);
    s->kernel[0][0].trust = true; /* somebody else's */
    script_tell(s);
    script_port(s, 1, PATH_VF);
    script_vm(s, 1, LIFECYCLE_MANAGED);
    script_send(s);
    script_run(s, 10 * SECOND);
    expect_vm(VM_PHASE_PENDING, POWER_ABSENT, CONDITION_FALSE, "WaitsForPorts");
    ck_assert_uint_eq(s->disk.vm_count, 0);
    s->kernel[0][0].trust = false;
    script_tell(s);
    script_run(s, 10 * SECOND);
    expect_running();
    script_close(s);
}
END_TEST

START_TEST(it_is_not_started_without_its_network)
{
    script_open(s);
    str_copy(script_port(s, 1, PATH_VIRTIO)->network, "br7");
    s->ports[1].has_claim = false;
    script_vm(s, 1, LIFECYCLE_MANAGED);
    script_send(s);
    script_run(s, 10 * SECOND);
    expect_vm(VM_PHASE_PENDING, POWER_ABSENT, CONDITION_FALSE, "WaitsForPorts");
    ck_assert_ptr_nonnull(
        strstr(script_told_vm(s, 1).condition.message, "br7"));
    script_close(s);
}
END_TEST

START_TEST(a_guest_that_ends_by_itself_stays_off)
{
    open_running();
    goes_off(&s->guests[1], "shutdown");
    script_tell(s);
    script_run(s, 100 * SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_SHUT_OFF, CONDITION_FALSE,
              "GuestShutDown");
    script_crash(s); /* nor does the agent's start change that */
    script_run(s, 100 * SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_SHUT_OFF, CONDITION_FALSE,
              "GuestShutDown");
    ck_assert_uint_eq(s->guests[1].starts, 1);
    power(true); /* 'vm start' */
    script_run(s, 10 * SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_RUNNING, CONDITION_TRUE, "Running");
    ck_assert_uint_eq(s->guests[1].starts, 2);
    script_kill(s, 1);
    script_run(s, 10 * SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_SHUT_OFF, CONDITION_FALSE, "Crashed");
    ck_assert_uint_eq(s->guests[1].starts, 2);
    script_close(s);
}
END_TEST

START_TEST(a_boot_of_the_host_starts_it_again_with_a_document_of_this_boot)
{
    open_running();
    goes_off(&s->guests[1], "unknown");
    s->boot++;
    reconcile_free(s->core);
    begin(s);
    script_tell(s);
    script_run(s, 10 * SECOND);
    ck_assert_uint_eq(s->guests[1].starts, 1); /* no document yet */
    give_document(s);
    script_run(s, 10 * SECOND);
    ck_assert_uint_eq(s->guests[1].starts, 2);
    expect_vm(VM_PHASE_APPLIED, POWER_RUNNING, CONDITION_TRUE, "Running");
    script_close(s);
}
END_TEST

START_TEST(a_refused_start_fails_until_another_revision)
{
    script_open(s);
    s->refuses = "unsupported configuration";
    s->refused = DOMAIN_START;
    script_port(s, 1, PATH_VF);
    script_vm(s, 1, LIFECYCLE_MANAGED);
    script_send(s);
    script_run(s, 200 * SECOND);
    expect_vm(VM_PHASE_FAILED, POWER_SHUT_OFF, CONDITION_FALSE, "StartFailed");
    s->refuses = NULL;
    script_run(s, 200 * SECOND);
    ck_assert_uint_eq(s->guests[1].starts, 0);
    power(true);
    script_run(s, 10 * SECOND);
    expect_running();
    script_close(s);
}
END_TEST

/* ---- stop -------------------------------------------------------------------------------- */

START_TEST(power_off_asks_the_guest)
{
    open_running();
    power(false);
    script_run(s, 10 * SECOND);
    expect_off();
    ck_assert_uint_eq(s->guests[1].shutdowns, 1);
    ck_assert_uint_eq(s->guests[1].destroys, 0);
    script_close(s);
}
END_TEST

START_TEST(a_guest_that_does_not_listen_is_destroyed_after_a_minute)
{
    open_running();
    s->guests[1].shuts_down_after = NEVER;
    power(false);
    script_run(s, 59 * SECOND);
    ck_assert(s->guests[1].active);
    script_run(s, 3 * SECOND);
    expect_off();
    ck_assert_uint_eq(s->guests[1].destroys, 1);
    script_close(s);
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------ */

START_TEST(a_removed_VM_goes_before_its_VF_is_cleaned)
{
    open_running();
    remove_all();
    script_run(s, 10 * SECOND);
    expect_gone();
    reconcile_forget_vm(s->core, &s->vms[1].id);
    ck_assert_uint_eq(reconcile_vms(s->core, NULL, 0), 0);
    script_close(s);
}
END_TEST

START_TEST(what_can_t_be_undefined_keeps_its_VF)
{
    open_running();
    s->refuses = "it is protected";
    s->refused = DOMAIN_UNDEFINE;
    remove_all();
    script_run(s, 100 * SECOND);
    expect_vm(VM_PHASE_PENDING, POWER_SHUT_OFF, CONDITION_FALSE, "EndFailed");
    ck_assert_int_eq(script_told(s, 1).phase, PORT_CLEANING);
    ck_assert_str_eq(script_told(s, 1).condition.reason, "VmNotGone");
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    s->refuses = NULL;
    script_run(s, 60 * SECOND);
    expect_gone();
    script_close(s);
}
END_TEST

START_TEST(an_external_VM_is_gone_without_libvirt_too_unless_it_was_seen_to_run)
{
    for (int seen = 0; seen < 2; seen++) {
        script_open(s);
        script_port(s, 1, PATH_VIRTIO);
        s->ports[1].has_claim = false;
        script_vm(s, 1, LIFECYCLE_EXTERNAL);
        script_send(s);
        if (seen)
            script_start(s, 1, false);
        script_run(s, SECOND);
        s->libvirt_away = true;
        script_tell(s);
        s->vms[1].absent = true;
        s->vms[1].revision.revision = s->revision + 1;
        script_send(s);
        script_run(s, SECOND);
        ck_assert_int_eq(script_told_vm(s, 1).phase, VM_PHASE_PENDING);
        script_run(s, 10 * SECOND);
        ck_assert_int_eq(script_told_vm(s, 1).phase,
                         seen ? VM_PHASE_PENDING : VM_PHASE_ABSENT);
        script_close(s);
    }
}
END_TEST

START_TEST(without_libvirt_a_removed_VM_and_its_VF_wait)
{
    open_running();
    s->libvirt_away = true;
    script_tell(s);
    remove_all();
    script_run(s, 100 * SECOND);
    expect_vm(VM_PHASE_PENDING, POWER_UNKNOWN, CONDITION_UNKNOWN,
              "LibvirtUnreachable");
    ck_assert_int_eq(script_told(s, 1).phase, PORT_CLEANING);
    s->libvirt_away = false;
    script_tell(s);
    script_run(s, 10 * SECOND);
    expect_gone();
    script_close(s);
}
END_TEST

START_TEST(a_VM_that_the_document_lacks_is_left_alone)
{
    open_running();
    memset(&s->ports[1].id, 0, sizeof s->ports[1].id);
    memset(&s->vms[1].id, 0, sizeof s->vms[1].id);
    script_send(s);
    script_run(s, 100 * SECOND);
    ck_assert(s->guests[1].active);
    ck_assert_int_eq(script_told_vm(s, 1).phase, VM_PHASE_UNKNOWN);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_UNKNOWN);
    script_close(s);
}
END_TEST

/* ---- external --------------------------------------------------------------------------- */

START_TEST(an_external_VM_is_waited_for)
{
    script_open(s);
    script_port(s, 1, PATH_VF);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_run(s, SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_ABSENT, CONDITION_FALSE, "NoDomain");
    script_start(s, 1, true);
    script_run(s, 10 * SECOND);
    expect_vm(VM_PHASE_APPLIED, POWER_RUNNING, CONDITION_TRUE, "Running");
    s->vms[1].absent = s->ports[1].absent = true;
    s->vms[1].revision.revision = s->ports[1].revision.revision =
        s->revision + 1;
    script_send(s);
    script_run(s, 100 * SECOND);
    expect_vm(VM_PHASE_PENDING, POWER_RUNNING, CONDITION_TRUE, "WaitsForEnd");
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    goes_off(&s->guests[1], "shutdown");
    script_tell(s);
    script_run(s, 10 * SECOND);
    ck_assert_int_eq(script_told_vm(s, 1).phase, VM_PHASE_ABSENT);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_ABSENT);
    ck_assert(s->guests[1].defined);
    script_close(s);
}
END_TEST

START_TEST(domains_of_others_are_use_of_the_host)
{
    uint32_t vcpus = 0;
    uint64_t memory = 0;
    script_open(s);
    s->guests[2].external = true;
    script_start(s, 2, false);
    script_run(s, SECOND);
    reconcile_external(s->core, &vcpus, &memory);
    ck_assert_uint_eq(vcpus, 2);
    ck_assert_uint_eq(memory, 512);
    script_port(s, 2, PATH_VIRTIO);
    script_vm(s, 2, LIFECYCLE_EXTERNAL); /* tied by its alias */
    script_send(s);
    script_run(s, SECOND);
    reconcile_external(s->core, &vcpus, &memory);
    ck_assert_uint_eq(vcpus, 0);
    ck_assert_uint_eq(memory, 0);
    script_close(s);
}
END_TEST

/* ---- deaths ------------------------------------------------------------------------------- */

static void begin_stop(void)
{
    open_running();
    power(false);
}
static void begin_remove(void)
{
    open_running();
    remove_all();
}
static const struct flow {
    void (*begin)(void);
    void (*ends)(void);
} flows[] = {{open_managed, expect_running},
             {begin_stop, expect_off},
             {begin_remove, expect_gone}};
#define FLOWS (sizeof flows / sizeof *flows)
#define FLOW_NS (20 * SECOND)

START_TEST(an_agent_that_dies_at_any_action_acts_once)
{
    for (size_t f = 0; f < FLOWS; f++) {
        flows[f].begin();
        unsigned before = s->actions;
        script_run(s, FLOW_NS);
        flows[f].ends();
        unsigned count = s->actions - before;
        script_close(s);
        for (unsigned at = 1; at <= 2 * count; at++) {
            flows[f].begin();
            s->crash_at = s->actions + (at + 1) / 2;
            s->crash_before = at % 2;
            script_run(s, FLOW_NS);
            ck_assert_uint_eq(s->crashes, 1);
            flows[f].ends();
            script_close(s);
        }
    }
}
END_TEST

START_TEST(libvirt_that_goes_and_comes_at_any_time_changes_no_end)
{
    for (size_t f = 0; f < FLOWS; f++) {
        for (int64_t at = 0; at < 5 * SECOND; at += 50 * MS) {
            flows[f].begin();
            script_run(s, at);
            s->libvirt_away = true;
            s->order_runs = false;
            script_tell(s);
            script_run(s, 5 * SECOND);
            s->libvirt_away = false;
            script_tell(s);
            script_run(s, 90 * SECOND);
            flows[f].ends();
            script_close(s);
        }
    }
}
END_TEST

START_TEST(an_agent_that_dies_while_libvirt_is_away_cleans_nothing_in_use)
{
    open_running();
    s->libvirt_away = true;
    remove_all();
    script_crash(s);
    script_run(s, 100 * SECOND);
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    s->libvirt_away = false;
    script_tell(s);
    script_run(s, 10 * SECOND);
    expect_gone();
    script_close(s);
}
END_TEST

CHECK_MAIN("vm", a_managed_VM_starts_when_its_VF_is_proven,
           it_is_not_started_before_its_VF_is_proven,
           it_is_not_started_without_its_network,
           a_guest_that_ends_by_itself_stays_off,
           a_boot_of_the_host_starts_it_again_with_a_document_of_this_boot,
           a_refused_start_fails_until_another_revision,
           power_off_asks_the_guest,
           a_guest_that_does_not_listen_is_destroyed_after_a_minute,
           a_removed_VM_goes_before_its_VF_is_cleaned,
           what_can_t_be_undefined_keeps_its_VF,
           an_external_VM_is_gone_without_libvirt_too_unless_it_was_seen_to_run,
           without_libvirt_a_removed_VM_and_its_VF_wait,
           a_VM_that_the_document_lacks_is_left_alone,
           an_external_VM_is_waited_for, domains_of_others_are_use_of_the_host,
           an_agent_that_dies_at_any_action_acts_once,
           libvirt_that_goes_and_comes_at_any_time_changes_no_end,
           an_agent_that_dies_while_libvirt_is_away_cleans_nothing_in_use);
