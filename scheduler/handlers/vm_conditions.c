/* SPDX-License-Identifier: Apache-2.0 */
/* The conditions of a VM and its ports: what its host's agent said, told as of the
 * VM as it is wanted now. */
#include "scheduler/handlers/api.h"

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
const struct observed_port *view_port_report(const struct host_view *host,
                                             const struct port *port)
{
    const struct observed_port *observed =
        host ? host_view_port(host, &port->id) : NULL;
    bool current =
        observed && revision_compare(&observed->revision, &port->revision) >= 0;
    return current ? observed : NULL;
}

struct condition view_port_applied(const struct host_view *host,
                                   const struct port *port)
{
    const struct observed_port *observed = view_port_report(host, port);
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

/* What holds of every condition of a VM that is only planned or on its way out. */
static bool too_early(const struct vm *vm, bool planned, struct condition *out)
{
    if (planned)
        *out = condition(CONDITION_UNKNOWN, "DryRun", "", 0,
                         "this was only asked for, nothing is claimed");
    else if (vm->state == VM_DELETING)
        *out = condition(CONDITION_UNKNOWN, "Deleting", "", 0,
                         "the VM is being deleted; it goes when its domain is "
                         "gone and its VFs read back clean");
    else
        return false;
    return true;
}

static bool is_unheard(const struct host_view *host, struct condition *out)
{
    if (!host || host->state != HOST_UNREACHABLE)
        return false;
    char seen[TIMESTAMP_TEXT_SIZE];
    int64_t at = atomic_load(&host->last_seen_at);
    *out =
        condition(CONDITION_UNKNOWN, "HostUnreachable", "", at,
                  "the agent of host '%s' was last heard %s", host->host->name,
                  at ? timestamp_format(at, seen) : "never");
    return true;
}

struct condition view_policy_applied(const struct snapshot *snapshot,
                                     const struct vm *vm, bool planned)
{
    const struct host_view *host = snapshot_host(snapshot, vm->host);
    struct condition early = {0};
    if (too_early(vm, planned, &early))
        return early;
    if (vm->port_count == 0)
        return condition(CONDITION_TRUE, "NoPorts", "", vm->created_at,
                         "the VM has no ports and no devices");
    if (is_unheard(host, &early))
        return early;
    struct condition worst = view_port_applied(host, &vm->ports[0]);
    for (size_t i = 1; i < vm->port_count; i++) {
        struct condition next = view_port_applied(host, &vm->ports[i]);
        if (badness(&next) > badness(&worst) ||
            (badness(&next) == badness(&worst) && next.at > worst.at))
            worst = next;
    }
    return worst;
}

/* ---- Running ------------------------------------------------------------------ */

static struct condition typed(struct condition made, const char *type)
{
    str_copy(made.type, type);
    return made;
}

struct condition view_running(const struct snapshot *snapshot,
                              const struct vm *vm, bool planned)
{
    const struct host_view *host = snapshot_host(snapshot, vm->host);
    const struct observed_vm *seen = host ? host_view_vm(host, &vm->id) : NULL;
    struct condition made = {0};
    if (too_early(vm, planned, &made) || is_unheard(host, &made))
        return typed(made, "Running");
    if (!seen || revision_compare(&seen->revision, &vm->revision) < 0)
        return typed(condition(CONDITION_UNKNOWN, "WaitingForAgent", "", 0,
                               "the agent has not yet said that it has the VM "
                               "as it is wanted now"),
                     "Running");
    if (*seen->condition.type)
        return typed(seen->condition, "Running");
    const char *state = power_state_name((enum power_state)seen->power_state);
    enum condition_status status =
        seen->power_state == POWER_UNKNOWN   ? CONDITION_UNKNOWN
        : seen->power_state == POWER_RUNNING ? CONDITION_TRUE
                                             : CONDITION_FALSE;
    return typed(
        condition(status, "PowerState", "", 0, "its domain is %s", state),
        "Running");
}

/* ---- PathReady ----------------------------------------------------------------- */

struct condition view_port_path(const struct host_view *host,
                                const struct port *port)
{
    const struct observed_port *seen = view_port_report(host, port);
    struct condition made;
    if (!seen)
        made = condition(CONDITION_UNKNOWN, "WaitingForAgent", "", 0,
                         "port '%s': the agent has not yet said that it has it",
                         port->name);
    else if (!*seen->way.condition.type)
        made = condition(CONDITION_UNKNOWN, "NotRunning", "", 0,
                         "port '%s': its path is proven while the VM runs",
                         port->name);
    else
        made = seen->way.condition;
    return typed(made, "PathReady");
}

bool view_path_ready(const struct snapshot *snapshot, const struct vm *vm,
                     bool planned, struct condition *out)
{
    const struct host_view *host = snapshot_host(snapshot, vm->host);
    bool have = false;
    if (too_early(vm, planned, out) || is_unheard(host, out)) {
        *out = typed(*out, "PathReady");
        return true;
    }
    for (size_t i = 0; i < vm->port_count; i++) {
        if (vm->ports[i].device)
            continue;
        struct condition next = view_port_path(host, &vm->ports[i]);
        if (!have || badness(&next) > badness(out))
            *out = next;
        have = true;
    }
    return have;
}

const char *view_degraded(const struct host_view *host, const struct port *port)
{
    const struct observed_port *seen = view_port_report(host, port);
    if (port->degraded)
        return port->degraded_reason;
    if (port->path != PATH_VF || !seen ||
        seen->way.condition.status != CONDITION_FALSE)
        return NULL;
    return seen->way.condition.reason;
}
