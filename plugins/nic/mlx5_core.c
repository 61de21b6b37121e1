/* SPDX-License-Identifier: Apache-2.0 */
/* NVIDIA ConnectX-4 and later (mlx5_core). Sources: Linux 6.1,
 * drivers/net/ethernet/mellanox/mlx5/core. */
#include "plugins/nic/words.h"

/* en_main.c: mlx5e_get_vf_stats(), from the firmware's counters of the VF's port
 * (mlx5_eswitch_get_vport_stats() in eswitch.c).
 * Whether rates are taken at all is the firmware's to say (MLX5_CAP_QOS in
 * esw/qos.c), and the link's speed is not looked at, so nothing of it is said
 * here. A minimum is a share, weighed against those of the other VFs
 * (esw_qos_normalize_vports_min_rate()), and no reserved bandwidth: docs/plugins.md.
 * Two functions with one MAC get two rules of the same match in the legacy
 * switch (esw_add_uc_addr() in eswitch.c); how the firmware treats them is not
 * told, so neither is dual_delivery. */
static const struct sriov_plugin_word words[] = {
    SUPPORTED(SRIOV_SUBJECT_STATISTICS, ""),
};

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    (void)device; /* the same for each of them */
    SAY_ALL(words, say, context);
}

static const char *const drivers[] = {"mlx5_core", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "mlx5_core",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
