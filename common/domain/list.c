/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of domains: see list.h. */
#include "common/domain/list.h"

#include <string.h>

static void list_release(void *object)
{
    struct domain_list *list = object;
    for (size_t i = 0; i < list->count; i++)
        free(list->domains[i].facts.devices);
    free(list->domains);
    free(list);
}

struct domain_list *domain_list_new(size_t count)
{
    struct domain_list *list = mem_new(struct domain_list);
    ref_init(&list->ref, list_release);
    list->count = count;
    list->domains = mem_calloc(count, sizeof *list->domains);
    return list;
}

const struct domain_state *domain_list_find(const struct domain_list *list,
                                            const struct uuid *uuid)
{
    size_t low = 0, high = list ? list->count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = uuid_compare(&list->domains[middle].uuid, uuid);
        if (order == 0)
            return &list->domains[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool device_same(const struct domain_device *a,
                        const struct domain_device *b)
{
    return a->kind == b->kind && a->has_port == b->has_port &&
           uuid_equal(&a->port, &b->port) && strcmp(a->alias, b->alias) == 0 &&
           a->has_address == b->has_address &&
           pci_compare(&a->address, &b->address) == 0 &&
           mac_compare(&a->mac, &b->mac) == 0 &&
           strcmp(a->target, b->target) == 0 &&
           strcmp(a->source, b->source) == 0 && a->vlan == b->vlan &&
           a->max_tx_rate_mbps == b->max_tx_rate_mbps &&
           a->spoofchk == b->spoofchk && a->link_down == b->link_down;
}

static bool state_same(const struct domain_state *a,
                       const struct domain_state *b)
{
    bool same =
        uuid_equal(&a->uuid, &b->uuid) && strcmp(a->name, b->name) == 0 &&
        a->power_state == b->power_state && strcmp(a->reason, b->reason) == 0 &&
        a->persistent == b->persistent && a->vcpus == b->vcpus &&
        a->memory_mib == b->memory_mib &&
        uuid_equal(&a->facts.vm, &b->facts.vm) &&
        a->facts.device_count == b->facts.device_count;
    for (size_t i = 0; same && i < a->facts.device_count; i++)
        same = device_same(&a->facts.devices[i], &b->facts.devices[i]);
    return same;
}

bool domain_list_same(const struct domain_list *a, const struct domain_list *b)
{
    bool same = a && b ? a->count == b->count : a == b;
    for (size_t i = 0; same && a && i < a->count; i++)
        same = state_same(&a->domains[i], &b->domains[i]);
    return same;
}
