/* SPDX-License-Identifier: Apache-2.0 */
/* What the process says about itself in /metrics, under the names that every
 * Prometheus client library uses. Sources: proc(5), /proc/self/stat and
 * /proc/self/fd. */
#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/timestamp.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void one(struct str *out, const char *name, enum metrics_type type,
                const char *help, double value)
{
    metrics_head(out, name, type, help);
    metrics_sample(out, name, NULL, value);
}

static void render_open_fds(struct str *out)
{
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return;
    int count = -1; /* without the folder's own */
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    one(out, "process_open_fds", METRICS_GAUGE,
        "Number of open file descriptors.", count);
}

void metrics_render_process(struct str *out)
{
    render_open_fds(out);
    auto_free char *stat =
        file_read(AT_FDCWD, "/proc/self/stat", 4096, NULL, NULL);
    /* The second field is the program's name in parentheses and may hold
     * anything; fields count from the last ')'. */
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    uint64_t user = 0;
    uint64_t system = 0;
    uint64_t start = 0;
    uint64_t pages = 0;
    if (!fields ||
        sscanf(fields,
               ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64
               " %" SCNu64 " %*d %*d %*d %*d %*d %*d %" SCNu64 " %*u %" SCNu64,
               &user, &system, &start, &pages) != 4)
        return;
    double ticks = (double)sysconf(_SC_CLK_TCK);
    one(out, "process_cpu_seconds_total", METRICS_COUNTER,
        "User and system CPU time spent, in seconds.",
        (double)(user + system) / ticks);
    one(out, "process_resident_memory_bytes", METRICS_GAUGE,
        "Resident memory, in bytes.",
        (double)pages * (double)sysconf(_SC_PAGESIZE));
    /* 'start' counts from the boot, suspended time included. */
    struct timespec up = {0};
    clock_gettime(CLOCK_BOOTTIME, &up);
    double boot = (double)timestamp_now() / 1e9 -
                  ((double)up.tv_sec + (double)up.tv_nsec / 1e9);
    one(out, "process_start_time_seconds", METRICS_GAUGE,
        "Start of the process, in seconds since 1970.",
        boot + (double)start / ticks);
}
