/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a port: cold start, accelerate, decelerate, guests that are late or
 * never do it, QEMU and agent that die at any step. */
#include "tests/unit/agent/core/script.c"
#include "tests/unit/check_main.h"

static struct script script;
static struct script *const s = &script;

static void open_external(enum port_path path)
{
    script_open(s);
    script_port(s, 1, path);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_run(s, SECOND);
}

static void expect_path(enum condition_status status, const char *reason)
{
    struct observed_port told = script_told(s, 1);
    ck_assert_str_eq(told.way.condition.reason, reason);
    ck_assert_str_eq(told.way.condition.type, "PathReady");
    ck_assert_int_eq(told.way.condition.status, status);
}

/* On the VF, in use, nothing held, applied on both legs. */
static void expect_on_vf(void)
{
    struct observed_port told = script_told(s, 1);
    expect_path(CONDITION_TRUE, "VfInUse");
    ck_assert(told.way.vf_in_use && told.way.vf_plugged);
    ck_assert_int_gt(told.way.in_use_at, 0);
    ck_assert_int_eq(told.way.evidence, EVIDENCE_VF_INTERRUPTS);
    ck_assert_int_eq(told.phase, PORT_APPLIED);
    ck_assert(!told.way.held && !script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 0);
}

/* On virtio, held, the VF given back and clean. */
static void expect_on_virtio(void)
{
    struct observed_port told = script_told(s, 1);
    expect_path(CONDITION_TRUE, "OnVirtio");
    ck_assert(!told.way.vf_plugged && told.way.virtio_plugged);
    ck_assert(!told.has_claim);
    ck_assert_int_eq(told.phase, PORT_APPLIED);
    ck_assert(told.way.held && script_held(s, 0, 1));
    ck_assert(mac_is_zero(&s->kernel[0][0].mac));
    ck_assert_uint_eq(s->disk.managed_count, 0);
    ck_assert_uint_eq(s->disk.hold_count, 1);
}

/* Nothing runs: nothing is held. */
static void expect_off(void)
{
    expect_path(CONDITION_UNKNOWN, "NotRunning");
    ck_assert(!script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 0);
}

static void change_path(enum port_path path)
{
    script_port(s, 1, path);
    script_send(s);
}

/* ---- cold start ------------------------------------------------------------------------ */

START_TEST(a_cold_start_with_both_legs_holds_until_the_guest_uses_its_VF)
{
    open_external(PATH_VF);
    expect_off();
    script_start(s, 1, true);
    script_run(s, SECOND);
    ck_assert(script_held(s, 0, 1));
    expect_path(CONDITION_UNKNOWN, "VfNotYetInUse");
    ck_assert(script_told(s, 1).way.held);
    script_run(s, 1100 * MS); /* in use since 2.0 s: held for 0.3 s more */
    ck_assert(script_told(s, 1).way.vf_in_use);
    ck_assert(script_held(s, 0, 1));
    script_run(s, 400 * MS);
    expect_on_vf();
    ck_assert_uint_eq(s->guests[1].plugs, 0);
    ck_assert_uint_eq(s->announced[0] + s->announced[1], 0);
    script_close(s);
}
END_TEST

START_TEST(learning_is_off_where_a_port_of_ours_uses_the_bridge)
{
    script_open(s);
    script_run(s, SECOND);
    ck_assert(s->learns[0]);
    script_port(s, 1, PATH_VF);
    script_send(s);
    script_run(s, SECOND);
    ck_assert(!s->learns[0] && s->learns[1]);
    s->learns[0] = true; /* somebody sets it */
    script_run(s, 130 * SECOND);
    ck_assert(!s->learns[0]);
    script_close(s);
}
END_TEST

START_TEST(the_VLAN_of_a_tap_is_set_read_and_repaired)
{
    open_external(PATH_VIRTIO);
    script_start(s, 1, false);
    script_run(s, SECOND);
    ck_assert(s->guests[1].tap_set);
    ck_assert_uint_eq(s->guests[1].tap_vlan, 100);
    ck_assert_uint_eq(script_told(s, 1).way.virtio.vlan, 100);
    ck_assert_str_eq(script_told(s, 1).way.tap, "vnet1");
    s->guests[1].tap_vlan = 7;
    read_host(s);
    script_run(s, SECOND);
    ck_assert_uint_eq(s->guests[1].tap_vlan, 100);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_APPLIED);
    script_close(s);
}
END_TEST

/* ---- accelerate -------------------------------------------------------------------------- */

