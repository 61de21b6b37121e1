/* SPDX-License-Identifier: Apache-2.0 */
/* The search for a host: see placement.h. Walks the index in the order of the
 * strategy and takes the first host that fits as a whole. */
#include "scheduler/core/placement.h"

#include "common/base/str.h"

#include <string.h>

#define PORT_BIT(port) (1u << (port))

/* ---- constraints ------------------------------------------------------------ */

bool placement_class_fits(const struct want *want, size_t port,
                          const struct pf_class *class)
{
    const struct port_want *wanted = &want->ports[port];
    const struct port_request *asked = wanted->request;
    struct link_facts link = class_link(class);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;

    if (class->kind != wanted->kind || class->whole != wanted->whole)
        return false;
    if ((*asked->physical_network || wanted->same_network) &&
        strcmp(asked->physical_network, class->physical_network) != 0)
        return false;
    if (wanted->readiness & class->unready)
        return false;
    if ((asked->require_vendor_id &&
         asked->require_vendor_id != class->vendor_id) ||
        (asked->require_device_id &&
         asked->require_device_id != class->device_id))
        return false;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if ((asked->require_capabilities & POLICY_BIT(i)) &&
            !capability_given(&class->capabilities.field[i], &link))
            return false;
    /* What a guest does with a whole PF is its own. */
    if (!wanted->whole && !capabilities_allow(&class->capabilities, &link,
                                              &wanted->policy, &field, &why))
        return false;
    return wanted->policy.min_tx_rate_mbps <= class->promisable_mbps &&
           !placement_mac_taken(want, wanted, class->physical_network);
}

bool placement_mac_used(const struct want *want, size_t port,
                        const struct pf_slot *pf_slot)
{
    const struct port_want *wanted = &want->ports[port];
    const struct mac *own = &pf_slot->pf->mac;
    const char *network = pf_slot->class->physical_network;
    if (!wanted->own_mac || mac_is_zero(own))
        return placement_mac_taken(want, wanted, network);
    struct mac_key key = mac_key_of(own, network);
    return omap_get(want->macs, key.bytes, key.length) != NULL;
}

/* A port that has or may get a virtio leg needs its network on the host: the
 * asked one, else the one of its VF, so that both legs reach the same. */
static bool pf_network_fits(const struct port_want *port,
                            const struct pf_slot *pf_slot)
{
    return !port->needs_network || *port->request->physical_network ||
           !*pf_slot->class->physical_network ||
           placement_network(port, pf_slot->slot,
                             pf_slot->class->physical_network, NULL);
}

static bool pf_has_bandwidth(const struct pf_slot *pf_slot, uint32_t rate)
{
    return !rate ||
           pf_slot->committed_mbps + rate <= pf_slot->class->promisable_mbps;
}

bool placement_pf_fits(const struct want *want, size_t port,
                       const struct pf_slot *pf_slot)
{
    return pf_slot->node.linked &&
           placement_class_fits(want, port, pf_slot->class) &&
           pf_network_fits(&want->ports[port], pf_slot) &&
           (!want->ports[port].needs_netdev ||
            pf_slot_free_netdevs(pf_slot) > 0) &&
           !placement_mac_used(want, port, pf_slot) &&
           pf_has_bandwidth(pf_slot, want->ports[port].policy.min_tx_rate_mbps);
}

bool placement_host_fits(const struct want *want, const struct slot *slot)
{
    if (!slot->ready || want->request->vcpus > slot->free_vcpus ||
        want->request->memory_mib > slot->free_memory_mib)
        return false;
    if (*want->request->host &&
        strcmp(want->request->host, slot->view->host->name) != 0)
        return false;
    for (size_t i = 0; i < want->count; i++)
        if (want->ports[i].needs_network &&
            !placement_network(&want->ports[i], slot,
                               want->ports[i].request->physical_network, NULL))
            return false;
    return true;
}

/* ---- one host ------------------------------------------------------------------ */

static bool virtio_fits(const struct want *want, uint32_t ports,
                        const struct slot *slot)
{
    for (size_t i = 0; i < want->count; i++)
        if ((ports & PORT_BIT(i)) && !placement_leg(want, i, slot))
            return false;
    return true;
}

/* The best set of ports that get a VF here: all that must, then as many of the
 * others as fit. False if a port would have no path at all. */
static bool host_ports(struct want *want, const struct slot *slot,
                       bool all_or_nothing, int chosen[VM_PORTS_MAX],
                       uint32_t *with_vf)
{
    uint32_t all = PORT_BIT(want->count) - 1;
    uint32_t set = all_or_nothing ? want->vf_ports : want->must_ports;
    if (!placement_host_fits(want, slot) ||
        !match_ports(want, slot, set, chosen))
        return false;
    for (size_t i = 0; i < want->count; i++) {
        uint32_t bit = PORT_BIT(i);
        if (!(want->vf_ports & bit) || (set & bit))
            continue;
        int with_more[VM_PORTS_MAX];
        if (match_ports(want, slot, set | bit, with_more)) {
            memcpy(chosen, with_more, sizeof with_more);
            set |= bit;
        }
    }
    if (!virtio_fits(want, all & ~set, slot))
        return false;
    *with_vf = set;
    return true;
}

