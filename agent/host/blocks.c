/* SPDX-License-Identifier: Apache-2.0 */
/* Reading block devices and their use: see blocks.h. */
#include "agent/host/blocks.h"

#include "agent/host/device.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX (4u << 20)
#define DEV_TEXT_SIZE 24 /* "259:12" */

void blocks_done(struct blocks *blocks)
{
    free(blocks->items);
    *blocks = (struct blocks){0};
}

/* The tables that are searched for each block device and partition. */
struct tables {
    const struct sysfs *sysfs;
    const char *mounts;              /* /proc/self/mountinfo */
    const char *swaps;               /* /proc/swaps */
    const struct sysfs_names *btrfs; /* file systems in /sys/fs/btrfs */
};

/* The next line of a text in 'line' (cut to its size); NULL at the end. */
static const char *next_line(const char *text, char *line, size_t size)
{
    if (!*text)
        return NULL;
    size_t length = strcspn(text, "\n");
    size_t kept = length < size ? length : size - 1;
    memcpy(line, text, kept);
    line[kept] = '\0';
    return text + length + (text[length] == '\n');
}

/* Is the path the device's node, "/dev/nvme0n1p2"? */
static bool names_device(const char *path, const char *name)
{
    return str_starts(path, "/dev/") && strcmp(path + 5, name) == 0;
}

/* "36 35 259:1 / /data rw,noatime shared:1 - ext4 /dev/nvme0n1p1 rw". A file
 * system over several devices (btrfs) has a number of its own there: then the
 * source tells. */
static bool is_mounted(const struct tables *tables, const char *name,
                       const char *dev, char use[BLOCK_USE_SIZE])
{
    char line[1024];
    const char *rest = tables->mounts;
    while ((rest = next_line(rest, line, sizeof line))) {
        char number[DEV_TEXT_SIZE];
        char place[64];
        char source[64] = "";
        if (sscanf(line, "%*s %*s %23s %*s %63s", number, place) != 2)
            continue;
        const char *behind = strstr(line, " - ");
        if (behind)
            sscanf(behind, " - %*s %63s", source);
        if (strcmp(number, dev) != 0 && !names_device(source, name))
            continue;
        snprintf(use, BLOCK_USE_SIZE, "'%s' is mounted at '%s'", name, place);
        return true;
    }
    return false;
}

static bool is_swap(const struct tables *tables, const char *name)
{
    char line[512];
    const char *rest = tables->swaps;
    while ((rest = next_line(rest, line, sizeof line))) {
        line[strcspn(line, " \t")] = '\0';
        if (names_device(line, name))
            return true;
    }
    return false;
}

static bool is_in_btrfs(const struct tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->btrfs->count; i++) {
        struct sysfs_path path = sysfs_path("sys/fs/btrfs/%s/devices/%s",
                                            tables->btrfs->names[i], name);
        if (sysfs_exists(tables->sysfs, path.text))
            return true;
    }
    return false;
}

/* One block device or partition; 'folder' is its place in sysfs. */
static bool find_use(const struct tables *tables, const char *folder,
                     const char *name, char use[BLOCK_USE_SIZE])
{
    struct sysfs_path path = sysfs_path("%s/holders", folder);
    auto_names struct sysfs_names holders = {0};
    sysfs_list(tables->sysfs, path.text, &holders, NULL);
    if (holders.count) {
        snprintf(use, BLOCK_USE_SIZE, "'%s' is part of '%s'", name,
                 holders.names[0]);
        return true;
    }
    char dev[DEV_TEXT_SIZE] = "";
    path = sysfs_path("%s/dev", folder);
    sysfs_read(tables->sysfs, path.text, dev, sizeof dev, NULL);
    if (is_mounted(tables, name, dev, use))
        return true;
    if (is_swap(tables, name)) {
        snprintf(use, BLOCK_USE_SIZE, "'%s' is swap space", name);
        return true;
    }
    if (is_in_btrfs(tables, name)) {
        snprintf(use, BLOCK_USE_SIZE, "'%s' is part of a btrfs", name);
        return true;
    }
    return false;
}

/* With NVMe multipath the disk is "nvme0n1" below /sys/devices/virtual, and the
 * controller has only a hidden path to it, "nvme0c2n1": subsystem 0, controller
 * 2, namespace 1. */
