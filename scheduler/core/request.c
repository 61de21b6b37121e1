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
    bool macvtap = port->vnic_type == VNIC_MACVTAP;
    if (port->vnic_type >= VNIC_TYPE_MAX)
        return error_set_field(err, ERROR_INVALID, "vnic_type",
                               "is direct, direct-physical, macvtap or normal");
    if (macvtap != (port->macvtap_mode != MACVTAP_NONE) ||
        port->macvtap_mode >= MACVTAP_MODE_MAX) {
        error_fill(err, ERROR_INVALID, 0, "macvtap_mode",
                   macvtap ? "a macvtap is of mode bridge, vepa or passthrough"
                           : "is for ports of vnic_type macvtap");
        error_remedy(err, macvtap ? "use passthrough for one on a VF, bridge "
                                    "or vepa for one on a network of the host"
                                  : "leave it out");
        return -1;
    }
    return 0;
}

/* A guest that fails over has the virtio device beside its VF. */
static int check_failover(const struct port_request *port, struct error *err)
{
    if (port->guest_failover == GUEST_FAILOVER_NONE)
        return 0;
    if (port->vnic_type != VNIC_DIRECT)
        return error_set_field(err, ERROR_INVALID, "guest_failover",
                               "is between a VF and virtio: only ports of "
                               "vnic_type direct have both");
    if (port->fallback == FALLBACK_VIRTIO)
        return 0;
    error_fill(err, ERROR_INVALID, 0, "guest_failover",
               "the guest can't fail over without a virtio path, and the "
               "port's fallback is refuse");
    error_remedy(err, "set fallback to virtio, or guest_failover to none");
    return -1;
}

/* What a macvtap on a device of the host can't do (passthrough: the VF does
 * it): it has no bridge port to hold a VLAN, no nwfilter, no VF to choose. */
static int check_macvtap(const struct port_request *port, struct error *err)
{
    static const enum policy_field can[] = {POLICY_MAC, POLICY_MAX_TX_RATE_MBPS,
                                            POLICY_LINK_STATE};
    struct policy clean = policy_clean();
    if (port->vnic_type != VNIC_MACVTAP)
        return 0;
    if (port->fallback != FALLBACK_REFUSE)
        return error_set_field(err, ERROR_INVALID, "fallback",
                               "a macvtap is one device: it has no other path");
    if (port->macvtap_mode == MACVTAP_PASSTHROUGH)
        return 0;
    if (port->require_vendor_id || port->require_device_id ||
        port->require_capabilities)
        return error_set_field(
            err, ERROR_INVALID, "require", "a macvtap of mode %s has no VF",
            macvtap_mode_name((enum macvtap_mode)port->macvtap_mode));
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        bool able = !policy_has(&port->policy, (enum policy_field)i);
        for (size_t j = 0; j < sizeof can / sizeof *can; j++)
            able |= can[j] == (enum policy_field)i;
        /* Spoof checking is asked for only where it is said. */
        if (able ||
            (i != POLICY_SPOOFCHK &&
             policy_field_equal(&port->policy, &clean, (enum policy_field)i)) ||
            (i == POLICY_SPOOFCHK && !port->policy.spoofchk))
            continue;
        error_fill(err, ERROR_UNSUPPORTED, 0,
                   policy_field_name((enum policy_field)i),
                   "a macvtap on a device of the host can't do this");
        error_prefix_field(err, "policy");
        error_remedy(err, "use macvtap_mode passthrough on a VF, or vnic_type "
                          "direct or normal");
        return -1;
    }
    return 0;
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
    else if (port->vnic_type != VNIC_DIRECT ||
             port->macvtap_mode != MACVTAP_NONE)
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
        check_macvtap(port, err) || check_failover(port, err) ||
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

static int check_domain(const struct vm_request *request, struct error *err)
{
    bool managed = request->lifecycle == LIFECYCLE_MANAGED;
    if (managed && !request->domain_xml) {
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "a managed VM needs the XML of its domain");
        error_remedy(err, "give a libvirt <domain> without interfaces, or use "
                          "lifecycle external and start the VM yourself");
        return -1;
    }
    if (!managed && (request->domain_xml || request->power_on)) {
        error_fill(err, ERROR_INVALID, 0,
                   request->domain_xml ? "domain_xml" : "power",
                   "only VMs of lifecycle managed have it");
        error_remedy(err, "leave it out, or use lifecycle managed");
        return -1;
    }
    if (managed && request->domain_xml->length > DOMAIN_XML_MAX)
        return error_set_field(err, ERROR_INVALID, "domain_xml",
                               "%zu bytes are more than %d",
                               request->domain_xml->length, DOMAIN_XML_MAX);
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
    return check_domain(request, err) || check_ports(request, err) ? -1 : 0;
}

static bool virtio_can(const struct port_request *port)
{
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    return virtio_path_allows(&port->policy, &field, &why);
}

static void want_port(struct port_want *want, const struct port_request *port,
                      uint8_t lifecycle)
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
    want->macvtap = port->vnic_type == VNIC_MACVTAP &&
                    port->macvtap_mode != MACVTAP_PASSTHROUGH;
    want->needs_netdev = port->vnic_type == VNIC_MACVTAP && !want->macvtap;
    want->wants_vf = port->vnic_type != VNIC_NORMAL && !want->macvtap;
    want->may_fall_back =
        want->wants_vf && port->fallback == FALLBACK_VIRTIO && virtio_can(port);
    want->beside = port->guest_failover != GUEST_FAILOVER_NONE;
    want->needs_network = !want->wants_vf || port->fallback == FALLBACK_VIRTIO;
    want->needs_vlan = want->needs_network &&
                       policy_has(&port->policy, POLICY_VLAN) &&
                       port->policy.vlan;
    if (lifecycle != LIFECYCLE_HOST)
        want->readiness = want->needs_netdev ? UNREADY_LIBVIRT
                                             : UNREADY_LIBVIRT | UNREADY_VFIO;
}

void request_want(const struct vm_request *request, struct want *want)
{
    *want = (struct want){.request = request, .count = request->port_count};
    for (size_t i = 0; i < want->count; i++) {
        want_port(&want->ports[i], &request->ports[i], request->lifecycle);
        if (!want->ports[i].wants_vf || want->ports[i].beside)
            want->impossible |= !virtio_can(&request->ports[i]);
        if (!want->ports[i].wants_vf)
            continue;
        want->vf_ports |= 1u << i;
        if (!want->ports[i].may_fall_back)
            want->must_ports |= 1u << i;
    }
}
