/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated host's devices and what happens to them. See sim.h. */
#include "agent/host/sim/world.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void wake(const struct sim_host *host)
{
    if (host->event_fd >= 0) {
        uint64_t one = 1;
        /* Full means that it is readable already. */
        ssize_t ignored = write(host->event_fd, &one, sizeof one);
        (void)ignored;
    }
}

void sim_host_notify(struct sim_host *host, struct sim_pf *pf)
{
    host->events++;
    if (pf)
        pf->changed = host->events;
    else
        host->lost = host->events;
    wake(host);
}

void sim_host_notify_domains(struct sim_host *host)
{
    host->domains_changed = ++host->events;
    wake(host);
}

const char *sim_uplink(const struct sim_host *host, size_t network,
                       char text[NETDEV_NAME_SIZE])
{
    if (host->bridges_on_pfs && network < host->pf_count &&
        host->pfs[network].netdev[0])
        memcpy(text, host->pfs[network].netdev, NETDEV_NAME_SIZE);
    else
        snprintf(text, NETDEV_NAME_SIZE, "eno%u", (unsigned)network + 2);
    return text;
}

size_t sim_host_uplink_pf(const struct sim_host *host, size_t network)
{
    bool is_pf = host->bridges_on_pfs && network < host->pf_count &&
                 host->pfs[network].netdev[0];
    return is_pf ? network : SIZE_MAX;
}

/* A VF's routing id: the PF's plus First VF Offset plus VF Stride times its
 * index (drivers/pci/iov.c pci_iov_virtfn_devfn). Cards with stride 1 put the
 * second port's VFs behind all of the first's. */
struct pci_address sim_vf_address(const struct sim_pf *pf, uint16_t index)
{
    const struct sim_model *model = pf->model;
    uint32_t port = pf->address.function;
    uint32_t first = model->vf_offset;
    if (model->vf_stride == 1 && port)
        first += port * (model->total_vfs - 1u);
    uint32_t id = ((uint32_t)pf->address.bus << 8) + port + first +
                  (uint32_t)model->vf_stride * index;
    return (struct pci_address){
        .domain = pf->address.domain,
        .bus = (uint8_t)(id >> 8),
        .device = (uint8_t)((id >> 3) & 31),
        .function = (uint8_t)(id & 7),
    };
}

static void pf_link_changed(struct sim_pf *pf)
{
    sim_model_capabilities(pf->model, pf->link_up, pf->speed_mbps,
                           &pf->capabilities);
}

static void pf_fill(struct sim_host *host, size_t number, uint16_t vfs_limit)
{
    struct sim_pf *pf = &host->pfs[number];
    const struct sim_model *model = pf->model;
    /* Two ports a card; cards in slots of their own buses, the first half of
     * them at the first socket. */
    size_t card = number / 2, port = number % 2;
    pf->address = (struct pci_address){
        .bus = (uint8_t)(0x3b + 4 * card),
        .function = (uint8_t)port,
    };
    pf->key = pf_key_of_pci(&pf->address);
    bool network = sim_model_kind(model) == DEVICE_NETWORK;
    uint64_t random = rng_next(&host->rng);
    for (int i = 0; network && i < 6; i++)
        pf->mac.bytes[i] = (uint8_t)(random >> (8 * i));
    if (network) {
        pf->mac.bytes[0] = (uint8_t)((random & 0xfc) | 0x02);
        snprintf(pf->netdev, sizeof pf->netdev, "ens%zuf%zu", card + 1, port);
    }
    pf->numa_node = card < SIM_HOST_PFS_MAX / 4 ? 0 : 1;
    pf->iommu_group = (int32_t)(20 + number);
    pf->present = true;
    pf->link_up = network;
    pf->speed_mbps = model->link_speed_mbps;
    pf_link_changed(pf);
    pf->autoprobe = AUTOPROBE_ON;
    pf->bridge_mode = model->bridge_mode;
    pf->total_vfs = model->total_vfs;
    if (vfs_limit && pf->total_vfs > vfs_limit)
        pf->total_vfs = vfs_limit;
    pf->boot_vfs = model->num_vfs;
    if (pf->boot_vfs > pf->total_vfs)
        pf->boot_vfs = pf->total_vfs;
    sim_pf_make_vfs(host, pf, pf->boot_vfs);
}

void sim_pf_make_vfs(struct sim_host *host, struct sim_pf *pf, uint16_t count)
{
    if (count > pf->vf_capacity) {
        pf->vfs = mem_realloc(pf->vfs, count, sizeof *pf->vfs);
        memset(pf->vfs + pf->vf_capacity, 0,
               (size_t)(count - pf->vf_capacity) * sizeof *pf->vfs);
        pf->vf_capacity = count;
    }
    for (uint16_t i = count; i < pf->vf_count; i++)
        pf->vfs[i] = (struct sim_vf){.version = ++host->versions};
    pf->vf_count = count;
    for (uint16_t i = 0; i < count; i++)
        sim_kernel_create(host, pf, i);
}

