/* SPDX-License-Identifier: Apache-2.0 */
/* The core's state as persistent maps of immutable objects; a snapshot is a
 * shared version of the same maps. Keys are built here and nowhere else. */
#pragma once

#include "common/base/omap.h"
#include "scheduler/core/core.h"

struct state {
    struct cluster *cluster; /* a reference; NULL before core_start */
    struct omap hosts;       /* name -> host_view */
    struct omap machines;    /* machine-id -> host */
    struct omap host_hashes; /* token hash -> host */
    struct omap tokens;      /* name -> token */
    struct omap token_hashes;
    struct omap vms;      /* id -> vm */
    struct omap vm_names; /* struct name_key -> vm */
    struct omap ports;    /* id of a port or device -> vm */
    struct omap events;   /* sequence, big-endian -> event */
    uint64_t last_event;
};

/* A VM being deleted no longer owns its name, but is still found by it while
 * nobody else has it: owners sort first. */
struct name_key {
    size_t length;
    uint8_t bytes[NAME_SIZE + 1 + sizeof(struct uuid)];
};
struct name_key name_key_of(const struct vm *vm);

/* A MAC belongs to one VM on one physical network. The MAC comes first, so
 * that all its uses lie together. */
struct mac_key {
    size_t length;
    uint8_t bytes[6 + NAME_SIZE];
};
struct mac_key mac_key_of(const struct mac *mac, const char *physical_network);

void sequence_key(uint64_t sequence, uint8_t key[8]);

struct host_view *state_host(const struct state *state, const char *name);
struct vm *state_vm(const struct state *state, const struct uuid *id);
struct vm *state_vm_by_name(const struct state *state, const char *name);
/* The VM that has this port or device, and its position in vm->ports; NULL = no
 * such port. */
struct vm *state_port(const struct state *state, const struct uuid *id,
                      size_t *index);
uint64_t state_epoch(const struct state *state); /* 0 before core_start */

/* A version for readers; ends the maps' current edits. */
struct state state_share(struct state *state);
void state_done(struct state *state);

/* The report's port with this id or NULL; its ports are ordered by id. */
const struct observed_port *report_port(const struct host_report *report,
                                        const struct uuid *id);
/* The same for its VMs. */
const struct observed_vm *report_vm(const struct host_report *report,
                                    const struct uuid *id);