START_TEST(accelerate_plugs_with_the_MAC_held_and_releases_it)
{
    open_external(PATH_VIRTIO);
    script_start(s, 1, false);
    script_run(s, SECOND);
    expect_on_virtio();
    change_path(PATH_VF);
    script_run(s, SECOND);
    ck_assert_uint_eq(s->guests[1].plugs, 1);
    ck_assert(script_held(s, 0, 1));
    script_run(s, 3 * SECOND);
    expect_on_vf();
    script_close(s);
}
END_TEST

START_TEST(the_MAC_is_held_before_it_is_on_a_VF_that_comes_to_a_running_guest)
{
    script_open(s);
    s->guests[1].external = true;
    script_start(s, 1, false);
    s->filter_busy = 2;
    script_port(s, 1, PATH_VF); /* the write and the hold are due at once */
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_run(s, 10 * SECOND);
    expect_on_vf();
    ck_assert_uint_eq(s->guests[1].plugs, 1);
    script_close(s);
}
END_TEST

START_TEST(late_evidence_is_taken_after_the_deadline_too)
{
    open_external(PATH_VIRTIO);
    s->guests[1].drives_after = 90 * SECOND;
    script_start(s, 1, false);
    script_run(s, SECOND);
    change_path(PATH_VF);
    script_run(s, 59 * SECOND);
    expect_path(CONDITION_UNKNOWN, "VfNotYetInUse");
    script_run(s, 3 * SECOND);
    expect_path(CONDITION_FALSE, "VfNotInUse");
    ck_assert(script_held(s, 0, 1));
    script_run(s, 35 * SECOND);
    expect_on_vf();
    script_close(s);
}
END_TEST

START_TEST(without_evidence_the_MAC_stays_held)
{
    open_external(PATH_VIRTIO);
    s->guests[1].drives_after = NEVER;
    script_start(s, 1, false);
    change_path(PATH_VF);
    script_run(s, 300 * SECOND);
    expect_path(CONDITION_FALSE, "VfNotInUse");
    ck_assert(script_held(s, 0, 1));
    ck_assert_uint_eq(s->guests[1].plugs, 1);
    script_close(s);
}
END_TEST

START_TEST(a_VF_that_is_no_longer_in_use_is_held_again)
{
    open_external(PATH_VF);
    script_start(s, 1, true);
    script_run(s, 5 * SECOND);
    expect_on_vf();
    s->guests[1].drives_after = NEVER; /* its driver went away */
    script_run(s, 5 * SECOND);
    expect_path(CONDITION_FALSE, "VfNotInUse");
    ck_assert(script_held(s, 0, 1));
    s->guests[1].drives_after = 0;
    script_run(s, 5 * SECOND);
    expect_on_vf();
    script_close(s);
}
END_TEST

START_TEST(a_refused_plug_is_told_and_tried_again)
{
    open_external(PATH_VIRTIO);
    script_start(s, 1, false);
    s->refuses = "no more available PCI slots";
    s->refused = DOMAIN_PLUG;
    change_path(PATH_VF);
    script_run(s, 10 * SECOND);
    expect_path(CONDITION_FALSE, "PlugFailed");
    ck_assert(script_held(s, 0, 1));
    s->refuses = NULL;
    script_run(s, 300 * SECOND);
    expect_on_vf();
    script_close(s);
}
END_TEST

START_TEST(a_driver_that_takes_no_MAC_is_done_without)
{
    script_open(s);
    s->filter_refuses = true;
    script_port(s, 1, PATH_VIRTIO);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_start(s, 1, false);
    script_run(s, SECOND);
    change_path(PATH_VF);
    script_run(s, 5 * SECOND);
    expect_path(CONDITION_TRUE, "VfInUse");
    ck_assert(!script_held(s, 0, 1));
    script_close(s);
}
END_TEST

START_TEST(another_uplink_is_told_by_announcements)
{
    script_open(s);
    s->uplink = "ens2f0";
    script_tell(s);
    script_port(s, 1, PATH_VIRTIO);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_start(s, 1, false);
    script_run(s, SECOND);
    ck_assert(script_held(s, 1, 1)); /* VF and virtio VMs of that PF talk */
    change_path(PATH_VF);
    script_run(s, 10 * SECOND);
    expect_path(CONDITION_TRUE, "VfInUse");
    ck_assert_uint_ge(s->announced[0], 39);
    ck_assert_uint_le(s->announced[0], 42);
    ck_assert_uint_eq(s->announced[1], 0);
    ck_assert(!script_held(s, 0, 1) && !script_held(s, 1, 1));
    change_path(PATH_VIRTIO);
    script_run(s, 10 * SECOND);
    ck_assert_uint_ge(s->announced[1], 11);
    ck_assert_uint_le(s->announced[1], 26);
    ck_assert(script_held(s, 1, 1));
    script_close(s);
}
END_TEST

