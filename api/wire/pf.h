/* SPDX-License-Identifier: Apache-2.0 */
/* What pf.c lends to inventory.c. */
#pragma once

#include "api/wire/value.h"

/* As wire_pf_read, with the place in the document and the count of unknown
 * members. */
struct pf *wire_read_pf(const json_t *value, const char *path, size_t *unknown,
                        struct error *err);
