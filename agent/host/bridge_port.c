/* SPDX-License-Identifier: Apache-2.0 */
/* Learning of bridge ports: see bridge_port.h. Read from sysfs
 * (net/bridge/br_sysfs_if.c), so that a copied tree tells it too; set by
 * rtnetlink (br_setport() in net/bridge/br_netlink.c). */
#include "agent/host/bridge_port.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>

int linux_learning_read(struct host_backend *backend, const char *netdev,
                        bool *learns, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    struct sysfs_path path =
        sysfs_path("sys/class/net/%s/brport/learning", netdev);
    struct error refused = {0};
    int64_t number = 0;
    if (sysfs_read_number(&host->sysfs, path.text, 0, 1, &number, &refused) ==
        0) {
        *learns = number == 1;
        return 0;
    }
    if (refused.sys == ENOENT || refused.sys == ENODEV)
        return error_set(err, ERROR_VANISHED, "'%s' is no port of a bridge",
                         netdev);
    if (err)
        *err = refused;
    return -1;
}

static int write_learning(struct linux_host *host, const char *netdev,
                          bool learns, struct error *err)
{
    char what[64];
    unsigned index = if_nametoindex(netdev);
    if (index == 0)
        return error_set_sys(err, errno, "network device '%s'", netdev);
    auto_nl_msg struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, 0);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_BRIDGE, .ifi_index = (int)index};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    struct nlattr *port = nla_nest_start(msg, IFLA_PROTINFO | NLA_F_NESTED);
    nla_put_u8(msg, IFLA_BRPORT_LEARNING, learns);
    nla_nest_end(msg, port);
    snprintf(what, sizeof what, "set learning of the bridge port '%s'", netdev);
    return nl_talk(host->route, msg, NULL, NULL, what, err);
}

int linux_learning_set(struct host_backend *backend, const char *netdev,
                       bool learns, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    bool now = false;
    if (!host->route)
        return error_set(err, ERROR_PERMISSION,
                         "setting a bridge port " SCAN_NEEDS_KERNEL);
    if (linux_learning_read(backend, netdev, &now, err) < 0 ||
        linux_refuse_management(host, netdev, err) < 0)
        return -1;
    if (now == learns)
        return 0;
    if (write_learning(host, netdev, learns, err) < 0 ||
        linux_learning_read(backend, netdev, &now, err) < 0)
        return -1;
    if (now != learns)
        return error_set(err, ERROR_IO,
                         "learning of the bridge port '%s' was set %s and is "
                         "not so",
                         netdev, learns ? "on" : "off");
    return 0;
}
