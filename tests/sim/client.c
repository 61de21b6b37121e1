/* SPDX-License-Identifier: Apache-2.0 */
/* Those who ask: clients that create and delete VMs, lose answers, ask again
 * with the same key and remember what was acknowledged; the operator who enrols
 * hosts, allows PFs, cordons and deletes. */
#include "tests/sim/sim.h"

#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <string.h>

#define LIVE_CLIENTS_MAX 40

/* ---- requests --------------------------------------------------------------------- */

static void random_policy(struct sim *sim, struct policy *policy)
{
    if (chance(sim, 2)) {
        policy->set |= POLICY_BIT(POLICY_VLAN);
        policy->vlan = (uint16_t)(1 + below(sim, POLICY_VLAN_MAX));
        if (chance(sim, 3)) {
            policy->set |= POLICY_BIT(POLICY_VLAN_QOS);
            policy->vlan_qos = (uint8_t)below(sim, 8);
        }
        if (chance(sim, 10)) {
            policy->set |= POLICY_BIT(POLICY_VLAN_PROTO);
            policy->vlan_proto = VLAN_PROTO_8021AD;
        }
    }
    if (chance(sim, 3)) {
        policy->set |= POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
        policy->max_tx_rate_mbps = 100 + (uint32_t)below(sim, 900);
    }
    if (chance(sim, 10)) {
        policy->set |= POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
        policy->min_tx_rate_mbps = 1 + (uint32_t)below(sim, 90);
    }
    if (chance(sim, 4)) {
        policy->set |= POLICY_BIT(POLICY_SPOOFCHK);
        policy->spoofchk = chance(sim, 2);
    }
    if (chance(sim, 4)) {
        policy->set |= POLICY_BIT(POLICY_TRUST);
        policy->trust = chance(sim, 2);
    }
    if (chance(sim, 8)) {
        policy->set |= POLICY_BIT(POLICY_LINK_STATE);
        policy->link_state = (uint8_t)below(sim, LINK_STATE_MAX);
    }
}

static struct vm_request *random_request(struct sim *sim)
{
    struct vm_request *request = mem_new(struct vm_request);
    sim->turn++;
    snprintf(request->name, sizeof request->name, "vm-%llu",
             (unsigned long long)sim->turn);
    snprintf(request->idempotency_key, sizeof request->idempotency_key,
             "key-%llu", (unsigned long long)sim->turn);
    request->request_hash = sim->turn;
    request->vcpus = 1 + (uint32_t)below(sim, 8);
    request->memory_mib = 512 + below(sim, 8192);
    request->strategy = (uint8_t)below(sim, STRATEGY_MAX);
    if (chance(sim, 10))
        str_copy(request->host, sim->nodes[below(sim, sim->node_count)].name);
    request->port_count = 1 + below(sim, 2);
    for (size_t i = 0; i < request->port_count; i++) {
        struct port_request *port = &request->ports[i];
        port->vnic_type = chance(sim, 20) ? VNIC_NORMAL : VNIC_DIRECT;
        port->fallback = (uint8_t)below(sim, FALLBACK_MAX);
        if (chance(sim, 3))
            snprintf(port->physical_network, sizeof port->physical_network,
                     "physnet%u", (unsigned)below(sim, 2));
        if (chance(sim, 10))
            port->require_vendor_id = 0x8086;
        if (chance(sim, 6)) {
            port->has_mac = true;
            port->mac = mac_make(&sim->rng);
        }
        random_policy(sim, &port->policy);
    }
    if (chance(sim, 2))
        guests_request(sim, request);
    return request;
}

/* ---- jobs -------------------------------------------------------------------------------- */

