/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of bench-client: requests from a file over many
 * connections, and connections that only trickle. One thread. */
#pragma once

#include "common/base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request as it goes over the wire, and when it was answered. */
struct bench_request {
    char *text;
    size_t length;
    int64_t latency_ns; /* 0 = not answered */
    int status;         /* 0 = the connection broke */
};

struct bench_load {
    struct sockaddr_in address;
    size_t connections; /* each has one request on its way at most */
    int64_t period_ns;  /* each connection begins one request per period, all of
                           them at once; 0 = the next follows the answer */
    int64_t until_ns;   /* monotonic; 0 = until all are answered. Then the
                           list is begun again at its end */
    const char *answers; /* file for "INDEX STATUS BODY" lines; NULL = none */
    struct bench_request *requests;
    size_t count;

    /* what came of it */
    uint64_t bytes_in, bytes_out;
    int64_t took_ns;
    size_t answered, broken;
    uint64_t statuses[600];
    int64_t *latencies; /* of the 'answered' ones */
    size_t latency_capacity;
};
int bench_load_run(struct bench_load *load, struct error *err);

/* 'connections' connections that each send one byte a second of an endless
 * header, until 'until_ns'. Those that the server ended are opened anew. Prints
 * what came of it as JSON. */
int bench_trickle(const struct sockaddr_in *address, size_t connections,
                  int64_t until_ns, struct error *err);

/* A connected non-blocking socket, or -1. */
int bench_connect(const struct sockaddr_in *address, struct error *err);
