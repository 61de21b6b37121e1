/* SPDX-License-Identifier: Apache-2.0 */
/* Which texts a VM can be made of, and in which words others are refused; texts
 * that are made to do harm. */
#include "common/base/str.h"
#include "common/domain/domain.h"
#include "tests/unit/check_main.h"
#include "tests/unit/common/domain/samples.h"

#include <stdio.h>
#include <string.h>

static struct domain_identity identity(void)
{
    struct domain_identity vm = {
        .name = "web-1", .vcpus = 2, .memory_mib = 4096};
    ck_assert(uuid_parse(SAMPLE_VM, &vm.vm));
    return vm;
}

static int check_bytes(const char *text, size_t length, struct error *err)
{
    const struct domain_identity vm = identity();
    *err = (struct error){0};
    return domain_check(text, length, &vm, err);
}

static void takes(const char *text)
{
    struct error err;
    ck_assert_msg(check_bytes(text, strlen(text), &err) == 0, "%s: %s", text,
                  err.msg);
}

/* Refused, as a field of the request, in words that have these in them; by every
 * function that reads a text. */
static void refuses_bytes(const char *text, size_t length, const char *words)
{
    struct error err;
    ck_assert_msg(check_bytes(text, length, &err) < 0, "taken: %s", text);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_str_eq(err.field, "domain_xml");
    ck_assert_msg(strstr(err.msg, words), "'%s' is not in '%s'", words,
                  err.msg);
    const struct domain_identity vm = identity();
    struct error again = {0};
    ck_assert_ptr_null(domain_define(text, length, &vm, NULL, 0, &again));
    ck_assert_str_eq(again.msg, err.msg);
}

static void refuses(const char *text, const char *words)
{
    refuses_bytes(text, strlen(text), words);
}

/* What no function reads. */
static void unreadable(const char *text, size_t length, const char *words)
{
    struct domain_facts facts = {.vcpus = 77};
    struct error err = {0};
    refuses_bytes(text, length, words);
    ck_assert_int_lt(domain_read(text, length, &facts, &err), 0);
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_uint_eq(facts.vcpus, 77);
}

#define OS "<os><type>hvm</type></os>"
#define DOMAIN(inside) "<domain type='kvm'>" OS inside "</domain>"

START_TEST(the_samples_are_taken)
{
    takes(sample_least);
    auto_free char *client = sample("client");
    takes(client);
}
END_TEST

START_TEST(what_a_domain_must_have_is_named)
{
    refuses("<domain>" OS "</domain>", "no type");
    refuses("<domain type=''>" OS "</domain>", "no type");
    refuses("<domain type='kvm'/>", "no <os>");
    refuses("<domain type='kvm'><os/></domain>", "no <os>");
    refuses("<domain type='kvm'><os><type> </type></os></domain>", "no <os>");
    refuses("<domain type='kvm' xmlns:x='urn:x'><x:os><type>hvm</type></x:os>"
            "</domain>",
            "no <os>");
}
END_TEST

START_TEST(what_is_there_twice_is_refused)
{
    refuses(DOMAIN("<vcpu>2</vcpu>\n<vcpu>64</vcpu>"), "<vcpu> twice (line 2)");
    refuses(DOMAIN("<memory/><memory/>"), "<memory> twice");
    refuses(DOMAIN("<name>web-1</name><name>web-2</name>"), "<name> twice");
    refuses(DOMAIN("<devices/><devices><interface/></devices>"),
            "<devices> twice");
    refuses(DOMAIN(OS), "<os> twice");
}
END_TEST

START_TEST(name_and_uuid_are_the_vms_or_absent)
{
    takes(DOMAIN("<name>web-1</name>"));
    takes(DOMAIN("<name><![CDATA[web]]>-1</name>"));
    takes(DOMAIN("<uuid>" SAMPLE_VM "</uuid>"));
    takes(DOMAIN("<uuid> 01890A5D-AC96-774B-BCCE-B302099A8001\n</uuid>"));
    refuses(DOMAIN("<name>web-2</name>"), "the VM's name 'web-1'");
    refuses(DOMAIN("<name/>"), "the VM's name 'web-1'");
    refuses(DOMAIN("<name> web-1</name>"), "the VM's name 'web-1'");
    refuses(DOMAIN("<uuid>" SAMPLE_P1 "</uuid>"), "the VM's id " SAMPLE_VM);
    refuses(DOMAIN("<uuid>no</uuid>"), "the VM's id " SAMPLE_VM);
}
END_TEST

