/* SPDX-License-Identifier: Apache-2.0 */
/* Many connections that do nothing, or next to nothing, and the others that
 * want to be served meanwhile. */
#include "common/base/metrics.h"
#include "tests/unit/api/http/site.h"

#include <sys/resource.h>
#include <sys/wait.h>

#define CROWD 1000

static int crowd[CROWD];

static void allow_descriptors(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_uint_gt(limit.rlim_cur, 2 * CROWD + 100);
}

static void crowd_in(int count, const char *start)
{
    for (int i = 0; i < count; i++) {
        crowd[i] = site_connect();
        peer_send(crowd[i], start);
    }
}

static void crowd_out(int count)
{
    for (int i = 0; i < count; i++)
        close(crowd[i]);
}

/* How long one request on a fresh connection takes, in ms. */
static int64_t serve_one(void)
{
    int64_t start = timestamp_monotonic();
    struct reply reply = site_ask("GET /v1/open" TAIL "\r\n");
    ck_assert_int_eq(reply.status, 200);
    reply_done(&reply);
    return (timestamp_monotonic() - start) / TIMESTAMP_MS;
}

START_TEST(a_thousand_creeping_connections_do_not_slow_the_others)
{
    allow_descriptors();
    site_start_with(2, 4096, 30);
    crowd_in(CROWD, "GET /v1/open HTTP/1.1\r\nX-Slow: ");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CROWD; i++)
            peer_send(crowd[i], "x");
        ck_assert_int_lt(serve_one(), 1000);
    }
    crowd_out(CROWD);
    site_stop();
}
END_TEST

START_TEST(when_places_run_out_the_oldest_idle_ones_make_room)
{
    allow_descriptors();
    site_start_with(2, 256, 600);
    /* All places and much of the backlog, with a byte a second from each. */
    crowd_in(CROWD, "GET /v1/open HTTP/1.1\r\nX-Slow: ");
    for (int i = 0; i < CROWD; i++)
        peer_send(crowd[i], "x");
    /* The idle timeout would take ten minutes; the crowd is served first in,
     * first out, a few hundred a second. */
    int64_t start = timestamp_monotonic();
    ck_assert_int_lt(serve_one(), 10000);
    ck_assert_int_lt(timestamp_monotonic() - start, 10 * TIMESTAMP_SECOND);
    crowd_out(CROWD);
    site_stop();
}
END_TEST

START_TEST(who_is_parked_or_deferred_never_makes_room)
{
    allow_descriptors();
    site_start_with(2, 64, 600);
    int parked[20];
    for (int i = 0; i < 20; i++) {
        parked[i] = site_connect();
        peer_send(parked[i], "GET /v1/wait/k?after=0&ms=60000" TAIL "\r\n");
    }
    for (int i = 0; i < 5000 && http_parked(site.server) < 20; i++)
        usleep(1000);
    crowd_in(100, "GET /v1/o");
    serve_one();
    ck_assert_uint_eq(http_parked(site.server), 20);
    atomic_store(&site.version, 1);
    http_wake(site.server, "k");
    for (int i = 0; i < 20; i++) {
        struct reply reply = peer_read(parked[i], false);
        ck_assert_int_eq(reply.status, 200);
        reply_done(&reply);
        close(parked[i]);
    }
    crowd_out(100);
    site_stop();
}
END_TEST

START_TEST(the_limit_of_open_files_is_raised_for_the_connections)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_uint_ge(limit.rlim_max, 2000);
    limit.rlim_cur = 100;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    site_start_with(2, 1000, 600);
    getrlimit(RLIMIT_NOFILE, &limit);
    ck_assert_uint_ge(limit.rlim_cur, 1000);
    site_stop();
}
END_TEST

/* A crowd in a process of its own, with descriptors of its own. */
static void be_a_crowd(int in, int out)
{
    char address[64] = "";
    if (read(in, address, sizeof address) != sizeof address)
        _exit(1);
    for (int i = 0; i < 400; i++)
        peer_send(peer_connect(address), "GET /v1/o");
    if (write(out, "", 1) != 1)
        _exit(1);
    (void)!read(in, address, 1); /* until the test ends */
    _exit(0);
}

