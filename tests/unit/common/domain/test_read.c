/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of domains as libvirt tells them. */
#include "common/base/str.h"
#include "common/domain/domain.h"
#include "tests/unit/check_main.h"
#include "tests/unit/common/domain/samples.h"

#include <string.h>

static struct domain_facts read_text(const char *text)
{
    struct domain_facts facts;
    struct error err = {0};
    ck_assert_msg(domain_read(text, strlen(text), &facts, &err) == 0, "%s",
                  err.msg);
    return facts;
}

static struct domain_facts read_sample(const char *name)
{
    auto_free char *text = sample(name);
    return read_text(text);
}

static void refuses(const char *text, const char *words)
{
    struct domain_facts facts = {.vcpus = 77};
    struct error err = {0};
    ck_assert_int_lt(domain_read(text, strlen(text), &facts, &err), 0);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_msg(strstr(err.msg, words), "'%s' is not in '%s'", words,
                  err.msg);
    ck_assert_uint_eq(facts.vcpus, 77);
}

static const struct domain_device *by_alias(const struct domain_facts *facts,
                                            const char *alias)
{
    for (size_t i = 0; i < facts->device_count; i++)
        if (strcmp(facts->devices[i].alias, alias) == 0)
            return &facts->devices[i];
    ck_abort_msg("no device '%s'", alias);
    return NULL;
}

static void check_mac(const struct domain_device *device, const char *mac)
{
    char text[MAC_TEXT_SIZE];
    ck_assert_str_eq(mac_format(&device->mac, text), mac);
}

static void check_address(const struct domain_device *device,
                          const char *address)
{
    char text[PCI_TEXT_SIZE];
    ck_assert(device->has_address);
    ck_assert_str_eq(pci_format(&device->address, text), address);
}

START_TEST(a_running_guest_is_told)
{
    struct domain_facts facts = read_sample("live");
    char id[UUID_TEXT_SIZE];
    ck_assert_str_eq(facts.name, "web-1");
    ck_assert_str_eq(uuid_format(&facts.uuid, id), SAMPLE_VM);
    ck_assert_str_eq(uuid_format(&facts.vm, id), SAMPLE_VM);
    ck_assert_uint_eq(facts.vcpus, 2);
    ck_assert_uint_eq(facts.memory_mib, 4096);
    ck_assert_uint_eq(facts.device_count, 7);
    domain_facts_done(&facts);
    ck_assert_ptr_null(facts.devices);
}
END_TEST

START_TEST(the_devices_of_our_port_are_told)
{
    struct domain_facts facts = read_sample("live");
    struct uuid port;
    ck_assert(uuid_parse(SAMPLE_P1, &port));
    const struct domain_device *leg = domain_facts_leg(&facts, &port);
    const struct domain_device *vf = domain_facts_hostdev(&facts, &port);
    ck_assert(leg && vf);
    ck_assert_ptr_eq(leg, by_alias(&facts, "ua-" SAMPLE_P1));
    ck_assert_ptr_eq(vf, by_alias(&facts, "ua-" SAMPLE_P1 "-vf"));
    ck_assert_int_eq(leg->kind, DOMAIN_INTERFACE);
    check_mac(leg, "52:54:00:00:00:01");
    ck_assert_str_eq(leg->source, "br0");
    ck_assert_str_eq(leg->target, "vnet0");
    ck_assert_uint_eq(leg->max_tx_rate_mbps, 100);
    ck_assert(leg->spoofchk && leg->link_down && !leg->has_address);
    ck_assert_int_eq(vf->kind, DOMAIN_HOSTDEV);
    check_address(vf, "0000:3b:0a.1");
    ck_assert(mac_is_zero(&vf->mac));
    /* Its macvtap is the leg of the other. */
    ck_assert(uuid_parse(SAMPLE_P2, &port));
    ck_assert_ptr_null(domain_facts_hostdev(&facts, &port));
    ck_assert_int_eq(domain_facts_leg(&facts, &port)->kind, DOMAIN_MACVTAP);
    ck_assert(uuid_parse(SAMPLE_VM, &port));
    ck_assert_ptr_null(domain_facts_leg(&facts, &port));
    domain_facts_done(&facts);
}
END_TEST

