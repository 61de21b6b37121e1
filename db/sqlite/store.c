/* SPDX-License-Identifier: Apache-2.0 */
/* The store on SQLite (db/store.h): one batch is one transaction, in which the
 * epoch and the revision are compared too, so nothing can slip between the
 * check and the write.
 *
 * When is a failed commit surely not there? Everything before COMMIT: rolled
 * back. SQLITE_FULL in COMMIT: the last frame of the batch, which makes the
 * others valid, was not written. Any other failure of COMMIT (fsync above all)
 * may leave complete frames in the log that a later start would take for
 * stored: STORE_UNKNOWN, and position() first overwrites the log's end by a
 * write of its own ("settles"), so that its answer also holds after a crash.
 */
#include "db/sqlite/sqlite_store.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "db/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sqlite_store *self(struct store *store)
{
    return (struct sqlite_store *)store;
}

/* Run a statement that gives no rows. Returns SQLite's code, SQLITE_DONE if
 * fine; the statement is ready for its next use. */
static int run(struct sqlite_store *store, enum sql which)
{
    sqlite3_stmt *statement = store->statements[which];
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code;
}

static int rollback(struct sqlite_store *store)
{
    /* Some errors roll back by themselves. */
    if (sqlite3_get_autocommit(store->db))
        return 0;
    return run(store, SQL_ROLLBACK) == SQLITE_DONE ? 0 : -1;
}

static int read_position(struct sqlite_store *store, uint64_t *epoch,
                         uint64_t *revision, struct error *err)
{
    sqlite3_stmt *statement = store->statements[SQL_POSITION];
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *epoch = (uint64_t)sqlite3_column_int64(statement, 0);
        *revision = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    sqlite3_reset(statement);
    if (code == SQLITE_ROW)
        return 0;
    if (code == SQLITE_DONE)
        code = SQLITE_CORRUPT; /* the only row of 'meta' is gone */
    return sqlite_store_error(store, code, "read the position", err);
}

static void bind_change(sqlite3_stmt *statement,
                        const struct store_change *change)
{
    sqlite3_bind_text(statement, 1, change->kind, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, change->key, (int)change->key_length,
                      SQLITE_STATIC);
    if (change->value && change->value_length > 0)
        sqlite3_bind_blob(statement, 3, change->value,
                          (int)change->value_length, SQLITE_STATIC);
    else if (change->value)
        sqlite3_bind_zeroblob(statement, 3, 0);
}

static int write_change(struct sqlite_store *store, uint64_t revision,
                        size_t seq, const struct store_change *change)
{
    enum sql which = change->value ? SQL_PUT : SQL_REMOVE;
    sqlite3_stmt *statement = store->statements[which];
    sqlite3_bind_text(statement, 1, change->kind, -1, SQLITE_STATIC);
    if (change->value)
        bind_change(statement, change);
    else
        sqlite3_bind_blob(statement, 2, change->key, (int)change->key_length,
                          SQLITE_STATIC);
    int code = run(store, which);
    if (code != SQLITE_DONE)
        return code;
    statement = store->statements[SQL_LOG];
    bind_change(statement, change);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)revision);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)seq);
    return run(store, SQL_LOG);
}

static int compare_position(struct sqlite_store *store, uint64_t epoch,
                            uint64_t revision, struct error *err)
{
    uint64_t now_epoch = 0, now_revision = 0;
    if (read_position(store, &now_epoch, &now_revision, err) < 0)
        return -1;
    if (epoch < now_epoch) {
        error_fill(err, ERROR_OLD_EPOCH, 0, "epoch",
                   "epoch %llu writes, but epoch %llu was here",
                   (unsigned long long)epoch, (unsigned long long)now_epoch);
        error_remedy(err, "stop this scheduler: another one took over");
        return -1;
    }
    if (revision != now_revision + 1)
        return error_set_field(err, ERROR_CONFLICT, "revision",
                               "revision %llu does not follow %llu",
                               (unsigned long long)revision,
                               (unsigned long long)now_revision);
    return 0;
}

