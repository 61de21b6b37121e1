/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue between threads with lanes: producers never wait (a full
 * lane refuses), one consumer takes everything that has queued up.
 * Threads: any number of producers, one consumer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;
/* 'lanes' (1 to 4) with room for 'capacity' items each. */
struct queue *queue_new(size_t lanes, size_t capacity);
void queue_free(struct queue *queue); /* the caller owns what is still in it */
/* False if that lane is full or the queue is closed; the item stays the
 * caller's. */
bool queue_put(struct queue *queue, size_t lane, void *item);
/* Wait until something is there, closed, or 'timeout_ms' (-1 = no end) is over;
 * then move up to 'max' items, lane 0 first, into 'items'. Returns how many (0 =
 * timeout or closed and empty). */
size_t queue_take(struct queue *queue, void **items, size_t max,
                  int timeout_ms);
void queue_close(struct queue *queue); /* later puts are refused, takers wake */
bool queue_is_closed(struct queue *queue);
size_t queue_length(struct queue *queue, size_t lane);
