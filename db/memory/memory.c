/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory (memory.h). Two versions of one map: 'visible' is what
 * this process sees, 'durable' what a crash leaves. Only a lying disk makes
 * them differ. */
#include "db/memory/memory.h"

#include "common/base/mem.h"
#include "common/base/omap.h"
#include "common/base/str.h"
#include "db/store_check.h"

#include <string.h>

/* Commits that follow() can still tell, as many as the SQLite store. */
#define LOG_KEPT 256

struct blob {
    struct ref ref;
    size_t length;
    char bytes[];
};

/* One stored batch, for follow(). */
struct batch {
    struct ref ref;
    size_t count;
    struct batch_change {
        char kind[STORE_KIND_MAX + 1];
        uint8_t key[STORE_KEY_MAX];
        size_t key_length;
        struct blob *value; /* NULL = removed */
    } changes[];
};

struct version {
    uint64_t epoch, revision;
    struct omap entries; /* kind, 0, key -> blob */
    struct omap log;     /* revision, 8 bytes big-endian -> batch */
};

struct memory_store {
    struct store store; /* first: what callers hold */
    struct version visible, durable;
    enum store_fault (*hook)(void *context);
    void *context;
    unsigned position_faults;
    uint64_t commits;
};

static struct memory_store *self(struct store *store)
{
    return (struct memory_store *)store;
}

static struct blob *blob_new(const void *bytes, size_t length)
{
    struct blob *blob = mem_calloc(1, sizeof *blob + length);
    ref_init(&blob->ref, free);
    blob->length = length;
    memcpy(blob->bytes, bytes, length);
    return blob;
}

static void batch_release(void *object)
{
    struct batch *batch = object;
    for (size_t i = 0; i < batch->count; i++)
        ref_put(batch->changes[i].value);
    free(batch);
}

static void version_done(struct version *version)
{
    omap_done(&version->entries);
    omap_done(&version->log);
}

static struct version version_share(struct version *version)
{
    return (struct version){
        .epoch = version->epoch,
        .revision = version->revision,
        .entries = omap_share(&version->entries),
        .log = omap_share(&version->log),
    };
}

static void revision_key(uint64_t revision, uint8_t key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)(revision >> (8 * (7 - i)));
}

#define ENTRY_KEY_MAX (STORE_KIND_MAX + 1 + STORE_KEY_MAX)

static size_t entry_key(const struct store_change *change,
                        uint8_t key[ENTRY_KEY_MAX])
{
    size_t kind = strlen(change->kind) + 1;
    memcpy(key, change->kind, kind);
    memcpy(key + kind, change->key, change->key_length);
    return kind + change->key_length;
}

static void apply(struct version *version, const struct store_change *changes,
                  size_t count)
{
    struct batch *batch =
        mem_calloc(1, sizeof *batch + count * sizeof batch->changes[0]);
    ref_init(&batch->ref, batch_release);
    batch->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct store_change *change = &changes[i];
        uint8_t key[ENTRY_KEY_MAX];
        size_t length = entry_key(change, key);
        struct batch_change *kept = &batch->changes[i];
        str_copy(kept->kind, change->kind);
        memcpy(kept->key, change->key, change->key_length);
        kept->key_length = change->key_length;
        if (change->value) {
            kept->value = blob_new(change->value, change->value_length);
            omap_put(&version->entries, key, length, kept->value);
        } else {
            omap_remove(&version->entries, key, length);
        }
    }
    uint8_t key[8];
    revision_key(version->revision, key);
    omap_put(&version->log, key, sizeof key, batch);
    ref_put(batch);
    if (version->revision > LOG_KEPT) {
        revision_key(version->revision - LOG_KEPT, key);
        omap_remove(&version->log, key, sizeof key);
    }
}

static enum store_outcome commit(struct store *base, uint64_t epoch,
                                 uint64_t revision,
                                 const struct store_change *changes,
                                 size_t count, struct error *err)
{
    struct memory_store *store = self(base);
    if (store_check_changes(changes, count, err) < 0)
        return STORE_FAILED;
    if (epoch < store->visible.epoch) {
        error_fill(err, ERROR_OLD_EPOCH, 0, "epoch",
                   "epoch %llu writes, but epoch %llu was here",
                   (unsigned long long)epoch,
                   (unsigned long long)store->visible.epoch);
        return STORE_FAILED;
    }
    if (revision != store->visible.revision + 1) {
        error_fill(err, ERROR_CONFLICT, 0, "revision",
                   "revision %llu does not follow %llu",
                   (unsigned long long)revision,
                   (unsigned long long)store->visible.revision);
        return STORE_FAILED;
    }
    enum store_fault fault =
        store->hook ? store->hook(store->context) : STORE_FAULT_NONE;
    if (fault == STORE_FAULT_BEFORE) {
        error_fill(err, ERROR_NOT_DURABLE, 0, "", "the simulated disk is full");
        return STORE_FAILED;
    }
    if (fault != STORE_FAULT_LOST) {
        store->visible.epoch = epoch;
        store->visible.revision = revision;
        apply(&store->visible, changes, count);
        store->commits++;
    }
    if (fault != STORE_FAULT_LOST && fault != STORE_FAULT_LIE) {
        version_done(&store->durable);
        store->durable = version_share(&store->visible);
    }
    if (fault != STORE_FAULT_LOST && fault != STORE_FAULT_AFTER)
        return STORE_DONE;
    error_fill(err, ERROR_NOT_DURABLE, 0, "", "the simulated disk is silent");
    return STORE_UNKNOWN;
}

