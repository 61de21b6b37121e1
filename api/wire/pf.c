/* SPDX-License-Identifier: Apache-2.0 */
/* PFs and VFs as JSON: see wire.h. Members that only repeat others for people
 * (bus, a VF's name) are written and, when read, taken and not believed. */
#include "api/wire/pf.h"

#include "common/base/str.h"

#include <stdio.h>
#include <stdlib.h>

/* -1 = not told. */
static json_t *number_or_null(int32_t number)
{
    return number < 0 ? json_null() : json_integer(number);
}

json_t *wire_vf(const struct pf *pf, const struct vf *vf)
{
    char name[VF_NAME_SIZE];
    json_t *object = json_object();
    vf_name_format(&pf->key, vf->index, vf->has_address ? &vf->address : NULL,
                   name);
    wire_set(object, "name", wire_text(name));
    wire_set(object, "index", wire_number(vf->index));
    wire_set(object, "address", wire_pci(vf->has_address, &vf->address));
    wire_set(object, "state",
             wire_text(vf_state_name((enum vf_state)vf->state)));
    wire_set(object, "driver", wire_text(vf->driver));
    wire_set(object, "netdev", wire_text(vf->netdev));
    wire_set(object, "iommu_group", json_integer(vf->iommu_group));
    wire_set(object, "msix_vectors", number_or_null(vf->msix_vectors));
    wire_set(object, "port_id", wire_uuid(&vf->port));
    wire_set(object, "reason", wire_text(vf->reason));
    wire_set(object, "policy", wire_policy(&vf->policy));
    wire_set(object, "observed_at", wire_timestamp(vf->observed_at));
    return object;
}

static int read_vf(const json_t *value, const char *path, size_t *unknown,
                   struct vf *vf, struct error *err)
{
    struct json_reader reader;
    const json_t *policy = NULL;
    json_reader_begin(&reader, value, path, err);
    json_take_any(&reader, "name");
    wire_take_uint(&reader, "index", true, UINT16_MAX, vf->index);
    vf->has_address = wire_take_pci(&reader, "address", &vf->address);
    wire_take_enum(&reader, "state", true, vf_state, VF_STATE_MAX, &vf->state);
    wire_take_interned(&reader, "driver", &vf->driver);
    wire_take_copy(&reader, "netdev", false, vf->netdev);
    wire_take_int(&reader, "iommu_group", false, -1, INT32_MAX,
                  vf->iommu_group);
    wire_take_int(&reader, "msix_vectors", false, 0, INT32_MAX,
                  vf->msix_vectors);
    wire_take_uuid(&reader, "port_id", false, &vf->port);
    wire_take_interned(&reader, "reason", &vf->reason);
    json_take_object(&reader, "policy", false, &policy);
    wire_take_time(&reader, "observed_at", &vf->observed_at);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    char inner[WIRE_PATH_SIZE];
    return policy ? wire_read_readback(policy, wire_path(inner, path, "policy"),
                                       unknown, &vf->policy, err)
                  : 0;
}

static json_t *link_object(const struct pf *pf)
{
    json_t *link = json_object();
    wire_set(link, "up", json_boolean(pf->link_up));
    wire_set(link, "speed_mbps", number_or_null(pf->link_speed_mbps));
    return link;
}

/* What its VFs and switch are like; null = the kernel does not tell. */
static void set_switch(json_t *object, const struct pf *pf)
{
    const char *mode = eswitch_mode_name((enum eswitch_mode)pf->eswitch_mode);
    const char *bridge = bridge_mode_name((enum bridge_mode)pf->bridge_mode);
    const char *autoprobe = autoprobe_name((enum autoprobe)pf->autoprobe);
    wire_set(object, "total_vfs", wire_number(pf->total_vfs));
    wire_set(object, "num_vfs", wire_number(pf->num_vfs));
    wire_set(object, "vf_device_id", wire_hex16(pf->vf_device_id));
    wire_set(object, "vf_total_msix", number_or_null(pf->vf_total_msix));
    wire_set(object, "vf_drivers_autoprobe",
             autoprobe ? wire_text(autoprobe) : json_null());
    wire_set(object, "eswitch_mode", mode ? wire_text(mode) : json_null());
    wire_set(object, "bridge_mode", bridge ? wire_text(bridge) : json_null());
}

