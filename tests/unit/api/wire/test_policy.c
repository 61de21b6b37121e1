/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and capabilities on the wire. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

/* Refused strictly with this field, message part and remedy part. */
static void refused(const char *text, enum error_code code, const char *field,
                    const char *msg, const char *remedy)
{
    struct policy policy = {.set = 12345};
    auto_json json_t *value = parsed(text);
    err = (struct error){0};
    ck_assert_msg(
        wire_policy_read(value, "ports[0].policy", true, &policy, &err) == -1,
        "accepted: %s", text);
    ck_assert_int_eq(err.code, code);
    ck_assert_str_eq(err.field, field);
    ck_assert_msg(strstr(err.msg, msg), "'%s' not in '%s'", msg, err.msg);
    ck_assert_msg(strstr(err.remedy, remedy), "'%s' not in '%s'", remedy,
                  err.remedy);
    ck_assert_uint_eq(policy.set, 12345);
}

START_TEST(a_full_policy_has_the_words_of_ip_link)
{
    struct policy policy = sample_policy();
    assert_json(wire_policy(&policy),
                "{\"mac\":\"52:54:00:01:02:03\",\"vlan\":100,\"vlan_qos\":5,"
                "\"vlan_proto\":\"802.1ad\",\"min_tx_rate_mbps\":100,"
                "\"max_tx_rate_mbps\":1000,\"spoofchk\":\"off\","
                "\"trust\":\"on\",\"link_state\":\"disable\"}");
}
END_TEST

START_TEST(every_subset_of_fields_comes_back)
{
    for (uint32_t set = 0; set <= POLICY_ALL; set++) {
        struct policy policy = sample_policy(), back;
        policy.set = set;
        if (!policy_has(&policy, POLICY_VLAN))
            policy.set &=
                ~(POLICY_BIT(POLICY_VLAN_QOS) | POLICY_BIT(POLICY_VLAN_PROTO));
        auto_json json_t *value = wire_policy(&policy);
        ck_assert_uint_eq(json_object_size(value),
                          (unsigned)__builtin_popcount(policy.set));
        ck_assert_msg(wire_policy_read(value, "", true, &back, &err) == 0,
                      "%s: %s", err.field, err.msg);
        ck_assert(same_policy(&policy, &back));
    }
}
END_TEST

START_TEST(null_is_as_good_as_absent)
{
    struct policy policy;
    auto_json json_t *value = parsed("{\"vlan\":null,\"trust\":null}");
    ck_assert_int_eq(wire_policy_read(value, "", true, &policy, &err), 0);
    ck_assert_uint_eq(policy.set, 0);
}
END_TEST

START_TEST(numbers_out_of_range_name_field_and_range)
{
    refused("{\"vlan\":4095}", ERROR_INVALID, "ports[0].policy.vlan",
            "reserved by 802.1Q", "1 to 4094");
    refused("{\"vlan\":4096}", ERROR_INVALID, "ports[0].policy.vlan",
            "0-4094, got 4096", "0-4094");
    refused("{\"vlan\":-1}", ERROR_INVALID, "ports[0].policy.vlan",
            "0-4094, got -1", "0-4094");
    refused("{\"vlan\":1.5}", ERROR_INVALID, "ports[0].policy.vlan",
            "whole number 0-4094, got 1.5", "");
    refused("{\"vlan\":\"5\"}", ERROR_INVALID, "ports[0].policy.vlan",
            "expected a whole number 0-4094, got a string", "");
    refused("{\"vlan\":true}", ERROR_INVALID, "ports[0].policy.vlan",
            "got true", "");
    refused("{\"vlan_qos\":8}", ERROR_INVALID, "ports[0].policy.vlan_qos",
            "0-7, got 8", "");
    refused("{\"max_tx_rate_mbps\":-5}", ERROR_INVALID,
            "ports[0].policy.max_tx_rate_mbps", "0-4294967, got -5", "");
    refused("{\"max_tx_rate_mbps\":99999999999999999999999}", ERROR_INVALID,
            "ports[0].policy.max_tx_rate_mbps", "0-4294967, got 1e+23", "");
    refused("{\"min_tx_rate_mbps\":4294968}", ERROR_INVALID,
            "ports[0].policy.min_tx_rate_mbps", "got 4294968", "");
}
END_TEST

