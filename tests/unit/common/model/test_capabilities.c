/* SPDX-License-Identifier: Apache-2.0 */
/* What a PF and the virtio path let through. */
#include "common/model/capabilities.h"
#include "tests/unit/check_main.h"

#include <string.h>

static const struct link_facts up = {.up = true, .speed_mbps = 1000};

/* A policy that asks for something of every field. */
static struct policy demanding(void)
{
    return (struct policy){
        .set = POLICY_ALL,
        .mac = {{0x52, 0x54, 0, 1, 2, 3}},
        .vlan = 100,
        .vlan_qos = 5,
        .vlan_proto = VLAN_PROTO_8021AD,
        .min_tx_rate_mbps = 100,
        .max_tx_rate_mbps = 1000,
        .trust = true,
        .link_state = LINK_STATE_ENABLE,
    };
}

static struct capabilities all(enum capability_support support)
{
    struct capabilities c = {0};
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        c.field[i].support = (uint8_t)support;
    return c;
}

/* Each field that is asked for alone is refused with this text. */
static void each_refused(const struct capabilities *c, const char *text)
{
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        struct policy asked = {0}, from = demanding();
        policy_copy_field(&asked, &from, (enum policy_field)i);
        enum policy_field field = POLICY_FIELD_MAX;
        const char *why = NULL;
        ck_assert(!capabilities_allow(c, &up, &asked, &field, &why));
        ck_assert_int_eq(field, i);
        ck_assert_ptr_nonnull(strstr(why, text));
    }
}

START_TEST(supported_and_conditional_fields_are_allowed)
{
    struct policy p = demanding();
    struct capabilities c = all(CAPABILITY_SUPPORTED);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
    c = all(CAPABILITY_CONDITIONAL);
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
    ck_assert_int_eq(field, POLICY_FIELD_MAX);
    ck_assert_ptr_null(why);
}
END_TEST

START_TEST(unknown_is_refused_field_by_field)
{
    struct capabilities c = all(CAPABILITY_UNKNOWN);
    each_refused(&c, "not known whether");
}
END_TEST

START_TEST(unsupported_is_refused_with_the_note_if_there_is_one)
{
    struct capabilities c = all(CAPABILITY_UNSUPPORTED);
    each_refused(&c, "does not support");
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        c.field[i].note = "EOPNOTSUPP when set";
    each_refused(&c, "EOPNOTSUPP when set");
}
END_TEST

START_TEST(clean_values_need_no_capability)
{
    struct policy p = policy_clean();
    struct capabilities c = all(CAPABILITY_UNKNOWN);
    enum policy_field field;
    const char *why;
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
    c = all(CAPABILITY_UNSUPPORTED);
    p.set &= ~POLICY_BIT(POLICY_SPOOFCHK);
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
}
END_TEST

START_TEST(spoofchk_on_is_refused_where_it_is_known_to_be_missing)
{
    struct policy p = {.set = POLICY_BIT(POLICY_SPOOFCHK), .spoofchk = true};
    struct capabilities c = all(CAPABILITY_UNSUPPORTED);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    ck_assert(!capabilities_allow(&c, &up, &p, &field, &why));
    ck_assert_int_eq(field, POLICY_SPOOFCHK);
}
END_TEST

START_TEST(a_maximum_is_honoured_and_0_is_none)
{
    struct policy p = {.set = POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                       .max_tx_rate_mbps = 1000};
    struct capabilities c = all(CAPABILITY_CONDITIONAL);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    c.field[POLICY_MAX_TX_RATE_MBPS].max = 1000;
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
    c.field[POLICY_MAX_TX_RATE_MBPS].max = 999;
    ck_assert(!capabilities_allow(&c, &up, &p, &field, &why));
    ck_assert_int_eq(field, POLICY_MAX_TX_RATE_MBPS);
    ck_assert_ptr_nonnull(strstr(why, "maximum"));
    c.field[POLICY_MAX_TX_RATE_MBPS].max = 0;
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
}
END_TEST

START_TEST(fields_that_are_not_asked_for_do_not_count)
{
    struct policy p = demanding();
    p.set = 0;
    struct capabilities c = all(CAPABILITY_UNSUPPORTED);
    enum policy_field field;
    const char *why;
    ck_assert(capabilities_allow(&c, &up, &p, &field, &why));
}
END_TEST

/* A policy with one rate only. */
static struct policy rate(uint32_t mbps)
{
    return (struct policy){.set = POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                           .max_tx_rate_mbps = mbps};
}

