/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernel modules there are, and which of them drives a PCI device, by
 * depmod's files (modules.dep, modules.alias, modules.builtin and
 * modules.builtin.modinfo: depmod(8), kernel/Documentation/kbuild/kbuild.rst)
 * and modprobe's settings (modprobe.d(5)). */
#pragma once

#include "agent/host/sysfs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* modules.alias has some 20,000 lines: answers are remembered until it is
 * written anew. */
#define MODULES_KNOWN_MAX 16
struct modules { /* zero-initialise */
    char kernel[64];
    int64_t written; /* mtime of modules.alias, ns */
    size_t count;
    struct {
        char modalias[96];
        const char *drivers; /* interned */
    } known[MODULES_KNOWN_MAX];
};

enum module_place {
    MODULE_LOADED,   /* or a part of the kernel, and at work */
    MODULE_BUILTIN,  /* a part of the kernel */
    MODULE_LOADABLE, /* a file of this kernel */
    MODULE_MISSING,
    MODULE_UNKNOWN /* depmod's files of this kernel can't be read */
};
/* Of a driver on the PCI bus whose module has its name. */
enum module_place modules_place(const struct sysfs *sysfs, const char *kernel,
                                const char *name);

/* The modules that know a device, "igbvf" or "a, b", interned; "" = none; NULL
 * = depmod's files can't be read. 'modalias' as in sysfs: "pci:v0000…". */
const char *modules_drivers(struct modules *modules, const struct sysfs *sysfs,
                            const char *kernel, const char *modalias);

/* Was the module barred from loading by itself (blacklist) or at all? */
bool modules_is_barred(const struct sysfs *sysfs, const char *name);
