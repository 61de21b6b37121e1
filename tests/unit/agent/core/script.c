/* SPDX-License-Identifier: Apache-2.0 */
/* See script.h. */
#include "tests/unit/agent/core/script.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include <check.h>

#include <stdio.h>
#include <string.h>

/* No flow needs so many actions in one go: more is a busy loop. */
#define ACTIONS_MAX 20000

static const char *const netdevs[PFS] = {"ens1f0", "ens2f0"};
static const char *const keys[PFS] = {"0000:3b:00.0", "0000:5e:00.0"};

static struct uuid id_of(uint8_t kind, unsigned number)
{
    struct uuid id = {{0}};
    id.bytes[0] = kind;
    id.bytes[15] = (uint8_t)number;
    return id;
}

struct uuid script_vm_id(unsigned number)
{
    return id_of(2, number);
}

struct mac script_mac(unsigned number)
{
    return (struct mac){{0x52, 0x54, 0, 0, 1, (uint8_t)number}};
}

static struct pf_key key_of(unsigned pf)
{
    struct pf_key key = {0};
    pf_key_parse(keys[pf], &key);
    return key;
}

static unsigned pf_number(const struct pf_key *key)
{
    for (unsigned i = 0; i < PFS; i++) {
        if (strcmp(keys[i], key->text) == 0)
            return i;
    }
    ck_abort_msg("no such PF: %s", key->text);
    return 0;
}

static struct pci_address vf_address(unsigned pf, unsigned vf)
{
    struct pci_address address = {0};
    char text[PCI_TEXT_SIZE];
    snprintf(text, sizeof text, "0000:%s:02.%u", pf == 0 ? "3b" : "5e", vf);
    ck_assert(pci_parse(text, &address));
    return address;
}

/* ---- what the core is given ------------------------------------------------------ */