/* NULL = let through. */
static const char *refusal(const struct capability *capability,
                           const struct link_facts *link, uint32_t mbps)
{
    struct capabilities c = all(CAPABILITY_UNKNOWN);
    c.field[POLICY_MAX_TX_RATE_MBPS] = *capability;
    struct policy p = rate(mbps);
    enum policy_field field = POLICY_FIELD_MAX;
    const char *why = NULL;
    if (capabilities_allow(&c, link, &p, &field, &why))
        return NULL;
    ck_assert_int_eq(field, POLICY_MAX_TX_RATE_MBPS);
    ck_assert_ptr_nonnull(why);
    return why;
}

#define NEEDS_UP CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP)
#define NEEDS_SPEED CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED)

START_TEST(what_needs_the_link_up_waits_for_it)
{
    struct capability c = {.support = CAPABILITY_CONDITIONAL,
                           .needs = NEEDS_UP};
    struct link_facts down = {.up = false, .speed_mbps = 1000};
    struct link_facts unknown_speed = {.up = true};
    ck_assert_ptr_null(refusal(&c, &up, 5000));
    ck_assert_ptr_null(refusal(&c, &unknown_speed, 5000));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &down, 500), "link is up"));
    /* 0 is the clean value: it is taken in any state. */
    ck_assert_ptr_null(refusal(&c, &down, 0));
    ck_assert(capability_given(&c, &up));
    ck_assert(!capability_given(&c, &down));
}
END_TEST

START_TEST(what_needs_the_links_speed_ends_there)
{
    struct capability c = {.support = CAPABILITY_CONDITIONAL,
                           .needs = NEEDS_SPEED};
    struct link_facts slow = {.up = true, .speed_mbps = 100};
    struct link_facts unknown_speed = {.up = true};
    ck_assert_ptr_null(refusal(&c, &up, 1000));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &up, 1001), "above the link"));
    ck_assert_ptr_null(refusal(&c, &slow, 100));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &slow, 1000), "above the link"));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &unknown_speed, 1), "tells none"));
    ck_assert(capability_given(&c, &slow));
    ck_assert(!capability_given(&c, &unknown_speed));
}
END_TEST

START_TEST(both_needs_are_asked_for)
{
    struct capability c = {.support = CAPABILITY_CONDITIONAL,
                           .needs = NEEDS_UP | NEEDS_SPEED};
    struct link_facts down = {.up = false, .speed_mbps = 1000};
    ck_assert_ptr_null(refusal(&c, &up, 1000));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &down, 1000), "link is up"));
    ck_assert_ptr_nonnull(strstr(refusal(&c, &up, 1001), "above the link"));
    /* Needs of what is plainly supported mean nothing. */
    c.support = CAPABILITY_SUPPORTED;
    ck_assert_ptr_null(refusal(&c, &down, 5000));
}
END_TEST

/* ---- the order of belief ---------------------------------------------------------- */

static struct capability said(enum capability_source source,
                              enum capability_support support, const char *note)
{
    return (struct capability){
        .support = (uint8_t)support, .source = (uint8_t)source, .note = note};
}

static bool same(const struct capability *a, const struct capability *b)
{
    return a->support == b->support && a->source == b->source &&
           a->needs == b->needs && a->max == b->max &&
           strcmp(a->note, b->note) == 0;
}

/* Merged in either order. */
static struct capability merged(const struct capability *a,
                                const struct capability *b)
{
    struct capability one = capability_merge(a, b);
    struct capability other = capability_merge(b, a);
    ck_assert(same(&one, &other));
    return one;
}

START_TEST(sources_are_believed_in_order)
{
    const struct capability order[] = {
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_UNSUPPORTED, "EOPNOTSUPP"),
        said(CAPABILITY_SOURCE_OPERATOR, CAPABILITY_SUPPORTED, "tried it"),
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED, "read back"),
        said(CAPABILITY_SOURCE_PLUGIN, CAPABILITY_UNSUPPORTED, "data sheet"),
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_UNKNOWN, "not tried"),
        said(CAPABILITY_SOURCE_NONE, CAPABILITY_UNKNOWN, ""),
    };
    size_t count = sizeof order / sizeof *order;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i; j < count; j++) {
            struct capability got = merged(&order[i], &order[j]);
            ck_assert_msg(same(&got, &order[i]), "%zu and %zu", i, j);
        }
}
END_TEST

START_TEST(an_operator_may_deny_what_works)
{
    struct capability probed =
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED, "");
    struct capability word =
        said(CAPABILITY_SOURCE_OPERATOR, CAPABILITY_UNSUPPORTED, "too slow");
    struct capability got = merged(&probed, &word);
    ck_assert(same(&got, &word));
}
END_TEST

