/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin: a table of commands (NOUN VERB), one file per noun, and what
 * they share: parsed words and options, the client, the output.
 *
 * One thread. A command returns its exit status: 0 done, 1 error, 2 could not
 * place, 3 conflict (common/base/error.h has them per code) or a check that
 * failed. */
#pragma once

#include "api/client/client.h"
#include "common/base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option_spec {
    const char *name;  /* without the dashes */
    const char *value; /* what to write for its value; NULL = a flag */
    const char *help;
};

struct cli;
struct command {
    const char *noun, *verb;
    const char *arguments; /* "HOST PF", "" = none */
    size_t argument_min, argument_max;
    const char *summary; /* one line */
    const char *details; /* more for --help, "" = none */
    const char *example; /* a whole line to paste */
    const struct option_spec *options;
    size_t option_count;
    int (*run)(struct cli *cli);
};

/* One table per noun. */
extern const struct command host_commands[], pf_commands[], vf_commands[],
    vm_commands[], port_commands[], event_commands[], token_commands[],
    server_commands[];
extern const size_t host_command_count, pf_command_count, vf_command_count,
    vm_command_count, port_command_count, event_command_count,
    token_command_count, server_command_count;

enum output { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_VALUE };

#define CLI_ARGUMENTS_MAX 4
#define CLI_OPTIONS_MAX 64
#define CLI_COLUMNS_MAX 48
struct cli {
    const struct command *command;
    size_t argument_count;
    const char *arguments[CLI_ARGUMENTS_MAX];
    size_t option_count;
    struct {
        const char *name, *value;
    } options[CLI_OPTIONS_MAX];
    enum output output;
    size_t column_count;
    const char *columns[CLI_COLUMNS_MAX]; /* -c, in order */
    bool colour;
    const char *server, *token_file;
    struct client *client;
};

/* ---- words and options (options.c) ---------------------------------------- */
/* Fill 'cli' from the command line. 0, or the exit status to leave with after
 * help or an error was printed (*done says so). */
int cli_parse(struct cli *cli, int argc, char **argv, bool *done);
/* The last value of an option ("" for a flag), NULL = not given. */
const char *cli_option(const struct cli *cli, const char *name);
/* The n-th value of an option that may be repeated, NULL = no more. */
const char *cli_option_at(const struct cli *cli, const char *name, size_t n);
/* Every command of every noun, in the order of the help: NULL at the end. */
const struct command *cli_command_at(size_t index);

/* ---- calls (calls.c) -------------------------------------------------------- */
/* One call; the answer's body as a new reference in *body (NULL where there is
 * none). Returns 0, or prints the problem (with reasons, field and remedy) to
 * stderr and returns its exit status. 'body' may be NULL. */
int cli_call(struct cli *cli, const char *method, const char *path,
             const json_t *request, json_t **body);
/* The same without printing. */
int cli_try(struct cli *cli, const char *method, const char *path,
            const json_t *request, json_t **body, struct error *err);
/* All pages of a list: 'query' without '?', "" = none. *items is an array. */
int cli_list(struct cli *cli, const char *path, const char *query,
             json_t **items);
/* Print a problem as cli_call does; returns its exit status. */
int cli_problem(const struct error *err, const json_t *body);
/* "/v1/hosts/{}/pfs/{}" with each {} replaced by the next text,
 * percent-encoded; free(). */
char *cli_path(const char *format, ...);
/* Print "error: …" to stderr; returns 1. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Ask "… [y/N]" unless --yes; without a terminal --yes is needed. */
bool cli_confirm(const struct cli *cli, const char *question);

/* ---- waiting (wait.c) --------------------------------------------------------- */
struct cli_wait {
    int64_t began_at; /* monotonic, ns */
    uint64_t seconds;
};
struct cli_wait cli_wait_begin(uint64_t seconds);
/* A moment's pause, with 'what' and the time so far shown on a terminal. False:
 * the time is over. */
bool cli_wait_on(const struct cli *cli, const struct cli_wait *wait,
                 const char *what);
void cli_wait_end(const struct cli *cli); /* clears what was shown */
/* --timeout, or 'preset'. 0, or 1 after printing what is wrong. */
int cli_wait_seconds(const struct cli *cli, uint64_t preset, uint64_t *seconds);

/* ---- output (output.c) -------------------------------------------------------- */
/* A column: its title, and the path in an item ("link.speed_mbps"). */
struct column {
    const char *title, *path;
    bool wide; /* only in json, yaml and by -c, not in the default table */
};
/* A list as a table, JSON array, YAML, or bare values (tabs between). */
int cli_print_list(const struct cli *cli, const json_t *items,
                   const struct column *columns, size_t column_count);
/* One object: a two-column table of the columns, or whole as JSON or YAML. */
int cli_print_one(const struct cli *cli, const json_t *item,
                  const struct column *columns, size_t column_count);
/* The value at a path, as text: "-" for null or absent, a list of texts with
 * commas between; free(). */
char *cli_value_text(const json_t *item, const char *path);
/* The condition of this type of an object; NULL = it has none (borrowed). */
const json_t *cli_condition(const json_t *object, const char *type);
/* YAML (1.2, block style) of any JSON value; free(). */
char *cli_yaml(const json_t *value);
