/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of host backends against the simulated host, one NIC model
 * after the other. What each refuses is written here from the kernel drivers'
 * ndo_set_vf_* functions, apart from the models, so that a model that is wrong
 * is found. */
#include "agent/host/sim/sim.h"
#include "tests/contract/host/contract.h"

#include <stdio.h>

#define BIT(field) POLICY_BIT(POLICY_##field)

static const struct {
    const char *model;
    uint32_t refuses, forgets;
    bool bridges; /* ndo_bridge_setlink */
} models[] = {
    /* igb: no ndo_set_vf_link_state, min_tx_rate EINVAL, only 802.1Q; measured
     * in the lab on an emulated card. */
    {"intel-82576", BIT(VLAN_PROTO) | BIT(MIN_TX_RATE_MBPS) | BIT(LINK_STATE),
     0, false},
    /* ixgbe: min_tx_rate EINVAL, only 802.1Q; ixgbe_ndo_get_vf_config leaves
     * the link state out. */
    {"intel-82599", BIT(VLAN_PROTO) | BIT(MIN_TX_RATE_MBPS), BIT(LINK_STATE),
     true},
    /* i40e: min_tx_rate EINVAL; only 802.1Q. */
    {"intel-x710", BIT(VLAN_PROTO) | BIT(MIN_TX_RATE_MBPS), 0, true},
    /* mlx5: legacy eswitch takes rates as shares, only 802.1Q. */
    {"nvidia-connectx-6", BIT(VLAN_PROTO), 0, true},
};

static struct sim_host *world;

static struct host_backend *open_sim(void)
{
    struct error err = {0};
    struct host_backend *host = host_sim_open(
        &(struct host_sim_config){.host = world, .with_event_fd = true}, &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    return host;
}

static void close_sim(struct host_backend *host)
{
    host->ops->close(host);
}

static int run(const char *name, uint32_t refuses, uint32_t forgets,
               bool bridges)
{
    struct error err = {0};
    char title[NAME_SIZE + 32];
    snprintf(title, sizeof title, "host contract: simulated %s", name);
    struct sim_host_config config = {.seed = 1,
                                     .networks = 1,
                                     .vfs_limit = 4,
                                     .pf_count = 2,
                                     .pfs = {name, name}};
    world = sim_host_new(&config, &err);
    if (!world) {
        fprintf(stderr, "%s: %s\n", name, err.msg);
        return 1;
    }
    sim_host_pf_set_management(world, 1, "default route");
    struct contract_target target = {.name = title,
                                     .pf = *sim_host_pf_key(world, 0),
                                     .open = open_sim,
                                     .close = close_sim,
                                     .refuses = refuses,
                                     .forgets = forgets,
                                     .bridges = bridges};
    int failures = contract_run(&target);
    sim_host_free(world);
    return failures;
}

int main(void)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        failures += run(models[i].model, models[i].refuses, models[i].forgets,
                        models[i].bridges);
    return failures ? 1 : 0;
}
