/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the placement index in step with the state: see index.h. Called by
 * apply.c after each change; decides nothing. */
#include "scheduler/core/index.h"

#include "common/base/str.h"

#include <string.h>

/* Bring the PFs in line with the report; 'same' = neither the host's settings and
 * readiness nor the holders of VFs changed, so that a PF of the same reading stays. */
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

/* ---- readiness -------------------------------------------------------------- */

const struct readiness_check *view_failed_check(const struct host_view *view,
                                                uint8_t bits)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } needs[] = {
        {"iommu", UNREADY_VFIO},    {"interrupt_remapping", UNREADY_VFIO},
        {"vfio_pci", UNREADY_VFIO}, {"libvirt", UNREADY_LIBVIRT},
        {"qemu", UNREADY_LIBVIRT},
    };
    const struct inventory *inventory =
        view->report ? view->report->inventory : NULL;
    for (size_t i = 0; inventory && i < inventory->check_count; i++)
        for (size_t j = 0; j < sizeof needs / sizeof *needs; j++)
            if (inventory->checks[i].status == CHECK_FAILED &&
                (needs[j].bit & bits) &&
                strcmp(inventory->checks[i].name, needs[j].name) == 0)
                return &inventory->checks[i];
    return NULL;
}

static uint8_t view_unready(const struct host_view *view)
{
    return (view_failed_check(view, UNREADY_VFIO) ? UNREADY_VFIO : 0u) |
           (view_failed_check(view, UNREADY_LIBVIRT) ? UNREADY_LIBVIRT : 0u);
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
            hash =
                hash_mix(hash_mix(hash, str_hash(port->claim.pf.text,
                                                 strlen(port->claim.pf.text))),
                         port->claim.vf_index + 1u);
    }
    for (size_t i = 0; report && i < report->pf_count; i++) {
        const struct observed_pf *pf = &report->pfs[i];
        hash = hash_mix(hash, str_hash(pf->key.text, strlen(pf->key.text)));
        hash = hash_mix(hash_mix(hash, pf->revision.epoch),
                        pf->revision.revision << 8 | pf->phase);
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

    uint8_t unready = view_unready(view);
    bool same_readiness = unready == slot->unready;
    slot->unready = unready;
    slot->ready = view->state == HOST_READY;
    slot->free_vcpus = view->report ? view_free_vcpus(view) : 0;
    slot->free_memory_mib = view->report ? view_free_memory_mib(view) : 0;
    if (!same_host || !same_facts)
        slot_sync_networks(index, slot);
    slot_relink_ranks(slot);
    slot_sync_pfs(index, state, slot,
                  same_host && same_readiness && holds == slot->holds);
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
        pf_slot_claim(pf_slot, claim, on);
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
