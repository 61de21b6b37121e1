/* SPDX-License-Identifier: Apache-2.0 */
/* VLANs of the ports of Linux bridges, as 'bridge vlan' shows and sets them.
 * Sources: br_fill_ifinfo() and br_afspec() in net/bridge/br_netlink.c,
 * linux/if_bridge.h. */
#pragma once

#include "agent/host/nl.h"
#include "agent/host/sysfs.h"
#include "common/model/inventory.h"

#include <stdbool.h>
#include <stdint.h>

#define VLAN_IDS 4096
/* Of one port. */
struct port_vlans {
    int index;     /* of the network device; the caller's */
    bool found;    /* the kernel told of it */
    uint16_t pvid; /* VLAN of frames that come in untagged; 0 = none */
    bool member[VLAN_IDS], untagged[VLAN_IDS]; /* by VLAN id */
};

/* Fill in the ports, whose index is given. */
int bridge_vlans_read(struct nl_port *port, struct port_vlans *ports,
                      size_t count, struct error *err);
/* Take one message of the answer. Apart for tests. */
void bridge_vlans_take(const struct nlmsghdr *message, struct port_vlans *ports,
                       size_t count);
/* Make the port a member: 'access' is untagged and for what comes in untagged,
 * else tagged. */
int bridge_vlans_add(struct nl_port *port, int index, uint16_t vlan,
                     bool access, const char *what, struct error *err);
/* Take it out of all in which it is but 'except' (0: none is kept). */
int bridge_vlans_clear(struct nl_port *port, const struct port_vlans *now,
                       uint16_t except, const char *what, struct error *err);

/* How a bridge itself deals with VLANs, from sysfs. */
struct bridge_vlan_mode {
    bool filtering; /* false as well where the kernel can't (no such file) */
    bool is_8021q;  /* what it filters, and not 802.1ad */
    uint16_t default_pvid; /* the VLAN that a new port is put in; 0 = none */
};
struct bridge_vlan_mode bridge_vlan_mode(const struct sysfs *sysfs,
                                         const char *bridge);
