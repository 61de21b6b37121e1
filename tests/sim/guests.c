/* SPDX-License-Identifier: Apache-2.0 */
/* Managed VMs: clients that switch them and move their ports, what guests and
 * libvirt do, and what must hold of domains and held MACs: I3, I9, the end. */
#include "tests/sim/sim.h"

#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

/* ---- clients --------------------------------------------------------------------- */

void guests_request(struct sim *sim, struct vm_request *request)
{
    static const char xml[] =
        "<domain type='qemu'><os><type arch='x86_64' machine='q35'>hvm</type>"
        "</os></domain>";
    if (!sim->domain_xml)
        sim->domain_xml = text_new(xml, sizeof xml - 1);
    request->lifecycle = LIFECYCLE_MANAGED;
    request->domain_xml = sim->domain_xml;
    request->power_on = !chance(sim, 4);
    for (size_t i = 0; i < request->port_count; i++) {
        struct port_request *port = &request->ports[i];
        port->vnic_type = VNIC_DIRECT;
        port->fallback = FALLBACK_VIRTIO;
        port->guest_failover =
            chance(sim, 8) ? GUEST_FAILOVER_NONE : GUEST_FAILOVER_NET_FAILOVER;
        snprintf(port->physical_network, sizeof port->physical_network,
                 "physnet%u", (unsigned)below(sim, 2));
        /* What a tap can do as well. */
        port->policy.set &= POLICY_BIT(POLICY_VLAN) |
                            POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) |
                            POLICY_BIT(POLICY_SPOOFCHK);
        port->policy.vlan_qos = 0;
        port->policy.vlan_proto = 0;
        port->policy.min_tx_rate_mbps = 0;
        port->policy.trust = false;
        port->policy.link_state = 0;
    }
}

