/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated kernel answers as the drivers named in the models do. The
 * expected answers stand here as literals, taken from the drivers' sources. */
#include "agent/host/sim/sim.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct sim_host *world;
static struct host_backend *host;
static struct error err;

static void open_host(const char *model)
{
    struct sim_host_config config = {.seed = 7, .networks = 2, .pf_count = 2};
    config.pfs[0] = config.pfs[1] = model;
    world = sim_host_new(&config, &err);
    ck_assert_ptr_nonnull(world);
    struct host_sim_config backend = {.host = world};
    host = host_sim_open(&backend, &err);
    ck_assert_ptr_nonnull(host);
}

static void shut_host(void)
{
    if (host)
        host->ops->close(host);
    sim_host_free(world);
    host = NULL;
    world = NULL;
}

/* 0, or the errno of the refusal; the field at fault must be 'field'. */
static int set_field(enum policy_field field, struct policy value,
                     const char *at_fault)
{
    err = (struct error){0};
    int rc = host->ops->vf_write(host, sim_host_pf_key(world, 0), 0, &value,
                                 POLICY_BIT(field), &err);
    if (rc == 0)
        return 0;
    ck_assert_str_eq(err.field, at_fault);
    return err.sys;
}

static struct policy get(void)
{
    struct policy policy = {0};
    ck_assert_int_eq(
        host->ops->vf_read(host, sim_host_pf_key(world, 0), 0, &policy, &err),
        0);
    return policy;
}

static struct mac get_mac(void)
{
    return get().mac;
}

START_TEST(igb_takes_a_vlan_but_no_8021ad_min_rate_or_link_state)
{
    open_host("intel-82576");
    struct policy p = {.vlan = 100, .vlan_qos = 3};
    struct policy both = p;
    ck_assert_int_eq(host->ops->vf_write(
                         host, sim_host_pf_key(world, 0), 0, &both,
                         POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS),
                         &err),
                     0);
    ck_assert_uint_eq(get().vlan, 100);
    ck_assert_uint_eq(get().vlan_qos, 3);
    p.vlan_proto = VLAN_PROTO_8021AD;
    ck_assert_int_eq(set_field(POLICY_VLAN_PROTO, p, "vlan_proto"),
                     EPROTONOSUPPORT);
    p.min_tx_rate_mbps = 10;
    ck_assert_int_eq(set_field(POLICY_MIN_TX_RATE_MBPS, p, "min_tx_rate_mbps"),
                     EINVAL);
    p.link_state = LINK_STATE_AUTO;
    ck_assert_int_eq(set_field(POLICY_LINK_STATE, p, "link_state"), EOPNOTSUPP);
    shut_host();
}
END_TEST

START_TEST(igb_takes_a_rate_only_with_link_and_up_to_its_speed)
{
    open_host("intel-82576");
    struct policy p = {.max_tx_rate_mbps = 1000};
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, ""), 0);
    p.max_tx_rate_mbps = 1001;
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, "max_tx_rate_mbps"),
                     EINVAL);
    sim_host_pf_set_link(world, 0, false);
    p.max_tx_rate_mbps = 0;
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, "max_tx_rate_mbps"),
                     EINVAL);
    ck_assert_uint_eq(get().max_tx_rate_mbps, 1000);
    sim_host_pf_set_link(world, 0, true);
    sim_host_pf_set_speed(world, 0, 100);
    ck_assert_uint_eq(get().max_tx_rate_mbps, 0);
    shut_host();
}
END_TEST

START_TEST(igb_vf_takes_a_random_mac_when_reset_with_none)
{
    open_host("intel-82576");
    struct mac first = get_mac();
    ck_assert(!mac_is_zero(&first));
    ck_assert(mac_is_local(&first));
    ck_assert(sim_host_vf_own_mac(world, 0, 0));
    ck_assert(sim_host_vf_clean(world, 0, 0));
    struct policy p = {.mac = {{0x52, 0x54, 0, 1, 2, 3}}};
    ck_assert_int_eq(set_field(POLICY_MAC, p, ""), 0);
    ck_assert(!sim_host_vf_clean(world, 0, 0));
    ck_assert_int_eq(
        host->ops->vf_reset(host, sim_host_pf_key(world, 0), 0, &err), 0);
    struct mac kept = get_mac();
    ck_assert_int_eq(mac_compare(&kept, &p.mac), 0);
    struct policy zero = {0};
    ck_assert_int_eq(set_field(POLICY_MAC, zero, ""), 0);
    struct mac none = get_mac();
    ck_assert(mac_is_zero(&none));
    ck_assert(sim_host_vf_clean(world, 0, 0));
    ck_assert_int_eq(
        host->ops->vf_reset(host, sim_host_pf_key(world, 0), 0, &err), 0);
    struct mac fresh = get_mac();
    ck_assert(!mac_is_zero(&fresh));
    ck_assert_int_ne(mac_compare(&fresh, &p.mac), 0);
    ck_assert(sim_host_vf_clean(world, 0, 0));
    shut_host();
}
END_TEST

START_TEST(ixgbe_takes_link_state_and_reads_auto)
{
    open_host("intel-82599");
    struct policy p = {.link_state = LINK_STATE_DISABLE};
    ck_assert_int_eq(set_field(POLICY_LINK_STATE, p, ""), 0);
    ck_assert_uint_eq(get().link_state, LINK_STATE_AUTO);
    p.max_tx_rate_mbps = 10;
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, "max_tx_rate_mbps"),
                     EINVAL);
    p.max_tx_rate_mbps = 11;
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, ""), 0);
    shut_host();
}
END_TEST

