/* SPDX-License-Identifier: Apache-2.0 */
/* Parking of long-polls and event streams: http_park() and http_wake() of
 * server.h. All tables are under server->lock, also while connections are
 * suspended and resumed, so that a request is suspended exactly while it is in
 * the lot: libmicrohttpd leaves resuming a running connection undefined.
 *
 * Timeouts are a wheel of slots, because most waits have the same length and
 * end early. A parked connection is not watched by libmicrohttpd (0.9.75: no
 * timeout, no notice of the peer's end); the visits do that. */
#include "api/http/internal.h"
#include "common/base/timestamp.h"

#include <poll.h>
#include <string.h>

void lot_init(struct lot *lot)
{
    for (size_t i = 0; i < PARK_BUCKETS; i++)
        list_init(&lot->buckets[i].parked);
    for (size_t i = 0; i < PARK_SLOTS; i++)
        list_init(&lot->slots[i]);
    lot->turned_to = timestamp_monotonic();
}

static size_t bucket_of(uint64_t hash)
{
    return hash % PARK_BUCKETS;
}

static size_t slot_of(int64_t time)
{
    return (size_t)(time / (PARK_SLOT_MS * TIMESTAMP_MS)) % PARK_SLOTS;
}

/* Into the slot of its next visit: at its deadline, or sooner to look after its
 * peer. */
static void schedule(struct lot *lot, struct http_request *request, int64_t now)
{
    int64_t visit = now + PARK_VISIT_MS * TIMESTAMP_MS;
    if (request->park.deadline < visit)
        visit = request->park.deadline;
    /* The current slot may have been visited already. */
    int64_t soonest = now + PARK_SLOT_MS * TIMESTAMP_MS;
    list_append(&lot->slots[slot_of(visit > soonest ? visit : soonest)],
                &request->park.in_slot);
}

void lot_park(struct http_request *request, const char *key, int timeout_ms,
              http_resume *resume)
{
    struct http_server *server = request->server;
    struct lot *lot = &server->lot;
    int64_t now = timestamp_monotonic();
    request->park.key = mem_strdup(key);
    request->park.hash = str_hash(key, strlen(key));
    request->park.since = now;
    request->park.deadline = now + timeout_ms * TIMESTAMP_MS;
    request->resume = resume;
    request->timed_out = false;
    list_append(&lot->buckets[bucket_of(request->park.hash)].parked,
                &request->park.in_bucket);
    schedule(lot, request, now);
    if (lot->count++ == 0)
        pthread_cond_broadcast(&server->changed);
    if (request->deferred) {
        /* Suspended already; its other owner hands it back to us. */
        request->deferred = false;
        list_remove(&request->in_deferred);
        request->refs--;
    } else {
        MHD_suspend_connection(request->connection);
    }
}

static void unpark(struct http_request *request, bool timed_out)
{
    list_remove(&request->park.in_bucket);
    list_remove(&request->park.in_slot);
    free(take_ptr(request->park.key));
    request->server->lot.count--;
    request->timed_out = timed_out;
    request->parked_ns += timestamp_monotonic() - request->park.since;
    MHD_resume_connection(request->connection);
}

uint64_t lot_wakes(const struct http_server *server, const char *key)
{
    return server->lot.buckets[bucket_of(str_hash(key, strlen(key)))].wakes;
}

void http_wake(struct http_server *server, const char *key)
{
    uint64_t hash = str_hash(key, strlen(key));
    pthread_mutex_lock(&server->lock);
    struct list *head = &server->lot.buckets[bucket_of(hash)].parked;
    server->lot.buckets[bucket_of(hash)].wakes++;
    for (struct list *node = head->next; node != head;) {
        struct http_request *request =
            LIST_OWNER(node, struct http_request, park.in_bucket);
        node = node->next;
        if (request->park.hash == hash && strcmp(request->park.key, key) == 0)
            unpark(request, false);
    }
    pthread_mutex_unlock(&server->lock);
}

size_t http_parked(struct http_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->lot.count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void http_park(struct http_request *request, const char *key, int timeout_ms,
               bool (*still_wait)(void *context, struct http_request *request),
               void (*resume)(void *context, struct http_request *request,
                              bool timed_out))
{
    struct http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    if (request->abandoned) {
        request_put_unlock(request);
        return;
    }
    if (server->stopping) {
        pthread_mutex_unlock(&server->lock);
        struct error err;
        error_fill(&err, ERROR_UNAVAILABLE, 0, "", "the server is stopping");
        http_answer_error(request, &err, NULL);
        return;
    }
    if (!request->deferred)
        request->away = true;
    if (still_wait(server->config.context, request)) {
        lot_park(request, key, timeout_ms, resume);
    } else if (request->deferred) {
        /* Not on a server thread: the way to one is through the lot. */
        lot_park(request, key, timeout_ms, resume);
        unpark(request, false);
    } else {
        /* The loop that called the handler goes on with this. */
        request->away = false;
        request->resume = resume;
        request->timed_out = false;
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---- time ---------------------------------------------------------------------- */

static bool peer_has_gone(const struct http_request *request)
{
    struct pollfd polled = {.fd = peer_fd(request->peer), .events = POLLRDHUP};
    return poll(&polled, 1, 0) > 0 &&
           (polled.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

static void visit(struct http_server *server, struct list *slot, int64_t now)
{
    struct list due;
    list_init(&due);
    while (!list_is_empty(slot)) {
        struct list *node = slot->next;
        list_remove(node);
        list_append(&due, node);
    }
    while (!list_is_empty(&due)) {
        struct http_request *request =
            LIST_OWNER(due.next, struct http_request, park.in_slot);
        if (now >= request->park.deadline || peer_has_gone(request)) {
            unpark(request, true);
        } else {
            list_remove(&request->park.in_slot);
            schedule(&server->lot, request, now);
        }
    }
}

void lot_turn(struct http_server *server, int64_t now)
{
    struct lot *lot = &server->lot;
    const int64_t step = PARK_SLOT_MS * TIMESTAMP_MS;
    /* After a long stop of the process one turn of the wheel visits all. */
    if (now - lot->turned_to > step * PARK_SLOTS)
        lot->turned_to = now - step * PARK_SLOTS;
    for (; lot->turned_to + step <= now; lot->turned_to += step)
        visit(server, &lot->slots[slot_of(lot->turned_to)], now);
}

void lot_wake_all(struct http_server *server)
{
    for (size_t i = 0; i < PARK_SLOTS; i++) {
        struct list *slot = &server->lot.slots[i];
        while (!list_is_empty(slot))
            unpark(LIST_OWNER(slot->next, struct http_request, park.in_slot),
                   true);
    }
}

/* ---- answering from another thread ------------------------------------------------ */

void http_defer(struct http_request *request)
{
    struct http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    request->away = true;
    request->deferred = true;
    request->refs++;
    list_append(&server->deferred, &request->in_deferred);
    MHD_suspend_connection(request->connection);
    pthread_mutex_unlock(&server->lock);
}

void lot_abandon(struct http_server *server)
{
    while (!list_is_empty(&server->deferred)) {
        struct http_request *request =
            LIST_OWNER(server->deferred.next, struct http_request, in_deferred);
        list_remove(&request->in_deferred);
        request->abandoned = true;
        struct error err;
        error_fill(&err, ERROR_UNAVAILABLE, 0, "",
                   "the server stopped before the answer was ready");
        request->status = error_code_http(err.code);
        request->response = answer_make_problem(request, &err);
        MHD_resume_connection(request->connection);
    }
}
