/* SPDX-License-Identifier: Apache-2.0 */
/* The body of PATCH /v1/hosts/{host}/pfs/{pf} into a struct pf_request: see
 * pf_request.h. What the PF can take, and whether it is in use, is the core's
 * business; here only what can be said member by member. */
#include "scheduler/handlers/pf_request.h"

#include "api/wire/value.h"
#include "common/base/str.h"

#include <string.h>

/* ---- the operator's words ---------------------------------------------------- */

/* The greatest 'max' that a field can have; 0 = it has no range. */
static uint32_t word_limit(enum policy_field field)
{
    switch (field) {
    case POLICY_VLAN:
        return POLICY_VLAN_MAX;
    case POLICY_VLAN_QOS:
        return POLICY_QOS_MAX;
    case POLICY_MIN_TX_RATE_MBPS:
    case POLICY_MAX_TX_RATE_MBPS:
        return POLICY_RATE_MAX_MBPS;
    case POLICY_MAC:
    case POLICY_VLAN_PROTO:
    case POLICY_SPOOFCHK:
    case POLICY_TRUST:
    case POLICY_LINK_STATE:
    case POLICY_FIELD_MAX:
        break;
    }
    return 0;
}

static int read_needs(const json_t *needs, const char *path,
                      struct capability *word, struct error *err)
{
    char field[WIRE_PATH_SIZE];
    bool conditional = word->support == CAPABILITY_CONDITIONAL;
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *name = json_string_value(json_array_get(needs, i));
        enum capability_need need =
            name ? capability_need_parse(name) : CAPABILITY_NEED_MAX;
        if (need == CAPABILITY_NEED_MAX) {
            error_fill(err, ERROR_INVALID, 0,
                       wire_path_at(field, path, "needs", i),
                       "'%.40s' is nothing that a capability can depend on",
                       name ? name : "(not a string)");
            error_remedy(err, "use link_up or link_speed");
            return -1;
        }
        word->needs |= CAPABILITY_NEED_BIT(need);
    }
    if (conditional == (word->needs != 0))
        return 0;
    error_fill(err, ERROR_INVALID, 0, wire_path(field, path, "needs"),
               conditional ? "conditional, but not said on what it depends"
                           : "only what is conditional depends on something");
    error_remedy(
        err, conditional ? "add \"needs\": [\"link_up\", \"link_speed\"] or "
                           "one of them"
                         : "leave 'needs' out, or say support \"conditional\"");
    return -1;
}

/* Names of 'support' as an operator may say them: unknown is no word. */
static void take_support(struct json_reader *reader, struct capability *word)
{
    wire_take_enum(reader, "support", true, capability_support,
                   CAPABILITY_SUPPORT_MAX, &word->support);
    if (reader->failed || word->support != CAPABILITY_UNKNOWN)
        return;
    json_reader_fail(reader, "support", "'unknown' says nothing");
    error_remedy(reader->err, "say supported, unsupported or conditional; null "
                              "instead of the object takes your word back");
}

static int read_word(const json_t *value, const char *path, uint32_t limit,
                     struct capability *out, struct error *err)
{
    struct json_reader reader;
    struct capability word = {.note = ""};
    const json_t *needs = NULL;
    uint64_t max = 0;
    json_reader_begin(&reader, value, path, err);
    take_support(&reader, &word);
    if (limit == 0 && json_object_get(value, "max")) {
        json_reader_fail(&reader, "max", "the field has no range");
        error_remedy(err, "leave 'max' out");
    }
    json_take_u64(&reader, "max", false, 1, limit, &max);
    json_take_array(&reader, "needs", false, CAPABILITY_NEED_MAX, &needs);
    wire_take_interned(&reader, "note", &word.note);
    if (json_reader_end(&reader, true, NULL) < 0 ||
        read_needs(needs, path, &word, err) < 0)
        return -1;
    word.max = (uint32_t)max;
    word.source = CAPABILITY_SOURCE_OPERATOR;
    *out = word;
    return 0;
}

static int unknown_name(const char *path, const char *name, struct error *err)
{
    error_fill(err, ERROR_UNKNOWN_FIELD, 0, path,
               "'%.40s' is neither a policy field nor a trait of a PF", name);
    error_remedy(err, "see \"capabilities\" in GET /v1/hosts/HOST/pfs/PF for "
                      "the names");
    return -1;
}

