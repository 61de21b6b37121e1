/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the placement index in step with the state: see index.h. Called by
 * apply.c after each change; decides nothing. */
#include "scheduler/core/index.h"

#include "common/base/str.h"

#include <string.h>

/* ---- classes ------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * 0x100000001b3u;
}

/* A class with the facts of this PF and nothing else set. */
static struct pf_class class_facts(const struct pf *pf, const char *network)
{
    struct pf_class facts = {
        .vendor_id = pf->vendor_id,
        .device_id = pf->device_id,
        .driver = pf->driver,
        .numa_node = pf->numa_node,
        .link_speed_mbps = pf->link_speed_mbps,
        .link_up = pf->link_up,
        .capabilities = pf->capabilities,
    };
    str_copy(facts.physical_network, network);
    uint64_t hash = str_hash(network, strlen(network));
    hash = mix(hash, (uint64_t)pf->vendor_id << 16 | pf->device_id);
    hash = mix(hash, str_hash(pf->driver, strlen(pf->driver)));
    hash = mix(hash, (uint64_t)(uint32_t)pf->numa_node << 32 |
                         (uint32_t)pf->link_speed_mbps);
    hash = mix(hash, pf->link_up);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        hash = mix(hash, (uint64_t)pf->capabilities.field[i].max << 8 |
                             pf->capabilities.field[i].support);
    facts.hash = hash;
    return facts;
}

static bool class_same(const struct pf_class *a, const struct pf_class *b)
{
    if (a->hash != b->hash || a->vendor_id != b->vendor_id ||
        a->device_id != b->device_id || a->numa_node != b->numa_node ||
        a->link_speed_mbps != b->link_speed_mbps || a->link_up != b->link_up ||
        strcmp(a->driver, b->driver) != 0 ||
        strcmp(a->physical_network, b->physical_network) != 0)
        return false;
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        const struct capability *x = &a->capabilities.field[i];
        const struct capability *y = &b->capabilities.field[i];
        if (x->support != y->support || x->max != y->max)
            return false;
    }
    return true;
}

static struct pf_class *class_get(struct index *index, const struct pf *pf,
                                  const char *network)
{
    struct pf_class facts = class_facts(pf, network);
    for (size_t i = 0; i < index->class_count; i++)
        if (class_same(index->classes[i], &facts))
            return index->classes[i];
    mem_grow(&index->classes, &index->class_capacity, index->class_count,
             sizeof(struct pf_class *));
    struct pf_class *class = mem_dup(&facts, sizeof facts);
    index->classes[index->class_count++] = class;
    return class;
}

static void class_leave(struct index *index, struct pf_class *class)
{
    if (!class || --class->members > 0)
        return;
    for (size_t i = 0; i < index->class_count; i++)
        if (index->classes[i] == class) {
            index->classes[i] = index->classes[--index->class_count];
            break;
        }
    free(class);
}

/* ---- PFs ----------------------------------------------------------------- */

static void bit_set(uint64_t *bits, size_t bit, bool value)
{
    uint64_t mask = UINT64_C(1) << (bit % 64);
    if (value)
        bits[bit / 64] |= mask;
    else
        bits[bit / 64] &= ~mask;
}

void pf_reported_free(const struct host_report *report, const struct pf *pf,
                      uint64_t *bits)
{
    memset(bits, 0, (pf->vf_count + 63) / 64 * sizeof *bits);
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].state == VF_FREE && uuid_is_zero(&pf->vfs[i].port))
            bit_set(bits, i, true);
    for (size_t i = 0; i < report->port_count; i++) {
        const struct observed_port *port = &report->ports[i];
        if (!port->has_claim || port->phase == PORT_ABSENT ||
            pf_key_compare(&port->claim.pf, &pf->key) != 0)
            continue;
        const struct vf *vf = pf_vf(pf, port->claim.vf_index);
        if (vf)
            bit_set(bits, (size_t)(vf - pf->vfs), false);
    }
}

uint64_t view_committed_mbps(const struct state *state,
                             const struct host_view *view,
                             const struct pf_key *pf)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < view->claim_count; i++) {
        const struct claim_entry *entry = &view->claims[i];
        if (pf_key_compare(&entry->pf, pf) != 0)
            continue;
        const struct vm *vm = state_vm(state, &entry->vm);
        if (vm)
            sum += vm->ports[entry->port_index].claim.min_tx_rate_mbps;
    }
    return sum;
}

static void pf_slot_unlink(struct pf_slot *pf_slot)
{
    if (pf_slot->node.linked)
        tree_remove(&pf_slot->class->tree, &pf_slot->node);
}

