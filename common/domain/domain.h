/* SPDX-License-Identifier: Apache-2.0 */
/* libvirt's domain XML (https://libvirt.org/formatdomain.html): the one place
 * that reads and writes it, for the scheduler's answers, the agent and the hook.
 *
 * How a port is attached (DESIGN.md section 7):
 *   VF, or PF as a whole: <hostdev managed='yes'>, alias 'ua-PORT-vf', never
 *     <interface type='hostdev'>, because then libvirt would write MAC and VLAN
 *     too; with <teaming type='transient'> where the guest has net_failover.
 *   virtio leg: <interface type='bridge'>, alias 'ua-PORT', with what libvirt can
 *     carry of the policy; <teaming type='persistent'> with net_failover.
 *   macvtap: <interface type='direct'>, alias 'ua-PORT'.
 * PORT is the port's UUID, so that every device tells whose it is.
 *
 * Parsing is without network, without external entities and without entity
 * expansion; texts above DOMAIN_TEXT_MAX are refused. Nothing here keeps state;
 * any thread.
 */
#pragma once

#include "common/base/error.h"
#include "common/base/uuid.h"
#include "common/model/vm.h"

#include <stdbool.h>
#include <stddef.h>

#define DOMAIN_TEXT_MAX (1 << 20) /* bytes: live XML of a big domain */

/* All that the XML of a port's devices needs. */
struct domain_port {
    struct uuid id;
    bool device;                                     /* a VF without network */
    uint8_t vnic_type, guest_failover, macvtap_mode; /* model/vm.h */
    struct policy policy; /* MAC among it, but of a device */
    bool hardware; /* attach 'address' (VF or whole PF), or the macvtap on it */
    struct pci_address address;
    bool virtio;                    /* attach the virtio leg */
    char network[NETDEV_NAME_SIZE]; /* bridge; below a macvtap: the VF's netdev
                                       (passthrough) or the network's device */
    uint8_t network_kind;           /* enum switch_kind */
};

/* The devices of one port as XML elements, one after the other; malloc'd. NULL:
 * there is nothing to attach. */
char *domain_port_xml(const struct domain_port *port);
/* Only the VF's (teamed, like all, where 'virtio' and 'network' say that there is
 * a leg too), only the leg's: the virtio's or the macvtap (for plugging in). */
char *domain_vf_xml(const struct domain_port *port);
char *domain_virtio_xml(const struct domain_port *port);

/* What of a VM the domain's XML must agree with. */
struct domain_identity {
    struct uuid vm;
    const char *name;
    uint32_t vcpus;
    uint64_t memory_mib;
};
/* Can a VM be made of this text? Well-formed, <domain> with a type, <os>; <name>,
 * <uuid>, <vcpu>, <memory> absent or equal to the VM's (any unit of libvirt);
 * no <interface> and no PCI <hostdev>, which are the ports' and devices' to say.
 * INVALID with field "domain_xml" and line where known. */
int domain_check(const char *text, size_t length,
                 const struct domain_identity *identity, struct error *err);
/* The definition: the given text with name, uuid, vcpu, memory, our metadata
 * (element <vm id='…'/> in the namespace DOMAIN_METADATA_NS) and the devices of
 * the ports put in; enough free pcie-root-ports for one hot-plugged device for
 * each port with a fallback, where the machine is q35. Everything else stays.
 * malloc'd; NULL as domain_check() refuses. */
#define DOMAIN_METADATA_NS "https://sriov-orchestrator.org/xmlns/domain/1"
char *domain_define(const char *text, size_t length,
                    const struct domain_identity *identity,
                    const struct domain_port *ports, size_t port_count,
                    struct error *err);

/* What a domain has that concerns us. */
enum domain_device_kind {
    DOMAIN_HOSTDEV,   /* PCI: <hostdev>, or <interface type='hostdev'> */
    DOMAIN_INTERFACE, /* with a tap */
    DOMAIN_MACVTAP,   /* <interface type='direct'> */
};
struct domain_device {
    uint8_t kind;  /* enum domain_device_kind */
    bool has_port; /* the alias is one of ours */
    struct uuid port;
    char alias[64];   /* "" = none; live ones always have one */
    bool has_address; /* HOSTDEV: on the host */
    struct pci_address address;
    struct mac mac;                /* zero = not said */
    char target[NETDEV_NAME_SIZE]; /* tap or macvtap of a live one; "" */
    char source[NETDEV_NAME_SIZE]; /* bridge, or device below; "" */
    uint16_t vlan;                 /* <vlan><tag id=…>; 0 = none */
    uint32_t max_tx_rate_mbps; /* <bandwidth><outbound average=…>; 0 = none */
    bool spoofchk;             /* has filter no-mac-spoofing */
    bool link_down;            /* <link state='down'/> */
};
#define DOMAIN_DEVICES_MAX 64 /* of the three kinds; more are refused */
struct domain_facts {
    struct uuid uuid;     /* zero = not said */
    char name[NAME_SIZE]; /* cut where longer */
    struct uuid vm;       /* from our metadata; zero = none */
    uint32_t vcpus;
    uint64_t memory_mib;
    size_t device_count;
    struct domain_device *devices; /* owned */
};
/* Reads any domain's XML, live or not. INVALID: not well-formed, no <domain>,
 * more than DOMAIN_DEVICES_MAX devices, a PCI address that is none. '*facts' is
 * filled only on success; give it to domain_facts_done(). */
int domain_read(const char *text, size_t length, struct domain_facts *facts,
                struct error *err);
void domain_facts_done(struct domain_facts *facts);
/* The VF's or PF's device of a port, the tap's; NULL = it has none. */
const struct domain_device *domain_facts_hostdev(const struct domain_facts *f,
                                                 const struct uuid *port);
const struct domain_device *domain_facts_leg(const struct domain_facts *f,
                                             const struct uuid *port);
