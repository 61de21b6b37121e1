/* SPDX-License-Identifier: Apache-2.0 */
/* What a port's XML takes from its host: the mapped network, the VF's netdev. */
#include "common/base/str.h"
#include "scheduler/handlers/api.h"
#include "tests/unit/check_main.h"

#include <string.h>

/* A host with a bridge and a device for macvtaps, both mapped, and a PF whose
 * first VF has a netdev. */
static struct host_view view;
static struct host_report report;

static void setup(void)
{
    struct pf *pf = pf_new(1);
    struct inventory *inventory = inventory_new(1, 2, 0);
    ck_assert(pf_key_parse("0000:3b:00.0", &pf->key));
    str_copy(pf->vfs[0].netdev, "ens1f0v0");
    inventory->pfs[0] = pf;
    str_copy(inventory->networks[0].device, "br0");
    str_copy(inventory->networks[1].device, "ens3");
    inventory->networks[1].kind = SWITCH_MACVTAP;
    view.host = host_new(0, 0, 2);
    str_copy(view.host->mappings[0].device, "br0");
    str_copy(view.host->mappings[0].physical_network, "physnet0");
    str_copy(view.host->mappings[1].device, "ens3");
    str_copy(view.host->mappings[1].physical_network, "physnet0");
    report.inventory = inventory;
    view.report = &report;
}

static void teardown(void)
{
    ref_put(view.host);
    ref_put(report.inventory);
}

static struct port port_new(enum vnic_type type, enum port_path path)
{
    struct port port = {.vnic_type = (uint8_t)type, .path = (uint8_t)path};
    str_copy(port.physical_network, "physnet0");
    port.policy.set = POLICY_BIT(POLICY_MAC);
    return port;
}

static void claim(struct port *port)
{
    port->has_claim = port->claim.has_address = true;
    port->claim.address = (struct pci_address){0, 0x3b, 2, 0};
    ck_assert(pf_key_parse("0000:3b:00.0", &port->claim.pf));
}

static void has(const struct port *port, const char *wanted, const char *other)
{
    auto_free char *xml = libvirt_xml(&view, port);
    ck_assert_msg(xml && strstr(xml, wanted), "no %s in %s", wanted, xml);
    ck_assert_msg(!strstr(xml, other), "%s in %s", other, xml);
}

START_TEST(a_virtio_leg_is_on_the_mapped_switch)
{
    struct port port = port_new(VNIC_NORMAL, PATH_VIRTIO);
    has(&port, "<source bridge='br0'/>", "hostdev");
    str_copy(port.physical_network, "physnet1");
    ck_assert_ptr_null(libvirt_xml(&view, &port));
    *port.physical_network = '\0';
    has(&port, "<source bridge='br0'/>", "hostdev");
    ck_assert_ptr_null(libvirt_xml(NULL, &port));
}
END_TEST

START_TEST(a_vf_that_is_given_up_is_not_attached)
{
    struct port port = port_new(VNIC_DIRECT, PATH_VF);
    claim(&port);
    has(&port, "<hostdev", "<interface");
    port.fallback = FALLBACK_VIRTIO;
    port.guest_failover = GUEST_FAILOVER_BOND;
    has(&port, "<source bridge='br0'/>", "teaming");
    has(&port, "<hostdev", "teaming");
    port.path = PATH_VIRTIO;
    has(&port, "<source bridge='br0'/>", "hostdev");
}
END_TEST

START_TEST(a_macvtap_is_on_its_device_or_its_vf)
{
    struct port port = port_new(VNIC_MACVTAP, PATH_VIRTIO);
    port.macvtap_mode = MACVTAP_BRIDGE;
    str_copy(port.network, "ens3");
    port.network_kind = SWITCH_MACVTAP;
    has(&port, "<source dev='ens3' mode='bridge'/>", "br0");
    port = port_new(VNIC_MACVTAP, PATH_VF);
    port.macvtap_mode = MACVTAP_PASSTHROUGH;
    claim(&port);
    has(&port, "<source dev='ens1f0v0' mode='passthrough'/>", "hostdev");
    /* Its netdev is not known: nothing to attach. */
    port.claim.vf_index = 1;
    ck_assert_ptr_null(libvirt_xml(&view, &port));
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("libvirt_xml");
    Suite *suite = suite_create("libvirt_xml");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_virtio_leg_is_on_the_mapped_switch);
    tcase_add_test(tc, a_vf_that_is_given_up_is_not_attached);
    tcase_add_test(tc, a_macvtap_is_on_its_device_or_its_vf);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
