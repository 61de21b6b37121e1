/* SPDX-License-Identifier: Apache-2.0 */
/* Which PFs carry the host's own traffic: those below the devices of default
 * routes, of routes with a gateway and of the way to the scheduler, through
 * bridges, bonds, VLAN and macvlan devices. They are never touched (DESIGN, invariant I10). */
#pragma once

#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "agent/host/sysfs.h"
#include "common/model/inventory.h"

struct management_pf {
    struct pf_key pf;
    char reason[NAME_SIZE]; /* "default route via br0 over eth0" */
};
struct management {
    bool unknown; /* the routes can't be read: every PF may be one */
    size_t count;
    struct management_pf pfs[HOST_PFS_MAX];
};

/* 'uplink': the device over which the scheduler is reached; "" = not known. */
void management_read(const struct sysfs *sysfs, struct nl_port *port,
                     const char *uplink, struct management *out,
                     struct notes *notes);
/* Why this PF must not be touched, or NULL. Fails closed: where the routes
 * could not be read every PF has a reason. */
const char *management_reason(const struct management *management,
                              const struct pf_key *pf);