START_TEST(devices_of_others_are_told_by_kind)
{
    struct domain_facts facts = read_sample("live");
    const struct domain_device *d = by_alias(&facts, "net1");
    ck_assert_int_eq(d->kind, DOMAIN_INTERFACE);
    ck_assert(!d->has_port && !d->spoofchk && !d->link_down && !d->vlan);
    ck_assert_str_eq(d->source, "virbr0");
    ck_assert_str_eq(d->target, "vnet1");
    d = by_alias(&facts, "net2");
    ck_assert_uint_eq(d->vlan, 77);
    ck_assert_str_eq(d->source, "ovsbr");
    d = by_alias(&facts, "ua-" SAMPLE_P2);
    ck_assert_str_eq(d->source, "ens1f0v3");
    ck_assert_str_eq(d->target, "macvtap0");
    ck_assert_uint_eq(d->vlan, 100);
    d = by_alias(&facts, "hostdev1");
    ck_assert_int_eq(d->kind, DOMAIN_HOSTDEV);
    check_address(d, "0000:81:10.7");
    check_mac(d, "52:54:00:00:00:05");
    ck_assert_uint_eq(d->vlan, 42);
    d = by_alias(&facts, "net4");
    ck_assert_int_eq(d->kind, DOMAIN_INTERFACE);
    ck_assert_str_eq(d->target, "tap-a-b");
    ck_assert_str_eq(d->source, "");
    domain_facts_done(&facts);
}
END_TEST

#define HOSTDEV(address)                                                       \
    "<domain><devices><hostdev mode='subsystem' type='pci'><source>" address   \
    "</source></hostdev></devices></domain>"

