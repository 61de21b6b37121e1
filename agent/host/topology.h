/* SPDX-License-Identifier: Apache-2.0 */
/* From a bridge, bond, VLAN or macvlan device down to the hardware, by the
 * 'lower_X' links that the kernel keeps in /sys/class/net/Y. */
#pragma once

#include "agent/host/device.h"

#include <stdbool.h>

/* Call 'visit' for each network device at or below 'netdev' that hangs on a PCI
 * or netdevsim device. Returns how many there were. */
typedef void topology_visit_fn(void *context, const char *netdev,
                               const struct device *device);
size_t topology_walk(const struct sysfs *sysfs, const char *netdev,
                     topology_visit_fn *visit /* may be NULL */, void *context);

/* The network devices directly below (bridge ports, bond members). */
int topology_lowers(const struct sysfs *sysfs, const char *netdev,
                    struct sysfs_names *out, struct error *err);
/* True if something is stacked on it or it is a member of something. 'above'
 * (size NETDEV_NAME_SIZE) gets the name of the first. */
bool topology_has_upper(const struct sysfs *sysfs, const char *netdev,
                        char *above);
