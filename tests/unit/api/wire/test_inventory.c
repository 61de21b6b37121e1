/* SPDX-License-Identifier: Apache-2.0 */
/* PFs, VFs and inventories on the wire. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

START_TEST(a_full_inventory_comes_back_equal)
{
    auto_inventory struct inventory *inventory = sample_inventory();
    auto_json json_t *value = over_the_wire(wire_inventory(inventory));
    auto_inventory struct inventory *back = wire_inventory_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_inventory(inventory, back));
}
END_TEST

START_TEST(a_minimal_inventory_comes_back_equal)
{
    auto_inventory struct inventory *inventory = inventory_new(1, 0, 0);
    inventory->pfs[0] = pf_new(0);
    pf_key_parse("netdevsim0", &inventory->pfs[0]->key);
    auto_json json_t *value = over_the_wire(wire_inventory(inventory));
    auto_inventory struct inventory *back = wire_inventory_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_inventory(inventory, back));
}
END_TEST

START_TEST(what_is_not_told_is_null_or_empty_and_never_0)
{
    auto_pf struct pf *pf = pf_new(1);
    pf_key_parse("netdevsim0", &pf->key);
    pf->vfs[0].policy.set = 0;
    auto_json json_t *value = wire_pf(pf, true);
    json_object_del(value, "capabilities");
    assert_json(
        json_incref(value),
        "{\"key\":\"netdevsim0\",\"bus\":\"netdevsim\",\"address\":null,"
        "\"kind\":\"network\",\"pci_class\":\"000000\","
        "\"netdev\":\"\",\"mac\":\"00:00:00:00:00:00\","
        "\"vendor_id\":null,\"device_id\":null,\"vendor_name\":\"\","
        "\"device_name\":\"\",\"driver\":\"\",\"firmware\":\"\","
        "\"numa_node\":-1,\"iommu_group\":-1,"
        "\"link\":{\"up\":false,\"speed_mbps\":null},\"mtu\":0,"
        "\"bond\":\"\",\"bond_mode\":\"\",\"bond_speed_mbps\":null,"
        "\"bond_active\":false,\"used_by\":\"\","
        "\"total_vfs\":0,\"num_vfs\":0,\"vf_device_id\":null,"
        "\"vf_total_msix\":null,\"vf_drivers_autoprobe\":null,"
        "\"eswitch_mode\":null,\"bridge_mode\":null,\"management\":false,"
        "\"management_reason\":\"\",\"observed_at\":null,"
        "\"vfs\":[{\"name\":\"netdevsim0-vf0\",\"index\":0,"
        "\"address\":null,\"state\":\"free\",\"driver\":\"\","
        "\"netdev\":\"\",\"iommu_group\":-1,\"msix_vectors\":null,"
        "\"port_id\":null,"
        "\"reason\":\"\",\"policy\":{},\"observed_at\":null}]}");
}
END_TEST

START_TEST(a_pf_can_be_told_without_its_vfs)
{
    auto_pf struct pf *pf = sample_pf("0000:3b:00.0");
    auto_json json_t *value = wire_pf(pf, false);
    ck_assert_ptr_null(json_object_get(value, "vfs"));
    ck_assert_str_eq(json_string_value(json_object_get(value, "bus")), "pci");
    ck_assert_str_eq(json_string_value(json_object_get(value, "device_id")),
                     "10c9");
}
END_TEST

START_TEST(a_vf_is_told_with_its_name_and_readback)
{
    auto_pf struct pf *pf = sample_pf("0000:3b:00.0");
    auto_json json_t *value = wire_vf(pf, &pf->vfs[1]);
    ck_assert_str_eq(json_string_value(json_object_get(value, "name")),
                     "10000:3b:10.2");
    ck_assert_str_eq(json_string_value(json_object_get(value, "observed_at")),
                     "2026-09-21T14:13:20.123Z");
    ck_assert_int_eq(json_integer_value(json_object_get(
                         json_object_get(value, "policy"), "vlan")),
                     100);
}
END_TEST

START_TEST(a_network_is_told_with_its_switch)
{
    struct network network = {
        "physnet0", SWITCH_LINUX_BRIDGE, "br0", "eth1", 1500, false};
    assert_json(wire_network(&network),
                "{\"physical_network\":\"physnet0\",\"switch\":\"linux_bridge\""
                ",\"device\":\"br0\",\"uplink\":\"eth1\",\"mtu\":1500,"
                "\"vlans\":false}");
}
END_TEST

START_TEST(pfs_and_vfs_are_put_in_order)
{
    auto_json json_t *value = parsed(
        "{\"pfs\":[{\"key\":\"netdevsim2\"},{\"key\":\"netdevsim10\",\"vfs\":["
        "{\"index\":3,\"state\":\"free\"},{\"index\":1,\"state\":\"free\"}]}]"
        "}");
    auto_inventory struct inventory *back = wire_inventory_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_str_eq(back->pfs[0]->key.text, "netdevsim10");
    ck_assert_uint_eq(back->pfs[0]->vfs[0].index, 1);
    ck_assert_uint_eq(back->pfs[0]->vfs[1].index, 3);
    ck_assert_ptr_eq(inventory_pf(back, &back->pfs[1]->key), back->pfs[1]);
}
END_TEST

START_TEST(kernel_names_that_are_not_utf8_are_told_with_question_marks)
{
    auto_pf struct pf *pf = pf_new(0);
    pf_key_parse("netdevsim0", &pf->key);
    str_copy(pf->netdev, "e\xfft");
    auto_json json_t *value = wire_pf(pf, false);
    ck_assert_str_eq(json_string_value(json_object_get(value, "netdev")),
                     "e?t");
}
END_TEST

START_TEST(faults_are_named_with_their_place)
{
    static const struct {
        const char *text, *field, *msg;
    } cases[] = {
        {"{}", "pfs", "missing"},
        {"{\"pfs\":{}}", "pfs", "expected an array"},
        {"{\"pfs\":[5]}", "pfs[0]", "expected an object, got 5"},
        {"{\"pfs\":[{}]}", "pfs[0].key", "missing"},
        {"{\"pfs\":[{\"key\":\"../x\"}]}", "pfs[0].key", "expected a PF key"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\"},{\"key\":\"netdevsim1\"}]}", "pfs",
         "twice"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vendor_id\":\"80868\"}]}",
         "pfs[0].vendor_id", "four hex digits"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vendor_id\":\"0x80\"}]}",
         "pfs[0].vendor_id", "four hex digits"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vfs\":[{\"index\":1,\"state\":"
         "\"free\"},{\"index\":1,\"state\":\"free\"}]}]}",
         "pfs[0].vfs", "VF 1 is there twice"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vfs\":[{\"index\":1,\"state\":"
         "\"idle\"}]}]}",
         "pfs[0].vfs[0].state", "'idle' is not one of"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vfs\":[{\"index\":70000,"
         "\"state\":\"free\"}]}]}",
         "pfs[0].vfs[0].index", "0-65535"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"vfs\":[{\"index\":1,\"state\":"
         "\"free\",\"policy\":{\"vlan\":\"x\"}}]}]}",
         "pfs[0].vfs[0].policy.vlan", "got a string"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"link\":{\"up\":1}}]}",
         "pfs[0].link.up", "true or false"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"link\":{\"speed_mbps\":-1}}]}",
         "pfs[0].link.speed_mbps", "got -1"},
        {"{\"pfs\":[],\"networks\":[{\"switch\":\"hub\",\"device\":\"b\"}]}",
         "networks[0].switch", "'hub' is not one of"},
        {"{\"pfs\":[],\"networks\":[{\"switch\":\"openvswitch\",\"device\":"
         "\"a-name-that-is-too-long\"}]}",
         "networks[0].device", "too long"},
        {"{\"pfs\":[],\"machine_id\":\"x\"}", "machine_id", "a UUID"},
        {"{\"pfs\":[{\"key\":\"netdevsim1\",\"observed_at\":\"today\"}]}",
         "pfs[0].observed_at", "a time in UTC"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_json json_t *value = parsed(cases[i].text);
        err = (struct error){0};
        ck_assert_ptr_null(wire_inventory_read(value, &err));
        ck_assert_str_eq(err.field, cases[i].field);
        ck_assert_msg(strstr(err.msg, cases[i].msg), "'%s' not in '%s'",
                      cases[i].msg, err.msg);
    }
}
END_TEST

static json_t *many(size_t count, const char *format)
{
    auto_str struct str text = {0};
    str_add(&text, "[");
    for (size_t i = 0; i < count; i++)
        str_printf(&text,
                   "%s{\"%s\":\"netdevsim%zu\",\"index\":%zu,"
                   "\"state\":\"free\"}",
                   i ? "," : "", format, i, i);
    str_add(&text, "]");
    return parsed(str_text(&text));
}

START_TEST(lists_are_bounded)
{
    auto_json json_t *inventory = json_object();
    json_object_set_new(inventory, "pfs", many(HOST_PFS_MAX, "key"));
    auto_inventory struct inventory *fits =
        wire_inventory_read(inventory, &err);
    ck_assert_msg(fits, "%s: %s", err.field, err.msg);
    json_object_set_new(inventory, "pfs", many(HOST_PFS_MAX + 1, "key"));
    ck_assert_ptr_null(wire_inventory_read(inventory, &err));
    ck_assert_str_eq(err.msg, "65 elements, at most 64 are allowed");
    auto_json json_t *pf = parsed("{\"key\":\"netdevsim1\"}");
    json_object_set_new(pf, "vfs", many(PF_VFS_MAX, "name"));
    auto_pf struct pf *read = wire_pf_read(pf, &err);
    ck_assert_msg(read, "%s: %s", err.field, err.msg);
    json_object_set_new(pf, "vfs", many(PF_VFS_MAX + 1, "name"));
    ck_assert_ptr_null(wire_pf_read(pf, &err));
    ck_assert_str_eq(err.field, "vfs");
}
END_TEST

CHECK_MAIN("wire inventory", a_full_inventory_comes_back_equal,
           a_minimal_inventory_comes_back_equal,
           what_is_not_told_is_null_or_empty_and_never_0,
           a_pf_can_be_told_without_its_vfs,
           a_vf_is_told_with_its_name_and_readback,
           a_network_is_told_with_its_switch, pfs_and_vfs_are_put_in_order,
           kernel_names_that_are_not_utf8_are_told_with_question_marks,
           faults_are_named_with_their_place, lists_are_bounded);
