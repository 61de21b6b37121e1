/* SPDX-License-Identifier: Apache-2.0 */
/* The real host's own state, shared by linux.c and the files of its ops. */
#pragma once

#include "agent/host/events.h"
#include "agent/host/host_ops.h"
#include "agent/host/libvirt.h"
#include "agent/host/management.h"
#include "agent/host/modules.h"
#include "agent/host/pf_set.h"
#include "agent/host/scan.h"

#include <netinet/in.h>

struct linux_host {
    struct host_backend backend; /* first: the ops get its address */
    struct sysfs sysfs;
    struct nl_port *route;   /* NULL for a copied tree */
    struct devlink *devlink; /* NULL: not there */
    struct pci_ids *ids;
    struct plugins *plugins;      /* borrowed; NULL: none */
    const char *kernel;           /* interned release, "" = not known */
    struct management management; /* of the last whole reading */
    bool ignore_management;       /* no PF counts as one: tests only */
    struct events *events;        /* NULL for a copied tree */
    struct pf_sets *sets;         /* NULL for a copied tree */
    struct libvirt *libvirt;      /* NULL: it is not asked */
    struct modules modules;
    /* This machine's address towards the scheduler; "" = not yet known. */
    char own_address[INET6_ADDRSTRLEN];
    struct inventory *last; /* the last whole reading, a reference; or NULL */
};

/* FORBIDDEN if the host's own traffic runs over this network device, by its
 * routes as they are now; 0 if it does not. linux.c */
int linux_refuse_management(struct linux_host *host, const char *netdev,
                            struct error *err);
/* vf_write.c */
int linux_vf_read(struct host_backend *backend, const struct pf_key *pf,
                  uint16_t vf_index, struct policy *policy, struct error *err);
int linux_vf_write(struct host_backend *backend, const struct pf_key *pf,
                   uint16_t vf_index, const struct policy *policy,
                   uint32_t fields, struct error *err);
/* vf_reset.c */
int linux_vf_reset(struct host_backend *backend, const struct pf_key *pf,
                   uint16_t vf_index, struct error *err);
