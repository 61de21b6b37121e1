/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd without sockets: mhd.c defines those of its functions that
 * api/http calls, so that a whole request, as libmicrohttpd would hand it over,
 * runs through the real server in some microseconds, one at a time. What
 * libmicrohttpd itself refuses must not be given to it. */
#pragma once

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#define MHD_HEADERS_MAX 24

struct mhd_request {
    const char *method, *target;
    size_t header_count;
    struct {
        const char *name, *value;
    } headers[MHD_HEADERS_MAX];
    const char *body; /* as much of it as comes */
    size_t body_length;
    bool cut; /* the peer goes away before the end of the body */
};

struct mhd_answer {
    int status; /* 0 = the connection was closed without one */
    bool raw;   /* it was sent past libmicrohttpd, whole, as 'body' */
    char *body; /* with a zero behind it; of a stream the beginning */
    size_t length;
    struct MHD_Response *response; /* for its headers; NULL if raw */
};

/* One request on a connection of its own. 'wake' is called while it is
 * suspended, until it is resumed: it must wake what may be parked. */
void mhd_exchange(const struct mhd_request *request, void (*wake)(void),
                  struct mhd_answer *out);
const char *mhd_header(const struct mhd_answer *answer, const char *name);
void mhd_answer_done(struct mhd_answer *answer);
