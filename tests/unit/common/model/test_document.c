/* SPDX-License-Identifier: Apache-2.0 */
/* The two documents as objects. */
#include "common/model/document.h"
#include "tests/unit/check_main.h"

START_TEST(documents_have_the_room_they_were_made_with)
{
    auto_desired struct desired *desired = desired_new(3, 0, 0);
    auto_observed struct observed *observed = observed_new(2, 1, 0, 0);
    ck_assert_uint_eq(desired->port_count, 3);
    ck_assert_int_eq(desired->ports[2].claim.numa_node, -1);
    ck_assert_uint_eq(observed->port_count, 2);
    ck_assert_uint_eq(observed->gone_count, 1);
    ck_assert_int_eq(observed->ports[1].claim.numa_node, -1);
    ck_assert_ptr_null(observed->inventory);
}
END_TEST

START_TEST(an_observed_document_releases_its_inventory)
{
    auto_inventory struct inventory *inventory = inventory_new(0, 0, 0);
    {
        auto_observed struct observed *observed = observed_new(0, 0, 0, 0);
        observed->inventory = ref_get(inventory);
        ck_assert_uint_eq(inventory->ref.count, 2);
    }
    ck_assert_uint_eq(inventory->ref.count, 1);
}
END_TEST

START_TEST(phases_go_both_ways)
{
    for (int i = 0; i < PORT_PHASE_MAX; i++)
        ck_assert_int_eq(port_phase_parse(port_phase_name((enum port_phase)i)),
                         i);
    ck_assert_str_eq(port_phase_name(PORT_UNKNOWN), "unknown_to_scheduler");
    ck_assert_int_eq(port_phase_parse("unknown"), PORT_PHASE_MAX);
}
END_TEST

CHECK_MAIN("document", documents_have_the_room_they_were_made_with,
           an_observed_document_releases_its_inventory, phases_go_both_ways);
