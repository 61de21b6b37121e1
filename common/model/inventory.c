/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories, PFs and VFs as shared immutable objects: see inventory.h. */
#include "common/model/inventory.h"

#include "common/model/names.h"

#include <string.h>

static const char *const vf_state_names[] = {
#define X(name, wire) [VF_##name] = wire,
    VF_STATES(X)
#undef X
};
NAMES_DEFINE(vf_state, VF_STATE_MAX);

static const char *const eswitch_mode_names[] = {
    [ESWITCH_NONE] = NULL,
    [ESWITCH_LEGACY] = "legacy",
    [ESWITCH_SWITCHDEV] = "switchdev",
};
NAMES_DEFINE(eswitch_mode, ESWITCH_MODE_MAX);

static const char *const switch_kind_names[] = {
    [SWITCH_LINUX_BRIDGE] = "linux_bridge",
    [SWITCH_OPENVSWITCH] = "openvswitch",
};
NAMES_DEFINE(switch_kind, SWITCH_KIND_MAX);

static void pf_release(void *object)
{
    free(object);
}

static size_t pf_size(size_t vf_count)
{
    return sizeof(struct pf) + vf_count * sizeof(struct vf);
}

/* Everything starts as "not told", so a reader that finds nothing is right. */
struct pf *pf_new(size_t vf_count)
{
    struct pf *pf = mem_calloc(1, pf_size(vf_count));
    ref_init(&pf->ref, pf_release);
    pf->vendor_name = pf->device_name = pf->driver = pf->firmware = "";
    pf->numa_node = pf->iommu_group = pf->link_speed_mbps = -1;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = "";
    pf->vf_count = vf_count;
    for (size_t i = 0; i < vf_count; i++) {
        pf->vfs[i].index = (uint16_t)i;
        pf->vfs[i].driver = pf->vfs[i].reason = "";
        pf->vfs[i].iommu_group = -1;
    }
    return pf;
}

struct pf *pf_dup(const struct pf *pf)
{
    struct pf *copy = mem_dup(pf, pf_size(pf->vf_count));
    ref_init(&copy->ref, pf_release);
    return copy;
}

static void inventory_release(void *object)
{
    struct inventory *inventory = object;
    for (size_t i = 0; i < inventory->pf_count; i++)
        ref_put(inventory->pfs[i]);
    free(inventory->pfs);
    free(inventory->networks);
    free(inventory->unreadable);
    free(inventory);
}

struct inventory *inventory_new(size_t pf_count, size_t network_count,
                                size_t unreadable_count)
{
    struct inventory *inventory = mem_new(struct inventory);
    ref_init(&inventory->ref, inventory_release);
    inventory->kernel = "";
    inventory->pf_count = pf_count;
    inventory->pfs = mem_calloc(pf_count, sizeof *inventory->pfs);
    inventory->network_count = network_count;
    inventory->networks =
        mem_calloc(network_count, sizeof *inventory->networks);
    inventory->unreadable_count = unreadable_count;
    inventory->unreadable =
        mem_calloc(unreadable_count, sizeof *inventory->unreadable);
    return inventory;
}

const struct pf *inventory_pf(const struct inventory *inventory,
                              const struct pf_key *key)
{
    size_t low = 0, high = inventory->pf_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = pf_key_compare(key, &inventory->pfs[middle]->key);
        if (order == 0)
            return inventory->pfs[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct vf *pf_vf(const struct pf *pf, uint16_t vf_index)
{
    /* Mostly VF n stands at n; a reading in which some vanished has gaps. */
    if (vf_index < pf->vf_count && pf->vfs[vf_index].index == vf_index)
        return &pf->vfs[vf_index];
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].index == vf_index)
            return &pf->vfs[i];
    return NULL;
}

static bool policy_same(const struct policy *a, const struct policy *b)
{
    return a->set == b->set && policy_difference(a, b) == 0;
}

