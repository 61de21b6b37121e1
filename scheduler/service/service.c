/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's thread (service.h): takes what has queued up, adds a tick each
 * second, runs writer_batch(), hands out the snapshot. While the store refuses
 * commits it probes once a second, so that /readyz recovers by itself. */
#define LOG_MODULE "service"
#include "scheduler/service/service.h"

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/queue.h"
#include "common/base/timestamp.h"
#include "scheduler/service/crash.h"
#include "scheduler/service/writer.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TICK_NS TIMESTAMP_SECOND
#define CROWD 8 /* jobs in a batch from which on many are asking */

struct service {
    struct service_config config;
    struct queue *queue;
    struct writer writer; /* the writer's thread's own */
    struct job tick;
    pthread_t thread;
    bool running;
    atomic_bool stopping;

    pthread_mutex_t lock;      /* guards the two below */
    struct snapshot *snapshot; /* the newest: a reference */
    struct error failure; /* why commits fail now; code NONE = they don't */

    int64_t commit_began; /* monotonic, of the commit in progress */
    struct metric *commit_seconds, *batch_jobs, *commit_failures;
};

/* ---- hooks of the writer --------------------------------------------------------- */

static void on_publish(void *context, struct snapshot *snapshot)
{
    struct service *service = context;
    struct snapshot *fresh = snapshot_get(snapshot);
    pthread_mutex_lock(&service->lock);
    struct snapshot *old = service->snapshot;
    service->snapshot = fresh;
    pthread_mutex_unlock(&service->lock);
    if (old)
        snapshot_put(old);
}

static void on_changed(void *context, const char *host)
{
    struct service *service = context;
    if (!service->config.wake)
        return;
    char key[NAME_SIZE + 16] = "events";
    if (host)
        snprintf(key, sizeof key, "desired/%s", host);
    service->config.wake(service->config.context, key);
}

static void on_answering(void *context, bool begins)
{
    const struct service *service = context;
    if (service->config.answering)
        service->config.answering(service->config.context, begins);
}

static bool on_step(void *context, const char *step)
{
    struct service *service = context;
    if (strcmp(step, "commit:before") == 0)
        service->commit_began = timestamp_monotonic();
    else if (strcmp(step, "commit:after") == 0)
        metric_observe(service->commit_seconds,
                       (double)(timestamp_monotonic() - service->commit_began) /
                           (double)TIMESTAMP_SECOND);
    crash_step(step);
    return false;
}

static void set_failure(struct service *service, const struct error *err)
{
    pthread_mutex_lock(&service->lock);
    service->failure = err ? *err : (struct error){0};
    pthread_mutex_unlock(&service->lock);
}

static bool has_failure(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    bool has = service->failure.code != ERROR_NONE;
    pthread_mutex_unlock(&service->lock);
    return has;
}

static void on_committed(void *context, const struct error *err)
{
    struct service *service = context;
    bool was = has_failure(service);
    set_failure(service, err);
    if (err)
        metric_add(service->commit_failures, 1);
    if (err && !was)
        log_failure(LOG_MODULE, LOG_ERROR, "changes can't be stored", err);
    else if (!err && was)
        log_info("changes can be stored again");
}

/* Attempts get rarer: 10 ms, 20 ms … 1 s. */
static bool on_pause(void *context, unsigned attempt, const struct error *err)
{
    struct service *service = context;
    set_failure(service, err);
    if (attempt == 1)
        log_failure(LOG_MODULE, LOG_ERROR,
                    "the outcome of a commit is not known, asking again", err);
    int64_t wait =
        attempt < 7 ? (10 * TIMESTAMP_MS) << (attempt - 1) : TIMESTAMP_SECOND;
    struct timespec pause = {.tv_sec = wait / TIMESTAMP_SECOND,
                             .tv_nsec = wait % TIMESTAMP_SECOND};
    nanosleep(&pause, NULL);
    return !atomic_load(&service->stopping);
}

/* ---- the thread ------------------------------------------------------------------- */

static int run_tick(struct job *job, struct core *core,
                    const struct core_call *call, struct tx *tx,
                    struct error *err)
{
    (void)job;
    return core_tick(core, call, tx, err);
}

static void answer_tick(struct job *job, struct snapshot *snapshot,
                        const struct error *err)
{
    (void)job;
    (void)snapshot;
    if (err)
        log_debug("tick: %s", err->msg);
}

static int until_ms(int64_t when)
{
    int64_t left = when - timestamp_monotonic();
    return left <= 0 ? 0 : (int)((left + TIMESTAMP_MS - 1) / TIMESTAMP_MS);
}

/* The jobs that are queued when the writer can't go on any more. */
static void refuse_rest(struct service *service, const struct error *err)
{
    void *items[64];
    size_t count = 0;
    queue_close(service->queue);
    while ((count = queue_take(service->queue, items, 64, 0)) > 0)
        for (size_t i = 0; i < count; i++) {
            struct job *job = items[i];
            job->answer(job, service->writer.snapshot, err);
        }
}

static void end_fatally(struct service *service, enum writer_end end)
{
    struct error err = {0};
    error_fill(&err, ERROR_UNAVAILABLE, 0, "",
               end == WRITER_FENCED
                   ? "another scheduler has taken over this data"
                   : "the outcome of the last commit is not known");
    error_remedy(&err, "send the request to the scheduler that serves now");
    refuse_rest(service, &err);
    if (end == WRITER_FENCED && service->config.fatal)
        service->config.fatal(service->config.context, &err);
}

