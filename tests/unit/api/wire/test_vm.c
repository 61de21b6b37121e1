/* SPDX-License-Identifier: Apache-2.0 */
/* VMs on the wire and in the store. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

#define DOMAIN_XML "<domain type='kvm'>\n  <os/>\n</domain>\n"

static struct vm *full(void)
{
    struct vm *vm = vm_new(3);
    vm->id = sample_uuid(1);
    str_copy(vm->name, "web-1");
    vm->vcpus = 2;
    vm->memory_mib = 4096;
    vm->lifecycle = LIFECYCLE_MANAGED;
    vm->state = VM_DELETING;
    vm->strategy = STRATEGY_PACK;
    vm->generation = 3;
    vm->created_at = TIME_NS;
    str_copy(vm->host, "h17");
    str_copy(vm->idempotency_key, "key-1");
    vm->request_hash = 0xfedcba9876543210u;
    vm->domain_xml = text_new(DOMAIN_XML, strlen(DOMAIN_XML));
    vm->power_on = true;
    vm->revision = (struct revision){3, 16};
    struct port *port = &vm->ports[0];
    port->id = sample_uuid(2);
    str_copy(port->name, "eth0");
    port->mac = (struct mac){{0x52, 0x54, 0, 1, 2, 3}};
    str_copy(port->physical_network, "physnet0");
    port->vnic_type = VNIC_MACVTAP;
    port->fallback = FALLBACK_VIRTIO;
    port->guest_failover = GUEST_FAILOVER_BOND;
    port->macvtap_mode = MACVTAP_VEPA;
    port->path = PATH_VIRTIO;
    str_copy(port->network, "br0");
    port->network_kind = SWITCH_OPENVSWITCH;
    port->decelerated = true;
    port->degraded = true;
    str_copy(port->degraded_reason, "no free VF");
    port->policy = sample_policy();
    port->require_vendor_id = 0x8086;
    port->require_device_id = 0x1520;
    port->require_capabilities =
        POLICY_BIT(POLICY_TRUST) | POLICY_BIT(POLICY_VLAN);
    port->has_claim = true;
    port->claim = sample_claim();
    port->revision = (struct revision){3, 17};
    vm->ports[1].id = sample_uuid(3);
    str_copy(vm->ports[1].name, "eth1");
    struct port *device = &vm->ports[2];
    device->id = sample_uuid(4);
    str_copy(device->name, "disk0");
    device->device = true;
    device->device_kind = DEVICE_STORAGE;
    device->require_vendor_id = 0x1b36;
    device->has_claim = true;
    device->claim = sample_claim();
    device->claim.vf_index = CLAIM_WHOLE_PF;
    return vm;
}

static bool same_port(const struct port *a, const struct port *b)
{
    return uuid_equal(&a->id, &b->id) && strcmp(a->name, b->name) == 0 &&
           a->device == b->device && a->device_kind == b->device_kind &&
           mac_compare(&a->mac, &b->mac) == 0 &&
           strcmp(a->physical_network, b->physical_network) == 0 &&
           a->vnic_type == b->vnic_type && a->fallback == b->fallback &&
           a->guest_failover == b->guest_failover && a->path == b->path &&
           a->macvtap_mode == b->macvtap_mode &&
           a->decelerated == b->decelerated &&
           strcmp(a->network, b->network) == 0 &&
           a->network_kind == b->network_kind && a->degraded == b->degraded &&
           strcmp(a->degraded_reason, b->degraded_reason) == 0 &&
           same_policy(&a->policy, &b->policy) &&
           a->require_vendor_id == b->require_vendor_id &&
           a->require_device_id == b->require_device_id &&
           a->require_capabilities == b->require_capabilities &&
           a->has_claim == b->has_claim &&
           (!a->has_claim || same_claim(&a->claim, &b->claim)) &&
           revision_compare(&a->revision, &b->revision) == 0;
}

static void put_vm(struct json_out *out, const struct vm *vm)
{
    json_out_object(out, NULL);
    wire_put_vm(out, vm, NULL);
    json_out_end(out);
}

static bool same_vm(const struct vm *a, const struct vm *b)
{
    if (!uuid_equal(&a->id, &b->id) || strcmp(a->name, b->name) != 0 ||
        a->vcpus != b->vcpus || a->memory_mib != b->memory_mib ||
        a->lifecycle != b->lifecycle || a->state != b->state ||
        a->strategy != b->strategy || a->generation != b->generation ||
        a->created_at != b->created_at || strcmp(a->host, b->host) != 0 ||
        strcmp(a->idempotency_key, b->idempotency_key) != 0 ||
        a->request_hash != b->request_hash || a->power_on != b->power_on ||
        revision_compare(&a->revision, &b->revision) != 0 ||
        !a->domain_xml != !b->domain_xml ||
        (a->domain_xml &&
         strcmp(a->domain_xml->data, b->domain_xml->data) != 0) ||
        a->port_count != b->port_count)
        return false;
    for (size_t i = 0; i < a->port_count; i++)
        if (!same_port(&a->ports[i], &b->ports[i]))
            return false;
    return true;
}

START_TEST(a_full_record_comes_back_equal)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *value = over_the_wire(TREE_OF(wire_put_vm_record, vm));
    auto_vm struct vm *back = wire_vm_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_vm(vm, back));
}
END_TEST

START_TEST(a_record_from_before_managed_vms_is_read)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *record = TREE_OF(wire_put_vm_record, vm);
    static const char *const newer[] = {"domain_xml", "power", "revision"};
    static const char *const newer_of_ports[] = {
        "macvtap_mode", "network", "network_switch", "decelerated"};
    json_t *port = json_array_get(json_object_get(record, "ports"), 0);
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        ck_assert_int_eq(json_object_del(record, newer[i]), 0);
    for (size_t i = 0; i < sizeof newer_of_ports / sizeof *newer_of_ports; i++)
        ck_assert_int_eq(json_object_del(port, newer_of_ports[i]), 0);
    auto_vm struct vm *back = wire_vm_read(record, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(!back->domain_xml && !back->power_on && !vm_is_managed(back));
    ck_assert_str_eq(back->ports[0].network, "");
    ck_assert_int_eq(back->ports[0].macvtap_mode, MACVTAP_NONE);
    ck_assert(!back->ports[0].decelerated);
}
END_TEST

START_TEST(a_minimal_record_comes_back_equal)
{
    auto_vm struct vm *vm = vm_new(0);
    vm->id = sample_uuid(1);
    auto_json json_t *value = over_the_wire(TREE_OF(wire_put_vm_record, vm));
    auto_vm struct vm *back = wire_vm_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_vm(vm, back));
}
END_TEST

START_TEST(a_record_fits_the_store_with_all_ports)
{
    auto_vm struct vm *one = full();
    auto_vm struct vm *vm = vm_new(VM_PORTS_MAX);
    vm->id = sample_uuid(1);
    for (size_t i = 0; i < VM_PORTS_MAX; i++)
        vm->ports[i] = one->ports[0];
    auto_json json_t *value = TREE_OF(wire_put_vm_record, vm);
    char *text = json_text(value);
    ck_assert_uint_lt(strlen(text), 1u << 20);
    free(text);
    auto_vm struct vm *back = wire_vm_read(value, &err);
    ck_assert(same_vm(vm, back));
}
END_TEST

START_TEST(clients_get_the_shape_of_the_contract)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *value = TREE_OF(put_vm, vm);
    auto_json json_t *ports = json_incref(json_object_get(value, "ports"));
    json_object_del(value, "ports");
    assert_json(json_incref(value),
                "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8001\","
                "\"name\":\"web-1\",\"host\":\"h17\",\"state\":\"deleting\","
                "\"generation\":3,\"lifecycle\":\"managed\",\"vcpus\":2,"
                "\"memory_mib\":4096,\"placement\":{\"strategy\":\"pack\"},"
                "\"power\":\"on\","
                "\"created_at\":\"2026-09-21T14:13:20.123Z\","
                "\"devices\":[{"
                "\"id\":\"01890a5d-ac96-774b-bcce-b302099a8004\","
                "\"name\":\"disk0\",\"kind\":\"storage\","
                "\"require\":{\"vendor_id\":\"1b36\",\"device_id\":null},"
                "\"claim\":{\"pf\":\"0000:3b:00.0\",\"vf_index\":null,"
                "\"vf\":\"0000:3b:0a.1\",\"vendor_id\":\"8086\","
                "\"device_id\":\"1520\",\"numa_node\":1,"
                "\"min_tx_rate_mbps\":100},\"revision\":\"0.0\"}]}");
    json_t *port = json_array_get(ports, 0);
    json_object_del(port, "policy");
    assert_json(
        json_incref(port),
        "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8002\",\"name\":\"eth0\","
        "\"mac\":\"52:54:00:01:02:03\",\"physical_network\":\"physnet0\","
        "\"vnic_type\":\"macvtap\",\"fallback\":\"virtio\","
        "\"guest_failover\":\"bond\",\"macvtap_mode\":\"vepa\","
        "\"path\":\"virtio\",\"network\":\"br0\","
        "\"network_switch\":\"openvswitch\",\"decelerated\":true,"
        "\"degraded\":true,"
        "\"degraded_reason\":\"no free VF\","
        "\"require\":{\"vendor_id\":\"8086\",\"device_id\":\"1520\","
        "\"capabilities\":[\"vlan\",\"trust\"]},"
        "\"claim\":{\"pf\":\"0000:3b:00.0\",\"vf_index\":9,"
        "\"vf\":\"0000:3b:0a.1\",\"vendor_id\":\"8086\",\"device_id\":\"1520\","
        "\"numa_node\":1,\"min_tx_rate_mbps\":100},\"revision\":\"3.17\"}");
    port = json_array_get(ports, 1);
    ck_assert(json_is_null(json_object_get(port, "claim")));
    ck_assert(json_is_null(json_object_get(port, "degraded_reason")));
    ck_assert(json_is_null(
        json_object_get(json_object_get(port, "require"), "vendor_id")));
}
END_TEST

START_TEST(what_only_the_store_keeps_is_not_told)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *rest = TREE_OF(put_vm, vm);
    auto_json json_t *record = TREE_OF(wire_put_vm_record, vm);
    ck_assert_ptr_null(json_object_get(rest, "idempotency_key"));
    ck_assert_ptr_null(json_object_get(rest, "request_hash"));
    ck_assert_str_eq(json_string_value(json_object_get(record, "request_hash")),
                     "fedcba9876543210");
}
END_TEST

/* A record of which one member was replaced ("a.0.b" style path by hand). */
static void refused_with(json_t *record, const char *field, const char *msg)
{
    err = (struct error){0};
    ck_assert_ptr_null(wire_vm_read(record, &err));
    ck_assert_str_eq(err.field, field);
    ck_assert_msg(strstr(err.msg, msg), "'%s' not in '%s'", msg, err.msg);
}

