/* SPDX-License-Identifier: Apache-2.0 */
/* Reading below a root folder: see sysfs.h. Knows nothing of SR-IOV. */
#include "agent/host/sysfs.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int sysfs_open(struct sysfs *sysfs, const char *root, struct error *err)
{
    int fd = open(*root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_sys(err, errno, "open the root folder '%s'", root);
    sysfs->root = fd;
    sysfs->live = !*root;
    return 0;
}

void sysfs_close(struct sysfs *sysfs)
{
    if (sysfs->root >= 0)
        close(sysfs->root);
    sysfs->root = -1;
}

struct sysfs_path sysfs_path(const char *format, ...)
{
    struct sysfs_path path;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(path.text, sizeof path.text, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof path.text)
        path.text[0] = '\0';
    return path;
}

bool sysfs_is_name(const char *name)
{
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *c = name; *c; c++)
        if (*c <= 0x20 || *c > 0x7e || *c == '/')
            return false;
    return true;
}

bool sysfs_is_netdev_name(const char *name)
{
    return sysfs_is_name(name) && strlen(name) < 16 && !strchr(name, ':');
}

/* A descriptor below the root, or -1 with errno. O_NONBLOCK: a FIFO in a copied
 * tree must not stop us. */
static int open_below(const struct sysfs *sysfs, const char *path,
                      unsigned flags)
{
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    if (!*path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    /* EAGAIN: a rename raced with the walk, openat2(2) says to try again. */
    for (int tries = 0;; tries++) {
        long fd = syscall(SYS_openat2, sysfs->root, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN || tries == 8)
            return (int)fd;
    }
}

bool sysfs_exists(const struct sysfs *sysfs, const char *path)
{
    auto_close int fd = open_below(sysfs, path, O_PATH);
    return fd >= 0;
}

/* Read a descriptor to its end into 'out' (terminated). Returns the length, or
 * -1: errno, EFBIG if it does not fit. */
static ssize_t read_whole(int fd, char *out, size_t size)
{
    size_t have = 0;
    for (;;) {
        ssize_t got = read(fd, out + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        have += (size_t)got;
        if (have == size) {
            errno = EFBIG;
            return -1;
        }
        if (got == 0)
            break;
    }
    out[have] = '\0';
    return (ssize_t)have;
}

int sysfs_open_file(const struct sysfs *sysfs, const char *path)
{
    auto_close int fd = open_below(sysfs, path, O_RDONLY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    return take_fd(fd);
}

int sysfs_read(const struct sysfs *sysfs, const char *path, char *out,
               size_t size, struct error *err)
{
    char text[SYSFS_TEXT_MAX + 1];
    auto_close int fd = sysfs_open_file(sysfs, path);
    ssize_t length = fd < 0 ? -1 : read_whole(fd, text, sizeof text);
    if (length < 0)
        return error_set_sys(err, errno, "read '/%s'", path);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    if ((size_t)length >= size || strlen(text) != (size_t)length)
        return error_set(err, ERROR_CORRUPT, "'/%s' holds no usable text",
                         path);
    memcpy(out, text, (size_t)length + 1);
    return 0;
}

/* A descriptor to its end in new memory that grows with the text; NULL: errno,
 * EFBIG beyond the limit. */
static char *read_growing(int fd, size_t limit)
{
    auto_free char *text = NULL;
    size_t size = 0, have = 0;
    for (;;) {
        if (have == size) {
            if (size > limit) {
                errno = EFBIG;
                return NULL;
            }
            size = size ? 2 * size : SYSFS_TEXT_MAX;
            if (size > limit)
                size = limit + 1;
            text = mem_realloc(text, size, 1);
        }
        ssize_t got = read(fd, text + have, size - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return NULL;
        if (got == 0) {
            text[have] = '\0';
            return take_ptr(text);
        }
        have += (size_t)got;
    }
}

char *sysfs_read_all(const struct sysfs *sysfs, const char *path, size_t limit,
                     struct error *err)
{
    auto_close int fd = sysfs_open_file(sysfs, path);
    char *text = fd < 0 ? NULL : read_growing(fd, limit);
    if (!text)
        error_fill_sys(err, errno, "read '/%s'", path);
    return text;
}

int sysfs_read_number(const struct sysfs *sysfs, const char *path, int64_t min,
                      int64_t max, int64_t *out, struct error *err)
{
    char text[32];
    if (sysfs_read(sysfs, path, text, sizeof text, err) < 0)
        return -1;
    bool negative = text[0] == '-';
    bool hex = str_starts(text, "0x");
    uint64_t value = 0;
    if (!str_to_u64(text + (negative ? 1
                            : hex    ? 2
                                     : 0),
                    hex ? 16 : 10, INT64_MAX, &value))
        return error_set(err, ERROR_CORRUPT, "'/%s' holds no number", path);
    int64_t number = negative ? -(int64_t)value : (int64_t)value;
    if (number < min || number > max)
        return error_set(err, ERROR_RANGE, "'/%s' holds %lld, out of range",
                         path, (long long)number);
    *out = number;
    return 0;
}

size_t sysfs_fields(char *line, char *fields[], size_t max)
{
    size_t count = 0;
    char *rest = line;
    char *field;
    while (count < max && (field = strsep(&rest, " \t")))
        if (*field)
            fields[count++] = field;
    return count;
}

int sysfs_read_link(const struct sysfs *sysfs, const char *path, char *out,
                    size_t size, struct error *err)
{
    auto_close int fd = open_below(sysfs, path, O_PATH | O_NOFOLLOW);
    if (fd < 0)
        return error_set_sys(err, errno, "read the link '/%s'", path);
    char target[SYSFS_TEXT_MAX];
    ssize_t length = readlinkat(fd, "", target, sizeof target);
    if (length < 0)
        return error_set_sys(err, errno == ENOENT ? EINVAL : errno,
                             "read the link '/%s'", path);
    if ((size_t)length >= sizeof target || (size_t)length >= size)
        return error_set(err, ERROR_TOO_LARGE, "the link '/%s' is too long",
                         path);
    memcpy(out, target, (size_t)length);
    out[length] = '\0';
    return 0;
}

int sysfs_link_name(const struct sysfs *sysfs, const char *path, char *out,
                    size_t size, struct error *err)
{
    char target[SYSFS_TEXT_MAX];
    if (sysfs_read_link(sysfs, path, target, sizeof target, err) < 0)
        return -1;
    const char *slash = strrchr(target, '/');
    const char *name = slash ? slash + 1 : target;
    if (!sysfs_is_name(name) || strlen(name) >= size)
        return error_set(err, ERROR_CORRUPT,
                         "the link '/%s' ends in no usable name", path);
    memcpy(out, name, strlen(name) + 1);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int sysfs_list(const struct sysfs *sysfs, const char *path,
               struct sysfs_names *out, struct error *err)
{
    int fd = open_below(sysfs, path, O_RDONLY | O_DIRECTORY);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int saved = errno;
        if (fd >= 0)
            close(fd);
        return error_set_sys(err, saved, "list '/%s'", path);
    }
    struct sysfs_names found = {0};
    const struct dirent *entry;
    while ((entry = readdir(dir)) && found.count < SYSFS_NAMES_MAX) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        mem_grow(&found.names, &found.capacity, found.count,
                 sizeof *found.names);
        found.names[found.count++] = mem_strdup(entry->d_name);
    }
    closedir(dir);
    if (found.count)
        qsort(found.names, found.count, sizeof *found.names, compare_names);
    *out = found;
    return 0;
}

void sysfs_names_done(struct sysfs_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct sysfs_names){0};
}

int sysfs_write(const struct sysfs *sysfs, const char *path, const char *text,
                struct error *err)
{
    if (!sysfs->live)
        return error_set(err, ERROR_PERMISSION,
                         "'/%s' is below --root: a copy is not written", path);
    auto_close int fd = open_below(sysfs, path, O_WRONLY);
    if (fd < 0)
        return error_set_sys(err, errno, "open '/%s' for writing", path);
    size_t length = strlen(text);
    ssize_t put;
    do
        put = write(fd, text, length);
    while (put < 0 && errno == EINTR);
    if (put < 0)
        return error_set_sys(err, errno, "write '%s' to '/%s'", text, path);
    return 0;
}
