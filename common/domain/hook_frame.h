/* SPDX-License-Identifier: Apache-2.0 */
/* What sriov-hook and the agent say to each other over the agent's unix socket
 * (SOCK_STREAM): one question, one answer, end of the connection.
 *
 *   bytes 0-3   "SVHK"
 *         4-5   the version that the sender speaks
 *         6-7   the oldest version whose readers understand this message
 *         8-11  how many bytes of fields follow
 *   fields      tag (2 bytes), length (4 bytes), that many bytes; in any order,
 *               each tag at most once
 *
 * Numbers are big-endian. A reader takes a message if its own version is not
 * below the second number, and skips tags that it does not know: so either side
 * may be one version ahead of the other.
 *
 * Nothing here keeps state; any thread.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/str.h"
#include "common/domain/domain.h"

#define HOOK_FRAME_VERSION 1
#define HOOK_FRAME_OLDEST 1 /* what we write is understood from this one on */
#define HOOK_FRAME_HEADER 12

enum hook_tag {
    HOOK_TAG_OPERATION = 1,    /* text: "prepare" */
    HOOK_TAG_SUBOPERATION = 2, /* text: "begin" */
    HOOK_TAG_EXTRA = 3,        /* text: "-", "migrated" */
    HOOK_TAG_DOMAIN = 4,       /* text: the domain's name */
    HOOK_TAG_DEADLINE_MS = 5,  /* 4 bytes: the answer is of no use later */
    HOOK_TAG_XML = 6,          /* the domain's XML as libvirt gave it */
    HOOK_TAG_VERDICT = 16,     /* 1 byte: 0 = refuse, 1 = go on, 2 = the agent
                                  can't tell: as if it were down */
    HOOK_TAG_REASON = 17,      /* text for people, one line */
};

/* The longest messages that are read. */
#define HOOK_QUESTION_MAX (DOMAIN_TEXT_MAX + 4096)
#define HOOK_ANSWER_MAX 4096

struct hook_question {
    char operation[32], suboperation[32], extra[64]; /* cut where longer */
    char domain[128];
    uint32_t deadline_ms; /* 0 = not said */
    const char *xml;      /* borrowed; not terminated */
    size_t xml_length;
};
enum hook_word { HOOK_WORD_REFUSE, HOOK_WORD_GO_ON, HOOK_WORD_UNKNOWN };
struct hook_answer {
    uint8_t word;     /* enum hook_word, which are the verdicts above */
    char reason[512]; /* "" with GO_ON */
};

/* How long the whole message is that begins with these bytes: 0 = too few are
 * there to tell. -1: INVALID (no such message), TOO_LARGE (above 'max'). */
long hook_frame_size(const char *data, size_t length, size_t max,
                     struct error *err);

/* Append the message. */
void hook_question_write(const struct hook_question *question, struct str *out);
void hook_answer_write(const struct hook_answer *answer, struct str *out);
/* Read a whole message. INVALID: not one, or one for later versions only, or
 * without operation or verdict. Control characters of texts become spaces. */
int hook_question_read(const char *data, size_t length,
                       struct hook_question *out, struct error *err);
int hook_answer_read(const char *data, size_t length, struct hook_answer *out,
                     struct error *err);
