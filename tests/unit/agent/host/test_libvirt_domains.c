/* SPDX-License-Identifier: Apache-2.0 */
/* The list of domains, against libvirt's own test driver: its domains are changed
 * behind the worker's back, over another connection of this process. What orders
 * do is tests/contract/host's. */
#include "agent/host/libvirt.h"
#include "agent/host/libvirt_parts.h"

#include <check.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR_MS 3600000

static struct libvirt *libvirt;
static virConnectPtr other;
static virDomainPtr test; /* libvirt's "test" (test_driver.c, defaultConnXML) */

static void open_at(const char *uri, unsigned audit_ms)
{
    struct error err = {0};
    struct libvirt_config config = {.uri = uri,
                                    .retry_min_ms = 10,
                                    .retry_max_ms = 40,
                                    .audit_ms = audit_ms};
    libvirt = libvirt_open(&config, &err);
    ck_assert_msg(libvirt != NULL, "%s", err.msg);
}

static void open_both(unsigned audit_ms)
{
    open_at("test:///default", audit_ms);
    other = virConnectOpen("test:///default");
    ck_assert_ptr_nonnull(other);
    test = virDomainLookupByName(other, "test");
    ck_assert_ptr_nonnull(test);
}

static void end(void)
{
    libvirt_close(libvirt);
    if (test)
        virDomainFree(test);
    if (other)
        virConnectClose(other);
    libvirt = NULL;
}

static unsigned wait_change(void)
{
    struct pollfd fd = {.fd = libvirt_fd(libvirt), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, -1), 1);
    return libvirt_changed(libvirt);
}

static struct domain_list *read_list(void)
{
    struct domain_list *list = NULL;
    while (!(list = libvirt_domains(libvirt, NULL)))
        wait_change();
    return list;
}

static const struct domain_state *named(const struct domain_list *list,
                                        const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->domains[i].name, name) == 0)
            return &list->domains[i];
    return NULL;
}

static const struct domain_state *must(const struct domain_list *list,
                                       const char *name)
{
    static const struct domain_state none;
    const struct domain_state *one = named(list, name);
    ck_assert_ptr_nonnull(one);
    return one ? one : &none;
}

/* Until the list tells of a state; the test's own time limit ends it. */
static struct domain_list *wait_state(enum power_state state,
                                      const char *reason)
{
    for (;;) {
        struct domain_list *list = read_list();
        const struct domain_state *now = named(list, "test");
        if (now && now->power_state == state &&
            strcmp(now->reason, reason) == 0)
            return list;
        ref_put(list);
        wait_change();
    }
}

START_TEST(what_libvirt_has_is_told)
{
    open_both(HOUR_MS);
    auto_domain_list struct domain_list *list = read_list();
    const struct domain_state *one = must(list, "test");
    unsigned char uuid[VIR_UUID_BUFLEN];
    ck_assert_uint_eq(list->count, 1);
    ck_assert_int_eq(virDomainGetUUID(test, uuid), 0);
    ck_assert_mem_eq(one->uuid.bytes, uuid, sizeof uuid);
    ck_assert_int_eq(one->power_state, POWER_RUNNING);
    ck_assert(one->persistent);
    ck_assert_uint_eq(one->vcpus, 2);
    ck_assert_uint_eq(one->memory_mib, 8192);
    ck_assert_ptr_eq(domain_list_find(list, &one->uuid), one);
}
END_TEST

START_TEST(an_event_is_enough_to_read_a_domain_again)
{
    open_both(HOUR_MS);
    auto_domain_list struct domain_list *first = read_list();
    ck_assert_int_eq(virDomainSuspend(test), 0);
    auto_domain_list struct domain_list *paused =
        wait_state(POWER_PAUSED, "user");
    ck_assert_int_eq(virDomainResume(test), 0);
    auto_domain_list struct domain_list *on =
        wait_state(POWER_RUNNING, "unpaused");
    ck_assert_int_eq(virDomainDestroy(test), 0);
    auto_domain_list struct domain_list *off =
        wait_state(POWER_SHUT_OFF, "destroyed");
    ck_assert_int_eq(virDomainCreate(test), 0);
    auto_domain_list struct domain_list *again =
        wait_state(POWER_RUNNING, "booted");
    ck_assert_int_eq(virDomainShutdown(test), 0);
    auto_domain_list struct domain_list *down =
        wait_state(POWER_SHUT_OFF, "shutdown");
    /* What was told does not change. */
    ck_assert_int_eq(must(first, "test")->power_state, POWER_RUNNING);
    ck_assert_int_eq(must(paused, "test")->power_state, POWER_PAUSED);
    ck_assert_ptr_ne(on, again);
    ck_assert_ptr_ne(off, down);
}
END_TEST

START_TEST(a_domain_comes_and_goes_and_the_others_stay)
{
    static const char xml[] =
        "<domain type='test'><name>new</name><memory>65536</memory>"
        "<os><type>hvm</type></os><devices>"
        "<interface type='bridge'><mac address='52:54:00:00:00:01'/>"
        "<source bridge='br0'/></interface></devices></domain>";
    open_both(HOUR_MS);
    virDomainPtr new = virDomainDefineXML(other, xml);
    ck_assert_ptr_nonnull(new);
    for (;;) {
        auto_domain_list struct domain_list *list = read_list();
        const struct domain_state *one = named(list, "new");
        ck_assert_ptr_nonnull(named(list, "test"));
        if (!one) {
            wait_change();
            continue;
        }
        ck_assert_int_eq(one->power_state, POWER_SHUT_OFF);
        ck_assert_uint_eq(one->facts.device_count, 1);
        ck_assert_str_eq(one->facts.devices[0].source, "br0");
        break;
    }
    ck_assert_int_eq(virDomainUndefine(new), 0);
    virDomainFree(new);
    for (;;) {
        auto_domain_list struct domain_list *list = read_list();
        ck_assert_ptr_nonnull(named(list, "test"));
        if (!named(list, "new"))
            break;
        wait_change();
    }
}
END_TEST

