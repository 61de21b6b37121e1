/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of the core, one sentence each: given documents and readings, which
 * action comes next. No host: the test is the kernel. */
#include "agent/core/reconcile.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <string.h>

#define NOW INT64_C(1790000000000000000)
#define VFS 4

static struct reconcile *core;
static struct policy kernel[VFS]; /* what the VFs read */
static int64_t now = NOW;

static struct uuid id_of(uint8_t number)
{
    struct uuid id = {{0}};
    id.bytes[0] = number;
    return id;
}

static struct pf *make_pf(void)
{
    struct pf *pf = pf_new(VFS);
    pf_key_parse("0000:3b:00.0", &pf->key);
    str_copy(pf->netdev, "ens1f0");
    pf->driver = str_intern("mlx5_core");
    pf->firmware = str_intern("1.0");
    pf->vendor_name = pf->device_name = str_intern("");
    pf->link_up = true;
    pf->link_speed_mbps = 10000;
    pf->total_vfs = pf->num_vfs = VFS;
    for (size_t i = 0; i < VFS; i++) {
        pf->vfs[i].index = (uint16_t)i;
        pf->vfs[i].state = VF_FREE;
        pf->vfs[i].driver = pf->vfs[i].reason = str_intern("");
        pf->vfs[i].policy = kernel[i];
        pf->vfs[i].observed_at = now;
    }
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = str_intern("");
    return pf;
}

/* Takes the PF. */
static void give_host(struct pf *pf)
{
    auto_inventory struct inventory *inventory = inventory_new(1, 0, 0);
    inventory->kernel = str_intern("6.1");
    inventory->pfs[0] = pf;
    reconcile_inventory(core, now, inventory);
}

static void begin(struct agent_state *state)
{
    struct reconcile_config config = {
        .host = "h1", .seed = 1, .skip_probing = true};
    for (size_t i = 0; i < VFS; i++)
        kernel[i] = policy_clean();
    now = NOW;
    core = reconcile_new(&config, state);
}

static struct desired *document(uint64_t epoch, uint64_t revision, size_t ports)
{
    struct desired *desired = desired_new(ports, 0, 0);
    desired->cluster_id = id_of(99);
    str_copy(desired->host, "h1");
    desired->revision = (struct revision){epoch, revision};
    desired->full = true;
    for (size_t i = 0; i < ports; i++) {
        struct desired_port *port = &desired->ports[i];
        port->id = id_of((uint8_t)(i + 1));
        port->vm = id_of((uint8_t)(i + 51));
        port->path = PATH_VF;
        port->has_claim = true;
        pf_key_parse("0000:3b:00.0", &port->claim.pf);
        port->claim.vf_index = (uint16_t)i;
        port->policy.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN);
        port->policy.mac = (struct mac){{0x52, 0x54, 0, 0, 1, (uint8_t)i}};
        port->policy.vlan = 100;
        port->revision = desired->revision;
    }
    return desired;
}

/* Takes the document. */
static void give(struct desired *desired)
{
    struct error err = {0};
    ck_assert_msg(reconcile_desired(core, desired, &err) == 0, "%s", err.msg);
    ref_put(desired);
}

static struct action next(void)
{
    struct action action = {0};
    int64_t wake = 0;
    ck_assert_msg(reconcile_next(core, now, &action, &wake), "nothing to do");
    return action;
}

static bool is_quiet(void)
{
    struct action action;
    int64_t wake = 0;
    return !reconcile_next(core, now, &action, &wake);
}

static void refuse(const struct action *action, int number, const char *field)
{
    struct action_result result = {.failed = true};
    error_fill_sys(&result.err, number, "set %s", field);
    str_copy(result.err.field, field);
    reconcile_done(core, now, action, &result);
}

/* The kernel does as it is told. */
static void obey(const struct action *action)
{
    struct action_result result = {0};
    if (action->kind == ACTION_WRITE) {
        for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
            if (action->fields & POLICY_BIT(f))
                policy_copy_field(&kernel[action->vf_index], &action->policy,
                                  (enum policy_field)f);
        }
    }
    if (action->kind == ACTION_READ)
        result.policy = kernel[action->vf_index];
    reconcile_done(core, now, action, &result);
}

static void expect(enum action_kind kind)
{
    struct action action = next();
    ck_assert_int_eq(action.kind, kind);
    obey(&action);
}

static void obey_all(void)
{
    struct action action;
    int64_t wake = 0;
    for (int i = 0; reconcile_next(core, now, &action, &wake); i++) {
        ck_assert_int_lt(i, 200);
        obey(&action);
    }
}

