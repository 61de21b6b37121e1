/* SPDX-License-Identifier: Apache-2.0 */
/* Calls against peers that are no server of ours: absent, silent, broken, or a
 * proxy with answers of its own. */
#include "api/client/client.h"
#include "common/base/timestamp.h"
#include "tests/unit/api/http/peer.h"
#include "tests/unit/check_main.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    int fd; /* listening */
    char url[64];
    const char *answer; /* what is said to each request; NULL = nothing */
    int connections;    /* accepted so far */
    bool keeps;         /* the connection stays open after the answer */
    pthread_t thread;
} peer;

static void listen_on_free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(peer.fd, (struct sockaddr *)&at, size), 0);
    ck_assert_int_eq(listen(peer.fd, 16), 0);
    getsockname(peer.fd, (struct sockaddr *)&at, &size);
    snprintf(peer.url, sizeof peer.url, "http://127.0.0.1:%u",
             ntohs(at.sin_port));
}

static void *serve(void *context)
{
    (void)context;
    for (;;) {
        int fd = accept(peer.fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        peer.connections++;
        char bytes[4096];
        while (recv(fd, bytes, sizeof bytes, 0) > 0) {
            if (!peer.answer)
                break;
            peer_send(fd, peer.answer);
            if (!peer.keeps)
                break;
        }
        close(fd);
    }
}

static void begin(const char *answer)
{
    listen_on_free_port();
    peer.answer = answer;
    pthread_create(&peer.thread, NULL, serve, NULL);
}

static void end(void)
{
    shutdown(peer.fd, SHUT_RDWR);
    pthread_join(peer.thread, NULL);
    close(peer.fd);
}

/* One GET with these limits. */
static int get(long timeout_ms, struct client_answer *answer, struct error *err)
{
    const struct client_config config = {.server = peer.url,
                                         .timeout_ms = timeout_ms};
    struct client *client = client_new(&config, err);
    ck_assert_ptr_nonnull(client);
    int rc = client_call(client, "GET", "/", NULL, NULL, 0, answer, err);
    client_free(client);
    return rc;
}

START_TEST(nobody_there_is_said_with_the_address_and_what_to_look_for)
{
    listen_on_free_port();
    close(peer.fd);
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(0, &answer, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
    ck_assert(str_starts(err.msg, "can't connect to "));
    ck_assert_ptr_nonnull(strstr(err.msg, peer.url));
    ck_assert_str_eq(err.remedy, "is sriov-scheduler running there?");
    client_answer_done(&answer);
}
END_TEST

START_TEST(a_name_that_is_nowhere_is_said_to_be_the_problem)
{
    snprintf(peer.url, sizeof peer.url, "http://no-such-host.invalid:1");
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(0, &answer, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.msg, "no-such-host.invalid"));
    client_answer_done(&answer);
}
END_TEST

START_TEST(a_silent_peer_is_a_timeout)
{
    listen_on_free_port(); /* nobody accepts */
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(200, &answer, &err), -1);
    ck_assert_int_eq(err.code, ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(err.msg, peer.url));
    close(peer.fd);
    client_answer_done(&answer);
}
END_TEST

START_TEST(a_connection_that_breaks_is_said_to_have_broken)
{
    static const char *const answers[] = {
        NULL, "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "nonsense\r\n\r\n"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        begin(answers[i]);
        struct client_answer answer;
        struct error err;
        ck_assert_int_eq(get(5000, &answer, &err), -1);
        ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(err.msg, "broke"));
        client_answer_done(&answer);
        end();
    }
}
END_TEST

START_TEST(an_answer_that_is_not_ours_keeps_its_status_and_text)
{
    begin("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
          "Content-Length: 11\r\nRetry-After: 7\r\n\r\n<h1>no</h1>");
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(0, &answer, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.msg, "502"));
    ck_assert_int_eq(answer.status, 502);
    ck_assert_str_eq(answer.text, "<h1>no</h1>");
    ck_assert_ptr_null(answer.body);
    ck_assert_int_eq(answer.retry_after_s, 7);
    client_answer_done(&answer);
    end();
}
END_TEST

START_TEST(redirects_are_reported_and_not_followed)
{
    begin("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n"
          "Content-Length: 0\r\n\r\n");
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(0, &answer, &err), 0);
    ck_assert_int_eq(answer.status, 302);
    ck_assert_str_eq(answer.text, "");
    client_answer_done(&answer);
    end();
}
END_TEST

START_TEST(a_broken_json_answer_is_text_only)
{
    begin("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
          "Content-Length: 2\r\n\r\n{x");
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(get(0, &answer, &err), 0);
    ck_assert_ptr_null(answer.body);
    ck_assert_str_eq(answer.text, "{x");
    client_answer_done(&answer);
    end();
}
END_TEST

START_TEST(calls_one_after_the_other_share_a_connection)
{
    peer.keeps = true;
    begin("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const struct client_config config = {.server = peer.url};
    struct client *client = client_new(&config, NULL);
    for (int i = 0; i < 10; i++) {
        struct client_answer answer;
        ck_assert_int_eq(
            client_call(client, "GET", "/", NULL, NULL, 0, &answer, NULL), 0);
        client_answer_done(&answer);
    }
    client_free(client);
    end();
    ck_assert_int_eq(peer.connections, 1);
}
END_TEST

START_TEST(a_kept_connection_that_the_peer_closed_is_replaced)
{
    begin("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const struct client_config config = {.server = peer.url};
    struct client *client = client_new(&config, NULL);
    for (int i = 0; i < 5; i++) {
        struct client_answer answer;
        struct error err;
        ck_assert_int_eq(
            client_call(client, "GET", "/", NULL, NULL, 0, &answer, &err), 0);
        client_answer_done(&answer);
        usleep(20000);
    }
    client_free(client);
    end();
    ck_assert_int_eq(peer.connections, 5);
}
END_TEST

CHECK_MAIN("client peers",
           nobody_there_is_said_with_the_address_and_what_to_look_for,
           a_name_that_is_nowhere_is_said_to_be_the_problem,
           a_silent_peer_is_a_timeout,
           a_connection_that_breaks_is_said_to_have_broken,
           an_answer_that_is_not_ours_keeps_its_status_and_text,
           redirects_are_reported_and_not_followed,
           a_broken_json_answer_is_text_only,
           calls_one_after_the_other_share_a_connection,
           a_kept_connection_that_the_peer_closed_is_replaced);