static int read_words(const json_t *value, struct pf_request *out,
                      struct error *err)
{
    const char *name = NULL;
    json_t *item = NULL;
    out->words = capabilities_unknown();
    json_object_foreach((json_t *)(uintptr_t)value, name, item)
    {
        char path[WIRE_PATH_SIZE];
        enum policy_field field = policy_field_parse(name);
        enum capability_trait trait = capability_trait_parse(name);
        bool is_field = field != POLICY_FIELD_MAX;
        wire_path(path, "capabilities", name);
        if (!is_field && trait == CAPABILITY_TRAIT_MAX)
            return unknown_name(path, name, err);
        if (!json_is_null(item) &&
            read_word(item, path, is_field ? word_limit(field) : 0,
                      is_field ? &out->words.field[field]
                               : &out->words.trait[trait],
                      err) < 0)
            return -1;
        if (is_field)
            out->fields |= POLICY_BIT(field);
        else
            out->traits |= 1u << trait;
    }
    return 0;
}

void pf_request_merge_words(struct pf_request *request,
                            const struct pf_setting *setting)
{
    struct capabilities *words = &request->patch.words;
    if (request->fields == 0 && request->traits == 0)
        return;
    *words = setting ? setting->words : capabilities_unknown();
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (request->fields & POLICY_BIT(i))
            words->field[i] = request->words.field[i];
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        if (request->traits & (1u << i))
            words->trait[i] = request->words.trait[i];
    request->patch.has_words = true;
}

/* ---- the other members --------------------------------------------------------- */

static bool is_null(const json_t *body, const char *name)
{
    return json_is_null(json_object_get(body, name));
}

static void take_usage(struct json_reader *reader, struct pf_patch *patch)
{
    uint64_t speed = 0;
    patch->has_allowed =
        json_take_bool(reader, "allowed", false, &patch->allowed);
    patch->has_physical_network = wire_take_copy(
        reader, "physical_network", false, patch->physical_network);
    if (*patch->physical_network && !str_is_name(patch->physical_network)) {
        json_reader_fail(reader, "physical_network",
                         "'%s' is not 1 to 63 of [A-Za-z0-9._-]",
                         patch->physical_network);
        error_remedy(reader->err, "use a name such as physnet0, or \"\" for "
                                  "none");
    }
    patch->has_link_speed = json_take_u64(reader, "link_speed_mbps", false, 0,
                                          LINK_SPEED_MAX_MBPS, &speed);
    patch->link_speed_mbps = (uint32_t)speed;
}

/* What the agent carries out, and the ratio; null = not ours to set, 100. */
static void take_settings(struct json_reader *reader, const json_t *body,
                          struct pf_patch *patch)
{
    /* Any count that can be written: what this PF allows the core tells. */
    uint64_t count = 0, ratio = 100;
    bool counted =
        json_take_u64(reader, "num_vfs", false, 0, UINT16_MAX, &count);
    patch->num_vfs = (uint16_t)count;
    patch->num_vfs_observed = is_null(body, "num_vfs");
    patch->has_num_vfs = counted || patch->num_vfs_observed;
    patch->has_autoprobe =
        wire_take_enum(reader, "vf_drivers_autoprobe", false, autoprobe,
                       AUTOPROBE_MAX, &patch->autoprobe) ||
        is_null(body, "vf_drivers_autoprobe");
    patch->has_bridge_mode =
        wire_take_enum(reader, "bridge_mode", false, bridge_mode,
                       BRIDGE_MODE_MAX, &patch->bridge_mode) ||
        is_null(body, "bridge_mode");
    patch->has_tx_ratio = json_take_u64(reader, "tx_ratio_percent", false, 1,
                                        TX_RATIO_MAX_PERCENT, &ratio) ||
                          is_null(body, "tx_ratio_percent");
    patch->tx_ratio_percent = (uint32_t)ratio;
}

int pf_request_read(const json_t *body, struct pf_request *out,
                    struct error *err)
{
    struct json_reader reader;
    const json_t *words = NULL;
    json_reader_begin(&reader, body, "", err);
    out->in_body = json_take_u64(&reader, "generation", false, 0, INT64_MAX,
                                 &out->generation);
    take_usage(&reader, &out->patch);
    take_settings(&reader, body, &out->patch);
    json_take_object(&reader, "capabilities", false, &words);
    if (json_reader_end(&reader, true, NULL) < 0)
        return -1;
    return words ? read_words(words, out, err) : 0;
}
