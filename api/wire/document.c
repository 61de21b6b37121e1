/* SPDX-License-Identifier: Apache-2.0 */
/* The desired document as JSON: see wire.h and common/model/document.h. Read
 * leniently, so that a scheduler and agents one version apart work together.
 * The observed one is in observed.c. */
#include "api/wire/value.h"

#include <string.h>

static json_t *claim_or_null(bool has_claim, const struct claim *claim)
{
    return has_claim ? wire_claim(claim) : json_null();
}

/* How a port is wanted. Removal is said, never left out. */
static const char *const wants[] = {"present", "absent"};

static void put_wiring(json_t *object, const struct desired_port *port)
{
    const char *mode = macvtap_mode_name((enum macvtap_mode)port->macvtap_mode);
    wire_set(object, "name", wire_text(port->name));
    wire_set(object, "vnic_type",
             wire_text(vnic_type_name((enum vnic_type)port->vnic_type)));
    wire_set(object, "fallback",
             wire_text(fallback_name((enum fallback)port->fallback)));
    wire_set(object, "guest_failover",
             wire_text(guest_failover_name(
                 (enum guest_failover)port->guest_failover)));
    wire_set(object, "macvtap_mode", mode ? wire_text(mode) : json_null());
    wire_set(object, "network", wire_text(port->network));
    wire_set(object, "network_kind",
             wire_text(switch_kind_name((enum switch_kind)port->network_kind)));
}

static json_t *desired_port_object(const struct desired_port *port)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&port->id));
    wire_set(object, "vm", wire_uuid(&port->vm));
    wire_set(object, "want", wire_text(wants[port->absent]));
    wire_set(object, "path",
             wire_text(port_path_name((enum port_path)port->path)));
    wire_set(object, "claim", claim_or_null(port->has_claim, &port->claim));
    wire_set(object, "device", json_boolean(port->device));
    wire_set(object, "policy", wire_policy(&port->policy));
    put_wiring(object, port);
    wire_set(object, "revision", wire_revision(&port->revision));
    return object;
}

static json_t *desired_vm_object(const struct desired_vm *vm)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&vm->id));
    wire_set(object, "want", wire_text(wants[vm->absent]));
    wire_set(object, "name", wire_text(vm->name));
    wire_set(object, "lifecycle",
             wire_text(vm_lifecycle_name((enum vm_lifecycle)vm->lifecycle)));
    wire_set(object, "role", wire_text(vm_role_name((enum vm_role)vm->role)));
    wire_set(object, "power_on", json_boolean(vm->power_on));
    wire_set(object, "vcpus", wire_number(vm->vcpus));
    wire_set(object, "memory_mib", wire_number(vm->memory_mib));
    wire_set(object, "domain_xml",
             vm->domain_xml ? wire_text(vm->domain_xml->data) : json_null());
    wire_set(object, "revision", wire_revision(&vm->revision));
    return object;
}

static json_t *desired_pf_object(const struct desired_pf *pf)
{
    const char *autoprobe = autoprobe_name((enum autoprobe)pf->autoprobe);
    const char *bridge = bridge_mode_name((enum bridge_mode)pf->bridge_mode);
    json_t *object = json_object();
    wire_set(object, "key", wire_text(pf->key.text));
    wire_set(object, "allowed", json_boolean(pf->allowed));
    wire_set(object, "num_vfs",
             pf->has_num_vfs ? wire_number(pf->num_vfs) : json_null());
    wire_set(object, "vf_drivers_autoprobe",
             autoprobe ? wire_text(autoprobe) : json_null());
    wire_set(object, "bridge_mode", bridge ? wire_text(bridge) : json_null());
    wire_set(object, "revision", wire_revision(&pf->revision));
    return object;
}

static int read_desired_pf(const json_t *value, const char *path,
                           struct desired_pf *pf, struct error *err)
{
    struct json_reader reader;
    uint64_t num_vfs = 0;
    json_reader_begin(&reader, value, path, err);
    wire_take_pf_key(&reader, "key", true, &pf->key);
    json_take_bool(&reader, "allowed", true, &pf->allowed);
    pf->has_num_vfs =
        json_take_u64(&reader, "num_vfs", false, 0, PF_VFS_MAX, &num_vfs);
    pf->num_vfs = (uint16_t)num_vfs;
    wire_take_enum(&reader, "vf_drivers_autoprobe", false, autoprobe,
                   AUTOPROBE_MAX, &pf->autoprobe);
    wire_take_enum(&reader, "bridge_mode", false, bridge_mode, BRIDGE_MODE_MAX,
                   &pf->bridge_mode);
    wire_take_revision(&reader, "revision", true, &pf->revision);
    return json_reader_end(&reader, false, NULL);
}

json_t *wire_desired(const struct desired *desired)
{
    json_t *object = json_object();
    wire_set(object, "cluster_id", wire_uuid(&desired->cluster_id));
    wire_set(object, "host", wire_text(desired->host));
    wire_set(object, "revision", wire_revision(&desired->revision));
    wire_set(object, "full", json_boolean(desired->full));
    json_t *ports = json_array();
    for (size_t i = 0; i < desired->port_count; i++)
        json_array_append_new(ports, desired_port_object(&desired->ports[i]));
    wire_set(object, "ports", ports);
    json_t *pfs = json_array();
    for (size_t i = 0; i < desired->pf_count; i++)
        json_array_append_new(pfs, desired_pf_object(&desired->pfs[i]));
    wire_set(object, "pfs", pfs);
    json_t *vms = json_array();
    for (size_t i = 0; i < desired->vm_count; i++)
        json_array_append_new(vms, desired_vm_object(&desired->vms[i]));
    wire_set(object, "vms", vms);
    return object;
}