static struct observed_port told(uint8_t number)
{
    struct observed_port ports[8];
    size_t count = reconcile_ports(core, ports, 8);
    ck_assert_uint_le(count, 8);
    for (size_t i = 0; i < count; i++) {
        struct uuid id = id_of(number);
        if (uuid_equal(&ports[i].id, &id))
            return ports[i];
    }
    return (struct observed_port){.phase = PORT_PHASE_MAX};
}

static void setup(void)
{
    struct agent_state none = {0};
    begin(&none);
    give_host(make_pf());
}

static void teardown(void)
{
    reconcile_free(core);
    core = NULL;
}

START_TEST(the_incarnation_is_made_durable_before_anything_is_told)
{
    setup();
    ck_assert_uint_eq(reconcile_incarnation(core), 0);
    expect(ACTION_SAVE);
    ck_assert_uint_eq(reconcile_incarnation(core), 1);
    ck_assert(is_quiet());
    teardown();
}
END_TEST

START_TEST(intent_is_durable_then_read_write_read_back_then_applied)
{
    setup();
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_PENDING);
    struct action write = next();
    ck_assert_int_eq(write.kind, ACTION_WRITE);
    /* Only what differs is written. */
    ck_assert_uint_eq(write.fields,
                      POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN));
    obey(&write);
    ck_assert_int_eq(told(1).phase, PORT_PENDING);
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_APPLIED);
    expect(ACTION_SAVE);
    ck_assert(is_quiet());
    teardown();
}
END_TEST

START_TEST(no_VF_is_touched_while_the_state_cannot_be_saved)
{
    setup();
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    for (int i = 0; i < 5; i++) {
        struct action action = next();
        ck_assert_int_eq(action.kind, ACTION_SAVE);
        refuse(&action, ENOSPC, "");
        ck_assert(is_quiet());
        ck_assert_str_eq(told(1).condition.reason, "StateNotDurable");
        now += 31 * TIMESTAMP_SECOND;
    }
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    teardown();
}
END_TEST

START_TEST(fields_that_the_driver_does_not_tell_are_left_unless_asked_for)
{
    struct agent_state none = {0};
    begin(&none);
    kernel[0].set &=
        ~(POLICY_BIT(POLICY_TRUST) | POLICY_BIT(POLICY_LINK_STATE));
    kernel[0].spoofchk = false;
    give_host(make_pf());
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    /* spoofchk is told and reads otherwise than its safe value. */
    ck_assert_uint_eq(write.fields, POLICY_BIT(POLICY_MAC) |
                                        POLICY_BIT(POLICY_VLAN) |
                                        POLICY_BIT(POLICY_SPOOFCHK));
    teardown();
}
END_TEST

START_TEST(an_unasked_field_that_nobody_can_set_does_not_fail_the_port)
{
    struct agent_state none = {0};
    begin(&none);
    kernel[0].spoofchk = false;
    give_host(make_pf());
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    refuse(&write, EOPNOTSUPP, "spoofchk");
    expect(ACTION_READ);
    write = next();
    ck_assert_uint_eq(write.fields,
                      POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN));
    obey(&write);
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_APPLIED);
    teardown();
}
END_TEST

START_TEST(a_refusal_names_field_and_errno_and_puts_everything_back)
{
    setup();
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    kernel[0].mac = write.policy.mac; /* the first group went through */
    refuse(&write, EINVAL, "vlan");
    expect(ACTION_READ);
    write = next();
    ck_assert_int_eq(write.kind, ACTION_WRITE);
    ck_assert_uint_eq(write.fields, POLICY_BIT(POLICY_MAC));
    ck_assert(mac_is_zero(&write.policy.mac));
    obey(&write);
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_FAILED);
    ck_assert_str_eq(told(1).condition.reason, "FieldRefused");
    ck_assert_str_eq(told(1).condition.field, "vlan");
    ck_assert_ptr_nonnull(strstr(told(1).condition.message, "EINVAL"));
    teardown();
}
END_TEST

START_TEST(what_reads_back_otherwise_is_refused_and_put_back)
{
    setup();
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    struct action_result fine = {0};
    reconcile_done(core, now, &write, &fine); /* said yes, did nothing */
    for (int i = 0; i < 4; i++) {
        struct action action = next();
        ck_assert_int_eq(action.kind, ACTION_READ);
        obey(&action);
        now += 10 * TIMESTAMP_SECOND;
    }
    obey_all();
    ck_assert_str_eq(told(1).condition.reason, "ReadBackDiffers");
    ck_assert_str_eq(told(1).condition.field, "mac");
    ck_assert_int_eq(told(1).condition.status, CONDITION_FALSE);
    teardown();
}
END_TEST

