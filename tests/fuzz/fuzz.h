/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzers share. The property that each checks: whatever text is let
 * in, what we write of it is read again and written the same. */
#pragma once

#include "api/wire/wire.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value of the bytes, or NULL; a refusal must say why. */
static inline json_t *fuzz_parse(const uint8_t *data, size_t size)
{
    struct error err = {0};
    json_t *value = json_parse((const char *)data, size, &err);
    if (!value && (err.code != ERROR_MALFORMED_JSON || !*err.msg)) {
        fprintf(stderr, "refused without a reason\n");
        abort();
    }
    return value;
}

/* A reader refused: it must have said why, in valid text. */
static inline void fuzz_check_error(const struct error *err)
{
    if (err->code != ERROR_NONE && *err->msg) {
        /* Whatever was quoted, the problem document is valid JSON. */
        auto_json json_t *problem = wire_problem(err, "");
        char *text = json_text(problem);
        auto_json json_t *again = json_parse(text, strlen(text), NULL);
        free(text);
        if (again && json_object_get(again, "detail"))
            return;
    }
    fprintf(stderr, "a refusal without a usable reason\n");
    abort();
}

static inline void fuzz_check_equal(const char *first, const char *second)
{
    if (strcmp(first, second) == 0)
        return;
    fprintf(stderr, "written, read and written again:\n%s\n%s\n", first,
            second);
    abort();
}

/* Defines the fuzzer of a type with a reference count: READ(value, err) makes
 * an object of it, WRITE(object) tells it. */
#define FUZZ_OBJECT(type, READ,                                                \
                    WRITE) /* Text of an object, which is released. */         \
    static char *written(type *object)                                         \
    {                                                                          \
        auto_json json_t *value = WRITE(object);                               \
        ref_put(object);                                                       \
        return json_text(value);                                               \
    }                                                                          \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)               \
    {                                                                          \
        auto_json json_t *value = fuzz_parse(data, size);                      \
        if (!value)                                                            \
            return 0;                                                          \
        struct error err = {0};                                                \
        type *object = READ(value, &err);                                      \
        if (!object) {                                                         \
            fuzz_check_error(&err);                                            \
            return 0;                                                          \
        }                                                                      \
        auto_free char *first = written(object);                               \
        auto_json json_t *again =                                              \
            fuzz_parse((const uint8_t *)first, strlen(first));                 \
        type *copy = READ(again, &err);                                        \
        if (!copy) {                                                           \
            fprintf(stderr, "%s: %s\n%s\n", err.field, err.msg, first);        \
            abort();                                                           \
        }                                                                      \
        auto_free char *second = written(copy);                                \
        fuzz_check_equal(first, second);                                       \
        return 0;                                                              \
    }                                                                          \
    _Static_assert(1, "takes the semicolon")
