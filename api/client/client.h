/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the REST interface over libcurl: for sriov-admin, the agent's uplink
 * and sriov-fleet. The only folder that knows libcurl.
 *
 * Threads: one client per thread.
 */
#pragma once

#include "common/base/error.h"

#include <jansson.h>
#include <stdbool.h>

struct client;
struct client_config {
    const char *server;      /* "http://127.0.0.1:8470" */
    const char *token;       /* bearer; NULL = none; copied */
    const char *token_file;  /* instead of token: read again for each call */
    long timeout_ms;         /* of a whole call; 0 = 30 s */
    long connect_timeout_ms; /* 0 = 5 s */
    const char *user_agent;
};
/* NULL: INVALID (not an http:// or https:// URL). Proxies of the environment are
 * not used; certificates are verified. A call that can't read its token_file
 * fails with an error that names the file. */
struct client *client_new(const struct client_config *config,
                          struct error *err);
void client_free(struct client *client);

struct client_answer {
    int status;   /* HTTP status */
    json_t *body; /* owned; NULL if there was none or it is no JSON */
    char *text;   /* owned; the body as received */
    char etag[72];
    int retry_after_s; /* -1 = none */
};
void client_answer_done(struct client_answer *answer);

/* One call and its answer. 0 for any 2xx/3xx. On -1: UNAVAILABLE (can't
 * connect; the message names the server), TIMEOUT, or the server's problem
 * document as 'err'; 'answer' is filled as far as it came (for "reasons").
 * 'body' borrowed, may be NULL. 'headers' NULL-terminated "Name: value" list
 * or NULL. 'timeout_ms' 0 = the client's. */
int client_call(struct client *client, const char *method, const char *path,
                const json_t *body, const char *const *headers, long timeout_ms,
                struct client_answer *answer, struct error *err);

/* ---- many calls at once, on one thread ------------------------------------- */

/* A set of calls in flight, driven by the caller's own loop: the loop of the
 * agent (with its host's event descriptor) and of sriov-fleet. */
struct client_multi;
struct client_multi *client_multi_new(const struct client_config *config,
                                      struct error *err);
void client_multi_free(struct client_multi *multi); /* drops what is in flight
                                                       without a callback */
/* Begin a call. 'body' is text that is taken (free()), or NULL. 'token' is the
 * bearer for this call (NULL = the config's). 'done' is called from
 * client_multi_run() exactly once: 'err' NULL for 2xx/3xx, else as
 * client_call() sets it. */
void client_multi_start(struct client_multi *multi, const char *method,
                        const char *path, const char *token, char *body,
                        long timeout_ms,
                        void (*done)(void *context,
                                     const struct client_answer *answer,
                                     const struct error *err),
                        void *context);
/* Wait for progress, for 'fd' (-1 = none) to become readable, for
 * client_multi_wakeup(), or 'timeout_ms'; then call what is done. Returns true
 * if 'fd' is readable. */
bool client_multi_run(struct client_multi *multi, int fd, int timeout_ms);
/* This machine's own address on the connection of the last answer, as text; ""
 * = nothing was answered yet. Borrowed until the next client_multi_run(). */
const char *client_multi_own_address(const struct client_multi *multi);
/* From a signal handler or another thread. */
void client_multi_wakeup(struct client_multi *multi);

/* Interrupt a call in progress from another thread or a signal handler (for
 * stopping): the call, and every later one, returns UNAVAILABLE at once. */
void client_cancel(struct client *client);

/* Percent-encode one path segment; free() it. */
char *client_escape(const char *segment);
