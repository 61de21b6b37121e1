/* SPDX-License-Identifier: Apache-2.0 */
/* Intel 10-Gigabit cards of the 82599 family (ixgbe). Sources: Linux 6.1,
 * drivers/net/ethernet/intel/ixgbe. */
#include "plugins/nic/words.h"

/* ixgbe_main.c: ixgbe_ndo_get_vf_stats(); ixgbe_ndo_fdb_add(): ENOMEM without a
 * free receive address, else ndo_dflt_fdb_add().
 * ixgbe_sriov.c: ixgbe_ndo_get_vf_config() never fills in the link state;
 * ixgbe_ndo_set_vf_bw(): EINVAL for any minimum. */
static const struct sriov_plugin_word always[] = {
    SUPPORTED(SRIOV_SUBJECT_STATISTICS, ""),
    SUPPORTED(SRIOV_SUBJECT_DUAL_DELIVERY,
              "while the card has a free receive address"),
    UNSUPPORTED(SRIOV_SUBJECT_LINK_STATE, "ixgbe never reports it"),
    UNSUPPORTED(SRIOV_SUBJECT_MIN_TX_RATE, "ixgbe takes no minimum rate"),
};

/* ixgbe_ndo_set_vf_bw(): EINVAL while the link is down, at any other speed than
 * 10 Gbit/s, up to 10 Mbit/s, above the link's speed. */
static const struct sriov_plugin_word rate[] = {
    CONDITIONAL(SRIOV_SUBJECT_MAX_TX_RATE,
                SRIOV_NEEDS_LINK_UP | SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED,
                "ixgbe takes 11 Mbit/s up to the link's speed, at 10 Gbit/s"),
};
static const struct sriov_plugin_word no_rate[] = {
    UNSUPPORTED(SRIOV_SUBJECT_MAX_TX_RATE,
                "ixgbe limits rates only on a link of 10 Gbit/s"),
};

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    SAY_ALL(always, say, context);
    if (device->link_speed_mbps && device->link_speed_mbps != 10000)
        SAY_ALL(no_rate, say, context);
    else
        SAY_ALL(rate, say, context);
}

static const char *const drivers[] = {"ixgbe", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "ixgbe",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
