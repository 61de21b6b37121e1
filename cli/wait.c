/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for what a host is to do: progress on a terminal, time-outs. */
#include "cli/cli.h"

#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cli_wait cli_wait_begin(uint64_t seconds)
{
    return (struct cli_wait){.began_at = timestamp_monotonic(),
                             .seconds = seconds};
}

static bool shows(const struct cli *cli)
{
    return isatty(STDERR_FILENO) && cli->output == OUTPUT_TABLE;
}

bool cli_wait_on(const struct cli *cli, const struct cli_wait *wait,
                 const char *what)
{
    int64_t passed = timestamp_monotonic() - wait->began_at;
    if (passed > (int64_t)wait->seconds * TIMESTAMP_SECOND)
        return false;
    if (shows(cli))
        fprintf(stderr, "\r\033[K%s (%lld s)", what,
                (long long)(passed / TIMESTAMP_SECOND));
    usleep(200000);
    return true;
}

void cli_wait_end(const struct cli *cli)
{
    if (shows(cli))
        fprintf(stderr, "\r\033[K");
}

const json_t *cli_condition(const json_t *object, const char *type)
{
    size_t i = 0;
    const json_t *condition = NULL;
    json_array_foreach(json_object_get(object, "conditions"), i, condition)
    {
        const char *name =
            json_string_value(json_object_get(condition, "type"));
        if (name && strcmp(name, type) == 0)
            return condition;
    }
    return NULL;
}

int cli_wait_seconds(const struct cli *cli, uint64_t preset, uint64_t *seconds)
{
    const char *text = cli_option(cli, "timeout");
    *seconds = preset;
    if (text && !str_to_u64(text, 10, 86400, seconds))
        return cli_fail("--timeout '%s' is no number of seconds up to 86400",
                        text);
    return 0;
}
