/* SPDX-License-Identifier: Apache-2.0 */
/* Can a VM be made of a client's domain XML? See domain.h. */
#include "common/domain/check.h"
#include "common/domain/xml.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <string.h>

/* libvirt takes the first of elements that are there twice, or all of them. */
static int check_once(const xmlNode *root, struct error *err)
{
    static const char *const names[] = {"name",     "uuid", "vcpu",   "memory",
                                        "metadata", "os",   "devices"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const xmlNode *first = xml_child(root, names[i]);
        const xmlNode *second = first ? xml_next(first, names[i]) : NULL;
        if (second)
            return xml_refuse(err, second, "has <%s> twice", names[i]);
    }
    return 0;
}

static int check_form(const xmlNode *root, struct error *err)
{
    auto_xml_text xmlChar *type = xml_attribute(root, "type");
    auto_xml_text xmlChar *os =
        xml_text(xml_child(xml_child(root, "os"), "type"));
    if (!type || !*type)
        return xml_refuse(err, root,
                          "<domain> has no type, such as type='kvm'");
    if (!os || !*os)
        return xml_refuse(err, root,
                          "has no <os> with a <type>, such as "
                          "<os><type machine='q35'>hvm</type></os>");
    return check_once(root, err);
}

/* The node that follows in the order of the text, below 'root'. */
static const xmlNode *next_in_text(const xmlNode *node, const xmlNode *root)
{
    if (node->type == XML_ELEMENT_NODE && node->children)
        return node->children;
    while (node != root && !node->next)
        node = node->parent;
    return node == root ? NULL : node->next;
}

/* libxml2 (2.9.14) writes the names of namespaces as they are, so one with these
 * would come out as another text. */
static int check_namespaces(const xmlNode *root, struct error *err)
{
    for (const xmlNode *node = root; node; node = next_in_text(node, root)) {
        const xmlNs *ns = node->type == XML_ELEMENT_NODE ? node->nsDef : NULL;
        for (; ns; ns = ns->next)
            if (ns->href && strpbrk((const char *)ns->href, "<&"))
                return xml_refuse(
                    err, node, "has a namespace with '<' or '&' in its name");
    }
    return 0;
}

/* ---- what must agree with the VM --------------------------------------------- */

static int check_name(const xmlNode *root,
                      const struct domain_identity *identity, struct error *err)
{
    const xmlNode *node = xml_child(root, "name");
    /* Whole: libvirt takes the space around a name for part of it. */
    auto_xml_text xmlChar *name = node ? xmlNodeGetContent(node) : NULL;
    if (name && strcmp((const char *)name, identity->name) != 0)
        return xml_refuse(err, node, "<name> is not the VM's name '%s'",
                          identity->name);
    return 0;
}

static int check_uuid(const xmlNode *root,
                      const struct domain_identity *identity, struct error *err)
{
    const xmlNode *node = xml_child(root, "uuid");
    auto_xml_text xmlChar *text = xml_text(node);
    struct uuid uuid;
    char id[UUID_TEXT_SIZE];
    if (text && (!uuid_parse((const char *)text, &uuid) ||
                 !uuid_equal(&uuid, &identity->vm)))
        return xml_refuse(err, node, "<uuid> is not the VM's id %s",
                          uuid_format(&identity->vm, id));
    return 0;
}

static int check_vcpus(const xmlNode *root,
                       const struct domain_identity *identity,
                       struct error *err)
{
    const xmlNode *node = xml_child(root, "vcpu");
    auto_xml_text xmlChar *text = xml_text(node);
    uint64_t count;
    if (text &&
        (!xml_count(text, UINT32_MAX, &count) || count != identity->vcpus))
        return xml_refuse(err, node, "<vcpu> is not the VM's %" PRIu32 " vcpus",
                          identity->vcpus);
    return 0;
}

static int add_memory(const xmlNode *node, uint64_t kib, uint64_t *sum,
                      struct error *err)
{
    if (__builtin_add_overflow(*sum, kib, sum))
        return xml_refuse(err, node, "more memory than can be counted");
    return 0;
}

