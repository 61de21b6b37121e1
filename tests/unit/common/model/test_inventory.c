/* SPDX-License-Identifier: Apache-2.0 */
/* Inventories as shared objects: defaults, look-ups, what counts as equal. */
#include "common/base/str.h"
#include "common/model/inventory.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct pf *sample(void)
{
    struct pf *pf = pf_new(3);
    pf_key_parse("0000:3b:00.0", &pf->key);
    str_copy(pf->netdev, "eth0");
    pf->driver = str_intern("igb");
    pf->num_vfs = 3;
    pf->vfs[2].driver = str_intern("vfio-pci");
    pf->vfs[2].policy = policy_clean();
    return pf;
}

START_TEST(a_new_pf_tells_nothing)
{
    auto_pf struct pf *pf = pf_new(2);
    ck_assert_str_eq(pf->driver, "");
    ck_assert_str_eq(pf->firmware, "");
    ck_assert_str_eq(pf->vendor_name, "");
    ck_assert_str_eq(pf->device_name, "");
    ck_assert_int_eq(pf->numa_node, -1);
    ck_assert_int_eq(pf->iommu_group, -1);
    ck_assert_int_eq(pf->link_speed_mbps, -1);
    ck_assert_uint_eq(pf->vf_count, 2);
    for (uint16_t i = 0; i < 2; i++) {
        ck_assert_uint_eq(pf->vfs[i].index, i);
        ck_assert_str_eq(pf->vfs[i].driver, "");
        ck_assert_str_eq(pf->vfs[i].reason, "");
        ck_assert_int_eq(pf->vfs[i].iommu_group, -1);
        ck_assert_uint_eq(pf->vfs[i].policy.set, 0);
    }
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        ck_assert_int_eq(pf->capabilities.field[i].support, CAPABILITY_UNKNOWN);
        ck_assert_str_eq(pf->capabilities.field[i].note, "");
    }
}
END_TEST

START_TEST(a_copy_is_equal_and_its_own)
{
    auto_pf struct pf *pf = sample();
    auto_pf struct pf *copy = pf_dup(pf);
    ck_assert(pf_same(pf, copy));
    copy->vfs[2].state = VF_CLAIMED;
    ck_assert_int_eq(pf->vfs[2].state, VF_FREE);
    ck_assert(!pf_same(pf, copy));
}
END_TEST

START_TEST(when_it_was_read_makes_no_difference)
{
    auto_pf struct pf *pf = sample();
    auto_pf struct pf *copy = pf_dup(pf);
    copy->observed_at = 5;
    copy->vfs[0].observed_at = 6;
    ck_assert(pf_same(pf, copy));
}
END_TEST

/* Every member that an agent may see change. */
#define CHANGES(X)                                                             \
    X(str_copy(pf->netdev, "eth1"))                                            \
    X(pf->mac.bytes[5] = 1)                                                    \
    X(pf->has_address = true)                                                  \
    X(pf->vendor_id = 1)                                                       \
    X(pf->device_id = 1)                                                       \
    X(pf->vendor_name = "x")                                                   \
    X(pf->device_name = "x")                                                   \
    X(pf->driver = "x")                                                        \
    X(pf->firmware = "x")                                                      \
    X(pf->numa_node = 0)                                                       \
    X(pf->iommu_group = 0)                                                     \
    X(pf->link_up = true)                                                      \
    X(pf->link_speed_mbps = 1000)                                              \
    X(pf->mtu = 1500)                                                          \
    X(str_copy(pf->bond, "bond0"))                                             \
    X(pf->total_vfs = 7)                                                       \
    X(pf->num_vfs = 7)                                                         \
    X(pf->eswitch_mode = ESWITCH_LEGACY)                                       \
    X(pf->management = true)                                                   \
    X(str_copy(pf->management_reason, "default route"))                        \
    X(pf->capabilities.field[POLICY_TRUST].support = CAPABILITY_SUPPORTED)     \
    X(pf->capabilities.field[POLICY_MAC].source = CAPABILITY_SOURCE_PROBED)    \
    X(pf->capabilities.field[POLICY_VLAN].max = 1)                             \
    X(pf->capabilities.field[POLICY_VLAN].note = "x")                          \
    X(pf->vfs[1].state = VF_EXTERNAL)                                          \
    X(pf->vfs[1].has_address = true)                                           \
    X(pf->vfs[1].iommu_group = 3)                                              \
    X(str_copy(pf->vfs[1].netdev, "eth9"))                                     \
    X(pf->vfs[1].driver = "x")                                                 \
    X(pf->vfs[1].reason = "x")                                                 \
    X(pf->vfs[1].port.bytes[3] = 1)                                            \
    X(pf->vfs[2].policy.vlan = 1)                                              \
    X(pf->vfs[2].policy.set &= ~POLICY_BIT(POLICY_TRUST))                      \
    X(pf->vfs[1].policy.set = POLICY_BIT(POLICY_TRUST))                        \
    X(pf->vfs[1].index = 9)

