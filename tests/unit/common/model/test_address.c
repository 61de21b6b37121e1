/* SPDX-License-Identifier: Apache-2.0 */
/* PCI addresses, PF keys, VF names, MACs. */
#include "common/model/address.h"
#include "tests/unit/check_main.h"

#include <string.h>

START_TEST(pci_addresses_come_back_in_the_kernels_spelling)
{
    static const char *const same[] = {"0000:3b:0a.1", "0000:00:00.0",
                                       "ffff:ff:1f.7", "10000:01:00.0",
                                       "ffffffff:ff:1f.7"};
    char text[PCI_TEXT_SIZE];
    struct pci_address address;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ck_assert(pci_parse(same[i], &address));
        ck_assert_str_eq(pci_format(&address, text), same[i]);
    }
    ck_assert(pci_parse("0000:3B:0A.1", &address));
    ck_assert_str_eq(pci_format(&address, text), "0000:3b:0a.1");
    ck_assert_uint_eq(address.bus, 0x3b);
    ck_assert_uint_eq(address.device, 0x0a);
    ck_assert_uint_eq(address.function, 1);
    ck_assert(pci_parse("00000000:3b:0a.1", &address));
    ck_assert_str_eq(pci_format(&address, text), "0000:3b:0a.1");
}
END_TEST

START_TEST(path_tricks_and_near_misses_are_no_pci_addresses)
{
    static const char *const texts[] = {
        "",
        "0000:3b:0a",
        "0000:3b:0a.",
        "0000:3b:0a.8",
        "0000:3b:20.0",
        "000:3b:0a.1",
        "000000000:3b:0a.1",
        "0000:3b:0a.1 ",
        " 0000:3b:0a.1",
        "0000:3b:0a.1/",
        "0000:3b:0a.1/../..",
        "../0000:3b:0a.1",
        "0000:3b:0a.1\n",
        "0000:3b:0a.10",
        "0000:3b:a.1",
        "0000:3b:0a:1",
        "0000-3b-0a.1",
        "3b:0a.1",
        "0x00:3b:0a.1",
        "0000:3g:0a.1",
        "0000:-1:0a.1",
        "....:..:...",
        "..",
        "/",
    };
    struct pci_address address = {.domain = 77};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!pci_parse(texts[i], &address), "'%s'", texts[i]);
    ck_assert_uint_eq(address.domain, 77);
}
END_TEST

START_TEST(pci_addresses_are_ordered_part_by_part)
{
    static const char *const ascending[] = {"0000:00:00.0", "0000:00:00.1",
                                            "0000:00:01.0", "0000:01:00.0",
                                            "0001:00:00.0", "10000:00:00.0"};
    struct pci_address a, b;
    for (size_t i = 1; i < sizeof ascending / sizeof *ascending; i++) {
        ck_assert(pci_parse(ascending[i - 1], &a));
        ck_assert(pci_parse(ascending[i], &b));
        ck_assert_int_lt(pci_compare(&a, &b), 0);
        ck_assert_int_gt(pci_compare(&b, &a), 0);
        ck_assert_int_eq(pci_compare(&a, &a), 0);
    }
}
END_TEST

START_TEST(pf_keys_are_pci_addresses_or_netdevsim_numbers)
{
    struct pf_key key;
    struct pci_address address;
    ck_assert(pf_key_parse("0000:3B:00.0", &key));
    ck_assert_str_eq(key.text, "0000:3b:00.0");
    ck_assert_str_eq(pf_key_bus(&key), "pci");
    ck_assert(pf_key_pci(&key, &address));
    ck_assert_uint_eq(address.bus, 0x3b);
    ck_assert(pf_key_parse("netdevsim0", &key));
    ck_assert_str_eq(pf_key_bus(&key), "netdevsim");
    ck_assert(!pf_key_pci(&key, &address));
    ck_assert(pf_key_parse("netdevsim4294967295", &key));
    ck_assert_str_eq(key.text, "netdevsim4294967295");
}
END_TEST

