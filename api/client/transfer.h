/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP exchange as a libcurl easy handle: what to send, what has come, and
 * how its end reads as a client_answer and an error. Private to api/client. */
#pragma once

#include "api/client/client.h"
#include "common/base/str.h"

#include <curl/curl.h>

/* An answer beyond this is refused: nothing we ask for is that large. */
#define TRANSFER_ANSWER_MAX (256u << 20)

/* A client_config, checked and copied. */
struct transfer_config {
    char *server; /* without a '/' at the end */
    char *token, *token_file, *user_agent;
    long timeout_ms, connect_timeout_ms;
};
int transfer_config_init(struct transfer_config *config,
                         const struct client_config *from, struct error *err);
void transfer_config_done(struct transfer_config *config);

typedef void transfer_done(void *context, const struct client_answer *answer,
                           const struct error *err);

struct transfer {
    struct transfer *previous, *next; /* in its set */
    CURL *easy; /* NULL: it could not even begin, see 'early' */
    struct curl_slist *headers;
    char *url, *body;
    const char *server; /* borrowed from the configuration */
    long timeout_ms;
    struct str received;
    bool too_large, head_whole;
    char detail[CURL_ERROR_SIZE];
    struct error early;
    transfer_done *done;
    void *context;
};

struct transfer_request {
    const char *method, *path;
    const char *token;          /* NULL = the configuration's */
    char *body;                 /* taken; NULL = none */
    const char *const *headers; /* NULL-terminated list or NULL */
    long timeout_ms;            /* 0 = the configuration's */
};
/* Never NULL; 'easy' (taken) is a fresh or reset handle. */
struct transfer *transfer_new(const struct transfer_config *config,
                              const struct transfer_request *request,
                              CURL *easy);
/* The result: 0, or -1 and 'err' as client_call() says. 'answer' is owned by
 * the caller in both cases. */
int transfer_result(struct transfer *transfer, CURLcode code,
                    struct client_answer *answer, struct error *err);
/* Gives the easy handle back, for the next one; may be NULL. */
CURL *transfer_free(struct transfer *transfer);
