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

CHECK_MAIN("host", a_new_host_has_no_overcommit,
           a_copied_host_has_its_own_arrays, a_copy_outlives_its_original,
           settings_are_found_by_key,
           small_objects_begin_empty_with_one_reference);