START_TEST(nothing_else_is_a_pf_key)
{
    static const char *const texts[] = {
        "",
        "netdevsim",
        "netdevsim01",
        "netdevsim4294967296",
        "netdevsim-1",
        "netdevsim1/",
        "netdevsim1 ",
        "netdevsim+1",
        "netdevsim0x1",
        "netdevsimf",
        "Netdevsim1",
        "eth0",
        "../etc",
        "0000:3b:00.0/..",
        "netdevsim1\n",
    };
    struct pf_key key = {"old"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!pf_key_parse(texts[i], &key), "'%s'", texts[i]);
    ck_assert_str_eq(key.text, "old");
}
END_TEST

START_TEST(a_vf_is_named_by_its_address_or_by_its_pf_and_index)
{
    struct pf_key key;
    struct pci_address address;
    char text[VF_NAME_SIZE];
    ck_assert(pf_key_parse("netdevsim4294967295", &key));
    ck_assert_str_eq(vf_name_format(&key, 65535, NULL, text),
                     "netdevsim4294967295-vf65535");
    ck_assert(pci_parse("0000:3b:0a.1", &address));
    ck_assert_str_eq(vf_name_format(&key, 1, &address, text), "0000:3b:0a.1");
}
END_TEST

START_TEST(macs_are_read_in_both_cases_and_written_in_lower)
{
    struct mac mac;
    char text[MAC_TEXT_SIZE];
    ck_assert(mac_parse("52:54:00:AB:cd:Ef", &mac));
    ck_assert_str_eq(mac_format(&mac, text), "52:54:00:ab:cd:ef");
}
END_TEST

START_TEST(near_misses_are_no_macs)
{
    static const char *const texts[] = {
        "",
        "52:54:00:ab:cd",
        "52:54:00:ab:cd:ef:00",
        "52-54-00-ab-cd-ef",
        "525400abcdef",
        "52:54:0:ab:cd:ef",
        "52:54:00:ab:cd:eg",
        "52:54:00:ab:cd:ef ",
        ":52:54:00:ab:cd:ef",
        "52:54:00:ab:cd:e",
    };
    struct mac mac = {{1, 2, 3, 4, 5, 6}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!mac_parse(texts[i], &mac), "'%s'", texts[i]);
    ck_assert_uint_eq(mac.bytes[5], 6);
}
END_TEST

static const char *why_refused(const char *text)
{
    struct mac mac;
    ck_assert(mac_parse(text, &mac));
    return mac_refused(&mac);
}

START_TEST(zero_multicast_and_reserved_macs_are_refused_with_the_reason)
{
    ck_assert_ptr_nonnull(strstr(why_refused("00:00:00:00:00:00"), "zero"));
    ck_assert_ptr_nonnull(strstr(why_refused("01:80:c2:00:00:0e"), "802.1D"));
    ck_assert_ptr_nonnull(
        strstr(why_refused("01:00:5e:00:00:01"), "multicast"));
    ck_assert_ptr_nonnull(
        strstr(why_refused("ff:ff:ff:ff:ff:ff"), "multicast"));
    ck_assert_ptr_null(why_refused("52:54:00:00:00:00"));
    ck_assert_ptr_null(why_refused("00:1b:21:00:00:01"));
}
END_TEST

START_TEST(made_macs_are_local_unicast_and_follow_the_seed)
{
    struct rng rng = {1}, same = {1}, other = {2};
    for (int i = 0; i < 1000; i++) {
        struct mac mac = mac_make(&rng), again = mac_make(&same);
        ck_assert(mac_is_local(&mac) && !mac_is_multicast(&mac));
        ck_assert_ptr_null(mac_refused(&mac));
        ck_assert_int_eq(mac_compare(&mac, &again), 0);
        struct mac differs = mac_make(&other);
        ck_assert_int_ne(mac_compare(&mac, &differs), 0);
    }
}
END_TEST

CHECK_MAIN("address", pci_addresses_come_back_in_the_kernels_spelling,
           path_tricks_and_near_misses_are_no_pci_addresses,
           pci_addresses_are_ordered_part_by_part,
           pf_keys_are_pci_addresses_or_netdevsim_numbers,
           nothing_else_is_a_pf_key,
           a_vf_is_named_by_its_address_or_by_its_pf_and_index,
           macs_are_read_in_both_cases_and_written_in_lower,
           near_misses_are_no_macs,
           zero_multicast_and_reserved_macs_are_refused_with_the_reason,
           made_macs_are_local_unicast_and_follow_the_seed);
