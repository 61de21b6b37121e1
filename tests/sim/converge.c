/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold some time after the last fault: every claim applied or failed
 * with a reason, everything deleted gone, the kernels equal to the records. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct verdict {
    struct sim *sim;
    char *why;
    size_t size;
};

static bool not_yet(const struct verdict *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool not_yet(const struct verdict *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(v->why, v->size, format, args);
    va_end(args);
    return false;
}

/* An agent that holds VFs for a cluster that is no more refuses the new one
 * until an operator says otherwise. */
static bool refuses(const struct sim *sim, const struct node *node)
{
    const struct cluster *cluster =
        snapshot_cluster(sim->sched.writer.snapshot);
    const struct agent_state *state = agent_state_view(node->agent);
    return sim->emptied && !uuid_equal(&state->cluster_id, &cluster->id) &&
           !uuid_is_zero(&state->cluster_id);
}

static bool port_is_right(const struct verdict *v, const struct vm *vm,
                          const struct port *port, struct node *node,
                          const struct host_view *view)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&port->id, id);
    const struct observed_port *told = host_view_port(view, &port->id);
    if (!told)
        return not_yet(v, "%s has not told of port %s", vm->host, id);
    if (revision_compare(&told->revision, &port->revision) != 0)
        return not_yet(v, "%s tells of an older revision of port %s", vm->host,
                       id);
    const char *phase = port_phase_name((enum port_phase)told->phase);
    if (told->phase == PORT_PENDING || told->phase == PORT_FAILED) {
        if (told->condition.status != CONDITION_FALSE ||
            !told->condition.reason[0] || !told->condition.message[0])
            return not_yet(v, "%s has port %s %s without a reason (%s)",
                           vm->host, id, phase, told->condition.reason);
        return true;
    }
    if (told->phase != PORT_APPLIED)
        return not_yet(v, "%s has port %s %s", vm->host, id, phase);
    size_t pf = sim_host_pf_find(node->world, &port->claim.pf);
    const struct vf_truth *vf = &node->vfs[pf][port->claim.vf_index];
    const struct policy *now = &vf->was[(vf->count - 1) % VF_HISTORY].policy;
    const struct port_truth *truth = truth_port(v->sim, &port->id);
    uint32_t missing = policy_difference(&port->policy, now);
    struct policy clean = policy_clean();
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (!policy_has(now, (enum policy_field)f) &&
            policy_field_equal(&port->policy, &clean, (enum policy_field)f))
            missing &= ~POLICY_BIT(f);
    if (missing || !truth || !vf->owner ||
        &v->sim->ports[vf->owner - 1] != truth)
        return not_yet(v, "the kernel of %s does not hold port %s", vm->host,
                       id);
    return true;
}

static bool vm_is_right(const struct verdict *v, const struct vm *vm)
{
    char id[UUID_TEXT_SIZE];
    const struct snapshot *snapshot = v->sim->sched.writer.snapshot;
    const struct host_view *view = snapshot_host(snapshot, vm->host);
    struct node *node = NULL;
    for (size_t i = 0; i < v->sim->node_count; i++)
        if (view && strcmp(v->sim->nodes[i].name, vm->host) == 0)
            node = &v->sim->nodes[i];
    if (!node)
        return not_yet(v, "VM %s is on no host", uuid_format(&vm->id, id));
    if (refuses(v->sim, node))
        return not_yet(v,
                       "VM %s was placed on %s, whose agent follows "
                       "another cluster",
                       uuid_format(&vm->id, id), vm->host);
    if (vm->state == VM_DELETING)
        return not_yet(v, "VM %s on %s is still being deleted",
                       uuid_format(&vm->id, id), vm->host);
    const char *wrong = guests_vm_wrong(node, vm, view);
    if (wrong)
        return not_yet(v, "%s: %s", node->name, wrong);
    for (size_t i = 0; i < vm->port_count; i++)
        if (vm->ports[i].has_claim && vm->ports[i].path == PATH_VF &&
            !port_is_right(v, vm, &vm->ports[i], node, view))
            return false;
    return true;
}

/* What an agent holds for ports that these data don't know shows as such. */
static bool unknown_is_told(const struct verdict *v, struct node *node)
{
    const struct snapshot *snapshot = v->sim->sched.writer.snapshot;
    const struct host_view *view = snapshot_host(snapshot, node->name);
    const struct agent_state *state = agent_state_view(node->agent);
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; i < state->managed_count; i++) {
        const struct managed *m = &state->managed[i];
        if (uuid_is_zero(&m->port) || snapshot_vm(snapshot, &m->vm))
            continue;
        const struct observed_port *told = host_view_port(view, &m->port);
        if (!told || told->phase != PORT_UNKNOWN)
            return not_yet(v, "%s holds a VF for port %s, which is %s",
                           node->name, uuid_format(&m->port, id),
                           told ? port_phase_name((enum port_phase)told->phase)
                                : "not told");
    }
    return true;
}

