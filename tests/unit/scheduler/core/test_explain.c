/* SPDX-License-Identifier: Apache-2.0 */
/* Why not: the words, their fields, counts and examples. */
#include "fixture.h"

static const struct pf_spec igb[] = {{.key = "0000:3b:00.0", IGB, .vfs = 7}};
static const struct pf_spec cx6[] = {{.key = "0000:5e:00.0", CX6, .vfs = 8}};

/* Refused, with exactly this one reason. */
static void expect_one(struct fleet *fleet, const struct vm_request *request,
                       const char *word, const char *field, uint64_t hosts)
{
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(fleet, request, &reasons));
    ck_assert_int_eq(fleet->err.code, ERROR_NO_VALID_HOST);
    ck_assert_uint_eq(reasons.count, 1);
    ck_assert_str_eq(reasons.items[0].reason, word);
    ck_assert_str_eq(reasons.items[0].field, field);
    ck_assert_uint_eq(reasons.items[0].hosts, hosts);
    ck_assert_str_ne(reasons.items[0].example_message, "");
    ck_assert_ptr_nonnull(strstr(fleet->err.msg, word));
}

START_TEST(each_refused_field_has_its_own_reason)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, igb);
    struct vm_request request = vm_request("web", 1);
    struct policy *policy = &request.ports[0].policy;
    policy->set =
        POLICY_BIT(POLICY_MIN_TX_RATE_MBPS) | POLICY_BIT(POLICY_LINK_STATE);
    policy->min_tx_rate_mbps = 100;
    policy->link_state = LINK_STATE_ENABLE;
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_uint_eq(reasons.count, 2);
    static const char *const fields[] = {"min_tx_rate_mbps", "link_state"};
    for (int i = 0; i < 2; i++) {
        const struct placement_reason *reason =
            find_reason(&reasons, "policy_unsupported", fields[i]);
        ck_assert_ptr_nonnull(reason);
        ck_assert_uint_eq(reason->hosts, 2);
        ck_assert_str_eq(reason->example_host, "a");
        ck_assert_str_eq(reason->example_pf, "0000:3b:00.0");
        char expected[192];
        snprintf(expected, sizeof expected,
                 "PF 0000:3b:00.0: %s is not supported (EINVAL when set)",
                 fields[i]);
        ck_assert_str_eq(reason->example_message, expected);
    }
    fleet_done(&fleet);
}
END_TEST

START_TEST(hosts_are_counted_by_reason_most_first)
{
    struct fleet fleet;
    fleet_init(&fleet);
    for (int i = 0; i < 3; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "igb%d", i);
        fleet_host(&fleet, name, 1, igb);
    }
    fleet_host(&fleet, "none", 0, NULL);
    fleet_enroll(&fleet, "silent");
    fleet_host(&fleet, "shut", 1, cx6);
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    ck_assert_int_eq(fleet_patch(&fleet, "shut", patch), 0);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].require_vendor_id = 0x15b3;
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_uint_eq(reasons.count, 4);
    ck_assert_str_eq(reasons.items[0].reason, "vendor_mismatch");
    ck_assert_uint_eq(reasons.items[0].hosts, 3);
    ck_assert_uint_eq(find_reason(&reasons, "no_pf", "")->hosts, 1);
    ck_assert_str_eq(find_reason(&reasons, "no_report", "")->example_host,
                     "silent");
    ck_assert_str_eq(find_reason(&reasons, "host_cordoned", "")->example_host,
                     "shut");
    fleet_done(&fleet);
}
END_TEST

static void refused_with(struct fleet *fleet, const struct vm_request *request,
                         uint64_t mismatches, uint64_t cordoned)
{
    static struct placement_reasons reasons;
    memset(&reasons, 0xff, sizeof reasons);
    ck_assert_ptr_null(fleet_create(fleet, request, &reasons));
    size_t kinds = (mismatches ? 1u : 0u) + (cordoned ? 1u : 0u);
    ck_assert_uint_eq(reasons.count, kinds);
    const struct placement_reason *reason =
        find_reason(&reasons, "vendor_mismatch", "");
    ck_assert_uint_eq(reason ? reason->hosts : 0, mismatches);
    reason = find_reason(&reasons, "host_cordoned", "");
    ck_assert_uint_eq(reason ? reason->hosts : 0, cordoned);
}

START_TEST(the_same_refusal_again_is_as_new_as_the_state)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, igb);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].require_vendor_id = 0x15b3;
    refused_with(&fleet, &request, 2, 0);
    refused_with(&fleet, &request, 2, 0);
    struct vm_request other = vm_request("other", 1);
    other.ports[0].require_vendor_id = 0x15b4;
    refused_with(&fleet, &other, 2, 0);
    struct host_patch patch = {.has_cordoned = true, .cordoned = true};
    ck_assert_int_eq(fleet_patch(&fleet, "b", patch), 0);
    refused_with(&fleet, &other, 1, 1);
    refused_with(&fleet, &request, 1, 1);
    fleet_host(&fleet, "c", 1, igb);
    refused_with(&fleet, &request, 2, 1);
    /* Another name is the same question. */
    str_copy(request.name, "web-2");
    refused_with(&fleet, &request, 2, 1);
    patch.cordoned = false;
    ck_assert_int_eq(fleet_patch(&fleet, "b", patch), 0);
    refused_with(&fleet, &request, 3, 0);
    fleet_host(&fleet, "d", 1, cx6);
    struct vm *vm = fleet_create(&fleet, &request, NULL);
    ck_assert_ptr_nonnull(vm);
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

