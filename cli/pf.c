/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin pf …: the table of commands; list and show. */
#include "cli/pf.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"HOST", "host", false},
    {"PF", "key", false},
    {"KIND", "kind", false},
    {"NETDEV", "netdev", false},
    {"DRIVER", "driver", false},
    {"LINK_UP", "link.up", false},
    {"SPEED_MBPS", "link.speed_mbps", false},
    {"VFS", "num_vfs", false},
    {"FREE", "free_vf_count", false},
    {"ALLOWED", "allowed", false},
    {"PHASE", "configuration.phase", false},
    {"PHYSICAL_NETWORK", "physical_network", false},
    {"MANAGEMENT", "management", false},
    {"DEVICE", "device_name", false},
    {"TOTAL_VFS", "total_vfs", true},
    {"WANTED_VFS", "settings.num_vfs", true},
    {"CONFIGURATION", "configuration.condition.message", true},
    {"PROMISED_MBPS", "bandwidth.promised_mbps", true},
    {"PROMISABLE_MBPS", "bandwidth.promisable_mbps", true},
    {"OVER_PROMISED_MBPS", "bandwidth.over_promised_mbps", true},
    {"TX_RATIO_PERCENT", "settings.tx_ratio_percent", true},
    {"VENDOR_ID", "vendor_id", true},
    {"DEVICE_ID", "device_id", true},
    {"VF_DEVICE_ID", "vf_device_id", true},
    {"PCI_CLASS", "pci_class", true},
    {"VENDOR", "vendor_name", true},
    {"FIRMWARE", "firmware", true},
    {"NUMA_NODE", "numa_node", true},
    {"IOMMU_GROUP", "iommu_group", true},
    {"ESWITCH_MODE", "eswitch_mode", true},
    {"BRIDGE_MODE", "bridge_mode", true},
    {"VF_DRIVERS_AUTOPROBE", "vf_drivers_autoprobe", true},
    {"VF_TOTAL_MSIX", "vf_total_msix", true},
    {"BOND", "bond", true},
    {"BOND_MODE", "bond_mode", true},
    {"BOND_SPEED_MBPS", "bond_speed_mbps", true},
    {"BOND_ACTIVE", "bond_active", true},
    {"MAC", "mac", true},
    {"MTU", "mtu", true},
    {"USED_BY", "used_by", true},
    {"VM", "vm_name", true},
    {"MANAGEMENT_REASON", "management_reason", true},
};
#define COLUMN_COUNT (sizeof columns / sizeof *columns)

static int run_list(struct cli *cli)
{
    static const struct {
        const char *option, *parameter;
    } filters[] = {{"host", "host"},
                   {"kind", "kind"},
                   {"driver", "driver"},
                   {"vendor-id", "vendor_id"}};
    auto_str struct str query = {0};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const char *value = cli_option(cli, filters[i].option);
        auto_free char *escaped = value ? client_escape(value) : NULL;
        if (value)
            str_printf(&query, "%s%s=%s", query.length ? "&" : "",
                       filters[i].parameter, escaped);
    }
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/pfs", str_text(&query), &items);
    if (status == 0)
        status = cli_print_list(cli, items, columns, COLUMN_COUNT);
    json_decref(items);
    return status;
}

int pf_print(const struct cli *cli, const json_t *pf)
{
    struct column all[COLUMN_COUNT];
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        all[i] = columns[i];
        all[i].wide = false;
    }
    return cli_print_one(cli, pf, all, COLUMN_COUNT);
}

static int run_show(struct cli *cli)
{
    auto_free char *path =
        cli_path("/v1/hosts/{}/pfs/{}", cli->arguments[0], cli->arguments[1]);
    json_t *body = NULL;
    int status = cli_call(cli, "GET", path, NULL, &body);
    if (status == 0)
        status = pf_print(cli, body);
    json_decref(body);
    return status;
}

static const struct option_spec list_options[] = {
    {"host", "HOST", "of this host only"},
    {"kind", "KIND", "network, storage, display, accelerator or other"},
    {"driver", "NAME", "with this driver only"},
    {"vendor-id", "ID", "with this PCI vendor id only, such as 8086"},
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
    {"tx-ratio", "PERCENT",
     "how much of the link's speed min rates may promise (default 100)"},
    {"num-vfs", "N|observed",
     "how many VFs there are to be; observed: not ours to set"},
    {"vf-drivers-autoprobe", "on|off|keep",
     "whether the kernel binds a driver to new VFs"},
    {"bridge-mode", "veb|vepa|keep",
     "switch between the VFs (veb) or send all to the adjacent switch (vepa)"},
    {"capability", "FIELD=SUPPORT[,NEED...][:MAX]",
     "your word on a field: supported, unsupported, conditional (with link_up, "
     "link_speed) or none, which takes it back; may be repeated"},
    {"wait", NULL, "until the host has applied or refused it"},
    {"timeout", "SECONDS", "for --wait (default 90)"},
};

const struct command pf_commands[] = {
    {"pf", "list", "", 0, 0, "List the PFs of all hosts", "",
     "sriov-admin pf list --host h17", list_options,
     sizeof list_options / sizeof *list_options, run_list},
    {"pf", "show", "HOST PF", 2, 2, "Show one PF",
     "PF is its key: a PCI address, or netdevsimN. -o json shows its VFs too.",
     "sriov-admin pf show h17 0000:3b:00.0", NULL, 0, run_show},
    {"pf", "capabilities", "[HOST [PF]]", 0, 2,
     "Show which policy fields PFs accept, and how that is known",
     "Of all NICs, those of one host, or one PF. Accepted is not enforced.",
     "sriov-admin pf capabilities h17 0000:3b:00.0", NULL, 0,
     pf_run_capabilities},
    {"pf", "set", "HOST PF", 2, 2,
     "Allow a PF for use, set its VF count and what else it is to be",
     "No PF is used before it is allowed. The PF that carries the host's own\n"
     "traffic can't be. A VF count changes only while none of the VFs is "
     "used.\n"
     "A change that cuts the host off is undone by itself: phase rejected; set "
     "it\nagain to have it tried again. With --wait exit status 1 says that it "
     "was\nrejected or failed, and why.",
     "sriov-admin pf set h17 0000:3b:00.0 --allow --physical-network physnet0 "
     "--num-vfs 8 --wait",
     set_options, sizeof set_options / sizeof *set_options, pf_run_set},
};
const size_t pf_command_count = sizeof pf_commands / sizeof *pf_commands;
