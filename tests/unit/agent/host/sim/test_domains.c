/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated libvirt: orders, guests that take their time or never let go,
 * what is told of it. */
#include "agent/host/sim/sim.h"

#include "common/base/timestamp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sim_host *world;
static struct host_backend *host;
static struct error err;
static int64_t now;
static struct uuid domain_id, port_id;
static struct domain_port port;

static int64_t clock_now(void *context)
{
    (void)context;
    return now;
}

static void setup(void)
{
    struct sim_host_config config = {.seed = 1,
                                     .networks = 1,
                                     .bridges_on_pfs = true,
                                     .pf_count = 2,
                                     .pfs = {"intel-82576", "intel-82576"}};
    now = 1000 * TIMESTAMP_SECOND;
    world = sim_host_new(&config, &err);
    ck_assert_ptr_nonnull(world);
    host = host_sim_open(
        &(struct host_sim_config){.host = world, .hooks.now = clock_now}, &err);
    ck_assert_ptr_nonnull(host);
    uuid_parse("11111111-1111-4111-8111-111111111111", &domain_id);
    uuid_parse("22222222-2222-4222-8222-222222222222", &port_id);
    auto_pf struct pf *pf =
        host->ops->read_pf(host, sim_host_pf_key(world, 1), NULL, &err);
    port = (struct domain_port){.id = port_id,
                                .guest_failover = GUEST_FAILOVER_NET_FAILOVER,
                                .hardware = true,
                                .address = pf->vfs[0].address,
                                .virtio = true,
                                .network = "br-phys0"};
    mac_parse("52:54:00:00:00:07", &port.policy.mac);
    port.policy.set = POLICY_BIT(POLICY_MAC);
}

static void teardown(void)
{
    host->ops->close(host);
    sim_host_free(world);
}

static int order(enum domain_order_kind kind, const char *xml,
                 const char *alias)
{
    struct domain_order asked = {
        .kind = kind, .domain = domain_id, .xml = xml, .alias = alias};
    int status = host->ops->domain_order(host, &asked, &err);
    ck_assert_int_eq(status, 1);
    return host->ops->domain_order(host, &asked, &err);
}

static void define(void)
{
    const struct domain_identity identity = {
        .vm = domain_id, .name = "g1", .vcpus = 1, .memory_mib = 96};
    const char *text =
        "<domain type='qemu'><os><type machine='q35'>hvm</type></os></domain>";
    char *xml = domain_define(text, strlen(text), &identity, &port, 1, &err);
    ck_assert_msg(xml != NULL, "%s", err.msg);
    ck_assert_int_eq(order(DOMAIN_DEFINE, xml, NULL), 0);
    free(xml);
}

static void run(void)
{
    define();
    ck_assert_int_eq(order(DOMAIN_START, NULL, NULL), 0);
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_RUNNING);
}

static bool has_hostdev(void)
{
    auto_domain_list struct domain_list *list = host->ops->domains(host, &err);
    const struct domain_state *state = domain_list_find(list, &domain_id);
    ck_assert_ptr_nonnull(state);
    return domain_facts_hostdev(&state->facts, &port_id) != NULL;
}

static bool in_use(void)
{
    struct vf_evidence evidence;
    ck_assert_int_eq(host->ops->vf_evidence(host, sim_host_pf_key(world, 1), 0,
                                            &evidence, &err),
                     0);
    return evidence.in_use;
}

static void vf_alias(char alias[64])
{
    auto_domain_list struct domain_list *list = host->ops->domains(host, &err);
    const struct domain_state *state = domain_list_find(list, &domain_id);
    strcpy(alias, domain_facts_hostdev(&state->facts, &port_id)->alias);
}

START_TEST(a_guest_that_boots_uses_its_vf_and_the_vf_is_used)
{
    run();
    ck_assert(has_hostdev());
    ck_assert(!in_use());
    now += 10 * TIMESTAMP_SECOND;
    ck_assert(in_use());
    ck_assert(sim_host_vf_external(world, 1, 0));
    struct host_changes changes;
    ck_assert(host_sim_has_changes(host));
    ck_assert_int_eq(host->ops->changes(host, &changes, &err), 0);
    ck_assert(changes.domains);
}
END_TEST

START_TEST(a_device_is_gone_when_the_guest_lets_go)
{
    char alias[64];
    run();
    now += 10 * TIMESTAMP_SECOND;
    vf_alias(alias);
    ck_assert_int_eq(order(DOMAIN_UNPLUG, NULL, alias), 0);
    ck_assert(has_hostdev());
    ck_assert_int_gt(host_sim_wakes_at(host), now);
    now = host_sim_wakes_at(host);
    ck_assert(host_sim_has_changes(host));
    ck_assert(!has_hostdev());
    ck_assert(!sim_host_vf_external(world, 1, 0));
    char *xml = domain_vf_xml(&port);
    ck_assert_int_eq(order(DOMAIN_PLUG, xml, NULL), 0);
    ck_assert_int_eq(order(DOMAIN_PLUG, xml, NULL), 0); /* is there already */
    free(xml);
    ck_assert(has_hostdev());
    ck_assert(!in_use());
    now += 2 * TIMESTAMP_SECOND;
    ck_assert(in_use());
}
END_TEST

