/* SPDX-License-Identifier: Apache-2.0 */
/* Files: see file.h. */
#include "common/base/file.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

char *file_read(int dir_fd, const char *path, size_t limit, size_t *length,
                struct error *err)
{
    auto_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_fill_sys(err, errno, "open '%s'", path);
        return NULL;
    }
    /* Files of sysfs tell no useful size: read until the end. */
    auto_free char *text = mem_calloc(limit + 2, 1);
    size_t have = 0;
    while (have <= limit) {
        ssize_t got = read(fd, text + have, limit + 1 - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_fill_sys(err, errno, "read '%s'", path);
            return NULL;
        }
        if (got == 0)
            break;
        have += (size_t)got;
    }
    if (have > limit) {
        error_fill(err, ERROR_TOO_LARGE, 0, "", "'%s' is larger than %zu bytes",
                   path, limit);
        return NULL;
    }
    text[have] = '\0';
    if (length)
        *length = have;
    /* Give back what the bound reserved but the file did not fill. */
    char *fit = mem_realloc(text, have + 1, 1);
    text = NULL;
    return fit;
}

static int write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t put = write(fd, data, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        data += put;
        length -= (size_t)put;
    }
    return 0;
}

static int sync_parent(const char *path, struct error *err)
{
    auto_free char *copy = mem_strdup(path);
    const char *parent = dirname(copy);
    auto_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_set_sys(err, errno, "sync folder '%s'", parent);
    return 0;
}

int file_replace(const char *path, const void *data, size_t length, mode_t mode,
                 struct error *err)
{
    auto_free char *temporary = mem_printf("%s.new", path);
    auto_close int fd =
        open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return error_set_sys(err, errno, "create '%s'", temporary);
    if (fchmod(fd, mode) < 0 || write_all(fd, data, length) < 0 ||
        fsync(fd) < 0) {
        int saved = errno;
        unlink(temporary);
        return error_set_sys(err, saved, "write '%s'", temporary);
    }
    if (rename(temporary, path) < 0) {
        int saved = errno;
        unlink(temporary);
        return error_set_sys(err, saved, "rename to '%s'", path);
    }
    return sync_parent(path, err);
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    auto_free char *copy = mem_strdup(path);
    if (!*copy)
        return error_set(err, ERROR_INVALID, "the name of a folder is empty");
    for (char *slash = strchr(copy + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return error_set_sys(err, errno, "make folder '%s'", copy);
        if (!slash)
            return 0;
        *slash = '/';
    }
}
