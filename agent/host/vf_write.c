/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing one VF's policy by rtnetlink (RTM_SETLINK with
 * IFLA_VFINFO_LIST), one attribute group a message: the kernel answers a
 * message with one errno, and only so it is known which field was refused.
 *
 * Groups as the kernel takes them (do_setvfinfo() in net/core/rtnetlink.c):
 * vlan, qos and protocol together; both rates together, else the one that is
 * not named would be cleared.
 *
 * igbvf takes a new administrative MAC only when its driver is bound anew. For
 * a VF that goes to a guest this does not matter (the guest's driver starts
 * later), so nothing is rebound here; vf_reset does it for cleaned VFs. */
#include "agent/host/device.h"
#include "agent/host/link.h"
#include "agent/host/linux.h"
#include "agent/host/vf.h"
#include "common/base/mem.h"
#include "common/base/timestamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long EAGAIN and EBUSY are tried again, and how often. */
#define RETRY_FOR (1 * TIMESTAMP_SECOND)
#define RETRY_PAUSE_NS (20 * TIMESTAMP_MS)

#define BIT(field) POLICY_BIT(POLICY_##field)

struct target {
    struct linux_host *host;
    const struct pf_key *pf;
    char netdev[NETDEV_NAME_SIZE];
    uint32_t vf;
};

/* One attribute group of a VF. */
struct group {
    uint32_t fields;
    void (*put)(struct nl_msg *msg, uint32_t vf, const struct policy *policy);
};

static void put_mac(struct nl_msg *msg, uint32_t vf, const struct policy *p)
{
    struct ifla_vf_mac mac = {.vf = vf};
    memcpy(mac.mac, p->mac.bytes, sizeof p->mac.bytes);
    nla_put(msg, IFLA_VF_MAC, sizeof mac, &mac);
}

/* 802.1Q goes in the old form, which every driver and kernel knows. */
static void put_vlan(struct nl_msg *msg, uint32_t vf, const struct policy *p)
{
    if (p->vlan_proto == VLAN_PROTO_8021Q || !p->vlan) {
        struct ifla_vf_vlan vlan = {
            .vf = vf, .vlan = p->vlan, .qos = p->vlan_qos};
        nla_put(msg, IFLA_VF_VLAN, sizeof vlan, &vlan);
        return;
    }
    struct ifla_vf_vlan_info info = {.vf = vf,
                                     .vlan = p->vlan,
                                     .qos = p->vlan_qos,
                                     .vlan_proto = htons(ETH_P_8021AD)};
    struct nlattr *list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
    nla_put(msg, IFLA_VF_VLAN_INFO, sizeof info, &info);
    nla_nest_end(msg, list);
}

static void put_rate(struct nl_msg *msg, uint32_t vf, const struct policy *p)
{
    struct ifla_vf_rate rate = {.vf = vf,
                                .min_tx_rate = p->min_tx_rate_mbps,
                                .max_tx_rate = p->max_tx_rate_mbps};
    nla_put(msg, IFLA_VF_RATE, sizeof rate, &rate);
}

static void put_spoofchk(struct nl_msg *msg, uint32_t vf,
                         const struct policy *p)
{
    struct ifla_vf_spoofchk setting = {.vf = vf, .setting = p->spoofchk};
    nla_put(msg, IFLA_VF_SPOOFCHK, sizeof setting, &setting);
}

static void put_trust(struct nl_msg *msg, uint32_t vf, const struct policy *p)
{
    struct ifla_vf_trust setting = {.vf = vf, .setting = p->trust};
    nla_put(msg, IFLA_VF_TRUST, sizeof setting, &setting);
}

static void put_link_state(struct nl_msg *msg, uint32_t vf,
                           const struct policy *p)
{
    static const uint32_t states[LINK_STATE_MAX] = {
        [LINK_STATE_AUTO] = IFLA_VF_LINK_STATE_AUTO,
        [LINK_STATE_ENABLE] = IFLA_VF_LINK_STATE_ENABLE,
        [LINK_STATE_DISABLE] = IFLA_VF_LINK_STATE_DISABLE,
    };
    struct ifla_vf_link_state state = {
        .vf = vf, .link_state = states[p->link_state % LINK_STATE_MAX]};
    nla_put(msg, IFLA_VF_LINK_STATE, sizeof state, &state);
}

