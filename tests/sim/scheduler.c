/* SPDX-License-Identifier: Apache-2.0 */
/* The scheduler's process: the writer's step on the simulated disk, fed by the
 * simulated network; deaths at its named steps; polls answered from snapshots;
 * a backup that may come back; and processes of before that still run. */
#include "tests/sim/sim.h"

#include "api/wire/wire.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <string.h>

#define POLL_WAIT_NS (30 * TIMESTAMP_SECOND)
#define TICK_NS (5 * TIMESTAMP_SECOND)

/* ---- hooks -------------------------------------------------------------------- */

static bool step_hook(void *context, const char *name)
{
    struct sim *sim = context;
    (void)name;
    if (!sim->sched.die_at_step || !chance(sim, 3))
        return false;
    sim->fault = FAULT_DIED;
    return true;
}

static bool pause_hook(void *context, unsigned attempt, const struct error *err)
{
    (void)err;
    ((struct sim *)context)->now += (int64_t)attempt * TIMESTAMP_MS;
    return attempt < 5;
}

static enum store_fault disk_hook(void *context)
{
    struct sim *sim = context;
    if (!sim->faults || !chance(sim, 25))
        return STORE_FAULT_NONE;
    static const enum store_fault faults[] = {
        STORE_FAULT_BEFORE, STORE_FAULT_AFTER, STORE_FAULT_LOST};
    enum store_fault fault = faults[below(sim, 3)];
    sim->fault = fault == STORE_FAULT_BEFORE ? FAULT_COMMIT_FAILED
                                             : FAULT_COMMIT_UNKNOWN;
    if (fault != STORE_FAULT_BEFORE && chance(sim, 4))
        store_memory_fail_position(sim->sched.store,
                                   1 + (unsigned)below(sim, 8));
    return fault;
}

static void changed_hook(void *context, const char *host)
{
    struct sim *sim = context;
    for (size_t i = 0; host && i < sim->node_count; i++)
        if (strcmp(sim->nodes[i].name, host) == 0)
            sim->nodes[i].changed = true;
}

/* ---- life ------------------------------------------------------------------------ */

void sched_start(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    const struct core_config config = {
        .unreachable_after_ns = 60 * TIMESTAMP_SECOND,
        .grace_ns = 60 * TIMESTAMP_SECOND,
    };
    const struct writer_hooks hooks = {
        .context = sim,
        .changed = changed_hook,
        .step = step_hook,
        .pause = pause_hook,
    };
    struct error err = {0};
    sim->event = EVENT_SCHED_START;
    store_memory_reopen(sched->store);
    if (writer_load(&sched->writer, sched->store, &config, rng_next(&sim->rng),
                    &hooks, &err) < 0) {
        sim_broken(sim, "start", "the scheduler does not load: %s", err.msg);
        return;
    }
    sched->die_at_step = sim->faults && chance(sim, 10);
    int rc = writer_start(&sched->writer, sim->now, &err);
    sched->die_at_step = false;
    if (rc < 0) {
        sim_trace(sim, "the scheduler fails to start: %s", err.msg);
        writer_free(&sched->writer);
        sched->start_at = sim->now + TIMESTAMP_SECOND;
        return;
    }
    sched->up = true;
    sched->tick_at = sim->now;
    if (sched->writer.epoch <= sched->started_epoch && !sim->restored)
        sim_broken(sim, "I8", "the epoch does not rise at a start: %llu",
                   (unsigned long long)sched->writer.epoch);
    sched->started_epoch = sched->writer.epoch;
    sim_trace(sim, "the scheduler starts, epoch %llu revision %llu",
              (unsigned long long)sched->writer.epoch,
              (unsigned long long)sched->writer.revision);
    truth_full(sim);
}

void sched_init(struct sim *sim)
{
    sim->sched.store = store_memory_open();
    store_memory_set_hook(sim->sched.store, disk_hook, sim);
    sched_start(sim);
}

static void queue_drop(struct sched *sched)
{
    for (size_t i = 0; i < sched->queued; i++)
        sim_job_free((struct sim_job *)sched->queue[i]);
    sched->queued = 0;
}

static void zombie_end(struct sched *sched)
{
    if (sched->has_zombie)
        writer_free(&sched->zombie);
    sched->has_zombie = false;
}

void sched_done(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    if (sched->up)
        writer_free(&sched->writer);
    zombie_end(sched);
    queue_drop(sched);
    free(sched->queue);
    store_close(sched->store);
    store_close(sched->backup);
}

/* The process is gone with all that it had in memory; or it only looks gone
 * and goes on as a zombie while another one takes over. */
