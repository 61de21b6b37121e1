/* SPDX-License-Identifier: Apache-2.0 */
/* bench-parts: what a durable claim over REST costs in raw parts alone,
 * libmicrohttpd + jansson + SQLite, to compare the scheduler with. It decides,
 * checks and indexes nothing. */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one claim writes: the bytes of the scheduler's own records. */
struct parts_row {
    const char *kind;
    char *value;
    size_t length;
};
struct parts_config {
    const char *folder;  /* store.db is made there */
    size_t answer_bytes; /* size of an answer's body */
    size_t batch;        /* claims per transaction */
    struct parts_row vm, event;
};

/* ---- the store: the scheduler's tables, settings and statements */
struct parts_store;
struct parts_store *parts_store_open(const struct parts_config *config,
                                     struct error *err);
/* One transaction with what 'count' claims write. */
int parts_store_commit(struct parts_store *store, size_t count,
                       struct error *err);
void parts_store_close(struct parts_store *store);

/* ---- the server: the scheduler's libmicrohttpd flags and threads */
struct parts_server;
struct parts_server *parts_server_start(const struct parts_config *config,
                                        struct parts_store *store,
                                        unsigned short *port,
                                        struct error *err);
void parts_server_stop(struct parts_server *server);
