/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for managed VMs, and what is seen of all: see vm_life.h. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define VM_RETRY_NS TIMESTAMP_SECOND
#define VM_RETRY_MAX_NS (30 * TIMESTAMP_SECOND)
#define VM_AGAIN_NS (200 * TIMESTAMP_MS)
/* libvirt may tell of the domain a little after START has ended. */
#define VM_SEEN_NS (5 * TIMESTAMP_SECOND)

static void plan_again(struct reconcile *r, int64_t at)
{
    if (at < r->plan_at)
        r->plan_at = at;
}

static bool is_managed(const struct vm_slot *vm)
{
    return vm->d.lifecycle == LIFECYCLE_MANAGED;
}

/* Acted for this revision in this boot? */
static bool acted(const struct reconcile *r, const struct vm_slot *vm)
{
    return vm->has_record &&
           uuid_equal(&vm->record.boot_id, &r->config.boot_id) &&
           revision_compare(&vm->record.revision, &vm->d.revision) == 0;
}

/* ---- what is seen ------------------------------------------------------------------ */

/* libvirt's reason of a domain that is off, in our words. */
static const char *off_reason(const char *reason)
{
    if (strcmp(reason, "shutdown") == 0)
        return "GuestShutDown";
    if (strcmp(reason, "crashed") == 0)
        return "Crashed";
    if (strcmp(reason, "destroyed") == 0)
        return "Destroyed";
    if (strcmp(reason, "failed") == 0)
        return "StartFailed";
    if (strcmp(reason, "migrated") == 0)
        return "Migrated";
    if (strcmp(reason, "saved") == 0)
        return "Saved";
    return "Off";
}

static void see_off(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    bool managed = is_managed(vm);
    vm->started_at = 0;
    const char *remedy =
        managed ? "; it stays off until 'sriov-admin vm start'" : "";
    if (managed && !vm->d.power_on)
        vm_condition(r, vm, now, CONDITION_FALSE, "PoweredOff", "%s",
                     "the VM is off, as asked");
    else if (!vm->domain)
        vm_condition(r, vm, now, CONDITION_FALSE, "NoDomain",
                     "libvirt knows no domain of this VM%s", remedy);
    else
        vm_condition(
            r, vm, now, CONDITION_FALSE, off_reason(vm->domain->reason),
            "the domain is off (libvirt: %s)%s",
            *vm->domain->reason ? vm->domain->reason : "no reason", remedy);
}

static void see(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    if (!vm_is_active(vm)) {
        bool soon = vm->started_at && now < vm->started_at + VM_SEEN_NS;
        if (soon)
            plan_again(r, vm->started_at + VM_SEEN_NS);
        else
            see_off(r, vm, now);
        return;
    }
    enum power_state state = (enum power_state)vm->domain->power_state;
    vm->started_at = 0;
    if (state == POWER_PAUSED || state == POWER_SUSPENDED)
        vm_condition(r, vm, now, CONDITION_FALSE,
                     state == POWER_PAUSED ? "Paused" : "Suspended",
                     "the domain is %s (libvirt: %s)", power_state_name(state),
                     vm->domain->reason);
    else
        vm_condition(r, vm, now, CONDITION_TRUE, "Running", "%s",
                     "the domain runs");
}

static void see_nothing(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    bool leaves = vm->d.absent && !is_managed(vm) && !r->no_libvirt;
    if (leaves && !vm_is_gone(r, vm) && now < r->begun_at + VM_GRACE_NS)
        plan_again(r, r->begun_at + VM_GRACE_NS);
    if (leaves && vm_is_gone(r, vm))
        vm_condition(r, vm, now, CONDITION_UNKNOWN, "LibvirtUnreachable", "%s",
                     "libvirt tells nothing, and this agent has not seen a "
                     "domain of the VM; it never ends external ones");
    else if (r->no_libvirt)
        vm_condition(r, vm, now, CONDITION_UNKNOWN, "LibvirtNotAsked", "%s",
                     "the agent of this host asks no libvirt (--libvirt-uri)");
    else
        vm_condition(r, vm, now, CONDITION_UNKNOWN, "LibvirtUnreachable",
                     "libvirt tells nothing: %s; it goes on when libvirt "
                     "answers",
                     *r->domains_why ? r->domains_why : "not asked yet");
}

