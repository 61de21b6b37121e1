/* SPDX-License-Identifier: Apache-2.0 */
/* One host with one PF, for tests of PF settings in the core: the test is the
 * kernel and the scheduler. Documents, readings and answers go in; what is
 * written next and what is told comes out. Included by one test program each,
 * hence the inline functions. */
#pragma once

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

static inline struct pf *make_pf(void)
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

static inline void give_host(void)
{
    auto_inventory struct inventory *inventory = inventory_new(1, 0, 0);
    inventory->kernel = str_intern("6.1");
    inventory->pfs[0] = make_pf();
    reconcile_inventory(core, now, inventory);
}

static inline void start(uint8_t boot)
{
    struct reconcile_config config = {
        .host = "h1", .seed = 1, .skip_probing = true};
    config.boot_id.bytes[0] = boot;
    struct agent_state loaded;
    agent_state_copy(&loaded, &disk);
    core = reconcile_new(&config, &loaded);
    give_host();
}

static inline void crash(void)
{
    reconcile_free(core);
    core = NULL;
}

static inline void setup(void)
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

static inline void teardown(void)
{
    crash();
    agent_state_done(&disk);
}

static inline void answered(void)
{
    reconcile_answered(core, now, now);
}

/* The whole document: the PF with these settings under this revision, and
 * 'ports' ports on its first VFs. */
static inline void want_with(const struct pf_target *target, uint64_t of,
                             size_t ports)
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

static inline void want_vfs(uint16_t count, uint64_t of)
{
    struct pf_target target = {.has_num_vfs = true, .num_vfs = count};
    want_with(&target, of, 0);
}

static inline bool next(struct action *action)
{
    int64_t wake = 0;
    return reconcile_next(core, now, action, &wake);
}

static inline void done(const struct action *action, int number,
                        const char *field)
{
    struct action_result result = {.failed = number != 0};
    if (number) {
        error_fill_sys(&result.err, number, "set %s", field);
        str_copy(result.err.field, field);
    }
    reconcile_done(core, now, action, &result);
}

static inline void save(const struct action *action)
{
    ck_assert_int_eq(action->kind, ACTION_SAVE);
    agent_state_done(&disk);
    agent_state_copy(&disk, reconcile_state(core));
    done(action, 0, "");
}

/* Saves as many as come; what is next then. False: nothing. */
static inline bool next_write(struct action *action)
{
    while (next(action)) {
        if (action->kind != ACTION_SAVE)
            return true;
        save(action);
    }
    return false;
}

static inline void obey(const struct action *action)
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

static inline bool quiet(void)
{
    struct action action;
    return !next_write(&action);
}

static inline struct observed_pf told(void)
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
static inline void write_vfs(uint16_t count, uint64_t of)
{
    struct action action;
    want_vfs(count, of);
    answered();
    ck_assert(next_write(&action));
    obey(&action);
    CK_TOLD(PF_CONFIRMING, "Confirming");
}
