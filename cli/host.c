/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin host …: list, show, readiness, enrol, cordon, set, delete. */
#include "cli/cli.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"NAME", "name", false},
    {"STATE", "state", false},
    {"PFS", "pf_count", false},
    {"FREE_VFS", "free_vf_count", false},
    {"VMS", "vm_count", false},
    {"USED_VCPUS", "capacity.used_vcpus", false},
    {"VCPUS", "capacity.vcpus", false},
    {"USED_MIB", "capacity.used_memory_mib", false},
    {"MEMORY_MIB", "capacity.memory_mib", false},
    {"LAST_SEEN", "last_seen_at", false},
    {"READINESS", "readiness.status", false},
    {"REASON", "state_reason", false},
    {"ID", "id", true},
    {"LABELS", "labels", true},
    {"NETWORKS", "networks", true},
    {"UNKNOWN_PORTS", "unknown_to_scheduler", true},
    {"UNREADABLE", "unreadable", true},
    {"AGENT", "agent.version", true},
    {"KERNEL", "kernel", true},
    {"GENERATION", "generation", true},
};
#define COLUMNS columns, sizeof columns / sizeof *columns

static int run_list(struct cli *cli)
{
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/hosts", "", &items);
    if (status == 0)
        status = cli_print_list(cli, items, COLUMNS);
    json_decref(items);
    return status;
}

static int run_show(struct cli *cli)
{
    auto_free char *path = cli_path("/v1/hosts/{}", cli->arguments[0]);
    json_t *body = NULL;
    int status = cli_call(cli, "GET", path, NULL, &body);
    if (status == 0)
        status = cli_print_one(cli, body, COLUMNS);
    json_decref(body);
    return status;
}

/* ---- readiness --------------------------------------------------------------- */

static const struct column check_columns[] = {
    {"CHECK", "name", false},
    {"STATUS", "status", false},
    {"REASON", "reason", false},
    {"REMEDY", "remedy", false},
};
static const struct column readiness_columns[] = {
    {"HOST", "host", false},
    {"STATUS", "status", false},
    {"NOT_OK", "not_ok", false},
};

static bool has_failed(const json_t *item)
{
    const char *status = json_string_value(json_object_get(item, "status"));
    return status && strcmp(status, "failed") == 0;
}

/* Which checks, or hosts, failed: then 3, else 0. */
static int tell_failed(const json_t *items, const char *name_member,
                       const char *about)
{
    struct str names = {0};
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(items, i, item)
    {
        if (has_failed(item))
            str_printf(&names, "%s%s", names.length ? ", " : "",
                       json_string_value(json_object_get(item, name_member)));
    }
    if (names.length)
        cli_fail("%s not ready: %s failed", about, str_text(&names));
    int status = names.length ? 3 : 0;
    str_done(&names);
    return status;
}

static int ready_one(struct cli *cli)
{
    auto_free char *path =
        cli_path("/v1/hosts/{}/readiness", cli->arguments[0]);
    auto_free char *about = mem_printf("host '%s' is", cli->arguments[0]);
    json_t *body = NULL;
    int status = cli_call(cli, "GET", path, NULL, &body);
    const json_t *checks = json_object_get(body, "checks");
    bool whole = cli->output == OUTPUT_JSON || cli->output == OUTPUT_YAML;
    if (status == 0)
        status = whole ? cli_print_one(cli, body, COLUMNS)
                       : cli_print_list(cli, checks, check_columns, 4);
    if (status == 0 && cli->output == OUTPUT_TABLE && !cli->column_count) {
        auto_free char *libvirt = cli_value_text(body, "libvirt_version");
        auto_free char *qemu = cli_value_text(body, "qemu_version");
        auto_free char *kernel = cli_value_text(body, "kernel");
        auto_free char *at = cli_value_text(body, "reported_at");
        printf("\nlibvirt %s, QEMU %s, kernel %s; reported at %s\n", libvirt,
               qemu, kernel, at);
    }
    if (status == 0)
        status = tell_failed(checks, "name", about);
    json_decref(body);
    return status;
}

