/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/tokens: who may call, in which role. A token is shown once, at its
 * making; only its hash is kept. */
#include "scheduler/handlers/api.h"

#include "api/http/token.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <stdio.h>
#include <string.h>

HANDLER(handle_tokens_list)
{
    struct api *api = context;
    struct error err = {0};
    size_t limit = 0;
    const char *marker = NULL, *last = NULL;
    if (api_page(request, &limit, &marker, &err) < 0) {
        api_error(request, &err);
        return;
    }
    struct snapshot *snapshot = service_snapshot(api->service);
    json_t *items = json_array();
    const struct token *token = snapshot_token_after(snapshot, marker);
    for (; token && json_array_size(items) < limit;
         token = snapshot_token_after(snapshot, last)) {
        json_array_append_new(items, wire_token(token));
        last = token->name;
    }
    api_answer_list(request, items, token ? last : NULL);
    snapshot_put(snapshot);
}

struct creation {
    struct api_job api;
    char name[NAME_SIZE];
    uint8_t role;
    char token[HTTP_TOKEN_SIZE];
};

static int run_creation(struct job *job, struct core *core,
                        const struct core_call *call, struct tx *tx,
                        struct error *err)
{
    struct creation *creation = (struct creation *)job;
    uint8_t hash[32];
    http_token_hash(creation->token, hash);
    return core_token_create(core, call, creation->name,
                             (enum role)creation->role, hash, tx, err);
}

static void answer_creation(struct job *job, struct snapshot *snapshot,
                            const struct error *err)
{
    struct creation *creation = (struct creation *)job;
    (void)snapshot;
    if (err) {
        api_error(creation->api.request, err);
    } else {
        auto_free char *location =
            mem_printf("Location: /v1/tokens/%s", creation->name);
        const char *headers[] = {location, NULL};
        json_t *body = json_object();
        wire_set(body, "name", wire_text(creation->name));
        wire_set(body, "role", wire_text(role_name((enum role)creation->role)));
        wire_set(body, "token", wire_text(creation->token));
        http_answer_json(creation->api.request, 201, body, headers);
    }
    explicit_bzero(creation->token, sizeof creation->token);
    free(creation);
}

static int read_creation(const json_t *body, struct creation *creation,
                         struct error *err)
{
    struct json_reader reader;
    json_reader_begin(&reader, body, "", err);
    wire_take_copy(&reader, "name", true, creation->name);
    wire_take_enum(&reader, "role", true, role, ROLE_MAX, &creation->role);
    if (!reader.failed && !str_is_name(creation->name)) {
        json_reader_fail(&reader, "name",
                         "'%s' is not 1 to 63 of [A-Za-z0-9._-]",
                         creation->name);
        error_remedy(err, "begin it with a letter or digit");
    }
    if (!reader.failed && creation->role != ROLE_VIEWER &&
        creation->role != ROLE_OPERATOR && creation->role != ROLE_ADMIN) {
        json_reader_fail(&reader, "role", "a client has no role '%s'",
                         role_name((enum role)creation->role));
        error_remedy(err, "use viewer, operator or admin; agents get theirs by "
                          "POST /v1/hosts");
    }
    return json_reader_end(&reader, true, NULL);
}

HANDLER(handle_token_create)
{
    struct error err = {0};
    const json_t *body = api_body(request);
    if (!body)
        return;
    struct creation *creation = mem_new(struct creation);
    if (read_creation(body, creation, &err) < 0 ||
        http_token_make(creation->token, &err) < 0) {
        api_error(request, &err);
        free(creation);
        return;
    }
    creation->api.job.run = run_creation;
    creation->api.job.answer = answer_creation;
    api_submit(context, request, SERVICE_LANE_CLIENT, &creation->api);
}

struct removal {
    struct api_job api;
    char name[NAME_SIZE];
};

static int run_removal(struct job *job, struct core *core,
                       const struct core_call *call, struct tx *tx,
                       struct error *err)
{
    struct removal *removal = (struct removal *)job;
    return core_token_delete(core, call, removal->name, tx, err);
}

static void answer_removal(struct job *job, struct snapshot *snapshot,
                           const struct error *err)
{
    struct removal *removal = (struct removal *)job;
    (void)snapshot;
    if (err)
        api_error(removal->api.request, err);
    else
        http_answer_json(removal->api.request, 204, NULL, NULL);
    free(removal);
}

HANDLER(handle_token_delete)
{
    struct removal *removal = mem_new(struct removal);
    const char *name = http_param(request, "token");
    if (!str_is_name(name) || !str_copy(removal->name, name)) {
        struct error err = {0};
        error_fill(&err, ERROR_NOT_FOUND, 0, "token", "no token '%.64s'", name);
        error_remedy(&err, "see GET /v1/tokens for the names");
        api_error(request, &err);
        free(removal);
        return;
    }
    removal->api.job.run = run_removal;
    removal->api.job.answer = answer_removal;
    api_submit(context, request, SERVICE_LANE_CLIENT, &removal->api);
}
