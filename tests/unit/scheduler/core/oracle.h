/* SPDX-License-Identifier: Apache-2.0 */
/* A second opinion on placement, by brute force over what readers see: every
 * host, every assignment of ports to PFs. Shares no code with the core's
 * placement but the capability rules of common/model. */
#pragma once

#include "fixture.h"

struct oracle {
    const struct snapshot *snapshot;
    const struct vm_request *request;
    const struct host_view *view;
    /* of the host being tried */
    uint32_t free[HOST_PFS_MAX]; /* VFs, or the PF itself */
    bool whole[HOST_PFS_MAX];    /* the PF itself can be given */
    int64_t mbps[HOST_PFS_MAX];
    int best; /* most ports with a VF so far, -1 = not possible */
};

static inline const char *oracle_network(const struct host_view *view,
                                         const struct network *network)
{
    const char *name = network->physical_network;
    for (size_t i = 0; i < view->host->mapping_count; i++)
        if (strcmp(view->host->mappings[i].device, network->device) == 0)
            name = view->host->mappings[i].physical_network;
    return name;
}

static inline bool oracle_mac_used(const struct oracle *oracle,
                                   const struct port_request *port,
                                   const char *network)
{
    const struct vm *vm = NULL;
    const struct uuid *marker = NULL;
    while (port->has_mac &&
           (vm = snapshot_vm_after(oracle->snapshot, marker))) {
        marker = &vm->id;
        for (size_t i = 0; i < vm->port_count; i++)
            if (!vm->ports[i].device &&
                mac_compare(&vm->ports[i].mac, &port->mac) == 0 &&
                strcmp(vm->ports[i].physical_network, network) == 0)
                return true;
    }
    return false;
}

/* Can the leg of the port, or the macvtap, sit on this network? */
static inline bool oracle_serves(const struct port_request *port,
                                 const struct network *network)
{
    bool vlan = policy_has(&port->policy, POLICY_VLAN) && port->policy.vlan;
    if (port->vnic_type == VNIC_MACVTAP)
        return network->kind == SWITCH_MACVTAP;
    return network->kind != SWITCH_MACVTAP && (network->vlans || !vlan);
}

static inline bool oracle_has_network(const struct host_view *view,
                                      const struct port_request *port,
                                      const char *wanted)
{
    const struct inventory *inventory = view->report->inventory;
    for (size_t i = 0; i < inventory->network_count; i++)
        if (oracle_serves(port, &inventory->networks[i]) &&
            (!*wanted || strcmp(oracle_network(view, &inventory->networks[i]),
                                wanted) == 0))
            return true;
    return false;
}

/* Does it want a VF, or a PF? */
static inline bool oracle_on_vf(const struct port_request *port)
{
    return port->vnic_type != VNIC_NORMAL &&
           (port->vnic_type != VNIC_MACVTAP ||
            port->macvtap_mode == MACVTAP_PASSTHROUGH);
}

static inline bool oracle_is_whole(const struct port_request *port)
{
    return !port->device && port->vnic_type == VNIC_DIRECT_PHYSICAL;
}

/* Has the port no path but hardware? */
static inline bool oracle_hardware_only(const struct port_request *port)
{
    return port->device || oracle_is_whole(port);
}

/* Could the port run on virtio on this host? */
static inline bool oracle_virtio(const struct oracle *oracle,
                                 const struct port_request *port)
{
    const struct inventory *inventory = oracle->view->report->inventory;
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    if (oracle_hardware_only(port) ||
        !virtio_path_allows(&port->policy, &field, &why))
        return false;
    if (oracle_on_vf(port) && port->fallback != FALLBACK_VIRTIO)
        return false;
    for (size_t i = 0; i < inventory->network_count; i++) {
        const char *name =
            oracle_network(oracle->view, &inventory->networks[i]);
        if (!oracle_serves(port, &inventory->networks[i]) ||
            (*port->physical_network &&
             strcmp(name, port->physical_network) != 0))
            continue;
        if (!oracle_mac_used(oracle, port, name))
            return true;
    }
    return false;
}

static inline bool oracle_vf_free(const struct oracle *oracle,
                                  const struct pf *pf, const struct vf *vf)
{
    const struct host_view *view = oracle->view;
    if (vf->state != VF_FREE || !uuid_is_zero(&vf->port))
        return false;
    for (size_t i = 0; i < view->claim_count; i++)
        if (pf_key_compare(&view->claims[i].pf, &pf->key) == 0 &&
            (view->claims[i].vf_index == vf->index ||
             view->claims[i].vf_index == CLAIM_WHOLE_PF))
            return false;
    for (size_t i = 0; i < view->report->port_count; i++) {
        const struct observed_port *port = &view->report->ports[i];
        if (port->has_claim && port->phase != PORT_ABSENT &&
            pf_key_compare(&port->claim.pf, &pf->key) == 0 &&
            (port->claim.vf_index == vf->index ||
             port->claim.vf_index == CLAIM_WHOLE_PF))
            return false;
    }
    return true;
}

