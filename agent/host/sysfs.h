/* SPDX-License-Identifier: Apache-2.0 */
/* Reading sysfs and procfs below a root folder.
 *
 * Every path is resolved by openat2(2) with RESOLVE_IN_ROOT: links are
 * followed (sysfs consists of them) but none leads out of the root, not even
 * in a hostile copy of a tree. Paths are relative to the root ("sys/bus/...")
 * and built only from parsed addresses and checked names.
 *
 * A file may vanish at any time: then ERROR_VANISHED.
 */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest attribute: a sysfs file is at most a page. */
#define SYSFS_TEXT_MAX 4096
/* Most names of one folder that are looked at. */
#define SYSFS_NAMES_MAX 8192

struct sysfs {
    int root;  /* descriptor of the root folder, O_PATH */
    bool live; /* the running kernel's own: may be written */
};

/* 'root' "" = this machine. */
int sysfs_open(struct sysfs *sysfs, const char *root, struct error *err);
void sysfs_close(struct sysfs *sysfs);

struct sysfs_path {
    char text[256]; /* "" if it did not fit: opens nothing */
};
struct sysfs_path sysfs_path(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* A name that the kernel gives network devices and that is printable ASCII
 * (the kernel allows any bytes but '/', ':' and space). */
bool sysfs_is_netdev_name(const char *name);
/* A name of a driver or another single path component. */
bool sysfs_is_name(const char *name);

bool sysfs_exists(const struct sysfs *sysfs, const char *path);
/* The text without the newline at the end. */
int sysfs_read(const struct sysfs *sysfs, const char *path, char *out,
               size_t size, struct error *err);
/* A whole file of at most 'limit' bytes in new memory, or NULL. */
char *sysfs_read_all(const struct sysfs *sysfs, const char *path, size_t limit,
                     struct error *err);
/* A descriptor of a file for reading at offsets ('config' of PCI devices); -1
 * if there is none, with errno. */
int sysfs_open_file(const struct sysfs *sysfs, const char *path);
/* A whole number, decimal or with 0x, in min..max. */
int sysfs_read_number(const struct sysfs *sysfs, const char *path, int64_t min,
                      int64_t max, int64_t *out, struct error *err);
/* Cut a line of a table at blanks and tabs; returns how many fields, at most
 * 'max'. */
size_t sysfs_fields(char *line, char *fields[], size_t max);
/* Where a link points, as it is written. */
int sysfs_read_link(const struct sysfs *sysfs, const char *path, char *out,
                    size_t size, struct error *err);
/* The last component of it. */
int sysfs_link_name(const struct sysfs *sysfs, const char *path, char *out,
                    size_t size, struct error *err);

/* The names in a folder without "." and "..", sorted. */
struct sysfs_names {
    size_t count, capacity;
    char **names;
};
int sysfs_list(const struct sysfs *sysfs, const char *path,
               struct sysfs_names *out, struct error *err);
void sysfs_names_done(struct sysfs_names *names);
#define auto_names __attribute__((cleanup(sysfs_names_done)))

/* Write an attribute; PERMISSION where the tree is a copy. */
int sysfs_write(const struct sysfs *sysfs, const char *path, const char *text,
                struct error *err);
