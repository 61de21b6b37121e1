/* SPDX-License-Identifier: Apache-2.0 */
/* One seed: chooses the next event, keeps the clock and the network, checks
 * after each event, and ends with a quiet time in which all must come right. */
#include "tests/sim/sim.h"

#include "common/base/timestamp.h"

#include <stdarg.h>
#include <string.h>

/* Everything is checked so often; after each event only what it touched. */
#define FULL_CHECK_EVERY 512

const char *sim_event_name(enum sim_event event)
{
    static const char *const names[] = {
#define X(name, text) [EVENT_##name] = text,
        SIM_EVENTS(X)
#undef X
    };
    return event < EVENT_MAX ? names[event] : "?";
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    if (!sim->trace)
        return;
    va_list args;
    va_start(args, format);
    printf("%6llu %12.6f %s: ", (unsigned long long)sim->events,
           (double)(sim->now - SIM_START_NS) / 1e9, sim_event_name(sim->event));
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

void sim_broken(struct sim *sim, const char *invariant, const char *format, ...)
{
    if (sim->failed)
        return;
    sim->failed = true;
    va_list args;
    va_start(args, format);
    printf("seed %llu, event %llu (%s, %.6f s): %s is broken: ",
           (unsigned long long)sim->seed, (unsigned long long)sim->events,
           sim_event_name(sim->event), (double)(sim->now - SIM_START_NS) / 1e9,
           invariant);
    vprintf(format, args);
    printf("\nreproduce: sriov-sim --seeds %llu-%llu --steps %u --hosts %u "
           "--trace\n",
           (unsigned long long)sim->seed, (unsigned long long)sim->seed,
           sim->steps, sim->hosts);
    fflush(stdout);
    va_end(args);
}

/* ---- the network ------------------------------------------------------------------ */

void message_done(struct message *message)
{
    ref_put(message->observed);
    ref_put(message->desired);
}

static void message_add(struct sim *sim, struct message message)
{
    /* Mostly soon, sometimes late: late ones are overtaken. */
    uint64_t delay = below(sim, 20);
    if (sim->faults && chance(sim, 20))
        delay += below(sim, 40000);
    message.at = sim->now + (int64_t)delay * TIMESTAMP_MS;
    mem_grow(&sim->messages, &sim->message_capacity, sim->message_count,
             sizeof *sim->messages);
    sim->messages[sim->message_count++] = message;
}

void net_send(struct sim *sim, struct message message)
{
    const struct node *node = &sim->nodes[message.node];
    if (sim->faults && (node->partitioned_until > sim->now ||
                        node_is_cut(node) || chance(sim, 25))) {
        sim->fault = FAULT_LOST;
        message_done(&message);
        return;
    }
    if (sim->faults && message.kind == MESSAGE_REPORT && chance(sim, 15)) {
        sim->fault = FAULT_REPEATED;
        struct message again = message;
        again.observed = ref_get(message.observed);
        message_add(sim, again);
    }
    message_add(sim, message);
}

static bool deliver(struct sim *sim, struct node **about)
{
    if (sim->message_count == 0)
        return false;
    size_t first = below(sim, sim->message_count);
    for (size_t i = 0; i < sim->message_count; i++) {
        size_t at = (first + i) % sim->message_count;
        if (sim->messages[at].at > sim->now)
            continue;
        struct message message = sim->messages[at];
        sim->messages[at] = sim->messages[--sim->message_count];
        if (message.kind == MESSAGE_REPORT || message.kind == MESSAGE_POLL)
            sched_receive(sim, &message);
        else
            node_deliver(*about = &sim->nodes[message.node], &message);
        message_done(&message);
        return true;
    }
    return false;
}

/* ---- the clock ----------------------------------------------------------------------- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Nothing can happen now: go to the time at which something can. */
static void sleep_until_next(struct sim *sim)
{
    int64_t at = earlier(sched_wake(sim), client_wake(sim));
    for (size_t i = 0; i < sim->node_count; i++)
        at = earlier(at, node_wake(&sim->nodes[i]));
    for (size_t i = 0; i < sim->message_count; i++)
        at = earlier(at, sim->messages[i].at);
    if (at <= sim->now)
        at = sim->now + TIMESTAMP_MS;
    if (at - sim->now > 600 * TIMESTAMP_SECOND)
        at = sim->now + 600 * TIMESTAMP_SECOND;
    sim->now = at;
}

/* ---- events ----------------------------------------------------------------------------- */

/* Something that is due happens. Returns the node it was about, or NULL. */
static bool progress(struct sim *sim, struct node **about)
{
    uint64_t what = below(sim, 8);
    if (what == 7 && operator_set_up(sim))
        return true;
    if (what < 2 && deliver(sim, about))
        return true;
    if (what == 2 && client_retry(sim))
        return true;
    if (what < 5 && sched_progress(sim))
        return true;
    size_t first = below(sim, sim->node_count);
    for (size_t i = 0; i < sim->node_count; i++) {
        struct node *node = &sim->nodes[(first + i) % sim->node_count];
        if (node_progress(node)) {
            *about = node;
            return true;
        }
    }
    return deliver(sim, about) || sched_progress(sim) || client_retry(sim);
}

static bool rare(struct sim *sim)
{
    switch (below(sim, 12)) {
    case 0:
        if (sim->rare_restore && sim->sched.backup) {
            sim->rare_restore = false;
            sched_restore(sim, false);
        } else if (sim->rare_empty) {
            sim->rare_empty = false;
            sched_restore(sim, true);
        } else {
            return false;
        }
        return true;
    case 1:
    case 2:
        sched_backup(sim);
        return true;
    default:
        return sched_zombie(sim);
    }
}

static void partition(struct sim *sim, struct node *node)
{
    sim->event = EVENT_PARTITION;
    node->partitioned_until =
        sim->now + (int64_t)below(sim, 90) * TIMESTAMP_SECOND;
    sim_trace(sim, "%s is cut off", node->name);
}

static void agent_dies(struct sim *sim, struct node *node)
{
    sim->event = EVENT_AGENT_CRASH;
    if (!node->agent)
        return;
    if (chance(sim, 3)) {
        bool disk = sim->rare_disk && chance(sim, 4) && node_is_whole(node);
        sim->event = disk ? EVENT_DISK_LOST : EVENT_AGENT_CRASH;
        cover(sim, node);
        node_crash(node);
        if (disk) {
            sim->rare_disk = false;
            agent_state_done(&node->disk);
            memset(node->rejected, 0, sizeof node->rejected);
            node->frail_until = INT64_MAX;
            truth_again(node);
        }
    }
    if (node->agent && !node->die_in)
        node->die_in = 1 + (int)below(sim, 12);
}

/* Something happens to a host. */
static bool disturb_node(struct sim *sim, uint64_t what, struct node *node)
{
    if (what < 8)
        agent_dies(sim, node);
    else if (what < 22)
        return node_hardware(node);
    else if (what < 24)
        partition(sim, node);
    else
        return false;
    return true;
}

/* Something goes wrong or somebody acts. False: nothing did. '*about' is the
 * host it happened to, if to one. */
static bool disturb(struct sim *sim, struct node **about)
{
    uint64_t what = below(sim, 1000);
    struct node *node = &sim->nodes[below(sim, sim->node_count)];
    if (what >= 140 && what < 146) {
        *about = node;
        return guests_disturb(node);
    }
    if (disturb_node(sim, what, node)) {
        *about = node;
    } else if (what < 26) {
        sim->event = EVENT_SCHED_CRASH;
        sched_crash(sim);
    } else if (what < 28) {
        operator_act(sim);
    } else if (what < 40) {
        return rare(sim);
    } else if (what < 75) {
        client_create(sim);
    } else if (what < 100) {
        client_delete(sim);
    } else if (what < 110) {
        return operator_set_up(sim);
    } else if (what < 118) {
        operator_set_pf(sim);
    } else if (what < 140) {
        return guests_act(sim);
    } else {
        return false;
    }
    return true;
}

static void after_event(struct sim *sim, struct node *about)
{
    if (!sim->covered)
        cover(sim, about);
    for (size_t i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].dying)
            node_crash(&sim->nodes[i]);
    if (sim->events % FULL_CHECK_EVERY == 0)
        truth_full(sim);
}

