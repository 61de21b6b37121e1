/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's hook: may this domain have the VFs and PFs that its XML names? From
 * memory alone. Whatever of ours is not proven is refused, or waited for where
 * something is under way. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static enum hook_verdict
say(enum hook_verdict verdict, char reason[HOOK_REASON_SIZE],
    const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(reason, HOOK_REASON_SIZE, format, list);
    va_end(list);
    return verdict;
}

/* ---- may the domain have it? ------------------------------------------------------- */

/* The port that the device is claimed for; one that is being removed only if
 * there is no other. */
static const struct want *claimant(const struct reconcile *r,
                                   const struct hook_target *target)
{
    const struct want *found = NULL;
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        bool here = d->has_claim && d->claim.vf_index == target->vf_index &&
                    pf_key_compare(&d->claim.pf, &target->pf) == 0;
        if (here && (!found || !d->absent))
            found = &r->wants[i];
    }
    return found;
}

/* No document in this life tells whose it is. */
static enum hook_verdict unheard(const struct hook_target *target,
                                 char reason[HOOK_REASON_SIZE])
{
    return say(HOOK_WAIT, reason,
               "%s: the agent has not heard the scheduler since the host "
               "booted, so it can't tell whose this device is; see 'journalctl "
               "-u sriov-agent', and start the domain when the scheduler is "
               "reached",
               target->name);
}

/* Waits, because the document that claims it may be on its way: the domain may
 * be started as soon as the scheduler has answered. */
static enum hook_verdict unclaimed(const struct reconcile *r,
                                   const struct hook_request *request,
                                   const struct hook_target *target,
                                   char reason[HOOK_REASON_SIZE])
{
    const struct entry *entry =
        target->known ? entry_at(r, &target->pf, target->vf_index) : NULL;
    char port[UUID_TEXT_SIZE];
    if (entry && entry_is_probe(entry))
        return say(HOOK_WAIT, reason,
                   "%s: the agent is finding out what the VF can do; start the "
                   "domain again",
                   target->name);
    if (entry && entry->m.unknown)
        return say(HOOK_WAIT, reason,
                   "%s: the VF is held for port %s, which the scheduler does "
                   "not know; look with 'sriov-agent state'",
                   target->name, uuid_format(&entry->m.port, port));
    if (entry)
        return say(HOOK_WAIT, reason,
                   "%s: the VF was released and is still being cleaned (%s); "
                   "it can be claimed anew when it is clean",
                   target->name,
                   managed_phase_name((enum managed_phase)entry->m.phase));
    if (request->adopt && !target->device->has_port)
        return HOOK_ALLOW;
    return say(HOOK_WAIT, reason,
               "%s: the device belongs to the SR-IOV orchestrator and is "
               "claimed for no VM; claim it ('sriov-admin vm create') and use "
               "the XML of the answer, or let the agent adopt what is "
               "unclaimed (--hook-unclaimed adopt)",
               target->name);
}

/* What is on the VF; 'told' says also why it is not as it should be. */
static uint8_t phase_of(const struct reconcile *r, const struct want *want,
                        struct observed_port *told)
{
    const struct claim *claim = &want->d.claim;
    const struct entry *entry = entry_at(r, &claim->pf, claim->vf_index);
    if (!entry || !uuid_equal(&entry->m.port, &want->d.id)) {
        view_want(r, want, told);
        return told->phase;
    }
    /* Not view_want(): the virtio leg can't be there yet. */
    view_entry(r, entry, told);
    bool old = revision_compare(&entry->m.revision, &want->d.revision) != 0;
    return old ? PORT_PENDING : told->phase;
}

/* Does what the domain's XML says of itself contradict the claim? */
static enum hook_verdict check_identity(const struct hook_request *request,
                                        const struct hook_target *target,
                                        const struct desired_port *d,
                                        char reason[HOOK_REASON_SIZE])
{
    const struct domain_device *device = target->device;
    char port[UUID_TEXT_SIZE], other[UUID_TEXT_SIZE];
    if (device->has_port && !uuid_equal(&device->port, &d->id))
        return say(HOOK_REFUSE, reason,
                   "%s: the domain has it for port %s, but it is claimed for "
                   "port %s; use the XML that 'sriov-admin vm show' gives now",
                   target->name, uuid_format(&device->port, other),
                   uuid_format(&d->id, port));
    if (!uuid_is_zero(&request->facts->vm) &&
        !uuid_equal(&request->facts->vm, &d->vm))
        return say(HOOK_REFUSE, reason,
                   "%s: the domain says that it is VM %s, but the device is "
                   "claimed for VM %s",
                   target->name, uuid_format(&request->facts->vm, other),
                   uuid_format(&d->vm, port));
    if (device->kind == DOMAIN_HOSTDEV && !mac_is_zero(&device->mac))
        return say(HOOK_REFUSE, reason,
                   "%s: with <interface type='hostdev'> libvirt would write "
                   "the VF's policy too; use <hostdev>, as in the XML of "
                   "'sriov-admin vm show'",
                   target->name);
    return HOOK_ALLOW;
}

