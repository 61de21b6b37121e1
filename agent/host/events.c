/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel events: see events.h. */
#include "agent/host/events.h"

#include "agent/host/device.h"
#include "agent/host/owners.h"
#include "agent/host/pf.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for bursts (64 VFs of four PFs appearing); the kernel doubles it. */
#define RECEIVE_BUFFER (1 << 20)
/* Messages taken in one call, so that a storm can't hold the loop; the rest is
 * taken when the descriptor is polled again. */
#define MESSAGES_MAX 4096
struct events {
    const struct sysfs *sysfs;
    int poll_fd, uevent_fd, route_fd;
    struct owners owners;
    struct seen_links links;
    unsigned char buffer[64 << 10];
};

static int open_socket(int protocol, uint32_t groups, struct error *err)
{
    auto_close int fd =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return error_set_sys(err, errno, "listen to kernel events");
    int size = RECEIVE_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    return take_fd(fd);
}

int events_watch(struct events *events, int fd, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(events->poll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return error_set_sys(err, errno, "watch kernel events");
    return 0;
}

struct events *events_open(const struct sysfs *sysfs, struct error *err)
{
    struct events *events = mem_new(struct events);
    events->sysfs = sysfs;
    events->uevent_fd = events->route_fd = -1;
    events->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (events->poll_fd < 0) {
        error_fill_sys(err, errno, "make an epoll descriptor");
        events_close(events);
        return NULL;
    }
    /* Group 1 of uevents is the kernel's, 2 is udev's. */
    events->uevent_fd = open_socket(NETLINK_KOBJECT_UEVENT, 1, err);
    if (events->uevent_fd >= 0)
        events->route_fd =
            open_socket(NETLINK_ROUTE,
                        RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                            RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                        err);
    if (events->route_fd < 0 ||
        events_watch(events, events->uevent_fd, err) < 0 ||
        events_watch(events, events->route_fd, err) < 0) {
        events_close(events);
        return NULL;
    }
    return events;
}

void events_close(struct events *events)
{
    if (!events)
        return;
    mem_close_p(&events->uevent_fd);
    mem_close_p(&events->route_fd);
    mem_close_p(&events->poll_fd);
    owners_done(&events->owners);
    seen_links_done(&events->links);
    free(events);
}

int events_fd(const struct events *events)
{
    return events->poll_fd;
}

static void add_pf(struct host_changes *out, const struct pf_key *pf)
{
    for (size_t i = 0; i < out->pf_count; i++)
        if (pf_key_compare(&out->pfs[i], pf) == 0)
            return;
    if (out->pf_count == HOST_CHANGES_MAX)
        out->everything = true;
    else
        out->pfs[out->pf_count++] = *pf;
}

void events_remember(struct events *events, const struct pf *pf)
{
    for (size_t i = 0; i < pf->vf_count; i++)
        if (pf->vfs[i].has_address)
            owners_put(&events->owners, &pf->vfs[i].address, &pf->key);
}

/* A device changed: name its PF. 'gone': it can't be asked any more. */
static void take_device(struct events *events, const struct device *device,
                        bool gone, struct host_changes *out)
{
    bool is_vf = false;
    struct pf_key pf = device_pf(events->sysfs, device, &is_vf);
    if (is_vf)
        owners_put(&events->owners, &device->pci, &pf);
    const struct pf_key *owner =
        is_vf || !device->is_pci ? NULL
                                 : owners_find(&events->owners, &device->pci);
    if (owner)
        pf = *owner;
    /* Of a device that is gone nothing can be asked; the reader of the changes
     * finds out that it knows no such PF. */
    if (gone || owner || is_vf || pf_is_one(events->sysfs, &pf))
        add_pf(out, &pf);
}

static const char *find_value(const char *text, size_t length, const char *key)
{
    size_t key_length = strlen(key);
    const char *end = text + length;
    for (; text < end; text += strlen(text) + 1)
        if (strncmp(text, key, key_length) == 0)
            return text + key_length;
    return "";
}

void events_take_uevent(struct events *events, const char *text, size_t length,
                        struct host_changes *out)
{
    const char *at = memchr(text, '@', length);
    if (!at)
        return;
    const char *subsystem = find_value(text, length, "SUBSYSTEM=");
    bool net = strcmp(subsystem, "net") == 0;
    bool gone = str_starts(text, "remove@") || str_starts(text, "unbind@");
    if (!net && strcmp(subsystem, "pci") != 0 &&
        strcmp(subsystem, "netdevsim") != 0 && strcmp(subsystem, "virtio") != 0)
        return;
    struct device device;
    if (device_of_path(at + 1, &device))
        take_device(events, &device, gone, out);
    /* Bridges, bonds and routes hang on names of network devices. Taps come
     * and go with every VM and matter to none of them. */
    if (net && !str_starts(find_value(text, length, "INTERFACE="), "vnet"))
        out->host_facts = true;
}

/* See seen_link.vlans. Notices of the family AF_BRIDGE tell of ports only. */
static int64_t vlans_of(const struct ifinfomsg *info, struct nlattr *link_info)
{
    struct nlattr *tb[IFLA_INFO_MAX + 1], *bridge[IFLA_BR_MAX + 1];
    if (info->ifi_family == AF_BRIDGE)
        return -1;
    if (!link_info ||
        nla_parse_nested(tb, IFLA_INFO_MAX, link_info, NULL) < 0 ||
        !tb[IFLA_INFO_KIND] || !tb[IFLA_INFO_DATA] ||
        nla_strcmp(tb[IFLA_INFO_KIND], "bridge") != 0 ||
        nla_parse_nested(bridge, IFLA_BR_MAX, tb[IFLA_INFO_DATA], NULL) < 0)
        return 0;
    struct nlattr *filtering = bridge[IFLA_BR_VLAN_FILTERING];
    struct nlattr *pvid = bridge[IFLA_BR_VLAN_DEFAULT_PVID];
    struct nlattr *protocol = bridge[IFLA_BR_VLAN_PROTOCOL];
    int64_t told =
        filtering && nla_len(filtering) >= 1 && nla_get_u8(filtering);
    if (pvid && nla_len(pvid) >= 2)
        told |= (int64_t)nla_get_u16(pvid) << 8;
    if (protocol && nla_len(protocol) >= 2)
        told |= (int64_t)nla_get_u16(protocol) << 24;
    return told;
}

/* Does this notice tell anything of bridges, bonds and routes? (Routes of a
 * device that goes down vanish without a notice of their own.) */
static bool link_matters(struct events *events, struct nlmsghdr *header,
                         struct nlattr **tb, const char *name)
{
    const struct ifinfomsg *info = nlmsg_data(header);
    if (header->nlmsg_type == RTM_DELLINK) {
        seen_links_forget(&events->links, info->ifi_index);
        return true;
    }
    struct seen_link now = {.index = info->ifi_index,
                            .up = (info->ifi_flags & IFF_UP) != 0,
                            .vlans = vlans_of(info, tb[IFLA_LINKINFO])};
    str_copy(now.name, name);
    if (tb[IFLA_MASTER] && nla_len(tb[IFLA_MASTER]) >= 4)
        now.master = (int)nla_get_u32(tb[IFLA_MASTER]);
    if (tb[IFLA_MTU] && nla_len(tb[IFLA_MTU]) >= 4)
        now.mtu = nla_get_u32(tb[IFLA_MTU]);
    return seen_links_changed(&events->links, &now);
}

static void take_link(struct events *events, struct nlmsghdr *header,
                      struct host_changes *out)
{
    struct nlattr *tb[IFLA_MAX + 1];
    if (nlmsg_parse(header, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0)
        return;
    /* A tap's state: the most frequent notice on a host full of VMs. */
    struct nlattr *kind =
        tb[IFLA_LINKINFO] ? nla_find(nla_data(tb[IFLA_LINKINFO]),
                                     nla_len(tb[IFLA_LINKINFO]), IFLA_INFO_KIND)
                          : NULL;
    if (kind && nla_strcmp(kind, "tun") == 0)
        return;
    char name[NETDEV_NAME_SIZE] = "";
    if (tb[IFLA_IFNAME])
        nla_strlcpy(name, tb[IFLA_IFNAME], sizeof name);
    struct device device;
    if (header->nlmsg_type == RTM_NEWLINK && sysfs_is_netdev_name(name) &&
        device_of_netdev(events->sysfs, name, &device))
        take_device(events, &device, false, out);
    if (link_matters(events, header, tb, name))
        out->host_facts = true;
}

/* Only ways out of the host tell about management; hosts that route for
 * others change thousands of the rest. */
static bool is_way_out(struct nlmsghdr *header)
{
    struct nlattr *tb[RTA_MAX + 1];
    if (nlmsg_parse(header, sizeof(struct rtmsg), tb, RTA_MAX, NULL) < 0)
        return false;
    const struct rtmsg *route = nlmsg_data(header);
    return route->rtm_type == RTN_UNICAST &&
           (route->rtm_dst_len == 0 || tb[RTA_GATEWAY] || tb[RTA_VIA] ||
            tb[RTA_MULTIPATH]);
}

/* An address makes a VF's network device one in use, and takes a PF's away from
 * macvtaps. */
static void take_address(struct events *events, struct nlmsghdr *header,
                         struct host_changes *out)
{
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
        return;
    const struct ifaddrmsg *address = nlmsg_data(header);
    char name[NETDEV_NAME_SIZE];
    struct device device;
    if (if_indextoname(address->ifa_index, name) &&
        sysfs_is_netdev_name(name) &&
        device_of_netdev(events->sysfs, name, &device)) {
        take_device(events, &device, false, out);
        out->host_facts = true;
    }
}

void events_take_notices(struct events *events, const void *bytes,
                         size_t length, struct host_changes *out)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)bytes;
    int left = (int)length;
    for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
        switch (header->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            take_link(events, header, out);
            break;
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            out->host_facts = out->host_facts || is_way_out(header);
            break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
            take_address(events, header, out);
            break;
        default:
            break;
        }
    }
}