static void end(struct sim *sim, bool may_linger)
{
    struct sched *sched = &sim->sched;
    if (!sched->up)
        return;
    sched->up = false;
    queue_drop(sched);
    for (size_t i = 0; i < sim->client_count; i++)
        sim->clients[i].in_flight = false;
    for (size_t i = 0; i < sim->node_count; i++)
        sim->nodes[i].parked = false;
    if (may_linger && chance(sim, 2)) {
        zombie_end(sched);
        sched->zombie = sched->writer;
        sched->has_zombie = true;
    } else {
        writer_free(&sched->writer);
    }
    memset(&sched->writer, 0, sizeof sched->writer);
    sched->start_at = sim->now + (int64_t)below(sim, 20) * TIMESTAMP_SECOND;
    sim->operator_busy = false;
    sim_trace(sim, "the scheduler is dead");
}

void sched_crash(struct sim *sim)
{
    end(sim, true);
}

/* ---- jobs ---------------------------------------------------------------------------- */

struct sim_job *sim_job_new(struct sim *sim,
                            int (*run)(struct job *, struct core *,
                                       const struct core_call *, struct tx *,
                                       struct error *))
{
    struct sim_job *job = mem_new(struct sim_job);
    job->sim = sim;
    job->job.run = run;
    job->job.actor = "sim";
    job->job.request_id = "";
    return job;
}

void sim_job_free(struct sim_job *job)
{
    if (!job)
        return;
    ref_put(job->observed);
    ref_put(job->vm);
    free(job->request);
    free(job->patch);
    free(job);
}

void sched_submit(struct sim *sim, struct sim_job *job)
{
    struct sched *sched = &sim->sched;
    if (!sched->up) {
        sim_job_free(job);
        return;
    }
    mem_grow(&sched->queue, &sched->queue_capacity, sched->queued,
             sizeof *sched->queue);
    sched->queue[sched->queued++] = &job->job;
}

