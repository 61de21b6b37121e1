/* SPDX-License-Identifier: Apache-2.0 */
/* The two documents on the wire. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

#define DOMAIN_XML "<domain type='kvm'>\n<os/>\"\u00fc\"</domain>\n"

static struct desired *full_desired(void)
{
    struct desired *desired = desired_new(2, 2, 2);
    pf_key_parse("0000:3b:00.0", &desired->pfs[0].key);
    desired->pfs[0].allowed = true;
    desired->pfs[0].has_num_vfs = true;
    desired->pfs[0].num_vfs = 7;
    desired->pfs[0].autoprobe = AUTOPROBE_OFF;
    desired->pfs[0].bridge_mode = BRIDGE_VEB;
    desired->pfs[0].revision = (struct revision){3, 12};
    pf_key_parse("netdevsim1", &desired->pfs[1].key);
    desired->cluster_id = sample_uuid(1);
    str_copy(desired->host, "h17");
    desired->revision = (struct revision){3, 17};
    desired->full = true;
    desired->ports[0] = (struct desired_port){
        .id = sample_uuid(2),
        .vm = sample_uuid(3),
        .path = PATH_VIRTIO,
        .has_claim = true,
        .claim = sample_claim(),
        .policy = sample_policy(),
        .name = "eth0",
        .vnic_type = VNIC_MACVTAP,
        .fallback = FALLBACK_VIRTIO,
        .guest_failover = GUEST_FAILOVER_BOND,
        .macvtap_mode = MACVTAP_VEPA,
        .network = "br0",
        .network_kind = SWITCH_MACVTAP,
        .revision = {3, 16},
    };
    desired->ports[1] = (struct desired_port){
        .id = sample_uuid(4), .vm = sample_uuid(3), .absent = true};
    desired->vms[0] = (struct desired_vm){
        .id = sample_uuid(3),
        .name = "web-1",
        .lifecycle = LIFECYCLE_MANAGED,
        .power_on = true,
        .vcpus = 4,
        .memory_mib = 8192,
        .domain_xml = text_new(DOMAIN_XML, strlen(DOMAIN_XML)),
        .revision = {3, 15},
    };
    desired->vms[1] = (struct desired_vm){.id = sample_uuid(8), .absent = true};
    return desired;
}

START_TEST(a_full_desired_document_comes_back_equal)
{
    auto_desired struct desired *desired = full_desired();
    auto_json json_t *value = over_the_wire(wire_desired(desired));
    auto_desired struct desired *back = wire_desired_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(uuid_equal(&desired->cluster_id, &back->cluster_id));
    ck_assert_str_eq(back->host, "h17");
    ck_assert_int_eq(revision_compare(&desired->revision, &back->revision), 0);
    ck_assert(back->full);
    ck_assert_uint_eq(back->port_count, 2);
    ck_assert_uint_eq(back->pf_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct desired_pf *a = &desired->pfs[i], *b = &back->pfs[i];
        ck_assert_int_eq(pf_key_compare(&a->key, &b->key), 0);
        ck_assert(a->allowed == b->allowed && a->has_num_vfs == b->has_num_vfs);
        ck_assert(a->num_vfs == b->num_vfs && a->autoprobe == b->autoprobe);
        ck_assert(a->bridge_mode == b->bridge_mode);
        ck_assert_int_eq(revision_compare(&a->revision, &b->revision), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        const struct desired_port *a = &desired->ports[i];
        const struct desired_port *b = &back->ports[i];
        ck_assert(uuid_equal(&a->id, &b->id) && uuid_equal(&a->vm, &b->vm));
        ck_assert(a->absent == b->absent && a->path == b->path);
        ck_assert(a->has_claim == b->has_claim);
        ck_assert(!a->has_claim || same_claim(&a->claim, &b->claim));
        ck_assert(same_policy(&a->policy, &b->policy));
        ck_assert_str_eq(a->name, b->name);
        ck_assert(a->vnic_type == b->vnic_type && a->fallback == b->fallback);
        ck_assert(a->guest_failover == b->guest_failover &&
                  a->macvtap_mode == b->macvtap_mode);
        ck_assert_str_eq(a->network, b->network);
        ck_assert(a->network_kind == b->network_kind);
        ck_assert_int_eq(revision_compare(&a->revision, &b->revision), 0);
    }
    ck_assert_uint_eq(back->vm_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct desired_vm *a = &desired->vms[i], *b = &back->vms[i];
        ck_assert(uuid_equal(&a->id, &b->id) && a->absent == b->absent);
        ck_assert_str_eq(a->name, b->name);
        ck_assert(a->lifecycle == b->lifecycle && a->role == b->role);
        ck_assert(a->power_on == b->power_on && a->vcpus == b->vcpus &&
                  a->memory_mib == b->memory_mib);
        ck_assert(!a->domain_xml == !b->domain_xml);
        if (a->domain_xml) {
            ck_assert_str_eq(a->domain_xml->data, b->domain_xml->data);
            ck_assert_uint_eq(b->domain_xml->length, strlen(DOMAIN_XML));
        }
        ck_assert_int_eq(revision_compare(&a->revision, &b->revision), 0);
    }
}
END_TEST

START_TEST(a_document_of_an_older_scheduler_has_no_vms_and_no_wiring)
{
    auto_desired struct desired *desired = full_desired();
    auto_json json_t *value = wire_desired(desired);
    json_t *port = json_array_get(json_object_get(value, "ports"), 0);
    static const char *const newer[] = {
        "name",         "vnic_type", "fallback",    "guest_failover",
        "macvtap_mode", "network",   "network_kind"};
    json_object_del(value, "vms");
    for (size_t i = 0; i < sizeof newer / sizeof *newer; i++)
        ck_assert_int_eq(json_object_del(port, newer[i]), 0);
    auto_desired struct desired *back = wire_desired_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_uint_eq(back->vm_count, 0);
    ck_assert_int_eq(back->ports[0].vnic_type, VNIC_DIRECT);
    ck_assert_int_eq(back->ports[0].fallback, FALLBACK_REFUSE);
    ck_assert_str_eq(back->ports[0].network, "");
}
END_TEST

START_TEST(a_domain_above_the_limit_is_refused)
{
    auto_desired struct desired *desired = full_desired();
    auto_json json_t *value = wire_desired(desired);
    auto_free char *text = mem_calloc(1, DOMAIN_XML_MAX + 2);
    memset(text, 'x', DOMAIN_XML_MAX + 1);
    json_t *vm = json_array_get(json_object_get(value, "vms"), 0);
    json_object_set_new(vm, "domain_xml", json_string(text));
    ck_assert_ptr_null(wire_desired_read(value, &err));
    ck_assert_str_eq(err.field, "vms[0].domain_xml");
    text[DOMAIN_XML_MAX] = '\0';
    json_object_set_new(vm, "domain_xml", json_string(text));
    auto_desired struct desired *back = wire_desired_read(value, &err);
    ck_assert_ptr_nonnull(back);
}
END_TEST

START_TEST(removal_is_said_in_words)
{
    auto_desired struct desired *desired = full_desired();
    auto_json json_t *value = wire_desired(desired);
    json_t *ports = json_object_get(value, "ports");
    ck_assert_str_eq(
        json_string_value(json_object_get(json_array_get(ports, 0), "want")),
        "present");
    assert_json(json_incref(json_array_get(ports, 1)),
                "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8004\","
                "\"vm\":\"01890a5d-ac96-774b-bcce-b302099a8003\","
                "\"want\":\"absent\",\"path\":\"vf\",\"claim\":null,"
                "\"device\":false,\"policy\":{},\"name\":\"\","
                "\"vnic_type\":\"direct\",\"fallback\":\"refuse\","
                "\"guest_failover\":\"none\",\"macvtap_mode\":null,"
                "\"network\":\"\",\"network_kind\":\"linux_bridge\","
                "\"revision\":\"0.0\"}");
    json_t *vms = json_object_get(value, "vms");
    assert_json(json_incref(json_array_get(vms, 1)),
                "{\"id\":\"01890a5d-ac96-774b-bcce-b302099a8008\","
                "\"want\":\"absent\",\"name\":\"\","
                "\"lifecycle\":\"external\",\"role\":\"own\","
                "\"power_on\":false,\"vcpus\":0,\"memory_mib\":0,"
                "\"domain_xml\":null,\"revision\":\"0.0\"}");
}
END_TEST

START_TEST(a_desired_document_never_guesses_what_is_wanted)
{
    static const char *const members[] = {"id",       "want", "policy",
                                          "revision", "path", "vm"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        auto_desired struct desired *desired = full_desired();
        auto_json json_t *value = wire_desired(desired);
        json_object_del(json_array_get(json_object_get(value, "ports"), 1),
                        members[i]);
        err = (struct error){0};
        ck_assert_ptr_null(wire_desired_read(value, &err));
        char field[32];
        snprintf(field, sizeof field, "ports[1].%s", members[i]);
        ck_assert_str_eq(err.field, field);
    }
    static const char *const of_vms[] = {"id",       "want",     "name",
                                         "revision", "role",     "lifecycle",
                                         "vcpus",    "power_on", "memory_mib"};
    for (size_t i = 0; i < sizeof of_vms / sizeof *of_vms; i++) {
        auto_desired struct desired *desired = full_desired();
        auto_json json_t *value = wire_desired(desired);
        json_object_del(json_array_get(json_object_get(value, "vms"), 1),
                        of_vms[i]);
        err = (struct error){0};
        ck_assert_ptr_null(wire_desired_read(value, &err));
        char field[32];
        snprintf(field, sizeof field, "vms[1].%s", of_vms[i]);
        ck_assert_str_eq(err.field, field);
    }
    static const char *const tops[] = {"cluster_id", "host", "revision", "full",
                                       "ports"};
    for (size_t i = 0; i < sizeof tops / sizeof *tops; i++) {
        auto_desired struct desired *desired = full_desired();
        auto_json json_t *value = wire_desired(desired);
        json_object_del(value, tops[i]);
        ck_assert_ptr_null(wire_desired_read(value, &err));
        ck_assert_str_eq(err.field, tops[i]);
    }
}
END_TEST

START_TEST(a_desired_policy_that_breaks_the_rules_is_refused)
{
    auto_desired struct desired *desired = full_desired();
    auto_json json_t *value = wire_desired(desired);
    json_object_set_new(json_array_get(json_object_get(value, "ports"), 0),
                        "policy", parsed("{\"vlan_qos\":1}"));
    ck_assert_ptr_null(wire_desired_read(value, &err));
    ck_assert_str_eq(err.field, "ports[0].policy.vlan_qos");
}
END_TEST

static struct observed *full_observed(void)
{
    struct observed *observed = observed_new(1, 2, 1, 1);
    pf_key_parse("0000:3b:00.0", &observed->pfs[0].key);
    observed->pfs[0].phase = PF_REJECTED;
    observed->pfs[0].revision = (struct revision){3, 12};
    observed->pfs[0].condition = (struct condition){
        "PfConfigured", CONDITION_FALSE, "Undone", "", "silence", TIME_MS};
    observed->cluster_id = sample_uuid(1);
    str_copy(observed->host, "h17");
    observed->machine_id = sample_uuid(2);
    observed->boot_id = sample_uuid(3);
    str_copy(observed->agent_version, "0.1.0");
    observed->incarnation = 4;
    observed->sequence = 9;
    observed->base = 8;
    observed->full = true;
    observed->accepted = (struct revision){3, 17};
    observed->inventory = sample_inventory();
    pf_key_parse("netdevsim7", &observed->gone_pfs[0]);
    pf_key_parse("0000:af:00.1", &observed->gone_pfs[1]);
    struct observed_port *port = &observed->ports[0];
    port->id = sample_uuid(5);
    port->vm = sample_uuid(6);
    port->phase = PORT_FAILED;
    port->revision = (struct revision){3, 16};
    port->has_claim = true;
    port->claim = sample_claim();
    port->readback = policy_clean();
    port->observed_at = TIME_MS;
    port->condition =
        (struct condition){"PolicyApplied",    CONDITION_FALSE, "FieldRefused",
                           "min_tx_rate_mbps", "EOPNOTSUPP",    TIME_MS};
    port->way = (struct observed_way){
        .vf_plugged = true,
        .virtio_plugged = true,
        .vf_in_use = true,
        .evidence = EVIDENCE_VF_INTERRUPTS,
        .in_use_at = TIME_MS,
        .held = true,
        .tap = "vnet3",
        .virtio = sample_policy(),
        .condition = {"PathReady", CONDITION_FALSE, "GuestKeepsDevice", "",
                      "30 s", TIME_MS},
    };
    observed->vms[0] = (struct observed_vm){
        .id = sample_uuid(6),
        .domain = sample_uuid(9),
        .phase = VM_PHASE_APPLIED,
        .power_state = POWER_PAUSED,
        .revision = {3, 15},
        .condition = {"Running", CONDITION_FALSE, "Paused", "", "I/O error",
                      TIME_MS},
    };
    return observed;
}

START_TEST(a_full_observed_document_comes_back_equal)
{
    auto_observed struct observed *observed = full_observed();
    auto_json json_t *value = over_the_wire(wire_observed(observed));
    size_t unknown = 0;
    auto_observed struct observed *back =
        wire_observed_read(value, &unknown, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_uint_eq(unknown, 0);
    ck_assert(uuid_equal(&observed->cluster_id, &back->cluster_id));
    ck_assert(uuid_equal(&observed->machine_id, &back->machine_id));
    ck_assert(uuid_equal(&observed->boot_id, &back->boot_id));
    ck_assert_str_eq(back->host, "h17");
    ck_assert_str_eq(back->agent_version, "0.1.0");
    ck_assert(back->incarnation == 4 && back->sequence == 9 &&
              back->base == 8 && back->full);
    ck_assert_int_eq(revision_compare(&observed->accepted, &back->accepted), 0);
    ck_assert(same_inventory(observed->inventory, back->inventory));
    ck_assert_uint_eq(back->pf_count, 1);
    ck_assert_str_eq(back->pfs[0].key.text, "0000:3b:00.0");
    ck_assert_int_eq(back->pfs[0].phase, PF_REJECTED);
    ck_assert_uint_eq(back->pfs[0].revision.revision, 12);
    ck_assert_str_eq(back->pfs[0].condition.reason, "Undone");
    ck_assert_uint_eq(back->gone_count, 2);
    ck_assert_str_eq(back->gone_pfs[0].text, "netdevsim7");
    ck_assert_str_eq(back->gone_pfs[1].text, "0000:af:00.1");
    ck_assert_uint_eq(back->port_count, 1);
    const struct observed_port *a = &observed->ports[0], *b = &back->ports[0];
    ck_assert(uuid_equal(&a->id, &b->id) && uuid_equal(&a->vm, &b->vm));
    ck_assert(a->phase == b->phase && a->observed_at == b->observed_at);
    ck_assert_int_eq(revision_compare(&a->revision, &b->revision), 0);
    ck_assert(b->has_claim && same_claim(&a->claim, &b->claim));
    ck_assert(same_policy(&a->readback, &b->readback));
    ck_assert_str_eq(b->condition.type, "PolicyApplied");
    ck_assert_int_eq(b->condition.status, CONDITION_FALSE);
    ck_assert_str_eq(b->condition.reason, "FieldRefused");
    ck_assert_str_eq(b->condition.field, "min_tx_rate_mbps");
    ck_assert_str_eq(b->condition.message, "EOPNOTSUPP");
    ck_assert_int_eq(b->condition.at, TIME_MS);
}
END_TEST

START_TEST(the_way_of_a_port_comes_back_equal)
{
    auto_observed struct observed *observed = full_observed();
    auto_json json_t *value = over_the_wire(wire_observed(observed));
    auto_observed struct observed *back = wire_observed_read(value, NULL, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    const struct observed_way *a = &observed->ports[0].way;
    const struct observed_way *b = &back->ports[0].way;
    ck_assert(b->vf_plugged && b->virtio_plugged && b->vf_in_use && b->held);
    ck_assert_int_eq(b->evidence, EVIDENCE_VF_INTERRUPTS);
    ck_assert_int_eq(b->in_use_at, TIME_MS);
    ck_assert_str_eq(b->tap, "vnet3");
    ck_assert(same_policy(&a->virtio, &b->virtio));
    ck_assert_str_eq(b->condition.type, "PathReady");
    ck_assert_str_eq(b->condition.reason, "GuestKeepsDevice");
    ck_assert_int_eq(b->condition.status, CONDITION_FALSE);
}
END_TEST

START_TEST(a_port_without_a_way_says_so)
{
    auto_observed struct observed *observed = full_observed();
    observed->ports[0].way = (struct observed_way){0};
    auto_json json_t *value = over_the_wire(wire_observed(observed));
    json_t *port = json_array_get(json_object_get(value, "ports"), 0);
    ck_assert(json_is_null(json_object_get(port, "way")));
    auto_observed struct observed *back = wire_observed_read(value, NULL, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(!back->ports[0].way.vf_plugged && !back->ports[0].way.tap[0]);
}
END_TEST

START_TEST(what_libvirt_tells_of_a_vm_comes_back_equal)
{
    auto_observed struct observed *observed = full_observed();
    auto_json json_t *value = over_the_wire(wire_observed(observed));
    auto_observed struct observed *back = wire_observed_read(value, NULL, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_uint_eq(back->vm_count, 1);
    const struct observed_vm *a = &observed->vms[0], *b = &back->vms[0];
    ck_assert(uuid_equal(&a->id, &b->id) && uuid_equal(&a->domain, &b->domain));
    ck_assert(a->phase == b->phase && a->power_state == b->power_state);
    ck_assert_int_eq(revision_compare(&a->revision, &b->revision), 0);
    ck_assert_str_eq(b->condition.type, "Running");
    ck_assert_str_eq(b->condition.reason, "Paused");
    json_object_set_new(json_array_get(json_object_get(value, "vms"), 0),
                        "power_state", json_string("asleep"));
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "vms[0].power_state");
}
END_TEST

START_TEST(a_partial_report_may_be_without_an_inventory)
{
    auto_observed struct observed *observed = observed_new(0, 0, 0, 0);
    observed->machine_id = sample_uuid(2);
    auto_json json_t *value = over_the_wire(wire_observed(observed));
    auto_observed struct observed *back = wire_observed_read(value, NULL, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_ptr_null(back->inventory);
    ck_assert(uuid_is_zero(&back->cluster_id));
    json_object_set_new(value, "full", json_true());
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "inventory");
}
END_TEST

START_TEST(unknown_members_are_counted_at_every_depth)
{
    auto_observed struct observed *observed = full_observed();
    auto_json json_t *value = wire_observed(observed);
    json_t *inventory = json_object_get(value, "inventory");
    json_t *pf = json_array_get(json_object_get(inventory, "pfs"), 0);
    json_t *vf = json_array_get(json_object_get(pf, "vfs"), 1);
    json_t *port = json_array_get(json_object_get(value, "ports"), 0);
    json_t *vm = json_array_get(json_object_get(value, "vms"), 0);
    json_t *objects[] = {
        value,
        inventory,
        json_array_get(json_object_get(inventory, "networks"), 0),
        json_array_get(json_object_get(inventory, "unreadable"), 0),
        pf,
        json_object_get(pf, "link"),
        json_object_get(pf, "capabilities"),
        json_object_get(json_object_get(pf, "capabilities"), "vlan"),
        vf,
        json_object_get(vf, "policy"),
        port,
        json_object_get(port, "claim"),
        json_object_get(port, "readback"),
        json_object_get(port, "condition"),
        json_object_get(port, "way"),
        json_object_get(json_object_get(port, "way"), "virtio"),
        json_object_get(json_object_get(port, "way"), "condition"),
        vm,
        json_object_get(vm, "condition"),
    };
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        ck_assert_int_eq(
            json_object_set_new(objects[i], "from_the_future", json_integer(1)),
            0);
    size_t unknown = 100;
    auto_observed struct observed *back =
        wire_observed_read(value, &unknown, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_uint_eq(unknown, 100 + sizeof objects / sizeof *objects);
    ck_assert(same_inventory(observed->inventory, back->inventory));
}
END_TEST

START_TEST(a_refused_document_counts_nothing)
{
    size_t unknown = 0;
    auto_json json_t *value = parsed("{\"x\":1,\"host\":5}");
    ck_assert_ptr_null(wire_observed_read(value, &unknown, &err));
    ck_assert_uint_eq(unknown, 0);
    ck_assert_str_eq(err.field, "host");
}
END_TEST

START_TEST(faults_are_named_with_their_place)
{
    auto_observed struct observed *observed = full_observed();
    auto_json json_t *value = wire_observed(observed);
    json_t *port = json_array_get(json_object_get(value, "ports"), 0);
    json_object_set_new(port, "condition", parsed("{\"status\":\"true\"}"));
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "ports[0].condition.status");
    json_object_set_new(port, "phase", json_string("done"));
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "ports[0].phase");
    json_object_set_new(value, "inventory", parsed("{\"pfs\":[{}]}"));
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "inventory.pfs[0].key");
    json_object_set_new(value, "gone_pfs", parsed("[\"netdevsim1\",7]"));
    ck_assert_ptr_null(wire_observed_read(value, NULL, &err));
    ck_assert_str_eq(err.field, "gone_pfs[1]");
}
END_TEST

CHECK_MAIN("wire document", a_full_desired_document_comes_back_equal,
           a_document_of_an_older_scheduler_has_no_vms_and_no_wiring,
           a_domain_above_the_limit_is_refused, removal_is_said_in_words,
           a_desired_document_never_guesses_what_is_wanted,
           a_desired_policy_that_breaks_the_rules_is_refused,
           a_full_observed_document_comes_back_equal,
           the_way_of_a_port_comes_back_equal, a_port_without_a_way_says_so,
           what_libvirt_tells_of_a_vm_comes_back_equal,
           a_partial_report_may_be_without_an_inventory,
           unknown_members_are_counted_at_every_depth,
           a_refused_document_counts_nothing,
           faults_are_named_with_their_place);