static enum hook_verdict check_port(const struct reconcile *r,
                                    const struct hook_target *target,
                                    const struct want *want,
                                    char reason[HOOK_REASON_SIZE])
{
    const struct desired_port *d = &want->d;
    char port[UUID_TEXT_SIZE];
    uuid_format(&d->id, port);
    if (d->absent)
        return say(HOOK_WAIT, reason,
                   "%s: it was claimed for port %s, which is being removed",
                   target->name, port);
    if (d->path != PATH_VF)
        return say(HOOK_WAIT, reason,
                   "%s: port %s is on its virtio path and gives the VF up; "
                   "start the domain without it, or first: sriov-admin port "
                   "accelerate %s",
                   target->name, port, port);
    struct observed_port told;
    uint8_t phase = phase_of(r, want, &told);
    if (phase == PORT_APPLIED)
        return HOOK_ALLOW;
    return say(phase == PORT_FAILED ? HOOK_REFUSE : HOOK_WAIT, reason,
               "%s: the policy of port %s is not in force: %s", target->name,
               port, told.condition.message);
}

/* Without a document of this life, but with one of this boot, so that the VM can't
 * have been placed elsewhere meanwhile: what the disk says was claimed, if it
 * reads back. */
static enum hook_verdict check_held(const struct reconcile *r,
                                    const struct hook_request *request,
                                    const struct hook_target *target,
                                    char reason[HOOK_REASON_SIZE])
{
    const struct entry *entry =
        target->known ? entry_at(r, &target->pf, target->vf_index) : NULL;
    bool same_boot = uuid_equal(&r->state.heard_boot, &r->config.boot_id) &&
                     !uuid_is_zero(&r->config.boot_id);
    if (!same_boot || !entry || uuid_is_zero(&entry->m.port))
        return unheard(target, reason);
    const struct managed *m = &entry->m;
    const struct desired_port port = {.id = m->port, .vm = m->vm};
    enum hook_verdict verdict = check_identity(request, target, &port, reason);
    if (verdict != HOOK_ALLOW)
        return verdict;
    struct observed_port told;
    char text[UUID_TEXT_SIZE];
    view_entry(r, entry, &told);
    if (told.phase == PORT_APPLIED && !m->unknown)
        return HOOK_ALLOW;
    return say(HOOK_WAIT, reason,
               "%s: the policy of port %s is not in force: %s", target->name,
               uuid_format(&m->port, text), told.condition.message);
}

/* An active domain, not this one, that has the device. What libvirt told may be
 * a moment old. */
static enum hook_verdict check_others(const struct reconcile *r,
                                      const struct hook_request *request,
                                      const struct hook_target *target,
                                      char reason[HOOK_REASON_SIZE])
{
    for (size_t i = 0; r->domains && i < r->domains->count; i++) {
        const struct domain_state *other = &r->domains->domains[i];
        if (uuid_equal(&other->uuid, &request->facts->uuid) ||
            !power_state_is_active((enum power_state)other->power_state))
            continue;
        for (size_t k = 0; k < other->facts.device_count; k++) {
            struct hook_target found;
            if (!hook_find(r, request, &other->facts.devices[k], &found) ||
                strcmp(found.name, target->name) != 0)
                continue;
            return say(HOOK_WAIT, reason,
                       "%s: domain '%s' has it now; end that first",
                       target->name, other->name);
        }
    }
    return HOOK_ALLOW;
}

/* May the VM run here, and as this domain? */
static enum hook_verdict check_vm(const struct reconcile *r,
                                  const struct hook_request *request,
                                  const struct uuid *id,
                                  char reason[HOOK_REASON_SIZE])
{
    const struct vm_slot *vm = vm_at(r, id);
    const struct domain_facts *facts = request->facts;
    char text[UUID_TEXT_SIZE];
    if (!vm || !vm->wanted)
        return HOOK_ALLOW; /* its ports say what there is to say */
    uuid_format(id, text);
    if (vm->d.absent)
        return say(HOOK_WAIT, reason, "VM %s is being removed", text);
    if (vm->d.role != VM_ROLE_OWN)
        return say(HOOK_REFUSE, reason, "VM %s may not run on this host", text);
    if (vm->d.lifecycle == LIFECYCLE_MANAGED && !uuid_equal(&facts->uuid, id))
        return say(HOOK_REFUSE, reason,
                   "what domain '%s' has is claimed for VM %s, which the "
                   "orchestrator starts by itself under its own id; start that "
                   "one: sriov-admin vm start %s",
                   facts->name, text, text);
    const struct domain_state *domain = domain_of_vm(r, id);
    bool runs = domain && !uuid_equal(&domain->uuid, &facts->uuid) &&
                power_state_is_active((enum power_state)domain->power_state);
    if (runs)
        return say(HOOK_WAIT, reason, "VM %s runs already, as domain '%s'",
                   text, domain->name);
    return HOOK_ALLOW;
}

