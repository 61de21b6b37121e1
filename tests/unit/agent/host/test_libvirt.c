/* SPDX-License-Identifier: Apache-2.0 */
/* The worker that talks to libvirt: libvirt's own test driver answers, a socket
 * without libvirt behind it refuses or is silent. */
#include "agent/host/libvirt.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/sriov-libvirt-XXXXXX";
static char place[64], uri[128];
static struct libvirt *libvirt;

static void begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(place, sizeof place, "%s/socket", folder);
    snprintf(uri, sizeof uri, "test+unix:///default?socket=%s", place);
}

static void end(void)
{
    libvirt_close(libvirt);
    libvirt = NULL;
    unlink(place);
    rmdir(folder);
}

static void open_at(const char *at, unsigned deadline_ms)
{
    struct error err = {0};
    struct libvirt_config config = {.uri = at,
                                    .retry_min_ms = 10,
                                    .retry_max_ms = 40,
                                    .deadline_ms = deadline_ms};
    libvirt = libvirt_open(&config, &err);
    ck_assert_msg(libvirt != NULL, "%s", err.msg);
}

/* Wait for an event that makes the state this one; the test's own time limit
 * ends it if none comes. */
static struct libvirt_status *wait_for(enum libvirt_state state)
{
    for (;;) {
        struct libvirt_status *status = libvirt_status(libvirt);
        if (status->state == state)
            return status;
        ref_put(status);
        struct pollfd fd = {.fd = libvirt_fd(libvirt), .events = POLLIN};
        ck_assert_int_eq(poll(&fd, 1, -1), 1);
        libvirt_changed(libvirt);
    }
}

static int listen_there(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", place);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(
        bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    return fd;
}

START_TEST(a_libvirt_that_answers_tells_its_versions)
{
    open_at("test:///default", 0);
    auto_libvirt_status struct libvirt_status *status =
        wait_for(LIBVIRT_CONNECTED);
    char text[32];
    ck_assert_str_eq(status->driver, "TEST");
    ck_assert_uint_ge(status->version, 9000000);
    ck_assert_uint_eq(status->hypervisor_version, 2); /* test_driver.c */
    ck_assert_str_eq(libvirt_version_text(status->hypervisor_version, text),
                     "0.0.2");
    ck_assert_str_eq(status->error, "");
}
END_TEST

START_TEST(versions_are_told_as_people_write_them)
{
    char text[32];
    ck_assert_str_eq(libvirt_version_text(9000000, text), "9.0.0");
    ck_assert_str_eq(libvirt_version_text(11003002, text), "11.3.2");
    ck_assert_str_eq(libvirt_version_text(0, text), "");
}
END_TEST

START_TEST(without_libvirt_the_reason_is_told)
{
    open_at(uri, 0);
    auto_libvirt_status struct libvirt_status *status =
        wait_for(LIBVIRT_DISCONNECTED);
    ck_assert_ptr_nonnull(strstr(status->error, place));
    ck_assert_str_eq(status->driver, "");
    ck_assert_uint_eq(status->version, 0);
}
END_TEST

START_TEST(an_uri_that_is_none_is_told_as_libvirt_does)
{
    open_at("nonsense://x", 0);
    auto_libvirt_status struct libvirt_status *status =
        wait_for(LIBVIRT_DISCONNECTED);
    ck_assert_str_ne(status->error, "");
}
END_TEST

START_TEST(it_tries_again_until_somebody_listens)
{
    open_at(uri, 0);
    auto_libvirt_status struct libvirt_status *status =
        wait_for(LIBVIRT_DISCONNECTED);
    ck_assert_str_ne(status->error, "");
    int fd = listen_there();
    int peer = accept(fd, NULL, NULL); /* it comes back by itself */
    ck_assert_int_ge(peer, 0);
    close(peer);
    /* And again, as nobody answered. */
    peer = accept(fd, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    close(peer);
    close(fd);
}
END_TEST

START_TEST(a_libvirt_that_is_silent_is_told_after_the_deadline)
{
    int fd = listen_there();
    open_at(uri, 50);
    int peer = accept(fd, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    auto_libvirt_status struct libvirt_status *silent =
        wait_for(LIBVIRT_DISCONNECTED);
    ck_assert_ptr_nonnull(strstr(silent->error, "has not answered"));
    /* The call fails at last: then libvirt's own reason is told. */
    close(peer);
    close(fd);
    for (;;) {
        auto_libvirt_status struct libvirt_status *status =
            wait_for(LIBVIRT_DISCONNECTED);
        if (!strstr(status->error, "has not answered"))
            break;
        struct pollfd poll_fd = {.fd = libvirt_fd(libvirt), .events = POLLIN};
        ck_assert_int_eq(poll(&poll_fd, 1, -1), 1);
        libvirt_changed(libvirt);
    }
}
END_TEST

START_TEST(a_second_one_is_refused_and_after_closing_it_is_not)
{
    struct error err = {0};
    open_at("test:///default", 0);
    struct libvirt_config config = {.uri = "test:///default"};
    ck_assert_ptr_null(libvirt_open(&config, &err));
    ck_assert_int_eq(err.code, ERROR_IN_USE);
    libvirt_close(libvirt);
    open_at("test:///default", 0);
    auto_libvirt_status struct libvirt_status *status =
        wait_for(LIBVIRT_CONNECTED);
    ck_assert_str_eq(status->driver, "TEST");
}
END_TEST

START_TEST(waiting_ends_with_the_first_answer)
{
    open_at("test:///default", 0);
    libvirt_wait(libvirt, 60000);
    auto_libvirt_status struct libvirt_status *status = libvirt_status(libvirt);
    ck_assert_int_eq(status->state, LIBVIRT_CONNECTED);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host libvirt");
    TCase *c = tcase_create("worker");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_libvirt_that_answers_tells_its_versions);
    tcase_add_test(c, versions_are_told_as_people_write_them);
    tcase_add_test(c, without_libvirt_the_reason_is_told);
    tcase_add_test(c, an_uri_that_is_none_is_told_as_libvirt_does);
    tcase_add_test(c, it_tries_again_until_somebody_listens);
    tcase_add_test(c, a_libvirt_that_is_silent_is_told_after_the_deadline);
    tcase_add_test(c, a_second_one_is_refused_and_after_closing_it_is_not);
    tcase_add_test(c, waiting_ends_with_the_first_answer);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
