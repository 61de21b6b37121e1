/* SPDX-License-Identifier: Apache-2.0 */
/* How a VM looks to clients: the stored VM, what the agent said of its ports,
 * the XML to attach them by. */
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
    if (!observed)
        return condition(CONDITION_UNKNOWN, "WaitingForAgent", "", 0,
                         "port '%s': the agent has not yet said that it has it",
                         port->name);
    if (observed->phase == PORT_APPLIED)
        return condition(CONDITION_TRUE, "Applied", "", observed->observed_at,
                         "port '%s': the kernel reads what was asked for",
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
                     "port '%s': %s", port->name,
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
                         "the VM has no ports");
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

static json_t *observed_object(const struct observed_port *observed)
{
    json_t *object = json_object();
    wire_set(object, "phase",
             wire_text(port_phase_name((enum port_phase)observed->phase)));
    wire_set(object, "policy", wire_policy(&observed->readback));
    wire_set(object, "observed_at", wire_timestamp(observed->observed_at));
    return object;
}

json_t *view_vm(const struct snapshot *snapshot, const struct vm *vm,
                bool planned)
{
    const struct host_view *host = snapshot_host(snapshot, vm->host);
    json_t *object = wire_vm(vm), *conditions = json_array();
    json_t *ports = json_object_get(object, "ports");
    struct str xml = {0};
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        const struct observed_port *observed =
            planned ? NULL : report_of(host, port);
        json_t *item = json_array_get(ports, i);
        auto_free char *one = libvirt_xml(host, port);
        wire_set(item, "observed",
                 observed ? observed_object(observed) : json_null());
        wire_set(item, "libvirt_xml", one ? wire_text(one) : json_null());
        if (one)
            str_add(&xml, one);
    }
    struct condition applied = view_policy_applied(snapshot, vm, planned);
    json_array_append_new(conditions, wire_condition(&applied));
    wire_set(object, "conditions", conditions);
    wire_set(object, "libvirt_xml",
             xml.length ? wire_text(str_text(&xml)) : json_null());
    str_done(&xml);
    return object;
}