/* What the kernel and the agent hold belongs to the scheduler's ports. */
static bool node_is_right(const struct verdict *v, struct node *node)
{
    const struct snapshot *snapshot = v->sim->sched.writer.snapshot;
    char id[UUID_TEXT_SIZE];
    if (v->sim->restored)
        return unknown_is_told(v, node);
    const char *wrong = guests_node_wrong(node);
    if (wrong)
        return not_yet(v, "%s: %s", node->name, wrong);
    for (size_t pf = 0; pf < sim_host_pf_count(node->world); pf++) {
        for (uint16_t vf = 0; vf < sim_host_vf_count(node->world, pf); vf++) {
            uint32_t owner = node->vfs[pf][vf].owner;
            if (!owner)
                continue;
            const struct port_truth *port = &v->sim->ports[owner - 1];
            const struct vm *vm = snapshot_vm(snapshot, &port->vm);
            if (!vm || vm->state != VM_CLAIMED)
                return not_yet(v, "%s %s VF %u still has the deleted port %s",
                               node->name,
                               sim_host_pf_key(node->world, pf)->text, vf,
                               uuid_format(&port->id, id));
        }
    }
    const struct agent_state *state = agent_state_view(node->agent);
    for (size_t i = 0; i < state->managed_count; i++) {
        const struct managed *m = &state->managed[i];
        const struct port_truth *port = truth_port(v->sim, &m->port);
        if (!uuid_is_zero(&m->port) &&
            (!port || !snapshot_vm(snapshot, &port->vm)))
            return not_yet(v, "%s still holds a VF for the deleted port %s",
                           node->name, uuid_format(&m->port, id));
    }
    return true;
}

/* Each PF that something is set for is so, or it is said why not. */
static bool pf_is_right(const struct verdict *v, const struct node *node,
                        const struct host_view *view,
                        const struct pf_setting *setting)
{
    struct pf_target target = {.has_num_vfs = setting->has_num_vfs,
                               .num_vfs = setting->num_vfs,
                               .autoprobe = setting->autoprobe,
                               .bridge_mode = setting->bridge_mode};
    const char *key = setting->key.text;
    const struct observed_pf *told = NULL;
    if (pf_target_is_empty(&target))
        return true;
    for (size_t i = 0; view->report && i < view->report->pf_count; i++)
        if (pf_key_compare(&view->report->pfs[i].key, &setting->key) == 0)
            told = &view->report->pfs[i];
    if (!told || revision_compare(&told->revision, &setting->revision) != 0)
        return not_yet(v, "%s has not told of the settings of PF %s",
                       node->name, key);
    if (told->phase == PF_APPLIED) {
        size_t pf = sim_host_pf_find(node->world, &setting->key);
        struct pf now = {.num_vfs = sim_host_vf_count(node->world, pf),
                         .autoprobe = sim_host_pf_autoprobe(node->world, pf),
                         .bridge_mode =
                             sim_host_pf_bridge_mode(node->world, pf)};
        return pf_target_met(&target, &now) ||
               not_yet(v,
                       "PF %s of %s is told applied, but is not as it is set",
                       key, node->name);
    }
    bool ended = told->phase == PF_REJECTED || told->phase == PF_FAILED ||
                 told->phase == PF_PENDING;
    if (!ended || told->condition.status != CONDITION_FALSE ||
        !told->condition.reason[0] || !told->condition.message[0])
        return not_yet(v, "PF %s of %s is %s (%s)", key, node->name,
                       pf_phase_name((enum pf_phase)told->phase),
                       told->condition.reason);
    return true;
}

static bool pfs_are_right(const struct verdict *v, const struct node *node)
{
    const struct host_view *view =
        snapshot_host(v->sim->sched.writer.snapshot, node->name);
    for (size_t i = 0; !v->sim->restored && i < view->host->pf_setting_count;
         i++)
        if (!pf_is_right(v, node, view, &view->host->pf_settings[i]))
            return false;
    return true;
}

bool converged(struct sim *sim, char *why, size_t size)
{
    const struct verdict v = {sim, why, size};
    if (!sim->sched.up)
        return not_yet(&v, "the scheduler is down");
    const struct snapshot *snapshot = sim->sched.writer.snapshot;
    for (size_t i = 0; i < sim->node_count; i++)
        if (!sim->nodes[i].agent ||
            !snapshot_host(snapshot, sim->nodes[i].name))
            return not_yet(&v, "%s is down or not enrolled",
                           sim->nodes[i].name);
    for (size_t i = 0; i < sim->client_count; i++)
        if (sim->clients[i].state == CLIENT_CREATING ||
            sim->clients[i].state == CLIENT_DELETING)
            return not_yet(&v, "a client still waits for an answer");
    const struct uuid *marker = NULL;
    const struct vm *vm;
    while ((vm = snapshot_vm_after(snapshot, marker))) {
        if (!vm_is_right(&v, vm))
            return false;
        marker = &vm->id;
    }
    for (size_t i = 0; i < sim->node_count; i++)
        if (!node_is_right(&v, &sim->nodes[i]) ||
            !pfs_are_right(&v, &sim->nodes[i]))
            return false;
    truth_full(sim);
    return !sim->failed;
}
