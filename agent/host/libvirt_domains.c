/* SPDX-License-Identifier: Apache-2.0 */
/* The list of domains as libvirt tells it: read whole at first and now and then,
 * and one by one as events tell of them. Everything here runs in the worker. */
#define LOG_MODULE "libvirt"
#include "agent/host/libvirt_parts.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <string.h>

/* A reading that failed is tried again so much later than a connection. */
#define AGAIN_TIMES 5

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

struct situation {
    int state, reason;
    bool active;
};

/* "Crashed" is also the state of a domain that is kept after its guest's panic. */
static bool read_situation(virDomainPtr domain, struct situation *out)
{
    int active = 1;
    if (virDomainGetState(domain, &out->state, &out->reason, 0) < 0)
        return false;
    if (out->state == VIR_DOMAIN_SHUTOFF)
        active = 0;
    else if (out->state == VIR_DOMAIN_CRASHED)
        active = virDomainIsActive(domain);
    out->active = active > 0;
    return active >= 0;
}

/* The XML of one state, so that what a domain has now is not told of what it
 * was: read again if it changed meanwhile. If it never stays, an event tells. */
#define TRIES 4
static char *read_xml(virDomainPtr domain, struct situation *now)
{
    struct situation after;
    char *xml = NULL;
    if (!read_situation(domain, now))
        return NULL;
    for (int i = 0; i < TRIES; i++) {
        xml = virDomainGetXMLDesc(domain, 0);
        if (!xml || !read_situation(domain, &after)) {
            free(xml);
            return NULL;
        }
        if (after.state == now->state && after.reason == now->reason)
            break;
        *now = after;
        if (i + 1 < TRIES)
            free(take_ptr(xml));
    }
    return xml;
}

static enum outcome read_domain(virDomainPtr domain, struct domain_state *out,
                                char why[256])
{
    const char *name = virDomainGetName(domain);
    struct situation now;
    *out = (struct domain_state){0};
    str_copy(out->name, name);
    virDomainGetUUID(domain, out->uuid.bytes);
    auto_free char *xml = read_xml(domain, &now);
    int persistent = xml ? virDomainIsPersistent(domain) : -1;
    if (persistent < 0)
        return failure(name, virGetLastErrorMessage(), why);
    out->power_state = (uint8_t)libvirt_power_state(now.state, now.active);
    out->persistent = persistent > 0;
    str_copy(out->reason, libvirt_reason(now.state, now.reason));
    return read_facts(xml, now.active, out, why);
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

/* Domains that are to be read again. */
struct dirty {
    size_t count;
    struct uuid uuids[LIBVIRT_DIRTY_MAX];
};

static bool is_dirty(const struct dirty *dirty, const struct uuid *uuid)
{
    for (size_t i = 0; i < dirty->count; i++)
        if (uuid_equal(&dirty->uuids[i], uuid))
            return true;
    return false;
}

static void copy_clean(const struct domain_list *list,
                       const struct dirty *dirty, struct draft *draft)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct domain_state *from = &list->domains[i];
        size_t size = from->facts.device_count * sizeof *from->facts.devices;
        if (is_dirty(dirty, &from->uuid))
            continue;
        struct domain_state *to = draft_add(draft);
        *to = *from;
        to->facts.devices = size ? mem_dup(from->facts.devices, size) : NULL;
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

static bool read_dirty(struct libvirt *libvirt, const struct dirty *dirty,
                       char why[256])
{
    auto_draft struct draft draft = {0};
    copy_clean(libvirt->domains, dirty, &draft);
    for (size_t i = 0; i < dirty->count; i++)
        if (read_again(libvirt, &draft, &dirty->uuids[i], why) == FAILED)
            return false;
    publish_draft(libvirt, &draft);
    return true;
}

bool libvirt_domains_turn(struct libvirt *libvirt, char why[256])
{
    struct dirty dirty;
    bool all = false;
    dirty.count = libvirt_session_take(libvirt->session, dirty.uuids, &all);
    all = all || (dirty.count && !libvirt->domains) ||
          timestamp_monotonic() >= libvirt->next_audit;
    if (!all && !dirty.count)
        return true;
    bool good = all ? read_all(libvirt, why) : read_dirty(libvirt, &dirty, why);
    unsigned ms =
        good ? libvirt->audit_ms : libvirt->retry_min_ms * AGAIN_TIMES;
    if (all || !good)
        libvirt->next_audit = timestamp_monotonic() + ms * TIMESTAMP_MS;
    if (good)
        return true;
    publish(libvirt, NULL);
    if (virConnectIsAlive(libvirt->connection) != 1)
        return false;
    libvirt_tell_domains(libvirt, why);
    return true;
}

void libvirt_domains_end(struct libvirt *libvirt)
{
    publish(libvirt, NULL);
}
