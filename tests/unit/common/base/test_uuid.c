/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs: version 7, order, reading. */
#include "common/base/uuid.h"
#include "tests/unit/check_main.h"

#include <string.h>

START_TEST(a_made_uuid_holds_the_time_version_and_variant)
{
    /* The time of the example in RFC 9562, appendix A.6. */
    struct rng rng = {1};
    struct uuid uuid = uuid_make(INT64_C(0x017F22E279B0) * 1000000, &rng);
    char text[UUID_TEXT_SIZE];
    uuid_format(&uuid, text);
    ck_assert_mem_eq(text, "017f22e2-79b0-7", 15);
    ck_assert_ptr_nonnull(strchr("89ab", text[19]));
    ck_assert_uint_eq(strlen(text), 36);
}
END_TEST

START_TEST(later_uuids_are_greater_and_none_comes_twice)
{
    struct rng rng = {7};
    struct uuid last = uuid_make(0, &rng);
    for (int64_t ms = 1; ms < 2000; ms++) {
        struct uuid next = uuid_make(ms * 1000000, &rng);
        ck_assert_int_lt(uuid_compare(&last, &next), 0);
        last = next;
    }
    struct uuid a = uuid_make(5, &rng), b = uuid_make(5, &rng);
    ck_assert(!uuid_equal(&a, &b));
}
END_TEST

START_TEST(both_spellings_are_read_and_one_is_written)
{
    static const char *const texts[] = {"01890a5d-ac96-774b-bcce-b302099a8057",
                                        "01890A5D-AC96-774B-BCCE-B302099A8057",
                                        "01890a5dac96774bbcceb302099a8057"};
    char text[UUID_TEXT_SIZE];
    for (size_t i = 0; i < 3; i++) {
        struct uuid uuid;
        ck_assert(uuid_parse(texts[i], &uuid));
        ck_assert_str_eq(uuid_format(&uuid, text), texts[0]);
    }
}
END_TEST

START_TEST(near_misses_are_no_uuids)
{
    static const char *const texts[] = {
        "",
        "01890a5d-ac96-774b-bcce-b302099a805",
        "01890a5d-ac96-774b-bcce-b302099a80577",
        "01890a5d-ac96-774b-bcce-b302099a805g",
        "01890a5d-ac96-774b-bcceb302099a80570",
        "01890a5dac96-774b-bcce-b302099a80570",
        "01890a5d-ac96-774b-bcce-b302099a805 ",
        "{1890a5d-ac96-774b-bcce-b302099a805}",
        "01890a5dac96774bbcceb302099a805-",
    };
    struct uuid uuid = {{9}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!uuid_parse(texts[i], &uuid), "'%s'", texts[i]);
    ck_assert_uint_eq(uuid.bytes[0], 9);
}
END_TEST

START_TEST(only_zero_is_zero)
{
    struct uuid uuid = {{0}};
    ck_assert(uuid_is_zero(&uuid));
    for (size_t i = 0; i < 16; i++) {
        uuid = (struct uuid){{0}};
        uuid.bytes[i] = 1;
        ck_assert(!uuid_is_zero(&uuid));
    }
}
END_TEST

START_TEST(a_seed_repeats_its_numbers_exactly)
{
    /* splitmix64 with seed 1234567, as published by its author. */
    struct rng rng = {1234567};
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(6457827717110365317));
    ck_assert_uint_eq(rng_next(&rng), UINT64_C(3203168211198807973));
    for (int i = 0; i < 1000; i++)
        ck_assert_uint_lt(rng_below(&rng, 7), 7);
}
END_TEST

CHECK_MAIN("uuid", a_made_uuid_holds_the_time_version_and_variant,
           later_uuids_are_greater_and_none_comes_twice,
           both_spellings_are_read_and_one_is_written, near_misses_are_no_uuids,
           only_zero_is_zero, a_seed_repeats_its_numbers_exactly);
