/* SPDX-License-Identifier: Apache-2.0 */
/* What is true, kept beside the system and fed only by what really happened in
 * the simulated kernels and on the simulated disks; and the invariants of
 * DESIGN section 5 over it. Called after every event for what it touched. */
#include "tests/sim/sim.h"

#include "common/base/str.h"

#include <stddef.h>
#include <string.h>

/* ---- ports ------------------------------------------------------------------- */

static size_t slot_of(const struct sim *sim, const uint32_t *table,
                      const void *key, size_t length, size_t offset)
{
    size_t at = str_hash(key, length) % sim->hash_size;
    while (table[at]) {
        const char *port = (const char *)&sim->ports[table[at] - 1];
        if (memcmp(port + offset, key, length) == 0)
            break;
        at = (at + 1) % sim->hash_size;
    }
    return at;
}

uint32_t truth_port_of_mac(const struct sim *sim, const struct mac *mac)
{
    if (!sim->hash_size)
        return 0;
    return sim->port_by_mac[slot_of(sim, sim->port_by_mac, mac->bytes, 6,
                                    offsetof(struct port_truth, mac))];
}

struct port_truth *truth_port(struct sim *sim, const struct uuid *id)
{
    if (!sim->hash_size)
        return NULL;
    uint32_t number = sim->port_by_id[slot_of(
        sim, sim->port_by_id, id->bytes, 16, offsetof(struct port_truth, id))];
    return number ? &sim->ports[number - 1] : NULL;
}

static void rehash(struct sim *sim)
{
    if (sim->port_count * 2 < sim->hash_size)
        return;
    sim->hash_size = sim->hash_size ? sim->hash_size * 4 : 1024;
    free(sim->port_by_mac);
    free(sim->port_by_id);
    sim->port_by_mac = mem_calloc(sim->hash_size, sizeof(uint32_t));
    sim->port_by_id = mem_calloc(sim->hash_size, sizeof(uint32_t));
    for (uint32_t i = 0; i < sim->port_count; i++) {
        const struct port_truth *port = &sim->ports[i];
        sim->port_by_mac[slot_of(sim, sim->port_by_mac, port->mac.bytes, 6,
                                 offsetof(struct port_truth, mac))] = i + 1;
        sim->port_by_id[slot_of(sim, sim->port_by_id, port->id.bytes, 16,
                                offsetof(struct port_truth, id))] = i + 1;
    }
}

static size_t node_of(const struct sim *sim, const char *host)
{
    for (size_t i = 0; i < sim->node_count; i++)
        if (strcmp(sim->nodes[i].name, host) == 0)
            return i;
    return SIZE_MAX;
}

void truth_add_vm(struct sim *sim, const struct vm *vm)
{
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        if (truth_port(sim, &port->id))
            continue;
        mem_grow(&sim->ports, &sim->port_capacity, sim->port_count,
                 sizeof *sim->ports);
        sim->ports[sim->port_count++] = (struct port_truth){
            .id = port->id,
            .vm = vm->id,
            .mac = port->mac,
            .policy = port->policy,
            .claim = port->claim,
            .has_claim = port->has_claim,
            .node = node_of(sim, vm->host),
            .managed = vm_is_managed(vm),
            .guest_failover = port->guest_failover,
        };
        str_copy(sim->ports[sim->port_count - 1].network, port->network);
        rehash(sim);
        uint32_t number = (uint32_t)sim->port_count;
        sim->port_by_mac[slot_of(sim, sim->port_by_mac, port->mac.bytes, 6,
                                 offsetof(struct port_truth, mac))] = number;
        sim->port_by_id[slot_of(sim, sim->port_by_id, port->id.bytes, 16,
                                offsetof(struct port_truth, id))] = number;
    }
}

void truth_done(struct sim *sim)
{
    free(sim->ports);
    free(sim->port_by_mac);
    free(sim->port_by_id);
}

/* ---- kernels: I1, I11 --------------------------------------------------------- */

