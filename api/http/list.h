/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive circular lists. A member that is in no list is all zero. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *previous, *next;
};

#define LIST_OWNER(node, type, member)                                         \
    ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
    head->previous = head->next = head;
}
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}
static inline bool list_has(const struct list *node)
{
    return node->next != NULL;
}
static inline void list_append(struct list *head, struct list *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}
static inline void list_remove(struct list *node)
{
    if (!node->next)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->previous = node->next = NULL;
}
