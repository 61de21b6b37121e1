/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's state on a real disk: STATE_DIR/agent.json, replaced whole (fsync,
 * rename), mode 0600; and STATE_DIR/lock, held while an agent or a command that
 * changes the state runs.
 *
 * A damaged or newer file is refused: forgetting which VFs are ours would leave
 * them dirty for somebody else.
 *
 * Threads: one.
 */
#pragma once

#include "agent/agent.h"

struct state_file;
/* Makes the folder if needed and locks it. NULL: IN_USE (another agent has
 * it), PERMISSION, IO. */
struct state_file *state_file_open(const char *folder, struct error *err);
void state_file_close(struct state_file *file); /* NULL is fine */
/* 'context' of these is the struct state_file. */
extern const struct agent_state_ops state_file_ops;

/* Read without the lock, for showing. */
int state_file_read(const char *folder, struct agent_state *out,
                    struct error *err);

/* The whole as a JSON text, indented for people or not; free() it. */
char *state_text(const struct agent_state *state, bool pretty);
/* The inverse; CORRUPT names what is wrong. */
int state_parse(const char *text, size_t length, struct agent_state *out,
                struct error *err);
