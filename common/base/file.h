/* SPDX-License-Identifier: Apache-2.0 */
/* Files: small reads below a root, durable replacement. */
#pragma once

#include "common/base/error.h"

#include <stddef.h>
#include <sys/types.h>

/* Read a whole small file (at most 'limit' bytes; more = ERROR_TOO_LARGE) into
 * new memory, terminated. 'dir_fd' as for openat (AT_FDCWD for plain paths).
 * Returns NULL on failure. 'length' may be NULL. */
char *file_read(int dir_fd, const char *path, size_t limit, size_t *length,
                struct error *err);
/* Replace 'path' so that after a crash at any instant it holds either the old
 * or the new content: temporary file beside it, fsync, rename, fsync of the
 * folder. 'mode' e.g. 0600. */
int file_replace(const char *path, const void *data, size_t length, mode_t mode,
                 struct error *err);
/* Make a folder and its parents (mode for new ones); fine if it exists. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);
