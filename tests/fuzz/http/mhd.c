/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd 0.9.75 as far as api/http uses it: see mhd.h. */
#include "tests/fuzz/http/mhd.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE 1000       /* bytes of a body at once */
#define STREAM_READS 4   /* of a stream; then the peer goes away */
#define ANSWER_MAX 65536 /* of what is sent past us */

typedef void *log_uri(void *context, const char *target,
                      struct MHD_Connection *connection);
typedef void notify_connection(void *context, struct MHD_Connection *connection,
                               void **state,
                               enum MHD_ConnectionNotificationCode code);

/* The only server. */
static struct MHD_Daemon {
    MHD_AccessHandlerCallback handle;
    log_uri *target;
    MHD_RequestCompletedCallback completed;
    notify_connection *connection;
    void *handle_context, *target_context, *completed_context,
        *connection_context;
    int fds[2]; /* every connection's socket, and its peer */
} server = {.fds = {-1, -1}};

struct MHD_Response {
    unsigned refs; /* under 'lock' */
    char *text;
    size_t length;
    MHD_ContentReaderCallback read; /* of streams */
    void *context;
    MHD_ContentReaderFreeCallback release;
    size_t header_count;
    struct {
        char *name, *value;
    } headers[MHD_HEADERS_MAX];
};

struct MHD_Connection {
    const struct mhd_request *request;
    union MHD_ConnectionInfo info;
    void *peer; /* of api/http, for the connection */
    struct MHD_Response *response;
    int status;
    bool suspended; /* under 'lock' */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* ---- the server ----------------------------------------------------------------- */

static void take_option(enum MHD_OPTION option, va_list *args)
{
    switch ((int)option) {
    case MHD_OPTION_URI_LOG_CALLBACK:
        server.target = va_arg(*args, log_uri *);
        server.target_context = va_arg(*args, void *);
        break;
    case MHD_OPTION_NOTIFY_COMPLETED:
        server.completed = va_arg(*args, MHD_RequestCompletedCallback);
        server.completed_context = va_arg(*args, void *);
        break;
    case MHD_OPTION_NOTIFY_CONNECTION:
        server.connection = va_arg(*args, notify_connection *);
        server.connection_context = va_arg(*args, void *);
        break;
    case MHD_OPTION_EXTERNAL_LOGGER:
    case MHD_OPTION_UNESCAPE_CALLBACK:
        va_arg(*args, void *);
        va_arg(*args, void *);
        break;
    case MHD_OPTION_CONNECTION_MEMORY_LIMIT:
    case MHD_OPTION_CONNECTION_MEMORY_INCREMENT:
        va_arg(*args, size_t);
        break;
    case MHD_OPTION_LISTEN_SOCKET:
    case MHD_OPTION_THREAD_POOL_SIZE:
    case MHD_OPTION_CONNECTION_LIMIT:
    case MHD_OPTION_CONNECTION_TIMEOUT:
    case MHD_OPTION_STRICT_FOR_CLIENT:
        va_arg(*args, int);
        break;
    default:
        must(false, "an option of libmicrohttpd that mhd.c does not know");
    }
}

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port,
                                    MHD_AcceptPolicyCallback accept,
                                    void *accept_context,
                                    MHD_AccessHandlerCallback handle,
                                    void *context, ...)
{
    (void)flags;
    (void)port;
    (void)accept;
    (void)accept_context;
    server.handle = handle;
    server.handle_context = context;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server.fds) == 0,
         "socketpair");
    va_list args;
    va_start(args, context);
    enum MHD_OPTION option;
    while ((option = va_arg(args, enum MHD_OPTION)) != MHD_OPTION_END)
        take_option(option, &args);
    va_end(args);
    return &server;
}

/* It never listened. */
MHD_socket MHD_quiesce_daemon(struct MHD_Daemon *daemon)
{
    (void)daemon;
    return MHD_INVALID_SOCKET;
}

void MHD_stop_daemon(struct MHD_Daemon *daemon)
{
    close(daemon->fds[0]);
    close(daemon->fds[1]);
    daemon->fds[0] = daemon->fds[1] = -1;
}

