/* SPDX-License-Identifier: Apache-2.0 */
/* VMs, ports and claims as JSON: see wire.h. One writer makes both forms, the
 * one of REST and the record of the store, so that they can't drift apart. */
#include "api/wire/value.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define VCPUS_MAX (1u << 20)
#define MEMORY_MIB_MAX (UINT64_C(1) << 40)

void wire_put_claim(struct json_out *out, const char *name,
                    const struct claim *claim)
{
    json_out_object(out, name);
    json_out_text(out, "pf", claim->pf.text);
    if (claim->vf_index == CLAIM_WHOLE_PF)
        json_out_null(out, "vf_index");
    else
        json_out_number(out, "vf_index", claim->vf_index);
    wire_put_pci(out, "vf", claim->has_address, &claim->address);
    wire_put_hex16(out, "vendor_id", claim->vendor_id);
    wire_put_hex16(out, "device_id", claim->device_id);
    json_out_integer(out, "numa_node", claim->numa_node);
    json_out_number(out, "min_tx_rate_mbps", claim->min_tx_rate_mbps);
    json_out_end(out);
}

json_t *wire_claim(const struct claim *claim)
{
    struct json_out out = {0};
    wire_put_claim(&out, NULL, claim);
    return out.tree;
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

static void put_require(struct json_out *out, const struct port *port)
{
    json_out_object(out, "require");
    wire_put_hex16(out, "vendor_id", port->require_vendor_id);
    wire_put_hex16(out, "device_id", port->require_device_id);
    if (!port->device) {
        json_out_array(out, "capabilities");
        for (int i = 0; i < POLICY_FIELD_MAX; i++)
            if (port->require_capabilities & POLICY_BIT(i))
                json_out_text(out, NULL,
                              policy_field_name((enum policy_field)i));
        json_out_end(out);
    }
    json_out_end(out);
}

static void put_port_claim(struct json_out *out, const struct port *port)
{
    if (port->has_claim)
        wire_put_claim(out, "claim", &port->claim);
    else
        json_out_null(out, "claim");
    wire_put_revision(out, "revision", &port->revision);
}

static void put_network(struct json_out *out, const struct port *port)
{
    json_out_text_or_null(out, "network", port->network);
    json_out_text_or_null(
        out, "network_switch",
        *port->network ? switch_kind_name((enum switch_kind)port->network_kind)
                       : "");
}

static void put_degraded(struct json_out *out, const struct port *port,
                         const struct wire_port_more *more)
{
    const char *reason = port->degraded ? port->degraded_reason : NULL;
    if (!reason && more && more->degraded)
        reason = more->degraded(more->context, port);
    json_out_bool(out, "degraded", reason != NULL);
    json_out_text_or_null(out, "degraded_reason", reason ? reason : "");
}

static void put_port(struct json_out *out, const struct port *port,
                     const struct wire_port_more *more)
{
    char mac[MAC_TEXT_SIZE];
    wire_put_uuid(out, "id", &port->id);
    json_out_text(out, "name", port->name);
    json_out_text(out, "mac", mac_format(&port->mac, mac));
    json_out_text(out, "physical_network", port->physical_network);
    json_out_text(out, "vnic_type",
                  vnic_type_name((enum vnic_type)port->vnic_type));
    json_out_text(out, "fallback",
                  fallback_name((enum fallback)port->fallback));
    json_out_text(
        out, "guest_failover",
        guest_failover_name((enum guest_failover)port->guest_failover));
    json_out_text_or_null(
        out, "macvtap_mode",
        port->macvtap_mode == MACVTAP_NONE
            ? ""
            : macvtap_mode_name((enum macvtap_mode)port->macvtap_mode));
    json_out_text(out, "path", port_path_name((enum port_path)port->path));
    put_network(out, port);
    json_out_bool(out, "decelerated", port->decelerated);
    put_degraded(out, port, more);
    wire_put_policy(out, "policy", &port->policy);
    put_require(out, port);
    put_port_claim(out, port);
}

static void put_device(struct json_out *out, const struct port *port)
{
    wire_put_uuid(out, "id", &port->id);
    json_out_text(out, "name", port->name);
    json_out_text(out, "kind",
                  device_kind_name((enum device_kind)port->device_kind));
    put_require(out, port);
    put_port_claim(out, port);
}

void wire_put_port(struct json_out *out, const struct port *port,
                   const struct wire_port_more *more)
{
    if (port->device)
        put_device(out, port);
    else
        put_port(out, port, more);
    if (more)
        more->put(more->context, out, port);
}

/* The ports of 'vm' that are devices, or those that are not. */
static void put_ports(struct json_out *out, const char *name,
                      const struct vm *vm, bool devices,
                      const struct wire_port_more *more)
{
    json_out_array(out, name);
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        if (port->device != devices)
            continue;
        json_out_object(out, NULL);
        wire_put_port(out, port, more);
        json_out_end(out);
    }
    json_out_end(out);
}