START_TEST(a_failed_port_is_tried_again_when_its_revision_changes)
{
    setup();
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    refuse(&write, EINVAL, "vlan");
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_FAILED);
    expect(ACTION_SAVE);
    ck_assert(is_quiet());
    struct desired *desired = document(1, 2, 1);
    desired->ports[0].policy.vlan = 200;
    give(desired);
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_APPLIED);
    ck_assert_uint_eq(kernel[0].vlan, 200);
    teardown();
}
END_TEST

START_TEST(a_failed_port_is_tried_again_when_the_link_comes_up)
{
    struct agent_state none = {0};
    begin(&none);
    struct pf *pf = make_pf();
    pf->link_up = false;
    give_host(pf);
    expect(ACTION_SAVE);
    give(document(1, 1, 1));
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    struct action write = next();
    refuse(&write, EINVAL, "vlan");
    expect(ACTION_READ);
    expect(ACTION_SAVE);
    ck_assert(is_quiet());
    give_host(make_pf());
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_APPLIED);
    teardown();
}
END_TEST

START_TEST(a_release_cleans_resets_proves_and_only_then_tells_absent)
{
    setup();
    give(document(1, 1, 1));
    obey_all();
    struct desired *gone = document(1, 2, 1);
    gone->ports[0].absent = true;
    give(gone);
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    expect(ACTION_WRITE);
    ck_assert_int_eq(told(1).phase, PORT_CLEANING);
    expect(ACTION_RESET);
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_CLEANING); /* not yet durable */
    expect(ACTION_SAVE);
    ck_assert_int_eq(told(1).phase, PORT_CLEANING); /* not yet looked again */
    ck_assert(is_quiet());
    ck_assert_int_eq(told(1).phase, PORT_ABSENT);
    reconcile_forget(core, &(struct uuid){{1}});
    ck_assert_int_eq(told(1).phase, PORT_PHASE_MAX);
    teardown();
}
END_TEST

START_TEST(a_VF_driver_may_give_a_clean_VF_a_MAC_of_its_own_but_not_ours)
{
    setup();
    give(document(1, 1, 1));
    obey_all();
    struct desired *gone = document(1, 2, 1);
    gone->ports[0].absent = true;
    give(gone);
    expect(ACTION_SAVE);
    expect(ACTION_READ);
    expect(ACTION_WRITE);
    expect(ACTION_RESET);
    struct mac ours = {{0x52, 0x54, 0, 0, 1, 0}};
    kernel[0].mac = ours;
    expect(ACTION_READ);
    ck_assert_int_eq(told(1).phase, PORT_CLEANING);
    now += TIMESTAMP_SECOND;
    expect(ACTION_READ);
    expect(ACTION_WRITE);
    kernel[0].mac = (struct mac){{0x8a, 1, 2, 3, 4, 5}};
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_VF_that_does_not_become_clean_is_quarantined_and_tried_later)
{
    setup();
    give(document(1, 1, 1));
    obey_all();
    struct desired *gone = document(1, 2, 1);
    gone->ports[0].absent = true;
    give(gone);
    struct action action;
    int64_t wake = 0;
    struct action_result fine = {0};
    struct pf *view = NULL;
    for (int i = 0; i < 60; i++) {
        if (reconcile_next(core, now, &action, &wake)) {
            if (action.kind == ACTION_WRITE) /* yes, but nothing happens */
                reconcile_done(core, now, &action, &fine);
            else
                obey(&action);
        } else {
            view = reconcile_pf_view(core, 0);
            if (view->vfs[0].state == VF_QUARANTINED)
                break;
            ref_put(view);
            view = NULL;
            now += TIMESTAMP_SECOND / 10;
        }
    }
    ck_assert_ptr_nonnull(view);
    ck_assert_ptr_nonnull(strstr(view->vfs[0].reason, "does not become clean"));
    ref_put(view);
    ck_assert_int_eq(told(1).phase, PORT_CLEANING);
    ck_assert_str_eq(told(1).condition.reason, "VfNotClean");
    now += 61 * TIMESTAMP_SECOND;
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_VF_in_use_is_not_cleaned_under_its_guest)
{
    setup();
    give(document(1, 1, 1));
    obey_all();
    struct pf *pf = make_pf();
    pf->vfs[0].state = VF_EXTERNAL;
    pf->vfs[0].reason = str_intern("open by qemu");
    give_host(pf);
    struct desired *gone = document(1, 2, 1);
    gone->ports[0].absent = true;
    give(gone);
    expect(ACTION_SAVE);
    ck_assert(is_quiet());
    ck_assert_str_eq(told(1).condition.reason, "VfInUse");
    ck_assert_uint_eq(kernel[0].vlan, 100);
    give_host(make_pf());
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(absence_from_a_full_document_is_no_order)
{
    setup();
    give(document(1, 1, 2));
    obey_all();
    give(document(2, 1, 1));
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_APPLIED);
    ck_assert_int_eq(told(2).phase, PORT_UNKNOWN);
    ck_assert_uint_eq(kernel[1].vlan, 100);
    /* Not even drift is repaired on it. */
    kernel[1].vlan = 7;
    give_host(make_pf());
    obey_all();
    ck_assert_uint_eq(kernel[1].vlan, 7);
    give(document(2, 2, 2));
    obey_all();
    ck_assert_int_eq(told(2).phase, PORT_APPLIED);
    ck_assert_uint_eq(kernel[1].vlan, 100);
    teardown();
}
END_TEST

