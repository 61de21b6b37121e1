/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a managed VM: what is put in, that nothing else changes, and
 * that libvirt takes it: its test driver, with its schema. */
#include "common/domain/domain.h"
#include "common/domain/xml.h"
#include "tests/unit/check_main.h"
#include "tests/unit/common/domain/samples.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/c14n.h>
#include <libxml/parser.h>
#include <string.h>

static struct domain_identity identity = {
    .name = "web-1", .vcpus = 2, .memory_mib = 4096};
static struct domain_port ports[3];
static char *client;

static void setup(void)
{
    client = sample("client");
    ck_assert(uuid_parse(SAMPLE_VM, &identity.vm));
    memset(ports, 0, sizeof ports);
    ck_assert(uuid_parse(SAMPLE_P1, &ports[0].id));
    ports[0].vnic_type = VNIC_DIRECT;
    ports[0].guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    ports[0].policy.set =
        POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_MAX_TX_RATE_MBPS);
    ports[0].policy.mac = (struct mac){{0x52, 0x54, 0, 0, 0, 1}};
    ports[0].policy.max_tx_rate_mbps = 100;
    ports[0].hardware = ports[0].virtio = true;
    ports[0].address = (struct pci_address){0, 0x3b, 0x0a, 1};
    strcpy(ports[0].network, "br0");
    ck_assert(uuid_parse(SAMPLE_P2, &ports[1].id));
    ports[1].device = ports[1].hardware = true;
    ports[1].address = (struct pci_address){0, 0x5e, 0, 2};
    /* Degraded: its VF may come later. */
    ck_assert(uuid_parse("01890a5d-ac96-774b-bcce-b302099a8013", &ports[2].id));
    ports[2].vnic_type = VNIC_DIRECT;
    ports[2].guest_failover = GUEST_FAILOVER_BOND;
    ports[2].virtio = true;
    ports[2].policy.set = POLICY_BIT(POLICY_MAC);
    ports[2].policy.mac = (struct mac){{0x52, 0x54, 0, 0, 0, 3}};
    strcpy(ports[2].network, "br1");
}

static void teardown(void)
{
    free(client);
}

static char *define(const char *text, size_t count)
{
    struct error err = {0};
    char *out =
        domain_define(text, strlen(text), &identity, ports, count, &err);
    ck_assert_msg(out, "%s", err.msg);
    return out;
}

static struct domain_facts read_facts(const char *text)
{
    struct domain_facts facts = {0};
    struct error err = {0};
    ck_assert_msg(domain_read(text, strlen(text), &facts, &err) == 0, "%s",
                  err.msg);
    return facts;
}

/* ---- trees in their canonical form ------------------------------------------- */

static void drop_blanks(xmlNode *node)
{
    for (xmlNode *child = node->children, *next; child; child = next) {
        next = child->next;
        if (xmlIsBlankNode(child)) {
            xmlUnlinkNode(child);
            xmlFreeNode(child);
        } else {
            drop_blanks(child);
        }
    }
}

static void drop(xmlNode *node)
{
    if (node) {
        xmlUnlinkNode(node);
        xmlFreeNode(node);
    }
}

static char *canonical(xmlDoc *doc)
{
    xmlChar *text = NULL;
    ck_assert_int_ge(
        xmlC14NDocDumpMemory(doc, NULL, XML_C14N_1_0, NULL, 1, &text), 0);
    char *copy = mem_strdup((const char *)text);
    xmlFree(text);
    return copy;
}

/* Takes out what domain_define() may put in: the elements that 'original' lacks
 * at the top, our metadata, the ports' devices, root ports. */
