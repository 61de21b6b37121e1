/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin vf list. */
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/base/str.h"

static const struct column columns[] = {
    {"HOST", "host", false},
    {"PF", "pf", false},
    {"VF", "name", false},
    {"INDEX", "index", false},
    {"KIND", "kind", false},
    {"STATE", "state", false},
    {"VM", "vm_name", false},
    {"PORT", "port_name", false},
    {"MAC", "policy.mac", false},
    {"VLAN", "policy.vlan", false},
    {"DRIVER", "driver", false},
    {"REASON", "reason", false},
    {"VLAN_QOS", "policy.vlan_qos", true},
    {"VLAN_PROTO", "policy.vlan_proto", true},
    {"MIN_TX_RATE_MBPS", "policy.min_tx_rate_mbps", true},
    {"MAX_TX_RATE_MBPS", "policy.max_tx_rate_mbps", true},
    {"SPOOFCHK", "policy.spoofchk", true},
    {"TRUST", "policy.trust", true},
    {"LINK_STATE", "policy.link_state", true},
    {"IOMMU_GROUP", "iommu_group", true},
    {"NETDEV", "netdev", true},
    {"VENDOR_ID", "vendor_id", true},
    {"DEVICE_ID", "device_id", true},
    {"MSIX_VECTORS", "msix_vectors", true},
    {"OBSERVED_AT", "observed_at", true},
    {"VM_ID", "vm_id", true},
    {"PORT_ID", "port_id", true},
};

static int run_list(struct cli *cli)
{
    static const char *const filters[] = {"host", "pf", "state", "kind"};
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
    int status = cli_list(cli, "/v1/vfs", str_text(&query), &items);
    str_done(&query);
    if (status == 0)
        status = cli_print_list(cli, items, columns,
                                sizeof columns / sizeof *columns);
    json_decref(items);
    return status;
}

static const struct option_spec list_options[] = {
    {"host", "HOST", "of this host only"},
    {"pf", "PF", "of PFs with this key only"},
    {"state", "STATE",
     "free, probing, claimed, attached, cleaning, "
     "quarantined or external"},
    {"kind", "KIND", "network, storage, display, accelerator or other"},
};

const struct command vf_commands[] = {
    {"vf", "list", "", 0, 0,
     "List VFs with owner and the policy as the kernel reads",
     "The policy columns are what the host's kernel answered at OBSERVED_AT.",
     "sriov-admin vf list --host h17 --state claimed", list_options,
     sizeof list_options / sizeof *list_options, run_list},
};
const size_t vf_command_count = sizeof vf_commands / sizeof *vf_commands;