static const char *port_text(const struct port_truth *port,
                             char text[UUID_TEXT_SIZE])
{
    return uuid_format(&port->id, text);
}

/* Why the agent may take this port's policy off a VF. */
static bool may_remove(struct node *node, const struct port_truth *port)
{
    if (port->tombstoned || port->given_up)
        return true;
    if (!node->agent)
        return false;
    const struct agent_state *state = agent_state_view(node->agent);
    for (size_t i = 0; i < state->managed_count; i++) {
        const struct managed *m = &state->managed[i];
        if (uuid_equal(&m->port, &port->id) &&
            (m->phase == MANAGED_RESTORING || m->phase == MANAGED_FAILED))
            return true; /* refused by the kernel: nothing half-applied stays */
    }
    return false;
}

static void owner_changed(struct node *node, size_t pf, uint16_t vf,
                          uint32_t before, uint32_t after, bool by_agent)
{
    struct sim *sim = node->sim;
    char was[UUID_TEXT_SIZE], is[UUID_TEXT_SIZE];
    const char *key = sim_host_pf_key(node->world, pf)->text;
    if (before)
        sim->ports[before - 1].vfs--;
    if (after)
        sim->ports[after - 1].vfs++;
    if (!by_agent)
        return;
    if (after)
        guests_mac_written(node, pf, vf, after);
    if (before && after)
        sim_broken(sim, "I1",
                   "%s %s VF %u goes from port %s straight to port %s",
                   node->name, key, vf, port_text(&sim->ports[before - 1], was),
                   port_text(&sim->ports[after - 1], is));
    if (after && sim->ports[after - 1].vfs > 1)
        sim_broken(sim, "I1", "port %s is on %d VFs, the last %s %s VF %u",
                   port_text(&sim->ports[after - 1], is),
                   sim->ports[after - 1].vfs, node->name, key, vf);
    if (before && !may_remove(node, &sim->ports[before - 1]))
        sim_broken(sim, "I11",
                   "%s %s VF %u: the policy of port %s was removed without a "
                   "tombstone",
                   node->name, key, vf,
                   port_text(&sim->ports[before - 1], was));
}

/* As free as a VF can read: clean, or as its driver made it (a probe puts back
 * the spoofchk that it found). The MAC is zero, or the VF's driver's own, or
 * where zero is refused a fresh local one. Whether
 * somebody uses it is not in its policy: that is told by events. */
static bool reads_free(const struct node *node, size_t pf, uint16_t vf,
                       const struct policy *now)
{
    struct policy clean = policy_clean();
    if (sim_host_vf_fresh(node->world, pf, vf))
        return true;
    clean.set = now->set & ~POLICY_BIT(POLICY_MAC);
    struct policy made = sim_host_vf_made(node->world, pf);
    /* An agent that lost its memory can't tell who set spoofchk off. */
    if (node->frail_until || policy_field_equal(&made, now, POLICY_SPOOFCHK))
        clean.set &= ~POLICY_BIT(POLICY_SPOOFCHK);
    return policy_difference(&clean, now) == 0 &&
           (!policy_has(now, POLICY_MAC) || mac_is_zero(&now->mac) ||
            (mac_is_local(&now->mac) &&
             !truth_port_of_mac(node->sim, &now->mac)));
}

static void trace_vf(const struct node *node, size_t pf, uint16_t vf,
                     const struct vf_was *was, uint32_t owner)
{
    char id[UUID_TEXT_SIZE] = "nobody", mac[MAC_TEXT_SIZE];
    const struct policy *p = &was->policy;
    if (!node->sim->trace)
        return;
    if (owner)
        port_text(&node->sim->ports[owner - 1], id);
    sim_trace(node->sim,
              "%s %s VF %u %s: mac %s vlan %u qos %u rate %u-%u spoofchk %d "
              "trust %d link %u of %s",
              node->name, sim_host_pf_key(node->world, pf)->text, vf,
              !was->readable ? "gone"
              : was->clean   ? "clean"
                             : "set",
              mac_format(&p->mac, mac), p->vlan, p->vlan_qos,
              p->min_tx_rate_mbps, p->max_tx_rate_mbps, p->spoofchk, p->trust,
              p->link_state, id);
}

