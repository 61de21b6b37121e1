/* SPDX-License-Identifier: Apache-2.0 */
/* The real host behind host_ops.h: puts the readers together. Called by the
 * agent's loop thread; knows nothing of claims or documents. */
#include "agent/host/linux.h"

#include "agent/host/announce.h"
#include "agent/host/bridge_port.h"
#include "agent/host/evidence.h"
#include "agent/host/facts.h"
#include "agent/host/hold.h"
#include "agent/host/networks.h"
#include "agent/host/pf.h"
#include "agent/host/readiness.h"
#include "agent/host/taps.h"
#include "agent/host/topology.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <linux/netlink.h>
#include <string.h>

static struct linux_host *linux_of(struct host_backend *backend)
{
    return (struct linux_host *)backend;
}

static struct scan scan_of(struct linux_host *host, struct notes *notes,
                           struct scan_cache *cache)
{
    return (struct scan){.sysfs = &host->sysfs,
                         .route = host->route,
                         .devlink = host->devlink,
                         .ids = host->ids,
                         .notes = notes,
                         .management = &host->management,
                         .last = host->last,
                         .cache = cache,
                         .plugins = host->plugins,
                         .kernel = host->kernel};
}

static void read_management(struct linux_host *host, struct notes *notes,
                            struct scan_cache *cache)
{
    char uplink[NETDEV_NAME_SIZE] = "";
    if (host->ignore_management) {
        host->management = (struct management){0};
        return;
    }
    if (*host->own_address)
        addresses_device(&cache->addresses, &host->sysfs, host->route, notes,
                         host->own_address, uplink);
    management_read(&host->sysfs, host->route, uplink, &host->management,
                    notes);
}

/* A PF as it is now, and what its events need to know of it. While it is being
 * changed: as it was before (pf_set.h). */
static struct pf *read_one(struct linux_host *host, const struct scan *scan,
                           const struct pf_key *key, const struct pf *known,
                           struct error *err)
{
    const struct pf *before =
        host->sets ? pf_sets_running(host->sets, key) : NULL;
    if (before)
        return pf_dup(before);
    struct pf *pf = pf_read(scan, key, known, err);
    if (pf && host->events)
        events_remember(host->events, pf);
    return pf;
}

/* PFs that vanish between being found and being read are left out: the event
 * about them is on its way. */
static size_t read_pfs(struct linux_host *host, const struct scan *scan,
                       struct pf **out)
{
    struct pf_key keys[HOST_PFS_MAX];
    size_t count = 0;
    size_t found = 0;
    if (pf_find_all(scan, keys, &count, NULL) < 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct error err = {0};
        struct pf *pf = read_one(host, scan, &keys[i], NULL, &err);
        if (pf)
            out[found++] = pf;
        else
            notes_error(scan->notes, keys[i].text, &err);
    }
    return found;
}

/* What libvirt says, and the checks. */
static void set_readiness(struct linux_host *host, const struct scan *scan,
                          struct inventory *inventory)
{
    char text[32];
    struct readiness_check checks[HOST_CHECKS_MAX];
    auto_libvirt_status struct libvirt_status *libvirt =
        host->libvirt ? libvirt_status(host->libvirt) : NULL;
    const struct readiness_input input = {.scan = scan,
                                          .pfs = inventory->pfs,
                                          .pf_count = inventory->pf_count,
                                          .networks = inventory->networks,
                                          .network_count =
                                              inventory->network_count,
                                          .kernel = inventory->kernel,
                                          .modules = &host->modules,
                                          .libvirt = libvirt};
    size_t count = readiness_read(&input, checks);
    inventory_set_checks(inventory, checks, count);
    if (!libvirt)
        return;
    inventory->libvirt_version =
        str_intern(libvirt_version_text(libvirt->version, text));
    if (strcmp(libvirt->driver, "QEMU") == 0)
        inventory->qemu_version =
            str_intern(libvirt_version_text(libvirt->hypervisor_version, text));
}

