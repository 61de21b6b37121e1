/* SPDX-License-Identifier: Apache-2.0 */
/* The way to the scheduler counts as the host's own traffic. */
#include "agent/host/addresses.h"
#include "agent/host/management.h"
#include "tests/unit/agent/host/tree.h"
#include "tests/unit/check_main.h"

#include <linux/netlink.h>

static struct tree tree;
static struct sysfs sysfs;

static void begin(void)
{
    struct error err = {0};
    tree_begin(&tree);
    tree_host(&tree);
    tree_igb(&tree, 2);
    ck_assert_int_eq(sysfs_open(&sysfs, tree.root, &err), 0);
}

static void end(void)
{
    sysfs_close(&sysfs);
    tree_end(&tree);
}

static const char *reason(const char *uplink)
{
    static struct management management;
    struct pf_key key;
    ck_assert(pf_key_parse(TREE_IGB_PF, &key));
    management_read(&sysfs, NULL, uplink, &management, NULL);
    return management_reason(&management, &key);
}

START_TEST(without_routes_and_a_known_way_no_pf_is_the_hosts)
{
    begin();
    ck_assert_ptr_null(reason(""));
    end();
}
END_TEST

START_TEST(the_way_to_the_scheduler_protects_its_pf)
{
    begin();
    ck_assert_str_eq(reason("eth0"), "way to the scheduler via eth0");
    end();
}
END_TEST

START_TEST(also_through_a_bridge_and_over_a_vf)
{
    begin();
    tree_netdev(&tree, "virtual", "br0", "52:54:00:bb:01:0a", true);
    tree_stack(&tree, "br0", "eth0", true);
    ck_assert_str_eq(reason("br0"), "way to the scheduler via br0 over eth0");
    ck_assert_str_eq(reason("eth2"), "way to the scheduler via eth2 (its VF)");
    end();
}
END_TEST

START_TEST(a_route_is_named_before_the_way_to_the_scheduler)
{
    begin();
    tree_default_route(&tree, "eth0");
    ck_assert_str_eq(reason("eth0"), "default route via eth0");
    end();
}
END_TEST

/* This machine's kernel: 127.0.0.1 is on lo wherever lo is up. */
START_TEST(a_device_is_found_by_its_address)
{
    struct addresses addresses = {0};
    struct sysfs live;
    struct error err = {0};
    char netdev[16] = "";
    ck_assert_int_eq(sysfs_open(&live, "", &err), 0);
    struct nl_port *port = nl_port_open(NETLINK_ROUTE, &err);
    ck_assert_ptr_nonnull(port);
    ck_assert(
        addresses_device(&addresses, &live, port, NULL, "127.0.0.1", netdev));
    ck_assert_str_eq(netdev, "lo");
    /* 192.0.2.0/24 is for documentation; and no prefix of an address fits. */
    ck_assert(
        !addresses_device(&addresses, &live, port, NULL, "192.0.2.7", netdev));
    ck_assert(
        !addresses_device(&addresses, &live, port, NULL, "127.0.0", netdev));
    addresses_done(&addresses);
    nl_port_close(port);
    sysfs_close(&live);
}
END_TEST

CHECK_MAIN("management", without_routes_and_a_known_way_no_pf_is_the_hosts,
           the_way_to_the_scheduler_protects_its_pf,
           also_through_a_bridge_and_over_a_vf,
           a_route_is_named_before_the_way_to_the_scheduler,
           a_device_is_found_by_its_address);