START_TEST(pci_addresses_are_read_as_libvirt_does)
{
    static const struct {
        const char *text, *address;
    } good[] = {
        {HOSTDEV("<address bus='0x3b' slot='0x0a' function='0x1'/>"),
         "0000:3b:0a.1"},
        {HOSTDEV("<address domain='0' bus='59' slot='10' function='1'/>"),
         "0000:3b:0a.1"},
        {HOSTDEV("<address domain='0X10000' bus='07' slot='037'/>"),
         "10000:07:1f.0"},
        {HOSTDEV("<address domain='1'/>"), "0001:00:00.0"},
    };
    static const char *const bad[] = {
        HOSTDEV(""),
        HOSTDEV("<address/>"),
        HOSTDEV("<address function='1'/>"),
        HOSTDEV("<address bus='256'/>"),
        HOSTDEV("<address bus='1' slot='32'/>"),
        HOSTDEV("<address bus='1' function='8'/>"),
        HOSTDEV("<address bus='-1'/>"),
        HOSTDEV("<address bus='1x'/>"),
        HOSTDEV("<address bus=''/>"),
        HOSTDEV("<address bus='0x'/>"),
        HOSTDEV("<address bus='08'/>"),
        HOSTDEV("<address domain='0x100000000' bus='1'/>"),
        "<domain><devices><hostdev type='pci'/></devices></domain>",
        "<domain><devices><interface type='hostdev'/></devices></domain>",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct domain_facts facts = read_text(good[i].text);
        check_address(&facts.devices[0], good[i].address);
        domain_facts_done(&facts);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(bad[i], "PCI");
}
END_TEST

START_TEST(only_whole_aliases_are_ours)
{
    static const struct {
        const char *alias;
        bool ours;
    } cases[] = {
        {"ua-" SAMPLE_P1, true},
        {"ua-" SAMPLE_P1 "-vf", true},
        {"ua-" SAMPLE_P1 "-vf2", false},
        {"ua-" SAMPLE_P1 "-", false},
        {"ua-" SAMPLE_P1 "x", false},
        {"ua-01890a5dac96774bbcceb302099a8011", false},
        {"ua-01890a5dac96774bbcceb302099a8011-vf", false},
        {SAMPLE_P1, false},
        {"ua-", false},
        {"net0", false},
        {"", false},
        /* Longer than is kept. */
        {"ua-" SAMPLE_P1 "-vf-and-so-on-and-so-on-and-so-on-and-so-on", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_free char *text = mem_printf(
            "<domain><devices><interface type='bridge'><alias name='%s'/>"
            "</interface></devices></domain>",
            cases[i].alias);
        struct domain_facts facts = read_text(text);
        ck_assert_msg(facts.devices[0].has_port == cases[i].ours, "%s",
                      cases[i].alias);
        ck_assert(strncmp(facts.devices[0].alias, cases[i].alias, 63) == 0);
        domain_facts_done(&facts);
    }
}
END_TEST

#define INTERFACE(inside)                                                      \
    "<domain><devices><interface type='bridge'>" inside                        \
    "</interface></devices></domain>"

START_TEST(odd_values_of_interfaces_are_none)
{
    static const char *const odd[] = {
        INTERFACE("<mac address='52:54:00:00:00'/>"),
        INTERFACE("<mac address='52:54:00:00:00:0001'/>"),
        INTERFACE("<vlan><tag id='4095'/></vlan>"),
        INTERFACE("<vlan><tag id='-1'/></vlan>"),
        INTERFACE("<vlan/>"),
        INTERFACE("<bandwidth><inbound average='12500'/></bandwidth>"),
        INTERFACE("<bandwidth><outbound average='x'/></bandwidth>"),
        INTERFACE("<filterref filter='clean-traffic'/>"),
        INTERFACE("<link state='up'/>"),
        INTERFACE("<source bridge='a-name-of-16-chr'/>"),
        INTERFACE("<target dev='a-name-of-16-chr'/>"),
        INTERFACE("<x:source xmlns:x='urn:x' bridge='br0'/>"),
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        struct domain_facts facts = read_text(odd[i]);
        const struct domain_device *d = &facts.devices[0];
        ck_assert_msg(mac_is_zero(&d->mac) && !d->vlan &&
                          !d->max_tx_rate_mbps && !d->spoofchk &&
                          !d->link_down && !*d->source && !*d->target,
                      "%s", odd[i]);
        domain_facts_done(&facts);
    }
}
END_TEST

START_TEST(rates_are_kilobytes_and_never_round_to_none)
{
    static const struct {
        const char *average;
        uint32_t mbps;
    } cases[] = {
        {"0", 0},   {"1", 1},       {"125", 1},
        {"126", 2}, {"12500", 100}, {"536870875", 4294967},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        auto_free char *text = mem_printf(
            INTERFACE("<bandwidth><outbound average='%s'/></bandwidth>"),
            cases[i].average);
        struct domain_facts facts = read_text(text);
        ck_assert_uint_eq(facts.devices[0].max_tx_rate_mbps, cases[i].mbps);
        domain_facts_done(&facts);
    }
}
END_TEST

START_TEST(what_is_not_said_is_zero)
{
    struct domain_facts facts = read_text("<domain/>");
    ck_assert(uuid_is_zero(&facts.uuid) && uuid_is_zero(&facts.vm));
    ck_assert(!*facts.name && !facts.vcpus && !facts.memory_mib);
    ck_assert(!facts.device_count && !facts.devices);
    domain_facts_done(&facts);
    /* Metadata of ours without a usable id is none. */
    facts = read_text("<domain><metadata><vm xmlns='" DOMAIN_METADATA_NS
                      "' id='x'/></metadata><memory unit='b'>1</memory>"
                      "</domain>");
    ck_assert(uuid_is_zero(&facts.vm));
    ck_assert_uint_eq(facts.memory_mib, 1);
    domain_facts_done(&facts);
}
END_TEST

START_TEST(long_names_are_cut)
{
    auto_free char *name = mem_calloc(201, 1);
    memset(name, 'n', 200);
    auto_free char *text = mem_printf("<domain><name>%s</name></domain>", name);
    struct domain_facts facts = read_text(text);
    ck_assert_uint_eq(strlen(facts.name), NAME_SIZE - 1);
    domain_facts_done(&facts);
}
END_TEST

START_TEST(devices_are_counted_over_all_lists)
{
    struct str text = {0};
    str_add(&text, "<domain><devices>");
    for (int i = 0; i < DOMAIN_DEVICES_MAX - 1; i++)
        str_add(&text, "<interface type='bridge'/><disk/>");
    str_add(&text, "</devices><devices><interface type='direct'/>");
    auto_free char *most = mem_printf("%s</devices></domain>", str_text(&text));
    auto_free char *more = mem_printf(
        "%s<interface type='bridge'/></devices></domain>", str_text(&text));
    struct domain_facts facts = read_text(most);
    ck_assert_uint_eq(facts.device_count, DOMAIN_DEVICES_MAX);
    ck_assert_int_eq(facts.devices[DOMAIN_DEVICES_MAX - 1].kind,
                     DOMAIN_MACVTAP);
    domain_facts_done(&facts);
    refuses(more, "more than 64");
    str_done(&text);
}
END_TEST

CHECK_MAIN("read", a_running_guest_is_told, the_devices_of_our_port_are_told,
           devices_of_others_are_told_by_kind,
           pci_addresses_are_read_as_libvirt_does, only_whole_aliases_are_ours,
           odd_values_of_interfaces_are_none,
           rates_are_kilobytes_and_never_round_to_none,
           what_is_not_said_is_zero, long_names_are_cut,
           devices_are_counted_over_all_lists);
