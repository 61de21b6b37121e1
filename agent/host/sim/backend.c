/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's handle on a simulated host: host_ops over the world, with faults
 * from the hooks. Keeps nothing of its own but how far it has told events. */
#include "agent/host/sim/backend.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

const char *sim_step_name(enum sim_step step)
{
    static const char *const names[] = {
#define X(name, text) [SIM_STEP_##name] = text,
        SIM_STEPS(X)
#undef X
    };
    return step < SIM_STEP_MAX ? names[step] : "?";
}

int sim_fault(struct backend *b, enum sim_step step, const struct pf_key *pf,
              uint16_t vf, uint32_t fields)
{
    int number = 0;
    if (!b->hooks.fault)
        return 0;
    for (int i = 0; i < SIM_TRIES; i++) {
        number = b->hooks.fault(b->hooks.context, step, pf, vf, fields);
        if (number != EBUSY && number != EAGAIN)
            break;
    }
    return number;
}

int64_t sim_now(const struct backend *b)
{
    return b->hooks.now ? b->hooks.now(b->hooks.context) : timestamp_now();
}

/* ---- reading ----------------------------------------------------------------- */

static void vf_fill(const struct sim_pf *from, uint16_t index, struct vf *to)
{
    const struct sim_vf *vf = &from->vfs[index];
    to->index = index;
    to->state = vf->external ? VF_EXTERNAL : VF_FREE;
    to->has_address = true;
    to->address = sim_vf_address(from, index);
    to->iommu_group = 100 + from->iommu_group * 128 + index;
    to->driver = vf->external ? str_intern("vfio-pci") : from->model->vf_driver;
    to->reason = vf->external ? vf->external : "";
    if (!vf->external && from->netdev[0])
        snprintf(to->netdev, sizeof to->netdev, "%.8sv%u", from->netdev, index);
}

/* Counters that are not zero prove that the driver counts; the kernel fills in
 * zeros where it does not. */
static void judge_statistics(const struct sim_pf *from, struct pf *to)
{
    struct capability *trait =
        &to->capabilities.trait[CAPABILITY_TRAIT_STATISTICS];
    for (uint16_t i = 0; i < from->vf_count && from->model->counts; i++)
        if (from->vfs[i].counted)
            *trait = (struct capability){.support = CAPABILITY_SUPPORTED,
                                         .source = CAPABILITY_SOURCE_PROBED,
                                         .note = ""};
}

/* 'told': else the driver did not answer when asked for its VFs' policies. */
static struct pf *pf_read(struct backend *b, const struct sim_pf *from,
                          bool told)
{
    const struct sim_model *model = from->model;
    int64_t at = sim_now(b);
    size_t count = 0;
    for (uint16_t i = 0; i < from->vf_count; i++)
        count += from->vfs[i].present;
    struct pf *pf = pf_new(count);
    pf->key = from->key;
    pf->kind = (uint8_t)sim_model_kind(model);
    pf->pci_class = model->pci_class;
    pf->has_address = true;
    pf->address = from->address;
    memcpy(pf->netdev, from->netdev, sizeof pf->netdev);
    pf->mac = from->mac;
    pf->vendor_id = model->vendor_id;
    pf->device_id = model->device_id;
    pf->vf_device_id = model->vf_device_id;
    pf->vendor_name = model->vendor_name;
    pf->device_name = model->device_name;
    pf->driver = model->driver;
    pf->firmware = model->firmware;
    pf->numa_node = from->numa_node;
    pf->iommu_group = from->iommu_group;
    pf->link_up = from->link_up;
    pf->link_speed_mbps = from->link_up ? from->speed_mbps : -1;
    pf->mtu = from->netdev[0] ? 1500 : 0;
    pf->total_vfs = from->total_vfs;
    pf->num_vfs = from->vf_count;
    pf->autoprobe = from->autoprobe;
    pf->bridge_mode = from->bridge_mode;
    pf->eswitch_mode = model->eswitch_mode;
    char uplink[NETDEV_NAME_SIZE];
    for (size_t i = 0; i < b->host->networks; i++)
        if (strcmp(sim_uplink(b->host, i, uplink), from->netdev) == 0)
            snprintf(pf->used_by, sizeof pf->used_by, "bridge br-phys%zu", i);
    pf->management = from->management[0] != '\0';
    memcpy(pf->management_reason, from->management,
           sizeof pf->management_reason);
    if (b->probed)
        pf->capabilities = from->capabilities;
    else
        sim_model_sentinels(model, &pf->capabilities);
    judge_statistics(from, pf);
    pf->observed_at = at;
    for (uint16_t i = 0, n = 0; i < from->vf_count; i++) {
        if (!from->vfs[i].present)
            continue;
        struct vf *vf = &pf->vfs[n++];
        vf_fill(from, i, vf);
        if (!told)
            continue;
        vf->observed_at = at;
        sim_kernel_read(from, i, &vf->policy);
    }
    return pf;
}

