/* SPDX-License-Identifier: Apache-2.0 */
/* What every engine checks before it stores: the limits of store.h. */
#pragma once

#include "db/store.h"

#include <string.h>

#define STORE_KIND_MAX 31
#define STORE_KEY_MAX 64

/* 0 or -1: INVALID (kind, key), TOO_LARGE (value). */
static inline int store_check_changes(const struct store_change *changes,
                                      size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_change *change = &changes[i];
        size_t length = change->kind ? strlen(change->kind) : 0;
        if (length < 1 || length > STORE_KIND_MAX ||
            strspn(change->kind, "abcdefghijklmnopqrstuvwxyz_") != length)
            return error_set_field(err, ERROR_INVALID, "kind",
                                   "change %zu has no valid kind", i);
        if (!change->key || change->key_length < 1 ||
            change->key_length > STORE_KEY_MAX)
            return error_set_field(err, ERROR_INVALID, "key",
                                   "change %zu of kind '%s' has a key of %zu "
                                   "bytes, not 1 to %d",
                                   i, change->kind, change->key_length,
                                   STORE_KEY_MAX);
        if (change->value && change->value_length > STORE_VALUE_MAX)
            return error_set_field(err, ERROR_TOO_LARGE, "value",
                                   "change %zu of kind '%s' has %zu bytes, "
                                   "more than %u",
                                   i, change->kind, change->value_length,
                                   STORE_VALUE_MAX);
    }
    return 0;
}