static int ready_all(struct cli *cli)
{
    json_t *hosts = NULL, *rows = json_array(), *host = NULL;
    size_t i = 0;
    int status = cli_list(cli, "/v1/hosts", "", &hosts);
    json_array_foreach(hosts, i, host)
    {
        json_t *row = json_object();
        json_object_set(row, "host", json_object_get(host, "name"));
        json_object_update(row, json_object_get(host, "readiness"));
        json_array_append_new(rows, row);
    }
    if (status == 0)
        status = cli_print_list(cli, rows, readiness_columns, 3);
    if (status == 0)
        status = tell_failed(rows, "host", "some hosts are");
    json_decref(rows);
    json_decref(hosts);
    return status;
}

static int run_readiness(struct cli *cli)
{
    return cli->argument_count ? ready_one(cli) : ready_all(cli);
}

/* ---- enrolment and changes ------------------------------------------------------- */

/* The token is shown once: to a file of mode 0600, or to the output. */
static int keep_token(const struct cli *cli, const json_t *body)
{
    const char *token = json_string_value(json_object_get(body, "token"));
    const char *file = cli_option(cli, "out");
    if (!token)
        return cli_fail("the scheduler's answer has no token");
    if (!file) {
        puts(token);
        return 0;
    }
    struct error err = {0};
    auto_free char *line = mem_printf("%s\n", token);
    if (file_replace(file, line, strlen(line), 0600, &err) < 0)
        return cli_problem(&err, NULL);
    fprintf(stderr,
            "token written to %s; start the agent on that host with "
            "--name %s --token-file FILE\n",
            file, cli->arguments[0]);
    return 0;
}

static int run_enroll(struct cli *cli)
{
    json_t *request = json_pack("{s:s}", "name", cli->arguments[0]);
    if (!request)
        return cli_fail("the name is not valid UTF-8");
    json_t *body = NULL;
    int status = cli_call(cli, "POST", "/v1/hosts", request, &body);
    json_decref(request);
    if (status == 0)
        status = cli->output == OUTPUT_JSON || cli->output == OUTPUT_YAML
                     ? cli_print_one(cli, body, COLUMNS)
                     : keep_token(cli, body);
    json_decref(body);
    return status;
}

static int patch_host(struct cli *cli, const json_t *request)
{
    auto_free char *path = cli_path("/v1/hosts/{}", cli->arguments[0]);
    json_t *body = NULL;
    int status = cli_call(cli, "PATCH", path, request, &body);
    if (status == 0)
        status = cli_print_one(cli, body, COLUMNS);
    json_decref(body);
    return status;
}

static int run_cordon(struct cli *cli)
{
    bool on = strcmp(cli->command->verb, "cordon") == 0;
    json_t *request = json_pack("{s:b}", "cordoned", on);
    int status = patch_host(cli, request);
    json_decref(request);
    return status;
}

/* "A=B" of a repeated option into 'add'. */
static int each_pair(const struct cli *cli, const char *option,
                     int (*add)(json_t *to, const char *a, const char *b),
                     json_t *to)
{
    const char *value = NULL;
    for (size_t i = 0; (value = cli_option_at(cli, option, i)); i++) {
        const char *equals = strchr(value, '=');
        if (!equals || equals == value)
            return cli_fail("--%s '%s': write it as A=B", option, value);
        auto_free char *left = mem_strdup(value);
        left[equals - value] = '\0';
        if (add(to, left, equals + 1) < 0)
            return cli_fail("--%s '%s' is not valid UTF-8", option, value);
    }
    return 0;
}

static int add_label(json_t *to, const char *key, const char *value)
{
    return json_object_set_new(to, key, json_string(value));
}

static int add_mapping(json_t *to, const char *device, const char *network)
{
    return json_array_append_new(to, json_pack("{s:s,s:s}", "device", device,
                                               "physical_network", network));
}

static int add_ratio(const struct cli *cli, json_t *request, const char *option,
                     const char *member)
{
    const char *text = cli_option(cli, option);
    uint64_t value = 0;
    if (!text)
        return 0;
    if (!str_to_u64(text, 10, 10000, &value))
        return cli_fail("--%s '%s' is no whole number of percent", option,
                        text);
    json_object_set_new(request, member, json_integer((json_int_t)value));
    return 0;
}

