/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts, tokens and the cluster on the wire and in the store. */
#include "tests/unit/api/wire/samples.h"

static struct error err;

static struct host *full(void)
{
    struct host *host = host_new(2, 2, 1);
    str_copy(host->name, "h17");
    host->machine_id = sample_uuid(1);
    for (size_t i = 0; i < sizeof host->token_hash; i++)
        host->token_hash[i] = (uint8_t)(0xf0 + i);
    host->cordoned = true;
    host->vcpu_ratio_percent = 400;
    host->memory_ratio_percent = 150;
    host->generation = 9;
    host->enrolled_at = TIME_NS;
    host->labels[0] = (struct label){"zone", "a"};
    host->labels[1] = (struct label){"rack", "é1"};
    pf_key_parse("0000:3b:00.0", &host->pf_settings[0].key);
    host->pf_settings[0].allowed = true;
    str_copy(host->pf_settings[0].physical_network, "physnet0");
    pf_key_parse("netdevsim1", &host->pf_settings[1].key);
    host->pf_settings[1].link_speed_mbps = 25000;
    host->pf_settings[1].has_num_vfs = true;
    host->pf_settings[1].num_vfs = 16;
    host->pf_settings[1].autoprobe = AUTOPROBE_OFF;
    host->pf_settings[1].bridge_mode = BRIDGE_VEPA;
    host->pf_settings[1].tx_ratio_percent = 150;
    host->pf_settings[1].words.field[POLICY_TRUST] =
        (struct capability){CAPABILITY_UNSUPPORTED, CAPABILITY_SOURCE_OPERATOR,
                            0, 0, str_intern("broken firmware")};
    host->pf_settings[1].revision = (struct revision){4, 17};
    host->mappings[0] = (struct network_mapping){"br0", "physnet1"};
    return host;
}

static bool same_agents_part(const struct pf_setting *a,
                             const struct pf_setting *b)
{
    return a->has_num_vfs == b->has_num_vfs && a->num_vfs == b->num_vfs &&
           a->autoprobe == b->autoprobe && a->bridge_mode == b->bridge_mode &&
           capabilities_equal(&a->words, &b->words) &&
           revision_compare(&a->revision, &b->revision) == 0;
}

static uint32_t ratio(const struct pf_setting *setting)
{
    return setting->tx_ratio_percent ? setting->tx_ratio_percent : 100;
}

static bool same_lists(const struct host *a, const struct host *b)
{
    for (size_t i = 0; i < a->label_count; i++)
        if (strcmp(a->labels[i].key, b->labels[i].key) != 0 ||
            strcmp(a->labels[i].value, b->labels[i].value) != 0)
            return false;
    for (size_t i = 0; i < a->pf_setting_count; i++)
        if (pf_key_compare(&a->pf_settings[i].key, &b->pf_settings[i].key) ||
            a->pf_settings[i].allowed != b->pf_settings[i].allowed ||
            !same_agents_part(&a->pf_settings[i], &b->pf_settings[i]) ||
            ratio(&a->pf_settings[i]) != ratio(&b->pf_settings[i]) ||
            a->pf_settings[i].link_speed_mbps !=
                b->pf_settings[i].link_speed_mbps ||
            strcmp(a->pf_settings[i].physical_network,
                   b->pf_settings[i].physical_network) != 0)
            return false;
    for (size_t i = 0; i < a->mapping_count; i++)
        if (strcmp(a->mappings[i].device, b->mappings[i].device) != 0 ||
            strcmp(a->mappings[i].physical_network,
                   b->mappings[i].physical_network) != 0)
            return false;
    return true;
}

static bool same_host(const struct host *a, const struct host *b)
{
    return strcmp(a->name, b->name) == 0 &&
           uuid_equal(&a->machine_id, &b->machine_id) &&
           memcmp(a->token_hash, b->token_hash, 32) == 0 &&
           a->cordoned == b->cordoned &&
           a->vcpu_ratio_percent == b->vcpu_ratio_percent &&
           a->memory_ratio_percent == b->memory_ratio_percent &&
           a->generation == b->generation && a->enrolled_at == b->enrolled_at &&
           a->label_count == b->label_count &&
           a->pf_setting_count == b->pf_setting_count &&
           a->mapping_count == b->mapping_count && same_lists(a, b);
}

START_TEST(full_and_minimal_records_come_back_equal)
{
    auto_host struct host *host = full();
    auto_json json_t *value = over_the_wire(wire_host_record(host));
    auto_host struct host *back = wire_host_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(same_host(host, back));
    auto_host struct host *small = host_new(0, 0, 0);
    auto_json json_t *less = over_the_wire(wire_host_record(small));
    auto_host struct host *again = wire_host_read(less, &err);
    ck_assert_msg(again, "%s: %s", err.field, err.msg);
    ck_assert(same_host(small, again));
}
END_TEST

