/* SPDX-License-Identifier: Apache-2.0 */
/* Stacked network devices: see topology.h. */
#include "agent/host/topology.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* The kernel allows 8 levels (MAX_NEST_DEV); a copied tree may hold a circle. */
#define DEPTH_MAX 9
/* Most devices looked at in one walk. */
#define VISITS_MAX 4096

/* Names in the folder of 'netdev' that begin with 'prefix', without it. */
static int linked(const struct sysfs *sysfs, const char *netdev,
                  const char *prefix, struct sysfs_names *out,
                  struct error *err)
{
    struct sysfs_path folder = sysfs_path("sys/class/net/%s", netdev);
    struct sysfs_names names = {0};
    if (sysfs_list(sysfs, folder.text, &names, err) < 0)
        return -1;
    size_t kept = 0;
    for (size_t i = 0; i < names.count; i++) {
        char *name = names.names[i];
        bool wanted = str_starts(name, prefix) &&
                      sysfs_is_netdev_name(name + strlen(prefix));
        if (wanted) {
            memmove(name, name + strlen(prefix),
                    strlen(name + strlen(prefix)) + 1);
            names.names[kept++] = name;
        } else {
            free(name);
        }
    }
    names.count = kept;
    *out = names;
    return 0;
}

int topology_lowers(const struct sysfs *sysfs, const char *netdev,
                    struct sysfs_names *out, struct error *err)
{
    return linked(sysfs, netdev, "lower_", out, err);
}

bool topology_has_upper(const struct sysfs *sysfs, const char *netdev,
                        char *above)
{
    auto_names struct sysfs_names uppers = {0};
    if (linked(sysfs, netdev, "upper_", &uppers, NULL) == 0 && uppers.count) {
        snprintf(above, NETDEV_NAME_SIZE, "%s", uppers.names[0]);
        return true;
    }
    struct sysfs_path master = sysfs_path("sys/class/net/%s/master", netdev);
    return sysfs_link_name(sysfs, master.text, above, NETDEV_NAME_SIZE, NULL) ==
           0;
}

struct walk {
    const struct sysfs *sysfs;
    topology_visit_fn *visit;
    void *context;
    size_t visits, found;
};

static void walk_down(struct walk *walk, const char *netdev, int depth)
{
    if (depth > DEPTH_MAX || walk->visits++ > VISITS_MAX)
        return;
    struct device device;
    if (device_of_netdev(walk->sysfs, netdev, &device)) {
        walk->found++;
        if (walk->visit)
            walk->visit(walk->context, netdev, &device);
    }
    auto_names struct sysfs_names lowers = {0};
    if (topology_lowers(walk->sysfs, netdev, &lowers, NULL) < 0)
        return;
    for (size_t i = 0; i < lowers.count; i++)
        walk_down(walk, lowers.names[i], depth + 1);
}

size_t topology_walk(const struct sysfs *sysfs, const char *netdev,
                     topology_visit_fn *visit, void *context)
{
    struct walk walk = {.sysfs = sysfs, .visit = visit, .context = context};
    walk_down(&walk, netdev, 0);
    return walk.found;
}
