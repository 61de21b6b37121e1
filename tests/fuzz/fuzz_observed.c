/* SPDX-License-Identifier: Apache-2.0 */
/* The observed document, as the scheduler reads it from agents. */
#include "tests/fuzz/fuzz.h"

static struct observed *read_observed(const json_t *value, struct error *err)
{
    size_t unknown = 0;
    return wire_observed_read(value, &unknown, err);
}

FUZZ_OBJECT(struct observed, read_observed, wire_observed);