START_TEST(what_no_event_tells_is_found_by_reading_all_again)
{
    open_both(20);
    ck_assert_int_eq(virDomainDestroy(test), 0);
    auto_domain_list struct domain_list *off =
        wait_state(POWER_SHUT_OFF, "destroyed");
    ck_assert_ptr_nonnull(off);
    ck_assert_int_eq(virDomainSetMaxMemory(test, 1 << 20), 0);
    for (;;) {
        auto_domain_list struct domain_list *list = read_list();
        if (must(list, "test")->memory_mib == 1024)
            break;
        wait_change();
    }
}
END_TEST

START_TEST(a_domain_is_told_as_the_domains_and_not_as_the_status)
{
    open_both(HOUR_MS);
    auto_domain_list struct domain_list *first = read_list();
    ck_assert_ptr_nonnull(first);
    libvirt_changed(libvirt);
    ck_assert_int_eq(virDomainSuspend(test), 0);
    ck_assert_uint_eq(wait_change(), LIBVIRT_CHANGED_DOMAINS);
}
END_TEST

START_TEST(a_running_domain_that_can_not_be_understood_hides_all_and_says_so)
{
    struct error err = {0};
    char xml[16384];
    size_t at = (size_t)snprintf(xml, sizeof xml,
                                 "<domain type='test'><name>many</name>"
                                 "<memory>65536</memory>"
                                 "<os><type>hvm</type></os><devices>");
    for (unsigned i = 0; i <= DOMAIN_DEVICES_MAX; i++)
        at += (size_t)snprintf(xml + at, sizeof xml - at,
                               "<interface type='bridge'>"
                               "<mac address='52:54:00:00:01:%02x'/>"
                               "<source bridge='br0'/></interface>",
                               i);
    snprintf(xml + at, sizeof xml - at, "</devices></domain>");
    open_both(HOUR_MS);
    auto_domain_list struct domain_list *first = read_list();
    ck_assert_ptr_nonnull(first);
    virDomainPtr many = virDomainCreateXML(other, xml, 0);
    ck_assert_msg(many != NULL, "%s", virGetLastErrorMessage());
    struct domain_list *list = NULL;
    while ((list = libvirt_domains(libvirt, &err))) {
        ref_put(list);
        wait_change();
    }
    while (!strstr(err.msg, "'many'")) {
        wait_change();
        ck_assert_ptr_null(libvirt_domains(libvirt, &err));
    }
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    auto_libvirt_status struct libvirt_status *status = libvirt_status(libvirt);
    ck_assert_int_eq(status->state, LIBVIRT_CONNECTED);
    ck_assert_str_eq(status->domains_error, err.msg);
    /* When it is gone all is well again. */
    ck_assert_int_eq(virDomainDestroy(many), 0);
    virDomainFree(many);
    auto_domain_list struct domain_list *after = read_list();
    ck_assert_ptr_nonnull(named(after, "test"));
}
END_TEST

START_TEST(without_libvirt_nothing_is_known_and_nothing_done)
{
    struct error err = {0};
    const struct domain_order order = {.kind = DOMAIN_START};
    open_at("test+unix:///default?socket=/nonexistent/socket", HOUR_MS);
    libvirt_wait(libvirt, 60000);
    ck_assert_ptr_null(libvirt_domains(libvirt, &err));
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/socket"));
    err = (struct error){0};
    ck_assert_int_eq(libvirt_order(libvirt, &order, &err), -1);
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/socket"));
}
END_TEST

START_TEST(states_and_reasons_are_libvirts)
{
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_RUNNING, true),
                     POWER_RUNNING);
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_BLOCKED, true),
                     POWER_RUNNING);
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_SHUTDOWN, true),
                     POWER_SHUTTING_DOWN);
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_SHUTOFF, false),
                     POWER_SHUT_OFF);
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_PMSUSPENDED, true),
                     POWER_SUSPENDED);
    ck_assert_int_eq(libvirt_power_state(VIR_DOMAIN_CRASHED, false),
                     POWER_CRASHED);
    ck_assert_str_eq(
        libvirt_reason(VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_CRASHED),
        "crashed");
    ck_assert_str_eq(libvirt_reason(VIR_DOMAIN_SHUTOFF, 99), "");
    ck_assert_str_eq(libvirt_reason(99, 1), "");
    ck_assert_str_eq(libvirt_reason(-1, -1), "");
}
END_TEST

/* Whoever reads the list takes what an inactive domain has for free. */
START_TEST(an_active_domain_is_never_told_as_one_that_has_ended)
{
    for (int state = -1; state < 20; state++)
        ck_assert(
            power_state_is_active((uint8_t)libvirt_power_state(state, true)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host libvirt domains");
    TCase *c = tcase_create("list");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, NULL, end);
    tcase_add_test(c, what_libvirt_has_is_told);
    tcase_add_test(c, an_event_is_enough_to_read_a_domain_again);
    tcase_add_test(c, a_domain_comes_and_goes_and_the_others_stay);
    tcase_add_test(c, what_no_event_tells_is_found_by_reading_all_again);
    tcase_add_test(c, a_domain_is_told_as_the_domains_and_not_as_the_status);
    tcase_add_test(
        c, a_running_domain_that_can_not_be_understood_hides_all_and_says_so);
    tcase_add_test(c, without_libvirt_nothing_is_known_and_nothing_done);
    tcase_add_test(c, states_and_reasons_are_libvirts);
    tcase_add_test(c, an_active_domain_is_never_told_as_one_that_has_ended);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
