/* SPDX-License-Identifier: Apache-2.0 */
/* Networks and whole inventories as JSON: see wire.h. PFs are in pf.c. */
#include "api/wire/pf.h"

#include <stdlib.h>

/* Bounds that no machine reaches; a number above is a fault, not a host. */
#define VCPUS_MAX (1u << 20)

json_t *wire_network(const struct network *network)
{
    json_t *object = json_object();
    wire_set(object, "physical_network", wire_text(network->physical_network));
    wire_set(object, "switch",
             wire_text(switch_kind_name((enum switch_kind)network->kind)));
    wire_set(object, "device", wire_text(network->device));
    wire_set(object, "uplink", wire_text(network->uplink));
    wire_set(object, "mtu", wire_number(network->mtu));
    wire_set(object, "vlans", json_boolean(network->vlans));
    return object;
}

static int read_network(const json_t *value, const char *path, size_t *unknown,
                        struct network *out, struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, value, path, err);
    wire_take_copy(&reader, "physical_network", false, out->physical_network);
    wire_take_enum(&reader, "switch", true, switch_kind, SWITCH_KIND_MAX,
                   &out->kind);
    wire_take_copy(&reader, "device", true, out->device);
    wire_take_copy(&reader, "uplink", false, out->uplink);
    wire_take_uint(&reader, "mtu", false, UINT16_MAX, out->mtu);
    json_take_bool(&reader, "vlans", false, &out->vlans);
    return json_reader_end(&reader, false, unknown);
}

static int read_unreadable(const json_t *value, const char *path,
                           size_t *unknown, struct unreadable *out,
                           struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, value, path, err);
    wire_take_copy(&reader, "what", true, out->what);
    wire_take_copy(&reader, "why", true, out->why);
    return json_reader_end(&reader, false, unknown);
}

json_t *wire_checks(const struct inventory *inventory)
{
    json_t *checks = json_array();
    for (size_t i = 0; i < inventory->check_count; i++) {
        const struct readiness_check *check = &inventory->checks[i];
        json_t *item = json_object();
        wire_set(item, "name", wire_text(check->name));
        wire_set(
            item, "status",
            wire_text(check_status_name((enum check_status)check->status)));
        wire_set(item, "reason", wire_text(check->reason));
        wire_set(item, "remedy", wire_text(check->remedy));
        json_array_append_new(checks, item);
    }
    return checks;
}

static int read_checks(const json_t *checks, const char *path, size_t *unknown,
                       struct inventory *inventory, struct error *err)
{
    struct readiness_check items[HOST_CHECKS_MAX] = {0};
    size_t count = json_array_size(checks);
    for (size_t i = 0; i < count; i++) {
        struct json_reader reader;
        char inner[WIRE_PATH_SIZE];
        items[i].reason = items[i].remedy = "";
        json_reader_begin(&reader, json_array_get(checks, i),
                          wire_path_at(inner, path, "checks", i), err);
        wire_take_copy(&reader, "name", true, items[i].name);
        wire_take_enum(&reader, "status", true, check_status, CHECK_STATUS_MAX,
                       &items[i].status);
        wire_take_interned(&reader, "reason", &items[i].reason);
        wire_take_interned(&reader, "remedy", &items[i].remedy);
        if (json_reader_end(&reader, false, unknown))
            return -1;
    }
    inventory_set_checks(inventory, items, count);
    return 0;
}

json_t *wire_inventory(const struct inventory *inventory)
{
    json_t *object = json_object();
    wire_set(object, "machine_id", wire_uuid(&inventory->machine_id));
    wire_set(object, "kernel", wire_text(inventory->kernel));
    wire_set(object, "libvirt_version", wire_text(inventory->libvirt_version));
    wire_set(object, "qemu_version", wire_text(inventory->qemu_version));
    wire_set(object, "vcpus", wire_number(inventory->vcpus));
    wire_set(object, "memory_mib", wire_number(inventory->memory_mib));
    wire_set(object, "external_vcpus", wire_number(inventory->external_vcpus));
    wire_set(object, "external_memory_mib",
             wire_number(inventory->external_memory_mib));
    json_t *networks = json_array();
    for (size_t i = 0; i < inventory->network_count; i++)
        json_array_append_new(networks, wire_network(&inventory->networks[i]));
    wire_set(object, "networks", networks);
    json_t *unreadable = json_array();
    for (size_t i = 0; i < inventory->unreadable_count; i++) {
        json_t *item = json_object();
        wire_set(item, "what", wire_text(inventory->unreadable[i].what));
        wire_set(item, "why", wire_text(inventory->unreadable[i].why));
        json_array_append_new(unreadable, item);
    }
    wire_set(object, "unreadable", unreadable);
    wire_set(object, "checks", wire_checks(inventory));
    json_t *pfs = json_array();
    for (size_t i = 0; i < inventory->pf_count; i++)
        json_array_append_new(pfs, wire_pf(inventory->pfs[i], true));
    wire_set(object, "pfs", pfs);
    return object;
}

