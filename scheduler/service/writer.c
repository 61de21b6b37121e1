/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's step (writer.h). Nobody is answered before the batch is durable:
 * answers that depend on a neighbour of the same batch (a name that is taken
 * since a moment) depend on its commit too, so a failed commit refuses all. */
#include "scheduler/service/writer.h"

#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/str.h"
#include "scheduler/service/codec.h"

#include <string.h>

struct batch {
    struct job **jobs;
    size_t count;
    struct tx tx; /* of all jobs, in order */
};

static bool step(struct writer *writer, const char *name)
{
    const struct writer_hooks *hooks = &writer->hooks;
    return hooks->step && hooks->step(hooks->context, name);
}

/* ---- running ---------------------------------------------------------------- */

static void append(struct tx *to, struct tx *from)
{
    for (size_t i = 0; i < from->count; i++) {
        mem_grow(&to->records, &to->capacity, to->count, sizeof *to->records);
        to->records[to->count++] = from->records[i];
    }
    /* The references moved along. */
    from->count = 0;
    tx_done(from);
}

static void run_job(struct writer *writer, struct batch *batch, struct job *job,
                    int64_t now_ns)
{
    struct tx tx = {0};
    struct core_call call = {
        .now_ns = now_ns,
        .rng = &writer->rng,
        .actor = job->actor ? job->actor : "scheduler",
        .request_id = job->request_id ? job->request_id : "",
    };
    job->refused = false;
    job->error = (struct error){0};
    job->refused = job->run(job, writer->core, &call, &tx, &job->error) < 0;
    /* A job may make several calls and fail in the last. */
    if (job->refused || job->dry_run) {
        core_undo(writer->core, &tx);
        tx_done(&tx);
    } else {
        append(&batch->tx, &tx);
    }
}

/* ---- committing -------------------------------------------------------------- */

struct encoded {
    size_t count;
    struct store_change *changes;
    uint8_t (*keys)[RECORD_KEY_SIZE];
    struct str texts; /* all values, one after the other */
};

static void encoded_done(struct encoded *encoded)
{
    free(encoded->changes);
    free(encoded->keys);
    str_done(&encoded->texts);
}

static void encode(const struct tx *tx, struct encoded *out)
{
    out->changes = mem_calloc(tx->count, sizeof *out->changes);
    out->keys = mem_calloc(tx->count, sizeof *out->keys);
    for (size_t i = 0; i < tx->count; i++) {
        const struct record *record = &tx->records[i];
        if (!record_kind_durable(record->kind))
            continue;
        const void *object = record->after ? record->after : record->before;
        struct store_change *change = &out->changes[out->count];
        change->kind = record_kind_name(record->kind);
        change->key = out->keys[out->count];
        change->key_length =
            record_key(record->kind, object, out->keys[out->count]);
        size_t start = out->texts.length;
        if (record->after)
            codec_encode(record->kind, record->after, &out->texts);
        change->value_length = out->texts.length - start;
        out->count++;
    }
    /* The buffer moves while it grows. */
    const char *at = str_text(&out->texts);
    for (size_t i = 0; i < out->count; i++) {
        struct store_change *change = &out->changes[i];
        if (change->value_length)
            change->value = at;
        at += change->value_length;
    }
}

/* The epoch that a batch is written under: a batch that raises it writes with
 * the new one. */
static uint64_t epoch_of(const struct writer *writer, const struct tx *tx)
{
    uint64_t epoch = writer->epoch;
    for (size_t i = 0; i < tx->count; i++) {
        const struct record *record = &tx->records[i];
        if (record->kind == RECORD_CLUSTER && record->after)
            epoch = ((const struct cluster *)record->after)->epoch;
    }
    return epoch;
}

