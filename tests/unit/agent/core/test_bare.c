/* SPDX-License-Identifier: Apache-2.0 */
/* Claims without network policy: VFs of other devices and PFs as a whole. What
 * is there and used by nobody else is applied; what is used, or lacks the driver
 * it had, is not clean. The test is the kernel. */
#include "agent/core/reconcile.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <string.h>

#define NOW INT64_C(1790000000000000000)
#define VFS 2

static struct reconcile *core;
static int64_t now;
static struct pf_key key;
static bool whole; /* the claim; else VF 1 */

/* What the host shows. */
static const char *driver, *used_by;
static bool vf_used, management, there;
static uint16_t num_vfs;

static struct pf *make_pf(void)
{
    struct pf *pf = pf_new(num_vfs);
    pf->key = key;
    pf->kind = whole ? DEVICE_NETWORK : DEVICE_STORAGE;
    pf->driver = str_intern(whole ? driver : "nvme");
    pf->firmware = pf->vendor_name = pf->device_name = str_intern("");
    pf->total_vfs = 4;
    pf->num_vfs = num_vfs;
    pf->management = management;
    pf->observed_at = now;
    str_copy(pf->used_by, used_by);
    for (uint16_t i = 0; i < num_vfs; i++) {
        pf->vfs[i].index = i;
        pf->vfs[i].state = vf_used ? VF_EXTERNAL : VF_FREE;
        pf->vfs[i].driver = str_intern(driver);
        pf->vfs[i].reason = str_intern(vf_used ? "bound to 'vfio-pci'" : "");
        pf->vfs[i].observed_at = now;
    }
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = str_intern("");
    return pf;
}

static void give_host(void)
{
    auto_inventory struct inventory *inventory =
        inventory_new(there ? 1 : 0, 0, 0);
    inventory->kernel = str_intern("6.1");
    if (there)
        inventory->pfs[0] = make_pf();
    reconcile_inventory(core, now, inventory);
}

static void give(uint64_t revision, bool absent, uint32_t fields)
{
    struct error err = {0};
    auto_desired struct desired *desired = desired_new(1, 0, 0);
    desired->cluster_id.bytes[0] = 9;
    str_copy(desired->host, "h1");
    desired->revision = (struct revision){1, revision};
    desired->full = true;
    struct desired_port *port = &desired->ports[0];
    port->id.bytes[0] = 1;
    port->vm.bytes[0] = 51;
    port->path = PATH_VF;
    port->absent = absent;
    port->device = !whole;
    port->has_claim = true;
    port->claim.pf = key;
    port->claim.vf_index = whole ? CLAIM_WHOLE_PF : 1;
    port->policy.set = fields | (whole ? POLICY_BIT(POLICY_MAC) : 0);
    port->policy.mac = (struct mac){{0x52, 0x54, 0, 0, 1, 1}};
    port->revision = desired->revision;
    ck_assert_msg(reconcile_desired(core, desired, &err) == 0, "%s", err.msg);
}

static struct observed_port told(void)
{
    struct observed_port ports[2];
    ck_assert_uint_eq(reconcile_ports(core, ports, 2), 1);
    return ports[0];
}

static void setup(bool of_whole)
{
    struct agent_state none = {0};
    struct reconcile_config config = {.host = "h1", .seed = 1};
    now = NOW;
    whole = of_whole;
    ck_assert(pf_key_parse("0000:3b:00.0", &key));
    driver = whole ? "igb" : "nvme";
    used_by = "";
    vf_used = management = false;
    there = true;
    num_vfs = whole ? 0 : VFS;
    core = reconcile_new(&config, &none);
    give_host();
}

static void teardown(void)
{
    reconcile_free(core);
    core = NULL;
}

/* Saves and resets as they come; returns the number of resets. 'number': the
 * errno of each reset. */
static int obey_all(int number)
{
    struct action action;
    int64_t wake = 0;
    int resets = 0;
    for (int i = 0; reconcile_next(core, now, &action, &wake); i++) {
        ck_assert_int_lt(i, 100);
        ck_assert_msg(action.kind == ACTION_SAVE || action.kind == ACTION_RESET,
                      "action %d", action.kind);
        struct action_result result = {0};
        if (action.kind == ACTION_RESET) {
            resets++;
            result.failed = number != 0;
            if (number)
                error_fill_sys(&result.err, number, "reset");
        }
        if (reconcile_done(core, now, &action, &result))
            give_host();
    }
    return resets;
}

