/* SPDX-License-Identifier: Apache-2.0 */
/* Text helpers: see str.h. */
#include "common/base/str.h"

#include "common/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTF_ROOM 120

void str_reserve(struct str *str, size_t more)
{
    size_t wanted = str->length + more + 1;
    if (wanted <= str->capacity)
        return;
    size_t capacity = str->capacity ? str->capacity : 64;
    while (capacity < wanted)
        capacity *= 2;
    str->text = mem_realloc(str->text, capacity, 1);
    str->capacity = capacity;
}

void str_add_bytes(struct str *str, const char *bytes, size_t length)
{
    str_reserve(str, length);
    if (length)
        memcpy(str->text + str->length, bytes, length);
    str->length += length;
    str->text[str->length] = '\0';
}

void str_add(struct str *str, const char *text)
{
    str_add_bytes(str, text, strlen(text));
}

void str_printf(struct str *str, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    /* Mostly it fits at once. */
    str_reserve(str, PRINTF_ROOM);
    size_t room = str->capacity - str->length;
    int length = vsnprintf(str->text + str->length, room, format, args);
    va_end(args);
    if (length > 0 && (size_t)length >= room) {
        str_reserve(str, (size_t)length);
        vsnprintf(str->text + str->length, (size_t)length + 1, format, again);
    }
    if (length > 0)
        str->length += (size_t)length;
    va_end(again);
}

const char *str_text(const struct str *str)
{
    return str->text ? str->text : "";
}

char *str_take(struct str *str)
{
    char *text = str->text ? str->text : mem_strdup("");
    *str = (struct str){0};
    return text;
}

void str_done(struct str *str)
{
    free(str->text);
    *str = (struct str){0};
}

char *str_put_digits(char *at, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
    return at + digits;
}

char *str_put_u64(char *at, uint64_t number)
{
    int digits = 1;
    for (uint64_t left = number; left >= 10; left /= 10)
        digits++;
    return str_put_digits(at, number, digits);
}

char *str_put_hex(char *at, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--, number >>= 4)
        at[i] = "0123456789abcdef"[number & 15];
    return at + digits;
}

bool str_copy_bounded(char *target, size_t size, const char *source)
{
    size_t length = strlen(source);
    bool fits = length < size;
    if (!fits)
        length = size - 1;
    memmove(target, source, length);
    target[length] = '\0';
    return fits;
}

bool str_to_u64(const char *text, int base, uint64_t max, uint64_t *out)
{
    if (base == 16 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        text += 2;
    /* strtoull() takes blanks, signs and a second "0x". */
    if (!isxdigit((unsigned char)text[0]) || text[1] == 'x' || text[1] == 'X')
        return false;
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, base);
    if (errno || end == text || *end || value > max)
        return false;
    *out = value;
    return true;
}

bool str_starts(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool str_is_name(const char *text)
{
    size_t length = strlen(text);
    if (length < 1 || length > 63 || !isalnum((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 128 || (!isalnum(c) && !strchr("._-", c)))
            return false;
    }
    return true;
}

uint64_t str_hash(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

/* The intern table: open addressing, grows by doubling, never shrinks. */
static struct {
    pthread_mutex_t lock; /* guards the rest */
    char **slots;
    size_t capacity, count, bytes;
} interned = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char **intern_slot(char **slots, size_t capacity, const char *text)
{
    size_t i = str_hash(text, strlen(text)) & (capacity - 1);
    while (slots[i] && strcmp(slots[i], text) != 0)
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

static void intern_grow(void)
{
    size_t capacity = interned.capacity ? interned.capacity * 2 : 256;
    char **slots = mem_calloc(capacity, sizeof *slots);
    for (size_t i = 0; i < interned.capacity; i++)
        if (interned.slots[i])
            *intern_slot(slots, capacity, interned.slots[i]) =
                interned.slots[i];
    free(interned.slots);
    interned.slots = slots;
    interned.capacity = capacity;
}

const char *str_intern(const char *text)
{
    if (!text || !*text)
        return "";
    pthread_mutex_lock(&interned.lock);
    if ((interned.count + 1) * 2 > interned.capacity)
        intern_grow();
    char **slot = intern_slot(interned.slots, interned.capacity, text);
    const char *result = "(too many)";
    size_t size = strlen(text) + 1;
    if (!*slot && interned.count < 65536 && interned.bytes + size <= 4u << 20) {
        *slot = mem_strdup(text);
        interned.count++;
        interned.bytes += size;
    }
    if (*slot)
        result = *slot;
    pthread_mutex_unlock(&interned.lock);
    return result;
}
