/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-admin vm …: list, show, create, start, stop, delete. */
#include "cli/cli.h"

#include "cli/vm_request.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <string.h>

static const struct column columns[] = {
    {"ID", "id", false},
    {"NAME", "name", false},
    {"HOST", "host", false},
    {"STATE", "state", false},
    {"POWER", "power_state", false},
    {"VCPUS", "vcpus", false},
    {"MEMORY_MIB", "memory_mib", false},
    {"PORTS", "port_count", false},
    {"DEVICES", "device_count", false},
    {"POLICY_APPLIED", "policy_applied", false},
    {"LIFECYCLE", "lifecycle", true},
    {"WANTED_POWER", "power", true},
    {"PHASE", "phase", true},
    {"GENERATION", "generation", true},
    {"CREATED_AT", "created_at", true},
};
#define COLUMNS columns, sizeof columns / sizeof *columns

static const struct column port_columns[] = {
    {"PORT", "name", false},
    {"MAC", "mac", false},
    {"PATH", "path", false},
    {"IN_USE", "way.path_in_use", false},
    {"PF", "claim.pf", false},
    {"VF", "claim.vf", false},
    {"INDEX", "claim.vf_index", false},
    {"EVIDENCE", "way.evidence", false},
    {"POLICY", "policy", false},
    {"DEGRADED", "degraded_reason", false},
    {"ID", "id", true},
    {"PHYSICAL_NETWORK", "physical_network", true},
};

static const struct column device_columns[] = {
    {"DEVICE", "name", false},
    {"KIND", "kind", false},
    {"PF", "claim.pf", false},
    {"VF", "claim.vf", false},
    {"INDEX", "claim.vf_index", false},
    {"VENDOR_ID", "claim.vendor_id", false},
    {"DEVICE_ID", "claim.device_id", false},
    {"ID", "id", true},
};

static const struct column condition_columns[] = {
    {"CONDITION", "type", false},
    {"STATUS", "status", false},
    {"REASON", "reason", false},
    {"MESSAGE", "message", false},
};

/* What the table wants beside the members of the answer. */
static void add_derived(json_t *vm)
{
    json_object_set_new(vm, "port_count",
                        json_integer((json_int_t)json_array_size(
                            json_object_get(vm, "ports"))));
    json_object_set_new(vm, "device_count",
                        json_integer((json_int_t)json_array_size(
                            json_object_get(vm, "devices"))));
    const json_t *condition = cli_condition(vm, "PolicyApplied");
    if (condition)
        json_object_set(vm, "policy_applied",
                        json_object_get(condition, "status"));
}

static bool whole_output(const struct cli *cli)
{
    return cli->output == OUTPUT_JSON || cli->output == OUTPUT_YAML;
}

/* A table of one of the VM's lists, if there is anything in it. */
static void print_part(const struct cli *cli, const json_t *vm,
                       const char *name, const struct column *part,
                       size_t column_count)
{
    const json_t *items = json_object_get(vm, name);
    if (json_array_size(items) == 0)
        return;
    putchar('\n');
    cli_print_list(cli, items, part, column_count);
}

static int print_vm(const struct cli *cli, json_t *vm)
{
    if (whole_output(cli))
        return cli_print_one(cli, vm, COLUMNS);
    add_derived(vm);
    int status = cli_print_one(cli, vm, COLUMNS);
    if (status || cli->output != OUTPUT_TABLE || cli->column_count)
        return status;
    print_part(cli, vm, "ports", port_columns,
               sizeof port_columns / sizeof *port_columns);
    print_part(cli, vm, "devices", device_columns,
               sizeof device_columns / sizeof *device_columns);
    print_part(cli, vm, "conditions", condition_columns,
               sizeof condition_columns / sizeof *condition_columns);
    return 0;
}

static int run_list(struct cli *cli)
{
    json_t *items = NULL;
    int status = cli_list(cli, "/v1/vms", "", &items);
    if (status)
        return status;
    size_t i = 0;
    json_t *item = NULL;
    if (!whole_output(cli))
        json_array_foreach(items, i, item) add_derived(item);
    status = cli_print_list(cli, items, COLUMNS);
    json_decref(items);
    return status;
}

static int run_show(struct cli *cli)
{
    auto_free char *path = cli_path("/v1/vms/{}", cli->arguments[0]);
    json_t *body = NULL;
    int status = cli_call(cli, "GET", path, NULL, &body);
    if (status == 0)
        status = print_vm(cli, body);
    json_decref(body);
    return status;
}

/* ---- waiting ------------------------------------------------------------------ */

/* Until the policy is applied or refused, or 'seconds' are over. *vm is
 * replaced by the newest answer. */
