/* SPDX-License-Identifier: Apache-2.0 */
/* The mode of NICs' embedded switches, VEB or VEPA, as 'bridge link' shows it
 * (hwmode). Source: ndo_dflt_bridge_getlink() in net/core/rtnetlink.c, which
 * ixgbe, i40e, ice, bnxt, mlx5 and others use. */
#pragma once

#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "common/model/inventory.h"

struct bridge_modes { /* zero-initialise */
    bool loaded;
    size_t count;
    struct {
        int index; /* of the network device */
        uint8_t mode;
    } items[HOST_PFS_MAX];
};

/* BRIDGE_NONE where the driver tells none. The kernel has no request for one
 * device: all are read at the first question. */
enum bridge_mode bridge_modes_find(struct bridge_modes *modes,
                                   struct nl_port *port, struct notes *notes,
                                   const char *netdev);
/* Take one message of the answer. Apart for tests. */
void bridge_modes_take(struct bridge_modes *modes,
                       const struct nlmsghdr *message);
/* As 'bridge link set dev X hwmode veb|vepa' (rtnl_bridge_setlink there).
 * UNSUPPORTED (EOPNOTSUPP) where the driver has no such switch. */
int bridge_modes_write(struct nl_port *port, const char *netdev,
                       enum bridge_mode mode, struct error *err);
