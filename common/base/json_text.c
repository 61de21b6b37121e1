/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values as text: see json.h. In place of jansson's own writer, which
 * keeps a table of the containers it is in to find loops: our values are trees,
 * and most of a durable claim's CPU went there. */
#include "common/base/json.h"

#include "common/base/mem.h"

#include <string.h>

/* A VM's record and answer fit without growing. */
#define ROOM_FIRST 2048

/* What must be escaped (RFC 8259, section 7); 'u' = as \u00XX. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : '\0';
    }
}

/* Bytes that go into a string as they are. */
static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

size_t json_plain_length(const char *text)
{
    size_t length = 0;
    for (unsigned char c; (c = (unsigned char)text[length]) < 0x80; length++)
        if (!is_plain(c))
            break;
    return length;
}

void json_write_string(const char *text, size_t length, struct str *out)
{
    size_t done = 0;
    str_reserve(out, length + 2);
    str_add_bytes(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_plain(c))
            continue;
        str_add_bytes(out, text + done, i - done);
        done = i + 1;
        char escape = escape_of(c);
        if (escape == 'u')
            str_printf(out, "\\u%04X", c);
        else
            str_add_bytes(out, (const char[]){'\\', escape}, 2);
    }
    str_add_bytes(out, text + done, length - done);
    str_add_bytes(out, "\"", 1);
}

void json_write_integer(int64_t number, struct str *out)
{
    char text[STR_U64_SIZE + 1];
    char *at = text;
    uint64_t size = (uint64_t)number;
    if (number < 0) {
        *at++ = '-';
        size = -size;
    }
    at = str_put_u64(at, size);
    str_add_bytes(out, text, (size_t)(at - text));
}

/* Rare with us: jansson knows how to write it so that it reads back equal. */
static void write_real(struct str *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);
    str_add(out, text ? text : "null");
    free(text);
}

static void write_object(struct str *out, const json_t *object)
{
    const char *comma = "";
    /* jansson's iterators want to be able to change what they walk over. */
    json_t *walked = (json_t *)(uintptr_t)object;
    str_add_bytes(out, "{", 1);
    for (void *at = json_object_iter(walked); at;
         at = json_object_iter_next(walked, at)) {
        const char *name = json_object_iter_key(at);
        str_add(out, comma);
        json_write_string(name, strlen(name), out);
        str_add_bytes(out, ":", 1);
        json_write(json_object_iter_value(at), out);
        comma = ",";
    }
    str_add_bytes(out, "}", 1);
}

static void write_array(struct str *out, const json_t *array)
{
    str_add_bytes(out, "[", 1);
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            str_add_bytes(out, ",", 1);
        json_write(json_array_get(array, i), out);
    }
    str_add_bytes(out, "]", 1);
}

/* The depth of the recursion is that of the value, JSON_DEPTH_MAX at most for
 * what was read and less for what we build. */
void json_write(const json_t *value, struct str *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(out, value);
        break;
    case JSON_ARRAY:
        write_array(out, value);
        break;
    case JSON_STRING:
        json_write_string(json_string_value(value), json_string_length(value),
                          out);
        break;
    case JSON_INTEGER:
        json_write_integer(json_integer_value(value), out);
        break;
    case JSON_REAL:
        write_real(out, value);
        break;
    case JSON_TRUE:
        str_add(out, "true");
        break;
    case JSON_FALSE:
        str_add(out, "false");
        break;
    case JSON_NULL:
        str_add(out, "null");
        break;
    }
}

char *json_text(const json_t *value)
{
    struct str out = {0};
    str_reserve(&out, ROOM_FIRST);
    if (value)
        json_write(value, &out);
    else
        str_add(&out, "null");
    return str_take(&out);
}
