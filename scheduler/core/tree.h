/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered tree of nodes that live inside other objects, for the placement
 * index: no allocation, changed in place. Ordered by score, then name, then
 * part; a node's three keys stay as they are while it is linked.
 *
 * Invariants: child[0] < node < child[1]; no child has a higher priority than
 * its parent (a treap). Priorities are a hash of the names, so the same
 * nodes always give the same shape and the depth is logarithmic.
 *
 * Threads: the writer's only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *child[2];
    uint64_t priority;
    uint64_t score;
    const char *name, *part; /* borrowed from the object around */
    bool linked;
};
struct tree {
    struct tree_node *root;
    size_t count;
};

/* Zero-initialise; once before the first tree_insert. */
void tree_node_init(struct tree_node *node, const char *name, const char *part);
void tree_insert(struct tree *tree, struct tree_node *node, uint64_t score);
void tree_remove(struct tree *tree, struct tree_node *node); /* if linked */

/* Walk by score, ascending or descending, names always ascending within one
 * score: the node after 'node' (NULL: the first). NULL at the end. */
struct tree_node *tree_walk(const struct tree *tree,
                            const struct tree_node *node, bool descending);
