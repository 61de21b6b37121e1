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
           the_virtio_path_lacks_what_the_parity_table_says);
