/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-agent: the commands. The work is in run.c, agent.c and below. */
#define LOG_MODULE "main"
#include "agent/host/plugins.h"
#include "agent/identity.h"
#include "agent/run.h"
#include "agent/state.h"
#include "api/wire/wire.h"
#include "common/base/conf.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* How long a program that asks once waits for libvirt. */
#define LIBVIRT_WAIT_MS 5000

struct settings {
    char *server, *name, *token_file, *state_dir, *config, *log_level;
    char *root, *cluster_id, *libvirt_uri, *plugin_dir;
    char *hook_socket, *hook_unclaimed;
    uint64_t plug_deadline, unplug_deadline;
    bool no_probe, ignore_management, help, version;
};

#define TEXT(section, name, member, preset, value, help)                       \
    {                                                                          \
        section, name, CONF_TEXT, offsetof(struct settings, member), 0, 0,     \
            preset, value, help                                                \
    }
#define SECONDS(section, name, member, preset, help)                           \
    {                                                                          \
        section, name, CONF_U64, offsetof(struct settings, member), 1, 3600,   \
            preset, "SECONDS", help                                            \
    }
#define FLAG(section, name, member, help)                                      \
    {                                                                          \
        section, name, CONF_BOOL, offsetof(struct settings, member), 0, 0,     \
            NULL, NULL, help                                                   \
    }

static const struct conf_item run_items[] = {
    TEXT("agent", "server", server, NULL, "URL",
         "the scheduler, as https://scheduler.example:8470"),
    TEXT("agent", "name", name, NULL, "NAME",
         "this host's name there (default: the host name)"),
    TEXT("agent", "token-file", token_file, "/etc/sriov/agent.token", "FILE",
         "the token of 'sriov-admin host enroll', read at each call"),
    TEXT("agent", "state-dir", state_dir, "/var/lib/sriov-agent", "DIR",
         "where it remembers which VFs are in its hands"),
    TEXT("agent", "log-level", log_level, "info", "LEVELS",
         "error, warning, info, debug; per module: info,agent=debug"),
    TEXT("agent", "libvirt-uri", libvirt_uri, "qemu:///system", "URI",
         "the libvirt that runs this host's VMs; none: do without"),
    TEXT("agent", "plugin-dir", plugin_dir, SRIOV_PLUGIN_DIR, "DIR",
         "NIC plug-ins, *.so, changeable by root only"),
    TEXT("agent", "hook-socket", hook_socket, "/run/sriov-agent/hook.sock",
         "FILE",
         "where libvirt's hook asks (sriov-hook); none: it is not "
         "answered"),
    TEXT("agent", "hook-unclaimed", hook_unclaimed, "refuse", "WORD",
         "a domain with a VF that nobody claimed: refuse, or adopt: it starts, "
         "and the VF shows as external"),
    SECONDS("agent", "plug-deadline", plug_deadline, "60",
            "a VF that was plugged in and that its guest does not use after "
            "so long is told degraded"),
    SECONDS("agent", "unplug-deadline", unplug_deadline, "30",
            "a guest that has not let go of its VF after so long keeps it"),
    FLAG("agent", "no-probe", no_probe,
         "never write to a free VF to find out what a PF supports"),
    FLAG("agent", "ignore-management", ignore_management,
         "for tests only: change also the PF that carries the host's own "
         "traffic, and risk to lose the host"),
    TEXT(NULL, "config", config, NULL, "FILE",
         "settings as NAME = VALUE lines below [agent]"),
    FLAG(NULL, "help", help, "this text"),
    FLAG(NULL, "version", version, "the version"),
};
static const struct conf_item inventory_items[] = {
    TEXT(NULL, "root", root, "", "DIR",
         "read DIR/sys, DIR/proc and so on instead of this machine's"),
    TEXT(NULL, "libvirt-uri", libvirt_uri, "qemu:///system", "URI",
         "the libvirt to ask; none, or with --root: it is not asked"),
    TEXT(NULL, "plugin-dir", plugin_dir, SRIOV_PLUGIN_DIR, "DIR",
         "NIC plug-ins, *.so, changeable by root only"),
    FLAG(NULL, "help", help, "this text"),
};
static const struct conf_item adopt_items[] = {
    TEXT(NULL, "state-dir", state_dir, "/var/lib/sriov-agent", "DIR",
         "the agent's state folder; the agent must be stopped"),
    TEXT(NULL, "cluster-id", cluster_id, NULL, "UUID",
         "the cluster whose documents are accepted from now on"),
    FLAG(NULL, "help", help, "this text"),
};
static const struct conf_item state_items[] = {
    TEXT(NULL, "state-dir", state_dir, "/var/lib/sriov-agent", "DIR",
         "the agent's state folder"),
    FLAG(NULL, "help", help, "this text"),
};

