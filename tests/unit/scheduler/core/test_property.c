/* SPDX-License-Identifier: Apache-2.0 */
/* Random fleets, requests, reports, settings, failed commits and restarts,
 * each from a seed: after every step the invariants hold, placement says what
 * brute force says, undo gives the state back, and a restart loses nothing.
 * SRIOV_SEEDS=N runs N seeds instead of 60. */
#include "oracle.h"

#include <inttypes.h>

#define STEPS 420
#define VMS_MAX 512

struct world {
    struct fleet fleet;
    struct rng rng; /* what happens; the fleet's makes ids */
    uint64_t vm_number;
    size_t placed, refused, degraded, undone, restarts, rated;
    size_t devices, wholes, over, changing; /* placed; seen */
    size_t accelerated, decelerated;        /* ports that got, and gave, a VF */
};

static uint64_t below(struct world *world, uint64_t bound)
{
    return rng_below(&world->rng, bound);
}

static bool one_in(struct world *world, uint64_t n)
{
    return below(world, n) == 0;
}

static const char *any_network(struct world *world)
{
    static const char *const names[] = {
        "physnet0",
        "physnet0",
        "physnet1",
        "",
    };
    return names[below(world, 4)];
}

static const char *host_name(struct world *world)
{
    return world->fleet.agents[below(world, world->fleet.agent_count)].name;
}

/* ---- the fleet --------------------------------------------------------------- */

static const char *const pf_keys[] = {"0000:3b:00.0", "0000:3b:00.1",
                                      "0000:5e:00.0", "netdevsim7"};

static struct pf_spec random_pf(struct world *world, const char *key)
{
    struct pf_spec igb = {IGB}, cx6 = {CX6}, nvme = {NVME};
    struct pf_spec spec = one_in(world, 2) ? igb : cx6;
    if (one_in(world, 3))
        spec = nvme;
    static const int32_t speeds[] = {1000, 1000, 600, 25000, -1};
    spec.key = key;
    spec.speed_mbps = speeds[below(world, 5)];
    spec.vfs = (uint16_t)(one_in(world, 4) ? 0 : 1 + below(world, 4));
    spec.total_vfs = one_in(world, 4) ? spec.vfs : 8;
    spec.used_by = one_in(world, 8) ? "bridge br0" : NULL;
    spec.mac = one_in(world, 2) ? (uint8_t)(1 + below(world, 8)) : 0;
    if (one_in(world, 3))
        spec.by_link =
            POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) | POLICY_BIT(POLICY_TRUST);
    spec.link_down = one_in(world, 5);
    spec.management = one_in(world, 10);
    spec.external = one_in(world, 4) ? (uint32_t)below(world, 8) : 0;
    return spec;
}

/* The link alone: mostly slower than before. */
static void random_link(struct world *world, struct pf_spec *spec)
{
    static const int32_t speeds[] = {100, 300, 600, 1000, 25000, -1};
    if (spec->kind == DEVICE_NETWORK)
        spec->speed_mbps = speeds[below(world, 6)];
    spec->link_down = one_in(world, 8);
}

static void random_networks(struct world *world, struct agent *agent)
{
    agent->network_count = below(world, 4);
    for (size_t i = 0; i < agent->network_count; i++) {
        memset(&agent->networks[i], 0, sizeof agent->networks[i]);
        snprintf(agent->networks[i].device, NETDEV_NAME_SIZE, "br%zu", i);
        str_copy(agent->networks[i].physical_network, any_network(world));
        agent->networks[i].vlans = !one_in(world, 4);
        agent->networks[i].kind = one_in(world, 3)   ? SWITCH_MACVTAP
                                  : one_in(world, 2) ? SWITCH_OPENVSWITCH
                                                     : SWITCH_LINUX_BRIDGE;
    }
}

static void add_host(struct world *world)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "h%zu", world->fleet.agent_count);
    struct agent *agent = fleet_enroll(&world->fleet, name);
    agent->vcpus = (uint32_t)(2 + below(world, 30));
    agent->memory_mib = 1024 * (4 + below(world, 60));
    random_networks(world, agent);
    size_t count = below(world, 5);
    for (size_t i = 0; i < count; i++)
        agent_add_pf(agent, random_pf(world, pf_keys[i]));
    if (one_in(world, 8))
        return; /* never reports */
    fleet_report(&world->fleet, name);
    for (size_t i = 0; i < agent->pf_count; i++)
        if (!agent->pfs[i].management && !one_in(world, 5))
            fleet_allow(&world->fleet, name, agent->pfs[i].key,
                        any_network(world));
}