static void networks_fill(const struct sim_host *host,
                          struct inventory *inventory)
{
    for (size_t i = 0; i < host->networks; i++) {
        struct network *network = &inventory->networks[i];
        network->kind = SWITCH_LINUX_BRIDGE;
        network->vlans = true;
        snprintf(network->device, sizeof network->device, "br-phys%zu", i);
        sim_uplink(host, i, network->uplink);
        network->mtu = 1500;
    }
}

static struct inventory *sim_inventory(struct host_backend *base,
                                       struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_host *host = b->host;
    struct pf *found[SIM_HOST_PFS_MAX];
    const struct sim_pf *failed[SIM_HOST_PFS_MAX];
    int why[SIM_HOST_PFS_MAX];
    size_t found_count = 0, failed_count = 0;
    int number = sim_fault(b, SIM_STEP_INVENTORY, NULL, 0, 0);
    if (number) {
        error_fill_sys(err, number, "read the simulated host");
        return NULL;
    }
    for (size_t i = 0; i < host->pf_count; i++) {
        const struct sim_pf *pf = &host->pfs[i];
        if (!pf->present)
            continue;
        number = sim_fault(b, SIM_STEP_READ_PF, &pf->key, 0, 0);
        found[found_count++] = pf_read(b, pf, number == 0);
        if (number) {
            failed[failed_count] = pf;
            why[failed_count++] = number;
        }
    }
    struct inventory *inventory =
        inventory_new(found_count, host->networks, failed_count);
    inventory->machine_id = host->machine_id;
    inventory->kernel = str_intern("6.1.0-sim");
    inventory->vcpus = host->vcpus;
    inventory->memory_mib = host->memory_mib;
    networks_fill(host, inventory);
    for (size_t i = 0; i < found_count; i++)
        inventory->pfs[i] = found[i];
    for (size_t i = 0; i < failed_count; i++) {
        snprintf(inventory->unreadable[i].what,
                 sizeof inventory->unreadable[i].what, "VF policy of %s",
                 failed[i]->key.text);
        str_copy(inventory->unreadable[i].why, strerror(why[i]));
    }
    return inventory;
}

static struct sim_pf *pf_find(struct backend *b, const struct pf_key *key,
                              struct error *err)
{
    size_t number = sim_host_pf_find(b->host, key);
    if (number == SIZE_MAX || !b->host->pfs[number].present) {
        error_fill(err, ERROR_VANISHED, ENODEV, "", "PF %s is gone", key->text);
        return NULL;
    }
    return &b->host->pfs[number];
}

static struct pf *sim_read_pf(struct host_backend *base,
                              const struct pf_key *key, const struct pf *known,
                              struct error *err)
{
    struct backend *b = backend_of(base);
    (void)known; /* reading afresh costs nothing here */
    const struct sim_pf *pf = pf_find(b, key, err);
    if (!pf)
        return NULL;
    int number = sim_fault(b, SIM_STEP_READ_PF, key, 0, 0);
    if (number) {
        error_fill_sys(err, number, "read PF %s", key->text);
        return NULL;
    }
    return pf_read(b, pf, true);
}

/* The PF of a VF that is there, or NULL. */
static struct sim_pf *vf_find(struct backend *b, const struct pf_key *key,
                              uint16_t vf, struct error *err)
{
    struct sim_pf *pf = pf_find(b, key, err);
    if (pf && (vf >= pf->vf_count || !pf->vfs[vf].present)) {
        error_fill(err, ERROR_VANISHED, ENODEV, "", "VF %u of PF %s is gone",
                   vf, key->text);
        return NULL;
    }
    return pf;
}

