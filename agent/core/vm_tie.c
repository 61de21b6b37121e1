/* SPDX-License-Identifier: Apache-2.0 */
/* Which domain is whose: by libvirt's uuid, our metadata, aliases of devices, VFs.
 * A domain that is tied to no VM of ours is foreign: it counts as use of the host
 * and is never touched. */
#include "agent/core/internal.h"
#include "common/base/str.h"

#include <string.h>

/* Weaker ties give way to stronger ones. */
enum tie { TIE_NONE, TIE_ADDRESS, TIE_ALIAS, TIE_METADATA, TIE_UUID };

bool domains_known(const struct reconcile *r)
{
    return r->domains != NULL;
}

bool vm_is_active(const struct vm_slot *vm)
{
    return vm->domain &&
           power_state_is_active((enum power_state)vm->domain->power_state);
}

static bool is_managed(const struct vm_slot *vm)
{
    return vm->has_record ||
           (vm->wanted && vm->d.lifecycle == LIFECYCLE_MANAGED);
}

/* ---- by devices --------------------------------------------------------------------- */

static bool same_address(const struct claim *claim,
                         const struct pci_address *address)
{
    return claim->has_address && pci_compare(&claim->address, address) == 0;
}

static struct vm_slot *vm_of_port(const struct reconcile *r,
                                  const struct uuid *port)
{
    const struct want *want = want_of(r, port);
    if (want)
        return vm_at(r, &want->d.vm);
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct managed *m = &r->entries[i]->m;
        if (uuid_equal(&m->port, port))
            return vm_at(r, &m->vm);
    }
    return NULL;
}

static struct vm_slot *vm_of_address(const struct reconcile *r,
                                     const struct pci_address *address)
{
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct managed *m = &r->entries[i]->m;
        if (same_address(&m->claim, address) && !uuid_is_zero(&m->vm))
            return vm_at(r, &m->vm);
    }
    for (size_t i = 0; i < r->want_count; i++) {
        const struct desired_port *d = &r->wants[i].d;
        if (d->has_claim && same_address(&d->claim, address))
            return vm_at(r, &d->vm);
    }
    return NULL;
}

static struct vm_slot *vm_of_device(const struct reconcile *r,
                                    const struct domain_device *device,
                                    enum tie *tie)
{
    struct vm_slot *vm = device->has_port ? vm_of_port(r, &device->port) : NULL;
    *tie = TIE_ALIAS;
    if (!vm && device->has_address) {
        vm = vm_of_address(r, &device->address);
        *tie = TIE_ADDRESS;
    }
    return vm;
}

static struct vm_slot *find(const struct reconcile *r,
                            const struct domain_facts *facts, enum tie *tie)
{
    struct vm_slot *vm = vm_at(r, &facts->uuid);
    *tie = TIE_UUID;
    if (vm)
        return vm;
    *tie = TIE_METADATA;
    vm = uuid_is_zero(&facts->vm) ? NULL : vm_at(r, &facts->vm);
    if (vm && !is_managed(vm))
        return vm;
    for (size_t i = 0; i < facts->device_count; i++) {
        vm = vm_of_device(r, &facts->devices[i], tie);
        if (vm && !is_managed(vm))
            return vm;
    }
    *tie = TIE_NONE;
    return NULL;
}

struct vm_slot *vm_of(const struct reconcile *r,
                      const struct domain_facts *facts)
{
    enum tie tie;
    return find(r, facts, &tie);
}

/* ---- all of them ------------------------------------------------------------------- */

const struct domain_state *domain_of_vm(const struct reconcile *r,
                                        const struct uuid *id)
{
    const struct vm_slot *vm = vm_at(r, id);
    return vm ? vm->domain : NULL;
}

/* A running one before one that is off, then the stronger tie. */
static unsigned rank(const struct domain_state *domain, enum tie tie)
{
    bool active = power_state_is_active((enum power_state)domain->power_state);
    return (active ? 16u : 0u) + tie;
}

static void tie_domain(struct reconcile *r, const struct domain_state *domain)
{
    struct domain_facts facts = domain->facts;
    enum tie tie;
    facts.uuid = domain->uuid;
    struct vm_slot *vm = find(r, &facts, &tie);
    if (vm && rank(domain, tie) > vm->rank) {
        vm->rank = rank(domain, tie);
        vm->domain = domain;
    }
    bool foreign =
        !vm && power_state_is_active((enum power_state)domain->power_state);
    if (foreign) {
        r->external_vcpus += domain->vcpus;
        r->external_memory_mib += domain->memory_mib;
    }
}

void ties_make(struct reconcile *r)
{
    uint32_t vcpus = r->external_vcpus;
    uint64_t memory = r->external_memory_mib;
    if (!r->domains)
        return;
    r->external_vcpus = 0;
    r->external_memory_mib = 0;
    for (size_t i = 0; i < r->vm_count; i++) {
        r->vms[i]->domain = NULL;
        r->vms[i]->rank = 0;
    }
    for (size_t i = 0; i < r->domains->count; i++)
        tie_domain(r, &r->domains->domains[i]);
    for (size_t i = 0; i < r->vm_count; i++)
        r->vms[i]->was_active = vm_is_active(r->vms[i]);
    if (vcpus != r->external_vcpus || memory != r->external_memory_mib)
        r->changes++;
}

void reconcile_external(const struct reconcile *r, uint32_t *vcpus,
                        uint64_t *memory_mib)
{
    *vcpus = r->external_vcpus;
    *memory_mib = r->external_memory_mib;
}

void reconcile_domains(struct reconcile *r, int64_t now,
                       const struct domain_list *domains, const char *why)
{
    char words[sizeof r->domains_why] = "";
    r->now = now;
    str_copy(words, why ? why : "");
    orders_ask(r);
    bool same = domains == r->domains && strcmp(words, r->domains_why) == 0 &&
                r->no_libvirt == (!domains && !why);
    r->replan = true;
    if (same)
        return;
    if (!domains || !r->domains || !domain_list_same(domains, r->domains))
        r->changes++;
    const struct domain_list *old = r->domains;
    r->domains = domains ? ref_get(domains) : NULL;
    r->no_libvirt = !domains && !why;
    str_copy(r->domains_why, words);
    for (size_t i = 0; i < r->vm_count; i++)
        r->vms[i]->domain = NULL;
    ties_make(r);
    ref_put(old);
}

const struct domain_device *claim_device(const struct reconcile *r,
                                         const struct domain_state *domain,
                                         const struct uuid *port,
                                         const struct claim *claim)
{
    const struct vf *vf = vf_of(r, &claim->pf, claim->vf_index);
    for (size_t i = 0; i < domain->facts.device_count; i++) {
        const struct domain_device *device = &domain->facts.devices[i];
        bool alias = device->has_port && uuid_equal(&device->port, port);
        if (device->kind == DOMAIN_HOSTDEV &&
            (device->has_address && claim->has_address
                 ? same_address(claim, &device->address)
                 : alias))
            return device;
        if (device->kind == DOMAIN_MACVTAP && vf && *vf->netdev &&
            strcmp(vf->netdev, device->source) == 0)
            return device;
    }
    return NULL;
}
