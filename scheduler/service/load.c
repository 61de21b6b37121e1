/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's beginning: from the store into the core. */
#include "scheduler/service/codec.h"
#include "scheduler/service/writer.h"

#include "common/base/mem.h"

static int load_entry(void *context, const char *kind_name, const void *key,
                      size_t key_length, const void *value, size_t value_length,
                      struct error *err)
{
    struct writer *writer = context;
    char text[CODEC_KEY_TEXT_SIZE];
    enum record_kind kind = record_kind_parse(kind_name);
    if (kind == RECORD_KIND_MAX || !record_kind_durable(kind)) {
        error_fill(err, ERROR_CORRUPT, 0, "",
                   "record %s '%s': this program knows no such kind", kind_name,
                   codec_key_text(key, key_length, text));
        error_remedy(err, "start the version of sriov-scheduler that wrote it, "
                          "or restore a snapshot");
        return -1;
    }
    void *object =
        codec_decode(kind, key, key_length, value, value_length, err);
    if (!object)
        return -1;
    int result = core_restore(writer->core, kind, object, err);
    if (result < 0)
        error_prefix(err, "record %s '%s'", kind_name,
                     codec_key_text(key, key_length, text));
    ref_put(object);
    return result;
}

int writer_load(struct writer *writer, struct store *store,
                const struct core_config *config, uint64_t seed,
                const struct writer_hooks *hooks, struct error *err)
{
    *writer = (struct writer){
        .core = core_new(config),
        .store = store,
        .rng.state = seed,
        .hooks = *hooks,
    };
    if (store->ops->position(store, &writer->epoch, &writer->revision, err) <
            0 ||
        store->ops->load(store, load_entry, writer, err) < 0) {
        writer_free(writer);
        return -1;
    }
    return 0;
}

void writer_free(struct writer *writer)
{
    if (writer->snapshot)
        snapshot_put(take_ptr(writer->snapshot));
    core_free(take_ptr(writer->core));
}
