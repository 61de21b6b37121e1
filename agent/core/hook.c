/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's hook: may this domain have the VFs and PFs that its XML names? From
 * memory alone. Whatever of ours is not proven is refused, or waited for where
 * something is under way. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A device of the domain that is ours to decide about. */
struct target {
    const struct domain_device *device;
    char name[PCI_TEXT_SIZE]; /* its address on the host */
    struct pf_key pf;
    uint16_t vf_index; /* or CLAIM_WHOLE_PF */
    bool known;        /* false: it is guarded, but not on the host now */
};

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

/* ---- which devices are ours -------------------------------------------------------- */

static bool slot_has(const struct pf *pf, const struct pci_address *address,
                     uint16_t *vf_index)
{
    if (pf->has_address && pci_compare(&pf->address, address) == 0) {
        *vf_index = CLAIM_WHOLE_PF;
        return true;
    }
    for (size_t i = 0; i < pf->vf_count; i++) {
        const struct vf *vf = &pf->vfs[i];
        if (vf->has_address && pci_compare(&vf->address, address) == 0) {
            *vf_index = vf->index;
            return true;
        }
    }
    return false;
}

static bool claim_has(const struct claim *claim,
                      const struct pci_address *address)
{
    struct pci_address pf;
    if (claim_is_whole(claim))
        return pf_key_pci(&claim->pf, &pf) && pci_compare(&pf, address) == 0;
    return claim->has_address && pci_compare(&claim->address, address) == 0;
}

static const struct claim *claim_at(const struct reconcile *r,
                                    const struct pci_address *address)
{
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (d->has_claim && claim_has(&d->claim, address))
            return &d->claim;
    }
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct managed *m = &r->entries[i]->m;
        if (!uuid_is_zero(&m->port) && claim_has(&m->claim, address))
            return &m->claim;
    }
    return NULL;
}

/* The address of the VF whose network device a macvtap sits on. */
static bool address_below(const struct reconcile *r, const char *netdev,
                          struct pci_address *out)
{
    for (size_t p = 0; *netdev && p < r->pf_count; p++) {
        const struct pf *pf = r->pfs[p].pf;
        for (size_t i = 0; i < pf->vf_count; i++) {
            if (strcmp(pf->vfs[i].netdev, netdev) != 0)
                continue;
            *out = pf->vfs[i].address;
            return pf->vfs[i].has_address;
        }
    }
    return false;
}

static bool is_guarded(const struct hook_request *request,
                       const struct pci_address *address, const struct pf *pf)
{
    return !request->guarded || guarded_find(request->guarded, address) ||
           (pf && pf->has_address &&
            guarded_find(request->guarded, &pf->address));
}

static bool find_target(const struct reconcile *r,
                        const struct hook_request *request,
                        const struct domain_device *device,
                        struct target *target)
{
    struct pci_address address = device->address;
    bool has = device->kind == DOMAIN_HOSTDEV
                   ? device->has_address
                   : device->kind == DOMAIN_MACVTAP &&
                         address_below(r, device->source, &address);
    if (!has)
        return false;
    *target = (struct target){.device = device};
    pci_format(&address, target->name);
    const struct claim *claim = claim_at(r, &address);
    if (claim) {
        target->pf = claim->pf;
        target->vf_index = claim->vf_index;
        target->known = true;
        return true;
    }
    for (size_t p = 0; p < r->pf_count; p++) {
        const struct pf *pf = r->pfs[p].pf;
        if (!slot_has(pf, &address, &target->vf_index))
            continue;
        target->pf = pf->key;
        target->known = true;
        return is_guarded(request, &address, pf);
    }
    return is_guarded(request, &address, NULL);
}

/* ---- may the domain have it? ------------------------------------------------------- */

/* The port that the device is claimed for; one that is being removed only if
 * there is no other. */
