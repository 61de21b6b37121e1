/* SPDX-License-Identifier: Apache-2.0 */
/* The store: durable change records in revision order, in the shape of etcd
 * (DESIGN.md section 10), whatever engine is below.
 *
 * One commit is one batch under one new revision: all of it or nothing. Each
 * commit carries the writer's epoch; a store that has seen a higher one refuses
 * (ERROR_OLD_EPOCH), so a stale writer can never write (fencing, I8).
 *
 * The store knows kinds, keys and bytes, not what they mean.
 *
 * Threads: commit and load from one writer thread; close after all others.
 */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One change. 'value' NULL = the entry goes. Memory stays the caller's. */
struct store_change {
    const char *kind; /* "vm", "host", ...: at most 31 bytes of [a-z_] */
    const void *key;  /* 1 to 64 bytes, ordered by memcmp */
    size_t key_length;
    const void *value; /* at most STORE_VALUE_MAX */
    size_t value_length;
};
#define STORE_VALUE_MAX (1u << 20)

enum store_outcome {
    STORE_DONE,    /* durable: survives kill -9 and power loss */
    STORE_FAILED,  /* surely not there: nothing of the batch is stored */
    STORE_UNKNOWN, /* can't tell: ask store_revision() before going on */
};

struct store;
struct store_ops {
    /* Store 'count' changes as revision 'revision' (must be the current one
     * plus 1) under 'epoch'. err tells why unless STORE_DONE: OLD_EPOCH,
     * CONFLICT (another revision), NOT_DURABLE (disk full, I/O). */
    enum store_outcome (*commit)(struct store *store, uint64_t epoch,
                                 uint64_t revision,
                                 const struct store_change *changes,
                                 size_t count, struct error *err);
    /* Call 'visit' for every entry, ordered by kind, then key; the memory is
     * borrowed for the call. A negative return of visit ends the walk with -1. */
    int (*load)(struct store *store,
                int (*visit)(void *context, const char *kind, const void *key,
                             size_t key_length, const void *value,
                             size_t value_length, struct error *err),
                void *context, struct error *err);
    /* The revision and the highest epoch that are durable now: read afresh,
     * also after STORE_UNKNOWN. */
    int (*position)(struct store *store, uint64_t *epoch, uint64_t *revision,
                    struct error *err);
    /* Write a consistent copy to 'path' (a new file). */
    int (*snapshot)(struct store *store, const char *path, struct error *err);
    /* Call 'visit' for the changes after 'revision', in order, as far as they
     * are kept; ERROR_NOT_FOUND if some are not kept any more (load instead). */
    int (*follow)(struct store *store, uint64_t revision,
                  int (*visit)(void *context, uint64_t revision,
                               const struct store_change *change,
                               struct error *err),
                  void *context, struct error *err);
    void (*close)(struct store *store); /* NULL is fine */
};
struct store {
    const struct store_ops *ops;
};

/* SQLite below 'folder' (made, mode 0700, if missing): store.db with WAL and
 * synchronous FULL, a lock so that one process has it (ERROR_IN_USE after 5 s). A damaged
 * file: ERROR_CORRUPT; one of a newer schema: ERROR_UNSUPPORTED; both name the
 * file and what to do. NULL on failure. (db/sqlite) */
struct store *store_sqlite_open(const char *folder, struct error *err);
/* In memory, for tests. (db/memory) */
struct store *store_memory_open(void);

static inline void store_close(struct store *store)
{
    if (store)
        store->ops->close(store);
}
