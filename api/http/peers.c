/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of connections: see peers.h. A connection is ended by shutdown(2),
 * which libmicrohttpd sees as the peer's end: its descriptor stays valid until
 * libmicrohttpd itself closes it. */
#include "api/http/peers.h"

#include "api/http/list.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#define LINGER_MAX 64
#define LINGER_NS (2 * TIMESTAMP_SECOND)
#define ROOM_GRACE_NS TIMESTAMP_SECOND /* nobody younger makes room */
#define TEND_MS 100
#define TEND_IDLE_MS 500

struct peer {
    int fd;
    int64_t since;
    bool ending;      /* was shut down */
    struct list node; /* in heads or bodies; none while served */
};

struct peers {
    size_t limit;
    int64_t head_ns;
    pthread_mutex_t lock;      /* guards all below */
    size_t count, ending;      /* all; those that were shut down */
    struct list heads, bodies; /* oldest first */
    size_t linger_count;
    struct {
        int fd;
        int64_t until;
    } lingers[LINGER_MAX];
};

struct peers *peers_new(unsigned connections_max, unsigned idle_timeout_s)
{
    struct peers *peers = mem_new(struct peers);
    pthread_mutex_init(&peers->lock, NULL);
    /* An eighth stays free for those who come. */
    peers->limit = connections_max - connections_max / 8;
    peers->head_ns = idle_timeout_s * TIMESTAMP_SECOND;
    list_init(&peers->heads);
    list_init(&peers->bodies);
    return peers;
}

void peers_free(struct peers *peers)
{
    if (!peers)
        return;
    for (size_t i = 0; i < peers->linger_count; i++)
        close(peers->lingers[i].fd);
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

static void move(struct peers *peers, struct peer *peer, struct list *to)
{
    int64_t now = timestamp_monotonic();
    pthread_mutex_lock(&peers->lock);
    list_remove(&peer->node);
    peer->since = now;
    if (to && !peer->ending)
        list_append(to, &peer->node);
    pthread_mutex_unlock(&peers->lock);
}

struct peer *peer_come(struct peers *peers, int fd)
{
    struct peer *peer = mem_new(struct peer);
    peer->fd = fd;
    peer->since = timestamp_monotonic();
    pthread_mutex_lock(&peers->lock);
    peers->count++;
    list_append(&peers->heads, &peer->node);
    pthread_mutex_unlock(&peers->lock);
    return peer;
}

int peer_fd(const struct peer *peer)
{
    return peer->fd;
}

void peer_receives_head(struct peers *peers, struct peer *peer)
{
    move(peers, peer, &peers->heads);
}

void peer_receives_body(struct peers *peers, struct peer *peer)
{
    move(peers, peer, &peers->bodies);
}

void peer_is_served(struct peers *peers, struct peer *peer)
{
    move(peers, peer, NULL);
}

size_t peers_count(struct peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    size_t count = peers->count;
    pthread_mutex_unlock(&peers->lock);
    return count;
}

/* ---- the end of connections --------------------------------------------------- */

void peer_linger(struct peers *peers, const struct peer *peer)
{
    int fd = fcntl(peer->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return;
    pthread_mutex_lock(&peers->lock);
    bool has_room = peers->linger_count < LINGER_MAX;
    if (has_room) {
        peers->lingers[peers->linger_count].fd = fd;
        peers->lingers[peers->linger_count++].until =
            timestamp_monotonic() + LINGER_NS;
    }
    pthread_mutex_unlock(&peers->lock);
    if (!has_room)
        close(fd);
}

void peer_gone(struct peers *peers, struct peer *peer)
{
    if (!peer)
        return;
    char byte;
    if (recv(peer->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1)
        peer_linger(peers, peer);
    pthread_mutex_lock(&peers->lock);
    list_remove(&peer->node);
    peers->count--;
    peers->ending -= peer->ending;
    pthread_mutex_unlock(&peers->lock);
    free(peer);
}

/* True when the peer has closed. */
static bool drain(int fd)
{
    char waste[16384];
    for (int i = 0; i < 64; i++) {
        ssize_t got = recv(fd, waste, sizeof waste, MSG_DONTWAIT);
        if (got < 0)
            return errno != EAGAIN && errno != EINTR;
        if (got == 0)
            return true;
    }
    return false;
}

static void tend_lingers(struct peers *peers, int64_t now)
{
    for (size_t i = 0; i < peers->linger_count;) {
        if (!drain(peers->lingers[i].fd) && now < peers->lingers[i].until) {
            i++;
            continue;
        }
        close(peers->lingers[i].fd);
        peers->lingers[i] = peers->lingers[--peers->linger_count];
    }
}

static void end_first(struct peers *peers, struct list *list)
{
    struct peer *peer = LIST_OWNER(list->next, struct peer, node);
    shutdown(peer->fd, SHUT_RDWR);
    list_remove(&peer->node);
    peer->ending = true;
    peers->ending++;
}

static int64_t oldest_age(const struct list *list, int64_t now)
{
    if (list_is_empty(list))
        return -1;
    return now - LIST_OWNER(list->next, struct peer, node)->since;
}

int peers_tend(struct peers *peers, int64_t now)
{
    pthread_mutex_lock(&peers->lock);
    while (oldest_age(&peers->heads, now) > peers->head_ns)
        end_first(peers, &peers->heads);
    size_t staying = peers->count - peers->ending;
    size_t excess = staying > peers->limit ? staying - peers->limit : 0;
    for (; excess && oldest_age(&peers->heads, now) > ROOM_GRACE_NS; excess--)
        end_first(peers, &peers->heads);
    for (; excess && oldest_age(&peers->bodies, now) > 5 * ROOM_GRACE_NS;
         excess--)
        end_first(peers, &peers->bodies);
    tend_lingers(peers, now);
    bool busy = peers->linger_count || peers->count > peers->limit;
    pthread_mutex_unlock(&peers->lock);
    return busy ? TEND_MS : TEND_IDLE_MS;
}