START_TEST(a_crowd_does_not_take_the_last_descriptors_of_the_process)
{
    int to[2];
    int from[2];
    char address[64] = "";
    char done;
    ck_assert_int_eq(pipe(to) | pipe(from), 0);
    pid_t child = fork();
    if (child == 0) {
        close(to[1]);
        be_a_crowd(to[0], from[1]);
    }
    struct rlimit limit = {.rlim_cur = 300, .rlim_max = 300};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    site_start_with(2, 20000, 600);
    str_copy(address, http_address(site.server));
    ck_assert_int_eq(write(to[1], address, sizeof address), sizeof address);
    ck_assert_int_eq(read(from[0], &done, 1), 1);
    usleep(200000); /* the server accepts what it will */
    for (int i = 0; i < 50; i++) {
        int fd = dup(0);
        ck_assert_msg(fd >= 0, "no descriptor left for the store");
        crowd[i] = fd;
    }
    crowd_out(50);
    ck_assert_int_lt(serve_one(), 10000);
    close(to[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    site_stop();
}
END_TEST

START_TEST(a_head_has_a_deadline_that_bytes_do_not_move)
{
    site_start_with(1, 64, 1);
    /* Before the server's clock of the connection begins. */
    int64_t start = timestamp_monotonic();
    int fd = site_connect();
    peer_send(fd, "GET /v1/open HTTP/1.1\r\nX-Slow: ");
    while (timestamp_monotonic() - start < 20 * TIMESTAMP_SECOND &&
           peer_send(fd, "x") && !peer_is_ended(fd, 100))
        ;
    int64_t took = timestamp_monotonic() - start;
    ck_assert_int_ge(took, TIMESTAMP_SECOND);
    ck_assert_int_lt(took, 10 * TIMESTAMP_SECOND);
    close(fd);
    site_stop();
}
END_TEST

START_TEST(an_idle_connection_is_closed_after_its_time)
{
    site_start_with(1, 64, 1);
    int fd = site_connect();
    peer_send(fd, "GET /v1/open" TAIL "\r\n");
    struct reply reply = peer_read(fd, false);
    ck_assert_int_eq(reply.status, 200);
    reply_done(&reply);
    ck_assert(!peer_is_ended(fd, 500));
    ck_assert(peer_is_ended(fd, 10000));
    close(fd);
    site_stop();
}
END_TEST

START_TEST(requests_are_counted_by_route_and_status)
{
    site_start();
    for (int i = 0; i < 3; i++)
        serve_one();
    struct reply reply = site_ask("GET /v1/things" TAIL "\r\n");
    reply_done(&reply);
    reply = site_ask("GET /v1/private/secret" TAIL "\r\n");
    reply_done(&reply);
    site_stop();
    auto_str struct str text = {0};
    metrics_render(&text);
    ck_assert_ptr_nonnull(strstr(text.text,
                                 "sriov_http_requests_total{method=\"GET\","
                                 "route=\"/v1/open\",status=\"200\"} 3\n"));
    ck_assert_ptr_nonnull(strstr(text.text,
                                 "sriov_http_requests_total{method=\"GET\","
                                 "route=\"/v1/things\",status=\"401\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text.text,
                                 "sriov_http_requests_total{method=\"other\","
                                 "route=\"unmatched\",status=\"404\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text.text,
                                 "sriov_http_request_duration_seconds_count{"
                                 "method=\"GET\",route=\"/v1/open\"} 3\n"));
    ck_assert_ptr_null(strstr(text.text, "secret"));
}
END_TEST

CHECK_MAIN("http crowd", a_thousand_creeping_connections_do_not_slow_the_others,
           when_places_run_out_the_oldest_idle_ones_make_room,
           who_is_parked_or_deferred_never_makes_room,
           the_limit_of_open_files_is_raised_for_the_connections,
           a_crowd_does_not_take_the_last_descriptors_of_the_process,
           a_head_has_a_deadline_that_bytes_do_not_move,
           an_idle_connection_is_closed_after_its_time,
           requests_are_counted_by_route_and_status);