static int run_power(struct job *base, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    int rc = core_vm_power(core, call, &job->vm_id, 0, job->on, tx, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static int run_move(struct job *base, struct core *core,
                    const struct core_call *call, struct tx *tx,
                    struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    struct placement_reasons reasons = {0};
    bool changed = false;
    int rc = job->on ? core_port_accelerate(core, call, &job->port_id, 0, tx,
                                            &changed, &reasons, err)
                     : core_port_decelerate(core, call, &job->port_id, 0, tx,
                                            &changed, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static void answer(struct job *base, struct snapshot *snapshot,
                   const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    char id[UUID_TEXT_SIZE];
    (void)snapshot;
    sim_trace(job->sim, "%s of VM %s %s: %s",
              job->move ? "a port" : "the power", uuid_format(&job->vm_id, id),
              job->on ? "on" : "off", err ? err->msg : "done");
    sim_job_free(job);
}

/* An acknowledged managed VM, by chance; on this host if not NULL. */
static const struct vm *some_vm(struct sim *sim, const char *host)
{
    if (!sim->client_count)
        return NULL;
    size_t first = below(sim, sim->client_count);
    for (size_t i = 0; i < sim->client_count; i++) {
        const struct client_vm *client =
            &sim->clients[(first + i) % sim->client_count];
        if (client->state == CLIENT_ACKED && vm_is_managed(client->vm) &&
            (!host || strcmp(client->vm->host, host) == 0))
            return client->vm;
    }
    return NULL;
}

bool guests_act(struct sim *sim)
{
    const struct vm *vm = some_vm(sim, NULL);
    bool move = !chance(sim, 3);
    if (!vm)
        return false;
    sim->event = move ? EVENT_CLIENT_PATH : EVENT_CLIENT_POWER;
    struct sim_job *job = sim_job_new(sim, move ? run_move : run_power);
    job->job.answer = answer;
    job->vm_id = vm->id;
    job->port_id = vm->ports[below(sim, vm->port_count)].id;
    job->move = move;
    const struct port_truth *port = truth_port(sim, &job->port_id);
    /* Mostly what changes something. */
    job->on =
        move && port && !chance(sim, 8) ? port->on_virtio : chance(sim, 2);
    sched_submit(sim, job);
    return true;
}

/* ---- what happens to guests ----------------------------------------------------------- */

bool guests_disturb(struct node *node)
{
    struct sim *sim = node->sim;
    const struct vm *vm = some_vm(sim, node->name);
    char id[UUID_TEXT_SIZE];
    if (chance(sim, 3)) {
        sim->event = EVENT_LIBVIRT;
        node->libvirt_away = !node->libvirt_away;
        sim_host_set_libvirt(node->world, !node->libvirt_away);
        sim_trace(sim, "%s: libvirt is %s", node->name,
                  node->libvirt_away ? "away" : "back");
        return true;
    }
    if (!vm)
        return false;
    if (chance(sim, 2)) {
        sim->event = EVENT_GUEST_KILLED;
        sim_host_domain_kill(node->world, &vm->id);
    } else {
        enum sim_guest kind = (enum sim_guest)below(sim, SIM_GUEST_KEEPS + 1);
        sim->event = EVENT_GUEST_KIND;
        sim_host_domain_set_guest(node->world, &vm->id, kind);
        sim_host_set_guests(node->world, kind);
    }
    truth_kernel(node, false);
    sim_trace(sim, "%s: VM %s", node->name, uuid_format(&vm->id, id));
    return true;
}

/* ---- I3, I9 ------------------------------------------------------------------------------- */

static bool is_active(const struct node *node, const struct uuid *vm)
{
    return power_state_is_active(sim_host_domain_power(node->world, vm));
}

/* The PF below the bridge of the port's virtio leg; SIZE_MAX = none. */
static size_t uplink_of(const struct node *node, const struct port_truth *port)
{
    unsigned network = 0;
    if (sscanf(port->network, "br-phys%u", &network) != 1)
        return SIZE_MAX;
    return sim_host_uplink_pf(node->world, network);
}

void guests_mac_written(struct node *node, size_t pf, uint16_t vf,
                        uint32_t owner)
{
    const struct port_truth *port = &node->sim->ports[owner - 1];
    size_t uplink = uplink_of(node, port);
    if (!port->managed || uplink == SIZE_MAX ||
        port->guest_failover == GUEST_FAILOVER_NONE ||
        !is_active(node, &port->vm))
        return;
    /* One that the guest has is put right: it carries the traffic. */
    if (sim_host_vf_plugged(node->world, pf, vf) ||
        !sim_host_pf_present(node->world, uplink) ||
        uplink == node->management ||
        sim_host_holds(node->world, uplink, &port->mac))
        return;
    node->unheld = owner;
    node->unheld_pf = uplink;
}

void guests_step_done(struct node *node)
{
    char id[UUID_TEXT_SIZE];
    uint32_t owner = node->unheld;
    node->unheld = 0;
    if (!owner || !node->agent)
        return;
    const struct pf_key *key = sim_host_pf_key(node->world, node->unheld_pf);
    struct inventory *inventory = agent_inventory(node->agent);
    const struct pf *pf = inventory ? inventory_pf(inventory, key) : NULL;
    if (pf && pf->num_vfs &&
        pf->capabilities.trait[CAPABILITY_TRAIT_DUAL_DELIVERY].support !=
            CAPABILITY_UNSUPPORTED)
        sim_broken(node->sim, "I3",
                   "%s: the MAC of port %s, whose guest runs on virtio, is put "
                   "on a VF and not held on %s",
                   node->name, uuid_format(&node->sim->ports[owner - 1].id, id),
                   key->text);
    ref_put(inventory);
}

void guests_check(struct sim *sim)
{
    char id[UUID_TEXT_SIZE];
    for (size_t i = 0; i < sim->port_count; i++) {
        const struct port_truth *port = &sim->ports[i];
        unsigned hosts = 0;
        if (!port->managed ||
            (i && uuid_equal(&sim->ports[i - 1].vm, &port->vm)))
            continue;
        for (size_t n = 0; n < sim->node_count; n++)
            hosts += sim_host_active_domains(sim->nodes[n].world) &&
                     is_active(&sim->nodes[n], &port->vm);
        if (hosts > 1)
            sim_broken(sim, "I9", "VM %s runs on %u hosts",
                       uuid_format(&port->vm, id), hosts);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

static const struct observed_vm *told_of(const struct host_view *view,
                                         const struct uuid *vm)
{
    for (size_t i = 0; view->report && i < view->report->vm_count; i++)
        if (uuid_equal(&view->report->vms[i].id, vm))
            return &view->report->vms[i];
    return NULL;
}

static char wrong[200];

static const char *say(const char *what, const struct uuid *id)
{
    char text[UUID_TEXT_SIZE];
    snprintf(wrong, sizeof wrong, "%s (%s)", what, uuid_format(id, text));
    return wrong;
}

const char *guests_vm_wrong(struct node *node, const struct vm *vm,
                            const struct host_view *view)
{
    bool active = is_active(node, &vm->id);
    bool keeps = active &&
                 sim_host_domain_guest(node->world, &vm->id) == SIM_GUEST_KEEPS;
    if (!vm_is_managed(vm))
        return NULL;
    const struct observed_vm *told = told_of(view, &vm->id);
    if (!told || revision_compare(&told->revision, &vm->revision) != 0)
        return say("a managed VM is not told of as it is", &vm->id);
    if (!vm->power_on && active)
        return say("a VM that is to be off runs", &vm->id);
    if (vm->power_on && !active &&
        (told->condition.status != CONDITION_FALSE ||
         !told->condition.reason[0]))
        return say("a VM that is to be on is off without a reason", &vm->id);
    for (size_t i = 0; i < vm->port_count; i++) {
        const struct port *port = &vm->ports[i];
        /* Without failover it waits for the next start: NeedsRestart. */
        bool waits = active && port->guest_failover == GUEST_FAILOVER_NONE;
        if (port->has_claim && port->path == PATH_VIRTIO && !keeps && !waits)
            return say("a port that is wanted on virtio still has its VF",
                       &port->id);
    }
    return NULL;
}

static bool holds(const struct node *node, const struct mac *mac, size_t pf)
{
    return sim_host_holds(node->world, pf, mac);
}

static const char *domain_wrong(struct node *node,
                                const struct port_truth *port,
                                const struct snapshot *snapshot)
{
    const struct vm *vm = snapshot_vm(snapshot, &port->vm);
    if (vm && strcmp(vm->host, node->name) == 0)
        return NULL;
    return sim_host_domain_power(node->world, &port->vm) == POWER_ABSENT
               ? NULL
               : say("the domain of a removed VM is left", &port->vm);
}

/* What is held for ports of running domains and for VFs whose probe is not yet
 * over; nothing else is. */
static const char *held_wrong(const struct node *node, size_t pf)
{
    const struct agent_state *state = agent_state_view(node->agent);
    size_t known = 0;
    for (size_t i = 0; i < state->managed_count; i++)
        known += uuid_is_zero(&state->managed[i].port) &&
                 holds(node, &state->managed[i].policy.mac, pf);
    for (size_t i = 0; i < node->sim->port_count; i++) {
        const struct port_truth *port = &node->sim->ports[i];
        if (port->node != node->number || !holds(node, &port->mac, pf) ||
            truth_port_of_mac(node->sim, &port->mac) != i + 1)
            continue;
        if (!is_active(node, &port->vm))
            return say("a MAC is held for a port whose domain is not active",
                       &port->id);
        known++;
    }
    if (sim_host_held_count(node->world, pf) == known)
        return NULL;
    snprintf(wrong, sizeof wrong, "%s %s holds a MAC that nobody has",
             node->name, sim_host_pf_key(node->world, pf)->text);
    return wrong;
}

const char *guests_node_wrong(struct node *node)
{
    const struct snapshot *snapshot = node->sim->sched.writer.snapshot;
    const char *what = NULL;
    for (size_t i = 0; !what && i < node->sim->port_count; i++)
        if (node->sim->ports[i].managed)
            what = domain_wrong(node, &node->sim->ports[i], snapshot);
    for (size_t pf = 0;
         !what && !node->frail_until && pf < sim_host_pf_count(node->world);
         pf++)
        what = held_wrong(node, pf);
    return what;
}
