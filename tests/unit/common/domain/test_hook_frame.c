/* SPDX-License-Identifier: Apache-2.0 */
/* Messages between hook and agent, and the list of guarded devices. */
#include "common/domain/guarded.h"
#include "common/domain/hook_frame.h"
#include "tests/unit/check_main.h"

#include <string.h>

static struct error err;

static const struct hook_question asked = {.operation = "prepare",
                                           .suboperation = "begin",
                                           .extra = "-",
                                           .domain = "g1",
                                           .deadline_ms = 1750,
                                           .xml = "<domain/>",
                                           .xml_length = 9};

static void check_asked(const struct hook_question *q)
{
    ck_assert_str_eq(q->operation, "prepare");
    ck_assert_str_eq(q->suboperation, "begin");
    ck_assert_str_eq(q->extra, "-");
    ck_assert_str_eq(q->domain, "g1");
    ck_assert_uint_eq(q->deadline_ms, 1750);
    ck_assert_uint_eq(q->xml_length, 9);
    ck_assert_mem_eq(q->xml, "<domain/>", 9);
}

START_TEST(a_question_comes_back_equal)
{
    auto_str struct str text = {0};
    struct hook_question back;
    hook_question_write(&asked, &text);
    ck_assert_int_eq(hook_question_read(text.text, text.length, &back, &err),
                     0);
    check_asked(&back);
}
END_TEST

START_TEST(an_answer_comes_back_equal)
{
    const struct hook_answer told = {.reason = "0000:3b:10.0: not yours"};
    auto_str struct str text = {0};
    struct hook_answer back = {.word = HOOK_WORD_GO_ON};
    hook_answer_write(&told, &text);
    ck_assert_int_eq(hook_answer_read(text.text, text.length, &back, &err), 0);
    ck_assert_uint_eq(back.word, HOOK_WORD_REFUSE);
    ck_assert_str_eq(back.reason, told.reason);
    const struct hook_answer yes = {.word = HOOK_WORD_GO_ON};
    text.length = 0;
    hook_answer_write(&yes, &text);
    ck_assert_int_eq(hook_answer_read(text.text, text.length, &back, &err), 0);
    ck_assert_uint_eq(back.word, HOOK_WORD_GO_ON);
    ck_assert_str_eq(back.reason, "");
}
END_TEST

