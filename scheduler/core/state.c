/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, lookups and sharing of the state's maps: see state.h. Called by all
 * of the core and by readers of snapshots; decides nothing. */
#include "scheduler/core/state.h"

#include <string.h>

struct name_key name_key_of(const struct vm *vm)
{
    struct name_key key = {0};
    size_t length = strlen(vm->name) + 1; /* with the terminator */
    memcpy(key.bytes, vm->name, length);
    key.bytes[length++] = vm->state == VM_DELETING;
    memcpy(key.bytes + length, vm->id.bytes, sizeof vm->id.bytes);
    key.length = length + sizeof vm->id.bytes;
    return key;
}

struct mac_key mac_key_of(const struct mac *mac, const char *physical_network)
{
    struct mac_key key = {0};
    size_t length = strlen(physical_network);
    memcpy(key.bytes, mac->bytes, sizeof mac->bytes);
    memcpy(key.bytes + sizeof mac->bytes, physical_network, length);
    key.length = sizeof mac->bytes + length;
    return key;
}

void sequence_key(uint64_t sequence, uint8_t key[8])
{
    for (int i = 7; i >= 0; i--) {
        key[i] = (uint8_t)sequence;
        sequence >>= 8;
    }
}

struct host_view *state_host(const struct state *state, const char *name)
{
    return omap_get(&state->hosts, name, strlen(name));
}

struct vm *state_vm(const struct state *state, const struct uuid *id)
{
    return omap_get(&state->vms, id->bytes, sizeof id->bytes);
}

struct vm *state_vm_by_name(const struct state *state, const char *name)
{
    const void *key = NULL;
    size_t key_length = 0;
    size_t length = strlen(name) + 1;
    struct vm *vm =
        omap_after(&state->vm_names, name, length, &key, &key_length);
    return vm && strcmp(vm->name, name) == 0 ? vm : NULL;
}

struct vm *state_port(const struct state *state, const struct uuid *id,
                      size_t *index)
{
    struct vm *vm = omap_get(&state->ports, id->bytes, sizeof id->bytes);
    for (size_t i = 0; vm && i < vm->port_count; i++)
        if (uuid_equal(&vm->ports[i].id, id)) {
            *index = i;
            return vm;
        }
    return NULL;
}

uint64_t state_epoch(const struct state *state)
{
    return state->cluster ? state->cluster->epoch : 0;
}

struct state state_share(struct state *state)
{
    return (struct state){
        .cluster = ref_get(state->cluster),
        .hosts = omap_share(&state->hosts),
        .machines = omap_share(&state->machines),
        .host_hashes = omap_share(&state->host_hashes),
        .tokens = omap_share(&state->tokens),
        .token_hashes = omap_share(&state->token_hashes),
        .vms = omap_share(&state->vms),
        .vm_names = omap_share(&state->vm_names),
        .ports = omap_share(&state->ports),
        .events = omap_share(&state->events),
        .last_event = state->last_event,
    };
}

void state_done(struct state *state)
{
    ref_put(state->cluster);
    state->cluster = NULL;
    omap_done(&state->hosts);
    omap_done(&state->machines);
    omap_done(&state->host_hashes);
    omap_done(&state->tokens);
    omap_done(&state->token_hashes);
    omap_done(&state->vms);
    omap_done(&state->vm_names);
    omap_done(&state->ports);
    omap_done(&state->events);
}

const struct observed_port *report_port(const struct host_report *report,
                                        const struct uuid *id)
{
    size_t low = 0, high = report->port_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(id, &report->ports[middle].id);
        if (order == 0)
            return &report->ports[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct observed_vm *report_vm(const struct host_report *report,
                                    const struct uuid *id)
{
    size_t low = 0, high = report->vm_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = uuid_compare(id, &report->vms[middle].id);
        if (order == 0)
            return &report->vms[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
