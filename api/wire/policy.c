/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and capability records as JSON: see wire.h. Two readers of a
 * policy: one for what somebody asks for (checked), one for what a kernel
 * told (anything that the struct holds: another program may have set it). */
#include "api/wire/value.h"

static void put_field(struct json_out *out, const struct policy *policy,
                      enum policy_field field)
{
    const char *name = policy_field_name(field);
    char text[POLICY_VALUE_SIZE];
    switch (field) {
    case POLICY_VLAN:
        json_out_number(out, name, policy->vlan);
        return;
    case POLICY_VLAN_QOS:
        json_out_number(out, name, policy->vlan_qos);
        return;
    case POLICY_MIN_TX_RATE_MBPS:
        json_out_number(out, name, policy->min_tx_rate_mbps);
        return;
    case POLICY_MAX_TX_RATE_MBPS:
        json_out_number(out, name, policy->max_tx_rate_mbps);
        return;
    case POLICY_MAC:
    case POLICY_VLAN_PROTO:
    case POLICY_SPOOFCHK:
    case POLICY_TRUST:
    case POLICY_LINK_STATE:
    case POLICY_FIELD_MAX:
        break;
    }
    json_out_text(out, name, policy_value_text(policy, field, text));
}

void wire_put_policy(struct json_out *out, const char *name,
                     const struct policy *policy)
{
    json_out_object(out, name);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (policy_has(policy, (enum policy_field)i))
            put_field(out, policy, (enum policy_field)i);
    json_out_end(out);
}

json_t *wire_policy(const struct policy *policy)
{
    struct json_out out = {0};
    wire_put_policy(&out, NULL, policy);
    return out.tree;
}

/* The greatest numbers that a reader lets through. */
struct limits {
    uint32_t vlan, vlan_qos, rate;
};
static const struct limits asked_limits = {POLICY_VLAN_MAX, POLICY_QOS_MAX,
                                           POLICY_RATE_MAX_MBPS};
static const struct limits readback_limits = {UINT16_MAX, UINT8_MAX,
                                              UINT32_MAX};

static void take_field(struct json_reader *reader, enum policy_field field,
                       const struct limits *limits, struct policy *out)
{
    const char *name = policy_field_name(field);
    uint64_t number = 0;
    bool taken = false;
    switch (field) {
    case POLICY_MAC:
        taken = wire_take_mac(reader, name, false, &out->mac);
        break;
    case POLICY_VLAN: {
        uint32_t max = limits->vlan;
        /* Let 4095 through to policy_check(), which knows why not. */
        if (json_integer_value(json_object_get(reader->object, name)) == 4095 &&
            max < 4095)
            max = 4095;
        taken = json_take_u64(reader, name, false, 0, max, &number);
        out->vlan = (uint16_t)number;
        break;
    }
    case POLICY_VLAN_QOS:
        taken =
            json_take_u64(reader, name, false, 0, limits->vlan_qos, &number);
        out->vlan_qos = (uint8_t)number;
        break;
    case POLICY_VLAN_PROTO:
        taken = wire_take_enum(reader, name, false, vlan_proto, VLAN_PROTO_MAX,
                               &out->vlan_proto);
        break;
    case POLICY_MIN_TX_RATE_MBPS:
        taken = json_take_u64(reader, name, false, 0, limits->rate, &number);
        out->min_tx_rate_mbps = (uint32_t)number;
        break;
    case POLICY_MAX_TX_RATE_MBPS:
        taken = json_take_u64(reader, name, false, 0, limits->rate, &number);
        out->max_tx_rate_mbps = (uint32_t)number;
        break;
    case POLICY_SPOOFCHK:
        taken = wire_take_on_off(reader, name, &out->spoofchk);
        break;
    case POLICY_TRUST:
        taken = wire_take_on_off(reader, name, &out->trust);
        break;
    case POLICY_LINK_STATE:
        taken = wire_take_enum(reader, name, false, link_state, LINK_STATE_MAX,
                               &out->link_state);
        break;
    case POLICY_FIELD_MAX:
        break;
    }
    if (taken)
        out->set |= POLICY_BIT(field);
}

static int read_policy(const json_t *value, const char *path, bool strict,
                       const struct limits *limits, size_t *unknown,
                       struct policy *out, struct error *err)
{
    struct json_reader reader;
    struct policy policy = {0};
    json_reader_begin(&reader, value, path, err);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        take_field(&reader, (enum policy_field)i, limits, &policy);
    if (json_reader_end(&reader, strict, unknown))
        return -1;
    *out = policy;
    return 0;
}

