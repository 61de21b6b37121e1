/* SPDX-License-Identifier: Apache-2.0 */
/* What a domain has that concerns us: see domain.h. It reads what libvirt wrote,
 * so what libvirt would have refused is left out rather than judged, but for
 * PCI addresses: a device that can't be told would be taken for no device. */
#include "common/domain/domain.h"
#include "common/domain/xml.h"

#include "common/base/str.h"

#include <stdlib.h>
#include <string.h>

/* ---- texts ------------------------------------------------------------------- */

/* An attribute of a child; cut where longer. */
static void read_cut(const xmlNode *parent, const char *child,
                     const char *attribute, char *out, size_t size)
{
    auto_xml_text xmlChar *text =
        xml_attribute(xml_child(parent, child), attribute);
    if (text)
        str_copy_bounded(out, size, (const char *)text);
}

/* A network device's name; one that is too long is none of the kernel's. */
static void read_netdev(const xmlNode *node, const char *attribute,
                        char out[NETDEV_NAME_SIZE])
{
    auto_xml_text xmlChar *text = xml_attribute(node, attribute);
    if (text && strlen((const char *)text) < NETDEV_NAME_SIZE)
        str_copy_bounded(out, NETDEV_NAME_SIZE, (const char *)text);
}

static uint64_t read_number(const xmlNode *node, const char *attribute,
                            uint64_t max)
{
    auto_xml_text xmlChar *text = xml_attribute(node, attribute);
    uint64_t number = 0;
    return xml_count(text, max, &number) ? number : 0;
}

/* ---- devices ----------------------------------------------------------------- */

/* One part of a PCI address: a missing one is 0, as libvirt has it. */
static int address_part(const xmlNode *address, const char *name, uint64_t max,
                        uint64_t *out, struct error *err)
{
    auto_xml_text xmlChar *text = xml_attribute(address, name);
    *out = 0;
    if (text && !xml_number(text, max, out))
        return xml_refuse(err, address, "the PCI %s of a device is not valid",
                          name);
    return 0;
}

static int read_address(const xmlNode *device, struct domain_device *out,
                        struct error *err)
{
    const xmlNode *address = xml_child(xml_child(device, "source"), "address");
    uint64_t domain, bus, slot, function;
    if (!address)
        return xml_refuse(err, device, "a PCI device without an address");
    if (address_part(address, "domain", UINT32_MAX, &domain, err) < 0 ||
        address_part(address, "bus", 255, &bus, err) < 0 ||
        address_part(address, "slot", 31, &slot, err) < 0 ||
        address_part(address, "function", 7, &function, err) < 0)
        return -1;
    if (!domain && !bus && !slot) /* libvirt: at least one is above 0 */
        return xml_refuse(err, address, "the PCI address of a device is empty");
    out->has_address = true;
    out->address = (struct pci_address){(uint32_t)domain, (uint8_t)bus,
                                        (uint8_t)slot, (uint8_t)function};
    return 0;
}

static void read_alias(const xmlNode *device, struct domain_device *out)
{
    bool vf;
    read_cut(device, "alias", "name", out->alias, sizeof out->alias);
    /* Of the whole text, not of what fits. */
    out->has_port = xml_device_port(device, &out->port, &vf);
}

/* libvirt tells kilobytes of 1000 bytes a second; a rate is never "none". */
static uint32_t read_rate(const xmlNode *device)
{
    const xmlNode *outbound =
        xml_child(xml_child(device, "bandwidth"), "outbound");
    uint64_t rate = read_number(outbound, "average",
                                (uint64_t)UINT32_MAX * KILOBYTES_PER_MEGABIT);
    return (uint32_t)((rate + KILOBYTES_PER_MEGABIT - 1) /
                      KILOBYTES_PER_MEGABIT);
}

static void read_interface(const xmlNode *device, struct domain_device *out)
{
    char mac[MAC_TEXT_SIZE + 1] = "";
    read_cut(device, "mac", "address", mac, sizeof mac);
    mac_parse(mac, &out->mac);
    read_netdev(xml_child(device, "target"), "dev", out->target);
    const xmlNode *source = xml_child(device, "source");
    read_netdev(source, "bridge", out->source);
    if (!*out->source)
        read_netdev(source, "dev", out->source);
    out->vlan = (uint16_t)read_number(
        xml_child(xml_child(device, "vlan"), "tag"), "id", POLICY_VLAN_MAX);
    out->max_tx_rate_mbps = read_rate(device);
    out->spoofchk = xml_attribute_is(xml_child(device, "filterref"), "filter",
                                     SPOOFCHK_FILTER);
    out->link_down =
        xml_attribute_is(xml_child(device, "link"), "state", "down");
}