/* ---- what may not be lost or changed ------------------------------------------- */

static void tell_vms(const struct snapshot *snapshot, struct str *text)
{
    const struct vm *vm = NULL;
    const struct uuid *marker = NULL;
    while ((vm = snapshot_vm_after(snapshot, marker))) {
        char id[UUID_TEXT_SIZE], mac[MAC_TEXT_SIZE];
        marker = &vm->id;
        str_printf(text, "vm %s %s %d %" PRIu64 " %s %s\n",
                   uuid_format(&vm->id, id), vm->name, vm->state,
                   vm->generation, vm->host, vm->idempotency_key);
        for (size_t i = 0; i < vm->port_count; i++) {
            const struct port *port = &vm->ports[i];
            str_printf(text,
                       " %s %s %s %d %d %d %s %u %" PRIu64 ".%" PRIu64 " %s\n",
                       uuid_format(&port->id, id), mac_format(&port->mac, mac),
                       port->physical_network, port->device_kind, port->path,
                       port->has_claim, port->claim.pf.text,
                       port->claim.vf_index, port->revision.epoch,
                       port->revision.revision, port->degraded_reason);
        }
        const struct vm *named = snapshot_vm_by_name(snapshot, vm->name);
        str_printf(text, " named %s\n", uuid_format(&named->id, id));
    }
}

static void tell_volatile(const struct host_view *view, struct str *text)
{
    str_printf(text, " %d %s %" PRIu64 ".%" PRIu64 " %d %u\n", view->state,
               view->state_reason, view->revision.epoch,
               view->revision.revision,
               view->presence ? view->presence->presence : 0, view->used_vcpus);
    if (view->report)
        str_printf(text, " report %" PRIu64 ".%" PRIu64 " %zu\n",
                   view->report->incarnation, view->report->sequence,
                   view->report->port_count);
    for (size_t i = 0; view->report && i < view->report->pf_count; i++)
        str_printf(text, " pf %s %d\n", view->report->pfs[i].key.text,
                   view->report->pfs[i].phase);
    for (size_t i = 0; view->report && i < view->report->over_count; i++)
        str_printf(text, " over %s %" PRIu64 " %" PRIu64 "\n",
                   view->report->over[i].pf.text,
                   view->report->over[i].promised_mbps,
                   view->report->over[i].promisable_mbps);
    for (size_t i = 0; i < view->claim_count; i++)
        str_printf(text, " claim %s %u\n", view->claims[i].pf.text,
                   view->claims[i].vf_index);
}

static void tell_settings(const struct host *host, struct str *text)
{
    for (size_t i = 0; i < host->pf_setting_count; i++) {
        const struct pf_setting *setting = &host->pf_settings[i];
        str_printf(text, " set %s %d %s %u %d %u %u %" PRIu64 ".%" PRIu64 "\n",
                   setting->key.text, setting->allowed,
                   setting->physical_network, setting->link_speed_mbps,
                   setting->has_num_vfs, setting->num_vfs,
                   setting->tx_ratio_percent, setting->revision.epoch,
                   setting->revision.revision);
    }
}

/* All that a reader can see, as text; without 'all' only what is durable. */
static char *tell(struct core *core, bool all)
{
    struct str text = {0};
    struct snapshot *snapshot = core_publish(core);
    const char *marker = NULL;
    const struct host_view *view = NULL;
    while ((view = snapshot_host_after(snapshot, marker))) {
        const struct host *host = view->host;
        char id[UUID_TEXT_SIZE];
        marker = host->name;
        str_printf(&text, "host %s %s %" PRIu64 " %d %zu %zu\n", host->name,
                   uuid_format(&host->machine_id, id), host->generation,
                   host->cordoned, host->pf_setting_count, host->mapping_count);
        const struct host_view *found = snapshot_host(snapshot, id);
        str_printf(&text, " by id %s\n", found ? found->host->name : "-");
        tell_settings(host, &text);
        if (all)
            tell_volatile(view, &text);
        str_printf(&text, " vms %zu\n", view->vm_count);
    }
    tell_vms(snapshot, &text);
    const struct event *event = NULL;
    uint64_t sequence = 0;
    while ((event = snapshot_event_after(snapshot, sequence))) {
        sequence = event->sequence;
        str_printf(&text, "event %" PRIu64 " %s %s\n", sequence, event->type,
                   event->message);
    }
    if (all)
        str_printf(&text, "epoch %" PRIu64 ", event %" PRIu64 "\n",
                   snapshot_cluster(snapshot)->epoch,
                   snapshot_last_event(snapshot));
    snapshot_put(snapshot);
    return str_take(&text);
}

