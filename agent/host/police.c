/* SPDX-License-Identifier: Apache-2.0 */
/* Reading policing filters: see police.h. libnl knows no police action. */
#include "agent/host/police.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

/* Rates from 2^32 bytes a second on are told apart (tcf_police_dump() in
 * net/sched/act_police.c). */
static void take_police(struct nlattr *options, uint64_t *lowest)
{
    struct nlattr *tb[TCA_POLICE_MAX + 1];
    struct tc_police police;
    if (nla_parse_nested(tb, TCA_POLICE_MAX, options, NULL) < 0 ||
        !tb[TCA_POLICE_TBF] || nla_len(tb[TCA_POLICE_TBF]) < (int)sizeof police)
        return;
    memcpy(&police, nla_data(tb[TCA_POLICE_TBF]), sizeof police);
    uint64_t rate = police.rate.rate;
    if (tb[TCA_POLICE_RATE64] && nla_len(tb[TCA_POLICE_RATE64]) >= 8)
        memcpy(&rate, nla_data(tb[TCA_POLICE_RATE64]), sizeof rate);
    if (rate && (!*lowest || rate < *lowest))
        *lowest = rate;
}

/* The list of a filter's actions, each with its kind. */
static void take_actions(struct nlattr *list, uint64_t *lowest)
{
    struct nlattr *action;
    int left;
    nla_for_each_nested(action, list, left)
    {
        struct nlattr *tb[TCA_ACT_MAX + 1];
        if (nla_parse_nested(tb, TCA_ACT_MAX, action, NULL) < 0 ||
            !tb[TCA_ACT_KIND] || !tb[TCA_ACT_OPTIONS] ||
            nla_strcmp(tb[TCA_ACT_KIND], "police") != 0)
            continue;
        take_police(tb[TCA_ACT_OPTIONS], lowest);
    }
}

/* Where each kind of filter keeps them; 0 = has no such. */
static const struct {
    const char *kind;
    int police, actions;
} kinds[] = {{"u32", TCA_U32_POLICE, TCA_U32_ACT},
             {"basic", TCA_BASIC_POLICE, TCA_BASIC_ACT},
             {"matchall", 0, TCA_MATCHALL_ACT}};

void police_take(const struct nlmsghdr *message, uint64_t *bytes_per_second)
{
    struct nlmsghdr *header = (struct nlmsghdr *)(uintptr_t)message;
    struct nlattr *tb[TCA_MAX + 1];
    if (message->nlmsg_type != RTM_NEWTFILTER ||
        nlmsg_parse(header, sizeof(struct tcmsg), tb, TCA_MAX, NULL) < 0 ||
        !tb[TCA_KIND] || !tb[TCA_OPTIONS])
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (nla_strcmp(tb[TCA_KIND], kinds[i].kind) != 0)
            continue;
        struct nlattr *option;
        int left;
        nla_for_each_nested(option, tb[TCA_OPTIONS], left)
        {
            if (kinds[i].police && nla_type(option) == kinds[i].police)
                take_police(option, bytes_per_second);
            else if (nla_type(option) == kinds[i].actions)
                take_actions(option, bytes_per_second);
        }
    }
}

static void on_filter(void *context, const struct nlmsghdr *answer)
{
    police_take(answer, context);
}

int police_read(struct nl_port *port, int index, uint64_t *bytes_per_second,
                struct error *err)
{
    uint64_t lowest = 0;
    struct error refused = {0};
    auto_nl_msg struct nl_msg *msg =
        nlmsg_alloc_simple(RTM_GETTFILTER, NLM_F_DUMP);
    if (!msg)
        abort();
    struct tcmsg about = {.tcm_ifindex = index,
                          .tcm_parent = TC_H_MAJ(TC_H_INGRESS)};
    nlmsg_append(msg, &about, sizeof about, NLMSG_ALIGNTO);
    /* A kernel without traffic control polices nothing. */
    if (nl_talk(port, msg, on_filter, &lowest, "read the policing filters",
                &refused) < 0 &&
        refused.sys != EOPNOTSUPP) {
        if (err)
            *err = refused;
        return -1;
    }
    *bytes_per_second = lowest;
    return 0;
}
