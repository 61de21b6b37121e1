/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-fleet: many agents on simulated hosts, in one process. */
#include "agent/fleet/fleet.h"

#include "common/base/conf.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct settings {
    char *server, *token_file, *profile, *log_level;
    uint64_t hosts, seed;
    bool help, version;
};

#define TEXT(name, member, preset, value, help)                                \
    {                                                                          \
        NULL, name, CONF_TEXT, offsetof(struct settings, member), 0, 0,        \
            preset, value, help                                                \
    }
#define NUMBER(name, member, min, max, preset, value, help)                    \
    {                                                                          \
        NULL, name, CONF_U64, offsetof(struct settings, member), min, max,     \
            preset, value, help                                                \
    }
#define FLAG(name, member, help)                                               \
    {                                                                          \
        NULL, name, CONF_BOOL, offsetof(struct settings, member), 0, 0, NULL,  \
            NULL, help                                                         \
    }

static const struct conf_item items[] = {
    TEXT("server", server, NULL, "URL",
         "the scheduler, as http://127.0.0.1:8470"),
    TEXT("token-file", token_file, NULL, "FILE",
         "an administrator's token (DATA/admin.token of the scheduler)"),
    NUMBER("hosts", hosts, 1, FLEET_HOSTS_MAX, "10", "N",
           "how many hosts: sim-0001, sim-0002, …"),
    TEXT("profile", profile, NULL, "FILE",
         "the mix: JSON list of {\"model\", \"weight\", \"pfs\", \"with\"}; "
         "'with' "
         "is a model for one PF more (default: all NICs, equally)"),
    NUMBER("seed", seed, 0, UINT64_MAX, "1", "S",
           "the same seed makes the same hosts"),
    TEXT("log-level", log_level, "error", "LEVELS",
         "error, warning, info, debug"),
    FLAG("help", help, "this text"),
    FLAG("version", version, "the version"),
};
#define ITEMS items, sizeof items / sizeof *items

static void print_help(void)
{
    printf("usage: sriov-fleet --server URL --token-file FILE [OPTION...]\n"
           "Runs real agents on simulated hosts, enrols them, lets their PFs "
           "be used and maps\ntheir networks; says 'ready N hosts' when all "
           "is done, and goes on until it is ended.\n\n");
    conf_print_help(ITEMS);
    printf("\nmodels:\n");
    for (size_t i = 0; sim_model_at(i); i++)
        printf("  %s\n", sim_model_name(sim_model_at(i)));
    printf("\nexample:\n  sriov-fleet --server http://127.0.0.1:8470 "
           "--token-file /var/lib/sriov/admin.token --hosts 1000\n");
}

static void on_signal(int number)
{
    (void)number;
    fleet_stop();
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void print_ready(size_t hosts)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    printf("ready %zu hosts\n", hosts);
    fflush(stdout);
}

static void print_progress(size_t enrolled, size_t reported, size_t ready,
                           size_t hosts)
{
    fprintf(stderr, "\r\033[K%zu hosts: %zu enrolled, %zu reported, %zu ready",
            hosts, enrolled, reported, ready);
}

static int run(const struct settings *settings, struct error *err)
{
    static struct sim_profile profile;
    if (!settings->server || !settings->token_file)
        return error_set(err, ERROR_INVALID,
                         "--server and --token-file are needed; see --help");
    if (log_configure(settings->log_level, err) < 0)
        return -1;
    sim_profile_default(&profile);
    if (settings->profile &&
        sim_profile_read(settings->profile, &profile, err) < 0)
        return -1;
    const struct fleet_config config = {
        .server = settings->server,
        .token_file = settings->token_file,
        .hosts = (size_t)settings->hosts,
        .seed = settings->seed,
        .profile = &profile,
        .ready = print_ready,
        .progress = isatty(STDERR_FILENO) ? print_progress : NULL,
    };
    catch_signals();
    return fleet_run(&config, err);
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = {0};
    conf_init(ITEMS, &settings);
    int end = conf_read_args(ITEMS, &settings, argc, argv, &err);
    int status = end < 0 ? -1 : 0;
    if (status == 0 && end < argc)
        status = error_set(&err, ERROR_INVALID, "what is '%s'?", argv[end]);
    if (status == 0 && settings.help)
        print_help();
    else if (status == 0 && settings.version)
        printf("sriov-fleet " SRIOV_VERSION "\n");
    else if (status == 0)
        status = run(&settings, &err);
    conf_done(ITEMS, &settings);
    if (status < 0) {
        fprintf(stderr, "sriov-fleet: %s\n", err.msg);
        if (*err.remedy)
            fprintf(stderr, "  remedy: %s\n", err.remedy);
    }
    return status < 0 ? 1 : 0;
}
