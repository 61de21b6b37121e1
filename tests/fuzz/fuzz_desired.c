/* SPDX-License-Identifier: Apache-2.0 */
/* The desired document, as an agent reads it from a scheduler. */
#include "tests/fuzz/fuzz.h"

FUZZ_OBJECT(struct desired, wire_desired_read, wire_desired);
