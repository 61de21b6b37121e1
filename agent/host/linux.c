/* SPDX-License-Identifier: Apache-2.0 */
/* The real host behind host_ops.h: puts the readers together. Called by the
 * agent's loop thread; knows nothing of claims or documents. */
#include "agent/host/linux.h"

#include "agent/host/facts.h"
#include "agent/host/hold.h"
#include "agent/host/networks.h"
#include "agent/host/pf.h"
#include "common/base/mem.h"

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
                         .cache = cache};
}

/* A PF as it is now, and what its events need to know of it. */
static struct pf *read_one(struct linux_host *host, const struct scan *scan,
                           const struct pf_key *key, const struct pf *known,
                           struct error *err)
{
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
    management_read(&host->sysfs, host->route, &host->management, notes);
    struct pf *pfs[HOST_PFS_MAX];
    size_t pf_count = read_pfs(host, &scan, pfs);
    auto_free struct network *networks =
        mem_calloc(HOST_NETWORKS_MAX, sizeof *networks);
    size_t network_count = networks_read(&scan, networks);
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
        management_read(&host->sysfs, host->route, &host->management, NULL);
    return read_one(host, &scan, key, known, err);
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
    return events_drain(host->events, out, err);
}

static void linux_close(struct host_backend *backend)
{
    if (!backend)
        return;
    struct linux_host *host = linux_of(backend);
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
    if (!host->sysfs.live)
        return &host->backend;
    /* Events first: what changes while the first inventory is read is then
     * told afterwards. */
    host->events = events_open(&host->sysfs, err);
    host->route = host->events ? nl_port_open(NETLINK_ROUTE, err) : NULL;
    if (!host->route) {
        linux_close(&host->backend);
        return NULL;
    }
    host->devlink = devlink_open(NULL);
    return &host->backend;
}
