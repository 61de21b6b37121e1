/* SPDX-License-Identifier: Apache-2.0 */
/* What was done for managed VMs, and the MACs that are held, in the agent's state
 * file: see state.h, agent/core/vm_life.h and agent/core/way.h. */
#include "agent/state.h"

#include "agent/state_json.h"
#include "api/wire/wire.h"

#include <stdio.h>

/* ---- writing ------------------------------------------------------------------- */

static json_t *vm_value(const struct vm_record *vm)
{
    json_t *object = json_object();
    json_object_set_new(object, "vm", wire_uuid(&vm->vm));
    json_object_set_new(object, "run",
                        json_string(vm_run_name((enum vm_run)vm->run)));
    json_object_set_new(object, "revision",
                        state_revision_value(&vm->revision));
    json_object_set_new(object, "boot_id", wire_uuid(&vm->boot_id));
    json_object_set_new(object, "condition", wire_condition(&vm->condition));
    return object;
}

json_t *state_vms_value(const struct agent_state *state)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->vm_count; i++)
        json_array_append_new(list, vm_value(&state->vms[i]));
    return list;
}

static json_t *hold_value(const struct hold *hold)
{
    char mac[MAC_TEXT_SIZE];
    json_t *object = json_object();
    json_object_set_new(object, "port", wire_uuid(&hold->port));
    json_object_set_new(object, "pf", json_string(hold->pf.text));
    json_object_set_new(object, "mac",
                        json_string(mac_format(&hold->mac, mac)));
    return object;
}

json_t *state_holds_value(const struct agent_state *state)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->hold_count; i++)
        json_array_append_new(list, hold_value(&state->holds[i]));
    return list;
}

/* ---- reading --------------------------------------------------------------------- */

static int read_vm(const json_t *value, const char *path, struct vm_record *vm,
                   struct error *err)
{
    struct json_reader reader;
    const json_t *condition = NULL;
    const char *run = NULL;
    json_reader_begin(&reader, value, path, err);
    state_take_uuid(&reader, "vm", &vm->vm);
    if (json_take_text(&reader, "run", true, &run)) {
        enum vm_run parsed = vm_run_parse(run);
        if (parsed == VM_RUN_MAX)
            json_reader_fail(&reader, "run", "unknown: '%s'", run);
        vm->run = (uint8_t)parsed;
    }
    state_take_revision(&reader, "revision", &vm->revision);
    state_take_uuid(&reader, "boot_id", &vm->boot_id);
    json_take_object(&reader, "condition", true, &condition);
    if (json_reader_end(&reader, false, NULL) < 0)
        return -1;
    return state_read_condition(condition, &vm->condition, err);
}

int state_vms_read(const json_t *list, struct agent_state *state,
                   struct error *err)
{
    size_t count = json_array_size(list);
    if (count)
        state->vms = mem_calloc(count, sizeof *state->vms);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "vms[%zu]", i);
        if (read_vm(json_array_get(list, i), path, &state->vms[i], err) < 0)
            return -1;
        state->vm_count++;
    }
    return 0;
}

static int read_hold(const json_t *value, const char *path, struct hold *hold,
                     struct error *err)
{
    struct json_reader reader;
    const char *pf = NULL, *mac = NULL;
    json_reader_begin(&reader, value, path, err);
    state_take_uuid(&reader, "port", &hold->port);
    if (json_take_text(&reader, "pf", true, &pf) &&
        !pf_key_parse(pf, &hold->pf))
        json_reader_fail(&reader, "pf", "not a PF: '%s'", pf);
    if (json_take_text(&reader, "mac", true, &mac) &&
        !mac_parse(mac, &hold->mac))
        json_reader_fail(&reader, "mac", "not a MAC: '%s'", mac);
    return json_reader_end(&reader, false, NULL);
}

int state_holds_read(const json_t *list, struct agent_state *state,
                     struct error *err)
{
    size_t count = json_array_size(list);
    if (count)
        state->holds = mem_calloc(count, sizeof *state->holds);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        snprintf(path, sizeof path, "holds[%zu]", i);
        if (read_hold(json_array_get(list, i), path, &state->holds[i], err) < 0)
            return -1;
        state->hold_count++;
    }
    return 0;
}
