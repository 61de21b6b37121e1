/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of domains on hosts: see domains.h. */
#include "tests/contract/host/domains.h"

#include "common/base/mem.h"
#include "common/base/str.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static const struct contract_domains_target *target;
static struct host_backend *host;
static struct uuid ours;

/* ---- waiting: the suite's own time limit ends it --------------------------------- */

/* Until something has changed; true: domains or an order's end. */
static bool wait_change(void)
{
    struct error err = {0};
    struct host_changes changes = {0};
    struct pollfd fd = {.fd = host->ops->event_fd(host), .events = POLLIN};
    ck_assert_int_ge(fd.fd, 0);
    ck_assert_int_eq(poll(&fd, 1, -1), 1);
    ck_assert_msg(host->ops->changes(host, &changes, &err) == 0, "%s", err.msg);
    return changes.domains || changes.everything;
}

static struct domain_list *read_list(void)
{
    struct domain_list *list = NULL;
    while (!(list = host->ops->domains(host, NULL)))
        wait_change();
    return list;
}

/* Until our domain is in this state; ABSENT: until it is not there. */
static struct domain_list *wait_state(enum power_state state)
{
    for (;;) {
        struct domain_list *list = read_list();
        const struct domain_state *now = domain_list_find(list, &ours);
        if (now ? now->power_state == state : state == POWER_ABSENT)
            return list;
        ref_put(list);
        wait_change();
    }
}

static int finish(const struct domain_order *order, struct error *err)
{
    int result = 0;
    *err = (struct error){0};
    while ((result = host->ops->domain_order(host, order, err)) == 1)
        wait_change();
    return result;
}

static int try_order(enum domain_order_kind kind, const char *xml,
                     const char *alias, struct error *err)
{
    const struct domain_order order = {
        .kind = kind, .domain = ours, .xml = xml, .alias = alias};
    return finish(&order, err);
}

static void give(enum domain_order_kind kind, const char *xml,
                 const char *alias)
{
    struct error err;
    int result = try_order(kind, xml, alias, &err);
    ck_assert_msg(result == 0, "order %d: %s", kind, err.msg);
}

static void must_refuse(enum domain_order_kind kind, const char *xml,
                        enum error_code code)
{
    struct error err;
    ck_assert_int_eq(try_order(kind, xml, NULL, &err), -1);
    ck_assert_msg(err.code == code, "%s: %s", error_code_name(err.code),
                  err.msg);
    ck_assert_str_ne(err.msg, "");
}

/* ---- the domain ------------------------------------------------------------------ */

static char *definition_of(const char *uuid, unsigned vcpus)
{
    return mem_printf(
        "%s<name>sriov-contract-%.8s</name><uuid>%s</uuid>"
        "<memory unit='MiB'>64</memory><vcpu>%u</vcpu>%s</domain>",
        target->head, uuid, uuid, vcpus, target->body);
}

static void define(unsigned vcpus)
{
    auto_free char *xml = definition_of(CONTRACT_DOMAIN, vcpus);
    give(DOMAIN_DEFINE, xml, NULL);
}

static void remove_ours(void)
{
    give(DOMAIN_DESTROY, NULL, NULL);
    give(DOMAIN_UNDEFINE, NULL, NULL);
    auto_domain_list struct domain_list *list = wait_state(POWER_ABSENT);
    ck_assert_ptr_null(domain_list_find(list, &ours));
}

static void begin(void)
{
    host = target->open();
    ck_assert_ptr_nonnull(host);
    ck_assert(uuid_parse(CONTRACT_DOMAIN, &ours));
    auto_domain_list struct domain_list *list = read_list();
    ck_assert_ptr_nonnull(list);
    remove_ours();
}

static void end(void)
{
    remove_ours();
    target->close(host);
}

START_TEST(the_list_is_in_order_and_says_what_each_is)
{
    define(1);
    auto_domain_list struct domain_list *list = wait_state(POWER_SHUT_OFF);
    for (size_t i = 0; i < list->count; i++) {
        const struct domain_state *one = &list->domains[i];
        ck_assert(i == 0 ||
                  uuid_compare(&list->domains[i - 1].uuid, &one->uuid) < 0);
        ck_assert_str_ne(one->name, "");
        ck_assert_int_ne(one->power_state, POWER_UNKNOWN);
        ck_assert_int_ne(one->power_state, POWER_ABSENT);
        ck_assert(uuid_equal(&one->uuid, &one->facts.uuid));
        ck_assert_uint_gt(one->vcpus, 0);
        ck_assert_uint_gt(one->memory_mib, 0);
    }
}
END_TEST