START_TEST(every_constraint_has_its_word)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request good = vm_request("web", 1), bad = good;
    bad.vcpus = 65;
    expect_one(&fleet, &bad, "vcpus_exhausted", "", 1);
    bad = good;
    bad.memory_mib = 1 << 20;
    expect_one(&fleet, &bad, "memory_exhausted", "", 1);
    bad = good;
    str_copy(bad.ports[0].physical_network, "physnet9");
    expect_one(&fleet, &bad, "physical_network_mismatch", "", 1);
    bad.ports[0].fallback = FALLBACK_VIRTIO;
    expect_one(&fleet, &bad, "no_network", "", 1);
    bad = good;
    bad.ports[0].require_device_id = 0x1234;
    expect_one(&fleet, &bad, "device_mismatch", "", 1);
    bad = good;
    bad.ports[0].require_capabilities = POLICY_BIT(POLICY_LINK_STATE);
    expect_one(&fleet, &bad, "capability_missing", "", 1);
    bad = good;
    bad.ports[0].vnic_type = VNIC_NORMAL;
    bad.ports[0].policy.set = POLICY_BIT(POLICY_TRUST);
    bad.ports[0].policy.trust = true;
    expect_one(&fleet, &bad, "policy_unsupported", "trust", 1);
    bad = vm_request("web", 8);
    expect_one(&fleet, &bad, "no_free_vf", "", 1);
    struct pf_patch patch = {.has_allowed = true};
    ck_assert_int_eq(fleet_patch_pf(&fleet, "a", "0000:3b:00.0", patch), 0);
    expect_one(&fleet, &good, "pf_not_allowed", "", 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(bandwidth_has_two_words)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct agent *agent = fleet_host(&fleet, "a", 1, cx6);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].policy.set = POLICY_BIT(POLICY_MIN_TX_RATE_MBPS);
    request.ports[0].policy.min_tx_rate_mbps = 25001;
    expect_one(&fleet, &request, "bandwidth_exhausted", "min_tx_rate_mbps", 1);
    agent->pfs[0].speed_mbps = -1;
    fleet_report(&fleet, "a");
    expect_one(&fleet, &request, "bandwidth_unknown", "min_tx_rate_mbps", 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(the_management_pf_is_named_as_such)
{
    struct fleet fleet;
    fleet_init(&fleet);
    static const struct pf_spec own[] = {
        {.key = "0000:3b:00.0", IGB, .vfs = 7, .management = true}};
    fleet_host(&fleet, "a", 1, own);
    struct vm_request request = vm_request("web", 1);
    expect_one(&fleet, &request, "pf_management", "", 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(other_hosts_are_not_the_named_one)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet_host(&fleet, "b", 1, cx6);
    fleet_host(&fleet, "c", 1, cx6);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].require_vendor_id = 0x15b3;
    str_copy(request.host, "a");
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_uint_eq(find_reason(&reasons, "not_the_named_host", "")->hosts,
                      2);
    ck_assert_str_eq(find_reason(&reasons, "vendor_mismatch", "")->example_host,
                     "a");
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_host_that_is_lost_is_said_to_be_unreachable)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    fleet.now += 100 * SECOND;
    fleet_tick(&fleet);
    struct vm_request request = vm_request("web", 1);
    expect_one(&fleet, &request, "host_unreachable", "", 1);
    fleet_done(&fleet);
}
END_TEST

START_TEST(without_hosts_it_says_so)
{
    struct fleet fleet;
    fleet_init(&fleet);
    struct vm_request request = vm_request("web", 1);
    struct placement_reasons reasons;
    ck_assert_ptr_null(fleet_create(&fleet, &request, &reasons));
    ck_assert_uint_eq(reasons.count, 0);
    ck_assert_str_eq(fleet.err.msg, "no host is enrolled");
    fleet_done(&fleet);
}
END_TEST

START_TEST(a_degraded_port_says_why_in_the_same_words)
{
    struct fleet fleet;
    fleet_init(&fleet);
    fleet_host(&fleet, "a", 1, igb);
    struct vm_request request = vm_request("web", 1);
    request.ports[0].fallback = FALLBACK_VIRTIO;
    request.ports[0].require_vendor_id = 0x15b3;
    struct vm *vm = fleet_place(&fleet, &request);
    ck_assert_str_eq(vm->ports[0].degraded_reason,
                     "vendor_mismatch: PF 0000:3b:00.0 is of vendor 8086, "
                     "asked for is 15b3");
    ref_put(vm);
    fleet_done(&fleet);
}
END_TEST

CHECK_MAIN("scheduler/core/explain", each_refused_field_has_its_own_reason,
           hosts_are_counted_by_reason_most_first,
           the_same_refusal_again_is_as_new_as_the_state,
           every_constraint_has_its_word, bandwidth_has_two_words,
           the_management_pf_is_named_as_such,
           other_hosts_are_not_the_named_one,
           a_host_that_is_lost_is_said_to_be_unreachable,
           without_hosts_it_says_so,
           a_degraded_port_says_why_in_the_same_words);
