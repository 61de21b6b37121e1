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

static const char *const device_kind_names[] = {
#define X(name, wire) [DEVICE_##name] = wire,
    DEVICE_KINDS(X)
#undef X
};
NAMES_DEFINE(device_kind, DEVICE_KIND_MAX);

static const char *const bridge_mode_names[] = {
    [BRIDGE_NONE] = NULL,
    [BRIDGE_VEB] = "veb",
    [BRIDGE_VEPA] = "vepa",
};
NAMES_DEFINE(bridge_mode, BRIDGE_MODE_MAX);

static const char *const autoprobe_names[] = {
    [AUTOPROBE_NONE] = NULL,
    [AUTOPROBE_OFF] = "off",
    [AUTOPROBE_ON] = "on",
};
NAMES_DEFINE(autoprobe, AUTOPROBE_MAX);

static const char *const check_status_names[] = {
    [CHECK_OK] = "ok",
    [CHECK_WARNING] = "warning",
    [CHECK_FAILED] = "failed",
    [CHECK_UNKNOWN] = "unknown",
};
NAMES_DEFINE(check_status, CHECK_STATUS_MAX);

enum device_kind device_kind_of_class(uint32_t pci_class)
{
    switch (pci_class >> 16) {
    case 0x01:
        return DEVICE_STORAGE;
    case 0x02:
        return DEVICE_NETWORK;
    case 0x03:
        return DEVICE_DISPLAY;
    case 0x0b:
    case 0x10:
    case 0x12:
        return DEVICE_ACCELERATOR;
    default:
        return DEVICE_OTHER;
    }
}

