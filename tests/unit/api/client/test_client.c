/* SPDX-License-Identifier: Apache-2.0 */
/* Calls against a real server of ours, one at a time and many at once. */
#include "api/client/client.h"
#include "tests/unit/api/http/site.h"

#include <sys/eventfd.h>

static char server_url[96];

static void begin(void)
{
    site_start();
    snprintf(server_url, sizeof server_url, "http://%s/",
             http_address(site.server));
}

static struct client *new_client(const char *token)
{
    const struct client_config config = {.server = server_url, .token = token};
    struct error err;
    struct client *client = client_new(&config, &err);
    ck_assert_msg(client != NULL, "%s", err.msg);
    return client;
}

static const char *member(const struct client_answer *answer, const char *name)
{
    return json_string_value(json_object_get(answer->body, name));
}

START_TEST(a_call_brings_status_body_text_and_etag)
{
    begin();
    struct client *client = new_client("operator-eve");
    struct client_answer answer;
    struct error err;
    json_t *body = json_pack("{s:i}", "a", 1);
    ck_assert_int_eq(
        client_call(client, "POST", "/v1/things", body, NULL, 0, &answer, &err),
        0);
    ck_assert_int_eq(answer.status, 201);
    ck_assert(json_equal(answer.body, body));
    ck_assert_str_eq(answer.text, "{\"a\":1}\n");
    ck_assert_str_eq(answer.etag, "\"7\"");
    ck_assert_int_eq(answer.retry_after_s, -1);
    client_answer_done(&answer);
    json_decref(body);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(every_method_is_sent_as_it_is)
{
    begin();
    static const struct {
        const char *method, *path;
        int status;
    } cases[] = {
        {"GET", "/v1/things?limit=1", 200}, {"HEAD", "/v1/things", 200},
        {"DELETE", "/v1/things/x", 200},    {"PATCH", "/v1/things", 405},
        {"PUT", "/v1/things", 405},         {"POST", "/v1/things", 400}};
    struct client *client = new_client("admin-eve");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct client_answer answer;
        client_call(client, cases[i].method, cases[i].path, NULL, NULL, 0,
                    &answer, NULL);
        ck_assert_msg(answer.status == cases[i].status, "%s: %d",
                      cases[i].method, answer.status);
        client_answer_done(&answer);
    }
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(a_problem_document_becomes_the_error_and_the_body_stays)
{
    begin();
    struct client *client = new_client(NULL);
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/reasons", NULL, NULL, 0, &answer, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_NO_VALID_HOST);
    ck_assert_str_eq(err.field, "ports[0]");
    ck_assert_int_eq(answer.status, 409);
    ck_assert_ptr_nonnull(json_object_get(answer.body, "reasons"));
    client_answer_done(&answer);
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/busy", NULL, NULL, 0, &answer, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_BUSY);
    ck_assert_int_eq(answer.retry_after_s, 1);
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(headers_of_the_caller_are_sent)
{
    begin();
    struct client *client = new_client(NULL);
    struct client_answer answer;
    struct error err;
    const char *headers[] = {"X-Request-Id: from-the-client", NULL};
    client_call(client, "GET", "/v1/busy", NULL, headers, 0, &answer, &err);
    ck_assert_str_eq(member(&answer, "request_id"), "from-the-client");
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(a_refused_upload_still_brings_its_answer)
{
    begin();
    struct client *client = new_client("operator-eve");
    struct client_answer answer;
    struct error err;
    auto_free char *large = mem_calloc(20000001, 1);
    memset(large, 'x', 20000000);
    json_t *body = json_pack("{s:s}", "a", large);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(client_call(client, "POST", "/v1/things", body, NULL,
                                     0, &answer, &err),
                         -1);
        ck_assert_msg(err.code == ERROR_TOO_LARGE, "%s", err.msg);
        client_answer_done(&answer);
    }
    json_decref(body);
    client_free(client);
    site_stop();
}
END_TEST

/* ---- tokens ------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(the_token_file_is_read_for_each_call)
{
    begin();
    char path[] = "/tmp/test-client-XXXXXX";
    close(mkstemp(path));
    const struct client_config config = {.server = server_url,
                                         .token_file = path};
    struct client *client = client_new(&config, NULL);
    static const struct {
        const char *text, *actor;
    } cases[] = {{"viewer-ann\n", "ann"},
                 {"  operator-bob \t\r\nviewer-ann\n", "bob"},
                 {"admin-eve", "eve"}};
    struct client_answer answer;
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(path, cases[i].text);
        ck_assert_int_eq(client_call(client, "GET", "/v1/things", NULL, NULL, 0,
                                     &answer, &err),
                         0);
        ck_assert_str_eq(member(&answer, "actor"), cases[i].actor);
        client_answer_done(&answer);
    }
    static const char *const bad[] = {"", "\nviewer-ann\n", "a b\n",
                                      "viewer-\x01\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(path, bad[i]);
        ck_assert_int_eq(client_call(client, "GET", "/v1/things", NULL, NULL, 0,
                                     &answer, &err),
                         -1);
        ck_assert_ptr_nonnull(strstr(err.msg, path));
        ck_assert_ptr_null(strstr(err.msg, "viewer"));
        client_answer_done(&answer);
    }
    unlink(path);
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/things", NULL, NULL, 0, &answer, &err),
        -1);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(a_token_can_not_smuggle_headers)
{
    begin();
    struct client *client = new_client("viewer-x\r\nX-Evil: 1");
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/things", NULL, NULL, 0, &answer, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_ptr_null(strstr(err.msg, "Evil"));
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(a_path_can_not_smuggle_a_second_request)
{
    begin();
    struct client *client = new_client(NULL);
    static const char *const bad[] = {"/v1/open HTTP/1.1\r\n\r\nGET /", "/a b",
                                      "/\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct client_answer answer;
        struct error err;
        ck_assert_int_eq(
            client_call(client, "GET", bad[i], NULL, NULL, 0, &answer, &err),
            -1);
        ck_assert_int_eq(err.code, ERROR_INVALID);
        client_answer_done(&answer);
    }
    auto_free char *escaped = client_escape("a/b ?%\xc3\xa9");
    ck_assert_str_eq(escaped, "a%2Fb%20%3F%25%C3%A9");
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(what_is_no_server_is_refused)
{
    static const char *const bad[] = {NULL,
                                      "",
                                      "127.0.0.1:80",
                                      "ftp://x",
                                      "file:///etc/passwd",
                                      "http://",
                                      "http://a b",
                                      "http://u:p@h/",
                                      "http://h/?x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct client_config config = {.server = bad[i]};
        struct error err;
        ck_assert_msg(client_new(&config, &err) == NULL, "'%s'", bad[i]);
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_ptr_nonnull(strstr(err.remedy, "http://HOST:PORT"));
    }
}
END_TEST

START_TEST(proxies_of_the_environment_are_not_used)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    begin();
    struct client *client = new_client(NULL);
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/open", NULL, NULL, 0, &answer, &err),
        0);
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

/* ---- interrupting --------------------------------------------------------------- */

static void *cancel_soon(void *context)
{
    usleep(100000);
    client_cancel(context);
    return NULL;
}

START_TEST(a_call_in_progress_can_be_interrupted)
{
    begin();
    struct client *client = new_client(NULL);
    struct client_answer answer;
    struct error err;
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, client);
    int64_t start = timestamp_monotonic();
    ck_assert_int_eq(client_call(client, "GET", "/v1/wait/k?after=0&ms=60000",
                                 NULL, NULL, 60000, &answer, &err),
                     -1);
    ck_assert_int_lt(timestamp_monotonic() - start, 5 * TIMESTAMP_SECOND);
    ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
    client_answer_done(&answer);
    pthread_join(thread, NULL);
    ck_assert_int_eq(
        client_call(client, "GET", "/v1/open", NULL, NULL, 0, &answer, &err),
        -1);
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

START_TEST(a_call_that_takes_too_long_times_out)
{
    begin();
    struct client *client = new_client(NULL);
    struct client_answer answer;
    struct error err;
    ck_assert_int_eq(client_call(client, "GET", "/v1/wait/k?after=0&ms=60000",
                                 NULL, NULL, 200, &answer, &err),
                     -1);
    ck_assert_int_eq(err.code, ERROR_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(err.msg, "200 ms"));
    client_answer_done(&answer);
    client_free(client);
    site_stop();
}
END_TEST

/* ---- many at once ------------------------------------------------------------------ */

static struct {
    struct client_multi *multi;
    int done, failed, restarts;
    enum error_code last;
} many;

static void new_multi(void)
{
    const struct client_config config = {.server = server_url,
                                         .token = "viewer-all"};
    many.multi = client_multi_new(&config, NULL);
    ck_assert_ptr_nonnull(many.multi);
}

static void count(void *context, const struct client_answer *answer,
                  const struct error *err)
{
    (void)context;
    many.done++;
    many.failed += err != NULL;
    many.last = err ? err->code : ERROR_NONE;
    if (!err)
        ck_assert_int_eq(answer->status, 200);
}

static void run_until(int done)
{
    int64_t end = timestamp_monotonic() + 30 * TIMESTAMP_SECOND;
    while (many.done < done && timestamp_monotonic() < end)
        client_multi_run(many.multi, -1, 1000);
    ck_assert_int_eq(many.done, done);
}

START_TEST(hundreds_of_long_polls_wait_together_on_one_thread)
{
    enum { POLLS = 200 };
    begin();
    new_multi();
    for (int i = 0; i < POLLS; i++)
        client_multi_start(many.multi, "GET", "/v1/wait/k?after=0&ms=60000",
                           NULL, NULL, 60000, count, NULL);
    while (http_parked(site.server) < POLLS) /* or Check's time is over */
        client_multi_run(many.multi, -1, 10);
    ck_assert_int_eq(many.done, 0);
    ck_assert_str_eq(client_multi_own_address(many.multi), "");
    atomic_store(&site.version, 1);
    http_wake(site.server, "k");
    run_until(POLLS);
    ck_assert_int_eq(many.failed, 0);
    ck_assert_str_eq(client_multi_own_address(many.multi), "127.0.0.1");
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

static void again(void *context, const struct client_answer *answer,
                  const struct error *err)
{
    count(context, answer, err);
    if (many.restarts-- > 0)
        client_multi_start(many.multi, "GET", "/v1/open", NULL, NULL, 0, again,
                           NULL);
}

START_TEST(a_callback_may_start_the_next_call)
{
    begin();
    new_multi();
    many.restarts = 99;
    client_multi_start(many.multi, "GET", "/v1/open", NULL, NULL, 0, again,
                       NULL);
    run_until(100);
    ck_assert_int_eq(many.failed, 0);
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

static void expect_actor(void *context, const struct client_answer *answer,
                         const struct error *err)
{
    ck_assert_ptr_null(err);
    ck_assert_str_eq(member(answer, "actor"), context);
    many.done++;
}

START_TEST(each_call_may_have_a_token_of_its_own)
{
    begin();
    new_multi();
    client_multi_start(many.multi, "GET", "/v1/things", NULL, NULL, 0,
                       expect_actor, (char[]){"all"});
    client_multi_start(many.multi, "GET", "/v1/things", "operator-own", NULL, 0,
                       expect_actor, (char[]){"own"});
    run_until(2);
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

START_TEST(a_body_is_sent_and_a_refusal_is_told)
{
    begin();
    new_multi();
    client_multi_start(many.multi, "PUT", "/v1/report", "agent-h1",
                       mem_strdup("{\"a\": 1}"), 0, count, NULL);
    run_until(1);
    ck_assert_int_eq(many.failed, 0);
    client_multi_start(many.multi, "PUT", "/v1/report", NULL, mem_strdup("{}"),
                       0, count, NULL);
    run_until(2);
    ck_assert_int_eq(many.last, ERROR_FORBIDDEN);
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

START_TEST(a_call_that_can_not_begin_is_told_by_the_next_run)
{
    begin();
    new_multi();
    client_multi_start(many.multi, "GET", "/a b", NULL, NULL, 0, count, NULL);
    ck_assert_int_eq(many.done, 0);
    client_multi_run(many.multi, -1, 10000);
    ck_assert_int_eq(many.done, 1);
    ck_assert_int_eq(many.last, ERROR_INVALID);
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

START_TEST(the_callers_descriptor_and_a_wakeup_end_the_wait)
{
    begin();
    new_multi();
    int fd = eventfd(0, EFD_CLOEXEC);
    ck_assert(!client_multi_run(many.multi, fd, 20));
    eventfd_write(fd, 1);
    ck_assert(client_multi_run(many.multi, fd, 10000));
    ck_assert(client_multi_run(many.multi, fd, 10000)); /* still readable */
    close(fd);
    client_multi_wakeup(many.multi);
    int64_t start = timestamp_monotonic();
    ck_assert(!client_multi_run(many.multi, -1, 10000));
    ck_assert_int_lt(timestamp_monotonic() - start, 5 * TIMESTAMP_SECOND);
    start = timestamp_monotonic();
    ck_assert(!client_multi_run(many.multi, -1, 50)); /* taken once */
    ck_assert_int_ge(timestamp_monotonic() - start, 49 * TIMESTAMP_MS);
    client_multi_free(many.multi);
    site_stop();
}
END_TEST

START_TEST(freeing_drops_what_is_in_flight_without_a_word)
{
    begin();
    new_multi();
    for (int i = 0; i < 10; i++)
        client_multi_start(many.multi, "GET", "/v1/wait/k?after=0&ms=60000",
                           NULL, NULL, 60000, count, NULL);
    client_multi_start(many.multi, "GET", "/a b", NULL, NULL, 0, count, NULL);
    for (int i = 0; i < 5000 && http_parked(site.server) < 10; i++)
        client_multi_run(many.multi, -1, 10);
    client_multi_start(many.multi, "GET", "/a b", NULL, NULL, 0, count, NULL);
    client_multi_free(many.multi);
    ck_assert_int_eq(many.done, 1);
    site_stop();
}
END_TEST

CHECK_MAIN(
    "client", a_call_brings_status_body_text_and_etag,
    every_method_is_sent_as_it_is,
    a_problem_document_becomes_the_error_and_the_body_stays,
    headers_of_the_caller_are_sent, a_refused_upload_still_brings_its_answer,
    the_token_file_is_read_for_each_call, a_token_can_not_smuggle_headers,
    a_path_can_not_smuggle_a_second_request, what_is_no_server_is_refused,
    proxies_of_the_environment_are_not_used,
    a_call_in_progress_can_be_interrupted, a_call_that_takes_too_long_times_out,
    hundreds_of_long_polls_wait_together_on_one_thread,
    a_callback_may_start_the_next_call, each_call_may_have_a_token_of_its_own,
    a_body_is_sent_and_a_refusal_is_told,
    a_call_that_can_not_begin_is_told_by_the_next_run,
    the_callers_descriptor_and_a_wakeup_end_the_wait,
    freeing_drops_what_is_in_flight_without_a_word);
