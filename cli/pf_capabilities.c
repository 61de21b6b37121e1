/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin pf capabilities: a row for each field of each PF. */
#include "cli/pf.h"

#include "common/base/mem.h"
#include "common/model/capabilities.h"

#include <string.h>

static void add_row(json_t *rows, const json_t *pf, const char *name)
{
    const json_t *records = json_object_get(pf, "capabilities");
    json_t *row = json_copy(json_object_get(records, name));
    if (!row)
        return;
    json_object_set_new(row, "field", json_string(name));
    json_object_set(row, "host", json_object_get(pf, "host"));
    json_object_set(row, "pf", json_object_get(pf, "key"));
    json_array_append_new(rows, row);
}

/* In the order of the fields, then the traits. */
static void add_rows(json_t *rows, const json_t *pf)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        add_row(rows, pf, policy_field_name((enum policy_field)i));
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        add_row(rows, pf, capability_trait_name((enum capability_trait)i));
}

static int rows_of_one(struct cli *cli, json_t *rows)
{
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", cli->arguments[0], cli->arguments[1]);
    json_t *pf = NULL;
    int status = cli_call(cli, "GET", path, NULL, &pf);
    if (status == 0)
        add_rows(rows, pf);
    json_decref(pf);
    return status;
}

static int rows_of_many(struct cli *cli, json_t *rows)
{
    const char *host = cli->argument_count ? cli->arguments[0] : NULL;
    auto_free char *escaped = host ? client_escape(host) : NULL;
    auto_free char *query = mem_printf("kind=network%s%s", host ? "&host=" : "",
                                       escaped ? escaped : "");
    json_t *pfs = NULL, *pf = NULL;
    size_t i = 0;
    int status = cli_list(cli, "/v1/pfs", query, &pfs);
    json_array_foreach(pfs, i, pf) add_rows(rows, pf);
    json_decref(pfs);
    return status;
}

int pf_run_capabilities(struct cli *cli)
{
    bool one = cli->argument_count == 2;
    const struct column columns[] = {
        {"HOST", "host", one},       {"PF", "pf", one},
        {"FIELD", "field", false},   {"SUPPORT", "support", false},
        {"NEEDS", "needs", false},   {"MAX", "max", false},
        {"SOURCE", "source", false}, {"NOTE", "note", false},
    };
    json_t *rows = json_array();
    int status = one ? rows_of_one(cli, rows) : rows_of_many(cli, rows);
    if (status == 0)
        status = cli_print_list(cli, rows, columns,
                                sizeof columns / sizeof *columns);
    json_decref(rows);
    return status;
}
