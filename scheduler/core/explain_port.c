/* SPDX-License-Identifier: Apache-2.0 */
/* Why one port gets no VF on one host: how far the nearest PF came, and that in
 * words. Called by explain.c, and for ports that fall back to virtio. */
#include "scheduler/core/explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const words[DISTANCE_MAX] = {
    [DISTANCE_NO_PF] = "no_pf",
    [DISTANCE_MANAGEMENT] = "pf_management",
    [DISTANCE_NOT_ALLOWED] = "pf_not_allowed",
    [DISTANCE_NETWORK] = "physical_network_mismatch",
    [DISTANCE_VENDOR] = "vendor_mismatch",
    [DISTANCE_DEVICE] = "device_mismatch",
    [DISTANCE_CAPABILITY] = "capability_missing",
    [DISTANCE_POLICY] = "policy_unsupported",
    [DISTANCE_NOT_READY] = "host_not_ready",
    [DISTANCE_NO_VIRTIO_NETWORK] = "no_network",
    [DISTANCE_NO_VLAN] = "network_no_vlan",
    [DISTANCE_MAC] = "mac_in_use",
    [DISTANCE_BANDWIDTH_UNKNOWN] = "bandwidth_unknown",
    [DISTANCE_BANDWIDTH] = "bandwidth_exhausted",
    [DISTANCE_HAS_VFS] = "pf_has_vfs",
    [DISTANCE_USED] = "pf_in_use",
    [DISTANCE_NO_FREE_VF] = "no_free_vf",
    [DISTANCE_NO_NETDEV] = "no_vf_netdev",
    [DISTANCE_CHANGING] = "pf_changing",
    [DISTANCE_FITS] = "no_free_vf", /* each port alone, but not all together */
};

const char *distance_word(const struct port_want *port, enum distance distance)
{
    if (port->whole &&
        (distance == DISTANCE_NO_FREE_VF || distance == DISTANCE_FITS))
        return "no_free_pf";
    return distance < DISTANCE_MAX ? words[distance] : "";
}

void explain_say(char *text, size_t size, const char *format, ...)
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
    struct link_facts link = class_link(class);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if ((required & POLICY_BIT(i)) &&
            !capability_given(&class->capabilities.field[i], &link)) {
            *lacking = (enum policy_field)i;
            return true;
        }
    return false;
}

