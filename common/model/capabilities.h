/* SPDX-License-Identifier: Apache-2.0 */
/* The capability record of a PF: per policy field whether the PF accepts it,
 * how that is known, and what else was found out about it. It means accepted,
 * not enforced (DESIGN.md section 5).
 *
 * Sources, in the order in which they are believed: a probe's proof of
 * 'unsupported', then the operator's word, then what a probe proved to work,
 * then a plug-in's word. A plug-in may qualify a probed 'supported' into
 * 'conditional' (it knows what a probe in one state can't see).
 */
#pragma once

#include "common/model/policy.h"

enum capability_support {
    CAPABILITY_UNKNOWN,
    CAPABILITY_SUPPORTED,
    CAPABILITY_UNSUPPORTED,
    CAPABILITY_CONDITIONAL, /* depends on state: see 'needs' */
    CAPABILITY_SUPPORT_MAX
};
enum capability_source {
    CAPABILITY_SOURCE_NONE,
    CAPABILITY_SOURCE_PROBED,
    CAPABILITY_SOURCE_PLUGIN,
    CAPABILITY_SOURCE_OPERATOR,
    CAPABILITY_SOURCE_MAX
};
const char *capability_support_name(enum capability_support support);
enum capability_support capability_support_parse(const char *name);
const char *capability_source_name(enum capability_source source);
enum capability_source capability_source_parse(const char *name);

/* On what a conditional field depends: X(NAME, wire name). */
#define CAPABILITY_NEEDS(X)                                                    \
    X(LINK_UP, "link_up")       /* refused while the PF's link is down */      \
    X(LINK_SPEED, "link_speed") /* refused above the link's present speed */
enum capability_need {
#define X(name, wire) CAPABILITY_NEED_##name,
    CAPABILITY_NEEDS(X)
#undef X
        CAPABILITY_NEED_MAX
};
const char *capability_need_name(enum capability_need need);
enum capability_need capability_need_parse(const char *name);
#define CAPABILITY_NEED_BIT(need) ((uint8_t)(1u << (need)))

struct capability {
    uint8_t support;  /* enum capability_support */
    uint8_t source;   /* enum capability_source */
    uint8_t needs;    /* CAPABILITY_NEED_BITs; only of CONDITIONAL */
    uint32_t max;     /* greatest accepted value, 0 = not known or no range */
    const char *note; /* interned, why: "EOPNOTSUPP when set", "" = none */
};

/* What else is known of a PF: X(NAME, wire name). */
#define CAPABILITY_TRAITS(X)                                                   \
    /* a MAC can sit on a VF and on the PF's own filter at once */             \
    X(DUAL_DELIVERY, "dual_delivery")                                          \
    /* the driver counts what VFs send and receive (ip -s link) */             \
    X(STATISTICS, "statistics")                                                \
    /* VFs can be reset one by one (function-level reset) */                   \
    X(FLR, "flr")
enum capability_trait {
#define X(name, wire) CAPABILITY_TRAIT_##name,
    CAPABILITY_TRAITS(X)
#undef X
        CAPABILITY_TRAIT_MAX
};
const char *capability_trait_name(enum capability_trait trait);
enum capability_trait capability_trait_parse(const char *name);

struct capabilities {
    struct capability field[POLICY_FIELD_MAX];
    struct capability trait[CAPABILITY_TRAIT_MAX];
};
/* Everything unknown, notes "". */
struct capabilities capabilities_unknown(void);
/* Equal in everything. */
bool capabilities_equal(const struct capabilities *a,
                        const struct capabilities *b);

/* One statement out of two about the same field or trait, by the order of
 * belief at the top of this file; of two that are believed alike, 'a'. A
 * plug-in's word about what a probe proved to work adds what it needs and a
 * lower 'max', with the plug-in's note; the source stays the probe. In whichever
 * order the statements of one PF are merged, the result is the same. */
struct capability capability_merge(const struct capability *a,
                                   const struct capability *b);
/* The same for whole records. */
struct capabilities capabilities_merge(const struct capabilities *a,
                                       const struct capabilities *b);

/* The link as conditional fields see it. */
struct link_facts {
    bool up;
    uint32_t speed_mbps; /* 0 = nobody tells it */
};

/* May a port that asks for 'policy' be placed on a PF with these? Fields that
 * are asked for with their clean value are fine where unsupported (asking for
 * trust off needs nothing); only spoofchk on, a protection, is refused where it
 * is known to be unsupported. Other values: unknown is refused; conditional is
 * taken where what it needs is given now; both within 'max'. On refusal returns
 * false and sets *field and *why (static or interned text). */
bool capabilities_allow(const struct capabilities *capabilities,
                        const struct link_facts *link,
                        const struct policy *policy, enum policy_field *field,
                        const char **why);
/* Does the PF have this as a required capability (port.require)? Supported, or
 * conditional with what it needs given now. */
bool capability_given(const struct capability *capability,
                      const struct link_facts *link);
