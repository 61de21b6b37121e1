/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices of PCI functions (NVMe VFs and PFs, HBAs), and what of the host
 * uses them: file systems, swap, and what is stacked on them (device mapper,
 * md, btrfs). A program that has the device itself open can't be seen. */
#pragma once

#include "agent/host/notes.h"
#include "agent/host/sysfs.h"
#include "common/model/address.h"

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_USE_SIZE 96
struct block {
    struct pci_address pci;
    char use
        [BLOCK_USE_SIZE]; /* "nvme0n1p2 is mounted at '/'"; "" = nothing seen */
};
struct blocks { /* zero-initialise */
    bool loaded;
    bool blind; /* the mounts could not be read: every one may be in use */
    size_t count, capacity;
    struct block *items;
};
void blocks_done(struct blocks *blocks);

/* Why the block devices of a PCI function are in use, or NULL. All are read at
 * the first question. */
const char *blocks_find(struct blocks *blocks, const struct sysfs *sysfs,
                        struct notes *notes, const struct pci_address *pci);
