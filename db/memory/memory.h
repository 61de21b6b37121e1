/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory on a simulated disk, for tests and sriov-sim: commits go
 * wrong as a hook says, and a crash loses what was not durable.
 *
 * Threads: as store.h.
 */
#pragma once

#include "db/store.h"

/* How one commit ends. */
enum store_fault {
    STORE_FAULT_NONE,   /* stored: STORE_DONE */
    STORE_FAULT_BEFORE, /* refused before anything was written: STORE_FAILED */
    STORE_FAULT_AFTER,  /* stored, but the answer was lost: STORE_UNKNOWN */
    STORE_FAULT_LOST,   /* not stored, and no answer either: STORE_UNKNOWN */
    STORE_FAULT_LIE,    /* a lying disk: STORE_DONE, but gone after a crash that
                        comes before the next honest commit */
};

/* Ask 'hook' before each commit that would be valid (NULL = all go well). */
void store_memory_set_hook(struct store *store,
                           enum store_fault (*hook)(void *context),
                           void *context);
/* Let position() fail (ERROR_NOT_DURABLE) the next 'count' times, as a disk
 * that can't be read for a while. */
void store_memory_fail_position(struct store *store, unsigned count);
/* What a start after a crash finds: everything durable and nothing else. The
 * same object goes on being used. */
void store_memory_reopen(struct store *store);
/* How many commits were stored since the store was made. */
uint64_t store_memory_commits(const struct store *store);
