/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and setting VEB and VEPA: see bridge_modes.h. */
#include "agent/host/bridge_modes.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdlib.h>

static enum bridge_mode mode_of(uint16_t kernel)
{
    return kernel == BRIDGE_MODE_VEB    ? BRIDGE_VEB
           : kernel == BRIDGE_MODE_VEPA ? BRIDGE_VEPA
                                        : BRIDGE_NONE;
}

void bridge_modes_take(struct bridge_modes *modes,
                       const struct nlmsghdr *message)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *tb[IFLA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWLINK || modes->count == HOST_PFS_MAX ||
        nlmsg_parse(header, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0 ||
        !tb[IFLA_AF_SPEC])
        return;
    const struct ifinfomsg *link = nlmsg_data(header);
    /* A port of a software bridge is told as well, without a mode. */
    struct nlattr *mode = nla_find(nla_data(tb[IFLA_AF_SPEC]),
                                   nla_len(tb[IFLA_AF_SPEC]), IFLA_BRIDGE_MODE);
    if (link->ifi_family != AF_BRIDGE || !mode || nla_len(mode) < 2)
        return;
    enum bridge_mode found = mode_of(nla_get_u16(mode));
    if (found == BRIDGE_NONE)
        return;
    modes->items[modes->count].index = link->ifi_index;
    modes->items[modes->count++].mode = (uint8_t)found;
}

static void on_link(void *context, const struct nlmsghdr *answer)
{
    bridge_modes_take(context, answer);
}

static void load(struct bridge_modes *modes, struct nl_port *port,
                 struct notes *notes)
{
    modes->loaded = true;
    auto_nl_msg struct nl_msg *msg =
        nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
    if (!msg)
        abort();
    struct ifinfomsg request = {.ifi_family = AF_BRIDGE};
    struct error err = {0};
    nlmsg_append(msg, &request, sizeof request, NLMSG_ALIGNTO);
    if (nl_talk(port, msg, on_link, modes, "read the bridge modes", &err) < 0 &&
        err.sys != EOPNOTSUPP)
        notes_error(notes, "bridge modes", &err);
}

enum bridge_mode bridge_modes_find(struct bridge_modes *modes,
                                   struct nl_port *port, struct notes *notes,
                                   const char *netdev)
{
    if (!modes->loaded)
        load(modes, port, notes);
    int index = (int)if_nametoindex(netdev);
    for (size_t i = 0; index > 0 && i < modes->count; i++)
        if (modes->items[i].index == index)
            return (enum bridge_mode)modes->items[i].mode;
    return BRIDGE_NONE;
}

int bridge_modes_write(struct nl_port *port, const char *netdev,
                       enum bridge_mode mode, struct error *err)
{
    unsigned index = if_nametoindex(netdev);
    if (index == 0)
        return error_set_sys(err, errno, "network device '%s'", netdev);
    auto_nl_msg struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, 0);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_BRIDGE, .ifi_index = (int)index};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    struct nlattr *spec = nla_nest_start(msg, IFLA_AF_SPEC);
    /* Without SELF the kernel asks the bridge that the device is a port of. */
    nla_put_u16(msg, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
    nla_put_u16(msg, IFLA_BRIDGE_MODE,
                mode == BRIDGE_VEPA ? BRIDGE_MODE_VEPA : BRIDGE_MODE_VEB);
    nla_nest_end(msg, spec);
    return nl_talk(port, msg, NULL, NULL, "set the bridge mode", err);
}
