/* SPDX-License-Identifier: Apache-2.0 */
/* A plug-in for tests; built once for each CASE, good or broken in one way
 * (tests/CMakeLists.txt). */
#include "plugins/plugin.h"

#include <stddef.h>
#include <string.h>

#define GOOD 0
#define OTHER_ABI 1
#define SHORT 2
#define NO_DRIVERS 3
#define ODD_NAME 4
#define MANY_DRIVERS 5
#define NO_SYMBOL 6
#define UNRESOLVED 7
#define ODD_SUBJECT 8
#define ENDLESS_NOTE 9
#define CHATTY 10

#if CASE == UNRESOLVED
extern int nobody_has_this(void);
#endif

static void tell(const struct sriov_plugin_device *device,
                 sriov_plugin_say *say, void *context)
{
    struct sriov_plugin_word word = {.size = sizeof word,
                                     .subject = SRIOV_SUBJECT_TRUST,
                                     .support = SRIOV_SUPPORT_UNSUPPORTED};
    strncpy(word.note, device->kernel, sizeof word.note - 1);
    say(context, &word);
    word = (struct sriov_plugin_word){.size = sizeof word,
                                      .subject = SRIOV_SUBJECT_MAX_TX_RATE,
                                      .support = SRIOV_SUPPORT_CONDITIONAL,
                                      .needs = SRIOV_NEEDS_LINK_SPEED,
                                      .max = SRIOV_MAX_LINK_SPEED};
    if (CASE == ODD_SUBJECT)
        word.subject = device->subjects;
    if (CASE == ENDLESS_NOTE)
        memset(word.note, 'x', sizeof word.note);
    for (int i = 0; i < (CASE == CHATTY ? 100 : 1); i++)
        say(context, &word);
#if CASE == UNRESOLVED
    nobody_has_this();
#endif
}

static const char *const few[] = {"igb", NULL};
static const char *const many[] = {"a", "a", "a", "a", "a", "a", "a", "a", "a",
                                   "a", "a", "a", "a", "a", "a", "a", "a", "a",
                                   "a", "a", "a", "a", "a", "a", "a", "a", "a",
                                   "a", "a", "a", "a", "a", "a", NULL};
static const char *const none[] = {NULL};

#if CASE == NO_SYMBOL
#define EXPORTED another_name
extern SRIOV_PLUGIN_EXPORT const struct sriov_plugin EXPORTED;
#else
#define EXPORTED sriov_plugin
#endif

const struct sriov_plugin EXPORTED = {
    .abi = CASE == OTHER_ABI ? SRIOV_PLUGIN_ABI + 1 : SRIOV_PLUGIN_ABI,
    .size = CASE == SHORT ? 8 : sizeof(struct sriov_plugin),
    .name = CASE == ODD_NAME ? "no name/" : "fixture",
    .version = "7",
    .drivers = CASE == NO_DRIVERS     ? none
               : CASE == MANY_DRIVERS ? many
                                      : few,
    .tell = tell,
};
