/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an object member by member: see json.h. Every refusal says where,
 * what was expected and what was there. */
#include "common/base/json.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX (sizeof((struct json_reader *)0)->names / sizeof(char *))

/* What was there, in words: a number as it is, a text by its start. */
#define WHAT_SIZE 64
static const char *what_it_is(const json_t *value, char text[WHAT_SIZE])
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    case JSON_INTEGER:
        snprintf(text, WHAT_SIZE, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(value));
        return text;
    case JSON_REAL:
        snprintf(text, WHAT_SIZE, "%.15g", json_real_value(value));
        return text;
    }
    return "something else";
}

/* "path.name", or either alone. */
static void join(char *out, size_t size, const char *path, const char *name)
{
    const char *dot = *path && *name && *name != '[' ? "." : "";
    snprintf(out, size, "%s%s%s", path, dot, name);
}

int json_reader_fail(struct json_reader *reader, const char *name,
                     const char *format, ...)
{
    if (reader->failed)
        return -1;
    reader->failed = true;
    char msg[sizeof reader->err->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(msg, sizeof msg, format, args);
    va_end(args);
    char field[sizeof reader->err->field];
    join(field, sizeof field, reader->path, name);
    return error_set_field(reader->err, ERROR_INVALID, field, "%s", msg);
}

void json_reader_begin(struct json_reader *reader, const json_t *value,
                       const char *path, struct error *err)
{
    *reader = (struct json_reader){.object = value, .err = err};
    str_copy(reader->path, path);
    if (json_is_object(value))
        return;
    char text[WHAT_SIZE];
    json_reader_fail(reader, "", "expected an object, got %s",
                     value ? what_it_is(value, text) : "nothing");
    error_remedy(err, "send {…} with the members of this object");
}

const json_t *json_take_any(struct json_reader *reader, const char *name)
{
    if (reader->failed)
        return NULL;
    if (reader->taken < NAMES_MAX)
        reader->names[reader->taken] = name;
    reader->taken++;
    return json_object_get(reader->object, name);
}

/* The member, not null; NULL and maybe failed otherwise. */
static const json_t *take(struct json_reader *reader, const char *name,
                          bool required)
{
    const json_t *value = json_take_any(reader, name);
    if (value && !json_is_null(value))
        return value;
    if (required && !reader->failed) {
        json_reader_fail(reader, name, "'%s' is missing", name);
        error_remedy(reader->err, "give '%s'", name);
    }
    return NULL;
}

static bool wrong_type(struct json_reader *reader, const char *name,
                       const char *expected, const json_t *value)
{
    char text[WHAT_SIZE];
    json_reader_fail(reader, name, "expected %s, got %s", expected,
                     what_it_is(value, text));
    error_remedy(reader->err, "send %s", expected);
    return false;
}

bool json_take_text(struct json_reader *reader, const char *name, bool required,
                    const char **out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    if (!json_is_string(value))
        return wrong_type(reader, name, "a string", value);
    *out = json_string_value(value);
    return true;
}

bool json_take_copy(struct json_reader *reader, const char *name, bool required,
                    char *out, size_t size)
{
    const char *text = "";
    if (!json_take_text(reader, name, required, &text))
        return false;
    size_t length = strlen(text);
    if (length >= size) {
        json_reader_fail(reader, name,
                         "the text is too long: %zu bytes, at most %zu", length,
                         size - 1);
        error_remedy(reader->err, "shorten it to %zu bytes", size - 1);
        return false;
    }
    memcpy(out, text, length + 1);
    return true;
}

bool json_take_u64(struct json_reader *reader, const char *name, bool required,
                   uint64_t min, uint64_t max, uint64_t *out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= 0 && (uint64_t)number >= min &&
        (uint64_t)number <= max) {
        *out = (uint64_t)number;
        return true;
    }
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number %" PRIu64 "-%" PRIu64,
             min, max);
    return wrong_type(reader, name, expected, value);
}

bool json_take_i64(struct json_reader *reader, const char *name, bool required,
                   int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    json_int_t number = json_integer_value(value);
    if (json_is_integer(value) && number >= min && number <= max) {
        *out = number;
        return true;
    }
    char expected[80];
    snprintf(expected, sizeof expected,
             "a whole number from %" PRId64 " to %" PRId64, min, max);
    return wrong_type(reader, name, expected, value);
}

bool json_take_bool(struct json_reader *reader, const char *name, bool required,
                    bool *out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    if (!json_is_boolean(value))
        return wrong_type(reader, name, "true or false", value);
    *out = json_is_true(value);
    return true;
}

bool json_take_array(struct json_reader *reader, const char *name,
                     bool required, size_t max_count, const json_t **out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    if (!json_is_array(value))
        return wrong_type(reader, name, "an array", value);
    if (json_array_size(value) > max_count) {
        json_reader_fail(reader, name, "%zu elements, at most %zu are allowed",
                         json_array_size(value), max_count);
        return false;
    }
    *out = value;
    return true;
}

bool json_take_object(struct json_reader *reader, const char *name,
                      bool required, const json_t **out)
{
    const json_t *value = take(reader, name, required);
    if (!value)
        return false;
    if (!json_is_object(value))
        return wrong_type(reader, name, "an object", value);
    *out = value;
    return true;
}

/* Members mostly come in the order in which they are asked for, so the search
 * begins where the last one ended. */
static bool was_taken(const struct json_reader *reader, const char *name,
                      size_t *hint)
{
    for (size_t i = 0; i < reader->taken; i++) {
        size_t at = (*hint + i) % reader->taken;
        if (strcmp(reader->names[at], name) == 0) {
            *hint = at + 1;
            return true;
        }
    }
    return false;
}

static int fail_unknown(struct json_reader *reader, const char *name)
{
    reader->failed = true;
    char field[sizeof reader->err->field];
    join(field, sizeof field, reader->path, name);
    error_fill(reader->err, ERROR_UNKNOWN_FIELD, 0, field,
               "unknown field '%.64s'", name);
    auto_str struct str allowed = {0};
    for (size_t i = 0; i < reader->taken; i++)
        str_printf(&allowed, "%s%s", i ? ", " : "", reader->names[i]);
    if (!reader->err)
        return -1;
    if (allowed.length + sizeof "allowed: " > sizeof reader->err->remedy)
        error_remedy(reader->err, "leave it out, or see the description of "
                                  "this object in /openapi.yaml");
    else
        error_remedy(reader->err, "allowed: %s", str_text(&allowed));
    return -1;
}

int json_reader_end(struct json_reader *reader, bool strict, size_t *unknown)
{
    if (reader->failed)
        return -1;
    if (reader->taken > NAMES_MAX)
        return error_set(reader->err, ERROR_INTERNAL,
                         "a reader was asked for %zu members, at most %zu",
                         reader->taken, NAMES_MAX);
    size_t hint = 0;
    void *at = json_object_iter((json_t *)(uintptr_t)reader->object);
    for (; at;
         at = json_object_iter_next((json_t *)(uintptr_t)reader->object, at)) {
        const char *name = json_object_iter_key(at);
        if (was_taken(reader, name, &hint))
            continue;
        if (strict)
            return fail_unknown(reader, name);
        if (unknown)
            (*unknown)++;
    }
    return 0;
}