static int wait_applied(struct cli *cli, const char *path, uint64_t seconds,
                        json_t **vm)
{
    struct cli_wait wait = cli_wait_begin(seconds);
    for (;;) {
        const json_t *condition = cli_condition(*vm, "PolicyApplied");
        const char *state =
            json_string_value(json_object_get(condition, "status"));
        auto_free char *reason = cli_value_text(condition, "reason");
        auto_free char *message = cli_value_text(condition, "message");
        /* On virtio there is nothing to apply before the domain runs. */
        bool waits = strcmp(reason, "NoVf") == 0;
        if (state && (waits || strcmp(state, "Unknown") != 0)) {
            cli_wait_end(cli);
            if (waits || strcmp(state, "True") == 0)
                return 0;
            return cli_fail("the policy was not applied: %s", message);
        }
        if (!cli_wait_on(cli, &wait,
                         "waiting for the host to apply the policy")) {
            cli_wait_end(cli);
            return cli_fail("not applied after %llu s: %s; it goes on, see "
                            "sriov-admin vm show",
                            (unsigned long long)seconds, message);
        }
        json_t *body = NULL;
        int status = cli_call(cli, "GET", path, NULL, &body);
        if (status)
            return status;
        json_decref(*vm);
        *vm = body;
    }
}

/* Until the domain is as 'on' says, the host says that it can't be, or
 * 'seconds' are over. *vm is replaced by the newest answer. */
static int wait_power(struct cli *cli, const char *path, uint64_t seconds,
                      bool on, json_t **vm)
{
    struct cli_wait wait = cli_wait_begin(seconds);
    for (;;) {
        auto_free char *phase = cli_value_text(*vm, "phase");
        auto_free char *state = cli_value_text(*vm, "power_state");
        auto_free char *message =
            cli_value_text(cli_condition(*vm, "Running"), "message");
        bool runs = strcmp(state, "running") == 0;
        if (strcmp(phase, "failed") == 0 ||
            (strcmp(phase, "applied") == 0 && runs != on)) {
            cli_wait_end(cli);
            return cli_fail("the VM is %s: %s", state, message);
        }
        if (strcmp(phase, "applied") == 0) {
            cli_wait_end(cli);
            return 0;
        }
        if (!cli_wait_on(cli, &wait,
                         on ? "waiting for the host to start the VM"
                            : "waiting for the guest to shut down")) {
            cli_wait_end(cli);
            return cli_fail("the VM is %s after %llu s: %s; it goes on, see "
                            "sriov-admin vm show",
                            state, (unsigned long long)seconds, message);
        }
        json_t *body = NULL;
        int status = cli_call(cli, "GET", path, NULL, &body);
        if (status)
            return status;
        json_decref(*vm);
        *vm = body;
    }
}

static int wait_gone(struct cli *cli, const char *path, uint64_t seconds)
{
    struct cli_wait wait = cli_wait_begin(seconds);
    for (;;) {
        struct error err = {0};
        json_t *body = NULL;
        int result = cli_try(cli, "GET", path, NULL, &body, &err);
        json_decref(body);
        if (result < 0) {
            cli_wait_end(cli);
            return err.code == ERROR_NOT_FOUND ? 0 : cli_problem(&err, NULL);
        }
        if (!cli_wait_on(cli, &wait,
                         "waiting for the VFs to read back clean")) {
            cli_wait_end(cli);
            return cli_fail("not gone after %llu s; it goes on, see "
                            "sriov-admin vm show",
                            (unsigned long long)seconds);
        }
    }
}

/* ---- create and delete ---------------------------------------------------------- */

static int run_create(struct cli *cli)
{
    uint64_t seconds = 0;
    json_t *request = vm_request_of_options(cli);
    if (!request || cli_wait_seconds(cli, 60, &seconds)) {
        json_decref(request);
        return 1;
    }
    bool dry = cli_option(cli, "dry-run") != NULL;
    json_t *vm = NULL;
    int status = cli_call(cli, "POST", dry ? "/v1/vms?dry_run=true" : "/v1/vms",
                          request, &vm);
    json_decref(request);
    if (status == 0 && !dry && cli_option(cli, "wait")) {
        auto_free char *path = cli_path(
            "/v1/vms/{}", json_string_value(json_object_get(vm, "id")));
        status = wait_applied(cli, path, seconds, &vm);
        auto_free char *power = cli_value_text(vm, "power");
        if (status == 0 && strcmp(power, "on") == 0)
            status = wait_power(cli, path, seconds, true, &vm);
    }
    int printed = vm ? print_vm(cli, vm) : 0;
    if (status == 0 && dry && cli->output == OUTPUT_TABLE)
        fprintf(stderr, "dry run: nothing was claimed\n");
    json_decref(vm);
    return status ? status : printed;
}

