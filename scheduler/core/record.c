/* SPDX-License-Identifier: Apache-2.0 */
/* Change records: their kinds, store keys and batches. Used by the core to
 * collect what it decided and by the service to store it. */
#include "scheduler/core/state.h"

#include <string.h>

static const struct {
    const char *name;
    bool durable;
} kinds[] = {
#define X(name, kind, durable) [RECORD_##name] = {kind, durable},
    RECORD_KINDS(X)
#undef X
};

const char *record_kind_name(enum record_kind kind)
{
    return kind < RECORD_KIND_MAX ? kinds[kind].name : NULL;
}

enum record_kind record_kind_parse(const char *name)
{
    int kind = 0;
    while (kind < RECORD_KIND_MAX && strcmp(kinds[kind].name, name) != 0)
        kind++;
    return (enum record_kind)kind;
}

bool record_kind_durable(enum record_kind kind)
{
    return kind < RECORD_KIND_MAX && kinds[kind].durable;
}

void tx_done(struct tx *tx)
{
    for (size_t i = 0; i < tx->count; i++) {
        ref_put(tx->records[i].before);
        ref_put(tx->records[i].after);
    }
    free(tx->records);
    *tx = (struct tx){0};
}

static size_t text_key(const char *text, uint8_t key[RECORD_KEY_SIZE])
{
    size_t length = strnlen(text, RECORD_KEY_SIZE);
    memcpy(key, text, length);
    return length;
}

size_t record_key(enum record_kind kind, const void *object,
                  uint8_t key[RECORD_KEY_SIZE])
{
    switch (kind) {
    case RECORD_CLUSTER:
        return text_key("cluster", key);
    case RECORD_TOKEN:
        return text_key(((const struct token *)object)->name, key);
    case RECORD_HOST:
        return text_key(((const struct host *)object)->name, key);
    case RECORD_VM:
        memcpy(key, ((const struct vm *)object)->id.bytes, 16);
        return 16;
    case RECORD_EVENT:
        sequence_key(((const struct event *)object)->sequence, key);
        return 8;
    case RECORD_REPORT:
        return text_key(((const struct host_report *)object)->host, key);
    case RECORD_PRESENCE:
        return text_key(((const struct host_presence *)object)->host, key);
    case RECORD_KIND_MAX:
        break;
    }
    return 0;
}
