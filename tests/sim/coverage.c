/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what a run has hit: state x event x fault. docs/simulation.md
 * explains the zeros. */
#include "tests/sim/sim.h"

static const char *state_name(int state)
{
    switch (state) {
    case STATE_IDLE:
        return "(holds nothing)";
    case STATE_DOWN:
        return "(agent down)";
    case STATE_SCHED_UP:
        return "(scheduler up)";
    case STATE_SCHED_DOWN:
        return "(scheduler down)";
    default:
        return managed_phase_name((enum managed_phase)state);
    }
}

void coverage_print(const struct coverage *coverage)
{
    static const char *const faults[] = {
#define X(name, text) [FAULT_##name] = text,
        SIM_FAULTS(X)
#undef X
    };
    printf("%-17s %-20s", "state", "event");
    for (int f = 0; f < FAULT_MAX; f++)
        printf(" %19s", faults[f]);
    printf("\n");
    size_t zeros = 0, cells = 0;
    for (int s = 0; s < STATE_MAX; s++) {
        for (int e = 0; e < EVENT_MAX; e++) {
            printf("%-17s %-20s", state_name(s),
                   sim_event_name((enum sim_event)e));
            for (int f = 0; f < FAULT_MAX; f++) {
                printf(" %19llu", (unsigned long long)coverage->count[s][e][f]);
                zeros += coverage->count[s][e][f] == 0;
                cells++;
            }
            printf("\n");
        }
    }
    printf("%zu of %zu cells hit\n", cells - zeros, cells);
}
