/* SPDX-License-Identifier: Apache-2.0 */
/* Private to db/sqlite: the object, and what its files share. */
#pragma once

#include "db/store.h"

#include <sqlite3.h>

/* PRAGMA user_version of the files that this program writes. */
#define SQLITE_STORE_SCHEMA 1
/* Revisions that follow() can still tell. */
#define SQLITE_STORE_LOG_KEPT 256
/* PRAGMA application_id: "srio". */
#define SQLITE_STORE_APPLICATION 0x7372696f

enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_POSITION,
    SQL_PUT,
    SQL_REMOVE,
    SQL_LOG,
    SQL_PRUNE,
    SQL_ADVANCE,
    SQL_SETTLE,
    SQL_LOAD,
    SQL_LOG_AFTER,
    SQL_STATEMENT_MAX
};

struct sqlite_store {
    struct store store;  /* first: what callers hold */
    char *folder, *path; /* path = FOLDER/store.db */
    int lock;            /* FOLDER/lock, held by flock while open; -1 = none */
    sqlite3 *db;
    sqlite3_stmt *statements[SQL_STATEMENT_MAX];
    bool unsettled; /* a commit ended without an answer: see position() */
};

/* Say what SQLite says of 'what': NOT_DURABLE for a full disk and I/O, CORRUPT
 * for damage (with the remedy), INTERNAL else. Returns -1. */
int sqlite_store_error(const struct sqlite_store *store, int code,
                       const char *what, struct error *err);
/* The folder's lock. Errors: IN_USE (names the holder's pid), PERMISSION, IO. */
int sqlite_store_lock(struct sqlite_store *store, struct error *err);
/* Open and check the file, make its tables if it is new. */
int sqlite_store_prepare(struct sqlite_store *store, struct error *err);