struct sim_host *sim_host_new(const struct sim_host_config *config,
                              struct error *err)
{
    if (config->pf_count > SIM_HOST_PFS_MAX || config->networks > 8) {
        error_fill(err, ERROR_INVALID, 0, "", "at most %d PFs and 8 networks",
                   SIM_HOST_PFS_MAX);
        return NULL;
    }
    struct sim_host *host = mem_new(struct sim_host);
    host->event_fd = -1;
    host->rng.state = config->seed;
    host->vcpus = config->vcpus ? config->vcpus : 1024;
    host->memory_mib = config->memory_mib ? config->memory_mib : 4u << 20;
    host->networks = config->networks;
    host->bridges_on_pfs = config->bridges_on_pfs;
    host->machine_id = uuid_make((int64_t)config->seed, &host->rng);
    host->boot_id = uuid_make((int64_t)config->seed, &host->rng);
    for (size_t i = 0; i < config->pf_count; i++) {
        host->pfs[i].model = sim_model_find(config->pfs[i]);
        if (!host->pfs[i].model) {
            error_fill(err, ERROR_NOT_FOUND, 0, "", "no NIC model '%s'",
                       config->pfs[i]);
            sim_host_free(host);
            return NULL;
        }
        host->pf_count++;
        pf_fill(host, i, config->vfs_limit);
    }
    return host;
}

void sim_host_free(struct sim_host *host)
{
    if (!host)
        return;
    for (size_t i = 0; i < host->pf_count; i++)
        free(host->pfs[i].vfs);
    sim_domains_free(host);
    free(host);
}

struct uuid sim_host_machine_id(const struct sim_host *host)
{
    return host->machine_id;
}

struct uuid sim_host_boot_id(const struct sim_host *host)
{
    return host->boot_id;
}

size_t sim_host_pf_count(const struct sim_host *host)
{
    return host->pf_count;
}

const struct pf_key *sim_host_pf_key(const struct sim_host *host, size_t pf)
{
    return &host->pfs[pf].key;
}

const struct sim_model *sim_host_pf_model(const struct sim_host *host,
                                          size_t pf)
{
    return host->pfs[pf].model;
}

bool sim_host_pf_present(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].present;
}

uint16_t sim_host_vf_count(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].vf_count;
}

size_t sim_host_pf_find(const struct sim_host *host, const struct pf_key *key)
{
    for (size_t i = 0; i < host->pf_count; i++)
        if (pf_key_compare(&host->pfs[i].key, key) == 0)
            return i;
    return SIZE_MAX;
}

static void pf_renew(struct sim_host *host, struct sim_pf *pf)
{
    pf->link_up = true;
    pf->speed_mbps = pf->model->link_speed_mbps;
    pf->held_count = 0;
    pf_link_changed(pf);
    pf->autoprobe = AUTOPROBE_ON;
    pf->bridge_mode = pf->model->bridge_mode;
    sim_pf_make_vfs(host, pf, pf->boot_vfs);
}

void sim_pf_set_link(struct sim_host *host, struct sim_pf *pf, bool up)
{
    if (pf->link_up == up)
        return;
    pf->link_up = up;
    pf_link_changed(pf);
    sim_host_notify(host, pf);
}

void sim_host_reboot(struct sim_host *host)
{
    host->boot_id = uuid_make((int64_t)rng_next(&host->rng) >> 1, &host->rng);
    sim_domains_reboot(host);
    memset(host->learning_off, 0, sizeof host->learning_off);
    for (size_t i = 0; i < host->pf_count; i++)
        if (host->pfs[i].present)
            pf_renew(host, &host->pfs[i]);
    sim_host_notify(host, NULL);
}

void sim_host_pf_set_present(struct sim_host *host, size_t pf, bool present)
{
    struct sim_pf *to = &host->pfs[pf];
    if (to->present == present)
        return;
    to->present = present;
    if (present)
        pf_renew(host, to);
    else
        for (uint16_t i = 0; i < to->vf_count; i++)
            to->vfs[i].version = ++host->versions;
    sim_host_notify(host, to);
}

void sim_host_pf_set_link(struct sim_host *host, size_t pf, bool up)
{
    sim_pf_set_link(host, &host->pfs[pf], up);
}

void sim_host_pf_set_vfs(struct sim_host *host, size_t pf, uint16_t count)
{
    struct sim_pf *to = &host->pfs[pf];
    if (count > to->total_vfs)
        count = to->total_vfs;
    sim_pf_make_vfs(host, to, count);
    sim_host_notify(host, to);
}

uint16_t sim_host_pf_total_vfs(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].total_vfs;
}

uint8_t sim_host_pf_autoprobe(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].autoprobe;
}

uint8_t sim_host_pf_bridge_mode(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].bridge_mode;
}

