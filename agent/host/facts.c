/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the host's own facts: see facts.h. */
#include "agent/host/facts.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <string.h>

/* Kernels are built for at most 8192 CPUs (CONFIG_NR_CPUS). */
#define CPU_MAX 8191u

/* Count a CPU list: "0-3,8,10-11". 0 = not a list. */
static uint32_t count_cpus(char *text)
{
    uint32_t count = 0;
    char *rest = text;
    char *part;
    while ((part = strsep(&rest, ","))) {
        char *last = part;
        char *first = strsep(&last, "-");
        uint64_t from = 0;
        uint64_t to = 0;
        if (!str_to_u64(first, 10, CPU_MAX, &from))
            return 0;
        to = from;
        if (last && (!str_to_u64(last, 10, CPU_MAX, &to) || to < from))
            return 0;
        count += (uint32_t)(to - from + 1);
    }
    return count;
}

static void read_cpus(const struct sysfs *sysfs, struct inventory *out,
                      struct notes *notes)
{
    static const char path[] = "sys/devices/system/cpu/online";
    char text[1024];
    struct error err = {0};
    if (sysfs_read(sysfs, path, text, sizeof text, &err) < 0) {
        notes_error(notes, path, &err);
        return;
    }
    out->vcpus = count_cpus(text);
    if (!out->vcpus)
        notes_say(notes, path, "it holds no list of CPUs");
}

static void read_memory(const struct sysfs *sysfs, struct inventory *out,
                        struct notes *notes)
{
    static const char path[] = "proc/meminfo";
    struct error err = {0};
    auto_free char *text = sysfs_read_all(sysfs, path, 64u << 10, &err);
    if (!text) {
        notes_error(notes, path, &err);
        return;
    }
    /* "MemTotal:       24684452 kB" */
    static const char start[] = "MemTotal:";
    char *number = strstr(text, start);
    uint64_t kib = 0;
    if (number) {
        number += strlen(start);
        number += strspn(number, " ");
        number[strcspn(number, " \n")] = '\0';
    }
    if (!number || !str_to_u64(number, 10, HOST_MEMORY_MIB_MAX * 1024, &kib))
        notes_say(notes, path, "it does not tell MemTotal");
    out->memory_mib = kib / 1024;
}

const char *facts_kernel(const struct sysfs *sysfs, struct notes *notes)
{
    static const char path[] = "proc/sys/kernel/osrelease";
    char text[128];
    struct error err = {0};
    if (sysfs_read(sysfs, path, text, sizeof text, &err) < 0)
        notes_error(notes, path, &err);
    else if (!sysfs_is_name(text))
        notes_say(notes, path, "it holds no release");
    else
        return str_intern(text);
    return str_intern("");
}

void facts_read(const struct sysfs *sysfs, struct inventory *out,
                struct notes *notes)
{
    char text[128];
    struct error err = {0};
    read_cpus(sysfs, out, notes);
    read_memory(sysfs, out, notes);
    out->kernel = facts_kernel(sysfs, notes);
    if (sysfs_read(sysfs, "etc/machine-id", text, sizeof text, &err) < 0)
        notes_error(notes, "etc/machine-id", &err);
    else if (!uuid_parse(text, &out->machine_id))
        notes_say(notes, "etc/machine-id", "it holds no machine-id");
}