/* Does this state hold the VF? */
static bool is_in(const struct agent_state *state, const struct claim *claim)
{
    for (size_t i = 0; i < state->managed_count; i++)
        if (state->managed[i].claim.vf_index == claim->vf_index &&
            pf_key_compare(&state->managed[i].claim.pf, &claim->pf) == 0)
            return true;
    return false;
}

void truth_touch(struct node *node, size_t pf, uint16_t vf)
{
    struct claim claim = {.pf = *sim_host_pf_key(node->world, pf),
                          .vf_index = vf};
    if (pf == node->management)
        sim_broken(node->sim, "I10",
                   "the agent of %s touches the PF that carries the host's "
                   "traffic",
                   node->name);
    if (!is_in(&node->disk, &claim))
        sim_broken(node->sim, "I5",
                   "the agent of %s touches %s VF %u, of which its disk knows "
                   "nothing: a crash now would forget it",
                   node->name, claim.pf.text, vf);
}

static const struct pf_change *change_of(const struct agent_state *state,
                                         const struct pf_key *key)
{
    for (size_t i = 0; i < state->change_count; i++)
        if (pf_key_compare(&state->changes[i].key, key) == 0)
            return &state->changes[i];
    return NULL;
}

void truth_touch_pf(struct node *node, size_t pf)
{
    const struct pf_key *key = sim_host_pf_key(node->world, pf);
    const struct pf_change *change = change_of(&node->disk, key);
    char text[REVISION_TEXT_SIZE];
    if (pf == node->management)
        sim_broken(node->sim, "I10",
                   "the agent of %s changes the PF that carries the host's "
                   "traffic",
                   node->name);
    if (!change || !pf_change_runs(change)) {
        sim_broken(node->sim, "I12",
                   "the agent of %s changes PF %s, and its disk does not know "
                   "the way back",
                   node->name, key->text);
        return;
    }
    if (node->rejected[pf].epoch && change->phase == PF_APPLYING &&
        revision_compare(&change->revision, &node->rejected[pf]) == 0)
        sim_broken(node->sim, "I12",
                   "the agent of %s tries revision %s of PF %s again, which it "
                   "has rejected",
                   node->name, revision_format(&change->revision, text),
                   key->text);
}

/* A change that nobody confirmed is undone before it is said to be. A host that
 * booted, or a card that was plugged in, has what it boots with. */
static void check_undone(struct node *node, const struct pf_change *before,
                         const struct pf_change *after)
{
    size_t pf = sim_host_pf_find(node->world, &after->key);
    bool ended = before && pf_change_runs(before) &&
                 (after->phase == PF_REJECTED || after->phase == PF_FAILED);
    if (pf == SIZE_MAX)
        return;
    /* Another one came since: a restored scheduler may ask for the old again. */
    if (revision_compare(&after->revision, &node->rejected[pf]) != 0)
        node->rejected[pf] = (struct revision){0, 0};
    if (!ended)
        return;
    if (after->phase == PF_REJECTED)
        node->rejected[pf] = after->revision;
    uint16_t count = sim_host_vf_count(node->world, pf);
    if (!after->target.has_num_vfs || !sim_host_pf_present(node->world, pf) ||
        count == after->before.num_vfs || count == SIM_VFS_MAX)
        return;
    sim_broken(node->sim, "I12",
               "PF %s of %s is %s, but has %u VFs and not the %u that it had",
               after->key.text, node->name,
               pf_phase_name((enum pf_phase)after->phase), count,
               after->before.num_vfs);
}

