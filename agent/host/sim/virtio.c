/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's handle on the simulated host's bridges, taps and libvirt. */
#include "agent/host/sim/backend.h"

#include "common/base/str.h"

#include <errno.h>
#include <string.h>

/* ---- bridges and taps ----------------------------------------------------------- */

static int find_port(struct backend *b, const char *netdev, size_t *network,
                     struct error *err)
{
    char uplink[NETDEV_NAME_SIZE];
    for (size_t i = 0; i < b->host->networks; i++) {
        if (strcmp(sim_uplink(b->host, i, uplink), netdev) != 0)
            continue;
        *network = i;
        return 0;
    }
    return error_set(err, ERROR_VANISHED, "'%s' is no port of a bridge",
                     netdev);
}

int sim_learning_read(struct host_backend *base, const char *netdev,
                      bool *learns, struct error *err)
{
    struct backend *b = backend_of(base);
    size_t network = 0;
    if (find_port(b, netdev, &network, err) < 0)
        return -1;
    *learns = !b->host->learning_off[network];
    return 0;
}

static bool is_management(const struct sim_host *host, const char *netdev)
{
    for (size_t i = 0; i < host->pf_count; i++)
        if (strcmp(host->pfs[i].netdev, netdev) == 0)
            return host->pfs[i].management[0] != '\0';
    return false;
}

int sim_learning_set(struct host_backend *base, const char *netdev, bool learns,
                     struct error *err)
{
    struct backend *b = backend_of(base);
    size_t network = 0;
    if (find_port(b, netdev, &network, err) < 0)
        return -1;
    if (is_management(b->host, netdev))
        return error_set(err, ERROR_FORBIDDEN,
                         "'%s' carries the host's own traffic", netdev);
    int number = sim_fault(b, SIM_STEP_TAP, NULL, 0, 0);
    if (number)
        return error_set_sys(err, number, "set learning of '%s'", netdev);
    b->host->learning_off[network] = !learns;
    return 0;
}

static struct sim_device *find_tap(struct backend *b, const char *tap,
                                   struct error *err)
{
    sim_domains_settle(b->host, sim_now(b));
    struct sim_device *device = sim_domains_by_tap(b->host, tap);
    if (!device)
        error_fill(err, ERROR_VANISHED, ENODEV, "", "no tap '%s'", tap);
    return device;
}

int sim_tap_vlan(struct host_backend *base, const char *bridge, const char *tap,
                 uint16_t vlan, struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_device *device = find_tap(b, tap, err);
    if (!device)
        return -1;
    if (strcmp(device->d.source, bridge) != 0)
        return error_set(err, ERROR_VANISHED, "'%s' is no port of '%s'", tap,
                         bridge);
    int number = sim_fault(b, SIM_STEP_TAP, NULL, 0, 0);
    if (number)
        return error_set_sys(err, number, "set the VLAN of '%s'", tap);
    device->tap_vlan = vlan;
    return 0;
}

int sim_tap_read(struct host_backend *base, const struct uuid *domain,
                 const char *tap, struct policy *policy, struct error *err)
{
    (void)domain;
    struct backend *b = backend_of(base);
    const struct sim_device *device = find_tap(b, tap, err);
    if (!device)
        return -1;
    int number = sim_fault(b, SIM_STEP_TAP, NULL, 0, 0);
    if (number)
        return error_set_sys(err, number, "read '%s'", tap);
    *policy = (struct policy){
        .set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
               POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) |
               POLICY_BIT(POLICY_SPOOFCHK) | POLICY_BIT(POLICY_LINK_STATE),
        .mac = device->d.mac,
        .vlan = device->tap_vlan,
        .max_tx_rate_mbps = device->d.max_tx_rate_mbps,
        .spoofchk = device->d.spoofchk,
        .link_state =
            device->d.link_down ? LINK_STATE_DISABLE : LINK_STATE_AUTO,
    };
    return 0;
}

