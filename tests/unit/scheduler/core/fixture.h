/* SPDX-License-Identifier: Apache-2.0 */
/* A small fleet for the core's tests: a core, a clock that the test moves, and
 * agents that do what their documents say and report it. */
#pragma once

#include "common/base/str.h"
#include "scheduler/core/core.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define FLEET_HOSTS 64

/* What one PF of a host is. */
struct pf_spec {
    const char *key;
    uint16_t vendor_id, device_id;
    int32_t speed_mbps; /* -1 = not told */
    uint16_t vfs;
    uint16_t total_vfs;   /* what the firmware allows; 0 = as many as 'vfs' */
    uint32_t unsupported; /* POLICY_BITs, as a probe proved it */
    uint32_t by_link; /* POLICY_BITs: conditional, on the link and its speed;
                             the rest is supported */
    bool link_down, management;
    uint32_t external; /* bits of VFs that somebody else uses */
    uint8_t kind;      /* enum device_kind */
    const char
        *used_by; /* what of the host uses the PF itself; NULL = nothing */
    uint8_t mac;  /* its own MAC is 52:54:00:01:02:XX; 0 = none is told */
};
#define IGB                                                                    \
    .vendor_id = 0x8086, .device_id = 0x10c9, .speed_mbps = 1000,              \
    .unsupported =                                                             \
        POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) | POLICY_BIT(POLICY_LINK_STATE)
#define NVME                                                                   \
    .vendor_id = 0x1b36, .device_id = 0x0010, .speed_mbps = -1,                \
    .kind = DEVICE_STORAGE, .unsupported = POLICY_ALL
#define CX6 .vendor_id = 0x15b3, .device_id = 0x101d, .speed_mbps = 25000

struct agent {
    char name[NAME_SIZE];
    struct uuid machine, boot;
    uint64_t incarnation, sequence;
    struct revision accepted;
    struct uuid cluster;
    uint32_t vcpus;
    uint64_t memory_mib;
    size_t pf_count;
    struct pf_spec pfs[8];
    size_t network_count;
    struct network networks[4];
    uint8_t power_state; /* of each VM that is not managed */
    size_t check_count;
    struct readiness_check checks[2];
    bool netdevs;     /* its VFs are driven by the host */
    uint8_t pf_phase; /* what it does with PF settings: APPLIED carries them
                         out, else it only says this */
};

struct fleet {
    struct core *core;
    struct rng rng;
    int64_t now;
    struct core_call call;
    struct error err;
    size_t agent_count;
    struct agent agents[FLEET_HOSTS];
};

static inline void fleet_call(struct fleet *fleet)
{
    fleet->call = (struct core_call){
        .now_ns = fleet->now,
        .rng = &fleet->rng,
        .actor = "test",
        .request_id = "",
    };
    memset(&fleet->err, 0, sizeof fleet->err);
}

static inline void fleet_init_seed(struct fleet *fleet, uint64_t seed)
{
    static const struct core_config config = {
        .unreachable_after_ns = 60 * SECOND,
        .grace_ns = 60 * SECOND,
    };
    memset(fleet, 0, sizeof *fleet);
    fleet->rng.state = seed;
    fleet->now = INT64_C(1800000000) * SECOND;
    fleet->core = core_new(&config);
    fleet_call(fleet);
    struct tx tx = {0};
    ck_assert_int_eq(core_start(fleet->core, &fleet->call, &tx, &fleet->err),
                     0);
    tx_done(&tx);
}

static inline void fleet_init(struct fleet *fleet)
{
    fleet_init_seed(fleet, 1);
}

static inline void fleet_check(struct fleet *fleet)
{
    struct error err = {0};
    if (core_check(fleet->core, &err))
        ck_abort_msg("%s", err.msg);
}

static inline void fleet_done(struct fleet *fleet)
{
    fleet_check(fleet);
    core_free(fleet->core);
}

static inline void hash_of(const char *text, uint8_t hash[32])
{
    memset(hash, 0, 32);
    uint64_t value = str_hash(text, strlen(text));
    memcpy(hash, &value, sizeof value);
}

static inline struct agent *fleet_agent(struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->agent_count; i++)
        if (strcmp(fleet->agents[i].name, name) == 0)
            return &fleet->agents[i];
    return NULL;
}

/* Enrol a host; its agent has 64 CPUs, 256 GiB, and a bridge br0 that reports
 * 'physnet0'. */