static void set_bond(json_t *object, const struct pf *pf)
{
    wire_set(object, "bond", wire_text(pf->bond));
    wire_set(object, "bond_mode", wire_text(pf->bond_mode));
    wire_set(object, "bond_speed_mbps", number_or_null(pf->bond_speed_mbps));
    wire_set(object, "bond_active", json_boolean(pf->bond_active));
}

json_t *wire_pf(const struct pf *pf, bool with_vfs)
{
    char class[8];
    char mac[MAC_TEXT_SIZE];
    json_t *object = json_object();
    wire_set(object, "key", wire_text(pf->key.text));
    wire_set(object, "bus", wire_text(pf_key_bus(&pf->key)));
    wire_set(object, "address", wire_pci(pf->has_address, &pf->address));
    wire_set(object, "kind",
             wire_text(device_kind_name((enum device_kind)pf->kind)));
    snprintf(class, sizeof class, "%06x", pf->pci_class & 0xffffff);
    wire_set(object, "pci_class", json_string(class));
    wire_set(object, "netdev", wire_text(pf->netdev));
    wire_set(object, "mac", wire_text(mac_format(&pf->mac, mac)));
    wire_set(object, "vendor_id", wire_hex16(pf->vendor_id));
    wire_set(object, "device_id", wire_hex16(pf->device_id));
    wire_set(object, "vendor_name", wire_text(pf->vendor_name));
    wire_set(object, "device_name", wire_text(pf->device_name));
    wire_set(object, "driver", wire_text(pf->driver));
    wire_set(object, "firmware", wire_text(pf->firmware));
    wire_set(object, "numa_node", json_integer(pf->numa_node));
    wire_set(object, "iommu_group", json_integer(pf->iommu_group));
    wire_set(object, "link", link_object(pf));
    wire_set(object, "mtu", wire_number(pf->mtu));
    set_bond(object, pf);
    wire_set(object, "used_by", wire_text(pf->used_by));
    set_switch(object, pf);
    wire_set(object, "management", json_boolean(pf->management));
    wire_set(object, "management_reason", wire_text(pf->management_reason));
    wire_set(object, "capabilities", wire_capabilities(&pf->capabilities));
    wire_set(object, "observed_at", wire_timestamp(pf->observed_at));
    if (!with_vfs)
        return object;
    json_t *vfs = json_array();
    for (size_t i = 0; i < pf->vf_count; i++)
        json_array_append_new(vfs, wire_vf(pf, &pf->vfs[i]));
    wire_set(object, "vfs", vfs);
    return object;
}

/* The nested parts of a PF, which are read after its plain members. */
struct parts {
    const json_t *link, *capabilities, *vfs;
};

static void take_class(struct json_reader *reader, struct pf *pf)
{
    const char *text = NULL;
    uint64_t number = 0;
    if (!json_take_text(reader, "pci_class", false, &text))
        return;
    if (!str_to_u64(text, 16, 0xffffff, &number))
        json_reader_fail(reader, "pci_class", "expected six hex digits");
    pf->pci_class = (uint32_t)number;
}

static void take_identity(struct json_reader *reader, struct pf *pf)
{
    wire_take_enum(reader, "kind", false, device_kind, DEVICE_KIND_MAX,
                   &pf->kind);
    take_class(reader, pf);
    wire_take_pf_key(reader, "key", true, &pf->key);
    json_take_any(reader, "bus");
    pf->has_address = wire_take_pci(reader, "address", &pf->address);
    wire_take_copy(reader, "netdev", false, pf->netdev);
    wire_take_mac(reader, "mac", false, &pf->mac);
    wire_take_hex16(reader, "vendor_id", &pf->vendor_id);
    wire_take_hex16(reader, "device_id", &pf->device_id);
    wire_take_interned(reader, "vendor_name", &pf->vendor_name);
    wire_take_interned(reader, "device_name", &pf->device_name);
    wire_take_interned(reader, "driver", &pf->driver);
    wire_take_interned(reader, "firmware", &pf->firmware);
    wire_take_int(reader, "numa_node", false, -1, INT32_MAX, pf->numa_node);
    wire_take_int(reader, "iommu_group", false, -1, INT32_MAX, pf->iommu_group);
}

