/* SPDX-License-Identifier: Apache-2.0 */
/* A table of statements and how it is said: for plug-ins that know the same of
 * every card of their driver. */
#pragma once

#include "plugins/plugin.h"

#include <stddef.h>

#define SUPPORTED(of, why)                                                     \
    {                                                                          \
        .size = sizeof(struct sriov_plugin_word), .subject = (of),             \
        .support = SRIOV_SUPPORT_SUPPORTED, .note = why                        \
    }
#define UNSUPPORTED(of, why)                                                   \
    {                                                                          \
        .size = sizeof(struct sriov_plugin_word), .subject = (of),             \
        .support = SRIOV_SUPPORT_UNSUPPORTED, .note = why                      \
    }
/* 'greatest' 0 = not known. */
#define CONDITIONAL(of, what, greatest, why)                                   \
    {                                                                          \
        .size = sizeof(struct sriov_plugin_word), .subject = (of),             \
        .support = SRIOV_SUPPORT_CONDITIONAL, .needs = (what),                 \
        .max = (greatest), .note = why                                         \
    }

static inline void say_all(const struct sriov_plugin_word *words, size_t count,
                           sriov_plugin_say *say, void *context)
{
    for (size_t i = 0; i < count; i++)
        say(context, &words[i]);
}
#define SAY_ALL(words, say, context)                                           \
    say_all(words, sizeof(words) / sizeof *(words), say, context)