static bool address_same(bool has_a, const struct pci_address *a, bool has_b,
                         const struct pci_address *b)
{
    return has_a == has_b && (!has_a || pci_compare(a, b) == 0);
}

static bool vf_same(const struct vf *a, const struct vf *b)
{
    return a->index == b->index && a->state == b->state &&
           address_same(a->has_address, &a->address, b->has_address,
                        &b->address) &&
           a->iommu_group == b->iommu_group &&
           strcmp(a->netdev, b->netdev) == 0 &&
           strcmp(a->driver, b->driver) == 0 &&
           strcmp(a->reason, b->reason) == 0 &&
           uuid_equal(&a->port, &b->port) &&
           policy_same(&a->policy, &b->policy);
}

static bool capabilities_same(const struct capabilities *a,
                              const struct capabilities *b)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        const struct capability *x = &a->field[i], *y = &b->field[i];
        if (x->support != y->support || x->source != y->source ||
            x->max != y->max || strcmp(x->note, y->note) != 0)
            return false;
    }
    return true;
}

/* What the PF is; what changes while it runs is in pf_same. */
static bool pf_same_identity(const struct pf *a, const struct pf *b)
{
    return pf_key_compare(&a->key, &b->key) == 0 &&
           address_same(a->has_address, &a->address, b->has_address,
                        &b->address) &&
           a->vendor_id == b->vendor_id && a->device_id == b->device_id &&
           strcmp(a->vendor_name, b->vendor_name) == 0 &&
           strcmp(a->device_name, b->device_name) == 0 &&
           strcmp(a->driver, b->driver) == 0 &&
           strcmp(a->firmware, b->firmware) == 0 &&
           a->numa_node == b->numa_node && a->iommu_group == b->iommu_group &&
           a->total_vfs == b->total_vfs;
}

bool pf_same(const struct pf *a, const struct pf *b)
{
    if (a == b)
        return true;
    if (!pf_same_identity(a, b) || strcmp(a->netdev, b->netdev) != 0 ||
        mac_compare(&a->mac, &b->mac) != 0 || a->link_up != b->link_up ||
        a->link_speed_mbps != b->link_speed_mbps || a->mtu != b->mtu ||
        strcmp(a->bond, b->bond) != 0 || a->num_vfs != b->num_vfs ||
        a->eswitch_mode != b->eswitch_mode || a->management != b->management ||
        strcmp(a->management_reason, b->management_reason) != 0 ||
        !capabilities_same(&a->capabilities, &b->capabilities) ||
        a->vf_count != b->vf_count)
        return false;
    for (size_t i = 0; i < a->vf_count; i++)
        if (!vf_same(&a->vfs[i], &b->vfs[i]))
            return false;
    return true;
}

static bool network_same(const struct network *a, const struct network *b)
{
    return a->kind == b->kind && a->mtu == b->mtu &&
           strcmp(a->physical_network, b->physical_network) == 0 &&
           strcmp(a->device, b->device) == 0 &&
           strcmp(a->uplink, b->uplink) == 0;
}

bool inventory_same_host_facts(const struct inventory *a,
                               const struct inventory *b)
{
    if (a == b)
        return true;
    if (!uuid_equal(&a->machine_id, &b->machine_id) ||
        strcmp(a->kernel, b->kernel) != 0 || a->vcpus != b->vcpus ||
        a->memory_mib != b->memory_mib ||
        a->external_vcpus != b->external_vcpus ||
        a->external_memory_mib != b->external_memory_mib ||
        a->network_count != b->network_count ||
        a->unreadable_count != b->unreadable_count)
        return false;
    for (size_t i = 0; i < a->network_count; i++)
        if (!network_same(&a->networks[i], &b->networks[i]))
            return false;
    for (size_t i = 0; i < a->unreadable_count; i++)
        if (strcmp(a->unreadable[i].what, b->unreadable[i].what) != 0 ||
            strcmp(a->unreadable[i].why, b->unreadable[i].why) != 0)
            return false;
    return true;
}