/* ---- steps ------------------------------------------------------------------------ */

static void random_policy(struct world *world, struct policy *policy)
{
    if (one_in(world, 3)) {
        policy->set |= POLICY_BIT(POLICY_VLAN);
        policy->vlan = (uint16_t)(1 + below(world, 4094));
    }
    if (one_in(world, 3)) {
        policy->set |= POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
        policy->min_tx_rate_mbps = (uint32_t)(100 * (1 + below(world, 7)));
        world->rated++;
    }
    if (one_in(world, 8)) {
        policy->set |= POLICY_BIT(POLICY_LINK_STATE);
        policy->link_state = LINK_STATE_ENABLE;
    }
    if (one_in(world, 8)) {
        policy->set |= POLICY_BIT(POLICY_TRUST);
        policy->trust = one_in(world, 2);
    }
}

static void make_device(struct world *world, struct port_request *port)
{
    *port =
        (struct port_request){.device = true, .device_kind = DEVICE_STORAGE};
    if (one_in(world, 8))
        port->device_kind = DEVICE_DISPLAY;
    if (one_in(world, 3))
        port->require_vendor_id = one_in(world, 2) ? 0x1b36 : 0x15b3;
}

static void make_whole(struct world *world, struct port_request *port)
{
    port->vnic_type = VNIC_DIRECT_PHYSICAL;
    port->fallback = FALLBACK_REFUSE;
    str_copy(port->physical_network, any_network(world));
    if (one_in(world, 4))
        port->require_vendor_id = 0x15b3;
}

static void make_rated(struct world *world, struct port_request *port)
{
    port->policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
    port->policy.min_tx_rate_mbps = (uint32_t)(100 * (1 + below(world, 7)));
    port->physical_network[0] = '\0';
    world->rated++;
}

static struct vm_request random_request(struct world *world)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "vm%" PRIu64, world->vm_number++);
    bool simple = one_in(world, 4); /* so that rare things are placed too */
    struct vm_request request = vm_request(name, simple ? 1 : below(world, 5));
    request.vcpus = (uint32_t)(1 + below(world, 3));
    request.memory_mib = 512 * (1 + below(world, 4));
    request.strategy = (uint8_t)below(world, STRATEGY_MAX);
    if (one_in(world, 10))
        str_copy(request.host, host_name(world));
    if (one_in(world, 3))
        str_copy(request.idempotency_key, name);
    for (size_t i = 0; i < request.port_count; i++) {
        struct port_request *port = &request.ports[i];
        if (one_in(world, simple ? 3 : 9)) {
            make_device(world, port);
            continue;
        }
        if (one_in(world, simple ? 3 : 9)) {
            make_whole(world, port);
            continue;
        }
        if (simple) {
            make_rated(world, port);
            continue;
        }
        port->vnic_type = one_in(world, 6) ? VNIC_NORMAL : VNIC_DIRECT;
        port->fallback = (uint8_t)below(world, FALLBACK_MAX);
        if (port->vnic_type == VNIC_DIRECT &&
            port->fallback == FALLBACK_VIRTIO && one_in(world, 2))
            port->guest_failover = GUEST_FAILOVER_BOND;
        str_copy(port->physical_network, any_network(world));
        if (one_in(world, 6))
            port->require_vendor_id = 0x15b3;
        if (one_in(world, 8))
            port->require_capabilities = POLICY_BIT(POLICY_LINK_STATE);
        random_policy(world, &port->policy);
    }
    if (request.port_count && !request.ports[0].device && one_in(world, 3)) {
        request.ports[0].has_mac = true;
        request.ports[0].mac =
            (struct mac){{0x52, 0x54, 0, 1, 2, (uint8_t)below(world, 6)}};
    }
    return request;
}

static bool mac_in_use(const struct snapshot *snapshot,
                       const struct vm_request *request)
{
    struct oracle oracle = {.snapshot = snapshot};
    const struct port_request *port = &request->ports[0];
    return request->port_count && *port->physical_network &&
           oracle_mac_used(&oracle, port, port->physical_network);
}