START_TEST(faults_are_named_with_their_place)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *record = TREE_OF(wire_put_vm_record, vm);
    json_t *port = json_array_get(json_object_get(record, "ports"), 1);
    json_object_set_new(port, "policy", parsed("{\"vlan\":4095}"));
    refused_with(record, "ports[1].policy.vlan", "802.1Q");
    json_object_set_new(port, "policy", json_object());
    json_object_set_new(port, "claim", parsed("{\"pf\":\"/etc\"}"));
    refused_with(record, "ports[1].claim.pf", "expected a PF key");
    json_object_set_new(port, "claim", json_null());
    json_object_set_new(port, "require",
                        parsed("{\"capabilities\":[\"vlan\",\"magic\"]}"));
    refused_with(record, "ports[1].require.capabilities[1]", "'magic'");
    json_object_set_new(port, "require", parsed("{\"capabilities\":[1]}"));
    refused_with(record, "ports[1].require.capabilities[0]", "not a string");
    json_object_del(port, "require");
    json_object_set_new(record, "placement", parsed("{\"strategy\":\"best\"}"));
    refused_with(record, "placement.strategy", "'best' is not one of");
    json_object_del(record, "placement");
    json_object_set_new(record, "request_hash", json_string("xyz"));
    refused_with(record, "request_hash", "hex");
    json_object_del(record, "request_hash");
    json_object_set_new(record, "id", json_null());
    refused_with(record, "id", "missing");
}
END_TEST

