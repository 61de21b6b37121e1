/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, tokens, the cluster, events as objects. */
#include "common/base/str.h"
#include "common/model/vm.h"
#include "tests/unit/check_main.h"

START_TEST(a_new_host_has_no_overcommit)
{
    auto_host struct host *host = host_new(0, 0, 0);
    ck_assert_uint_eq(host->vcpu_ratio_percent, 100);
    ck_assert_uint_eq(host->memory_ratio_percent, 100);
    ck_assert(!host->cordoned);
}
END_TEST

START_TEST(a_copied_host_has_its_own_arrays)
{
    auto_host struct host *host = host_new(1, 1, 1);
    str_copy(host->name, "h1");
    str_copy(host->labels[0].key, "zone");
    str_copy(host->mappings[0].device, "br0");
    pf_key_parse("netdevsim1", &host->pf_settings[0].key);
    auto_host struct host *copy = host_dup(host);
    str_copy(copy->labels[0].key, "other");
    copy->pf_settings[0].allowed = true;
    str_copy(copy->mappings[0].device, "br1");
    ck_assert_str_eq(copy->name, "h1");
    ck_assert_str_eq(host->labels[0].key, "zone");
    ck_assert_str_eq(host->mappings[0].device, "br0");
    ck_assert(!host->pf_settings[0].allowed);
}
END_TEST

START_TEST(a_copy_outlives_its_original)
{
    struct host *host = host_new(0, 2, 0);
    host->pf_settings[1].allowed = true;
    auto_host struct host *copy = host_dup(host);
    ref_put(host);
    ck_assert(copy->pf_settings[1].allowed);
    ck_assert_uint_eq(copy->pf_setting_count, 2);
}
END_TEST

START_TEST(settings_are_found_by_key)
{
    auto_host struct host *host = host_new(0, 2, 0);
    struct pf_key key;
    pf_key_parse("0000:3b:00.0", &host->pf_settings[0].key);
    pf_key_parse("netdevsim1", &host->pf_settings[1].key);
    ck_assert(pf_key_parse("netdevsim1", &key));
    ck_assert_ptr_eq(host_pf_setting(host, &key), &host->pf_settings[1]);
    ck_assert(pf_key_parse("netdevsim2", &key));
    ck_assert_ptr_null(host_pf_setting(host, &key));
}
END_TEST

START_TEST(small_objects_begin_empty_with_one_reference)
{
    auto_token struct token *token = token_new();
    auto_cluster struct cluster *cluster = cluster_new();
    auto_event struct event *event = event_new();
    ck_assert_uint_eq(token->ref.count, 1);
    ck_assert_uint_eq(cluster->ref.count, 1);
    ck_assert_uint_eq(event->ref.count, 1);
    ck_assert_int_eq(token->role, ROLE_NONE);
    ck_assert(uuid_is_zero(&cluster->id));
    ck_assert_str_eq(event->type, "");
}
END_TEST

static struct capability said(enum capability_source source,
                              enum capability_support support)
{
    return (struct capability){
        .support = (uint8_t)support, .source = (uint8_t)source, .note = ""};
}

START_TEST(the_operators_word_is_laid_over_what_was_found)
{
    auto_pf struct pf *pf = pf_new(0);
    pf->capabilities = capabilities_unknown();
    struct capability *found = pf->capabilities.field;
    struct pf_setting setting = pf_setting_new(&pf->key);
    struct capability *word = setting.words.field;
    struct capabilities got = pf_capabilities(pf, NULL);
    ck_assert(capabilities_equal(&got, &pf->capabilities));
    found[POLICY_VLAN] = found[POLICY_VLAN_QOS] = found[POLICY_TRUST] =
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_SUPPORTED);
    found[POLICY_VLAN_PROTO] =
        said(CAPABILITY_SOURCE_PROBED, CAPABILITY_UNSUPPORTED);
    found[POLICY_MIN_TX_RATE_MBPS] =
        said(CAPABILITY_SOURCE_PLUGIN, CAPABILITY_UNSUPPORTED);
    /* A word need not say that it is the operator's. */
    word[POLICY_VLAN_QOS] =
        said(CAPABILITY_SOURCE_NONE, CAPABILITY_UNSUPPORTED);
    word[POLICY_VLAN_PROTO] = word[POLICY_MIN_TX_RATE_MBPS] = word[POLICY_MAC] =
        said(CAPABILITY_SOURCE_NONE, CAPABILITY_SUPPORTED);
    word[POLICY_TRUST] = said(CAPABILITY_SOURCE_NONE, CAPABILITY_CONDITIONAL);
    word[POLICY_TRUST].needs = CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP);
    setting.words.trait[CAPABILITY_TRAIT_FLR] =
        said(CAPABILITY_SOURCE_NONE, CAPABILITY_SUPPORTED);
    got = pf_capabilities(pf, &setting);
    static const struct {
        enum policy_field field;
        enum capability_support support;
        enum capability_source source;
    } want[] = {
        {POLICY_MAC, CAPABILITY_SUPPORTED, CAPABILITY_SOURCE_OPERATOR},
        {POLICY_VLAN, CAPABILITY_SUPPORTED, CAPABILITY_SOURCE_PROBED},
        {POLICY_VLAN_QOS, CAPABILITY_UNSUPPORTED, CAPABILITY_SOURCE_OPERATOR},
        /* what a probe disproved can't be talked away */
        {POLICY_VLAN_PROTO, CAPABILITY_UNSUPPORTED, CAPABILITY_SOURCE_PROBED},
        {POLICY_MIN_TX_RATE_MBPS, CAPABILITY_SUPPORTED,
         CAPABILITY_SOURCE_OPERATOR},
        {POLICY_TRUST, CAPABILITY_CONDITIONAL, CAPABILITY_SOURCE_OPERATOR},
        {POLICY_SPOOFCHK, CAPABILITY_UNKNOWN, CAPABILITY_SOURCE_NONE},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const struct capability *have = &got.field[want[i].field];
        ck_assert_msg(have->support == want[i].support &&
                          have->source == want[i].source,
                      "%s", policy_field_name(want[i].field));
    }
    ck_assert_uint_eq(got.field[POLICY_TRUST].needs,
                      CAPABILITY_NEED_BIT(CAPABILITY_NEED_LINK_UP));
    ck_assert_uint_eq(got.trait[CAPABILITY_TRAIT_FLR].source,
                      CAPABILITY_SOURCE_OPERATOR);
}
END_TEST

CHECK_MAIN("host", a_new_host_has_no_overcommit,
           a_copied_host_has_its_own_arrays, a_copy_outlives_its_original,
           settings_are_found_by_key,
           the_operators_word_is_laid_over_what_was_found,
           small_objects_begin_empty_with_one_reference);
