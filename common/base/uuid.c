/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs: see uuid.h. */
#include "common/base/uuid.h"

#include <stdio.h>
#include <string.h>

struct uuid uuid_make(int64_t now_ns, struct rng *rng)
{
    struct uuid uuid;
    uint64_t ms = (uint64_t)(now_ns / 1000000);
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    uint64_t a = rng_next(rng), b = rng_next(rng);
    memcpy(uuid.bytes + 6, &a, 2);
    memcpy(uuid.bytes + 8, &b, 8);
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x70);
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    return uuid;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool uuid_parse(const char *text, struct uuid *out)
{
    size_t length = strlen(text);
    if (length != 36 && length != 32)
        return false;
    struct uuid uuid;
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (length == 36 && (i == 4 || i == 6 || i == 8 || i == 10) &&
            text[at++] != '-')
            return false;
        int high = hex_digit(text[at]);
        int low = high < 0 ? -1 : hex_digit(text[at + 1]);
        if (low < 0)
            return false;
        uuid.bytes[i] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    *out = uuid;
    return true;
}

const char *uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = digits[uuid->bytes[i] >> 4];
        *at++ = digits[uuid->bytes[i] & 15];
    }
    *at = '\0';
    return text;
}

int uuid_compare(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool uuid_is_zero(const struct uuid *uuid)
{
    static const struct uuid zero;
    return uuid_compare(uuid, &zero) == 0;
}
