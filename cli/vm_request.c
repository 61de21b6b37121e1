/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/vms: from a file, or from options. */
#include "cli/vm_request.h"

#include "common/base/file.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/model/policy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static json_t *of_file(const char *path)
{
    struct error err = {0};
    size_t length = 0;
    auto_free char *text =
        file_read(AT_FDCWD, strcmp(path, "-") == 0 ? "/dev/stdin" : path,
                  1 << 20, &length, &err);
    json_t *request = text ? json_parse(text, length, &err) : NULL;
    if (!request) {
        error_prefix(&err, "--file %s", path);
        cli_problem(&err, NULL);
    }
    return request;
}

static bool is_number_field(const char *key)
{
    return strcmp(key, "vlan") == 0 || strcmp(key, "vlan_qos") == 0 ||
           strcmp(key, "min_tx_rate_mbps") == 0 ||
           strcmp(key, "max_tx_rate_mbps") == 0;
}

/* One "key=value" of --port: into the port, its policy or its 'require'. */
static int add_port_member(json_t *port, json_t *policy, json_t *require,
                           const char *key, const char *value)
{
    static const char *const members[] = {
        "name",        "mac",      "physical_network",
        "vnic_type",   "fallback", "guest_failover",
        "macvtap_mode"};
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i], key) == 0)
            return json_object_set_new(port, key, json_string(value));
    if (strcmp(key, "vendor_id") == 0 || strcmp(key, "device_id") == 0)
        return json_object_set_new(require, key, json_string(value));
    if (policy_field_parse(key) == POLICY_FIELD_MAX)
        return cli_fail("--port: unknown key '%s'; see sriov-admin vm create "
                        "--help",
                        key);
    if (!is_number_field(key))
        return json_object_set_new(policy, key, json_string(value));
    if (!str_to_u64(value, 10, UINT32_MAX, &number))
        return cli_fail("--port: %s '%s' is no whole number", key, value);
    return json_object_set_new(policy, key, json_integer((json_int_t)number));
}

/* One "key=value" of --device. */
static int add_device_member(json_t *device, json_t *policy, json_t *require,
                             const char *key, const char *value)
{
    (void)policy;
    if (strcmp(key, "name") == 0 || strcmp(key, "kind") == 0)
        return json_object_set_new(device, key, json_string(value));
    if (strcmp(key, "vendor_id") == 0 || strcmp(key, "device_id") == 0)
        return json_object_set_new(require, key, json_string(value));
    return cli_fail("--device: unknown key '%s'; see sriov-admin vm create "
                    "--help",
                    key);
}

/* "key=value,…" of a repeated option as an object, each by 'add'. */
static json_t *object_of_text(const char *option, const char *text,
                              int (*add)(json_t *object, json_t *policy,
                                         json_t *require, const char *key,
                                         const char *value))
{
    json_t *object = json_object(), *policy = json_object(),
           *require = json_object();
    auto_free char *copy = mem_strdup(text);
    char *save = NULL;
    int bad = 0;
    for (char *item = strtok_r(copy, ",", &save); item && !bad;
         item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        if (!equals) {
            bad = cli_fail("--%s: '%s' is not KEY=VALUE", option, item);
            break;
        }
        *equals = '\0';
        bad = add(object, policy, require, item, equals + 1);
    }
    if (json_object_size(policy))
        json_object_set(object, "policy", policy);
    if (json_object_size(require))
        json_object_set(object, "require", require);
    json_decref(policy);
    json_decref(require);
    if (bad) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static int add_number(const struct cli *cli, json_t *request,
                      const char *option, const char *member, uint64_t preset)
{
    const char *text = cli_option(cli, option);
    uint64_t number = preset;
    if (text && !str_to_u64(text, 10, INT64_MAX, &number))
        return cli_fail("--%s '%s' is no whole number", option, text);
    return json_object_set_new(request, member,
                               json_integer((json_int_t)number));
}

/* Every --OPTION as an item of a list; no list where there is none. */
static int add_items(const struct cli *cli, json_t *request, const char *option,
                     const char *member,
                     int (*add)(json_t *object, json_t *policy, json_t *require,
                                const char *key, const char *value))
{
    json_t *items = json_array();
    const char *text = NULL;
    for (size_t i = 0; (text = cli_option_at(cli, option, i)); i++) {
        json_t *item = object_of_text(option, text, add);
        if (!item) {
            json_decref(items);
            return -1;
        }
        json_array_append_new(items, item);
    }
    if (json_array_size(items))
        json_object_set(request, member, items);
    json_decref(items);
    return 0;
}

/* --domain-xml makes a managed VM, unless another lifecycle is said. */
static int add_domain(const struct cli *cli, json_t *request)
{
    struct error err = {0};
    size_t length = 0;
    const char *path = cli_option(cli, "domain-xml");
    const char *lifecycle = cli_option(cli, "lifecycle");
    if (cli_option(cli, "power"))
        json_object_set_new(request, "power",
                            json_string(cli_option(cli, "power")));
    if (lifecycle || path)
        json_object_set_new(request, "lifecycle",
                            json_string(lifecycle ? lifecycle : "managed"));
    if (!path)
        return 0;
    auto_free char *text =
        file_read(AT_FDCWD, strcmp(path, "-") == 0 ? "/dev/stdin" : path,
                  1 << 20, &length, &err);
    if (!text) {
        error_prefix(&err, "--domain-xml %s", path);
        return cli_problem(&err, NULL);
    }
    json_t *xml = json_stringn(text, length);
    if (!xml)
        return cli_fail("--domain-xml %s: the file is no UTF-8 text", path);
    return json_object_set_new(request, "domain_xml", xml);
}

json_t *vm_request_of_options(const struct cli *cli)
{
    if (cli_option(cli, "file"))
        return of_file(cli_option(cli, "file"));
    if (cli->argument_count == 0) {
        cli_fail("say the VM's NAME, or the whole request by --file");
        return NULL;
    }
    json_t *request = json_object();
    const char *strategy = cli_option(cli, "strategy");
    json_object_set_new(request, "name", json_string(cli->arguments[0]));
    int bad = add_number(cli, request, "vcpus", "vcpus", 1) ||
              add_number(cli, request, "memory-mib", "memory_mib", 1024) ||
              add_items(cli, request, "port", "ports", add_port_member) ||
              add_items(cli, request, "device", "devices", add_device_member) ||
              add_domain(cli, request);
    if (strategy || cli_option(cli, "host")) {
        json_t *placement = json_object();
        if (strategy)
            json_object_set_new(placement, "strategy", json_string(strategy));
        if (cli_option(cli, "host"))
            json_object_set_new(placement, "host",
                                json_string(cli_option(cli, "host")));
        json_object_set_new(request, "placement", placement);
    }
    if (bad) {
        json_decref(request);
        return NULL;
    }
    return request;
}
