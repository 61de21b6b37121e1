/* SPDX-License-Identifier: Apache-2.0 */
/* The persistent ordered map of omap.h: an AVL tree with path copying.
 *
 * Invariants:
 *   1. A node whose 'edit' equals the map's (and is not 0) was made since the
 *      map was last shared. Nothing but the map reaches it, its count is 1, and
 *      so are its ancestors': it may be changed in place.
 *   2. Every other node is immutable but for its count.
 *   3. Edit numbers are unique in the process, so a version that somebody
 *      shared and then goes on editing never takes another's nodes for its own.
 *   4. The heights of the two subtrees differ by at most one; the shape depends
 *      on the order of the changes alone.
 *
 * In the functions below that take and return a node, the caller's reference
 * goes in and a reference comes out. */
#include "common/base/omap.h"

#include "common/base/mem.h"

#include <stdatomic.h>
#include <string.h>

struct omap_node {
    atomic_uint count;
    uint32_t key_length;
    uint64_t edit;
    struct omap_node *child[2]; /* less, greater */
    void *value;                /* a counted object */
    uint8_t height;             /* a leaf's is 1 */
    uint8_t key[];
};

static uint64_t next_edit(void)
{
    static atomic_uint_least64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static int compare(const void *key, size_t length, const struct omap_node *node)
{
    size_t common = length < node->key_length ? length : node->key_length;
    int order = common ? memcmp(key, node->key, common) : 0;
    if (order)
        return order;
    return (length > node->key_length) - (length < node->key_length);
}

static struct omap_node *node_new(uint64_t edit, const void *key, size_t length,
                                  const void *value)
{
    struct omap_node *node = mem_calloc(1, sizeof *node + length);
    atomic_init(&node->count, 1);
    node->key_length = (uint32_t)length;
    node->edit = edit;
    node->value = ref_get(value);
    node->height = 1;
    if (length)
        memcpy(node->key, key, length);
    return node;
}

static struct omap_node *node_get(struct omap_node *node)
{
    if (node)
        atomic_fetch_add_explicit(&node->count, 1, memory_order_relaxed);
    return node;
}

static void node_put(struct omap_node *node)
{
    /* The depth of the recursion is the height of a balanced tree. */
    while (node && atomic_fetch_sub_explicit(&node->count, 1,
                                             memory_order_acq_rel) == 1) {
        struct omap_node *right = node->child[1];
        node_put(node->child[0]);
        ref_put(node->value);
        free(node);
        node = right;
    }
}

/* The node itself if this edit made it, else a copy that it may change. */
static struct omap_node *own(uint64_t edit, struct omap_node *node)
{
    if (node->edit == edit)
        return node;
    struct omap_node *copy =
        node_new(edit, node->key, node->key_length, node->value);
    copy->child[0] = node_get(node->child[0]);
    copy->child[1] = node_get(node->child[1]);
    copy->height = node->height;
    node_put(node);
    return copy;
}

static int height(const struct omap_node *node)
{
    return node ? node->height : 0;
}

static void measure(struct omap_node *node)
{
    int less = height(node->child[0]);
    int more = height(node->child[1]);
    node->height = (uint8_t)((less > more ? less : more) + 1);
}

/* Lift the child on 'side' above an own node. */
static struct omap_node *rotate(uint64_t edit, struct omap_node *node, int side)
{
    struct omap_node *up = own(edit, node->child[side]);
    node->child[side] = up->child[!side];
    up->child[!side] = node;
    measure(node);
    measure(up);
    return up;
}

/* Restore invariant 4 for an own node whose subtrees differ by at most two. */
static struct omap_node *balance(uint64_t edit, struct omap_node *node)
{
    int lean = height(node->child[1]) - height(node->child[0]);
    if (lean >= -1 && lean <= 1) {
        measure(node);
        return node;
    }
    int side = lean > 0;
    struct omap_node *heavy = node->child[side];
    if (height(heavy->child[!side]) > height(heavy->child[side]))
        node->child[side] = rotate(edit, own(edit, heavy), !side);
    return rotate(edit, node, side);
}

struct change {
    uint64_t edit;
    const void *key;
    size_t length;
    const void *value;
    bool added;
};

static struct omap_node *insert(struct change *change, struct omap_node *node)
{
    if (!node) {
        change->added = true;
        return node_new(change->edit, change->key, change->length,
                        change->value);
    }
    int order = compare(change->key, change->length, node);
    node = own(change->edit, node);
    if (order == 0) {
        void *old = node->value;
        node->value = ref_get(change->value);
        ref_put(old);
        return node;
    }
    int side = order > 0;
    node->child[side] = insert(change, node->child[side]);
    return balance(change->edit, node);
}

/* Unlink the least node of a tree into '*least'; returns what remains. */
static struct omap_node *take_least(uint64_t edit, struct omap_node *node,
                                    struct omap_node **least)
{
    node = own(edit, node);
    if (!node->child[0]) {
        struct omap_node *rest = node->child[1];
        node->child[1] = NULL;
        *least = node;
        return rest;
    }
    node->child[0] = take_least(edit, node->child[0], least);
    return balance(edit, node);
}

/* Remove a key that is there. */
static struct omap_node *take_out(struct change *change, struct omap_node *node)
{
    int order = compare(change->key, change->length, node);
    if (order) {
        int side = order > 0;
        node = own(change->edit, node);
        node->child[side] = take_out(change, node->child[side]);
        return balance(change->edit, node);
    }
    struct omap_node *less = node_get(node->child[0]);
    struct omap_node *more = node_get(node->child[1]);
    node_put(node);
    if (!less || !more)
        return less ? less : more;
    struct omap_node *least = NULL;
    more = take_least(change->edit, more, &least);
    least->child[0] = less;
    least->child[1] = more;
    return balance(change->edit, least);
}

static void begin_change(struct omap *map)
{
    if (!map->edit)
        map->edit = next_edit();
}

void *omap_get(const struct omap *map, const void *key, size_t key_length)
{
    const struct omap_node *node = map->root;
    while (node) {
        int order = compare(key, key_length, node);
        if (order == 0)
            return node->value;
        node = node->child[order > 0];
    }
    return NULL;
}

void omap_put(struct omap *map, const void *key, size_t key_length,
              const void *value)
{
    begin_change(map);
    struct change change = {
        .edit = map->edit, .key = key, .length = key_length, .value = value};
    map->root = insert(&change, map->root);
    map->count += change.added;
}

bool omap_remove(struct omap *map, const void *key, size_t key_length)
{
    /* Looking first keeps a miss from copying the path. */
    if (!omap_get(map, key, key_length))
        return false;
    begin_change(map);
    struct change change = {
        .edit = map->edit, .key = key, .length = key_length};
    map->root = take_out(&change, map->root);
    map->count--;
    return true;
}

struct omap omap_share(struct omap *map)
{
    map->edit = 0;
    return (struct omap){.root = node_get(map->root), .count = map->count};
}

void omap_done(struct omap *map)
{
    node_put(map->root);
    *map = (struct omap){0};
}

void *omap_after(const struct omap *map, const void *key, size_t key_length,
                 const void **found_key, size_t *found_length)
{
    const struct omap_node *node = map->root;
    const struct omap_node *best = NULL;
    while (node) {
        bool after = !key || compare(key, key_length, node) < 0;
        if (after)
            best = node;
        node = node->child[!after];
    }
    if (!best)
        return NULL;
    *found_key = best->key;
    *found_length = best->key_length;
    return best->value;
}

typedef bool visitor(void *context, const void *key, size_t key_length,
                     void *value);

static bool walk(const struct omap_node *node, visitor *visit, void *context)
{
    for (; node; node = node->child[1]) {
        if (!walk(node->child[0], visit, context) ||
            !visit(context, node->key, node->key_length, node->value))
            return false;
    }
    return true;
}

void omap_each(const struct omap *map, visitor *visit, void *context)
{
    walk(map->root, visit, context);
}