static inline struct agent *fleet_enroll(struct fleet *fleet, const char *name)
{
    uint8_t hash[32];
    bool renewed = true;
    struct tx tx = {0};
    hash_of(name, hash);
    fleet_call(fleet);
    ck_assert_int_eq(core_host_enroll(fleet->core, &fleet->call, name, hash,
                                      &tx, &renewed, &fleet->err),
                     0);
    ck_assert(!renewed);
    tx_done(&tx);
    struct agent *agent = &fleet->agents[fleet->agent_count++];
    memset(agent, 0, sizeof *agent);
    str_copy(agent->name, name);
    agent->machine = uuid_make(fleet->now, &fleet->rng);
    agent->boot = uuid_make(fleet->now, &fleet->rng);
    agent->incarnation = 1;
    agent->vcpus = 64;
    agent->memory_mib = 256 * 1024;
    agent->network_count = 1;
    str_copy(agent->networks[0].device, "br0");
    str_copy(agent->networks[0].physical_network, "physnet0");
    agent->networks[0].vlans = true;
    agent->power_state = POWER_SHUT_OFF;
    agent->pf_phase = PF_APPLIED;
    return agent;
}

static inline void agent_add_pf(struct agent *agent, struct pf_spec spec)
{
    agent->pfs[agent->pf_count++] = spec;
}

static inline struct pf_key key_of(const char *text)
{
    struct pf_key key;
    ck_assert(pf_key_parse(text, &key));
    return key;
}

static inline struct pf *make_pf(const struct pf_spec *spec)
{
    struct pf *pf = pf_new(spec->vfs);
    pf->key = key_of(spec->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    pf->vendor_id = spec->vendor_id;
    pf->device_id = spec->device_id;
    pf->driver = str_intern(spec->vendor_id == 0x8086 ? "igb" : "mlx5_core");
    pf->link_up = !spec->link_down;
    pf->link_speed_mbps = spec->speed_mbps;
    pf->num_vfs = spec->vfs;
    pf->total_vfs = spec->total_vfs ? spec->total_vfs : spec->vfs;
    pf->kind = spec->kind;
    str_copy(pf->used_by, spec->used_by ? spec->used_by : "");
    if (spec->mac)
        pf->mac = (struct mac){{0x52, 0x54, 0, 1, 2, spec->mac}};
    pf->management = spec->management;
    if (spec->management)
        str_copy(pf->management_reason, "default route");
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        struct capability *capability = &pf->capabilities.field[i];
        bool lacks = spec->unsupported & POLICY_BIT(i);
        bool depends = !lacks && spec->by_link & POLICY_BIT(i);
        capability->support = lacks     ? CAPABILITY_UNSUPPORTED
                              : depends ? CAPABILITY_CONDITIONAL
                                        : CAPABILITY_SUPPORTED;
        capability->source = CAPABILITY_SOURCE_PROBED;
        capability->note = str_intern(lacks ? "EINVAL when set" : "");
        if (depends)
            capability->needs = CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP) |
                                CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED);
    }
    for (uint16_t i = 0; i < spec->vfs; i++) {
        pf->vfs[i].state =
            i < 32 && (spec->external & (1u << i)) ? VF_EXTERNAL : VF_FREE;
        pf->vfs[i].has_address = pf->has_address;
        pf->vfs[i].address = pf->address;
        pf->vfs[i].address.function = (uint8_t)(i % 8);
        pf->vfs[i].address.device = (uint8_t)(16 + i / 8 % 16);
    }
    return pf;
}

static inline int by_key(const void *a, const void *b)
{
    return strcmp(((const struct pf_spec *)a)->key,
                  ((const struct pf_spec *)b)->key);
}

/* What the agent's host is, with the VFs of these ports not free. */
static inline struct inventory *
agent_inventory(struct agent *agent, const struct observed_port *ports,
                size_t port_count)
{
    qsort(agent->pfs, agent->pf_count, sizeof agent->pfs[0], by_key);
    struct inventory *inventory =
        inventory_new(agent->pf_count, agent->network_count, 0);
    inventory->machine_id = agent->machine;
    inventory->vcpus = agent->vcpus;
    inventory->memory_mib = agent->memory_mib;
    for (size_t i = 0; i < agent->network_count; i++)
        inventory->networks[i] = agent->networks[i];
    inventory_set_checks(inventory, agent->checks, agent->check_count);
    for (size_t i = 0; i < agent->pf_count; i++) {
        struct pf *pf = make_pf(&agent->pfs[i]);
        for (size_t j = 0; agent->netdevs && j < pf->vf_count; j++)
            snprintf(pf->vfs[j].netdev, NETDEV_NAME_SIZE, "vf%zu", j);
        for (size_t j = 0; j < port_count; j++)
            if (ports[j].has_claim && ports[j].phase != PORT_ABSENT &&
                pf_key_compare(&ports[j].claim.pf, &pf->key) == 0 &&
                ports[j].claim.vf_index < pf->vf_count) {
                pf->vfs[ports[j].claim.vf_index].state = VF_CLAIMED;
                pf->vfs[ports[j].claim.vf_index].port = ports[j].id;
            }
        inventory->pfs[i] = pf;
    }
    return inventory;
}

