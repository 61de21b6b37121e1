/* SPDX-License-Identifier: Apache-2.0 */
/* sriov-scheduler: settings, the order of start and stop. Start: store (lock,
 * check), service (load, epoch), admin token, HTTP, writer. Stop: writer first,
 * so that whoever waits is answered, then HTTP, then the store. */
#define LOG_MODULE "scheduler"
#include "api/http/server.h"
#include "common/base/conf.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"
#include "db/store.h"
#include "scheduler/bootstrap.h"
#include "scheduler/handlers/handlers.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define STOP_MS 5000
#define TRIM_MS 10000
/* Each arena keeps its own holes; more would only keep more. */
#define ARENAS 2
/* No fast bins: what a long report left in them was put together by whoever
 * next freed something large, mostly the writer, in tens of milliseconds. */
#define FAST_BYTES 0

struct settings {
    char *listen, *data, *config, *log_level, *address_file;
    bool insecure_listen, help, version;
    uint64_t threads, connections, unreachable_after_s, grace_s, queue;
};

#define TEXT(section, name, member, preset, value, help)                       \
    {                                                                          \
        section, name, CONF_TEXT, offsetof(struct settings, member), 0, 0,     \
            preset, value, help                                                \
    }
#define NUMBER(section, name, member, min, max, preset, value, help)           \
    {                                                                          \
        section, name, CONF_U64, offsetof(struct settings, member), min, max,  \
            preset, value, help                                                \
    }
#define FLAG(section, name, member, help)                                      \
    {                                                                          \
        section, name, CONF_BOOL, offsetof(struct settings, member), 0, 0,     \
            NULL, NULL, help                                                   \
    }

static const struct conf_item items[] = {
    TEXT("scheduler", "listen", listen, "127.0.0.1:8470", "ADDR:PORT",
         "address to serve; port 0 = any free one"),
    TEXT("scheduler", "data", data, "/var/lib/sriov", "DIR",
         "data folder: database, lock, admin.token"),
    TEXT(NULL, "config", config, NULL, "FILE", "settings to read first (INI)"),
    FLAG("scheduler", "insecure-listen", insecure_listen,
         "allow plain HTTP on an address off loopback"),
    TEXT("scheduler", "log-level", log_level, "info", "LEVELS",
         "error, warning, info, debug; or info,MODULE=debug"),
    TEXT(NULL, "address-file", address_file, NULL, "FILE",
         "write the address served there when ready"),
    NUMBER("http", "threads", threads, 1, 64, "4", "N", "HTTP threads"),
    NUMBER("http", "connections", connections, 16, 1000000, "20000", "N",
           "connections in all; each agent keeps one or two"),
    NUMBER("scheduler", "unreachable-after-s", unreachable_after_s, 1, 86400,
           "60", "SECONDS", "silence after which a host is unreachable"),
    NUMBER("scheduler", "grace-s", grace_s, 0, 86400, "60", "SECONDS",
           "after a start nobody is called unreachable for so long"),
    NUMBER("scheduler", "queue", queue, 1, 1000000, "20000", "N",
           "changes that may wait; more are answered 503"),
    FLAG(NULL, "help", help, "show this help"),
    FLAG(NULL, "version", version, "show the version"),
};
#define ITEM_COUNT (sizeof items / sizeof *items)

static void print_help(void)
{
    puts("usage: sriov-scheduler [--listen ADDR:PORT] [--data DIR] "
         "[--config FILE] [OPTION...]\n\n"
         "Places VMs on hosts whose virtual functions fit, claims them and "
         "tells the\nagents. One process per data folder. On the first start "
         "the admin token is\nwritten to DIR/admin.token.\n\n"
         "example: sriov-scheduler --listen 127.0.0.1:8470 --data "
         "/var/lib/sriov\n");
    conf_print_help(items, ITEM_COUNT);
}

/* Default, file, command line: the file's name comes from the command line. */
static int read_settings(struct settings *settings, int argc, char **argv,
                         struct error *err)
{
    conf_init(items, ITEM_COUNT, settings);
    int next = conf_read_args(items, ITEM_COUNT, settings, argc, argv, err);
    if (next >= 0 && next < argc) {
        error_fill(err, ERROR_INVALID, 0, "", "unexpected word '%s'",
                   argv[next]);
        error_remedy(err, "see sriov-scheduler --help");
        return -1;
    }
    if (next < 0 || !settings->config)
        return next < 0 ? -1 : 0;
    auto_free char *file = mem_strdup(settings->config);
    conf_done(items, ITEM_COUNT, settings);
    conf_init(items, ITEM_COUNT, settings);
    if (conf_read_file(items, ITEM_COUNT, settings, file, err) < 0)
        return -1;
    return conf_read_args(items, ITEM_COUNT, settings, argc, argv, err) < 0 ? -1
                                                                            : 0;
}

/* ---- the parts ------------------------------------------------------------------ */

