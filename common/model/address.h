/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses, device keys and MAC addresses. Paths and URLs are built from
 * these structs only, never from received text. */
#pragma once

#include "common/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* "0000:3b:0a.1": domain (4 to 8 hex digits: VMD domains exceed 0xffff), bus,
 * device 0-31, function 0-7; lower case. */
struct pci_address {
    uint32_t domain;
    uint8_t bus, device, function;
};
#define PCI_TEXT_SIZE 20
bool pci_parse(const char *text, struct pci_address *out);
const char *pci_format(const struct pci_address *address,
                       char text[PCI_TEXT_SIZE]);
int pci_compare(const struct pci_address *a, const struct pci_address *b);

/* A PF's key on its host: its devlink handle without the bus, a PCI address
 * ("0000:3b:00.0") or "netdevsimN" (N < 2^32). Nothing else parses, so a key
 * never holds '/', '..' or spaces. */
#define PF_KEY_SIZE 20
struct pf_key {
    char text[PF_KEY_SIZE];
};
bool pf_key_parse(const char *text, struct pf_key *out);
struct pf_key pf_key_of_pci(const struct pci_address *address);
/* True and the address if the key is a PCI address. */
bool pf_key_pci(const struct pf_key *key, struct pci_address *out);
/* The devlink bus: "pci" or "netdevsim". */
const char *pf_key_bus(const struct pf_key *key);
int pf_key_compare(const struct pf_key *a, const struct pf_key *b);

/* A VF's name in URLs and tables: its PCI address, or "PFKEY-vfN" where it has
 * none (netdevsim). */
#define VF_NAME_SIZE 32
const char *vf_name_format(const struct pf_key *pf, uint16_t vf_index,
                           const struct pci_address *address /* or NULL */,
                           char text[VF_NAME_SIZE]);

/* "52:54:00:12:34:56", lower case on output, both read. */
struct mac {
    uint8_t bytes[6];
};
#define MAC_TEXT_SIZE 18
bool mac_parse(const char *text, struct mac *out);
const char *mac_format(const struct mac *mac, char text[MAC_TEXT_SIZE]);
int mac_compare(const struct mac *a, const struct mac *b);
bool mac_is_zero(const struct mac *mac);
bool mac_is_multicast(const struct mac *mac);
/* Locally administered and unicast. */
bool mac_is_local(const struct mac *mac);
/* A new local address 52:54:00:xx:xx:xx (the prefix KVM tools use). */
struct mac mac_make(struct rng *rng);
/* Why this MAC can't be a port's: zero, multicast, reserved 01:80:c2 (IEEE
 * 802.1D link-local); NULL = it can. Static text. */
const char *mac_refused(const struct mac *mac);