static struct pf *make_pf(const struct script *s, unsigned number)
{
    struct pf *pf = pf_new(VFS);
    pf->key = key_of(number);
    str_copy(pf->netdev, netdevs[number]);
    pf->driver = str_intern("igb");
    pf->firmware = str_intern("1.0");
    pf->vendor_name = pf->device_name = str_intern("");
    pf->link_up = true;
    pf->link_speed_mbps = 1000;
    pf->total_vfs = pf->num_vfs = VFS;
    for (size_t i = 0; i < VFS; i++) {
        struct vf *vf = &pf->vfs[i];
        vf->index = (uint16_t)i;
        vf->has_address = true;
        vf->address = vf_address(number, (unsigned)i);
        vf->driver = vf->reason = str_intern("");
        vf->policy = s->kernel[number][i];
        vf->observed_at = s->now;
        for (unsigned g = 1; g <= GUESTS; g++) {
            const struct guest *guest = &s->guests[g];
            if (guest->active && guest->vf && guest->vf_pf == number &&
                guest->vf_index == i && !s->unseen) {
                vf->state = VF_EXTERNAL;
                vf->reason = str_intern("a process uses its VFIO group");
            }
        }
    }
    for (unsigned i = 0; i < POLICY_FIELD_MAX; i++)
        pf->capabilities.field[i].note = str_intern("");
    for (unsigned i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        pf->capabilities.trait[i].note = str_intern("");
    return pf;
}

static void read_host(struct script *s)
{
    auto_inventory struct inventory *inventory = inventory_new(PFS, 1, 0);
    inventory->kernel = str_intern("6.1");
    inventory->libvirt_version = inventory->qemu_version = str_intern("");
    for (unsigned i = 0; i < PFS; i++)
        inventory->pfs[i] = make_pf(s, i);
    str_copy(inventory->networks[0].device, "br0");
    str_copy(inventory->networks[0].uplink, s->uplink);
    inventory->networks[0].vlans = true;
    reconcile_inventory(s->core, s->now, inventory);
}

static void add_device(struct domain_facts *facts,
                       const struct domain_device *device)
{
    facts->devices[facts->device_count++] = *device;
}

static void make_domain(unsigned number, const struct guest *guest,
                        struct domain_state *out)
{
    char port[UUID_TEXT_SIZE];
    struct uuid id = id_of(1, number);
    uuid_format(&id, port);
    out->uuid = id_of(guest->external ? 9 : 2, number);
    snprintf(out->name, sizeof out->name, "vm-%u", number);
    out->power_state = guest->active ? POWER_RUNNING : POWER_SHUT_OFF;
    str_copy(out->reason, guest->reason);
    out->persistent = true;
    out->vcpus = 2;
    out->memory_mib = 512;
    out->facts.uuid = out->uuid;
    out->facts.devices = mem_calloc(2, sizeof *out->facts.devices);
    struct domain_device leg = {.kind = DOMAIN_INTERFACE,
                                .has_port = true,
                                .port = id,
                                .mac = script_mac(number)};
    snprintf(leg.alias, sizeof leg.alias, "ua-%s", port);
    str_copy(leg.source, "br0");
    if (guest->active)
        snprintf(leg.target, sizeof leg.target, "vnet%u", number);
    if (guest->leg)
        add_device(&out->facts, &leg);
    struct domain_device vf = {.kind = DOMAIN_HOSTDEV,
                               .has_port = true,
                               .port = id,
                               .has_address = true,
                               .address =
                                   vf_address(guest->vf_pf, guest->vf_index)};
    snprintf(vf.alias, sizeof vf.alias, "ua-%s-vf", port);
    if (guest->vf)
        add_device(&out->facts, &vf);
}

static int by_uuid(const void *a, const void *b)
{
    const struct domain_state *left = a, *right = b;
    return uuid_compare(&left->uuid, &right->uuid);
}

static void give_domains(struct script *s)
{
    s->told = true;
    if (s->libvirt_away) {
        reconcile_domains(s->core, s->now, NULL, "connection refused");
        return;
    }
    size_t count = 0;
    for (unsigned i = 1; i <= GUESTS; i++)
        count += s->guests[i].defined || s->guests[i].active;
    auto_domain_list struct domain_list *list = domain_list_new(count);
    for (unsigned i = 1, k = 0; i <= GUESTS; i++) {
        if (s->guests[i].defined || s->guests[i].active)
            make_domain(i, &s->guests[i], &list->domains[k++]);
    }
    qsort(list->domains, count, sizeof *list->domains, by_uuid);
    reconcile_domains(s->core, s->now, list, NULL);
}

void script_tell(struct script *s)
{
    read_host(s);
    give_domains(s);
}

static void give_document(struct script *s)
{
    size_t ports = 0, vms = 0;
    struct error err = {0};
    for (unsigned i = 1; i <= GUESTS; i++) {
        ports += !uuid_is_zero(&s->ports[i].id);
        vms += !uuid_is_zero(&s->vms[i].id);
    }
    auto_desired struct desired *doc = desired_new(ports, 0, vms);
    doc->cluster_id = id_of(99, 0);
    str_copy(doc->host, "h1");
    doc->revision = (struct revision){1, s->revision};
    doc->full = true;
    for (unsigned i = 1, p = 0, v = 0; i <= GUESTS; i++) {
        if (!uuid_is_zero(&s->ports[i].id))
            doc->ports[p++] = s->ports[i];
        if (uuid_is_zero(&s->vms[i].id))
            continue;
        doc->vms[v] = s->vms[i];
        if (s->vms[i].domain_xml)
            ref_get(s->vms[i].domain_xml);
        v++;
    }
    ck_assert_msg(reconcile_desired(s->core, doc, &err) == 0, "%s", err.msg);
}

void script_send(struct script *s)
{
    s->revision++;
    give_document(s);
}

/* ---- the rules that hold at any instant ---------------------------------------------- */

static struct mac *find_held(struct script *s, unsigned pf,
                             const struct mac *mac)
{
    for (size_t i = 0; i < MACS; i++) {
        if (mac_compare(&s->filter[pf][i], mac) == 0)
            return &s->filter[pf][i];
    }
    return NULL;
}

bool script_held(const struct script *s, unsigned pf, unsigned number)
{
    struct mac mac = script_mac(number);
    for (size_t i = 0; i < MACS; i++) {
        if (mac_compare(&s->filter[pf][i], &mac) == 0)
            return true;
    }
    return false;
}

static bool disk_has_hold(const struct script *s, const struct pf_key *pf,
                          const struct mac *mac)
{
    for (size_t i = 0; i < s->disk.hold_count; i++) {
        if (pf_key_compare(&s->disk.holds[i].pf, pf) == 0 &&
            mac_compare(&s->disk.holds[i].mac, mac) == 0)
            return true;
    }
    return false;
}

static bool disk_has_vm(const struct script *s, const struct uuid *id)
{
    for (size_t i = 0; i < s->disk.vm_count; i++) {
        if (uuid_equal(&s->disk.vms[i].vm, id))
            return true;
    }
    return false;
}

/* Nobody cleans below a guest; nobody takes a MAC to a VF while the guest hears
 * only by its virtio leg and the PF's filter would not let it through. */
static void check_write(struct script *s, const struct action *action)
{
    unsigned pf = pf_number(&action->pf);
    if (!(action->fields & POLICY_BIT(POLICY_MAC)))
        return;
    for (unsigned i = 1; i <= GUESTS; i++) {
        const struct guest *guest = &s->guests[i];
        struct mac mac = script_mac(i);
        bool has = guest->active && guest->vf && guest->vf_pf == pf &&
                   guest->vf_index == action->vf_index;
        bool takes = mac_compare(&action->policy.mac, &mac) == 0;
        ck_assert_msg(!has || takes, "VF %u is cleaned below its guest",
                      action->vf_index);
        bool silent = takes && guest->active && guest->leg && !has &&
                      pf_number(&action->pf) == 0 && !s->filter_refuses &&
                      strcmp(s->uplink, netdevs[0]) == 0 && !s->libvirt_away;
        ck_assert_msg(!silent || script_held(s, 0, i),
                      "the MAC goes to the VF before it is held");
    }
}

static void check_reset(const struct script *s, const struct action *action)
{
    for (unsigned i = 1; i <= GUESTS; i++) {
        const struct guest *guest = &s->guests[i];
        ck_assert_msg(!(guest->active && guest->vf &&
                        guest->vf_pf == pf_number(&action->pf) &&
                        guest->vf_index == action->vf_index),
                      "VF %u is reset below its guest", action->vf_index);
    }
}

/* ---- the kernel ------------------------------------------------------------------------ */

static void write_filter(struct script *s, const struct action *action,
                         struct action_result *result)
{
    unsigned pf = pf_number(&action->pf);
    static const struct mac zero = {{0}};
    struct mac *have = find_held(s, pf, &action->policy.mac);
    ck_assert_msg(disk_has_hold(s, &action->pf, &action->policy.mac),
                  "a hold is not durable");
    if (s->filter_busy) {
        s->filter_busy--;
        result->failed = true;
        error_fill(&result->err, ERROR_AGAIN, 0, "", "it is busy");
    } else if (s->filter_refuses) {
        result->failed = true;
        error_fill(&result->err, ERROR_UNSUPPORTED, 0, "", "it takes none");
    } else if (action->kind == ACTION_LET_GO && have) {
        *have = zero;
    } else if (action->kind == ACTION_HOLD && !have) {
        struct mac *room = find_held(s, pf, &zero);
        ck_assert_ptr_nonnull(room);
        *room = action->policy.mac;
    }
}

static struct guest *user_of(struct script *s, unsigned pf, unsigned vf)
{
    for (unsigned i = 1; i <= GUESTS; i++) {
        struct guest *guest = &s->guests[i];
        if (guest->active && guest->vf && guest->vf_pf == pf &&
            guest->vf_index == vf)
            return guest;
    }
    return NULL;
}

static void tell_evidence(struct script *s, const struct action *action,
                          struct vf_evidence *evidence)
{
    const struct guest *guest =
        user_of(s, pf_number(&action->pf), action->vf_index);
    *evidence =
        (struct vf_evidence){.kind = EVIDENCE_VF_INTERRUPTS, .readable = true};
    if (!guest || guest->drives_after == NEVER)
        return;
    bool drives = s->now >= guest->plugged_at + guest->drives_after;
    evidence->in_use = drives;
    evidence->count = drives ? 7 : 0;
}

static unsigned tap_number(const char *tap)
{
    unsigned number = 0;
    ck_assert_int_eq(sscanf(tap, "vnet%u", &number), 1);
    ck_assert_uint_le(number, GUESTS);
    return number;
}

static void do_tap(struct script *s, const struct action *action,
                   struct action_result *result)
{
    unsigned number = tap_number(action->netdev);
    struct guest *guest = &s->guests[number];
    if (!guest->active) {
        result->failed = true;
        error_fill(&result->err, ERROR_VANISHED, 0, "", "no such tap");
        return;
    }
    if (action->kind == ACTION_TAP_VLAN) {
        ck_assert_str_eq(action->bridge, "br0");
        guest->tap_set = true;
        guest->tap_vlan = action->policy.vlan;
        return;
    }
    result->policy = policy_clean();
    result->policy.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN) |
                         POLICY_BIT(POLICY_SPOOFCHK);
    result->policy.mac = script_mac(number);
    result->policy.vlan = guest->tap_vlan;
}

