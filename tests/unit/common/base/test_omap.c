/* SPDX-License-Identifier: Apache-2.0 */
/* The persistent map against a naive one, and versions that stay. */
#include "common/base/mem.h"
#include "common/base/omap.h"
#include "common/base/rng.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static atomic_int alive;

struct item {
    struct ref ref;
    int number;
};

static void item_release(void *object)
{
    alive--;
    free(object);
}

static struct item *item_new(int number)
{
    struct item *item = mem_new(struct item);
    ref_init(&item->ref, item_release);
    item->number = number;
    alive++;
    return item;
}

/* Keys are two bytes, so that their order is that of the numbers. */
#define KEYS 300
static void key_of(int number, uint8_t key[2])
{
    key[0] = (uint8_t)(number >> 8);
    key[1] = (uint8_t)number;
}

static void put(struct omap *map, int key, int number)
{
    uint8_t bytes[2];
    struct item *item = item_new(number);
    key_of(key, bytes);
    omap_put(map, bytes, 2, item);
    ref_put(item);
}

static bool take_out(struct omap *map, int key)
{
    uint8_t bytes[2];
    key_of(key, bytes);
    return omap_remove(map, bytes, 2);
}

/* The map as an array: numbers by key, -1 = none. */
struct naive {
    int numbers[KEYS];
    size_t count;
};

static struct naive naive_empty(void)
{
    struct naive naive = {.count = 0};
    for (int i = 0; i < KEYS; i++)
        naive.numbers[i] = -1;
    return naive;
}

static bool collect(void *context, const void *key, size_t length, void *value)
{
    struct naive *naive = context;
    const uint8_t *bytes = key;
    ck_assert_uint_eq(length, 2);
    naive->numbers[bytes[0] << 8 | bytes[1]] = ((struct item *)value)->number;
    naive->count++;
    return true;
}

/* By look-up, by walk and by steps the map holds what the array does. */
static void assert_equal(const struct omap *map, const struct naive *naive)
{
    struct naive walked = naive_empty();
    omap_each(map, collect, &walked);
    ck_assert_uint_eq(map->count, naive->count);
    ck_assert_uint_eq(walked.count, naive->count);
    ck_assert_mem_eq(walked.numbers, naive->numbers, sizeof naive->numbers);
    const void *at = NULL;
    size_t length = 0;
    for (int i = 0; i < KEYS; i++) {
        uint8_t key[2];
        key_of(i, key);
        const struct item *item = omap_get(map, key, 2);
        ck_assert_int_eq(item ? item->number : -1, naive->numbers[i]);
        if (naive->numbers[i] < 0)
            continue;
        ck_assert_ptr_eq(omap_after(map, at, length, &at, &length), item);
        ck_assert_mem_eq(at, key, 2);
    }
    ck_assert_ptr_null(omap_after(map, at ? at : "\xff\xff\xff",
                                  at ? length : 3, &at, &length));
}

START_TEST(an_empty_map_holds_nothing)
{
    struct omap map = {0};
    const void *key;
    size_t length;
    ck_assert_ptr_null(omap_get(&map, "a", 1));
    ck_assert(!omap_remove(&map, "a", 1));
    ck_assert_ptr_null(omap_after(&map, NULL, 0, &key, &length));
    omap_done(&map);
}
END_TEST

START_TEST(random_changes_equal_those_of_an_array)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rng rng = {seed};
        struct omap map = {0};
        struct naive naive = naive_empty();
        for (int step = 0; step < 2000; step++) {
            int key = (int)rng_below(&rng, KEYS);
            if (rng_below(&rng, 100) < 55) {
                put(&map, key, step);
                naive.count += naive.numbers[key] < 0;
                naive.numbers[key] = step;
            } else {
                ck_assert_int_eq(take_out(&map, key), naive.numbers[key] >= 0);
                naive.count -= naive.numbers[key] >= 0;
                naive.numbers[key] = -1;
            }
            if (step % 100 == 0)
                assert_equal(&map, &naive);
        }
        assert_equal(&map, &naive);
        omap_done(&map);
        ck_assert_int_eq(alive, 0);
    }
}
END_TEST

START_TEST(shared_versions_stay_as_they_were)
{
    enum { VERSIONS = 50 };
    struct rng rng = {3};
    struct omap map = {0}, versions[VERSIONS];
    struct naive naive = naive_empty(), then[VERSIONS];
    for (int v = 0; v < VERSIONS; v++) {
        for (int step = 0; step < 20; step++) {
            int key = (int)rng_below(&rng, KEYS);
            bool add = rng_below(&rng, 3) > 0;
            naive.count += (size_t)((int)add - (naive.numbers[key] >= 0));
            naive.numbers[key] = add ? v * 100 + step : -1;
            if (add)
                put(&map, key, v * 100 + step);
            else
                take_out(&map, key);
        }
        versions[v] = omap_share(&map);
        then[v] = naive;
    }
    for (int v = 0; v < VERSIONS; v++)
        assert_equal(&versions[v], &then[v]);
    /* Released in another order than made. */
    for (int v = 0; v < VERSIONS; v += 2)
        omap_done(&versions[v]);
    assert_equal(&map, &naive);
    for (int v = 1; v < VERSIONS; v += 2) {
        assert_equal(&versions[v], &then[v]);
        omap_done(&versions[v]);
    }
    omap_done(&map);
    ck_assert_int_eq(alive, 0);
}
END_TEST

