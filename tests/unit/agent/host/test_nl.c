/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams of answers, built here as the kernel builds them (netlink_ack in
 * net/netlink/af_netlink.c): refusals with their number and reason, ends of
 * dumps, answers to older requests, lengths that lie. */
#include "agent/host/nl.h"

#include "common/base/mem.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#define SEQUENCE 7

/* As malloc() aligns. */
static _Alignas(8) unsigned char bytes[512];
static size_t length;
static struct error err;
static unsigned answers;

static void begin(void)
{
    length = 0;
    answers = 0;
    err = (struct error){0};
}

static struct nlmsghdr *put(uint16_t type, uint16_t flags, const void *body,
                            size_t size)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(void *)(bytes + length);
    *header = (struct nlmsghdr){.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size),
                                .nlmsg_type = type,
                                .nlmsg_flags = flags,
                                .nlmsg_seq = SEQUENCE};
    memcpy(bytes + length + NLMSG_HDRLEN, body, size);
    length += NLMSG_ALIGN(NLMSG_HDRLEN + size);
    return header;
}

/* A refusal that quotes a request of 'quoted' bytes, then says 'reason'. */
static void put_refusal(int number, uint16_t flags, uint32_t quoted,
                        const char *reason)
{
    unsigned char body[256] = {0};
    struct nlmsgerr told = {.error = number, .msg.nlmsg_len = quoted};
    size_t size = sizeof told;
    memcpy(body, &told, sizeof told);
    if (!(flags & NLM_F_CAPPED) && quoted > sizeof told.msg)
        size += NLMSG_ALIGN(quoted - sizeof told.msg);
    const size_t head = sizeof(struct nlattr);
    struct nlattr attr = {.nla_len = (uint16_t)(head + strlen(reason) + 1),
                          .nla_type = NLMSGERR_ATTR_MSG};
    memcpy(body + size, &attr, sizeof attr);
    memcpy(body + size + head, reason, strlen(reason) + 1);
    put(NLMSG_ERROR, flags, body, size + NLMSG_ALIGN(attr.nla_len));
}

static void on_answer(void *context, const struct nlmsghdr *answer)
{
    (void)context;
    (void)answer;
    answers++;
}

static int take(void)
{
    return nl_take(bytes, length, SEQUENCE, on_answer, NULL, "try", &err);
}

START_TEST(a_refusal_has_its_number_and_the_kernels_reason)
{
    static const struct {
        uint16_t flags;
        uint32_t quoted;
    } forms[] = {{NLM_F_ACK_TLVS | NLM_F_CAPPED, 48},
                 {NLM_F_ACK_TLVS, 48},
                 {NLM_F_ACK_TLVS, 16}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        begin();
        put_refusal(-ERANGE, forms[i].flags, forms[i].quoted, "too fast");
        ck_assert_int_eq(take(), -1);
        ck_assert_int_eq(err.sys, ERANGE);
        ck_assert_ptr_nonnull(strstr(err.msg, "'too fast'"));
    }
}
END_TEST

START_TEST(a_quoted_request_shorter_than_its_header_tells_no_reason)
{
    begin();
    put_refusal(-EINVAL, NLM_F_ACK_TLVS, 3, "never read");
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(err.sys, EINVAL);
    ck_assert_ptr_null(strstr(err.msg, "never read"));
}
END_TEST

START_TEST(a_number_that_is_no_errno_is_a_damaged_message)
{
    static const int numbers[] = {INT32_MIN, -4096, 1, INT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        begin();
        put_refusal(numbers[i], NLM_F_CAPPED, 16, "");
        ck_assert_int_eq(take(), -1);
        ck_assert_int_eq(err.sys, EBADMSG);
    }
    const int absurd = INT32_MIN;
    begin();
    put(NLMSG_DONE, 0, &absurd, sizeof absurd);
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(err.sys, EBADMSG);
}
END_TEST

START_TEST(answers_are_taken_up_to_the_acknowledgement)
{
    const struct ifinfomsg link = {0};
    begin();
    put(RTM_NEWLINK, 0, &link, sizeof link);
    put(NLMSG_NOOP, 0, "", 0);
    put(RTM_NEWLINK, 0, &link, sizeof link);
    ck_assert_int_eq(take(), 1);
    ck_assert_uint_eq(answers, 2);
    put_refusal(0, NLM_F_CAPPED, 16, "");
    put(RTM_NEWLINK, 0, &link, sizeof link);
    answers = 0;
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(answers, 2);
}
END_TEST

START_TEST(a_dump_that_fails_at_its_end_is_refused)
{
    const int number = -EBUSY, fine = 0;
    begin();
    put(NLMSG_DONE, NLM_F_MULTI, &number, sizeof number);
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(err.sys, EBUSY);
    begin();
    put(NLMSG_DONE, NLM_F_MULTI, &fine, sizeof fine);
    ck_assert_int_eq(take(), 0);
}
END_TEST

START_TEST(answers_to_an_older_request_are_passed_over)
{
    const struct ifinfomsg link = {0};
    begin();
    put(RTM_NEWLINK, 0, &link, sizeof link)->nlmsg_seq = SEQUENCE - 1;
    put(RTM_NEWLINK, 0, &link, sizeof link);
    ck_assert_int_eq(take(), 1);
    ck_assert_uint_eq(answers, 1);
}
END_TEST

START_TEST(a_message_cut_at_any_place_is_not_read_beyond)
{
    begin();
    put_refusal(-EINVAL, NLM_F_ACK_TLVS, 48, "why");
    for (size_t cut = 0; cut < length; cut++) {
        auto_free unsigned char *copy = mem_calloc(cut + !cut, 1);
        memcpy(copy, bytes, cut);
        ck_assert_int_eq(
            nl_take(copy, cut, SEQUENCE, on_answer, NULL, "try", &err), 1);
    }
    /* A header that promises less than what a refusal has. */
    ((struct nlmsghdr *)(void *)bytes)->nlmsg_len = NLMSG_HDRLEN + 2;
    ck_assert_int_eq(take(), -1);
    ck_assert_int_eq(err.sys, EBADMSG);
}
END_TEST

CHECK_MAIN("nl", a_refusal_has_its_number_and_the_kernels_reason,
           a_quoted_request_shorter_than_its_header_tells_no_reason,
           a_number_that_is_no_errno_is_a_damaged_message,
           answers_are_taken_up_to_the_acknowledgement,
           a_dump_that_fails_at_its_end_is_refused,
           answers_to_an_older_request_are_passed_over,
           a_message_cut_at_any_place_is_not_read_beyond);