int wire_policy_read(const json_t *value, const char *path, bool strict,
                     struct policy *out, struct error *err)
{
    struct policy policy;
    if (read_policy(value, path, strict, &asked_limits, NULL, &policy, err))
        return -1;
    if (policy_check(&policy, err)) {
        error_prefix_field(err, path);
        return -1;
    }
    *out = policy;
    return 0;
}

int wire_read_readback(const json_t *value, const char *path, size_t *unknown,
                       struct policy *out, struct error *err)
{
    return read_policy(value, path, false, &readback_limits, unknown, out, err);
}

int wire_readback_read(const json_t *value, const char *path,
                       struct policy *out, struct error *err)
{
    return wire_read_readback(value, path, NULL, out, err);
}

static json_t *capability_object(const struct capability *capability)
{
    json_t *item = json_object(), *needs = json_array();
    wire_set(item, "support",
             wire_text(capability_support_name(
                 (enum capability_support)capability->support)));
    wire_set(item, "source",
             wire_text(capability_source_name(
                 (enum capability_source)capability->source)));
    for (int i = 0; i < CAPABILITY_NEED_MAX; i++)
        if (capability->needs & CAPABILITY_NEED_BIT(i))
            json_array_append_new(needs, wire_text(capability_need_name(
                                             (enum capability_need)i)));
    wire_set(item, "needs", needs);
    wire_set(item, "max",
             capability->max ? wire_number(capability->max) : json_null());
    wire_set(item, "note", wire_text(capability->note));
    return item;
}

json_t *wire_capabilities(const struct capabilities *capabilities)
{
    json_t *object = json_object();
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        wire_set(object, policy_field_name((enum policy_field)i),
                 capability_object(&capabilities->field[i]));
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        wire_set(object, capability_trait_name((enum capability_trait)i),
                 capability_object(&capabilities->trait[i]));
    return object;
}

static int read_needs(const json_t *needs, const char *path, uint8_t *out,
                      struct error *err)
{
    for (size_t i = 0; i < json_array_size(needs); i++) {
        const char *name = json_string_value(json_array_get(needs, i));
        enum capability_need need =
            name ? capability_need_parse(name) : CAPABILITY_NEED_MAX;
        char field[WIRE_PATH_SIZE];
        if (need == CAPABILITY_NEED_MAX)
            return error_set_field(err, ERROR_INVALID,
                                   wire_path_at(field, path, "needs", i),
                                   "expected link_up or link_speed");
        *out |= CAPABILITY_NEED_BIT(need);
    }
    return 0;
}

static int read_capability(const json_t *value, const char *path,
                           size_t *unknown, struct capability *out,
                           struct error *err)
{
    struct json_reader reader;
    const json_t *needs = NULL;
    json_reader_begin(&reader, value, path, err);
    json_take_array(&reader, "needs", false, CAPABILITY_NEED_MAX, &needs);
    wire_take_enum(&reader, "support", true, capability_support,
                   CAPABILITY_SUPPORT_MAX, &out->support);
    wire_take_enum(&reader, "source", false, capability_source,
                   CAPABILITY_SOURCE_MAX, &out->source);
    wire_take_uint(&reader, "max", false, UINT32_MAX, out->max);
    wire_take_interned(&reader, "note", &out->note);
    return json_reader_end(&reader, false, unknown)
               ? -1
               : read_needs(needs, path, &out->needs, err);
}

static int take_capability(struct json_reader *reader, const char *path,
                           const char *name, size_t *unknown,
                           struct capability *out, struct error *err)
{
    const json_t *item = NULL;
    char inner[WIRE_PATH_SIZE];
    return json_take_object(reader, name, false, &item)
               ? read_capability(item, wire_path(inner, path, name), unknown,
                                 out, err)
               : 0;
}

int wire_read_capabilities(const json_t *value, const char *path,
                           size_t *unknown, struct capabilities *out,
                           struct error *err)
{
    struct json_reader reader;
    struct capabilities capabilities = capabilities_unknown();
    json_reader_begin(&reader, value, path, err);
    for (int i = 0; i < POLICY_FIELD_MAX; i++)
        if (take_capability(&reader, path,
                            policy_field_name((enum policy_field)i), unknown,
                            &capabilities.field[i], err))
            return -1;
    for (int i = 0; i < CAPABILITY_TRAIT_MAX; i++)
        if (take_capability(&reader, path,
                            capability_trait_name((enum capability_trait)i),
                            unknown, &capabilities.trait[i], err))
            return -1;
    if (json_reader_end(&reader, false, unknown))
        return -1;
    *out = capabilities;
    return 0;
}

int wire_capabilities_read(const json_t *value, struct capabilities *out,
                           struct error *err)
{
    return wire_read_capabilities(value, "", NULL, out, err);
}
