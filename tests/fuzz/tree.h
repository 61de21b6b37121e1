/* SPDX-License-Identifier: Apache-2.0 */
/* A copied /sys and /proc below a folder, laid out from a text with one place a
 * line, the format of tests/fixtures/sysfs: "F path|text" (a new line in the text
 * is "\n"), "L path|target", "D path|", and "P path|" for a FIFO. What can't be
 * made (a file below a file) is left out. Links are laid, never followed. */
#pragma once

#include "common/base/mem.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TREE_PLACES_MAX 1024 /* folders in between count too */

struct tree {
    char root[64]; /* its folder */
    int fd;
    size_t count;
    char *places[TREE_PLACES_MAX]; /* what was made, in order */
};

/* 'above' is an existing folder, "NAME" its new one. */
static inline void tree_open(struct tree *tree, const char *above,
                             const char *name)
{
    snprintf(tree->root, sizeof tree->root, "%s/%s", above, name);
    if (mkdir(tree->root, 0700) < 0 ||
        (tree->fd = open(tree->root, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
        perror(tree->root);
        abort();
    }
    tree->count = 0;
}

/* Remove everything; in reverse no folder is a link by then. */
static inline void tree_clear(struct tree *tree)
{
    while (tree->count) {
        char *path = tree->places[--tree->count];
        if (unlinkat(tree->fd, path, 0) < 0 &&
            unlinkat(tree->fd, path, AT_REMOVEDIR) < 0) {
            perror(path);
            abort();
        }
        free(path);
    }
}

static inline bool tree_keep(struct tree *tree, const char *path, int result)
{
    if (result < 0)
        return false;
    tree->places[tree->count++] = mem_strdup(path);
    return true;
}

/* The folder of a path, without following a link; -1 if it is none. */
static inline int tree_folder(const struct tree *tree, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, tree->fd, path, &how, sizeof how);
}

/* Make the folders above the last part of 'path' and open the last of them. */
static inline int tree_make_above(struct tree *tree, char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash)
        return tree_folder(tree, ".");
    *slash = '\0';
    int fd = tree_folder(tree, path);
    if (fd < 0 && tree->count + 2 < TREE_PLACES_MAX) {
        auto_close int above = tree_make_above(tree, path);
        const char *last = strrchr(path, '/');
        if (above >= 0 &&
            tree_keep(tree, path, mkdirat(above, last ? last + 1 : path, 0755)))
            fd = tree_folder(tree, path);
    }
    *slash = '/';
    return fd;
}

static inline int tree_write(int folder, const char *name, const char *text)
{
    /* O_EXCL: each file is made once, so no link or FIFO is opened. */
    auto_close int fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    size_t length = strlen(text);
    return fd < 0 || write(fd, text, length) != (ssize_t)length ? -1 : 0;
}

/* One place; 'path' and 'text' may be changed on the way. */
static inline void tree_put(struct tree *tree, char type, char *path,
                            const char *text)
{
    /* Names that the kernel would not take and "..", which would climb. */
    if (strlen(path) > 255 || strstr(path, "..") || strstr(path, "//") ||
        strchr("/.", path[0]))
        return;
    auto_close int above = tree_make_above(tree, path);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (above < 0 || !*name || strcmp(name, ".") == 0 ||
        tree->count == TREE_PLACES_MAX)
        return;
    if (type == 'L')
        tree_keep(tree, path, symlinkat(text, above, name));
    else if (type == 'D')
        tree_keep(tree, path, mkdirat(above, name, 0755));
    else if (type == 'P')
        tree_keep(tree, path, mkfifoat(above, name, 0600));
    else if (type == 'F')
        tree_keep(tree, path, tree_write(above, name, text));
}

/* "\n" becomes a new line; the text only gets shorter. */
static inline void tree_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++, from++) {
        bool line = from[0] == '\\' && from[1] == 'n';
        *to = line ? '\n' : *from;
        from += line;
    }
    *to = '\0';
}

/* Lay out all lines of 'text' (which is cut up); 'outside' replaces a '@' at the
 * beginning of a link's target. */
static inline void tree_lay(struct tree *tree, char *text, const char *outside)
{
    char *line;
    while ((line = strsep(&text, "\n"))) {
        char *target = strchr(line, '|');
        if (!target || target - line < 3 || line[1] != ' ')
            continue;
        *target++ = '\0';
        tree_unescape(target);
        if (line[0] == 'L' && target[0] == '@') {
            auto_free char *full = mem_printf("%s%s", outside, target + 1);
            tree_put(tree, 'L', line + 2, full);
        } else {
            tree_put(tree, line[0], line + 2, target);
        }
    }
}