static void one_event(struct sim *sim)
{
    struct node *about = NULL;
    sim->fault = FAULT_NONE;
    sim->covered = false;
    sim->sched_before = cover_sched_state(&sim->sched);
    sim->now += 1 + (int64_t)below(sim, 4) * TIMESTAMP_MS;
    if (!(sim->faults && disturb(sim, &about))) {
        about = NULL;
        while (!progress(sim, &about))
            sleep_until_next(sim);
    }
    sim->events++;
    after_event(sim, about);
}

/* ---- a run --------------------------------------------------------------------------------- */

/* The faults end; what was broken is put right, and time passes until nothing
 * moves any more. */
static void quiet(struct sim *sim)
{
    sim->faults = false;
    for (size_t i = 0; i < sim->node_count; i++) {
        struct node *node = &sim->nodes[i];
        node->partitioned_until = 0;
        node->cut_pf = SIZE_MAX;
        node->die_in = 0;
        node->libvirt_away = false;
        sim_host_set_libvirt(node->world, true);
        for (size_t pf = 0; pf < sim_host_pf_count(node->world); pf++) {
            sim_host_pf_set_present(node->world, pf, true);
            sim_host_pf_set_link(node->world, pf, true);
            sim_host_pf_set_speed(node->world, pf, 10000);
            for (uint16_t vf = 0; vf < sim_host_vf_count(node->world, pf);
                 vf++) {
                sim_host_vf_set_present(node->world, pf, vf, true);
                if (!sim_host_vf_plugged(node->world, pf, vf))
                    sim_host_vf_set_external(node->world, pf, vf, NULL);
            }
        }
        truth_kernel(node, false);
    }
    /* Longer than the longest back-off of agent and scheduler. */
    int64_t end = sim->now + 3 * 3600 * TIMESTAMP_SECOND;
    char why[400] = "";
    bool right = false;
    for (unsigned i = 0; !sim->failed && !right && sim->now < end; i++) {
        one_event(sim);
        right = i % 64 == 63 && converged(sim, why, sizeof why);
    }
    if (!sim->failed && !right)
        sim_broken(sim, "convergence", "three hours after the last fault %s",
                   why);
}

