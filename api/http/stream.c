/* SPDX-License-Identifier: Apache-2.0 */
/* Event streams: http_answer_stream() of server.h. libmicrohttpd asks for bytes
 * on the connection's thread; when there are none the connection is parked like
 * a long-poll. */
#include "api/http/internal.h"

#include <string.h>

#define STREAM_QUIET_MS 15000
#define STREAM_BLOCK 8192

struct stream {
    struct http_request *request; /* lives longer than the answer is sent */
    char *key;
    bool (*next)(void *context, void *state, struct str *out);
    void *state;
    bool ended;
    struct str pending;
    size_t sent; /* of 'pending' */
};

static void stream_free(void *context)
{
    struct stream *stream = context;
    free(stream->key);
    free(stream->state);
    str_done(&stream->pending);
    free(stream);
}

static uint64_t wakes(struct http_server *server, const char *key)
{
    pthread_mutex_lock(&server->lock);
    uint64_t count = lot_wakes(server, key);
    pthread_mutex_unlock(&server->lock);
    return count;
}

/* Park until the key is woken, unless that has happened since 'seen'. */
static bool park(struct stream *stream, uint64_t seen)
{
    struct http_server *server = stream->request->server;
    pthread_mutex_lock(&server->lock);
    bool parks = lot_wakes(server, stream->key) == seen &&
                 !atomic_load(&server->stopping);
    if (parks)
        lot_park(stream->request, stream->key, STREAM_QUIET_MS, NULL);
    pthread_mutex_unlock(&server->lock);
    return parks;
}

/* Make something pending; false = parked. */
static bool fill(struct stream *stream)
{
    struct http_request *request = stream->request;
    struct http_server *server = request->server;
    str_done(&stream->pending);
    stream->sent = 0;
    while (!stream->pending.length && !stream->ended) {
        uint64_t seen = wakes(server, stream->key);
        if (atomic_load(&server->stopping) ||
            !stream->next(server->config.context, stream->state,
                          &stream->pending))
            stream->ended = true;
        else if (stream->pending.length)
            break;
        else if (request->timed_out)
            /* A comment: the peer sees that we live, and we that it is gone. */
            str_add(&stream->pending, ":\n\n");
        else if (park(stream, seen))
            return false;
    }
    request->timed_out = false;
    return true;
}

static ssize_t read_stream(void *context, uint64_t position, char *out,
                           size_t max)
{
    (void)position;
    struct stream *stream = context;
    if (stream->sent == stream->pending.length && !fill(stream))
        return 0;
    size_t length = stream->pending.length - stream->sent;
    if (!length)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (length > max)
        length = max;
    memcpy(out, stream->pending.text + stream->sent, length);
    stream->sent += length;
    return (ssize_t)length;
}

void http_answer_stream(struct http_request *request, const char *key,
                        bool (*next)(void *context, void *state,
                                     struct str *out),
                        void *state)
{
    struct stream *stream = mem_new(struct stream);
    stream->request = request;
    stream->key = mem_strdup(key);
    stream->next = next;
    stream->state = state;
    request->timed_out = false;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, stream, stream_free);
    if (!response)
        abort(); /* out of memory, as everywhere */
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    answer_finish(request, 200, response);
}
