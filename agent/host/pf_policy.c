/* SPDX-License-Identifier: Apache-2.0 */
/* Reading VF policy by netlink for a whole PF, and what reading proves of its
 * capabilities: see pf_policy.h.
 *
 * That is mostly what does not work: a driver that reports no VF policy can't be
 * proven to hold any, and a switch reported as "-1" is not there. A value that
 * reads back as zero says nothing of what could be set. */
#include "agent/host/pf_policy.h"

#include "agent/host/device.h"
#include "agent/host/link.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>

static struct capability proven(enum capability_support support,
                                const char *note)
{
    return (struct capability){.support = (uint8_t)support,
                               .source = CAPABILITY_SOURCE_PROBED,
                               .note = str_intern(note)};
}

static void judge(struct pf *pf, const struct link_vfs *told)
{
    if (!told->reported) {
        pf_policy_none(pf, "the driver reports no VF policy");
        return;
    }
    struct capability *statistics =
        &pf->capabilities.trait[CAPABILITY_TRAIT_STATISTICS];
    if (told->counted)
        *statistics = proven(CAPABILITY_SUPPORTED, "");
    const struct policy *first = NULL;
    for (size_t i = 0; i < told->size && !first; i++)
        if (told->policies[i].set)
            first = &told->policies[i];
    for (int field = 0; first && field < POLICY_FIELD_MAX; field++)
        if (!policy_has(first, (enum policy_field)field))
            pf->capabilities.field[field] =
                proven(CAPABILITY_UNSUPPORTED, "the driver does not report it");
}

void pf_policy_none(struct pf *pf, const char *note)
{
    struct capability none = proven(CAPABILITY_UNSUPPORTED, note);
    for (int field = 0; field < POLICY_FIELD_MAX; field++)
        pf->capabilities.field[field] = none;
    pf->capabilities.trait[CAPABILITY_TRAIT_DUAL_DELIVERY] = none;
    pf->capabilities.trait[CAPABILITY_TRAIT_STATISTICS] = none;
}

void pf_policy_read_reset(const struct scan *scan, struct pf *pf)
{
    struct capability *flr = &pf->capabilities.trait[CAPABILITY_TRAIT_FLR];
    char text[128], note[160];
    if (pf->vf_count == 0)
        return;
    if (!pf->vfs[0].has_address) {
        *flr = proven(CAPABILITY_UNSUPPORTED, "its VFs are no PCI functions");
        return;
    }
    struct pf_key key = pf_key_of_pci(&pf->vfs[0].address);
    struct sysfs_path folder = device_folder(&key);
    struct sysfs_path path = sysfs_path("%s/reset_method", folder.text);
    /* Since Linux 5.15; "flr bus". */
    if (sysfs_read(scan->sysfs, path.text, text, sizeof text, NULL) == 0) {
        bool has = strstr(text, "flr") != NULL;
        snprintf(note, sizeof note, "its VFs are reset by: %s",
                 *text ? text : "nothing");
        *flr = proven(has ? CAPABILITY_SUPPORTED : CAPABILITY_UNSUPPORTED,
                      has ? "" : note);
        return;
    }
    path = sysfs_path("%s/reset", folder.text);
    *flr = sysfs_exists(scan->sysfs, path.text)
               ? proven(CAPABILITY_SUPPORTED, "the kernel does not tell how")
               : proven(CAPABILITY_UNSUPPORTED, "its VFs have no reset");
}

/* Whether the driver counts is asked only with a whole reading of the host;
 * between them what was proven stays. */
static void keep_statistics(const struct pf *known, struct pf *pf)
{
    const struct capability *was =
        &known->capabilities.trait[CAPABILITY_TRAIT_STATISTICS];
    struct capability *is =
        &pf->capabilities.trait[CAPABILITY_TRAIT_STATISTICS];
    bool same = strcmp(known->driver, pf->driver) == 0;
    if (same && was->support == CAPABILITY_SUPPORTED &&
        was->source == CAPABILITY_SOURCE_PROBED)
        *is = *was;
}

/* The kernel counts and lists the VFs of the device right below the network
 * device (dev_num_vf(), rtnl_fill_vf()); with virtio that is no PCI function, and
 * so it knows of none, nor takes anything for them. */
static bool is_blind(const struct scan *scan, const struct pf *pf)
{
    char netdev[NETDEV_NAME_SIZE], virtio[NAME_SIZE];
    struct sysfs_path folder = device_folder(&pf->key);
    device_netdev(scan->sysfs, folder.text, netdev, virtio);
    return virtio[0] != '\0';
}

void pf_policy_read(const struct scan *scan, const struct pf *known,
                    struct pf *pf)
{
    char what[64];
    snprintf(what, sizeof what, "VF policy of %s", pf->key.text);
    if (!scan->route) {
        notes_say(scan->notes, what, SCAN_NEEDS_KERNEL);
        return;
    }
    if (!pf->netdev[0]) {
        notes_say(scan->notes, what, "the PF has no network device here");
        return;
    }
    auto_link_vfs struct link_vfs told = {0};
    struct error err = {0};
    bool statistics = !known && pf->num_vfs <= LINK_STATISTICS_VFS_MAX;
    if (link_read_vfs(scan->route, pf->netdev, statistics, &told, &err) < 0) {
        notes_error(scan->notes, what, &err);
        return;
    }
    int64_t now = timestamp_now();
    size_t missing = 0;
    for (size_t i = 0; i < pf->vf_count; i++) {
        struct vf *vf = &pf->vfs[i];
        if (vf->index < told.size)
            vf->policy = told.policies[vf->index];
        vf->observed_at = now;
        missing += vf->policy.set == 0;
    }
    /* VFs that came in between, or a list that the kernel cut. */
    if (told.reported && missing)
        notes_say(scan->notes, what, "the kernel does not tell of %zu VFs",
                  missing);
    if (told.count || (pf->vf_count && is_blind(scan, pf)))
        judge(pf, &told);
    if (known && told.reported)
        keep_statistics(known, pf);
}
