/* SPDX-License-Identifier: Apache-2.0 */
/* The list of domains as libvirt tells it: read whole at first and now and then,
 * and one by one as events tell of them. Everything here runs in the worker.
 *
 * An event only says which domain to read again, so that neither its kind nor its
 * order matters. A migration, a save and a dump change a domain's state and are
 * told as its life cycle; their jobs' own events add nothing. What no event
 * tells (a definition edited in parts) is found by the next whole reading. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* A reading that failed is tried again so much later than a connection. */
#define AGAIN_TIMES 5

/* ---- events --------------------------------------------------------------------- */

static void mark(struct libvirt *libvirt, virConnectPtr connection,
                 virDomainPtr domain)
{
    struct uuid uuid;
    /* Of a connection that was given up and that an order still waits on. */
    if (connection != libvirt->connection ||
        virDomainGetUUID(domain, uuid.bytes) < 0)
        return;
    for (size_t i = 0; i < libvirt->dirty_count; i++)
        if (uuid_equal(&libvirt->dirty[i], &uuid))
            return;
    if (libvirt->dirty_count == LIBVIRT_DIRTY_MAX)
        libvirt->audit_due = true;
    else
        libvirt->dirty[libvirt->dirty_count++] = uuid;
}

static int on_life_cycle(virConnectPtr connection, virDomainPtr domain,
                         int event, int detail, void *context)
{
    (void)event;
    (void)detail;
    mark(context, connection, domain);
    return 0;
}

static void on_device(virConnectPtr connection, virDomainPtr domain,
                      const char *alias, void *context)
{
    (void)alias;
    mark(context, connection, domain);
}

static void on_removal_failed(virConnectPtr connection, virDomainPtr domain,
                              const char *alias, void *context)
{
    log_info("the guest of domain '%s' does not let go of '%s'",
             virDomainGetName(domain), alias);
    mark(context, connection, domain);
}

static void on_metadata(virConnectPtr connection, virDomainPtr domain, int type,
                        const char *namespace, void *context)
{
    (void)type;
    (void)namespace;
    mark(context, connection, domain);
}

typedef void (*any_function)(void);
static const struct {
    int id;
    any_function callback; /* of the type that goes with the id */
} events[] = {
    {VIR_DOMAIN_EVENT_ID_LIFECYCLE, (any_function)on_life_cycle},
    {VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, (any_function)on_device},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, (any_function)on_device},
    {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED,
     (any_function)on_removal_failed},
    {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, (any_function)on_metadata},
};

void libvirt_domains_begin(struct libvirt *libvirt)
{
    libvirt_call_begin(libvirt);
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        int id = virConnectDomainEventRegisterAny(
            libvirt->connection, NULL, events[i].id,
            (virConnectDomainEventGenericCallback)events[i].callback, libvirt,
            NULL);
        if (id < 0)
            log_warning("'%s' tells no events of kind %d (%s); changes are "
                        "found by reading all domains",
                        libvirt->uri, events[i].id, virGetLastErrorMessage());
    }
    libvirt_call_end(libvirt);
    libvirt->dirty_count = 0;
    libvirt->audit_due = true;
}

/* ---- reading one ---------------------------------------------------------------- */

enum outcome { READ, GONE, FAILED };

static enum outcome failure(const char *name, const char *words, char why[256])
{
    if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN)
        return GONE;
    snprintf(why, 256, "domain '%s': %s", name, words);
    return FAILED;
}

/* A domain that can't be understood: while it runs nobody knows what it has, so
 * nothing is known of any VF. */
static enum outcome read_facts(const char *xml, bool active,
                               struct domain_state *out, char why[256])
{
    struct error err = {0};
    if (domain_read(xml, strlen(xml), &out->facts, &err) == 0) {
        out->vcpus = out->facts.vcpus;
        out->memory_mib = out->facts.memory_mib;
        return READ;
    }
    snprintf(why, 256, "domain '%s' can't be understood: %s", out->name,
             err.msg);
    if (active)
        return FAILED;
    log_debug("%s", why);
    return READ;
}

/* The XML first: if the domain stops meanwhile, an event tells so. */
static enum outcome read_domain(virDomainPtr domain, struct domain_state *out,
                                char why[256])
{
    const char *name = virDomainGetName(domain);
    int state = 0;
    int reason = 0;
    *out = (struct domain_state){0};
    str_copy(out->name, name);
    virDomainGetUUID(domain, out->uuid.bytes);
    auto_free char *xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        return failure(name, virGetLastErrorMessage(), why);
    int active = virDomainIsActive(domain);
    int persistent = active < 0 ? -1 : virDomainIsPersistent(domain);
    if (persistent < 0 || virDomainGetState(domain, &state, &reason, 0) < 0)
        return failure(name, virGetLastErrorMessage(), why);
    out->power_state = (uint8_t)libvirt_power_state(state, active > 0);
    out->persistent = persistent > 0;
    str_copy(out->reason, libvirt_reason(state, reason));
    return read_facts(xml, active > 0, out, why);
}

/* ---- the list --------------------------------------------------------------------- */

/* Domains that become a list. */
struct draft {
    struct domain_state *items;
    size_t count, capacity;
};
static void draft_done(struct draft *draft)
{
    for (size_t i = 0; i < draft->count; i++)
        domain_facts_done(&draft->items[i].facts);
    free(draft->items);
}
#define auto_draft __attribute__((cleanup(draft_done)))

