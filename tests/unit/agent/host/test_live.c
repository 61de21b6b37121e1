/* SPDX-License-Identifier: Apache-2.0 */
/* The live backend against this machine's own kernel, in a network and mount
 * namespace of each test's own, so that nothing of the machine is touched:
 * bridges, routes, events. VFs need hardware or netdevsim: tests/lab. Exit 77
 * where namespaces are not allowed. */
#include "agent/host/bridge_vlans.h"
#include "agent/host/host_ops.h"
#include "agent/host/police.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct host_backend *host;
static struct nl_sock *route;

/* Links there have no IPv6: the kernel would make addresses and tell of them in
 * its own time. A kernel without IPv6 has no such file. */
static bool leave_out_ipv6(void)
{
    FILE *file = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");
    if (!file)
        return errno == ENOENT;
    bool written = fputs("1", file) >= 0;
    return fclose(file) == 0 && written;
}

/* A namespace of its own, with a sysfs that shows it. */
static bool enter(void)
{
    return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 && leave_out_ipv6();
}

/* In a process of its own: the tests' processes enter for themselves. */
static bool can_enter(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(enter() ? 0 : 1);
    int status = 1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void begin(void)
{
    struct error err = {0};
    ck_assert(enter());
    route = nl_socket_alloc();
    ck_assert_int_eq(nl_connect(route, NETLINK_ROUTE), 0);
    host = host_linux_open("", &err);
    ck_assert_msg(host != NULL, "%s", err.msg);
}

static void end(void)
{
    host->ops->close(host);
    nl_socket_free(route);
}

static void change_link(const char *name, int up, const char *master)
{
    struct rtnl_link *change = rtnl_link_alloc();
    struct rtnl_link *link = NULL;
    ck_assert_int_eq(rtnl_link_get_kernel(route, 0, name, &link), 0);
    if (up >= 0 && up)
        rtnl_link_set_flags(change, IFF_UP);
    if (master)
        rtnl_link_set_master(change, (int)if_nametoindex(master));
    ck_assert_int_eq(rtnl_link_change(route, link, change, 0), 0);
    rtnl_link_put(link);
    rtnl_link_put(change);
}

static int operstate(const char *name)
{
    struct rtnl_link *link = NULL;
    ck_assert_int_eq(rtnl_link_get_kernel(route, 0, name, &link), 0);
    int state = rtnl_link_get_operstate(link);
    rtnl_link_put(link);
    return state;
}

/* The kernel sets a link's state a while after the link came up, and tells it
 * then. Check's time limit is the end of waiting. */
static void until_up(const char *name)
{
    while (operstate(name) != rtnl_link_str2operstate("up"))
        usleep(1000);
}

/* br0 with one end of a veth pair as its port, both up; all that the kernel has
 * to tell of that is told. */
static void make_bridge(void)
{
    ck_assert_int_eq(rtnl_link_bridge_add(route, "br0"), 0);
    ck_assert_int_eq(rtnl_link_veth_add(route, "port0", "far0", getpid()), 0);
    change_link("port0", 1, "br0");
    change_link("far0", 1, NULL);
    change_link("br0", 1, NULL);
    until_up("far0");
    until_up("port0");
    until_up("br0");
}

static void add_address(const char *name, const char *text)
{
    struct rtnl_addr *address = rtnl_addr_alloc();
    struct nl_addr *local = NULL;
    ck_assert_int_eq(nl_addr_parse(text, AF_INET, &local), 0);
    rtnl_addr_set_ifindex(address, (int)if_nametoindex(name));
    ck_assert_int_eq(rtnl_addr_set_local(address, local), 0);
    ck_assert_int_eq(rtnl_addr_add(route, address, 0), 0);
    nl_addr_put(local);
    rtnl_addr_put(address);
}

static void add_default_route(const char *name, const char *gateway_text)
{
    struct rtnl_route *to = rtnl_route_alloc();
    struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
    struct nl_addr *any = NULL;
    struct nl_addr *gateway = NULL;
    ck_assert_int_eq(nl_addr_parse("default", AF_INET, &any), 0);
    ck_assert_int_eq(nl_addr_parse(gateway_text, AF_INET, &gateway), 0);
    ck_assert_int_eq(rtnl_route_set_dst(to, any), 0);
    rtnl_route_nh_set_ifindex(hop, (int)if_nametoindex(name));
    rtnl_route_nh_set_gateway(hop, gateway);
    rtnl_route_add_nexthop(to, hop);
    ck_assert_int_eq(rtnl_route_add(route, to, 0), 0);
    nl_addr_put(any);
    nl_addr_put(gateway);
    rtnl_route_put(to);
}

static void drain(struct host_changes *out)
{
    struct error err = {0};
    int result = host->ops->changes(host, out, &err);
    ck_assert_msg(result == 0, "%s", err.msg);
}

/* The kernel has put its messages there when it answers who made the change, so
 * there is nothing to wait for. */
static bool is_readable(void)
{
    struct pollfd fd = {.fd = host->ops->event_fd(host), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

START_TEST(a_live_host_tells_its_facts_and_leaves_nothing_unread)
{
    struct error err = {0};
    auto_inventory struct inventory *all = host->ops->inventory(host, &err);
    ck_assert_msg(all != NULL, "%s", err.msg);
    ck_assert_int_eq(all->vcpus, sysconf(_SC_NPROCESSORS_ONLN));
    ck_assert_str_ne(all->kernel, "");
    ck_assert_uint_gt(all->memory_mib, 16);
    ck_assert_uint_eq(all->network_count, 0);
    for (size_t i = 0; i < all->unreadable_count; i++)
        /* Absent in some containers; all else is there on every Linux. */
        ck_assert_msg(strstr(all->unreadable[i].what, "machine-id") ||
                          strstr(all->unreadable[i].what, "pci.ids") ||
                          strstr(all->unreadable[i].what, "/sys/bus/pci"),
                      "%s: %s", all->unreadable[i].what,
                      all->unreadable[i].why);
}
END_TEST

START_TEST(a_bridge_is_told_with_its_mtu_and_without_a_veth_as_uplink)
{
    make_bridge();
    auto_inventory struct inventory *all = host->ops->inventory(host, NULL);
    ck_assert_ptr_nonnull(all);
    ck_assert_uint_eq(all->network_count, 1);
    ck_assert_str_eq(all->networks[0].device, "br0");
    ck_assert_str_eq(all->networks[0].uplink, "");
    ck_assert_str_eq(all->networks[0].physical_network, "");
    ck_assert_uint_eq(all->networks[0].mtu, 1500);
}
END_TEST

START_TEST(links_addresses_and_routes_wake_us_when_they_matter)
{
    struct host_changes changes;
    drain(&changes);
    ck_assert(!is_readable());
    make_bridge();
    ck_assert(is_readable());
    drain(&changes);
    ck_assert(changes.host_facts);
    ck_assert(!changes.everything);
    ck_assert_uint_eq(changes.pf_count, 0);
    add_address("br0", "192.0.2.1/24");
    drain(&changes);
    add_default_route("br0", "192.0.2.254");
    ck_assert(is_readable());
    drain(&changes);
    ck_assert(changes.host_facts);
    ck_assert(!is_readable());
}
END_TEST

START_TEST(lost_messages_mean_read_everything)
{
    struct host_changes changes;
    make_bridge();
    drain(&changes);
    struct rtnl_link *link = NULL;
    ck_assert_int_eq(rtnl_link_get_kernel(route, 0, "br0", &link), 0);
    for (unsigned i = 0; i < 6000; i++) {
        struct rtnl_link *change = rtnl_link_alloc();
        rtnl_link_set_mtu(change, 1400 + i % 2);
        ck_assert_int_eq(rtnl_link_change(route, link, change, 0), 0);
        rtnl_link_put(change);
    }
    rtnl_link_put(link);
    drain(&changes);
    ck_assert(changes.everything);
    while (is_readable())
        drain(&changes);
    drain(&changes);
    ck_assert(!changes.everything);
}
END_TEST

START_TEST(a_policy_for_a_pf_that_is_not_there_is_refused)
{
    struct pf_key key;
    struct error err = {0};
    struct policy policy = policy_clean();
    ck_assert(pf_key_parse("netdevsim4000000", &key));
    ck_assert_int_eq(
        host->ops->vf_write(host, &key, 0, &policy, POLICY_ALL, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    ck_assert_int_eq(host->ops->vf_read(host, &key, 0, &policy, &err), -1);
    ck_assert_int_eq(host->ops->vf_reset(host, &key, 0, &err), -1);
    ck_assert_ptr_null(host->ops->read_pf(host, &key, NULL, &err));
}
END_TEST

/* ---- ports of bridges ---------------------------------------------------------- */

static bool learns(const char *port)
{
    struct error err = {0};
    bool on = false;
    ck_assert_msg(host->ops->learning_read(host, port, &on, &err) == 0, "%s",
                  err.msg);
    return on;
}

START_TEST(learning_of_a_bridge_port_is_switched_and_reads_back)
{
    struct error err = {0};
    make_bridge();
    ck_assert(learns("port0"));
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(host->ops->learning_set(host, "port0", false, &err) == 0,
                      "%s", err.msg);
        ck_assert(!learns("port0"));
    }
    ck_assert_int_eq(host->ops->learning_set(host, "port0", true, &err), 0);
    ck_assert(learns("port0"));
}
END_TEST

START_TEST(learning_of_what_is_no_port_has_vanished)
{
    static const char *const names[] = {"far0", "br0", "lo", "nothing0"};
    make_bridge();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error err = {0};
        bool on;
        ck_assert_int_eq(host->ops->learning_read(host, names[i], &on, &err),
                         -1);
        ck_assert_int_eq(err.code, ERROR_VANISHED);
        err = (struct error){0};
        ck_assert_int_eq(host->ops->learning_set(host, names[i], false, &err),
                         -1);
        ck_assert_int_eq(err.code, ERROR_VANISHED);
    }
}
END_TEST

/* A bridge that does not filter, as every new one is. */
START_TEST(a_plain_bridge_has_no_VLANs_for_taps)
{
    struct error err = {0};
    make_bridge();
    ck_assert_msg(host->ops->tap_vlan(host, "br0", "port0", 0, &err) == 0, "%s",
                  err.msg);
    ck_assert_int_eq(host->ops->tap_vlan(host, "br0", "port0", 5, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
    ck_assert_str_eq(err.field, "vlan");
    ck_assert_ptr_nonnull(strstr(err.remedy, "vlan_filtering 1"));
    ck_assert_int_eq(host->ops->tap_vlan(host, "br0", "port0", 4095, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
}
END_TEST

START_TEST(a_tap_that_is_no_port_of_the_bridge_has_vanished)
{
    static const struct {
        const char *bridge, *tap;
    } wrong[] = {{"br0", "far0"}, {"br1", "port0"}, {"br0", "nothing0"}};
    make_bridge();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {0};
        ck_assert_int_eq(
            host->ops->tap_vlan(host, wrong[i].bridge, wrong[i].tap, 0, &err),
            -1);
        ck_assert_int_eq(err.code, ERROR_VANISHED);
    }
}
END_TEST

/* The kernel's own answers are taken for both kinds of ports. */
START_TEST(ports_of_a_plain_bridge_are_in_no_VLAN)
{
    struct error err = {0};
    make_bridge();
    struct nl_port *port = nl_port_open(NETLINK_ROUTE, &err);
    ck_assert_ptr_nonnull(port);
    struct port_vlans ports[2] = {{.index = (int)if_nametoindex("port0")},
                                  {.index = (int)if_nametoindex("far0")}};
    uint64_t rate = 7;
    ck_assert_msg(bridge_vlans_read(port, ports, 2, &err) == 0, "%s", err.msg);
    ck_assert(ports[0].found && !ports[1].found);
    ck_assert_uint_eq(ports[0].pvid, 0);
    ck_assert_msg(police_read(port, ports[0].index, &rate, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(rate, 0);
    nl_port_close(port);
}
END_TEST

START_TEST(without_libvirt_nothing_is_told_of_a_tap)
{
    struct error err = {0};
    struct uuid domain = {{1}};
    struct policy policy = {.vlan = 77};
    make_bridge();
    ck_assert_int_eq(host->ops->tap_read(host, &domain, "port0", &policy, &err),
                     -1);
    ck_assert_str_ne(err.msg, "");
    ck_assert_uint_eq(policy.vlan, 77);
}
END_TEST

/* ---- announcing ------------------------------------------------------------------ */

static int listen_on(const char *netdev)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    ck_assert_int_ge(fd, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(netdev)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* The next RARP frame that comes in there. The kernel takes a tag out of the
 * frame and tells it beside: -1 where there is none. */
static size_t next_rarp(int fd, unsigned char *frame, size_t size, int *vlan)
{
    for (;;) {
        char control[256];
        struct iovec part = {frame, size};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control,
                                 .msg_controllen = sizeof control};
        ssize_t length = recvmsg(fd, &message, 0);
        ck_assert_int_ge(length, 14);
        if (frame[12] != 0x80 || frame[13] != 0x35)
            continue;
        *vlan = -1;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
             c = CMSG_NXTHDR(&message, c)) {
            struct tpacket_auxdata aux;
            memcpy(&aux, CMSG_DATA(c), sizeof aux);
            if (c->cmsg_type == PACKET_AUXDATA &&
                aux.tp_status & TP_STATUS_VLAN_VALID)
                *vlan = aux.tp_vlan_tci;
        }
        return (size_t)length;
    }
}

START_TEST(an_announcement_arrives_as_one_RARP_broadcast_in_its_VLAN)
{
    static const unsigned char want[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0xc0, 0x27,
        0xad, 0x80, 0x35, 0,    1,    8,    0,    6,    4, 0,    3,
        0x52, 0x54, 0,    0xc0, 0x27, 0xad, 0,    0,    0, 0,    0x52,
        0x54, 0,    0xc0, 0x27, 0xad, 0,    0,    0,    0, 0};
    unsigned char frame[128];
    struct error err = {0};
    struct mac mac;
    int vlan, on = 1;
    make_bridge();
    ck_assert(mac_parse("52:54:00:c0:27:ad", &mac));
    int fd = listen_on("far0");
    ck_assert_int_eq(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on),
                     0);
    ck_assert_msg(host->ops->announce(host, "port0", &mac, 0, &err) == 0, "%s",
                  err.msg);
    ck_assert_uint_eq(next_rarp(fd, frame, sizeof frame, &vlan), 60);
    ck_assert_int_eq(vlan, -1);
    ck_assert_mem_eq(frame, want, sizeof want);
    ck_assert_msg(host->ops->announce(host, "port0", &mac, 100, &err) == 0,
                  "%s", err.msg);
    ck_assert_uint_eq(next_rarp(fd, frame, sizeof frame, &vlan), 60);
    ck_assert_int_eq(vlan, 100);
    ck_assert_mem_eq(frame, want, sizeof want);
    close(fd);
}
END_TEST

START_TEST(nothing_is_announced_where_nothing_can_be)
{
    struct error err = {0};
    struct mac mac;
    ck_assert(mac_parse("52:54:00:c0:27:ad", &mac));
    ck_assert_int_eq(host->ops->announce(host, "nothing0", &mac, 0, &err), -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
    make_bridge();
    ck_assert_int_eq(host->ops->announce(host, "port0", &mac, 4095, &err), -1);
    ck_assert_int_eq(err.code, ERROR_INVALID);
}
END_TEST

int main(void)
{
    if (!can_enter()) {
        fprintf(stderr, "no namespaces for this user: skipped\n");
        return 77;
    }
    Suite *s = suite_create("agent/host live");
    TCase *c = tcase_create("namespace");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_live_host_tells_its_facts_and_leaves_nothing_unread);
    tcase_add_test(c,
                   a_bridge_is_told_with_its_mtu_and_without_a_veth_as_uplink);
    tcase_add_test(c, links_addresses_and_routes_wake_us_when_they_matter);
    tcase_add_test(c, lost_messages_mean_read_everything);
    tcase_add_test(c, a_policy_for_a_pf_that_is_not_there_is_refused);
    tcase_add_test(c, learning_of_a_bridge_port_is_switched_and_reads_back);
    tcase_add_test(c, learning_of_what_is_no_port_has_vanished);
    tcase_add_test(c, a_plain_bridge_has_no_VLANs_for_taps);
    tcase_add_test(c, a_tap_that_is_no_port_of_the_bridge_has_vanished);
    tcase_add_test(c, ports_of_a_plain_bridge_are_in_no_VLAN);
    tcase_add_test(c, without_libvirt_nothing_is_told_of_a_tap);
    tcase_add_test(c,
                   an_announcement_arrives_as_one_RARP_broadcast_in_its_VLAN);
    tcase_add_test(c, nothing_is_announced_where_nothing_can_be);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures ? 1 : 0;
}
