/* SPDX-License-Identifier: Apache-2.0 */
/* A host with its agent: the engine's loop as the uplink drives it, one call an
 * event; its simulated state disk; its death at any call of the host's or the
 * disk's operations; and what happens to its hardware. */
#include "tests/sim/sim.h"

#include "api/wire/wire.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <string.h>

#define TIMEOUT_NS (30 * TIMESTAMP_SECOND)

/* ---- hooks: the agent's calls into the world ----------------------------------- */

/* A process that is about to die in the middle: the n-th call from now kills it,
 * later calls of the same step have no effect any more. */
static bool dies_here(struct node *node)
{
    if (node->die_in > 0 && --node->die_in == 0) {
        node->dying = true;
        node->sim->fault = FAULT_DIED;
    }
    return node->dying;
}

bool node_is_cut(const struct node *node)
{
    return node->cut_pf != SIZE_MAX &&
           sim_host_pf_present(node->world, node->cut_pf) &&
           sim_host_vf_count(node->world, node->cut_pf) != node->cut_before;
}

/* The host's network runs over this PF after all, and does not come back from
 * the change. */
static void may_cut(struct node *node, size_t pf)
{
    struct sim *sim = node->sim;
    if (!sim->faults || node_is_cut(node) || !chance(sim, 3))
        return;
    node->cut_pf = pf;
    node->cut_before = sim_host_vf_count(node->world, pf);
    sim_trace(sim, "%s: cut off while PF %zu has not %u VFs", node->name, pf,
              node->cut_before);
}

static int pf_fault(struct node *node, enum sim_step step, size_t pf,
                    uint32_t part)
{
    static const int numbers[] = {EBUSY,  EAGAIN,     EIO,   ENODEV,
                                  EINVAL, EOPNOTSUPP, ENOMEM};
    struct sim *sim = node->sim;
    if (step == SIM_STEP_PF_WRITTEN) {
        truth_kernel(node, true);
        return dies_here(node) ? EIO : 0;
    }
    if (dies_here(node))
        return EIO;
    truth_touch_pf(node, pf);
    if (sim->faults && chance(sim, 20)) {
        sim->fault = FAULT_NETLINK;
        return numbers[below(sim, sizeof numbers / sizeof *numbers)];
    }
    if (part == SIM_PF_NUM_VFS)
        may_cut(node, pf);
    return 0;
}

static int fault_hook(void *context, enum sim_step step,
                      const struct pf_key *pf, uint16_t vf, uint32_t fields)
{
    /* What the kernel can answer. ENODEV not to who reads a whole PF: then it
     * is gone, and an event says so; while a single VF may just meet a driver's
     * reset. Refusals only to who writes. */
    static const int numbers[] = {EBUSY,  EAGAIN, EBUSY,     EIO,
                                  ENODEV, EINVAL, EOPNOTSUPP};
    struct node *node = context;
    struct sim *sim = node->sim;
    if (step == SIM_STEP_PF_SET || step == SIM_STEP_PF_WRITTEN)
        return pf_fault(node, step, sim_host_pf_find(node->world, pf), fields);
    if (step == SIM_STEP_VF_WRITTEN)
        truth_vf(node, sim_host_pf_find(node->world, pf), vf, true);
    if (dies_here(node))
        return EIO;
    if (step == SIM_STEP_VF_WRITE || step == SIM_STEP_VF_RESET)
        truth_touch(node, sim_host_pf_find(node->world, pf), vf);
    if (!sim->faults || step == SIM_STEP_VF_WRITTEN)
        return 0;
    if (step == SIM_STEP_CHANGES) {
        if (!chance(sim, 50))
            return 0;
        sim->fault = FAULT_NETLINK;
        return ENOBUFS;
    }
    if (step == SIM_STEP_VF_WRITE && chance(sim, 100)) {
        sim->fault = FAULT_SWALLOWED;
        return SIM_SWALLOWED;
    }
    if (!chance(sim, 40))
        return 0;
    sim->fault = FAULT_NETLINK;
    bool pf_read = step == SIM_STEP_READ_PF || step == SIM_STEP_INVENTORY;
    size_t count = pf_read ? 4 : step == SIM_STEP_VF_WRITE ? 7 : 5;
    /* A driver that has no spoofchk does not get one in between. */
    if (fields & POLICY_BIT(POLICY_SPOOFCHK))
        count = 6;
    return numbers[below(sim, count)];
}

