/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what a run has hit: state x event x fault. docs/simulation.md
 * explains the zeros. */
#include "tests/sim/sim.h"

#define BIT(fault) (1u << FAULT_##fault)

/* What can go wrong within an event by its nature; other cells are no cells. */
static unsigned faults_of(enum sim_event event)
{
    static const unsigned faults[EVENT_MAX] = {
        [EVENT_AGENT_STEP] =
            BIT(NETLINK) | BIT(SWALLOWED) | BIT(SAVE) | BIT(DIED),
        [EVENT_AGENT_EVENTS] = BIT(NETLINK) | BIT(DIED),
        [EVENT_AGENT_REPORT] = BIT(LOST) | BIT(REPEATED),
        [EVENT_AGENT_POLL] = BIT(LOST),
        [EVENT_AGENT_DOCUMENT] = BIT(REPEATED),
        [EVENT_SCHED_POLL] = BIT(LOST),
        [EVENT_SCHED_BATCH] =
            BIT(DIED) | BIT(LOST) | BIT(COMMIT_FAILED) | BIT(COMMIT_UNKNOWN),
        [EVENT_SCHED_TICK] =
            BIT(DIED) | BIT(COMMIT_FAILED) | BIT(COMMIT_UNKNOWN),
        [EVENT_SCHED_START] =
            BIT(DIED) | BIT(COMMIT_FAILED) | BIT(COMMIT_UNKNOWN),
        [EVENT_SCHED_ZOMBIE] = BIT(LOST),
        [EVENT_CLIENT_CREATE] = BIT(LOST),
        [EVENT_CLIENT_DELETE] = BIT(LOST),
        [EVENT_CLIENT_RETRY] = BIT(LOST),
    };
    return faults[event] | BIT(NONE);
}

static bool is_of_host(enum sim_event event)
{
    return event <= EVENT_PARTITION;
}

static bool is_state_of_host(int state)
{
    return state < STATE_SCHED_IDLE;
}

int cover_sched_state(const struct sched *sched)
{
    if (!sched->up)
        return STATE_SCHED_DOWN;
    if (sched->has_zombie)
        return STATE_SCHED_ZOMBIE;
    return sched->queued ? STATE_SCHED_QUEUED : STATE_SCHED_IDLE;
}

void cover(struct sim *sim, struct node *about)
{
    struct coverage *coverage = sim->coverage;
    enum sim_event event = sim->event;
    sim->covered = true;
    if (!is_of_host(event)) {
        coverage->count[sim->sched_before][event][sim->fault]++;
        return;
    }
    if (!about || !about->agent) {
        coverage->count[STATE_DOWN][event][sim->fault]++;
        return;
    }
    const struct agent_state *state = agent_state_view(about->agent);
    for (size_t i = 0; i < state->change_count; i++)
        coverage
            ->count[STATE_PF + state->changes[i].phase][event][sim->fault]++;
    if (state->managed_count == 0)
        coverage->count[STATE_IDLE][event][sim->fault]++;
    for (size_t i = 0; i < state->managed_count; i++)
        coverage->count[state->managed[i].phase][event][sim->fault]++;
}

static const char *state_name(int state)
{
    static const char *const names[] = {
        [STATE_IDLE] = "(holds nothing)",
        [STATE_DOWN] = "(agent down)",
        [STATE_SCHED_IDLE] = "(scheduler idle)",
        [STATE_SCHED_QUEUED] = "(jobs queued)",
        [STATE_SCHED_ZOMBIE] = "(with a zombie)",
        [STATE_SCHED_DOWN] = "(scheduler down)",
    };
    static char text[32];
    if (state >= STATE_PF && state < STATE_IDLE) {
        snprintf(text, sizeof text, "PF %s",
                 pf_phase_name((enum pf_phase)(state - STATE_PF)));
        return text;
    }
    return state < MANAGED_PHASE_MAX
               ? managed_phase_name((enum managed_phase)state)
               : names[state];
}

void coverage_print(const struct coverage *coverage)
{
    static const char *const faults[] = {
#define X(name, text) [FAULT_##name] = text,
        SIM_FAULTS(X)
#undef X
    };
    size_t hit = 0, cells = 0;
    for (int s = 0; s < STATE_MAX; s++) {
        if (s == STATE_PF + PF_PENDING)
            continue; /* not begun: nothing is held */
        for (int e = 0; e < EVENT_MAX; e++) {
            enum sim_event event = (enum sim_event)e;
            if (is_state_of_host(s) != is_of_host(event))
                continue;
            printf("%-16s %-20s", state_name(s), sim_event_name(event));
            for (int f = 0; f < FAULT_MAX; f++) {
                if (!(faults_of(event) & (1u << f)))
                    continue;
                uint64_t count = coverage->count[s][e][f];
                printf("  %s %llu", faults[f], (unsigned long long)count);
                hit += count != 0;
                cells++;
            }
            printf("\n");
        }
    }
    printf("%zu of %zu cells hit\n", hit, cells);
}
