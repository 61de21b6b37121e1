/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as values: one struct, no allocation, nothing to release.
 *
 * Conventions, for the whole project:
 *   - functions that can fail return 0 or -1 and take 'struct error *err' as
 *     their last parameter; constructors return the object or NULL;
 *   - on success 'err' is not touched, on failure the outputs are not touched;
 *   - 'err' may be NULL where the caller does not care;
 *   - the code is for programs, 'msg' is for people, 'field' names the JSON
 *     member, option or policy field at fault, 'remedy' says what to do.
 *
 * Threads: plain values, no shared state.
 */
#pragma once

#include <stddef.h>

/* X(NAME, wire name, HTTP status, exit status of sriov-admin, title).
 * The wire name is the stable 'code' of problem documents. Exit statuses:
 * 1 error, 2 could not place, 3 conflict. */
#define ERROR_CODES(X)                                                         \
    X(NONE, "none", 200, 0, "No error")                                        \
    X(INVALID, "invalid", 400, 1, "The request is not valid")                  \
    X(MALFORMED_JSON, "malformed_json", 400, 1, "The body is not valid JSON")  \
    X(UNKNOWN_FIELD, "unknown_field", 400, 1, "Unknown field")                 \
    X(UNKNOWN_PARAMETER, "unknown_parameter", 400, 1,                          \
      "Unknown query parameter")                                               \
    X(UNAUTHENTICATED, "unauthenticated", 401, 1, "No valid token")            \
    X(FORBIDDEN, "forbidden", 403, 1, "Not allowed for this role")             \
    X(NOT_FOUND, "not_found", 404, 1, "Not found")                             \
    X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, 1, "Method not allowed")  \
    X(CONFLICT, "conflict", 409, 3, "Conflict")                                \
    X(CONCURRENT_UPDATE, "concurrent_update", 409, 3,                          \
      "Changed by somebody else")                                              \
    X(NO_VALID_HOST, "no_valid_host", 409, 2, "No host fits")                  \
    X(DUPLICATE_NAME, "duplicate_name", 409, 3, "The name is taken")           \
    X(MAC_IN_USE, "mac_in_use", 409, 3, "The MAC is in use")                   \
    X(IN_USE, "in_use", 409, 3, "Still in use")                                \
    X(IDEMPOTENCY_CONFLICT, "idempotency_conflict", 409, 3,                    \
      "The Idempotency-Key was used for another request")                      \
    X(WRONG_CLUSTER, "wrong_cluster", 409, 3, "Another cluster")               \
    X(WRONG_HOST, "wrong_host", 409, 3, "Another host")                        \
    X(OLD_EPOCH, "old_epoch", 409, 3, "An older epoch")                        \
    X(STALE_REPORT, "stale_report", 409, 3, "An older report")                 \
    X(NEED_FULL, "need_full", 409, 3, "The whole document is needed")          \
    X(TOO_LARGE, "too_large", 413, 1, "Too large")                             \
    X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415, 1,                \
      "Unsupported media type")                                                \
    X(INTERNAL, "internal", 500, 1, "Internal error")                          \
    X(BUSY, "busy", 503, 1, "Too much work queued")                            \
    X(NOT_DURABLE, "not_durable", 503, 1, "Could not be stored")               \
    X(UNAVAILABLE, "unavailable", 503, 1, "Not available")                     \
    X(UNSUPPORTED, "unsupported", 409, 1, "Not supported by the device")       \
    X(RANGE, "range", 400, 1, "Out of range")                                  \
    X(VANISHED, "vanished", 409, 1, "The device is gone")                      \
    X(AGAIN, "again", 503, 1, "Busy, try again")                               \
    X(PERMISSION, "permission", 403, 1, "Permission denied")                   \
    X(IO, "io", 500, 1, "Input/output error")                                  \
    X(CORRUPT, "corrupt", 500, 1, "The stored data is damaged")                \
    X(TIMEOUT, "timeout", 504, 1, "Timed out")

enum error_code {
#define X(name, wire, http, exit_status, title) ERROR_##name,
    ERROR_CODES(X)
#undef X
        ERROR_MAX
};

struct error {
    enum error_code code;
    int sys;        /* errno, 0 = none */
    char field[96]; /* e.g. "ports[0].policy.vlan", "" = none */
    char msg[320];
    char remedy[192]; /* what to do, "" = none */
};

/* The stable name, HTTP status, exit status and title of a code. */
const char *error_code_name(enum error_code code);
int error_code_http(enum error_code code);
int error_code_exit(enum error_code code);
const char *error_code_title(enum error_code code);
/* The code with this wire name; ERROR_INTERNAL for an unknown one. */
enum error_code error_code_parse(const char *name);

/* Fill 'err' (overwrites it whole). A macro, so that analyzers see the
 * literal -1 of 'return error_set(...)'. */
#define error_set(err, code, ...)                                              \
    (error_fill(err, code, 0, "", __VA_ARGS__), -1)
/* The same with the field at fault. */
#define error_set_field(err, code, field, ...)                                 \
    (error_fill(err, code, 0, field, __VA_ARGS__), -1)
/* The same for an errno: the code follows from it (error_code_of_errno) and
 * its text is appended to the message. */
#define error_set_sys(err, number, ...)                                        \
    (error_fill_sys(err, number, __VA_ARGS__), -1)

void error_fill(struct error *err, enum error_code code, int sys,
                const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void error_fill_sys(struct error *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put context before the message: "context: message". */
void error_prefix(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Put a parent path before the field: "ports[0]" + "mac" = "ports[0].mac". */
void error_prefix_field(struct error *err, const char *parent);
/* Say what to do about it. */
void error_remedy(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* EOPNOTSUPP/EPROTONOSUPPORT/ENOTSUPP: UNSUPPORTED, EBUSY/EAGAIN: AGAIN, ERANGE/EINVAL:
 * RANGE, ENODEV/ENXIO/ENOENT: VANISHED, EACCES/EPERM: PERMISSION, else IO. */
enum error_code error_code_of_errno(int number);
/* "EBUSY" for EBUSY; "errno 123" (static per thread) for an unknown one. */
const char *error_errno_name(int number);