struct load_walk {
    int (*visit)(void *context, const char *kind, const void *key,
                 size_t key_length, const void *value, size_t value_length,
                 struct error *err);
    void *context;
    struct error *err;
    int result;
};

static bool load_entry(void *context, const void *key, size_t key_length,
                       void *value)
{
    struct load_walk *walk = context;
    const struct blob *blob = value;
    size_t kind = strlen(key) + 1;
    walk->result =
        walk->visit(walk->context, key, (const char *)key + kind,
                    key_length - kind, blob->bytes, blob->length, walk->err) < 0
            ? -1
            : 0;
    return walk->result == 0;
}

static int load(struct store *base,
                int (*visit)(void *context, const char *kind, const void *key,
                             size_t key_length, const void *value,
                             size_t value_length, struct error *err),
                void *context, struct error *err)
{
    struct load_walk walk = {visit, context, err, 0};
    omap_each(&self(base)->visible.entries, load_entry, &walk);
    return walk.result;
}

static int position(struct store *base, uint64_t *epoch, uint64_t *revision,
                    struct error *err)
{
    struct memory_store *store = self(base);
    if (store->position_faults) {
        store->position_faults--;
        return error_set(err, ERROR_NOT_DURABLE,
                         "the simulated disk can't be read");
    }
    *epoch = store->visible.epoch;
    *revision = store->visible.revision;
    return 0;
}

static int snapshot(struct store *base, const char *path, struct error *err)
{
    (void)base;
    return error_set(err, ERROR_UNSUPPORTED,
                     "a store in memory has no file for '%s'", path);
}

static int follow(struct store *base, uint64_t revision,
                  int (*visit)(void *context, uint64_t revision,
                               const struct store_change *change,
                               struct error *err),
                  void *context, struct error *err)
{
    struct memory_store *store = self(base);
    uint64_t now = store->visible.revision;
    uint64_t kept_after = now > LOG_KEPT ? now - LOG_KEPT : 0;
    if (revision > now || revision < kept_after)
        return error_set_field(err, ERROR_NOT_FOUND, "revision",
                               "the changes after revision %llu are not kept",
                               (unsigned long long)revision);
    for (uint64_t at = revision + 1; at <= now; at++) {
        uint8_t key[8];
        revision_key(at, key);
        const struct batch *batch =
            omap_get(&store->visible.log, key, sizeof key);
        for (size_t i = 0; i < batch->count; i++) {
            const struct batch_change *kept = &batch->changes[i];
            struct store_change change = {
                .kind = kept->kind,
                .key = kept->key,
                .key_length = kept->key_length,
                .value = kept->value ? kept->value->bytes : NULL,
                .value_length = kept->value ? kept->value->length : 0,
            };
            if (visit(context, at, &change, err) < 0)
                return -1;
        }
    }
    return 0;
}

static void close_store(struct store *base)
{
    struct memory_store *store = self(base);
    if (!store)
        return;
    version_done(&store->visible);
    version_done(&store->durable);
    free(store);
}

static const struct store_ops memory_ops = {
    .commit = commit,
    .load = load,
    .position = position,
    .snapshot = snapshot,
    .follow = follow,
    .close = close_store,
};

struct store *store_memory_open(void)
{
    struct memory_store *store = mem_new(struct memory_store);
    store->store.ops = &memory_ops;
    return &store->store;
}

void store_memory_set_hook(struct store *base,
                           enum store_fault (*hook)(void *context),
                           void *context)
{
    self(base)->hook = hook;
    self(base)->context = context;
}

void store_memory_fail_position(struct store *base, unsigned count)
{
    self(base)->position_faults = count;
}

void store_memory_reopen(struct store *base)
{
    struct memory_store *store = self(base);
    version_done(&store->visible);
    store->visible = version_share(&store->durable);
    store->position_faults = 0;
}

uint64_t store_memory_commits(const struct store *base)
{
    return ((const struct memory_store *)base)->commits;
}
