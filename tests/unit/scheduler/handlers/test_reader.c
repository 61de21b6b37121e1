/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's thread: order, bounds, and what is left at its end. */
#include "scheduler/handlers/reader.h"
#include "tests/unit/check_main.h"

#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#define MANY 1000

static struct {
    atomic_bool sits; /* the reader, on the item in its hands */
    atomic_int count;
    uintptr_t items[MANY];
} seen;

static void note(void *item)
{
    int at = atomic_load(&seen.count);
    seen.items[at] = (uintptr_t)item;
    atomic_store(&seen.count, at + 1);
    while (atomic_load(&seen.sits))
        usleep(1000);
}

static void *item(uintptr_t number)
{
    return (void *)number;
}

static struct reader *start(size_t capacity, bool sits)
{
    struct error err;
    atomic_store(&seen.count, 0);
    atomic_store(&seen.sits, sits);
    struct reader *reader = reader_start(capacity, note, &err);
    ck_assert_msg(reader != NULL, "%s", err.msg);
    return reader;
}

START_TEST(items_are_read_in_order_and_to_the_last)
{
    struct reader *reader = start(MANY, false);
    for (uintptr_t i = 0; i < MANY; i++)
        ck_assert(reader_submit(reader, item(i)));
    reader_stop(reader);
    ck_assert_int_eq(atomic_load(&seen.count), MANY);
    for (uintptr_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(seen.items[i], i);
    ck_assert(!reader_submit(reader, item(1)));
    reader_free(reader);
}
END_TEST

START_TEST(a_full_queue_refuses)
{
    struct reader *reader = start(2, true);
    ck_assert(reader_submit(reader, item(0)));
    while (atomic_load(&seen.count) < 1)
        usleep(1000);
    ck_assert(reader_submit(reader, item(1)));
    ck_assert(reader_submit(reader, item(2)));
    ck_assert(!reader_submit(reader, item(3)));
    atomic_store(&seen.sits, false);
    reader_stop(reader);
    ck_assert_int_eq(atomic_load(&seen.count), 3);
    reader_free(reader);
}
END_TEST

START_TEST(none_ends_without_harm)
{
    reader_stop(NULL);
    reader_free(NULL);
}
END_TEST

CHECK_MAIN("reader", items_are_read_in_order_and_to_the_last,
           a_full_queue_refuses, none_ends_without_harm);