static void take_state(struct json_reader *reader, struct pf *pf,
                       struct parts *parts)
{
    json_take_object(reader, "link", false, &parts->link);
    wire_take_uint(reader, "mtu", false, UINT16_MAX, pf->mtu);
    wire_take_copy(reader, "bond", false, pf->bond);
    wire_take_interned(reader, "bond_mode", &pf->bond_mode);
    wire_take_int(reader, "bond_speed_mbps", false, 0, INT32_MAX,
                  pf->bond_speed_mbps);
    json_take_bool(reader, "bond_active", false, &pf->bond_active);
    wire_take_copy(reader, "used_by", false, pf->used_by);
    wire_take_uint(reader, "total_vfs", false, UINT16_MAX, pf->total_vfs);
    wire_take_uint(reader, "num_vfs", false, UINT16_MAX, pf->num_vfs);
    wire_take_hex16(reader, "vf_device_id", &pf->vf_device_id);
    wire_take_int(reader, "vf_total_msix", false, 0, INT32_MAX,
                  pf->vf_total_msix);
    wire_take_enum(reader, "vf_drivers_autoprobe", false, autoprobe,
                   AUTOPROBE_MAX, &pf->autoprobe);
    wire_take_enum(reader, "eswitch_mode", false, eswitch_mode,
                   ESWITCH_MODE_MAX, &pf->eswitch_mode);
    wire_take_enum(reader, "bridge_mode", false, bridge_mode, BRIDGE_MODE_MAX,
                   &pf->bridge_mode);
    json_take_bool(reader, "management", false, &pf->management);
    wire_take_copy(reader, "management_reason", false, pf->management_reason);
    json_take_object(reader, "capabilities", false, &parts->capabilities);
    wire_take_time(reader, "observed_at", &pf->observed_at);
    json_take_array(reader, "vfs", false, PF_VFS_MAX, &parts->vfs);
}

static int read_link(const json_t *value, const char *path, size_t *unknown,
                     struct pf *pf, struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, value, path, err);
    json_take_bool(&reader, "up", false, &pf->link_up);
    wire_take_int(&reader, "speed_mbps", false, 0, INT32_MAX,
                  pf->link_speed_mbps);
    return json_reader_end(&reader, false, unknown);
}

static int order_vfs(const void *a, const void *b)
{
    const struct vf *left = a, *right = b;
    return (int)left->index - (int)right->index;
}

static int read_vfs(const json_t *vfs, const char *path, size_t *unknown,
                    struct pf *pf, struct error *err)
{
    char inner[WIRE_PATH_SIZE];
    for (size_t i = 0; i < pf->vf_count; i++)
        if (read_vf(json_array_get(vfs, i), wire_path_at(inner, path, "vfs", i),
                    unknown, &pf->vfs[i], err))
            return -1;
    qsort(pf->vfs, pf->vf_count, sizeof *pf->vfs, order_vfs);
    for (size_t i = 1; i < pf->vf_count; i++)
        if (pf->vfs[i - 1].index == pf->vfs[i].index)
            return error_set_field(err, ERROR_INVALID,
                                   wire_path(inner, path, "vfs"),
                                   "VF %u is there twice", pf->vfs[i].index);
    return 0;
}

struct pf *wire_read_pf(const json_t *value, const char *path, size_t *unknown,
                        struct error *err)
{
    struct json_reader reader;
    struct parts parts = {0};
    char inner[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, path, err);
    /* The room must be known before the members can be put into it. */
    const json_t *listed = json_object_get(value, "vfs");
    size_t count = json_array_size(listed);
    auto_pf struct pf *pf = pf_new(count <= PF_VFS_MAX ? count : 0);
    take_identity(&reader, pf);
    take_state(&reader, pf, &parts);
    if (json_reader_end(&reader, false, unknown))
        return NULL;
    if (parts.link &&
        read_link(parts.link, wire_path(inner, path, "link"), unknown, pf, err))
        return NULL;
    if (parts.capabilities &&
        wire_read_capabilities(parts.capabilities,
                               wire_path(inner, path, "capabilities"), unknown,
                               &pf->capabilities, err))
        return NULL;
    if (read_vfs(parts.vfs, path, unknown, pf, err))
        return NULL;
    return take_ptr(pf);
}

struct pf *wire_pf_read(const json_t *value, struct error *err)
{
    return wire_read_pf(value, "", NULL, err);
}
