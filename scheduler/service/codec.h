/* SPDX-License-Identifier: Apache-2.0 */
/* Durable records as bytes in the store: compact JSON of api/wire under the
 * record's kind and key, so that a person can read the database. */
#pragma once

#include "common/base/str.h"
#include "scheduler/core/core.h"

/* Append the text of a durable record's object. */
void codec_encode(enum record_kind kind, const void *object, struct str *out);
/* A new reference, or NULL: CORRUPT, naming kind and key. The key stored must
 * be the object's own. */
void *codec_decode(enum record_kind kind, const void *key, size_t key_length,
                   const void *value, size_t value_length, struct error *err);
/* A key for people: text as it is, 16 bytes as UUID, else hexadecimal. */
#define CODEC_KEY_TEXT_SIZE 132
const char *codec_key_text(const void *key, size_t key_length,
                           char text[CODEC_KEY_TEXT_SIZE]);
