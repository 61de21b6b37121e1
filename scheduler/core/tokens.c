/* SPDX-License-Identifier: Apache-2.0 */
/* Clients' tokens: of each only the hash is known. */
#include "scheduler/core/internal.h"

#include "common/base/str.h"

#include <string.h>

int core_token_create(struct core *core, const struct core_call *call,
                      const char *name, enum role role, const uint8_t hash[32],
                      struct tx *tx, struct error *err)
{
    if (!str_is_name(name))
        return error_set_field(err, ERROR_INVALID, "name",
                               "'%.64s' is no token name: 1 to 63 letters, "
                               "digits, '.', '_', '-'",
                               name);
    if (role != ROLE_VIEWER && role != ROLE_OPERATOR && role != ROLE_ADMIN)
        return error_set_field(err, ERROR_INVALID, "role",
                               "a token's role is viewer, operator or admin");
    if (omap_get(&core->state.tokens, name, strlen(name)))
        return error_set_field(err, ERROR_DUPLICATE_NAME, "name",
                               "there is a token '%s' already", name);
    if (omap_get(&core->state.token_hashes, hash, 32) ||
        omap_get(&core->state.host_hashes, hash, 32))
        return error_set(err, ERROR_CONFLICT,
                         "this token is already somebody else's");
    struct token *token = token_new();
    str_copy(token->name, name);
    token->role = (uint8_t)role;
    memcpy(token->hash, hash, sizeof token->hash);
    token->created_at = call->now_ns;
    core_change(core, tx, RECORD_TOKEN, NULL, token);
    core_event(core, call, tx, (struct event_about){0}, "TokenCreated",
               "Requested", "token '%s' with role %s", name, role_name(role));
    return 0;
}

static bool is_other_admin(const struct token *token, const char *name)
{
    return token->role == ROLE_ADMIN && strcmp(token->name, name) != 0;
}

struct admin_search {
    const char *name;
    bool found;
};

static bool visit_token(void *context, const void *key, size_t key_length,
                        void *value)
{
    (void)key;
    (void)key_length;
    struct admin_search *search = context;
    search->found = is_other_admin(value, search->name);
    return !search->found;
}

int core_token_delete(struct core *core, const struct core_call *call,
                      const char *name, struct tx *tx, struct error *err)
{
    const struct token *token =
        omap_get(&core->state.tokens, name, strlen(name));
    if (!token)
        return error_set(err, ERROR_NOT_FOUND, "no token '%s'", name);
    struct admin_search search = {.name = name};
    omap_each(&core->state.tokens, visit_token, &search);
    if (token->role == ROLE_ADMIN && !search.found) {
        error_fill(err, ERROR_CONFLICT, 0, "",
                   "'%s' is the last token with role admin", name);
        error_remedy(err, "create another admin token first");
        return -1;
    }
    core_change(core, tx, RECORD_TOKEN, token, NULL);
    core_event(core, call, tx, (struct event_about){0}, "TokenDeleted",
               "Requested", "token '%s' is void", name);
    return 0;
}
