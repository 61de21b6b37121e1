/* SPDX-License-Identifier: Apache-2.0 */
/* The example: all that a plug-in needs. It knows netdevsim, the kernel's
 * simulated NIC. Build it anywhere, with a copy of plugin.h:
 *
 *     cc -std=c17 -Wall -shared -fPIC -I /usr/include/sriov -o example.so example.c
 *
 * (there with #include "plugin.h"), and put it into the agent's --plugin-dir as
 * root, mode 0644. */
#include "plugins/plugin.h"

#include <stddef.h>

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    static const struct sriov_plugin_word statistics = {
        .size = sizeof statistics,
        .subject = SRIOV_SUBJECT_STATISTICS,
        .support = SRIOV_SUPPORT_UNSUPPORTED,
        /* drivers/net/netdevsim/netdev.c: nsim_netdev_ops has no
         * ndo_get_vf_stats, so the kernel fills in zeros. */
        .note = "netdevsim counts nothing per VF",
    };
    (void)device; /* the same for each of them */
    say(context, &statistics);
}

static const char *const drivers[] = {"netdevsim", NULL};
const struct sriov_plugin sriov_plugin = {
    .abi = SRIOV_PLUGIN_ABI,
    .size = sizeof sriov_plugin,
    .name = "example",
    .version = "1",
    .drivers = drivers,
    .tell = tell,
};
