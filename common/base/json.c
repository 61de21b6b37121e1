/* SPDX-License-Identifier: Apache-2.0 */
/* JSON texts in, over jansson: see json.h. Reading by members is in
 * json_reader.c, writing in json_text.c. */
#include "common/base/json.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An integer of so many characters fits an int64_t surely. */
#define INTEGER_SIZE_SAFE 18

/* One walk over the bytes before jansson sees them. It finds what jansson
 * can't be told to refuse (depth: its own limit is 2048 levels, on the stack)
 * and nothing else: whether the text is JSON at all is jansson's to say. */
struct scan {
    const char *text;
    size_t length, at;
    size_t depth;
    size_t line, line_start;
    struct str copy; /* the text with long integers as reals; see below */
    size_t copied;   /* bytes of 'text' that are in 'copy' */
};

static void scan_string(struct scan *scan)
{
    for (scan->at++; scan->at < scan->length; scan->at++) {
        char c = scan->text[scan->at];
        if (c == '\\')
            scan->at++;
        else if (c == '"')
            return;
    }
}

/* jansson refuses a whole text for one integer above 2^63-1, and which member
 * that was is lost. As a real ("…e0") it passes, and whoever reads the member
 * refuses it by name and range. */
static void scan_number(struct scan *scan)
{
    const char *start = scan->text + scan->at;
    size_t size = 0, left = scan->length - scan->at;
    bool whole = true;
    while (size < left && start[size] && strchr("0123456789+-.eE", start[size]))
        whole = !strchr(".eE", start[size++]) && whole;
    scan->at += size - 1; /* the loop in scan_text() steps on */
    if (!whole || size <= INTEGER_SIZE_SAFE)
        return;
    char number[24] = ""; /* cut off, it is above 2^63 all the same */
    memcpy(number, start, size < sizeof number ? size : sizeof number - 1);
    errno = 0;
    (void)strtoll(number, NULL, 10);
    if (!errno)
        return;
    str_add_bytes(&scan->copy, scan->text + scan->copied,
                  scan->at + 1 - scan->copied);
    str_add(&scan->copy, "e0");
    scan->copied = scan->at + 1;
}

static int scan_text(struct scan *scan, struct error *err)
{
    for (; scan->at < scan->length; scan->at++) {
        char c = scan->text[scan->at];
        switch (c) {
        case '"':
            scan_string(scan);
            break;
        case '[':
        case '{':
            if (++scan->depth <= JSON_DEPTH_MAX)
                break;
            error_fill(err, ERROR_MALFORMED_JSON, 0, "",
                       "line %zu, column %zu: nested deeper than %d levels",
                       scan->line, scan->at - scan->line_start + 1,
                       JSON_DEPTH_MAX);
            error_remedy(err,
                         "send objects and arrays nested at most %d "
                         "levels deep",
                         JSON_DEPTH_MAX);
            return -1;
        case ']':
        case '}':
            scan->depth -= scan->depth > 0;
            break;
        case '\n':
            scan->line++;
            scan->line_start = scan->at + 1;
            break;
        default:
            if (c == '-' || isdigit((unsigned char)c))
                scan_number(scan);
        }
    }
    return 0;
}

static const char *remedy_for(enum json_error_code code)
{
    switch ((int)code) {
    case json_error_premature_end_of_input:
        return "the text ends too early: send all of it";
    case json_error_end_of_input_expected:
        return "send one JSON value and nothing after it";
    case json_error_invalid_utf8:
        return "send the text in UTF-8";
    case json_error_duplicate_key:
        return "name each member of an object once";
    case json_error_null_character:
    case json_error_null_byte_in_key:
        return "leave out NUL characters (\\u0000)";
    case json_error_numeric_overflow:
        return "send a smaller number";
    default:
        return "correct the text at that place; a JSON checker such as "
               "'jq .' shows it";
    }
}

/* jansson quotes bytes of the text; an error message is one line of text. */
static void one_line(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text) || (unsigned char)*text >= 128)
            *text = '?';
}

json_t *json_parse(const char *text, size_t length, struct error *err)
{
    size_t blanks = 0;
    while (blanks < length && isspace((unsigned char)text[blanks]))
        blanks++;
    if (blanks == length) {
        error_fill(err, ERROR_MALFORMED_JSON, 0, "",
                   "line 1, column 1: there is no JSON value, the text is "
                   "empty");
        error_remedy(err, "send a JSON object, at least {}");
        return NULL;
    }
    struct scan scan = {.text = text, .length = length, .line = 1};
    if (scan_text(&scan, err)) {
        str_done(&scan.copy);
        return NULL;
    }
    if (scan.copied) {
        str_add_bytes(&scan.copy, text + scan.copied, length - scan.copied);
        text = scan.copy.text;
        length = scan.copy.length;
    }
    json_error_t why;
    json_t *value = json_loadb(text, length,
                               JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    str_done(&scan.copy);
    if (value)
        return value;
    one_line(why.text);
    enum json_error_code code = json_error_code(&why);
    error_fill(err, ERROR_MALFORMED_JSON, 0, "", "line %d, column %d: %s",
               why.line > 0 ? why.line : 1, why.column > 0 ? why.column : 1,
               code == json_error_null_character ? "a NUL character (\\u0000)"
                                                 : why.text);
    error_remedy(err, "%s", remedy_for(code));
    return NULL;
}
