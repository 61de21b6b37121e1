/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel sends over netlink. The first byte says what the rest is:
 * 'v' a link with its VFs, 'k' a link and its kind, 'd' devlink's eswitch mode,
 * 'r' routes, 'a' addresses, 'b' modes of embedded switches, 'f' a NIC's MAC filter,
 * 'l' VLANs of bridge ports, 'p' policing filters (each an answer, or a refusal), 'n' notices of links, routes and
 * addresses, 'u' a device event. Lengths that lie, nests that are cut, wrong
 * types: nothing is read beyond the message, and what is taken of it can be
 * told to the scheduler. */
#include "agent/host/addresses.h"
#include "agent/host/bridge_modes.h"
#include "agent/host/bridge_vlans.h"
#include "agent/host/devlink.h"
#include "agent/host/events.h"
#include "agent/host/hold.h"
#include "agent/host/link.h"
#include "agent/host/police.h"
#include "agent/host/routes.h"
#include "agent/host/taps.h"

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/tree.h"

static struct tree tree; /* what events are looked up in */
static struct sysfs sysfs;

static void check(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* ---- answers ---------------------------------------------------------------------- */

static void on_vfs(void *context, const struct nlmsghdr *answer)
{
    link_parse_vfs(answer, context);
}

static void on_kind(void *context, const struct nlmsghdr *answer)
{
    link_parse_kind(answer, context, 32);
}

static void on_mode(void *context, const struct nlmsghdr *answer)
{
    devlink_parse_mode(answer, context);
}

static void on_way(void *context, const char *netdev, bool is_default)
{
    (void)context;
    (void)is_default;
    check(sysfs_is_netdev_name(netdev), "a route over a device with no name");
}

static void on_route(void *context, const struct nlmsghdr *answer)
{
    routes_parse(answer, on_way, context);
}

/* As nl_talk() does, for a request of the first message's sequence. */
static void take(const void *bytes, size_t size, nl_answer_fn *answer,
                 void *context)
{
    struct nlmsghdr first = {0};
    struct error err = {0};
    if (size >= sizeof first)
        memcpy(&first, bytes, sizeof first);
    if (nl_take(bytes, size, first.nlmsg_seq, answer, context, "fuzz", &err) <
        0) {
        fuzz_check_error(&err);
        check(err.sys > 0, "a refusal without a number");
    }
}

static void take_vfs(const void *bytes, size_t size)
{
    auto_link_vfs struct link_vfs vfs = {0};
    take(bytes, size, on_vfs, &vfs);
    check(vfs.size == vfs.count && vfs.count <= PF_VFS_MAX,
          "more VFs than there can be");
    for (size_t i = 0; i < vfs.size; i++) {
        struct policy back = {0};
        struct error err = {0};
        if (!vfs.policies[i].set)
            continue;
        check(vfs.reported, "a policy that nobody reported");
        auto_json json_t *value = wire_policy(&vfs.policies[i]);
        check(wire_readback_read(value, "", &back, &err) == 0, err.msg);
        check(back.set == vfs.policies[i].set &&
                  policy_difference(&back, &vfs.policies[i]) == 0,
              "a policy that is told as another");
    }
}

static void take_kind(const void *bytes, size_t size)
{
    char kind[32] = "";
    take(bytes, size, on_kind, kind);
    check(strnlen(kind, sizeof kind) < sizeof kind, "a kind without an end");
}

static void take_mode(const void *bytes, size_t size)
{
    enum eswitch_mode mode = ESWITCH_NONE;
    take(bytes, size, on_mode, &mode);
    check(mode < ESWITCH_MODE_MAX, "a mode that is none");
}

static void on_address(void *context, const struct nlmsghdr *answer)
{
    addresses_take(context, answer);
}

static void take_addresses(const void *bytes, size_t size)
{
    struct addresses addresses = {0};
    take(bytes, size, on_address, &addresses);
    for (size_t i = 0; i < addresses.count; i++) {
        const struct address_item *item = &addresses.items[i];
        check(item->text[0] &&
                  strnlen(item->text, sizeof item->text) < sizeof item->text,
              "an address without words");
    }
    addresses_done(&addresses);
}

static void on_entry(void *context, const struct nlmsghdr *answer)
{
    static const struct mac mac = {{0x52, 0x54, 0, 0, 0, 1}};
    hold_match(answer, 2, &mac, context);
}

static void on_bridge_mode(void *context, const struct nlmsghdr *answer)
{
    bridge_modes_take(context, answer);
}

static void take_bridge_modes(const void *bytes, size_t size)
{
    struct bridge_modes modes = {0};
    take(bytes, size, on_bridge_mode, &modes);
    check(modes.count <= HOST_PFS_MAX, "more modes than there can be");
    for (size_t i = 0; i < modes.count; i++)
        check(modes.items[i].mode != BRIDGE_NONE &&
                  modes.items[i].mode < BRIDGE_MODE_MAX,
              "a mode that is none");
}

static void on_port(void *context, const struct nlmsghdr *answer)
{
    struct tap_ports *ports = context;
    bridge_vlans_take(answer, &ports->tap, 1);
    bridge_vlans_take(answer, &ports->uplink, 1);
}

static void take_vlans(const void *bytes, size_t size)
{
    static const struct bridge_vlan_mode mode = {.filtering = true,
                                                 .is_8021q = true};
    auto_free struct tap_ports *ports = mem_new(struct tap_ports);
    uint16_t vlan = 0;
    ports->tap.index = 10; /* as in the recorded answer */
    ports->uplink.index = 3;
    take(bytes, size, on_port, ports);
    check(ports->tap.pvid < VLAN_IDS - 1 && !ports->tap.member[0] &&
              !ports->tap.member[VLAN_IDS - 1] &&
              (!ports->tap.pvid || ports->tap.member[ports->tap.pvid]),
          "a VLAN that is none");
    if (tap_access(ports, &mode, &vlan))
        check(ports->tap.found && ports->uplink.found && vlan < VLAN_IDS - 1,
              "an access port that nobody told");
}

static void on_filter(void *context, const struct nlmsghdr *answer)
{
    police_take(answer, context);
}

/* ---- events ------------------------------------------------------------------------- */

static void clean_up(void)
{
    tree_clear(&tree);
    sysfs_close(&sysfs);
    rmdir(tree.root);
    *strrchr(tree.root, '/') = '\0';
    rmdir(tree.root);
}

/* A PF with one VF, netdevsim1, and this machine's lo as a device of the PF. */
static void set_up(void)
{
    char text[] =
        "F sys/devices/pci0000:00/0000:01:00.0/class|0x020000\n"
        "F sys/devices/pci0000:00/0000:01:00.0/sriov_totalvfs|7\n"
        "L sys/devices/pci0000:00/0000:01:10.0/physfn|../0000:01:00.0\n"
        "L sys/bus/pci/devices/0000:01:00.0|../../../devices/pci0000:00/"
        "0000:01:00.0\n"
        "L sys/bus/pci/devices/0000:01:10.0|../../../devices/pci0000:00/"
        "0000:01:10.0\n"
        "F sys/bus/netdevsim/devices/netdevsim1/sriov_numvfs|0\n"
        "L sys/class/net/eth0|../../devices/pci0000:00/0000:01:00.0/net/eth0\n"
        "L sys/class/net/eth1|../../devices/pci0000:00/0000:01:10.0/net/eth1\n"
        "L sys/class/net/lo|../../devices/pci0000:00/0000:01:00.0/net/lo\n";
    const char *folder = getenv("TMPDIR");
    char above[48];
    struct error err = {0};
    snprintf(above, sizeof above, "%s/sriov-fuzz-XXXXXX",
             folder ? folder : "/tmp");
    check(mkdtemp(above) != NULL, "make a folder in TMPDIR");
    tree_open(&tree, above, "root");
    tree_lay(&tree, text, "");
    check(sysfs_open(&sysfs, tree.root, &err) == 0, err.msg);
    atexit(clean_up);
}

static void check_changes(const struct host_changes *changes)
{
    check(changes->pf_count <= HOST_CHANGES_MAX, "more PFs than fit");
    for (size_t i = 0; i < changes->pf_count; i++) {
        struct pf_key key;
        check(pf_key_parse(changes->pfs[i].text, &key), "a key of no PF");
    }
}

/* Twice: the second time what the first one remembered is known. */
static void take_events(const void *bytes, size_t size, bool uevent)
{
    struct error err = {0};
    struct events *events = events_open(&sysfs, &err);
    check(events != NULL, err.msg);
    for (int i = 0; i < 2; i++) {
        struct host_changes changes = {0};
        if (uevent)
            events_take_uevent(events, bytes, size, &changes);
        else
            events_take_notices(events, bytes, size, &changes);
        check_changes(&changes);
    }
    events_close(events);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!tree.root[0])
        set_up();
    if (size == 0)
        return 0;
    char what = (char)data[0];
    size--;
    /* As received: a buffer of its own; an event's text ends with a zero. */
    auto_free uint8_t *bytes = mem_calloc(size + (what == 'u' || !size), 1);
    memcpy(bytes, data + 1, size);
    if (what == 'v')
        take_vfs(bytes, size);
    else if (what == 'k')
        take_kind(bytes, size);
    else if (what == 'd')
        take_mode(bytes, size);
    else if (what == 'r')
        take(bytes, size, on_route, NULL);
    else if (what == 'a')
        take_addresses(bytes, size);
    else if (what == 'f')
        take(bytes, size, on_entry, &(bool){false});
    else if (what == 'b')
        take_bridge_modes(bytes, size);
    else if (what == 'l')
        take_vlans(bytes, size);
    else if (what == 'p')
        take(bytes, size, on_filter, &(uint64_t){0});
    else if (what == 'n' || what == 'u')
        take_events(bytes, size, what == 'u');
    return 0;
}
