/* SPDX-License-Identifier: Apache-2.0 */
/* A small world for tests of the agent: a simulated host, a disk in memory, a
 * clock, and documents as a scheduler would send them. */
#pragma once

#include "agent/agent.h"
#include "agent/host/sim/sim.h"

struct disk {
    struct agent_state state;
    bool written;
    unsigned saves;
    bool full; /* saves fail with ENOSPC */
};
extern const struct agent_state_ops disk_ops;
void disk_done(struct disk *disk);

#define WORLD_PORTS 64
struct world {
    struct sim_host *host;
    struct host_backend *backend;
    struct disk disk;
    struct agent *agent;
    int64_t now;
    unsigned actions_per_step;
    bool skip_probing;
    uint64_t seed; /* 0 = 3 */

    /* The document. */
    struct uuid cluster;
    struct revision revision;
    bool forbidden; /* no PF may be used; else all may */
    size_t port_count;
    struct desired_port ports[WORLD_PORTS];
    size_t pf_count;
    struct desired_pf pfs[2];
    bool mute; /* the scheduler is not reached: reports are lost */

    /* What the faults do: 'fault_errno' for the calls that match. */
    int fault_errno;
    enum sim_step fault_step;
    uint32_t fault_fields; /* 0 = any */
    unsigned fault_times;  /* so often; 0 = never, UINT_MAX = always */

    struct observed *last; /* the last report, full or merged by the test */
    uint64_t reports;
};

/* Host "h1" with PFs of these models (NULL at the end). */
void world_open(struct world *world, const char *const *models);
void world_close(struct world *world);
void world_start_agent(struct world *world);
void world_crash_agent(struct world *world);

struct uuid test_uuid(uint8_t number);
/* Ask for port 'number' on a VF, with MAC 52:54:00:00:00:NUMBER; the policy has
 * only the MAC and may be changed in the returned place. */
struct desired_port *world_want(struct world *world, uint8_t number, size_t pf,
                                uint16_t vf);
struct desired_port *world_port(struct world *world, uint8_t number);
void world_unwant(struct world *world, uint8_t number); /* tombstone */
void world_drop(struct world *world, uint8_t number);   /* not in it at all */
/* Ask for so many VFs of a PF, under a revision of its own; more may be set in
 * the returned place. */
struct desired_pf *world_want_vfs(struct world *world, size_t pf,
                                  uint16_t count);
/* Give the whole document with the next revision; -1 if refused. */
int world_send(struct world *world, struct error *err);
/* The document with its present revision. */
struct desired *world_document(const struct world *world, bool full);

/* Steps, reports taken by a willing scheduler, time passing, until the agent is
 * idle or 'limit_ns' are over. */
void world_settle(struct world *world, int64_t limit_ns);
/* world_send and world_settle with 30 s. */
void world_apply(struct world *world);

/* Of the last report. */
const struct observed_port *world_told(const struct world *world,
                                       uint8_t number);
/* NULL = not told. */
const struct observed_pf *world_told_pf(const struct world *world, size_t pf);
struct policy world_kernel(const struct world *world, size_t pf, uint16_t vf);
/* Never NULL: a VF that is not there fails the test. */
const struct vf *world_vf(const struct world *world,
                          const struct inventory *inventory, size_t pf,
                          uint16_t vf) __attribute__((returns_nonnull));
