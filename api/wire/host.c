/* SPDX-License-Identifier: Apache-2.0 */
/* What operators set, as JSON: hosts, tokens, the cluster. See wire.h. Hashes
 * of tokens are in the records only, never in what a client gets. */
#include "api/wire/value.h"

#include <string.h>

/* Far above what is accepted anew: a record that was stored once must load. */
#define RECORD_ITEMS_MAX 4096

static json_t *labels_object(const struct host *host)
{
    json_t *labels = json_object();
    for (size_t i = 0; i < host->label_count; i++)
        wire_set(labels, host->labels[i].key, wire_text(host->labels[i].value));
    return labels;
}

/* The operator's words only: a record has nothing else. */
static json_t *words_object(const struct capabilities *words)
{
    json_t *all = wire_capabilities(words);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (words->field[i].support == CAPABILITY_UNKNOWN)
            json_object_del(all, policy_field_name((enum policy_field)i));
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        if (words->trait[i].support == CAPABILITY_UNKNOWN)
            json_object_del(all,
                            capability_trait_name((enum capability_trait)i));
    return all;
}

void wire_pf_setting(json_t *object, const struct pf_setting *setting)
{
    const char *autoprobe = autoprobe_name((enum autoprobe)setting->autoprobe);
    const char *bridge =
        bridge_mode_name((enum bridge_mode)setting->bridge_mode);
    wire_set(object, "allowed", json_boolean(setting->allowed));
    wire_set(object, "physical_network", wire_text(setting->physical_network));
    wire_set(object, "link_speed_mbps", wire_number(setting->link_speed_mbps));
    wire_set(object, "num_vfs",
             setting->has_num_vfs ? wire_number(setting->num_vfs)
                                  : json_null());
    wire_set(object, "vf_drivers_autoprobe",
             autoprobe ? wire_text(autoprobe) : json_null());
    wire_set(object, "bridge_mode", bridge ? wire_text(bridge) : json_null());
    wire_set(object, "tx_ratio_percent",
             wire_number(setting->tx_ratio_percent ? setting->tx_ratio_percent
                                                   : 100));
    wire_set(object, "capabilities", words_object(&setting->words));
    wire_set(object, "revision", wire_revision(&setting->revision));
}

static json_t *settings_array(const struct host *host)
{
    json_t *settings = json_array();
    for (size_t i = 0; i < host->pf_setting_count; i++) {
        json_t *item = json_object();
        wire_set(item, "key", wire_text(host->pf_settings[i].key.text));
        wire_pf_setting(item, &host->pf_settings[i]);
        json_array_append_new(settings, item);
    }
    return settings;
}

static json_t *host_object(const struct host *host, bool exact)
{
    json_t *object = json_object();
    wire_set(object, "name", wire_text(host->name));
    wire_set(object, "machine_id", wire_uuid(&host->machine_id));
    wire_set(object, "cordoned", json_boolean(host->cordoned));
    wire_set(object, "vcpu_ratio_percent",
             wire_number(host->vcpu_ratio_percent));
    wire_set(object, "memory_ratio_percent",
             wire_number(host->memory_ratio_percent));
    wire_set(object, "generation", wire_number(host->generation));
    wire_set(object, "enrolled_at",
             exact ? wire_timestamp_exact(host->enrolled_at)
                   : wire_timestamp(host->enrolled_at));
    wire_set(object, "labels", labels_object(host));
    wire_set(object, "pf_settings", settings_array(host));
    json_t *mappings = json_array();
    for (size_t i = 0; i < host->mapping_count; i++) {
        json_t *item = json_object();
        wire_set(item, "device", wire_text(host->mappings[i].device));
        wire_set(item, "physical_network",
                 wire_text(host->mappings[i].physical_network));
        json_array_append_new(mappings, item);
    }
    wire_set(object, "mappings", mappings);
    return object;
}

json_t *wire_host(const struct host *host)
{
    return host_object(host, false);
}

json_t *wire_host_record(const struct host *host)
{
    json_t *object = host_object(host, true);
    wire_set(object, "token_hash", wire_hash(host->token_hash));
    return object;
}

static int read_label(const char *key, const json_t *value, struct label *out,
                      struct error *err)
{
    const char *text = json_string_value(value);
    if (strlen(key) >= sizeof out->key)
        return error_set_field(err, ERROR_INVALID, "labels",
                               "the label name '%.40s…' is too long: at most "
                               "%zu bytes",
                               key, sizeof out->key - 1);
    if (!text || strlen(text) >= sizeof out->value)
        return error_set_field(err, ERROR_INVALID, "labels",
                               "the value of label '%s' must be a string of "
                               "at most %zu bytes",
                               key, sizeof out->value - 1);
    memcpy(out->key, key, strlen(key) + 1);
    memcpy(out->value, text, strlen(text) + 1);
    return 0;
}

static int read_labels(const json_t *labels, struct host *host,
                       struct error *err)
{
    json_t *object = (json_t *)(uintptr_t)labels;
    size_t i = 0;
    for (void *at = json_object_iter(object); at && i < host->label_count;
         at = json_object_iter_next(object, at), i++)
        if (read_label(json_object_iter_key(at), json_object_iter_value(at),
                       &host->labels[i], err))
            return -1;
    return 0;
}

