/* SPDX-License-Identifier: Apache-2.0 */
/* The contract on bridges: see legs.h. */
#include "tests/contract/host/legs.h"

#include "agent/host/evidence.h"
#include "agent/host/police.h"
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/vfio.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BRIDGE "ctbr0"
#define TAP "cttap0"

static const struct contract_target *target;
static struct host_backend *host;
static char uplink[NETDEV_NAME_SIZE];
static uint16_t vf;
static bool on_pci;
static struct pci_address vf_address;
static int tap = -1;

/* ---- by hand -------------------------------------------------------------------- */

/* A command's output, which must end well. */
static char *output(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static char *output(const char *format, ...)
{
    char command[256], *text = mem_calloc(1, 8192);
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    /* NOLINTNEXTLINE(cert-env33-c): a shell is what is wanted */
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    size_t length = fread(text, 1, 8191, pipe);
    text[length] = '\0';
    int status = pclose(pipe);
    ck_assert_msg(status == 0, "%s: status %d: %s", command, status, text);
    return text;
}

#define BY_HAND(...) free(output(__VA_ARGS__))

static void open_tap(void)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    memcpy(request.ifr_name, TAP, sizeof TAP);
    tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    ck_assert_msg(tap >= 0, "/dev/net/tun: %s", strerror(errno));
    ck_assert_int_eq(ioctl(tap, TUNSETIFF, &request), 0);
}

static void choose(void)
{
    struct error err = {0};
    auto_inventory struct inventory *all = host->ops->inventory(host, &err);
    ck_assert_msg(all != NULL, "%s", err.msg);
    const struct pf *pf = inventory_pf(all, &target->pf);
    ck_assert_msg(pf != NULL, "there is no PF %s", target->pf.text);
    auto_free char *master = mem_printf("/sys/class/net/%s/master", pf->netdev);
    bool busy = access(master, F_OK) == 0;
    uplink[0] = '\0';
    if (!busy)
        memcpy(uplink, pf->netdev, sizeof uplink);
    for (size_t i = 0; i < pf->vf_count; i++) {
        if (pf->vfs[i].state != VF_FREE)
            continue;
        vf = pf->vfs[i].index;
        on_pci = pf->vfs[i].has_address;
        vf_address = pf->vfs[i].address;
        if (busy)
            memcpy(uplink, pf->vfs[i].netdev, sizeof uplink);
    }
    ck_assert_str_ne(uplink, "");
}

static void begin(void)
{
    host = target->open();
    ck_assert_ptr_nonnull(host);
    choose();
    /* what a test that failed left */
    BY_HAND("ip link del " BRIDGE " 2>/dev/null || true");
    BY_HAND("[ -e /dev/net/tun ] || modprobe tun 2>&1");
    BY_HAND("ip link add " BRIDGE " type bridge vlan_filtering 1 "
            "vlan_default_pvid 0 2>&1");
    open_tap();
    BY_HAND("ip link set %s master " BRIDGE " 2>&1", uplink);
    BY_HAND("ip link set " TAP " master " BRIDGE " 2>&1");
    BY_HAND("bridge vlan add vid 1 dev %s pvid untagged 2>&1", uplink);
}

static void end(void)
{
    close(tap);
    BY_HAND("ip link del " BRIDGE " 2>&1");
    target->close(host);
}

/* ---- VLANs -------------------------------------------------------------------------- */

static void put_in(uint16_t vlan)
{
    struct error err = {0};
    int result = host->ops->tap_vlan(host, BRIDGE, TAP, vlan, &err);
    ck_assert_msg(result == 0, "VLAN %u: %s", vlan, err.msg);
}

/* The lines of a port, blanks as one: "10 PVID Egress Untagged,20". */
static void check_port(const char *port, const char *want)
{
    auto_free char *is = output(
        "bridge vlan show dev %s | awk 'NR > 1 { sub(/^ *%s/, \"\"); $1 = $1; "
        "if ($0) printf \"%%s%%s\", n++ ? \",\" : \"\", $0 }'",
        port, port);
    ck_assert_msg(strcmp(is, want) == 0, "%s is in '%s', not in '%s'", port, is,
                  want);
}

