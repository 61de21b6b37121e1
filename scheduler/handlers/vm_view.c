/* SPDX-License-Identifier: Apache-2.0 */
/* How a VM looks to clients: the stored VM, what the agent said of its ports and
 * devices, the XML to attach them by. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <string.h>

static void put_observed(struct json_out *out,
                         const struct observed_port *observed, bool device)
{
    json_out_object(out, "observed");
    json_out_text(out, "phase",
                  port_phase_name((enum port_phase)observed->phase));
    if (!device)
        wire_put_policy(out, "policy", &observed->readback);
    wire_put_timestamp(out, "observed_at", observed->observed_at);
    json_out_end(out);
}

/* The path whose frames are the guest's now; NULL = nobody knows of one. */
static const char *path_in_use(const struct observed_way *way)
{
    if (way->vf_in_use)
        return port_path_name(PATH_VF);
    return way->virtio_plugged ? port_path_name(PATH_VIRTIO) : NULL;
}

static bool has_way(const struct observed_way *way)
{
    return way->vf_plugged || way->virtio_plugged || way->vf_in_use ||
           way->held;
}

static void put_way(struct json_out *out, const struct observed_way *way)
{
    const char *path = path_in_use(way);
    json_out_object(out, "way");
    json_out_text_or_null(out, "path_in_use", path ? path : "");
    json_out_text(out, "evidence", evidence_name((enum evidence)way->evidence));
    wire_put_timestamp(out, "in_use_at", way->in_use_at);
    json_out_bool(out, "vf_plugged", way->vf_plugged);
    json_out_bool(out, "virtio_plugged", way->virtio_plugged);
    json_out_bool(out, "held", way->held);
    json_out_text_or_null(out, "tap", way->tap);
    wire_put_policy(out, "policy", &way->virtio);
    json_out_end(out);
}

struct view {
    const struct host_view *host;
    const struct vm *vm;
    bool planned;
    struct str xml; /* of all ports so far */
};

static void put_conditions(struct json_out *out, const struct view *view,
                           const struct port *port)
{
    struct condition applied = view_port_applied(view->host, port);
    struct condition path = view_port_path(view->host, port);
    json_out_array(out, "conditions");
    wire_put_condition(out, NULL, &applied);
    if (!port->device)
        wire_put_condition(out, NULL, &path);
    json_out_end(out);
}

/* What we add to each port and device: what its agent said, and how to attach
 * it. */
static void put_port(void *context, struct json_out *out,
                     const struct port *port)
{
    struct view *view = context;
    const struct observed_port *observed =
        view->planned ? NULL : view_port_report(view->host, port);
    /* Where the frames go now, also if it is about an older revision. */
    const struct observed_port *seen =
        view->planned || !view->host ? NULL
                                     : host_view_port(view->host, &port->id);
    auto_free char *xml = libvirt_xml(view->host, port);
    if (observed)
        put_observed(out, observed, port->device);
    else
        json_out_null(out, "observed");
    if (!port->device) {
        if (seen && has_way(&seen->way))
            put_way(out, &seen->way);
        else
            json_out_null(out, "way");
    }
    json_out_text_or_null(out, "libvirt_xml", xml);
    if (xml)
        str_add(&view->xml, xml);
}

static const char *degraded(void *context, const struct port *port)
{
    struct view *view = context;
    return view->planned ? NULL : view_degraded(view->host, port);
}

/* What libvirt tells of it, and how far the agent is with what is wanted now; null
 * where it is not our business, or nobody told. */
static void put_power_state(struct json_out *out, const struct view *view)
{
    const struct observed_vm *seen =
        view->host && !view->planned ? host_view_vm(view->host, &view->vm->id)
                                     : NULL;
    json_out_text_or_null(
        out, "power_state",
        seen ? power_state_name((enum power_state)seen->power_state) : "");
    bool current =
        seen && revision_compare(&seen->revision, &view->vm->revision) >= 0;
    json_out_text_or_null(
        out, "phase", current ? vm_phase_name((enum vm_phase)seen->phase) : "");
}

static void put_vm(struct json_out *out, const struct snapshot *snapshot,
                   const struct vm *vm, bool planned, bool with_domain)
{
    struct view view = {
        .host = snapshot_host(snapshot, vm->host),
        .vm = vm,
        .planned = planned,
    };
    const struct wire_port_more more = {put_port, degraded, &view};
    struct condition applied = view_policy_applied(snapshot, vm, planned);
    struct condition running = view_running(snapshot, vm, planned);
    struct condition path = {0};
    json_out_object(out, NULL);
    wire_put_vm(out, vm, &more);
    put_power_state(out, &view);
    if (with_domain)
        json_out_text_or_null(out, "domain_xml",
                              vm->domain_xml ? vm->domain_xml->data : "");
    json_out_array(out, "conditions");
    wire_put_condition(out, NULL, &applied);
    if (vm->lifecycle != LIFECYCLE_HOST) {
        wire_put_condition(out, NULL, &running);
        if (view_path_ready(snapshot, vm, planned, &path))
            wire_put_condition(out, NULL, &path);
    }
    json_out_end(out);
    json_out_text_or_null(out, "libvirt_xml", str_text(&view.xml));
    json_out_end(out);
    str_done(&view.xml);
}

void view_vm(struct json_out *out, const struct snapshot *snapshot,
             const struct vm *vm, bool planned)
{
    put_vm(out, snapshot, vm, planned, false);
}

void view_port(struct json_out *out, const struct snapshot *snapshot,
               const struct vm *vm, const struct port *port)
{
    struct view view = {.host = snapshot_host(snapshot, vm->host), .vm = vm};
    const struct wire_port_more more = {put_port, degraded, &view};
    json_out_object(out, NULL);
    json_out_bool(out, "device", port->device);
    wire_put_port(out, port, &more);
    wire_put_uuid(out, "vm_id", &vm->id);
    json_out_text(out, "vm_name", vm->name);
    json_out_text(out, "host", vm->host);
    put_conditions(out, &view, port);
    json_out_end(out);
    str_done(&view.xml);
}

#define ROOM_FIRST 2048 /* a VM with one port fits */

struct str view_vm_text(const struct snapshot *snapshot, const struct vm *vm,
                        bool planned)
{
    struct str text = {0};
    struct json_out out = json_out_as_text(&text);
    str_reserve(&text, ROOM_FIRST);
    put_vm(&out, snapshot, vm, planned, true);
    return text;
}
