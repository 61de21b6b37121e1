/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: a shared version of the state, read on any thread. */
#include "scheduler/core/internal.h"

#include <string.h>

static void snapshot_release(void *object)
{
    struct snapshot *snapshot = object;
    state_done(&snapshot->state);
    free(snapshot);
}

struct snapshot *snapshot_make(struct state *state)
{
    struct snapshot *snapshot = mem_new(struct snapshot);
    ref_init(&snapshot->ref, snapshot_release);
    snapshot->state = state_share(state);
    return snapshot;
}

void snapshot_put(struct snapshot *snapshot)
{
    ref_put(snapshot);
}

struct snapshot *snapshot_get(struct snapshot *snapshot)
{
    return ref_get(snapshot);
}

const struct cluster *snapshot_cluster(const struct snapshot *snapshot)
{
    return snapshot->state.cluster;
}

/* ---- hosts -------------------------------------------------------------------- */

const struct host_view *snapshot_host(const struct snapshot *snapshot,
                                      const char *name_or_id)
{
    const struct host_view *view = state_host(&snapshot->state, name_or_id);
    struct uuid machine;
    if (view || !uuid_parse(name_or_id, &machine))
        return view;
    const struct host *host = omap_get(&snapshot->state.machines, machine.bytes,
                                       sizeof machine.bytes);
    return host ? state_host(&snapshot->state, host->name) : NULL;
}

/* The value after a text marker; "" and NULL begin. */
static void *after_text(const struct omap *map, const char *marker)
{
    const void *key = NULL;
    size_t length = 0;
    bool begin = !marker || !*marker;
    return omap_after(map, begin ? NULL : marker, begin ? 0 : strlen(marker),
                      &key, &length);
}

const struct host_view *snapshot_host_after(const struct snapshot *snapshot,
                                            const char *marker)
{
    return after_text(&snapshot->state.hosts, marker);
}

size_t snapshot_host_count(const struct snapshot *snapshot)
{
    return snapshot->state.hosts.count;
}

const struct observed_port *host_view_port(const struct host_view *host,
                                           const struct uuid *port)
{
    return host->report ? report_port(host->report, port) : NULL;
}

const struct observed_vm *host_view_vm(const struct host_view *host,
                                       const struct uuid *vm)
{
    return host->report ? report_vm(host->report, vm) : NULL;
}

/* ---- VMs ------------------------------------------------------------------------ */

const struct vm *snapshot_vm(const struct snapshot *snapshot,
                             const struct uuid *id)
{
    return state_vm(&snapshot->state, id);
}

const struct vm *snapshot_vm_by_name(const struct snapshot *snapshot,
                                     const char *name)
{
    return state_vm_by_name(&snapshot->state, name);
}

const struct vm *snapshot_vm_after(const struct snapshot *snapshot,
                                   const struct uuid *marker)
{
    const void *key = NULL;
    size_t length = 0;
    return omap_after(&snapshot->state.vms, marker ? marker->bytes : NULL,
                      marker ? sizeof marker->bytes : 0, &key, &length);
}

size_t snapshot_vm_count(const struct snapshot *snapshot)
{
    return snapshot->state.vms.count;
}

const struct vm *snapshot_port(const struct snapshot *snapshot,
                               const struct uuid *id, const struct port **port)
{
    size_t index = 0;
    const struct vm *vm = state_port(&snapshot->state, id, &index);
    if (vm)
        *port = &vm->ports[index];
    return vm;
}

const struct vm *snapshot_port_after(const struct snapshot *snapshot,
                                     const struct uuid *marker,
                                     const struct port **port)
{
    const void *key = NULL;
    size_t length = 0;
    struct uuid id;
    if (!omap_after(&snapshot->state.ports, marker ? marker->bytes : NULL,
                    marker ? sizeof marker->bytes : 0, &key, &length))
        return NULL;
    memcpy(id.bytes, key, sizeof id.bytes);
    return snapshot_port(snapshot, &id, port);
}

const struct vm *snapshot_vf_owner(const struct snapshot *snapshot,
                                   const struct host_view *host,
                                   const struct pf_key *pf, uint16_t vf_index,
                                   const struct port **port)
{
    int at = view_find_claim(host, pf, vf_index);
    const struct vm *vm =
        at < 0 ? NULL : state_vm(&snapshot->state, &host->claims[at].vm);
    if (vm && host->claims[at].port_index < vm->port_count) {
        *port = &vm->ports[host->claims[at].port_index];
        return vm;
    }
    return NULL;
}

/* ---- events and tokens ------------------------------------------------------------ */

const struct event *snapshot_event_after(const struct snapshot *snapshot,
                                         uint64_t sequence)
{
    const void *key = NULL;
    size_t length = 0;
    uint8_t marker[8];
    sequence_key(sequence, marker);
    return omap_after(&snapshot->state.events, marker, sizeof marker, &key,
                      &length);
}

uint64_t snapshot_last_event(const struct snapshot *snapshot)
{
    return snapshot->state.last_event;
}

const struct token *snapshot_token_after(const struct snapshot *snapshot,
                                         const char *marker)
{
    return after_text(&snapshot->state.tokens, marker);
}

enum role snapshot_identify(const struct snapshot *snapshot,
                            const uint8_t hash[32], const char **name)
{
    const struct token *token =
        omap_get(&snapshot->state.token_hashes, hash, 32);
    if (token) {
        *name = token->name;
        return (enum role)token->role;
    }
    const struct host *host = omap_get(&snapshot->state.host_hashes, hash, 32);
    if (!host)
        return ROLE_NONE;
    *name = host->name;
    return ROLE_AGENT;
}
