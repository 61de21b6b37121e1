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

void agent_state_done(struct agent_state *state)
{
    free(state->managed);
    free(state->probed);
    free(state->changes);
    memset(state, 0, sizeof *state);
}

void agent_state_copy(struct agent_state *to, const struct agent_state *from)
{
    *to = *from;
    to->managed = NULL;
    to->probed = NULL;
    to->changes = NULL;
    if (from->managed_count)
        to->managed =
            mem_dup(from->managed, from->managed_count * sizeof *from->managed);
    if (from->probed_count)
        to->probed =
            mem_dup(from->probed, from->probed_count * sizeof *from->probed);
    if (from->change_count)
        to->changes =
            mem_dup(from->changes, from->change_count * sizeof *from->changes);
}