START_TEST(every_cut_of_a_question_is_told)
{
    auto_str struct str text = {0};
    struct hook_question back = {.deadline_ms = 7};
    hook_question_write(&asked, &text);
    for (size_t length = 0; length < text.length; length++) {
        long size = hook_frame_size(text.text, length, HOOK_QUESTION_MAX, &err);
        ck_assert_int_eq(size,
                         length < HOOK_FRAME_HEADER ? 0 : (long)text.length);
        ck_assert_int_eq(hook_question_read(text.text, length, &back, &err),
                         -1);
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
    ck_assert_uint_eq(back.deadline_ms, 7);
}
END_TEST

/* As the next version may write it. */
START_TEST(a_later_version_is_read_where_it_says_so)
{
    auto_str struct str text = {0};
    struct hook_question back;
    hook_question_write(&asked, &text);
    str_add_bytes(&text, "\x03\xe7\0\0\0\x03new", 9);
    text.text[5] = HOOK_FRAME_VERSION + 1;
    text.text[11] = (char)(text.text[11] + 9);
    ck_assert_int_eq(hook_question_read(text.text, text.length, &back, &err),
                     0);
    check_asked(&back);
    text.text[7] = HOOK_FRAME_VERSION + 1;
    ck_assert_int_eq(hook_question_read(text.text, text.length, &back, &err),
                     -1);
    ck_assert_ptr_nonnull(strstr(err.msg, "one release"));
}
END_TEST

START_TEST(what_is_no_message_is_refused_at_its_first_byte)
{
    ck_assert_int_eq(hook_frame_size("G", 1, 4096, &err), -1);
    ck_assert_int_eq(hook_frame_size("SVHX", 4, 4096, &err), -1);
    const char large[] = "SVHK\0\1\0\1\0\x20\0\0";
    ck_assert_int_eq(hook_frame_size(large, 12, HOOK_QUESTION_MAX, &err), -1);
    ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
}
END_TEST

START_TEST(broken_fields_are_refused)
{
    struct hook_question question;
    struct hook_answer answer;
    /* A field that claims more bytes than follow. */
    const char cut[] = "SVHK\0\1\0\1\0\0\0\x08\0\1\0\0\0\3ab";
    ck_assert_int_eq(hook_question_read(cut, sizeof cut - 1, &question, &err),
                     -1);
    /* No field at all. */
    const char empty[] = "SVHK\0\1\0\1\0\0\0";
    ck_assert_int_eq(hook_question_read(empty, sizeof empty, &question, &err),
                     -1);
    ck_assert_int_eq(hook_answer_read(empty, sizeof empty, &answer, &err), -1);
    const char odd[] = "SVHK\0\1\0\1\0\0\0\7\0\x10\0\0\0\1\3";
    ck_assert_int_eq(hook_answer_read(odd, sizeof odd - 1, &answer, &err), -1);
}
END_TEST

START_TEST(texts_can_not_break_lines)
{
    struct hook_answer told = {.reason = "one\ntwo\033[0m"}, back;
    auto_str struct str text = {0};
    hook_answer_write(&told, &text);
    ck_assert_int_eq(hook_answer_read(text.text, text.length, &back, &err), 0);
    ck_assert_str_eq(back.reason, "one two [0m");
}
END_TEST

/* ---- guarded devices ------------------------------------------------------------- */

static struct pci_address address(const char *text)
{
    struct pci_address made;
    ck_assert(pci_parse(text, &made));
    return made;
}

static void add(struct guarded *list, const char *device, const char *pf)
{
    struct pci_address a = address(device), b = address(pf);
    guarded_add(list, &a, &b);
}

START_TEST(the_list_is_found_written_and_read)
{
    auto_guarded struct guarded list = {0}, back = {0};
    add(&list, "0000:3b:10.2", "0000:3b:00.0");
    add(&list, "0000:3b:00.0", "0000:3b:00.0");
    add(&list, "10000:01:00.1", "10000:01:00.0");
    add(&list, "0000:3b:10.2", "0000:3b:00.0");
    guarded_sort(&list);
    ck_assert_uint_eq(list.count, 3);
    auto_str struct str text = {0};
    guarded_write(&list, &text);
    ck_assert_str_eq(text.text, "sriov-guarded 1\n"
                                "0000:3b:00.0 0000:3b:00.0\n"
                                "0000:3b:10.2 0000:3b:00.0\n"
                                "10000:01:00.1 10000:01:00.0\n"
                                "end\n");
    ck_assert_int_eq(guarded_read(text.text, &back, &err), 0);
    ck_assert(guarded_same(&list, &back));
    struct pci_address vf = address("0000:3b:10.2");
    const struct guarded_device *found = guarded_find(&back, &vf);
    ck_assert_ptr_nonnull(found);
    struct pci_address pf = address("0000:3b:00.0");
    ck_assert_int_eq(pci_compare(&found->pf, &pf), 0);
    struct pci_address other = address("0000:3b:10.3");
    ck_assert_ptr_null(guarded_find(&back, &other));
}
END_TEST

START_TEST(an_empty_list_is_one)
{
    auto_guarded struct guarded list = {0};
    ck_assert_int_eq(guarded_read("sriov-guarded 1\nend\n", &list, &err), 0);
    ck_assert_uint_eq(list.count, 0);
    struct pci_address any = address("0000:00:00.0");
    ck_assert_ptr_null(guarded_find(&list, &any));
}
END_TEST

START_TEST(a_damaged_list_is_refused)
{
    static const char *const damaged[] = {
        "",
        "sriov-guarded 2\nend\n",
        "sriov-guarded 1\n",
        "sriov-guarded 1\n0000:3b:00.0 0000:3b:00.0\n",
        "sriov-guarded 1\n0000:3b:00.0\nend\n",
        "sriov-guarded 1\n0000:3b:00.0 ../../x\nend\n",
        "sriov-guarded 1\nend\nmore",
        "sriov-guarded 1\nend",
        ("sriov-guarded 1\n0000:3b:00.0 0000:3b:00.0 and much more than that\n"
         "end\n"),
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        auto_guarded struct guarded list = {0};
        ck_assert_int_eq(guarded_read(damaged[i], &list, &err), -1);
        ck_assert_int_eq(err.code, ERROR_CORRUPT);
        ck_assert_uint_eq(list.count, 0);
    }
}
END_TEST

CHECK_MAIN("hook_frame", a_question_comes_back_equal,
           an_answer_comes_back_equal, every_cut_of_a_question_is_told,
           a_later_version_is_read_where_it_says_so,
           what_is_no_message_is_refused_at_its_first_byte,
           broken_fields_are_refused, texts_can_not_break_lines,
           the_list_is_found_written_and_read, an_empty_list_is_one,
           a_damaged_list_is_refused);