/* The kind of a device, or -1: it is none of ours to look at. */
static int kind_of(const xmlNode *device)
{
    static const struct {
        const char *type;
        int kind;
    } kinds[] = {
        {"hostdev", DOMAIN_HOSTDEV},    {"direct", DOMAIN_MACVTAP},
        {"bridge", DOMAIN_INTERFACE},   {"network", DOMAIN_INTERFACE},
        {"ethernet", DOMAIN_INTERFACE},
    };
    if (xml_is_pci_hostdev(device))
        return DOMAIN_HOSTDEV;
    for (size_t i = 0;
         xml_is(device, "interface") && i < sizeof kinds / sizeof *kinds; i++)
        if (xml_attribute_is(device, "type", kinds[i].type))
            return kinds[i].kind;
    return -1;
}

static int read_device(const xmlNode *device, struct domain_facts *facts,
                       size_t *capacity, struct error *err)
{
    int kind = kind_of(device);
    if (kind < 0)
        return 0;
    struct domain_device out = {.kind = (uint8_t)kind};
    if (facts->device_count >= DOMAIN_DEVICES_MAX)
        return xml_refuse(err, device, "more than %d network and PCI devices",
                          DOMAIN_DEVICES_MAX);
    if (kind == DOMAIN_HOSTDEV && read_address(device, &out, err) < 0)
        return -1;
    if (xml_is(device, "interface"))
        read_interface(device, &out);
    read_alias(device, &out);
    mem_grow(&facts->devices, capacity, facts->device_count,
             sizeof *facts->devices);
    facts->devices[facts->device_count++] = out;
    return 0;
}

/* ---- the domain -------------------------------------------------------------- */

static void read_metadata(const xmlNode *root, struct domain_facts *facts)
{
    const xmlNode *metadata = xml_child(root, "metadata");
    for (const xmlNode *n = metadata ? metadata->children : NULL; n;
         n = n->next) {
        auto_xml_text xmlChar *id = NULL;
        if (!xml_is_ours(n))
            continue;
        id = xml_attribute(n, "id");
        if (id)
            uuid_parse((const char *)id, &facts->vm);
        return;
    }
}

static void read_domain(const xmlNode *root, struct domain_facts *facts)
{
    auto_xml_text xmlChar *name = xml_text(xml_child(root, "name"));
    auto_xml_text xmlChar *uuid = xml_text(xml_child(root, "uuid"));
    auto_xml_text xmlChar *vcpus = xml_text(xml_child(root, "vcpu"));
    uint64_t count = 0, kib = 0;
    if (name)
        str_copy(facts->name, (const char *)name);
    if (uuid)
        uuid_parse((const char *)uuid, &facts->uuid);
    if (xml_count(vcpus, UINT32_MAX, &count))
        facts->vcpus = (uint32_t)count;
    if (xml_memory_kib(xml_child(root, "memory"), &kib))
        facts->memory_mib = kib / 1024 + (kib % 1024 != 0);
    read_metadata(root, facts);
}

int domain_read(const char *text, size_t length, struct domain_facts *facts,
                struct error *err)
{
    auto_xml_doc xmlDoc *doc = xml_parse_domain(text, length, err);
    struct domain_facts out = {0};
    size_t capacity = 0;
    if (!doc)
        return -1;
    const xmlNode *root = xmlDocGetRootElement(doc);
    xml_for_each (devices, root, "devices") {
        xml_for_each (device, devices, NULL) {
            if (read_device(device, &out, &capacity, err) < 0) {
                domain_facts_done(&out);
                return -1;
            }
        }
    }
    read_domain(root, &out);
    *facts = out;
    return 0;
}

void domain_facts_done(struct domain_facts *facts)
{
    free(facts->devices);
    *facts = (struct domain_facts){0};
}

static const struct domain_device *find(const struct domain_facts *f,
                                        const struct uuid *port, bool hostdev)
{
    for (size_t i = 0; f && i < f->device_count; i++) {
        const struct domain_device *device = &f->devices[i];
        if (device->has_port && uuid_equal(&device->port, port) &&
            (device->kind == DOMAIN_HOSTDEV) == hostdev)
            return device;
    }
    return NULL;
}

const struct domain_device *domain_facts_hostdev(const struct domain_facts *f,
                                                 const struct uuid *port)
{
    return find(f, port, true);
}

const struct domain_device *domain_facts_leg(const struct domain_facts *f,
                                             const struct uuid *port)
{
    return find(f, port, false);
}