/* A free VF of the PF that no other port of the plan has, with a network device
 * of the host where the port needs one. */
static int take_vf(const struct want *want, const struct plan *plan,
                   size_t port)
{
    const struct pf_slot *pf = plan->ports[port].pf;
    int position = -1;
    for (size_t skip = 0; (position = pf_slot_free_vf(pf, skip)) >= 0; skip++) {
        bool taken = false;
        for (size_t i = 0; i < want->count && !taken; i++)
            taken = i != port && plan->ports[i].pf == pf &&
                    plan->ports[i].position == position;
        if (!taken &&
            (!want->ports[port].needs_netdev || *pf->pf->vfs[position].netdev))
            break;
    }
    return position;
}

static void make_plan(const struct want *want, struct slot *slot,
                      uint32_t with_vf, const int chosen[VM_PORTS_MAX],
                      struct plan *plan)
{
    *plan = (struct plan){.slot = slot};
    for (size_t i = 0; i < want->count; i++) {
        const struct port_want *wanted = &want->ports[i];
        struct port_plan *port = &plan->ports[i];
        port->position = -1;
        if (with_vf & PORT_BIT(i)) {
            port->pf = slot->pfs[chosen[i]];
            str_copy(port->network, port->pf->class->physical_network);
            if (wanted->needs_network)
                port->device = placement_network(wanted, slot, port->network,
                                                 port->pf->pf);
        } else if (wanted->needs_network) {
            port->device = placement_leg(want, i, slot);
            str_copy(port->network,
                     view_network_name(slot->view, port->device));
        }
    }
    /* First those that need a VF of a certain sort. */
    for (int netdev = 1; netdev >= 0; netdev--)
        for (size_t i = 0; i < want->count; i++)
            if (plan->ports[i].pf && !want->ports[i].whole &&
                want->ports[i].needs_netdev == netdev)
                plan->ports[i].position = take_vf(want, plan, i);
}

struct claim placement_claim(const struct port_want *want,
                             const struct port_plan *plan)
{
    const struct pf *pf = plan->pf->pf;
    struct claim claim = {
        .pf = pf->key,
        .vf_index = CLAIM_WHOLE_PF,
        .has_address = pf->has_address,
        .address = pf->address,
        .vendor_id = pf->vendor_id,
        .device_id = pf->device_id,
        .numa_node = pf->numa_node,
        .min_tx_rate_mbps = want->policy.min_tx_rate_mbps,
    };
    if (want->whole)
        return claim;
    const struct vf *vf = &pf->vfs[plan->position];
    claim.vf_index = vf->index;
    claim.has_address = vf->has_address;
    claim.address = vf->address;
    return claim;
}

/* ---- walks ------------------------------------------------------------------------ */

/* A walk over the PFs that could serve one port, best first: the classes'
 * trees merged. */
struct pf_walk {
    const struct index *index;
    uint32_t port_bits; /* classes that fit one of these ports */
    bool descending;
    size_t count;
    struct tree_node **heads; /* the next of each class, NULL at its end */
    size_t taken; /* the class whose head was given out; count = none */
};

static void walk_begin(struct pf_walk *walk, const struct want *want,
                       const struct index *index, uint32_t port_bits)
{
    *walk = (struct pf_walk){
        .index = index,
        .port_bits = port_bits,
        .descending = want->request->strategy == STRATEGY_SPREAD,
        .count = index->class_count,
        .heads = mem_calloc(index->class_count, sizeof *walk->heads),
        .taken = index->class_count,
    };
    for (size_t i = 0; i < walk->count; i++)
        if (index->classes[i]->port_fits & port_bits)
            walk->heads[i] =
                tree_walk(&index->classes[i]->tree, NULL, walk->descending);
}

static bool walk_before(const struct pf_walk *walk, size_t a, size_t b)
{
    const struct pf_class *x = walk->index->classes[a];
    const struct pf_class *y = walk->index->classes[b];
    const struct tree_node *first = walk->heads[a], *second = walk->heads[b];
    if (x->link_up != y->link_up)
        return x->link_up;
    if (first->score != second->score)
        return (first->score < second->score) != walk->descending;
    int order = strcmp(first->name, second->name);
    return (order ? order : strcmp(first->part, second->part)) < 0;
}

static struct slot *walk_next(struct pf_walk *walk)
{
    size_t best = walk->count;
    if (walk->taken < walk->count) /* only now: mostly the first one fits */
        walk->heads[walk->taken] =
            tree_walk(&walk->index->classes[walk->taken]->tree,
                      walk->heads[walk->taken], walk->descending);
    for (size_t i = 0; i < walk->count; i++)
        if (walk->heads[i] &&
            (best == walk->count || walk_before(walk, i, best)))
            best = i;
    walk->taken = best;
    if (best == walk->count)
        return NULL;
    return ((struct pf_slot *)walk->heads[best])->slot;
}

