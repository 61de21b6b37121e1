/* SPDX-License-Identifier: Apache-2.0 */
/* The invariants, checked by scanning what the records say: I1 (a VF has one
 * owner), I2 (bandwidth), I4 (MACs), and that views, maps and index are what
 * they should be. For tests and the simulation; changes nothing. */
#include "scheduler/core/internal.h"

#include <inttypes.h>
#include <string.h>

#define broken(err, ...) error_set(err, ERROR_INTERNAL, __VA_ARGS__)

/* ---- one VM on its host --------------------------------------------------------- */

static int check_claim(const struct host_view *view, const struct vm *vm,
                       size_t index, struct error *err)
{
    const struct claim *claim = &vm->ports[index].claim;
    int at = view_find_claim(view, &claim->pf, claim->vf_index);
    if (at < 0 || !uuid_equal(&view->claims[at].vm, &vm->id) ||
        view->claims[at].port_index != index ||
        view->claims[at].min_tx_rate_mbps != claim->min_tx_rate_mbps)
        return broken(err,
                      "I1: VF %u of PF %s on '%s' is claimed by VM '%s' "
                      "but the host's table says otherwise",
                      claim->vf_index, claim->pf.text, view->host->name,
                      vm->name);
    return 0;
}

static int check_vm_keys(const struct core *core, const struct vm *vm,
                         struct error *err)
{
    struct name_key name = name_key_of(vm);
    if (omap_get(&core->state.vm_names, name.bytes, name.length) != vm)
        return broken(err, "VM '%s' is not found by its name", vm->name);
    if (*vm->idempotency_key && omap_get(&core->keys, vm->idempotency_key,
                                         strlen(vm->idempotency_key)) != vm)
        return broken(err, "VM '%s' is not found by its key", vm->name);
    for (size_t i = 0; i < vm->port_count; i++) {
        size_t at = 0;
        if (state_port(&core->state, &vm->ports[i].id, &at) != vm || at != i)
            return broken(err, "port %zu of VM '%s' is not found by its id", i,
                          vm->name);
        if (vm->ports[i].device)
            continue;
        struct mac_key mac =
            mac_key_of(&vm->ports[i].mac, vm->ports[i].physical_network);
        if (omap_get(&core->macs, mac.bytes, mac.length) != vm)
            return broken(err,
                          "I4: the MAC of port %zu of VM '%s' is not its "
                          "own on '%s'",
                          i, vm->name, vm->ports[i].physical_network);
    }
    return 0;
}

/* The wanted path is one that the port has; a VF that is being given up can go
 * back only to where there is another path. */
static int check_path(const struct vm *vm, const struct port *port,
                      struct error *err)
{
    bool macvtap = port->vnic_type == VNIC_MACVTAP;
    bool given_up = port->has_claim && port->path == PATH_VIRTIO;
    if (port->path == PATH_VF && !port->has_claim)
        return broken(err, "'%s' of VM '%s' is to be on a VF and has none",
                      port->name, vm->name);
    if (given_up && !port_can_fall_back(port))
        return broken(err, "'%s' of VM '%s' gives up the only path it has",
                      port->name, vm->name);
    if (port->decelerated && (port->path != PATH_VIRTIO || !port->degraded))
        return broken(err, "'%s' of VM '%s' is decelerated and on a VF",
                      port->name, vm->name);
    if (macvtap != (port->macvtap_mode != MACVTAP_NONE) ||
        (macvtap &&
         port->has_claim != (port->macvtap_mode == MACVTAP_PASSTHROUGH)) ||
        (port->vnic_type == VNIC_NORMAL && port->has_claim))
        return broken(err, "'%s' of VM '%s' has what its vnic_type has not",
                      port->name, vm->name);
    return 0;
}

/* A device has nothing of a network port, a whole PF no share of itself. */
static int check_port(const struct vm *vm, const struct port *port,
                      struct error *err)
{
    bool whole = port->vnic_type == VNIC_DIRECT_PHYSICAL;
    bool bare = mac_is_zero(&port->mac) && !*port->physical_network &&
                !port->policy.set && port->device_kind != DEVICE_NETWORK &&
                port->vnic_type == VNIC_DIRECT;
    if (port->device && !bare)
        return broken(err, "device '%s' of VM '%s' has what only ports have",
                      port->name, vm->name);
    if ((port->device || whole) && (!port->has_claim || port->degraded))
        return broken(err, "'%s' of VM '%s' has no path but hardware, and none",
                      port->name, vm->name);
    if (port->has_claim && whole != (port->claim.vf_index == CLAIM_WHOLE_PF))
        return broken(err, "port '%s' of VM '%s' claims VF %u of PF %s",
                      port->name, vm->name, port->claim.vf_index,
                      port->claim.pf.text);
    return check_path(vm, port, err);
}