/* ---- libvirt ---------------------------------------------------------------------------- */

static unsigned guest_of(const struct script *s, const struct uuid *domain)
{
    for (unsigned i = 1; i <= GUESTS; i++) {
        struct uuid id = id_of(s->guests[i].external ? 9 : 2, i);
        if (uuid_equal(&id, domain))
            return i;
    }
    ck_abort_msg("an order for an unknown domain");
    return 0;
}

static void goes_off(struct guest *guest, const char *reason)
{
    guest->active = false;
    guest->reason = reason;
    guest->stopping_at = guest->asked_at = 0;
    guest->tap_set = false;
    guest->tap_vlan = 0;
}

static void starts(struct script *s, struct guest *guest)
{
    guest->active = true;
    guest->starts++;
    guest->reason = "booted";
    guest->plugged_at = s->now;
}

static void define(struct script *s, unsigned number, const char *xml)
{
    struct guest *guest = &s->guests[number];
    struct domain_facts facts = {0};
    struct error err = {0};
    ck_assert_msg(domain_read(xml, strlen(xml), &facts, &err) == 0, "%s",
                  err.msg);
    struct uuid port = id_of(1, number);
    const struct domain_device *vf = domain_facts_hostdev(&facts, &port);
    guest->defined = true;
    guest->leg = domain_facts_leg(&facts, &port) != NULL;
    guest->vf = vf != NULL;
    guest->vf_pf = 0;
    guest->vf_index = vf ? vf->address.function : 0;
    domain_facts_done(&facts);
}