/* ---- plug-ins ------------------------------------------------------------------------ */

static void on_refused(void *context, const char *file, const struct error *err)
{
    (void)context;
    char what[256];
    snprintf(what, sizeof what, "plug-in '%.200s' is not used", file);
    log_failure(LOG_MODULE, LOG_WARNING, what, err);
}

static struct plugins *load_plugins(const struct settings *settings)
{
    return plugins_load(&(struct plugins_config){.folder = settings->plugin_dir,
                                                 .refused = on_refused});
}

static void log_plugins(const struct plugins *plugins, const char *folder)
{
    struct plugin_facts facts;
    size_t count = 0;
    for (; plugins_at(plugins, count, &facts); count++)
        log_info("plug-in %s, version %s: '%s'", facts.name, facts.version,
                 facts.file);
    if (count == 0)
        log_info("no plug-ins in '%s'", folder);
}

static json_t *plugins_value(const struct plugins *plugins)
{
    json_t *list = json_array();
    struct plugin_facts facts;
    for (size_t i = 0; plugins_at(plugins, i, &facts); i++) {
        json_t *drivers = json_array(), *item = json_object();
        for (size_t d = 0; facts.drivers[d]; d++)
            json_array_append_new(drivers, json_string(facts.drivers[d]));
        json_object_set_new(item, "name", json_string(facts.name));
        json_object_set_new(item, "version", json_string(facts.version));
        json_object_set_new(item, "file", json_string(facts.file));
        json_object_set_new(item, "drivers", drivers);
        json_array_append_new(list, item);
    }
    return list;
}

/* ---- run -------------------------------------------------------------------------- */

