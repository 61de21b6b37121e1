/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of one port, as libvirt's documentation spells them. */
#include "common/domain/domain.h"
#include "tests/unit/check_main.h"

#include <string.h>

#define PORT "01890a5d-ac96-774b-bcce-b302099a8057"

/* A VF beside a virtio leg on br0. */
static struct domain_port port_new(void)
{
    struct domain_port port = {
        .vnic_type = VNIC_DIRECT,
        .hardware = true,
        .address = {0, 0x3b, 0x0a, 1},
        .virtio = true,
        .network = "br0",
        .policy = {.set = POLICY_BIT(POLICY_MAC),
                   .mac = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}}},
    };
    ck_assert(uuid_parse(PORT, &port.id));
    return port;
}

static void set_policy(struct domain_port *port)
{
    port->policy.set |= POLICY_BIT(POLICY_VLAN) | POLICY_BIT(POLICY_SPOOFCHK) |
                        POLICY_BIT(POLICY_MAX_TX_RATE_MBPS) |
                        POLICY_BIT(POLICY_LINK_STATE);
    port->policy.vlan = 100;
    port->policy.max_tx_rate_mbps = 1000;
    port->policy.link_state = LINK_STATE_DISABLE;
}

#define HOSTDEV_START                                                          \
    "<hostdev mode='subsystem' type='pci' managed='yes'>\n"                    \
    "  <source>\n"                                                             \
    "    <address domain='0x0000' bus='0x3b' slot='0x0a' function='0x1'/>\n"   \
    "  </source>\n"
#define HOSTDEV_END "  <alias name='ua-" PORT "-vf'/>\n</hostdev>\n"
#define BRIDGED_START                                                          \
    "<interface type='bridge'>\n"                                              \
    "  <mac address='52:54:00:12:34:56'/>\n"                                   \
    "  <source bridge='br0'/>\n"                                               \
    "  <model type='virtio'/>\n"
#define FILTER "  <filterref filter='no-mac-spoofing'/>\n"
#define LEG_END "  <alias name='ua-" PORT "'/>\n</interface>\n"

static void check(const struct domain_port *port, const char *leg,
                  const char *vf)
{
    auto_free char *is_leg = domain_virtio_xml(port);
    auto_free char *is_vf = domain_vf_xml(port);
    auto_free char *is_both = domain_port_xml(port);
    ck_assert_pstr_eq(is_leg, leg);
    ck_assert_pstr_eq(is_vf, vf);
    auto_free char *both =
        leg || vf ? mem_printf("%s%s", leg ? leg : "", vf ? vf : "") : NULL;
    ck_assert_pstr_eq(is_both, both);
}

START_TEST(a_bonding_guest_has_both_without_teaming)
{
    struct domain_port port = port_new();
    port.guest_failover = GUEST_FAILOVER_BOND;
    check(&port, BRIDGED_START FILTER LEG_END, HOSTDEV_START HOSTDEV_END);
}
END_TEST

START_TEST(a_net_failover_guest_has_both_teamed_by_the_alias)
{
    struct domain_port port = port_new();
    port.guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    check(&port,
          BRIDGED_START FILTER "  <teaming type='persistent'/>\n" LEG_END,
          HOSTDEV_START "  <teaming type='transient' persistent='ua-" PORT
                        "'/>\n" HOSTDEV_END);
}
END_TEST

START_TEST(a_vf_without_virtio_leg_is_not_teamed)
{
    struct domain_port port = port_new();
    port.guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    port.virtio = false;
    check(&port, NULL, HOSTDEV_START HOSTDEV_END);
    port.virtio = true;
    *port.network = '\0';
    check(&port, NULL, HOSTDEV_START HOSTDEV_END);
}
END_TEST

START_TEST(a_leg_on_a_bridge_carries_what_libvirt_can)
{
    struct domain_port port = port_new();
    port.hardware = false;
    set_policy(&port);
    check(&port,
          BRIDGED_START
          "  <bandwidth><outbound average='125000'/></bandwidth>\n"
          "  <link state='down'/>\n" LEG_END,
          NULL);
    port.policy.spoofchk = true;
    port.policy.max_tx_rate_mbps = 0;
    port.policy.link_state = LINK_STATE_ENABLE;
    check(&port, BRIDGED_START FILTER LEG_END, NULL);
    port.policy.max_tx_rate_mbps = POLICY_RATE_MAX_MBPS;
    check(&port,
          BRIDGED_START
          "  <bandwidth><outbound average='536870875'/></bandwidth>\n" FILTER
              LEG_END,
          NULL);
}
END_TEST