static int write_batch(struct sqlite_store *store, uint64_t epoch,
                       uint64_t revision, const struct store_change *changes,
                       size_t count, struct error *err)
{
    int code = SQLITE_DONE;
    for (size_t i = 0; i < count && code == SQLITE_DONE; i++)
        code = write_change(store, revision, i, &changes[i]);
    if (code == SQLITE_DONE && revision > SQLITE_STORE_LOG_KEPT) {
        sqlite3_bind_int64(store->statements[SQL_PRUNE], 1,
                           (sqlite3_int64)(revision - SQLITE_STORE_LOG_KEPT));
        code = run(store, SQL_PRUNE);
    }
    if (code == SQLITE_DONE) {
        sqlite3_stmt *advance = store->statements[SQL_ADVANCE];
        sqlite3_bind_int64(advance, 1, (sqlite3_int64)epoch);
        sqlite3_bind_int64(advance, 2, (sqlite3_int64)revision);
        code = run(store, SQL_ADVANCE);
    }
    return code == SQLITE_DONE ? 0
                               : sqlite_store_error(store, code, "write", err);
}

/* Whatever SQLite said of a write, to the caller it is not durable. */
static enum store_outcome failed(struct error *err, enum store_outcome outcome)
{
    if (err && err->code == ERROR_INTERNAL)
        err->code = ERROR_NOT_DURABLE;
    return outcome;
}

static enum store_outcome commit(struct store *base, uint64_t epoch,
                                 uint64_t revision,
                                 const struct store_change *changes,
                                 size_t count, struct error *err)
{
    struct sqlite_store *store = self(base);
    if (store_check_changes(changes, count, err) < 0)
        return STORE_FAILED;
    if (epoch > INT64_MAX || revision > INT64_MAX) {
        error_fill(err, ERROR_INVALID, 0, "revision",
                   "epoch and revision must stay below 2^63");
        return STORE_FAILED;
    }
    int code = run(store, SQL_BEGIN);
    if (code != SQLITE_DONE) {
        sqlite_store_error(store, code, "begin", err);
        return failed(err, STORE_FAILED);
    }
    if (compare_position(store, epoch, revision, err) < 0 ||
        write_batch(store, epoch, revision, changes, count, err) < 0) {
        store->unsettled |= rollback(store) < 0;
        return failed(err, store->unsettled ? STORE_UNKNOWN : STORE_FAILED);
    }
    code = run(store, SQL_COMMIT);
    if (code == SQLITE_DONE)
        return STORE_DONE;
    sqlite_store_error(store, code, "commit", err);
    bool surely_not = (code & 0xff) == SQLITE_FULL && rollback(store) == 0;
    if (!surely_not) {
        rollback(store);
        store->unsettled = true;
    }
    return failed(err, surely_not ? STORE_FAILED : STORE_UNKNOWN);
}

static int settle(struct sqlite_store *store, struct error *err)
{
    if (rollback(store) < 0)
        return error_set(err, ERROR_NOT_DURABLE, "can't roll back in '%s'",
                         store->path);
    int code = run(store, SQL_BEGIN);
    if (code == SQLITE_DONE)
        code = run(store, SQL_SETTLE);
    if (code == SQLITE_DONE)
        code = run(store, SQL_COMMIT);
    if (code != SQLITE_DONE) {
        sqlite_store_error(store, code, "find the outcome of a commit", err);
        rollback(store);
        return -1;
    }
    store->unsettled = false;
    return 0;
}

static int position(struct store *base, uint64_t *epoch, uint64_t *revision,
                    struct error *err)
{
    struct sqlite_store *store = self(base);
    if (store->unsettled && settle(store, err) < 0)
        return -1;
    return read_position(store, epoch, revision, err);
}

static int load(struct store *base,
                int (*visit)(void *context, const char *kind, const void *key,
                             size_t key_length, const void *value,
                             size_t value_length, struct error *err),
                void *context, struct error *err)
{
    struct sqlite_store *store = self(base);
    sqlite3_stmt *statement = store->statements[SQL_LOAD];
    int code = SQLITE_ROW, result = 0;
    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const void *value = sqlite3_column_blob(statement, 2);
        result = visit(context, (const char *)sqlite3_column_text(statement, 0),
                       sqlite3_column_blob(statement, 1),
                       (size_t)sqlite3_column_bytes(statement, 1),
                       value ? value : "",
                       (size_t)sqlite3_column_bytes(statement, 2), err) < 0
                     ? -1
                     : 0;
    }
    sqlite3_reset(statement);
    if (result == 0 && code != SQLITE_DONE)
        return sqlite_store_error(store, code, "load", err);
    return result;
}