static int read_setting(const json_t *value, const char *path,
                        struct pf_setting *setting, struct error *err)
{
    struct json_reader reader;
    const json_t *words = NULL;
    char inner[WIRE_PATH_SIZE];
    *setting = pf_setting_new(&setting->key);
    json_reader_begin(&reader, value, path, err);
    wire_take_pf_key(&reader, "key", true, &setting->key);
    json_take_bool(&reader, "allowed", false, &setting->allowed);
    wire_take_copy(&reader, "physical_network", false,
                   setting->physical_network);
    wire_take_uint(&reader, "link_speed_mbps", false, LINK_SPEED_MAX_MBPS,
                   setting->link_speed_mbps);
    uint64_t num_vfs = 0;
    setting->has_num_vfs =
        json_take_u64(&reader, "num_vfs", false, 0, PF_VFS_MAX, &num_vfs);
    setting->num_vfs = (uint16_t)num_vfs;
    wire_take_enum(&reader, "vf_drivers_autoprobe", false, autoprobe,
                   AUTOPROBE_MAX, &setting->autoprobe);
    wire_take_enum(&reader, "bridge_mode", false, bridge_mode, BRIDGE_MODE_MAX,
                   &setting->bridge_mode);
    wire_take_uint(&reader, "tx_ratio_percent", false, TX_RATIO_MAX_PERCENT,
                   setting->tx_ratio_percent);
    json_take_object(&reader, "capabilities", false, &words);
    wire_take_revision(&reader, "revision", false, &setting->revision);
    if (json_reader_end(&reader, false, NULL))
        return -1;
    return words
               ? wire_read_capabilities(words,
                                        wire_path(inner, path, "capabilities"),
                                        NULL, &setting->words, err)
               : 0;
}

static int read_lists(const json_t *settings, const json_t *mappings,
                      struct host *host, struct error *err)
{
    struct json_reader reader;
    char path[WIRE_PATH_SIZE];
    for (size_t i = 0; i < host->pf_setting_count; i++) {
        if (read_setting(json_array_get(settings, i),
                         wire_path_at(path, "", "pf_settings", i),
                         &host->pf_settings[i], err))
            return -1;
    }
    for (size_t i = 0; i < host->mapping_count; i++) {
        struct network_mapping *mapping = &host->mappings[i];
        json_reader_begin(&reader, json_array_get(mappings, i),
                          wire_path_at(path, "", "mappings", i), err);
        wire_take_copy(&reader, "device", true, mapping->device);
        wire_take_copy(&reader, "physical_network", true,
                       mapping->physical_network);
        if (json_reader_end(&reader, false, NULL))
            return -1;
    }
    return 0;
}

static void take_host(struct json_reader *reader, struct host *host)
{
    wire_take_copy(reader, "name", true, host->name);
    wire_take_uuid(reader, "machine_id", false, &host->machine_id);
    wire_take_hash(reader, "token_hash", host->token_hash);
    json_take_bool(reader, "cordoned", false, &host->cordoned);
    wire_take_uint(reader, "vcpu_ratio_percent", false, UINT32_MAX,
                   host->vcpu_ratio_percent);
    wire_take_uint(reader, "memory_ratio_percent", false, UINT32_MAX,
                   host->memory_ratio_percent);
    wire_take_uint(reader, "generation", true, INT64_MAX, host->generation);
    wire_take_time(reader, "enrolled_at", &host->enrolled_at);
}

struct host *wire_host_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    const json_t *labels = NULL, *settings = NULL, *mappings = NULL;
    json_reader_begin(&reader, value, "", err);
    json_take_object(&reader, "labels", false, &labels);
    json_take_array(&reader, "pf_settings", false, RECORD_ITEMS_MAX, &settings);
    json_take_array(&reader, "mappings", false, RECORD_ITEMS_MAX, &mappings);
    if (json_object_size(labels) > RECORD_ITEMS_MAX)
        json_reader_fail(&reader, "labels", "more than %d labels",
                         RECORD_ITEMS_MAX);
    if (reader.failed)
        return NULL;
    auto_host struct host *host =
        host_new(json_object_size(labels), json_array_size(settings),
                 json_array_size(mappings));
    take_host(&reader, host);
    if (json_reader_end(&reader, false, NULL) ||
        read_labels(labels, host, err) ||
        read_lists(settings, mappings, host, err))
        return NULL;
    return take_ptr(host);
}

static json_t *token_object(const struct token *token, bool exact)
{
    json_t *object = json_object();
    wire_set(object, "name", wire_text(token->name));
    wire_set(object, "role", wire_text(role_name((enum role)token->role)));
    wire_set(object, "created_at",
             exact ? wire_timestamp_exact(token->created_at)
                   : wire_timestamp(token->created_at));
    return object;
}

json_t *wire_token(const struct token *token)
{
    return token_object(token, false);
}

json_t *wire_token_record(const struct token *token)
{
    json_t *object = token_object(token, true);
    wire_set(object, "hash", wire_hash(token->hash));
    return object;
}

struct token *wire_token_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    auto_token struct token *token = token_new();
    json_reader_begin(&reader, value, "", err);
    wire_take_copy(&reader, "name", true, token->name);
    wire_take_enum(&reader, "role", true, role, ROLE_MAX, &token->role);
    wire_take_time(&reader, "created_at", &token->created_at);
    wire_take_hash(&reader, "hash", token->hash);
    return json_reader_end(&reader, false, NULL) ? NULL : take_ptr(token);
}

json_t *wire_cluster(const struct cluster *cluster)
{
    json_t *object = json_object();
    wire_set(object, "id", wire_uuid(&cluster->id));
    wire_set(object, "epoch", wire_number(cluster->epoch));
    return object;
}

struct cluster *wire_cluster_read(const json_t *value, struct error *err)
{
    struct json_reader reader;
    auto_cluster struct cluster *cluster = cluster_new();
    json_reader_begin(&reader, value, "", err);
    wire_take_uuid(&reader, "id", true, &cluster->id);
    wire_take_uint(&reader, "epoch", true, INT64_MAX, cluster->epoch);
    return json_reader_end(&reader, false, NULL) ? NULL : take_ptr(cluster);
}
