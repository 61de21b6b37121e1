/* SPDX-License-Identifier: Apache-2.0 */
/* How a VM looks to clients: the stored VM, what the agent said of its ports and
 * devices, the XML to attach them by. */
#include "scheduler/handlers/api.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct condition condition(enum condition_status status,
                                  const char *reason, const char *field,
                                  int64_t at, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
static struct condition condition(enum condition_status status,
                                  const char *reason, const char *field,
                                  int64_t at, const char *format, ...)
{
    struct condition made = {.status = (uint8_t)status, .at = at};
    va_list args;
    va_start(args, format);
    vsnprintf(made.message, sizeof made.message, format, args);
    va_end(args);
    str_copy(made.type, "PolicyApplied");
    str_copy(made.reason, reason);
    str_copy(made.field, field);
    return made;
}

/* The agent's word on a port, if it is about the port as it is now. */
static const struct observed_port *report_of(const struct host_view *host,
                                             const struct port *port)
{
    const struct observed_port *observed =
        host ? host_view_port(host, &port->id) : NULL;
    bool current =
        observed && revision_compare(&observed->revision, &port->revision) >= 0;
    return current ? observed : NULL;
}

static struct condition port_condition(const struct host_view *host,
                                       const struct port *port)
{
    const struct observed_port *observed = report_of(host, port);
    const char *what = port->device ? "device" : "port";
    if (!observed)
        return condition(CONDITION_UNKNOWN, "WaitingForAgent", "", 0,
                         "%s '%s': the agent has not yet said that it has it",
                         what, port->name);
    if (observed->phase == PORT_APPLIED)
        return condition(CONDITION_TRUE, "Applied", "", observed->observed_at,
                         "%s '%s': the kernel reads what was asked for", what,
                         port->name);
    const struct condition *told = &observed->condition;
    const char *phase = port_phase_name((enum port_phase)observed->phase);
    bool failed = observed->phase == PORT_FAILED ||
                  (told->status == CONDITION_FALSE && *told->reason);
    return condition(failed ? CONDITION_FALSE : CONDITION_UNKNOWN,
                     *told->reason ? told->reason
                     : failed      ? "Failed"
                                   : "InProgress",
                     told->field, told->at ? told->at : observed->observed_at,
                     "%s '%s': %s", what, port->name,
                     *told->message ? told->message : phase);
}

/* Worse comes first: False, Unknown, True. */
static int badness(const struct condition *c)
{
    return c->status == CONDITION_FALSE     ? 2
           : c->status == CONDITION_UNKNOWN ? 1
                                            : 0;
}

struct condition view_policy_applied(const struct snapshot *snapshot,
                                     const struct vm *vm, bool planned)
{
    const struct host_view *host = snapshot_host(snapshot, vm->host);
    if (planned)
        return condition(CONDITION_UNKNOWN, "DryRun", "", 0,
                         "this was only asked for, nothing is claimed");
    if (vm->state == VM_DELETING)
        return condition(CONDITION_UNKNOWN, "Deleting", "", 0,
                         "the VM is being deleted; it goes when its VFs read "
                         "back clean");
    if (vm->port_count == 0)
        return condition(CONDITION_TRUE, "NoPorts", "", vm->created_at,
                         "the VM has no ports and no devices");
    if (host && host->state == HOST_UNREACHABLE) {
        char seen[TIMESTAMP_TEXT_SIZE];
        int64_t at = atomic_load(&host->last_seen_at);
        return condition(CONDITION_UNKNOWN, "HostUnreachable", "", at,
                         "the agent of host '%s' was last heard %s", vm->host,
                         at ? timestamp_format(at, seen) : "never");
    }
    struct condition worst = port_condition(host, &vm->ports[0]);
    for (size_t i = 1; i < vm->port_count; i++) {
        struct condition next = port_condition(host, &vm->ports[i]);
        if (badness(&next) > badness(&worst) ||
            (badness(&next) == badness(&worst) && next.at > worst.at))
            worst = next;
    }
    return worst;
}

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

struct view {
    const struct host_view *host;
    bool planned;
    struct str xml; /* of all ports so far */
};

/* What we add to each port and device: what its agent said, and how to attach
 * it. */
static void put_port(void *context, struct json_out *out,
                     const struct port *port)
{
    struct view *view = context;
    const struct observed_port *observed =
        view->planned ? NULL : report_of(view->host, port);
    auto_free char *xml = libvirt_xml(view->host, port);
    if (observed)
        put_observed(out, observed, port->device);
    else
        json_out_null(out, "observed");
    json_out_text_or_null(out, "libvirt_xml", xml);
    if (xml)
        str_add(&view->xml, xml);
}

void view_vm(struct json_out *out, const struct snapshot *snapshot,
             const struct vm *vm, bool planned)
{
    struct view view = {
        .host = snapshot_host(snapshot, vm->host),
        .planned = planned,
    };
    const struct wire_port_more more = {put_port, &view};
    struct condition applied = view_policy_applied(snapshot, vm, planned);
    json_out_object(out, NULL);
    wire_put_vm(out, vm, &more);
    json_out_array(out, "conditions");
    wire_put_condition(out, NULL, &applied);
    json_out_end(out);
    json_out_text_or_null(out, "libvirt_xml", str_text(&view.xml));
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
    view_vm(&out, snapshot, vm, planned);
    return text;
}
