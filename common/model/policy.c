/* SPDX-License-Identifier: Apache-2.0 */
/* Policies: names, checks, comparison, the clean state. See policy.h. */
#include "common/model/policy.h"

#include "common/model/names.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const policy_field_names[] = {
#define X(name, wire) [POLICY_##name] = wire,
    POLICY_FIELDS(X)
#undef X
};
NAMES_DEFINE(policy_field, POLICY_FIELD_MAX);

static const char *const vlan_proto_names[] = {
    [VLAN_PROTO_8021Q] = "802.1q",
    [VLAN_PROTO_8021AD] = "802.1ad",
};
NAMES_DEFINE(vlan_proto, VLAN_PROTO_MAX);

static const char *const link_state_names[] = {
    [LINK_STATE_AUTO] = "auto",
    [LINK_STATE_ENABLE] = "enable",
    [LINK_STATE_DISABLE] = "disable",
};
NAMES_DEFINE(link_state, LINK_STATE_MAX);

/* Refuses one field with a reason and a remedy; returns -1. */
#define refuse(err, field, remedy, ...)                                        \
    (error_fill(err, ERROR_INVALID, 0, policy_field_name(field), __VA_ARGS__), \
     error_remedy(err, "%s", remedy), -1)

static int check_mac(const struct policy *policy, struct error *err)
{
    const char *why = mac_refused(&policy->mac);
    if (!policy_has(policy, POLICY_MAC) || !why)
        return 0;
    char text[MAC_TEXT_SIZE];
    return refuse(err, POLICY_MAC,
                  "use a unicast MAC such as 52:54:00:12:34:56, or leave it "
                  "out to get one",
                  "MAC %s can't be used: %s", mac_format(&policy->mac, text),
                  why);
}

static int check_vlan(const struct policy *policy, struct error *err)
{
    unsigned vlan = policy_has(policy, POLICY_VLAN) ? policy->vlan : 0;
    if (vlan == 4095)
        return refuse(err, POLICY_VLAN, "use 1 to 4094, or 0 for no VLAN",
                      "VLAN 4095 is reserved by 802.1Q");
    if (vlan > POLICY_VLAN_MAX)
        return refuse(err, POLICY_VLAN, "use 1 to 4094, or 0 for no VLAN",
                      "VLAN %u is out of range 0-%d", vlan, POLICY_VLAN_MAX);
    if (policy_has(policy, POLICY_VLAN_QOS)) {
        if (policy->vlan_qos > POLICY_QOS_MAX)
            return refuse(err, POLICY_VLAN_QOS,
                          "use an 802.1p priority from 0 to 7",
                          "vlan_qos %u is out of range 0-%d", policy->vlan_qos,
                          POLICY_QOS_MAX);
        if (policy->vlan_qos && !vlan)
            return refuse(err, POLICY_VLAN_QOS,
                          "give a vlan from 1 to 4094 too, or set vlan_qos 0",
                          "vlan_qos %u needs a vlan: the priority is carried "
                          "in the VLAN tag",
                          policy->vlan_qos);
    }
    if (policy_has(policy, POLICY_VLAN_PROTO)) {
        if (policy->vlan_proto >= VLAN_PROTO_MAX)
            return refuse(err, POLICY_VLAN_PROTO, "use 802.1q or 802.1ad",
                          "vlan_proto %u is not known", policy->vlan_proto);
        if (policy->vlan_proto == VLAN_PROTO_8021AD && !vlan)
            return refuse(err, POLICY_VLAN_PROTO,
                          "give a vlan from 1 to 4094 too, or use 802.1q",
                          "vlan_proto 802.1ad needs a vlan");
    }
    return 0;
}

static int check_rates(const struct policy *policy, struct error *err)
{
    bool has_min = policy_has(policy, POLICY_MIN_TX_RATE_MBPS);
    bool has_max = policy_has(policy, POLICY_MAX_TX_RATE_MBPS);
    uint32_t min = has_min ? policy->min_tx_rate_mbps : 0;
    uint32_t max = has_max ? policy->max_tx_rate_mbps : 0;
    if (min > POLICY_RATE_MAX_MBPS)
        return refuse(
            err, POLICY_MIN_TX_RATE_MBPS, "give Mbit/s; 0 = no guarantee",
            "rate %" PRIu32 " is out of range 0-%u", min, POLICY_RATE_MAX_MBPS);
    if (max > POLICY_RATE_MAX_MBPS)
        return refuse(
            err, POLICY_MAX_TX_RATE_MBPS, "give Mbit/s; 0 = unlimited",
            "rate %" PRIu32 " is out of range 0-%u", max, POLICY_RATE_MAX_MBPS);
    if (max && min > max)
        return refuse(err, POLICY_MIN_TX_RATE_MBPS,
                      "lower min_tx_rate_mbps or raise max_tx_rate_mbps",
                      "min_tx_rate_mbps %" PRIu32
                      " is above max_tx_rate_mbps %" PRIu32,
                      min, max);
    return 0;
}

