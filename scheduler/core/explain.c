/* SPDX-License-Identifier: Apache-2.0 */
/* Why not: one reason per host (per refused policy field), counted over all
 * hosts. Only for requests that placement refused; costs a scan of all hosts.
 *
 * A host's reason is the first that applies to it as a whole; else, for the
 * first port that finds no VF, what stops the PF that came closest. */
#include "scheduler/core/placement.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How far a PF came for a port: each step is nearer than the one before. */
enum distance {
    DISTANCE_NO_PF,
    DISTANCE_MANAGEMENT,
    DISTANCE_NOT_ALLOWED,
    DISTANCE_NETWORK,
    DISTANCE_VENDOR,
    DISTANCE_DEVICE,
    DISTANCE_CAPABILITY,
    DISTANCE_POLICY,
    DISTANCE_NO_VIRTIO_NETWORK,
    DISTANCE_MAC,
    DISTANCE_BANDWIDTH_UNKNOWN,
    DISTANCE_BANDWIDTH,
    DISTANCE_NO_FREE_VF,
    DISTANCE_FITS,
    DISTANCE_MAX
};
static const char *const words[DISTANCE_MAX] = {
    [DISTANCE_NO_PF] = "no_pf",
    [DISTANCE_MANAGEMENT] = "pf_management",
    [DISTANCE_NOT_ALLOWED] = "pf_not_allowed",
    [DISTANCE_NETWORK] = "physical_network_mismatch",
    [DISTANCE_VENDOR] = "vendor_mismatch",
    [DISTANCE_DEVICE] = "device_mismatch",
    [DISTANCE_CAPABILITY] = "capability_missing",
    [DISTANCE_POLICY] = "policy_unsupported",
    [DISTANCE_NO_VIRTIO_NETWORK] = "no_network",
    [DISTANCE_MAC] = "mac_in_use",
    [DISTANCE_BANDWIDTH_UNKNOWN] = "bandwidth_unknown",
    [DISTANCE_BANDWIDTH] = "bandwidth_exhausted",
    [DISTANCE_NO_FREE_VF] = "no_free_vf",
    [DISTANCE_FITS] = "no_free_vf", /* each port alone, but not all together */
};

struct nearest {
    enum distance distance;
    const struct pf_slot *pf;
    char message[192];
};

