/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered later: deferred requests, long-polls, event streams, and all
 * of them when the server stops. */
#include "tests/unit/api/http/site.h"

#include <poll.h>

#define MANY 50

/* Wait until so many are parked; Check's time limit is the end of it. */
static void until_parked(size_t count)
{
    while (http_parked(site.server) != count)
        usleep(1000);
}

static int ask_wait(const char *key, int after, int ms)
{
    int fd = site_connect();
    auto_free char *text = mem_printf(
        "GET /v1/wait/%s?after=%d&ms=%d" TAIL "\r\n", key, after, ms);
    ck_assert(peer_send(fd, text));
    return fd;
}

static void expect_version(int fd, int version)
{
    struct reply reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 200);
    auto_free char *wanted = mem_printf("{\"version\":%d}\n", version);
    ck_assert_str_eq(reply.body, wanted);
    reply_done(&reply);
}

static void expect_status(int fd, int status)
{
    struct reply reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, status);
    reply_done(&reply);
}

static void publish(const char *key)
{
    atomic_fetch_add(&site.version, 1);
    http_wake(site.server, key);
}

START_TEST(a_deferred_request_is_answered_by_another_thread)
{
    site_start();
    int fd = site_connect();
    for (int i = 0; i < 50; i++) {
        peer_send(fd, "GET /v1/later" TAIL "\r\n");
        struct reply reply = peer_read(fd, false);
        json_decref(check_problem(&reply, 409, "conflict"));
        reply_done(&reply);
    }
    close(fd);
    site_stop();
}
END_TEST

START_TEST(many_deferred_at_once_all_get_their_answers)
{
    site_start();
    int fds[MANY];
    atomic_store(&site.holds, true);
    for (int i = 0; i < MANY; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/later" TAIL "\r\n");
    }
    atomic_store(&site.holds, false);
    for (int i = 0; i < MANY; i++) {
        expect_status(fds[i], 409);
        close(fds[i]);
    }
    site_stop();
}
END_TEST

/* Ask on each of 'fds', and have the worker find all of them at once. */
static void ask_later(int *fds, int count)
{
    atomic_store(&site.holds, true);
    for (int i = 0; i < count; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/later" TAIL "\r\n");
    }
    while (atomic_load(&site.deferred) < count)
        usleep(1000);
    atomic_store(&site.holds, false);
}

START_TEST(held_answers_go_out_at_the_release)
{
    site_start();
    int fd;
    atomic_store(&site.bundles, true);
    atomic_store(&site.keeps, true);
    ask_later(&fd, 1);
    while (atomic_load(&site.answered) < 1)
        usleep(1000);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&polled, 1, 100), 0);
    atomic_store(&site.keeps, false);
    expect_status(fd, 409);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(more_answers_than_are_held_all_go_out)
{
    site_start();
    int fds[3 * MANY];
    atomic_store(&site.bundles, true);
    ask_later(fds, 3 * MANY);
    for (int i = 0; i < 3 * MANY; i++) {
        expect_status(fds[i], 409);
        close(fds[i]);
    }
    site_stop();
}
END_TEST

