// SPDX-License-Identifier: Apache-2.0
// Which numbers of a sequence have arrived: keeps the rows that are missing ("holes"), not the numbers. Late and double
// arrivals are allowed for. No I/O, no memory of its own beyond the struct.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { HOLES_MAX = 2048 };

struct hole {
    uint32_t first, last; // the missing numbers, both included
    uint64_t before_ns,
        after_ns; // times that came with the arrivals around it, see seen_note
};

struct seen {
    uint32_t
        from; // number of the first arrival; 0 unless seen_begin was given another
    uint32_t next;    // one more than the highest that arrived
    uint32_t count;   // arrivals without doubles
    uint32_t doubles; // arrivals of a number that had been there
    uint32_t hole_count;
    bool
        overflow; // more than HOLES_MAX holes: the later ones are not in `holes`
    uint64_t last_ns;
    struct hole holes[HOLES_MAX];
};

// Empties `seen`; numbers below `from` don't count as missing.
void seen_begin(struct seen *seen, uint32_t from);
// Number `seq` has arrived. `time_ns`: a time to remember with it (the sender's or the receiver's clock, as the caller likes).
void seen_note(struct seen *seen, uint32_t seq, uint64_t time_ns);
