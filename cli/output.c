/* SPDX-License-Identifier: Apache-2.0 */
/* Output: tables whose columns fit, JSON, YAML, bare values. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const json_t *at_path(const json_t *item, const char *path)
{
    char part[64];
    while (item && *path) {
        size_t length = strcspn(path, ".");
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        item = json_object_get(item, part);
        path += length + (path[length] == '.');
    }
    return item;
}

static bool is_text_list(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_is_array(value);
}

/* "a, b", "-" for an empty one. */
static char *list_text(const json_t *list)
{
    struct str text = {0};
    for (size_t i = 0; i < json_array_size(list); i++)
        str_printf(&text, "%s%s", i ? ", " : "",
                   json_string_value(json_array_get(list, i)));
    return text.length ? str_take(&text) : mem_strdup("-");
}

char *cli_value_text(const json_t *item, const char *path)
{
    const json_t *value = at_path(item, path);
    if (!value || json_is_null(value))
        return mem_strdup("-");
    if (json_is_string(value))
        return mem_strdup(*json_string_value(value) ? json_string_value(value)
                                                    : "-");
    if (json_is_boolean(value))
        return mem_strdup(json_is_true(value) ? "yes" : "no");
    if (is_text_list(value))
        return list_text(value);
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* Which columns to show: those of -c, else all that are not wide. Returns how
 * many, or -1 after saying which name is unknown. */
static int choose(const struct cli *cli, const struct column *columns,
                  size_t count, const struct column **chosen)
{
    int used = 0;
    if (!cli->column_count)
        for (size_t i = 0; i < count && used < CLI_COLUMNS_MAX; i++)
            if (!columns[i].wide || cli->output == OUTPUT_VALUE)
                chosen[used++] = &columns[i];
    for (size_t c = 0; c < cli->column_count; c++) {
        const struct column *found = NULL;
        for (size_t i = 0; i < count; i++)
            if (strcasecmp(columns[i].title, cli->columns[c]) == 0 ||
                strcmp(columns[i].path, cli->columns[c]) == 0)
                found = &columns[i];
        if (!found) {
            fprintf(stderr,
                    "error: no column '%s'; there are:", cli->columns[c]);
            for (size_t i = 0; i < count; i++)
                fprintf(stderr, " %s", columns[i].title);
            fputc('\n', stderr);
            return -1;
        }
        chosen[used++] = found;
    }
    return used;
}

static void print_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY);
    puts(text);
    free(text);
}

static void print_yaml(const json_t *value)
{
    char *text = cli_yaml(value);
    fputs(text, stdout);
    free(text);
}

/* States that an operator should see at once; only on a terminal. */
static const char *colour_of(const char *text)
{
    static const char *const good[] = {"ready", "applied", "True", "free",
                                       "ok"};
    static const char *const bad[] = {"unreachable", "failed",      "rejected",
                                      "False",       "quarantined", "fenced"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(text, good[i]) == 0)
            return "\033[32m";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (strcmp(text, bad[i]) == 0)
            return "\033[31m";
    return "";
}

static void print_cell(const struct cli *cli, const char *text, size_t width,
                       bool last)
{
    const char *colour = cli->colour ? colour_of(text) : "";
    printf("%s%s%s", colour, text, *colour ? "\033[0m" : "");
    if (!last)
        printf("%*s", (int)(width - strlen(text)) + 2, "");
}

static void print_table(const struct cli *cli, const json_t *items,
                        const struct column *const *chosen, size_t columns)
{
    size_t rows = json_array_size(items);
    size_t widths[CLI_COLUMNS_MAX];
    char **cells = mem_calloc(rows * columns, sizeof *cells);
    for (size_t c = 0; c < columns; c++) {
        widths[c] = strlen(chosen[c]->title);
        for (size_t r = 0; r < rows; r++) {
            char *text =
                cli_value_text(json_array_get(items, r), chosen[c]->path);
            cells[r * columns + c] = text;
            if (strlen(text) > widths[c])
                widths[c] = strlen(text);
        }
    }
    for (size_t c = 0; c < columns; c++)
        print_cell(cli, chosen[c]->title, widths[c], c + 1 == columns);
    putchar('\n');
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            print_cell(cli, cells[r * columns + c], widths[c],
                       c + 1 == columns);
            free(cells[r * columns + c]);
        }
        putchar('\n');
    }
    free(cells);
}