/* Count the free VFs and put the PF where invariant 1 wants it. */
static void pf_slot_relink(struct pf_slot *pf_slot)
{
    int count = 0;
    for (size_t i = 0; i < pf_slot->words; i++)
        count += __builtin_popcountll(pf_slot->reported_free[i] &
                                      ~pf_slot->claimed[i]);
    pf_slot->free = (uint16_t)count;
    bool wanted = pf_slot->slot->ready && pf_slot->allowed && count > 0;
    if (pf_slot->node.linked &&
        (!wanted || pf_slot->node.score != (uint64_t)count))
        pf_slot_unlink(pf_slot);
    if (wanted && !pf_slot->node.linked)
        tree_insert(&pf_slot->class->tree, &pf_slot->node, (uint64_t)count);
}

static void pf_slot_free(struct index *index, struct pf_slot *pf_slot)
{
    pf_slot_unlink(pf_slot);
    class_leave(index, pf_slot->class);
    ref_put(pf_slot->pf);
    free(pf_slot->reported_free);
    free(pf_slot);
}

static struct pf_slot *pf_slot_new(const struct state *state, struct slot *slot,
                                   const struct pf *pf)
{
    struct pf_slot *pf_slot = mem_new(struct pf_slot);
    pf_slot->slot = slot;
    pf_slot->pf = ref_get(pf);
    pf_slot->committed_mbps = view_committed_mbps(state, slot->view, &pf->key);
    pf_slot->bearable_mbps = pf_slot->committed_mbps;
    return pf_slot;
}

static void pf_slot_sync(struct index *index, struct pf_slot *pf_slot,
                         const struct pf *pf)
{
    const struct host_view *view = pf_slot->slot->view;
    pf_slot_unlink(pf_slot);
    struct pf *old = pf_slot->pf;
    pf_slot->pf = ref_get(pf);
    ref_put(old);
    tree_node_init(&pf_slot->node, view->host->name, pf_slot->pf->key.text);

    const struct pf_setting *setting = host_pf_setting(view->host, &pf->key);
    pf_slot->allowed = setting && setting->allowed && !pf->management;
    struct pf_class *class =
        class_get(index, pf, setting ? setting->physical_network : "");
    if (class != pf_slot->class) {
        class->members++;
        class_leave(index, pf_slot->class);
        pf_slot->class = class;
    }
    if (pf->link_speed_mbps > 0 &&
        (uint64_t)pf->link_speed_mbps > pf_slot->bearable_mbps)
        pf_slot->bearable_mbps = (uint64_t)pf->link_speed_mbps;
    pf_slot->words = (pf->vf_count + 63) / 64;
    free(pf_slot->reported_free);
    pf_slot->reported_free = mem_calloc(2 * pf_slot->words, sizeof(uint64_t));
    pf_slot->claimed = pf_slot->reported_free + pf_slot->words;
    pf_reported_free(view->report, pf, pf_slot->reported_free);
    for (size_t i = 0; i < view->claim_count; i++) {
        const struct claim_entry *entry = &view->claims[i];
        if (pf_key_compare(&entry->pf, &pf->key) != 0)
            continue;
        const struct vf *vf = pf_vf(pf, entry->vf_index);
        if (vf)
            bit_set(pf_slot->claimed, (size_t)(vf - pf->vfs), true);
    }
}

struct pf_slot *slot_pf(const struct slot *slot, const struct pf_key *key)
{
    for (size_t i = 0; i < slot->pf_count; i++)
        if (pf_key_compare(&slot->pfs[i]->pf->key, key) == 0)
            return slot->pfs[i];
    return NULL;
}

int pf_slot_free_vf(const struct pf_slot *pf_slot, size_t skip)
{
    for (size_t i = 0; i < pf_slot->words; i++) {
        uint64_t bits = pf_slot->reported_free[i] & ~pf_slot->claimed[i];
        for (; bits; bits &= bits - 1)
            if (skip-- == 0)
                return (int)(i * 64) + __builtin_ctzll(bits);
    }
    return -1;
}

/* Bring the PFs in line with the report; 'same' = neither the host's settings
 * nor the holders of VFs changed, so that a PF of the same reading stays. */
static void slot_sync_pfs(struct index *index, const struct state *state,
                          struct slot *slot, bool same)
{
    const struct host_report *report = slot->view->report;
    size_t count = report ? report->inventory->pf_count : 0;
    struct pf_slot **pfs = mem_calloc(count, sizeof *pfs);
    for (size_t i = 0; i < count; i++) {
        const struct pf *pf = report->inventory->pfs[i];
        struct pf_slot *pf_slot = slot_pf(slot, &pf->key);
        bool unchanged = same && pf_slot && pf_slot->pf == pf;
        if (!pf_slot)
            pf_slot = pf_slot_new(state, slot, pf);
        if (!unchanged)
            pf_slot_sync(index, pf_slot, pf);
        pf_slot_relink(pf_slot);
        pfs[i] = pf_slot;
    }
    for (size_t i = 0; i < slot->pf_count; i++)
        if (!count || !inventory_pf(report->inventory, &slot->pfs[i]->pf->key))
            pf_slot_free(index, slot->pfs[i]);
    free(slot->pfs);
    slot->pfs = pfs;
    slot->pf_count = count;
}

