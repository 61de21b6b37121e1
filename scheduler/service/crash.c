/* SPDX-License-Identifier: Apache-2.0 */
/* Named crash points: see crash.h. */
#include "scheduler/service/crash.h"

#include "common/base/str.h"
#include "scheduler/service/writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char wanted[32];    /* "" = none */
static uint64_t remaining; /* times that the step is still passed */

static const char *const steps[] = {
#define X(step) step,
    WRITER_STEPS(X)
#undef X
};

int crash_configure(struct error *err)
{
    const char *value = getenv("SRIOV_CRASH_AT");
    if (!value || !*value)
        return 0;
    char name[sizeof wanted] = "";
    uint64_t count = 1;
    const char *hash = strchr(value, '#');
    size_t length = hash ? (size_t)(hash - value) : strlen(value);
    if (length < sizeof name)
        memcpy(name, value, length);
    if (!hash || str_to_u64(hash + 1, 10, UINT32_MAX, &count))
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
            if (strcmp(steps[i], name) == 0) {
                str_copy(wanted, name);
                remaining = count;
                return 0;
            }
    error_fill(err, ERROR_INVALID, 0, "SRIOV_CRASH_AT",
               "SRIOV_CRASH_AT '%.64s' names no step", value);
    error_remedy(err, "write STEP or STEP#COUNT, with a step of %s, %s, %s",
                 steps[0], steps[1], steps[2]);
    return -1;
}

void crash_step(const char *step)
{
    if (*wanted && strcmp(wanted, step) == 0 && remaining > 0 &&
        --remaining == 0)
        _exit(137); /* what a shell shows for kill -9 */
}