START_TEST(a_tap_becomes_an_access_port_and_its_VLAN_gets_out)
{
    check_port(TAP, "");
    for (int i = 0; i < 2; i++) {
        put_in(100);
        check_port(TAP, "100 PVID Egress Untagged");
        check_port(uplink, "1 PVID Egress Untagged,100");
    }
}
END_TEST

START_TEST(another_VLAN_takes_the_place_of_the_one_before)
{
    put_in(100);
    put_in(4094);
    check_port(TAP, "4094 PVID Egress Untagged");
    check_port(uplink, "1 PVID Egress Untagged,100,4094");
    put_in(0);
    check_port(TAP, "1 PVID Egress Untagged");
}
END_TEST

START_TEST(what_others_put_there_is_taken_away)
{
    put_in(100);
    BY_HAND("bridge vlan add vid 2-4094 dev " TAP " 2>&1");
    put_in(100);
    check_port(TAP, "100 PVID Egress Untagged");
    BY_HAND("bridge vlan add vid 200 dev " TAP " pvid untagged 2>&1");
    BY_HAND("bridge vlan del vid 100 dev %s 2>&1", uplink);
    put_in(100);
    check_port(TAP, "100 PVID Egress Untagged");
    check_port(uplink, "1 PVID Egress Untagged,100");
}
END_TEST

