/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/vms into a struct vm_request: see vm_request.h. Whether
 * it can be placed, and whether its ports agree with each other, is the core's
 * business; here only what can be said member by member. */
#include "scheduler/handlers/vm_request.h"

#include "api/wire/value.h"
#include "common/base/str.h"
#include "common/domain/domain.h"

#include <stdio.h>
#include <string.h>

#define VCPUS_MAX 4096
#define MEMORY_MIB_MAX (UINT64_C(64) << 20)

static void check_name(struct json_reader *reader, const char *field,
                       const char *name, bool may_be_empty)
{
    if (reader->failed || (may_be_empty && !*name) || str_is_name(name))
        return;
    json_reader_fail(reader, field, "'%s' is not 1 to 63 of [A-Za-z0-9._-]",
                     name);
    error_remedy(reader->err, "begin with a letter or digit and use letters, "
                              "digits, '.', '_' and '-'");
}

static int check_mac(const struct mac *mac, const char *path, struct error *err)
{
    char text[MAC_TEXT_SIZE], field[WIRE_PATH_SIZE];
    const char *why = mac_refused(mac);
    if (!why)
        return 0;
    error_fill(err, ERROR_INVALID, 0, wire_path(field, path, "mac"),
               "'%s' can't be a port's MAC: %s", mac_format(mac, text), why);
    error_remedy(err, "give a unicast address such as 52:54:00:12:34:56, or "
                      "leave it out to get one");
    return -1;
}

static int read_port(const json_t *value, size_t index,
                     struct port_request *port, struct error *err)
{
    struct json_reader reader;
    const json_t *policy = NULL, *require = NULL;
    char path[WIRE_PATH_SIZE], inner[WIRE_PATH_SIZE];
    wire_path_at(path, "", "ports", index);
    json_reader_begin(&reader, value, path, err);
    wire_take_copy(&reader, "name", false, port->name);
    check_name(&reader, "name", port->name, true);
    port->has_mac = wire_take_mac(&reader, "mac", false, &port->mac);
    wire_take_copy(&reader, "physical_network", false, port->physical_network);
    check_name(&reader, "physical_network", port->physical_network, true);
    port->vnic_type = VNIC_DIRECT;
    wire_take_enum(&reader, "vnic_type", false, vnic_type, VNIC_TYPE_MAX,
                   &port->vnic_type);
    port->fallback = FALLBACK_REFUSE;
    wire_take_enum(&reader, "fallback", false, fallback, FALLBACK_MAX,
                   &port->fallback);
    wire_take_enum(&reader, "guest_failover", false, guest_failover,
                   GUEST_FAILOVER_MAX, &port->guest_failover);
    if (port->vnic_type == VNIC_MACVTAP)
        port->macvtap_mode = MACVTAP_PASSTHROUGH;
    wire_take_enum(&reader, "macvtap_mode", false, macvtap_mode,
                   MACVTAP_MODE_MAX, &port->macvtap_mode);
    json_take_object(&reader, "policy", false, &policy);
    json_take_object(&reader, "require", false, &require);
    if (json_reader_end(&reader, true, NULL) < 0)
        return -1;
    if (policy && wire_policy_read(policy, wire_path(inner, path, "policy"),
                                   true, &port->policy, err) < 0)
        return -1;
    if (require &&
        wire_require_read(require, wire_path(inner, path, "require"), true,
                          &port->require_vendor_id, &port->require_device_id,
                          &port->require_capabilities, err) < 0)
        return -1;
    return port->has_mac ? check_mac(&port->mac, path, err) : 0;
}

/* A VF of something that is no network device: it has no policy to require. */
static int read_device_require(const json_t *value, const char *path,
                               struct port_request *device, struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, value, path, err);
    wire_take_hex16(&reader, "vendor_id", &device->require_vendor_id);
    wire_take_hex16(&reader, "device_id", &device->require_device_id);
    return json_reader_end(&reader, true, NULL);
}

static int read_device(const json_t *value, size_t index,
                       struct port_request *device, struct error *err)
{
    struct json_reader reader;
    const json_t *require = NULL;
    char path[WIRE_PATH_SIZE], inner[WIRE_PATH_SIZE];
    wire_path_at(path, "", "devices", index);
    device->device = true;
    json_reader_begin(&reader, value, path, err);
    wire_take_copy(&reader, "name", false, device->name);
    check_name(&reader, "name", device->name, true);
    wire_take_enum(&reader, "kind", true, device_kind, DEVICE_KIND_MAX,
                   &device->device_kind);
    if (!reader.failed && device->device_kind == DEVICE_NETWORK) {
        json_reader_fail(&reader, "kind", "a network device is no such device");
        error_remedy(err, "ask for a VF of a NIC in 'ports'");
    }
    json_take_object(&reader, "require", false, &require);
    if (json_reader_end(&reader, true, NULL) < 0)
        return -1;
    return require
               ? read_device_require(require, wire_path(inner, path, "require"),
                                     device, err)
               : 0;
}

