/* SPDX-License-Identifier: Apache-2.0 */
/* Taps of VMs as ports of bridges; the ops' contracts are in host_ops.h. */
#pragma once

#include "agent/host/bridge_vlans.h"
#include "agent/host/linux.h"

int linux_tap_vlan(struct host_backend *backend, const char *bridge,
                   const char *tap, uint16_t vlan, struct error *err);
int linux_tap_read(struct host_backend *backend, const struct uuid *domain,
                   const char *tap, struct policy *policy, struct error *err);

/* A tap and the way out of its bridge. */
struct tap_ports {
    struct port_vlans tap, uplink; /* uplink.index 0: the bridge has none */
};
/* Read them; 'uplink' gets its name or "". */
int tap_ports_read(struct linux_host *host, const char *bridge, const char *tap,
                   struct tap_ports *out, char uplink[NETDEV_NAME_SIZE],
                   struct error *err);
/* The VLAN that is untagged on the uplink (of a bridge without one: the one that
 * new ports are put in); 0 = none. */
uint16_t tap_native(const struct tap_ports *ports,
                    const struct bridge_vlan_mode *mode);
/* Is the tap an access port of exactly one VLAN, whose frames get out as they
 * should? *vlan: 0 of the untagged one. Apart for tests. */
bool tap_access(const struct tap_ports *ports,
                const struct bridge_vlan_mode *mode, uint16_t *vlan);
