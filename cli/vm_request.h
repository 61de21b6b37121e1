/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/vms from the options of 'vm create'. */
#pragma once

#include "cli/cli.h"

/* A new object, or NULL after saying what is wrong on stderr. Values are only
 * given their JSON type here; what they may be is the scheduler's to say. */
json_t *vm_request_of_options(const struct cli *cli);
