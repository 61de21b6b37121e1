/* SPDX-License-Identifier: Apache-2.0 */
/* Domain XML: of clients (checked, then defined), of libvirt and of the hook's
 * standard input (read). What is taken is defined with our ports' devices and
 * nothing else that is ours to say, and defined again it is the same. */
#include "common/domain/domain.h"

#include "tests/fuzz/fuzz.h"

#define VM_ID "01890a5d-ac96-774b-bcce-b302099a8001"
#define PORTS 3

static struct domain_identity identity = {
    .name = "web-1", .vcpus = 2, .memory_mib = 4096};
static struct domain_port ports[PORTS] = {
    {.vnic_type = VNIC_DIRECT,
     .guest_failover = GUEST_FAILOVER_NET_FAILOVER,
     .policy = {.set = POLICY_BIT(POLICY_MAC) |
                       POLICY_BIT(POLICY_MAX_TX_RATE_MBPS),
                .max_tx_rate_mbps = 100,
                .mac = {{0x52, 0x54, 0, 0, 0, 1}}},
     .hardware = true,
     .address = {0, 0x3b, 0x0a, 1},
     .virtio = true,
     .network = "br0"},
    {.device = true, .hardware = true, .address = {1, 0, 1, 0}},
    {.vnic_type = VNIC_DIRECT,
     .guest_failover = GUEST_FAILOVER_BOND,
     .policy = {.set = POLICY_BIT(POLICY_MAC),
                .mac = {{0x52, 0x54, 0, 0, 0, 2}}},
     .virtio = true,
     .network = "br<&>\"'",
     .network_kind = SWITCH_OPENVSWITCH},
};
/* The legs of the first and last port, VFs of the first and second. */
#define DEVICES 4

static void check(bool fine, const char *what, const char *text)
{
    if (fine)
        return;
    fprintf(stderr, "%s:\n%s\n", what, text);
    abort();
}

static void prepare(void)
{
    uuid_parse(VM_ID, &identity.vm);
    for (size_t i = 0; i < PORTS; i++) {
        ports[i].id = identity.vm;
        ports[i].id.bytes[15] = (uint8_t)(0x11 + i);
    }
}

/* A definition that we made says what it is to say. */
static void check_definition(const char *text)
{
    struct domain_facts facts;
    struct error err = {0};
    check(domain_read(text, strlen(text), &facts, &err) == 0, err.msg, text);
    check(uuid_equal(&facts.uuid, &identity.vm) &&
              uuid_equal(&facts.vm, &identity.vm) &&
              strcmp(facts.name, identity.name) == 0 &&
              facts.vcpus == identity.vcpus &&
              facts.memory_mib == identity.memory_mib,
          "another VM", text);
    check(facts.device_count == DEVICES &&
              domain_facts_hostdev(&facts, &ports[0].id) &&
              domain_facts_leg(&facts, &ports[0].id) &&
              domain_facts_hostdev(&facts, &ports[1].id) &&
              domain_facts_leg(&facts, &ports[2].id) &&
              !domain_facts_hostdev(&facts, &ports[2].id),
          "other devices", text);
    domain_facts_done(&facts);
}

static void define_it(const char *text, size_t length, bool checked)
{
    struct error err = {0};
    auto_free char *once =
        domain_define(text, length, &identity, ports, PORTS, &err);
    if (!once) {
        fuzz_check_error(&err);
        check(!checked, "checked, but not defined", err.msg);
        return;
    }
    check_definition(once);
    auto_free char *twice =
        domain_define(once, strlen(once), &identity, ports, PORTS, &err);
    check(twice != NULL, err.msg, once);
    check_definition(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct domain_facts facts;
    struct error err = {0};
    prepare();
    if (domain_read(text, size, &facts, &err) < 0) {
        fuzz_check_error(&err);
    } else {
        check(facts.device_count <= DOMAIN_DEVICES_MAX &&
                  (facts.device_count == 0) == (facts.devices == NULL),
              "devices that are not counted", "");
        domain_facts_done(&facts);
    }
    err = (struct error){0};
    bool checked = domain_check(text, size, &identity, &err) == 0;
    if (!checked)
        fuzz_check_error(&err);
    define_it(text, size, checked);
    return 0;
}