/* ---- decelerate -------------------------------------------------------------------------- */

static void open_on_vf(void)
{
    open_external(PATH_VF);
    script_start(s, 1, true);
    script_run(s, 5 * SECOND);
    expect_on_vf();
}

START_TEST(decelerate_holds_first_and_cleans_after_the_guest_let_go)
{
    open_on_vf();
    change_path(PATH_VIRTIO);
    script_run(s, 500 * MS);
    ck_assert_uint_eq(s->guests[1].unplugs, 1);
    ck_assert(script_held(s, 0, 1));
    ck_assert(script_told(s, 1).has_claim);
    expect_path(CONDITION_UNKNOWN, "Decelerating");
    script_run(s, 2 * SECOND);
    expect_on_virtio();
    script_close(s);
}
END_TEST

START_TEST(libvirt_s_word_that_a_guest_has_its_VF_is_enough)
{
    script_open(s);
    s->unseen = true;
    script_port(s, 1, PATH_VF);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_run(s, SECOND);
    script_start(s, 1, true);
    script_run(s, 5 * SECOND);
    s->ports[1].absent = s->vms[1].absent = true;
    s->ports[1].revision.revision = s->vms[1].revision.revision =
        s->revision + 1;
    script_send(s);
    script_run(s, 100 * SECOND);
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    ck_assert_str_eq(script_told(s, 1).condition.reason, "VfPlugged");
    s->libvirt_away = true;
    script_tell(s);
    script_run(s, 100 * SECOND);
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    s->libvirt_away = false;
    script_kill(s, 1);
    script_run(s, 5 * SECOND);
    ck_assert(mac_is_zero(&s->kernel[0][0].mac));
    script_close(s);
}
END_TEST

START_TEST(a_guest_that_keeps_its_VF_keeps_it_until_asked_again)
{
    open_on_vf();
    s->guests[1].lets_go_after = NEVER;
    change_path(PATH_VIRTIO);
    script_run(s, 29 * SECOND);
    expect_path(CONDITION_UNKNOWN, "Decelerating");
    script_run(s, 100 * SECOND);
    expect_path(CONDITION_FALSE, "GuestKeepsDevice");
    ck_assert_uint_eq(s->guests[1].unplugs, 1);
    ck_assert(script_told(s, 1).has_claim);
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    s->guests[1].asked_at = 0;
    s->guests[1].lets_go_after = SECOND;
    change_path(PATH_VIRTIO); /* another revision */
    script_run(s, 3 * SECOND);
    ck_assert_uint_eq(s->guests[1].unplugs, 2);
    expect_on_virtio();
    script_close(s);
}
END_TEST

START_TEST(a_guest_that_lets_go_late_is_taken_at_its_word)
{
    open_on_vf();
    s->guests[1].lets_go_after = 50 * SECOND;
    change_path(PATH_VIRTIO);
    script_run(s, 40 * SECOND);
    expect_path(CONDITION_FALSE, "GuestKeepsDevice");
    script_run(s, 15 * SECOND);
    expect_on_virtio();
    script_close(s);
}
END_TEST

START_TEST(accelerate_again_while_the_guest_keeps_its_VF)
{
    open_on_vf();
    s->guests[1].lets_go_after = NEVER;
    change_path(PATH_VIRTIO);
    script_run(s, 40 * SECOND);
    change_path(PATH_VF);
    script_run(s, 5 * SECOND);
    expect_on_vf();
    script_close(s);
}
END_TEST

/* ---- libvirt away ------------------------------------------------------------------------ */

START_TEST(nothing_is_cleaned_while_nobody_knows_what_the_guest_has)
{
    open_on_vf();
    s->libvirt_away = true;
    script_tell(s);
    change_path(PATH_VIRTIO);
    script_run(s, 100 * SECOND);
    expect_path(CONDITION_UNKNOWN, "LibvirtUnreachable");
    ck_assert(!mac_is_zero(&s->kernel[0][0].mac));
    ck_assert_uint_eq(s->guests[1].unplugs, 0);
    s->libvirt_away = false;
    script_tell(s);
    script_run(s, 5 * SECOND);
    expect_on_virtio();
    script_close(s);
}
END_TEST

START_TEST(evidence_is_taken_without_libvirt_too)
{
    open_external(PATH_VF);
    script_start(s, 1, true);
    script_run(s, SECOND);
    ck_assert(script_held(s, 0, 1));
    s->libvirt_away = true;
    script_tell(s);
    script_run(s, 5 * SECOND);
    ck_assert(script_told(s, 1).way.vf_in_use);
    ck_assert(!script_held(s, 0, 1));
    script_close(s);
}
END_TEST

