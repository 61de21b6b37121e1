/* SPDX-License-Identifier: Apache-2.0 */
/* Files of plug-ins: which there are, and who could have put them there. */
#pragma once

#include "common/base/error.h"

struct plugin_files {
    size_t count;
    char **paths; /* full names, sorted */
};
void plugin_files_done(struct plugin_files *files);
#define auto_plugin_files __attribute__((cleanup(plugin_files_done)))

/* The *.so in the folder, at most 'max'. A folder that is not there holds none.
 * PERMISSION: somebody else than root and this process' user could change the
 * folder, or what leads to it. */
int plugin_files_list(const char *folder, size_t max, struct plugin_files *out,
                      struct error *err);
/* A regular file, no link, that only root and this process' user can change;
 * else PERMISSION. */
int plugin_file_check(const char *path, struct error *err);
