/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-sim: runs seeds, in several processes if asked. Exit status 0: all
 * invariants held; 1: one broke, printed with how to reproduce; 2: usage. */
#include "tests/sim/sim.h"

#include "common/base/log.h"
#include "common/base/plant.h"
#include "common/base/str.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum plant plant_active = PLANT_NONE;

static const struct {
    const char *name, *what;
} plants[] = {
#define X(name, text, what) [PLANT_##name] = {text, what},
    PLANTS(X)
#undef X
};

struct options {
    uint64_t first, last, steps, hosts, jobs;
    bool trace, coverage;
};

/* Shared by the processes of a run. */
struct tally {
    uint64_t events, nanoseconds, failed;
    struct coverage coverage;
};

static int usage(FILE *to)
{
    fprintf(to,
            "usage: sriov-sim [--seeds A-B] [--steps N] [--hosts H] "
            "[--jobs J] [--trace]\n"
            "                 [--coverage] [--plant BUG | --list-bugs]\n"
            "Runs the whole system under each seed and checks its invariants "
            "after every event.\n"
            "  --seeds A-B   default 1-20\n"
            "  --steps N     events with faults a seed, default 2000\n"
            "  --hosts H     simulated hosts, 1 to %d, default 5\n"
            "  --jobs J      processes, default 1\n"
            "  --trace       print each event\n"
            "  --coverage    print the table state x event x fault\n"
            "  --plant BUG   break the product in a known way\n"
            "  --list-bugs   the known ways\n",
            SIM_HOSTS_MAX);
    return to == stdout ? 0 : 2;
}

static uint64_t cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The seeds first+offset, +jobs, ... */
static void work(const struct options *options, uint64_t offset,
                 struct tally *tally)
{
    struct coverage *coverage = mem_new(struct coverage);
    uint64_t events = 0, start = cpu_now();
    for (uint64_t seed = options->first + offset; seed <= options->last;
         seed += options->jobs) {
        struct sim_options run = {
            .seed = seed,
            .steps = (unsigned)options->steps,
            .hosts = (unsigned)options->hosts,
            .trace = options->trace,
            .coverage = coverage,
        };
        if (sim_run(&run, &events) < 0) {
            __atomic_add_fetch(&tally->failed, 1, __ATOMIC_RELAXED);
            break;
        }
        if (__atomic_load_n(&tally->failed, __ATOMIC_RELAXED))
            break;
    }
    __atomic_add_fetch(&tally->events, events, __ATOMIC_RELAXED);
    __atomic_add_fetch(&tally->nanoseconds, cpu_now() - start,
                       __ATOMIC_RELAXED);
    uint64_t *to = &tally->coverage.count[0][0][0];
    const uint64_t *from = &coverage->count[0][0][0];
    for (size_t i = 0; i < sizeof *coverage / sizeof *to; i++)
        __atomic_add_fetch(&to[i], from[i], __ATOMIC_RELAXED);
    free(coverage);
}

static int run_all(const struct options *options)
{
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) {
        perror("sriov-sim: mmap");
        return 1;
    }
    fflush(stdout);
    for (uint64_t job = 1; job < options->jobs; job++) {
        if (fork() == 0) {
            work(options, job, tally);
            fflush(stdout);
            _exit(0);
        }
    }
    work(options, 0, tally);
    int status = 0, bad = 0;
    while (wait(&status) > 0)
        bad |= status;
    if (options->coverage)
        coverage_print(&tally->coverage);
    double seconds = (double)tally->nanoseconds / 1e9;
    printf("seeds %llu-%llu: %llu checked events, %.0f a second and core%s\n",
           (unsigned long long)options->first,
           (unsigned long long)options->last, (unsigned long long)tally->events,
           (double)tally->events / (seconds > 0 ? seconds : 1),
           tally->failed ? ", an invariant broke"
           : bad         ? ", a process died"
                         : ", all invariants held");
    int rc = tally->failed || bad ? 1 : 0;
    munmap(tally, sizeof *tally);
    return rc;
}

static bool number_take(const char *text, uint64_t min, uint64_t max,
                        uint64_t *out)
{
    return text && str_to_u64(text, 10, max, out) && *out >= min;
}

static bool seeds_take(const char *text, struct options *options)
{
    char first[24] = "";
    const char *dash = text ? strchr(text, '-') : NULL;
    if (!dash || (size_t)(dash - text) >= sizeof first)
        return false;
    memcpy(first, text, (size_t)(dash - text));
    return str_to_u64(first, 10, UINT32_MAX, &options->first) &&
           str_to_u64(dash + 1, 10, UINT32_MAX, &options->last) &&
           options->first <= options->last;
}

static bool plant_take(const char *text)
{
    for (size_t i = 1; text && i < sizeof plants / sizeof *plants; i++) {
        if (strcmp(plants[i].name, text) == 0) {
            plant_active = (enum plant)i;
            return true;
        }
    }
    return false;
}

static bool option_take(struct options *options, const char *name,
                        const char *value, bool *has_value)
{
    *has_value = true;
    if (strcmp(name, "--seeds") == 0)
        return seeds_take(value, options);
    if (strcmp(name, "--steps") == 0)
        return number_take(value, 1, 100000000, &options->steps);
    if (strcmp(name, "--hosts") == 0)
        return number_take(value, 1, SIM_HOSTS_MAX, &options->hosts);
    if (strcmp(name, "--jobs") == 0)
        return number_take(value, 1, 256, &options->jobs);
    if (strcmp(name, "--plant") == 0)
        return plant_take(value);
    *has_value = false;
    if (strcmp(name, "--trace") == 0)
        return options->trace = true;
    if (strcmp(name, "--coverage") == 0)
        return options->coverage = true;
    return false;
}

static void log_nowhere(void *context, const char *module, enum log_level level,
                        const char *line)
{
    (void)context;
    (void)module;
    (void)level;
    (void)line;
}

int main(int argc, char **argv)
{
    log_set_sink(log_nowhere, NULL);
    struct options options = {
        .first = 1, .last = 20, .steps = 2000, .hosts = 5, .jobs = 1};
    for (int i = 1; i < argc; i++) {
        bool has_value = false;
        if (strcmp(argv[i], "--help") == 0)
            return usage(stdout);
        if (strcmp(argv[i], "--list-bugs") == 0) {
            for (size_t p = 1; p < sizeof plants / sizeof *plants; p++)
                printf("%-28s %s\n", plants[p].name, plants[p].what);
            return 0;
        }
        if (!option_take(&options, argv[i], argv[i + 1], &has_value)) {
            fprintf(stderr, "sriov-sim: '%s' is not understood\n", argv[i]);
            return usage(stderr);
        }
        i += has_value;
    }
    return run_all(&options);
}