START_TEST(clients_get_a_host_without_its_token)
{
    auto_host struct host *host = full();
    assert_json(wire_host(host),
                "{\"name\":\"h17\","
                "\"machine_id\":\"01890a5d-ac96-774b-bcce-b302099a8001\","
                "\"cordoned\":true,\"vcpu_ratio_percent\":400,"
                "\"memory_ratio_percent\":150,\"generation\":9,"
                "\"enrolled_at\":\"2026-09-21T14:13:20.123Z\","
                "\"labels\":{\"zone\":\"a\",\"rack\":\"é1\"},"
                "\"pf_settings\":[{\"key\":\"0000:3b:00.0\",\"allowed\":true,"
                "\"physical_network\":\"physnet0\",\"link_speed_mbps\":0,"
                "\"num_vfs\":null,\"vf_drivers_autoprobe\":null,"
                "\"bridge_mode\":null,\"tx_ratio_percent\":100,"
                "\"capabilities\":{},\"revision\":\"0.0\"},"
                "{\"key\":\"netdevsim1\",\"allowed\":false,"
                "\"physical_network\":\"\",\"link_speed_mbps\":25000,"
                "\"num_vfs\":16,\"vf_drivers_autoprobe\":\"off\","
                "\"bridge_mode\":\"vepa\",\"tx_ratio_percent\":150,"
                "\"capabilities\":{\"trust\":{\"support\":\"unsupported\","
                "\"source\":\"operator\",\"needs\":[],\"max\":null,"
                "\"note\":\"broken firmware\"}},\"revision\":\"4.17\"}],"
                "\"mappings\":[{\"device\":\"br0\","
                "\"physical_network\":\"physnet1\"}]}");
}
END_TEST

static void refused_with(json_t *record, const char *field, const char *msg)
{
    err = (struct error){0};
    ck_assert_ptr_null(wire_host_read(record, &err));
    ck_assert_str_eq(err.field, field);
    ck_assert_msg(strstr(err.msg, msg), "'%s' not in '%s'", msg, err.msg);
}

START_TEST(faults_are_named_and_hashes_never_quoted)
{
    auto_host struct host *host = full();
    auto_json json_t *record = wire_host_record(host);
    json_object_set_new(record, "token_hash", json_string("secret"));
    refused_with(record, "token_hash", "64 hex digits");
    ck_assert_ptr_null(strstr(err.msg, "secret"));
    json_object_del(record, "token_hash");
    json_object_set_new(record, "labels", parsed("{\"zone\":1}"));
    refused_with(record, "labels", "label 'zone' must be a string");
    json_object_set_new(
        record, "labels",
        parsed("{\"a-key-of-more-than-sixty-three-bytes-is-one-too-long-for-a-"
               "label\":\"\"}"));
    refused_with(record, "labels", "too long");
    json_object_set_new(record, "labels", json_array());
    refused_with(record, "labels", "expected an object");
    json_object_del(record, "labels");
    json_object_set_new(record, "pf_settings", parsed("[{\"key\":\"x\"}]"));
    refused_with(record, "pf_settings[0].key", "expected a PF key");
    json_object_del(record, "pf_settings");
    json_object_set_new(record, "mappings", parsed("[{\"device\":\"br0\"}]"));
    refused_with(record, "mappings[0].physical_network", "missing");
}
END_TEST

START_TEST(tokens_come_back_and_clients_get_no_hash)
{
    auto_token struct token *token = token_new();
    str_copy(token->name, "ci");
    token->role = ROLE_OPERATOR;
    token->created_at = TIME_NS;
    memset(token->hash, 0xab, sizeof token->hash);
    auto_json json_t *value = over_the_wire(wire_token_record(token));
    auto_token struct token *back = wire_token_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert_str_eq(back->name, "ci");
    ck_assert_int_eq(back->role, ROLE_OPERATOR);
    ck_assert_int_eq(back->created_at, TIME_NS);
    ck_assert_mem_eq(back->hash, token->hash, sizeof token->hash);
    assert_json(wire_token(token),
                "{\"name\":\"ci\",\"role\":\"operator\","
                "\"created_at\":\"2026-09-21T14:13:20.123Z\"}");
}
END_TEST

START_TEST(an_unknown_role_is_refused)
{
    auto_json json_t *value = parsed("{\"name\":\"x\",\"role\":\"root\"}");
    ck_assert_ptr_null(wire_token_read(value, &err));
    ck_assert_str_eq(err.field, "role");
}
END_TEST

START_TEST(the_cluster_comes_back)
{
    auto_cluster struct cluster *cluster = cluster_new();
    cluster->id = sample_uuid(4);
    cluster->epoch = 77;
    auto_json json_t *value = over_the_wire(wire_cluster(cluster));
    auto_cluster struct cluster *back = wire_cluster_read(value, &err);
    ck_assert_msg(back, "%s: %s", err.field, err.msg);
    ck_assert(uuid_equal(&back->id, &cluster->id));
    ck_assert_uint_eq(back->epoch, 77);
    json_object_del(value, "epoch");
    ck_assert_ptr_null(wire_cluster_read(value, &err));
    ck_assert_str_eq(err.field, "epoch");
}
END_TEST

CHECK_MAIN("wire host", full_and_minimal_records_come_back_equal,
           clients_get_a_host_without_its_token,
           faults_are_named_and_hashes_never_quoted,
           tokens_come_back_and_clients_get_no_hash, an_unknown_role_is_refused,
           the_cluster_comes_back);