static int sim_vf_read(struct host_backend *base, const struct pf_key *key,
                       uint16_t vf, struct policy *policy, struct error *err)
{
    struct backend *b = backend_of(base);
    const struct sim_pf *pf = vf_find(b, key, vf, err);
    if (!pf)
        return -1;
    int number = sim_fault(b, SIM_STEP_VF_READ, key, vf, 0);
    if (number)
        return error_set_sys(err, number, "read VF %u of PF %s", vf, key->text);
    sim_kernel_read(pf, vf, policy);
    return 0;
}

/* ---- writing ------------------------------------------------------------------- */

static int refused(struct error *err, int number, enum policy_field field,
                   const struct pf_key *key, uint16_t vf)
{
    const char *name = policy_field_name(field);
    error_fill_sys(err, number, "set %s of VF %u of PF %s", name, vf,
                   key->text);
    if (err)
        str_copy(err->field, name);
    return -1;
}

static enum policy_field first_field(uint32_t fields)
{
    return (enum policy_field)__builtin_ctz(fields);
}

static int sim_vf_write(struct host_backend *base, const struct pf_key *key,
                        uint16_t vf, const struct policy *policy,
                        uint32_t fields, struct error *err)
{
    struct backend *b = backend_of(base);
    for (int g = 0; g < SIM_GROUP_MAX; g++) {
        enum sim_group group = (enum sim_group)g;
        uint32_t asked = fields & sim_group_fields(group);
        if (!asked)
            continue;
        /* The device can go between two messages. */
        struct sim_pf *pf = vf_find(b, key, vf, err);
        if (!pf)
            return -1;
        enum policy_field at_fault = first_field(asked);
        int number = sim_fault(b, SIM_STEP_VF_WRITE, key, vf, asked);
        if (number == SIM_SWALLOWED)
            continue;
        if (number)
            return refused(err, number, at_fault, key, vf);
        number = sim_kernel_write(pf, vf, group, policy, asked, &at_fault);
        if (number)
            return refused(err, number, at_fault, key, vf);
        pf->vfs[vf].version = ++b->host->versions;
        /* do_setlink: DO_SETLINK_NOTIFY after IFLA_VFINFO_LIST. */
        sim_host_notify(b->host, pf);
        number = sim_fault(b, SIM_STEP_VF_WRITTEN, key, vf, asked);
        if (number)
            return refused(err, number, first_field(asked), key, vf);
    }
    return 0;
}

static int sim_vf_reset(struct host_backend *base, const struct pf_key *key,
                        uint16_t vf, struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_pf *pf = vf_find(b, key, vf, err);
    if (!pf)
        return -1;
    if (!pf->model->flr)
        return error_set(err, ERROR_UNSUPPORTED, "VF %u of PF %s has no reset",
                         vf, key->text);
    if (pf->vfs[vf].external)
        return error_set_sys(err, EBUSY, "reset VF %u of PF %s", vf, key->text);
    int number = sim_fault(b, SIM_STEP_VF_RESET, key, vf, 0);
    if (number)
        return error_set_sys(err, number, "reset VF %u of PF %s", vf,
                             key->text);
    sim_kernel_bind(b->host, pf, vf);
    sim_host_notify(b->host, pf);
    return 0;
}

static int sim_mac_hold(struct host_backend *base, const struct pf_key *key,
                        const struct mac *mac, bool on, struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_pf *pf = pf_find(b, key, err);
    if (!pf)
        return -1;
    int number = sim_fault(b, SIM_STEP_MAC_HOLD, key, 0, 0);
    if (!number)
        number = sim_kernel_hold(pf, mac, on);
    if (number == (on ? EEXIST : ENOENT))
        number = 0;
    if (number)
        return error_set_sys(err, number, "%s a MAC on the filter of PF %s",
                             on ? "hold" : "let go of", key->text);
    return 0;
}

static int sim_mac_held(struct host_backend *base, const struct pf_key *key,
                        const struct mac *mac, bool *held, struct error *err)
{
    struct backend *b = backend_of(base);
    const struct sim_pf *pf = pf_find(b, key, err);
    if (!pf)
        return -1;
    int number = sim_fault(b, SIM_STEP_MAC_HELD, key, 0, 0);
    if (number)
        return error_set_sys(err, number, "list the filter of PF %s",
                             key->text);
    *held = sim_host_holds(b->host, (size_t)(pf - b->host->pfs), mac);
    return 0;
}

