/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of libvirt's hook, one sentence each: which domains may start with
 * which devices. No host: the test is the kernel. */
#include "agent/core/reconcile.h"
#include "common/base/str.h"
#include "common/base/timestamp.h"
#include "tests/unit/check_main.h"

#include <errno.h>
#include <string.h>

#define NOW INT64_C(1790000000000000000)
#define VFS 4
#define PF "0000:3b:00.0"

static struct reconcile *core;
static struct policy kernel[VFS];
static struct guarded guarded;
static bool guarded_known = true, adopt;
static char reason[HOOK_REASON_SIZE];

static struct uuid id_of(uint8_t number)
{
    struct uuid id = {{0}};
    id.bytes[0] = number;
    return id;
}

static struct pci_address address(const char *text)
{
    struct pci_address made;
    ck_assert(pci_parse(text, &made));
    return made;
}

static struct pci_address vf_address(unsigned vf)
{
    struct pci_address made = address("0000:3b:10.0");
    made.function = (uint8_t)vf;
    return made;
}

static struct pf *make_pf(void)
{
    struct pf *pf = pf_new(VFS);
    pf_key_parse(PF, &pf->key);
    pf->has_address = pf_key_pci(&pf->key, &pf->address);
    str_copy(pf->netdev, "ens1f0");
    pf->driver = str_intern("mlx5_core");
    pf->firmware = pf->vendor_name = pf->device_name = str_intern("");
    pf->bond_mode = str_intern("");
    pf->link_up = true;
    pf->link_speed_mbps = 10000;
    pf->total_vfs = pf->num_vfs = VFS;
    for (unsigned i = 0; i < VFS; i++) {
        struct vf *vf = &pf->vfs[i];
        vf->index = (uint16_t)i;
        vf->has_address = true;
        vf->address = vf_address(i);
        vf->driver = vf->reason = str_intern("");
        vf->policy = kernel[i];
        vf->observed_at = NOW;
    }
    str_copy(pf->vfs[1].netdev, "ens1f0v1");
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = str_intern("");
    return pf;
}

static void give_host(void)
{
    auto_inventory struct inventory *inventory = inventory_new(1, 0, 0);
    inventory->kernel = str_intern("6.1");
    inventory->pfs[0] = make_pf();
    reconcile_inventory(core, NOW, inventory);
}

static void open_with(struct agent_state *state, uint8_t boot)
{
    struct reconcile_config config = {
        .host = "h1", .boot_id = id_of(boot), .seed = 1, .skip_probing = true};
    core = reconcile_new(&config, state);
}

static void open_core(void)
{
    struct agent_state none = {0};
    for (size_t i = 0; i < VFS; i++)
        kernel[i] = policy_clean();
    open_with(&none, 200);
    guarded_known = true;
    adopt = false;
    struct pci_address pf = address(PF);
    guarded_add(&guarded, &pf, &pf);
    for (unsigned i = 0; i < VFS; i++) {
        struct pci_address vf = vf_address(i);
        guarded_add(&guarded, &vf, &pf);
    }
    guarded_sort(&guarded);
}

static void setup(void)
{
    open_core();
    give_host();
}

static void teardown(void)
{
    reconcile_free(core);
    guarded_done(&guarded);
}

/* Port N is of VM 50+N and has VF N-1; VM 51 is told too. */
static struct desired *document(uint64_t revision, size_t ports)
{
    struct desired *desired = desired_new(ports, 1, 1);
    desired->vms[0] = (struct desired_vm){.id = id_of(51),
                                          .name = "web-1",
                                          .lifecycle = LIFECYCLE_EXTERNAL,
                                          .role = VM_ROLE_OWN,
                                          .revision = {1, revision}};
    desired->cluster_id = id_of(99);
    str_copy(desired->host, "h1");
    desired->revision = (struct revision){1, revision};
    desired->full = true;
    pf_key_parse(PF, &desired->pfs[0].key);
    desired->pfs[0].allowed = true;
    for (size_t i = 0; i < ports; i++) {
        struct desired_port *port = &desired->ports[i];
        port->id = id_of((uint8_t)(i + 1));
        port->vm = id_of((uint8_t)(i + 51));
        port->path = PATH_VF;
        port->has_claim = true;
        pf_key_parse(PF, &port->claim.pf);
        port->claim.vf_index = (uint16_t)i;
        port->claim.has_address = true;
        port->claim.address = vf_address((unsigned)i);
        port->policy.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN);
        port->policy.mac = (struct mac){{0x52, 0x54, 0, 0, 1, (uint8_t)i}};
        port->policy.vlan = 100;
        port->revision = desired->revision;
    }
    return desired;
}