static int64_t now_hook(void *context)
{
    return ((struct node *)context)->sim->now;
}

static int state_load(void *context, struct agent_state *out, struct error *err)
{
    (void)err;
    agent_state_copy(out, &((struct node *)context)->disk);
    return 0;
}

static void disk_put(struct node *node, const struct agent_state *state)
{
    truth_saved(node, &node->disk, state);
    agent_state_done(&node->disk);
    agent_state_copy(&node->disk, state);
}

static int state_save(void *context, const struct agent_state *state,
                      struct error *err)
{
    struct node *node = context;
    struct sim *sim = node->sim;
    bool was_dead = node->dying;
    if (dies_here(node)) {
        /* Died around the rename: the new state may have survived it. */
        if (!was_dead && chance(sim, 2))
            disk_put(node, state);
        return error_set(err, ERROR_IO, "dead");
    }
    if (sim->faults && chance(sim, 30)) {
        sim->fault = FAULT_SAVE;
        return error_set_sys(err, ENOSPC, "write the state");
    }
    disk_put(node, state);
    return 0;
}

static const struct agent_state_ops state_ops = {.load = state_load,
                                                 .save = state_save};

/* ---- life --------------------------------------------------------------------------- */

void node_init(struct sim *sim, size_t number)
{
    struct node *node = &sim->nodes[number];
    struct sim_profile profile;
    struct sim_host_config config = {
        .networks = 2,
        .vfs_limit = SIM_VFS_MAX,
        .bridges_on_pfs = number % 2 == 0,
    };
    node->sim = sim;
    node->number = number;
    snprintf(node->name, sizeof node->name, "h%zu", number + 1);
    sim_profile_default(&profile);
    sim_profile_host(&profile, sim->seed, number, &config);
    if (config.pf_count > 2)
        config.pf_count = 2;
    struct error err = {0};
    node->world = sim_host_new(&config, &err);
    if (!node->world) {
        fprintf(stderr, "%s\n", err.msg);
        abort();
    }
    node->management = node->cut_pf = SIZE_MAX;
    if (config.pf_count && chance(sim, 10)) {
        node->management = below(sim, config.pf_count);
        sim_host_pf_set_management(node->world, node->management,
                                   "default route");
    }
    truth_kernel(node, false);
    node_start(node);
}

void node_done(struct node *node)
{
    agent_free(node->agent);
    if (node->backend)
        node->backend->ops->close(node->backend);
    sim_host_free(node->world);
    agent_state_done(&node->disk);
    ref_put(node->last);
}

bool node_start(struct node *node)
{
    struct sim *sim = node->sim;
    struct error err = {0};
    struct host_sim_config host = {
        .host = node->world,
        .hooks = {.context = node, .fault = fault_hook, .now = now_hook},
        .probed = below(&*sim, 4) != 0,
    };
    node->backend = host_sim_open(&host, &err);
    struct agent_config config = {
        .name = node->name,
        .machine_id = sim_host_machine_id(node->world),
        .boot_id = sim_host_boot_id(node->world),
        .version = "sim",
        .host = node->backend,
        .state_ops = &state_ops,
        .state_context = node,
        .actions_per_step = 1 + (unsigned)below(sim, 4),
        .seed = rng_next(&sim->rng),
    };
    node->agent = agent_new(&config, &err);
    if (!node->agent) {
        sim_broken(sim, "start", "%s does not start: %s", node->name, err.msg);
        return false;
    }
    node->life++;
    node->dying = false;
    node->die_in = 0;
    node->wake = sim->now;
    node->polling = node->reporting = false;
    return true;
}

void node_crash(struct node *node)
{
    struct sim *sim = node->sim;
    agent_free(node->agent);
    node->agent = NULL;
    node->backend->ops->close(node->backend);
    node->backend = NULL;
    node->dying = false;
    node->die_in = 0;
    node->parked = false;
    ref_put(node->last);
    node->last = NULL;
    node->start_at = sim->now + (int64_t)below(sim, 20) * TIMESTAMP_SECOND;
    sim_trace(sim, "%s: the agent is dead", node->name);
}