void sim_host_pf_set_speed(struct sim_host *host, size_t pf, int32_t mbps)
{
    struct sim_pf *to = &host->pfs[pf];
    if (to->speed_mbps == mbps)
        return;
    to->speed_mbps = mbps;
    pf_link_changed(to);
    for (uint16_t i = 0; i < to->vf_count; i++) {
        struct sim_vf *vf = &to->vfs[i];
        /* igb_check_vf_rate_limit: "Link speed has been changed. VF Transmit
         * rate is disabled". */
        if (to->model->rate_lost_on_speed_change &&
            vf->policy.max_tx_rate_mbps) {
            vf->policy.max_tx_rate_mbps = 0;
            vf->version = ++host->versions;
        }
    }
    sim_host_notify(host, to);
}

void sim_host_pf_set_management(struct sim_host *host, size_t pf,
                                const char *reason)
{
    str_copy(host->pfs[pf].management, reason ? reason : "");
    sim_host_notify(host, NULL);
}

void sim_host_vf_set_present(struct sim_host *host, size_t pf, uint16_t vf,
                             bool present)
{
    struct sim_pf *to = &host->pfs[pf];
    if (vf >= to->vf_count || to->vfs[vf].present == present)
        return;
    to->vfs[vf].present = present;
    if (present)
        sim_kernel_bind(host, to, vf);
    else
        to->vfs[vf].external = NULL;
    to->vfs[vf].version = ++host->versions;
    sim_host_notify(host, to);
}

void sim_host_vf_set_external(struct sim_host *host, size_t pf, uint16_t vf,
                              const char *why)
{
    if (vf >= host->pfs[pf].vf_count)
        return;
    host->pfs[pf].vfs[vf].external = why ? str_intern(why) : NULL;
    host->pfs[pf].vfs[vf].counted |= why != NULL;
    host->pfs[pf].vfs[vf].version = ++host->versions;
    sim_host_notify(host, &host->pfs[pf]);
}

int sim_host_vf_set_policy(struct sim_host *host, size_t pf, uint16_t vf,
                           const struct policy *policy, uint32_t fields)
{
    struct sim_pf *to = &host->pfs[pf];
    if (!to->present || vf >= to->vf_count)
        return ENODEV;
    for (int g = 0; g < SIM_GROUP_MAX; g++) {
        enum policy_field at_fault = POLICY_FIELD_MAX;
        enum sim_group group = (enum sim_group)g;
        if (!(fields & sim_group_fields(group)))
            continue;
        int refused =
            sim_kernel_write(to, vf, group, policy, fields, &at_fault);
        if (refused)
            return refused;
        to->vfs[vf].version = ++host->versions;
    }
    sim_host_notify(host, to);
    return 0;
}

void sim_host_lose_events(struct sim_host *host)
{
    sim_host_notify(host, NULL);
}

bool sim_host_vf_policy(const struct sim_host *host, size_t pf, uint16_t vf,
                        struct policy *policy)
{
    const struct sim_pf *from = &host->pfs[pf];
    if (!from->present || vf >= from->vf_count || !from->vfs[vf].present)
        return false;
    sim_kernel_read(from, vf, policy);
    return true;
}

bool sim_host_vf_clean(const struct sim_host *host, size_t pf, uint16_t vf)
{
    struct policy now, clean = policy_clean();
    if (!sim_host_vf_policy(host, pf, vf, &now))
        return false;
    const struct sim_vf *state = &host->pfs[pf].vfs[vf];
    clean.set = now.set;
    if (state->own_mac)
        clean.set &= ~POLICY_BIT(POLICY_MAC);
    return !state->external && policy_difference(&clean, &now) == 0;
}

bool sim_host_vf_own_mac(const struct sim_host *host, size_t pf, uint16_t vf)
{
    const struct sim_pf *from = &host->pfs[pf];
    return vf < from->vf_count && from->vfs[vf].own_mac;
}

bool sim_host_vf_external(const struct sim_host *host, size_t pf, uint16_t vf)
{
    const struct sim_pf *from = &host->pfs[pf];
    return vf < from->vf_count && from->vfs[vf].external != NULL;
}

bool sim_host_vf_fresh(const struct sim_host *host, size_t pf, uint16_t vf)
{
    const struct sim_pf *from = &host->pfs[pf];
    return vf < from->vf_count && from->vfs[vf].fresh;
}

struct policy sim_host_vf_made(const struct sim_host *host, size_t pf)
{
    return sim_kernel_default(host->pfs[pf].model);
}

size_t sim_host_held_count(const struct sim_host *host, size_t pf)
{
    return host->pfs[pf].held_count;
}

bool sim_host_holds(const struct sim_host *host, size_t pf,
                    const struct mac *mac)
{
    const struct sim_pf *from = &host->pfs[pf];
    for (size_t i = 0; i < from->held_count; i++)
        if (mac_compare(&from->held[i], mac) == 0)
            return true;
    return false;
}

uint64_t sim_host_vf_version(const struct sim_host *host, size_t pf,
                             uint16_t vf)
{
    const struct sim_pf *from = &host->pfs[pf];
    return vf < from->vf_capacity ? from->vfs[vf].version : 0;
}