static inline struct pf_spec *agent_pf(struct agent *agent,
                                       const struct pf_key *key)
{
    for (size_t i = 0; i < agent->pf_count; i++)
        if (strcmp(agent->pfs[i].key, key->text) == 0)
            return &agent->pfs[i];
    return NULL;
}

/* Carry out what the document wants of PFs, as far as the agent does so. */
static inline void agent_settle_pfs(struct agent *agent,
                                    const struct desired *desired,
                                    struct observed *observed)
{
    for (size_t i = 0; i < desired->pf_count; i++) {
        const struct desired_pf *want = &desired->pfs[i];
        struct pf_spec *spec = agent_pf(agent, &want->key);
        struct observed_pf *pf = &observed->pfs[i];
        pf->key = want->key;
        pf->phase = agent->pf_phase;
        pf->revision = want->revision;
        if (spec && want->has_num_vfs && agent->pf_phase == PF_APPLIED) {
            spec->total_vfs = spec->total_vfs ? spec->total_vfs : spec->vfs;
            spec->vfs = want->num_vfs;
        }
    }
}

/* Domains as the document wants them; those of others are as they are. */
static inline void agent_settle_vms(const struct agent *agent,
                                    const struct desired *desired,
                                    struct observed *observed)
{
    for (size_t i = 0; i < desired->vm_count; i++) {
        const struct desired_vm *want = &desired->vms[i];
        bool managed = want->lifecycle == LIFECYCLE_MANAGED;
        observed->vms[i] = (struct observed_vm){
            .id = want->id,
            .domain = want->id,
            .phase = want->absent ? VM_PHASE_ABSENT : VM_PHASE_APPLIED,
            .power_state = want->absent     ? POWER_ABSENT
                           : !managed       ? agent->power_state
                           : want->power_on ? POWER_RUNNING
                                            : POWER_SHUT_OFF,
            .revision = want->revision,
        };
    }
}

/* A full report of what the agent's document wants, all of it done. */
static inline struct observed *agent_observed(struct fleet *fleet,
                                              struct agent *agent)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    struct desired *desired =
        snapshot_desired(snapshot, agent->name, (struct revision){0});
    ck_assert_ptr_nonnull(desired);
    snapshot_put(snapshot);
    struct observed *observed = observed_new(
        desired->port_count, 0, desired->pf_count, desired->vm_count);
    agent_settle_pfs(agent, desired, observed);
    agent_settle_vms(agent, desired, observed);
    observed->cluster_id = desired->cluster_id;
    observed->accepted = desired->revision;
    for (size_t i = 0; i < desired->port_count; i++) {
        const struct desired_port *want = &desired->ports[i];
        struct observed_port *port = &observed->ports[i];
        port->id = want->id;
        port->vm = want->vm;
        port->phase = want->absent ? PORT_ABSENT : PORT_APPLIED;
        port->revision = want->revision;
        port->has_claim = want->has_claim && want->path == PATH_VF;
        port->claim = want->claim;
        port->condition.at = fleet->now;
    }
    ref_put(desired);
    str_copy(observed->host, agent->name);
    str_copy(observed->agent_version, "0.1.0");
    observed->machine_id = agent->machine;
    observed->boot_id = agent->boot;
    observed->incarnation = agent->incarnation;
    observed->sequence = ++agent->sequence;
    observed->full = true;
    observed->inventory =
        agent_inventory(agent, observed->ports, observed->port_count);
    return observed;
}

static inline int fleet_observe(struct fleet *fleet, const char *host,
                                const struct observed *observed)
{
    struct tx tx = {0};
    fleet_call(fleet);
    int result = core_observe(fleet->core, &fleet->call, host, observed, &tx,
                              &fleet->err);
    tx_done(&tx);
    return result;
}

/* The agent does what its document says and reports it. */
static inline void fleet_report(struct fleet *fleet, const char *host)
{
    struct agent *agent = fleet_agent(fleet, host);
    auto_observed struct observed *observed = agent_observed(fleet, agent);
    if (fleet_observe(fleet, host, observed))
        ck_abort_msg("report of %s: %s", host, fleet->err.msg);
}

static inline int fleet_patch_pf(struct fleet *fleet, const char *host,
                                 const char *key, struct pf_patch patch)
{
    struct tx tx = {0};
    struct pf_key pf = key_of(key);
    fleet_call(fleet);
    int result = core_pf_patch(fleet->core, &fleet->call, host, &pf, &patch,
                               &tx, &fleet->err);
    tx_done(&tx);
    return result;
}

static inline void fleet_allow(struct fleet *fleet, const char *host,
                               const char *key, const char *network)
{
    struct pf_patch patch = {
        .has_allowed = true,
        .allowed = true,
        .has_physical_network = true,
    };
    str_copy(patch.physical_network, network);
    ck_assert_int_eq(fleet_patch_pf(fleet, host, key, patch), 0);
}

