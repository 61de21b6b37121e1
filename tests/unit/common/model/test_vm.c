/* SPDX-License-Identifier: Apache-2.0 */
/* VMs and revisions. */
#include "common/base/str.h"
#include "common/model/vm.h"
#include "tests/unit/check_main.h"

START_TEST(revisions_are_ordered_by_epoch_then_revision)
{
    static const struct revision ascending[] = {
        {0, 0}, {0, 9}, {1, 0}, {1, 2}, {1, 10}, {2, 1}, {UINT64_MAX, 0}};
    for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++) {
        const struct revision *a = &ascending[i - 1], *b = &ascending[i];
        ck_assert_int_lt(revision_compare(a, b), 0);
        ck_assert_int_gt(revision_compare(b, a), 0);
        ck_assert_int_eq(revision_compare(a, a), 0);
    }
}
END_TEST

START_TEST(revisions_are_read_as_they_are_written)
{
    static const char *const texts[] = {
        "0.0", "3.17", "18446744073709551615.18446744073709551615"};
    char text[REVISION_TEXT_SIZE];
    for (size_t i = 0; i < 3; i++) {
        struct revision r;
        ck_assert(revision_parse(texts[i], &r));
        ck_assert_str_eq(revision_format(&r, text), texts[i]);
    }
}
END_TEST

START_TEST(near_misses_are_no_revisions)
{
    static const char *const texts[] = {"",
                                        ".",
                                        "1",
                                        "1.",
                                        ".1",
                                        "1.2.3",
                                        "-1.2",
                                        "1.-2",
                                        " 1.2",
                                        "1.2 ",
                                        "1 .2",
                                        "0x1.2",
                                        "a.b",
                                        "1,2",
                                        "+1.2",
                                        "18446744073709551616.0",
                                        "0.18446744073709551616",
                                        "000000000000000000000000000001.2"};
    struct revision r = {4, 2};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!revision_parse(texts[i], &r), "'%s'", texts[i]);
    ck_assert_uint_eq(r.epoch, 4);
}
END_TEST

START_TEST(a_copied_vm_is_its_own)
{
    auto_vm struct vm *vm = vm_new(2);
    str_copy(vm->name, "web-1");
    vm->ports[1].degraded = true;
    auto_vm struct vm *copy = vm_dup(vm);
    ck_assert_uint_eq(copy->ref.count, 1);
    ck_assert_uint_eq(copy->port_count, 2);
    ck_assert(copy->ports[1].degraded);
    ck_assert_int_eq(copy->ports[0].claim.numa_node, -1);
    str_copy(copy->name, "other");
    copy->ports[1].degraded = false;
    ck_assert_str_eq(vm->name, "web-1");
    ck_assert(vm->ports[1].degraded);
}
END_TEST

#define BOTH_WAYS(noun, end)                                                   \
    for (int i = 0; i < (int)(end); i++)                                       \
        ck_assert_int_eq(noun##_parse(noun##_name((enum noun)i)), i);          \
    ck_assert_int_eq(noun##_parse("nonsense"), end);                           \
    ck_assert_str_eq(noun##_name(end), "?")

START_TEST(names_go_both_ways)
{
    BOTH_WAYS(vnic_type, VNIC_TYPE_MAX);
    BOTH_WAYS(fallback, FALLBACK_MAX);
    BOTH_WAYS(guest_failover, GUEST_FAILOVER_MAX);
    BOTH_WAYS(port_path, PORT_PATH_MAX);
    BOTH_WAYS(vm_lifecycle, LIFECYCLE_MAX);
    BOTH_WAYS(vm_state, VM_STATE_MAX);
    BOTH_WAYS(strategy, STRATEGY_MAX);
    BOTH_WAYS(condition_status, CONDITION_STATUS_MAX);
    BOTH_WAYS(host_state, HOST_STATE_MAX);
    BOTH_WAYS(role, ROLE_MAX);
    ck_assert_str_eq(vnic_type_name(VNIC_DIRECT_PHYSICAL), "direct-physical");
    ck_assert_str_eq(guest_failover_name(GUEST_FAILOVER_NET_FAILOVER),
                     "net_failover");
    ck_assert_str_eq(condition_status_name(CONDITION_TRUE), "True");
}
END_TEST

CHECK_MAIN("vm", revisions_are_ordered_by_epoch_then_revision,
           revisions_are_read_as_they_are_written, near_misses_are_no_revisions,
           a_copied_vm_is_its_own, names_go_both_ways);