int sim_announce(struct host_backend *base, const char *netdev,
                 const struct mac *mac, uint16_t vlan, struct error *err)
{
    (void)netdev;
    (void)mac;
    (void)vlan;
    struct backend *b = backend_of(base);
    int number = sim_fault(b, SIM_STEP_TAP, NULL, 0, 0);
    if (number)
        return error_set_sys(err, number, "announce over '%s'", netdev);
    b->host->announces++;
    return 0;
}

int sim_vf_evidence(struct host_backend *base, const struct pf_key *key,
                    uint16_t vf, struct vf_evidence *evidence,
                    struct error *err)
{
    struct backend *b = backend_of(base);
    size_t number = sim_host_pf_find(b->host, key);
    const struct sim_pf *pf = number == SIZE_MAX ? NULL : &b->host->pfs[number];
    if (!pf || !pf->present || vf >= pf->vf_count || !pf->vfs[vf].present)
        return error_set(err, ERROR_VANISHED, "VF %u of PF %s is gone", vf,
                         key->text);
    int64_t at = sim_now(b);
    sim_domains_settle(b->host, at);
    struct pci_address address = sim_vf_address(pf, vf);
    const struct sim_device *device = sim_domains_by_address(b->host, &address);
    *evidence =
        (struct vf_evidence){.kind = EVIDENCE_VF_INTERRUPTS, .readable = true};
    if (device && device->in_use_at <= at) {
        evidence->in_use = true;
        evidence->count = (uint64_t)(at - device->in_use_at) / 1000000 + 1;
    }
    return 0;
}

/* ---- libvirt --------------------------------------------------------------------------- */

struct domain_list *sim_domains(struct host_backend *base, struct error *err)
{
    struct backend *b = backend_of(base);
    sim_domains_settle(b->host, sim_now(b));
    if (b->host->libvirt_down) {
        error_fill(err, ERROR_AGAIN, ECONNREFUSED, "",
                   "libvirt can't be reached: Connection refused");
        return NULL;
    }
    return sim_domains_list(b->host);
}

static struct sim_order *find_order(struct backend *b,
                                    const struct uuid *domain)
{
    for (size_t i = 0; i < b->order_count; i++)
        if (uuid_equal(&b->orders[i].domain, domain))
            return &b->orders[i];
    return NULL;
}

/* Its effect is there at once, its end is told at the next call. */
static int begin(struct backend *b, const struct domain_order *order,
                 struct error *err)
{
    if (b->host->libvirt_down)
        return error_set(err, ERROR_AGAIN, "libvirt can't be reached");
    if (b->order_count == SIM_ORDERS_MAX)
        return error_set(err, ERROR_AGAIN, "%d orders are under way",
                         SIM_ORDERS_MAX);
    int64_t at = sim_now(b);
    struct sim_order *begun = &b->orders[b->order_count++];
    *begun = (struct sim_order){.domain = order->domain, .kind = order->kind};
    sim_domains_settle(b->host, at);
    int number = sim_fault(b, SIM_STEP_DOMAIN, NULL, 0, 0);
    if (number)
        begun->status = error_set_sys(&begun->err, number, "ask libvirt");
    else
        begun->status = sim_domains_order(b->host, order, at, &begun->err);
    sim_host_notify_domains(b->host);
    return 1;
}

int sim_domain_order(struct host_backend *base,
                     const struct domain_order *order, struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_order *begun = find_order(b, &order->domain);
    if (!begun)
        return begin(b, order, err);
    if (begun->kind != order->kind)
        return error_set(err, ERROR_AGAIN,
                         "another order for the domain is under way");
    int status = begun->status;
    if (status < 0 && err)
        *err = begun->err;
    *begun = b->orders[--b->order_count];
    return status;
}

int64_t host_sim_wakes_at(const struct host_backend *base)
{
    const struct backend *b = (const struct backend *)(const void *)base;
    return sim_domains_next(b->host);
}