/* ---- what the server asks of a connection ------------------------------------------ */

const union MHD_ConnectionInfo *
MHD_get_connection_info(struct MHD_Connection *connection,
                        enum MHD_ConnectionInfoType type, ...)
{
    if (type == MHD_CONNECTION_INFO_CONNECTION_FD)
        connection->info.connect_fd = server.fds[0];
    else if (type == MHD_CONNECTION_INFO_SOCKET_CONTEXT)
        connection->info.socket_context = connection->peer;
    else
        must(false, "information that mhd.c does not know");
    return &connection->info;
}

int MHD_get_connection_values(struct MHD_Connection *connection,
                              enum MHD_ValueKind kind,
                              MHD_KeyValueIterator each, void *context)
{
    const struct mhd_request *request = connection->request;
    for (size_t i = 0; i < request->header_count; i++)
        each(context, kind, request->headers[i].name,
             request->headers[i].value);
    return (int)request->header_count;
}

void MHD_suspend_connection(struct MHD_Connection *connection)
{
    pthread_mutex_lock(&lock);
    must(!connection->suspended, "suspended twice");
    connection->suspended = true;
    pthread_mutex_unlock(&lock);
}

void MHD_resume_connection(struct MHD_Connection *connection)
{
    pthread_mutex_lock(&lock);
    must(connection->suspended, "resumed, but it was not suspended");
    connection->suspended = false;
    pthread_cond_broadcast(&resumed);
    pthread_mutex_unlock(&lock);
}

/* ---- answers ------------------------------------------------------------------------- */

struct MHD_Response *MHD_create_response_from_buffer_with_free_callback(
    size_t size, void *buffer, MHD_ContentReaderFreeCallback release)
{
    struct MHD_Response *response = mem_new(struct MHD_Response);
    response->refs = 1;
    response->text = buffer;
    response->length = size;
    response->context = buffer;
    response->release = release;
    return response;
}

struct MHD_Response *
MHD_create_response_from_callback(uint64_t size, size_t block,
                                  MHD_ContentReaderCallback read, void *context,
                                  MHD_ContentReaderFreeCallback release)
{
    (void)size;
    (void)block;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(0, context, release);
    response->text = NULL;
    response->read = read;
    return response;
}

void MHD_destroy_response(struct MHD_Response *response)
{
    pthread_mutex_lock(&lock);
    bool last = --response->refs == 0;
    pthread_mutex_unlock(&lock);
    if (!last)
        return;
    response->release(response->context);
    for (size_t i = 0; i < response->header_count; i++) {
        free(response->headers[i].name);
        free(response->headers[i].value);
    }
    free(response);
}

/* The real one leaves such headers out without a word. */
enum MHD_Result MHD_add_response_header(struct MHD_Response *response,
                                        const char *name, const char *value)
{
    must(*name && !strpbrk(name, "\t\r\n ") && *value &&
             !strpbrk(value, "\r\n"),
         "a header of an answer that can't be sent");
    must(response->header_count < MHD_HEADERS_MAX, "too many headers");
    response->headers[response->header_count].name = mem_strdup(name);
    response->headers[response->header_count++].value = mem_strdup(value);
    return MHD_YES;
}

const char *MHD_get_response_header(struct MHD_Response *response,
                                    const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *connection,
                                   unsigned status,
                                   struct MHD_Response *response)
{
    must(!connection->response, "answered twice");
    pthread_mutex_lock(&lock);
    response->refs++;
    pthread_mutex_unlock(&lock);
    connection->response = response;
    connection->status = (int)status;
    return MHD_YES;
}

/* ---- one exchange ----------------------------------------------------------------------- */

