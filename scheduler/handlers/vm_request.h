/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the body of POST /v1/vms. */
#pragma once

#include "common/base/json.h"
#include "scheduler/core/core.h"

/* Strict: unknown members, wrong types and ranges are refused, each naming the
 * member and what to do. 'out' is zeroed by the caller; after success it has a
 * reference, for vm_request_done(). */
int vm_request_read(const json_t *body, struct vm_request *out,
                    struct error *err);
void vm_request_done(struct vm_request *request);