static int order_pfs(const void *a, const void *b)
{
    const struct pf *const *left = a, *const *right = b;
    return pf_key_compare(&(*left)->key, &(*right)->key);
}

/* Our order whatever the sender's; twice the same PF is refused. */
static int sort_pfs(struct inventory *inventory, const char *path,
                    struct error *err)
{
    qsort(inventory->pfs, inventory->pf_count, sizeof(struct pf *), order_pfs);
    for (size_t i = 1; i < inventory->pf_count; i++)
        if (order_pfs(&inventory->pfs[i - 1], &inventory->pfs[i]) == 0) {
            char field[WIRE_PATH_SIZE];
            return error_set_field(
                err, ERROR_INVALID, wire_path(field, path, "pfs"),
                "PF '%s' is there twice", inventory->pfs[i]->key.text);
        }
    return 0;
}

static int read_lists(const json_t *networks, const json_t *unreadable,
                      const json_t *pfs, const char *path, size_t *unknown,
                      struct inventory *inventory, struct error *err)
{
    char inner[WIRE_PATH_SIZE];
    for (size_t i = 0; i < inventory->network_count; i++)
        if (read_network(json_array_get(networks, i),
                         wire_path_at(inner, path, "networks", i), unknown,
                         &inventory->networks[i], err))
            return -1;
    for (size_t i = 0; i < inventory->unreadable_count; i++)
        if (read_unreadable(json_array_get(unreadable, i),
                            wire_path_at(inner, path, "unreadable", i), unknown,
                            &inventory->unreadable[i], err))
            return -1;
    for (size_t i = 0; i < inventory->pf_count; i++) {
        inventory->pfs[i] =
            wire_read_pf(json_array_get(pfs, i),
                         wire_path_at(inner, path, "pfs", i), unknown, err);
        if (!inventory->pfs[i])
            return -1;
    }
    return sort_pfs(inventory, path, err);
}

struct inventory *wire_read_inventory(const json_t *value, const char *path,
                                      size_t *unknown, struct error *err)
{
    struct json_reader reader;
    const json_t *networks = NULL, *unreadable = NULL, *pfs = NULL;
    const json_t *checks = NULL;
    struct inventory facts = {
        .kernel = "", .libvirt_version = "", .qemu_version = ""};
    json_reader_begin(&reader, value, path, err);
    wire_take_uuid(&reader, "machine_id", false, &facts.machine_id);
    wire_take_interned(&reader, "kernel", &facts.kernel);
    wire_take_interned(&reader, "libvirt_version", &facts.libvirt_version);
    wire_take_interned(&reader, "qemu_version", &facts.qemu_version);
    wire_take_uint(&reader, "vcpus", false, VCPUS_MAX, facts.vcpus);
    wire_take_uint(&reader, "memory_mib", false, HOST_MEMORY_MIB_MAX,
                   facts.memory_mib);
    wire_take_uint(&reader, "external_vcpus", false, VCPUS_MAX,
                   facts.external_vcpus);
    wire_take_uint(&reader, "external_memory_mib", false, HOST_MEMORY_MIB_MAX,
                   facts.external_memory_mib);
    json_take_array(&reader, "networks", false, HOST_NETWORKS_MAX, &networks);
    json_take_array(&reader, "unreadable", false, HOST_UNREADABLE_MAX,
                    &unreadable);
    json_take_array(&reader, "checks", false, HOST_CHECKS_MAX, &checks);
    json_take_array(&reader, "pfs", true, HOST_PFS_MAX, &pfs);
    if (json_reader_end(&reader, false, unknown))
        return NULL;
    auto_inventory struct inventory *inventory =
        inventory_new(json_array_size(pfs), json_array_size(networks),
                      json_array_size(unreadable));
    inventory->machine_id = facts.machine_id;
    inventory->kernel = facts.kernel;
    inventory->libvirt_version = facts.libvirt_version;
    inventory->qemu_version = facts.qemu_version;
    inventory->vcpus = facts.vcpus;
    inventory->memory_mib = facts.memory_mib;
    inventory->external_vcpus = facts.external_vcpus;
    inventory->external_memory_mib = facts.external_memory_mib;
    if (read_lists(networks, unreadable, pfs, path, unknown, inventory, err) ||
        read_checks(checks, path, unknown, inventory, err))
        return NULL;
    return take_ptr(inventory);
}

struct inventory *wire_inventory_read(const json_t *value, struct error *err)
{
    return wire_read_inventory(value, "", NULL, err);
}
