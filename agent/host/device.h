/* SPDX-License-Identifier: Apache-2.0 */
/* Which device a network device or a device path belongs to. */
#pragma once

#include "agent/host/sysfs.h"
#include "common/model/inventory.h"

#include <stdbool.h>

/* The nearest PCI or netdevsim device on a path below /sys/devices. */
struct device {
    bool is_pci;
    struct pci_address pci;
    struct pf_key key; /* of that device itself, whether PF or VF */
};

/* From a path ("/devices/pci0000:00/0000:00:02.0/virtio0/net/eth0", a link of
 * sysfs or DEVPATH of a kernel event). False: none, as with virtual devices. */
bool device_of_path(const char *path, struct device *out);
/* From a network device's name. */
bool device_of_netdev(const struct sysfs *sysfs, const char *netdev,
                      struct device *out);
/* The PF of a device: itself, or of a VF the one its 'physfn' link names. */
struct pf_key device_pf(const struct sysfs *sysfs, const struct device *device,
                        bool *is_vf /* may be NULL */);

/* The folder of a PF's or PCI device's attributes, relative to the root. */
struct sysfs_path device_folder(const struct pf_key *key);

/* The network device of a device's folder: <folder>/net/X or, as with virtio,
 * <folder>/virtioN/net/X. Where a driver makes several (ports, representors of
 * VFs), the uplink with the lowest port number. "" if there is none. 'virtio'
 * (size NAME_SIZE, may be NULL) gets the "virtioN" in between, or "". */
void device_netdev(const struct sysfs *sysfs, const char *folder,
                   char netdev[NETDEV_NAME_SIZE], char *virtio);