void truth_vf(struct node *node, size_t pf, uint16_t vf, bool by_agent)
{
    struct vf_truth *truth = &node->vfs[pf][vf];
    uint64_t version = sim_host_vf_version(node->world, pf, vf);
    if (version == truth->version && truth->count)
        return;
    truth->version = version;
    struct vf_was *was = &truth->was[truth->count++ % VF_HISTORY];
    *was = (struct vf_was){.from = node->sim->now};
    was->readable = sim_host_vf_policy(node->world, pf, vf, &was->policy);
    was->clean = was->readable && reads_free(node, pf, vf, &was->policy);
    uint32_t owner = 0;
    if (sim_host_pf_present(node->world, pf) &&
        !sim_host_vf_own_mac(node->world, pf, vf) && was->readable)
        owner = truth_port_of_mac(node->sim, &was->policy.mac);
    /* A VF off the bus keeps what is on it; one that its PF does not have any
     * more does not. */
    if (!was->readable && sim_host_pf_present(node->world, pf) &&
        vf < sim_host_vf_count(node->world, pf))
        owner = truth->owner;
    trace_vf(node, pf, vf, was, owner);
    if (owner != truth->owner)
        owner_changed(node, pf, vf, truth->owner, owner, by_agent);
    truth->owner = owner;
}

void truth_kernel(struct node *node, bool by_agent)
{
    for (size_t pf = 0; pf < sim_host_pf_count(node->world); pf++)
        for (uint16_t vf = 0; vf < SIM_VFS_MAX; vf++)
            truth_vf(node, pf, vf, by_agent);
}

void truth_again(struct node *node)
{
    for (size_t pf = 0; pf < 2; pf++)
        for (size_t vf = 0; vf < SIM_VFS_MAX; vf++)
            node->vfs[pf][vf].version = 0;
    truth_kernel(node, false);
}

/* ---- reports: I6, I7 ------------------------------------------------------------ */

/* Walks the states that the VF was in at 'at'. Returns NULL after the last. A
 * state set within the same nanosecond may have been read before or after. */
static const struct vf_was *state_at(const struct vf_truth *truth, int64_t at,
                                     size_t *cursor)
{
    while (*cursor < truth->count && *cursor < VF_HISTORY) {
        size_t age = (*cursor)++;
        const struct vf_was *was =
            &truth->was[(truth->count - 1 - age) % VF_HISTORY];
        if (was->from > at)
            continue;
        if (was->from < at)
            *cursor = SIZE_MAX; /* nothing older was there at that time */
        return was;
    }
    return NULL;
}

/* Is the oldest kept state too young to tell? */
static bool forgotten(const struct vf_truth *truth, int64_t at)
{
    return truth->count > VF_HISTORY &&
           truth->was[truth->count % VF_HISTORY].from > at;
}

static bool fulfils(const struct port_truth *port, const struct policy *kernel)
{
    struct policy want = port->policy, clean = policy_clean();
    uint32_t missing = policy_difference(&want, kernel);
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if ((missing & POLICY_BIT(f)) &&
            !policy_has(kernel, (enum policy_field)f) &&
            policy_field_equal(&want, &clean, (enum policy_field)f))
            missing &= ~POLICY_BIT(f); /* never told, and nothing was asked */
    return missing == 0;
}