struct sums {
    uint64_t vcpus, memory_mib;
    size_t claims;
};

static int check_vm(const struct core *core, const struct host_view *view,
                    const struct uuid *id, struct sums *sums, struct error *err)
{
    const struct vm *vm = state_vm(&core->state, id);
    if (!vm || strcmp(vm->host, view->host->name) != 0)
        return broken(err, "host '%s' lists a VM that is not there",
                      view->host->name);
    sums->vcpus += vm->vcpus;
    sums->memory_mib += vm->memory_mib;
    if (revision_compare(&vm->revision, &view->revision) > 0)
        return broken(err, "VM '%s' is newer than the document of '%s'",
                      vm->name, view->host->name);
    if (vm->lifecycle != LIFECYCLE_MANAGED && (vm->domain_xml || vm->power_on))
        return broken(err, "VM '%s' is not managed and has a domain", vm->name);
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        sums->claims += port->has_claim;
        if (check_port(vm, port, err) ||
            (port->has_claim && check_claim(view, vm, i, err)))
            return -1;
        if (revision_compare(&port->revision, &view->revision) > 0)
            return broken(err,
                          "a port of VM '%s' is newer than the document "
                          "of '%s'",
                          vm->name, view->host->name);
    }
    return check_vm_keys(core, vm, err);
}

static int check_view(const struct core *core, const struct host_view *view,
                      struct error *err)
{
    struct sums sums = {0};
    for (size_t i = 0; i < view->vm_count; i++) {
        if (i && uuid_compare(&view->vms[i - 1], &view->vms[i]) >= 0)
            return broken(err, "the VMs of '%s' are not in order",
                          view->host->name);
        if (check_vm(core, view, &view->vms[i], &sums, err))
            return -1;
    }
    for (size_t i = 1; i < view->claim_count; i++) {
        const struct claim_entry *a = &view->claims[i - 1];
        const struct claim_entry *b = &view->claims[i];
        int order = pf_key_compare(&a->pf, &b->pf);
        if (order > 0 || (order == 0 && a->vf_index >= b->vf_index))
            return broken(err, "I1: VF %u of PF %s on '%s' has two owners",
                          b->vf_index, b->pf.text, view->host->name);
        /* The whole PF sorts after all of its VFs. */
        if (order == 0 && b->vf_index == CLAIM_WHOLE_PF)
            return broken(err,
                          "I1: PF %s on '%s' is claimed as a whole, and VF %u "
                          "of it too",
                          b->pf.text, view->host->name, a->vf_index);
    }
    if (sums.claims != view->claim_count || sums.vcpus != view->used_vcpus ||
        sums.memory_mib != view->used_memory_mib)
        return broken(err, "the sums of '%s' are not those of its VMs",
                      view->host->name);
    if (view->revision.epoch != state_epoch(&core->state))
        return broken(err, "the document of '%s' is of another epoch",
                      view->host->name);
    return 0;
}

/* ---- the index against a scan ------------------------------------------------------ */

/* By the VF's holder, or by one of the whole PF. 'any': of whatever of it. */
static bool reported_held(const struct host_report *report, const struct pf *pf,
                          uint16_t vf_index, bool any)
{
    for (size_t i = 0; i < report->port_count; i++) {
        const struct observed_port *port = &report->ports[i];
        if (port->has_claim && port->phase != PORT_ABSENT &&
            pf_key_compare(&port->claim.pf, &pf->key) == 0 &&
            (any || port->claim.vf_index == vf_index ||
             port->claim.vf_index == CLAIM_WHOLE_PF))
            return true;
    }
    return false;
}

/* A PF that can be given as a whole counts as one, or as none if anything of it
 * is claimed or held. */
static bool gives_whole(const struct pf *pf, const struct pf_setting *setting)
{
    if (pf->kind != DEVICE_NETWORK || *pf->used_by)
        return false;
    if (setting && setting->has_num_vfs && setting->num_vfs > 0)
        return false;
    return pf->num_vfs == 0 && pf->vf_count == 0;
}

