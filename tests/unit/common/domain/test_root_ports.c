/* SPDX-License-Identifier: Apache-2.0 */
/* pcie-root-ports for devices that come while a guest runs. What libvirt fills
 * was seen with its QEMU driver, 9.0. */
#include "common/base/str.h"
#include "common/domain/domain.h"
#include "tests/unit/check_main.h"
#include "tests/unit/common/domain/samples.h"

#include <string.h>

/* Ports whose VF may come later. */
static char *define(const char *text, size_t plugs)
{
    struct domain_identity vm = {
        .name = "web-1", .vcpus = 2, .memory_mib = 4096};
    struct domain_port ports[4] = {0};
    struct error err = {0};
    ck_assert(uuid_parse(SAMPLE_VM, &vm.vm));
    for (size_t i = 0; i < plugs; i++) {
        ports[i].id.bytes[0] = (uint8_t)(i + 1);
        ports[i].vnic_type = VNIC_DIRECT;
        ports[i].guest_failover = GUEST_FAILOVER_BOND;
        ports[i].virtio = true;
        strcpy(ports[i].network, "br0");
    }
    char *out = domain_define(text, strlen(text), &vm, ports, plugs, &err);
    ck_assert_msg(out, "%s", err.msg);
    return out;
}

/* The indexes of what was added, "1 2 3 ". */
static char *added(const char *text, size_t plugs)
{
    static const char start[] = "<controller type=\"pci\" index=\"";
    auto_free char *out = define(text, plugs);
    struct str list = {0};
    for (const char *at = strstr(out, start); at; at = strstr(at, start)) {
        at += sizeof start - 1;
        const char *end = strchr(at, '"');
        if (str_starts(end, "\" model=\"pcie-root-port\"/>\n")) {
            str_add_bytes(&list, at, (size_t)(end - at));
            str_add(&list, " ");
        }
    }
    return str_take(&list);
}

#define DOMAIN(machine, devices)                                               \
    "<domain type='kvm'><os><type machine='" machine                           \
    "'>hvm</type></os><devices>" devices "</devices></domain>"
#define NO_EXTRAS                                                              \
    "<controller type='usb' model='none'/><memballoon model='none'/>"

static size_t count_ports(const char *text)
{
    size_t count = 0;
    for (; (text = strstr(text, "pcie-root-port")); text++)
        count++;
    return count;
}

static void adds(const char *text, size_t plugs, const char *indexes)
{
    auto_free char *list = added(text, plugs);
    ck_assert_msg(strcmp(list, indexes) == 0, "%s: '%s', not '%s'", text, list,
                  indexes);
    /* And again not one more. */
    auto_free char *once = define(text, plugs);
    auto_free char *twice = define(once, plugs);
    ck_assert_uint_eq(count_ports(once), count_ports(twice));
}

START_TEST(each_port_gets_one_and_one_stays)
{
    /* The legs of the ports take some, as all that has no address. */
    adds(DOMAIN("pc-q35-7.2", NO_EXTRAS), 1, "1 2 3 ");
    adds(DOMAIN("q35", NO_EXTRAS), 3, "1 2 3 4 5 6 7 ");
    adds(DOMAIN("q35", ""), 1, "1 2 3 4 5 ");
}
END_TEST

START_TEST(other_machines_and_ports_that_have_all_get_none)
{
    adds(DOMAIN("pc-i440fx-7.2", ""), 2, "");
    adds("<domain type='kvm'><os><type>hvm</type></os></domain>", 2, "");
    adds(DOMAIN("q35", ""), 0, "");
}
END_TEST

