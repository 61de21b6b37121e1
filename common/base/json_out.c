/* SPDX-License-Identifier: Apache-2.0 */
/* JSON member by member: see json_out.h. Used by api/wire and the handlers. */
#include "common/base/json_out.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <assert.h>
#include <string.h>

/* What comes before a value in a text, and room for so many bytes more. */
static void begin_value(struct json_out *out, const char *name, size_t more)
{
    struct str *text = out->text;
    size_t length = name ? strlen(name) : 0;
    str_reserve(text, length + sizeof ",\"\":" + more);
    char *at = text->text + text->length;
    if (out->comma)
        *at++ = ',';
    out->comma = true;
    if (name) {
        *at++ = '"';
        at = mempcpy(at, name, length);
        *at++ = '"';
        *at++ = ':';
    }
    text->length = (size_t)(at - text->text);
}

/* A value of plain bytes. */
static void put_plain(struct json_out *out, const char *name, const char *quote,
                      const char *bytes, size_t length)
{
    begin_value(out, name, length + 2);
    struct str *text = out->text;
    char *at = text->text + text->length;
    if (*quote)
        *at++ = *quote;
    at = mempcpy(at, bytes, length);
    if (*quote)
        *at++ = *quote;
    *at = '\0';
    text->length = (size_t)(at - text->text);
}

/* Put a value where it belongs in a tree; takes the reference. */
static void put(struct json_out *out, const char *name, json_t *value)
{
    json_t *around = out->depth ? out->open[out->depth - 1] : NULL;
    if (!around)
        out->tree = value;
    else if (name)
        json_object_set_new_nocheck(around, name, value);
    else
        json_array_append_new(around, value);
}

static void open_container(struct json_out *out, const char *name, bool array)
{
    assert(out->depth < JSON_DEPTH_MAX);
    if (out->text) {
        put_plain(out, name, "", array ? "[" : "{", 1);
        out->comma = false;
    } else {
        json_t *container = array ? json_array() : json_object();
        put(out, name, container);
        out->open[out->depth] = container;
    }
    uint32_t bit = UINT32_C(1) << out->depth++;
    out->arrays = array ? out->arrays | bit : out->arrays & ~bit;
}

void json_out_object(struct json_out *out, const char *name)
{
    open_container(out, name, false);
}

void json_out_array(struct json_out *out, const char *name)
{
    open_container(out, name, true);
}

void json_out_end(struct json_out *out)
{
    assert(out->depth > 0);
    bool array = out->arrays & (UINT32_C(1) << --out->depth);
    if (out->text)
        str_add_bytes(out->text, array ? "]" : "}", 1);
    out->comma = true;
}

/* A string of any bytes, for where a tree or a check is needed. */
static json_t *any_text(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    auto_free char *ascii = mem_strdup(text);
    for (char *at = ascii; *at; at++)
        if ((unsigned char)*at >= 128)
            *at = '?';
    return json_string(ascii);
}

void json_out_text(struct json_out *out, const char *name, const char *text)
{
    if (!text)
        text = "";
    if (!out->text) {
        put(out, name, any_text(text));
        return;
    }
    size_t plain = json_plain_length(text);
    if (!text[plain]) {
        put_plain(out, name, "\"", text, plain);
        return;
    }
    size_t length = plain;
    while (text[length] && (unsigned char)text[length] < 0x80)
        length++;
    if (!text[length]) { /* all ASCII */
        begin_value(out, name, 0);
        json_write_string(text, length, out->text);
        return;
    }
    auto_json json_t *value = any_text(text);
    begin_value(out, name, 0);
    json_write(value, out->text);
}

void json_out_text_or_null(struct json_out *out, const char *name,
                           const char *text)
{
    if (text && *text)
        json_out_text(out, name, text);
    else
        json_out_null(out, name);
}

void json_out_number(struct json_out *out, const char *name, uint64_t number)
{
    json_out_integer(out, name,
                     number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

void json_out_integer(struct json_out *out, const char *name, int64_t number)
{
    if (!out->text) {
        put(out, name, json_integer(number));
        return;
    }
    begin_value(out, name, 0);
    json_write_integer(number, out->text);
}

void json_out_bool(struct json_out *out, const char *name, bool value)
{
    if (!out->text) {
        put(out, name, json_boolean(value));
        return;
    }
    put_plain(out, name, "", value ? "true" : "false", value ? 4 : 5);
}

void json_out_null(struct json_out *out, const char *name)
{
    if (!out->text) {
        put(out, name, json_null());
        return;
    }
    put_plain(out, name, "", "null", 4);
}

void json_out_json(struct json_out *out, const char *name, json_t *value)
{
    if (!out->text) {
        put(out, name, value);
        return;
    }
    begin_value(out, name, 0);
    json_write(value, out->text);
    json_decref(value);
}
