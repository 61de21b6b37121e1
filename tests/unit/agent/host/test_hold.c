/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of a PF's own filter, from messages built here as the kernel builds
 * them (nlmsg_populate_fdb_fill() in net/core/rtnetlink.c). Holding for real
 * needs a device: tests/contract/host, in the lab. */
#include "agent/host/hold.h"

#include "agent/host/nl.h"
#include "tests/unit/check_main.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

static const struct mac mac = {{0x52, 0x54, 0, 0xc0, 0x27, 0xad}};

static struct nl_msg *entry_of(int type, struct ndmsg about,
                               const struct mac *address, size_t length)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_MULTI);
    ck_assert_ptr_nonnull(msg);
    nlmsg_append(msg, &about, sizeof about, NLMSG_ALIGNTO);
    if (address)
        nla_put(msg, NDA_LLADDR, (int)length, address->bytes);
    return msg;
}

static bool matches(int type, struct ndmsg about, const struct mac *address,
                    size_t length)
{
    bool found = false;
    auto_nl_msg struct nl_msg *msg = entry_of(type, about, address, length);
    hold_match(nlmsg_hdr(msg), 7, &mac, &found);
    return found;
}

static const struct ndmsg own = {.ndm_family = AF_BRIDGE,
                                 .ndm_ifindex = 7,
                                 .ndm_state = NUD_PERMANENT,
                                 .ndm_flags = NTF_SELF};

START_TEST(the_entry_itself_is_found)
{
    ck_assert(matches(RTM_NEWNEIGH, own, &mac, 6));
}
END_TEST

START_TEST(what_is_of_another_device_address_or_kind_is_not)
{
    struct ndmsg other = own;
    other.ndm_ifindex = 8;
    ck_assert(!matches(RTM_NEWNEIGH, other, &mac, 6));
    other = own;
    other.ndm_family = AF_INET6;
    ck_assert(!matches(RTM_NEWNEIGH, other, &mac, 6));
    /* what the bridge above the PF learnt */
    other = own;
    other.ndm_flags = NTF_MASTER;
    ck_assert(!matches(RTM_NEWNEIGH, other, &mac, 6));
    ck_assert(!matches(RTM_DELNEIGH, own, &mac, 6));
    struct mac near = mac;
    near.bytes[5]++;
    ck_assert(!matches(RTM_NEWNEIGH, own, &near, 6));
}
END_TEST

START_TEST(what_is_cut_is_not)
{
    bool found = false;
    ck_assert(!matches(RTM_NEWNEIGH, own, NULL, 0));
    ck_assert(!matches(RTM_NEWNEIGH, own, &mac, 5));
    auto_nl_msg struct nl_msg *msg = entry_of(RTM_NEWNEIGH, own, &mac, 6);
    for (uint32_t length = 0; length < nlmsg_hdr(msg)->nlmsg_len; length++) {
        /* An own copy of that size, so that a sanitizer sees reads beyond. */
        struct nlmsghdr *cut =
            malloc(length < NLMSG_HDRLEN ? NLMSG_HDRLEN : length);
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, nlmsg_hdr(msg),
               length < NLMSG_HDRLEN ? NLMSG_HDRLEN : length);
        cut->nlmsg_len = length;
        /* The last two bytes are padding of the address. */
        if (length < nlmsg_hdr(msg)->nlmsg_len - 2)
            hold_match(cut, 7, &mac, &found);
        free(cut);
    }
    ck_assert(!found);
}
END_TEST

CHECK_MAIN("holds", the_entry_itself_is_found,
           what_is_of_another_device_address_or_kind_is_not,
           what_is_cut_is_not);
