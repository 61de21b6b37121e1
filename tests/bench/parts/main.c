/* SPDX-License-Identifier: Apache-2.0 */
/* bench-parts: see parts.h. Serves until SIGTERM. */
#include "tests/bench/parts/parts.h"

#include "common/base/conf.h"
#include "common/base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    char *folder, *vm, *event;
    uint64_t answer_bytes, batch;
    bool help;
};

#define TEXT(name, member, value, help)                                        \
    {                                                                          \
        NULL, name, CONF_TEXT, offsetof(struct settings, member), 0, 0, NULL,  \
            value, help                                                        \
    }
#define NUMBER(name, member, max, preset, help)                                \
    {                                                                          \
        NULL, name, CONF_U64, offsetof(struct settings, member), 1, max,       \
            preset, "N", help                                                  \
    }

static const struct conf_item items[] = {
    TEXT("folder", folder, "DIR", "where store.db is made"),
    TEXT("vm", vm, "FILE", "the value of a VM's row"),
    TEXT("event", event, "FILE", "the value of an event's row"),
    NUMBER("answer-bytes", answer_bytes, 1000000, "1", "an answer's body"),
    NUMBER("batch", batch, 1024, "64", "claims per transaction"),
    {NULL, "help", CONF_BOOL, offsetof(struct settings, help), 0, 0, NULL, NULL,
     "this text"},
};
#define ITEMS items, sizeof items / sizeof *items

static int serve(const struct parts_config *config, struct error *err)
{
    sigset_t signals;
    int number = 0;
    unsigned short port = 0;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    struct parts_store *store = parts_store_open(config, err);
    if (!store)
        return -1;
    struct parts_server *server = parts_server_start(config, store, &port, err);
    if (server) {
        printf("listening on http://127.0.0.1:%u\n", port);
        fflush(stdout);
        sigwait(&signals, &number);
        parts_server_stop(server);
    }
    parts_store_close(store);
    return server ? 0 : -1;
}

static int run(const struct settings *settings, struct error *err)
{
    struct parts_config config = {
        .folder = settings->folder,
        .answer_bytes = (size_t)settings->answer_bytes,
        .batch = (size_t)settings->batch,
        .vm.kind = "vm",
        .event.kind = "event",
    };
    if (!settings->folder || !settings->vm || !settings->event)
        return error_set(err, ERROR_INVALID,
                         "--folder, --vm and --event are needed");
    config.vm.value =
        file_read(AT_FDCWD, settings->vm, 1u << 20, &config.vm.length, err);
    config.event.value = file_read(AT_FDCWD, settings->event, 1u << 20,
                                   &config.event.length, err);
    int result = -1;
    if (config.vm.value && config.event.value)
        result = serve(&config, err);
    free(config.vm.value);
    free(config.event.value);
    return result;
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct error err = {0};
    conf_init(ITEMS, &settings);
    int next = conf_read_args(ITEMS, &settings, argc, argv, &err);
    int status = next < 0 ? -1 : 0;
    if (status == 0 && settings.help) {
        puts("usage: bench-parts --folder DIR --vm FILE --event FILE "
             "[OPTION...]\n");
        conf_print_help(ITEMS);
    } else if (status == 0 && next < argc) {
        status = error_set(&err, ERROR_INVALID, "what is '%s'?", argv[next]);
    } else if (status == 0) {
        status = run(&settings, &err);
    }
    conf_done(ITEMS, &settings);
    if (status < 0)
        fprintf(stderr, "bench-parts: %s\n", err.msg);
    return status < 0 ? 1 : 0;
}