START_TEST(what_libvirt_puts_into_ports_is_counted)
{
    static const char *const one[] = {
        "<disk><target dev='vda' bus='virtio'/></disk>",
        "<input type='tablet' bus='virtio'/>",
        "<rng model='virtio'/>",
        "<vsock model='virtio'/>",
        "<filesystem type='mount'/>",
        "<controller type='virtio-serial'/>",
        "<controller type='scsi' model='virtio-scsi'/>",
        "<hostdev type='mdev' model='vfio-pci'/>",
        "<disk><target dev='sda' bus='scsi'/></disk>", /* its controller */
        "<channel type='unix'/>",                      /* its controller */
        "<disk><target dev='sda' bus='scsi'/></disk>"
        "<disk><target dev='sdb' bus='scsi'/></disk>"
        "<controller type='scsi'/>",
    };
    static const char *const none[] = {
        "<disk><target dev='sda' bus='sata'/></disk>",
        "<input type='tablet' bus='usb'/>",
        "<controller type='sata'/>",
        "<hostdev type='usb'/>",
        "<serial type='pty'/><console/><tpm/><panic/>",
        ("<disk><target dev='vda' bus='virtio'/>"
         "<address type='pci' bus='0' slot='5'/></disk>"),
    };
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        auto_free char *text =
            mem_printf(DOMAIN("q35", NO_EXTRAS "%s"), one[i]);
        adds(text, 1, "1 2 3 4 ");
    }
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        auto_free char *text =
            mem_printf(DOMAIN("q35", NO_EXTRAS "%s"), none[i]);
        adds(text, 1, "1 2 3 ");
    }
}
END_TEST

#define PORT(index, inside)                                                    \
    "<controller type='pci' index='" index "' model='pcie-root-port'>" inside  \
    "</controller>"

START_TEST(ports_of_the_text_count_where_they_are_free)
{
    /* Enough of them. */
    adds(DOMAIN("q35", NO_EXTRAS PORT("1", "") PORT("2", "") PORT("3", "")), 1,
         "");
    adds(DOMAIN("q35",
                NO_EXTRAS "<controller type='pci' model='pcie-root'/>"
                          "<controller type='pci' model='pcie-root-port'/>"
                          "<controller type='pci' model='pcie-root-port'/>"),
         1, "1 ");
    /* One is taken by a device, one takes no device while the guest runs. */
    adds(
        DOMAIN("q35",
               NO_EXTRAS PORT("1", "") PORT("2", "<target hotplug='off'/>")
                   PORT("3", "") "<rng><address type='pci' bus='0x01'/></rng>"),
        1, "4 5 ");
}
END_TEST

START_TEST(indexes_of_the_text_are_left_alone)
{
    /* 2 has a controller, 3 is said by a device: libvirt makes it. */
    adds(DOMAIN("q35", NO_EXTRAS "<controller type='pci' index='2' "
                                 "model='pcie-to-pci-bridge'/>"
                                 "<rng><address type='pci' bus='0x03'/></rng>"),
         1, "1 4 5 ");
}
END_TEST

START_TEST(what_is_no_bus_is_ignored)
{
    adds(DOMAIN("q35",
                NO_EXTRAS PORT("256", "") PORT(
                    "-1", "") "<rng><address type='pci' bus='0x100'/></rng>"
                              "<rng><address type='pci'/></rng>"
                              "<rng><address type='ccw' bus='1'/></rng>"),
         1, "1 ");
}
END_TEST

START_TEST(there_are_never_more_than_libvirt_can_count)
{
    struct str devices = {0};
    for (int i = 0; i < 400; i++)
        str_add(&devices, "<rng/>");
    auto_free char *text = mem_printf(DOMAIN("q35", "%s"), devices.text);
    auto_free char *list = added(text, 1);
    ck_assert_ptr_nonnull(strstr(list, " 255 "));
    ck_assert_ptr_null(strstr(list, " 256 "));
    str_done(&devices);
}
END_TEST

CHECK_MAIN("root_ports", each_port_gets_one_and_one_stays,
           other_machines_and_ports_that_have_all_get_none,
           what_libvirt_puts_into_ports_is_counted,
           ports_of_the_text_count_where_they_are_free,
           indexes_of_the_text_are_left_alone, what_is_no_bus_is_ignored,
           there_are_never_more_than_libvirt_can_count);
