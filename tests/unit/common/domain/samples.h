/* SPDX-License-Identifier: Apache-2.0 */
/* Domain XML as libvirt and its users write it. */
#pragma once

#define SAMPLE_VM "01890a5d-ac96-774b-bcce-b302099a8001"
#define SAMPLE_P1 "01890a5d-ac96-774b-bcce-b302099a8011"
#define SAMPLE_P2 "01890a5d-ac96-774b-bcce-b302099a8012"

/* The least that a VM can be made of. */
static const char sample_least[] =
    "<domain type='kvm'><os><type machine='q35'>hvm</type></os></domain>";

/* What a client gives: q35, UEFI, disks, other namespaces, a command line. */
static const char sample_client[] =
    "<?xml version='1.0' encoding='UTF-8'?>\n"
    "<!-- made by hand -->\n"
    "<domain type='kvm' "
    "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"
    "  <name>web-1</name>\n"
    "  <title>W\xc3\xa9"
    "b &amp; more</title>\n"
    "  <metadata>\n"
    "    <libosinfo:libosinfo "
    "xmlns:libosinfo='http://libosinfo.org/xmlns/libvirt/domain/1.0'>\n"
    "      <libosinfo:os id='http://debian.org/debian/12'/>\n"
    "    </libosinfo:libosinfo>\n"
    "  </metadata>\n"
    "  <memory unit='GiB'>4</memory>\n"
    "  <currentMemory unit='MiB'>2048</currentMemory>\n"
    "  <vcpu placement='static' current='1'>2</vcpu>\n"
    "  <os>\n"
    "    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>\n"
    "    <boot dev='hd'/>\n"
    "  </os>\n"
    "  <features><acpi/><apic/></features>\n"
    "  <cpu mode='host-passthrough' check='none' migratable='on'/>\n"
    "  <devices>\n"
    "    <emulator>/usr/bin/qemu-system-x86_64</emulator>\n"
    "    <disk type='file' device='disk'>\n"
    "      <driver name='qemu' type='qcow2'/>\n"
    "      <source file='/var/lib/libvirt/images/web-1.qcow2'/>\n"
    "      <target dev='vda' bus='virtio'/>\n"
    "    </disk>\n"
    "    <controller type='usb' model='qemu-xhci'/>\n"
    "    <hostdev mode='subsystem' type='usb' managed='no'>\n"
    "      <source><vendor id='0x1234'/><product id='0xbeef'/></source>\n"
    "    </hostdev>\n"
    "    <console type='pty'/>\n"
    "    <channel type='unix'>\n"
    "      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"
    "    </channel>\n"
    "    <rng model='virtio'><backend "
    "model='random'>/dev/urandom</backend></rng>\n"
    "  </devices>\n"
    "  <qemu:commandline>\n"
    "    <qemu:arg value='-global'/>\n"
    "    <qemu:arg value='ICH9-LPC.disable_s3=1'/>\n"
    "  </qemu:commandline>\n"
    "</domain>\n";
