/* SPDX-License-Identifier: Apache-2.0 */
/* PFs in the placement index: their classes and what is free on each. Called by
 * index.c alone, which knows when; the readers' functions by placement. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"

#include <string.h>

bool pf_is_whole(const struct pf *pf, const struct pf_setting *setting)
{
    bool wants_vfs = setting && setting->has_num_vfs && setting->num_vfs;
    return pf->kind == DEVICE_NETWORK && !*pf->used_by && !pf->num_vfs &&
           !pf->vf_count && !wants_vfs;
}

/* ---- classes ------------------------------------------------------------ */

/* A class with the facts of this PF and nothing else set. */
static struct pf_class class_facts(const struct pf *pf,
                                   const struct pf_setting *setting,
                                   uint8_t unready)
{
    const char *network = setting ? setting->physical_network : "";
    uint32_t speed = pf_link_speed_mbps(pf, setting);
    struct pf_class facts = {
        .kind = pf->kind,
        .whole = pf_is_whole(pf, setting),
        .promisable_mbps = pf_promisable_mbps(pf, setting),
        .vendor_id = pf->vendor_id,
        .device_id = pf->device_id,
        .driver = pf->driver,
        .numa_node = pf->numa_node,
        .link_speed_mbps = (int32_t)speed,
        .link_up = pf->link_up,
        .unready = pf->has_address ? unready : 0,
        .capabilities = pf_capabilities(pf, setting),
    };
    str_copy(facts.physical_network, network);
    uint64_t hash = str_hash(network, strlen(network));
    hash = hash_mix(hash, (uint64_t)pf->vendor_id << 16 | pf->device_id);
    hash = hash_mix(hash, str_hash(pf->driver, strlen(pf->driver)));
    hash = hash_mix(hash, (uint64_t)(uint32_t)pf->numa_node << 32 | speed);
    hash = hash_mix(hash, facts.promisable_mbps);
    hash =
        hash_mix(hash, (uint64_t)facts.unready << 16 | (uint64_t)pf->kind << 2 |
                           (uint64_t)facts.whole << 1 | pf->link_up);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        hash = hash_mix(hash,
                        (uint64_t)facts.capabilities.field[i].max << 16 |
                            (uint64_t)facts.capabilities.field[i].needs << 8 |
                            facts.capabilities.field[i].support);
    facts.hash = hash;
    return facts;
}

static bool class_same(const struct pf_class *a, const struct pf_class *b)
{
    if (a->hash != b->hash || a->kind != b->kind || a->whole != b->whole ||
        a->promisable_mbps != b->promisable_mbps || a->unready != b->unready ||
        a->vendor_id != b->vendor_id || a->device_id != b->device_id ||
        a->numa_node != b->numa_node ||
        a->link_speed_mbps != b->link_speed_mbps || a->link_up != b->link_up ||
        strcmp(a->driver, b->driver) != 0 ||
        strcmp(a->physical_network, b->physical_network) != 0)
        return false;
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        const struct capability *x = &a->capabilities.field[i];
        const struct capability *y = &b->capabilities.field[i];
        if (x->support != y->support || x->needs != y->needs ||
            x->max != y->max)
            return false;
    }
    return true;
}