START_TEST(a_partial_document_changes_only_what_it_names)
{
    setup();
    give(document(1, 1, 2));
    obey_all();
    struct desired *part = document(1, 2, 1);
    part->full = false;
    part->ports[0].policy.vlan = 300;
    give(part);
    obey_all();
    ck_assert_uint_eq(kernel[0].vlan, 300);
    ck_assert_int_eq(told(2).phase, PORT_APPLIED);
    teardown();
}
END_TEST

START_TEST(documents_of_the_past_or_of_others_are_refused)
{
    setup();
    struct error err = {0};
    auto_desired struct desired *part = document(3, 5, 1);
    part->full = false;
    ck_assert_int_eq(reconcile_desired(core, part, &err), -1);
    ck_assert_int_eq(err.code, ERROR_NEED_FULL);
    give(document(3, 5, 1));
    auto_desired struct desired *older = document(3, 4, 1);
    ck_assert_int_eq(reconcile_desired(core, older, &err), -1);
    ck_assert_int_eq(err.code, ERROR_OLD_EPOCH);
    auto_desired struct desired *epoch = document(2, 9, 1);
    ck_assert_int_eq(reconcile_desired(core, epoch, &err), -1);
    auto_desired struct desired *other = document(4, 1, 1);
    str_copy(other->host, "h2");
    ck_assert_int_eq(reconcile_desired(core, other, &err), -1);
    ck_assert_int_eq(err.code, ERROR_WRONG_HOST);
    give(document(3, 5, 1)); /* repeated: harmless */
    teardown();
}
END_TEST

START_TEST(without_a_VF_in_hand_another_cluster_is_followed)
{
    setup();
    give(document(7, 7, 0));
    struct desired *other = document(1, 1, 0);
    other->cluster_id = id_of(98);
    give(other);
    ck_assert_uint_eq(reconcile_following(core).epoch, 1);
    teardown();
}
END_TEST

START_TEST(a_port_without_a_claim_is_left_alone_and_its_tombstone_is_done)
{
    setup();
    struct desired *desired = document(1, 1, 1);
    desired->ports[0].has_claim = false;
    desired->ports[0].path = PATH_VIRTIO;
    give(desired);
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_PENDING);
    ck_assert_str_eq(told(1).condition.reason, "NoVf");
    desired = document(1, 2, 1);
    desired->ports[0].has_claim = false;
    desired->ports[0].path = PATH_VIRTIO;
    desired->ports[0].absent = true;
    give(desired);
    obey_all();
    ck_assert_int_eq(told(1).phase, PORT_ABSENT);
    teardown();
}
END_TEST

CHECK_MAIN("reconcile", the_incarnation_is_made_durable_before_anything_is_told,
           intent_is_durable_then_read_write_read_back_then_applied,
           no_VF_is_touched_while_the_state_cannot_be_saved,
           fields_that_the_driver_does_not_tell_are_left_unless_asked_for,
           an_unasked_field_that_nobody_can_set_does_not_fail_the_port,
           a_refusal_names_field_and_errno_and_puts_everything_back,
           what_reads_back_otherwise_is_refused_and_put_back,
           a_failed_port_is_tried_again_when_its_revision_changes,
           a_failed_port_is_tried_again_when_the_link_comes_up,
           a_release_cleans_resets_proves_and_only_then_tells_absent,
           a_VF_driver_may_give_a_clean_VF_a_MAC_of_its_own_but_not_ours,
           a_VF_that_does_not_become_clean_is_quarantined_and_tried_later,
           a_VF_in_use_is_not_cleaned_under_its_guest,
           absence_from_a_full_document_is_no_order,
           a_partial_document_changes_only_what_it_names,
           documents_of_the_past_or_of_others_are_refused,
           without_a_VF_in_hand_another_cluster_is_followed,
           a_port_without_a_claim_is_left_alone_and_its_tombstone_is_done);
