/* SPDX-License-Identifier: Apache-2.0 */
/* Why not: one reason per host (per refused policy field), counted over all
 * hosts. Only for requests that placement refused; costs a scan of all hosts.
 *
 * A host's reason is the first that applies to it as a whole; else, for the
 * first port that finds no VF, what stops the PF that came closest. */
#include "scheduler/core/explain.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <string.h>

/* ---- counting ------------------------------------------------------------------- */

/* Count a host for a reason. Returns the entry if it is new, for the caller to
 * write its message: most hosts need none. */
static struct placement_reason *count_reason(struct placement_reasons *reasons,
                                             const char *reason,
                                             const char *field,
                                             const struct slot *slot,
                                             const struct pf_slot *pf)
{
    struct placement_reason *item = reasons->items;
    for (size_t i = 0; i < reasons->count; i++, item++)
        if (strcmp(item->reason, reason) == 0 &&
            strcmp(item->field, field) == 0) {
            item->hosts++;
            return NULL;
        }
    if (reasons->count == REASONS_MAX)
        return NULL;
    reasons->count++;
    *item = (struct placement_reason){.hosts = 1};
    str_copy(item->reason, reason);
    str_copy(item->field, field);
    str_copy(item->example_host, slot->view->host->name);
    str_copy(item->example_pf, pf ? pf->pf->key.text : "");
    return item;
}

/* One entry for each field of the policy that this PF, or with 'pf' NULL the
 * virtio path, refuses. */
static void count_fields(const struct want *want, size_t port,
                         const struct slot *slot, const struct pf_slot *pf,
                         struct placement_reasons *reasons)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        struct policy one = want->ports[port].policy;
        enum policy_field field = (enum policy_field)i;
        const char *why = "";
        one.set &= POLICY_BIT(i);
        struct link_facts link = {0};
        if (pf)
            link = class_link(pf->class);
        if (pf ? capabilities_allow(&pf->class->capabilities, &link, &one,
                                    &field, &why)
               : virtio_path_allows(&one, &field, &why))
            continue;
        const char *name = policy_field_name(field);
        struct placement_reason *item = count_reason(
            reasons, distance_word(&want->ports[port], DISTANCE_POLICY), name,
            slot, pf);
        if (item && pf)
            explain_say(item->example_message, sizeof item->example_message,
                        "PF %s: %s is not supported (%s)", pf->pf->key.text,
                        name, why);
        else if (item)
            explain_say(item->example_message, sizeof item->example_message,
                        "%s: %s", name, why);
    }
}

/* ---- one host ------------------------------------------------------------ */

/* The first port whose network the host lacks; NULL = none. */
static const struct port_want *without_network(const struct want *want,
                                               const struct slot *slot)
{
    for (size_t i = 0; i < want->count; i++) {
        const struct port_want *port = &want->ports[i];
        if (port->needs_network &&
            !placement_network(port, slot, port->request->physical_network,
                               NULL))
            return port;
    }
    return NULL;
}

/* The same in the API's word; NULL = none. */
static const char *network_reason(const struct want *want,
                                  const struct slot *slot)
{
    const struct port_want *port = without_network(want, slot);
    if (!port)
        return NULL;
    return placement_lacks_vlan(port, slot, port->request->physical_network)
               ? "network_no_vlan"
               : "no_network";
}

static void say_network(const struct port_want *port, const struct slot *slot,
                        char *text, size_t size)
{
    const char *name = port->request->physical_network;
    const char *what = port->macvtap ? "macvtap" : "virtio path";
    if (placement_lacks_vlan(port, slot, name))
        explain_say(text, size,
                    "no network of the host%s%s%s can hold a VLAN: a bridge "
                    "needs vlan_filtering 1 and vlan_default_pvid 0",
                    *name ? " that is mapped to '" : "", name,
                    *name ? "'" : "");
    else if (*name)
        explain_say(text, size,
                    "no network of the host is mapped to '%s' for the %s", name,
                    what);
    else
        explain_say(text, size, "the host has no network for the %s", what);
}

static bool is_other_host(const struct want *want, const struct slot *slot)
{
    return *want->request->host &&
           strcmp(want->request->host, slot->view->host->name) != 0;
}

/* Why the host as a whole does not fit, or NULL. */
static const char *host_reason(const struct want *want, const struct slot *slot)
{
    const struct host_view *view = slot->view;
    if (is_other_host(want, slot))
        return "not_the_named_host";
    if (!view->report)
        return "no_report";
    if (!slot->ready)
        return view->state == HOST_CORDONED ? "host_cordoned"
                                            : "host_unreachable";
    if (want->request->vcpus > slot->free_vcpus)
        return "vcpus_exhausted";
    if (want->request->memory_mib > slot->free_memory_mib)
        return "memory_exhausted";
    return network_reason(want, slot);
}

static void say_host(const struct want *want, const struct slot *slot,
                     char *text, size_t size)
{
    const struct vm_request *request = want->request;
    const struct port_want *without = without_network(want, slot);
    if (is_other_host(want, slot))
        explain_say(text, size, "the request names host '%s'", request->host);
    else if (!slot->ready)
        explain_say(text, size, "%s", slot->view->state_reason);
    else if (request->vcpus > slot->free_vcpus)
        explain_say(text, size, "%" PRIu64 " vcpus are free, %u are asked for",
                    slot->free_vcpus, request->vcpus);
    else if (request->memory_mib > slot->free_memory_mib)
        explain_say(text, size,
                    "%" PRIu64 " MiB are free, %" PRIu64 " are asked for",
                    slot->free_memory_mib, request->memory_mib);
    else if (without)
        say_network(without, slot, text, size);
}