START_TEST(a_long_poll_with_news_is_answered_at_once)
{
    site_start();
    publish("news");
    int fd = ask_wait("news", 0, 60000);
    expect_version(fd, 1);
    ck_assert_uint_eq(http_parked(site.server), 0);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_long_poll_waits_for_its_own_key)
{
    site_start();
    int fd = ask_wait("mine", 0, 60000);
    until_parked(1);
    http_wake(site.server, "other");
    http_wake(site.server, "mine!");
    ck_assert_uint_eq(http_parked(site.server), 1);
    publish("mine");
    expect_version(fd, 1);
    ck_assert_uint_eq(http_parked(site.server), 0);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_long_poll_ends_when_its_time_is_over)
{
    site_start();
    int64_t start = timestamp_monotonic();
    int fd = ask_wait("quiet", 0, 300);
    expect_status(fd, 204);
    int64_t took = timestamp_monotonic() - start;
    ck_assert_int_ge(took, 299 * TIMESTAMP_MS);
    /* And the connection is as good as before. */
    peer_send(fd, "GET /v1/open" TAIL "\r\n");
    expect_status(fd, 200);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(fifty_long_polls_wake_together_again_and_again)
{
    site_start();
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = ask_wait("all", 0, 60000);
    for (int round = 1; round <= 5; round++) {
        until_parked(MANY);
        publish("all");
        for (int i = 0; i < MANY; i++) {
            expect_version(fds[i], round);
            auto_free char *text = mem_printf(
                "GET /v1/wait/all?after=%d&ms=60000" TAIL "\r\n", round);
            ck_assert(peer_send(fds[i], text));
        }
    }
    until_parked(MANY);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    site_stop();
}
END_TEST

static void *publish_often(void *context)
{
    (void)context;
    for (int i = 0; i < 2000; i++) {
        publish("often");
        if (i % 64 == 0)
            usleep(500);
    }
    return NULL;
}

START_TEST(no_wake_is_lost_between_looking_and_parking)
{
    site_start();
    pthread_t publisher;
    pthread_create(&publisher, NULL, publish_often, NULL);
    int fd = site_connect();
    int seen = 0;
    while (seen < 2000) {
        auto_free char *text = mem_printf(
            "GET /v1/wait/often?after=%d&ms=60000" TAIL "\r\n", seen);
        ck_assert(peer_send(fd, text));
        struct reply reply = peer_read(fd, false);
        ck_assert_int_eq(reply.status, 200);
        int version = atoi(strchr(reply.body, ':') + 1);
        /* A wake for what we have seen already may still come. */
        ck_assert_int_ge(version, seen);
        seen = version;
        reply_done(&reply);
    }
    pthread_join(publisher, NULL);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_parked_peer_that_leaves_is_noticed_before_its_time)
{
    site_start();
    int fd = ask_wait("gone", 0, 3600 * 1000);
    until_parked(1);
    close(fd);
    until_parked(0);
    site_stop();
}
END_TEST

START_TEST(a_deferred_peer_that_leaves_harms_nobody)
{
    site_start();
    atomic_store(&site.holds, true);
    for (int i = 0; i < 10; i++) {
        int fd = site_connect();
        peer_send(fd, "GET /v1/later" TAIL "\r\n");
        usleep(2000);
        close(fd);
    }
    atomic_store(&site.holds, false);
    int fd = site_connect();
    peer_send(fd, "GET /v1/later" TAIL "\r\n");
    expect_status(fd, 409);
    close(fd);
    site_stop();
}
END_TEST

/* ---- streams ------------------------------------------------------------------ */

/* Read until 'text' has come; what was read is in 'all'. */
static void read_until(int fd, struct str *all, const char *text)
{
    char bytes[4096];
    while (!strstr(str_text(all), text)) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        ck_assert_msg(got > 0, "'%s' did not come in '%s'", text,
                      str_text(all));
        str_add_bytes(all, bytes, (size_t)got);
    }
}

START_TEST(a_stream_gets_what_was_and_what_comes)
{
    site_start();
    atomic_store(&site.version, 2);
    int fd = site_connect();
    auto_str struct str all = {0};
    peer_send(fd, "GET /v1/events" TAIL "\r\n");
    read_until(fd, &all, "id: 2\n");
    ck_assert_ptr_nonnull(strstr(all.text, "Content-Type: text/event-stream"));
    ck_assert_ptr_nonnull(strstr(all.text, "X-Request-Id: "));
    ck_assert_ptr_nonnull(strstr(all.text, "id: 1\ndata: {}\n\nid: 2\n"));
    for (int i = 3; i < 30; i++) {
        publish("events");
        auto_free char *wanted = mem_printf("id: %d\n", i);
        read_until(fd, &all, wanted);
    }
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_stream_loses_no_event_of_a_busy_time_and_ends_by_itself)
{
    site_start();
    int fd = site_connect();
    auto_str struct str all = {0};
    peer_send(fd, "GET /v1/events" TAIL "\r\n");
    for (int i = 0; i < 1000; i++)
        publish("events");
    read_until(fd, &all, "id: 1000\n");
    read_until(fd, &all, "\r\n0\r\n\r\n");
    int count = 0;
    for (const char *at = strstr(all.text, "id: "); at;
         at = strstr(at + 1, "id: "))
        ck_assert_int_eq(atoi(at + 4), ++count);
    ck_assert_int_eq(count, 1000);
    peer_send(fd, "GET /v1/open" TAIL "\r\n");
    expect_status(fd, 200);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(no_wake_is_lost_between_looking_and_parking_of_a_stream)
{
    site_start();
    int fd = site_connect();
    auto_str struct str all = {0};
    /* What comes while the stream looks for news and finds none: lost, it would
     * come only after the sign of life of a quiet stream. */
    atomic_store(&site.sneaks, 3);
    peer_send(fd, "GET /v1/events" TAIL "\r\n");
    read_until(fd, &all, "id: 3\n");
    ck_assert_ptr_null(strstr(all.text, ":\n\n"));
    close(fd);
    site_stop();
}
END_TEST

START_TEST(many_streams_get_every_event_and_may_leave_at_any_time)
{
    site_start();
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/events" TAIL "\r\n");
    }
    for (int i = 1; i <= 20; i++) {
        publish("events");
        close(fds[i]);
        fds[i] = -1;
    }
    for (int i = 0; i < MANY; i++) {
        if (fds[i] < 0)
            continue;
        auto_str struct str all = {0};
        read_until(fds[i], &all, "id: 20\n");
        close(fds[i]);
    }
    site_stop();
}
END_TEST