/* In the order of POLICY_FIELDS. */
static const struct group groups[] = {
    {BIT(MAC), put_mac},
    {BIT(VLAN) | BIT(VLAN_QOS) | BIT(VLAN_PROTO), put_vlan},
    {BIT(MIN_TX_RATE_MBPS) | BIT(MAX_TX_RATE_MBPS), put_rate},
    {BIT(SPOOFCHK), put_spoofchk},
    {BIT(TRUST), put_trust},
    {BIT(LINK_STATE), put_link_state},
};

static int send_group(const struct target *target, const struct group *group,
                      const struct policy *policy, const char *what,
                      struct error *err)
{
    auto_nl_msg struct nl_msg *msg = nlmsg_alloc_simple(RTM_SETLINK, 0);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    nla_put_string(msg, IFLA_IFNAME, target->netdev);
    struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
    struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO);
    group->put(msg, target->vf, policy);
    nla_nest_end(msg, info);
    nla_nest_end(msg, list);
    return nl_talk(target->host->route, msg, NULL, NULL, what, err);
}

static int send_patiently(const struct target *target,
                          const struct group *group,
                          const struct policy *policy, const char *what,
                          struct error *err)
{
    int64_t deadline = timestamp_monotonic() + RETRY_FOR;
    for (;;) {
        struct error refused = {0};
        if (send_group(target, group, policy, what, &refused) == 0)
            return 0;
        if (refused.code != ERROR_AGAIN || timestamp_monotonic() >= deadline) {
            if (err)
                *err = refused;
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = RETRY_PAUSE_NS}, NULL);
    }
}

/* The field of a group that a refusal is most likely about. Groups have one
 * errno for all their fields; what was asked beyond the plain case is the
 * suspect: the protocol, the guaranteed rate (i40e and igb take none). */
static enum policy_field suspect(const struct group *group, uint32_t fields,
                                 const struct policy *policy, int number)
{
    if (group->fields & BIT(VLAN)) {
        if (number == EPROTONOSUPPORT)
            return POLICY_VLAN_PROTO;
        return fields & BIT(VLAN)       ? POLICY_VLAN
               : fields & BIT(VLAN_QOS) ? POLICY_VLAN_QOS
                                        : POLICY_VLAN_PROTO;
    }
    if (group->fields & BIT(MAX_TX_RATE_MBPS)) {
        bool min_asked = fields & BIT(MIN_TX_RATE_MBPS);
        if (min_asked &&
            (policy->min_tx_rate_mbps || !(fields & BIT(MAX_TX_RATE_MBPS))))
            return POLICY_MIN_TX_RATE_MBPS;
        return POLICY_MAX_TX_RATE_MBPS;
    }
    for (int field = 0; field < POLICY_FIELD_MAX; field++)
        if (group->fields & POLICY_BIT(field))
            return (enum policy_field)field;
    return POLICY_MAC;
}

static bool has_carrier(const struct target *target)
{
    struct sysfs_path path =
        sysfs_path("sys/class/net/%s/carrier", target->netdev);
    int64_t carrier = 0;
    sysfs_read_number(&target->host->sysfs, path.text, 0, 1, &carrier, NULL);
    return carrier == 1;
}

static void advise(const struct target *target, enum policy_field field,
                   struct error *err)
{
    const char *name = policy_field_name(field);
    bool rate =
        field == POLICY_MIN_TX_RATE_MBPS || field == POLICY_MAX_TX_RATE_MBPS;
    if (err->code == ERROR_UNSUPPORTED)
        error_remedy(err,
                     "the driver does not support '%s': leave it out or use "
                     "another kind of PF",
                     name);
    else if (err->code == ERROR_RANGE && rate && !has_carrier(target))
        error_remedy(err,
                     "drivers such as igb accept a rate only while the PF's "
                     "link is up: bring up '%s' and try again",
                     target->netdev);
    else if (err->code == ERROR_RANGE && field == POLICY_MIN_TX_RATE_MBPS)
        error_remedy(err, "drivers such as igb and i40e take no minimum rate: "
                          "leave it out or use another kind of PF");
    else if (err->code == ERROR_RANGE)
        error_remedy(err, "the driver refuses this value of '%s'%s", name,
                     rate ? ": a rate must not exceed the link speed" : "");
    else if (err->code == ERROR_PERMISSION)
        error_remedy(err, "run the agent with CAP_NET_ADMIN");
    else if (err->code == ERROR_AGAIN)
        error_remedy(err, "the driver stayed busy for a second: try again");
    else if (err->code == ERROR_VANISHED)
        error_remedy(err, "the PF or VF is gone: look at the inventory");
    else
        error_remedy(err, "look at the kernel's log of driver messages");
}