/* Until the store can say whether revision+1 of our epoch is there. */
static enum writer_end find_outcome(struct writer *writer, uint64_t epoch,
                                    bool *stored, struct error *err)
{
    for (unsigned attempt = 1;; attempt++) {
        struct error why = {0};
        uint64_t now_epoch = 0, now_revision = 0;
        if (writer->store->ops->position(writer->store, &now_epoch,
                                         &now_revision, &why) == 0) {
            *stored =
                now_epoch == epoch && now_revision == writer->revision + 1;
            if (*stored || (now_epoch == writer->epoch &&
                            now_revision == writer->revision))
                return WRITER_GOES_ON;
            error_fill(err, ERROR_OLD_EPOCH, 0, "epoch",
                       "the store is at %llu.%llu, which this scheduler did "
                       "not write",
                       (unsigned long long)now_epoch,
                       (unsigned long long)now_revision);
            return WRITER_FENCED;
        }
        const struct writer_hooks *hooks = &writer->hooks;
        if (!hooks->pause || !hooks->pause(hooks->context, attempt, &why)) {
            if (err)
                *err = why;
            return WRITER_GAVE_UP;
        }
    }
}

/* One commit of 'tx'. *durable tells whether it is there when the writer goes
 * on; err says why not. */
static enum writer_end commit(struct writer *writer, const struct tx *tx,
                              bool *durable, struct error *err)
{
    struct encoded encoded = {0};
    encode(tx, &encoded);
    uint64_t epoch = epoch_of(writer, tx);
    enum writer_end end = WRITER_CRASHED;
    *durable = false;
    if (!step(writer, "commit:before")) {
        enum store_outcome outcome = writer->store->ops->commit(
            writer->store, epoch, writer->revision + 1, encoded.changes,
            encoded.count, err);
        *durable = outcome == STORE_DONE;
        end = WRITER_GOES_ON;
        if (outcome == STORE_UNKNOWN)
            end = find_outcome(writer, epoch, durable, err);
        else if (outcome == STORE_FAILED && err->code == ERROR_OLD_EPOCH)
            end = WRITER_FENCED;
        if (*durable) {
            writer->epoch = epoch;
            writer->revision++;
        }
        if (writer->hooks.committed)
            writer->hooks.committed(writer->hooks.context,
                                    *durable ? NULL : err);
        if (step(writer, "commit:after"))
            end = WRITER_CRASHED;
    }
    encoded_done(&encoded);
    return end;
}

static bool has_durable(const struct tx *tx)
{
    for (size_t i = 0; i < tx->count; i++)
        if (record_kind_durable(tx->records[i].kind))
            return true;
    return false;
}

/* ---- publishing ---------------------------------------------------------------- */

static void tell_changed(const struct writer *writer,
                         const struct snapshot *old, const char *host)
{
    if (!*host)
        return;
    const struct host_view *before = old ? snapshot_host(old, host) : NULL;
    const struct host_view *now = snapshot_host(writer->snapshot, host);
    if (before && now &&
        revision_compare(&before->revision, &now->revision) == 0)
        return;
    writer->hooks.changed(writer->hooks.context, host);
}

static void tell_all(const struct writer *writer, const struct snapshot *old)
{
    const struct host_view *host = NULL;
    while ((host = snapshot_host_after(writer->snapshot,
                                       host ? host->host->name : NULL)))
        tell_changed(writer, old, host->host->name);
}

static void tell(const struct writer *writer, const struct snapshot *old,
                 const struct tx *tx)
{
    bool events = false, everybody = false;
    if (!writer->hooks.changed)
        return;
    for (size_t i = 0; i < tx->count; i++) {
        const struct record *record = &tx->records[i];
        const void *objects[] = {record->before, record->after};
        events |= record->kind == RECORD_EVENT;
        /* A raised epoch is in every document. */
        everybody |= record->kind == RECORD_CLUSTER;
        for (size_t j = 0; j < 2; j++) {
            if (objects[j] && record->kind == RECORD_VM)
                tell_changed(writer, old,
                             ((const struct vm *)objects[j])->host);
            if (objects[j] && record->kind == RECORD_HOST)
                tell_changed(writer, old,
                             ((const struct host *)objects[j])->name);
        }
    }
    if (everybody)
        tell_all(writer, old);
    if (events)
        writer->hooks.changed(writer->hooks.context, NULL);
}