START_TEST(ports_are_bounded)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *record = TREE_OF(wire_put_vm_record, vm);
    json_t *ports = json_object_get(record, "ports");
    while (json_array_size(ports) <= VM_PORTS_MAX)
        json_array_append(ports, json_array_get(ports, 0));
    refused_with(record, "ports", "17 elements, at most 16");
}
END_TEST

START_TEST(records_of_a_newer_version_are_read)
{
    auto_vm struct vm *vm = full();
    auto_json json_t *record = TREE_OF(wire_put_vm_record, vm);
    json_object_set_new(record, "from_the_future", json_true());
    json_object_set_new(json_array_get(json_object_get(record, "ports"), 0),
                        "also_new", json_integer(1));
    auto_vm struct vm *back = wire_vm_read(record, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_vm(vm, back));
}
END_TEST

START_TEST(requirements_are_read_strictly_for_clients)
{
    uint16_t vendor = 1, device = 1;
    uint32_t fields = 1;
    auto_json json_t *value = parsed("{\"vendor\":\"8086\"}");
    ck_assert_int_eq(wire_require_read(value, "ports[0].require", true, &vendor,
                                       &device, &fields, &err),
                     -1);
    ck_assert_str_eq(err.field, "ports[0].require.vendor");
    ck_assert_str_eq(err.remedy, "allowed: vendor_id, device_id, capabilities");
    ck_assert(vendor == 1 && device == 1 && fields == 1);
    auto_json json_t *empty = json_object();
    ck_assert_int_eq(
        wire_require_read(empty, "", true, &vendor, &device, &fields, &err), 0);
    ck_assert(vendor == 0 && device == 0 && fields == 0);
}
END_TEST

CHECK_MAIN("wire vm", a_full_record_comes_back_equal,
           a_record_from_before_managed_vms_is_read,
           a_minimal_record_comes_back_equal,
           a_record_fits_the_store_with_all_ports,
           clients_get_the_shape_of_the_contract,
           what_only_the_store_keeps_is_not_told,
           faults_are_named_with_their_place, ports_are_bounded,
           records_of_a_newer_version_are_read,
           requirements_are_read_strictly_for_clients);
