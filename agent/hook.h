/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's end of libvirt's hook: a unix socket in the agent's loop
 * (messages: common/domain/hook_frame.h), and the list of guarded devices that
 * the hook falls back on while the agent is down (common/domain/guarded.h).
 *
 * Only root and the agent's own user are answered (SO_PEERCRED; the socket has
 * mode 0600). Nothing here blocks but the write of the list, an fsync.
 *
 * Threads: the agent's.
 */
#pragma once

#include "agent/agent.h"

/* Questions at a time; more wait in the listening socket's queue. */
#define HOOK_PEERS_MAX 64
/* A question must be whole so soon after the connection. */
#define HOOK_READ_NS (2 * TIMESTAMP_SECOND)
/* Of an answer, where the question sets none or a later one. */
#define HOOK_DEADLINE_MAX_NS (30 * TIMESTAMP_SECOND)

struct hook_server;
struct hook_config {
    struct agent *agent; /* borrowed */
    const char *path;    /* of the socket; its folder is made (0700); copied */
    const char *guarded; /* file of the list; copied */
    bool adopt;          /* VFs that nobody claimed are let through */
};
/* Never NULL. A socket that can't be made is logged and tried again, so that the
 * agent's other work goes on; a list that can't be read makes each device count
 * as guarded until the scheduler's document comes. */
struct hook_server *hook_server_new(const struct hook_config *config);
void hook_server_free(struct hook_server *server); /* removes the socket */

/* Readable when hook_server_step() has something to do. */
int hook_server_fd(const struct hook_server *server);
/* Bring the list up to date: before each agent_step(), so that it is on the disk
 * before a VF of a new PF is touched. Returns when to be called again. */
int64_t hook_server_guard(struct hook_server *server, int64_t now_ns);
/* Take questions and give answers: after each agent_step(), whose work is what
 * questions wait for. Returns when to be called again. */
int64_t hook_server_step(struct hook_server *server, int64_t now_ns);