static int find_target(struct host_backend *backend, const struct pf_key *pf,
                       uint16_t vf_index, struct target *out, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    if (!host->route)
        return error_set(err, ERROR_PERMISSION, "VF policy " SCAN_NEEDS_KERNEL);
    struct sysfs_path folder = device_folder(pf);
    *out = (struct target){.host = host, .pf = pf, .vf = vf_index};
    uint16_t count = 0;
    if (vf_count(&host->sysfs, pf, &count, err) < 0)
        return -1;
    /* Drivers answer EINVAL for a VF that is not there, as for a bad value. */
    if (vf_index >= count)
        return error_set(err, ERROR_VANISHED, "PF %s has no VF %u (%u now)",
                         pf->text, vf_index, count);
    device_netdev(&host->sysfs, folder.text, out->netdev, NULL);
    if (!out->netdev[0])
        return error_set(err, ERROR_VANISHED,
                         "PF %s has no network device on this host", pf->text);
    return 0;
}

int linux_vf_read(struct host_backend *backend, const struct pf_key *pf,
                  uint16_t vf_index, struct policy *policy, struct error *err)
{
    struct target target;
    auto_link_vfs struct link_vfs told = {0};
    if (find_target(backend, pf, vf_index, &target, err) < 0 ||
        link_read_vfs(target.host->route, target.netdev, false, &told, err) < 0)
        return -1;
    if (vf_index >= told.count)
        return error_set(err, ERROR_VANISHED, "PF %s has no VF %u", pf->text,
                         vf_index);
    if (told.reported && !told.policies[vf_index].set)
        return error_set(err, ERROR_IO, "the kernel does not tell of VF %u",
                         vf_index);
    *policy = told.policies[vf_index];
    return 0;
}

/* Where only a part of a group is to be written, the rest stays as it is. */
static int complete(struct host_backend *backend, const struct target *target,
                    uint32_t fields, struct policy *policy, struct error *err)
{
    struct policy now = {0};
    bool have_now = false;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        uint32_t missing = groups[i].fields & ~fields;
        if (!(groups[i].fields & fields) || !missing)
            continue;
        if (!have_now && linux_vf_read(backend, target->pf,
                                       (uint16_t)target->vf, &now, err) < 0)
            return -1;
        have_now = true;
        for (int field = 0; field < POLICY_FIELD_MAX; field++)
            if (missing & POLICY_BIT(field))
                policy_copy_field(policy, &now, (enum policy_field)field);
    }
    return 0;
}

int linux_vf_write(struct host_backend *backend, const struct pf_key *pf,
                   uint16_t vf_index, const struct policy *policy,
                   uint32_t fields, struct error *err)
{
    struct target target;
    struct policy full = *policy;
    if (find_target(backend, pf, vf_index, &target, err) < 0 ||
        complete(backend, &target, fields, &full, err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const struct group *group = &groups[i];
        if (!(group->fields & fields))
            continue;
        struct error refused = {0};
        char what[96];
        snprintf(what, sizeof what, "set VF %u of PF %s", vf_index, pf->text);
        if (send_patiently(&target, group, &full, what, &refused) == 0)
            continue;
        enum policy_field field = suspect(group, fields, &full, refused.sys);
        char value[POLICY_VALUE_SIZE];
        error_prefix(&refused, "%s %s", policy_field_name(field),
                     policy_value_text(&full, field, value));
        snprintf(refused.field, sizeof refused.field, "%s",
                 policy_field_name(field));
        advise(&target, field, &refused);
        if (err)
            *err = refused;
        return -1;
    }
    return 0;
}
