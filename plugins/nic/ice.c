/* SPDX-License-Identifier: Apache-2.0 */
/* Intel 800 series (ice). Sources: Linux 6.1, drivers/net/ethernet/intel/ice. */
#include "plugins/nic/words.h"

/* ice_sriov.c: ice_get_vf_stats(); ice_set_vf_bw(): no check of the maximum, and
 * through ice_min_tx_rate_oversubscribed() EINVAL where all minimum rates of the
 * PF's VFs are above the link's speed; EOPNOTSUPP while DCB is active.
 * ice_main.c: ice_fdb_add(). */
static const struct sriov_plugin_word words[] = {
    SUPPORTED(SRIOV_SUBJECT_STATISTICS, ""),
    SUPPORTED(SRIOV_SUBJECT_DUAL_DELIVERY, ""),
    CONDITIONAL(SRIOV_SUBJECT_MIN_TX_RATE, SRIOV_NEEDS_LINK_SPEED,
                SRIOV_MAX_LINK_SPEED,
                "all VFs' minimum rates share the link's speed; not with DCB"),
};

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    (void)device; /* the same for each of them */
    SAY_ALL(words, say, context);
}

static const char *const drivers[] = {"ice", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "ice",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