/* ---- deaths ------------------------------------------------------------------------------- */

/* The flows of above, from their begin; each ends in what 'ends' checks. */
static void begin_cold(void)
{
    open_external(PATH_VF);
    script_start(s, 1, true);
}
static void begin_accelerate(void)
{
    open_external(PATH_VIRTIO);
    script_start(s, 1, false);
    script_run(s, SECOND);
    change_path(PATH_VF);
}
static void begin_decelerate(void)
{
    open_on_vf();
    change_path(PATH_VIRTIO);
}
static void begin_end(void)
{
    open_on_vf();
    script_kill(s, 1);
}
static const struct flow {
    void (*begin)(void);
    void (*ends)(void);
} flows[] = {{begin_cold, expect_on_vf},
             {begin_accelerate, expect_on_vf},
             {begin_decelerate, expect_on_virtio},
             {begin_end, expect_off}};
#define FLOWS (sizeof flows / sizeof *flows)
#define FLOW_NS (20 * SECOND)

static unsigned actions_of(const struct flow *flow)
{
    flow->begin();
    unsigned before = s->actions;
    script_run(s, FLOW_NS);
    flow->ends();
    unsigned count = s->actions - before;
    script_close(s);
    return count;
}

START_TEST(an_agent_that_dies_at_any_action_comes_to_the_same_end)
{
    for (size_t f = 0; f < FLOWS; f++) {
        unsigned count = actions_of(&flows[f]);
        ck_assert_uint_gt(count, 0);
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

START_TEST(a_QEMU_that_dies_at_any_time_leaves_nothing_held)
{
    for (size_t f = 0; f + 1 < FLOWS; f++) {
        for (int64_t at = 0; at < 6 * SECOND; at += 50 * MS) {
            flows[f].begin();
            script_run(s, at);
            script_kill(s, 1);
            script_run(s, FLOW_NS);
            expect_off();
            bool claims = script_told(s, 1).has_claim;
            ck_assert_uint_eq(s->disk.managed_count, claims ? 1 : 0);
            ck_assert_int_eq(mac_is_zero(&s->kernel[0][0].mac), !claims);
            script_close(s);
        }
    }
}
END_TEST

START_TEST(libvirt_that_goes_and_comes_at_any_time_changes_no_end)
{
    for (size_t f = 0; f < FLOWS; f++) {
        for (int64_t at = 0; at < 6 * SECOND; at += 100 * MS) {
            flows[f].begin();
            script_run(s, at);
            s->libvirt_away = true;
            s->order_runs = false;
            script_tell(s);
            script_run(s, 5 * SECOND);
            s->libvirt_away = false;
            script_tell(s);
            script_run(s, 2 * FLOW_NS);
            flows[f].ends();
            script_close(s);
        }
    }
}
END_TEST

START_TEST(a_way_at_rest_wakes_seldom)
{
    open_on_vf();
    unsigned before = s->actions;
    script_run(s, 600 * SECOND);
    /* Looking each 2 s; tap and learning each minute. */
    ck_assert_uint_le(s->actions - before, 340);
    script_close(s);
}
END_TEST

CHECK_MAIN("way", a_cold_start_with_both_legs_holds_until_the_guest_uses_its_VF,
           learning_is_off_where_a_port_of_ours_uses_the_bridge,
           the_VLAN_of_a_tap_is_set_read_and_repaired,
           accelerate_plugs_with_the_MAC_held_and_releases_it,
           the_MAC_is_held_before_it_is_on_a_VF_that_comes_to_a_running_guest,
           libvirt_s_word_that_a_guest_has_its_VF_is_enough,
           late_evidence_is_taken_after_the_deadline_too,
           without_evidence_the_MAC_stays_held,
           a_VF_that_is_no_longer_in_use_is_held_again,
           a_refused_plug_is_told_and_tried_again,
           a_driver_that_takes_no_MAC_is_done_without,
           another_uplink_is_told_by_announcements,
           decelerate_holds_first_and_cleans_after_the_guest_let_go,
           a_guest_that_keeps_its_VF_keeps_it_until_asked_again,
           a_guest_that_lets_go_late_is_taken_at_its_word,
           accelerate_again_while_the_guest_keeps_its_VF,
           nothing_is_cleaned_while_nobody_knows_what_the_guest_has,
           evidence_is_taken_without_libvirt_too,
           an_agent_that_dies_at_any_action_comes_to_the_same_end,
           a_QEMU_that_dies_at_any_time_leaves_nothing_held,
           libvirt_that_goes_and_comes_at_any_time_changes_no_end,
           a_way_at_rest_wakes_seldom);
