/* SPDX-License-Identifier: Apache-2.0 */
/* The first admin token (bootstrap.h). The file is durable before the hash is
 * committed: a crash in between leaves a file whose token the next start takes,
 * so nobody is ever locked out and no token is valid that nobody can read. */
#define LOG_MODULE "bootstrap"
#include "scheduler/bootstrap.h"

#include "api/http/token.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <fcntl.h>
#include <string.h>

#define ADMIN_NAME "admin"

struct admin_job {
    struct job job;
    uint8_t hash[32];
    bool renew; /* a token of that name, but another role, is in the way */
    struct error *err;
    bool failed;
};

static int run_admin(struct job *job, struct core *core,
                     const struct core_call *call, struct tx *tx,
                     struct error *err)
{
    struct admin_job *admin = (struct admin_job *)job;
    if (admin->renew && core_token_delete(core, call, ADMIN_NAME, tx, err) < 0)
        return -1;
    return core_token_create(core, call, ADMIN_NAME, ROLE_ADMIN, admin->hash,
                             tx, err);
}

static void answer_admin(struct job *job, struct snapshot *snapshot,
                         const struct error *err)
{
    struct admin_job *admin = (struct admin_job *)job;
    (void)snapshot;
    admin->failed = err != NULL;
    if (err && admin->err)
        *admin->err = *err;
}

/* Has anybody the role, and is the name taken otherwise? */
static bool has_admin(struct service *service, bool *name_taken)
{
    struct snapshot *snapshot = service_snapshot(service);
    const struct token *token = snapshot_token_after(snapshot, NULL);
    bool found = false;
    *name_taken = false;
    for (; token && !found;
         token = snapshot_token_after(snapshot, token->name)) {
        found = token->role == ROLE_ADMIN;
        *name_taken |= strcmp(token->name, ADMIN_NAME) == 0;
    }
    snapshot_put(snapshot);
    return found;
}

/* The token of the file, if it has one: 43 characters and a line end. */
static bool read_token(const char *path, char token[HTTP_TOKEN_SIZE])
{
    auto_free char *text = file_read(AT_FDCWD, path, 256, NULL, NULL);
    if (!text)
        return false;
    text[strcspn(text, "\r\n \t")] = '\0';
    return strlen(text) == HTTP_TOKEN_SIZE - 1 &&
           str_copy_bounded(token, HTTP_TOKEN_SIZE, text);
}

int bootstrap_admin(struct service *service, const char *folder,
                    struct error *err)
{
    struct admin_job admin = {
        .job = {.run = run_admin, .answer = answer_admin},
        .err = err,
    };
    if (has_admin(service, &admin.renew))
        return 0;
    char token[HTTP_TOKEN_SIZE] = "";
    auto_free char *path = mem_printf("%s/admin.token", folder);
    if (!read_token(path, token)) {
        if (http_token_make(token, err) < 0)
            return -1;
        auto_free char *line = mem_printf("%s\n", token);
        int result = file_replace(path, line, strlen(line), 0600, err);
        explicit_bzero(line, strlen(line));
        if (result < 0)
            return -1;
    }
    http_token_hash(token, admin.hash);
    explicit_bzero(token, sizeof token);
    service_run_now(service, &admin.job);
    if (admin.failed)
        return -1;
    log_info("the admin token is in '%s'", path);
    return 0;
}