/* Takes the document. */
static void give(struct desired *desired)
{
    struct error err = {0};
    ck_assert_msg(reconcile_desired(core, desired, &err) == 0, "%s", err.msg);
    ref_put(desired);
}

/* The kernel does as it is told, or refuses each VLAN. */
static void carry_out(bool takes_vlans)
{
    struct action action;
    int64_t wake = 0;
    for (int n = 0; reconcile_next(core, NOW, &action, &wake); n++) {
        struct action_result result = {0};
        ck_assert_int_lt(n, 200);
        bool vlan = action.kind == ACTION_WRITE &&
                    (action.fields & POLICY_BIT(POLICY_VLAN)) &&
                    action.policy.vlan;
        if (vlan && !takes_vlans) {
            result.failed = true;
            error_fill_sys(&result.err, EOPNOTSUPP, "set vlan");
            str_copy(result.err.field, "vlan");
        }
        for (unsigned f = 0; f < POLICY_FIELD_MAX && !result.failed; f++) {
            if (action.kind == ACTION_WRITE && action.fields & POLICY_BIT(f))
                policy_copy_field(&kernel[action.vf_index], &action.policy,
                                  (enum policy_field)f);
        }
        if (action.kind == ACTION_READ)
            result.policy = kernel[action.vf_index];
        reconcile_done(core, NOW, &action, &result);
    }
}

static struct domain_device hostdev(struct pci_address where)
{
    return (struct domain_device){
        .kind = DOMAIN_HOSTDEV, .has_address = true, .address = where};
}

static enum hook_verdict ask_as(enum hook_operation operation,
                                struct domain_device *devices, size_t count,
                                struct uuid vm)
{
    const struct domain_facts facts = {.name = "g1",
                                       .uuid = id_of(77),
                                       .vm = vm,
                                       .device_count = count,
                                       .devices = devices};
    const struct hook_request request = {.operation = operation,
                                         .facts = &facts,
                                         .guarded =
                                             guarded_known ? &guarded : NULL,
                                         .adopt = adopt};
    enum hook_verdict verdict = reconcile_hook(core, NOW, &request, reason);
    ck_assert_int_eq(verdict == HOOK_ALLOW, *reason == '\0');
    return verdict;
}

static enum hook_verdict ask(struct domain_device *devices, size_t count)
{
    return ask_as(HOOK_PREPARE, devices, count, (struct uuid){{0}});
}

static enum hook_verdict ask_for(struct domain_device device)
{
    return ask(&device, 1);
}

#define expect_words(words)                                                    \
    ck_assert_msg(strstr(reason, words), "'%s' lacks '%s'", reason, words)

START_TEST(a_domain_without_devices_of_ours_starts)
{
    setup();
    ck_assert_int_eq(ask(NULL, 0), HOOK_ALLOW);
    ck_assert_int_eq(ask_for(hostdev(address("0000:05:00.0"))), HOOK_ALLOW);
    struct domain_device tap = {.kind = DOMAIN_INTERFACE, .source = "br0"};
    ck_assert_int_eq(ask_for(tap), HOOK_ALLOW);
    struct domain_device above = {.kind = DOMAIN_MACVTAP, .source = "ens1f0"};
    ck_assert_int_eq(ask_for(above), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(a_claimed_vf_waits_for_its_policy_and_then_starts)
{
    setup();
    give(document(1, 1));
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    /* Another revision of the policy is not proven yet. */
    struct desired *changed = document(2, 1);
    changed->ports[0].policy.vlan = 200;
    give(changed);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(drift_that_was_read_is_waited_for)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    kernel[0].vlan = 7;
    give_host();
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(a_refused_policy_is_refused_with_its_condition)
{
    setup();
    give(document(1, 1));
    carry_out(false);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_REFUSE);
    expect_words("vlan");
    teardown();
}
END_TEST

/* As after a kill: what was durable is all there is. */
static void restart(uint8_t boot)
{
    struct agent_state state = {0};
    agent_state_copy(&state, reconcile_state(core));
    reconcile_free(core);
    open_with(&state, boot);
    give_host();
    carry_out(true);
}

START_TEST(after_a_restart_in_the_same_boot_what_was_claimed_starts)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    restart(200);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    ck_assert_int_eq(ask_for(hostdev(vf_address(1))), HOOK_WAIT);
    struct domain_device other = hostdev(vf_address(0));
    other.has_port = true;
    other.port = id_of(2);
    ck_assert_int_eq(ask_for(other), HOOK_REFUSE);
    /* The VM may run elsewhere since. */
    restart(201);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("has not heard the scheduler since the host booted");
    restart(201);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    give(document(2, 1));
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    teardown();
}
END_TEST

/* libvirt tells one running domain, with this VF. */
static void give_domain(uint8_t uuid, unsigned vf)
{
    auto_domain_list struct domain_list *list = domain_list_new(1);
    struct domain_state *domain = &list->domains[0];
    domain->uuid = domain->facts.uuid = id_of(uuid);
    str_copy(domain->name, "other");
    domain->power_state = POWER_RUNNING;
    domain->facts.device_count = 1;
    domain->facts.devices = mem_new(struct domain_device);
    domain->facts.devices[0] = hostdev(vf_address(vf));
    reconcile_domains(core, NOW, list, NULL);
}

START_TEST(what_another_domain_has_is_waited_for)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    give_domain(78, 0);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("'other'");
    /* Itself, as libvirt lists it while it starts. */
    give_domain(77, 0);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(a_vm_runs_once)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    /* Tied by its uuid. */
    give_domain(51, 3);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("runs already");
    teardown();
}
END_TEST

