/* SPDX-License-Identifier: Apache-2.0 */
/* Names of enum values, for common/model only: one table gives both ways. */
#pragma once

#include <stddef.h>
#include <string.h>

/* Defines NOUN_name() and NOUN_parse() for 'enum NOUN' over a table that was
 * defined as 'static const char *const NOUN_names[END]'. A value outside the
 * table is called "?"; an unknown name parses as END. */
#define NAMES_DEFINE(noun, end)                                                \
    const char *noun##_name(enum noun value)                                   \
    {                                                                          \
        return (unsigned)value < (unsigned)(end) ? noun##_names[value] : "?";  \
    }                                                                          \
    enum noun noun##_parse(const char *name)                                   \
    {                                                                          \
        return (enum noun)names_find(noun##_names, (end), name);               \
    }                                                                          \
    _Static_assert(sizeof noun##_names / sizeof *noun##_names == (end),        \
                   "a name for every value")

/* The index of 'name' in the table (a NULL entry matches nothing), or
 * 'count'. */
static inline unsigned names_find(const char *const *names, size_t count,
                                  const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] && strcmp(names[i], name) == 0)
            return (unsigned)i;
    return (unsigned)count;
}