/* ---- hosts by network ----------------------------------------------------- */

const char *view_network_name(const struct host_view *view,
                              const struct network *network)
{
    for (size_t i = 0; i < view->host->mapping_count; i++)
        if (strcmp(view->host->mappings[i].device, network->device) == 0)
            return view->host->mappings[i].physical_network;
    return network->physical_network;
}

bool slot_has_network(const struct slot *slot, const char *network)
{
    if (!*network)
        return slot->network_count > 0;
    for (size_t i = 0; i < slot->network_count; i++)
        if (strcmp(slot->networks[i], network) == 0)
            return true;
    return false;
}

const struct host_list *index_list(const struct index *index,
                                   const char *network)
{
    for (size_t i = 0; i < index->list_count; i++)
        if (strcmp(index->lists[i]->network, network) == 0)
            return index->lists[i];
    return NULL;
}

static struct host_list *list_get(struct index *index, const char *network)
{
    for (size_t i = 0; i < index->list_count; i++)
        if (strcmp(index->lists[i]->network, network) == 0)
            return index->lists[i];
    mem_grow(&index->lists, &index->list_capacity, index->list_count,
             sizeof(struct host_list *));
    struct host_list *list = mem_new(struct host_list);
    str_copy(list->network, network);
    index->lists[index->list_count++] = list;
    return list;
}

uint64_t slot_rank_score(const struct slot *slot)
{
    const struct host_view *view = slot->view;
    if (!view->report)
        return 0;
    uint64_t total = (uint64_t)view->report->inventory->vcpus *
                     view->host->vcpu_ratio_percent / 100;
    return total ? (slot->free_vcpus * 64 + total - 1) / total : 0;
}

static void slot_relink_ranks(struct slot *slot)
{
    uint64_t score = slot_rank_score(slot);
    for (size_t i = 0; i < slot->rank_count; i++) {
        struct host_rank *rank = &slot->ranks[i];
        if (rank->node.linked && (!slot->ready || rank->node.score != score))
            tree_remove(&rank->list->tree, &rank->node);
        if (slot->ready && !rank->node.linked)
            tree_insert(&rank->list->tree, &rank->node, score);
    }
}

static void slot_drop_ranks(struct slot *slot)
{
    for (size_t i = 0; i < slot->rank_count; i++)
        tree_remove(&slot->ranks[i].list->tree, &slot->ranks[i].node);
    free(slot->ranks);
    slot->ranks = NULL;
    slot->rank_count = 0;
}

static void slot_add_rank(struct index *index, struct slot *slot,
                          const char *network)
{
    struct host_rank *rank = &slot->ranks[slot->rank_count++];
    rank->slot = slot;
    rank->list = list_get(index, network);
    tree_node_init(&rank->node, slot->view->host->name, "");
}

static void slot_sync_networks(struct index *index, struct slot *slot)
{
    const struct host_view *view = slot->view;
    size_t count = view->report ? view->report->inventory->network_count : 0;
    slot_drop_ranks(slot);
    free(slot->networks);
    slot->networks = mem_calloc(count, NAME_SIZE);
    slot->network_count = 0;
    slot->ranks = mem_calloc(count + 2, sizeof *slot->ranks);
    slot_add_rank(index, slot, "*");
    if (count)
        slot_add_rank(index, slot, "");
    for (size_t i = 0; i < count; i++) {
        const char *name =
            view_network_name(view, &view->report->inventory->networks[i]);
        bool seen = false;
        for (size_t j = 0; j < slot->network_count && !seen; j++)
            seen = strcmp(slot->networks[j], name) == 0;
        if (seen)
            continue;
        str_copy_bounded(slot->networks[slot->network_count++], NAME_SIZE,
                         name);
        if (*name)
            slot_add_rank(index, slot, name);
    }
}

/* ---- hosts --------------------------------------------------------------- */

static uint64_t left(uint64_t capacity, uint64_t percent, uint64_t external,
                     uint64_t used)
{
    uint64_t total = capacity / 100 * percent + capacity % 100 * percent / 100;
    uint64_t taken = external + used;
    return total > taken ? total - taken : 0;
}

