/* SPDX-License-Identifier: Apache-2.0 */
/* What a PF or the virtio path accepts of a policy: see policy.h. Fails
 * closed: what is not known to work is refused when it is asked for. */
#include "common/model/names.h"
#include "common/model/policy.h"

static const char *const capability_support_names[] = {
    [CAPABILITY_UNKNOWN] = "unknown",
    [CAPABILITY_SUPPORTED] = "supported",
    [CAPABILITY_UNSUPPORTED] = "unsupported",
    [CAPABILITY_CONDITIONAL] = "conditional",
};
NAMES_DEFINE(capability_support, CAPABILITY_SUPPORT_MAX);

static const char *const capability_source_names[] = {
    [CAPABILITY_SOURCE_NONE] = "none",
    [CAPABILITY_SOURCE_PROBED] = "probed",
    [CAPABILITY_SOURCE_PLUGIN] = "plugin",
    [CAPABILITY_SOURCE_OPERATOR] = "operator",
};
NAMES_DEFINE(capability_source, CAPABILITY_SOURCE_MAX);

/* The number that a capability's 'max' bounds; 0 for fields without one. */
static uint32_t field_number(const struct policy *policy,
                             enum policy_field field)
{
    switch (field) {
    case POLICY_VLAN:
        return policy->vlan;
    case POLICY_VLAN_QOS:
        return policy->vlan_qos;
    case POLICY_MIN_TX_RATE_MBPS:
        return policy->min_tx_rate_mbps;
    case POLICY_MAX_TX_RATE_MBPS:
        return policy->max_tx_rate_mbps;
    case POLICY_MAC:
    case POLICY_VLAN_PROTO:
    case POLICY_SPOOFCHK:
    case POLICY_TRUST:
    case POLICY_LINK_STATE:
    case POLICY_FIELD_MAX:
        break;
    }
    return 0;
}

/* NULL = the PF takes this field's value. */
static const char *field_refused(const struct capability *capability,
                                 const struct policy *policy,
                                 const struct policy *clean,
                                 enum policy_field field)
{
    bool is_clean = policy_field_equal(policy, clean, field);
    const char *note = capability->note && *capability->note
                           ? capability->note
                           : "the PF does not support it";
    /* The other clean values are the absence of a feature; spoofchk on is a
     * protection that somebody relies on, so a PF known to lack it won't do. */
    if (is_clean && field == POLICY_SPOOFCHK &&
        capability->support == CAPABILITY_UNSUPPORTED)
        return note;
    if (is_clean)
        return NULL;
    switch ((enum capability_support)capability->support) {
    case CAPABILITY_SUPPORTED:
    case CAPABILITY_CONDITIONAL:
        if (capability->max && field_number(policy, field) > capability->max)
            return "the value is above the PF's maximum";
        return NULL;
    case CAPABILITY_UNSUPPORTED:
        return note;
    case CAPABILITY_UNKNOWN:
    case CAPABILITY_SUPPORT_MAX:
        break;
    }
    return "not known whether the PF supports it";
}

bool capabilities_allow(const struct capabilities *capabilities,
                        const struct policy *policy, enum policy_field *field,
                        const char **why)
{
    struct policy clean = policy_clean();
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field candidate = (enum policy_field)i;
        if (!policy_has(policy, candidate))
            continue;
        const char *refusal =
            field_refused(&capabilities->field[i], policy, &clean, candidate);
        if (refusal) {
            *field = candidate;
            *why = refusal;
            return false;
        }
    }
    return true;
}

bool virtio_path_allows(const struct policy *policy, enum policy_field *field,
                        const char **why)
{
    /* mac and spoofchk: domain XML and nwfilter; vlan: the bridge; max rate
     * and link state: libvirt. The rest a bridge and a tap don't have. */
    static const struct {
        enum policy_field field;
        const char *why;
    } lacking[] = {
        {POLICY_VLAN_QOS, "the virtio path can't set a VLAN priority"},
        {POLICY_VLAN_PROTO, "the virtio path tags with 802.1q only"},
        {POLICY_MIN_TX_RATE_MBPS, "the virtio path can't guarantee a rate"},
        {POLICY_TRUST, "the virtio path has no trusted mode: a bridge gives "
                       "a port only the traffic for its MAC"},
    };
    struct policy clean = policy_clean();
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++) {
        if (!policy_has(policy, lacking[i].field) ||
            policy_field_equal(policy, &clean, lacking[i].field))
            continue;
        *field = lacking[i].field;
        *why = lacking[i].why;
        return false;
    }
    return true;
}