static bool has_rates(const struct vm_request *request)
{
    bool has = false;
    for (size_t i = 0; i < request->port_count; i++)
        has |= request->ports[i].policy.min_tx_rate_mbps != 0;
    return has;
}

static void judge(struct world *world, const struct vm_request *request,
                  const struct vm *vm, int best, bool mac_taken)
{
    struct error *err = &world->fleet.err;
    size_t wanted = 0, vfs = 0;
    if (mac_taken) {
        ck_assert_ptr_null(vm);
        ck_assert_int_eq(err->code, ERROR_MAC_IN_USE);
        return;
    }
    if (!vm) {
        if (best >= 0)
            ck_abort_msg("%s: refused (%s), though %d VFs are possible",
                         request->name, err->msg, best);
        ck_assert(err->code == ERROR_NO_VALID_HOST ||
                  err->code == ERROR_MAC_IN_USE);
        world->refused++;
        return;
    }
    if (best < 0)
        ck_abort_msg("%s: placed on %s, though it fits nowhere", request->name,
                     vm->host);
    for (size_t i = 0; i < vm->port_count; i++) {
        wanted += request->ports[i].vnic_type != VNIC_NORMAL;
        vfs += vm->ports[i].has_claim;
        world->devices += vm->ports[i].device;
        world->wholes += oracle_is_whole(&request->ports[i]);
        ck_assert(vm->ports[i].has_claim ||
                  !oracle_hardware_only(&request->ports[i]));
        ck_assert_int_eq(vm->ports[i].degraded,
                         request->ports[i].vnic_type != VNIC_NORMAL &&
                             !vm->ports[i].has_claim);
        ck_assert(vm->ports[i].degraded ==
                  (*vm->ports[i].degraded_reason != '\0'));
    }
    /* How many fall back is a wish where bandwidth is packed, not a rule. */
    if ((size_t)best == wanted || !has_rates(request))
        ck_assert_uint_eq(vfs, (size_t)best);
    world->placed++;
    world->degraded += vfs < wanted;
}

static void create(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct vm_request request = random_request(world);
    struct snapshot *snapshot = core_publish(fleet->core);
    int best = oracle_place(snapshot, &request);
    bool mac_taken = mac_in_use(snapshot, &request);
    snapshot_put(snapshot);
    struct vm *vm = NULL;
    bool repeated = false;
    static struct placement_reasons reasons;
    size_t before = tx->count;
    int result = core_vm_create(fleet->core, &fleet->call, &request, tx, &vm,
                                &repeated, &reasons, &fleet->err);
    ck_assert_int_eq(result, vm ? 0 : -1);
    if (!vm) {
        ck_assert_uint_eq(tx->count, before);
        if (fleet->err.code == ERROR_NO_VALID_HOST)
            ck_assert_uint_gt(reasons.count, 0);
    }
    judge(world, &request, vm, best, mac_taken);
    ref_put(vm);
}

static void delete_vm(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct snapshot *snapshot = core_publish(fleet->core);
    size_t count = snapshot_vm_count(snapshot);
    const struct vm *vm = NULL;
    const struct uuid *marker = NULL;
    for (uint64_t skip = count ? 1 + below(world, count) : 0; skip; skip--) {
        vm = snapshot_vm_after(snapshot, marker);
        marker = &vm->id;
    }
    struct uuid id = vm ? vm->id : (struct uuid){{0}};
    snapshot_put(snapshot);
    ck_assert_int_eq(
        core_vm_delete(fleet->core, &fleet->call, &id, 0, tx, &fleet->err),
        count ? 0 : -1);
}

/* A port goes onto its other path, or is refused without a trace. */
static void switch_path(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct snapshot *snapshot = core_publish(fleet->core);
    const struct port *port = NULL;
    const struct uuid *marker = NULL;
    /* Mostly one that has two paths. */
    bool any = one_in(world, 8);
    for (uint64_t skip = below(world, 12); skip;) {
        if (!snapshot_port_after(snapshot, marker, &port))
            break;
        marker = &port->id;
        skip -= any || port_can_fall_back(port);
    }
    bool accelerate = one_in(world, 2), changed = false;
    struct uuid id = port ? port->id : (struct uuid){{0}};
    bool was_claimed = port && port->has_claim;
    size_t before = tx->count;
    int result = accelerate
                     ? core_port_accelerate(fleet->core, &fleet->call, &id, 0,
                                            tx, &changed, NULL, &fleet->err)
                     : core_port_decelerate(fleet->core, &fleet->call, &id, 0,
                                            tx, &changed, &fleet->err);
    snapshot_put(snapshot);
    ck_assert((result == 0 && changed) == (tx->count > before));
    if (result)
        ck_assert(fleet->err.code == ERROR_NOT_FOUND ||
                  fleet->err.code == ERROR_CONFLICT ||
                  fleet->err.code == ERROR_NO_VALID_HOST);
    world->accelerated += changed && accelerate && !was_claimed;
    world->decelerated += changed && !accelerate && was_claimed;
}