static int run_create(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    struct placement_reasons reasons = {0};
    bool repeated = false;
    ref_put(job->vm);
    job->vm = NULL;
    int rc = core_vm_create(core, call, job->request, tx, &job->vm, &repeated,
                            &reasons, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static void later(struct sim *sim, struct client_vm *client)
{
    client->retry_at =
        sim->now + (int64_t)(1 + below(sim, 5)) * TIMESTAMP_SECOND;
}

static void forget(struct sim *sim, struct client_vm *client)
{
    free(client->request);
    ref_put(client->vm);
    *client = (struct client_vm){.state = CLIENT_UNUSED};
    sim->live_clients--;
}

static void created(struct sim *sim, struct sim_job *job,
                    struct snapshot *snapshot, struct client_vm *client)
{
    char id[UUID_TEXT_SIZE];
    const struct vm *vm = snapshot_vm(snapshot, &job->vm->id);
    uuid_format(&job->vm->id, id);
    /* A repeated answer may come when the VM is being deleted already, if the
     * data folder was restored in between; never in a history without that. */
    if (!vm || (vm->state != VM_CLAIMED && !sim->restored)) {
        sim_broken(sim, "I5", "VM %s is acknowledged, but not published", id);
        return;
    }
    client->state = CLIENT_ACKED;
    client->vm = ref_get(job->vm);
    free(client->request);
    client->request = NULL;
    sim_trace(sim, "VM %s on %s is acknowledged", id, vm->host);
}

static void answer_create(struct job *base, struct snapshot *snapshot,
                          const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    struct sim *sim = job->sim;
    struct client_vm *client = &sim->clients[job->client];
    client->in_flight = false;
    if (sim->faults && chance(sim, 10)) {
        sim->fault = FAULT_LOST;
        later(sim, client);
    } else if (!err) {
        created(sim, job, snapshot, client);
    } else if (err->code == ERROR_NOT_DURABLE ||
               err->code == ERROR_UNAVAILABLE) {
        later(sim, client);
    } else {
        sim_trace(sim, "a create is refused: %s", err->msg);
        forget(sim, client);
    }
    sim_job_free(job);
}

static int run_delete(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    int rc = core_vm_delete(core, call, &job->vm_id, 0, tx, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static void answer_delete(struct job *base, struct snapshot *snapshot,
                          const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    struct sim *sim = job->sim;
    struct client_vm *client = &sim->clients[job->client];
    char id[UUID_TEXT_SIZE];
    (void)snapshot;
    client->in_flight = false;
    uuid_format(&job->vm_id, id);
    if (sim->faults && chance(sim, 10)) {
        sim->fault = FAULT_LOST;
        later(sim, client);
    } else if (!err || err->code == ERROR_NOT_FOUND) {
        sim_trace(sim, "the deletion of VM %s is acknowledged", id);
        forget(sim, client);
    } else {
        later(sim, client);
    }
    sim_job_free(job);
}

static void send(struct sim *sim, size_t number)
{
    struct client_vm *client = &sim->clients[number];
    bool create = client->state == CLIENT_CREATING;
    struct sim_job *job = sim_job_new(sim, create ? run_create : run_delete);
    job->job.answer = create ? answer_create : answer_delete;
    job->client = number;
    job->create = create;
    job->delete = !create;
    if (create)
        job->request = mem_dup(client->request, sizeof *client->request);
    else
        job->vm_id = client->vm->id;
    client->retry_at = sim->now + 10 * TIMESTAMP_SECOND;
    client->in_flight = sim->sched.up;
    if (sim->faults && chance(sim, 15)) {
        sim->fault = FAULT_LOST;
        client->in_flight = false;
        sim_job_free(job);
        return;
    }
    sched_submit(sim, job);
}

void client_create(struct sim *sim)
{
    sim->event = EVENT_CLIENT_CREATE;
    if (sim->live_clients >= LIVE_CLIENTS_MAX) {
        client_delete(sim);
        return;
    }
    size_t number = 0;
    while (number < sim->client_count &&
           sim->clients[number].state != CLIENT_UNUSED)
        number++;
    if (number == sim->client_count) {
        mem_grow(&sim->clients, &sim->client_capacity, sim->client_count,
                 sizeof *sim->clients);
        sim->client_count++;
    }
    sim->clients[number] = (struct client_vm){
        .state = CLIENT_CREATING,
        .request = random_request(sim),
    };
    sim->live_clients++;
    send(sim, number);
}

bool client_delete(struct sim *sim)
{
    sim->event = EVENT_CLIENT_DELETE;
    if (sim->client_count == 0)
        return false;
    size_t first = below(sim, sim->client_count);
    for (size_t i = 0; i < sim->client_count; i++) {
        size_t number = (first + i) % sim->client_count;
        struct client_vm *client = &sim->clients[number];
        if (client->state != CLIENT_ACKED)
            continue;
        client->state = CLIENT_DELETING;
        send(sim, number);
        return true;
    }
    return false;
}

static bool waits(const struct client_vm *client)
{
    return (client->state == CLIENT_CREATING ||
            client->state == CLIENT_DELETING) &&
           !client->in_flight;
}

bool client_retry(struct sim *sim)
{
    for (size_t i = 0; i < sim->client_count; i++) {
        const struct client_vm *client = &sim->clients[i];
        if (!waits(client) || client->retry_at > sim->now)
            continue;
        sim->event = EVENT_CLIENT_RETRY;
        send(sim, i);
        return true;
    }
    return false;
}

int64_t client_wake(const struct sim *sim)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < sim->client_count; i++)
        if (waits(&sim->clients[i]) && sim->clients[i].retry_at < at)
            at = sim->clients[i].retry_at;
    return at;
}

void client_done(struct sim *sim)
{
    for (size_t i = 0; i < sim->client_count; i++) {
        free(sim->clients[i].request);
        ref_put(sim->clients[i].vm);
    }
    free(sim->clients);
    ref_put(sim->domain_xml);
}

/* ---- the operator --------------------------------------------------------------------------- */

static void answer_operator(struct job *base, struct snapshot *snapshot,
                            const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    (void)snapshot;
    job->sim->operator_busy = false;
    if (err)
        sim_trace(job->sim, "the operator is refused: %s", err->msg);
    sim_job_free(job);
}

static void order(struct sim *sim, size_t node,
                  int (*run)(struct job *, struct core *,
                             const struct core_call *, struct tx *,
                             struct error *),
                  const struct pf_key *pf)
{
    struct sim_job *job = sim_job_new(sim, run);
    job->job.answer = answer_operator;
    job->node = node;
    if (pf)
        job->pf = *pf;
    sim->operator_busy = sim->sched.up;
    sched_submit(sim, job);
}

static const char *node_name(const struct job *base)
{
    const struct sim_job *job = (const struct sim_job *)base;
    return job->sim->nodes[job->node].name;
}

static int run_enroll(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    const struct sim_job *job = (const struct sim_job *)base;
    uint8_t hash[32] = {0x51, (uint8_t)job->node, (uint8_t)(job->node >> 8)};
    bool renewed = false;
    return core_host_enroll(core, call, node_name(base), hash, tx, &renewed,
                            err);
}

static int run_map(struct job *base, struct core *core,
                   const struct core_call *call, struct tx *tx,
                   struct error *err)
{
    static const struct network_mapping mappings[] = {{"br-phys0", "physnet0"},
                                                      {"br-phys1", "physnet1"}};
    struct host_patch patch = {
        .has_mappings = true, .mapping_count = 2, .mappings = mappings};
    return core_host_patch(core, call, node_name(base), &patch, tx, err);
}

static int run_allow(struct job *base, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    const struct sim_job *job = (const struct sim_job *)base;
    struct pf_patch patch = {
        .has_allowed = true, .allowed = true, .has_physical_network = true};
    snprintf(patch.physical_network, sizeof patch.physical_network,
             "physnet%zu",
             strlen(job->pf.text) ? (size_t)(job->pf.text[11] & 1) : (size_t)0);
    return core_pf_patch(core, call, node_name(base), &job->pf, &patch, tx,
                         err);
}

static int run_disallow(struct job *base, struct core *core,
                        const struct core_call *call, struct tx *tx,
                        struct error *err)
{
    const struct sim_job *job = (const struct sim_job *)base;
    struct pf_patch patch = {.has_allowed = true};
    return core_pf_patch(core, call, node_name(base), &job->pf, &patch, tx,
                         err);
}

static int run_set_pf(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    const struct sim_job *job = (const struct sim_job *)base;
    return core_pf_patch(core, call, node_name(base), &job->pf, job->patch, tx,
                         err);
}

static int run_cordon(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    return core_host_patch(core, call, node_name(base), &patch, tx, err);
}

static int run_uncordon(struct job *base, struct core *core,
                        const struct core_call *call, struct tx *tx,
                        struct error *err)
{
    struct host_patch patch = {.has_cordoned = true};
    return core_host_patch(core, call, node_name(base), &patch, tx, err);
}

static int run_remove(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    return core_host_delete(core, call, node_name(base), tx, err);
}

bool operator_set_up(struct sim *sim)
{
    sim->event = EVENT_OPERATOR;
    if (!sim->sched.up || sim->operator_busy)
        return false;
    const struct snapshot *snapshot = sim->sched.writer.snapshot;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct node *node = &sim->nodes[i];
        const struct host_view *view = snapshot_host(snapshot, node->name);
        if (!view) {
            order(sim, i, run_enroll, NULL);
            return true;
        }
        if (view->host->mapping_count == 0) {
            order(sim, i, run_map, NULL);
            return true;
        }
        for (size_t pf = 0; pf < sim_host_pf_count(node->world); pf++) {
            const struct pf_key *key = sim_host_pf_key(node->world, pf);
            if (host_pf_setting(view->host, key) || !view->report ||
                !inventory_pf(view->report->inventory, key) ||
                pf == node->management)
                continue;
            order(sim, i, run_allow, key);
            return true;
        }
    }
    return false;
}

void operator_set_pf(struct sim *sim)
{
    sim->event = EVENT_PF_SETTING;
    size_t number = below(sim, sim->node_count);
    const struct node *node = &sim->nodes[number];
    size_t pfs = sim_host_pf_count(node->world);
    if (!pfs)
        return;
    struct sim_job *job = sim_job_new(sim, run_set_pf);
    job->job.answer = answer_operator;
    job->node = number;
    job->pf = *sim_host_pf_key(node->world, below(sim, pfs));
    job->patch = mem_new(struct pf_patch);
    if (!chance(sim, 4)) {
        job->patch->has_num_vfs = true;
        job->patch->num_vfs_observed = chance(sim, 8);
        job->patch->num_vfs = (uint16_t)below(sim, SIM_VFS_MAX + 1);
    }
    if (chance(sim, 4)) {
        job->patch->has_autoprobe = true;
        job->patch->autoprobe = (uint8_t)below(sim, AUTOPROBE_MAX);
    }
    if (chance(sim, 4)) {
        job->patch->has_bridge_mode = true;
        job->patch->bridge_mode = (uint8_t)below(sim, BRIDGE_MODE_MAX);
    }
    sim_trace(sim, "%s: the operator sets PF %s to %u VFs", node->name,
              job->pf.text, job->patch->num_vfs);
    sim->operator_busy = sim->sched.up;
    sched_submit(sim, job);
}

void operator_act(struct sim *sim)
{
    sim->event = EVENT_OPERATOR;
    size_t number = below(sim, sim->node_count);
    const struct node *node = &sim->nodes[number];
    size_t pfs = sim_host_pf_count(node->world);
    const struct pf_key *pf =
        pfs ? sim_host_pf_key(node->world, below(sim, pfs)) : NULL;
    switch (below(sim, 6)) {
    case 0:
        order(sim, number, run_cordon, NULL);
        break;
    case 1:
    case 2:
        order(sim, number, run_uncordon, NULL);
        break;
    case 3:
        order(sim, number, run_remove, NULL);
        break;
    default:
        if (pf)
            order(sim, number, chance(sim, 4) ? run_disallow : run_allow, pf);
        break;
    }
}