static void take_wiring(struct json_reader *reader, struct desired_port *port)
{
    wire_take_copy(reader, "name", false, port->name);
    wire_take_enum(reader, "vnic_type", false, vnic_type, VNIC_TYPE_MAX,
                   &port->vnic_type);
    wire_take_enum(reader, "fallback", false, fallback, FALLBACK_MAX,
                   &port->fallback);
    wire_take_enum(reader, "guest_failover", false, guest_failover,
                   GUEST_FAILOVER_MAX, &port->guest_failover);
    wire_take_enum(reader, "macvtap_mode", false, macvtap_mode,
                   MACVTAP_MODE_MAX, &port->macvtap_mode);
    wire_take_copy(reader, "network", false, port->network);
    wire_take_enum(reader, "network_kind", false, switch_kind, SWITCH_KIND_MAX,
                   &port->network_kind);
}

static int read_desired_port(const json_t *value, const char *path,
                             struct desired_port *port, struct error *err)
{
    struct json_reader reader;
    const json_t *claim = NULL, *policy = NULL;
    char inner[WIRE_PATH_SIZE];
    uint8_t want = 0;
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &port->id);
    wire_take_uuid(&reader, "vm", true, &port->vm);
    wire_take_choice(&reader, "want", true, wants, 2, &want);
    wire_take_enum(&reader, "path", true, port_path, PORT_PATH_MAX,
                   &port->path);
    json_take_object(&reader, "claim", false, &claim);
    json_take_bool(&reader, "device", false, &port->device);
    json_take_object(&reader, "policy", true, &policy);
    take_wiring(&reader, port);
    wire_take_revision(&reader, "revision", true, &port->revision);
    if (json_reader_end(&reader, false, NULL) ||
        wire_policy_read(policy, wire_path(inner, path, "policy"), false,
                         &port->policy, err))
        return -1;
    port->absent = want == 1;
    port->has_claim = claim != NULL;
    return claim ? wire_read_claim(claim, wire_path(inner, path, "claim"), NULL,
                                   &port->claim, err)
                 : 0;
}

static int read_desired_vm(const json_t *value, const char *path,
                           struct desired_vm *vm, struct error *err)
{
    struct json_reader reader;
    uint8_t want = 0;
    const char *domain_xml = NULL;
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &vm->id);
    wire_take_choice(&reader, "want", true, wants, 2, &want);
    wire_take_copy(&reader, "name", true, vm->name);
    wire_take_enum(&reader, "lifecycle", true, vm_lifecycle, LIFECYCLE_MAX,
                   &vm->lifecycle);
    wire_take_enum(&reader, "role", true, vm_role, VM_ROLE_MAX, &vm->role);
    json_take_bool(&reader, "power_on", true, &vm->power_on);
    wire_take_uint(&reader, "vcpus", true, UINT32_MAX, vm->vcpus);
    wire_take_uint(&reader, "memory_mib", true, INT64_MAX, vm->memory_mib);
    json_take_text(&reader, "domain_xml", false, &domain_xml);
    wire_take_revision(&reader, "revision", true, &vm->revision);
    vm->absent = want == 1;
    if (domain_xml && strlen(domain_xml) > DOMAIN_XML_MAX)
        json_reader_fail(&reader, "domain_xml", "more than %d bytes",
                         DOMAIN_XML_MAX);
    if (json_reader_end(&reader, false, NULL))
        return -1;
    if (domain_xml)
        vm->domain_xml = text_new(domain_xml, strlen(domain_xml));
    return 0;
}

/* The lists of the document, read after its plain members. */
struct desired_lists {
    const json_t *ports, *pfs, *vms;
};

static int read_lists(const struct desired_lists *lists,
                      struct desired *desired, struct error *err)
{
    char path[WIRE_PATH_SIZE];
    for (size_t i = 0; i < desired->pf_count; i++)
        if (read_desired_pf(json_array_get(lists->pfs, i),
                            wire_path_at(path, "", "pfs", i), &desired->pfs[i],
                            err))
            return -1;
    for (size_t i = 0; i < desired->vm_count; i++)
        if (read_desired_vm(json_array_get(lists->vms, i),
                            wire_path_at(path, "", "vms", i), &desired->vms[i],
                            err))
            return -1;
    for (size_t i = 0; i < desired->port_count; i++)
        if (read_desired_port(json_array_get(lists->ports, i),
                              wire_path_at(path, "", "ports", i),
                              &desired->ports[i], err))
            return -1;
    return 0;
}

/* How many items there are to read; too many are refused as they are taken. */
static size_t count_of(const json_t *value, const char *name, size_t max)
{
    size_t count = json_array_size(json_object_get(value, name));
    return count <= max ? count : 0;
}

struct desired *wire_desired_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    struct desired_lists lists = {0};
    auto_desired struct desired *desired =
        desired_new(count_of(value, "ports", DOCUMENT_PORTS_MAX),
                    count_of(value, "pfs", DOCUMENT_PFS_MAX),
                    count_of(value, "vms", DOCUMENT_VMS_MAX));
    json_reader_begin(&reader, value, "", err);
    wire_take_uuid(&reader, "cluster_id", true, &desired->cluster_id);
    wire_take_copy(&reader, "host", true, desired->host);
    wire_take_revision(&reader, "revision", true, &desired->revision);
    json_take_bool(&reader, "full", true, &desired->full);
    json_take_array(&reader, "ports", true, DOCUMENT_PORTS_MAX, &lists.ports);
    json_take_array(&reader, "pfs", false, DOCUMENT_PFS_MAX, &lists.pfs);
    json_take_array(&reader, "vms", false, DOCUMENT_VMS_MAX, &lists.vms);
    if (json_reader_end(&reader, false, NULL) ||
        read_lists(&lists, desired, err))
        return NULL;
    return take_ptr(desired);
}