static struct inventory *linux_inventory(struct host_backend *backend,
                                         struct error *err)
{
    struct linux_host *host = linux_of(backend);
    auto_free struct notes *notes = mem_new(struct notes);
    auto_scan_cache struct scan_cache cache = {0};
    struct scan scan = scan_of(host, notes, &cache);
    if (!sysfs_exists(&host->sysfs, "sys/class") &&
        !sysfs_exists(&host->sysfs, "sys/bus") &&
        !sysfs_exists(&host->sysfs, "proc/meminfo")) {
        error_fill(err, ERROR_IO, 0, "root",
                   "there is neither a 'sys' nor a 'proc' to read");
        error_remedy(err, "name a folder that holds a copy of /sys and /proc");
        return NULL;
    }
    read_management(host, notes, &cache);
    struct pf *pfs[HOST_PFS_MAX];
    size_t pf_count = read_pfs(host, &scan, pfs);
    auto_free struct network *networks =
        mem_calloc(HOST_NETWORKS_MAX, sizeof *networks);
    size_t network_count = networks_read(&scan, pfs, pf_count, networks);
    struct inventory facts = {0};
    facts_read(&host->sysfs, &facts, notes);
    struct inventory *inventory =
        inventory_new(pf_count, network_count, notes->count);
    for (size_t i = 0; i < pf_count; i++)
        inventory->pfs[i] = pfs[i];
    if (network_count)
        memcpy(inventory->networks, networks, network_count * sizeof *networks);
    if (notes->count)
        memcpy(inventory->unreadable, notes->items,
               notes->count * sizeof *notes->items);
    inventory->machine_id = facts.machine_id;
    inventory->kernel = facts.kernel;
    inventory->vcpus = facts.vcpus;
    inventory->memory_mib = facts.memory_mib;
    set_readiness(host, &scan, inventory);
    ref_put(host->last);
    host->last = ref_get(inventory);
    return inventory;
}

static struct pf *linux_read_pf(struct host_backend *backend,
                                const struct pf_key *key,
                                const struct pf *known, struct error *err)
{
    struct linux_host *host = linux_of(backend);
    auto_scan_cache struct scan_cache cache = {0};
    struct scan scan = scan_of(host, NULL, &cache);
    if (!pf_is_one(&host->sysfs, key)) {
        error_fill(err, ERROR_VANISHED, 0, "", "there is no PF %s", key->text);
        return NULL;
    }
    /* A PF that was just plugged in: whether the host's traffic runs over it
     * must be known before anything is done to it. */
    if (!known)
        read_management(host, NULL, &cache);
    return read_one(host, &scan, key, known, err);
}

struct over {
    const struct linux_host *host;
    const char *reason; /* NULL: it does not */
};

static void on_device(void *context, const char *netdev,
                      const struct device *device)
{
    (void)netdev;
    struct over *over = context;
    struct pf_key pf = device_pf(&over->host->sysfs, device, NULL);
    if (!over->reason)
        over->reason = management_reason(&over->host->management, &pf);
}

int linux_refuse_management(struct linux_host *host, const char *netdev,
                            struct error *err)
{
    auto_scan_cache struct scan_cache cache = {0};
    struct over over = {.host = host};
    read_management(host, NULL, &cache);
    topology_walk(&host->sysfs, netdev, on_device, &over);
    if (!over.reason)
        return 0;
    error_fill(err, ERROR_FORBIDDEN, 0, "",
               "the host's own traffic runs over '%s' (%s), which is never "
               "touched",
               netdev, over.reason);
    error_remedy(err, "use another network, or move the host's traffic");
    return -1;
}

static int linux_event_fd(struct host_backend *backend)
{
    struct linux_host *host = linux_of(backend);
    return host->events ? events_fd(host->events) : -1;
}

static int linux_changes(struct host_backend *backend, struct host_changes *out,
                         struct error *err)
{
    struct linux_host *host = linux_of(backend);
    if (!host->events) {
        *out = (struct host_changes){0};
        return 0;
    }
    if (events_drain(host->events, out, err) < 0)
        return -1;
    pf_sets_drain(host->sets, out);
    unsigned libvirt = host->libvirt ? libvirt_changed(host->libvirt) : 0;
    out->host_facts = out->host_facts || (libvirt & LIBVIRT_CHANGED_STATUS);
    out->domains = out->domains || (libvirt & LIBVIRT_CHANGED_DOMAINS);
    return 0;
}

static bool asks_libvirt(const struct linux_host *host, struct error *err)
{
    if (host->libvirt)
        return true;
    error_fill(err, ERROR_UNSUPPORTED, 0, "", "libvirt is not asked");
    error_remedy(err, "let the agent's --libvirt-uri lead to libvirt");
    return false;
}

static struct domain_list *linux_domains(struct host_backend *backend,
                                         struct error *err)
{
    const struct linux_host *host = linux_of(backend);
    return asks_libvirt(host, err) ? libvirt_domains(host->libvirt, err) : NULL;
}