/* Is it a PF that can be given as a whole; and is it still there to give? */
static inline bool oracle_gives_whole(const struct oracle *oracle,
                                      const struct pf *pf)
{
    const struct pf_setting *setting =
        host_pf_setting(oracle->view->host, &pf->key);
    if (setting && setting->has_num_vfs && setting->num_vfs)
        return false;
    return pf->kind == DEVICE_NETWORK && !pf->vf_count && !pf->num_vfs &&
           !*pf->used_by;
}
static inline bool oracle_whole_free(const struct oracle *oracle,
                                     const struct pf *pf)
{
    const struct host_view *view = oracle->view;
    for (size_t i = 0; i < view->claim_count; i++)
        if (pf_key_compare(&view->claims[i].pf, &pf->key) == 0)
            return false;
    for (size_t i = 0; i < view->report->port_count; i++)
        if (view->report->ports[i].has_claim &&
            view->report->ports[i].phase != PORT_ABSENT &&
            pf_key_compare(&view->report->ports[i].claim.pf, &pf->key) == 0)
            return false;
    return true;
}

/* Are the PF's settings on their way? */
static inline bool oracle_changing(const struct oracle *oracle,
                                   const struct pf *pf)
{
    const struct host_report *report = oracle->view->report;
    const struct pf_setting *setting =
        host_pf_setting(oracle->view->host, &pf->key);
    const struct observed_pf *seen = NULL;
    for (size_t i = 0; i < report->pf_count; i++)
        if (strcmp(report->pfs[i].key.text, pf->key.text) == 0)
            seen = &report->pfs[i];
    bool current = seen && setting &&
                   seen->revision.epoch == setting->revision.epoch &&
                   seen->revision.revision == setting->revision.revision;
    if (seen)
        switch ((enum pf_phase)seen->phase) {
        case PF_APPLYING:
        case PF_CONFIRMING:
        case PF_REVERTING:
            return true;
        case PF_PENDING:
            if (current)
                return true;
            break;
        case PF_APPLIED:
        case PF_REJECTED:
        case PF_FAILED:
            if (current)
                return false;
            break;
        case PF_PHASE_MAX:
            break;
        }
    return setting && setting->has_num_vfs && setting->num_vfs != pf->num_vfs;
}

static inline int64_t oracle_promisable(const struct oracle *oracle,
                                        const struct pf *pf)
{
    const struct pf_setting *setting =
        host_pf_setting(oracle->view->host, &pf->key);
    int64_t speed = pf->link_speed_mbps > 0 ? pf->link_speed_mbps : 0;
    int64_t percent = 100;
    if (!speed && setting)
        speed = setting->link_speed_mbps;
    if (setting && setting->tx_ratio_percent)
        percent = setting->tx_ratio_percent;
    return speed * percent / 100;
}

static inline int64_t oracle_committed(const struct oracle *oracle,
                                       const struct pf *pf)
{
    int64_t sum = 0;
    for (size_t i = 0; i < oracle->view->claim_count; i++) {
        const struct claim_entry *entry = &oracle->view->claims[i];
        if (pf_key_compare(&entry->pf, &pf->key) == 0)
            sum += snapshot_vm(oracle->snapshot, &entry->vm)
                       ->ports[entry->port_index]
                       .claim.min_tx_rate_mbps;
    }
    return sum;
}

/* Is the PF's own MAC, which a whole PF brings along, somebody's? */
static inline bool oracle_own_mac_used(const struct oracle *oracle,
                                       const struct port_request *port,
                                       const struct pf *pf, const char *network)
{
    struct port_request own = {.has_mac = true, .mac = pf->mac};
    return oracle_is_whole(port) && !port->has_mac && !mac_is_zero(&pf->mac) &&
           oracle_mac_used(oracle, &own, network);
}

