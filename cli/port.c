/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin port …: list, show, accelerate, decelerate. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"HOST", "host", false},
    {"VM", "vm_name", false},
    {"PORT", "name", false},
    {"MAC", "mac", false},
    {"PATH", "path", false},
    {"IN_USE", "way.path_in_use", false},
    {"VF", "claim.vf", false},
    {"EVIDENCE", "way.evidence", false},
    {"DEGRADED", "degraded_reason", false},
    {"ID", "id", false},
    {"PF", "claim.pf", true},
    {"INDEX", "claim.vf_index", true},
    {"IN_USE_AT", "way.in_use_at", true},
    {"VF_PLUGGED", "way.vf_plugged", true},
    {"VIRTIO_PLUGGED", "way.virtio_plugged", true},
    {"HELD", "way.held", true},
    {"TAP", "way.tap", true},
    {"NETWORK", "network", true},
    {"POLICY", "policy", true},
    {"PHYSICAL_NETWORK", "physical_network", true},
    {"VNIC_TYPE", "vnic_type", true},
    {"GUEST_FAILOVER", "guest_failover", true},
    {"VM_ID", "vm_id", true},
};
#define COLUMNS columns, sizeof columns / sizeof *columns

static const struct column condition_columns[] = {
    {"CONDITION", "type", false},
    {"STATUS", "status", false},
    {"REASON", "reason", false},
    {"MESSAGE", "message", false},
};

static int run_list(struct cli *cli)
{
    static const char *const filters[] = {"host", "vm"};
    struct str query = {0};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const char *value = cli_option(cli, filters[i]);
        if (!value)
            continue;
        auto_free char *escaped = client_escape(value);
        str_printf(&query, "%s%s=%s", query.length ? "&" : "", filters[i],
                   escaped);
    }
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/ports", str_text(&query), &items);
    str_done(&query);
    if (status == 0)
        status = cli_print_list(cli, items, COLUMNS);
    json_decref(items);
    return status;
}

/* The id of the port that the first argument names: an id, or VM/NAME. 0, or
 * an exit status after it was said why. */
static int find_id(struct cli *cli, char **id)
{
    const char *slash = strchr(cli->arguments[0], '/');
    *id = NULL;
    if (!slash) {
        *id = mem_strdup(cli->arguments[0]);
        return 0;
    }
    auto_free char *name = mem_strdup(cli->arguments[0]);
    name[slash - cli->arguments[0]] = '\0';
    auto_free char *path = cli_path("/v1/vms/{}", name);
    json_t *vm = NULL;
    int status = cli_call(cli, "GET", path, NULL, &vm);
    static const char *const lists[] = {"ports", "devices"};
    for (size_t list = 0; status == 0 && !*id && list < 2; list++) {
        size_t i = 0;
        const json_t *port = NULL;
        json_array_foreach(json_object_get(vm, lists[list]), i, port)
        {
            auto_free char *own = cli_value_text(port, "name");
            if (!*id && strcmp(own, slash + 1) == 0)
                *id = cli_value_text(port, "id");
        }
    }
    json_decref(vm);
    if (status == 0 && !*id)
        status = cli_fail("VM '%s' has no port '%s'; see sriov-admin port "
                          "list --vm %s",
                          name, slash + 1, name);
    return status;
}

static int get_port(struct cli *cli, const char *id, json_t **port)
{
    auto_free char *path = cli_path("/v1/ports/{}", id);
    return cli_call(cli, "GET", path, NULL, port);
}

static int print_port(const struct cli *cli, const json_t *port)
{
    int status = cli_print_one(cli, port, COLUMNS);
    if (status || cli->output != OUTPUT_TABLE || cli->column_count)
        return status;
    putchar('\n');
    return cli_print_list(cli, json_object_get(port, "conditions"),
                          condition_columns,
                          sizeof condition_columns / sizeof *condition_columns);
}

static int run_show(struct cli *cli)
{
    auto_free char *id = NULL;
    json_t *port = NULL;
    int status = find_id(cli, &id);
    if (status == 0)
        status = get_port(cli, id, &port);
    if (status == 0)
        status = print_port(cli, port);
    json_decref(port);
    return status;
}

/* ---- switching ------------------------------------------------------------------ */

/* How far a port is on its way. */
enum progress { GOES_ON, ARRIVED, STUCK };

/* Where no domain runs there is nothing to use a path: then what the host has
 * to do is done with the policy. */