START_TEST(a_domain_that_is_defined_is_there_and_off)
{
    define(1);
    auto_domain_list struct domain_list *list = wait_state(POWER_SHUT_OFF);
    const struct domain_state *one = domain_list_find(list, &ours);
    ck_assert(one->persistent);
    ck_assert_uint_eq(one->vcpus, 1);
    ck_assert_uint_eq(one->memory_mib, 64);
    define(1); /* is so already */
}
END_TEST

START_TEST(a_definition_can_be_made_anew)
{
    define(1);
    define(2);
    for (;;) {
        auto_domain_list struct domain_list *list = wait_state(POWER_SHUT_OFF);
        if (domain_list_find(list, &ours)->vcpus == 2)
            break;
        wait_change();
    }
}
END_TEST

START_TEST(a_domain_is_started_and_destroyed)
{
    define(1);
    give(DOMAIN_START, NULL, NULL);
    auto_domain_list struct domain_list *on = wait_state(POWER_RUNNING);
    ck_assert_str_eq(domain_list_find(on, &ours)->reason, "booted");
    give(DOMAIN_START, NULL, NULL); /* is so already */
    give(DOMAIN_SHUTDOWN, NULL, NULL);
    give(DOMAIN_DESTROY, NULL, NULL);
    auto_domain_list struct domain_list *off = wait_state(POWER_SHUT_OFF);
    ck_assert(domain_list_find(off, &ours)->persistent);
    give(DOMAIN_DESTROY, NULL, NULL);
    give(DOMAIN_SHUTDOWN, NULL, NULL);
    /* What was told once does not change. */
    ck_assert_int_eq(domain_list_find(on, &ours)->power_state, POWER_RUNNING);
}
END_TEST

START_TEST(a_domain_that_is_pulled_out_says_so)
{
    define(1);
    give(DOMAIN_START, NULL, NULL);
    /* Else the list may still be that of before the start. */
    auto_domain_list struct domain_list *on = wait_state(POWER_RUNNING);
    ck_assert_ptr_nonnull(on);
    give(DOMAIN_DESTROY, NULL, NULL);
    auto_domain_list struct domain_list *off = wait_state(POWER_SHUT_OFF);
    ck_assert_str_eq(domain_list_find(off, &ours)->reason, "destroyed");
}
END_TEST

START_TEST(a_running_domain_that_is_undefined_goes_when_it_ends)
{
    define(1);
    give(DOMAIN_START, NULL, NULL);
    give(DOMAIN_UNDEFINE, NULL, NULL);
    for (;;) {
        auto_domain_list struct domain_list *list = wait_state(POWER_RUNNING);
        if (!domain_list_find(list, &ours)->persistent)
            break;
        wait_change();
    }
    give(DOMAIN_UNDEFINE, NULL, NULL);
    give(DOMAIN_DESTROY, NULL, NULL);
    auto_domain_list struct domain_list *list = wait_state(POWER_ABSENT);
    ck_assert_ptr_nonnull(list);
}
END_TEST

START_TEST(what_is_not_there_can_not_be_started_and_is_off_already)
{
    must_refuse(DOMAIN_START, NULL, ERROR_NOT_FOUND);
    must_refuse(DOMAIN_PLUG, "<input type='keyboard' bus='usb'/>",
                ERROR_NOT_FOUND);
    give(DOMAIN_SHUTDOWN, NULL, NULL);
    give(DOMAIN_DESTROY, NULL, NULL);
    give(DOMAIN_UNPLUG, NULL, "ua-none");
    give(DOMAIN_UNDEFINE, NULL, NULL);
}
END_TEST

START_TEST(a_definition_that_is_none_is_refused)
{
    auto_free char *other =
        definition_of("c0117ac7-d0e5-4b1c-8f2a-5e6f70819204", 1);
    must_refuse(DOMAIN_DEFINE, "<domain", ERROR_INVALID);
    must_refuse(DOMAIN_DEFINE, NULL, ERROR_INVALID);
    must_refuse(DOMAIN_DEFINE, other, ERROR_INVALID);
    auto_domain_list struct domain_list *list = read_list();
    ck_assert_ptr_null(domain_list_find(list, &ours));
}
END_TEST

START_TEST(the_end_of_an_order_is_told_and_asked_for_once)
{
    struct error err = {0};
    auto_free char *xml = definition_of(CONTRACT_DOMAIN, 1);
    const struct domain_order order = {
        .kind = DOMAIN_DEFINE, .domain = ours, .xml = xml};
    const struct domain_order other = {.kind = DOMAIN_START, .domain = ours};
    int result = host->ops->domain_order(host, &order, &err);
    while (result == 1) {
        /* The domain has an order: another waits, or the first has ended. */
        int second = host->ops->domain_order(host, &other, &err);
        if (second != -1 || err.code != ERROR_AGAIN)
            break;
        wait_change();
        result = host->ops->domain_order(host, &order, &err);
    }
    ck_assert_msg(result >= 0, "%s", err.msg);
    /* Whichever it was that is under way now ends. */
    while (host->ops->domain_order(host, &other, &err) != 0)
        wait_change();
    auto_domain_list struct domain_list *list = wait_state(POWER_RUNNING);
    ck_assert_ptr_nonnull(list);
}
END_TEST

