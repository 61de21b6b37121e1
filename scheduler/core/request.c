/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a request for a VM and what placement is to know of it. Says what
 * is wrong with the request itself; who has what is vms.c's. */
#include "scheduler/core/request.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

#define VCPUS_MAX 4096u
#define MEMORY_MAX_MIB (UINT64_C(64) << 40)

/* Its number among the ports, or the devices. */
static size_t member_number(const struct vm_request *request, size_t port)
{
    size_t number = 0;
    for (size_t i = 0; i < port; i++)
        number += request->ports[i].device == request->ports[port].device;
    return number;
}

const char *request_member(const struct vm_request *request, size_t port,
                           char path[MEMBER_PATH_SIZE])
{
    snprintf(path, MEMBER_PATH_SIZE, "%s[%zu]",
             request->ports[port].device ? "devices" : "ports",
             member_number(request, port));
    return path;
}

void request_port_name(const struct vm_request *request, size_t port,
                       char name[NAME_SIZE])
{
    if (*request->ports[port].name)
        str_copy_bounded(name, NAME_SIZE, request->ports[port].name);
    else
        snprintf(name, NAME_SIZE, "%s%zu",
                 request->ports[port].device ? "dev" : "eth",
                 member_number(request, port));
}

/* The MAC that the request gives, as 'mac' or in the policy; NULL = none. */
static const struct mac *given_mac(const struct port_request *port)
{
    if (port->has_mac)
        return &port->mac;
    return policy_has(&port->policy, POLICY_MAC) ? &port->policy.mac : NULL;
}

static int check_mac(const struct port_request *port, struct error *err)
{
    const struct mac *mac = given_mac(port);
    const char *refused = mac ? mac_refused(mac) : NULL;
    char text[MAC_TEXT_SIZE];
    if (refused)
        return error_set_field(err, ERROR_INVALID, "mac",
                               "%s can't be a port's MAC: %s",
                               mac_format(mac, text), refused);
    if (port->has_mac && policy_has(&port->policy, POLICY_MAC) &&
        mac_compare(&port->mac, &port->policy.mac) != 0)
        return error_set_field(err, ERROR_INVALID, "policy.mac",
                               "the policy's MAC is not the port's, %s",
                               mac_format(&port->mac, text));
    return 0;
}

static int check_vnic_type(const struct port_request *port, struct error *err)
{
    if (port->vnic_type == VNIC_DIRECT || port->vnic_type == VNIC_NORMAL ||
        port->vnic_type == VNIC_DIRECT_PHYSICAL)
        return 0;
    const char *name = vnic_type_name((enum vnic_type)port->vnic_type);
    error_fill(err, name ? ERROR_UNSUPPORTED : ERROR_INVALID, 0, "vnic_type",
               "ports of vnic_type '%s' can't be placed by this version",
               name ? name : "?");
    error_remedy(err, "use 'direct' for a VF, 'direct-physical' for a whole PF "
                      "or 'normal' for virtio");
    return -1;
}

/* What nobody can do with a whole PF: its guest has all of it. */
static int check_whole(const struct port_request *port, struct error *err)
{
    if (port->vnic_type != VNIC_DIRECT_PHYSICAL)
        return 0;
    if (port->fallback != FALLBACK_REFUSE)
        return error_set_field(err, ERROR_INVALID, "fallback",
                               "a port with a whole PF can only refuse: what "
                               "it does can't be done over virtio");
    if (port->guest_failover != GUEST_FAILOVER_NONE)
        return error_set_field(err, ERROR_INVALID, "guest_failover",
                               "a whole PF has no virtio path beside it");
    if (port->require_capabilities)
        return error_set_field(err, ERROR_INVALID, "require.capabilities",
                               "are about policies of VFs; a whole PF has "
                               "none");
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        if (i == POLICY_MAC || !(port->policy.set & POLICY_BIT(i)))
            continue;
        error_fill(err, ERROR_INVALID, 0,
                   policy_field_name((enum policy_field)i),
                   "can't be put on a whole PF: policies are the embedded "
                   "switch's, for VFs, and the guest rules the PF itself");
        error_prefix_field(err, "policy");
        return -1;
    }
    return 0;
}

/* A VF of something that is no network device has no more than its kind. */
static int check_device(const struct port_request *port, struct error *err)
{
    if (port->device_kind >= DEVICE_KIND_MAX)
        return error_set_field(err, ERROR_INVALID, "kind",
                               "is no known kind of device");
    if (port->device_kind == DEVICE_NETWORK)
        return error_set_field(err, ERROR_INVALID, "kind",
                               "network devices are asked for as ports");
    const char *field = NULL;
    if (port->has_mac)
        field = "mac";
    else if (*port->physical_network)
        field = "physical_network";
    else if (port->policy.set)
        field = "policy";
    else if (port->require_capabilities)
        field = "require.capabilities";
    else if (port->vnic_type != VNIC_DIRECT)
        field = "vnic_type";
    else if (port->fallback != FALLBACK_REFUSE)
        field = "fallback";
    else if (port->guest_failover != GUEST_FAILOVER_NONE)
        field = "guest_failover";
    if (!field)
        return 0;
    return error_set_field(err, ERROR_INVALID, field,
                           "is for network ports; a device has none");
}

