/* SPDX-License-Identifier: Apache-2.0 */
/* The life of the core: new, restored from the store, started under a new
 * epoch, told that time passes, published to readers. */
#include "scheduler/core/internal.h"

#include "common/base/plant.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <inttypes.h>
#include <string.h>

struct core *core_new(const struct core_config *config)
{
    struct core *core = mem_new(struct core);
    core->config = *config;
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    index_done(&core->index);
    omap_done(&core->keys);
    omap_done(&core->macs);
    state_done(&core->state);
    free(core->explained);
    free(core);
}

int core_restore(struct core *core, enum record_kind kind, const void *object,
                 struct error *err)
{
    if (!record_kind_durable(kind))
        return error_set(err, ERROR_CORRUPT,
                         "records of kind '%s' are not stored",
                         kind < RECORD_KIND_MAX ? record_kind_name(kind) : "?");
    if (core->started)
        return error_set(err, ERROR_INTERNAL, "restore after the start");
    void *restored = ref_get(object);
    core_apply(core, kind, NULL, restored, false);
    ref_put(restored); /* the maps hold it */
    return 0;
}

/* Above all that this data knows, and where the clock goes right also above all
 * that were begun after a copy of this data was made: a restored scheduler that
 * counted on from its copy could write another 7.2 than the one that agents
 * follow, and neither side could tell. */
static uint64_t next_epoch(const struct cluster *old, int64_t now_ns)
{
    uint64_t second =
        now_ns > 0 ? (uint64_t)now_ns / (uint64_t)TIMESTAMP_SECOND : 0;
    if (PLANT(EPOCH_STAYS))
        return old->epoch;
    return second > old->epoch ? second : old->epoch + 1;
}

int core_start(struct core *core, const struct core_call *call, struct tx *tx,
               struct error *err)
{
    if (core->started)
        return error_set(err, ERROR_INTERNAL, "started twice");
    if (core_link(core, err))
        return -1;
    core->started = true;
    core->started_at = call->now_ns;
    struct cluster *old = core->state.cluster;
    struct cluster *cluster = cluster_new();
    cluster->id = old ? old->id : uuid_make(call->now_ns, call->rng);
    cluster->epoch = old ? next_epoch(old, call->now_ns) : 1;
    core_change(core, tx, RECORD_CLUSTER, old, cluster);
    char id[UUID_TEXT_SIZE];
    uuid_format(&cluster->id, id);
    if (!old)
        core_event(core, call, tx, (struct event_about){0}, "ClusterCreated",
                   "EmptyDataFolder",
                   "cluster %s begins: the data folder was empty", id);
    core_event(core, call, tx, (struct event_about){0}, "EpochRaised",
               "SchedulerStarted", "the scheduler started under epoch %" PRIu64,
               cluster->epoch);
    return 0;
}

struct snapshot *core_publish(struct core *core)
{
    return snapshot_make(&core->state);
}

struct host_view *core_find_host(const struct core *core, const char *name,
                                 struct error *err)
{
    struct host_view *view = state_host(&core->state, name);
    if (!view)
        error_fill(err, ERROR_NOT_FOUND, 0, "", "no host '%s'", name);
    return view;
}

struct revision core_next_revision(const struct core *core,
                                   const struct host_view *view)
{
    return (struct revision){
        .epoch = state_epoch(&core->state),
        .revision = view->revision.revision + 1,
    };
}

/* ---- time ------------------------------------------------------------------ */

void core_heard(struct core *core, const char *host, int64_t now_ns)
{
    struct host_view *view = state_host(&core->state, host);
    if (view)
        atomic_store_explicit(&view->last_seen_at, now_ns,
                              memory_order_relaxed);
}

static void presence_release(void *object)
{
    free(object);
}

void core_set_presence(struct core *core, const struct core_call *call,
                       struct tx *tx, const struct host_view *view,
                       enum presence presence)
{
    struct host_presence *now = mem_new(struct host_presence);
    ref_init(&now->ref, presence_release);
    str_copy(now->host, view->host->name);
    now->presence = (uint8_t)presence;
    now->at = call->now_ns;
    core_change(core, tx, RECORD_PRESENCE, view->presence, now);
}

static enum presence view_presence(const struct host_view *view)
{
    return view->presence ? (enum presence)view->presence->presence
                          : PRESENCE_WAITING;
}

/* Whom time has something to say about: a host that never reported is only
 * waited for, and in the grace after a start nobody is called lost. */
enum news { NEWS_NONE, NEWS_LOST, NEWS_HEARD };

static int64_t silence_ns(const struct core *core, const struct core_call *call,
                          const struct host_view *view)
{
    int64_t seen =
        atomic_load_explicit(&view->last_seen_at, memory_order_relaxed);
    return call->now_ns - (seen > core->started_at ? seen : core->started_at);
}

static enum news host_news(const struct core *core,
                           const struct core_call *call,
                           const struct host_view *view)
{
    bool silent =
        silence_ns(core, call, view) > core->config.unreachable_after_ns;
    if (view_presence(view) == PRESENCE_LOST)
        return silent ? NEWS_NONE : NEWS_HEARD;
    if (!silent || uuid_is_zero(&view->host->machine_id) ||
        call->now_ns - core->started_at < core->config.grace_ns)
        return NEWS_NONE;
    return NEWS_LOST;
}

struct tick {
    const struct core *core;
    const struct core_call *call;
    size_t count, capacity;
    struct host_view **views; /* a reference each */
};

static bool collect_news(void *context, const void *key, size_t key_length,
                         void *value)
{
    (void)key;
    (void)key_length;
    struct tick *tick = context;
    if (host_news(tick->core, tick->call, value) == NEWS_NONE)
        return true;
    mem_grow(&tick->views, &tick->capacity, tick->count, sizeof *tick->views);
    tick->views[tick->count++] = ref_get(value);
    return true;
}

static void tell_news(struct core *core, const struct core_call *call,
                      struct tx *tx, const struct host_view *view)
{
    struct event_about about = {.host = view->host->name};
    if (host_news(core, call, view) == NEWS_HEARD) {
        core_set_presence(core, call, tx, view,
                          view->report ? PRESENCE_HEARD : PRESENCE_WAITING);
        core_event(core, call, tx, about, "HostReachable", "AgentHeard",
                   "the agent of host '%s' is heard again", about.host);
        return;
    }
    core_set_presence(core, call, tx, view, PRESENCE_LOST);
    core_event(core, call, tx, about, "HostUnreachable", "AgentSilent",
               "the agent of host '%s' was not heard for %" PRId64
               " s; %zu VMs are placed there",
               about.host, silence_ns(core, call, view) / 1000000000,
               view->vm_count);
}

int core_tick(struct core *core, const struct core_call *call, struct tx *tx,
              struct error *err)
{
    (void)err; /* time can't be refused */
    struct tick tick = {.core = core, .call = call};
    omap_each(&core->state.hosts, collect_news, &tick);
    for (size_t i = 0; i < tick.count; i++) {
        tell_news(core, call, tx, tick.views[i]);
        ref_put(tick.views[i]);
    }
    free(tick.views);
    return 0;
}
