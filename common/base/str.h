/* SPDX-License-Identifier: Apache-2.0 */
/* Text: a growing buffer, bounded copies, parsing of whole numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing, always terminated text. Zero-initialise; release by str_done. */
struct str {
    char *text; /* NULL while empty */
    size_t length;
    size_t capacity;
};
/* Make room for so many more bytes. */
void str_reserve(struct str *str, size_t more);
void str_add(struct str *str, const char *text);
void str_add_bytes(struct str *str, const char *bytes, size_t length);
void str_printf(struct str *str, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text; "" while empty. Borrowed until the next change. */
const char *str_text(const struct str *str);
/* Give the text away (never NULL) and empty the buffer; free() it. */
char *str_take(struct str *str);
void str_done(struct str *str);
#define auto_str __attribute__((cleanup(str_done)))

/* Copy into a fixed array, cut at the end if needed. Returns false if cut. */
#define str_copy(array, source) str_copy_bounded(array, sizeof(array), source)
bool str_copy_bounded(char *target, size_t size, const char *source);

/* Digits at 'at', without a terminator; return what is behind them. For where
 * printf is too dear: ids and times of every answer. */
#define STR_U64_SIZE 20 /* the most that str_put_u64 writes */
char *str_put_u64(char *at, uint64_t number);
char *str_put_hex(char *at, uint64_t number, int digits); /* lower case */
/* With leading zeros; the number has no more digits. */
char *str_put_digits(char *at, uint64_t number, int digits);

/* Whole decimal (or 0x hex where base is 16) numbers: nothing before or after
 * the digits. False, 'out' untouched, for anything else or above 'max'. */
bool str_to_u64(const char *text, int base, uint64_t max, uint64_t *out);

bool str_starts(const char *text, const char *start);

/* A name that we accept for hosts, VMs, ports, physical networks: 1 to 63 of
 * [A-Za-z0-9._-], first a letter or digit. */
bool str_is_name(const char *text);
/* 64-bit FNV-1a of bytes; for hash tables and equivalence classes only. */
uint64_t str_hash(const void *data, size_t length);

/* A shared copy of a short text that stays for the life of the process: for
 * the few hundred driver, vendor and model names that thousands of objects
 * share. After 65,536 different texts or 4 MiB it answers "(too many)".
 * Thread-safe. intern(NULL) is "". */
const char *str_intern(const char *text);