START_TEST(vcpus_are_the_vms_or_absent)
{
    takes(DOMAIN("<vcpu>2</vcpu>"));
    takes(DOMAIN("<vcpu placement='static' cpuset='0-3'>\n 2\n</vcpu>"));
    refuses(DOMAIN("<vcpu>4</vcpu>"), "not the VM's 2 vcpus");
    refuses(DOMAIN("<vcpu>-2</vcpu>"), "not the VM's 2 vcpus");
    refuses(DOMAIN("<vcpu>4294967298</vcpu>"), "not the VM's 2 vcpus");
    refuses(DOMAIN("<vcpu>02x</vcpu>"), "not the VM's 2 vcpus");
    refuses(DOMAIN("<vcpu/>"), "not the VM's 2 vcpus");
}
END_TEST

/* 4096 MiB in each unit of virScaleInteger(). */
START_TEST(memory_is_the_vms_in_any_unit_of_libvirt)
{
    static const char *const same[] = {
        "<memory>4194304</memory>",
        "<memory unit=''>4194304</memory>",
        "<memory unit='KiB'>4194304</memory>",
        "<memory unit='k'>4194304</memory>",
        "<memory unit='K'>4194304</memory>",
        "<memory unit='MiB'>4096</memory>",
        "<memory unit='mib'>4096</memory>",
        "<memory unit='M'>4096</memory>",
        "<memory unit='GiB'> 4 </memory>",
        "<memory unit='G'>4</memory>",
        "<memory unit='b'>4294967296</memory>",
        "<memory unit='bytes'>4294967296</memory>",
        "<memory unit='BYTES'>4294967295</memory>", /* rounded up to KiB */
        "<memory unit='KB'>4294967</memory>",       /* 4,194,303.7 KiB */
    };
    static const char *const other[] = {
        "<memory>4096</memory>",
        "<memory unit='MB'>4096</memory>",
        "<memory unit='GB'>4</memory>",
        "<memory unit='TiB'>4</memory>",
        "<memory unit='bytes'>4294967297</memory>",
        "<memory unit='MiB'>4095</memory>",
        "<memory unit='MiB'>-4096</memory>",
        "<memory unit='MiB'>4096.0</memory>",
        "<memory unit='pages'>4096</memory>",
        "<memory unit='MiBs'>4096</memory>",
        "<memory unit='EiB'>36893488147419103232</memory>",
        "<memory unit='EiB'>16</memory>", /* 2^64 bytes */
        "<memory unit='EiB'>17179869184</memory>",
        "<memory unit='ZiB'>4</memory>",
        "<memory/>",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        auto_free char *text = mem_printf(DOMAIN("%s"), same[i]);
        takes(text);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        auto_free char *text = mem_printf(DOMAIN("%s"), other[i]);
        refuses(text, "not the VM's 4096 MiB");
    }
}
END_TEST

START_TEST(numa_cells_and_memory_devices_count)
{
#define CELL(memory) "<cell id='0' cpus='0-1' memory='" memory "' unit='MiB'/>"
#define NUMA(cells) "<cpu><numa>" cells "</numa></cpu>"
#define DIMM                                                                   \
    "<devices><memory model='dimm'><target><size unit='MiB'>1024</size>"       \
    "<node>0</node></target></memory></devices>"
    takes(DOMAIN(NUMA(CELL("4096"))));
    takes(DOMAIN(NUMA(CELL("2048") "<cell memory='2097152'/>")));
    takes(DOMAIN(NUMA(CELL("3072")) DIMM));
    refuses(DOMAIN(NUMA(CELL("8192"))), "8388608 KiB together");
    refuses(DOMAIN(NUMA(CELL("4096")) DIMM), "5242880 KiB together");
    refuses(DOMAIN("<memory unit='MiB'>4096</memory>" NUMA(CELL("4097"))),
            "together");
    refuses(DOMAIN(NUMA("<cell/>")), "a NUMA cell's memory");
    refuses(DOMAIN(NUMA("<cell unit='EiB' memory='15'/>"
                        "<cell unit='EiB' memory='15'/>")),
            "together");
    refuses(DOMAIN(NUMA(CELL("4096")) "<devices><memory/></devices>"),
            "a memory device without a size");
}
END_TEST