/* ---- the loop --------------------------------------------------------------------------- */

static void step(struct node *node)
{
    struct sim *sim = node->sim;
    node->wake = agent_step(node->agent, sim->now);
    truth_kernel(node, true);
    guests_step_done(node);
}

static void trace_report(struct sim *sim, const struct node *node,
                         const struct observed *observed)
{
    char id[UUID_TEXT_SIZE];
    if (!sim->trace)
        return;
    sim_trace(sim, "%s reports %llu.%llu (%s, %zu ports)", node->name,
              (unsigned long long)observed->incarnation,
              (unsigned long long)observed->sequence,
              observed->full ? "full" : "partial", observed->port_count);
    for (size_t i = 0; i < observed->port_count; i++) {
        const struct observed_port *port = &observed->ports[i];
        sim_trace(sim, "  %s: %s %llu.%llu %s VF %u at %.6f %s",
                  uuid_format(&port->id, id),
                  port_phase_name((enum port_phase)port->phase),
                  (unsigned long long)port->revision.epoch,
                  (unsigned long long)port->revision.revision,
                  port->has_claim ? port->claim.pf.text : "-",
                  port->claim.vf_index,
                  (double)(port->observed_at - SIM_START_NS) / 1e9,
                  port->condition.reason);
    }
}

static bool report(struct node *node)
{
    struct sim *sim = node->sim;
    struct observed *observed = agent_report(node->agent, sim->now);
    if (!observed)
        return false;
    trace_report(sim, node, observed);
    truth_report(node, observed);
    node->reporting = true;
    node->report_at = sim->now;
    node->report_sequence = observed->sequence;
    net_send(sim, (struct message){.kind = MESSAGE_REPORT,
                                   .node = node->number,
                                   .life = node->life,
                                   .number = observed->sequence,
                                   .observed = observed});
    return true;
}

static void poll_send(struct node *node)
{
    node->polling = true;
    node->poll_at = node->sim->now;
    node->poll_id++;
    net_send(node->sim,
             (struct message){.kind = MESSAGE_POLL,
                              .node = node->number,
                              .life = node->life,
                              .number = node->poll_id,
                              .after = agent_following(node->agent)});
}

static bool timed_out(struct node *node)
{
    int64_t now = node->sim->now;
    if (node->reporting && now - node->report_at >= TIMEOUT_NS) {
        agent_report_done(node->agent, node->report_sequence, AGENT_REPORT_LOST,
                          0);
        node->reporting = false;
        node->wake = now;
        return true;
    }
    /* The scheduler answers a poll within TIMEOUT_NS, so no answer for longer
     * means that it won't come. */
    if (node->polling && now - node->poll_at >= 2 * TIMEOUT_NS) {
        node->polling = false;
        return true;
    }
    return false;
}

static void start_again(struct node *node)
{
    node->sim->event = EVENT_AGENT_START;
    node_start(node);
    sim_trace(node->sim, "%s: the agent starts, life %llu", node->name,
              (unsigned long long)node->life);
}

bool node_progress(struct node *node)
{
    struct sim *sim = node->sim;
    if (!node->agent) {
        if (sim->now < node->start_at)
            return false;
        start_again(node);
        return true;
    }
    sim->event = EVENT_AGENT_EVENTS;
    if (host_sim_has_changes(node->backend) && chance(sim, 3)) {
        agent_host_events(node->agent);
        node->wake = sim->now;
        return true;
    }
    sim->event = EVENT_AGENT_REPORT;
    if (!node->reporting &&
        agent_report_due(node->agent, sim->now) <= sim->now && report(node))
        return true;
    sim->event = EVENT_AGENT_STEP;
    if (node->wake <= sim->now) {
        step(node);
        return true;
    }
    sim->event = EVENT_AGENT_EVENTS;
    if (host_sim_has_changes(node->backend)) {
        agent_host_events(node->agent);
        node->wake = sim->now;
        return true;
    }
    sim->event = EVENT_AGENT_POLL;
    if (!node->polling) {
        poll_send(node);
        return true;
    }
    sim->event = EVENT_AGENT_TIMEOUT;
    return timed_out(node);
}

