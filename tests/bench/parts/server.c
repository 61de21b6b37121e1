/* SPDX-License-Identifier: Apache-2.0 */
/* The raw HTTP part: takes a JSON body, hands the connection to the one writer,
 * which commits groups of 'batch' claims, and answers with the body's JSON
 * again, filled up to the size of the scheduler's answer. */
#include "tests/bench/parts/parts.h"

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4 /* the scheduler's preset */
#define WAIT_MS 5 /* for the rest of a group, at the end of a load */
#define BATCH_MAX 1024

struct request {
    struct MHD_Connection *connection;
    struct str body;
    json_t *json;
    bool committed;
};

struct parts_server {
    const struct parts_config *config;
    struct parts_store *store;
    struct MHD_Daemon *daemon;
    pthread_t writer;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t filled;
    struct request *queue[BATCH_MAX];
    size_t queued;
    bool stopping;
};

/* ---- the writer ------------------------------------------------------------------ */

/* A whole group, or what there is when no more comes; 0 = the end. */
static size_t take_group(struct parts_server *server,
                         struct request *group[BATCH_MAX])
{
    pthread_mutex_lock(&server->lock);
    while (server->queued < server->config->batch && !server->stopping) {
        int64_t until = timestamp_now() + WAIT_MS * TIMESTAMP_MS;
        const struct timespec end = {.tv_sec = until / TIMESTAMP_SECOND,
                                     .tv_nsec = until % TIMESTAMP_SECOND};
        if (!server->queued)
            pthread_cond_wait(&server->filled, &server->lock);
        else if (pthread_cond_timedwait(&server->filled, &server->lock, &end) ==
                 ETIMEDOUT)
            break;
    }
    size_t count = server->queued;
    memcpy(group, server->queue, count * sizeof *group);
    server->queued = 0;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void *write_all(void *context)
{
    struct parts_server *server = context;
    struct request *group[BATCH_MAX];
    size_t count;
    struct error err;
    while ((count = take_group(server, group)) > 0) {
        bool done = parts_store_commit(server->store, count, &err) == 0;
        for (size_t i = 0; i < count; i++) {
            group[i]->committed = done;
            MHD_resume_connection(group[i]->connection);
        }
    }
    return NULL;
}

/* ---- HTTP ----------------------------------------------------------------------- */

static enum MHD_Result answer(const struct parts_server *server,
                              struct request *request)
{
    char *text = json_dumps(request->json, JSON_COMPACT);
    size_t length = strlen(text);
    if (length < server->config->answer_bytes) {
        text = mem_realloc(text, server->config->answer_bytes + 1, 1);
        memset(text + length, ' ', server->config->answer_bytes - length);
        length = server->config->answer_bytes;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(length, text, free);
    MHD_add_response_header(response, "Content-Type", "application/json");
    enum MHD_Result result =
        MHD_queue_response(request->connection, 201, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    struct parts_server *server = context;
    struct request *request = *state;
    (void)url;
    (void)method;
    (void)version;
    if (!request) {
        *state = request = mem_new(struct request);
        request->connection = connection;
        return MHD_YES;
    }
    if (*upload_size) {
        str_add_bytes(&request->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (request->json)
        return request->committed ? answer(server, request) : MHD_NO;
    request->json = json_loadb(str_text(&request->body), request->body.length,
                               JSON_REJECT_DUPLICATES, NULL);
    if (!request->json)
        return MHD_NO;
    pthread_mutex_lock(&server->lock);
    bool room = server->queued < BATCH_MAX && !server->stopping;
    if (room) {
        MHD_suspend_connection(connection);
        server->queue[server->queued++] = request;
        if (server->queued >= server->config->batch || server->queued == 1)
            pthread_cond_signal(&server->filled);
    }
    pthread_mutex_unlock(&server->lock);
    return room ? MHD_YES : MHD_NO;
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct request *request = take_ptr(*state);
    if (!request)
        return;
    str_done(&request->body);
    json_decref(request->json);
    free(request);
}

struct parts_server *parts_server_start(const struct parts_config *config,
                                        struct parts_store *store,
                                        unsigned short *port, struct error *err)
{
    struct parts_server *server = mem_new(struct parts_server);
    server->config = config;
    server->store = store;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->filled, NULL);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_LIMIT, 20000u, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768 + 4096,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, server, MHD_OPTION_END);
    const union MHD_DaemonInfo *info =
        server->daemon
            ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)
            : NULL;
    if (!info || pthread_create(&server->writer, NULL, write_all, server)) {
        error_fill_sys(err, errno, "start the HTTP server");
        return NULL;
    }
    *port = info->port;
    return server;
}

void parts_server_stop(struct parts_server *server)
{
    MHD_quiesce_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_signal(&server->filled);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->writer, NULL);
    MHD_stop_daemon(server->daemon);
    free(server);
}