/* Does this PF fit the port, but for what is left on it? */
static inline bool oracle_pf(const struct oracle *oracle,
                             const struct port_request *port,
                             const struct pf *pf, bool whole)
{
    const struct pf_setting *setting =
        host_pf_setting(oracle->view->host, &pf->key);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    struct link_facts link = {.up = pf->link_up,
                              .speed_mbps = pf_link_speed_mbps(pf, setting)};
    struct policy policy = port->policy;
    if (!oracle_hardware_only(port)) {
        policy.set |= POLICY_BIT(POLICY_MAC);
        mac_parse("52:54:00:ff:ff:ff", &policy.mac);
    }
    if (!oracle_on_vf(port) || !setting || !setting->allowed ||
        pf->management || oracle_changing(oracle, pf))
        return false;
    if (oracle_is_whole(port) != whole ||
        pf->kind != (port->device ? port->device_kind : DEVICE_NETWORK))
        return false;
    if (*port->physical_network &&
        strcmp(port->physical_network, setting->physical_network) != 0)
        return false;
    if (port->require_vendor_id && port->require_vendor_id != pf->vendor_id)
        return false;
    struct capabilities capabilities = pf_capabilities(pf, setting);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if ((port->require_capabilities & POLICY_BIT(i)) &&
            !capability_given(&capabilities.field[i], &link))
            return false;
    if (port->fallback == FALLBACK_VIRTIO && !*port->physical_network &&
        *setting->physical_network &&
        !oracle_has_network(oracle->view, port, setting->physical_network))
        return false;
    return capabilities_allow(&capabilities, &link, &policy, &field, &why) &&
           !oracle_mac_used(oracle, port, setting->physical_network) &&
           !oracle_own_mac_used(oracle, port, pf, setting->physical_network);
}

static inline void oracle_ports(struct oracle *oracle, size_t port, int vfs)
{
    const struct inventory *inventory = oracle->view->report->inventory;
    if (port == oracle->request->port_count) {
        if (vfs > oracle->best)
            oracle->best = vfs;
        return;
    }
    const struct port_request *asked = &oracle->request->ports[port];
    uint32_t rate = asked->policy.min_tx_rate_mbps;
    if (oracle_virtio(oracle, asked))
        oracle_ports(oracle, port + 1, vfs);
    for (size_t i = 0; i < inventory->pf_count; i++) {
        if (!oracle->free[i] || (rate && oracle->mbps[i] < (int64_t)rate) ||
            !oracle_pf(oracle, asked, inventory->pfs[i], oracle->whole[i]))
            continue;
        oracle->free[i]--;
        oracle->mbps[i] -= rate;
        oracle_ports(oracle, port + 1, vfs + 1);
        oracle->free[i]++;
        oracle->mbps[i] += rate;
    }
}

static inline bool oracle_host(const struct oracle *oracle)
{
    const struct host_view *view = oracle->view;
    const struct vm_request *request = oracle->request;
    if (view->state != HOST_READY || !view->report)
        return false;
    if (*request->host && strcmp(request->host, view->host->name) != 0)
        return false;
    const struct inventory *inventory = view->report->inventory;
    uint64_t vcpus =
        (uint64_t)inventory->vcpus * view->host->vcpu_ratio_percent / 100;
    uint64_t memory =
        inventory->memory_mib * view->host->memory_ratio_percent / 100;
    if (view->used_vcpus + request->vcpus > vcpus ||
        view->used_memory_mib + request->memory_mib > memory)
        return false;
    for (size_t i = 0; i < request->port_count; i++) {
        const struct port_request *port = &request->ports[i];
        enum policy_field field = POLICY_FIELD_MAX;
        const char *why = NULL;
        if ((!oracle_on_vf(port) || port->fallback == FALLBACK_VIRTIO) &&
            !oracle_has_network(view, port, port->physical_network))
            return false;
        if (port->guest_failover != GUEST_FAILOVER_NONE &&
            !virtio_path_allows(&port->policy, &field, &why))
            return false;
    }
    return true;
}

/* The most VFs that any placement of the whole VM gives; -1 = no placement. */
static inline int oracle_place(const struct snapshot *snapshot,
                               const struct vm_request *request)
{
    struct oracle oracle = {
        .snapshot = snapshot,
        .request = request,
        .best = -1,
    };
    const char *marker = NULL;
    while ((oracle.view = snapshot_host_after(snapshot, marker))) {
        marker = oracle.view->host->name;
        if (!oracle_host(&oracle))
            continue;
        const struct inventory *inventory = oracle.view->report->inventory;
        for (size_t i = 0; i < inventory->pf_count; i++) {
            const struct pf *pf = inventory->pfs[i];
            oracle.free[i] = 0;
            for (size_t j = 0; j < pf->vf_count; j++)
                oracle.free[i] += oracle_vf_free(&oracle, pf, &pf->vfs[j]);
            oracle.whole[i] = oracle_gives_whole(&oracle, pf);
            if (oracle.whole[i])
                oracle.free[i] = oracle_whole_free(&oracle, pf);
            oracle.mbps[i] =
                oracle_promisable(&oracle, pf) - oracle_committed(&oracle, pf);
        }
        oracle_ports(&oracle, 0, 0);
    }
    return oracle.best;
}
