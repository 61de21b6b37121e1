/* SPDX-License-Identifier: Apache-2.0 */
/* The host's routes that lead to other hosts, for finding the devices that
 * carry its own traffic.
 *
 * Live: rtnetlink (all tables, all next hops of multipath routes). Of a copied
 * tree: /proc/net/route and /proc/net/ipv6_route, which hold the main table
 * and one next hop a route. */
#pragma once

#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "agent/host/sysfs.h"

#include <stdbool.h>

/* One way out: a default route or one with a gateway. Device names repeat. */
typedef void routes_each_fn(void *context, const char *netdev, bool is_default);

/* Returns -1 (and notes why) if the IPv4 or IPv6 routes can't be read; ways
 * found so far were told. A kernel without IPv6 is fine. 'port' NULL = read
 * the files. */
int routes_each(const struct sysfs *sysfs, struct nl_port *port,
                routes_each_fn *each, void *context, struct notes *notes);

/* Take the ways out of one RTM_NEWROUTE message. Apart for tests. */
void routes_parse(const struct nlmsghdr *message, routes_each_fn *each,
                  void *context);
