/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a claim in SQLite, as db/sqlite writes them: the VM and its event,
 * both also in the change log, whose old end goes, as does the oldest event.
 * Time-ordered ids; WAL with synchronous FULL. */
#include "tests/bench/parts/parts.h"

#include "common/base/mem.h"
#include "common/base/timestamp.h"
#include "common/base/uuid.h"

#include <sqlite3.h>
#include <string.h>

#define LOG_KEPT 256      /* SQLITE_STORE_LOG_KEPT of db/sqlite */
#define EVENTS_KEPT 10000 /* of common/model/vm.h */

enum { BEGIN, COMMIT, PUT, REMOVE, LOG, PRUNE, ADVANCE, STATEMENTS };
static const char *const texts[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [PUT] = ("INSERT INTO entry VALUES(?1, ?2, ?3)"
             " ON CONFLICT DO UPDATE SET value = ?3"),
    [REMOVE] = "DELETE FROM entry WHERE kind = ?1 AND key = ?2",
    [LOG] = "INSERT INTO change_log VALUES(?4, ?5, ?1, ?2, ?3)",
    [PRUNE] = "DELETE FROM change_log WHERE revision <= ?1",
    [ADVANCE] = "UPDATE meta SET epoch = 1, revision = ?1 WHERE id = 1",
};
static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
    "PRAGMA wal_autocheckpoint = 4000;"
    "CREATE TABLE entry(kind TEXT NOT NULL, key BLOB NOT NULL,"
    " value BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1),"
    " epoch INTEGER NOT NULL, revision INTEGER NOT NULL,"
    " settled INTEGER NOT NULL);"
    "CREATE TABLE change_log(revision INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " kind TEXT NOT NULL, key BLOB NOT NULL, value BLOB,"
    " PRIMARY KEY(revision, seq)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES(1, 0, 0, 0);";

struct parts_store {
    const struct parts_config *config;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    struct rng rng;
    int64_t revision, event, seq;
};

static int failed(const struct parts_store *store, const char *what,
                  struct error *err)
{
    return error_set(err, ERROR_IO, "%s: %s", what,
                     store->db ? sqlite3_errmsg(store->db) : "no memory");
}

struct parts_store *parts_store_open(const struct parts_config *config,
                                     struct error *err)
{
    struct parts_store *store = mem_new(struct parts_store);
    auto_free char *path = mem_printf("%s/store.db", config->folder);
    store->config = config;
    store->rng.state = 1;
    if (sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                            SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL) != SQLITE_OK) {
        failed(store, path, err);
        parts_store_close(store);
        return NULL;
    }
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(store->db, texts[i], -1,
                               SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK) {
            failed(store, texts[i], err);
            parts_store_close(store);
            return NULL;
        }
    return store;
}

static bool run(struct parts_store *store, int which)
{
    sqlite3_stmt *statement = store->statements[which];
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return done;
}

/* A row with a value, or with 'row->value' NULL its end. */
static bool write_row(struct parts_store *store, const struct parts_row *row,
                      const void *key, int key_length)
{
    int which[] = {row->value ? PUT : REMOVE, LOG};
    for (size_t i = 0; i < 2; i++) {
        sqlite3_stmt *statement = store->statements[which[i]];
        sqlite3_bind_text(statement, 1, row->kind, -1, SQLITE_STATIC);
        sqlite3_bind_blob(statement, 2, key, key_length, SQLITE_STATIC);
        if (row->value)
            sqlite3_bind_blob(statement, 3, row->value, (int)row->length,
                              SQLITE_STATIC);
        if (which[i] == LOG) {
            sqlite3_bind_int64(statement, 4, store->revision);
            sqlite3_bind_int64(statement, 5, store->seq++);
        }
        if (!run(store, which[i]))
            return false;
    }
    return true;
}

static void event_key(int64_t number, uint8_t key[8])
{
    for (int i = 7; i >= 0; i--, number >>= 8)
        key[i] = (uint8_t)number;
}

static bool write_claim(struct parts_store *store)
{
    const struct parts_row end = {.kind = store->config->event.kind};
    struct uuid id = uuid_make(timestamp_now(), &store->rng);
    uint8_t key[8], old[8];
    event_key(++store->event, key);
    event_key(store->event - EVENTS_KEPT, old);
    return write_row(store, &store->config->vm, id.bytes, sizeof id.bytes) &&
           write_row(store, &store->config->event, key, sizeof key) &&
           (store->event <= EVENTS_KEPT ||
            write_row(store, &end, old, sizeof old));
}

int parts_store_commit(struct parts_store *store, size_t count,
                       struct error *err)
{
    bool fine = run(store, BEGIN);
    store->revision++;
    store->seq = 0;
    for (size_t i = 0; i < count && fine; i++)
        fine = write_claim(store);
    if (store->revision > LOG_KEPT) {
        sqlite3_bind_int64(store->statements[PRUNE], 1,
                           store->revision - LOG_KEPT);
        fine = fine && run(store, PRUNE);
    }
    sqlite3_bind_int64(store->statements[ADVANCE], 1, store->revision);
    fine = fine && run(store, ADVANCE) && run(store, COMMIT);
    return fine ? 0 : failed(store, "commit", err);
}

void parts_store_close(struct parts_store *store)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store);
}