static size_t count_free(const struct host_view *view, const struct pf *pf)
{
    size_t count = 0, claims = 0;
    for (size_t i = 0; i < view->claim_count; i++)
        claims += pf_key_compare(&view->claims[i].pf, &pf->key) == 0;
    if (gives_whole(pf, host_pf_setting(view->host, &pf->key)))
        return !claims && !reported_held(view->report, pf, 0, true);
    if (view_find_claim(view, &pf->key, CLAIM_WHOLE_PF) >= 0)
        return 0;
    for (size_t i = 0; i < pf->vf_count; i++)
        count += pf->vfs[i].state == VF_FREE &&
                 uuid_is_zero(&pf->vfs[i].port) &&
                 view_find_claim(view, &pf->key, pf->vfs[i].index) < 0 &&
                 !reported_held(view->report, pf, pf->vfs[i].index, false);
    return count;
}

static bool tree_holds(const struct tree *tree, const struct tree_node *node)
{
    const struct tree_node *at = NULL;
    while ((at = tree_walk(tree, at, false)))
        if (at == node)
            return true;
    return false;
}

static int check_pf(const struct core *core, const struct slot *slot,
                    const struct pf *pf, bool deep, struct error *err)
{
    const struct host_view *view = slot->view;
    const struct pf_slot *pf_slot = slot_pf(slot, &pf->key);
    if (!pf_slot || pf_slot->pf != pf)
        return broken(err, "index: PF %s of '%s' is not the reported one",
                      pf->key.text, view->host->name);
    const struct pf_setting *setting = host_pf_setting(view->host, &pf->key);
    size_t count = count_free(view, pf);
    uint64_t mbps = view_committed_mbps(&core->state, view, &pf->key);
    if (pf_slot->free != count || pf_slot->committed_mbps != mbps)
        return broken(err,
                      "index: PF %s of '%s' has %zu free and %" PRIu64
                      " Mbit/s promised, not %u and %" PRIu64,
                      pf->key.text, view->host->name, count, mbps,
                      pf_slot->free, pf_slot->committed_mbps);
    bool linked = view->state == HOST_READY && setting && setting->allowed &&
                  !pf->management && !host_view_pf_changing(view, pf) && count;
    if (pf_slot->node.linked != linked ||
        (linked && pf_slot->node.score != count) ||
        (deep && tree_holds(&pf_slot->class->tree, &pf_slot->node) != linked))
        return broken(err, "index: PF %s of '%s' is not where it belongs",
                      pf->key.text, view->host->name);
    const struct pf_class *class = pf_slot->class;
    if (strcmp(class->physical_network,
               setting ? setting->physical_network : "") != 0 ||
        class->unready != (pf->has_address ? slot->unready : 0) ||
        class->kind != pf->kind || class->whole != gives_whole(pf, setting) ||
        class->promisable_mbps != pf_promisable_mbps(pf, setting))
        return broken(err, "index: PF %s of '%s' is of another class",
                      pf->key.text, view->host->name);
    return 0;
}

/* I2 is about what is admitted: a link that became slower since breaks nothing,
 * so the sum is held against the most that could be promised so far. */
static int check_bandwidth(const struct slot *slot, const struct pf *pf,
                           struct error *err)
{
    const struct pf_slot *pf_slot = slot_pf(slot, &pf->key);
    if (pf_slot->committed_mbps > pf_slot->bearable_mbps)
        return broken(err,
                      "I2: PF %s of '%s' has %" PRIu64
                      " Mbit/s promised, more than the %" PRIu64
                      " it ever bore",
                      pf->key.text, slot->view->host->name,
                      pf_slot->committed_mbps, pf_slot->bearable_mbps);
    return 0;
}

/* What is over-promised was said, and nothing else; while nobody tells the
 * link's speed, what was said last stands. */
static int check_said(const struct host_view *view, const struct pf *pf,
                      struct error *err)
{
    struct pf_promise now = host_view_promise(view, pf);
    bool said = false;
    for (size_t i = 0; i < view->report->over_count; i++)
        said |= pf_key_compare(&view->report->over[i].pf, &pf->key) == 0;
    if (now.promised_mbps && !now.promisable_mbps)
        return 0;
    if (said != (now.promised_mbps > now.promisable_mbps))
        return broken(err,
                      "PF %s of '%s' has %" PRIu64 " of %" PRIu64
                      " Mbit/s promised, and it was%s said",
                      pf->key.text, view->host->name, now.promised_mbps,
                      now.promisable_mbps, said ? "" : " not");
    return 0;
}