static void print_values(const json_t *item, const struct column *const *chosen,
                         size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        auto_free char *text = cli_value_text(item, chosen[c]->path);
        printf("%s%s", c ? "\t" : "", text);
    }
    putchar('\n');
}

int cli_print_list(const struct cli *cli, const json_t *items,
                   const struct column *columns, size_t column_count)
{
    const struct column *chosen[CLI_COLUMNS_MAX];
    int used = choose(cli, columns, column_count, chosen);
    if (used < 0)
        return 1;
    size_t i = 0;
    const json_t *item = NULL;
    switch (cli->output) {
    case OUTPUT_JSON:
        print_json(items);
        break;
    case OUTPUT_YAML:
        print_yaml(items);
        break;
    case OUTPUT_VALUE:
        json_array_foreach(items, i, item)
            print_values(item, chosen, (size_t)used);
        break;
    case OUTPUT_TABLE:
        print_table(cli, items, chosen, (size_t)used);
        break;
    }
    return 0;
}

int cli_print_one(const struct cli *cli, const json_t *item,
                  const struct column *columns, size_t column_count)
{
    const struct column *chosen[CLI_COLUMNS_MAX];
    int used = choose(cli, columns, column_count, chosen);
    if (used < 0)
        return 1;
    size_t width = 0;
    switch (cli->output) {
    case OUTPUT_JSON:
        print_json(item);
        break;
    case OUTPUT_YAML:
        print_yaml(item);
        break;
    case OUTPUT_VALUE:
        print_values(item, chosen, (size_t)used);
        break;
    case OUTPUT_TABLE:
        for (int c = 0; c < used; c++)
            if (strlen(chosen[c]->title) > width)
                width = strlen(chosen[c]->title);
        for (int c = 0; c < used; c++) {
            auto_free char *text = cli_value_text(item, chosen[c]->path);
            print_cell(cli, chosen[c]->title, width, false);
            print_cell(cli, text, 0, true);
            putchar('\n');
        }
        break;
    }
    return 0;
}

/* ---- YAML -------------------------------------------------------------------- */

static bool plain_in_yaml(const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "~",    "y",   "n"};
    if (!isalpha((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0)
            return false;
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_-./", *at))
            return false;
    return true;
}

static void yaml_scalar(struct str *out, const json_t *value)
{
    if (json_is_string(value) && plain_in_yaml(json_string_value(value))) {
        str_add(out, json_string_value(value));
        return;
    }
    /* JSON's scalars and its empty {} and [] are YAML too. */
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    str_add(out, text);
    free(text);
}

static bool yaml_is_block(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value)) ||
           (json_is_array(value) && json_array_size(value));
}

/* Write 'value' at 'indent'; 'inline_first' = the first line continues after
 * "- ". */
static void yaml_value(struct str *out, const json_t *value, int indent,
                       bool inline_first)
{
    if (!yaml_is_block(value)) {
        yaml_scalar(out, value);
        str_add(out, "\n");
        return;
    }
    bool first = inline_first;
    if (json_is_array(value)) {
        size_t i = 0;
        const json_t *item = NULL;
        json_array_foreach(value, i, item)
        {
            str_printf(out, "%*s- ", first ? 0 : indent, "");
            yaml_value(out, item, indent + 2, true);
            first = false;
        }
        return;
    }
    const char *key = NULL;
    json_t *member = NULL;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        str_printf(out, "%*s%s:", first ? 0 : indent, "", key);
        first = false;
        str_add(out, yaml_is_block(member) ? "\n" : " ");
        bool list = json_is_array(member);
        yaml_value(out, member, list ? indent : indent + 2, false);
    }
}

char *cli_yaml(const json_t *value)
{
    struct str out = {0};
    yaml_value(&out, value, 0, false);
    return str_take(&out);
}
