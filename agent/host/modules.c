/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel modules: see modules.h. */
#include "agent/host/modules.h"

#include "common/base/error.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (16u << 20)

/* Below /lib or, where that is no link, /usr/lib. */
static int open_file(const struct sysfs *sysfs, const char *kernel,
                     const char *name)
{
    static const char *const places[] = {"lib/modules", "usr/lib/modules"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct sysfs_path path =
            sysfs_path("%s/%s/%s", places[i], kernel, name);
        int fd = sysfs_open_file(sysfs, path.text);
        if (fd >= 0)
            return fd;
    }
    return -1;
}

/* The whole file, terminated (it may have zeros inside), or NULL. */
static char *read_file(const struct sysfs *sysfs, const char *kernel,
                       const char *name, size_t *length)
{
    auto_close int fd = open_file(sysfs, kernel, name);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0 || st.st_size > FILE_MAX)
        return NULL;
    auto_free char *text = mem_calloc((size_t)st.st_size + 1, 1);
    size_t have = 0;
    while (have < (size_t)st.st_size) {
        ssize_t got = read(fd, text + have, (size_t)st.st_size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    *length = have;
    return take_ptr(text);
}

/* Module names are the same with '-' and '_'. */
static bool same_name(const char *text, size_t length, const char *name)
{
    if (strlen(name) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        if ((text[i] == '-' ? '_' : text[i]) !=
            (name[i] == '-' ? '_' : name[i]))
            return false;
    return true;
}

/* Does a line, "kernel/drivers/vfio/pci/vfio-pci.ko.xz: …", begin with the
 * module's file? */
static bool lists(const char *text, const char *name)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        size_t path = strcspn(line, ":\n");
        const char *base = line;
        for (const char *c = line; c < line + path; c++)
            if (*c == '/')
                base = c + 1;
        const char *end = strstr(base, ".ko");
        if (end && end < line + path &&
            same_name(base, (size_t)(end - base), name))
            return true;
        line += length + (line[length] == '\n');
    }
    return false;
}

enum module_place modules_place(const struct sysfs *sysfs, const char *kernel,
                                const char *name)
{
    size_t length = 0;
    struct sysfs_path path = sysfs_path("sys/bus/pci/drivers/%s", name);
    if (sysfs_exists(sysfs, path.text))
        return MODULE_LOADED;
    auto_free char *builtin =
        read_file(sysfs, kernel, "modules.builtin", &length);
    if (builtin && lists(builtin, name))
        return MODULE_BUILTIN;
    auto_free char *files = read_file(sysfs, kernel, "modules.dep", &length);
    if (files && lists(files, name))
        return MODULE_LOADABLE;
    return files ? MODULE_MISSING : MODULE_UNKNOWN;
}

/* ---- drivers of a device ---------------------------------------------------------- */

static void add_driver(struct str *drivers, const char *name, size_t length)
{
    char text[64];
    if (length == 0 || length >= sizeof text)
        return;
    memcpy(text, name, length);
    text[length] = '\0';
    if (!sysfs_is_name(text) || strstr(str_text(drivers), text) ||
        strlen(str_text(drivers)) > 64)
        return;
    str_printf(drivers, "%s%s", *str_text(drivers) ? ", " : "", text);
}

/* "alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf" */
static void search_aliases(char *text, const char *modalias,
                           struct str *drivers)
{
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n"))) {
        if (!str_starts(line, "alias pci:"))
            continue;
        char *pattern = line + strlen("alias ");
        char *name = strchr(pattern, ' ');
        if (!name)
            continue;
        *name++ = '\0';
        if (fnmatch(pattern, modalias, 0) == 0)
            add_driver(drivers, name, strlen(name));
    }
}

/* Texts with a zero behind each: "igbvf.alias=pci:v0000…". */
static void search_builtin(const char *text, size_t length,
                           const char *modalias, struct str *drivers)
{
    static const char mark[] = ".alias=";
    for (const char *item = text; item < text + length;
         item += strlen(item) + 1) {
        const char *at = strstr(item, mark);
        if (at && str_starts(at + strlen(mark), "pci:") &&
            fnmatch(at + strlen(mark), modalias, 0) == 0)
            add_driver(drivers, item, (size_t)(at - item));
    }
}

