/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, ports and claims as JSON: see wire.h. One writer makes both forms, the
 * one of REST and the record of the store, so that they can't drift apart. */
#include "api/wire/value.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>

#define VCPUS_MAX (1u << 20)
#define MEMORY_MIB_MAX (UINT64_C(1) << 40)

json_t *wire_claim(const struct claim *claim)
{
    json_t *object = json_object();
    wire_set(object, "pf", wire_text(claim->pf.text));
    wire_set(object, "vf_index",
             claim->vf_index == CLAIM_WHOLE_PF ? json_null()
                                               : wire_number(claim->vf_index));
    wire_set(object, "vf", wire_pci(claim->has_address, &claim->address));
    wire_set(object, "vendor_id", wire_hex16(claim->vendor_id));
    wire_set(object, "device_id", wire_hex16(claim->device_id));
    wire_set(object, "numa_node", json_integer(claim->numa_node));
    wire_set(object, "min_tx_rate_mbps", wire_number(claim->min_tx_rate_mbps));
    return object;
}

int wire_read_claim(const json_t *value, const char *path, size_t *unknown,
                    struct claim *out, struct error *err)
{
    struct json_reader reader;
    struct claim claim = {.numa_node = -1, .vf_index = CLAIM_WHOLE_PF};
    json_reader_begin(&reader, value, path, err);
    wire_take_pf_key(&reader, "pf", true, &claim.pf);
    wire_take_uint(&reader, "vf_index", false, PF_VFS_MAX - 1, claim.vf_index);
    claim.has_address = wire_take_pci(&reader, "vf", &claim.address);
    wire_take_hex16(&reader, "vendor_id", &claim.vendor_id);
    wire_take_hex16(&reader, "device_id", &claim.device_id);
    wire_take_int(&reader, "numa_node", false, -1, INT32_MAX, claim.numa_node);
    wire_take_uint(&reader, "min_tx_rate_mbps", false, UINT32_MAX,
                   claim.min_tx_rate_mbps);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    *out = claim;
    return 0;
}

static json_t *require_object(const struct port *port)
{
    json_t *object = json_object();
    json_t *capabilities = json_array();
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (port->require_capabilities & POLICY_BIT(i))
            json_array_append_new(capabilities, wire_text(policy_field_name(
                                                    (enum policy_field)i)));
    wire_set(object, "vendor_id", wire_hex16(port->require_vendor_id));
    wire_set(object, "device_id", wire_hex16(port->require_device_id));
    wire_set(object, "capabilities", capabilities);
    return object;
}

static json_t *port_object(const struct port *port)
{
    char mac[MAC_TEXT_SIZE];
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&port->id));
    wire_set(object, "name", wire_text(port->name));
    wire_set(object, "mac", wire_text(mac_format(&port->mac, mac)));
    wire_set(object, "physical_network", wire_text(port->physical_network));
    wire_set(object, "vnic_type",
             wire_text(vnic_type_name((enum vnic_type)port->vnic_type)));
    wire_set(object, "fallback",
             wire_text(fallback_name((enum fallback)port->fallback)));
    wire_set(object, "guest_failover",
             wire_text(guest_failover_name(
                 (enum guest_failover)port->guest_failover)));
    wire_set(object, "path",
             wire_text(port_path_name((enum port_path)port->path)));
    wire_set(object, "degraded", json_boolean(port->degraded));
    wire_set(object, "degraded_reason",
             *port->degraded_reason ? wire_text(port->degraded_reason)
                                    : json_null());
    wire_set(object, "policy", wire_policy(&port->policy));
    wire_set(object, "require", require_object(port));
    wire_set(object, "claim",
             port->has_claim ? wire_claim(&port->claim) : json_null());
    wire_set(object, "revision", wire_revision(&port->revision));
    return object;
}

static json_t *device_object(const struct port *port)
{
    json_t *object = json_object(), *require = require_object(port);
    json_object_del(require, "capabilities");
    wire_set(object, "id", wire_uuid(&port->id));
    wire_set(object, "name", wire_text(port->name));
    wire_set(object, "kind",
             wire_text(device_kind_name((enum device_kind)port->device_kind)));
    wire_set(object, "require", require);
    wire_set(object, "claim",
             port->has_claim ? wire_claim(&port->claim) : json_null());
    wire_set(object, "revision", wire_revision(&port->revision));
    return object;
}

