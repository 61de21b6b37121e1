/* SPDX-License-Identifier: Apache-2.0 */
/* The list of guarded devices in its file: see hook_guard.h. */
#define LOG_MODULE "hook"
#include "agent/hook_guard.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"

#include <fcntl.h>
#include <string.h>

#define WRITE_RETRY_NS (5 * TIMESTAMP_SECOND)

void hook_guard_open(struct hook_guard *guard, const char *path)
{
    struct error err = {0};
    memset(guard, 0, sizeof *guard);
    guard->path = mem_strdup(path);
    auto_free char *text =
        file_read(AT_FDCWD, path, GUARDED_TEXT_MAX, NULL, &err);
    if (text)
        guard->known = guarded_read(text, &guard->list, &err) == 0;
    else
        guard->known = err.code == ERROR_VANISHED;
    guard->saved = guard->known; /* no file and an empty list say the same */
    if (!guard->known)
        log_failure(LOG_MODULE, LOG_WARNING,
                    "read the list of guarded devices; each device counts as "
                    "guarded until the scheduler is heard",
                    &err);
}

void hook_guard_done(struct hook_guard *guard)
{
    guarded_done(&guard->list);
    free(guard->path);
}

static void save(struct hook_guard *guard, int64_t now)
{
    struct error err;
    auto_str struct str text = {0};
    guarded_write(&guard->list, &text);
    guard->saved =
        file_replace(guard->path, text.text, text.length, 0600, &err) == 0;
    guard->retry_at = now + WRITE_RETRY_NS;
    if (!guard->saved && !guard->failing)
        log_failure(LOG_MODULE, LOG_ERROR,
                    "write the list of guarded devices; it is tried again",
                    &err);
    guard->failing = !guard->saved;
}

int64_t hook_guard_step(struct hook_guard *guard, const struct agent *agent,
                        int64_t now_ns)
{
    uint64_t changes = agent_changes(agent) + 1;
    if (changes != guard->seen) {
        auto_guarded struct guarded list = {0};
        guard->seen = changes;
        bool told = agent_guarded(agent, &list);
        if (told && (!guard->known || !guarded_same(&list, &guard->list))) {
            guarded_done(&guard->list);
            guard->list = list;
            memset(&list, 0, sizeof list);
            guard->saved = false;
            guard->retry_at = 0;
        }
        guard->known |= told;
    }
    if (guard->known && !guard->saved && now_ns >= guard->retry_at)
        save(guard, now_ns);
    return guard->known && !guard->saved ? guard->retry_at : INT64_MAX;
}

const struct guarded *hook_guard_list(const struct hook_guard *guard)
{
    return guard->known ? &guard->list : NULL;
}
