/* SPDX-License-Identifier: Apache-2.0 */
/* The observed document as JSON: see wire.h and common/model/document.h. Read
 * leniently, so that a scheduler and agents one version apart work together. */
#include "api/wire/value.h"

static json_t *claim_or_null(bool has_claim, const struct claim *claim)
{
    return has_claim ? wire_claim(claim) : json_null();
}

/* Without a domain there is nothing to tell. */
static bool has_way(const struct observed_way *way)
{
    return way->vf_plugged || way->virtio_plugged || way->vf_in_use ||
           way->evidence || way->held || way->tap[0] || way->virtio.set ||
           way->condition.type[0];
}

static json_t *way_object(const struct observed_way *way)
{
    json_t *object = json_object();
    wire_set(object, "vf_plugged", json_boolean(way->vf_plugged));
    wire_set(object, "virtio_plugged", json_boolean(way->virtio_plugged));
    wire_set(object, "vf_in_use", json_boolean(way->vf_in_use));
    wire_set(object, "evidence",
             wire_text(evidence_name((enum evidence)way->evidence)));
    wire_set(object, "in_use_at", wire_timestamp(way->in_use_at));
    wire_set(object, "held", json_boolean(way->held));
    wire_set(object, "tap", wire_text(way->tap));
    wire_set(object, "virtio", wire_policy(&way->virtio));
    wire_set(object, "condition", wire_condition(&way->condition));
    return object;
}

static json_t *observed_port_object(const struct observed_port *port)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&port->id));
    wire_set(object, "vm", wire_uuid(&port->vm));
    wire_set(object, "phase",
             wire_text(port_phase_name((enum port_phase)port->phase)));
    wire_set(object, "revision", wire_revision(&port->revision));
    wire_set(object, "claim", claim_or_null(port->has_claim, &port->claim));
    wire_set(object, "readback", wire_policy(&port->readback));
    wire_set(object, "observed_at", wire_timestamp(port->observed_at));
    wire_set(object, "condition", wire_condition(&port->condition));
    wire_set(object, "way",
             has_way(&port->way) ? way_object(&port->way) : json_null());
    return object;
}

static json_t *observed_pf_object(const struct observed_pf *pf)
{
    json_t *object = json_object();
    wire_set(object, "key", wire_text(pf->key.text));
    wire_set(object, "phase",
             wire_text(pf_phase_name((enum pf_phase)pf->phase)));
    wire_set(object, "revision", wire_revision(&pf->revision));
    wire_set(object, "condition", wire_condition(&pf->condition));
    return object;
}

static json_t *observed_vm_object(const struct observed_vm *vm)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&vm->id));
    wire_set(object, "domain", wire_uuid(&vm->domain));
    wire_set(object, "phase",
             wire_text(vm_phase_name((enum vm_phase)vm->phase)));
    wire_set(object, "power_state",
             wire_text(power_state_name((enum power_state)vm->power_state)));
    wire_set(object, "revision", wire_revision(&vm->revision));
    wire_set(object, "condition", wire_condition(&vm->condition));
    return object;
}

json_t *wire_observed(const struct observed *observed)
{
    json_t *object = json_object();
    wire_set(object, "cluster_id", wire_uuid(&observed->cluster_id));
    wire_set(object, "host", wire_text(observed->host));
    wire_set(object, "machine_id", wire_uuid(&observed->machine_id));
    wire_set(object, "boot_id", wire_uuid(&observed->boot_id));
    wire_set(object, "agent_version", wire_text(observed->agent_version));
    wire_set(object, "incarnation", wire_number(observed->incarnation));
    wire_set(object, "sequence", wire_number(observed->sequence));
    wire_set(object, "base", wire_number(observed->base));
    wire_set(object, "full", json_boolean(observed->full));
    wire_set(object, "accepted", wire_revision(&observed->accepted));
    wire_set(object, "inventory",
             observed->inventory ? wire_inventory(observed->inventory)
                                 : json_null());
    json_t *gone = json_array();
    for (size_t i = 0; i < observed->gone_count; i++)
        json_array_append_new(gone, wire_text(observed->gone_pfs[i].text));
    wire_set(object, "gone_pfs", gone);
    json_t *pfs = json_array();
    for (size_t i = 0; i < observed->pf_count; i++)
        json_array_append_new(pfs, observed_pf_object(&observed->pfs[i]));
    wire_set(object, "pfs", pfs);
    json_t *ports = json_array();
    for (size_t i = 0; i < observed->port_count; i++)
        json_array_append_new(ports, observed_port_object(&observed->ports[i]));
    wire_set(object, "ports", ports);
    json_t *vms = json_array();
    for (size_t i = 0; i < observed->vm_count; i++)
        json_array_append_new(vms, observed_vm_object(&observed->vms[i]));
    wire_set(object, "vms", vms);
    return object;
}