START_TEST(i40e_refuses_any_min_rate)
{
    open_host("intel-x710");
    struct policy p = {.min_tx_rate_mbps = 1};
    ck_assert_int_eq(set_field(POLICY_MIN_TX_RATE_MBPS, p, "min_tx_rate_mbps"),
                     EINVAL);
    p.max_tx_rate_mbps = 10001;
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, "max_tx_rate_mbps"),
                     EINVAL);
    shut_host();
}
END_TEST

START_TEST(ice_takes_min_rates_up_to_the_link_in_sum)
{
    open_host("intel-e810");
    struct policy p = {.min_tx_rate_mbps = 60000};
    ck_assert_int_eq(set_field(POLICY_MIN_TX_RATE_MBPS, p, ""), 0);
    ck_assert_int_eq(host->ops->vf_write(host, sim_host_pf_key(world, 0), 1, &p,
                                         POLICY_BIT(POLICY_MIN_TX_RATE_MBPS),
                                         &err),
                     -1);
    ck_assert_int_eq(err.sys, EINVAL);
    p.vlan = 5;
    p.vlan_proto = VLAN_PROTO_8021AD;
    ck_assert_int_eq(host->ops->vf_write(host, sim_host_pf_key(world, 0), 0, &p,
                                         POLICY_BIT(POLICY_VLAN) |
                                             POLICY_BIT(POLICY_VLAN_PROTO),
                                         &err),
                     0);
    ck_assert_uint_eq(get().vlan_proto, VLAN_PROTO_8021AD);
    shut_host();
}
END_TEST

START_TEST(bnxt_and_sfc_refuse_qos)
{
    static const char *const models[] = {"broadcom-p2100", "amd-x2522"};
    for (size_t i = 0; i < 2; i++) {
        open_host(models[i]);
        struct policy p = {.vlan = 7, .vlan_qos = 1};
        ck_assert_int_eq(
            host->ops->vf_write(
                host, sim_host_pf_key(world, 0), 0, &p,
                POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS), &err),
            -1);
        ck_assert_int_eq(err.sys, EINVAL);
        ck_assert_str_eq(err.field, "vlan_qos");
        ck_assert_uint_eq(get().vlan, 0);
        shut_host();
    }
}
END_TEST

START_TEST(sfc_does_not_report_spoofchk_and_trust)
{
    open_host("amd-x2522");
    ck_assert(!policy_has(&(struct policy){.set = get().set}, POLICY_SPOOFCHK));
    ck_assert(!policy_has(&(struct policy){.set = get().set}, POLICY_TRUST));
    struct policy p = {.trust = true, .max_tx_rate_mbps = 5};
    ck_assert_int_eq(set_field(POLICY_TRUST, p, "trust"), EOPNOTSUPP);
    ck_assert_int_eq(set_field(POLICY_MAX_TX_RATE_MBPS, p, "max_tx_rate_mbps"),
                     EOPNOTSUPP);
    shut_host();
}
END_TEST

START_TEST(mlx5_vfs_begin_with_spoofchk_off)
{
    open_host("nvidia-connectx-6");
    ck_assert(!get().spoofchk);
    ck_assert(!sim_host_vf_clean(world, 0, 0));
    struct policy p = {.spoofchk = true};
    ck_assert_int_eq(set_field(POLICY_SPOOFCHK, p, ""), 0);
    ck_assert(sim_host_vf_clean(world, 0, 0));
    shut_host();
}
END_TEST

START_TEST(virtio_and_vxge_refuse_everything_and_tell_nothing)
{
    static const char *const models[] = {"virtio-net", "neterion-x3100"};
    for (size_t i = 0; i < 2; i++) {
        open_host(models[i]);
        struct policy p = policy_clean();
        for (int f = 0; f < POLICY_FIELD_MAX; f++)
            ck_assert_int_eq(host->ops->vf_write(host,
                                                 sim_host_pf_key(world, 0), 0,
                                                 &p, POLICY_BIT(f), &err),
                             -1);
        ck_assert_int_eq(err.sys, EOPNOTSUPP);
        ck_assert_uint_eq(get().set, 0);
        shut_host();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim kernel");
    TCase *tc = tcase_create("drivers");
    tcase_add_test(tc, igb_takes_a_vlan_but_no_8021ad_min_rate_or_link_state);
    tcase_add_test(tc, igb_takes_a_rate_only_with_link_and_up_to_its_speed);
    tcase_add_test(tc, igb_vf_takes_a_random_mac_when_reset_with_none);
    tcase_add_test(tc, ixgbe_takes_link_state_and_reads_auto);
    tcase_add_test(tc, i40e_refuses_any_min_rate);
    tcase_add_test(tc, ice_takes_min_rates_up_to_the_link_in_sum);
    tcase_add_test(tc, bnxt_and_sfc_refuse_qos);
    tcase_add_test(tc, sfc_does_not_report_spoofchk_and_trust);
    tcase_add_test(tc, mlx5_vfs_begin_with_spoofchk_off);
    tcase_add_test(tc, virtio_and_vxge_refuse_everything_and_tell_nothing);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
