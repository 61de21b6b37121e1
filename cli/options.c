/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: NOUN VERB, words and options in any order, help from the
 * same tables. */
#include "cli/cli.h"

#include "common/base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_spec common_options[] = {
    {"server", "URL",
     "the scheduler; else SRIOV_SERVER, else "
     "http://127.0.0.1:8470"},
    {"token-file", "FILE", "file with the token; else SRIOV_TOKEN_FILE"},
    {"output", "table|json|yaml|value", "how to show it (-o)"},
    {"column", "NAME", "show this column only; may be repeated (-c)"},
    {"help", NULL, "this text (-h)"},
};
#define COMMON_COUNT (sizeof common_options / sizeof *common_options)

static const struct {
    const char *noun, *what;
    const struct command *commands;
    const size_t *count;
} nouns[] = {
    {"host", "hosts and their agents", host_commands, &host_command_count},
    {"pf", "physical functions", pf_commands, &pf_command_count},
    {"vf", "virtual functions", vf_commands, &vf_command_count},
    {"vm", "VMs, their ports and claims", vm_commands, &vm_command_count},
    {"port", "paths of ports: VF or virtio", port_commands,
     &port_command_count},
    {"event", "what happened", event_commands, &event_command_count},
    {"token", "clients' tokens", token_commands, &token_command_count},
    {"server", "the scheduler itself", server_commands, &server_command_count},
};
#define NOUN_COUNT (sizeof nouns / sizeof *nouns)

const struct command *cli_command_at(size_t index)
{
    for (size_t n = 0; n < NOUN_COUNT; n++) {
        if (index < *nouns[n].count)
            return &nouns[n].commands[index];
        index -= *nouns[n].count;
    }
    return NULL;
}

static void print_options(const struct option_spec *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", options[i].name,
                 options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        /* What is too wide has its text on a line of its own. */
        printf("  %-27s%s%s\n", left,
               strlen(left) > 27 ? "\n                               " : "  ",
               options[i].help);
    }
}

static void print_overview(void)
{
    printf("usage: sriov-admin NOUN VERB [ARGUMENT...] [OPTION...]\n\n"
           "Commands (each has --help with an example):\n");
    const struct command *command = NULL;
    for (size_t i = 0; (command = cli_command_at(i)); i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s %s", command->noun, command->verb,
                 command->arguments);
        printf("  %-28s %s\n", left, command->summary);
    }
    printf("\nOptions of all commands:\n");
    print_options(common_options, COMMON_COUNT);
    printf("  %-28s %s\n", "--version", "the version");
    printf("\nExit status: 0 done, 1 error, 2 no host fits, 3 conflict, or a "
           "readiness check\nthat failed.\n");
}

static void print_help(const struct command *command)
{
    printf("usage: sriov-admin %s %s%s%s [OPTION...]\n\n%s.\n", command->noun,
           command->verb, *command->arguments ? " " : "", command->arguments,
           command->summary);
    if (*command->details)
        printf("\n%s\n", command->details);
    if (command->option_count) {
        printf("\nOptions:\n");
        print_options(command->options, command->option_count);
    }
    printf("\nOptions of all commands:\n");
    print_options(common_options, COMMON_COUNT);
    printf("\nExample:\n  %s\n", command->example);
}

static int usage_error(const char *what, const char *word)
{
    return cli_fail("%s '%s'; see sriov-admin --help", what, word);
}

static const struct command *find_command(const char *noun, const char *verb)
{
    const struct command *command = NULL;
    for (size_t i = 0; (command = cli_command_at(i)); i++)
        if (strcmp(command->noun, noun) == 0 &&
            strcmp(command->verb, verb) == 0)
            return command;
    return NULL;
}

static bool known_noun(const char *noun)
{
    for (size_t i = 0; i < NOUN_COUNT; i++)
        if (strcmp(nouns[i].noun, noun) == 0)
            return true;
    return false;
}

static const struct option_spec *find_option(const struct command *command,
                                             const char *name, size_t length)
{
    for (size_t i = 0; i < command->option_count + COMMON_COUNT; i++) {
        const struct option_spec *spec =
            i < command->option_count
                ? &command->options[i]
                : &common_options[i - command->option_count];
        if (strlen(spec->name) == length &&
            strncmp(spec->name, name, length) == 0)
            return spec;
    }
    return NULL;
}

static const char *short_name(const char *word)
{
    if (strcmp(word, "-o") == 0)
        return "--output";
    if (strcmp(word, "-c") == 0)
        return "--column";
    if (strcmp(word, "-h") == 0)
        return "--help";
    return word;
}