static json_t *vm_object(const struct vm *vm, bool exact)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&vm->id));
    wire_set(object, "name", wire_text(vm->name));
    wire_set(object, "host", wire_text(vm->host));
    wire_set(object, "state",
             wire_text(vm_state_name((enum vm_state)vm->state)));
    wire_set(object, "generation", wire_number(vm->generation));
    wire_set(object, "lifecycle",
             wire_text(vm_lifecycle_name((enum vm_lifecycle)vm->lifecycle)));
    wire_set(object, "vcpus", wire_number(vm->vcpus));
    wire_set(object, "memory_mib", wire_number(vm->memory_mib));
    json_t *placement = json_object();
    wire_set(placement, "strategy",
             wire_text(strategy_name((enum strategy)vm->strategy)));
    wire_set(object, "placement", placement);
    wire_set(object, "created_at",
             exact ? wire_timestamp_exact(vm->created_at)
                   : wire_timestamp(vm->created_at));
    json_t *ports = json_array(), *devices = json_array();
    for (size_t i = 0; i < vm->port_count; i++) {
        if (vm->ports[i].device)
            json_array_append_new(devices, device_object(&vm->ports[i]));
        else
            json_array_append_new(ports, port_object(&vm->ports[i]));
    }
    wire_set(object, "ports", ports);
    wire_set(object, "devices", devices);
    return object;
}

json_t *wire_vm(const struct vm *vm)
{
    return vm_object(vm, false);
}

json_t *wire_vm_record(const struct vm *vm)
{
    char hash[17];
    json_t *object = vm_object(vm, true);
    snprintf(hash, sizeof hash, "%016" PRIx64, vm->request_hash);
    wire_set(object, "idempotency_key", wire_text(vm->idempotency_key));
    wire_set(object, "request_hash", json_string(hash));
    return object;
}

int wire_require_read(const json_t *value, const char *path, bool strict,
                      uint16_t *vendor_id, uint16_t *device_id,
                      uint32_t *capabilities, struct error *err)
{
    struct json_reader reader;
    const json_t *list = NULL;
    uint16_t vendor = 0, device = 0;
    uint32_t fields = 0;
    json_reader_begin(&reader, value, path, err);
    wire_take_hex16(&reader, "vendor_id", &vendor);
    wire_take_hex16(&reader, "device_id", &device);
    json_take_array(&reader, "capabilities", false, POLICY_FIELD_MAX, &list);
    if (json_reader_end(&reader, strict, NULL))
        return -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        enum policy_field field =
            name ? policy_field_parse(name) : POLICY_FIELD_MAX;
        char member[32];
        snprintf(member, sizeof member, "capabilities[%zu]", i);
        if (field == POLICY_FIELD_MAX) {
            json_reader_fail(&reader, member,
                             "'%.40s' is not the name of a policy field",
                             name ? name : "(not a string)");
            error_remedy(err, "use names such as \"vlan\", \"trust\", "
                              "\"min_tx_rate_mbps\"");
            return -1;
        }
        fields |= POLICY_BIT(field);
    }
    *vendor_id = vendor;
    *device_id = device;
    *capabilities = fields;
    return 0;
}

/* The nested parts of a port, read after its plain members. */
struct parts {
    const json_t *policy, *require, *claim;
};

static void take_port(struct json_reader *reader, struct port *port,
                      struct parts *parts)
{
    wire_take_uuid(reader, "id", true, &port->id);
    wire_take_copy(reader, "name", true, port->name);
    wire_take_mac(reader, "mac", true, &port->mac);
    wire_take_copy(reader, "physical_network", false, port->physical_network);
    wire_take_enum(reader, "vnic_type", false, vnic_type, VNIC_TYPE_MAX,
                   &port->vnic_type);
    wire_take_enum(reader, "fallback", false, fallback, FALLBACK_MAX,
                   &port->fallback);
    wire_take_enum(reader, "guest_failover", false, guest_failover,
                   GUEST_FAILOVER_MAX, &port->guest_failover);
    wire_take_enum(reader, "path", false, port_path, PORT_PATH_MAX,
                   &port->path);
    json_take_bool(reader, "degraded", false, &port->degraded);
    wire_take_copy(reader, "degraded_reason", false, port->degraded_reason);
    json_take_object(reader, "policy", false, &parts->policy);
    json_take_object(reader, "require", false, &parts->require);
    json_take_object(reader, "claim", false, &parts->claim);
    wire_take_revision(reader, "revision", false, &port->revision);
}

static int read_port(const json_t *value, const char *path, struct port *port,
                     struct error *err)
{
    struct json_reader reader;
    struct parts parts = {0};
    char inner[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, path, err);
    take_port(&reader, port, &parts);
    if (json_reader_end(&reader, false, NULL))
        return -1;
    if (parts.policy &&
        wire_policy_read(parts.policy, wire_path(inner, path, "policy"), false,
                         &port->policy, err))
        return -1;
    if (parts.require &&
        wire_require_read(parts.require, wire_path(inner, path, "require"),
                          false, &port->require_vendor_id,
                          &port->require_device_id, &port->require_capabilities,
                          err))
        return -1;
    port->has_claim = parts.claim != NULL;
    return parts.claim
               ? wire_read_claim(parts.claim, wire_path(inner, path, "claim"),
                                 NULL, &port->claim, err)
               : 0;
}