int64_t node_wake(const struct node *node)
{
    if (!node->agent)
        return node->start_at;
    int64_t at = node->wake;
    int64_t guests = host_sim_wakes_at(node->backend);
    if (guests < at)
        at = guests;
    if (host_sim_has_changes(node->backend) || !node->polling)
        return node->sim->now;
    if (node->poll_at + 2 * TIMEOUT_NS < at)
        at = node->poll_at + 2 * TIMEOUT_NS;
    int64_t due = node->reporting
                      ? node->report_at + TIMEOUT_NS
                      : agent_report_due(node->agent, node->sim->now);
    return due < at ? due : at;
}

/* ---- what comes in ----------------------------------------------------------------------- */

/* Some documents go through their wire form, as all do outside. */
static struct desired *through_wire(struct sim *sim, struct desired *desired)
{
    if (!chance(sim, 8))
        return desired;
    struct error err = {0};
    auto_json json_t *json = wire_desired(desired);
    auto_free char *text = json_text(json);
    auto_json json_t *back = json_parse(text, strlen(text), &err);
    struct desired *read = back ? wire_desired_read(back, &err) : NULL;
    if (!read) {
        sim_broken(sim, "wire",
                   "a desired document does not read back: %s "
                   "(field '%s')",
                   err.msg, err.field);
        return desired;
    }
    ref_put(desired);
    return read;
}

static void document(struct node *node, struct desired *desired)
{
    struct sim *sim = node->sim;
    struct error err = {0};
    const struct agent_state *state = agent_state_view(node->agent);
    struct revision had = state->accepted;
    bool same = uuid_equal(&state->cluster_id, &desired->cluster_id);
    if (same && desired->revision.epoch < had.epoch)
        sim->event = EVENT_AGENT_OLD_DOCUMENT;
    int rc = agent_desired(node->agent, desired, &err);
    sim_trace(sim, "%s gets document %llu.%llu (%s, %zu ports): %s", node->name,
              (unsigned long long)desired->revision.epoch,
              (unsigned long long)desired->revision.revision,
              desired->full ? "full" : "partial", desired->port_count,
              rc == 0 ? "accepted" : err.msg);
    if (rc == 0) {
        truth_document(node, desired);
        if (node->frail_until == INT64_MAX)
            node->frail_until = sim->now + 30 * TIMESTAMP_SECOND;
        if (same && desired->revision.epoch < had.epoch)
            sim_broken(sim, "I8",
                       "%s accepts a document of epoch %llu after %llu",
                       node->name, (unsigned long long)desired->revision.epoch,
                       (unsigned long long)had.epoch);
    }
    node->wake = sim->now;
}

void node_deliver(struct node *node, struct message *message)
{
    struct sim *sim = node->sim;
    sim->event = message->kind == MESSAGE_ANSWER ? EVENT_AGENT_ANSWER
                                                 : EVENT_AGENT_DOCUMENT;
    if (!node->agent || node->life != message->life)
        return; /* its connection died with the process */
    if (message->kind == MESSAGE_ANSWER) {
        if (!node->reporting || node->report_sequence != message->number)
            return;
        node->reporting = false;
        agent_report_done(node->agent, message->number, message->outcome,
                          message->known_incarnation);
        node->wake = sim->now;
        return;
    }
    if (!node->polling || node->poll_id != message->number)
        return;
    node->polling = false;
    if (!message->desired)
        return;
    message->desired = through_wire(sim, message->desired);
    document(node, message->desired);
    ref_put(node->last);
    node->last = ref_get(message->desired);
    /* Repeated documents are harmless. */
    if (sim->faults && chance(sim, 20)) {
        sim->fault = FAULT_REPEATED;
        document(node, node->last);
    }
}

/* ---- hardware -------------------------------------------------------------------------------- */

/* Somebody changes a VF by hand. A free one gets no MAC and no spoofchk: nothing
 * could tell those from what VFs' drivers do themselves. */
