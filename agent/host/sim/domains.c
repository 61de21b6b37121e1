/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated libvirt: definitions, domains that run, guests that take their
 * time. See domains.h; the words of refusals are those of libvirt's QEMU driver. */
#include "agent/host/sim/domains.h"

#include "agent/host/sim/world.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A guest's figures, of a warm one (silence.md of the design: drivers bind in
 * 0.1 to 3 s on real machines). */
#define BOOT_NS (3 * TIMESTAMP_SECOND)
#define BIND_NS TIMESTAMP_SECOND
#define LET_GO_NS (300 * TIMESTAMP_MS)
#define SHUTDOWN_NS (2 * TIMESTAMP_SECOND)

static struct sim_domain *find(const struct sim_host *host,
                               const struct uuid *uuid)
{
    for (size_t i = 0; i < host->domain_count; i++)
        if (uuid_equal(&host->domains[i]->state.uuid, uuid))
            return host->domains[i];
    return NULL;
}

static bool is_active(const struct sim_domain *domain)
{
    return power_state_is_active((enum power_state)domain->state.power_state);
}

static void changed(struct sim_host *host)
{
    sim_host_notify_domains(host);
}

/* ---- devices ----------------------------------------------------------------- */

/* The VF that has this address, present or not: false = none. */
static bool find_vf(const struct sim_host *host,
                    const struct pci_address *address, size_t *pf, uint16_t *vf)
{
    for (size_t i = 0; i < host->pf_count; i++)
        for (uint16_t v = 0; v < host->pfs[i].vf_count; v++) {
            struct pci_address at = sim_vf_address(&host->pfs[i], v);
            if (!host->pfs[i].present || !host->pfs[i].vfs[v].present ||
                pci_compare(&at, address) != 0)
                continue;
            *pf = i;
            *vf = v;
            return true;
        }
    return false;
}

static void set_used(struct sim_host *host, const struct sim_device *device,
                     const char *why)
{
    size_t pf = 0;
    uint16_t vf = 0;
    if (device->d.has_address && find_vf(host, &device->d.address, &pf, &vf))
        sim_host_vf_set_external(host, pf, vf, why);
}

static int check_device(struct sim_host *host, const struct domain_device *d,
                        struct error *err)
{
    char address[PCI_TEXT_SIZE];
    size_t pf = 0;
    uint16_t vf = 0;
    if (!d->has_address)
        return 0;
    pci_format(&d->address, address);
    bool whole = false;
    for (size_t i = 0; i < host->pf_count; i++)
        whole |= host->pfs[i].present &&
                 pci_compare(&host->pfs[i].address, &d->address) == 0;
    if (!whole && !find_vf(host, &d->address, &pf, &vf))
        return error_set(err, ERROR_VANISHED, "Device %s not found", address);
    if (sim_domains_by_address(host, &d->address) ||
        (!whole && host->pfs[pf].vfs[vf].external))
        return error_set(err, ERROR_IN_USE, "PCI device %s is in use", address);
    return 0;
}

static void plug(struct sim_host *host, struct sim_domain *domain,
                 const struct domain_device *from, int64_t in_use_at)
{
    struct sim_device *device = &domain->devices[domain->device_count++];
    *device = (struct sim_device){.d = *from};
    bool tap = from->kind != DOMAIN_HOSTDEV;
    if (!*device->d.alias)
        snprintf(device->d.alias, sizeof device->d.alias, "%s%zu",
                 tap ? "net" : "hostdev", domain->device_count - 1);
    if (tap)
        snprintf(device->d.target, sizeof device->d.target, "vnet%u",
                 host->taps++ % 1000000u);
    device->in_use_at =
        domain->guest == SIM_GUEST_NO_DRIVER && !tap ? INT64_MAX : in_use_at;
    char why[NAME_SIZE + 16];
    snprintf(why, sizeof why, "domain '%s'", domain->state.name);
    set_used(host, device, why);
}