static void say(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(char *text, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(text, size, format, args);
    va_end(args);
}

/* ---- one port on one PF ------------------------------------------------------- */

static bool lacks_capability(const struct want *want, size_t port,
                             const struct pf_class *class,
                             enum policy_field *lacking)
{
    uint32_t required = want->ports[port].request->require_capabilities;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if ((required & POLICY_BIT(i)) &&
            class->capabilities.field[i].support != CAPABILITY_SUPPORTED) {
            *lacking = (enum policy_field)i;
            return true;
        }
    return false;
}

static enum distance pf_distance(const struct want *want, size_t port,
                                 const struct pf_slot *pf)
{
    const struct port_want *wanted = &want->ports[port];
    const struct port_request *asked = wanted->request;
    const struct pf_class *class = pf->class;
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    uint32_t rate = wanted->policy.min_tx_rate_mbps;

    if (pf->pf->management)
        return DISTANCE_MANAGEMENT;
    if (!pf->allowed)
        return DISTANCE_NOT_ALLOWED;
    if (*asked->physical_network &&
        strcmp(asked->physical_network, class->physical_network) != 0)
        return DISTANCE_NETWORK;
    if (asked->require_vendor_id &&
        asked->require_vendor_id != class->vendor_id)
        return DISTANCE_VENDOR;
    if (asked->require_device_id &&
        asked->require_device_id != class->device_id)
        return DISTANCE_DEVICE;
    if (lacks_capability(want, port, class, &field))
        return DISTANCE_CAPABILITY;
    /* The PF's own notes: those of its class are of whoever came first. */
    if (!capabilities_allow(&pf->pf->capabilities, &wanted->policy, &field,
                            &why))
        return DISTANCE_POLICY;
    if (wanted->needs_network && !*asked->physical_network &&
        *class->physical_network &&
        !slot_has_network(pf->slot, class->physical_network))
        return DISTANCE_NO_VIRTIO_NETWORK;
    if (rate && class->link_speed_mbps <= 0)
        return DISTANCE_BANDWIDTH_UNKNOWN;
    if (rate && pf->committed_mbps + rate > (uint64_t) class->link_speed_mbps)
        return DISTANCE_BANDWIDTH;
    if (!placement_class_fits(want, port, class))
        return DISTANCE_MAC;
    return pf->node.linked ? DISTANCE_FITS : DISTANCE_NO_FREE_VF;
}

static void say_policy(const struct want *want, size_t port,
                       const struct pf_slot *pf, char *text, size_t size)
{
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = "";
    if (!capabilities_allow(&pf->pf->capabilities, &want->ports[port].policy,
                            &field, &why))
        say(text, size, "PF %s: %s is not supported (%s)", pf->pf->key.text,
            policy_field_name(field), why);
}

static void say_capability(const struct want *want, size_t port,
                           const struct pf_slot *pf, char *text, size_t size)
{
    enum policy_field field = POLICY_FIELD_MAX;
    if (lacks_capability(want, port, pf->class, &field))
        say(text, size, "PF %s: the required capability %s is %s",
            pf->pf->key.text, policy_field_name(field),
            capability_support_name(
                (enum capability_support)pf->class->capabilities.field[field]
                    .support));
}

static void say_distance(const struct want *want, size_t port,
                         struct nearest *nearest)
{
    const struct pf_slot *pf = nearest->pf;
    const struct port_request *asked = want->ports[port].request;
    const char *key = pf ? pf->pf->key.text : "";
    char *text = nearest->message;
    size_t size = sizeof nearest->message;

    switch (nearest->distance) {
    case DISTANCE_NO_PF:
        say(text, size, "the host has no SR-IOV device");
        break;
    case DISTANCE_MANAGEMENT:
        say(text, size, "PF %s carries the host's own traffic (%s)", key,
            pf->pf->management_reason);
        break;
    case DISTANCE_NOT_ALLOWED:
        say(text, size,
            "PF %s is not allowed for use yet: an operator has to "
            "allow it",
            key);
        break;
    case DISTANCE_NETWORK:
        say(text, size, "PF %s is on physical network '%s', asked for is '%s'",
            key, pf->class->physical_network, asked->physical_network);
        break;
    case DISTANCE_VENDOR:
        say(text, size, "PF %s is of vendor %04x, asked for is %04x", key,
            pf->class->vendor_id, asked->require_vendor_id);
        break;
    case DISTANCE_DEVICE:
        say(text, size, "PF %s is device %04x, asked for is %04x", key,
            pf->class->device_id, asked->require_device_id);
        break;
    case DISTANCE_CAPABILITY:
        say_capability(want, port, pf, text, size);
        break;
    case DISTANCE_POLICY:
        say_policy(want, port, pf, text, size);
        break;
    case DISTANCE_NO_VIRTIO_NETWORK:
        say(text, size,
            "no network of the host is mapped to '%s', where PF %s "
            "is: the virtio path needs one",
            pf->class->physical_network, key);
        break;
    case DISTANCE_MAC:
        say(text, size, "the MAC is in use on physical network '%s'",
            pf->class->physical_network);
        break;
    case DISTANCE_BANDWIDTH_UNKNOWN:
        say(text, size,
            "PF %s: link speed not known, so min_tx_rate_mbps %u "
            "can't be promised",
            key, want->ports[port].policy.min_tx_rate_mbps);
        break;
    case DISTANCE_BANDWIDTH:
        say(text, size,
            "PF %s: %" PRIu64 " of %d Mbit/s are promised, %u more "
            "are asked for",
            key, pf->committed_mbps, pf->class->link_speed_mbps,
            want->ports[port].policy.min_tx_rate_mbps);
        break;
    case DISTANCE_NO_FREE_VF:
        say(text, size, "PF %s: none of its %zu VFs is free", key,
            pf->pf->vf_count);
        break;
    case DISTANCE_FITS:
        say(text, size,
            "PF %s has %u free VFs: not enough for all ports "
            "together",
            key, pf->free);
        break;
    case DISTANCE_MAX:
        break;
    }
}

static struct nearest nearest_pf(const struct want *want, size_t port,
                                 const struct slot *slot)
{
    struct nearest nearest = {.distance = DISTANCE_NO_PF};
    for (size_t i = 0; i < slot->pf_count; i++) {
        enum distance distance = pf_distance(want, port, slot->pfs[i]);
        if (distance > nearest.distance) {
            nearest.distance = distance;
            nearest.pf = slot->pfs[i];
        }
    }
    say_distance(want, port, &nearest);
    return nearest;
}

void explain_port(struct want *want, size_t port, const struct slot *slot,
                  char *text, size_t size)
{
    struct nearest nearest = nearest_pf(want, port, slot);
    say(text, size, "%s: %s", words[nearest.distance], nearest.message);
}

/* ---- counting ------------------------------------------------------------------- */

static void count_reason(struct placement_reasons *reasons, const char *reason,
                         const char *field, const char *host, const char *pf,
                         const char *message)
{
    struct placement_reason *item = reasons->items;
    for (size_t i = 0; i < reasons->count; i++, item++)
        if (strcmp(item->reason, reason) == 0 &&
            strcmp(item->field, field) == 0) {
            item->hosts++;
            return;
        }
    if (reasons->count == REASONS_MAX)
        return;
    reasons->count++;
    item->hosts = 1;
    str_copy(item->reason, reason);
    str_copy(item->field, field);
    str_copy(item->example_host, host);
    str_copy(item->example_pf, pf);
    str_copy(item->example_message, message);
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
        char message[192];
        one.set &= POLICY_BIT(i);
        if (pf ? capabilities_allow(&pf->pf->capabilities, &one, &field, &why)
               : virtio_path_allows(&one, &field, &why))
            continue;
        const char *name = policy_field_name(field);
        if (pf)
            say(message, sizeof message, "PF %s: %s is not supported (%s)",
                pf->pf->key.text, name, why);
        else
            say(message, sizeof message, "%s: %s", name, why);
        count_reason(reasons, words[DISTANCE_POLICY], name,
                     slot->view->host->name, pf ? pf->pf->key.text : "",
                     message);
    }
}