static void drift(struct node *node, size_t pf, uint16_t vf)
{
    struct sim *sim = node->sim;
    static const enum policy_field fields[] = {
        POLICY_VLAN, POLICY_MAX_TX_RATE_MBPS, POLICY_TRUST, POLICY_SPOOFCHK,
        POLICY_MAC};
    size_t count = node->vfs[pf][vf].owner ? 5 : 3;
    struct policy by_hand = {
        .vlan = (uint16_t)(1 + below(sim, 4000)),
        .max_tx_rate_mbps = 100 + (uint32_t)below(sim, 400),
        .spoofchk = chance(sim, 2),
        .trust = true,
        .mac = mac_make(&sim->rng),
    };
    sim_host_vf_set_policy(node->world, pf, vf, &by_hand,
                           POLICY_BIT(fields[below(sim, count)]));
}

static bool is_plugged(const struct node *node, size_t pf)
{
    for (uint16_t vf = 0; vf < SIM_VFS_MAX; vf++)
        if (sim_host_vf_plugged(node->world, pf, vf))
            return true;
    return false;
}

/* Cards are not pulled out of running guests here. */
static void pf_event(struct node *node, size_t pf)
{
    struct sim *sim = node->sim;
    bool there = sim_host_pf_present(node->world, pf);
    switch (below(sim, there ? 4 : 1)) {
    case 0:
        sim->event = there ? EVENT_PF_GONE : EVENT_PF_BACK;
        if (!is_plugged(node, pf))
            sim_host_pf_set_present(node->world, pf, !there);
        break;
    case 1:
        sim->event = EVENT_SPEED;
        sim_host_pf_set_speed(node->world, pf, chance(sim, 2) ? 1000 : 10000);
        break;
    default:
        sim->event = EVENT_LINK;
        sim_host_pf_set_link(node->world, pf, chance(sim, 2));
        break;
    }
}

static void vf_event(struct node *node, size_t pf, uint16_t vf)
{
    struct sim *sim = node->sim;
    struct policy now;
    bool there = sim_host_vf_policy(node->world, pf, vf, &now);
    bool plugged = sim_host_vf_plugged(node->world, pf, vf);
    switch (plugged ? 5 : below(sim, 6)) {
    case 0:
    case 1:
        sim->event = there ? EVENT_VF_GONE : EVENT_VF_BACK;
        sim_host_vf_set_present(node->world, pf, vf, !there);
        break;
    case 2:
        sim->event = EVENT_VF_EXTERNAL;
        if (there)
            sim_host_vf_set_external(node->world, pf, vf, "domain other");
        break;
    case 3:
        sim->event = EVENT_VF_RELEASED;
        if (there)
            sim_host_vf_set_external(node->world, pf, vf, NULL);
        break;
    default:
        sim->event = EVENT_VF_DRIFT;
        if (there)
            drift(node, pf, vf);
        break;
    }
}

static void reboot(struct node *node)
{
    node->sim->event = EVENT_HOST_REBOOT;
    if (node->agent) {
        cover(node->sim, node);
        node_crash(node);
    }
    sim_host_reboot(node->world);
    node->cut_pf = SIZE_MAX;
}

bool node_is_whole(const struct node *node)
{
    for (size_t pf = 0; pf < sim_host_pf_count(node->world); pf++) {
        for (uint16_t vf = 0; vf < sim_host_vf_count(node->world, pf); vf++) {
            struct policy policy;
            if (!sim_host_vf_policy(node->world, pf, vf, &policy) ||
                sim_host_vf_external(node->world, pf, vf))
                return false;
        }
    }
    return true;
}

bool node_hardware(struct node *node)
{
    struct sim *sim = node->sim;
    /* An agent without memory can't know of VFs that are away just then. */
    if (sim->now < node->frail_until)
        return false;
    size_t pfs = sim_host_pf_count(node->world);
    size_t pf = pfs ? below(sim, pfs) : 0;
    uint64_t what = below(sim, 20);
    if (what == 0) {
        reboot(node);
    } else if (what == 1 || !pfs) {
        sim->event = EVENT_EVENTS_LOST;
        sim_host_lose_events(node->world);
    } else if (what < 7) {
        pf_event(node, pf);
    } else {
        uint16_t vfs = sim_host_vf_count(node->world, pf);
        if (vfs && sim_host_pf_present(node->world, pf))
            vf_event(node, pf, (uint16_t)below(sim, vfs));
        else
            pf_event(node, pf);
    }
    truth_kernel(node, false);
    sim_trace(sim, "%s: %s", node->name, sim_event_name(sim->event));
    return true;
}
