/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of sriov-hook, the program that libvirt calls as hooks/qemu.d/sriov
 * (https://libvirt.org/hooks.html). It asks the agent and never libvirt, which
 * waits for it. Where the agent can't answer it decides alone: closed for
 * domains that have a guarded device (common/domain/guarded.h), open for all
 * others. One process for each call, one thread. */
#pragma once

#include "common/base/error.h"
#include "common/domain/guarded.h"
#include "common/domain/hook_frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As libvirt gives them on the command line. */
struct hook_call {
    const char *domain, *operation, *suboperation, *extra;
};

struct hook_settings {
    char *socket;         /* the agent's */
    char *guarded;        /* the agent's list of guarded devices */
    char *root;           /* sysfs is ROOT/sys; "" but in tests */
    uint64_t deadline_ms; /* from the call to the exit */
};

/* ---- xml.c: is there anything to decide? ---------------------------------- */

/* Is anything ever decided at this call? Else not even its XML is read. */
bool hook_decides(const struct hook_call *call);
/* The domain's XML on standard input, as far as it matters. */
struct hook_xml {
    char *text; /* owned, terminated; NULL where 'err' is set */
    size_t length;
    struct error err; /* why it can't be read as a whole: too long, or not ended
                         by the deadline */
};
void hook_xml_read(int fd, int64_t deadline, struct hook_xml *out);
/* A look at the text that tells at once of most domains that they have nothing
 * to do with us; it may say yes of some more. Read in part: yes. */
bool hook_concerns(const struct hook_call *call, const struct hook_xml *xml);

/* ---- ask.c: the agent's answer ---------------------------------------------- */

/* 'deadline' on the clock of timestamp_monotonic(). -1: there is none: UNAVAILABLE
 * (nobody listens), TIMEOUT, or what came is no answer. */
int hook_ask(const char *socket_path, const struct hook_question *question,
             int64_t deadline, struct hook_answer *answer, struct error *err);

/* ---- closed.c: without the agent ----------------------------------------------- */

/* May the domain start without the agent's word? 'why' says why there is none.
 * False: 'reason' says what it has of ours and what to do. */
bool hook_alone(const struct hook_settings *settings,
                const struct hook_call *call, const struct hook_xml *xml,
                const struct error *why, char *reason, size_t size);

/* The same with the list of guarded devices; sysfs is ROOT/sys. */
bool hook_judge(const struct guarded *guarded, const char *root,
                const struct hook_call *call, const struct hook_xml *xml,
                const struct error *why, char *reason, size_t size);

/* ---- install.c ------------------------------------------------------------------- */

#define HOOK_FOLDER "/etc/libvirt/hooks/qemu.d"
/* Link FOLDER/sriov to this program. */
int hook_install(const char *folder, struct error *err);