static void drop(struct sim_host *host, struct sim_domain *domain, size_t index)
{
    set_used(host, &domain->devices[index], NULL);
    domain->device_count--;
    memmove(domain->devices + index, domain->devices + index + 1,
            (domain->device_count - index) * sizeof *domain->devices);
    changed(host);
}

struct sim_device *sim_domains_by_address(struct sim_host *host,
                                          const struct pci_address *address)
{
    for (size_t i = 0; i < host->domain_count; i++)
        for (size_t d = 0; d < host->domains[i]->device_count; d++) {
            struct sim_device *device = &host->domains[i]->devices[d];
            if (device->d.has_address &&
                pci_compare(&device->d.address, address) == 0)
                return device;
        }
    return NULL;
}

struct sim_device *sim_domains_by_tap(struct sim_host *host, const char *tap)
{
    for (size_t i = 0; i < host->domain_count; i++)
        for (size_t d = 0; d < host->domains[i]->device_count; d++)
            if (*tap && strcmp(host->domains[i]->devices[d].d.target, tap) == 0)
                return &host->domains[i]->devices[d];
    return NULL;
}

/* ---- what happens ------------------------------------------------------------- */

static void forget(struct sim_host *host, struct sim_domain *domain)
{
    size_t i = 0;
    while (host->domains[i] != domain)
        i++;
    host->domain_count--;
    host->domains[i] = host->domains[host->domain_count];
    domain_facts_done(&domain->defined);
    free(domain);
    changed(host);
}

/* Off; one that is not persistent is gone then. */
static void stop(struct sim_host *host, struct sim_domain *domain,
                 const char *reason)
{
    while (domain->device_count)
        drop(host, domain, domain->device_count - 1);
    domain->off_at = 0;
    domain->state.power_state = POWER_SHUT_OFF;
    str_copy(domain->state.reason, reason);
    changed(host);
    if (!domain->state.persistent)
        forget(host, domain);
}

static void settle_domain(struct sim_host *host, struct sim_domain *domain,
                          int64_t now)
{
    for (size_t i = domain->device_count; i-- > 0;) {
        int64_t gone_at = domain->devices[i].gone_at;
        if (gone_at && gone_at <= now)
            drop(host, domain, i);
    }
    if (domain->off_at && domain->off_at <= now)
        stop(host, domain, "shutdown");
}

void sim_domains_settle(struct sim_host *host, int64_t now)
{
    for (size_t i = host->domain_count; i-- > 0;)
        settle_domain(host, host->domains[i], now);
}

int64_t sim_domains_next(const struct sim_host *host)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < host->domain_count; i++) {
        const struct sim_domain *domain = host->domains[i];
        if (domain->off_at && domain->off_at < next)
            next = domain->off_at;
        for (size_t d = 0; d < domain->device_count; d++) {
            int64_t gone_at = domain->devices[d].gone_at;
            if (gone_at && gone_at < next)
                next = gone_at;
        }
    }
    return next;
}

void sim_domains_reboot(struct sim_host *host)
{
    for (size_t i = host->domain_count; i-- > 0;)
        if (is_active(host->domains[i]))
            stop(host, host->domains[i], "unknown");
}

void sim_domains_free(struct sim_host *host)
{
    for (size_t i = 0; i < host->domain_count; i++) {
        domain_facts_done(&host->domains[i]->defined);
        free(host->domains[i]);
    }
    host->domain_count = 0;
}

/* ---- orders ---------------------------------------------------------------------- */