START_TEST(a_managed_vm_has_one_domain)
{
    setup();
    struct desired *desired = document(1, 1);
    desired->vms[0].lifecycle = LIFECYCLE_MANAGED;
    desired->vms[0].domain_xml = text_new("<domain/>", 9);
    give(desired);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_REFUSE);
    expect_words("sriov-admin vm start");
    teardown();
}
END_TEST

START_TEST(a_vm_that_is_being_removed_does_not_start)
{
    setup();
    struct desired *desired = document(1, 1);
    desired->vms[0].absent = true;
    give(desired);
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    /* Without a device it is known by what it says of itself. */
    ck_assert_int_eq(ask_as(HOOK_PREPARE, NULL, 0, id_of(51)), HOOK_WAIT);
    expect_words("being removed");
    ck_assert_int_eq(ask_as(HOOK_PREPARE, NULL, 0, id_of(52)), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(before_a_document_nothing_of_ours_starts)
{
    setup();
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("has not heard the scheduler since the host booted");
    ck_assert_int_eq(ask_for(hostdev(address("0000:05:00.0"))), HOOK_ALLOW);
    /* What is ours is not even known: each device may be. */
    guarded_known = false;
    ck_assert_int_eq(ask_for(hostdev(address("0000:05:00.0"))), HOOK_WAIT);
    teardown();
}
END_TEST

START_TEST(an_unclaimed_vf_is_refused_or_adopted)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(2))), HOOK_WAIT);
    expect_words("claimed for no VM");
    adopt = true;
    ck_assert_int_eq(ask_for(hostdev(vf_address(2))), HOOK_ALLOW);
    /* It says that it is a port's: the document is on its way. */
    struct domain_device named = hostdev(vf_address(2));
    named.has_port = true;
    named.port = id_of(3);
    ck_assert_int_eq(ask_for(named), HOOK_WAIT);
    teardown();
}
END_TEST

START_TEST(one_refused_device_refuses_all)
{
    setup();
    give(document(1, 2));
    carry_out(true);
    struct domain_device both[] = {hostdev(vf_address(0)),
                                   hostdev(vf_address(3))};
    ck_assert_int_eq(ask(both, 2), HOOK_WAIT);
    expect_words("0000:3b:10.3");
    /* Two VMs' VFs. */
    both[1] = hostdev(vf_address(1));
    ck_assert_int_eq(ask(both, 2), HOOK_REFUSE);
    expect_words("another VM");
    struct desired *one = document(2, 2);
    one->ports[1].vm = one->ports[0].vm;
    give(one);
    carry_out(true);
    ck_assert_int_eq(ask(both, 2), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(what_the_domain_says_of_itself_must_agree)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    struct domain_device device = hostdev(vf_address(0));
    device.has_port = true;
    device.port = id_of(1);
    ck_assert_int_eq(ask_as(HOOK_PREPARE, &device, 1, id_of(51)), HOOK_ALLOW);
    ck_assert_int_eq(ask_as(HOOK_PREPARE, &device, 1, id_of(52)), HOOK_REFUSE);
    device.port = id_of(2);
    ck_assert_int_eq(ask_for(device), HOOK_REFUSE);
    expect_words("claimed for port");
    teardown();
}
END_TEST

START_TEST(libvirt_is_not_to_write_the_policy_as_well)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    struct domain_device device = hostdev(vf_address(0));
    device.mac = (struct mac){{0x52, 0x54, 0, 0, 1, 0}};
    ck_assert_int_eq(ask_for(device), HOOK_REFUSE);
    expect_words("<interface type='hostdev'>");
    teardown();
}
END_TEST