static int fault_of(void *context, enum sim_step step, const struct pf_key *pf,
                    uint16_t number, uint32_t part)
{
    return sim_fault(context, step, pf, number, part);
}

/* A step a call, so that there is something between any two of them. */
static int sim_pf_set(struct host_backend *base, const struct pf_key *key,
                      const struct pf_target *target, struct error *err)
{
    struct backend *b = backend_of(base);
    size_t number = sim_host_pf_find(b->host, key);
    struct sim_change *change = number == SIZE_MAX ? NULL : &b->changes[number];
    struct sim_pf *pf = pf_find(b, key, err);
    if (!pf && change)
        change->running = false;
    if (!pf || !change)
        return -1;
    if (pf->management[0])
        return error_set(err, ERROR_FORBIDDEN,
                         "PF %s carries the host's own traffic (%s) and is "
                         "never touched",
                         key->text, pf->management);
    if (!change->running)
        *change = (struct sim_change){.running = true, .target = *target};
    bool other = !pf_target_equal(&change->target, target);
    int result = sim_pf_step(b->host, pf, change, fault_of, b, err);
    change->running = result == 1;
    /* Whoever asks for something else is answered when this has ended. */
    return other ? 1 : result;
}

/* ---- events ----------------------------------------------------------------------- */

static int sim_event_fd(struct host_backend *base)
{
    return backend_of(base)->event_fd;
}

static int sim_changes(struct host_backend *base, struct host_changes *out,
                       struct error *err)
{
    struct backend *b = backend_of(base);
    struct sim_host *host = b->host;
    sim_domains_settle(host, sim_now(b));
    int number = sim_fault(b, SIM_STEP_CHANGES, NULL, 0, 0);
    if (number && number != ENOBUFS)
        return error_set_sys(err, number, "read kernel events");
    if (b->event_fd >= 0) {
        uint64_t count = 0;
        ssize_t ignored = read(b->event_fd, &count, sizeof count);
        (void)ignored;
    }
    memset(out, 0, sizeof *out);
    /* ENOBUFS: the socket's buffer ran over, netlink(7). */
    out->everything = number == ENOBUFS || host->lost > b->told;
    out->domains = host->domains_changed > b->told;
    for (size_t i = 0; i < host->pf_count; i++)
        if (host->pfs[i].changed > b->told)
            out->pfs[out->pf_count++] = host->pfs[i].key;
    b->told = host->events;
    return 0;
}

bool host_sim_has_changes(const struct host_backend *base)
{
    const struct backend *b = (const struct backend *)(const void *)base;
    return b->host->events > b->told || sim_domains_next(b->host) <= sim_now(b);
}

static void sim_close(struct host_backend *base)
{
    if (!base)
        return;
    struct backend *b = backend_of(base);
    if (b->event_fd >= 0) {
        b->host->event_fd = -1;
        close(b->event_fd);
    }
    free(b);
}

static const struct host_ops sim_ops = {
    .inventory = sim_inventory,
    .read_pf = sim_read_pf,
    .vf_read = sim_vf_read,
    .vf_write = sim_vf_write,
    .vf_reset = sim_vf_reset,
    .mac_hold = sim_mac_hold,
    .mac_held = sim_mac_held,
    .pf_set = sim_pf_set,
    .learning_read = sim_learning_read,
    .learning_set = sim_learning_set,
    .tap_vlan = sim_tap_vlan,
    .tap_read = sim_tap_read,
    .announce = sim_announce,
    .vf_evidence = sim_vf_evidence,
    .domains = sim_domains,
    .domain_order = sim_domain_order,
    .event_fd = sim_event_fd,
    .changes = sim_changes,
    .close = sim_close,
};

struct host_backend *host_sim_open(const struct host_sim_config *config,
                                   struct error *err)
{
    int fd = -1;
    if (config->with_event_fd) {
        fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0) {
            error_fill_sys(err, errno, "make an event descriptor");
            return NULL;
        }
        config->host->event_fd = fd;
    }
    struct backend *b = mem_new(struct backend);
    b->base.ops = &sim_ops;
    b->host = config->host;
    b->hooks = config->hooks;
    b->told = config->host->events;
    b->event_fd = fd;
    b->probed = config->probed;
    return &b->base;
}
