/* SPDX-License-Identifier: Apache-2.0 */
/* The ordered tree of the placement index, against a sorted array. */
#include "common/base/rng.h"
#include "scheduler/core/tree.h"
#include "tests/unit/check_main.h"

#include <stdio.h>
#include <string.h>

#define NODES 300

struct item {
    struct tree_node node;
    char name[16];
};
static struct item items[NODES];

static int ascending(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a;
    const struct item *y = *(struct item *const *)b;
    if (x->node.score != y->node.score)
        return x->node.score < y->node.score ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Scores from the greatest down, names still ascending. */
static int descending(const void *a, const void *b)
{
    const struct item *x = *(struct item *const *)a;
    const struct item *y = *(struct item *const *)b;
    if (x->node.score != y->node.score)
        return x->node.score > y->node.score ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void compare(const struct tree *tree, bool down)
{
    static struct item *sorted[NODES];
    size_t count = 0;
    for (size_t i = 0; i < NODES; i++)
        if (items[i].node.linked)
            sorted[count++] = &items[i];
    qsort(sorted, count, sizeof *sorted, down ? descending : ascending);
    ck_assert_uint_eq(tree->count, count);
    struct tree_node *node = NULL;
    for (size_t i = 0; i < count; i++) {
        node = tree_walk(tree, node, down);
        ck_assert_ptr_eq(node, &sorted[i]->node);
    }
    if (count)
        ck_assert_ptr_null(tree_walk(tree, node, down));
    else
        ck_assert_ptr_null(tree_walk(tree, NULL, down));
}

START_TEST(walks_are_in_order_after_any_changes)
{
    struct rng rng = {7};
    struct tree tree = {0};
    for (size_t i = 0; i < NODES; i++) {
        snprintf(items[i].name, sizeof items[i].name, "h%zu", i);
        tree_node_init(&items[i].node, items[i].name, "");
    }
    compare(&tree, false);
    for (int step = 0; step < 4000; step++) {
        struct tree_node *node = &items[rng_below(&rng, NODES)].node;
        if (node->linked)
            tree_remove(&tree, node);
        else
            tree_insert(&tree, node, rng_below(&rng, 9));
        if (step % 50 == 0) {
            compare(&tree, false);
            compare(&tree, true);
        }
    }
}
END_TEST

START_TEST(removing_what_is_not_there_is_fine)
{
    struct tree tree = {0};
    struct tree_node node;
    tree_node_init(&node, "a", "");
    tree_remove(&tree, &node);
    tree_insert(&tree, &node, 0);
    tree_remove(&tree, &node);
    tree_remove(&tree, &node);
    ck_assert_uint_eq(tree.count, 0);
}
END_TEST

CHECK_MAIN("scheduler/core/tree", walks_are_in_order_after_any_changes,
           removing_what_is_not_there_is_fine);