START_TEST(every_change_is_a_difference){
#define X(change)                                                              \
    {                                                                          \
        auto_pf struct pf *old = sample();                                     \
        auto_pf struct pf *pf = pf_dup(old);                                   \
        change;                                                                \
        ck_assert_msg(!pf_same(old, pf), "%s", #change);                       \
        ck_assert_msg(!pf_same(pf, old), "%s", #change);                       \
    }
    CHANGES(X)
#undef X
} END_TEST

    START_TEST(addresses_count_only_where_there_are_some)
{
    auto_pf struct pf *pf = sample();
    auto_pf struct pf *copy = pf_dup(pf);
    copy->address.bus = 9;
    ck_assert(pf_same(pf, copy));
    pf->has_address = copy->has_address = true;
    ck_assert(!pf_same(pf, copy));
}
END_TEST

START_TEST(vfs_are_found_by_index_also_with_gaps)
{
    auto_pf struct pf *pf = sample();
    ck_assert_ptr_eq(pf_vf(pf, 2), &pf->vfs[2]);
    ck_assert_ptr_null(pf_vf(pf, 3));
    pf->vfs[1].index = 5;
    pf->vfs[2].index = 9;
    ck_assert_ptr_eq(pf_vf(pf, 9), &pf->vfs[2]);
    ck_assert_ptr_eq(pf_vf(pf, 5), &pf->vfs[1]);
    ck_assert_ptr_null(pf_vf(pf, 1));
}
END_TEST

START_TEST(pfs_are_found_by_key)
{
    static const char *const keys[] = {"0000:3b:00.0", "0000:3b:00.1",
                                       "netdevsim1", "netdevsim10",
                                       "netdevsim2"};
    auto_inventory struct inventory *inventory = inventory_new(5, 0, 0);
    struct pf_key key;
    for (size_t i = 0; i < 5; i++) {
        inventory->pfs[i] = pf_new(0);
        pf_key_parse(keys[i], &inventory->pfs[i]->key);
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert(pf_key_parse(keys[i], &key));
        ck_assert_ptr_eq(inventory_pf(inventory, &key), inventory->pfs[i]);
    }
    ck_assert(pf_key_parse("netdevsim3", &key));
    ck_assert_ptr_null(inventory_pf(inventory, &key));
    ck_assert(pf_key_parse("0000:00:00.0", &key));
    ck_assert_ptr_null(inventory_pf(inventory, &key));
}
END_TEST

START_TEST(only_pfs_that_say_the_same_are_shared)
{
    static const char *const keys[] = {"0000:3b:00.0", "0000:3c:00.0",
                                       "0000:3d:00.0", "0000:3e:00.0"};
    auto_inventory struct inventory *old = inventory_new(4, 0, 0);
    auto_inventory struct inventory *new = inventory_new(4, 0, 0);
    for (size_t i = 0; i < 4; i++) {
        old->pfs[i] = sample();
        pf_key_parse(keys[i], &old->pfs[i]->key);
        new->pfs[i] = pf_dup(old->pfs[i]);
    }
    new->pfs[1]->vfs[2].state = VF_EXTERNAL;
    new->pfs[2]->vfs[1].observed_at = 7;
    struct pf *changed = new->pfs[1], *later = new->pfs[2];
    inventory_share(new, old);
    ck_assert_ptr_eq(new->pfs[0], old->pfs[0]);
    ck_assert_ptr_eq(new->pfs[1], changed);
    ck_assert_ptr_eq(new->pfs[2], later);
    ck_assert_ptr_eq(new->pfs[3], old->pfs[3]);
    /* Again, and with nothing: as it is. */
    auto_inventory struct inventory *none = inventory_new(0, 0, 0);
    inventory_share(new, old);
    inventory_share(new, none);
    inventory_share(none, old);
    ck_assert_uint_eq(new->pfs[0]->ref.count, 2);
}
END_TEST

START_TEST(an_inventory_holds_a_reference_on_each_pf)
{
    auto_pf struct pf *pf = sample();
    {
        auto_inventory struct inventory *inventory = inventory_new(2, 1, 1);
        inventory->pfs[0] = ref_get(pf);
        ck_assert_uint_eq(pf->ref.count, 2);
    }
    ck_assert_uint_eq(pf->ref.count, 1);
}
END_TEST

static struct inventory *facts(void)
{
    struct inventory *inventory = inventory_new(0, 1, 1);
    inventory->vcpus = 8;
    str_copy(inventory->networks[0].device, "br0");
    str_copy(inventory->unreadable[0].what, "/sys/x");
    return inventory;
}

START_TEST(host_facts_are_all_but_the_pfs)
{
#define X(change)                                                              \
    {                                                                          \
        auto_inventory struct inventory *a = facts();                          \
        auto_inventory struct inventory *b = facts();                          \
        ck_assert(inventory_same_host_facts(a, b));                            \
        change;                                                                \
        ck_assert_msg(!inventory_same_host_facts(a, b), "%s", #change);        \
    }
    X(b->machine_id.bytes[0] = 1)
    X(b->kernel = "6.1")
    X(b->vcpus = 9)
    X(b->memory_mib = 1)
    X(b->external_vcpus = 1)
    X(b->external_memory_mib = 1)
    X(b->network_count = 0)
    X(b->networks[0].kind = SWITCH_OPENVSWITCH)
    X(b->networks[0].mtu = 9000)
    X(b->networks[0].vlans = true)
    X(str_copy(b->networks[0].device, "br1"))
    X(str_copy(b->networks[0].uplink, "eth0"))
    X(str_copy(b->networks[0].physical_network, "p"))
    X(b->unreadable_count = 0)
    X(str_copy(b->unreadable[0].what, "x"))
    X(str_copy(b->unreadable[0].why, "x"))
#undef X
    auto_inventory struct inventory *a = facts();
    auto_inventory struct inventory *with_pf = inventory_new(1, 1, 1);
    with_pf->vcpus = 8;
    str_copy(with_pf->networks[0].device, "br0");
    str_copy(with_pf->unreadable[0].what, "/sys/x");
    with_pf->pfs[0] = sample();
    ck_assert(inventory_same_host_facts(a, with_pf));
}
END_TEST

START_TEST(names_go_both_ways)
{
    for (int i = 0; i < VF_STATE_MAX; i++)
        ck_assert_int_eq(vf_state_parse(vf_state_name((enum vf_state)i)), i);
    ck_assert_ptr_null(eswitch_mode_name(ESWITCH_NONE));
    ck_assert_int_eq(eswitch_mode_parse("switchdev"), ESWITCH_SWITCHDEV);
    ck_assert_int_eq(eswitch_mode_parse("none"), ESWITCH_MODE_MAX);
    ck_assert_int_eq(switch_kind_parse("openvswitch"), SWITCH_OPENVSWITCH);
    ck_assert_int_eq(vf_state_parse("gone"), VF_STATE_MAX);
}
END_TEST

CHECK_MAIN("inventory", a_new_pf_tells_nothing, a_copy_is_equal_and_its_own,
           when_it_was_read_makes_no_difference, every_change_is_a_difference,
           addresses_count_only_where_there_are_some,
           vfs_are_found_by_index_also_with_gaps, pfs_are_found_by_key,
           only_pfs_that_say_the_same_are_shared,
           an_inventory_holds_a_reference_on_each_pf,
           host_facts_are_all_but_the_pfs, names_go_both_ways);
