/* SPDX-License-Identifier: Apache-2.0 */
/* The writer as a thread: a bounded queue in, snapshots out. HTTP threads put
 * jobs in and read snapshots; only this thread touches core and store.
 *
 * Threads: service_submit, service_snapshot, service_ready: any. The rest: the
 * thread that opened it.
 */
#pragma once

#include "db/store.h"
#include "scheduler/service/job.h"

struct service;

enum service_lane {
    SERVICE_LANE_AGENT, /* agents' reports: first */
    SERVICE_LANE_CLIENT,
    SERVICE_LANE_MAX
};

struct service_config {
    struct store *store; /* borrowed; outlives the service */
    struct core_config core;
    size_t queue_capacity; /* jobs for each lane: 1 or more */
    size_t batch_max;      /* jobs in one commit: 1 or more */
    /* From the writer's thread: answers parked under 'key' may have news:
     * "desired/HOST", "events". */
    void (*wake)(void *context, const char *key);
    /* From the writer's thread, around the answers of one batch (begins true,
     * then false); NULL = not wanted. */
    void (*answering)(void *context, bool begins);
    /* Once, from the writer's thread: it can't go on ('err' says why) and ends;
     * the process must stop. */
    void (*fatal)(void *context, const struct error *err);
    void *context;
};

/* Load the store, take the next epoch durably. NULL: what the store says,
 * CORRUPT for a record that can't be read. */
struct service *service_open(const struct service_config *config,
                             struct error *err);
/* Run one job now, on the caller's thread: only before service_run. */
void service_run_now(struct service *service, struct job *job);
/* Start the writer's thread. 0 or -1. */
int service_run(struct service *service, struct error *err);
/* False: the lane is full or the service stops; the job stays the caller's. */
bool service_submit(struct service *service, enum service_lane lane,
                    struct job *job);
/* Refuse new jobs, end what is queued (each is answered), stop the thread. */
void service_stop(struct service *service);
void service_free(struct service *service); /* after all readers */

/* The newest snapshot: a reference, snapshot_put() it. */
struct snapshot *service_snapshot(struct service *service);
/* 0, or -1 + why nothing can be changed now. */
int service_ready(struct service *service, struct error *err);
size_t service_queue_length(struct service *service, enum service_lane lane);
