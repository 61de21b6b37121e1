/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin event list [--follow]. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <unistd.h>

static const struct column columns[] = {
    {"SEQUENCE", "sequence", false}, {"AT", "at", false},
    {"TYPE", "type", false},         {"HOST", "host", false},
    {"REASON", "reason", false},     {"MESSAGE", "message", false},
    {"ACTOR", "actor", true},        {"VM_ID", "vm", true},
    {"PORT_ID", "port", true},       {"REQUEST_ID", "request_id", true},
};

/* One page after 'after'; *after moves to its last event. */
static int print_page(struct cli *cli, uint64_t *after, size_t *count)
{
    auto_free char *path = mem_printf("/v1/events?limit=1000&after=%llu",
                                      (unsigned long long)*after);
    json_t *body = NULL;
    int status = cli_call(cli, "GET", path, NULL, &body);
    if (status)
        return status;
    const json_t *items = json_object_get(body, "items");
    *count = json_array_size(items);
    if (*count)
        *after = (uint64_t)json_integer_value(
            json_object_get(json_array_get(items, *count - 1), "sequence"));
    if (*count || !cli_option(cli, "follow"))
        status = cli_print_list(cli, items, columns,
                                sizeof columns / sizeof *columns);
    fflush(stdout);
    json_decref(body);
    return status;
}

static int run_list(struct cli *cli)
{
    uint64_t after = 0;
    const char *text = cli_option(cli, "after");
    if (text && !str_to_u64(text, 10, INT64_MAX, &after))
        return cli_fail("--after '%s' is no sequence number", text);
    for (;;) {
        size_t count = 0;
        int status = print_page(cli, &after, &count);
        if (status || (count < 1000 && !cli_option(cli, "follow")))
            return status;
        if (count == 0)
            sleep(1);
    }
}

static const struct option_spec list_options[] = {
    {"after", "SEQUENCE", "only events after this one"},
    {"follow", NULL, "go on showing new ones until interrupted"},
};

const struct command event_commands[] = {
    {"event", "list", "", 0, 0, "List what happened, oldest first",
     "The newest 10,000 events are kept.", "sriov-admin event list --follow",
     list_options, 2, run_list},
};
const size_t event_command_count =
    sizeof event_commands / sizeof *event_commands;
