/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a managed VM: see domain.h. */
#include "common/domain/define.h"
#include "common/domain/check.h"
#include "common/domain/xml.h"

#include "common/base/str.h"

#include <inttypes.h>
#include <string.h>

struct ports {
    const struct domain_port *ports;
    size_t count;
};

/* ---- nodes ------------------------------------------------------------------- */

/* libxml2 tells by NULL that memory is exhausted. */
static xmlNode *node_or_abort(xmlNode *node)
{
    if (!node)
        abort();
    return node;
}

static xmlNode *element_new(const char *name, const char *text)
{
    xmlNode *node = node_or_abort(xmlNewNode(NULL, (const xmlChar *)name));
    if (text)
        xmlAddChild(node, node_or_abort(xmlNewText((const xmlChar *)text)));
    return node;
}

static void set_attribute(xmlNode *node, const char *name, const char *value)
{
    if (!xmlNewProp(node, (const xmlChar *)name, (const xmlChar *)value))
        abort();
}

/* With the space before it, so that taking out and putting in again leaves no
 * trail of empty lines. */
static void remove_node(xmlNode *node)
{
    xmlNode *before = node->prev;
    if (before && xmlIsBlankNode(before)) {
        xmlUnlinkNode(before);
        xmlFreeNode(before);
    }
    xmlUnlinkNode(node);
    xmlFreeNode(node);
}

/* Behind 'previous', or as the first of 'parent'. */
static xmlNode *put_behind(xmlNode *parent, xmlNode *previous, xmlNode *node)
{
    xmlNode *space = node_or_abort(xmlNewText((const xmlChar *)"\n  "));
    if (previous)
        xmlAddNextSibling(previous, node);
    else if (parent->children)
        xmlAddPrevSibling(parent->children, node);
    else
        xmlAddChild(parent, node);
    xmlAddPrevSibling(node, space);
    return node;
}

/* ---- what names the VM ------------------------------------------------------- */

/* The element that the text has (and that was checked to agree), or a new one. */
static xmlNode *put_element(xmlNode *root, xmlNode *previous, const char *name,
                            const char *text)
{
    xmlNode *node = xml_child(root, name);
    return node ? node : put_behind(root, previous, element_new(name, text));
}

static void put_metadata(xmlNode *metadata, const char *id)
{
    for (xmlNode *node = metadata->children, *next; node; node = next) {
        next = node->next;
        if (xml_is_ours(node))
            remove_node(node);
    }
    xmlNode *vm = element_new("vm", NULL);
    xmlNs *ns = xmlNewNs(vm, (const xmlChar *)DOMAIN_METADATA_NS,
                         (const xmlChar *)"sriov");
    if (!ns)
        abort();
    xmlSetNs(vm, ns);
    set_attribute(vm, "id", id);
    xmlAddChild(metadata, vm);
}

static void put_identity(xmlNode *root, const struct domain_identity *identity)
{
    char id[UUID_TEXT_SIZE];
    uuid_format(&identity->vm, id);
    auto_free char *vcpus = mem_printf("%" PRIu32, identity->vcpus);
    auto_free char *memory = mem_printf("%" PRIu64, identity->memory_mib);
    bool has_memory = xml_child(root, "memory") != NULL;
    xmlNode *at = put_element(root, NULL, "name", identity->name);
    at = put_element(root, at, "uuid", id);
    at = put_element(root, at, "metadata", NULL);
    put_metadata(at, id);
    at = put_element(root, at, "memory", memory);
    if (!has_memory)
        set_attribute(at, "unit", "MiB");
    put_element(root, at, "vcpu", vcpus);
}

/* ---- the ports' devices ------------------------------------------------------ */

/* The device's alias is that of one of the ports: it was defined before. */
static bool is_of_ports(const void *context, const xmlNode *device)
{
    const struct ports *ports = context;
    struct uuid id;
    bool vf;
    if (!xml_device_port(device, &id, &vf))
        return false;
    for (size_t i = 0; i < ports->count; i++)
        if (uuid_equal(&ports->ports[i].id, &id))
            return true;
    return false;
}

static void remove_devices(xmlNode *devices, const struct ports *ports)
{
    for (xmlNode *device = xml_child(devices, NULL), *next; device;
         device = next) {
        next = xml_next(device, NULL);
        if (is_of_ports(ports, device))
            remove_node(device);
    }
}

/* Our own text: that it can't be parsed is a mistake of ours. */
static int put_devices(xmlNode *devices, const struct domain_port *port,
                       struct error *err)
{
    auto_free char *text = domain_port_xml(port);
    if (!text)
        return 0;
    auto_free char *whole = mem_printf("<devices>%s</devices>", text);
    auto_xml_doc xmlDoc *doc = xml_parse(whole, strlen(whole), err);
    if (!doc) {
        error_prefix(err, "the XML of a port");
        return -1;
    }
    for (const xmlNode *node = xmlDocGetRootElement(doc)->children; node;
         node = node->next)
        xmlAddChild(devices, node_or_abort(xmlDocCopyNode(
                                 (xmlNode *)(uintptr_t)node, devices->doc, 1)));
    return 0;
}

/* A VF that isn't in the definition may come while the guest runs. */
static size_t count_plugs(const struct ports *ports)
{
    size_t count = 0;
    for (size_t i = 0; i < ports->count; i++) {
        const struct domain_port *port = &ports->ports[i];
        count += !port->device && port->vnic_type == VNIC_DIRECT &&
                 port->virtio && !port->hardware &&
                 port->guest_failover != GUEST_FAILOVER_NONE;
    }
    return count;
}

/* ---- all of it --------------------------------------------------------------- */

static char *written(xmlDoc *doc)
{
    xmlChar *text = NULL;
    int length = 0;
    xmlDocDumpFormatMemoryEnc(doc, &text, &length, "UTF-8", 0);
    if (!text)
        abort();
    char *copy = mem_strdup((const char *)text);
    xmlFree(text);
    return copy;
}

char *domain_define(const char *text, size_t length,
                    const struct domain_identity *identity,
                    const struct domain_port *port_array, size_t port_count,
                    struct error *err)
{
    const struct ports ports = {port_array, port_count};
    auto_xml_doc xmlDoc *doc = xml_parse_domain(text, length, err);
    if (!doc || domain_check_doc(doc, identity, is_of_ports, &ports, err) < 0)
        return NULL;
    xmlNode *root = xmlDocGetRootElement(doc);
    xmlNode *devices = xml_child(root, "devices");
    if (!devices)
        devices = xmlAddChild(root, element_new("devices", NULL));
    put_identity(root, identity);
    remove_devices(devices, &ports);
    for (size_t i = 0; i < port_count; i++)
        if (put_devices(devices, &port_array[i], err) < 0)
            return NULL;
    domain_add_root_ports(root, devices, count_plugs(&ports));
    return written(doc);
}
