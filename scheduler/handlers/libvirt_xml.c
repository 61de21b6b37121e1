/* SPDX-License-Identifier: Apache-2.0 */
/* The domain XML by which a platform attaches a port (libvirt.org/formatdomain):
 * a VF, or a PF as a whole, as <hostdev managed='yes'> and never as <interface type='hostdev'>,
 * because then libvirt would write MAC and VLAN too (DESIGN.md section 7); a
 * virtio leg as <interface> on the mapped switch, with what libvirt can carry of
 * the policy. */
#include "scheduler/handlers/api.h"

#include "common/base/str.h"

#include <string.h>

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

/* The switch of the host that is mapped to the port's physical network. */
static const struct network *find_network(const struct host_view *host,
                                          const struct port *port)
{
    const struct inventory *inventory =
        host && host->report ? host->report->inventory : NULL;
    for (size_t i = 0; host && i < host->host->mapping_count; i++) {
        const struct network_mapping *mapping = &host->host->mappings[i];
        if (*port->physical_network &&
            strcmp(mapping->physical_network, port->physical_network) != 0)
            continue;
        for (size_t j = 0; inventory && j < inventory->network_count; j++)
            if (strcmp(inventory->networks[j].device, mapping->device) == 0)
                return &inventory->networks[j];
    }
    return NULL;
}

/* Both legs of a failover pair have the MAC; the alias joins them. */
static void add_alias(struct str *out, const struct port *port)
{
    char id[UUID_TEXT_SIZE];
    str_printf(out, "  <teaming type='persistent'/>\n  <alias name='ua-%s'/>\n",
               uuid_format(&port->id, id));
}

static void add_policy(struct str *out, const struct port *port,
                       const struct network *network)
{
    const struct policy *policy = &port->policy;
    if (network->kind == SWITCH_OPENVSWITCH) {
        str_add(out, "  <virtualport type='openvswitch'/>\n");
        if (policy_has(policy, POLICY_VLAN) && policy->vlan)
            str_printf(out, "  <vlan><tag id='%u'/></vlan>\n", policy->vlan);
    }
    /* libvirt counts kilobytes a second and hands them to tc as 1000 bytes;
     * <outbound> is what the guest sends. */
    if (policy_has(policy, POLICY_MAX_TX_RATE_MBPS) && policy->max_tx_rate_mbps)
        str_printf(out, "  <bandwidth><outbound average='%llu'/></bandwidth>\n",
                   (unsigned long long)policy->max_tx_rate_mbps * 125);
    if (!policy_has(policy, POLICY_SPOOFCHK) || policy->spoofchk)
        str_add(out, "  <filterref filter='no-mac-spoofing'/>\n");
    if (policy_has(policy, POLICY_LINK_STATE) &&
        policy->link_state == LINK_STATE_DISABLE)
        str_add(out, "  <link state='down'/>\n");
}

static void add_interface(struct str *out, const struct port *port,
                          const struct network *network)
{
    char mac[MAC_TEXT_SIZE];
    str_printf(out, "<interface type='bridge'>\n  <mac address='%s'/>\n",
               mac_format(&port->mac, mac));
    str_add(out, "  <source bridge='");
    add_escaped(out, network->device);
    str_add(out, "'/>\n  <model type='virtio'/>\n");
    add_policy(out, port, network);
    if (port->guest_failover == GUEST_FAILOVER_NET_FAILOVER)
        add_alias(out, port);
    str_add(out, "</interface>\n");
}

static void add_hostdev(struct str *out, const struct port *port, bool teamed)
{
    const struct pci_address *address = &port->claim.address;
    char id[UUID_TEXT_SIZE];
    str_printf(out,
               "<hostdev mode='subsystem' type='pci' managed='yes'>\n"
               "  <source>\n"
               "    <address domain='0x%04x' bus='0x%02x' slot='0x%02x' "
               "function='0x%x'/>\n"
               "  </source>\n",
               address->domain, address->bus, address->device,
               address->function);
    if (teamed)
        str_printf(out, "  <teaming type='transient' persistent='ua-%s'/>\n",
                   uuid_format(&port->id, id));
    str_add(out, "</hostdev>\n");
}

char *libvirt_xml(const struct host_view *host, const struct port *port)
{
    struct str out = {0};
    bool hostdev = (port->device || port->path == PATH_VF) && port->has_claim &&
                   port->claim.has_address;
    bool beside = hostdev && port->guest_failover != GUEST_FAILOVER_NONE;
    const struct network *network =
        port->device ? NULL : find_network(host, port);
    if (network && (port->path == PATH_VIRTIO || beside))
        add_interface(&out, port, network);
    if (hostdev)
        add_hostdev(&out, port,
                    network &&
                        port->guest_failover == GUEST_FAILOVER_NET_FAILOVER);
    if (!out.length)
        return NULL;
    return str_take(&out);
}
