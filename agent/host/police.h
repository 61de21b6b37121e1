/* SPDX-License-Identifier: Apache-2.0 */
/* How much a device may bring in: the policing filters on its ingress, as 'tc
 * filter show dev X ingress' lists them. libvirt makes one for <outbound> on a
 * tap (u32 that matches all, virNetDevBandwidthSet() in
 * src/util/virnetdevbandwidth.c); Open vSwitch makes basic or matchall ones. */
#pragma once

#include "agent/host/nl.h"

#include <stdint.h>

/* The lowest rate of all such filters in bytes a second; 0 = none is there. */
int police_read(struct nl_port *port, int index, uint64_t *bytes_per_second,
                struct error *err);
/* Take one message of the answer: a filter. Apart for tests. */
void police_take(const struct nlmsghdr *message, uint64_t *bytes_per_second);
