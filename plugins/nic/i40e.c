/* SPDX-License-Identifier: Apache-2.0 */
/* Intel 700 series (i40e). Sources: Linux 6.1, drivers/net/ethernet/intel/i40e. */
#include "plugins/nic/words.h"

/* i40e_virtchnl_pf.c: i40e_get_vf_stats(); i40e_ndo_set_vf_bw(): EINVAL for any
 * minimum. i40e_main.c: i40e_set_bw_limit(): EINVAL above the link's speed, and
 * in steps of 50 Mbit/s (I40E_BW_CREDIT_DIVISOR); i40e_ndo_fdb_add():
 * dev_uc_add_excl() while SR-IOV is enabled. */
static const struct sriov_plugin_word words[] = {
    SUPPORTED(SRIOV_SUBJECT_STATISTICS, ""),
    SUPPORTED(SRIOV_SUBJECT_DUAL_DELIVERY, "while SR-IOV is enabled"),
    UNSUPPORTED(SRIOV_SUBJECT_MIN_TX_RATE, "i40e takes no minimum rate"),
    CONDITIONAL(SRIOV_SUBJECT_MAX_TX_RATE, SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED,
                "up to the link's speed; i40e limits in steps of 50 Mbit/s"),
};

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    (void)device; /* the same for each of them */
    SAY_ALL(words, say, context);
}

static const char *const drivers[] = {"i40e", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "i40e",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