static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
    const char *word = short_name(argv[*at]) + 2;
    size_t length = strcspn(word, "=");
    const struct option_spec *spec = find_option(cli->command, word, length);
    if (!spec || strncmp(short_name(argv[*at]), "--", 2) != 0)
        return usage_error("unknown option", argv[*at]);
    if (cli->option_count == CLI_OPTIONS_MAX)
        return cli_fail("more than %d options", CLI_OPTIONS_MAX);
    const char *value = "";
    if (word[length] == '=') {
        if (!spec->value)
            return usage_error("no value is taken by option", spec->name);
        value = word + length + 1;
    } else if (spec->value) {
        if (*at + 1 >= argc)
            return usage_error("a value is needed by option", spec->name);
        value = argv[++*at];
    }
    size_t i = cli->option_count++;
    cli->options[i].name = spec->name;
    cli->options[i].value = value;
    return 0;
}

const char *cli_option_at(const struct cli *cli, const char *name, size_t n)
{
    for (size_t i = 0; i < cli->option_count; i++)
        if (strcmp(cli->options[i].name, name) == 0 && n-- == 0)
            return cli->options[i].value;
    return NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < cli->option_count; i++)
        if (strcmp(cli->options[i].name, name) == 0)
            value = cli->options[i].value;
    return value;
}

/* What every command understands: output, columns, server, token. */
static int take_common(struct cli *cli)
{
    static const char *const outputs[] = {"table", "json", "yaml", "value"};
    const char *output = cli_option(cli, "output");
    bool known = !output;
    for (size_t i = 0; output && i < 4; i++)
        if (strcmp(outputs[i], output) == 0) {
            cli->output = (enum output)i;
            known = true;
        }
    if (!known)
        return cli_fail("'%s' is no output format: use table, json, yaml or "
                        "value",
                        output);
    const char *column = NULL;
    while (cli->column_count < CLI_COLUMNS_MAX &&
           (column = cli_option_at(cli, "column", cli->column_count)))
        cli->columns[cli->column_count++] = column;
    const char *environment = getenv("SRIOV_SERVER");
    cli->server = cli_option(cli, "server");
    if (!cli->server)
        cli->server =
            environment && *environment ? environment : "http://127.0.0.1:8470";
    cli->token_file = cli_option(cli, "token-file");
    if (!cli->token_file) {
        environment = getenv("SRIOV_TOKEN_FILE");
        cli->token_file = environment && *environment ? environment : NULL;
    }
    cli->colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    return 0;
}

static int take_words(struct cli *cli, int argc, char **argv, bool *done)
{
    for (int i = 3; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            int status = take_option(cli, argc, argv, &i);
            if (status)
                return status;
            if (cli_option(cli, "help")) {
                print_help(cli->command);
                *done = true;
                return 0;
            }
        } else if (cli->argument_count == cli->command->argument_max) {
            return usage_error("unexpected word", argv[i]);
        } else {
            cli->arguments[cli->argument_count++] = argv[i];
        }
    }
    if (cli->argument_count < cli->command->argument_min)
        return usage_error("missing argument", cli->command->arguments);
    return take_common(cli);
}

int cli_parse(struct cli *cli, int argc, char **argv, bool *done)
{
    *done = true;
    const char *noun = argc > 1 ? argv[1] : "--help";
    const char *verb = argc > 2 ? argv[2] : "";
    if (strcmp(noun, "--version") == 0) {
        printf("sriov-admin %s\n", SRIOV_VERSION);
        return 0;
    }
    if (strcmp(noun, "--help") == 0 || strcmp(noun, "-h") == 0 ||
        strcmp(noun, "help") == 0) {
        print_overview();
        return argc > 1 ? 0 : 1;
    }
    if (!known_noun(noun))
        return usage_error("unknown noun", noun);
    if (!*verb || strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        const struct command *command = NULL;
        printf("sriov-admin %s:\n", noun);
        for (size_t i = 0; (command = cli_command_at(i)); i++)
            if (strcmp(command->noun, noun) == 0)
                printf("  %-10s %-16s %s\n", command->verb, command->arguments,
                       command->summary);
        return *verb ? 0 : 1;
    }
    cli->command = find_command(noun, verb);
    if (!cli->command)
        return usage_error("unknown verb", verb);
    bool helped = false;
    int status = take_words(cli, argc, argv, &helped);
    *done = helped || status != 0;
    return status;
}
