/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what could not be read: see notes.h. */
#include "agent/host/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            *text = '?';
}

static bool is_noted(const struct notes *notes, const char *what)
{
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->items[i].what, what) == 0)
            return true;
    return false;
}

void notes_say(struct notes *notes, const char *what, const char *format, ...)
{
    if (!notes)
        return;
    struct unreadable item = {0};
    snprintf(item.what, sizeof item.what, "%s", what);
    make_printable(item.what);
    if (is_noted(notes, item.what))
        return;
    if (notes->count == HOST_UNREADABLE_MAX) {
        notes->lost++;
        struct unreadable *last = &notes->items[HOST_UNREADABLE_MAX - 1];
        snprintf(last->what, sizeof last->what, "and more");
        snprintf(last->why, sizeof last->why,
                 "%zu further places could not be read", notes->lost + 1);
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(item.why, sizeof item.why, format, args);
    va_end(args);
    make_printable(item.why);
    notes->items[notes->count++] = item;
}

void notes_error(struct notes *notes, const char *what, const struct error *err)
{
    notes_say(notes, what, "%s", err->msg);
}
