/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the SQLite store: the folder's lock, the check of the file, its
 * tables. Called by store.c only.
 *
 * The lock is a flock on a file that is never removed: it ends with the process
 * however that dies. SQLite's own locks would let a second scheduler read.
 */
#include "db/sqlite/sqlite_store.h"

#include "common/base/file.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* 'meta' has one row. 'settled' is only there to be written: position(). */
static const char schema[] =
    "CREATE TABLE entry(kind TEXT NOT NULL, key BLOB NOT NULL,"
    " value BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;"
    "CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1),"
    " epoch INTEGER NOT NULL, revision INTEGER NOT NULL,"
    " settled INTEGER NOT NULL);"
    "CREATE TABLE change_log(revision INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " kind TEXT NOT NULL, key BLOB NOT NULL, value BLOB,"
    " PRIMARY KEY(revision, seq)) WITHOUT ROWID;"
    "INSERT INTO meta VALUES(1, 0, 0, 0);";

static const char *const statement_texts[SQL_STATEMENT_MAX] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_POSITION] = "SELECT epoch, revision FROM meta WHERE id = 1",
    [SQL_PUT] = "INSERT INTO entry VALUES(?1, ?2, ?3)"
                " ON CONFLICT DO UPDATE SET value = ?3",
    [SQL_REMOVE] = "DELETE FROM entry WHERE kind = ?1 AND key = ?2",
    [SQL_LOG] = "INSERT INTO change_log VALUES(?4, ?5, ?1, ?2, ?3)",
    [SQL_PRUNE] = "DELETE FROM change_log WHERE revision <= ?1",
    [SQL_ADVANCE] = "UPDATE meta SET epoch = ?1, revision = ?2 WHERE id = 1",
    [SQL_SETTLE] = "UPDATE meta SET settled = settled + 1 WHERE id = 1",
    [SQL_LOAD] = "SELECT kind, key, value FROM entry ORDER BY kind, key",
    [SQL_LOG_AFTER] = "SELECT revision, kind, key, value FROM change_log"
                      " WHERE revision > ?1 ORDER BY revision, seq",
};

static void remedy_damaged(const struct sqlite_store *store, struct error *err)
{
    error_remedy(err,
                 "keep '%s' and its -wal file for an inquiry, put a snapshot "
                 "in their place (or begin with an empty folder: hosts then "
                 "keep what they have)",
                 store->path);
}

int sqlite_store_error(const struct sqlite_store *store, int code,
                       const char *what, struct error *err)
{
    const char *text =
        store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_FULL:
        error_fill(err, ERROR_NOT_DURABLE, ENOSPC, "", "%s: '%s': %s", what,
                   store->path, text);
        error_remedy(err, "make room on the disk of '%s'", store->folder);
        return -1;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error_fill(err, ERROR_CORRUPT, 0, "", "%s: '%s' is damaged: %s", what,
                   store->path, text);
        remedy_damaged(store, err);
        return -1;
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        error_fill(err, ERROR_NOT_DURABLE, sqlite3_system_errno(store->db), "",
                   "%s: '%s': %s (%d, %s)", what, store->path, text, code,
                   strerror(sqlite3_system_errno(store->db)));
        error_remedy(err, "see whether the disk of '%s' can be written",
                     store->folder);
        return -1;
    default:
        return error_set(err, ERROR_INTERNAL, "%s: '%s': %s (%d)", what,
                         store->path, text, code);
    }
}

/* A killed process holds its lock until the kernel has taken it apart, which a
 * write to a slow disk can hold up: whoever starts it again waits a little. */
#define LOCK_WAIT_MS 5000
#define LOCK_POLL_MS 20

static int lock_file(int fd)
{
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
         waited += LOCK_POLL_MS) {
        if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS)
            return -1;
        usleep(LOCK_POLL_MS * 1000);
    }
    return 0;
}