static int read_condition(const json_t *condition, const char *path,
                          size_t *unknown, struct condition *out,
                          struct error *err)
{
    char inner[WIRE_PATH_SIZE];
    return condition ? wire_read_condition(condition,
                                           wire_path(inner, path, "condition"),
                                           unknown, out, err)
                     : 0;
}

static int read_way(const json_t *value, const char *path, size_t *unknown,
                    struct observed_way *way, struct error *err)
{
    struct json_reader reader;
    const json_t *virtio = NULL, *condition = NULL;
    char inner[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, path, err);
    json_take_bool(&reader, "vf_plugged", false, &way->vf_plugged);
    json_take_bool(&reader, "virtio_plugged", false, &way->virtio_plugged);
    json_take_bool(&reader, "vf_in_use", false, &way->vf_in_use);
    wire_take_enum(&reader, "evidence", false, evidence, EVIDENCE_MAX,
                   &way->evidence);
    wire_take_time(&reader, "in_use_at", &way->in_use_at);
    json_take_bool(&reader, "held", false, &way->held);
    wire_take_copy(&reader, "tap", false, way->tap);
    json_take_object(&reader, "virtio", false, &virtio);
    json_take_object(&reader, "condition", false, &condition);
    if (json_reader_end(&reader, false, unknown) ||
        (virtio && wire_read_readback(virtio, wire_path(inner, path, "virtio"),
                                      unknown, &way->virtio, err)))
        return -1;
    return read_condition(condition, path, unknown, &way->condition, err);
}

/* The nested parts of a port, read after its plain members. */
struct port_parts {
    const json_t *claim, *readback, *condition, *way;
};

static int read_port_parts(const struct port_parts *parts, const char *path,
                           size_t *unknown, struct observed_port *port,
                           struct error *err)
{
    char inner[WIRE_PATH_SIZE];
    port->has_claim = parts->claim != NULL;
    if (parts->claim &&
        wire_read_claim(parts->claim, wire_path(inner, path, "claim"), unknown,
                        &port->claim, err))
        return -1;
    if (parts->readback &&
        wire_read_readback(parts->readback, wire_path(inner, path, "readback"),
                           unknown, &port->readback, err))
        return -1;
    if (parts->way && read_way(parts->way, wire_path(inner, path, "way"),
                               unknown, &port->way, err))
        return -1;
    return read_condition(parts->condition, path, unknown, &port->condition,
                          err);
}

static int read_observed_port(const json_t *value, const char *path,
                              size_t *unknown, struct observed_port *port,
                              struct error *err)
{
    struct json_reader reader;
    struct port_parts parts = {0};
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &port->id);
    wire_take_uuid(&reader, "vm", false, &port->vm);
    wire_take_enum(&reader, "phase", true, port_phase, PORT_PHASE_MAX,
                   &port->phase);
    wire_take_revision(&reader, "revision", true, &port->revision);
    json_take_object(&reader, "claim", false, &parts.claim);
    json_take_object(&reader, "readback", false, &parts.readback);
    wire_take_time(&reader, "observed_at", &port->observed_at);
    json_take_object(&reader, "condition", false, &parts.condition);
    json_take_object(&reader, "way", false, &parts.way);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    return read_port_parts(&parts, path, unknown, port, err);
}

static int read_observed_vm(const json_t *value, const char *path,
                            size_t *unknown, struct observed_vm *vm,
                            struct error *err)
{
    struct json_reader reader;
    const json_t *condition = NULL;
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &vm->id);
    wire_take_uuid(&reader, "domain", false, &vm->domain);
    wire_take_enum(&reader, "phase", true, vm_phase, VM_PHASE_MAX, &vm->phase);
    wire_take_enum(&reader, "power_state", true, power_state, POWER_STATE_MAX,
                   &vm->power_state);
    wire_take_revision(&reader, "revision", true, &vm->revision);
    json_take_object(&reader, "condition", false, &condition);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    return read_condition(condition, path, unknown, &vm->condition, err);
}

static int read_observed_pf(const json_t *value, const char *path,
                            size_t *unknown, struct observed_pf *pf,
                            struct error *err)
{
    struct json_reader reader;
    const json_t *condition = NULL;
    json_reader_begin(&reader, value, path, err);
    wire_take_pf_key(&reader, "key", true, &pf->key);
    wire_take_enum(&reader, "phase", true, pf_phase, PF_PHASE_MAX, &pf->phase);
    wire_take_revision(&reader, "revision", true, &pf->revision);
    json_take_object(&reader, "condition", false, &condition);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    return read_condition(condition, path, unknown, &pf->condition, err);
}