START_TEST(a_quiet_stream_shows_that_it_lives)
{
    site_start();
    int fd = site_connect();
    auto_str struct str all = {0};
    int64_t start = timestamp_monotonic();
    peer_send(fd, "GET /v1/events" TAIL "\r\n");
    read_until(fd, &all, ":\n\n");
    ck_assert_int_ge(timestamp_monotonic() - start, 14 * TIMESTAMP_SECOND);
    publish("events");
    read_until(fd, &all, "id: 1\n");
    close(fd);
    site_stop();
}
END_TEST

START_TEST(a_stream_whose_peer_left_is_noticed)
{
    site_start();
    int fd = site_connect();
    peer_send(fd, "GET /v1/events" TAIL "\r\n");
    until_parked(1);
    close(fd);
    until_parked(0);
    site_stop();
}
END_TEST

/* ---- the end -------------------------------------------------------------------- */

START_TEST(stopping_answers_everybody_who_is_parked)
{
    site_start();
    int fds[MANY];
    for (int i = 0; i < MANY; i++)
        fds[i] = ask_wait("never", 0, 60000);
    until_parked(MANY);
    /* Those given up at the deadline would be answered 503. */
    site_stop();
    for (int i = 0; i < MANY; i++) {
        struct reply reply = peer_read(fds[i], false);
        char value[32];
        ck_assert_int_eq(reply.status, 204);
        ck_assert_str_eq(
            reply_header(&reply, "Connection", value, sizeof value), "close");
        reply_done(&reply);
        ck_assert(peer_is_ended(fds[i], 1000));
        close(fds[i]);
    }
}
END_TEST

START_TEST(stopping_ends_streams_properly)
{
    site_start();
    int fds[10];
    for (int i = 0; i < 10; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/events" TAIL "\r\n");
    }
    until_parked(10);
    site_stop();
    for (int i = 0; i < 10; i++) {
        auto_str struct str all = {0};
        read_until(fds[i], &all, "\r\n0\r\n\r\n");
        close(fds[i]);
    }
}
END_TEST

static void *let_go_soon(void *context)
{
    (void)context;
    usleep(200000);
    atomic_store(&site.holds, false);
    return NULL;
}

START_TEST(stopping_waits_for_answers_that_are_under_way)
{
    site_start();
    atomic_store(&site.holds, true);
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/later" TAIL "\r\n");
    }
    while (atomic_load(&site.deferred) < MANY)
        usleep(1000);
    pthread_t thread;
    pthread_create(&thread, NULL, let_go_soon, NULL);
    site_stop();
    pthread_join(thread, NULL);
    for (int i = 0; i < MANY; i++) {
        expect_status(fds[i], 409);
        close(fds[i]);
    }
}
END_TEST

START_TEST(stopping_does_not_wait_for_ever_for_a_stuck_worker)
{
    site_start();
    atomic_store(&site.holds, true);
    int fds[10];
    for (int i = 0; i < 10; i++) {
        fds[i] = site_connect();
        peer_send(fds[i], "GET /v1/later" TAIL "\r\n");
    }
    while (atomic_load(&site.deferred) < 10)
        usleep(1000);
    http_stop(site.server, 100);
    for (int i = 0; i < 10; i++) {
        struct reply reply = peer_read(fds[i], false);
        json_decref(check_problem(&reply, 503, "unavailable"));
        reply_done(&reply);
        close(fds[i]);
    }
    /* The worker comes back to life: its answers go nowhere, and leak nothing. */
    site_end_worker();
}
END_TEST

/* A stop that waited for the peer, or its own deadline, would outlast Check's
 * time limit. */
START_TEST(stopping_does_not_wait_for_an_idle_connection)
{
    site_start_with(2, 256, 3600);
    int fd = site_connect();
    peer_send(fd, "GET /v1/open" TAIL "\r\n");
    expect_status(fd, 200);
    site_stop();
    ck_assert(peer_is_ended(fd, 1000));
    close(fd);
}
END_TEST

CHECK_MAIN(
    "http parking", a_deferred_request_is_answered_by_another_thread,
    many_deferred_at_once_all_get_their_answers,
    held_answers_go_out_at_the_release, more_answers_than_are_held_all_go_out,
    a_long_poll_with_news_is_answered_at_once,
    a_long_poll_waits_for_its_own_key, a_long_poll_ends_when_its_time_is_over,
    fifty_long_polls_wake_together_again_and_again,
    no_wake_is_lost_between_looking_and_parking,
    a_parked_peer_that_leaves_is_noticed_before_its_time,
    a_deferred_peer_that_leaves_harms_nobody,
    a_stream_gets_what_was_and_what_comes,
    a_stream_loses_no_event_of_a_busy_time_and_ends_by_itself,
    no_wake_is_lost_between_looking_and_parking_of_a_stream,
    many_streams_get_every_event_and_may_leave_at_any_time,
    a_quiet_stream_shows_that_it_lives, a_stream_whose_peer_left_is_noticed,
    stopping_answers_everybody_who_is_parked, stopping_ends_streams_properly,
    stopping_waits_for_answers_that_are_under_way,
    stopping_does_not_wait_for_ever_for_a_stuck_worker,
    stopping_does_not_wait_for_an_idle_connection);
