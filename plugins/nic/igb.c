/* SPDX-License-Identifier: Apache-2.0 */
/* Intel 1-Gigabit cards (igb). Sources: Linux 6.1,
 * drivers/net/ethernet/intel/igb/igb_main.c. */
#include "plugins/nic/words.h"

/* igb_netdev_ops: no ndo_get_vf_stats, no ndo_set_vf_link_state;
 * igb_ndo_set_vf_vlan(): EPROTONOSUPPORT for other than 802.1Q;
 * igb_ndo_fdb_add(): ndo_dflt_fdb_add() while a receive address is free. */
static const struct sriov_plugin_word always[] = {
    UNSUPPORTED(SRIOV_SUBJECT_VLAN_PROTO, "igb tags VFs with 802.1q only"),
    UNSUPPORTED(SRIOV_SUBJECT_LINK_STATE, "igb sets no link state of VFs"),
    UNSUPPORTED(SRIOV_SUBJECT_STATISTICS, "igb counts nothing per VF"),
    SUPPORTED(SRIOV_SUBJECT_DUAL_DELIVERY,
              "while the card has a free receive address"),
};

/* igb_ndo_set_vf_bw(): EINVAL for any minimum, without the link (STATUS.LU) and
 * above its speed. */
static const struct sriov_plugin_word rates_of_82576[] = {
    UNSUPPORTED(SRIOV_SUBJECT_MIN_TX_RATE, "igb takes no minimum rate"),
    CONDITIONAL(SRIOV_SUBJECT_MAX_TX_RATE,
                SRIOV_NEEDS_LINK_UP | SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED,
                "igb takes a rate only with the link up, up to its speed"),
};

/* The same function: EOPNOTSUPP for every other card. */
static const struct sriov_plugin_word no_rates[] = {
    UNSUPPORTED(SRIOV_SUBJECT_MIN_TX_RATE, "only the 82576 limits rates"),
    UNSUPPORTED(SRIOV_SUBJECT_MAX_TX_RATE, "only the 82576 limits rates"),
};

/* E1000_DEV_ID_82576... in e1000_hw.h. */
static int is_82576(uint16_t device_id)
{
    static const uint16_t ids[] = {0x10c9, 0x10e6, 0x10e7, 0x10e8,
                                   0x1526, 0x150a, 0x1518, 0x150d};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i] == device_id)
            return 1;
    return 0;
}

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    SAY_ALL(always, say, context);
    if (is_82576(device->device_id))
        SAY_ALL(rates_of_82576, say, context);
    else
        SAY_ALL(no_rates, say, context);
}

static const char *const drivers[] = {"igb", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "igb",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