/* ---- orders -------------------------------------------------------------------------- */

static bool may_order(struct reconcile *r, const struct vm_slot *vm,
                      int64_t now)
{
    if (vm->order.active || (vm->has_record && vm->intent > r->saved))
        return false;
    if (now >= vm->next_at)
        return true;
    plan_again(r, vm->next_at);
    return false;
}

static void later(struct vm_slot *vm, int64_t now)
{
    int64_t wait = VM_RETRY_NS << (vm->tries < 5 ? vm->tries : 5);
    vm->tries++;
    vm->next_at = now + (wait < VM_RETRY_MAX_NS ? wait : VM_RETRY_MAX_NS);
}

static void fail(struct reconcile *r, struct vm_slot *vm, int64_t now,
                 const char *reason, const struct error *err)
{
    vm_condition(r, vm, now, CONDITION_FALSE, reason,
                 "%.200s; mend it, then 'sriov-admin vm start'", err->msg);
    vm_move(r, vm, VM_RUN_FAILED);
}

static void define(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    struct error err = {0};
    char *xml = vm_define(r, vm, &err);
    if (xml)
        order_begin(r, vm, DOMAIN_DEFINE, NULL, xml, NULL);
    else
        fail(r, vm, now, "DefinitionRefused", &err);
}

/* ---- start -------------------------------------------------------------------------- */

static void start(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    char why[224];
    if (vm_is_active(vm)) {
        vm_move(r, vm, VM_RUN_STARTED);
        see(r, vm, now);
        return;
    }
    if (vm->order.active)
        return;
    if (!vm_ports_ready(r, vm, why, sizeof why)) {
        vm->defined = false;
        vm_condition(r, vm, now, CONDITION_FALSE, "WaitsForPorts", "%s", why);
        return;
    }
    bool begun = acted(r, vm);
    if (!begun)
        vm_move(r, vm, VM_RUN_STARTING);
    if (!begun || vm->tries == 0)
        vm_condition(r, vm, now, CONDITION_UNKNOWN, "Starting", "%s",
                     "the domain is being defined and started");
    if (!may_order(r, vm, now))
        return;
    if (!vm->defined) {
        define(r, vm, now);
    } else {
        order_begin(r, vm, DOMAIN_START, NULL, NULL, NULL);
        vm->started_at = now;
    }
}

static void start_ordered(struct reconcile *r, struct vm_slot *vm, int64_t now,
                          enum domain_order_kind kind,
                          const struct action_result *result)
{
    bool wanted = vm->wanted && !vm->d.absent && vm->d.power_on;
    if (!wanted || !acted(r, vm) || vm->record.run != VM_RUN_STARTING)
        return; /* something else is wanted since */
    if (!result->failed) {
        vm->defined = true;
        if (kind == DOMAIN_START) {
            vm_move(r, vm, VM_RUN_STARTED);
            vm->started_at = now;
        }
        return;
    }
    const struct error *err = &result->err;
    const char *reason =
        kind == DOMAIN_START ? "StartFailed" : "DefinitionRefused";
    bool passes = err->code == ERROR_AGAIN;
    vm->defined = false;
    vm->started_at = passes ? vm->started_at : 0; /* it may yet start */
    vm_condition(r, vm, now, CONDITION_FALSE, reason,
                 "%.200s; it is tried again by itself", err->msg);
    later(vm, now);
    if (!passes && vm->tries >= TRIES_MAX)
        fail(r, vm, now, reason, err);
}

/* ---- stop ---------------------------------------------------------------------------- */

static void stop(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    if (!vm_is_active(vm)) {
        vm_move(r, vm, VM_RUN_STOPPED);
        see(r, vm, now);
        return;
    }
    if (!acted(r, vm))
        vm_move(r, vm, VM_RUN_STOPPING);
    vm_condition(r, vm, now, CONDITION_TRUE, "ShuttingDown",
                 "the guest is asked to shut down; after %d s it is destroyed",
                 (int)(VM_SHUTDOWN_NS / TIMESTAMP_SECOND));
    if (!may_order(r, vm, now))
        return;
    if (!vm->asked)
        order_begin(r, vm, DOMAIN_SHUTDOWN, NULL, NULL, NULL);
    else if (now >= vm->asked_at + VM_SHUTDOWN_NS)
        order_begin(r, vm, DOMAIN_DESTROY, NULL, NULL, NULL);
    else
        plan_again(r, vm->asked_at + VM_SHUTDOWN_NS);
}