/* A port that nobody here knows holds a VF that is told as free. */
static void add_stranger(struct world *world, struct observed *observed)
{
    const struct inventory *inventory = observed->inventory;
    if (!inventory->pf_count)
        return;
    const struct pf *pf = inventory->pfs[below(world, inventory->pf_count)];
    observed->ports = mem_realloc(observed->ports, observed->port_count + 1,
                                  sizeof *observed->ports);
    observed->ports[observed->port_count++] = (struct observed_port){
        .id = uuid_make(world->fleet.now, &world->fleet.rng),
        .vm = uuid_make(world->fleet.now, &world->fleet.rng),
        .phase = (uint8_t)(one_in(world, 2) ? PORT_UNKNOWN : PORT_APPLIED),
        .has_claim = true,
        .claim = {.pf = pf->key, .vf_index = CLAIM_WHOLE_PF},
    };
    if (pf->vf_count && !one_in(world, 4))
        observed->ports[observed->port_count - 1].claim.vf_index =
            (uint16_t)below(world, pf->vf_count);
}

/* The host as it is now, partly reported in the middle of its work. */
static void report(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct agent *agent = fleet_agent(fleet, host_name(world));
    ck_assert_ptr_nonnull(agent);
    if (agent->pf_count && one_in(world, 3)) {
        struct pf_spec *spec = &agent->pfs[below(world, agent->pf_count)];
        if (one_in(world, 2))
            *spec = random_pf(world, spec->key);
        else
            random_link(world, spec);
    }
    if (agent->pf_count && one_in(world, 40)) {
        size_t gone = below(world, agent->pf_count);
        agent->pfs[gone] = agent->pfs[agent->pf_count - 1];
        agent->pf_count--;
    }
    if (one_in(world, 8))
        random_networks(world, agent);
    if (one_in(world, 8)) {
        agent->incarnation++;
        agent->sequence = 0;
    }
    agent->pf_phase =
        (uint8_t)(one_in(world, 4) ? below(world, PF_PHASE_MAX) : PF_APPLIED);
    auto_observed struct observed *observed = agent_observed(fleet, agent);
    for (size_t i = 0; i < observed->port_count; i++) {
        struct observed_port *port = &observed->ports[i];
        if (port->phase == PORT_ABSENT && one_in(world, 3))
            port->phase = PORT_CLEANING;
        else if (port->phase == PORT_APPLIED && one_in(world, 6))
            port->phase =
                (uint8_t)(one_in(world, 2) ? PORT_FAILED : PORT_UNKNOWN);
    }
    if (one_in(world, 5))
        add_stranger(world, observed);
    if (one_in(world, 20))
        observed->accepted.epoch += below(world, 3);
    if (core_observe(fleet->core, &fleet->call, agent->name, observed, tx,
                     &fleet->err))
        ck_abort_msg("%s", fleet->err.msg);
}

static void settle(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct host_patch patch = {
        .has_cordoned = true,
        .cordoned = one_in(world, 4),
        .has_vcpu_ratio = one_in(world, 3),
        .vcpu_ratio_percent = (uint32_t)(100 + below(world, 200)),
        .has_mappings = one_in(world, 3),
        .mapping_count = 1,
    };
    struct network_mapping mapping = {.device = "br0"};
    str_copy(mapping.physical_network, any_network(world));
    patch.mappings = &mapping;
    ck_assert_int_eq(core_host_patch(fleet->core, &fleet->call,
                                     host_name(world), &patch, tx, &fleet->err),
                     0);
}

