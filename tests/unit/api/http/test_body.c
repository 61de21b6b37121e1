/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: their limits while they come, slow ones, many on one connection. */
#include "tests/unit/api/http/site.h"

#define POST_HEAD                                                              \
    "POST /v1/things" TAIL AS("operator") "Content-Type: application/json\r\n"
#define PUT_HEAD                                                               \
    "PUT /v1/report" TAIL AS("agent") "Content-Type: application/json\r\n"

/* Send chunks of 'size' bytes until the server answers or 'most' are sent. */
static size_t send_chunks(int fd, size_t size, size_t most)
{
    auto_free char *bytes = mem_calloc(size, 1);
    memset(bytes, ' ', size);
    char head[32];
    snprintf(head, sizeof head, "%zx\r\n", size);
    size_t sent = 0;
    for (; sent < most; sent++) {
        char byte;
        if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1 ||
            !peer_send(fd, head) || !peer_send_bytes(fd, bytes, size) ||
            !peer_send(fd, "\r\n"))
            break;
    }
    return sent;
}

static void end_with_413(int fd)
{
    struct reply reply = peer_read(fd, false);
    char value[64];
    json_decref(check_problem(&reply, 413, "too_large"));
    ck_assert_str_eq(reply_header(&reply, "Connection", value, sizeof value),
                     "close");
    reply_done(&reply);
    ck_assert(peer_is_ended(fd, 5000));
    close(fd);
}

START_TEST(a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not)
{
    site_start();
    for (size_t extra = 0; extra < 2; extra++) {
        char body[BODY_MAX + 2];
        memset(body, ' ', sizeof body);
        body[0] = '{';
        body[BODY_MAX - 1 + extra] = '}';
        body[BODY_MAX + extra] = '\0';
        auto_free char *text = mem_printf(
            POST_HEAD "Content-Length: %zu\r\n\r\n%s", BODY_MAX + extra, body);
        struct reply reply = site_ask(text);
        ck_assert_int_eq(reply.status, extra ? 413 : 201);
        reply_done(&reply);
    }
    site_stop();
}
END_TEST

START_TEST(a_chunked_body_of_exactly_the_limit_is_taken)
{
    site_start();
    auto_free char *rest = mem_calloc(BODY_MAX, 1);
    memset(rest, ' ', BODY_MAX - 2);
    auto_free char *text =
        mem_printf(POST_HEAD "Transfer-Encoding: chunked\r\n\r\n"
                             "2\r\n{}\r\n%x\r\n%s\r\n0\r\n\r\n",
                   BODY_MAX - 2, rest);
    struct reply reply = site_ask(text);
    ck_assert_int_eq(reply.status, 201);
    reply_done(&reply);
    site_stop();
}
END_TEST

START_TEST(a_streamed_body_beyond_the_limit_is_answered_while_it_comes)
{
    site_start();
    int fd = site_connect();
    peer_send(fd, POST_HEAD "Transfer-Encoding: chunked\r\n\r\n");
    /* A server that read it all would let all of the 4 GB through. */
    ck_assert_uint_lt(send_chunks(fd, 4096, 1u << 20), 1u << 20);
    end_with_413(fd);
    site_stop();
}
END_TEST

START_TEST(a_declared_size_beyond_the_limit_is_answered_while_it_comes)
{
    site_start();
    int fd = site_connect();
    peer_send(fd, POST_HEAD "Content-Length: 1000000000000\r\n\r\n");
    static char bytes[65536];
    char byte;
    size_t sent = 0;
    while (sent < 1u << 20 &&
           recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1 &&
           peer_send_bytes(fd, bytes, sizeof bytes))
        sent++;
    ck_assert_uint_lt(sent, 1u << 20);
    end_with_413(fd);
    site_stop();
}
END_TEST

START_TEST(the_answer_survives_what_the_peer_sent_after_it)
{
    site_start();
    for (int i = 0; i < 20; i++) {
        int fd = site_connect();
        peer_send(fd, POST_HEAD "Content-Length: 10000000\r\n\r\n");
        static char bytes[300000];
        /* Closing with these unread would reset the connection. */
        peer_send_bytes(fd, bytes, sizeof bytes);
        usleep(20000);
        end_with_413(fd);
    }
    site_stop();
}
END_TEST