static const char *const switch_kind_names[] = {
    [SWITCH_LINUX_BRIDGE] = "linux_bridge",
    [SWITCH_OPENVSWITCH] = "openvswitch",
    [SWITCH_MACVTAP] = "macvtap",
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
    pf->bond_mode = "";
    pf->numa_node = pf->iommu_group = pf->link_speed_mbps = -1;
    pf->bond_speed_mbps = pf->vf_total_msix = -1;
    pf->capabilities = capabilities_unknown();
    pf->vf_count = vf_count;
    for (size_t i = 0; i < vf_count; i++) {
        pf->vfs[i].index = (uint16_t)i;
        pf->vfs[i].driver = pf->vfs[i].reason = "";
        pf->vfs[i].iommu_group = pf->vfs[i].msix_vectors = -1;
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
    free(inventory->checks);
    free(inventory);
}

struct inventory *inventory_new(size_t pf_count, size_t network_count,
                                size_t unreadable_count)
{
    struct inventory *inventory = mem_new(struct inventory);
    ref_init(&inventory->ref, inventory_release);
    inventory->kernel = "";
    inventory->libvirt_version = inventory->qemu_version = "";
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

void inventory_set_checks(struct inventory *inventory,
                          const struct readiness_check *checks, size_t count)
{
    inventory->check_count = count;
    inventory->checks = mem_calloc(count, sizeof *checks);
    if (count)
        memcpy(inventory->checks, checks, count * sizeof *checks);
}

struct inventory *inventory_like(const struct inventory *facts, size_t pf_count)
{
    struct inventory *made =
        inventory_new(pf_count, facts->network_count, facts->unreadable_count);
    made->machine_id = facts->machine_id;
    made->kernel = facts->kernel;
    made->libvirt_version = facts->libvirt_version;
    made->qemu_version = facts->qemu_version;
    made->vcpus = facts->vcpus;
    made->memory_mib = facts->memory_mib;
    made->external_vcpus = facts->external_vcpus;
    made->external_memory_mib = facts->external_memory_mib;
    if (facts->network_count)
        memcpy(made->networks, facts->networks,
               facts->network_count * sizeof *facts->networks);
    if (facts->unreadable_count)
        memcpy(made->unreadable, facts->unreadable,
               facts->unreadable_count * sizeof *facts->unreadable);
    inventory_set_checks(made, facts->checks, facts->check_count);
    return made;
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
           a->msix_vectors == b->msix_vectors &&
           strcmp(a->netdev, b->netdev) == 0 &&
           strcmp(a->driver, b->driver) == 0 &&
           strcmp(a->reason, b->reason) == 0 &&
           uuid_equal(&a->port, &b->port) &&
           policy_same(&a->policy, &b->policy);
}

/* What the PF is; what changes while it runs is in pf_same. */
static bool pf_same_identity(const struct pf *a, const struct pf *b)
{
    return pf_key_compare(&a->key, &b->key) == 0 && a->kind == b->kind &&
           a->pci_class == b->pci_class && a->vf_device_id == b->vf_device_id &&
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

static bool bond_same(const struct pf *a, const struct pf *b)
{
    return strcmp(a->bond, b->bond) == 0 &&
           strcmp(a->bond_mode, b->bond_mode) == 0 &&
           a->bond_speed_mbps == b->bond_speed_mbps &&
           a->bond_active == b->bond_active;
}

bool pf_same(const struct pf *a, const struct pf *b)
{
    if (a == b)
        return true;
    if (!pf_same_identity(a, b) || strcmp(a->netdev, b->netdev) != 0 ||
        mac_compare(&a->mac, &b->mac) != 0 || a->link_up != b->link_up ||
        a->link_speed_mbps != b->link_speed_mbps || a->mtu != b->mtu ||
        !bond_same(a, b) || strcmp(a->used_by, b->used_by) != 0 ||
        a->num_vfs != b->num_vfs || a->autoprobe != b->autoprobe ||
        a->bridge_mode != b->bridge_mode ||
        a->vf_total_msix != b->vf_total_msix ||
        a->eswitch_mode != b->eswitch_mode || a->management != b->management ||
        strcmp(a->management_reason, b->management_reason) != 0 ||
        !capabilities_equal(&a->capabilities, &b->capabilities) ||
        a->vf_count != b->vf_count)
        return false;
    for (size_t i = 0; i < a->vf_count; i++)
        if (!vf_same(&a->vfs[i], &b->vfs[i]))
            return false;
    return true;
}

static bool same_reading(const struct pf *a, const struct pf *b)
{
    if (a->observed_at != b->observed_at || !pf_same(a, b))
        return false;
    for (size_t i = 0; i < a->vf_count; i++)
        if (a->vfs[i].observed_at != b->vfs[i].observed_at)
            return false;
    return true;
}

void inventory_share(struct inventory *inventory, const struct inventory *old)
{
    size_t j = 0;
    for (size_t i = 0; i < inventory->pf_count; i++) {
        struct pf *pf = inventory->pfs[i];
        while (j < old->pf_count &&
               pf_key_compare(&old->pfs[j]->key, &pf->key) < 0)
            j++;
        if (j == old->pf_count)
            return;
        if (old->pfs[j] == pf || !same_reading(old->pfs[j], pf))
            continue;
        inventory->pfs[i] = ref_get(old->pfs[j]);
        ref_put(pf);
    }
}

static bool network_same(const struct network *a, const struct network *b)
{
    return a->kind == b->kind && a->mtu == b->mtu && a->vlans == b->vlans &&
           strcmp(a->physical_network, b->physical_network) == 0 &&
           strcmp(a->device, b->device) == 0 &&
           strcmp(a->uplink, b->uplink) == 0;
}

static bool check_same(const struct readiness_check *a,
                       const struct readiness_check *b)
{
    return a->status == b->status && strcmp(a->name, b->name) == 0 &&
           strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->remedy, b->remedy) == 0;
}

bool inventory_same_host_facts(const struct inventory *a,
                               const struct inventory *b)
{
    if (a == b)
        return true;
    if (!uuid_equal(&a->machine_id, &b->machine_id) ||
        strcmp(a->kernel, b->kernel) != 0 ||
        strcmp(a->libvirt_version, b->libvirt_version) != 0 ||
        strcmp(a->qemu_version, b->qemu_version) != 0 ||
        a->check_count != b->check_count || a->vcpus != b->vcpus ||
        a->memory_mib != b->memory_mib ||
        a->external_vcpus != b->external_vcpus ||
        a->external_memory_mib != b->external_memory_mib ||
        a->network_count != b->network_count ||
        a->unreadable_count != b->unreadable_count)
        return false;
    for (size_t i = 0; i < a->network_count; i++)
        if (!network_same(&a->networks[i], &b->networks[i]))
            return false;
    for (size_t i = 0; i < a->check_count; i++)
        if (!check_same(&a->checks[i], &b->checks[i]))
            return false;
    for (size_t i = 0; i < a->unreadable_count; i++)
        if (strcmp(a->unreadable[i].what, b->unreadable[i].what) != 0 ||
            strcmp(a->unreadable[i].why, b->unreadable[i].why) != 0)
            return false;
    return true;
}