static enum writer_end one_round(struct service *service, void **items,
                                 size_t count, bool tick)
{
    if (tick)
        items[count++] = &service->tick;
    if (count == 0)
        return WRITER_GOES_ON;
    metric_observe(service->batch_jobs, (double)count);
    enum writer_end end = writer_batch(&service->writer, (struct job **)items,
                                       count, timestamp_now());
    struct error err = {0};
    if (end == WRITER_GOES_ON && tick && has_failure(service))
        end = writer_probe(&service->writer, &err);
    return end;
}

/* What has queued up. Where many asked last time, the first who asks now wakes
 * us while the others are about to: they are let in first, so that one commit
 * serves them all. */
static size_t take(struct service *service, void **items, bool crowd,
                   int wait_ms)
{
    size_t max = service->config.batch_max;
    size_t count = queue_take(service->queue, items, max, wait_ms);
    if (!crowd || count == 0 || count == max)
        return count;
    sched_yield();
    return count + queue_take(service->queue, items + count, max - count, 0);
}

static void *thread_main(void *argument)
{
    struct service *service = argument;
    size_t max = service->config.batch_max;
    auto_free void **items = mem_calloc(max + 1, sizeof *items);
    int64_t next_tick = timestamp_monotonic();
    bool crowd = false;
    for (;;) {
        size_t count = take(service, items, crowd, until_ms(next_tick));
        if (count == 0 && queue_is_closed(service->queue))
            return NULL;
        crowd = count >= CROWD;
        bool tick = timestamp_monotonic() >= next_tick;
        if (tick)
            next_tick = timestamp_monotonic() + TICK_NS;
        enum writer_end end = one_round(service, items, count, tick);
        if (end != WRITER_GOES_ON) {
            end_fatally(service, end);
            return NULL;
        }
    }
}

/* ---- the facade --------------------------------------------------------------------- */

static void register_metrics(struct service *service)
{
    static const double sizes[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
    service->commit_seconds = metrics_series(
        metrics_histogram("sriov_commit_duration_seconds", "",
                          "Time until a batch is durable.", metrics_seconds,
                          metrics_seconds_count),
        NULL);
    service->batch_jobs = metrics_series(
        metrics_histogram("sriov_batch_jobs", "", "Jobs that share one commit.",
                          sizes, sizeof sizes / sizeof *sizes),
        NULL);
    service->commit_failures =
        metrics_series(metrics_counter("sriov_commit_failures_total", "",
                                       "Batches that could not be stored."),
                       NULL);
}

struct service *service_open(const struct service_config *config,
                             struct error *err)
{
    uint64_t seed = 0;
    if (crash_configure(err) < 0)
        return NULL;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        error_fill_sys(err, errno, "read random numbers");
        return NULL;
    }
    struct service *service = mem_new(struct service);
    service->config = *config;
    service->tick = (struct job){
        .run = run_tick,
        .answer = answer_tick,
        .republish = true,
    };
    pthread_mutex_init(&service->lock, NULL);
    register_metrics(service);
    struct writer_hooks hooks = {
        .context = service,
        .publish = on_publish,
        .changed = on_changed,
        .answering = on_answering,
        .step = on_step,
        .pause = on_pause,
        .committed = on_committed,
    };
    if (writer_load(&service->writer, config->store, &config->core, seed,
                    &hooks, err) < 0 ||
        writer_start(&service->writer, timestamp_now(), err) < 0) {
        service_free(service);
        return NULL;
    }
    service->queue = queue_new(SERVICE_LANE_MAX, config->queue_capacity);
    return service;
}

void service_run_now(struct service *service, struct job *job)
{
    writer_batch(&service->writer, &job, 1, timestamp_now());
}

int service_run(struct service *service, struct error *err)
{
    int number = pthread_create(&service->thread, NULL, thread_main, service);
    if (number)
        return error_set_sys(err, number, "start the writer's thread");
    service->running = true;
    return 0;
}

bool service_submit(struct service *service, enum service_lane lane,
                    struct job *job)
{
    return queue_put(service->queue, lane, job);
}

void service_stop(struct service *service)
{
    atomic_store(&service->stopping, true);
    queue_close(service->queue);
    if (service->running)
        pthread_join(service->thread, NULL);
    service->running = false;
}

void service_free(struct service *service)
{
    if (!service)
        return;
    if (service->snapshot)
        snapshot_put(service->snapshot);
    writer_free(&service->writer);
    queue_free(service->queue);
    pthread_mutex_destroy(&service->lock);
    free(service);
}

struct snapshot *service_snapshot(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    struct snapshot *snapshot = snapshot_get(service->snapshot);
    pthread_mutex_unlock(&service->lock);
    return snapshot;
}

int service_ready(struct service *service, struct error *err)
{
    struct error failure;
    pthread_mutex_lock(&service->lock);
    failure = service->failure;
    pthread_mutex_unlock(&service->lock);
    if (failure.code == ERROR_NONE && atomic_load(&service->stopping))
        return error_set(err, ERROR_UNAVAILABLE, "the scheduler is stopping");
    if (failure.code == ERROR_NONE)
        return 0;
    if (err) {
        *err = failure;
        err->code = ERROR_NOT_DURABLE;
    }
    return -1;
}

size_t service_queue_length(struct service *service, enum service_lane lane)
{
    return queue_length(service->queue, lane);
}