int sqlite_store_lock(struct sqlite_store *store, struct error *err)
{
    auto_free char *path = mem_printf("%s/lock", store->folder);
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_sys(err, errno, "open the lock '%s'", path);
    if (lock_file(fd) < 0) {
        if (errno != EWOULDBLOCK)
            return error_set_sys(err, errno, "lock '%s'", path);
        char pid[16] = "";
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        pid[got > 0 ? got : 0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        error_fill(err, ERROR_IN_USE, 0, "data",
                   "the data folder '%s' is in use by %s%s", store->folder,
                   *pid ? "process " : "another process", pid);
        error_remedy(err, "stop that process, or use another --data folder");
        return -1;
    }
    /* The pid is for people only; a full disk must not keep us from starting. */
    if (ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", (int)getpid()) < 0)
        errno = 0;
    store->lock = take_fd(fd);
    return 0;
}

static int execute(struct sqlite_store *store, const char *sql,
                   const char *what, struct error *err)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : sqlite_store_error(store, code, what, err);
}

/* The first column of the first row, as a whole number. */
static int ask(struct sqlite_store *store, const char *sql, int64_t *out,
               struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0
                              : sqlite_store_error(store, code, "read", err);
}

static int check_pages(struct sqlite_store *store, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1,
                                  &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code != SQLITE_ROW) {
        sqlite_store_error(store, code, "check", err);
        sqlite3_finalize(statement);
        return -1;
    }
    const char *answer = (const char *)sqlite3_column_text(statement, 0);
    bool fine = answer && strcmp(answer, "ok") == 0;
    if (!fine) {
        error_fill(err, ERROR_CORRUPT, 0, "", "'%s' is damaged: %.120s",
                   store->path, answer ? answer : "no answer");
        remedy_damaged(store, err);
    }
    sqlite3_finalize(statement);
    return fine ? 0 : -1;
}

static int make_tables(struct sqlite_store *store, struct error *err)
{
    auto_free char *sql =
        mem_printf("BEGIN IMMEDIATE;%sPRAGMA application_id = %d;"
                   "PRAGMA user_version = %d;COMMIT",
                   schema, SQLITE_STORE_APPLICATION, SQLITE_STORE_SCHEMA);
    return execute(store, sql, "make the tables", err);
}

/* Before the first write: is this file ours and of our time? */
static int check_schema(struct sqlite_store *store, struct error *err)
{
    int64_t version = 0, application = 0, tables = 0;
    if (ask(store, "PRAGMA user_version", &version, err) < 0 ||
        ask(store, "PRAGMA application_id", &application, err) < 0 ||
        ask(store, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (version > SQLITE_STORE_SCHEMA) {
        error_fill(err, ERROR_UNSUPPORTED, 0, "",
                   "'%s' has schema %lld, this program knows up to %d",
                   store->path, (long long)version, SQLITE_STORE_SCHEMA);
        error_remedy(err, "start the newer sriov-scheduler that wrote it, or "
                          "restore a snapshot of before the upgrade");
        return -1;
    }
    if (tables > 0 &&
        (version < 1 || application != SQLITE_STORE_APPLICATION)) {
        error_fill(err, ERROR_CORRUPT, 0, "",
                   "'%s' is no database of sriov-scheduler", store->path);
        remedy_damaged(store, err);
        return -1;
    }
    return 0;
}

static int prepare_statements(struct sqlite_store *store, struct error *err)
{
    for (size_t i = 0; i < SQL_STATEMENT_MAX; i++) {
        int code = sqlite3_prepare_v3(store->db, statement_texts[i], -1,
                                      SQLITE_PREPARE_PERSISTENT,
                                      &store->statements[i], NULL);
        if (code != SQLITE_OK) {
            sqlite_store_error(store, code, "prepare", err);
            /* The file opened and passed its check, but lacks our tables. */
            if (err && err->code == ERROR_INTERNAL) {
                err->code = ERROR_CORRUPT;
                remedy_damaged(store, err);
            }
            return -1;
        }
    }
    return 0;
}

int sqlite_store_prepare(struct sqlite_store *store, struct error *err)
{
    /* Made by us for its mode: SQLite gives -wal and -shm the same. */
    auto_close int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_sys(err, errno, "open '%s'", store->path);
    int code = sqlite3_open_v2(store->path, &store->db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (code != SQLITE_OK)
        return sqlite_store_error(store, code, "open", err);
    int64_t tables = 0;
    if (check_schema(store, err) < 0 ||
        execute(store,
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA busy_timeout = 2000; PRAGMA trusted_schema = OFF;"
                "PRAGMA wal_autocheckpoint = 4000",
                "configure", err) < 0 ||
        check_pages(store, err) < 0 ||
        ask(store, "SELECT count(*) FROM sqlite_schema", &tables, err) < 0)
        return -1;
    if (tables == 0 && make_tables(store, err) < 0)
        return -1;
    return prepare_statements(store, err);
}
