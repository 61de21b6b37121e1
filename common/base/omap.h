/* SPDX-License-Identifier: Apache-2.0 */
/* A persistent ordered map: every change gives a new version that shares what
 * did not change, so a reader keeps its version as long as it likes without a
 * lock while the one writer goes on.
 *
 * Values are shared immutable objects (they begin with a struct ref, see
 * mem.h); the map holds a reference to each. Keys are byte strings, ordered by
 * memcmp, then by length; they are copied into the node.
 *
 * A map value is 'struct omap', a plain handle (all zero = empty; move it, do not
 * copy it). Between two calls of omap_share() the writer's changes reuse the
 * nodes made since the first, so a batch costs one copied path per touched area
 * and not one per change. A key is shorter than 4 GiB.
 *
 * Threads: one writer per map; handles got by omap_share() can be read and
 * released on any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct omap_node;
struct omap {
    struct omap_node *root; /* NULL = empty */
    size_t count;
    uint64_t
        edit; /* nodes with this number may be changed in place; 0 = none */
};

/* The value, borrowed from the map, or NULL. */
void *omap_get(const struct omap *map, const void *key, size_t key_length);
/* Insert or replace; takes a reference of its own on 'value' (not NULL). */
void omap_put(struct omap *map, const void *key, size_t key_length,
              const void *value);
/* False if there was none. */
bool omap_remove(struct omap *map, const void *key, size_t key_length);

/* A version that stays as it is; release it by omap_done(). Ends the current
 * edit of 'map', so that its later changes copy. */
struct omap omap_share(struct omap *map);
void omap_done(struct omap *map); /* releases; leaves an empty map */

/* Walk in order: the first entry after 'key' ('key' NULL: the very first).
 * Returns the value (borrowed) and sets the entry's key (borrowed), or NULL at
 * the end. Costs O(log n): good for pages; for whole walks use omap_each. */
void *omap_after(const struct omap *map, const void *key, size_t key_length,
                 const void **found_key, size_t *found_length);
/* All entries in order; stops when 'visit' returns false. */
void omap_each(const struct omap *map,
               bool (*visit)(void *context, const void *key, size_t key_length,
                             void *value),
               void *context);
