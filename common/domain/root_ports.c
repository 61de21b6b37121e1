/* SPDX-License-Identifier: Apache-2.0 */
/* Free pcie-root-ports for devices that are hot-plugged later.
 *
 * On q35 a device can be hot-plugged into an empty pcie-root-port only. libvirt
 * makes as many as the devices without address need, and one more, but none more
 * as soon as a text has some of its own (qemuDomainAssignPCIAddresses); and it
 * fills those before it makes new ones. So all that it will fill must be added
 * too. What it will fill is counted here from above: an empty port more costs
 * a guest next to nothing, one less and no VF can come. */
#include "common/domain/define.h"
#include "common/domain/xml.h"

#include <stdlib.h>
#include <string.h>

#define BUSES 256 /* libvirt: a PCI controller's index is at most 255 */

static bool is_q35(const xmlNode *root)
{
    auto_xml_text xmlChar *machine =
        xml_attribute(xml_child(xml_child(root, "os"), "type"), "machine");
    return machine && strstr((const char *)machine, "q35");
}

/* The bus of a device's address, the index of a PCI controller. */
static bool bus_of(const xmlNode *address, uint64_t *out)
{
    auto_xml_text xmlChar *text = xml_attribute(address, "bus");
    return xml_number(text, BUSES - 1, out);
}

static bool index_of(const xmlNode *controller, uint64_t *out)
{
    auto_xml_text xmlChar *text = xml_attribute(controller, "index");
    return xml_count(text, BUSES - 1, out);
}

static bool has_type(const xmlNode *node, const char *type)
{
    return xml_attribute_is(node, "type", type);
}

static bool is_controller(const xmlNode *device, const char *type)
{
    return xml_is(device, "controller") && has_type(device, type);
}

static bool has_controller(const xmlNode *devices, const char *type)
{
    xml_for_each (device, devices, "controller")
        if (has_type(device, type))
            return true;
    return false;
}

/* A disk, input … on this bus. */
static bool on_bus(const xmlNode *device, const char *bus)
{
    return xml_attribute_is(device, "bus", bus) ||
           xml_attribute_is(xml_child(device, "target"), "bus", bus);
}

/* libvirt may put this device into a pcie-root-port. */
static bool takes_port(const xmlNode *device)
{
    static const char *const always[] = {
        "interface", "filesystem", "rng",    "vsock", "sound", "watchdog",
        "shmem",     "crypto",     "memory", "video", "iommu", NULL};
    static const char *const elsewhere[] = {"pci", "sata", "ide",
                                            "fdc", "ccid", NULL};
    if (xml_child(device, "address"))
        return false;
    for (size_t i = 0; always[i]; i++)
        if (xml_is(device, always[i]))
            return true;
    if (xml_is(device, "controller")) {
        for (size_t i = 0; elsewhere[i]; i++)
            if (has_type(device, elsewhere[i]))
                return false;
        return !xml_attribute_is(device, "model", "none");
    }
    if (xml_is(device, "disk") || xml_is(device, "input"))
        return on_bus(device, "virtio");
    if (xml_is(device, "memballoon"))
        return !xml_attribute_is(device, "model", "none");
    return xml_is_pci_hostdev(device) ||
           (xml_is(device, "hostdev") && has_type(device, "mdev"));
}

/* What libvirt adds by itself: a balloon, a USB controller, a controller for
 * channels and for SCSI disks. */
static size_t count_implied(const xmlNode *devices)
{
    bool scsi = false;
    xml_for_each (disk, devices, "disk")
        scsi |= on_bus(disk, "scsi");
    return (size_t)!xml_child(devices, "memballoon") +
           (size_t)!has_controller(devices, "usb") +
           (size_t)(xml_child(devices, "channel") &&
                    !has_controller(devices, "virtio-serial")) +
           (size_t)(scsi && !has_controller(devices, "scsi"));
}

struct buses {
    bool taken[BUSES]; /* a controller has the index, or a device the bus */
    bool used[BUSES];  /* a device has an address there */
};

static void look_at_addresses(const xmlNode *devices, struct buses *buses)
{
    uint64_t number;
    xml_for_each (device, devices, NULL) {
        const xmlNode *address = xml_child(device, "address");
        if (address && has_type(address, "pci") && bus_of(address, &number))
            buses->used[number] = buses->taken[number] = true;
        if (is_controller(device, "pci") && index_of(device, &number))
            buses->taken[number] = true;
    }
}

/* An empty pcie-root-port that takes devices while the guest runs. */
static bool is_free_port(const xmlNode *device, const struct buses *buses)
{
    uint64_t index;
    return is_controller(device, "pci") &&
           xml_attribute_is(device, "model", "pcie-root-port") &&
           !xml_attribute_is(xml_child(device, "target"), "hotplug", "off") &&
           !(index_of(device, &index) && buses->used[index]);
}

static void add_port(xmlNode *devices, size_t index)
{
    char number[8];
    snprintf(number, sizeof number, "%zu", index);
    xmlNode *port =
        xmlNewChild(devices, NULL, (const xmlChar *)"controller", NULL);
    if (!port ||
        !xmlNewProp(port, (const xmlChar *)"type", (const xmlChar *)"pci") ||
        !xmlNewProp(port, (const xmlChar *)"index", (const xmlChar *)number) ||
        !xmlNewProp(port, (const xmlChar *)"model",
                    (const xmlChar *)"pcie-root-port"))
        abort();
    xmlAddChild(devices, xmlNewText((const xmlChar *)"\n"));
}

void domain_add_root_ports(xmlNode *root, xmlNode *devices, size_t plugs)
{
    struct buses buses = {.taken = {true}}; /* bus 0 is pcie.0 */
    if (!plugs || !is_q35(root))
        return;
    look_at_addresses(devices, &buses);
    size_t wanted = plugs + 1 + count_implied(devices), have = 0;
    xml_for_each (device, devices, NULL) {
        wanted += takes_port(device);
        have += is_free_port(device, &buses);
    }
    for (size_t index = 1; have < wanted && index < BUSES; index++)
        if (!buses.taken[index]) {
            add_port(devices, index);
            have++;
        }
}
