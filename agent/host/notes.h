/* SPDX-License-Identifier: Apache-2.0 */
/* What could not be read, collected while an inventory is made. Bounded; the
 * last place says how many more there were. */
#pragma once

#include "common/base/error.h"
#include "common/model/inventory.h"

#include <stddef.h>

struct notes {
    struct unreadable items[HOST_UNREADABLE_MAX];
    size_t count; /* used places of 'items' */
    size_t lost;  /* notes that found no place */
};

/* 'notes' may be NULL: nobody asks. The same 'what' is noted once. Bytes that
 * are not printable ASCII are shown as '?', since the text goes into JSON. */
void notes_say(struct notes *notes, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The message of 'err' as the reason. */
void notes_error(struct notes *notes, const char *what,
                 const struct error *err);
