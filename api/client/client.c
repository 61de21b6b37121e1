/* SPDX-License-Identifier: Apache-2.0 */
/* One call at a time: client_call() over a client_multi that it owns, so that
 * both ways of calling share all of their behaviour and a call in progress can
 * be interrupted. */
#include "api/client/client.h"

#include "api/client/multi.h"
#include "common/base/json.h"
#include "common/base/mem.h"

#include <stdatomic.h>

struct client {
    struct client_multi *multi;
    atomic_bool cancelled;
};

struct client *client_new(const struct client_config *config, struct error *err)
{
    struct client_multi *multi = client_multi_new(config, err);
    if (!multi)
        return NULL;
    struct client *client = mem_new(struct client);
    client->multi = multi;
    return client;
}

void client_free(struct client *client)
{
    if (!client)
        return;
    client_multi_free(client->multi);
    free(client);
}

void client_answer_done(struct client_answer *answer)
{
    json_decref(answer->body);
    free(answer->text);
    *answer = (struct client_answer){.retry_after_s = -1};
}

struct call {
    struct client_answer *answer;
    struct error *err;
    int rc;
    bool over;
};

static void finish(void *context, const struct client_answer *answer,
                   const struct error *err)
{
    struct call *call = context;
    call->over = true;
    call->rc = err ? -1 : 0;
    if (err && call->err)
        *call->err = *err;
    /* The caller keeps what came; the original goes with its transfer. */
    *call->answer = *answer;
    call->answer->body = json_incref(answer->body);
    call->answer->text = mem_strdup(answer->text);
}

int client_call(struct client *client, const char *method, const char *path,
                const json_t *body, const char *const *headers, long timeout_ms,
                struct client_answer *answer, struct error *err)
{
    *answer = (struct client_answer){.retry_after_s = -1};
    struct call call = {.answer = answer, .err = err, .rc = -1};
    const struct transfer_request request = {
        .method = method,
        .path = path,
        .body = body ? json_text(body) : NULL,
        .headers = headers,
        .timeout_ms = timeout_ms,
    };
    multi_start(client->multi, &request, finish, &call);
    while (!call.over && !atomic_load(&client->cancelled))
        client_multi_run(client->multi, -1, -1);
    if (call.over)
        return call.rc;
    multi_drop(client->multi);
    return error_set(err, ERROR_UNAVAILABLE, "the call was interrupted");
}

void client_cancel(struct client *client)
{
    atomic_store(&client->cancelled, true);
    client_multi_wakeup(client->multi);
}

char *client_escape(const char *segment)
{
    char *escaped = curl_easy_escape(NULL, segment, 0);
    char *copy = mem_strdup(escaped ? escaped : "");
    curl_free(escaped);
    return copy;
}