static char *without_ours(const char *text, const char *original)
{
    static const char *const tops[] = {"name",   "uuid", "metadata",
                                       "memory", "vcpu", "devices"};
    auto_xml_doc xmlDoc *doc = xml_parse(text, strlen(text), NULL);
    auto_xml_doc xmlDoc *old = xml_parse(original, strlen(original), NULL);
    ck_assert(doc && old);
    xmlNode *root = xmlDocGetRootElement(doc);
    xmlNode *devices = xml_child(root, "devices");
    for (xmlNode *n = xml_child(devices, NULL), *next; n; n = next) {
        struct uuid id;
        bool vf;
        next = xml_next(n, NULL);
        if (xml_device_port(n, &id, &vf) ||
            xml_attribute_is(n, "model", "pcie-root-port"))
            drop(n);
    }
    xmlNode *metadata = xml_child(root, "metadata");
    for (xmlNode *n = metadata ? metadata->children : NULL, *next; n;
         n = next) {
        next = n->next;
        if (xml_is_ours(n))
            drop(n);
    }
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++)
        if (!xml_child(xmlDocGetRootElement(old), tops[i]))
            drop(xml_child(root, tops[i]));
    drop_blanks(root);
    return canonical(doc);
}

static char *canonical_text(const char *text)
{
    auto_xml_doc xmlDoc *doc = xml_parse(text, strlen(text), NULL);
    ck_assert_ptr_nonnull(doc);
    drop_blanks(xmlDocGetRootElement(doc));
    return canonical(doc);
}

/* ---- tests ------------------------------------------------------------------- */

START_TEST(a_least_text_gets_identity_and_devices)
{
    auto_free char *out = define(sample_least, 3);
    struct domain_facts facts = read_facts(out);
    char id[UUID_TEXT_SIZE];
    ck_assert_str_eq(facts.name, "web-1");
    ck_assert_str_eq(uuid_format(&facts.uuid, id), SAMPLE_VM);
    ck_assert_str_eq(uuid_format(&facts.vm, id), SAMPLE_VM);
    ck_assert_uint_eq(facts.vcpus, 2);
    ck_assert_uint_eq(facts.memory_mib, 4096);
    ck_assert_uint_eq(facts.device_count, 4);
    const struct domain_device *vf = domain_facts_hostdev(&facts, &ports[0].id);
    const struct domain_device *leg = domain_facts_leg(&facts, &ports[0].id);
    ck_assert(vf && leg);
    ck_assert_int_eq(pci_compare(&vf->address, &ports[0].address), 0);
    ck_assert_int_eq(mac_compare(&leg->mac, &ports[0].policy.mac), 0);
    ck_assert_str_eq(leg->source, "br0");
    ck_assert_uint_eq(leg->max_tx_rate_mbps, 100);
    ck_assert(leg->spoofchk && !leg->link_down && !leg->vlan);
    ck_assert_ptr_nonnull(domain_facts_hostdev(&facts, &ports[1].id));
    ck_assert_ptr_null(domain_facts_leg(&facts, &ports[1].id));
    ck_assert_ptr_null(domain_facts_hostdev(&facts, &ports[2].id));
    ck_assert_ptr_nonnull(domain_facts_leg(&facts, &ports[2].id));
    domain_facts_done(&facts);
}
END_TEST

START_TEST(nothing_else_changes)
{
    const char *const texts[] = {sample_least, client};
    for (size_t i = 0; i < 2; i++) {
        auto_free char *out = define(texts[i], 3);
        auto_free char *before = canonical_text(texts[i]);
        auto_free char *after = without_ours(out, texts[i]);
        ck_assert_str_eq(before, after);
        ck_assert_str_ne(out, texts[i]);
    }
}
END_TEST

START_TEST(defining_again_is_the_same)
{
    const char *const texts[] = {sample_least, client};
    for (size_t i = 0; i < 2; i++) {
        auto_free char *once = define(texts[i], 3);
        auto_free char *twice = define(once, 3);
        auto_free char *first = canonical_text(once);
        auto_free char *second = canonical_text(twice);
        struct domain_facts a = read_facts(once), b = read_facts(twice);
        ck_assert_uint_eq(a.device_count, b.device_count);
        for (size_t j = 0; j < a.device_count; j++) {
            ck_assert_str_eq(a.devices[j].alias, b.devices[j].alias);
            ck_assert_int_eq(a.devices[j].kind, b.devices[j].kind);
        }
        ck_assert_uint_eq(strlen(first), strlen(second));
        domain_facts_done(&a);
        domain_facts_done(&b);
    }
}
END_TEST

START_TEST(a_port_that_lost_its_vf_is_defined_anew)
{
    auto_free char *once = define(client, 3);
    ports[0].hardware = false;
    auto_free char *twice = define(once, 3);
    struct domain_facts facts = read_facts(twice);
    ck_assert_ptr_null(domain_facts_hostdev(&facts, &ports[0].id));
    ck_assert_ptr_nonnull(domain_facts_leg(&facts, &ports[0].id));
    domain_facts_done(&facts);
}
END_TEST