/* The members that need a place of their own. */
struct observed_parts {
    const json_t *inventory, *gone_pfs, *pfs, *ports, *vms;
};

static int take_observed(struct json_reader *reader, struct observed *observed,
                         struct observed_parts *parts, size_t *unknown)
{
    wire_take_uuid(reader, "cluster_id", false, &observed->cluster_id);
    wire_take_copy(reader, "host", true, observed->host);
    wire_take_uuid(reader, "machine_id", true, &observed->machine_id);
    wire_take_uuid(reader, "boot_id", false, &observed->boot_id);
    wire_take_copy(reader, "agent_version", false, observed->agent_version);
    wire_take_uint(reader, "incarnation", true, INT64_MAX,
                   observed->incarnation);
    wire_take_uint(reader, "sequence", true, INT64_MAX, observed->sequence);
    wire_take_uint(reader, "base", false, INT64_MAX, observed->base);
    json_take_bool(reader, "full", true, &observed->full);
    wire_take_revision(reader, "accepted", false, &observed->accepted);
    json_take_object(reader, "inventory", observed->full, &parts->inventory);
    json_take_array(reader, "gone_pfs", false, HOST_PFS_MAX, &parts->gone_pfs);
    json_take_array(reader, "pfs", false, DOCUMENT_PFS_MAX, &parts->pfs);
    json_take_array(reader, "ports", true, DOCUMENT_PORTS_MAX, &parts->ports);
    json_take_array(reader, "vms", false, DOCUMENT_VMS_MAX, &parts->vms);
    return json_reader_end(reader, false, unknown);
}

static int read_gone(const json_t *gone, struct observed *observed,
                     struct error *err)
{
    for (size_t i = 0; i < observed->gone_count; i++) {
        const char *text = json_string_value(json_array_get(gone, i));
        char path[WIRE_PATH_SIZE];
        if (!text || !pf_key_parse(text, &observed->gone_pfs[i]))
            return error_set_field(err, ERROR_INVALID,
                                   wire_path_at(path, "", "gone_pfs", i),
                                   "expected a PF key such as 0000:3b:00.0 or "
                                   "netdevsim1");
    }
    return 0;
}

static int read_items(const struct observed_parts *parts, size_t *unknown,
                      struct observed *observed, struct error *err)
{
    char path[WIRE_PATH_SIZE];
    for (size_t i = 0; i < observed->pf_count; i++)
        if (read_observed_pf(json_array_get(parts->pfs, i),
                             wire_path_at(path, "", "pfs", i), unknown,
                             &observed->pfs[i], err))
            return -1;
    for (size_t i = 0; i < observed->port_count; i++)
        if (read_observed_port(json_array_get(parts->ports, i),
                               wire_path_at(path, "", "ports", i), unknown,
                               &observed->ports[i], err))
            return -1;
    for (size_t i = 0; i < observed->vm_count; i++)
        if (read_observed_vm(json_array_get(parts->vms, i),
                             wire_path_at(path, "", "vms", i), unknown,
                             &observed->vms[i], err))
            return -1;
    return 0;
}

/* How many items there are to read; too many are refused as they are taken. */
static size_t count_of(const json_t *value, const char *name, size_t max)
{
    size_t count = json_array_size(json_object_get(value, name));
    return count <= max ? count : 0;
}

struct observed *wire_observed_read(const json_t *value, size_t *unknown,
                                    struct error *err)
{
    struct json_reader reader;
    struct observed_parts parts = {0};
    size_t ignored = 0;
    auto_observed struct observed *observed =
        observed_new(count_of(value, "ports", DOCUMENT_PORTS_MAX),
                     count_of(value, "gone_pfs", HOST_PFS_MAX),
                     count_of(value, "pfs", DOCUMENT_PFS_MAX),
                     count_of(value, "vms", DOCUMENT_VMS_MAX));
    json_reader_begin(&reader, value, "", err);
    if (take_observed(&reader, observed, &parts, &ignored) ||
        read_gone(parts.gone_pfs, observed, err))
        return NULL;
    if (parts.inventory) {
        observed->inventory =
            wire_read_inventory(parts.inventory, "inventory", &ignored, err);
        if (!observed->inventory)
            return NULL;
    }
    if (read_items(&parts, &ignored, observed, err))
        return NULL;
    if (unknown)
        *unknown += ignored;
    return take_ptr(observed);
}