static void disk_of_path(const char *path, char *disk, size_t size)
{
    static const char digits[] = "0123456789";
    static const char start[] = "nvme";
    if (!str_starts(path, start)) {
        snprintf(disk, size, "%s", path);
        return;
    }
    size_t subsystem = strlen(start) + strspn(path + strlen(start), digits);
    size_t controller =
        path[subsystem] == 'c' ? 1 + strspn(path + subsystem + 1, digits) : 0;
    if (controller > 1 && path[subsystem + controller] == 'n')
        snprintf(disk, size, "%.*s%s", (int)subsystem, path,
                 path + subsystem + controller);
    else
        snprintf(disk, size, "%s", path);
}

/* A disk and its partitions. */
static void read_disk(const struct tables *tables, const char *disk,
                      struct block *out)
{
    struct sysfs_path folder = sysfs_path("sys/block/%s", disk);
    if (find_use(tables, folder.text, disk, out->use))
        return;
    auto_names struct sysfs_names names = {0};
    if (sysfs_list(tables->sysfs, folder.text, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *part = names.names[i];
        if (!str_starts(part, disk))
            continue;
        struct sysfs_path place = sysfs_path("%s/%s", folder.text, part);
        struct sysfs_path mark = sysfs_path("%s/partition", place.text);
        if (sysfs_exists(tables->sysfs, mark.text) &&
            find_use(tables, place.text, part, out->use))
            return;
    }
}

static void read_all(const struct tables *tables, struct blocks *blocks,
                     struct notes *notes)
{
    auto_names struct sysfs_names names = {0};
    struct error err = {0};
    if (sysfs_list(tables->sysfs, "sys/block", &names, &err) < 0) {
        if (err.sys != ENOENT)
            notes_error(notes, "/sys/block", &err);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        char target[SYSFS_TEXT_MAX];
        char disk[64];
        struct device device;
        struct sysfs_path link = sysfs_path("sys/block/%s", names.names[i]);
        if (!sysfs_is_name(names.names[i]) ||
            sysfs_read_link(tables->sysfs, link.text, target, sizeof target,
                            NULL) < 0 ||
            !device_of_path(target, &device) || !device.is_pci)
            continue;
        mem_grow(&blocks->items, &blocks->capacity, blocks->count,
                 sizeof *blocks->items);
        struct block *block = &blocks->items[blocks->count++];
        *block = (struct block){.pci = device.pci};
        disk_of_path(names.names[i], disk, sizeof disk);
        read_disk(tables, disk, block);
    }
}

static char *read_table(const struct sysfs *sysfs, const char *path,
                        struct notes *notes)
{
    struct error err = {0};
    char *text = sysfs_read_all(sysfs, path, TABLE_MAX, &err);
    if (!text && err.sys != ENOENT)
        notes_error(notes, path, &err);
    return text;
}

static void load(struct blocks *blocks, const struct sysfs *sysfs,
                 struct notes *notes)
{
    blocks->loaded = true;
    auto_free char *mounts = read_table(sysfs, "proc/self/mountinfo", notes);
    blocks->blind = !mounts;
    auto_free char *swaps = read_table(sysfs, "proc/swaps", notes);
    auto_names struct sysfs_names btrfs = {0};
    sysfs_list(sysfs, "sys/fs/btrfs", &btrfs, NULL);
    const struct tables tables = {.sysfs = sysfs,
                                  .mounts = mounts ? mounts : "",
                                  .swaps = swaps ? swaps : "",
                                  .btrfs = &btrfs};
    read_all(&tables, blocks, notes);
}

const char *blocks_find(struct blocks *blocks, const struct sysfs *sysfs,
                        struct notes *notes, const struct pci_address *pci)
{
    if (!blocks->loaded)
        load(blocks, sysfs, notes);
    for (size_t i = 0; i < blocks->count; i++) {
        const struct block *block = &blocks->items[i];
        if (pci_compare(&block->pci, pci) != 0)
            continue;
        if (block->use[0])
            return block->use;
        if (blocks->blind)
            return "the host's mounts can't be read";
    }
    return NULL;
}