/* A guest that can't be asked is destroyed as one that does not listen. */
static void stop_ordered(struct vm_slot *vm, int64_t now,
                         enum domain_order_kind kind,
                         const struct action_result *result)
{
    bool passes = result->failed && result->err.code == ERROR_AGAIN;
    if (kind == DOMAIN_SHUTDOWN && !passes) {
        vm->asked = true;
        vm->asked_at = now;
    } else {
        later(vm, now);
    }
}

/* ---- the end ------------------------------------------------------------------------- */

/* External ones are ended by their platform, which may keep the definition. */
bool vm_is_gone(const struct reconcile *r, const struct vm_slot *vm)
{
    bool external = vm->wanted && !is_managed(vm) && !vm->has_record;
    if (r->no_libvirt)
        return !vm->has_record;
    if (external && !r->domains)
        return !vm->was_active && r->now >= r->begun_at + VM_GRACE_NS;
    if (!r->domains || vm->order.active)
        return false;
    return external ? !vm_is_active(vm) : !vm->domain && !vm->has_record;
}

static void end(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    const struct domain_state *domain = vm->domain;
    if (!domain && !vm->order.active) {
        vm->started_at = 0;
        if (vm->has_record)
            vm_drop_record(r, vm);
        vm_condition(r, vm, now, CONDITION_FALSE, "Gone", "%s",
                     "libvirt knows no domain of this VM any more");
        return;
    }
    if (vm->tries == 0)
        vm_condition(r, vm, now, CONDITION_UNKNOWN, "Ending", "%s",
                     "the domain is being destroyed and undefined");
    if (!may_order(r, vm, now))
        return;
    order_begin(r, vm, vm_is_active(vm) ? DOMAIN_DESTROY : DOMAIN_UNDEFINE,
                NULL, NULL, NULL);
}

static void end_ordered(struct reconcile *r, struct vm_slot *vm, int64_t now,
                        const struct action_result *result)
{
    if (result->failed)
        vm_condition(r, vm, now, CONDITION_FALSE, "EndFailed",
                     "%.200s; it is tried again by itself", result->err.msg);
    if (result->failed)
        later(vm, now);
    else /* if domains() still has it then */
        vm->next_at = now + VM_AGAIN_NS;
}

void vm_ordered(struct reconcile *r, struct vm_slot *vm, int64_t now,
                enum domain_order_kind kind, const struct action_result *result)
{
    if (vm->wanted && vm->d.absent)
        end_ordered(r, vm, now, result);
    else if (kind == DOMAIN_DEFINE || kind == DOMAIN_START)
        start_ordered(r, vm, now, kind, result);
    else
        stop_ordered(vm, now, kind, result);
}

/* ---- the plan ------------------------------------------------------------------------ */

static void plan_managed(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    bool done = acted(r, vm) && vm->record.run != VM_RUN_STARTING &&
                vm->record.run != VM_RUN_STOPPING;
    if (vm->d.absent)
        end(r, vm, now);
    else if (!done && vm->d.power_on)
        start(r, vm, now);
    else if (!done)
        stop(r, vm, now);
    else if (vm->record.run != VM_RUN_FAILED || vm_is_active(vm))
        see(r, vm, now);
}

static void plan_external(struct reconcile *r, struct vm_slot *vm, int64_t now)
{
    if (vm->d.absent && vm_is_active(vm))
        vm_condition(r, vm, now, CONDITION_TRUE, "WaitsForEnd", "%s",
                     "the VM is deleted and its domain still runs; its "
                     "platform is to end it");
    else
        see(r, vm, now);
}

void vms_plan(struct reconcile *r, int64_t now)
{
    for (size_t i = 0; i < r->vm_count; i++) {
        struct vm_slot *vm = r->vms[i];
        if (!vm->wanted)
            continue;
        if (!r->domains)
            see_nothing(r, vm, now);
        else if (is_managed(vm))
            plan_managed(r, vm, now);
        else
            plan_external(r, vm, now);
    }
}