static enum progress path_progress(const json_t *port, bool accelerate)
{
    const json_t *path = cli_condition(port, "PathReady");
    auto_free char *status = cli_value_text(path, "status");
    auto_free char *reason = cli_value_text(path, "reason");
    auto_free char *applied =
        cli_value_text(cli_condition(port, "PolicyApplied"), "status");
    bool claimed = json_is_object(json_object_get(port, "claim"));
    if (strcmp(status, "False") == 0 || strcmp(applied, "False") == 0)
        return STUCK;
    if (!accelerate && claimed)
        return GOES_ON;
    if (strcmp(status, "True") == 0)
        return ARRIVED;
    bool no_domain = strcmp(reason, "NotRunning") == 0 ||
                     strcmp(reason, "LibvirtNotAsked") == 0;
    return no_domain && (!accelerate || strcmp(applied, "True") == 0) ? ARRIVED
                                                                      : GOES_ON;
}

/* Until the port is on its path, stuck, or 'seconds' are over. *port is the
 * newest answer. */
static int wait_path(struct cli *cli, const char *id, uint64_t seconds,
                     bool accelerate, json_t **port)
{
    struct cli_wait wait = cli_wait_begin(seconds);
    for (;;) {
        json_decref(*port);
        *port = NULL;
        int status = get_port(cli, id, port);
        if (status)
            return status;
        const json_t *path = cli_condition(*port, "PathReady");
        auto_free char *reason = cli_value_text(path, "reason");
        auto_free char *message = cli_value_text(path, "message");
        enum progress progress = path_progress(*port, accelerate);
        if (progress == GOES_ON &&
            cli_wait_on(cli, &wait,
                        accelerate ? "waiting for the guest to use the VF"
                                   : "waiting for the guest to let the VF go"))
            continue;
        cli_wait_end(cli);
        if (progress == ARRIVED)
            return 0;
        if (progress == STUCK)
            return cli_fail("%s: %s", reason, message);
        return cli_fail("not there after %llu s: %s; it goes on, see "
                        "sriov-admin port show",
                        (unsigned long long)seconds, message);
    }
}

static int switch_path(struct cli *cli, bool accelerate)
{
    uint64_t seconds = 0;
    auto_free char *id = NULL;
    json_t *port = NULL;
    if (cli_wait_seconds(cli, 120, &seconds))
        return 1;
    int status = find_id(cli, &id);
    if (status)
        return status;
    auto_free char *path = cli_path(
        accelerate ? "/v1/ports/{}/accelerate" : "/v1/ports/{}/decelerate", id);
    status = cli_call(cli, "POST", path, NULL, NULL);
    if (status)
        return status;
    if (cli_option(cli, "wait"))
        status = wait_path(cli, id, seconds, accelerate, &port);
    else
        status = get_port(cli, id, &port);
    int printed = port ? print_port(cli, port) : 0;
    json_decref(port);
    return status ? status : printed;
}

static int run_accelerate(struct cli *cli)
{
    return switch_path(cli, true);
}

static int run_decelerate(struct cli *cli)
{
    return switch_path(cli, false);
}

static const struct option_spec list_options[] = {
    {"host", "HOST", "ports on this host only"},
    {"vm", "VM", "ports of this VM only"},
};
static const struct option_spec accelerate_options[] = {
    {"wait", NULL, "until the guest uses the VF"},
    {"timeout", "SECONDS", "for --wait (default 120)"},
};
static const struct option_spec decelerate_options[] = {
    {"wait", NULL, "until the guest has let the VF go and it is clean"},
    {"timeout", "SECONDS", "for --wait (default 120)"},
};

const struct command port_commands[] = {
    {"port", "list", "", 0, 0,
     "List the ports and devices of VMs with path and evidence", "",
     "sriov-admin port list --vm web-1", list_options, 2, run_list},
    {"port", "show", "PORT", 1, 1, "Show one port: path, VF, evidence",
     "PORT is the id, or VM/NAME.", "sriov-admin port show web-1/eth0", NULL, 0,
     run_show},
    {"port", "accelerate", "PORT", 1, 1, "Bring a port onto a VF of its host",
     "PORT is the id, or VM/NAME. With guest_failover none only while the VM "
     "is "
     "off.\nExit status 2: no VF of the host fits; the reasons are shown.",
     "sriov-admin port accelerate web-1/eth0 --wait", accelerate_options, 2,
     run_accelerate},
    {"port", "decelerate", "PORT", 1, 1,
     "Bring a port onto virtio and give its VF back",
     "PORT is the id, or VM/NAME. With guest_failover none only while the VM "
     "is "
     "off.",
     "sriov-admin port decelerate web-1/eth0 --wait", decelerate_options, 2,
     run_decelerate},
};
const size_t port_command_count = sizeof port_commands / sizeof *port_commands;
