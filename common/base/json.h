/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in and out over jansson, with our limits, and typed reading whose
 * errors name the member. The only header besides api/wire that shows json_t.
 *
 * Reading an object: declare a reader, take members by type, end with
 * json_reader_end(), which refuses members nobody took (or counts them). After
 * a failed take every later take does nothing, so one check at the end is
 * enough.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/str.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32

/* Parse a text of 'length' bytes: valid UTF-8, no duplicate keys, nesting at
 * most JSON_DEPTH_MAX, nothing after the value. NULL + ERROR_MALFORMED_JSON. */
json_t *json_parse(const char *text, size_t length, struct error *err);
/* Compact text in new memory (free() it), keys in insertion order; of NULL it
 * is "null". The value must be a tree: nothing is within itself. */
char *json_text(const json_t *value);
/* The same, appended to 'out'; 'value' is not NULL. */
void json_write(const json_t *value, struct str *out);
/* How many bytes from the start are ASCII that needs no escaping. */
size_t json_plain_length(const char *text);
/* One string (valid UTF-8; quoted and escaped) or number, appended. */
void json_write_string(const char *text, size_t length, struct str *out);
void json_write_integer(int64_t number, struct str *out);

static inline void json_put_p(json_t **value)
{
    json_decref(*value);
}
#define auto_json __attribute__((cleanup(json_put_p)))

struct json_reader {
    const json_t *object;
    char path[96]; /* prefix of field names in errors, "" at the top */
    struct error *err;
    bool failed;
    size_t taken;          /* members asked for, there or not */
    const char *names[48]; /* their names (borrowed), at most this many */
};

/* Begin; if 'value' is not an object the reader starts failed. */
void json_reader_begin(struct json_reader *reader, const json_t *value,
                       const char *path, struct error *err);
/* The member or NULL if absent; NULL-valued members count as present only for
 * json_take_any. */
const json_t *json_take_any(struct json_reader *reader, const char *name);
/* Each: false if the member is absent or null ('out' untouched) or on failure
 * (reader->failed set). 'required' makes absence a failure. */
bool json_take_text(struct json_reader *reader, const char *name, bool required,
                    const char **out); /* borrowed */
bool json_take_copy(struct json_reader *reader, const char *name, bool required,
                    char *out, size_t size); /* too long = failure */
bool json_take_u64(struct json_reader *reader, const char *name, bool required,
                   uint64_t min, uint64_t max, uint64_t *out);
bool json_take_i64(struct json_reader *reader, const char *name, bool required,
                   int64_t min, int64_t max, int64_t *out);
bool json_take_bool(struct json_reader *reader, const char *name, bool required,
                    bool *out);
bool json_take_array(struct json_reader *reader, const char *name,
                     bool required, size_t max_count, const json_t **out);
bool json_take_object(struct json_reader *reader, const char *name,
                      bool required, const json_t **out);
/* Fail with a text about one member ("path.name"). Returns -1. */
int json_reader_fail(struct json_reader *reader, const char *name,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* End: 0, or -1 if anything failed or, with 'strict', a member was not taken
 * (ERROR_UNKNOWN_FIELD). Without 'strict' adds the number of unknown members
 * to *unknown (may be NULL). */
int json_reader_end(struct json_reader *reader, bool strict, size_t *unknown);