static const struct want *claimant(const struct reconcile *r,
                                   const struct target *target)
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
static enum hook_verdict unheard(const struct target *target,
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
                                   const struct target *target,
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

/* Does what the domain's XML says of itself contradict the claim? */
static enum hook_verdict check_identity(const struct hook_request *request,
                                        const struct target *target,
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
                                    const struct target *target,
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
    view_want(r, want, &told);
    if (told.phase == PORT_APPLIED)
        return HOOK_ALLOW;
    return say(told.phase == PORT_FAILED ? HOOK_REFUSE : HOOK_WAIT, reason,
               "%s: the policy of port %s is not in force: %s", target->name,
               port, told.condition.message);
}

/* Without a document of this life, but of this boot: what the disk says was
 * claimed, if it reads back. */
static enum hook_verdict check_held(const struct reconcile *r,
                                    const struct target *target,
                                    char reason[HOOK_REASON_SIZE])
{
    (void)r;
    return unheard(target, reason);
}

static enum hook_verdict check_target(const struct reconcile *r,
                                      const struct hook_request *request,
                                      const struct target *target,
                                      struct uuid *vm,
                                      char reason[HOOK_REASON_SIZE])
{
    if (!r->has_document)
        return check_held(r, target, reason);
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
    return check_port(r, target, want, reason);
}

static enum hook_verdict prepare(const struct reconcile *r,
                                 const struct hook_request *request,
                                 char reason[HOOK_REASON_SIZE])
{
    const struct domain_facts *facts = request->facts;
    enum hook_verdict worst = HOOK_ALLOW;
    struct uuid vm = {0};
    for (size_t i = 0; i < facts->device_count; i++) {
        struct target target;
        char why[HOOK_REASON_SIZE] = "";
        if (!find_target(r, request, &facts->devices[i], &target))
            continue;
        enum hook_verdict verdict = check_target(r, request, &target, &vm, why);
        bool worse = verdict == HOOK_REFUSE ||
                     (verdict == HOOK_WAIT && worst == HOOK_ALLOW);
        if (!worse)
            continue;
        worst = verdict;
        memcpy(reason, why, sizeof why);
        if (worst == HOOK_REFUSE)
            break;
    }
    return worst;
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
        struct target target;
        char text[UUID_TEXT_SIZE];
        if (device->kind == DOMAIN_HOSTDEV && device->has_port)
            return say(HOOK_REFUSE, reason,
                       "the domain comes with the VF of port %s, and VFs are "
                       "not moved: first 'sriov-admin port decelerate %s' (and "
                       "each other port that is on a VF), then migrate it",
                       uuid_format(&device->port, text), text);
        if (find_target(r, request, device, &target))
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

/* ---- the list of what is ours ------------------------------------------------------------ */

static void add_claim(struct guarded *out, const struct claim *claim)
{
    struct pci_address pf;
    if (!pf_key_pci(&claim->pf, &pf))
        return;
    if (claim_is_whole(claim))
        guarded_add(out, &pf, &pf);
    else if (claim->has_address)
        guarded_add(out, &claim->address, &pf);
}

bool reconcile_guarded(const struct reconcile *r, struct guarded *out)
{
    if (!r->has_document || !r->facts)
        return false;
    for (size_t i = 0; i < r->pf_wish_count; i++) {
        const struct desired_pf *d = &r->pf_wishes[i].d;
        struct pci_address pf;
        if (!d->allowed || !pf_key_pci(&d->key, &pf))
            continue;
        guarded_add(out, &pf, &pf);
        const struct pf_slot *slot = slot_of(r, &d->key);
        for (size_t k = 0; slot && k < slot->pf->vf_count; k++) {
            if (slot->pf->vfs[k].has_address)
                guarded_add(out, &slot->pf->vfs[k].address, &pf);
        }
    }
    for (size_t i = 0; i < r->want_count; i++) {
        if (r->wants[i].d.has_claim)
            add_claim(out, &r->wants[i].d.claim);
    }
    for (size_t i = 0; i < r->entry_count; i++)
        add_claim(out, &r->entries[i]->m.claim);
    guarded_sort(out);
    return true;
}
