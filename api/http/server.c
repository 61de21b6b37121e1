/* SPDX-License-Identifier: Apache-2.0 */
/* The server of server.h over libmicrohttpd 0.9.75: one epoll thread per
 * connection share, suspended connections for what is answered later, and a
 * keeper thread for everything that goes by time.
 *
 * libmicrohttpd decodes nothing for us: it hands the raw target to on_target(),
 * and router.c does the rest, so that an encoded zero byte or slash can't make a
 * path look like another. What libmicrohttpd itself refuses (a malformed request
 * line or header, a head beyond the connection's memory) gets its own short
 * answer and no problem document. */
#include "api/http/internal.h"
#include "api/http/listen.h"
#include "common/base/log.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LOG_MODULE "http"

/* A refused request's body up to this is read and dropped, so that the
 * connection can go on; beyond it the connection ends with the answer. */
#define DISCARD_MAX 65536
#define BODY_RATE_MIN 1024 /* bytes/s of a body, after the idle timeout */
#define ABANDON_WAIT_MS 1000

/* ---- one request ----------------------------------------------------------------- */

static void *on_target(void *context, const char *raw,
                       struct MHD_Connection *connection)
{
    return request_new(context, raw, connection);
}

/* The identity: targets are decoded by router.c. */
static size_t on_unescape(void *context, struct MHD_Connection *connection,
                          char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static enum MHD_Result send_answer(struct http_request *request)
{
    struct MHD_Response *response = take_ptr(request->response);
    enum MHD_Result result = MHD_queue_response(
        request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Where libmicrohttpd takes no answer, while a body is coming: past it, on the
 * socket, on which nothing else is under way then. */
static enum MHD_Result send_raw(struct http_request *request)
{
    auto_str struct str out = {0};
    answer_raw(request, &out);
    ssize_t sent = send(peer_fd(request->peer), out.text, out.length,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)out.length)
        peer_linger(request->server->peers, request->peer);
    return MHD_NO;
}

static enum MHD_Result begin(struct http_request *request, const char *method)
{
    struct http_server *server = request->server;
    request->begun = true;
    request->begun_at = timestamp_monotonic();
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->peer = info->socket_context;
    atomic_fetch_add(&server->in_flight, 1);
    request_take_headers(request);
    request_check(request, method);
    const char *expect = http_header(request, "Expect");
    bool asks = expect && strcasecmp(expect, "100-continue") == 0;
    if (request->refused &&
        (request->closes || asks || request->body_length > DISCARD_MAX)) {
        request->closes = true;
        answer_problem(request);
        peer_is_served(server->peers, request->peer);
        peer_linger(server->peers, request->peer);
        return send_answer(request);
    }
    if (request->chunked || request->body_length)
        peer_receives_body(server->peers, request->peer);
    else
        peer_is_served(server->peers, request->peer);
    return MHD_YES;
}

static bool is_too_slow(const struct http_request *request)
{
    int64_t elapsed_s =
        (timestamp_monotonic() - request->begun_at) / TIMESTAMP_SECOND;
    int64_t beyond_s =
        elapsed_s - (int64_t)request->server->config.idle_timeout_s;
    return beyond_s > 0 &&
           request->body_seen < (uint64_t)beyond_s * BODY_RATE_MIN;
}

static enum MHD_Result take_body(struct http_request *request,
                                 const char *bytes, size_t *length)
{
    request->body_seen += *length;
    if (is_too_slow(request))
        return MHD_NO;
    if (!request->refused &&
        request->body_seen > request->route->spec->body_max) {
        error_fill(&request->problem, ERROR_TOO_LARGE, 0, "",
                   "the body has more than %zu bytes",
                   request->route->spec->body_max);
        error_remedy(&request->problem, "send at most %zu bytes",
                     request->route->spec->body_max);
        request->refused = true;
        return send_raw(request);
    }
    if (request->refused && request->body_seen > DISCARD_MAX)
        return send_raw(request);
    if (!request->refused)
        str_add_bytes(&request->body, bytes, *length);
    *length = 0;
    return MHD_YES;
}

/* The request is complete, or was resumed: go on until it is answered or away.
 * Once it is away only its own connection's thread, which is this one, can make
 * it end, so looking at 'away' is safe. */
static enum MHD_Result proceed(struct http_request *request)
{
    struct http_server *server = request->server;
    void *context = server->config.context;
    request->away = false;
    for (;;) {
        if (request->response)
            return send_answer(request);
        if (request->resume) {
            http_resume *resume = take_ptr(request->resume);
            resume(context, request, request->timed_out);
        } else if (!request->handled) {
            request->handled = true;
            peer_is_served(server->peers, request->peer);
            if (request->refused)
                answer_problem(request);
            else
                request->route->spec->handle(context, request);
        } else {
            log_error("%s left a request without an answer request_id=%s",
                      request->route->spec->path, request->id);
            struct error err;
            error_fill(&err, ERROR_INTERNAL, 0, "",
                       "the handler gave no answer");
            http_answer_error(request, &err, NULL);
        }
        if (request->away)
            return MHD_YES;
    }
}

static enum MHD_Result on_request(void *context,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *upload,
                                  size_t *upload_size, void **state)
{
    (void)context;
    (void)connection;
    (void)url;
    (void)version;
    struct http_request *request = *state;
    if (!request->begun)
        return begin(request, method);
    if (*upload_size)
        return take_body(request, upload, upload_size);
    return proceed(request);
}

static void on_completed(void *context, struct MHD_Connection *connection,
                         void **state, enum MHD_RequestTerminationCode code)
{
    (void)connection;
    (void)code;
    struct http_server *server = context;
    struct http_request *request = take_ptr(*state);
    if (!request)
        return;
    if (request->begun) {
        count_request(request);
        peer_receives_head(server->peers, request->peer);
    }
    pthread_mutex_lock(&server->lock);
    if (request->begun && atomic_fetch_sub(&server->in_flight, 1) == 1)
        pthread_cond_broadcast(&server->changed);
    request_put_unlock(request);
}

static void on_connection(void *context, struct MHD_Connection *connection,
                          void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(
            connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *state = peer_come(server->peers, info->connect_fd);
    } else {
        peer_gone(server->peers, take_ptr(*state));
    }
}

static void __attribute__((format(printf, 2, 0)))
on_log(void *context, const char *format, va_list args)
{
    (void)context;
    char line[256];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("libmicrohttpd: %s", line);
}

/* ---- start ---------------------------------------------------------------------------- */

static void *keep(void *context)
{
    struct http_server *server = context;
    pthread_mutex_lock(&server->lock);
    while (!server->ended) {
        lot_turn(server, timestamp_monotonic());
        pthread_mutex_unlock(&server->lock);
        int64_t now = timestamp_monotonic();
        int wait_ms = peers_tend(server->peers, now);
        pthread_mutex_lock(&server->lock);
        if (server->ended)
            break;
        if (server->lot.count && wait_ms > PARK_SLOT_MS)
            wait_ms = PARK_SLOT_MS;
        now += wait_ms * TIMESTAMP_MS;
        const struct timespec until = {.tv_sec = now / TIMESTAMP_SECOND,
                                       .tv_nsec = now % TIMESTAMP_SECOND};
        pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

void server_put(struct http_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) != 1)
        return;
    router_done(&server->router);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

static int start_daemon(struct http_server *server, struct error *err)
{
    const struct http_config *config = &server->config;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        server, MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
        MHD_OPTION_THREAD_POOL_SIZE, config->threads,
        MHD_OPTION_CONNECTION_LIMIT, config->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, config->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)config->header_max + 4096,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)4096,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        server, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (!server->daemon)
        return error_set_sys(err, errno, "start the HTTP server on %s",
                             server->address);
    return 0;
}

static int check_config(const struct http_config *config, struct error *err)
{
    if (config->threads < 1 || config->threads > 64)
        return error_set_field(err, ERROR_RANGE, "threads",
                               "%u HTTP threads: 1 to 64 are possible",
                               config->threads);
    if (config->connections_max < config->threads * 2)
        return error_set_field(err, ERROR_RANGE, "connections_max",
                               "%u connections are too few for %u threads",
                               config->connections_max, config->threads);
    if (config->header_max < 1024 || config->idle_timeout_s < 1)
        return error_set(err, ERROR_RANGE,
                         "header_max is at least 1024 bytes, idle_timeout_s at "
                         "least 1 s");
    return 0;
}

static struct http_server *server_new(const struct http_config *config)
{
    struct http_server *server = mem_new(struct http_server);
    atomic_init(&server->refs, 1);
    server->config = *config;
    server->config.connections_max = listen_fit(config->connections_max);
    server->listen_fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    list_init(&server->deferred);
    list_init(&server->held.answered);
    lot_init(&server->lot);
    server->peers =
        peers_new(server->config.connections_max, config->idle_timeout_s);
    return server;
}

/* What exists before the daemon, or after it has ended. */
static void server_free(struct http_server *server)
{
    peers_free(take_ptr(server->peers));
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    server_put(server);
}

struct http_server *http_start(const struct http_config *config,
                               struct error *err)
{
    if (check_config(config, err))
        return NULL;
    struct http_server *server = server_new(config);
    server->listen_fd = listen_open(config->listen, config->insecure_listen,
                                    server->address, err);
    if (server->listen_fd < 0 ||
        router_init(&server->router, config->routes, config->route_count,
                    err) ||
        start_daemon(server, err)) {
        server_free(server);
        return NULL;
    }
    int rc = pthread_create(&server->keeper, NULL, keep, server);
    if (rc) {
        MHD_stop_daemon(server->daemon);
        server_free(server);
        error_fill_sys(err, rc, "start a thread");
        return NULL;
    }
    return server;
}

const char *http_address(const struct http_server *server)
{
    return server->address;
}

/* ---- stop ------------------------------------------------------------------------------- */

/* With the lock: until nothing is in flight. */
static bool wait_ended(struct http_server *server, int wait_ms)
{
    int64_t end = timestamp_monotonic() + wait_ms * TIMESTAMP_MS;
    const struct timespec until = {.tv_sec = end / TIMESTAMP_SECOND,
                                   .tv_nsec = end % TIMESTAMP_SECOND};
    int rc = 0;
    while (atomic_load(&server->in_flight) && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&server->changed, &server->lock, &until);
    return atomic_load(&server->in_flight) == 0;
}

void http_stop(struct http_server *server, int deadline_ms)
{
    if (!server)
        return;
    MHD_quiesce_daemon(server->daemon);
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->stopping, true);
    lot_wake_all(server);
    if (!wait_ended(server, deadline_ms)) {
        lot_abandon(server);
        wait_ended(server, ABANDON_WAIT_MS);
    }
    server->ended = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->keeper, NULL);
    while (atomic_load(&server->resuming))
        sched_yield();
    /* Nothing is suspended any more: libmicrohttpd 0.9.75 would abort. */
    MHD_stop_daemon(server->daemon);
    server_free(server);
}