static bool has_device(const struct domain_list *list)
{
    const struct domain_state *one = domain_list_find(list, &ours);
    for (size_t i = 0; one && i < one->facts.device_count; i++)
        if (strcmp(one->facts.devices[i].alias, target->alias) == 0)
            return true;
    return false;
}

START_TEST(a_device_is_plugged_in_and_asked_back)
{
    if (!target->device)
        return; /* said by the target */
    define(1);
    give(DOMAIN_START, NULL, NULL);
    give(DOMAIN_PLUG, target->device, NULL);
    for (;;) {
        auto_domain_list struct domain_list *list = wait_state(POWER_RUNNING);
        if (has_device(list))
            break;
        wait_change();
    }
    give(DOMAIN_PLUG, target->device, NULL); /* is so already */
    give(DOMAIN_UNPLUG, NULL, target->alias);
    for (;;) {
        auto_domain_list struct domain_list *list = wait_state(POWER_RUNNING);
        if (has_device(list) != target->lets_go)
            break;
        wait_change();
    }
    give(DOMAIN_UNPLUG, NULL, target->alias); /* gone, or asked already */
}
END_TEST

START_TEST(a_device_that_a_domain_has_not_is_unplugged_already)
{
    if (!target->device)
        return; /* said by the target */
    define(1);
    give(DOMAIN_UNPLUG, NULL, target->alias);
    must_refuse(DOMAIN_PLUG, target->device, ERROR_CONFLICT); /* it is off */
    give(DOMAIN_START, NULL, NULL);
    give(DOMAIN_UNPLUG, NULL, target->alias);
    give(DOMAIN_UNPLUG, target->device, NULL);
}
END_TEST

int contract_domains_run(const struct contract_domains_target *t)
{
    target = t;
    Suite *s = suite_create(t->name);
    TCase *c = tcase_create("contract");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, the_list_is_in_order_and_says_what_each_is);
    tcase_add_test(c, a_domain_that_is_defined_is_there_and_off);
    tcase_add_test(c, a_definition_can_be_made_anew);
    tcase_add_test(c, a_domain_is_started_and_destroyed);
    tcase_add_test(c, a_domain_that_is_pulled_out_says_so);
    tcase_add_test(c, a_running_domain_that_is_undefined_goes_when_it_ends);
    tcase_add_test(c, what_is_not_there_can_not_be_started_and_is_off_already);
    tcase_add_test(c, a_definition_that_is_none_is_refused);
    tcase_add_test(c, the_end_of_an_order_is_told_and_asked_for_once);
    tcase_add_test(c, a_device_is_plugged_in_and_asked_back);
    tcase_add_test(c, a_device_that_a_domain_has_not_is_unplugged_already);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    target = NULL;
    return failures;
}

/* ---- QEMU ------------------------------------------------------------------------ */

#define DEVICE                                                                 \
    "<interface type='bridge'><mac address='52:54:00:c0:27:af'/>"              \
    "<source bridge='%s'/><model type='%s'/><alias name='" ALIAS               \
    "'/></interface>"
#define ALIAS "ua-c0117ac7-d0e5-4b1c-8f2a-5e6f70819205"
#define MACHINE                                                                \
    "<os><type machine='q35'>hvm</type></os><devices>"                         \
    "<controller type='usb' model='qemu-xhci'/>"                               \
    "<controller type='pci' index='0' model='pcie-root'/>"                     \
    "<controller type='pci' index='1' model='pcie-root-port'/>"                \
    "<controller type='pci' index='2' model='pcie-root-port'/>"                \
    "<controller type='pci' index='3' model='pcie-root-port'/>"                \
    "<memballoon model='none'/></devices>"

int contract_domains_run_qemu(struct host_backend *(*open)(void),
                              void (*close)(struct host_backend *host),
                              const char *bridge)
{
    char device[512];
    struct contract_domains_target qemu = {
        .name = "domains contract: QEMU, a device that needs no guest",
        .open = open,
        .close = close,
        .head = "<domain type='qemu'>",
        .body = MACHINE,
        .device = device,
        .alias = ALIAS,
        .lets_go = true};
    snprintf(device, sizeof device, DEVICE, bridge, "usb-net");
    int failures = contract_domains_run(&qemu);
    qemu.name = "domains contract: QEMU, a guest that lets go of nothing";
    qemu.lets_go = false;
    snprintf(device, sizeof device, DEVICE, bridge, "virtio");
    return failures + contract_domains_run(&qemu);
}