static int sync_path(const char *path, int flags, struct error *err)
{
    auto_close int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return error_set_sys(err, errno, "sync '%s'", path);
    return 0;
}

static int sync_parent(const char *path, struct error *err)
{
    auto_free char *parent = mem_printf("%s", path);
    char *slash = NULL;
    for (char *at = parent; *at; at++)
        slash = *at == '/' ? at : slash;
    if (slash)
        *slash = '\0';
    const char *folder = !slash ? "." : *parent ? parent : "/";
    return sync_path(folder, O_DIRECTORY, err);
}

static int snapshot(struct store *base, const char *path, struct error *err)
{
    struct sqlite_store *store = self(base);
    auto_close int fd =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_sys(err, errno, "make the snapshot '%s'", path);
    sqlite3_stmt *statement = NULL;
    int code =
        sqlite3_prepare_v2(store->db, "VACUUM INTO ?1", -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    if (code != SQLITE_DONE)
        sqlite_store_error(store, code, "write a snapshot of", err);
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE || sync_path(path, 0, err) < 0 ||
        sync_parent(path, err) < 0) {
        unlink(path);
        return -1;
    }
    return 0;
}

/* Is everything after 'revision' still in the log? */
static int check_followable(struct sqlite_store *store, uint64_t revision,
                            struct error *err)
{
    uint64_t epoch = 0, now = 0;
    if (read_position(store, &epoch, &now, err) < 0)
        return -1;
    uint64_t kept_after =
        now > SQLITE_STORE_LOG_KEPT ? now - SQLITE_STORE_LOG_KEPT : 0;
    if (revision > now || revision < kept_after) {
        error_fill(err, ERROR_NOT_FOUND, 0, "revision",
                   "the changes after revision %llu are not kept (%llu to %llu "
                   "are)",
                   (unsigned long long)revision,
                   (unsigned long long)kept_after + 1, (unsigned long long)now);
        error_remedy(err, "load the whole state instead");
        return -1;
    }
    return 0;
}

static int follow(struct store *base, uint64_t revision,
                  int (*visit)(void *context, uint64_t revision,
                               const struct store_change *change,
                               struct error *err),
                  void *context, struct error *err)
{
    struct sqlite_store *store = self(base);
    if (check_followable(store, revision, err) < 0)
        return -1;
    sqlite3_stmt *statement = store->statements[SQL_LOG_AFTER];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)revision);
    int code = SQLITE_ROW, result = 0;
    while (result == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        bool removed = sqlite3_column_type(statement, 3) == SQLITE_NULL;
        const void *value = sqlite3_column_blob(statement, 3);
        struct store_change change = {
            .kind = (const char *)sqlite3_column_text(statement, 1),
            .key = sqlite3_column_blob(statement, 2),
            .key_length = (size_t)sqlite3_column_bytes(statement, 2),
            .value = removed ? NULL
                     : value ? value
                             : "",
            .value_length = (size_t)sqlite3_column_bytes(statement, 3),
        };
        uint64_t at = (uint64_t)sqlite3_column_int64(statement, 0);
        result = visit(context, at, &change, err) < 0 ? -1 : 0;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (result == 0 && code != SQLITE_DONE)
        return sqlite_store_error(store, code, "follow", err);
    return result;
}

static void close_store(struct store *base)
{
    struct sqlite_store *store = self(base);
    if (!store)
        return;
    for (size_t i = 0; i < SQL_STATEMENT_MAX; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    if (store->lock >= 0)
        close(store->lock);
    free(store->folder);
    free(store->path);
    free(store);
}

static const struct store_ops sqlite_ops = {
    .commit = commit,
    .load = load,
    .position = position,
    .snapshot = snapshot,
    .follow = follow,
    .close = close_store,
};

struct store *store_sqlite_open(const char *folder, struct error *err)
{
    struct sqlite_store *store = mem_new(struct sqlite_store);
    store->store.ops = &sqlite_ops;
    store->folder = mem_strdup(folder);
    store->path = mem_printf("%s/store.db", folder);
    store->lock = -1;
    if (file_make_dirs(folder, 0700, err) < 0 ||
        sqlite_store_lock(store, err) < 0 ||
        sqlite_store_prepare(store, err) < 0) {
        close_store(&store->store);
        return NULL;
    }
    return &store->store;
}