static enum hook_verdict check_target(const struct reconcile *r,
                                      const struct hook_request *request,
                                      const struct hook_target *target,
                                      struct uuid *vm,
                                      char reason[HOOK_REASON_SIZE])
{
    if (!r->has_document)
        return check_held(r, request, target, reason);
    const struct want *want = target->known ? claimant(r, target) : NULL;
    if (!want)
        return unclaimed(r, request, target, reason);
    enum hook_verdict verdict =
        check_identity(request, target, &want->d, reason);
    if (verdict != HOOK_ALLOW)
        return verdict;
    if (!uuid_is_zero(vm) && !uuid_equal(vm, &want->d.vm))
        return say(HOOK_REFUSE, reason,
                   "%s: it is claimed for another VM than the domain's other "
                   "devices",
                   target->name);
    *vm = want->d.vm;
    verdict = check_others(r, request, target, reason);
    return verdict == HOOK_ALLOW ? check_port(r, target, want, reason)
                                 : verdict;
}

static enum hook_verdict check_devices(const struct reconcile *r,
                                       const struct hook_request *request,
                                       struct uuid *vm,
                                       char reason[HOOK_REASON_SIZE])
{
    const struct domain_facts *facts = request->facts;
    enum hook_verdict worst = HOOK_ALLOW;
    for (size_t i = 0; i < facts->device_count && worst != HOOK_REFUSE; i++) {
        struct hook_target target;
        char why[HOOK_REASON_SIZE] = "";
        if (!hook_find(r, request, &facts->devices[i], &target))
            continue;
        enum hook_verdict verdict = check_target(r, request, &target, vm, why);
        bool worse = verdict == HOOK_REFUSE ||
                     (verdict == HOOK_WAIT && worst == HOOK_ALLOW);
        if (!worse)
            continue;
        worst = verdict;
        memcpy(reason, why, sizeof why);
    }
    return worst;
}

/* A VM that has no device of ours is known by what its XML says, or its uuid. */
static enum hook_verdict prepare(const struct reconcile *r,
                                 const struct hook_request *request,
                                 char reason[HOOK_REASON_SIZE])
{
    struct uuid vm = {{0}};
    enum hook_verdict verdict = check_devices(r, request, &vm, reason);
    if (verdict == HOOK_REFUSE || !r->has_document)
        return verdict;
    const struct vm_slot *tied =
        uuid_is_zero(&vm) ? vm_of(r, request->facts) : NULL;
    if (tied)
        vm = tied->id;
    char why[HOOK_REASON_SIZE] = "";
    enum hook_verdict other = check_vm(r, request, &vm, why);
    if (other == HOOK_ALLOW || (other == HOOK_WAIT && verdict == HOOK_WAIT))
        return verdict;
    memcpy(reason, why, sizeof why);
    return other;
}

/* ---- migrate -------------------------------------------------------------------------- */

/* The addresses are those of the source host, so a port's alias counts too. */
static enum hook_verdict migrate(const struct reconcile *r,
                                 const struct hook_request *request,
                                 char reason[HOOK_REASON_SIZE])
{
    const struct domain_facts *facts = request->facts;
    for (size_t i = 0; i < facts->device_count; i++) {
        const struct domain_device *device = &facts->devices[i];
        struct hook_target target;
        char text[UUID_TEXT_SIZE];
        if (device->kind == DOMAIN_HOSTDEV && device->has_port)
            return say(HOOK_REFUSE, reason,
                       "the domain comes with the VF of port %s, and VFs are "
                       "not moved: first 'sriov-admin port decelerate %s' (and "
                       "each other port that is on a VF), then migrate it",
                       uuid_format(&device->port, text), text);
        if (hook_find(r, request, device, &target))
            return say(HOOK_REFUSE, reason,
                       "the domain comes with %s, a device that the SR-IOV "
                       "orchestrator has on this host, and VFs are not moved: "
                       "first 'sriov-admin port decelerate' each port that is "
                       "on a VF, then migrate it",
                       target.name);
    }
    return HOOK_ALLOW;
}

enum hook_verdict reconcile_hook(struct reconcile *r, int64_t now,
                                 const struct hook_request *request,
                                 char reason[HOOK_REASON_SIZE])
{
    r->now = now;
    *reason = '\0';
    switch (request->operation) {
    case HOOK_PREPARE:
        return prepare(r, request, reason);
    case HOOK_MIGRATE:
        return migrate(r, request, reason);
    case HOOK_RELEASE:
    case HOOK_OTHER:
        break;
    }
    return HOOK_ALLOW;
}
