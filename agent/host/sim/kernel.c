/* SPDX-License-Identifier: Apache-2.0 */
/* How a NIC driver answers when a VF's policy is set or read, from its model.
 * The checks stand in the order of the kernel: net/core/rtnetlink.c do_setvfinfo
 * first, then the driver's function. Called by the backend and by what other
 * people do by hand; knows nothing of faults or agents. */
#include "agent/host/sim/world.h"

#include <errno.h>

uint32_t sim_group_fields(enum sim_group group)
{
    static const uint32_t fields[SIM_GROUP_MAX] = {
        [SIM_GROUP_MAC] = POLICY_BIT(POLICY_MAC),
        [SIM_GROUP_VLAN] = POLICY_BIT(POLICY_VLAN) |
                           POLICY_BIT(POLICY_VLAN_QOS) |
                           POLICY_BIT(POLICY_VLAN_PROTO),
        [SIM_GROUP_RATE] = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) |
                           POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
        [SIM_GROUP_SPOOFCHK] = POLICY_BIT(POLICY_SPOOFCHK),
        [SIM_GROUP_TRUST] = POLICY_BIT(POLICY_TRUST),
        [SIM_GROUP_LINK_STATE] = POLICY_BIT(POLICY_LINK_STATE),
    };
    return fields[group];
}

static int mac_set(const struct sim_model *model, const struct policy *want)
{
    if (model->mac_errno)
        return model->mac_errno;
    if (mac_is_multicast(&want->mac))
        return EINVAL;
    return mac_is_zero(&want->mac) ? model->mac_zero_errno : 0;
}

static int vlan_set(const struct sim_model *model, const struct policy *want,
                    enum policy_field *at_fault)
{
    if (model->vlan_errno)
        return model->vlan_errno;
    if (want->vlan_proto == VLAN_PROTO_8021AD && model->ad_errno) {
        *at_fault = POLICY_VLAN_PROTO;
        return model->ad_errno;
    }
    /* Drivers take VLAN 4095 too; asking for it is refused long before. */
    if (want->vlan > 4095)
        return EINVAL;
    if (want->vlan_qos && (model->qos_errno || want->vlan_qos > 7)) {
        *at_fault = POLICY_VLAN_QOS;
        return model->qos_errno ? model->qos_errno : EINVAL;
    }
    return 0;
}

static uint64_t min_rates_of_others(const struct sim_pf *pf, uint16_t vf)
{
    uint64_t sum = 0;
    for (uint16_t i = 0; i < pf->vf_count; i++)
        if (i != vf)
            sum += pf->vfs[i].policy.min_tx_rate_mbps;
    return sum;
}

static int rate_set(const struct sim_pf *pf, uint16_t vf,
                    const struct policy *want, enum policy_field *at_fault)
{
    const struct sim_model *model = pf->model;
    uint32_t min = want->min_tx_rate_mbps, max = want->max_tx_rate_mbps;
    uint32_t speed = pf->speed_mbps > 0 ? (uint32_t)pf->speed_mbps : 0;
    *at_fault = POLICY_MAX_TX_RATE_MBPS;
    if (model->rate_errno)
        return model->rate_errno;
    /* rtnetlink.c rtnl_set_vf_rate */
    if (max && max < min)
        return EINVAL;
    if (model->rate_needs_link &&
        (!pf->link_up ||
         (model->rate_only_speed_mbps && model->rate_only_speed_mbps != speed)))
        return EINVAL;
    if (max && model->max_rate_errno)
        return model->max_rate_errno;
    if (max &&
        (max < model->rate_lowest || (model->rate_at_most_link && max > speed)))
        return EINVAL;
    *at_fault = POLICY_MIN_TX_RATE_MBPS;
    if (min && model->min_rate_errno)
        return model->min_rate_errno;
    if (min && model->rate_at_most_link && min > speed)
        return EINVAL;
    if (model->rate_sum_of_min && min &&
        min_rates_of_others(pf, vf) + min > speed)
        return EINVAL;
    return 0;
}