uint64_t view_free_vcpus(const struct host_view *view)
{
    const struct inventory *inventory = view->report->inventory;
    return left(inventory->vcpus, view->host->vcpu_ratio_percent,
                inventory->external_vcpus, view->used_vcpus);
}

uint64_t view_free_memory_mib(const struct host_view *view)
{
    const struct inventory *inventory = view->report->inventory;
    return left(inventory->memory_mib, view->host->memory_ratio_percent,
                inventory->external_memory_mib, view->used_memory_mib);
}

static uint64_t report_holds(const struct host_report *report)
{
    uint64_t hash = 0;
    for (size_t i = 0; report && i < report->port_count; i++) {
        const struct observed_port *port = &report->ports[i];
        if (port->has_claim && port->phase != PORT_ABSENT)
            hash = mix(mix(hash, str_hash(port->claim.pf.text,
                                          strlen(port->claim.pf.text))),
                       port->claim.vf_index + 1u);
    }
    return hash;
}

static void slot_release(void *object)
{
    struct slot *slot = object;
    ref_put(slot->view);
    free(slot->networks);
    free(slot->ranks);
    free(slot->pfs);
    free(slot);
}

struct slot *index_slot(const struct index *index, const char *host)
{
    return omap_get(&index->slots, host, strlen(host));
}

static struct slot *slot_get(struct index *index, const char *host)
{
    struct slot *slot = index_slot(index, host);
    if (slot)
        return slot;
    slot = mem_new(struct slot);
    ref_init(&slot->ref, slot_release);
    omap_put(&index->slots, host, strlen(host), slot);
    ref_put(slot); /* the map holds it */
    return slot;
}

void index_host_set(struct index *index, const struct state *state,
                    struct host_view *view)
{
    struct slot *slot = slot_get(index, view->host->name);
    struct host_view *old = slot->view;
    slot->view = ref_get(view);
    uint64_t holds = report_holds(view->report);
    bool same_host = old && old->host == view->host;
    bool same_facts = old && old->report && view->report &&
                      old->report->inventory == view->report->inventory;

    slot->ready = view->state == HOST_READY;
    slot->free_vcpus = view->report ? view_free_vcpus(view) : 0;
    slot->free_memory_mib = view->report ? view_free_memory_mib(view) : 0;
    if (!same_host || !same_facts)
        slot_sync_networks(index, slot);
    slot_relink_ranks(slot);
    slot_sync_pfs(index, state, slot, same_host && holds == slot->holds);
    slot->holds = holds;
    ref_put(old);
}

void index_host_remove(struct index *index, const char *name)
{
    struct slot *slot = index_slot(index, name);
    if (!slot)
        return;
    slot_drop_ranks(slot);
    for (size_t i = 0; i < slot->pf_count; i++)
        pf_slot_free(index, slot->pfs[i]);
    slot->pf_count = 0;
    omap_remove(&index->slots, name, strlen(name));
}

/* Take the VM's claims off its PFs, or put them on. */
static void slot_claims(struct slot *slot, const struct vm *vm, bool on)
{
    for (size_t i = 0; vm && i < vm->port_count; i++) {
        const struct claim *claim = &vm->ports[i].claim;
        struct pf_slot *pf_slot =
            vm->ports[i].has_claim ? slot_pf(slot, &claim->pf) : NULL;
        if (!pf_slot)
            continue;
        if (on)
            pf_slot->committed_mbps += claim->min_tx_rate_mbps;
        else
            pf_slot->committed_mbps -= claim->min_tx_rate_mbps;
        const struct vf *vf = pf_vf(pf_slot->pf, claim->vf_index);
        if (vf)
            bit_set(pf_slot->claimed, (size_t)(vf - pf_slot->pf->vfs), on);
        pf_slot_relink(pf_slot);
    }
}

void index_vm_set(struct index *index, struct host_view *view,
                  const struct vm *before, const struct vm *after)
{
    struct slot *slot = slot_get(index, view->host->name);
    struct host_view *old = slot->view;
    slot->view = ref_get(view);
    ref_put(old);
    slot_claims(slot, before, false);
    slot_claims(slot, after, true);
    slot->free_vcpus = view->report ? view_free_vcpus(view) : 0;
    slot->free_memory_mib = view->report ? view_free_memory_mib(view) : 0;
    slot_relink_ranks(slot);
}

void index_done(struct index *index)
{
    const void *key = NULL;
    size_t length = 0;
    struct slot *slot = NULL;
    while ((slot = omap_after(&index->slots, NULL, 0, &key, &length)))
        index_host_remove(index, slot->view->host->name);
    omap_done(&index->slots);
    for (size_t i = 0; i < index->list_count; i++)
        free(index->lists[i]);
    free(index->lists);
    free(index->classes);
    *index = (struct index){0};
}
