/* SPDX-License-Identifier: Apache-2.0 */
/* NIC plug-ins (plugins/plugin.h): loading them, and asking what they know of a
 * PF. What a plug-in says is checked; one that breaks the rules is asked no
 * more. Nothing here can fail: a host without plug-ins knows less.
 *
 * Threads: one.
 */
#pragma once

#include "common/base/error.h"
#include "common/model/inventory.h"

struct plugins;

#define PLUGINS_MAX 64

struct plugins_config {
    const char *folder; /* its *.so, in the order of their names */
    /* Called for each file that is refused, also later because of what it said;
     * and once with 'file' the folder if that can't be used. May be NULL. */
    void (*refused)(void *context, const char *file, const struct error *err);
    void *context;
};
/* Loads what is good. Folder, the folders above it and the files must belong to
 * root (or to the user that the process runs as) and be writable by nobody
 * else; folders above may have the sticky bit instead. A folder that is not
 * there holds no plug-ins and is not refused. */
struct plugins *plugins_load(const struct plugins_config *config);
void plugins_free(struct plugins *plugins); /* NULL is fine */

struct plugin_facts {
    const char *name, *version, *file; /* borrowed; 'file' with its folder */
    const char *const *drivers;        /* NULL at the end */
};
/* The good ones, by number from 0; false at the end. */
bool plugins_at(const struct plugins *plugins, size_t number,
                struct plugin_facts *facts);

/* What all plug-ins together know of the PF on this kernel: unknown where they
 * say nothing. 'plugins' may be NULL. */
struct capabilities plugins_tell(struct plugins *plugins, const struct pf *pf,
                                 const char *kernel);

/* One answer taken over after checking; INVALID with the reason. Apart for
 * tests. */
struct sriov_plugin_word;
int plugins_take_word(const struct sriov_plugin_word *word, const struct pf *pf,
                      struct capabilities *out, struct error *err);
