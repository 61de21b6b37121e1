/* SPDX-License-Identifier: Apache-2.0 */
/* Reading routes: see routes.h. */
#include "agent/host/routes.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/route.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text of routes that is looked at: some 65,000 routes. */
#define ROUTE_TEXT_MAX (8u << 20)

struct routes {
    routes_each_fn *each;
    void *context;
};

static void tell(struct routes *routes, int index, bool is_default)
{
    char name[IF_NAMESIZE];
    /* It may have gone since. */
    if (index > 0 && if_indextoname((unsigned)index, name) &&
        sysfs_is_netdev_name(name))
        routes->each(routes->context, name, is_default);
}

/* Each next hop of a multipath route. */
static void tell_hops(struct routes *routes, struct nlattr *multipath,
                      bool is_default)
{
    struct rtnexthop *hop = nla_data(multipath);
    int left = nla_len(multipath);
    while (left >= (int)sizeof *hop && hop->rtnh_len >= sizeof *hop &&
           hop->rtnh_len <= left) {
        tell(routes, hop->rtnh_ifindex, is_default);
        left -= (int)RTNH_ALIGN(hop->rtnh_len);
        hop = RTNH_NEXT(hop);
    }
}

void routes_parse(const struct nlmsghdr *message, routes_each_fn *each,
                  void *context)
{
    struct routes routes = {each, context};
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *tb[RTA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse(header, sizeof(struct rtmsg), tb, RTA_MAX, NULL) < 0)
        return;
    const struct rtmsg *route = nlmsg_data(header);
    if (route->rtm_type != RTN_UNICAST)
        return;
    bool is_default = route->rtm_dst_len == 0;
    if (tb[RTA_MULTIPATH])
        tell_hops(&routes, tb[RTA_MULTIPATH], is_default);
    else if (tb[RTA_OIF] && nla_len(tb[RTA_OIF]) >= 4 &&
             (is_default || tb[RTA_GATEWAY] || tb[RTA_VIA]))
        tell(&routes, (int)nla_get_u32(tb[RTA_OIF]), is_default);
}

static void on_route(void *context, const struct nlmsghdr *answer)
{
    const struct routes *routes = context;
    routes_parse(answer, routes->each, routes->context);
}

static int from_kernel(struct nl_port *port, struct routes *routes,
                       struct notes *notes)
{
    static const struct {
        unsigned char family;
        const char *what;
    } families[] = {{AF_INET, "IPv4 routes"}, {AF_INET6, "IPv6 routes"}};
    int result = 0;
    for (size_t i = 0; i < 2; i++) {
        auto_nl_msg struct nl_msg *msg =
            nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
        if (!msg)
            abort();
        struct rtmsg request = {.rtm_family = families[i].family};
        nlmsg_append(msg, &request, sizeof request, NLMSG_ALIGNTO);
        struct error err = {0};
        if (nl_talk(port, msg, on_route, routes, "read the routes", &err) < 0 &&
            err.sys != EOPNOTSUPP) {
            notes_error(notes, families[i].what, &err);
            result = -1;
        }
    }
    return result;
}

#define FIELDS_MAX 12

/* Tell a route of which destination, flags and device are known. */
static void tell_line(struct routes *routes, const char *netdev,
                      const char *flags_text, bool is_default)
{
    uint64_t flags = 0;
    if (!sysfs_is_netdev_name(netdev) ||
        !str_to_u64(flags_text, 16, UINT32_MAX, &flags))
        return;
    bool usable = (flags & RTF_UP) && !(flags & RTF_REJECT);
    if (usable && (is_default || (flags & RTF_GATEWAY)))
        routes->each(routes->context, netdev, is_default);
}

/* "eth0 00000000 0102A8C0 0003 0 0 100 00000000 ...": device, destination,
 * gateway, flags, references, use, metric, mask; numbers in hex. */
static void take_line4(struct routes *routes, char *line)
{
    char *fields[FIELDS_MAX];
    uint64_t destination = 1;
    uint64_t mask = 1;
    if (sysfs_fields(line, fields, FIELDS_MAX) < 8 ||
        !str_to_u64(fields[1], 16, UINT32_MAX, &destination) ||
        !str_to_u64(fields[7], 16, UINT32_MAX, &mask))
        return;
    tell_line(routes, fields[0], fields[3], destination == 0 && mask == 0);
}

/* Destination, its length, source, its length, next hop, metric, references,
 * use, flags, device. */
static void take_line6(struct routes *routes, char *line)
{
    char *fields[FIELDS_MAX];
    uint64_t length = 128;
    if (sysfs_fields(line, fields, FIELDS_MAX) < 10 ||
        !str_to_u64(fields[1], 16, 128, &length))
        return;
    tell_line(routes, fields[9], fields[8], length == 0);
}

static int from_file(const struct sysfs *sysfs, const char *path,
                     void (*take)(struct routes *routes, char *line),
                     struct routes *routes, struct error *err)
{
    auto_free char *text = sysfs_read_all(sysfs, path, ROUTE_TEXT_MAX, err);
    if (!text)
        return -1;
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n")))
        take(routes, line);
    return 0;
}

int routes_each(const struct sysfs *sysfs, struct nl_port *port,
                routes_each_fn *each, void *context, struct notes *notes)
{
    struct routes routes = {each, context};
    if (port)
        return from_kernel(port, &routes, notes);
    struct error err = {0};
    int result = 0;
    if (from_file(sysfs, "proc/net/route", take_line4, &routes, &err) < 0) {
        notes_error(notes, "/proc/net/route", &err);
        result = -1;
    }
    if (from_file(sysfs, "proc/net/ipv6_route", take_line6, &routes, &err) <
            0 &&
        err.sys != ENOENT) {
        notes_error(notes, "/proc/net/ipv6_route", &err);
        result = -1;
    }
    return result;
}
