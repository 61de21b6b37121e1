/* SPDX-License-Identifier: Apache-2.0 */
/* Finding PFs: see pf.h. */
#include "agent/host/pf.h"

#include "agent/host/device.h"

#include <stdlib.h>
#include <string.h>

enum pf_sort {
    PF_NONE,
    PF_PLAIN,   /* a network function that never has VFs */
    PF_WITH_VFS /* SR-IOV, of any class */
};

static enum pf_sort sort_of(const struct sysfs *sysfs, const struct pf_key *key)
{
    struct sysfs_path folder = device_folder(key);
    struct sysfs_path path;
    int64_t number = 0;
    struct pci_address address;
    if (!pf_key_pci(key, &address)) {
        path = sysfs_path("%s/sriov_numvfs", folder.text);
        return sysfs_exists(sysfs, path.text) ? PF_WITH_VFS : PF_NONE;
    }
    path = sysfs_path("%s/physfn", folder.text);
    if (sysfs_exists(sysfs, path.text))
        return PF_NONE;
    path = sysfs_path("%s/sriov_totalvfs", folder.text);
    if (sysfs_read_number(sysfs, path.text, 1, UINT16_MAX, &number, NULL) == 0)
        return PF_WITH_VFS;
    path = sysfs_path("%s/class", folder.text);
    if (sysfs_read_number(sysfs, path.text, 0, 0xffffff, &number, NULL) < 0 ||
        device_kind_of_class((uint32_t)number) != DEVICE_NETWORK)
        return PF_NONE;
    return PF_PLAIN;
}

bool pf_is_one(const struct sysfs *sysfs, const struct pf_key *key)
{
    return sort_of(sysfs, key) != PF_NONE;
}

struct finder {
    const struct scan *scan;
    struct pf_key *out;
    size_t count;
    size_t plain_count;
    struct pf_key plain[HOST_PFS_MAX]; /* taken as far as there is room */
    bool cut;
};

static void keep(struct finder *finder, struct pf_key *keys, size_t *count,
                 const struct pf_key *key)
{
    if (*count < HOST_PFS_MAX)
        keys[(*count)++] = *key;
    else
        finder->cut = true;
}

static int add_from(struct finder *finder, const char *folder, bool pci,
                    struct error *err)
{
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(finder->scan->sysfs, folder, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        struct pf_key key;
        struct pci_address address;
        /* The kernel has one name for a device; "000000:01:00.0" is none. */
        if (!pf_key_parse(names.names[i], &key) ||
            strcmp(names.names[i], key.text) != 0 ||
            pf_key_pci(&key, &address) != pci)
            continue;
        enum pf_sort sort = sort_of(finder->scan->sysfs, &key);
        if (sort == PF_WITH_VFS)
            keep(finder, finder->out, &finder->count, &key);
        else if (sort == PF_PLAIN)
            keep(finder, finder->plain, &finder->plain_count, &key);
    }
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    return pf_key_compare(a, b);
}

int pf_find_all(const struct scan *scan, struct pf_key *out, size_t *count,
                struct error *err)
{
    struct finder finder = {.scan = scan, .out = out};
    struct error pci_error = {0};
    int pci = add_from(&finder, "sys/bus/pci/devices", true, &pci_error);
    int simulated = add_from(&finder, "sys/bus/netdevsim/devices", false, NULL);
    for (size_t i = 0; i < finder.plain_count; i++)
        keep(&finder, out, &finder.count, &finder.plain[i]);
    *count = finder.count;
    if (finder.cut)
        notes_say(scan->notes, "PFs", "only %d of them are told", HOST_PFS_MAX);
    if (*count)
        qsort(out, *count, sizeof *out, compare_keys);
    if (pci < 0) {
        notes_error(scan->notes, "/sys/bus/pci/devices", &pci_error);
        if (simulated < 0 && err)
            *err = pci_error;
    }
    return pci < 0 && simulated < 0 ? -1 : 0;
}