static void settle_pf(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    struct pf_key key = key_of(pf_keys[below(world, 4)]);
    struct pf_patch patch = {
        .has_allowed = true,
        .allowed = !one_in(world, 4),
        .has_physical_network = one_in(world, 2),
        .has_link_speed = one_in(world, 6),
        .link_speed_mbps = (uint32_t)(500 * below(world, 4)),
        .has_num_vfs = one_in(world, 4),
        .num_vfs_observed = one_in(world, 2),
        .num_vfs = (uint16_t)below(world, 6),
        .has_tx_ratio = one_in(world, 3),
        .tx_ratio_percent = (uint32_t)(25 * (1 + below(world, 8))),
        .has_words = one_in(world, 6),
    };
    str_copy(patch.physical_network, any_network(world));
    patch.words.field[POLICY_VLAN].support =
        (uint8_t)below(world, CAPABILITY_SUPPORT_MAX);
    size_t before = tx->count;
    if (core_pf_patch(fleet->core, &fleet->call, host_name(world), &key, &patch,
                      tx, &fleet->err)) {
        ck_assert_uint_eq(tx->count, before);
        ck_assert(fleet->err.code == ERROR_NOT_FOUND ||
                  fleet->err.code == ERROR_IN_USE ||
                  fleet->err.code == ERROR_INVALID ||
                  fleet->err.code == ERROR_CONFLICT);
    }
}

static void pass_time(struct world *world, struct tx *tx)
{
    struct fleet *fleet = &world->fleet;
    fleet->now += (int64_t)below(world, 40) * SECOND;
    fleet_call(fleet);
    for (size_t i = 0; i < fleet->agent_count; i++)
        if (!one_in(world, 10))
            core_heard(fleet->core, fleet->agents[i].name, fleet->now);
    core_tick(fleet->core, &fleet->call, tx, &fleet->err);
}

/* Was the corner reached at all: a PF over-promised, one on its way? */
static void look_around(struct world *world)
{
    struct snapshot *snapshot = core_publish(world->fleet.core);
    const struct host_view *view = NULL;
    const char *marker = NULL;
    bool over = false, changing = false;
    while ((view = snapshot_host_after(snapshot, marker))) {
        marker = view->host->name;
        const struct inventory *inventory =
            view->report ? view->report->inventory : NULL;
        for (size_t i = 0; inventory && i < inventory->pf_count; i++) {
            over |= host_view_promise(view, inventory->pfs[i]).over;
            changing |= host_view_pf_changing(view, inventory->pfs[i]);
        }
    }
    world->over += over;
    world->changing += changing;
    snapshot_put(snapshot);
}

static void step(struct world *world, struct tx *tx)
{
    fleet_call(&world->fleet);
    switch (below(world, 14)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        create(world, tx);
        break;
    case 5:
    case 6:
        delete_vm(world, tx);
        break;
    case 7:
    case 8:
        report(world, tx);
        break;
    case 9:
        settle(world, tx);
        break;
    case 10:
        settle_pf(world, tx);
        break;
    case 11:
    case 12:
        switch_path(world, tx);
        break;
    default:
        pass_time(world, tx);
        break;
    }
    fleet_check(&world->fleet);
    look_around(world);
}

/* A batch whose commit fails: all of it is taken back. Agents' own counters
 * go on: what they sent, they sent. */
static void undo_batch(struct world *world)
{
    struct core *core = world->fleet.core;
    char *before = tell(core, true);
    struct tx tx = {0};
    for (uint64_t steps = 1 + below(world, 6); steps; steps--)
        step(world, &tx);
    core_undo(core, &tx);
    tx_done(&tx);
    fleet_check(&world->fleet);
    char *after = tell(core, true);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    world->undone++;
}

/* ---- restart ----------------------------------------------------------------------- */

static void restore(struct core *core, enum record_kind kind,
                    const void *object)
{
    struct error err = {0};
    if (core_restore(core, kind, object, &err))
        ck_abort_msg("%s", err.msg);
}

static void restore_all(struct core *core, const struct snapshot *snapshot)
{
    const struct vm *vm = NULL;
    const struct uuid *id = NULL;
    while ((vm = snapshot_vm_after(snapshot, id))) {
        id = &vm->id;
        restore(core, RECORD_VM, vm);
    }
    const struct event *event = NULL;
    uint64_t sequence = 0;
    while ((event = snapshot_event_after(snapshot, sequence))) {
        sequence = event->sequence;
        restore(core, RECORD_EVENT, event);
    }
    const struct host_view *view = NULL;
    const char *name = NULL;
    while ((view = snapshot_host_after(snapshot, name))) {
        name = view->host->name;
        restore(core, RECORD_HOST, view->host);
    }
    restore(core, RECORD_CLUSTER, snapshot_cluster(snapshot));
}

