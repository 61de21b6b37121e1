/* SPDX-License-Identifier: Apache-2.0 */
/* See world.h. Included by the test programs of this folder. */
#include "tests/unit/agent/world.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int disk_load(void *context, struct agent_state *out, struct error *err)
{
    (void)err;
    const struct disk *disk = context;
    if (disk->written)
        agent_state_copy(out, &disk->state);
    return 0;
}

static int disk_save(void *context, const struct agent_state *state,
                     struct error *err)
{
    struct disk *disk = context;
    if (disk->full)
        return error_set_sys(err, ENOSPC, "write the state");
    disk_done(disk);
    agent_state_copy(&disk->state, state);
    disk->written = true;
    disk->saves++;
    return 0;
}

const struct agent_state_ops disk_ops = {.load = disk_load, .save = disk_save};

void disk_done(struct disk *disk)
{
    agent_state_done(&disk->state);
}

static int fault(void *context, enum sim_step step, const struct pf_key *pf,
                 uint16_t vf, uint32_t fields)
{
    struct world *world = context;
    (void)pf;
    (void)vf;
    if (world->fault_times == 0 || step != world->fault_step)
        return 0;
    if (world->fault_fields && !(world->fault_fields & fields))
        return 0;
    if (world->fault_times != UINT_MAX)
        world->fault_times--;
    return world->fault_errno;
}

static int64_t clock_now(void *context)
{
    return ((struct world *)context)->now;
}

void world_open(struct world *world, const char *const *models)
{
    struct error err = {0};
    memset(world, 0, sizeof *world);
    world->now = INT64_C(1790000000) * TIMESTAMP_SECOND;
    world->cluster = test_uuid(200);
    world->revision = (struct revision){1, 0};
    struct sim_host_config config = {.seed = 7, .networks = 1};
    for (; models[config.pf_count]; config.pf_count++)
        config.pfs[config.pf_count] = models[config.pf_count];
    world->host = sim_host_new(&config, &err);
    ck_assert_msg(world->host != NULL, "%s", err.msg);
}

void world_start_agent(struct world *world)
{
    struct error err = {0};
    struct host_sim_config sim = {
        .host = world->host,
        .hooks = {.context = world, .fault = fault, .now = clock_now}};
    world->backend = host_sim_open(&sim, &err);
    ck_assert_msg(world->backend != NULL, "%s", err.msg);
    struct agent_config config = {
        .name = "h1",
        .machine_id = sim_host_machine_id(world->host),
        .boot_id = sim_host_boot_id(world->host),
        .version = "test",
        .host = world->backend,
        .state_ops = &disk_ops,
        .state_context = &world->disk,
        .actions_per_step = world->actions_per_step,
        .seed = world->seed ? world->seed : 3,
        .skip_probing = world->skip_probing,
    };
    world->agent = agent_new(&config, &err);
    ck_assert_msg(world->agent != NULL, "%s", err.msg);
}

void world_crash_agent(struct world *world)
{
    agent_free(world->agent);
    world->agent = NULL;
    if (world->backend)
        world->backend->ops->close(world->backend);
    world->backend = NULL;
}

void world_close(struct world *world)
{
    world_crash_agent(world);
    sim_host_free(world->host);
    disk_done(&world->disk);
    ref_put(world->last);
}

struct uuid test_uuid(uint8_t number)
{
    struct uuid id = {{0}};
    id.bytes[6] = 0x70;
    id.bytes[15] = number;
    return id;
}

struct desired_port *world_port(struct world *world, uint8_t number)
{
    struct uuid id = test_uuid(number);
    for (size_t i = 0; i < world->port_count; i++) {
        if (uuid_equal(&world->ports[i].id, &id))
            return &world->ports[i];
    }
    return NULL;
}

struct desired_port *world_want(struct world *world, uint8_t number, size_t pf,
                                uint16_t vf)
{
    struct desired_port *port = &world->ports[world->port_count++];
    ck_assert_uint_le(world->port_count, WORLD_PORTS);
    *port = (struct desired_port){.id = test_uuid(number),
                                  .vm = test_uuid((uint8_t)(number + 100)),
                                  .path = PATH_VF,
                                  .has_claim = true};
    port->claim.pf = *sim_host_pf_key(world->host, pf);
    port->claim.vf_index = vf;
    port->claim.numa_node = -1;
    port->policy.set = POLICY_BIT(POLICY_MAC);
    port->policy.mac = (struct mac){{0x52, 0x54, 0, 0, 0, number}};
    port->revision = (struct revision){1, world->revision.revision + 1};
    return port;
}

void world_unwant(struct world *world, uint8_t number)
{
    struct desired_port *port = world_port(world, number);
    port->absent = true;
    port->revision.revision = world->revision.revision + 1;
}

