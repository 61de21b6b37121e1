/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and setting VLANs of bridge ports: see bridge_vlans.h. libnl reads
 * them as well, but sets none. */
#include "agent/host/bridge_vlans.h"

#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

/* One entry, or the end of a range that began with 'first'. */
static void put(struct port_vlans *port, uint16_t first,
                const struct bridge_vlan_info *info)
{
    if (first == 0 || first > info->vid || info->vid >= VLAN_IDS - 1)
        return;
    for (uint16_t id = first; id <= info->vid; id++) {
        port->member[id] = true;
        port->untagged[id] = (info->flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0;
    }
    if (info->flags & BRIDGE_VLAN_INFO_PVID)
        port->pvid = info->vid;
}

static void take_spec(struct nlattr *spec, struct port_vlans *port)
{
    struct nlattr *entry;
    int left;
    uint16_t first = 0;
    nla_for_each_nested(entry, spec, left)
    {
        struct bridge_vlan_info info;
        if (nla_type(entry) != IFLA_BRIDGE_VLAN_INFO ||
            nla_len(entry) < (int)sizeof info)
            continue;
        memcpy(&info, nla_data(entry), sizeof info);
        if (info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
            first = info.vid;
            continue;
        }
        put(port, info.flags & BRIDGE_VLAN_INFO_RANGE_END ? first : info.vid,
            &info);
        first = 0;
    }
}

/* A NIC with an embedded switch is told twice: as a port of the bridge, and
 * with what its own switch has (ndo_dflt_bridge_getlink()). */
static bool is_own_switch(struct nlattr *spec)
{
    struct nlattr *flags =
        nla_find(nla_data(spec), nla_len(spec), IFLA_BRIDGE_FLAGS);
    return flags && nla_len(flags) >= 2 &&
           (nla_get_u16(flags) & BRIDGE_FLAGS_SELF);
}

void bridge_vlans_take(const struct nlmsghdr *message, struct port_vlans *ports,
                       size_t count)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *tb[IFLA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse(header, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0)
        return;
    const struct ifinfomsg *link = nlmsg_data(header);
    if (link->ifi_family != AF_BRIDGE ||
        (tb[IFLA_AF_SPEC] && is_own_switch(tb[IFLA_AF_SPEC])))
        return;
    for (size_t i = 0; i < count; i++) {
        if (ports[i].index != link->ifi_index)
            continue;
        ports[i].found = true;
        if (tb[IFLA_AF_SPEC])
            take_spec(tb[IFLA_AF_SPEC], &ports[i]);
    }
}

struct reading {
    struct port_vlans *ports;
    size_t count;
};

static void on_link(void *context, const struct nlmsghdr *answer)
{
    struct reading *reading = context;
    bridge_vlans_take(answer, reading->ports, reading->count);
}

/* The kernel has no request for one port (rtnl_bridge_getlink()): all are asked
 * for, with ranges, in which a port that is in every VLAN takes 8 bytes. */
int bridge_vlans_read(struct nl_port *port, struct port_vlans *ports,
                      size_t count, struct error *err)
{
    auto_nl_msg struct nl_msg *msg =
        nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_BRIDGE};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
    for (size_t i = 0; i < count; i++)
        ports[i] = (struct port_vlans){.index = ports[i].index};
    return nl_talk(port, msg, on_link, &(struct reading){ports, count},
                   "read the VLANs of bridge ports", err);
}

static struct nl_msg *begin(int type, int index, struct nlattr **spec)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, 0);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_BRIDGE, .ifi_index = index};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    /* Without IFLA_BRIDGE_FLAGS it is the bridge above that is asked. */
    *spec = nla_nest_start(msg, IFLA_AF_SPEC);
    return msg;
}

int bridge_vlans_add(struct nl_port *port, int index, uint16_t vlan,
                     bool access, const char *what, struct error *err)
{
    struct nlattr *spec;
    auto_nl_msg struct nl_msg *msg = begin(RTM_SETLINK, index, &spec);
    struct bridge_vlan_info info = {.vid = vlan};
    if (access)
        info.flags = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
    nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof info, &info);
    nla_nest_end(msg, spec);
    return nl_talk(port, msg, NULL, NULL, what, err);
}

static int remove_range(struct nl_port *port, int index, uint16_t first,
                        uint16_t last, const char *what, struct error *err)
{
    struct nlattr *spec;
    auto_nl_msg struct nl_msg *msg = begin(RTM_DELLINK, index, &spec);
    struct bridge_vlan_info from = {.vid = first,
                                    .flags = BRIDGE_VLAN_INFO_RANGE_BEGIN};
    struct bridge_vlan_info to = {.vid = last};
    if (last > first) {
        nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof from, &from);
        to.flags = BRIDGE_VLAN_INFO_RANGE_END;
    }
    nla_put(msg, IFLA_BRIDGE_VLAN_INFO, sizeof to, &to);
    nla_nest_end(msg, spec);
    return nl_talk(port, msg, NULL, NULL, what, err);
}

int bridge_vlans_clear(struct nl_port *port, const struct port_vlans *now,
                       uint16_t except, const char *what, struct error *err)
{
    for (uint16_t first = 1; first < VLAN_IDS; first++) {
        uint16_t last = first;
        if (!now->member[first] || first == except)
            continue;
        while (last + 1 < VLAN_IDS && now->member[last + 1] &&
               last + 1 != except)
            last++;
        if (remove_range(port, now->index, first, last, what, err) < 0)
            return -1;
        first = last;
    }
    return 0;
}

struct bridge_vlan_mode bridge_vlan_mode(const struct sysfs *sysfs,
                                         const char *bridge)
{
    int64_t filtering = 0, protocol = ETH_P_8021Q, pvid = 0;
    struct sysfs_path path =
        sysfs_path("sys/class/net/%s/bridge/vlan_filtering", bridge);
    sysfs_read_number(sysfs, path.text, 0, 1, &filtering, NULL);
    path = sysfs_path("sys/class/net/%s/bridge/vlan_protocol", bridge);
    sysfs_read_number(sysfs, path.text, 0, UINT16_MAX, &protocol, NULL);
    path = sysfs_path("sys/class/net/%s/bridge/default_pvid", bridge);
    sysfs_read_number(sysfs, path.text, 0, VLAN_IDS - 1, &pvid, NULL);
    return (struct bridge_vlan_mode){.filtering = filtering == 1,
                                     .is_8021q = protocol == ETH_P_8021Q,
                                     .default_pvid = (uint16_t)pvid};
}
