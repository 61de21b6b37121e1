/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin token …: list, create, delete. */
#include "cli/cli.h"

#include "common/base/mem.h"

#include <stdio.h>

static const struct column columns[] = {
    {"NAME", "name", false},
    {"ROLE", "role", false},
    {"CREATED_AT", "created_at", false},
};

static int run_list(struct cli *cli)
{
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/tokens", "", &items);
    if (status == 0)
        status = cli_print_list(cli, items, columns, 3);
    json_decref(items);
    return status;
}

static int run_create(struct cli *cli)
{
    const char *role = cli_option(cli, "role");
    json_t *request = json_pack("{s:s,s:s}", "name", cli->arguments[0], "role",
                                role ? role : "viewer");
    if (!request)
        return cli_fail("name and role must be valid UTF-8");
    json_t *body = NULL;
    int status = cli_call(cli, "POST", "/v1/tokens", request, &body);
    json_decref(request);
    if (status == 0 && cli->output == OUTPUT_TABLE)
        puts(json_string_value(json_object_get(body, "token")));
    else if (status == 0)
        status = cli_print_one(cli, body, columns, 3);
    json_decref(body);
    return status;
}

static int run_delete(struct cli *cli)
{
    auto_free char *question =
        mem_printf("Delete the token '%s'?", cli->arguments[0]);
    if (!cli_confirm(cli, question))
        return 1;
    auto_free char *path = cli_path("/v1/tokens/{}", cli->arguments[0]);
    return cli_call(cli, "DELETE", path, NULL, NULL);
}

static const struct option_spec create_options[] = {
    {"role", "ROLE", "viewer (default), operator or admin"},
};
static const struct option_spec yes_options[] = {
    {"yes", NULL, "do not ask"},
};

const struct command token_commands[] = {
    {"token", "list", "", 0, 0, "List the clients' tokens (not their secrets)",
     "", "sriov-admin token list", NULL, 0, run_list},
    {"token", "create", "NAME", 1, 1, "Make a token; shows it once", "",
     "sriov-admin token create ci --role operator", create_options, 1,
     run_create},
    {"token", "delete", "NAME", 1, 1, "Delete a token", "",
     "sriov-admin token delete ci --yes", yes_options, 1, run_delete},
};
const size_t token_command_count =
    sizeof token_commands / sizeof *token_commands;
