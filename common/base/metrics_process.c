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
#include <stdlib.h>
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

/* The number in field 'number' of /proc/self/stat; the text begins with field
 * 3, 'state'. 0 where there is none. */
static double stat_field(const char *fields, int number)
{
    for (int i = 3; i < number && fields; i++) {
        fields = strchr(fields, ' ');
        fields += fields != NULL;
    }
    return fields ? (double)strtoull(fields, NULL, 10) : 0;
}

void metrics_render_process(struct str *out)
{
    render_open_fds(out);
    auto_free char *stat =
        file_read(AT_FDCWD, "/proc/self/stat", 4096, NULL, NULL);
    /* The second field is the program's name in parentheses and may hold
     * anything; fields count from the last ')'. */
    const char *fields = stat ? strrchr(stat, ')') : NULL;
    if (!fields || fields[1] != ' ')
        return;
    fields += 2;
    double cpu = stat_field(fields, 14) + stat_field(fields, 15);
    double start = stat_field(fields, 22);
    double pages = stat_field(fields, 24);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    one(out, "process_cpu_seconds_total", METRICS_COUNTER,
        "User and system CPU time spent, in seconds.", cpu / ticks);
    one(out, "process_resident_memory_bytes", METRICS_GAUGE,
        "Resident memory, in bytes.", pages * (double)sysconf(_SC_PAGESIZE));
    /* 'start' counts from the boot, suspended time included. */
    struct timespec up = {0};
    clock_gettime(CLOCK_BOOTTIME, &up);
    double boot = (double)timestamp_now() / 1e9 -
                  ((double)up.tv_sec + (double)up.tv_nsec / 1e9);
    one(out, "process_start_time_seconds", METRICS_GAUGE,
        "Start of the process, in seconds since 1970.", boot + start / ticks);
}