/* <cell memory='…' unit='…'>: a number and unit, as those of an element. */
static bool cell_kib(const xmlNode *cell, uint64_t *kib)
{
    auto_xml_text xmlChar *memory = xml_attribute(cell, "memory");
    auto_xml_text xmlChar *unit = xml_attribute(cell, "unit");
    return xml_scaled_kib(memory, unit, kib);
}

/* Where a guest has NUMA cells, libvirt takes their sum and the memory devices'
 * for its memory, whatever <memory> says. */
static int check_parts(const xmlNode *root,
                       const struct domain_identity *identity,
                       struct error *err)
{
    const xmlNode *numa = xml_child(xml_child(root, "cpu"), "numa");
    uint64_t sum = 0, kib;
    if (!xml_child(numa, "cell"))
        return 0;
    xml_for_each (cell, numa, "cell") {
        if (!cell_kib(cell, &kib))
            return xml_refuse(err, cell, "a NUMA cell's memory is not valid");
        if (add_memory(cell, kib, &sum, err) < 0)
            return -1;
    }
    xml_for_each (memory, xml_child(root, "devices"), "memory") {
        const xmlNode *size = xml_child(xml_child(memory, "target"), "size");
        if (!xml_memory_kib(size, &kib))
            return xml_refuse(err, memory, "a memory device without a size");
        if (add_memory(memory, kib, &sum, err) < 0)
            return -1;
    }
    if (sum != identity->memory_mib * 1024)
        return xml_refuse(err, numa,
                          "NUMA cells and memory devices have %" PRIu64
                          " KiB together, not the VM's %" PRIu64 " MiB",
                          sum, identity->memory_mib);
    return 0;
}

static int check_memory(const xmlNode *root,
                        const struct domain_identity *identity,
                        struct error *err)
{
    const xmlNode *node = xml_child(root, "memory");
    uint64_t kib;
    if (node &&
        (!xml_memory_kib(node, &kib) || kib != identity->memory_mib * 1024))
        return xml_refuse(err, node, "<memory> is not the VM's %" PRIu64 " MiB",
                          identity->memory_mib);
    return check_parts(root, identity, err);
}

/* ---- devices ----------------------------------------------------------------- */

static int check_device(const xmlNode *device, domain_is_ours *is_ours,
                        const void *context, struct error *err)
{
    bool interface = xml_is(device, "interface");
    if ((!interface && !xml_is_pci_hostdev(device)) ||
        (is_ours && is_ours(context, device)))
        return 0;
    if (interface)
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "has an <interface> (line %ld)", xmlGetLineNo(device));
    else
        error_fill(err, ERROR_INVALID, 0, "domain_xml",
                   "has a PCI <hostdev> (line %ld)", xmlGetLineNo(device));
    error_remedy(err, "remove it; say it in 'ports' or 'devices' of the VM");
    return -1;
}

int domain_check_doc(const xmlDoc *doc, const struct domain_identity *identity,
                     domain_is_ours *is_ours, const void *context,
                     struct error *err)
{
    const xmlNode *root = xmlDocGetRootElement(doc);
    if (check_form(root, err) < 0 || check_namespaces(root, err) < 0 ||
        check_name(root, identity, err) < 0 ||
        check_uuid(root, identity, err) < 0 ||
        check_vcpus(root, identity, err) < 0 ||
        check_memory(root, identity, err) < 0)
        return -1;
    xml_for_each (device, xml_child(root, "devices"), NULL)
        if (check_device(device, is_ours, context, err) < 0)
            return -1;
    return 0;
}

int domain_check(const char *text, size_t length,
                 const struct domain_identity *identity, struct error *err)
{
    auto_xml_doc xmlDoc *doc = xml_parse_domain(text, length, err);
    return doc ? domain_check_doc(doc, identity, NULL, NULL, err) : -1;
}