static int check_slot(const struct core *core, const struct host_view *view,
                      bool deep, struct error *err)
{
    const struct slot *slot = index_slot(&core->index, view->host->name);
    if (!slot || slot->view != view)
        return broken(err, "index: host '%s' is not the current one",
                      view->host->name);
    const struct inventory *inventory =
        view->report ? view->report->inventory : NULL;
    if (slot->pf_count != (inventory ? inventory->pf_count : 0) ||
        slot->ready != (view->state == HOST_READY))
        return broken(err, "index: host '%s' is out of step", view->host->name);
    if (inventory && (slot->free_vcpus != view_free_vcpus(view) ||
                      slot->free_memory_mib != view_free_memory_mib(view)))
        return broken(err, "index: the capacity of '%s' is out of step",
                      view->host->name);
    for (size_t i = 0; i < slot->rank_count; i++)
        if (slot->ranks[i].node.linked != slot->ready ||
            (slot->ready && slot->ranks[i].node.score != slot_rank_score(slot)))
            return broken(err, "index: host '%s' is ranked wrongly",
                          view->host->name);
    for (size_t i = 0; inventory && i < inventory->pf_count; i++)
        if (check_pf(core, slot, inventory->pfs[i], deep, err) ||
            check_bandwidth(slot, inventory->pfs[i], err) ||
            check_said(view, inventory->pfs[i], err))
            return -1;
    return 0;
}

int core_check_host(const struct core *core, const char *host,
                    struct error *err)
{
    const struct host_view *view = state_host(&core->state, host);
    if (!view || !core->started)
        return 0;
    return check_view(core, view, err) || check_slot(core, view, false, err)
               ? -1
               : 0;
}

/* ---- everything ---------------------------------------------------------------------- */

struct totals {
    const struct core *core;
    struct error *err;
    int result;
    size_t vms, macs, ports, keys, machines;
};

static bool check_each_host(void *context, const void *key, size_t key_length,
                            void *value)
{
    (void)key;
    (void)key_length;
    struct totals *totals = context;
    const struct host_view *view = value;
    totals->vms += view->vm_count;
    totals->machines += !uuid_is_zero(&view->host->machine_id);
    totals->result = check_view(totals->core, view, totals->err) ||
                             check_slot(totals->core, view, true, totals->err)
                         ? -1
                         : 0;
    return totals->result == 0;
}

static bool count_vm(void *context, const void *key, size_t key_length,
                     void *value)
{
    (void)key;
    (void)key_length;
    struct totals *totals = context;
    const struct vm *vm = value;
    for (size_t i = 0; i < vm->port_count; i++)
        totals->macs += !vm->ports[i].device;
    totals->ports += vm->port_count;
    totals->keys += *vm->idempotency_key != '\0';
    return true;
}

static int check_trees(const struct core *core, struct error *err)
{
    size_t linked = 0;
    for (size_t i = 0; i < core->index.class_count; i++) {
        const struct tree *tree = &core->index.classes[i]->tree;
        const struct tree_node *node = NULL;
        size_t count = 0;
        while ((node = tree_walk(tree, node, true)))
            count++;
        if (count != tree->count)
            return broken(err, "index: a class of %zu PFs walks %zu",
                          tree->count, count);
        linked += core->index.classes[i]->members;
    }
    size_t pfs = 0;
    const void *key = NULL;
    size_t length = 0;
    const struct slot *slot = NULL;
    while ((slot = omap_after(&core->index.slots, key, length, &key, &length)))
        pfs += slot->pf_count;
    if (linked != pfs)
        return broken(err, "index: %zu PFs are in classes, %zu on hosts",
                      linked, pfs);
    return 0;
}

int core_check(const struct core *core, struct error *err)
{
    struct totals totals = {.core = core, .err = err};
    const struct state *state = &core->state;
    if (!core->started)
        return 0;
    omap_each(&state->hosts, check_each_host, &totals);
    if (totals.result)
        return -1;
    omap_each(&state->vms, count_vm, &totals);
    if (totals.vms != state->vms.count ||
        state->vm_names.count != state->vms.count)
        return broken(err, "%zu VMs, %zu on hosts, %zu names", state->vms.count,
                      totals.vms, state->vm_names.count);
    if (totals.macs != core->macs.count)
        return broken(err, "I4: %zu ports hold %zu MACs", totals.macs,
                      core->macs.count);
    if (totals.ports != state->ports.count)
        return broken(err, "%zu ports and devices, %zu are found by their ids",
                      totals.ports, state->ports.count);
    if (totals.keys != core->keys.count ||
        totals.machines != state->machines.count ||
        state->hosts.count != state->host_hashes.count ||
        state->hosts.count != core->index.slots.count ||
        state->tokens.count != state->token_hashes.count)
        return broken(err, "a map of keys is out of step");
    return check_trees(core, err);
}
