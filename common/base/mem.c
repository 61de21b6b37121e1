/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that aborts, reference counts: see mem.h. */
#include "common/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Noreturn void exhausted(size_t count, size_t size)
{
    fprintf(stderr, "<2>out of memory: %zu objects of %zu bytes\n", count,
            size);
    abort();
}

void *mem_calloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        exhausted(count, size);
    return memory;
}

void *mem_realloc(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!memory)
        exhausted(count, size);
    return memory;
}

char *mem_strdup(const char *text)
{
    return text ? mem_dup(text, strlen(text) + 1) : NULL;
}

void *mem_dup(const void *data, size_t size)
{
    void *copy = mem_calloc(1, size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0 || !text)
        exhausted(1, 0);
    return text;
}

void mem_grow(void *array_address, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity)
        return;
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void *array = NULL;
    memcpy(&array, array_address, sizeof array);
    array = mem_realloc(array, wanted, size);
    memcpy(array_address, &array, sizeof array);
    *capacity = wanted;
}

void ref_init(struct ref *ref, void (*release)(void *object))
{
    atomic_init(&ref->count, 1);
    ref->release = release;
}

void *ref_get(const void *object)
{
    if (object) {
        struct ref *ref = (struct ref *)(uintptr_t)object;
        atomic_fetch_add_explicit(&ref->count, 1, memory_order_relaxed);
    }
    return (void *)(uintptr_t)object;
}

void ref_put(const void *object)
{
    if (!object)
        return;
    struct ref *ref = (struct ref *)(uintptr_t)object;
    if (atomic_fetch_sub_explicit(&ref->count, 1, memory_order_acq_rel) == 1)
        ref->release(ref);
}
