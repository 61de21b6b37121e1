/* SPDX-License-Identifier: Apache-2.0 */
/* Reading links by rtnetlink: see link.h. The VF list is parsed here and not
 * by libnl-route, whose getters lose what matters: "-1, not reported", rates of
 * 0, VLAN 0 of the old form. */
#include "agent/host/link.h"

#include "common/base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void link_vfs_done(struct link_vfs *vfs)
{
    free(vfs->policies);
    free(vfs->sent);
    *vfs = (struct link_vfs){0};
}

/* A VF's attributes all begin with its number; copy at most 'size' bytes. */
static bool take(struct nlattr *attr, void *out, size_t size)
{
    if (!attr || (size_t)nla_len(attr) < size)
        return false;
    memcpy(out, nla_data(attr), size);
    return true;
}

static void take_vlan(struct nlattr **tb, struct policy *policy)
{
    struct ifla_vf_vlan plain;
    struct ifla_vf_vlan_info info = {0};
    bool told = false;
    if (take(tb[IFLA_VF_VLAN], &plain, sizeof plain)) {
        info.vlan = plain.vlan;
        info.qos = plain.qos;
        info.vlan_proto = htons(ETH_P_8021Q);
        told = true;
    }
    /* The list has the protocol as well; the kernel fills in one entry. */
    if (tb[IFLA_VF_VLAN_LIST]) {
        struct nlattr *entry =
            nla_find(nla_data(tb[IFLA_VF_VLAN_LIST]),
                     nla_len(tb[IFLA_VF_VLAN_LIST]), IFLA_VF_VLAN_INFO);
        if (take(entry, &info, sizeof info))
            told = true;
    }
    if (!told || info.vlan > UINT16_MAX || info.qos > UINT8_MAX)
        return;
    policy->vlan = (uint16_t)info.vlan;
    policy->vlan_qos = (uint8_t)info.qos;
    /* netdevsim tells protocol 0 until one was set. */
    policy->vlan_proto = info.vlan_proto == htons(ETH_P_8021AD)
                             ? VLAN_PROTO_8021AD
                             : VLAN_PROTO_8021Q;
    policy->set |= POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_VLAN_QOS) |
                   POLICY_BIT(POLICY_VLAN_PROTO);
}

/* The kernel presets -1 where the driver does not report the switch. */
static bool take_switch(struct nlattr *attr, bool *on)
{
    struct ifla_vf_spoofchk setting; /* ifla_vf_trust looks the same */
    _Static_assert(sizeof setting == sizeof(struct ifla_vf_trust), "same");
    if (!take(attr, &setting, sizeof setting) || setting.setting == UINT32_MAX)
        return false;
    *on = setting.setting != 0;
    return true;
}

static bool take_link_state(struct nlattr *attr, uint8_t *out)
{
    struct ifla_vf_link_state state;
    if (!take(attr, &state, sizeof state) ||
        state.link_state > IFLA_VF_LINK_STATE_DISABLE)
        return false;
    static const uint8_t states[] = {
        [IFLA_VF_LINK_STATE_AUTO] = LINK_STATE_AUTO,
        [IFLA_VF_LINK_STATE_ENABLE] = LINK_STATE_ENABLE,
        [IFLA_VF_LINK_STATE_DISABLE] = LINK_STATE_DISABLE,
    };
    *out = states[state.link_state];
    return true;
}

static void take_statistics(struct nlattr *statistics, uint32_t vf,
                            struct link_vfs *out)
{
    struct nlattr *counter;
    int left;
    nla_for_each_nested(counter, statistics, left)
    {
        uint64_t value = 0;
        /* IFLA_VF_STATS_PAD is empty. */
        if (!take(counter, &value, sizeof value))
            continue;
        out->counted = out->counted || value != 0;
        if (nla_type(counter) == IFLA_VF_STATS_TX_PACKETS)
            out->sent[vf] = value;
    }
}

