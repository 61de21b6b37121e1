/* SPDX-License-Identifier: Apache-2.0 */
/* What VMs without a VF can be connected to: Linux bridges, Open vSwitch bridges
 * where the kernel shows them, and network devices below macvtaps. */
#pragma once

#include "agent/host/scan.h"

/* The port of a switch that leads to hardware: a NIC, or a bond or VLAN device
 * above one; "" = none. The first by name where there are several. 'device' is
 * the bridge, or "ovs-system". */
void networks_uplink(const struct sysfs *sysfs, const char *device,
                     char uplink[NETDEV_NAME_SIZE]);
/* Fill at most HOST_NETWORKS_MAX; returns how many. First the switches by name,
 * then, of kind 'macvtap', the network devices of those of 'pfs' that nothing
 * but macvtaps uses. */
size_t networks_read(const struct scan *scan, struct pf *const *pfs,
                     size_t pf_count, struct network *out);
