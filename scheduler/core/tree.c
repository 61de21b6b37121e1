/* SPDX-License-Identifier: Apache-2.0 */
/* The treap of tree.h. Used by the placement index alone; knows nothing of
 * hosts or PFs. */
#include "scheduler/core/tree.h"

#include "common/base/str.h"

#include <string.h>

static int compare(const struct tree_node *a, const struct tree_node *b)
{
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->part, b->part);
}

void tree_node_init(struct tree_node *node, const char *name, const char *part)
{
    *node = (struct tree_node){.name = name, .part = part};
    /* FNV alone leaves like names with like high bits; one multiplication by
     * an odd constant and a fold spread them. */
    uint64_t hash =
        str_hash(name, strlen(name)) * 31 + str_hash(part, strlen(part));
    hash *= 0x9e3779b97f4a7c15u;
    node->priority = hash ^ (hash >> 29);
}

/* Split into what is less than 'pivot' and what is greater. */
static void split(struct tree_node *root, const struct tree_node *pivot,
                  struct tree_node **less, struct tree_node **greater)
{
    while (root) {
        if (compare(root, pivot) < 0) {
            *less = root;
            less = &root->child[1];
            root = *less;
        } else {
            *greater = root;
            greater = &root->child[0];
            root = *greater;
        }
    }
    *less = *greater = NULL;
}

/* Join two trees, all of 'less' being less. */
static struct tree_node *join(struct tree_node *less, struct tree_node *greater)
{
    struct tree_node *root = NULL;
    struct tree_node **place = &root;
    while (less && greater) {
        if (less->priority > greater->priority) {
            *place = less;
            place = &less->child[1];
            less = *place;
        } else {
            *place = greater;
            place = &greater->child[0];
            greater = *place;
        }
    }
    *place = less ? less : greater;
    return root;
}

void tree_insert(struct tree *tree, struct tree_node *node, uint64_t score)
{
    node->score = score;
    struct tree_node **place = &tree->root;
    while (*place && (*place)->priority >= node->priority)
        place = &(*place)->child[compare(*place, node) < 0];
    split(*place, node, &node->child[0], &node->child[1]);
    *place = node;
    node->linked = true;
    tree->count++;
}

void tree_remove(struct tree *tree, struct tree_node *node)
{
    if (!node->linked)
        return;
    struct tree_node **place = &tree->root;
    while (*place && *place != node)
        place = &(*place)->child[compare(*place, node) < 0];
    if (!*place)
        return;
    *place = join(node->child[0], node->child[1]);
    node->child[0] = node->child[1] = NULL;
    node->linked = false;
    tree->count--;
}

/* The least node that is greater than 'node'. */
static struct tree_node *after(const struct tree *tree,
                               const struct tree_node *node)
{
    struct tree_node *found = NULL;
    for (struct tree_node *at = tree->root; at;) {
        bool greater = compare(at, node) > 0;
        if (greater)
            found = at;
        at = at->child[!greater];
    }
    return found;
}

/* The first node of the greatest score below 'score'. */
static struct tree_node *group_below(const struct tree *tree, uint64_t score)
{
    struct tree_node *found = NULL;
    for (struct tree_node *at = tree->root; at;) {
        bool below = at->score < score;
        if (below)
            found = at;
        at = at->child[below];
    }
    if (!found)
        return NULL;
    uint64_t group = found->score;
    for (struct tree_node *at = tree->root; at;) {
        bool enough = at->score >= group;
        if (enough)
            found = at;
        at = at->child[!enough];
    }
    return found;
}

struct tree_node *tree_walk(const struct tree *tree,
                            const struct tree_node *node, bool descending)
{
    if (descending && !node)
        return group_below(tree, UINT64_MAX);
    if (node) {
        struct tree_node *next = after(tree, node);
        if (!descending || (next && next->score == node->score))
            return next;
        return group_below(tree, node->score);
    }
    struct tree_node *first = tree->root;
    while (first && first->child[0])
        first = first->child[0];
    return first;
}