static int found(const struct omap *map, int keys)
{
    int count = 0;
    for (int i = 0; i < keys; i++) {
        uint8_t key[2];
        key_of(i, key);
        count += omap_get(map, key, 2) != NULL;
    }
    return count;
}

/* In a list these would be some 10^9 steps, and the test would time out. */
START_TEST(two_versions_may_both_be_edited_on)
{
    struct omap first = {0};
    for (int i = 0; i < KEYS; i++)
        put(&first, i, 1);
    struct omap second = omap_share(&first);
    for (int i = 0; i < KEYS; i++) {
        put(&first, i, 2);
        put(&second, i, 3);
    }
    for (int i = 0; i < KEYS; i++) {
        uint8_t key[2];
        key_of(i, key);
        ck_assert_int_eq(((struct item *)omap_get(&first, key, 2))->number, 2);
        ck_assert_int_eq(((struct item *)omap_get(&second, key, 2))->number, 3);
    }
    omap_done(&first);
    omap_done(&second);
    ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(keys_in_order_do_not_make_a_list)
{
    struct omap map = {0};
    for (int i = 0; i < 60000; i++)
        put(&map, i, i);
    ck_assert_int_eq(found(&map, 60000), 60000);
    for (int i = 0; i < 60000; i += 2)
        ck_assert(take_out(&map, i));
    ck_assert_uint_eq(map.count, 30000);
    ck_assert_int_eq(found(&map, 60000), 30000);
    omap_done(&map);
    ck_assert_int_eq(alive, 0);
}
END_TEST

START_TEST(keys_are_ordered_by_bytes_then_by_length)
{
    static const char *const sorted[] = {"a", "aa", "ab", "b", "ba"};
    static const int order[] = {3, 1, 4, 0, 2};
    struct omap map = {0};
    for (size_t i = 0; i < 5; i++) {
        struct item *item = item_new(order[i]);
        omap_put(&map, sorted[order[i]], strlen(sorted[order[i]]), item);
        ref_put(item);
    }
    const void *key = NULL;
    size_t length = 0;
    for (int i = 0; i < 5; i++) {
        const struct item *item = omap_after(&map, key, length, &key, &length);
        ck_assert_int_eq(item->number, i);
    }
    /* After a key that is not there. */
    const struct item *item = omap_after(&map, "aaa", 3, &key, &length);
    ck_assert_int_eq(item->number, 2);
    omap_done(&map);
}
END_TEST

static bool stop_at_third(void *context, const void *key, size_t length,
                          void *value)
{
    (void)key, (void)length, (void)value;
    int *count = context;
    return ++*count < 3;
}

START_TEST(a_walk_ends_when_it_is_told)
{
    struct omap map = {0};
    int count = 0;
    for (int i = 0; i < 10; i++)
        put(&map, i, i);
    omap_each(&map, stop_at_third, &count);
    ck_assert_int_eq(count, 3);
    omap_done(&map);
}
END_TEST

static void *read_and_release(void *context)
{
    struct omap *version = context;
    struct naive walked = naive_empty();
    omap_each(version, collect, &walked);
    ck_assert_uint_eq(walked.count, version->count);
    omap_done(version);
    return NULL;
}

START_TEST(readers_on_other_threads_do_not_disturb_the_writer)
{
    enum { ROUNDS = 100, READERS = 3 };
    struct rng rng = {9};
    struct omap map = {0};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[READERS];
        struct omap versions[READERS];
        for (int i = 0; i < READERS; i++) {
            versions[i] = omap_share(&map);
            ck_assert_int_eq(pthread_create(&threads[i], NULL, read_and_release,
                                            &versions[i]),
                             0);
        }
        for (int step = 0; step < 50; step++) {
            int key = (int)rng_below(&rng, KEYS);
            if (rng_below(&rng, 2))
                put(&map, key, step);
            else
                take_out(&map, key);
        }
        for (int i = 0; i < READERS; i++)
            pthread_join(threads[i], NULL);
    }
    omap_done(&map);
    ck_assert_int_eq(alive, 0);
}
END_TEST

CHECK_MAIN("omap", an_empty_map_holds_nothing,
           random_changes_equal_those_of_an_array,
           shared_versions_stay_as_they_were,
           two_versions_may_both_be_edited_on, keys_in_order_do_not_make_a_list,
           keys_are_ordered_by_bytes_then_by_length,
           a_walk_ends_when_it_is_told,
           readers_on_other_threads_do_not_disturb_the_writer);
