/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration space of a PCI function, read only where it is asked: the
 * kernel reads the device itself, some microseconds a word, and wakes one that
 * sleeps. Beyond the first 64 bytes only root is let (drivers/pci/pci-sysfs.c,
 * pci_read_config). Offsets and bits: linux/pci_regs.h. */
#pragma once

#include "agent/host/sysfs.h"
#include "common/model/address.h"

#include <stdbool.h>
#include <stdint.h>

struct pci_config {
    int fd;     /* -1: it can't be read */
    bool whole; /* the capabilities can be read too */
};
/* Never fails: what can't be read is seen by 'whole' and by the functions
 * below. */
struct pci_config pci_config_open(const struct sysfs *sysfs,
                                  const struct pci_address *pci);
void pci_config_close(struct pci_config *config);
#define auto_pci_config __attribute__((cleanup(pci_config_close)))

/* 16 or 32 bits at an offset, 0 if they can't be read. */
uint16_t pci_config_word(const struct pci_config *config, unsigned offset);
uint32_t pci_config_long(const struct pci_config *config, unsigned offset);
/* The offset of a capability (PCI_CAP_ID_…) or extended capability
 * (PCI_EXT_CAP_ID_…), 0 = it has none. */
unsigned pci_config_capability(const struct pci_config *config, unsigned id);
unsigned pci_config_extended(const struct pci_config *config, unsigned id);
