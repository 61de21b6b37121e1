/* SPDX-License-Identifier: Apache-2.0 */
/* MACs held on a PF's own receive filter, by rtnetlink's neighbour messages of
 * the family AF_BRIDGE with NTF_SELF (rtnl_fdb_add(), rtnl_fdb_del() and
 * rtnl_fdb_dump() in net/core/rtnetlink.c). Drivers without functions of their
 * own get ndo_dflt_fdb_add(): the address goes into the device's list of
 * unicast addresses and must be NUD_PERMANENT. */
#include "agent/host/hold.h"

#include "agent/host/device.h"
#include "agent/host/nl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The index of the PF's network device now. */
static int find_ifindex(struct linux_host *host, const struct pf_key *pf,
                        int *ifindex, struct error *err)
{
    if (!host->route)
        return error_set(err, ERROR_PERMISSION,
                         "a PF's filter " SCAN_NEEDS_KERNEL);
    struct sysfs_path folder = device_folder(pf);
    char netdev[NETDEV_NAME_SIZE];
    device_netdev(&host->sysfs, folder.text, netdev, NULL);
    if (!netdev[0])
        return error_set(err, ERROR_VANISHED,
                         "PF %s has no network device on this host", pf->text);
    struct sysfs_path path = sysfs_path("sys/class/net/%s/ifindex", netdev);
    int64_t number = 0;
    if (sysfs_read_number(&host->sysfs, path.text, 1, INT32_MAX, &number, err) <
        0)
        return -1;
    *ifindex = (int)number;
    return 0;
}

static struct nl_msg *make_message(int type, int flags, int ifindex,
                                   const struct mac *mac, uint16_t state)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
    if (!msg)
        abort();
    struct ndmsg entry = {.ndm_family = AF_BRIDGE,
                          .ndm_ifindex = ifindex,
                          .ndm_state = state,
                          .ndm_flags = NTF_SELF};
    nlmsg_append(msg, &entry, sizeof entry, NLMSG_ALIGNTO);
    nla_put(msg, NDA_LLADDR, sizeof mac->bytes, mac->bytes);
    return msg;
}

static int talk(struct linux_host *host, struct nl_msg *msg, const char *what,
                int already, struct error *refused)
{
    *refused = (struct error){0};
    if (nl_talk(host->route, msg, NULL, NULL, what, refused) == 0 ||
        refused->sys == already)
        return 0;
    return -1;
}

/* The kernel's own function lets go only of what is called permanent; ice's
 * (ice_fdb_del() in ice_main.c) refuses just that with EINVAL, though it takes
 * an address only when it is called permanent. */
static int let_go(struct linux_host *host, int ifindex, const struct mac *mac,
                  const char *what, struct error *refused)
{
    static const uint16_t states[] = {NUD_PERMANENT, NUD_NOARP};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        auto_nl_msg struct nl_msg *msg =
            make_message(RTM_DELNEIGH, 0, ifindex, mac, states[i]);
        if (talk(host, msg, what, ENOENT, refused) == 0)
            return 0;
        if (refused->sys != EINVAL)
            break;
    }
    return -1;
}

int linux_mac_hold(struct host_backend *backend, const struct pf_key *pf,
                   const struct mac *mac, bool on, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    char text[MAC_TEXT_SIZE], what[96];
    struct error refused;
    int ifindex = 0, result;
    if (find_ifindex(host, pf, &ifindex, err) < 0)
        return -1;
    snprintf(what, sizeof what, "%s %s on the filter of PF %s",
             on ? "hold" : "let go of", mac_format(mac, text), pf->text);
    if (on) {
        auto_nl_msg struct nl_msg *msg =
            make_message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, ifindex, mac,
                         NUD_PERMANENT);
        result = talk(host, msg, what, EEXIST, &refused);
    } else {
        result = let_go(host, ifindex, mac, what, &refused);
    }
    if (result < 0 && err)
        *err = refused;
    return result;
}

struct search {
    int ifindex;
    struct mac mac;
    bool found;
};

static void on_entry(void *context, const struct nlmsghdr *answer)
{
    struct search *search = context;
    hold_match(answer, search->ifindex, &search->mac, &search->found);
}

void hold_match(const struct nlmsghdr *message, int ifindex,
                const struct mac *mac, bool *found)
{
    struct ndmsg entry;
    if (message->nlmsg_type != RTM_NEWNEIGH ||
        message->nlmsg_len < NLMSG_LENGTH(sizeof entry))
        return;
    memcpy(&entry, (const char *)message + NLMSG_HDRLEN, sizeof entry);
    if (entry.ndm_family != AF_BRIDGE || entry.ndm_ifindex != ifindex ||
        !(entry.ndm_flags & NTF_SELF))
        return;
    /* libnl takes the header without const, and only reads. */
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    const struct nlattr *address =
        nlmsg_find_attr(header, sizeof entry, NDA_LLADDR);
    if (address && nla_len(address) == sizeof mac->bytes &&
        memcmp(nla_data(address), mac->bytes, sizeof mac->bytes) == 0)
        *found = true;
}

int linux_mac_held(struct host_backend *backend, const struct pf_key *pf,
                   const struct mac *mac, bool *held, struct error *err)
{
    struct linux_host *host = (struct linux_host *)backend;
    struct search search = {.mac = *mac};
    char what[64];
    if (find_ifindex(host, pf, &search.ifindex, err) < 0)
        return -1;
    /* For a dump the kernel takes the index from here, in the form of a link's
     * header (valid_fdb_dump_legacy()). */
    auto_nl_msg struct nl_msg *msg =
        nlmsg_alloc_simple(RTM_GETNEIGH, NLM_F_DUMP);
    if (!msg)
        abort();
    struct ifinfomsg link = {.ifi_family = AF_BRIDGE,
                             .ifi_index = search.ifindex};
    nlmsg_append(msg, &link, sizeof link, NLMSG_ALIGNTO);
    snprintf(what, sizeof what, "list the filter of PF %s", pf->text);
    if (nl_talk(host->route, msg, on_entry, &search, what, err) < 0)
        return -1;
    *held = search.found;
    return 0;
}