static void check_applied(struct node *node, const struct observed_port *told)
{
    struct sim *sim = node->sim;
    char id[UUID_TEXT_SIZE];
    struct port_truth *port = truth_port(sim, &told->id);
    uuid_format(&told->id, id);
    if (!port) {
        sim_broken(sim, "I6", "%s reports port %s applied, which never was",
                   node->name, id);
        return;
    }
    /* On its way off the VF, it is applied on the virtio leg. */
    if (port->checked_at == told->observed_at || !told->has_claim ||
        port->on_virtio)
        return;
    port->checked_at = told->observed_at;
    size_t pf = sim_host_pf_find(node->world, &told->claim.pf);
    if (pf == SIZE_MAX || told->claim.vf_index >= SIM_VFS_MAX) {
        sim_broken(sim, "I6", "%s reports port %s on a VF it does not have",
                   node->name, id);
        return;
    }
    const struct vf_truth *truth = &node->vfs[pf][told->claim.vf_index];
    if (forgotten(truth, told->observed_at)) {
        sim->history_missed++;
        return;
    }
    size_t cursor = 0;
    const struct vf_was *was;
    bool had = false, fulfilled = false;
    while ((was = state_at(truth, told->observed_at, &cursor))) {
        had |= was->readable &&
               policy_difference(&told->readback, &was->policy) == 0;
        fulfilled |= was->readable && fulfils(port, &was->policy);
    }
    if (!had || !fulfilled)
        sim_broken(sim, "I6",
                   "%s reports port %s applied on %s VF %u as of %lld, but the "
                   "kernel %s then",
                   node->name, id, told->claim.pf.text, told->claim.vf_index,
                   (long long)(told->observed_at - SIM_START_NS),
                   had ? "did not hold what was asked"
                       : "did not read as told");
}

/* The agent proves that the port is off the VF; of a VF that was gone for long
 * it gives the port up and keeps the VF, to clean it when it comes back. */
static void check_absent(struct node *node, const struct observed_port *told)
{
    struct port_truth *port = truth_port(node->sim, &told->id);
    if (!port)
        return;
    if (revision_compare(&told->revision, &port->absent) > 0)
        port->absent = told->revision;
    if (!told->has_claim)
        return;
    size_t pf = sim_host_pf_find(node->world, &told->claim.pf);
    if (pf == SIZE_MAX || told->claim.vf_index >= SIM_VFS_MAX)
        return;
    const struct vf_truth *truth = &node->vfs[pf][told->claim.vf_index];
    const struct vf_was *now = &truth->was[(truth->count - 1) % VF_HISTORY];
    char id[UUID_TEXT_SIZE];
    if (now->readable && truth->owner &&
        !is_in(agent_state_view(node->agent), &told->claim) &&
        uuid_equal(&node->sim->ports[truth->owner - 1].id, &told->id))
        sim_broken(node->sim, "I7",
                   "%s reports port %s absent, but its MAC is on %s VF %u",
                   node->name, uuid_format(&told->id, id), told->claim.pf.text,
                   told->claim.vf_index);
}

static void told_without(struct node *node, const struct observed_port *told)
{
    struct port_truth *port = truth_port(node->sim, &told->id);
    if (port && revision_compare(&told->revision, &port->no_vf) > 0)
        port->no_vf = told->revision;
}

static void check_free(struct node *node, const struct pf *pf,
                       const struct vf *vf)
{
    size_t number = sim_host_pf_find(node->world, &pf->key);
    if (number == SIZE_MAX || vf->index >= SIM_VFS_MAX)
        return;
    const struct vf_truth *truth = &node->vfs[number][vf->index];
    if (forgotten(truth, vf->observed_at)) {
        node->sim->history_missed++;
        return;
    }
    size_t cursor = 0;
    const struct vf_was *was;
    while ((was = state_at(truth, vf->observed_at, &cursor)))
        if (was->clean)
            return;
    sim_broken(node->sim, "I7",
               "%s reports %s VF %u free as of %lld (vlan %u, rates %u-%u, "
               "spoofchk %d, trust %d), but it was not clean",
               node->name, pf->key.text, vf->index,
               (long long)(vf->observed_at - SIM_START_NS), vf->policy.vlan,
               vf->policy.min_tx_rate_mbps, vf->policy.max_tx_rate_mbps,
               vf->policy.spoofchk, vf->policy.trust);
}

void truth_report(struct node *node, const struct observed *observed)
{
    for (size_t i = 0; i < observed->port_count; i++) {
        const struct observed_port *port = &observed->ports[i];
        if (!port->has_claim)
            told_without(node, port);
        if (port->phase == PORT_APPLIED)
            check_applied(node, port);
        if (port->phase == PORT_ABSENT)
            check_absent(node, port);
    }
    if (!observed->inventory)
        return;
    for (size_t i = 0; i < observed->inventory->pf_count; i++) {
        const struct pf *pf = observed->inventory->pfs[i];
        for (size_t j = 0; j < pf->vf_count; j++)
            if (pf->vfs[j].state == VF_FREE)
                check_free(node, pf, &pf->vfs[j]);
    }
}