static struct pf_class *class_get(struct index *index, const struct pf *pf,
                                  const struct pf_setting *setting,
                                  uint8_t unready)
{
    struct pf_class facts = class_facts(pf, setting, unready);
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

static void set_bit(uint64_t *bits, size_t bit, bool value)
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
            set_bit(bits, i, true);
    for (size_t i = 0; i < report->port_count; i++) {
        const struct observed_port *port = &report->ports[i];
        if (!port->has_claim || port->phase == PORT_ABSENT ||
            pf_key_compare(&port->claim.pf, &pf->key) != 0)
            continue;
        const struct vf *vf = pf_vf(pf, port->claim.vf_index);
        if (vf)
            set_bit(bits, (size_t)(vf - pf->vfs), false);
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

static int count_free(const struct pf_slot *pf_slot)
{
    int count = 0;
    if (pf_slot->class->whole)
        return !pf_slot->claims && !pf_slot->held;
    if (pf_slot->given || pf_slot->held_as_whole)
        return 0;
    for (size_t i = 0; i < pf_slot->words; i++)
        count += __builtin_popcountll(pf_slot->reported_free[i] &
                                      ~pf_slot->claimed[i]);
    return count;
}

/* Count what is free and put the PF where invariant 1 wants it. */
void pf_slot_relink(struct pf_slot *pf_slot)
{
    int count = count_free(pf_slot);
    pf_slot->free = (uint16_t)count;
    bool wanted = pf_slot->slot->ready && pf_slot->allowed &&
                  !pf_slot->changing && count > 0;
    if (pf_slot->node.linked &&
        (!wanted || pf_slot->node.score != (uint64_t)count))
        pf_slot_unlink(pf_slot);
    if (wanted && !pf_slot->node.linked)
        tree_insert(&pf_slot->class->tree, &pf_slot->node, (uint64_t)count);
}

void pf_slot_free(struct index *index, struct pf_slot *pf_slot)
{
    pf_slot_unlink(pf_slot);
    class_leave(index, pf_slot->class);
    ref_put(pf_slot->pf);
    free(pf_slot->reported_free);
    free(pf_slot);
}

struct pf_slot *pf_slot_new(const struct state *state, struct slot *slot,
                            const struct pf *pf)
{
    struct pf_slot *pf_slot = mem_new(struct pf_slot);
    pf_slot->slot = slot;
    pf_slot->pf = ref_get(pf);
    pf_slot->committed_mbps = view_committed_mbps(state, slot->view, &pf->key);
    pf_slot->bearable_mbps = pf_slot->committed_mbps;
    return pf_slot;
}

/* Who has something of the PF: by the report, by our claims. */
static void sync_holders(struct pf_slot *pf_slot)
{
    const struct host_view *view = pf_slot->slot->view;
    const struct pf *pf = pf_slot->pf;
    pf_slot->held = pf_slot->held_as_whole = pf_slot->given = false;
    for (size_t i = 0; i < view->report->port_count; i++) {
        const struct observed_port *port = &view->report->ports[i];
        if (!port->has_claim || port->phase == PORT_ABSENT ||
            pf_key_compare(&port->claim.pf, &pf->key) != 0)
            continue;
        pf_slot->held = true;
        pf_slot->held_as_whole |= port->claim.vf_index == CLAIM_WHOLE_PF;
    }
    pf_slot->claims = 0;
    for (size_t i = view_first_claim(view, &pf->key);
         i < view->claim_count &&
         pf_key_compare(&view->claims[i].pf, &pf->key) == 0;
         i++) {
        const struct vf *vf = pf_vf(pf, view->claims[i].vf_index);
        if (vf)
            set_bit(pf_slot->claimed, (size_t)(vf - pf->vfs), true);
        pf_slot->given |= view->claims[i].vf_index == CLAIM_WHOLE_PF;
        pf_slot->claims++;
    }
}

void pf_slot_sync(struct index *index, struct pf_slot *pf_slot,
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
    pf_slot->changing = host_view_pf_changing(view, pf);
    struct pf_class *class =
        class_get(index, pf, setting, pf_slot->slot->unready);
    if (class != pf_slot->class) {
        class->members++;
        class_leave(index, pf_slot->class);
        pf_slot->class = class;
    }
    if (class->promisable_mbps > pf_slot->bearable_mbps)
        pf_slot->bearable_mbps = class->promisable_mbps;
    pf_slot->words = (pf->vf_count + 63) / 64;
    free(pf_slot->reported_free);
    pf_slot->reported_free = mem_calloc(2 * pf_slot->words, sizeof(uint64_t));
    pf_slot->claimed = pf_slot->reported_free + pf_slot->words;
    pf_reported_free(view->report, pf, pf_slot->reported_free);
    sync_holders(pf_slot);
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

uint32_t pf_slot_free_netdevs(const struct pf_slot *pf_slot)
{
    uint32_t count = 0;
    for (size_t i = 0; i < pf_slot->words; i++) {
        uint64_t bits = pf_slot->reported_free[i] & ~pf_slot->claimed[i];
        for (; bits; bits &= bits - 1)
            count += *pf_slot->pf->vfs[i * 64 + (size_t)__builtin_ctzll(bits)]
                          .netdev != '\0';
    }
    return count;
}

void pf_slot_claim(struct pf_slot *pf_slot, const struct claim *claim, bool on)
{
    const struct vf *vf = pf_vf(pf_slot->pf, claim->vf_index);
    if (on)
        pf_slot->committed_mbps += claim->min_tx_rate_mbps;
    else
        pf_slot->committed_mbps -= claim->min_tx_rate_mbps;
    pf_slot->claims += on ? 1 : (size_t)-1;
    if (claim->vf_index == CLAIM_WHOLE_PF)
        pf_slot->given = on;
    if (vf)
        set_bit(pf_slot->claimed, (size_t)(vf - pf_slot->pf->vfs), on);
    pf_slot_relink(pf_slot);
}
