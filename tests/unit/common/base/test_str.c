/* SPDX-License-Identifier: Apache-2.0 */
/* Texts, numbers, names, interning. */
#include "common/base/str.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

START_TEST(a_buffer_grows_and_is_always_terminated)
{
    auto_str struct str str = {0};
    ck_assert_str_eq(str_text(&str), "");
    for (int i = 0; i < 1000; i++)
        str_printf(&str, "%d,", i % 10);
    str_add(&str, "end");
    str_add_bytes(&str, "xyz", 1);
    str_add_bytes(&str, NULL, 0);
    ck_assert_uint_eq(str.length, 2004);
    ck_assert_uint_eq(strlen(str_text(&str)), 2004);
    ck_assert_str_eq(str_text(&str) + 1998, "9,endx");
}
END_TEST

START_TEST(a_text_longer_than_the_buffer_is_printed_whole)
{
    auto_str struct str str = {0};
    char big[5000];
    memset(big, 'a', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    str_printf(&str, "<%s>", big);
    ck_assert_uint_eq(str.length, 5001);
    ck_assert_int_eq(str.text[5000], '>');
}
END_TEST

START_TEST(a_taken_text_leaves_an_empty_buffer)
{
    struct str str = {0};
    char *empty = str_take(&str);
    ck_assert_str_eq(empty, "");
    free(empty);
    str_add(&str, "x");
    char *text = str_take(&str);
    ck_assert_str_eq(text, "x");
    ck_assert_str_eq(str_text(&str), "");
    free(text);
    str_done(&str);
}
END_TEST

START_TEST(a_copy_is_cut_at_the_end_and_says_so)
{
    char array[4];
    ck_assert(str_copy(array, "abc"));
    ck_assert_str_eq(array, "abc");
    ck_assert(!str_copy(array, "abcd"));
    ck_assert_str_eq(array, "abc");
    ck_assert(str_copy(array, ""));
    ck_assert_str_eq(array, "");
}
END_TEST

START_TEST(numbers_are_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        int base;
        uint64_t max, value;
    } good[] = {
        {"0", 10, 0, 0},
        {"007", 10, 10, 7},
        {"18446744073709551615", 10, UINT64_MAX, UINT64_MAX},
        {"0x8086", 16, 0xffff, 0x8086},
        {"8086", 16, 0xffff, 0x8086},
        {"FF", 16, 255, 255},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 42;
        ck_assert(str_to_u64(good[i].text, good[i].base, good[i].max, &value));
        ck_assert_uint_eq(value, good[i].value);
    }
    static const struct {
        const char *text;
        int base;
        uint64_t max;
    } bad[] = {
        {"", 10, 9},      {" 1", 10, 9},
        {"1 ", 10, 9},    {"-1", 10, 9},
        {"+1", 10, 9},    {"1.0", 10, 9},
        {"a", 10, 9},     {"10", 10, 9},
        {"0x1", 10, 9},   {"0x", 16, 9},
        {"0x0x1", 16, 9}, {"g", 16, 99},
        {"100", 16, 255}, {"18446744073709551616", 10, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value = 42;
        ck_assert_msg(!str_to_u64(bad[i].text, bad[i].base, bad[i].max, &value),
                      "'%s'", bad[i].text);
        ck_assert_uint_eq(value, 42);
    }
}
END_TEST

START_TEST(names_are_short_and_plain)
{
    static const char *const good[] = {"a", "h17", "web-1.example_net", "0"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(str_is_name(good[i]), "'%s'", good[i]);
    static const char *const bad[] = {"",    "-a",  ".a",   "..",
                                      "a b", "a/b", "a\n",  "é",
                                      "a:b", "_a",  "a%2f", "a\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!str_is_name(bad[i]), "'%s'", bad[i]);
    char longest[65];
    memset(longest, 'x', sizeof longest);
    longest[63] = '\0';
    ck_assert(str_is_name(longest));
    longest[63] = 'x';
    longest[64] = '\0';
    ck_assert(!str_is_name(longest));
}
END_TEST

START_TEST(a_start_is_found)
{
    ck_assert(str_starts("netdevsim1", "netdevsim"));
    ck_assert(str_starts("x", ""));
    ck_assert(!str_starts("net", "netdevsim"));
}
END_TEST

START_TEST(a_hash_is_that_of_fnv_1a)
{
    /* The published test vectors. */
    ck_assert_uint_eq(str_hash("", 0), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(str_hash("a", 1), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(str_hash("foobar", 6), UINT64_C(0x85944171f73967e8));
}
END_TEST

START_TEST(equal_texts_are_interned_once)
{
    char copy[] = "ixgbevf";
    const char *first = str_intern("ixgbevf");
    ck_assert_ptr_ne(first, copy);
    ck_assert_ptr_eq(str_intern(copy), first);
    ck_assert_ptr_ne(str_intern("ixgbe"), first);
    ck_assert_str_eq(str_intern(NULL), "");
    ck_assert_str_eq(str_intern(""), "");
}
END_TEST

START_TEST(interning_is_bounded_and_keeps_what_it_has)
{
    const char *first = str_intern("kept");
    char text[32];
    for (int i = 0; i < 70000; i++) {
        snprintf(text, sizeof text, "text %d", i);
        str_intern(text);
    }
    ck_assert_str_eq(str_intern("one too many"), "(too many)");
    ck_assert_ptr_eq(str_intern("kept"), first);
    ck_assert_str_eq(str_intern("text 5"), "text 5");
}
END_TEST

static void *intern_many(void *result)
{
    const char **texts = result;
    char text[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "shared %d", i);
        texts[i] = str_intern(text);
    }
    return NULL;
}

START_TEST(threads_get_the_same_texts)
{
    static const char *texts[2][1000];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, intern_many, texts[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 1000; i++)
        ck_assert_ptr_eq(texts[0][i], texts[1][i]);
}
END_TEST

START_TEST(digits_are_put_as_printf_does)
{
    static const uint64_t numbers[] = {0, 7, 10, 99, 100, 65535, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        unsigned long long number = numbers[i];
        char expected[32], text[32];
        snprintf(expected, sizeof expected, "%llu", number);
        *str_put_u64(text, number) = '\0';
        ck_assert_str_eq(text, expected);
        snprintf(expected, sizeof expected, "%016llx", number);
        *str_put_hex(text, number, 16) = '\0';
        ck_assert_str_eq(text, expected);
        snprintf(expected, sizeof expected, "%020llu", number);
        *str_put_digits(text, number, 20) = '\0';
        ck_assert_str_eq(text, expected);
    }
}
END_TEST

CHECK_MAIN("str", a_buffer_grows_and_is_always_terminated,
           a_text_longer_than_the_buffer_is_printed_whole,
           a_taken_text_leaves_an_empty_buffer,
           a_copy_is_cut_at_the_end_and_says_so,
           numbers_are_read_whole_or_not_at_all, names_are_short_and_plain,
           a_start_is_found, a_hash_is_that_of_fnv_1a,
           equal_texts_are_interned_once,
           interning_is_bounded_and_keeps_what_it_has,
           threads_get_the_same_texts, digits_are_put_as_printf_does);
