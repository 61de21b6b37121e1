/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between hook and agent: see hook_frame.h. */
#include "common/domain/hook_frame.h"

#include <string.h>

#define FIELD_HEADER 6

static uint32_t number_of(const char *at, size_t bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number = number << 8 | (uint8_t)at[i];
    return number;
}

static void add_number(struct str *out, uint32_t number, unsigned bytes)
{
    char text[4];
    for (unsigned i = 0; i < bytes; i++)
        text[i] = (char)(number >> (8 * (bytes - 1 - i)) & 0xff);
    str_add_bytes(out, text, bytes);
}

/* ---- writing ------------------------------------------------------------------- */

static void add_field(struct str *out, enum hook_tag tag, const char *data,
                      size_t length)
{
    add_number(out, (uint32_t)tag, 2);
    add_number(out, (uint32_t)length, 4);
    str_add_bytes(out, data, length);
}

static void add_text(struct str *out, enum hook_tag tag, const char *text)
{
    if (*text)
        add_field(out, tag, text, strlen(text));
}

static void add_frame(struct str *out, const struct str *fields)
{
    str_add_bytes(out, "SVHK", 4);
    add_number(out, HOOK_FRAME_VERSION, 2);
    add_number(out, HOOK_FRAME_OLDEST, 2);
    add_number(out, (uint32_t)fields->length, 4);
    str_add_bytes(out, str_text(fields), fields->length);
}

void hook_question_write(const struct hook_question *question, struct str *out)
{
    auto_str struct str fields = {0};
    add_text(&fields, HOOK_TAG_OPERATION, question->operation);
    add_text(&fields, HOOK_TAG_SUBOPERATION, question->suboperation);
    add_text(&fields, HOOK_TAG_EXTRA, question->extra);
    add_text(&fields, HOOK_TAG_DOMAIN, question->domain);
    if (question->deadline_ms) {
        add_number(&fields, HOOK_TAG_DEADLINE_MS, 2);
        add_number(&fields, 4, 4);
        add_number(&fields, question->deadline_ms, 4);
    }
    if (question->xml_length)
        add_field(&fields, HOOK_TAG_XML, question->xml, question->xml_length);
    add_frame(out, &fields);
}

void hook_answer_write(const struct hook_answer *answer, struct str *out)
{
    auto_str struct str fields = {0};
    const char verdict = (char)answer->word;
    add_field(&fields, HOOK_TAG_VERDICT, &verdict, 1);
    add_text(&fields, HOOK_TAG_REASON, answer->reason);
    add_frame(out, &fields);
}

/* ---- reading -------------------------------------------------------------------- */

long hook_frame_size(const char *data, size_t length, size_t max,
                     struct error *err)
{
    size_t known = length < 4 ? length : 4;
    if (memcmp(data, "SVHK", known) != 0)
        return error_set(err, ERROR_INVALID, "not a message of the hook");
    if (length < HOOK_FRAME_HEADER)
        return 0;
    if (number_of(data + 6, 2) > HOOK_FRAME_VERSION)
        return error_set(err, ERROR_INVALID,
                         "the message is of version %u and needs %u to be "
                         "understood, this is %d: install hook and agent of "
                         "one release",
                         number_of(data + 4, 2), number_of(data + 6, 2),
                         HOOK_FRAME_VERSION);
    size_t size = (size_t)number_of(data + 8, 4) + HOOK_FRAME_HEADER;
    if (size > max)
        return error_set(err, ERROR_TOO_LARGE,
                         "a message of %zu bytes, at most %zu are taken", size,
                         max);
    return (long)size;
}

struct field {
    uint32_t tag;
    const char *data;
    size_t length;
};

/* The next field at '*at'; false at the end or where it is broken ('*broken'). */
static bool next_field(const char **at, const char *end, struct field *field,
                       bool *broken)
{
    size_t left = (size_t)(end - *at);
    if (left == 0)
        return false;
    *broken = left < FIELD_HEADER ||
              number_of(*at + 2, 4) > (uint32_t)(left - FIELD_HEADER);
    if (*broken)
        return false;
    field->tag = number_of(*at, 2);
    field->length = number_of(*at + 2, 4);
    field->data = *at + FIELD_HEADER;
    *at = field->data + field->length;
    return true;
}

static int check_frame(const char *data, size_t length, size_t max,
                       struct error *err)
{
    long size = hook_frame_size(data, length, max, err);
    if (size < 0)
        return -1;
    if (size == 0 || (size_t)size != length)
        return error_set(err, ERROR_INVALID, "the message is cut");
    return 0;
}

static void take_text(const struct field *field, char *out, size_t size)
{
    size_t length = field->length < size - 1 ? field->length : size - 1;
    memset(out, 0, size);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)field->data[i];
        out[i] = field->data[i];
        if (c < 0x20 || c == 0x7f)
            out[i] = ' ';
    }
}

static void take_question(struct hook_question *q, const struct field *field)
{
    if (field->tag == HOOK_TAG_OPERATION)
        take_text(field, q->operation, sizeof q->operation);
    else if (field->tag == HOOK_TAG_SUBOPERATION)
        take_text(field, q->suboperation, sizeof q->suboperation);
    else if (field->tag == HOOK_TAG_EXTRA)
        take_text(field, q->extra, sizeof q->extra);
    else if (field->tag == HOOK_TAG_DOMAIN)
        take_text(field, q->domain, sizeof q->domain);
    else if (field->tag == HOOK_TAG_DEADLINE_MS && field->length == 4)
        q->deadline_ms = number_of(field->data, 4);
    else if (field->tag == HOOK_TAG_XML) {
        q->xml = field->data;
        q->xml_length = field->length;
    }
}

int hook_question_read(const char *data, size_t length,
                       struct hook_question *out, struct error *err)
{
    if (check_frame(data, length, HOOK_QUESTION_MAX, err) < 0)
        return -1;
    struct hook_question question = {0};
    struct field field;
    const char *at = data + HOOK_FRAME_HEADER;
    bool broken = false;
    while (next_field(&at, data + length, &field, &broken))
        take_question(&question, &field);
    if (broken || !*question.operation)
        return error_set(err, ERROR_INVALID, "%s",
                         broken ? "a field of the message is cut"
                                : "the message names no operation");
    *out = question;
    return 0;
}

int hook_answer_read(const char *data, size_t length, struct hook_answer *out,
                     struct error *err)
{
    if (check_frame(data, length, HOOK_ANSWER_MAX, err) < 0)
        return -1;
    struct hook_answer answer = {0};
    struct field field;
    const char *at = data + HOOK_FRAME_HEADER;
    bool broken = false, has_verdict = false;
    while (next_field(&at, data + length, &field, &broken)) {
        if (field.tag == HOOK_TAG_VERDICT && field.length == 1) {
            answer.word = (uint8_t)field.data[0];
            has_verdict = answer.word <= HOOK_WORD_UNKNOWN;
        } else if (field.tag == HOOK_TAG_REASON) {
            take_text(&field, answer.reason, sizeof answer.reason);
        }
    }
    if (broken || !has_verdict)
        return error_set(err, ERROR_INVALID, "%s",
                         broken ? "a field of the answer is cut"
                                : "the answer tells no verdict");
    *out = answer;
    return 0;
}
