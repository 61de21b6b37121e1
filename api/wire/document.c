/* SPDX-License-Identifier: Apache-2.0 */
/* The desired and the observed document as JSON: see wire.h and
 * common/model/document.h. Read leniently, so that a scheduler and agents one
 * version apart work together. */
#include "api/wire/value.h"

static json_t *claim_or_null(bool has_claim, const struct claim *claim)
{
    return has_claim ? wire_claim(claim) : json_null();
}

/* ---- desired --------------------------------------------------------------- */

/* How a port is wanted. Removal is said, never left out. */
static const char *const wants[] = {"present", "absent"};

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
    wire_set(object, "revision", wire_revision(&port->revision));
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
    return object;
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

struct desired *wire_desired_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    const json_t *ports = NULL, *pfs = NULL;
    size_t count = json_array_size(json_object_get(value, "ports"));
    size_t pf_count = json_array_size(json_object_get(value, "pfs"));
    auto_desired struct desired *desired =
        desired_new(count <= DOCUMENT_PORTS_MAX ? count : 0,
                    pf_count <= DOCUMENT_PFS_MAX ? pf_count : 0, 0);
    json_reader_begin(&reader, value, "", err);
    wire_take_uuid(&reader, "cluster_id", true, &desired->cluster_id);
    wire_take_copy(&reader, "host", true, desired->host);
    wire_take_revision(&reader, "revision", true, &desired->revision);
    json_take_bool(&reader, "full", true, &desired->full);
    json_take_array(&reader, "ports", true, DOCUMENT_PORTS_MAX, &ports);
    json_take_array(&reader, "pfs", false, DOCUMENT_PFS_MAX, &pfs);
    if (json_reader_end(&reader, false, NULL))
        return NULL;
    for (size_t i = 0; i < desired->pf_count; i++) {
        char path[WIRE_PATH_SIZE];
        if (read_desired_pf(json_array_get(pfs, i),
                            wire_path_at(path, "", "pfs", i), &desired->pfs[i],
                            err))
            return NULL;
    }
    for (size_t i = 0; i < desired->port_count; i++) {
        char path[WIRE_PATH_SIZE];
        if (read_desired_port(json_array_get(ports, i),
                              wire_path_at(path, "", "ports", i),
                              &desired->ports[i], err))
            return NULL;
    }
    return take_ptr(desired);
}

/* ---- observed --------------------------------------------------------------- */

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
    return object;
}

static int read_observed_port(const json_t *value, const char *path,
                              size_t *unknown, struct observed_port *port,
                              struct error *err)
{
    struct json_reader reader;
    const json_t *claim = NULL, *readback = NULL, *condition = NULL;
    char inner[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "id", true, &port->id);
    wire_take_uuid(&reader, "vm", false, &port->vm);
    wire_take_enum(&reader, "phase", true, port_phase, PORT_PHASE_MAX,
                   &port->phase);
    wire_take_revision(&reader, "revision", true, &port->revision);
    json_take_object(&reader, "claim", false, &claim);
    json_take_object(&reader, "readback", false, &readback);
    wire_take_time(&reader, "observed_at", &port->observed_at);
    json_take_object(&reader, "condition", false, &condition);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    port->has_claim = claim != NULL;
    if (claim && wire_read_claim(claim, wire_path(inner, path, "claim"),
                                 unknown, &port->claim, err))
        return -1;
    if (readback &&
        wire_read_readback(readback, wire_path(inner, path, "readback"),
                           unknown, &port->readback, err))
        return -1;
    return condition ? wire_read_condition(condition,
                                           wire_path(inner, path, "condition"),
                                           unknown, &port->condition, err)
                     : 0;
}

static int read_observed_pf(const json_t *value, const char *path,
                            size_t *unknown, struct observed_pf *pf,
                            struct error *err)
{
    struct json_reader reader;
    const json_t *condition = NULL;
    char inner[WIRE_PATH_SIZE];
    json_reader_begin(&reader, value, path, err);
    wire_take_pf_key(&reader, "key", true, &pf->key);
    wire_take_enum(&reader, "phase", true, pf_phase, PF_PHASE_MAX, &pf->phase);
    wire_take_revision(&reader, "revision", true, &pf->revision);
    json_take_object(&reader, "condition", false, &condition);
    if (json_reader_end(&reader, false, unknown))
        return -1;
    return condition ? wire_read_condition(condition,
                                           wire_path(inner, path, "condition"),
                                           unknown, &pf->condition, err)
                     : 0;
}

/* The members that need a place of their own. */
struct observed_parts {
    const json_t *inventory, *gone_pfs, *pfs, *ports;
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

struct observed *wire_observed_read(const json_t *value, size_t *unknown,
                                    struct error *err)
{
    struct json_reader reader;
    struct observed_parts parts = {0};
    size_t ignored = 0;
    size_t ports = json_array_size(json_object_get(value, "ports"));
    size_t gone = json_array_size(json_object_get(value, "gone_pfs"));
    size_t pfs = json_array_size(json_object_get(value, "pfs"));
    auto_observed struct observed *observed = observed_new(
        ports <= DOCUMENT_PORTS_MAX ? ports : 0,
        gone <= HOST_PFS_MAX ? gone : 0, pfs <= DOCUMENT_PFS_MAX ? pfs : 0, 0);
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
    for (size_t i = 0; i < observed->pf_count; i++) {
        char path[WIRE_PATH_SIZE];
        if (read_observed_pf(json_array_get(parts.pfs, i),
                             wire_path_at(path, "", "pfs", i), &ignored,
                             &observed->pfs[i], err))
            return NULL;
    }
    for (size_t i = 0; i < observed->port_count; i++) {
        char path[WIRE_PATH_SIZE];
        if (read_observed_port(json_array_get(parts.ports, i),
                               wire_path_at(path, "", "ports", i), &ignored,
                               &observed->ports[i], err))
            return NULL;
    }
    if (unknown)
        *unknown += ignored;
    return take_ptr(observed);
}