START_TEST(network_and_pci_devices_are_the_ports_to_say)
{
    struct error err;
    static const char text[] =
        "<domain type='kvm'>" OS "<devices>\n<disk/>\n"
        "<hostdev mode='subsystem' type='pci' managed='yes'/></devices>"
        "</domain>";
    refuses(text, "a PCI <hostdev> (line 3)");
    check_bytes(text, strlen(text), &err);
    ck_assert_ptr_nonnull(strstr(err.remedy, "'ports'"));
    refuses(DOMAIN("<devices><interface type='user'/></devices>"),
            "<interface> (line 1)");
    /* Not even with an alias like ours. */
    refuses(
        DOMAIN("<devices><interface type='bridge'><alias name='ua-" SAMPLE_P1
               "'/></interface></devices>"),
        "<interface>");
    takes(DOMAIN("<devices><hostdev mode='subsystem' type='usb'/>"
                 "<hostdev mode='subsystem' type='mdev'/></devices>"));
}
END_TEST

START_TEST(what_is_not_well_formed_is_refused_with_its_line)
{
    unreadable("", 0, "not well-formed");
    unreadable("<domain type='kvm'>\n<os>\n</domain>", 33, "(line 3)");
    unreadable("no", 2, "not well-formed");
    unreadable("<domain/><domain/>", 18, "not well-formed");
    unreadable("<domain a='1' a='2'/>", 21, "not well-formed");
    unreadable("<domain><a>&lol;</a></domain>", 29, "not well-formed");
    unreadable("<domain>\0</domain>", 18, "not well-formed");
    unreadable("<domain><x:os/></domain>", 9, "not well-formed");
}
END_TEST

START_TEST(another_root_is_refused)
{
    unreadable("<network/>", 10, "not libvirt's <domain>");
    unreadable("<domainsnapshot><domain/></domainsnapshot>", 42,
               "not libvirt's <domain>");
    unreadable("<domain xmlns='urn:x' type='kvm'/>", 34,
               "not libvirt's <domain>");
}
END_TEST

START_TEST(other_encodings_are_refused)
{
    static const char latin[] =
        "<?xml version='1.0' "
        "encoding='ISO-8859-1'?><domain><a>\xe9</a></domain>";
    static const char utf16[] = "\xff\xfe<\0d\0o\0m\0a\0i\0n\0/\0>\0";
    static const char overlong[] = "<domain><a>\xc0\xbc</a></domain>";
    static const char surrogate[] = "<domain><a>\xed\xa0\x80</a></domain>";
    unreadable(latin, sizeof latin - 1, "not well-formed");
    unreadable(utf16, sizeof utf16 - 1, "not well-formed");
    unreadable(overlong, sizeof overlong - 1, "not well-formed");
    unreadable(surrogate, sizeof surrogate - 1, "not well-formed");
}
END_TEST

/* 10^9 copies of a word: 3 GB if anybody expanded them. */
START_TEST(entities_are_refused_before_they_are_read)
{
    struct str text = {0};
    str_add(&text, "<?xml version='1.0'?>\n<!DOCTYPE lolz [\n"
                   "<!ENTITY lol0 'lol'>\n");
    for (int i = 1; i < 10; i++) {
        str_printf(&text, "<!ENTITY lol%d '", i);
        for (int j = 0; j < 10; j++)
            str_printf(&text, "&lol%d;", i - 1);
        str_add(&text, "'>\n");
    }
    str_add(&text, "]>\n<domain type='kvm' a='&lol9;'>&lol9;</domain>");
    unreadable(text.text, text.length, "DOCTYPE");
    str_done(&text);
}
END_TEST