START_TEST(a_guest_that_keeps_its_device_keeps_it)
{
    char alias[64];
    sim_host_set_guests(world, SIM_GUEST_KEEPS);
    run();
    vf_alias(alias);
    ck_assert_int_eq(order(DOMAIN_UNPLUG, NULL, alias), 0);
    ck_assert_int_eq(order(DOMAIN_SHUTDOWN, NULL, NULL), 0);
    now += 600 * TIMESTAMP_SECOND;
    ck_assert(has_hostdev());
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_RUNNING);
    ck_assert_int_eq(order(DOMAIN_DESTROY, NULL, NULL), 0);
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_SHUT_OFF);
    ck_assert(!sim_host_vf_external(world, 1, 0));
}
END_TEST

START_TEST(a_guest_without_driver_never_uses_its_vf)
{
    sim_host_set_guests(world, SIM_GUEST_NO_DRIVER);
    run();
    now += 600 * TIMESTAMP_SECOND;
    ck_assert(!in_use());
}
END_TEST

START_TEST(a_vf_that_is_used_or_gone_is_refused)
{
    sim_host_vf_set_external(world, 1, 0, "something else");
    define();
    ck_assert_int_eq(order(DOMAIN_START, NULL, NULL), -1);
    ck_assert_int_eq(err.code, ERROR_IN_USE);
    sim_host_pf_set_present(world, 1, false);
    ck_assert_int_eq(order(DOMAIN_START, NULL, NULL), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_SHUT_OFF);
    ck_assert_int_eq(order(DOMAIN_UNDEFINE, NULL, NULL), 0);
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_ABSENT);
    ck_assert_int_eq(order(DOMAIN_UNDEFINE, NULL, NULL), 0);
    ck_assert_int_eq(order(DOMAIN_START, NULL, NULL), -1);
    ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
}
END_TEST

START_TEST(a_tap_holds_a_vlan_and_tells_the_policy)
{
    struct policy policy;
    run();
    auto_domain_list struct domain_list *list = host->ops->domains(host, &err);
    const struct domain_device *leg =
        domain_facts_leg(&list->domains[0].facts, &port_id);
    ck_assert_ptr_nonnull(leg);
    ck_assert_int_eq(
        host->ops->tap_vlan(host, "br-phys0", leg->target, 100, &err), 0);
    ck_assert_int_eq(
        host->ops->tap_read(host, &domain_id, leg->target, &policy, &err), 0);
    ck_assert_uint_eq(policy.vlan, 100);
    ck_assert_int_eq(mac_compare(&policy.mac, &port.policy.mac), 0);
    ck_assert_int_eq(
        host->ops->tap_read(host, &domain_id, "vnet99", &policy, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

START_TEST(learning_of_an_uplink_and_of_what_is_none)
{
    bool learns = false;
    ck_assert_int_eq(host->ops->learning_read(host, "ens1f0", &learns, &err),
                     0);
    ck_assert(learns);
    ck_assert_int_eq(host->ops->learning_set(host, "ens1f0", false, &err), 0);
    host->ops->learning_read(host, "ens1f0", &learns, &err);
    ck_assert(!learns);
    ck_assert_int_eq(host->ops->learning_set(host, "ens1f1", false, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    sim_host_pf_set_management(world, 0, "default route");
    ck_assert_int_eq(host->ops->learning_set(host, "ens1f0", true, &err), -1);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
}
END_TEST

START_TEST(what_the_host_and_libvirt_go_through)
{
    run();
    sim_host_set_libvirt(world, false);
    ck_assert_ptr_null(host->ops->domains(host, &err));
    ck_assert_int_eq(err.code, ERROR_AGAIN);
    sim_host_set_libvirt(world, true);
    sim_host_domain_kill(world, &domain_id);
    auto_domain_list struct domain_list *list = host->ops->domains(host, &err);
    ck_assert_str_eq(list->domains[0].reason, "crashed");
    ck_assert_int_eq(order(DOMAIN_START, NULL, NULL), 0);
    ck_assert_uint_eq(sim_host_active_domains(world), 1);
    sim_host_reboot(world);
    ck_assert_uint_eq(sim_host_active_domains(world), 0);
    ck_assert_int_eq(sim_host_domain_power(world, &domain_id), POWER_SHUT_OFF);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("agent/host/sim/domains");
    TCase *c = tcase_create("domains");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_guest_that_boots_uses_its_vf_and_the_vf_is_used);
    tcase_add_test(c, a_device_is_gone_when_the_guest_lets_go);
    tcase_add_test(c, a_guest_that_keeps_its_device_keeps_it);
    tcase_add_test(c, a_guest_without_driver_never_uses_its_vf);
    tcase_add_test(c, a_vf_that_is_used_or_gone_is_refused);
    tcase_add_test(c, a_tap_holds_a_vlan_and_tells_the_policy);
    tcase_add_test(c, learning_of_an_uplink_and_of_what_is_none);
    tcase_add_test(c, what_the_host_and_libvirt_go_through);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