static int linux_domain_order(struct host_backend *backend,
                              const struct domain_order *order,
                              struct error *err)
{
    const struct linux_host *host = linux_of(backend);
    return asks_libvirt(host, err) ? libvirt_order(host->libvirt, order, err)
                                   : -1;
}

static int linux_pf_set(struct host_backend *backend, const struct pf_key *key,
                        const struct pf_target *target, struct error *err)
{
    struct linux_host *host = linux_of(backend);
    if (!host->sets)
        return error_set(err, ERROR_PERMISSION,
                         "PF %s is below --root: a copy is not changed",
                         key->text);
    if (!pf_sets_begins(host->sets, key, target))
        return pf_sets_set(host->sets, key, target, NULL, err);
    auto_pf struct pf *now = linux_read_pf(backend, key, NULL, err);
    if (!now)
        return -1;
    /* Without 'known' the routes were read just now. */
    if (now->management) {
        error_fill(err, ERROR_FORBIDDEN, 0, "",
                   "PF %s carries the host's own traffic (%s) and is never "
                   "touched",
                   key->text, now->management_reason);
        error_remedy(err, "change another PF, or move the host's traffic");
        return -1;
    }
    return pf_sets_set(host->sets, key, target, now, err);
}

int host_linux_use_libvirt(struct host_backend *backend, const char *uri,
                           int wait_ms, struct error *err)
{
    struct linux_host *host = linux_of(backend);
    if (!host->events)
        return error_set(err, ERROR_INVALID,
                         "a copied tree has no libvirt to ask");
    host->libvirt = libvirt_open(&(struct libvirt_config){.uri = uri}, err);
    if (!host->libvirt)
        return -1;
    if (events_watch(host->events, libvirt_fd(host->libvirt), err) < 0) {
        libvirt_close(take_ptr(host->libvirt));
        return -1;
    }
    libvirt_wait(host->libvirt, wait_ms);
    return 0;
}

void host_linux_ignore_management(struct host_backend *backend)
{
    linux_of(backend)->ignore_management = true;
}

void host_linux_own_address(struct host_backend *backend, const char *address)
{
    str_copy(linux_of(backend)->own_address, address);
}

static void linux_close(struct host_backend *backend)
{
    if (!backend)
        return;
    struct linux_host *host = linux_of(backend);
    libvirt_close(host->libvirt);
    ref_put(host->last);
    pf_sets_free(host->sets);
    events_close(host->events);
    devlink_close(host->devlink);
    nl_port_close(host->route);
    pci_ids_free(host->ids);
    sysfs_close(&host->sysfs);
    free(host);
}

static const struct host_ops linux_ops = {
    .inventory = linux_inventory,
    .read_pf = linux_read_pf,
    .vf_read = linux_vf_read,
    .vf_write = linux_vf_write,
    .vf_reset = linux_vf_reset,
    .mac_hold = linux_mac_hold,
    .mac_held = linux_mac_held,
    .pf_set = linux_pf_set,
    .learning_read = linux_learning_read,
    .learning_set = linux_learning_set,
    .tap_vlan = linux_tap_vlan,
    .tap_read = linux_tap_read,
    .announce = linux_announce,
    .vf_evidence = linux_vf_evidence,
    .domains = linux_domains,
    .domain_order = linux_domain_order,
    .event_fd = linux_event_fd,
    .changes = linux_changes,
    .close = linux_close,
};

struct host_backend *host_linux_open(const char *root, struct error *err)
{
    struct linux_host *host = mem_new(struct linux_host);
    host->backend.ops = &linux_ops;
    host->sysfs.root = -1;
    if (sysfs_open(&host->sysfs, root, err) < 0) {
        linux_close(&host->backend);
        return NULL;
    }
    host->ids = pci_ids_new(&host->sysfs);
    host->kernel = facts_kernel(&host->sysfs, NULL);
    if (!host->sysfs.live)
        return &host->backend;
    /* Events first: what changes while the first inventory is read is then
     * told afterwards. */
    host->events = events_open(&host->sysfs, err);
    host->sets = host->events ? pf_sets_new(&host->sysfs, err) : NULL;
    if (host->sets &&
        events_watch(host->events, pf_sets_fd(host->sets), err) == 0)
        host->route = nl_port_open(NETLINK_ROUTE, err);
    if (!host->route) {
        linux_close(&host->backend);
        return NULL;
    }
    host->devlink = devlink_open(NULL);
    return &host->backend;
}

void host_linux_use(struct host_backend *host, struct plugins *plugins)
{
    linux_of(host)->plugins = plugins;
}
