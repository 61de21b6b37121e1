/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that reads agents' reports: a report may have megabytes of JSON, and
 * whoever shares its connection's thread would wait for that. Deferred requests
 * in, jobs for the writer out, one after the other, at a lower priority than
 * clients' calls. */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct reader;
/* 'read' is called for each item on the reader's thread. NULL: no thread. */
struct reader *reader_start(size_t capacity, void (*read)(void *item),
                            struct error *err);
/* Any thread. False: the queue is full or the reader has ended; the item stays
 * the caller's. */
bool reader_submit(struct reader *reader, void *item);
/* Take no more, read what is queued, end the thread. NULL is fine. */
void reader_stop(struct reader *reader);
void reader_free(struct reader *reader); /* after all who may submit */