START_TEST(a_device_is_applied_without_a_write_and_clean_after_its_reset)
{
    setup(false);
    give(1, false, 0);
    ck_assert_int_eq(obey_all(0), 0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    ck_assert_str_eq(told().condition.reason, "Present");
    ck_assert_uint_eq(told().readback.set, 0);
    ck_assert_int_eq(told().observed_at, NOW);
    give(2, true, 0);
    ck_assert_int_eq(obey_all(0), 1);
    ck_assert_int_eq(told().phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_device_without_a_reset_of_its_own_is_clean_as_well)
{
    setup(false);
    give(1, false, 0);
    obey_all(0);
    give(2, true, 0);
    ck_assert_int_eq(obey_all(EOPNOTSUPP), 1);
    ck_assert_int_eq(told().phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_device_in_use_is_not_cleaned_under_its_guest)
{
    setup(false);
    give(1, false, 0);
    obey_all(0);
    vf_used = true;
    driver = "vfio-pci";
    give_host();
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    give(2, true, 0);
    ck_assert_int_eq(obey_all(0), 0);
    ck_assert_int_eq(told().phase, PORT_CLEANING);
    ck_assert_str_eq(told().condition.reason, "VfInUse");
    vf_used = false;
    driver = "nvme";
    give_host();
    ck_assert_int_eq(obey_all(0), 1);
    ck_assert_int_eq(told().phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_device_that_lost_its_driver_is_not_clean_until_it_has_it_again)
{
    setup(false);
    give(1, false, 0);
    obey_all(0);
    driver = "";
    give_host();
    give(2, true, 0);
    for (int i = 0; i < 20; i++) {
        obey_all(0);
        now += TIMESTAMP_SECOND;
    }
    ck_assert_int_eq(told().phase, PORT_CLEANING);
    ck_assert_str_eq(told().condition.reason, "VfNotClean");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "'nvme'"));
    driver = "nvme";
    give_host();
    now += 61 * TIMESTAMP_SECOND;
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_device_that_something_else_uses_is_not_taken)
{
    setup(false);
    vf_used = true;
    give_host();
    give(1, false, 0);
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_PENDING);
    ck_assert_str_eq(told().condition.reason, "VfExternal");
    teardown();
}
END_TEST

START_TEST(a_PF_is_given_as_a_whole_and_taken_back)
{
    setup(true);
    give(1, false, 0);
    ck_assert_int_eq(obey_all(0), 0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    /* The guest has it. */
    driver = "vfio-pci";
    used_by = "driver vfio-pci";
    give_host();
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    give(2, true, 0);
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_CLEANING);
    ck_assert_str_eq(told().condition.reason, "PfInUse");
    ck_assert_ptr_null(strstr(told().condition.message, "VF 65535"));
    driver = "igb";
    used_by = "";
    give_host();
    ck_assert_int_eq(obey_all(0), 0);
    ck_assert_int_eq(told().phase, PORT_ABSENT);
    teardown();
}
END_TEST

START_TEST(a_PF_that_the_host_uses_is_not_given_away)
{
    setup(true);
    used_by = "bridge br0";
    give_host();
    give(1, false, 0);
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_PENDING);
    ck_assert_str_eq(told().condition.reason, "PfExternal");
    ck_assert_ptr_nonnull(strstr(told().condition.message, "bridge br0"));
    used_by = "";
    give_host();
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    teardown();
}
END_TEST

START_TEST(the_PF_with_the_hosts_own_traffic_is_not_given_away)
{
    setup(true);
    management = true;
    give_host();
    give(1, false, 0);
    obey_all(0);
    ck_assert_str_eq(told().condition.reason, "PfIsManagement");
    teardown();
}
END_TEST

START_TEST(a_PF_with_VFs_is_not_given_away)
{
    setup(true);
    num_vfs = 2;
    give_host();
    give(1, false, 0);
    obey_all(0);
    ck_assert_str_eq(told().condition.reason, "PfHasVfs");
    teardown();
}
END_TEST

START_TEST(a_policy_of_a_bare_claim_is_refused_by_name)
{
    setup(true);
    give(1, false, POLICY_BIT(POLICY_VLAN));
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_PENDING);
    ck_assert_int_eq(told().condition.status, CONDITION_FALSE);
    ck_assert_str_eq(told().condition.field, "vlan");
    teardown();
}
END_TEST

START_TEST(a_device_that_went_away_is_pending_and_applied_again_when_back)
{
    setup(false);
    give(1, false, 0);
    obey_all(0);
    there = false;
    give_host();
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_PENDING);
    there = true;
    give_host();
    obey_all(0);
    ck_assert_int_eq(told().phase, PORT_APPLIED);
    teardown();
}
END_TEST

CHECK_MAIN("bare",
           a_device_is_applied_without_a_write_and_clean_after_its_reset,
           a_device_without_a_reset_of_its_own_is_clean_as_well,
           a_device_in_use_is_not_cleaned_under_its_guest,
           a_device_that_lost_its_driver_is_not_clean_until_it_has_it_again,
           a_device_that_something_else_uses_is_not_taken,
           a_PF_is_given_as_a_whole_and_taken_back,
           a_PF_that_the_host_uses_is_not_given_away,
           the_PF_with_the_hosts_own_traffic_is_not_given_away,
           a_PF_with_VFs_is_not_given_away,
           a_policy_of_a_bare_claim_is_refused_by_name,
           a_device_that_went_away_is_pending_and_applied_again_when_back);