/* A ready host with these PFs, allowed on 'physnet0'. */
static inline struct agent *fleet_host(struct fleet *fleet, const char *name,
                                       size_t count,
                                       const struct pf_spec *specs)
{
    struct agent *agent = fleet_enroll(fleet, name);
    for (size_t i = 0; i < count; i++)
        agent_add_pf(agent, specs[i]);
    fleet_report(fleet, name);
    for (size_t i = 0; i < count; i++)
        if (!specs[i].management)
            fleet_allow(fleet, name, specs[i].key, "physnet0");
    return agent;
}

static inline int fleet_patch(struct fleet *fleet, const char *host,
                              struct host_patch patch)
{
    struct tx tx = {0};
    fleet_call(fleet);
    int result = core_host_patch(fleet->core, &fleet->call, host, &patch, &tx,
                                 &fleet->err);
    tx_done(&tx);
    return result;
}

/* A VM of 2 CPUs and 4 GiB with 'ports' direct ports on physnet0. */
static inline struct vm_request vm_request(const char *name, size_t ports)
{
    struct vm_request request = {
        .vcpus = 2,
        .memory_mib = 4096,
        .lifecycle = LIFECYCLE_EXTERNAL,
        .strategy = STRATEGY_SPREAD,
        .port_count = ports,
    };
    str_copy(request.name, name);
    for (size_t i = 0; i < ports; i++) {
        request.ports[i].vnic_type = VNIC_DIRECT;
        request.ports[i].fallback = FALLBACK_REFUSE;
        str_copy(request.ports[i].physical_network, "physnet0");
    }
    return request;
}

/* The new VM (a reference) or NULL with fleet->err. */
static inline struct vm *fleet_create(struct fleet *fleet,
                                      const struct vm_request *request,
                                      struct placement_reasons *reasons)
{
    struct tx tx = {0};
    struct vm *vm = NULL;
    bool repeated = false;
    fleet_call(fleet);
    core_vm_create(fleet->core, &fleet->call, request, &tx, &vm, &repeated,
                   reasons, &fleet->err);
    tx_done(&tx);
    return vm;
}

/* The same for a VM that must be placed. */
static inline struct vm *fleet_place(struct fleet *fleet,
                                     const struct vm_request *request)
{
    struct vm *vm = fleet_create(fleet, request, NULL);
    if (!vm)
        ck_abort_msg("%s: %s %s", request->name, fleet->err.msg,
                     fleet->err.field);
    return vm;
}

static inline int fleet_delete(struct fleet *fleet, const struct uuid *id)
{
    struct tx tx = {0};
    fleet_call(fleet);
    int result =
        core_vm_delete(fleet->core, &fleet->call, id, 0, &tx, &fleet->err);
    tx_done(&tx);
    return result;
}

static inline void fleet_tick(struct fleet *fleet)
{
    struct tx tx = {0};
    fleet_call(fleet);
    ck_assert_int_eq(core_tick(fleet->core, &fleet->call, &tx, &fleet->err), 0);
    tx_done(&tx);
}

/* The newest event of a type, or NULL; borrowed until the next change. */
static inline const struct event *fleet_event(struct fleet *fleet,
                                              const char *type)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    const struct event *found = NULL, *at = NULL;
    uint64_t sequence = 0;
    while ((at = snapshot_event_after(snapshot, sequence))) {
        sequence = at->sequence;
        if (strcmp(at->type, type) == 0)
            found = at;
    }
    snapshot_put(snapshot);
    return found;
}

static inline size_t fleet_count_events(struct fleet *fleet, const char *type)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    const struct event *at = NULL;
    uint64_t sequence = 0;
    size_t count = 0;
    while ((at = snapshot_event_after(snapshot, sequence))) {
        sequence = at->sequence;
        count += strcmp(at->type, type) == 0;
    }
    snapshot_put(snapshot);
    return count;
}

/* The view of a host; borrowed until the next change of it. */
static inline const struct host_view *fleet_view(struct fleet *fleet,
                                                 const char *host)
{
    struct snapshot *snapshot = core_publish(fleet->core);
    const struct host_view *view = snapshot_host(snapshot, host);
    snapshot_put(snapshot);
    return view;
}

/* The reason with this word (and field, unless NULL), or NULL. */
static inline const struct placement_reason *
find_reason(const struct placement_reasons *reasons, const char *word,
            const char *field)
{
    for (size_t i = 0; i < reasons->count; i++)
        if (strcmp(reasons->items[i].reason, word) == 0 &&
            (!field || strcmp(reasons->items[i].field, field) == 0))
            return &reasons->items[i];
    return NULL;
}
