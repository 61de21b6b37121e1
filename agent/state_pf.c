/* SPDX-License-Identifier: Apache-2.0 */
/* The changes of PFs in the agent's state file: see state.h and
 * agent/core/pf_setting.h. */
#include "agent/state.h"

#include "agent/state_json.h"
#include "api/wire/wire.h"
#include "common/base/str.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- writing ------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static json_t *target_value(const struct pf_target *target)
{
    json_t *object = json_object();
    json_object_set_new(object, PF_TARGET_NUM_VFS,
                        target->has_num_vfs ? json_integer(target->num_vfs)
                                            : json_null());
    json_object_set_new(
        object, PF_TARGET_AUTOPROBE,
        text_or_null(autoprobe_name((enum autoprobe)target->autoprobe)));
    json_object_set_new(
        object, PF_TARGET_BRIDGE_MODE,
        text_or_null(bridge_mode_name((enum bridge_mode)target->bridge_mode)));
    return object;
}

static json_t *change_value(const struct pf_change *c)
{
    char signature[24];
    json_t *object = json_object();
    snprintf(signature, sizeof signature, "%" PRIx64, c->signature);
    json_object_set_new(object, "pf", json_string(c->key.text));
    json_object_set_new(object, "phase",
                        json_string(pf_phase_name((enum pf_phase)c->phase)));
    json_object_set_new(object, "revision", state_revision_value(&c->revision));
    json_object_set_new(object, "target", target_value(&c->target));
    json_object_set_new(object, "before", target_value(&c->before));
    json_object_set_new(object, "boot_id", wire_uuid(&c->boot_id));
    json_object_set_new(object, "begun_at", wire_timestamp(c->begun_at));
    json_object_set_new(object, "deadline", wire_timestamp(c->deadline));
    json_object_set_new(object, "refused", json_boolean(c->refused));
    json_object_set_new(object, "may_pass", json_boolean(c->may_pass));
    json_object_set_new(object, "pf_signature", json_string(signature));
    json_object_set_new(object, "condition", wire_condition(&c->condition));
    return object;
}

json_t *state_changes_value(const struct agent_state *state)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->change_count; i++)
        json_array_append_new(list, change_value(&state->changes[i]));
    return list;
}

/* ---- reading --------------------------------------------------------------------- */

static void take_autoprobe(struct json_reader *reader, uint8_t *out)
{
    const char *text = NULL;
    if (!json_take_text(reader, PF_TARGET_AUTOPROBE, false, &text))
        return;
    enum autoprobe autoprobe = autoprobe_parse(text);
    if (autoprobe == AUTOPROBE_MAX)
        json_reader_fail(reader, PF_TARGET_AUTOPROBE, "unknown: '%s'", text);
    *out = (uint8_t)autoprobe;
}

static void take_bridge_mode(struct json_reader *reader, uint8_t *out)
{
    const char *text = NULL;
    if (!json_take_text(reader, PF_TARGET_BRIDGE_MODE, false, &text))
        return;
    enum bridge_mode mode = bridge_mode_parse(text);
    if (mode == BRIDGE_MODE_MAX)
        json_reader_fail(reader, PF_TARGET_BRIDGE_MODE, "unknown: '%s'", text);
    *out = (uint8_t)mode;
}

static int read_target(const json_t *value, const char *path,
                       struct pf_target *target, struct error *err)
{
    struct json_reader reader;
    uint64_t number = 0;
    json_reader_begin(&reader, value, path, err);
    target->has_num_vfs = json_take_u64(&reader, PF_TARGET_NUM_VFS, false, 0,
                                        UINT16_MAX, &number);
    target->num_vfs = (uint16_t)number;
    take_autoprobe(&reader, &target->autoprobe);
    take_bridge_mode(&reader, &target->bridge_mode);
    return json_reader_end(&reader, false, NULL);
}

static void take_phase(struct json_reader *reader, uint8_t *out)
{
    const char *text = NULL;
    if (!json_take_text(reader, "phase", true, &text))
        return;
    enum pf_phase phase = pf_phase_parse(text);
    if (phase == PF_PHASE_MAX || phase == PF_PENDING)
        json_reader_fail(reader, "phase", "unknown: '%s'", text);
    *out = (uint8_t)phase;
}

static int read_change(const json_t *value, const char *path,
                       struct pf_change *c, struct error *err)
{
    struct json_reader reader;
    const json_t *target = NULL, *before = NULL, *condition = NULL;
    const char *pf = NULL, *signature = NULL;
    json_reader_begin(&reader, value, path, err);
    if (json_take_text(&reader, "pf", true, &pf) && !pf_key_parse(pf, &c->key))
        json_reader_fail(&reader, "pf", "not a PF: '%s'", pf);
    take_phase(&reader, &c->phase);
    state_take_revision(&reader, "revision", &c->revision);
    state_take_uuid(&reader, "boot_id", &c->boot_id);
    state_take_time(&reader, "begun_at", &c->begun_at);
    state_take_time(&reader, "deadline", &c->deadline);
    json_take_bool(&reader, "refused", true, &c->refused);
    json_take_bool(&reader, "may_pass", true, &c->may_pass);
    if (json_take_text(&reader, "pf_signature", true, &signature) &&
        !str_to_u64(signature, 16, UINT64_MAX, &c->signature))
        json_reader_fail(&reader, "pf_signature", "not a number: '%s'",
                         signature);
    json_take_object(&reader, "target", true, &target);
    json_take_object(&reader, "before", true, &before);
    json_take_object(&reader, "condition", true, &condition);
    if (json_reader_end(&reader, false, NULL) < 0 ||
        read_target(target, "target", &c->target, err) < 0 ||
        read_target(before, "before", &c->before, err) < 0 ||
        state_read_condition(condition, &c->condition, err) < 0)
        return -1;
    return 0;
}

int state_changes_read(const json_t *list, struct agent_state *state,
                       struct error *err)
{
    size_t count = json_array_size(list);
    if (count)
        state->changes = mem_calloc(count, sizeof *state->changes);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "pf_changes[%zu]", i);
        if (read_change(json_array_get(list, i), path, &state->changes[i],
                        err) < 0)
            return -1;
        state->change_count++;
    }
    return 0;
}