/* Until another thread has resumed it. */
static void wait_resumed(struct MHD_Connection *connection, void (*wake)(void))
{
    pthread_mutex_lock(&lock);
    while (connection->suspended) {
        /* Outside of the lock: waking resumes. */
        pthread_mutex_unlock(&lock);
        wake();
        pthread_mutex_lock(&lock);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        if (connection->suspended)
            pthread_cond_timedwait(&resumed, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
}

/* One call of the access handler; false: the connection is to be closed. */
static bool call(struct MHD_Connection *connection, const char *bytes,
                 size_t size, void **state)
{
    const struct mhd_request *request = connection->request;
    size_t left = size;
    enum MHD_Result result =
        server.handle(server.handle_context, connection, request->target,
                      request->method, "HTTP/1.1", bytes, &left, state);
    must(result == MHD_NO || left == 0, "a part of a body that was not taken");
    return result == MHD_YES;
}

/* Head, body, end, as long as there is no answer. */
static bool run(struct MHD_Connection *connection, void (*wake)(void),
                void **state)
{
    const struct mhd_request *request = connection->request;
    if (!call(connection, NULL, 0, state))
        return false;
    for (size_t at = 0; !connection->response && at < request->body_length;) {
        /* A piece of its own, so that reading beyond it is seen. */
        size_t size = request->body_length - at;
        size = size < PIECE ? size : PIECE;
        auto_free char *piece = mem_dup(request->body + at, size);
        if (!call(connection, piece, size, state))
            return false;
        at += size;
    }
    if (request->cut && !connection->response)
        return false;
    while (!connection->response) {
        if (!call(connection, NULL, 0, state))
            return false;
        wait_resumed(connection, wake);
    }
    return true;
}

static void read_stream(struct MHD_Connection *connection, void (*wake)(void),
                        struct str *out)
{
    const struct MHD_Response *response = connection->response;
    char block[4096];
    for (int i = 0; i < STREAM_READS; i++) {
        ssize_t got =
            response->read(response->context, out->length, block, sizeof block);
        if (got < 0)
            return;
        str_add_bytes(out, block, (size_t)got);
        wait_resumed(connection, wake);
    }
}

static void take_answer(struct MHD_Connection *connection, void (*wake)(void),
                        struct mhd_answer *out)
{
    auto_str struct str text = {0};
    struct MHD_Response *response = connection->response;
    if (response->read)
        read_stream(connection, wake, &text);
    else
        str_add_bytes(&text, response->text, response->length);
    out->status = connection->status;
    out->response = response;
    out->length = text.length;
    out->body = mem_strdup(str_text(&text));
}

/* What was sent past us, if anything. */
static void take_raw(struct mhd_answer *out)
{
    char text[ANSWER_MAX + 1];
    ssize_t length = recv(server.fds[1], text, ANSWER_MAX, MSG_DONTWAIT);
    if (length <= 0)
        return;
    text[length] = '\0';
    must(sscanf(text, "HTTP/1.1 %d", &out->status) == 1, "no answer");
    out->raw = true;
    out->length = (size_t)length;
    out->body = mem_strdup(text);
}

void mhd_exchange(const struct mhd_request *request, void (*wake)(void),
                  struct mhd_answer *out)
{
    struct MHD_Connection connection = {.request = request};
    *out = (struct mhd_answer){0};
    server.connection(server.connection_context, &connection, &connection.peer,
                      MHD_CONNECTION_NOTIFY_STARTED);
    void *state =
        server.target(server.target_context, request->target, &connection);
    bool fine = run(&connection, wake, &state);
    must(fine || !connection.response, "answered and closed");
    if (connection.response)
        take_answer(&connection, wake, out);
    server.completed(server.completed_context, &connection, &state,
                     fine ? MHD_REQUEST_TERMINATED_COMPLETED_OK
                          : MHD_REQUEST_TERMINATED_WITH_ERROR);
    server.connection(server.connection_context, &connection, &connection.peer,
                      MHD_CONNECTION_NOTIFY_CLOSED);
    must(!connection.suspended, "ended while suspended");
    if (!fine)
        take_raw(out);
}

const char *mhd_header(const struct mhd_answer *answer, const char *name)
{
    return answer->response ? MHD_get_response_header(answer->response, name)
                            : NULL;
}

void mhd_answer_done(struct mhd_answer *answer)
{
    if (answer->response)
        MHD_destroy_response(answer->response);
    free(answer->body);
    *answer = (struct mhd_answer){0};
}