/* Take the messages of one socket. Only the kernel (port 0) is believed. */
static int drain_socket(struct events *events, int fd, bool uevents,
                        struct host_changes *out, struct error *err)
{
    for (int i = 0; i < MESSAGES_MAX; i++) {
        struct sockaddr_nl from = {0};
        socklen_t from_size = sizeof from;
        ssize_t length =
            recvfrom(fd, events->buffer, sizeof events->buffer - 1, MSG_TRUNC,
                     (struct sockaddr *)&from, &from_size);
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            return 0;
        if (length < 0 && errno == ENOBUFS) {
            out->everything = true; /* messages were lost */
            continue;
        }
        if (length < 0)
            return error_set_sys(err, errno, "read kernel events");
        if (from.nl_pid != 0)
            continue;
        if ((size_t)length >= sizeof events->buffer) {
            out->everything = true; /* longer than we can take */
            continue;
        }
        events->buffer[length] = '\0';
        if (uevents)
            events_take_uevent(events, (const char *)events->buffer,
                               (size_t)length, out);
        else
            events_take_notices(events, events->buffer, (size_t)length, out);
    }
    return 0;
}

int events_drain(struct events *events, struct host_changes *out,
                 struct error *err)
{
    struct host_changes found = {0};
    if (drain_socket(events, events->uevent_fd, true, &found, err) < 0 ||
        drain_socket(events, events->route_fd, false, &found, err) < 0)
        return -1;
    *out = found;
    return 0;
}