static void on_signal(int number)
{
    (void)number;
    run_stop();
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int check_settings(struct settings *settings, struct error *err)
{
    if (!settings->server) {
        error_fill(err, ERROR_INVALID, 0, "server", "no scheduler is named");
        error_remedy(err, "say --server URL, or server = URL in the file of "
                          "--config");
        return -1;
    }
    if (!settings->name) {
        char name[NAME_SIZE] = "";
        gethostname(name, sizeof name - 1);
        settings->name = mem_strdup(name);
    }
    if (strcmp(settings->hook_unclaimed, "refuse") != 0 &&
        strcmp(settings->hook_unclaimed, "adopt") != 0)
        return error_set_field(err, ERROR_INVALID, "hook-unclaimed",
                               "--hook-unclaimed is refuse or adopt, not '%s'",
                               settings->hook_unclaimed);
    if (!str_is_name(settings->name)) {
        error_fill(err, ERROR_INVALID, 0, "name", "'%s' can't be a host's name",
                   settings->name);
        error_remedy(err, "1 to 63 of A-Z a-z 0-9 . _ -, first a letter or "
                          "digit");
        return -1;
    }
    return log_configure(settings->log_level, err);
}

static int run_with(const struct settings *settings, struct host_backend *host,
                    struct state_file *file, struct error *err)
{
    auto_free char *guarded = mem_printf("%s/guarded", settings->state_dir);
    bool answers = strcmp(settings->hook_socket, "none") != 0;
    struct run_config config = {
        .server = settings->server,
        .hook_socket = answers ? settings->hook_socket : NULL,
        .hook_guarded = guarded,
        .hook_adopt = strcmp(settings->hook_unclaimed, "adopt") == 0,
        .token_file = settings->token_file,
        .own_address = host_linux_own_address,
        .agent = {.name = settings->name,
                  .version = SRIOV_VERSION,
                  .host = host,
                  .state_ops = &state_file_ops,
                  .state_context = file,
                  .plug_deadline_ns =
                      (int64_t)settings->plug_deadline * TIMESTAMP_SECOND,
                  .unplug_deadline_ns =
                      (int64_t)settings->unplug_deadline * TIMESTAMP_SECOND,
                  .skip_probing = settings->no_probe}};
    if (identity_machine("/etc/machine-id", settings->state_dir,
                         &config.agent.machine_id, err) < 0 ||
        identity_boot(&config.agent.boot_id, err) < 0)
        return -1;
    if (getrandom(&config.agent.seed, sizeof config.agent.seed, 0) < 0)
        config.agent.seed = (uint64_t)timestamp_now();
    catch_signals();
    log_info("sriov-agent " SRIOV_VERSION " for host '%s' at '%s'",
             settings->name, settings->server);
    int status = run_agent(&config, err);
    if (status == 0)
        log_info("ended; the VFs keep their policy");
    return status;
}

static int use_libvirt(const struct settings *settings,
                       struct host_backend *host, int wait_ms,
                       struct error *err)
{
    const char *uri = settings->libvirt_uri;
    bool asked = *uri && strcmp(uri, "none") != 0;
    return asked ? host_linux_use_libvirt(host, uri, wait_ms, err) : 0;
}

static int command_run(struct settings *settings, struct error *err)
{
    if (check_settings(settings, err) < 0)
        return -1;
    struct state_file *file = state_file_open(settings->state_dir, err);
    if (!file)
        return -1;
    struct plugins *plugins = load_plugins(settings);
    log_plugins(plugins, settings->plugin_dir);
    struct host_backend *host = host_linux_open("", err);
    if (host && settings->ignore_management) {
        host_linux_ignore_management(host);
        log_warning("--ignore-management: no PF counts as the one that carries "
                    "this host's own traffic; for tests only");
    }
    int status = host ? use_libvirt(settings, host, 0, err) : -1;
    if (status == 0) {
        host_linux_use(host, plugins);
        status = run_with(settings, host, file, err);
    }
    if (host)
        host->ops->close(host);
    plugins_free(plugins);
    state_file_close(file);
    return status;
}

/* ---- inventory, adopt, state ------------------------------------------------------- */

static int print_line(const char *text, struct error *err)
{
    if (puts(text) == EOF || fflush(stdout) == EOF)
        return error_set(err, ERROR_IO, "the output can't be written");
    return 0;
}

/* Of this machine or of a copied tree; NULL on failure. 'plugins' may be NULL. */
static struct inventory *read_once(const struct settings *settings,
                                   struct plugins *plugins, struct error *err)
{
    struct inventory *inventory = NULL;
    /* What is missing is told in the answer. */
    log_configure("error", NULL);
    struct host_backend *host = host_linux_open(settings->root, err);
    if (!host)
        return NULL;
    host_linux_use(host, plugins);
    if (*settings->root ||
        use_libvirt(settings, host, LIBVIRT_WAIT_MS, err) == 0)
        inventory = host->ops->inventory(host, err);
    host->ops->close(host);
    return inventory;
}

static int command_inventory(struct settings *settings, struct error *err)
{
    struct plugins *plugins = load_plugins(settings);
    auto_inventory struct inventory *inventory =
        read_once(settings, plugins, err);
    auto_json json_t *list = plugins_value(plugins);
    plugins_free(plugins);
    if (!inventory)
        return -1;
    auto_json json_t *value = wire_inventory(inventory);
    json_object_set(value, "plugins", list);
    auto_free char *text = json_dumps(value, JSON_INDENT(2));
    return print_line(text, err);
}

/* For people: one check a line, and what to do about it below. */
static int command_readiness(struct settings *settings, struct error *err)
{
    auto_inventory struct inventory *inventory = read_once(settings, NULL, err);
    if (!inventory)
        return -1;
    size_t failed = 0;
    for (size_t i = 0; i < inventory->check_count; i++) {
        const struct readiness_check *check = &inventory->checks[i];
        enum check_status status = (enum check_status)check->status;
        printf("%-8s %-20s %s\n", check_status_name(status), check->name,
               check->reason);
        if (*check->remedy)
            printf("%-8s %-20s to do: %s\n", "", "", check->remedy);
        failed += status == CHECK_FAILED;
    }
    if (fflush(stdout) == EOF)
        return error_set(err, ERROR_IO, "the output can't be written");
    return failed ? error_set(err, ERROR_INVALID, "%zu checks failed", failed)
                  : 0;
}

static int command_adopt(struct settings *settings, struct error *err)
{
    struct uuid id;
    if (!settings->cluster_id || !uuid_parse(settings->cluster_id, &id))
        return error_set_field(err, ERROR_INVALID, "cluster-id",
                               "--cluster-id must be a UUID, as the agent's "
                               "log and GET /version tell it");
    struct state_file *file = state_file_open(settings->state_dir, err);
    if (!file)
        return -1;
    struct agent_state state = {0};
    int status = state_file_ops.load(file, &state, err);
    if (status == 0) {
        state.adopt = id;
        status = state_file_ops.save(file, &state, err);
    }
    if (status == 0)
        printf("documents of cluster %s are accepted from now on; %zu VFs are "
               "held and stay as they are\n",
               settings->cluster_id, state.managed_count);
    agent_state_done(&state);
    state_file_close(file);
    return status;
}

static int command_state(struct settings *settings, struct error *err)
{
    struct agent_state state = {0};
    if (state_file_read(settings->state_dir, &state, err) < 0)
        return -1;
    auto_free char *text = state_text(&state, true);
    agent_state_done(&state);
    return print_line(text, err);
}

/* ---- the command line ------------------------------------------------------------------ */

#define ITEMS(array) array, sizeof array / sizeof *array
static const struct command {
    const char *name;
    const struct conf_item *items;
    size_t count;
    int (*run)(struct settings *settings, struct error *err);
    const char *summary, *example;
} commands[] = {
    {"run", ITEMS(run_items), command_run,
     "follow a scheduler (the default command)",
     "sriov-agent run --server http://127.0.0.1:8470 --name h1 --token-file "
     "/etc/sriov/agent.token"},
    {"inventory", ITEMS(inventory_items), command_inventory,
     "print what this host has, as JSON, without a scheduler",
     "sriov-agent inventory --root /tmp/copied-host -o json"},
    {"readiness", ITEMS(inventory_items), command_readiness,
     "tell what this host has and lacks for VFs in VMs; exit 1 if a check "
     "failed",
     "sriov-agent readiness"},
    {"adopt", ITEMS(adopt_items), command_adopt,
     "follow another cluster from now on, keeping the VFs that are held",
     "sriov-agent adopt --cluster-id 0192f0a1-7c1e-7cc3-98c4-dc0c0c07398f"},
    {"state", ITEMS(state_items), command_state,
     "show which VFs are held and for whom, and how far changes of PFs are",
     "sriov-agent state --state-dir /var/lib/sriov-agent"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(const struct command *command)
{
    printf("usage: sriov-agent %s [OPTION...]\n%s\n\n", command->name,
           command->summary);
    conf_print_help(command->items, command->count);
    printf("\nexample:\n  %s\n", command->example);
    if (command != commands)
        return;
    printf("\ncommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    printf("\n'sriov-agent COMMAND --help' tells more of each.\n");
}

/* '-o json' is the only output there is; it is taken so that scripts can say
 * it, as they do to sriov-admin. */
static int drop_output_option(int argc, char **argv, struct error *err)
{
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0) {
            static char help[] = "--help";
            argv[kept++] = help;
        } else if (strcmp(argv[i], "-o") != 0) {
            argv[kept++] = argv[i];
        } else if (++i == argc || strcmp(argv[i], "json") != 0) {
            return error_set_field(err, ERROR_INVALID, "-o",
                                   "the only output format is json");
        }
    }
    argv[kept] = NULL;
    return kept;
}

static int read_settings(const struct command *command,
                         struct settings *settings, int argc, char **argv,
                         struct error *err)
{
    int end = conf_read_args(command->items, command->count, settings, argc,
                             argv, err);
    if (end >= 0 && settings->config) {
        if (conf_read_file(command->items, command->count, settings,
                           settings->config, err) < 0)
            return -1;
        /* The command line wins over the file. */
        end = conf_read_args(command->items, command->count, settings, argc,
                             argv, err);
    }
    if (end >= 0 && end < argc)
        return error_set(err, ERROR_INVALID, "what is '%s'?", argv[end]);
    return end < 0 ? -1 : 0;
}

static int run_command(const struct command *command, int argc, char **argv,
                       struct error *err)
{
    struct settings settings = {0};
    conf_init(command->items, command->count, &settings);
    argc = drop_output_option(argc, argv, err);
    int status =
        argc < 0 ? -1 : read_settings(command, &settings, argc, argv, err);
    if (status == 0 && settings.help)
        print_help(command);
    else if (status == 0 && settings.version)
        printf("sriov-agent " SRIOV_VERSION "\n");
    else if (status == 0)
        status = command->run(&settings, err);
    conf_done(command->items, command->count, &settings);
    return status;
}

int main(int argc, char **argv)
{
    const struct command *command = commands;
    if (argc > 1 && argv[1][0] != '-') {
        command = NULL;
        for (size_t i = 0; i < COMMANDS; i++) {
            if (strcmp(argv[1], commands[i].name) == 0)
                command = &commands[i];
        }
        if (!command) {
            fprintf(stderr,
                    "sriov-agent: no command '%s'; see sriov-agent --help\n",
                    argv[1]);
            return 1;
        }
        argc--;
        argv++;
    }
    struct error err = {0};
    if (run_command(command, argc, argv, &err) == 0)
        return 0;
    fprintf(stderr, "sriov-agent: %s\n", err.msg);
    if (*err.remedy)
        fprintf(stderr, "  remedy: %s\n", err.remedy);
    return 1;
}