START_TEST(a_port_that_goes_or_is_on_virtio_has_no_vf)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    struct desired *slow = document(2, 1);
    slow->ports[0].path = PATH_VIRTIO;
    give(slow);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("port accelerate");
    struct desired *gone = document(3, 1);
    gone->ports[0].absent = true;
    give(gone);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    expect_words("being removed");
    teardown();
}
END_TEST

START_TEST(a_vf_that_is_not_there_is_waited_for)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    auto_inventory struct inventory *bare = inventory_new(0, 0, 0);
    bare->kernel = str_intern("6.1");
    reconcile_inventory(core, NOW, bare);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_WAIT);
    ck_assert_int_eq(ask_for(hostdev(vf_address(1))), HOOK_WAIT);
    give_host();
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(vf_address(0))), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(a_macvtap_on_a_vf_has_that_vf)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    struct domain_device above = {.kind = DOMAIN_MACVTAP, .source = "ens1f0v1"};
    ck_assert_int_eq(ask_for(above), HOOK_WAIT);
    expect_words("0000:3b:10.1");
    give(document(2, 2));
    carry_out(true);
    ck_assert_int_eq(ask_for(above), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(the_pf_itself_is_ours_too)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    ck_assert_int_eq(ask_for(hostdev(address(PF))), HOOK_WAIT);
    expect_words("claimed for no VM");
    teardown();
}
END_TEST

START_TEST(migrations_come_only_without_vfs)
{
    setup();
    give(document(1, 1));
    carry_out(true);
    struct domain_device device = hostdev(vf_address(0));
    const struct uuid none = {{0}};
    ck_assert_int_eq(ask_as(HOOK_MIGRATE, &device, 1, none), HOOK_REFUSE);
    expect_words("sriov-admin port decelerate");
    /* An address of the source host; the alias tells. */
    device = hostdev(address("0000:05:00.0"));
    ck_assert_int_eq(ask_as(HOOK_MIGRATE, &device, 1, none), HOOK_ALLOW);
    device.has_port = true;
    device.port = id_of(9);
    ck_assert_int_eq(ask_as(HOOK_MIGRATE, &device, 1, none), HOOK_REFUSE);
    struct domain_device tap = {.kind = DOMAIN_INTERFACE, .has_port = true};
    ck_assert_int_eq(ask_as(HOOK_MIGRATE, &tap, 1, none), HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(a_release_is_always_allowed)
{
    setup();
    struct domain_device device = hostdev(vf_address(3));
    ck_assert_int_eq(ask_as(HOOK_RELEASE, &device, 1, (struct uuid){{0}}),
                     HOOK_ALLOW);
    teardown();
}
END_TEST

START_TEST(the_list_has_pfs_that_may_be_used_and_what_is_claimed)
{
    auto_guarded struct guarded list = {0};
    open_core();
    ck_assert(!reconcile_guarded(core, &list));
    give(document(1, 1));
    ck_assert(!reconcile_guarded(core, &list));
    give_host();
    ck_assert(reconcile_guarded(core, &list));
    ck_assert(guarded_same(&list, &guarded));
    guarded_done(&list);
    struct desired *denied = document(2, 1);
    denied->pfs[0].allowed = false;
    give(denied);
    ck_assert(reconcile_guarded(core, &list));
    ck_assert_uint_eq(list.count, 1);
    struct pci_address claimed = vf_address(0);
    ck_assert_ptr_nonnull(guarded_find(&list, &claimed));
    teardown();
}
END_TEST

CHECK_MAIN("hook", after_a_restart_in_the_same_boot_what_was_claimed_starts,
           what_another_domain_has_is_waited_for, a_vm_runs_once,
           a_managed_vm_has_one_domain,
           a_vm_that_is_being_removed_does_not_start,
           a_domain_without_devices_of_ours_starts,
           a_claimed_vf_waits_for_its_policy_and_then_starts,
           drift_that_was_read_is_waited_for,
           a_refused_policy_is_refused_with_its_condition,
           before_a_document_nothing_of_ours_starts,
           an_unclaimed_vf_is_refused_or_adopted,
           one_refused_device_refuses_all,
           what_the_domain_says_of_itself_must_agree,
           libvirt_is_not_to_write_the_policy_as_well,
           a_port_that_goes_or_is_on_virtio_has_no_vf,
           a_vf_that_is_not_there_is_waited_for, a_macvtap_on_a_vf_has_that_vf,
           the_pf_itself_is_ours_too, migrations_come_only_without_vfs,
           a_release_is_always_allowed,
           the_list_has_pfs_that_may_be_used_and_what_is_claimed);
