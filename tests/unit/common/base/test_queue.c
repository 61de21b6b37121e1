/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded queue: lanes, bounds, closing, threads. */
#include "common/base/queue.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

static void *item(uintptr_t number)
{
    return (void *)number;
}

START_TEST(items_come_in_order_and_lane_0_first)
{
    struct queue *queue = queue_new(2, 4);
    void *items[8];
    ck_assert(queue_put(queue, 1, item(10)));
    ck_assert(queue_put(queue, 0, item(1)));
    ck_assert(queue_put(queue, 1, item(11)));
    ck_assert(queue_put(queue, 0, item(2)));
    ck_assert_uint_eq(queue_length(queue, 1), 2);
    ck_assert_uint_eq(queue_take(queue, items, 8, 0), 4);
    ck_assert_ptr_eq(items[0], item(1));
    ck_assert_ptr_eq(items[1], item(2));
    ck_assert_ptr_eq(items[2], item(10));
    ck_assert_ptr_eq(items[3], item(11));
    ck_assert_uint_eq(queue_length(queue, 1), 0);
    queue_free(queue);
}
END_TEST

START_TEST(a_full_lane_refuses_and_the_other_does_not)
{
    struct queue *queue = queue_new(2, 2);
    void *items[2];
    ck_assert(queue_put(queue, 0, item(1)));
    ck_assert(queue_put(queue, 0, item(2)));
    ck_assert(!queue_put(queue, 0, item(3)));
    ck_assert(queue_put(queue, 1, item(4)));
    ck_assert(!queue_put(queue, 2, item(5)));
    ck_assert_uint_eq(queue_take(queue, items, 1, 0), 1);
    ck_assert(queue_put(queue, 0, item(3)));
    ck_assert_uint_eq(queue_take(queue, items, 2, 0), 2);
    ck_assert_ptr_eq(items[0], item(2));
    ck_assert_ptr_eq(items[1], item(3));
    queue_free(queue);
}
END_TEST

START_TEST(an_empty_queue_waits_as_long_as_told)
{
    struct queue *queue = queue_new(1, 1);
    void *items[1];
    int64_t start = timestamp_monotonic();
    ck_assert_uint_eq(queue_take(queue, items, 1, 50), 0);
    ck_assert_int_ge(timestamp_monotonic() - start, 50 * TIMESTAMP_MS);
    queue_free(queue);
}
END_TEST

START_TEST(a_closed_queue_refuses_and_gives_what_it_has)
{
    struct queue *queue = queue_new(1, 4);
    void *items[4];
    ck_assert(queue_put(queue, 0, item(1)));
    ck_assert(!queue_is_closed(queue));
    queue_close(queue);
    ck_assert(queue_is_closed(queue));
    ck_assert(!queue_put(queue, 0, item(2)));
    ck_assert_uint_eq(queue_take(queue, items, 4, -1), 1);
    ck_assert_uint_eq(queue_take(queue, items, 4, -1), 0);
    queue_free(queue);
    queue_free(NULL);
}
END_TEST

static void *close_later(void *queue)
{
    usleep(20000);
    queue_close(queue);
    return NULL;
}

START_TEST(closing_wakes_the_taker)
{
    struct queue *queue = queue_new(1, 1);
    pthread_t thread;
    void *items[1];
    ck_assert_int_eq(pthread_create(&thread, NULL, close_later, queue), 0);
    ck_assert_uint_eq(queue_take(queue, items, 1, -1), 0);
    pthread_join(thread, NULL);
    queue_free(queue);
}
END_TEST

enum { PRODUCERS = 4, EACH = 5000 };

struct producer {
    struct queue *queue;
    uintptr_t base;
};

static void *produce(void *context)
{
    struct producer *producer = context;
    for (uintptr_t i = 0; i < EACH; i++)
        while (!queue_put(producer->queue, i % 2, item(producer->base + i)))
            usleep(10);
    return NULL;
}

START_TEST(nothing_is_lost_or_doubled_between_threads)
{
    static uint8_t seen[PRODUCERS * EACH];
    struct queue *queue = queue_new(2, 64);
    struct producer producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    for (uintptr_t i = 0; i < PRODUCERS; i++) {
        producers[i] = (struct producer){queue, i * EACH};
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    size_t total = 0;
    while (total < PRODUCERS * EACH) {
        void *items[100];
        size_t count = queue_take(queue, items, 100, 10000);
        ck_assert_uint_gt(count, 0);
        for (size_t i = 0; i < count; i++)
            ck_assert_uint_eq(seen[(uintptr_t)items[i]]++, 0);
        total += count;
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    queue_free(queue);
}
END_TEST

CHECK_MAIN("queue", items_come_in_order_and_lane_0_first,
           a_full_lane_refuses_and_the_other_does_not,
           an_empty_queue_waits_as_long_as_told,
           a_closed_queue_refuses_and_gives_what_it_has,
           closing_wakes_the_taker, nothing_is_lost_or_doubled_between_threads);