/* Ports, then devices: together they are what the VM is given. */
static int read_members(const json_t *ports, const json_t *devices,
                        struct vm_request *out, struct error *err)
{
    size_t port_count = json_array_size(ports);
    size_t device_count = json_array_size(devices);
    if (port_count + device_count > VM_PORTS_MAX) {
        error_fill(err, ERROR_INVALID, 0, "devices",
                   "%zu ports and %zu devices, at most %d together", port_count,
                   device_count, VM_PORTS_MAX);
        error_remedy(err, "ask for fewer");
        return -1;
    }
    out->port_count = port_count + device_count;
    for (size_t i = 0; i < port_count; i++)
        if (read_port(json_array_get(ports, i), i, &out->ports[i], err) < 0)
            return -1;
    for (size_t i = 0; i < device_count; i++)
        if (read_device(json_array_get(devices, i), i,
                        &out->ports[port_count + i], err) < 0)
            return -1;
    return 0;
}

static int read_placement(const json_t *placement, struct vm_request *out,
                          struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, placement, "placement", err);
    wire_take_enum(&reader, "strategy", false, strategy, STRATEGY_MAX,
                   &out->strategy);
    wire_take_copy(&reader, "host", false, out->host);
    check_name(&reader, "host", out->host, true);
    return json_reader_end(&reader, true, NULL);
}

/* The domain of a managed VM: power is on unless it is said. What other
 * lifecycles have of it, the core refuses. */
static void take_domain(struct json_reader *reader, struct vm_request *out)
{
    const char *text = NULL;
    static const char *const powers[] = {"off", "on"};
    uint8_t power = out->lifecycle == LIFECYCLE_MANAGED;
    wire_take_choice(reader, "power", false, powers, 2, &power);
    out->power_on = power == 1;
    if (!json_take_text(reader, "domain_xml", false, &text))
        return;
    size_t length = strlen(text);
    if (length > DOMAIN_XML_MAX) {
        json_reader_fail(reader, "domain_xml", "%zu bytes are more than %d",
                         length, DOMAIN_XML_MAX);
        error_remedy(reader->err, "leave out what libvirt fills in by itself");
        return;
    }
    out->domain_xml = text_new(text, length);
}

/* Can the VM be made of it? One that names its uuid, as those of virsh dumpxml
 * do, gives the VM its id. */
static int check_domain(struct vm_request *out, struct error *err)
{
    struct domain_facts facts = {0};
    struct error ignored = {0};
    const char *text = out->domain_xml->data;
    size_t length = out->domain_xml->length;
    if (!out->has_id && domain_read(text, length, &facts, &ignored) == 0) {
        out->has_id = !uuid_is_zero(&facts.uuid);
        out->id = facts.uuid;
        domain_facts_done(&facts);
    }
    const struct domain_identity identity = {out->id, out->name, out->vcpus,
                                             out->memory_mib};
    return domain_check(text, length, &identity, err);
}

static int read_body(const json_t *body, struct vm_request *out,
                     struct error *err)
{
    struct json_reader reader;
    const json_t *ports = NULL, *devices = NULL, *placement = NULL;
    uint64_t vcpus = 0;
    json_reader_begin(&reader, body, "", err);
    out->has_id = wire_take_uuid(&reader, "id", false, &out->id);
    if (out->has_id && uuid_is_zero(&out->id))
        json_reader_fail(&reader, "id", "the nil UUID names nothing");
    wire_take_copy(&reader, "name", true, out->name);
    check_name(&reader, "name", out->name, false);
    json_take_u64(&reader, "vcpus", true, 1, VCPUS_MAX, &vcpus);
    json_take_u64(&reader, "memory_mib", true, 1, MEMORY_MIB_MAX,
                  &out->memory_mib);
    out->lifecycle = LIFECYCLE_EXTERNAL;
    wire_take_enum(&reader, "lifecycle", false, vm_lifecycle, LIFECYCLE_MAX,
                   &out->lifecycle);
    take_domain(&reader, out);
    json_take_array(&reader, "ports", false, VM_PORTS_MAX, &ports);
    json_take_array(&reader, "devices", false, VM_PORTS_MAX, &devices);
    json_take_object(&reader, "placement", false, &placement);
    if (json_reader_end(&reader, true, NULL) < 0 ||
        (placement && read_placement(placement, out, err) < 0))
        return -1;
    out->vcpus = (uint32_t)vcpus;
    return read_members(ports, devices, out, err);
}

int vm_request_read(const json_t *body, struct vm_request *out,
                    struct error *err)
{
    if (read_body(body, out, err) == 0 &&
        (!out->domain_xml || out->lifecycle != LIFECYCLE_MANAGED ||
         check_domain(out, err) == 0))
        return 0;
    vm_request_done(out);
    return -1;
}

void vm_request_done(struct vm_request *request)
{
    ref_put(request->domain_xml);
    request->domain_xml = NULL;
}
