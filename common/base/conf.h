/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: one table per program serves the file (INI, read by inih), the
 * command line (--NAME VALUE) and the --help text. Later sources win: default,
 * file, command line. Unknown sections, names and bad values are refused with
 * file and line. */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conf_type {
    CONF_TEXT, /* char *, owned by the target struct: free by conf_done */
    CONF_U64,  /* uint64_t, min..max */
    CONF_BOOL, /* bool: true/false/yes/no/on/off/1/0; on the command line a flag */
};

struct conf_item {
    const char *section; /* INI section; NULL = only on the command line */
    const char *name;    /* e.g. "listen"; with '-' between words */
    enum conf_type type;
    size_t offset;          /* of the member in the target struct */
    uint64_t min, max;      /* CONF_U64 */
    const char *preset;     /* default, as text; NULL = unset/0/false */
    const char *value_name; /* e.g. "ADDR:PORT" for --help */
    const char *help;       /* one line, with the unit */
};

/* Set all defaults. */
void conf_init(const struct conf_item *items, size_t count, void *target);
int conf_read_file(const struct conf_item *items, size_t count, void *target,
                   const char *path, struct error *err);
/* Handles --name VALUE, --name=VALUE and flags in argv[1..]; stops at the first
 * word that is not an option and returns its index (argc if none), or -1. */
int conf_read_args(const struct conf_item *items, size_t count, void *target,
                   int argc, char **argv, struct error *err);
/* The options part of --help, one item a line, to stdout. */
void conf_print_help(const struct conf_item *items, size_t count);
void conf_done(const struct conf_item *items, size_t count, void *target);