static struct domain_state *draft_add(struct draft *draft)
{
    mem_grow(&draft->items, &draft->capacity, draft->count,
             sizeof *draft->items);
    return &draft->items[draft->count++];
}

/* A domain that is gone leaves no line. */
static enum outcome draft_read(struct libvirt *libvirt, struct draft *draft,
                               virDomainPtr domain, char why[256])
{
    struct domain_state state;
    libvirt_call_begin(libvirt);
    enum outcome outcome = read_domain(domain, &state, why);
    libvirt_call_end(libvirt);
    if (outcome == READ)
        *draft_add(draft) = state;
    return outcome;
}

static int by_uuid(const void *a, const void *b)
{
    const struct domain_state *left = a;
    const struct domain_state *right = b;
    return uuid_compare(&left->uuid, &right->uuid);
}

/* NULL: not known. Takes the list over. */
static void publish(struct libvirt *libvirt, struct domain_list *list)
{
    const struct domain_list *before = libvirt->domains;
    if (domain_list_same(before, list)) {
        ref_put(list);
        return;
    }
    pthread_mutex_lock(&libvirt->lock);
    libvirt->domains = list;
    pthread_mutex_unlock(&libvirt->lock);
    ref_put(before);
    libvirt_wake(libvirt, LIBVIRT_CHANGED_DOMAINS);
}

static void publish_draft(struct libvirt *libvirt, struct draft *draft)
{
    if (draft->count > 1)
        qsort(draft->items, draft->count, sizeof *draft->items, by_uuid);
    struct domain_list *list = domain_list_new(draft->count);
    if (draft->count)
        memcpy(list->domains, draft->items,
               draft->count * sizeof *draft->items);
    draft->count = 0; /* theirs are the list's now */
    publish(libvirt, list);
    libvirt_tell_domains(libvirt, "");
}

static bool read_all(struct libvirt *libvirt, char why[256])
{
    auto_draft struct draft draft = {0};
    virDomainPtr *domains = NULL;
    libvirt_call_begin(libvirt);
    int count = virConnectListAllDomains(libvirt->connection, &domains, 0);
    libvirt_call_end(libvirt);
    if (count < 0) {
        snprintf(why, 256, "list the domains: %s", virGetLastErrorMessage());
        return false;
    }
    enum outcome outcome = READ;
    for (int i = 0; i < count; i++) {
        if (outcome != FAILED)
            outcome = draft_read(libvirt, &draft, domains[i], why);
        virDomainFree(domains[i]);
    }
    free(domains);
    if (outcome == FAILED)
        return false;
    publish_draft(libvirt, &draft);
    return true;
}

static bool is_dirty(const struct libvirt *libvirt, const struct uuid *uuid)
{
    for (size_t i = 0; i < libvirt->dirty_count; i++)
        if (uuid_equal(&libvirt->dirty[i], uuid))
            return true;
    return false;
}

static void copy_clean(const struct libvirt *libvirt, struct draft *draft)
{
    for (size_t i = 0; i < libvirt->domains->count; i++) {
        const struct domain_state *from = &libvirt->domains->domains[i];
        if (is_dirty(libvirt, &from->uuid))
            continue;
        struct domain_state *to = draft_add(draft);
        *to = *from;
        to->facts.devices =
            from->facts.device_count
                ? mem_dup(from->facts.devices, from->facts.device_count *
                                                   sizeof *from->facts.devices)
                : NULL;
    }
}

static enum outcome read_again(struct libvirt *libvirt, struct draft *draft,
                               const struct uuid *uuid, char why[256])
{
    char text[UUID_TEXT_SIZE];
    libvirt_call_begin(libvirt);
    virDomainPtr domain =
        virDomainLookupByUUID(libvirt->connection, uuid->bytes);
    libvirt_call_end(libvirt);
    if (!domain)
        return failure(uuid_format(uuid, text), virGetLastErrorMessage(), why);
    enum outcome outcome = draft_read(libvirt, draft, domain, why);
    virDomainFree(domain);
    return outcome;
}

static bool read_dirty(struct libvirt *libvirt, char why[256])
{
    auto_draft struct draft draft = {0};
    copy_clean(libvirt, &draft);
    for (size_t i = 0; i < libvirt->dirty_count; i++)
        if (read_again(libvirt, &draft, &libvirt->dirty[i], why) == FAILED)
            return false;
    publish_draft(libvirt, &draft);
    return true;
}

bool libvirt_domains_turn(struct libvirt *libvirt, char why[256])
{
    bool all = libvirt->audit_due;
    if (!all && !libvirt->dirty_count)
        return true;
    all = all || !libvirt->domains;
    bool good = all ? read_all(libvirt, why) : read_dirty(libvirt, why);
    libvirt->dirty_count = 0;
    libvirt->audit_due = false;
    if (good) {
        if (all)
            virEventUpdateTimeout(libvirt->audit_timer, (int)libvirt->audit_ms);
        return true;
    }
    publish(libvirt, NULL);
    if (virConnectIsAlive(libvirt->connection) != 1)
        return false;
    libvirt_tell_domains(libvirt, why);
    virEventUpdateTimeout(libvirt->audit_timer,
                          (int)(libvirt->retry_min_ms * AGAIN_TIMES));
    return true;
}

void libvirt_domains_end(struct libvirt *libvirt)
{
    libvirt->dirty_count = 0;
    libvirt->audit_due = false;
    virEventUpdateTimeout(libvirt->audit_timer, -1);
    publish(libvirt, NULL);
}
