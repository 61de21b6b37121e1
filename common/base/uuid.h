/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs: version 7 (RFC 9562) for what we make, so that ids made together
 * lie together; any version is read. Text is the lower-case 36-character form. */
#pragma once

#include "common/base/rng.h"

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37

struct uuid {
    uint8_t bytes[16];
};

/* Version 7 from a time (nanoseconds since 1970) and the caller's generator. */
struct uuid uuid_make(int64_t now_ns, struct rng *rng);
/* Accepts the 36-character form, upper or lower case, and the 32-digit form of
 * /etc/machine-id. False, 'out' untouched, for anything else. */
bool uuid_parse(const char *text, struct uuid *out);
/* Returns 'text'. */
const char *uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE]);
int uuid_compare(const struct uuid *a, const struct uuid *b);
bool uuid_is_zero(const struct uuid *uuid);
static inline bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return uuid_compare(a, b) == 0;
}