START_TEST(external_entities_are_never_opened)
{
    static const char *const texts[] = {
        ("<!DOCTYPE d [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>"
         "<domain type='kvm'>&e;</domain>"),
        "<!DOCTYPE domain SYSTEM 'http://192.0.2.1/d.dtd'><domain/>",
        "<!DOCTYPE d [<!ENTITY % p SYSTEM 'file:///dev/zero'> %p;]><domain/>",
        "<!DOCTYPE domain PUBLIC '-//x' 'ftp://192.0.2.1/'><domain/>",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        unreadable(texts[i], strlen(texts[i]), "DOCTYPE");
    /* Not processed, so without effect. */
    takes("<domain type='kvm'>" OS
          "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' "
          "href='file:///etc/passwd' parse='text'/></domain>");
}
END_TEST

START_TEST(depth_and_length_are_limited)
{
    struct str text = {0};
    str_add(&text, "<domain type='kvm'>");
    for (int i = 0; i < 100000; i++)
        str_add(&text, "<a>");
    for (int i = 0; i < 100000; i++)
        str_add(&text, "</a>");
    str_add(&text, "</domain>");
    unreadable(text.text, text.length, "not well-formed");
    str_done(&text);

    auto_free char *long_text = mem_calloc(DOMAIN_TEXT_MAX + 2, 1);
    memset(long_text, ' ', DOMAIN_TEXT_MAX + 1);
    memcpy(long_text, sample_least, sizeof sample_least - 1);
    struct error err;
    ck_assert_int_eq(check_bytes(long_text, DOMAIN_TEXT_MAX, &err), 0);
    unreadable(long_text, DOMAIN_TEXT_MAX + 1, "longer than 1048576 bytes");
}
END_TEST

START_TEST(many_elements_are_read_and_many_attributes_refused)
{
    struct str text = {0};
    str_add(&text, "<domain type='kvm'><os><type>hvm</type></os><devices>");
    while (text.length < DOMAIN_TEXT_MAX - 100)
        str_add(&text, "<a/>");
    str_add(&text, "</devices></domain>");
    takes(text.text);
    str_done(&text);
    str_add(&text, "<domain type='kvm'");
    for (int i = 0; text.length < DOMAIN_TEXT_MAX - 100; i++)
        str_printf(&text, " a%d%s''", i, i % 2 ? "=" : " = ");
    str_add(&text, ">" OS "</domain>");
    unreadable(text.text, text.length, "more than 1000 attributes");
    str_done(&text);
}
END_TEST

START_TEST(namespaces_that_could_not_be_written_are_refused)
{
    takes("<domain type='kvm' xmlns:a='urn:\"x\" > y'>" OS "</domain>");
    refuses("<domain type='kvm' xmlns:a='urn:&lt;'>" OS "</domain>",
            "a namespace with '<' or '&'");
    refuses(DOMAIN("<metadata>\n<!-- x --><a/><b><c xmlns='urn:?a&amp;b'/></b>"
                   "</metadata>"),
            "in its name (line 2)");
}
END_TEST

CHECK_MAIN("check", the_samples_are_taken, what_a_domain_must_have_is_named,
           what_is_there_twice_is_refused, name_and_uuid_are_the_vms_or_absent,
           vcpus_are_the_vms_or_absent,
           memory_is_the_vms_in_any_unit_of_libvirt,
           numa_cells_and_memory_devices_count,
           network_and_pci_devices_are_the_ports_to_say,
           what_is_not_well_formed_is_refused_with_its_line,
           another_root_is_refused, other_encodings_are_refused,
           entities_are_refused_before_they_are_read,
           external_entities_are_never_opened, depth_and_length_are_limited,
           many_elements_are_read_and_many_attributes_refused,
           namespaces_that_could_not_be_written_are_refused);
