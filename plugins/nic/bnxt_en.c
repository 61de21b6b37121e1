/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcom NetXtreme-C/E (bnxt_en). Sources: Linux 6.1,
 * drivers/net/ethernet/broadcom/bnxt. */
#include "plugins/nic/words.h"

/* bnxt_sriov.c, bnxt_set_vf_bw(): EINVAL for either rate above the link's speed;
 * bnxt_set_vf_vlan(): EINVAL with a priority. bnxt.c: bnxt_netdev_ops has no
 * ndo_get_vf_stats. */
static const struct sriov_plugin_word words[] = {
    UNSUPPORTED(SRIOV_SUBJECT_STATISTICS, "bnxt_en counts nothing per VF"),
    UNSUPPORTED(SRIOV_SUBJECT_VLAN_QOS, "bnxt_en sets no priority"),
    CONDITIONAL(SRIOV_SUBJECT_MAX_TX_RATE, SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED, "up to the link's speed"),
    CONDITIONAL(SRIOV_SUBJECT_MIN_TX_RATE, SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED, "up to the link's speed"),
};

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    (void)device; /* the same for each of them */
    SAY_ALL(words, say, context);
}

static const char *const drivers[] = {"bnxt_en", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "bnxt_en",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
