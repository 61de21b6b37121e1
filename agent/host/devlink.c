/* SPDX-License-Identifier: Apache-2.0 */
/* devlink by raw generic netlink (libnl has no helpers for it), and ethtool's
 * ioctl: see devlink.h. */
#include "agent/host/devlink.h"

#include "common/base/mem.h"

#include <errno.h>
#include <linux/devlink.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct devlink {
    struct nl_port *port;
    int family; /* 0 = not known (yet): the module may come later */
};

struct devlink *devlink_open(struct error *err)
{
    struct nl_port *port = nl_port_open(NETLINK_GENERIC, err);
    if (!port)
        return NULL;
    struct devlink *devlink = mem_new(struct devlink);
    devlink->port = port;
    return devlink;
}

void devlink_close(struct devlink *devlink)
{
    if (!devlink)
        return;
    nl_port_close(devlink->port);
    free(devlink);
}

void devlink_parse_mode(const struct nlmsghdr *message, enum eswitch_mode *out)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *mode =
        nlmsg_find_attr(header, GENL_HDRLEN, DEVLINK_ATTR_ESWITCH_MODE);
    if (!mode || nla_len(mode) < 2)
        return;
    if (nla_get_u16(mode) == DEVLINK_ESWITCH_MODE_LEGACY)
        *out = ESWITCH_LEGACY;
    else if (nla_get_u16(mode) == DEVLINK_ESWITCH_MODE_SWITCHDEV)
        *out = ESWITCH_SWITCHDEV;
}

static void on_mode(void *context, const struct nlmsghdr *answer)
{
    devlink_parse_mode(answer, context);
}

int devlink_eswitch_mode(struct devlink *devlink, const struct pf_key *pf,
                         enum eswitch_mode *out, struct error *err)
{
    if (!devlink->family) {
        int family =
            genl_ctrl_resolve(nl_port_socket(devlink->port), "devlink");
        if (family < 0) {
            *out = ESWITCH_NONE;
            return 0;
        }
        devlink->family = family;
    }
    auto_nl_msg struct nl_msg *msg = nlmsg_alloc();
    if (!msg)
        abort();
    genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, devlink->family, 0, 0,
                DEVLINK_CMD_ESWITCH_GET, DEVLINK_GENL_VERSION);
    nla_put_string(msg, DEVLINK_ATTR_BUS_NAME, pf_key_bus(pf));
    nla_put_string(msg, DEVLINK_ATTR_DEV_NAME, pf->text);
    enum eswitch_mode mode = ESWITCH_NONE;
    struct error refused = {0};
    if (nl_talk(devlink->port, msg, on_mode, &mode, "read the eswitch mode",
                &refused) < 0 &&
        refused.sys != EOPNOTSUPP && refused.sys != ENODEV) {
        /* The family's number changes if its module is loaded anew. */
        devlink->family = 0;
        if (err)
            *err = refused;
        return -1;
    }
    *out = mode;
    return 0;
}

int ethtool_firmware(const char *netdev, char *out, size_t size,
                     struct error *err)
{
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set_sys(err, errno, "open a socket for ethtool");
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request = {.ifr_data = (void *)&info};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", netdev);
    if (ioctl(fd, SIOCETHTOOL, &request) < 0) {
        if (errno != EOPNOTSUPP)
            return error_set_sys(err, errno, "ask the driver of '%s'", netdev);
        info.fw_version[0] = '\0';
    }
    info.fw_version[sizeof info.fw_version - 1] = '\0';
    size_t length = strlen(info.fw_version);
    for (size_t i = 0; i < length; i++)
        if (info.fw_version[i] < 0x20 || info.fw_version[i] > 0x7e)
            info.fw_version[i] = '?';
    while (length && info.fw_version[length - 1] == ' ')
        info.fw_version[--length] = '\0';
    /* What ethtool(8) shows for drivers that have none. */
    if (strcmp(info.fw_version, "N/A") == 0)
        info.fw_version[0] = '\0';
    snprintf(out, size, "%s", info.fw_version);
    return 0;
}
