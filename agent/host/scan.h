/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of one inventory share. All borrowed; made by linux.c. */
#pragma once

#include "agent/host/devlink.h"
#include "agent/host/management.h"
#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "agent/host/pci_ids.h"
#include "agent/host/sysfs.h"

struct scan {
    const struct sysfs *sysfs;
    struct nl_port *route;   /* rtnetlink; NULL for a copied tree */
    struct devlink *devlink; /* NULL for a copied tree or without it */
    struct pci_ids *ids;
    struct notes *notes;                 /* NULL: nobody asks */
    const struct management *management; /* which PFs carry host traffic */
};

/* Why a copied tree lacks something. */
#define SCAN_NEEDS_KERNEL "needs the live kernel"
