/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of one inventory share. All borrowed; made by linux.c. */
#pragma once

#include "agent/host/addresses.h"
#include "agent/host/blocks.h"
#include "agent/host/bridge_modes.h"
#include "agent/host/devlink.h"
#include "agent/host/management.h"
#include "agent/host/nl.h"
#include "agent/host/notes.h"
#include "agent/host/pci_ids.h"
#include "agent/host/plugins.h"
#include "agent/host/sysfs.h"

/* What is read once, when it is first asked for, and good for one reading of
 * the host. Zero-initialise. */
struct scan_cache {
    struct addresses addresses;
    struct blocks blocks;
    struct bridge_modes bridge_modes;
};
void scan_cache_done(struct scan_cache *cache);
#define auto_scan_cache __attribute__((cleanup(scan_cache_done)))

struct scan {
    const struct sysfs *sysfs;
    struct nl_port *route;   /* rtnetlink; NULL for a copied tree */
    struct devlink *devlink; /* NULL for a copied tree or without it */
    struct pci_ids *ids;
    struct notes *notes;                 /* NULL: nobody asks */
    const struct management *management; /* which PFs carry host traffic */
    const struct inventory *last;        /* as read before, or NULL */
    struct scan_cache *cache;            /* never NULL */
    struct plugins *plugins;             /* NULL: none */
    const char *kernel; /* release, for plug-ins; may be NULL */
};

/* Why a copied tree lacks something. */
#define SCAN_NEEDS_KERNEL "needs the live kernel"

/* A number that every such device has: noted if it can't be read. Returns it or
 * 'otherwise'. */
int64_t scan_must_number(const struct scan *scan, const char *folder,
                         const char *file, int64_t min, int64_t max,
                         int64_t otherwise);
/* One that may be absent, as on kernels without NUMA. */
int64_t scan_may_number(const struct scan *scan, const char *folder,
                        const char *file, int64_t min, int64_t max,
                        int64_t otherwise);
/* The driver bound to a device, interned; "" = none. */
const char *scan_driver(const struct scan *scan, const char *folder);
/* The number of its IOMMU group, -1 = none. */
int32_t scan_iommu_group(const struct scan *scan, const char *folder);
/* What a PCI device is, by its class code (24 bits, 0 if it can't be read). */
uint32_t scan_pci_class(const struct scan *scan, const char *folder);
/* The first other device in the IOMMU group of the device at 'own', bridges left
 * out, which VFIO lets be (drivers/vfio/vfio_main.c, vfio_dev_viable);
 * false: it is alone, or in no group. */
bool scan_shares_group(const struct scan *scan, int32_t group,
                       const struct pci_address *own,
                       char other[PCI_TEXT_SIZE]);