static void explain_pf(const struct want *want, size_t port,
                       const struct slot *slot, const struct nearest *nearest,
                       struct placement_reasons *reasons)
{
    if (nearest->distance == DISTANCE_POLICY) {
        count_fields(want, port, slot, nearest->pf, reasons);
        return;
    }
    const char *field = "";
    if (nearest->distance == DISTANCE_BANDWIDTH ||
        nearest->distance == DISTANCE_BANDWIDTH_UNKNOWN)
        field = policy_field_name(POLICY_MIN_TX_RATE_MBPS);
    struct placement_reason *item = count_reason(
        reasons, distance_word(&want->ports[port], nearest->distance), field,
        slot, nearest->pf);
    if (item)
        explain_distance(want, port, nearest, item->example_message,
                         sizeof item->example_message);
}

static void explain_mac(const struct want *want, const struct slot *slot,
                        struct placement_reasons *reasons)
{
    struct placement_reason *item =
        count_reason(reasons, distance_word(&want->ports[0], DISTANCE_MAC),
                     "mac", slot, NULL);
    if (item)
        str_copy(item->example_message,
                 "the MAC is in use on each network of the host");
}

/* The ports that must have a VF: the first that alone gets none, or, if each
 * alone gets one, the first of them. */
static void explain_ports(struct want *want, const struct slot *slot,
                          struct placement_reasons *reasons)
{
    bool have = false;
    struct nearest first = {.distance = DISTANCE_NO_PF};
    size_t first_port = 0;
    for (size_t port = 0; port < want->count; port++) {
        const struct port_want *wanted = &want->ports[port];
        if (!wanted->wants_vf || wanted->beside) {
            enum policy_field field = POLICY_FIELD_MAX;
            const char *why = NULL;
            if (!virtio_path_allows(&wanted->policy, &field, &why)) {
                count_fields(want, port, slot, NULL, reasons);
                return;
            }
        }
        if (!wanted->wants_vf)
            continue;
        if (!(want->must_ports & (1u << port)))
            continue;
        struct nearest nearest = explain_nearest(want, port, slot);
        if (!have || nearest.distance < first.distance) {
            first = nearest;
            first_port = port;
            have = true;
        }
        if (nearest.distance != DISTANCE_FITS)
            break;
    }
    if (have)
        explain_pf(want, first_port, slot, &first, reasons);
    else
        explain_mac(want, slot, reasons);
}

static int more_hosts_first(const void *a, const void *b)
{
    const struct placement_reason *x = a, *y = b;
    if (x->hosts != y->hosts)
        return x->hosts > y->hosts ? -1 : 1;
    int order = strcmp(x->reason, y->reason);
    return order ? order : strcmp(x->field, y->field);
}

struct explanation {
    struct want *want;
    struct placement_reasons *reasons;
};

static bool explain_slot(void *context, const void *key, size_t key_length,
                         void *value)
{
    (void)key;
    (void)key_length;
    struct explanation *explanation = context;
    const struct slot *slot = value;
    const char *reason = host_reason(explanation->want, slot);
    if (!reason) {
        explain_ports(explanation->want, slot, explanation->reasons);
        return true;
    }
    struct placement_reason *item =
        count_reason(explanation->reasons, reason, "", slot, NULL);
    if (item)
        say_host(explanation->want, slot, item->example_message,
                 sizeof item->example_message);
    return true;
}

void explain_on_host(struct want *want, const struct slot *slot,
                     struct placement_reasons *reasons)
{
    reasons->count = 0;
    const char *reason = slot ? host_reason(want, slot) : NULL;
    if (!slot)
        return;
    if (!reason) {
        struct nearest nearest = explain_nearest(want, 0, slot);
        explain_pf(want, 0, slot, &nearest, reasons);
        return;
    }
    struct placement_reason *item =
        count_reason(reasons, reason, "", slot, NULL);
    if (item)
        say_host(want, slot, item->example_message,
                 sizeof item->example_message);
}

/* Who loses a race for the last VFs asks what the others asked, and refusals
 * change nothing: the answer to the last one is kept until something changes. */
struct explained {
    uint64_t changes;
    struct vm_request request;
    struct placement_reasons reasons;
};

/* What of a request makes no difference, cleared. */
static struct vm_request essence(const struct vm_request *request)
{
    struct vm_request copy = *request;
    copy.has_id = false;
    memset(&copy.id, 0, sizeof copy.id);
    memset(copy.name, 0, sizeof copy.name);
    memset(copy.idempotency_key, 0, sizeof copy.idempotency_key);
    copy.request_hash = 0;
    copy.domain_xml = NULL;
    copy.power_on = false;
    return copy;
}

static void copy_reasons(struct placement_reasons *to,
                         const struct placement_reasons *from)
{
    to->count = from->count;
    memcpy(to->items, from->items, from->count * sizeof from->items[0]);
}

static void scan_hosts(struct core *core, struct want *want,
                       struct placement_reasons *reasons)
{
    struct explanation explanation = {.want = want, .reasons = reasons};
    reasons->count = 0;
    want->number = ++core->decisions;
    omap_each(&core->index.slots, explain_slot, &explanation);
    qsort(reasons->items, reasons->count, sizeof reasons->items[0],
          more_hosts_first);
}

void explain_hosts(struct core *core, struct want *want,
                   struct placement_reasons *reasons)
{
    struct vm_request request = essence(want->request);
    struct explained *last = core->explained;
    /* Bytes that only differ in padding cost a scan and nothing else. */
    if (last && last->changes == core->changes &&
        memcmp(&last->request, &request, sizeof request) == 0) {
        copy_reasons(reasons, &last->reasons);
        return;
    }
    scan_hosts(core, want, reasons);
    if (!last)
        last = core->explained = mem_new(struct explained);
    last->changes = core->changes;
    last->request = request;
    copy_reasons(&last->reasons, reasons);
}