/* ---- one host -------------------------------------------------------------------- */

/* Why the host as a whole does not fit, or NULL. */
static const char *host_reason(const struct want *want, const struct slot *slot,
                               char message[192])
{
    const struct host_view *view = slot->view;
    const struct vm_request *request = want->request;
    if (*request->host && strcmp(request->host, view->host->name) != 0) {
        say(message, 192, "the request names host '%s'", request->host);
        return "not_the_named_host";
    }
    if (!slot->ready) {
        say(message, 192, "%s", view->state_reason);
        if (!view->report)
            return "no_report";
        return view->state == HOST_CORDONED ? "host_cordoned"
                                            : "host_unreachable";
    }
    if (request->vcpus > slot->free_vcpus) {
        say(message, 192, "%" PRIu64 " vcpus are free, %u are asked for",
            slot->free_vcpus, request->vcpus);
        return "vcpus_exhausted";
    }
    if (request->memory_mib > slot->free_memory_mib) {
        say(message, 192, "%" PRIu64 " MiB are free, %" PRIu64 " are asked for",
            slot->free_memory_mib, request->memory_mib);
        return "memory_exhausted";
    }
    for (size_t i = 0; i < want->count; i++) {
        const char *network = want->ports[i].request->physical_network;
        if (!want->ports[i].needs_network || slot_has_network(slot, network))
            continue;
        if (*network)
            say(message, 192, "no network of the host is mapped to '%s'",
                network);
        else
            say(message, 192, "the host has no network for the virtio path");
        return "no_network";
    }
    return NULL;
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
    count_reason(
        reasons, words[nearest->distance], field, slot->view->host->name,
        nearest->pf ? nearest->pf->pf->key.text : "", nearest->message);
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
        if (!wanted->wants_vf) {
            enum policy_field field = POLICY_FIELD_MAX;
            const char *why = NULL;
            if (!virtio_path_allows(&wanted->policy, &field, &why)) {
                count_fields(want, port, slot, NULL, reasons);
                return;
            }
            continue;
        }
        if (!(want->must_ports & (1u << port)))
            continue;
        struct nearest nearest = nearest_pf(want, port, slot);
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
        count_reason(reasons, "mac_in_use", "mac", slot->view->host->name, "",
                     "the MAC is in use on each network of the host");
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
    char message[192] = "";
    const char *reason = host_reason(explanation->want, slot, message);
    if (reason)
        count_reason(explanation->reasons, reason, "", slot->view->host->name,
                     "", message);
    else
        explain_ports(explanation->want, slot, explanation->reasons);
    return true;
}

void explain_hosts(struct core *core, struct want *want,
                   struct placement_reasons *reasons)
{
    struct explanation explanation = {.want = want, .reasons = reasons};
    reasons->count = 0;
    omap_each(&core->index.slots, explain_slot, &explanation);
    qsort(reasons->items, reasons->count, sizeof reasons->items[0],
          more_hosts_first);
}
