/* SPDX-License-Identifier: Apache-2.0 */
/* The managed set as data: names, the table of allowed moves, copies. See
 * managed.h for the diagram. Knows nothing of hosts or documents. */
#include "agent/core/managed.h"

#include "common/base/mem.h"

#include <string.h>

const char *managed_phase_name(enum managed_phase phase)
{
    static const char *const names[] = {
#define X(name, text) text,
        MANAGED_PHASES(X)
#undef X
    };
    return phase < MANAGED_PHASE_MAX ? names[phase] : "?";
}

enum managed_phase managed_phase_parse(const char *name)
{
    for (unsigned i = 0; i < MANAGED_PHASE_MAX; i++) {
        if (strcmp(name, managed_phase_name((enum managed_phase)i)) == 0)
            return (enum managed_phase)i;
    }
    return MANAGED_PHASE_MAX;
}

bool managed_move_allowed(enum managed_phase from, enum managed_phase to)
{
#define TO(name) (1u << MANAGED_##name)
    static const unsigned moves[MANAGED_PHASE_MAX] = {
        [MANAGED_APPLYING] =
            TO(APPLYING) | TO(APPLIED) | TO(RESTORING) | TO(CLEANING),
        [MANAGED_APPLIED] = TO(APPLYING) | TO(CLEANING),
        [MANAGED_RESTORING] = TO(FAILED) | TO(QUARANTINED) | TO(CLEANING),
        [MANAGED_FAILED] = TO(APPLYING) | TO(CLEANING),
        [MANAGED_CLEANING] = TO(QUARANTINED),
        [MANAGED_QUARANTINED] = TO(CLEANING),
        [MANAGED_PROBING] = TO(CLEANING),
    };
#undef TO
    return from < MANAGED_PHASE_MAX && to < MANAGED_PHASE_MAX &&
           (moves[from] & (1u << to)) != 0;
}

const char *vm_run_name(enum vm_run run)
{
    static const char *const names[] = {
#define X(name, text) text,
        VM_RUNS(X)
#undef X
    };
    return run < VM_RUN_MAX ? names[run] : "?";
}

enum vm_run vm_run_parse(const char *name)
{
    for (unsigned i = 0; i < VM_RUN_MAX; i++) {
        if (strcmp(name, vm_run_name((enum vm_run)i)) == 0)
            return (enum vm_run)i;
    }
    return VM_RUN_MAX;
}

void agent_state_done(struct agent_state *state)
{
    free(state->managed);
    free(state->probed);
    free(state->changes);
    free(state->vms);
    free(state->holds);
    memset(state, 0, sizeof *state);
}

static void *copy(const void *array, size_t count, size_t size)
{
    return count ? mem_dup(array, count * size) : NULL;
}

void agent_state_copy(struct agent_state *to, const struct agent_state *from)
{
    *to = *from;
    to->managed = copy(from->managed, from->managed_count, sizeof *to->managed);
    to->probed = copy(from->probed, from->probed_count, sizeof *to->probed);
    to->changes = copy(from->changes, from->change_count, sizeof *to->changes);
    to->vms = copy(from->vms, from->vm_count, sizeof *to->vms);
    to->holds = copy(from->holds, from->hold_count, sizeof *to->holds);
}