void world_drop(struct world *world, uint8_t number)
{
    struct desired_port *port = world_port(world, number);
    *port = world->ports[--world->port_count];
}

struct desired_pf *world_want_vfs(struct world *world, size_t pf,
                                  uint16_t count)
{
    const struct pf_key *key = sim_host_pf_key(world->host, pf);
    size_t i = 0;
    while (i < world->pf_count && pf_key_compare(&world->pfs[i].key, key) != 0)
        i++;
    ck_assert_uint_lt(i, 2);
    if (i == world->pf_count)
        world->pf_count++;
    world->pfs[i] = (struct desired_pf){
        .key = *key,
        .allowed = true,
        .has_num_vfs = true,
        .num_vfs = count,
        .revision = {1, world->revision.revision + 1},
    };
    return &world->pfs[i];
}

struct desired *world_document(const struct world *world, bool full)
{
    struct desired *desired =
        desired_new(world->port_count, sim_host_pf_count(world->host), 0);
    desired->cluster_id = world->cluster;
    str_copy(desired->host, "h1");
    desired->revision = world->revision;
    desired->full = full;
    for (size_t i = 0; i < desired->pf_count; i++)
        desired->pfs[i] =
            (struct desired_pf){.key = *sim_host_pf_key(world->host, i),
                                .allowed = !world->forbidden,
                                .revision = {1, 1}};
    for (size_t i = 0; i < world->port_count; i++)
        desired->ports[i] = world->ports[i];
    for (size_t i = 0; i < desired->pf_count; i++)
        for (size_t k = 0; k < world->pf_count; k++)
            if (pf_key_compare(&desired->pfs[i].key, &world->pfs[k].key) == 0)
                desired->pfs[i] = world->pfs[k];
    return desired;
}

int world_send(struct world *world, struct error *err)
{
    world->revision.revision++;
    auto_desired struct desired *desired = world_document(world, true);
    return agent_desired(world->agent, desired, err);
}

void world_settle(struct world *world, int64_t limit_ns)
{
    int64_t end = world->now + limit_ns;
    for (unsigned rounds = 0; world->now <= end; rounds++) {
        ck_assert_msg(rounds < 100000, "the agent spins");
        if (host_sim_has_changes(world->backend))
            agent_host_events(world->agent);
        int64_t wake = agent_step(world->agent, world->now);
        struct observed *report = agent_report(world->agent, world->now);
        if (report) {
            world->reports++;
            ref_put(world->last);
            world->last = report;
            agent_report_done(
                world->agent, report->sequence,
                world->mute ? AGENT_REPORT_LOST : AGENT_REPORT_ACCEPTED, 0);
        }
        bool idle = agent_is_idle(world->agent) &&
                    !host_sim_has_changes(world->backend);
        bool told = agent_report_due(world->agent, world->now) >
                    world->now + TIMESTAMP_SECOND;
        if (idle && told)
            return;
        if (wake > world->now)
            world->now = wake < end + 1 ? wake : end + 1;
    }
}

void world_apply(struct world *world)
{
    struct error err = {0};
    ck_assert_msg(world_send(world, &err) == 0, "%s", err.msg);
    world_settle(world, 30 * TIMESTAMP_SECOND);
}

const struct observed_port *world_told(const struct world *world,
                                       uint8_t number)
{
    struct uuid id = test_uuid(number);
    for (size_t i = 0; world->last && i < world->last->port_count; i++) {
        if (uuid_equal(&world->last->ports[i].id, &id))
            return &world->last->ports[i];
    }
    return NULL;
}

const struct observed_pf *world_told_pf(const struct world *world, size_t pf)
{
    const struct pf_key *key = sim_host_pf_key(world->host, pf);
    for (size_t i = 0; world->last && i < world->last->pf_count; i++) {
        if (pf_key_compare(&world->last->pfs[i].key, key) == 0)
            return &world->last->pfs[i];
    }
    return NULL;
}

struct policy world_kernel(const struct world *world, size_t pf, uint16_t vf)
{
    struct policy policy = {0};
    ck_assert(sim_host_vf_policy(world->host, pf, vf, &policy));
    return policy;
}

const struct vf *world_vf(const struct world *world,
                          const struct inventory *inventory, size_t pf,
                          uint16_t vf)
{
    const struct pf *found =
        inventory_pf(inventory, sim_host_pf_key(world->host, pf));
    ck_assert_ptr_nonnull(found);
    const struct vf *each = pf_vf(found, vf);
    ck_assert_ptr_nonnull(each);
    return each;
}

static int run_suite(Suite *made)
{
    SRunner *runner = srunner_create(made);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
