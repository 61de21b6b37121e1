/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's step: a batch of jobs through the core, one commit, one
 * published snapshot, the answers. The threaded service (service.h) and the
 * simulation (tests/sim) drive the same code; clock, sleeping and crashing come
 * in through hooks.
 *
 *   run each job ──► one commit ──► publish ──► wake ──► answer each job
 *                      │ failed: undo, every job gets NOT_DURABLE
 *                      └ unknown: ask the store until it can say
 *
 * Threads: one.
 */
#pragma once

#include "common/base/rng.h"
#include "db/store.h"
#include "scheduler/service/job.h"

struct writer_hooks {
    void *context;
    /* There is a new snapshot (borrowed: take a reference to keep it). */
    void (*publish)(void *context, struct snapshot *snapshot);
    /* Called after publish: the document of this host changed; NULL: there are
     * new events. */
    void (*changed)(void *context, const char *host);
    /* The batch's answers begin (true), are all given (false); may be NULL. */
    void (*answering)(void *context, bool begins);
    /* A named step, see WRITER_STEPS. True = the process dies here (only the
     * simulation says so): the writer returns at once and answers nobody. */
    bool (*step)(void *context, const char *step);
    /* The outcome of a commit is unknown and could not be read for the
     * 'attempt'th time: wait a while, or false to give up (stopping). */
    bool (*pause)(void *context, unsigned attempt, const struct error *err);
    /* How a commit ended; err NULL = durable. */
    void (*committed)(void *context, const struct error *err);
};

/* X(STEP): where a process can be killed for a test; "commit:before" … */
#define WRITER_STEPS(X)                                                        \
    X("commit:before")                                                         \
    X("commit:after")                                                          \
    X("answer:before")

enum writer_end {
    WRITER_GOES_ON,
    WRITER_CRASHED, /* a step hook said so: only writer_free may follow */
    WRITER_GAVE_UP, /* the outcome stayed unknown: start again to find out */
    WRITER_FENCED,  /* another scheduler took over (OLD_EPOCH): stop */
};

struct writer {
    struct core *core;   /* owned */
    struct store *store; /* borrowed */
    struct rng rng;      /* for ids; seeded by the caller */
    struct writer_hooks hooks;
    uint64_t epoch, revision;  /* of the last durable commit */
    struct snapshot *snapshot; /* the published one, a reference */
};

/* The core takes everything that the store has. Errors: CORRUPT (names kind and
 * key), what the store says. After it: writer_start(). */
int writer_load(struct writer *writer, struct store *store,
                const struct core_config *config, uint64_t seed,
                const struct writer_hooks *hooks, struct error *err);
/* Take the next epoch durably and publish the first snapshot. */
int writer_start(struct writer *writer, int64_t now_ns, struct error *err);
/* Run 'count' jobs as one batch. Each job's answer is called, except after a
 * crash. */
enum writer_end writer_batch(struct writer *writer, struct job **jobs,
                             size_t count, int64_t now_ns);
/* An empty commit: can the store be written again? */
enum writer_end writer_probe(struct writer *writer, struct error *err);
void writer_free(struct writer *writer); /* what it holds, not itself */