static void restart(struct world *world)
{
    struct fleet *fleet = &world->fleet;
    static const struct core_config config = {
        .unreachable_after_ns = 60 * SECOND,
        .grace_ns = 60 * SECOND,
    };
    struct core *core = core_new(&config);
    struct snapshot *snapshot = core_publish(fleet->core);
    uint64_t epoch = snapshot_cluster(snapshot)->epoch;
    restore_all(core, snapshot);
    snapshot_put(snapshot);
    char *before = tell(fleet->core, false);
    core_free(fleet->core);
    fleet->core = core;
    struct tx tx = {0};
    fleet_call(fleet);
    ck_assert_int_eq(core_start(core, &fleet->call, &tx, &fleet->err), 0);
    struct tx begun = tx;
    char *with_start = tell(core, false);
    ck_assert_int_eq(strncmp(before, with_start, strlen(before)), 0);
    tx_done(&begun);
    free(before);
    free(with_start);
    snapshot = core_publish(core);
    ck_assert_uint_gt(snapshot_cluster(snapshot)->epoch, epoch);
    snapshot_put(snapshot);
    fleet_check(fleet);
    for (size_t i = 0; i < fleet->agent_count; i++)
        if (!one_in(world, 6))
            fleet_report(fleet, fleet->agents[i].name);
    fleet_check(fleet);
    world->restarts++;
}

/* ---- runs ---------------------------------------------------------------------------- */

static void run_seed(uint64_t seed, struct world *sum)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.rng.state = seed * 7919;
    fleet_init_seed(&world.fleet, seed);
    for (uint64_t hosts = 1 + below(&world, 5); hosts; hosts--)
        add_host(&world);
    for (int i = 0; i < STEPS; i++) {
        if (one_in(&world, 8)) {
            undo_batch(&world);
        } else if (one_in(&world, 40)) {
            restart(&world);
        } else {
            struct tx tx = {0};
            step(&world, &tx);
            tx_done(&tx);
        }
    }
    fleet_done(&world.fleet);
    sum->placed += world.placed;
    sum->refused += world.refused;
    sum->degraded += world.degraded;
    sum->undone += world.undone;
    sum->restarts += world.restarts;
    sum->rated += world.rated;
    sum->devices += world.devices;
    sum->wholes += world.wholes;
    sum->over += world.over;
    sum->accelerated += world.accelerated;
    sum->decelerated += world.decelerated;
    sum->changing += world.changing;
}

START_TEST(random_fleets_keep_every_invariant)
{
    const char *asked = getenv("SRIOV_SEEDS");
    uint64_t seeds = 60;
    static struct world sum;
    if (asked)
        ck_assert(str_to_u64(asked, 10, 1000000, &seeds));
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        mark_point();
        run_seed(seed, &sum);
    }
    printf("%zu ports accelerated, %zu decelerated\n", sum.accelerated,
           sum.decelerated);
    printf("%" PRIu64
           " seeds: %zu placed (%zu degraded), %zu refused, %zu ports with "
           "a rate, %zu devices, %zu whole PFs, %zu times over-promised, %zu "
           "while PFs changed, %zu batches undone, %zu restarts\n",
           seeds, sum.placed, sum.degraded, sum.refused, sum.rated, sum.devices,
           sum.wholes, sum.over, sum.changing, sum.undone, sum.restarts);
    /* A run that never got into the corners proves nothing. */
    ck_assert_uint_gt(sum.placed, seeds * 5);
    ck_assert_uint_gt(sum.refused, seeds);
    ck_assert_uint_gt(sum.degraded, seeds / 2);
    ck_assert_uint_gt(sum.devices, seeds);
    ck_assert_uint_gt(sum.wholes, seeds / 2);
    ck_assert_uint_gt(sum.over, seeds / 2);
    ck_assert_uint_gt(sum.changing, seeds);
    ck_assert_uint_gt(sum.decelerated, seeds / 4);
    ck_assert_uint_gt(sum.accelerated, seeds / 12);
    ck_assert_uint_gt(sum.restarts, seeds / 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler/core/property");
    TCase *tcase = tcase_create("property");
    tcase_set_timeout(tcase, 280);
    tcase_add_test(tcase, random_fleets_keep_every_invariant);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
