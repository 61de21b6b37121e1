/* SPDX-License-Identifier: Apache-2.0 */
/* Objects with every member set, and what makes two of them equal, for the
 * tests of api/wire. */
#pragma once

#include "api/wire/wire.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <string.h>

/* A time with whole milliseconds, and one without. */
#define TIME_MS (INT64_C(1790000000123) * TIMESTAMP_MS)
#define TIME_NS (TIME_MS + 456789)

static inline struct uuid sample_uuid(uint8_t last)
{
    struct uuid uuid = {{0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc,
                         0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, last}};
    return uuid;
}

static inline struct policy sample_policy(void)
{
    return (struct policy){
        .set = POLICY_ALL,
        .mac = {{0x52, 0x54, 0, 1, 2, 3}},
        .vlan = 100,
        .vlan_qos = 5,
        .vlan_proto = VLAN_PROTO_8021AD,
        .min_tx_rate_mbps = 100,
        .max_tx_rate_mbps = 1000,
        .spoofchk = false,
        .trust = true,
        .link_state = LINK_STATE_DISABLE,
    };
}

static inline struct claim sample_claim(void)
{
    struct claim claim = {
        .vf_index = 9,
        .has_address = true,
        .address = {0, 0x3b, 0x0a, 1},
        .vendor_id = 0x8086,
        .device_id = 0x1520,
        .numa_node = 1,
        .min_tx_rate_mbps = 100,
    };
    pf_key_parse("0000:3b:00.0", &claim.pf);
    return claim;
}

static inline struct pf *sample_pf(const char *key)
{
    struct pf *pf = pf_new(2);
    pf_key_parse(key, &pf->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    str_copy(pf->netdev, "ens1f0");
    pf->mac = (struct mac){{0, 0x1b, 0x21, 1, 2, 3}};
    pf->vendor_id = 0x8086;
    pf->device_id = 0x10c9;
    pf->vendor_name = str_intern("Intel Corporation");
    pf->device_name = str_intern("82576 Gigabit Network Connection");
    pf->driver = str_intern("igb");
    pf->firmware = str_intern("1.2, 0x80000389");
    pf->numa_node = 0;
    pf->iommu_group = 14;
    pf->link_up = true;
    pf->link_speed_mbps = 1000;
    pf->mtu = 9000;
    pf->pci_class = 0x020000;
    str_copy(pf->bond, "bond0");
    pf->bond_mode = str_intern("802.3ad");
    pf->bond_speed_mbps = 2000;
    pf->bond_active = true;
    str_copy(pf->used_by, "bond bond0");
    pf->vf_device_id = 0x10ca;
    pf->autoprobe = AUTOPROBE_OFF;
    pf->bridge_mode = BRIDGE_VEPA;
    pf->vf_total_msix = 128;
    pf->total_vfs = 7;
    pf->num_vfs = 2;
    pf->eswitch_mode = ESWITCH_SWITCHDEV;
    pf->management = true;
    str_copy(pf->management_reason, "carries the default route");
    pf->capabilities.field[POLICY_MAC] = (struct capability){
        CAPABILITY_SUPPORTED, CAPABILITY_SOURCE_PROBED, 0, 0, ""};
    pf->capabilities.field[POLICY_MIN_TX_RATE_MBPS] =
        (struct capability){CAPABILITY_UNSUPPORTED, CAPABILITY_SOURCE_PLUGIN, 0,
                            0, str_intern("EOPNOTSUPP when set")};
    pf->capabilities.field[POLICY_MAX_TX_RATE_MBPS] =
        (struct capability){CAPABILITY_CONDITIONAL, CAPABILITY_SOURCE_OPERATOR,
                            CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP) |
                                CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED),
                            1000, str_intern("only with link")};
    pf->capabilities.trait[CAPABILITY_TRAIT_FLR] = (struct capability){
        CAPABILITY_SUPPORTED, CAPABILITY_SOURCE_PROBED, 0, 0, ""};
    pf->observed_at = TIME_MS;
    pf->vfs[1] = (struct vf){
        .index = 1,
        .state = VF_ATTACHED,
        .has_address = true,
        .address = {0x10000, 0x3b, 0x10, 2},
        .iommu_group = 21,
        .msix_vectors = 4,
        .netdev = "ens1f0v1",
        .driver = str_intern("vfio-pci"),
        .reason = str_intern("used by somebody"),
        .port = sample_uuid(7),
        .policy = sample_policy(),
        .observed_at = TIME_MS,
    };
    return pf;
}