START_TEST(a_plugin_qualifies_what_a_probe_proved)
{
    struct capability probed =
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED, "");
    struct capability plugin = said(CAPABILITY_SOURCE_PLUGIN,
                                    CAPABILITY_CONDITIONAL, "driver's source");
    plugin.needs = NEEDS_UP;
    plugin.max = 1000;
    struct capability got = merged(&probed, &plugin);
    ck_assert_uint_eq(got.support, CAPABILITY_CONDITIONAL);
    ck_assert_uint_eq(got.source, CAPABILITY_SOURCE_PROBED);
    ck_assert_uint_eq(got.needs, NEEDS_UP);
    ck_assert_uint_eq(got.max, 1000);
    ck_assert_str_eq(got.note, "driver's source");
    /* Needs add up, the lower end of a range holds. */
    probed.support = CAPABILITY_CONDITIONAL;
    probed.needs = NEEDS_SPEED;
    probed.max = 100;
    got = merged(&probed, &plugin);
    ck_assert_uint_eq(got.needs, NEEDS_UP | NEEDS_SPEED);
    ck_assert_uint_eq(got.max, 100);
    /* A plug-in that knows nothing more leaves the note. */
    probed.note = "EINVAL above the link's speed";
    plugin.needs = NEEDS_SPEED;
    got = merged(&probed, &plugin);
    ck_assert(same(&got, &probed));
}
END_TEST

START_TEST(three_sources_give_the_same_in_any_order)
{
    struct capability of[3] = {
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED, ""),
        said(CAPABILITY_SOURCE_OPERATOR, CAPABILITY_CONDITIONAL, "word"),
        said(CAPABILITY_SOURCE_PLUGIN, CAPABILITY_CONDITIONAL, "source"),
    };
    of[1].needs = NEEDS_SPEED;
    of[2].needs = NEEDS_UP;
    for (int i = 0; i < 3; i++) {
        struct capability two =
            capability_merge(&of[(i + 1) % 3], &of[(i + 2) % 3]);
        struct capability got = merged(&of[i], &two);
        ck_assert(same(&got, &of[1]));
    }
}
END_TEST

START_TEST(records_are_merged_member_by_member)
{
    struct capabilities a = capabilities_unknown(), b = a;
    a.field[POLICY_MAC] =
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED, "");
    b.field[POLICY_TRUST] =
        said(CAPABILITY_SOURCE_PLUGIN, CAPABILITY_UNSUPPORTED, "none");
    b.trait[CAPABILITY_TRAIT_FLR] =
        said(CAPABILITY_SOURCE_PLUGIN, CAPABILITY_SUPPORTED, "");
    struct capabilities want = a;
    want.field[POLICY_TRUST] = b.field[POLICY_TRUST];
    want.trait[CAPABILITY_TRAIT_FLR] = b.trait[CAPABILITY_TRAIT_FLR];
    struct capabilities got = capabilities_merge(&a, &b);
    ck_assert(capabilities_equal(&got, &want));
}
END_TEST

START_TEST(the_virtio_path_lacks_what_the_parity_table_says)
{
    static const bool lacks[POLICY_FIELD_MAX] = {
        [POLICY_VLAN_QOS] = true,
        [POLICY_VLAN_PROTO] = true,
        [POLICY_MIN_TX_RATE_MBPS] = true,
        [POLICY_TRUST] = true,
    };
    struct policy from = demanding(), clean = policy_clean();
    for (int i = 0; i < POLICY_FIELD_MAX; i++) {
        struct policy asked = {0};
        enum policy_field field = POLICY_FIELD_MAX;
        const char *why = NULL;
        policy_copy_field(&asked, &from, (enum policy_field)i);
        ck_assert_int_eq(virtio_path_allows(&asked, &field, &why), !lacks[i]);
        ck_assert_int_eq(field, lacks[i] ? i : POLICY_FIELD_MAX);
        ck_assert_int_eq(why != NULL, lacks[i]);
    }
    enum policy_field field;
    const char *why;
    ck_assert(virtio_path_allows(&clean, &field, &why));
}
END_TEST

CHECK_MAIN("capabilities", supported_and_conditional_fields_are_allowed,
           unknown_is_refused_field_by_field,
           unsupported_is_refused_with_the_note_if_there_is_one,
           clean_values_need_no_capability,
           spoofchk_on_is_refused_where_it_is_known_to_be_missing,
           a_maximum_is_honoured_and_0_is_none,
           fields_that_are_not_asked_for_do_not_count,
           what_needs_the_link_up_waits_for_it,
           what_needs_the_links_speed_ends_there, both_needs_are_asked_for,
           sources_are_believed_in_order, an_operator_may_deny_what_works,
           a_plugin_qualifies_what_a_probe_proved,
           three_sources_give_the_same_in_any_order,
           records_are_merged_member_by_member,
           the_virtio_path_lacks_what_the_parity_table_says);