static void carry_out(struct script *s, const struct domain_order *order)
{
    unsigned number = guest_of(s, &order->domain);
    struct guest *guest = &s->guests[number];
    switch (order->kind) {
    case DOMAIN_DEFINE:
        ck_assert_msg(!guest->external, "an external VM is defined");
        ck_assert_msg(!guest->active, "a running VM is defined");
        ck_assert(disk_has_vm(s, &order->domain));
        define(s, number, order->xml);
        break;
    case DOMAIN_START:
        ck_assert_msg(!guest->external, "an external VM is started");
        ck_assert(disk_has_vm(s, &order->domain) && guest->defined);
        if (!guest->active)
            starts(s, guest);
        break;
    case DOMAIN_SHUTDOWN:
        guest->shutdowns++;
        if (guest->active)
            guest->stopping_at = s->now;
        break;
    case DOMAIN_DESTROY:
        ck_assert_msg(!guest->external, "an external VM is destroyed");
        guest->destroys++;
        if (guest->active)
            goes_off(guest, "destroyed");
        break;
    case DOMAIN_UNDEFINE:
        guest->defined = false;
        break;
    case DOMAIN_PLUG:
        ck_assert_msg(guest->active && !guest->vf, "plugged twice");
        ck_assert_ptr_nonnull(strstr(order->xml, "hostdev"));
        guest->plugs++;
        guest->vf = true;
        guest->vf_pf = s->ports[number].claim.pf.text[5] == '3' ? 0 : 1;
        guest->vf_index = s->ports[number].claim.vf_index;
        guest->plugged_at = s->now;
        ck_assert(mac_compare(&s->kernel[guest->vf_pf][guest->vf_index].mac,
                              &s->ports[number].policy.mac) == 0);
        break;
    case DOMAIN_UNPLUG:
        ck_assert_ptr_nonnull(order->alias);
        guest->unplugs++;
        if (guest->active && guest->vf && !guest->asked_at)
            guest->asked_at = s->now;
        break;
    case DOMAIN_ORDER_MAX:
        ck_abort();
    }
    s->told = false;
}