static int run_set(struct cli *cli)
{
    json_t *request = json_object();
    int status = 0;
    if (cli_option(cli, "label")) {
        json_t *labels = json_object();
        status = each_pair(cli, "label", add_label, labels);
        json_object_set_new(request, "labels", labels);
    }
    if (status == 0 && cli_option(cli, "network")) {
        json_t *mappings = json_array();
        status = each_pair(cli, "network", add_mapping, mappings);
        json_object_set_new(request, "networks", mappings);
    }
    if (status == 0)
        status = add_ratio(cli, request, "vcpu-ratio", "vcpu_ratio_percent");
    if (status == 0)
        status =
            add_ratio(cli, request, "memory-ratio", "memory_ratio_percent");
    if (status == 0 && json_object_size(request) == 0)
        status = cli_fail("nothing to set; see sriov-admin host set --help");
    if (status == 0)
        status = patch_host(cli, request);
    json_decref(request);
    return status;
}

static int run_delete(struct cli *cli)
{
    auto_free char *question =
        mem_printf("Forget host '%s' and its token?", cli->arguments[0]);
    if (!cli_confirm(cli, question))
        return 1;
    auto_free char *path = cli_path("/v1/hosts/{}", cli->arguments[0]);
    return cli_call(cli, "DELETE", path, NULL, NULL);
}

static const struct option_spec enroll_options[] = {
    {"out", "FILE", "write the token there (mode 0600) instead of showing it"},
};
static const struct option_spec set_options[] = {
    {"label", "KEY=VALUE", "the whole new set of labels; may be repeated"},
    {"network", "DEVICE=PHYSNET",
     "the whole new mapping of the host's bridges "
     "to physical networks; may be repeated"},
    {"vcpu-ratio", "PERCENT",
     "vcpus that may be promised, 100 = no overcommit"},
    {"memory-ratio", "PERCENT", "memory that may be promised, likewise"},
};
static const struct option_spec yes_options[] = {
    {"yes", NULL, "do not ask"},
};

const struct command host_commands[] = {
    {"host", "list", "", 0, 0, "List the hosts with state, VFs and capacity",
     "", "sriov-admin host list -o json", NULL, 0, run_list},
    {"host", "show", "HOST", 1, 1, "Show one host",
     "HOST is the name or the machine-id. -o json has everything: networks,\n"
     "what the agent could not read, ports unknown to the scheduler.",
     "sriov-admin host show h17 -o yaml", NULL, 0, run_show},
    {"host", "readiness", "[HOST]", 0, 1,
     "Show what hosts lack for their VFs to work, and what to do",
     "Without HOST the worst of each host and the names of what is not ok.\n"
     "Exit status 3: a check failed.",
     "sriov-admin host readiness h17", NULL, 0, run_readiness},
    {"host", "enroll", "NAME", 1, 1,
     "Make a host known, or renew its token; shows the token once",
     "Only its hash is kept by the scheduler. Put the token into a file of "
     "mode\n"
     "0600 on the host and start sriov-agent with --name and --token-file.",
     "sriov-admin host enroll h17 --out h17.token", enroll_options, 1,
     run_enroll},
    {"host", "cordon", "HOST", 1, 1, "Place nothing new on a host", "",
     "sriov-admin host cordon h17", NULL, 0, run_cordon},
    {"host", "uncordon", "HOST", 1, 1, "Let a host be used again", "",
     "sriov-admin host uncordon h17", NULL, 0, run_cordon},
    {"host", "set", "HOST", 1, 1, "Set labels, networks and overcommit", "",
     "sriov-admin host set h17 --network br0=physnet0 --label rack=r4",
     set_options, 4, run_set},
    {"host", "delete", "HOST", 1, 1, "Forget a host that has no VMs", "",
     "sriov-admin host delete h17 --yes", yes_options, 1, run_delete},
};
const size_t host_command_count = sizeof host_commands / sizeof *host_commands;