/* ---- documents and disks: I8, I11 -------------------------------------------------- */

void truth_document(struct node *node, const struct desired *desired)
{
    for (size_t i = 0; i < desired->port_count; i++) {
        const struct desired_port *wanted = &desired->ports[i];
        struct port_truth *port = truth_port(node->sim, &wanted->id);
        if (port && wanted->absent)
            port->tombstoned = true;
        if (port)
            port->on_virtio = wanted->path == PATH_VIRTIO;
        if (port && port->on_virtio)
            port->given_up = true;
    }
}

void truth_saved(struct node *node, const struct agent_state *before,
                 const struct agent_state *after)
{
    char was[REVISION_TEXT_SIZE], is[REVISION_TEXT_SIZE];
    if (uuid_equal(&before->cluster_id, &after->cluster_id) &&
        revision_compare(&after->accepted, &before->accepted) < 0)
        sim_broken(node->sim, "I8", "%s goes from document %s back to %s",
                   node->name, revision_format(&before->accepted, was),
                   revision_format(&after->accepted, is));
    for (size_t i = 0; i < after->change_count; i++)
        check_undone(node, change_of(before, &after->changes[i].key),
                     &after->changes[i]);
}

/* ---- records: I5, I11 ------------------------------------------------------------------ */

static void vm_removed(struct sim *sim, const struct vm *vm)
{
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        const struct port_truth *truth = truth_port(sim, &port->id);
        if (!port->has_claim || !truth)
            continue;
        if (revision_compare(&truth->absent, &port->revision) < 0)
            sim_broken(sim, "I11",
                       "the record of port %s on %s goes, but its agent never "
                       "proved revision %llu.%llu absent",
                       uuid_format(&port->id, id), vm->host,
                       (unsigned long long)port->revision.epoch,
                       (unsigned long long)port->revision.revision);
    }
}

/* A port gets a VF when a client says so; it loses it when it is wanted on virtio
 * and its agent told that it has none any more. */
static void check_moved(struct sim *sim, const struct sim_job *job,
                        const struct port *a, const struct port *b)
{
    const struct port_truth *truth = truth_port(sim, &a->id);
    char id[UUID_TEXT_SIZE];
    bool asked = job->move && uuid_equal(&job->port_id, &a->id) && job->on;
    bool proven = truth && a->path == PATH_VIRTIO &&
                  revision_compare(&truth->no_vf, &a->revision) >= 0;
    if (b->has_claim ? !asked : !proven)
        sim_broken(sim, "I5", "port %s %s its claim by itself",
                   uuid_format(&a->id, id), b->has_claim ? "gets" : "loses");
}

static void vm_changed(struct sim *sim, const struct sim_job *job,
                       const struct vm *before, const struct vm *after)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&after->id, id);
    if (before->state == VM_CLAIMED && after->state == VM_DELETING &&
        !(job->delete &&uuid_equal(&job->vm_id, &after->id)))
        sim_broken(sim, "I11", "VM %s is being deleted, but nobody asked", id);
    if (before->state == VM_DELETING && after->state == VM_CLAIMED)
        sim_broken(sim, "I11", "VM %s comes back from its deletion", id);
    for (size_t i = 0; i < before->port_count && i < after->port_count; i++) {
        const struct port *a = &before->ports[i], *b = &after->ports[i];
        if (a->has_claim != b->has_claim) {
            check_moved(sim, job, a, b);
            continue;
        }
        if (a->has_claim && (a->claim.vf_index != b->claim.vf_index ||
                             pf_key_compare(&a->claim.pf, &b->claim.pf) != 0))
            sim_broken(sim, "I5", "a claim of VM %s changed by itself", id);
    }
}

