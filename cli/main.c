/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin: the operators' command line. Parses, runs one command of the
 * tables in the nouns' files, and says its exit status. */
#include "cli/cli.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static int open_client(struct cli *cli)
{
    struct error err = {0};
    const struct client_config config = {
        .server = cli->server,
        .token_file = cli->token_file,
        .user_agent = "sriov-admin/" SRIOV_VERSION,
    };
    cli->client = client_new(&config, &err);
    return cli->client ? 0 : cli_problem(&err, NULL);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    bool done = false;
    int status = cli_parse(&cli, argc, argv, &done);
    if (done)
        return status;
    status = open_client(&cli);
    if (status == 0)
        status = cli.command->run(&cli);
    client_free(cli.client);
    if (fflush(stdout) != 0 && status == 0)
        status = cli_fail("can't write the output: is the disk full or the "
                          "pipe closed?");
    return status;
}