/* A VF is plugged and unplugged with its MAC held. */
static void check_order(const struct script *s,
                        const struct domain_order *order)
{
    unsigned number = guest_of(s, &order->domain);
    const struct guest *guest = &s->guests[number];
    bool moves = order->kind == DOMAIN_PLUG || order->kind == DOMAIN_UNPLUG;
    bool silent = moves && guest->active && guest->leg && !s->filter_refuses;
    ck_assert_msg(!silent || script_held(s, 0, number) ||
                      script_held(s, 1, number),
                  "a VF is moved without its MAC held");
}

/* An order is under way when it is first given, and done when asked again. */
static void do_order(struct script *s, const struct action *action,
                     struct action_result *result)
{
    const struct domain_order *order = &action->order;
    bool again = s->order_runs && s->under_way.kind == order->kind &&
                 uuid_equal(&s->under_way.domain, &order->domain);
    if (s->libvirt_away) {
        result->failed = true;
        error_fill(&result->err, ERROR_AGAIN, 0, "", "connection refused");
        return;
    }
    if (!again) {
        check_order(s, order);
        s->under_way = *order;
        s->order_runs = true;
        result->pending = true;
        return;
    }
    s->order_runs = false;
    if (s->refuses && s->refused == order->kind) {
        result->failed = true;
        error_fill(&result->err, ERROR_IO, 0, "", "%s", s->refuses);
        return;
    }
    carry_out(s, order);
}

/* ---- obeying ----------------------------------------------------------------------------- */

static void save(struct script *s)
{
    agent_state_done(&s->disk);
    agent_state_copy(&s->disk, reconcile_state(s->core));
}

static void write_vf(struct script *s, const struct action *action)
{
    struct policy *kernel =
        &s->kernel[pf_number(&action->pf)][action->vf_index];
    check_write(s, action);
    for (unsigned f = 0; f < POLICY_FIELD_MAX; f++) {
        if (action->fields & POLICY_BIT(f))
            policy_copy_field(kernel, &action->policy, (enum policy_field)f);
    }
}

