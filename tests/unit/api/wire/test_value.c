/* SPDX-License-Identifier: Apache-2.0 */
/* Small values as they are written. */
#include "api/wire/value.h"
#include "tests/unit/api/wire/samples.h"

START_TEST(unset_times_and_ids_are_null)
{
    struct uuid zero = {{0}};
    assert_json(wire_timestamp(0), "null");
    assert_json(wire_timestamp(-TIMESTAMP_SECOND), "null");
    assert_json(wire_timestamp(TIMESTAMP_MS), "\"1970-01-01T00:00:00.001Z\"");
    assert_json(wire_uuid(&zero), "null");
}
END_TEST

START_TEST(exact_times_have_decimals_where_there_are_some)
{
    assert_json(wire_timestamp_exact(TIME_MS), "\"2026-09-21T14:13:20.123Z\"");
    assert_json(wire_timestamp_exact(TIME_NS),
                "\"2026-09-21T14:13:20.123456789Z\"");
    assert_json(wire_timestamp_exact(TIME_MS + 1),
                "\"2026-09-21T14:13:20.123000001Z\"");
    assert_json(wire_timestamp_exact(INT64_MAX),
                "\"2262-04-11T23:47:16.854775807Z\"");
}
END_TEST

START_TEST(numbers_above_the_wires_greatest_are_written_as_that)
{
    assert_json(wire_number(UINT64_MAX), "9223372036854775807");
    assert_json(wire_number(5), "5");
}
END_TEST

START_TEST(text_is_always_utf8)
{
    assert_json(wire_text(NULL), "\"\"");
    assert_json(wire_text("é\n"), "\"é\\n\"");
    assert_json(wire_text("a\xc3"), "\"a?\"");
    assert_json(wire_text("\xffé"), "\"???\"");
}
END_TEST

START_TEST(ids_are_four_hex_digits_and_0_is_null)
{
    assert_json(wire_hex16(0), "null");
    assert_json(wire_hex16(0x15b), "\"015b\"");
    assert_json(wire_hex16(0xffff), "\"ffff\"");
}
END_TEST

START_TEST(hashes_addresses_and_revisions_have_one_spelling)
{
    uint8_t hash[32] = {0x01, 0xab};
    struct pci_address address = {0x10000, 1, 2, 3};
    struct revision revision = {3, UINT64_MAX};
    assert_json(wire_hash(hash), "\"01ab0000000000000000000000000000"
                                 "00000000000000000000000000000000\"");
    assert_json(wire_pci(true, &address), "\"10000:01:02.3\"");
    assert_json(wire_pci(false, &address), "null");
    assert_json(wire_revision(&revision), "\"3.18446744073709551615\"");
}
END_TEST

CHECK_MAIN("wire value", unset_times_and_ids_are_null,
           exact_times_have_decimals_where_there_are_some,
           numbers_above_the_wires_greatest_are_written_as_that,
           text_is_always_utf8, ids_are_four_hex_digits_and_0_is_null,
           hashes_addresses_and_revisions_have_one_spelling);