START_TEST(devices_of_other_ports_are_refused)
{
    auto_free char *once = define(client, 3);
    struct error err = {0};
    ck_assert_ptr_null(
        domain_define(once, strlen(once), &identity, ports, 2, &err));
    ck_assert_int_eq(err.code, ERROR_INVALID);
    ck_assert_str_eq(err.field, "domain_xml");
    ck_assert_ptr_nonnull(strstr(err.msg, "<interface>"));
}
END_TEST

START_TEST(our_metadata_of_another_vm_is_replaced)
{
    const char *text =
        "<domain type='kvm' xmlns:s='" DOMAIN_METADATA_NS "'><metadata>"
        "<s:vm id='" SAMPLE_P1 "'/><o:o xmlns:o='urn:o'/></metadata>"
        "<os><type>hvm</type></os></domain>";
    auto_free char *out = define(text, 0);
    struct domain_facts facts = read_facts(out);
    ck_assert(uuid_equal(&facts.vm, &identity.vm));
    ck_assert_ptr_nonnull(strstr(out, "urn:o"));
    ck_assert_ptr_null(strstr(out, SAMPLE_P1));
    domain_facts_done(&facts);
}
END_TEST

/* libvirt defines it, with its schema, and tells what we put in. The test driver
 * is no QEMU: no machine types, and the type is its own. */
START_TEST(libvirt_takes_it)
{
    static const char text[] =
        "<domain type='test'><os><type>hvm</type></os><devices>"
        "<disk type='file' device='disk'><source file='/x'/>"
        "<target dev='vda' bus='virtio'/></disk></devices></domain>";
    auto_free char *out = define(text, 3);
    virConnectPtr c = virConnectOpen("test:///default");
    ck_assert_ptr_nonnull(c);
    virDomainPtr d =
        virDomainDefineXMLFlags(c, out, VIR_DOMAIN_DEFINE_VALIDATE);
    ck_assert_msg(d, "%s\n%s", virGetLastErrorMessage(), out);
    char *back = virDomainGetXMLDesc(d, 0);
    ck_assert_ptr_nonnull(back);
    struct domain_facts a = read_facts(out), b = read_facts(back);
    ck_assert(uuid_equal(&a.uuid, &b.uuid) && uuid_equal(&a.vm, &b.vm));
    ck_assert_str_eq(a.name, b.name);
    ck_assert_uint_eq(a.vcpus, b.vcpus);
    ck_assert_uint_eq(a.memory_mib, b.memory_mib);
    ck_assert_uint_eq(a.device_count, b.device_count);
    for (size_t i = 0; i < a.device_count; i++) {
        const struct domain_device *x = &a.devices[i];
        const struct domain_device *y = x->kind == DOMAIN_HOSTDEV
                                            ? domain_facts_hostdev(&b, &x->port)
                                            : domain_facts_leg(&b, &x->port);
        ck_assert_msg(y, "%s\n%s", x->alias, back);
        ck_assert_int_eq(pci_compare(&x->address, &y->address), 0);
        ck_assert_int_eq(mac_compare(&x->mac, &y->mac), 0);
        ck_assert_str_eq(x->source, y->source);
        ck_assert_uint_eq(x->max_tx_rate_mbps, y->max_tx_rate_mbps);
        ck_assert_int_eq(x->spoofchk, y->spoofchk);
    }
    domain_facts_done(&a);
    domain_facts_done(&b);
    free(back);
    virDomainFree(d);
    virConnectClose(c);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("define");
    Suite *suite = suite_create("define");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_least_text_gets_identity_and_devices);
    tcase_add_test(tc, nothing_else_changes);
    tcase_add_test(tc, defining_again_is_the_same);
    tcase_add_test(tc, a_port_that_lost_its_vf_is_defined_anew);
    tcase_add_test(tc, devices_of_other_ports_are_refused);
    tcase_add_test(tc, our_metadata_of_another_vm_is_replaced);
    tcase_add_test(tc, libvirt_takes_it);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
