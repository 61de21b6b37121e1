/* SPDX-License-Identifier: Apache-2.0 */
/* Memory and descriptors: allocation that aborts on exhaustion (the daemons
 * are crash-only, input sizes are bounded), cleanup attributes, reference
 * counts.
 *
 * Ownership: a local declared with auto_free, auto_close or a type's own
 * auto_x is released at the end of its scope; it escapes only through
 * take_ptr() or take_fd(). Initialise such locals at declaration.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

/* Zeroed memory for 'count' objects of 'size' bytes; never NULL. */
void *mem_calloc(size_t count, size_t size)
    __attribute__((malloc, returns_nonnull, warn_unused_result));
/* As realloc (also for NULL), never NULL; aborts on overflow too. */
void *mem_realloc(void *old, size_t count, size_t size)
    __attribute__((returns_nonnull, warn_unused_result));
/* Copies; mem_strdup(NULL) is NULL. */
char *mem_strdup(const char *text) __attribute__((warn_unused_result));
void *mem_dup(const void *data, size_t size)
    __attribute__((warn_unused_result));
/* printf into new memory; never NULL. */
char *mem_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2), returns_nonnull, warn_unused_result));

/* One zeroed object of a type. */
#define mem_new(type) ((type *)mem_calloc(1, sizeof(type)))

/* Grow 'array' so that one more element fits; used as
 * mem_grow(&x->items, &x->capacity, x->count, sizeof *x->items). */
void mem_grow(void *array_address, size_t *capacity, size_t count, size_t size);

static inline void mem_free_p(void *address)
{
    free(*(void **)address);
}
static inline void mem_close_p(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define auto_free __attribute__((cleanup(mem_free_p)))
#define auto_close __attribute__((cleanup(mem_close_p)))

#define take_ptr(pointer)                                                      \
    __extension__({                                                            \
        __typeof__(pointer) taken_ = (pointer);                                \
        (pointer) = NULL;                                                      \
        taken_;                                                                \
    })
#define take_fd(fd)                                                            \
    __extension__({                                                            \
        int taken_ = (fd);                                                     \
        (fd) = -1;                                                             \
        taken_;                                                                \
    })

/* A shared immutable object: the first member of the struct. Objects are
 * built by one thread, then never changed, then shared by counting. */
struct ref {
    atomic_uint count;
    void (*release)(void *object); /* frees the object when the last is gone */
};
void ref_init(struct ref *ref, void (*release)(void *object)); /* count 1 */
/* 'object' points to a struct that begins with a struct ref; NULL is kept. */
void *ref_get(const void *object);
void ref_put(const void *object);
