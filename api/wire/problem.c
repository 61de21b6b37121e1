/* SPDX-License-Identifier: Apache-2.0 */
/* Problem documents (RFC 9457): see wire.h. */
#include "api/wire/value.h"

#include "common/base/str.h"

#include <stdio.h>

/* Our 'type' is a name, not a place: a client compares it or, better, 'code'. */
#define TYPE_START "urn:sriov:problem:"

json_t *wire_problem(const struct error *err, const char *request_id)
{
    char type[sizeof TYPE_START + 48];
    snprintf(type, sizeof type, TYPE_START "%s", error_code_name(err->code));
    json_t *object = json_object();
    wire_set(object, "type", json_string(type));
    wire_set(object, "title", json_string(error_code_title(err->code)));
    wire_set(object, "status", json_integer(error_code_http(err->code)));
    wire_set(object, "code", json_string(error_code_name(err->code)));
    wire_set(object, "detail", wire_text(err->msg));
    if (*err->field)
        wire_set(object, "field", wire_text(err->field));
    if (*err->remedy)
        wire_set(object, "remedy", wire_text(err->remedy));
    wire_set(object, "request_id", wire_text(request_id));
    return object;
}

/* For answers that are not ours, as of a proxy in between. */
static enum error_code code_of_status(int status)
{
    static const enum error_code candidates[] = {
        ERROR_INVALID,   ERROR_UNAUTHENTICATED,
        ERROR_FORBIDDEN, ERROR_NOT_FOUND,
        ERROR_CONFLICT,  ERROR_METHOD_NOT_ALLOWED,
        ERROR_TOO_LARGE, ERROR_UNSUPPORTED_MEDIA_TYPE,
        ERROR_INTERNAL,  ERROR_UNAVAILABLE,
        ERROR_TIMEOUT,
    };
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++)
        if (error_code_http(candidates[i]) == status)
            return candidates[i];
    return status >= 400 && status < 500 ? ERROR_INVALID : ERROR_UNAVAILABLE;
}

static const char *text_of(const json_t *value, const char *name)
{
    return json_string_value(json_object_get(value, name));
}

void wire_problem_read(const json_t *value, int status, struct error *err)
{
    const char *name = text_of(value, "code");
    const char *detail = text_of(value, "detail");
    const char *field = text_of(value, "field");
    const char *remedy = text_of(value, "remedy");
    if (!name || !detail) {
        error_fill(err, code_of_status(status), 0, "",
                   "the server answered with status %d and no problem document",
                   status);
        error_remedy(err, "check that the address is that of sriov-scheduler "
                          "and not of a proxy or another server");
        return;
    }
    enum error_code code = error_code_parse(name);
    /* A code of a newer server: its status still says what kind it is. */
    if (code == ERROR_INTERNAL || code == ERROR_NONE)
        code = code_of_status(status);
    error_fill(err, code, 0, field ? field : "", "%s", detail);
    if (remedy)
        error_remedy(err, "%s", remedy);
}