static int define(struct sim_host *host, const struct domain_order *order,
                  struct error *err)
{
    struct domain_facts facts;
    if (domain_read(order->xml, strlen(order->xml), &facts, err) < 0)
        return -1;
    struct sim_domain *domain = find(host, &order->domain);
    if (!domain && host->domain_count == SIM_DOMAINS_MAX) {
        domain_facts_done(&facts);
        return error_set(err, ERROR_RANGE, "at most %d domains",
                         SIM_DOMAINS_MAX);
    }
    if (!domain) {
        domain = mem_new(struct sim_domain);
        domain->guest = host->guest;
        domain->state.uuid = order->domain;
        domain->state.power_state = POWER_SHUT_OFF;
        str_copy(domain->state.reason, "unknown");
        host->domains[host->domain_count++] = domain;
    }
    str_copy(domain->state.name, facts.name);
    domain->state.persistent = true;
    domain->state.vcpus = facts.vcpus;
    domain->state.memory_mib = facts.memory_mib;
    domain_facts_done(&domain->defined);
    domain->defined = facts;
    changed(host);
    return 0;
}

static int start(struct sim_host *host, struct sim_domain *domain, int64_t now,
                 struct error *err)
{
    if (is_active(domain))
        return 0;
    for (size_t i = 0; i < domain->defined.device_count; i++)
        if (check_device(host, &domain->defined.devices[i], err) < 0)
            return -1;
    for (size_t i = 0; i < domain->defined.device_count; i++)
        plug(host, domain, &domain->defined.devices[i], now + BOOT_NS);
    domain->state.power_state = POWER_RUNNING;
    str_copy(domain->state.reason, "booted");
    changed(host);
    return 0;
}

static int plug_xml(struct sim_host *host, struct sim_domain *domain,
                    const char *xml, int64_t now, struct error *err)
{
    auto_free char *text = mem_printf(
        "<domain type='qemu'><name>x</name><devices>%s</devices></domain>",
        xml);
    struct domain_facts facts;
    if (!is_active(domain))
        return error_set(err, ERROR_CONFLICT, "domain is not running");
    if (domain_read(text, strlen(text), &facts, err) < 0)
        return -1;
    int status = 0;
    for (size_t i = 0; status == 0 && i < facts.device_count; i++) {
        const struct domain_device *d = &facts.devices[i];
        bool there = d->has_port && *d->alias;
        for (size_t n = 0; there && n < domain->device_count; n++)
            if (strcmp(domain->devices[n].d.alias, d->alias) == 0)
                goto next;
        if (domain->device_count == DOMAIN_DEVICES_MAX)
            status = error_set(err, ERROR_RANGE, "No more available PCI slots");
        else
            status = check_device(host, d, err);
        if (status == 0)
            plug(host, domain, d, now + BIND_NS);
    next:;
    }
    domain_facts_done(&facts);
    changed(host);
    return status;
}

static int unplug(struct sim_domain *domain, const char *alias, int64_t now)
{
    for (size_t i = 0; alias && i < domain->device_count; i++) {
        struct sim_device *device = &domain->devices[i];
        if (strcmp(device->d.alias, alias) == 0 && !device->gone_at &&
            domain->guest != SIM_GUEST_KEEPS)
            device->gone_at = now + LET_GO_NS;
    }
    return 0;
}

static int missing(const struct domain_order *order, struct error *err)
{
    char uuid[UUID_TEXT_SIZE];
    if (order->kind == DOMAIN_DESTROY || order->kind == DOMAIN_UNDEFINE)
        return 0;
    return error_set(err, ERROR_NOT_FOUND,
                     "Domain not found: no domain with "
                     "matching uuid '%s'",
                     uuid_format(&order->domain, uuid));
}