static void walk_end(struct pf_walk *walk)
{
    free(walk->heads);
}

/* ---- the search --------------------------------------------------------------------- */

static uint32_t lowest_bit(uint32_t bits)
{
    return bits & (~bits + 1);
}

/* For each class the ports it could serve. Returns the ports that some class
 * with a free VF could serve. */
static uint32_t mark_classes(struct core *core, const struct want *want)
{
    uint32_t servable = 0;
    for (size_t i = 0; i < core->index.class_count; i++) {
        struct pf_class *class = core->index.classes[i];
        class->port_fits = 0;
        if (!class->tree.count)
            continue;
        for (size_t port = 0; port < want->count; port++)
            if ((want->vf_ports & PORT_BIT(port)) &&
                placement_class_fits(want, port, class))
                class->port_fits |= PORT_BIT(port);
        servable |= class->port_fits;
    }
    return servable;
}

/* Every VF port gets its VF: the first host on the first port's walk. */
static bool find_with_vfs(struct core *core, struct want *want,
                          struct plan *plan)
{
    struct pf_walk walk;
    struct slot *slot = NULL;
    bool found = false;
    want->number = ++core->decisions;
    walk_begin(&walk, want, &core->index, lowest_bit(want->vf_ports));
    while (!found && (slot = walk_next(&walk))) {
        int chosen[VM_PORTS_MAX];
        uint32_t with_vf = 0;
        if (slot->tried == want->number)
            continue;
        slot->tried = want->number;
        found = host_ports(want, slot, true, chosen, &with_vf);
        if (found)
            make_plan(want, slot, with_vf, chosen, plan);
    }
    walk_end(&walk);
    return found;
}

/* Some ports fall back: the host that gives the most VFs. */
static bool find_with_some_vfs(struct core *core, struct want *want,
                               uint32_t servable, struct plan *plan)
{
    struct pf_walk walk;
    struct slot *slot = NULL;
    int best = 0;
    int bound = __builtin_popcount(servable & want->vf_ports);
    uint32_t lead =
        want->must_ports ? lowest_bit(want->must_ports) : want->vf_ports;
    want->number = ++core->decisions;
    walk_begin(&walk, want, &core->index, lead);
    while (best < bound && (slot = walk_next(&walk))) {
        int chosen[VM_PORTS_MAX];
        uint32_t with_vf = 0;
        if (slot->tried == want->number)
            continue;
        slot->tried = want->number;
        if (host_ports(want, slot, false, chosen, &with_vf) &&
            __builtin_popcount(with_vf) > best) {
            best = __builtin_popcount(with_vf);
            make_plan(want, slot, with_vf, chosen, plan);
        }
    }
    walk_end(&walk);
    return best > 0;
}

/* No port gets a VF: hosts by free CPUs. */
static bool find_without_vfs(struct core *core, struct want *want,
                             struct plan *plan)
{
    const char *network = "*";
    for (size_t i = 0; i < want->count; i++) {
        if (!want->ports[i].needs_network)
            continue;
        network = want->ports[i].request->physical_network;
        if (*network)
            break;
    }
    const struct host_list *list = index_list(&core->index, network);
    bool descending = want->request->strategy == STRATEGY_SPREAD;
    struct tree_node *node = NULL;
    while (list && (node = tree_walk(&list->tree, node, descending))) {
        struct slot *slot = ((struct host_rank *)node)->slot;
        uint32_t all = PORT_BIT(want->count) - 1;
        if (placement_host_fits(want, slot) && virtio_fits(want, all, slot)) {
            make_plan(want, slot, 0, NULL, plan);
            return true;
        }
    }
    return false;
}

static bool find_on_host(struct want *want, struct slot *slot,
                         struct plan *plan)
{
    int chosen[VM_PORTS_MAX];
    uint32_t with_vf = 0;
    if (!slot || !host_ports(want, slot, false, chosen, &with_vf))
        return false;
    make_plan(want, slot, with_vf, chosen, plan);
    return true;
}

bool placement_find(struct core *core, struct want *want, struct plan *plan)
{
    if (want->impossible)
        return false;
    if (*want->request->host)
        return find_on_host(want, index_slot(&core->index, want->request->host),
                            plan);
    if (!want->vf_ports)
        return find_without_vfs(core, want, plan);
    uint32_t servable = mark_classes(core, want);
    if (servable == want->vf_ports && find_with_vfs(core, want, plan))
        return true;
    if (want->must_ports == want->vf_ports || (want->must_ports & ~servable))
        return false;
    if (servable && find_with_some_vfs(core, want, servable, plan))
        return true;
    return !want->must_ports && find_without_vfs(core, want, plan);
}
