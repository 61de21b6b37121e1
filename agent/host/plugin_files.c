/* SPDX-License-Identifier: Apache-2.0 */
/* Files of plug-ins: see plugin_files.h. Since nobody but the trusted can change
 * the folder, what is checked by name stays so until it is loaded. */
#include "agent/host/plugin_files.h"

#include "common/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void plugin_files_done(struct plugin_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct plugin_files){0};
}

static int check(const char *path, const struct stat *st, bool sticky_is_fine,
                 struct error *err)
{
    const char *kind = S_ISDIR(st->st_mode) ? "folder" : "file";
    if (st->st_uid != 0 && st->st_uid != geteuid()) {
        error_fill(err, ERROR_PERMISSION, 0, "",
                   "the %s '%s' belongs to user %u, not to root", kind, path,
                   (unsigned)st->st_uid);
        error_remedy(err, "chown root:root '%.150s'", path);
        return -1;
    }
    bool others = st->st_mode & (S_IWGRP | S_IWOTH);
    if (others && !(sticky_is_fine && (st->st_mode & S_ISVTX))) {
        error_fill(err, ERROR_PERMISSION, 0, "",
                   "the %s '%s' is writable by others than its owner (mode "
                   "%04o)",
                   kind, path, (unsigned)(st->st_mode & 07777));
        error_remedy(err, "chmod go-w '%.150s'", path);
        return -1;
    }
    return 0;
}

/* The folder and all above it. In a sticky one (/tmp) nobody can move away what
 * belongs to somebody else. */
static int check_folders(const char *folder, struct error *err)
{
    auto_free char *path = mem_strdup(folder);
    for (bool first = true;; first = false) {
        struct stat st;
        if (lstat(path, &st) < 0)
            return error_set_sys(err, errno, "look at '%s'", path);
        if (check(path, &st, !first, err) < 0)
            return -1;
        char *slash = strrchr(path, '/');
        if (!slash || strcmp(path, "/") == 0)
            return 0;
        slash[slash == path ? 1 : 0] = '\0';
    }
}

static bool is_wanted(const char *name)
{
    size_t length = strlen(name);
    return length > 3 && strcmp(name + length - 3, ".so") == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int plugin_files_list(const char *folder, size_t max, struct plugin_files *out,
                      struct error *err)
{
    auto_free char *real = realpath(folder, NULL);
    if (!real && errno == ENOENT)
        return 0;
    if (!real)
        return error_set_sys(err, errno, "look at the folder of plug-ins");
    if (check_folders(real, err) < 0)
        return -1;
    DIR *stream = opendir(real);
    if (!stream)
        return error_set_sys(err, errno, "list the folder of plug-ins");
    size_t capacity = 0;
    const struct dirent *entry;
    while ((entry = readdir(stream))) {
        if (!is_wanted(entry->d_name))
            continue;
        mem_grow(&out->paths, &capacity, out->count, sizeof *out->paths);
        out->paths[out->count++] = mem_printf("%s/%s", real, entry->d_name);
    }
    closedir(stream);
    if (out->count)
        qsort(out->paths, out->count, sizeof *out->paths, compare);
    size_t found = out->count;
    while (out->count > max)
        free(out->paths[--out->count]);
    if (found > max)
        return error_set(err, ERROR_TOO_LARGE,
                         "it holds %zu plug-ins; the first %zu are used", found,
                         max);
    return 0;
}

int plugin_file_check(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return error_set_sys(err, errno, "look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_PERMISSION,
                         "'%s' is no regular file (links are not followed)",
                         path);
    return check(path, &st, false, err);
}
