/* SPDX-License-Identifier: Apache-2.0 */
/* Records as bytes: see codec.h. Called by the writer and its loading. */
#include "scheduler/service/codec.h"

#include "api/wire/wire.h"
#include "common/base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void put_object(struct json_out *out, enum record_kind kind,
                       const void *object)
{
    switch (kind) {
    case RECORD_CLUSTER:
        json_out_json(out, NULL, wire_cluster(object));
        break;
    case RECORD_TOKEN:
        json_out_json(out, NULL, wire_token_record(object));
        break;
    case RECORD_HOST:
        json_out_json(out, NULL, wire_host_record(object));
        break;
    case RECORD_VM:
        wire_put_vm_record(out, object);
        break;
    case RECORD_EVENT:
        wire_put_event_record(out, object);
        break;
    case RECORD_REPORT:
    case RECORD_PRESENCE:
    case RECORD_KIND_MAX:
        json_out_null(out, NULL);
        break;
    }
}

static void *from_json(enum record_kind kind, const json_t *value,
                       struct error *err)
{
    switch (kind) {
    case RECORD_CLUSTER:
        return wire_cluster_read(value, err);
    case RECORD_TOKEN:
        return wire_token_read(value, err);
    case RECORD_HOST:
        return wire_host_read(value, err);
    case RECORD_VM:
        return wire_vm_read(value, err);
    case RECORD_EVENT:
        return wire_event_read(value, err);
    case RECORD_REPORT:
    case RECORD_PRESENCE:
    case RECORD_KIND_MAX:
        break;
    }
    error_fill(err, ERROR_CORRUPT, 0, "", "this kind is never stored");
    return NULL;
}

void codec_encode(enum record_kind kind, const void *object, struct str *out)
{
    struct json_out json = json_out_as_text(out);
    put_object(&json, kind, object);
}

const char *codec_key_text(const void *key, size_t key_length,
                           char text[CODEC_KEY_TEXT_SIZE])
{
    const unsigned char *bytes = key;
    bool printable = key_length < CODEC_KEY_TEXT_SIZE;
    for (size_t i = 0; i < key_length && printable; i++)
        printable = isgraph(bytes[i]) != 0;
    if (printable) {
        memcpy(text, key, key_length);
        text[key_length] = '\0';
    } else if (key_length == sizeof(struct uuid)) {
        struct uuid uuid;
        memcpy(uuid.bytes, key, sizeof uuid.bytes);
        uuid_format(&uuid, text);
    } else {
        for (size_t i = 0; i < key_length && 2 * i + 2 < CODEC_KEY_TEXT_SIZE;
             i++)
            snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    return text;
}

void *codec_decode(enum record_kind kind, const void *key, size_t key_length,
                   const void *value, size_t value_length, struct error *err)
{
    struct error why = {0};
    auto_json json_t *json = json_parse(value, value_length, &why);
    void *object = json ? from_json(kind, json, &why) : NULL;
    if (object) {
        uint8_t own[RECORD_KEY_SIZE];
        size_t own_length = record_key(kind, object, own);
        if (own_length == key_length && memcmp(own, key, key_length) == 0)
            return object;
        ref_put(object);
        error_fill(&why, ERROR_CORRUPT, 0, "", "it names itself otherwise");
    }
    char text[CODEC_KEY_TEXT_SIZE];
    error_fill(err, ERROR_CORRUPT, 0, why.field, "record %s '%s': %s",
               record_kind_name(kind), codec_key_text(key, key_length, text),
               why.msg);
    error_remedy(err, "restore a snapshot, or start the version of "
                      "sriov-scheduler that wrote it");
    return NULL;
}
