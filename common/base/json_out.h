/* SPDX-License-Identifier: Apache-2.0 */
/* JSON written member by member, as text or as a tree: one function per noun
 * serves both. As text nothing is allocated but the text, which is why records
 * and answers of the hot paths are written so; a tree is for those who put it
 * into another tree.
 *
 *   auto_str struct str text = {0};
 *   struct json_out out = json_out_as_text(&text);
 *   json_out_object(&out, NULL);
 *   json_out_text(&out, "name", "web-1");
 *   json_out_end(&out);
 *
 * 'name' is the member's name, which needs no escaping; it is NULL for the
 * whole value and for items of arrays. Threads: one per writer.
 */
#pragma once

#include "common/base/json.h"

struct json_out {
    struct str *text; /* NULL: a tree */
    json_t *tree;     /* a reference, for the caller; complete after the last
                         json_out_end() */
    unsigned depth;
    uint32_t arrays; /* bit N: the container at depth N is an array */
    bool comma;
    json_t *open[JSON_DEPTH_MAX]; /* of a tree: the containers around */
};

/* 'text' is borrowed and appended to. */
static inline struct json_out json_out_as_text(struct str *text)
{
    return (struct json_out){.text = text};
}

/* Containers, nested less than JSON_DEPTH_MAX deep. */
void json_out_object(struct json_out *out, const char *name);
void json_out_array(struct json_out *out, const char *name);
void json_out_end(struct json_out *out); /* of the innermost */

/* A string; bytes that are not UTF-8 (kernel names may hold any) become '?'.
 * NULL = "". */
void json_out_text(struct json_out *out, const char *name, const char *text);
/* The same, null for "". */
void json_out_text_or_null(struct json_out *out, const char *name,
                           const char *text);
void json_out_number(struct json_out *out, const char *name, uint64_t number);
void json_out_integer(struct json_out *out, const char *name, int64_t number);
void json_out_bool(struct json_out *out, const char *name, bool value);
void json_out_null(struct json_out *out, const char *name);
/* A value that there is as a tree; takes the reference. */
void json_out_json(struct json_out *out, const char *name, json_t *value);
