/* SPDX-License-Identifier: Apache-2.0 */
/* The policy as it is on a virtio leg: see taps.h. VLAN and rate are the
 * kernel's word. What the kernel does not know is libvirt's, from the live XML: the
 * MAC that QEMU gives the guest, the filter against false MACs (which libvirt
 * itself puts back if it goes), and whether the guest sees a link. */
#include "agent/host/taps.h"

#include "agent/host/police.h"
#include "common/base/mem.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#define BYTES_PER_MEGABIT 125000

/* Whole Mbit/s; a rate in between, which is none of ours, counts as the next
 * one, so that it differs and is never "no limit". */
static uint32_t to_mbps(uint64_t bytes_per_second)
{
    uint64_t whole = bytes_per_second / BYTES_PER_MEGABIT;
    whole += bytes_per_second % BYTES_PER_MEGABIT != 0;
    return whole > UINT32_MAX ? UINT32_MAX : (uint32_t)whole;
}

static const struct domain_device *find_tap(const struct domain_state *domain,
                                            const char *tap)
{
    for (size_t i = 0; i < domain->facts.device_count; i++) {
        const struct domain_device *device = &domain->facts.devices[i];
        if (device->kind == DOMAIN_INTERFACE &&
            strcmp(device->target, tap) == 0)
            return device;
    }
    return NULL;
}

/* By the bridge above the tap, which may be another than the XML says. Not in
 * policy->set where the tap is in no VLAN, in several, or in one that does not
 * get out. */
static int read_vlan(struct linux_host *host, const char *tap,
                     const struct domain_device *device, struct policy *policy,
                     struct error *err)
{
    char above[NETDEV_NAME_SIZE];
    struct sysfs_path path = sysfs_path("sys/class/net/%s/master", tap);
    if (sysfs_link_name(&host->sysfs, path.text, above, sizeof above, err) < 0)
        return -1;
    if (strcmp(above, "ovs-system") == 0) {
        policy->vlan = device->vlan;
        policy->set |= POLICY_BIT(POLICY_VLAN);
        return 0;
    }
    const struct bridge_vlan_mode mode = bridge_vlan_mode(&host->sysfs, above);
    char uplink[NETDEV_NAME_SIZE];
    auto_free struct tap_ports *ports = mem_new(struct tap_ports);
    if (mode.filtering) {
        if (tap_ports_read(host, above, tap, ports, uplink, err) < 0)
            return -1;
        if (!mode.is_8021q || !tap_access(ports, &mode, &policy->vlan))
            return 0;
    }
    policy->set |= POLICY_BIT(POLICY_VLAN);
    return 0;
}

int linux_tap_read(struct host_backend *backend, const struct uuid *domain,
                   const char *tap, struct policy *policy, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    uint64_t rate = 0;
    if (!host->route)
        return error_set(err, ERROR_PERMISSION,
                         "the policy of a tap " SCAN_NEEDS_KERNEL);
    auto_domain_list struct domain_list *list =
        backend->ops->domains(backend, err);
    if (!list)
        return -1;
    const struct domain_state *state = domain_list_find(list, domain);
    const struct domain_device *device = state ? find_tap(state, tap) : NULL;
    unsigned index = if_nametoindex(tap);
    if (!device || !index)
        return error_set(
            err, ERROR_VANISHED, "%s '%s'",
            device ? "there is no device" : "no domain has the tap", tap);
    struct policy found = {
        .set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) |
               POLICY_BIT(POLICY_SPOOFCHK) | POLICY_BIT(POLICY_LINK_STATE),
        .mac = device->mac,
        .spoofchk = device->spoofchk,
        .link_state = device->link_down ? LINK_STATE_DISABLE : LINK_STATE_AUTO};
    if (read_vlan(host, tap, device, &found, err) < 0 ||
        police_read(host->route, (int)index, &rate, err) < 0)
        return -1;
    found.max_tx_rate_mbps = to_mbps(rate);
    *policy = found;
    return 0;
}