/* Forget the answers of another kernel and of older files; false: there are no
 * files. */
static bool is_current(struct modules *modules, const struct sysfs *sysfs,
                       const char *kernel)
{
    auto_close int fd = open_file(sysfs, kernel, "modules.alias");
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    int64_t written =
        (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    if (written == modules->written && strcmp(modules->kernel, kernel) == 0)
        return true;
    *modules = (struct modules){.written = written};
    return str_copy(modules->kernel, kernel);
}

const char *modules_drivers(struct modules *modules, const struct sysfs *sysfs,
                            const char *kernel, const char *modalias)
{
    if (!is_current(modules, sysfs, kernel))
        return NULL;
    for (size_t i = 0; i < modules->count; i++)
        if (strcmp(modules->known[i].modalias, modalias) == 0)
            return modules->known[i].drivers;
    size_t length = 0;
    auto_str struct str drivers = {0};
    auto_free char *aliases =
        read_file(sysfs, kernel, "modules.alias", &length);
    if (aliases)
        search_aliases(aliases, modalias, &drivers);
    auto_free char *builtin =
        read_file(sysfs, kernel, "modules.builtin.modinfo", &length);
    if (builtin)
        search_builtin(builtin, length, modalias, &drivers);
    const char *answer = str_intern(str_text(&drivers));
    if (modules->count < MODULES_KNOWN_MAX &&
        str_copy(modules->known[modules->count].modalias, modalias))
        modules->known[modules->count++].drivers = answer;
    return answer;
}

/* ---- modprobe's settings ------------------------------------------------------------- */

/* "blacklist igbvf"; "install igbvf /bin/false" bars it too. */
static bool bars(char *text, const char *name)
{
    char *rest = text;
    char *line;
    while ((line = strsep(&rest, "\n"))) {
        char word[16];
        char module[64];
        char command[64] = "";
        int found = sscanf(line, "%15s %63s %63s", word, module, command);
        if (found < 2 || !same_name(module, strlen(module), name))
            continue;
        if (strcmp(word, "blacklist") == 0 ||
            (strcmp(word, "install") == 0 &&
             (strstr(command, "/false") || strstr(command, "/true"))))
            return true;
    }
    return false;
}

static bool is_barred_in(const struct sysfs *sysfs, const char *folder,
                         const char *name)
{
    auto_names struct sysfs_names files = {0};
    sysfs_list(sysfs, folder, &files, NULL);
    for (size_t i = 0; i < files.count; i++) {
        const char *end = strrchr(files.names[i], '.');
        if (!end || strcmp(end, ".conf") != 0)
            continue;
        struct sysfs_path path = sysfs_path("%s/%s", folder, files.names[i]);
        auto_free char *text = sysfs_read_all(sysfs, path.text, 1u << 20, NULL);
        if (text && bars(text, name))
            return true;
    }
    return false;
}

/* "modprobe.blacklist=igbvf,ixgbevf" among the kernel's arguments. */
static bool is_barred_by_argument(const struct sysfs *sysfs, const char *name)
{
    static const char start[] = "modprobe.blacklist=";
    char text[SYSFS_TEXT_MAX];
    if (sysfs_read(sysfs, "proc/cmdline", text, sizeof text, NULL) < 0)
        return false;
    char *rest = text;
    char *argument;
    while ((argument = strsep(&rest, " \n"))) {
        if (!str_starts(argument, start))
            continue;
        char *list = argument + strlen(start);
        char *module;
        while ((module = strsep(&list, ",")))
            if (same_name(module, strlen(module), name))
                return true;
    }
    return false;
}

bool modules_is_barred(const struct sysfs *sysfs, const char *name)
{
    static const char *const folders[] = {"etc/modprobe.d", "run/modprobe.d",
                                          "usr/lib/modprobe.d",
                                          "lib/modprobe.d"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (is_barred_in(sysfs, folders[i], name))
            return true;
    return is_barred_by_argument(sysfs, name);
}