static int run_observe(struct job *base, struct core *core,
                       const struct core_call *call, struct tx *tx,
                       struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    core_heard(core, job->sim->nodes[job->node].name, call->now_ns);
    int rc = core_observe(core, call, job->sim->nodes[job->node].name,
                          job->observed, tx, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static void answer_observe(struct job *base, struct snapshot *snapshot,
                           const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    struct sim *sim = job->sim;
    const char *name = sim->nodes[job->node].name;
    struct message answer = {.kind = MESSAGE_ANSWER,
                             .node = job->node,
                             .life = job->life,
                             .number = job->observed->sequence,
                             .outcome = AGENT_REPORT_LOST};
    if (!err) {
        answer.outcome = AGENT_REPORT_ACCEPTED;
    } else if (err->code == ERROR_NEED_FULL) {
        answer.outcome = AGENT_REPORT_NEED_FULL;
    } else if (err->code == ERROR_STALE_REPORT) {
        const struct host_view *view = snapshot_host(snapshot, name);
        answer.outcome = AGENT_REPORT_STALE;
        if (view && view->report)
            answer.known_incarnation = view->report->incarnation;
    }
    sim_trace(sim, "the report of %s is %s", name, err ? err->msg : "taken");
    net_send(sim, answer);
    sim_job_free(job);
}

static int run_tick(struct job *base, struct core *core,
                    const struct core_call *call, struct tx *tx,
                    struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    int rc = core_tick(core, call, tx, err);
    if (rc == 0)
        truth_records(job->sim, job, tx);
    return rc;
}

static void answer_nobody(struct job *base, struct snapshot *snapshot,
                          const struct error *err)
{
    (void)snapshot;
    (void)err;
    sim_job_free((struct sim_job *)base);
}

/* ---- what comes in ------------------------------------------------------------------------ */

static struct observed *through_wire(struct sim *sim, struct observed *observed)
{
    if (!chance(sim, 16))
        return observed;
    struct error err = {0};
    size_t unknown = 0;
    auto_json json_t *json = wire_observed(observed);
    auto_free char *text = json_text(json);
    auto_json json_t *back = json_parse(text, strlen(text), &err);
    struct observed *read =
        back ? wire_observed_read(back, &unknown, &err) : NULL;
    if (!read || unknown) {
        sim_broken(sim, "wire",
                   "an observed document does not read back: %s (field '%s', "
                   "%zu unknown members)",
                   err.msg, err.field, unknown);
        return observed;
    }
    ref_put(observed);
    return read;
}

/* An agent that is still connected to a process of before gets its answer. */
static bool zombie_poll(struct sim *sim, const struct message *message)
{
    const struct sched *sched = &sim->sched;
    const struct node *node = &sim->nodes[message->node];
    if (!sched->has_zombie || !sched->zombie.snapshot || !chance(sim, 3))
        return false;
    /* The fence is the agent's memory: without it, old looks new. */
    if (node->frail_until)
        return false;
    net_send(sim, (struct message){
                      .kind = MESSAGE_DOCUMENT,
                      .node = node->number,
                      .life = message->life,
                      .number = message->number,
                      .desired = snapshot_desired(sched->zombie.snapshot,
                                                  node->name, message->after)});
    return true;
}

void sched_receive(struct sim *sim, struct message *message)
{
    struct node *node = &sim->nodes[message->node];
    sim->event =
        message->kind == MESSAGE_POLL ? EVENT_SCHED_POLL : EVENT_SCHED_REPORT;
    if (message->kind == MESSAGE_POLL && zombie_poll(sim, message))
        return;
    if (!sim->sched.up)
        return; /* connection refused: the sender's timeout finds out */
    if (message->kind == MESSAGE_POLL) {
        node->parked = true;
        node->changed = true; /* look at once */
        node->parked_at = sim->now;
        node->parked_after = message->after;
        node->parked_id = message->number;
        node->parked_life = message->life;
        return;
    }
    struct sim_job *job = sim_job_new(sim, run_observe);
    job->job.answer = answer_observe;
    job->node = message->node;
    job->life = message->life;
    job->observed = through_wire(sim, take_ptr(message->observed));
    sched_submit(sim, job);
}

/* Answer a parked poll if there is news or it has waited long. */
static bool poll_answer(struct sim *sim, struct node *node)
{
    bool late = sim->now - node->parked_at >= POLL_WAIT_NS;
    if (!node->parked || (!node->changed && !late))
        return false;
    struct snapshot *snapshot = sim->sched.writer.snapshot;
    const struct host_view *view = snapshot_host(snapshot, node->name);
    bool news =
        view && revision_compare(&view->revision, &node->parked_after) != 0;
    node->changed = false;
    if (!news && !late)
        return false;
    node->parked = false;
    net_send(sim,
             (struct message){.kind = MESSAGE_DOCUMENT,
                              .node = node->number,
                              .life = node->parked_life,
                              .number = node->parked_id,
                              .desired = snapshot_desired(snapshot, node->name,
                                                          node->parked_after)});
    return true;
}

static void batch(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    struct job *jobs[64];
    size_t count = 1 + below(sim, sched->queued);
    if (count > 64)
        count = 64;
    memcpy(jobs, sched->queue, count * sizeof *jobs);
    sched->queued -= count;
    memmove(sched->queue, sched->queue + count,
            sched->queued * sizeof *sched->queue);
    sched->die_at_step = sim->faults && chance(sim, 100);
    enum writer_end how = writer_batch(&sched->writer, jobs, count, sim->now);
    sched->die_at_step = false;
    if (how == WRITER_CRASHED)
        for (size_t i = 0; i < count; i++)
            sim_job_free((struct sim_job *)jobs[i]);
    if (how == WRITER_FENCED)
        sim_broken(sim, "I8",
                   "the scheduler is fenced though it is the newest");
    if (how != WRITER_GOES_ON)
        end(sim, false);
}

bool sched_progress(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    if (!sched->up) {
        if (sim->now < sched->start_at)
            return false;
        sched_start(sim);
        return true;
    }
    sim->event = EVENT_SCHED_BATCH;
    if (sched->queued) {
        batch(sim);
        return true;
    }
    sim->event = EVENT_SCHED_POLL;
    for (size_t i = 0; i < sim->node_count; i++)
        if (poll_answer(sim, &sim->nodes[i]))
            return true;
    sim->event = EVENT_SCHED_TICK;
    if (sim->now >= sched->tick_at) {
        struct sim_job *job = sim_job_new(sim, run_tick);
        job->job.answer = answer_nobody;
        job->job.actor = "scheduler";
        sched->tick_at = sim->now + TICK_NS;
        sched_submit(sim, job);
        batch(sim);
        return true;
    }
    return false;
}

int64_t sched_wake(const struct sim *sim)
{
    const struct sched *sched = &sim->sched;
    if (!sched->up)
        return sched->start_at;
    if (sched->queued)
        return sim->now;
    int64_t at = sched->tick_at;
    for (size_t i = 0; i < sim->node_count; i++) {
        const struct node *node = &sim->nodes[i];
        if (node->parked && node->changed)
            return sim->now;
        if (node->parked && node->parked_at + POLL_WAIT_NS < at)
            at = node->parked_at + POLL_WAIT_NS;
    }
    return at;
}

/* ---- data folders ------------------------------------------------------------------------- */

struct copy {
    struct store_change *changes;
    size_t count, capacity;
};

static int copy_visit(void *context, const char *kind, const void *key,
                      size_t key_length, const void *value, size_t value_length,
                      struct error *err)
{
    struct copy *copy = context;
    (void)err;
    mem_grow(&copy->changes, &copy->capacity, copy->count,
             sizeof *copy->changes);
    copy->changes[copy->count++] =
        (struct store_change){.kind = mem_strdup(kind),
                              .key = mem_dup(key, key_length),
                              .key_length = key_length,
                              .value = mem_dup(value, value_length),
                              .value_length = value_length};
    return 0;
}

/* A store with the same entries and epoch. */
static struct store *store_copy(struct store *from)
{
    struct error err = {0};
    struct copy copy = {0};
    struct store *to = store_memory_open();
    uint64_t epoch = 0, revision = 0;
    store_memory_fail_position(from, 0);
    if (from->ops->position(from, &epoch, &revision, &err) < 0 ||
        from->ops->load(from, copy_visit, &copy, &err) < 0 ||
        (copy.count && to->ops->commit(to, epoch, 1, copy.changes, copy.count,
                                       &err) != STORE_DONE)) {
        fprintf(stderr, "copy of the store: %s\n", err.msg);
        abort();
    }
    for (size_t i = 0; i < copy.count; i++) {
        free((void *)(uintptr_t)copy.changes[i].kind);
        free((void *)(uintptr_t)copy.changes[i].key);
        free((void *)(uintptr_t)copy.changes[i].value);
    }
    free(copy.changes);
    return to;
}

void sched_backup(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    sim->event = EVENT_SCHED_BACKUP;
    store_close(sched->backup);
    sched->backup = store_copy(sched->store);
    for (size_t i = 0; i < sim->client_count; i++)
        sim->clients[i].in_backup = sim->clients[i].state == CLIENT_ACKED;
    sim_trace(sim, "the data folder is copied");
}

/* The data folder is put back as it was at the backup, or is lost. What the
 * clients were told since does not bind it any more. */
void sched_restore(struct sim *sim, bool emptied)
{
    struct sched *sched = &sim->sched;
    if (!emptied && !sched->backup)
        return;
    sim->event = EVENT_SCHED_RESTORE;
    sched_crash(sim);
    sim->event = emptied ? EVENT_SCHED_EMPTIED : EVENT_SCHED_RESTORE;
    zombie_end(sched);
    store_close(sched->store);
    sched->store = emptied ? store_memory_open() : store_copy(sched->backup);
    store_memory_set_hook(sched->store, disk_hook, sim);
    sim->restored = true;
    sim->emptied |= emptied;
    for (size_t i = 0; i < sim->client_count; i++) {
        struct client_vm *client = &sim->clients[i];
        bool kept = !emptied && client->in_backup &&
                    (client->state == CLIENT_ACKED ||
                     client->state == CLIENT_DELETING ||
                     client->state == CLIENT_DELETED);
        if (client->state != CLIENT_UNUSED)
            client->state = kept ? CLIENT_ACKED : CLIENT_DELETED;
        client->in_flight = false;
    }
    for (size_t i = 0; i < sim->node_count; i++)
        sim->nodes[i].enrolled = false;
    sim_trace(sim, "the data folder is %s", emptied ? "empty" : "restored");
}

/* ---- a process of before -------------------------------------------------------------------- */

static void answer_zombie(struct job *base, struct snapshot *snapshot,
                          const struct error *err)
{
    struct sim_job *job = (struct sim_job *)base;
    (void)snapshot;
    if (!err)
        sim_broken(job->sim, "I8",
                   "a scheduler of epoch %llu wrote while %llu is on",
                   (unsigned long long)job->sim->sched.zombie.epoch,
                   (unsigned long long)job->sim->sched.writer.epoch);
    sim_job_free(job);
}

static int run_zombie(struct job *base, struct core *core,
                      const struct core_call *call, struct tx *tx,
                      struct error *err)
{
    (void)base;
    uint8_t hash[32] = {1};
    bool renewed = false;
    return core_host_enroll(core, call, "zombie", hash, tx, &renewed, err);
}

/* It tries to write; see also zombie_poll(). */
bool sched_zombie(struct sim *sim)
{
    struct sched *sched = &sim->sched;
    if (!sched->has_zombie || !sched->up)
        return false;
    sim->event = EVENT_SCHED_ZOMBIE;
    struct sim_job *job = sim_job_new(sim, run_zombie);
    job->job.answer = answer_zombie;
    job->zombie = true;
    struct job *jobs[] = {&job->job};
    uint64_t epoch = sched->zombie.epoch;
    enum writer_end how = writer_batch(&sched->zombie, jobs, 1, sim->now);
    if (how == WRITER_CRASHED)
        sim_job_free(job);
    sim_trace(sim, "a scheduler of epoch %llu tries to write",
              (unsigned long long)epoch);
    if (how != WRITER_GOES_ON || chance(sim, 3))
        zombie_end(sched);
    return true;
}