int policy_check(const struct policy *policy, struct error *err)
{
    if (check_mac(policy, err) || check_vlan(policy, err) ||
        check_rates(policy, err))
        return -1;
    if (policy_has(policy, POLICY_LINK_STATE) &&
        policy->link_state >= LINK_STATE_MAX)
        return refuse(err, POLICY_LINK_STATE, "use auto, enable or disable",
                      "link_state %u is not known", policy->link_state);
    return 0;
}

const char *policy_value_text(const struct policy *policy,
                              enum policy_field field,
                              char text[POLICY_VALUE_SIZE])
{
    const char *word = NULL;
    uint32_t number = 0;
    switch (field) {
    case POLICY_MAC:
        return mac_format(&policy->mac, text);
    case POLICY_VLAN:
        number = policy->vlan;
        break;
    case POLICY_VLAN_QOS:
        number = policy->vlan_qos;
        break;
    case POLICY_VLAN_PROTO:
        word = vlan_proto_name((enum vlan_proto)policy->vlan_proto);
        break;
    case POLICY_MIN_TX_RATE_MBPS:
        number = policy->min_tx_rate_mbps;
        break;
    case POLICY_MAX_TX_RATE_MBPS:
        number = policy->max_tx_rate_mbps;
        break;
    case POLICY_SPOOFCHK:
        word = policy->spoofchk ? "on" : "off";
        break;
    case POLICY_TRUST:
        word = policy->trust ? "on" : "off";
        break;
    case POLICY_LINK_STATE:
        word = link_state_name((enum link_state)policy->link_state);
        break;
    case POLICY_FIELD_MAX:
        word = "?";
        break;
    }
    if (word)
        snprintf(text, POLICY_VALUE_SIZE, "%s", word);
    else
        snprintf(text, POLICY_VALUE_SIZE, "%" PRIu32, number);
    return text;
}

void policy_copy_field(struct policy *to, const struct policy *from,
                       enum policy_field field)
{
    switch (field) {
    case POLICY_MAC:
        to->mac = from->mac;
        break;
    case POLICY_VLAN:
        to->vlan = from->vlan;
        break;
    case POLICY_VLAN_QOS:
        to->vlan_qos = from->vlan_qos;
        break;
    case POLICY_VLAN_PROTO:
        to->vlan_proto = from->vlan_proto;
        break;
    case POLICY_MIN_TX_RATE_MBPS:
        to->min_tx_rate_mbps = from->min_tx_rate_mbps;
        break;
    case POLICY_MAX_TX_RATE_MBPS:
        to->max_tx_rate_mbps = from->max_tx_rate_mbps;
        break;
    case POLICY_SPOOFCHK:
        to->spoofchk = from->spoofchk;
        break;
    case POLICY_TRUST:
        to->trust = from->trust;
        break;
    case POLICY_LINK_STATE:
        to->link_state = from->link_state;
        break;
    case POLICY_FIELD_MAX:
        return;
    }
    to->set |= POLICY_BIT(field);
}

bool policy_field_equal(const struct policy *a, const struct policy *b,
                        enum policy_field field)
{
    switch (field) {
    case POLICY_MAC:
        return mac_compare(&a->mac, &b->mac) == 0;
    case POLICY_VLAN:
        return a->vlan == b->vlan;
    case POLICY_VLAN_QOS:
        return a->vlan_qos == b->vlan_qos;
    case POLICY_VLAN_PROTO:
        return a->vlan_proto == b->vlan_proto;
    case POLICY_MIN_TX_RATE_MBPS:
        return a->min_tx_rate_mbps == b->min_tx_rate_mbps;
    case POLICY_MAX_TX_RATE_MBPS:
        return a->max_tx_rate_mbps == b->max_tx_rate_mbps;
    case POLICY_SPOOFCHK:
        return a->spoofchk == b->spoofchk;
    case POLICY_TRUST:
        return a->trust == b->trust;
    case POLICY_LINK_STATE:
        return a->link_state == b->link_state;
    case POLICY_FIELD_MAX:
        break;
    }
    return false;
}

uint32_t policy_difference(const struct policy *want, const struct policy *got)
{
    uint32_t fields = 0;
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field field = (enum policy_field)i;
        if (policy_has(want, field) &&
            (!policy_has(got, field) || !policy_field_equal(want, got, field)))
            fields |= POLICY_BIT(field);
    }
    return fields;
}

struct policy policy_clean(void)
{
    return (struct policy){
        .set = POLICY_ALL,
        .vlan_proto = VLAN_PROTO_8021Q,
        .link_state = LINK_STATE_AUTO,
        .spoofchk = true,
    };
}

struct policy policy_target(const struct policy *asked)
{
    struct policy target = policy_clean();
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (policy_has(asked, (enum policy_field)i))
            policy_copy_field(&target, asked, (enum policy_field)i);
    return target;
}