static void publish(struct writer *writer, const struct tx *tx)
{
    struct snapshot *old = writer->snapshot;
    writer->snapshot = core_publish(writer->core);
    if (writer->hooks.publish)
        writer->hooks.publish(writer->hooks.context, writer->snapshot);
    tell(writer, old, tx);
    if (old)
        snapshot_put(old);
}

/* ---- the batch ------------------------------------------------------------------ */

static void answer(struct writer *writer, const struct batch *batch,
                   const struct error *all)
{
    const struct writer_hooks *hooks = &writer->hooks;
    if (hooks->answering)
        hooks->answering(hooks->context, true);
    for (size_t i = 0; i < batch->count; i++) {
        struct job *job = batch->jobs[i];
        const struct error *err = all ? all : job->refused ? &job->error : NULL;
        job->answer(job, writer->snapshot, err);
    }
    if (hooks->answering)
        hooks->answering(hooks->context, false);
}

/* What those hear whose batch is not there. */
static struct error refusal(enum writer_end end, const struct error *why)
{
    struct error all = *why;
    if (end == WRITER_FENCED) {
        error_fill(&all, ERROR_UNAVAILABLE, 0, "", "%s", why->msg);
        error_remedy(&all, "ask the scheduler that took over");
        return all;
    }
    error_fill(&all, ERROR_NOT_DURABLE, why->sys, "",
               end == WRITER_GAVE_UP
                   ? "whether it was stored could not be found out: %s"
                   : "nothing was changed: %s",
               why->msg);
    error_remedy(&all, "%s", *why->remedy ? why->remedy : "try again");
    return all;
}

enum writer_end writer_batch(struct writer *writer, struct job **jobs,
                             size_t count, int64_t now_ns)
{
    struct batch batch = {.jobs = jobs, .count = count};
    bool republish = false;
    for (size_t i = 0; i < count; i++) {
        run_job(writer, &batch, jobs[i], now_ns);
        republish |= jobs[i]->republish;
    }
    enum writer_end end = WRITER_GOES_ON;
    bool durable = true;
    struct error why = {0}, all = {0};
    if (has_durable(&batch.tx))
        end = commit(writer, &batch.tx, &durable, &why);
    if (end == WRITER_CRASHED) {
        tx_done(&batch.tx);
        return end;
    }
    if (!durable) {
        core_undo(writer->core, &batch.tx);
        all = refusal(end, &why);
    }
    if (durable && (batch.tx.count > 0 || republish))
        publish(writer, &batch.tx);
    tx_done(&batch.tx);
    if (step(writer, "answer:before"))
        return WRITER_CRASHED;
    answer(writer, &batch, durable || PLANT(ACK_BEFORE_DURABLE) ? NULL : &all);
    return end;
}

enum writer_end writer_probe(struct writer *writer, struct error *err)
{
    struct tx nothing = {0};
    bool durable = false;
    return commit(writer, &nothing, &durable, err);
}

/* ---- the start ------------------------------------------------------------------- */

struct start_job {
    struct job job;
    struct error *err;
    bool failed;
};

static int run_start(struct job *job, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    (void)job;
    return core_start(core, call, tx, err);
}

static void answer_start(struct job *job, struct snapshot *snapshot,
                         const struct error *err)
{
    struct start_job *start = (struct start_job *)job;
    (void)snapshot;
    start->failed = err != NULL;
    if (err && start->err)
        *start->err = *err;
}

int writer_start(struct writer *writer, int64_t now_ns, struct error *err)
{
    struct start_job start = {
        .job = {.run = run_start, .answer = answer_start, .republish = true},
        .err = err,
    };
    struct job *jobs[] = {&start.job};
    enum writer_end end = writer_batch(writer, jobs, 1, now_ns);
    if (end == WRITER_CRASHED)
        return error_set(err, ERROR_INTERNAL, "crashed in a step");
    return start.failed ? -1 : 0;
}
