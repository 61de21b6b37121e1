/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, cleanup, reference counts. */
#include "common/base/mem.h"
#include "tests/unit/check_main.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>

START_TEST(new_memory_is_zero_and_never_null)
{
    auto_free char *none = mem_calloc(0, 8);
    ck_assert_ptr_nonnull(none);
    auto_free char *some = mem_calloc(100, 1);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(some[i], 0);
}
END_TEST

START_TEST(an_array_grows_one_by_one_and_keeps_its_items)
{
    int *items = NULL;
    size_t capacity = 0;
    for (size_t count = 0; count < 1000; count++) {
        mem_grow(&items, &capacity, count, sizeof *items);
        ck_assert_uint_gt(capacity, count);
        items[count] = (int)count;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(items[i], i);
    free(items);
}
END_TEST

START_TEST(copies_are_equal_and_null_stays_null)
{
    auto_free char *text = mem_strdup("abc");
    ck_assert_str_eq(text, "abc");
    ck_assert_ptr_null(mem_strdup(NULL));
    auto_free char *printed = mem_printf("%s-%d", text, 5);
    ck_assert_str_eq(printed, "abc-5");
    auto_free char *bytes = mem_dup("a\0b", 3);
    ck_assert_mem_eq(bytes, "a\0b", 3);
}
END_TEST

START_TEST(what_was_taken_is_not_released)
{
    char *escaped;
    int fd;
    {
        auto_free char *text = mem_strdup("abc");
        auto_close int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
        escaped = take_ptr(text);
        fd = take_fd(opened);
        ck_assert_ptr_null(text);
        ck_assert_int_eq(opened, -1);
    }
    ck_assert_str_eq(escaped, "abc");
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
    free(escaped);
    {
        auto_close int again = fd;
        (void)again;
    }
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

struct thing {
    struct ref ref;
    int *released;
};

static void thing_release(void *object)
{
    struct thing *thing = object;
    (*thing->released)++;
    free(thing);
}

static struct thing *thing_new(int *released)
{
    struct thing *thing = mem_new(struct thing);
    ref_init(&thing->ref, thing_release);
    thing->released = released;
    return thing;
}

START_TEST(the_last_reference_releases)
{
    int released = 0;
    struct thing *thing = thing_new(&released);
    ck_assert_ptr_eq(ref_get(thing), thing);
    ref_put(thing);
    ck_assert_int_eq(released, 0);
    ref_put(thing);
    ck_assert_int_eq(released, 1);
    ck_assert_ptr_null(ref_get(NULL));
    ref_put(NULL);
}
END_TEST

static void *get_and_put(void *object)
{
    for (int i = 0; i < 10000; i++) {
        ref_get(object);
        ref_put(object);
    }
    ref_put(object);
    return NULL;
}

START_TEST(threads_release_once)
{
    int released = 0;
    struct thing *thing = thing_new(&released);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        ref_get(thing);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, get_and_put, thing),
                         0);
    }
    ref_put(thing);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(released, 1);
}
END_TEST

CHECK_MAIN("mem", new_memory_is_zero_and_never_null,
           an_array_grows_one_by_one_and_keeps_its_items,
           copies_are_equal_and_null_stays_null, what_was_taken_is_not_released,
           the_last_reference_releases, threads_release_once);