START_TEST(switches_are_on_or_off_in_quotes)
{
    refused("{\"trust\":true}", ERROR_INVALID, "ports[0].policy.trust",
            "got true", "write \"on\"");
    refused("{\"spoofchk\":false}", ERROR_INVALID, "ports[0].policy.spoofchk",
            "got false", "write \"off\"");
    refused("{\"spoofchk\":\"yes\"}", ERROR_INVALID, "ports[0].policy.spoofchk",
            "'yes' is not one of", "\"off\", \"on\"");
    refused("{\"trust\":1}", ERROR_INVALID, "ports[0].policy.trust", "got 1",
            "\"off\", \"on\"");
}
END_TEST

START_TEST(words_are_named_with_what_is_allowed)
{
    refused("{\"link_state\":\"up\"}", ERROR_INVALID,
            "ports[0].policy.link_state", "'up' is not one of",
            "\"auto\", \"enable\", \"disable\"");
    refused("{\"vlan_proto\":\"802.1Q\"}", ERROR_INVALID,
            "ports[0].policy.vlan_proto", "'802.1Q' is not one of",
            "\"802.1q\", \"802.1ad\"");
    refused("{\"mac\":\"52:54:00\"}", ERROR_INVALID, "ports[0].policy.mac",
            "expected a MAC", "52:54:00:12:34:56");
    refused("{\"mac\":5}", ERROR_INVALID, "ports[0].policy.mac",
            "expected a string, got 5", "");
}
END_TEST

START_TEST(what_does_not_fit_together_is_refused)
{
    refused("{\"vlan_qos\":3}", ERROR_INVALID, "ports[0].policy.vlan_qos",
            "needs a vlan", "vlan");
    refused("{\"vlan\":0,\"vlan_qos\":3}", ERROR_INVALID,
            "ports[0].policy.vlan_qos", "needs a vlan", "vlan");
    refused("{\"vlan_proto\":\"802.1ad\"}", ERROR_INVALID,
            "ports[0].policy.vlan_proto", "needs a vlan", "802.1q");
    refused("{\"min_tx_rate_mbps\":2,\"max_tx_rate_mbps\":1}", ERROR_INVALID,
            "ports[0].policy.min_tx_rate_mbps", "above", "raise");
    refused("{\"mac\":\"01:80:c2:00:00:00\"}", ERROR_INVALID,
            "ports[0].policy.mac", "802.1D", "unicast");
    refused("{\"mac\":\"00:00:00:00:00:00\"}", ERROR_INVALID,
            "ports[0].policy.mac", "zero", "unicast");
    refused("{\"mac\":\"ff:ff:ff:ff:ff:ff\"}", ERROR_INVALID,
            "ports[0].policy.mac", "multicast", "unicast");
}
END_TEST

START_TEST(an_unknown_field_is_refused_strictly_and_ignored_leniently)
{
    refused("{\"vlan_id\":5}", ERROR_UNKNOWN_FIELD, "ports[0].policy.vlan_id",
            "unknown field 'vlan_id'", "vlan_qos");
    struct policy policy;
    auto_json json_t *value = parsed("{\"vlan_id\":5,\"vlan\":6}");
    ck_assert_int_eq(wire_policy_read(value, "", false, &policy, &err), 0);
    ck_assert_uint_eq(policy.vlan, 6);
}
END_TEST

START_TEST(what_is_no_object_is_refused)
{
    refused("[]", ERROR_INVALID, "ports[0].policy", "an array", "");
    refused("null", ERROR_INVALID, "ports[0].policy", "null", "");
    struct policy policy;
    ck_assert_int_eq(wire_policy_read(NULL, "policy", true, &policy, &err), -1);
    ck_assert_str_eq(err.field, "policy");
}
END_TEST

START_TEST(the_error_may_be_left_out)
{
    struct policy policy;
    auto_json json_t *value = parsed("{\"trust\":true}");
    auto_json json_t *other = parsed("{\"vlan_qos\":1}");
    ck_assert_int_eq(wire_policy_read(value, "", true, &policy, NULL), -1);
    ck_assert_int_eq(wire_policy_read(other, "x", true, &policy, NULL), -1);
}
END_TEST

