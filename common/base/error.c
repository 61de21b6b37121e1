/* SPDX-License-Identifier: Apache-2.0 */
/* The error value: see error.h. */
#include "common/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int http;
    int exit_status;
    const char *title;
} error_table[ERROR_MAX] = {
#define X(name, wire, http, exit_status, title)                                \
    [ERROR_##name] = {wire, http, exit_status, title},
    ERROR_CODES(X)
#undef X
};

static enum error_code known(enum error_code code)
{
    return (unsigned)code < ERROR_MAX ? code : ERROR_INTERNAL;
}

const char *error_code_name(enum error_code code)
{
    return error_table[known(code)].name;
}

int error_code_http(enum error_code code)
{
    return error_table[known(code)].http;
}

int error_code_exit(enum error_code code)
{
    return error_table[known(code)].exit_status;
}

const char *error_code_title(enum error_code code)
{
    return error_table[known(code)].title;
}

enum error_code error_code_parse(const char *name)
{
    for (int i = 0; i < ERROR_MAX; i++)
        if (strcmp(error_table[i].name, name) == 0)
            return (enum error_code)i;
    return ERROR_INTERNAL;
}

void error_fill(struct error *err, enum error_code code, int sys,
                const char *field, const char *format, ...)
{
    if (!err)
        return;
    err->code = code;
    err->sys = sys;
    err->remedy[0] = '\0';
    /* 'field' may be err->field itself. */
    char copy[sizeof err->field];
    snprintf(copy, sizeof copy, "%s", field);
    memcpy(err->field, copy, sizeof copy);
    va_list args;
    va_start(args, format);
    vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
}

void error_fill_sys(struct error *err, int number, const char *format, ...)
{
    if (!err)
        return;
    char what[sizeof err->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    error_fill(err, error_code_of_errno(number), number, "", "%s: %s (%s)",
               what, strerror(number), error_errno_name(number));
}

void error_prefix(struct error *err, const char *format, ...)
{
    if (!err)
        return;
    char context[sizeof err->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    char old[sizeof err->msg];
    memcpy(old, err->msg, sizeof old);
    snprintf(err->msg, sizeof err->msg, "%s: %s", context, old);
}

void error_prefix_field(struct error *err, const char *parent)
{
    if (!err || !*parent)
        return;
    char old[sizeof err->field];
    memcpy(old, err->field, sizeof old);
    const char *dot = old[0] && old[0] != '[' ? "." : "";
    snprintf(err->field, sizeof err->field, "%s%s%s", parent, dot, old);
}

void error_remedy(struct error *err, const char *format, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(err->remedy, sizeof err->remedy, format, args);
    va_end(args);
}

enum error_code error_code_of_errno(int number)
{
    switch (number) {
    case EOPNOTSUPP:
    case EPROTONOSUPPORT:
    case 524: /* ENOTSUPP: the kernel's own, but drivers such as bnxt_en let it
                 out (include/linux/errno.h) */
        return ERROR_UNSUPPORTED;
    case EBUSY:
    case EAGAIN:
        return ERROR_AGAIN;
    case ERANGE:
    case EINVAL:
        return ERROR_RANGE;
    case ENODEV:
    case ENXIO:
    case ENOENT:
        return ERROR_VANISHED;
    case EACCES:
    case EPERM:
        return ERROR_PERMISSION;
    default:
        return ERROR_IO;
    }
}

const char *error_errno_name(int number)
{
    const char *name = strerrorname_np(number);
    if (name)
        return name;
    static _Thread_local char text[24];
    snprintf(text, sizeof text, "errno %d", number);
    return text;
}