static void sim_init(struct sim *sim, const struct sim_options *options)
{
    sim->seed = options->seed;
    sim->rng.state = options->seed * 0x9e3779b97f4a7c15u + 1;
    sim->now = SIM_START_NS;
    sim->trace = options->trace;
    sim->coverage = options->coverage;
    sim->steps = options->steps;
    sim->hosts = options->hosts;
    sim->node_count = options->hosts;
    sim->rare_restore = chance(sim, 4);
    sim->rare_empty = chance(sim, 16);
    sim->rare_disk = chance(sim, 4);
    sched_init(sim);
    for (size_t i = 0; i < sim->node_count; i++)
        node_init(sim, i);
    sim->faults = true;
}

int sim_run(const struct sim_options *options, uint64_t *events)
{
    struct sim *sim = mem_new(struct sim);
    sim_init(sim, options);
    while (!sim->failed && sim->events < options->steps)
        one_event(sim);
    if (!sim->failed)
        truth_full(sim);
    if (!sim->failed)
        quiet(sim);
    *events += sim->events;
    int rc = sim->failed ? -1 : 0;
    for (size_t i = 0; i < sim->message_count; i++)
        message_done(&sim->messages[i]);
    free(sim->messages);
    sched_done(sim);
    client_done(sim);
    for (size_t i = 0; i < sim->node_count; i++)
        node_done(&sim->nodes[i]);
    truth_done(sim);
    free(sim);
    return rc;
}