static int read_device(const json_t *value, const char *path, struct port *port,
                       struct error *err)
{
    struct json_reader reader;
    const json_t *require = NULL, *claim = NULL;
    char inner[WIRE_PATH_SIZE];
    port->device = true;
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &port->id);
    wire_take_copy(&reader, "name", true, port->name);
    wire_take_enum(&reader, "kind", true, device_kind, DEVICE_KIND_MAX,
                   &port->device_kind);
    json_take_object(&reader, "require", false, &require);
    json_take_object(&reader, "claim", false, &claim);
    wire_take_revision(&reader, "revision", false, &port->revision);
    if (json_reader_end(&reader, false, NULL) ||
        (require &&
         wire_require_read(require, wire_path(inner, path, "require"), false,
                           &port->require_vendor_id, &port->require_device_id,
                           &port->require_capabilities, err)))
        return -1;
    port->has_claim = claim != NULL;
    return claim ? wire_read_claim(claim, wire_path(inner, path, "claim"), NULL,
                                   &port->claim, err)
                 : 0;
}

/* Ports first, then devices: the order in which they were asked for. */
static int read_members(const json_t *ports, const json_t *devices,
                        struct vm *vm, struct error *err)
{
    size_t count = json_array_size(ports);
    char path[WIRE_PATH_SIZE];
    for (size_t i = 0; i < count; i++)
        if (read_port(json_array_get(ports, i),
                      wire_path_at(path, "", "ports", i), &vm->ports[i], err))
            return -1;
    for (size_t i = count; i < vm->port_count; i++)
        if (read_device(json_array_get(devices, i - count),
                        wire_path_at(path, "", "devices", i - count),
                        &vm->ports[i], err))
            return -1;
    return 0;
}

static void take_request(struct json_reader *reader, struct vm *vm)
{
    const char *hash = NULL;
    wire_take_copy(reader, "idempotency_key", false, vm->idempotency_key);
    if (json_take_text(reader, "request_hash", false, &hash) &&
        !str_to_u64(hash, 16, UINT64_MAX, &vm->request_hash))
        json_reader_fail(reader, "request_hash", "expected hex digits");
}

struct vm *wire_vm_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    const json_t *ports = NULL, *devices = NULL, *placement = NULL;
    size_t count = json_array_size(json_object_get(value, "ports")) +
                   json_array_size(json_object_get(value, "devices"));
    auto_vm struct vm *vm = vm_new(count <= VM_PORTS_MAX ? count : 0);
    json_reader_begin(&reader, value, "", err);
    wire_take_uuid(&reader, "id", true, &vm->id);
    wire_take_copy(&reader, "name", true, vm->name);
    wire_take_copy(&reader, "host", true, vm->host);
    wire_take_enum(&reader, "state", true, vm_state, VM_STATE_MAX, &vm->state);
    wire_take_uint(&reader, "generation", true, INT64_MAX, vm->generation);
    wire_take_enum(&reader, "lifecycle", false, vm_lifecycle, LIFECYCLE_MAX,
                   &vm->lifecycle);
    wire_take_uint(&reader, "vcpus", false, VCPUS_MAX, vm->vcpus);
    wire_take_uint(&reader, "memory_mib", false, MEMORY_MIB_MAX,
                   vm->memory_mib);
    json_take_object(&reader, "placement", false, &placement);
    wire_take_time(&reader, "created_at", &vm->created_at);
    json_take_array(&reader, "ports", true, VM_PORTS_MAX, &ports);
    json_take_array(&reader, "devices", false, VM_PORTS_MAX, &devices);
    if (json_array_size(ports) + json_array_size(devices) > VM_PORTS_MAX)
        json_reader_fail(&reader, "devices",
                         "more than %d ports and devices together",
                         VM_PORTS_MAX);
    take_request(&reader, vm);
    if (json_reader_end(&reader, false, NULL))
        return NULL;
    if (placement) {
        json_reader_begin(&reader, placement, "placement", err);
        wire_take_enum(&reader, "strategy", false, strategy, STRATEGY_MAX,
                       &vm->strategy);
        if (json_reader_end(&reader, false, NULL))
            return NULL;
    }
    return read_members(ports, devices, vm, err) ? NULL : take_ptr(vm);
}
