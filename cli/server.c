/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin server show. */
#include "cli/cli.h"

#include <stdio.h>

static const struct column columns[] = {
    {"VERSION", "version", false},
    {"CLUSTER_ID", "cluster_id", false},
    {"EPOCH", "epoch", false},
};

static int run_show(struct cli *cli)
{
    json_t *body = NULL;
    int status = cli_call(cli, "GET", "/version", NULL, &body);
    if (status == 0)
        status = cli_print_one(cli, body, columns, 3);
    json_decref(body);
    return status;
}

const struct command server_commands[] = {
    {"server", "show", "", 0, 0, "Show the scheduler's version and cluster", "",
     "sriov-admin server show", NULL, 0, run_show},
};
const size_t server_command_count =
    sizeof server_commands / sizeof *server_commands;