static void check_refused(uint16_t vlan)
{
    struct error err = {0};
    ck_assert_int_eq(host->ops->tap_vlan(host, BRIDGE, TAP, vlan, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
    ck_assert_str_eq(err.field, "vlan");
    ck_assert_str_ne(err.remedy, "");
    check_port(TAP, "");
}

START_TEST(a_VLAN_that_gets_out_untagged_is_refused_and_the_tap_carries_nothing)
{
    put_in(100);
    check_refused(1);
    BY_HAND("bridge vlan add vid 300 dev %s untagged 2>&1", uplink);
    put_in(100);
    check_refused(300);
}
END_TEST

START_TEST(no_VLAN_without_one_that_is_untagged_is_refused)
{
    put_in(100);
    BY_HAND("bridge vlan del vid 1 dev %s 2>&1", uplink);
    check_refused(0);
    BY_HAND("bridge vlan add vid 1 dev %s pvid 2>&1", uplink);
    check_refused(0);
}
END_TEST

START_TEST(a_bridge_that_stops_filtering_has_no_VLANs)
{
    struct error err = {0};
    BY_HAND("ip link set " BRIDGE " type bridge vlan_filtering 0 2>&1");
    put_in(0);
    ck_assert_int_eq(host->ops->tap_vlan(host, BRIDGE, TAP, 100, &err), -1);
    ck_assert_int_eq(err.code, ERROR_UNSUPPORTED);
}
END_TEST

START_TEST(the_inventory_tells_whether_a_bridge_holds_VLANs)
{
    for (int round = 0; round < 2; round++) {
        auto_inventory struct inventory *all = host->ops->inventory(host, NULL);
        ck_assert_ptr_nonnull(all);
        const struct network *found = NULL;
        for (size_t i = 0; i < all->network_count; i++)
            if (strcmp(all->networks[i].device, BRIDGE) == 0)
                found = &all->networks[i];
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found->uplink, uplink);
        ck_assert_int_eq(found->vlans, round == 0);
        BY_HAND("ip link set " BRIDGE " type bridge vlan_default_pvid 1 2>&1");
    }
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------- */

START_TEST(learning_is_switched_as_bridge_shows_it)
{
    struct error err = {0};
    static const char *const words[] = {"learning off", "learning on"};
    for (int on = 0; on < 2; on++) {
        ck_assert_msg(host->ops->learning_set(host, uplink, on, &err) == 0,
                      "%s", err.msg);
        auto_free char *is = output("bridge -d link show dev %s", uplink);
        ck_assert_msg(strstr(is, words[on]) != NULL, "not '%s': %s", words[on],
                      is);
    }
}
END_TEST

/* A route with a gateway over the bridge makes its uplink one of the host's. */
START_TEST(the_uplink_of_the_hosts_own_traffic_is_not_changed)
{
    struct error err = {0};
    BY_HAND("ip addr add 192.0.2.1/24 dev " BRIDGE " 2>&1");
    BY_HAND("ip link set " BRIDGE " up 2>&1");
    BY_HAND("ip route add 198.51.100.0/24 via 192.0.2.254 dev " BRIDGE " 2>&1");
    ck_assert_int_eq(host->ops->learning_set(host, uplink, false, &err), -1);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    err = (struct error){0};
    ck_assert_int_eq(host->ops->tap_vlan(host, BRIDGE, TAP, 100, &err), -1);
    ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    ck_assert_ptr_nonnull(strstr(err.remedy, "bridge vlan add vid 100"));
    check_port(TAP, "");
    check_port(uplink, "1 PVID Egress Untagged");
    auto_free char *is = output("bridge -d link show dev %s", uplink);
    ck_assert_ptr_nonnull(strstr(is, "learning on"));
    /* where nothing of it is to be changed, or somebody did it by hand */
    put_in(0);
    check_port(TAP, "1 PVID Egress Untagged");
    BY_HAND("bridge vlan add vid 100 dev %s 2>&1", uplink);
    put_in(100);
    check_port(TAP, "100 PVID Egress Untagged");
}
END_TEST

/* As libvirt limits a tap: virNetDevBandwidthSet(). */
START_TEST(a_limit_as_libvirt_sets_it_is_read)
{
    struct error err = {0};
    uint64_t rate = 7;
    int index = (int)if_nametoindex(TAP);
    struct nl_port *port = nl_port_open(NETLINK_ROUTE, &err);
    ck_assert_msg(port != NULL, "%s", err.msg);
    ck_assert_int_eq(police_read(port, index, &rate, &err), 0);
    ck_assert_uint_eq(rate, 0);
    BY_HAND("tc qdisc add dev " TAP " ingress 2>&1");
    BY_HAND("tc filter add dev " TAP " parent ffff: protocol all u32 match u32 "
            "0 0 police rate 12500kbps burst 12500kb mtu 64kb drop flowid :1 "
            "2>&1");
    ck_assert_msg(police_read(port, index, &rate, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(rate, 12500000);
    nl_port_close(port);
}
END_TEST

START_TEST(a_free_VF_is_not_in_use_and_one_that_is_not_there_has_vanished)
{
    struct error err = {0};
    struct vf_evidence found = {.in_use = true};
    ck_assert_msg(host->ops->vf_evidence(host, &target->pf, vf, &found, &err) ==
                      0,
                  "%s", err.msg);
    ck_assert(!found.in_use);
    ck_assert_int_eq(
        host->ops->vf_evidence(host, &target->pf, PF_VFS_MAX, &found, &err),
        -1);
    ck_assert_int_eq(err.code, ERROR_VANISHED);
}
END_TEST

/* ---- VFIO ------------------------------------------------------------------------------- */

struct vfio {
    int container, group, device;
};

/* As QEMU does for a guest's driver that asks for its first vector; a
 * 'vector' of -1 takes all away, as when the driver goes. */
static void ask_for(const struct vfio *vfio, int vector_fd)
{
    unsigned char space[sizeof(struct vfio_irq_set) + sizeof vector_fd] = {0};
    struct vfio_irq_set set = {.argsz = sizeof space,
                               .index = VFIO_PCI_MSIX_IRQ_INDEX,
                               .flags = VFIO_IRQ_SET_ACTION_TRIGGER};
    if (vector_fd >= 0) {
        set.flags |= VFIO_IRQ_SET_DATA_EVENTFD;
        set.count = 1;
        memcpy(space + sizeof set, &vector_fd, sizeof vector_fd);
    } else {
        set.flags |= VFIO_IRQ_SET_DATA_NONE;
        set.argsz = sizeof set;
    }
    memcpy(space, &set, sizeof set);
    ck_assert_msg(ioctl(vfio->device, VFIO_DEVICE_SET_IRQS, space) == 0,
                  "VFIO_DEVICE_SET_IRQS: %s", strerror(errno));
}

static struct vfio vfio_open(const char *address)
{
    struct vfio vfio;
    auto_free char *group = output(
        "basename $(readlink /sys/bus/pci/devices/%s/iommu_group)", address);
    group[strcspn(group, "\n")] = '\0';
    auto_free char *path = mem_printf("/dev/vfio/%s", group);
    vfio.container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
    vfio.group = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_msg(vfio.container >= 0 && vfio.group >= 0, "%s: %s", path,
                  strerror(errno));
    ck_assert_int_eq(
        ioctl(vfio.group, VFIO_GROUP_SET_CONTAINER, &vfio.container), 0);
    ck_assert_int_eq(ioctl(vfio.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU),
                     0);
    vfio.device = ioctl(vfio.group, VFIO_GROUP_GET_DEVICE_FD, address);
    ck_assert_msg(vfio.device >= 0, "%s: %s", address, strerror(errno));
    return vfio;
}

static void bind_to(const char *address, const char *driver)
{
    BY_HAND("cd /sys/bus/pci/devices/%s && echo %s >driver_override && "
            "if [ -e driver ]; then echo %s >driver/unbind; fi && "
            "echo %s >/sys/bus/pci/drivers_probe",
            address, *driver ? driver : "''", address, address);
}

static void check_lines(const struct pci_address *address, size_t lines)
{
    struct error err = {0};
    struct vfio_interrupts found = {.lines = 77};
    struct vf_evidence evidence = {.in_use = true};
    const struct linux_host *real = (const struct linux_host *)host;
    ck_assert_msg(evidence_interrupts(&real->sysfs, address, &found, &err) == 0,
                  "%s", err.msg);
    ck_assert_uint_eq(found.lines, lines);
    ck_assert_uint_eq(found.count, 0);
    ck_assert_msg(
        host->ops->vf_evidence(host, &target->pf, vf, &evidence, &err) == 0,
        "%s", err.msg);
    ck_assert_int_eq(evidence.kind, EVIDENCE_VF_INTERRUPTS);
    ck_assert(evidence.readable && !evidence.in_use);
}

/* Without a guest none comes, so that the VF is not in use. */
START_TEST(a_vector_that_VFIO_took_is_seen_by_its_name)
{
    char address[PCI_TEXT_SIZE];
    if (!on_pci)
        return;
    pci_format(&vf_address, address);
    BY_HAND("modprobe vfio-pci 2>&1");
    BY_HAND("ip link set %s nomaster 2>&1", uplink); /* it may be the VF's */
    bind_to(address, "vfio-pci");
    check_lines(&vf_address, 0);
    struct vfio vfio = vfio_open(address);
    int vector = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(vector, 0);
    ask_for(&vfio, vector);
    check_lines(&vf_address, 1);
    ask_for(&vfio, -1);
    check_lines(&vf_address, 0);
    close(vector);
    close(vfio.device);
    close(vfio.group);
    close(vfio.container);
    bind_to(address, "");
}
END_TEST

int legs_run(const struct contract_target *t)
{
    target = t;
    Suite *s = suite_create("host contract: bridges");
    TCase *c = tcase_create("legs");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, a_tap_becomes_an_access_port_and_its_VLAN_gets_out);
    tcase_add_test(c, another_VLAN_takes_the_place_of_the_one_before);
    tcase_add_test(c, what_others_put_there_is_taken_away);
    tcase_add_test(
        c,
        a_VLAN_that_gets_out_untagged_is_refused_and_the_tap_carries_nothing);
    tcase_add_test(c, no_VLAN_without_one_that_is_untagged_is_refused);
    tcase_add_test(c, a_bridge_that_stops_filtering_has_no_VLANs);
    tcase_add_test(c, the_inventory_tells_whether_a_bridge_holds_VLANs);
    tcase_add_test(c, learning_is_switched_as_bridge_shows_it);
    tcase_add_test(c, the_uplink_of_the_hosts_own_traffic_is_not_changed);
    tcase_add_test(c, a_limit_as_libvirt_sets_it_is_read);
    tcase_add_test(
        c, a_free_VF_is_not_in_use_and_one_that_is_not_there_has_vanished);
    tcase_add_test(c, a_vector_that_VFIO_took_is_seen_by_its_name);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failures = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failures;
}