static void obey(struct script *s, const struct action *action,
                 struct action_result *result)
{
    switch (action->kind) {
    case ACTION_SAVE:
        save(s);
        break;
    case ACTION_READ:
        result->policy = s->kernel[pf_number(&action->pf)][action->vf_index];
        break;
    case ACTION_WRITE:
        write_vf(s, action);
        break;
    case ACTION_RESET:
        check_reset(s, action);
        break;
    case ACTION_HOLD:
    case ACTION_LET_GO:
        write_filter(s, action, result);
        break;
    case ACTION_HELD:
        result->held =
            find_held(s, pf_number(&action->pf), &action->policy.mac) != NULL;
        break;
    case ACTION_ORDER:
        do_order(s, action, result);
        break;
    case ACTION_EVIDENCE:
        tell_evidence(s, action, &result->evidence);
        break;
    case ACTION_ANNOUNCE:
        s->announced[strcmp(action->netdev, netdevs[0]) == 0 ? 0 : 1]++;
        break;
    case ACTION_LEARNING:
        result->learns = s->learns[strcmp(action->netdev, netdevs[0]) != 0];
        break;
    case ACTION_LEARNING_OFF:
        s->learns[strcmp(action->netdev, netdevs[0]) != 0] = false;
        break;
    case ACTION_TAP_VLAN:
    case ACTION_TAP_READ:
        do_tap(s, action, result);
        break;
    case ACTION_PF_SET:
        ck_abort_msg("no PF is to be changed");
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static void begin(struct script *s)
{
    struct agent_state state = {0};
    struct reconcile_config config = {
        .host = "h1", .seed = 1, .skip_probing = true};
    config.boot_id.bytes[0] = (uint8_t)s->boot;
    agent_state_copy(&state, &s->disk);
    s->core = reconcile_new(&config, &state);
}

void script_open(struct script *s)
{
    memset(s, 0, sizeof *s);
    s->now = NOW;
    s->boot = 1;
    s->uplink = netdevs[0];
    for (unsigned p = 0; p < PFS; p++) {
        s->learns[p] = true;
        for (unsigned i = 0; i < VFS; i++)
            s->kernel[p][i] = policy_clean();
    }
    for (unsigned i = 1; i <= GUESTS; i++)
        s->guests[i] = (struct guest){.drives_after = 2 * SECOND,
                                      .lets_go_after = SECOND,
                                      .shuts_down_after = 3 * SECOND,
                                      .reason = "unknown"};
    begin(s);
    script_tell(s);
}

void script_close(struct script *s)
{
    reconcile_free(s->core);
    agent_state_done(&s->disk);
    for (unsigned i = 1; i <= GUESTS; i++)
        ref_put(s->vms[i].domain_xml);
}

void script_crash(struct script *s)
{
    s->crashes++;
    reconcile_free(s->core);
    begin(s);
    script_tell(s);
    if (s->revision)
        give_document(s);
}

struct desired_port *script_port(struct script *s, unsigned number,
                                 enum port_path path)
{
    struct desired_port *port = &s->ports[number];
    port->id = id_of(1, number);
    port->vm = script_vm_id(number);
    snprintf(port->name, sizeof port->name, "eth0");
    port->path = (uint8_t)path;
    port->vnic_type = VNIC_DIRECT;
    port->fallback = FALLBACK_VIRTIO;
    port->guest_failover = GUEST_FAILOVER_NET_FAILOVER;
    port->has_claim = true;
    port->claim.pf = key_of(0);
    port->claim.vf_index = (uint16_t)(number - 1);
    port->claim.has_address = true;
    port->claim.address = vf_address(0, number - 1);
    port->policy.set = POLICY_BIT(POLICY_MAC) | POLICY_BIT(POLICY_VLAN);
    port->policy.mac = script_mac(number);
    port->policy.vlan = 100;
    port->absent = false;
    str_copy(port->network, "br0");
    port->revision = (struct revision){1, s->revision + 1};
    return port;
}

void script_vm(struct script *s, unsigned number, enum vm_lifecycle lifecycle)
{
    static const char xml[] =
        "<domain type='qemu'><os><type machine='q35'>hvm</type></os></domain>";
    struct desired_vm *vm = &s->vms[number];
    ref_put(vm->domain_xml);
    *vm = (struct desired_vm){.id = script_vm_id(number),
                              .lifecycle = (uint8_t)lifecycle,
                              .power_on = true,
                              .vcpus = 2,
                              .memory_mib = 512,
                              .revision = {1, s->revision + 1}};
    snprintf(vm->name, sizeof vm->name, "vm-%u", number);
    s->guests[number].external = lifecycle == LIFECYCLE_EXTERNAL;
    if (lifecycle == LIFECYCLE_MANAGED)
        vm->domain_xml = text_new(xml, strlen(xml));
}

void script_start(struct script *s, unsigned number, bool vf)
{
    struct guest *guest = &s->guests[number];
    guest->leg = true;
    guest->vf = vf;
    guest->vf_pf = 0;
    guest->vf_index = (uint16_t)(number - 1);
    guest->defined = true;
    starts(s, guest);
    script_tell(s);
}

void script_kill(struct script *s, unsigned number)
{
    goes_off(&s->guests[number], "crashed");
    script_tell(s);
}

/* ---- time ------------------------------------------------------------------------------------ */

/* When the guest next does something by itself. */
static int64_t guest_due(const struct guest *guest)
{
    int64_t due = NEVER;
    if (guest->asked_at && guest->lets_go_after != NEVER)
        due = guest->asked_at + guest->lets_go_after;
    if (guest->stopping_at && guest->shuts_down_after != NEVER &&
        guest->stopping_at + guest->shuts_down_after < due)
        due = guest->stopping_at + guest->shuts_down_after;
    return due;
}

static bool guest_acts(struct script *s, struct guest *guest)
{
    bool acts = false;
    if (guest->asked_at && guest->lets_go_after != NEVER &&
        s->now >= guest->asked_at + guest->lets_go_after) {
        guest->asked_at = 0;
        guest->vf = false;
        acts = true;
    }
    if (guest->stopping_at && guest->shuts_down_after != NEVER &&
        s->now >= guest->stopping_at + guest->shuts_down_after) {
        goes_off(guest, "shutdown");
        acts = true;
    }
    return acts;
}

static void events(struct script *s)
{
    bool news = false;
    for (unsigned i = 1; i <= GUESTS; i++)
        news |= guest_acts(s, &s->guests[i]);
    if (news)
        read_host(s);
    if (news || !s->told)
        give_domains(s);
}

/* One action, unless this is where the core dies. */
static void act(struct script *s, const struct action *action)
{
    struct action_result result = {0};
    bool dies = ++s->actions == s->crash_at;
    if (dies && s->crash_before) {
        script_crash(s);
        return;
    }
    obey(s, action, &result);
    if (dies) {
        script_crash(s);
        return;
    }
    reconcile_done(s->core, s->now, action, &result);
    /* The end of an order and what it did are told by events. */
    if (action->kind == ACTION_ORDER)
        script_tell(s);
}

void script_run(struct script *s, int64_t ns)
{
    int64_t end = s->now + ns;
    unsigned busy = 0;
    for (;;) {
        struct action action = {0};
        int64_t wake = NEVER;
        events(s);
        if (reconcile_next(s->core, s->now, &action, &wake)) {
            ck_assert_msg(++busy < ACTIONS_MAX, "busy without end");
            act(s, &action);
            continue;
        }
        ck_assert_msg(wake > s->now, "it wakes without a thing to do");
        for (unsigned i = 1; i <= GUESTS; i++) {
            int64_t due = guest_due(&s->guests[i]);
            wake = due < wake ? due : wake;
        }
        if (wake > end)
            break;
        s->now = wake > s->now ? wake : s->now;
    }
    s->now = end;
}

/* ---- what is told --------------------------------------------------------------------------- */

struct observed_port script_told(const struct script *s, unsigned number)
{
    struct observed_port ports[GUESTS + 1] = {0};
    struct uuid id = id_of(1, number);
    size_t count = reconcile_ports(s->core, ports, GUESTS + 1);
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(&ports[i].id, &id))
            return ports[i];
    }
    ck_abort_msg("port %u is not told", number);
    return ports[0];
}

struct observed_vm script_told_vm(const struct script *s, unsigned number)
{
    struct observed_vm vms[GUESTS + 1] = {0};
    struct uuid id = script_vm_id(number);
    size_t count = reconcile_vms(s->core, vms, GUESTS + 1);
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(&vms[i].id, &id))
            return vms[i];
    }
    ck_abort_msg("VM %u is not told", number);
    return vms[0];
}