START_TEST(a_readback_takes_what_others_may_have_set)
{
    struct policy policy = policy_clean(), back;
    policy.vlan = 4095;
    policy.vlan_qos = 255;
    policy.min_tx_rate_mbps = UINT32_MAX;
    policy.max_tx_rate_mbps = 1;
    auto_json json_t *value = over_the_wire(wire_policy(&policy));
    ck_assert_int_eq(wire_readback_read(value, "", &back, &err), 0);
    ck_assert(same_policy(&policy, &back));
}
END_TEST

START_TEST(capabilities_tell_every_field)
{
    struct capabilities capabilities = capabilities_unknown(), back;
    capabilities.field[POLICY_VLAN] = (struct capability){
        CAPABILITY_SUPPORTED, CAPABILITY_SOURCE_PROBED, 0, 4094, ""};
    capabilities.field[POLICY_TRUST] = (struct capability){
        CAPABILITY_CONDITIONAL, CAPABILITY_SOURCE_PLUGIN,
        CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_SPEED), 0, "only at night"};
    capabilities.trait[CAPABILITY_TRAIT_FLR] = (struct capability){
        CAPABILITY_UNSUPPORTED, CAPABILITY_SOURCE_PROBED, 0, 0, "no reset"};
    auto_json json_t *value = over_the_wire(wire_capabilities(&capabilities));
    ck_assert_uint_eq(json_object_size(value),
                      POLICY_FIELD_MAX + CAPABILITY_TRAIT_MAX);
    assert_json(json_incref(json_object_get(value, "vlan")),
                "{\"support\":\"supported\",\"source\":\"probed\",\"needs\":[],"
                "\"max\":4094,"
                "\"note\":\"\"}");
    assert_json(json_incref(json_object_get(value, "mac")),
                "{\"support\":\"unknown\",\"source\":\"none\",\"needs\":[],"
                "\"max\":null,"
                "\"note\":\"\"}");
    ck_assert_int_eq(wire_capabilities_read(value, &back, &err), 0);
    ck_assert(capabilities_equal(&capabilities, &back));
}
END_TEST

START_TEST(a_capability_that_is_not_told_is_unknown)
{
    struct capabilities back;
    auto_json json_t *value = parsed("{\"vlan\":{\"support\":\"supported\"}}");
    ck_assert_int_eq(wire_capabilities_read(value, &back, &err), 0);
    ck_assert_int_eq(back.field[POLICY_VLAN].support, CAPABILITY_SUPPORTED);
    ck_assert_int_eq(back.field[POLICY_TRUST].support, CAPABILITY_UNKNOWN);
    ck_assert_str_eq(back.field[POLICY_TRUST].note, "");
}
END_TEST

START_TEST(a_wrong_capability_is_named)
{
    struct capabilities back;
    auto_json json_t *value = parsed("{\"vlan\":{\"support\":\"maybe\"}}");
    ck_assert_int_eq(wire_capabilities_read(value, &back, &err), -1);
    ck_assert_str_eq(err.field, "vlan.support");
    auto_json json_t *needs =
        parsed("{\"flr\":{\"support\":\"conditional\",\"needs\":[\"luck\"]}}");
    ck_assert_int_eq(wire_capabilities_read(needs, &back, &err), -1);
    ck_assert_str_eq(err.field, "flr.needs[0]");
}
END_TEST

CHECK_MAIN(
    "wire policy", a_full_policy_has_the_words_of_ip_link,
    every_subset_of_fields_comes_back, null_is_as_good_as_absent,
    numbers_out_of_range_name_field_and_range, switches_are_on_or_off_in_quotes,
    words_are_named_with_what_is_allowed, what_does_not_fit_together_is_refused,
    an_unknown_field_is_refused_strictly_and_ignored_leniently,
    what_is_no_object_is_refused, the_error_may_be_left_out,
    a_readback_takes_what_others_may_have_set, capabilities_tell_every_field,
    a_capability_that_is_not_told_is_unknown, a_wrong_capability_is_named);
