/* SPDX-License-Identifier: Apache-2.0 */
/* Names of PCI vendors and devices from the system's pci.ids. The file is read
 * once for each id that is met for the first time (a host has a few), and only
 * those names are kept. */
#pragma once

#include "agent/host/sysfs.h"

#include <stdint.h>

struct pci_ids;
/* Names come from the file below 'sysfs' (borrowed) or, where a copied tree
 * has none, from this machine's. */
struct pci_ids *pci_ids_new(const struct sysfs *sysfs);
void pci_ids_free(struct pci_ids *ids);
/* Interned names; "" for those that the file does not know. Returns false if
 * no pci.ids could be read. */
bool pci_ids_find(struct pci_ids *ids, uint16_t vendor_id, uint16_t device_id,
                  const char **vendor_name, const char **device_name);
