/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin pf …: list, show, capabilities, set. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/model/policy.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"HOST", "host", false},
    {"PF", "key", false},
    {"NETDEV", "netdev", false},
    {"DRIVER", "driver", false},
    {"LINK_UP", "link.up", false},
    {"SPEED_MBPS", "link.speed_mbps", false},
    {"VFS", "num_vfs", false},
    {"FREE", "free_vf_count", false},
    {"ALLOWED", "allowed", false},
    {"PHYSICAL_NETWORK", "physical_network", false},
    {"MANAGEMENT", "management", false},
    {"DEVICE", "device_name", false},
    {"TOTAL_VFS", "total_vfs", true},
    {"VENDOR_ID", "vendor_id", true},
    {"DEVICE_ID", "device_id", true},
    {"VENDOR", "vendor_name", true},
    {"FIRMWARE", "firmware", true},
    {"NUMA_NODE", "numa_node", true},
    {"IOMMU_GROUP", "iommu_group", true},
    {"ESWITCH_MODE", "eswitch_mode", true},
    {"BOND", "bond", true},
    {"MAC", "mac", true},
    {"MTU", "mtu", true},
    {"MANAGEMENT_REASON", "management_reason", true},
};
#define COLUMNS columns, sizeof columns / sizeof *columns

static int run_list(struct cli *cli)
{
    const char *host = cli_option(cli, "host");
    auto_free char *escaped = host ? client_escape(host) : NULL;
    auto_free char *query =
        mem_printf("%s%s", host ? "host=" : "", escaped ? escaped : "");
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/pfs", query, &items);
    if (status == 0)
        status = cli_print_list(cli, items, COLUMNS);
    json_decref(items);
    return status;
}

static int get_pf(struct cli *cli, json_t **body)
{
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", cli->arguments[0], cli->arguments[1]);
    return cli_call(cli, "GET", path, NULL, body);
}

static int run_show(struct cli *cli)
{
    json_t *body = NULL;
    int status = get_pf(cli, &body);
    if (status == 0)
        status = cli_print_one(cli, body, COLUMNS);
    json_decref(body);
    return status;
}

/* {"vlan": {…}, …} as rows of one table, in the order of the fields. */
static int run_capabilities(struct cli *cli)
{
    static const struct column fields[] = {
        {"FIELD", "field", false},   {"SUPPORT", "support", false},
        {"SOURCE", "source", false}, {"MAX", "max", false},
        {"NOTE", "note", false},
    };
    json_t *body = NULL;
    int status = get_pf(cli, &body);
    if (status)
        return status;
    json_t *rows = json_array();
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        const char *name = policy_field_name((enum policy_field)i);
        json_t *row = json_copy(
            json_object_get(json_object_get(body, "capabilities"), name));
        if (!row)
            continue;
        json_object_set_new(row, "field", json_string(name));
        json_array_append_new(rows, row);
    }
    status = cli_print_list(cli, rows, fields, 5);
    json_decref(rows);
    json_decref(body);
    return status;
}

static int run_set(struct cli *cli)
{
    const char *network = cli_option(cli, "physical-network");
    bool allow = cli_option(cli, "allow") != NULL;
    bool deny = cli_option(cli, "deny") != NULL;
    if (allow && deny)
        return cli_fail("--allow and --deny exclude each other");
    const char *speed_text = cli_option(cli, "link-speed-mbps");
    uint64_t speed = 0;
    if (speed_text && !str_to_u64(speed_text, 10, INT32_MAX, &speed))
        return cli_fail("--link-speed-mbps '%s' is no whole number",
                        speed_text);
    if (!network && !allow && !deny && !speed_text)
        return cli_fail("nothing to set; see sriov-admin pf set --help");
    json_t *request = json_object();
    if (allow || deny)
        json_object_set_new(request, "allowed", json_boolean(allow));
    if (network)
        json_object_set_new(request, "physical_network", json_string(network));
    if (speed_text)
        json_object_set_new(request, "link_speed_mbps",
                            json_integer((json_int_t)speed));
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", cli->arguments[0], cli->arguments[1]);
    json_t *body = NULL;
    int status = cli_call(cli, "PATCH", path, request, &body);
    if (status == 0)
        status = cli_print_one(cli, body, COLUMNS);
    json_decref(request);
    json_decref(body);
    return status;
}

static const struct option_spec list_options[] = {
    {"host", "HOST", "of this host only"},
};
static const struct option_spec set_options[] = {
    {"allow", NULL, "VFs of this PF may be claimed"},
    {"deny", NULL, "nothing new is placed on this PF"},
    {"physical-network", "NAME",
     "the physical network its port is plugged "
     "into; '' = none"},
    {"link-speed-mbps", "N",
     "your word for the link's speed, used only where the driver tells none; "
     "min rates are promised against it"},
};

const struct command pf_commands[] = {
    {"pf", "list", "", 0, 0, "List the PFs of all hosts", "",
     "sriov-admin pf list --host h17", list_options, 1, run_list},
    {"pf", "show", "HOST PF", 2, 2, "Show one PF",
     "PF is its key: a PCI address, or netdevsimN. -o json shows its VFs too.",
     "sriov-admin pf show h17 0000:3b:00.0", NULL, 0, run_show},
    {"pf", "capabilities", "HOST PF", 2, 2,
     "Show which policy fields a PF accepts, and how that is known", "",
     "sriov-admin pf capabilities h17 0000:3b:00.0", NULL, 0, run_capabilities},
    {"pf", "set", "HOST PF", 2, 2, "Allow a PF for use, map its network",
     "No PF is used before it is allowed. The PF that carries the host's own\n"
     "traffic can't be.",
     "sriov-admin pf set h17 0000:3b:00.0 --allow --physical-network physnet0",
     set_options, 4, run_set},
};
const size_t pf_command_count = sizeof pf_commands / sizeof *pf_commands;
