/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded queue of queue.h: a ring per lane below one lock. The work done
 * for an item is far dearer than the lock, so nothing cleverer is wanted. */
#include "common/base/queue.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define LANES_MAX 4

struct lane {
    void **items; /* 'capacity' slots */
    size_t first, count;
};

struct queue {
    pthread_mutex_t lock;  /* guards all below */
    pthread_cond_t filled; /* monotonic clock */
    size_t capacity, lane_count;
    bool closed;
    struct lane lanes[LANES_MAX];
};

struct queue *queue_new(size_t lanes, size_t capacity)
{
    struct queue *queue = mem_new(struct queue);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->filled, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&queue->lock, NULL);
    queue->capacity = capacity;
    queue->lane_count = lanes < 1 ? 1 : lanes > LANES_MAX ? LANES_MAX : lanes;
    for (size_t i = 0; i < queue->lane_count; i++)
        queue->lanes[i].items = mem_calloc(capacity, sizeof(void *));
    return queue;
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    for (size_t i = 0; i < queue->lane_count; i++)
        free(queue->lanes[i].items);
    pthread_cond_destroy(&queue->filled);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

bool queue_put(struct queue *queue, size_t lane, void *item)
{
    bool taken = false;
    pthread_mutex_lock(&queue->lock);
    if (!queue->closed && lane < queue->lane_count) {
        struct lane *to = &queue->lanes[lane];
        if (to->count < queue->capacity) {
            to->items[(to->first + to->count++) % queue->capacity] = item;
            taken = true;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    /* Not under the lock: whoever wakes would at once wait for it. */
    if (taken)
        pthread_cond_signal(&queue->filled);
    return taken;
}

static bool is_empty(const struct queue *queue)
{
    for (size_t i = 0; i < queue->lane_count; i++) {
        if (queue->lanes[i].count)
            return false;
    }
    return true;
}

/* With the lock held: until an item, the close or the deadline. */
static void wait_filled(struct queue *queue, int timeout_ms)
{
    int64_t end = timestamp_monotonic() + timeout_ms * TIMESTAMP_MS;
    struct timespec deadline = {.tv_sec = end / TIMESTAMP_SECOND,
                                .tv_nsec = end % TIMESTAMP_SECOND};
    int rc = 0;
    while (rc != ETIMEDOUT && !queue->closed && is_empty(queue)) {
        if (timeout_ms < 0)
            rc = pthread_cond_wait(&queue->filled, &queue->lock);
        else
            rc =
                pthread_cond_timedwait(&queue->filled, &queue->lock, &deadline);
    }
}

size_t queue_take(struct queue *queue, void **items, size_t max, int timeout_ms)
{
    size_t taken = 0;
    pthread_mutex_lock(&queue->lock);
    wait_filled(queue, timeout_ms);
    for (size_t i = 0; i < queue->lane_count; i++) {
        struct lane *from = &queue->lanes[i];
        while (from->count && taken < max) {
            items[taken++] = from->items[from->first];
            from->first = (from->first + 1) % queue->capacity;
            from->count--;
        }
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->filled);
    pthread_mutex_unlock(&queue->lock);
}

bool queue_is_closed(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    bool closed = queue->closed;
    pthread_mutex_unlock(&queue->lock);
    return closed;
}

size_t queue_length(struct queue *queue, size_t lane)
{
    pthread_mutex_lock(&queue->lock);
    size_t length = lane < queue->lane_count ? queue->lanes[lane].count : 0;
    pthread_mutex_unlock(&queue->lock);
    return length;
}
