/* SPDX-License-Identifier: Apache-2.0 */
/* Held MACs: durable before they are on a filter, compared after a start, never
 * leaked. And all flows at random: whatever happened, in the end only what is
 * needed is held, and no VF is dirty that nobody claims. */
#include "common/base/rng.h"
#include "tests/unit/agent/core/script.c"
#include "tests/unit/check_main.h"

static struct script script;
static struct script *const s = &script;

static void open_running(void)
{
    script_open(s);
    script_port(s, 1, PATH_VIRTIO);
    script_vm(s, 1, LIFECYCLE_EXTERNAL);
    script_send(s);
    script_start(s, 1, false);
    script_run(s, SECOND);
    ck_assert(script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 1);
}

START_TEST(what_somebody_took_away_is_put_back_within_the_audit)
{
    open_running();
    memset(s->filter, 0, sizeof s->filter);
    script_run(s, 125 * SECOND);
    ck_assert(script_held(s, 0, 1));
    script_close(s);
}
END_TEST

START_TEST(after_a_start_it_is_compared_with_the_filter)
{
    open_running();
    memset(s->filter, 0, sizeof s->filter); /* the driver was loaded anew */
    script_crash(s);
    script_run(s, SECOND);
    ck_assert(script_held(s, 0, 1));
    script_close(s);
}
END_TEST

START_TEST(what_is_no_longer_needed_at_the_start_goes)
{
    open_running();
    goes_off(&s->guests[1], "destroyed");
    script_crash(s);
    script_run(s, SECOND);
    ck_assert(!script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 0);
    script_close(s);
}
END_TEST

START_TEST(before_a_document_and_the_domains_nothing_changes)
{
    open_running();
    goes_off(&s->guests[1], "destroyed");
    reconcile_free(s->core);
    begin(s);
    read_host(s);
    script_run(s, 10 * SECOND);
    ck_assert(script_held(s, 0, 1));
    s->libvirt_away = true;
    script_tell(s);
    give_document(s);
    script_run(s, 10 * SECOND);
    ck_assert(script_held(s, 0, 1));
    s->libvirt_away = false;
    script_tell(s);
    script_run(s, SECOND);
    ck_assert(!script_held(s, 0, 1));
    script_close(s);
}
END_TEST

START_TEST(a_port_that_the_document_lacks_is_held_while_its_domain_runs)
{
    open_running();
    memset(&s->ports[1].id, 0, sizeof s->ports[1].id);
    memset(&s->vms[1].id, 0, sizeof s->vms[1].id);
    script_send(s);
    script_run(s, 10 * SECOND);
    ck_assert(script_held(s, 0, 1));
    script_kill(s, 1);
    script_run(s, 10 * SECOND);
    ck_assert(!script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 0);
    script_close(s);
}
END_TEST

START_TEST(another_MAC_is_held_in_place_of_the_old_one)
{
    open_running();
    script_port(s, 1, PATH_VIRTIO)->policy.mac = script_mac(9);
    script_send(s);
    script_run(s, SECOND);
    ck_assert(script_held(s, 0, 9) && !script_held(s, 0, 1));
    ck_assert_uint_eq(s->disk.hold_count, 1);
    script_close(s);
}
END_TEST

START_TEST(an_absent_port_is_told_only_when_nothing_of_it_is_held)
{
    open_running();
    s->ports[1].absent = s->vms[1].absent = true;
    s->ports[1].revision.revision = s->vms[1].revision.revision =
        s->revision + 1;
    script_send(s);
    script_run(s, 10 * SECOND);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_CLEANING);
    ck_assert(script_held(s, 0, 1)); /* the guest goes on until its end */
    script_kill(s, 1);
    script_run(s, SECOND);
    ck_assert_int_eq(script_told(s, 1).phase, PORT_ABSENT);
    ck_assert(!script_held(s, 0, 1));
    script_close(s);
}
END_TEST

/* ---- at random ---------------------------------------------------------------------- */

static const int64_t delays[] = {0, 50 * MS, SECOND, 20 * SECOND, NEVER};

static int64_t any_delay(struct rng *rng)
{
    return delays[rng_below(rng, sizeof delays / sizeof *delays)];
}