struct parts {
    struct store *store;
    struct api api;
    volatile sig_atomic_t fatal;
};

static void on_wake(void *context, const char *key)
{
    struct parts *parts = context;
    if (parts->api.server)
        http_wake(parts->api.server, key);
}

static void on_answering(void *context, bool begins)
{
    struct parts *parts = context;
    if (!parts->api.server)
        return;
    if (begins)
        http_hold(parts->api.server);
    else
        http_release(parts->api.server);
}

/* The writer can't go on: end as by SIGTERM, with another exit status. */
static void on_fatal(void *context, const struct error *err)
{
    struct parts *parts = context;
    log_failure(LOG_MODULE, LOG_ERROR, "stopping", err);
    parts->fatal = 1;
    kill(getpid(), SIGTERM);
}

static int start_http(struct parts *parts, const struct settings *settings,
                      struct error *err)
{
    struct http_config config = {
        .listen = settings->listen,
        .insecure_listen = settings->insecure_listen,
        .threads = (unsigned)settings->threads,
        .connections_max = (unsigned)settings->connections,
        .idle_timeout_s = 60,
        .header_max = 32768,
        .routes = handlers_routes,
        .route_count = handlers_route_count,
        .context = &parts->api,
        .identify = handlers_identify,
    };
    parts->api.server = http_start(&config, err);
    return parts->api.server ? 0 : -1;
}

static int start(struct parts *parts, const struct settings *settings,
                 struct error *err)
{
    parts->store = store_sqlite_open(settings->data, err);
    if (!parts->store)
        return -1;
    struct service_config config = {
        .store = parts->store,
        .core =
            {
                .unreachable_after_ns =
                    (int64_t)settings->unreachable_after_s * TIMESTAMP_SECOND,
                .grace_ns = (int64_t)settings->grace_s * TIMESTAMP_SECOND,
            },
        .queue_capacity = settings->queue,
        .batch_max = 256,
        .wake = on_wake,
        .answering = on_answering,
        .fatal = on_fatal,
        .context = parts,
    };
    handlers_init();
    parts->api.service = service_open(&config, err);
    if (!parts->api.service ||
        handlers_start(&parts->api, settings->queue, err) < 0 ||
        bootstrap_admin(parts->api.service, settings->data, err) < 0 ||
        start_http(parts, settings, err) < 0)
        return -1;
    return service_run(parts->api.service, err);
}

static void stop(struct parts *parts)
{
    handlers_stop(&parts->api);
    if (parts->api.service)
        service_stop(parts->api.service);
    if (parts->api.server)
        http_stop(parts->api.server, STOP_MS);
    handlers_done(&parts->api);
    service_free(parts->api.service);
    store_close(parts->store);
}

static int tell_ready(const struct parts *parts,
                      const struct settings *settings, struct error *err)
{
    const char *address = http_address(parts->api.server);
    if (settings->address_file && file_replace(settings->address_file, address,
                                               strlen(address), 0644, err) < 0)
        return -1;
    printf("listening on http://%s\n", address);
    fflush(stdout);
    return 0;
}

/* Returns the number of the signal that ended the service. Meanwhile what
 * bursts of reports left behind in the heap goes back to the system: pages that
 * are free between what is kept, which free() alone never returns. */
static int wait_signal(int fd)
{
    struct signalfd_siginfo info;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&polled, 1, TRIM_MS);
        if (ready == 0)
            malloc_trim(0);
        else if (ready > 0 && read(fd, &info, sizeof info) == sizeof info)
            return (int)info.ssi_signo;
        else if (errno != EINTR)
            return SIGTERM;
    }
}

static int run(const struct settings *settings)
{
    struct error err = {0};
    struct parts parts = {0};
    sigset_t signals;
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_MXFAST, FAST_BYTES);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* Before the first thread, so that all inherit it. */
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is an error, no death */
    umask(077);
    auto_close int fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (fd < 0 || start(&parts, settings, &err) < 0 ||
        tell_ready(&parts, settings, &err) < 0) {
        if (fd < 0)
            error_fill_sys(&err, errno, "signalfd");
        log_failure(LOG_MODULE, LOG_ERROR, "can't start", &err);
        stop(&parts);
        return 1;
    }
    int number = wait_signal(fd);
    log_info("stopping: signal %d", number);
    stop(&parts);
    return parts.fatal ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {0};
    struct error err = {0};
    int status = 0;
    if (read_settings(&settings, argc, argv, &err) < 0 ||
        log_configure(settings.log_level, &err) < 0) {
        fprintf(stderr, "sriov-scheduler: %s%s%s\n", err.msg,
                *err.remedy ? "; " : "", err.remedy);
        status = 1;
    } else if (settings.help) {
        print_help();
    } else if (settings.version) {
        puts("sriov-scheduler " SRIOV_VERSION);
    } else {
        status = run(&settings);
    }
    conf_done(items, ITEM_COUNT, &settings);
    return status;
}
