/* SPDX-License-Identifier: Apache-2.0 */
/* A copied /sys and /proc in a temporary folder, laid out as the kernel lays
 * them out: devices below sys/devices, links to them from sys/bus and
 * sys/class. Included by one test program each, hence the inline functions. */
#pragma once

#include "common/base/file.h"
#include "common/base/mem.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
    char root[64];
};

static inline void tree_begin(struct tree *tree)
{
    snprintf(tree->root, sizeof tree->root, "/tmp/sriov-tree-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree->root));
}

static inline int tree_unlink(const char *path, const struct stat *st, int type,
                              struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline void tree_end(struct tree *tree)
{
    nftw(tree->root, tree_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* The full name of a path below the root, with its folders made; free it. */
static inline char *tree_place(const struct tree *tree, const char *path)
{
    char *full = mem_printf("%s/%s", tree->root, path);
    auto_free char *copy = mem_strdup(full);
    ck_assert_int_eq(file_make_dirs(dirname(copy), 0755, NULL), 0);
    return full;
}

static inline void tree_folder(const struct tree *tree, const char *path)
{
    auto_free char *full = tree_place(tree, path);
    ck_assert_int_eq(file_make_dirs(full, 0755, NULL), 0);
}

/* Write a file; 'text' without the newline that sysfs puts at the end. */
static inline void tree_text(const struct tree *tree, const char *path,
                             const char *text)
{
    auto_free char *full = tree_place(tree, path);
    FILE *file = fopen(full, "w");
    ck_assert_msg(file != NULL, "create %s", full);
    fprintf(file, "%s\n", text);
    ck_assert_int_eq(fclose(file), 0);
}

/* A file of bytes, as 'config' of PCI devices. */
static inline void tree_bytes(const struct tree *tree, const char *path,
                              const void *bytes, size_t size)
{
    auto_free char *full = tree_place(tree, path);
    FILE *file = fopen(full, "w");
    ck_assert_msg(file != NULL, "create %s", full);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void tree_link(const struct tree *tree, const char *path,
                             const char *target)
{
    auto_free char *full = tree_place(tree, path);
    unlink(full);
    ck_assert_msg(symlink(target, full) == 0, "link %s", full);
}

static inline void tree_remove(const struct tree *tree, const char *path)
{
    auto_free char *full = tree_place(tree, path);
    ck_assert_int_eq(nftw(full, tree_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void tree_attribute(const struct tree *tree, const char *folder,
                                  const char *name, const char *text)
{
    auto_free char *path = mem_printf("%s/%s", folder, name);
    tree_text(tree, path, text);
}

/* ---- devices -------------------------------------------------------------- */

struct tree_function {
    const char
        *parent; /* folder below sys/devices, "pci0000:00/0000:00:01.0" */
    const char *address;
    const char *vendor, *device; /* "0x8086" */
    const char *driver;          /* NULL = none */
    int iommu_group;             /* -1 = none */
    const char *class;           /* NULL = "0x020000", Ethernet */
};

/* A PCI function below sys/devices, and its link in sys/bus/pci. */
static inline void tree_pci(const struct tree *tree,
                            const struct tree_function *f)
{
    auto_free char *folder =
        mem_printf("sys/devices/%s/%s", f->parent, f->address);
    tree_attribute(tree, folder, "class", f->class ? f->class : "0x020000");
    tree_attribute(tree, folder, "vendor", f->vendor);
    tree_attribute(tree, folder, "device", f->device);
    tree_attribute(tree, folder, "numa_node", "-1");
    auto_free char *link = mem_printf("sys/bus/pci/devices/%s", f->address);
    auto_free char *target =
        mem_printf("../../../devices/%s/%s", f->parent, f->address);
    tree_link(tree, link, target);
    if (f->driver) {
        auto_free char *driver = mem_printf("%s/driver", folder);
        auto_free char *driver_folder =
            mem_printf("sys/bus/pci/drivers/%s", f->driver);
        auto_free char *to =
            mem_printf("../../../../bus/pci/drivers/%s", f->driver);
        tree_folder(tree, driver_folder);
        tree_link(tree, driver, to);
    }
    if (f->iommu_group >= 0) {
        auto_free char *group = mem_printf("%s/iommu_group", folder);
        auto_free char *to =
            mem_printf("../../../../kernel/iommu_groups/%d", f->iommu_group);
        tree_link(tree, group, to);
    }
}

/* A network device below 'device' (folder below sys/devices, or "virtual"). */
static inline void tree_netdev(const struct tree *tree, const char *device,
                               const char *name, const char *mac, bool up)
{
    auto_free char *folder = mem_printf("sys/devices/%s/net/%s", device, name);
    tree_attribute(tree, folder, "address", mac);
    tree_attribute(tree, folder, "mtu", "1500");
    tree_attribute(tree, folder, "flags", up ? "0x1003" : "0x1002");
    tree_attribute(tree, folder, "dev_port", "0");
    tree_attribute(tree, folder, "type", "1");
    if (up) {
        tree_attribute(tree, folder, "carrier", "1");
        tree_attribute(tree, folder, "speed", "1000");
    }
    auto_free char *link = mem_printf("sys/class/net/%s", name);
    auto_free char *target =
        mem_printf("../../devices/%s/net/%s", device, name);
    tree_link(tree, link, target);
}

/* 'upper' is stacked on 'lower': the links the kernel makes on both sides. */
static inline void tree_stack(const struct tree *tree, const char *upper,
                              const char *lower, bool master)
{
    auto_free char *down =
        mem_printf("sys/class/net/%s/lower_%s", upper, lower);
    auto_free char *up = mem_printf("sys/class/net/%s/upper_%s", lower, upper);
    auto_free char *to_lower = mem_printf("../%s", lower);
    auto_free char *to_upper = mem_printf("../%s", upper);
    tree_link(tree, down, to_lower);
    tree_link(tree, up, to_upper);
    if (master) {
        auto_free char *path = mem_printf("sys/class/net/%s/master", lower);
        tree_link(tree, path, to_upper);
    }
}

/* A file of which the text is bytes in hex, without zeros at the end. */
static inline void tree_load_bytes(const struct tree *tree, const char *path,
                                   const char *hex)
{
    uint8_t bytes[4096] = {0};
    size_t length = strlen(hex) / 2;
    ck_assert_uint_le(length, sizeof bytes);
    for (size_t i = 0; i < length; i++) {
        unsigned byte = 0;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    tree_bytes(tree, path, bytes, sizeof bytes);
}

/* Lay out a tree captured by tests/fixtures/sysfs/capture. */
static inline void tree_load(const struct tree *tree, const char *file)
{
    FILE *in = fopen(file, "r");
    ck_assert_msg(in != NULL, "open %s", file);
    auto_free char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, in)) > 0) {
        line[length - 1] = '\0';
        char *path = line + 2;
        char *text = strchr(path, '|');
        ck_assert_msg(text != NULL, "%s: no '|' in '%s'", file, line);
        *text++ = '\0';
        /* "\\n" is a new line; the text only gets shorter. */
        char *to = text;
        for (const char *from = text; *from; to++, from++)
            if (from[0] == '\\' && from[1] == 'n') {
                *to = '\n';
                from++;
            } else {
                *to = *from;
            }
        *to = '\0';
        if (line[0] == 'L')
            tree_link(tree, path, text);
        else if (line[0] == 'B')
            tree_load_bytes(tree, path, text);
        else if (line[0] == 'D')
            tree_folder(tree, path);
        else
            tree_text(tree, path, text);
    }
    fclose(in);
}

/* ---- a host with an Intel 82576 ------------------------------------------- */

#define TREE_IGB_PF "0000:01:00.0"
#define TREE_IGB_FOLDER "pci0000:00/0000:00:01.0/" TREE_IGB_PF

/* Addresses as the card gives them: offset 128, stride 2. */
static inline void tree_igb_vf_address(int vf, char text[16])
{
    snprintf(text, 16, "0000:01:%02x.%x", 0x10 + vf * 2 / 8, vf * 2 % 8);
}

static inline void tree_igb(const struct tree *tree, int vfs)
{
    tree_pci(tree, &(struct tree_function){.parent = "pci0000:00/0000:00:01.0",
                                           .address = TREE_IGB_PF,
                                           .vendor = "0x8086",
                                           .device = "0x10c9",
                                           .driver = "igb",
                                           .iommu_group = 3});
    tree_text(tree, "sys/devices/" TREE_IGB_FOLDER "/sriov_totalvfs", "7");
    auto_free char *count = mem_printf("%d", vfs);
    tree_text(tree, "sys/devices/" TREE_IGB_FOLDER "/sriov_numvfs", count);
    tree_netdev(tree, TREE_IGB_FOLDER, "eth0", "52:54:00:bb:01:0a", true);
    for (int i = 0; i < vfs; i++) {
        char address[16];
        tree_igb_vf_address(i, address);
        tree_pci(tree,
                 &(struct tree_function){.parent = "pci0000:00/0000:00:01.0",
                                         .address = address,
                                         .vendor = "0x8086",
                                         .device = "0x10ca",
                                         .driver = "igbvf",
                                         .iommu_group = 10 + i});
        auto_free char *device =
            mem_printf("pci0000:00/0000:00:01.0/%s", address);
        auto_free char *name = mem_printf("eth%d", i + 1);
        tree_netdev(tree, device, name, "02:00:00:00:00:01", false);
        auto_free char *link =
            mem_printf("sys/devices/" TREE_IGB_FOLDER "/virtfn%d", i);
        auto_free char *to = mem_printf("../%s", address);
        tree_link(tree, link, to);
        auto_free char *physfn = mem_printf("sys/devices/%s/physfn", device);
        tree_link(tree, physfn, "../" TREE_IGB_PF);
    }
}

/* What every host has: CPUs, memory, kernel, machine-id, names of devices, and
 * routes that lead nowhere near a NIC. */
static inline void tree_host(const struct tree *tree)
{
    tree_text(tree, "sys/devices/system/cpu/online", "0-3,6,8-9");
    tree_text(tree, "proc/meminfo",
              "MemTotal:        2097152 kB\nMemFree:  1000000 kB");
    tree_text(tree, "proc/sys/kernel/osrelease", "6.12.107+deb13-amd64");
    tree_text(tree, "etc/machine-id", "0123456789abcdef0123456789abcdef");
    tree_folder(tree, "sys/class/net");
    tree_folder(tree, "sys/bus/pci/devices");
    tree_text(tree, "usr/share/misc/pci.ids",
              "# comment\n"
              "1af4  Red Hat, Inc.\n"
              "\t1041  Virtio 1.0 network device\n"
              "8086  Intel Corporation\n"
              "\t10c8  Another\n"
              "\t10c9  82576 Gigabit Network Connection\n"
              "\t\t8086 a03c  A subsystem\n"
              "C 02  Network controller");
    tree_text(tree, "proc/net/route",
              "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask"
              "\t\tMTU\tWindow\tIRTT");
}

/* An IPv4 route to 0.0.0.0/0 over a device. */
static inline void tree_default_route(const struct tree *tree,
                                      const char *netdev)
{
    auto_free char *text = mem_printf(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU"
        "\tWindow\tIRTT\n"
        "%s\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "%s\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0",
        netdev, netdev);
    tree_text(tree, "proc/net/route", text);
}