static void take_vf(struct nlattr *entry, struct link_vfs *out)
{
    struct nlattr *tb[IFLA_VF_MAX + 1];
    if (nla_parse(tb, IFLA_VF_MAX, nla_data(entry), nla_len(entry), NULL) < 0)
        return;
    struct ifla_vf_mac mac;
    struct ifla_vf_rate rate;
    struct policy policy = {0};
    if (!take(tb[IFLA_VF_MAC], &mac, sizeof mac) || mac.vf >= out->size)
        return;
    memcpy(policy.mac.bytes, mac.mac, sizeof policy.mac.bytes);
    policy.set |= POLICY_BIT(POLICY_MAC);
    take_vlan(tb, &policy);
    if (take(tb[IFLA_VF_RATE], &rate, sizeof rate)) {
        policy.min_tx_rate_mbps = rate.min_tx_rate;
        policy.max_tx_rate_mbps = rate.max_tx_rate;
        policy.set |= POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                      POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
    }
    if (take_switch(tb[IFLA_VF_SPOOFCHK], &policy.spoofchk))
        policy.set |= POLICY_BIT(POLICY_SPOOFCHK);
    if (take_switch(tb[IFLA_VF_TRUST], &policy.trust))
        policy.set |= POLICY_BIT(POLICY_TRUST);
    if (take_link_state(tb[IFLA_VF_LINK_STATE], &policy.link_state))
        policy.set |= POLICY_BIT(POLICY_LINK_STATE);
    if (tb[IFLA_VF_STATS])
        take_statistics(tb[IFLA_VF_STATS], mac.vf, out);
    out->policies[mac.vf] = policy;
    out->reported = true;
}

/* The list's own length is a 16-bit field and wraps silently where a PF has
 * more than 334 VFs (196 bytes each without statistics), and whatever follows the
 * list is then found in the wrong place. Therefore the entries are walked by
 * their own lengths, as many as IFLA_NUM_VF promises, up to the end of the
 * message, and nothing behind the list is looked at. */
static void walk_list(struct nlattr *list, int left, struct link_vfs *out)
{
    struct nlattr *entry = nla_data(list);
    for (uint32_t i = 0; i < out->count && nla_ok(entry, left);
         i++, entry = nla_next(entry, &left)) {
        if (nla_type(entry) != IFLA_VF_INFO)
            return;
        take_vf(entry, out);
    }
}

void link_parse_vfs(const struct nlmsghdr *message, struct link_vfs *out)
{
    if (message->nlmsg_type != RTM_NEWLINK ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        return;
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *attr = nlmsg_attrdata(header, sizeof(struct ifinfomsg));
    int left = nlmsg_attrlen(header, sizeof(struct ifinfomsg));
    for (; nla_ok(attr, left); attr = nla_next(attr, &left)) {
        if (nla_type(attr) == IFLA_NUM_VF && nla_len(attr) >= 4) {
            out->count = nla_get_u32(attr);
            if (out->count > PF_VFS_MAX)
                out->count = PF_VFS_MAX;
            free(out->policies);
            free(out->sent);
            out->size = out->count;
            out->policies = mem_calloc(out->size, sizeof *out->policies);
            out->sent = mem_calloc(out->size, sizeof *out->sent);
        } else if (nla_type(attr) == IFLA_VFINFO_LIST) {
            walk_list(attr, left - (int)sizeof(struct nlattr), out);
            return;
        }
    }
}

/* A request for one link by its name. */
static struct nl_msg *request_link(const char *netdev)
{
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    nla_put_string(msg, IFLA_IFNAME, netdev);
    return msg;
}

static void on_vfs(void *context, const struct nlmsghdr *answer)
{
    link_parse_vfs(answer, context);
}

int link_read_vfs(struct nl_port *port, const char *netdev, bool statistics,
                  struct link_vfs *out, struct error *err)
{
    auto_nl_msg struct nl_msg *msg = request_link(netdev);
    uint32_t skip = statistics ? 0 : RTEXT_FILTER_SKIP_STATS;
    nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_VF | skip);
    char what[64];
    snprintf(what, sizeof what, "read the VFs of '%s'", netdev);
    auto_link_vfs struct link_vfs found = {0};
    if (nl_talk(port, msg, on_vfs, &found, what, err) < 0)
        return -1;
    *out = found;
    found = (struct link_vfs){0};
    return 0;
}

void link_parse_kind(const struct nlmsghdr *message, char *kind, size_t size)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *info =
        nlmsg_find_attr(header, sizeof(struct ifinfomsg), IFLA_LINKINFO);
    struct nlattr *name =
        info ? nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND) : NULL;
    if (name)
        nla_strlcpy(kind, name, size);
}

struct kind {
    char *text;
    size_t size;
};

static void on_kind(void *context, const struct nlmsghdr *answer)
{
    struct kind *kind = context;
    link_parse_kind(answer, kind->text, kind->size);
}

int link_read_kind(struct nl_port *port, const char *netdev, char *kind,
                   size_t size, struct error *err)
{
    auto_nl_msg struct nl_msg *msg = request_link(netdev);
    char what[64];
    snprintf(what, sizeof what, "read the link '%s'", netdev);
    kind[0] = '\0';
    return nl_talk(port, msg, on_kind, &(struct kind){kind, size}, what, err);
}