/* As far as it depends on the class alone. */
static enum distance class_distance(const struct want *want, size_t port,
                                    const struct pf_class *class)
{
    const struct port_want *wanted = &want->ports[port];
    const struct port_request *asked = wanted->request;
    struct link_facts link = class_link(class);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;

    if ((*asked->physical_network || wanted->same_network) &&
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
    if (!wanted->whole && !capabilities_allow(&class->capabilities, &link,
                                              &wanted->policy, &field, &why))
        return DISTANCE_POLICY;
    return wanted->readiness & class->unready ? DISTANCE_NOT_READY
                                              : DISTANCE_FITS;
}

/* The same, worked out once per class and port. */
static enum distance known_distance(const struct want *want, size_t port,
                                    struct pf_class *class)
{
    if (class->explained != want->number || class->explained_port != port) {
        class->distance = (int)class_distance(want, port, class);
        class->explained = want->number;
        class->explained_port = port;
    }
    return (enum distance) class->distance;
}

/* As far as it depends on what is taken of it. */
static enum distance free_distance(const struct port_want *wanted,
                                   const struct pf_slot *pf)
{
    if (wanted->whole && (pf->pf->num_vfs || pf->pf->vf_count))
        return DISTANCE_HAS_VFS;
    if (wanted->whole && *pf->pf->used_by)
        return DISTANCE_USED;
    if (pf->changing)
        return DISTANCE_CHANGING;
    if (wanted->whole && !pf->class->whole)
        return DISTANCE_HAS_VFS; /* that are wanted and could not be made */
    if (!pf->node.linked || pf->class->whole != wanted->whole)
        return DISTANCE_NO_FREE_VF;
    return wanted->needs_netdev && !pf_slot_free_netdevs(pf)
               ? DISTANCE_NO_NETDEV
               : DISTANCE_FITS;
}

static enum distance pf_distance(const struct want *want, size_t port,
                                 const struct pf_slot *pf)
{
    const struct port_want *wanted = &want->ports[port];
    const struct pf_class *class = pf->class;
    uint32_t rate = wanted->policy.min_tx_rate_mbps;

    if (pf->pf->kind != wanted->kind)
        return DISTANCE_NO_PF;
    if (pf->pf->management)
        return DISTANCE_MANAGEMENT;
    if (!pf->allowed)
        return DISTANCE_NOT_ALLOWED;
    enum distance distance = known_distance(want, port, pf->class);
    if (distance != DISTANCE_FITS)
        return distance;
    if (wanted->needs_network && !*wanted->request->physical_network &&
        *class->physical_network &&
        !placement_network(wanted, pf->slot, class->physical_network, NULL))
        return placement_lacks_vlan(wanted, pf->slot, class->physical_network)
                   ? DISTANCE_NO_VLAN
                   : DISTANCE_NO_VIRTIO_NETWORK;
    bool mac_used = placement_mac_used(want, port, pf);
    if (mac_used && !wanted->own_mac)
        return DISTANCE_MAC;
    if (rate && !class->promisable_mbps)
        return DISTANCE_BANDWIDTH_UNKNOWN;
    if (rate && pf->committed_mbps + rate > class->promisable_mbps)
        return DISTANCE_BANDWIDTH;
    distance = free_distance(wanted, pf);
    /* A PF that is given away is no less so because its MAC is in use too. */
    return mac_used && distance == DISTANCE_FITS ? DISTANCE_MAC : distance;
}

static void say_policy(const struct want *want, size_t port,
                       const struct pf_slot *pf, char *text, size_t size)
{
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = "";
    struct link_facts link = class_link(pf->class);
    if (!capabilities_allow(&pf->class->capabilities, &link,
                            &want->ports[port].policy, &field, &why))
        explain_say(text, size, "PF %s: %s is not supported (%s)",
                    pf->pf->key.text, policy_field_name(field), why);
}

static void say_capability(const struct want *want, size_t port,
                           const struct pf_slot *pf, char *text, size_t size)
{
    enum policy_field field = POLICY_FIELD_MAX;
    if (lacks_capability(want, port, pf->class, &field))
        explain_say(
            text, size, "PF %s: the required capability %s is %s",
            pf->pf->key.text, policy_field_name(field),
            capability_support_name(
                (enum capability_support)pf->class->capabilities.field[field]
                    .support));
}

static void say_bandwidth(const struct port_want *wanted,
                          const struct nearest *nearest, char *text,
                          size_t size)
{
    const struct pf_slot *pf = nearest->pf;
    uint32_t rate = wanted->policy.min_tx_rate_mbps;
    if (nearest->distance == DISTANCE_BANDWIDTH_UNKNOWN)
        explain_say(text, size,
                    "PF %s: its driver tells no link speed, so "
                    "min_tx_rate_mbps %u can't be promised: set the PF's "
                    "link_speed_mbps",
                    pf->pf->key.text, rate);
    else
        explain_say(text, size,
                    "PF %s: %" PRIu64 " of %" PRIu64
                    " Mbit/s are promised, %u more are asked for",
                    pf->pf->key.text, pf->committed_mbps,
                    pf->class->promisable_mbps, rate);
}

/* It would fit, but for what is taken of it. */
static void say_taken(const struct port_want *wanted,
                      const struct nearest *nearest, char *text, size_t size)
{
    const struct pf_slot *pf = nearest->pf;
    const char *key = pf->pf->key.text;
    if (nearest->distance == DISTANCE_HAS_VFS)
        explain_say(text, size,
                    "PF %s has VFs or is set to have some: only one with "
                    "num_vfs 0 is given as a whole",
                    key);
    else if (nearest->distance == DISTANCE_USED)
        explain_say(text, size, "PF %s is used by the host itself (%s)", key,
                    pf->pf->used_by);
    else if (nearest->distance == DISTANCE_CHANGING)
        explain_say(text, size,
                    "PF %s is being changed by its agent and takes nothing new "
                    "until that is done",
                    key);
    else if (nearest->distance == DISTANCE_FITS)
        explain_say(text, size,
                    "PF %s has %u free: not enough for all ports together", key,
                    pf->free);
    else if (pf->given || pf->held_as_whole)
        explain_say(text, size, "PF %s is given away as a whole", key);
    else if (wanted->whole)
        explain_say(text, size, "PF %s: ports still hold something of it", key);
    else
        explain_say(text, size, "PF %s: none of its %zu VFs is free", key,
                    pf->pf->vf_count);
}

static void say_not_ready(const struct port_want *wanted,
                          const struct pf_slot *pf, char *text, size_t size)
{
    const struct readiness_check *check =
        view_failed_check(pf->slot->view, wanted->readiness);
    if (check)
        explain_say(text, size, "readiness check '%s' failed: %s: %s",
                    check->name, check->reason, check->remedy);
}

void explain_distance(const struct want *want, size_t port,
                      const struct nearest *nearest, char *text, size_t size)
{
    const struct pf_slot *pf = nearest->pf;
    const struct port_request *asked = want->ports[port].request;
    const char *key = pf ? pf->pf->key.text : "";

    switch (nearest->distance) {
    case DISTANCE_NO_PF:
        explain_say(text, size, "the host has no %s device to take from",
                    device_kind_name((enum device_kind)want->ports[port].kind));
        break;
    case DISTANCE_MANAGEMENT:
        explain_say(text, size, "PF %s carries the host's own traffic (%s)",
                    key, pf->pf->management_reason);
        break;
    case DISTANCE_NOT_ALLOWED:
        explain_say(text, size,
                    "PF %s is not allowed for use yet: an operator has to "
                    "allow it",
                    key);
        break;
    case DISTANCE_NETWORK:
        explain_say(text, size,
                    "PF %s is on physical network '%s', asked for is '%s'", key,
                    pf->class->physical_network, asked->physical_network);
        break;
    case DISTANCE_VENDOR:
        explain_say(text, size, "PF %s is of vendor %04x, asked for is %04x",
                    key, pf->class->vendor_id, asked->require_vendor_id);
        break;
    case DISTANCE_DEVICE:
        explain_say(text, size, "PF %s is device %04x, asked for is %04x", key,
                    pf->class->device_id, asked->require_device_id);
        break;
    case DISTANCE_CAPABILITY:
        say_capability(want, port, pf, text, size);
        break;
    case DISTANCE_POLICY:
        say_policy(want, port, pf, text, size);
        break;
    case DISTANCE_NOT_READY:
        say_not_ready(&want->ports[port], pf, text, size);
        break;
    case DISTANCE_NO_VLAN:
        explain_say(text, size,
                    "no network of the host that is mapped to '%s', where PF "
                    "%s is, can hold a VLAN: the virtio path needs one",
                    pf->class->physical_network, key);
        break;
    case DISTANCE_NO_NETDEV:
        explain_say(text, size,
                    "PF %s: none of its free VFs has a network device on the "
                    "host, which a macvtap needs: set vf_drivers_autoprobe on",
                    key);
        break;
    case DISTANCE_NO_VIRTIO_NETWORK:
        explain_say(text, size,
                    "no network of the host is mapped to '%s', where PF %s "
                    "is: the virtio path needs one",
                    pf->class->physical_network, key);
        break;
    case DISTANCE_MAC:
        explain_say(
            text, size, "the MAC%s%s is in use on physical network '%s'",
            want->ports[port].own_mac ? " of PF " : "",
            want->ports[port].own_mac ? key : "", pf->class->physical_network);
        break;
    case DISTANCE_BANDWIDTH_UNKNOWN:
    case DISTANCE_BANDWIDTH:
        say_bandwidth(&want->ports[port], nearest, text, size);
        break;
    case DISTANCE_HAS_VFS:
    case DISTANCE_USED:
    case DISTANCE_NO_FREE_VF:
    case DISTANCE_CHANGING:
    case DISTANCE_FITS:
        say_taken(&want->ports[port], nearest, text, size);
        break;
    case DISTANCE_MAX:
        break;
    }
}

struct nearest explain_nearest(const struct want *want, size_t port,
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
    return nearest;
}

void explain_port(struct want *want, size_t port, const struct slot *slot,
                  char *text, size_t size)
{
    char message[192] = "";
    struct nearest nearest = explain_nearest(want, port, slot);
    explain_distance(want, port, &nearest, message, sizeof message);
    explain_say(text, size, "%s: %s",
                distance_word(&want->ports[port], nearest.distance), message);
}