/* Asks the driver; 0 = it takes the group. */
static int group_check(const struct sim_pf *pf, uint16_t vf,
                       enum sim_group group, const struct policy *want,
                       enum policy_field *at_fault)
{
    const struct sim_model *model = pf->model;
    switch (group) {
    case SIM_GROUP_MAC:
        *at_fault = POLICY_MAC;
        return mac_set(model, want);
    case SIM_GROUP_VLAN:
        *at_fault = POLICY_VLAN;
        return vlan_set(model, want, at_fault);
    case SIM_GROUP_RATE:
        return rate_set(pf, vf, want, at_fault);
    case SIM_GROUP_SPOOFCHK:
        *at_fault = POLICY_SPOOFCHK;
        return model->spoofchk_errno;
    case SIM_GROUP_TRUST:
        *at_fault = POLICY_TRUST;
        return model->trust_errno;
    case SIM_GROUP_LINK_STATE:
        *at_fault = POLICY_LINK_STATE;
        return model->link_state_errno;
    case SIM_GROUP_MAX:
        break;
    }
    return EINVAL;
}

int sim_kernel_write(struct sim_pf *pf, uint16_t vf, enum sim_group group,
                     const struct policy *policy, uint32_t fields,
                     enum policy_field *at_fault)
{
    struct sim_vf *to = &pf->vfs[vf];
    /* The kernel takes a group whole: what is not asked stays as it is. */
    struct policy want = to->policy;
    uint32_t asked = fields & sim_group_fields(group);
    for (int f = 0; f < POLICY_FIELD_MAX; f++)
        if (asked & POLICY_BIT(f))
            policy_copy_field(&want, policy, (enum policy_field)f);
    int refused = group_check(pf, vf, group, &want, at_fault);
    if (refused)
        return refused;
    if (group == SIM_GROUP_LINK_STATE && !pf->model->link_state_kept)
        want.link_state = LINK_STATE_AUTO;
    if (group == SIM_GROUP_VLAN && want.vlan == 0)
        want.vlan_proto = VLAN_PROTO_8021Q;
    if (group == SIM_GROUP_MAC)
        to->own_mac = false;
    to->policy = want;
    to->fresh = false;
    return 0;
}

void sim_kernel_read(const struct sim_pf *pf, uint16_t vf,
                     struct policy *policy)
{
    *policy = pf->vfs[vf].policy;
    policy->set = POLICY_ALL;
    if (!pf->model->spoofchk_reported)
        policy->set &= ~POLICY_BIT(POLICY_SPOOFCHK);
    if (!pf->model->trust_reported)
        policy->set &= ~POLICY_BIT(POLICY_TRUST);
    if (!pf->model->reports)
        *policy = (struct policy){0};
}

int sim_kernel_hold(struct sim_pf *pf, const struct mac *mac, bool on)
{
    size_t place = 0;
    while (place < pf->held_count && mac_compare(&pf->held[place], mac) != 0)
        place++;
    bool there = place < pf->held_count;
    if (pf->model->hold_errno)
        return pf->model->hold_errno;
    if (!on) {
        if (!there)
            return ENOENT;
        pf->held[place] = pf->held[--pf->held_count];
        return 0;
    }
    /* ndo_dflt_fdb_add(): only what is local. igb_ndo_fdb_add(): ENOMEM. */
    if (mac_is_multicast(mac) || mac_is_zero(mac))
        return EINVAL;
    if (there)
        return EEXIST;
    if (pf->held_count == SIM_HELD_MAX)
        return ENOMEM;
    pf->held[pf->held_count++] = *mac;
    return 0;
}

void sim_kernel_bind(struct sim_host *host, struct sim_pf *pf, uint16_t vf)
{
    struct sim_vf *to = &pf->vfs[vf];
    if (to->own_mac)
        to->policy.mac = (struct mac){0};
    to->own_mac = pf->model->driver_mac && mac_is_zero(&to->policy.mac);
    if (to->own_mac) {
        /* eth_hw_addr_random: local, unicast, else random. */
        uint64_t random = rng_next(&host->rng);
        for (int i = 0; i < 6; i++)
            to->policy.mac.bytes[i] = (uint8_t)(random >> (8 * i));
        to->policy.mac.bytes[0] = (uint8_t)((random & 0xfc) | 0x02);
    }
    to->version = ++host->versions;
}

struct policy sim_kernel_default(const struct sim_model *model)
{
    struct policy made = policy_clean();
    made.set = POLICY_ALL;
    made.spoofchk = model->spoofchk_initial;
    return made;
}

void sim_kernel_create(struct sim_host *host, struct sim_pf *pf, uint16_t vf)
{
    struct sim_vf *to = &pf->vfs[vf];
    *to = (struct sim_vf){.present = true, .fresh = true};
    to->policy = sim_kernel_default(pf->model);
    sim_kernel_bind(host, pf, vf);
}