static void put_members(struct json_out *out, const struct vm *vm, bool exact,
                        const struct wire_port_more *more)
{
    wire_put_uuid(out, "id", &vm->id);
    json_out_text(out, "name", vm->name);
    json_out_text(out, "host", vm->host);
    json_out_text(out, "state", vm_state_name((enum vm_state)vm->state));
    json_out_number(out, "generation", vm->generation);
    json_out_text(out, "lifecycle",
                  vm_lifecycle_name((enum vm_lifecycle)vm->lifecycle));
    json_out_number(out, "vcpus", vm->vcpus);
    json_out_number(out, "memory_mib", vm->memory_mib);
    json_out_object(out, "placement");
    json_out_text(out, "strategy", strategy_name((enum strategy)vm->strategy));
    json_out_end(out);
    json_out_text_or_null(out, "power",
                          !vm_is_managed(vm) ? ""
                          : vm->power_on     ? "on"
                                             : "off");
    if (exact)
        wire_put_timestamp_exact(out, "created_at", vm->created_at);
    else
        wire_put_timestamp(out, "created_at", vm->created_at);
    put_ports(out, "ports", vm, false, more);
    put_ports(out, "devices", vm, true, more);
}

void wire_put_vm(struct json_out *out, const struct vm *vm,
                 const struct wire_port_more *more)
{
    put_members(out, vm, false, more);
}

void wire_put_vm_record(struct json_out *out, const struct vm *vm)
{
    char hash[17];
    json_out_object(out, NULL);
    put_members(out, vm, true, NULL);
    *str_put_hex(hash, vm->request_hash, 16) = '\0';
    json_out_text(out, "idempotency_key", vm->idempotency_key);
    json_out_text(out, "request_hash", hash);
    json_out_text_or_null(out, "domain_xml",
                          vm->domain_xml ? vm->domain_xml->data : "");
    wire_put_revision(out, "revision", &vm->revision);
    json_out_end(out);
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
    wire_take_enum(reader, "macvtap_mode", false, macvtap_mode,
                   MACVTAP_MODE_MAX, &port->macvtap_mode);
    wire_take_enum(reader, "path", false, port_path, PORT_PATH_MAX,
                   &port->path);
    wire_take_copy(reader, "network", false, port->network);
    wire_take_enum(reader, "network_switch", false, switch_kind,
                   SWITCH_KIND_MAX, &port->network_kind);
    json_take_bool(reader, "decelerated", false, &port->decelerated);
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

/* Absent in records from before there were managed VMs. */
static void take_domain(struct json_reader *reader, struct vm *vm)
{
    const char *text = NULL;
    static const char *const powers[] = {"off", "on"};
    uint8_t power = 0;
    wire_take_choice(reader, "power", false, powers, 2, &power);
    vm->power_on = power == 1;
    wire_take_revision(reader, "revision", false, &vm->revision);
    if (json_take_text(reader, "domain_xml", false, &text) &&
        strlen(text) > DOMAIN_XML_MAX)
        json_reader_fail(reader, "domain_xml", "more than %d bytes",
                         DOMAIN_XML_MAX);
    else if (text)
        vm->domain_xml = text_new(text, strlen(text));
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
    take_domain(&reader, vm);
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
