/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. Private to api/http. */
#pragma once

#include "common/base/error.h"

#include <stdbool.h>

/* Listen on "ADDR:PORT" or "[IPV6]:PORT" (numeric; port 0 = any free one), not
 * blocking. 'address' gets what was bound. INVALID: no such address, or one off
 * loopback without 'insecure_listen'. Returns the descriptor or -1. */
int listen_open(const char *listen, bool insecure_listen, char address[64],
                struct error *err);
/* How many of 'wanted' connections the limit of open files allows, raised as far
 * as it may be, with some descriptors kept for the rest of the process. */
unsigned listen_fit(unsigned wanted);
