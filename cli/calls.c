/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to the scheduler with the problems told in words. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("error: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 1;
}

static void print_reasons(const json_t *reasons)
{
    size_t i = 0;
    const json_t *reason = NULL;
    json_array_foreach(reasons, i, reason)
    {
        const json_t *example = json_object_get(reason, "example");
        const char *field = json_string_value(json_object_get(reason, "field"));
        auto_free char *message = cli_value_text(example, "message");
        auto_free char *host = cli_value_text(example, "host");
        fprintf(stderr, "  %s%s%s: %lld host%s, e.g. %s: %s\n",
                json_string_value(json_object_get(reason, "reason")),
                field ? " " : "", field ? field : "",
                (long long)json_integer_value(json_object_get(reason, "hosts")),
                json_integer_value(json_object_get(reason, "hosts")) == 1 ? ""
                                                                          : "s",
                host, message);
    }
}

int cli_problem(const struct error *err, const json_t *body)
{
    fprintf(stderr, "error: %s (%s)\n", err->msg, error_code_name(err->code));
    if (err->field[0])
        fprintf(stderr, "  field: %s\n", err->field);
    if (err->remedy[0])
        fprintf(stderr, "  what to do: %s\n", err->remedy);
    print_reasons(json_object_get(body, "reasons"));
    return error_code_exit(err->code) ? error_code_exit(err->code) : 1;
}

int cli_try(struct cli *cli, const char *method, const char *path,
            const json_t *request, json_t **body, struct error *err)
{
    struct client_answer answer = {0};
    int result =
        client_call(cli->client, method, path, request, NULL, 0, &answer, err);
    if (body)
        *body = take_ptr(answer.body);
    client_answer_done(&answer);
    return result;
}

int cli_call(struct cli *cli, const char *method, const char *path,
             const json_t *request, json_t **body)
{
    struct error err = {0};
    json_t *got = NULL;
    int status = 0;
    if (cli_try(cli, method, path, request, &got, &err) < 0)
        status = cli_problem(&err, got);
    if (body && status == 0)
        *body = take_ptr(got);
    json_decref(got);
    return status;
}

int cli_list(struct cli *cli, const char *path, const char *query,
             json_t **items)
{
    json_t *all = json_array();
    auto_free char *marker = NULL;
    do {
        struct str page = {0};
        str_printf(&page, "%s?limit=1000%s%s", path, *query ? "&" : "", query);
        if (marker) {
            auto_free char *escaped = client_escape(marker);
            str_printf(&page, "&marker=%s", escaped);
        }
        json_t *body = NULL;
        int status = cli_call(cli, "GET", str_text(&page), NULL, &body);
        str_done(&page);
        if (status) {
            json_decref(all);
            return status;
        }
        json_array_extend(all, json_object_get(body, "items"));
        free(marker);
        marker =
            mem_strdup(json_string_value(json_object_get(body, "next_marker")));
        json_decref(body);
    } while (marker);
    *items = all;
    return 0;
}

char *cli_path(const char *format, ...)
{
    struct str path = {0};
    va_list args;
    va_start(args, format);
    const char *at = format;
    for (const char *hole = NULL; (hole = strstr(at, "{}")); at = hole + 2) {
        auto_free char *escaped = client_escape(va_arg(args, const char *));
        str_add_bytes(&path, at, (size_t)(hole - at));
        str_add(&path, escaped);
    }
    va_end(args);
    str_add(&path, at);
    return str_take(&path);
}

bool cli_confirm(const struct cli *cli, const char *question)
{
    if (cli_option(cli, "yes"))
        return true;
    if (!isatty(STDIN_FILENO)) {
        cli_fail("%s: say --yes to do it without being asked", question);
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question);
    char answer[8] = "";
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    return answer[0] == 'y' || answer[0] == 'Y';
}
