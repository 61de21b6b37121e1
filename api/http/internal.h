/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of api/http share: the server and the request.
 *
 * Life of a request (all on the thread of its connection unless said):
 *
 *   created ─ headers ─┬─ refused: problem document ────────────────┐
 *                      └─ body ─ complete ─ handle() ─┬─ answered ──┼─ sent
 *                                   ┌─────────────────┼─ deferred ──┤
 *                                   │ resume()        ├─ parked     │
 *                                   └─────────────────┴── woken     │
 *                                                     stream ───────┘
 * A deferred or parked request's connection is suspended in libmicrohttpd; who
 * answers or wakes it resumes the connection, and the access handler is called
 * again. A deferred request is shared with the thread that will answer it, so
 * it is counted: should that thread not answer before the server's end, the
 * server answers 503 and leaves the struct to it.
 *
 * Locks: server->lock guards what is marked so; peers.c has its own. Order:
 * server->lock, then libmicrohttpd's own. No callback of the program is called
 * under them but 'still_wait'.
 */
#pragma once

#include "api/http/list.h"
#include "api/http/peers.h"
#include "api/http/router.h"
#include "api/http/server.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#include <microhttpd.h>
#include <pthread.h>

#define REQUEST_ID_SIZE 37
#define PARK_BUCKETS 4096
#define PARK_SLOT_MS 64
#define PARK_SLOTS 128     /* a turn of the wheel takes 8 s */
#define PARK_VISIT_MS 5000 /* how often a parked one's peer is looked after */

typedef bool http_still_wait(void *context, struct http_request *request);
typedef void http_resume(void *context, struct http_request *request,
                         bool timed_out);

/* Who waits under which key, and when to look at whom. All under server->lock. */
struct lot {
    struct {
        struct list parked;
        uint64_t wakes; /* of any key in this bucket: for streams */
    } buckets[PARK_BUCKETS];
    struct list slots[PARK_SLOTS];
    int64_t turned_to; /* slots before this time have been visited, ns */
    size_t count;
};

struct http_server {
    atomic_uint refs; /* one of the program, one per request */
    struct http_config config;
    struct router router;
    struct MHD_Daemon *daemon;
    int listen_fd;
    char address[64];
    struct peers *peers;

    pthread_mutex_t lock;
    pthread_cond_t changed;  /* monotonic; in_flight, stopping, lot.count */
    atomic_size_t in_flight; /* requests whose headers have come; falls under
                                'lock' */
    atomic_uint resuming;    /* answers being handed over, without the lock */
    /* guarded by 'lock' */
    struct list deferred;
    struct { /* http_hold() */
        bool active;
        pthread_t by;
        size_t count;
        struct list answered; /* by in_deferred */
    } held;
    struct lot lot;
    atomic_bool stopping; /* written under 'lock' */
    bool ended;           /* the keeper thread ends */
    pthread_t keeper;
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct target target;
    struct error target_error; /* of target_parse; code NONE = fine */
    struct route *route;       /* NULL = none matched */
    enum http_method method;
    char method_text[12];
    char id[REQUEST_ID_SIZE];
    enum role role;
    char actor[NAME_SIZE];
    struct str headers; /* name \0 value \0 ... */

    bool begun, handled;
    bool refused; /* 'problem' and 'problem_header' are the answer */
    struct error problem;
    char problem_header[96];
    bool closes; /* the connection ends with this answer */

    bool chunked; /* the size of the body is not known beforehand */
    uint64_t body_length, body_seen;
    struct str body;
    json_t *json;
    struct error json_error;
    bool json_tried;

    struct MHD_Response *response;
    int status;
    int64_t begun_at, parked_ns; /* monotonic; time spent parked */

    bool away; /* deferred or parked by the callback that is running */
    http_resume *resume; /* to call next; NULL = none */
    bool timed_out;

    /* guarded by server->lock */
    unsigned refs;
    bool deferred, abandoned;
    struct list in_deferred;
    struct {
        char *key;
        uint64_t hash;
        int64_t since, deadline;
        struct list in_bucket, in_slot;
    } park;
};

/* ---- server.c */
void server_put(struct http_server *server);

/* ---- request.c */
struct http_request *request_new(struct http_server *server, const char *raw,
                                 struct MHD_Connection *connection);
/* Drop a reference; called with server->lock held, which it releases. */
void request_put_unlock(struct http_request *request);
/* Copy the headers and make or take the request's id. */
void request_take_headers(struct http_request *request);
size_t request_count_headers(const struct http_request *request,
                             const char *name);

/* ---- check.c */
/* All that can be refused before the body; fills 'problem' and 'refused'. */
void request_check(struct http_request *request, const char *method);

/* ---- answer.c */
/* The answer of a refused request. */
void answer_problem(struct http_request *request);
/* A problem document that is not given to the request yet. */
struct MHD_Response *answer_make_problem(struct http_request *request,
                                         const struct error *err);
/* The answer of a refused request as raw bytes, whole and with
 * "Connection: close", for where libmicrohttpd takes no answer. */
void answer_raw(struct http_request *request, struct str *out);
/* Give a finished response to the request ('response' taken). */
void answer_finish(struct http_request *request, int status,
                   struct MHD_Response *response);

/* ---- park.c */
void lot_init(struct lot *lot);
/* Called with the lock: resume who is due, or all (stopping). */
void lot_turn(struct http_server *server, int64_t now);
void lot_wake_all(struct http_server *server);
/* Park under the lock; 'resume' NULL for streams. */
void lot_park(struct http_request *request, const char *key, int timeout_ms,
              http_resume *resume);
uint64_t lot_wakes(const struct http_server *server, const char *key);
/* Answer 503 for all that are still deferred; they stay their owners'. */
void lot_abandon(struct http_server *server);

/* ---- count.c */
void count_request(const struct http_request *request);
