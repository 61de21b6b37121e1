/* SPDX-License-Identifier: Apache-2.0 */
/* What comes over the agent's hook socket: a message that is taken is written
 * again as it was read, its size is told alike from each beginning of it, and its
 * XML is read as the agent does. The same bytes as an answer and as the list of
 * guarded devices. */
#include "common/domain/guarded.h"
#include "common/domain/hook_frame.h"

#include "tests/fuzz/fuzz.h"

static void check_sizes(const char *text, size_t size)
{
    struct error err = {0};
    long whole = 0;
    for (size_t length = 0; length <= size && length <= 64; length++) {
        long told = hook_frame_size(text, length, HOOK_QUESTION_MAX, &err);
        if (whole != 0 && told != whole)
            abort();
        whole = told;
    }
}

static void check_question(const char *text, size_t size)
{
    struct error err = {0};
    struct hook_question question, again;
    if (hook_question_read(text, size, &question, &err) < 0) {
        fuzz_check_error(&err);
        return;
    }
    auto_str struct str first = {0}, second = {0};
    hook_question_write(&question, &first);
    if (hook_question_read(first.text, first.length, &again, &err) < 0)
        abort();
    hook_question_write(&again, &second);
    if (first.length != second.length ||
        memcmp(first.text, second.text, first.length) != 0)
        abort();
    struct domain_facts facts;
    if (question.xml_length == 0)
        return;
    if (domain_read(question.xml, question.xml_length, &facts, &err) == 0)
        domain_facts_done(&facts);
    else
        fuzz_check_error(&err);
}

static void check_answer(const char *text, size_t size)
{
    struct error err = {0};
    struct hook_answer answer, again;
    if (hook_answer_read(text, size, &answer, &err) < 0) {
        fuzz_check_error(&err);
        return;
    }
    auto_str struct str first = {0};
    hook_answer_write(&answer, &first);
    if (hook_answer_read(first.text, first.length, &again, &err) < 0 ||
        again.word != answer.word || strcmp(again.reason, answer.reason) != 0 ||
        strpbrk(answer.reason, "\n\r"))
        abort();
}

static void check_list(const char *text, size_t size)
{
    struct error err = {0};
    auto_str struct str copy = {0}, first = {0};
    auto_guarded struct guarded list = {0}, again = {0};
    str_add_bytes(&copy, text, size);
    if (guarded_read(str_text(&copy), &list, &err) < 0) {
        if (list.count)
            abort();
        fuzz_check_error(&err);
        return;
    }
    guarded_write(&list, &first);
    if (guarded_read(first.text, &again, &err) < 0 ||
        !guarded_same(&list, &again))
        abort();
    for (size_t i = 0; i < list.count; i++) {
        if (!guarded_find(&list, &list.devices[i].address))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    check_sizes(text, size);
    check_question(text, size);
    check_answer(text, size);
    check_list(text, size);
    return 0;
}
