/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the state's JSON share: state.c, state_pf.c. */
#pragma once

#include "agent/core/managed.h"
#include "common/base/json.h"

json_t *state_revision_value(const struct revision *revision);
bool state_take_uuid(struct json_reader *reader, const char *name,
                     struct uuid *out); /* null: zero */
void state_take_revision(struct json_reader *reader, const char *name,
                         struct revision *out);
void state_take_time(struct json_reader *reader, const char *name,
                     int64_t *out);
int state_read_condition(const json_t *value, struct condition *condition,
                         struct error *err);

/* state_pf.c: changes of PFs; a file of before has none. */
json_t *state_changes_value(const struct agent_state *state);
int state_changes_read(const json_t *list, struct agent_state *state,
                       struct error *err);
/* state_vm.c: the same of VMs and of holds. */
json_t *state_vms_value(const struct agent_state *state);
json_t *state_holds_value(const struct agent_state *state);
int state_vms_read(const json_t *list, struct agent_state *state,
                   struct error *err);
int state_holds_read(const json_t *list, struct agent_state *state,
                     struct error *err);