static int check_port(const struct port_request *port, struct error *err)
{
    if (*port->name && !str_is_name(port->name))
        return error_set_field(err, ERROR_INVALID, "name",
                               "'%s' is no port name", port->name);
    if (port->device)
        return check_device(port, err);
    if (*port->physical_network && !str_is_name(port->physical_network))
        return error_set_field(err, ERROR_INVALID, "physical_network",
                               "'%s' is no physical network's name",
                               port->physical_network);
    if (port->fallback >= FALLBACK_MAX)
        return error_set_field(err, ERROR_INVALID, "fallback",
                               "is virtio or refuse");
    if (port->guest_failover >= GUEST_FAILOVER_MAX)
        return error_set_field(err, ERROR_INVALID, "guest_failover",
                               "is none, net_failover or bond");
    if (port->require_capabilities & ~POLICY_ALL)
        return error_set_field(err, ERROR_INVALID, "require.capabilities",
                               "names an unknown capability");
    if (check_vnic_type(port, err) || check_whole(port, err) ||
        check_mac(port, err))
        return -1;
    if (policy_check(&port->policy, err)) {
        error_prefix_field(err, "policy");
        return -1;
    }
    return 0;
}

/* Whether two ports may meet on one physical network: "" is any of them. */
static bool networks_may_meet(const struct port_request *a,
                              const struct port_request *b)
{
    return !*a->physical_network || !*b->physical_network ||
           strcmp(a->physical_network, b->physical_network) == 0;
}

static int check_against(const struct vm_request *request, size_t port,
                         size_t other, struct error *err)
{
    char name[NAME_SIZE], other_name[NAME_SIZE], text[MAC_TEXT_SIZE];
    char member[MEMBER_PATH_SIZE];
    request_port_name(request, port, name);
    request_port_name(request, other, other_name);
    if (strcmp(name, other_name) == 0)
        return error_set_field(err, ERROR_INVALID, "name",
                               "two ports or devices are named '%s'", name);
    const struct mac *mac = given_mac(&request->ports[port]);
    const struct mac *other_mac = given_mac(&request->ports[other]);
    if (mac && other_mac && mac_compare(mac, other_mac) == 0 &&
        networks_may_meet(&request->ports[port], &request->ports[other]))
        return error_set_field(err, ERROR_INVALID, "mac",
                               "%s is also the MAC of %s on the same physical "
                               "network",
                               mac_format(mac, text),
                               request_member(request, other, member));
    return 0;
}

static int check_ports(const struct vm_request *request, struct error *err)
{
    for (size_t i = 0; i < request->port_count; i++) {
        int bad = check_port(&request->ports[i], err);
        for (size_t j = 0; j < i && !bad; j++)
            bad = check_against(request, i, j, err);
        if (bad) {
            char parent[MEMBER_PATH_SIZE];
            error_prefix_field(err, request_member(request, i, parent));
            return -1;
        }
    }
    return 0;
}

int vm_request_check(const struct vm_request *request, struct error *err)
{
    if (!str_is_name(request->name))
        return error_set_field(err, ERROR_INVALID, "name",
                               "'%s' is no VM name: 1 to 63 letters, digits, "
                               "'.', '_', '-'",
                               request->name);
    if (request->vcpus < 1 || request->vcpus > VCPUS_MAX)
        return error_set_field(err, ERROR_INVALID, "vcpus",
                               "%u is not between 1 and %u", request->vcpus,
                               VCPUS_MAX);
    if (request->memory_mib < 1 || request->memory_mib > MEMORY_MAX_MIB)
        return error_set_field(err, ERROR_INVALID, "memory_mib",
                               "%llu is not between 1 and %llu",
                               (unsigned long long)request->memory_mib,
                               (unsigned long long)MEMORY_MAX_MIB);
    if (request->lifecycle >= LIFECYCLE_MAX)
        return error_set_field(err, ERROR_INVALID, "lifecycle",
                               "is external, managed or host");
    if (request->strategy >= STRATEGY_MAX)
        return error_set_field(err, ERROR_INVALID, "placement.strategy",
                               "is spread or pack");
    if (request->has_id && uuid_is_zero(&request->id))
        return error_set_field(err, ERROR_INVALID, "id", "is zero");
    if (request->port_count > VM_PORTS_MAX)
        return error_set_field(err, ERROR_INVALID, "ports",
                               "%zu ports and devices are more than %d",
                               request->port_count, VM_PORTS_MAX);
    return check_ports(request, err);
}

static bool virtio_can(const struct port_request *port)
{
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    return virtio_path_allows(&port->policy, &field, &why);
}

static void want_port(struct port_want *want, const struct port_request *port)
{
    const struct mac *mac = given_mac(port);
    want->request = port;
    want->kind = port->device ? port->device_kind : DEVICE_NETWORK;
    want->whole = !port->device && port->vnic_type == VNIC_DIRECT_PHYSICAL;
    want->own_mac = want->whole && !mac;
    want->policy = port->policy;
    if (!port->device)
        want->policy.set |= POLICY_BIT(POLICY_MAC);
    if (mac)
        want->mac = want->policy.mac = *mac;
    want->wants_vf = port->vnic_type != VNIC_NORMAL;
    want->may_fall_back =
        want->wants_vf && port->fallback == FALLBACK_VIRTIO && virtio_can(port);
    want->needs_network = !want->wants_vf ||
                          port->fallback == FALLBACK_VIRTIO ||
                          port->guest_failover != GUEST_FAILOVER_NONE;
}

void request_want(const struct vm_request *request, struct want *want)
{
    *want = (struct want){.request = request, .count = request->port_count};
    for (size_t i = 0; i < want->count; i++) {
        want_port(&want->ports[i], &request->ports[i]);
        if (!want->ports[i].wants_vf) {
            want->impossible |= !virtio_can(&request->ports[i]);
            continue;
        }
        want->vf_ports |= 1u << i;
        if (!want->ports[i].may_fall_back)
            want->must_ports |= 1u << i;
    }
}