static void happen(struct rng *rng)
{
    unsigned number = 1 + (unsigned)rng_below(rng, GUESTS);
    struct guest *guest = &s->guests[number];
    switch (rng_below(rng, 9)) {
    case 0:
        script_port(s, number, rng_below(rng, 2) ? PATH_VF : PATH_VIRTIO);
        script_send(s);
        break;
    case 1:
        if (guest->active)
            script_kill(s, number);
        break;
    case 2:
        if (guest->external && !guest->active && !s->libvirt_away)
            script_start(s, number,
                         s->ports[number].path == PATH_VF &&
                             script_told(s, number).phase == PORT_APPLIED);
        break;
    case 3:
        script_crash(s);
        break;
    case 4:
        s->libvirt_away = !s->libvirt_away;
        s->order_runs = false;
        script_tell(s);
        break;
    case 5:
        guest->drives_after = any_delay(rng);
        break;
    case 6:
        guest->lets_go_after = any_delay(rng);
        break;
    case 7:
        if (!guest->external) {
            script_vm(s, number, LIFECYCLE_MANAGED);
            s->vms[number].power_on = rng_below(rng, 2);
            script_send(s);
        }
        break;
    default:
        s->crash_at = s->actions + 1 + (unsigned)rng_below(rng, 20);
        s->crash_before = rng_below(rng, 2);
        break;
    }
}

/* Everybody behaves again, and what was asked in vain is asked anew. */
static void calm_down(void)
{
    s->crash_at = 0;
    s->libvirt_away = false;
    s->order_runs = false;
    for (unsigned i = 1; i <= GUESTS; i++) {
        struct guest *guest = &s->guests[i];
        guest->drives_after = guest->lets_go_after = SECOND;
        guest->shuts_down_after = SECOND;
        script_port(s, i, (enum port_path)s->ports[i].path);
    }
    script_tell(s);
    script_send(s);
    script_run(s, 400 * SECOND);
}

static void check_guest(unsigned number)
{
    const struct guest *guest = &s->guests[number];
    struct observed_port told = script_told(s, number);
    bool on_vf = s->ports[number].path == PATH_VF;
    bool clean = mac_is_zero(&s->kernel[0][number - 1].mac);
    if (guest->active)
        ck_assert_msg(guest->vf == on_vf, "guest %u: %s", number,
                      told.way.condition.message);
    ck_assert_int_eq(script_held(s, 0, number), guest->active && !on_vf);
    ck_assert_int_eq(clean, !on_vf);
    ck_assert_int_eq(told.has_claim, on_vf);
    if (!guest->external)
        ck_assert_int_eq(guest->active && s->vms[number].power_on,
                         guest->active);
}

START_TEST(whatever_happens_in_the_end_only_what_is_needed_is_held)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct rng rng = {.state = seed};
        script_open(s);
        script_port(s, 1, PATH_VF);
        script_vm(s, 1, LIFECYCLE_EXTERNAL);
        script_port(s, 2, PATH_VIRTIO);
        script_vm(s, 2, LIFECYCLE_MANAGED);
        script_send(s);
        for (unsigned i = 0; i < 25; i++) {
            happen(&rng);
            script_run(s, (int64_t)rng_below(&rng, 40) * 100 * MS);
        }
        calm_down();
        unsigned holds = 0;
        for (unsigned i = 1; i <= GUESTS; i++) {
            check_guest(i);
            holds += script_held(s, 0, i);
        }
        ck_assert_uint_eq(s->disk.hold_count, holds);
        script_close(s);
    }
}
END_TEST

CHECK_MAIN("hold", what_somebody_took_away_is_put_back_within_the_audit,
           after_a_start_it_is_compared_with_the_filter,
           what_is_no_longer_needed_at_the_start_goes,
           before_a_document_and_the_domains_nothing_changes,
           a_port_that_the_document_lacks_is_held_while_its_domain_runs,
           another_MAC_is_held_in_place_of_the_old_one,
           an_absent_port_is_told_only_when_nothing_of_it_is_held,
           whatever_happens_in_the_end_only_what_is_needed_is_held);