int sim_domains_order(struct sim_host *host, const struct domain_order *order,
                      int64_t now, struct error *err)
{
    struct sim_domain *domain = find(host, &order->domain);
    if (order->kind == DOMAIN_DEFINE)
        return define(host, order, err);
    if (!domain)
        return missing(order, err);
    switch (order->kind) {
    case DOMAIN_START:
        return start(host, domain, now, err);
    case DOMAIN_SHUTDOWN:
        if (is_active(domain) && domain->guest != SIM_GUEST_KEEPS)
            domain->off_at = now + SHUTDOWN_NS;
        return 0;
    case DOMAIN_DESTROY:
        if (is_active(domain))
            stop(host, domain, "destroyed");
        return 0;
    case DOMAIN_UNDEFINE:
        domain->state.persistent = false;
        if (!is_active(domain))
            forget(host, domain);
        return 0;
    case DOMAIN_PLUG:
        return plug_xml(host, domain, order->xml, now, err);
    case DOMAIN_UNPLUG:
        return unplug(domain, order->alias, now);
    case DOMAIN_DEFINE:
    case DOMAIN_ORDER_MAX:
        break;
    }
    return error_set(err, ERROR_INVALID, "no such order");
}

/* ---- the list ------------------------------------------------------------------------ */

static void fill(const struct sim_domain *from, struct domain_state *to)
{
    *to = from->state;
    to->facts = (struct domain_facts){.uuid = from->state.uuid,
                                      .vm = from->defined.vm,
                                      .vcpus = from->state.vcpus,
                                      .memory_mib = from->state.memory_mib};
    str_copy(to->facts.name, from->state.name);
    bool active = is_active(from);
    to->facts.device_count =
        active ? from->device_count : from->defined.device_count;
    to->facts.devices =
        mem_calloc(to->facts.device_count, sizeof *to->facts.devices);
    for (size_t i = 0; i < to->facts.device_count; i++)
        to->facts.devices[i] =
            active ? from->devices[i].d : from->defined.devices[i];
}

static int by_uuid(const void *a, const void *b)
{
    return uuid_compare(&((const struct domain_state *)a)->uuid,
                        &((const struct domain_state *)b)->uuid);
}

struct domain_list *sim_domains_list(const struct sim_host *host)
{
    struct domain_list *list = domain_list_new(host->domain_count);
    for (size_t i = 0; i < host->domain_count; i++)
        fill(host->domains[i], &list->domains[i]);
    if (list->count)
        qsort(list->domains, list->count, sizeof *list->domains, by_uuid);
    return list;
}

/* ---- what others do ------------------------------------------------------------------- */

void sim_host_set_guests(struct sim_host *host, enum sim_guest guest)
{
    host->guest = guest;
}

void sim_host_domain_set_guest(struct sim_host *host, const struct uuid *uuid,
                               enum sim_guest guest)
{
    struct sim_domain *domain = find(host, uuid);
    if (domain)
        domain->guest = guest;
}

void sim_host_domain_kill(struct sim_host *host, const struct uuid *uuid)
{
    struct sim_domain *domain = find(host, uuid);
    if (domain && is_active(domain))
        stop(host, domain, "crashed");
}

int sim_host_domain_order(struct sim_host *host,
                          const struct domain_order *order, int64_t now,
                          struct error *err)
{
    return sim_domains_order(host, order, now, err);
}

void sim_host_set_libvirt(struct sim_host *host, bool up)
{
    host->libvirt_down = !up;
    changed(host);
}

size_t sim_host_active_domains(const struct sim_host *host)
{
    size_t count = 0;
    for (size_t i = 0; i < host->domain_count; i++)
        count += is_active(host->domains[i]);
    return count;
}

enum sim_guest sim_host_domain_guest(const struct sim_host *host,
                                     const struct uuid *uuid)
{
    const struct sim_domain *domain = find(host, uuid);
    return domain ? domain->guest : SIM_GUEST_GOOD;
}

bool sim_host_vf_plugged(struct sim_host *host, size_t pf, uint16_t vf)
{
    if (vf >= host->pfs[pf].vf_count)
        return false;
    struct pci_address address = sim_vf_address(&host->pfs[pf], vf);
    return sim_domains_by_address(host, &address) != NULL;
}

enum power_state sim_host_domain_power(const struct sim_host *host,
                                       const struct uuid *uuid)
{
    const struct sim_domain *domain = find(host, uuid);
    return domain ? (enum power_state)domain->state.power_state : POWER_ABSENT;
}