static int run_delete(struct cli *cli)
{
    uint64_t seconds = 0;
    if (cli_wait_seconds(cli, 60, &seconds))
        return 1;
    auto_free char *path = cli_path("/v1/vms/{}", cli->arguments[0]);
    json_t *vm = NULL;
    int status = cli_call(cli, "GET", path, NULL, &vm);
    if (status == 0)
        status = cli_call(cli, "DELETE", path, NULL, NULL);
    if (status == 0 && cli_option(cli, "wait")) {
        /* By id: a name can be taken again at once. */
        auto_free char *by_id = cli_path(
            "/v1/vms/{}", json_string_value(json_object_get(vm, "id")));
        status = wait_gone(cli, by_id, seconds);
    }
    json_decref(vm);
    return status;
}

static int set_power(struct cli *cli, bool on)
{
    uint64_t seconds = 0;
    if (cli_wait_seconds(cli, 120, &seconds))
        return 1;
    auto_free char *path = cli_path("/v1/vms/{}", cli->arguments[0]);
    json_t *request = json_pack("{s:s}", "power", on ? "on" : "off");
    json_t *vm = NULL;
    int status = cli_call(cli, "PATCH", path, request, &vm);
    json_decref(request);
    if (status == 0 && cli_option(cli, "wait"))
        status = wait_power(cli, path, seconds, on, &vm);
    int printed = vm ? print_vm(cli, vm) : 0;
    json_decref(vm);
    return status ? status : printed;
}

static int run_start(struct cli *cli)
{
    return set_power(cli, true);
}

static int run_stop(struct cli *cli)
{
    return set_power(cli, false);
}

static const struct option_spec create_options[] = {
    {"file", "FILE", "the whole request as JSON ('-' = standard input)"},
    {"vcpus", "N", "virtual CPUs (default 1)"},
    {"memory-mib", "N", "memory in MiB (default 1024)"},
    {"port", "KEY=VALUE,...",
     "a port, may be repeated; keys: name, mac, "
     "physical_network, vnic_type, macvtap_mode, fallback, guest_failover, "
     "vendor_id, device_id, and the policy's fields"},
    {"device", "KEY=VALUE,...",
     "a VF of something else than a NIC; may be repeated; keys: kind (storage, "
     "display, accelerator, other), name, vendor_id, device_id"},
    {"strategy", "NAME", "spread (default) or pack"},
    {"host", "HOST", "place it there or nowhere"},
    {"lifecycle", "NAME", "external (default), managed or host"},
    {"domain-xml", "FILE",
     "libvirt's <domain> of a managed VM, without interfaces ('-' = standard "
     "input)"},
    {"power", "WORD", "of a managed VM: on (default) or off"},
    {"dry-run", NULL, "say where it would go, claim nothing"},
    {"wait", NULL,
     "until the policy is proven on the host, and a managed VM runs"},
    {"timeout", "SECONDS", "for --wait (default 60)"},
};
static const struct option_spec power_options[] = {
    {"wait", NULL, "until the host has done it"},
    {"timeout", "SECONDS", "for --wait (default 120)"},
};
static const struct option_spec delete_options[] = {
    {"wait", NULL, "until the VFs are clean and free again"},
    {"timeout", "SECONDS", "for --wait (default 60)"},
};

const struct command vm_commands[] = {
    {"vm", "list", "", 0, 0, "List the VMs", "", "sriov-admin vm list", NULL, 0,
     run_list},
    {"vm", "show", "VM", 1, 1,
     "Show one VM: ports and devices with path and VF, conditions",
     "VM is the id or the name.", "sriov-admin vm show web-1", NULL, 0,
     run_show},
    {"vm", "create", "[NAME]", 0, 1, "Place a VM and claim its VFs",
     "vnic_type direct-physical asks for a whole PF, without policy but the "
     "MAC.\nExit status 2: no host fits; the reasons are shown.",
     "sriov-admin vm create web-1 --vcpus 2 --memory-mib 4096 --port "
     "physical_network=physnet0,vlan=100 --wait",
     create_options, sizeof create_options / sizeof *create_options,
     run_create},
    {"vm", "start", "VM", 1, 1, "Start a managed VM",
     "Also one whose guest ended by itself, or that could not be started.",
     "sriov-admin vm start web-1 --wait", power_options, 2, run_start},
    {"vm", "stop", "VM", 1, 1, "Shut a managed VM down",
     "A guest that does not end within 60 s is destroyed.",
     "sriov-admin vm stop web-1 --wait", power_options, 2, run_stop},
    {"vm", "delete", "VM", 1, 1, "Remove a VM and clean its VFs", "",
     "sriov-admin vm delete web-1 --wait", delete_options, 2, run_delete},
};
const size_t vm_command_count = sizeof vm_commands / sizeof *vm_commands;
