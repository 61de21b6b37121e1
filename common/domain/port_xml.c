/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of one port as libvirt reads them: see domain.h. Written as text,
 * by the schedulers' answers for every port that is shown. */
#include "common/domain/domain.h"
#include "common/domain/xml.h"

#include "common/base/str.h"

#include <inttypes.h>

static void add_escaped(struct str *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            str_add(out, "&amp;");
            break;
        case '<':
            str_add(out, "&lt;");
            break;
        case '>':
            str_add(out, "&gt;");
            break;
        case '\'':
            str_add(out, "&apos;");
            break;
        case '"':
            str_add(out, "&quot;");
            break;
        default:
            str_add_bytes(out, text, 1);
        }
    }
}

static void add_alias(struct str *out, const struct domain_port *port,
                      const char *end)
{
    char id[UUID_TEXT_SIZE];
    str_printf(out, "  <alias name='" ALIAS_START "%s%s'/>\n",
               uuid_format(&port->id, id), end);
}

static void add_vlan(struct str *out, const struct domain_port *port)
{
    if (policy_has(&port->policy, POLICY_VLAN) && port->policy.vlan)
        str_printf(out, "  <vlan><tag id='%u'/></vlan>\n", port->policy.vlan);
}

/* libvirt counts kilobytes a second and hands them to tc as 1000 bytes;
 * <outbound> is what the guest sends. */
static void add_rate(struct str *out, const struct domain_port *port)
{
    if (policy_has(&port->policy, POLICY_MAX_TX_RATE_MBPS) &&
        port->policy.max_tx_rate_mbps)
        str_printf(
            out, "  <bandwidth><outbound average='%" PRIu64 "'/></bandwidth>\n",
            (uint64_t)port->policy.max_tx_rate_mbps * KILOBYTES_PER_MEGABIT);
}

static void add_link(struct str *out, const struct domain_port *port)
{
    if (policy_has(&port->policy, POLICY_LINK_STATE) &&
        port->policy.link_state == LINK_STATE_DISABLE)
        str_add(out, "  <link state='down'/>\n");
}

static void add_interface_start(struct str *out, const struct domain_port *port,
                                const char *type)
{
    char mac[MAC_TEXT_SIZE];
    str_printf(out, "<interface type='%s'>\n  <mac address='%s'/>\n", type,
               mac_format(&port->policy.mac, mac));
}

/* On a switch. A VLAN on a Linux bridge is the agent's to set: libvirt can only
 * since 11.0. */
static void add_bridged(struct str *out, const struct domain_port *port)
{
    bool open_vswitch = port->network_kind == SWITCH_OPENVSWITCH;
    add_interface_start(out, port, "bridge");
    str_add(out, "  <source bridge='");
    add_escaped(out, port->network);
    str_add(out, "'/>\n  <model type='virtio'/>\n");
    if (open_vswitch) {
        str_add(out, "  <virtualport type='openvswitch'/>\n");
        add_vlan(out, port);
    }
    add_rate(out, port);
    /* libvirt's filters are ebtables, which never see Open vSwitch's frames: a
     * filter there would only look like one. */
    if (!open_vswitch &&
        (!policy_has(&port->policy, POLICY_SPOOFCHK) || port->policy.spoofchk))
        str_add(out, "  <filterref filter='" SPOOFCHK_FILTER "'/>\n");
    add_link(out, port);
    if (port->guest_failover == GUEST_FAILOVER_NET_FAILOVER)
        str_add(out, "  <teaming type='persistent'/>\n");
    add_alias(out, port, "");
    str_add(out, "</interface>\n");
}

/* On a VF (passthrough), whose policy the agent writes: only the VLAN is said,
 * because libvirt sets the VF's VLAN to what it finds here, or to none
 * (virNetDevSetNetConfig). On another device: what libvirt can carry. */
static void add_macvtap(struct str *out, const struct domain_port *port)
{
    const char *mode = macvtap_mode_name((enum macvtap_mode)port->macvtap_mode);
    add_interface_start(out, port, "direct");
    str_add(out, "  <source dev='");
    add_escaped(out, port->network);
    str_printf(out, "' mode='%s'/>\n  <model type='virtio'/>\n",
               mode ? mode : "bridge");
    if (port->macvtap_mode == MACVTAP_PASSTHROUGH)
        add_vlan(out, port);
    else
        add_rate(out, port);
    add_link(out, port);
    add_alias(out, port, "");
    str_add(out, "</interface>\n");
}

static void add_leg(struct str *out, const struct domain_port *port)
{
    if (port->device || !*port->network)
        return;
    if (port->vnic_type == VNIC_MACVTAP) {
        if (port->hardware || port->virtio)
            add_macvtap(out, port);
    } else if (port->virtio) {
        add_bridged(out, port);
    }
}

static void add_hostdev(struct str *out, const struct domain_port *port)
{
    const struct pci_address *address = &port->address;
    char id[UUID_TEXT_SIZE];
    if (!port->hardware || port->vnic_type == VNIC_MACVTAP)
        return;
    str_printf(out,
               "<hostdev mode='subsystem' type='pci' managed='yes'>\n"
               "  <source>\n"
               "    <address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
               "function='0x%x'/>\n"
               "  </source>\n",
               address->domain, address->bus, address->device,
               address->function);
    if (!port->device && port->virtio && *port->network &&
        port->guest_failover == GUEST_FAILOVER_NET_FAILOVER)
        str_printf(out,
                   "  <teaming type='transient' persistent='" ALIAS_START
                   "%s'/>\n",
                   uuid_format(&port->id, id));
    add_alias(out, port, ALIAS_VF_END);
    str_add(out, "</hostdev>\n");
}

static char *take_text(struct str *out)
{
    return out->length ? str_take(out) : NULL;
}

char *domain_port_xml(const struct domain_port *port)
{
    struct str out = {0};
    add_leg(&out, port);
    add_hostdev(&out, port);
    return take_text(&out);
}

char *domain_vf_xml(const struct domain_port *port)
{
    struct str out = {0};
    add_hostdev(&out, port);
    return take_text(&out);
}

char *domain_virtio_xml(const struct domain_port *port)
{
    struct str out = {0};
    add_leg(&out, port);
    return take_text(&out);
}
