/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of libvirt against a real libvirtd with QEMU: the contract of
 * domains, and what happens when libvirtd is restarted, killed or stopped, or
 * when a QEMU is killed. */
#include "agent/host/libvirt.h"
#include "agent/host/libvirt_orders.h"
#include "common/base/mem.h"
#include "tests/contract/host/domains.h"
#include "tests/integration/libvirtd.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct own_libvirtd own;
static struct libvirt *libvirt;

/* ---- the contract ---------------------------------------------------------------- */

static struct host_backend *open_host(void)
{
    struct error err = {0};
    struct host_backend *host = host_linux_open("", &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
    int result = host_linux_use_libvirt(host, own.uri, 0, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
    return host;
}

static void close_host(struct host_backend *host)
{
    host->ops->close(host);
}

/* ---- libvirtd in trouble ---------------------------------------------------------- */

/* True: something has. */
static bool wait_ms(int ms)
{
    struct pollfd fd = {.fd = libvirt_fd(libvirt), .events = POLLIN};
    bool any = poll(&fd, 1, ms) == 1;
    libvirt_changed(libvirt);
    return any;
}

static void wait_change(void)
{
    ck_assert(wait_ms(-1));
}

static struct domain_list *read_list(void)
{
    struct domain_list *list = NULL;
    while (!(list = libvirt_domains(libvirt, NULL)))
        wait_change();
    return list;
}

static void wait_unknown(struct error *err)
{
    struct domain_list *list = NULL;
    while ((list = libvirt_domains(libvirt, err))) {
        ref_put(list);
        wait_change();
    }
}

static void open_with(unsigned deadline_ms, unsigned order_deadline_ms)
{
    struct error err = {0};
    const struct libvirt_config config = {.uri = own.uri,
                                          .retry_min_ms = 50,
                                          .retry_max_ms = 100,
                                          .deadline_ms = deadline_ms,
                                          .order_deadline_ms =
                                              order_deadline_ms};
    libvirt = libvirt_open(&config, &err);
    ck_assert_msg(libvirt != NULL, "%s", err.msg);
    auto_domain_list struct domain_list *list = read_list();
    ck_assert_ptr_nonnull(list);
}

static struct uuid uuid_of(int number)
{
    char text[UUID_TEXT_SIZE];
    struct uuid uuid;
    snprintf(text, sizeof text, "c0117ac7-d0e5-4b1c-8f2a-0000000000%02d",
             number);
    ck_assert(uuid_parse(text, &uuid));
    return uuid;
}

static char *definition_of(int number)
{
    char text[UUID_TEXT_SIZE];
    const struct uuid uuid = uuid_of(number);
    return mem_printf("<domain type='qemu'><name>own-%d</name>"
                      "<uuid>%s</uuid><memory unit='MiB'>32</memory>"
                      "<os><type machine='q35'>hvm</type></os>"
                      "<devices><memballoon model='none'/></devices></domain>",
                      number, uuid_format(&uuid, text));
}

static int give(int number, enum domain_order_kind kind, const char *xml,
                struct error *err)
{
    const struct domain_order order = {
        .kind = kind, .domain = uuid_of(number), .xml = xml};
    return libvirt_order(libvirt, &order, err);
}

static void must(int number, enum domain_order_kind kind)
{
    struct error err = {0};
    int result = 0;
    auto_free char *xml = kind == DOMAIN_DEFINE ? definition_of(number) : NULL;
    /* AGAIN is the end of an order that libvirt did not answer, or that there is
     * no connection: no event tells when to give it anew. */
    while ((result = give(number, kind, xml, &err)) == 1 ||
           (result < 0 && err.code == ERROR_AGAIN))
        wait_ms(result == 1 ? -1 : 50);
    ck_assert_msg(result == 0, "order %d: %s", (int)kind, err.msg);
}

static void wait_state(int number, enum power_state state, const char *reason)
{
    const struct uuid uuid = uuid_of(number);
    for (;;) {
        auto_domain_list struct domain_list *list = read_list();
        const struct domain_state *one = domain_list_find(list, &uuid);
        if (one && one->power_state == state &&
            (!reason || strcmp(one->reason, reason) == 0))
            return;
        wait_change();
    }
}

static void must_remove(int number)
{
    must(number, DOMAIN_DESTROY);
    must(number, DOMAIN_UNDEFINE);
}

static size_t count_threads(void)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(tasks);
    for (const struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void end(void)
{
    libvirt_close(libvirt);
    libvirt = NULL;
}

START_TEST(a_killed_libvirtd_leaves_nothing_known_until_it_is_back)
{
    struct error err = {0};
    open_with(0, 0);
    must(1, DOMAIN_DEFINE);
    must(1, DOMAIN_START);
    wait_state(1, POWER_RUNNING, "booted");
    own_libvirtd_signal(&own, SIGKILL);
    wait_unknown(&err);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_str_ne(err.msg, "");
    err = (struct error){0};
    int result = 0;
    while ((result = give(1, DOMAIN_DESTROY, NULL, &err)) == 1)
        wait_change();
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_str_ne(err.msg, "");
    /* Its guest lives on. */
    own_libvirtd_start(&own);
    wait_state(1, POWER_RUNNING, NULL);
    must_remove(1);
}
END_TEST

START_TEST(a_killed_QEMU_is_told)
{
    open_with(0, 0);
    must(2, DOMAIN_DEFINE);
    must(2, DOMAIN_START);
    wait_state(2, POWER_RUNNING, "booted");
    own_libvirtd_kill_qemu(&own, "own-2");
    wait_state(2, POWER_SHUT_OFF, "crashed");
    must(2, DOMAIN_START);
    wait_state(2, POWER_RUNNING, "booted");
    must_remove(2);
}
END_TEST

/* A stopped libvirtd takes the call and does not answer. */
START_TEST(an_order_that_is_not_answered_is_told_and_ends_later)
{
    struct error err = {0};
    open_with(0, 200);
    must(3, DOMAIN_DEFINE);
    own_libvirtd_signal(&own, SIGSTOP);
    int result = 0;
    while ((result = give(3, DOMAIN_START, NULL, &err)) == 1)
        wait_change();
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_ptr_nonnull(strstr(err.msg, "has not answered for"));
    /* It holds its domain, and no other order is begun on it. */
    ck_assert_int_eq(give(3, DOMAIN_UNDEFINE, NULL, &err), -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    own_libvirtd_signal(&own, SIGCONT);
    wait_state(3, POWER_RUNNING, "booted");
    while (give(3, DOMAIN_START, NULL, &err) != 0)
        wait_ms(50);
    must_remove(3);
}
END_TEST

START_TEST(more_orders_than_threads_wait_and_all_end)
{
    enum { FIRST = 10, COUNT = LIBVIRT_THREADS + 3 };
    struct error err = {0};
    open_with(0, 0);
    for (int i = FIRST; i < FIRST + COUNT; i++)
        must(i, DOMAIN_DEFINE);
    size_t before = count_threads();
    own_libvirtd_signal(&own, SIGSTOP);
    for (int i = FIRST; i < FIRST + COUNT; i++)
        ck_assert_int_eq(give(i, DOMAIN_START, NULL, &err), 1);
    ck_assert_uint_le(count_threads(), before + LIBVIRT_THREADS);
    own_libvirtd_signal(&own, SIGCONT);
    for (int i = FIRST; i < FIRST + COUNT; i++) {
        must(i, DOMAIN_START);
        wait_state(i, POWER_RUNNING, "booted");
    }
    for (int i = FIRST; i < FIRST + COUNT; i++)
        must_remove(i);
}
END_TEST

/* libvirt's keepalive breaks the connection, and the next is not answered. */
START_TEST(a_silent_libvirtd_is_told_and_all_goes_on_when_it_speaks)
{
    struct error err = {0};
    open_with(500, 1000);
    must(4, DOMAIN_DEFINE);
    own_libvirtd_signal(&own, SIGSTOP);
    int result = 0;
    while ((result = give(4, DOMAIN_START, NULL, &err)) == 1)
        wait_change();
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    wait_unknown(&err);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_str_ne(err.msg, "");
    own_libvirtd_signal(&own, SIGCONT);
    /* What it was asked before it fell silent it may yet do. */
    auto_domain_list struct domain_list *list = read_list();
    ck_assert_ptr_nonnull(list);
    must(4, DOMAIN_START);
    wait_state(4, POWER_RUNNING, NULL);
    must_remove(4);
}
END_TEST

START_TEST(closing_does_not_wait_for_a_silent_libvirtd)
{
    struct error err = {0};
    open_with(0, 0);
    must(5, DOMAIN_DEFINE);
    own_libvirtd_signal(&own, SIGSTOP);
    ck_assert_int_eq(give(5, DOMAIN_START, NULL, &err), 1);
    libvirt_close(libvirt);
    libvirt = NULL;
    own_libvirtd_signal(&own, SIGCONT);
}
END_TEST

START_TEST(a_saved_domain_is_undefined_with_what_was_saved)
{
    open_with(0, 0);
    const struct uuid uuid = uuid_of(6);
    must(6, DOMAIN_DEFINE);
    must(6, DOMAIN_START);
    virConnectPtr connection = virConnectOpen(own.uri);
    ck_assert_ptr_nonnull(connection);
    virDomainPtr domain = virDomainLookupByUUID(connection, uuid.bytes);
    ck_assert_ptr_nonnull(domain);
    ck_assert_int_eq(virDomainManagedSave(domain, 0), 0);
    wait_state(6, POWER_SHUT_OFF, "saved");
    must(6, DOMAIN_UNDEFINE);
    /* Nothing is left that a domain of the same name would wake from. */
    must(6, DOMAIN_DEFINE);
    ck_assert_int_eq(virDomainHasManagedSaveImage(domain, 0), 0);
    must_remove(6);
    virDomainFree(domain);
    virConnectClose(connection);
}
END_TEST

START_TEST(a_defined_domain_is_not_started_by_libvirt_itself)
{
    int on = -1;
    const struct uuid uuid = uuid_of(7);
    open_with(0, 0);
    must(7, DOMAIN_DEFINE);
    virConnectPtr connection = virConnectOpen(own.uri);
    ck_assert_ptr_nonnull(connection);
    virDomainPtr domain = virDomainLookupByUUID(connection, uuid.bytes);
    ck_assert_ptr_nonnull(domain);
    ck_assert_int_eq(virDomainSetAutostart(domain, 1), 0);
    must(7, DOMAIN_DEFINE);
    ck_assert_int_eq(virDomainGetAutostart(domain, &on), 0);
    ck_assert_int_eq(on, 0);
    must_remove(7);
    virDomainFree(domain);
    virConnectClose(connection);
}
END_TEST

static int run_trouble(void)
{
    Suite *s = suite_create("libvirtd in trouble");
    TCase *c = tcase_create("trouble");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, end);
    tcase_add_test(c, a_saved_domain_is_undefined_with_what_was_saved);
    tcase_add_test(c, a_defined_domain_is_not_started_by_libvirt_itself);
    tcase_add_test(c, a_killed_QEMU_is_told);
    tcase_add_test(c, an_order_that_is_not_answered_is_told_and_ends_later);
    tcase_add_test(c, more_orders_than_threads_wait_and_all_end);
    tcase_add_test(c, a_killed_libvirtd_leaves_nothing_known_until_it_is_back);
    suite_add_tcase(s, c);
    c = tcase_create("silence");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, NULL, end);
    tcase_add_test(c, a_silent_libvirtd_is_told_and_all_goes_on_when_it_speaks);
    tcase_add_test(c, closing_does_not_wait_for_a_silent_libvirtd);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures;
}

int main(void)
{
    int status = own_libvirtd_begin(&own);
    if (status)
        return status;
    int failures = contract_domains_run_qemu(open_host, close_host, "br0");
    failures += run_trouble();
    own_libvirtd_end(&own);
    return failures ? 1 : 0;
}