START_TEST(open_vswitch_holds_the_vlan_and_takes_no_filter)
{
    struct domain_port port = port_new();
    port.hardware = false;
    port.network_kind = SWITCH_OPENVSWITCH;
    check(&port, BRIDGED_START "  <virtualport type='openvswitch'/>\n" LEG_END,
          NULL);
    set_policy(&port);
    port.policy.spoofchk = true;
    check(&port,
          BRIDGED_START
          "  <virtualport type='openvswitch'/>\n"
          "  <vlan><tag id='100'/></vlan>\n"
          "  <bandwidth><outbound average='125000'/></bandwidth>\n"
          "  <link state='down'/>\n" LEG_END,
          NULL);
}
END_TEST

START_TEST(a_macvtap_on_a_vf_tells_libvirt_the_vlan_only)
{
    struct domain_port port = port_new();
    port.vnic_type = VNIC_MACVTAP;
    port.macvtap_mode = MACVTAP_PASSTHROUGH;
    port.virtio = false;
    strcpy(port.network, "ens1f0v3");
    set_policy(&port);
    check(&port,
          "<interface type='direct'>\n"
          "  <mac address='52:54:00:12:34:56'/>\n"
          "  <source dev='ens1f0v3' mode='passthrough'/>\n"
          "  <model type='virtio'/>\n"
          "  <vlan><tag id='100'/></vlan>\n"
          "  <link state='down'/>\n" LEG_END,
          NULL);
    *port.network = '\0';
    check(&port, NULL, NULL);
}
END_TEST

START_TEST(a_macvtap_on_a_network_carries_the_rate)
{
    struct domain_port port = port_new();
    port.vnic_type = VNIC_MACVTAP;
    port.macvtap_mode = MACVTAP_VEPA;
    port.hardware = false;
    port.network_kind = SWITCH_MACVTAP;
    strcpy(port.network, "ens3");
    set_policy(&port);
    port.policy.link_state = LINK_STATE_AUTO;
    check(&port,
          "<interface type='direct'>\n"
          "  <mac address='52:54:00:12:34:56'/>\n"
          "  <source dev='ens3' mode='vepa'/>\n"
          "  <model type='virtio'/>\n"
          "  <bandwidth><outbound average='125000'/></bandwidth>\n" LEG_END,
          NULL);
    port.virtio = false;
    check(&port, NULL, NULL);
}
END_TEST

START_TEST(a_device_is_its_hostdev_alone)
{
    struct domain_port port = port_new();
    port.device = true;
    port.guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    port.address = (struct pci_address){0x10000, 0, 1, 7};
    check(&port, NULL,
          "<hostdev mode='subsystem' type='pci' managed='yes'>\n"
          "  <source>\n"
          "    <address domain='0x10000' bus='0x00' slot='0x01' "
          "function='0x7'/>\n"
          "  </source>\n" HOSTDEV_END);
    port.hardware = false;
    check(&port, NULL, NULL);
}
END_TEST

START_TEST(names_of_devices_are_escaped)
{
    struct domain_port port = port_new();
    port.hardware = false;
    strcpy(port.network, "br'<&\">");
    check(&port,
          "<interface type='bridge'>\n"
          "  <mac address='52:54:00:12:34:56'/>\n"
          "  <source bridge='br&apos;&lt;&amp;&quot;&gt;'/>\n"
          "  <model type='virtio'/>\n" FILTER LEG_END,
          NULL);
}
END_TEST

CHECK_MAIN("port_xml", a_bonding_guest_has_both_without_teaming,
           a_net_failover_guest_has_both_teamed_by_the_alias,
           a_vf_without_virtio_leg_is_not_teamed,
           a_leg_on_a_bridge_carries_what_libvirt_can,
           open_vswitch_holds_the_vlan_and_takes_no_filter,
           a_macvtap_on_a_vf_tells_libvirt_the_vlan_only,
           a_macvtap_on_a_network_carries_the_rate,
           a_device_is_its_hostdev_alone, names_of_devices_are_escaped);