START_TEST(an_early_answer_is_followed_by_a_close_and_no_reset)
{
    site_start();
    static const char *const heads[] = {
        POST_HEAD "Content-Length: 10000000\r\n\r\n",
        POST_HEAD "Transfer-Encoding: chunked\r\n\r\nfffff\r\n"};
    for (size_t i = 0; i < 2; i++) {
        int fd = site_connect();
        static char bytes[100000];
        peer_send(fd, heads[i]);
        peer_send_bytes(fd, bytes, sizeof bytes);
        struct reply reply = peer_read(fd, false);
        ck_assert_int_eq(reply.status, 413);
        reply_done(&reply);
        usleep(50000);
        ck_assert(peer_send_bytes(fd, bytes, sizeof bytes));
        usleep(50000);
        ck_assert(peer_send_bytes(fd, bytes, sizeof bytes));
        close(fd);
    }
    site_stop();
}
END_TEST

START_TEST(an_unauthenticated_stream_is_answered_and_ended_too)
{
    site_start();
    int fd = site_connect();
    peer_send(fd, "PUT /v1/report" TAIL "Transfer-Encoding: chunked\r\n\r\n");
    ck_assert_uint_lt(send_chunks(fd, 4096, 1u << 20), 1u << 20);
    struct reply reply = peer_read(fd, false);
    char value[64];
    json_decref(check_problem(&reply, 401, "unauthenticated"));
    ck_assert_ptr_nonnull(
        reply_header(&reply, "WWW-Authenticate", value, sizeof value));
    reply_done(&reply);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_small_refused_body_leaves_the_connection_open)
{
    site_start();
    int fd = site_connect();
    for (int i = 0; i < 3; i++) {
        peer_send(fd, "POST /v1/things" TAIL "Content-Length: 5\r\n\r\nhello");
        struct reply reply = peer_read(fd, false);
        json_decref(check_problem(&reply, 401, "unauthenticated"));
        reply_done(&reply);
    }
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_route_without_a_body_refuses_one)
{
    site_start();
    refused("GET /v1/open" TAIL "Content-Length: 2\r\n\r\n{}", 413,
            "too_large");
    site_stop();
}
END_TEST

