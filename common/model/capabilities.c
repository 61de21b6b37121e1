/* SPDX-License-Identifier: Apache-2.0 */
/* What a PF or the virtio path accepts of a policy: see capabilities.h. Fails
 * closed: what is not known to work is refused when it is asked for. */
#include "common/model/capabilities.h"

#include "common/model/names.h"

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

static const char *const capability_need_names[] = {
#define X(name, wire) [CAPABILITY_NEED_##name] = wire,
    CAPABILITY_NEEDS(X)
#undef X
};
NAMES_DEFINE(capability_need, CAPABILITY_NEED_MAX);

static const char *const capability_trait_names[] = {
#define X(name, wire) [CAPABILITY_TRAIT_##name] = wire,
    CAPABILITY_TRAITS(X)
#undef X
};
NAMES_DEFINE(capability_trait, CAPABILITY_TRAIT_MAX);

struct capabilities capabilities_unknown(void)
{
    struct capabilities made = {0};
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        made.field[i].note = "";
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        made.trait[i].note = "";
    return made;
}

static bool capability_equal(const struct capability *a,
                             const struct capability *b)
{
    return a->support == b->support && a->source == b->source &&
           a->needs == b->needs && a->max == b->max &&
           strcmp(a->note, b->note) == 0;
}

bool capabilities_equal(const struct capabilities *a,
                        const struct capabilities *b)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (!capability_equal(&a->field[i], &b->field[i]))
            return false;
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        if (!capability_equal(&a->trait[i], &b->trait[i]))
            return false;
    return true;
}

static bool works(const struct capability *c)
{
    return c->support == CAPABILITY_SUPPORTED ||
           c->support == CAPABILITY_CONDITIONAL;
}

/* The order of belief (capabilities.h); 0 = says nothing. */
static unsigned belief(const struct capability *c)
{
    if (c->support == CAPABILITY_UNKNOWN)
        return 0;
    switch ((enum capability_source)c->source) {
    case CAPABILITY_SOURCE_PROBED:
        return works(c) ? 2 : 4;
    case CAPABILITY_SOURCE_OPERATOR:
        return 3;
    case CAPABILITY_SOURCE_PLUGIN:
    case CAPABILITY_SOURCE_NONE:
    case CAPABILITY_SOURCE_MAX:
        break;
    }
    return 1;
}

static bool has_note(const struct capability *c)
{
    return c->note && *c->note;
}

static uint32_t lower_max(uint32_t a, uint32_t b)
{
    return a && (!b || a < b) ? a : b;
}

/* A plug-in knows what a probe in one state can't see. */
static struct capability qualify(const struct capability *probed,
                                 const struct capability *plugin)
{
    struct capability made = *probed;
    made.max = lower_max(probed->max, plugin->max);
    made.needs |= plugin->needs;
    if (plugin->support == CAPABILITY_CONDITIONAL)
        made.support = CAPABILITY_CONDITIONAL;
    bool told = made.support != probed->support ||
                made.needs != probed->needs || made.max != probed->max;
    if (told && has_note(plugin))
        made.note = plugin->note;
    return made;
}

struct capability capability_merge(const struct capability *a,
                                   const struct capability *b)
{
    const struct capability *more = belief(b) > belief(a) ? b : a;
    const struct capability *less = more == a ? b : a;
    if (belief(more) == 0)
        return has_note(a) || !has_note(b) ? *a : *b;
    if (belief(more) == 2 && belief(less) == 1 && works(less))
        return qualify(more, less);
    return *more;
}

struct capabilities capabilities_merge(const struct capabilities *a,
                                       const struct capabilities *b)
{
    struct capabilities made;
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        made.field[i] = capability_merge(&a->field[i], &b->field[i]);
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        made.trait[i] = capability_merge(&a->trait[i], &b->trait[i]);
    return made;
}

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

/* NULL = what a conditional field needs is given now; 'number' is its value. */
static const char *need_missing(const struct capability *capability,
                                const struct link_facts *link, uint32_t number)
{
    if (capability->support != CAPABILITY_CONDITIONAL)
        return NULL;
    if ((capability->needs & CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP)) &&
        !link->up)
        return "only while the PF's link is up, and it is down";
    if (!(capability->needs & CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED)))
        return NULL;
    if (link->speed_mbps == 0)
        return "only up to the link's speed, and the driver tells none";
    return number > link->speed_mbps ? "the value is above the link's speed"
                                     : NULL;
}

bool capability_given(const struct capability *capability,
                      const struct link_facts *link)
{
    return capability->support == CAPABILITY_SUPPORTED ||
           (capability->support == CAPABILITY_CONDITIONAL &&
            !need_missing(capability, link, 0));
}

/* NULL = the PF takes this field's value. */
static const char *field_refused(const struct capability *capability,
                                 const struct link_facts *link,
                                 const struct policy *policy,
                                 const struct policy *clean,
                                 enum policy_field field)
{
    bool is_clean = policy_field_equal(policy, clean, field);
    const char *note =
        has_note(capability) ? capability->note : "the PF does not support it";
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
        return need_missing(capability, link, field_number(policy, field));
    case CAPABILITY_UNSUPPORTED:
        return note;
    case CAPABILITY_UNKNOWN:
    case CAPABILITY_SUPPORT_MAX:
        break;
    }
    return "not known whether the PF supports it";
}

bool capabilities_allow(const struct capabilities *capabilities,
                        const struct link_facts *link,
                        const struct policy *policy, enum policy_field *field,
                        const char **why)
{
    struct policy clean = policy_clean();
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        enum policy_field candidate = (enum policy_field)i;
        if (!policy_has(policy, candidate))
            continue;
        const char *refusal = field_refused(&capabilities->field[i], link,
                                            policy, &clean, candidate);
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