static inline struct inventory *sample_inventory(void)
{
    struct inventory *inventory = inventory_new(2, 1, 1);
    inventory->machine_id = sample_uuid(1);
    inventory->kernel = str_intern("6.1.0-18-amd64");
    inventory->libvirt_version = str_intern("9.0.0");
    inventory->qemu_version = str_intern("7.2.0");
    inventory->vcpus = 64;
    inventory->memory_mib = 262144;
    inventory->external_vcpus = 4;
    inventory->external_memory_mib = 8192;
    inventory->networks[0] = (struct network){
        "physnet0", SWITCH_OPENVSWITCH, "br0", "ens1f1", 1500, true};
    inventory->unreadable[0] =
        (struct unreadable){"/sys/class/net/x/speed", "EINVAL"};
    const struct readiness_check check = {
        "iommu", CHECK_FAILED, str_intern("no IOMMU group"),
        str_intern("boot with intel_iommu=on")};
    inventory_set_checks(inventory, &check, 1);
    inventory->pfs[0] = sample_pf("0000:3b:00.0");
    inventory->pfs[1] = sample_pf("netdevsim1");
    return inventory;
}

static inline bool same_policy(const struct policy *a, const struct policy *b)
{
    return a->set == b->set && policy_difference(a, b) == 0;
}

static inline bool same_claim(const struct claim *a, const struct claim *b)
{
    return pf_key_compare(&a->pf, &b->pf) == 0 && a->vf_index == b->vf_index &&
           a->has_address == b->has_address &&
           (!a->has_address || pci_compare(&a->address, &b->address) == 0) &&
           a->vendor_id == b->vendor_id && a->device_id == b->device_id &&
           a->numa_node == b->numa_node &&
           a->min_tx_rate_mbps == b->min_tx_rate_mbps;
}

static inline bool same_inventory(const struct inventory *a,
                                  const struct inventory *b)
{
    if (!inventory_same_host_facts(a, b) || a->pf_count != b->pf_count)
        return false;
    for (size_t i = 0; i < a->pf_count; i++) {
        if (!pf_same(a->pfs[i], b->pfs[i]) ||
            a->pfs[i]->observed_at != b->pfs[i]->observed_at)
            return false;
        for (size_t v = 0; v < a->pfs[i]->vf_count; v++)
            if (a->pfs[i]->vfs[v].observed_at != b->pfs[i]->vfs[v].observed_at)
                return false;
    }
    return true;
}

/* The value's text equals 'text'; takes the reference. */
static inline void assert_json(json_t *value, const char *text)
{
    char *got = json_text(value);
    json_decref(value);
    ck_assert_str_eq(got, text);
    free(got);
}

/* Through text and back, as a document goes over a wire or into a store; takes
 * the reference. */
static inline json_t *over_the_wire(json_t *value)
{
    struct error err = {0};
    char *text = json_text(value);
    json_decref(value);
    json_t *back = json_parse(text, strlen(text), &err);
    ck_assert_msg(back, "%s", err.msg);
    free(text);
    return back;
}

/* What a writer of json_out.h writes: as a tree, having seen that its text is
 * the same. */
#define TREE_OF(write, object)                                                 \
    __extension__({                                                            \
        struct json_out tree_ = {0};                                           \
        auto_str struct str text_ = {0};                                       \
        struct json_out as_text_ = json_out_as_text(&text_);                   \
        write(&tree_, object);                                                 \
        write(&as_text_, object);                                              \
        auto_free char *same_ = json_text(tree_.tree);                         \
        ck_assert_str_eq(str_text(&text_), same_);                             \
        tree_.tree;                                                            \
    })

static inline json_t *parsed(const char *text)
{
    struct error err = {0};
    json_t *value = json_parse(text, strlen(text), &err);
    ck_assert_msg(value, "%s: %s", err.msg, text);
    return value;
}
