// SPDX-License-Identifier: Apache-2.0
// Missing rows of a sequence. See seen.h.
#include "seen.h"

#include <string.h>

void seen_begin(struct seen *seen, uint32_t from)
{
    memset(seen, 0, sizeof *seen);
    seen->from = seen->next = from;
}

static void add_hole(struct seen *seen, struct hole hole)
{
    if (seen->hole_count == HOLES_MAX)
        seen->overflow = true;
    else
        seen->holes[seen->hole_count++] = hole;
}

// A late arrival: takes its number out of the hole that has it. False if no hole has it.
static bool fill(struct seen *seen, uint32_t seq, uint64_t time_ns)
{
    for (uint32_t i = seen->hole_count; i-- > 0;) {
        struct hole *hole = &seen->holes[i];
        if (seq < hole->first || seq > hole->last)
            continue;
        struct hole rest = {.first = seq + 1,
                            .last = hole->last,
                            .before_ns = time_ns,
                            .after_ns = hole->after_ns};
        if (seq == hole->first) {
            hole->first++;
            hole->before_ns = time_ns;
        } else {
            hole->last = seq - 1;
            hole->after_ns = time_ns;
            if (rest.first <= rest.last)
                add_hole(seen, rest);
        }
        if (hole->first > hole->last)
            *hole = seen->holes[--seen->hole_count];
        return true;
    }
    return false;
}

void seen_note(struct seen *seen, uint32_t seq, uint64_t time_ns)
{
    if (seq < seen->next) {
        if (!fill(seen, seq, time_ns)) {
            seen->doubles++;
            return;
        }
        seen->count++;
        return;
    }
    if (seq > seen->next)
        add_hole(seen, (struct hole){.first = seen->next,
                                     .last = seq - 1,
                                     .before_ns = seen->last_ns,
                                     .after_ns = time_ns});
    seen->next = seq + 1;
    seen->last_ns = time_ns;
    seen->count++;
}