START_TEST(a_large_body_arrives_whole)
{
    site_start();
    auto_free char *body = mem_calloc(REPORT_MAX, 1);
    memset(body, ' ', REPORT_MAX);
    int fd = site_connect();
    auto_free char *head =
        mem_printf(PUT_HEAD "Content-Length: %d\r\n\r\n", REPORT_MAX);
    ck_assert(peer_send(fd, head) && peer_send_bytes(fd, body, REPORT_MAX));
    struct reply reply = peer_read(fd, false);
    ck_assert_str_eq(reply.body, "{\"size\":4000000}\n");
    reply_done(&reply);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(who_asks_before_sending_is_told_to_go_on_or_why_not)
{
    site_start();
    int fd = site_connect();
    peer_send(fd,
              POST_HEAD "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    struct reply reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 100);
    peer_send(fd, "{}");
    reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 201);
    reply_done(&reply);
    peer_send(fd,
              POST_HEAD "Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
    end_with_413(fd);
    site_stop();
}
END_TEST

START_TEST(a_connection_serves_many_requests_also_sent_at_once)
{
    site_start();
    int fd = site_connect();
    auto_str struct str all = {0};
    for (int i = 0; i < 20; i++)
        str_printf(&all,
                   "GET /v1/things/%d/parts/x" TAIL "\r\n" POST_HEAD
                   "Content-Length: 9\r\n\r\n{\"n\": %02d}",
                   i, i);
    ck_assert(peer_send(fd, all.text));
    for (int i = 0; i < 20; i++) {
        struct reply reply = peer_read(fd, false);
        auto_free char *wanted =
            mem_printf("{\"thing\":\"%d\",\"part\":\"x\"}\n", i);
        ck_assert_int_eq(reply.status, 200);
        ck_assert_str_eq(reply.body, wanted);
        reply_done(&reply);
        /* A number with a zero before it is no JSON. */
        reply = peer_read(fd, false);
        ck_assert_int_eq(reply.status, i < 10 ? 400 : 201);
        reply_done(&reply);
    }
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_body_may_come_in_single_bytes)
{
    site_start();
    int fd = site_connect();
    const char *text = POST_HEAD "Content-Length: 8\r\n\r\n{\"a\": 1}";
    for (; *text; text++) {
        peer_send_bytes(fd, text, 1);
        usleep(500);
    }
    struct reply reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 201);
    ck_assert_str_eq(reply.body, "{\"a\":1}\n");
    reply_done(&reply);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_body_that_creeps_is_cut_off)
{
    site_start_with(2, 64, 1);
    int fd = site_connect();
    peer_send(fd, PUT_HEAD "Content-Length: 100000\r\n\r\n");
    int64_t start = timestamp_monotonic();
    int64_t most = start + 20 * TIMESTAMP_SECOND;
    while (timestamp_monotonic() < most && peer_send(fd, " ") &&
           !peer_is_ended(fd, 100))
        ;
    ck_assert_int_gt(timestamp_monotonic() - start, TIMESTAMP_SECOND);
    ck_assert_int_lt(timestamp_monotonic(), most);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_peer_that_leaves_in_the_middle_leaves_nothing_behind)
{
    site_start();
    const char *const halves[] = {
        "GET /v1/op", "GET /v1/open HTTP/1.1\r\nHost:", POST_HEAD,
        POST_HEAD "Content-Length: 100\r\n\r\n{",
        POST_HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\n{"};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        int fd = site_connect();
        peer_send(fd, halves[i]);
        usleep(10000);
        close(fd);
    }
    struct reply reply = site_ask("GET /v1/open" TAIL "\r\n");
    ck_assert_int_eq(reply.status, 200);
    reply_done(&reply);
    site_stop(); /* the leak checker looks on */
}
END_TEST

START_TEST(malformed_http_is_answered_400)
{
    site_start();
    const char *const bad[] = {
        "GET /v1/open HTTP/1.1\r\n\r\n", /* no Host */
        "POST /v1/things" TAIL "Content-Length: x\r\n\r\n",
        "POST /v1/things" TAIL "Content-Length: -1\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reply reply = site_ask(bad[i]);
        ck_assert_msg(reply.status == 400, "%s: %d", bad[i], reply.status);
        reply_done(&reply);
    }
    site_stop();
}
END_TEST

START_TEST(a_body_whose_end_could_be_read_in_two_ways_is_refused)
{
    site_start();
    static const char *const bad[] = {
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 35\r\n\r\n",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        auto_free char *text = mem_printf(
            POST_HEAD "%sGET /v1/open HTTP/1.1\r\nHost: x\r\n\r\n", bad[i]);
        int fd = site_connect();
        peer_send(fd, text);
        struct reply reply = peer_read(fd, false);
        json_decref(check_problem(&reply, 400, "invalid"));
        reply_done(&reply);
        ck_assert(peer_is_ended(fd, 5000)); /* no second answer */
        close(fd);
    }
    site_stop();
}
END_TEST

START_TEST(oversized_heads_are_refused_and_the_peer_is_told)
{
    site_start();
    for (size_t size = 17000; size < 1000000; size *= 5) {
        auto_free char *filler = mem_calloc(size + 1, 1);
        memset(filler, 'x', size);
        auto_free char *text =
            mem_printf("GET /v1/open" TAIL "X-Filler: %s\r\n\r\n", filler);
        int fd = site_connect();
        peer_send(fd, text);
        struct reply reply = peer_read(fd, false);
        /* Ours where the head just fits, else libmicrohttpd's own. */
        ck_assert_int_eq(reply.status, size < 20000 ? 413 : 431);
        reply_done(&reply);
        /* After a reset the second would fail. */
        usleep(30000);
        ck_assert(peer_send(fd, "more"));
        usleep(30000);
        ck_assert(peer_send(fd, "more"));
        close(fd);
    }
    auto_free char *path = mem_calloc(100001, 1);
    memset(path, 'x', 100000);
    auto_free char *text = mem_printf("GET /%s" TAIL "\r\n", path);
    struct reply reply = site_ask(text);
    ck_assert_int_eq(reply.status, 414);
    reply_done(&reply);
    site_stop();
}
END_TEST

CHECK_MAIN("http bodies",
           a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not,
           a_chunked_body_of_exactly_the_limit_is_taken,
           a_streamed_body_beyond_the_limit_is_answered_while_it_comes,
           a_declared_size_beyond_the_limit_is_answered_while_it_comes,
           the_answer_survives_what_the_peer_sent_after_it,
           an_early_answer_is_followed_by_a_close_and_no_reset,
           an_unauthenticated_stream_is_answered_and_ended_too,
           a_small_refused_body_leaves_the_connection_open,
           a_route_without_a_body_refuses_one, a_large_body_arrives_whole,
           who_asks_before_sending_is_told_to_go_on_or_why_not,
           a_connection_serves_many_requests_also_sent_at_once,
           a_body_may_come_in_single_bytes, a_body_that_creeps_is_cut_off,
           a_peer_that_leaves_in_the_middle_leaves_nothing_behind,
           malformed_http_is_answered_400,
           a_body_whose_end_could_be_read_in_two_ways_is_refused,
           oversized_heads_are_refused_and_the_peer_is_told);
