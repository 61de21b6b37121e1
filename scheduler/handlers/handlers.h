/* SPDX-License-Identifier: Apache-2.0 */
/* The REST interface of the scheduler (openapi.yaml): the route table and the
 * handlers, one file per noun. Reads are answered from the snapshot on the HTTP
 * thread; changes become jobs of the writer and are answered when durable.
 *
 * Threads: any.
 */
#pragma once

#include "api/http/server.h"
#include "scheduler/service/service.h"

/* The context of all handlers. Set both before the first request. */
struct api {
    struct service *service; /* borrowed */
    /* Borrowed; for waking parked requests. NULL until http_start() has
     * returned, while its threads already serve. */
    struct http_server *_Atomic server;
    struct reader
        *reader; /* owned; NULL: reports are read where they come in */
};

extern const struct http_route handlers_routes[];
extern const size_t handlers_route_count;

/* Register the metrics that handlers count. Once, before the first request. */
void handlers_init(void);
/* The thread that reads long reports, which end up in the queue of so many.
 * Before the first request. */
int handlers_start(struct api *api, size_t queue, struct error *err);
/* Before service_stop(): what has come in reaches the writer. */
void handlers_stop(struct api *api);
void handlers_done(struct api *api); /* after http_stop() */
/* http_config.identify: a client's or agent's token. An agent's name is its
 * host's. */
enum role handlers_identify(void *context, const char *token,
                            char name[NAME_SIZE]);