void truth_records(struct sim *sim, const struct sim_job *job,
                   const struct tx *tx)
{
    for (size_t i = 0; i < tx->count; i++) {
        const struct record *record = &tx->records[i];
        if (record->kind != RECORD_VM)
            continue;
        const struct vm *before = record->before, *after = record->after;
        if (after && !before)
            truth_add_vm(sim, after);
        else if (before && after)
            vm_changed(sim, job, before, after);
        else if (before && !job->zombie)
            vm_removed(sim, before);
    }
}

void truth_claims(struct sim *sim, const struct snapshot *snapshot)
{
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; i < sim->client_count; i++) {
        const struct client_vm *client = &sim->clients[i];
        if (client->state != CLIENT_ACKED)
            continue;
        const struct vm *vm =
            snapshot ? snapshot_vm(snapshot, &client->vm->id) : NULL;
        uuid_format(&client->vm->id, id);
        if (!vm || vm->state != VM_CLAIMED) {
            sim_broken(sim, "I5", "the acknowledged VM %s is %s", id,
                       vm ? "being deleted" : "gone");
            return;
        }
        for (size_t j = 0; !vm_is_managed(vm) && j < vm->port_count; j++)
            if (vm->ports[j].has_claim != client->vm->ports[j].has_claim ||
                vm->ports[j].claim.vf_index !=
                    client->vm->ports[j].claim.vf_index)
                sim_broken(sim, "I5", "the claim of VM %s is another now", id);
    }
}

/* ---- everything: I1 ------------------------------------------------------------------------ */

/* Who holds a VF according to its agent, against the scheduler. An agent may
 * hold a VF for a port that this scheduler does not know (restored data), but
 * never one that the scheduler gave to a port of its own while it works on the
 * other without knowing it unknown. */
static void check_holder(struct node *node, const struct managed *m,
                         const struct host_view *view,
                         const struct snapshot *snapshot)
{
    if (uuid_is_zero(&m->port))
        return;
    const struct port *owner = NULL;
    snapshot_vf_owner(snapshot, view, &m->claim.pf, m->claim.vf_index, &owner);
    if (!owner || uuid_equal(&owner->id, &m->port) || node->sim->restored)
        return;
    char a[UUID_TEXT_SIZE], b[UUID_TEXT_SIZE];
    sim_broken(node->sim, "I1",
               "%s %s VF %u belongs to port %s at the scheduler and is held "
               "for %s (%s) by the agent",
               node->name, m->claim.pf.text, m->claim.vf_index,
               uuid_format(&owner->id, a), uuid_format(&m->port, b),
               managed_phase_name((enum managed_phase)m->phase));
}

static void check_node(struct node *node, const struct snapshot *snapshot)
{
    const struct agent_state *state =
        node->agent ? agent_state_view(node->agent) : &node->disk;
    const struct host_view *view =
        snapshot ? snapshot_host(snapshot, node->name) : NULL;
    for (size_t i = 0; i < state->managed_count; i++) {
        const struct managed *m = &state->managed[i];
        for (size_t j = i + 1; j < state->managed_count; j++)
            if (m->claim.vf_index == state->managed[j].claim.vf_index &&
                pf_key_compare(&m->claim.pf, &state->managed[j].claim.pf) == 0)
                sim_broken(node->sim, "I1", "%s holds %s VF %u twice",
                           node->name, m->claim.pf.text, m->claim.vf_index);
        if (view && snapshot)
            check_holder(node, m, view, snapshot);
    }
}

void truth_full(struct sim *sim)
{
    struct error err = {0};
    if (!sim->sched.up)
        return;
    if (core_check(sim->sched.writer.core, &err) < 0)
        sim_broken(sim, "core_check", "%s", err.msg);
    for (size_t i = 0; i < sim->node_count; i++)
        check_node(&sim->nodes[i], sim->sched.writer.snapshot);
    truth_claims(sim, sim->sched.writer.snapshot);
    guests_check(sim);
}
